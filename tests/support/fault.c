#include "fault.h"

#include <weft/testing.h>

#include "test.h"

void fault_run(const char *name, weft_fn scenario, void *arg, const struct fault_options *options)
{
    const weft_testing_each_options each = {.size = sizeof each,
                                            .backend = options->backend,
                                            .plain = options->plain,
                                            .any_error = options->any_error,
                                            .max_cases = options->max_cases};
    if (!options->no_alloc && weft_testing_each_alloc(scenario, arg, &each) < 0)
        FAIL("%s %s", name, weft_error_message());
    if (!options->no_cancel && weft_testing_each_checkpoint(scenario, arg, &each) < 0)
        FAIL("%s %s", name, weft_error_message());
}

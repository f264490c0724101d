#include "fault.h"

#include <stdio.h>
#include <stdlib.h>

#include <weft/testing.h>

#include "base/error_int.h"
#include "run/run_int.h"
#include "test.h"

enum kind { NO_FAULT, ALLOC_ONCE, ALLOC_ON, CANCEL, N_KINDS };

static const char *const kind_texts[] = {
    [NO_FAULT] = "without a fault",
    [ALLOC_ONCE] = "with one failed allocation",
    [ALLOC_ON] = "with failed allocations from one on",
    [CANCEL] = "cancelled at a checkpoint",
};

struct fault {
    const char *name;
    weft_fn scenario;
    void *arg;
    const struct fault_options *options;
    enum kind kind;
    uint64_t nth;
    uint64_t count; /* allocations or checkpoints that there were */
    int result;
    int again; /* of the second run, without a fault */
};

static int run_cancelled(struct fault *fault)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, fault->nth);
    int result = fault->scenario(fault->arg);
    fault->count = weft_testing_checkpoint_count();
    weft_testing_cancel_at(NULL, 0);
    weft_scope_exit(&scope, result);
    return result;
}

static int run_both(void *arg)
{
    struct fault *fault = arg;
    if (fault->kind == CANCEL) {
        fault->result = run_cancelled(fault);
    } else {
        weft_testing_fail_alloc(fault->kind == NO_FAULT ? 0 : fault->nth, fault->kind == ALLOC_ON);
        fault->result = fault->scenario(fault->arg);
        fault->count = weft_testing_alloc_count();
        weft_testing_fail_alloc(0, false);
    }
    fault->again = fault->scenario(fault->arg);
    return 0;
}

static void fail(const struct fault *fault, const char *what, intmax_t number)
{
    FAIL("%s %s (number %ju): %s %jd %s: %s", fault->name, kind_texts[fault->kind],
         (uintmax_t)fault->nth, what, number, number < 0 ? weft_error_name((int)number) : "",
         weft_error_message());
}

static void check(const struct fault *fault, int64_t live)
{
    int expected = fault->kind == CANCEL ? -ECANCELED : -ENOMEM;
    if (fault->kind == NO_FAULT && fault->result < 0)
        fail(fault, "it should succeed, it returned", fault->result);
    if (fault->result < 0 && fault->result != expected && !fault->options->any_error)
        fail(fault, "it returned", fault->result);
    if (fault->again < 0)
        fail(fault, "run again without a fault it returned", fault->again);
    if (live != 0)
        fail(fault, "blocks of memory that are left:", live);
}

/* The message of the last failure is memory of the thread, not of the scenario. */
static int64_t count_live(void)
{
    weft__error_done(weft__context_get());
    return weft_testing_alloc_live();
}

static void run_one(struct fault *fault)
{
    if (getenv("WEFT_FAULT_VERBOSE") != NULL)
        fprintf(stderr, "%s %s: number %ju\n", fault->name, kind_texts[fault->kind],
                (uintmax_t)fault->nth);
    int64_t live = count_live();
    if (fault->options->plain) {
        run_both(fault);
        ASSERT_INT_EQ(weft_task_count(), 0);
        weft__loop_free(weft__loop_current);
    } else {
        ASSERT_OK(weft_run_with(run_both, fault, WEFT_RUN(.backend = fault->options->backend)));
    }
    check(fault, count_live() - live);
}

/* One run counts; then the nth is faulted until a run has fewer than n. */
static void run_kind(struct fault *fault, enum kind kind)
{
    uint64_t most = fault->options->max_cases != 0 ? fault->options->max_cases : 1000;
    fault->kind = kind == CANCEL ? CANCEL : NO_FAULT;
    fault->nth = kind == CANCEL ? UINT64_MAX : 0;
    run_one(fault);
    uint64_t step = fault->count / most + 1;
    fault->kind = kind;
    fault->nth = 1;
    for (;;) {
        run_one(fault);
        if (fault->count < fault->nth)
            return;
        fault->nth += step;
    }
}

void fault_run(const char *name, weft_fn scenario, void *arg, const struct fault_options *options)
{
    struct fault fault = {.name = name, .scenario = scenario, .arg = arg, .options = options};
    for (enum kind kind = ALLOC_ONCE; kind < N_KINDS; kind++) {
        if (kind == CANCEL ? !options->no_cancel : !options->no_alloc)
            run_kind(&fault, kind);
    }
}

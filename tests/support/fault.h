/*
 * fault.h - a scenario under every fault: each allocation fails once, each one and all after
 * it fail, each checkpoint is cancelled.
 *
 *     static int get_once(void *arg) { ... makes, uses and frees; 0 or an error ... }
 *
 *     TEST_WITH(client_get_survives_every_fault, .limit_s = 60)
 *     {
 *         FAULTS(get_once, "http://...", .any_error = true);
 *     }
 *
 * The scenario runs as (or below) the main task of a new loop for each fault.  Under it, it
 * must return success, -ENOMEM for a failed allocation or -ECANCELED for a cancelled
 * checkpoint.  Then it is run again on the same loop without a fault, and must succeed.  When
 * the loop has ended, no block of the library's memory may be left.
 *
 * Only allocations of the calling thread fail.  WEFT_FAULT_VERBOSE=1 prints each fault before
 * it is tried, to find the one that crashes.
 */
#ifndef WEFT_FAULT_H
#define WEFT_FAULT_H

#include <weft/run.h>

struct fault_options {
    weft_backend backend; /* of the loops */
    bool plain;           /* outside weft_run, as synchronous programs call it */
    bool any_error;       /* other errors are right too: a peer in the same loop failed, say */
    bool no_alloc;        /* no allocation fails */
    bool no_cancel;       /* no checkpoint is cancelled */
    uint64_t max_cases;   /* of each of the three kinds; default 1000, evenly spread over more */
};

#define FAULTS(scenario, arg, ...)                                                                 \
    fault_run(#scenario, (scenario), (arg), &(const struct fault_options){__VA_ARGS__})

void fault_run(const char *name, weft_fn scenario, void *arg, const struct fault_options *options);

#endif

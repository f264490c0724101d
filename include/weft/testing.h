/*
 * weft/testing.h - what weft's own suite uses to test itself, for your suite. Not in weft.h.
 */
#ifndef WEFT_TESTING_H
#define WEFT_TESTING_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fault hooks of the calling thread.  Counted, not random: run once with a counter, then once
 * for each count.
 */

/**
 * weft_testing_fail_alloc() - make an allocation of the library fail
 * @nth:        1: the next one; 0: none fails, and the count starts anew.
 * @and_later:  all following ones fail too.
 */
WEFT_API void weft_testing_fail_alloc(uint64_t nth, bool and_later);
/* Allocations since the last weft_testing_fail_alloc. */
WEFT_API uint64_t weft_testing_alloc_count(void);
/* Blocks that are allocated now and not freed, by all threads. */
WEFT_API int64_t weft_testing_alloc_live(void);

/**
 * weft_testing_cancel_at() - cancel a scope at a checkpoint
 * @scope: borrows until the checkpoint; NULL: only count.
 * @nth:   1: the next checkpoint that a task inside the scope comes to; 0: none.
 */
WEFT_API void weft_testing_cancel_at(weft_scope *scope, uint64_t nth);
/* Checkpoints since the last weft_testing_cancel_at. */
WEFT_API uint64_t weft_testing_checkpoint_count(void);

#ifdef __cplusplus
}
#endif
#endif

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
 * @nth:       1: the calling thread's next one; 0: none. The count starts anew.
 * @and_later: all following ones fail too.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_testing_fail_alloc(uint64_t nth, bool and_later);

/**
 * weft_testing_alloc_count() - allocations since the last weft_testing_fail_alloc()
 *
 * Suspends: never.
 * Return:   those of the calling thread, the failed ones included.
 * Since:    0.1
 */
WEFT_API uint64_t weft_testing_alloc_count(void);

/**
 * weft_testing_alloc_live() - blocks that are allocated now and not freed
 *
 * Suspends: never.
 * Return:   those of all threads.
 * Since:    0.1
 */
WEFT_API int64_t weft_testing_alloc_live(void);

/**
 * weft_testing_cancel_at() - cancel a scope at a checkpoint
 * @scope: keeps until then; NULL: only count.
 * @nth:   1: the next place where a task of this thread's loop asks whether it is cancelled, or
 *         begins a wait; 0: none. The count starts anew.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_testing_cancel_at(weft_scope *scope, uint64_t nth);

/**
 * weft_testing_checkpoint_count() - checkpoints since the last weft_testing_cancel_at()
 *
 * Suspends: never.
 * Return:   how many there were; counting ends where the scope was cancelled.
 * Since:    0.1
 */
WEFT_API uint64_t weft_testing_checkpoint_count(void);

/**
 * weft_testing_retry_attempts() - no waits between attempts, and not many of them
 * @attempts: most attempts of every retry of the calling thread from now on, HTTP's included; a
 *            policy that says fewer still counts. 0: as the policies say.
 *
 * Hooks still see the waits that would have been; total times and deadlines do not shorten the
 * attempts.
 *
 * Suspends: never.
 * Source:   stamina.set_testing.
 * Since:    0.1
 */
WEFT_API void weft_testing_retry_attempts(int attempts);

#ifdef __cplusplus
}
#endif
#endif

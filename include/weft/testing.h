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

typedef struct weft_testing_fault {
    size_t size;
    int error;      /* not 0: it fails with this, as -ECONNRESET, and nothing is done */
    size_t limit;   /* not 0: it moves this many bytes at most, and one at least */
    int64_t delay;  /* ns before it begins; only of sockets */
    bool and_later; /* all following ones too */
} weft_testing_fault;
#define WEFT_TESTING_FAULT(...) WEFT_OPTIONS(weft_testing_fault, __VA_ARGS__)

/**
 * weft_testing_fail_op() - make an operation on a socket or file fail, come short, or late
 * @name:  copies. Of sockets "recv", "send", "accept", "connect", "poll"; of files "open", "read",
 *         "write", "stat", "fsync", "truncate", "lock", "close" and others, named as their system
 *         calls. NULL: any.
 * @nth:   1: the calling thread's next one of that name, those of jobs that its tasks have offloaded
 *         included. The count starts anew. 0: forgets what was asked for this name, NULL: for all.
 * @fault: copies. What happens to it; NULL: it is only counted.
 *
 * Each name has a fault of its own.  An interruption, -EINTR, is followed by another try, which
 * counts again.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL the name is too long, or -EINTR each time; -ENOSPC too many names.
 * Since:    0.1
 */
WEFT_API int weft_testing_fail_op(const char *name, uint64_t nth, const weft_testing_fault *fault);

/**
 * weft_testing_op_count() - operations since weft_testing_fail_op() with that name
 * @name: borrows. As given there.
 *
 * Suspends: never.
 * Return:   the failed ones included; 0 if that was never called.
 * Since:    0.1
 */
WEFT_API uint64_t weft_testing_op_count(const char *name);

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

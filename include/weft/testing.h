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

/*
 * ---- running under every fault ----
 *
 * One function, run again and again, each time on a loop of its own.  It makes, uses and frees
 * what it is about, and returns 0 or an error.
 */

typedef struct weft_testing_each_options {
    size_t size;
    weft_backend backend; /* of the loops */
    bool plain;           /* outside weft_run, as synchronous programs call it */
    bool any_error;       /* other errors than that of the fault are right too */
    uint64_t max_cases;   /* default 1000, evenly spread over more */
} weft_testing_each_options;
#define WEFT_TESTING_EACH(...) WEFT_OPTIONS(weft_testing_each_options, __VA_ARGS__)

/**
 * weft_testing_each_alloc() - run a function with each of its allocations failing
 * @fn:      called with arg. The first time nothing fails, and it must succeed.
 * @arg:     borrows.
 * @options: borrows, NULL for defaults.
 *
 * The first allocation fails, then the second one, and so on; then all from the first on, all
 * from the second on.  Each time fn must succeed or return -ENOMEM, must succeed when it is run
 * again on the same loop, and must leave no memory of the library behind.  With
 * WEFT_FAULT_VERBOSE=1 in the environment each fault is printed before it is tried.
 *
 * Suspends: maybe; not for use in a task.
 * Cancel:   none.
 * Return:   0, or negative with a message that says which one went wrong.
 * Errors:   what fn returned and should not have; -ENOTEMPTY memory or tasks are left; WEFT_ENESTED.
 * Source:   curl's torture tests; SQLite's OOM loop.
 * Since:    0.1
 */
WEFT_API int weft_testing_each_alloc(weft_fn fn, void *arg,
                                     const weft_testing_each_options *options);
/**
 * weft_testing_each_checkpoint() - run a function cancelled at each of its checkpoints
 * @fn:      called with arg. It must succeed or return -ECANCELED.
 * @arg:     borrows.
 * @options: borrows, NULL for defaults.
 *
 * Otherwise as weft_testing_each_alloc().
 *
 * Suspends: maybe; not for use in a task.
 * Cancel:   none.
 * Return:   0, or negative.
 * Errors:   as weft_testing_each_alloc().
 * Since:    0.1
 */
WEFT_API int weft_testing_each_checkpoint(weft_fn fn, void *arg,
                                          const weft_testing_each_options *options);
/**
 * weft_testing_each_op() - run a function with each of its operations failing
 * @fn:      called with arg. It may fail in any way, unless the fault is one that nobody notices.
 * @arg:     borrows.
 * @fault:   borrows. As in weft_testing_fail_op(). A short, late or interrupted operation is
 *           one that nobody notices.
 * @options: borrows, NULL for defaults.
 *
 * Otherwise as weft_testing_each_alloc().
 *
 * Suspends: maybe; not for use in a task.
 * Cancel:   none.
 * Return:   0, or negative.
 * Errors:   as weft_testing_each_alloc().
 * Since:    0.1
 */
WEFT_API int weft_testing_each_op(weft_fn fn, void *arg, const weft_testing_fault *fault,
                                  const weft_testing_each_options *options);
/**
 * weft_testing_each_seed() - run a function in many orders of its tasks
 * @n:       how many: the seeds from 1 to n.
 * @fn:      run as main task with each seed. It must succeed.
 * @arg:     borrows.
 * @options: borrows, NULL for defaults; the default back end is the virtual one.
 *
 * With WEFT_SEED=17 in the environment only that seed is run.
 *
 * Suspends: maybe; not for use in a task.
 * Cancel:   none.
 * Return:   0, or negative with a message that says which seed it was.
 * Errors:   what fn returned; -ENOTEMPTY memory is left; WEFT_ENESTED; -EINVAL WEFT_SEED is no number.
 * Source:   FoundationDB's simulation, tokio's RngSeed.
 * Since:    0.1
 */
WEFT_API int weft_testing_each_seed(uint64_t n, weft_fn fn, void *arg,
                                    const weft_testing_each_options *options);
/**
 * weft_testing_seed() - the seed of the present run
 *
 * Suspends: never.
 * Return:   the .seed of weft_run_with(); 0 without one.
 * Since:    0.1
 */
WEFT_API uint64_t weft_testing_seed(void);

/*
 * ---- the virtual clock ----
 *
 * WEFT_BACKEND_VIRTUAL: time stands still while a task can run and jumps to the next timer when
 * all are blocked.  The date begins at 2000-01-01 00:00:00 UTC, the random numbers of waits
 * follow from the seed.
 */

/**
 * weft_testing_advance() - time passes while nobody runs
 * @duration: ns.
 *
 * As if the machine had slept: timers that are due fire late, one after the other.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EOPNOTSUPP the loop's clock is a real one; -EINVAL.
 * Source:   trio.testing.MockClock.jump.
 * Since:    0.1
 */
WEFT_API int weft_testing_advance(int64_t duration);
/**
 * weft_testing_set_autojump() - how long all tasks are blocked before the clock jumps
 * @idle: real ns, default 0; WEFT_FOREVER: it never jumps.
 *
 * For tests with threads of their own that send messages to the loop.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EOPNOTSUPP the loop's clock is a real one.
 * Source:   trio.testing.MockClock.autojump_threshold.
 * Since:    0.1
 */
WEFT_API int weft_testing_set_autojump(int64_t idle);
/**
 * weft_testing_set_wall() - what day it is
 * @seconds: since 1970, at this moment. It goes on with the virtual clock.
 *
 * For what reads dates: HTTP's Date and Retry-After, cookies, logs.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EOPNOTSUPP the loop's clock is a real one.
 * Since:    0.1
 */
WEFT_API int weft_testing_set_wall(int64_t seconds);

/*
 * ---- order ----
 */

/**
 * weft_testing_wait_all_blocked() - wait until all other tasks of the loop wait for something
 * @cushion: ns for which they must go on to do so; 0: none.
 *
 * Instead of a sleep that is hoped to be long enough.  What comes from outside, an answer of
 * a server or of another thread, may be under way still.
 *
 * Suspends: yes.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; -ENOMEM.
 * Source:   trio.testing.wait_all_tasks_blocked; testing/synctest.Wait of Go.
 * Since:    0.1
 */
WEFT_API int weft_testing_wait_all_blocked(int64_t cushion);

/* Begins as zeros; the content is private. */
typedef struct weft_testing_sequencer {
    void *opaque[8];
} weft_testing_sequencer;

/**
 * weft_testing_sequencer_enter() - wait for one's turn
 * @sequencer: borrows. Zeros at first.
 * @position:  0 for the first turn; each position is entered once.
 *
 * Suspends: maybe, until the positions before it have been left.
 * Cancel:   -ECANCELED; the positions behind it then fail.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; -EINVAL the position was entered already; -EPIPE one before it was cancelled.
 * Source:   trio.testing.Sequencer.
 * Since:    0.1
 */
WEFT_API int weft_testing_sequencer_enter(weft_testing_sequencer *sequencer, uint64_t position);
/**
 * weft_testing_sequencer_exit() - the turn is over
 * @sequencer: borrows. Entered by the caller.
 *
 * Suspends: never.
 * Source:   trio.testing.Sequencer.
 * Since:    0.1
 */
WEFT_API void weft_testing_sequencer_exit(weft_testing_sequencer *sequencer);

/**
 * weft_testing_expect_checkpoints() - does a call notice a cancellation?
 * @fn:       called with arg.
 * @arg:      borrows.
 * @expected: whether the calling task must pass a checkpoint in it.
 *
 * Suspends: maybe, as fn.
 * Cancel:   that of fn.
 * Return:   what fn returned, or negative.
 * Errors:   -EPROTO it was not as expected; those of fn.
 * Source:   trio.testing.assert_checkpoints, assert_no_checkpoints.
 * Since:    0.1
 */
WEFT_API int weft_testing_expect_checkpoints(weft_fn fn, void *arg, bool expected);

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

/*
 * weft/thread.h - blocking work on worker threads, and messages between loops.
 */
#ifndef WEFT_THREAD_H
#define WEFT_THREAD_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_loop weft_loop;

/*
 * ---- blocking functions on worker threads ----
 *
 *     static int hash(void *arg) { ... may block; touches nothing that other tasks use ... }
 *     err = weft_offload(hash, &job);
 *
 * A limiter says how many of its functions run at once; further ones wait in their order.
 * Each class of work that weft does by itself has its own, so that a name server that does not
 * answer keeps no file waiting.  Threads are started when they are needed, serve all limiters,
 * and end after 5 s without work.
 */

typedef struct weft_offload_limiter weft_offload_limiter;

/* The limiters that are always there. */
typedef enum weft_offload_class {
    WEFT_OFFLOAD_USER,  /* weft_offload(), and weft_offload_with() without a limiter: 16 */
    WEFT_OFFLOAD_FILES, /* work on files that the kernel has no other way for: 16 */
    WEFT_OFFLOAD_DNS    /* getaddrinfo: 8 */
} weft_offload_class;

typedef struct weft_offload_options {
    size_t size;
    weft_offload_limiter *limiter; /* borrows; default the one of WEFT_OFFLOAD_USER */
    const char *name;              /* lends until the call returns: for dumps */
    bool abandon_on_cancel;        /* a cancelled call returns at once; the function runs on,
                                    * counts for its limiter, and its result is dropped.
                                    * An argument then needs one of the next two */
    size_t arg_size;               /* copies: fn works on a copy of so many bytes, at most 1 MiB,
                                    * that is copied back before the call returns */
    void (*free_arg)(void *arg);   /* -ECANCELED takes the argument: this is called when fn has
                                    * ended, or will never run, maybe on another thread */
} weft_offload_options;
#define WEFT_OFFLOAD(...) WEFT_OPTIONS(weft_offload_options, __VA_ARGS__)

typedef struct weft_offload_stats {
    size_t size;
    size_t max;          /* of this limiter, at once */
    size_t running;      /* functions on threads, abandoned ones too */
    size_t waiting;      /* calls that wait for one of them to end */
    uint64_t total;      /* functions that have ended */
    size_t threads;      /* of the whole process */
    size_t threads_idle; /* of these, without work */
} weft_offload_stats;

/**
 * weft_offload() - run a blocking function on a worker thread, and wait for it
 * @fn:  what to run. It must not touch what other tasks of the loop use meanwhile.
 * @arg: borrows, handed to fn.
 *
 * Other tasks run in the meantime.  At most 16 such functions run at once in the process;
 * further ones wait for a thread.
 *
 * Suspends: yes, until fn has ended.
 * Cancel:   before fn has begun, it never runs: -ECANCELED.  Once it runs, the call waits for its
 *           end and returns its result; fn learns of it from weft_offload_is_cancelled().
 * Return:   what fn returned, with its message if it is an error.
 * Errors:   -EINVAL no function; -ECANCELED; -EAGAIN no thread could be started; -ENOMEM.
 * Source:   asyncio.to_thread.
 * Since:    0.1
 */
WEFT_API int weft_offload(weft_fn fn, void *arg);
/**
 * weft_offload_with() - weft_offload() with options
 * @fn:      what to run.
 * @arg:     borrows, handed to fn, or a copy of it with .arg_size.  With .free_arg, -ECANCELED
 *           takes it, whoever returned that; after any other result it is the caller's.
 * @options: borrows, NULL for defaults.
 *
 * With .abandon_on_cancel a call that is cancelled does not wait for fn, which must then touch
 * nothing of the caller's.
 *
 * Suspends: yes, until fn has ended or, with .abandon_on_cancel, the call was cancelled.
 * Cancel:   before fn has begun, it never runs: -ECANCELED.  Later as weft_offload(), or with
 *           .abandon_on_cancel -ECANCELED at once.
 * Return:   what fn returned, with its message if it is an error.
 * Errors:   those of weft_offload(); -EINVAL .abandon_on_cancel for an argument with neither
 *           .arg_size nor .free_arg, or both of them, or more than 1 MiB to copy.
 * Source:   trio.to_thread.run_sync, loop.run_in_executor.
 * Since:    0.1
 */
WEFT_API int weft_offload_with(weft_fn fn, void *arg, const weft_offload_options *options);
/**
 * weft_offload_is_cancelled() - was the call that waits for this function cancelled?
 *
 * For long functions: they look now and then, and return -ECANCELED.
 *
 * Suspends: never.
 * Return:   false where the thread runs no offloaded function.
 * Source:   trio.from_thread.check_cancelled.
 * Since:    0.1
 */
WEFT_API bool weft_offload_is_cancelled(void);
/**
 * weft_call_from_thread() - have a function run by the task that offloaded this one
 * @fn:  runs on the loop, in the scopes of that task; it may block and be cancelled there.
 * @arg: borrows, handed to fn.
 *
 * Blocks the worker thread, until fn has ended.
 *
 * Suspends: yes, the calling thread.
 * Cancel:   if the task is cancelled before fn has begun, or has abandoned this function, fn
 *           does not run: -ECANCELED.
 * Return:   what fn returned, with its message if it is an error.
 * Errors:   -EINVAL no function, or the caller was not offloaded; -ECANCELED.
 * Source:   trio.from_thread.run.
 * Since:    0.1
 */
WEFT_API int weft_call_from_thread(weft_fn fn, void *arg);

/**
 * weft_offload_limiter_new() - a limit of one's own for offloaded functions
 * @max: how many run at once, 1 to 4096.
 * @ret: gives, free with weft_offload_limiter_free().
 *
 * Loops of several threads may share it.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL max; -ENOMEM.
 * Source:   trio.CapacityLimiter, concurrent.futures.ThreadPoolExecutor.
 * Since:    0.1
 */
WEFT_API int weft_offload_limiter_new(size_t max, weft_offload_limiter **ret);
/**
 * weft_offload_limiter_free() - free a limiter
 * @limiter: takes. NULL is allowed. No call waits with it; functions that were abandoned may run.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_offload_limiter_free(weft_offload_limiter *limiter);
/**
 * weft_offload_limiter_shared() - one of the limiters that are always there
 * @kind: which one.
 *
 * Suspends: never.
 * Return:   lends for ever; it is not freed. NULL for no such class.
 * Source:   trio.to_thread.current_default_thread_limiter, loop.set_default_executor.
 * Since:    0.1
 */
WEFT_API weft_offload_limiter *weft_offload_limiter_shared(weft_offload_class kind);
/**
 * weft_offload_limiter_set_max() - change how many functions run at once
 * @limiter: borrows. From any thread.
 * @max:     1 to 4096. Those that run already run on.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL max.
 * Source:   trio.CapacityLimiter.total_tokens.
 * Since:    0.1
 */
WEFT_API int weft_offload_limiter_set_max(weft_offload_limiter *limiter, size_t max);
/**
 * weft_offload_limiter_stats() - what a limiter's functions do
 * @limiter: borrows. From any thread.
 * @ret:     borrows, to be filled.
 *
 * Suspends: never.
 * Source:   trio.CapacityLimiter.statistics.
 * Since:    0.1
 */
WEFT_API void weft_offload_limiter_stats(const weft_offload_limiter *limiter,
                                         weft_offload_stats *ret);
/**
 * weft_offload_shutdown() - end the worker threads, at the end of a program
 * @timeout: ns; WEFT_FOREVER waits for all functions.
 *
 * Blocks the calling thread, loop and all, until functions that were abandoned have ended.
 * Without it, exit() ends the idle threads and does not wait for the others.  Functions that
 * are offloaded later have threads again.
 *
 * Suspends: never: it blocks.
 * Return:   0, or negative.
 * Errors:   -ETIMEDOUT functions still run; -EDEADLK the caller is one of them.
 * Source:   loop.shutdown_default_executor.
 * Since:    0.1
 */
WEFT_API int weft_offload_shutdown(int64_t timeout);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_offload_limiter, weft_offload_limiter_free)
#endif

/*
 * ---- several loops ----
 *
 *     static int serve(void *arg, size_t index) { ... listens with .reuse_port ... }
 *     err = weft_loops_run(0, serve, &config, NULL);
 *
 * A loop serves one thread.  A program that wants more CPUs runs the same function on several
 * loops, which share nothing but what they are given; the kernel spreads connections over
 * listeners that share a port.
 */

/* The main task of the loop with this index, from 0. */
typedef int (*weft_loops_fn)(void *arg, size_t index);

typedef struct weft_loops_options {
    size_t size;
    const weft_run_options *run; /* borrows: of each loop */
    bool pin;                    /* loop i stays on the i-th CPU that the process may use */
} weft_loops_options;
#define WEFT_LOOPS(...) WEFT_OPTIONS(weft_loops_options, __VA_ARGS__)

/**
 * weft_loops_run() - run a function on several loops at once, each on a thread of its own
 * @n:       how many, at most 1024. 0: weft_cpu_count().
 * @fn:      the main task of each loop.
 * @arg:     borrows, handed to fn; all threads use it at once.
 * @options: borrows, NULL for defaults.
 *
 * The first error cancels the main tasks of the others; all threads are joined.  The threads
 * take no signals: these are for the caller's.  Outside a task the calling thread has a run of
 * its own meanwhile.  Tasks that wait for nothing but cancellation are no deadlock here.
 *
 * Suspends: yes, until the last thread has ended.
 * Cancel:   the main tasks are cancelled, and their threads joined all the same; -ECANCELED.
 * Return:   0, or the first error, with its message.  A main task that returned -ECANCELED
 *           because it was cancelled has not failed.
 * Errors:   those of fn and weft_run_with(); -EINVAL no function, or too many loops; -EAGAIN a
 *           thread could not be started; -ECANCELED; -ENOMEM.
 * Source:   several processes with asyncio.run; anyio.from_thread.start_blocking_portal.
 * Since:    0.1
 */
WEFT_API int weft_loops_run(size_t n, weft_loops_fn fn, void *arg,
                            const weft_loops_options *options);
/**
 * weft_cpu_count() - how many CPUs this process can keep busy
 *
 * Suspends: never.
 * Return:   those it may run on, or fewer if its control group has a smaller quota; at least 1.
 * Source:   os.process_cpu_count.
 * Since:    0.1
 */
WEFT_API size_t weft_cpu_count(void);

/* ---- messages to loops ---- */

/**
 * weft_loop_ref_current() - the loop of this thread, for other threads to post to
 *
 * While references are held, a loop whose tasks all wait is not taken for a deadlock.
 *
 * Suspends: never.
 * Return:   gives, release with weft_loop_unref(); NULL where no loop can be made.
 * Source:   asyncio.get_running_loop.
 * Since:    0.1
 */
WEFT_API weft_loop *weft_loop_ref_current(void);
/**
 * weft_loop_unref() - release a reference to a loop
 * @loop: takes. NULL is allowed. From any thread; the loop may have ended.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_loop_unref(weft_loop *loop);
/**
 * weft_loop_post() - have a function called on a loop's thread
 * @loop: borrows. From any thread, but from no handler of a signal: see weft/signal.h.
 * @fn:   called between the loop's tasks, in the order of posting from one thread. It must not
 *        block: it may set events, release semaphores, cancel scopes.
 * @arg:  keeps until fn is called.
 *
 * Suspends: never.
 * Return:   0, or negative: then fn is never called.
 * Errors:   WEFT_ECLOSED the loop has ended; -ENOMEM.
 * Source:   loop.call_soon_threadsafe.
 * Since:    0.1
 */
WEFT_API int weft_loop_post(weft_loop *loop, void (*fn)(void *arg), void *arg);
/**
 * weft_loop_call() - have a function run as a task of another loop, and wait for its result
 * @loop: borrows. From any thread, of any loop, its own too.
 * @fn:   runs there, in the background of its run.
 * @arg:  borrows, handed to fn.
 *
 * A worker thread that wants its own task's loop uses weft_call_from_thread().
 *
 * Suspends: yes, until fn has ended.
 * Cancel:   fn is cancelled there, and the call waits for its end; what fn returns.
 * Return:   what fn returned, with its message if it is an error.
 * Errors:   -EINVAL no function; WEFT_ECLOSED the loop has ended; -ECANCELED its run ended while fn
 *           waited; -ENOMEM.
 * Source:   asyncio.run_coroutine_threadsafe, anyio.from_thread.BlockingPortal.
 * Since:    0.1
 */
WEFT_API int weft_loop_call(weft_loop *loop, weft_fn fn, void *arg);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_loop, weft_loop_unref)
#endif

#ifdef __cplusplus
}
#endif
#endif

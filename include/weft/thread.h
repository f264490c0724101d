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
 *           end and returns its result.
 * Return:   what fn returned, with its message if it is an error.
 * Errors:   -EINVAL no function; -ECANCELED; -EAGAIN no thread could be started; -ENOMEM.
 * Source:   asyncio.to_thread.
 * Since:    0.1
 */
WEFT_API int weft_offload(weft_fn fn, void *arg);

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
 * @loop: borrows. From any thread.
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

#ifdef __cplusplus
}
#endif
#endif

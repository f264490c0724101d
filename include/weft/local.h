/*
 * weft/local.h - values that belong to a task and to those it starts: request ids, tracing.
 *
 *     static weft_local *request_id;
 *     weft_local_new(free, &request_id);              once, before the first use
 *     weft_local_set(request_id, strdup("r-17"));     in a task
 *     weft_local_get(request_id);                     in it, in its children, in its offloaded jobs
 *
 * A task begins with the values that its parent has at that moment.  What either sets later,
 * the other does not see.
 */
#ifndef WEFT_LOCAL_H
#define WEFT_LOCAL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_local weft_local;

/**
 * weft_local_new() - make a key for task-local values
 * @release: called with a value that no task has any more, on the thread where that comes true;
 *           it must not block. NULL: values need no release.
 * @ret:     gives, free with weft_local_free(). Usable in all threads.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   contextvars.ContextVar.
 * Since:    0.1
 */
WEFT_API int weft_local_new(void (*release)(void *value), weft_local **ret);
/**
 * weft_local_free() - free a key
 * @local: takes. NULL is allowed.
 *
 * Values under it live on until the tasks that have them end.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_local_free(weft_local *local);
/**
 * weft_local_set() - give a value to the calling task and to what it starts from now on
 * @local: borrows.
 * @value: takes, if the key has a release function; it is called on failure too. NULL: none.
 *
 * Outside tasks the value belongs to what stands for the thread.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM; -EOVERFLOW the task has 256 others.
 * Source:   ContextVar.set.
 * Since:    0.1
 */
WEFT_API int weft_local_set(weft_local *local, void *value);
/**
 * weft_local_get() - the calling task's value
 * @local: borrows.
 *
 * In a job of weft_offload() it is that of the task which waits for the job.
 *
 * Suspends: never.
 * Return:   lends until the task sets another one or ends; NULL where there is none.
 * Source:   ContextVar.get.
 * Since:    0.1
 */
WEFT_API void *weft_local_get(const weft_local *local);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_local, weft_local_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/sync.h - synchronisation between the tasks of one loop.
 *
 * None of this is for several threads: between loops there is weft_loop_post().
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_semaphore weft_semaphore;

/**
 * weft_semaphore_new() - make a semaphore
 * @permits: how many may hold one at once. 0 is allowed.
 * @ret:     gives, free with weft_semaphore_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   asyncio.Semaphore.
 * Since:    0.1
 */
WEFT_API int weft_semaphore_new(size_t permits, weft_semaphore **ret);
/**
 * weft_semaphore_free() - free a semaphore
 * @semaphore: takes. NULL is allowed. No task may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_semaphore_free(weft_semaphore *semaphore);
/**
 * weft_semaphore_acquire() - take a permit, waiting for one if need be
 * @semaphore: borrows.
 *
 * First come, first served: nobody gets in before those who wait.
 *
 * Suspends: maybe, where no permit is free.
 * Cancel:   no permit is taken; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED.
 * Source:   Semaphore.acquire.
 * Since:    0.1
 */
WEFT_API int weft_semaphore_acquire(weft_semaphore *semaphore);
/**
 * weft_semaphore_try_acquire() - take a permit if one is free
 * @semaphore: borrows.
 *
 * Suspends: never.
 * Return:   true if a permit was taken.
 * Source:   trio.Semaphore.acquire_nowait.
 * Since:    0.1
 */
WEFT_API bool weft_semaphore_try_acquire(weft_semaphore *semaphore);
/**
 * weft_semaphore_release() - give a permit back
 * @semaphore: borrows.
 *
 * It goes straight to the first task that waits.  One release too many makes a permit more.
 *
 * Suspends: never.
 * Source:   Semaphore.release.
 * Since:    0.1
 */
WEFT_API void weft_semaphore_release(weft_semaphore *semaphore);
/**
 * weft_semaphore_available() - the permits that are free
 * @semaphore: borrows.
 *
 * Suspends: never.
 * Return:   their number; 0 while tasks wait.
 * Source:   trio.Semaphore.value.
 * Since:    0.1
 */
WEFT_API size_t weft_semaphore_available(const weft_semaphore *semaphore);
/**
 * weft_semaphore_waiting() - the tasks that wait for a permit
 * @semaphore: borrows.
 *
 * Suspends: never.
 * Return:   their number.
 * Source:   trio.Semaphore.statistics.
 * Since:    0.1
 */
WEFT_API size_t weft_semaphore_waiting(const weft_semaphore *semaphore);

typedef struct weft_event weft_event;

/**
 * weft_event_new() - make an event, a flag that tasks wait for
 * @ret: gives, free with weft_event_free(). Not set.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   asyncio.Event.
 * Since:    0.1
 */
WEFT_API int weft_event_new(weft_event **ret);
/**
 * weft_event_free() - free an event
 * @event: takes. NULL is allowed. No task may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_event_free(weft_event *event);
/**
 * weft_event_wait() - wait until the event is set
 * @event: borrows.
 *
 * Suspends: maybe, where it is not set.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED.
 * Source:   Event.wait.
 * Since:    0.1
 */
WEFT_API int weft_event_wait(weft_event *event);
/**
 * weft_event_set() - set the flag, and wake all who wait
 * @event: borrows.
 *
 * They return 0 even if the flag is cleared before they run.
 *
 * Suspends: never.
 * Source:   Event.set.
 * Since:    0.1
 */
WEFT_API void weft_event_set(weft_event *event);
/**
 * weft_event_clear() - take the flag down
 * @event: borrows.
 *
 * Suspends: never.
 * Source:   Event.clear.
 * Since:    0.1
 */
WEFT_API void weft_event_clear(weft_event *event);
/**
 * weft_event_is_set() - is the flag up?
 * @event: borrows.
 *
 * Suspends: never.
 * Return:   true if it is.
 * Source:   Event.is_set.
 * Since:    0.1
 */
WEFT_API bool weft_event_is_set(const weft_event *event);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_semaphore, weft_semaphore_free)
WEFT_DEFINE_AUTO(weft_event, weft_event_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/sync.h - synchronisation between the tasks of one loop.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_semaphore weft_semaphore;

WEFT_API int weft_semaphore_new(size_t permits, weft_semaphore **ret);
WEFT_API void weft_semaphore_free(weft_semaphore *semaphore);
WEFT_API int weft_semaphore_acquire(weft_semaphore *semaphore);
WEFT_API bool weft_semaphore_try_acquire(weft_semaphore *semaphore);
WEFT_API void weft_semaphore_release(weft_semaphore *semaphore);
WEFT_API size_t weft_semaphore_available(const weft_semaphore *semaphore);
WEFT_API size_t weft_semaphore_waiting(const weft_semaphore *semaphore);

typedef struct weft_event weft_event;

WEFT_API int weft_event_new(weft_event **ret);
WEFT_API void weft_event_free(weft_event *event);
WEFT_API int weft_event_wait(weft_event *event);
WEFT_API void weft_event_set(weft_event *event);
WEFT_API void weft_event_clear(weft_event *event);
WEFT_API bool weft_event_is_set(const weft_event *event);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_semaphore, weft_semaphore_free)
WEFT_DEFINE_AUTO(weft_event, weft_event_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

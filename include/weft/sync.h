/*
 * weft/sync.h - semaphore, mutex, event, condition, barrier: between the tasks of one loop.
 *
 *     weft_mutex *mutex;
 *     weft_mutex_new(&mutex);
 *     ...
 *     err = weft_mutex_lock(mutex);
 *     if (err < 0)
 *         return err;
 *     ...
 *     weft_mutex_unlock(mutex);
 *
 * All of them are fair: what becomes free goes straight to the task that has waited longest,
 * nobody can get in between, and a task that is cancelled after it was given something still
 * returns with it.  A call that returns -ECANCELED did not happen.  Calls that may wait return
 * -ECANCELED in a cancelled scope also where they would not have had to wait.  For a time limit
 * put a scope around the call.
 *
 * They work outside weft_run too, but not across threads: see the promise in weft/channel.h.
 * What is freed must have no waiters.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- semaphore ---- */

typedef struct weft_semaphore weft_semaphore;

/**
 * weft_semaphore_new() - permits for at most so many at once
 * @permits: free ones; 0 is allowed.
 * @ret:     gives, free with weft_semaphore_free().
 *
 * It may be released more often than acquired: then there are more permits.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.Semaphore, trio.Semaphore.
 * Since:    0.1
 */
WEFT_API int weft_semaphore_new(size_t permits, weft_semaphore **ret);

/**
 * weft_semaphore_new_bounded() - a semaphore that never has more permits than at first
 * @permits: free ones, and the most there can be.
 * @ret:     gives, free with weft_semaphore_free().
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.BoundedSemaphore, trio.Semaphore(max_value=).
 * Since:    0.1
 */
WEFT_API int weft_semaphore_new_bounded(size_t permits, weft_semaphore **ret);

/**
 * weft_semaphore_free() - free a semaphore
 * @semaphore: takes. NULL is allowed. Nobody may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_semaphore_free(weft_semaphore *semaphore);

/**
 * weft_semaphore_acquire() - take a permit, wait for one if need be
 * @semaphore: borrows.
 *
 * Suspends: maybe, until a permit is free and everybody who came before has one.
 * Cancel:   -ECANCELED, no permit is taken.
 * Return:   0 with a permit, or negative without.
 * Errors:   -ECANCELED.
 * Source:   asyncio.Semaphore.acquire.
 * Since:    0.1
 */
WEFT_API int weft_semaphore_acquire(weft_semaphore *semaphore);

/**
 * weft_semaphore_try_acquire() - take a permit if one is free
 * @semaphore: borrows.
 *
 * Suspends: never.
 * Return:   whether it was taken.
 * Source:   trio.Semaphore.acquire_nowait.
 * Since:    0.1
 */
WEFT_API bool weft_semaphore_try_acquire(weft_semaphore *semaphore);

/**
 * weft_semaphore_release() - give a permit back
 * @semaphore: borrows.
 *
 * It goes to the task that has waited longest. Any task may release.
 *
 * Suspends: never.
 * Return:   0, or -EOVERFLOW if a bounded semaphore has all its permits already.
 * Source:   asyncio.Semaphore.release.
 * Since:    0.1
 */
WEFT_API int weft_semaphore_release(weft_semaphore *semaphore);

/**
 * weft_semaphore_available() - free permits
 * @semaphore: borrows.
 *
 * Suspends: never.
 * Return:   how many can be taken without waiting.
 * Source:   trio.Semaphore.value.
 * Since:    0.1
 */
WEFT_API size_t weft_semaphore_available(const weft_semaphore *semaphore);

/**
 * weft_semaphore_waiting() - tasks that wait for a permit
 * @semaphore: borrows.
 *
 * Suspends: never.
 * Return:   how many.
 * Source:   trio.Semaphore.statistics.
 * Since:    0.1
 */
WEFT_API size_t weft_semaphore_waiting(const weft_semaphore *semaphore);

/* ---- event ---- */

typedef struct weft_event weft_event;

/**
 * weft_event_new() - a flag to wait for, not set
 * @ret: gives, free with weft_event_free().
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.Event, trio.Event.
 * Since:    0.1
 */
WEFT_API int weft_event_new(weft_event **ret);

/**
 * weft_event_free() - free an event
 * @event: takes. NULL is allowed. Nobody may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_event_free(weft_event *event);

/**
 * weft_event_wait() - wait until the event is set
 * @event: borrows.
 *
 * A task that was waiting when it was set returns 0 even if it is cleared again at once.
 *
 * Suspends: maybe, while it is not set.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED.
 * Source:   asyncio.Event.wait.
 * Since:    0.1
 */
WEFT_API int weft_event_wait(weft_event *event);

/**
 * weft_event_set() - set the event, wake everybody who waits
 * @event: borrows.
 *
 * Suspends: never.
 * Source:   asyncio.Event.set.
 * Since:    0.1
 */
WEFT_API void weft_event_set(weft_event *event);

/**
 * weft_event_clear() - take the event back
 * @event: borrows.
 *
 * Suspends: never.
 * Source:   asyncio.Event.clear.
 * Since:    0.1
 */
WEFT_API void weft_event_clear(weft_event *event);

/**
 * weft_event_is_set() - is it?
 * @event: borrows.
 *
 * Suspends: never.
 * Return:   whether a wait would return at once.
 * Source:   asyncio.Event.is_set.
 * Since:    0.1
 */
WEFT_API bool weft_event_is_set(const weft_event *event);

/* ---- mutex ---- */

typedef struct weft_mutex weft_mutex;

/**
 * weft_mutex_new() - a lock that a task holds, not locked
 * @ret: gives, free with weft_mutex_free().
 *
 * Tasks of a loop are not interrupted: a mutex is needed only where what it protects must
 * stay as it is across a call that suspends.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.Lock, trio.StrictFIFOLock.
 * Since:    0.1
 */
WEFT_API int weft_mutex_new(weft_mutex **ret);

/**
 * weft_mutex_free() - free a mutex
 * @mutex: takes. NULL is allowed. It may be locked; nobody may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_mutex_free(weft_mutex *mutex);

/**
 * weft_mutex_lock() - become its owner
 * @mutex: borrows.
 *
 * Suspends: maybe, until everybody who came before has locked and unlocked it.
 * Cancel:   -ECANCELED, it is not locked.
 * Return:   0 as its owner, or negative.
 * Errors:   -ECANCELED; -EDEADLK the task is its owner already; -EOWNERDEAD an owner ended
 *           without unlocking it: what it protects may be half changed, the mutex is of no
 *           more use.
 * Source:   asyncio.Lock.acquire, trio.Lock.acquire.
 * Since:    0.1
 */
WEFT_API int weft_mutex_lock(weft_mutex *mutex);

/**
 * weft_mutex_try_lock() - become its owner if it has none
 * @mutex: borrows.
 *
 * Suspends: never.
 * Return:   whether the task has become its owner.
 * Source:   trio.Lock.acquire_nowait.
 * Since:    0.1
 */
WEFT_API bool weft_mutex_try_lock(weft_mutex *mutex);

/**
 * weft_mutex_unlock() - give it to the task that has waited longest, or to nobody
 * @mutex: borrows.
 *
 * A task that ends without unlocking is reported on stderr, and the mutex is broken: see the
 * errors of weft_mutex_lock().
 *
 * Suspends: never.
 * Return:   0, or -EPERM if another task is its owner or nobody is: nothing has changed.
 * Source:   asyncio.Lock.release, trio.Lock.release.
 * Since:    0.1
 */
WEFT_API int weft_mutex_unlock(weft_mutex *mutex);

/**
 * weft_mutex_is_locked() - has it an owner?
 * @mutex: borrows.
 *
 * Suspends: never.
 * Return:   whether some task is its owner.
 * Source:   asyncio.Lock.locked.
 * Since:    0.1
 */
WEFT_API bool weft_mutex_is_locked(const weft_mutex *mutex);

/* ---- condition ---- */

typedef struct weft_condition weft_condition;

/**
 * weft_condition_new() - something to wait for under a mutex
 * @mutex: keeps until the condition is freed.
 * @ret:   gives, free with weft_condition_free().
 *
 * Several conditions may have the same mutex.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.Condition, trio.Condition.
 * Since:    0.1
 */
WEFT_API int weft_condition_new(weft_mutex *mutex, weft_condition **ret);

/**
 * weft_condition_free() - free a condition, not its mutex
 * @condition: takes. NULL is allowed. Nobody may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_condition_free(weft_condition *condition);

/**
 * weft_condition_wait() - unlock the mutex, wait to be notified, lock it again
 * @condition: borrows. The task has locked its mutex.
 *
 * When it returns, the task owns the mutex again, whatever the result: also a cancelled call
 * waits until it can have it.  What was waited for may have gone again meanwhile:
 * while (n == 0 && err == 0) err = weft_condition_wait(condition).
 *
 * Suspends: yes.
 * Cancel:   -ECANCELED with the mutex locked, and no notification used up; who has been
 *           notified returns 0.
 * Return:   0 after a notification, or negative.
 * Errors:   -ECANCELED; -EPERM the task has not locked the mutex; -EOWNERDEAD a task ended
 *           without unlocking the mutex, which is not locked.
 * Source:   asyncio.Condition.wait, trio.Condition.wait.
 * Since:    0.1
 */
WEFT_API int weft_condition_wait(weft_condition *condition);

/**
 * weft_condition_notify() - wake those who have waited longest
 * @condition: borrows. The task has locked its mutex.
 * @n:         how many; fewer if fewer wait.
 *
 * They continue when the mutex is unlocked, one after the other.
 *
 * Suspends: never.
 * Return:   0, or -EPERM if the task has not locked the mutex.
 * Source:   asyncio.Condition.notify, trio.Condition.notify.
 * Since:    0.1
 */
WEFT_API int weft_condition_notify(weft_condition *condition, size_t n);

/**
 * weft_condition_notify_all() - wake everybody who waits
 * @condition: borrows. The task has locked its mutex.
 *
 * Suspends: never.
 * Return:   0, or -EPERM if the task has not locked the mutex.
 * Source:   asyncio.Condition.notify_all, trio.Condition.notify_all.
 * Since:    0.1
 */
WEFT_API int weft_condition_notify_all(weft_condition *condition);

/* ---- barrier ---- */

typedef struct weft_barrier weft_barrier;

/**
 * weft_barrier_new() - a place where tasks wait until all have come
 * @parties: how many come, at least 1.
 * @ret:     gives, free with weft_barrier_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no parties; -ENOMEM.
 * Source:   asyncio.Barrier.
 * Since:    0.1
 */
WEFT_API int weft_barrier_new(size_t parties, weft_barrier **ret);

/**
 * weft_barrier_free() - free a barrier
 * @barrier: takes. NULL is allowed. Nobody may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_barrier_free(weft_barrier *barrier);

/**
 * weft_barrier_wait() - wait until all parties have come
 * @barrier: borrows.
 *
 * The last one to come lets all go.  The barrier is then as new: a task that comes once more
 * belongs to the next round.
 *
 * Suspends: maybe, but for the last one to come.
 * Cancel:   -ECANCELED, as if the task had not come: the others go on waiting.
 * Return:   0 to parties - 1, another number for each task of a round, in the order in which
 *           they came; or negative.
 * Errors:   -ECANCELED; WEFT_EBROKEN the barrier was aborted, or reset while the task waited.
 * Source:   asyncio.Barrier.wait.
 * Since:    0.1
 */
WEFT_API int weft_barrier_wait(weft_barrier *barrier);

/**
 * weft_barrier_reset() - begin anew
 * @barrier: borrows.
 *
 * Those who wait get WEFT_EBROKEN. An aborted barrier can be used again.
 *
 * Suspends: never.
 * Source:   asyncio.Barrier.reset.
 * Since:    0.1
 */
WEFT_API void weft_barrier_reset(weft_barrier *barrier);

/**
 * weft_barrier_abort() - break the barrier
 * @barrier: borrows.
 *
 * Those who wait, and those who come until it is reset, get WEFT_EBROKEN: for a task that
 * will not come and must not keep the others waiting.
 *
 * Suspends: never.
 * Source:   asyncio.Barrier.abort.
 * Since:    0.1
 */
WEFT_API void weft_barrier_abort(weft_barrier *barrier);

/**
 * weft_barrier_parties() - how many must come
 * @barrier: borrows.
 *
 * Suspends: never.
 * Return:   as given to weft_barrier_new().
 * Source:   asyncio.Barrier.parties.
 * Since:    0.1
 */
WEFT_API size_t weft_barrier_parties(const weft_barrier *barrier);

/**
 * weft_barrier_waiting() - how many have come
 * @barrier: borrows.
 *
 * Suspends: never.
 * Return:   tasks of this round that wait for the others.
 * Source:   asyncio.Barrier.n_waiting.
 * Since:    0.1
 */
WEFT_API size_t weft_barrier_waiting(const weft_barrier *barrier);

/**
 * weft_barrier_is_broken() - was it aborted?
 * @barrier: borrows.
 *
 * Suspends: never.
 * Return:   true from weft_barrier_abort() to weft_barrier_reset().
 * Source:   asyncio.Barrier.broken.
 * Since:    0.1
 */
WEFT_API bool weft_barrier_is_broken(const weft_barrier *barrier);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_semaphore, weft_semaphore_free)
WEFT_DEFINE_AUTO(weft_event, weft_event_free)
WEFT_DEFINE_AUTO(weft_mutex, weft_mutex_free)
WEFT_DEFINE_AUTO(weft_condition, weft_condition_free)
WEFT_DEFINE_AUTO(weft_barrier, weft_barrier_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

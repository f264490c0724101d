/*
 * mutex.c - one owner at a time, first come, first served.
 *
 * An unlocked mutex goes straight to the first waiter, as a semaphore's permit does.  The
 * owner's task lists what it holds: a task that ends with a mutex breaks it, and everybody who
 * waits for it, or comes later, is told so instead of waiting for ever.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "run/switch.h"
#include "sync/sync_int.h"

static inline void take(struct weft_mutex *mutex, struct weft_task *task)
{
    mutex->owner = task;
    mutex->held.next = task->held;
    task->held = &mutex->held;
}

/* Mutexes are mostly unlocked in the reverse order: then it is the first of the list. */
static inline void drop(struct weft_mutex *mutex, struct weft_task *owner)
{
    struct weft__held **at = &owner->held;
    while (*at != &mutex->held)
        at = &(*at)->next;
    *at = mutex->held.next;
    mutex->owner = NULL;
}

static void abandoned(struct weft__held *held, struct weft_task *task)
{
    struct weft_mutex *mutex = WEFT__CONTAINER(held, struct weft_mutex, held);
    dprintf(STDERR_FILENO, "weft: task '%s' ended without unlocking a mutex\n",
            weft_task_name(task));
    mutex->owner = NULL;
    mutex->broken = true;
    weft__waitq_wake_all(&mutex->queue, -EOWNERDEAD);
}

int weft_mutex_new(weft_mutex **ret)
{
    weft_mutex *mutex = weft__alloc(sizeof *mutex);
    if (mutex == NULL)
        return weft__fail_nomem();
    mutex->held.abandoned = abandoned;
    mutex->owner = NULL;
    mutex->broken = false;
    weft__list_init(&mutex->queue);
    *ret = mutex;
    return 0;
}

void weft_mutex_free(weft_mutex *mutex)
{
    if (mutex != NULL && mutex->owner != NULL)
        drop(mutex, mutex->owner);
    weft__free(mutex);
}

__attribute__((cold)) int weft__mutex_dead(void)
{
    return weft__fail(-EOWNERDEAD, "the task that held the mutex ended without unlocking it");
}

static inline __attribute__((always_inline)) int lock_slowly(struct weft_mutex *mutex,
                                                             struct weft_task *self)
{
    struct weft__waiter waiter;
    if (mutex->broken)
        return weft__mutex_dead();
    if (mutex->owner == self)
        return weft__fail(-EDEADLK, "task '%s' locks a mutex that it has locked already",
                          weft_task_name(self));
    int err = (int)weft__waitq_park_here(self, &mutex->queue, &waiter, "mutex");
    return __builtin_expect(err == -EOWNERDEAD, 0) ? weft__mutex_dead() : err;
}

/* Not inlined: a call that need not wait goes without its frame. */
static __attribute__((noinline)) int lock_slow(struct weft_mutex *mutex, struct weft_task *self)
{
    return weft__ctx_return(lock_slowly(mutex, self));
}

int weft_mutex_lock(weft_mutex *mutex)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (mutex->owner != NULL || mutex->broken)
        return lock_slow(mutex, self);
    take(mutex, self);
    weft__sync_turn(self);
    return 0;
}

bool weft_mutex_try_lock(weft_mutex *mutex)
{
    struct weft_task *self = weft__self();
    if (self == NULL || mutex->owner != NULL || mutex->broken)
        return false;
    take(mutex, self);
    return true;
}

void weft__mutex_pass(struct weft_mutex *mutex, struct weft__waiter *waiter)
{
    if (mutex->broken) {
        weft__wake(waiter->wait.task, -EOWNERDEAD);
    } else if (mutex->owner != NULL) {
        weft__list_push_back(&mutex->queue, &waiter->node);
    } else {
        take(mutex, waiter->wait.task);
        weft__wake(waiter->wait.task, 0);
    }
}

static inline void give_up(struct weft_mutex *mutex, struct weft_task *owner)
{
    drop(mutex, owner);
    if (__builtin_expect(weft__list_is_empty(&mutex->queue), 1))
        return;
    struct weft__list *node = weft__list_pop_front(&mutex->queue);
    weft__mutex_pass(mutex, WEFT__CONTAINER(node, struct weft__waiter, node));
}

void weft__mutex_give_up(struct weft_mutex *mutex)
{
    give_up(mutex, mutex->owner);
}

static __attribute__((noinline, cold)) int refuse(const struct weft_mutex *mutex,
                                                  const struct weft_task *self)
{
    if (self == NULL)
        return weft__context_get()->error_code;
    if (mutex->owner == NULL)
        return weft__fail(-EPERM, "unlock of a mutex that is not locked");
    return weft__fail(-EPERM, "task '%s' unlocks a mutex that task '%s' has locked",
                      weft_task_name(self), weft_task_name(mutex->owner));
}

int weft_mutex_unlock(weft_mutex *mutex)
{
    struct weft_task *self = weft__self();
    if (__builtin_expect(self == NULL || mutex->owner != self, 0))
        return refuse(mutex, self);
    give_up(mutex, self);
    return 0;
}

bool weft_mutex_is_locked(const weft_mutex *mutex)
{
    return mutex->owner != NULL;
}

/*
 * barrier.c - tasks that wait for one another.
 *
 * The last one to come wakes the others with their numbers and takes the barrier back to its
 * beginning at once: who comes next belongs to the next round, and the woken ones need no
 * more of it.
 */
#include <errno.h>

#include "base/alloc.h"
#include "sync/sync_int.h"

struct weft_barrier {
    size_t parties;
    size_t waiting;
    struct weft__list queue;
    bool broken;
};

struct waiter {
    struct weft__waiter base;
    struct weft_barrier *barrier;
};

int weft_barrier_new(size_t parties, weft_barrier **ret)
{
    if (parties == 0 || parties > INT32_MAX)
        return weft__fail(-EINVAL, "a barrier of %zu tasks", parties);
    weft_barrier *barrier = weft__alloc(sizeof *barrier);
    if (barrier == NULL)
        return weft__fail_nomem();
    barrier->parties = parties;
    barrier->waiting = 0;
    barrier->broken = false;
    weft__list_init(&barrier->queue);
    *ret = barrier;
    return 0;
}

void weft_barrier_free(weft_barrier *barrier)
{
    weft__free(barrier);
}

static __attribute__((cold)) int broken(void)
{
    return weft__fail(WEFT_EBROKEN, "the barrier was aborted or reset");
}

static void cancelled(struct weft__wait *wait, int code)
{
    struct waiter *waiter = WEFT__CONTAINER(wait, struct waiter, base.wait);
    weft__list_remove(&waiter->base.node);
    waiter->barrier->waiting--;
    weft__wake(wait->task, code);
}

static int wait_for_others(weft_barrier *barrier, struct weft_task *self)
{
    struct waiter waiter = {
        .base.wait = {.cancel = cancelled, .what = "barrier"},
        .barrier = barrier,
    };
    weft__list_push_back(&barrier->queue, &waiter.base.node);
    barrier->waiting++;
    int result = (int)weft__park(self, &waiter.base.wait);
    if (result == WEFT_EBROKEN)
        return broken();
    return result == -ECANCELED ? weft__cancel_error(self) : result;
}

int weft_barrier_wait(weft_barrier *barrier)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (barrier->broken)
        return broken();
    if (barrier->waiting + 1 < barrier->parties)
        return wait_for_others(barrier, self);
    int index = 0;
    while (weft__waitq_wake_one(&barrier->queue, index))
        index++;
    barrier->waiting = 0;
    weft__sync_turn(self);
    return index;
}

void weft_barrier_reset(weft_barrier *barrier)
{
    weft__waitq_wake_all(&barrier->queue, WEFT_EBROKEN);
    barrier->waiting = 0;
    barrier->broken = false;
}

void weft_barrier_abort(weft_barrier *barrier)
{
    weft_barrier_reset(barrier);
    barrier->broken = true;
}

size_t weft_barrier_parties(const weft_barrier *barrier)
{
    return barrier->parties;
}

size_t weft_barrier_waiting(const weft_barrier *barrier)
{
    return barrier->waiting;
}

bool weft_barrier_is_broken(const weft_barrier *barrier)
{
    return barrier->broken;
}

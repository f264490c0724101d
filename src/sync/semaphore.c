/*
 * semaphore.c - permits, first come, first served.
 *
 * A released permit goes straight to the first waiter: it is never free in between, so nobody
 * can barge in, and a waiter that is cancelled after it was given one still returns with it.
 */
#include <errno.h>

#include "base/alloc.h"
#include "run/switch.h"
#include "sync/sync_int.h"

struct weft_semaphore {
    size_t permits;
    size_t most; /* permits that there can be */
    size_t waiting;
    struct weft__list queue;
};

static int make(size_t permits, size_t most, weft_semaphore **ret)
{
    weft_semaphore *semaphore = weft__alloc(sizeof *semaphore);
    if (semaphore == NULL)
        return weft__fail_nomem();
    semaphore->permits = permits;
    semaphore->most = most;
    semaphore->waiting = 0;
    weft__list_init(&semaphore->queue);
    *ret = semaphore;
    return 0;
}

int weft_semaphore_new(size_t permits, weft_semaphore **ret)
{
    return make(permits, SIZE_MAX, ret);
}

int weft_semaphore_new_bounded(size_t permits, weft_semaphore **ret)
{
    return make(permits, permits, ret);
}

void weft_semaphore_free(weft_semaphore *semaphore)
{
    weft__free(semaphore);
}

bool weft_semaphore_try_acquire(weft_semaphore *semaphore)
{
    if (semaphore->permits == 0)
        return false;
    semaphore->permits--;
    return true;
}

static inline __attribute__((always_inline)) int park(struct weft_task *self,
                                                      struct weft_semaphore *semaphore)
{
    struct weft__waiter waiter;
    semaphore->waiting++;
    int err = (int)weft__waitq_park_here(self, &semaphore->queue, &waiter, "semaphore");
    if (__builtin_expect(err < 0, 0))
        semaphore->waiting--;
    return err;
}

/* Not inlined: a call that need not wait goes without its frame. */
static __attribute__((noinline)) int wait_turn(struct weft_task *self,
                                               struct weft_semaphore *semaphore)
{
    return weft__ctx_return(park(self, semaphore));
}

int weft_semaphore_acquire(weft_semaphore *semaphore)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (weft_semaphore_try_acquire(semaphore)) {
        weft__sync_turn(self);
        return 0;
    }
    return wait_turn(self, semaphore);
}

int weft_semaphore_release(weft_semaphore *semaphore)
{
    if (weft__waitq_wake_one(&semaphore->queue, 0)) {
        semaphore->waiting--;
        return 0;
    }
    if (semaphore->permits == semaphore->most)
        return weft__fail(-EOVERFLOW, "release of a semaphore whose %zu permits are all free",
                          semaphore->most);
    semaphore->permits++;
    return 0;
}

size_t weft_semaphore_available(const weft_semaphore *semaphore)
{
    return semaphore->permits;
}

size_t weft_semaphore_waiting(const weft_semaphore *semaphore)
{
    return semaphore->waiting;
}

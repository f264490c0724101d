/*
 * condition.c - waiting for a change of what a mutex protects.
 *
 * A waiter goes from the condition's queue to the mutex's, never anywhere in between: a
 * notified one because whoever notifies holds the mutex, a cancelled one because it must
 * return with it.  From then on it cannot be cancelled, so a notification is never lost and
 * the mutex is always locked again when the call returns.
 */
#include <errno.h>

#include "base/alloc.h"
#include "sync/sync_int.h"

struct weft_condition {
    weft_mutex *mutex;
    struct weft__list queue;
};

struct waiter {
    struct weft__waiter base;
    weft_mutex *mutex;
    int result; /* once the mutex is locked again */
};

int weft_condition_new(weft_mutex *mutex, weft_condition **ret)
{
    weft_condition *condition = weft__alloc(sizeof *condition);
    if (condition == NULL)
        return weft__fail_nomem();
    condition->mutex = mutex;
    weft__list_init(&condition->queue);
    *ret = condition;
    return 0;
}

void weft_condition_free(weft_condition *condition)
{
    weft__free(condition);
}

/* The waiter is in no queue. */
static void lock_again(struct waiter *waiter, int result)
{
    waiter->result = result;
    waiter->base.wait.cancel = NULL;
    waiter->base.wait.what = "condition's mutex";
    weft__mutex_pass(waiter->mutex, &waiter->base);
}

static void cancelled(struct weft__wait *wait, int code)
{
    struct waiter *waiter = WEFT__CONTAINER(wait, struct waiter, base.wait);
    weft__list_remove(&waiter->base.node);
    lock_again(waiter, code);
}

static int check_owner(const weft_condition *condition, const struct weft_task *self)
{
    if (self == NULL)
        return weft__context_get()->error_code;
    if (condition->mutex->owner != self)
        return weft__fail(-EPERM, "task '%s' has not locked the condition's mutex",
                          weft_task_name(self));
    return 0;
}

int weft_condition_wait(weft_condition *condition)
{
    struct weft_task *self = weft__self();
    int err = check_owner(condition, self);
    if (err < 0)
        return err;
    err = weft__checkpoint(self);
    if (err < 0)
        return err;
    struct waiter waiter = {
        .base.wait = {.cancel = cancelled, .what = "condition"},
        .mutex = condition->mutex,
    };
    weft__list_push_back(&condition->queue, &waiter.base.node);
    weft__mutex_give_up(condition->mutex);
    if (weft__park(self, &waiter.base.wait) == -EOWNERDEAD)
        return weft__mutex_dead();
    return waiter.result == -ECANCELED ? weft__cancel_error(self) : waiter.result;
}

int weft_condition_notify(weft_condition *condition, size_t n)
{
    int err = check_owner(condition, weft__self());
    if (err < 0)
        return err;
    for (; n > 0; n--) {
        struct weft__list *node = weft__list_pop_front(&condition->queue);
        if (node == NULL)
            break;
        lock_again(WEFT__CONTAINER(node, struct waiter, base.node), 0);
    }
    return 0;
}

int weft_condition_notify_all(weft_condition *condition)
{
    return weft_condition_notify(condition, SIZE_MAX);
}

/*
 * promise.c - a value that one party, on whatever thread, gives once, and others wait for.
 *
 * The lock guards the list of waiters and the way from not set to set; after that nothing
 * changes any more.  A waiter on another thread is told by a message to its loop.  It leaves
 * the list under the lock: by being cancelled, or by being sent its message, after which it
 * waits for that and for nothing else.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <weft/channel.h>

#include "base/alloc.h"
#include "sync/sync_int.h"

struct weft_promise {
    atomic_int refs;
    atomic_bool set;
    pthread_mutex_t lock;
    struct weft__list waiters;
    void *value;
    int error;
    char *message;
};

struct waiter {
    struct weft__wait wait;
    struct weft__post post;
    struct weft__list node;
    struct weft__inbox *inbox;
    struct weft_promise *promise;
};

int weft_promise_new(weft_promise **ret)
{
    weft_promise *promise = weft__calloc(1, sizeof *promise);
    if (promise == NULL)
        return weft__fail_nomem();
    atomic_init(&promise->refs, 1);
    pthread_mutex_init(&promise->lock, NULL);
    weft__list_init(&promise->waiters);
    *ret = promise;
    return 0;
}

weft_promise *weft_promise_ref(weft_promise *promise)
{
    atomic_fetch_add_explicit(&promise->refs, 1, memory_order_relaxed);
    return promise;
}

void weft_promise_unref(weft_promise *promise)
{
    if (promise == NULL || atomic_fetch_sub(&promise->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&promise->lock);
    weft__free(promise->message);
    weft__free(promise);
}

/* A message that cannot be had for want of memory is left out. */
static int settle(struct weft_promise *promise, void *value, int error, const char *message)
{
    char *copy = NULL;
    if (message != NULL)
        copy = weft__strndup(message, strnlen(message, WEFT__ERROR_TEXT_MAX - 1));
    struct weft__inbox *own = weft__loop_current != NULL ? weft__loop_current->inbox : NULL;
    pthread_mutex_lock(&promise->lock);
    if (atomic_load_explicit(&promise->set, memory_order_relaxed)) {
        pthread_mutex_unlock(&promise->lock);
        weft__free(copy);
        return weft__fail(-EALREADY, "the promise was set before");
    }
    promise->value = value;
    promise->error = error;
    promise->message = copy;
    atomic_store_explicit(&promise->set, true, memory_order_release);
    struct weft__list *node;
    while ((node = weft__list_pop_front(&promise->waiters)) != NULL) {
        struct waiter *waiter = WEFT__CONTAINER(node, struct waiter, node);
        if (waiter->inbox == own)
            weft__wake(waiter->wait.task, 0);
        else
            weft__inbox_post(waiter->inbox, &waiter->post);
    }
    pthread_mutex_unlock(&promise->lock);
    return 0;
}

int weft_promise_set(weft_promise *promise, void *value)
{
    return settle(promise, value, 0, NULL);
}

int weft_promise_set_error(weft_promise *promise, int code, const char *message)
{
    if (code >= 0)
        return weft__fail(-EINVAL, "%d is not an error for a promise", code);
    return settle(promise, NULL, code, message);
}

bool weft_promise_is_set(const weft_promise *promise)
{
    return atomic_load_explicit(&promise->set, memory_order_acquire);
}

static int result_of(const struct weft_promise *promise, void **ret)
{
    if (promise->error < 0)
        return promise->message != NULL ? weft__fail(promise->error, "%s", promise->message)
                                        : weft__fail_code(promise->error);
    if (ret != NULL)
        *ret = promise->value;
    return 0;
}

static void cancelled(struct weft__wait *wait, int code)
{
    struct waiter *waiter = WEFT__CONTAINER(wait, struct waiter, wait);
    pthread_mutex_lock(&waiter->promise->lock);
    bool listed = !weft__list_is_empty(&waiter->node);
    weft__list_remove(&waiter->node);
    pthread_mutex_unlock(&waiter->promise->lock);
    if (listed)
        weft__wake(wait->task, code);
}

static void arrived(struct weft__post *post)
{
    weft__wake(WEFT__CONTAINER(post, struct waiter, post)->wait.task, 0);
}

/* 0 once it is set: at once, or when the waiter has been woken. */
static int wait_until_set(struct weft_promise *promise, struct weft_task *self)
{
    struct waiter waiter = {
        .wait = {.cancel = cancelled, .task = self, .what = "promise"},
        .post.fn = arrived,
        .inbox = self->loop->inbox,
        .promise = promise,
    };
    weft__list_init(&waiter.node);
    pthread_mutex_lock(&promise->lock);
    bool set = weft_promise_is_set(promise);
    if (!set)
        weft__list_push_back(&promise->waiters, &waiter.node);
    pthread_mutex_unlock(&promise->lock);
    if (set)
        return 0;
    /* Another thread knows the loop now, perhaps: that nothing else happens is no deadlock. */
    weft__inbox_ref(waiter.inbox);
    int err = (int)weft__park(self, &waiter.wait);
    weft__inbox_unref(waiter.inbox);
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

int weft_promise_wait(weft_promise *promise, void **ret)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (weft_promise_is_set(promise)) {
        weft__sync_turn(self);
        return result_of(promise, ret);
    }
    /* Whoever sets it may drop the last other reference before this task runs again. */
    weft_promise_ref(promise);
    err = wait_until_set(promise, self);
    if (err == 0)
        err = result_of(promise, ret);
    weft_promise_unref(promise);
    return err;
}

/*
 * channel_shared.c - waiting at channels whose ends are on several threads.
 *
 * Queues, items and ends are those of channel.c, under one lock.  A call that waits belongs to
 * the loop of its task: another thread completes it under the lock, copying the item, and then
 * sends it a message.  Cancellation takes it out of its queues under the lock, unless it has
 * been completed: then it waits for the message, and for nothing else.
 */
#include <errno.h>

#include "sync/channel_int.h"

pthread_mutex_t weft__channels_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The child of a fork may free its ends, whatever the parent's other threads were doing. */
static void before_fork(void)
{
    pthread_mutex_lock(&weft__channels_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&weft__channels_lock);
}

static void prepare(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

void weft__channels_prepare(void)
{
    pthread_once(&once, prepare);
}

static void arrived(struct weft__post *post)
{
    struct weft__choice *choice = WEFT__CONTAINER(post, struct weft__choice, post);
    weft__wake(choice->wait.task, choice->result);
}

void weft__choice_wake_shared(struct weft__choice *choice, int result)
{
    const struct weft__loop *own = weft__loop_current;
    choice->result = result;
    if (own != NULL && own->inbox == choice->inbox)
        weft__wake(choice->wait.task, result);
    else
        weft__inbox_post(choice->inbox, &choice->post);
}

static void cancelled(struct weft__wait *wait, int code)
{
    struct weft__choice *choice = WEFT__CONTAINER(wait, struct weft__choice, wait);
    pthread_mutex_lock(&weft__channels_lock);
    bool waiting = choice->chosen == NULL;
    if (waiting)
        weft__choice_leave(choice);
    pthread_mutex_unlock(&weft__channels_lock);
    if (waiting)
        weft__wake(wait->task, code);
}

void weft__choice_share(struct weft_task *self, struct weft__choice *choice)
{
    choice->wait.cancel = cancelled;
    choice->inbox = self->loop->inbox;
    choice->chosen = NULL;
    choice->shared = true;
    choice->post.fn = arrived;
}

int weft__choice_park_shared(struct weft_task *self, struct weft__choice *choice)
{
    struct weft__inbox *inbox = choice->inbox;
    pthread_mutex_unlock(&weft__channels_lock);
    /* Another thread knows the loop now, perhaps: that nothing else happens is no deadlock. */
    weft__inbox_ref(inbox);
    int err = (int)weft__park(self, &choice->wait);
    weft__inbox_unref(inbox);
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

int weft__channel_call_shared(struct weft_task *self, struct weft__end *end, void *item,
                              bool sending)
{
    struct weft__channel *channel = end->channel;
    struct weft__choice choice = {0};
    struct weft__operation operation = {.choice = &choice, .end = end, .item = item};
    choice.wait.what = sending ? "shared channel to send" : "shared channel to receive";
    choice.single = &operation;
    pthread_mutex_lock(&weft__channels_lock);
    int err = sending ? weft__channel_try_send(end, item) : weft__channel_try_receive(end, item);
    if (err != -EAGAIN) {
        pthread_mutex_unlock(&weft__channels_lock);
        weft__sync_turn(self);
        return err;
    }
    weft__choice_share(self, &choice);
    weft__list_push_back(sending ? &channel->senders : &channel->receivers, &operation.node);
    err = weft__choice_park_shared(self, &choice);
    return err < 0 ? weft__channel_woken(err) : 0;
}

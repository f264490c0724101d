/* channel_int.h - channels as select sees them. */
#ifndef WEFT_SYNC_CHANNEL_INT_H
#define WEFT_SYNC_CHANNEL_INT_H

#include <pthread.h>

#include <weft/channel.h>

#include "sync/items.h"
#include "sync/sync_int.h"

struct weft__channel {
    struct weft__list senders; /* operations that wait */
    struct weft__list receivers;
    size_t n_senders; /* open ends */
    size_t n_receivers;
    struct weft__items items;
    size_t n_ends; /* and those closed, but not freed */
    size_t peak;
    void (*drop)(void *item, void *userdata);
    void *userdata;
    bool shared; /* used from several threads, under weft__channels_lock */
};

/*
 * Of all shared channels: a select may wait for several of them, and whoever completes one of
 * its operations takes the others out of their queues.
 */
extern pthread_mutex_t weft__channels_lock;

static inline void weft__channel_lock(const struct weft__channel *channel)
{
    if (__builtin_expect(channel->shared, 0))
        pthread_mutex_lock(&weft__channels_lock);
}

static inline void weft__channel_unlock(const struct weft__channel *channel)
{
    if (__builtin_expect(channel->shared, 0))
        pthread_mutex_unlock(&weft__channels_lock);
}

/* weft_sender and weft_receiver. */
struct weft__end {
    struct weft__channel *channel;
    bool closed;
    bool shared; /* as the channel is */
    bool plain;  /* neither; of a shared one it never changes, so that no lock is needed to look */
};

struct weft_sender {
    struct weft__end end;
};

struct weft_receiver {
    struct weft__end end;
};

/* One call that waits: for one operation, or for the first of several. */
struct weft__choice {
    struct weft__wait wait;
    struct weft__operation *chosen;
    struct weft__operation *single; /* of a plain call */
    weft_select_case *cases;        /* of a select: one is chosen, all leave their queues */
    size_t n_cases;
    bool shared;               /* it may be completed by another thread, which sends post */
    struct weft__inbox *inbox; /* if shared: of its task's loop */
    struct weft__post post;
    int result;
};

struct weft__operation {
    struct weft__list node;
    struct weft__choice *choice;
    struct weft__end *end;
    void *item; /* a receiver's; a sender's is only read */
};

/* 0, -EAGAIN without a message, or an error with one. */
int weft__channel_try_send(struct weft__end *end, const void *item);
int weft__channel_try_receive(struct weft__end *end, void *ret);
/* Takes every operation of a call out of its queue. */
void weft__choice_leave(struct weft__choice *choice);
/* Sets the message for the code that an operation was woken with, and returns it. */
int weft__channel_woken(int code);
/* Parks; the operations are in their queues. */
int weft__choice_park(struct weft_task *self, struct weft__choice *choice);

/* ---- shared channels: channel_shared.c ---- */

/* Before there is one. */
void weft__channels_prepare(void);
/* Before the operations are in their queues; with the lock. */
void weft__choice_share(struct weft_task *self, struct weft__choice *choice);
/* As weft__choice_park. Gives the lock back. */
int weft__choice_park_shared(struct weft_task *self, struct weft__choice *choice);
/* The call has been completed, by this thread or another one; with the lock. */
void weft__choice_wake_shared(struct weft__choice *choice, int result);
/* Sends or receives, and waits if need be. */
int weft__channel_call_shared(struct weft_task *self, struct weft__end *end, void *item,
                              bool sending);

#endif

/* channel_int.h - channels as select sees them. */
#ifndef WEFT_SYNC_CHANNEL_INT_H
#define WEFT_SYNC_CHANNEL_INT_H

#include <weft/channel.h>

#include "sync/items.h"
#include "sync/sync_int.h"

struct weft__channel {
    struct weft__items items;
    struct weft__list senders; /* operations that wait */
    struct weft__list receivers;
    size_t n_senders; /* open ends */
    size_t n_receivers;
    size_t n_ends; /* and those closed, but not freed */
    size_t peak;
    void (*drop)(void *item, void *userdata);
    void *userdata;
};

/* weft_sender and weft_receiver. */
struct weft__end {
    struct weft__channel *channel;
    bool closed;
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

#endif

/* sync_int.h - what the primitives share. */
#ifndef WEFT_SYNC_SYNC_INT_H
#define WEFT_SYNC_SYNC_INT_H

#include <weft/sync.h>

#include "run/run_int.h"

struct weft_mutex {
    struct weft__held held; /* in the owner's list while there is one */
    struct weft_task *owner;
    struct weft__list queue;
    bool broken; /* an owner ended without unlocking it */
};

/* Makes the waiter the owner, now or in its turn: woken with 0, or with -EOWNERDEAD. */
void weft__mutex_pass(struct weft_mutex *mutex, struct weft__waiter *waiter);
/* By the owner. The first that waits has it next. */
void weft__mutex_give_up(struct weft_mutex *mutex);
int weft__mutex_dead(void);

/*
 * The end of a call that did not have to wait: a task that never has to must not keep the
 * others, and I/O, from their turn.
 */
static inline void weft__sync_turn(struct weft_task *self)
{
    weft__loop_spend(self->loop, 1);
    if (__builtin_expect(self->loop->budget <= 0, 0))
        weft__yield(self);
}

#endif

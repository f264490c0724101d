/* testing.c - for tests: cancelling at a checkpoint, waiting until all are blocked, turns. */
#include <assert.h>
#include <errno.h>

#include <weft/testing.h>

#include "base/list.h"
#include "run/run_int.h"

/* ---- checkpoints ---- */

void weft_testing_cancel_at(weft_scope *scope, uint64_t nth)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return;
    loop->n_checkpoints = 0;
    loop->cancel_at = nth != 0 ? nth : UINT64_MAX;
    loop->cancel_at_scope = (struct weft__scope *)(void *)scope;
}

uint64_t weft_testing_checkpoint_count(void)
{
    return weft__loop_current != NULL ? weft__loop_current->n_checkpoints : 0;
}

int weft_testing_expect_checkpoints(weft_fn fn, void *arg, bool expected)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    struct weft__loop *loop = self->loop;
    const struct weft_task *watched = loop->watched;
    uint64_t n_watched = loop->n_watched;
    bool counted = loop->cancel_at != 0;
    loop->watched = self;
    loop->n_watched = 0;
    if (!counted)
        loop->cancel_at = UINT64_MAX;
    int result = fn(arg);
    bool passed = loop->n_watched > 0;
    if (!counted)
        loop->cancel_at = 0;
    loop->watched = watched;
    loop->n_watched = watched == self ? n_watched + loop->n_watched : n_watched;
    if (passed == expected)
        return result;
    return weft__fail(-EPROTO, passed ? "a checkpoint where none should be"
                                      : "no checkpoint where one should be");
}

/* ---- waiting until all are blocked ---- */

static bool others_are_ready(const struct weft__loop *loop)
{
    size_t n = 0;
    for (const struct weft_task *task = loop->ready_first; task != NULL; task = task->next_ready) {
        if (++n > loop->n_idlers)
            return true;
    }
    return false;
}

/* The others, and what the kernel has for them, get their turn first. */
static int yield_idle(struct weft_task *self)
{
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    self->loop->n_idlers++;
    self->loop->budget = 0;
    weft__yield(self);
    self->loop->n_idlers--;
    return weft__checkpoint(self);
}

int weft_testing_wait_all_blocked(int64_t cushion)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    struct weft__loop *loop = self->loop;
    /* What was put off is sent in the first quiet turn, and what that sets off seen in the next. */
    for (int quiet = 0;;) {
        int err = yield_idle(self);
        if (err < 0)
            return err;
        quiet = others_are_ready(loop) ? 0 : quiet + 1;
        if (quiet < 2)
            continue;
        if (cushion <= 0)
            return 0;
        uint64_t turns = loop->n_busy_turns;
        err = weft_sleep(cushion);
        if (err < 0)
            return err;
        if (loop->n_busy_turns == turns + 1 && !others_are_ready(loop))
            return 0;
        quiet = 0;
    }
}

/* ---- turns ---- */

struct sequencer {
    struct weft__list waiters;
    uint64_t next;
    bool entered;
    bool broken;
};

static_assert(sizeof(struct sequencer) <= sizeof(weft_testing_sequencer),
              "weft_testing_sequencer is too small");

static struct sequencer *sequencer_of(weft_testing_sequencer *sequencer)
{
    struct sequencer *self = (struct sequencer *)(void *)sequencer;
    if (self->waiters.next == NULL)
        weft__list_init(&self->waiters);
    return self;
}

static int sequencer_break(struct sequencer *self, int err)
{
    self->broken = true;
    weft__waitq_wake_all(&self->waiters, 0);
    return err;
}

int weft_testing_sequencer_enter(weft_testing_sequencer *sequencer, uint64_t position)
{
    struct sequencer *self = sequencer_of(sequencer);
    struct weft_task *task = weft__self();
    int err = task != NULL ? weft__checkpoint(task) : weft__context_get()->error_code;
    if (err < 0)
        return sequencer_break(self, err);
    if (position < self->next || (position == self->next && self->entered))
        return weft__fail(-EINVAL, "position %llu of the sequence was taken",
                          (unsigned long long)position);
    while (!self->broken && (self->next != position || self->entered)) {
        struct weft__waiter waiter;
        err = (int)weft__waitq_wait(&self->waiters, &waiter, "turn");
        if (err < 0)
            return sequencer_break(self, err);
    }
    if (self->broken)
        return weft__fail(-EPIPE, "a turn before position %llu was cancelled",
                          (unsigned long long)position);
    self->entered = true;
    return 0;
}

void weft_testing_sequencer_exit(weft_testing_sequencer *sequencer)
{
    struct sequencer *self = sequencer_of(sequencer);
    assert(self->entered);
    self->entered = false;
    self->next++;
    weft__waitq_wake_all(&self->waiters, 0);
}

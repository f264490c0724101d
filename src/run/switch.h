/*
 * switch.h - parking and waking, inline, for the few places where each nanosecond counts; all
 * others call weft__park, weft__wake and weft__yield.
 *
 * A call that has waited returns by weft__ctx_return where its caller is likely another function
 * than the caller of the task that ran before it: see there.
 */
#ifndef WEFT_RUN_SWITCH_H
#define WEFT_RUN_SWITCH_H

#include <assert.h>
#include <errno.h>

#include "run/run_int.h"

/* Scheduler internals: sched.c. */
void weft__pick_specially(struct weft__loop *loop);
void weft__native_wait(struct weft__loop *loop);
void weft__count_checkpoint(struct weft_task *self);

static inline void weft__ready_back(struct weft__loop *loop, struct weft_task *task)
{
    task->state = TASK_READY;
    task->next_ready = NULL;
    if (loop->ready_last != NULL)
        loop->ready_last->next_ready = task;
    else
        loop->ready_first = task;
    loop->ready_last = task;
}

/* The next task to run; NULL when none is ready or I/O is due. */
static inline struct weft_task *weft__pick(struct weft__loop *loop)
{
    if (loop->budget <= 0 || loop->ready_first == NULL)
        return NULL;
    loop->budget--;
    /* What is not done in everyday life. */
    if (__builtin_expect(loop->special != 0, 0))
        weft__pick_specially(loop);
    struct weft_task *task = loop->ready_first;
    loop->ready_first = task->next_ready;
    if (loop->ready_first == NULL)
        loop->ready_last = NULL;
    return task;
}

/*
 * The running task, if a call that need not wait has nothing to look at besides its own
 * business: no cancellation, test, seed or trace, and no turn that is over.  Else NULL.
 */
static inline struct weft_task *weft__self_undisturbed(void)
{
    if (__builtin_expect(weft__loop_current == NULL, 0))
        return NULL;
    struct weft_task *self = (struct weft_task *)weft__context;
    const struct weft__loop *loop = self->loop;
    if (__builtin_expect((loop->cancel_at | loop->special) != 0 || self->cancelled, 0))
        return NULL;
    return __builtin_expect(loop->budget > 1, 1) ? self : NULL;
}

/* Somebody has switched here. */
static inline void weft__resumed(struct weft__loop *loop)
{
    if (__builtin_expect(loop->zombie != NULL, 0))
        weft__reap(loop);
}

/* Continues in another context; returns when somebody switches back to from. */
static inline __attribute__((always_inline)) void weft__switch_to(struct weft_task *from,
                                                                  struct weft_task *to)
{
    weft__context = &to->context;
    weft__ctx_switch(&from->ctx, &to->ctx);
    weft__resumed(from->loop);
}

/* Whose context continues: a ready task's, or the native one for the scheduler's work. */
static inline struct weft_task *weft__next_context(struct weft__loop *loop)
{
    struct weft_task *next = weft__pick(loop);
    if (__builtin_expect(next == NULL, 0))
        return &loop->native;
    next->state = TASK_RUNNING;
    if (__builtin_expect(next == &loop->native, 0))
        loop->native_resumed = true;
    return next;
}

/* Runs others until self, which is parked or in the ready queue, has its turn again. */
static inline __attribute__((always_inline)) void weft__switch_away(struct weft_task *self)
{
    struct weft__loop *loop = self->loop;
    int saved = *loop->errno_at;
    if (__builtin_expect(self == &loop->native, 0)) {
        weft__native_wait(loop);
    } else {
        struct weft_task *next = weft__next_context(loop);
        if (next != self)
            weft__switch_to(self, next);
    }
    *self->loop->errno_at = saved;
}

/* weft__park. */
static inline __attribute__((always_inline)) int64_t weft__park_here(struct weft_task *self,
                                                                     struct weft__wait *wait)
{
    assert(self->state == TASK_RUNNING);
    wait->task = self;
    self->wait = wait;
    self->state = TASK_PARKED;
    self->parked_at = self->loop->now;
    if (__builtin_expect(self->loop->cancel_at != 0, 0) && wait->cancel != NULL)
        weft__count_checkpoint(self);
    weft__switch_away(self);
    return self->wake_value;
}

/* weft__wake. */
static inline void weft__wake_here(struct weft_task *task, int64_t value)
{
    struct weft__loop *loop = task->loop;
    assert(task->state == TASK_PARKED);
    task->wake_value = value;
    if (__builtin_expect(loop->tracing, 0))
        weft__trace_scheduled(task);
    weft__ready_back(loop, task);
}

/* Of a waiter that was not woken yet. */
void weft__waitq_cancel(struct weft__wait *wait, int code);

/* weft__waitq_park. */
static inline __attribute__((always_inline)) int64_t
weft__waitq_park_here(struct weft_task *self, struct weft__list *queue, struct weft__waiter *waiter,
                      const char *what)
{
    waiter->wait.cancel = weft__waitq_cancel;
    waiter->wait.what = what;
    weft__list_push_back(queue, &waiter->node);
    int64_t value = weft__park_here(self, &waiter->wait);
    if (__builtin_expect(value == -ECANCELED, 0))
        return weft__cancel_error(self);
    return value;
}

/* weft__yield. */
static inline __attribute__((always_inline)) void weft__yield_here(struct weft_task *self)
{
    weft__ready_back(self->loop, self);
    weft__switch_away(self);
}

#endif

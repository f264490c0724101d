/*
 * sched.c - the scheduler: the ready queue, parking and waking, and the native task's wait.
 *
 * A task that parks switches straight to the next ready one.  When there is none, or when
 * enough tasks have run for I/O to get its turn, control goes to the native stack, which polls
 * the back end.  The native task itself sits in the ready queue like any other when it is
 * woken; taking it from the queue means switching to the native stack with native_resumed set.
 */
#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "run/run_int.h"
#include "run/switch.h"

static inline void ready_front(struct weft__loop *loop, struct weft_task *task)
{
    task->state = TASK_FIRST;
    task->next_ready = loop->ready_first;
    loop->ready_first = task;
    if (loop->ready_last == NULL)
        loop->ready_last = task;
}

/* Parents at the front have had their share: those behind them come first now. */
static void requeue_parents(struct weft__loop *loop)
{
    struct weft_task *task = loop->ready_first;
    if (task == NULL || task->state != TASK_FIRST)
        return;
    struct weft_task *last_parent = task;
    while (last_parent->next_ready != NULL && last_parent->next_ready->state == TASK_FIRST)
        last_parent = last_parent->next_ready;
    if (last_parent->next_ready == NULL)
        return;
    loop->ready_first = last_parent->next_ready;
    loop->ready_last->next_ready = task;
    loop->ready_last = last_parent;
    last_parent->next_ready = NULL;
    for (; task != NULL; task = task->next_ready)
        task->state = TASK_READY;
}

/* With a seed, one of the first few is drawn, so that no order is relied upon. */
static __attribute__((noinline)) void shuffle_front(struct weft__loop *loop)
{
    size_t window = 0;
    for (const struct weft_task *task = loop->ready_first; task != NULL && window < 16;
         task = task->next_ready)
        window++;
    if (window < 2)
        return;
    uint64_t pick = weft__rand_below(weft__rand_next(&loop->rand), window);
    if (pick == 0)
        return;
    struct weft_task *before = loop->ready_first;
    for (uint64_t i = 1; i < pick; i++)
        before = before->next_ready;
    struct weft_task *picked = before->next_ready;
    before->next_ready = picked->next_ready;
    if (loop->ready_last == picked)
        loop->ready_last = before;
    picked->next_ready = loop->ready_first;
    loop->ready_first = picked;
}

__attribute__((noinline)) void weft__pick_specially(struct weft__loop *loop)
{
    if (loop->seed != 0)
        shuffle_front(loop);
    if (loop->tracing != 0)
        weft__trace_step(loop, loop->ready_first);
}

static __attribute__((noinline)) void give_stack(struct weft__loop *loop, struct weft_task *task)
{
    /* The task's own struct lies on the stack that is given back. */
    struct weft__stack stack = task->stack;
    weft__stack_give(&loop->stacks, &stack);
}

void weft__free_tasks_done(struct weft__loop *loop)
{
    while (loop->free_tasks != NULL) {
        struct weft_task *task = loop->free_tasks;
        loop->free_tasks = task->next_ready;
        give_stack(loop, task);
    }
    loop->n_free_tasks = 0;
}

__attribute__((noinline)) void weft__reap(struct weft__loop *loop)
{
    while (loop->zombie == &loop->native)
        weft__visited(loop);
    struct weft_task *zombie = loop->zombie;
    if (zombie == NULL)
        return;
    loop->zombie = NULL;
#if WEFT__TSAN
    __tsan_destroy_fiber(zombie->ctx.fiber.tsan);
#endif
    if (zombie->stack.size == loop->default_stack && loop->n_free_tasks < WEFT__FREE_TASKS) {
        zombie->next_ready = loop->free_tasks;
        loop->free_tasks = zombie;
        loop->n_free_tasks++;
    } else {
        give_stack(loop, zombie);
    }
}

static void new_budget(struct weft__loop *loop)
{
    loop->n_turns += (uint64_t)(WEFT__LIMIT_READY_BUDGET - loop->budget);
    loop->budget = WEFT__LIMIT_READY_BUDGET;
}

static void poll_backend(struct weft__loop *loop, int64_t timeout)
{
    loop->debug.n_polls++;
    if (loop->tracing != 0)
        weft__trace_poll(loop, true, timeout);
    loop->backend->poll(loop, timeout);
    if (loop->tracing != 0)
        weft__trace_poll(loop, false, timeout);
}

/* In each round one at least has left the queue before it: nearer the front than then, or it has run. */
static bool was_passed(struct weft__loop *loop)
{
    struct weft_task *task = loop->ready_first;
    for (size_t n = 0; n < loop->n_before_passed && task != NULL; n++, task = task->next_ready) {
        if (task == loop->passed) {
            loop->n_before_passed = n;
            return true;
        }
    }
    loop->n_before_passed = 0;
    return false;
}

/*
 * Those whose time has come go before those that are ready: behind a hundred tasks that hand work to
 * threads they would be late by milliseconds.  But few do in one round, and nobody is passed again
 * before he has run: tasks that sleep for moments only keep no other from its turn.
 */
static void fire_timers(struct weft__loop *loop)
{
    enum { PASSING_MAX = WEFT__LIMIT_READY_BUDGET / 4 };
    struct weft_task *first = loop->ready_first;
    struct weft_task *last = loop->ready_last;
    if (first != NULL && !was_passed(loop)) {
        loop->ready_first = NULL;
        loop->ready_last = NULL;
        weft__timers_fire(&loop->timers, loop->now, PASSING_MAX);
        for (struct weft_task *task = loop->ready_first; task != NULL; task = task->next_ready)
            loop->n_before_passed++;
        if (loop->ready_last != NULL)
            loop->ready_last->next_ready = first;
        else
            loop->ready_first = first;
        loop->passed = first;
        loop->ready_last = last;
    }
    weft__timers_fire(&loop->timers, loop->now, SIZE_MAX);
}

/* How long the loop may sleep, if nothing is posted; -1: nothing can ever wake it. */
static int64_t time_to_sleep(struct weft__loop *loop)
{
    int64_t next = weft__timers_next(&loop->timers);
    if (next == WEFT_FOREVER)
        return loop->n_pending == 0 && weft__inbox_is_forsaken(loop->inbox) ? -1 : WEFT_FOREVER;
    int64_t timeout = next - weft__loop_now(loop);
    return timeout < 0 ? 0 : timeout;
}

/*
 * A job of a worker is often over in less time than it takes to fall asleep and be woken.  What
 * tasks have begun goes to the kernel before.  The round that follows such a look does all anew that
 * comes before a sleep: the poll may have taken the wake-up of a signal, and time has passed.
 */
static bool look_for_post(struct weft__loop *loop, int64_t timeout)
{
    size_t n_others = weft__inbox_others(loop->inbox);
    if (timeout < WEFT__SPIN_TIME || n_others == 0 || loop->backend->kind == WEFT_BACKEND_VIRTUAL ||
        !weft__spin_is_due(&loop->spin, n_others))
        return false;
    poll_backend(loop, 0);
    if (loop->ready_first != NULL)
        return true;
    bool came = weft__inbox_look(loop->inbox);
    weft__spin_tried(&loop->spin, came);
    loop->looked = !came;
    return true;
}

static void poll_once(struct weft__loop *loop)
{
    bool looked = loop->looked;
    loop->looked = false;
    if (__builtin_expect(loop->forked, 0))
        weft__forked_poll();
    if (loop->interrupt_scope != NULL)
        weft__interrupt_take(loop);
    if (loop->tracing != 0)
        weft__trace_step(loop, &loop->native);
    weft__loop_flush(loop);
    bool posted = weft__inbox_run(loop->inbox);
    int64_t timeout = 0;
    if (loop->ready_first == NULL && !posted)
        timeout = time_to_sleep(loop);
    if (timeout < 0) {
        weft__deadlock(loop);
        new_budget(loop);
        return;
    }
    /* Nothing can have happened where nothing is under way. */
    if (timeout != 0 ? looked || !look_for_post(loop, timeout) : loop->n_pending > 0)
        poll_backend(loop, timeout);
    weft__inbox_run(loop->inbox);
    loop->now = weft__loop_now(loop);
    if (loop->budget <= 0)
        requeue_parents(loop);
    fire_timers(loop);
    loop->n_busy_turns += loop->ready_first != NULL;
    new_budget(loop);
}

/* The scheduler proper: runs others until the native task has been taken from the queue. */
__attribute__((noinline)) void weft__native_wait(struct weft__loop *loop)
{
    struct weft_task *native = &loop->native;
    for (;;) {
        if (loop->native_resumed)
            break;
        struct weft_task *next = weft__pick(loop);
        if (next == NULL) {
            weft__context = &native->context;
            poll_once(loop);
        } else if (next == native) {
            break;
        } else {
            next->state = TASK_RUNNING;
            weft__switch_to(native, next);
        }
    }
    loop->native_resumed = false;
    native->state = TASK_RUNNING;
    weft__context = &native->context;
}

/* The child runs now; its parent is the first to continue. */
void weft__start_child(struct weft_task *self, struct weft_task *child)
{
    struct weft__loop *loop = self->loop;
    if (__builtin_expect(loop->special != 0, 0)) {
        if (loop->tracing != 0)
            weft__trace_spawned(child, self);
        /* Between tasks, in a message, there is none to continue with afterwards. */
        if (loop->seed != 0 || self->state != TASK_RUNNING) {
            weft__ready_back(loop, child);
            return;
        }
        if (loop->tracing != 0)
            weft__trace_step(loop, child);
    }
    /* A parent that spawns without end must let others have their turn. */
    if (loop->budget > 0) {
        loop->budget--;
        ready_front(loop, self);
    } else {
        loop->n_turns++;
        weft__ready_back(loop, self);
    }
    child->state = TASK_RUNNING;
    weft__context = &child->context;
    weft__ctx_enter(&self->ctx, &child->ctx);
    weft__resumed(loop);
    if (self == &loop->native)
        weft__native_wait(loop);
}

void *weft__task_exit(struct weft_task *task)
{
    struct weft__loop *loop = task->loop;
    task->state = TASK_DONE;
    loop->zombie = task;
    struct weft_task *next = weft__next_context(loop);
    weft__context = &next->context;
    return weft__ctx_end(&task->ctx, &next->ctx);
}

/* Cancellation for tests: at the nth checkpoint or wait, a scope is cancelled. */
__attribute__((noinline, cold)) void weft__count_checkpoint(struct weft_task *self)
{
    struct weft__loop *loop = self->loop;
    loop->n_checkpoints++;
    loop->n_watched += loop->watched == self;
    if (loop->cancel_at == 0 || loop->n_checkpoints != loop->cancel_at)
        return;
    struct weft__scope *scope = loop->cancel_at_scope;
    loop->cancel_at_scope = NULL;
    loop->cancel_at = 0;
    if (scope != NULL)
        weft__scope_cancel_code(scope, 0, "cancelled by the test");
}

int64_t weft__park(struct weft_task *self, struct weft__wait *wait)
{
    return weft__park_here(self, wait);
}

void weft__wake(struct weft_task *task, int64_t value)
{
    weft__wake_here(task, value);
}

void weft__yield(struct weft_task *self)
{
    weft__yield_here(self);
}

__attribute__((cold)) int weft__cancel_error(struct weft_task *self)
{
    if (self->loop->forked)
        return weft__fail_code(WEFT_EFORKED);
    for (const struct weft__scope *scope = self->scope; scope != NULL; scope = scope->parent) {
        if (scope->cancelled && scope->code == -ENOMEM)
            return weft__fail_nomem();
        if (scope->cancelled)
            return weft__fail(-ECANCELED, "cancelled%s%s%s%s%s", scope->reason != NULL ? ": " : "",
                              scope->reason != NULL ? scope->reason : "",
                              scope->by[0] != '\0' ? " (task '" : "", scope->by,
                              scope->by[0] != '\0' ? "')" : "");
    }
    return weft__fail_code(-ECANCELED);
}

int weft__checkpoint_slow(struct weft_task *self)
{
    struct weft__loop *loop = self->loop;
    if (loop->cancel_at != 0)
        weft__count_checkpoint(self);
    if (self->cancelled)
        return weft__cancel_error(self);
    return 0;
}

/* ---- queues of waiting tasks ---- */

void weft__waitq_cancel(struct weft__wait *wait, int code)
{
    struct weft__waiter *waiter = WEFT__CONTAINER(wait, struct weft__waiter, wait);
    /* A waiter that was already woken keeps what it was woken with. */
    if (weft__list_is_empty(&waiter->node))
        return;
    weft__list_remove(&waiter->node);
    weft__wake(wait->task, code);
}

int64_t weft__waitq_park(struct weft_task *self, struct weft__list *queue,
                         struct weft__waiter *waiter, const char *what)
{
    return weft__waitq_park_here(self, queue, waiter, what);
}

int64_t weft__waitq_wait(struct weft__list *queue, struct weft__waiter *waiter, const char *what)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    return weft__waitq_park(self, queue, waiter, what);
}

bool weft__waitq_wake_one(struct weft__list *queue, int64_t value)
{
    struct weft__list *node = weft__list_pop_front(queue);
    if (node == NULL)
        return false;
    weft__wake(WEFT__CONTAINER(node, struct weft__waiter, node)->wait.task, value);
    return true;
}

size_t weft__waitq_wake_all(struct weft__list *queue, int64_t value)
{
    size_t n = 0;
    while (weft__waitq_wake_one(queue, value))
        n++;
    return n;
}

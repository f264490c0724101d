/*
 * scope.c - cancellation: level-triggered, in trees.
 *
 * Scopes of one task form a stack (parent and inner); a group is a scope whose children begin
 * with it as their innermost scope.  Cancelling a scope goes down: through the scopes entered
 * inside it by the same task, and through the children of every group among them, stopping at
 * shields.  Each task reached gets its cancelled flag, the one thing a checkpoint looks at,
 * and its present wait is undone.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "run/run_int.h"

static_assert(sizeof(struct weft__scope) <= sizeof(weft_scope), "weft_scope is too small");

static struct weft__scope *scope_of(weft_scope *scope)
{
    return (struct weft__scope *)(void *)scope;
}

bool weft__scope_is_effective(const struct weft__loop *loop, const struct weft__scope *scope)
{
    if (loop->n_cancelled == 0)
        return false;
    if (loop->forked)
        return true;
    for (; scope != NULL; scope = scope->parent) {
        if (scope->cancelled)
            return true;
        if (scope->shield)
            return false;
    }
    return false;
}

/* Adds the children of a group to the work list. */
static void push_children(struct weft__group *group, struct weft_task **list)
{
    for (struct weft__list *node = group->children.next; node != &group->children;
         node = node->next) {
        struct weft_task *child = WEFT__CONTAINER(node, struct weft_task, sibling);
        if (child->in_cancel)
            continue;
        child->in_cancel = true;
        child->next_cancel = *list;
        *list = child;
    }
}

/* Cancels one task from a scope of its own inwards. */
static void deliver(struct weft_task *task, struct weft__scope *from, struct weft__scope *origin,
                    struct weft_task **list)
{
    for (struct weft__scope *scope = from; scope != NULL; scope = scope->inner) {
        if (scope->shield && scope != origin)
            return;
        if (scope->group != NULL)
            push_children(scope->group, list);
    }
    task->cancelled = true;
    if (task->state == TASK_PARKED && task->wait->cancel != NULL)
        task->wait->cancel(task->wait, -ECANCELED);
}

void weft__scope_cancel_code(struct weft__scope *scope, int code, const char *reason)
{
    if (scope->cancelled)
        return;
    struct weft_task *list = NULL;
    scope->cancelled = true;
    scope->code = code;
    scope->reason = reason;
    scope->task->loop->n_cancelled++;
    deliver(scope->task, scope, scope, &list);
    while (list != NULL) {
        struct weft_task *task = list;
        list = task->next_cancel;
        task->in_cancel = false;
        deliver(task, task->outermost, scope, &list);
    }
}

static void deadline_passed(struct weft__timer *timer)
{
    struct weft__scope *scope = WEFT__CONTAINER(timer, struct weft__scope, timer);
    weft__scope_cancel_code(scope, -ETIMEDOUT, "the deadline has passed");
}

static void arm(struct weft__scope *scope, int64_t timeout)
{
    struct weft__loop *loop = scope->task->loop;
    scope->timeout = timeout;
    if (timeout == WEFT_FOREVER) {
        weft__timer_stop(&loop->timers, &scope->timer);
        return;
    }
    int64_t when = weft__clock_add(weft__loop_now(loop), timeout < 0 ? 0 : timeout);
    if (weft__timer_start(&loop->timers, &scope->timer, when) < 0)
        weft__scope_cancel_code(scope, -ENOMEM, "no memory for a timer");
    else if (timeout <= 0)
        deadline_passed(&scope->timer);
}

void weft__scope_init(struct weft__scope *scope, struct weft_task *task, int64_t timeout)
{
    *scope = (struct weft__scope){
        .parent = task->scope,
        .task = task,
        .timeout = WEFT_FOREVER,
        .timer = {.fire = deadline_passed},
    };
    if (task->scope != NULL && task->scope->task == task)
        task->scope->inner = scope;
    else
        task->outermost = scope;
    task->scope = scope;
    if (timeout != WEFT_FOREVER)
        arm(scope, timeout);
}

/* Every scope entered after this one was left without its exit. */
static bool unwind_to(struct weft_task *task, struct weft__scope *scope)
{
    const struct weft__scope *at = task->scope;
    while (at != NULL && at != scope && at->task == task)
        at = at->parent;
    return at == scope;
}

/* The innermost scope was left without its exit: children that it still owns are joined. */
void weft__scope_abandon(struct weft_task *task)
{
    struct weft__scope *scope = task->scope;
    struct weft__group *group = scope->group;
    if (group != NULL && group->n_children > 0) {
        weft__scope_cancel_code(scope, 0, "the scope around their group was left");
        weft__group_join(group);
    }
    if (group != NULL) {
        group->ended = true;
        weft__error_done(&group->error);
    }
    weft__scope_leave(scope, 0);
}

int weft__scope_leave(struct weft__scope *scope, int err)
{
    struct weft_task *task = scope->task;
    struct weft__loop *loop = task->loop;
    if (task->scope != scope) {
        if (!unwind_to(task, scope))
            return weft__fail(WEFT_EMISNESTED, "task '%s' left a scope twice", task->name);
        while (task->scope != scope)
            weft__scope_abandon(task);
        err = weft__fail(WEFT_EMISNESTED, "task '%s' left a scope before the ones inside it",
                         task->name);
    }
    weft__timer_stop(&loop->timers, &scope->timer);
    task->scope = scope->parent;
    if (scope->parent != NULL && scope->parent->task == task)
        scope->parent->inner = NULL;
    else
        task->outermost = NULL;
    if (loop->n_cancelled == 0)
        return err;
    if (scope->cancelled)
        loop->n_cancelled--;
    task->cancelled = weft__scope_is_effective(loop, task->scope);
    if (!scope->cancelled || err != -ECANCELED || task->cancelled)
        return err;
    if (scope->code == -ETIMEDOUT)
        return weft__fail(-ETIMEDOUT, "timed out after %.6g s", (double)scope->timeout * 1e-9);
    if (scope->code < 0)
        return weft__fail_code(scope->code);
    return 0;
}

/* Where no loop can be made, the scope is a hollow one: nothing in it can block either. */
static bool enter(weft_scope *public_scope, int64_t timeout, struct weft__scope **ret)
{
    struct weft_task *self = weft__self();
    struct weft__scope *scope = scope_of(public_scope);
    if (self == NULL) {
        *scope = (struct weft__scope){0};
        return false;
    }
    weft__scope_init(scope, self, timeout);
    *ret = scope;
    return true;
}

void weft_scope_enter(weft_scope *public_scope, int64_t timeout)
{
    struct weft__scope *scope;
    enter(public_scope, timeout, &scope);
}

void weft_scope_enter_shield(weft_scope *public_scope, int64_t timeout)
{
    struct weft__scope *scope;
    if (!enter(public_scope, timeout == WEFT_FOREVER ? WEFT_SEC(60) : timeout, &scope))
        return;
    scope->shield = true;
    scope->task->cancelled = weft__scope_is_effective(scope->task->loop, scope);
}

int weft_scope_exit(weft_scope *public_scope, int err)
{
    struct weft__scope *scope = scope_of(public_scope);
    if (scope->task == NULL)
        return err;
    if (scope->task != weft__self())
        return weft__fail(WEFT_EMISNESTED, "a scope is left by the task that entered it, '%s'",
                          scope->task->name);
    return weft__scope_leave(scope, err);
}

void weft_scope_cancel(weft_scope *public_scope, const char *reason)
{
    struct weft__scope *scope = scope_of(public_scope);
    if (scope->task != NULL)
        weft__scope_cancel_code(scope, 0, reason);
}

void weft_scope_set_timeout(weft_scope *public_scope, int64_t timeout)
{
    struct weft__scope *scope = scope_of(public_scope);
    if (scope->task != NULL && !scope->cancelled)
        arm(scope, timeout);
}

bool weft_scope_is_cancelled(const weft_scope *public_scope)
{
    return ((const struct weft__scope *)(const void *)public_scope)->cancelled;
}

int64_t weft_remaining(void)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return WEFT_FOREVER;
    int64_t when = WEFT_FOREVER;
    for (const struct weft__scope *scope = self->scope; scope != NULL; scope = scope->parent) {
        if (scope->cancelled)
            return 0;
        if (weft__timer_is_started(&scope->timer) && scope->timer.when < when)
            when = scope->timer.when;
        if (scope->shield)
            break;
    }
    if (when == WEFT_FOREVER)
        return WEFT_FOREVER;
    int64_t left = when - weft__loop_now(self->loop);
    return left > 0 ? left : 0;
}

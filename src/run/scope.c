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
#include <string.h>

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

/* What a cancellation spreads from, and whether shields hold against it. */
struct wave {
    struct weft__scope *origin;
    const char *reason;
    bool through;
};

/* Cancels one task from a scope of its own inwards. */
static void deliver(struct weft_task *task, struct weft__scope *from, const struct wave *wave,
                    struct weft_task **list)
{
    for (struct weft__scope *scope = from; scope != NULL; scope = scope->inner) {
        if (scope->shield && scope != wave->origin) {
            if (!wave->through)
                return;
            if (!scope->cancelled) {
                scope->cancelled = true;
                scope->reason = wave->reason;
                task->loop->n_cancelled++;
            }
        }
        if (scope->group != NULL)
            push_children(scope->group, list);
    }
    task->cancelled = true;
    if (task->state == TASK_PARKED && task->wait->cancel != NULL)
        task->wait->cancel(task->wait, -ECANCELED);
}

static void spread(const struct wave *wave, struct weft_task *list)
{
    while (list != NULL) {
        struct weft_task *task = list;
        list = task->next_cancel;
        task->in_cancel = false;
        deliver(task, task->outermost, wave, &list);
    }
}

/* The task that owns background tasks is not inside their group. */
static void cancel_from(const struct wave *wave)
{
    struct weft__scope *scope = wave->origin;
    struct weft_task *list = NULL;
    if (scope->group != NULL && scope->group->background)
        push_children(scope->group, &list);
    else
        deliver(scope->task, scope, wave, &list);
    spread(wave, list);
}

void weft__scope_cancel_code(struct weft__scope *scope, int code, const char *reason)
{
    if (scope->cancelled || scope->left)
        return;
    scope->cancelled = true;
    scope->code = code;
    scope->reason = reason;
    scope->task->loop->n_cancelled++;
    cancel_from(&(struct wave){.origin = scope});
}

void weft__scope_cancel_shields(struct weft__scope *scope, const char *reason)
{
    weft__scope_cancel_code(scope, 0, reason);
    cancel_from(&(struct wave){.origin = scope, .reason = reason, .through = true});
}

void weft__scope_set_canceller(struct weft__scope *scope, const struct weft_task *by)
{
    if (!scope->cancelled && by != scope->task)
        memcpy(scope->by, by->name, sizeof scope->by);
}

void weft__task_moved(struct weft_task *task)
{
    struct weft_task *list = NULL;
    if (!weft__scope_is_effective(task->loop, &task->group->scope))
        return;
    deliver(task, task->outermost, &(struct wave){0}, &list);
    spread(&(struct wave){0}, list);
}

static void deadline_passed(struct weft__timer *timer)
{
    struct weft__scope *scope = WEFT__CONTAINER(timer, struct weft__scope, timer);
    weft__scope_cancel_code(scope, -ETIMEDOUT, "the deadline has passed");
}

static void arm_at(struct weft__scope *scope, int64_t when, int64_t timeout)
{
    struct weft__loop *loop = scope->task->loop;
    scope->timeout = timeout > 0 ? timeout : 0;
    if (when == WEFT_FOREVER)
        weft__timer_stop(&loop->timers, &scope->timer);
    else if (weft__timer_start(&loop->timers, &scope->timer, when) < 0)
        weft__scope_cancel_code(scope, -ENOMEM, "no memory for a timer");
    else if (timeout <= 0)
        deadline_passed(&scope->timer);
}

static void arm(struct weft__scope *scope, int64_t timeout)
{
    int64_t when = WEFT_FOREVER;
    if (timeout != WEFT_FOREVER)
        when = weft__clock_add(weft__loop_now(scope->task->loop), timeout < 0 ? 0 : timeout);
    arm_at(scope, when, timeout);
}

void weft__scope_init(struct weft__scope *scope, struct weft_task *task, int64_t timeout)
{
    scope->parent = task->scope;
    scope->inner = NULL;
    scope->task = task;
    scope->group = NULL;
    scope->reason = NULL;
    scope->timeout = WEFT_FOREVER;
    scope->timer.fire = deadline_passed;
    scope->timer.index = 0;
    scope->code = 0;
    scope->cancelled = false;
    scope->shield = false;
    scope->left = false;
    scope->twice = false;
    scope->by[0] = '\0';
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
    scope->left = true;
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
    if (scope->code == -EDEADLK)
        return weft__fail(-EDEADLK, "deadlock: every task waited for another");
    if (scope->code < 0)
        return weft__fail_code(scope->code);
    return 0;
}

/* Where no loop can be made, the scope is a hollow one: nothing in it can block either. */
static struct weft__scope *enter(weft_scope *public_scope, int64_t timeout)
{
    struct weft_task *self = weft__self();
    struct weft__scope *scope = scope_of(public_scope);
    if (self == NULL) {
        *scope = (struct weft__scope){0};
        return NULL;
    }
    if (__builtin_expect(self->scope == scope, 0)) {
        /* Either entered twice, or forgotten by a function whose frame lay in the same place. */
        if (scope->task != self || scope->left)
            weft__dead_scope(self);
        scope->twice = true;
        return NULL;
    }
    weft__scope_init(scope, self, timeout);
    return scope;
}

void weft_scope_enter(weft_scope *public_scope, int64_t timeout)
{
    enter(public_scope, timeout);
}

void weft_scope_enter_at(weft_scope *public_scope, int64_t when)
{
    struct weft__scope *scope = enter(public_scope, WEFT_FOREVER);
    if (scope == NULL || when == WEFT_FOREVER)
        return;
    int64_t now = weft__loop_now(scope->task->loop);
    arm_at(scope, when, when > now ? when - now : 0);
}

/* There is no shield without a deadline. */
static int64_t shield_timeout(int64_t timeout)
{
    return timeout < WEFT_FOREVER / 2 ? timeout : WEFT_SEC(60);
}

void weft_scope_enter_shield(weft_scope *public_scope, int64_t timeout)
{
    struct weft__scope *scope = enter(public_scope, shield_timeout(timeout));
    if (scope == NULL)
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
    bool twice = scope->twice;
    err = weft__scope_leave(scope, err);
    if (twice)
        return weft__fail(WEFT_EMISNESTED, "task '%s' entered a scope twice", scope->task->name);
    return err;
}

void weft_scope_done(weft_scope *public_scope)
{
    struct weft__scope *scope = scope_of(public_scope);
    struct weft__context kept = {0};
    if (scope->task == NULL || scope->left || scope->task != weft__self())
        return;
    weft__error_move(&kept, weft__context);
    weft__scope_leave(scope, 0);
    weft__error_move(weft__context, &kept);
}

/* May the caller change this scope? A hollow one has nothing to change. */
static int check_entered(const struct weft__scope *scope)
{
    if (scope->task->loop != weft__loop_current)
        return weft__fail(-EINVAL, "a scope of another thread");
    if (scope->left)
        return weft__fail(-EINVAL, "a scope that was left");
    return 0;
}

int weft_scope_cancel(weft_scope *public_scope, const char *reason)
{
    struct weft__scope *scope = scope_of(public_scope);
    if (scope->task == NULL)
        return 0;
    int err = check_entered(scope);
    if (err < 0)
        return err;
    weft__scope_set_canceller(scope, weft__self());
    weft__scope_cancel_code(scope, 0, reason);
    return 0;
}

int weft_scope_set_timeout(weft_scope *public_scope, int64_t timeout)
{
    struct weft__scope *scope = scope_of(public_scope);
    if (scope->task == NULL)
        return 0;
    int err = check_entered(scope);
    if (err == 0 && !scope->cancelled)
        arm(scope, scope->shield ? shield_timeout(timeout) : timeout);
    return err;
}

bool weft_scope_is_cancelled(const weft_scope *public_scope)
{
    return ((const struct weft__scope *)(const void *)public_scope)->cancelled;
}

bool weft_scope_is_expired(const weft_scope *public_scope)
{
    const struct weft__scope *scope = (const struct weft__scope *)(const void *)public_scope;
    return scope->cancelled && scope->code == -ETIMEDOUT;
}

int64_t weft_scope_deadline(const weft_scope *public_scope)
{
    const struct weft__scope *scope = (const struct weft__scope *)(const void *)public_scope;
    return weft__timer_is_started(&scope->timer) ? scope->timer.when : WEFT_FOREVER;
}

int64_t weft_deadline(void)
{
    struct weft_task *self = weft__self();
    int64_t when = WEFT_FOREVER;
    if (self == NULL)
        return when;
    for (const struct weft__scope *scope = self->scope; scope != NULL; scope = scope->parent) {
        if (scope->cancelled)
            return INT64_MIN;
        if (weft__timer_is_started(&scope->timer) && scope->timer.when < when)
            when = scope->timer.when;
        if (scope->shield)
            break;
    }
    return when;
}

int64_t weft_remaining(void)
{
    int64_t when = weft_deadline();
    if (when == WEFT_FOREVER)
        return WEFT_FOREVER;
    int64_t now = weft_now();
    return when > now ? when - now : 0;
}

/*
 * group.c - groups own tasks: spawn, join, fail fast.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "run/run_int.h"

static_assert(sizeof(struct weft__group) <= sizeof(weft_group), "weft_group is too small");

struct weft__group *weft__group_of(weft_group *group)
{
    return (struct weft__group *)(void *)group;
}

/* All but the scope. */
static void init_group(struct weft__group *group)
{
    group->scope.group = group;
    weft__list_init(&group->children);
    group->n_children = 0;
    group->n_errors = 0;
    group->error = (struct weft__context){0};
    group->name = "group";
    group->first_error = 0;
    group->collect = false;
    group->ignore_errors = false;
    group->outcomes = false;
    group->background = false;
    group->ended = false;
    group->waiting = WAIT_NONE;
    group->failures = NULL;
    group->max_failures = 0;
}

void weft__group_init_detached(struct weft__group *group, struct weft__loop *loop)
{
    memset(group, 0, sizeof *group);
    init_group(group);
    group->scope.task = &loop->native;
    group->scope.timeout = WEFT_FOREVER;
    group->name = "background";
    group->collect = true;
    group->background = true;
}

int weft_group_init(weft_group *public_group, const weft_group_options *options)
{
    struct weft_task *self = weft__self();
    struct weft__group *group = weft__group_of(public_group);
    if (self == NULL) {
        memset(public_group, 0, sizeof *public_group);
        return weft__context_get()->error_code;
    }
    if (self->scope == &group->scope)
        return weft__fail(WEFT_EMISNESTED, "the group was begun, and not waited for");
    int64_t timeout = options != NULL && options->timeout != 0 ? options->timeout : WEFT_FOREVER;
    weft__scope_init(&group->scope, self, timeout);
    init_group(group);
    if (options == NULL)
        return 0;
    if (options->name != NULL)
        group->name = options->name;
    group->collect = options->collect;
    /* What came later than the rest of the struct. */
    if (options->size < sizeof *options)
        return 0;
    group->outcomes = options->outcomes;
    group->failures = options->failures;
    group->max_failures = options->max_failures;
    weft__list_init(&group->done);
    return 0;
}

/* ---- a task's life ---- */

static void *run_task(void *arg)
{
    struct weft_task *task = arg;
    weft__ctx_began();
    /* Under a seed a task may begin where another one has just ended. */
    if (__builtin_expect(task->loop->zombie != NULL, 0))
        weft__reap(task->loop);
    weft__task_ended(task, task->fn(task->arg));
    return weft__task_exit(task);
}

static void set_name(struct weft_task *task, const char *name)
{
    size_t len = strlen(name);
    if (len > WEFT__LIMIT_TASK_NAME)
        len = WEFT__LIMIT_TASK_NAME;
    memcpy(task->name, name, len);
    task->name[len] = '\0';
}

/*
 * The task's struct takes the top of its own stack, so that a parked task touches one page.
 * Stacks begin at the same offset of a page, and equal offsets compete for the same cache
 * lines: the top moves by a few lines from one stack to the next.
 */
static __attribute__((noinline)) struct weft_task *task_map(struct weft__loop *loop,
                                                            size_t stack_size)
{
    struct weft__stack stack;
    int err = weft__stack_take(&loop->stacks, stack_size, &stack);
    if (err < 0) {
        weft__fail_with(err, "a stack of %zu bytes for a task", stack_size);
        return NULL;
    }
#if WEFT__ASAN
    __asan_unpoison_memory_region(stack.base + WEFT__STACK_GUARD, stack.size - WEFT__STACK_GUARD);
#endif
    VALGRIND_MAKE_MEM_UNDEFINED(stack.base + WEFT__STACK_GUARD, stack.size - WEFT__STACK_GUARD);
    size_t colour = (loop->stacks.colour++ & 15) * 64;
    size_t top = (stack.size - 64 - colour - sizeof(struct weft_task)) & ~(size_t)63;
    struct weft_task *task = (struct weft_task *)(void *)(stack.base + top);
    task->loop = loop;
    task->stack = stack;
    return task;
}

static inline struct weft_task *task_new(struct weft__loop *loop, size_t stack_size)
{
    struct weft_task *task = loop->free_tasks;
    if (__builtin_expect(task != NULL && stack_size == loop->default_stack, 1)) {
        loop->free_tasks = task->next_ready;
        loop->n_free_tasks--;
    } else {
        task = task_map(loop, stack_size);
        if (task == NULL)
            return NULL;
    }
    char *base = task->stack.base + WEFT__STACK_GUARD;
#if WEFT__ASAN
    /* The frames of the task before have left their red zones. */
    __asan_unpoison_memory_region(base, (size_t)((char *)task - base));
#endif
    /* Field by field: this is the hottest path of all, and half of the struct needs no value. */
    task->context = (struct weft__context){0};
    task->wait = NULL;
    task->in_cancel = false;
    task->outermost = NULL;
    task->held = NULL;
    task->start = NULL;
    task->name[0] = '\0';
    weft__ctx_init(&task->ctx, base, (size_t)((char *)task - base), run_task, task);
    return task;
}

/* The common end of both ways to spawn: the child runs at once. */
static inline int spawn(struct weft__group *group, struct weft_task *self, struct weft_task *task,
                        weft_fn fn, void *arg, int *result)
{
    struct weft__loop *loop = self->loop;
    task->fn = fn;
    task->arg = arg;
    task->result = result;
    task->group = group;
    task->scope = &group->scope;
    task->id = ++loop->next_id;
    task->cancelled = loop->n_cancelled > 0 && weft__scope_is_effective(loop, &group->scope);
    task->locals = weft__locals_inherit(self->locals);
    weft__list_push_back(&group->children, &task->sibling);
    group->n_children++;
    loop->n_tasks++;
    weft__start_child(self, task);
    return 0;
}

static __attribute__((cold)) int refuse(const struct weft__group *group, struct weft_task *self,
                                        weft_fn fn)
{
    if (self == NULL)
        return weft__context_get()->error_code;
    if (fn == NULL)
        return weft__fail(-EINVAL, "a task without a function");
    if (group->scope.task != NULL && group->scope.task->loop != self->loop)
        return weft__fail(-EINVAL, "spawn into a group of another thread");
    return weft__fail(-EINVAL, "spawn into a group that has ended");
}

static inline bool may_spawn(const struct weft__group *group, const struct weft_task *self,
                             weft_fn fn)
{
    return self != NULL && fn != NULL && group->scope.task != NULL && !group->ended &&
           group->scope.task->loop == self->loop;
}

int weft__group_may_spawn(const struct weft__group *group, struct weft_task *self, weft_fn fn)
{
    return may_spawn(group, self, fn) ? 0 : refuse(group, self, fn);
}

int weft__group_spawn(struct weft__group *group, weft_fn fn, void *arg,
                      const weft_spawn_options *options, struct weft__start *start)
{
    struct weft_task *self = weft__self();
    struct weft__record *record = NULL;
    if (!may_spawn(group, self, fn))
        return refuse(group, self, fn);
    if (group->outcomes && (record = weft__record_new()) == NULL)
        return weft__context->error_code;
    size_t stack_size = options != NULL ? options->stack_size : 0;
    stack_size = stack_size != 0 ? weft__stack_round(stack_size) : self->loop->default_stack;
    struct weft_task *task = task_new(self->loop, stack_size);
    if (task == NULL) {
        weft__record_free(record);
        return weft__context->error_code;
    }
    if (options != NULL && options->name != NULL)
        set_name(task, options->name);
    task->start = start;
    task->record = record;
    return spawn(group, self, task, fn, arg, options != NULL ? options->result : NULL);
}

int weft_group_spawn_with(weft_group *public_group, weft_fn fn, void *arg,
                          const weft_spawn_options *options)
{
    return weft__group_spawn(weft__group_of(public_group), fn, arg, options, NULL);
}

int weft_group_spawn(weft_group *public_group, weft_fn fn, void *arg)
{
    struct weft__group *group = weft__group_of(public_group);
    struct weft_task *self = weft__self();
    if (!may_spawn(group, self, fn))
        return refuse(group, self, fn);
    if (__builtin_expect(group->outcomes, 0))
        return weft__group_spawn(group, fn, arg, NULL, NULL);
    struct weft_task *task = task_new(self->loop, self->loop->default_stack);
    if (task == NULL)
        return weft__context->error_code;
    return spawn(group, self, task, fn, arg, NULL);
}

/* Nobody waits for a background task: whoever watches the run is told. */
static __attribute__((cold)) void report(const struct weft_task *task, int result)
{
    struct weft__loop *loop = task->loop;
    weft_outcome outcome;
    weft__outcome_fill(&outcome, task, result);
    if (loop->on_background_error != NULL)
        loop->on_background_error(&outcome, loop->background_userdata);
    else
        dprintf(STDERR_FILENO, "weft: background task '%s' failed: %s\n", weft_task_name(task),
                outcome.message);
}

static __attribute__((cold)) void keep_error(struct weft__group *group, struct weft_task *task,
                                             int result)
{
    if (group->n_errors++ < group->max_failures)
        weft__outcome_fill(&group->failures[group->n_errors - 1], task, result);
    if (group->background) {
        report(task, result);
        return;
    }
    if (group->first_error != 0 || group->ignore_errors)
        return;
    group->first_error = result;
    if (task->context.error_code == 0)
        task->context.error_code = result;
    weft__error_move(&group->error, &task->context);
    if (group->collect)
        return;
    weft__scope_set_canceller(&group->scope, task);
    weft__scope_cancel_code(&group->scope, 0, "a task of the group failed");
}

/* What it still holds is nobody's from now on. */
static __attribute__((cold)) void abandon_held(struct weft_task *task)
{
    while (task->held != NULL) {
        struct weft__held *held = task->held;
        task->held = held->next;
        held->abandoned(held, task);
    }
}

/* Once: others may spawn into the group before the woken task runs. */
static inline void wake_owner(struct weft__group *group)
{
    if (group->n_children > 0 && group->waiting == WAIT_ALL)
        return;
    group->waiting = WAIT_NONE;
    weft__wake(group->wait.task, 0);
}

/* On the task's own stack, just before it ends for good. */
void weft__task_ended(struct weft_task *task, int result)
{
    struct weft__group *group = task->group;
    if (task->scope != &group->scope) {
        while (task->scope != &group->scope) {
            if (weft__stack_contains(&task->stack, task->scope))
                weft__dead_scope(task);
            weft__scope_abandon(task);
        }
        result = weft__fail(WEFT_EMISNESTED, "task '%s' ended inside a scope that it had entered",
                            task->name);
    }
    if (__builtin_expect(task->held != NULL, 0))
        abandon_held(task);
    if (__builtin_expect(task->loop->tracing != 0, 0))
        weft__trace_exited(task, result);
    if (task->result != NULL)
        *task->result = result;
    weft__list_remove(&task->sibling);
    task->loop->n_tasks--;
    if (__builtin_expect(group->outcomes, 0))
        weft__record_keep(group, task, result);
    /* A child that was told to stop and did has not failed. */
    if (result < 0 && !(result == -ECANCELED && task->cancelled))
        keep_error(group, task, result);
    if (__builtin_expect(task->context.error_text != NULL, 0))
        weft__error_done(&task->context);
    if (__builtin_expect(task->locals != NULL, 0))
        weft__locals_unref(task->locals);
    group->n_children--;
    if (group->waiting != WAIT_NONE)
        wake_owner(group);
}

void weft__group_child_left(struct weft__group *group)
{
    group->n_children--;
    if (group->waiting != WAIT_NONE)
        wake_owner(group);
}

/* Joins all children; the scope is still entered. The first error, or 0. */
int weft__group_join(struct weft__group *group)
{
    struct weft_task *self = weft__self();
    while (group->n_children > 0) {
        group->waiting = WAIT_ALL;
        group->wait.what = "children";
        group->wait.cancel = NULL;
        weft__park(self, &group->wait);
    }
    group->ended = true;
    if (group->outcomes)
        weft__records_done(group);
    return group->first_error;
}

int weft_group_wait(weft_group *public_group)
{
    struct weft__group *group = weft__group_of(public_group);
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    if (group->scope.task == NULL)
        return weft__fail(-EINVAL, "a group that was never made");
    if (group->ended)
        return weft__fail(-EINVAL, "the group was waited for already");
    if (group->scope.task != self)
        return weft__fail(WEFT_EMISNESTED, "a group is waited for by the task that made it");
    return weft__group_leave(group, weft__group_join(group));
}

/* An error of a child wins over a cancellation from outside. */
int weft__group_leave(struct weft__group *group, int err)
{
    struct weft_task *self = group->scope.task;
    int left = weft__scope_leave(&group->scope, self->cancelled ? -ECANCELED : 0);
    if (err == 0 || left == WEFT_EMISNESTED) {
        weft__error_done(&group->error);
        return left == -ECANCELED ? weft__cancel_error(self) : left;
    }
    weft__error_move(&self->context, &group->error);
    return err;
}

int weft__group_give_up(weft_group *public_group, int err)
{
    struct weft__context kept = {0};
    weft__error_move(&kept, weft__context_get());
    weft_group_cancel(public_group, "a task of the group could not be started");
    weft_group_wait(public_group);
    weft__error_move(weft__context_get(), &kept);
    return err;
}

int weft_group_cancel(weft_group *public_group, const char *reason)
{
    struct weft__group *group = weft__group_of(public_group);
    if (group->scope.task == NULL || group->ended)
        return weft__fail(-EINVAL, "cancel a group that has ended");
    if (group->scope.task->loop != weft__loop_current)
        return weft__fail(-EINVAL, "cancel a group of another thread");
    weft__scope_set_canceller(&group->scope, weft__self());
    weft__scope_cancel_code(&group->scope, 0, reason);
    return 0;
}

void weft_group_done(weft_group *public_group)
{
    struct weft__group *group = weft__group_of(public_group);
    struct weft__context kept = {0};
    if (group->scope.task == NULL || group->ended || group->scope.task != weft__self())
        return;
    weft__error_move(&kept, weft__context);
    weft__scope_cancel_code(&group->scope, 0, "the block of the group was left");
    weft_group_wait(public_group);
    weft__error_move(weft__context, &kept);
}

size_t weft_group_error_count(const weft_group *group)
{
    return ((const struct weft__group *)(const void *)group)->n_errors;
}

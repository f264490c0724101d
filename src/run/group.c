/*
 * group.c - groups own tasks: spawn, join, fail fast.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "run/run_int.h"

static_assert(sizeof(struct weft__group) <= sizeof(weft_group), "weft_group is too small");

struct weft__group *weft__group_of(weft_group *group)
{
    return (struct weft__group *)(void *)group;
}

int weft_group_init(weft_group *public_group, const weft_group_options *options)
{
    struct weft_task *self = weft__self();
    struct weft__group *group = weft__group_of(public_group);
    if (self == NULL) {
        memset(public_group, 0, sizeof *public_group);
        return weft__context_get()->error_code;
    }
    int64_t timeout = options != NULL && options->timeout > 0 ? options->timeout : WEFT_FOREVER;
    weft__scope_init(&group->scope, self, timeout);
    group->scope.group = group;
    weft__list_init(&group->children);
    group->n_children = 0;
    group->n_errors = 0;
    group->error = (struct weft__context){0};
    group->name = options != NULL && options->name != NULL ? options->name : "group";
    group->first_error = 0;
    group->collect = options != NULL && options->collect;
    group->ignore_errors = false;
    group->joining = false;
    group->ended = false;
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

int weft_group_spawn_with(weft_group *public_group, weft_fn fn, void *arg,
                          const weft_spawn_options *options)
{
    struct weft__group *group = weft__group_of(public_group);
    struct weft_task *self = weft__self();
    if (!may_spawn(group, self, fn))
        return refuse(group, self, fn);
    size_t stack_size = options != NULL ? options->stack_size : 0;
    stack_size = stack_size != 0 ? weft__stack_round(stack_size) : self->loop->default_stack;
    struct weft_task *task = task_new(self->loop, stack_size);
    if (task == NULL)
        return weft__context->error_code;
    if (options != NULL && options->name != NULL)
        set_name(task, options->name);
    return spawn(group, self, task, fn, arg, options != NULL ? options->result : NULL);
}

int weft_group_spawn(weft_group *public_group, weft_fn fn, void *arg)
{
    struct weft__group *group = weft__group_of(public_group);
    struct weft_task *self = weft__self();
    if (!may_spawn(group, self, fn))
        return refuse(group, self, fn);
    struct weft_task *task = task_new(self->loop, self->loop->default_stack);
    if (task == NULL)
        return weft__context->error_code;
    return spawn(group, self, task, fn, arg, NULL);
}

static __attribute__((cold)) void keep_error(struct weft__group *group, struct weft_task *task,
                                             int result)
{
    group->n_errors++;
    if (group->first_error != 0 || group->ignore_errors)
        return;
    group->first_error = result;
    if (task->context.error_code == 0)
        task->context.error_code = result;
    weft__error_move(&group->error, &task->context);
    if (!group->collect)
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
    if (task->result != NULL)
        *task->result = result;
    weft__list_remove(&task->sibling);
    group->n_children--;
    task->loop->n_tasks--;
    /* A child that was told to stop and did has not failed. */
    if (result < 0 && !(result == -ECANCELED && task->cancelled))
        keep_error(group, task, result);
    if (__builtin_expect(task->context.error_text != NULL, 0))
        weft__error_done(&task->context);
    if (group->n_children == 0 && group->joining) {
        /* Once: others may spawn into the group before the woken task runs. */
        group->joining = false;
        weft__wake(group->wait.task, 0);
    }
}

/* Joins all children; the scope is still entered. The first error, or 0. */
int weft__group_join(struct weft__group *group)
{
    struct weft_task *self = weft__self();
    while (group->n_children > 0) {
        group->joining = true;
        group->wait.what = "children";
        group->wait.cancel = NULL;
        weft__park(self, &group->wait);
    }
    group->ended = true;
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
    int err = weft__group_join(group);
    /* An error of a child wins over a cancellation from outside. */
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

void weft_group_cancel(weft_group *public_group, const char *reason)
{
    struct weft__group *group = weft__group_of(public_group);
    if (group->scope.task != NULL && !group->ended)
        weft__scope_cancel_code(&group->scope, 0, reason);
}

size_t weft_group_error_count(const weft_group *group)
{
    return ((const struct weft__group *)(const void *)group)->n_errors;
}

/* ---- gather and map ---- */

int weft_gather(weft_call *calls, size_t n, const weft_gather_options *options)
{
    weft_group group;
    bool collect = options != NULL && options->collect;
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = weft__checkpoint(self);
    for (size_t i = 0; i < n; i++)
        calls[i].result = -ECANCELED;
    if (err < 0)
        return err;
    err = weft_group_init(&group, WEFT_GROUP(.name = "gather", .collect = collect,
                                             .timeout = options != NULL ? options->timeout : 0));
    if (err < 0)
        return err;
    weft__group_of(&group)->ignore_errors = collect;
    for (size_t i = 0; i < n && !weft__group_of(&group)->scope.cancelled; i++) {
        err = weft_group_spawn_with(&group, calls[i].fn, calls[i].arg,
                                    WEFT_SPAWN(.result = &calls[i].result));
        if (err < 0)
            break;
    }
    return err < 0 ? weft__group_give_up(&group, err) : weft_group_wait(&group);
}

struct map_state {
    weft_fn fn;
    char *items;
    size_t n;
    size_t item_size;
    size_t next;
    int *results;
    bool collect;
};

/* One of limit workers: takes the next item until there is none. */
static int map_worker(void *arg)
{
    struct map_state *state = arg;
    struct weft_task *self = weft__self();
    while (state->next < state->n && !self->cancelled) {
        size_t i = state->next++;
        int result = state->fn(state->items + i * state->item_size);
        if (state->results != NULL)
            state->results[i] = result;
        if (result < 0 && !state->collect)
            return result;
    }
    return self->cancelled ? -ECANCELED : 0;
}

int weft_map(weft_fn fn, void *items, size_t n, size_t item_size, const weft_map_options *options)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    struct map_state state = {
        .fn = fn,
        .items = items,
        .n = n,
        .item_size = item_size,
        .results = options != NULL ? options->results : NULL,
        .collect = options != NULL && options->collect,
    };
    size_t limit = options != NULL && options->limit > 0 && options->limit < n ? options->limit : n;
    for (size_t i = 0; state.results != NULL && i < n; i++)
        state.results[i] = -ECANCELED;
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    if (fn == NULL && n > 0)
        return weft__fail(-EINVAL, "weft_map without a function");
    weft_group group;
    err = weft_group_init(
        &group, WEFT_GROUP(.name = "map", .timeout = options != NULL ? options->timeout : 0));
    if (err < 0)
        return err;
    for (size_t i = 0; i < limit && !weft__group_of(&group)->scope.cancelled; i++) {
        err = weft_group_spawn(&group, map_worker, &state);
        if (err < 0)
            break;
    }
    /* Fewer workers than asked for still do the work; none at all cannot. */
    if (err < 0 && weft__group_of(&group)->n_children == 0 && state.next < n)
        return weft__group_give_up(&group, err);
    return weft_group_wait(&group);
}

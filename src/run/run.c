/*
 * run.c - weft_run, and the background tasks that belong to a run.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "run/run_int.h"

/* ---- weft_run ---- */

struct main_call {
    weft_fn fn;
    void *arg;
    int result;
};

static int run_main(void *arg)
{
    struct main_call *call = arg;
    call->result = call->fn(call->arg);
    return call->result < 0 ? call->result : 0;
}

/* ---- background tasks ---- */

int weft_background_spawn(weft_fn fn, void *arg, const weft_spawn_options *options)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return weft__context_get()->error_code;
    return weft__group_spawn(loop->background, fn, arg, options, NULL);
}

struct grace {
    struct weft__timer timer;
    struct weft__group *group;
};

static void grace_is_over(struct weft__timer *timer)
{
    struct grace *grace = WEFT__CONTAINER(timer, struct grace, timer);
    weft__scope_cancel_shields(&grace->group->scope, "the run has ended, and its grace period");
}

void weft__background_end(struct weft__group *group, int64_t grace)
{
    struct weft__loop *loop = group->scope.task->loop;
    if (group->n_children > 0) {
        struct grace end = {.timer = {.fire = grace_is_over}, .group = group};
        int64_t when = weft__clock_add(weft__loop_now(loop), grace);
        weft__scope_cancel_code(&group->scope, 0, "the run has ended");
        if (weft__timer_start(&loop->timers, &end.timer, when) < 0)
            grace_is_over(&end.timer);
        weft__group_join(group);
        weft__timer_stop(&loop->timers, &end.timer);
    }
    group->ended = true;
    group->scope.left = true;
    if (group->scope.cancelled)
        loop->n_cancelled--;
}

/* ---- a run ---- */

/* Runs the main task, then ends what it left in the background. */
static int run_main_task(struct weft__loop *loop, struct main_call *call,
                         const weft_run_options *options)
{
    weft_group group;
    int err = weft_group_init(&group, WEFT_GROUP(.name = "run"));
    if (err < 0)
        return err;
    err = weft_group_spawn_with(&group, run_main, call,
                                WEFT_SPAWN(.name = options->name != NULL ? options->name : "main"));
    err = err < 0 ? weft__group_give_up(&group, err) : weft_group_wait(&group);
    struct weft__context kept = {0};
    weft__error_move(&kept, &loop->native.context);
    weft__background_end(loop->background, options->background_grace > 0
                                               ? options->background_grace
                                               : WEFT_SEC(WEFT__LIMIT_BACKGROUND_GRACE));
    weft__error_move(&loop->native.context, &kept);
    return err < 0 ? err : call->result;
}

static int run_on(struct weft__loop *loop, weft_fn fn, void *arg, const weft_run_options *options)
{
    struct main_call call = {.fn = fn, .arg = arg};
    struct weft__group background;
    size_t old_stack = loop->default_stack;
    if (options->stack_size != 0) {
        weft__free_tasks_done(loop);
        loop->default_stack = weft__stack_round(options->stack_size);
    }
    loop->seed = options->seed;
    if (options->seed != 0)
        weft__rand_init(&loop->rand, options->seed);
    weft__group_init_detached(&background, loop);
    loop->background = &background;
    loop->on_background_error = options->on_background_error;
    loop->background_userdata = options->userdata;
    loop->in_run = true;
    int result = run_main_task(loop, &call, options);
    loop->in_run = false;
    loop->background = &loop->own_background;
    loop->on_background_error = NULL;
    loop->seed = 0;
    if (loop->default_stack != old_stack)
        weft__free_tasks_done(loop);
    loop->default_stack = old_stack;
    return result;
}

int weft_run_with(weft_fn fn, void *arg, const weft_run_options *options)
{
    struct weft__loop *loop = weft__loop_current;
    weft_run_options all = {0};
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_run without a function");
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    if (loop != NULL && loop->forked)
        return weft__fail_code(WEFT_EFORKED);
    if (loop != NULL && (loop->in_run || weft__context != &loop->native.context))
        return weft__fail_code(WEFT_ENESTED);
    /* A loop that plain calls made before serves, unless another kind is asked for. */
    if (loop != NULL && all.backend != WEFT_BACKEND_DEFAULT && loop->backend->kind != all.backend) {
        if (loop->n_tasks > 0 || loop->native.scope != NULL)
            return weft__fail(-EBUSY, "tasks or scopes of this thread still use another back end");
        weft__loop_free(loop);
        loop = NULL;
    }
    bool made = loop == NULL;
    if (made) {
        int err = weft__loop_new(all.backend, &loop);
        if (err < 0)
            return err;
    }
    int result = run_on(loop, fn, arg, &all);
    if (made)
        weft__loop_free(loop);
    return result;
}

int weft_run(weft_fn fn, void *arg)
{
    return weft_run_with(fn, arg, NULL);
}

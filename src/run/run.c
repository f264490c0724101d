/*
 * run.c - weft_run, runners, and the background tasks that belong to them.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "run/run_int.h"

/* ---- weft_run ---- */

struct main_call {
    weft_fn fn;
    void *arg;
    int result;
    bool keep_locals;
    struct weft__locals *locals; /* that it ended with */
};

static int run_main(void *arg)
{
    struct main_call *call = arg;
    call->result = call->fn(call->arg);
    if (call->keep_locals)
        call->locals = weft__locals_capture();
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

void weft__background_end(struct weft__group *group)
{
    struct weft__loop *loop = group->scope.task->loop;
    if (group->n_children > 0) {
        struct grace end = {.timer = {.fire = grace_is_over}, .group = group};
        int64_t when = weft__clock_add(weft__loop_now(loop), loop->background_grace);
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

static int run_main_task(struct weft__loop *loop, struct main_call *call,
                         const weft_run_options *options)
{
    weft_group group;
    int err = weft_group_init(&group, WEFT_GROUP(.name = "run"));
    if (err < 0)
        return err;
    if (!options->keep_sigint)
        weft__interrupt_begin(loop, &weft__group_of(&group)->scope);
    err = weft_group_spawn_with(&group, run_main, call,
                                WEFT_SPAWN(.name = options->name != NULL ? options->name : "main"));
    err = err < 0 ? weft__group_give_up(&group, err) : weft_group_wait(&group);
    if (err == 0)
        err = call->result;
    if (err == -ECANCELED && loop->interrupted)
        err = weft__fail(-EINTR, "interrupted");
    return err;
}

/* What a run changes of its loop, and puts back. */
static int run_on(struct weft__loop *loop, struct main_call *call, const weft_run_options *options,
                  struct weft__group *background)
{
    size_t old_stack = loop->default_stack;
    if (options->stack_size != 0) {
        weft__free_tasks_done(loop);
        loop->default_stack = weft__stack_round(options->stack_size);
    }
    loop->seed = options->seed;
    if (options->seed != 0)
        weft__rand_init(&loop->rand, options->seed);
    if (options->seed != 0)
        weft__rand_thread_seed(options->seed);
    weft__loop_set_special(loop);
    if (options->background_grace > 0)
        loop->background_grace = options->background_grace;
    loop->on_background_error = options->on_background_error;
    loop->background_userdata = options->userdata;
    loop->background = background;
    loop->in_run = true;
    if (loop->tracing)
        weft__trace_run(loop, true);
    int result = run_main_task(loop, call, options);
    if (background != &loop->own_background) {
        struct weft__context kept = {0};
        weft__error_move(&kept, &loop->native.context);
        weft__background_end(background);
        weft__error_move(&loop->native.context, &kept);
    }
    if (loop->tracing)
        weft__trace_run(loop, false);
    loop->in_run = false;
    weft__interrupt_end(loop);
    loop->background = &loop->own_background;
    loop->background_grace = WEFT_SEC(WEFT__LIMIT_BACKGROUND_GRACE);
    loop->on_background_error = NULL;
    loop->seed = 0;
    if (options->seed != 0 && loop->backend->kind != WEFT_BACKEND_VIRTUAL)
        weft__rand_thread_seed(0);
    weft__loop_set_special(loop);
    if (loop->default_stack != old_stack)
        weft__free_tasks_done(loop);
    loop->default_stack = old_stack;
    return result;
}

static weft_run_options all_of(const weft_run_options *options)
{
    weft_run_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    return all;
}

/* May a run begin on this thread? */
static int check_thread(const struct weft__loop *loop)
{
    if (loop != NULL && loop->forked)
        return weft__fail_code(WEFT_EFORKED);
    if (loop != NULL && (loop->in_run || weft__context != &loop->native.context))
        return weft__fail_code(WEFT_ENESTED);
    return 0;
}

/* A loop that plain calls made before serves, unless another kind is asked for. */
static int loop_for(weft_backend backend, struct weft__loop **ret, bool *ret_made)
{
    struct weft__loop *loop = weft__loop_current;
    int err = check_thread(loop);
    if (err < 0)
        return err;
    if (backend > WEFT_BACKEND_VIRTUAL)
        return weft__fail(-EINVAL, "there is no back end %d", (int)backend);
    if (loop != NULL && backend != WEFT_BACKEND_DEFAULT && loop->backend->kind != backend) {
        if (loop->n_tasks > loop->n_services || loop->native.scope != NULL || loop->n_runners > 0)
            return weft__fail(-EBUSY, "tasks or scopes of this thread still use another back end");
        weft__loop_free(loop);
        loop = NULL;
    }
    *ret_made = loop == NULL;
    if (loop == NULL && (err = weft__loop_new(backend, &loop)) < 0)
        return err;
    *ret = loop;
    return 0;
}

int weft_run_with(weft_fn fn, void *arg, const weft_run_options *options)
{
    struct weft__loop *loop;
    struct weft__group background;
    struct main_call call = {.fn = fn, .arg = arg};
    weft_run_options all = all_of(options);
    bool made;
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_run without a function");
    int err = loop_for(all.backend, &loop, &made);
    if (err < 0)
        return err;
    weft__group_init_detached(&background, loop);
    int result = run_on(loop, &call, &all, &background);
    if (made)
        weft__loop_free(loop);
    return result;
}

int weft_run(weft_fn fn, void *arg)
{
    return weft_run_with(fn, arg, NULL);
}

/* ---- runners ---- */

struct weft_runner {
    struct weft__loop *loop; /* NULL: it has ended with its thread */
    struct weft__at_exit at_exit;
    struct weft__locals *locals;
    weft_run_options options;
    bool made;
};

static void loop_ended(struct weft__at_exit *hook)
{
    WEFT__CONTAINER(hook, struct weft_runner, at_exit)->loop = NULL;
}

int weft_runner_new(const weft_run_options *options, weft_runner **ret)
{
    struct weft_runner *runner = weft__calloc(1, sizeof *runner);
    if (runner == NULL)
        return weft__fail_nomem();
    runner->options = all_of(options);
    int err = loop_for(runner->options.backend, &runner->loop, &runner->made);
    if (err < 0) {
        weft__free(runner);
        return err;
    }
    runner->at_exit.fn = loop_ended;
    weft__list_push_back(&runner->loop->at_exit, &runner->at_exit.node);
    runner->loop->n_runners++;
    runner->locals = weft__locals_capture();
    *ret = runner;
    return 0;
}

int weft_runner_run(weft_runner *runner, weft_fn fn, void *arg)
{
    struct weft__loop *loop = runner->loop;
    struct main_call call = {.fn = fn, .arg = arg, .keep_locals = true};
    if (fn == NULL)
        return weft__fail(-EINVAL, "a runner without a function to run");
    if (loop == NULL)
        return weft__fail(WEFT_ECLOSED, "the runner's loop has ended with its thread");
    if (loop != weft__loop_current)
        return weft__fail(-EINVAL, "a runner is used by the thread that made it");
    int err = check_thread(loop);
    if (err < 0)
        return err;
    struct weft__locals *own = loop->native.locals;
    loop->native.locals = runner->locals;
    err = run_on(loop, &call, &runner->options, &loop->own_background);
    weft__locals_unref(loop->native.locals);
    loop->native.locals = own;
    runner->locals = call.locals;
    return err;
}

void weft_runner_free(weft_runner *runner)
{
    if (runner == NULL)
        return;
    struct weft__loop *loop = runner->loop;
    if (loop != NULL && loop == weft__loop_current && !loop->forked) {
        loop->on_background_error = runner->options.on_background_error;
        loop->background_userdata = runner->options.userdata;
        if (runner->options.background_grace > 0)
            loop->background_grace = runner->options.background_grace;
        weft__background_end(&loop->own_background);
        weft__group_init_detached(&loop->own_background, loop);
        loop->background_grace = WEFT_SEC(WEFT__LIMIT_BACKGROUND_GRACE);
        loop->on_background_error = NULL;
    }
    if (loop != NULL) {
        weft__list_remove(&runner->at_exit.node);
        loop->n_runners--;
    }
    weft__locals_unref(runner->locals);
    if (runner->made && loop != NULL && loop->n_tasks == 0 && loop->native.scope == NULL &&
        loop->n_runners == 0)
        weft__loop_free(loop);
    weft__free(runner);
}

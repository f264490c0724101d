/*
 * runtime.c - making and ending loops, weft_run, sleeping.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "run/debug_int.h"
#include "run/run_int.h"
#include "run/switch.h"

_Thread_local struct weft__loop *weft__loop_current;

static pthread_key_t loop_key;
static pthread_once_t loop_once = PTHREAD_ONCE_INIT;

static void thread_ended(void *loop)
{
    weft__loop_free(loop);
}

static void make_key(void)
{
    pthread_key_create(&loop_key, thread_ended);
    weft__fork_install();
}

/* ---- choosing a back end ---- */

static int backend_from_environment(weft_backend *ret)
{
    const char *name = getenv("WEFT_BACKEND");
    *ret = WEFT_BACKEND_DEFAULT;
    if (name == NULL || name[0] == '\0')
        return 0;
    if (strcmp(name, "uring") == 0)
        *ret = WEFT_BACKEND_URING;
    else if (strcmp(name, "epoll") == 0)
        *ret = WEFT_BACKEND_EPOLL;
    else
        return weft__fail(-EINVAL, "WEFT_BACKEND is '%.32s'; it can be uring or epoll", name);
    return 0;
}

static int start_backend(struct weft__loop *loop, weft_backend kind)
{
    if (kind == WEFT_BACKEND_DEFAULT) {
        int err = backend_from_environment(&kind);
        if (err < 0)
            return err;
    }
    if (kind == WEFT_BACKEND_VIRTUAL) {
        loop->backend = &weft__backend_virtual;
        return loop->backend->init(loop);
    }
#if WEFT_HAVE_URING
    /* Valgrind holds its one lock while a thread waits in io_uring_enter: workers would stand. */
    if (kind != WEFT_BACKEND_EPOLL && !RUNNING_ON_VALGRIND) {
        /* Whatever keeps a ring from being made (seccomp, sysctl, an old kernel), epoll serves. */
        loop->backend = &weft__backend_uring;
        int err = loop->backend->init(loop);
        if (err == 0)
            return 0;
        if (err == -ENOMEM)
            return weft__fail_nomem();
    }
#endif
    loop->backend = &weft__backend_epoll;
    return loop->backend->init(loop);
}

/* ---- the loop ---- */

static void native_init(struct weft__loop *loop)
{
    struct weft_task *native = &loop->native;
    native->loop = loop;
    native->state = TASK_RUNNING;
    native->locals = weft__locals_take_thread();
    weft__list_init(&native->sibling);
    memcpy(native->name, "thread", sizeof "thread");
#if WEFT__ASAN
    pthread_attr_t attr;
    void *bottom;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &bottom, &size);
        native->ctx.fiber.bottom = bottom;
        native->ctx.fiber.size = size;
        pthread_attr_destroy(&attr);
    }
#endif
#if WEFT__TSAN
    native->ctx.fiber.tsan = __tsan_get_current_fiber();
#endif
}

int weft__loop_new(weft_backend kind, struct weft__loop **ret)
{
    pthread_once(&loop_once, make_key);
    struct weft__loop *loop = weft__calloc(1, sizeof *loop);
    if (loop == NULL)
        return weft__fail_nomem();
    weft__stacks_init(&loop->stacks);
    weft__list_init(&loop->at_exit);
    weft__list_init(&loop->flushes);
    loop->budget = WEFT__LIMIT_READY_BUDGET;
    loop->errno_at = &errno;
    loop->default_stack = WEFT__LIMIT_STACK_DEFAULT;
    if (WEFT__ASAN || WEFT__TSAN)
        loop->default_stack *= 4;
    loop->default_stack = weft__stack_round(loop->default_stack);
    weft__group_init_detached(&loop->own_background, loop);
    loop->background = &loop->own_background;
    loop->background_grace = WEFT_SEC(WEFT__LIMIT_BACKGROUND_GRACE);
    int err = weft__inbox_new(&loop->inbox);
    if (err == 0)
        err = start_backend(loop, kind);
    if (err < 0) {
        if (loop->inbox != NULL)
            weft__inbox_unref(loop->inbox);
        weft__free(loop);
        return err;
    }
    native_init(loop);
    loop->now = weft__loop_now(loop);
    weft__error_move(&loop->native.context, weft__context_get());
    weft__context = &loop->native.context;
    weft__loop_current = loop;
    pthread_setspecific(loop_key, loop);
    weft__overflow_install();
    weft__debug_attach(loop);
    *ret = loop;
    return 0;
}

static void run_at_exit(struct weft__loop *loop)
{
    while (!weft__list_is_empty(&loop->at_exit)) {
        struct weft__list *node = weft__list_pop_front(&loop->at_exit);
        struct weft__at_exit *hook = WEFT__CONTAINER(node, struct weft__at_exit, node);
        hook->fn(hook);
    }
}

void weft__loop_free(struct weft__loop *loop)
{
    if (loop == NULL)
        return;
    if (!loop->forked)
        weft__background_end(&loop->own_background);
    assert(loop->n_tasks == 0);
    weft__debug_detach(loop);
    run_at_exit(loop);
    if (loop->forked)
        weft__inbox_close_forked(loop->inbox);
    else
        weft__inbox_close(loop->inbox);
    loop->backend->done(loop);
    weft__inbox_unref(loop->inbox);
    weft__timers_done(&loop->timers);
    weft__free_tasks_done(loop);
    weft__stacks_done(&loop->stacks);
    weft__context = NULL;
    weft__error_move(weft__context_get(), &loop->native.context);
    weft__loop_current = NULL;
    weft__locals_give_thread(loop->native.locals);
    pthread_setspecific(loop_key, NULL);
    weft__free(loop);
}

struct weft__loop *weft__loop_get(void)
{
    struct weft__loop *loop = weft__loop_current;
    if (loop == NULL && weft__loop_new(WEFT_BACKEND_DEFAULT, &loop) < 0)
        return NULL;
    return loop;
}

struct weft_task *weft__self_slow(void)
{
    struct weft__loop *loop = weft__loop_get();
    return loop != NULL ? &loop->native : NULL;
}

int64_t weft__loop_now(struct weft__loop *loop)
{
    if (loop->backend->kind != WEFT_BACKEND_VIRTUAL)
        return weft__clock_monotonic();
    return loop->now;
}

int64_t weft_now(void)
{
    struct weft__loop *loop = weft__loop_current;
    return loop != NULL ? weft__loop_now(loop) : weft__clock_monotonic();
}

void weft__loop_flush(struct weft__loop *loop)
{
    while (!weft__list_is_empty(&loop->flushes)) {
        struct weft__list *node = weft__list_pop_front(&loop->flushes);
        struct weft__flush *flush = WEFT__CONTAINER(node, struct weft__flush, node);
        flush->fn(flush);
    }
}

const char *weft_backend_name(void)
{
    struct weft__loop *loop = weft__loop_get();
    return loop != NULL ? loop->backend->name : "none";
}

/* ---- sleeping, yielding ---- */

struct sleeper {
    struct weft__wait wait;
    struct weft__timer timer;
};

static void sleep_over(struct weft__timer *timer)
{
    struct sleeper *sleeper = WEFT__CONTAINER(timer, struct sleeper, timer);
    weft__wake(sleeper->wait.task, 0);
}

static void sleep_cancel(struct weft__wait *wait, int code)
{
    struct sleeper *sleeper = WEFT__CONTAINER(wait, struct sleeper, wait);
    weft__timer_stop(&wait->task->loop->timers, &sleeper->timer);
    weft__wake(wait->task, code);
}

bool weft__sleep_of_wait(const struct weft__wait *wait, int64_t *ret_until)
{
    if (wait->cancel != sleep_cancel)
        return false;
    const struct sleeper *sleeper = WEFT__CONTAINER(wait, const struct sleeper, wait);
    *ret_until = weft__timer_is_started(&sleeper->timer) ? sleeper->timer.when : WEFT_FOREVER;
    return true;
}

int weft_sleep(int64_t duration)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (duration <= 0) {
        weft__yield(self);
        return weft__checkpoint(self);
    }
    struct sleeper sleeper = {
        .wait = {.cancel = sleep_cancel, .what = "sleep"},
        .timer = {.fire = sleep_over},
    };
    if (duration != WEFT_FOREVER) {
        int64_t when = weft__clock_add(weft__loop_now(self->loop), duration);
        if (weft__timer_start(&self->loop->timers, &sleeper.timer, when) < 0)
            return weft__fail_nomem();
    }
    err = (int)weft__park(self, &sleeper.wait);
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

int weft_yield(void)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    weft__yield_here(self);
    return weft__ctx_return(weft__checkpoint(self));
}

int weft_checkpoint(void)
{
    struct weft_task *self = weft__self();
    return self != NULL ? weft__checkpoint(self) : weft__context_get()->error_code;
}

/* ---- asking ---- */

weft_task *weft_task_self(void)
{
    return weft__self();
}

const char *weft_task_name(const weft_task *task)
{
    return task != NULL && task->name[0] != '\0' ? task->name : "task";
}

size_t weft_task_count(void)
{
    return weft__loop_current != NULL ? weft__loop_current->n_tasks : 0;
}

/* ---- fork ---- */

static void forked_child(void)
{
    if (weft__loop_current == NULL)
        return;
    /* Only the task that called fork exists here, and whatever it waits for says so. */
    weft__loop_current->forked = true;
    weft__loop_current->n_cancelled++;
    ((struct weft_task *)weft__context)->cancelled = true;
}

void weft__fork_install(void)
{
    pthread_atfork(NULL, NULL, forked_child);
}

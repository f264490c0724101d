/*
 * loops.c - one function on several loops, each on a thread of its own.
 *
 * The caller's task waits until every thread has ended, and joins them.  A thread says that it
 * has ended by a message to the caller's loop; it is told to end by a message to its own, which
 * is known here, under the lock, for as long as its main task runs.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/limits.h"
#include "thread/thread_int.h"

struct loops;

struct loop_thread {
    struct loops *loops;
    size_t index;
    pthread_t thread;
    struct weft__post ended;
    struct weft__post cancel;
    struct weft__inbox *inbox; /* under the lock; NULL before and after its main task */
    bool told;                 /* under the lock: it shall end */
    bool inside;               /* its scope is entered; on its own thread only */
    weft_scope scope;
    struct weft__context error;
    int result;
};

struct loops {
    struct weft__wait wait;
    struct weft__inbox *inbox; /* of the caller's loop */
    pthread_mutex_t lock;
    weft_loops_fn fn;
    void *arg;
    weft_run_options run;
    struct loop_thread *threads;
    size_t n;
    size_t n_started;
    size_t n_left;
    struct weft__context error; /* the first one */
    int first_error;
    bool waiting;
    bool pin;
    cpu_set_t allowed; /* if they are pinned: to one each of these */
};

_Thread_local const cpu_set_t *weft__thread_unpinned;

/* ---- on the threads ---- */

static void told_to_end(struct weft__post *post)
{
    struct loop_thread *self = WEFT__CONTAINER(post, struct loop_thread, cancel);
    if (self->inside)
        weft_scope_cancel(&self->scope, "one of the loops has failed, or all shall end");
}

static int loop_main(void *arg)
{
    struct loop_thread *self = arg;
    struct loops *loops = self->loops;
    weft_scope_enter(&self->scope, WEFT_FOREVER);
    self->inside = true;
    /* A reference, for the loop to know that others may wake it. */
    struct weft__inbox *inbox = weft__loop_current->inbox;
    weft__inbox_ref(inbox);
    pthread_mutex_lock(&loops->lock);
    self->inbox = inbox;
    bool told = self->told;
    pthread_mutex_unlock(&loops->lock);
    if (told)
        told_to_end(&self->cancel);
    int result = loops->fn(loops->arg, self->index);
    pthread_mutex_lock(&loops->lock);
    self->inbox = NULL;
    pthread_mutex_unlock(&loops->lock);
    weft__inbox_unref(inbox);
    self->inside = false;
    return weft_scope_exit(&self->scope, result);
}

static void *loop_thread(void *arg)
{
    struct loop_thread *self = arg;
    if (self->loops->pin)
        weft__thread_unpinned = &self->loops->allowed;
    self->result = weft_run_with(loop_main, self, &self->loops->run);
    if (self->result < 0)
        weft__error_move(&self->error, weft__context_get());
    weft__error_done(weft__context_get());
    weft__inbox_post(self->loops->inbox, &self->ended);
    return NULL;
}

/* ---- on the caller's loop ---- */

static void tell_all(struct loops *loops)
{
    pthread_mutex_lock(&loops->lock);
    for (size_t i = 0; i < loops->n; i++) {
        struct loop_thread *thread = &loops->threads[i];
        if (!thread->told && thread->inbox != NULL)
            weft__inbox_post(thread->inbox, &thread->cancel);
        thread->told = true;
    }
    pthread_mutex_unlock(&loops->lock);
}

static void thread_ended(struct weft__post *post)
{
    struct loop_thread *thread = WEFT__CONTAINER(post, struct loop_thread, ended);
    struct loops *loops = thread->loops;
    if (thread->result < 0 && loops->first_error == 0) {
        loops->first_error = thread->result;
        weft__error_move(&loops->error, &thread->error);
        tell_all(loops);
    }
    weft__error_done(&thread->error);
    if (--loops->n_left == 0 && loops->waiting)
        weft__wake(loops->wait.task, 0);
}

static void wait_cancelled(struct weft__wait *wait, int code)
{
    (void)code;
    tell_all(WEFT__CONTAINER(wait, struct loops, wait));
}

/* The i-th CPU, counted round, of those that the process may use. */
static void pin_to(pthread_attr_t *attr, const cpu_set_t *allowed, size_t i)
{
    cpu_set_t one;
    size_t skip = i % (size_t)CPU_COUNT(allowed);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, allowed) || skip-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_attr_setaffinity_np(attr, sizeof one, &one);
        return;
    }
}

static int start(struct loops *loops, struct loop_thread *thread)
{
    pthread_attr_t attr;
    sigset_t old;
    pthread_attr_init(&attr);
    if (loops->pin)
        pin_to(&attr, &loops->allowed, thread->index);
    weft__thread_block_signals(&old);
    int err = pthread_create(&thread->thread, &attr, loop_thread, thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return err == 0 ? 0 : weft__fail_with(-err, "the thread of loop %zu", thread->index);
}

static int start_all(struct loops *loops, struct weft__loop *loop)
{
    while (loops->n_started < loops->n) {
        struct loop_thread *thread = &loops->threads[loops->n_started];
        thread->loops = loops;
        thread->index = loops->n_started;
        thread->ended.fn = thread_ended;
        thread->cancel.fn = told_to_end;
        loops->n_left++;
        int err = start(loops, thread);
        if (err < 0) {
            loops->n_left--;
            loops->first_error = err;
            weft__error_move(&loops->error, weft__context_get());
            tell_all(loops);
            return err;
        }
        loops->n_started++;
        loop->n_pending++;
    }
    return 0;
}

/* The task of loops->wait. */
static int run_loops(void *arg)
{
    struct loops *loops = arg;
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    loops->threads = weft__calloc(loops->n, sizeof loops->threads[0]);
    if (loops->threads == NULL)
        return weft__fail_nomem();
    loops->inbox = self->loop->inbox;
    start_all(loops, self->loop);
    loops->wait.cancel = wait_cancelled;
    loops->wait.what = "loops";
    loops->waiting = loops->n_left > 0;
    if (loops->waiting)
        weft__park(self, &loops->wait);
    self->loop->n_pending -= loops->n_started;
    for (size_t i = 0; i < loops->n_started; i++)
        pthread_join(loops->threads[i].thread, NULL);
    weft__free(loops->threads);
    if (loops->first_error == 0)
        return self->cancelled ? weft__cancel_error(self) : 0;
    weft__error_move(&self->context, &loops->error);
    return loops->first_error;
}

int weft_loops_run(size_t n, weft_loops_fn fn, void *arg, const weft_loops_options *options)
{
    weft_loops_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    struct loops loops = {.fn = fn, .arg = arg, .n = n != 0 ? n : weft_cpu_count(), .pin = all.pin};
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_loops_run without a function");
    if (loops.n > WEFT__LIMIT_LOOPS)
        return weft__fail(-EINVAL, "%zu loops; at most %d are possible", n, WEFT__LIMIT_LOOPS);
    if (all.run != NULL)
        memcpy(&loops.run, all.run,
               all.run->size < sizeof loops.run ? all.run->size : sizeof loops.run);
    loops.run.size = sizeof loops.run;
    loops.pin = loops.pin && sched_getaffinity(0, sizeof loops.allowed, &loops.allowed) == 0;
    pthread_mutex_init(&loops.lock, NULL);
    /* A run of its own where there is none, for whatever ends a run. */
    const struct weft__loop *loop = weft__loop_current;
    bool plain = loop == NULL || (!loop->in_run && weft__context == &loop->native.context);
    int err =
        plain ? weft_run_with(run_loops, &loops, WEFT_RUN(.name = "loops")) : run_loops(&loops);
    pthread_mutex_destroy(&loops.lock);
    return err;
}

/* ---- how many ---- */

size_t weft_cpu_count(void)
{
    return weft__cpu_count(0);
}

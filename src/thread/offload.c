/*
 * offload.c - jobs on worker threads, and the tasks that wait for them.
 *
 * A job goes from its task to a worker, and back to the task's loop as a message.  While its
 * function runs it may have the task run something on the loop: see call.c.  A task that was
 * cancelled and has gone leaves the job behind; then the message, or the worker where the loop
 * has ended, drops it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "thread/thread_int.h"

static _Thread_local struct weft__job *current_job;

struct weft__job *weft__job_current(void)
{
    return current_job;
}

static void job_free(struct weft__job *job)
{
    weft__error_done(&job->error);
    weft__locals_unref(job->locals);
    weft__inbox_unref(job->inbox);
    weft__free(job);
}

/* The task has gone: nobody but the job knows arg any more. */
static void job_drop(struct weft__job *job)
{
    if (job->release != NULL)
        job->release(job->arg);
    job_free(job);
}

/* On the loop's thread. */
static void job_arrived(struct weft__post *post)
{
    struct weft__job *job = WEFT__CONTAINER(post, struct weft__job, post);
    if (job->abandoned) {
        job_drop(job);
        return;
    }
    job->wait.task->loop->n_pending--;
    weft__wake(job->wait.task, WEFT__JOB_ENDED);
}

/* ---- the worker's side ---- */

static void job_run(struct weft__work *work)
{
    struct weft__job *job = WEFT__CONTAINER(work, struct weft__job, work);
    current_job = job;
    weft__fault_act_for(job->faults);
    weft__locals_restore(job->locals);
    job->locals = NULL;
    job->result = job->fn(job->arg);
    weft__fault_act_for(0);
    current_job = NULL;
    /* No job leaves anything on this thread for the next one, be it a message or a loop. */
    weft__loop_free(weft__loop_current);
    weft__locals_restore(NULL);
    weft__error_move(&job->error, weft__context_get());
    if (job->result < 0 && job->error.error_code == 0)
        job->error.error_code = job->result;
}

static void job_ended(struct weft__work *work)
{
    struct weft__job *job = WEFT__CONTAINER(work, struct weft__job, work);
    /* After this the job is the loop's; where the loop has ended, the task was abandoned. */
    if (weft__inbox_post(job->inbox, &job->post) < 0)
        job_drop(job);
}

bool weft_offload_is_cancelled(void)
{
    return current_job != NULL &&
           atomic_load_explicit(&current_job->cancelled, memory_order_relaxed);
}

/* ---- the task's side ---- */

/* Tells a job that runs that its task is cancelled; true if it is left behind. */
static bool give_up(struct weft__job *job)
{
    atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
    if (job->stop != NULL)
        atomic_store_explicit(job->stop, true, memory_order_relaxed);
    if (!job->may_abandon)
        return false;
    job->abandoned = true;
    return true;
}

static void offload_cancelled(struct weft__wait *wait, int code)
{
    struct weft__job *job = WEFT__CONTAINER(wait, struct weft__job, wait);
    int64_t woken;
    (void)code;
    if (weft__work_withdraw(&job->work))
        woken = WEFT__JOB_WITHDRAWN;
    else if (give_up(job))
        woken = WEFT__JOB_ABANDONED;
    else
        return;
    wait->task->loop->n_pending--;
    weft__wake(wait->task, woken);
}

static struct weft__job *job_new(struct weft__loop *loop, const struct weft__job_spec *spec)
{
    struct weft__job *job = weft__calloc(1, sizeof *job + spec->arg_size);
    if (job == NULL)
        return NULL;
    job->post.fn = job_arrived;
    job->inbox = loop->inbox;
    job->work.limiter = spec->limiter;
    job->work.run = job_run;
    job->work.ended = job_ended;
    job->fn = spec->fn;
    job->arg = spec->arg;
    if (spec->arg_size > 0) {
        job->arg = job->copy;
        memcpy(job->copy, spec->arg, spec->arg_size);
    }
    job->faults = weft__fault_owner();
    job->locals = weft__locals_capture();
    job->may_abandon = spec->may_abandon;
    job->release = spec->release;
    job->stop = spec->stop;
    job->wait.cancel = offload_cancelled;
    job->wait.what = spec->what;
    weft__list_init(&job->work.node);
    weft__inbox_ref(job->inbox);
    return job;
}

/* Until the job has ended, or is the task's no more; on the way the task makes its calls. */
static int64_t wait_for_job(struct weft_task *self, struct weft__job *job)
{
    for (;;) {
        int64_t woken = weft__park(self, &job->wait);
        if (woken != WEFT__JOB_CALLS)
            return woken;
        struct weft__job_call *call = weft__job_make_call(self, job);
        bool abandoned = self->cancelled && give_up(job);
        if (!abandoned)
            self->loop->n_pending++;
        /* After this the job may end, and be gone if it is abandoned. */
        sem_post(&call->done);
        if (abandoned)
            return WEFT__JOB_ABANDONED;
    }
}

int weft__offload_spec(const struct weft__job_spec *spec, bool *ret_abandoned)
{
    struct weft_task *self = weft__self();
    *ret_abandoned = false;
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    struct weft__job *job = job_new(self->loop, spec);
    if (job == NULL)
        return weft__fail_nomem();
    job->wait.task = self;
    self->loop->n_pending++;
    err = weft__work_submit(&job->work);
    if (err < 0) {
        self->loop->n_pending--;
        job_free(job);
        return weft__fail_with(err, "a worker thread");
    }
    int64_t woken = wait_for_job(self, job);
    if (woken == WEFT__JOB_ABANDONED) {
        *ret_abandoned = true;
        return weft__cancel_error(self);
    }
    if (woken == WEFT__JOB_WITHDRAWN) {
        job_free(job);
        return weft__cancel_error(self);
    }
    int result = job->result;
    if (result < 0)
        weft__error_move(&self->context, &job->error);
    if (spec->arg_size > 0)
        memcpy(spec->arg, job->copy, spec->arg_size);
    job_free(job);
    return result;
}

/* ---- for modules ---- */

static struct weft__job_spec spec_of(enum weft__offload_class class, weft_fn fn, void *arg)
{
    return (struct weft__job_spec){
        .limiter = weft_offload_limiter_shared((weft_offload_class) class),
        .fn = fn,
        .arg = arg,
        .what = class == WEFT__OFFLOAD_DNS ? "name resolution" : "worker thread",
    };
}

int weft__offload_abandon(enum weft__offload_class class, weft_fn fn, void *arg,
                          void (*release)(void *arg), bool *ret_abandoned)
{
    struct weft__job_spec spec = spec_of(class, fn, arg);
    spec.may_abandon = true;
    spec.release = release;
    return weft__offload_spec(&spec, ret_abandoned);
}

int weft__offload(enum weft__offload_class class, weft_fn fn, void *arg)
{
    bool abandoned;
    struct weft__job_spec spec = spec_of(class, fn, arg);
    return weft__offload_spec(&spec, &abandoned);
}

int weft__offload_stoppable(enum weft__offload_class class, weft_fn fn, void *arg,
                            atomic_bool *stop)
{
    bool abandoned;
    struct weft__job_spec spec = spec_of(class, fn, arg);
    spec.stop = stop;
    return weft__offload_spec(&spec, &abandoned);
}

/* ---- for programs ---- */

int weft_offload(weft_fn fn, void *arg)
{
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_offload without a function");
    return weft__offload(WEFT__OFFLOAD_USER, fn, arg);
}

static int check(weft_fn fn, const void *arg, const weft_offload_options *options)
{
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_offload_with without a function");
    if (options->arg_size > 0 && options->free_arg != NULL)
        return weft__fail(-EINVAL, "an argument is copied or freed for a job, not both");
    if (options->arg_size > WEFT__LIMIT_ITEM)
        return weft__fail(-EINVAL, "an argument of %zu bytes; at most %d are copied",
                          options->arg_size, WEFT__LIMIT_ITEM);
    if (options->arg_size > 0 && arg == NULL)
        return weft__fail(-EINVAL, "no argument, of which %zu bytes shall be copied",
                          options->arg_size);
    if (options->abandon_on_cancel && arg != NULL && options->arg_size == 0 &&
        options->free_arg == NULL)
        return weft__fail(-EINVAL, "a job that may be abandoned needs arg_size or free_arg");
    return 0;
}

int weft_offload_with(weft_fn fn, void *arg, const weft_offload_options *options)
{
    weft_offload_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = check(fn, arg, &all);
    if (err < 0)
        return err;
    struct weft__job_spec spec = spec_of(WEFT__OFFLOAD_USER, fn, arg);
    if (all.limiter != NULL)
        spec.limiter = all.limiter;
    if (all.name != NULL)
        spec.what = all.name;
    spec.may_abandon = all.abandon_on_cancel;
    spec.release = all.free_arg;
    spec.arg_size = all.arg_size;
    bool abandoned;
    int result = weft__offload_spec(&spec, &abandoned);
    if (result == -ECANCELED && !abandoned && all.free_arg != NULL)
        all.free_arg(arg);
    return result;
}

/*
 * call.c - what a job on a worker thread has its own task run on the loop.
 *
 * The task waits for the job anyway, so it is the one that makes the call: in its scopes, on
 * its stack.  Where it has gone, because the job was abandoned, the call fails.
 */
#include <errno.h>

#include "thread/thread_int.h"

/* On the loop's thread. The worker waits, and goes on as soon as done is posted. */
static void call_arrived(struct weft__post *post)
{
    struct weft__job_call *call = WEFT__CONTAINER(post, struct weft__job_call, post);
    struct weft__job *job = call->job;
    if (job->abandoned) {
        call->result = -ECANCELED;
        sem_post(&call->done);
        return;
    }
    /* The worker does nothing meanwhile: tasks that wait for it wait for this call. */
    job->wait.task->loop->n_pending--;
    job->call = call;
    weft__wake(job->wait.task, WEFT__JOB_CALLS);
}

struct weft__job_call *weft__job_make_call(struct weft_task *self, struct weft__job *job)
{
    struct weft__job_call *call = job->call;
    job->call = NULL;
    int result = weft__checkpoint(self);
    if (result == 0)
        result = call->fn(call->arg);
    if (result < 0)
        weft__error_move(&call->error, &self->context);
    call->result = result;
    return call;
}

int weft_call_from_thread(weft_fn fn, void *arg)
{
    struct weft__job *job = weft__job_current();
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_call_from_thread without a function");
    if (job == NULL)
        return weft__fail(-EINVAL, "weft_call_from_thread is for functions that were offloaded");
    struct weft__job_call call = {.post.fn = call_arrived, .job = job, .fn = fn, .arg = arg};
    sem_init(&call.done, 0, 0);
    int err = weft__inbox_post(job->inbox, &call.post);
    if (err == 0) {
        while (sem_wait(&call.done) < 0)
            continue;
        err = call.result;
    }
    sem_destroy(&call.done);
    if (err >= 0)
        return err;
    /* A loop that has ended, and a task that has gone, leave no message. */
    if (err == -ECANCELED && call.error.error_code == 0)
        return weft__fail(-ECANCELED, "the call that offloaded this function was cancelled");
    weft__error_move(weft__context_get(), &call.error);
    if (weft__context_get()->error_code == 0)
        weft__context_get()->error_code = err;
    return err;
}

/*
 * offload.c - worker threads and the jobs that tasks wait for.
 *
 * A job goes from its task to a pool's queue, to a worker, and back to the task's loop as a
 * message.  Three parties may touch it: state says who may still drop it.  Threads are started
 * when a job finds none idle, and end after some seconds without work.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/list.h"
#include "run/run_int.h"
#include "thread/thread_int.h"

enum { IDLE_SECONDS = 5, WORKER_STACK = 512 * 1024 };

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_ENDED };

struct job {
    struct weft__post post;
    struct weft__list node; /* in the pool's queue */
    struct weft__wait wait;
    struct weft__inbox *inbox;
    struct pool *pool;
    weft_fn fn;
    void *arg;
    void (*release)(void *arg); /* not NULL: may be abandoned */
    atomic_bool *stop;          /* not NULL: set when the task is cancelled */
    struct weft__context error;
    uint64_t faults; /* whose: see base/fault.h */
    int result;
    enum job_state state; /* under the pool's lock until it runs */
    bool abandoned;       /* the task has gone; on the loop's thread only */
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct weft__list queue;
    int n_threads;
    int n_idle;
    int n_queued;
    int max;
    bool ready;
};

static struct pool pools[] = {
    [WEFT__OFFLOAD_USER] = {.lock = PTHREAD_MUTEX_INITIALIZER, .max = WEFT__LIMIT_WORKERS_FILES},
    [WEFT__OFFLOAD_FILES] = {.lock = PTHREAD_MUTEX_INITIALIZER, .max = WEFT__LIMIT_WORKERS_FILES},
    [WEFT__OFFLOAD_DNS] = {.lock = PTHREAD_MUTEX_INITIALIZER, .max = WEFT__LIMIT_WORKERS_DNS},
};
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* The child of a fork has no workers; what was queued belongs to tasks that it does not have. */
static void forked_child(void)
{
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        int max = pools[i].max;
        pools[i] = (struct pool){.lock = PTHREAD_MUTEX_INITIALIZER, .max = max};
    }
}

static void install_fork(void)
{
    pthread_atfork(NULL, NULL, forked_child);
}

static void pool_prepare(struct pool *pool)
{
    if (pool->ready)
        return;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &attr);
    pthread_condattr_destroy(&attr);
    weft__list_init(&pool->queue);
    pool->ready = true;
}

static void job_free(struct job *job)
{
    weft__error_done(&job->error);
    weft__inbox_unref(job->inbox);
    weft__free(job);
}

/* The task has gone: nobody but the job knows arg any more. */
static void job_drop(struct job *job)
{
    job->release(job->arg);
    job_free(job);
}

/* On the loop's thread. */
static void job_arrived(struct weft__post *post)
{
    struct job *job = WEFT__CONTAINER(post, struct job, post);
    if (job->abandoned) {
        job_drop(job);
        return;
    }
    job->wait.task->loop->n_pending--;
    job->state = JOB_ENDED;
    weft__wake(job->wait.task, 0);
}

/* ---- workers ---- */

/* The next job, or NULL when there was none for a while. Called and returns with the lock. */
static struct job *next_job(struct pool *pool)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    while (weft__list_is_empty(&pool->queue)) {
        pool->n_idle++;
        int err = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
        pool->n_idle--;
        if (err == ETIMEDOUT && weft__list_is_empty(&pool->queue))
            return NULL;
    }
    struct weft__list *node = weft__list_pop_front(&pool->queue);
    struct job *job = WEFT__CONTAINER(node, struct job, node);
    pool->n_queued--;
    job->state = JOB_RUNNING;
    return job;
}

static void run_job(struct job *job)
{
    /* No job leaves anything on this thread for the next one, be it a message or a loop. */
    weft__fault_act_for(job->faults);
    job->result = job->fn(job->arg);
    weft__fault_act_for(0);
    weft__loop_free(weft__loop_current);
    weft__error_move(&job->error, weft__context_get());
    if (job->result < 0 && job->error.error_code == 0)
        job->error.error_code = job->result;
    /* After this the job is the loop's; where the loop has ended, the task was abandoned. */
    if (weft__inbox_post(job->inbox, &job->post) < 0)
        job_drop(job);
}

static void *worker(void *arg)
{
    struct pool *pool = arg;
    struct job *job;
    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        run_job(job);
        pthread_mutex_lock(&pool->lock);
    }
    pool->n_threads--;
    pthread_mutex_unlock(&pool->lock);
    weft__error_done(weft__context_get());
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct pool *pool)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, WORKER_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&thread, &attr, worker, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return -err;
}

static int enqueue(struct pool *pool, struct job *job)
{
    int err = 0;
    pthread_once(&fork_once, install_fork);
    pthread_mutex_lock(&pool->lock);
    pool_prepare(pool);
    if (pool->n_idle <= pool->n_queued && pool->n_threads < pool->max) {
        err = start_thread(pool);
        if (err == 0)
            pool->n_threads++;
        else if (pool->n_threads > 0)
            err = 0; /* the ones there are will do it */
    }
    if (err == 0) {
        weft__list_push_back(&pool->queue, &job->node);
        pool->n_queued++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

/* ---- the task's side ---- */

/* Takes a job that no worker has begun out of the queue. */
static bool dequeue(struct job *job)
{
    struct pool *pool = job->pool;
    pthread_mutex_lock(&pool->lock);
    bool queued = job->state == JOB_QUEUED;
    if (queued) {
        weft__list_remove(&job->node);
        pool->n_queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

enum { WOKEN_DROPPED = 1, WOKEN_ABANDONED = 2 };

static void offload_cancelled(struct weft__wait *wait, int code)
{
    struct job *job = WEFT__CONTAINER(wait, struct job, wait);
    (void)code;
    if (dequeue(job)) {
        wait->task->loop->n_pending--;
        weft__wake(wait->task, WOKEN_DROPPED);
    } else if (job->release != NULL) {
        job->abandoned = true;
        wait->task->loop->n_pending--;
        weft__wake(wait->task, WOKEN_ABANDONED);
    } else if (job->stop != NULL) {
        atomic_store_explicit(job->stop, true, memory_order_relaxed);
    }
}

static struct job *job_new(struct weft__loop *loop, enum weft__offload_class class, weft_fn fn,
                           void *arg, void (*release)(void *arg))
{
    struct job *job = weft__calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->post.fn = job_arrived;
    job->inbox = loop->inbox;
    job->pool = &pools[class];
    job->fn = fn;
    job->arg = arg;
    job->release = release;
    job->faults = weft__fault_owner();
    job->wait.cancel = offload_cancelled;
    job->wait.what = class == WEFT__OFFLOAD_DNS ? "name resolution" : "worker thread";
    weft__list_init(&job->node);
    weft__inbox_ref(job->inbox);
    return job;
}

static int offload(const struct job *wanted, enum weft__offload_class class, bool *ret_abandoned)
{
    struct weft_task *self = weft__self();
    *ret_abandoned = false;
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    struct job *job = job_new(self->loop, class, wanted->fn, wanted->arg, wanted->release);
    if (job == NULL)
        return weft__fail_nomem();
    job->stop = wanted->stop;
    job->wait.task = self;
    self->loop->n_pending++;
    err = enqueue(job->pool, job);
    if (err < 0) {
        self->loop->n_pending--;
        job_free(job);
        return weft__fail_with(err, "a worker thread");
    }
    int64_t woken = weft__park(self, &job->wait);
    if (woken == WOKEN_ABANDONED) {
        *ret_abandoned = true;
        return weft__cancel_error(self);
    }
    if (woken == WOKEN_DROPPED) {
        job_free(job);
        return weft__cancel_error(self);
    }
    int result = job->result;
    if (result < 0)
        weft__error_move(&self->context, &job->error);
    job_free(job);
    return result;
}

int weft__offload_abandon(enum weft__offload_class class, weft_fn fn, void *arg,
                          void (*release)(void *arg), bool *ret_abandoned)
{
    return offload(&(struct job){.fn = fn, .arg = arg, .release = release}, class, ret_abandoned);
}

int weft__offload(enum weft__offload_class class, weft_fn fn, void *arg)
{
    bool abandoned;
    return offload(&(struct job){.fn = fn, .arg = arg}, class, &abandoned);
}

int weft__offload_stoppable(enum weft__offload_class class, weft_fn fn, void *arg,
                            atomic_bool *stop)
{
    bool abandoned;
    return offload(&(struct job){.fn = fn, .arg = arg, .stop = stop}, class, &abandoned);
}

int weft_offload(weft_fn fn, void *arg)
{
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_offload without a function");
    return weft__offload(WEFT__OFFLOAD_USER, fn, arg);
}

/*
 * limiter.c - worker threads, and the limiters that say how much of what they may do at once.
 *
 * One lock guards all of it: it is held for a few instructions for each piece of work.  Work
 * that its limiter admits goes to the thread that has been idle for the shortest time, or to a
 * new one; further work waits in the limiter's queue for one of its own to end.  Threads end
 * after some seconds without work, and when the process exits.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "thread/thread_int.h"

enum { IDLE_SECONDS = 5, WORKER_STACK = 512 * 1024, EXIT_WAIT_MS = 1000 };

struct weft_offload_limiter {
    struct weft__list node; /* in all_limiters */
    struct weft__list queue;
    size_t max;
    size_t running;
    size_t waiting;
    uint64_t total;
    bool freed; /* goes when its last work has ended */
};

/* On the stack of its thread. */
struct worker {
    struct weft__list node; /* in idle */
    pthread_cond_t wake;
    _Atomic(struct weft__work *) work;
};

static struct weft_offload_limiter shared[] = {
    [WEFT_OFFLOAD_USER] = {.max = WEFT__LIMIT_WORKERS_USER},
    [WEFT_OFFLOAD_FILES] = {.max = WEFT__LIMIT_WORKERS_FILES},
    [WEFT_OFFLOAD_DNS] = {.max = WEFT__LIMIT_WORKERS_DNS},
};
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Adaptive: a loop that finds it taken looks again before it goes to sleep behind the workers. */
static pthread_mutex_t lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t left; /* a thread has ended, or shall */
static struct weft__list all_limiters;
static struct weft__list idle; /* the one that became so last comes first */
static size_t n_threads;
static size_t n_busy;
/* Idle threads end: until there is new work, and nobody waits for their end. */
static bool stopping;
static size_t n_stoppers;
static struct weft__spin spin;
/* The one idle thread that looks for work itself; more would only take processors from others. */
static struct worker *looker;

/* ---- the process begins, forks and ends ---- */

static void make_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

static struct timespec clock_in(int64_t duration)
{
    int64_t when = weft__clock_add(weft__clock_monotonic(), duration);
    return (struct timespec){.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000};
}

static void stop_idle(void)
{
    stopping = true;
    n_stoppers++;
    for (struct weft__list *node = idle.next; node != &idle; node = node->next)
        pthread_cond_signal(&WEFT__CONTAINER(node, struct worker, node)->wake);
}

/* Threads with work are left to it: a program ends though a look-up hangs. */
static void at_exit(void)
{
    struct timespec until = clock_in(WEFT_MS(EXIT_WAIT_MS));
    pthread_mutex_lock(&lock);
    stop_idle();
    while (n_threads > n_busy && pthread_cond_timedwait(&left, &lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&lock);
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void parent_forked(void)
{
    pthread_mutex_unlock(&lock);
}

/* The child of a fork has no workers; what was queued belongs to tasks that it does not have. */
static void child_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    make_cond(&left);
    weft__list_init(&idle);
    n_threads = 0;
    n_busy = 0;
    n_stoppers = 0;
    looker = NULL;
    for (struct weft__list *node = all_limiters.next; node != &all_limiters; node = node->next) {
        struct weft_offload_limiter *limiter =
            WEFT__CONTAINER(node, struct weft_offload_limiter, node);
        weft__list_init(&limiter->queue);
        limiter->running = 0;
        limiter->waiting = 0;
    }
}

static void limiter_init(struct weft_offload_limiter *limiter)
{
    weft__list_init(&limiter->queue);
    weft__list_push_back(&all_limiters, &limiter->node);
}

static void prepare(void)
{
    make_cond(&left);
    weft__list_init(&idle);
    weft__list_init(&all_limiters);
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        limiter_init(&shared[i]);
    /* Not by a worker, at a time that nobody expects. */
    weft__spin_prepare();
    pthread_atfork(before_fork, parent_forked, child_forked);
    atexit(at_exit);
}

/* ---- workers; all with the lock ---- */

static struct weft__work *next_of(struct weft_offload_limiter *limiter)
{
    if (limiter->waiting == 0 || limiter->running >= limiter->max)
        return NULL;
    struct weft__list *node = weft__list_pop_front(&limiter->queue);
    struct weft__work *work = WEFT__CONTAINER(node, struct weft__work, node);
    limiter->waiting--;
    limiter->running++;
    work->queued = false;
    return work;
}

static void limiter_release(struct weft_offload_limiter *limiter)
{
    if (!limiter->freed || limiter->running > 0 || limiter->waiting > 0)
        return;
    weft__list_remove(&limiter->node);
    weft__free(limiter);
}

static bool has_work(const void *arg)
{
    const struct worker *self = arg;
    return atomic_load_explicit(&self->work, memory_order_acquire) != NULL;
}

/* Whoever gives it work does so in less time, often, than it takes to fall asleep and be woken. */
static void look_for_work(struct worker *self)
{
    if (self->work != NULL || looker != NULL || stopping || !weft__spin_is_due(&spin, n_busy + 1))
        return;
    looker = self;
    pthread_mutex_unlock(&lock);
    bool came = weft__spin_until(has_work, self);
    pthread_mutex_lock(&lock);
    if (looker == self)
        looker = NULL;
    weft__spin_tried(&spin, came);
}

/* Waits for work; false when there was none for a while, or there shall be none. */
static bool wait_for_work(struct worker *self)
{
    look_for_work(self);
    struct timespec until = clock_in(WEFT_SEC(IDLE_SECONDS));
    int err = 0;
    while (self->work == NULL && !stopping && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&self->wake, &lock, &until);
    if (self->work != NULL)
        return true;
    weft__list_remove(&self->node);
    return false;
}

/* Runs one piece of work; then either self->work is the next, or self is idle. */
static void run_work(struct worker *self)
{
    struct weft__work *work = self->work;
    struct weft_offload_limiter *limiter = work->limiter;
    pthread_mutex_unlock(&lock);
    work->run(work);
    pthread_mutex_lock(&lock);
    /* Before anybody learns of the end: who does may look at the limiter, or free it. */
    limiter->running--;
    limiter->total++;
    self->work = next_of(limiter);
    if (self->work == NULL) {
        weft__list_push_front(&idle, &self->node);
        n_busy--;
        limiter_release(limiter);
    }
    pthread_mutex_unlock(&lock);
    work->ended(work);
    pthread_mutex_lock(&lock);
}

static void *worker(void *arg)
{
    struct worker self = {.work = arg};
    weft__list_init(&self.node);
    make_cond(&self.wake);
    pthread_mutex_lock(&lock);
    do
        run_work(&self);
    while (wait_for_work(&self));
    /* Its memory goes before it counts as gone. */
    pthread_mutex_unlock(&lock);
    weft__error_done(weft__context_get());
    pthread_cond_destroy(&self.wake);
    pthread_mutex_lock(&lock);
    n_threads--;
    pthread_cond_broadcast(&left);
    pthread_mutex_unlock(&lock);
    return NULL;
}

void weft__thread_block_signals(sigset_t *ret_old)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                 SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, ret_old);
}

static int start_thread(struct weft__work *work)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t old;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, WORKER_STACK);
    weft__thread_block_signals(&old);
    int err = pthread_create(&thread, &attr, worker, work);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (err == 0) {
        pthread_setname_np(thread, "weft-worker");
        if (weft__thread_unpinned != NULL)
            pthread_setaffinity_np(thread, sizeof *weft__thread_unpinned, weft__thread_unpinned);
        n_threads++;
        n_busy++;
    }
    return -err;
}

/* Work that its limiter has admitted. */
static int hand_over(struct weft__work *work)
{
    struct worker *worker = looker;
    if (weft__list_is_empty(&idle))
        return start_thread(work);
    if (worker == NULL)
        worker = WEFT__CONTAINER(idle.next, struct worker, node);
    weft__list_remove(&worker->node);
    n_busy++;
    worker->work = work;
    if (worker != looker)
        pthread_cond_signal(&worker->wake);
    looker = NULL;
    return 0;
}

/* Begins what the limiter admits now. Where no thread can be had it stays queued. */
static void begin_waiting(struct weft_offload_limiter *limiter)
{
    struct weft__work *work;
    while ((work = next_of(limiter)) != NULL) {
        if (hand_over(work) == 0)
            continue;
        limiter->running--;
        limiter->waiting++;
        work->queued = true;
        weft__list_push_front(&limiter->queue, &work->node);
        return;
    }
}

/* ---- work ---- */

int weft__work_submit(struct weft__work *work)
{
    struct weft_offload_limiter *limiter = work->limiter;
    int err = 0;
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    stopping = n_stoppers > 0;
    limiter->waiting++;
    work->queued = true;
    weft__list_push_back(&limiter->queue, &work->node);
    begin_waiting(limiter);
    /* The others of the limiter will do it when they have time; nobody else looks there. */
    if (work->queued && limiter->running == 0) {
        weft__list_remove(&work->node);
        limiter->waiting--;
        err = -EAGAIN;
    }
    pthread_mutex_unlock(&lock);
    return err;
}

bool weft__work_withdraw(struct weft__work *work)
{
    pthread_mutex_lock(&lock);
    bool queued = work->queued;
    if (queued) {
        weft__list_remove(&work->node);
        work->queued = false;
        work->limiter->waiting--;
    }
    pthread_mutex_unlock(&lock);
    return queued;
}

/* ---- limiters ---- */

static int check_max(size_t max)
{
    if (max >= 1 && max <= WEFT__LIMIT_WORKERS_MAX)
        return 0;
    return weft__fail(-EINVAL, "a limiter of %zu threads; 1 to %d are possible", max,
                      WEFT__LIMIT_WORKERS_MAX);
}

int weft_offload_limiter_new(size_t max, weft_offload_limiter **ret)
{
    int err = check_max(max);
    if (err < 0)
        return err;
    struct weft_offload_limiter *limiter = weft__calloc(1, sizeof *limiter);
    if (limiter == NULL)
        return weft__fail_nomem();
    limiter->max = max;
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    limiter_init(limiter);
    pthread_mutex_unlock(&lock);
    *ret = limiter;
    return 0;
}

void weft_offload_limiter_free(weft_offload_limiter *limiter)
{
    if (limiter == NULL)
        return;
    pthread_mutex_lock(&lock);
    limiter->freed = true;
    limiter_release(limiter);
    pthread_mutex_unlock(&lock);
}

weft_offload_limiter *weft_offload_limiter_shared(weft_offload_class kind)
{
    size_t i = (size_t)kind;
    pthread_once(&once, prepare);
    return i < sizeof shared / sizeof shared[0] ? &shared[i] : NULL;
}

int weft_offload_limiter_set_max(weft_offload_limiter *limiter, size_t max)
{
    int err = check_max(max);
    if (err < 0)
        return err;
    pthread_mutex_lock(&lock);
    limiter->max = max;
    begin_waiting(limiter);
    pthread_mutex_unlock(&lock);
    return 0;
}

void weft_offload_limiter_stats(const weft_offload_limiter *limiter, weft_offload_stats *ret)
{
    pthread_mutex_lock(&lock);
    *ret = (weft_offload_stats){
        .size = sizeof *ret,
        .max = limiter->max,
        .running = limiter->running,
        .waiting = limiter->waiting,
        .total = limiter->total,
        .threads = n_threads,
        .threads_idle = n_threads - n_busy,
    };
    pthread_mutex_unlock(&lock);
}

int weft_offload_shutdown(int64_t timeout)
{
    if (weft__job_current() != NULL)
        return weft__fail(-EDEADLK, "an offloaded function would wait for its own end");
    pthread_once(&once, prepare);
    struct timespec until = clock_in(timeout < 0 ? 0 : timeout);
    int err = 0;
    pthread_mutex_lock(&lock);
    stop_idle();
    while (n_threads > 0 && err != ETIMEDOUT)
        err = timeout == WEFT_FOREVER ? pthread_cond_wait(&left, &lock)
                                      : pthread_cond_timedwait(&left, &lock, &until);
    size_t running = n_threads;
    n_stoppers--;
    pthread_mutex_unlock(&lock);
    if (running == 0)
        return 0;
    return weft__fail(-ETIMEDOUT, "%zu worker threads are still at work after %.6g s", running,
                      (double)timeout * 1e-9);
}

/*
 * thread_int.h - blocking work for modules, and what the files of thread share.
 *
 * A job belongs to a limiter, which says how many of its jobs run at once; threads belong to
 * nobody and take jobs of any limiter.
 */
#ifndef WEFT_THREAD_THREAD_INT_H
#define WEFT_THREAD_THREAD_INT_H

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

#include <weft/thread.h>

#include "base/list.h"
#include "run/run_int.h"

/* A class that is busy or stuck never keeps another one waiting. */
enum weft__offload_class {
    WEFT__OFFLOAD_USER = WEFT_OFFLOAD_USER,
    WEFT__OFFLOAD_FILES = WEFT_OFFLOAD_FILES,
    WEFT__OFFLOAD_DNS = WEFT_OFFLOAD_DNS
};

/*
 * Runs fn(arg) on a worker thread and waits for its end.  Cancelled while the job is queued,
 * it returns -ECANCELED and fn never runs; once it runs, the call returns only when fn has,
 * with its result.  The message that fn set comes along.
 */
int weft__offload(enum weft__offload_class class, weft_fn fn, void *arg);

/*
 * The same, but cancelled while the job runs, it sets *stop, which fn looks at now and then.
 */
int weft__offload_stoppable(enum weft__offload_class class, weft_fn fn, void *arg,
                            atomic_bool *stop);

/*
 * As weft__offload, but a cancelled call returns -ECANCELED at once.  Then, and only then, arg belongs
 * to the job: release(arg) is called when it has ended, maybe on the worker.  *ret_abandoned
 * tells whether that happened.
 */
int weft__offload_abandon(enum weft__offload_class class, weft_fn fn, void *arg,
                          void (*release)(void *arg), bool *ret_abandoned);

/* ---- limiters and threads ---- */

struct weft__work {
    struct weft__list node; /* in the limiter's queue */
    weft_offload_limiter *limiter;
    /* Both on the worker.  The work is over for its limiter between the two calls. */
    void (*run)(struct weft__work *work);
    void (*ended)(struct weft__work *work); /* the last thing that the worker does with it */
    bool queued;                            /* under the workers' lock */
};

/* Hands work to a thread, or queues it. -EAGAIN: no thread could be started. */
int weft__work_submit(struct weft__work *work);
/* Takes work that has not begun out of the queue; false if it has. */
bool weft__work_withdraw(struct weft__work *work);

/*
 * For the threads that are started until *ret_old is set again: signals are for the program's
 * own threads, but for those that a fault of the code raises.
 */
void weft__thread_block_signals(sigset_t *ret_old);

/* On the thread of a pinned loop: where it could be otherwise, as the workers that it starts. */
extern _Thread_local const cpu_set_t *weft__thread_unpinned;

/* To other threads a loop is its inbox, which outlives it. */
struct weft__inbox *weft__inbox_of(weft_loop *loop);

/* ---- jobs ---- */

/* What a job's task is woken with. */
enum { WEFT__JOB_ENDED, WEFT__JOB_WITHDRAWN, WEFT__JOB_ABANDONED, WEFT__JOB_CALLS };

struct weft__job_spec {
    weft_offload_limiter *limiter;
    weft_fn fn;
    void *arg;
    size_t arg_size; /* not 0: fn has a copy, which is copied back */
    const char *what;
    void (*release)(void *arg); /* for arg of an abandoned job; NULL: nothing to be done */
    atomic_bool *stop;          /* not NULL: set when the task is cancelled */
    bool may_abandon;
};

/* A function that a job has its task run; on the worker's stack. */
struct weft__job_call {
    struct weft__post post;
    struct weft__job *job;
    weft_fn fn;
    void *arg;
    struct weft__context error;
    int result;
    sem_t done;
};

struct weft__job {
    struct weft__post post;
    struct weft__work work;
    struct weft__wait wait;
    struct weft__inbox *inbox;
    struct weft__job_call *call; /* the task shall make it; on the loop's thread only */
    weft_fn fn;
    void *arg;
    void (*release)(void *arg);
    atomic_bool *stop;
    atomic_bool cancelled;
    struct weft__context error;
    struct weft__locals *locals; /* the task's, for the function */
    uint64_t faults;             /* whose: see base/fault.h */
    int result;
    bool may_abandon;
    bool abandoned; /* the task has gone; on the loop's thread only */
    alignas(max_align_t) char copy[];
};

/* -ECANCELED with *ret_abandoned: release will be called, or has been. */
int weft__offload_spec(const struct weft__job_spec *spec, bool *ret_abandoned);
/* The job whose function runs on this thread, or NULL. */
struct weft__job *weft__job_current(void);
/* On the job's task: makes the call that the job waits for, until done is posted. */
struct weft__job_call *weft__job_make_call(struct weft_task *self, struct weft__job *job);

#endif

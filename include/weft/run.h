/*
 * weft/run.h - running, tasks, sleep; scopes and groups come along.
 *
 *     static int hello(void *arg) { weft_sleep(WEFT_SEC(1)); puts(arg); return 0; }
 *     int main(void) { return weft_run(hello, "world") != 0; }
 *
 * A task is a function that may block: weft_sleep, reads, waits.  While it waits, other
 * tasks of the same loop run.  Every task belongs to a group, and leaving the group joins it.
 * A cancelled scope makes every blocking call inside it return -ECANCELED until the scope is
 * left.  Every call that may block also works outside weft_run: then the calling thread
 * itself waits, and drives the tasks it started meanwhile.
 *
 * One loop per thread; nothing here may be used from another thread unless it says so.
 */
#ifndef WEFT_RUN_H
#define WEFT_RUN_H

#include <weft/group.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_task weft_task;

typedef enum weft_backend {
    WEFT_BACKEND_DEFAULT =
        0, /* WEFT_BACKEND=uring|epoll in the environment, else io_uring if it can be had */
    WEFT_BACKEND_URING,
    WEFT_BACKEND_EPOLL,
    WEFT_BACKEND_VIRTUAL /* virtual clock, no sockets: for tests, see weft/testing.h */
} weft_backend;

typedef struct weft_run_options {
    size_t size;
    weft_backend backend;
    size_t stack_size;        /* of tasks, bytes; default 256 KiB */
    uint64_t seed;            /* not 0: ready tasks run in an order drawn from this seed */
    const char *name;         /* of the main task; default "main" */
    int64_t background_grace; /* for shields of background tasks at the end; default 5 s */
    /* Called when a background task has failed; it must not block.  Default: a line on stderr. */
    void (*on_background_error)(const weft_outcome *outcome, void *userdata);
    void *userdata;   /* handed to it */
    bool keep_sigint; /* SIGINT does what it does otherwise */
} weft_run_options;
#define WEFT_RUN(...) WEFT_OPTIONS(weft_run_options, __VA_ARGS__)

/**
 * weft_run() - run a function as the main task of an event loop, and wait for its end
 * @fn:  the main task's function.
 * @arg: borrows, handed to fn.
 *
 * The loop serves the calling thread until fn and everything it started have ended.  Threads
 * may each run a loop of their own.  If all tasks wait for one another and nothing is under
 * way that could wake any, the run is cancelled, and the tasks are printed to stderr.
 *
 * On the main thread, where SIGINT has no handler, the first one cancels the run: if the main
 * task then returns -ECANCELED, this returns -EINTR, for which a program exits with 130.  The
 * second one ends the program.
 *
 * Suspends: yes, the calling thread.
 * Cancel:   fn is cancelled with a scope that the thread has entered around the call.
 * Return:   what fn returned, or negative.
 * Errors:   -EINVAL no function, or WEFT_BACKEND names no back end; WEFT_ENESTED inside a task;
 *           -EDEADLK; -EINTR; WEFT_EFORKED; -ENOMEM, -EMFILE no loop could be made; those of fn.
 * Source:   asyncio.run.
 * Since:    0.1
 */
WEFT_API int weft_run(weft_fn fn, void *arg);
/**
 * weft_run_with() - weft_run() with options
 * @fn:      the main task's function.
 * @arg:     borrows, handed to fn.
 * @options: borrows, NULL for defaults.
 *
 * A back end that is asked for replaces the loop that earlier calls outside weft_run made.
 *
 * Suspends: yes, the calling thread.
 * Cancel:   as weft_run().
 * Return:   what fn returned, or negative.
 * Errors:   those of weft_run(); -EINVAL a stack_size that is too large, or no such back end;
 *           -EBUSY tasks or scopes of this thread still use another back end.
 * Source:   asyncio.Runner.
 * Since:    0.1
 */
WEFT_API int weft_run_with(weft_fn fn, void *arg, const weft_run_options *options);
/* Several runs, one loop. */
typedef struct weft_runner weft_runner;

/**
 * weft_runner_new() - make a loop that lasts for several runs
 * @options: copies, NULL for defaults; .name and .userdata it keeps until it is freed.
 * @ret:     gives, free with weft_runner_free().
 *
 * What one run has made can be used in the next: connections, background tasks, and the
 * task-local values that its main task ended with.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of weft_run_with() about its loop.
 * Source:   asyncio.Runner.
 * Since:    0.1
 */
WEFT_API int weft_runner_new(const weft_run_options *options, weft_runner **ret);
/**
 * weft_runner_run() - run a function as the main task of a runner's loop, and wait for its end
 * @runner: borrows. Made by the calling thread.
 * @fn:     the main task's function.
 * @arg:    borrows, handed to fn.
 *
 * Background tasks that it has started are not ended; they go on with the next run.
 *
 * Suspends: yes, the calling thread.
 * Cancel:   as weft_run().
 * Return:   what fn returned, or negative.
 * Errors:   -EINVAL no function, or a runner of another thread; WEFT_ENESTED; WEFT_EFORKED;
 *           WEFT_ECLOSED the thread that made it has ended; -EDEADLK; -EINTR; those of fn.
 * Source:   asyncio.Runner.run.
 * Since:    0.1
 */
WEFT_API int weft_runner_run(weft_runner *runner, weft_fn fn, void *arg);
/**
 * weft_runner_free() - end a runner, its background tasks and its loop
 * @runner: takes. NULL is allowed. By the thread that made it, outside its runs.
 *
 * A loop that was there before the runner stays.
 *
 * Suspends: yes, the calling thread, until the background tasks have ended.
 * Cancel:   they are joined all the same.
 * Source:   asyncio.Runner.close.
 * Since:    0.1
 */
WEFT_API void weft_runner_free(weft_runner *runner);
WEFT_DEFINE_AUTO(weft_runner, weft_runner_free)

/**
 * weft_backend_name() - "io_uring", "epoll" or "virtual"
 *
 * Makes the calling thread's loop if there is none yet.
 *
 * Suspends: never.
 * Return:   lends a static string; "none" where no loop can be made.
 * Since:    0.1
 */
WEFT_API const char *weft_backend_name(void);

/**
 * weft_sleep() - wait for a time
 * @duration: ns. 0 or less lets other ready tasks run once; WEFT_FOREVER waits for cancellation.
 *
 * Suspends: yes.
 * Cancel:   the wait ends at once; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; -ENOMEM.
 * Source:   asyncio.sleep.
 * Since:    0.1
 */
WEFT_API int weft_sleep(int64_t duration);
/**
 * weft_yield() - let the other ready tasks run
 *
 * Suspends: yes, until those that are ready now have had their turn.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED.
 * Source:   asyncio.sleep(0).
 * Since:    0.1
 */
WEFT_API int weft_yield(void);
/**
 * weft_checkpoint() - is the calling task cancelled?
 *
 * For long computations: they do not notice a cancellation by themselves.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; WEFT_EFORKED.
 * Source:   trio.lowlevel.checkpoint_if_cancelled.
 * Since:    0.1
 */
WEFT_API int weft_checkpoint(void);

/**
 * weft_task_self() - the calling task
 *
 * Suspends: never.
 * Return:   lends until the task ends; outside tasks, what stands for the thread; NULL where no
 *           loop can be made.
 * Source:   asyncio.current_task.
 * Since:    0.1
 */
WEFT_API weft_task *weft_task_self(void);
/**
 * weft_task_name() - the name a task was given
 * @task: borrows. NULL is allowed.
 *
 * Suspends: never.
 * Return:   lends until the task ends; "task" for one without a name.
 * Source:   asyncio.Task.get_name.
 * Since:    0.1
 */
WEFT_API const char *weft_task_name(const weft_task *task);
/**
 * weft_task_count() - the tasks of this thread's loop that have not ended
 *
 * Suspends: never.
 * Return:   their number, the main task included.
 * Source:   len(asyncio.all_tasks()).
 * Since:    0.1
 */
WEFT_API size_t weft_task_count(void);

#ifdef __cplusplus
}
#endif
#endif

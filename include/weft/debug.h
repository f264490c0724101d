/*
 * weft/debug.h - seeing inside: what every task waits for, and where.
 */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * weft_task_id() - the number of a task, as it stands in dumps
 * @task: borrows. NULL is allowed.
 *
 * Suspends: never.
 * Return:   1 for the first task of a loop, and so on; 0 for what stands for the thread.
 * Since:    0.1
 */
WEFT_API uint64_t weft_task_id(const weft_task *task);

/**
 * weft_dump_tasks() - print the tree of tasks of the calling thread's loop
 * @fd: where to, as STDERR_FILENO.
 *
 * Each task has its name and number, what it waits for and since when, and its call stack,
 * innermost call first; scopes and groups have the time that is left, and why they were
 * cancelled.  Of tasks of a group that do the same, four are shown and the others counted.  At
 * most 1000 tasks are shown, and 48 calls of each.  Offsets in brackets are what addr2line -e
 * takes.  Needs no memory.  The descriptor is written to without regard for others: where it may
 * block, so does the loop.
 *
 * Suspends: never.
 * Source:   asyncio.print_call_graph, Task.print_stack.
 * Since:    0.1
 */
WEFT_API void weft_dump_tasks(int fd);

/* ---- when something hangs ---- */

/* A task that has held its loop for too long. */
typedef struct weft_stall {
    const char *task;    /* its name; lends until the function returns */
    uint64_t id;         /* as weft_task_id() */
    int thread;          /* of the loop, as gettid() */
    int64_t held;        /* ns since it was given its turn, as far as was seen */
    bool over;           /* it has given way: no frames */
    void *const *frames; /* return addresses, innermost first, as those of backtrace() */
    int n_frames;        /* 0 if they could not be had */
} weft_stall;

typedef struct weft_debug_options {
    size_t size;
    int dump_signal; /* prints the tasks of all loops to stderr; default SIGQUIT, Ctrl-\; -1: none */
    int64_t watchdog; /* ns that a task may run without a wait; default 100 ms; -1: no watchdog */
    /* Called on the watchdog's thread, twice for each stall; default: prints to stderr. */
    void (*on_stall)(const weft_stall *stall, void *userdata);
    void *userdata; /* keeps until the process ends */
} weft_debug_options;
#define WEFT_DEBUG(...) WEFT_OPTIONS(weft_debug_options, __VA_ARGS__)

/**
 * weft_debug_arm() - a signal that prints all tasks, and a watchdog for tasks that do not wait
 * @options: borrows, NULL for defaults: SIGQUIT, and a watchdog of 100 ms.
 *
 * For all loops of the process, those to come too.  Starts a thread.  A loop prints its tasks as
 * weft_dump_tasks() does as soon as it comes to it; of one that has not come to it after 100 ms
 * the call stack of its thread is printed, whatever it is busy with.  A task that holds its loop
 * for longer than the watchdog allows is reported once, with its call stack, and once more when
 * it has given way.  That stack is had by a SIGURG to its thread, which a blocking system call
 * of such a task may notice.  Arming again replaces the options.
 *
 * In the environment, WEFT_DUMP_SIGNAL=QUIT (or USR1, USR2, ...) and WEFT_WATCHDOG=100ms (us,
 * ms or s) do the same for any program.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL the signal cannot be caught; -EAGAIN, -ENOMEM no thread could be started.
 * Source:   faulthandler.register; loop.slow_callback_duration.
 * Since:    0.1
 */
WEFT_API int weft_debug_arm(const weft_debug_options *options);

/* ---- tracing ---- */

/*
 * Functions that are called as tasks come, run and go, with the userdata; each may be NULL.  They
 * run inside the scheduler, on the stack of whichever task stands there: they must be short, and
 * must not call anything that suspends, spawns or cancels.
 */
typedef struct weft_trace {
    size_t size;
    void *userdata;
    void (*before_run)(void *userdata); /* weft_run begins, ends */
    void (*after_run)(void *userdata);
    void (*task_spawned)(const weft_task *task, const weft_task *parent, void *userdata);
    void (*task_scheduled)(const weft_task *task, void *userdata); /* is ready to run */
    void (*before_task_step)(const weft_task *task, void *userdata);
    void (*after_task_step)(const weft_task *task, void *userdata);
    void (*task_exited)(const weft_task *task, int result, void *userdata); /* in its last step */
    void (*before_io_wait)(int64_t timeout, void *userdata); /* ns; 0: only looks; WEFT_FOREVER */
    void (*after_io_wait)(int64_t timeout, void *userdata);
} weft_trace;
#define WEFT_TRACE(...) WEFT_OPTIONS(weft_trace, __VA_ARGS__)

/**
 * weft_trace_set() - have functions called as tasks of this thread's loop come, run and go
 * @trace: copies. NULL: none any more.
 *
 * From inside a task, the step that is under way counts as begun before: it has no end.  Beside
 * it, WEFT_TRACE=FILE in the environment writes what happens in all loops of a program as
 * trace events, for ui.perfetto.dev, at most 256 MiB.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of making a loop, see weft_run().
 * Source:   trio.abc.Instrument, trio.lowlevel.add_instrument.
 * Since:    0.1
 */
WEFT_API int weft_trace_set(const weft_trace *trace);

/* ---- statistics ---- */

typedef struct weft_run_statistics {
    size_t tasks;          /* that have not ended */
    size_t ready;          /* of them that could run now, the running one not included */
    size_t parked;         /* and that wait */
    uint64_t spawned;      /* tasks since the loop was made */
    uint64_t switches;     /* turns given to tasks, and to the thread itself */
    uint64_t polls;        /* times that the back end was asked for events */
    size_t timers;         /* running: sleeps, deadlines, time-outs */
    size_t pending;        /* operations in flight and offloaded jobs */
    size_t stacks;         /* in use */
    size_t stacks_cached;  /* kept for the next tasks */
    size_t stack_bytes;    /* address space of both and of those never used */
    int64_t next_deadline; /* ns until the next timer; WEFT_FOREVER: none */
    const char *backend;   /* "io_uring", "epoll", "virtual" */
} weft_run_statistics;

/**
 * weft_run_stats() - what the calling thread's loop has and has done
 * @ret: gives, filled in.
 *
 * Takes time for each task that is ready.
 *
 * Suspends: never.
 * Return:   0, or negative: then nothing was filled in.
 * Errors:   those of making a loop, see weft_run().
 * Source:   trio.lowlevel.current_statistics.
 * Since:    0.1
 */
WEFT_API int weft_run_stats(weft_run_statistics *ret);

#ifdef __cplusplus
}
#endif
#endif

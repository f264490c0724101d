/*
 * weft/run.h - running, tasks, groups, scopes, gather, map, sleep.
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

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A task's function: 0 or more is success, negative an error code. */
typedef int (*weft_fn)(void *arg);

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
    size_t stack_size; /* of tasks, bytes; default 256 KiB */
    uint64_t seed;     /* not 0: ready tasks run in an order drawn from this seed */
    const char *name;  /* of the main task; default "main" */
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
 * Suspends: yes, the calling thread.
 * Cancel:   fn is cancelled with a scope that the thread has entered around the call.
 * Return:   what fn returned, or negative.
 * Errors:   -EINVAL no function, or WEFT_BACKEND names no back end; WEFT_ENESTED inside a task;
 *           -EDEADLK; WEFT_EFORKED; -ENOMEM, -EMFILE no loop could be made; those of fn.
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
 * Errors:   those of weft_run(); -EINVAL a stack_size that is too large; -EBUSY tasks or scopes
 *           of this thread still use another back end.
 * Source:   asyncio.Runner.
 * Since:    0.1
 */
WEFT_API int weft_run_with(weft_fn fn, void *arg, const weft_run_options *options);
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

/*
 * ---- scopes ----
 *
 *     weft_scope scope;
 *     weft_scope_enter(&scope, WEFT_SEC(5));
 *     err = download(url);
 *     err = weft_scope_exit(&scope, err);     -ETIMEDOUT after 5 s
 *
 * A scope has a deadline, can be cancelled, and ends both where it is left.  Scopes nest; each
 * one entered is left by the same task, in the reverse order, before its function returns.
 */

/* On the caller's stack; the content is private. */
typedef struct weft_scope {
    void *opaque[16];
} weft_scope;

/**
 * weft_scope_enter() - from here on calls are cancelled together, at the latest after a time
 * @scope:   keeps until weft_scope_exit().
 * @timeout: ns from now; WEFT_FOREVER: none; 0 or less: over already.
 *
 * Suspends: never.
 * Source:   asyncio.timeout, trio.CancelScope.
 * Since:    0.1
 */
WEFT_API void weft_scope_enter(weft_scope *scope, int64_t timeout);
/**
 * weft_scope_enter_shield() - a scope that a cancellation outside does not reach into
 * @scope:   keeps until weft_scope_exit().
 * @timeout: ns from now; a shield without a deadline does not exist: WEFT_FOREVER is 60 s.
 *
 * For cleanup that must block: saying goodbye to a server whose task is being cancelled.
 *
 * Suspends: never.
 * Source:   trio.CancelScope(shield=True), asyncio.shield.
 * Since:    0.1
 */
WEFT_API void weft_scope_enter_shield(weft_scope *scope, int64_t timeout);
/**
 * weft_scope_exit() - leave a scope, and translate its cancellation
 * @scope: borrows. The one entered last by this task.
 * @err:   the result of what was done inside.
 *
 * A group inside that was not waited for is cancelled and joined.
 *
 * Suspends: maybe, only for such a group.
 * Cancel:   the children are joined all the same.
 * Return:   err, unless it is -ECANCELED because of this scope: then -ETIMEDOUT if its deadline
 *           passed, 0 if it was cancelled by weft_scope_cancel().  Where a scope outside is
 *           cancelled too, -ECANCELED stays.
 * Errors:   -ETIMEDOUT; WEFT_EMISNESTED a scope or group inside was not left before, or the scope
 *           is not this task's, or was left already.
 * Source:   asyncio.timeout's exit.
 * Since:    0.1
 */
WEFT_API int weft_scope_exit(weft_scope *scope, int err);
/**
 * weft_scope_cancel() - cancel what happens inside a scope
 * @scope:  borrows. Entered by any task of this loop, and not left yet.
 * @reason: keeps until the scope is left, NULL for none. Ends up in the message of calls that
 *          are cancelled by it.
 *
 * Every blocking call inside, of this task and of the children of groups inside, returns
 * -ECANCELED from now on until the scope is left.  A call that has succeeded already says so.
 * The first reason stands.
 *
 * Suspends: never.
 * Source:   asyncio.Task.cancel, trio.CancelScope.cancel.
 * Since:    0.1
 */
WEFT_API void weft_scope_cancel(weft_scope *scope, const char *reason);
/**
 * weft_scope_set_timeout() - move a scope's deadline
 * @scope:   borrows. Entered and not left.
 * @timeout: ns from now; WEFT_FOREVER: none; 0 or less: cancels now.
 *
 * Changes nothing once the scope is cancelled.
 *
 * Suspends: never.
 * Source:   asyncio.Timeout.reschedule.
 * Since:    0.1
 */
WEFT_API void weft_scope_set_timeout(weft_scope *scope, int64_t timeout);
/**
 * weft_scope_is_cancelled() - was this scope cancelled, by its deadline or by a call?
 * @scope: borrows.
 *
 * Suspends: never.
 * Return:   false where only a scope around it is.
 * Source:   asyncio.Timeout.expired.
 * Since:    0.1
 */
WEFT_API bool weft_scope_is_cancelled(const weft_scope *scope);
/**
 * weft_remaining() - the time until the nearest deadline around the caller
 *
 * Suspends: never.
 * Return:   ns; 0 if cancelled; WEFT_FOREVER without a deadline.  A shield hides what is outside.
 * Source:   trio.current_effective_deadline.
 * Since:    0.1
 */
WEFT_API int64_t weft_remaining(void);

/*
 * ---- groups ----
 *
 * A group owns the tasks spawned into it, and weft_group_wait() joins them.  It is a scope as
 * well: from init to wait the caller is inside.  When a child fails, the others and the
 * caller's own calls are cancelled, unless .collect is set.
 */

typedef struct weft_group {
    void *opaque[32];
} weft_group;

typedef struct weft_group_options {
    size_t size;
    const char *name; /* lends until the group is waited for */
    int64_t timeout;  /* of the whole group; default none */
    bool collect;     /* an error of one child does not cancel the others */
} weft_group_options;
#define WEFT_GROUP(...) WEFT_OPTIONS(weft_group_options, __VA_ARGS__)

typedef struct weft_spawn_options {
    size_t size;
    const char *name;  /* copies, at most 31 bytes are kept */
    size_t stack_size; /* bytes, rounded up to a power of two; default 256 KiB */
    int *result;       /* keeps until the group is waited for: where the result goes */
} weft_spawn_options;
#define WEFT_SPAWN(...) WEFT_OPTIONS(weft_spawn_options, __VA_ARGS__)

/**
 * weft_group_init() - begin a group
 * @group:   keeps until weft_group_wait(), which must follow.
 * @options: borrows, NULL for defaults.
 *
 * Suspends: never.
 * Return:   0, or negative: then there is no group to wait for.
 * Errors:   those of making a loop, see weft_run().
 * Source:   asyncio.TaskGroup, trio.open_nursery.
 * Since:    0.1
 */
WEFT_API int weft_group_init(weft_group *group, const weft_group_options *options);
/**
 * weft_group_spawn() - start a task
 * @group: borrows. May be one that the caller itself is a child of.
 * @fn:    the task's function. A negative result is an error of the group.
 * @arg:   keeps until the task has ended, handed to fn.
 *
 * The task runs at once, up to its first wait.  In a cancelled group it runs up to its first
 * blocking call, which fails.
 *
 * Suspends: yes, for as long as the child runs without waiting; it is no checkpoint.
 * Cancel:   none: the child is started all the same.
 * Return:   0, or negative.
 * Errors:   -EINVAL no function, the group has ended, or belongs to another thread; -ENOMEM.
 * Source:   TaskGroup.create_task.
 * Since:    0.1
 */
WEFT_API int weft_group_spawn(weft_group *group, weft_fn fn, void *arg);
/**
 * weft_group_spawn_with() - weft_group_spawn() with options
 * @group:   borrows.
 * @fn:      the task's function.
 * @arg:     keeps until the task has ended, handed to fn.
 * @options: borrows, NULL for defaults.
 *
 * Suspends: yes, for as long as the child runs without waiting; it is no checkpoint.
 * Cancel:   none: the child is started all the same.
 * Return:   0, or negative.
 * Errors:   those of weft_group_spawn(); -EINVAL a stack of more than 64 MiB.
 * Source:   TaskGroup.create_task.
 * Since:    0.1
 */
WEFT_API int weft_group_spawn_with(weft_group *group, weft_fn fn, void *arg,
                                   const weft_spawn_options *options);
/**
 * weft_group_wait() - join all tasks of a group, and end it
 * @group: borrows. Begun by the calling task.
 *
 * Suspends: yes, until the last child has ended.
 * Cancel:   the children are cancelled, and joined all the same.
 * Return:   0, or the first child's error, with its message.  A child that returned -ECANCELED
 *           because it was cancelled has not failed.
 * Errors:   those of the children; -ETIMEDOUT the group's time is over; -ECANCELED; -EINVAL the
 *           group has ended; WEFT_EMISNESTED it belongs to another task, or a scope inside was
 *           not left.
 * Source:   TaskGroup.__aexit__.
 * Since:    0.1
 */
WEFT_API int weft_group_wait(weft_group *group);
/**
 * weft_group_cancel() - cancel all tasks of a group, and the owner's calls inside it
 * @group:  borrows.
 * @reason: keeps until the group was waited for, NULL for none.
 *
 * Suspends: never.
 * Source:   trio's nursery.cancel_scope.cancel.
 * Since:    0.1
 */
WEFT_API void weft_group_cancel(weft_group *group, const char *reason);
/**
 * weft_group_error_count() - how many children have failed
 * @group: borrows. May have ended.
 *
 * Suspends: never.
 * Return:   their number so far.
 * Source:   len(ExceptionGroup.exceptions).
 * Since:    0.1
 */
WEFT_API size_t weft_group_error_count(const weft_group *group);

/* ---- gather, map ---- */

typedef struct weft_call {
    weft_fn fn;
    void *arg;
    int result; /* out: what fn returned, or -ECANCELED where it was cancelled or never started */
} weft_call;

typedef struct weft_gather_options {
    size_t size;
    bool collect;    /* return_exceptions=True: run all to their end, return 0 */
    int64_t timeout; /* of the whole; default none */
} weft_gather_options;
#define WEFT_GATHER(...) WEFT_OPTIONS(weft_gather_options, __VA_ARGS__)

/**
 * weft_gather() - run functions at the same time and wait for all
 * @calls:   borrows, n of them; their results are filled in.
 * @n:       may be 0.
 * @options: borrows, NULL for defaults.
 *
 * On the first error the rest is cancelled and joined.  asyncio.gather lets the rest run on;
 * this one never leaves a task behind.
 *
 * Suspends: yes, until the last one has ended.
 * Cancel:   all are cancelled and joined; -ECANCELED.
 * Return:   0, or the first error, with its message.  With .collect, errors are only in the
 *           results.
 * Errors:   those of the functions; -EINVAL one is NULL; -ETIMEDOUT; -ECANCELED; -ENOMEM.
 * Source:   asyncio.gather.
 * Since:    0.1
 */
WEFT_API int weft_gather(weft_call *calls, size_t n, const weft_gather_options *options);

typedef struct weft_map_options {
    size_t size;
    size_t limit;    /* at most so many at once; default all at once */
    bool collect;    /* as in weft_gather_options */
    int64_t timeout; /* of the whole; default none */
    int *results;    /* keeps until the call returns: n results in the order of the items */
} weft_map_options;
#define WEFT_MAP(...) WEFT_OPTIONS(weft_map_options, __VA_ARGS__)

/**
 * weft_map() - call a function for each item of an array, at most so many at once
 * @fn:        called with a pointer to an item.
 * @items:     borrows, n of them.
 * @n:         may be 0.
 * @item_size: bytes of an item: sizeof items[0].
 * @options:   borrows, NULL for defaults: all at once.
 *
 * Items are begun in their order.  After an error no further item is begun, unless .collect is
 * set; results of items that were not are -ECANCELED.
 *
 * Suspends: yes, until the last call has ended.
 * Cancel:   all calls are cancelled and joined; -ECANCELED.
 * Return:   0, or the first error, with its message; with .collect, errors are only in the results.
 * Errors:   those of fn; -EINVAL no function; -ETIMEDOUT; -ECANCELED; -ENOMEM.
 * Source:   asyncio.gather with a Semaphore; aiometer.run_on_each.
 * Since:    0.1
 */
WEFT_API int weft_map(weft_fn fn, void *items, size_t n, size_t item_size,
                      const weft_map_options *options);

#ifdef __cplusplus
}
#endif
#endif

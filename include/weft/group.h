/*
 * weft/group.h - groups own tasks: spawn, wait, next, gather, map, race.
 * Part of weft/run.h, which includes it.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <weft/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A task's function: 0 or more is success, negative an error code. */
typedef int (*weft_fn)(void *arg);

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

/* How a task has ended. */
typedef struct weft_outcome {
    uint64_t id; /* the task's number, as in dumps */
    weft_fn fn;
    void *arg;
    int result;
    char name[32];
    char message[208]; /* of an error, cut if longer; else "" */
} weft_outcome;

typedef struct weft_group_options {
    size_t size;
    const char *name;       /* lends until the group is waited for */
    int64_t timeout;        /* of the whole group; default none; less than 0: it is over already */
    bool collect;           /* an error of one child does not cancel the others */
    bool outcomes;          /* kept for weft_group_next(), until the group is waited for */
    weft_outcome *failures; /* keeps until the group is waited for: the first max_failures
                               children that fail are told there, in the order of failing */
    size_t max_failures;
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
 * Errors:   those of making a loop, see weft_run(); WEFT_EMISNESTED it was begun already.
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
 * weft_group_next() - wait for the next child that ends
 * @group: borrows. Begun by the calling task, with .outcomes set.
 * @ret:   gives a copy: how it has ended.
 *
 * Each child comes once, in the order of their ends; that of children which have ended before
 * the call is kept.  In a group that fails fast the failure cancels the caller as well: a call
 * that waits for it may still give it, later ones return -ECANCELED, and weft_group_wait() the
 * error.  With .collect set failures come like successes.
 *
 *     while ((n = weft_group_next(&group, &outcome)) > 0)
 *         printf("%s: %d\n", outcome.name, outcome.result);
 *
 * Suspends: yes, unless a child has ended already.
 * Cancel:   the wait ends; no outcome is lost.
 * Return:   1 a child has ended; 0 there is none left; or negative.
 * Errors:   -ECANCELED; -EINVAL the group keeps no outcomes, or has ended; WEFT_EMISNESTED it
 *           belongs to another task.
 * Source:   asyncio.as_completed, asyncio.wait(FIRST_COMPLETED); tokio's JoinSet::join_next.
 * Since:    0.1
 */
WEFT_API int weft_group_next(weft_group *group, weft_outcome *ret);
/**
 * weft_group_start() - start a task, and wait until it says that it is ready
 * @group:   borrows. The task belongs to it as soon as it is ready; until then to the caller.
 * @fn:      the task's function; it calls weft_task_started().
 * @arg:     keeps until the task has ended, handed to fn.
 * @options: borrows, NULL for defaults.
 * @ret:     lends what the task gave to weft_task_started(); NULL: not wanted.
 *
 * For services that others may use only once they listen.  A task that fails before it is
 * ready is an error of this call, not of the group.
 *
 * Suspends: yes, until the task is ready or has ended.
 * Cancel:   the task is cancelled and joined, unless it is ready: then 0.
 * Return:   0 the task runs in the group; or negative: it has ended.
 * Errors:   those of fn; WEFT_ENOT_STARTED it ended without an error before it was ready;
 *           -ECANCELED; those of weft_group_spawn_with().
 * Source:   trio's nursery.start.
 * Since:    0.1
 */
WEFT_API int weft_group_start(weft_group *group, weft_fn fn, void *arg,
                              const weft_spawn_options *options, void **ret);
/**
 * weft_task_started() - tell the caller of weft_group_start() that this task is ready
 * @value: lends to that caller, for as long as both like; may be NULL.
 *
 * From here on the task belongs to the group it was started for.
 *
 * Suspends: never.
 * Return:   0, or negative: the task should end.
 * Errors:   -ECANCELED the caller is cancelled; -EINVAL the task was not started by
 *           weft_group_start(), or has said so already.
 * Source:   trio.TaskStatus.started.
 * Since:    0.1
 */
WEFT_API int weft_task_started(void *value);
/**
 * weft_group_done() - cancel and join a group that was begun and not waited for
 * @group: borrows. Zeroed or begun.
 *
 * What WEFT_AUTO_GROUP calls at the end of its block; keeps the present error message.
 *
 * Suspends: yes, until the last child has ended.
 * Cancel:   the children are joined all the same.
 * Since:    0.1
 */
WEFT_API void weft_group_done(weft_group *group);
#if defined(__GNUC__)
/* WEFT_AUTO_GROUP(group); is cancelled and joined at the latest where its block ends. */
#define WEFT_AUTO_GROUP(name) __attribute__((cleanup(weft_group_done))) weft_group name = {{0}}
#endif
/**
 * weft_group_cancel() - cancel all tasks of a group, and the owner's calls inside it
 * @group:  borrows.
 * @reason: keeps until the group was waited for, NULL for none.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL the group has ended, or belongs to another thread.
 * Source:   trio's nursery.cancel_scope.cancel.
 * Since:    0.1
 */
WEFT_API int weft_group_cancel(weft_group *group, const char *reason);
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

/**
 * weft_background_spawn() - start a task that nobody waits for
 * @fn:      the task's function.
 * @arg:     keeps until the task has ended, handed to fn.
 * @options: borrows, NULL for defaults.
 *
 * It belongs to the run: when the main task has ended, it is cancelled and joined.  Shields
 * inside it hold for weft_run_options.background_grace.  Outside weft_run it belongs to the
 * thread's loop.  Its error is told to weft_run_options.on_background_error, by default on
 * stderr.
 *
 * Suspends: yes, for as long as the task runs without waiting; it is no checkpoint.
 * Cancel:   none: the task is started all the same.
 * Return:   0, or negative.
 * Errors:   those of weft_group_spawn_with().
 * Source:   asyncio.create_task without a group; trio.lowlevel.spawn_system_task.
 * Since:    0.1
 */
WEFT_API int weft_background_spawn(weft_fn fn, void *arg, const weft_spawn_options *options);

/* ---- gather, map, race ---- */

typedef struct weft_call {
    weft_fn fn;
    void *arg;
    int result; /* out: what fn returned, or -ECANCELED where it was cancelled or never started */
} weft_call;

typedef struct weft_gather_options {
    size_t size;
    bool collect;           /* return_exceptions=True: run all to their end, return 0 */
    int64_t timeout;        /* of the whole, as in weft_group_options */
    weft_outcome *failures; /* keeps until the call returns: as in weft_group_options */
    size_t max_failures;
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
    size_t limit;           /* at most so many at once; default all at once */
    bool collect;           /* as in weft_gather_options */
    int64_t timeout;        /* of the whole, as in weft_group_options */
    int *results;           /* keeps until the call returns: n results in the order of the items */
    weft_outcome *failures; /* keeps until the call returns: as in weft_group_options, with fn
                               and the item as its argument */
    size_t max_failures;
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

typedef struct weft_race_options {
    size_t size;
    int64_t timeout; /* of the whole, as in weft_group_options */
    int64_t stagger; /* so long the first has a lead over the second, and so on; one that fails
                        lets the next begin at once.  Default: all begin together */
    weft_outcome *failures; /* keeps until the call returns: as in weft_group_options */
    size_t max_failures;
} weft_race_options;
#define WEFT_RACE(...) WEFT_OPTIONS(weft_race_options, __VA_ARGS__)

/**
 * weft_race() - run functions at the same time until one succeeds
 * @calls:   borrows, n of them; their results are filled in.
 * @n:       at least 1.
 * @options: borrows, NULL for defaults.
 * @ret:     borrows, where the index of the one that won goes; NULL: not wanted.
 *
 * The others are cancelled and joined.  One of them may succeed all the same while it is being
 * cancelled: its result says so, and what it made is the caller's to free.
 *
 * Suspends: yes, until the last one has ended.
 * Cancel:   all are cancelled and joined; -ECANCELED, unless one has won.
 * Return:   0, or the first error if all have failed, with its message.
 * Errors:   those of the functions; -EINVAL n is 0, or a function is NULL; -ETIMEDOUT; -ECANCELED;
 *           -ENOMEM.
 * Source:   asyncio.wait(FIRST_COMPLETED) and cancel; aioitertools, Promise.any; staggered_race.
 * Since:    0.1
 */
WEFT_API int weft_race(weft_call *calls, size_t n, const weft_race_options *options, size_t *ret);

#ifdef __cplusplus
}
#endif
#endif

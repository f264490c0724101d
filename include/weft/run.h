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
    WEFT_BACKEND_DEFAULT = 0, /* WEFT_BACKEND=uring|epoll in the environment, else io_uring if it can be had */
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

WEFT_API int weft_run(weft_fn fn, void *arg);
WEFT_API int weft_run_with(weft_fn fn, void *arg, const weft_run_options *options);
WEFT_API const char *weft_backend_name(void);

WEFT_API int weft_sleep(int64_t duration);
WEFT_API int weft_yield(void);
WEFT_API int weft_checkpoint(void);

WEFT_API weft_task *weft_task_self(void);
WEFT_API const char *weft_task_name(const weft_task *task);
WEFT_API size_t weft_task_count(void);

/* ---- scopes ---- */

/* On the caller's stack; the content is private. */
typedef struct weft_scope {
    void *opaque[16];
} weft_scope;

WEFT_API void weft_scope_enter(weft_scope *scope, int64_t timeout);
WEFT_API void weft_scope_enter_shield(weft_scope *scope, int64_t timeout);
WEFT_API int weft_scope_exit(weft_scope *scope, int err);
WEFT_API void weft_scope_cancel(weft_scope *scope, const char *reason);
WEFT_API void weft_scope_set_timeout(weft_scope *scope, int64_t timeout);
WEFT_API bool weft_scope_is_cancelled(const weft_scope *scope);
WEFT_API int64_t weft_remaining(void);

/* ---- groups ---- */

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

WEFT_API int weft_group_init(weft_group *group, const weft_group_options *options);
WEFT_API int weft_group_spawn(weft_group *group, weft_fn fn, void *arg);
WEFT_API int weft_group_spawn_with(weft_group *group, weft_fn fn, void *arg,
                                   const weft_spawn_options *options);
WEFT_API int weft_group_wait(weft_group *group);
WEFT_API void weft_group_cancel(weft_group *group, const char *reason);
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

WEFT_API int weft_gather(weft_call *calls, size_t n, const weft_gather_options *options);

typedef struct weft_map_options {
    size_t size;
    size_t limit;    /* at most so many at once; default all at once */
    bool collect;    /* as in weft_gather_options */
    int64_t timeout; /* of the whole; default none */
    int *results;    /* keeps until the call returns: n results in the order of the items */
} weft_map_options;
#define WEFT_MAP(...) WEFT_OPTIONS(weft_map_options, __VA_ARGS__)

WEFT_API int weft_map(weft_fn fn, void *items, size_t n, size_t item_size,
                      const weft_map_options *options);

#ifdef __cplusplus
}
#endif
#endif

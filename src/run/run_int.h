/*
 * run_int.h - the runtime from inside: what sync, stream, net, file and thread build on.
 *
 * A loop belongs to a thread and is made at the first need.  Its tasks switch directly to one
 * another; when none is ready, control goes to the thread's own stack, where the scheduler
 * waits for I/O and timers.  Code outside any task is the loop's native task: it has no stack
 * of the runtime, but it waits, is cancelled and owns groups like any other, which is why
 * every blocking call works outside weft_run.
 *
 * Everything that waits does so in three steps: weft__checkpoint, arrange for a wake-up,
 * weft__park.  A cancelled wait is undone by the cancel function of its struct weft__wait.
 */
#ifndef WEFT_RUN_RUN_INT_H
#define WEFT_RUN_RUN_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <weft/debug.h>
#include <weft/run.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/rand.h"
#include "base/spin.h"
#include "run/ctx.h"
#include "run/stack.h"
#include "run/timer.h"

struct weft__loop;
struct weft__wait;
struct weft__op;

/* ---- waiting ---- */

/*
 * Why a task is parked.  cancel is called when the task's effective scope is cancelled: it
 * must undo the wait and see to it that the task is woken, now or later, with code (or with a
 * success that came first).  NULL: this wait cannot be cancelled (joining children).
 */
struct weft__wait {
    void (*cancel)(struct weft__wait *wait, int code);
    struct weft_task *task;
    const char *what; /* "sleep", "semaphore": for dumps */
};

/* Sets the message of a cancellation, with its reason; returns what a cancelled call returns. */
int weft__cancel_error(struct weft_task *self);
/* Waits until weft__wake; returns the value given there. wait->cancel, what: set by the caller. */
int64_t weft__park(struct weft_task *self, struct weft__wait *wait);
/* The task becomes ready. It must be parked, and is woken once. */
void weft__wake(struct weft_task *task, int64_t value);
/* Lets other ready tasks run; does not look at cancellation. */
void weft__yield(struct weft_task *self);

/* Tasks that wait for the same thing, first come, first served. */
struct weft__waiter {
    struct weft__wait wait;
    struct weft__list node;
    uint64_t amount; /* for the primitive's own use */
};

/* Checkpoint, then parks at the end of the queue; the value of the waker, or the cancel code. */
int64_t weft__waitq_wait(struct weft__list *queue, struct weft__waiter *waiter, const char *what);
/* Parks without a checkpoint before it. */
int64_t weft__waitq_park(struct weft_task *self, struct weft__list *queue,
                         struct weft__waiter *waiter, const char *what);
/* Wakes the first waiter, if any, with a value. */
bool weft__waitq_wake_one(struct weft__list *queue, int64_t value);
size_t weft__waitq_wake_all(struct weft__list *queue, int64_t value);

/* ---- tasks, scopes, groups ---- */

struct weft__scope {
    struct weft__scope *parent; /* enclosing; a task's outermost one has its group's */
    struct weft__scope *inner;  /* entered after this one by the same task */
    struct weft_task *task;     /* that entered it */
    struct weft__group *group;  /* whose scope this is, or NULL */
    const char *reason;         /* borrowed from the canceller */
    int64_t timeout;            /* as given, for the message */
    struct weft__timer timer;
    int code; /* what leaving it makes of a cancellation: -ETIMEDOUT, 0, -EDEADLK, -ENOMEM */
    bool cancelled;
    bool shield;
    bool left;
    bool twice;                         /* entered again before it was left */
    char by[WEFT__LIMIT_TASK_NAME + 1]; /* the task that cancelled it, if another one; or "" */
};

enum weft__group_wait { WAIT_NONE, WAIT_NEXT, WAIT_ALL };

struct weft__group {
    struct weft__scope scope;
    struct weft__list children;
    size_t n_children; /* and those that are starting, see weft_group_start */
    size_t n_errors;
    struct weft__wait wait;     /* of the owner, for its children */
    struct weft__context error; /* the first error and its message */
    const char *name;
    int first_error;
    bool collect;
    bool ignore_errors; /* counted, not returned: each has its result slot */
    bool outcomes;      /* every child has a record */
    bool background;    /* detached from the scopes of its task; errors are reported */
    bool ended;
    uint8_t waiting;        /* enum weft__group_wait */
    struct weft__list done; /* records of children that have ended and were not taken */
    weft_outcome *failures; /* the caller's */
    size_t max_failures;
};

/* How a child of a group with .outcomes ended; made when it is spawned. */
struct weft__record {
    struct weft__list node;
    weft_fn fn;
    void *arg;
    uint64_t id;
    struct weft__context error;
    int result;
    char name[WEFT__LIMIT_TASK_NAME + 1];
};

/* A task that is not ready yet belongs to a group of its starter. */
struct weft__start {
    struct weft__group *target;
    struct weft__record *record; /* if the target keeps outcomes */
    void *value;
    bool started;
};

enum weft__task_state {
    TASK_READY,
    TASK_FIRST, /* ready, at the front: it has started a child */
    TASK_RUNNING,
    TASK_PARKED,
    TASK_DONE
};

/* What a task must give back before it ends, as a mutex. */
struct weft__held {
    struct weft__held *next;
    void (*abandoned)(struct weft__held *held, struct weft_task *task); /* it ended with it */
};

struct weft_task {
    struct weft__context context; /* first: weft__context points here while the task runs */
    struct weft__ctx ctx;
    struct weft__loop *loop;
    struct weft_task *next_ready;
    uint8_t state;  /* at the end of the first cache line: a switch needs no other */
    bool cancelled; /* a scope around it is, and nothing shields it */
    bool in_cancel;
    struct weft__wait *wait; /* of a parked one */
    int64_t wake_value;
    int64_t parked_at;             /* by the clock of the last poll */
    struct weft__scope *scope;     /* innermost */
    struct weft__scope *outermost; /* of its own; NULL if it entered none */
    struct weft__group *group;     /* its owner; NULL for the native task */
    struct weft__list sibling;     /* in group->children */
    struct weft__held *held;       /* latest first */
    struct weft__locals *locals;   /* task-local values; NULL: none */
    struct weft__start *start;     /* until it has said that it is ready */
    struct weft__record *record;   /* where its group has .outcomes */
    weft_fn fn;
    void *arg;
    int *result;
    struct weft__stack stack;
    uint64_t id;
    struct weft_task *next_cancel; /* in the work list of a cancellation */
    char name[32];
};

/* Is a scope, or one around it up to the first shield, cancelled? */
bool weft__scope_is_effective(const struct weft__loop *loop, const struct weft__scope *scope);
void weft__scope_init(struct weft__scope *scope, struct weft_task *task, int64_t timeout);
void weft__scope_cancel_code(struct weft__scope *scope, int code, const char *reason);
/* The same, and every shield below is cancelled with it. */
void weft__scope_cancel_shields(struct weft__scope *scope, const char *reason);
/* Notes who cancels, for the message. */
void weft__scope_set_canceller(struct weft__scope *scope, const struct weft_task *by);
/* A task has come below other scopes: it is cancelled if they are. */
void weft__task_moved(struct weft_task *task);
int weft__scope_leave(struct weft__scope *scope, int err);
void weft__scope_abandon(struct weft_task *task);
struct weft__group *weft__group_of(weft_group *group);
int weft__group_join(struct weft__group *group);
/* After the join: leaves the group's scope. Returns err, or what the scope makes of no error. */
int weft__group_leave(struct weft__group *group, int err);
/* A group below no scope: of background tasks. Its task is the loop's native one. */
void weft__group_init_detached(struct weft__group *group, struct weft__loop *loop);
/* A child has ended or gone elsewhere. */
void weft__group_child_left(struct weft__group *group);
/* NULL with a message if there is no memory. */
struct weft__record *weft__record_new(void);
void weft__record_free(struct weft__record *record);
void weft__record_keep(struct weft__group *group, struct weft_task *task, int result);
void weft__records_done(struct weft__group *group);
/* 0, or why the caller cannot spawn into a group. */
int weft__group_may_spawn(const struct weft__group *group, struct weft_task *self, weft_fn fn);
void weft__outcome_fill(weft_outcome *ret, const struct weft_task *task, int result);
/* Starts a task that may have to say that it is ready. */
int weft__group_spawn(struct weft__group *group, weft_fn fn, void *arg,
                      const weft_spawn_options *options, struct weft__start *start);
/* A spawn failed with err: cancels and joins the others, returns err with its message. */
int weft__group_give_up(weft_group *group, int err);
void weft__task_ended(struct weft_task *task, int result);
/* The tree of tasks of a loop, with what each waits for, to a file descriptor. */
void weft__dump(struct weft__loop *loop, int fd);

/* ---- task-local values ---- */

struct weft__locals;

/* The caller's values, for a job on another thread: a reference; NULL: none. */
struct weft__locals *weft__locals_capture(void);
/* From here on the calling thread, a worker, has these values. Takes the reference; NULL: none. */
void weft__locals_restore(struct weft__locals *locals);
/* Those of a thread without a loop go to its loop when it gets one, and back. */
struct weft__locals *weft__locals_take_thread(void);
void weft__locals_give_thread(struct weft__locals *locals);
void weft__locals_ref(struct weft__locals *locals);
void weft__locals_unref(struct weft__locals *locals);
static inline struct weft__locals *weft__locals_inherit(struct weft__locals *locals)
{
    if (__builtin_expect(locals != NULL, 0))
        weft__locals_ref(locals);
    return locals;
}

/* ---- operations ---- */

/* Descriptors from here on are not the kernel's: they belong to a simulated network. */
enum { WEFT__SIM_FD = 1 << 30 };

/* A descriptor that belongs to a loop; embedded in sockets, listeners, pipes. */
struct weft__fd {
    struct weft__loop *loop;
    struct weft__op *reader; /* epoll: waiting for EPOLLIN */
    struct weft__op *writer; /* epoll: waiting for EPOLLOUT */
    int fd;
    bool registered;     /* epoll: edge-triggered, once */
    bool maybe_readable; /* epoll: no EAGAIN since the last event; io_uring: see note_received */
    bool maybe_writable;
    bool unsure; /* epoll: a short read does not tell that nothing is left */
};

enum weft__op_kind {
    WEFT__OP_RECV,   /* fd, data, len: bytes, 0 at the end */
    WEFT__OP_SEND,   /* fd, data, len: all of len, or an error */
    WEFT__OP_ACCEPT, /* fd, data: struct weft__accepted; the new descriptor, CLOEXEC and NONBLOCK */
    WEFT__OP_CONNECT, /* fd, data: sockaddr, len: its length */
    WEFT__OP_POLL,    /* fd, flags: POLLIN, POLLOUT or both; the events that came */
    WEFT__OP_RING     /* sqe: only where weft__loop_has_opcode() says so */
};

/* Who was accepted: a peer that is gone again can be asked no more. */
struct weft__accepted {
    socklen_t len;
    struct sockaddr_storage address;
};

/* A submission as the kernel takes it, without the parts that the loop fills. */
struct weft__sqe {
    uint8_t opcode;
    uint8_t flags;
    int fd;
    uint64_t off; /* or addr2 */
    uint64_t addr;
    uint32_t len;
    uint32_t op_flags;
};

struct weft__op {
    struct weft__wait wait;
    struct weft__timer timer;
    struct weft__loop *loop;
    void (*done)(struct weft__op *op); /* instead of waking wait.task */
    int64_t result;
    struct weft__list node; /* io_uring: sends that answer only if they fail */
    struct weft__fd *fd;
    void *data;
    size_t len;
    size_t progress;          /* sent so far */
    size_t limit;             /* not 0: a test wants its first step to move no more */
    struct weft__timer later; /* a test wants it to begin then */
    struct weft__sqe sqe;
    enum weft__op_kind kind;
    uint32_t flags;
    bool in_flight;
    bool cancelling;
    bool timed_out;
};

/* Binds a descriptor to the current loop. It must be non-blocking and close-on-exec. */
int weft__fd_init(struct weft__fd *fd, int descriptor);
/* No operation may be in flight. The loop forgets the descriptor, which stays open. */
void weft__fd_detach(struct weft__fd *fd);
/* No operation may be in flight. Closes the descriptor. */
void weft__fd_close(struct weft__fd *fd);

/*
 * Runs an operation to its end: its result, -ECANCELED, or -ETIMEDOUT after timeout ns
 * (WEFT_FOREVER: none).  An operation that succeeded although it was being cancelled returns
 * its success.  Does not set the error message.
 */
int64_t weft__op_run(struct weft__op *op, int64_t timeout);
/* Starts an operation whose done function is called when it ends, maybe before this returns. */
void weft__op_start(struct weft__op *op);
/* Asks an operation to end soon; its end is reported as always. */
void weft__op_cancel(struct weft__op *op);
/* What a test wants of it comes first; true if that was its end, or begins it later. */
bool weft__op_fault(struct weft__loop *loop, struct weft__op *op, bool *ret_ended);
/* For back ends: the operation has ended. */
void weft__op_finish(struct weft__op *op, int64_t result);
/* How much of the rest the next step of a send moves. */
static inline size_t weft__op_send_len(const struct weft__op *op)
{
    size_t len = op->len - op->progress;
    return op->limit != 0 && op->limit < len ? op->limit : len;
}
bool weft__loop_has_opcode(const struct weft__loop *loop, uint8_t opcode);

/* ---- back ends ---- */

struct weft__backend {
    const char *name;
    weft_backend kind;
    int (*init)(struct weft__loop *loop);
    void (*done)(struct weft__loop *loop);
    /* Begins an operation. Returns true if it ended at once: then op->result is set. */
    bool (*start)(struct weft__loop *loop, struct weft__op *op);
    void (*cancel)(struct weft__loop *loop, struct weft__op *op);
    /* Waits at most timeout ns for events (0: does not wait) and handles them. */
    void (*poll)(struct weft__loop *loop, int64_t timeout);
    void (*forget)(struct weft__loop *loop, struct weft__fd *fd);
    bool (*has_opcode)(const struct weft__loop *loop, uint8_t opcode);
};

extern const struct weft__backend weft__backend_uring;
extern const struct weft__backend weft__backend_epoll;
extern const struct weft__backend weft__backend_virtual;

/* ---- messages from other threads ---- */

struct weft__post {
    struct weft__post *next;
    void (*fn)(struct weft__post *post); /* called on the loop's thread */
};

/* Outlives its loop while other threads hold it. */
struct weft__inbox {
    atomic_int refs;
    atomic_int posting;                /* threads inside weft__inbox_post */
    _Atomic(struct weft__post *) head; /* newest first */
    atomic_bool sleeping;              /* the loop waits in its back end: write to the eventfd */
    int eventfd;
};

int weft__inbox_new(struct weft__inbox **ret);
/* From any thread; -ECANCELED once the loop has ended: then post still belongs to the caller. */
int weft__inbox_post(struct weft__inbox *inbox, struct weft__post *post);
void weft__inbox_ref(struct weft__inbox *inbox);
void weft__inbox_unref(struct weft__inbox *inbox);
/* Runs what was posted; true if there was something. On the loop's thread. */
bool weft__inbox_run(struct weft__inbox *inbox);
/* How many others have it, who may post. */
size_t weft__inbox_others(const struct weft__inbox *inbox);
/* Nobody else has it any more, and nothing is posted. */
bool weft__inbox_is_forsaken(const struct weft__inbox *inbox);
/* Looks for a post for a moment: whether there is one. */
bool weft__inbox_look(const struct weft__inbox *inbox);
/* Runs what is there; later posts fail. */
void weft__inbox_close(struct weft__inbox *inbox);
/* In the child of a fork: posts fail, and those that are there are the parent's. */
void weft__inbox_close_forked(struct weft__inbox *inbox);
/* Before waiting: false if a message came meanwhile. After waiting: weft__inbox_woken. */
bool weft__inbox_sleep(struct weft__inbox *inbox);
void weft__inbox_woken(struct weft__inbox *inbox);
/* Takes the eventfd's count. */
void weft__inbox_drain(struct weft__inbox *inbox);

/* ---- the loop ---- */

/* A call made when the loop ends, for what modules keep per loop. */
struct weft__at_exit {
    struct weft__list node;
    void (*fn)(struct weft__at_exit *hook);
};

/* Called before the loop waits for I/O: what was put off goes out now (buffered writes). */
struct weft__flush {
    struct weft__list node; /* in loop->flushes; initialise with weft__list_init */
    void (*fn)(struct weft__flush *flush);
};

/* What the debugging aids keep per loop: trace.c, watchdog.c. */
struct weft__debug {
    struct weft__list node; /* in the list of all loops */
    struct weft__post post;
    atomic_bool posted; /* post is in the inbox */
    atomic_bool wanted; /* a dump is */
    long thread;        /* its kernel id */
    uint64_t n_polls;
    weft_trace traces[2];                /* the program's, and the one that writes WEFT_TRACE */
    const struct weft_task *steppers[2]; /* whose step has begun, as each of them knows */
    int64_t step_began;                  /* for WEFT_TRACE */
    int64_t poll_began;
    /* Of the watchdog's thread. */
    uint64_t seen_turns;
    int64_t seen_since;
    bool looked;     /* at the present turn */
    bool stall_told; /* and it is a task's that takes too long */
    uint64_t stalled_id;
    char stalled[32];
};

struct weft__loop {
    struct weft_task *ready_first;
    struct weft_task *ready_last;
    struct weft_task *passed;     /* by those whose time had come; compared, never looked into */
    size_t n_before_passed;       /* of the ready ones; 0: nobody is passed */
    struct weft_task *free_tasks; /* ended ones whose stacks are kept as they are, by next_ready */
    /* Has ended: its stack is given back after the switch.  Or &native: see weft__visited. */
    struct weft_task *zombie;
    int *errno_at;        /* this thread's errno, saved for each task */
    int budget;           /* tasks to run before I/O is polled */
    bool tracing;         /* weft__trace_... are called */
    uint64_t special;     /* not 0: there is a seed, or something traces */
    uint64_t n_turns;     /* budget spent up to the last poll */
    uint64_t n_spent;     /* of it, for other things than turns of tasks */
    uint32_t n_cancelled; /* scopes that are cancelled and not left yet */
    size_t n_tasks;
    size_t n_services; /* of them: the library's own, which end with the loop */
    size_t n_pending;  /* operations in flight and offloaded jobs */
    struct weft__spin spin;
    bool looked; /* for a post, in vain, just now: the loop sleeps unless something came */
    bool hurry;  /* io_uring: a task waits for a background send, which ends without an event */
    bool native_resumed;
    atomic_bool in_run; /* for the watchdog too */
    bool forked;
    uint64_t next_id;
    uint64_t seed;
    uint64_t cancel_at; /* for tests: see weft_testing_cancel_at */
    int64_t now;        /* of the last poll */
    struct weft__timers timers;
    struct weft__stacks stacks;
    struct weft__list at_exit;
    struct weft__list flushes;
    const struct weft__backend *backend;
    void *backend_data;
    struct weft__inbox *inbox;
    size_t default_stack; /* as weft__stack_round gives it */
    size_t n_free_tasks;
    struct weft__rand rand;
    uint64_t n_checkpoints;
    struct weft__scope *cancel_at_scope;
    struct weft__visit *visit;      /* see backtrace.c */
    struct weft__group *background; /* the run's, or the thread's */
    struct weft__group own_background;
    void (*on_background_error)(const weft_outcome *outcome, void *userdata);
    void *background_userdata;
    int64_t background_grace;
    struct weft__scope *interrupt_scope; /* what SIGINT cancels, where this run takes it */
    bool interrupted;
    size_t n_runners;
    const struct weft_task *watched; /* whose checkpoints a test counts */
    uint64_t n_watched;
    uint64_t n_busy_turns; /* polls after which a task was ready */
    size_t n_idlers;       /* ready tasks that wait for all others to be blocked */
    struct weft__debug debug;
    struct weft_task native;
};

extern _Thread_local struct weft__loop *weft__loop_current;

/* The loop of this thread, made if need be; NULL with a message. */
struct weft__loop *weft__loop_get(void);
int weft__loop_new(weft_backend backend, struct weft__loop **ret);
void weft__loop_free(struct weft__loop *loop);
/* Cancels and joins background tasks; their shields hold for the loop's background_grace. */
void weft__background_end(struct weft__group *group);
/* From here to the end SIGINT cancels the scope, if nothing else takes it. */
void weft__interrupt_begin(struct weft__loop *loop, struct weft__scope *scope);
void weft__interrupt_take(struct weft__loop *loop);
void weft__interrupt_end(struct weft__loop *loop);
struct sigaction;
/* Is this the handler of a run that has ended, which whoever took its place must not put back? */
bool weft__interrupt_is_over(const struct sigaction *action);
/* Time for deadlines: read afresh. */
int64_t weft__loop_now(struct weft__loop *loop);
void weft__loop_flush(struct weft__loop *loop);
/* After a change of seed or tracing. */
static inline void weft__loop_set_special(struct weft__loop *loop)
{
    loop->special = loop->seed | loop->tracing;
}
/* A task did without waiting what others wait for: n turns of other tasks are gone. */
static inline void weft__loop_spend(struct weft__loop *loop, int n)
{
    loop->budget -= n;
    loop->n_spent += (uint64_t)n;
}

/* ---- the two steps that every call begins with ---- */

__attribute__((noinline, cold)) struct weft_task *weft__self_slow(void);
__attribute__((noinline, cold)) int weft__checkpoint_slow(struct weft_task *self);

/* The running task; outside tasks the native one. NULL with a message if no loop can be made. */
static inline struct weft_task *weft__self(void)
{
    if (__builtin_expect(weft__loop_current == NULL, 0))
        return weft__self_slow();
    struct weft_task *self = (struct weft_task *)weft__context;
    if (self == NULL)
        __builtin_unreachable();
    return self;
}

/* 0, or the error that a blocking call of a cancelled task returns. */
static inline int weft__checkpoint(struct weft_task *self)
{
    if (__builtin_expect(self->cancelled || self->loop->cancel_at != 0, 0))
        return weft__checkpoint_slow(self);
    return 0;
}

/* Both, at the head of a call that may suspend: 0, or what it returns at once. */
static inline int weft__enter(struct weft_task **ret)
{
    struct weft_task *self = weft__self();
    *ret = self;
    return __builtin_expect(self != NULL, 1) ? weft__checkpoint(self)
                                             : weft__context_get()->error_code;
}

/* Scheduler internals shared by its files. */
enum { WEFT__FREE_TASKS = 64 };
void weft__free_tasks_done(struct weft__loop *loop);
/* Gives back what the task that has just ended, loop->zombie, stood on. */
void weft__reap(struct weft__loop *loop);
/* The present task was switched to for a look at its stack only. */
void weft__visited(struct weft__loop *loop);
void weft__start_child(struct weft_task *self, struct weft_task *child);
/* The task's last call: its entry function returns what this returns. */
void *weft__task_exit(struct weft_task *task);
void weft__deadlock(struct weft__loop *loop);
/* A task has ended in a scope that lay in a frame of its own: there is nothing to work with. */
_Noreturn void weft__dead_scope(const struct weft_task *task);
/* The child of a fork has ended its task and would go on with the parent's others. */
_Noreturn void weft__forked_poll(void);
void weft__overflow_install(void);

/* Of the process, by debug.node: for the watchdog, and for tools/weft-gdb.py. */
extern struct weft__list weft__loops;
/* For the debugging aids: a loop begins and ends; a forked child has none of the threads. */
void weft__debug_attach(struct weft__loop *loop);
void weft__debug_detach(struct weft__loop *loop);

/* Tracing.  next: who runs from now on; the native task is nobody. */
void weft__trace_step(struct weft__loop *loop, const struct weft_task *next);
void weft__trace_spawned(const struct weft_task *task, const struct weft_task *parent);
void weft__trace_scheduled(const struct weft_task *task);
void weft__trace_exited(const struct weft_task *task, int result);
void weft__trace_poll(struct weft__loop *loop, bool begins, int64_t timeout);
void weft__trace_run(struct weft__loop *loop, bool begins);
void weft__fork_install(void);

#endif

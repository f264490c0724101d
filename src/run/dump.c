/*
 * dump.c - the tree of tasks, for people: who waits for what, since when, until when, and where
 * in the program.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <weft/debug.h>

#include "run/debug_int.h"

enum {
    DEPTH_MAX = 64,  /* of the tree, groups included */
    KINDS = 16,      /* of tasks of one group that are told apart */
    ALIKE_SHOWN = 4, /* of a kind; the others are counted */
};

/* What tasks that do the same have in common; found without a look at their stacks. */
struct kind {
    weft_fn fn;
    const char *what;
    ptrdiff_t place; /* of the wait on the task's stack */
    size_t n;
    uint64_t id; /* the latest whose stack was shown, and what tells that one from others */
    uint64_t stack;
};

struct dump {
    struct weft__report report;
    struct weft__loop *loop;
    int64_t now;
    size_t n_shown;
    size_t n_alike;
    bool cut;
    struct weft__frames frames;
    struct {
        struct kind kinds[KINDS];
        size_t n;
    } levels[DEPTH_MAX];
};

/* One at a time, under the report's lock: tasks have small stacks, and there may be no memory. */
static struct dump dump;

/* ---- what a task waits for ---- */

static void put_address(struct weft__report *report, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } address;
    char text[INET6_ADDRSTRLEN];
    int type = SOCK_STREAM;
    socklen_t len = sizeof type;
    bool peer = true;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return;
    len = sizeof address;
    if (getpeername(fd, &address.any, &len) < 0) {
        peer = false;
        len = sizeof address;
        if (getsockname(fd, &address.any, &len) < 0)
            return;
    }
    const char *kind = type == SOCK_DGRAM ? "udp" : "tcp";
    const char *at = peer ? "" : "local ";
    if (address.any.sa_family == AF_INET &&
        inet_ntop(AF_INET, &address.in.sin_addr, text, sizeof text) != NULL)
        weft__report_put(report, " on %s %s%s:%u", kind, at, text, ntohs(address.in.sin_port));
    else if (address.any.sa_family == AF_INET6 &&
             inet_ntop(AF_INET6, &address.in6.sin6_addr, text, sizeof text) != NULL)
        weft__report_put(report, " on %s %s[%s]:%u", kind, at, text, ntohs(address.in6.sin6_port));
    else if (address.any.sa_family == AF_UNIX) {
        size_t path_len = len - offsetof(struct sockaddr_un, sun_path);
        char path[sizeof address.un.sun_path + 1] = "";
        if (len > offsetof(struct sockaddr_un, sun_path) && address.un.sun_path[0] != '\0')
            memcpy(path, address.un.sun_path, path_len);
        weft__report_put(report, " on unix socket ");
        weft__report_name(report, path);
    }
}

static void put_op(struct weft__report *report, const struct weft__op *op)
{
    int fd = op->fd != NULL ? op->fd->fd : op->kind == WEFT__OP_RING ? op->sqe.fd : -1;
    weft__report_put(report, "%s", op->wait.what);
    if (op->fd != NULL && fd >= 0)
        put_address(report, fd);
    if (fd >= 0)
        weft__report_put(report, " (fd %d)", fd);
    if (op->cancelling)
        weft__report_put(report, ", being cancelled");
}

static void put_wait(const struct weft_task *task)
{
    struct weft__report *report = &dump.report;
    const struct weft__wait *wait = task->wait;
    const struct weft__op *op = weft__op_of_wait(wait);
    int64_t until;
    weft__report_put(report, "waits for ");
    if (op != NULL) {
        put_op(report, op);
    } else if (weft__sleep_of_wait(wait, &until)) {
        weft__report_put(report, "sleep");
        if (until != WEFT_FOREVER) {
            weft__report_put(report, " until +");
            weft__report_time(report, until - dump.now);
        }
    } else {
        weft__report_put(report, "%s", wait->what != NULL ? wait->what : "something");
    }
    if (dump.now - task->parked_at >= WEFT_MS(1)) {
        weft__report_put(report, ", for ");
        weft__report_time(report, dump.now - task->parked_at);
    }
}

static void put_state(const struct weft_task *task)
{
    if (task == (struct weft_task *)weft__context && task != &dump.loop->native)
        weft__report_put(&dump.report, "running");
    else if (task->state == TASK_PARKED && task->wait != NULL)
        put_wait(task);
    else if (task->state <= TASK_FIRST)
        weft__report_put(&dump.report, "ready");
    else
        weft__report_put(&dump.report, "running");
    if (task->cancelled)
        weft__report_put(&dump.report, ", cancelled");
}

/* ---- scopes ---- */

static bool is_plain(const struct weft__scope *scope)
{
    return !weft__timer_is_started(&scope->timer) && !scope->cancelled && !scope->shield;
}

/* "4.8 s left, shield, cancelled: reason" */
static void put_scope(const struct weft__scope *scope, const char *before)
{
    struct weft__report *report = &dump.report;
    if (weft__timer_is_started(&scope->timer)) {
        weft__report_put(report, "%s", before);
        weft__report_time(report, scope->timer.when - dump.now);
        weft__report_put(report, " left");
        before = ", ";
    }
    if (scope->shield) {
        weft__report_put(report, "%sshield", before);
        before = ", ";
    }
    if (scope->cancelled) {
        weft__report_put(report, "%scancelled", before);
        if (scope->reason != NULL) {
            weft__report_put(report, ": ");
            weft__report_name(report, scope->reason);
        }
    }
}

/* ---- the tree ---- */

static void put_task(struct weft_task *task, struct kind *kind, int depth);

static struct kind kind_of(const struct weft_task *task)
{
    const struct weft__wait *wait = task->state == TASK_PARKED ? task->wait : NULL;
    struct kind kind = {.fn = task->fn};
    if (wait != NULL) {
        kind.what = wait->what;
        if (weft__stack_contains(&task->stack, wait))
            kind.place = (const char *)task - (const char *)wait;
    }
    return kind;
}

static bool has_groups(const struct weft_task *task)
{
    for (const struct weft__scope *scope = task->outermost; scope != NULL; scope = scope->inner) {
        if (scope->group != NULL && scope->group->n_children > 0)
            return true;
    }
    return false;
}

/* The kind of a leaf; NULL: one of a kind, or there are too many kinds. */
static struct kind *note_kind(const struct weft_task *task, int depth)
{
    struct kind kind = kind_of(task);
    if (has_groups(task))
        return NULL;
    for (size_t i = 0; i < dump.levels[depth].n; i++) {
        struct kind *known = &dump.levels[depth].kinds[i];
        if (known->fn == kind.fn && known->what == kind.what && known->place == kind.place)
            return known;
    }
    if (dump.levels[depth].n == KINDS)
        return NULL;
    struct kind *fresh = &dump.levels[depth].kinds[dump.levels[depth].n++];
    fresh->fn = kind.fn;
    fresh->what = kind.what;
    fresh->place = kind.place;
    fresh->n = 0;
    fresh->stack = 0;
    return fresh;
}

static void put_group(const struct weft__group *group, int depth)
{
    struct weft__report *report = &dump.report;
    weft__report_put(report, "%*s", depth * 2, "");
    weft__report_name(report, group->name);
    weft__report_put(report, ": %zu task%s", group->n_children, group->n_children == 1 ? "" : "s");
    if (group->n_errors > 0)
        weft__report_put(report, ", %zu failed", group->n_errors);
    put_scope(&group->scope, ", ");
    weft__report_put(report, "\n");
    if (++depth >= DEPTH_MAX) {
        dump.cut = true;
        return;
    }
    dump.levels[depth].n = 0;
    for (const struct weft__list *node = group->children.next; node != &group->children;
         node = node->next) {
        struct weft_task *task = WEFT__CONTAINER(node, struct weft_task, sibling);
        struct kind *kind = note_kind(task, depth);
        if (kind != NULL && kind->n++ >= ALIKE_SHOWN)
            continue;
        put_task(task, kind, depth);
    }
    for (size_t i = 0; i < dump.levels[depth].n; i++) {
        const struct kind *kind = &dump.levels[depth].kinds[i];
        if (kind->n <= ALIKE_SHOWN)
            continue;
        dump.n_alike += kind->n - ALIKE_SHOWN;
        weft__report_put(report, "%*s%zu more like #%llu\n", depth * 2, "", kind->n - ALIKE_SHOWN,
                         (unsigned long long)kind->id);
    }
}

/* FNV-1a; never 0. */
static uint64_t hash_of(const struct weft__frames *frames)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (int i = 0; i < frames->n; i++)
        hash = (hash ^ (uintptr_t)frames->pc[i]) * 0x100000001b3;
    return hash | 1;
}

static void put_stack(struct weft_task *task, struct kind *kind, int depth)
{
    struct weft__report *report = &dump.report;
    weft__backtrace(task, &dump.frames);
    if (dump.frames.n == 0) {
        weft__report_put(report, "%*s(its stack is too full to be walked)\n", depth * 2 + 4, "");
        return;
    }
    uint64_t hash = hash_of(&dump.frames);
    if (kind != NULL && kind->stack == hash) {
        weft__report_put(report, "%*s(in the same place as #%llu)\n", depth * 2 + 4, "",
                         (unsigned long long)kind->id);
        return;
    }
    weft__report_frames(report, &dump.frames, depth * 2 + 4);
    if (kind != NULL) {
        kind->id = task->id;
        kind->stack = hash;
    }
}

static void put_task(struct weft_task *task, struct kind *kind, int depth)
{
    struct weft__report *report = &dump.report;
    if (dump.n_shown >= WEFT__LIMIT_DUMP_TASKS) {
        dump.cut = true;
        return;
    }
    dump.n_shown++;
    weft__report_put(report, "%*s", depth * 2, "");
    weft__report_name(report, weft_task_name(task));
    weft__report_put(report, " #%llu: ", (unsigned long long)task->id);
    put_state(task);
    weft__report_put(report, "\n");
    put_stack(task, kind, depth);
    for (const struct weft__scope *scope = task->outermost; scope != NULL; scope = scope->inner) {
        if (scope->group != NULL) {
            put_group(scope->group, depth + 1);
        } else if (!is_plain(scope)) {
            weft__report_put(report, "%*sscope: ", depth * 2 + 2, "");
            put_scope(scope, "");
            weft__report_put(report, "\n");
        }
    }
}

void weft__dump(struct weft__loop *loop, int fd)
{
    struct weft__report *report = &dump.report;
    if (!weft__report_lock())
        return;
    weft__report_begin(report, fd);
    dump.loop = loop;
    dump.now = weft__loop_now(loop);
    dump.n_shown = 0;
    dump.n_alike = 0;
    dump.cut = false;
    weft__report_put(report, "%zu task%s of thread %ld (%s)\n", loop->n_tasks,
                     loop->n_tasks == 1 ? "" : "s", (long)syscall(SYS_gettid), loop->backend->name);
    put_task(&loop->native, NULL, 0);
    if (loop->own_background.n_children > 0)
        put_group(&loop->own_background, 1);
    if (loop->background != &loop->own_background && loop->background->n_children > 0)
        put_group(loop->background, 1);
    if (dump.cut)
        weft__report_put(report, "(%zu tasks are not shown)\n",
                         loop->n_tasks + 1 - dump.n_shown - dump.n_alike);
    weft__report_end(report);
    weft__report_unlock();
}

void weft_dump_tasks(int fd)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop != NULL)
        weft__dump(loop, fd);
}

uint64_t weft_task_id(const weft_task *task)
{
    return task != NULL ? task->id : 0;
}

/* ---- deadlock ---- */

/* Nothing is ready, no timer runs, no I/O is under way: nobody can ever wake anybody. */
void weft__deadlock(struct weft__loop *loop)
{
    struct weft_task *native = &loop->native;
    dprintf(STDERR_FILENO, "weft: deadlock, every task waits for another:\n");
    weft__dump(loop, STDERR_FILENO);
    if (native->outermost != NULL && !native->outermost->cancelled) {
        weft__scope_cancel_code(native->outermost, -EDEADLK, "deadlock");
        if (loop->ready_first != NULL)
            return;
    }
    if (native->state == TASK_PARKED && native->wait->cancel != NULL) {
        weft__fail_code(-EDEADLK);
        native->wait->cancel(native->wait, -EDEADLK);
        return;
    }
    dprintf(STDERR_FILENO, "weft: the deadlock cannot be undone by cancelling\n");
    abort();
}

_Noreturn void weft__dead_scope(const struct weft_task *task)
{
    dprintf(STDERR_FILENO, "weft: task '%s' returned inside a scope or group of its own\n",
            weft_task_name(task));
    abort();
}

_Noreturn void weft__forked_poll(void)
{
    static const char text[] = "weft: the child of a fork went back to its parent's event loop; "
                               "it should end by exec or _exit\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        abort();
    abort();
}

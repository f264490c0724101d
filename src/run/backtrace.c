/*
 * backtrace.c - call stacks of tasks.
 *
 * A suspended task resumes in one of a few places of the scheduler, which look there for a task
 * that has ended and left its stack to be given back.  A visit uses the same look: with the
 * native task in place of an ended one, which it never is, the task that was switched to takes
 * its own backtrace and switches back, and nothing has happened to it.
 */
#include <errno.h>
#include <execinfo.h>

#include "run/debug_int.h"

enum {
    /* Below a suspended task's frames, for the unwinder: it was seen to use 3 KiB. */
    ROOM = (WEFT__ASAN || WEFT__TSAN) ? 40 * 1024 : 8 * 1024,
};

struct weft__visit {
    struct weft_task *visitor;
    struct weft_task *task;
    struct weft__frames *frames;
};

void weft__backtrace_here(struct weft__frames *frames)
{
    frames->n = backtrace(frames->pc, WEFT__LIMIT_DUMP_FRAMES);
}

void weft__backtrace_prepare(void)
{
    void *pc[4];
    if (backtrace(pc, 4) < 0)
        return;
}

/* On the stack of the task that is visited. */
__attribute__((noinline)) void weft__visited(struct weft__loop *loop)
{
    struct weft__visit *visit = loop->visit;
    loop->visit = NULL;
    loop->zombie = NULL;
    weft__backtrace_here(visit->frames);
    weft__context = &visit->visitor->context;
    weft__ctx_switch(&visit->task->ctx, &visit->visitor->ctx);
}

static bool has_room(const struct weft_task *task)
{
    if (task == &task->loop->native)
        return true;
    /* With ucontext the stack pointer is not where sp points; its stacks are all large ones. */
    if (!weft__stack_contains(&task->stack, task->ctx.sp))
        return false;
#if WEFT_USE_UCONTEXT
    return task->stack.size >= 4 * (size_t)ROOM;
#else
    return (char *)task->ctx.sp - (task->stack.base + WEFT__STACK_GUARD) >= ROOM;
#endif
}

void weft__backtrace(struct weft_task *task, struct weft__frames *frames)
{
    struct weft__loop *loop = task->loop;
    struct weft_task *self = (struct weft_task *)weft__context;
    struct weft__visit visit = {.visitor = self, .task = task, .frames = frames};
    frames->n = 0;
    if (task == self) {
        weft__backtrace_here(frames);
        return;
    }
    if (!has_room(task))
        return;
    weft__backtrace_prepare();
    /* Whoever has ended just now, its stack still waits to be given back: that goes on after. */
    struct weft_task *zombie = loop->zombie;
    int saved = errno;
    loop->visit = &visit;
    loop->zombie = &loop->native;
    weft__context = &task->context;
    weft__ctx_switch(&self->ctx, &task->ctx);
    loop->zombie = zombie;
    errno = saved;
}

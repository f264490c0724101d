/*
 * trace.c - functions of the program that are called as tasks come, run and go.
 *
 * The scheduler asks one field of the loop, tracing, where it does so for other reasons anyway;
 * everything else is here.
 */
#include <errno.h>
#include <string.h>

#include <weft/debug.h>

#include "run/debug_int.h"
#include "run/run_int.h"

enum { PROGRAM, FILE_WRITER, TRACES };

#define CALL_ALL(loop, hook, ...)                                                                  \
    for (int i_ = 0; i_ < TRACES; i_++) {                                                          \
        const weft_trace *trace_ = &(loop)->debug.traces[i_];                                      \
        if (trace_->hook != NULL)                                                                  \
            trace_->hook(__VA_ARGS__ trace_->userdata);                                            \
    }
#define AND ,

void weft__trace_step(struct weft__loop *loop, const struct weft_task *next)
{
    for (int i = 0; i < TRACES; i++) {
        const weft_trace *trace = &loop->debug.traces[i];
        const struct weft_task *before = loop->debug.steppers[i];
        if (before != NULL && trace->after_task_step != NULL)
            trace->after_task_step(before, trace->userdata);
        loop->debug.steppers[i] = trace->size != 0 && next != &loop->native ? next : NULL;
        if (loop->debug.steppers[i] != NULL && trace->before_task_step != NULL)
            trace->before_task_step(next, trace->userdata);
    }
}

void weft__trace_spawned(const struct weft_task *task, const struct weft_task *parent)
{
    CALL_ALL(task->loop, task_spawned, task AND parent AND);
}

void weft__trace_scheduled(const struct weft_task *task)
{
    if (task != &task->loop->native)
        CALL_ALL(task->loop, task_scheduled, task AND);
}

void weft__trace_exited(const struct weft_task *task, int result)
{
    CALL_ALL(task->loop, task_exited, task AND result AND);
}

void weft__trace_poll(struct weft__loop *loop, bool begins, int64_t timeout)
{
    if (begins)
        CALL_ALL(loop, before_io_wait, timeout AND)
    else
        CALL_ALL(loop, after_io_wait, timeout AND)
}

void weft__trace_run(struct weft__loop *loop, bool begins)
{
    if (begins)
        CALL_ALL(loop, before_run, )
    else
        CALL_ALL(loop, after_run, )
}

static void set(struct weft__loop *loop, int slot, const weft_trace *trace)
{
    weft_trace all = {0};
    if (trace != NULL)
        memcpy(&all, trace, trace->size < sizeof all ? trace->size : sizeof all);
    all.size = trace != NULL ? sizeof all : 0;
    /* What was told to have begun is told to have ended. */
    const weft_trace *old = &loop->debug.traces[slot];
    if (loop->debug.steppers[slot] != NULL && old->after_task_step != NULL)
        old->after_task_step(loop->debug.steppers[slot], old->userdata);
    loop->debug.steppers[slot] = NULL;
    loop->debug.traces[slot] = all;
    loop->tracing = (loop->debug.traces[PROGRAM].size | loop->debug.traces[FILE_WRITER].size) != 0;
    weft__loop_set_special(loop);
}

int weft_trace_set(const weft_trace *trace)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return weft__context_get()->error_code;
    set(loop, PROGRAM, trace);
    return 0;
}

void weft__trace_set_writer(struct weft__loop *loop, const weft_trace *trace)
{
    set(loop, FILE_WRITER, trace);
}

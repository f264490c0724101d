/*
 * debug_int.h - seeing inside: call stacks, their names, and text for people.
 *
 * Nothing here allocates memory: it must work when there is none, and in a deadlock.
 */
#ifndef WEFT_RUN_DEBUG_INT_H
#define WEFT_RUN_DEBUG_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "run/run_int.h"

/* ---- call stacks ---- */

struct weft__frames {
    void *pc[WEFT__LIMIT_DUMP_FRAMES];
    int n;
};

/*
 * The call stack of a task of the calling thread's loop, innermost call first.  One that is
 * suspended is switched to for as long as it takes to walk its stack: nothing but the stack
 * itself knows how to be unwound.  No frames where its stack has too little room for that.
 */
void weft__backtrace(struct weft_task *task, struct weft__frames *frames);
/* The caller's own; in a signal handler that of what it interrupted too. */
void weft__backtrace_here(struct weft__frames *frames);
/* Loads what unwinding needs, so that it can be done in a signal handler. */
void weft__backtrace_prepare(void);

/* ---- names of addresses ---- */

struct weft__symbol {
    const char *name; /* lends until weft__symbols_done; NULL: has none, or is not known */
    const char *module;
    uintptr_t offset;  /* from the function's begin */
    uintptr_t address; /* in the module's file, as addr2line wants it */
    bool ours;         /* in the module that this library is in */
};

/* The function that a return address leads back to. The names stay known until weft__symbols_done. */
void weft__symbol_find(const void *pc, struct weft__symbol *ret);
void weft__symbols_done(void);

/* ---- text ---- */

struct weft__report {
    int fd;
    size_t len;
    char text[4096];
};

void weft__report_begin(struct weft__report *report, int fd);
void weft__report_put(struct weft__report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* With control characters and bytes beyond ASCII written as \xNN; NULL is "". */
void weft__report_name(struct weft__report *report, const char *name);
/* "3.2 s", "15 ms", "7 us". */
void weft__report_time(struct weft__report *report, int64_t ns);
/* A line for each frame, those of the scheduler left out. */
void weft__report_frames(struct weft__report *report, const struct weft__frames *frames,
                         int indent);
void weft__report_end(struct weft__report *report);

/* One report at a time: false if the calling thread has interrupted one. */
bool weft__report_lock(void);
void weft__report_unlock(void);
/* In the child of a fork: whoever held the lock is not there. */
void weft__report_forked(void);

/* ---- WEFT_TRACE ---- */

void weft__trace_set_writer(struct weft__loop *loop, const weft_trace *trace);
/* Begins to write the events of a loop, if the environment says so. */
void weft__trace_file_attach(struct weft__loop *loop);
void weft__trace_file_detach(struct weft__loop *loop);
/* The file is the parent's. */
void weft__trace_file_forked(void);

/* ---- what a wait is ---- */

/* The operation that waits by it, or NULL. */
const struct weft__op *weft__op_of_wait(const struct weft__wait *wait);
/* If it is a sleep: until when. */
bool weft__sleep_of_wait(const struct weft__wait *wait, int64_t *ret_until);

#endif

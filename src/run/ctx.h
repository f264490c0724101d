/*
 * ctx.h - switching between stacks.
 *
 * The saved state of a stack that does not run is its stack pointer: the callee-saved
 * registers are pushed on the stack itself.  Floating-point control words are not saved;
 * tasks share them as they share everything of their thread.
 */
#ifndef WEFT_RUN_CTX_H
#define WEFT_RUN_CTX_H

#include <stddef.h>

#include "run/sanitize.h"

struct weft__ctx {
    void *sp; /* where the registers were pushed; with ucontext: the ucontext_t */
    struct weft__fiber fiber;
};

/* What a context begins with; returns what weft__ctx_end gave for the one that continues. */
typedef void *(*weft__ctx_entry)(void *arg);

/* Prepares a context that begins in entry(arg) on the given stack. */
void weft__ctx_init(struct weft__ctx *ctx, void *stack, size_t size, weft__ctx_entry entry,
                    void *arg);

/*
 * switch: saves the running context in from and continues to.
 * begin:  the same, where to has not begun yet.
 * end:    from never runs again; its entry function returns what this returns, at once.
 */
#if WEFT__ASAN || WEFT__TSAN || WEFT_USE_UCONTEXT
void weft__ctx_switch(struct weft__ctx *from, struct weft__ctx *to);
void weft__ctx_enter(struct weft__ctx *from, struct weft__ctx *to);
void *weft__ctx_end(struct weft__ctx *from, struct weft__ctx *to);
/* The first call of an entry function. */
void weft__ctx_began(void);
#else
void weft__ctx_swap(void **from_sp, void *to_sp);
void weft__ctx_begin(void **from_sp, void *to_sp);

static inline void weft__ctx_switch(struct weft__ctx *from, struct weft__ctx *to)
{
    weft__ctx_swap(&from->sp, to->sp);
}

static inline void weft__ctx_enter(struct weft__ctx *from, struct weft__ctx *to)
{
    weft__ctx_begin(&from->sp, to->sp);
}

static inline void weft__ctx_began(void)
{
}

static inline void *weft__ctx_end(struct weft__ctx *from, struct weft__ctx *to)
{
    (void)from;
    return to->sp;
}
#endif

#endif

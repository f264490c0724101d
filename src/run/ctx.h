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

typedef void (*weft__ctx_entry)(void *arg);

/* Prepares a context that begins in entry(arg) on the given stack; entry never returns. */
void weft__ctx_init(struct weft__ctx *ctx, void *stack, size_t size, weft__ctx_entry entry,
                    void *arg);
/* Saves the running context in from and continues to. ending: from never runs again. */
#if WEFT__ASAN || WEFT__TSAN || WEFT_USE_UCONTEXT
void weft__ctx_switch(struct weft__ctx *from, struct weft__ctx *to, int ending);
#else
void weft__ctx_swap(void **from_sp, void *to_sp);

static inline void weft__ctx_switch(struct weft__ctx *from, struct weft__ctx *to, int ending)
{
    (void)ending;
    weft__ctx_swap(&from->sp, to->sp);
}
#endif

#endif

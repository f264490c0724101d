/*
 * ctx.h - switching between stacks.
 *
 * The saved state of a stack that does not run is its stack pointer: registers are on the stack
 * itself.  Floating-point control words are not saved; tasks share them as they share
 * everything of their thread.
 *
 * On x86-64 the switch is inlined.  It tells the compiler that no register survives it, so that
 * the function around it saves what it needs and nothing is saved twice, and continues by a
 * jump: no return is predicted to go to another stack's caller.
 */
#ifndef WEFT_RUN_CTX_H
#define WEFT_RUN_CTX_H

#include <stddef.h>

#include "run/sanitize.h"

struct weft__ctx {
    void *sp; /* else than on x86-64 the registers lie there; with ucontext: the ucontext_t */
#if defined(__x86_64__) && !WEFT_USE_UCONTEXT
    void *bp;
    void *pc;
#endif
    struct weft__fiber fiber;
};

/* What a context begins with; returns what weft__ctx_end gave for the one that continues. */
typedef void *(*weft__ctx_entry)(void *arg);

/* Prepares a context that begins in entry(arg) on the given stack. */
void weft__ctx_init(struct weft__ctx *ctx, void *stack, size_t size, weft__ctx_entry entry,
                    void *arg);

#if defined(__x86_64__) && !WEFT_USE_UCONTEXT
#ifdef __AVX512F__
#define WEFT__CLOBBER_AVX512                                                                       \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",  \
        "k7"
#else
#define WEFT__CLOBBER_AVX512
#endif

/* The frame pointer cannot be named as lost: it is saved by hand. */
static inline __attribute__((always_inline)) void weft__ctx_jump(struct weft__ctx *from,
                                                                 struct weft__ctx *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, (%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "movq %%rax, 16(%0)\n\t"
                     "movq (%1), %%rsp\n\t"
                     "movq 8(%1), %%rbp\n\t"
                     "jmp *16(%1)\n\t"
                     ".p2align 2\n"
                     "1:\n\t"
                     "endbr64"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15" WEFT__CLOBBER_AVX512, "memory", "cc");
}

/*
 * Returns value, to the caller of whoever calls it last: by a jump, which is predicted by what
 * was done before, where a plain return is predicted to go to the caller of the task that ran
 * before.  After a switch.  (It reads no memory, so that it can be a tail call.)
 */
int weft__ctx_return(int value) __attribute__((const));
#else
static inline int weft__ctx_return(int value)
{
    return value;
}
#endif

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
#if !defined(__x86_64__)
void weft__ctx_swap(void **from_sp, void *to_sp);
void weft__ctx_begin(void **from_sp, void *to_sp);
#endif

static inline __attribute__((always_inline)) void weft__ctx_switch(struct weft__ctx *from,
                                                                   struct weft__ctx *to)
{
#if defined(__x86_64__)
    weft__ctx_jump(from, to);
#else
    weft__ctx_swap(&from->sp, to->sp);
#endif
}

static inline __attribute__((always_inline)) void weft__ctx_enter(struct weft__ctx *from,
                                                                  struct weft__ctx *to)
{
#if defined(__x86_64__)
    weft__ctx_jump(from, to);
#else
    weft__ctx_begin(&from->sp, to->sp);
#endif
}

static inline void weft__ctx_began(void)
{
}

static inline void *weft__ctx_end(struct weft__ctx *from, struct weft__ctx *to)
{
    (void)from;
#if defined(__x86_64__)
    return to;
#else
    return to->sp;
#endif
}
#endif

#endif

/*
 * ctx.c - the part of a context switch that is not assembly: telling the sanitizers, and the
 * portable version over ucontext.
 */
#include <assert.h>
#include <stdint.h>

#include "base/alloc.h"
#include "run/ctx.h"

#if WEFT_USE_UCONTEXT
#include <ucontext.h>

/* The ucontext_t of a task lies at the low end of its own stack, that of a thread in the heap-
 * free storage below: one native context per thread. */
static _Thread_local ucontext_t native_context;
static _Thread_local weft__ctx_entry starting_entry;
static _Thread_local void *starting_arg;

static void start(void)
{
    starting_entry(starting_arg);
}

struct start_block {
    ucontext_t context;
    weft__ctx_entry entry;
    void *arg;
};

static void raw_init(struct weft__ctx *ctx, void *stack, size_t size, weft__ctx_entry entry,
                     void *arg)
{
    /* At the top, so that a parked task touches as few pages as possible. */
    uintptr_t top = ((uintptr_t)stack + size - sizeof(struct start_block)) & ~(uintptr_t)63;
    struct start_block *block = (struct start_block *)top;
    getcontext(&block->context);
    block->context.uc_stack.ss_sp = stack;
    block->context.uc_stack.ss_size = top - (uintptr_t)stack;
    block->context.uc_link = NULL;
    block->entry = entry;
    block->arg = arg;
    makecontext(&block->context, start, 0);
    ctx->sp = block;
}

static void raw_switch(struct weft__ctx *from, struct weft__ctx *to)
{
    if (from->sp == NULL)
        from->sp = &native_context;
    if (to->sp != &native_context) {
        struct start_block *block = to->sp;
        starting_entry = block->entry;
        starting_arg = block->arg;
    }
    swapcontext(from->sp, to->sp);
}
#else
void weft__ctx_start(void);
#if (WEFT__ASAN || WEFT__TSAN) && !defined(__x86_64__)
void weft__ctx_swap(void **from_sp, void *to_sp);
#endif

static void raw_init(struct weft__ctx *ctx, void *stack, size_t size, weft__ctx_entry entry,
                     void *arg)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
#if defined(__x86_64__)
    /* What weft__ctx_start pops. */
    void **sp = (void **)top;
    *--sp = (void *)entry;
    *--sp = arg;
    ctx->bp = NULL;
    ctx->pc = (void *)weft__ctx_start;
#elif defined(__aarch64__)
    void **sp = (void **)top;
    /* x19 .. x30, then d8 .. d15: twenty slots; entry in x19, argument in x20, x30 is where to go. */
    sp -= 20;
    for (int i = 0; i < 20; i++)
        sp[i] = NULL;
    sp[0] = (void *)entry;
    sp[1] = arg;
    sp[11] = (void *)weft__ctx_start;
#endif
    ctx->sp = sp;
}

#if WEFT__ASAN || WEFT__TSAN
static __attribute__((noinline)) void raw_switch(struct weft__ctx *from, struct weft__ctx *to)
{
#if defined(__x86_64__)
    weft__ctx_jump(from, to);
#else
    weft__ctx_swap(&from->sp, to->sp);
#endif
}
#endif
#endif

void weft__ctx_init(struct weft__ctx *ctx, void *stack, size_t size, weft__ctx_entry entry,
                    void *arg)
{
    raw_init(ctx, stack, size, entry, arg);
#if WEFT__ASAN
    ctx->fiber.fake_stack = NULL;
    ctx->fiber.bottom = stack;
    ctx->fiber.size = size;
#endif
#if WEFT__TSAN
    ctx->fiber.tsan = __tsan_create_fiber(0);
#endif
}

#if WEFT__ASAN || WEFT__TSAN || WEFT_USE_UCONTEXT
/* Where somebody must be told, all three are one switch. */
static void told_switch(struct weft__ctx *from, struct weft__ctx *to, int ending)
{
    (void)ending;
#if WEFT__ASAN
    __sanitizer_start_switch_fiber(ending ? NULL : &from->fiber.fake_stack, to->fiber.bottom,
                                   to->fiber.size);
#endif
#if WEFT__TSAN
    if (from->fiber.tsan == NULL)
        from->fiber.tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber.tsan, 0);
#endif
    raw_switch(from, to);
#if WEFT__ASAN
    const void *old_bottom;
    size_t old_size;
    __sanitizer_finish_switch_fiber(from->fiber.fake_stack, &old_bottom, &old_size);
#endif
}

void weft__ctx_switch(struct weft__ctx *from, struct weft__ctx *to)
{
    told_switch(from, to, 0);
}

void weft__ctx_enter(struct weft__ctx *from, struct weft__ctx *to)
{
    told_switch(from, to, 0);
}

void *weft__ctx_end(struct weft__ctx *from, struct weft__ctx *to)
{
    told_switch(from, to, 1);
    __builtin_unreachable();
}

void weft__ctx_began(void)
{
#if WEFT__ASAN
    const void *old_bottom;
    size_t old_size;
    __sanitizer_finish_switch_fiber(NULL, &old_bottom, &old_size);
#endif
}
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "run/sanitize.h"
#include "run/stack.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    SLAB_FIRST = 16,     /* stacks in the first slab of a class */
    SLAB_MOST = 16384,   /* and in any */
    SLAB_BYTES_LOG = 31, /* no slab is larger than 2 GiB */
    HOT_STACKS = 64,     /* free stacks whose memory is kept as it is */
    PAGE = 4096,
};

struct weft__slab {
    struct weft__list node; /* in the class's list while it has a free stack */
    char *base;
    size_t stack_size;
    unsigned class;
    uint32_t n;       /* stacks */
    uint32_t n_fresh; /* of them never used: the last ones */
    uint32_t n_live;
    struct free_stack *free;
};

/* Kept in the top page of a stack that waits for reuse: that page was touched anyway. */
struct free_stack {
    struct free_stack *next;
    unsigned valgrind_id;
};

enum guard_kind { GUARD_UNKNOWN, GUARD_MADVISE, GUARD_MPROTECT, GUARD_NONE };

/* Learnt at the first stack of the process, maybe by several threads: all learn the same. */
static _Atomic(enum guard_kind) guard_kind;
static atomic_long mprotect_budget;

static long read_max_map_count(void)
{
    char text[32];
    uint64_t count = 0;
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 65530;
    long n = read(fd, text, sizeof text - 1);
    close(fd);
    while (n > 0 && !weft__is_digit(text[n - 1]))
        n--;
    if (n <= 0 || weft__parse_u64(text, (size_t)n, &count) < 0)
        return 65530;
    return (long)count;
}

static void guard_install(char *base)
{
    if (guard_kind == GUARD_UNKNOWN) {
        mprotect_budget = read_max_map_count() / 4;
        /* Valgrind does not know this advice and would not show the fault as one. */
        if (!RUNNING_ON_VALGRIND && madvise(base, WEFT__STACK_GUARD, MADV_GUARD_INSTALL) == 0)
            guard_kind = GUARD_MADVISE;
        else
            guard_kind = GUARD_MPROTECT;
    }
    if (guard_kind == GUARD_MADVISE && madvise(base, WEFT__STACK_GUARD, MADV_GUARD_INSTALL) == 0)
        return;
    if (guard_kind == GUARD_NONE)
        return;
    if (atomic_fetch_sub(&mprotect_budget, 1) > 0 &&
        mprotect(base, WEFT__STACK_GUARD, PROT_NONE) == 0)
        return;
    static const char text[] = "weft: no more guard pages can be had (vm.max_map_count); further "
                               "task stacks have no overflow protection\n";
    guard_kind = GUARD_NONE;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return;
}

static int class_of(size_t size, unsigned *ret)
{
    const size_t least = WEFT__LIMIT_STACK_MIN + WEFT__STACK_GUARD;
    if (size > WEFT__LIMIT_STACK_MAX)
        return -EINVAL;
    *ret = size <= least ? 0 : 64 - (unsigned)__builtin_clzl((size - 1) / least);
    return 0;
}

size_t weft__stack_round(size_t size)
{
    unsigned class = 0;
    if (class_of(size, &class) < 0)
        return size;
    return (size_t)(WEFT__LIMIT_STACK_MIN + WEFT__STACK_GUARD) << class;
}

void weft__stacks_init(struct weft__stacks *stacks)
{
    memset(stacks, 0, sizeof *stacks);
    for (unsigned class = 0; class < WEFT__STACK_CLASSES; class ++)
        weft__list_init(&stacks->slabs[class]);
}

static char *stack_base(const struct weft__slab *slab, uint32_t i)
{
    return slab->base + (size_t)i * slab->stack_size;
}

static void slab_unmap(struct weft__stacks *stacks, struct weft__slab *slab)
{
    weft__list_remove(&slab->node);
    for (struct free_stack *free = slab->free; free != NULL; free = free->next) {
        VALGRIND_STACK_DEREGISTER(free->valgrind_id);
        stacks->n_free--;
    }
    stacks->n_slabs[slab->class]--;
    stacks->mapped -= slab->n * slab->stack_size;
#if WEFT__ASAN
    /* What is mapped here next, by the kernel's rings too, has none of the last frames' red zones. */
    __asan_unpoison_memory_region(slab->base, slab->n * slab->stack_size);
#endif
    munmap(slab->base, slab->n * slab->stack_size);
    weft__free(slab);
}

void weft__stacks_done(struct weft__stacks *stacks)
{
    for (unsigned class = 0; class < WEFT__STACK_CLASSES; class ++) {
        struct weft__list *head = &stacks->slabs[class];
        while (!weft__list_is_empty(head)) {
            struct weft__slab *slab = WEFT__CONTAINER(head->next, struct weft__slab, node);
            assert(slab->n_live == 0);
            slab_unmap(stacks, slab);
        }
    }
}

static int slab_new(struct weft__stacks *stacks, unsigned class, struct weft__slab **ret)
{
    size_t stack_size = (size_t)(WEFT__LIMIT_STACK_MIN + WEFT__STACK_GUARD) << class;
    size_t n = SLAB_FIRST;
    for (size_t i = 0; i < stacks->n_slabs[class] && n < SLAB_MOST; i++)
        n *= 2;
    while (n > 1 && n * stack_size > (size_t)1 << SLAB_BYTES_LOG)
        n /= 2;
    struct weft__slab *slab = weft__calloc(1, sizeof *slab);
    if (slab == NULL || weft__alloc_should_fail()) {
        weft__free(slab);
        return -ENOMEM;
    }
    slab->base = mmap(NULL, n * stack_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab->base == MAP_FAILED) {
        weft__free(slab);
        return -ENOMEM;
    }
    /* One huge page per stack would be 2 MiB for a task that needs 4 KiB. */
    madvise(slab->base, n * stack_size, MADV_NOHUGEPAGE);
    slab->stack_size = stack_size;
    slab->class = class;
    slab->n = (uint32_t)n;
    slab->n_fresh = (uint32_t)n;
    weft__list_push_front(&stacks->slabs[class], &slab->node);
    stacks->n_slabs[class]++;
    stacks->mapped += n * stack_size;
    *ret = slab;
    return 0;
}

static struct free_stack *free_node(const struct weft__slab *slab, char *base)
{
    return (struct free_stack *)(base + slab->stack_size - sizeof(struct free_stack));
}

static int take_from_slab(struct weft__stacks *stacks, unsigned class, struct weft__stack *ret)
{
    struct weft__list *head = &stacks->slabs[class];
    struct weft__slab *slab;
    if (weft__list_is_empty(head)) {
        int err = slab_new(stacks, class, &slab);
        if (err < 0)
            return err;
    } else {
        slab = WEFT__CONTAINER(head->next, struct weft__slab, node);
    }
    ret->slab = slab;
    ret->size = slab->stack_size;
    if (slab->free != NULL) {
        struct free_stack *free = slab->free;
        slab->free = free->next;
        stacks->n_free--;
        ret->base = (char *)(free + 1) - slab->stack_size;
        ret->valgrind_id = free->valgrind_id;
    } else {
        ret->base = stack_base(slab, slab->n - slab->n_fresh);
        slab->n_fresh--;
        guard_install(ret->base);
        ret->valgrind_id = VALGRIND_STACK_REGISTER(ret->base, ret->base + ret->size);
    }
    slab->n_live++;
    stacks->n_live++;
    if (slab->free == NULL && slab->n_fresh == 0)
        weft__list_remove(&slab->node);
    return 0;
}

int weft__stack_take(struct weft__stacks *stacks, size_t size, struct weft__stack *ret)
{
    unsigned class;
    if (class_of(size, &class) < 0)
        return -EINVAL;
    return take_from_slab(stacks, class, ret);
}

void weft__stack_give(struct weft__stacks *stacks, const struct weft__stack *stack)
{
    struct weft__slab *slab = stack->slab;
    struct weft__list *head = &stacks->slabs[slab->class];
    assert(slab->n_live > 0);
    slab->n_live--;
    stacks->n_live--;
    /* Beyond the hot ones a stack keeps its top page only. */
    if (stacks->n_free >= HOT_STACKS)
        madvise(stack->base + WEFT__STACK_GUARD, stack->size - WEFT__STACK_GUARD - PAGE,
                MADV_DONTNEED);
    struct free_stack *free = free_node(slab, stack->base);
    free->next = slab->free;
    free->valgrind_id = stack->valgrind_id;
    slab->free = free;
    stacks->n_free++;
    if (weft__list_is_empty(&slab->node))
        weft__list_push_front(head, &slab->node);
    /* A burst is over: a slab goes back to the system while another one has stacks. */
    struct weft__slab *last = WEFT__CONTAINER(head->prev, struct weft__slab, node);
    if (last != slab && last->n_live == 0 && last->n_fresh == 0)
        slab_unmap(stacks, last);
}

bool weft__stack_is_guard(const struct weft__stack *stack, const void *address)
{
    const char *at = address;
    return at >= stack->base && at < stack->base + WEFT__STACK_GUARD;
}

bool weft__stack_contains(const struct weft__stack *stack, const void *address)
{
    const char *at = address;
    return at >= stack->base && at < stack->base + stack->size;
}

/*
 * stack.h - stacks for tasks, carved from slabs.
 *
 * A slab is one mapping that holds many stacks of one size, each with a guard at its low end.
 * The guards are MADV_GUARD_INSTALL where the kernel has it (6.13): they do not split the
 * mapping, so that a million stacks need no more mappings than a hundred.  Before that they
 * are mprotect guards, as many as a part of vm.max_map_count allows; stacks beyond that have
 * none.
 */
#ifndef WEFT_RUN_STACK_H
#define WEFT_RUN_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct weft__slab;

struct weft__stack {
    struct weft__slab *slab;
    char *base;  /* lowest address, guard included */
    size_t size; /* guard included */
    unsigned valgrind_id;
};

enum { WEFT__STACK_CLASSES = 16, WEFT__STACK_GUARD = 16 * 1024 };

struct weft__stacks {
    struct weft__list slabs[WEFT__STACK_CLASSES]; /* those with a free stack; most recent first */
    size_t n_slabs[WEFT__STACK_CLASSES];
    size_t n_free; /* stacks that were used before and wait for reuse */
    size_t n_live;
    size_t mapped; /* bytes of address space */
    unsigned colour;
};

void weft__stacks_init(struct weft__stacks *stacks);
/* All stacks must have been given back. */
void weft__stacks_done(struct weft__stacks *stacks);
/* size is rounded up to a power of two between the limits; -ENOMEM, -EINVAL beyond the largest. */
int weft__stack_take(struct weft__stacks *stacks, size_t size, struct weft__stack *ret);
void weft__stack_give(struct weft__stacks *stacks, const struct weft__stack *stack);
/* What a stack of this size is rounded up to. */
size_t weft__stack_round(size_t size);
/* Is the address in the guard of this stack? */
bool weft__stack_is_guard(const struct weft__stack *stack, const void *address);
bool weft__stack_contains(const struct weft__stack *stack, const void *address);

#endif

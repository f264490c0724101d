/*
 * items.h - values of one size, kept by copy: a ring that grows to its maximum, or a heap.
 */
#ifndef WEFT_SYNC_ITEMS_H
#define WEFT_SYNC_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct weft__items {
    char *data;
    size_t item_size;
    size_t stride; /* of an item and, in a heap, the number of its coming */
    size_t count;
    size_t max;
    size_t room;  /* items that data has space for */
    size_t first; /* of the ring */
    uint64_t next_number;
    int (*compare)(const void *a, const void *b, void *userdata); /* not NULL: a heap */
    void *userdata;
};

void weft__items_init(struct weft__items *items, size_t item_size, size_t max);
/* From now on the least one comes out first; of equals, the one that came first. */
void weft__items_make_heap(struct weft__items *items,
                           int (*compare)(const void *a, const void *b, void *userdata),
                           void *userdata);
/* What nobody will take; drop may be NULL. */
void weft__items_clear(struct weft__items *items, void (*drop)(void *item, void *userdata),
                       void *userdata);
void weft__items_done(struct weft__items *items);
/* The one that came last; not of a heap. */
void weft__items_pop_last(struct weft__items *items, void *ret);

/* Pointers and numbers are what is mostly sent. */
static inline void weft__item_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, size);
}

int weft__items_push_slowly(struct weft__items *items, const void *item);
void weft__items_pop_heap(struct weft__items *items, void *ret);

/* Of a ring with room: where the next item goes, which counts from now on. */
static inline void *weft__items_place(struct weft__items *items)
{
    size_t i = items->first + items->count++;
    if (i >= items->room)
        i -= items->room;
    return items->data + i * items->stride;
}

/* Of a ring with an item: where the first is, which does not count any more. */
static inline const void *weft__items_first(struct weft__items *items)
{
    const char *item = items->data + items->first * items->stride;
    items->count--;
    if (++items->first == items->room)
        items->first = 0;
    return item;
}

/* There are fewer than max. -ENOMEM; never where one was popped since the last push. */
static inline int weft__items_push(struct weft__items *items, const void *item)
{
    if (__builtin_expect(items->count == items->room || items->compare != NULL, 0))
        return weft__items_push_slowly(items, item);
    weft__item_copy(weft__items_place(items), item, items->item_size);
    return 0;
}

/* There is one. */
static inline void weft__items_pop(struct weft__items *items, void *ret)
{
    if (__builtin_expect(items->compare != NULL, 0))
        weft__items_pop_heap(items, ret);
    else
        weft__item_copy(ret, weft__items_first(items), items->item_size);
}

#endif

/* items.c - a ring, or a binary heap in which equals keep their order. */
#include "sync/items.h"

#include <errno.h>

#include "base/alloc.h"

enum { ROOM_FIRST = 8 };

void weft__items_init(struct weft__items *items, size_t item_size, size_t max)
{
    *items = (struct weft__items){.item_size = item_size, .stride = item_size, .max = max};
}

void weft__items_make_heap(struct weft__items *items,
                           int (*compare)(const void *a, const void *b, void *userdata),
                           void *userdata)
{
    items->compare = compare;
    items->userdata = userdata;
    items->stride = (items->item_size + 7) / 8 * 8 + sizeof(uint64_t);
}

void weft__items_done(struct weft__items *items)
{
    weft__free(items->data);
}

void weft__items_clear(struct weft__items *items, void (*drop)(void *item, void *userdata),
                       void *userdata)
{
    for (size_t i = 0; drop != NULL && i < items->count; i++)
        drop(items->data + (items->first + i) % items->room * items->stride, userdata);
    items->count = 0;
}

static char *at(const struct weft__items *items, size_t i)
{
    return items->data + i * items->stride;
}

/* The ring's part that stood before first follows the part behind it again. */
static int grow(struct weft__items *items)
{
    size_t room = items->room == 0 ? ROOM_FIRST : items->room * 2;
    size_t bytes;
    if (room > items->max)
        room = items->max;
    if (weft__size_mul(room, items->stride, &bytes) < 0)
        return -ENOMEM;
    char *data = weft__alloc(bytes);
    if (data == NULL)
        return -ENOMEM;
    size_t behind = items->room - items->first;
    if (items->room > 0) {
        memcpy(data, at(items, items->first), behind * items->stride);
        memcpy(data + behind * items->stride, items->data, items->first * items->stride);
    }
    weft__free(items->data);
    items->data = data;
    items->room = room;
    items->first = 0;
    return 0;
}

static uint64_t number_of(const struct weft__items *items, const char *item)
{
    uint64_t number;
    memcpy(&number, item + items->stride - sizeof number, sizeof number);
    return number;
}

static bool is_before(const struct weft__items *items, const char *a, const char *b)
{
    int order = items->compare(a, b, items->userdata);
    return order != 0 ? order < 0 : number_of(items, a) < number_of(items, b);
}

/* The new one comes behind all its equals, so its number need not be compared. */
static void heap_push(struct weft__items *items, const void *item)
{
    size_t hole = items->count++;
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;
        if (items->compare(item, at(items, parent), items->userdata) >= 0)
            break;
        memcpy(at(items, hole), at(items, parent), items->stride);
        hole = parent;
    }
    uint64_t number = items->next_number++;
    memcpy(at(items, hole), item, items->item_size);
    memcpy(at(items, hole) + items->stride - sizeof number, &number, sizeof number);
}

void weft__items_pop_heap(struct weft__items *items, void *ret)
{
    memcpy(ret, at(items, 0), items->item_size);
    size_t count = --items->count;
    const char *last = at(items, count);
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child + 1 < count && is_before(items, at(items, child + 1), at(items, child)))
            child++;
        if (child >= count || is_before(items, last, at(items, child)))
            break;
        memcpy(at(items, hole), at(items, child), items->stride);
        hole = child;
    }
    if (hole != count)
        memcpy(at(items, hole), last, items->stride);
}

int weft__items_push_slowly(struct weft__items *items, const void *item)
{
    if (items->count == items->room && grow(items) < 0)
        return -ENOMEM;
    if (items->compare == NULL)
        return weft__items_push(items, item);
    heap_push(items, item);
    return 0;
}

void weft__items_pop_last(struct weft__items *items, void *ret)
{
    size_t i = items->first + --items->count;
    if (i >= items->room)
        i -= items->room;
    weft__item_copy(ret, at(items, i), items->item_size);
}

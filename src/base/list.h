/*
 * list.h - intrusive doubly linked lists.
 *
 * A node that is in no list points to itself, so removing it twice does no harm.
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weft__list {
    struct weft__list *next;
    struct weft__list *prev;
};

#define WEFT__CONTAINER(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void weft__list_init(struct weft__list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool weft__list_is_empty(const struct weft__list *head)
{
    return head->next == head;
}

static inline void weft__list_insert_before(struct weft__list *place, struct weft__list *node)
{
    node->next = place;
    node->prev = place->prev;
    place->prev->next = node;
    place->prev = node;
}

static inline void weft__list_push_back(struct weft__list *head, struct weft__list *node)
{
    weft__list_insert_before(head, node);
}

static inline void weft__list_push_front(struct weft__list *head, struct weft__list *node)
{
    weft__list_insert_before(head->next, node);
}

static inline void weft__list_remove(struct weft__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    weft__list_init(node);
}

/* Of a node that nobody looks at any more. */
static inline void weft__list_unlink(struct weft__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

static inline struct weft__list *weft__list_pop_front(struct weft__list *head)
{
    struct weft__list *node = head->next;
    if (node == head)
        return NULL;
    weft__list_remove(node);
    return node;
}

/* All of from goes to the end of to. */
static inline void weft__list_move_all(struct weft__list *to, struct weft__list *from)
{
    if (weft__list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    weft__list_init(from);
}

#endif

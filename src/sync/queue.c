/*
 * queue.c - items from tasks that put to tasks that get.
 *
 * Where a getter waits there are no items, and an item put goes straight to the first; where
 * a putter waits the queue is full, and the place that a getter makes is filled from the
 * first at once.  So neither an item nor a place is ever free for somebody who came later.
 */
#include <errno.h>

#include <weft/channel.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "run/switch.h"
#include "sync/items.h"
#include "sync/sync_int.h"

struct weft_queue {
    struct weft__items items;
    struct weft__list getters;
    struct weft__list putters;
    struct weft__list joiners;
    size_t unfinished;
    void (*drop)(void *item, void *userdata);
    void *userdata;
    weft_queue_order order;
    bool closed;
};

struct waiter {
    struct weft__waiter base;
    const void *put; /* a putter's item */
    void *get;       /* where a getter wants one */
};

static int check_options(size_t item_size, const weft_queue_options *options)
{
    if (item_size == 0 || item_size > WEFT__LIMIT_ITEM)
        return weft__fail(-EINVAL, "a queue of items of %zu bytes; at most %d are possible",
                          item_size, WEFT__LIMIT_ITEM);
    if (options->order > WEFT_QUEUE_PRIORITY)
        return weft__fail(-EINVAL, "a queue of order %d", (int)options->order);
    if ((options->order == WEFT_QUEUE_PRIORITY) != (options->compare != NULL))
        return weft__fail(-EINVAL, "WEFT_QUEUE_PRIORITY and .compare go together");
    return 0;
}

int weft_queue_new(size_t item_size, const weft_queue_options *options, weft_queue **ret)
{
    weft_queue_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = check_options(item_size, &all);
    if (err < 0)
        return err;
    weft_queue *queue = weft__calloc(1, sizeof *queue);
    if (queue == NULL)
        return weft__fail_nomem();
    weft__items_init(&queue->items, item_size, all.capacity != 0 ? all.capacity : SIZE_MAX);
    if (all.order == WEFT_QUEUE_PRIORITY)
        weft__items_make_heap(&queue->items, all.compare, all.userdata);
    weft__list_init(&queue->getters);
    weft__list_init(&queue->putters);
    weft__list_init(&queue->joiners);
    queue->order = all.order;
    queue->drop = all.drop;
    queue->userdata = all.userdata;
    *ret = queue;
    return 0;
}

void weft_queue_free(weft_queue *queue)
{
    if (queue == NULL)
        return;
    weft__items_clear(&queue->items, queue->drop, queue->userdata);
    weft__items_done(&queue->items);
    weft__free(queue);
}

static __attribute__((cold)) int closed(void)
{
    return weft__fail(WEFT_ECLOSED, "the queue was shut down");
}

static struct waiter *first_of(struct weft__list *queue)
{
    struct weft__list *node = weft__list_pop_front(queue);
    return node != NULL ? WEFT__CONTAINER(node, struct waiter, base.node) : NULL;
}

static int try_put(struct weft_queue *queue, const void *item)
{
    if (queue->closed)
        return closed();
    struct waiter *getter = first_of(&queue->getters);
    if (getter != NULL) {
        weft__item_copy(getter->get, item, queue->items.item_size);
        weft__wake_here(getter->base.wait.task, 0);
    } else if (queue->items.count == queue->items.max) {
        return -EAGAIN;
    } else if (weft__items_push(&queue->items, item) < 0) {
        return weft__fail_nomem();
    }
    queue->unfinished++;
    return 0;
}

static int try_get(struct weft_queue *queue, void *ret)
{
    if (queue->items.count == 0)
        return queue->closed ? closed() : -EAGAIN;
    if (queue->order == WEFT_QUEUE_LIFO)
        weft__items_pop_last(&queue->items, ret);
    else
        weft__items_pop(&queue->items, ret);
    struct waiter *putter = first_of(&queue->putters);
    if (putter != NULL) {
        weft__items_push(&queue->items, putter->put);
        queue->unfinished++;
        weft__wake_here(putter->base.wait.task, 0);
    }
    return 0;
}

static inline __attribute__((always_inline)) int park_item(struct weft_task *self,
                                                           struct weft__list *queue,
                                                           const void *put, void *get,
                                                           const char *what)
{
    struct waiter waiter;
    waiter.put = put;
    waiter.get = get;
    int err = (int)weft__waitq_park_here(self, queue, &waiter.base, what);
    return __builtin_expect(err == WEFT_ECLOSED, 0) ? closed() : err;
}

/* Not inlined: calls that need not wait go without its frame. */
static __attribute__((noinline)) int wait_item(struct weft_task *self, struct weft__list *queue,
                                               const void *put, void *get, const char *what)
{
    return weft__ctx_return(park_item(self, queue, put, get, what));
}

int weft_queue_put(weft_queue *queue, const void *item)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    err = try_put(queue, item);
    if (err == -EAGAIN)
        return wait_item(self, &queue->putters, item, NULL, "queue to put");
    weft__sync_turn(self);
    return err;
}

int weft_queue_get(weft_queue *queue, void *ret)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    err = try_get(queue, ret);
    if (err == -EAGAIN)
        return wait_item(self, &queue->getters, NULL, ret, "queue to get");
    weft__sync_turn(self);
    return err;
}

int weft_queue_try_put(weft_queue *queue, const void *item)
{
    int err = try_put(queue, item);
    return err == -EAGAIN ? weft__fail_code(err) : err;
}

int weft_queue_try_get(weft_queue *queue, void *ret)
{
    int err = try_get(queue, ret);
    return err == -EAGAIN ? weft__fail_code(err) : err;
}

size_t weft_queue_count(const weft_queue *queue)
{
    return queue->items.count;
}

int weft_queue_task_done(weft_queue *queue)
{
    if (queue->unfinished == 0)
        return weft__fail(-EINVAL, "task_done was called more often than items were put");
    if (--queue->unfinished == 0)
        weft__waitq_wake_all(&queue->joiners, 0);
    return 0;
}

int weft_queue_join(weft_queue *queue)
{
    struct weft_task *self;
    struct weft__waiter waiter;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (queue->unfinished > 0)
        return (int)weft__waitq_park(self, &queue->joiners, &waiter, "queue to be done");
    weft__sync_turn(self);
    return 0;
}

void weft_queue_shutdown(weft_queue *queue, bool immediate)
{
    queue->closed = true;
    weft__waitq_wake_all(&queue->putters, WEFT_ECLOSED);
    weft__waitq_wake_all(&queue->getters, WEFT_ECLOSED);
    if (!immediate)
        return;
    size_t n = queue->items.count;
    weft__items_clear(&queue->items, queue->drop, queue->userdata);
    queue->unfinished -= n < queue->unfinished ? n : queue->unfinished;
    if (queue->unfinished == 0)
        weft__waitq_wake_all(&queue->joiners, 0);
}

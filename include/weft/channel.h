/*
 * weft/channel.h - values from task to task: queues, channels, select; promises also from
 * thread to task.
 *
 *     weft_sender *sender;
 *     weft_receiver *receiver;
 *     weft_channel_new(sizeof(int), WEFT_CHANNEL(.capacity = 16), &sender, &receiver);
 *
 *     for (int i = 0; i < 100 && err == 0; i++)          the task that sends
 *         err = weft_sender_send(sender, &i);
 *     weft_sender_free(sender);
 *
 *     while ((err = weft_receiver_receive(receiver, &i)) == 0)     the task that receives
 *         use(i);
 *     return err == WEFT_EEOF ? 0 : err;
 *
 * Items have one size and are copied; larger things go as pointers, and belong to whoever
 * received them.  An item goes straight to the task that has waited longest for one, a free
 * place to the task that has waited longest with one.  A call that returns -ECANCELED did not
 * happen: no item was taken or lost.  For a time limit put a scope around the call.
 *
 * A channel has ends that are closed, and so tells when nothing more will come; a queue has
 * one handle, an order, and counts work that is done.  All but promises are for the tasks of
 * one loop.
 */
#ifndef WEFT_CHANNEL_H
#define WEFT_CHANNEL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- queues ---- */

typedef struct weft_queue weft_queue;

typedef enum weft_queue_order {
    WEFT_QUEUE_FIFO = 0, /* first in, first out: asyncio.Queue */
    WEFT_QUEUE_LIFO,     /* last in, first out: asyncio.LifoQueue */
    WEFT_QUEUE_PRIORITY  /* the least of .compare first, of equals the first: PriorityQueue */
} weft_queue_order;

typedef struct weft_queue_options {
    size_t size;
    size_t capacity; /* items that it holds before putters wait; default no bound */
    weft_queue_order order;
    int (*compare)(const void *a, const void *b, void *userdata); /* < 0: a comes out before b */
    void (*drop)(void *item,
                 void *userdata); /* for items that nobody will get; calls nothing here */
    void *userdata;               /* keeps until the queue is freed */
} weft_queue_options;
#define WEFT_QUEUE(...) WEFT_OPTIONS(weft_queue_options, __VA_ARGS__)

/**
 * weft_queue_new() - make a queue
 * @item_size: bytes of an item, 1 to 1 MiB.
 * @options:   copies, NULL for defaults.
 * @ret:       gives, free with weft_queue_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL item size, or only one of priority order and compare; -ENOMEM.
 * Source:   asyncio.Queue, LifoQueue, PriorityQueue.
 * Since:    0.1
 */
WEFT_API int weft_queue_new(size_t item_size, const weft_queue_options *options, weft_queue **ret);

/**
 * weft_queue_free() - free a queue; what is in it is dropped
 * @queue: takes. NULL is allowed. Nobody may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_queue_free(weft_queue *queue);

/**
 * weft_queue_put() - add an item
 * @queue: borrows.
 * @item:  copies item_size bytes.
 *
 * A task that waits in weft_queue_get() has it at once, whatever the order of the queue.
 *
 * Suspends: maybe, while the queue is full.
 * Cancel:   -ECANCELED, the item is not in it.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; WEFT_ECLOSED it was shut down; -ENOMEM.
 * Source:   asyncio.Queue.put.
 * Since:    0.1
 */
WEFT_API int weft_queue_put(weft_queue *queue, const void *item);

/**
 * weft_queue_try_put() - add an item if there is a place
 * @queue: borrows.
 * @item:  copies item_size bytes.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EAGAIN it is full; WEFT_ECLOSED it was shut down; -ENOMEM.
 * Source:   asyncio.Queue.put_nowait.
 * Since:    0.1
 */
WEFT_API int weft_queue_try_put(weft_queue *queue, const void *item);

/**
 * weft_queue_get() - take the next item
 * @queue: borrows.
 * @ret:   borrows, item_size bytes to be filled.
 *
 * Suspends: maybe, while the queue is empty.
 * Cancel:   -ECANCELED, no item was taken.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; WEFT_ECLOSED it was shut down and is empty.
 * Source:   asyncio.Queue.get.
 * Since:    0.1
 */
WEFT_API int weft_queue_get(weft_queue *queue, void *ret);

/**
 * weft_queue_try_get() - take the next item if there is one
 * @queue: borrows.
 * @ret:   borrows, item_size bytes to be filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EAGAIN it is empty; WEFT_ECLOSED it was shut down and is empty.
 * Source:   asyncio.Queue.get_nowait.
 * Since:    0.1
 */
WEFT_API int weft_queue_try_get(weft_queue *queue, void *ret);

/**
 * weft_queue_count() - items in the queue
 * @queue: borrows.
 *
 * Suspends: never.
 * Return:   how many; 0 is empty.
 * Source:   asyncio.Queue.qsize, empty, full.
 * Since:    0.1
 */
WEFT_API size_t weft_queue_count(const weft_queue *queue);

/**
 * weft_queue_task_done() - say that the work for an item that was got is done
 * @queue: borrows.
 *
 * Suspends: never.
 * Return:   0, or -EINVAL if there is no such item.
 * Source:   asyncio.Queue.task_done.
 * Since:    0.1
 */
WEFT_API int weft_queue_task_done(weft_queue *queue);

/**
 * weft_queue_join() - wait until the work for every item that was put is done
 * @queue: borrows.
 *
 * Suspends: maybe, until weft_queue_task_done() was called once for each item.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ECANCELED.
 * Source:   asyncio.Queue.join.
 * Since:    0.1
 */
WEFT_API int weft_queue_join(weft_queue *queue);

/**
 * weft_queue_shutdown() - let nothing in any more
 * @queue:     borrows.
 * @immediate: what is in the queue is dropped, and counts as done.
 *
 * Those who wait to put get WEFT_ECLOSED; those who get do so when the queue is empty.
 *
 * Suspends: never.
 * Source:   asyncio.Queue.shutdown.
 * Since:    0.1
 */
WEFT_API void weft_queue_shutdown(weft_queue *queue, bool immediate);

/* ---- channels ---- */

typedef struct weft_sender weft_sender;
typedef struct weft_receiver weft_receiver;

typedef struct weft_channel_options {
    size_t size;
    size_t
        capacity; /* items that it holds; default 0: sender and receiver meet; SIZE_MAX: no bound */
    void (*drop)(void *item,
                 void *userdata); /* for items that nobody will receive; calls nothing here */
    void *userdata;               /* keeps until both kinds of ends are freed */
    bool shared; /* its ends may be used on any thread, several at once; drop is called there */
} weft_channel_options;
#define WEFT_CHANNEL(...) WEFT_OPTIONS(weft_channel_options, __VA_ARGS__)

typedef struct weft_channel_stats {
    size_t size;
    size_t capacity;
    size_t count;             /* items in it */
    size_t peak;              /* most items that were in it at once */
    size_t senders;           /* open ends */
    size_t receivers;         /* open ends */
    size_t senders_waiting;   /* calls that wait to send */
    size_t receivers_waiting; /* calls that wait to receive */
} weft_channel_stats;

/**
 * weft_channel_new() - make a channel with one end of each kind
 * @item_size:    bytes of an item, 1 to 1 MiB.
 * @options:      copies, NULL for defaults.
 * @ret_sender:   gives, free with weft_sender_free().
 * @ret_receiver: gives, free with weft_receiver_free().
 *
 * With .shared it joins tasks of several loops, and plain threads.  While a task waits at such a
 * channel, its loop counts on another thread: that nobody comes is not found to be a deadlock.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL item size; -ENOMEM.
 * Source:   trio.open_memory_channel; queue.Queue and janus.Queue for .shared.
 * Since:    0.1
 */
WEFT_API int weft_channel_new(size_t item_size, const weft_channel_options *options,
                              weft_sender **ret_sender, weft_receiver **ret_receiver);

/**
 * weft_sender_send() - send an item
 * @sender: borrows. Several tasks may use one end.
 * @item:   copies item_size bytes.
 *
 * Without capacity it returns when a receiver has the item.
 *
 * Suspends: maybe, while the channel is full.
 * Cancel:   -ECANCELED, the item was not sent.
 * Return:   0, or negative: the item is the caller's.
 * Errors:   -ECANCELED; -EPIPE no receiver is left; WEFT_ECLOSED this end is closed; -ENOMEM.
 * Source:   trio.MemorySendChannel.send.
 * Since:    0.1
 */
WEFT_API int weft_sender_send(weft_sender *sender, const void *item);

/**
 * weft_sender_try_send() - send an item if that can be done at once
 * @sender: borrows.
 * @item:   copies item_size bytes.
 *
 * Suspends: never.
 * Return:   0, or negative: the item is the caller's.
 * Errors:   -EAGAIN it is full, or without capacity and no receiver waits; -EPIPE;
 *           WEFT_ECLOSED; -ENOMEM.
 * Source:   trio.MemorySendChannel.send_nowait.
 * Since:    0.1
 */
WEFT_API int weft_sender_try_send(weft_sender *sender, const void *item);

/**
 * weft_sender_clone() - one more end to send
 * @sender: borrows.
 * @ret:    gives, free with weft_sender_free().
 *
 * The channel ends when every sender is closed: give each task that sends its own.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_ECLOSED this end is closed; -ENOMEM.
 * Source:   trio.MemorySendChannel.clone.
 * Since:    0.1
 */
WEFT_API int weft_sender_clone(const weft_sender *sender, weft_sender **ret);

/**
 * weft_sender_close() - send nothing more from this end
 * @sender: borrows. Closing it again does nothing.
 *
 * Tasks that wait to send from this end get WEFT_ECLOSED.  With the last sender receivers get
 * what is in the channel, then WEFT_EEOF.
 *
 * Suspends: never.
 * Source:   trio.MemorySendChannel.close.
 * Since:    0.1
 */
WEFT_API void weft_sender_close(weft_sender *sender);

/**
 * weft_sender_free() - close an end and free it
 * @sender: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_sender_free(weft_sender *sender);

/**
 * weft_sender_stats() - what a channel holds
 * @sender: borrows.
 * @ret:    borrows, to be filled.
 *
 * Suspends: never.
 * Source:   trio.MemorySendChannel.statistics.
 * Since:    0.1
 */
WEFT_API void weft_sender_stats(const weft_sender *sender, weft_channel_stats *ret);

/**
 * weft_receiver_receive() - receive the next item
 * @receiver: borrows. Several tasks may use one end.
 * @ret:      borrows, item_size bytes to be filled.
 *
 * Suspends: maybe, while the channel is empty.
 * Cancel:   -ECANCELED, no item was taken.
 * Return:   0, or negative.
 * Errors:   -ECANCELED; WEFT_EEOF it is empty and no sender is left; WEFT_ECLOSED this end is
 *           closed.
 * Source:   trio.MemoryReceiveChannel.receive.
 * Since:    0.1
 */
WEFT_API int weft_receiver_receive(weft_receiver *receiver, void *ret);

/**
 * weft_receiver_try_receive() - receive the next item if there is one
 * @receiver: borrows.
 * @ret:      borrows, item_size bytes to be filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EAGAIN nothing is there, and nobody waits to send; WEFT_EEOF; WEFT_ECLOSED.
 * Source:   trio.MemoryReceiveChannel.receive_nowait.
 * Since:    0.1
 */
WEFT_API int weft_receiver_try_receive(weft_receiver *receiver, void *ret);

/**
 * weft_receiver_clone() - one more end to receive
 * @receiver: borrows.
 * @ret:      gives, free with weft_receiver_free().
 *
 * Each item is received once, from whichever end.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_ECLOSED this end is closed; -ENOMEM.
 * Source:   trio.MemoryReceiveChannel.clone.
 * Since:    0.1
 */
WEFT_API int weft_receiver_clone(const weft_receiver *receiver, weft_receiver **ret);

/**
 * weft_receiver_close() - receive nothing more from this end
 * @receiver: borrows. Closing it again does nothing.
 *
 * Tasks that wait to receive from this end get WEFT_ECLOSED.  With the last receiver senders
 * get -EPIPE, and what is in the channel is dropped.
 *
 * Suspends: never.
 * Source:   trio.MemoryReceiveChannel.close.
 * Since:    0.1
 */
WEFT_API void weft_receiver_close(weft_receiver *receiver);

/**
 * weft_receiver_free() - close an end and free it
 * @receiver: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_receiver_free(weft_receiver *receiver);

/**
 * weft_receiver_stats() - what a channel holds
 * @receiver: borrows.
 * @ret:      borrows, to be filled.
 *
 * Suspends: never.
 * Source:   trio.MemoryReceiveChannel.statistics.
 * Since:    0.1
 */
WEFT_API void weft_receiver_stats(const weft_receiver *receiver, weft_channel_stats *ret);

/* ---- select ---- */

/*
 * One of several operations: {.receiver = r, .into = &item} or {.sender = s, .item = &item}.
 * With neither it is never chosen: set the end to NULL to leave a case out.
 */
typedef struct weft_select_case {
    weft_receiver *receiver;
    void *into; /* borrows */
    weft_sender *sender;
    const void *item; /* borrows */
    int result;       /* out, of the one that was chosen: 0 or the error of its operation */
    void *opaque[5];
} weft_select_case;

/**
 * weft_select() - do the first of several operations that can be done
 * @cases: borrows. What is not chosen did not happen.
 * @n:     how many.
 *
 * If several can be done at once, one is chosen at random.  An operation that fails, because
 * its channel has ended or is closed, can be done: its error is in .result.
 *
 * Suspends: maybe, until one can be done.
 * Cancel:   -ECANCELED, none was done.
 * Return:   the index of the one that was chosen, or negative.
 * Errors:   -ECANCELED; -EINVAL no case has a channel, or one has both ends, or some channels
 *           are shared and others not.
 * Source:   Go's select; anyio and trio have none.
 * Since:    0.1
 */
WEFT_API int weft_select(weft_select_case *cases, size_t n);

/**
 * weft_try_select() - do one of several operations if one can be done at once
 * @cases: borrows.
 * @n:     how many.
 *
 * Suspends: never.
 * Return:   the index of the one that was chosen, or negative.
 * Errors:   -EAGAIN none can be done; -EINVAL as weft_select().
 * Source:   Go's select with default.
 * Since:    0.1
 */
WEFT_API int weft_try_select(weft_select_case *cases, size_t n);

/* ---- promises ---- */

typedef struct weft_promise weft_promise;

/**
 * weft_promise_new() - a value that will be there later
 * @ret: gives one reference, drop it with weft_promise_unref().
 *
 * It is set once, by any thread; any number of tasks of any loops wait for it.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.Future, concurrent.futures.Future.
 * Since:    0.1
 */
WEFT_API int weft_promise_new(weft_promise **ret);

/**
 * weft_promise_ref() - one more reference, for another thread
 * @promise: borrows. From any thread.
 *
 * Suspends: never.
 * Return:   gives the promise again, drop it with weft_promise_unref().
 * Since:    0.1
 */
WEFT_API weft_promise *weft_promise_ref(weft_promise *promise);

/**
 * weft_promise_unref() - drop a reference
 * @promise: takes. NULL is allowed. From any thread.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_promise_unref(weft_promise *promise);

/**
 * weft_promise_set() - give the value, wake everybody who waits
 * @promise: borrows. From any thread, with or without a loop, but from no handler of a signal.
 * @value:   keeps; who owns it is between those who set and wait.
 *
 * Suspends: never.
 * Return:   0, or -EALREADY if it was set before.
 * Source:   Future.set_result.
 * Since:    0.1
 */
WEFT_API int weft_promise_set(weft_promise *promise, void *value);

/**
 * weft_promise_set_error() - give an error instead of a value
 * @promise: borrows. From any thread, with or without a loop.
 * @code:    negative.
 * @message: copies, at most 511 bytes; NULL for the text of the code.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EALREADY it was set before; -EINVAL not an error.
 * Source:   Future.set_exception.
 * Since:    0.1
 */
WEFT_API int weft_promise_set_error(weft_promise *promise, int code, const char *message);

/**
 * weft_promise_is_set() - has it a value or an error?
 * @promise: borrows. From any thread.
 *
 * Suspends: never.
 * Return:   whether a wait would return at once.
 * Source:   Future.done.
 * Since:    0.1
 */
WEFT_API bool weft_promise_is_set(const weft_promise *promise);

/**
 * weft_promise_wait() - wait for the value
 * @promise: borrows.
 * @ret:     lends the value as it was set; NULL if it is not wanted.
 *
 * While a task waits, its loop counts on another thread: a promise that nobody sets is not
 * found to be a deadlock.
 *
 * Suspends: maybe, until it is set.
 * Cancel:   -ECANCELED; the promise stays as it is, and can be waited for again.
 * Return:   0, or negative: the error that was set, with its message.
 * Errors:   -ECANCELED; those that are set.
 * Source:   await future, asyncio.wrap_future.
 * Since:    0.1
 */
WEFT_API int weft_promise_wait(weft_promise *promise, void **ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_queue, weft_queue_free)
WEFT_DEFINE_AUTO(weft_sender, weft_sender_free)
WEFT_DEFINE_AUTO(weft_receiver, weft_receiver_free)
WEFT_DEFINE_AUTO(weft_promise, weft_promise_unref)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * channel.c - a queue with two kinds of ends.
 *
 * As in queue.c an item goes straight to the receiver that has waited longest, and a place to
 * the sender.  What waits in a channel is an operation; a call waits with one of them, a
 * select with several, and the first that is chosen takes the others out of their queues.
 */
#include <errno.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "run/switch.h"
#include "sync/channel_int.h"

/* ---- making and closing ---- */

static void *end_new(struct weft__channel *channel)
{
    struct weft__end *end = weft__alloc(sizeof *end);
    if (end == NULL)
        return NULL;
    *end = (struct weft__end){
        .channel = channel,
        .shared = channel->shared,
        .plain = !channel->shared,
    };
    channel->n_ends++;
    return end;
}

static void end_free(struct weft__end *end)
{
    struct weft__channel *channel = end->channel;
    weft__free(end);
    weft__channel_lock(channel);
    size_t n_ends = --channel->n_ends;
    weft__channel_unlock(channel);
    if (n_ends > 0)
        return;
    weft__items_done(&channel->items);
    weft__free(channel);
}

int weft_channel_new(size_t item_size, const weft_channel_options *options,
                     weft_sender **ret_sender, weft_receiver **ret_receiver)
{
    weft_channel_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    if (item_size == 0 || item_size > WEFT__LIMIT_ITEM)
        return weft__fail(-EINVAL, "a channel of items of %zu bytes; at most %d are possible",
                          item_size, WEFT__LIMIT_ITEM);
    struct weft__channel *channel = weft__calloc(1, sizeof *channel);
    if (channel == NULL)
        return weft__fail_nomem();
    weft__items_init(&channel->items, item_size, all.capacity);
    weft__list_init(&channel->senders);
    weft__list_init(&channel->receivers);
    channel->drop = all.drop;
    channel->userdata = all.userdata;
    channel->shared = all.shared;
    if (channel->shared)
        weft__channels_prepare();
    weft_sender *sender = end_new(channel);
    weft_receiver *receiver = end_new(channel);
    if (sender == NULL || receiver == NULL) {
        weft__free(sender);
        weft__free(receiver);
        weft__free(channel);
        return weft__fail_nomem();
    }
    channel->n_senders = 1;
    channel->n_receivers = 1;
    *ret_sender = sender;
    *ret_receiver = receiver;
    return 0;
}

static int closed_end(void)
{
    return weft__fail(WEFT_ECLOSED, "this end of the channel is closed");
}

/* One more end of the kind that *n counts. */
static int end_clone(const struct weft__end *end, size_t *n, void **ret)
{
    struct weft__channel *channel = end->channel;
    int err = 0;
    weft__channel_lock(channel);
    void *clone = NULL;
    if (end->closed)
        err = closed_end();
    else if ((clone = end_new(channel)) == NULL)
        err = weft__fail_nomem();
    else
        (*n)++;
    weft__channel_unlock(channel);
    if (err == 0)
        *ret = clone;
    return err;
}

int weft_sender_clone(const weft_sender *sender, weft_sender **ret)
{
    void *clone;
    int err = end_clone(&sender->end, &sender->end.channel->n_senders, &clone);
    if (err == 0)
        *ret = clone;
    return err;
}

int weft_receiver_clone(const weft_receiver *receiver, weft_receiver **ret)
{
    void *clone;
    int err = end_clone(&receiver->end, &receiver->end.channel->n_receivers, &clone);
    if (err == 0)
        *ret = clone;
    return err;
}

/* ---- operations that wait ---- */

static inline void complete(struct weft__operation *operation, int result)
{
    struct weft__choice *choice = operation->choice;
    choice->chosen = operation;
    if (__builtin_expect(choice->cases == NULL, 1))
        weft__list_unlink(&operation->node);
    else
        weft__choice_leave(choice);
    if (__builtin_expect(choice->shared, 0))
        weft__choice_wake_shared(choice, result);
    else
        weft__wake_here(choice->wait.task, result);
}

static inline struct weft__operation *first_of(struct weft__list *queue)
{
    if (weft__list_is_empty(queue))
        return NULL;
    return WEFT__CONTAINER(queue->next, struct weft__operation, node);
}

/* Ends the operations of one end, or with NULL of all. */
static void complete_all(struct weft__list *queue, const struct weft__end *end, int result)
{
    struct weft__list *node = queue->next;
    while (node != queue) {
        struct weft__operation *operation = WEFT__CONTAINER(node, struct weft__operation, node);
        node = node->next;
        if (end != NULL && operation->end != end)
            continue;
        complete(operation, result);
        /* A select may have had the next one in this queue too. */
        node = queue->next;
    }
}

/* False if it was closed already. */
static bool mark_closed(struct weft__end *end)
{
    if (end->closed)
        return false;
    end->closed = true;
    if (!end->shared)
        end->plain = false;
    return true;
}

static void close_sender(struct weft__channel *channel, struct weft__end *end)
{
    if (!mark_closed(end))
        return;
    complete_all(&channel->senders, end, WEFT_ECLOSED);
    if (--channel->n_senders == 0)
        complete_all(&channel->receivers, NULL, WEFT_EEOF);
}

static void close_receiver(struct weft__channel *channel, struct weft__end *end)
{
    if (!mark_closed(end))
        return;
    complete_all(&channel->receivers, end, WEFT_ECLOSED);
    if (--channel->n_receivers > 0)
        return;
    complete_all(&channel->senders, NULL, -EPIPE);
    weft__items_clear(&channel->items, channel->drop, channel->userdata);
}

void weft_sender_close(weft_sender *sender)
{
    struct weft__channel *channel = sender->end.channel;
    weft__channel_lock(channel);
    close_sender(channel, &sender->end);
    weft__channel_unlock(channel);
}

void weft_receiver_close(weft_receiver *receiver)
{
    struct weft__channel *channel = receiver->end.channel;
    weft__channel_lock(channel);
    close_receiver(channel, &receiver->end);
    weft__channel_unlock(channel);
}

void weft_sender_free(weft_sender *sender)
{
    if (sender == NULL)
        return;
    weft_sender_close(sender);
    end_free(&sender->end);
}

void weft_receiver_free(weft_receiver *receiver)
{
    if (receiver == NULL)
        return;
    weft_receiver_close(receiver);
    end_free(&receiver->end);
}

/* ---- sending and receiving ---- */

__attribute__((cold)) int weft__channel_woken(int code)
{
    if (code == WEFT_EEOF)
        return weft__fail(code, "the channel is at its end: no sender is left");
    if (code == -EPIPE)
        return weft__fail(code, "nobody will receive: no receiver of the channel is left");
    if (code == WEFT_ECLOSED)
        return closed_end();
    return code;
}

static int try_send(struct weft__end *end, const void *item)
{
    struct weft__channel *channel = end->channel;
    if (__builtin_expect(end->closed, 0))
        return closed_end();
    struct weft__operation *receiver = first_of(&channel->receivers);
    if (receiver != NULL) {
        weft__item_copy(receiver->item, item, channel->items.item_size);
        complete(receiver, 0);
        return 0;
    }
    if (__builtin_expect(channel->n_receivers == 0, 0))
        return weft__channel_woken(-EPIPE);
    if (channel->items.count >= channel->items.max)
        return -EAGAIN;
    if (weft__items_push(&channel->items, item) < 0)
        return weft__fail_nomem();
    if (channel->items.count > channel->peak)
        channel->peak = channel->items.count;
    return 0;
}

static int try_receive(struct weft__end *end, void *ret)
{
    struct weft__channel *channel = end->channel;
    if (__builtin_expect(end->closed, 0))
        return closed_end();
    struct weft__operation *sender = first_of(&channel->senders);
    if (channel->items.count > 0) {
        weft__items_pop(&channel->items, ret);
        if (sender != NULL) {
            weft__items_push(&channel->items, sender->item);
            complete(sender, 0);
        }
        return 0;
    }
    if (sender != NULL) {
        weft__item_copy(ret, sender->item, channel->items.item_size);
        complete(sender, 0);
        return 0;
    }
    return channel->n_senders == 0 ? weft__channel_woken(WEFT_EEOF) : -EAGAIN;
}

int weft__channel_try_send(struct weft__end *end, const void *item)
{
    return try_send(end, item);
}

int weft__channel_try_receive(struct weft__end *end, void *ret)
{
    return try_receive(end, ret);
}

static void choice_cancelled(struct weft__wait *wait, int code)
{
    weft__choice_leave(WEFT__CONTAINER(wait, struct weft__choice, wait));
    weft__wake(wait->task, code);
}

int weft__choice_park(struct weft_task *self, struct weft__choice *choice)
{
    choice->wait.cancel = choice_cancelled;
    choice->chosen = NULL;
    int err = (int)weft__park(self, &choice->wait);
    if (__builtin_expect(err < 0 && choice->chosen == NULL, 0))
        return err == -ECANCELED ? weft__cancel_error(self) : err;
    return err;
}

/* A call that waits for one thing. */
struct alone {
    struct weft__choice choice;
    struct weft__operation operation;
};

static inline __attribute__((always_inline)) int park_alone(struct weft_task *self,
                                                            struct weft__list *queue,
                                                            struct weft__end *end, void *item,
                                                            const char *what)
{
    struct alone alone;
    alone.choice.wait.cancel = choice_cancelled;
    alone.choice.wait.what = what;
    alone.choice.chosen = NULL;
    alone.choice.single = &alone.operation;
    alone.choice.cases = NULL;
    alone.choice.shared = false;
    alone.operation.choice = &alone.choice;
    alone.operation.end = end;
    alone.operation.item = item;
    weft__list_push_back(queue, &alone.operation.node);
    int err = (int)weft__park_here(self, &alone.choice.wait);
    if (__builtin_expect(err == 0, 1))
        return 0;
    if (alone.choice.chosen == NULL)
        return err == -ECANCELED ? weft__cancel_error(self) : err;
    return weft__channel_woken(err);
}

/* Not inlined: calls that need not wait go without its frame. */
static __attribute__((noinline)) int wait_alone(struct weft_task *self, struct weft__list *queue,
                                                struct weft__end *end, void *item, const char *what)
{
    return weft__ctx_return(park_alone(self, queue, end, item, what));
}

static __attribute__((noinline)) int send_slowly(weft_sender *sender, const void *item)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (sender->end.shared)
        return weft__channel_call_shared(self, &sender->end, (void *)item, true);
    err = try_send(&sender->end, item);
    if (err == -EAGAIN)
        return wait_alone(self, &sender->end.channel->senders, &sender->end, (void *)item,
                          "channel to send");
    weft__sync_turn(self);
    return err;
}

static __attribute__((noinline)) int receive_slowly(weft_receiver *receiver, void *ret)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (receiver->end.shared)
        return weft__channel_call_shared(self, &receiver->end, ret, false);
    err = try_receive(&receiver->end, ret);
    if (err == -EAGAIN)
        return wait_alone(self, &receiver->end.channel->receivers, &receiver->end, ret,
                          "channel to receive");
    weft__sync_turn(self);
    return err;
}

/*
 * What is done mostly goes without a call, so that no register is saved for one: pointers and
 * numbers, between plain calls of open ends, by a task that nothing disturbs.
 */
static inline struct weft_task *undisturbed(const struct weft__end *end)
{
    struct weft_task *self = weft__self_undisturbed();
    if (!end->plain | (end->channel->items.item_size != sizeof(uint64_t)))
        return NULL;
    return self;
}

static inline bool is_plain(const struct weft__operation *operation)
{
    return __builtin_expect(operation->choice->cases == NULL, 1);
}

/* weft__loop_spend leaves something of the budget: see weft__self_undisturbed. */
static inline int passed(struct weft_task *self, struct weft__operation *operation)
{
    struct weft__choice *choice = operation->choice;
    choice->chosen = operation;
    weft__list_unlink(&operation->node);
    choice->wait.task->wake_value = 0;
    weft__ready_back(self->loop, choice->wait.task);
    weft__loop_spend(self->loop, 1);
    return 0;
}

int weft_sender_send(weft_sender *sender, const void *item)
{
    struct weft__end *end = &sender->end;
    struct weft_task *self = undisturbed(end);
    if (__builtin_expect(self == NULL, 0))
        return send_slowly(sender, item);
    struct weft__channel *channel = end->channel;
    struct weft__items *items = &channel->items;
    struct weft__operation *receiver = first_of(&channel->receivers);
    if (receiver != NULL) {
        if (!is_plain(receiver))
            return send_slowly(sender, item);
        memcpy(receiver->item, item, sizeof(uint64_t));
        return passed(self, receiver);
    }
    if (__builtin_expect(channel->n_receivers == 0, 0))
        return send_slowly(sender, item);
    if (items->count >= items->max)
        return wait_alone(self, &channel->senders, end, (void *)item, "channel to send");
    if (__builtin_expect(items->count == items->room, 0))
        return send_slowly(sender, item);
    memcpy(weft__items_place(items), item, sizeof(uint64_t));
    if (items->count > channel->peak)
        channel->peak = items->count;
    weft__loop_spend(self->loop, 1);
    return 0;
}

int weft_receiver_receive(weft_receiver *receiver, void *ret)
{
    struct weft__end *end = &receiver->end;
    struct weft_task *self = undisturbed(end);
    if (__builtin_expect(self == NULL, 0))
        return receive_slowly(receiver, ret);
    struct weft__channel *channel = end->channel;
    struct weft__items *items = &channel->items;
    struct weft__operation *sender = first_of(&channel->senders);
    if (items->count == 0 && sender == NULL) {
        if (__builtin_expect(channel->n_senders == 0, 0))
            return receive_slowly(receiver, ret);
        return wait_alone(self, &channel->receivers, end, ret, "channel to receive");
    }
    if (sender != NULL && !is_plain(sender))
        return receive_slowly(receiver, ret);
    if (items->count == 0) {
        memcpy(ret, sender->item, sizeof(uint64_t));
        return passed(self, sender);
    }
    memcpy(ret, weft__items_first(items), sizeof(uint64_t));
    if (sender != NULL) {
        memcpy(weft__items_place(items), sender->item, sizeof(uint64_t));
        return passed(self, sender);
    }
    weft__loop_spend(self->loop, 1);
    return 0;
}

int weft_sender_try_send(weft_sender *sender, const void *item)
{
    weft__channel_lock(sender->end.channel);
    int err = try_send(&sender->end, item);
    weft__channel_unlock(sender->end.channel);
    return err == -EAGAIN ? weft__fail_code(err) : err;
}

int weft_receiver_try_receive(weft_receiver *receiver, void *ret)
{
    weft__channel_lock(receiver->end.channel);
    int err = try_receive(&receiver->end, ret);
    weft__channel_unlock(receiver->end.channel);
    return err == -EAGAIN ? weft__fail_code(err) : err;
}

/* ---- statistics ---- */

static size_t length_of(const struct weft__list *queue)
{
    size_t n = 0;
    for (const struct weft__list *node = queue->next; node != queue; node = node->next)
        n++;
    return n;
}

static void stats(const struct weft__channel *channel, weft_channel_stats *ret)
{
    weft__channel_lock(channel);
    *ret = (weft_channel_stats){
        .size = sizeof *ret,
        .capacity = channel->items.max,
        .count = channel->items.count,
        .peak = channel->peak,
        .senders = channel->n_senders,
        .receivers = channel->n_receivers,
        .senders_waiting = length_of(&channel->senders),
        .receivers_waiting = length_of(&channel->receivers),
    };
    weft__channel_unlock(channel);
}

void weft_sender_stats(const weft_sender *sender, weft_channel_stats *ret)
{
    stats(sender->end.channel, ret);
}

void weft_receiver_stats(const weft_receiver *receiver, weft_channel_stats *ret)
{
    stats(receiver->end.channel, ret);
}

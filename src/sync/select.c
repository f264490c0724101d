/*
 * select.c - the first of several channel operations that can be done.
 *
 * Each case holds its own operation, in memory of the caller: a select of any length needs no
 * other.  Among cases that can be done at once the search begins at a random one, so that a
 * busy channel does not starve those behind it.
 */
#include <assert.h>
#include <errno.h>

#include "base/rand.h"
#include "sync/channel_int.h"

static_assert(sizeof(struct weft__operation) <= sizeof(((weft_select_case *)0)->opaque),
              "weft_select_case is too small");

static struct weft__operation *operation_of(weft_select_case *one)
{
    return (struct weft__operation *)(void *)one->opaque;
}

void weft__choice_leave(struct weft__choice *choice)
{
    if (choice->cases == NULL) {
        weft__list_remove(&choice->single->node);
        return;
    }
    for (size_t i = 0; i < choice->n_cases; i++)
        weft__list_remove(&operation_of(&choice->cases[i])->node);
}

static int try_case(weft_select_case *one)
{
    if (one->sender != NULL)
        return weft__channel_try_send(&one->sender->end, one->item);
    if (one->receiver != NULL)
        return weft__channel_try_receive(&one->receiver->end, one->into);
    return -EAGAIN;
}

static const struct weft__channel *channel_of(const weft_select_case *one)
{
    if (one->sender != NULL)
        return one->sender->end.channel;
    return one->receiver != NULL ? one->receiver->end.channel : NULL;
}

/* Of the first case that has one. */
static const struct weft__channel *first_channel(const weft_select_case *cases)
{
    while (channel_of(cases) == NULL)
        cases++;
    return channel_of(cases);
}

static int check_cases(const weft_select_case *cases, size_t n)
{
    size_t usable = 0;
    size_t shared = 0;
    for (size_t i = 0; i < n; i++) {
        if (cases[i].sender != NULL && cases[i].receiver != NULL)
            return weft__fail(-EINVAL, "case %zu of a select both sends and receives", i);
        const struct weft__channel *channel = channel_of(&cases[i]);
        usable += channel != NULL;
        shared += channel != NULL && channel->shared;
    }
    if (usable == 0 || n > INT32_MAX)
        return weft__fail(-EINVAL, "a select of %zu cases, %zu of them with a channel", n, usable);
    if (shared != 0 && shared != usable)
        return weft__fail(-EINVAL, "a select of %zu cases, %zu of them with a shared channel", n,
                          shared);
    return 0;
}

/* The index of the case that was done; -EAGAIN, without a message, if none can be. */
static int try_cases(struct weft__loop *loop, weft_select_case *cases, size_t n)
{
    uint64_t random = loop->seed != 0 ? weft__rand_next(&loop->rand) : weft__rand_thread();
    size_t i = (size_t)weft__rand_below(random, n);
    for (size_t tried = 0; tried < n; tried++, i = i + 1 < n ? i + 1 : 0) {
        int result = try_case(&cases[i]);
        if (result == -EAGAIN)
            continue;
        cases[i].result = result;
        return (int)i;
    }
    return -EAGAIN;
}

/* With the lock of shared channels, which it gives back. */
static int wait_for_one(struct weft_task *self, weft_select_case *cases, size_t n)
{
    struct weft__choice choice = {.wait.what = "select", .cases = cases, .n_cases = n};
    bool shared = first_channel(cases)->shared;
    if (shared)
        weft__choice_share(self, &choice);
    for (size_t i = 0; i < n; i++) {
        struct weft__operation *operation = operation_of(&cases[i]);
        operation->choice = &choice;
        weft__list_init(&operation->node);
        if (cases[i].sender != NULL) {
            operation->end = &cases[i].sender->end;
            operation->item = (void *)cases[i].item;
            weft__list_push_back(&operation->end->channel->senders, &operation->node);
        } else if (cases[i].receiver != NULL) {
            operation->end = &cases[i].receiver->end;
            operation->item = cases[i].into;
            weft__list_push_back(&operation->end->channel->receivers, &operation->node);
        }
    }
    int result =
        shared ? weft__choice_park_shared(self, &choice) : weft__choice_park(self, &choice);
    if (choice.chosen == NULL)
        return result;
    weft_select_case *one = WEFT__CONTAINER(choice.chosen, weft_select_case, opaque);
    one->result = result < 0 ? weft__channel_woken(result) : 0;
    return (int)(one - cases);
}

int weft_select(weft_select_case *cases, size_t n)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = check_cases(cases, n);
    if (err == 0)
        err = weft__checkpoint(self);
    if (err < 0)
        return err;
    const struct weft__channel *channel = first_channel(cases);
    weft__channel_lock(channel);
    int index = try_cases(self->loop, cases, n);
    if (index == -EAGAIN)
        return wait_for_one(self, cases, n);
    weft__channel_unlock(channel);
    weft__sync_turn(self);
    return index;
}

int weft_try_select(weft_select_case *cases, size_t n)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = check_cases(cases, n);
    if (err < 0)
        return err;
    const struct weft__channel *channel = first_channel(cases);
    weft__channel_lock(channel);
    int index = try_cases(self->loop, cases, n);
    weft__channel_unlock(channel);
    return index == -EAGAIN ? weft__fail_code(-EAGAIN) : index;
}

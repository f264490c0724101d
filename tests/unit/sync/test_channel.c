#include <string.h>
#include <weft/channel.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

struct ends {
    weft_sender *sender;
    weft_receiver *receiver;
    int dropped;
    int sum;
    int n;
};

static void drop_int(void *item, void *userdata)
{
    struct ends *ends = userdata;
    ends->dropped += *(int *)item;
}

static int make(struct ends *ends, size_t capacity)
{
    *ends = (struct ends){0};
    return weft_channel_new(sizeof(int),
                            WEFT_CHANNEL(.capacity = capacity, .drop = drop_int, .userdata = ends),
                            &ends->sender, &ends->receiver);
}

static void done(struct ends *ends)
{
    weft_sender_free(ends->sender);
    weft_receiver_free(ends->receiver);
}

/* Sends 1 to n, then closes its end. */
static int send_and_close(void *arg)
{
    struct ends *ends = arg;
    for (int i = 1; i <= ends->n; i++) {
        int err = weft_sender_send(ends->sender, &i);
        if (err < 0)
            return err;
    }
    weft_sender_close(ends->sender);
    return 0;
}

/* In order, until the channel ends. */
static int receive_all(void *arg)
{
    struct ends *ends = arg;
    int item;
    int last = 0;
    int err;
    while ((err = weft_receiver_receive(ends->receiver, &item)) == 0) {
        ASSERT_INT_GT(item, last);
        last = item;
        ends->sum += item;
    }
    return err == WEFT_EEOF ? 0 : err;
}

VIRTUAL_TEST(channel_carries_all_in_order_whatever_its_capacity)
{
    const size_t capacities[] = {0, 1, 2, 7, 64, SIZE_MAX};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        struct ends ends;
        ASSERT_OK(make(&ends, capacities[i]));
        ends.n = 100;
        ASSERT_OK(weft_gather((weft_call[]){{send_and_close, &ends, 0}, {receive_all, &ends, 0}}, 2,
                              NULL));
        ASSERT_INT_EQ(ends.sum, 5050);
        ASSERT_INT_EQ(ends.dropped, 0);
        done(&ends);
    }
}

VIRTUAL_TEST(channel_try_send_and_try_receive_never_wait)
{
    struct ends ends;
    int item = 1;
    ASSERT_OK(make(&ends, 2));
    ASSERT_ERR(weft_receiver_try_receive(ends.receiver, &item), -EAGAIN);
    ASSERT_INT_EQ(item, 1);
    ASSERT_OK(weft_sender_try_send(ends.sender, &item));
    item = 2;
    ASSERT_OK(weft_sender_try_send(ends.sender, &item));
    ASSERT_ERR(weft_sender_try_send(ends.sender, &item), -EAGAIN);
    ASSERT_OK(weft_receiver_try_receive(ends.receiver, &item));
    ASSERT_INT_EQ(item, 1);
    done(&ends);
    ASSERT_INT_EQ(ends.dropped, 2);
}

static int receive_one(void *arg)
{
    struct ends *ends = arg;
    int item = 0;
    int err = weft_receiver_receive(ends->receiver, &item);
    ends->sum += item;
    return err;
}

static int send_seven(void *arg)
{
    struct ends *ends = arg;
    return weft_sender_send(ends->sender, &(int){7});
}

VIRTUAL_TEST(channel_without_capacity_hands_over_to_who_waits)
{
    struct ends ends;
    weft_group group;
    int item = 0;
    ASSERT_OK(make(&ends, 0));
    ASSERT_ERR(weft_sender_try_send(ends.sender, &item), -EAGAIN);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, receive_one, &ends));
    ASSERT_OK(weft_sender_try_send(ends.sender, &(int){5}));
    /* One waited, one item was taken: there is nobody for a second. */
    ASSERT_ERR(weft_sender_try_send(ends.sender, &item), -EAGAIN);
    ASSERT_OK(weft_group_spawn(&group, send_seven, &ends));
    ASSERT_OK(weft_receiver_try_receive(ends.receiver, &item));
    ASSERT_INT_EQ(item, 7);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(ends.sum, 5);
    done(&ends);
}

VIRTUAL_TEST(channel_ends_when_the_last_clone_of_its_sender_is_closed)
{
    struct ends ends;
    weft_sender *clone;
    int item = 3;
    ASSERT_OK(make(&ends, 4));
    ASSERT_OK(weft_sender_clone(ends.sender, &clone));
    weft_sender_close(ends.sender);
    weft_sender_close(ends.sender);
    ASSERT_ERR(weft_sender_send(ends.sender, &item), WEFT_ECLOSED);
    ASSERT_ERR(weft_sender_clone(ends.sender, &clone), WEFT_ECLOSED);
    ASSERT_OK(weft_sender_send(clone, &item));
    ASSERT_OK(weft_receiver_receive(ends.receiver, &item));
    ASSERT_ERR(weft_receiver_try_receive(ends.receiver, &item), -EAGAIN);
    ASSERT_OK(weft_sender_send(clone, &item));
    weft_sender_free(clone);
    ASSERT_OK(weft_receiver_receive(ends.receiver, &item));
    ASSERT_ERR(weft_receiver_receive(ends.receiver, &item), WEFT_EEOF);
    ASSERT_ERR(weft_receiver_try_receive(ends.receiver, &item), WEFT_EEOF);
    ASSERT_STR_HAS(weft_error_message(), "no sender is left");
    done(&ends);
}

VIRTUAL_TEST(channel_without_receivers_breaks_the_senders)
{
    struct ends ends;
    weft_receiver *clone;
    weft_group group;
    int results[2] = {0, 0};
    ASSERT_OK(make(&ends, 1));
    ASSERT_OK(weft_receiver_clone(ends.receiver, &clone));
    ASSERT_OK(weft_sender_send(ends.sender, &(int){40}));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(
            weft_group_spawn_with(&group, send_seven, &ends, WEFT_SPAWN(.result = &results[i])));
    weft_receiver_free(clone);
    weft_receiver_close(ends.receiver);
    ASSERT_INT_EQ(ends.dropped, 40);
    ASSERT_ERR(weft_group_wait(&group), -EPIPE);
    ASSERT_INT_EQ(results[0], -EPIPE);
    ASSERT_INT_EQ(results[1], -EPIPE);
    ASSERT_ERR(weft_sender_try_send(ends.sender, &(int){1}), -EPIPE);
    ASSERT_ERR(weft_receiver_receive(ends.receiver, &(int){0}), WEFT_ECLOSED);
    ASSERT_ERR(weft_receiver_clone(ends.receiver, &clone), WEFT_ECLOSED);
    done(&ends);
}

/* Closing an end wakes those who use this one, and nobody else. */
VIRTUAL_TEST(channel_end_closed_under_those_who_wait_on_it)
{
    struct ends ends;
    weft_group group;
    int results[2] = {1, 1};
    ASSERT_OK(make(&ends, 0));
    struct ends other = ends;
    ASSERT_OK(weft_receiver_clone(ends.receiver, &other.receiver));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn_with(&group, receive_one, &ends, WEFT_SPAWN(.result = &results[0])));
    ASSERT_OK(
        weft_group_spawn_with(&group, receive_one, &other, WEFT_SPAWN(.result = &results[1])));
    weft_receiver_free(ends.receiver);
    ends.receiver = other.receiver;
    ASSERT_OK(weft_sender_try_send(ends.sender, &(int){9}));
    ASSERT_ERR(weft_group_wait(&group), WEFT_ECLOSED);
    ASSERT_INT_EQ(results[0], WEFT_ECLOSED);
    ASSERT_INT_EQ(results[1], 0);
    ASSERT_INT_EQ(other.sum, 9);
    done(&ends);
}

VIRTUAL_TEST(channel_closed_ends_those_who_receive)
{
    struct ends ends;
    weft_group group;
    ASSERT_OK(make(&ends, 3));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, receive_all, &ends));
    ASSERT_OK(weft_group_spawn(&group, receive_all, &ends));
    weft_sender_close(ends.sender);
    ASSERT_OK(weft_group_wait(&group));
    done(&ends);
}

VIRTUAL_TEST(channel_in_a_cancelled_scope_takes_and_gives_nothing)
{
    struct ends ends;
    weft_scope scope;
    int item = 5;
    ASSERT_OK(make(&ends, 2));
    ASSERT_OK(weft_sender_send(ends.sender, &item));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    ASSERT_ERR(weft_sender_send(ends.sender, &item), -ECANCELED);
    ASSERT_ERR(weft_receiver_receive(ends.receiver, &item), -ECANCELED);
    weft_scope_exit(&scope, -ECANCELED);
    weft_channel_stats stats;
    weft_receiver_stats(ends.receiver, &stats);
    ASSERT_INT_EQ(stats.count, 1);
    done(&ends);
}

VIRTUAL_TEST(channel_stats_tell_what_is_there)
{
    struct ends ends;
    weft_group group;
    weft_sender *clone;
    weft_channel_stats stats;
    ASSERT_OK(make(&ends, 1));
    ASSERT_OK(weft_sender_clone(ends.sender, &clone));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&group, send_seven, &ends));
    weft_sender_stats(ends.sender, &stats);
    ASSERT_INT_EQ(stats.capacity, 1);
    ASSERT_INT_EQ(stats.count, 1);
    ASSERT_INT_EQ(stats.peak, 1);
    ASSERT_INT_EQ(stats.senders, 2);
    ASSERT_INT_EQ(stats.receivers, 1);
    ASSERT_INT_EQ(stats.senders_waiting, 2);
    ASSERT_INT_EQ(stats.receivers_waiting, 0);
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_receiver_receive(ends.receiver, &(int){0}));
    ASSERT_OK(weft_group_wait(&group));
    weft_sender_free(clone);
    done(&ends);
    weft_sender_free(NULL);
    weft_receiver_free(NULL);
}

TEST(channel_of_impossible_items_is_refused)
{
    struct ends ends = {0};
    ASSERT_ERR(weft_channel_new(0, NULL, &ends.sender, &ends.receiver), -EINVAL);
    ASSERT_ERR(weft_channel_new(1024 * 1024 + 1, NULL, &ends.sender, &ends.receiver), -EINVAL);
    ASSERT(ends.sender == NULL);
    ASSERT_OK(weft_channel_new(1024 * 1024, NULL, &ends.sender, &ends.receiver));
    done(&ends);
}

TEST(channel_works_outside_a_run)
{
    struct ends ends;
    weft_group group;
    ASSERT_OK(make(&ends, 0));
    ends.n = 5;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, send_and_close, &ends));
    ASSERT_OK(receive_all(&ends));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(ends.sum, 15);
    done(&ends);
}

TEST(channel_nobody_sends_to_is_a_deadlock)
{
    struct ends ends;
    ASSERT_OK(make(&ends, 0));
    ASSERT_ERR(weft_receiver_receive(ends.receiver, &(int){0}), -EDEADLK);
    done(&ends);
}

/* ---- storms: what was sent is received, dropped, or still the sender's ---- */

struct ground {
    struct ends ends;
    size_t capacity;
    int sent;
    int received;
};

static void storm_begin(void *state)
{
    struct ground *ground = state;
    ground->sent = 0;
    ground->received = 0;
    ASSERT_OK(make(&ground->ends, ground->capacity));
}

enum { SENDERS = 2, STORM_N = 4 };

/* 0 and 1 send, each with an end of its own; 2 and 3 receive until the end. */
static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    int err = 0;
    if (worker->number < SENDERS) {
        weft_sender *sender = worker->number == 0 ? ground->ends.sender : NULL;
        if (sender == NULL)
            err = weft_sender_clone(ground->ends.sender, &sender);
        if (err < 0)
            return err == WEFT_ECLOSED ? 0 : err;
        for (int i = 1; i <= 4 && err == 0; i++) {
            int item = 1 << (4 * worker->number + i);
            err = weft_sender_send(sender, &item);
            ground->sent += err == 0 ? item : 0;
        }
        weft_sender_close(sender);
        if (sender != ground->ends.sender)
            weft_sender_free(sender);
        return err;
    }
    while (err == 0) {
        int item = 0;
        err = weft_receiver_receive(ground->ends.receiver, &item);
        ASSERT_INT_EQ(ground->received & item, 0);
        ground->received += item;
        ASSERT_INT_EQ(item != 0, err == 0);
    }
    return err == WEFT_EEOF ? 0 : err;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    done(&ground->ends);
    ASSERT_INT_EQ(ground->ends.dropped, 0);
    ASSERT_INT_EQ(ground->received, ground->sent);
}

static void run_storm(size_t capacity)
{
    struct ground ground = {.capacity = capacity};
    storm(&(const struct storm){
        .n_workers = STORM_N,
        .state = &ground,
        .begin = storm_begin,
        .work = storm_work,
        .end = storm_end,
    });
}

TEST_WITH(channel_without_capacity_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    run_storm(0);
}

TEST_WITH(channel_of_one_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    run_storm(1);
}

TEST_WITH(channel_of_three_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    run_storm(3);
}

static int scenario(void *arg)
{
    struct ends ends;
    int err = make(&ends, *(size_t *)arg);
    if (err < 0)
        return err;
    ends.n = 20;
    err = weft_gather((weft_call[]){{send_and_close, &ends, 0}, {receive_all, &ends, 0}}, 2, NULL);
    done(&ends);
    return err;
}

TEST(channel_survives_every_fault)
{
    FAULTS(scenario, &(size_t){0});
    FAULTS(scenario, &(size_t){1}, .plain = true);
    FAULTS(scenario, &(size_t){SIZE_MAX});
}

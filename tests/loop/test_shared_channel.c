/* Channels whose ends are on several loops and threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <weft/channel.h>
#include <weft/error.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "fault.h"
#include "test.h"

static void make(size_t capacity, weft_sender **sender, weft_receiver **receiver)
{
    ASSERT_OK(weft_channel_new(sizeof(long), WEFT_CHANNEL(.capacity = capacity, .shared = true),
                               sender, receiver));
}

/* ---- one sender, one receiver ---- */

struct line {
    weft_sender *sender;
    weft_receiver *receiver;
    long n;
};

static int send_numbers(struct line *line)
{
    for (long i = 0; i < line->n; i++)
        ASSERT_OK(weft_sender_send(line->sender, &i));
    weft_sender_free(line->sender);
    return 0;
}

static int receive_numbers(struct line *line)
{
    long number;
    for (long i = 0; i < line->n; i++) {
        ASSERT_OK(weft_receiver_receive(line->receiver, &number));
        ASSERT_INT_EQ(number, i);
    }
    ASSERT_ERR(weft_receiver_receive(line->receiver, &number), WEFT_EEOF);
    weft_receiver_free(line->receiver);
    return 0;
}

static int send_or_receive(void *arg, size_t index)
{
    return index == 0 ? send_numbers(arg) : receive_numbers(arg);
}

TEST_WITH(shared_channel_carries_all_in_order_whatever_its_capacity, .limit_s = 60)
{
    static const size_t capacities[] = {0, 1, 16, SIZE_MAX};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        struct line line = {.n = 3000 / test_slowness()};
        make(capacities[i], &line.sender, &line.receiver);
        ASSERT_OK(weft_loops_run(2, send_or_receive, &line, NULL));
    }
}

static void *send_plainly(void *arg)
{
    send_numbers(arg);
    return NULL;
}

/* No weft_run anywhere: each thread waits by itself. */
TEST_WITH(shared_channel_joins_plain_threads, .limit_s = 60)
{
    struct line line = {.n = 1000 / test_slowness()};
    pthread_t thread;
    make(2, &line.sender, &line.receiver);
    ASSERT_INT_EQ(pthread_create(&thread, NULL, send_plainly, &line), 0);
    receive_numbers(&line);
    pthread_join(thread, NULL);
}

static int feed(void *arg)
{
    return send_numbers(arg);
}

static int feed_from_a_worker(void *arg)
{
    return weft_offload(feed, arg);
}

static void feed_with(weft_fn fn, size_t capacity)
{
    struct line line = {.n = 50};
    weft_group group;
    make(capacity, &line.sender, &line.receiver);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, fn, &line));
    receive_numbers(&line);
    ASSERT_OK(weft_group_wait(&group));
}

/* From an offloaded function, and within one loop. */
TASK_TEST(shared_channel_feeds_a_task_from_anywhere)
{
    feed_with(feed, 0);
    feed_with(feed, 3);
    feed_with(feed_from_a_worker, 0);
    feed_with(feed_from_a_worker, 3);
}

/* ---- a rendezvous at a time: a wake-up that is missed stands still for ever ---- */

struct pair {
    struct line there;
    struct line back;
};

static int ping_pong(void *arg, size_t index)
{
    struct pair *pair = arg;
    long number = 0;
    for (long i = 0; i < pair->there.n; i++) {
        /* Sometimes the peer sleeps in its back end, sometimes it is just about to. */
        if (i % 7 == 0)
            ASSERT_OK(weft_sleep(i % 3 == 0 ? WEFT_US(20) : 0));
        if (index == 0)
            ASSERT_OK(weft_sender_send(pair->there.sender, &i));
        ASSERT_OK(weft_receiver_receive(index == 0 ? pair->back.receiver : pair->there.receiver,
                                        &number));
        ASSERT_INT_EQ(number, i);
        if (index == 1)
            ASSERT_OK(weft_sender_send(pair->back.sender, &i));
    }
    return 0;
}

TEST_WITH(shared_channel_misses_no_wake_up, .limit_s = 120)
{
    for (size_t capacity = 0; capacity < 2; capacity++) {
        struct pair pair = {.there.n = 4000 / test_slowness()};
        make(capacity, &pair.there.sender, &pair.there.receiver);
        make(capacity, &pair.back.sender, &pair.back.receiver);
        ASSERT_OK(weft_loops_run(2, ping_pong, &pair, NULL));
        weft_sender_free(pair.there.sender);
        weft_receiver_free(pair.there.receiver);
        weft_sender_free(pair.back.sender);
        weft_receiver_free(pair.back.receiver);
    }
}

/* ---- many of both, and cancellations ---- */

enum { LOOPS = 4, TASKS = 4, CHANNELS = 2 };

struct storm {
    weft_sender *senders[CHANNELS];
    weft_receiver *receivers[CHANNELS];
    atomic_long sent;
    atomic_long received;
    atomic_long sent_sum;
    atomic_long received_sum;
    atomic_int sending;
    long rounds;
    bool select;
};

static int storm_send_one(struct storm *storm, long number, size_t which)
{
    if (!storm->select)
        return weft_sender_send(storm->senders[which], &number);
    weft_select_case cases[CHANNELS] = {{0}};
    for (size_t i = 0; i < CHANNELS; i++) {
        cases[i].sender = storm->senders[i];
        cases[i].item = &number;
    }
    int chosen = weft_select(cases, CHANNELS);
    return chosen < 0 ? chosen : cases[chosen].result;
}

static int storm_send(void *arg)
{
    struct storm *storm = arg;
    for (long i = 1; i <= storm->rounds; i++) {
        weft_scope scope;
        weft_scope_enter(&scope, i % 5 == 0 ? WEFT_US(i % 40) : WEFT_FOREVER);
        int err = storm_send_one(storm, i, (size_t)i % CHANNELS);
        /* What was sent was sent, though the scope is cancelled. */
        if (err == 0) {
            atomic_fetch_add(&storm->sent, 1);
            atomic_fetch_add(&storm->sent_sum, i);
        }
        err = weft_scope_exit(&scope, err);
        if (err < 0 && err != -ETIMEDOUT)
            return err;
    }
    if (atomic_fetch_sub(&storm->sending, 1) == 1) {
        for (size_t i = 0; i < CHANNELS; i++)
            weft_sender_close(storm->senders[i]);
    }
    return 0;
}

static int storm_receive_one(struct storm *storm, long *number, size_t which, bool *ended)
{
    if (!storm->select)
        return weft_receiver_receive(storm->receivers[which], number);
    weft_select_case cases[CHANNELS] = {{0}};
    for (size_t i = 0; i < CHANNELS; i++) {
        cases[i].receiver = ended[i] ? NULL : storm->receivers[i];
        cases[i].into = number;
    }
    int chosen = weft_select(cases, CHANNELS);
    if (chosen >= 0 && cases[chosen].result == WEFT_EEOF)
        ended[chosen] = true;
    return chosen < 0 ? chosen : cases[chosen].result;
}

static int storm_receive(void *arg)
{
    struct storm *storm = arg;
    bool ended[CHANNELS] = {false};
    for (long i = 0; !ended[0] || !ended[1]; i++) {
        weft_scope scope;
        long number;
        size_t which = (size_t)i % CHANNELS;
        if (ended[which] && !storm->select)
            continue;
        weft_scope_enter(&scope, WEFT_US(i % 50));
        int err = storm_receive_one(storm, &number, which, ended);
        if (err == 0) {
            atomic_fetch_add(&storm->received, 1);
            atomic_fetch_add(&storm->received_sum, number);
        } else if (err == WEFT_EEOF) {
            ended[which] = ended[which] || !storm->select;
            err = 0;
        }
        err = weft_scope_exit(&scope, err);
        if (err < 0 && err != -ETIMEDOUT)
            return err;
    }
    return 0;
}

static int storm_loop(void *arg, size_t index)
{
    weft_call calls[TASKS];
    for (int i = 0; i < TASKS; i++)
        calls[i] = (weft_call){index % 2 == 0 ? storm_send : storm_receive, arg, 0};
    return weft_gather(calls, TASKS, NULL);
}

static void storm_with(size_t capacity, bool select)
{
    struct storm storm = {.select = select, .rounds = 200 / test_slowness() + 1};
    for (size_t i = 0; i < CHANNELS; i++)
        make(capacity, &storm.senders[i], &storm.receivers[i]);
    atomic_store(&storm.sending, LOOPS / 2 * TASKS);
    ASSERT_OK(weft_loops_run(LOOPS, storm_loop, &storm, NULL));
    ASSERT_INT_EQ(atomic_load(&storm.received), atomic_load(&storm.sent));
    ASSERT_INT_EQ(atomic_load(&storm.received_sum), atomic_load(&storm.sent_sum));
    ASSERT_INT_GT(atomic_load(&storm.sent), 0);
    for (size_t i = 0; i < CHANNELS; i++) {
        weft_sender_free(storm.senders[i]);
        weft_receiver_free(storm.receivers[i]);
    }
}

TEST_WITH(shared_channel_cancelled_at_both_ends_loses_no_item, .limit_s = 120)
{
    storm_with(0, false);
    storm_with(3, false);
}

TEST_WITH(shared_channel_select_loses_no_item, .limit_s = 120)
{
    storm_with(0, true);
    storm_with(3, true);
}

/* ---- ends ---- */

struct ends {
    struct line line;
    atomic_bool waiting;
    int result;
};

static void *receive_once(void *arg)
{
    struct ends *ends = arg;
    long number;
    atomic_store(&ends->waiting, true);
    ends->result = weft_receiver_receive(ends->line.receiver, &number);
    return NULL;
}

static void *send_twice(void *arg)
{
    struct ends *ends = arg;
    long number = 1;
    atomic_store(&ends->waiting, true);
    ends->result = weft_sender_send(ends->line.sender, &number);
    if (ends->result == 0)
        ends->result = weft_sender_send(ends->line.sender, &number);
    return NULL;
}

static int while_waiting(struct ends *ends, void *(*fn)(void *arg), void (*act)(struct ends *ends))
{
    pthread_t thread;
    make(1, &ends->line.sender, &ends->line.receiver);
    atomic_store(&ends->waiting, false);
    ASSERT_INT_EQ(pthread_create(&thread, NULL, fn, ends), 0);
    while (!atomic_load(&ends->waiting))
        usleep(100);
    usleep(500);
    act(ends);
    pthread_join(thread, NULL);
    weft_sender_free(ends->line.sender);
    weft_receiver_free(ends->line.receiver);
    return ends->result;
}

static void close_sender(struct ends *ends)
{
    weft_sender_close(ends->line.sender);
    weft_sender_close(ends->line.sender);
}

static void close_receiver(struct ends *ends)
{
    weft_receiver_close(ends->line.receiver);
}

TEST(shared_channel_end_closed_on_another_thread_wakes_those_who_wait)
{
    struct ends ends;
    ASSERT_INT_EQ(while_waiting(&ends, receive_once, close_sender), WEFT_EEOF);
    ASSERT_INT_EQ(while_waiting(&ends, receive_once, close_receiver), WEFT_ECLOSED);
    ASSERT_INT_EQ(while_waiting(&ends, send_twice, close_receiver), -EPIPE);
    ASSERT_INT_EQ(while_waiting(&ends, send_twice, close_sender), WEFT_ECLOSED);
}

static atomic_int dropped;

static void count_drop(void *item, void *userdata)
{
    (void)userdata;
    atomic_fetch_add(&dropped, (int)*(long *)item);
}

TASK_TEST(shared_channel_knows_what_a_local_one_knows)
{
    WEFT_AUTO(weft_sender) *sender = NULL;
    WEFT_AUTO(weft_receiver) *receiver = NULL;
    WEFT_AUTO(weft_sender) *clone = NULL;
    weft_receiver *second = NULL;
    weft_channel_stats stats;
    long number = 5;
    ASSERT_OK(weft_channel_new(sizeof number,
                               WEFT_CHANNEL(.capacity = 2, .shared = true, .drop = count_drop),
                               &sender, &receiver));
    ASSERT_OK(weft_sender_clone(sender, &clone));
    ASSERT_OK(weft_receiver_clone(receiver, &second));
    weft_receiver_free(second);
    ASSERT_OK(weft_sender_try_send(clone, &number));
    number = 6;
    ASSERT_OK(weft_sender_try_send(sender, &number));
    ASSERT_ERR(weft_sender_try_send(sender, &number), -EAGAIN);
    weft_receiver_stats(receiver, &stats);
    ASSERT_INT_EQ(stats.count, 2);
    ASSERT_INT_EQ(stats.senders, 2);
    ASSERT_OK(weft_receiver_try_receive(receiver, &number));
    ASSERT_INT_EQ(number, 5);
    weft_sender_close(sender);
    weft_sender_close(clone);
    ASSERT_ERR(weft_sender_clone(sender, &clone), WEFT_ECLOSED);
    weft_receiver_close(receiver);
    ASSERT_INT_EQ(atomic_load(&dropped), 6);
    ASSERT_ERR(weft_receiver_try_receive(receiver, &number), WEFT_ECLOSED);
}

TASK_TEST(select_of_shared_and_local_channels_is_refused)
{
    WEFT_AUTO(weft_sender) *shared = NULL;
    WEFT_AUTO(weft_receiver) *from_shared = NULL;
    WEFT_AUTO(weft_sender) *local = NULL;
    WEFT_AUTO(weft_receiver) *from_local = NULL;
    long number;
    make(1, &shared, &from_shared);
    ASSERT_OK(weft_channel_new(sizeof number, NULL, &local, &from_local));
    weft_select_case cases[] = {{.receiver = from_shared, .into = &number},
                                {.receiver = from_local, .into = &number}};
    ASSERT_ERR(weft_select(cases, 2), -EINVAL);
    ASSERT_ERR(weft_try_select(cases, 1), -EAGAIN);
    ASSERT_ERR(weft_try_select(cases, 2), -EINVAL);
}

/* ---- faults ---- */

static int send_one(void *arg)
{
    long number = 7;
    return weft_sender_send(arg, &number);
}

static int send_and_receive(void *arg)
{
    weft_sender *sender;
    weft_receiver *receiver;
    weft_group group;
    long number = 0;
    (void)arg;
    int err = weft_channel_new(sizeof number, WEFT_CHANNEL(.shared = true), &sender, &receiver);
    if (err < 0)
        return err;
    err = weft_group_init(&group, NULL);
    if (err == 0) {
        err = weft_group_spawn(&group, send_one, sender);
        if (err == 0)
            err = weft_receiver_receive(receiver, &number);
        weft_receiver_close(receiver);
        int waited = weft_group_wait(&group);
        err = err < 0 ? err : waited;
    }
    weft_sender_free(sender);
    weft_receiver_free(receiver);
    return err < 0 ? err : number == 7 ? 0 : -EPROTO;
}

TEST_WITH(shared_channel_survives_every_fault, .limit_s = 60)
{
    FAULTS(send_and_receive, NULL, .any_error = true);
    FAULTS(send_and_receive, NULL, .any_error = true, .backend = WEFT_BACKEND_VIRTUAL);
}

/* ---- an end that is closed under its users ---- */

static void *send_until_closed(void *arg)
{
    uint64_t item = 1;
    int err;
    while ((err = weft_sender_send(arg, &item)) == 0)
        continue;
    ASSERT(err == WEFT_ECLOSED || err == -EPIPE);
    return NULL;
}

static void *receive_until_closed(void *arg)
{
    uint64_t item;
    int err;
    while ((err = weft_receiver_receive(arg, &item)) == 0)
        continue;
    ASSERT(err == WEFT_ECLOSED || err == WEFT_EEOF);
    return NULL;
}

/* Of pointers and numbers: the way that plain channels take without looking twice. */
TEST_WITH(shared_channel_is_closed_by_a_thread_that_does_not_use_it, .limit_s = 60)
{
    for (int i = 0; i < 2; i++) {
        weft_sender *sender;
        weft_receiver *receiver;
        pthread_t threads[2];
        ASSERT_OK(weft_channel_new(sizeof(uint64_t), WEFT_CHANNEL(.capacity = 4, .shared = true),
                                   &sender, &receiver));
        ASSERT_INT_EQ(pthread_create(&threads[0], NULL, send_until_closed, sender), 0);
        ASSERT_INT_EQ(pthread_create(&threads[1], NULL, receive_until_closed, receiver), 0);
        usleep(2000);
        if (i == 0)
            weft_sender_close(sender);
        else
            weft_receiver_close(receiver);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        weft_sender_free(sender);
        weft_receiver_free(receiver);
    }
}

#include <string.h>
#include <weft/channel.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

enum { CHANNELS = 3 };

struct ground {
    weft_sender *senders[CHANNELS];
    weft_receiver *receivers[CHANNELS];
    int sent;
    int received;
};

static void done(struct ground *ground)
{
    for (int i = 0; i < CHANNELS; i++) {
        weft_sender_free(ground->senders[i]);
        weft_receiver_free(ground->receivers[i]);
    }
}

static int make(struct ground *ground, size_t capacity)
{
    memset(ground, 0, sizeof *ground);
    for (int i = 0; i < CHANNELS; i++) {
        int err = weft_channel_new(sizeof(int), WEFT_CHANNEL(.capacity = capacity),
                                   &ground->senders[i], &ground->receivers[i]);
        if (err < 0) {
            done(ground);
            return err;
        }
    }
    return 0;
}

VIRTUAL_TEST(select_takes_what_is_ready)
{
    struct ground ground;
    int item = 0;
    ASSERT_OK(make(&ground, 1));
    weft_select_case cases[] = {{.receiver = ground.receivers[0], .into = &item},
                                {.receiver = ground.receivers[1], .into = &item}};
    ASSERT_ERR(weft_try_select(cases, 2), -EAGAIN);
    ASSERT_OK(weft_sender_send(ground.senders[1], &(int){8}));
    ASSERT_INT_EQ(weft_select(cases, 2), 1);
    ASSERT_INT_EQ(cases[1].result, 0);
    ASSERT_INT_EQ(item, 8);
    ASSERT_ERR(weft_try_select(cases, 2), -EAGAIN);
    done(&ground);
}

VIRTUAL_TEST(select_sends_where_there_is_room)
{
    struct ground ground;
    int item = 0;
    ASSERT_OK(make(&ground, 1));
    weft_select_case cases[] = {{.sender = ground.senders[0], .item = &(int){10}},
                                {.receiver = ground.receivers[1], .into = &item}};
    ASSERT_INT_EQ(weft_select(cases, 2), 0);
    ASSERT_ERR(weft_try_select(cases, 2), -EAGAIN);
    ASSERT_OK(weft_receiver_receive(ground.receivers[0], &item));
    ASSERT_INT_EQ(item, 10);
    done(&ground);
}

struct late {
    weft_sender *sender;
    int64_t after;
    int item;
};

static int send_late(void *arg)
{
    struct late *late = arg;
    int err = weft_sleep(late->after);
    return err < 0 ? err : weft_sender_send(late->sender, &late->item);
}

VIRTUAL_TEST(select_waits_for_the_first_and_leaves_the_others)
{
    struct ground ground;
    weft_group group;
    int item = 0;
    weft_channel_stats stats;
    ASSERT_OK(make(&ground, 0));
    struct late late[] = {{ground.senders[0], WEFT_SEC(2), 1}, {ground.senders[2], WEFT_SEC(1), 2}};
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(weft_group_spawn(&group, send_late, &late[i]));
    weft_select_case cases[] = {{.receiver = ground.receivers[0], .into = &item},
                                {.receiver = NULL},
                                {.sender = ground.senders[1], .item = &(int){3}},
                                {.receiver = ground.receivers[2], .into = &item}};
    ASSERT_INT_EQ(weft_select(cases, 4), 3);
    ASSERT_INT_EQ(item, 2);
    for (int i = 0; i < CHANNELS; i++) {
        weft_sender_stats(ground.senders[i], &stats);
        ASSERT_INT_EQ(stats.senders_waiting + stats.receivers_waiting, 0);
    }
    ASSERT_INT_EQ(weft_select(cases, 4), 0);
    ASSERT_INT_EQ(item, 1);
    ASSERT_OK(weft_group_wait(&group));
    done(&ground);
}

VIRTUAL_TEST(select_times_out_by_its_scope_and_did_nothing)
{
    struct ground ground;
    weft_scope scope;
    int item = 7;
    weft_channel_stats stats;
    ASSERT_OK(make(&ground, 0));
    weft_select_case cases[] = {{.receiver = ground.receivers[0], .into = &item},
                                {.sender = ground.senders[1], .item = &item}};
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_ERR(weft_scope_exit(&scope, weft_select(cases, 2)), -ETIMEDOUT);
    weft_sender_stats(ground.senders[1], &stats);
    ASSERT_INT_EQ(stats.senders_waiting, 0);
    ASSERT_ERR(weft_sender_try_send(ground.senders[0], &item), -EAGAIN);
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    ASSERT_ERR(weft_select(cases, 2), -ECANCELED);
    weft_scope_exit(&scope, 0);
    done(&ground);
}

VIRTUAL_TEST(select_tells_the_end_of_a_channel_as_a_result)
{
    struct ground ground;
    int item;
    ASSERT_OK(make(&ground, 0));
    weft_select_case cases[] = {{.receiver = ground.receivers[0], .into = &item},
                                {.sender = ground.senders[1], .item = &item}};
    weft_sender_close(ground.senders[0]);
    ASSERT_INT_EQ(weft_select(cases, 2), 0);
    ASSERT_INT_EQ(cases[0].result, WEFT_EEOF);
    cases[0].receiver = NULL;
    weft_receiver_close(ground.receivers[1]);
    ASSERT_INT_EQ(weft_try_select(cases, 2), 1);
    ASSERT_INT_EQ(cases[1].result, -EPIPE);
    done(&ground);
}

static int close_soon(void *arg)
{
    struct ground *ground = arg;
    weft_sleep(WEFT_SEC(1));
    weft_sender_close(ground->senders[0]);
    weft_sender_close(ground->senders[1]);
    return 0;
}

/* The channels end while it waits, both ends of one select in the same queue. */
VIRTUAL_TEST(select_is_woken_by_the_end_of_a_channel)
{
    struct ground ground;
    weft_group group;
    int item;
    ASSERT_OK(make(&ground, 0));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, close_soon, &ground));
    weft_select_case cases[] = {{.receiver = ground.receivers[0], .into = &item},
                                {.receiver = ground.receivers[0], .into = &item},
                                {.receiver = ground.receivers[1], .into = &item}};
    int index = weft_select(cases, 3);
    ASSERT_INT_EQ(index, 0);
    ASSERT_INT_EQ(cases[0].result, WEFT_EEOF);
    ASSERT_OK(weft_group_wait(&group));
    done(&ground);
}

VIRTUAL_TEST(select_does_not_starve_a_case)
{
    struct ground ground;
    int counts[CHANNELS] = {0};
    int item = 1;
    ASSERT_OK(make(&ground, 1));
    weft_select_case cases[CHANNELS];
    memset(cases, 0, sizeof cases);
    for (int i = 0; i < CHANNELS; i++) {
        cases[i].receiver = ground.receivers[i];
        cases[i].into = &item;
        ASSERT_OK(weft_sender_send(ground.senders[i], &item));
    }
    for (int n = 0; n < 300; n++) {
        int i = weft_select(cases, CHANNELS);
        ASSERT_OK(i);
        counts[i]++;
        ASSERT_OK(weft_sender_send(ground.senders[i], &item));
    }
    for (int i = 0; i < CHANNELS; i++)
        ASSERT_INT_GT(counts[i], 30);
    done(&ground);
}

VIRTUAL_TEST(select_of_nothing_is_refused)
{
    struct ground ground;
    ASSERT_OK(make(&ground, 0));
    weft_select_case none[] = {{.result = 0}};
    weft_select_case both[] = {{.receiver = ground.receivers[0], .sender = ground.senders[0]}};
    ASSERT_ERR(weft_select(none, 1), -EINVAL);
    ASSERT_ERR(weft_select(NULL, 0), -EINVAL);
    ASSERT_ERR(weft_try_select(both, 1), -EINVAL);
    done(&ground);
}

/* Two selects face each other on two channels: exactly one item goes one way. */
static int either_way(void *arg)
{
    struct ground *ground = arg;
    int got = 0;
    weft_select_case cases[] = {{.receiver = ground->receivers[0], .into = &got},
                                {.sender = ground->senders[0], .item = &(int){1}}};
    int index = weft_select(cases, 2);
    if (index == 0)
        ground->received += got;
    else if (index == 1)
        ground->sent++;
    return index < 0 ? index : 0;
}

VIRTUAL_TEST(select_meets_another_but_never_itself)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 0));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, either_way, &ground));
    ASSERT_INT_EQ(ground.sent + ground.received, 0);
    ASSERT_OK(weft_group_spawn(&group, either_way, &ground));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(ground.sent, 1);
    ASSERT_INT_EQ(ground.received, 1);
    done(&ground);
}

/* ---- storms and faults ---- */

static void storm_begin(void *state)
{
    ASSERT_OK(make(state, 0));
}

enum { ITEMS = 4 };

/* 0 sends to any of two channels, 1 to one; 2 and 3 select from both until they end. */
static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    int err = 0;
    if (worker->number < 2) {
        for (int i = 0; i < ITEMS && err == 0; i++) {
            int item = 1 << (ITEMS * worker->number + i);
            weft_select_case cases[] = {
                {.sender = ground->senders[worker->number], .item = &item},
                {.sender = worker->number == 0 ? ground->senders[2] : NULL, .item = &item}};
            int index = weft_select(cases, 2);
            err = index < 0 ? index : cases[index].result;
            ground->sent += err == 0 ? item : 0;
        }
        weft_sender_close(ground->senders[worker->number]);
        if (worker->number == 0)
            weft_sender_close(ground->senders[2]);
        return err;
    }
    weft_receiver *receivers[CHANNELS];
    memcpy(receivers, ground->receivers, sizeof receivers);
    for (int open = CHANNELS; open > 0;) {
        int items[CHANNELS] = {0};
        weft_select_case cases[CHANNELS];
        memset(cases, 0, sizeof cases);
        for (int i = 0; i < CHANNELS; i++) {
            cases[i].receiver = receivers[i];
            cases[i].into = &items[i];
        }
        int index = weft_select(cases, CHANNELS);
        int sum = items[0] + items[1] + items[2];
        ASSERT_INT_EQ(ground->received & sum, 0);
        ground->received += sum;
        if (index < 0) {
            ASSERT_INT_EQ(sum, 0);
            return index;
        }
        ASSERT_INT_EQ(items[index], sum);
        if (cases[index].result == WEFT_EEOF) {
            receivers[index] = NULL;
            open--;
        }
    }
    return 0;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    ASSERT_INT_EQ(ground->received, ground->sent);
    done(ground);
}

TEST_WITH(select_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    struct ground ground;
    storm(&(const struct storm){
        .n_workers = 4,
        .state = &ground,
        .begin = storm_begin,
        .work = storm_work,
        .end = storm_end,
    });
}

static int scenario(void *arg)
{
    struct ground ground;
    (void)arg;
    int err = make(&ground, 0);
    if (err < 0)
        return err;
    err = weft_gather((weft_call[]){{either_way, &ground, 0}, {either_way, &ground, 0}}, 2, NULL);
    done(&ground);
    return err;
}

TEST(select_survives_every_fault)
{
    FAULTS(scenario, NULL);
    FAULTS(scenario, NULL, .plain = true);
}

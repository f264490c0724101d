/* test_testing.c - what weft/testing.h has besides the network. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/base.h>
#include <weft/testing.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error_int.h"
#include "base/rand.h"
#include "test.h"

/* ---- the virtual clock ---- */

VIRTUAL_TEST(clock_advance_makes_timers_late)
{
    weft_scope scope;
    int64_t begun = weft_now();
    weft_scope_enter(&scope, WEFT_SEC(5));
    ASSERT_OK(weft_testing_advance(WEFT_SEC(10)));
    ASSERT_INT_EQ(weft_now() - begun, WEFT_SEC(10));
    ASSERT_ERR(weft_scope_exit(&scope, weft_sleep(1)), -ETIMEDOUT);
    ASSERT_ERR(weft_testing_advance(-1), -EINVAL);
}

VIRTUAL_TEST(clock_date_is_virtual_too)
{
    ASSERT_INT_EQ(weft__clock_wall(), 946684800);
    ASSERT_OK(weft_sleep(WEFT_SEC(60)));
    ASSERT_INT_EQ(weft__clock_wall(), 946684860);
    ASSERT_OK(weft_testing_set_wall(2000000000));
    ASSERT_INT_EQ(weft__clock_wall(), 2000000000);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(weft__clock_wall(), 2000000001);
}

static int read_wall(void *arg)
{
    *(int64_t *)arg = weft__clock_wall();
    return 0;
}

TEST(clock_date_is_the_real_one_after_a_virtual_run)
{
    int64_t wall = 0;
    ASSERT_OK(weft_run_with(read_wall, &wall, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(wall, 946684800);
    ASSERT_INT_GT(weft__clock_wall(), 1700000000);
}

TASK_TEST(clock_that_is_real_cannot_be_moved)
{
    ASSERT_ERR(weft_testing_advance(1), -EOPNOTSUPP);
    ASSERT_ERR(weft_testing_set_wall(1), -EOPNOTSUPP);
    ASSERT_ERR(weft_testing_set_autojump(1), -EOPNOTSUPP);
}

VIRTUAL_TEST(clock_jumps_after_some_real_idle_time)
{
    int64_t real = weft__clock_monotonic();
    ASSERT_OK(weft_testing_set_autojump(WEFT_MS(20)));
    ASSERT_OK(weft_sleep(WEFT_SEC(100)));
    ASSERT_INT_GE(weft__clock_monotonic() - real, WEFT_MS(20));
}

static int draw(void *arg)
{
    *(uint64_t *)arg = weft__rand_thread();
    return 0;
}

TEST(seed_of_a_run_decides_its_random_numbers)
{
    uint64_t a, b, c, d, e;
    ASSERT_OK(weft_run_with(draw, &a, WEFT_RUN(.seed = 5)));
    ASSERT_OK(weft_run_with(draw, &b, WEFT_RUN(.seed = 5)));
    ASSERT_OK(weft_run_with(draw, &c, WEFT_RUN(.seed = 6)));
    ASSERT_OK(weft_run_with(draw, &d, NULL));
    ASSERT_OK(weft_run_with(draw, &e, NULL));
    ASSERT(a == b);
    ASSERT(a != c);
    ASSERT(d != e);
}

/* ---- order ---- */

struct stepping {
    int done;
};

static int step_often(void *arg)
{
    struct stepping *stepping = arg;
    for (int i = 0; i < 100; i++) {
        int err = weft_yield();
        if (err < 0)
            return err;
        stepping->done++;
    }
    return weft_sleep(WEFT_SEC(1));
}

static void all_blocked(void)
{
    weft_group group;
    struct stepping stepping = {0};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, step_often, &stepping));
    ASSERT_OK(weft_testing_wait_all_blocked(0));
    ASSERT_INT_EQ(stepping.done, 100);
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(all_blocked_waits_for_those_who_run)
{
    int64_t begun = weft_now();
    all_blocked();
    ASSERT_INT_EQ(weft_now(), begun);
}

TASK_TEST(all_blocked_works_on_real_back_ends)
{
    all_blocked();
}

static int sleep_thrice(void *arg)
{
    struct stepping *stepping = arg;
    for (int i = 0; i < 3; i++) {
        int err = weft_sleep(WEFT_MS(10));
        if (err < 0)
            return err;
        stepping->done++;
    }
    return weft_sleep(WEFT_SEC(10));
}

VIRTUAL_TEST(all_blocked_with_a_cushion_outlasts_short_waits)
{
    weft_group group;
    struct stepping stepping = {0};
    int64_t begun = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, sleep_thrice, &stepping));
    ASSERT_OK(weft_testing_wait_all_blocked(WEFT_MS(50)));
    ASSERT_INT_EQ(stepping.done, 3);
    ASSERT_INT_LE(weft_now() - begun, WEFT_MS(150));
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
}

static int wait_blocked(void *arg)
{
    (void)arg;
    return weft_testing_wait_all_blocked(0);
}

VIRTUAL_TEST(all_blocked_by_several_tasks_returns_to_each)
{
    ASSERT_OK(weft_gather(
        (weft_call[]){{wait_blocked, NULL}, {wait_blocked, NULL}, {wait_blocked, NULL}}, 3, NULL));
}

static int sleep_a_second(void *arg)
{
    struct stepping *stepping = arg;
    int err = weft_sleep(WEFT_SEC(1));
    stepping->done++;
    return err;
}

/* The order of jumps and of waits with and without a cushion, in one group of sleepers. */
VIRTUAL_TEST(all_blocked_comes_before_the_clock_jumps)
{
    weft_group group;
    struct stepping stepping = {0};
    int64_t begun = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, sleep_a_second, &stepping));
    ASSERT_OK(weft_testing_wait_all_blocked(0));
    ASSERT_INT_EQ(weft_now(), begun);
    /* Of two timers the earlier one. */
    ASSERT_OK(weft_testing_wait_all_blocked(WEFT_MS(300)));
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(300));
    ASSERT_INT_EQ(stepping.done, 0);
    ASSERT_OK(weft_testing_wait_all_blocked(WEFT_SEC(2)));
    ASSERT_INT_EQ(stepping.done, 1);
    ASSERT_INT_GE(weft_now() - begun, WEFT_SEC(3));
    ASSERT_OK(weft_group_wait(&group));
}

struct turns {
    weft_testing_sequencer sequencer;
    int order[6];
    int n;
};

struct turn {
    struct turns *turns;
    uint64_t first;
};

static int take_turns(void *arg)
{
    struct turn *turn = arg;
    for (uint64_t position = turn->first; position < 6; position += 2) {
        int err = weft_testing_sequencer_enter(&turn->turns->sequencer, position);
        if (err < 0)
            return err;
        turn->turns->order[turn->turns->n++] = (int)position;
        err = weft_yield();
        weft_testing_sequencer_exit(&turn->turns->sequencer);
        if (err < 0)
            return err;
    }
    return 0;
}

static int all_turns(void *arg)
{
    (void)arg;
    struct turns turns = {.n = 0};
    struct turn odd = {&turns, 1};
    struct turn even = {&turns, 0};
    int err = weft_gather((weft_call[]){{take_turns, &odd}, {take_turns, &even}}, 2, NULL);
    for (int i = 0; err == 0 && i < 6; i++)
        ASSERT_INT_EQ(turns.order[i], i);
    return err;
}

TEST(sequencer_keeps_the_order_under_every_seed)
{
    ASSERT_OK(weft_testing_each_seed(100, all_turns, NULL, NULL));
    ASSERT_OK(weft_testing_each_checkpoint(
        all_turns, NULL, WEFT_TESTING_EACH(.backend = WEFT_BACKEND_VIRTUAL, .any_error = true)));
}

static int enter_third(void *arg)
{
    return weft_testing_sequencer_enter(arg, 2);
}

VIRTUAL_TEST(sequencer_with_a_cancelled_turn_fails_those_behind)
{
    weft_testing_sequencer sequencer = {{0}};
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn(&group, enter_third, &sequencer));
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_ERR(weft_scope_exit(&scope, weft_testing_sequencer_enter(&sequencer, 1)), -ETIMEDOUT);
    ASSERT_ERR(weft_group_wait(&group), -EPIPE);
}

VIRTUAL_TEST(sequencer_position_is_entered_once)
{
    weft_testing_sequencer sequencer = {{0}};
    ASSERT_OK(weft_testing_sequencer_enter(&sequencer, 0));
    ASSERT_ERR(weft_testing_sequencer_enter(&sequencer, 0), -EINVAL);
    weft_testing_sequencer_exit(&sequencer);
    ASSERT_ERR(weft_testing_sequencer_enter(&sequencer, 0), -EINVAL);
    ASSERT_OK(weft_testing_sequencer_enter(&sequencer, 1));
    weft_testing_sequencer_exit(&sequencer);
}

/* ---- checkpoints ---- */

static int yields(void *arg)
{
    (void)arg;
    return weft_yield();
}

static int only_counts(void *arg)
{
    return ++*(int *)arg;
}

VIRTUAL_TEST(checkpoints_are_as_expected_or_reported)
{
    int n = 0;
    ASSERT_OK(weft_testing_expect_checkpoints(yields, NULL, true));
    ASSERT_INT_EQ(weft_testing_expect_checkpoints(only_counts, &n, false), 1);
    ASSERT_ERR(weft_testing_expect_checkpoints(yields, NULL, false), -EPROTO);
    ASSERT_ERR(weft_testing_expect_checkpoints(only_counts, &n, true), -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "no checkpoint where one should be");
}

/* ---- runners ---- */

static int allocate_twice(void *arg)
{
    void *first = weft__alloc(1);
    void *second = first != NULL ? weft__alloc(1) : NULL;
    bool *leaks = arg;
    if (second == NULL && (leaks == NULL || !*leaks))
        weft__free(first);
    if (second == NULL)
        return -ENOMEM;
    weft__free(first);
    weft__free(second);
    return 0;
}

TEST(each_alloc_finds_the_one_that_leaks)
{
    bool leaks = false;
    ASSERT_OK(weft_testing_each_alloc(allocate_twice, &leaks, NULL));
    ASSERT_OK(weft_testing_each_alloc(allocate_twice, &leaks, WEFT_TESTING_EACH(.plain = true)));
}

static int leak_in_child(void *arg)
{
    return allocate_twice(arg);
}

static void run_leak(void *arg)
{
    (void)arg;
    bool leaks = true;
    int err = weft_testing_each_alloc(leak_in_child, &leaks, NULL);
    printf("%s: %s\n", weft_error_name(err), weft_error_message());
    fflush(stdout);
    _Exit(0);
}

TEST(each_alloc_names_the_fault_that_left_memory)
{
    char output[1000];
    test_fork(run_leak, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "ENOTEMPTY: with one failed allocation (number 2)");
}

static int says_nothing(void *arg)
{
    (void)arg;
    return -EPROTO;
}

static int says_why(void *arg)
{
    (void)arg;
    return weft_error_set(-EPROTO, "most were %d", 11);
}

TEST(each_seed_tells_what_the_function_said_or_what_its_code_means)
{
    ASSERT_ERR(weft_testing_each_seed(1, says_nothing, NULL, NULL), -EPROTO);
    ASSERT_STR_HAS(weft_error_message(), "returned -71 EPROTO: Protocol error");
    ASSERT_ERR(weft_testing_each_seed(1, says_why, NULL, NULL), -EPROTO);
    ASSERT_STR_HAS(weft_error_message(), "returned -71 EPROTO: most were 11");
}

static int swallows(void *arg)
{
    (void)arg;
    int err = weft_sleep(1);
    return err < 0 ? -EIO : 0;
}

TEST(each_checkpoint_reports_another_error_unless_any_is_right)
{
    ASSERT_ERR(weft_testing_each_checkpoint(swallows, NULL, NULL), -EIO);
    ASSERT_STR_HAS(weft_error_message(), "cancelled at a checkpoint (number 1): it returned");
    ASSERT_OK(weft_testing_each_checkpoint(swallows, NULL, WEFT_TESTING_EACH(.any_error = true)));
}

static int fails(void *arg)
{
    (void)arg;
    return -EIO;
}

TEST(each_runner_needs_a_function_that_works)
{
    ASSERT_ERR(weft_testing_each_alloc(fails, NULL, NULL), -EIO);
    ASSERT_ERR(weft_testing_each_checkpoint(fails, NULL, NULL), -EIO);
    ASSERT_ERR(weft_testing_each_op(fails, NULL, WEFT_TESTING_FAULT(.error = -EIO), NULL), -EIO);
    ASSERT_ERR(weft_testing_each_op(fails, NULL, NULL, NULL), -EINVAL);
}

VIRTUAL_TEST(each_runner_in_a_task_is_refused)
{
    ASSERT_ERR(weft_testing_each_alloc(yields, NULL, NULL), WEFT_ENESTED);
    ASSERT_ERR(weft_testing_each_seed(1, yields, NULL, NULL), WEFT_ENESTED);
}

static int fails_with_seventeen(void *arg)
{
    uint64_t seed = weft_testing_seed();
    ++*(int *)arg;
    return seed == 17 ? weft__fail(-EIO, "just so") : 0;
}

TEST(each_seed_names_the_one_that_failed_and_repeats_it)
{
    int n = 0;
    ASSERT_ERR(weft_testing_each_seed(100, fails_with_seventeen, &n, NULL), -EIO);
    ASSERT_INT_EQ(n, 17);
    ASSERT_STR_HAS(weft_error_message(), "WEFT_SEED=17 repeats this");
    ASSERT_STR_HAS(weft_error_message(), "just so");
    n = 0;
    setenv("WEFT_SEED", "17", 1);
    ASSERT_ERR(weft_testing_each_seed(100, fails_with_seventeen, &n, NULL), -EIO);
    ASSERT_INT_EQ(n, 1);
    setenv("WEFT_SEED", "18", 1);
    ASSERT_OK(weft_testing_each_seed(100, fails_with_seventeen, &n, NULL));
    setenv("WEFT_SEED", "many", 1);
    ASSERT_ERR(weft_testing_each_seed(100, fails_with_seventeen, &n, NULL), -EINVAL);
    unsetenv("WEFT_SEED");
    ASSERT_INT_EQ(weft_testing_seed(), 0);
}

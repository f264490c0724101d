/* Whose turn it is: tasks whose time has come, and tasks that are always ready. */
#include <weft/group.h>
#include <weft/run.h>

#include "base/limits.h"
#include "run/run_int.h"
#include "test.h"

struct turns {
    int64_t due;    /* when the sleeper's time has come */
    uint64_t taken; /* by those that are always ready */
    uint64_t taken_when_due;
    uint64_t late; /* turns of others that came before the sleeper's */
    uint64_t slept;
    bool spends;
    bool stop;
};

static int take_turns(void *arg)
{
    struct turns *turns = arg;
    while (!turns->stop) {
        turns->taken++;
        if (turns->taken_when_due == 0 && weft_now() >= turns->due)
            turns->taken_when_due = turns->taken;
        int err = weft_yield();
        if (err < 0)
            return err;
    }
    return 0;
}

static int sleep_once(void *arg)
{
    struct turns *turns = arg;
    turns->due = weft_now() + WEFT_MS(2);
    int err = weft_sleep(WEFT_MS(2));
    turns->late = turns->taken - turns->taken_when_due;
    turns->stop = true;
    return err;
}

static void spawn(weft_group *group, weft_fn fn, struct turns *turns, int n)
{
    for (int i = 0; i < n; i++)
        ASSERT_OK(weft_group_spawn(group, fn, turns));
}

/* A timer that is due when others are ready by the thousand waits for one round of I/O, not for them. */
TASK_TEST(task_whose_time_has_come_goes_before_those_that_are_ready)
{
    struct turns turns = {.due = INT64_MAX};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, sleep_once, &turns, 1);
    spawn(&group, take_turns, &turns, 2000);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_LE(turns.late, 2 * WEFT__LIMIT_READY_BUDGET);
}

static int sleep_for_moments(void *arg)
{
    struct turns *turns = arg;
    while (!turns->stop) {
        turns->slept++;
        if (turns->spends)
            weft__loop_spend(weft__self()->loop, WEFT__LIMIT_READY_BUDGET);
        int err = weft_sleep(1);
        if (err < 0)
            return err;
    }
    return 0;
}

static int take_some_turns(void *arg)
{
    struct turns *turns = arg;
    for (int i = 0; i < 100; i++) {
        int err = weft_yield();
        if (err < 0)
            return err;
    }
    turns->stop = true;
    return 0;
}

/* They have the better part of each turn, whoever else is always due. */
TASK_TEST(tasks_that_sleep_for_moments_leave_the_others_their_turns)
{
    enum { SLEEPERS = 1000 };
    struct turns turns = {0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, sleep_for_moments, &turns, SLEEPERS);
    spawn(&group, take_some_turns, &turns, 1);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_LE(turns.slept, 101 * 2 * SLEEPERS);
}

/* One that does a round's work by itself is due again at once; one other has gone before it. */
TASK_TEST(tasks_that_use_a_round_up_leave_the_others_their_turns)
{
    enum { SLEEPERS = 10 };
    struct turns turns = {.spends = true};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, sleep_for_moments, &turns, SLEEPERS);
    spawn(&group, take_some_turns, &turns, 2);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_LE(turns.slept, 101 * 10 * SLEEPERS);
}

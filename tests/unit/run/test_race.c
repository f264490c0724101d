/* Races: the first success wins. */
#include <weft/error.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "test.h"

struct runner {
    int64_t duration;
    int result;
    bool stubborn; /* succeeds although it is cancelled */
    int64_t began;
    int saw;
};

static int run(void *arg)
{
    struct runner *runner = arg;
    runner->began = weft_now();
    runner->saw = weft_sleep(runner->duration);
    if (runner->saw < 0 && !runner->stubborn)
        return runner->saw;
    if (runner->result < 0)
        return weft__fail(runner->result, "after %d s", (int)(runner->duration / WEFT_SEC(1)));
    return runner->result;
}

static void calls_of(weft_call *calls, struct runner *runners, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        calls[i] = (weft_call){run, &runners[i], 77};
        runners[i].saw = 1;
    }
}

VIRTUAL_TEST(race_is_won_by_the_first_success_and_the_rest_is_joined)
{
    struct runner runners[] = {{WEFT_SEC(3), 3}, {WEFT_SEC(1), -EIO}, {WEFT_SEC(2), 2}};
    weft_call calls[3];
    size_t winner = 99;
    int64_t start = weft_now();
    calls_of(calls, runners, 3);
    ASSERT_OK(weft_race(calls, 3, NULL, &winner));
    ASSERT_INT_EQ(winner, 2);
    ASSERT_INT_EQ(calls[0].result, -ECANCELED);
    ASSERT_INT_EQ(calls[1].result, -EIO);
    ASSERT_INT_EQ(calls[2].result, 2);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_INT_EQ(weft_task_count(), 1);
    ASSERT_OK(weft_checkpoint());
}

VIRTUAL_TEST(race_won_at_once_does_not_start_the_rest)
{
    struct runner runners[] = {{0, 1}, {WEFT_SEC(1), 2}};
    struct runner *first = &runners[0];
    weft_call calls[2];
    size_t winner = 99;
    calls_of(calls, runners, 2);
    first->duration = 0;
    ASSERT_OK(weft_race(calls, 2, NULL, &winner));
    ASSERT_INT_EQ(winner, 0);
    ASSERT_INT_EQ(calls[1].result, -ECANCELED);
}

VIRTUAL_TEST(race_that_all_lose_gives_the_first_error)
{
    struct runner runners[] = {{WEFT_SEC(3), -EPROTO}, {WEFT_SEC(1), -EIO}, {WEFT_SEC(2), -EPIPE}};
    weft_call calls[3];
    weft_outcome failures[2];
    size_t winner = 99;
    calls_of(calls, runners, 3);
    ASSERT_ERR(weft_race(calls, 3, WEFT_RACE(.failures = failures, .max_failures = 2), &winner),
               -EIO);
    ASSERT_STR_EQ(weft_error_message(), "after 1 s");
    ASSERT_INT_EQ(winner, 99);
    ASSERT_INT_EQ(calls[0].result, -EPROTO);
    ASSERT_INT_EQ(failures[1].result, -EPIPE);
}

VIRTUAL_TEST(race_loser_that_succeeds_all_the_same_says_so)
{
    struct runner runners[] = {{WEFT_SEC(1), 1}, {WEFT_SEC(2), 2, .stubborn = true}};
    weft_call calls[2];
    size_t winner = 99;
    calls_of(calls, runners, 2);
    ASSERT_OK(weft_race(calls, 2, NULL, &winner));
    ASSERT_INT_EQ(winner, 0);
    ASSERT_INT_EQ(runners[1].saw, -ECANCELED);
    ASSERT_INT_EQ(calls[1].result, 2);
}

VIRTUAL_TEST(race_of_nobody_is_refused)
{
    weft_call none = {NULL, NULL, 0};
    ASSERT_ERR(weft_race(NULL, 0, NULL, NULL), -EINVAL);
    ASSERT_ERR(weft_race(&none, 1, NULL, NULL), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "call 0 of a race has no function");
}

VIRTUAL_TEST(race_of_one_is_a_call)
{
    struct runner runner = {WEFT_SEC(1), 5};
    weft_call call;
    calls_of(&call, &runner, 1);
    ASSERT_OK(weft_race(&call, 1, NULL, NULL));
    ASSERT_INT_EQ(call.result, 5);
}

VIRTUAL_TEST(race_timeout_cancels_all)
{
    struct runner runners[] = {{WEFT_SEC(9), 1}, {WEFT_SEC(1), -EIO}, {WEFT_SEC(9), 1}};
    weft_call calls[3];
    size_t winner = 99;
    int64_t start = weft_now();
    calls_of(calls, runners, 3);
    ASSERT_ERR(weft_race(calls, 3, WEFT_RACE(.timeout = WEFT_SEC(2)), &winner), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_INT_EQ(calls[0].result, -ECANCELED);
    ASSERT_INT_EQ(calls[1].result, -EIO);
    ASSERT_INT_EQ(winner, 99);
}

VIRTUAL_TEST(race_in_a_cancelled_scope_starts_nobody)
{
    struct runner runners[] = {{0, 1}, {0, 2}};
    weft_call calls[2];
    weft_scope scope;
    calls_of(calls, runners, 2);
    weft_scope_enter(&scope, 0);
    int err = weft_race(calls, 2, NULL, NULL);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_INT_EQ(runners[0].saw, 1);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
}

/* What was won is not thrown away. */
VIRTUAL_TEST(race_won_before_the_cancellation_is_a_success)
{
    struct runner runners[] = {{WEFT_SEC(9), 1}, {WEFT_SEC(9), 2, .stubborn = true}};
    weft_call calls[2];
    weft_scope scope;
    size_t winner = 99;
    calls_of(calls, runners, 2);
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_race(calls, 2, NULL, &winner));
    ASSERT_INT_EQ(winner, 1);
    ASSERT(weft_scope_is_expired(&scope));
    ASSERT_OK(weft_scope_exit(&scope, 0));
}

VIRTUAL_TEST(race_stagger_gives_the_first_a_lead)
{
    struct runner runners[] = {{WEFT_SEC(9), 1}, {WEFT_SEC(5), 2}, {WEFT_SEC(9), 3}};
    weft_call calls[3];
    size_t winner = 99;
    int64_t start = weft_now();
    calls_of(calls, runners, 3);
    ASSERT_OK(weft_race(calls, 3, WEFT_RACE(.stagger = WEFT_SEC(2)), &winner));
    ASSERT_INT_EQ(winner, 1);
    ASSERT_INT_EQ(runners[0].began - start, 0);
    ASSERT_INT_EQ(runners[1].began - start, WEFT_SEC(2));
    ASSERT_INT_EQ(runners[2].began - start, WEFT_SEC(4));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(7));
}

VIRTUAL_TEST(race_stagger_ends_early_when_one_fails)
{
    struct runner runners[] = {
        {WEFT_SEC(1), -EIO}, {0, -EIO}, {WEFT_SEC(9), -EIO}, {WEFT_SEC(1), 3}};
    weft_call calls[4];
    size_t winner = 99;
    int64_t start = weft_now();
    calls_of(calls, runners, 4);
    ASSERT_OK(weft_race(calls, 4, WEFT_RACE(.stagger = WEFT_SEC(2)), &winner));
    ASSERT_INT_EQ(winner, 3);
    ASSERT_INT_EQ(runners[1].began - start, WEFT_SEC(1));
    ASSERT_INT_EQ(runners[2].began - start, WEFT_SEC(1));
    ASSERT_INT_EQ(runners[3].began - start, WEFT_SEC(3));
}

VIRTUAL_TEST(race_stagger_does_not_start_those_that_are_not_needed)
{
    struct runner runners[] = {{WEFT_SEC(1), 1}, {WEFT_SEC(1), 2}};
    weft_call calls[2];
    size_t winner = 99;
    int64_t start = weft_now();
    calls_of(calls, runners, 2);
    ASSERT_OK(weft_race(calls, 2, WEFT_RACE(.stagger = WEFT_SEC(2)), &winner));
    ASSERT_INT_EQ(winner, 0);
    ASSERT_INT_EQ(runners[1].saw, 1);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
}

VIRTUAL_TEST(race_stagger_timeout_ends_the_lead_too)
{
    struct runner runners[] = {{WEFT_SEC(9), 1}, {WEFT_SEC(1), 2}};
    weft_call calls[2];
    int64_t start = weft_now();
    calls_of(calls, runners, 2);
    ASSERT_ERR(weft_race(calls, 2, WEFT_RACE(.stagger = WEFT_SEC(5), .timeout = WEFT_SEC(2)), NULL),
               -ETIMEDOUT);
    ASSERT_INT_EQ(runners[1].saw, 1);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
}

TEST(race_works_outside_any_loop)
{
    struct runner runners[] = {{WEFT_FOREVER, 1}, {WEFT_MS(1), 2}};
    weft_call calls[2];
    size_t winner = 99;
    calls_of(calls, runners, 2);
    ASSERT_OK(weft_race(calls, 2, NULL, &winner));
    ASSERT_INT_EQ(winner, 1);
}

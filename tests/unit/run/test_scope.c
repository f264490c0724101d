/* Scopes on the virtual clock: deadlines, cancellation, shields, nesting. */
#include <signal.h>
#include <sys/wait.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "test.h"

/* ---- deadlines ---- */

VIRTUAL_TEST(scope_deadline_cancels_and_is_etimedout_at_the_exit)
{
    weft_scope scope;
    int64_t start = weft_now();
    weft_scope_enter(&scope, WEFT_SEC(2));
    int err = weft_sleep(WEFT_SEC(5));
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: the deadline has passed");
    ASSERT(weft_scope_is_cancelled(&scope));
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_STR_EQ(weft_error_message(), "timed out after 2 s");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_OK(weft_sleep(WEFT_SEC(5)));
}

VIRTUAL_TEST(scope_deadline_that_is_met_leaves_no_trace)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(2));
    ASSERT_INT_EQ(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(1)) + 5), 5);
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
    ASSERT_OK(weft_sleep(WEFT_SEC(5)));
}

VIRTUAL_TEST(scope_deadline_of_the_inner_one_comes_first)
{
    weft_scope outer;
    weft_scope inner;
    int64_t start = weft_now();
    weft_scope_enter(&outer, WEFT_SEC(5));
    weft_scope_enter(&inner, WEFT_SEC(1));
    ASSERT_ERR(weft_scope_exit(&inner, weft_sleep(WEFT_SEC(9))), -ETIMEDOUT);
    ASSERT(!weft_scope_is_cancelled(&outer));
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_OK(weft_scope_exit(&outer, 0));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
}

VIRTUAL_TEST(scope_deadline_of_the_outer_one_comes_first)
{
    weft_scope outer;
    weft_scope inner;
    int64_t start = weft_now();
    weft_scope_enter(&outer, WEFT_SEC(1));
    weft_scope_enter(&inner, WEFT_SEC(5));
    int err = weft_scope_exit(&inner, weft_sleep(WEFT_SEC(9)));
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&outer, err), -ETIMEDOUT);
    ASSERT_STR_EQ(weft_error_message(), "timed out after 1 s");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
}

VIRTUAL_TEST(scope_deadlines_at_the_same_moment_are_one_timeout)
{
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&outer, WEFT_SEC(1));
    weft_scope_enter(&inner, WEFT_SEC(1));
    int err = weft_scope_exit(&inner, weft_sleep(WEFT_SEC(9)));
    ASSERT(err == -ECANCELED || err == -ETIMEDOUT);
    ASSERT_ERR(weft_scope_exit(&outer, err), -ETIMEDOUT);
}

/* As asyncio.timeout(0): the body runs, its first blocking call fails. */
VIRTUAL_TEST(scope_zero_timeout_fails_at_the_first_checkpoint)
{
    static const int64_t timeouts[] = {0, -1, -WEFT_SEC(5), INT64_MIN};
    int64_t start = weft_now();
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        weft_scope scope;
        weft_scope_enter(&scope, timeouts[i]);
        ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
        ASSERT_ERR(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(1))), -ETIMEDOUT);
    }
    ASSERT_INT_EQ(weft_now(), start);
}

VIRTUAL_TEST(scope_success_is_not_turned_into_a_timeout)
{
    weft_scope scope;
    weft_scope_enter(&scope, 0);
    ASSERT_INT_EQ(weft_scope_exit(&scope, 3), 3);
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(2)), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scope, 3), 3);
    ASSERT_OK(weft_checkpoint());
}

VIRTUAL_TEST(scope_error_of_the_body_is_not_turned_into_a_timeout)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(2)), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scope, -EPIPE), -EPIPE);
}

VIRTUAL_TEST(scope_set_timeout_moves_the_deadline)
{
    weft_scope scope;
    int64_t start = weft_now();
    weft_scope_enter(&scope, WEFT_SEC(1));
    weft_scope_set_timeout(&scope, WEFT_SEC(4));
    ASSERT_OK(weft_sleep(WEFT_SEC(3)));
    /* From now, not from the entry. */
    weft_scope_set_timeout(&scope, WEFT_SEC(2));
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(2));
    ASSERT_ERR(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(9))), -ETIMEDOUT);
    ASSERT_STR_EQ(weft_error_message(), "timed out after 2 s");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(5));
}

VIRTUAL_TEST(scope_set_timeout_to_forever_removes_the_deadline)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    weft_scope_set_timeout(&scope, WEFT_FOREVER);
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
    ASSERT_OK(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(3600))));
}

VIRTUAL_TEST(scope_set_timeout_to_zero_cancels_now)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_set_timeout(&scope, 0);
    ASSERT(weft_scope_is_cancelled(&scope));
    ASSERT_ERR(weft_scope_exit(&scope, weft_checkpoint()), -ETIMEDOUT);
}

/* As asyncio's Timeout.reschedule after expiry: too late. */
VIRTUAL_TEST(scope_set_timeout_after_the_deadline_changes_nothing)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(2)), -ECANCELED);
    weft_scope_set_timeout(&scope, WEFT_SEC(50));
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(weft_remaining(), 0);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
}

VIRTUAL_TEST(scope_deadline_past_the_end_of_time_is_none)
{
    weft_scope scope;
    weft_scope_enter(&scope, INT64_MAX - 1);
    ASSERT_OK(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(3600))));
}

VIRTUAL_TEST(remaining_is_the_nearest_deadline)
{
    weft_scope far;
    weft_scope near;
    weft_scope none;
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
    weft_scope_enter(&far, WEFT_SEC(10));
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(10));
    weft_scope_enter(&near, WEFT_SEC(4));
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(4));
    weft_scope_enter(&none, WEFT_FOREVER);
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(4));
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(3));
    weft_scope_cancel(&none, NULL);
    ASSERT_INT_EQ(weft_remaining(), 0);
    ASSERT_OK(weft_scope_exit(&none, 0));
    ASSERT_OK(weft_scope_exit(&near, 0));
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(9));
    weft_scope_enter_shield(&near, WEFT_SEC(30));
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(30));
    ASSERT_OK(weft_scope_exit(&near, 0));
    ASSERT_OK(weft_scope_exit(&far, 0));
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
}

/* ---- cancelling ---- */

VIRTUAL_TEST(scope_own_cancel_ends_without_an_error)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT(!weft_scope_is_cancelled(&scope));
    weft_scope_cancel(&scope, "the user pressed Ctrl-C");
    ASSERT(weft_scope_is_cancelled(&scope));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(1)), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: the user pressed Ctrl-C");
    ASSERT_INT_EQ(weft_scope_exit(&scope, -ECANCELED), 0);
    ASSERT_OK(weft_checkpoint());
}

VIRTUAL_TEST(scope_cancel_without_a_reason_has_a_message_all_the_same)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled");
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
}

VIRTUAL_TEST(scope_first_reason_stands)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    weft_scope_cancel(&scope, "first");
    weft_scope_cancel(&scope, "second");
    weft_scope_set_timeout(&scope, 0);
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(2)), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: first");
    ASSERT_INT_EQ(weft_scope_exit(&scope, -ECANCELED), 0);
}

/* trio's and libdill's rule: every blocking call fails, as often as it is tried. */
VIRTUAL_TEST(scope_cancelled_fails_every_call_until_it_is_left)
{
    WEFT_AUTO(weft_semaphore) *semaphore = NULL;
    WEFT_AUTO(weft_event) *event = NULL;
    weft_scope scope;
    ASSERT_OK(weft_semaphore_new(1, &semaphore));
    ASSERT_OK(weft_event_new(&event));
    weft_event_set(event);
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    for (int i = 0; i < 3; i++) {
        weft_call call = {.fn = NULL};
        ASSERT_INT_EQ(weft_sleep(0), -ECANCELED);
        ASSERT_INT_EQ(weft_sleep(WEFT_SEC(1)), -ECANCELED);
        ASSERT_INT_EQ(weft_sleep(WEFT_FOREVER), -ECANCELED);
        ASSERT_INT_EQ(weft_yield(), -ECANCELED);
        ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
        /* Even those that would not have to wait. */
        ASSERT_INT_EQ(weft_semaphore_acquire(semaphore), -ECANCELED);
        ASSERT_INT_EQ(weft_event_wait(event), -ECANCELED);
        ASSERT_INT_EQ(weft_gather(&call, 1, NULL), -ECANCELED);
        ASSERT_INT_EQ(call.result, -ECANCELED);
        ASSERT_INT_EQ(weft_map(NULL, NULL, 0, 0, NULL), -ECANCELED);
    }
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 1);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
    ASSERT_OK(weft_sleep(1));
    ASSERT_OK(weft_semaphore_acquire(semaphore));
}

VIRTUAL_TEST(scope_foreign_cancel_wins_over_the_own_deadline)
{
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&outer, WEFT_FOREVER);
    weft_scope_enter(&inner, WEFT_SEC(1));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(2)), -ECANCELED);
    weft_scope_cancel(&outer, "outside");
    ASSERT_INT_EQ(weft_scope_exit(&inner, -ECANCELED), -ECANCELED);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: outside");
    ASSERT_OK(weft_scope_exit(&outer, -ECANCELED));
}

VIRTUAL_TEST(scope_entered_in_a_cancelled_one_is_cancelled_too)
{
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&outer, WEFT_FOREVER);
    weft_scope_cancel(&outer, NULL);
    weft_scope_enter(&inner, WEFT_SEC(1));
    ASSERT(!weft_scope_is_cancelled(&inner));
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&inner, -ECANCELED), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&outer, -ECANCELED));
}

VIRTUAL_TEST(scope_cancel_of_an_inner_one_ends_there)
{
    weft_scope scopes[3];
    for (int i = 0; i < 3; i++)
        weft_scope_enter(&scopes[i], WEFT_FOREVER);
    weft_scope_cancel(&scopes[1], NULL);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scopes[2], -ECANCELED), -ECANCELED);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scopes[1], -ECANCELED), 0);
    ASSERT_OK(weft_checkpoint());
    ASSERT_OK(weft_scope_exit(&scopes[0], 0));
}

VIRTUAL_TEST(scope_cancel_goes_through_a_thousand_levels)
{
    static weft_scope scopes[1000];
    for (int i = 0; i < 1000; i++)
        weft_scope_enter(&scopes[i], i % 3 == 0 ? WEFT_SEC(i + 10) : WEFT_FOREVER);
    weft_scope_set_timeout(&scopes[0], WEFT_SEC(1));
    int err = weft_sleep(WEFT_SEC(2));
    for (int i = 999; i > 0; i--) {
        err = weft_scope_exit(&scopes[i], err);
        ASSERT_INT_EQ(err, -ECANCELED);
    }
    ASSERT_ERR(weft_scope_exit(&scopes[0], err), -ETIMEDOUT);
    ASSERT_OK(weft_sleep(WEFT_SEC(2000)));
}

struct canceller {
    weft_scope *scope;
    int64_t when;
    weft_event *event;
};

static int cancel_later(void *arg)
{
    struct canceller *canceller = arg;
    int err = weft_sleep(canceller->when);
    if (canceller->event != NULL)
        weft_event_set(canceller->event);
    weft_scope_cancel(canceller->scope, "by another task");
    return err;
}

VIRTUAL_TEST(scope_cancel_wakes_a_sleeping_task_at_once)
{
    weft_group group;
    weft_scope scope;
    struct canceller canceller = {.scope = &scope, .when = WEFT_SEC(3)};
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, cancel_later, &canceller));
    weft_scope_enter(&scope, WEFT_FOREVER);
    int err = weft_sleep(WEFT_FOREVER);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: by another task");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(3));
    ASSERT_OK(weft_scope_exit(&scope, err));
    ASSERT_OK(weft_group_wait(&group));
}

/* What has happened has happened: the call succeeds, the next one is cancelled. */
VIRTUAL_TEST(scope_cancel_after_a_wake_up_does_not_lose_it)
{
    WEFT_AUTO(weft_event) *event = NULL;
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_event_new(&event));
    struct canceller canceller = {.scope = &scope, .when = WEFT_SEC(1), .event = event};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, cancel_later, &canceller));
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_INT_EQ(weft_event_wait(event), 0);
    ASSERT_INT_EQ(weft_event_wait(event), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
    ASSERT_OK(weft_group_wait(&group));
}

static int sleep_long(void *arg)
{
    int err = weft_sleep(WEFT_SEC(100));
    if (arg != NULL)
        *(int *)arg = err;
    return err;
}

VIRTUAL_TEST(scope_cancel_reaches_the_children_of_its_groups)
{
    weft_scope scope;
    weft_group groups[2];
    int results[4] = {1, 1, 1, 1};
    int64_t start = weft_now();
    weft_scope_enter(&scope, WEFT_SEC(1));
    for (int g = 0; g < 2; g++) {
        ASSERT_OK(weft_group_init(&groups[g], NULL));
        for (int i = 0; i < 2; i++)
            ASSERT_OK(weft_group_spawn(&groups[g], sleep_long, &results[g * 2 + i]));
    }
    ASSERT_INT_EQ(weft_group_wait(&groups[1]), -ECANCELED);
    ASSERT_INT_EQ(weft_group_wait(&groups[0]), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(results[i], -ECANCELED);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
}

/* ---- shields ---- */

VIRTUAL_TEST(shield_lets_cleanup_block_in_a_cancelled_scope)
{
    weft_scope scope;
    weft_scope shield;
    int64_t start = weft_now();
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = weft_sleep(WEFT_SEC(2));
    weft_scope_enter_shield(&shield, WEFT_SEC(5));
    ASSERT_OK(weft_checkpoint());
    ASSERT_OK(weft_sleep(WEFT_SEC(3)));
    ASSERT_OK(weft_scope_exit(&shield, 0));
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(4));
}

VIRTUAL_TEST(shield_holds_against_a_later_cancel)
{
    weft_scope scope;
    weft_scope shield;
    weft_scope_enter(&scope, WEFT_SEC(1));
    weft_scope_enter_shield(&shield, WEFT_SEC(5));
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    ASSERT_OK(weft_scope_exit(&shield, 0));
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
}

VIRTUAL_TEST(shield_has_its_own_deadline)
{
    weft_scope shield;
    int64_t start = weft_now();
    weft_scope_enter_shield(&shield, WEFT_SEC(5));
    ASSERT_ERR(weft_scope_exit(&shield, weft_sleep(WEFT_SEC(9))), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(5));
}

/* In a cancelled scope the cancellation outside is what the caller hears of. */
VIRTUAL_TEST(shield_that_times_out_in_a_cancelled_scope_is_ecanceled)
{
    weft_scope scope;
    weft_scope shield;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    weft_scope_enter_shield(&shield, WEFT_SEC(5));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(9)), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&shield, -ECANCELED), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
}

VIRTUAL_TEST(shield_without_a_deadline_has_one_of_a_minute)
{
    weft_scope shield;
    int64_t start = weft_now();
    weft_scope_enter_shield(&shield, WEFT_FOREVER);
    ASSERT_INT_EQ(weft_remaining(), WEFT_SEC(60));
    ASSERT_ERR(weft_scope_exit(&shield, weft_sleep(WEFT_FOREVER)), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(60));
}

VIRTUAL_TEST(shield_with_zero_time_is_cancelled_at_once)
{
    weft_scope scope;
    weft_scope shield;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    weft_scope_enter_shield(&shield, 0);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&shield, -ECANCELED), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
}

VIRTUAL_TEST(shield_can_be_cancelled_itself)
{
    weft_scope scope;
    weft_scope shield;
    weft_scope inner;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    weft_scope_enter_shield(&shield, WEFT_SEC(9));
    weft_scope_enter(&inner, WEFT_FOREVER);
    ASSERT_OK(weft_checkpoint());
    weft_scope_cancel(&shield, "enough");
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: enough");
    ASSERT_INT_EQ(weft_scope_exit(&inner, -ECANCELED), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&shield, -ECANCELED), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
}

VIRTUAL_TEST(shield_in_a_shield_keeps_its_own_deadline)
{
    weft_scope scope;
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&scope, 0);
    weft_scope_enter_shield(&outer, WEFT_SEC(1));
    weft_scope_enter_shield(&inner, WEFT_SEC(5));
    ASSERT_OK(weft_sleep(WEFT_SEC(3)));
    ASSERT_OK(weft_scope_exit(&inner, 0));
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&outer, -ECANCELED), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
}

VIRTUAL_TEST(shield_protects_the_children_of_a_group_in_it)
{
    weft_scope scope;
    weft_scope shield;
    weft_group inside;
    weft_group outside;
    int shielded = 1;
    int exposed = 1;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_group_init(&outside, NULL));
    ASSERT_OK(weft_group_spawn(&outside, sleep_long, &exposed));
    weft_scope_enter_shield(&shield, WEFT_SEC(200));
    ASSERT_OK(weft_group_init(&inside, NULL));
    ASSERT_OK(weft_group_spawn(&inside, sleep_long, &shielded));
    ASSERT_OK(weft_group_wait(&inside));
    ASSERT_INT_EQ(shielded, 0);
    ASSERT_INT_EQ(exposed, -ECANCELED);
    ASSERT_OK(weft_scope_exit(&shield, 0));
    ASSERT_INT_EQ(weft_group_wait(&outside), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
}

/* A child that shields itself: the group's cancellation waits for it. */
static int shielded_child(void *arg)
{
    weft_scope shield;
    weft_scope_enter_shield(&shield, WEFT_SEC(50));
    int err = weft_sleep(WEFT_SEC(10));
    *(int *)arg = err;
    return weft_scope_exit(&shield, err);
}

VIRTUAL_TEST(shield_of_a_child_holds_its_group_open)
{
    weft_group group;
    int result = 1;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, shielded_child, &result));
    weft_group_cancel(&group, "all out");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(result, 0);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(10));
}

/* ---- wrong nesting ---- */

VIRTUAL_TEST(scope_left_before_an_inner_one_is_misnested)
{
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&outer, WEFT_SEC(5));
    weft_scope_enter(&inner, WEFT_SEC(1));
    ASSERT_ERR(weft_scope_exit(&outer, 0), WEFT_EMISNESTED);
    ASSERT_STR_HAS(weft_error_message(), "main");
    /* Both are gone: no timer of theirs fires any more. */
    ASSERT_OK(weft_sleep(WEFT_SEC(10)));
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
    ASSERT_ERR(weft_scope_exit(&inner, 0), WEFT_EMISNESTED);
}

VIRTUAL_TEST(scope_left_twice_is_misnested)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_OK(weft_scope_exit(&scope, 0));
    ASSERT_ERR(weft_scope_exit(&scope, 0), WEFT_EMISNESTED);
    ASSERT_OK(weft_checkpoint());
}

VIRTUAL_TEST(scope_misnested_and_cancelled_leaves_no_cancellation_behind)
{
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&outer, WEFT_FOREVER);
    weft_scope_enter(&inner, WEFT_FOREVER);
    weft_scope_cancel(&inner, NULL);
    weft_scope_cancel(&outer, NULL);
    ASSERT_ERR(weft_scope_exit(&outer, -ECANCELED), WEFT_EMISNESTED);
    ASSERT_OK(weft_sleep(1));
}

static int exit_a_foreign_scope(void *arg)
{
    return weft_scope_exit(arg, 0);
}

VIRTUAL_TEST(scope_left_by_another_task_is_misnested)
{
    weft_scope scope;
    weft_group group;
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, exit_a_foreign_scope, &scope));
    ASSERT_ERR(weft_group_wait(&group), WEFT_EMISNESTED);
    ASSERT_OK(weft_scope_exit(&scope, 0));
}

/* The children of a group that is left behind are cancelled and joined first. */
VIRTUAL_TEST(scope_left_before_a_group_inside_joins_its_children)
{
    weft_scope scope;
    weft_group group;
    int result = 1;
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, sleep_long, &result));
    ASSERT_ERR(weft_scope_exit(&scope, 0), WEFT_EMISNESTED);
    ASSERT_INT_EQ(result, -ECANCELED);
    ASSERT_INT_EQ(weft_task_count(), 1);
}

/* ---- outside weft_run ---- */

TEST(scope_works_in_a_plain_thread)
{
    weft_scope scope;
    int64_t start = weft_now();
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = weft_sleep(WEFT_SEC(100));
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(20));
    ASSERT_OK(weft_sleep(1));
}

static int nothing(void *arg)
{
    (void)arg;
    return weft_checkpoint();
}

/* A deadline around weft_run holds inside it. */
TEST(scope_around_weft_run_reaches_into_it)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = weft_run(sleep_long, NULL);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_run(nothing, NULL));
}

/* ---- a task that ends without leaving its scope ---- */

static int return_inside(void *arg)
{
    weft_scope *elsewhere = arg;
    weft_scope here;
    weft_scope_enter(elsewhere != NULL ? elsewhere : &here, WEFT_SEC(1));
    return 0;
}

/* The scope is still there to be looked at: an error. */
VIRTUAL_TEST(scope_of_the_parent_not_left_by_the_child_is_misnested)
{
    weft_scope scope;
    weft_call call = {return_inside, &scope};
    ASSERT_ERR(weft_gather(&call, 1, NULL), WEFT_EMISNESTED);
    ASSERT_INT_EQ(call.result, WEFT_EMISNESTED);
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
}

static void run_return_inside(void *arg)
{
    (void)arg;
    weft_run_with(return_inside, NULL, WEFT_RUN(.name = "careless"));
}

/* It lay in a frame that is gone: going on would use that memory. */
TEST(scope_in_a_frame_that_is_gone_ends_the_program)
{
    char output[1024];
    int status = test_fork(run_return_inside, NULL, output, sizeof output);
    ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ASSERT_STR_HAS(output, "task 'careless' returned inside a scope");
}

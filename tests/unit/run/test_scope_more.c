/* Scopes: moments, reasons and who gave them; scopes and groups used where they cannot be. */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "test.h"

/* ---- moments ---- */

VIRTUAL_TEST(scope_entered_with_a_moment_ends_then)
{
    weft_scope scope;
    int64_t start = weft_now();
    weft_scope_enter_at(&scope, start + WEFT_SEC(2));
    ASSERT_INT_EQ(weft_scope_deadline(&scope), start + WEFT_SEC(2));
    ASSERT_INT_EQ(weft_deadline(), start + WEFT_SEC(2));
    ASSERT_ERR(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(9))), -ETIMEDOUT);
    ASSERT_STR_EQ(weft_error_message(), "timed out after 2 s");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT(weft_scope_is_expired(&scope));
}

VIRTUAL_TEST(scope_entered_with_a_moment_in_the_past_is_over)
{
    weft_scope scope;
    weft_scope_enter_at(&scope, weft_now() - 1);
    ASSERT_ERR(weft_scope_exit(&scope, weft_checkpoint()), -ETIMEDOUT);
}

VIRTUAL_TEST(scope_entered_with_no_moment_has_no_deadline)
{
    weft_scope scope;
    weft_scope_enter_at(&scope, WEFT_FOREVER);
    ASSERT_INT_EQ(weft_scope_deadline(&scope), WEFT_FOREVER);
    ASSERT_OK(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(9))));
}

VIRTUAL_TEST(deadline_is_the_nearest_one_up_to_a_shield)
{
    weft_scope outer;
    weft_scope inner;
    int64_t now = weft_now();
    ASSERT_INT_EQ(weft_deadline(), WEFT_FOREVER);
    weft_scope_enter(&outer, WEFT_SEC(5));
    weft_scope_enter(&inner, WEFT_SEC(9));
    ASSERT_INT_EQ(weft_deadline(), now + WEFT_SEC(5));
    ASSERT_OK(weft_scope_exit(&inner, 0));
    weft_scope_enter_shield(&inner, WEFT_SEC(9));
    ASSERT_INT_EQ(weft_deadline(), now + WEFT_SEC(9));
    weft_scope_cancel(&inner, NULL);
    ASSERT_INT_EQ(weft_deadline(), INT64_MIN);
    ASSERT_OK(weft_scope_exit(&inner, 0));
    ASSERT_OK(weft_scope_exit(&outer, 0));
}

VIRTUAL_TEST(scope_cancelled_by_a_call_has_not_expired)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT(!weft_scope_is_expired(&scope));
    ASSERT_OK(weft_scope_cancel(&scope, "enough"));
    ASSERT_OK(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(5))));
    ASSERT(weft_scope_is_cancelled(&scope));
    ASSERT(!weft_scope_is_expired(&scope));
}

/* ---- who cancelled ---- */

static int cancel_soon(void *arg)
{
    int err = weft_sleep(WEFT_SEC(1));
    return err < 0 ? err : weft_scope_cancel(arg, "the user left");
}

VIRTUAL_TEST(scope_cancelled_by_another_task_names_it)
{
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_OK(weft_group_spawn_with(&group, cancel_soon, &scope, WEFT_SPAWN(.name = "connection")));
    int err = weft_sleep(WEFT_SEC(9));
    ASSERT_STR_EQ(weft_error_message(), "cancelled: the user left (task 'connection')");
    ASSERT_OK(weft_scope_exit(&scope, err));
    ASSERT_OK(weft_group_wait(&group));
}

static int cancel_group_soon(void *arg)
{
    return weft_group_cancel(arg, NULL);
}

VIRTUAL_TEST(group_cancelled_by_a_child_names_it)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, cancel_group_soon, &group, WEFT_SPAWN(.name = "last")));
    ASSERT_ERR(weft_checkpoint(), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled (task 'last')");
    ASSERT_OK(weft_group_wait(&group));
}

/* ---- where they cannot be used ---- */

VIRTUAL_TEST(scope_that_was_left_cannot_be_cancelled_or_moved)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_scope_exit(&scope, 0));
    ASSERT_ERR(weft_scope_cancel(&scope, "late"), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "a scope that was left");
    ASSERT_ERR(weft_scope_set_timeout(&scope, 0), -EINVAL);
    ASSERT(!weft_scope_is_cancelled(&scope));
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
}

struct shared {
    weft_scope scope;
    weft_group group;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *use_from_another_thread(void *arg)
{
    struct shared *shared = arg;
    ASSERT_ERR(weft_scope_cancel(&shared->scope, "mine"), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "a scope of another thread");
    ASSERT_ERR(weft_scope_set_timeout(&shared->scope, 0), -EINVAL);
    ASSERT_ERR(weft_scope_exit(&shared->scope, 0), WEFT_EMISNESTED);
    ASSERT_STR_EQ(weft_error_message(), "a scope is left by the task that entered it, 'main'");
    ASSERT_ERR(weft_group_cancel(&shared->group, "mine"), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "cancel a group of another thread");
    ASSERT_ERR(weft_group_spawn(&shared->group, nothing, NULL), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "spawn into a group of another thread");
    ASSERT_ERR(weft_group_start(&shared->group, nothing, NULL, NULL, NULL), -EINVAL);
    ASSERT_ERR(weft_group_wait(&shared->group), WEFT_EMISNESTED);
    weft_scope_done(&shared->scope);
    weft_group_done(&shared->group);
    return NULL;
}

VIRTUAL_TEST(scope_and_group_of_another_thread_are_refused)
{
    struct shared shared;
    pthread_t thread;
    weft_scope_enter(&shared.scope, WEFT_FOREVER);
    ASSERT_OK(weft_group_init(&shared.group, NULL));
    ASSERT_INT_EQ(pthread_create(&thread, NULL, use_from_another_thread, &shared), 0);
    pthread_join(thread, NULL);
    ASSERT_OK(weft_checkpoint());
    ASSERT_OK(weft_group_wait(&shared.group));
    ASSERT_OK(weft_scope_exit(&shared.scope, 0));
}

VIRTUAL_TEST(group_that_has_ended_cannot_be_cancelled)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_group_cancel(&group, "late"), -EINVAL);
    ASSERT_ERR(weft_group_wait(&group), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "the group was waited for already");
}

static int sleep_long(void *arg)
{
    *(int *)arg = weft_sleep(WEFT_SEC(50));
    return *(int *)arg;
}

static weft_group forgotten;

static int forget_a_group(void *arg)
{
    ASSERT_OK(weft_group_init(&forgotten, NULL));
    return weft_group_spawn(&forgotten, sleep_long, arg);
}

VIRTUAL_TEST(task_that_ends_without_joining_its_group_has_failed)
{
    weft_group group;
    int saw = 1;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, forget_a_group, &saw, WEFT_SPAWN(.name = "careless")));
    ASSERT_ERR(weft_group_wait(&group), WEFT_EMISNESTED);
    ASSERT_STR_EQ(weft_error_message(), "task 'careless' ended inside a scope that it had entered");
    ASSERT_INT_EQ(saw, -ECANCELED);
    ASSERT_INT_EQ(weft_task_count(), 1);
}

static weft_scope forgotten_scope;

static int forget_a_scope(void *arg)
{
    (void)arg;
    weft_scope_enter(&forgotten_scope, WEFT_SEC(1));
    return 0;
}

VIRTUAL_TEST(function_that_forgets_a_scope_is_found_by_the_scope_around_it)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(9));
    ASSERT_OK(forget_a_scope(NULL));
    ASSERT_ERR(weft_scope_exit(&scope, 0), WEFT_EMISNESTED);
    ASSERT_STR_EQ(weft_error_message(), "task 'main' left a scope before the ones inside it");
    ASSERT_OK(weft_sleep(WEFT_SEC(5)));
}

VIRTUAL_TEST(function_that_forgets_a_scope_is_found_by_the_group_around_it)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(forget_a_scope(NULL));
    ASSERT_ERR(weft_group_wait(&group), WEFT_EMISNESTED);
    ASSERT_OK(weft_sleep(WEFT_SEC(5)));
}

/* ---- what asyncio and trio promise of their own ---- */

/* trio: a shield that is lifted while a cancellation waits outside; here: one that ends. */
VIRTUAL_TEST(shield_that_ends_lets_the_cancellation_outside_through)
{
    weft_scope outer;
    weft_scope shield;
    weft_scope_enter(&outer, WEFT_SEC(1));
    weft_scope_enter_shield(&shield, WEFT_SEC(9));
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    ASSERT_OK(weft_scope_exit(&shield, 0));
    ASSERT_ERR(weft_scope_exit(&outer, weft_checkpoint()), -ETIMEDOUT);
}

/* asyncio: a time-out in the cleanup after a cancellation. */
VIRTUAL_TEST(timeout_after_cancellation_is_a_timeout_of_its_own)
{
    weft_scope outer;
    weft_scope cleanup;
    weft_scope_enter(&outer, WEFT_FOREVER);
    weft_scope_cancel(&outer, "stop");
    int err = weft_sleep(1);
    ASSERT_INT_EQ(err, -ECANCELED);
    weft_scope_enter_shield(&cleanup, WEFT_SEC(1));
    int cleaned = weft_sleep(WEFT_SEC(5));
    ASSERT(weft_scope_is_cancelled(&cleanup));
    ASSERT(weft_scope_is_expired(&cleanup));
    ASSERT_INT_EQ(weft_scope_exit(&cleanup, cleaned), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&outer, err));
}

static int child_that_never_waits(void *arg)
{
    ++*(int *)arg;
    return -EIO;
}

/* asyncio: no task is made once the group has failed. */
VIRTUAL_TEST(group_that_has_failed_starts_children_that_cannot_wait)
{
    weft_group group;
    int began = 0;
    int saw = 1;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, child_that_never_waits, &began));
    ASSERT_OK(weft_group_spawn(&group, sleep_long, &saw));
    ASSERT_INT_EQ(saw, -ECANCELED);
    ASSERT_ERR(weft_group_wait(&group), -EIO);
}

/* trio: both the body and a child crash. */
VIRTUAL_TEST(group_error_and_the_bodys_own_are_both_known)
{
    weft_group group;
    int began = 0;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, child_that_never_waits, &began));
    int own = weft__fail(-EPROTO, "the body");
    ASSERT_ERR(weft_group_wait(&group), -EIO);
    ASSERT_INT_EQ(own, -EPROTO);
}

/* ---- twice ---- */

VIRTUAL_TEST(scope_entered_twice_is_misnested)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    weft_scope_enter(&scope, WEFT_SEC(5));
    ASSERT_ERR(weft_scope_exit(&scope, 0), WEFT_EMISNESTED);
    ASSERT_STR_EQ(weft_error_message(), "task 'main' entered a scope twice");
    ASSERT_OK(weft_sleep(WEFT_SEC(9)));
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_scope_exit(&scope, 0));
}

VIRTUAL_TEST(group_begun_twice_is_misnested)
{
    weft_group group;
    int saw = 1;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, sleep_long, &saw));
    ASSERT_ERR(weft_group_init(&group, NULL), WEFT_EMISNESTED);
    ASSERT_OK(weft_group_cancel(&group, NULL));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_wait(&group));
}

static void enter_in_a_frame_that_was_overwritten(void *arg)
{
    weft_scope scope;
    (void)arg;
    weft_scope_enter(&scope, WEFT_FOREVER);
    memset(&scope, 0x5a, sizeof scope);
    weft_scope_enter(&scope, WEFT_FOREVER);
}

TEST(scope_forgotten_in_a_frame_that_is_gone_ends_the_program)
{
    char output[500];
    int status = test_fork(enter_in_a_frame_that_was_overwritten, NULL, output, sizeof output);
    ASSERT(WIFSIGNALED(status));
    ASSERT_STR_HAS(output, "returned inside a scope or group of its own");
}

/* ---- values at the edge ---- */

VIRTUAL_TEST(scope_with_less_than_no_time_says_that_it_had_none)
{
    static const int64_t timeouts[] = {-WEFT_SEC(5), INT64_MIN, -1, 0};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        weft_scope scope;
        weft_scope_enter(&scope, timeouts[i]);
        ASSERT_ERR(weft_scope_exit(&scope, weft_sleep(1)), -ETIMEDOUT);
        ASSERT_STR_EQ(weft_error_message(), "timed out after 0 s");
    }
}

VIRTUAL_TEST(scope_that_is_a_shield_keeps_a_deadline)
{
    weft_scope scope;
    weft_scope_enter_shield(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_scope_set_timeout(&scope, WEFT_FOREVER));
    ASSERT_INT_EQ(weft_scope_deadline(&scope) - weft_now(), WEFT_SEC(60));
    ASSERT_OK(weft_scope_exit(&scope, 0));
    weft_scope_enter_shield(&scope, WEFT_FOREVER - 1);
    ASSERT_INT_EQ(weft_scope_deadline(&scope) - weft_now(), WEFT_SEC(60));
    ASSERT_OK(weft_scope_exit(&scope, 0));
}

VIRTUAL_TEST(group_with_less_than_no_time_is_over_at_once)
{
    weft_group group;
    int saw = 1;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = -1)));
    ASSERT_OK(weft_group_spawn(&group, sleep_long, &saw));
    ASSERT_ERR(weft_group_wait(&group), -ETIMEDOUT);
    ASSERT_INT_EQ(saw, -ECANCELED);
}

/* Tasks that say when they are ready, and tasks of the background. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/debug.h>
#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "test.h"

/* ---- start ---- */

struct service {
    int64_t before; /* it is ready */
    int64_t after;
    int fails_before;
    int result;
    int told; /* what weft_task_started said */
    int slept;
};

static int serve(void *arg)
{
    struct service *service = arg;
    service->told = 1;
    int err = weft_sleep(service->before);
    if (err < 0)
        return err;
    if (service->fails_before < 0)
        return weft__fail(service->fails_before, "port in use");
    service->told = weft_task_started(service);
    if (service->told < 0)
        return service->told;
    service->slept = weft_sleep(service->after);
    return service->slept < 0 ? service->slept : service->result;
}

VIRTUAL_TEST(start_waits_until_the_task_is_ready)
{
    struct service service = {.before = WEFT_SEC(2), .after = WEFT_SEC(3)};
    weft_group group;
    void *value = NULL;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_start(&group, serve, &service, WEFT_SPAWN(.name = "server"), &value));
    ASSERT(value == &service);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_INT_EQ(weft_task_count(), 2);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(5));
}

VIRTUAL_TEST(start_of_a_task_that_is_ready_at_once_does_not_wait)
{
    struct service service = {.after = WEFT_SEC(3)};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_start(&group, serve, &service, NULL, NULL));
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(start_of_a_task_that_fails_before_is_not_the_groups_failure)
{
    struct service service = {.before = WEFT_SEC(1), .fails_before = -EADDRINUSE};
    weft_group group;
    void *value = &service;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    ASSERT_ERR(weft_group_start(&group, serve, &service, NULL, &value), -EADDRINUSE);
    ASSERT_STR_EQ(weft_error_message(), "port in use");
    ASSERT(value == &service);
    ASSERT_OK(weft_checkpoint());
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_group_error_count(&group), 0);
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 3;
}

VIRTUAL_TEST(start_of_a_task_that_never_says_so_is_an_error)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_ERR(weft_group_start(&group, end_at_once, NULL, NULL, NULL), WEFT_ENOT_STARTED);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(start_then_failure_is_the_groups)
{
    struct service service = {.after = WEFT_SEC(1), .result = -EIO};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_start(&group, serve, &service, NULL, NULL));
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(9)), -ECANCELED);
    ASSERT_ERR(weft_group_wait(&group), -EIO);
}

VIRTUAL_TEST(start_that_is_cancelled_cancels_and_joins_the_task)
{
    struct service service = {.before = WEFT_SEC(9)};
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = weft_group_start(&group, serve, &service, NULL, NULL);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_INT_EQ(weft_task_count(), 1);
    ASSERT_INT_EQ(service.told, 1);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_group_wait(&group));
}

/* After its start a task no longer hears of the scope in which it was started. */
VIRTUAL_TEST(start_hands_the_task_over_to_its_group)
{
    struct service service = {.before = WEFT_SEC(1), .after = WEFT_SEC(5)};
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_scope_enter(&scope, WEFT_SEC(2));
    ASSERT_OK(weft_group_start(&group, serve, &service, NULL, NULL));
    ASSERT_ERR(weft_scope_exit(&scope, weft_sleep(WEFT_SEC(9))), -ETIMEDOUT);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(service.slept);
}

static int serve_inside_scopes(void *arg)
{
    weft_scope scope;
    weft_group group;
    weft_scope_enter(&scope, WEFT_SEC(50));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve, arg));
    int err = weft_sleep(WEFT_SEC(1));
    if (err == 0)
        err = weft_task_started(NULL);
    int joined = weft_group_wait(&group);
    return weft_scope_exit(&scope, err < 0 ? err : joined);
}

/* serve is not the task that was started: it cannot speak for it. */
VIRTUAL_TEST(start_of_a_task_inside_scopes_of_its_own_moves_all_of_it)
{
    struct service service = {.before = WEFT_SEC(3), .fails_before = 0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_start(&group, serve_inside_scopes, &service, NULL, NULL));
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_OK(weft_group_cancel(&group, "enough"));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(service.told, 1);
    ASSERT_INT_EQ(weft_group_error_count(&group), 0);
}

VIRTUAL_TEST(start_into_a_group_that_was_cancelled_meanwhile_cancels_the_task)
{
    struct service service = {.before = WEFT_SEC(2), .after = WEFT_SEC(9)};
    weft_group group;
    weft_scope shield;
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_group_cancel(&group, "over");
    weft_scope_enter_shield(&shield, WEFT_SEC(9));
    ASSERT_OK(weft_group_start(&group, serve, &service, NULL, NULL));
    ASSERT_OK(weft_scope_exit(&shield, 0));
    ASSERT_INT_EQ(service.slept, -ECANCELED);
    ASSERT_INT_EQ(weft_group_wait(&group), 0);
}

struct starter {
    weft_group *group;
    struct service service;
};

static int start_in(void *arg)
{
    struct starter *starter = arg;
    return weft_group_start(starter->group, serve, &starter->service, NULL, NULL);
}

VIRTUAL_TEST(start_holds_its_group_open)
{
    weft_group group;
    weft_group starters;
    struct starter starter = {.group = &group,
                              .service = {.before = WEFT_SEC(2), .after = WEFT_SEC(2)}};
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&starters, NULL));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&starters, start_in, &starter));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(4));
    ASSERT_OK(weft_group_wait(&starters));
}

VIRTUAL_TEST(start_keeps_the_outcome_where_the_group_does)
{
    struct service service = {.before = WEFT_SEC(1), .after = WEFT_SEC(1), .result = 8};
    weft_group group;
    weft_outcome outcome;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    ASSERT_OK(weft_group_start(&group, serve, &service, WEFT_SPAWN(.name = "s"), NULL));
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 1);
    ASSERT_INT_EQ(outcome.result, 8);
    ASSERT_STR_EQ(outcome.name, "s");
    ASSERT_OK(weft_group_wait(&group));
}

static int say_so_twice(void *arg)
{
    (void)arg;
    ASSERT_OK(weft_task_started(NULL));
    ASSERT_ERR(weft_task_started(NULL), -EINVAL);
    return 0;
}

VIRTUAL_TEST(start_is_refused_where_it_makes_no_sense)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_ERR(weft_group_start(&group, NULL, NULL, NULL, NULL), -EINVAL);
    ASSERT_OK(weft_group_start(&group, say_so_twice, NULL, NULL, NULL));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_group_start(&group, say_so_twice, NULL, NULL, NULL), -EINVAL);
    ASSERT_ERR(weft_task_started(NULL), -EINVAL);
}

TEST(start_works_outside_any_loop)
{
    struct service service = {.before = WEFT_MS(1)};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_start(&group, serve, &service, NULL, NULL));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_task_started(NULL), -EINVAL);
}

/* ---- background ---- */

struct ticker {
    int ticks;
    int ended;
    int64_t cleanup;
    int cleaned; /* what the shielded sleep returned */
    int64_t ended_at;
};

static int tick(void *arg)
{
    struct ticker *ticker = arg;
    int err;
    while ((err = weft_sleep(WEFT_SEC(1))) == 0)
        ticker->ticks++;
    weft_scope shield;
    weft_scope_enter_shield(&shield, WEFT_SEC(100));
    ticker->cleaned = weft_sleep(ticker->cleanup);
    weft_scope_exit(&shield, 0);
    ticker->ended = err;
    ticker->ended_at = weft_now();
    return err;
}

static int main_with_ticker(void *arg)
{
    int err = weft_background_spawn(tick, arg, WEFT_SPAWN(.name = "ticker"));
    return err < 0 ? err : weft_sleep(WEFT_MS(3500)) + 4;
}

TEST(background_task_ends_with_the_run)
{
    struct ticker ticker = {0};
    ASSERT_INT_EQ(
        weft_run_with(main_with_ticker, &ticker, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)), 4);
    ASSERT_INT_EQ(ticker.ticks, 3);
    ASSERT_INT_EQ(ticker.ended, -ECANCELED);
    ASSERT_OK(ticker.cleaned);
}

TEST(background_shields_hold_for_the_grace_period)
{
    struct ticker within = {.cleanup = WEFT_SEC(4)};
    struct ticker beyond = {.cleanup = WEFT_SEC(50)};
    struct ticker allowed = {.cleanup = WEFT_SEC(50)};
    ASSERT_OK(weft_run_with(main_with_ticker, &within, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_OK(within.cleaned);
    ASSERT_OK(weft_run_with(main_with_ticker, &beyond, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(beyond.cleaned, -ECANCELED);
    ASSERT_OK(
        weft_run_with(main_with_ticker, &allowed,
                      WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .background_grace = WEFT_SEC(60))));
    ASSERT_OK(allowed.cleaned);
}

static int fail_later(void *arg)
{
    int err = weft_sleep(WEFT_SEC(1));
    return err < 0 ? err : weft__fail(*(int *)arg, "the log is full");
}

static int main_with_failure(void *arg)
{
    int err = weft_background_spawn(fail_later, arg, WEFT_SPAWN(.name = "logger"));
    return err < 0 ? err : weft_sleep(WEFT_SEC(3));
}

static void keep_outcome(const weft_outcome *outcome, void *userdata)
{
    *(weft_outcome *)userdata = *outcome;
}

TEST(background_failure_is_told_and_harms_nobody)
{
    weft_outcome outcome = {0};
    int code = -ENOSPC;
    ASSERT_OK(weft_run_with(main_with_failure, &code,
                            WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL,
                                     .on_background_error = keep_outcome, .userdata = &outcome)));
    ASSERT_INT_EQ(outcome.result, -ENOSPC);
    ASSERT_STR_EQ(outcome.name, "logger");
    ASSERT_STR_EQ(outcome.message, "the log is full");
    ASSERT(outcome.arg == &code);
}

static void run_failing(void *arg)
{
    ASSERT_OK(weft_run_with(main_with_failure, arg, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
}

TEST(background_failure_is_printed_by_default)
{
    char output[500];
    int code = -ENOSPC;
    ASSERT_INT_EQ(test_fork(run_failing, &code, output, sizeof output), 0);
    ASSERT_STR_HAS(output, "weft: background task 'logger' failed: the log is full\n");
}

static int main_that_fails(void *arg)
{
    int err = weft_background_spawn(tick, arg, NULL);
    return err < 0 ? err : weft__fail(-EPROTO, "main has failed");
}

TEST(background_does_not_hide_the_runs_own_error)
{
    struct ticker ticker = {.cleanup = WEFT_SEC(1)};
    ASSERT_ERR(weft_run_with(main_that_fails, &ticker, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)),
               -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "main has failed");
    ASSERT_INT_EQ(ticker.ended, -ECANCELED);
}

/* A task of the background does not care where it was spawned. */
static int spawn_in_narrow_scope(void *arg)
{
    struct ticker *ticker = arg;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(500));
    int err = weft_background_spawn(tick, arg, NULL);
    err = weft_scope_exit(&scope, err < 0 ? err : weft_sleep(WEFT_SEC(9)));
    ASSERT_INT_EQ(err, -ETIMEDOUT);
    ASSERT_OK(weft_sleep(WEFT_SEC(3)));
    ASSERT_INT_EQ(ticker->ticks, 3);
    ASSERT_INT_EQ(ticker->ended, 0);
    return 0;
}

TEST(background_task_outlives_the_scope_it_was_spawned_in)
{
    struct ticker ticker = {0};
    ASSERT_OK(
        weft_run_with(spawn_in_narrow_scope, &ticker, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(ticker.ended, -ECANCELED);
}

static int respawn(void *arg)
{
    int *depth = arg;
    int err = weft_sleep(WEFT_FOREVER);
    if (++*depth < 5)
        ASSERT_OK(weft_background_spawn(respawn, arg, NULL));
    return err;
}

static int main_with_respawn(void *arg)
{
    return weft_background_spawn(respawn, arg, NULL);
}

TEST(background_task_spawned_while_the_run_ends_is_joined_too)
{
    int depth = 0;
    ASSERT_OK(weft_run_with(main_with_respawn, &depth, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(depth, 5);
}

VIRTUAL_TEST(background_without_a_function_is_refused)
{
    ASSERT_ERR(weft_background_spawn(NULL, NULL, NULL), -EINVAL);
}

static void *plain_thread(void *arg)
{
    struct ticker *ticker = arg;
    ASSERT_OK(weft_background_spawn(tick, ticker, NULL));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    return NULL;
}

TEST(background_task_of_a_plain_thread_ends_with_the_thread)
{
    struct ticker ticker = {0};
    pthread_t thread;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, plain_thread, &ticker), 0);
    pthread_join(thread, NULL);
    ASSERT_INT_EQ(ticker.ended, -ECANCELED);
}

static int dump_with_background(void *arg)
{
    struct ticker *ticker = arg;
    char text[8000] = "";
    int fds[2];
    ASSERT_INT_EQ(pipe(fds), 0);
    ASSERT_OK(weft_background_spawn(tick, ticker, WEFT_SPAWN(.name = "ticker")));
    weft_dump_tasks(fds[1]);
    close(fds[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(fds[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    close(fds[0]);
    ASSERT_STR_HAS(text, "background: 1 task");
    ASSERT_STR_HAS(text, "ticker #");
    return 0;
}

TEST(background_tasks_are_in_the_dump)
{
    struct ticker ticker = {0};
    ASSERT_OK(
        weft_run_with(dump_with_background, &ticker, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
}

/* Budget, pause, circuit breaker and hedging, against the embedded server on the virtual clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "gate.h"
#include "client/client_int.h"
#include "server/server_int.h"
#include "test.h"

struct world {
    weft_server *server;
    weft_client *client;
    weft_group group;
    int status;          /* of every answer */
    int64_t takes;       /* an answer */
    int64_t first_takes; /* the first one, if not 0 */
    int requests;
    int dials;
    int refused;        /* answered by 429 */
    int64_t told_until; /* Retry-After of the 429 that was given */
    int failing_dials;
    int cut;    /* so many answers break off */
    bool limit; /* the first request is one too many */
};

static int answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct world *world = arg;
    (void)request;
    int number = ++world->requests;
    if (world->limit && (number == 1 || weft_now() < world->told_until)) {
        world->refused++;
        world->told_until = weft_now() + WEFT_SEC(2);
        weft_reply_set_header(reply, "Retry-After", "2");
        return weft_reply_text(reply, 429, "slow down");
    }
    int err = weft_sleep(number == 1 && world->first_takes > 0 ? world->first_takes : world->takes);
    if (err < 0)
        return err;
    if (world->cut > 0) {
        world->cut--;
        weft_reply_start(reply, 200, 10);
        weft_reply_write(reply, "abc", 3);
        return -EIO;
    }
    return weft_reply_text(reply, world->status, "text");
}

struct end {
    struct world *world;
    weft_stream *stream;
};

static int serve(void *arg)
{
    struct end end = *(struct end *)arg;
    free(arg);
    weft__server_serve_stream(end.world->server, end.stream);
    return 0;
}

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct world *world = userdata;
    (void)url;
    world->dials++;
    if (world->failing_dials > 0) {
        world->failing_dials--;
        return weft__fail(WEFT_EREFUSED, "refused");
    }
    weft_stream *client;
    struct end *end = malloc(sizeof *end);
    end->world = world;
    int err = gate_pair(&world->group, 0, &client, &end->stream);
    if (err < 0) {
        free(end);
        return err;
    }
    weft_stream *stream = end->stream;
    err = weft_group_spawn(&world->group, serve, end);
    if (err < 0) {
        free(end);
        weft_stream_free(stream);
        weft_stream_free(client);
        return err;
    }
    *ret = client;
    return 0;
}

static void begin(struct world *world, const weft_client_options *options)
{
    *world = (struct world){.status = 200};
    ASSERT_OK(weft_server_new(NULL, &world->server));
    ASSERT_OK(weft_server_route(world->server, NULL, "/{rest*}", answer, world));
    ASSERT_OK(weft_group_init(&world->group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_client_new(options, &world->client));
    gate_dial(world->client, dial, world);
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    weft_group_cancel(&world->group, "the test is over");
    weft_group_wait(&world->group);
    weft_server_free(world->server);
}

static int get_status(struct world *world, const char *url)
{
    weft_response *response;
    int status = weft_client_get(world->client, url, NULL, &response);
    if (status < 0)
        return status;
    status = weft_response_status(response);
    weft_response_free(response);
    return status;
}

#define URL "http://example.org/x"

/* ---- the budget ---- */

VIRTUAL_TEST(budget_bounds_the_load_when_everything_fails)
{
    struct world world;
    const weft_retry_policy policy = {.attempts = 5, .wait = {WEFT_WAIT_NONE}, .budget_floor = 10};
    begin(&world, WEFT_CLIENT(.retry = &policy));
    world.status = 503;
    for (int i = 0; i < 1000; i++)
        ASSERT_INT_EQ(get_status(&world, URL), 503);
    ASSERT_INT_LE(world.requests, 1200 + 10);
    ASSERT_INT_GE(world.requests, 1200);
    end(&world);
}

static int call_and_wait(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < 20; i++) {
        get_status(world, URL);
        weft_sleep(WEFT_MS(500));
    }
    return 0;
}

/* 50 tasks for 10 s, the default floor. */
VIRTUAL_TEST(budget_is_shared_by_all_tasks)
{
    struct world world;
    weft_group group;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 10)));
    world.status = 500;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 50; i++)
        ASSERT_OK(weft_group_spawn(&group, call_and_wait, &world));
    int64_t start = weft_now();
    ASSERT_OK(weft_group_wait(&group));
    int64_t windows = (weft_now() - start) / WEFT_SEC(10) + 1;
    ASSERT_INT_LE(world.requests, 1000 * 12 / 10 + 100 * windows);
    end(&world);
}

VIRTUAL_TEST(budget_refills_and_is_each_origins_own)
{
    struct world world;
    const weft_retry_policy policy = {.wait = {WEFT_WAIT_NONE}, .budget_floor = 2};
    begin(&world, WEFT_CLIENT(.retry = &policy));
    world.status = 503;
    ASSERT_INT_EQ(get_status(&world, URL), 503);
    ASSERT_INT_EQ(world.requests, 3);
    ASSERT_INT_EQ(get_status(&world, URL), 503);
    ASSERT_INT_EQ(world.requests, 4);
    ASSERT_INT_EQ(get_status(&world, "http://example.com/"), 503);
    ASSERT_INT_EQ(world.requests, 7);
    ASSERT_INT_EQ(get_status(&world, "http://example.org:81/"), 503);
    ASSERT_INT_EQ(world.requests, 10);
    weft_sleep(WEFT_SEC(10));
    ASSERT_INT_EQ(get_status(&world, URL), 503);
    ASSERT_INT_EQ(world.requests, 13);
    end(&world);
}

VIRTUAL_TEST(budget_used_up_is_said)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.budget_floor = -1)));
    world.failing_dials = 5;
    ASSERT_ERR(get_status(&world, URL), WEFT_EREFUSED);
    ASSERT_INT_EQ(world.dials, 1);
    ASSERT_STR_EQ(weft_error_message(),
                  "GET http://example.org/x: the budget of retries is used up: refused");
    end(&world);
}

VIRTUAL_TEST(health_of_many_origins_is_bounded)
{
    struct world world;
    char url[64];
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 2)));
    for (int i = 0; i < WEFT__LIMIT_CLIENT_ORIGINS + 50; i++) {
        snprintf(url, sizeof url, "http://host-%d.example/", i);
        ASSERT_INT_EQ(get_status(&world, url), 200);
    }
    ASSERT_INT_EQ(world.client->n_health, WEFT__LIMIT_CLIENT_ORIGINS);
    end(&world);
}

/* ---- the pause ---- */

static int get_ok(void *arg)
{
    ASSERT_INT_EQ(get_status(arg, URL), 200);
    return 0;
}

static void hundred_tasks(struct world *world)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 100; i++)
        ASSERT_OK(weft_group_spawn(&group, get_ok, world));
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(hundred_tasks_that_meet_one_429_cause_no_second)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 2), .max_connections = 1));
    world.limit = true;
    world.takes = WEFT_MS(5);
    int64_t start = weft_now();
    hundred_tasks(&world);
    ASSERT_INT_EQ(world.refused, 1);
    ASSERT_INT_EQ(world.requests, 101);
    ASSERT_INT_GE(weft_now() - start, WEFT_SEC(2));
    end(&world);
}

/* Those that come later: ten at a time, the first alone. */
static int come_later(void *arg)
{
    int err = weft_sleep(WEFT_MS(100));
    return err < 0 ? err : get_ok(arg);
}

VIRTUAL_TEST(calls_that_begin_during_a_pause_wait_for_its_end)
{
    struct world world;
    weft_group group;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 2)));
    world.limit = true;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, get_ok, &world));
    for (int i = 0; i < 99; i++)
        ASSERT_OK(weft_group_spawn(&group, come_later, &world));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(world.refused, 1);
    ASSERT_INT_EQ(world.requests, 101);
    end(&world);
}

VIRTUAL_TEST(pause_longer_than_a_calls_time_fails_at_once)
{
    struct world world;
    weft_response *response;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 1)));
    world.limit = true;
    ASSERT_INT_EQ(get_status(&world, URL), 429);
    int64_t start = weft_now();
    ASSERT_ERR(weft_client_get(world.client, URL, WEFT_REQUEST(.timeout = WEFT_SEC(1)), &response),
               WEFT_ETOTAL_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "example.org wants no requests for another 2 s");
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_INT_EQ(world.requests, 1);
    end(&world);
}

VIRTUAL_TEST(pause_is_each_origins_own)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 1)));
    world.limit = true;
    ASSERT_INT_EQ(get_status(&world, URL), 429);
    world.limit = false;
    int64_t start = weft_now();
    ASSERT_INT_EQ(get_status(&world, "http://example.com/"), 200);
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_GE(weft_now() - start, WEFT_SEC(2));
    end(&world);
}

/* ---- the circuit breaker ---- */

static const weft_retry_policy broken = {
    .attempts = 1, .breaker_percent = 50, .breaker_calls = 4, .breaker_open = WEFT_SEC(5)};

VIRTUAL_TEST(breaker_opens_probes_and_closes)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = &broken));
    world.status = 503;
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(get_status(&world, URL), 503);
    ASSERT_ERR(get_status(&world, URL), WEFT_ECIRCUIT_OPEN);
    ASSERT_STR_HAS(weft_error_message(), "GET http://example.org/x: too many requests to");
    ASSERT_INT_EQ(world.requests, 4);
    weft_sleep(WEFT_SEC(5));
    ASSERT_INT_EQ(get_status(&world, URL), 503); /* the probe fails */
    ASSERT_ERR(get_status(&world, URL), WEFT_ECIRCUIT_OPEN);
    world.status = 200;
    weft_sleep(WEFT_SEC(5));
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    world.status = 503;
    ASSERT_INT_EQ(get_status(&world, URL), 503); /* it counts anew */
    ASSERT_INT_EQ(get_status(&world, URL), 503);
    end(&world);
}

static int get_any(void *arg)
{
    return get_status(arg, URL);
}

VIRTUAL_TEST(breaker_lets_one_probe_through)
{
    struct world world;
    weft_call calls[10];
    begin(&world, WEFT_CLIENT(.retry = &broken));
    world.failing_dials = 4;
    for (int i = 0; i < 4; i++)
        ASSERT_ERR(get_status(&world, URL), WEFT_EREFUSED);
    weft_sleep(WEFT_SEC(5));
    world.takes = WEFT_MS(10);
    for (int i = 0; i < 10; i++)
        calls[i] = (weft_call){get_any, &world, 0};
    ASSERT_OK(weft_gather(calls, 10, WEFT_GATHER(.collect = true)));
    ASSERT_INT_EQ(world.requests, 1);
    ASSERT_INT_EQ(calls[0].result, 200);
    for (int i = 1; i < 10; i++)
        ASSERT_INT_EQ(calls[i].result, WEFT_ECIRCUIT_OPEN);
    end(&world);
}

VIRTUAL_TEST(breaker_stays_closed_below_its_share)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = &broken));
    for (int i = 0; i < 30; i++) {
        world.status = i % 3 == 2 ? 500 : 200;
        ASSERT_INT_EQ(get_status(&world, URL), world.status);
    }
    end(&world);
}

VIRTUAL_TEST(breaker_forgets_a_probe_that_was_cancelled)
{
    struct world world;
    weft_response *response;
    begin(&world, WEFT_CLIENT(.retry = &broken));
    world.failing_dials = 4;
    for (int i = 0; i < 4; i++)
        ASSERT_ERR(get_status(&world, URL), WEFT_EREFUSED);
    weft_sleep(WEFT_SEC(5));
    world.first_takes = WEFT_SEC(4);
    ASSERT_ERR(weft_client_get(world.client, URL, WEFT_REQUEST(.timeout = WEFT_SEC(1)), &response),
               WEFT_ETOTAL_TIMEOUT);
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    end(&world);
}

/* ---- hedging ---- */

static const weft_retry_policy hedged = {.hedge_after = WEFT_SEC(1)};

VIRTUAL_TEST(hedge_answers_for_a_slow_request)
{
    struct world world;
    weft_pool_stats stats;
    begin(&world, WEFT_CLIENT(.retry = &hedged));
    world.first_takes = WEFT_SEC(4);
    int64_t start = weft_now();
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    ASSERT_INT_EQ(world.requests, 2);
    weft_client_pool_stats(world.client, &stats);
    /* The loser's connection is gone, or its stream. */
    ASSERT_INT_EQ(stats.size, 1 + test_is_over_h2());
    ASSERT_INT_EQ(stats.idle, 1 + test_is_over_h2());
    end(&world);
}

VIRTUAL_TEST(hedge_is_not_sent_beside_a_fast_request)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = &hedged));
    world.takes = WEFT_MS(900);
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    weft_sleep(WEFT_SEC(5));
    ASSERT_INT_EQ(world.requests, 1);
    end(&world);
}

VIRTUAL_TEST(hedge_first_request_can_still_win)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = &hedged));
    world.first_takes = WEFT_MS(1500);
    world.takes = WEFT_SEC(3);
    int64_t start = weft_now();
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(weft_now() - start, WEFT_MS(1500));
    end(&world);
}

VIRTUAL_TEST(hedge_is_for_idempotent_requests_only)
{
    struct world world;
    weft_response *response;
    begin(&world, WEFT_CLIENT(.retry = &hedged));
    world.first_takes = WEFT_SEC(4);
    ASSERT_OK(weft_client_post(world.client, URL, NULL, &response));
    weft_response_free(response);
    ASSERT_INT_EQ(world.requests, 1);
    world.requests = 0;
    ASSERT_OK(weft_client_post(world.client, URL,
                               WEFT_REQUEST(.idempotency_key = WEFT_IDEMPOTENCY_AUTO), &response));
    weft_response_free(response);
    ASSERT_INT_EQ(world.requests, 2);
    end(&world);
}

VIRTUAL_TEST(hedge_is_charged_to_the_budget)
{
    struct world world;
    weft_retry_policy policy = hedged;
    policy.budget_floor = 1;
    begin(&world, WEFT_CLIENT(.retry = &policy));
    world.takes = WEFT_SEC(2);
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(world.requests, 3);
    end(&world);
}

VIRTUAL_TEST(hedge_failure_of_the_first_is_retried_at_once)
{
    struct world world;
    weft_retry_policy policy = hedged;
    policy.wait.kind = WEFT_WAIT_NONE;
    begin(&world, WEFT_CLIENT(.retry = &policy));
    world.failing_dials = 1;
    int64_t start = weft_now();
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_INT_EQ(world.dials, 2);
    world.failing_dials = 9;
    weft_client_free(world.client);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.retry = &policy), &world.client));
    gate_dial(world.client, dial, &world);
    ASSERT_ERR(get_status(&world, URL), WEFT_EREFUSED);
    ASSERT_STR_EQ(weft_error_message(), "GET http://example.org/x: after 3 attempts: refused");
    end(&world);
}

VIRTUAL_TEST(hedged_call_is_cancelled_anywhere)
{
    struct world world;
    uint64_t count = 30;
    for (uint64_t k = 1; k < count; k++) {
        weft_scope scope;
        weft_response *response;
        begin(&world, WEFT_CLIENT(.retry = &hedged));
        world.first_takes = WEFT_SEC(4);
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, k);
        int err = weft_client_get(world.client, URL, NULL, &response);
        weft_testing_cancel_at(NULL, 0);
        ASSERT(err == 0 || err == -ECANCELED);
        if (err == 0)
            weft_response_free(response);
        ASSERT_OK(weft_scope_exit(&scope, err));
        end(&world);
    }
}

VIRTUAL_TEST(hedged_call_survives_every_failed_allocation)
{
    struct world world;
    for (uint64_t k = 1; k < 120; k++) {
        weft_response *response;
        begin(&world, WEFT_CLIENT(.retry = &hedged));
        world.takes = WEFT_SEC(2);
        weft_testing_fail_alloc(k, false);
        int err = weft_client_get(world.client, URL, NULL, &response);
        weft_testing_fail_alloc(0, false);
        if (err == 0)
            weft_response_free(response);
        end(&world);
    }
}

/* ---- connections, attempts ---- */

VIRTUAL_TEST(retry_after_a_broken_connection_is_on_a_new_one)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE})));
    weft_call calls[2] = {{get_ok, &world, 0}, {get_ok, &world, 0}};
    world.takes = WEFT_MS(1);
    ASSERT_OK(weft_gather(calls, 2, NULL)); /* two idle connections */
    ASSERT_INT_EQ(world.dials, 2);
    world.cut = 1;
    ASSERT_INT_EQ(get_status(&world, URL), 200);
    ASSERT_INT_EQ(world.dials, 3);
    end(&world);
}

VIRTUAL_TEST(retry_attempt_timeout_bounds_each_request)
{
    struct world world;
    weft_retry_stats stats;
    weft_response *response;
    const weft_retry_policy policy = {.wait = {WEFT_WAIT_NONE}, .attempt_timeout = WEFT_SEC(1)};
    begin(&world, WEFT_CLIENT(.retry = &policy));
    world.takes = WEFT_SEC(3);
    int64_t start = weft_now();
    ASSERT_ERR(weft_client_get(world.client, URL, WEFT_REQUEST(.stats = &stats), &response),
               -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(3));
    ASSERT_INT_EQ(stats.attempts, 3);
    ASSERT_INT_EQ(stats.history[1].result, -ETIMEDOUT);
    ASSERT_INT_EQ(stats.history[1].began, WEFT_SEC(1));
    ASSERT_INT_EQ(stats.history[1].took, WEFT_SEC(1));
    end(&world);
}

VIRTUAL_TEST(stats_without_a_policy_are_of_one_attempt)
{
    struct world world;
    weft_retry_stats stats;
    weft_retry_entry entry;
    weft_response *response;
    begin(&world, NULL);
    world.status = 503;
    ASSERT_OK(weft_client_get(world.client, URL, WEFT_REQUEST(.stats = &stats), &response));
    ASSERT_INT_EQ(stats.attempts, 1);
    ASSERT_INT_EQ(stats.history[0].status, 503);
    ASSERT_OK(weft_response_attempt(response, 0, &entry));
    ASSERT_INT_EQ(entry.status, 503);
    ASSERT_INT_EQ(entry.number, 1);
    ASSERT_ERR(weft_response_attempt(response, 1, &entry), -ENOENT);
    ASSERT_INT_EQ(weft_response_retry_after(response), -1);
    weft_response_free(response);
    ASSERT_INT_EQ(world.client->n_health, 0);
    end(&world);
}

static int redirect(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    weft_reply_set_header(reply, "Location", "http://example.net/x");
    return weft_reply_text(reply, 302, "");
}

/* The origin that a redirect leads to has a budget of its own. */
VIRTUAL_TEST(budget_holds_behind_a_redirect)
{
    struct world world;
    const weft_retry_policy policy = {.attempts = 9, .wait = {WEFT_WAIT_NONE}, .budget_floor = 2};
    begin(&world, WEFT_CLIENT(.retry = &policy, .follow_redirects = WEFT_ON));
    ASSERT_OK(weft_server_route(world.server, NULL, "/elsewhere", redirect, NULL));
    world.status = 503;
    ASSERT_INT_EQ(get_status(&world, "http://example.org/elsewhere"), 503);
    ASSERT_INT_EQ(world.requests, 3);
    end(&world);
}

VIRTUAL_TEST(testing_mode_takes_pauses_out)
{
    struct world world;
    begin(&world, WEFT_CLIENT(.retry = WEFT_RETRY(.attempts = 5)));
    weft_testing_retry_attempts(2);
    world.limit = true;
    int64_t start = weft_now();
    ASSERT_INT_EQ(get_status(&world, URL), 429);
    ASSERT_INT_EQ(get_status(&world, URL), 429);
    weft_testing_retry_attempts(0);
    ASSERT_INT_EQ(world.requests, 4);
    ASSERT_INT_EQ(weft_now(), start);
    end(&world);
}

VIRTUAL_TEST(stats_of_a_call_that_never_began_are_empty)
{
    struct world world;
    weft_response *response;
    weft_retry_stats stats = {.attempts = 7, .history_len = 9};
    begin(&world, NULL);
    ASSERT_ERR(weft_client_get(world.client, "ftp://x/", WEFT_REQUEST(.stats = &stats), &response),
               WEFT_EUNSUPPORTED_PROTOCOL);
    ASSERT_INT_EQ(stats.attempts, 0);
    ASSERT_INT_EQ(stats.history_len, 0);
    end(&world);
}

VIRTUAL_TEST(retried_call_with_a_key_survives_every_failed_allocation)
{
    struct world world;
    const weft_retry_policy policy = {.wait = {WEFT_WAIT_NONE}, .breaker_percent = 90};
    bool succeeded = false;
    for (uint64_t k = 1; k < 150; k++) {
        weft_retry_stats stats;
        weft_response *response;
        begin(&world, WEFT_CLIENT(.retry = &policy));
        world.cut = 1;
        weft_testing_fail_alloc(k, false);
        int err = weft_client_post(
            world.client, URL,
            WEFT_REQUEST(.idempotency_key = WEFT_IDEMPOTENCY_AUTO, .stats = &stats), &response);
        weft_testing_fail_alloc(0, false);
        ASSERT_INT_LE(stats.attempts, 3);
        if (err == 0) {
            succeeded = true;
            weft_response_free(response);
        }
        end(&world);
    }
    ASSERT(succeeded);
}

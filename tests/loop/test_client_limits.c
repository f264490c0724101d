/* A client with a limits object: permits, what the server says, and that nothing is lost. */
#include <stdio.h>

#include <weft.h>
#include <weft/testing.h>

#include "test.h"

enum { CALLS = 24 };

struct world {
    weft_server *server;
    weft_limits *limits;
    weft_client *client;
    int now;
    int highest;
    int refusals; /* answers that will be 429 */
    int refused;
};

static int answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct world *world = arg;
    (void)request;
    if (++world->now > world->highest)
        world->highest = world->now;
    int err = weft_sleep(WEFT_MS(2));
    world->now--;
    if (err < 0)
        return err;
    if (world->refusals > 0) {
        world->refusals--;
        world->refused++;
        weft_reply_set_header(reply, "Retry-After", "1");
        return weft_reply_text(reply, 429, "later\n");
    }
    return weft_reply_text(reply, 200, "hello\n");
}

static int serve(void *arg)
{
    return weft_server_serve(arg);
}

static void begin(struct world *world, weft_group *group, const weft_limits_options *options)
{
    char base[64];
    ASSERT_OK(weft_server_new(NULL, &world->server));
    ASSERT_OK(weft_server_route(world->server, "GET", "/", answer, world));
    ASSERT_OK(weft_server_listen(world->server));
    ASSERT_OK(weft_group_init(group, NULL));
    ASSERT_OK(weft_group_spawn(group, serve, world->server));
    snprintf(base, sizeof base, "http://127.0.0.1:%u", weft_server_port(world->server));
    ASSERT_OK(weft_limits_new(options, &world->limits));
    ASSERT_OK(
        weft_client_new(WEFT_CLIENT(.base_url = base, .limits = world->limits), &world->client));
}

static void end(struct world *world, weft_group *group)
{
    weft_limit_state state;
    weft_limits_get_state(world->limits, &state);
    ASSERT_INT_EQ(state.waiting, 0);
    weft_client_free(world->client);
    weft_limits_free(world->limits);
    weft_server_stop(world->server, 0);
    ASSERT_OK(weft_group_wait(group));
    weft_server_free(world->server);
}

static int get(void *arg)
{
    struct world *world = *(struct world **)arg;
    weft_response *response;
    int err = weft_client_get(world->client, "/", NULL, &response);
    if (err < 0)
        return err;
    int status = weft_response_status(response);
    weft_response_free(response);
    return status;
}

static int get_some(struct world *world, size_t n, int results[CALLS])
{
    struct world *items[CALLS];
    for (size_t i = 0; i < n; i++)
        items[i] = world;
    return weft_map(get, items, n, sizeof items[0], WEFT_MAP(.results = results, .collect = true));
}

static int get_all(struct world *world, int results[CALLS])
{
    return get_some(world, CALLS, results);
}

TASK_TEST(client_limits_bound_the_requests_in_flight)
{
    struct world world = {0};
    weft_group group;
    int results[CALLS];
    begin(&world, &group, WEFT_LIMITS(.concurrency = 3));
    ASSERT_OK(get_all(&world, results));
    for (int i = 0; i < CALLS; i++)
        ASSERT_INT_EQ(results[i], 200);
    ASSERT_INT_EQ(world.highest, 3);
    end(&world, &group);
}

/* A streamed body keeps its permit until it is read, or given up. */
TASK_TEST(client_limits_permit_ends_with_the_response)
{
    struct world world = {0};
    weft_group group;
    weft_response *response;
    char data[64];
    weft_limit_state state;
    begin(&world, &group, WEFT_LIMITS(.concurrency = 1));
    ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &response));
    weft_limits_get_state(world.limits, &state);
    ASSERT_INT_EQ(state.in_use, 1);
    ASSERT_INT_EQ(weft_response_read(response, data, sizeof data), 6);
    ASSERT_INT_EQ(weft_response_read(response, data, sizeof data), 0);
    weft_limits_get_state(world.limits, &state);
    ASSERT_INT_EQ(state.in_use, 0);
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &response));
    weft_response_free(response);
    weft_limits_get_state(world.limits, &state);
    ASSERT_INT_EQ(state.in_use, 0);
    end(&world, &group);
}

/* One refusal holds back every other call to the host, and the rate it lets guess is kept. */
TASK_TEST(client_limits_one_refusal_slows_all_tasks)
{
    struct world world = {.refusals = 1};
    weft_group group;
    int results[CALLS];
    int n_refused = 0;
    enum { FEW = 3 };
    begin(&world, &group, WEFT_LIMITS(.concurrency = 1));
    int64_t start = weft_now();
    ASSERT_OK(get_some(&world, FEW, results));
    for (int i = 0; i < FEW; i++)
        n_refused += results[i] == 429;
    ASSERT_INT_EQ(n_refused, 1);
    ASSERT_INT_EQ(world.refused, 1);
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(900));
    end(&world, &group);
}

TASK_TEST(client_limits_lose_no_permit_when_calls_are_cancelled)
{
    struct world world = {0};
    weft_group group;
    weft_limit_state state;
    int results[CALLS];
    begin(&world, &group, WEFT_LIMITS(.concurrency = 4));
    for (uint64_t at = 1; at <= 40; at++) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, at);
        int err = get_all(&world, results);
        weft_testing_cancel_at(NULL, 0);
        weft_scope_exit(&scope, err);
        weft_limits_get_state(world.limits, &state);
        ASSERT_INT_EQ(state.in_use, 0);
        ASSERT_INT_EQ(state.waiting, 0);
    }
    ASSERT_OK(get_all(&world, results));
    ASSERT_INT_EQ(results[CALLS - 1], 200);
    end(&world, &group);
}

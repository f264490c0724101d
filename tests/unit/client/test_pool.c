/*
 * The pool on the virtual clock: who gets a connection when, and that every slot comes back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

#include "fake.h"
#include "test.h"

struct get {
    weft_client *client;
    const char *url;
    int64_t before; /* wait so long first */
    int result;
};

static int get_one(void *arg)
{
    struct get *get = arg;
    weft_response *response;
    if (get->before > 0) {
        int err = weft_sleep(get->before);
        if (err < 0)
            return err;
    }
    get->result = weft_client_get(get->client, get->url, NULL, &response);
    if (get->result == 0)
        weft_response_free(response);
    return get->result;
}

static void ok_get(weft_client *client, const char *url)
{
    weft_response *response;
    ASSERT_OK(weft_client_get(client, url, NULL, &response));
    weft_response_free(response);
}

static weft_pool_stats stats_of(weft_client *client)
{
    weft_pool_stats stats;
    weft_client_pool_stats(client, &stats);
    return stats;
}

static weft_client *new_client(struct fake *fake, const weft_client_options *options)
{
    weft_client *client;
    fake_start(fake);
    ASSERT_OK(weft_client_new(options, &client));
    fake_serve(fake, client);
    return client;
}

static void end(struct fake *fake, weft_client *client)
{
    weft_client_free(client);
    fake_stop(fake);
}

VIRTUAL_TEST(cancelled_requests_give_their_slots_back)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 5));
    for (int round = 0; round < 300; round++) {
        struct get gets[10];
        weft_group group;
        fake.dial_takes = round % 3 == 0 ? WEFT_MS(7) : 0;
        ASSERT_OK(weft_group_init(&group, NULL));
        for (int i = 0; i < 10; i++) {
            gets[i] = (struct get){client, "http://a/delay/20", WEFT_US(100 * i), 0};
            ASSERT_OK(weft_group_spawn(&group, get_one, &gets[i]));
        }
        weft_sleep(WEFT_US(170 * round));
        weft_group_cancel(&group, "enough");
        ASSERT_OK(weft_group_wait(&group));
        weft_pool_stats stats = stats_of(client);
        ASSERT_INT_EQ(stats.active, 0);
        ASSERT_INT_EQ(stats.waiting, 0);
        ASSERT_INT_LE(stats.size, 5);
    }
    fake.dial_takes = 0;
    ok_get(client, "http://a/x");
    end(&fake, client);
}

struct worker {
    weft_client *client;
    int rounds;
    unsigned seed;
};

static int work_with_pauses(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < worker->rounds; i++) {
        ok_get(worker->client, "http://a/delay/2");
        worker->seed = worker->seed * 1103515245u + 12345;
        weft_sleep(WEFT_US(worker->seed / 65536 % 10000));
    }
    return 0;
}

VIRTUAL_TEST(workers_that_pause_keep_their_connections)
{
    struct fake fake;
    struct worker workers[60];
    weft_client *client = new_client(&fake, NULL);
    for (int i = 0; i < 60; i++)
        workers[i] = (struct worker){client, 20, (unsigned)i};
    ASSERT_OK(weft_map(work_with_pauses, workers, 60, sizeof workers[0], NULL));
    ASSERT_INT_EQ(fake.requests, 1200);
    ASSERT_INT_LE(fake.opened, 60);
    /* What is more than max_idle goes soon, the rest after idle_timeout. */
    weft_sleep(WEFT_MS(200));
    ASSERT_INT_EQ(stats_of(client).idle, 20);
    weft_sleep(WEFT_SEC(6));
    ASSERT_INT_EQ(stats_of(client).size, 0);
    ASSERT_INT_EQ(fake.open, 0);
    end(&fake, client);
}

VIRTUAL_TEST(three_hundred_slow_requests_succeed_on_defaults)
{
    struct fake fake;
    static struct get gets[300];
    weft_client *client = new_client(&fake, NULL);
    int64_t begin = weft_now();
    for (int i = 0; i < 300; i++)
        gets[i] = (struct get){client, "http://a/delay/3000", 0, 0};
    ASSERT_OK(weft_map(get_one, gets, 300, sizeof gets[0], NULL));
    ASSERT_INT_EQ(fake.most, 100);
    ASSERT_INT_EQ(fake.opened, 100);
    ASSERT_INT_EQ(weft_now() - begin, WEFT_SEC(9));
    end(&fake, client);
}

VIRTUAL_TEST(waiting_calls_are_served_in_order)
{
    struct fake fake;
    struct get gets[8];
    char urls[8][32];
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 1));
    for (int i = 0; i < 8; i++) {
        snprintf(urls[i], sizeof urls[i], "http://%s/%c", i % 3 == 0 ? "a" : "b", 'a' + i);
        gets[i] = (struct get){client, urls[i], 0, 0};
    }
    ASSERT_OK(weft_map(get_one, gets, 8, sizeof gets[0], NULL));
    ASSERT_STR_EQ(fake.order, "abcdefgh");
    ASSERT_INT_EQ(fake.most, 1);
    end(&fake, client);
}

VIRTUAL_TEST(cancelled_waiter_does_not_take_the_slot_with_it)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 1));
    struct get first = {client, "http://a/delay/10", 0, 0};
    struct get second = {client, "http://a/x", 0, 0};
    struct get third = {client, "http://a/y", 0, 0};
    weft_group all;
    weft_group one;
    ASSERT_OK(weft_group_init(&all, NULL));
    ASSERT_OK(weft_group_spawn(&all, get_one, &first));
    ASSERT_OK(weft_group_init(&one, NULL));
    ASSERT_OK(weft_group_spawn(&one, get_one, &second));
    weft_group_cancel(&one, "no longer wanted");
    ASSERT_OK(weft_group_wait(&one));
    ASSERT_OK(weft_group_spawn(&all, get_one, &third));
    ASSERT_OK(weft_group_wait(&all));
    ASSERT_INT_EQ(second.result, -ECANCELED);
    ASSERT_STR_EQ(fake.order, "0y");
    ASSERT_INT_EQ(fake.opened, 1);
    end(&fake, client);
}

VIRTUAL_TEST(oldest_idle_connection_makes_room_for_another_origin)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 2));
    ok_get(client, "http://a/1");
    weft_sleep(WEFT_MS(1));
    ok_get(client, "http://b/1");
    ok_get(client, "http://c/1");
    ASSERT_INT_EQ(fake.opened, 3);
    ok_get(client, "http://b/2");
    ASSERT_INT_EQ(fake.opened, 3);
    ok_get(client, "http://a/2");
    ASSERT_INT_EQ(fake.opened, 4);
    ASSERT_INT_EQ(fake.most, 2);
    end(&fake, client);
}

VIRTUAL_TEST(idle_connections_are_closed_by_a_timer)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.idle_timeout = WEFT_SEC(2)));
    ok_get(client, "http://a/1");
    weft_sleep(WEFT_SEC(1));
    ok_get(client, "http://b/1");
    weft_sleep(WEFT_MS(1500));
    ASSERT_INT_EQ(fake.open, 1);
    ASSERT_INT_EQ(stats_of(client).idle, 1);
    weft_sleep(WEFT_SEC(1));
    ASSERT_INT_EQ(fake.open, 0);
    ASSERT_INT_EQ(stats_of(client).size, 0);
    end(&fake, client);
}

VIRTUAL_TEST(reused_connection_is_the_newest_one)
{
    struct fake fake;
    struct get gets[3];
    weft_client *client = new_client(&fake, WEFT_CLIENT(.idle_timeout = WEFT_SEC(2)));
    for (int i = 0; i < 3; i++)
        gets[i] = (struct get){client, "http://a/delay/5", WEFT_MS(i), 0};
    ASSERT_OK(weft_map(get_one, gets, 3, sizeof gets[0], NULL));
    for (int i = 0; i < 30; i++) {
        weft_sleep(WEFT_MS(100));
        ok_get(client, "http://a/x");
    }
    /* The two that were not needed are gone. */
    ASSERT_INT_EQ(fake.open, 1);
    ASSERT_INT_EQ(fake.opened, 3);
    end(&fake, client);
}

VIRTUAL_TEST(connection_is_used_for_its_lifetime_alone)
{
    struct fake fake;
    weft_client *client = new_client(
        &fake, WEFT_CLIENT(.connection_lifetime = WEFT_SEC(2), .idle_timeout = WEFT_SEC(100)));
    for (int i = 0; i < 4; i++) {
        ok_get(client, "http://a/delay/600");
        ASSERT_INT_EQ(fake.opened, 1);
    }
    /* The last call has lasted beyond it: not kept. */
    ASSERT_INT_EQ(stats_of(client).size, 0);
    ok_get(client, "http://a/x");
    ASSERT_INT_EQ(fake.opened, 2);
    ASSERT_INT_EQ(stats_of(client).idle, 1);
    weft_sleep(WEFT_MS(1900));
    ASSERT_INT_EQ(fake.open, 1);
    ok_get(client, "http://a/x");
    weft_sleep(WEFT_MS(200));
    ASSERT_INT_EQ(fake.open, 0);
    ASSERT_INT_EQ(stats_of(client).size, 0);
    ASSERT_INT_EQ(fake.opened, 2);
    end(&fake, client);
    weft_client *none;
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.connection_lifetime = -1), &none), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "connection_lifetime is negative");
}

VIRTUAL_TEST(connection_that_is_too_old_leaves_its_slot_to_who_waits)
{
    struct fake fake;
    struct get gets[6];
    weft_client *client =
        new_client(&fake, WEFT_CLIENT(.connection_lifetime = WEFT_MS(15), .max_connections = 1));
    for (int i = 0; i < 6; i++)
        gets[i] = (struct get){client, "http://a/delay/10", 0, 0};
    ASSERT_OK(weft_map(get_one, gets, 6, sizeof gets[0], NULL));
    ASSERT_INT_EQ(fake.opened, 3);
    ASSERT_INT_EQ(fake.most, 1);
    end(&fake, client);
}

VIRTUAL_TEST(limit_of_an_origin_leaves_room_for_others)
{
    struct fake fake;
    struct get gets[9];
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 4, .max_per_origin = 2));
    int64_t begin = weft_now();
    for (int i = 0; i < 8; i++)
        gets[i] = (struct get){client, "http://a/delay/10", 0, 0};
    gets[8] = (struct get){client, "http://b/delay/10", 0, 0};
    ASSERT_OK(weft_map(get_one, gets, 9, sizeof gets[0], NULL));
    ASSERT_INT_EQ(weft_now() - begin, WEFT_MS(40));
    ASSERT_INT_EQ(fake.most, 3);
    end(&fake, client);
}

static int random_get(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < worker->rounds; i++) {
        char url[64];
        weft_scope scope;
        worker->seed = worker->seed * 1103515245u + 12345;
        unsigned random = worker->seed / 65536;
        snprintf(url, sizeof url, "http://%c/delay/%u", 'a' + (int)(random % 5), random / 8 % 20);
        struct get get = {worker->client, url, WEFT_US(random % 700), 0};
        weft_scope_enter(&scope, random % 4 == 0 ? WEFT_MS(random % 23) : WEFT_FOREVER);
        get_one(&get);
        weft_scope_exit(&scope, 0);
    }
    return 0;
}

static void survive(void)
{
    struct fake fake;
    static struct worker workers[40];
    weft_client *client =
        new_client(&fake, WEFT_CLIENT(.max_connections = 7, .max_per_origin = 3, .max_idle = 4));
    fake.per_connection = 9;
    for (int i = 0; i < 40; i++)
        workers[i] = (struct worker){client, 200, (unsigned)i * 77};
    ASSERT_OK(weft_map(random_get, workers, 40, sizeof workers[0], NULL));
    weft_pool_stats stats = stats_of(client);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.waiting, 0);
    ASSERT_INT_LE(stats.size, 7);
    ok_get(client, "http://a/x");
    end(&fake, client);
}

TEST_WITH(slots_survive_random_cancellation_under_both_limits, .limit_s = 60)
{
    static const struct test_case body = {.run = survive};
    ASSERT_OK(weft_run_with(test_call_body, (void *)&body,
                            WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = 7)));
}

VIRTUAL_TEST(waiting_for_a_connection_has_its_own_timeout)
{
    struct fake fake;
    weft_response *response;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 1));
    struct get first = {client, "http://a/delay/100", 0, 0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, get_one, &first));
    int64_t begin = weft_now();
    ASSERT_ERR(
        weft_client_get(client, "http://a/x", WEFT_REQUEST(.pool_timeout = WEFT_MS(30)), &response),
        WEFT_EPOOL_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - begin, WEFT_MS(30));
    ASSERT_STR_HAS(weft_error_message(), "GET http://a/x: timed out after 0.03 s");
    /* The total time counts there too; an outer deadline stays the outer's. */
    ASSERT_ERR(
        weft_client_get(client, "http://a/x", WEFT_REQUEST(.timeout = WEFT_MS(20)), &response),
        WEFT_ETOTAL_TIMEOUT);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(10));
    int err =
        weft_client_get(client, "http://a/x", WEFT_REQUEST(.timeout = WEFT_MS(20)), &response);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(stats_of(client).waiting, 0);
    end(&fake, client);
}

VIRTUAL_TEST(connecting_has_its_own_timeout)
{
    struct fake fake;
    weft_response *response;
    weft_client *client = new_client(&fake, NULL);
    fake.dial_takes = WEFT_SEC(10);
    int64_t begin = weft_now();
    ASSERT_ERR(weft_client_get(client, "http://a/x", NULL, &response), WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - begin, WEFT_SEC(5));
    ASSERT_STR_HAS(weft_error_message(),
                   "GET http://a/x: timed out while connecting after 5 s (a)");
    ASSERT_ERR(
        weft_client_get(client, "http://a/x", WEFT_REQUEST(.timeout = WEFT_SEC(1)), &response),
        WEFT_ETOTAL_TIMEOUT);
    ASSERT_INT_EQ(stats_of(client).size, 0);
    end(&fake, client);
}

VIRTUAL_TEST(failed_connection_passes_the_slot_on)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 1));
    fake.dial_fails = true;
    fake.dial_takes = WEFT_MS(1);
    struct get gets[4];
    int results[4];
    for (int i = 0; i < 4; i++)
        gets[i] = (struct get){client, "http://a/x", 0, 0};
    weft_map(get_one, gets, 4, sizeof gets[0], WEFT_MAP(.collect = true, .results = results));
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(results[i], WEFT_EREFUSED);
    ASSERT_INT_EQ(stats_of(client).size, 0);
    end(&fake, client);
}

VIRTUAL_TEST(closed_client_fails_those_who_wait_and_lets_others_finish)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 1));
    struct get first = {client, "http://a/delay/10", 0, 0};
    struct get second = {client, "http://a/x", 0, 0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn(&group, get_one, &first));
    ASSERT_OK(weft_group_spawn(&group, get_one, &second));
    weft_client_free(client);
    weft_yield();
    ASSERT_INT_EQ(second.result, WEFT_ECLIENT_CLOSED);
    weft_group_wait(&group);
    ASSERT_INT_EQ(first.result, 0);
    weft_yield();
    ASSERT_INT_EQ(fake.open, 0);
    fake_stop(&fake);
}

VIRTUAL_TEST(closed_client_closes_its_idle_connections_at_once)
{
    struct fake fake;
    weft_client *client = new_client(&fake, NULL);
    ok_get(client, "http://a/x");
    ok_get(client, "http://b/x");
    ASSERT_INT_EQ(fake.open, 2);
    weft_client_free(client);
    weft_yield();
    ASSERT_INT_EQ(fake.open, 0);
    fake_stop(&fake);
}

VIRTUAL_TEST(streamed_response_holds_its_slot_until_it_is_read_or_freed)
{
    struct fake fake;
    weft_response *response;
    char byte;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 1));
    ASSERT_OK(weft_client_stream(client, "GET", "http://a/abc", NULL, &response));
    ASSERT_INT_EQ(stats_of(client).active, 1);
    ASSERT(weft_response_text(response, NULL) == NULL);
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(weft_response_read(response, &byte, 1), 1);
    ASSERT_INT_EQ(stats_of(client).idle, 1);
    ASSERT_INT_EQ(weft_response_read(response, &byte, 1), 0);
    weft_response_free(response);
    /* Not read, but all of it is here already: the connection is kept. */
    ASSERT_OK(weft_client_stream(client, "GET", "http://a/abc", NULL, &response));
    weft_response_free(response);
    ASSERT_INT_EQ(stats_of(client).idle, 1);
    ASSERT_INT_EQ(fake.opened, 1);
    /* A response outlives its client. */
    ASSERT_OK(weft_client_stream(client, "GET", "http://a/abc", NULL, &response));
    weft_client_free(client);
    ASSERT_OK(weft_response_read_all(response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "/abc");
    weft_response_free(response);
    fake_stop(&fake);
}

VIRTUAL_TEST(server_that_closes_after_some_requests_is_no_error)
{
    struct fake fake;
    weft_client *client = new_client(&fake, NULL);
    fake.per_connection = 10;
    for (int i = 0; i < 100; i++)
        ok_get(client, "http://a/x");
    ASSERT_INT_EQ(fake.opened, 10);
    end(&fake, client);
}

VIRTUAL_TEST(ten_thousand_calls_wait_their_turn)
{
    struct fake fake;
    weft_client *client = new_client(&fake, WEFT_CLIENT(.max_connections = 10));
    struct get *gets = calloc(10000, sizeof *gets);
    for (int i = 0; i < 10000; i++)
        gets[i] = (struct get){client, "http://a/delay/1", 0, 0};
    ASSERT_OK(weft_map(get_one, gets, 10000, sizeof gets[0], NULL));
    ASSERT_INT_EQ(fake.opened, 10);
    free(gets);
    end(&fake, client);
}

/* test_http2_pool.c - HTTP/2 connections as places of the pool: when they end, and for whom. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "client/h2_int.h"
#include "fault.h"
#include "h2_world.h"
#include "proto/h2_int.h"

static weft_pool_connection only_connection(weft_client *client)
{
    weft_pool_connection *list;
    size_t n;
    ASSERT_OK(weft_client_pool_list(client, &list, &n));
    ASSERT_INT_EQ(n, 1);
    weft_pool_connection one = list[0];
    one.origin = NULL;
    weft_free(list);
    return one;
}

static struct weft__h2_conn *newest(const struct world *world)
{
    struct weft__pool *pool;
    ASSERT_OK(weft__client_pool(world->client, &pool));
    return WEFT__CONTAINER(pool->shared.prev, struct weft__h2_conn, of_pool);
}

static void in_background(weft_group *group, struct job *job)
{
    ASSERT_OK(weft_group_spawn(group, run_job, job));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
}

/* ---- age ---- */

VIRTUAL_TEST(h2_connection_of_a_certain_age_takes_no_more_streams)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(4), .body = 9}, {.takes = WEFT_SEC(1)}};
    WORLD(acts, .connection_lifetime = WEFT_SEC(3));
    struct job slow = {.client = world.client};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &slow);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT(!only_connection(world.client).leaving);
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    weft_pool_connection one = only_connection(world.client);
    ASSERT(one.leaving);
    ASSERT_INT_EQ(one.streams, 1);
    ASSERT_INT_GE(one.age, WEFT_SEC(3));
    /* A replacement is made, while the one goes on that has a stream yet. */
    ASSERT_INT_EQ(world.fake.goaways, 0);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.status, 200);
    ASSERT_INT_EQ(slow.len, 9);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.open, 1);
    ASSERT_INT_EQ(world.fake.goaways, 1);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

VIRTUAL_TEST(h2_connection_that_is_idle_ends_with_its_lifetime)
{
    static const struct h2_act acts[] = {{.body = 10}};
    WORLD(acts, .connection_lifetime = WEFT_SEC(3), .idle_timeout = WEFT_SEC(100));
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_OK(weft_sleep(WEFT_MS(2900)));
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.goaways, 0);
    ASSERT_OK(weft_sleep(WEFT_MS(200)));
    ASSERT_INT_EQ(world.fake.open, 0);
    ASSERT_INT_EQ(world.fake.goaways, 1);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    end(&world);
}

/* The replacement has to wait for the place of the old one. */
VIRTUAL_TEST(h2_connection_of_a_certain_age_is_replaced_within_the_limits)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(4)}, {.kind = H2_ANSWER}};
    WORLD(acts, .connection_lifetime = WEFT_SEC(3), .max_connections = 1);
    struct job slow = {.client = world.client};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &slow);
    ASSERT_OK(weft_sleep(WEFT_MS(3100)));
    int64_t began = weft_now();
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_GE(weft_now() - began, WEFT_MS(800));
    ASSERT_INT_EQ(slow.status, 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    ASSERT_OK(weft_group_wait(&group));
    end(&world);
}

/* No timer runs there between two calls. */
TEST(h2_connection_of_a_certain_age_is_not_used_in_plain_code)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    ASSERT_OK(weft_yield());
    WORLD(acts, .connection_lifetime = WEFT_MS(20), .max_per_origin = 1);
    ASSERT_INT_EQ(get(&world), 200);
    const struct timespec pause = {.tv_nsec = 30000000};
    nanosleep(&pause, NULL);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
}

/* ---- ids ---- */

VIRTUAL_TEST(h2_connection_without_ids_is_replaced_and_ends_in_peace)
{
    static const struct h2_act acts[] = {
        {.kind = H2_ANSWER}, {.takes = WEFT_SEC(2), .body = 77}, {.takes = WEFT_MS(1), .body = 1}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(nghttp2_session_set_next_stream_id(newest(&world)->h2->session, INT32_MAX), 0);
    struct job jobs[6];
    for (int i = 0; i < 6; i++)
        jobs[i] = (struct job){.client = world.client, .method = i % 2 == 0 ? "GET" : "POST"};
    ASSERT_OK(weft_map(run_job, jobs, 6, sizeof jobs[0], NULL));
    for (int i = 0; i < 6; i++)
        ASSERT_INT_EQ(jobs[i].status, 200);
    ASSERT_INT_EQ(jobs[0].len, 77);
    ASSERT_INT_GT(jobs[0].ended, jobs[5].ended);
    ASSERT_INT_EQ(world.fake.dials, 2);
    ASSERT_INT_EQ(world.fake.requests, 7);
    ASSERT_INT_EQ(world.fake.resets, 0);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.open, 1);
    ASSERT_INT_EQ(world.fake.goaways, 1);
    end(&world);
}

/* ---- faults ---- */

static int grow_old(void *arg)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(4), .body = 10}};
    struct h2_fake fake;
    weft_client *client;
    (void)arg;
    int err = weft_client_new(WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF,
                                          .connection_lifetime = WEFT_MS(6), .max_connections = 1),
                              &client);
    if (err < 0)
        return err;
    h2_fake_start(&fake, acts, 1);
    h2_fake_serve(&fake, client);
    for (int i = 0; i < 3 && err == 0; i++) {
        weft_response *response;
        err = weft_client_get(client, "/", NULL, &response);
        if (err == 0)
            weft_response_free(response);
    }
    weft_client_free(client);
    h2_fake_stop(&fake);
    return err;
}

TEST_WITH(h2_connections_that_grow_old_survive_every_fault, .limit_s = 120)
{
    FAULTS(grow_old, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

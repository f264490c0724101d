/* test_http2_pool.c - HTTP/2 connections as places of the pool: when they end, and for whom. */
#include <errno.h>
#include <stdio.h>
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

/* ---- settings of the server's ---- */

VIRTUAL_TEST(h2_request_larger_than_the_server_takes_fails_alone)
{
    enum { LIST_SIZE = 6, LEAST = 400 };
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}, {.takes = WEFT_SEC(1), .body = 9}};
    static char value[LEAST + 1];
    WORLD(acts, .http2 = true);
    memset(value, 'v', LEAST);
    ASSERT_INT_EQ(get(&world), 200);
    h2_fake_setting(&world.fake, LIST_SIZE, LEAST);
    struct job slow = {.client = world.client};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &slow);
    weft_response *response;
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(weft_client_get(world.client, "/",
                                   WEFT_REQUEST(.headers = (weft_pair[]){{"x", value}, {0}}),
                                   &response),
                   WEFT_EHEADER_TOO_LARGE);
        ASSERT_STR_HAS(weft_error_message(), "the server takes 400 at most");
    }
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.status, 200);
    ASSERT_INT_EQ(slow.len, 9);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.requests, 3);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

struct upload {
    struct world *world;
    const char *body;
    size_t len;
    int status;
};

static int send_up(void *arg)
{
    struct upload *upload = arg;
    weft_response *response;
    int err = weft_client_post(upload->world->client, "/",
                               WEFT_REQUEST(.content = upload->body, .content_len = upload->len),
                               &response);
    if (err < 0)
        return err;
    upload->status = weft_response_status(response);
    weft_response_free(response);
    return 0;
}

/* Made smaller while it is used up, a window is below nothing (RFC 9113 6.9.2). */
VIRTUAL_TEST(h2_uploads_of_several_tasks_follow_the_window_up_and_down)
{
    enum { INITIAL_WINDOW = 4, TASKS = 5, BODY = 400000 };
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    static const uint32_t windows[] = {1000, 70000, 0, 1, 200000, 100, 0, 300000};
    static char body[BODY];
    struct upload uploads[TASKS];
    weft_group group;
    WORLD(acts, .write_timeout = WEFT_SEC(100), .read_timeout = WEFT_SEC(100));
    world.fake.keeps_window = true;
    ASSERT_INT_EQ(get(&world), 200);
    h2_fake_credit(&world.fake, 0, TASKS * BODY);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < TASKS; i++) {
        uploads[i] = (struct upload){&world, body, BODY, 0};
        ASSERT_OK(weft_group_spawn(&group, send_up, &uploads[i]));
    }
    size_t each = 65535;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        ASSERT_OK(weft_sleep(WEFT_SEC(1)));
        ASSERT_INT_EQ(world.fake.uploaded, TASKS * each);
        h2_fake_setting(&world.fake, INITIAL_WINDOW, windows[i]);
        each = windows[i] > each ? windows[i] : each;
    }
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.uploaded, TASKS * 300000);
    /* One by one from here on, and no task is forgotten. */
    for (int i = 0; i < TASKS; i++) {
        ASSERT_INT_EQ(uploads[i].status, 0);
        h2_fake_credit(&world.fake, (uint32_t)(3 + 2 * i), BODY - 300000);
        ASSERT_OK(weft_sleep(WEFT_SEC(1)));
        ASSERT_INT_EQ(uploads[i].status, 200);
    }
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(world.fake.uploaded, (size_t)TASKS * BODY);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
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

/* ---- between the taking of a stream and its use ---- */

static void server_closes(struct weft__h2_conn *shared)
{
    weft__h2c_end(shared, 0);
}

static void server_leaves(struct weft__h2_conn *shared)
{
    static const char goaway[] = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    ASSERT_OK(weft__h2_receive(shared->h2, goaway, sizeof goaway, weft_now()));
}

static void server_allows_none(struct weft__h2_conn *shared)
{
    static const char settings[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0};
    ASSERT_OK(weft__h2_receive(shared->h2, settings, sizeof settings, weft_now()));
}

/* The second call has the stream of the first, and has not run since. */
static void lose_a_stream(void (*lose)(struct weft__h2_conn *shared), const char *method)
{
    static const struct h2_act acts[] = {{.body = 10, .unended = true}, {.body = 3}};
    WORLD(acts, .max_connections = 1);
    weft_response *first;
    weft_group group;
    world.fake.max_streams = 1;
    ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &first));
    struct job second = {.client = world.client, .method = method};
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &second);
    struct weft__h2_conn *shared = newest(&world);
    ASSERT_INT_EQ(shared->n_lights, 1);
    weft_response_free(first);
    ASSERT_INT_EQ(shared->n_lights, 1);
    ASSERT_INT_EQ(shared->n_pending, 1);
    lose(shared);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(second.status, 200);
    ASSERT_INT_EQ(second.len, 3);
    ASSERT_INT_EQ(world.fake.requests, 2);
    ASSERT_INT_EQ(world.fake.dials, 2);
    weft_pool_stats stats;
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.size, 1);
    ASSERT_INT_EQ(stats.idle, 1);
    end(&world);
}

VIRTUAL_TEST(h2_call_whose_connection_ends_before_it_is_sent_goes_elsewhere)
{
    lose_a_stream(server_closes, "GET");
    lose_a_stream(server_closes, "POST");
}

VIRTUAL_TEST(h2_call_whose_server_leaves_before_it_is_sent_goes_elsewhere)
{
    lose_a_stream(server_leaves, "GET");
    lose_a_stream(server_leaves, "POST");
}

VIRTUAL_TEST(h2_call_whose_stream_is_taken_away_before_it_is_sent_goes_elsewhere)
{
    lose_a_stream(server_allows_none, "GET");
    lose_a_stream(server_allows_none, "POST");
}

/* ---- idle in plain code: nobody has looked since the last call ---- */

static void let_it_rest(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

TEST(h2_idle_connection_that_the_server_has_left_is_not_used_in_plain_code)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    ASSERT_OK(weft_yield());
    WORLD(acts, .idle_timeout = WEFT_SEC(100));
    ASSERT_INT_EQ(post(&world), 200);
    h2_fake_goaway(&world.fake, 1, 0);
    let_it_rest();
    ASSERT_INT_EQ(post(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    let_it_rest();
    ASSERT_INT_EQ(post(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    ASSERT_INT_EQ(world.fake.requests, 3);
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
}

TEST(h2_idle_connection_that_the_server_has_closed_is_not_used_in_plain_code)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    ASSERT_OK(weft_yield());
    WORLD(acts, .idle_timeout = WEFT_SEC(100));
    ASSERT_INT_EQ(post(&world), 200);
    h2_fake_close(&world.fake);
    let_it_rest();
    ASSERT_INT_EQ(post(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    ASSERT_INT_EQ(world.fake.requests, 2);
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
}

/* ---- turns ---- */

enum { ORIGINS_MAX = 6 };

/* A few tasks that leave the connection of their origin no moment of rest. */
struct crowd {
    struct world *world;
    char url[32];
    int64_t until;
    int64_t last;  /* when a call has ended */
    int64_t worst; /* the longest time without that */
    int calls;
    int failed;
};

static int never_pause(void *arg)
{
    struct crowd *crowd = arg;
    while (crowd->failed == 0 && weft_now() < crowd->until) {
        struct job job = {.client = crowd->world->client, .url = crowd->url};
        run_job(&job);
        int64_t now = weft_now();
        crowd->calls++;
        crowd->failed += job.status != 200;
        crowd->worst = now - crowd->last > crowd->worst ? now - crowd->last : crowd->worst;
        crowd->last = now;
    }
    return 0;
}

static void crowd_begin(struct world *world, weft_group *group, struct crowd *crowd, int origin,
                        int64_t how_long)
{
    *crowd = (struct crowd){.world = world, .last = weft_now(), .until = weft_now() + how_long};
    snprintf(crowd->url, sizeof crowd->url, "http://%c/", 'a' + origin);
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_group_spawn(group, never_pause, crowd));
        ASSERT_OK(weft_sleep(WEFT_MS(3)));
    }
}

VIRTUAL_TEST(h2_connections_that_never_rest_make_room_for_another_origin)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(10), .body = 5}};
    struct crowd crowds[2];
    weft_group group;
    WORLD(acts, .max_connections = 2);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++)
        crowd_begin(&world, &group, &crowds[i], i, WEFT_SEC(10));
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    ASSERT_INT_EQ(world.fake.dials, 2);
    struct job other = {.client = world.client, .url = "http://c/", .pool_timeout = WEFT_SEC(3600)};
    int64_t began = weft_now();
    run_job(&other);
    ASSERT_INT_EQ(other.status, 200);
    ASSERT_INT_LE(weft_now() - began, WEFT_MS(200));
    ASSERT_INT_EQ(world.fake.dials, 3);
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < 2; i++) {
        ASSERT_INT_EQ(crowds[i].failed, 0);
        ASSERT_INT_LE(crowds[i].worst, WEFT_SEC(1));
    }
    ASSERT_INT_EQ(world.fake.dials, 4);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

/* Each has its turn, and none is so short that connecting is all that happens. */
VIRTUAL_TEST(h2_many_origins_take_turns_on_few_connections)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(50), .body = 5}};
    struct crowd crowds[ORIGINS_MAX];
    weft_group group;
    WORLD(acts, .max_connections = 2);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < ORIGINS_MAX; i++)
        crowd_begin(&world, &group, &crowds[i], i, WEFT_SEC(30));
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < ORIGINS_MAX; i++) {
        ASSERT_INT_EQ(crowds[i].failed, 0);
        /* A third of the time is its share; it waits for two turns of others. */
        ASSERT_INT_GE(crowds[i].calls, 3 * 30 * 20 / 3 / 2);
        ASSERT_INT_LE(crowds[i].worst, WEFT_SEC(4));
    }
    ASSERT_INT_LE(world.fake.dials, 2 * 30 + ORIGINS_MAX);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

VIRTUAL_TEST(h2_calls_wait_behind_those_that_their_connection_yields_to)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(2)}, {.takes = WEFT_MS(5)}};
    WORLD(acts, .max_connections = 1);
    struct job slow = {.client = world.client, .url = "http://a/"};
    struct job other = {.client = world.client, .url = "http://b/"};
    struct job behind = {.client = world.client, .url = "http://a/"};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &slow);
    in_background(&group, &other);
    ASSERT_OK(weft_sleep(WEFT_MS(1500)));
    /* The connection has had its turn: it takes no more. */
    ASSERT(only_connection(world.client).leaving);
    in_background(&group, &behind);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.status, 200);
    ASSERT_INT_EQ(other.status, 200);
    ASSERT_INT_EQ(behind.status, 200);
    ASSERT_INT_LT(slow.ended, other.ended);
    ASSERT_INT_LT(other.ended, behind.ended);
    ASSERT_INT_EQ(world.fake.dials, 3);
    end(&world);
}

VIRTUAL_TEST(h2_connection_goes_on_when_nobody_waits_for_its_place_any_more)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(4)}, {.takes = WEFT_MS(5)}};
    WORLD(acts, .max_connections = 1);
    struct job slow = {.client = world.client, .url = "http://a/"};
    struct job other = {.client = world.client, .url = "http://b/", .pool_timeout = WEFT_MS(1500)};
    struct job behind = {.client = world.client, .url = "http://a/", .after = WEFT_MS(1300)};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &slow);
    in_background(&group, &other);
    int64_t began = weft_now();
    in_background(&group, &behind);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(other.err, WEFT_EPOOL_TIMEOUT);
    ASSERT_INT_EQ(behind.status, 200);
    ASSERT_INT_LE(behind.ended - began, WEFT_MS(1600));
    ASSERT_INT_GE(behind.ended - began, WEFT_MS(1490));
    ASSERT_INT_EQ(slow.status, 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

/* Nobody gains by waiting for what has no end. */
VIRTUAL_TEST(h2_connection_with_an_endless_stream_goes_on_for_its_own_origin)
{
    static const struct h2_act acts[] = {{.body = 10, .unended = true},
                                         {.takes = WEFT_MS(100), .body = 5}};
    struct crowd crowd;
    weft_response *endless;
    weft_group group;
    WORLD(acts, .max_connections = 1);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_client_stream(world.client, "GET", "http://a/", NULL, &endless));
    crowd_begin(&world, &group, &crowd, 0, WEFT_SEC(50));
    struct job other = {.client = world.client, .url = "http://b/", .pool_timeout = WEFT_SEC(3600)};
    in_background(&group, &other);
    ASSERT_OK(weft_sleep(WEFT_SEC(45)));
    ASSERT_INT_EQ(other.status, 0);
    ASSERT_INT_EQ(crowd.failed, 0);
    ASSERT_INT_LE(crowd.worst, WEFT_MS(5200));
    /* Four attempts of 5 s each, with turns of 1, 2, 4 and 8 s before them. */
    ASSERT_INT_GE(crowd.calls, 3 * 10 * (45 - 4 * 5 - 1));
    weft_response_free(endless);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(other.status, 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    end(&world);
}

VIRTUAL_TEST(h2_close_of_a_client_ends_a_connection_that_yields)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(4)}};
    WORLD(acts, .max_connections = 1);
    struct job slow = {.client = world.client, .url = "http://a/"};
    struct job other = {.client = world.client, .url = "http://b/"};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    in_background(&group, &slow);
    in_background(&group, &other);
    ASSERT_OK(weft_sleep(WEFT_MS(1500)));
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_DRAIN));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.status, 200);
    ASSERT_INT_EQ(other.err, WEFT_ECLIENT_CLOSED);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
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

/* Cancelled or without memory wherever it is: no slot is lost, and nobody waits for ever. */
static int share_one_place(void *arg)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(200), .body = 5}};
    struct world world;
    struct crowd crowd;
    weft_group group;
    (void)arg;
    int err = weft_client_new(WEFT_CLIENT(.http1 = WEFT_OFF, .max_connections = 1), &world.client);
    if (err < 0)
        return err;
    h2_fake_start(&world.fake, acts, 1);
    h2_fake_serve(&world.fake, world.client);
    crowd =
        (struct crowd){.world = &world, .url = "http://a/", .until = weft_now() + WEFT_MS(1500)};
    err = weft_group_init(&group, NULL);
    if (err == 0) {
        for (int i = 0; i < 2 && err == 0; i++) {
            err = weft_group_spawn(&group, never_pause, &crowd);
            if (err == 0)
                err = weft_sleep(WEFT_MS(70));
        }
        struct job other = {.client = world.client, .url = "http://b/"};
        if (err == 0) {
            run_job(&other);
            err = other.err;
        }
        crowd.until = 0;
        int ended = weft_group_wait(&group);
        err = err == 0 ? ended : err;
    }
    weft_pool_stats stats;
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.waiting, 0);
    ASSERT_INT_EQ(stats.active, 0);
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
    return err;
}

TEST_WITH(h2_connections_that_yield_survive_every_fault, .limit_s = 120)
{
    FAULTS(share_one_place, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

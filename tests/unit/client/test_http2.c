/* test_http2.c - calls over HTTP/2, with a server in memory on the virtual clock. */
#include <errno.h>
#include <string.h>

#include "client/h2_int.h"
#include "fault.h"
#include "h2_world.h"
#include "test.h"

/* ---- one connection for all ---- */

VIRTUAL_TEST(h2_hundred_calls_at_once_make_one_connection)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(5), .body = 1000}};
    WORLD(acts, .http2 = true);
    world.fake.dial_takes = WEFT_MS(20);
    struct job jobs[100];
    for (int i = 0; i < 100; i++)
        jobs[i] = (struct job){.client = world.client};
    ASSERT_OK(weft_map(run_job, jobs, 100, sizeof jobs[0], NULL));
    for (int i = 0; i < 100; i++) {
        ASSERT_INT_EQ(jobs[i].status, 200);
        ASSERT_INT_EQ(jobs[i].len, 1000);
    }
    ASSERT_INT_EQ(world.fake.dials, 1);
    weft_pool_stats stats;
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.size, 1);
    ASSERT_INT_EQ(stats.idle, 1);
    end(&world);
}

VIRTUAL_TEST(h2_pool_list_shows_the_streams_of_a_connection)
{
    static const struct h2_act acts[] = {{.body = 100, .unended = true}};
    WORLD(acts, .http2 = true);
    weft_response *responses[3];
    weft_pool_connection *list;
    size_t n;
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &responses[i]));
    ASSERT_OK(weft_client_pool_list(world.client, &list, &n));
    ASSERT_INT_EQ(n, 1);
    ASSERT_INT_EQ(list[0].streams, 3);
    ASSERT_INT_EQ(list[0].requests, 3);
    ASSERT_INT_EQ(list[0].idle, -1);
    weft_free(list);
    for (int i = 0; i < 3; i++)
        weft_response_free(responses[i]);
    end(&world);
}

VIRTUAL_TEST(h2_failed_connection_fails_all_who_wait_for_it_at_once)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    WORLD(acts, .connect_timeout = WEFT_SEC(1));
    world.fake.dial_takes = WEFT_SEC(100);
    struct job jobs[5];
    int64_t began = weft_now();
    for (int i = 0; i < 5; i++)
        jobs[i] = (struct job){.client = world.client};
    ASSERT_OK(weft_map(run_job, jobs, 5, sizeof jobs[0], NULL));
    for (int i = 0; i < 5; i++)
        ASSERT_INT_EQ(jobs[i].err, WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(2));
    end(&world);
}

/* ---- streams run out ---- */

VIRTUAL_TEST(h2_streams_that_run_out_open_another_connection)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(50)}};
    WORLD(acts, .http2 = true);
    world.fake.max_streams = 2;
    ASSERT_INT_EQ(get(&world), 200);
    struct job jobs[6];
    for (int i = 0; i < 6; i++)
        jobs[i] = (struct job){.client = world.client};
    ASSERT_OK(weft_map(run_job, jobs, 6, sizeof jobs[0], NULL));
    for (int i = 0; i < 6; i++)
        ASSERT_INT_EQ(jobs[i].status, 200);
    ASSERT_INT_EQ(world.fake.dials, 3);
    ASSERT_INT_EQ(world.fake.resets, 0);
    end(&world);
}

VIRTUAL_TEST(h2_streams_that_run_out_are_waited_for_in_order_where_limits_say_so)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(50)}};
    WORLD(acts, .max_connections = 1);
    world.fake.max_streams = 1;
    ASSERT_INT_EQ(get(&world), 200);
    struct job jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct job){.client = world.client, .after = WEFT_MS(i + 1)};
    ASSERT_OK(weft_map(run_job, jobs, 4, sizeof jobs[0], NULL));
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(jobs[i].status, 200);
    for (int i = 1; i < 4; i++)
        ASSERT_INT_EQ(jobs[i].ended - jobs[i - 1].ended, WEFT_MS(50));
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

VIRTUAL_TEST(h2_wait_for_a_stream_is_a_wait_for_the_pool)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}, {.takes = WEFT_SEC(3)}};
    WORLD(acts, .max_connections = 1);
    world.fake.max_streams = 1;
    ASSERT_INT_EQ(get(&world), 200);
    struct job jobs[] = {
        {.client = world.client},
        {.client = world.client, .after = WEFT_MS(1), .pool_timeout = WEFT_SEC(1)}};
    ASSERT_OK(weft_map(run_job, jobs, 2, sizeof jobs[0], NULL));
    ASSERT_INT_EQ(jobs[0].status, 200);
    ASSERT_INT_EQ(jobs[1].err, WEFT_EPOOL_TIMEOUT);
    end(&world);
}

VIRTUAL_TEST(h2_streams_may_be_lowered_to_none_and_raised_again)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(3)}, {.kind = H2_ANSWER}};
    WORLD(acts, .max_connections = 1);
    weft_group group;
    struct job jobs[4];
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.client = world.client, .after = i > 0 ? WEFT_MS(10) : 0};
        ASSERT_OK(weft_group_spawn(&group, run_job, &jobs[i]));
    }
    ASSERT_OK(weft_sleep(WEFT_MS(5)));
    h2_fake_settings(&world.fake, 0);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.requests, 1);
    h2_fake_settings(&world.fake, 2);
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(jobs[i].status, 200);
    ASSERT_INT_LT(jobs[3].ended, jobs[0].ended);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

/* A connection that takes no streams and has none is of no use: another one may do better. */
VIRTUAL_TEST(h2_idle_connection_without_streams_is_replaced)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    WORLD(acts, .max_connections = 1);
    ASSERT_INT_EQ(get(&world), 200);
    h2_fake_settings(&world.fake, 0);
    ASSERT_OK(weft_sleep(WEFT_MS(10)));
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    end(&world);
}

/* ---- one stream is no other's business ---- */

VIRTUAL_TEST(h2_time_out_of_one_stream_leaves_the_others)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}, {.takes = WEFT_SEC(3), .body = 9}};
    WORLD(acts, .http2 = true);
    struct job jobs[] = {{.client = world.client, .read_timeout = WEFT_SEC(1)},
                         {.client = world.client, .after = WEFT_MS(1)}};
    ASSERT_OK(weft_map(run_job, jobs, 2, sizeof jobs[0], NULL));
    ASSERT_INT_EQ(jobs[0].err, WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(jobs[1].status, 200);
    ASSERT_INT_EQ(jobs[1].len, 9);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(world.fake.reset_code, 8);
    end(&world);
}

VIRTUAL_TEST(h2_cancel_of_one_stream_leaves_the_others)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}, {.takes = WEFT_SEC(3)}};
    WORLD(acts, .http2 = true);
    struct job first = {.client = world.client};
    struct job second = {.client = world.client};
    weft_group a;
    weft_group b;
    ASSERT_OK(weft_group_init(&b, NULL));
    ASSERT_OK(weft_group_init(&a, NULL));
    ASSERT_OK(weft_group_spawn(&a, run_job, &first));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_group_spawn(&b, run_job, &second));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_group_cancel(&a, "enough"));
    weft_group_wait(&a);
    ASSERT_OK(weft_group_wait(&b));
    ASSERT_INT_EQ(first.err, -ECANCELED);
    ASSERT_INT_EQ(second.status, 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.reset_code, 8);
    end(&world);
}

VIRTUAL_TEST(h2_reset_of_one_stream_leaves_the_others)
{
    static const struct h2_act acts[] = {{.kind = H2_RESET, .code = 2}, {.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(post(&world), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

VIRTUAL_TEST(h2_abandoned_response_is_reset_and_credited)
{
    static const struct h2_act acts[] = {{.body = 200000, .unended = true}};
    WORLD(acts, .http2 = true);
    for (int i = 0; i < 40; i++) {
        weft_response *response;
        char byte;
        ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &response));
        ASSERT_INT_EQ(weft_response_read(response, &byte, 1), 1);
        weft_response_free(response);
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
    }
    ASSERT_INT_EQ(world.fake.dials, 1);
    ASSERT_INT_EQ(world.fake.resets, 40);
    ASSERT_INT_EQ(world.fake.reset_code, 8);
    /* Of 8 MB not more than what the window may lag behind is missing. */
    ASSERT_INT_GE(world.fake.credit, 40 * 200000 - 1024 * 1024);
    struct weft__pool *pool;
    ASSERT_OK(weft__client_pool(world.client, &pool));
    const struct weft__h2_conn *shared =
        WEFT__CONTAINER(pool->shared.next, struct weft__h2_conn, of_pool);
    ASSERT(weft__h2_is_balanced(shared->h2));
    ASSERT_INT_EQ(shared->n_lights, 0);
    ASSERT_INT_EQ(shared->n_pending, 0);
    end(&world);
}

VIRTUAL_TEST(h2_slow_reader_of_one_stream_leaves_the_others)
{
    static const struct h2_act acts[] = {{.body = 250000}, {.body = 1000}};
    WORLD(acts, .http2 = true);
    weft_response *slow;
    ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &slow));
    for (int i = 0; i < 200; i++)
        ASSERT_INT_EQ(get(&world), 200);
    ASSERT_OK(weft_response_read_all(slow));
    size_t len;
    weft_response_content(slow, &len);
    ASSERT_INT_EQ(len, 250000);
    weft_response_free(slow);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

/* A read that is cancelled has not happened, wherever the bytes were to go. */
VIRTUAL_TEST(h2_reads_into_the_callers_memory_lose_nothing_when_cancelled)
{
    enum { BODY = 240000 }; /* the server knows of no windows */
    static const struct h2_act acts[] = {{.body = BODY, .takes = 20}};
    static char piece[32 * 1024];
    WORLD(acts, .http2 = true);
    memset(piece, 'x', sizeof piece);
    for (int64_t patience = 0; patience < 60; patience++) {
        weft_response *response;
        size_t total = 0;
        int64_t n = 1;
        ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &response));
        while (n != 0) {
            weft_scope scope;
            weft_scope_enter(&scope, patience);
            n = weft_response_read(response, piece, total % 2 == 0 ? sizeof piece : 5000);
            int err = weft_scope_exit(&scope, n < 0 ? (int)n : 0);
            if (n < 0) {
                ASSERT_INT_EQ(n, -ECANCELED);
                ASSERT_INT_EQ(err, -ETIMEDOUT);
                ASSERT_OK(weft_yield());
                continue;
            }
            for (int64_t i = 0; i < n; i++)
                ASSERT_INT_EQ(piece[i], 0);
            memset(piece, 'x', sizeof piece);
            total += (size_t)n;
        }
        ASSERT_INT_EQ(total, BODY);
        weft_response_free(response);
    }
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

/* ---- what goes again ---- */

VIRTUAL_TEST(h2_refused_stream_goes_again_whatever_the_method)
{
    static const struct h2_act acts[] = {{.kind = H2_RESET, .code = 7}, {.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(post(&world), 200);
    ASSERT_INT_EQ(world.fake.requests, 2);
    end(&world);
}

VIRTUAL_TEST(h2_stream_that_is_always_refused_is_given_up)
{
    static const struct h2_act acts[] = {{.kind = H2_RESET, .code = 7}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(get(&world), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(world.fake.requests, 4);
    end(&world);
}

VIRTUAL_TEST(h2_goaway_sends_what_is_above_it_elsewhere_and_ends_the_rest_in_peace)
{
    static const struct h2_act acts[] = {
        {.takes = WEFT_SEC(2), .body = 5}, {.kind = H2_GOAWAY}, {.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    struct job jobs[] = {{.client = world.client},
                         {.client = world.client, .after = WEFT_MS(1), .method = "POST"}};
    ASSERT_OK(weft_map(run_job, jobs, 2, sizeof jobs[0], NULL));
    ASSERT_INT_EQ(jobs[0].status, 200);
    ASSERT_INT_EQ(jobs[0].len, 5);
    ASSERT_INT_EQ(jobs[1].status, 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    weft_pool_stats stats;
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.size, 1);
    end(&world);
}

VIRTUAL_TEST(h2_goaway_that_wants_calm_is_not_asked_again_at_once)
{
    static const struct h2_act acts[] = {{.kind = H2_GOAWAY, .code = 11}, {.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_LT(get(&world), 0);
    ASSERT_INT_EQ(world.fake.requests, 1);
    ASSERT_INT_EQ(get(&world), 200);
    end(&world);
}

VIRTUAL_TEST(h2_wish_for_http1_is_an_error_where_that_is_off)
{
    static const struct h2_act acts[] = {{.kind = H2_RESET, .code = 13}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(get(&world), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(world.fake.requests, 1);
    end(&world);
}

VIRTUAL_TEST(h2_connection_that_breaks_is_replaced_for_what_may_be_sent_twice)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER},
                                         {.kind = H2_CLOSE},
                                         {.kind = H2_ANSWER},
                                         {.kind = H2_CLOSE},
                                         {.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    ASSERT_INT_EQ(post(&world), WEFT_EDISCONNECTED);
    ASSERT_INT_EQ(world.fake.requests, 4);
    ASSERT_INT_EQ(get(&world), 200);
    end(&world);
}

VIRTUAL_TEST(h2_server_that_breaks_the_protocol_ends_its_connection_alone)
{
    static const struct h2_act acts[] = {
        {.takes = WEFT_SEC(2)}, {.kind = H2_NOISE}, {.kind = H2_ANSWER}};
    WORLD(acts, .max_connections = 2);
    world.fake.max_streams = 1;
    struct job jobs[2];
    ASSERT_INT_EQ(get(&world), 200);
    world.fake.requests = 0;
    for (int i = 0; i < 2; i++)
        jobs[i] = (struct job){.client = world.client, .method = "POST", .after = WEFT_MS(i + 1)};
    ASSERT_OK(weft_map(run_job, jobs, 2, sizeof jobs[0], NULL));
    ASSERT_INT_EQ(jobs[0].status, 200);
    ASSERT_INT_EQ(jobs[1].err, WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(world.fake.goaways, 1);
    ASSERT_INT_EQ(get(&world), 200);
    end(&world);
}

VIRTUAL_TEST(h2_misdirected_request_is_answered_by_another_connection)
{
    static const struct h2_act acts[] = {{.status = 421}, {.kind = H2_ANSWER}};
    WORLD(acts, .retry = WEFT_RETRY(.attempts = 2, .wait = {WEFT_WAIT_NONE}));
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    end(&world);
}

/* ---- bodies ---- */

static int64_t endless(void *userdata, void *data, size_t len)
{
    size_t *given = userdata;
    memset(data, 'x', len);
    *given += len;
    return (int64_t)len;
}

VIRTUAL_TEST(h2_early_answer_ends_the_upload)
{
    static const struct h2_act acts[] = {{.status = 413, .early = true}};
    WORLD(acts, .http2 = true);
    size_t given = 0;
    weft_response *response;
    ASSERT_OK(weft_client_post(world.client, "/",
                               WEFT_REQUEST(.body_reader = endless, .body_userdata = &given),
                               &response));
    ASSERT_INT_EQ(weft_response_status(response), 413);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(get(&world), 413);
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

static int64_t never(void *userdata, void *data, size_t len)
{
    (void)userdata;
    (void)data;
    (void)len;
    return weft_sleep(WEFT_FOREVER);
}

VIRTUAL_TEST(h2_early_answer_ends_an_upload_that_waits_for_its_source)
{
    static const struct h2_act acts[] = {{.status = 401, .early = true, .takes = WEFT_MS(1)}};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(weft_client_post(world.client, "/", WEFT_REQUEST(.body_reader = never), &response));
    ASSERT_INT_EQ(weft_response_status(response), 401);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(h2_response_may_come_while_the_body_goes)
{
    static const struct h2_act acts[] = {{.kind = H2_ECHO}};
    static char body[3000000];
    WORLD(acts, .http2 = true);
    for (size_t i = 0; i < sizeof body; i += 13)
        body[i] = (char)i;
    weft_response *response;
    ASSERT_OK(weft_client_post(
        world.client, "/", WEFT_REQUEST(.content = body, .content_len = sizeof body), &response));
    size_t len;
    const void *content = weft_response_content(response, &len);
    ASSERT_INT_EQ(len, sizeof body);
    ASSERT_MEM_EQ(content, body, sizeof body);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(h2_body_waits_for_a_100_and_is_not_sent_after_another_answer)
{
    static const struct h2_act acts[] = {{.status = 403, .early = true}, {.interim = 100}};
    WORLD(acts, .http2 = true);
    weft_response *response;
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(
            weft_client_post(world.client, "/",
                             WEFT_REQUEST(.content = "hello", .content_len = 5,
                                          .expect_continue = true, .continue_timeout = WEFT_SEC(9)),
                             &response));
        ASSERT_INT_EQ(weft_response_status(response), i == 0 ? 403 : 200);
        weft_response_free(response);
    }
    end(&world);
}

/* Nobody waits for the end of a body that is not sent, and the server is told so. */
VIRTUAL_TEST(h2_answer_instead_of_a_100_takes_no_time)
{
    static const struct h2_act acts[] = {{.early = true, .body = 10}};
    static char body[200000];
    WORLD(acts, .http2 = true);
    for (int i = 0; i < 2; i++) {
        weft_response *response;
        int64_t began = weft_now();
        ASSERT_OK(
            weft_client_post(world.client, "/",
                             WEFT_REQUEST(.content = body, .content_len = i == 0 ? 5 : sizeof body,
                                          .expect_continue = true),
                             &response));
        ASSERT_INT_EQ(weft_response_status(response), 200);
        ASSERT_INT_EQ(weft_now() - began, 0);
        weft_response_free(response);
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
        ASSERT_INT_EQ(world.fake.resets, i + 1);
        ASSERT_INT_EQ(world.fake.uploaded, 0);
    }
    end(&world);
}

struct seen {
    int status;
    int n;
};

static int see(void *userdata, const weft_informational_event *event)
{
    struct seen *seen = userdata;
    seen->status = event->status;
    seen->n++;
    return 0;
}

VIRTUAL_TEST(h2_interim_responses_are_told_and_trailers_kept)
{
    static const struct h2_act acts[] = {{.interim = 103, .body = 10, .trailer = true}};
    struct seen seen = {0};
    WORLD(acts, .hooks = WEFT_HOOKS(.on_informational = see, .userdata = &seen));
    weft_response *response;
    ASSERT_OK(weft_client_get(world.client, "/", NULL, &response));
    ASSERT_INT_EQ(seen.status, 103);
    ASSERT_INT_EQ(seen.n, 1);
    ASSERT_STR_EQ(weft_headers_get(weft_response_trailers(response), "x-sum"), "1234");
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(h2_request_without_a_body_says_nothing_of_one)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT(strstr(world.fake.fields, "content-length") == NULL);
    ASSERT_INT_EQ(post(&world), 200);
    ASSERT_STR_HAS(world.fake.fields, "\ncontent-length: 0\n");
    end(&world);
}

/* ---- the connection ---- */

VIRTUAL_TEST(h2_idle_connection_answers_pings_and_settings)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    WORLD(acts, .http2 = true);
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    int acks = world.fake.settings_acks;
    h2_fake_ping(&world.fake);
    h2_fake_settings(&world.fake, 50);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.pongs, 1);
    ASSERT_INT_EQ(world.fake.settings_acks, acks + 1);
    end(&world);
}

VIRTUAL_TEST(h2_idle_connection_is_closed_in_time_and_says_so)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    WORLD(acts, .idle_timeout = WEFT_SEC(3));
    ASSERT_INT_EQ(get(&world), 200);
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    ASSERT_INT_EQ(world.fake.open, 1);
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    ASSERT_INT_EQ(world.fake.open, 0);
    ASSERT_INT_EQ(world.fake.goaways, 1);
    end(&world);
}

VIRTUAL_TEST(h2_silence_after_a_ping_fails_the_calls)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}};
    WORLD(acts, .ping_interval = WEFT_SEC(2), .ping_timeout = WEFT_SEC(1),
          .read_timeout = WEFT_SEC(100));
    world.fake.mute = true;
    int64_t began = weft_now();
    ASSERT_INT_EQ(get(&world), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_LE(weft_now() - began, WEFT_SEC(4));
    end(&world);
}

VIRTUAL_TEST(h2_answered_pings_keep_a_slow_call_alive)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(50)}};
    WORLD(acts, .ping_interval = WEFT_SEC(2), .ping_timeout = WEFT_SEC(1),
          .read_timeout = WEFT_SEC(100));
    ASSERT_INT_EQ(get(&world), 200);
    end(&world);
}

VIRTUAL_TEST(h2_close_that_aborts_fails_streams_at_once)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}};
    WORLD(acts, .http2 = true);
    struct job job = {.client = world.client};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_job, &job));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_ABORT));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(job.err, WEFT_ECLIENT_CLOSED);
    end(&world);
}

VIRTUAL_TEST(h2_close_that_drains_waits_for_streams)
{
    static const struct h2_act acts[] = {{.takes = WEFT_SEC(2)}};
    WORLD(acts, .http2 = true);
    struct job job = {.client = world.client};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_job, &job));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_DRAIN));
    ASSERT_INT_EQ(job.status, 200);
    ASSERT_OK(weft_group_wait(&group));
    end(&world);
}

VIRTUAL_TEST(h2_response_outlives_its_client)
{
    static const struct h2_act acts[] = {{.body = 100000}};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &response));
    weft_client_free(world.client);
    ASSERT_OK(weft_response_read_all(response));
    size_t len;
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 100000);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.open, 0);
    h2_fake_stop(&world.fake);
}

TEST(h2_response_outlives_its_client_in_plain_code)
{
    static const struct h2_act acts[] = {{.body = 100000}};
    ASSERT_OK(weft_yield());
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(weft_client_stream(world.client, "GET", "/", NULL, &response));
    weft_client_free(world.client);
    ASSERT_OK(weft_response_read_all(response));
    size_t len;
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 100000);
    weft_response_free(response);
    h2_fake_stop(&world.fake);
    ASSERT_INT_EQ(weft_task_count(), 0);
}

/* ---- faults ---- */

static int talk(void *arg)
{
    static const struct h2_act acts[] = {{.body = 70000}, {.kind = H2_ECHO}, {.body = 10}};
    static const char body[200000];
    struct h2_fake fake;
    weft_client *client;
    weft_response *response;
    static char bytes[8192];
    (void)arg;
    int err = weft_yield(); /* plain code has a loop then, which the server needs */
    if (err == 0)
        err = weft_client_new(WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF), &client);
    if (err < 0)
        return err;
    h2_fake_start(&fake, acts, 3);
    h2_fake_serve(&fake, client);
    err = weft_client_get(client, "/", NULL, &response);
    if (err == 0) {
        weft_response_free(response);
        err = weft_client_post(
            client, "/", WEFT_REQUEST(.content = body, .content_len = sizeof body), &response);
    }
    if (err == 0) {
        weft_response_free(response);
        err = weft_client_stream(client, "GET", "/", NULL, &response);
    }
    if (err == 0) {
        int64_t n = weft_response_read(response, bytes, sizeof bytes);
        err = n < 0 ? (int)n : 0;
        weft_response_free(response);
    }
    weft_client_free(client);
    h2_fake_stop(&fake);
    return err;
}

TEST_WITH(h2_calls_survive_every_fault, .limit_s = 120)
{
    FAULTS(talk, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

TEST_WITH(h2_calls_in_plain_code_survive_every_fault, .limit_s = 120)
{
    FAULTS(talk, NULL, .plain = true, .any_error = true);
}

/* Closing a client, looking at its pool, slow servers, slots under cancellation. */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "test.h"

static int slow(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    int err = weft_sleep(*(const int64_t *)userdata);
    return err < 0 ? err : weft_mock_reply_text(reply, 200, "done");
}

static weft_client *slow_client(int64_t *takes, const weft_client_options *options)
{
    weft_client_options all = *options;
    weft_client *client;
    ASSERT_OK(weft_mock_new(slow, takes, &all.transport));
    ASSERT_OK(weft_client_new(&all, &client));
    weft_transport_free(all.transport);
    return client;
}

struct job {
    weft_client *client;
    int result;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    weft_response *r = NULL;
    job->result = weft_client_get(job->client, "http://x.example:81/", NULL, &r);
    weft_response_free(r);
    return 0;
}

static void close_two(weft_client_closing how, int under_way)
{
    int64_t takes = WEFT_SEC(2);
    weft_group group;
    weft_client *client = slow_client(&takes, WEFT_CLIENT(.max_connections = 1));
    struct job jobs[] = {{client, 1}, {client, 1}};
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(weft_group_spawn(&group, run_job, &jobs[i]));
    int64_t began = weft_now();
    ASSERT_OK(weft_client_close(client, how));
    ASSERT_INT_EQ(weft_now() - began, how == WEFT_CLOSE_DRAIN ? takes : 0);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(jobs[0].result, under_way);
    ASSERT_INT_EQ(jobs[1].result, WEFT_ECLIENT_CLOSED);
    ASSERT_OK(weft_client_close(client, how));
    run_job(&jobs[0]);
    ASSERT_INT_EQ(jobs[0].result, WEFT_ECLIENT_CLOSED);
    weft_client_free(client);
}

VIRTUAL_TEST(close_that_drains_lets_calls_end_and_fails_those_that_wait)
{
    close_two(WEFT_CLOSE_DRAIN, 0);
}

VIRTUAL_TEST(close_that_aborts_ends_calls_with_an_error_of_their_own)
{
    close_two(WEFT_CLOSE_ABORT, WEFT_ECLIENT_CLOSED);
}

static int dial_slowly(void *userdata, const weft_url *url, weft_stream **ret)
{
    (void)userdata;
    (void)url;
    (void)ret;
    int err = weft_sleep(WEFT_SEC(3));
    return err < 0 ? err : WEFT_EREFUSED;
}

VIRTUAL_TEST(close_that_aborts_ends_connecting_too)
{
    weft_transport *transport;
    weft_client *client;
    weft_group group;
    ASSERT_OK(weft_transport_new(dial_slowly, NULL, &transport));
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.transport = transport), &client));
    weft_transport_free(transport);
    struct job job = {client, 1};
    int64_t began = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_job, &job));
    ASSERT_OK(weft_client_close(client, WEFT_CLOSE_ABORT));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(job.result, WEFT_ECLIENT_CLOSED);
    ASSERT_INT_EQ(weft_now(), began);
    weft_client_free(client);
}

VIRTUAL_TEST(pool_list_shows_each_connection)
{
    int64_t takes = 0;
    weft_client *client = slow_client(&takes, WEFT_CLIENT(.timeout = WEFT_SEC(9)));
    weft_pool_connection *list;
    size_t n;
    ASSERT_OK(weft_client_pool_list(client, &list, &n));
    ASSERT(list == NULL && n == 0);
    struct job job = {client, 1};
    run_job(&job);
    run_job(&job);
    ASSERT_OK(weft_sleep(WEFT_MS(50)));
    ASSERT_OK(weft_client_pool_list(client, &list, &n));
    ASSERT_INT_EQ(n, 1);
    ASSERT_STR_EQ(list[0].origin, "http://x.example:81");
    ASSERT(list[0].proxy == NULL);
    ASSERT_INT_EQ(list[0].requests, 2);
    ASSERT_INT_EQ(list[0].idle, WEFT_MS(50));
    ASSERT_INT_EQ(list[0].age, WEFT_MS(50));
    weft_free(list);
    weft_client_free(client);
}

/* ---- slow servers ---- */

static int64_t drip(void *userdata, void *data, size_t len)
{
    int *left = userdata;
    (void)len;
    if (weft_sleep(WEFT_SEC(1)) < 0)
        return -ECANCELED;
    memcpy(data, "0123456789", 10);
    return (*left)-- > 0 ? 10 : 0;
}

static int dripping(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    return weft_mock_reply_stream(reply, drip, userdata);
}

VIRTUAL_TEST(low_speed_ends_a_body_that_drips)
{
    int left = 60;
    weft_transport *mock;
    weft_client *client;
    weft_response *r;
    ASSERT_OK(weft_mock_new(dripping, &left, &mock));
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.transport = mock, .low_speed_limit = 100, .low_speed_time = WEFT_SEC(10)),
        &client));
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_get(client, "http://x/", NULL, &r), WEFT_EREAD_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "bytes a second came for 10 s, less than 100");
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(10));
    weft_client_free(client);
    left = 25;
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.transport = mock, .low_speed_limit = 5, .low_speed_time = WEFT_SEC(10)),
        &client));
    ASSERT_OK(weft_client_get(client, "http://x/", NULL, &r));
    weft_response_free(r);
    left = 25;
    ASSERT_ERR(weft_client_get(client, "http://x/", WEFT_REQUEST(.timeout = WEFT_MS(1500)), &r),
               WEFT_ETOTAL_TIMEOUT);
    weft_transport_free(mock);
    weft_client_free(client);
}

VIRTUAL_TEST(low_speed_of_a_request_counts_instead_of_the_clients)
{
    int left = 1000;
    weft_transport *mock;
    weft_client *client;
    weft_response *r;
    ASSERT_OK(weft_mock_new(dripping, &left, &mock));
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.transport = mock, .low_speed_limit = 100, .low_speed_time = WEFT_SEC(10)),
        &client));
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_get(client, "http://x/",
                               WEFT_REQUEST(.low_speed_limit = 50, .low_speed_time = WEFT_SEC(3)),
                               &r),
               WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(3));
    ASSERT_STR_HAS(weft_error_message(), "came for 3 s, less than 50");
    left = 20;
    ASSERT_OK(weft_client_get(client, "http://x/", WEFT_REQUEST(.low_speed_limit = 5), &r));
    weft_response_free(r);
    left = 20;
    ASSERT_OK(
        weft_client_get(client, "http://x/", WEFT_REQUEST(.low_speed_time = WEFT_FOREVER), &r));
    weft_response_free(r);
    ASSERT_ERR(weft_client_get(client, "http://x/", WEFT_REQUEST(.low_speed_time = -1), &r),
               -EINVAL);
    weft_transport_free(mock);
    weft_client_free(client);
}

/* ---- slots ---- */

static int cancelled_round(weft_client *client, uint64_t at)
{
    enum { N = 10 };
    struct job jobs[N];
    weft_group group;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < N; i++) {
        jobs[i] = (struct job){client, 1};
        ASSERT_OK(weft_group_spawn(&group, run_job, &jobs[i]));
    }
    weft_testing_cancel_at(&scope, at);
    int err = weft_group_wait(&group);
    weft_testing_cancel_at(NULL, 0);
    weft_scope_exit(&scope, err);
    return err;
}

VIRTUAL_TEST(rounds_of_cancelled_requests_leave_all_slots_free)
{
    int64_t takes = WEFT_MS(5);
    int rounds = test_under_valgrind() ? 30 : 300;
    weft_client *client = slow_client(&takes, WEFT_CLIENT(.max_connections = 5));
    for (int i = 0; i < rounds; i++) {
        cancelled_round(client, (uint64_t)(i % 60) + 1);
        weft_pool_stats stats;
        weft_client_pool_stats(client, &stats);
        ASSERT_INT_EQ(stats.active, 0);
        ASSERT_INT_EQ(stats.waiting, 0);
        ASSERT_INT_LE(stats.size, 5);
    }
    struct job job = {client, 1};
    run_job(&job);
    ASSERT_INT_EQ(job.result, 0);
    weft_client_free(client);
}

VIRTUAL_TEST(three_hundred_slow_requests_succeed_on_defaults)
{
    enum { N = 300 };
    static struct job jobs[N];
    int64_t takes = WEFT_SEC(3);
    weft_client *client = slow_client(&takes, WEFT_CLIENT(.timeout = WEFT_SEC(60)));
    for (int i = 0; i < N; i++)
        jobs[i] = (struct job){client, 1};
    ASSERT_OK(weft_map(run_job, jobs, N, sizeof jobs[0], NULL));
    for (int i = 0; i < N; i++)
        ASSERT_INT_EQ(jobs[i].result, 0);
    weft_client_free(client);
}

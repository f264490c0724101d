/* Transports: handlers in memory, functions that dial, mounts by URL. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "test.h"

static int echo(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    char text[600];
    size_t len;
    const char *body = weft_mock_request_body(request, &len);
    int *calls = userdata;
    if (calls != NULL)
        (*calls)++;
    snprintf(text, sizeof text, "%s %s %zu %s", weft_mock_request_method(request),
             weft_mock_request_url(request), len, body);
    int err =
        weft_mock_reply_header(reply, "X-Agent", weft_mock_request_header(request, "user-agent"));
    return err < 0 ? err : weft_mock_reply_text(reply, 201, text);
}

static weft_client *client_of(weft_mock_handler handler, void *userdata)
{
    weft_transport *mock;
    weft_client *client;
    ASSERT_OK(weft_mock_new(handler, userdata, &mock));
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.transport = mock), &client));
    weft_transport_free(mock);
    return client;
}

static int check_echo(void *arg)
{
    weft_client *client = arg;
    weft_response *r;
    ASSERT_OK(weft_client_post(client, "https://user:pw@api.example:8443/a?b=c#d",
                               WEFT_REQUEST(.content = "hello", .content_len = 5), &r));
    ASSERT_INT_EQ(weft_response_status(r), 201);
    ASSERT_STR_EQ(weft_response_text(r, NULL), "POST https://api.example:8443/a?b=c 5 hello");
    ASSERT_STR_EQ(weft_response_header(r, "x-agent"), "weft/" WEFT_VERSION);
    weft_response_free(r);
    ASSERT_OK(weft_client_head(client, "http://x.example/", NULL, &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), "");
    weft_response_free(r);
    return 0;
}

VIRTUAL_TEST(mock_in_a_task_answers_from_memory)
{
    int calls = 0;
    weft_client *client = client_of(echo, &calls);
    check_echo(client);
    check_echo(client);
    weft_pool_stats stats;
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.opened, 2);
    ASSERT_INT_EQ(calls, 4);
    weft_client_free(client);
}

TEST(mock_in_plain_code_answers_from_memory)
{
    weft_client *client = client_of(echo, NULL);
    check_echo(client);
    weft_client_free(client);
}

VIRTUAL_TEST(mock_request_body_of_every_framing_is_seen_whole)
{
    weft_client *client = client_of(echo, NULL);
    weft_response *r;
    static char large[200 * 1000];
    memset(large, 'x', sizeof large);
    ASSERT_OK(weft_client_post(client, "http://x/",
                               WEFT_REQUEST(.content = large, .content_len = sizeof large), &r));
    ASSERT_STR_HAS(weft_response_text(r, NULL), "POST http://x/ 200000 xxx");
    weft_response_free(r);
    weft_stream *near;
    weft_stream *far;
    ASSERT_OK(weft_stream_pair(0, &near, &far));
    ASSERT_OK(weft_stream_write(far, "in pieces", 9));
    weft_stream_free(far);
    ASSERT_OK(weft_client_put(client, "http://x/", WEFT_REQUEST(.body_stream = near), &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), "PUT http://x/ 9 in pieces");
    weft_response_free(r);
    weft_stream_free(near);
    weft_client_free(client);
}

/* ---- what a handler may do ---- */

static int fail_refused(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    (void)reply;
    return *(int *)userdata;
}

VIRTUAL_TEST(mock_handler_that_fails_breaks_the_request_with_its_error)
{
    int code = WEFT_EREFUSED;
    weft_client *client = client_of(fail_refused, &code);
    weft_response *r;
    ASSERT_ERR(weft_client_get(client, "http://x/", NULL, &r), WEFT_EREFUSED);
    code = -ECONNRESET;
    ASSERT_ERR(weft_client_get(client, "http://x/", NULL, &r), WEFT_EREAD);
    weft_client_free(client);
}

static int sleepy(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    int err = weft_sleep(*(const int64_t *)userdata);
    return err < 0 ? err : weft_mock_reply_text(reply, 200, "awake");
}

VIRTUAL_TEST(mock_handler_that_sleeps_is_bounded_by_the_read_timeout)
{
    int64_t takes = WEFT_SEC(3);
    weft_client *client = client_of(sleepy, &takes);
    weft_response *r;
    ASSERT_ERR(weft_client_get(client, "http://x/", WEFT_REQUEST(.read_timeout = WEFT_SEC(2)), &r),
               WEFT_EREAD_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "after 2 s");
    ASSERT_ERR(weft_client_get(client, "http://x/", WEFT_REQUEST(.timeout = WEFT_SEC(1)), &r),
               WEFT_ETOTAL_TIMEOUT);
    ASSERT_OK(weft_client_get(client, "http://x/", NULL, &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), "awake");
    weft_response_free(r);
    weft_client_free(client);
}

struct pieces {
    int left;
    int error;
};

static int64_t next_piece(void *userdata, void *data, size_t len)
{
    struct pieces *pieces = userdata;
    ASSERT(len >= 3);
    if (weft_sleep(WEFT_MS(10)) < 0)
        return -ECANCELED;
    if (pieces->left-- > 0) {
        memcpy(data, "abc", 3);
        return 3;
    }
    return pieces->error;
}

static int stream_pieces(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    return weft_mock_reply_stream(reply, next_piece, userdata);
}

VIRTUAL_TEST(mock_reply_from_a_function_comes_piece_by_piece)
{
    struct pieces pieces = {.left = 3};
    weft_client *client = client_of(stream_pieces, &pieces);
    weft_response *r;
    char data[64];
    ASSERT_OK(weft_client_stream(client, "GET", "http://x/", NULL, &r));
    ASSERT_INT_EQ(weft_response_read(r, data, sizeof data), 3);
    ASSERT_OK(weft_response_read_all(r) == WEFT_ESTREAM_CONSUMED ? 0 : -1);
    weft_response_free(r);
    pieces.left = 4;
    ASSERT_OK(weft_client_get(client, "http://x/", NULL, &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), "abcabcabcabc");
    weft_response_free(r);
    pieces = (struct pieces){.left = 1, .error = -EIO};
    ASSERT_ERR(weft_client_get(client, "http://x/", NULL, &r), WEFT_EREAD);
    weft_client_free(client);
}

static int misuse(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    (void)userdata;
    ASSERT_ERR(weft_mock_reply_status(reply, 99), -EINVAL);
    ASSERT_ERR(weft_mock_reply_status(reply, 1000), -EINVAL);
    ASSERT_ERR(weft_mock_reply_header(reply, "bad name", "x"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_mock_reply_stream(reply, NULL, NULL), -EINVAL);
    ASSERT_OK(weft_mock_reply_write(reply, "ab", 2));
    ASSERT_ERR(weft_mock_reply_stream(reply, next_piece, NULL), -EINVAL);
    return 0;
}

VIRTUAL_TEST(mock_reply_that_would_break_is_refused)
{
    weft_client *client = client_of(misuse, NULL);
    weft_transport *mock;
    weft_response *r;
    ASSERT_OK(weft_client_get(client, "http://x/", NULL, &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), "ab");
    ASSERT_INT_EQ(weft_response_status(r), 200);
    weft_response_free(r);
    weft_client_free(client);
    ASSERT_ERR(weft_mock_new(NULL, NULL, &mock), -EINVAL);
    ASSERT_ERR(weft_transport_new(NULL, NULL, &mock), -EINVAL);
}

static int redirector(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)userdata;
    if (strstr(weft_mock_request_url(request), "/start") == NULL)
        return weft_mock_reply_text(reply, 200, weft_mock_request_url(request));
    int err = weft_mock_reply_header(reply, "Location", "https://other.example/end");
    return err < 0 ? err : weft_mock_reply_status(reply, 302);
}

VIRTUAL_TEST(mock_follows_redirects_between_hosts)
{
    weft_client *client = client_of(redirector, NULL);
    weft_response *r;
    ASSERT_OK(
        weft_client_get(client, "http://x/start", WEFT_REQUEST(.follow_redirects = WEFT_ON), &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), "https://other.example/end");
    weft_response_free(r);
    weft_client_free(client);
}

/* ---- mounts ---- */

static int say(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    return weft_mock_reply_text(reply, 200, userdata);
}

static void expect(weft_client *client, const char *url, const char *text)
{
    weft_response *r;
    ASSERT_OK(weft_client_get(client, url, NULL, &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), text);
    weft_response_free(r);
}

VIRTUAL_TEST(mounts_most_specific_pattern_wins)
{
    weft_transport *mocks[4];
    char names[][8] = {"any", "http", "host", "port"};
    for (int i = 0; i < 4; i++)
        ASSERT_OK(weft_mock_new(say, names[i], &mocks[i]));
    weft_client *client;
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.mounts = (weft_mount[]){{"all://", mocks[0], NULL, NULL},
                                             {"http://", mocks[1], NULL, NULL},
                                             {"all://*.example.com", mocks[2], NULL, NULL},
                                             {"all://a.example.com:81", mocks[3], NULL, NULL},
                                             {0}}),
        &client));
    for (int i = 0; i < 4; i++)
        weft_transport_free(mocks[i]);
    expect(client, "https://other/", "any");
    expect(client, "http://other/", "http");
    expect(client, "http://a.example.com/", "host");
    expect(client, "https://b.example.com/", "host");
    expect(client, "http://a.example.com:81/", "port");
    weft_client_free(client);
}

VIRTUAL_TEST(mounts_that_are_wrong_are_refused)
{
    weft_client *client;
    weft_transport *mock;
    ASSERT_OK(weft_mock_new(say, NULL, &mock));
    ASSERT_ERR(
        weft_client_new(
            WEFT_CLIENT(.mounts = (weft_mount[]){{"example.com", mock, NULL, NULL}, {0}}), &client),
        -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "scheme://host:port");
    ASSERT_ERR(weft_client_new(
                   WEFT_CLIENT(.mounts = (weft_mount[]){{"all://", mock, "http://p", NULL}, {0}}),
                   &client),
               -EINVAL);
    ASSERT_ERR(weft_client_new(
                   WEFT_CLIENT(.mounts = (weft_mount[]){{"all://", NULL, "gopher://p", NULL}, {0}}),
                   &client),
               WEFT_EUNSUPPORTED_PROTOCOL);
    weft_transport_free(mock);
}

/* ---- a transport of one's own ---- */

static int dial_pair(void *userdata, const weft_url *url, weft_stream **ret)
{
    weft_stream *far;
    ASSERT_STR_EQ(weft_url_host(url), "made.example");
    int err = weft_stream_pair(0, ret, &far);
    if (err == 0)
        err = weft_stream_write(far, "HTTP/1.1 204 No Content\r\n\r\n", 27);
    *(weft_stream **)userdata = far;
    return err;
}

VIRTUAL_TEST(transport_function_gives_the_stream)
{
    weft_stream *far = NULL;
    weft_transport *transport;
    weft_client *client;
    weft_response *r;
    char request[512] = "";
    ASSERT_OK(weft_transport_new(dial_pair, &far, &transport));
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.transport = transport), &client));
    weft_transport_free(transport);
    ASSERT_OK(weft_client_get(client, "https://made.example/x", NULL, &r));
    ASSERT_INT_EQ(weft_response_status(r), 204);
    weft_response_free(r);
    ASSERT(weft_stream_read(far, request, sizeof request - 1) > 0);
    ASSERT_STR_HAS(request, "GET /x HTTP/1.1\r\nHost: made.example\r\n");
    weft_stream_free(far);
    weft_client_free(client);
}

VIRTUAL_TEST(mock_survives_every_failed_allocation)
{
    bool succeeded = false;
    for (uint64_t k = 1; k < 80; k++) {
        weft_transport *mock = NULL;
        weft_client *client = NULL;
        weft_response *r = NULL;
        weft_testing_fail_alloc(k, false);
        int err = weft_mock_new(echo, NULL, &mock);
        if (err == 0)
            err = weft_client_new(
                WEFT_CLIENT(.mounts = (weft_mount[]){{"all://", mock, NULL, NULL}, {0}}), &client);
        if (err == 0)
            err = weft_client_post(client, "http://x/",
                                   WEFT_REQUEST(.content = "abc", .content_len = 3), &r);
        weft_testing_fail_alloc(0, false);
        ASSERT(err == 0 || err == -ENOMEM);
        succeeded = succeeded || err == 0;
        weft_response_free(r);
        weft_client_free(client);
        weft_transport_free(mock);
    }
    ASSERT(succeeded);
}

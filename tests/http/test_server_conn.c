/* test_server_conn.c - one connection in memory on the virtual clock: times, order, pressure. */
#include <stdio.h>
#include <string.h>

#include "server/server_int.h"
#include "server_harness.h"
#include "test.h"

#define HI                                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi"
#define GET_HI "GET /hi HTTP/1.1\r\nHost: a\r\n\r\n"

/* A client's end, and the server that serves the other one. */
struct talk {
    weft_server *server;
    weft_stream *client;
    weft_stream *end;
    weft_group group;
    char reply[65536];
};

static int serve_end(void *arg)
{
    struct talk *talk = arg;
    return weft__server_serve_stream(talk->server, talk->end);
}

static void talk_begin(struct talk *talk, weft_server *server, size_t capacity)
{
    talk->server = server;
    ASSERT_OK(weft_stream_pair(capacity, &talk->client, &talk->end));
    ASSERT_OK(weft_group_init(&talk->group, NULL));
    ASSERT_OK(weft_group_spawn(&talk->group, serve_end, talk));
}

static void talk_end(struct talk *talk)
{
    weft_stream_free(talk->client);
    ASSERT_OK(weft_group_wait(&talk->group));
    ASSERT_INT_EQ(weft_server_connections(talk->server), 0);
    weft_server_free(talk->server);
}

static void say(struct talk *talk, const char *text)
{
    ASSERT_OK(weft_stream_write(talk->client, text, strlen(text)));
}

/* All that comes until the server ends the connection. */
static const char *hear_all(struct talk *talk)
{
    harness_read_all(talk->client, talk->reply, sizeof talk->reply);
    harness_normalise(talk->reply);
    return talk->reply;
}

/* So many bytes as expected, Date and Server aside. */
static void hear(struct talk *talk, const char *expected)
{
    size_t len = 0;
    for (;;) {
        int64_t n = weft_stream_read(talk->client, talk->reply + len, 4096);
        ASSERT_INT_GT(n, 0);
        len += (size_t)n;
        talk->reply[len] = '\0';
        char copy[4096];
        ASSERT_INT_LT(len, sizeof copy);
        memcpy(copy, talk->reply, len + 1);
        harness_normalise(copy);
        if (strlen(copy) >= strlen(expected)) {
            ASSERT_STR_EQ(copy, expected);
            return;
        }
    }
}

static void refused(struct talk *talk, int status)
{
    char expected[512];
    const struct server_case one = {.refusal = status};
    harness_expected(&one, expected, sizeof expected);
    ASSERT_STR_EQ(hear_all(talk), expected);
}

/* ---- times ---- */

VIRTUAL_TEST(server_head_that_stops_gets_408_after_its_time)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    int64_t began = weft_now();
    say(&talk, "GET /hi HTTP/1.1\r\nHos");
    refused(&talk, 408);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(10));
    talk_end(&talk);
}

VIRTUAL_TEST(server_head_in_drops_gets_408_after_its_time)
{
    struct talk talk;
    talk_begin(&talk, harness_server(WEFT_SERVER(.head_timeout = WEFT_SEC(3))), 0);
    int64_t began = weft_now();
    for (int i = 0; i < 6; i++) {
        weft_sleep(WEFT_MS(500));
        if (i < 5)
            say(&talk, "G");
    }
    refused(&talk, 408);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(3));
    talk_end(&talk);
}

VIRTUAL_TEST(server_silent_connection_is_ended_without_a_word)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    int64_t began = weft_now();
    ASSERT_STR_EQ(hear_all(&talk), "");
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(10));
    talk_end(&talk);
}

VIRTUAL_TEST(server_idle_connection_is_ended_without_a_word)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk, GET_HI);
    hear(&talk, HI);
    int64_t began = weft_now();
    weft_sleep(WEFT_SEC(59));
    say(&talk, GET_HI);
    hear(&talk, HI);
    ASSERT_STR_EQ(hear_all(&talk), "");
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(59 + 60));
    talk_end(&talk);
}

VIRTUAL_TEST(server_second_head_has_its_time_from_its_first_byte)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk, GET_HI);
    hear(&talk, HI);
    weft_sleep(WEFT_SEC(30));
    int64_t began = weft_now();
    say(&talk, "GET /h");
    refused(&talk, 408);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(10));
    talk_end(&talk);
}

VIRTUAL_TEST(server_body_has_its_time_for_each_piece)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    weft_sleep(WEFT_SEC(29));
    say(&talk, "a");
    weft_sleep(WEFT_SEC(29));
    say(&talk, "b");
    int64_t began = weft_now();
    refused(&talk, 408);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(30));
    talk_end(&talk);
}

VIRTUAL_TEST(server_unread_body_in_drops_does_not_hold_the_connection)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk, "POST /hi HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n");
    int64_t began = weft_now();
    hear(&talk, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Length: 6\r\n\r\nposted");
    while (weft_now() - began < WEFT_SEC(30) && weft_stream_write(talk.client, "x", 1) >= 0)
        weft_sleep(WEFT_SEC(1));
    ASSERT_INT_LT(weft_now() - began, WEFT_SEC(13));
    talk_end(&talk);
}

/* ---- order and pressure ---- */

VIRTUAL_TEST(server_sends_100_when_the_handler_reads_the_body)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk,
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    hear(&talk, "HTTP/1.1 100 Continue\r\n\r\n");
    say(&talk, "ab" GET_HI);
    hear(&talk, "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nab" HI);
    talk_end(&talk);
}

VIRTUAL_TEST(server_sends_no_100_when_the_body_is_there)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk,
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab");
    hear(&talk, "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nab");
    talk_end(&talk);
}

static int take_turns(void *arg)
{
    int *turns = arg;
    while (*turns >= 0 && weft_yield() >= 0)
        ++*turns;
    return 0;
}

VIRTUAL_TEST(server_pipelined_flood_lets_others_run)
{
    enum { N = 320 };
    struct talk talk;
    static char flood[N * sizeof GET_HI];
    static char expected[N * sizeof HI];
    size_t at = 0;
    for (size_t i = 0; i < N; i++) {
        memcpy(flood + at, GET_HI, sizeof GET_HI);
        memcpy(expected + i * (sizeof HI - 1), HI, sizeof HI);
        at += sizeof GET_HI - 1;
    }
    talk_begin(&talk, harness_server(NULL), 1024 * 1024);
    weft_group others;
    ASSERT_OK(weft_group_init(&others, NULL));
    say(&talk, flood);
    weft_stream_write_eof(talk.client);
    int turns = 0;
    ASSERT_OK(weft_group_spawn(&others, take_turns, &turns));
    hear_all(&talk);
    int turns_meanwhile = turns;
    turns = -2;
    ASSERT_OK(weft_group_wait(&others));
    ASSERT_INT_GE(turns_meanwhile, N / WEFT__LIMIT_SERVER_PIPELINE - 1);
    ASSERT_STR_EQ(talk.reply, expected);
    talk_end(&talk);
}

static size_t produced;

static int on_endless(weft_server_request *request, weft_reply *reply, void *arg)
{
    static const char piece[1000] = {'x'};
    (void)request;
    int *result = arg;
    int err = weft_reply_start(reply, 200, -1);
    while (err >= 0 && (err = weft_reply_write(reply, piece, sizeof piece)) >= 0)
        produced += sizeof piece;
    *result = err;
    return err;
}

VIRTUAL_TEST(server_writer_waits_for_a_slow_reader_and_gives_up)
{
    struct talk talk;
    int result = 0;
    char some[2000];
    produced = 0;
    weft_server *server = harness_server(NULL);
    ASSERT_OK(weft_server_route(server, "GET", "/endless", on_endless, &result));
    talk_begin(&talk, server, 4096);
    say(&talk, "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    weft_sleep(WEFT_SEC(1));
    ASSERT_INT_LE(produced, 4096);
    size_t before = produced;
    ASSERT_OK(weft_stream_read_exact(talk.client, some, sizeof some));
    weft_sleep(WEFT_SEC(1));
    ASSERT_INT_GT(produced, before);
    ASSERT_INT_EQ(result, 0);
    weft_sleep(WEFT_SEC(31));
    ASSERT_INT_EQ(result, WEFT_EWRITE_TIMEOUT);
    talk_end(&talk);
}

VIRTUAL_TEST(server_reply_reaches_a_client_that_is_still_sending)
{
    struct talk talk;
    static char body[100 * 1024];
    memset(body, 'b', sizeof body);
    talk_begin(&talk, harness_server(NULL), 1000);
    say(&talk, "POST /hi HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    size_t sent = 0;
    while (sent < sizeof body && weft_stream_write(talk.client, body + sent, 1000) >= 0)
        sent += 1000;
    ASSERT_INT_GE(sent, WEFT__LIMIT_SERVER_DRAIN);
    ASSERT_INT_LT(sent, sizeof body);
    ASSERT_STR_EQ(hear_all(&talk), "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Length: 6\r\n\r\nposted");
    talk_end(&talk);
}

VIRTUAL_TEST(server_client_that_does_not_end_is_left_after_a_second)
{
    struct talk talk;
    talk_begin(&talk, harness_server(NULL), 0);
    say(&talk, "GARBAGE\r\n\r\n");
    int64_t began = weft_now();
    refused(&talk, 400);
    ASSERT_OK(weft_group_wait(&talk.group));
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(1));
    weft_stream_free(talk.client);
    weft_server_free(talk.server);
}

VIRTUAL_TEST(server_large_body_goes_through)
{
    struct talk talk;
    static char body[300 * 1000];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i % 23);
    talk_begin(&talk, harness_server(NULL), 1024 * 1024);
    say(&talk, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
    ASSERT_OK(weft_stream_write(talk.client, body, 100 * 1000));
    weft_sleep(1);
    ASSERT_OK(weft_stream_write(talk.client, body + 100 * 1000, 200 * 1000));
    weft_stream_write_eof(talk.client);
    static char reply[400 * 1000];
    size_t len = harness_read_all(talk.client, reply, sizeof reply);
    ASSERT_INT_GT(len, sizeof body);
    ASSERT_MEM_EQ(reply + len - sizeof body, body, sizeof body);
    talk_end(&talk);
}

/* ---- the access log ---- */

struct logged {
    char text[512];
    int64_t elapsed;
};

static void on_request(const weft_server_request *request, int status, uint64_t bytes,
                       int64_t elapsed, void *userdata)
{
    struct logged *logged = userdata;
    size_t len = strlen(logged->text);
    snprintf(logged->text + len, sizeof logged->text - len, "%s %s %d %llu;",
             weft_server_request_method(request), weft_server_request_target(request), status,
             (unsigned long long)bytes);
    logged->elapsed = elapsed;
}

static int on_slow(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    int err = weft_sleep(WEFT_SEC(2));
    return err < 0 ? err : weft_reply_text(reply, 200, "slow");
}

VIRTUAL_TEST(server_access_log_has_every_request)
{
    struct talk talk;
    struct logged logged = {.text = ""};
    weft_server *server =
        harness_server(WEFT_SERVER(.on_request = on_request, .userdata = &logged));
    ASSERT_OK(weft_server_route(server, "GET", "/slow", on_slow, NULL));
    talk_begin(&talk, server, 0);
    say(&talk, GET_HI "HEAD /hi?x HTTP/1.1\r\nHost: a\r\n\r\n"
                      "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    weft_sleep(WEFT_SEC(3));
    ASSERT_INT_EQ(logged.elapsed, WEFT_SEC(2));
    say(&talk, "GET /none HTTP/1.1\r\nHost: a\r\n\r\nBAD\r\n\r\n");
    hear_all(&talk);
    ASSERT_STR_EQ(logged.text, "GET /hi 200 2;HEAD /hi?x 200 0;GET /slow 200 4;"
                               "GET /none 404 14;  400 16;");
    talk_end(&talk);
}

VIRTUAL_TEST(server_cancelled_connection_releases_everything)
{
    struct talk talk;
    weft_server *server = harness_server(NULL);
    ASSERT_OK(weft_server_route(server, "GET", "/slow", on_slow, NULL));
    talk_begin(&talk, server, 0);
    say(&talk, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    weft_sleep(WEFT_SEC(1));
    ASSERT_INT_EQ(weft_server_connections(server), 1);
    weft_group_cancel(&talk.group, "test");
    ASSERT_OK(weft_group_wait(&talk.group));
    ASSERT_INT_EQ(weft_server_connections(server), 0);
    ASSERT_STR_EQ(hear_all(&talk), "");
    weft_stream_free(talk.client);
    weft_server_free(server);
}

VIRTUAL_TEST(server_reply_to_a_client_that_left_is_an_error_of_the_handler)
{
    struct talk talk;
    int result = 0;
    weft_server *server = harness_server(NULL);
    ASSERT_OK(weft_server_route(server, "GET", "/endless", on_endless, &result));
    talk_begin(&talk, server, 4096);
    say(&talk, "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    weft_sleep(WEFT_MS(1));
    weft_stream_close(talk.client);
    weft_sleep(WEFT_MS(1));
    ASSERT_INT_EQ(result, -EPIPE);
    talk_end(&talk);
}

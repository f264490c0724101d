/* Server-sent events over one connection after another. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "fault.h"
#include "test.h"

#define URL "http://example.org/x?q=1"
#include "call_world.h"

#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define ONE    STREAM "Content-Length: 9\r\n\r\ndata: 1\n\n"
#define OPEN   STREAM "\r\ndata: 3\n\n"
#define GONE   "HTTP/1.1 204 No Content\r\n\r\n"

static weft_sse *open_sse(struct world *world, const weft_sse_options *options)
{
    weft_sse *sse;
    ASSERT_OK(weft_sse_open(world->client, URL, options, &sse));
    return sse;
}

static void expect(weft_sse *sse, const char *data, const char *id)
{
    weft_sse_event event;
    int n = weft_sse_next(sse, &event);
    if (n < 0)
        test_fail(__FILE__, __LINE__, "%s", weft_error_message());
    ASSERT_INT_EQ(n, 1);
    ASSERT_STR_EQ(event.data, data);
    ASSERT_INT_EQ(event.data_len, strlen(data));
    ASSERT_STR_EQ(event.event, "message");
    ASSERT_STR_EQ(event.id, id);
}

VIRTUAL_TEST(sse_gives_events_and_connects_again_with_the_last_id)
{
    static const struct wire_answer answers[] = {
        {ONE}, {STREAM "Content-Length: 25\r\n\r\nid: 7\nretry: 50\ndata: 2\n\n"}, {ONE}, {GONE}};
    weft_sse_event event;
    BEGIN();
    weft_sse *sse = open_sse(&world, NULL);
    ASSERT_INT_EQ(weft_response_status(weft_sse_response(sse)), 200);
    SENT(0, "\r\nAccept: text/event-stream\r\n");
    SENT(0, "\r\nCache-Control: no-store\r\n");
    UNSENT(0, "Last-Event-ID");
    int64_t began = weft_now();
    expect(sse, "1", "");
    expect(sse, "2", "7");
    ASSERT_INT_GE(weft_now() - began, WEFT_SEC(1)); /* a second, and up to a quarter of it */
    ASSERT_INT_LE(weft_now() - began, WEFT_MS(1250));
    UNSENT(1, "Last-Event-ID");
    began = weft_now();
    expect(sse, "1", "7");
    ASSERT_INT_GE(weft_now() - began, WEFT_MS(50)); /* what the server asked for */
    ASSERT_INT_LE(weft_now() - began, WEFT_MS(63));
    SENT(2, "\r\nLast-Event-ID: 7\r\n");
    ASSERT_INT_EQ(weft_sse_next(sse, &event), 0); /* 204: no more */
    ASSERT_INT_EQ(weft_sse_next(sse, &event), 0);
    ASSERT(weft_sse_response(sse) == NULL);
    ASSERT_INT_EQ(world.wire.n_requests, 4);
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_of_another_content_type_is_an_error)
{
    static const char *const types[] = {"Content-Type: text/html\r\n", "",
                                        "Content-Type: text/event-streams\r\n"};
    for (size_t i = 0; i < 3; i++) {
        char text[256];
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%sContent-Length: 9\r\n\r\ndata: 1\n\n",
                 types[i]);
        const struct wire_answer answers[] = {{text}, {ONE}};
        weft_sse *sse;
        BEGIN();
        ASSERT_ERR(weft_sse_open(world.client, URL, NULL, &sse), WEFT_EREMOTE_PROTOCOL);
        end(&world);
        const struct wire_answer later[] = {{ONE}, {text}};
        weft_sse_event event;
        begin(&world, later, 2, NULL);
        sse = open_sse(&world, NULL);
        expect(sse, "1", "");
        ASSERT_ERR(weft_sse_next(sse, &event), WEFT_EREMOTE_PROTOCOL);
        ASSERT_ERR(weft_sse_next(sse, &event), WEFT_EREMOTE_PROTOCOL);
        ASSERT_INT_EQ(world.wire.n_requests, 2);
        weft_sse_close(sse);
        end(&world);
    }
}

VIRTUAL_TEST(sse_content_type_may_have_parameters)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream ; charset=utf-8\r\n"
         "Content-Length: 9\r\n\r\ndata: 1\n\n"}};
    BEGIN();
    weft_sse *sse = open_sse(&world, NULL);
    expect(sse, "1", "");
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_with_an_error_status_fails_at_once_and_waits_later)
{
    static const struct wire_answer answers[] = {{"HTTP/1.1 503 X\r\n" EMPTY}};
    static const struct wire_answer later[] = {{ONE},
                                               {"HTTP/1.1 503 X\r\nRetry-After: 100\r\n" EMPTY},
                                               {ONE},
                                               {"HTTP/1.1 404 X\r\n" EMPTY}};
    weft_sse *sse;
    weft_sse_event event;
    BEGIN();
    ASSERT_ERR(weft_sse_open(world.client, URL, NULL, &sse), WEFT_EHTTP_STATUS);
    ASSERT_STR_HAS(weft_error_message(), "503");
    end(&world);
    begin(&world, later, 4, NULL);
    sse = open_sse(&world, NULL);
    expect(sse, "1", "");
    int64_t began = weft_now();
    expect(sse, "1", "");
    ASSERT_INT_GE(weft_now() - began, WEFT_SEC(101));
    ASSERT_ERR(weft_sse_next(sse, &event), WEFT_EHTTP_STATUS);
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_waits_longer_after_each_failure_and_gives_up)
{
    static const struct wire_answer answers[] = {{ONE}, {.failed = true}};
    weft_sse_event event;
    BEGIN();
    weft_sse *sse = open_sse(&world, WEFT_SSE(.max_failures = 8, .max_wait = WEFT_SEC(20)));
    expect(sse, "1", "");
    int64_t began = weft_now();
    ASSERT_ERR(weft_sse_next(sse, &event), WEFT_EREFUSED);
    /* 1 + 2 + 4 + 8 + 16 + 20 + 20, each with up to a quarter more */
    ASSERT_INT_GE(weft_now() - began, WEFT_SEC(71));
    ASSERT_INT_LE(weft_now() - began, WEFT_SEC(89));
    ASSERT_INT_EQ(world.wire.dials, 8);
    ASSERT_ERR(weft_sse_next(sse, &event), WEFT_EREFUSED);
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_without_a_reconnect_ends_with_its_connection)
{
    static const struct wire_answer answers[] = {{ONE}};
    weft_sse_event event;
    BEGIN();
    weft_sse *sse = open_sse(&world, WEFT_SSE(.reconnect = WEFT_OFF));
    expect(sse, "1", "");
    ASSERT_INT_EQ(weft_sse_next(sse, &event), 0);
    weft_sse_close(sse);
    /* Nor does a POST, which might do its work twice. */
    sse = open_sse(&world, WEFT_SSE(.method = "POST", .content = "{}", .content_len = 2,
                                    .content_type = "application/json",
                                    .headers = PAIRS({"accept", "text/event-stream, x/y"}),
                                    .params = PAIRS({"p", "1"})));
    SENT(1, "POST /x?q=1&p=1 HTTP/1.1\r\n");
    SENT(1, "\r\naccept: text/event-stream, x/y\r\n");
    SENT(1, "\r\n\r\n{}");
    expect(sse, "1", "");
    ASSERT_INT_EQ(weft_sse_next(sse, &event), 0);
    ASSERT_INT_EQ(world.wire.n_requests, 2);
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_silent_for_longer_than_its_heartbeat_is_connected_again)
{
    static const struct wire_answer answers[] = {{OPEN}, {ONE}};
    BEGIN(.timeout = WEFT_SEC(2), .read_timeout = WEFT_SEC(1));
    weft_sse *sse = open_sse(&world, WEFT_SSE(.heartbeat = WEFT_SEC(60), .last_event_id = "41"));
    SENT(0, "\r\nLast-Event-ID: 41\r\n");
    expect(sse, "3", "41");
    int64_t began = weft_now();
    expect(sse, "1", "41"); /* neither the client's time-outs nor its total time count */
    ASSERT_INT_GE(weft_now() - began, WEFT_SEC(61));
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_event_beyond_its_limit_ends_it)
{
    static const struct wire_answer answers[] = {
        {STREAM "\r\n: ping\n\ndata: 12345\n\ndata: 1234567890123456789012\n\n"}};
    weft_sse_event event;
    BEGIN();
    weft_sse *sse = open_sse(&world, WEFT_SSE(.max_event_size = 16));
    expect(sse, "12345", "");
    ASSERT_ERR(weft_sse_next(sse, &event), WEFT_ETOO_LONG);
    ASSERT_ERR(weft_sse_next(sse, &event), WEFT_ETOO_LONG);
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_id_that_no_field_can_hold_is_not_sent)
{
    static const struct wire_answer answers[] = {
        {STREAM "Content-Length: 18\r\n\r\nid: a\x01 b\ndata: 1\n\n"}, {ONE}};
    BEGIN();
    weft_sse *sse = open_sse(&world, WEFT_SSE(.headers = PAIRS({"last-event-id", "first"})));
    SENT(0, "\r\nlast-event-id: first\r\n");
    weft_sse_event event;
    ASSERT_INT_EQ(weft_sse_next(sse, &event), 1);
    ASSERT_INT_EQ(weft_sse_next(sse, &event), 1);
    ASSERT_INT_EQ(world.wire.n_requests, 2);
    weft_sse_close(sse);
    end(&world);
}

VIRTUAL_TEST(sse_id_of_an_event_that_did_not_end_is_not_sent)
{
    static const struct wire_answer answers[] = {
        {STREAM "Content-Length: 31\r\n\r\nid: 1\ndata: 1\n\nid: 2\ndata: torn"}, {ONE}};
    BEGIN();
    weft_sse *sse = open_sse(&world, WEFT_SSE(.min_wait = 1));
    expect(sse, "1", "1");
    expect(sse, "1", "1");
    SENT(1, "\r\nLast-Event-ID: 1\r\n");
    weft_sse_close(sse);
    end(&world);
}

/* At least what the server asks for, a quarter more at most, and never beyond an hour and that. */
VIRTUAL_TEST(sse_retry_of_a_server_is_digits_alone_and_bounded)
{
    static const struct {
        const char *field;
        int64_t least;
    } rows[] = {
        {"retry: 250\n", WEFT_MS(250)},
        {"retry:0\n", 0},
        {"retry: 3600000\n", WEFT_SEC(3600)},
        {"retry: 3600001\n", WEFT_SEC(3600)},
        {"retry: 9223372036854\n", WEFT_SEC(3600)},
        {"retry: 9223372036855\n", WEFT_SEC(1)}, /* beyond any time */
        {"retry: 18446744073709551616\n", WEFT_SEC(1)},
        {"retry: +5\n", WEFT_SEC(1)},
        {"retry: 5x\n", WEFT_SEC(1)},
        {"retry: 0x5\n", WEFT_SEC(1)},
        {"retry: 5.0\n", WEFT_SEC(1)},
        {"retry:  5\n", WEFT_SEC(1)},
        {"retry: -5\n", WEFT_SEC(1)},
        {"retry\n", WEFT_SEC(1)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, STREAM "Content-Length: %zu\r\n\r\n%sdata: 1\n\n",
                 strlen(rows[i].field) + 9, rows[i].field);
        const struct wire_answer answers[] = {{text}};
        BEGIN();
        weft_sse *sse = open_sse(&world, NULL);
        expect(sse, "1", "");
        int64_t began = weft_now();
        expect(sse, "1", "");
        int64_t took = weft_now() - began;
        if (took < rows[i].least || took > rows[i].least + rows[i].least / 4)
            test_fail(__FILE__, __LINE__, "%s: %lld ns", rows[i].field, (long long)took);
        weft_sse_close(sse);
        end(&world);
    }
}

VIRTUAL_TEST(sse_with_unfit_options_is_refused)
{
    static const struct wire_answer answers[] = {{ONE}};
    weft_sse *sse = NULL;
    BEGIN();
    ASSERT_ERR(weft_sse_open(world.client, NULL, NULL, &sse), -EINVAL);
    ASSERT_ERR(weft_sse_open(NULL, URL, NULL, &sse), -EINVAL);
    ASSERT_ERR(weft_sse_open(world.client, URL, WEFT_SSE(.heartbeat = -1), &sse), -EINVAL);
    ASSERT_ERR(weft_sse_open(world.client, URL, WEFT_SSE(.max_failures = -1), &sse), -EINVAL);
    ASSERT(sse == NULL);
    weft_sse_close(NULL);
    end(&world);
}

VIRTUAL_TEST(sse_cancelled_at_any_moment_loses_no_event)
{
    static const struct wire_answer answers[] = {
        {STREAM "Content-Length: 18\r\n\r\ndata: 1\n\ndata: 2\n\n", .takes = WEFT_MS(30)},
        {STREAM "Content-Length: 18\r\n\r\ndata: 3\n\ndata: 4\n\n", .takes = WEFT_MS(30)},
        {GONE}};
    weft_sse_event event;
    BEGIN();
    weft_sse *sse = open_sse(&world, NULL);
    char seen[16] = "";
    int cancelled = 0;
    for (;;) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_MS(7)); /* within reads, waits and connecting */
        int n = weft_sse_next(sse, &event);
        if (n == 1)
            strcat(seen, event.data);
        int err = weft_scope_exit(&scope, n < 0 ? n : 0);
        cancelled += err == -ETIMEDOUT;
        if (n == 0)
            break;
        ASSERT(n == 1 || err == -ETIMEDOUT);
        /* A request that was cut off is made again: let it through the second time. */
        if (n < 0 && world.wire.n_requests > 1 && cancelled > 300)
            test_fail(__FILE__, __LINE__, "no end");
        if (n < 0 && weft_sse_response(sse) == NULL && world.wire.n_requests >= 2)
            break;
    }
    ASSERT_INT_GT(cancelled, 100);
    ASSERT_MEM_EQ(seen, "12", 2);
    weft_sse_close(sse);
    end(&world);
}

static int two_events(void *arg)
{
    static const struct wire_answer answers[] = {{ONE}, {ONE}};
    struct world world;
    weft_sse *sse;
    weft_sse_event event;
    (void)arg;
    wire_start(&world.wire, answers, 2);
    int err = weft_client_new(NULL, &world.client);
    if (err == 0) {
        wire_serve(&world.wire, world.client);
        err = weft_sse_open(world.client, URL,
                            WEFT_SSE(.headers = PAIRS({"X-A", "b"}), .min_wait = 1), &sse);
        if (err == 0) {
            for (int i = 0; i < 2 && err >= 0; i++)
                err = weft_sse_next(sse, &event);
            weft_sse_close(sse);
        }
        weft_client_free(world.client);
    }
    wire_stop(&world.wire);
    return err < 0 ? err : 0;
}

TEST_WITH(sse_survives_every_fault, .limit_s = 60)
{
    FAULTS(two_events, NULL, .any_error = true);
}

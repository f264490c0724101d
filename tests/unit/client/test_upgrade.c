/* Responses before the final one, connections that go on by another protocol, links. */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "base/limits.h"
#include "call_world.h"
#include "fault.h"
#include "test.h"
#include "wire.h"

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
#define HINTS  "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"

/* ---- 1xx ---- */

struct seen {
    char text[512];
    int fails_at; /* from 1 */
    int n;
};

static int on_informational(void *userdata, const weft_informational_event *event)
{
    struct seen *seen = userdata;
    const char *link = weft_headers_get(event->headers, "link");
    size_t len = strlen(seen->text);
    if (++seen->n == seen->fails_at)
        return -EACCES;
    snprintf(seen->text + len, sizeof seen->text - len, "%s %s %d %s %d %d\n", event->method,
             event->url, event->status, link != NULL ? link : "-", event->attempt,
             event->redirects);
    return 0;
}

#define HOOKS .hooks = WEFT_HOOKS(.on_informational = on_informational, .userdata = &seen)

VIRTUAL_TEST(informational_responses_are_told)
{
    static const struct wire_answer answers[] = {
        {HINTS "HTTP/1.1 302 Found\r\nLocation: /y\r\n" EMPTY},
        {"HTTP/1.1 102 Processing\r\n\r\n" HINTS GOOD}};
    struct seen seen = {0};
    BEGIN(HOOKS, .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_STR_EQ(seen.text, "GET " URL " 103 </a.css>; rel=preload 1 0\n"
                             "GET http://example.org/y 102 - 1 1\n"
                             "GET http://example.org/y 103 </a.css>; rel=preload 1 1\n");
    end(&world);
}

VIRTUAL_TEST(informational_responses_are_passed_over_without_a_hook)
{
    static const struct wire_answer answers[] = {{HINTS HINTS GOOD}};
    BEGIN(.user_agent = "x");
    ASSERT_INT_EQ(GET(), 200);
    end(&world);
}

VIRTUAL_TEST(informational_hook_that_fails_ends_the_call)
{
    static const struct wire_answer answers[] = {{HINTS GOOD}};
    struct seen seen = {.fails_at = 1};
    weft_pool_stats stats;
    BEGIN(HOOKS);
    ASSERT_ERR(GET(), -EACCES);
    ASSERT_STR_HAS(weft_error_message(), "on_informational");
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active + stats.idle, KEPT);
    ASSERT_INT_EQ(GET(), 200);
    end(&world);
}

VIRTUAL_TEST(informational_responses_are_told_up_to_their_limit)
{
    static char text[WEFT__LIMIT_H1_INTERIM * 40 + 4096];
    static const char one[] = "HTTP/1.1 102 Processing\r\n\r\n";
    struct wire_answer answers[] = {{text}};
    for (int more = 0; more < 2; more++) {
        size_t len = 0;
        for (int i = 0; i < WEFT__LIMIT_H1_INTERIM + more; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", one);
        snprintf(text + len, sizeof text - len, "%s", GOOD);
        struct seen seen = {0};
        BEGIN(HOOKS);
        ASSERT_INT_EQ(GET(), more == 0 ? 200 : WEFT_EREMOTE_PROTOCOL);
        ASSERT_INT_EQ(seen.n, WEFT__LIMIT_H1_INTERIM + more * !test_is_over_h2());
        end(&world);
    }
}

VIRTUAL_TEST(informational_hook_sees_the_100_that_a_body_waits_for)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n" GOOD, .early = true}};
    struct seen seen = {0};
    weft_response *response;
    BEGIN(HOOKS);
    ASSERT_OK(weft_client_post(world.client, URL,
                               WEFT_REQUEST(.text = "abc", .expect_continue = true), &response));
    ASSERT_STR_EQ(seen.text, "POST " URL " 100 - 1 0\n");
    weft_response_free(response);
    end(&world);
}

/* ---- 101 ---- */

static void converse(weft_stream *stream, const char *first)
{
    char data[64];
    size_t len = strlen(first);
    ASSERT_OK(weft_stream_read_exact(stream, data, len));
    ASSERT_MEM_EQ(data, first, len);
    ASSERT_OK(weft_stream_write(stream, "ping\r\n\r\n", 8));
    ASSERT_OK(weft_stream_flush(stream));
    ASSERT_OK(weft_stream_read_exact(stream, data, 4));
    ASSERT_MEM_EQ(data, "pong", 4);
}

VIRTUAL_TEST(upgrade_gives_the_connection_away)
{
    static const struct wire_answer answers[] = {{SWITCH "echo\r\n\r\nhello"}, {"pong"}, {GOOD}};
    weft_response *response;
    weft_stream *stream;
    weft_pool_stats stats;
    for (int i = 0; i < 2; i++) {
        BEGIN(.bearer = "t", .max_connections = 1);
        const weft_request_options *options = WEFT_REQUEST(.upgrade = "echo, h9");
        if (i == 0)
            ASSERT_OK(weft_client_request(world.client, "GET", URL, options, &response));
        else
            ASSERT_OK(weft_client_stream(world.client, "GET", URL, options, &response));
        SENT(0, "\r\nConnection: Upgrade\r\n");
        SENT(0, "\r\nUpgrade: echo, h9\r\n");
        ASSERT_INT_EQ(weft_response_status(response), 101);
        ASSERT(weft_response_is_informational(response));
        ASSERT(!weft_response_is_closed(response));
        ASSERT_STR_EQ(weft_response_header(response, "upgrade"), "echo");
        ASSERT_INT_EQ(weft_response_elapsed(response), 0);
        ASSERT_OK(weft_response_take_stream(response, &stream));
        ASSERT(weft_response_is_closed(response));
        ASSERT_ERR(weft_response_take_stream(response, &stream), WEFT_ECLOSED);
        weft_response_free(response);
        /* Its place is free, though the pool has only one. */
        weft_client_pool_stats(world.client, &stats);
        ASSERT_INT_EQ(stats.active + stats.idle, 0);
        converse(stream, "hello");
        ASSERT_INT_EQ(GET(), 200);
        weft_stream_free(stream);
        end(&world);
    }
}

VIRTUAL_TEST(upgraded_stream_without_early_bytes_is_the_connection)
{
    static const struct wire_answer answers[] = {{SWITCH "ECHO\r\n\r\n"}, {"hipong"}};
    weft_response *response;
    weft_stream *stream;
    char data[64];
    BEGIN(.user_agent = "x");
    ASSERT_OK(
        weft_client_request(world.client, "GET", URL, WEFT_REQUEST(.upgrade = "echo"), &response));
    ASSERT_INT_EQ(weft_response_read(response, data, sizeof data), 0);
    ASSERT_OK(weft_response_take_stream(response, &stream));
    weft_response_free(response);
    ASSERT_OK(weft_stream_write(stream, "ho\r\n\r\n", 6));
    ASSERT_OK(weft_stream_flush(stream));
    /* No time-out of the client's is left on it. */
    ASSERT_OK(weft_stream_read_exact(stream, data, 6));
    ASSERT_INT_EQ(weft_stream_write_eof(stream), 0);
    weft_stream_free(stream);
    end(&world);
}

VIRTUAL_TEST(upgraded_stream_has_no_time_out)
{
    static const struct wire_answer answers[] = {{SWITCH "echo\r\n\r\n"},
                                                 {"late", .takes = WEFT_SEC(100)}};
    weft_response *response;
    weft_stream *stream;
    char data[64];
    BEGIN(.timeout = WEFT_SEC(10));
    ASSERT_OK(
        weft_client_request(world.client, "GET", URL, WEFT_REQUEST(.upgrade = "echo"), &response));
    ASSERT_OK(weft_response_take_stream(response, &stream));
    weft_response_free(response);
    ASSERT_OK(weft_stream_write(stream, "x\r\n\r\n", 5));
    ASSERT_OK(weft_stream_read_exact(stream, data, 4));
    weft_stream_free(stream);
    end(&world);
}

VIRTUAL_TEST(upgrade_that_is_declined_is_a_response_as_any_other)
{
    static const struct wire_answer answers[] = {{GOOD}, {"HTTP/1.1 426 X\r\n" EMPTY}};
    weft_response *response;
    weft_stream *stream;
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_get(world.client, URL, WEFT_REQUEST(.upgrade = "echo"), &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "ok");
    ASSERT_ERR(weft_response_take_stream(response, &stream), -EINVAL);
    weft_response_free(response);
    ASSERT_INT_EQ(GET(.upgrade = "echo"), 426);
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

VIRTUAL_TEST(upgrade_that_nobody_takes_ends_with_its_response)
{
    static const struct wire_answer answers[] = {{SWITCH "echo\r\n\r\nhello"}};
    weft_response *response;
    weft_stream *stream;
    weft_pool_stats stats;
    BEGIN(.user_agent = "x");
    ASSERT_INT_EQ(GET(.upgrade = "echo"), 101);
    ASSERT_OK(weft_client_get(world.client, URL, WEFT_REQUEST(.upgrade = "echo"), &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "");
    weft_response_close(response);
    ASSERT_ERR(weft_response_take_stream(response, &stream), WEFT_ECLOSED);
    weft_response_free(response);
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active + stats.idle, 0);
    end(&world);
}

VIRTUAL_TEST(upgrade_that_nobody_asked_for_is_refused)
{
    static const char *const texts[] = {
        SWITCH "other\r\n\r\n",       /* another protocol */
        SWITCH "echo, other\r\n\r\n", /* one more */
        SWITCH "\r\n\r\n",            /* none */
        "HTTP/1.1 101 X\r\nUpgrade: echo\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct wire_answer answers[] = {{texts[i]}};
        BEGIN(.user_agent = "x");
        ASSERT_INT_EQ(GET(.upgrade = "echo"), WEFT_EREMOTE_PROTOCOL);
        end(&world);
    }
    static const struct wire_answer answers[] = {{SWITCH "echo\r\n\r\n"}};
    BEGIN(.user_agent = "x");
    ASSERT_INT_EQ(GET(), WEFT_EREMOTE_PROTOCOL);
    /* A field of one's own is not enough: nobody would take the connection. */
    ASSERT_INT_EQ(GET(.headers = PAIRS({"Connection", "upgrade"}, {"Upgrade", "echo"})),
                  WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(GET(.upgrade = "a\r\nb"), WEFT_ELOCAL_PROTOCOL);
    end(&world);
}

VIRTUAL_TEST(upgrade_before_the_request_is_whole_is_refused)
{
    static const struct wire_answer answers[] = {{SWITCH "echo\r\n\r\n", .early = true}};
    weft_response *response;
    BEGIN(.user_agent = "x");
    ASSERT_ERR(
        weft_client_post(world.client, URL,
                         WEFT_REQUEST(.text = "abc", .expect_continue = true, .upgrade = "echo"),
                         &response),
        WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "in the middle of the request");
    end(&world);
}

/* ---- CONNECT ---- */

VIRTUAL_TEST(connect_gives_a_tunnel)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\nSSH-2.0"}, {"pong"}};
    weft_response *response;
    weft_stream *stream;
    BEGIN(.base_url = "http://proxy.test:3128");
    ASSERT_OK(weft_client_request(
        world.client, "CONNECT", "/",
        WEFT_REQUEST(.target = "example.org:22",
                     .headers = PAIRS({"Proxy-Authorization", "Basic a2ltOnB3"})),
        &response));
    ASSERT_MEM_EQ(world.wire.requests[0],
                  "CONNECT example.org:22 HTTP/1.1\r\nHost: example.org:22\r\n", 55);
    UNSENT(0, "Content-Length");
    ASSERT_OK(weft_response_take_stream(response, &stream));
    weft_response_free(response);
    converse(stream, "SSH-2.0");
    weft_stream_free(stream);
    end(&world);
}

VIRTUAL_TEST(connect_that_fails_has_a_body_and_no_tunnel)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 407 X\r\nContent-Length: 4\r\n\r\nwho?"},
        {"HTTP/1.1 302 X\r\nLocation: http://other.test/\r\nContent-Length: 0\r\n\r\n"}};
    weft_response *response;
    weft_stream *stream;
    BEGIN(.follow_redirects = WEFT_ON);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_request(world.client, "CONNECT", "http://proxy.test:3128/",
                                      WEFT_REQUEST(.target = "example.org:22"), &response));
        ASSERT_INT_EQ(weft_response_status(response), i == 0 ? 407 : 302);
        if (i == 0)
            ASSERT_STR_EQ(weft_response_text(response, NULL), "who?");
        ASSERT_ERR(weft_response_take_stream(response, &stream), -EINVAL);
        weft_response_free(response);
    }
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

VIRTUAL_TEST(connect_needs_a_host_and_a_port)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const char *const targets[] = {NULL, "example.org",      ":22",
                                          "/",  "example.org:22/x", "example.org:99999"};
    BEGIN(.user_agent = "x");
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        ASSERT_ERR(request(&world, "CONNECT", URL, WEFT_REQUEST(.target = targets[i])),
                   WEFT_ELOCAL_PROTOCOL);
    ASSERT_INT_EQ(world.wire.dials, 0);
    end(&world);
}

/* ---- links ---- */

VIRTUAL_TEST(links_lead_where_the_last_hop_says)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: http://other.org/list/1?n=2\r\n" EMPTY},
        {"HTTP/1.1 200 OK\r\n"
         "Link: </first>; rel=\"start first\", <2?n=2>; REL=Next; title=\"a, b; <c>\"\r\n"
         "Link: <?n=3>; rel=next\r\n"
         "Link: <//third.org/x>; rel=prev; anchor=\"/else\", <../up>; rel=prev\r\n"
         "Link: <http://[>; rel=broken, <>; rel=self, none\r\n" EMPTY}};
    static const struct {
        const char *rel;
        const char *url;
    } expected[] = {{"next", "http://other.org/list/2?n=2"},
                    {"FIRST", "http://other.org/first"},
                    {"start", "http://other.org/first"},
                    {"prev", "http://other.org/up"},
                    {"self", "http://other.org/list/1?n=2"}};
    weft_response *response;
    char *url;
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ASSERT_OK(weft_response_link(response, expected[i].rel, &url));
        ASSERT_STR_EQ(url, expected[i].url);
        weft_free(url);
    }
    ASSERT_ERR(weft_response_link(response, "last", &url), -ENOENT);
    ASSERT_ERR(weft_response_link(response, "broken", &url), WEFT_EREMOTE_PROTOCOL);
    weft_response_free(response);
    end(&world);
}

/* ---- faults ---- */

static int take_once(void *arg)
{
    static const struct wire_answer answers[] = {
        {HINTS SWITCH "echo\r\nLink: </n>; rel=next\r\n\r\nhello"}};
    struct seen seen = {0};
    struct wire wire;
    weft_client *client;
    weft_response *response = NULL;
    weft_stream *stream = NULL;
    char data[8];
    char *url = NULL;
    (void)arg;
    wire_start(&wire, answers, 1);
    int err = weft_client_new(WEFT_CLIENT(HOOKS), &client);
    if (err == 0) {
        wire_serve(&wire, client);
        err = weft_client_get(client, URL, WEFT_REQUEST(.upgrade = "echo"), &response);
        if (err == 0)
            err = weft_response_link(response, "next", &url);
        if (err == 0)
            err = weft_response_take_stream(response, &stream);
        if (err == 0)
            err = weft_stream_read_exact(stream, data, 5);
        weft_stream_free(stream);
        weft_free(url);
        weft_response_free(response);
        weft_client_free(client);
    }
    wire_stop(&wire);
    return err;
}

TEST(upgrade_survives_every_fault)
{
    FAULTS(take_once, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

/* Functions of a client that see requests, responses, connections; its log. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "test.h"

#define URL "http://example.org/x?q=1"
#include "call_world.h"

struct seen {
    int requests;
    int responses;
    int fails_request; /* at this one, from 1 */
    int fails_response;
    const char *header; /* to be set by on_request */
    bool reads;
    char text[1024];
    char log[2048];
    char trace[1024];
    int64_t last;
};

static void put(char *to, size_t size, const char *text)
{
    size_t len = strlen(to);
    snprintf(to + len, size - len, "%s\n", text);
}

static int on_request(void *userdata, const weft_request_event *event)
{
    struct seen *seen = userdata;
    const char *auth = weft_headers_get(event->headers, "authorization");
    char line[256];
    if (++seen->requests == seen->fails_request)
        return -EACCES;
    snprintf(line, sizeof line, "> %s %s %d %d %s", event->method, event->url, event->attempt,
             event->redirects, auth != NULL ? "auth" : "-");
    put(seen->text, sizeof seen->text, line);
    if (seen->header != NULL)
        return weft_headers_set(event->headers, seen->header, "hook");
    return 0;
}

static int on_response(void *userdata, weft_response *response)
{
    struct seen *seen = userdata;
    char line[256];
    if (++seen->responses == seen->fails_response)
        return -EACCES;
    if (seen->reads)
        ASSERT_OK(weft_response_read_all(response));
    else
        ASSERT(weft_response_text(response, NULL) == NULL);
    snprintf(line, sizeof line, "< %d %s", weft_response_status(response),
             weft_response_url(response));
    put(seen->text, sizeof seen->text, line);
    return 0;
}

static void take_line(void *userdata, const char *line)
{
    struct seen *seen = userdata;
    put(seen->log, sizeof seen->log, line);
}

static void trace(void *userdata, const weft_trace_event *event)
{
    static const char *const names[] = {
        "",          "connecting", "connected", "reused",  "answered",    "failed",
        "resolving", "resolved",   "dial",      "dialled", "not dialled", "tls",
        "tls ended", "sent",       "byte",      "body",    "closed"};
    struct seen *seen = userdata;
    char line[256];
    ASSERT(event->time >= seen->last);
    seen->last = event->time;
    snprintf(line, sizeof line, "%s %s %d", names[event->kind], event->authority,
             event->status != 0 ? event->status : event->error);
    put(seen->trace, sizeof seen->trace, line);
}

#define ALL                                                                                        \
    .hooks = WEFT_HOOKS(.on_request = on_request, .on_response = on_response, .log = take_line,    \
                        .trace = trace, .userdata = &seen)

VIRTUAL_TEST(hooks_fire_for_each_hop_after_auth_and_before_the_body)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 3\r\n\r\nabc"}, {GOOD}};
    struct seen seen = {.header = "X-Hook"};
    BEGIN(ALL, .bearer = "t", .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_STR_EQ(seen.text, "> GET " URL " 1 0 auth\n< 302 " URL "\n"
                             "> GET http://example.org/y 1 1 auth\n< 200 http://example.org/y\n");
    SENT(0, "\r\nX-Hook: hook\r\n");
    SENT(1, "\r\nX-Hook: hook\r\n");
    end(&world);
}

VIRTUAL_TEST(hooks_see_the_replies_that_auth_answers)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}};
    weft_auth *auth;
    struct seen seen = {0};
    ASSERT_OK(weft_auth_digest("kim", "pass", &auth));
    BEGIN(.auth = auth, ALL);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_STR_EQ(seen.text, "> GET " URL " 1 0 -\n< 401 " URL "\n"
                             "> GET " URL " 1 0 auth\n< 200 " URL "\n");
    end(&world);
}

VIRTUAL_TEST(hooks_see_every_attempt)
{
    static const struct wire_answer answers[] = {{"HTTP/1.1 503 X\r\n" EMPTY}, {GOOD}};
    struct seen seen = {0};
    BEGIN(ALL, .retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE}));
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_STR_EQ(seen.text, "> GET " URL " 1 0 -\n< 503 " URL "\n"
                             "> GET " URL " 2 0 -\n< 200 " URL "\n");
    end(&world);
}

VIRTUAL_TEST(hooks_that_fail_end_the_call)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct seen seen = {.fails_request = 1};
    BEGIN(ALL);
    ASSERT_ERR(GET(), -EACCES);
    ASSERT_STR_HAS(weft_error_message(), "on_request");
    ASSERT_INT_EQ(world.wire.dials, 0);
    seen.fails_request = 0;
    seen.fails_response = 1;
    ASSERT_ERR(GET(), -EACCES);
    ASSERT_STR_HAS(weft_error_message(), "on_response");
    weft_pool_stats stats;
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(GET(), 200);
    end(&world);
}

VIRTUAL_TEST(hooks_cannot_break_the_framing)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const char *const names[] = {"content-length", "Transfer-Encoding", "a b", "host"};
    for (size_t i = 0; i < 4; i++) {
        struct seen seen = {.header = names[i]};
        BEGIN(ALL);
        int status = GET();
        if (i < 3)
            ASSERT_INT_EQ(status, WEFT_ELOCAL_PROTOCOL);
        else
            SENT(0, "\r\nHost: hook\r\n");
        end(&world);
    }
}

VIRTUAL_TEST(hook_may_read_the_body)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct seen seen = {.reads = true};
    weft_response *response;
    BEGIN(ALL);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "ok");
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(log_has_a_line_for_each_request_and_no_secret)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: "
         "http://other.org/?a=1&X-Amz-Signature=hush#hush\r\n" EMPTY,
         .takes = WEFT_MS(5)},
        {GOOD},
        {.failed = true}};
    struct seen seen = {0};
    BEGIN(ALL, .bearer = "hush", .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(request(&world, "GET",
                          "http://kim:hush@example.org/p?q=1&api%5Fkey=hush&TOKEN=hush&code=hush",
                          WEFT_REQUEST(.params = PAIRS({"page_size", "2"}, {"sessionid", "hush"}))),
                  200);
    ASSERT_INT_LT(request(&world, "GET", "http://third.org/", NULL), 0);
    ASSERT_STR_EQ(
        seen.log,
        "GET http://example.org/p?q=1&api%5Fkey=***&TOKEN=***&code=***&page_size=2&sessionid=*** "
        "-> 302 (5.0 ms)\n"
        "GET http://other.org/?a=1&X-Amz-Signature=*** -> 200 (0.0 ms)\n"
        "GET http://third.org/ -> WEFT_EREFUSED (0.0 ms)\n");
    ASSERT_STR_LACKS(seen.log, "hush");
    end(&world);
}

VIRTUAL_TEST(trace_tells_what_connections_do)
{
    static const struct wire_answer answers[] = {{GOOD}, {GOOD}, {.failed = true}};
    struct seen seen = {0};
    BEGIN(ALL);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_LT(request(&world, "GET", "http://other.org/", NULL), 0);
    ASSERT_STR_EQ(seen.trace,
                  "connecting example.org 0\nconnected example.org 0\nsent example.org 0\n"
                  "byte example.org 0\nanswered example.org 200\nbody example.org 0\n"
                  "reused example.org 0\nsent example.org 0\nbyte example.org 0\n"
                  "answered example.org 200\nbody example.org 0\n"
                  "connecting other.org 0\nfailed other.org -10302\n");
    end(&world);
}

VIRTUAL_TEST(trace_tells_when_connections_are_closed)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"},
        {GOOD}};
    struct seen seen = {0};
    weft_response *response;
    BEGIN(ALL);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_STR_HAS(seen.trace,
                   "answered example.org 200\nbody example.org 0\nclosed example.org 0\n");
    seen.trace[0] = '\0';
    ASSERT_OK(weft_client_stream(world.client, "GET", "http://example.org:81/", NULL, &response));
    weft_response_free(response);
    ASSERT_STR_HAS(seen.trace, "body example.org:81 -10002\nclosed example.org:81 0\n");
    seen.trace[0] = '\0';
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_OK(weft_sleep(WEFT_SEC(6)));
    ASSERT_STR_HAS(seen.trace, "body example.org 0\nclosed example.org 0\n");
    end(&world);
}

VIRTUAL_TEST(trace_is_silent_once_its_client_is_freed)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"}};
    struct seen seen = {0};
    weft_response *response;
    BEGIN(ALL);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    seen.trace[0] = '\0';
    end(&world);
    weft_response_free(response);
    ASSERT_STR_EQ(seen.trace, "");
}

/* How a response came: the times of its phases, its connection, its request, its trailers. */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

#include "base/limits.h"
#include "call_world.h"
#include "fault.h"
#include "test.h"
#include "wire.h"

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static int64_t sum(const weft_timings *times)
{
    const int64_t phases[] = {times->before, times->queue, times->dns,        times->connect,
                              times->tls,    times->send,  times->first_byte, times->receive};
    int64_t all = 0;
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
        all += phases[i] > 0 ? phases[i] : 0;
    return all;
}

/* ---- over a network in memory ---- */

struct far {
    weft_testing_network *net;
    weft_group group;
    weft_client *client;
};

static int serve(void *arg)
{
    weft_listener *listener;
    weft_stream *stream;
    char head[2048];
    (void)arg;
    ASSERT_OK(weft_listen("0.0.0.0", 80, NULL, &listener));
    if (weft_listener_accept(listener, &stream) == 0) {
        while (weft_stream_read(stream, head, sizeof head) > 0) {
            if (weft_sleep(WEFT_MS(30)) < 0 ||
                weft_stream_write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 40) <
                    0 ||
                weft_stream_flush(stream) < 0 || weft_sleep(WEFT_MS(7)) < 0 ||
                weft_stream_write(stream, "cd", 2) < 0 || weft_stream_flush(stream) < 0)
                break;
        }
        weft_stream_free(stream);
    }
    weft_listener_close(listener);
    return 0;
}

static int serve_there(void *arg)
{
    struct far *far = arg;
    return weft_testing_host_run(far->net, "server", serve, NULL);
}

static void far_begin(struct far *far, const weft_client_options *options)
{
    static const char *const addresses[] = {"10.0.0.9", NULL};
    ASSERT_OK(weft_testing_network_new(
        WEFT_TESTING_NETWORK(.link = WEFT_TESTING_LINK(.latency = WEFT_MS(5))), &far->net));
    ASSERT_OK(weft_testing_host_add(far->net, "server", WEFT_TESTING_NAME(.addresses = addresses)));
    ASSERT_OK(weft_testing_name_set(
        far->net, "example.org", WEFT_TESTING_NAME(.addresses = addresses, .delay = WEFT_MS(20))));
    ASSERT_OK(weft_group_init(&far->group, NULL));
    ASSERT_OK(weft_group_spawn(&far->group, serve_there, far));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_client_new(options, &far->client));
}

static void far_end(struct far *far)
{
    weft_client_free(far->client);
    weft_group_cancel(&far->group, "over");
    weft_group_wait(&far->group);
    weft_testing_network_free(far->net);
}

VIRTUAL_TEST(timings_are_those_of_each_phase)
{
    struct far far;
    weft_response *response;
    weft_timings times;
    far_begin(&far, NULL);
    ASSERT_OK(weft_client_get(far.client, "http://example.org/", NULL, &response));
    weft_response_timings(response, &times);
    ASSERT_INT_EQ(times.before, 0);
    ASSERT_INT_EQ(times.queue, 0);
    ASSERT_INT_EQ(times.dns, WEFT_MS(20));
    ASSERT_INT_EQ(times.connect, WEFT_MS(10));
    ASSERT_INT_EQ(times.tls, -1);
    ASSERT_INT_EQ(times.send, 0);
    ASSERT_INT_EQ(times.first_byte, WEFT_MS(40));
    ASSERT_INT_EQ(times.receive, WEFT_MS(7));
    ASSERT_INT_EQ(times.total, WEFT_MS(77));
    ASSERT_INT_EQ(sum(&times), times.total);
    weft_response_free(response);
    ASSERT_OK(weft_client_get(far.client, "http://example.org/", NULL, &response));
    weft_response_timings(response, &times);
    ASSERT_INT_EQ(times.dns, -1);
    ASSERT_INT_EQ(times.connect, -1);
    ASSERT_INT_EQ(times.total, WEFT_MS(47));
    ASSERT_INT_EQ(sum(&times), times.total);
    weft_response_free(response);
    far_end(&far);
}

VIRTUAL_TEST(timings_of_a_stream_lack_what_is_not_over)
{
    struct far far;
    weft_response *response;
    weft_timings times;
    far_begin(&far, NULL);
    ASSERT_OK(weft_client_stream(far.client, "GET", "http://example.org/", NULL, &response));
    weft_response_timings(response, &times);
    ASSERT_INT_EQ(times.first_byte, WEFT_MS(40));
    ASSERT_INT_EQ(times.receive, -1);
    ASSERT_INT_EQ(times.total, -1);
    weft_response_free(response);
    far_end(&far);
}

VIRTUAL_TEST(connection_is_known_while_and_after_it_is_there)
{
    struct far far;
    weft_response *response;
    weft_connection_info info;
    char text[WEFT_ADDRESS_TEXT_MAX];
    uint64_t id = 0;
    far_begin(&far, NULL);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_get(far.client, "http://example.org/", NULL, &response));
        weft_response_connection(response, &info);
        ASSERT_INT_EQ(info.reused, i);
        ASSERT_INT_GT(info.id, 0);
        ASSERT(i == 0 || info.id == id);
        id = info.id;
        if (i == 0)
            weft_response_free(response);
    }
    far_end(&far);
    weft_response_connection(response, &info);
    ASSERT_STR_EQ(info.protocol, "HTTP/1.1");
    ASSERT_OK(weft_address_format(&info.peer, text, sizeof text));
    ASSERT_STR_EQ(text, "10.0.0.9:80");
    ASSERT_INT_GT(info.local.len, 0);
    ASSERT(info.tls_version == NULL && info.cipher == NULL && info.alpn == NULL);
    ASSERT(info.certificate == NULL && info.proxy == NULL);
    weft_response_free(response);
}

struct steps {
    char text[512];
    uint64_t connection;
};

static void note(void *userdata, const weft_trace_event *event)
{
    struct steps *steps = userdata;
    char address[WEFT_ADDRESS_TEXT_MAX] = "-";
    size_t len = strlen(steps->text);
    if (event->address != NULL)
        ASSERT_OK(weft_address_format(event->address, address, sizeof address));
    snprintf(steps->text + len, sizeof steps->text - len, "%d %s %s\n", (int)event->kind, address,
             event->error != 0 ? weft_error_name(event->error) : "");
    ASSERT(event->kind < WEFT_TRACE_SENT || event->connection != 0);
}

VIRTUAL_TEST(trace_tells_of_names_and_addresses)
{
    static const char *const addresses[] = {"10.0.0.8", "10.0.0.9", NULL};
    struct far far;
    struct steps steps = {0};
    weft_response *response;
    far_begin(&far, WEFT_CLIENT(.hooks = WEFT_HOOKS(.trace = note, .userdata = &steps)));
    ASSERT_OK(
        weft_testing_name_set(far.net, "two.example", WEFT_TESTING_NAME(.addresses = addresses)));
    ASSERT_OK(weft_client_get(far.client, "http://two.example/", NULL, &response));
    weft_response_free(response);
    /* The first address does not answer, the second is tried after 250 ms. */
    ASSERT_STR_EQ(steps.text, "1 - \n6 - \n7 - \n8 10.0.0.8:80 \n8 10.0.0.9:80 \n9 10.0.0.9:80 \n"
                              "10 10.0.0.8:80 ECANCELED\n2 - \n13 - \n14 - \n4 - \n15 - \n");
    steps.text[0] = '\0';
    ASSERT_ERR(weft_client_get(far.client, "http://nowhere.example/", NULL, &response),
               WEFT_EDNS_NOT_FOUND);
    ASSERT_STR_EQ(steps.text, "1 - \n6 - \n7 - WEFT_EDNS_NOT_FOUND\n5 - WEFT_EDNS_NOT_FOUND\n");
    far_end(&far);
}

/* ---- over streams in memory ---- */

VIRTUAL_TEST(timings_count_what_was_before)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /y\r\n" EMPTY, .takes = WEFT_MS(3)},
        {"HTTP/1.1 503 X\r\n" EMPTY, .takes = WEFT_MS(4)},
        {GOOD, .takes = WEFT_MS(5)}};
    weft_response *response;
    weft_timings times;
    BEGIN(.follow_redirects = WEFT_ON,
          .retry = WEFT_RETRY(.wait = {WEFT_WAIT_FIXED, .min = WEFT_MS(100)}));
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    weft_response_timings(response, &times);
    ASSERT_INT_EQ(times.before, WEFT_MS(107));
    ASSERT_INT_EQ(times.dns, -1);
    ASSERT_INT_EQ(times.first_byte, WEFT_MS(5));
    ASSERT_INT_EQ(times.total, WEFT_MS(112));
    ASSERT_INT_EQ(sum(&times), times.total);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(timings_of_no_time_at_all_are_over)
{
    static const struct wire_answer answers[] = {{GOOD}};
    weft_response *response;
    weft_timings times;
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    weft_response_timings(response, &times);
    ASSERT_INT_EQ(times.total, 0);
    ASSERT_INT_EQ(times.receive, 0);
    weft_response_free(response);
    end(&world);
}

struct second {
    weft_client *client;
    weft_timings times;
};

static int get_second(void *arg)
{
    struct second *second = arg;
    weft_response *response;
    ASSERT_OK(weft_client_get(second->client, URL, NULL, &response));
    weft_response_timings(response, &second->times);
    weft_response_free(response);
    return 0;
}

VIRTUAL_TEST(timings_have_the_wait_for_a_connection)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_MS(8)}};
    weft_group group;
    BEGIN(.max_connections = 1);
    struct second calls[2] = {{.client = world.client}, {.client = world.client}};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, get_second, &calls[0]));
    ASSERT_OK(weft_group_spawn(&group, get_second, &calls[1]));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(calls[1].times.queue, WEFT_MS(8));
    ASSERT_INT_EQ(calls[1].times.first_byte, WEFT_MS(8));
    ASSERT_INT_EQ(calls[1].times.total, WEFT_MS(16));
    end(&world);
}

static const char *sent(weft_response *response, const char *name)
{
    const weft_headers *headers = weft_response_request_headers(response);
    ASSERT(headers != NULL);
    return weft_headers_get(headers, name);
}

VIRTUAL_TEST(request_of_a_response_is_as_it_was_sent)
{
    static const struct wire_answer answers[] = {{GOOD}};
    weft_response *response;
    BEGIN(.bearer = "t", .user_agent = "x");
    for (int i = 0; i < 3; i++) {
        const weft_request_options *options =
            i == 0 ? NULL
            : i == 1
                ? WEFT_REQUEST(.text = "abc", .headers = PAIRS({"A", "1"}, {"Host", "h.org"}))
                : WEFT_REQUEST(.text = "abc", .headers = PAIRS({"Transfer-Encoding", "chunked"}));
        ASSERT_OK(weft_client_request(world.client, "PUT", URL, options, &response));
        ASSERT_STR_EQ(weft_response_request_method(response), "PUT");
        const weft_headers *headers = weft_response_request_headers(response);
        char text[1024] = "PUT /x HTTP/1.1\r\n";
        for (size_t n = 0; n < weft_headers_count(headers); n++) {
            weft_pair pair = weft_headers_at(headers, n);
            size_t len = strlen(text);
            snprintf(text + len, sizeof text - len, "%s: %s\r\n", pair.name, pair.value);
        }
        snprintf(text + strlen(text), sizeof text - strlen(text), "\r\n");
        ASSERT_MEM_EQ(world.wire.requests[i], text, strlen(text));
        ASSERT(weft_response_request_headers(response) == headers);
        weft_response_free(response);
    }
    end(&world);
}

VIRTUAL_TEST(request_of_each_hop_is_its_own)
{
    static const struct wire_answer answers[] = {{AWAY}, {GOOD}};
    weft_response *response;
    BEGIN(.bearer = "t", .follow_redirects = WEFT_ON);
    ASSERT_OK(weft_client_post(world.client, URL, WEFT_REQUEST(.text = "abc"), &response));
    ASSERT_STR_EQ(weft_response_request_method(response), "GET");
    ASSERT(sent(response, "authorization") == NULL);
    ASSERT_STR_EQ(sent(response, "host"), "other.org");
    ASSERT(sent(response, "content-length") == NULL);
    weft_response *first = (weft_response *)(uintptr_t)weft_response_history(response, 0);
    ASSERT_STR_EQ(weft_response_request_method(first), "POST");
    ASSERT_STR_EQ(sent(first, "authorization"), "Bearer t");
    ASSERT_STR_EQ(sent(first, "content-length"), "3");
    ASSERT_STR_EQ(sent(first, "host"), "example.org");
    end(&world);
    ASSERT_STR_EQ(sent(first, "content-type"), "text/plain; charset=utf-8");
    weft_response_free(response);
}

VIRTUAL_TEST(request_after_the_client_was_freed_is_still_known)
{
    static const struct wire_answer answers[] = {{GOOD}};
    weft_response *response;
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    end(&world);
    ASSERT_STR_EQ(sent(response, "user-agent"), "x");
    weft_response_free(response);
}

VIRTUAL_TEST(request_of_a_hedged_call_is_known)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_SEC(1)}, {GOOD}};
    weft_response *response;
    BEGIN(.retry = WEFT_RETRY(.hedge_after = WEFT_MS(10)));
    ASSERT_OK(
        weft_client_get(world.client, URL, WEFT_REQUEST(.headers = PAIRS({"A", "1"})), &response));
    ASSERT_STR_EQ(sent(response, "a"), "1");
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(response_that_was_not_read_ends_its_connection)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello"}, {GOOD}};
    weft_response *response;
    weft_pool_stats stats;
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active, 1);
    weft_response_free(response);
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.active + stats.idle, KEPT);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(world.wire.dials, 2);
    end(&world);
}

VIRTUAL_TEST(trailers_are_there_once_the_body_is_over)
{
    static const struct wire_answer answers[] = {
        {CHUNKED "3\r\nabc\r\n0\r\nDigest: x\r\nSet-Cookie: a=1\r\nDIGEST: y\r\n\r\n"},
        {CHUNKED "0\r\n\r\n"}};
    weft_response *response;
    char data[16];
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_headers_count(weft_response_trailers(response)), 0);
    while (weft_response_read(response, data, sizeof data) > 0)
        continue;
    const weft_headers *trailers = weft_response_trailers(response);
    ASSERT_INT_EQ(weft_headers_count(trailers), 3);
    ASSERT_STR_EQ(weft_headers_get_nth(trailers, "digest", 1), "y");
    ASSERT(weft_response_header(response, "digest") == NULL);
    weft_cookie *cookies;
    size_t n;
    ASSERT_OK(weft_cookies_list(weft_client_cookies(world.client), &cookies, &n));
    ASSERT_INT_EQ(n, 0);
    weft_free(cookies);
    weft_response_free(response);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_INT_EQ(weft_headers_count(weft_response_trailers(response)), 0);
    weft_response_free(response);
    end(&world);
}

static int get_with_trailers(size_t fields, size_t bytes)
{
    static char text[64 * 1024];
    struct wire_answer answers[] = {{text}};
    size_t len = (size_t)snprintf(text, sizeof text, CHUNKED "0\r\n");
    for (size_t i = 0; i < fields; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "A%zu: %0*d\r\n", i,
                                (int)(bytes / fields), 0);
    snprintf(text + len, sizeof text - len, "\r\n");
    weft_response *response;
    BEGIN(.user_agent = "x");
    int err = weft_client_get(world.client, URL, NULL, &response);
    if (err == 0) {
        err = (int)weft_headers_count(weft_response_trailers(response));
        weft_response_free(response);
    }
    end(&world);
    return err;
}

VIRTUAL_TEST(trailers_beyond_their_limits_are_refused)
{
    ASSERT_INT_EQ(get_with_trailers(WEFT__LIMIT_H1_TRAILER_FIELDS, 64), 64);
    ASSERT_ERR(get_with_trailers(WEFT__LIMIT_H1_TRAILER_FIELDS + 1, 65), WEFT_EHEADER_TOO_LARGE);
    ASSERT_INT_EQ(get_with_trailers(1, WEFT__LIMIT_H1_TRAILERS - 100), 1);
    ASSERT_ERR(get_with_trailers(1, WEFT__LIMIT_H1_TRAILERS + 100), WEFT_EHEADER_TOO_LARGE);
}

/* ---- faults ---- */

static int ask_everything(void *arg)
{
    static const struct wire_answer answers[] = {{AWAY},
                                                 {CHUNKED "3\r\nabc\r\n0\r\nDigest: x\r\n\r\n"}};
    struct wire wire;
    weft_client *client;
    weft_response *response = NULL;
    weft_timings times;
    weft_connection_info info;
    (void)arg;
    wire_start(&wire, answers, 2);
    int err = weft_client_new(WEFT_CLIENT(.follow_redirects = WEFT_ON), &client);
    if (err == 0) {
        wire_serve(&wire, client);
        err = weft_client_post(client, URL, WEFT_REQUEST(.text = "a"), &response);
        if (err == 0 && weft_response_request_headers(response) == NULL)
            err = -ENOMEM;
        if (err == 0) {
            weft_response_timings(response, &times);
            weft_response_connection(response, &info);
        }
        weft_response_free(response);
        weft_client_free(client);
    }
    wire_stop(&wire);
    return err;
}

TEST(exchange_survives_every_fault)
{
    FAULTS(ask_everything, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

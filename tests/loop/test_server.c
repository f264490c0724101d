/* test_server.c - the server on sockets: conversations, limits, stopping. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weft/net.h>

#include "certs.h"
#include "server_harness.h"
#include "test.h"

#define HI                                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi"
#define GET_HI "GET /hi HTTP/1.1\r\nHost: a\r\n\r\n"

static int serve(void *arg)
{
    return weft_server_serve(arg);
}

/* A server that serves in a task of group. */
static weft_server *start(weft_group *group, const weft_server_options *options)
{
    weft_server *server = harness_server(options);
    ASSERT_OK(weft_server_listen(server));
    ASSERT_OK(weft_group_init(group, NULL));
    ASSERT_OK(weft_group_spawn(group, serve, server));
    return server;
}

static void end(weft_group *group, weft_server *server)
{
    weft_server_stop(server, WEFT_SEC(5));
    ASSERT_OK(weft_group_wait(group));
    ASSERT_INT_EQ(weft_server_connections(server), 0);
    weft_server_free(server);
}

static weft_stream *dial(const weft_server *server)
{
    weft_stream *stream;
    ASSERT_OK(weft_dial("127.0.0.1", weft_server_port(server), NULL, &stream));
    return stream;
}

static void say(weft_stream *stream, const char *text)
{
    ASSERT_OK(weft_stream_write(stream, text, strlen(text)));
}

static void hear(weft_stream *stream, const char *expected)
{
    char reply[4096];
    char copy[4096];
    size_t len = 0;
    do {
        int64_t n = weft_stream_read(stream, reply + len, sizeof reply - 1 - len);
        ASSERT_OK((int)n);
        ASSERT_INT_GT(n, 0);
        len += (size_t)n;
        reply[len] = '\0';
        memcpy(copy, reply, len + 1);
        harness_normalise(copy);
    } while (strlen(copy) < strlen(expected));
    ASSERT_STR_EQ(copy, expected);
}

static void hear_end(weft_stream *stream)
{
    char byte;
    ASSERT_INT_EQ(weft_stream_read(stream, &byte, 1), 0);
}

/* ---- conversations ---- */

static void converse(const weft_server *server, const struct server_case *one, bool in_drops)
{
    static char reply[65536];
    static char expected[65536];
    weft_stream *stream = dial(server);
    size_t len = harness_request_len(one);
    for (size_t at = 0; at < len && in_drops; at++) {
        if (weft_stream_write(stream, one->request + at, 1) < 0)
            break;
        weft_stream_flush(stream);
    }
    if (!in_drops)
        ASSERT_OK(weft_stream_write(stream, one->request, len));
    weft_stream_write_eof(stream);
    harness_read_all(stream, reply, sizeof reply);
    weft_stream_free(stream);
    harness_normalise(reply);
    harness_expected(one, expected, sizeof expected);
    if (strcmp(reply, expected) != 0)
        printf("case %s\n", one->name);
    ASSERT_STR_EQ(reply, expected);
}

TASK_TEST(server_cases_over_tcp_have_their_replies)
{
    weft_group group;
    weft_server *server =
        start(&group, WEFT_SERVER(.body_max = 100, .head_max = 2048, .fields_max = 20));
    for (size_t i = 0; i < n_server_cases; i++)
        converse(server, &server_cases[i], false);
    for (size_t i = 0; i < n_server_cases; i++)
        converse(server, &server_cases[i], !server_cases[i].long_one);
    end(&group, server);
}

struct visitor {
    const weft_server *server;
    int n;
};

static int visit(void *arg)
{
    struct visitor *visitor = arg;
    weft_stream *stream = dial(visitor->server);
    for (int i = 0; i < visitor->n; i++) {
        say(stream, GET_HI);
        hear(stream, HI);
    }
    weft_stream_free(stream);
    return 0;
}

TASK_TEST(server_serves_many_connections_at_once)
{
    weft_group group;
    weft_server *server = start(&group, NULL);
    struct visitor visitors[100];
    for (size_t i = 0; i < 100; i++)
        visitors[i] = (struct visitor){server, 10};
    ASSERT_OK(weft_map(visit, visitors, 100, sizeof visitors[0], WEFT_MAP(.limit = 50)));
    end(&group, server);
}

TASK_TEST(server_two_in_one_loop_serve_both)
{
    weft_group groups[2];
    weft_server *a = start(&groups[0], NULL);
    /* Groups nest: the second server is a child of the first one's group in time only. */
    weft_server *b = start(&groups[1], NULL);
    ASSERT_INT_NE(weft_server_port(a), weft_server_port(b));
    visit(&(struct visitor){a, 3});
    visit(&(struct visitor){b, 3});
    end(&groups[1], b);
    visit(&(struct visitor){a, 3});
    end(&groups[0], a);
}

static int on_peer(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[WEFT_ADDRESS_TEXT_MAX];
    weft_address peer;
    (void)arg;
    int err = weft_server_request_peer(request, &peer);
    if (err < 0 || (err = weft_address_format(&peer, text, sizeof text)) < 0)
        return err;
    text[10] = '\0';
    return weft_reply_text(reply, 200, text);
}

TASK_TEST(server_knows_its_peer)
{
    weft_group group;
    weft_server *server = start(&group, NULL);
    ASSERT_OK(weft_server_route(server, "GET", "/peer", on_peer, NULL));
    weft_stream *stream = dial(server);
    say(stream, "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 10\r\n\r\n127.0.0.1:");
    weft_stream_free(stream);
    end(&group, server);
}

TASK_TEST(server_on_a_unix_socket_serves)
{
    weft_group group;
    weft_server *server = start(&group, WEFT_SERVER(.unix_path = test_path("sock")));
    weft_stream *stream;
    ASSERT_OK(weft_dial_unix(test_path("sock"), &stream));
    say(stream, GET_HI);
    hear(stream, HI);
    weft_stream_free(stream);
    ASSERT_INT_EQ(weft_server_port(server), 0);
    end(&group, server);
}

/* ---- stopping ---- */

TASK_TEST(server_stop_ends_idle_connections_at_once)
{
    weft_group group;
    weft_server *server = start(&group, NULL);
    weft_stream *used = dial(server);
    weft_stream *fresh = dial(server);
    say(used, GET_HI);
    hear(used, HI);
    int64_t began = weft_now();
    weft_server_stop(server, WEFT_SEC(15));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_LT(weft_now() - began, WEFT_SEC(10));
    hear_end(used);
    weft_stream_free(used);
    weft_stream_free(fresh);
    weft_server_free(server);
}

struct slow {
    weft_server *server;
    int64_t sleep;
    int result;
    bool entered;
};

static int on_slow(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct slow *slow = arg;
    (void)request;
    slow->entered = true;
    slow->result = weft_sleep(slow->sleep);
    return slow->result < 0 ? slow->result : weft_reply_text(reply, 200, "slow");
}

static weft_stream *ask_slow(weft_server *server, struct slow *slow)
{
    ASSERT_OK(weft_server_route(server, "GET", "/slow", on_slow, slow));
    weft_stream *stream = dial(server);
    say(stream, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" GET_HI);
    while (!slow->entered)
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
    return stream;
}

TASK_TEST(server_stop_lets_a_busy_connection_end_its_reply)
{
    weft_group group;
    struct slow slow = {.sleep = WEFT_MS(100)};
    weft_server *server = start(&group, NULL);
    weft_stream *stream = ask_slow(server, &slow);
    weft_server_stop(server, WEFT_SEC(15));
    hear(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 4\r\nConnection: close\r\n\r\nslow");
    hear_end(stream);
    weft_stream *late;
    ASSERT_INT_LT(weft_dial("127.0.0.1", weft_server_port(server), NULL, &late), 0);
    weft_stream_free(stream);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.result, 0);
    weft_server_free(server);
}

TASK_TEST(server_stop_cancels_after_the_grace)
{
    weft_group group;
    struct slow slow = {.sleep = WEFT_SEC(100)};
    weft_server *server = start(&group, NULL);
    weft_stream *stream = ask_slow(server, &slow);
    int64_t began = weft_now();
    weft_server_stop(server, WEFT_MS(50));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_GE(weft_now() - began, WEFT_MS(50));
    ASSERT_INT_EQ(slow.result, -ECANCELED);
    weft_stream_free(stream);
    weft_server_free(server);
}

TASK_TEST(server_second_stop_shortens_the_grace)
{
    weft_group group;
    struct slow slow = {.sleep = WEFT_SEC(100)};
    weft_server *server = start(&group, NULL);
    weft_stream *stream = ask_slow(server, &slow);
    weft_server_stop(server, WEFT_FOREVER);
    ASSERT_OK(weft_sleep(WEFT_MS(20)));
    ASSERT_INT_EQ(slow.result, 0);
    weft_server_stop(server, 0);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.result, -ECANCELED);
    weft_stream_free(stream);
    weft_server_free(server);
}

static int on_stop(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    weft_server_stop(*(weft_server **)arg, WEFT_SEC(5));
    return weft_reply_text(reply, 200, "stopped");
}

TASK_TEST(server_stopped_by_a_handler_still_replies)
{
    weft_group group;
    weft_server *server = start(&group, NULL);
    ASSERT_OK(weft_server_route(server, "POST", "/stop", on_stop, &server));
    weft_stream *stream = dial(server);
    say(stream, "POST /stop HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 7\r\nConnection: close\r\n\r\nstopped");
    hear_end(stream);
    weft_stream_free(stream);
    ASSERT_OK(weft_group_wait(&group));
    weft_server_free(server);
}

TASK_TEST(server_stopped_before_serving_returns_at_once)
{
    weft_server *server = harness_server(NULL);
    ASSERT_OK(weft_server_listen(server));
    weft_server_stop(server, 0);
    ASSERT_OK(weft_server_serve(server));
    /* And may begin anew. */
    weft_group group;
    ASSERT_OK(weft_server_listen(server));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve, server));
    visit(&(struct visitor){server, 1});
    end(&group, server);
}

TASK_TEST(server_cancelled_serve_cancels_its_connections)
{
    weft_group group;
    struct slow slow = {.sleep = WEFT_SEC(100)};
    weft_server *server = start(&group, NULL);
    weft_stream *stream = ask_slow(server, &slow);
    weft_stream *idle = dial(server);
    weft_group_cancel(&group, "test");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(slow.result, -ECANCELED);
    ASSERT_INT_EQ(weft_server_connections(server), 0);
    weft_stream_free(stream);
    weft_stream_free(idle);
    weft_server_free(server);
}

/* ---- limits and misuse ---- */

TASK_TEST(server_at_its_connection_limit_lets_others_wait)
{
    weft_group group;
    weft_server *server = start(&group, WEFT_SERVER(.max_connections = 2));
    weft_stream *a = dial(server);
    weft_stream *b = dial(server);
    say(a, GET_HI);
    say(b, GET_HI);
    hear(a, HI);
    hear(b, HI);
    weft_stream *c = dial(server);
    say(c, GET_HI);
    ASSERT_OK(weft_sleep(WEFT_MS(30)));
    ASSERT_INT_EQ(weft_server_connections(server), 2);
    weft_stream_free(a);
    hear(c, HI);
    weft_stream_free(b);
    weft_stream_free(c);
    end(&group, server);
}

TASK_TEST(server_without_descriptors_goes_on_when_there_are_some)
{
    enum { N = 8 };
    weft_group group;
    weft_stream *streams[N];
    struct rlimit old;
    if (test_under_valgrind())
        SKIP("Valgrind accepts a connection and closes it where the kernel would say EMFILE");
    weft_server *server = harness_server(NULL);
    ASSERT_OK(weft_server_listen(server));
    for (int i = 0; i < N; i++) {
        streams[i] = dial(server);
        say(streams[i], GET_HI);
        ASSERT_OK(weft_stream_flush(streams[i]));
    }
    int next = dup(0);
    close(next);
    ASSERT_INT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)next + 2, .rlim_max = old.rlim_max};
    ASSERT_INT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve, server));
    hear(streams[0], HI);
    hear(streams[1], HI);
    ASSERT_OK(weft_sleep(WEFT_MS(10)));
    ASSERT_INT_EQ(weft_server_connections(server), 2);
    ASSERT_INT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 2; i < N; i++)
        hear(streams[i], HI);
    for (int i = 0; i < N; i++)
        weft_stream_free(streams[i]);
    end(&group, server);
}

TASK_TEST(server_misuse_is_refused)
{
    weft_server *server;
    weft_server_options empty = {.size = 0};
    ASSERT_ERR(weft_server_new(&empty, &server), -EINVAL);
    ASSERT_ERR(weft_server_new(WEFT_SERVER(.unix_path = "/x", .port = 80), &server), -EINVAL);
    ASSERT_OK(weft_server_new(NULL, &server));
    ASSERT_ERR(weft_server_route(server, "GET", NULL, on_slow, NULL), -EINVAL);
    ASSERT_ERR(weft_server_route(server, "GET", "/", NULL, NULL), -EINVAL);
    ASSERT_ERR(weft_server_static(server, NULL, "/"), -EINVAL);
    ASSERT_OK(weft_server_listen(server));
    ASSERT_ERR(weft_server_listen(server), -EALREADY);
    weft_server_free(server);
    ASSERT_OK(weft_server_new(WEFT_SERVER(.host = "not an address"), &server));
    ASSERT_INT_LT(weft_server_listen(server), 0);
    ASSERT_INT_LT(weft_server_serve(server), 0);
    weft_server_free(server);
    weft_server_free(NULL);
}

/* ---- TLS ---- */

static weft_tls *server_settings(const char *const *alpn)
{
    weft_tls *tls;
    ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = certs_good(), .alpn = alpn), &tls));
    return tls;
}

TASK_TEST(server_with_tls_serves)
{
    weft_group group;
    weft_tls *client_tls;
    weft_stream *stream;
    weft_tls *tls = server_settings((const char *const[]){"http/1.1", NULL});
    ASSERT_OK(weft_tls_new_client(
        WEFT_TLS(.ca_file = certs_ca(), .alpn = (const char *const[]){"http/1.1", NULL}),
        &client_tls));
    weft_server *server = start(&group, WEFT_SERVER(.tls = tls));
    ASSERT_OK(weft_server_route(server, "GET", "/peer", on_peer, NULL));
    ASSERT_OK(weft_tls_connect(client_tls, dial(server), "localhost", &stream));
    say(stream, GET_HI "GET /peer HTTP/1.1\r\nHost: a\r\n\r\nBAD\r\n\r\n");
    hear(stream, HI "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                    "Content-Length: 10\r\n\r\n127.0.0.1:HTTP/1.1 400 Bad Request\r\n"
                    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n"
                    "Connection: close\r\n\r\n400 Bad Request\n");
    hear_end(stream);
    weft_stream_free(stream);
    end(&group, server);
    weft_tls_free(client_tls);
    weft_tls_free(tls);
}

TASK_TEST(server_with_tls_ends_a_plain_connection_and_a_silent_one)
{
    weft_group group;
    char bytes[64];
    weft_tls *tls = server_settings(NULL);
    weft_server *server = start(&group, WEFT_SERVER(.tls = tls, .head_timeout = WEFT_MS(50)));
    weft_stream *silent = dial(server);
    weft_stream *stream = dial(server);
    say(stream, GET_HI);
    while (weft_stream_read(stream, bytes, sizeof bytes) > 0)
        continue;
    weft_stream_free(stream);
    while (weft_stream_read(silent, bytes, sizeof bytes) > 0)
        continue;
    weft_stream_free(silent);
    while (weft_server_connections(server) > 0)
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
    end(&group, server);
    weft_tls_free(tls);
}

TASK_TEST(server_does_not_speak_http_1_where_another_protocol_was_agreed)
{
    weft_group group;
    weft_tls *client_tls;
    weft_stream *stream;
    char bytes[64];
    const char *const h2[] = {"h2", NULL};
    weft_tls *tls = server_settings(h2);
    ASSERT_OK(weft_tls_new_client(WEFT_TLS(.ca_file = certs_ca(), .alpn = h2), &client_tls));
    weft_server *server = start(&group, WEFT_SERVER(.tls = tls));
    ASSERT_OK(weft_tls_connect(client_tls, dial(server), "localhost", &stream));
    ASSERT_INT_LE(weft_stream_read(stream, bytes, sizeof bytes), 0);
    weft_stream_free(stream);
    end(&group, server);
    weft_tls_free(client_tls);
    weft_tls_free(tls);
}

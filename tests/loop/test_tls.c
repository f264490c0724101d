/* test_tls.c - TLS: the suite of all streams over memory and over TCP, and what only TLS has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/net.h>
#include <weft/testing.h>
#include <weft/tls.h>

#include "certs.h"
#include "stream/stream_int.h"
#include "stream_suite.h"
#include "tls/tls_int.h"

/* ---- both sides ---- */

struct side {
    weft_tls *tls;
    weft_stream *below;
    const char *name;
    weft_stream *stream;
    int err;
};

/* Failures are looked at by the test: they do not cancel the other side. */
static int run_client(void *arg)
{
    struct side *side = arg;
    side->err = weft_tls_connect(side->tls, side->below, side->name, &side->stream);
    return 0;
}

static int run_server(void *arg)
{
    struct side *side = arg;
    side->err = weft_tls_accept(side->tls, side->below, &side->stream);
    return 0;
}

static weft_tls *client_of(const weft_tls_options *options)
{
    weft_tls *tls;
    ASSERT_OK(weft_tls_new_client(options, &tls));
    return tls;
}

static weft_tls *server_of(const weft_tls_options *options)
{
    weft_tls *tls;
    ASSERT_OK(weft_tls_new_server(options, &tls));
    return tls;
}

static weft_tls *good_client(void)
{
    return client_of(WEFT_TLS(.ca_file = certs_ca()));
}

static weft_tls *good_server(void)
{
    return server_of(WEFT_TLS(.cert_file = certs_good()));
}

/* Takes both settings. */
static void shake(weft_tls *client, weft_tls *server, const char *name, struct side *a,
                  struct side *b)
{
    *a = (struct side){.tls = client, .name = name};
    *b = (struct side){.tls = server};
    ASSERT_OK(weft_stream_pair(0, &a->below, &b->below));
    run_both(run_client, a, run_server, b);
}

static void end(struct side *a, struct side *b)
{
    weft_stream_free(a->stream);
    weft_stream_free(b->stream);
    weft_tls_free(a->tls);
    weft_tls_free(b->tls);
}

static void make_tls_memory(weft_stream **a, weft_stream **b)
{
    struct side client, server;
    shake(good_client(), good_server(), "localhost", &client, &server);
    ASSERT_OK(client.err);
    ASSERT_OK(server.err);
    weft_tls_free(client.tls);
    weft_tls_free(server.tls);
    *a = client.stream;
    *b = server.stream;
}

static int connect_tcp(void *arg)
{
    struct side *side = arg;
    ASSERT_OK(weft_dial("127.0.0.1", (uint16_t)atoi(side->name), NULL, &side->below));
    side->name = "localhost";
    return run_client(side);
}

struct listening {
    struct side side;
    weft_listener *listener;
};

static int accept_tcp(void *arg)
{
    struct listening *listening = arg;
    ASSERT_OK(weft_listener_accept(listening->listener, &listening->side.below));
    return run_server(&listening->side);
}

/* What the other ways add lies below TLS, and OpenSSL takes seconds a test there. */
static void once_under_valgrind(void)
{
    if (test_under_valgrind())
        SKIP("one way of TLS is enough under Valgrind");
}

static void make_tls_tcp(weft_stream **a, weft_stream **b)
{
    once_under_valgrind();
    char port[8];
    struct listening server = {.side = {.tls = good_server()}};
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &server.listener));
    snprintf(port, sizeof port, "%u", weft_listener_port(server.listener));
    struct side client = {.tls = good_client(), .name = port};
    run_both(connect_tcp, &client, accept_tcp, &server);
    weft_listener_close(server.listener);
    ASSERT_OK(client.err);
    ASSERT_OK(server.side.err);
    weft_tls_free(client.tls);
    weft_tls_free(server.side.tls);
    *a = client.stream;
    *b = server.side.stream;
}

/* The server's side is the first: whoever reads and writes more is not the point. */
static void make_tls_reversed(weft_stream **a, weft_stream **b)
{
    make_tls_tcp(b, a);
}

static void make_tls_in_tls(weft_stream **a, weft_stream **b)
{
    once_under_valgrind();
    struct side client = {.tls = good_client(), .name = "localhost"};
    struct side server = {.tls = good_server()};
    make_tls_memory(&client.below, &server.below);
    run_both(run_client, &client, run_server, &server);
    ASSERT_OK(client.err);
    ASSERT_OK(server.err);
    weft_tls_free(client.tls);
    weft_tls_free(server.tls);
    *a = client.stream;
    *b = server.stream;
}

STREAM_SUITE(tls_memory, make_tls_memory, true, WEFT_BACKEND_DEFAULT)
STREAM_SUITE(tls_tcp, make_tls_tcp, true, WEFT_BACKEND_DEFAULT)
STREAM_SUITE(tls_reversed, make_tls_reversed, true, WEFT_BACKEND_DEFAULT)
STREAM_SUITE(tls_in_tls, make_tls_in_tls, true, WEFT_BACKEND_DEFAULT)

/* ---- whom to trust ---- */

/* The client's error for a certificate, and a part of its message. */
static void expect_refused(const weft_tls_options *trust, const char *cert, const char *name,
                           const char *message)
{
    struct side a, b;
    shake(client_of(trust), server_of(WEFT_TLS(.cert_file = cert)), name, &a, &b);
    ASSERT_INT_EQ(a.err, WEFT_ETLS_VERIFY);
    ASSERT_INT_LT(b.err, 0);
    end(&a, &b);
    /* Once more alone, for the message: gather has taken it from the task. */
    weft_stream *near, *far;
    weft_tls *client = client_of(trust);
    struct side server = {.tls = server_of(WEFT_TLS(.cert_file = cert))};
    weft_group group;
    ASSERT_OK(weft_stream_pair(0, &near, &far));
    server.below = far;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_server, &server));
    ASSERT_ERR(weft_tls_connect(client, near, name, &near), WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(weft_error_message(), message);
    ASSERT_OK(weft_group_wait(&group));
    weft_tls_free(client);
    weft_tls_free(server.tls);
}

static void expect_accepted(const weft_tls_options *trust, const char *cert, const char *name)
{
    struct side a, b;
    shake(client_of(trust), server_of(WEFT_TLS(.cert_file = cert)), name, &a, &b);
    ASSERT_OK(a.err);
    ASSERT_OK(b.err);
    end(&a, &b);
}

static const weft_tls_options *our_ca(void)
{
    static weft_tls_options options = {.size = sizeof options};
    options.ca_file = certs_ca();
    return &options;
}

TASK_TEST(tls_names_and_addresses_of_the_certificate_are_accepted)
{
    const char *cert = certs_make(CERT(.file = "c.pem", .san = "DNS:a.example,DNS:*.b.example,"
                                                               "DNS:xn--bcher-kva.example,"
                                                               "IP:192.0.2.7,IP:2001:db8::1"));
    expect_accepted(our_ca(), cert, "a.example");
    expect_accepted(our_ca(), cert, "A.Example");
    expect_accepted(our_ca(), cert, "a.example.");
    expect_accepted(our_ca(), cert, "www.b.example");
    expect_accepted(our_ca(), cert, "xn--bcher-kva.example");
    expect_accepted(our_ca(), cert, "192.0.2.7");
    expect_accepted(our_ca(), cert, "2001:db8::1");
    expect_accepted(our_ca(), cert, "[2001:db8::1]");
}

TASK_TEST(tls_wrong_host_is_named_with_the_right_ones)
{
    const char *cert = certs_make(CERT(.file = "c.pem", .san = "DNS:a.example,IP:192.0.2.7"));
    expect_refused(our_ca(), cert, "b.example",
                   "hostname mismatch: wanted b.example, certificate is for a.example, 192.0.2.7");
    expect_refused(our_ca(), cert, "192.0.2.8", "IP address mismatch: wanted 192.0.2.8");
    expect_refused(our_ca(), cert, "xa.example", "hostname mismatch");
}

TASK_TEST(tls_wildcards_cover_one_whole_label)
{
    const char *cert = certs_make(CERT(.file = "c.pem", .san = "DNS:*.b.example,DNS:w*.c.example"));
    expect_refused(our_ca(), cert, "b.example", "mismatch");
    expect_refused(our_ca(), cert, "x.y.b.example", "mismatch");
    expect_refused(our_ca(), cert, "www.c.example", "mismatch");
}

TASK_TEST(tls_address_as_a_dns_name_is_refused)
{
    const char *cert = certs_make(CERT(.file = "c.pem", .san = "DNS:192.0.2.7,DNS:*"));
    expect_refused(our_ca(), cert, "192.0.2.7", "mismatch");
}

TASK_TEST(tls_common_name_alone_is_refused)
{
    const char *cert = certs_make(CERT(.file = "c.pem", .cn = "a.example"));
    expect_refused(our_ca(), cert, "a.example", "certificate is for no name at all");
}

TASK_TEST(tls_expired_certificate_is_refused)
{
    const char *cert =
        certs_make(CERT(.file = "c.pem", .san = "DNS:a.example", .begin_days = -9, .end_days = -2));
    expect_refused(our_ca(), cert, "a.example", "certificate of a.example has expired on 20");
}

TASK_TEST(tls_certificate_of_the_future_is_refused)
{
    const char *cert =
        certs_make(CERT(.file = "c.pem", .san = "DNS:a.example", .begin_days = 2, .end_days = 9));
    expect_refused(our_ca(), cert, "a.example", "not yet valid");
}

TASK_TEST(tls_self_signed_certificate_is_refused)
{
    const char *cert =
        certs_make(CERT(.file = "c.pem", .san = "DNS:a.example", .self_signed = true));
    expect_refused(our_ca(), cert, "a.example", "certificate of a.example is self-signed");
}

TASK_TEST(tls_unknown_issuer_is_refused)
{
    const char *cert =
        certs_make(CERT(.file = "c.pem", .san = "DNS:a.example", .unknown_ca = true));
    expect_refused(our_ca(), cert, "a.example", "unknown issuer");
}

TASK_TEST(tls_system_store_does_not_know_the_test_authority)
{
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    expect_refused(NULL, certs_good(), "localhost", "unknown issuer");
}

TASK_TEST(tls_store_of_the_environment_is_used)
{
    setenv("SSL_CERT_FILE", certs_ca(), 1);
    expect_accepted(NULL, certs_good(), "localhost");
    setenv("SSL_CERT_FILE", "", 1);
    expect_refused(NULL, certs_good(), "localhost", "unknown issuer");
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", certs_ca_dir(), 1);
    expect_accepted(NULL, certs_good(), "localhost");
}

TASK_TEST(tls_hashed_folder_is_used)
{
    expect_accepted(WEFT_TLS(.ca_dir = certs_ca_dir()), certs_good(), "localhost");
}

TASK_TEST(tls_certificate_for_clients_is_refused_of_a_server)
{
    const char *cert =
        certs_make(CERT(.file = "c.pem", .san = "DNS:a.example", .usage = "clientAuth"));
    expect_refused(our_ca(), cert, "a.example", "unsuitable certificate purpose");
}

TASK_TEST(tls_no_verify_takes_anything)
{
    const weft_tls_options *trust = WEFT_TLS(.insecure_no_verify = true);
    const char *cert = certs_make(CERT(.file = "c.pem", .self_signed = true));
    expect_accepted(trust, cert, "a.example");
    expect_accepted(trust, cert, NULL);
}

TASK_TEST(tls_name_is_needed_to_verify)
{
    struct side a, b;
    shake(good_client(), good_server(), NULL, &a, &b);
    ASSERT_INT_EQ(a.err, -EINVAL);
    ASSERT_INT_LT(b.err, 0);
    end(&a, &b);
    shake(good_client(), good_server(), ".", &a, &b);
    ASSERT_INT_EQ(a.err, -EINVAL);
    end(&a, &b);
}

TASK_TEST(tls_client_certificate_is_asked_for_and_checked)
{
    struct side a, b;
    const char *good = certs_make(CERT(.file = "me.pem", .cn = "me", .usage = "clientAuth"));
    const char *bad =
        certs_make(CERT(.file = "you.pem", .cn = "you", .usage = "clientAuth", .unknown_ca = true));
    const char *all[] = {good, bad, NULL};
    for (int i = 0; i < 3; i++) {
        weft_tls *client = client_of(WEFT_TLS(.ca_file = certs_ca(), .cert_file = all[i]));
        weft_tls *server = server_of(WEFT_TLS(.cert_file = certs_good(), .ca_file = certs_ca()));
        shake(client, server, "localhost", &a, &b);
        ASSERT_INT_EQ(b.err, i == 0 ? 0 : i == 1 ? WEFT_ETLS_VERIFY : WEFT_ETLS);
        end(&a, &b);
    }
}

/* ---- settings ---- */

TEST(tls_bad_files_are_named)
{
    weft_tls *tls;
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.ca_file = "/nowhere/ca.pem"), &tls), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "/nowhere/ca.pem");
    ASSERT_ERR(weft_tls_new_server(WEFT_TLS(.cert_file = "/nowhere/c.pem"), &tls), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "/nowhere/c.pem");
    ASSERT_ERR(weft_tls_new_server(NULL, &tls), -EINVAL);
    ASSERT_ERR(weft_tls_new_server(WEFT_TLS(.cert_file = certs_ca()), &tls), WEFT_ETLS);
    const char *other = certs_make(CERT(.file = "other.pem"));
    ASSERT_ERR(weft_tls_new_server(WEFT_TLS(.cert_file = certs_good(), .key_file = other), &tls),
               WEFT_ETLS);
    ASSERT_STR_HAS(weft_error_message(), "mismatch");
    const char *const empty[] = {"", NULL};
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.alpn = empty), &tls), -EINVAL);
    weft_tls_free(NULL);
}

TASK_TEST(tls_settings_of_the_wrong_side_are_refused)
{
    weft_stream *a, *b, *ret;
    weft_tls *client = good_client();
    weft_tls *server = good_server();
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    ASSERT_ERR(weft_tls_connect(server, a, "localhost", &ret), -EINVAL);
    ASSERT_ERR(weft_tls_accept(client, b, &ret), -EINVAL);
    weft_tls_free(client);
    weft_tls_free(server);
}

static void expect_alpn(const char *const *client, const char *const *server, const char *wanted)
{
    struct side a, b;
    shake(client_of(WEFT_TLS(.ca_file = certs_ca(), .alpn = client)),
          server_of(WEFT_TLS(.cert_file = certs_good(), .alpn = server)), "localhost", &a, &b);
    ASSERT_OK(a.err);
    ASSERT_OK(b.err);
    if (wanted == NULL) {
        ASSERT(weft_tls_alpn(a.stream) == NULL);
        ASSERT(weft_tls_alpn(b.stream) == NULL);
    } else {
        ASSERT_STR_EQ(weft_tls_alpn(a.stream), wanted);
        ASSERT_STR_EQ(weft_tls_alpn(b.stream), wanted);
    }
    end(&a, &b);
}

TASK_TEST(tls_alpn_is_chosen_by_the_server)
{
    const char *const h2[] = {"h2", "http/1.1", NULL};
    const char *const h1[] = {"http/1.1", "h2", NULL};
    const char *const only[] = {"http/1.1", NULL};
    expect_alpn(h2, h1, "http/1.1");
    expect_alpn(h1, h2, "h2");
    expect_alpn(h2, only, "http/1.1");
    expect_alpn(NULL, h2, NULL);
    expect_alpn(h2, NULL, NULL);
}

TASK_TEST(tls_alpn_without_a_common_protocol_fails)
{
    struct side a, b;
    const char *const h2[] = {"h2", NULL};
    const char *const odd[] = {"odd/1", NULL};
    shake(client_of(WEFT_TLS(.ca_file = certs_ca(), .alpn = h2)),
          server_of(WEFT_TLS(.cert_file = certs_good(), .alpn = odd)), "localhost", &a, &b);
    ASSERT_INT_EQ(a.err, WEFT_ETLS);
    ASSERT_INT_EQ(b.err, WEFT_ETLS);
    end(&a, &b);
}

TASK_TEST(tls_version_and_cipher_are_told)
{
    struct side a, b;
    shake(good_client(), good_server(), "localhost", &a, &b);
    ASSERT_STR_EQ(weft_tls_version(a.stream), "TLSv1.3");
    ASSERT_STR_HAS(weft_tls_cipher(a.stream), "TLS_");
    ASSERT(weft_tls_version(weft_stream_below(a.stream)) == NULL);
    ASSERT(weft_tls_cipher(weft_stream_below(a.stream)) == NULL);
    end(&a, &b);
}

static void expect_version(int version, bool good)
{
    struct side a, b;
    weft_tls *server = good_server();
    SSL_CTX_set_min_proto_version(server->ctx, version);
    SSL_CTX_set_max_proto_version(server->ctx, version);
    SSL_CTX_set_security_level(server->ctx, 0);
    shake(good_client(), server, "localhost", &a, &b);
    ASSERT_INT_EQ(a.err == 0, good);
    end(&a, &b);
}

TASK_TEST(tls_versions_below_1_2_are_refused)
{
    expect_version(TLS1_VERSION, false);
    expect_version(TLS1_1_VERSION, false);
    expect_version(TLS1_2_VERSION, true);
    expect_version(TLS1_3_VERSION, true);
}

/* ---- sessions ---- */

/* One connection with a byte each way, which brings the tickets; was it resumed? */
static bool connect_once(weft_tls *client, weft_tls *server, const char *name)
{
    struct side a, b;
    char c;
    shake(client, server, name, &a, &b);
    ASSERT_OK(a.err);
    ASSERT_OK(b.err);
    ASSERT_OK(weft_stream_write(b.stream, "x", 1));
    ASSERT_OK(weft_stream_read_exact(a.stream, &c, 1));
    const struct weft__tls_conn *conn = a.stream->self;
    bool resumed = SSL_session_reused(conn->ssl);
    weft_stream_free(a.stream);
    weft_stream_free(b.stream);
    return resumed;
}

static void check_resumption(int version)
{
    weft_tls *client = good_client();
    weft_tls *server = server_of(
        WEFT_TLS(.cert_file = certs_make(CERT(.file = "c.pem", .san = "DNS:localhost,DNS:b"))));
    SSL_CTX_set_max_proto_version(server->ctx, version);
    ASSERT(!connect_once(client, server, "localhost"));
    for (int i = 0; i < 5; i++)
        ASSERT(connect_once(client, server, "localhost"));
    /* Never across names. */
    ASSERT(!connect_once(client, server, "b"));
    /* Nor across settings. */
    weft_tls *other = good_client();
    ASSERT(!connect_once(other, server, "localhost"));
    weft_tls_free(other);
    weft_tls_free(client);
    weft_tls_free(server);
}

TASK_TEST(tls_session_is_resumed_with_1_3)
{
    check_resumption(TLS1_3_VERSION);
}

TASK_TEST(tls_session_is_resumed_with_1_2)
{
    check_resumption(TLS1_2_VERSION);
}

TASK_TEST(tls_ticket_of_1_3_is_used_once)
{
    weft_tls *client = good_client();
    weft_tls *server = good_server();
    ASSERT(!connect_once(client, server, "localhost"));
    size_t n = client->n_sessions;
    ASSERT_INT_GT(n, 0);
    SSL_SESSION *session = weft__tls_session_take(client, "localhost");
    ASSERT(session != NULL);
    SSL_SESSION_free(session);
    ASSERT_INT_EQ(client->n_sessions, n - 1);
    weft_tls_free(client);
    weft_tls_free(server);
}

TASK_TEST(tls_kept_sessions_are_bounded)
{
    weft_tls *client = good_client();
    weft_tls *server = good_server();
    connect_once(client, server, "localhost");
    SSL_SESSION *session = weft__tls_session_take(client, "localhost");
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "host%d", i / 20);
        SSL_SESSION_up_ref(session);
        weft__tls_session_put(client, name, session);
        ASSERT_INT_LE(client->n_sessions, 256);
    }
    ASSERT_INT_EQ(client->n_sessions, 256);
    ASSERT(weft__tls_session_take(client, "host0") == NULL);
    SSL_SESSION *newest = weft__tls_session_take(client, "host49");
    ASSERT(newest == session);
    SSL_SESSION_free(newest);
    SSL_SESSION_free(session);
    weft_tls_free(client);
    weft_tls_free(server);
}

TASK_TEST(tls_expired_session_is_not_offered)
{
    weft_tls *client = good_client();
    weft_tls *server = good_server();
    connect_once(client, server, "localhost");
    SSL_SESSION *session = SSL_SESSION_dup(client->sessions[0].session);
    SSL_SESSION_set_time(session, 1000);
    weft__tls_session_put(client, "old", session);
    ASSERT(weft__tls_session_take(client, "old") == NULL);
    weft_tls_free(client);
    weft_tls_free(server);
}

/* ---- broken peers ---- */

struct raw {
    weft_stream *stream;
    const void *data;
    size_t len;
    bool stays;
};

static int talk_raw(void *arg)
{
    struct raw *raw = arg;
    char data[4096];
    weft_stream_read(raw->stream, data, sizeof data);
    ASSERT_OK(weft_stream_write(raw->stream, raw->data, raw->len));
    while (raw->stays && weft_stream_read(raw->stream, data, sizeof data) > 0)
        continue;
    weft_stream_close(raw->stream);
    weft_stream_free(raw->stream);
    return 0;
}

static void expect_failure(const void *data, size_t len, bool stays, const char *message)
{
    weft_stream *a, *ret;
    struct raw raw = {.data = data, .len = len, .stays = stays};
    weft_tls *client = good_client();
    weft_group group;
    ASSERT_OK(weft_stream_pair(0, &a, &raw.stream));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, talk_raw, &raw));
    ASSERT_ERR(weft_tls_connect(client, a, "localhost", &ret), WEFT_ETLS);
    ASSERT_STR_HAS(weft_error_message(), "TLS handshake with localhost: ");
    ASSERT_STR_HAS(weft_error_message(), message);
    ASSERT_OK(weft_group_wait(&group));
    weft_tls_free(client);
}

TASK_TEST(tls_plain_http_gets_a_plain_sentence)
{
    const char reply[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    expect_failure(reply, sizeof reply - 1, true, "does not speak TLS");
}

TASK_TEST(tls_garbage_fails)
{
    char garbage[300];
    fill_pattern(garbage, sizeof garbage, 5, 0);
    expect_failure(garbage, sizeof garbage, true, "");
}

TASK_TEST(tls_closing_peer_fails_the_handshake)
{
    expect_failure("", 0, false, "the peer closed the connection");
    expect_failure("\x16\x03\x03", 3, false, "the peer closed the connection");
}

static int serve_plain_client(void *arg)
{
    struct side *side = arg;
    ASSERT_ERR(weft_tls_accept(side->tls, side->below, &side->stream), WEFT_ETLS);
    ASSERT_STR_HAS(weft_error_message(), "does not speak TLS");
    return 0;
}

TASK_TEST(tls_server_tells_a_plain_client_apart)
{
    weft_stream *a;
    struct side server = {.tls = good_server()};
    const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_OK(weft_stream_pair(0, &a, &server.below));
    ASSERT_OK(weft_stream_write(a, request, sizeof request - 1));
    serve_plain_client(&server);
    weft_stream_free(a);
    weft_tls_free(server.tls);
}

TASK_TEST(tls_silent_peer_is_left_at_the_timeout)
{
    weft_stream *a, *b, *ret;
    weft_tls *client = good_client();
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    weft_stream_set_timeout(a, WEFT_MS(20), WEFT_MS(20));
    ASSERT_ERR(weft_tls_connect(client, a, "localhost", &ret), WEFT_EREAD_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "TLS handshake with localhost");
    weft_stream_free(b);
    weft_tls_free(client);
}

TASK_TEST(tls_end_without_close_notify_is_truncation)
{
    weft_stream *a, *b;
    char data[8];
    make_tls_memory(&a, &b);
    ASSERT_OK(weft_stream_write(b, "body", 4));
    ASSERT_OK(weft_stream_close(weft_stream_below(b)));
    ASSERT_OK(weft_stream_read_exact(a, data, 4));
    ASSERT_ERR((int)weft_stream_read(a, data, 1), WEFT_ETRUNCATED);
    ASSERT_STR_HAS(weft_error_message(), "without close_notify");
    ASSERT_ERR((int)weft_stream_read(a, data, 1), WEFT_ETRUNCATED);
    ASSERT_ERR(weft_stream_write(a, "x", 1), WEFT_ETRUNCATED);
    weft_stream_free(a);
    weft_stream_free(b);
}

TASK_TEST(tls_changed_record_is_refused)
{
    weft_stream *a, *b;
    char data[8];
    make_tls_memory(&a, &b);
    const char forged[] = "\x17\x03\x03\x00\x18 123456789012345678901234";
    ASSERT_OK(weft_stream_write(weft_stream_below(b), forged, sizeof forged - 1));
    ASSERT_ERR((int)weft_stream_read(a, data, 1), WEFT_ETLS);
    ASSERT_ERR((int)weft_stream_read(a, data, 1), WEFT_ETLS);
    weft_stream_free(a);
    weft_stream_free(b);
}

TASK_TEST(tls_key_update_is_answered_by_the_reader)
{
    weft_stream *a, *b;
    char data[8];
    make_tls_memory(&a, &b);
    const struct weft__tls_conn *conn = b->self;
    for (int i = 0; i < 3; i++) {
        ASSERT(SSL_key_update(conn->ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        ASSERT_OK(weft_stream_write(b, "new key", 7));
        ASSERT_OK(weft_stream_read_exact(a, data, 7));
        ASSERT_OK(weft_stream_write(a, "yes", 3));
        ASSERT_OK(weft_stream_read_exact(b, data, 3));
    }
    weft_stream_free(a);
    weft_stream_free(b);
}

/* As Apache does for a folder that wants certificates. */
TASK_TEST(tls_certificate_is_shown_when_it_is_asked_for_late)
{
    const char *ours = certs_make(CERT(.file = "late.pem", .usage = "clientAuth"));
    const char *const all[] = {ours, NULL};
    for (int i = 0; i < 2; i++) {
        struct side a, b;
        char data[8];
        shake(client_of(WEFT_TLS(.ca_file = certs_ca(), .cert_file = all[i])), good_server(),
              "localhost", &a, &b);
        ASSERT_OK(a.err);
        SSL *ssl = ((struct weft__tls_conn *)b.stream->self)->ssl;
        ASSERT(SSL_CTX_load_verify_locations(SSL_get_SSL_CTX(ssl), certs_ca(), NULL) == 1);
        ASSERT_OK(weft_stream_write(a.stream, "request", 7));
        ASSERT_OK(weft_stream_read_exact(b.stream, data, 7));
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        ASSERT(SSL_verify_client_post_handshake(ssl) == 1 && SSL_do_handshake(ssl) == 1);
        ASSERT_OK(weft_stream_write(b.stream, "answer", 6));
        ASSERT_OK(weft_stream_read_exact(a.stream, data, 6));
        ASSERT_OK(weft_stream_write(a.stream, "next", 4));
        ASSERT_OK(weft_stream_read_exact(b.stream, data, 4));
        X509 *shown = SSL_get1_peer_certificate(ssl);
        ASSERT((shown != NULL) == (all[i] != NULL));
        X509_free(shown);
        end(&a, &b);
    }
}

/* One record for a head and its body, not two. */
TASK_TEST(tls_small_slices_share_a_record)
{
    weft_stream *a, *b;
    char record[256];
    make_tls_memory(&a, &b);
    /* The tickets lie before it. */
    char c;
    ASSERT_OK(weft_stream_write(b, "x", 1));
    ASSERT_OK(weft_stream_read_exact(a, &c, 1));
    ASSERT_OK(weft_stream_writev(b, (const weft_slice[]){{"head", 4}, {"body", 4}}, 2));
    int64_t n = weft_stream_read(weft_stream_below(a), record, sizeof record);
    ASSERT_INT_EQ(n, 5 + 8 + 1 + 16);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* ---- faults ---- */

/* A handshake and a word each way, with one thing broken; 0 where it succeeded all the same. */
static int faulty_conversation(uint64_t cancel_at, uint64_t fail_at)
{
    weft_stream *near;
    weft_stream *stream = NULL;
    weft_scope scope;
    weft_group group;
    char data[5];
    weft_tls *client = good_client();
    struct side server = {.tls = good_server()};
    ASSERT_OK(weft_stream_pair(0, &near, &server.below));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, run_server, &server));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(fail_at == 0 ? &scope : NULL, cancel_at);
    weft_testing_fail_alloc(fail_at, false);
    int err = weft_tls_connect(client, near, "localhost", &stream);
    if (err == 0)
        err = weft_stream_write(stream, "hello", 5);
    bool written = err == 0;
    weft_testing_fail_alloc(0, false);
    weft_testing_cancel_at(NULL, 0);
    err = weft_scope_exit(&scope, err);
    ASSERT_OK(weft_group_wait(&group));
    if (written && server.stream != NULL) {
        ASSERT_OK(weft_stream_read_exact(server.stream, data, 5));
        ASSERT_MEM_EQ(data, "hello", 5);
    }
    weft_stream_free(stream);
    weft_stream_free(server.stream);
    weft_tls_free(client);
    weft_tls_free(server.tls);
    return err;
}

TASK_TEST(tls_handshake_cancelled_at_every_checkpoint)
{
    for (uint64_t nth = 1; nth < 25; nth++)
        faulty_conversation(nth, 0);
    ASSERT_OK(faulty_conversation(0, 0));
}

TASK_TEST(tls_handshake_with_every_allocation_failed)
{
    int failed = 0;
    for (uint64_t nth = 1; nth < 40; nth++)
        failed += faulty_conversation(0, nth) < 0;
    ASSERT_INT_GT(failed, 3);
    ASSERT_OK(faulty_conversation(0, 0));
}

TEST(tls_settings_with_every_allocation_failed)
{
    const char *const alpn[] = {"h2", NULL};
    const char *ca = certs_ca();
    for (uint64_t nth = 1;; nth++) {
        weft_tls *tls = NULL;
        weft_testing_fail_alloc(nth, false);
        int err = weft_tls_new_client(WEFT_TLS(.ca_file = ca, .alpn = alpn), &tls);
        weft_testing_fail_alloc(0, false);
        weft_tls_free(tls);
        if (err == 0)
            break;
        ASSERT_INT_EQ(err, -ENOMEM);
        ASSERT_INT_LT(nth, 20);
    }
}

/* test_client_http2.c - HTTP/2 over real sockets and TLS: what the two sides agree upon. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <weft.h>

#include "../unit/client/h2_fake.h"
#include "certs.h"
#include "test.h"

struct site {
    struct h2_fake fake;
    weft_listener *listener;
    weft_tls *tls;
    char base[64];
    int by_h1; /* connections */
    int by_h2;
};

struct guest {
    struct site *site;
    weft_stream *stream;
};

static void serve_h1(weft_stream *stream)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    weft_reader *reader;
    char *line;
    ASSERT_OK(weft_reader_new(stream, 4096, &reader));
    while (weft_reader_read_until(reader, "\r\n\r\n", &line) > 0) {
        if (weft_stream_write(stream, reply, sizeof reply - 1) < 0 || weft_stream_flush(stream) < 0)
            break;
    }
    weft_reader_free(reader);
    weft_stream_free(stream);
}

static int receive(void *arg)
{
    struct guest guest = *(struct guest *)arg;
    struct site *site = guest.site;
    weft_stream *stream;
    if (weft_tls_accept(site->tls, guest.stream, &stream) < 0)
        return 0;
    const char *alpn = weft_tls_alpn(stream);
    if (alpn != NULL && strcmp(alpn, "h2") == 0) {
        site->by_h2++;
        return h2_fake_converse(&site->fake, stream);
    }
    site->by_h1++;
    serve_h1(stream);
    return 0;
}

static int serve_h2(void *arg)
{
    struct guest guest = *(struct guest *)arg;
    return h2_fake_converse(&guest.site->fake, guest.stream);
}

static int listen_on(void *arg)
{
    struct guest guest = {.site = arg};
    int err;
    while ((err = weft_listener_accept(guest.site->listener, &guest.stream)) == 0)
        ASSERT_OK(weft_group_spawn(&guest.site->fake.group, receive, &guest));
    return err;
}

static void site_start(struct site *site, const struct h2_act *acts, size_t n,
                       const char *const *alpn)
{
    *site = (struct site){.by_h1 = 0};
    ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = certs_good(), .alpn = alpn), &site->tls));
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &site->listener));
    snprintf(site->base, sizeof site->base, "https://127.0.0.1:%u",
             weft_listener_port(site->listener));
    h2_fake_start(&site->fake, acts, n);
    ASSERT_OK(weft_group_spawn(&site->fake.group, listen_on, site));
}

static void site_stop(struct site *site)
{
    h2_fake_stop(&site->fake);
    weft_listener_close(site->listener);
    weft_tls_free(site->tls);
}

static void expect(weft_client *client, const char *version)
{
    weft_response *response;
    ASSERT_OK(weft_client_post(client, "/", NULL, &response));
    ASSERT_INT_EQ(weft_response_status(response), 200);
    ASSERT_STR_EQ(weft_response_http_version(response), version);
    weft_response_free(response);
}

static const char *const both[] = {"h2", "http/1.1", NULL};
static const char *const only_h1[] = {"http/1.1", NULL};

TASK_TEST(h2_is_spoken_where_both_sides_want_it)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    struct site site;
    weft_client *client;
    site_start(&site, acts, 1, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    for (int i = 0; i < 3; i++)
        expect(client, "HTTP/2");
    ASSERT_INT_EQ(site.by_h2, 1);
    weft_client_free(client);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca()), &client));
    expect(client, "HTTP/1.1");
    weft_client_free(client);
    site_stop(&site);
}

TASK_TEST(h2_is_not_spoken_with_a_server_of_http1)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    struct site site;
    weft_client *client;
    weft_response *response;
    site_start(&site, acts, 1, only_h1);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    for (int i = 0; i < 3; i++)
        expect(client, "HTTP/1.1");
    ASSERT_INT_EQ(site.by_h1, 1);
    weft_client_free(client);
    /* Where there is nothing to agree upon, the handshake fails. */
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http1 = WEFT_OFF), &client));
    ASSERT_INT_LT(weft_client_get(client, "/", NULL, &response), 0);
    weft_client_free(client);
    site_stop(&site);
}

TASK_TEST(h2_wish_for_http1_falls_back_over_tls)
{
    static const struct h2_act acts[] = {{.kind = H2_RESET, .code = 13}};
    struct site site;
    weft_client *client;
    site_start(&site, acts, 1, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    for (int i = 0; i < 3; i++)
        expect(client, "HTTP/1.1");
    ASSERT_INT_EQ(site.by_h2, 1);
    ASSERT_INT_EQ(site.by_h1, 1);
    weft_client_free(client);
    site_stop(&site);
}

TASK_TEST(h2_upgrade_goes_by_http1)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    struct site site;
    weft_client *client;
    weft_response *response;
    site_start(&site, acts, 1, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    expect(client, "HTTP/2");
    ASSERT_OK(weft_client_get(client, "/", WEFT_REQUEST(.upgrade = "websocket"), &response));
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    weft_response_free(response);
    expect(client, "HTTP/2");
    ASSERT_INT_EQ(site.by_h2, 1);
    weft_client_free(client);
    site_stop(&site);
}

/* ---- tunnels ---- */

static void converse(weft_response *response)
{
    weft_stream *stream;
    weft_address address;
    char data[4];
    ASSERT_INT_EQ(weft_response_status(response), 200);
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/2");
    ASSERT_OK(weft_response_take_stream(response, &stream));
    weft_response_free(response);
    ASSERT_OK(weft_stream_write(stream, "ping", 4));
    ASSERT_OK(weft_stream_read_exact(stream, data, 4));
    ASSERT_MEM_EQ(data, "ping", 4);
    ASSERT_OK(weft_stream_peer_address(stream, &address));
    ASSERT_OK(weft_stream_local_address(stream, &address));
    ASSERT_STR_EQ(weft_tls_alpn(stream), "h2");
    ASSERT_OK(weft_stream_write_eof(stream));
    ASSERT_INT_EQ(weft_stream_read(stream, data, 1), 0);
    ASSERT_OK(weft_stream_close(stream));
    weft_stream_free(stream);
}

static int connect_to(weft_client *client, weft_response **ret)
{
    return weft_client_request(client, "CONNECT", "/", WEFT_REQUEST(.target = "far.test:22"), ret);
}

TASK_TEST(h2_connect_goes_over_the_connection_of_all)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}, {.kind = H2_ECHO}, {.body = 3}};
    struct site site;
    weft_client *client;
    weft_response *response;
    site_start(&site, acts, 3, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    expect(client, "HTTP/2");
    ASSERT_OK(connect_to(client, &response));
    converse(response);
    expect(client, "HTTP/2");
    ASSERT_INT_EQ(site.by_h2, 1);
    ASSERT_INT_EQ(site.by_h1, 0);
    ASSERT_INT_EQ(site.fake.resets, 0);
    weft_client_free(client);
    site_stop(&site);
}

TASK_TEST(h2_connect_to_a_server_of_http1_is_of_that)
{
    static const struct h2_act acts[] = {{.kind = H2_ECHO}};
    struct site site;
    weft_client *client;
    weft_response *response;
    weft_stream *stream;
    site_start(&site, acts, 1, only_h1);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    ASSERT_OK(connect_to(client, &response));
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    ASSERT_OK(weft_response_take_stream(response, &stream));
    weft_stream_free(stream);
    weft_response_free(response);
    weft_client_free(client);
    site_stop(&site);
}

/* That a server wants no tunnels over HTTP/2 says nothing of requests. */
TASK_TEST(h2_connect_that_is_to_be_of_http1_leaves_the_others)
{
    static const struct h2_act acts[] = {
        {.kind = H2_ANSWER}, {.kind = H2_RESET, .code = 13, .early = true}, {.kind = H2_ANSWER}};
    struct site site;
    weft_client *client;
    weft_response *response;
    site_start(&site, acts, 3, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    expect(client, "HTTP/2");
    /* A body cannot be sent along with it over HTTP/2 at all. */
    ASSERT_OK(weft_client_request(client, "CONNECT", "/",
                                  WEFT_REQUEST(.target = "far.test:22", .text = ""), &response));
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    weft_response_free(response);
    ASSERT_OK(connect_to(client, &response));
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    weft_response_free(response);
    expect(client, "HTTP/2");
    ASSERT_INT_EQ(site.by_h2, 1);
    ASSERT_INT_EQ(site.by_h1, 2);
    weft_client_free(client);
    site_stop(&site);
}

TASK_TEST(h2_upgrade_goes_over_a_connection_that_has_said_it_takes_it)
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}, {.kind = H2_ECHO}};
    struct site site;
    weft_client *client;
    weft_response *response;
    site_start(&site, acts, 2, both);
    site.fake.takes_protocol = true;
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    /* Nobody has said so yet. */
    ASSERT_OK(weft_client_get(client, "/", WEFT_REQUEST(.upgrade = "websocket"), &response));
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    weft_response_free(response);
    expect(client, "HTTP/2");
    ASSERT_OK(weft_client_get(client, "/", WEFT_REQUEST(.upgrade = "websocket"), &response));
    converse(response);
    ASSERT_STR_HAS(site.fake.fields, ":method: CONNECT\n:protocol: websocket\n:scheme: https\n");
    /* Of two protocols HTTP/2 cannot say that either will do, nor can it of a body. */
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_request(client, i == 0 ? "GET" : "POST", "/",
                                      WEFT_REQUEST(.upgrade = i == 0 ? "a, b" : "a"), &response));
        ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
        weft_response_free(response);
    }
    ASSERT_INT_EQ(site.by_h2, 1);
    weft_client_free(client);
    site_stop(&site);
}

/* One connection takes it and is full; the next one, made for it, does not. */
TASK_TEST(h2_upgrade_that_finds_no_taker_goes_by_http1)
{
    static const struct h2_act acts[] = {{.body = 5, .unended = true}};
    struct site site;
    weft_client *client;
    weft_response *first;
    weft_response *response;
    site_start(&site, acts, 1, both);
    site.fake.takes_protocol = true;
    site.fake.max_streams = 1;
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    ASSERT_OK(weft_client_stream(client, "GET", "/", NULL, &first));
    site.fake.takes_protocol = false;
    ASSERT_OK(weft_client_get(client, "/", WEFT_REQUEST(.upgrade = "websocket"), &response));
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    ASSERT_INT_EQ(site.by_h2, 2);
    ASSERT_INT_EQ(site.by_h1, 1);
    weft_response_free(response);
    weft_response_free(first);
    weft_client_free(client);
    site_stop(&site);
}

/* ---- bodies both ways at once ---- */

enum { MESSAGES = 200, MESSAGE = 1000 };

struct talk {
    weft_semaphore *turns;
    int sent;
    bool gone;
};

static int64_t speak(void *userdata, void *data, size_t len)
{
    struct talk *talk = userdata;
    ASSERT(!talk->gone);
    int err = weft_semaphore_acquire(talk->turns);
    if (err < 0)
        return err;
    if (talk->sent == MESSAGES)
        return 0;
    ASSERT_INT_GE(len, MESSAGE);
    memset(data, 'a' + talk->sent++ % 26, MESSAGE);
    return MESSAGE;
}

/* Each message goes when the one before has come back, the first unasked. */
static void talk_to(weft_client *client, int until)
{
    struct talk talk = {.sent = 0};
    weft_response *response;
    const void *message;
    ASSERT_OK(weft_semaphore_new(1, &talk.turns));
    ASSERT_OK(weft_client_stream(client, "POST", "/",
                                 WEFT_REQUEST(.body_reader = speak, .body_userdata = &talk),
                                 &response));
    for (int i = 0; i < until; i++) {
        ASSERT_INT_EQ(weft_response_read_chunk(response, MESSAGE, &message), MESSAGE);
        ASSERT_INT_EQ(*(const char *)message, 'a' + i % 26);
        ASSERT_INT_EQ(talk.sent, i + 1);
        weft_semaphore_release(talk.turns);
    }
    if (until == MESSAGES)
        ASSERT_INT_EQ(weft_response_read_chunk(response, 1, &message), 0);
    weft_response_free(response);
    talk.gone = true;
    weft_semaphore_free(talk.turns);
}

TASK_TEST(h2_conversation_over_tls_goes_message_by_message)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct site site;
    weft_client *client;
    site_start(&site, acts, 1, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    talk_to(client, MESSAGES);
    for (int i = 0; i < 20; i++)
        talk_to(client, i);
    talk_to(client, MESSAGES);
    ASSERT_INT_EQ(site.by_h2, 1);
    ASSERT_INT_EQ(site.fake.resets, 20);
    weft_client_free(client);
    site_stop(&site);
}

struct flood {
    uint64_t left;
};

static int64_t pour(void *userdata, void *data, size_t len)
{
    struct flood *flood = userdata;
    if (len > flood->left)
        len = (size_t)flood->left;
    memset(data, (int)(flood->left & 0x7f), len);
    flood->left -= len;
    return (int64_t)len;
}

TASK_TEST(h2_large_body_over_tls_is_read_while_it_is_written)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    enum { TOTAL = 8 * 1024 * 1024 };
    static char data[32 * 1024];
    struct site site;
    weft_client *client;
    weft_response *response;
    site_start(&site, acts, 1, both);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(), .http2 = true), &client));
    for (int whole = 0; whole < 2; whole++) {
        struct flood flood = {.left = TOTAL};
        const weft_request_options *options =
            WEFT_REQUEST(.body_reader = pour, .body_userdata = &flood, .body_size = TOTAL);
        size_t len = 0;
        int64_t n;
        if (whole) {
            ASSERT_OK(weft_client_post(client, "/", options, &response));
            weft_response_content(response, &len);
        } else {
            ASSERT_OK(weft_client_stream(client, "POST", "/", options, &response));
            ASSERT_INT_GT(flood.left, 0);
            while ((n = weft_response_read(response, data, sizeof data)) > 0)
                len += (size_t)n;
            ASSERT_INT_EQ(n, 0);
        }
        ASSERT_INT_EQ(len, TOTAL);
        weft_response_free(response);
    }
    ASSERT_INT_EQ(site.fake.resets, 0);
    weft_client_free(client);
    site_stop(&site);
}

/* Nobody turns the loop between two calls; what came meanwhile is looked at before the next. */
static void idle_in_plain_code(void (*leave)(struct h2_fake *fake))
{
    static const struct h2_act acts[] = {{.kind = H2_ANSWER}};
    const struct timespec pause = {.tv_nsec = 20000000};
    struct site site;
    weft_client *client;
    ASSERT_OK(weft_yield());
    site_start(&site, acts, 1, both);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = site.base, .ca_file = certs_ca(),
                                          .http2 = true, .idle_timeout = WEFT_SEC(100)),
                              &client));
    expect(client, "HTTP/2");
    leave(&site.fake);
    nanosleep(&pause, NULL);
    expect(client, "HTTP/2");
    ASSERT_INT_EQ(site.by_h2, 2);
    nanosleep(&pause, NULL);
    expect(client, "HTTP/2");
    ASSERT_INT_EQ(site.by_h2, 2);
    weft_client_free(client);
    site_stop(&site);
}

static void say_goaway(struct h2_fake *fake)
{
    h2_fake_goaway(fake, 1, 0);
}

TEST(h2_idle_connection_whose_server_has_left_is_replaced_in_plain_code)
{
    idle_in_plain_code(say_goaway);
}

TEST(h2_idle_connection_whose_server_has_closed_is_replaced_in_plain_code)
{
    idle_in_plain_code(h2_fake_close);
}

/* ---- plain code that does not come back ---- */

/* A server in a thread of its own, until what it waits for has come, or nothing does; where that is
   nothing, until it is left. */
struct taker {
    const struct h2_act *acts;
    size_t wanted;
    int resets; /* that it waits for */
    char base[64];
    pthread_t thread;
    pthread_barrier_t barrier;
    bool has_come;
    bool whatever; /* comes */
};

static bool has_come(const struct taker *taker, const struct h2_fake *fake)
{
    return taker->whatever || (fake->uploaded >= taker->wanted && fake->resets == taker->resets);
}

static int take_bodies(void *arg)
{
    struct taker *taker = arg;
    struct site site = {.by_h1 = 0};
    weft_stream *stream;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &site.listener));
    snprintf(taker->base, sizeof taker->base, "http://127.0.0.1:%u",
             weft_listener_port(site.listener));
    h2_fake_start(&site.fake, taker->acts, 1);
    pthread_barrier_wait(&taker->barrier);
    ASSERT_OK(weft_listener_accept(site.listener, &stream));
    struct guest guest = {.site = &site, .stream = stream};
    ASSERT_OK(weft_group_spawn(&site.fake.group, serve_h2, &guest));
    while (taker->wanted == 0 && taker->resets == 0 && site.fake.open > 0)
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
    for (int i = 0; i < 2000 && !has_come(taker, &site.fake); i++)
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
    taker->has_come = has_come(taker, &site.fake);
    h2_fake_stop(&site.fake);
    weft_listener_close(site.listener);
    return 0;
}

static void *run_taker(void *arg)
{
    ASSERT_OK(weft_run(take_bodies, arg));
    return NULL;
}

static void taker_start(struct taker *taker, weft_client **ret)
{
    pthread_barrier_init(&taker->barrier, NULL, 2);
    ASSERT_INT_EQ(pthread_create(&taker->thread, NULL, run_taker, taker), 0);
    pthread_barrier_wait(&taker->barrier);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = taker->base, .http1 = WEFT_OFF), ret));
}

/* Nothing turns the loop meanwhile. */
static void taker_end(struct taker *taker, weft_client *client)
{
    pthread_join(taker->thread, NULL);
    ASSERT(taker->has_come);
    pthread_barrier_destroy(&taker->barrier);
    weft_client_free(client);
}

TEST(h2_body_behind_a_whole_answer_has_left_when_the_call_returns_in_plain_code)
{
    static const struct h2_act acts[] = {{.early = true}};
    static char body[200000];
    static const size_t sizes[] = {1000, 66000, 100000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct taker taker = {.acts = acts, .wanted = sizes[i]};
        weft_client *client;
        weft_response *response;
        taker_start(&taker, &client);
        ASSERT_OK(weft_client_post(
            client, "/", WEFT_REQUEST(.content = body, .content_len = sizes[i]), &response));
        ASSERT_INT_EQ(weft_response_status(response), 200);
        weft_response_free(response);
        taker_end(&taker, client);
    }
}

TEST(h2_server_is_told_at_once_that_nobody_waits_in_plain_code)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}};
    struct taker taker = {.acts = acts, .resets = 1};
    weft_client *client;
    weft_response *response;
    taker_start(&taker, &client);
    ASSERT_ERR(weft_client_get(client, "/", WEFT_REQUEST(.read_timeout = WEFT_MS(20)), &response),
               WEFT_EREAD_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "after 0.02 s");
    taker_end(&taker, client);
}

TEST(h2_tunnel_that_is_flushed_has_sent_all_in_plain_code)
{
    static const struct h2_act acts[] = {{.early = true, .unended = true}};
    static char data[60000];
    struct taker taker = {.acts = acts, .wanted = sizeof data};
    weft_client *client;
    weft_response *response;
    weft_stream *tunnel;
    taker_start(&taker, &client);
    ASSERT_OK(
        weft_client_stream(client, "CONNECT", "/", WEFT_REQUEST(.target = "db:5432"), &response));
    ASSERT_OK(weft_response_take_stream(response, &tunnel));
    ASSERT_OK(weft_stream_write(tunnel, data, sizeof data));
    ASSERT_OK(weft_stream_flush(tunnel));
    taker_end(&taker, NULL);
    weft_stream_free(tunnel);
    weft_response_free(response);
    weft_client_free(client);
}

/* ---- a task that keeps the loop from turning ---- */

/* Long enough for a server that is short of a processor. */
static int64_t patience(void)
{
    return test_under_valgrind() ? WEFT_SEC(2) : WEFT_SEC(1);
}

static int compute(void *arg)
{
    int64_t until = weft_now() + patience() * 3 / 2;
    while (weft_now() < until)
        ;
    return 0;
}

static int ask(void *arg)
{
    static char body[200000];
    weft_response *response;
    int err =
        weft_client_post(arg, "/",
                         WEFT_REQUEST(.content = body, .content_len = sizeof body,
                                      .read_timeout = patience(), .write_timeout = patience()),
                         &response);
    if (err < 0)
        return err;
    ASSERT_INT_EQ(weft_response_status(response), 200);
    weft_response_free(response);
    return 0;
}

/* A window that has opened, then an answer that has come: both stand in the socket. */
static int ask_beside_computing(void *arg)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, ask, arg));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_group_spawn(&group, compute, NULL));
    ASSERT_OK(weft_sleep(WEFT_MS(20)));
    ASSERT_OK(weft_group_spawn(&group, compute, NULL));
    return weft_group_wait(&group);
}

struct asking {
    weft_client *client;
    int err; /* 1: it has not ended */
};

static int ask_briefly(void *arg)
{
    struct asking *asking = arg;
    weft_response *response;
    asking->err =
        weft_client_get(asking->client, "/", WEFT_REQUEST(.read_timeout = WEFT_MS(50)), &response);
    return 0;
}

/* Each turn of the loop takes long: no reason to wait for ever. */
static int ask_a_silent_server(void *arg)
{
    struct asking asking = {.client = arg, .err = 1};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, ask_briefly, &asking));
    for (int i = 0; i < 2000 && asking.err == 1; i++) {
        int64_t until = weft_now() + WEFT_MS(5);
        while (weft_now() < until)
            ;
        ASSERT_OK(weft_yield());
    }
    ASSERT_INT_EQ(asking.err, WEFT_EREAD_TIMEOUT);
    ASSERT_OK(weft_group_wait(&group));
    return 0;
}

TEST(h2_silence_is_a_time_out_in_a_loop_that_is_always_busy)
{
    static const struct h2_act acts[] = {{.kind = H2_NEVER}};
    struct taker taker = {.acts = acts, .whatever = true};
    weft_client *client;
    taker_start(&taker, &client);
    ASSERT_OK(weft_run(ask_a_silent_server, client));
    weft_client_free(client);
    taker_end(&taker, NULL);
}

TEST(h2_answer_that_came_while_a_task_computed_is_no_time_out)
{
    static const struct h2_act acts[] = {{.takes = WEFT_MS(150), .body = 10}};
    struct taker taker = {.acts = acts};
    weft_client *client;
    taker_start(&taker, &client);
    ASSERT_OK(weft_run(ask_beside_computing, client));
    weft_client_free(client);
    taker_end(&taker, NULL);
}

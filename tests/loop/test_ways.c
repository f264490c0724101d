/* Ways over real sockets: Unix sockets, local addresses, interfaces; in plain code and threads. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>

#include "certs.h"
#include "http_peer.h"
#include "one_call.h"
#include "test.h"

struct peer {
    weft_listener *listener;
    weft_tls *tls;
    weft_group group;
    char from[WEFT_ADDRESS_TEXT_MAX];
    char head[2048];
};

static int answer(struct peer *peer, weft_stream *stream)
{
    static const char reply[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    size_t len = 0;
    weft_address address;
    if (weft_stream_peer_address(stream, &address) == 0)
        weft_address_format(&address, peer->from, sizeof peer->from);
    while (len < sizeof peer->head - 1 && strstr(peer->head, "\r\n\r\n") == NULL) {
        int64_t n = weft_stream_read(stream, peer->head + len, sizeof peer->head - 1 - len);
        if (n <= 0)
            return (int)n;
        len += (size_t)n;
        peer->head[len] = '\0';
    }
    int err = weft_stream_write(stream, reply, sizeof reply - 1);
    return err < 0 ? err : weft_stream_close(stream);
}

static int serve(void *arg)
{
    struct peer *peer = arg;
    weft_stream *stream;
    while (weft_listener_accept(peer->listener, &stream) == 0) {
        memset(peer->head, 0, sizeof peer->head);
        if (peer->tls != NULL && weft_tls_accept(peer->tls, stream, &stream) < 0)
            continue;
        answer(peer, stream);
        weft_stream_free(stream);
    }
    return 0;
}

static void peer_start(struct peer *peer, const char *path)
{
    memset(peer, 0, sizeof *peer);
    if (path != NULL)
        ASSERT_OK(weft_listen_unix(path, NULL, &peer->listener));
    else
        ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &peer->listener));
    ASSERT_OK(weft_group_init(&peer->group, NULL));
    ASSERT_OK(weft_group_spawn(&peer->group, serve, peer));
}

static void peer_stop(struct peer *peer)
{
    weft_group_cancel(&peer->group, "over");
    weft_group_wait(&peer->group);
    weft_listener_close(peer->listener);
    weft_tls_free(peer->tls);
}

/* ---- Unix sockets ---- */

TASK_TEST(unix_socket_is_where_requests_go)
{
    struct peer peer;
    const char *path = test_path("http.socket");
    peer_start(&peer, path);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.unix_socket = path), "http://any.example:8080/x?y", NULL),
                  200);
    ASSERT_STR_HAS(peer.head, "GET /x?y HTTP/1.1\r\nHost: any.example:8080\r\n");
    /* A proxy of a request goes before it. */
    ASSERT_ERR(get_once(WEFT_CLIENT(.unix_socket = path), "http://any.example/",
                        WEFT_REQUEST(.proxy = "http://127.0.0.1:1")),
               WEFT_EREFUSED);
    peer_stop(&peer);
}

TASK_TEST(unix_socket_carries_tls_for_the_name_of_the_url)
{
    struct peer peer;
    const char *path = test_path("https.socket");
    peer_start(&peer, path);
    ASSERT_OK(weft_tls_new_server(
        WEFT_TLS(.cert_file = certs_make(CERT(.file = "any.pem", .san = "DNS:any.example"))),
        &peer.tls));
    const weft_client_options *options = WEFT_CLIENT(.unix_socket = path, .ca_file = certs_ca());
    ASSERT_INT_EQ(get_once(options, "https://any.example/", NULL), 200);
    ASSERT_ERR(get_once(options, "https://another.example/", NULL), WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(weft_error_message(), "another.example");
    peer_stop(&peer);
}

TASK_TEST(unix_socket_that_is_none_is_named)
{
    char path[300];
    ASSERT(get_once(WEFT_CLIENT(.unix_socket = "/nowhere/x.socket"), "http://a/", NULL) < 0);
    ASSERT_STR_HAS(weft_error_message(), "/nowhere/x.socket");
    memset(path, 'p', sizeof path);
    path[299] = '\0';
    ASSERT(get_once(WEFT_CLIENT(.unix_socket = path), "http://a/", NULL) < 0);
    ASSERT_STR_HAS(weft_error_message(), "Unix");
}

/* ---- local addresses, interfaces ---- */

TASK_TEST(local_address_is_connected_from)
{
    struct peer peer;
    char url[64];
    peer_start(&peer, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", weft_listener_port(peer.listener));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.local_address = "127.0.0.7"), url, NULL), 200);
    ASSERT_MEM_EQ(peer.from, "127.0.0.7:", 10);
    /* One that this machine has not, one of another family, and none at all. */
    ASSERT(get_once(WEFT_CLIENT(.local_address = "192.0.2.1"), url, NULL) < 0);
    ASSERT_STR_HAS(weft_error_message(), "192.0.2.1");
    ASSERT(get_once(WEFT_CLIENT(.local_address = "::1"), url, NULL) < 0);
    ASSERT_STR_HAS(weft_error_message(), "::1");
    ASSERT(get_once(WEFT_CLIENT(.local_address = "not an address"), url, NULL) < 0);
    ASSERT_STR_HAS(weft_error_message(), "not an address");
    peer_stop(&peer);
}

TASK_TEST(interface_is_connected_by)
{
    struct peer peer;
    char url[64];
    peer_start(&peer, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", weft_listener_port(peer.listener));
    int err = get_once(WEFT_CLIENT(.interface = "nothing0"), url, NULL);
    ASSERT(err < 0);
    ASSERT_STR_HAS(weft_error_message(), "nothing0");
    err = get_once(WEFT_CLIENT(.interface = "lo"), url, NULL);
    peer_stop(&peer);
    if (err == WEFT_EUNREACHABLE && strstr(weft_error_message(), "not permitted") != NULL)
        SKIP("SO_BINDTODEVICE is not permitted here");
    ASSERT_INT_EQ(err, 200);
}

TASK_TEST(proxy_is_reached_from_the_local_address)
{
    struct peer peer;
    char proxy[64];
    peer_start(&peer, NULL);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", weft_listener_port(peer.listener));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.local_address = "127.0.0.7", .proxy = proxy),
                           "http://origin.example/", NULL),
                  200);
    ASSERT_MEM_EQ(peer.from, "127.0.0.7:", 10);
    ASSERT_STR_HAS(peer.head, "GET http://origin.example/ HTTP/1.1\r\n");
    peer_stop(&peer);
}

TASK_TEST(proxy_may_have_an_ipv6_address)
{
    struct peer peer = {.listener = NULL};
    char proxy[64];
    if (weft_listen("::1", 0, NULL, &peer.listener) < 0)
        SKIP("there is no IPv6 here");
    ASSERT_OK(weft_group_init(&peer.group, NULL));
    ASSERT_OK(weft_group_spawn(&peer.group, serve, &peer));
    snprintf(proxy, sizeof proxy, "http://[::1]:%u", weft_listener_port(peer.listener));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = proxy), "http://origin.example/", NULL), 200);
    ASSERT_STR_HAS(peer.head, "GET http://origin.example/ HTTP/1.1\r\n");
    ASSERT_ERR(
        get_once(WEFT_CLIENT(.proxy = "http://kim:secret@[::1]:1"), "http://a.example/", NULL),
        WEFT_EREFUSED);
    ASSERT_STR_HAS(weft_error_message(), "proxy http://[::1]:1: ");
    peer_stop(&peer);
}

/* ---- plain code, threads ---- */

static void expect_text(weft_client *client, const char *url, const char *proxy, const char *text)
{
    weft_response *r;
    ASSERT_OK(weft_client_get(client, url, WEFT_REQUEST(.proxy = proxy), &r));
    ASSERT_STR_EQ(weft_response_text(r, NULL), text);
    weft_response_free(r);
}

TEST(ways_work_in_plain_code)
{
    struct http_peer peer;
    weft_client *client;
    char url[128];
    http_peer_start(&peer);
    snprintf(url, sizeof url, "%s/x", peer.base);
    const weft_pair to[] = {{"elsewhere.example:80", peer.base + strlen("http://")}, {0}};
    ASSERT_OK(
        weft_client_new(WEFT_CLIENT(.local_address = "127.0.0.7", .connect_to = to), &client));
    expect_text(client, url, NULL, "GET /x");
    expect_text(client, "http://elsewhere.example/y", NULL, "GET /y");
    expect_text(client, "http://origin.example/z", peer.base, "GET http://origin.example/z");
    weft_client_free(client);
    http_peer_stop(&peer);
}

enum { THREADS = 4, CALLS = 20 };

struct sharing {
    weft_client *client;
    const char *base;
};

static void *call_many(void *arg)
{
    const struct sharing *sharing = arg;
    for (int i = 0; i < CALLS; i++) {
        char proxy[128];
        snprintf(proxy, sizeof proxy, "http://user%d:pw@%s", i % 5,
                 sharing->base + strlen("http://"));
        expect_text(sharing->client, "http://origin.example/z", proxy,
                    "GET http://origin.example/z");
        expect_text(sharing->client, "http://mounted.example/z", NULL,
                    "GET http://mounted.example/z");
    }
    return NULL;
}

TEST(threads_share_the_proxies_of_a_client)
{
    struct http_peer peer;
    struct sharing sharing;
    pthread_t threads[THREADS];
    http_peer_start(&peer);
    sharing.base = peer.base;
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.mounts =
                        (weft_mount[]){{"http://mounted.example", NULL, peer.base, NULL}, {0}}),
        &sharing.client));
    for (int i = 0; i < THREADS; i++)
        ASSERT_INT_EQ(pthread_create(&threads[i], NULL, call_many, &sharing), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    weft_client_free(sharing.client);
    http_peer_stop(&peer);
}

/* Nobody listens there, and nobody asks. */
static void end_with_an_unused_proxy(const char *base)
{
    weft_client *client;
    char url[128];
    const weft_mount mounts[] = {{"https://", NULL, "http://127.0.0.1:1", NULL}, {0}};
    snprintf(url, sizeof url, "%s/x", base);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.mounts = mounts), &client));
    expect_text(client, url, NULL, "GET /x");
    weft_client_free(client);
}

static int end_in_a_task(void *arg)
{
    end_with_an_unused_proxy(arg);
    return 0;
}

TEST(mounted_proxy_that_nobody_uses_ends_with_its_client)
{
    struct http_peer peer;
    http_peer_start(&peer);
    end_with_an_unused_proxy(peer.base);
    ASSERT_OK(weft_run(end_in_a_task, peer.base));
    http_peer_stop(&peer);
}

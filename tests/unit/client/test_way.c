/* Options of ways: which exclude each other, whom the filter of addresses sees, what is kept. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "certs.h"
#include "client/client_int.h"
#include "one_call.h"
#include "test.h"
#include "tls_world.h"

#define ORIGIN (&world.parties[PARTY_ORIGIN])
#define OTHER  (&world.parties[PARTY_OTHER])
#define PROXY  (&world.parties[PARTY_PROXY])
#define VIA    "http://kim:secret@proxy:3128"

/* Origins without TLS, on port 80. */
static void begin(struct tls_world *world)
{
    tls_world_make(world);
    for (int i = 0; i < PARTY_PROXY; i++) {
        world->parties[i].cert = NULL;
        world->parties[i].port = 80;
    }
    tls_world_start(world);
}

/* ---- options ---- */

static int dial_nowhere(void *userdata, const weft_url *url, weft_stream **ret)
{
    (void)userdata;
    (void)url;
    (void)ret;
    return -ENOENT;
}

TEST(options_that_exclude_each_other_are_refused)
{
    weft_client *client;
    weft_transport *transport;
    ASSERT_OK(weft_transport_new(dial_nowhere, NULL, &transport));
    const weft_client_options *options[] = {
        WEFT_CLIENT(.proxy = "http://a", .unix_socket = "/x"),
        WEFT_CLIENT(.proxy = "http://a", .transport = transport),
        WEFT_CLIENT(.transport = transport, .unix_socket = "/x"),
    };
    for (size_t i = 0; i < 3; i++) {
        ASSERT_ERR(weft_client_new(options[i], &client), -EINVAL);
        ASSERT_STR_HAS(weft_error_message(), "one of proxy, transport and unix_socket");
    }
    /* "" is no proxy. */
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.proxy = "", .unix_socket = "/x"), &client));
    weft_client_free(client);
    weft_transport_free(transport);
}

TEST(credentials_of_a_proxy_with_a_nul_are_refused)
{
    static const char *const proxies[] = {"socks4://kim%00evil@proxy", "socks5://kim:a%00@proxy",
                                          "http://%00:b@proxy"};
    for (size_t i = 0; i < 3; i++) {
        weft_client *client;
        ASSERT_ERR(weft_client_new(WEFT_CLIENT(.proxy = proxies[i]), &client), WEFT_EINVALID_URL);
        ASSERT_STR_HAS(weft_error_message(), "a NUL in the user name or password");
        ASSERT_STR_LACKS(weft_error_message(), "evil");
    }
}

TEST(fields_of_a_proxy_that_would_break_a_request_are_refused)
{
    static const weft_pair fields[][2] = {{{"X-A", "b\r\nEvil: 1"}, {0}},
                                          {{"X A", "b"}, {0}},
                                          {{"", "b"}, {0}},
                                          {{"X-A", "\x01"}, {0}}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        weft_client *client;
        int err =
            weft_client_new(WEFT_CLIENT(.proxy = "http://a", .proxy_headers = fields[i]), &client);
        ASSERT_ERR(err, WEFT_ELOCAL_PROTOCOL);
    }
}

VIRTUAL_TEST(texts_too_long_for_socks_are_refused_before_anything_is_sent)
{
    struct tls_world world;
    char proxy[600];
    char name[300];
    begin(&world);
    memset(name, 'u', sizeof name);
    name[299] = '\0';
    snprintf(proxy, sizeof proxy, "socks4a://%s@proxy:3128", name);
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = proxy), "http://origin.example/", NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "user name of more than 255 bytes");
    ASSERT_STR_LACKS(weft_error_message(), "uuuu");
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "socks4a://proxy:3128"), "http://[::1]/", NULL),
               -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "no IPv6");
    ASSERT_INT_EQ(PROXY->log_len, 0);
    tls_world_end(&world);
}

/* ---- the filter ---- */

static bool allow_public(void *userdata, const char *host, const weft_address *address)
{
    char text[WEFT_ADDRESS_TEXT_MAX];
    int *asked = userdata;
    (void)host;
    (*asked)++;
    ASSERT_OK(weft_address_format(address, text, sizeof text));
    return strncmp(text, "10.0.0.2:", 9) == 0;
}

VIRTUAL_TEST(address_filter_sees_addresses_that_a_proxy_is_asked_for)
{
    struct tls_world world;
    int asked = 0;
    static const char *const refused[] = {"http://127.0.0.1/", "http://2130706433/",
                                          "http://[::1]/", "https://169.254.169.254/latest"};
    begin(&world);
    const weft_client_options *options =
        WEFT_CLIENT(.proxy = VIA, .allow_address = allow_public, .allow_userdata = &asked);
    for (size_t i = 0; i < 4; i++) {
        ASSERT_ERR(get_once(options, refused[i], NULL), WEFT_EADDRESS_REFUSED);
        ASSERT_INT_EQ(asked, (int)i + 1);
    }
    ASSERT_INT_EQ(PROXY->connections, 0);
    PROXY->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ASSERT_INT_EQ(get_once(options, "http://10.0.0.2/", NULL), 200);
    /* The proxy's own address is nobody's business, and what it resolves is not known. */
    ASSERT_INT_EQ(get_once(options, "http://other.example/", NULL), 200);
    ASSERT_INT_EQ(asked, 5);
    tls_world_end(&world);
}

VIRTUAL_TEST(address_filter_sees_what_resolve_and_connect_to_say)
{
    struct tls_world world;
    int asked = 0;
    const weft_pair where[] = {{"inner.example", "10.0.0.3"}, {0}};
    const weft_pair to[] = {{"outer.example", "other.example"}, {0}};
    begin(&world);
    const weft_client_options *options =
        WEFT_CLIENT(.resolve = where, .connect_to = to, .allow_address = allow_public,
                    .allow_userdata = &asked);
    ASSERT_ERR(get_once(options, "http://inner.example/", NULL), WEFT_EADDRESS_REFUSED);
    ASSERT_STR_HAS(weft_error_message(), "inner.example");
    ASSERT_STR_HAS(weft_error_message(), "10.0.0.3");
    ASSERT_ERR(get_once(options, "http://outer.example/", NULL), WEFT_EADDRESS_REFUSED);
    ASSERT_STR_HAS(weft_error_message(), "other.example");
    ASSERT_INT_EQ(get_once(options, "http://origin.example/", NULL), 200);
    ASSERT_INT_EQ(asked, 3);
    ASSERT_INT_EQ(OTHER->connections, 0);
    tls_world_end(&world);
}

VIRTUAL_TEST(address_filter_stops_a_redirect_through_a_proxy)
{
    struct tls_world world;
    int asked = 0;
    begin(&world);
    PROXY->answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:22/\r\n"
                    "Content-Length: 0\r\n\r\n";
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = VIA, .follow_redirects = WEFT_ON,
                                    .allow_address = allow_public, .allow_userdata = &asked),
                        "http://origin.example/", NULL),
               WEFT_EADDRESS_REFUSED);
    ASSERT_STR_HAS(weft_error_message(), "127.0.0.1");
    ASSERT_INT_EQ(PROXY->connections, 1);
    tls_world_end(&world);
}

VIRTUAL_TEST(address_filter_sees_every_answer_of_a_rebinding_name)
{
    struct tls_world world;
    int asked = 0;
    static const char *const good[] = {"10.0.0.2", NULL};
    static const char *const bad[] = {"127.0.0.1", NULL};
    weft_client *client;
    weft_response *r;
    begin(&world);
    ASSERT_OK(
        weft_testing_name_set(world.net, "moves.example", WEFT_TESTING_NAME(.addresses = good)));
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.allow_address = allow_public, .allow_userdata = &asked),
                              &client));
    const weft_request_options *once =
        WEFT_REQUEST(.headers = (weft_pair[]){{"Connection", "close"}, {0}});
    ASSERT_OK(weft_client_get(client, "http://moves.example/", once, &r));
    weft_response_free(r);
    ASSERT_OK(
        weft_testing_name_set(world.net, "moves.example", WEFT_TESTING_NAME(.addresses = bad)));
    ASSERT_ERR(weft_client_get(client, "http://moves.example/", once, &r), WEFT_EADDRESS_REFUSED);
    ASSERT_INT_EQ(asked, 2);
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- connect_to, resolve ---- */

VIRTUAL_TEST(connect_to_through_a_forwarding_proxy_opens_a_tunnel)
{
    struct tls_world world;
    const weft_pair to[] = {{"nowhere.example", "origin.example:80"}, {0}};
    begin(&world);
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.proxy = VIA, .connect_to = to), "http://nowhere.example/a", NULL),
        200);
    ASSERT_STR_HAS(PROXY->log, "CONNECT origin.example:80 HTTP/1.1\r\n");
    ASSERT_STR_HAS(ORIGIN->log, "GET /a HTTP/1.1\r\nHost: nowhere.example\r\n");
    ASSERT_STR_LACKS(ORIGIN->log, "Proxy-");
    tls_world_end(&world);
}

VIRTUAL_TEST(connect_to_is_not_for_the_proxy)
{
    struct tls_world world;
    const weft_pair to[] = {{"*", "origin.example:80"}, {0}};
    begin(&world);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = VIA, .connect_to = to), "http://x.example/", NULL),
                  200);
    ASSERT_INT_EQ(PROXY->connections, 1);
    tls_world_end(&world);
}

VIRTUAL_TEST(resolve_is_for_the_proxy_too)
{
    struct tls_world world;
    const weft_pair where[] = {{"gate.example:3128", "10.0.0.9"}, {0}};
    begin(&world);
    PROXY->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = "http://gate.example:3128", .resolve = where),
                           "http://x.example/", NULL),
                  200);
    ASSERT_INT_EQ(PROXY->connections, 1);
    tls_world_end(&world);
}

VIRTUAL_TEST(overrides_that_are_none_are_named)
{
    struct tls_world world;
    char name[300];
    const weft_pair empty[] = {{"*", " , "}, {0}};
    const weft_pair to[] = {{"*", name}, {0}};
    begin(&world);
    ASSERT_ERR(get_once(WEFT_CLIENT(.resolve = empty), "http://x.example/", NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "resolve: no address");
    ASSERT_ERR(get_once(WEFT_CLIENT(.resolve = empty, .proxy = "socks5://proxy:3128"),
                        "http://x.example/", NULL),
               -EINVAL);
    memset(name, 'n', sizeof name);
    name[299] = '\0';
    ASSERT_ERR(get_once(WEFT_CLIENT(.connect_to = to), "http://x.example/", NULL),
               WEFT_EINVALID_URL);
    ASSERT_STR_HAS(weft_error_message(), "connect_to");
    tls_world_end(&world);
}

/* ---- failures of the proxy itself ---- */

VIRTUAL_TEST(proxy_that_cannot_be_reached_is_named)
{
    struct tls_world world;
    begin(&world);
    ASSERT_ERR(
        get_once(WEFT_CLIENT(.proxy = "http://kim:secret@proxy:1"), "http://origin.example/", NULL),
        WEFT_EREFUSED);
    ASSERT_STR_HAS(weft_error_message(), "proxy http://proxy:1: connect to proxy:1 failed");
    ASSERT_STR_LACKS(weft_error_message(), "secret");
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "socks5h://kim:secret@unknown.example"),
                        "http://origin.example/", NULL),
               WEFT_EDNS_NOT_FOUND);
    ASSERT_STR_HAS(weft_error_message(), "proxy socks5h://unknown.example: ");
    /* What a proxy that resolves nothing is for is not asked for before its name is known. */
    ASSERT_ERR(
        get_once(WEFT_CLIENT(.proxy = "socks5://proxy:3128"), "http://unknown.example/", NULL),
        WEFT_EDNS_NOT_FOUND);
    ASSERT_STR_LACKS(weft_error_message(), "proxy socks5");
    ASSERT_INT_EQ(PROXY->connections, 0);
    tls_world_end(&world);
}

/* ---- proxies of requests ---- */

VIRTUAL_TEST(proxies_of_requests_are_kept_up_to_a_number)
{
    struct tls_world world;
    weft_client *client;
    weft_response *r;
    begin(&world);
    PROXY->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ASSERT_OK(weft_client_new(NULL, &client));
    uint64_t first = 0;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i <= WEFT__LIMIT_PROXIES; i++) {
            char proxy[64];
            snprintf(proxy, sizeof proxy, "http://user%d:pw@proxy:3128", i);
            ASSERT_OK(weft_client_get(client, "http://origin.example/",
                                      WEFT_REQUEST(.proxy = proxy), &r));
            weft_response_free(r);
        }
    }
    const weft_request_options *last =
        WEFT_REQUEST(.proxy = "http://user16:pw@proxy:3128",
                     .proxy_headers = (weft_pair[]){{"X-A", "1"}, {0}});
    for (int i = 0; i < 3; i++) {
        weft_testing_fail_alloc(0, false);
        ASSERT_OK(weft_client_get(client, "http://origin.example/", last, &r));
        uint64_t count = weft_testing_alloc_count();
        weft_response_free(r);
        if (i == 1)
            first = count;
        if (i == 2)
            ASSERT_INT_EQ(count, first);
    }
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(proxies_of_requests_with_other_fields_are_others)
{
    struct tls_world world;
    weft_client *client;
    weft_response *r;
    const weft_pair fields[][3] = {
        {{"X-A", "1"}, {0}}, {{"X-A", "2"}, {0}}, {{"X-A", "1"}, {"X-B", "1"}, {0}}, {{0}}};
    begin(&world);
    PROXY->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ASSERT_OK(weft_client_new(NULL, &client));
    for (size_t i = 0; i < 8; i++) {
        const weft_request_options *request =
            WEFT_REQUEST(.proxy = "proxy:3128", .proxy_headers = fields[i % 4]);
        ASSERT_OK(weft_client_get(client, "http://origin.example/", request, &r));
        weft_response_free(r);
    }
    ASSERT_INT_EQ(PROXY->connections, 4);
    weft_client_free(client);
    tls_world_end(&world);
}

struct one_shot {
    const char *text;
};

static int64_t read_once(void *userdata, void *data, size_t len)
{
    struct one_shot *body = userdata;
    size_t n = strlen(body->text);
    ASSERT(n <= len);
    memcpy(data, body->text, n);
    body->text = "";
    return (int64_t)n;
}

VIRTUAL_TEST(challenge_to_a_body_that_cannot_be_sent_again_is_the_callers)
{
    struct tls_world world;
    weft_client *client;
    weft_response *r;
    struct one_shot body = {"abc"};
    begin(&world);
    PROXY->answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"
                    "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\"\r\n"
                    "Connection: close\r\n\r\n";
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.proxy = VIA), &client));
    ASSERT_OK(weft_client_post(
        client, "http://origin.example/",
        WEFT_REQUEST(.body_reader = read_once, .body_userdata = &body, .body_size = 3), &r));
    ASSERT_INT_EQ(weft_response_status(r), 407);
    weft_response_free(r);
    ASSERT_INT_EQ(PROXY->connections, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- faults ---- */

#define ASKS_DIGEST                                                                                \
    "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"                          \
    "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\n\r\n"

/* Twice each, so that the second begins with what the first has learnt. */
static int challenged(const char *url, int expected)
{
    weft_client *client = NULL;
    int err = weft_client_new(WEFT_CLIENT(.proxy = VIA, .ca_file = certs_ca()), &client);
    for (int i = 0; err == 0 && i < 2; i++) {
        weft_response *r;
        int result = weft_client_get(client, url, NULL, &r);
        if (result == 0) {
            result = weft_response_status(r);
            weft_response_free(r);
        }
        err = result == expected ? 0 : result;
    }
    weft_client_free(client);
    return err;
}

VIRTUAL_TEST(challenges_of_a_proxy_survive_every_fault)
{
    static const char *const urls[] = {"http://origin.example/", "https://origin.example/"};
    static const int expected[] = {407, WEFT_EPROXY};
    for (size_t i = 0; i < 2; i++) {
        struct tls_world world;
        begin(&world);
        PROXY->answer = ASKS_DIGEST;
        weft_testing_fail_alloc(0, false);
        weft_testing_cancel_at(NULL, 0);
        ASSERT_OK(challenged(urls[i], expected[i]));
        uint64_t allocations = weft_testing_alloc_count();
        uint64_t checkpoints = weft_testing_checkpoint_count();
        for (uint64_t k = 1; k <= allocations; k += test_under_valgrind() ? 17 : 1) {
            weft_testing_fail_alloc(k, false);
            int err = challenged(urls[i], expected[i]);
            weft_testing_fail_alloc(0, false);
            ASSERT(err <= 0);
        }
        for (uint64_t k = 1; k <= checkpoints; k += test_under_valgrind() ? 17 : 1) {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_FOREVER);
            weft_testing_cancel_at(&scope, k);
            int err = challenged(urls[i], expected[i]);
            weft_testing_cancel_at(NULL, 0);
            weft_scope_exit(&scope, err);
            ASSERT(err == 0 || err == -ECANCELED);
        }
        ASSERT_OK(challenged(urls[i], expected[i]));
        tls_world_end(&world);
    }
}

static int by_many_ways(void *arg)
{
    weft_client *client;
    const weft_pair where[] = {{"inner.example", "10.0.0.2"}, {0}};
    const weft_pair to[] = {{"outer.example", "origin.example"}, {0}};
    (void)arg;
    int err = weft_client_new(
        WEFT_CLIENT(.resolve = where, .connect_to = to,
                    .mounts = (weft_mount[]){{"http://other.example", NULL, VIA, NULL}, {0}},
                    .proxy_tls =
                        WEFT_TLS(.ca_file = "x", .pins = (const char *const[]){"y", NULL})),
        &client);
    static const char *const urls[] = {"http://inner.example/", "http://outer.example/",
                                       "http://other.example/"};
    for (size_t i = 0; err == 0 && i < 6; i++) {
        weft_response *r;
        err = weft_client_get(client, urls[i % 3],
                              i > 2 ? WEFT_REQUEST(.proxy = "http://a:b@proxy:3128") : NULL, &r);
        if (err == 0)
            weft_response_free(r);
        else
            weft_client_free(client);
    }
    if (err == 0)
        weft_client_free(client);
    return err;
}

TEST_IN_LOOP(options_of_ways_survive_every_failed_allocation, WEFT_BACKEND_VIRTUAL, .limit_s = 60)
{
    struct tls_world world;
    begin(&world);
    weft_testing_fail_alloc(0, false);
    PROXY->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ASSERT_OK(by_many_ways(NULL));
    uint64_t all = weft_testing_alloc_count();
    for (uint64_t k = 1; k <= all; k += test_under_valgrind() ? 17 : 1) {
        weft_testing_fail_alloc(k, false);
        int err = by_many_ways(NULL);
        weft_testing_fail_alloc(0, false);
        ASSERT(err <= 0);
    }
    ASSERT_OK(by_many_ways(NULL));
    tls_world_end(&world);
}

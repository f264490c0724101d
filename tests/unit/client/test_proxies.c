/* Proxies of every kind, as bytes; whose credentials go where; names, addresses, their filter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

#include "one_call.h"
#include "test.h"

/* What a peer does: reads so many bytes, or a head, and answers. */
struct step {
    size_t bytes;       /* 0: up to an empty line */
    const char *answer; /* NULL: the connection is closed */
    size_t len;         /* 0: of a string */
    bool fresh;         /* on the next connection */
};

struct world {
    weft_testing_network *net;
    weft_group group;
    const struct step *steps;
    size_t n;
    uint16_t port;
    int connections;
    char log[8192];
    size_t log_len;
};

static int take(struct world *world, weft_stream *stream, size_t bytes)
{
    size_t start = world->log_len;
    for (;;) {
        char *data = world->log + start;
        size_t len = world->log_len - start;
        if (bytes > 0 ? len >= bytes : len >= 4 && memcmp(data + len - 4, "\r\n\r\n", 4) == 0)
            return 0;
        int64_t n = weft_stream_read(stream, data + len,
                                     bytes > 0 ? bytes - len : sizeof world->log - start - len);
        if (n <= 0)
            return -1;
        world->log_len += (size_t)n;
    }
}

static int play(void *arg)
{
    struct world *world = arg;
    weft_listener *listener;
    weft_stream *stream = NULL;
    ASSERT_OK(weft_listen("0.0.0.0", world->port, NULL, &listener));
    for (size_t i = 0; i < world->n; i++) {
        const struct step *step = &world->steps[i];
        if (stream == NULL || step->fresh) {
            weft_stream_free(stream);
            stream = NULL;
            if (weft_listener_accept(listener, &stream) < 0)
                break;
            world->connections++;
        }
        if (take(world, stream, step->bytes) < 0)
            continue;
        if (step->answer == NULL) {
            weft_stream_free(stream);
            stream = NULL;
            continue;
        }
        size_t len = step->len > 0 ? step->len : strlen(step->answer);
        if (weft_stream_write(stream, step->answer, len) < 0 || weft_stream_flush(stream) < 0)
            break;
    }
    if (stream != NULL) {
        char data[64];
        while (weft_stream_read(stream, data, sizeof data) > 0)
            continue;
    }
    weft_stream_free(stream);
    weft_listener_close(listener);
    return 0;
}

static int play_there(void *arg)
{
    struct world *world = arg;
    return weft_testing_host_run(world->net, "proxy", play, world);
}

#define ADDRESSES(...) WEFT_TESTING_NAME(.addresses = (const char *const[]){__VA_ARGS__, NULL})

static void begin(struct world *world, const struct step *steps, size_t n)
{
    memset(world, 0, sizeof *world);
    world->steps = steps;
    world->n = n;
    world->port = 3128;
    ASSERT_OK(weft_testing_network_new(NULL, &world->net));
    ASSERT_OK(weft_testing_host_add(world->net, "proxy", ADDRESSES("10.0.0.9")));
    ASSERT_OK(weft_testing_name_set(world->net, "origin.example", ADDRESSES("10.0.0.9")));
    ASSERT_OK(weft_testing_name_set(world->net, "two.example", ADDRESSES("10.0.0.8", "10.0.0.9")));
    ASSERT_OK(weft_group_init(&world->group, NULL));
    ASSERT_OK(weft_group_spawn(&world->group, play_there, world));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
}

static void end(struct world *world)
{
    weft_group_cancel(&world->group, "over");
    weft_group_wait(&world->group);
    weft_testing_network_free(world->net);
}

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OPEN     "HTTP/1.1 200 Connection established\r\n\r\n"
#define STEPS(...)                                                                                 \
    (const struct step[]){__VA_ARGS__},                                                            \
        sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step)

/* ---- HTTP ---- */

VIRTUAL_TEST(http_proxy_forwards_with_the_absolute_target_and_its_own_credentials)
{
    struct world world;
    begin(&world, STEPS({.answer = OK_REPLY}));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = "http://us%20er:p%3Aw@proxy:3128",
                                       .proxy_headers = (weft_pair[]){{"X-Proxy", "yes"}, {0}}),
                           "http://origin.example/a?b=c#d", NULL),
                  200);
    ASSERT_STR_HAS(world.log,
                   "GET http://origin.example/a?b=c HTTP/1.1\r\nHost: origin.example\r\n");
    ASSERT_STR_HAS(world.log, "\r\nX-Proxy: yes\r\n");
    ASSERT_STR_HAS(world.log, "\r\nProxy-Authorization: Basic dXMgZXI6cDp3\r\n");
    end(&world);
}

VIRTUAL_TEST(http_proxy_connect_that_is_refused_says_why_without_the_password)
{
    struct world world;
    begin(&world, STEPS({.answer = "HTTP/1.1 407 Proxy Authentication Required\r\n"
                                   "Content-Length: 100000\r\n\r\nno"}));
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "http://user:secret@proxy:3128"),
                        "https://origin.example/", NULL),
               WEFT_EPROXY);
    ASSERT_STR_HAS(weft_error_message(),
                   "proxy http://proxy:3128: 407 Proxy Authentication Required");
    ASSERT_STR_LACKS(weft_error_message(), "secret");
    ASSERT_STR_HAS(world.log, "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n"
                              "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n");
    ASSERT_STR_LACKS(world.log, "User-Agent");
    end(&world);
}

VIRTUAL_TEST(http_proxy_connect_of_an_ipv6_address_has_brackets)
{
    struct world world;
    begin(&world, STEPS({.answer = "HTTP/1.1 503 No\r\n\r\n"}));
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "proxy:3128"), "https://[2001:DB8::1]:8443/", NULL),
               WEFT_EPROXY);
    ASSERT_STR_HAS(weft_error_message(), "503 Service Unavailable");
    ASSERT_STR_HAS(world.log,
                   "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n");
    end(&world);
}

VIRTUAL_TEST(http_proxy_that_breaks_off_or_says_too_much_is_a_proxy_error)
{
    static const char *const answers[] = {NULL, "HTTP/1.1 200 OK\r\n\r\nearly", "garbage\r\n\r\n"};
    static const char *const says[] = {"it closed the connection", "before the tunnel", ""};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        begin(&world, STEPS({.answer = answers[i]}));
        int err =
            get_once(WEFT_CLIENT(.proxy = "http://proxy:3128"), "https://origin.example/", NULL);
        ASSERT(err == (i < 2 ? WEFT_EPROXY : WEFT_EREMOTE_PROTOCOL));
        ASSERT_STR_HAS(weft_error_message(), "proxy http://proxy:3128");
        ASSERT_STR_HAS(weft_error_message(), says[i]);
        end(&world);
    }
}

#define DIGEST                                                                                     \
    "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"a\"\r\n"      \
    "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\n"    \
    "Content-Length: 2\r\n\r\nno"

VIRTUAL_TEST(http_proxy_connect_answers_a_digest_challenge_once)
{
    struct world world;
    begin(&world, STEPS({.answer = DIGEST}, {.answer = DIGEST, .fresh = true}));
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "http://user:secret@proxy:3128"),
                        "https://origin.example/", NULL),
               WEFT_EPROXY);
    ASSERT_INT_EQ(world.connections, 2);
    ASSERT_STR_HAS(world.log, "Proxy-Authorization: Digest ");
    ASSERT_STR_HAS(world.log, "uri=\"origin.example:443\"");
    ASSERT_STR_LACKS(world.log, "secret");
    end(&world);
}

VIRTUAL_TEST(http_proxy_that_forwards_is_answered_by_digest_too)
{
    struct world world;
    begin(&world, STEPS({.answer = DIGEST}, {.answer = OK_REPLY}, {.answer = OK_REPLY}));
    weft_client *client;
    weft_response *r;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.proxy = "http://user:secret@proxy:3128"), &client));
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_get(client, "http://origin.example/x", NULL, &r));
        ASSERT_INT_EQ(weft_response_status(r), 200);
        weft_response_free(r);
    }
    weft_client_free(client);
    ASSERT_STR_HAS(world.log, "uri=\"http://origin.example/x\"");
    ASSERT_STR_HAS(world.log, "nc=00000002");
    ASSERT_INT_EQ(world.connections, 1);
    end(&world);
}

VIRTUAL_TEST(http_proxy_that_stays_silent_is_bounded_by_the_connect_timeout)
{
    struct world world;
    begin(&world, STEPS({.bytes = 100000, .answer = ""}));
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "http://proxy:3128", .connect_timeout = WEFT_SEC(2)),
                        "https://origin.example/", NULL),
               WEFT_ECONNECT_TIMEOUT);
    ASSERT_STR_HAS(
        weft_error_message(),
        "timed out while waiting for an answer to CONNECT after 2 s (origin.example by the proxy ");
    ASSERT_STR_HAS(weft_error_message(), "http://proxy:3128");
    end(&world);
}

VIRTUAL_TEST(proxy_of_a_request_replaces_the_clients_and_empty_means_none)
{
    struct world world;
    begin(&world, STEPS({.answer = OK_REPLY}, {.answer = OK_REPLY, .fresh = true}));
    weft_client *client;
    weft_response *r;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.proxy = "http://a:b@nowhere.example:1"), &client));
    ASSERT_OK(weft_client_get(client, "http://origin.example:3128/direct",
                              WEFT_REQUEST(.proxy = ""), &r));
    weft_response_free(r);
    ASSERT_OK(weft_client_get(client, "http://origin.example:3128/proxied",
                              WEFT_REQUEST(.proxy = "http://c:d@proxy:3128"), &r));
    weft_response_free(r);
    weft_client_free(client);
    ASSERT_STR_HAS(world.log, "GET /direct HTTP/1.1");
    ASSERT_STR_HAS(world.log, "GET http://origin.example:3128/proxied HTTP/1.1");
    ASSERT_STR_HAS(world.log, "Basic Yzpk");
    ASSERT_STR_LACKS(world.log, "Basic YTpi");
    ASSERT_INT_EQ(world.connections, 2);
    end(&world);
}

VIRTUAL_TEST(connections_of_other_credentials_or_fields_of_a_proxy_are_not_shared)
{
    struct world world;
    begin(&world, STEPS({.answer = OK_REPLY}, {.answer = OK_REPLY, .fresh = true},
                        {.answer = OK_REPLY, .fresh = true}));
    weft_client *client;
    ASSERT_OK(weft_client_new(NULL, &client));
    const weft_pair fields[] = {{"X-A", "1"}, {0}};
    const weft_request_options *requests[] = {
        WEFT_REQUEST(.proxy = "http://a:b@proxy:3128"),
        WEFT_REQUEST(.proxy = "http://a:c@proxy:3128"),
        WEFT_REQUEST(.proxy = "http://a:c@proxy:3128", .proxy_headers = fields),
    };
    for (size_t i = 0; i < 3; i++) {
        weft_response *r;
        ASSERT_OK(weft_client_get(client, "http://origin.example/", requests[i], &r));
        weft_response_free(r);
    }
    weft_client_free(client);
    ASSERT_INT_EQ(world.connections, 3);
    end(&world);
}

VIRTUAL_TEST(redirect_chooses_the_way_anew_and_leaves_the_proxys_credentials_behind)
{
    struct world world;
    begin(&world,
          STEPS({.answer = "HTTP/1.1 302 Found\r\nLocation: http://origin.example:3128/x\r\n"
                           "Content-Length: 0\r\n\r\n"},
                {.answer = OK_REPLY, .fresh = true}));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.follow_redirects = WEFT_ON,
                                       .mounts = (weft_mount[]){{"http://first.example", NULL,
                                                                 "http://u:p@proxy:3128", NULL},
                                                                {0}}),
                           "http://first.example/", NULL),
                  200);
    const char *second = strstr(world.log, "GET /x HTTP/1.1\r\nHost: origin.example:3128");
    ASSERT(second != NULL);
    ASSERT_STR_HAS(world.log, "Proxy-Authorization: Basic dTpw");
    ASSERT_STR_LACKS(second, "Proxy-Authorization");
    end(&world);
}

/* ---- SOCKS ---- */

#define HEAD_OF(name) "GET / HTTP/1.1\r\nHost: " name "\r\n"

VIRTUAL_TEST(socks5h_lets_the_proxy_resolve_and_logs_in)
{
    struct world world;
    begin(&world, STEPS({.bytes = 4, .answer = "\x05\x02", .len = 2},
                        {.bytes = 8, .answer = "\x01\x00", .len = 2},
                        {.bytes = 22,
                         .answer = "\x05\x00\x00\x03\x03"
                                   "abc\x00\x50",
                         .len = 10},
                        {.answer = OK_REPLY}));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = "socks5h://kim:pw@proxy:3128"),
                           "http://unknown.example/", NULL),
                  200);
    ASSERT_MEM_EQ(world.log,
                  "\x05\x02\x00\x02\x01\x03kim\x02pw\x05\x01\x00\x03\x0funknown.example\x00\x50",
                  34);
    ASSERT_STR_HAS(world.log + 34, HEAD_OF("unknown.example"));
    end(&world);
}

VIRTUAL_TEST(socks5_resolves_here)
{
    struct world world;
    begin(&world,
          STEPS({.bytes = 3, .answer = "\x05\x00", .len = 2},
                {.bytes = 10, .answer = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", .len = 10},
                {.answer = OK_REPLY}));
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.proxy = "socks5://proxy:3128"), "http://origin.example/", NULL), 200);
    ASSERT_MEM_EQ(world.log + 3, "\x05\x01\x00\x01\x0a\x00\x00\x09\x00\x50", 10);
    end(&world);
}

VIRTUAL_TEST(socks4a_lets_the_proxy_resolve)
{
    struct world world;
    begin(&world, STEPS({.bytes = 25, .answer = "\x00\x5a\x00\x00\x00\x00\x00\x00", .len = 8},
                        {.answer = OK_REPLY}));
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.proxy = "socks4a://proxy:3128"), "http://unknown.example/", NULL),
        200);
    ASSERT_MEM_EQ(world.log, "\x04\x01\x00\x50\x00\x00\x00\x01\x00unknown.example", 25);
    end(&world);
}

struct socks_case {
    const char *proxy;
    struct step steps[2];
    const char *says;
};

VIRTUAL_TEST(socks_failures_say_what_the_proxy_said)
{
    static const struct socks_case cases[] = {
        {"socks5h://proxy:3128", {{3, "\x05\xff", 2, false}}, "wants a user name"},
        {"socks5h://a:b@proxy:3128", {{4, "\x05\xff", 2, false}}, "no way to log in"},
        {"socks5h://proxy:3128", {{3, "\x05\x02", 2, false}}, "was not offered"},
        {"socks5h://proxy:3128", {{3, "HT", 2, false}}, "does not speak version 5"},
        {"socks5h://proxy:3128", {{3, NULL, 0, false}}, "closed the connection"},
        {"socks5h://a:b@proxy:3128",
         {{4, "\x05\x02", 2, false}, {5, "\x01\x01", 2, false}},
         "user name or password refused"},
        {"socks5h://proxy:3128",
         {{3, "\x05\x00", 2, false}, {21, "\x05\x05\x00\x01\x00", 5, false}},
         "connection refused (5)"},
        {"socks5h://proxy:3128",
         {{3, "\x05\x00", 2, false}, {21, "\x05\x00\x01\x01\x00", 5, false}},
         "an answer that is none"},
        {"socks4a://proxy:3128", {{24, "\x00\x5b\x00\x00\x00\x00\x00\x00", 8, false}}, "rejected"},
        {"socks4a://proxy:3128", {{24, "HTTP/1.1", 8, false}}, "does not speak version 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        begin(&world, cases[i].steps, cases[i].steps[1].bytes > 0 ? 2 : 1);
        ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = cases[i].proxy), "http://origin.example/", NULL),
                   WEFT_EPROXY);
        ASSERT_STR_HAS(weft_error_message(), cases[i].says);
        end(&world);
    }
}

VIRTUAL_TEST(socks_handshake_is_bounded_by_the_connect_timeout)
{
    struct world world;
    begin(&world, STEPS({.bytes = 100000, .answer = ""}));
    ASSERT_ERR(
        get_once(WEFT_CLIENT(.proxy = "socks5h://proxy:3128", .connect_timeout = WEFT_SEC(1)),
                 "http://origin.example/", NULL),
        WEFT_ECONNECT_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "timed out in the SOCKS handshake after 1 s");
    end(&world);
}

/* ---- the environment ---- */

static const char *const variables[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",   "REQUEST_METHOD"};

struct env_case {
    const char *set[3][2];
    int trust;
    const char *url;
    bool proxied;
};

VIRTUAL_TEST(environment_names_the_proxy)
{
    static const struct env_case cases[] = {
        {{{"http_proxy", "proxy:3128"}}, 0, "http://origin.example:3128/", true},
        {{{"HTTP_PROXY", "proxy:3128"}}, 0, "http://origin.example:3128/", true},
        {{{"HTTP_PROXY", "proxy:3128"}, {"REQUEST_METHOD", "GET"}},
         0,
         "http://origin.example:3128/",
         false},
        {{{"http_proxy", "proxy:3128"}, {"REQUEST_METHOD", "GET"}},
         0,
         "http://origin.example:3128/",
         true},
        {{{"http_proxy", "http://proxy:3128"}, {"HTTP_PROXY", "http://wrong.example"}},
         0,
         "http://origin.example:3128/",
         true},
        {{{"https_proxy", "proxy:3128"}}, 0, "http://origin.example:3128/", false},
        {{{"ALL_PROXY", "proxy:3128"}}, 0, "http://origin.example:3128/", true},
        {{{"http_proxy", "proxy:3128"}}, WEFT_OFF, "http://origin.example:3128/", false},
        {{{"http_proxy", ""}}, 0, "http://origin.example:3128/", false},
        {{{"http_proxy", "proxy:3128"}, {"NO_PROXY", ".example"}},
         0,
         "http://origin.example:3128/",
         false},
        {{{"http_proxy", "proxy:3128"}, {"no_proxy", "example.com"}},
         0,
         "http://origin.example:3128/",
         true},
        {{{"http_proxy", "proxy:3128"}, {"no_proxy", "10.0.0.0/8"}},
         0,
         "http://10.0.0.9:3128/",
         false},
        {{{"http_proxy", "proxy:3128"}, {"no_proxy", "10.0.0.9:80"}},
         0,
         "http://10.0.0.9:3128/",
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        for (size_t j = 0; j < sizeof variables / sizeof variables[0]; j++)
            unsetenv(variables[j]);
        for (size_t j = 0; j < 3 && cases[i].set[j][0] != NULL; j++)
            setenv(cases[i].set[j][0], cases[i].set[j][1], 1);
        begin(&world, STEPS({.answer = OK_REPLY}));
        ASSERT_INT_EQ(get_once(WEFT_CLIENT(.trust_env = cases[i].trust), cases[i].url, NULL), 200);
        bool proxied = strncmp(world.log, "GET http://", 11) == 0;
        if (proxied != cases[i].proxied)
            FAIL("case %zu: %s", i, world.log);
        end(&world);
    }
}

VIRTUAL_TEST(environment_with_a_proxy_that_is_none_is_told_by_its_name)
{
    setenv("https_proxy", "gopher://user:secret@x", 1);
    weft_client *client;
    ASSERT_ERR(weft_client_new(NULL, &client), WEFT_EUNSUPPORTED_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "https_proxy");
    ASSERT_STR_LACKS(weft_error_message(), "secret");
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.proxy = ""), &client));
    weft_client_free(client);
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.proxy = "http://user:secret@ho st"), &client),
               WEFT_EINVALID_URL);
    ASSERT_STR_LACKS(weft_error_message(), "secret");
    ASSERT_ERR(
        weft_client_new(WEFT_CLIENT(.proxy = "", .proxy_headers = (weft_pair[]){{"a", "b"}, {0}}),
                        &client),
        -EINVAL);
}

/* ---- names and addresses ---- */

VIRTUAL_TEST(resolve_takes_the_place_of_the_resolver)
{
    struct world world;
    begin(&world, STEPS({.answer = OK_REPLY}));
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.resolve = (weft_pair[]){{"nowhere.example:80", "10.0.0.1"},
                                                                {"nowhere.example:3128",
                                                                 "10.0.0.7, 10.0.0.9"},
                                                                {0}}),
                           "http://nowhere.example:3128/", NULL),
                  200);
    ASSERT_STR_HAS(world.log, "Host: nowhere.example:3128\r\n");
    end(&world);
    ASSERT_ERR(get_once(WEFT_CLIENT(.resolve = (weft_pair[]){{"*", "not an address"}, {0}}),
                        "http://x/", NULL),
               -EINVAL);
}

VIRTUAL_TEST(connect_to_goes_elsewhere_and_leaves_the_host)
{
    struct world world;
    begin(&world, STEPS({.answer = OK_REPLY}));
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.connect_to = (weft_pair[]){{"*:80", "origin.example:3128"}, {0}}),
                 "http://nowhere.example/", NULL),
        200);
    ASSERT_STR_HAS(world.log, "GET / HTTP/1.1\r\nHost: nowhere.example\r\n");
    end(&world);
}

static bool allow_nine(void *userdata, const char *host, const weft_address *address)
{
    char text[WEFT_ADDRESS_TEXT_MAX];
    int *asked = userdata;
    (void)host;
    (*asked)++;
    ASSERT_OK(weft_address_format(address, text, sizeof text));
    return strcmp(text, "10.0.0.9:3128") == 0;
}

VIRTUAL_TEST(address_filter_is_asked_for_every_address_and_on_every_redirect)
{
    struct world world;
    int asked = 0;
    begin(&world, STEPS({.answer = OK_REPLY},
                        {.answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:80/\r\n"
                                   "Content-Length: 0\r\n\r\n",
                         .fresh = true}));
    const weft_client_options *options =
        WEFT_CLIENT(.allow_address = allow_nine, .allow_userdata = &asked,
                    .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(get_once(options, "http://two.example:3128/", NULL), 200);
    ASSERT_INT_EQ(asked, 2);
    ASSERT_ERR(get_once(options, "http://two.example:3128/", NULL), WEFT_EADDRESS_REFUSED);
    ASSERT_STR_HAS(weft_error_message(), "127.0.0.1");
    ASSERT_ERR(get_once(options, "http://0x7f000001/", NULL), WEFT_EADDRESS_REFUSED);
    end(&world);
}

VIRTUAL_TEST(proxied_request_survives_every_failed_allocation)
{
    bool succeeded = false;
    for (uint64_t k = 1; k < 120; k += test_under_valgrind() ? 17 : 1) {
        struct world world;
        begin(&world, STEPS({.answer = OK_REPLY}));
        weft_client *client = NULL;
        weft_response *r = NULL;
        weft_testing_fail_alloc(k, false);
        int err = weft_client_new(WEFT_CLIENT(.proxy = "http://a:b@proxy:3128",
                                              .proxy_headers = (weft_pair[]){{"X-A", "b"}, {0}}),
                                  &client);
        if (err == 0)
            err = weft_client_get(client, "http://origin.example/", NULL, &r);
        weft_testing_fail_alloc(0, false);
        succeeded = succeeded || err == 0;
        weft_response_free(r);
        weft_client_free(client);
        end(&world);
    }
    ASSERT(succeeded);
}

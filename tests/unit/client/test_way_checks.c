/* What must hold on every way: whom TLS trusts, what bounds it, which connections are shared. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>
#include <weft/testing.h>

#include "certs.h"
#include "one_call.h"
#include "test.h"
#include "tls_world.h"

#define ORIGIN    (&world.parties[PARTY_ORIGIN])
#define OTHER     (&world.parties[PARTY_OTHER])
#define PROXY     (&world.parties[PARTY_PROXY])
#define TO_ORIGIN "https://origin.example/x"
#define AWAY      "HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n"
#define CLOSE     ((const weft_pair[]){{"Connection", "close"}, {NULL, NULL}})

/* ---- trust ---- */

VIRTUAL_TEST(verify_setting_is_kept_over_redirects_and_reuse)
{
    struct tls_world world;
    weft_client *client;
    tls_world_make(&world);
    OTHER->cert = tls_world_cert("wrong.pem", "DNS:wrong.example");
    ORIGIN->answer = AWAY;
    tls_world_start(&world);
    ASSERT_OK(
        weft_client_new(WEFT_CLIENT(.ca_file = certs_ca(), .follow_redirects = WEFT_ON), &client));
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(get_by(client, TO_ORIGIN, NULL), WEFT_ETLS_VERIFY);
        ASSERT_STR_HAS(weft_error_message(), "wrong.example");
    }
    weft_client_free(client);
    ASSERT_INT_EQ(OTHER->log_len, 0);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.insecure_no_verify = true, .follow_redirects = WEFT_ON),
                              &client));
    for (int i = 0; i < 2; i++)
        ASSERT_INT_EQ(get_by(client, TO_ORIGIN, NULL), 200);
    ASSERT_INT_EQ(OTHER->shaken, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

/* "DER:" and a sequence of one dNSName, in which a NUL may be. */
static void der_name(const char *name, size_t len, char *text)
{
    int n = sprintf(text, "DER:30:%02zx:82:%02zx", len + 2, len);
    for (size_t i = 0; i < len; i++)
        n += sprintf(text + n, ":%02x", (unsigned char)name[i]);
}

VIRTUAL_TEST(name_with_a_nul_in_the_certificate_is_refused)
{
    struct tls_world world;
    char san[256];
    static const char name[] = "origin.example\0.evil.example";
    der_name(name, sizeof name - 1, san);
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("nul.pem", san);
    tls_world_start(&world);
    ASSERT_ERR(get_once(WEFT_CLIENT(.ca_file = certs_ca()), TO_ORIGIN, NULL), WEFT_ETLS_VERIFY);
    tls_world_end(&world);
    /* The same without a NUL is a name. */
    der_name(name, strlen(name), san);
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("plain.pem", san);
    tls_world_start(&world);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.ca_file = certs_ca()), TO_ORIGIN, NULL), 200);
    tls_world_end(&world);
}

struct name_case {
    const char *san;
    const char *url;
    bool good;
};

VIRTUAL_TEST(names_of_the_certificate_are_matched_whole)
{
    static const struct name_case cases[] = {
        {"DNS:*.origin.example", "https://a.origin.example/", true},
        {"DNS:*.origin.example", "https://b.a.origin.example/", false},
        {"DNS:*.origin.example", "https://origin.example/", false},
        {"DNS:*.example", "https://origin.example/", false}, /* a whole top level */
        {"DNS:o*.example", "https://origin.example/", false},
        {"DNS:*", "https://origin.example/", false},
        {"DNS:10.0.0.2", "https://10.0.0.2/", false},
        {"IP:10.0.0.2", "https://10.0.0.2/", true},
        {"IP:10.0.0.3", "https://10.0.0.2/", false},
        {"DNS:*.xn--bcher-kva.example",
         "https://a.b\xc3\xbc"
         "cher.example/",
         true},
        {"DNS:xn--*.example",
         "https://b\xc3\xbc"
         "cher.example/",
         false},
        {"DNS:ORIGIN.Example", "https://origin.example/", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_world world;
        const weft_pair where[] = {{"*", "10.0.0.2"}, {0}};
        tls_world_make(&world);
        ORIGIN->cert = tls_world_cert("case.pem", cases[i].san);
        tls_world_start(&world);
        int err =
            get_once(WEFT_CLIENT(.ca_file = certs_ca(), .resolve = where), cases[i].url, NULL);
        if (err != (cases[i].good ? 200 : WEFT_ETLS_VERIFY))
            FAIL("case %zu: %d %s", i, err, err < 0 ? weft_error_message() : "");
        tls_world_end(&world);
    }
}

VIRTUAL_TEST(trust_is_loaded_once_and_when_it_is_needed)
{
    struct tls_world world;
    weft_client *client;
    char path[512];
    char ca[512];
    tls_world_make(&world);
    OTHER->cert = NULL;
    OTHER->port = 80;
    tls_world_start(&world);
    snprintf(path, sizeof path, "%s", test_path("later.pem"));
    snprintf(ca, sizeof ca, "%s", certs_ca());
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.ca_file = path), &client));
    /* http needs none. */
    ASSERT_INT_EQ(get_by(client, "http://other.example/", NULL), 200);
    ASSERT_ERR(get_by(client, TO_ORIGIN, NULL), -ENOENT);
    ASSERT_INT_EQ(link(ca, path), 0);
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, WEFT_REQUEST(.headers = CLOSE)), 200);
    ASSERT_INT_EQ(unlink(path), 0);
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, NULL), 200);
    ASSERT_INT_EQ(ORIGIN->connections, 2);
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- time ---- */

VIRTUAL_TEST(total_time_bounds_every_handshake)
{
    struct tls_world world;
    tls_world_make(&world);
    PROXY->silent = true;
    ORIGIN->silent = true;
    tls_world_start(&world);
    ASSERT_OK(weft_testing_name_set(
        world.net, "slow.example",
        WEFT_TESTING_NAME(.addresses = (const char *const[]){"10.0.0.2", NULL},
                          .delay = WEFT_SEC(100))));
    static const char *const proxies[] = {"", "http://proxy:3128", "https://proxy:3128",
                                          "socks4a://proxy:3128", "socks5h://proxy:3128"};
    for (size_t i = 0; i < 5; i++) {
        const weft_client_options *options =
            WEFT_CLIENT(.proxy = proxies[i], .ca_file = certs_ca(), .timeout = WEFT_SEC(3),
                        .connect_timeout = WEFT_SEC(50));
        int64_t began = weft_now();
        ASSERT_ERR(get_once(options, TO_ORIGIN, NULL), WEFT_ETOTAL_TIMEOUT);
        ASSERT(weft_now() - began == WEFT_SEC(3));
    }
    ASSERT_ERR(
        get_once(WEFT_CLIENT(.proxy = "", .timeout = WEFT_SEC(3), .connect_timeout = WEFT_SEC(50)),
                 "http://slow.example/", NULL),
        WEFT_ETOTAL_TIMEOUT);
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = "socks5://proxy:3128", .connect_timeout = WEFT_SEC(3)),
                        "http://slow.example/", NULL),
               WEFT_ECONNECT_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), "timed out while resolving after 3 s");
    tls_world_end(&world);
}

/* ---- which connections are shared ---- */

VIRTUAL_TEST(connections_by_a_proxy_are_for_one_origin_and_scheme)
{
    struct tls_world world;
    weft_client *client;
    static const char *const urls[] = {"https://origin.example/a", "https://origin.example/b",
                                       "https://other.example/a",  "http://origin.example/a",
                                       "http://origin.example/b",  "http://other.example/a"};
    tls_world_make(&world);
    tls_world_start(&world);
    ASSERT_OK(
        weft_client_new(WEFT_CLIENT(.proxy = "http://proxy:3128", .ca_file = certs_ca()), &client));
    for (size_t i = 0; i < 6; i++)
        ASSERT_INT_EQ(get_by(client, urls[i], NULL), 200);
    ASSERT_INT_EQ(PROXY->connections, 4);
    ASSERT_INT_EQ(ORIGIN->connections, 1);
    ASSERT_INT_EQ(OTHER->connections, 1);
    ASSERT_STR_HAS(PROXY->log, "GET http://origin.example/b HTTP/1.1\r\n");
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- the environment ---- */

struct env_case {
    const char *set[3][2];
    const char *url;
    bool tunnelled;
};

VIRTUAL_TEST(environment_names_the_proxy_of_https)
{
    static const struct env_case cases[] = {
        {{{"https_proxy", "http://proxy:3128"}}, TO_ORIGIN, true},
        {{{"HTTPS_PROXY", "proxy:3128"}}, TO_ORIGIN, true},
        {{{"HTTPS_PROXY", "proxy:3128"}, {"REQUEST_METHOD", "GET"}}, TO_ORIGIN, true},
        {{{"all_proxy", "proxy:3128"}}, TO_ORIGIN, true},
        {{{"http_proxy", "proxy:3128"}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"no_proxy", "origin.example"}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"no_proxy", "origin.example:443"}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"no_proxy", "origin.example:80"}}, TO_ORIGIN, true},
        {{{"https_proxy", "proxy:3128"}, {"no_proxy", "https://origin.example"}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"no_proxy", "http://origin.example"}}, TO_ORIGIN, true},
        {{{"https_proxy", "proxy:3128"}, {"NO_PROXY", "igin.example"}}, TO_ORIGIN, true},
        {{{"https_proxy", "proxy:3128"}, {"NO_PROXY", " localhost , .example "}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"NO_PROXY", "*"}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"NO_PROXY", "origin.example."}}, TO_ORIGIN, false},
        {{{"https_proxy", "proxy:3128"}, {"no_proxy", "ORIGIN.example"}}, TO_ORIGIN, false},
    };
    static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",   "REQUEST_METHOD"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_world world;
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++)
            unsetenv(names[j]);
        for (size_t j = 0; j < 3 && cases[i].set[j][0] != NULL; j++)
            setenv(cases[i].set[j][0], cases[i].set[j][1], 1);
        tls_world_make(&world);
        tls_world_start(&world);
        ASSERT_INT_EQ(get_once(WEFT_CLIENT(.ca_file = certs_ca()), cases[i].url, NULL), 200);
        if (PROXY->connections != cases[i].tunnelled)
            FAIL("case %zu: %s", i, PROXY->log);
        tls_world_end(&world);
    }
}

VIRTUAL_TEST(environment_is_asked_anew_at_every_redirect)
{
    struct tls_world world;
    setenv("https_proxy", "http://kim:secret@proxy:3128", 1);
    setenv("no_proxy", "origin.example", 1);
    tls_world_make(&world);
    ORIGIN->answer = AWAY;
    tls_world_start(&world);
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.ca_file = certs_ca(), .follow_redirects = WEFT_ON), TO_ORIGIN, NULL),
        200);
    ASSERT_INT_EQ(PROXY->connections, 1);
    ASSERT_STR_HAS(PROXY->log, "CONNECT other.example:443 HTTP/1.1\r\n");
    ASSERT_STR_LACKS(ORIGIN->log, "Proxy-");
    ASSERT_STR_LACKS(OTHER->log, "Proxy-");
    tls_world_end(&world);
}

VIRTUAL_TEST(proxy_of_the_first_hop_is_not_that_of_the_second)
{
    struct tls_world world;
    const weft_mount mounts[] = {
        {"https://origin.example", NULL, "http://kim:secret@proxy:3128", NULL},
        {"https://other.example", NULL, "http://joe:other@proxy:3128", NULL},
        {0}};
    tls_world_make(&world);
    ORIGIN->answer = AWAY;
    tls_world_start(&world);
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.ca_file = certs_ca(), .follow_redirects = WEFT_ON, .mounts = mounts),
                 TO_ORIGIN, NULL),
        200);
    const char *second = strstr(PROXY->log, "CONNECT other.example:443");
    ASSERT(second != NULL);
    ASSERT_STR_HAS(PROXY->log, "Proxy-Authorization: Basic a2ltOnNlY3JldA==");
    ASSERT_STR_HAS(second, "Proxy-Authorization: Basic am9lOm90aGVy");
    ASSERT_STR_LACKS(second, "a2ltOnNlY3JldA==");
    tls_world_end(&world);
}

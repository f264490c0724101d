/* TLS on every way: through tunnels, inside TLS, with names overridden, and what it checks. */
#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "certs.h"
#include "client/client_int.h"
#include "one_call.h"
#include "test.h"
#include "tls/tls_int.h"
#include "tls_world.h"

#define ORIGIN    (&world.parties[PARTY_ORIGIN])
#define OTHER     (&world.parties[PARTY_OTHER])
#define PROXY     (&world.parties[PARTY_PROXY])
#define TO_ORIGIN "https://origin.example/x"
#define TUNNEL    "http://kim:secret@proxy:3128"
#define SAFELY    "https://kim:secret@proxy:3128"
#define CLOSE     ((const weft_pair[]){{"Connection", "close"}, {NULL, NULL}})

#undef WEFT_CLIENT
#define WEFT_CLIENT(...) WEFT_OPTIONS(weft_client_options, .http2 = test_is_over_h2(), __VA_ARGS__)

static weft_client *client_of(const weft_client_options *options)
{
    weft_client *client;
    ASSERT_OK(weft_client_new(options, &client));
    return client;
}

/* ---- tunnels ---- */

VIRTUAL_TEST(tunnel_carries_tls_to_the_origin)
{
    struct tls_world world;
    weft_response *r;
    weft_pool_stats stats;
    tls_world_make(&world);
    tls_world_start(&world);
    weft_client *client = client_of(WEFT_CLIENT(.proxy = TUNNEL, .ca_file = certs_ca(),
                                                .headers = (weft_pair[]){{"X-A", "b"}, {0}}));
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_get(client, TO_ORIGIN, NULL, &r));
        ASSERT_STR_EQ(weft_response_text(r, NULL), "ok");
        ASSERT_STR_EQ(weft_response_tls_version(r), "TLSv1.3");
        weft_response_free(r);
    }
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.opened, 1);
    ASSERT_STR_EQ(PROXY->log, "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n"
                              "Proxy-Authorization: Basic a2ltOnNlY3JldA==\r\n\r\n");
    ASSERT_STR_HAS(ORIGIN->log, "GET /x HTTP/1.1\r\nHost: origin.example\r\n");
    ASSERT_STR_HAS(ORIGIN->log, "X-A: b\r\n");
    ASSERT_STR_LACKS(ORIGIN->log, "Proxy-");
    ASSERT_STR_EQ(ORIGIN->sni, "origin.example");
    weft_client_free(client);
    tls_world_end(&world);
}

static void secure_proxy(struct tls_world *world, const char *san)
{
    tls_world_make(world);
    world->parties[PARTY_PROXY].cert = tls_world_cert("proxy.pem", san);
    tls_world_start(world);
}

VIRTUAL_TEST(tunnel_inside_tls_carries_tls)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:proxy");
    weft_client *client = client_of(WEFT_CLIENT(.proxy = SAFELY, .ca_file = certs_ca()));
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, NULL), 200);
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, WEFT_REQUEST(.headers = CLOSE)), 200);
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, NULL), 200);
    ASSERT_STR_EQ(PROXY->sni, "proxy");
    ASSERT_STR_EQ(ORIGIN->sni, "origin.example");
    ASSERT_INT_EQ(PROXY->shaken, 2);
    ASSERT_INT_EQ(ORIGIN->shaken, 2);
    /* Both sessions of the second connection go on where the first have ended. */
    ASSERT_INT_EQ(PROXY->resumed, 1);
    ASSERT_INT_EQ(ORIGIN->resumed, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(proxy_by_tls_forwards_http)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:proxy");
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = SAFELY, .ca_file = certs_ca()),
                           "http://origin.example/y", NULL),
                  200);
    ASSERT_STR_HAS(PROXY->log, "GET http://origin.example/y HTTP/1.1\r\nHost: origin.example\r\n");
    ASSERT_INT_EQ(PROXY->shaken, 1);
    ASSERT_INT_EQ(ORIGIN->connections, 0);
    tls_world_end(&world);
}

VIRTUAL_TEST(proxy_by_tls_has_its_certificate_checked)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:another.example");
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = SAFELY, .ca_file = certs_ca()), TO_ORIGIN, NULL),
               WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(weft_error_message(), "proxy https://proxy:3128");
    ASSERT_STR_LACKS(weft_error_message(), "secret");
    ASSERT_INT_EQ(PROXY->log_len, 0);
    tls_world_end(&world);
}

VIRTUAL_TEST(proxy_by_tls_may_have_settings_of_its_own)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:another.example");
    const weft_tls_options *lax = WEFT_TLS(.insecure_no_verify = true);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = SAFELY, .ca_file = certs_ca(), .proxy_tls = lax),
                           TO_ORIGIN, NULL),
                  200);
    /* They are for the proxy alone. */
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = SAFELY, .proxy_tls = lax,
                                    .ca_file = tls_world_cert("not-a-ca.pem", "DNS:x")),
                        TO_ORIGIN, NULL),
               WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(weft_error_message(), "origin.example");
    ASSERT_STR_LACKS(weft_error_message(), "proxy https://");
    tls_world_end(&world);
}

VIRTUAL_TEST(tunnel_to_an_origin_with_a_wrong_certificate_blames_the_origin)
{
    struct tls_world world;
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("wrong.pem", "DNS:wrong.example");
    tls_world_start(&world);
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = TUNNEL, .ca_file = certs_ca()), TO_ORIGIN, NULL),
               WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(weft_error_message(), "wrong.example");
    ASSERT_INT_EQ(ORIGIN->log_len, 0);
    tls_world_end(&world);
}

VIRTUAL_TEST(tunnel_hides_a_proxys_credentials_that_a_request_has)
{
    struct tls_world world;
    const weft_pair fields[] = {{"Proxy-Authorization", "Basic eDp5"}, {"X-B", "c"}, {0}};
    tls_world_make(&world);
    tls_world_start(&world);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.proxy = TUNNEL, .ca_file = certs_ca(), .headers = fields),
                           TO_ORIGIN, NULL),
                  200);
    ASSERT_STR_HAS(ORIGIN->log, "X-B: c\r\n");
    ASSERT_STR_LACKS(ORIGIN->log, "Proxy-Authorization");
    ASSERT_STR_LACKS(PROXY->log, "eDp5");
    tls_world_end(&world);
}

static void expect_silence(struct tls_world *world, enum weft__tls_kind who, const char *proxy,
                           const char *says)
{
    int party = who == WEFT__TLS_PROXY ? PARTY_PROXY : PARTY_ORIGIN;
    world->parties[party].silent = true;
    ASSERT_ERR(
        get_once(WEFT_CLIENT(.proxy = proxy, .ca_file = certs_ca(), .connect_timeout = WEFT_SEC(2)),
                 TO_ORIGIN, NULL),
        WEFT_ECONNECT_TIMEOUT);
    ASSERT_STR_HAS(weft_error_message(), says);
    ASSERT_STR_LACKS(weft_error_message(), "secret");
    world->parties[party].silent = false;
}

VIRTUAL_TEST(handshakes_behind_a_proxy_are_bounded_and_name_it)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:proxy");
    expect_silence(&world, WEFT__TLS_PROXY, SAFELY,
                   "timed out in the TLS handshake with the proxy after 2 s (origin.example by the "
                   "proxy https://proxy:3128)");
    expect_silence(&world, WEFT__TLS_HOME, SAFELY,
                   "timed out in the TLS handshake after 2 s (origin.example by the proxy "
                   "https://proxy:3128)");
    tls_world_end(&world);
}

/* ---- names ---- */

VIRTUAL_TEST(server_name_is_asked_for_and_checked_instead_of_the_host)
{
    struct tls_world world;
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("inner.pem", "DNS:inner.example");
    ORIGIN->answer = "HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\n"
                     "Content-Length: 0\r\n\r\n";
    tls_world_start(&world);
    const weft_request_options *named =
        WEFT_REQUEST(.server_name = "inner.example", .follow_redirects = WEFT_ON);
    const char *const proxies[] = {"", TUNNEL};
    for (size_t i = 0; i < 2; i++) {
        weft_client *client = client_of(WEFT_CLIENT(.ca_file = certs_ca(), .proxy = proxies[i]));
        ASSERT_INT_EQ(get_by(client, TO_ORIGIN, named), 200);
        ASSERT_STR_EQ(ORIGIN->sni, "inner.example");
        ASSERT_STR_HAS(ORIGIN->log, "Host: origin.example\r\n");
        /* It is for the first server only. */
        ASSERT_STR_EQ(OTHER->sni, "other.example");
        /* A connection under one name is not for another one. */
        ASSERT_ERR(get_by(client, TO_ORIGIN, NULL), WEFT_ETLS_VERIFY);
        ASSERT_STR_HAS(weft_error_message(), "origin.example");
        weft_client_free(client);
    }
    tls_world_end(&world);
}

VIRTUAL_TEST(server_name_takes_no_memory_per_request)
{
    struct tls_world world;
    weft_response *r;
    uint64_t counts[2];
    tls_world_make(&world);
    tls_world_start(&world);
    weft_client *client = client_of(WEFT_CLIENT(.ca_file = certs_ca()));
    const weft_request_options *requests[] = {NULL, WEFT_REQUEST(.server_name = "origin.example")};
    for (size_t i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            weft_testing_fail_alloc(0, false);
            ASSERT_OK(weft_client_get(client, TO_ORIGIN, requests[i], &r));
            counts[i] = weft_testing_alloc_count();
            weft_response_free(r);
        }
    }
    ASSERT_INT_EQ(counts[1], counts[0]);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(long_server_names_make_connections_of_their_own)
{
    struct tls_world world;
    char names[2][200];
    tls_world_make(&world);
    tls_world_start(&world);
    weft_client *client = client_of(WEFT_CLIENT(.insecure_no_verify = true));
    for (size_t i = 0; i < 2; i++) {
        memset(names[i], 'a', sizeof names[i]);
        for (size_t j = 60; j < 190; j += 60)
            names[i][j] = '.';
        names[i][198] = (char)('x' + i);
        names[i][199] = '\0';
        ASSERT_INT_EQ(get_by(client, TO_ORIGIN, WEFT_REQUEST(.server_name = names[i])), 200);
        ASSERT_STR_EQ(ORIGIN->sni, names[i]);
    }
    ASSERT_INT_EQ(ORIGIN->connections, 2);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(connect_to_and_resolve_leave_host_and_certificate)
{
    struct tls_world world;
    tls_world_make(&world);
    tls_world_start(&world);
    const weft_pair to[] = {{"origin.example:443", "elsewhere.example:443"}, {0}};
    const weft_pair where[] = {{"elsewhere.example", "10.0.0.2"}, {0}};
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.ca_file = certs_ca(), .connect_to = to, .resolve = where),
                           TO_ORIGIN, NULL),
                  200);
    ASSERT_STR_EQ(ORIGIN->sni, "origin.example");
    ASSERT_STR_HAS(ORIGIN->log, "Host: origin.example\r\n");
    tls_world_end(&world);
}

VIRTUAL_TEST(connect_to_is_what_a_tunnel_is_opened_to)
{
    struct tls_world world;
    const weft_pair to[] = {{"nowhere.example", "origin.example"}, {0}};
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("nowhere.pem", "DNS:nowhere.example");
    tls_world_start(&world);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.ca_file = certs_ca(), .connect_to = to, .proxy = TUNNEL),
                           "https://nowhere.example/", NULL),
                  200);
    ASSERT_STR_HAS(PROXY->log,
                   "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n");
    ASSERT_STR_EQ(ORIGIN->sni, "nowhere.example");
    ASSERT_STR_HAS(ORIGIN->log, "Host: nowhere.example\r\n");
    tls_world_end(&world);
}

struct name_case {
    const char *url;
    const char *san;
    const char *sni;
};

VIRTUAL_TEST(names_are_asked_for_as_the_certificate_has_them)
{
    static const struct name_case cases[] = {
        {"https://b\xc3\xbc"
         "cher.example/",
         "DNS:xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"https://origin.example./", "DNS:origin.example", "origin.example"},
        {"https://ORIGIN.example/", "DNS:origin.example", "origin.example"},
        {"https://10.0.0.2/", "IP:10.0.0.2", ""},
        {"https://deep.origin.example/", "DNS:*.origin.example", "deep.origin.example"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_world world;
        const weft_pair where[] = {{"*", "10.0.0.2"}, {0}};
        tls_world_make(&world);
        ORIGIN->cert = tls_world_cert("named.pem", cases[i].san);
        tls_world_start(&world);
        ASSERT_INT_EQ(
            get_once(WEFT_CLIENT(.ca_file = certs_ca(), .resolve = where), cases[i].url, NULL),
            200);
        ASSERT_STR_EQ(ORIGIN->sni, cases[i].sni);
        tls_world_end(&world);
    }
}

/* ---- certificates of ours ---- */

VIRTUAL_TEST(client_certificate_is_for_the_origin_alone)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:proxy");
    const char *ours =
        certs_make(CERT(.file = "ours.pem", .san = "DNS:kim", .usage = "clientAuth"));
    for (int i = 0; i < PARTIES; i++)
        SSL_CTX_set_verify(world.parties[i].tls->ctx, SSL_VERIFY_PEER, NULL);
    for (int i = 0; i < PARTIES; i++)
        ASSERT(SSL_CTX_load_verify_file(world.parties[i].tls->ctx, certs_ca()) == 1);
    ORIGIN->answer = "HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\n"
                     "Content-Length: 0\r\n\r\n";
    weft_client *client =
        client_of(WEFT_CLIENT(.ca_file = certs_ca(), .proxy = SAFELY, .follow_redirects = WEFT_ON,
                              .tls = WEFT_TLS(.cert_file = ours)));
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, NULL), 200);
    ASSERT_INT_EQ(ORIGIN->with_cert, 1);
    ASSERT_INT_EQ(OTHER->shaken, 1);
    ASSERT_INT_EQ(OTHER->with_cert, 0);
    ASSERT_INT_EQ(PROXY->with_cert, 0);
    /* A call that names the other server shows it, on a connection of its own. */
    ASSERT_INT_EQ(get_by(client, "https://other.example/", NULL), 200);
    ASSERT_INT_EQ(OTHER->with_cert, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(client_certificate_is_shown_to_base_urls_origin_only)
{
    struct tls_world world;
    tls_world_make(&world);
    tls_world_start(&world);
    const char *ours =
        certs_make(CERT(.file = "ours.pem", .san = "DNS:kim", .usage = "clientAuth"));
    for (int i = 0; i < PARTY_PROXY; i++) {
        SSL_CTX_set_verify(world.parties[i].tls->ctx, SSL_VERIFY_PEER, NULL);
        ASSERT(SSL_CTX_load_verify_file(world.parties[i].tls->ctx, certs_ca()) == 1);
    }
    weft_client *client =
        client_of(WEFT_CLIENT(.ca_file = certs_ca(), .base_url = "https://origin.example/",
                              .tls = WEFT_TLS(.cert_file = ours)));
    ASSERT_INT_EQ(get_by(client, "a", NULL), 200);
    ASSERT_INT_EQ(get_by(client, "https://other.example/", NULL), 200);
    ASSERT_INT_EQ(ORIGIN->with_cert, 1);
    ASSERT_INT_EQ(OTHER->with_cert, 0);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(certificate_for_a_proxy_is_shown_to_it_alone)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:proxy");
    const char *ours =
        certs_make(CERT(.file = "ours.pem", .san = "DNS:kim", .usage = "clientAuth"));
    for (int i = 0; i < PARTIES; i++) {
        SSL_CTX_set_verify(world.parties[i].tls->ctx, SSL_VERIFY_PEER, NULL);
        ASSERT(SSL_CTX_load_verify_file(world.parties[i].tls->ctx, certs_ca()) == 1);
    }
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.ca_file = certs_ca(), .proxy = SAFELY,
                             .proxy_tls = WEFT_TLS(.ca_file = certs_ca(), .cert_file = ours)),
                 TO_ORIGIN, NULL),
        200);
    ASSERT_INT_EQ(PROXY->with_cert, 1);
    ASSERT_INT_EQ(ORIGIN->with_cert, 0);
    tls_world_end(&world);
}

/* ---- sessions ---- */

VIRTUAL_TEST(second_connection_resumes_the_first_ones_session)
{
    struct tls_world world;
    tls_world_make(&world);
    tls_world_start(&world);
    const weft_request_options *once = WEFT_REQUEST(.headers = CLOSE);
    weft_client *client = client_of(WEFT_CLIENT(.ca_file = certs_ca()));
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, once), 200);
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, once), 200);
    ASSERT_INT_EQ(ORIGIN->shaken, 2);
    ASSERT_INT_EQ(ORIGIN->resumed, 1);
    weft_client_free(client);
    /* Another client has sessions of its own, and one that wants none has none. */
    client = client_of(WEFT_CLIENT(.ca_file = certs_ca(), .tls = WEFT_TLS(.no_resume = true)));
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, once), 200);
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, once), 200);
    ASSERT_INT_EQ(ORIGIN->shaken, 4);
    ASSERT_INT_EQ(ORIGIN->resumed, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(session_without_checks_is_not_one_with_them)
{
    struct tls_world world;
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("wrong.pem", "DNS:wrong.example");
    tls_world_start(&world);
    const weft_request_options *once = WEFT_REQUEST(.headers = CLOSE);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.insecure_no_verify = true), TO_ORIGIN, once), 200);
    ASSERT_ERR(get_once(WEFT_CLIENT(.ca_file = certs_ca()), TO_ORIGIN, once), WEFT_ETLS_VERIFY);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.insecure_no_verify = true), TO_ORIGIN, once), 200);
    ASSERT_INT_EQ(ORIGIN->resumed, 0);
    tls_world_end(&world);
}

VIRTUAL_TEST(session_of_one_name_is_not_anothers)
{
    struct tls_world world;
    tls_world_make(&world);
    ORIGIN->cert = tls_world_cert("both.pem", "DNS:origin.example,DNS:second.example");
    tls_world_start(&world);
    const weft_request_options *once = WEFT_REQUEST(.headers = CLOSE);
    weft_client *client = client_of(WEFT_CLIENT(.ca_file = certs_ca()));
    ASSERT_INT_EQ(get_by(client, TO_ORIGIN, once), 200);
    ASSERT_INT_EQ(
        get_by(client, TO_ORIGIN, WEFT_REQUEST(.headers = CLOSE, .server_name = "second.example")),
        200);
    ASSERT_INT_EQ(ORIGIN->resumed, 0);
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- what is checked ---- */

static void pin_of(const char *path, char pin[64])
{
    unsigned char digest[32];
    unsigned char *der = NULL;
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    ASSERT(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1);
    EVP_EncodeBlock((unsigned char *)pin, digest, 32);
    OPENSSL_free(der);
    X509_free(cert);
}

static void expect_refused(const weft_tls_options *tls, int code, const char *says)
{
    ASSERT_ERR(get_once(WEFT_CLIENT(.ca_file = certs_ca(), .tls = tls), TO_ORIGIN, NULL), code);
    ASSERT_STR_HAS(weft_error_message(), "origin.example");
    ASSERT_STR_HAS(weft_error_message(), says);
}

VIRTUAL_TEST(checks_of_tls_are_made_through_the_client)
{
    struct tls_world world;
    char pin[64];
    tls_world_make(&world);
    tls_world_start(&world);
    pin_of(ORIGIN->cert, pin);
    X509 *cert = SSL_CTX_get0_certificate(ORIGIN->tls->ctx);
    const char *clean = certs_crl("clean.crl", 0);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.ca_file = certs_ca(),
                                       .tls = WEFT_TLS(.minimum = WEFT_TLS_1_3, .crl_file = clean,
                                                       .pins = (const char *const[]){pin, NULL})),
                           TO_ORIGIN, NULL),
                  200);
    expect_refused(
        WEFT_TLS(.pins = (const char *const[]){"sha256//"
                                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                               NULL}),
        WEFT_ETLS_VERIFY, "pinned");
    const char *revoked = certs_crl("revoked.crl", ASN1_INTEGER_get(X509_get0_serialNumber(cert)));
    expect_refused(WEFT_TLS(.crl_file = revoked), WEFT_ETLS_VERIFY, "revoked");
    expect_refused(WEFT_TLS(.ocsp = true), WEFT_ETLS_VERIFY, "no OCSP response");
    SSL_CTX_set_max_proto_version(ORIGIN->tls->ctx, TLS1_2_VERSION);
    expect_refused(WEFT_TLS(.minimum = WEFT_TLS_1_3), WEFT_ETLS, "");
    tls_world_end(&world);
}

VIRTUAL_TEST(protocol_that_the_server_does_not_speak_is_an_error_of_tls)
{
    struct tls_world world;
    tls_world_make(&world);
    ASSERT_OK(weft_tls_new_server(
        WEFT_TLS(.cert_file = ORIGIN->cert, .alpn = (const char *const[]){"spdy/1", NULL}),
        &ORIGIN->tls));
    tls_world_start(&world);
    expect_refused(NULL, WEFT_ETLS, "");
    tls_world_end(&world);
}

static int give_staple(SSL *ssl, void *arg)
{
    unsigned char *der;
    (void)arg;
    int len = certs_ocsp(SSL_get_certificate(ssl), V_OCSP_CERTSTATUS_GOOD, 0, &der);
    unsigned char *copy = OPENSSL_memdup(der, (size_t)len);
    OPENSSL_free(der);
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, len);
    return SSL_TLSEXT_ERR_OK;
}

VIRTUAL_TEST(staple_is_asked_of_the_origin_and_not_of_the_proxy)
{
    struct tls_world world;
    secure_proxy(&world, "DNS:proxy");
    SSL_CTX_set_tlsext_status_cb(ORIGIN->tls->ctx, give_staple);
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.ca_file = certs_ca(), .proxy = SAFELY, .tls = WEFT_TLS(.ocsp = true)),
                 TO_ORIGIN, NULL),
        200);
    tls_world_end(&world);
}

static long lines_of(const char *path)
{
    long n = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    for (int c; (c = fgetc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

VIRTUAL_TEST(key_log_has_the_secrets_of_the_clients_connections)
{
    struct tls_world world;
    char path[512];
    snprintf(path, sizeof path, "%s", test_path("keys.log"));
    tls_world_make(&world);
    tls_world_start(&world);
    setenv("SSLKEYLOGFILE", path, 1);
    ASSERT_INT_EQ(
        get_once(WEFT_CLIENT(.ca_file = certs_ca(), .trust_env = WEFT_OFF), TO_ORIGIN, NULL), 200);
    ASSERT_INT_EQ(lines_of(path), 0);
    ASSERT_INT_EQ(get_once(WEFT_CLIENT(.ca_file = certs_ca()), TO_ORIGIN, NULL), 200);
    ASSERT_INT_GT(lines_of(path), 0);
    unsetenv("SSLKEYLOGFILE");
    tls_world_end(&world);
}

VIRTUAL_TEST(empty_variables_of_trust_do_not_disable_the_checks)
{
    struct tls_world world;
    tls_world_make(&world);
    tls_world_start(&world);
    setenv("SSL_CERT_FILE", "", 1);
    setenv("SSL_CERT_DIR", "", 1);
    ASSERT_ERR(get_once(NULL, TO_ORIGIN, NULL), WEFT_ETLS_VERIFY);
    setenv("SSL_CERT_FILE", certs_ca(), 1);
    ASSERT_INT_EQ(get_once(NULL, TO_ORIGIN, NULL), 200);
    ASSERT_ERR(get_once(WEFT_CLIENT(.trust_env = WEFT_OFF), TO_ORIGIN, NULL), WEFT_ETLS_VERIFY);
    tls_world_end(&world);
}

VIRTUAL_TEST(files_of_tls_that_are_none_are_named_by_the_first_call)
{
    struct tls_world world;
    tls_world_make(&world);
    tls_world_start(&world);
    expect_refused(WEFT_TLS(.cert_file = "/nowhere/cert.pem"), -ENOENT, "/nowhere/cert.pem");
    expect_refused(WEFT_TLS(.crl_file = "/nowhere/list.crl"), -ENOENT, "/nowhere/list.crl");
    ASSERT_ERR(get_once(WEFT_CLIENT(.ca_file = "/nowhere/ca.pem"), TO_ORIGIN, NULL), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "/nowhere/ca.pem");
    ASSERT_ERR(get_once(WEFT_CLIENT(.proxy = SAFELY, .ca_file = certs_ca(),
                                    .proxy_tls = WEFT_TLS(.ca_file = "/nowhere/proxy.pem")),
                        TO_ORIGIN, NULL),
               -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "/nowhere/proxy.pem");
    tls_world_end(&world);
}

/* ---- faults ---- */

/* By a new client; what was made is freed, whatever fails. */
static int one_call(const char *proxy)
{
    return get_once(WEFT_CLIENT(.ca_file = certs_ca(), .proxy = proxy), TO_ORIGIN,
                    WEFT_REQUEST(.server_name = "origin.example"));
}

static const char *const fault_proxies[] = {"", TUNNEL, SAFELY, "socks5h://proxy:3128",
                                            "socks5://proxy:3128"};

static void begin_faults(struct tls_world *world, const char *proxy)
{
    tls_world_make(world);
    if (strcmp(proxy, SAFELY) == 0)
        world->parties[PARTY_PROXY].cert = tls_world_cert("proxy.pem", "DNS:proxy");
    world->parties[PARTY_PROXY].socks = strncmp(proxy, "socks", 5) == 0;
    tls_world_start(world);
}

TEST_IN_LOOP(ways_survive_every_failed_allocation, WEFT_BACKEND_VIRTUAL, .limit_s = 120)
{
    for (size_t i = 0; i < 5; i++) {
        struct tls_world world;
        uint64_t step = test_under_valgrind() ? 29 : 1;
        begin_faults(&world, fault_proxies[i]);
        weft_testing_fail_alloc(0, false);
        ASSERT_INT_EQ(one_call(fault_proxies[i]), 200);
        uint64_t all = weft_testing_alloc_count();
        for (uint64_t k = 1; k <= all; k += step) {
            weft_testing_fail_alloc(k, false);
            int err = one_call(fault_proxies[i]);
            weft_testing_fail_alloc(0, false);
            /* An allocation of the servers, in the same loop, ends the connection. */
            ASSERT(err == 200 || err < 0);
        }
        ASSERT_INT_EQ(one_call(fault_proxies[i]), 200);
        tls_world_end(&world);
    }
}

TEST_IN_LOOP(ways_survive_cancellation_at_every_checkpoint, WEFT_BACKEND_VIRTUAL, .limit_s = 120)
{
    for (size_t i = 0; i < 5; i++) {
        struct tls_world world;
        /* TLS in TLS has every checkpoint of the others. */
        uint64_t step = test_under_valgrind() ? 37 : i == 2 ? 1 : 4;
        begin_faults(&world, fault_proxies[i]);
        weft_testing_cancel_at(NULL, 0);
        ASSERT_INT_EQ(one_call(fault_proxies[i]), 200);
        uint64_t all = weft_testing_checkpoint_count();
        for (uint64_t k = 1; k <= all; k += step) {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_FOREVER);
            weft_testing_cancel_at(&scope, k);
            int result = one_call(fault_proxies[i]);
            weft_testing_cancel_at(NULL, 0);
            weft_scope_exit(&scope, result < 0 ? result : 0);
            ASSERT(result == 200 || result == -ECANCELED);
        }
        ASSERT_INT_EQ(one_call(fault_proxies[i]), 200);
        tls_world_end(&world);
    }
}

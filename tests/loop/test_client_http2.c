/* test_client_http2.c - HTTP/2 over real sockets and TLS: what the two sides agree upon. */
#include <stdio.h>
#include <string.h>

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

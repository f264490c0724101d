#include "tls_world.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs.h"
#include "gate.h"
#include "h2_fake.h"
#include "test.h"
#include "tls/tls_int.h"

struct guest {
    struct party *party;
    weft_stream *stream;
};

static struct tls_world *present;

/* What a handshake has agreed upon; the party is that of the settings. */
static void note_handshake(const SSL *ssl, int where, int value)
{
    (void)value;
    if ((where & SSL_CB_HANDSHAKE_DONE) == 0 || present == NULL)
        return;
    for (int i = 0; i < PARTIES; i++) {
        struct party *party = &present->parties[i];
        if (party->tls == NULL || SSL_get_SSL_CTX(ssl) != party->tls->ctx)
            continue;
        const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        party->shaken++;
        party->resumed += SSL_session_reused(ssl);
        party->with_cert += SSL_get0_peer_certificate(ssl) != NULL;
        snprintf(party->sni, sizeof party->sni, "%s", sni != NULL ? sni : "");
    }
}

/* The next head into the log: how long it is, 0 at the end. */
static size_t take_head(struct party *party, weft_stream *stream)
{
    if (party->log_len > sizeof party->log / 2)
        party->log_len = 0; /* many calls: of them only the last are looked at */
    size_t start = party->log_len;
    for (;;) {
        size_t len = party->log_len - start;
        const char *head = party->log + start;
        if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
            return len;
        if (party->log_len + 1 == sizeof party->log)
            return 0;
        if (weft_stream_read(stream, party->log + party->log_len, 1) != 1)
            return 0;
        party->log_len++;
    }
}

static int send_text(weft_stream *stream, const char *text)
{
    int err = weft_stream_write(stream, text, strlen(text));
    return err < 0 ? err : weft_stream_flush(stream);
}

struct pipe {
    weft_stream *from;
    weft_stream *to;
};

static int carry(void *arg)
{
    struct pipe *pipe = arg;
    char data[4096];
    for (;;) {
        int64_t n = weft_stream_read(pipe->from, data, sizeof data);
        if (n <= 0 || weft_stream_write(pipe->to, data, (size_t)n) < 0 ||
            weft_stream_flush(pipe->to) < 0)
            break;
    }
    return -EPIPE; /* ends the other direction */
}

/* Until either side ends. */
static void carry_both(weft_stream *stream, weft_stream *far)
{
    struct pipe there = {stream, far};
    struct pipe back = {far, stream};
    (void)weft_gather((weft_call[]){{carry, &there}, {carry, &back}}, 2, NULL);
}

/* "CONNECT host:port". */
static void tunnel(weft_stream *stream, const char *head)
{
    char host[128];
    unsigned port;
    weft_stream *far;
    if (sscanf(head, "CONNECT %127[^:]:%u ", host, &port) != 2 ||
        weft_dial(host, (uint16_t)port, NULL, &far) < 0) {
        send_text(stream, "HTTP/1.1 502 Bad Gateway\r\n\r\n");
        return;
    }
    if (send_text(stream, "HTTP/1.1 200 Connection established\r\n\r\n") == 0)
        carry_both(stream, far);
    weft_stream_free(far);
}

/* SOCKS 5 without a password, for a name or an IPv4 address. */
static void socks_tunnel(weft_stream *stream)
{
    static const char granted[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    uint8_t in[300];
    char host[260];
    weft_stream *far;
    if (weft_stream_read_exact(stream, in, 3) < 0 || weft_stream_write(stream, granted, 2) < 0 ||
        weft_stream_flush(stream) < 0 || weft_stream_read_exact(stream, in, 5) < 0)
        return;
    size_t len = in[3] == 1 ? 3 : in[4];
    if (weft_stream_read_exact(stream, in + 5, len + 2) < 0)
        return;
    if (in[3] == 1)
        snprintf(host, sizeof host, "%u.%u.%u.%u", in[4], in[5], in[6], in[7]);
    else
        snprintf(host, sizeof host, "%.*s", (int)len, (const char *)in + 5);
    uint16_t port = (uint16_t)(in[5 + len] << 8 | in[6 + len]);
    if (weft_dial(host, port, NULL, &far) < 0)
        return;
    if (weft_stream_write(stream, granted, sizeof granted) == 0 && weft_stream_flush(stream) == 0)
        carry_both(stream, far);
    weft_stream_free(far);
}

static bool has_digest(const char *head)
{
    return strstr(head, "Proxy-Authorization: Digest") != NULL;
}

/* Until it ends, or becomes a tunnel. */
static int answer_all(weft_stream *stream, void *arg)
{
    struct party *party = arg;
    for (;;) {
        size_t len = take_head(party, stream);
        if (len == 0)
            return 0;
        const char *head = party->log + party->log_len - len;
        const char *answer = party->answer;
        if (party->asks && !has_digest(head))
            answer = "HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n\", "
                     "qop=\"auth\"\r\nContent-Length: 0\r\n\r\n";
        if (answer == NULL && strncmp(head, "CONNECT ", 8) == 0) {
            tunnel(stream, head);
            return 0;
        }
        if (answer == NULL)
            answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if (weft_sleep(party->takes) < 0 || send_text(stream, answer) < 0)
            return 0;
    }
}

static int serve_guest(void *arg)
{
    struct guest *guest = arg;
    struct party *party = guest->party;
    weft_stream *stream = guest->stream;
    free(guest);
    if (party->silent) {
        weft_sleep(WEFT_FOREVER);
        weft_stream_free(stream);
        return 0;
    }
    int err = party->tls != NULL ? weft_tls_accept(party->tls, stream, &stream) : 0;
    if (err < 0)
        return 0;
    const char *alpn = party->tls != NULL ? weft_tls_alpn(stream) : NULL;
    if (alpn != NULL && strcmp(alpn, "h2") == 0) {
        party->by_h2++;
        if (party->fake != NULL)
            return h2_fake_converse(party->fake, stream);
        return gate_serve(&party->world->group, stream, answer_all, party);
    }
    if (party->socks)
        socks_tunnel(stream);
    else
        answer_all(stream, party);
    weft_stream_close(stream);
    weft_stream_free(stream);
    return 0;
}

static int serve(void *arg)
{
    struct party *party = arg;
    weft_listener *listener;
    weft_stream *stream;
    ASSERT_OK(weft_listen("0.0.0.0", party->port, NULL, &listener));
    for (;;) {
        int err = weft_listener_accept(listener, &stream);
        if (err == -ENOMEM)
            continue;
        if (err < 0)
            break;
        struct guest *guest = malloc(sizeof *guest);
        party->connections++;
        if (guest != NULL)
            *guest = (struct guest){party, stream};
        if (guest == NULL || weft_group_spawn(&party->world->group, serve_guest, guest) < 0) {
            free(guest);
            weft_stream_free(stream);
        }
    }
    weft_listener_close(listener);
    return 0;
}

static int serve_there(void *arg)
{
    struct party *party = arg;
    return weft_testing_host_run(party->world->net, party->host, serve, party);
}

const char *tls_world_cert(const char *file, const char *san)
{
    static char kept[8][512];
    static int next;
    char *path = kept[next++ % 8];
    snprintf(path, sizeof kept[0], "%s", certs_make(CERT(.file = file, .san = san)));
    return path;
}

void tls_world_make(struct tls_world *world)
{
    memset(world, 0, sizeof *world);
    static const char *const hosts[] = {"origin.example", "other.example", "proxy"};
    for (int i = 0; i < PARTIES; i++) {
        char san[64];
        struct party *party = &world->parties[i];
        snprintf(san, sizeof san, "DNS:%s", hosts[i]);
        party->world = world;
        party->host = hosts[i];
        party->port = i == PARTY_PROXY ? 3128 : 443;
        party->h2 = i != PARTY_PROXY && test_is_over_h2();
        party->cert = i == PARTY_PROXY ? NULL : tls_world_cert(hosts[i], san);
    }
}

void tls_world_start(struct tls_world *world)
{
    static const char *const addresses[][2] = {
        {"10.0.0.2", NULL}, {"10.0.0.3", NULL}, {"10.0.0.9", NULL}};
    static const char *const both[] = {"h2", "http/1.1", NULL};
    ASSERT_OK(weft_testing_network_new(NULL, &world->net));
    ASSERT_OK(weft_group_init(&world->group, NULL));
    present = world;
    for (int i = 0; i < PARTIES; i++) {
        struct party *party = &world->parties[i];
        ASSERT_OK(weft_testing_host_add(world->net, party->host,
                                        WEFT_TESTING_NAME(.addresses = addresses[i])));
        if (party->cert != NULL && party->tls == NULL)
            ASSERT_OK(weft_tls_new_server(
                WEFT_TLS(.cert_file = party->cert, .alpn = party->h2 ? both : NULL), &party->tls));
        if (party->tls != NULL)
            SSL_CTX_set_info_callback(party->tls->ctx, note_handshake);
        ASSERT_OK(weft_group_spawn(&world->group, serve_there, party));
    }
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
}

void tls_world_end(struct tls_world *world)
{
    weft_group_cancel(&world->group, "over");
    weft_group_wait(&world->group);
    weft_testing_network_free(world->net);
    present = NULL;
    for (int i = 0; i < PARTIES; i++)
        weft_tls_free(world->parties[i].tls);
}

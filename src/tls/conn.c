/*
 * conn.c - one TLS connection over any stream.
 *
 * OpenSSL reads from and writes to buffers of the connection, so that no SSL call ever waits;
 * the stream below is read and written between the calls.  OpenSSL's error queue belongs to the
 * thread: it is cleared before each call and looked at right after it.
 *
 * The buffer for reading is the read-ahead: one read below takes many records.  A reader may
 * have to write (answering a key update) while another task writes: whoever writes to the
 * stream below goes on until nothing is left.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/net_int.h"
#include "run/run_int.h"
#include "stream/stream_int.h"
#include "tls/tls_int.h"

enum {
    RECORD_ROOM = WEFT__TLS_RECORD + 512, /* a record with all that is around it */
    HEAD = 5,                             /* of a record */
    CLOSE_SECONDS = 60                    /* for what is unsent when it is closed */
};

/* ---- the BIO: between OpenSSL and our buffers ---- */

static int bio_read(BIO *bio, char *data, int len)
{
    struct weft__tls_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (conn->in_len == 0) {
        if (conn->in_ended)
            return 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = (size_t)len < conn->in_len ? (size_t)len : conn->in_len;
    memcpy(data, conn->in + conn->in_start, n);
    conn->in_start += n;
    conn->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct weft__tls_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (conn->out == NULL)
        conn->out = weft__iobuf_take();
    if (conn->out == NULL) {
        conn->no_memory = true;
        return -1;
    }
    size_t room = WEFT__IOBUF_SIZE - conn->out_len;
    if (room == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    size_t n = (size_t)len < room ? (size_t)len : room;
    memcpy(conn->out + conn->out_len, data, n);
    conn->out_len += n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct weft__tls_conn *conn = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return conn->in_ended && conn->in_len == 0;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;
static CRYPTO_ONCE bio_once = CRYPTO_ONCE_STATIC_INIT;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weft stream");
    if (bio_method == NULL)
        return;
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

static int attach_bio(struct weft__tls_conn *conn)
{
    CRYPTO_THREAD_run_once(&bio_once, make_bio_method);
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (bio == NULL)
        return weft__fail_nomem();
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    return 0;
}

/* ---- the stream below ---- */

static int fail_write(const struct weft__tls_conn *conn)
{
    const char *name = conn->name != NULL ? conn->name : "the peer";
    if (conn->torn)
        return weft__fail(conn->write_error, "TLS write to %s: an earlier write was cut short",
                          name);
    return weft__fail_with(conn->write_error, "TLS write to %s", name);
}

/* Writes what OpenSSL has made, unless another task is at it: then that one takes it along. */
static int drain(struct weft__tls_conn *conn)
{
    int err = 0;
    if (conn->draining || conn->out_len == 0)
        return 0;
    conn->draining = true;
    while (err == 0 && conn->out_len > 0) {
        char *data = conn->out;
        size_t len = conn->out_len;
        conn->out = NULL;
        conn->out_len = 0;
        err = weft_stream_write(conn->below, data, len);
        weft__iobuf_give(data);
    }
    conn->draining = false;
    /* Records that were made and did not go leave a gap that the peer would see as an attack. */
    if (err < 0 && conn->write_error == 0) {
        conn->torn = err == -ECANCELED || err == WEFT_EWRITE_TIMEOUT || err == -ENOMEM;
        conn->write_error = conn->torn ? -EPIPE : err;
    }
    weft__waitq_wake_all(&conn->drainers, 0);
    return err;
}

/* The same, but returns when all of it is written, by whomever. */
static int drain_all(struct weft__tls_conn *conn)
{
    struct weft__waiter waiter;
    while (conn->draining) {
        int err = (int)weft__waitq_wait(&conn->drainers, &waiter, "write");
        if (err < 0)
            return err;
    }
    if (conn->write_error != 0)
        return fail_write(conn);
    return drain(conn);
}

/* More bytes for OpenSSL, or the end of them. */
static int fill(struct weft__tls_conn *conn)
{
    int err = drain(conn);
    if (err == -ECANCELED || err == -ENOMEM)
        return err;
    if (conn->in == NULL)
        conn->in = weft__iobuf_take();
    if (conn->in == NULL)
        return weft__fail_nomem();
    if (conn->in_start > 0 && conn->in_len > 0)
        memmove(conn->in, conn->in + conn->in_start, conn->in_len);
    conn->in_start = 0;
    int64_t n =
        weft_stream_read(conn->below, conn->in + conn->in_len, WEFT__IOBUF_SIZE - conn->in_len);
    if (n < 0)
        return (int)n;
    conn->in_ended = n == 0;
    conn->in_len += (size_t)n;
    return 0;
}

/* An idle connection keeps no buffer. */
static void give_buffer(struct weft__tls_conn *conn)
{
    if (conn->in == NULL || conn->in_len > 0)
        return;
    weft__iobuf_give(conn->in);
    conn->in = NULL;
    conn->in_start = 0;
}

/*
 * After an SSL call that did not succeed: waits for what it wants, 0: try again.  Anything
 * else is final.
 */
static int satisfy(struct weft__tls_conn *conn, int ssl_error, const char *what)
{
    if (ssl_error == SSL_ERROR_WANT_READ)
        return fill(conn);
    if (ssl_error == SSL_ERROR_WANT_WRITE)
        return drain_all(conn);
    return weft__tls_fail(conn, what, ssl_error);
}

/* ---- reading ---- */

/* Is there a whole record to decrypt without another read below? */
static bool has_record(const struct weft__tls_conn *conn)
{
    if (SSL_has_pending(conn->ssl))
        return true;
    if (conn->in_len < HEAD)
        return false;
    const unsigned char *head = (const unsigned char *)conn->in + conn->in_start;
    size_t len = (size_t)head[3] << 8 | head[4];
    return conn->in_len >= HEAD + len;
}

static int fail_again(const struct weft__tls_conn *conn)
{
    if (conn->error == -ENOMEM)
        return weft__fail_nomem();
    return weft__fail(conn->error, "%s", conn->reason);
}

static int64_t decrypt(struct weft__tls_conn *conn, char *data, size_t len)
{
    size_t got = 0;
    for (;;) {
        size_t want = len - got < INT_MAX ? len - got : INT_MAX;
        ERR_clear_error();
        int n = SSL_read(conn->ssl, data + got, (int)want);
        if (n > 0) {
            got += (size_t)n;
            if (got == len || !has_record(conn))
                return (int64_t)got;
            continue;
        }
        int ssl_error = SSL_get_error(conn->ssl, n);
        if (got > 0 && (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_ZERO_RETURN))
            return (int64_t)got;
        if (ssl_error == SSL_ERROR_ZERO_RETURN)
            return 0;
        int err = satisfy(conn, ssl_error, "TLS read from ");
        /* What was good is given first; the error is kept, and the next call returns it. */
        if (err < 0)
            return got > 0 ? (int64_t)got : err;
    }
}

static int64_t conn_read(void *self, void *data, size_t len)
{
    struct weft__tls_conn *conn = self;
    int err = weft__checkpoint(weft__self());
    if (err < 0)
        return err;
    if (conn->error != 0)
        return fail_again(conn);
    int64_t n = decrypt(conn, data, len);
    give_buffer(conn);
    /* An answer to the peer's key update; an error of it is the next write's. */
    if (n >= 0 && conn->out_len > 0)
        drain(conn);
    return n;
}

/* ---- writing ---- */

static int encrypt(struct weft__tls_conn *conn, const char *data, size_t len)
{
    while (len > 0) {
        int err = 0;
        size_t piece = len < WEFT__TLS_RECORD ? len : WEFT__TLS_RECORD;
        while (err == 0 && WEFT__IOBUF_SIZE - conn->out_len < RECORD_ROOM)
            err = drain_all(conn);
        if (err < 0)
            return err;
        ERR_clear_error();
        int n = SSL_write(conn->ssl, data, (int)piece);
        if (n <= 0)
            return weft__tls_fail(conn, "TLS write to ", SSL_get_error(conn->ssl, n));
        conn->begun = true;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Small slices share a record. */
static int encrypt_gathered(struct weft__tls_conn *conn, const weft_slice *slices, size_t n)
{
    size_t len = 0;
    int err = 0;
    char *gathered = weft__iobuf_take();
    if (gathered == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < n && err == 0; i++) {
        const char *data = slices[i].data;
        size_t left = slices[i].len;
        while (left > 0 && err == 0) {
            size_t room = WEFT__TLS_RECORD - len;
            size_t piece = left < room ? left : room;
            memcpy(gathered + len, data, piece);
            len += piece;
            data += piece;
            left -= piece;
            if (len < WEFT__TLS_RECORD)
                break;
            err = encrypt(conn, gathered, len);
            len = 0;
            size_t whole = left - left % WEFT__TLS_RECORD;
            if (err == 0)
                err = encrypt(conn, data, whole);
            data += whole;
            left -= whole;
        }
    }
    if (err == 0)
        err = encrypt(conn, gathered, len);
    weft__iobuf_give(gathered);
    return err;
}

static int begin_write(struct weft__tls_conn *conn)
{
    int err = weft__checkpoint(weft__self());
    if (err < 0)
        return err;
    if (conn->error != 0)
        return fail_again(conn);
    return conn->write_error != 0 ? fail_write(conn) : 0;
}

static int conn_writev(void *self, const weft_slice *slices, size_t n)
{
    struct weft__tls_conn *conn = self;
    int err = begin_write(conn);
    if (err < 0)
        return err;
    conn->begun = false;
    if (n == 1)
        err = encrypt(conn, slices[0].data, slices[0].len);
    else
        err = encrypt_gathered(conn, slices, n);
    if (err == 0)
        err = drain_all(conn);
    if (err < 0 && conn->begun && conn->write_error == 0) {
        conn->write_error = -EPIPE;
        conn->torn = true;
    }
    return err;
}

static int conn_flush(void *self)
{
    struct weft__tls_conn *conn = self;
    int err = begin_write(conn);
    if (err == 0)
        err = drain_all(conn);
    return err < 0 ? err : weft_stream_flush(conn->below);
}

/* ---- ending ---- */

static int conn_write_eof(void *self)
{
    struct weft__tls_conn *conn = self;
    int err = begin_write(conn);
    if (err < 0)
        return err;
    ERR_clear_error();
    int n = SSL_shutdown(conn->ssl);
    if (n < 0 && SSL_get_error(conn->ssl, n) == SSL_ERROR_SSL)
        return weft__tls_fail(conn, "TLS close of ", SSL_ERROR_SSL);
    return conn_flush(conn);
}

/* close_notify goes behind all data; the peer's is not waited for (RFC 8446, section 6.1). */
static int conn_close(void *self)
{
    struct weft__tls_conn *conn = self;
    weft_scope scope;
    int err = 0;
    weft_scope_enter(&scope, WEFT_SEC(CLOSE_SECONDS));
    if (conn->write_error != 0)
        err = fail_write(conn);
    else if (conn->error == 0 && (SSL_get_shutdown(conn->ssl) & SSL_SENT_SHUTDOWN) == 0)
        err = conn_write_eof(conn);
    err = weft_scope_exit(&scope, err);
    if (err == 0)
        return weft_stream_close(conn->below);
    /* What else is unsent is of no use to the peer: no waiting for it. */
    struct weft__context failure = {0};
    weft__error_move(&failure, weft__context_get());
    weft_scope_enter(&scope, 0);
    weft_scope_exit(&scope, weft_stream_close(conn->below));
    weft__error_move(weft__context_get(), &failure);
    return err;
}

static void conn_free(void *self)
{
    struct weft__tls_conn *conn = self;
    /* Without this an unclean end would spoil the session that was kept for the next time. */
    if (conn->ssl != NULL && conn->error == 0)
        SSL_set_shutdown(conn->ssl, SSL_get_shutdown(conn->ssl) | SSL_SENT_SHUTDOWN);
    SSL_free(conn->ssl);
    weft__iobuf_give(conn->in);
    weft__iobuf_give(conn->out);
    weft_stream_free(conn->below);
    weft_tls_free(conn->tls);
    weft__free(conn->name);
    weft__free(conn);
}

static void conn_set_timeout(void *self, int64_t read, int64_t write)
{
    struct weft__tls_conn *conn = self;
    weft_stream_set_timeout(conn->below, read, write);
}

static int conn_is_quiet(void *self)
{
    struct weft__tls_conn *conn = self;
    if (conn->error != 0 || conn->write_error != 0 || conn->in_len > 0 || conn->in_ended ||
        SSL_has_pending(conn->ssl) || SSL_get_shutdown(conn->ssl) != 0)
        return 0;
    return weft__stream_is_quiet(conn->below);
}

static weft_stream *conn_below(void *self)
{
    struct weft__tls_conn *conn = self;
    return conn->below;
}

static const weft_stream_ops conn_ops = {
    .size = sizeof conn_ops,
    .name = "TLS",
    .read = conn_read,
    .writev = conn_writev,
    .flush = conn_flush,
    .write_eof = conn_write_eof,
    .set_timeout = conn_set_timeout,
    .close = conn_close,
    .free = conn_free,
    .is_quiet = conn_is_quiet,
    .below = conn_below,
};

/* ---- the handshake ---- */

static int copy_name(struct weft__tls_conn *conn, const char *name)
{
    size_t len = name != NULL ? strlen(name) : 0;
    if (len > 2 && name[0] == '[' && name[len - 1] == ']') {
        name++;
        len -= 2;
    }
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0)
        return conn->tls->verify ? weft__fail(-EINVAL, "TLS: no server name to verify") : 0;
    if (len > WEFT__LIMIT_HOST_NAME)
        return weft__fail(-EINVAL, "TLS: a server name of %zu bytes, more than %d", len,
                          WEFT__LIMIT_HOST_NAME);
    conn->name = weft__strndup(name, len);
    return conn->name != NULL ? 0 : weft__fail_nomem();
}

/* Whom we expect.  Names in the subject and wildcards for a part of a label are not accepted. */
static int set_name(struct weft__tls_conn *conn)
{
    weft_address address;
    int good = 1;
    if (conn->name == NULL)
        return 0;
    SSL_set_hostflags(conn->ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (weft__address_parse(conn->name, 0, &address) == 0) {
        char ip[WEFT_ADDRESS_TEXT_MAX];
        memcpy(ip, conn->name, strlen(conn->name) + 1);
        ip[strcspn(ip, "%")] = '\0';
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(conn->ssl), ip);
    } else {
        good = SSL_set1_host(conn->ssl, conn->name) == 1 &&
               SSL_set_tlsext_host_name(conn->ssl, conn->name) == 1;
    }
    return good ? 0 : weft__tls_fail_setup("server name", conn->name);
}

static int prepare_client(struct weft__tls_conn *conn, const char *name)
{
    int err = copy_name(conn, name);
    if (err == 0)
        err = set_name(conn);
    if (err == 0 && conn->tls->ocsp)
        SSL_set_tlsext_status_type(conn->ssl, TLSEXT_STATUSTYPE_ocsp);
    if (err < 0 || conn->name == NULL)
        return err;
    SSL_SESSION *session = weft__tls_session_take(conn->tls, conn->name);
    if (session != NULL)
        SSL_set_session(conn->ssl, session);
    SSL_SESSION_free(session);
    return 0;
}

/* What the peer has chosen must be what was offered. */
static int take_alpn(struct weft__tls_conn *conn)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(conn->ssl, &name, &len);
    if (len == 0)
        return 0;
    const unsigned char *offered = conn->tls->alpn;
    for (size_t at = 0; at < conn->tls->alpn_len; at += 1U + offered[at]) {
        if (offered[at] != len || memcmp(offered + at + 1, name, len) != 0)
            continue;
        memcpy(conn->alpn, name, len);
        return 0;
    }
    return weft__fail(WEFT_ETLS, "TLS handshake with %s: it chose an ALPN protocol not offered",
                      conn->name != NULL ? conn->name : "the peer");
}

/* The alert that says why; nobody waits long for a peer that failed. */
static void send_alert(struct weft__tls_conn *conn)
{
    if (conn->error == 0 || conn->out_len == 0)
        return;
    struct weft__context failure = {0};
    weft__error_move(&failure, weft__context_get());
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = drain(conn);
    if (err == 0)
        err = weft_stream_close(conn->below);
    weft_scope_exit(&scope, err);
    weft__error_move(weft__context_get(), &failure);
}

static int handshake(struct weft__tls_conn *conn)
{
    for (;;) {
        ERR_clear_error();
        int n = SSL_do_handshake(conn->ssl);
        if (n == 1)
            break;
        int ssl_error = SSL_get_error(conn->ssl, n);
        bool waits = ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE;
        int err = satisfy(conn, ssl_error, "TLS handshake with ");
        if (err < 0 && waits && err != -ECANCELED)
            return weft__fail_prefix(err, "TLS handshake with %s",
                                     conn->name != NULL ? conn->name : "the peer");
        if (err < 0)
            return err;
    }
    conn->established = true;
    int err = weft__tls_check_peer(conn);
    if (err == 0)
        err = take_alpn(conn);
    return err < 0 ? err : drain_all(conn);
}

static int conn_new(weft_tls *tls, weft_stream *below, struct weft__tls_conn **ret)
{
    struct weft__tls_conn *conn = weft__calloc(1, sizeof *conn);
    if (conn == NULL) {
        weft_stream_free(below);
        return weft__fail_nomem();
    }
    weft__list_init(&conn->drainers);
    conn->below = below;
    conn->tls = weft__tls_ref(tls);
    conn->ssl = SSL_new(tls->ctx);
    int err = conn->ssl != NULL ? attach_bio(conn) : weft__fail_nomem();
    if (err < 0) {
        conn_free(conn);
        return err;
    }
    SSL_set_app_data(conn->ssl, conn);
    *ret = conn;
    return 0;
}

static int establish(struct weft__tls_conn *conn, int err, weft_stream **ret)
{
    if (err == 0)
        err = handshake(conn);
    if (err == 0) {
        give_buffer(conn);
        return weft_stream_new(&conn_ops, conn, ret);
    }
    send_alert(conn);
    conn_free(conn);
    return err;
}

int weft_tls_connect(weft_tls *tls, weft_stream *below, const char *server_name, weft_stream **ret)
{
    struct weft__tls_conn *conn;
    if (tls->server) {
        weft_stream_free(below);
        return weft__fail(-EINVAL, "weft_tls_connect with the settings of a server");
    }
    int err = conn_new(tls, below, &conn);
    if (err < 0)
        return err;
    SSL_set_connect_state(conn->ssl);
    return establish(conn, prepare_client(conn, server_name), ret);
}

int weft_tls_accept(weft_tls *tls, weft_stream *below, weft_stream **ret)
{
    struct weft__tls_conn *conn;
    if (!tls->server) {
        weft_stream_free(below);
        return weft__fail(-EINVAL, "weft_tls_accept with the settings of a client");
    }
    int err = conn_new(tls, below, &conn);
    if (err < 0)
        return err;
    SSL_set_accept_state(conn->ssl);
    return establish(conn, 0, ret);
}

/* ---- what was agreed ---- */

static const struct weft__tls_conn *find(weft_stream *stream)
{
    const struct weft__tls_conn *conn = NULL;
    for (; stream != NULL && conn == NULL; stream = weft_stream_below(stream))
        conn = weft_stream_get_self(stream, &conn_ops);
    return conn;
}

const char *weft_tls_alpn(weft_stream *stream)
{
    const struct weft__tls_conn *conn = find(stream);
    return conn != NULL && conn->alpn[0] != '\0' ? conn->alpn : NULL;
}

const char *weft_tls_version(weft_stream *stream)
{
    const struct weft__tls_conn *conn = find(stream);
    return conn != NULL ? SSL_get_version(conn->ssl) : NULL;
}

const char *weft_tls_cipher(weft_stream *stream)
{
    const struct weft__tls_conn *conn = find(stream);
    return conn != NULL ? SSL_get_cipher_name(conn->ssl) : NULL;
}

SSL *weft__tls_ssl(weft_stream *stream)
{
    const struct weft__tls_conn *conn = find(stream);
    return conn != NULL ? conn->ssl : NULL;
}

/*
 * conn.c - one connection: dialling, its input buffer, and what its failures are called.
 */
#include <stdio.h>
#include <string.h>

#include <weft/net.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "client/h2_int.h"

/* ---- opening ---- */

/* What the connection speaks: as was agreed by ALPN; without TLS only who knows can say. */
static int agree(const struct weft__call *call, weft_stream *stream, bool *ret_h2)
{
    bool only = call->client->http == WEFT__HTTP_2;
    const char *alpn = NULL;
    if (strcmp(weft_url_scheme(call->url), "https") == 0)
        alpn = weft_tls_alpn(stream);
    *ret_h2 = alpn != NULL ? strcmp(alpn, "h2") == 0 : only && weft_tls_version(stream) == NULL;
    if (!only || *ret_h2)
        return 0;
    return weft__fail(WEFT_EREMOTE_PROTOCOL, "the server does not speak HTTP/2");
}

int weft__conn_open(struct weft__conn *conn, struct weft__call *call, bool *ret_h2)
{
    const struct weft__settings *settings = &call->settings;
    weft_stream *stream = NULL;
    weft_scope scope;
    weft_scope_enter(&scope, settings->connect);
    conn->opening = &scope;
    call->way.only_h1 = call->way.only_h1 || conn->origin->refuses_h2;
    int err = weft__way_dial(call, &stream);
    conn->opening = NULL;
    bool cancelled = err == -ECANCELED;
    err = weft_scope_exit(&scope, err);
    if (err == -ETIMEDOUT && cancelled)
        return weft__way_timed_out(call, settings->connect);
    if (conn->pool != NULL && conn->pool->aborted) {
        if (err == 0)
            weft_stream_free(stream);
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    }
    if (err < 0)
        return err;
    conn->opened_at = weft_now();
    err = agree(call, stream, ret_h2);
    if (err == 0)
        err = weft__pool_begin_ageing(conn);
    if (err == 0)
        err = weft__conn_info_new(stream, &call->way, &conn->info);
    if (err < 0) {
        weft_stream_free(stream);
        return err;
    }
    conn->stream = stream;
    conn->requests = 0;
    conn->read_timeout = 0;
    conn->write_timeout = 0;
    if (conn->pool != NULL)
        conn->pool->opened++;
    return 0;
}

void weft__conn_shut(struct weft__conn *conn)
{
    struct weft__h2_conn *shared = conn->shared;
    if (shared != NULL) {
        conn->shared = NULL;
        conn->stream = NULL;
        shared->slot = NULL;
        weft__h2c_end(shared, 0);
    }
    if (conn->in != NULL)
        weft__pool_give_buffer(conn->pool, conn->in, conn->in_cap);
    conn->in = NULL;
    conn->in_cap = 0;
    conn->in_start = 0;
    conn->in_end = 0;
    if (conn->pool != NULL)
        weft__timer_stop(&conn->pool->loop->timers, &conn->ageing);
    weft__hooks_trace_conn(conn, WEFT_TRACE_CLOSED, 0);
    weft_stream_free(conn->stream);
    conn->stream = NULL;
    weft__conn_info_unref(conn->info);
    conn->info = NULL;
}

void weft__conn_set_timeouts(struct weft__conn *conn, int64_t read, int64_t write)
{
    if (conn->read_timeout == read && conn->write_timeout == write)
        return;
    conn->read_timeout = read;
    conn->write_timeout = write;
    weft_stream_set_timeout(conn->stream, read, write);
}

/* ---- failures ---- */

const char *weft__conn_peer(const struct weft__conn *conn, char text[WEFT__PEER_TEXT])
{
    char address[WEFT_ADDRESS_TEXT_MAX];
    weft_address peer;
    text[0] = '\0';
    if (conn->stream != NULL && weft_stream_peer_address(conn->stream, &peer) == 0 &&
        weft_address_format(&peer, address, sizeof address) >= 0)
        snprintf(text, WEFT__PEER_TEXT, "%s", address);
    else if (conn->origin != NULL)
        snprintf(text, WEFT__PEER_TEXT, "%s:%u", conn->origin->host, conn->origin->port);
    return text;
}

/* Codes of ours say what happened already; what the system said is put into words. */
static int io_error(struct weft__conn *conn, int err, int broken, int timed_out, int64_t timeout)
{
    char peer[WEFT__PEER_TEXT];
    if (err == -ECANCELED || err == -ENOMEM)
        return err;
    if (conn->pool != NULL && conn->pool->aborted)
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    if (err == timed_out)
        return weft__fail(timed_out, "%s after %.6g s (%s)", weft_error_text(timed_out),
                          (double)timeout * 1e-9, weft__conn_peer(conn, peer));
    weft_error_family family = weft_error_get_family(err);
    if (family == WEFT_FAMILY_SYSTEM || family == WEFT_FAMILY_RUNTIME)
        return weft__fail(broken, "%s: %s (%s)", weft_error_text(broken), weft_error_text(err),
                          weft__conn_peer(conn, peer));
    return err;
}

int weft__conn_read_error(struct weft__conn *conn, int err)
{
    return io_error(conn, err, WEFT_EREAD, WEFT_EREAD_TIMEOUT, conn->read_timeout);
}

int weft__conn_write_error(struct weft__conn *conn, int err)
{
    return io_error(conn, err, WEFT_EWRITE, WEFT_EWRITE_TIMEOUT, conn->write_timeout);
}

/* ---- reading ---- */

int weft__conn_too_slow(const struct weft__conn *conn, double speed)
{
    char peer[WEFT__PEER_TEXT];
    return weft__fail(WEFT_EREAD_TIMEOUT, "%.6g bytes a second came for %.6g s, less than %ju (%s)",
                      speed, (double)conn->low_waited * 1e-9, (uintmax_t)conn->low_limit,
                      weft__conn_peer(conn, peer));
}

/*
 * Only the time that is spent waiting counts: a caller that is slow to read is not held against
 * the server.
 */
static int64_t read_watched(struct weft__conn *conn, void *data, size_t len)
{
    for (;;) {
        if (conn->low_waited >= conn->low_time) {
            double speed = (double)conn->low_bytes / ((double)conn->low_waited * 1e-9);
            if (speed < (double)conn->low_limit)
                return weft__conn_too_slow(conn, speed);
            conn->low_waited = 0;
            conn->low_bytes = 0;
        }
        weft_scope scope;
        int64_t began = weft_now();
        weft_scope_enter(&scope, conn->low_time - conn->low_waited);
        int64_t n = weft_stream_read(conn->stream, data, len);
        int err = weft_scope_exit(&scope, n < 0 ? (int)n : 0);
        conn->low_waited += weft_now() - began;
        if (n == -ECANCELED && err == -ETIMEDOUT)
            continue;
        if (n > 0)
            conn->low_bytes += (uint64_t)n;
        return n > 0 ? n : err;
    }
}

int64_t weft__conn_read(struct weft__conn *conn, void *data, size_t len)
{
    if (conn->stream == NULL)
        return weft__fail(WEFT_EREAD, "the connection was closed when its loop ended");
    if (conn->low_limit > 0) {
        int64_t watched = read_watched(conn, data, len);
        if (watched == WEFT_EREAD_TIMEOUT && conn->low_waited >= conn->low_time)
            return watched;
        if (watched >= 0)
            return watched;
        return weft__conn_read_error(conn, (int)watched);
    }
    int64_t n = weft_stream_read(conn->stream, data, len);
    return n < 0 ? weft__conn_read_error(conn, (int)n) : n;
}

/* Room behind the last byte: the buffer is compacted, or doubled. */
static int make_room(struct weft__conn *conn, size_t limit)
{
    if (conn->in == NULL) {
        conn->in = weft__pool_take_buffer(conn->pool);
        conn->in_cap = WEFT__IN_FIRST;
        conn->in_start = 0;
        conn->in_end = 0;
        return conn->in != NULL ? 0 : weft__fail_nomem();
    }
    size_t len = conn->in_end - conn->in_start;
    if (len == 0) {
        conn->in_start = 0;
        conn->in_end = 0;
    }
    if (conn->in_end < conn->in_cap)
        return 0;
    if (conn->in_start >= conn->in_cap / 2) {
        memmove(conn->in, conn->in + conn->in_start, len);
    } else {
        size_t cap = conn->in_cap * 2;
        if (cap > limit)
            return weft__fail(WEFT_EHEADER_TOO_LARGE, "a head larger than %zu bytes", limit);
        char *in = weft__pages_alloc(cap);
        if (in == NULL)
            return weft__fail_nomem();
        memcpy(in, conn->in + conn->in_start, len);
        weft__pool_give_buffer(conn->pool, conn->in, conn->in_cap);
        conn->in = in;
        conn->in_cap = cap;
    }
    conn->in_start = 0;
    conn->in_end = len;
    return 0;
}

/* Reads have filled the buffer: the next takes more at once. */
static void grow(struct weft__conn *conn)
{
    char *in = weft__pages_alloc(conn->in_cap * 2);
    if (in == NULL)
        return;
    weft__pool_give_buffer(conn->pool, conn->in, conn->in_cap);
    conn->in = in;
    conn->in_cap *= 2;
}

int64_t weft__conn_fill(struct weft__conn *conn, size_t limit)
{
    bool was_filled = conn->in != NULL && conn->in_end == conn->in_cap;
    if (was_filled && conn->in_start == conn->in_end && conn->in_cap < WEFT__IN_MAX &&
        conn->in_cap * 2 <= limit)
        grow(conn);
    int err = make_room(conn, limit);
    if (err < 0)
        return err;
    int64_t n = weft__conn_read(conn, conn->in + conn->in_end, conn->in_cap - conn->in_end);
    if (n > 0)
        conn->in_end += (size_t)n;
    return n;
}

/*
 * h1_io.c - the bytes of an HTTP/1 connection: the receive buffer, bodies in, replies out.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "server/server_int.h"

/* Bodies are read straight into buffers that are at least so large. */
enum { DIRECT_READ = 4096 };

/* ---- the receive buffer ---- */

void weft__server_in_consume(struct weft__server_conn *conn, size_t len)
{
    conn->in_start += len;
    conn->in_len -= len;
    if (conn->in_len == 0)
        conn->in_start = 0;
}

/* Room behind the last byte: by moving the bytes to the front, else by growing. */
static int in_make_room(struct weft__server_conn *conn)
{
    if (conn->in_start + conn->in_len < conn->in_cap)
        return 0;
    if (conn->in_start > 0) {
        memmove(conn->in, conn->in + conn->in_start, conn->in_len);
        conn->in_start = 0;
        return 0;
    }
    char *grown = weft__pages_alloc(conn->in_cap * 2);
    if (grown == NULL)
        return weft__fail_nomem();
    memcpy(grown, conn->in, conn->in_len);
    weft__pages_free(conn->in, conn->in_cap);
    conn->in = grown;
    conn->in_cap *= 2;
    return 0;
}

int64_t weft__server_read_within(struct weft__server_conn *conn, void *data, size_t len,
                                 int64_t timeout)
{
    weft_scope scope;
    weft_scope_enter(&scope, timeout);
    int64_t n = weft_stream_read(conn->stream, data, len);
    int err = weft_scope_exit(&scope, n < 0 ? (int)n : 0);
    if (n == 0)
        conn->peer_ended = true;
    return n < 0 ? err : n;
}

int64_t weft__server_in_fill(struct weft__server_conn *conn, int64_t timeout)
{
    int err = in_make_room(conn);
    if (err < 0)
        return err;
    size_t end = conn->in_start + conn->in_len;
    int64_t n = weft__server_read_within(conn, conn->in + end, conn->in_cap - end, timeout);
    if (n > 0)
        conn->in_len += (size_t)n;
    return n;
}

/* ---- writing replies ---- */

int weft__server_h1_send_head(weft_reply *reply)
{
    struct weft__server_conn *conn = reply->conn;
    const struct weft__h1_head *head = &conn->head;
    bool old = head->minor == 0;
    reply->chunked = reply->length < 0 && !reply->no_body && !old;
    if (reply->length < 0 && !reply->no_body && old)
        reply->close = true;
    /* The peer may send the body after all, or not: nobody could tell it from a request. */
    if (conn->expects_continue || conn->server->stopping)
        reply->close = true;
    int err = 0;
    if (weft_headers_get(&reply->headers, "Server") == NULL)
        err = weft__headers_append_raw(&reply->headers, "Server", 6, "weft/" WEFT_VERSION,
                                       sizeof "weft/" WEFT_VERSION - 1);
    if (err >= 0 && old && !reply->close)
        err = weft__headers_append_raw(&reply->headers, "Connection", 10, "keep-alive", 10);
    if (err < 0)
        return err;
    enum weft__h1_body_kind kind = reply->chunked ? WEFT__H1_CHUNKED : WEFT__H1_LENGTH;
    if (reply->status == 204 || reply->status == 304 || (reply->length < 0 && !reply->chunked))
        kind = WEFT__H1_NONE;
    return weft__h1_write_response(
        &conn->out, reply->status, weft__server_date(conn->server), &reply->headers, kind,
        kind == WEFT__H1_LENGTH ? (uint64_t)reply->length : 0, reply->close);
}

/* The slices, behind the head if that has not gone yet. slices[0] is left free for it. */
static int send_slices(struct weft__server_conn *conn, weft_slice *slices, size_t n)
{
    size_t skip = conn->out.len == 0;
    slices[0] = (weft_slice){weft__buf_bytes(&conn->out), conn->out.len};
    int err = n > skip ? weft_stream_writev(conn->stream, slices + skip, n - skip) : 0;
    weft__buf_clear(&conn->out);
    return err;
}

int weft__server_h1_send_body(weft_reply *reply, const void *data, size_t len)
{
    weft_slice slices[4] = {{NULL, 0}};
    char size[WEFT__CHUNK_HEAD_MAX];
    size_t n = 1;
    if (reply->chunked && len > 0)
        slices[n++] = (weft_slice){size, weft__chunk_head(len, size)};
    if (len > 0)
        slices[n++] = (weft_slice){data, len};
    if (reply->chunked && len > 0)
        slices[n++] = (weft_slice){"\r\n", 2};
    return send_slices(reply->conn, slices, n);
}

int weft__server_h1_send_end(weft_reply *reply)
{
    weft_slice slices[2] = {{NULL, 0}};
    size_t n = 1;
    if (reply->chunked)
        slices[n++] = (weft_slice){WEFT__CHUNK_END, sizeof WEFT__CHUNK_END - 1};
    return send_slices(reply->conn, slices, n);
}

/* ---- reading bodies ---- */

static int send_continue(struct weft__server_conn *conn)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    conn->expects_continue = false;
    if (conn->reply.started)
        return 0;
    int err = weft_stream_write(conn->stream, interim, sizeof interim - 1);
    return err < 0 ? err : weft_stream_flush(conn->stream);
}

static int check_body_max(weft_server_request *request)
{
    struct weft__server_conn *conn = request->conn;
    uint64_t max = conn->server->options.body_max;
    if (conn->body.received <= max)
        return 0;
    conn->reply.close = true;
    return weft__server_request_fault(
        request, 413,
        weft__fail(WEFT_EBODY_TOO_LARGE, "the body of the request is larger than %llu bytes",
                   (unsigned long long)max));
}

/* Bytes came, or not: what that means in the middle of a body. */
static int64_t after_read(weft_server_request *request, int64_t n)
{
    struct weft__server_conn *conn = request->conn;
    if (n > 0)
        return n;
    conn->reply.close = true;
    if (n == 0)
        return weft__server_request_fault(request, 400, weft__h1_body_eof(&conn->body));
    if (n == -ETIMEDOUT)
        return weft__server_request_fault(
            request, 408,
            weft__fail(WEFT_EREAD_TIMEOUT, "no byte of the request's body came in %.6g s",
                       (double)conn->server->options.body_timeout * 1e-9));
    conn->broken = conn->broken || n != -ECANCELED;
    return n;
}

/* Straight from the stream to the handler's buffer. */
static int64_t read_direct(weft_server_request *request, void *data, size_t len)
{
    struct weft__server_conn *conn = request->conn;
    uint64_t left = conn->body.length - conn->body.received;
    int64_t n = weft__server_read_within(conn, data, left < len ? (size_t)left : len,
                                         conn->server->options.body_timeout);
    n = after_read(request, n);
    if (n <= 0)
        return n;
    size_t consumed;
    const char *payload;
    size_t payload_len;
    weft__h1_body_next(&conn->body, data, (size_t)n, &consumed, &payload, &payload_len);
    return n;
}

/* The next piece of the body that stands in the receive buffer: 1, 0 at the end, or negative. */
static int next_piece(weft_server_request *request)
{
    struct weft__server_conn *conn = request->conn;
    while (!conn->body.ended) {
        size_t consumed = 0;
        int step = WEFT__H1_MORE;
        if (conn->in_len > 0)
            step = weft__h1_body_next(&conn->body, conn->in + conn->in_start, conn->in_len,
                                      &consumed, &conn->piece, &conn->piece_len);
        if (step < 0) {
            conn->reply.close = true;
            return step == -ENOMEM ? step : weft__server_request_fault(request, 400, step);
        }
        weft__server_in_consume(conn, consumed);
        if (step == WEFT__H1_END)
            return 0;
        if (step == WEFT__H1_DATA)
            return 1;
        int64_t n =
            after_read(request, weft__server_in_fill(conn, conn->server->options.body_timeout));
        if (n < 0)
            return (int)n;
    }
    return 0;
}

int64_t weft__server_h1_read_body(weft_server_request *request, void *data, size_t len)
{
    struct weft__server_conn *conn = request->conn;
    if (request->fault < 0)
        return request->fault;
    if (conn->piece_len == 0 && conn->body.ended)
        return 0;
    if (conn->expects_continue && conn->in_len == 0) {
        int err = send_continue(conn);
        if (err < 0)
            return err;
    }
    conn->expects_continue = false;
    if (conn->piece_len == 0) {
        if (conn->in_len == 0 && conn->body.kind == WEFT__H1_LENGTH && len >= DIRECT_READ)
            return read_direct(request, data, len);
        int got = next_piece(request);
        if (got <= 0)
            return got;
        got = check_body_max(request);
        if (got < 0)
            return got;
    }
    size_t n = len < conn->piece_len ? len : conn->piece_len;
    memcpy(data, conn->piece, n);
    conn->piece += n;
    conn->piece_len -= n;
    return (int64_t)n;
}

/*
 * conn_h1.c - one HTTP/1.1 exchange up to the head of the final response (RFC 9112).
 *
 * A request that fits into the stream's buffer is written before anything is read, and goes
 * out with the read.  A larger body is written while a second task reads: a server may answer
 * 401 or 413 and close before it has taken all of it, and its answer must not be lost in the
 * error of the write.
 */
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"

enum { IN_LIMIT = 2 * WEFT__LIMIT_H1_RESPONSE_HEAD };

/* ---- reading the head ---- */

struct reading {
    struct weft__conn *conn;
    struct weft__call *call;
    unsigned interim; /* 1xx responses so far */
    bool answered;    /* a byte of a response has come */
    bool failed;      /* nothing more can be read */
    bool done;
    bool awaits; /* 100, before the body is sent */
    bool wanted; /* it has come */
};

/* TLS that ends without its own end is the same to a head: where idle connections end, many do. */
static int head_error(struct reading *reading, int64_t n)
{
    char peer[WEFT__PEER_TEXT];
    if (n < 0 && n != WEFT_ETRUNCATED)
        return (int)n;
    weft__conn_peer(reading->conn, peer);
    if (weft__conn_available(reading->conn) == 0 && reading->interim == 0)
        return weft__fail(WEFT_EDISCONNECTED, "server disconnected without sending a response (%s)",
                          peer);
    return weft__fail(WEFT_ETRUNCATED, "server disconnected within the head of its response (%s)",
                      peer);
}

/* Goes on where it was interrupted; done once the head of a final response is parsed. */
static int read_head(struct reading *reading)
{
    struct weft__conn *conn = reading->conn;
    while (!reading->done && !(reading->awaits && reading->wanted)) {
        int n = 0;
        if (weft__conn_available(conn) > 0)
            n = weft__h1_parse_response(&conn->head, weft__conn_bytes(conn),
                                        weft__conn_available(conn), &weft__h1_response_limits);
        if (n < 0)
            return n;
        if (n == 0) {
            int64_t got = weft__conn_fill(conn, IN_LIMIT);
            if (got <= 0)
                return head_error(reading, got);
            if (!reading->answered) {
                reading->answered = true;
                reading->call->moments.first = weft__call_moment(reading->call);
                weft__hooks_trace(reading->call, WEFT_TRACE_FIRST_BYTE, 0);
            }
            continue;
        }
        conn->in_start += (size_t)n;
        if (conn->head.status == 101 && !weft__upgrade_is_good(reading->call, &conn->head))
            return weft__fail(WEFT_EREMOTE_PROTOCOL, "the server changes to a protocol that "
                                                     "nobody asked for");
        if (conn->head.status >= 200 || conn->head.status == 101) {
            reading->done = true;
            return 0;
        }
        int err = weft__hooks_informational(reading->call, &conn->head);
        if (err < 0)
            return err;
        reading->wanted = reading->wanted || conn->head.status == 100;
        if (++reading->interim > WEFT__LIMIT_H1_INTERIM)
            return weft__fail(WEFT_EREMOTE_PROTOCOL, "more than %d interim responses",
                              WEFT__LIMIT_H1_INTERIM);
        weft__h1_head_reset(&conn->head, reading->call->method);
    }
    return 0;
}

/* ---- a large body ---- */

struct upload {
    struct reading *reading;
    weft_group group;
};

/*
 * The write has no business any more once the server has answered with anything but success;
 * an error ends the group, and the write with it.
 */
static int watch(void *arg)
{
    struct upload *upload = arg;
    struct reading *reading = upload->reading;
    int err = read_head(reading);
    reading->failed = err < 0 && err != -ECANCELED;
    if (err == 0 && reading->conn->head.status >= 300)
        weft_group_cancel(&upload->group, "the server has answered");
    return err == -ECANCELED ? 0 : err;
}

/*
 * While the body goes out, an answer may take any time; afterwards the read time-out counts.
 * The watcher is cancelled then, which loses nothing: what it has read stands in the buffer.
 */
static int send_large(struct reading *reading, struct weft__call *call, bool *ret_whole)
{
    struct weft__conn *conn = reading->conn;
    struct upload upload = {.reading = reading};
    weft__conn_set_timeouts(conn, WEFT_FOREVER, call->settings.write);
    int err = weft_group_init(&upload.group, WEFT_GROUP(.name = "upload"));
    if (err < 0)
        return err;
    err = weft_group_spawn_with(&upload.group, watch, &upload, WEFT_SPAWN(.name = "answer"));
    if (err == 0)
        err = weft__body_send(conn->stream, call, &conn->out);
    weft_group_cancel(&upload.group, "the body is sent");
    int joined = weft_group_wait(&upload.group);
    weft__conn_set_timeouts(conn, call->settings.read, call->settings.write);
    *ret_whole = err == 0;
    if (joined < 0 && !call->body_failed)
        return joined;
    return reading->done ? 0 : err;
}

/* ---- the exchange ---- */

/*
 * RFC 9110 10.1.1: the head goes alone; the body waits for the server's word, but not for ever:
 * many know nothing of this.  A final answer stands in its place.
 */
static int await_continue(struct reading *reading, struct weft__call *call)
{
    struct weft__conn *conn = reading->conn;
    int64_t wait = call->options->continue_timeout;
    weft_scope scope;
    int err = weft_stream_write(conn->stream, weft__buf_bytes(&conn->out), conn->out.len);
    if (err == 0)
        err = weft_stream_flush(conn->stream);
    if (err < 0)
        return err;
    weft__buf_clear(&conn->out);
    reading->awaits = true;
    weft_scope_enter(&scope, wait > 0 ? wait : WEFT_SEC(1));
    err = weft_scope_exit(&scope, read_head(reading));
    reading->awaits = false;
    return err == -ETIMEDOUT ? 0 : err;
}

static int send_request(struct reading *reading, struct weft__call *call, bool *ret_whole)
{
    struct weft__conn *conn = reading->conn;
    enum weft__h1_body_kind kind = call->has_body ? WEFT__H1_LENGTH : WEFT__H1_NONE;
    uint64_t length = call->body_len;
    if (call->reads_body) {
        length = call->source.size;
        kind = call->source.sized ? WEFT__H1_LENGTH : WEFT__H1_CHUNKED;
    }
    weft__buf_clear(&conn->out);
    int err = weft__h1_write_request(&conn->out, call->method, weft__way_target(call),
                                     weft_url_authority(call->url), weft__way_headers(call), kind,
                                     length);
    if (err < 0)
        return err;
    call->sent = true;
    if (call->expects) {
        err = await_continue(reading, call);
        if (err < 0 || reading->done)
            return err;
    }
    if (weft__body_is_large(call))
        return send_large(reading, call, ret_whole);
    err = weft__body_send(conn->stream, call, &conn->out);
    *ret_whole = err == 0;
    return err;
}

/* The write failed because the connection broke, not because of us, nor of a peer that is stuck. */
static bool may_have_answered(int err)
{
    return err != -ECANCELED && err != -ENOMEM && err != WEFT_EWRITE_TIMEOUT &&
           weft_error_get_family(err) != WEFT_FAMILY_USAGE &&
           weft_error_get_family(err) != WEFT_FAMILY_LIMIT;
}

int weft__h1_exchange(struct weft__conn *conn, struct weft__call *call, bool *ret_answered,
                      bool *ret_reusable)
{
    struct reading reading = {.conn = conn, .call = call};
    bool whole = false;
    call->framed = true;
    weft__h1_head_reset(&conn->head, call->method);
    weft__conn_set_timeouts(conn, call->settings.read, call->settings.write);
    conn->requests++;
    int err = send_request(&reading, call, &whole);
    call->moments.sent = weft__call_moment(call);
    if (err == 0)
        weft__hooks_trace(call, WEFT_TRACE_SENT, 0);
    if (err < 0 && call->body_failed)
        return err;
    int write_error = err;
    if (err == 0 || (!whole && may_have_answered(err) && !reading.failed))
        err = read_head(&reading);
    if (err == 0 && conn->head.status == 101 && !whole)
        err = weft__fail(WEFT_EREMOTE_PROTOCOL,
                         "the server changes the protocol in the middle of the request");
    *ret_answered = reading.answered;
    *ret_reusable = whole && err == 0 && conn->head.keep_alive && !call->close;
    if (err < 0 && write_error < 0 && err != -ECANCELED)
        return weft__conn_write_error(conn, write_error);
    return err;
}

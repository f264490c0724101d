/*
 * conn_h1.c - one HTTP/1 connection (RFC 9112): heads in, replies out, and when it ends.
 *
 * Bytes are read into one page-aligned buffer, in which requests are parsed one after the
 * other.  A head is copied out of it when it is whole, so that the buffer may move below a
 * running handler.  Replies go to the stream, which gathers small writes and sends them when
 * the loop waits: the replies of pipelined requests leave together.
 *
 * Time: idle_timeout from one request to the first byte of the next, head_timeout for a whole
 * head, body_timeout for each piece of a body, write_timeout (the stream's) for progress
 * of a write.  The first head has head_timeout from the beginning of the connection on.
 *
 * A connection that we end while the peer may still be sending is ended in two steps: our
 * side first, then some more is read and dropped.  Otherwise the kernel would answer those
 * bytes with a reset, and a reset may overtake the reply (RFC 9112 9.6).
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error_int.h"
#include "server/server_int.h"

enum {
    IN_FIRST = 16 * 1024,
    TEXT_FIRST = 1024,
    OUT_MAX = WEFT__LIMIT_HEADERS,
};

int weft__server_conn_new(weft_server *server, struct weft__server_conn **ret)
{
    struct weft__server_conn *conn = weft__calloc(1, sizeof *conn);
    if (conn == NULL)
        return weft__fail_nomem();
    conn->server = server;
    weft__list_init(&conn->node);
    weft__h1_head_init(&conn->head);
    weft__h1_body_init(&conn->body, WEFT__H1_NONE, -1, NULL);
    weft__buf_init(&conn->out, OUT_MAX);
    weft__server_request_init(&conn->request, conn);
    weft__reply_init(&conn->reply, conn);
    conn->in = weft__pages_alloc(IN_FIRST);
    conn->text = weft__alloc(TEXT_FIRST);
    conn->in_cap = IN_FIRST;
    conn->text_cap = TEXT_FIRST;
    if (conn->in == NULL || conn->text == NULL) {
        weft__server_conn_free(conn);
        return weft__fail_nomem();
    }
    *ret = conn;
    return 0;
}

void weft__server_conn_recycle(struct weft__server_conn *conn)
{
    weft__h1_body_done(&conn->body);
    weft__h1_body_init(&conn->body, WEFT__H1_NONE, -1, NULL);
    weft__server_request_reset(&conn->request);
    weft__reply_reset(&conn->reply);
    weft__buf_clear(&conn->out);
    conn->stream = NULL;
    conn->broken = false;
    conn->peer_ended = false;
    conn->in_start = 0;
    conn->in_len = 0;
    conn->piece_len = 0;
    conn->served = 0;
}

void weft__server_conn_free(struct weft__server_conn *conn)
{
    weft__h1_head_done(&conn->head);
    weft__h1_body_done(&conn->body);
    weft__buf_done(&conn->out);
    weft__server_request_done(&conn->request);
    weft__reply_done(&conn->reply);
    if (conn->in != NULL)
        weft__pages_free(conn->in, conn->in_cap);
    weft__free(conn->text);
    weft__free(conn);
}

/* ---- heads ---- */

/* The first byte of a request: 1, or 0 when the connection may end without a word. */
static int wait_for_request(struct weft__server_conn *conn, int64_t timeout)
{
    if (conn->server->stopping)
        return 0;
    weft_scope_enter(&conn->idle_scope, WEFT_FOREVER);
    conn->idle = true;
    int64_t n = weft__server_in_fill(conn, timeout);
    conn->idle = false;
    weft_scope_exit(&conn->idle_scope, n < 0 ? (int)n : 0);
    return n > 0;
}

/* What is wrong with a head that does not come. */
static int head_failed(struct weft__server_conn *conn, int64_t n)
{
    if (n == -ETIMEDOUT)
        conn->head.status = 408;
    else if (n == 0)
        conn->head.status = 400;
    else
        conn->broken = true;
    return n < 0 ? (int)n : WEFT_EREMOTE_PROTOCOL;
}

/*
 * Bytes of the next head, 0 if there is none, or negative: head.status says what to answer,
 * unless the connection is broken.
 */
static int read_head(struct weft__server_conn *conn, int64_t deadline)
{
    const weft_server_options *options = &conn->server->options;
    weft__h1_head_reset(&conn->head, NULL);
    if (conn->in_len == 0) {
        bool first = deadline != WEFT_FOREVER;
        if (!wait_for_request(conn, first ? options->head_timeout : options->idle_timeout))
            return 0;
    }
    for (;;) {
        int n = weft__h1_parse_request(&conn->head, conn->in + conn->in_start, conn->in_len,
                                       &conn->server->limits);
        if (n == -ENOMEM)
            conn->head.status = 503;
        if (n != 0)
            return n;
        int64_t now = weft_now();
        if (deadline == WEFT_FOREVER)
            deadline = weft__clock_add(now, options->head_timeout);
        int64_t got =
            weft__server_in_fill(conn, deadline == WEFT_FOREVER ? deadline : deadline - now);
        if (got <= 0)
            return head_failed(conn, got);
    }
}

static char *put_text(struct weft__server_conn *conn, const char *text, size_t len)
{
    char *to = conn->text + conn->text_len;
    memcpy(to, text, len);
    to[len] = '\0';
    conn->text_len += len + 1;
    return to;
}

/* Room for method, target, path and parameters: decoded they are never longer. */
static int reserve_text(struct weft__server_conn *conn)
{
    size_t need = conn->head.method.len + 3 * conn->head.target.len + WEFT__LIMIT_ROUTE_PARAMS + 8;
    conn->text_len = 0;
    if (need <= conn->text_cap)
        return 0;
    char *grown = weft__realloc(conn->text, need);
    if (grown == NULL)
        return weft__fail_nomem();
    conn->text = grown;
    conn->text_cap = need;
    return 0;
}

/* Path and query of the target, whatever its form. */
static void cut_target(struct weft__server_conn *conn)
{
    weft_server_request *request = &conn->request;
    const char *path = request->target;
    if (conn->head.form == WEFT__H1_ABSOLUTE) {
        path = strstr(path, "://") + 3;
        path += strcspn(path, "/?");
    }
    size_t path_len = strcspn(path, "?");
    request->raw_path = (struct weft__text){path, path_len};
    if (path[path_len] == '?')
        request->raw_query = (struct weft__text){path + path_len + 1, strlen(path + path_len + 1)};
    if (path_len == 0)
        request->raw_path = (struct weft__text){"/", 1};
}

/* Copies the head out of the receive buffer. */
static int take_head(struct weft__server_conn *conn)
{
    weft_server_request *request = &conn->request;
    const struct weft__h1_head *head = &conn->head;
    int err = reserve_text(conn);
    if (err >= 0)
        err = weft__h1_head_copy(head, &request->headers);
    if (err < 0)
        return err;
    request->method = put_text(conn, head->method.data, head->method.len);
    request->target = put_text(conn, head->target.data, head->target.len);
    request->content_length = head->body == WEFT__H1_LENGTH ? head->content_length : -1;
    cut_target(conn);
    char *path = conn->text + conn->text_len;
    int64_t n = weft__percent_decode(request->raw_path.data, request->raw_path.len, path);
    if (n < 0)
        return WEFT_EREMOTE_PROTOCOL;
    path[n] = '\0';
    conn->text_len += (size_t)n + 1;
    request->path = path;
    return 0;
}

static void take_params(struct weft__server_conn *conn, const struct weft__route_match *match)
{
    weft_server_request *request = &conn->request;
    request->route = match->route;
    for (size_t i = 0; i < match->n_values; i++) {
        char *value = conn->text + conn->text_len;
        int64_t n = weft__percent_decode(match->values[i].data, match->values[i].len, value);
        value[n] = '\0';
        conn->text_len += (size_t)n + 1;
        request->params[i] = value;
    }
}

/* ---- answering ---- */

/* Everything that is decided before a handler is asked: 0, or the status to refuse with. */
static int precheck(struct weft__server_conn *conn)
{
    const struct weft__h1_head *head = &conn->head;
    if (head->form == WEFT__H1_AUTHORITY)
        return 501;
    if (head->minor == 1 && !head->expect_continue && weft__h1_head_find(head, "expect") != NULL)
        return 417;
    if (head->content_length > 0 && (uint64_t)head->content_length > conn->server->options.body_max)
        return 413;
    return 0;
}

/* No route for the method: 404, 405 with Allow, or the answer to OPTIONS. */
static int answer_unrouted(struct weft__server_conn *conn)
{
    struct weft__buf allow;
    weft__buf_init(&allow, WEFT__LIMIT_HEADERS);
    int err = weft__routes_allow(conn->server->routes, conn->request.raw_path, &allow);
    if (err >= 0 && allow.len > 0) {
        bool options = strcmp(conn->request.method, "OPTIONS") == 0;
        err = weft__buf_append(&allow, options ? ", OPTIONS" : "", options ? 10 : 1);
        if (err >= 0)
            err = weft_reply_set_header(&conn->reply, "Allow", weft__buf_bytes(&allow));
        if (err >= 0)
            err = options ? weft_reply_start(&conn->reply, 204, 0)
                          : weft__reply_error(&conn->reply, 405, NULL);
    } else if (err >= 0) {
        err = weft__reply_error(&conn->reply, 404, NULL);
    }
    weft__buf_done(&allow);
    return err;
}

/* Lets the handler answer; negative where the reply must not stand. */
static int answer(struct weft__server_conn *conn)
{
    weft_server_request *request = &conn->request;
    weft_reply *reply = &conn->reply;
    struct weft__route_match match;
    if (conn->head.form == WEFT__H1_ASTERISK)
        return weft_reply_start(reply, 204, 0);
    weft__routes_match(conn->server->routes, request->method, request->raw_path, &match);
    if (match.route == NULL)
        return answer_unrouted(conn);
    take_params(conn, &match);
    int err = match.route->handler(request, reply, match.route->arg);
    if (err >= 0 && !reply->started)
        err = weft__fail(-ENODATA, "the handler of %.40s %.200s returned without a reply",
                         request->method, request->target);
    return err;
}

static int status_of(const weft_server_request *request, int err)
{
    return err == request->fault ? request->fault_status : 500;
}

/* The reply to an error of the handler: the error's name is all that the peer is told. */
static int answer_error(struct weft__server_conn *conn, int err)
{
    if (conn->reply.started || weft_checkpoint() < 0)
        return err;
    int status = status_of(&conn->request, err);
    weft__headers_reset(&conn->reply.headers);
    return weft__reply_error(&conn->reply, status, status == 500 ? weft_error_name(err) : NULL);
}

static void report(struct weft__server_conn *conn, int64_t started)
{
    const weft_server_options *options = &conn->server->options;
    const weft_reply *reply = &conn->reply;
    if (options->on_request == NULL)
        return;
    options->on_request(&conn->request, reply->started ? reply->status : 0,
                        reply->no_body ? 0 : reply->written, weft_now() - started,
                        options->userdata);
}

/* A request that never got as far as a handler; the connection ends after the reply. */
static void refuse(struct weft__server_conn *conn, int status, int64_t started)
{
    conn->reply.close = true;
    int err = weft__reply_error(&conn->reply, status, NULL);
    if (err >= 0)
        err = weft__reply_finish(&conn->reply);
    if (err < 0)
        conn->broken = true;
    report(conn, started);
}

/* What is left of the body is read if it is little: true if the next request may follow. */
static bool drain_body(struct weft__server_conn *conn)
{
    weft_server_request *request = &conn->request;
    if (conn->body.ended && conn->piece_len == 0)
        return true;
    if (conn->expects_continue)
        return false;
    if (conn->body.kind == WEFT__H1_LENGTH &&
        conn->body.length - conn->body.received > WEFT__LIMIT_SERVER_DRAIN)
        return false;
    char sink[4096];
    size_t drained = 0;
    weft_scope scope;
    weft_scope_enter(&scope, conn->server->options.head_timeout);
    int64_t n;
    while ((n = weft__server_h1_read_body(request, sink, sizeof sink)) > 0) {
        drained += (size_t)n;
        if (drained > WEFT__LIMIT_SERVER_DRAIN)
            break;
    }
    weft_scope_exit(&scope, 0);
    return n == 0;
}

static void begin_exchange(struct weft__server_conn *conn)
{
    weft__server_request_reset(&conn->request);
    weft__reply_reset(&conn->reply);
    weft__buf_clear(&conn->out);
    weft__h1_body_done(&conn->body);
    weft__h1_body_init(&conn->body, WEFT__H1_NONE, -1, NULL);
    conn->expects_continue = false;
    conn->piece_len = 0;
}

/* One request and its reply: true if another one may follow on this connection. */
static bool exchange(struct weft__server_conn *conn, int64_t deadline)
{
    begin_exchange(conn);
    int head_len = read_head(conn, deadline);
    if (head_len == 0 || conn->broken)
        return false;
    int64_t started = conn->server->options.on_request != NULL ? weft_now() : 0;
    if (head_len < 0) {
        refuse(conn, conn->head.status, started);
        return false;
    }
    struct weft__h1_head *head = &conn->head;
    int err = take_head(conn);
    if (err < 0) {
        refuse(conn, err == -ENOMEM ? 503 : 400, started);
        return false;
    }
    int status = precheck(conn);
    if (status != 0) {
        refuse(conn, status, started);
        return false;
    }
    weft__server_in_consume(conn, (size_t)head_len);
    weft__h1_body_init(&conn->body, head->body, head->content_length, NULL);
    conn->expects_continue = head->expect_continue && !conn->body.ended;
    conn->reply.close = !head->keep_alive;
    err = answer(conn);
    if (err < 0)
        err = answer_error(conn, err);
    if (err >= 0)
        err = weft__reply_finish(&conn->reply);
    report(conn, started);
    if (err < 0) {
        conn->broken = true;
        return false;
    }
    return !conn->reply.close && drain_body(conn) && !conn->server->stopping;
}

/* ---- the end ---- */

/* Reads and drops what the peer still sends, for a bounded time, after our side has ended. */
static void linger(struct weft__server_conn *conn)
{
    size_t dropped = 0;
    if (weft_stream_flush(conn->stream) < 0)
        return;
    int err = weft_stream_write_eof(conn->stream);
    if (err < 0 && err != -EOPNOTSUPP)
        return;
    int64_t deadline = weft_now() + WEFT_SEC(1);
    while (dropped <= WEFT__LIMIT_SERVER_DRAIN) {
        int64_t left = deadline - weft_now();
        int64_t n = left > 0 ? weft__server_read_within(conn, conn->in, conn->in_cap, left) : 0;
        if (n <= 0)
            return;
        dropped += (size_t)n;
    }
}

/* Nothing can be on its way to us: the peer said that this was its last request, and it came whole. */
static bool is_quiet_end(const struct weft__server_conn *conn)
{
    return conn->peer_ended || (!conn->head.keep_alive && conn->head.status == 0 &&
                                conn->body.ended && conn->in_len == 0);
}

int weft__server_h1_serve(struct weft__server_conn *conn)
{
    int64_t deadline = weft__clock_add(weft_now(), conn->server->options.head_timeout);
    weft_stream_set_timeout(conn->stream, WEFT_FOREVER, conn->server->options.write_timeout);
    while (exchange(conn, deadline)) {
        deadline = WEFT_FOREVER;
        /* Reading does not wait where bytes are there: a busy client would have us to itself. */
        if (++conn->served < WEFT__LIMIT_SERVER_PIPELINE)
            continue;
        conn->served = 0;
        if (weft_yield() < 0) {
            conn->broken = true;
            break;
        }
    }
    if (conn->broken)
        return -ECONNABORTED;
    if (!is_quiet_end(conn))
        linger(conn);
    return 0;
}

/*
 * response.c - a response: its head, and its body in memory or as it comes.
 */
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "client/h2_int.h"
#include "proto/coding.h"

enum {
    CONTENT_FIRST = 1024 * 1024, /* a declared length is believed only so far */
    CODED_SLACK = 64 * 1024,     /* what a coding may take beyond twice what it stands for */
    DIRECT = 2 * WEFT__IN_FIRST, /* so much is left: read it where it belongs */
    IN_STREAM = 64 * 1024, /* of the input buffer while the caller takes the body piece by piece */
    IN_LOAD = WEFT__IN_MAX,
};

/* How long the body of a response that nobody wants may take. */
#define DISCARD_TIME WEFT_SEC(1)

/* ---- making one ---- */

static int set_reason(weft_response *response, struct weft__text reason)
{
    const char *usual = weft_status_reason(response->status);
    if (strlen(usual) == reason.len && memcmp(usual, reason.data, reason.len) == 0) {
        response->reason = usual;
        return 0;
    }
    response->own_reason = weft__strndup(reason.data, reason.len);
    response->reason = response->own_reason;
    return response->own_reason != NULL ? 0 : weft__fail_nomem();
}

static int fill_h1(weft_response *response, const struct weft__conn *conn)
{
    const struct weft__h1_head *head = &conn->head;
    response->version = head->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
    response->content_length = head->content_length;
    weft__h1_body_init(&response->body, head->body, head->content_length, &response->trailers);
    response->body.chunked.padded = true;
    int err = set_reason(response, head->reason);
    return err < 0 ? err : weft__h1_head_copy(head, &response->headers);
}

static int fill(weft_response *response, struct weft__conn *conn, const struct weft__call *call)
{
    response->status = conn->head.status;
    response->started = call->started;
    response->deadline = WEFT_FOREVER;
    response->total = call->settings.total;
    if (response->total != WEFT_FOREVER)
        response->deadline = call->started + response->total;
    response->body_max = call->settings.body_max;
    response->decode = call->settings.decode;
    response->coded_max = UINT64_MAX;
    response->line_max = call->settings.line_max;
    if (call->settings.encoding != NULL)
        memcpy(response->encoding, call->settings.encoding, strlen(call->settings.encoding) + 1);
    response->info = conn->info;
    atomic_fetch_add_explicit(&conn->info->refs, 1, memory_order_relaxed);
    response->moments = call->moments;
    memcpy(response->method, call->method, strlen(call->method) + 1);
    weft__buf_init(&response->content, SIZE_MAX);
    weft__buf_init(&response->text, SIZE_MAX);
    weft__headers_init(&response->headers);
    weft__headers_init(&response->trailers);
    weft__headers_init(&response->sent);
    if (!conn->light)
        return fill_h1(response, conn);
    weft__h2_fill(response, conn);
    return 0;
}

/* The connection goes back: to be used again, or to be closed. */
static void leave_connection(weft_response *response, bool whole)
{
    struct weft__conn *conn = response->conn;
    int64_t now = weft_now();
    response->conn = NULL;
    response->elapsed = now - response->started;
    int why = response->error < 0 ? response->error : WEFT_ECLOSED;
    weft__hooks_trace_conn(conn, WEFT_TRACE_BODY_ENDED, whole ? 0 : why);
    if (conn->light)
        weft__h2_finish(response, conn);
    /* Bytes behind the message belong to no request of ours. */
    if (conn->light || (whole && response->reusable && response->body.kind != WEFT__H1_UNTIL_EOF &&
                        weft__conn_available(conn) == 0))
        weft__pool_release(conn, now);
    else
        weft__pool_drop(conn);
}

int weft__response_new(struct weft__conn *conn, struct weft__call *call, bool reusable,
                       weft_response **ret)
{
    weft_response *response = weft__alloc(sizeof *response);
    if (response == NULL) {
        weft__pool_drop(conn);
        return weft__fail_nomem();
    }
    memset(response, 0, offsetof(weft_response, headers));
    response->conn = conn;
    response->tunnel = weft__upgrade_is_tunnel(call, conn);
    response->reusable = reusable && !response->tunnel;
    int err = fill(response, conn, call);
    if (err < 0) {
        leave_connection(response, false);
        weft_response_free(response);
        return err;
    }
    weft__limited_feed(conn, response);
    response->elapsed = 0;
    if (response->body.ended && !response->tunnel)
        leave_connection(response, true);
    *ret = response;
    return 0;
}

/* ---- the body, piece by piece ---- */

int weft__response_piece(weft_response *response, size_t max, const char **ret, size_t *ret_len)
{
    struct weft__conn *conn = response->conn;
    if (conn->light)
        return weft__h2_piece(response, max, ret, ret_len);
    size_t limit = response->loading ? IN_LOAD : IN_STREAM;
    for (;;) {
        size_t len = weft__conn_available(conn);
        size_t consumed;
        int result = weft__h1_body_next(&response->body, weft__conn_bytes(conn),
                                        len < max ? len : max, &consumed, ret, ret_len);
        conn->in_start += consumed;
        if (result == WEFT__H1_DATA)
            return 1;
        if (result == WEFT__H1_END)
            return 0;
        if (result < 0)
            return result;
        if (weft__conn_available(conn) > 0)
            continue;
        int64_t n = weft__conn_fill(conn, conn->in_cap > limit ? conn->in_cap : limit);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return weft__h1_body_eof(&response->body);
    }
}

/* Reads payload where it belongs: 0 is the end of the connection. */
static int64_t read_direct(weft_response *response, void *data, size_t len)
{
    struct weft__h1_body *body = &response->body;
    const char *payload;
    size_t payload_len;
    size_t consumed;
    if (response->conn->light)
        return weft__h2_read(response, data, len);
    if (body->kind == WEFT__H1_LENGTH && len > body->length - body->received)
        len = (size_t)(body->length - body->received);
    int64_t n = weft__conn_read(response->conn, data, len);
    if (n > 0)
        weft__h1_body_next(body, data, (size_t)n, &consumed, &payload, &payload_len);
    return n;
}

static bool can_read_direct(const weft_response *response)
{
    const struct weft__h1_body *body = &response->body;
    struct weft__conn *conn = response->conn;
    if (conn->light ? weft__h2_has_unread(conn) : weft__conn_available(conn) > 0)
        return false;
    return (body->kind == WEFT__H1_UNTIL_EOF && !conn->light) ||
           (body->kind == WEFT__H1_LENGTH && body->length - body->received >= DIRECT);
}

/* ---- into memory ---- */

static int too_large(const weft_response *response)
{
    return weft__fail(WEFT_EBODY_TOO_LARGE, "the body is larger than %llu bytes",
                      (unsigned long long)response->body_max);
}

/* Room for want bytes and a NUL. */
static int reserve(weft_response *response, size_t want)
{
    int err = weft__buf_reserve(&response->content, want + 1);
    return err == -ENOMEM ? weft__fail_nomem() : err;
}

/* Twice what is there, or as much as a small body needs. */
static int reserve_more(weft_response *response)
{
    size_t len = response->content.len;
    return reserve(response, len < WEFT__IN_FIRST ? WEFT__IN_FIRST : len);
}

/* 1: there may be more; 0: the body is over. */
static int load_decoded(weft_response *response)
{
    struct weft__buf *content = &response->content;
    size_t room;
    int err = reserve_more(response);
    if (err < 0)
        return err;
    char *space = weft__buf_space(content, &room);
    uint64_t left = response->body_max - content->len;
    room--;
    if (room > left)
        room = (size_t)left + 1; /* one byte shows that there is too much */
    int64_t n = weft__decode(response, space, room);
    if (n > 0)
        weft__buf_commit(content, (size_t)n);
    return n > 0 ? 1 : (int)n;
}

static int load_some(weft_response *response)
{
    struct weft__buf *content = &response->content;
    size_t room;
    if (response->decoder != NULL)
        return load_decoded(response);
    if (can_read_direct(response)) {
        int err = reserve_more(response);
        if (err < 0)
            return err;
        char *space = weft__buf_space(content, &room);
        int64_t n = read_direct(response, space, room - 1);
        if (n > 0)
            weft__buf_commit(content, (size_t)n);
        if (n == 0)
            return weft__h1_body_eof(&response->body);
        return n < 0 ? (int)n : 1;
    }
    const char *piece;
    size_t len;
    int result = weft__response_piece(response, SIZE_MAX, &piece, &len);
    if (result <= 0)
        return result;
    int err = reserve(response, len);
    if (err < 0)
        return err;
    weft__buf_append(content, piece, len);
    return 1;
}

static int load(weft_response *response)
{
    const struct weft__h1_body *body = &response->body;
    int begun = weft__decode_begin(response);
    if (begun < 0)
        return begun;
    response->loading = true;
    if (response->decoder != NULL) {
        if (response->body_max < (UINT64_MAX - CODED_SLACK) / 2)
            response->coded_max = response->body_max * 2 + CODED_SLACK;
    } else if (body->kind == WEFT__H1_LENGTH) {
        if (body->length > response->body_max)
            return too_large(response);
        int err = reserve(response, body->length < CONTENT_FIRST ? (size_t)body->length
                                                                 : (size_t)CONTENT_FIRST);
        if (err < 0)
            return err;
    }
    for (;;) {
        int result = load_some(response);
        if (result < 0)
            return result;
        if (response->content.len > response->body_max)
            return too_large(response);
        if (result == 0 ||
            (response->decoder == NULL && body->ended && body->kind == WEFT__H1_LENGTH))
            return 0;
    }
}

int weft__response_load(weft_response *response)
{
    int err = 0;
    if (response->conn != NULL && !response->tunnel) {
        err = load(response);
        response->was_coded = response->decoder != NULL;
        weft__decoder_free(response->decoder);
        response->decoder = NULL;
        response->error = err;
        leave_connection(response, err == 0);
    } else if (response->elapsed == 0) {
        response->elapsed = weft_now() - response->started;
    }
    if (err == 0)
        err = reserve(response, 0);
    if (err < 0) {
        response->error = err;
        return err;
    }
    *(weft__buf_bytes(&response->content) + response->content.len) = '\0';
    response->in_memory = true;
    return 0;
}

void weft__response_discard(weft_response *response)
{
    weft_scope scope;
    const char *piece;
    size_t len;
    int result = 1;
    if (response->conn == NULL)
        return;
    const struct weft__h1_body *body = &response->body;
    if (response->conn->light || !response->reusable || body->kind == WEFT__H1_UNTIL_EOF ||
        (body->kind == WEFT__H1_LENGTH && body->length > WEFT__LIMIT_REDIRECT_DRAIN)) {
        leave_connection(response, false);
        return;
    }
    weft_scope_enter(&scope, DISCARD_TIME);
    while (result > 0 && body->received <= WEFT__LIMIT_REDIRECT_DRAIN)
        result = weft__response_piece(response, SIZE_MAX, &piece, &len);
    weft_scope_exit(&scope, 0);
    leave_connection(response, result == 0);
}

/* ---- as it comes ---- */

static int64_t read_some(weft_response *response, void *data, size_t len)
{
    int err = weft__decode_begin(response);
    if (err < 0)
        return err;
    if (response->decoder != NULL)
        return weft__decode(response, data, len);
    if (response->conn->light)
        return weft__h2_read(response, data, len);
    if (len >= WEFT__IN_FIRST && can_read_direct(response)) {
        int64_t n = read_direct(response, data, len);
        return n == 0 ? weft__h1_body_eof(&response->body) : n;
    }
    const char *piece;
    size_t piece_len;
    int result = weft__response_piece(response, len, &piece, &piece_len);
    if (result <= 0)
        return result;
    memcpy(data, piece, piece_len);
    return (int64_t)piece_len;
}

static int say_total(const weft_response *response)
{
    return weft__fail(WEFT_ETOTAL_TIMEOUT, "the request's total time of %.6g s is over",
                      (double)response->total * 1e-9);
}

static int say_closed(const weft_response *response)
{
    return weft__fail(WEFT_ECLOSED, "%s %s: the response was closed before its end",
                      response->method, WEFT__SHOW(response->url));
}

/* Within what is left of the call's total time. */
static int64_t read_in_time(weft_response *response, void *data, size_t len)
{
    if (response->deadline == WEFT_FOREVER)
        return read_some(response, data, len);
    weft_scope scope;
    weft_scope_enter(&scope, response->deadline - weft_now());
    int64_t n = read_some(response, data, len);
    bool cancelled = n == -ECANCELED;
    int err = weft_scope_exit(&scope, n < 0 ? (int)n : 0);
    if (cancelled && err == -ETIMEDOUT)
        return say_total(response);
    return err < 0 ? err : n;
}

/* A body cannot be read any further after an error; a cancelled read has not happened. */
static int body_failed(weft_response *response, int err)
{
    if (err != -ECANCELED && (err != -ENOMEM || response->decoder != NULL)) {
        response->error = err;
        leave_connection(response, false);
    }
    return weft__fail_prefix(err, "%s %s", response->method, WEFT__SHOW(response->url));
}

static int64_t read_memory(weft_response *response, void *data, size_t len)
{
    const struct weft__buf *content = &response->content;
    size_t left = content->len - (size_t)response->given;
    if (len > left)
        len = left;
    memcpy(data, weft__buf_bytes(content) + response->given, len);
    response->given += len;
    return (int64_t)len;
}

int weft__response_take(weft_response *response, enum weft__taking how)
{
    static const char *const names[] = {"", "raw bytes", "bytes", "text"};
    if (response->taking == WEFT__TAKES_NOTHING)
        response->taking = how;
    if (response->taking == how)
        return 0;
    return weft__fail(WEFT_ESTREAM_CONSUMED, "the body is already being read as %s",
                      names[response->taking]);
}

/* Decoded bytes, or raw ones if decoding is off. */
int64_t weft__response_read(weft_response *response, void *data, size_t len)
{
    if (response->in_memory)
        return read_memory(response, data, len);
    if (response->closed)
        return say_closed(response);
    if (response->error < 0)
        return weft__fail_with(response->error, "%s %s: an earlier read failed", response->method,
                               WEFT__SHOW(response->url));
    if (response->conn == NULL || response->tunnel || len == 0)
        return 0;
    int64_t n = read_in_time(response, data, len);
    if (n < 0)
        return body_failed(response, (int)n);
    response->given += (uint64_t)n;
    if (n == 0 || (response->decoder == NULL && response->body.ended &&
                   response->body.kind == WEFT__H1_LENGTH))
        leave_connection(response, true);
    return n;
}

int64_t weft_response_read(weft_response *response, void *data, size_t len)
{
    int err = weft__response_take(response, WEFT__TAKES_BYTES);
    if (err < 0)
        return err;
    if (response->iter != NULL) {
        size_t n = weft__iter_rest(response->iter, data, len);
        if (n > 0)
            return (int64_t)n;
    }
    return weft__response_read(response, data, len);
}

int64_t weft_response_read_raw(weft_response *response, void *data, size_t len)
{
    if (response->was_coded)
        return weft__fail(WEFT_ESTREAM_CONSUMED, "the body is in memory, decoded");
    int err = weft__response_take(response, WEFT__TAKES_RAW);
    if (err < 0)
        return err;
    response->decode = false;
    return weft__response_read(response, data, len);
}

int weft_response_read_all(weft_response *response)
{
    if (response->in_memory)
        return 0;
    if (response->closed)
        return say_closed(response);
    if (response->error < 0)
        return weft__fail_code(response->error);
    if (response->taking != WEFT__TAKES_NOTHING)
        return weft__fail(WEFT_ESTREAM_CONSUMED, "a part of the body was already read");
    weft_scope scope;
    bool bounded = response->deadline != WEFT_FOREVER;
    if (bounded)
        weft_scope_enter(&scope, response->deadline - weft_now());
    int err = weft__response_load(response);
    if (bounded) {
        bool cancelled = err == -ECANCELED;
        err = weft_scope_exit(&scope, err);
        if (cancelled && err == -ETIMEDOUT)
            err = say_total(response);
    }
    if (err < 0)
        return weft__fail_prefix(err, "%s %s", response->method, WEFT__SHOW(response->url));
    return 0;
}

/* ---- asking ---- */

/* What is left in the connection's buffer may be the end of the body, which saves it. */
static void skip_buffered(weft_response *response)
{
    struct weft__conn *conn = response->conn;
    int result = WEFT__H1_DATA;
    while (result == WEFT__H1_DATA && conn->in != NULL) {
        const char *piece;
        size_t len;
        size_t consumed;
        result = weft__h1_body_next(&response->body, weft__conn_bytes(conn),
                                    weft__conn_available(conn), &consumed, &piece, &len);
        conn->in_start += consumed;
    }
    leave_connection(response, result == WEFT__H1_END);
}

void weft_response_close(weft_response *response)
{
    if (response->conn == NULL)
        return;
    response->closed = true;
    skip_buffered(response);
}

static void free_one(weft_response *response)
{
    if (response->conn != NULL)
        skip_buffered(response);
    weft__decoder_free(response->decoder);
    weft__h1_body_done(&response->body);
    weft__headers_done(&response->headers);
    weft__headers_done(&response->trailers);
    weft__response_drop_request(response);
    weft__conn_info_unref(response->info);
    weft__buf_done(&response->content);
    weft__buf_done(&response->text);
    weft__iter_free(response->iter);
    weft_url_free(response->url);
    weft__free(response->own_reason);
    weft__free(response->history);
    weft__free(response);
}

void weft_response_free(weft_response *response)
{
    while (response != NULL) {
        weft_response *previous = response->previous;
        free_one(response);
        response = previous;
    }
}

/*
 * h2_call.c - one exchange over a stream of an HTTP/2 connection (RFC 9113 8.1).
 *
 * The connection's own tasks read and write; the call's task looks at its stream and waits for
 * the next event of it, for a time of its own.  So nothing that happens to it, or that it fails
 * to do, can hold up another stream.
 *
 * The body of the request may still be on its way when the head of the response has come, and
 * goes on beside whoever reads the response: see h2_upload.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "client/h2_int.h"
#include "proto/coding.h"

/* What a loop that is busy may be late by without a reason. */
#define LATE WEFT_MS(1)
/* For what stands there to be read, and for an answer to what stands here. */
#define GRACE WEFT_SEC(1)

/* ---- waiting for the stream's next event ---- */

/*
 * While a task keeps the loop from turning, what comes stands in the socket, and what goes stands
 * here: that is nobody's silence, and there is time for it.  But once only: in a loop that is
 * always busy each timer is late.
 */
bool weft__h2_was_late(struct weft__loop *loop, struct weft__timer *timer, bool *graced)
{
    int64_t now = weft__loop_now(loop);
    int64_t late = now - timer->when;
    int64_t more = late < GRACE ? late : GRACE;
    if (*graced || late <= LATE)
        return false;
    *graced = true;
    return weft__timer_start(&loop->timers, timer, weft__clock_add(now, more)) == 0;
}

void weft__h2_wake(struct weft__h2_waiter *waiter, int64_t value)
{
    if (!waiter->parked)
        return;
    waiter->parked = false;
    weft__timer_stop(&waiter->wait.task->loop->timers, &waiter->timer);
    weft__wake(waiter->wait.task, value);
}

static void wait_cancel(struct weft__wait *wait, int code)
{
    weft__h2_wake(WEFT__CONTAINER(wait, struct weft__h2_waiter, wait), code);
}

static void wait_over(struct weft__timer *timer)
{
    struct weft__h2_waiter *waiter = WEFT__CONTAINER(timer, struct weft__h2_waiter, timer);
    if (!weft__h2_was_late(waiter->wait.task->loop, timer, &waiter->graced))
        weft__h2_wake(waiter, -ETIMEDOUT);
}

int weft__h2_wait(struct weft__h2_waiter *waiter, int64_t timeout, const char *what)
{
    struct weft_task *self = weft__self();
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    if (waiter->parked)
        return weft__fail(-EBUSY, "another task is reading the response");
    if (timeout != WEFT_FOREVER) {
        waiter->timer.fire = wait_over;
        waiter->graced = false;
        int64_t when = weft__clock_add(weft__loop_now(self->loop), timeout);
        if (weft__timer_start(&self->loop->timers, &waiter->timer, when) < 0)
            return weft__fail_nomem();
    }
    waiter->wait.cancel = wait_cancel;
    waiter->wait.what = what;
    waiter->parked = true;
    err = (int)weft__park(self, &waiter->wait);
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

void weft__h2_on_stream(struct weft__h2_stream *stream, void *owner)
{
    struct weft__light *light = owner;
    if (light->tunnel != NULL) {
        weft__tunnel_event(light->tunnel);
        return;
    }
    if (light->uploading != NULL && (weft__h2_status(stream) >= 300 || weft__h2_is_over(stream))) {
        light->early = true;
        weft_scope_cancel(light->uploading, "the server has answered");
    }
    weft__h2_wake(&light->reader, 0);
    weft__h2_upload_wake(light);
}

void weft__h2_on_interim(struct weft__h2_stream *stream, void *owner, int status,
                         const weft_headers *headers)
{
    struct weft__light *light = owner;
    (void)stream;
    light->interim++;
    light->wanted = light->wanted || status == 100;
    if (light->call != NULL && light->interim_error == 0)
        light->interim_error = weft__hooks_interim(light->call, status, headers);
    weft__h2_wake(&light->reader, 0);
}

/* ---- failures ---- */

int weft__h2_timed_out(const struct weft__conn *conn, int code, int64_t timeout)
{
    char peer[WEFT__PEER_TEXT];
    return weft__fail(code, "%s after %.6g s (%s)", weft_error_text(code), (double)timeout * 1e-9,
                      weft__conn_peer(conn, peer));
}

/* What the caller's function said, in another task. */
static int interim_failed(const struct weft__light *light)
{
    if (light->interim_error == 0)
        return 0;
    weft__fail_code(light->interim_error);
    return weft__fail_prefix(light->interim_error, "on_informational");
}

int weft__h2_failure(struct weft__light *light)
{
    char text[256];
    char peer[WEFT__PEER_TEXT];
    int err = weft__h2_upload_error(light);
    if (err < 0)
        return err;
    if (light->interim_error < 0)
        return interim_failed(light);
    if (light->conn.pool != NULL && light->conn.pool->aborted)
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    err = weft__h2_stream_error(light->stream);
    if (err != WEFT_EDISCONNECTED)
        return err;
    snprintf(text, sizeof text, "%s", weft_error_message());
    return weft__fail(err, "%s (%s)", text, weft__conn_peer(&light->conn, peer));
}

static bool is_untouched(const struct weft__light *light)
{
    return light->stream == NULL || weft__h2_is_unprocessed(light->stream);
}

static bool wants_h1(const struct weft__light *light)
{
    return light->stream == NULL ? light->unfit
                                 : weft__h2_reset_code(light->stream) == WEFT__H2_HTTP_1_1_REQUIRED;
}

/* What is refused to a tunnel is not refused to requests. */
static bool go_by_h1(struct weft__call *call, struct weft__conn *conn)
{
    if (weft__upgrade_wanted(call))
        return weft__way_use_h1(call) == 0;
    call->way.refused_h2 = true;
    weft__pool_h2_leave(conn);
    return true;
}

/* It would be the same again, or the caller does not want it. */
static bool is_final(int err)
{
    return err == -ECANCELED || err == -ENOMEM || err == WEFT_EREAD_TIMEOUT ||
           err == WEFT_EHEADER_TOO_LARGE;
}

bool weft__h2_may_repeat(struct weft__call *call, struct weft__conn *conn, int err)
{
    const struct weft__light *light = weft__light_of(conn);
    if (is_final(err) || conn->pool == NULL || conn->pool->closed ||
        weft__h2_is_calmed(conn->shared->h2))
        return false;
    if (wants_h1(light) && conn->pool->client->http == WEFT__HTTP_ANY)
        return go_by_h1(call, conn);
    return is_untouched(light) && !light->unfit;
}

/* ---- reading ---- */

size_t weft__h2_left(const struct weft__light *light)
{
    return light->aside.len + weft__h2_unread(light->stream);
}

/* Less came than was asked for, for so long? */
static int check_speed(struct weft__light *light)
{
    struct weft__conn *conn = &light->conn;
    if (conn->low_limit == 0 || conn->low_waited < conn->low_time)
        return 0;
    double speed = (double)conn->low_bytes / ((double)conn->low_waited * 1e-9);
    if (speed < (double)conn->low_limit)
        return weft__conn_too_slow(conn, speed);
    conn->low_waited = 0;
    conn->low_bytes = 0;
    return 0;
}

/*
 * While the body goes, an answer may take any time, as the write time-out counts then.  Whoever
 * reads a streamed response meanwhile waits for the next event of either direction.
 */
static int wait_beside_upload(struct weft__light *light)
{
    int64_t timeout = weft__h2_upload_is_attached(light) ? WEFT_FOREVER : light->conn.read_timeout;
    int err = weft__h2_wait(&light->reader, timeout, "HTTP/2 response");
    return err == -ETIMEDOUT ? weft__h2_timed_out(&light->conn, WEFT_EREAD_TIMEOUT, timeout) : err;
}

/* For the next event of the response; a server that sends nothing at all is given up. */
static int wait_response(struct weft__light *light)
{
    struct weft__conn *conn = &light->conn;
    if (weft__h2_upload_runs(light))
        return wait_beside_upload(light);
    int64_t timeout = conn->read_timeout;
    size_t had = weft__h2_left(light);
    bool slow = conn->low_limit > 0 && conn->low_time - conn->low_waited < timeout;
    int err = check_speed(light);
    if (err < 0)
        return err;
    if (slow)
        timeout = conn->low_time - conn->low_waited;
    int64_t began = conn->low_limit > 0 ? weft_now() : 0;
    err = weft__h2_wait(&light->reader, timeout, "HTTP/2 response");
    if (conn->low_limit > 0) {
        conn->low_waited += weft_now() - began;
        conn->low_bytes += weft__h2_left(light) - had;
    }
    if (err != -ETIMEDOUT || slow)
        return err == -ETIMEDOUT ? check_speed(light) : err;
    /* What stands in our own queue is no fault of the server's reading. */
    if (!weft__h2_is_written(light->stream))
        return weft__h2_timed_out(conn, WEFT_EWRITE_TIMEOUT, timeout);
    return weft__h2_timed_out(conn, WEFT_EREAD_TIMEOUT, timeout);
}

static size_t peek(struct weft__light *light, const char **ret)
{
    if (light->aside.len == 0)
        return weft__h2_data(light->stream, ret);
    *ret = weft__buf_bytes(&light->aside);
    return light->aside.len;
}

static void skip(struct weft__light *light, size_t len)
{
    light->taken = true;
    if (light->aside.len > 0)
        weft__buf_consume(&light->aside, len);
    else if (len > 0)
        weft__h2_consume(light->stream, len);
}

/*
 * A success that is whole before the body is sent is no refusal: the exchange goes on until the
 * server has had the body, or has said that it wants no more of it (RFC 9113 8.1).  A function
 * that reads the response itself cannot wait for its own end.
 */
static bool is_over(const struct weft__light *light)
{
    const struct weft__h2_stream *stream = light->stream;
    if (!weft__h2_is_ended(stream) || weft__h2_upload_has_failed(light))
        return false;
    if (light->early || weft__h2_status(stream) >= 300 || weft__h2_upload_is_own(light))
        return true;
    return weft__h2_is_over(stream) && (!light->has_body || light->flushed);
}

/* The response is whole.  Its server is not to blame for taking no more: it has said all. */
static int wait_sent(struct weft__light *light)
{
    struct weft__conn *conn = &light->conn;
    if (weft__h2_upload_runs(light))
        return weft__h2_wait(&light->reader, WEFT_FOREVER, "end of an HTTP/2 upload");
    bool made = weft__h2_is_over(light->stream);
    size_t left = weft__h2_unwritten(light->stream);
    int err = made ? weft__h2c_flush(conn->shared, conn->write_timeout)
                   : weft__h2_wait(&light->reader, conn->write_timeout, "HTTP/2 window");
    light->flushed = made && err == 0;
    if (err != -ETIMEDOUT)
        return err;
    light->early = weft__h2_unwritten(light->stream) == left;
    return 0;
}

/* 1: there are unread bytes; 0: the body is over. */
static int await_data(struct weft__light *light)
{
    for (;;) {
        if (weft__h2_left(light) > 0)
            return 1;
        if (is_over(light))
            return 0;
        int err = weft__h2_failure(light);
        if (err == 0)
            err = weft__h2_is_ended(light->stream) ? wait_sent(light) : wait_response(light);
        if (err < 0)
            return err;
    }
}

static int read_head(struct weft__light *light)
{
    int err = 0;
    while (err == 0) {
        /* What was in its way, though the final response may have come at once behind it. */
        err = interim_failed(light);
        if (err < 0)
            return err;
        if (weft__h2_status(light->stream) != 0)
            break;
        err = weft__h2_failure(light);
        if (err == 0)
            err = wait_response(light);
    }
    return err;
}

/* ---- the exchange ---- */

/* RFC 9110 10.1.1: the body waits for the server's word, but not for ever. */
static int await_continue(struct weft__light *light, const struct weft__call *call)
{
    int64_t wait = call->options->continue_timeout;
    int err = 0;
    weft_scope scope;
    weft_scope_enter(&scope, wait > 0 ? wait : WEFT_SEC(1));
    while (err == 0 && !light->wanted && weft__h2_status(light->stream) == 0) {
        err = weft__h2_failure(light);
        if (err == 0)
            err = weft__h2_wait(&light->reader, WEFT_FOREVER, "HTTP/2 100 Continue");
    }
    err = weft_scope_exit(&scope, err);
    return err == -ETIMEDOUT ? 0 : err;
}

static int open_stream(struct weft__light *light, const struct weft__call *call)
{
    struct weft__h2_conn *shared = light->conn.shared;
    struct weft__h2_request request = {
        .method = call->method,
        .scheme = weft_url_scheme(call->url),
        .authority = weft_url_authority(call->url),
        .path = weft__way_target(call),
        .headers = weft__way_headers(call),
        .has_body = call->has_body,
        .sized = call->has_body && (!call->reads_body || call->source.sized),
        .length = call->reads_body ? call->source.size : call->body_len,
    };
    weft__upgrade_set_request(call, &request);
    int err = request.protocol != NULL ? weft__tunnel_await(light, call) : 0;
    if (err < 0)
        return err;
    if (shared->ended)
        return weft__fail(WEFT_EDISCONNECTED, "the connection ended before the request was sent");
    err = weft__h2_open(shared->h2, &request, light, &light->stream);
    if (err < 0)
        return err;
    shared->n_pending--;
    shared->slot->requests++;
    weft__h2c_kick(shared);
    return 0;
}

static int exchange(struct weft__light *light, struct weft__call *call)
{
    int err = call->expects ? await_continue(light, call) : 0;
    /* A final answer instead of a 100: the body is not wanted. */
    bool unwanted = err == 0 && weft__h2_status(light->stream) != 0;
    light->early = call->has_body && unwanted;
    if (err == 0 && call->has_body && !unwanted)
        err = weft__h2_send(light, call);
    /* Whatever has become of the body, the answer is what counts. */
    if (light->early && err != -ECANCELED) {
        call->body_failed = false;
        err = 0;
    }
    call->moments.sent = weft__call_moment(call);
    if (err < 0)
        return err;
    weft__hooks_trace(call, WEFT_TRACE_SENT, 0);
    return read_head(light);
}

int weft__h2_exchange(struct weft__conn *conn, struct weft__call *call, bool *ret_answered,
                      bool *ret_reusable)
{
    struct weft__light *light = weft__light_of(conn);
    conn->read_timeout = call->settings.read;
    conn->write_timeout = call->settings.write;
    conn->head.status = 0;
    light->held = 0;
    light->interim = 0;
    light->interim_error = 0;
    light->call = call;
    light->wanted = false;
    light->early = false;
    light->has_body = call->has_body;
    light->unfit = false;
    call->framed = false;
    int err = open_stream(light, call);
    if (err < 0) {
        light->call = NULL;
        return err;
    }
    call->sent = true;
    err = exchange(light, call);
    light->call = NULL;
    conn->head.status = weft__h2_status(light->stream);
    *ret_answered = conn->head.status != 0 || light->interim > 0;
    *ret_reusable = true;
    call->moments.first = weft__call_moment(call);
    if (*ret_answered)
        weft__hooks_trace(call, WEFT_TRACE_FIRST_BYTE, 0);
    if (err < 0 && is_untouched(light))
        call->sent = false;
    return err;
}

/* ---- the response ---- */

void weft__h2_fill(weft_response *response, struct weft__conn *conn)
{
    struct weft__light *light = weft__light_of(conn);
    enum weft__h1_body_kind kind = WEFT__H1_UNTIL_EOF;
    response->version = "HTTP/2";
    response->reason = weft_status_reason(response->status);
    response->content_length = weft__h2_content_length(light->stream);
    weft__headers_swap(&response->headers, weft__h2_headers(light->stream));
    if (is_over(light) && weft__h2_left(light) == 0)
        kind = WEFT__H1_NONE;
    else if (response->content_length > 0) /* of 0 the end, or trailers, are still to come */
        kind = WEFT__H1_LENGTH;
    weft__h1_body_init(&response->body, kind, response->content_length, NULL);
}

void weft__h2_finish(weft_response *response, struct weft__conn *conn)
{
    const struct weft__light *light = weft__light_of(conn);
    if (weft__h2_is_ended(light->stream))
        weft__headers_swap(&response->trailers, weft__h2_trailers(light->stream));
}

/* Bytes that were looked at are given back when the next ones are asked for. */
int weft__h2_piece(weft_response *response, size_t max, const char **ret, size_t *ret_len)
{
    struct weft__light *light = weft__light_of(response->conn);
    skip(light, light->held);
    light->held = 0;
    int more = await_data(light);
    if (more <= 0) {
        response->body.ended = more == 0;
        return more;
    }
    size_t len = peek(light, ret);
    *ret_len = len < max ? len : max;
    light->held = *ret_len;
    response->body.received += *ret_len;
    response->body.ended = is_over(light) && weft__h2_left(light) == *ret_len;
    return 1;
}

bool weft__h2_has_unread(struct weft__conn *conn)
{
    struct weft__light *light = weft__light_of(conn);
    return weft__h2_left(light) > light->held;
}

/* Large pieces go from the connection's buffer to where they belong. */
int64_t weft__h2_read(weft_response *response, void *data, size_t len)
{
    enum { WORTH_IT = 4096 };
    struct weft__light *light = weft__light_of(response->conn);
    const char *piece;
    skip(light, light->held);
    light->held = 0;
    if (len >= WORTH_IT && weft__h2_left(light) == 0)
        weft__h2_put_into(light->stream, data, len);
    int more = await_data(light);
    size_t n = weft__h2_take(light->stream);
    if (n == 0 && more > 0) {
        n = peek(light, &piece);
        n = n < len ? n : len;
        memcpy(data, piece, n);
        skip(light, n);
    }
    response->body.received += n;
    if (n > 0 || more == 0)
        response->body.ended = is_over(light) && weft__h2_left(light) == 0;
    return n > 0 ? (int64_t)n : more;
}

/* Straight from the session: what the decoder has not taken yet stays there. */
int64_t weft__h2_decode(weft_response *response, char *out, size_t out_len)
{
    struct weft__light *light = weft__light_of(response->conn);
    for (;;) {
        const char *data = NULL;
        size_t had = peek(light, &data);
        size_t len = had;
        int64_t n =
            weft__decoder_next(response->decoder, &data, &len, response->coded_end, out, out_len);
        response->body.received += had - len;
        skip(light, had - len);
        if (n != 0 || response->coded_end)
            return n;
        if (response->body.received > response->coded_max)
            return weft__fail(WEFT_EBODY_TOO_LARGE, "the coded body is larger than %llu bytes",
                              (unsigned long long)response->coded_max);
        int more = len > 0 ? 1 : await_data(light);
        if (more < 0)
            return more;
        response->coded_end = more == 0;
    }
}

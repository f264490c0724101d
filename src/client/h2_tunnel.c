/*
 * h2_tunnel.c - a stream of an HTTP/2 connection that goes on by another protocol, as a stream of
 * the caller's (RFC 9113 8.5, RFC 8441 5).
 *
 * It has the light of the call until it is freed: to the connection and its pool it is one more
 * stream in use.  A read takes DATA that has come, a write fills the stream's buffer as far as the
 * peer's window lets that become empty; the connection's own tasks do the rest.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "client/h2_int.h"

/* For what is unsent when it is closed. */
#define CLOSE_TIME WEFT_SEC(60)

struct weft__tunnel {
    struct weft__light *light;
    struct weft__list readers; /* at most one */
    struct weft__list writers;
    int64_t read_timeout;
    int64_t write_timeout;
    bool torn; /* a write was cut short: what followed would not fit */
};

/* ---- waiting ---- */

static int timed_out(int code, const char *what, int64_t timeout)
{
    return weft__fail(code, "%s: nothing moved for %.6g s", what, (double)timeout * 1e-9);
}

/* code stands for a time that ran out. */
static int wait_in(struct weft__list *queue, int64_t timeout, const char *what, int code)
{
    struct weft__waiter waiter;
    if (timeout == WEFT_FOREVER)
        return (int)weft__waitq_wait(queue, &waiter, what);
    weft_scope scope;
    weft_scope_enter(&scope, timeout);
    int err = (int)weft__waitq_wait(queue, &waiter, what);
    bool cancelled = err == -ECANCELED;
    err = weft_scope_exit(&scope, err);
    if (err == -ETIMEDOUT && cancelled)
        return timed_out(code, what, timeout);
    return err;
}

void weft__tunnel_event(struct weft__tunnel *tunnel)
{
    weft__waitq_wake_all(&tunnel->readers, 0);
    weft__waitq_wake_all(&tunnel->writers, 0);
}

int weft__tunnel_await(struct weft__light *light, const struct weft__call *call)
{
    struct weft__h2_conn *shared = light->conn.shared;
    int err = 0;
    while (err == 0 && !shared->ended && !weft__h2_is_greeted(shared->h2))
        err = wait_in(&shared->asking, call->settings.read, "HTTP/2 settings", WEFT_EREAD_TIMEOUT);
    if (err == 0 && shared->ended && light->conn.pool != NULL && light->conn.pool->aborted)
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    if (err < 0 || shared->ended || weft__h2_takes_protocol(shared->h2))
        return err;
    light->unfit = true;
    return weft__fail(WEFT_EREMOTE_PROTOCOL,
                      "the server does not go on by \"%.100s\" over HTTP/2: it has not set "
                      "ENABLE_CONNECT_PROTOCOL",
                      call->options->upgrade);
}

/* ---- failures ---- */

static int say(const struct weft__tunnel *tunnel, int err)
{
    const struct weft__pool *pool = tunnel->light->conn.pool;
    return err < 0 && pool != NULL && pool->aborted ? weft__fail_code(WEFT_ECLIENT_CLOSED) : err;
}

/* Of a stream that is over, where the peer may have ended its own direction in order before. */
static int write_failed(const struct weft__tunnel *tunnel)
{
    const struct weft__h2_stream *stream = tunnel->light->stream;
    int err = weft__h2_stream_error(stream);
    if (err == 0)
        err = weft__h2_error(tunnel->light->conn.shared->h2);
    if (err < 0)
        return say(tunnel, err);
    return weft__fail(-EPIPE, "HTTP/2: the server wants no more of the stream (%s)",
                      weft__h2_code_name(weft__h2_reset_code(stream)));
}

/* ---- reading ---- */

static int64_t tunnel_read(void *self, void *data, size_t len)
{
    struct weft__tunnel *tunnel = self;
    struct weft__h2_stream *stream = tunnel->light->stream;
    int err = weft_checkpoint();
    while (err == 0) {
        const char *bytes;
        size_t n = weft__h2_data(stream, &bytes);
        if (n > 0) {
            n = n < len ? n : len;
            memcpy(data, bytes, n);
            weft__h2_consume(stream, n);
            return (int64_t)n;
        }
        if (weft__h2_is_ended(stream))
            return 0;
        err = say(tunnel, weft__h2_stream_error(stream));
        if (err == 0)
            err = wait_in(&tunnel->readers, tunnel->read_timeout, "read of an HTTP/2 tunnel",
                          WEFT_EREAD_TIMEOUT);
    }
    return err;
}

/* ---- writing ---- */

static int wait_room(struct weft__tunnel *tunnel)
{
    return wait_in(&tunnel->writers, tunnel->write_timeout, "write of an HTTP/2 tunnel",
                   WEFT_EWRITE_TIMEOUT);
}

static int write_slice(struct weft__tunnel *tunnel, const char *data, size_t len, bool *begun)
{
    struct weft__h2_stream *stream = tunnel->light->stream;
    while (len > 0) {
        int64_t n = weft__h2_write(stream, data, len);
        if (n < 0)
            return weft__h2_is_over(stream) ? write_failed(tunnel) : (int)n;
        if (n > 0)
            *begun = true;
        int err = n == 0 ? wait_room(tunnel) : 0;
        if (err < 0)
            return err;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int check_whole(const struct weft__tunnel *tunnel)
{
    int err = weft_checkpoint();
    if (err == 0 && tunnel->torn)
        return weft__fail(-EPIPE, "write to an HTTP/2 tunnel: an earlier write was cut short");
    return err;
}

static int tunnel_writev(void *self, const weft_slice *slices, size_t n)
{
    struct weft__tunnel *tunnel = self;
    bool begun = false;
    int err = check_whole(tunnel);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n && err == 0; i++)
        err = write_slice(tunnel, slices[i].data, slices[i].len, &begun);
    tunnel->torn = err < 0 && begun;
    return err;
}

/* Until everything that was written is the system's. */
static int tunnel_flush(void *self)
{
    struct weft__tunnel *tunnel = self;
    const struct weft__h2_stream *stream = tunnel->light->stream;
    int err = 0;
    while (err == 0 && !weft__h2_is_written(stream))
        err = weft__h2_is_over(stream) ? write_failed(tunnel) : wait_room(tunnel);
    if (err < 0)
        return err;
    err = weft__h2c_flush(tunnel->light->conn.shared, tunnel->write_timeout);
    if (err != -ETIMEDOUT)
        return err;
    return timed_out(WEFT_EWRITE_TIMEOUT, "write of an HTTP/2 tunnel", tunnel->write_timeout);
}

/* Cancelled before the end is said, it is not; afterwards the end goes by itself. */
static int tunnel_write_eof(void *self)
{
    struct weft__tunnel *tunnel = self;
    struct weft__h2_stream *stream = tunnel->light->stream;
    int err = check_whole(tunnel);
    if (err == 0)
        err = tunnel_flush(tunnel);
    if (err < 0)
        return err;
    err = weft__h2_write_end(stream);
    if (err < 0)
        return weft__h2_is_over(stream) ? write_failed(tunnel) : err;
    err = tunnel_flush(tunnel);
    return err == -ECANCELED ? 0 : err;
}

static void tunnel_set_timeout(void *self, int64_t read, int64_t write)
{
    struct weft__tunnel *tunnel = self;
    tunnel->read_timeout = read;
    tunnel->write_timeout = write;
}

/* Its buffer has one size, and the connection's is not its own. */
static void tunnel_set_write_limits(void *self, size_t high, size_t low)
{
    (void)self;
    (void)high;
    (void)low;
}

/* ---- the end ---- */

static int tunnel_close(void *self)
{
    struct weft__tunnel *tunnel = self;
    struct weft__h2_stream *stream = tunnel->light->stream;
    int64_t most = tunnel->write_timeout < CLOSE_TIME ? tunnel->write_timeout : CLOSE_TIME;
    weft_scope scope;
    weft_scope_enter(&scope, most);
    int err = weft__h2_is_over(stream) ? tunnel_flush(tunnel) : tunnel_write_eof(tunnel);
    err = weft_scope_exit(&scope, err);
    weft__h2_reset(stream, WEFT__H2_CANCEL);
    return err == -ETIMEDOUT ? weft__fail_code(WEFT_EWRITE_TIMEOUT) : err;
}

static void tunnel_abort(void *self)
{
    struct weft__tunnel *tunnel = self;
    weft__h2_reset(tunnel->light->stream, WEFT__H2_CANCEL);
    weft__tunnel_event(tunnel);
}

static void tunnel_free(void *self)
{
    struct weft__tunnel *tunnel = self;
    if (tunnel->light != NULL) {
        tunnel->light->tunnel = NULL;
        weft__pool_drop(&tunnel->light->conn);
    }
    weft__free(tunnel);
}

static int tunnel_is_quiet(void *self)
{
    const struct weft__tunnel *tunnel = self;
    const struct weft__h2_stream *stream = tunnel->light->stream;
    return weft__h2_unread(stream) == 0 && !weft__h2_is_ended(stream) && !weft__h2_is_over(stream);
}

/* The connection, NULL once it has ended. */
static weft_stream *tunnel_below(void *self)
{
    return ((struct weft__tunnel *)self)->light->conn.stream;
}

static const weft_stream_ops tunnel_ops = {
    .size = sizeof tunnel_ops,
    .name = "HTTP/2 tunnel",
    .read = tunnel_read,
    .writev = tunnel_writev,
    .flush = tunnel_flush,
    .write_eof = tunnel_write_eof,
    .set_timeout = tunnel_set_timeout,
    .close = tunnel_close,
    .free = tunnel_free,
    .is_quiet = tunnel_is_quiet,
    .below = tunnel_below,
    .set_write_limits = tunnel_set_write_limits,
    .abort = tunnel_abort,
};

int weft__tunnel_new(struct weft__light *light, weft_stream **ret)
{
    struct weft__tunnel *tunnel = weft__calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return weft__fail_nomem();
    weft__list_init(&tunnel->readers);
    weft__list_init(&tunnel->writers);
    tunnel->read_timeout = WEFT_FOREVER;
    tunnel->write_timeout = WEFT_FOREVER;
    int err = weft_stream_new(&tunnel_ops, tunnel, ret);
    if (err < 0)
        return err;
    tunnel->light = light;
    light->tunnel = tunnel;
    weft__limited_end(&light->conn);
    return 0;
}

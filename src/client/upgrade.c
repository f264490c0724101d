/*
 * upgrade.c - a connection that goes on by another protocol (RFC 9110 7.8, 9.3.6).
 *
 * After a 101 that was asked for, or a 2xx to CONNECT, the connection is the caller's to take:
 * it leaves its slot for good, and the slot is free.  Bytes that came behind the head come first.
 *
 * Over HTTP/2 it is a stream that goes on (RFC 9113 8.5), and an upgrade is a CONNECT that names
 * the protocol (RFC 8441).  Which servers take that is known by their settings alone, so where
 * HTTP/1.1 is on, an upgrade goes by that unless a connection that is there has said so.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/h2_int.h"
#include "proto/host.h"
#include "stream/stream_int.h"

/* ---- asking for it ---- */

static bool is_connect(const struct weft__call *call)
{
    return strcmp(call->method, "CONNECT") == 0;
}

bool weft__upgrade_wanted(const struct weft__call *call)
{
    return call->options->upgrade != NULL || is_connect(call);
}

static bool names_one(const char *protocols)
{
    struct weft__text rest = {protocols, strlen(protocols)};
    struct weft__text one;
    return weft__list_next(&rest, &one) && one.len == strlen(protocols);
}

bool weft__upgrade_needs_h1(const struct weft__call *call)
{
    if (!weft__upgrade_wanted(call))
        return false;
    return call->has_body || (!is_connect(call) && (strcmp(call->method, "GET") != 0 ||
                                                    !names_one(call->options->upgrade)));
}

bool weft__upgrade_names_protocol(const struct weft__call *call)
{
    return call->options->upgrade != NULL && !is_connect(call);
}

int weft__upgrade_check(struct weft__call *call)
{
    const char *target = call->options->target;
    size_t host_len;
    int port = -1;
    if (weft__upgrade_needs_h1(call) && call->client->http == WEFT__HTTP_2)
        return weft__fail(WEFT_ELOCAL_PROTOCOL,
                          "http1 is switched off: only a GET to one protocol, or a CONNECT, both "
                          "without a body, can go on by another protocol over HTTP/2");
    if (!is_connect(call))
        return 0;
    if (target == NULL || !weft__host_port_is_valid(target, strlen(target), &host_len, &port) ||
        host_len == 0 || port < 0)
        return weft__fail(WEFT_ELOCAL_PROTOCOL,
                          "CONNECT is to the proxy of the URL and needs \"host:port\" as target");
    call->settings.follow_redirects = false;
    return 0;
}

int weft__upgrade_set_fields(struct weft__call *call)
{
    const char *protocol = call->options->upgrade;
    if (is_connect(call))
        return weft_headers_set_default(&call->own, "Host", call->options->target);
    if (protocol == NULL)
        return 0;
    int err = weft_headers_set(&call->own, "Connection", "Upgrade");
    return err == 0 ? weft_headers_set(&call->own, "Upgrade", protocol) : err;
}

void weft__upgrade_set_request(const struct weft__call *call, struct weft__h2_request *request)
{
    if (!weft__upgrade_wanted(call))
        return;
    request->method = "CONNECT";
    request->has_body = true;
    request->sized = false;
    if (weft__upgrade_names_protocol(call)) {
        request->protocol = call->options->upgrade;
        return;
    }
    request->scheme = NULL;
    request->authority = call->options->target;
}

/* ---- the answer ---- */

static bool lists(const char *protocols, struct weft__text wanted)
{
    struct weft__text rest = {protocols, strlen(protocols)};
    struct weft__text one;
    while (weft__list_next(&rest, &one)) {
        if (weft__ieq_n(one.data, one.len, wanted.data, wanted.len))
            return true;
    }
    return false;
}

/* The server chooses among what was asked for. */
bool weft__upgrade_is_good(const struct weft__call *call, const struct weft__h1_head *head)
{
    const char *asked = call->options->upgrade;
    const struct weft__h1_field *field = weft__h1_head_find(head, "upgrade");
    struct weft__text one;
    if (asked == NULL || is_connect(call) || !head->upgrade || field == NULL)
        return false;
    struct weft__text rest = {field->value, field->value_len};
    bool any = false;
    while (weft__list_next(&rest, &one)) {
        if (!lists(asked, one))
            return false;
        any = true;
    }
    return any;
}

bool weft__upgrade_is_tunnel(const struct weft__call *call, const struct weft__conn *conn)
{
    bool success = conn->head.status / 100 == 2;
    if (conn->light)
        return success && weft__upgrade_wanted(call);
    return conn->head.status == 101 || (success && is_connect(call));
}

/* ---- the stream ---- */

/* What was read ahead, and then the connection. */
struct rest {
    weft_stream *below;
    char *data;
    size_t len;
    size_t given;
};

static int64_t rest_read(void *self, void *data, size_t len)
{
    struct rest *rest = self;
    if (rest->data == NULL)
        return weft_stream_read(rest->below, data, len);
    int err = weft_checkpoint();
    if (err < 0)
        return err;
    size_t left = rest->len - rest->given;
    size_t n = len < left ? len : left;
    memcpy(data, rest->data + rest->given, n);
    rest->given += n;
    if (rest->given == rest->len) {
        weft__free(rest->data);
        rest->data = NULL;
    }
    return (int64_t)n;
}

static int rest_writev(void *self, const weft_slice *slices, size_t n)
{
    return weft_stream_writev(((struct rest *)self)->below, slices, n);
}

static int rest_flush(void *self)
{
    return weft_stream_flush(((struct rest *)self)->below);
}

static int rest_write_eof(void *self)
{
    return weft_stream_write_eof(((struct rest *)self)->below);
}

static void rest_set_timeout(void *self, int64_t read, int64_t write)
{
    weft_stream_set_timeout(((struct rest *)self)->below, read, write);
}

static int rest_close(void *self)
{
    return weft_stream_close(((struct rest *)self)->below);
}

static void rest_free(void *self)
{
    struct rest *rest = self;
    weft_stream_free(rest->below);
    weft__free(rest->data);
    weft__free(rest);
}

static int rest_is_quiet(void *self)
{
    const struct rest *rest = self;
    return rest->data == NULL ? weft__stream_is_quiet(rest->below) : 0;
}

static weft_stream *rest_below(void *self)
{
    return ((struct rest *)self)->below;
}

static const weft_stream_ops rest_ops = {
    .size = sizeof rest_ops,
    .name = "upgraded",
    .read = rest_read,
    .writev = rest_writev,
    .flush = rest_flush,
    .write_eof = rest_write_eof,
    .set_timeout = rest_set_timeout,
    .close = rest_close,
    .free = rest_free,
    .is_quiet = rest_is_quiet,
    .below = rest_below,
};

/* The connection stays where it is until nothing can fail any more. */
static int make_stream(const struct weft__conn *conn, weft_stream **ret)
{
    size_t len = weft__conn_available(conn);
    if (len == 0) {
        *ret = conn->stream;
        return 0;
    }
    struct rest *rest = weft__calloc(1, sizeof *rest);
    if (rest == NULL)
        return weft__fail_nomem();
    rest->data = weft__alloc(len);
    if (rest->data == NULL) {
        weft__free(rest);
        return weft__fail_nomem();
    }
    memcpy(rest->data, weft__conn_bytes(conn), len);
    rest->len = len;
    int err = weft_stream_new(&rest_ops, rest, ret);
    if (err == 0)
        rest->below = conn->stream;
    return err;
}

/* The slot is free. */
static int take_connection(struct weft__conn *conn, weft_stream **ret)
{
    int err = make_stream(conn, ret);
    if (err < 0)
        return err;
    weft_stream_set_timeout(*ret, WEFT_FOREVER, WEFT_FOREVER);
    conn->stream = NULL;
    weft__conn_info_unref(conn->info);
    conn->info = NULL;
    weft__pool_drop(conn);
    return 0;
}

int weft_response_take_stream(weft_response *response, weft_stream **ret)
{
    struct weft__conn *conn = response->conn;
    weft_stream *stream;
    if (!response->tunnel)
        return weft__fail(-EINVAL, "the response has not given its connection away: status %d",
                          response->status);
    if (conn == NULL || (conn->stream == NULL && !conn->light))
        return weft__fail(WEFT_ECLOSED, "the connection of the response was closed or taken");
    int err = conn->light ? weft__tunnel_new(weft__light_of(conn), &stream)
                          : take_connection(conn, &stream);
    if (err < 0)
        return err;
    response->conn = NULL;
    response->elapsed = weft_now() - response->started;
    *ret = stream;
    return 0;
}

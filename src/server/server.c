/*
 * server.c - options, listening, serving, stopping.
 *
 * Accepting, TLS and the order of the end are an acceptor's (weft/serve.h), which has a task for
 * each connection.  Connections that wait for a request have a scope of their own: a stop ends
 * them at once, the busy ones when the grace is over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error_int.h"
#include "server/server_int.h"

/* Connection structs that are kept for the next connection. */
enum { SPARES = 64 };

static int64_t time_or(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int take_options(weft_server *server, const weft_server_options *options)
{
    weft_server_options *own = &server->options;
    if (options != NULL) {
        if (options->size == 0)
            return weft__fail(-EINVAL, "server options: size is not set, use WEFT_SERVER()");
        memcpy(own, options, options->size < sizeof *own ? options->size : sizeof *own);
    }
    if (own->unix_path != NULL && (own->host != NULL || own->port != 0))
        return weft__fail(-EINVAL, "server options: unix_path together with host or port");
    if (own->max_connections == 0)
        own->max_connections = WEFT__LIMIT_SERVER_CONNECTIONS;
    if (own->body_max == 0)
        own->body_max = WEFT__LIMIT_SERVER_BODY;
    if (own->head_max == 0)
        own->head_max = WEFT__LIMIT_H1_REQUEST_HEAD;
    if (own->fields_max == 0)
        own->fields_max = WEFT__LIMIT_H1_REQUEST_FIELDS;
    own->head_timeout = time_or(own->head_timeout, WEFT_SEC(10));
    own->body_timeout = time_or(own->body_timeout, WEFT_SEC(30));
    own->write_timeout = time_or(own->write_timeout, WEFT_SEC(30));
    own->idle_timeout = time_or(own->idle_timeout, WEFT_SEC(60));
    server->limits = weft__h1_request_limits;
    server->limits.head = own->head_max;
    server->limits.fields = own->fields_max;
    return 0;
}

static int serve_conn(weft_stream *stream, void *arg);

int weft_server_new(const weft_server_options *options, weft_server **ret)
{
    weft_server *server = weft__calloc(1, sizeof *server);
    if (server == NULL)
        return weft__fail_nomem();
    weft__list_init(&server->conns);
    weft__list_init(&server->spares);
    server->date_second = -1;
    int err = take_options(server, options);
    if (err >= 0)
        err = weft_acceptor_new(serve_conn, server,
                                WEFT_SERVE(.max_connections = server->options.max_connections,
                                           .tls = server->options.tls,
                                           .handshake_timeout = server->options.head_timeout),
                                &server->acceptor);
    if (err >= 0 && server->options.unix_path != NULL) {
        server->unix_path = weft__strdup(server->options.unix_path);
        err = server->unix_path != NULL ? 0 : weft__fail_nomem();
    } else if (err >= 0) {
        server->host =
            weft__strdup(server->options.host != NULL ? server->options.host : "127.0.0.1");
        err = server->host != NULL ? 0 : weft__fail_nomem();
    }
    server->options.host = server->host;
    server->options.unix_path = server->unix_path;
    if (err < 0) {
        weft_server_free(server);
        return err;
    }
    *ret = server;
    return 0;
}

static void free_spares(weft_server *server)
{
    struct weft__list *node;
    weft__static_free_pieces(server);
    while ((node = weft__list_pop_front(&server->spares)) != NULL)
        weft__server_conn_free(WEFT__CONTAINER(node, struct weft__server_conn, node));
    server->n_spares = 0;
}

void weft_server_free(weft_server *server)
{
    if (server == NULL)
        return;
    weft_acceptor_free(server->acceptor);
    free_spares(server);
    weft__routes_free(server->routes);
    weft__free(server->host);
    weft__free(server->unix_path);
    weft__free(server);
}

int weft_server_route(weft_server *server, const char *method, const char *pattern,
                      weft_handler handler, void *arg)
{
    if (pattern == NULL || handler == NULL)
        return weft__fail(-EINVAL, "a route needs a pattern and a handler");
    return weft__routes_add(&server->routes, method, pattern, handler, arg, NULL);
}

int weft_server_static(weft_server *server, const char *prefix, const char *folder)
{
    if (prefix == NULL || folder == NULL)
        return weft__fail(-EINVAL, "static files need a prefix and a folder");
    return weft__static_add(server, prefix, folder);
}

int weft_server_listen(weft_server *server)
{
    const weft_server_options *options = &server->options;
    weft_listener *listener;
    if (server->listening)
        return weft__fail(-EALREADY, "the server listens already");
    const weft_listen_options *listen = WEFT_LISTEN(.reuse_port = options->reuse_port);
    int err = server->unix_path != NULL
                  ? weft_listen_unix(server->unix_path, listen, &listener)
                  : weft_listen(server->host, options->port, listen, &listener);
    if (err < 0)
        return err;
    uint16_t port = server->unix_path != NULL ? 0 : weft_listener_port(listener);
    err = weft_acceptor_add(server->acceptor, listener);
    if (err < 0)
        return err;
    server->port = port;
    server->listening = true;
    server->stopping = false;
    return 0;
}

uint16_t weft_server_port(const weft_server *server)
{
    return server->port;
}

size_t weft_server_connections(const weft_server *server)
{
    /* Those in a handshake are the acceptor's alone, streams of a caller are not the acceptor's. */
    size_t accepted = weft_acceptor_connections(server->acceptor);
    return accepted > server->n_conns ? accepted : server->n_conns;
}

const char *weft__server_date(weft_server *server)
{
    int64_t now = weft__clock_wall();
    if (now != server->date_second) {
        weft__date_format(now, server->date);
        server->date_second = now;
    }
    return server->date;
}

/* ---- connections ---- */

static int take_conn(weft_server *server, weft_stream *stream, struct weft__server_conn **ret)
{
    struct weft__list *node = weft__list_pop_front(&server->spares);
    struct weft__server_conn *conn;
    if (node != NULL) {
        conn = WEFT__CONTAINER(node, struct weft__server_conn, node);
        server->n_spares--;
    } else {
        int err = weft__server_conn_new(server, &conn);
        if (err < 0)
            return err;
    }
    conn->stream = stream;
    weft__list_push_back(&server->conns, &conn->node);
    server->n_conns++;
    *ret = conn;
    return 0;
}

static void give_conn(struct weft__server_conn *conn)
{
    weft_server *server = conn->server;
    weft__list_remove(&conn->node);
    server->n_conns--;
    conn->stream = NULL;
    if (server->n_spares == SPARES) {
        weft__server_conn_free(conn);
        return;
    }
    weft__server_conn_recycle(conn);
    weft__list_push_front(&server->spares, &conn->node);
    server->n_spares++;
}

/* The stream is the caller's. */
static int serve_stream(weft_server *server, weft_stream *stream)
{
    struct weft__server_conn *conn;
    int err = take_conn(server, stream, &conn);
    if (err < 0)
        return err;
    err = weft__server_h1_serve(conn);
    give_conn(conn);
    return err;
}

int weft__server_serve_stream(weft_server *server, weft_stream *stream)
{
    int err = serve_stream(server, stream);
    if (err == 0)
        weft_stream_close(stream);
    weft_stream_free(stream);
    return err == -ENOMEM ? err : 0;
}

int weft_server_serve_stream(weft_stream *stream, void *server)
{
    return serve_stream(server, stream);
}

/* A weft_serve_fn. */
static int serve_conn(weft_stream *stream, void *arg)
{
    weft_server *server = arg;
    const char *protocol = server->options.tls != NULL ? weft_tls_alpn(stream) : NULL;
    if (protocol != NULL && strcmp(protocol, "http/1.1") != 0)
        return weft__fail(-EPROTONOSUPPORT, "the TLS settings of the server agreed on \"%.32s\"",
                          protocol);
    return serve_stream(server, stream);
}

/* ---- serving ---- */

int weft_server_serve(weft_server *server)
{
    if (server->serving)
        return weft__fail(-EALREADY, "the server serves already");
    int err = server->listening ? 0 : weft_server_listen(server);
    if (err < 0)
        return err;
    server->serving = true;
    err = weft_acceptor_run(server->acceptor);
    server->serving = false;
    server->listening = false;
    free_spares(server);
    return err;
}

void weft_server_stop(weft_server *server, int64_t grace)
{
    server->stopping = true;
    struct weft__list *next;
    for (struct weft__list *node = server->conns.next; node != &server->conns; node = next) {
        struct weft__server_conn *conn = WEFT__CONTAINER(node, struct weft__server_conn, node);
        next = node->next;
        if (conn->idle)
            weft_scope_cancel(&conn->idle_scope, "the server is stopped");
    }
    if (server->listening)
        weft_acceptor_stop(server->acceptor, grace);
}

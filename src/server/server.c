/*
 * server.c - options, listening, accepting, stopping.
 *
 * serve() owns a group with one task for each connection.  Two scopes lie around its parts:
 * accepting_scope is cancelled by a stop, serving_scope gets the grace as its deadline then
 * and ends the connections that are still busy.  Idle ones have a scope of their own and are
 * ended at once.
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
/* Accepting pauses when descriptors or memory are short: there will be some when others end. */
#define ACCEPT_PAUSE WEFT_MS(100)

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
        err = weft_semaphore_new(server->options.max_connections, &server->slots);
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
    weft_listener_close(server->listener);
    free_spares(server);
    weft__routes_free(server->routes);
    weft_semaphore_free(server->slots);
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
    if (server->listener != NULL)
        return weft__fail(-EALREADY, "the server listens already");
    const weft_listen_options *listen = WEFT_LISTEN(.reuse_port = options->reuse_port);
    int err = server->unix_path != NULL
                  ? weft_listen_unix(server->unix_path, listen, &server->listener)
                  : weft_listen(server->host, options->port, listen, &server->listener);
    if (err < 0)
        return err;
    server->port = server->unix_path != NULL ? 0 : weft_listener_port(server->listener);
    server->stopping = false;
    return 0;
}

uint16_t weft_server_port(const weft_server *server)
{
    return server->port;
}

size_t weft_server_connections(const weft_server *server)
{
    return server->n_conns;
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
    if (server->n_spares == SPARES) {
        weft__server_conn_free(conn);
        return;
    }
    weft__server_conn_recycle(conn);
    weft__list_push_front(&server->spares, &conn->node);
    server->n_spares++;
}

/* The TLS handshake, in the time that a head has; where it fails no stream is left. */
static int shake_hands(struct weft__server_conn *conn)
{
    weft_stream *secure = NULL;
    weft_scope_enter(&conn->idle_scope, conn->server->options.head_timeout);
    conn->idle = true;
    int err = weft_tls_accept(conn->server->options.tls, conn->stream, &secure);
    conn->idle = false;
    err = weft_scope_exit(&conn->idle_scope, err);
    conn->stream = secure;
    if (secure == NULL)
        return err < 0 ? err : -ECANCELED;
    const char *protocol = weft_tls_alpn(secure);
    if (protocol == NULL || strcmp(protocol, "http/1.1") == 0)
        return 0;
    err = weft__fail(-EPROTONOSUPPORT, "the TLS settings of the server agreed on \"%.32s\"",
                     protocol);
    weft_stream_free(secure);
    return err;
}

static int conn_task(void *arg)
{
    struct weft__server_conn *conn = arg;
    weft_server *server = conn->server;
    if (server->options.tls == NULL || shake_hands(conn) >= 0)
        weft__server_h1_serve(conn);
    give_conn(conn);
    weft_semaphore_release(server->slots);
    return 0;
}

int weft__server_serve_stream(weft_server *server, weft_stream *stream)
{
    struct weft__server_conn *conn;
    int err = take_conn(server, stream, &conn);
    if (err < 0) {
        weft_stream_free(stream);
        return err;
    }
    weft__server_h1_serve(conn);
    give_conn(conn);
    return 0;
}

/* ---- accepting ---- */

static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM || err == -EAGAIN;
}

/* Errors of one connection that accept reports in passing, see accept(2). */
static bool is_passing(int err)
{
    return err == -ECONNABORTED || err == -EPROTO || err == -EPERM || err == -ENETDOWN ||
           err == -ENOPROTOOPT || err == -EHOSTDOWN || err == -ENONET || err == -EHOSTUNREACH ||
           err == -EOPNOTSUPP || err == -ENETUNREACH || err == -EINTR;
}

static int start_conn(weft_server *server, weft_group *group, weft_stream *stream)
{
    char name[WEFT_ADDRESS_TEXT_MAX + 8] = "conn ";
    weft_address peer;
    struct weft__server_conn *conn;
    if (weft_stream_peer_address(stream, &peer) >= 0)
        weft_address_format(&peer, name + 5, sizeof name - 5);
    int err = take_conn(server, stream, &conn);
    if (err < 0) {
        weft_stream_free(stream);
        return err;
    }
    err = weft_group_spawn_with(group, conn_task, conn, WEFT_SPAWN(.name = name));
    if (err < 0) {
        give_conn(conn);
        weft_stream_free(stream);
    }
    return err;
}

/* Accepts until the task is cancelled: the error that ended it. */
static int accept_all(weft_server *server, weft_group *group)
{
    for (;;) {
        int err = weft_semaphore_acquire(server->slots);
        if (err < 0)
            return err;
        weft_stream *stream;
        err = weft_listener_accept(server->listener, &stream);
        if (err >= 0)
            err = start_conn(server, group, stream);
        if (err >= 0)
            continue;
        weft_semaphore_release(server->slots);
        if (is_shortage(err))
            err = weft_sleep(ACCEPT_PAUSE);
        if (err < 0 && !is_passing(err))
            return err;
    }
}

static int accept_until_stopped(weft_server *server, weft_group *group)
{
    weft_scope_enter(&server->accepting_scope, WEFT_FOREVER);
    server->accepting = true;
    int err = accept_all(server, group);
    server->accepting = false;
    err = weft_scope_exit(&server->accepting_scope, err);
    weft_listener_close(server->listener);
    server->listener = NULL;
    return err;
}

int weft_server_serve(weft_server *server)
{
    weft_group group;
    if (server->serving)
        return weft__fail(-EALREADY, "the server serves already");
    if (server->stopping && server->listener != NULL) {
        weft_listener_close(server->listener);
        server->listener = NULL;
        return 0;
    }
    int err = server->listener == NULL ? weft_server_listen(server) : 0;
    if (err < 0)
        return err;
    server->serving = true;
    weft_scope_enter(&server->serving_scope, WEFT_FOREVER);
    err = weft_group_init(&group, WEFT_GROUP(.name = "server", .collect = true));
    if (err >= 0) {
        err = accept_until_stopped(server, &group);
        if (err < 0)
            weft_group_cancel(&group, "the server ends");
        int joined = weft_group_wait(&group);
        err = err < 0 ? weft__fail_code(err) : joined;
    }
    err = weft_scope_exit(&server->serving_scope, err);
    server->serving = false;
    free_spares(server);
    return err == -ETIMEDOUT && server->stopping ? 0 : err;
}

void weft_server_stop(weft_server *server, int64_t grace)
{
    server->stopping = true;
    if (!server->serving)
        return;
    if (server->accepting)
        weft_scope_cancel(&server->accepting_scope, "the server is stopped");
    struct weft__list *next;
    for (struct weft__list *node = server->conns.next; node != &server->conns; node = next) {
        struct weft__server_conn *conn = WEFT__CONTAINER(node, struct weft__server_conn, node);
        next = node->next;
        if (conn->idle)
            weft_scope_cancel(&conn->idle_scope, "the server is stopped");
    }
    weft_scope_set_timeout(&server->serving_scope, grace);
}

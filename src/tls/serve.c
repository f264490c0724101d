/*
 * serve.c - a task for each connection of some listeners, plain or by TLS.
 *
 * run() owns two groups: one of a task that accepts for each listener, and one of the
 * connections.  A stop cancels the scope around the first and gives the scope around all its
 * grace as the deadline.  The handshake is the connection's own task's: a slow client keeps
 * nobody waiting.
 */
#include <errno.h>
#include <string.h>

#include <weft/serve.h>
#include <weft/sync.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "net/net_int.h"
#include "tls/tls_int.h"

#define HANDSHAKE_TIMEOUT WEFT_SEC(60)
#define PAUSE             WEFT_MS(100)

struct weft_acceptor {
    weft_serve_fn handler;
    void *arg;
    weft_serve_options options;
    weft_listener **listeners;
    size_t n_listeners;
    weft_semaphore *slots;
    struct weft__list conns;
    size_t n_conns;
    weft_group group; /* of the connections */
    weft_scope serving;
    weft_scope accepting;
    bool running;
    bool in_accepting; /* the scope is entered */
    bool stopping;
};

struct conn {
    struct weft__list node;
    weft_acceptor *acceptor;
    weft_stream *stream;   /* NULL during the handshake */
    weft_scope *handshake; /* NULL outside it */
    char peer[WEFT_ADDRESS_TEXT_MAX];
};

struct accepter {
    weft_acceptor *acceptor;
    weft_listener *listener;
};

static void tell(const weft_acceptor *acceptor, weft_serve_phase phase, const char *peer, int err)
{
    const weft_serve_failure failure = {phase, err, weft_error_message(), peer};
    if (acceptor->options.on_failure != NULL)
        acceptor->options.on_failure(&failure, acceptor->options.on_failure_arg);
}

/* ---- one connection ---- */

static int shake_hands(struct conn *conn)
{
    const weft_serve_options *options = &conn->acceptor->options;
    weft_stream *below = conn->stream;
    weft_stream *secure = NULL;
    weft_scope scope;
    conn->stream = NULL;
    weft_scope_enter(&scope, options->handshake_timeout);
    conn->handshake = &scope;
    int err = weft_tls_accept(options->tls, below, &secure);
    conn->handshake = NULL;
    err = weft_scope_exit(&scope, err);
    conn->stream = secure;
    if (secure != NULL)
        return 0;
    /* The scope takes its own cancellation for no error. */
    return err < 0 ? err : -ECANCELED;
}

static void conn_end(struct conn *conn)
{
    weft_acceptor *acceptor = conn->acceptor;
    weft_stream_free(conn->stream);
    weft__list_remove(&conn->node);
    acceptor->n_conns--;
    weft__free(conn);
    weft_semaphore_release(acceptor->slots);
}

static int conn_task(void *arg)
{
    struct conn *conn = arg;
    weft_acceptor *acceptor = conn->acceptor;
    weft_serve_phase phase = WEFT_SERVE_HANDSHAKE;
    int err = acceptor->options.tls != NULL ? shake_hands(conn) : 0;
    if (err == 0) {
        phase = WEFT_SERVE_HANDLER;
        err = acceptor->handler(conn->stream, acceptor->arg);
    }
    if (err < 0 && err != -ECANCELED)
        tell(acceptor, phase, conn->peer, err);
    if (err >= 0)
        weft_stream_close(conn->stream);
    conn_end(conn);
    return 0;
}

/* Takes the stream, and on success the slot. */
static int start_conn(weft_acceptor *acceptor, weft_stream *stream)
{
    weft_address peer;
    struct conn *conn = weft__calloc(1, sizeof *conn);
    if (conn == NULL) {
        weft_stream_free(stream);
        return weft__fail_nomem();
    }
    conn->acceptor = acceptor;
    conn->stream = stream;
    if (weft_stream_peer_address(stream, &peer) == 0)
        weft_address_format(&peer, conn->peer, sizeof conn->peer);
    weft__list_push_back(&acceptor->conns, &conn->node);
    acceptor->n_conns++;
    int err =
        weft_group_spawn_with(&acceptor->group, conn_task, conn, WEFT_SPAWN(.name = conn->peer));
    if (err < 0) {
        weft_stream_free(stream);
        weft__list_remove(&conn->node);
        acceptor->n_conns--;
        weft__free(conn);
    }
    return err;
}

/* ---- accepting ---- */

static void no_room(void *arg, int err)
{
    weft__fail_with(err, "accept");
    tell(arg, WEFT_SERVE_ACCEPT, "", err);
}

/*
 * A connection and a slot for it.  While there is no slot connections wait in the kernel; but of
 * several listeners one to which nobody comes must not keep a slot from the others.
 */
static int accept_one(const struct accepter *accepter, weft_stream **ret)
{
    weft_acceptor *acceptor = accepter->acceptor;
    bool several = acceptor->n_listeners > 1;
    int err = several ? 0 : weft_semaphore_acquire(acceptor->slots);
    if (err < 0)
        return err;
    err = weft_listener_accept(accepter->listener, ret);
    if (err < 0 && !several)
        weft_semaphore_release(acceptor->slots);
    if (err < 0 || !several)
        return err;
    err = weft_semaphore_acquire(acceptor->slots);
    if (err < 0)
        weft_stream_free(*ret);
    return err;
}

static int accept_task(void *arg)
{
    const struct accepter *accepter = arg;
    weft_acceptor *acceptor = accepter->acceptor;
    for (;;) {
        weft_stream *stream;
        int err = accept_one(accepter, &stream);
        if (err == 0) {
            err = start_conn(acceptor, stream);
            if (err == 0)
                continue;
            weft_semaphore_release(acceptor->slots);
        }
        if (err != -ENOMEM)
            return err;
        no_room(acceptor, err);
        err = weft_sleep(PAUSE);
        if (err < 0)
            return err;
    }
}

static int accept_all(weft_acceptor *acceptor)
{
    weft_group group;
    struct accepter *accepters = weft__calloc(acceptor->n_listeners, sizeof *accepters);
    if (accepters == NULL)
        return weft__fail_nomem();
    int err = weft_group_init(&group, WEFT_GROUP(.name = "accept"));
    for (size_t i = 0; i < acceptor->n_listeners && err == 0; i++) {
        accepters[i] = (struct accepter){acceptor, acceptor->listeners[i]};
        weft__listener_on_shortage(acceptor->listeners[i], no_room, acceptor);
        err =
            weft_group_spawn_with(&group, accept_task, &accepters[i], WEFT_SPAWN(.name = "accept"));
        if (err < 0)
            weft_group_cancel(&group, "the acceptor could not start");
    }
    int joined = weft_group_wait(&group);
    weft__free(accepters);
    return err < 0 ? weft__fail_code(err) : joined;
}

static void close_listeners(weft_acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->n_listeners; i++)
        weft_listener_close(acceptor->listeners[i]);
    acceptor->n_listeners = 0;
}

static int accept_until_stopped(weft_acceptor *acceptor)
{
    weft_scope_enter(&acceptor->accepting, WEFT_FOREVER);
    acceptor->in_accepting = true;
    int err = accept_all(acceptor);
    acceptor->in_accepting = false;
    err = weft_scope_exit(&acceptor->accepting, err);
    close_listeners(acceptor);
    return err;
}

int weft_acceptor_run(weft_acceptor *acceptor)
{
    if (acceptor->running)
        return weft__fail(-EALREADY, "the acceptor runs already");
    if (acceptor->n_listeners == 0)
        return weft__fail(-EINVAL, "the acceptor has no listener");
    if (acceptor->stopping) {
        close_listeners(acceptor);
        acceptor->stopping = false;
        return 0;
    }
    acceptor->running = true;
    weft_scope_enter(&acceptor->serving, WEFT_FOREVER);
    int err = weft_group_init(&acceptor->group, WEFT_GROUP(.name = "serve", .collect = true));
    if (err == 0) {
        err = accept_until_stopped(acceptor);
        if (err < 0)
            weft_group_cancel(&acceptor->group, "the acceptor ends");
        struct weft__context failure = {0};
        weft__error_move(&failure, weft__context_get());
        int joined = weft_group_wait(&acceptor->group);
        if (err < 0)
            weft__error_move(weft__context_get(), &failure);
        weft__error_done(&failure);
        err = err < 0 ? err : joined;
    }
    err = weft_scope_exit(&acceptor->serving, err);
    bool stopped = acceptor->stopping;
    acceptor->running = false;
    acceptor->stopping = false;
    close_listeners(acceptor);
    return stopped && err == -ETIMEDOUT ? 0 : err;
}

void weft_acceptor_stop(weft_acceptor *acceptor, int64_t grace)
{
    acceptor->stopping = true;
    if (!acceptor->running)
        return;
    if (acceptor->in_accepting)
        weft_scope_cancel(&acceptor->accepting, "the acceptor is stopped");
    for (struct weft__list *node = acceptor->conns.next; node != &acceptor->conns;
         node = node->next) {
        const struct conn *conn = WEFT__CONTAINER(node, struct conn, node);
        if (conn->handshake != NULL)
            weft_scope_cancel(conn->handshake, "the acceptor is stopped");
    }
    weft_scope_set_timeout(&acceptor->serving, grace);
}

void weft_acceptor_abort(weft_acceptor *acceptor)
{
    for (struct weft__list *node = acceptor->conns.next; node != &acceptor->conns;
         node = node->next)
        weft_stream_abort(WEFT__CONTAINER(node, struct conn, node)->stream);
    weft_acceptor_stop(acceptor, 0);
}

/* ---- making one ---- */

int weft_acceptor_new(weft_serve_fn handler, void *arg, const weft_serve_options *options,
                      weft_acceptor **ret)
{
    if (handler == NULL)
        return weft__fail(-EINVAL, "an acceptor without a handler");
    weft_acceptor *acceptor = weft__calloc(1, sizeof *acceptor);
    if (acceptor == NULL)
        return weft__fail_nomem();
    weft_serve_options *own = &acceptor->options;
    if (options != NULL)
        memcpy(own, options, options->size < sizeof *own ? options->size : sizeof *own);
    if (own->max_connections == 0)
        own->max_connections = WEFT__LIMIT_SERVER_CONNECTIONS;
    if (own->handshake_timeout <= 0)
        own->handshake_timeout = HANDSHAKE_TIMEOUT;
    weft__list_init(&acceptor->conns);
    acceptor->handler = handler;
    acceptor->arg = arg;
    int err = weft_semaphore_new(own->max_connections, &acceptor->slots);
    if (err == 0 && own->tls != NULL && !own->tls->server)
        err = weft__fail(-EINVAL, "an acceptor with the TLS settings of a client");
    if (err < 0) {
        weft_acceptor_free(acceptor);
        return err;
    }
    *ret = acceptor;
    return 0;
}

int weft_acceptor_add(weft_acceptor *acceptor, weft_listener *listener)
{
    int err = 0;
    weft_listener **listeners = NULL;
    if (listener == NULL)
        return weft__fail(-EINVAL, "an acceptor was given no listener");
    if (acceptor->running)
        err = weft__fail(-EALREADY, "the acceptor runs already");
    if (err == 0) {
        size_t n = acceptor->n_listeners + 1;
        listeners = weft__realloc(acceptor->listeners, n * sizeof(weft_listener *));
        err = listeners != NULL ? 0 : weft__fail_nomem();
    }
    if (err < 0) {
        weft_listener_close(listener);
        return err;
    }
    acceptor->listeners = listeners;
    acceptor->listeners[acceptor->n_listeners++] = listener;
    return 0;
}

size_t weft_acceptor_connections(const weft_acceptor *acceptor)
{
    return acceptor->n_conns;
}

void weft_acceptor_free(weft_acceptor *acceptor)
{
    if (acceptor == NULL)
        return;
    close_listeners(acceptor);
    weft__free(acceptor->listeners);
    weft_semaphore_free(acceptor->slots);
    weft__free(acceptor);
}

int weft_serve(weft_listener *listener, weft_serve_fn handler, void *arg,
               const weft_serve_options *options)
{
    weft_acceptor *acceptor;
    int err = weft_acceptor_new(handler, arg, options, &acceptor);
    if (err < 0) {
        weft_listener_close(listener);
        return err;
    }
    err = weft_acceptor_add(acceptor, listener);
    if (err == 0)
        err = weft_acceptor_run(acceptor);
    weft_acceptor_free(acceptor);
    return err;
}

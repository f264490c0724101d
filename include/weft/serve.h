/*
 * weft/serve.h - serving connections: a task for each, limits, an orderly end.
 */
#ifndef WEFT_SERVE_H
#define WEFT_SERVE_H

#include <weft/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_acceptor weft_acceptor;

/*
 * Serves one connection; runs in a task of its own.  stream is lent: it is closed and freed
 * after the return.  A negative result is reported and ends this connection only.
 */
typedef int (*weft_serve_fn)(weft_stream *stream, void *arg);

/* What went wrong while serving. */
typedef enum weft_serve_phase {
    WEFT_SERVE_ACCEPT = 1,    /* no descriptor or memory; tried again soon */
    WEFT_SERVE_HANDSHAKE = 2, /* TLS with this client */
    WEFT_SERVE_HANDLER = 3    /* the handler returned an error */
} weft_serve_phase;

typedef struct weft_serve_failure {
    weft_serve_phase phase;
    int err;
    const char *message; /* lent */
    const char *peer;    /* lent: "192.0.2.1:4711"; "" while accepting */
} weft_serve_failure;

typedef struct weft_serve_options {
    size_t size;
    size_t max_connections;    /* served at once, the others wait in the kernel, but for one of
                                  each listener where there are several; default 1024 */
    weft_tls *tls;             /* borrowed until weft_acceptor_free: connections are by TLS */
    int64_t handshake_timeout; /* of TLS; default 60 s */
    /* Told of what goes wrong; must not suspend. Default: nobody is told. */
    void (*on_failure)(const weft_serve_failure *failure, void *arg);
    void *on_failure_arg;
} weft_serve_options;
#define WEFT_SERVE(...) WEFT_OPTIONS(weft_serve_options, __VA_ARGS__)

/**
 * weft_acceptor_new() - make what serves the connections of listeners
 * @handler: keeps until weft_acceptor_free: called for each connection.
 * @arg:     keeps: what handler gets.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_acceptor_free.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no handler, or the TLS settings of a client; -ENOMEM.
 * Source:   asyncio.start_server(start_serving=False).
 * Since:    0.1
 */
WEFT_API int weft_acceptor_new(weft_serve_fn handler, void *arg, const weft_serve_options *options,
                               weft_acceptor **ret);

/**
 * weft_acceptor_add() - let an acceptor serve one more listener
 * @acceptor: borrows. Not while it runs.
 * @listener: takes, on failure too. Its port is known already: clients may connect.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EALREADY it runs; -EINVAL no listener; -ENOMEM.
 * Source:   trio.serve_listeners(listeners=).
 * Since:    0.1
 */
WEFT_API int weft_acceptor_add(weft_acceptor *acceptor, weft_listener *listener);

/**
 * weft_acceptor_run() - serve until stopped or cancelled
 * @acceptor: borrows.
 *
 * The end is that of weft_acceptor_stop: no new connections, then the handlers have the grace
 * to end by themselves, then they are cancelled; all have ended when it returns.  Cancelled, it
 * cancels them at once.  Either way its listeners are closed.
 *
 * Suspends: yes.
 * Cancel:   as said.
 * Return:   0 when it was stopped, or negative.
 * Errors:   -EALREADY it runs; -EINVAL it has no listener; what accepting found wrong for good.
 * Source:   asyncio.Server.serve_forever, trio.serve_listeners.
 * Since:    0.1
 */
WEFT_API int weft_acceptor_run(weft_acceptor *acceptor);

/**
 * weft_acceptor_stop() - end weft_acceptor_run in order
 * @acceptor: borrows. By any task of its loop.
 * @grace:    nanoseconds for the handlers that run; 0: they are cancelled at once.
 *
 * TLS handshakes that are under way end at once.
 *
 * Suspends: never.
 * Source:   asyncio.Server.close with wait_closed, close_clients.
 * Since:    0.1
 */
WEFT_API void weft_acceptor_stop(weft_acceptor *acceptor, int64_t grace);

/**
 * weft_acceptor_abort() - end weft_acceptor_run and cut its connections off
 * @acceptor: borrows.
 *
 * What is unsent is dropped; the peers see a reset.
 *
 * Suspends: never.
 * Source:   asyncio.Server.abort_clients.
 * Since:    0.1
 */
WEFT_API void weft_acceptor_abort(weft_acceptor *acceptor);

/**
 * weft_acceptor_connections() - how many connections are being served
 * @acceptor: borrows.
 *
 * Suspends: never.
 * Return:   their number, those in a TLS handshake included.
 * Source:   asyncio.Server._active_count.
 * Since:    0.1
 */
WEFT_API size_t weft_acceptor_connections(const weft_acceptor *acceptor);

/**
 * weft_acceptor_free() - release an acceptor
 * @acceptor: takes. NULL is allowed. Not while it runs.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_acceptor_free(weft_acceptor *acceptor);

/**
 * weft_serve() - serve the connections of one listener until cancelled
 * @listener: takes, on failure too.
 * @handler:  borrows: called for each connection, in a task of its own.
 * @arg:      borrows: what handler gets.
 * @options:  borrows. NULL: all defaults.
 *
 * Suspends: yes.
 * Cancel:   the handlers are cancelled and have ended when it returns.
 * Return:   negative.
 * Errors:   -ECANCELED; those of weft_acceptor_new and weft_acceptor_run.
 * Source:   asyncio.start_server, trio.serve_tcp, trio.serve_ssl_over_tcp.
 * Since:    0.1
 */
WEFT_API int weft_serve(weft_listener *listener, weft_serve_fn handler, void *arg,
                        const weft_serve_options *options);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_acceptor, weft_acceptor_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

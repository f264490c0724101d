/*
 * weft/transport.h - what a client's connections are made of, and which goes where.
 *
 * By default a client connects by DNS, TCP and TLS, through the proxy that the options or the
 * environment name.  A transport takes the place of all that: a function that gives a stream to
 * speak HTTP over, or a handler in memory (weft/mock.h).  Mounts choose by the URL.
 *
 *     weft_client_new(WEFT_CLIENT(.mounts = (weft_mount[]){
 *                                     {.pattern = "http://intranet", .proxy = ""},
 *                                     {.pattern = "https://api.example.com", .transport = mock},
 *                                     {.pattern = "http://", .proxy = "http://proxy:3128"},
 *                                     {0}}), &client);
 */
#ifndef WEFT_TRANSPORT_H
#define WEFT_TRANSPORT_H

#include <weft/base.h>
#include <weft/group.h>
#include <weft/http.h>
#include <weft/serve.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_transport weft_transport;

/*
 * A rule of a client: what requests to some URLs go through.
 *
 * pattern is "scheme://host:port"; scheme "all" and a host that is left out or "*" mean any,
 * "*.example.com" means all names below example.com, "*example.com" that name too.  The most
 * specific rule counts: one with a port before one without, a longer host before a shorter, a
 * scheme before "all".  Without transport and proxy, requests go there directly.
 */
typedef struct weft_mount {
    const char *pattern;            /* copies */
    weft_transport *transport;      /* keeps, by a reference of its own; or */
    const char *proxy;              /* copies. As .proxy of the client; NULL or "": none */
    const weft_pair *proxy_headers; /* copies. For this proxy alone; ends with {0} */
} weft_mount;

/**
 * weft_transport_new() - a transport made of a function
 * @dial:     keeps until the transport is freed. Gives a stream to the origin of url, connected
 *            and, for https, encrypted as it likes; it runs in the calling task, within the
 *            connect time-out, and may suspend. Negative: the request fails with it.
 * @userdata: keeps until the transport is freed; given to dial.
 * @ret:      gives, free with weft_transport_free().
 *
 * A client that several threads use calls dial on each of them.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL without dial; -ENOMEM.
 * Source:   httpx.BaseTransport, httpx.AsyncBaseTransport.
 * Since:    0.1
 */
WEFT_API int weft_transport_new(int (*dial)(void *userdata, const weft_url *url, weft_stream **ret),
                                void *userdata, weft_transport **ret);

/**
 * weft_transport_serve() - a transport to a server in the process
 * @group: keeps until the transport is freed: each connection is a task of it.
 * @serve: keeps until the transport is freed. Serves a connection, as for weft_serve().
 * @arg:   keeps until the transport is freed; given to serve.
 * @ret:   gives, free with weft_transport_free().
 *
 *     err = weft_transport_serve(&group, weft_server_serve_stream, server, &transport);
 *
 * Connections are streams in memory, for https too: bytes go both ways as they come, and wait for
 * their readers.  They end with the client, and then so do their tasks.  For clients on the loop of
 * the group alone; a function that answers anywhere is weft_mock_new().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL without group or serve; -ENOMEM.
 * Source:   httpx.ASGITransport, httpx.WSGITransport.
 * Since:    0.1
 */
WEFT_API int weft_transport_serve(weft_group *group, weft_serve_fn serve, void *arg,
                                  weft_transport **ret);

/**
 * weft_transport_free() - release a transport
 * @transport: takes. NULL is allowed. Clients and connections that have it keep it.
 *
 * Suspends: never.
 * Source:   httpx.BaseTransport.close.
 * Since:    0.1
 */
WEFT_API void weft_transport_free(weft_transport *transport);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_transport, weft_transport_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

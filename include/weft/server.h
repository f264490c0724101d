/*
 * weft/server.h - an HTTP server in a few lines.
 *
 *     static int hello(weft_server_request *request, weft_reply *reply, void *arg)
 *     {
 *         return weft_reply_text(reply, 200, weft_server_request_param(request, "name"));
 *     }
 *
 *     static int serve(void *arg)
 *     {
 *         WEFT_AUTO(weft_server) *server = NULL;
 *         int err = weft_server_new(WEFT_SERVER(.port = 8080), &server);
 *         if (err >= 0)
 *             err = weft_server_route(server, "GET", "/hello/{name}", hello, NULL);
 *         return err < 0 ? err : weft_server_serve(server);
 *     }
 *
 * HTTP/1.0 and HTTP/1.1, with TLS where the options have settings for it.  Each connection is a
 * task of its own, and a handler runs in it: it may sleep, read, write, make requests.  A
 * server belongs to the loop that serves it; several loops share a port by .reuse_port.
 *
 * A request that breaks HTTP's rules is answered and its connection ended; no handler sees it.
 * That a client has gone is noticed when its connection is next read or written.
 */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H

#include <weft/base.h>
#include <weft/http.h>
#include <weft/net.h>
#include <weft/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_server weft_server;
typedef struct weft_server_request weft_server_request;
typedef struct weft_reply weft_reply;

/*
 * 0 or more: the reply stands; it is an error to have made none.  Negative: the peer gets status
 * 500 with the name of the error (or what suits it, if the error came from reading the request:
 * 400, 408, 413), and where the reply had begun, the connection ends.
 *
 * request and reply are lent until the handler returns.
 */
typedef int (*weft_handler)(weft_server_request *request, weft_reply *reply, void *arg);

typedef struct weft_server_options {
    size_t size;
    const char *host;       /* an address or a name; default "127.0.0.1" */
    uint16_t port;          /* default 0: the system chooses, see weft_server_port() */
    const char *unix_path;  /* instead of host and port */
    weft_tls *tls;          /* keeps until the server is freed; default none */
    size_t max_connections; /* default 1024; further ones wait in the backlog */
    uint64_t body_max;      /* bytes of a request's body; default 1 MiB: 413 */
    size_t head_max;        /* bytes of request line and fields; default 32 KiB: 431 */
    size_t fields_max;      /* default 100: 431 */
    int64_t head_timeout;   /* for a whole head, and for a TLS handshake; default 10 s: 408 */
    int64_t body_timeout;   /* without a byte of the body; default 30 s */
    int64_t write_timeout;  /* without progress; default 30 s */
    int64_t idle_timeout;   /* between requests; default 60 s */
    bool reuse_port;        /* several servers, one for each loop, on one port */
    /*
     * The access log: after each request, answered or refused.  status is 0 if no reply was
     * begun, bytes are those of the body.  Of a refused request method and target may be "".
     * A reply that was cut has its reason in weft_error_message().
     */
    void (*on_request)(const weft_server_request *request, int status, uint64_t bytes,
                       int64_t elapsed, void *userdata);
    void *userdata;
} weft_server_options;
#define WEFT_SERVER(...) WEFT_OPTIONS(weft_server_options, __VA_ARGS__)

/* ---- the server ---- */

/**
 * weft_server_new() - a server that does not listen yet
 * @options: copies, the strings too. NULL: all defaults.
 * @ret:     gives, free with weft_server_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL: unix_path together with host or port, or size not set; -ENOMEM.
 * Source:   aiohttp.web.Application.
 * Since:    0.1
 */
WEFT_API int weft_server_new(const weft_server_options *options, weft_server **ret);

/**
 * weft_server_free() - release a server
 * @server: takes. NULL is allowed. It must not be serving.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_server_free(weft_server *server);

/**
 * weft_server_route() - say what answers a method of a path
 * @server:  borrows.
 * @method:  copies. Case-sensitive; NULL or "*": every method that the pattern has no route for.
 * @pattern: copies. "/users/{id}", "/files/{path*}".
 * @handler: keeps until the server is freed.
 * @arg:     keeps until the server is freed; given to the handler.
 *
 * A parameter is one whole segment and matches any that is not empty; "{name*}" stands at the
 * end and matches all the rest, slashes included, also nothing.  A literal wins over a
 * parameter, a parameter over the rest.  A route for GET answers HEAD too; its body is not sent.
 * A path without route is 404, one with routes for other methods 405.
 *
 * The path is cut at slashes before it is decoded: "%2F" is part of a segment.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL: no pattern; -EEXIST: the pattern has a route for that method; -ENOMEM.
 * Source:   aiohttp.web.UrlDispatcher.add_route.
 * Since:    0.1
 */
WEFT_API int weft_server_route(weft_server *server, const char *method, const char *pattern,
                               weft_handler handler, void *arg);

/**
 * weft_server_static() - serve the files below a folder
 * @server: borrows.
 * @prefix: copies. Of the request path, "/" or "/assets".
 * @folder: borrows. It is opened at once; where it moves later, it is still the one that is served.
 *
 * GET and HEAD, content type by extension, ETag and Last-Modified, conditional requests, one
 * range at a time.  A folder is answered by its index.html; there are no listings.  Only regular
 * files are sent.  The kernel keeps every path below the folder (openat2 with RESOLVE_BENEATH):
 * neither ".." nor a symbolic link leads out.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -ENOTDIR and others: the folder; -EINVAL: the prefix; -EEXIST: there is such
 *           a route; -ENOMEM.
 * Source:   aiohttp.web.UrlDispatcher.add_static; RFC 9110 s13, s14.
 * Since:    0.1
 */
WEFT_API int weft_server_static(weft_server *server, const char *prefix, const char *folder);

/**
 * weft_server_listen() - bind the address, so that the port is known before serving
 * @server: borrows.
 *
 * Clients may connect from now on; they are served when weft_server_serve() runs.
 *
 * Suspends: maybe, where host is a name.
 * Cancel:   it does not listen.
 * Return:   0, or negative.
 * Errors:   -EADDRINUSE, -EACCES and others of bind(2); WEFT_EDNS_NOT_FOUND; -EALREADY.
 * Since:    0.1
 */
WEFT_API int weft_server_listen(weft_server *server);

/**
 * weft_server_port() - the port that the server listens on
 * @server: borrows.
 *
 * Suspends: never.
 * Return:   the port; 0 before weft_server_listen() and for a Unix socket.
 * Since:    0.1
 */
WEFT_API uint16_t weft_server_port(const weft_server *server);

/**
 * weft_server_serve() - accept and answer until the server is stopped
 * @server: borrows.
 *
 * Listens first if weft_server_listen() was not called.  When it returns, the listening socket
 * is closed and no connection is left; it may be called again.  Running out of descriptors or
 * memory ends single connections, not the server.
 *
 * Suspends: yes.
 * Cancel:   all connections are cut; -ECANCELED.
 * Return:   0 after weft_server_stop(), or negative.
 * Errors:   those of weft_server_listen(); -EALREADY: another task is serving it.
 * Source:   aiohttp.web.run_app.
 * Since:    0.1
 */
WEFT_API int weft_server_serve(weft_server *server);

/**
 * weft_server_serve_stream() - answer the requests of one connection that is there already
 * @stream: borrows. Its other end speaks HTTP/1.1.
 * @server: borrows: a weft_server, as void * so that the function is a weft_serve_fn.
 *
 * For streams that the server did not accept: of a listener of one's own by weft_serve(), in memory
 * by weft_transport_serve().  Any number of tasks of one loop may be in it; weft_server_stop() ends
 * those that wait for a request.  TLS is the caller's.
 *
 * Suspends: yes, until the connection is over.
 * Cancel:   the connection is cut; -ECANCELED.
 * Return:   0 if the stream can be closed in order, or negative.
 * Errors:   those of the stream; -ENOMEM.
 * Source:   aiohttp.web.Server; Go http.Server.Serve.
 * Since:    0.1
 */
WEFT_API int weft_server_serve_stream(weft_stream *stream, void *server);

/**
 * weft_server_stop() - let weft_server_serve() return
 * @server: borrows.
 * @grace:  how long requests that are being answered may take, nanoseconds; WEFT_FOREVER: any time.
 *
 * No new connection is accepted, idle ones are closed at once, busy ones when their reply is
 * sent.  What is still busy after grace is cancelled.  A second call sets the grace anew.  From a
 * handler or another task of the same loop; from another thread by weft_loop_post().
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_server_stop(weft_server *server, int64_t grace);

/**
 * weft_server_connections() - how many connections there are now
 * @server: borrows.
 *
 * Suspends: never.
 * Return:   the number, idle ones included.
 * Since:    0.1
 */
WEFT_API size_t weft_server_connections(const weft_server *server);

/* ---- the request ---- */

/**
 * weft_server_request_method() - "GET"
 * @request: borrows.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Since:    0.1
 */
WEFT_API const char *weft_server_request_method(const weft_server_request *request);

/**
 * weft_server_request_path() - the path, percent-decoded, without the query
 * @request: borrows.
 *
 * "%2F" is a slash here: for anything that must tell them apart there is the target.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Since:    0.1
 */
WEFT_API const char *weft_server_request_path(const weft_server_request *request);

/**
 * weft_server_request_target() - the request target as it came
 * @request: borrows.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Source:   RFC 9112 s3.2.
 * Since:    0.1
 */
WEFT_API const char *weft_server_request_target(const weft_server_request *request);

/**
 * weft_server_request_param() - what a parameter of the pattern matched, percent-decoded
 * @request: borrows.
 * @name:    borrows. As in the pattern, without braces and star.
 *
 * Suspends: never.
 * Return:   lends until the handler returns; NULL if the pattern has no such parameter.
 * Source:   aiohttp.web.Request.match_info.
 * Since:    0.1
 */
WEFT_API const char *weft_server_request_param(const weft_server_request *request,
                                               const char *name);

/**
 * weft_server_request_query() - the first value of a name in the query
 * @request: borrows.
 * @name:    borrows.
 *
 * The query is decoded as a form, at the first call.
 *
 * Suspends: never.
 * Return:   lends until the handler returns; NULL if it is not there, or memory ran out.
 * Source:   aiohttp.web.Request.query.
 * Since:    0.1
 */
WEFT_API const char *weft_server_request_query(const weft_server_request *request,
                                               const char *name);

/**
 * weft_server_request_headers() - all header fields
 * @request: borrows.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Since:    0.1
 */
WEFT_API const weft_headers *weft_server_request_headers(const weft_server_request *request);

/**
 * weft_server_request_header() - the first field of a name
 * @request: borrows.
 * @name:    borrows. Case does not matter.
 *
 * Suspends: never.
 * Return:   lends until the handler returns; NULL if there is none.
 * Since:    0.1
 */
WEFT_API const char *weft_server_request_header(const weft_server_request *request,
                                                const char *name);

/**
 * weft_server_request_peer() - the address of the other end of the connection
 * @request: borrows.
 * @ret:     gives: a copy, nothing to free.
 *
 * Forwarded and X-Forwarded-For are not looked at: anybody can send them.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOTCONN: the peer has gone.
 * Since:    0.1
 */
WEFT_API int weft_server_request_peer(const weft_server_request *request, weft_address *ret);

/**
 * weft_server_request_read() - the next bytes of the body
 * @request: borrows.
 * @data:    borrows. Where they go.
 * @len:     bytes, more than 0.
 *
 * A client that waits for "100 Continue" gets it at the first call.  A body that the handler
 * leaves unread is dropped if it is small; otherwise the connection ends after the reply.
 *
 * Suspends: maybe.
 * Cancel:   nothing was taken; -ECANCELED.
 * Return:   how many bytes, 0 at the end of the body, or negative.
 * Errors:   WEFT_EBODY_TOO_LARGE: beyond body_max; WEFT_EREAD_TIMEOUT; WEFT_ETRUNCATED;
 *           WEFT_EREMOTE_PROTOCOL: bad chunks. A handler may return them as they are.
 * Source:   aiohttp.web.Request.content.
 * Since:    0.1
 */
WEFT_API int64_t weft_server_request_read(weft_server_request *request, void *data, size_t len);

/**
 * weft_server_request_body() - the whole body
 * @request: borrows.
 * @ret:     lends until the handler returns; ended by a NUL, which is not counted.
 * @ret_len: gives its bytes; NULL is allowed.
 *
 * May be called again, but not after weft_server_request_read().
 *
 * Suspends: maybe.
 * Cancel:   the body is lost; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_server_request_read(); WEFT_ESTREAM_CONSUMED; -ENOMEM.
 * Source:   aiohttp.web.Request.read.
 * Since:    0.1
 */
WEFT_API int weft_server_request_body(weft_server_request *request, const char **ret,
                                      size_t *ret_len);

/* ---- the reply ---- */

/**
 * weft_reply_set_header() - set a header field in place of those of the same name
 * @reply: borrows.
 * @name:  copies. A token.
 * @value: copies. Without CR, LF and other control characters.
 *
 * Content-Length and Transfer-Encoding are the server's; of Connection only "close" may be set.
 * Date and Server are added where the handler sets none.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_ELOCAL_PROTOCOL: it would break the reply; -EALREADY: the reply has begun; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_reply_set_header(weft_reply *reply, const char *name, const char *value);

/**
 * weft_reply_add_header() - add a header field behind those of the same name
 * @reply: borrows.
 * @name:  copies. As in weft_reply_set_header().
 * @value: copies. As in weft_reply_set_header().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of weft_reply_set_header().
 * Since:    0.1
 */
WEFT_API int weft_reply_add_header(weft_reply *reply, const char *name, const char *value);

/**
 * weft_reply_text() - a whole reply of text
 * @reply:  borrows.
 * @status: 200 to 999.
 * @text:   borrows. UTF-8.
 *
 * The content type is text/plain in UTF-8, unless the handler has set one.
 *
 * Suspends: maybe, where the peer is slow.
 * Cancel:   the reply is cut; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_reply_start() and weft_reply_write().
 * Source:   aiohttp.web.Response.
 * Since:    0.1
 */
WEFT_API int weft_reply_text(weft_reply *reply, int status, const char *text);

/**
 * weft_reply_bytes() - a whole reply
 * @reply:        borrows.
 * @status:       200 to 999.
 * @content_type: borrows. NULL: none, or the one that was set.
 * @data:         borrows. NULL if len is 0.
 * @len:          bytes.
 *
 * Suspends: maybe, where the peer is slow.
 * Cancel:   the reply is cut; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_reply_start() and weft_reply_write().
 * Source:   aiohttp.web.Response.
 * Since:    0.1
 */
WEFT_API int weft_reply_bytes(weft_reply *reply, int status, const char *content_type,
                              const void *data, size_t len);

/**
 * weft_reply_start() - begin a reply whose body follows in pieces
 * @reply:  borrows.
 * @status: 200 to 999.
 * @length: of the body, bytes; -1: not known, then it is sent in chunks.
 *
 * The head leaves together with the first piece.  A handler that writes less or more than
 * length has the connection ended.  HEAD, 204 and 304 have no body: what is written is dropped.
 * A client of HTTP/1.0 cannot tell a body of unknown length that was cut from a whole one.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EALREADY: the reply has begun; -EINVAL: no such status or length; -ENOMEM.
 * Source:   aiohttp.web.StreamResponse.prepare; RFC 9112 s6.
 * Since:    0.1
 */
WEFT_API int weft_reply_start(weft_reply *reply, int status, int64_t length);

/**
 * weft_reply_write() - a piece of the body
 * @reply: borrows.
 * @data:  borrows.
 * @len:   bytes.
 *
 * Small pieces are gathered and sent when the task waits for something; a writer that is ahead
 * of its peer waits here.
 *
 * Suspends: maybe, where the peer is slow.
 * Cancel:   the reply is cut; -ECANCELED.
 * Return:   0, or negative: the reply is cut, and later calls fail as well.
 * Errors:   WEFT_EWRITE_TIMEOUT; WEFT_ELOCAL_PROTOCOL: more than was announced; -EPIPE, -ECONNRESET
 *           and others of the connection; -EINVAL: before weft_reply_start().
 * Source:   aiohttp.web.StreamResponse.write.
 * Since:    0.1
 */
WEFT_API int weft_reply_write(weft_reply *reply, const void *data, size_t len);

/**
 * weft_reply_flush() - send now what was written
 * @reply: borrows.
 *
 * Suspends: maybe.
 * Cancel:   the reply is cut; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_reply_write().
 * Source:   aiohttp.web.StreamResponse.drain.
 * Since:    0.1
 */
WEFT_API int weft_reply_flush(weft_reply *reply);

/**
 * weft_reply_is_started() - is the status settled?
 * @reply: borrows.
 *
 * Suspends: never.
 * Return:   true from weft_reply_start() on.
 * Since:    0.1
 */
WEFT_API bool weft_reply_is_started(const weft_reply *reply);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_server, weft_server_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

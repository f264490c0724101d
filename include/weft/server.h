/*
 * weft/server.h - an HTTP server in a few lines.
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

/* 0 or more: the reply stands. Negative: 500 where nothing was sent yet, else the connection ends. */
typedef int (*weft_handler)(weft_server_request *request, weft_reply *reply, void *arg);

typedef struct weft_server_options {
    size_t size;
    const char *host;            /* default "127.0.0.1" */
    uint16_t port;               /* default 0: the system chooses, see weft_server_port() */
    const char *unix_path;       /* instead of host and port */
    weft_tls *tls;               /* keeps until the server is freed; default none */
    size_t max_connections;      /* default 1024; further ones wait in the backlog */
    uint64_t body_max;           /* of a request; default 1 MiB: 413 */
    size_t head_max;             /* bytes of request line and fields; default 32 KiB: 431 */
    size_t fields_max;           /* default 100: 431 */
    int64_t head_timeout;        /* for a whole request head; default 10 s: 408 */
    int64_t body_timeout;        /* without a byte of the body; default 30 s */
    int64_t write_timeout;       /* without progress; default 30 s */
    int64_t idle_timeout;        /* between requests; default 60 s */
    bool reuse_port;
    void (*on_request)(const weft_server_request *request, int status, uint64_t bytes,
                       int64_t elapsed, void *userdata); /* access log */
    void *userdata;
} weft_server_options;
#define WEFT_SERVER(...) WEFT_OPTIONS(weft_server_options, __VA_ARGS__)

WEFT_API int weft_server_new(const weft_server_options *options, weft_server **ret);
WEFT_API void weft_server_free(weft_server *server);
WEFT_API int weft_server_route(weft_server *server, const char *method, const char *pattern,
                               weft_handler handler, void *arg);
WEFT_API int weft_server_static(weft_server *server, const char *prefix, const char *folder);
WEFT_API int weft_server_listen(weft_server *server);
WEFT_API uint16_t weft_server_port(const weft_server *server);
WEFT_API int weft_server_serve(weft_server *server);
WEFT_API void weft_server_stop(weft_server *server, int64_t grace);
WEFT_API size_t weft_server_connections(const weft_server *server);

/* ---- the request ---- */

WEFT_API const char *weft_server_request_method(const weft_server_request *request);
WEFT_API const char *weft_server_request_path(const weft_server_request *request); /* percent-decoded */
WEFT_API const char *weft_server_request_target(const weft_server_request *request);
WEFT_API const char *weft_server_request_param(const weft_server_request *request, const char *name);
WEFT_API const char *weft_server_request_query(const weft_server_request *request, const char *name);
WEFT_API const weft_headers *weft_server_request_headers(const weft_server_request *request);
WEFT_API const char *weft_server_request_header(const weft_server_request *request, const char *name);
WEFT_API int weft_server_request_peer(const weft_server_request *request, weft_address *ret);
WEFT_API int64_t weft_server_request_read(weft_server_request *request, void *data, size_t len);
WEFT_API int weft_server_request_body(weft_server_request *request, const char **ret, size_t *ret_len);

/* ---- the reply ---- */

WEFT_API int weft_reply_set_header(weft_reply *reply, const char *name, const char *value);
WEFT_API int weft_reply_add_header(weft_reply *reply, const char *name, const char *value);
WEFT_API int weft_reply_text(weft_reply *reply, int status, const char *text);
WEFT_API int weft_reply_bytes(weft_reply *reply, int status, const char *content_type,
                              const void *data, size_t len);
/* Streaming: start, write any number of times; length -1 where it is not known (chunked). */
WEFT_API int weft_reply_start(weft_reply *reply, int status, int64_t length);
WEFT_API int weft_reply_write(weft_reply *reply, const void *data, size_t len);
WEFT_API int weft_reply_flush(weft_reply *reply);
WEFT_API bool weft_reply_is_started(const weft_reply *reply);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_server, weft_server_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

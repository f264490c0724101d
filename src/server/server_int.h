/*
 * server_int.h - the server from inside.
 *
 *   server.c    options, listening, accepting, stopping
 *   conn_h1.c   one HTTP/1 connection: heads, answers, when it ends
 *   h1_io.c     its bytes: the receive buffer, bodies in, replies out
 *   request.c   what a handler asks of a request, its body included
 *   reply.c     what a handler says
 *   route.c     from method and path to handler
 *   static.c    files below a folder; condition.c: ranges and conditional requests
 *
 * request and reply know of the connection only through the weft__h1_* functions declared
 * below, so that another protocol takes their place without the handlers noticing.
 */
#ifndef WEFT_SERVER_SERVER_INT_H
#define WEFT_SERVER_SERVER_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/run.h>
#include <weft/serve.h>
#include <weft/server.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "proto/date.h"
#include "proto/h1.h"
#include "proto/header.h"

/* ---- routes ---- */

/* What one route answers: a method of a pattern. */
struct weft__route {
    struct weft__route *next; /* of the same pattern */
    weft_handler handler;
    void *arg;
    void (*free_arg)(void *arg); /* NULL: arg is the caller's */
    char *method;                /* NULL: any */
    size_t n_params;
    const char *params[WEFT__LIMIT_ROUTE_PARAMS]; /* names, in text */
    char text[];                                  /* method and names */
};

/* A place in the tree of patterns: one path segment. */
struct weft__route_node {
    struct weft__route_node *next;  /* another literal below the same parent */
    struct weft__route_node *first; /* of the literals that may follow */
    struct weft__route_node *param; /* "{name}" follows */
    struct weft__route *routes;     /* the pattern ends here */
    struct weft__route *rest;       /* "{name*}" follows and ends it */
    size_t len;
    char text[];
};

struct weft__route_match {
    const struct weft__route *route;                    /* NULL: none */
    struct weft__text values[WEFT__LIMIT_ROUTE_PARAMS]; /* still percent-encoded */
    size_t n_values;
};

int weft__routes_add(struct weft__route_node **root, const char *method, const char *pattern,
                     weft_handler handler, void *arg, void (*free_arg)(void *arg));
void weft__routes_free(struct weft__route_node *root);
/* path begins with "/" and is percent-encoded. */
void weft__routes_match(const struct weft__route_node *root, const char *method,
                        struct weft__text path, struct weft__route_match *ret);
/* "GET, HEAD, POST": the methods that path has routes for; nothing if it has none. */
int weft__routes_allow(const struct weft__route_node *root, struct weft__text path,
                       struct weft__buf *buf);
/* Decodes to, which has room for len bytes; the length, or -1 for a bad escape or a NUL. */
int64_t weft__percent_decode(const char *text, size_t len, char *to);

/* ---- one request and its reply ---- */

struct weft__server_conn;

struct weft_server_request {
    struct weft__server_conn *conn;
    const char *method;
    const char *target;
    const char *path; /* decoded; "*" for OPTIONS * */
    struct weft__text raw_path;
    struct weft__text raw_query; /* data NULL: none */
    weft_headers headers;
    const struct weft__route *route;
    const char *params[WEFT__LIMIT_ROUTE_PARAMS]; /* values, decoded */
    weft_pair *query;                             /* NULL until it is asked for */
    struct weft__buf body;
    int64_t content_length; /* -1: none */
    int fault;              /* an error that is the peer's doing, and the status it deserves */
    int fault_status;
    bool body_touched; /* read in pieces */
    bool body_whole;   /* body holds all of it */
};

struct weft_reply {
    struct weft__server_conn *conn;
    weft_headers headers;
    int64_t length;   /* as declared; -1: not known */
    uint64_t written; /* by the handler */
    int status;
    int failed;   /* the first error of a write: nothing more is sent */
    bool started; /* the status is settled */
    bool chunked;
    bool no_body; /* HEAD, 204, 304 */
    bool close;   /* the handler or the request wants the connection to end */
};

void weft__server_request_init(weft_server_request *request, struct weft__server_conn *conn);
void weft__server_request_reset(weft_server_request *request);
void weft__server_request_done(weft_server_request *request);
void weft__reply_init(weft_reply *reply, struct weft__server_conn *conn);
void weft__reply_reset(weft_reply *reply);
void weft__reply_done(weft_reply *reply);
/* The error is the request's fault, should the handler return it. Returns code. */
int weft__server_request_fault(weft_server_request *request, int status, int code);
/* Ends the reply: 0, or negative where the peer must see the connection break. */
int weft__reply_finish(weft_reply *reply);
/* "404 Not Found", as text; for errors of the server itself. */
int weft__reply_error(weft_reply *reply, int status, const char *detail);

/* ---- connections ---- */

struct weft__server_conn {
    weft_server *server;
    weft_stream *stream; /* NULL in a spare one */
    struct weft__list node;
    weft_scope idle_scope; /* entered while idle */
    bool idle;             /* waits for a request of which no byte has come, or for TLS */
    bool broken;           /* not to be used any more, not even for an orderly end */
    bool peer_ended;
    bool expects_continue; /* the peer waits for 100 before it sends the body */
    unsigned served;       /* since others had their turn */

    char *in; /* received; page-aligned */
    size_t in_start;
    size_t in_len;
    size_t in_cap;
    struct weft__h1_head head;
    struct weft__h1_body body;
    const char *piece; /* of the body, decoded and not read yet; in "in" */
    size_t piece_len;
    struct weft__buf out; /* a reply's head that is not sent yet */
    char *text;           /* strings of the request */
    size_t text_len;
    size_t text_cap;

    weft_server_request request;
    weft_reply reply;
};

int weft__server_conn_new(weft_server *server, struct weft__server_conn **ret);
/* Ready for another stream. */
void weft__server_conn_recycle(struct weft__server_conn *conn);
void weft__server_conn_free(struct weft__server_conn *conn);
/* Serves requests until the connection is over: 0 if the stream can be closed in order. */
int weft__server_h1_serve(struct weft__server_conn *conn);

/* Reads what is there, waiting at most timeout: bytes, 0 at the end, -ETIMEDOUT or another error. */
int64_t weft__server_read_within(struct weft__server_conn *conn, void *data, size_t len,
                                 int64_t timeout);
/* The same into the receive buffer, behind the bytes that are there. */
int64_t weft__server_in_fill(struct weft__server_conn *conn, int64_t timeout);
void weft__server_in_consume(struct weft__server_conn *conn, size_t len);

int weft__server_h1_send_head(weft_reply *reply);
int weft__server_h1_send_body(weft_reply *reply, const void *data, size_t len);
int weft__server_h1_send_end(weft_reply *reply);
/* More of the body, as weft_server_request_read. */
int64_t weft__server_h1_read_body(weft_server_request *request, void *data, size_t len);

/* ---- the server ---- */

struct weft_server {
    weft_server_options options;
    char *host;
    char *unix_path;
    struct weft__route_node *routes;
    struct weft__h1_limits limits;
    weft_acceptor *acceptor;
    uint16_t port;
    struct weft__list conns; /* after their handshakes */
    struct weft__list spares;
    size_t n_conns;
    size_t n_spares;
    struct weft__file_piece *pieces; /* spare buffers of static files */
    size_t n_pieces;
    bool listening;
    bool serving;
    bool stopping;
    int64_t date_second;
    char date[WEFT__DATE_LEN + 1]; /* of date_second */
};

/* The Date of a reply that is sent now. */
const char *weft__server_date(weft_server *server);
/* Serves one connection that is there already; takes stream. */
int weft__server_serve_stream(weft_server *server, weft_stream *stream);

/* ---- static files ---- */

int weft__static_add(weft_server *server, const char *prefix, const char *folder);
void weft__static_free_pieces(weft_server *server);

/* What a conditional request comes to (RFC 9110 13, 14). */
struct weft__file_facts {
    int64_t size;
    int64_t mtime;    /* seconds */
    const char *etag; /* strong, with its quotes */
    const char *date; /* mtime as IMF-fixdate */
};

struct weft__file_answer {
    int status; /* 200, 206, 304, 412, 416 */
    int64_t first;
    int64_t len;
};

void weft__file_answer(const weft_server_request *request, const struct weft__file_facts *facts,
                       struct weft__file_answer *ret);

#endif

/*
 * way.h - how a hop gets to its server: transports, mounts, proxies, the dialling of it all.
 *
 *   transport.c  transports of the user
 *   mock.c       the one that is a function in memory
 *   way.c        which way a URL goes: request, mounts, options, environment
 *   dial.c       names, addresses, sockets, TLS
 *   proxy.c      what a proxy is, CONNECT, its credentials
 *   socks.c      SOCKS over a stream
 *
 * Proxies and mounts belong to the client and never change, but for the challenge of a proxy,
 * which has a lock.
 */
#ifndef WEFT_CLIENT_WAY_H
#define WEFT_CLIENT_WAY_H

#include <pthread.h>
#include <stdatomic.h>

#include <weft/client.h>
#include <weft/tls.h>
#include <weft/transport.h>

#include "base/limits.h"
#include "proto/auth.h"
#include "proto/header.h"
#include "proto/proxy_env.h"

struct weft__call;

/* Settings for the origin that the client's own certificate is for, for others, for proxies. */
enum weft__tls_kind {
    WEFT__TLS_HOME,
    WEFT__TLS_GUEST,
    WEFT__TLS_HOME_H1, /* for whom HTTP/2 is not offered to */
    WEFT__TLS_GUEST_H1,
    WEFT__TLS_PROXY,
    WEFT__TLS_KINDS
};

/* ---- transports ---- */

struct weft_transport {
    atomic_int refs;
    int (*dial)(void *userdata, const weft_url *url, weft_stream **ret);
    void *userdata;
};

weft_transport *weft__transport_ref(weft_transport *transport);

/* ---- proxies ---- */

enum weft__proxy_kind {
    WEFT__PROXY_HTTP,
    WEFT__PROXY_HTTPS,
    WEFT__PROXY_SOCKS4,  /* names are resolved here, to IPv4 */
    WEFT__PROXY_SOCKS4A, /* there */
    WEFT__PROXY_SOCKS5,  /* here */
    WEFT__PROXY_SOCKS5H  /* there */
};

struct weft__proxy {
    atomic_int refs;
    enum weft__proxy_kind kind;
    char *host; /* without brackets */
    uint16_t port;
    char *username; /* NULL: none; decoded */
    char *password;
    char *basic; /* "Basic ...", NULL: none */
    weft_headers headers;
    char *key;   /* all of it, secrets included */
    char *shown; /* without them */
    char *given; /* the text that it was made from */
    pthread_mutex_t lock;
    struct weft__digest digest; /* under lock: what it asked for last */
    bool has_digest;
};

/* text: a URL, of http where it has no scheme.  what: names it in messages. */
int weft__proxy_new(const char *what, const char *text, const weft_pair *headers,
                    struct weft__proxy **ret);
struct weft__proxy *weft__proxy_ref(struct weft__proxy *proxy);
void weft__proxy_unref(struct weft__proxy *proxy);
static inline bool weft__proxy_is_http(const struct weft__proxy *proxy)
{
    return proxy->kind == WEFT__PROXY_HTTP || proxy->kind == WEFT__PROXY_HTTPS;
}
/* Proxy-Authorization for this request, weft__free(); NULL: none. */
int weft__proxy_authorization(struct weft__proxy *proxy, const char *method, const char *target,
                              char **ret);
/* A 407 came: 1 if another request with a digest may do better; 0; -ENOMEM. */
int weft__proxy_challenged(struct weft__proxy *proxy, const weft_headers *headers);
/*
 * CONNECT over a stream to the proxy: 0, 1 if another one on a new connection may do better, or
 * an error.
 */
int weft__proxy_connect(struct weft__proxy *proxy, weft_stream *stream, const char *target);
/* 1: it could not get to that host, and may get to another address of it. */
int weft__socks_connect(const struct weft__proxy *proxy, weft_stream *stream, const char *host,
                        uint16_t port);

/* ---- a client's ways ---- */

enum { WEFT__WAY_KEY = 160 };

struct weft__mount {
    struct weft__pattern pattern;
    char *text; /* the pattern's */
    weft_transport *transport;
    struct weft__proxy *proxy;
};

struct weft__ways {
    weft_transport *transport;  /* of all that no mount is for; NULL: sockets */
    struct weft__mount *mounts; /* most specific first */
    size_t n_mounts;
    struct weft__proxy *proxy;
    struct weft__proxy *env_http; /* of the environment */
    struct weft__proxy *env_https;
    char *no_proxy; /* NULL: none */
    char *unix_socket;
    char *local_address;
    char *interface;
    weft_pair *resolve;
    weft_pair *connect_to;
    bool (*allow)(void *userdata, const char *host, const weft_address *address);
    void *allow_userdata;
    pthread_mutex_t lock;
    struct weft__proxy *known[WEFT__LIMIT_PROXIES]; /* under lock: of requests, latest first */
};

int weft__ways_init(struct weft__ways *ways, const weft_client_options *options);
void weft__ways_done(struct weft__ways *ways);

/* ---- the way of one hop ---- */

struct weft__way {
    struct weft__proxy *proxy; /* NULL: none; held */
    weft_transport *transport; /* NULL: sockets; the client holds it */
    const char *server_name;   /* instead of the URL's host, for TLS; NULL: that */
    const char *key;           /* what makes it another connection; "": nothing */
    char *own_key;             /* key, where it is too long for small */
    char small[WEFT__WAY_KEY]; /* key, where it is not somebody else's */
    char *target;              /* absolute, where the proxy forwards; NULL: the URL's */
    weft_headers *headers; /* instead of the hop's: with the proxy's, or without what is for it */
    const char *phase;     /* of dialling, for messages */
    bool refused_h2;       /* the origin has said that it wants HTTP/1.1 */
    bool only_h1;          /* HTTP/2 is not offered */
    bool guest;            /* not the server that the client's certificate is for */
    bool retried;          /* a challenge of the proxy was answered already */
};

/* Chooses for the call's URL; every way is left again. */
int weft__way_enter(struct weft__call *call);
void weft__way_leave(struct weft__call *call);
/* The next attempt of the hop is not for HTTP/2. */
int weft__way_use_h1(struct weft__call *call);
/* Does connect_to say that connections for this URL go elsewhere? */
bool weft__way_is_elsewhere(const struct weft__ways *ways, const weft_url *url);
/* What goes into the request line and the head. */
const char *weft__way_target(const struct weft__call *call);
const weft_headers *weft__way_headers(const struct weft__call *call);
/* 1: the proxy that forwards wants another answer to its challenge, and will be given it. */
int weft__way_again(struct weft__call *call, const weft_response *response);
/* A stream for the call's URL over the call's way. */
int weft__way_dial(struct weft__call *call, weft_stream **ret);
/* WEFT_ECONNECT_TIMEOUT, with what it was doing. */
int weft__way_timed_out(const struct weft__call *call, int64_t timeout);

#endif

/*
 * weft/client.h - the HTTP client, inside tasks and outside.
 */
#ifndef WEFT_CLIENT_H
#define WEFT_CLIENT_H

#include <weft/auth.h>
#include <weft/base.h>
#include <weft/cookie.h>
#include <weft/exchange.h>
#include <weft/hooks.h>
#include <weft/http.h>
#include <weft/limit.h>
#include <weft/response.h>
#include <weft/retry.h>
#include <weft/tls.h>
#include <weft/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_client weft_client;

/* A field that may be left to the default, or be set both ways. */
enum { WEFT_OFF = -1, WEFT_ON = 1 };

/* All times are nanoseconds: WEFT_SEC(10). */
typedef struct weft_client_options {
    size_t size;
    const char *base_url;     /* relative URLs are appended to it */
    const char *bearer;       /* Authorization: Bearer ...; only ever sent to base_url's origin */
    const char *username;     /* Basic; with base_url only ever sent to its origin; no colon */
    const char *password;     /* default "" */
    const weft_pair *headers; /* sent with every request; ends with {0} */
    const weft_pair *params;  /* appended to every URL's query; ends with {0} */
    const char *user_agent;   /* default "weft/VERSION" */
    int64_t timeout; /* total time of one call, retries and redirects included; default none */
    int64_t connect_timeout; /* DNS, TCP and TLS together; default 5 s */
    int64_t read_timeout;    /* without a byte; default 5 s */
    int64_t write_timeout;   /* without a byte; default 5 s */
    int64_t pool_timeout;    /* for a free connection; default none */
    size_t max_connections;  /* per loop; default 100 */
    size_t max_per_origin;   /* default none */
    size_t max_idle;         /* kept for reuse; default 20 */
    int64_t idle_timeout;    /* default 5 s */
    uint64_t body_max;       /* of a response read into memory, decoded; default 1 GiB */
    bool http2;              /* HTTP/2 with servers that want it too, over TLS by ALPN */
    bool insecure_no_verify; /* accept any certificate: for tests only */
    const char *ca_file;     /* PEM, instead of the system's store */
    const char *ca_dir;
    int follow_redirects;           /* default off */
    int max_redirects;              /* default 20; negative: none */
    int raise_for_status;           /* default off: a 4xx or 5xx is a response, not an error */
    const weft_retry_policy *retry; /* copies; default none */
    weft_limits *limits;   /* keeps until the client and its responses are freed: each attempt waits
                            for a permit by host, and tells what the server said; one loop only */
    weft_cookies *cookies; /* keeps: a jar to share; default one of the client's own */
    bool no_cookies;       /* nothing that a server sets is kept or sent */
    const char *accept_encoding; /* default "gzip, deflate, br, zstd"; "": the field is not sent */
    int decode;                  /* WEFT_OFF: bodies stay as they came, and nothing is said of
                                     codings unless accept_encoding is set; default on */
    int trust_env;               /* WEFT_OFF: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY,
                                    SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE do not count;
                                    default on */
    const char *proxy; /* "http://user:password@host:port", https, socks4, socks4a, socks5,
                                    socks5h; "": none, whatever the environment says */
    const weft_pair *proxy_headers; /* for .proxy alone; ends with {0} */
    const weft_mount *mounts;       /* proxies and transports by URL; ends with {0} */
    weft_transport *transport;      /* keeps: instead of sockets, see weft/mock.h */
    const char *unix_socket;        /* path: connections go there, whatever the host. A client
                                        has one of proxy, transport and unix_socket */
    const char *local_address;      /* to connect from */
    const char *interface;          /* to connect by */
    const weft_pair *resolve;       /* {"host:port", "192.0.2.1, 2001:db8::1"} instead of DNS; the
                                        port may be left out, "*" is any host; ends with {0} */
    const weft_pair *connect_to;    /* {"host:port", "other:port"}: connects there, while Host and
                                        certificate stay those of the URL, and a proxy is
                                        told so by CONNECT; ends with {0} */
    /* Asked of each address before it is connected to, redirects included, and of an address in a
       URL that a proxy is asked for, but not of a proxy's own; false: it is not.  Where nothing is
       left the call fails with WEFT_EADDRESS_REFUSED.  What a proxy resolves is not known here. */
    bool (*allow_address)(void *userdata, const char *host, const weft_address *address);
    void *allow_userdata;
    const weft_tls_options *tls; /* copies. Its certificate is for base_url's origin, or that of the
                                    URL of a call, and is shown to no other */
    uint64_t low_speed_limit;    /* bytes a second that must come of a response, or the call ends
                                 with WEFT_EREAD_TIMEOUT; default none */
    int64_t low_speed_time;      /* over how long that is looked at; default 30 s */
    weft_auth *auth;             /* keeps; instead of bearer or username */
    bool https_only;             /* URLs, those of redirects too, that are not https are refused */
    const char *const *secret_fields; /* names of more fields that no other origin may see; ends
                                         with NULL */
    const weft_hooks *hooks;          /* copies; functions that see requests, responses, a log */
    const char *default_encoding;     /* of text whose Content-Type does not say; default "utf-8" */
    size_t line_max;                  /* bytes of a line of a body; default 1 MiB */
    const weft_tls_options
        *proxy_tls;        /* copies. For https proxies; default that of servers, without
                                          its certificate, pins and ocsp */
    int http1;             /* WEFT_OFF: HTTP/2 and nothing else: over http at once, as the server is
                              known to speak it; over https it must agree by ALPN; default on */
    int64_t ping_interval; /* of silence on an HTTP/2 connection, after which it is asked for a
                              sign of life; default never */
    int64_t ping_timeout;  /* for that; then its calls fail with WEFT_EREAD_TIMEOUT; default 5 s */
    int64_t connection_lifetime; /* since it was made, after which a connection takes no more
                                    calls: it ends with those that it has; default none */
} weft_client_options;
#define WEFT_CLIENT(...) WEFT_OPTIONS(weft_client_options, __VA_ARGS__)

/*
 * A part of a multipart form: a field, or with a filename a file.  Its bytes are those of value,
 * of the file at path, or of a function.
 *
 *     .multipart = (weft_form_part[]){{.name = "title", .value = "Holiday"},
 *                                     {.name = "photo", .path = "sea.jpg"},
 *                                     {0}}
 */
typedef struct weft_form_part {
    const char *name;
    const char *value;
    size_t value_len; /* 0: up to the NUL of value */
    const char *path; /* read as it is sent, and never whole in memory */
    int64_t (*reader)(void *userdata, void *data, size_t len); /* as body_reader */
    int (*rewind)(void *userdata);                             /* as body_rewind */
    void *userdata;
    uint64_t size;            /* bytes of reader; 0: not known, the body is sent chunked */
    const char *filename;     /* default: the last part of path; "": none */
    const char *content_type; /* default: by filename, without one none; "": none */
    const weft_pair *headers; /* further fields of the part; ends with {0} */
} weft_form_part;

struct json_t; /* of jansson */

typedef struct weft_request_options {
    size_t size;
    const weft_pair *headers; /* replace the client's of the same name; ends with {0} */
    const weft_pair *params;  /* appended to the query after the client's; ends with {0} */
    const void *content;      /* the body's bytes */
    size_t content_len;       /* bytes of it; 0: an empty body. A string is .text */
    const char *content_type;
    const weft_pair *form; /* body as application/x-www-form-urlencoded; ends with {0} */
    int64_t timeout;       /* total; WEFT_FOREVER switches the client's off */
    int64_t connect_timeout;
    int64_t read_timeout;
    int64_t write_timeout;
    int64_t pool_timeout;
    uint64_t body_max;
    int follow_redirects;
    int raise_for_status;
    const weft_retry_policy *retry;
    const char *idempotency_key; /* field Idempotency-Key: makes any method safe to repeat;
                                    WEFT_IDEMPOTENCY_AUTO: a new one for each call */
    weft_retry_stats *stats;     /* to be filled with the attempts, on failure too */
    /* A body that comes piece by piece; never more than 64 KiB of it are held.  body_reader fills
       data with at most len bytes and returns how many, 0 at the end, or an error, which ends the
       call; it may suspend.  It runs in the calling task, over HTTP/2 in a task of its own with
       the caller's task-local values: see weft_client_stream(). */
    int64_t (*body_reader)(void *userdata, void *data, size_t len);
    weft_stream *body_stream; /* borrows; instead of body_reader: read to its end, or body_size */
    uint64_t body_size;       /* bytes of it; 0: not known, it is sent chunked */
    int (*body_rewind)(void *userdata); /* back to its beginning, or an error: before a redirect or
                                           another attempt sends it again; default: it cannot be */
    void *body_userdata;                /* for body_reader and body_rewind */
    const weft_pair *cookies; /* go to the origin of the URL, instead of those of the jar with their
                                 names; value NULL: none of that name; ends with {0} */
    int decode;               /* WEFT_OFF: the body stays as it comes */
    const weft_form_part *multipart; /* body as multipart/form-data; its end is {0} */
    const char *file; /* body from the file at this path, read as it is sent; the content type
                         follows from its name */
    const char *text; /* body as text/plain in UTF-8, up to its NUL */
    const struct json_t *json; /* borrows; body as application/json; json_null() is "null" */
    const char *target; /* of the first request instead of the URL's path and query, sent as it is:
                           "*", or what the URL's grammar would change */
    bool expect_continue; /* "Expect: 100-continue" with a body, which is sent once the server wants
                             it, and not at all after a final answer; 417 is asked again without */
    int64_t continue_timeout; /* how long to wait for that; then it is sent; default 1 s */
    int (*on_upload)(void *userdata, uint64_t sent, uint64_t size); /* after each piece of the body;
                             size 0: not known; begins anew with each attempt; an error ends the
                             call */
    void *upload_userdata;
    const char *proxy;              /* instead of the client's; "": none */
    const weft_pair *proxy_headers; /* for this proxy alone; ends with {0} */
    const char *server_name;        /* to ask the first server for by TLS, and to check its
                                       certificate for, instead of the URL's host */
    weft_auth *auth;   /* borrows; instead of the client's and the URL's; WEFT_AUTH_NONE: nobody */
    int max_redirects; /* negative: none */
    const char *default_encoding;
    size_t line_max;
    uint64_t low_speed_limit; /* instead of the client's */
    int64_t low_speed_time;   /* WEFT_FOREVER: the speed is not looked at */
    const char *upgrade; /* "websocket": asks to go on by this protocol. Where the server agrees the
                            response has status 101, and its connection may be had by
                            weft_response_take_stream(); otherwise it is one as any other. Over
                            HTTP/2 the status is 200 (RFC 8441): a GET to one protocol goes so
                            where a connection that is there has said that the server takes it, or
                            http1 is off; where it then does not: WEFT_EREMOTE_PROTOCOL */
} weft_request_options;
#define WEFT_IDEMPOTENCY_AUTO ""
#define WEFT_REQUEST(...)     WEFT_OPTIONS(weft_request_options, __VA_ARGS__)

/**
 * weft_client_new() - a client: settings and connections that calls share
 * @options: copies, NULL for defaults.
 * @ret:     gives, free with weft_client_free().
 *
 * The settings never change afterwards.  Any number of tasks and threads may use one client; each
 * loop has its own connections.  Nothing is connected or loaded before the first call.
 *
 * Fields that carry secrets (Authorization, Cookie, and names with token, secret, api-key, password
 * or session in them) are sent to base_url's origin only; without a base_url, to the origin of the
 * URL that a call names.  A redirect to another origin drops them for good.
 *
 * More idle connections than max_idle are closed after 100 ms, all of them after idle_timeout.
 * Past its connection_lifetime one takes no more calls: a call in its place makes another if the
 * limits allow, or waits for the end of those that it has.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EINVALID_URL, WEFT_EUNSUPPORTED_PROTOCOL base_url; WEFT_ELOCAL_PROTOCOL a field
 *           that would break a request; -EINVAL; -ENOMEM.
 * Source:   httpx.Client, httpx.AsyncClient.
 * Since:    0.1
 */
WEFT_API int weft_client_new(const weft_client_options *options, weft_client **ret);

/**
 * weft_client_free() - close a client
 * @client: takes. NULL is allowed.
 *
 * Idle connections of this thread's loop are closed at once, those of other threads when their
 * loops next run or end.  Calls that wait for a connection fail with WEFT_ECLIENT_CLOSED, calls
 * under way finish, responses stay usable.  Calls on other threads must have ended.
 *
 * Suspends: never.
 * Source:   httpx.Client.close.
 * Since:    0.1
 */
WEFT_API void weft_client_free(weft_client *client);

/* What happens to the calls under way when a client is closed. */
typedef enum weft_client_closing {
    WEFT_CLOSE_DRAIN = 0, /* they go on; the closing waits for them */
    WEFT_CLOSE_ABORT = 1  /* they fail with WEFT_ECLIENT_CLOSED, and so do their bodies */
} weft_client_closing;

/**
 * weft_client_close() - end all that a client does, before it is freed
 * @client: borrows; weft_client_free() is still needed.
 * @how:    what becomes of the calls under way.
 *
 * Idle connections are closed, calls that wait for a connection and all later ones fail with
 * WEFT_ECLIENT_CLOSED.  Only calls of this thread's loop are waited for, and streamed responses
 * and streams of HTTP/2 that were taken, until they are freed; those of other threads' loops are
 * told.  A second call does nothing.
 *
 * Suspends: yes with WEFT_CLOSE_DRAIN, until the last call has ended.
 * Cancel:   -ECANCELED; it is closed, and the calls go on.
 * Return:   0, or negative.
 * Source:   httpx.Client.close; aiohttp.ClientSession.close.
 * Since:    0.1
 */
WEFT_API int weft_client_close(weft_client *client, weft_client_closing how);

/**
 * weft_client_cookies() - the jar of a client
 * @client: borrows.
 *
 * Every response is looked at for cookies, those of redirects too; each request has the ones that
 * belong to its URL, whatever the redirect that led there.
 *
 * Suspends: never.
 * Return:   lends until the client is freed; NULL with no_cookies.
 * Source:   httpx.Client.cookies.
 * Since:    0.1
 */
WEFT_API weft_cookies *weft_client_cookies(weft_client *client);

/* ---- calls: those by method are in weft/verbs.h ---- */

/**
 * weft_client_request() - a request, the response in memory
 * @client:  borrows.
 * @method:  borrows. A token of at most 31 bytes, sent as it is: methods are case-sensitive.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults. A field that is set counts instead of the client's; header
 *           fields and params are merged.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * The same call works in a task and in plain code.  An idle connection to the origin is used if
 * there is one.  If it turns out dead before an answer came, the request is sent once more on a new
 * one, where that cannot do its work twice: idempotent methods only.  A server that answers before
 * it has taken the whole body is heard.
 *
 * A status is not an error unless raise_for_status says so.  With a retry policy, failures and
 * statuses of its list are tried again for idempotent methods and requests with an idempotency
 * key, and for others while nothing was sent; so are 413 that says when to come back and, on
 * another connection, 421; never 501 and 505.  A Retry-After is the least that is waited, and of a
 * 429 or 503 all calls to the origin wait for it; one beyond retry_after_max is not waited for.
 * When attempts, time or the origin's budget of retries are used up, the last response is
 * returned; so it is where a body of body_reader or body_stream would have to be sent again and
 * there is no body_rewind.  After a connection that broke, the next attempt tries other addresses
 * of the host first.  Redirects are followed if follow_redirects says so: 303, and 301 and 302
 * after POST, become GET; secrets do not cross origins.
 *
 * Suspends: yes, for a free connection, DNS, connecting, TLS, writing, reading, between attempts.
 * Cancel:   -ECANCELED. The connection is closed, its place in the pool is free.
 * Return:   0, or negative; the message begins with the method and the URL, without its password,
 *           its fragment and what looks secret in its query, cut after 255 bytes.
 * Errors:   WEFT_EINVALID_URL, WEFT_EUNSUPPORTED_PROTOCOL, WEFT_ELOCAL_PROTOCOL: nothing was sent;
 *           WEFT_EDNS, WEFT_EDNS_NOT_FOUND; WEFT_EREFUSED, WEFT_EUNREACHABLE, WEFT_ECONNECT;
 *           WEFT_ECIRCUIT_OPEN; WEFT_ETLS, WEFT_ETLS_VERIFY; WEFT_ECONNECT_TIMEOUT,
 *           WEFT_EREAD_TIMEOUT, WEFT_EWRITE_TIMEOUT, WEFT_EPOOL_TIMEOUT, WEFT_ETOTAL_TIMEOUT;
 *           WEFT_EREAD, WEFT_EWRITE, WEFT_EDISCONNECTED, WEFT_ETRUNCATED; WEFT_EREMOTE_PROTOCOL,
 *           WEFT_EHEADER_TOO_LARGE, WEFT_EBODY_TOO_LARGE; WEFT_ETOO_MANY_REDIRECTS,
 *           WEFT_EHTTP_STATUS; WEFT_ENOT_REPLAYABLE a redirect, or an attempt after one that
 *           failed, would send a body again that cannot be; those of body_reader and body_rewind;
 *           WEFT_ECLIENT_CLOSED; -EINVAL; -ENOMEM.
 * Source:   httpx.Client.request; RFC 9110, RFC 9112.
 * Since:    0.1
 */
WEFT_API int weft_client_request(weft_client *client, const char *method, const char *url,
                                 const weft_request_options *options, weft_response **ret);

/**
 * weft_client_stream() - a request, the response's body as it comes
 * @client:  borrows.
 * @method:  borrows. A token of at most 31 bytes, sent as it is: methods are case-sensitive.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults. A total timeout bounds the reading of the body too.
 * @ret:     gives, free with weft_response_free(). It has a connection of the pool until its body
 *           is read to the end or it is freed. Untouched on failure.
 *
 * Returns when the head has come; the body is read with weft_response_read(), on this thread.
 * Retries cover what comes before the body.
 *
 * Over HTTP/2 bodies go both ways at once.  Where that of the request comes by pieces (body_reader,
 * body_stream, file, multipart with files) this returns the response even if it is still on its
 * way, so that what has been read may decide what is written next.  It goes on, as fast as the
 * server takes it, until it ends, the response ends, or the response is closed or freed: that
 * cancels the function and waits until it has returned.  Until then functions, their userdata and
 * body_stream are in use, nothing else of the options is.  If the body fails, the stream is reset
 * and reading the response fails with that error.  A read waits for read_timeout since the last
 * progress in either direction, the body for write_timeout, but not while the server cannot go on
 * because its response is not read.  Before the head, and in weft_client_request(), an answer may
 * take any time while the body goes, at any speed.  In plain code the body goes on while the thread
 * waits in any call of the library, and stands still between calls.  The function must not free the
 * response itself.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED. The connection is closed, its place in the pool is free.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.stream.
 * Since:    0.1
 */
WEFT_API int weft_client_stream(weft_client *client, const char *method, const char *url,
                                const weft_request_options *options, weft_response **ret);

/* ---- the pool ---- */

/**
 * weft_response_next_url() - where a redirect that was not followed leads
 * @response: borrows.
 * @ret:      gives, free with weft_free().
 *
 * With weft_response_next_method() it is the next request.  Whether the place is another origin,
 * that must not see what was secret, is for the caller to look at.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT no 301, 302, 303, 307 or 308 with a Location; WEFT_EREMOTE_PROTOCOL one that
 *           is no URL, or several that differ; -ENOMEM.
 * Source:   httpx.Response.next_request.
 * Since:    0.1
 */
WEFT_API int weft_response_next_url(const weft_response *response, char **ret);

/**
 * weft_response_next_method() - the method that a redirect asks for
 * @response: borrows.
 *
 * Where it is "GET" and was not, the body and the fields that describe it stay behind.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; NULL for no redirect.
 * Source:   httpx.Response.next_request.
 * Since:    0.1
 */
WEFT_API const char *weft_response_next_method(const weft_response *response);

/**
 * weft_response_history() - a response before this one: a redirect, or a 401 that was answered
 * @response: borrows.
 * @index:    0: the first.
 *
 * Its body was dropped.
 *
 * Suspends: never.
 * Return:   lends until response is freed; NULL: there were not so many.
 * Source:   httpx.Response.history.
 * Since:    0.1
 */
WEFT_API const weft_response *weft_response_history(const weft_response *response, size_t index);

typedef struct weft_pool_stats {
    size_t size;
    size_t active;
    size_t idle;
    size_t waiting;
    uint64_t opened; /* since the client was made */
} weft_pool_stats;

/* One place of the pool. */
typedef struct weft_pool_connection {
    const char *origin; /* "https://host:port" */
    const char *proxy;  /* without its password; NULL: none */
    int64_t idle;       /* for so long; -1: in use */
    int64_t age;        /* since it was connected; -1: it is not yet */
    uint64_t requests;  /* that it has carried */
    size_t streams;     /* calls that have a part of it now, over HTTP/2; else 0 */
    bool leaving;       /* it takes no more calls, and ends with those that it has */
} weft_pool_connection;

/**
 * weft_client_pool_list() - the connections of this thread's loop, one by one
 * @client: borrows.
 * @ret:    gives, free with weft_free(), the texts included; NULL where there are none.
 * @ret_n:  borrows, gets their number.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   httpcore.ConnectionPool.connections.
 * Since:    0.1
 */
WEFT_API int weft_client_pool_list(weft_client *client, weft_pool_connection **ret, size_t *ret_n);

/**
 * weft_client_pool_stats() - what the pool of this thread's loop holds
 * @client: borrows.
 * @ret:    borrows, to be filled.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_client_pool_stats(weft_client *client, weft_pool_stats *ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_client, weft_client_free)
#endif

#ifdef __cplusplus
}
#endif

#include <weft/verbs.h>
#endif

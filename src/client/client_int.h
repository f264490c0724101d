/*
 * client_int.h - the HTTP client from inside.
 *
 *   client.c    configuration, the verbs, one client for many threads
 *   request.c   what goes on the wire: URL, header fields, body
 *   body.c      a request's body: where it comes from, how it is sent
 *   segments.c  a body of bytes, files and functions one behind another
 *   multipart.c forms with files
 *   call.c      one call: hops, attempts, deadlines
 *   pool_int.h  connections of one loop: slots, idle ones, who waits
 *   conn.c      one connection: dialling, its buffer, its errors
 *   conn_h1.c   one exchange over it
 *   h2_int.h    HTTP/2: connections that many calls use
 *   cookies.c, cookies_call.c   the jar, and what calls put into it and take
 *   auth.c, auth_digest.c, auth_token.c   who speaks for a call, and how
 *   hooks.c     functions that see requests and responses
 *   sse.c       events over one connection after another
 *   redirect.c  where a redirect leads, and what may go there
 *   retry.c     which failures and statuses are worth another attempt
 *   hedge.c     a second request beside a slow one
 *   health.c    an origin's budget of retries, its pause, its circuit breaker
 *   response.c  what the caller gets: its body
 *   response_info.c  ... and what it says of itself
 *   response_text.c  its body as text: which encoding
 *   response_iter.c  its body in pieces: bytes, text, lines
 *   exchange.c  how it came: times, the connection, the request as it was sent
 *   upgrade.c   its connection taken over by the caller, after 101 or CONNECT
 *   links.c     where its Link fields lead
 *   save.c      its body in a file
 *   decode.c    its content codings undone
 *
 * A client is immutable but for its list of pools, its TLS context and what it knows of origins'
 * health, which have a lock.
 * Everything else belongs to one loop and is touched on its thread alone.
 */
#ifndef WEFT_CLIENT_CLIENT_INT_H
#define WEFT_CLIENT_CLIENT_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include <weft/auth.h>
#include <weft/certificate.h>
#include <weft/client.h>
#include <weft/cookie.h>
#include <weft/limit.h>
#include <weft/net.h>
#include <weft/tls.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "client/way.h"
#include "proto/h1.h"
#include "proto/header.h"
#include "retry/retry_int.h"
#include "run/run_int.h"

enum { WEFT__METHOD_MAX = 31, WEFT__KEY_SIZE = 37 };

/* ---- configuration ---- */

/* What a call may override. */
struct weft__settings {
    int64_t total;
    int64_t connect;
    int64_t read;
    int64_t write;
    int64_t pool;
    uint64_t body_max;
    uint64_t low_speed_limit;
    int64_t low_speed_time;
    int max_redirects;
    bool follow_redirects;
    bool raise_for_status;
    bool decode;
    size_t line_max;
    const char *encoding;           /* NULL: UTF-8 */
    const weft_retry_policy *retry; /* NULL: one attempt */
};

struct weft__pool_limits {
    size_t connections;
    size_t per_origin;
    size_t idle;
    int64_t idle_timeout;
    int64_t lifetime;
};

/* What is spoken; what a server is found to speak. */
enum weft__http { WEFT__HTTP_1, WEFT__HTTP_ANY, WEFT__HTTP_2 };

struct weft__pool;
struct weft__h2_conn;
struct weft__h2_request;
struct weft__decoder;
struct weft__iter;

enum { WEFT__CHARSET_LABEL = 40 };

struct weft_client {
    weft_limits *user_limits; /* NULL: none */
    atomic_int refs;          /* the user's handle, each pool, each call */
    atomic_bool closed;
    atomic_bool aborts; /* closed, and the calls under way are to end */
    uint64_t id;        /* never used twice, unlike addresses */
    pthread_mutex_t lock;
    struct weft__list pools;  /* under lock */
    struct weft__list health; /* under lock */
    size_t n_health;
    weft_tls *tls[WEFT__TLS_KINDS]; /* each made under lock when it is first needed, then fixed */

    /* Immutable from here on. */
    weft_url *base; /* NULL: URLs are absolute */
    weft_pair *params;
    weft_headers headers;      /* the default fields, credentials included */
    weft_headers open_headers; /* those that any origin may see */
    struct weft__settings settings;
    struct weft__pool_limits limits;
    weft_retry_policy retry;
    int *retry_statuses;
    char *retry_field;
    weft_tls_options *tls_options;
    weft_tls_options *proxy_tls; /* NULL: made of tls_options */
    struct weft__ways ways;
    char *encoding;
    weft_cookies *cookies; /* NULL: none; it has a lock of its own */
    weft_auth *auth;       /* NULL: none, or one whose field is among the default ones */
    char **secret_fields;  /* NULL: none but those that are secret anyhow */
    bool https_only;
    weft_hooks hooks;
    bool close; /* the default fields say "Connection: close" */
    enum weft__http http;
    int64_t ping_interval; /* 0: none */
    int64_t ping_timeout;

    /* Instead of DNS, TCP and, but for a URL behind a proxy, TLS; set before the first call. */
    int (*dial)(void *userdata, const weft_url *url, weft_stream **ret);
    void *dial_userdata;
};

void weft__client_ref(weft_client *client);
void weft__client_unref(weft_client *client);
/* The pool of the running loop, made at the first call. */
int weft__client_pool(weft_client *client, struct weft__pool **ret);
/* Borrowed: it lives as long as the client. */
int weft__client_tls(weft_client *client, enum weft__tls_kind kind, weft_tls **ret);
/* Copies for weft__free(); NULL stays NULL. */
int weft__copy_text(const char *text, char **ret);
int weft__copy_pairs(const weft_pair *pairs, weft_pair **ret);
/* The pool ends, on its own thread. */
void weft__client_forget_pool(const struct weft__pool *pool);

/* ---- connections ---- */

struct weft__call;

/* What is known of a connection for as long as a response of it is there. */
struct weft__conn_info {
    atomic_int refs;
    uint64_t id; /* of no other connection of the process */
    weft_address peer;
    weft_address local;
    const char *tls_version; /* NULL: plain */
    const char *cipher;
    weft_certificate *certificate;
    char *alpn;
    char *proxy; /* without its password */
};

/* When the phases of an attempt ended; by the loop's clock where that is exact enough. */
struct weft__moments {
    int64_t begun;
    int64_t ready;  /* there was a slot, and perhaps a connection */
    int64_t opened; /* there was a connection */
    int64_t sent;
    int64_t first;       /* byte of the answer */
    int64_t resolving;   /* since then */
    int64_t dns;         /* how long; -1: not asked */
    int64_t tls;         /* how long; -1: none */
    uint64_t connection; /* its id; 0: none yet */
    bool reused;
};

/* One slot of the pool, and the connection in it once there is one. */
struct weft__conn {
    struct weft__pool *pool; /* NULL once its loop has ended */
    struct weft__origin *origin;
    struct weft__list node;       /* in pool->conns */
    struct weft__list idle;       /* in origin->idle, newest first */
    struct weft__list age;        /* in pool->idle, oldest first */
    weft_stream *stream;          /* NULL: a slot without a connection */
    struct weft__conn_info *info; /* of stream */
    weft_scope *opening;          /* while it is being connected */
    struct weft__timer ageing;    /* until the client's connection_lifetime is over */
    int64_t opened_at;
    int64_t idle_since;
    uint64_t low_limit; /* bytes a second that must come; 0: any number */
    int64_t low_time;   /* for how long they may not */
    uint64_t low_bytes; /* that came in the present stretch */
    int64_t low_waited; /* in the present stretch */
    uint64_t requests;  /* that it has carried */
    int64_t read_timeout;
    int64_t write_timeout;
    struct weft__h1_head head;
    struct weft__buf out; /* a request head */
    char *in;             /* pages; NULL while idle */
    size_t in_cap;
    size_t in_start;
    size_t in_end;
    weft_limits *permit_of; /* whose permit the slot's user holds; NULL: none */
    int64_t permit_since;
    bool refused;                 /* no answer, or one that asks for fewer requests */
    struct weft__h2_conn *shared; /* the HTTP/2 connection in the slot, or whose stream it has */
    bool light;                   /* it has a stream of a connection, and is no slot */
    bool opener;                  /* others wait to see what its connection will be */
};

/* Fills an empty slot: DNS, TCP and TLS within one time.  ret_h2: what it speaks. */
int weft__conn_open(struct weft__conn *conn, struct weft__call *call, bool *ret_h2);
int weft__conn_info_new(weft_stream *stream, const struct weft__way *way,
                        struct weft__conn_info **ret);
void weft__conn_info_unref(struct weft__conn_info *info); /* NULL is allowed */
/* Ends the connection, not the slot. */
void weft__conn_shut(struct weft__conn *conn);
void weft__conn_set_timeouts(struct weft__conn *conn, int64_t read, int64_t write);
/*
 * Reads more behind the bytes that are there: how many, 0 at the end, or an error with its
 * message.  limit: most bytes that may be kept unread.
 */
int64_t weft__conn_fill(struct weft__conn *conn, size_t limit);
/* As fill, but into the caller's memory. */
int64_t weft__conn_read(struct weft__conn *conn, void *data, size_t len);
/* What a failed write of the request is to the caller, with its message. */
int weft__conn_read_error(struct weft__conn *conn, int err);
int weft__conn_write_error(struct weft__conn *conn, int err);
static inline char *weft__conn_bytes(const struct weft__conn *conn)
{
    return conn->in + conn->in_start;
}
static inline size_t weft__conn_available(const struct weft__conn *conn)
{
    return conn->in_end - conn->in_start;
}
/* The error of a response that comes at less than low_limit. */
int weft__conn_too_slow(const struct weft__conn *conn, double speed);
/* "127.0.0.1:80" of the peer, or the origin where that is not known. */
enum { WEFT__PEER_TEXT = 300 };
const char *weft__conn_peer(const struct weft__conn *conn, char text[WEFT__PEER_TEXT]);

/* ---- the pool ---- */

struct weft__origin {
    struct weft__origin *next; /* of the same bucket */
    struct weft__list idle;
    struct weft__list waiting;   /* for the origin's own limit */
    struct weft__list undecided; /* for what the connection that is being made will be */
    struct weft__list waiters;   /* all who wait, in order of arrival */
    struct weft__list shared;    /* HTTP/2 connections that take streams */
    size_t opening;              /* connections that may become HTTP/2 */
    size_t streams;              /* at a time, as the server has said; 0: it has not yet */
    enum weft__http http;        /* ANY: not known yet */
    bool refuses_h2;             /* it has said that it wants HTTP/1.1 */
    size_t claims; /* slots, and waiters for one that only the pool's limit holds up */
    size_t users;  /* connections and waiters: at 0 it goes */
    uint32_t hash;
    uint16_t port;
    bool secure;
    const char *way;   /* behind host: the way's key */
    const char *proxy; /* behind that: as it is shown, "" for none */
    char host[];
};

struct weft__pool {
    weft_client *client;
    struct weft__loop *loop;
    struct weft__inbox *inbox;
    struct weft__list node; /* in client->pools */
    struct weft__at_exit at_exit;
    struct weft__post post; /* the client was freed on another thread */
    struct weft__pool_limits limits;
    struct weft__list conns;
    struct weft__list idle;     /* oldest first */
    struct weft__list waiting;  /* for the pool's limit, in order of arrival */
    struct weft__list drainers; /* who wait for the end of all calls */
    struct weft__origin **buckets;
    size_t n_buckets;
    size_t n_origins;
    size_t n_conns;
    size_t n_idle;
    size_t n_waiting;
    size_t users; /* calls */
    uint64_t opened;
    uint64_t next_turn;
    struct weft__timer timer;  /* of the oldest idle connection */
    struct weft__spare *spare; /* input buffers */
    size_t n_spare;
    struct weft__list shared; /* HTTP/2 connections, those that have ended too */
    size_t n_shared;          /* of them, those whose tasks run */
    size_t n_ending;          /* of these, those that have ended */
    struct weft__list enders; /* who wait for the end of those tasks */
    size_t n_lights;
    struct weft__timer turns;       /* while anybody waits: is there none for him? */
    struct weft__h2_conn *yielding; /* it takes no more streams, for others to have its slot */
    int64_t moved;                  /* when a slot last went to one who waited */
    size_t n_refusing;              /* origins that are kept because they want HTTP/1.1 */
    struct weft__list spare_lights;
    size_t n_spare_lights;
    bool closed;
    bool aborted;    /* closed, and its calls were ended */
    bool remote;     /* under the client's lock: post is, or will be, on its way */
    bool loop_ended; /* nothing is left but this struct, which post frees */
};

int weft__pool_new(weft_client *client, struct weft__loop *loop, struct weft__pool **ret);
/* Closes idle connections, fails those who wait; the pool goes with its last call. */
void weft__pool_close(struct weft__pool *pool);
/*
 * As close, from another thread: the pool's own thread does it when it next gets to it.
 * Under the client's lock.
 */
void weft__pool_close_remote(struct weft__pool *pool);
/* Of a closed pool that the caller has entered: waits until nobody else uses it. */
int weft__pool_drain(struct weft__pool *pool);
/* n_conns entries: weft__free(). */
int weft__pool_list(const struct weft__pool *pool, weft_pool_connection **ret);
void weft__pool_enter(struct weft__pool *pool);
void weft__pool_leave(struct weft__pool *pool);
/*
 * A slot for the origin of url, with an idle connection if there is one.  Waits its turn, at
 * most timeout.  Every slot must be given back by one of the next two.
 */
int weft__pool_acquire(struct weft__pool *pool, const weft_url *url, const struct weft__way *way,
                       int64_t timeout, struct weft__conn **ret);
/*
 * The empty slot was to be filled: err says how that went, h2 what it speaks.  Then *conn has a
 * stream of it, and the slot belongs to the connection.
 */
int weft__pool_opened(struct weft__conn **conn, int err, bool h2);
/*
 * Of a closed pool: connections of HTTP/2 that have ended end with their tasks, for which in
 * plain code nobody else turns the loop.  In a task it does nothing.
 */
void weft__pool_finish(struct weft__pool *pool);
/* The connection in the slot was made now: it ages from here on. */
int weft__pool_begin_ageing(struct weft__conn *conn);
/* The connection is at the end of a message, and another may follow. */
void weft__pool_release(struct weft__conn *conn, int64_t now);
/* The connection, if there is one, is not to be used again. */
void weft__pool_drop(struct weft__conn *conn);
char *weft__pool_take_buffer(struct weft__pool *pool);
/* size: of the buffer, which may have grown. */
void weft__pool_give_buffer(struct weft__pool *pool, char *buffer, size_t size);
enum { WEFT__IN_FIRST = 16 * 1024, WEFT__IN_MAX = 256 * 1024 };

/* ---- bodies ---- */

/* A body that comes piece by piece, wherever from. */
struct weft__source {
    weft_stream *stream;                                     /* NULL: read is asked */
    int64_t (*read)(void *userdata, void *data, size_t len); /* as body_reader */
    int (*rewind)(void *userdata);                           /* NULL: it cannot be */
    void *userdata;
    uint64_t size;
    bool sized; /* otherwise size means nothing, and the body is sent chunked */
};

/* Bytes, files and functions one behind another: a source. */
struct weft__segments;

int weft__segments_new(struct weft__segments **ret);
void weft__segments_free(struct weft__segments *segments); /* NULL is allowed */
/* Bytes of its own are appended here. */
struct weft__buf *weft__segments_text(struct weft__segments *segments);
/* What was appended to the text since the last segment becomes one. */
int weft__segments_add_text(struct weft__segments *segments);
/* Of the caller, borrowed. */
int weft__segments_add_bytes(struct weft__segments *segments, const void *data, size_t len);
/* Opened when its turn comes; its size is asked for now. */
int weft__segments_add_file(struct weft__segments *segments, const char *path);
/* name: for messages. */
int weft__segments_add_source(struct weft__segments *segments, const char *name,
                              const struct weft__source *source);
/* After the last one: the source that they are together, which borrows them. */
int weft__segments_finish(struct weft__segments *segments, struct weft__source *ret);
/* What is borrowed and not read yet becomes their own; the functions stay the caller's. */
int weft__segments_keep(struct weft__segments *segments);
/* All of it is text: there is nothing to be read. */
bool weft__segments_is_text(const struct weft__segments *segments);

/* The parts as segments; the content type is that of the whole. */
struct weft__multipart {
    struct weft__segments *segments;
    char *content_type; /* weft__free() */
};
/* type: what the caller wants the content type to be, NULL: form-data. */
int weft__multipart_build(const weft_form_part *parts, const char *type,
                          struct weft__multipart *ret);

/* ---- a call ---- */

/* A body on its way: all that sending it needs, so that it may go on without its call. */
struct weft__sending {
    struct weft__source source; /* where reads gets it from */
    const void *body;
    size_t body_len;
    int (*on_upload)(void *userdata, uint64_t sent, uint64_t size);
    void *upload_userdata;
    uint64_t sent; /* bytes */
    bool reads;    /* piece by piece, from the source */
    bool framed;   /* where its length is not known it goes in chunks */
    bool used;     /* the source was asked for something */
    bool failed;   /* the caller's fault */
};

struct weft__call {
    weft_client *client;
    struct weft__pool *pool;
    const weft_request_options *options;
    const char *method;
    weft_url *url; /* of this hop */
    struct weft__settings settings;
    const weft_headers *headers; /* of this hop: own, or the client's */
    weft_headers own;
    const char *content_type;        /* NULL: none of ours */
    char *form;                      /* an encoded form, or other text made for this call */
    char *own_type;                  /* a content type made for this call */
    struct weft__segments *segments; /* of a file or a form with files; NULL: none */
    struct weft__source source;      /* where reads_body gets it from */
    char *userinfo;                  /* of the first URL, as Authorization; NULL: none */
    const void *body;
    size_t body_len;
    bool has_body;
    bool reads_body;          /* piece by piece, from the caller's function or stream */
    bool body_used;           /* something of it was asked for since it began */
    bool body_failed;         /* the caller's fault: nothing is retried */
    bool framed;              /* where its length is not known it is sent in chunks */
    bool stream;              /* the body is left to the caller */
    bool foreign;             /* a redirect has left the origin that credentials are for */
    bool became_get;          /* a redirect has made it one */
    bool expects;             /* the server is asked before the body is sent */
    bool unexpected;          /* a server has refused that */
    bool was_secure;          /* the first hop's URL is https */
    weft_auth *auth;          /* of this hop, the client's or the options'; NULL: none */
    weft_headers auth_fields; /* what it adds to the next request */
    int auth_turn;            /* requests that it has asked for at this hop */
    bool auth_begun;          /* it has been asked for the first one */
    uint64_t auth_number;     /* of the token that it used */
    bool again;               /* the fields are those of a request before this one */
    bool close;               /* our fields say "Connection: close" */
    bool sent;                /* bytes of this attempt's request may have left */
    bool fresh;               /* the next attempt is not for a connection that was used before */
    bool has_key;             /* an Idempotency-Key: it cannot do its work twice */
    char key[WEFT__KEY_SIZE]; /* one that was made for this call */
    weft_address peer;        /* of this attempt, where somebody may ask; empty: nobody yet */
    weft_address avoid;       /* whose connection has failed; empty: none */
    int number;               /* of this attempt */
    int redirects;
    weft_response *history; /* what came before, newest first */
    int64_t started;
    struct weft__moments moments; /* of this attempt */
    struct weft__way way;         /* while there is an attempt */
};

/* Now, as far as the loop knows, and never before the call. */
static inline int64_t weft__call_moment(const struct weft__call *call)
{
    int64_t now = call->pool->loop->now;
    return now > call->started ? now : call->started;
}

/* The text of call->peer. */
void weft__call_peer(const struct weft__call *call, char ret[WEFT_RETRY_PEER]);
/* One request and the head of its answer; gates of the origin's health included. */
int weft__attempt(struct weft__call *call, weft_response **ret);

int weft__call_run(weft_client *client, const char *method, const char *url,
                   const weft_request_options *options, bool stream, weft_response **ret);

/* Checks and merges everything; nothing is sent when it fails. */
int weft__request_init(struct weft__call *call, const char *url);
/* The fields of the present hop, after url, method or foreign have changed. */
int weft__request_set_headers(struct weft__call *call);
/* Is the present hop at the origin that the client's secrets are for? */
bool weft__request_is_home(const struct weft__call *call);
/* Makes the fields of this hop the call's own, where they are the client's. */
int weft__request_own(struct weft__call *call);
/* The number of the attempt in its own field, if the policy has one. */
int weft__request_set_number(struct weft__call *call, const char *field);
void weft__request_done(struct weft__call *call);
/* From now on the server is not asked before the body is sent. */
void weft__request_drop_expectation(struct weft__call *call);
/* Of the present hop. */
const char *weft__request_target(const struct weft__call *call);
/* http or https, with a host. */
int weft__request_check_url(const weft_url *url);
/*
 * Sets fields in place of those of the same name; a NULL value removes them.  away: what is
 * secret for that client is left out; NULL: nothing is.
 */
int weft__request_merge(weft_headers *headers, const weft_pair *pairs, const weft_client *away);
/* By its name, or because the client's options say so. */
bool weft__client_is_secret(const weft_client *client, const char *name, size_t len);
/* Host is one; do the fields ask for the end of the connection? */
int weft__request_check_headers(const weft_headers *headers, bool *ret_close);
/* Without its percent escapes: weft__free(); NULL: no memory. */
char *weft__percent_decoded(const char *text);
/* "Basic " and the rest: weft__free(). */
int weft__basic_value(const char *username, size_t username_len, const char *password,
                      size_t password_len, char **ret);

/* Checks what the options say of the body, and prepares it. */
int weft__body_init(struct weft__call *call);
void weft__body_done(struct weft__call *call);
/* Can the body be sent from its beginning, now or after a rewind? */
bool weft__body_can_repeat(const struct weft__call *call);
/* Rewinds it where that is needed; WEFT_ENOT_REPLAYABLE where it cannot be. */
int weft__body_prepare(struct weft__call *call);
void weft__sending_init(struct weft__sending *sending, const struct weft__call *call);
/* As weft__body_send. */
int weft__sending_run(struct weft__sending *sending, weft_stream *stream,
                      const struct weft__buf *head);
/* Sends all of it behind head, which is not empty or has been sent. */
int weft__body_send(weft_stream *stream, struct weft__call *call, const struct weft__buf *head);
bool weft__body_is_large(const struct weft__call *call);

/*
 * A URL in a sentence: its password and what looks secret in its query masked, without fragment,
 * cut where it is long.  client: whose further secret names count, or NULL.
 */
enum { WEFT__SHOWN = 256 };
const char *weft__shown(const weft_client *client, const weft_url *url, char shown[WEFT__SHOWN]);
#define WEFT__SHOW(url) weft__shown(NULL, (url), (char[WEFT__SHOWN]){""})
/* The same for a log: without userinfo, and whole. */
int weft__shown_append(struct weft__buf *buf, const weft_client *client, const weft_url *url);

/* Sends the request on a connection and reads the head of its final response. */
int weft__h1_exchange(struct weft__conn *conn, struct weft__call *call, bool *ret_answered,
                      bool *ret_reusable);

/* The Cookie field of the next request, on top of the fields of the hop. */
int weft__call_set_cookies(struct weft__call *call);
/* Takes in what a response sets. */
int weft__call_receive_cookies(const struct weft__call *call, const weft_response *response);

/* The fields of who speaks for the call, on top of those of the hop. */
int weft__auth_before(struct weft__call *call);
/* 1: the request is to be sent again; 0: the response is the caller's; or an error. */
int weft__auth_after(struct weft__call *call, weft_response *response);
/* May it be answered by another request, and its body be of no interest to the caller? */
bool weft__auth_holds(const struct weft__call *call, const weft_response *response);
/* Another hop begins. */
void weft__auth_leave(struct weft__call *call);

/* The functions of the client's options, where there are any. */
int weft__hooks_request(struct weft__call *call);
int weft__hooks_informational(const struct weft__call *call, const struct weft__h1_head *head);
/* The same, of fields that are taken apart already. */
int weft__hooks_interim(const struct weft__call *call, int status, const weft_headers *headers);
int weft__hooks_response(const struct weft__call *call, weft_response *response);
void weft__hooks_log(const struct weft__call *call, int result, int status, int64_t began);
void weft__hooks_trace(const struct weft__call *call, weft_trace_kind kind, int result);
void weft__hooks_trace_address(const struct weft__call *call, weft_trace_kind kind,
                               const weft_address *address, int result);
/* Of a connection that belongs to no call any more. */
void weft__hooks_trace_conn(const struct weft__conn *conn, weft_trace_kind kind, int result);

/* Does this response lead elsewhere, with a Location that says where? */
bool weft__redirect_wanted(const struct weft__call *call, const weft_response *response);
/* Makes the call that of the next hop. */
int weft__redirect_follow(struct weft__call *call, weft_response *response);
/* May the call go to its first URL? */
int weft__redirect_check(const struct weft__call *call);
/* Takes a response that the final one has in its history. */
void weft__call_remember(struct weft__call *call, weft_response *response);

/* What is kept of the attempts of a call. */
struct weft__retrying {
    weft_retry_policy policy;
    struct weft__retry_state state;
    weft_retry_stats stats;
    int64_t least; /* what the server said about when to come back; -1: nothing */
    bool moved;    /* a 421 was answered by another connection */
    bool broke;    /* the origin's budget is used up */
    int n_notes;   /* requests of a hedged attempt, in the order in which they began */
    int winner;    /* whose outcome is that of the attempt */
    weft_retry_entry notes[2];
};

void weft__retrying_init(struct weft__retrying *retrying, const struct weft__call *call);
/* Is an attempt that ended with err, or with this response, worth another? */
bool weft__retrying_wants(struct weft__retrying *retrying, const struct weft__call *call, int err,
                          const weft_response *response);
/* Then: may there be one?  Says how long to wait before it, and counts it. */
bool weft__retrying_plan(struct weft__retrying *retrying, struct weft__call *call, int err,
                         const weft_response *response, int64_t *ret_wait);
/* Up to a tenth of a duration. */
int64_t weft__retry_spread(int64_t duration);

bool weft__hedge_wanted(const struct weft__call *call, const weft_retry_policy *policy);
/* As weft__attempt, with a second one if the first takes long; both are noted. */
int weft__hedge_attempt(struct weft__call *call, struct weft__retrying *retrying,
                        weft_response **ret);

/* ---- the health of origins ---- */

enum weft__outcome { WEFT__OUTCOME_UNKNOWN, WEFT__OUTCOME_GOOD, WEFT__OUTCOME_BAD };

/* A call to the origin begins: its share goes into the budget. */
int weft__health_call(weft_client *client, const weft_url *url);
bool weft__health_may_retry(weft_client *client, const weft_url *url,
                            const weft_retry_policy *policy);
void weft__health_spend(weft_client *client, const weft_url *url);
void weft__health_pause(weft_client *client, const weft_url *url, int64_t duration);
int64_t weft__health_paused_for(weft_client *client, const weft_url *url);
/* How long an answer took, of which the last 100 are remembered. */
void weft__health_answered(weft_client *client, const weft_url *url, int64_t took);
/* What so many percent of them took at most, ns; -1 while fewer than 20 are known. */
int64_t weft__health_percentile(weft_client *client, const weft_url *url, int percent);
/* WEFT_ECIRCUIT_OPEN, or 0; each attempt that it lets through is reported. */
int weft__health_admit(weft_client *client, const weft_url *url, const weft_retry_policy *policy,
                       bool *ret_probe);
void weft__health_report(weft_client *client, const weft_url *url, const weft_retry_policy *policy,
                         bool probe, enum weft__outcome outcome);
void weft__health_done(weft_client *client);

/* ---- responses ---- */

/* How the caller has begun to take a body that is not in memory. */
enum weft__taking { WEFT__TAKES_NOTHING, WEFT__TAKES_RAW, WEFT__TAKES_BYTES, WEFT__TAKES_TEXT };

struct weft_response {
    struct weft__conn *conn; /* while the body is not over */
    weft_url *url;
    const char *reason;
    const char *version; /* "HTTP/2" */
    char *own_reason;    /* where it is not the status's usual one */
    struct weft__conn_info *info;
    struct weft__moments moments;
    weft_client *client;             /* held where sent_common is its own */
    const weft_headers *sent_common; /* the request's fields; NULL: they are in sent */
    enum weft__h1_body_kind sent_kind;
    uint64_t sent_length;
    struct weft__h1_body body;
    struct weft__buf content;
    struct weft__buf text;   /* with a NUL; empty: the content is the text */
    struct weft__iter *iter; /* NULL: nobody has taken pieces */
    size_t line_max;
    struct weft__decoder *decoder; /* NULL: there is nothing to undo */
    size_t coded_start;            /* of what it has still to take, in conn->in */
    size_t coded_len;
    uint64_t coded_max; /* bytes of it that are taken at most */
    int64_t content_length;
    int64_t started;
    int64_t elapsed;
    int64_t deadline;
    int64_t total; /* as given, for messages */
    uint64_t body_max;
    uint64_t given; /* bytes of the body that were given out */
    int status;
    int attempts;
    int redirects;
    weft_retry_entry *history; /* NULL: there was one attempt */
    weft_response *previous;   /* a redirect that led here, or a 401 that was answered */
    size_t n_history;
    enum weft__taking taking;
    int error;         /* why the body cannot be read any more; 0: none */
    bool reusable;     /* the connection is, if the body ends well */
    bool in_memory;    /* the whole body is in content */
    bool decode;       /* content codings are to be undone */
    bool text_made;    /* text, or the content, is known to be the text */
    bool encoding_set; /* by the caller, who is asked first */
    bool closed;       /* by the caller */
    bool tunnel;       /* the connection is no longer HTTP's, and may be taken */
    bool was_coded;    /* what is in memory is not what came */
    bool loading;      /* ... or is being read there */
    bool begun;        /* decoder is set, if there is one */
    bool coded_end;    /* nothing more comes for the decoder */
    bool sent_whole;   /* sent has Host and the framing too */
    char method[WEFT__METHOD_MAX + 1];
    char encoding[WEFT__CHARSET_LABEL + 1]; /* set, or the call's default; "": UTF-8 */
    char charset[WEFT__CHARSET_LABEL + 1];  /* of Content-Type, when it was asked for */
    /* From here on nothing is zero at first. */
    weft_headers headers;
    weft_headers trailers;
    weft_headers sent;
};

/* ---- the user's limits: nothing where there are none ---- */

/* A permit for an attempt; weft__limited_leave gives it back if it never gets a connection. */
int weft__limited_enter(const struct weft__call *call);
void weft__limited_leave(const struct weft__call *call);
/* The permit is the slot's from now on. */
void weft__limited_hold(const struct weft__call *call, struct weft__conn *conn);
/* What the server says of its limits, before the slot is given back. */
void weft__limited_feed(struct weft__conn *conn, const weft_response *response);
/* The slot's user is done with it. */
void weft__limited_end(struct weft__conn *conn);

/* From the head that conn has parsed; the response has the connection then, on failure too. */
int weft__response_new(struct weft__conn *conn, struct weft__call *call, bool reusable,
                       weft_response **ret);
/* CONNECT needs a target, and is not redirected. */
int weft__upgrade_check(struct weft__call *call);
/* Does the call ask for a connection that it may take? */
bool weft__upgrade_wanted(const struct weft__call *call);
/* Does a 101 agree to what the call has asked for? */
bool weft__upgrade_is_good(const struct weft__call *call, const struct weft__h1_head *head);
/* The fields that ask for it. */
int weft__upgrade_set_fields(struct weft__call *call);
/* After the head that conn has, it is not HTTP's any more. */
bool weft__upgrade_is_tunnel(const struct weft__call *call, const struct weft__conn *conn);
/* It cannot be said in HTTP/2. */
bool weft__upgrade_needs_h1(const struct weft__call *call);
/* Over HTTP/2 the server must have said that it takes such a request. */
bool weft__upgrade_names_protocol(const struct weft__call *call);
/* Makes an HTTP/2 request that asks for it, where the call does. */
void weft__upgrade_set_request(const struct weft__call *call, struct weft__h2_request *request);
/* The fields of the request that the response answers. */
int weft__response_keep_request(weft_response *response, struct weft__call *call);
void weft__response_drop_request(weft_response *response);
/*
 * 1: the next piece of the body as it comes, of at most max bytes, in the connection's buffer,
 * which is there until the next call; 0: the body is over; or an error.
 */
int weft__response_piece(weft_response *response, size_t max, const char **ret, size_t *ret_len);
/* The body is begun: is there a coding to undo? */
int weft__decode_begin(weft_response *response);
/* Decoded bytes into out: how many, 0 at the end of a body that is whole, or an error. */
int64_t weft__decode(weft_response *response, char *out, size_t out_len);
/* WEFT_ESTREAM_CONSUMED: it was begun in another way. */
int weft__response_take(weft_response *response, enum weft__taking how);
/* weft_response_read() whatever was begun. */
int64_t weft__response_read(weft_response *response, void *data, size_t len);
/* Bytes that were held for a chunk, and are given out otherwise. */
size_t weft__iter_rest(struct weft__iter *iter, void *data, size_t len);
void weft__iter_free(struct weft__iter *iter);
/* How many lines were given out. */
uint64_t weft__response_lines(const weft_response *response);
/* -EINVAL for a label that nobody knows. */
int weft__encoding_check(const char *label);
/* JSON in UTF-8, UTF-16 or UTF-32 as UTF-8: data itself, or what is put into buf. */
int weft__json_text(const char *data, size_t len, struct weft__buf *buf, const char **ret,
                    size_t *ret_len);
/* Reads the body into memory. */
int weft__response_load(weft_response *response);
/* Reads and drops a body that nobody wants, if it is short; otherwise ends the connection. */
void weft__response_discard(weft_response *response);

#endif

/*
 * h2_int.h - HTTP/2 in the client: one connection that many calls use.
 *
 *   h2_conn.c    the connection: who reads it, who writes it, its end
 *   h2_call.c    one exchange over a stream of it
 *   h2_tunnel.c  ... which goes on by another protocol
 *   h2_upload.c  the body of its request
 *   pool_h2.c    who gets a stream, who waits for one
 *
 * The connection takes one slot of the pool, which counts among all others.  What a call holds
 * is a light struct weft__conn with a stream instead of a connection of its own; it takes no
 * slot.  Both end on their own: a connection that has failed leaves its slot at once, and its
 * memory goes with the last call that looks at what has come.
 */
#ifndef WEFT_CLIENT_H2_INT_H
#define WEFT_CLIENT_H2_INT_H

#include "client/client_int.h"
#include "proto/h2.h"

struct weft__h2_conn {
    struct weft__pool *pool;
    struct weft__conn *slot; /* NULL: it has ended */
    struct weft__loop *loop;
    struct weft__list of_pool; /* in pool->shared */
    struct weft__list node;    /* in origin->shared, while it takes streams */
    struct weft__list lights;
    struct weft__list asking;   /* who waits for the server's settings */
    struct weft__list flushing; /* who waits until what was made is the system's */
    uint64_t n_made;            /* batches of output */
    uint64_t n_flushed;         /* of them, as far as anybody has asked */
    size_t n_lights;
    size_t n_pending; /* lights without a stream yet */
    size_t n_tasks;
    weft_stream *stream; /* NULL once both tasks have ended */
    struct weft__h2 *h2;
    char *in;
    size_t in_cap;
    struct weft__buf out;
    struct weft__wait writer;
    weft_scope *reading; /* of the reader's task, while it runs */
    weft_scope *writing; /* of the writer's */
    struct weft__timer ping;
    int64_t turn_began; /* see pool_turns.c */
    int64_t turn;
    int64_t heard;  /* when something came last */
    int64_t pinged; /* when the PING went that nothing has come since; 0: none */
    bool writer_parked;
    bool graced;  /* there was more time for the answer to a PING, as the loop was late */
    bool greeted; /* the server's settings have come */
    bool broken;  /* nothing more can be sent */
    bool ended;
};

/* A task's wait for the next event of a stream. */
struct weft__h2_waiter {
    struct weft__wait wait;
    struct weft__timer timer;
    bool parked;
    bool graced; /* its time was made longer, as the loop was late */
};

struct weft__h2_upload;

/* What a call has of it. */
struct weft__light {
    struct weft__conn conn; /* first; stream is the shared one, NULL once that has ended */
    struct weft__list node; /* in shared->lights */
    struct weft__h2_stream *stream;
    struct weft__h2_waiter reader;
    struct weft__h2_upload *upload; /* the task that sends the body; NULL: there is none */
    weft_scope *uploading;          /* cancelled when there is no use in sending more */
    struct weft__buf aside;         /* of the response, taken out of the way of an upload */
    size_t held;                    /* bytes of the present piece, not given back yet */
    size_t seen;                    /* bytes that stood unread when they were last looked at */
    const struct weft__call *call;  /* until its final response has come */
    struct weft__tunnel *tunnel;    /* what it has become; NULL: a response */
    int interim_error;              /* of the caller's function that saw one */
    unsigned interim;               /* 1xx responses so far */
    bool wanted;                    /* 100 has come */
    bool has_body;                  /* of its request */
    bool flushed;                   /* what it has sent is the system's, or never will be */
    bool early; /* the answer, or the end of the stream, came before the body was sent */
    bool taken; /* something of the response was, since the upload began to wait */
    bool unfit; /* the server takes no request to go on by another protocol */
};

static inline struct weft__light *weft__light_of(struct weft__conn *conn)
{
    return (struct weft__light *)(void *)conn;
}

/* ---- the connection ---- */

/* Takes the stream of slot, and the slot. */
int weft__h2c_new(struct weft__conn *slot, struct weft__h2_conn **ret);
/* Its tasks begin; it may have ended before this returns. */
int weft__h2c_start(struct weft__h2_conn *shared);
/* There may be something to send. */
void weft__h2c_kick(struct weft__h2_conn *shared);
/*
 * Waits until what was made so far is the system's; 0 also where nothing can be sent any more,
 * -ETIMEDOUT without a message.
 */
int weft__h2c_flush(struct weft__h2_conn *shared, int64_t timeout);
/* No stream is there for anybody any more, err says why; 0: it goes in peace. */
void weft__h2c_end(struct weft__h2_conn *shared, int err);
/* Frees it if nothing needs it any more. */
void weft__h2c_check(struct weft__h2_conn *shared);

/* ---- events of the session, for a light ---- */

void weft__h2_on_stream(struct weft__h2_stream *stream, void *owner);
void weft__h2_on_interim(struct weft__h2_stream *stream, void *owner, int status,
                         const weft_headers *headers);

/* ---- one exchange ---- */

/* A timer that says nothing came, but fires late: it goes on, once. */
bool weft__h2_was_late(struct weft__loop *loop, struct weft__timer *timer, bool *graced);
/* 0 after any event of the stream, -ETIMEDOUT without a message, or an error. */
int weft__h2_wait(struct weft__h2_waiter *waiter, int64_t timeout, const char *what);
void weft__h2_wake(struct weft__h2_waiter *waiter, int64_t value);
/* The time-out's message; returns code. */
int weft__h2_timed_out(const struct weft__conn *conn, int code, int64_t timeout);
/* Why nothing more comes, 0: something may. */
int weft__h2_failure(struct weft__light *light);
/* Bytes of the response that were not given out. */
size_t weft__h2_left(const struct weft__light *light);

/* As weft__h1_exchange. */
int weft__h2_exchange(struct weft__conn *conn, struct weft__call *call, bool *ret_answered,
                      bool *ret_reusable);
/* The server has done nothing with the request, and may be asked again at once. */
bool weft__h2_may_repeat(struct weft__call *call, struct weft__conn *conn, int err);
/* The head of the response, and what it says of the body. */
void weft__h2_fill(weft_response *response, struct weft__conn *conn);
/* The fields behind the body, once it is over. */
void weft__h2_finish(weft_response *response, struct weft__conn *conn);
/* As weft__response_piece. */
int weft__h2_piece(weft_response *response, size_t max, const char **ret, size_t *ret_len);
/* As weft__response_read, of what is not coded: 0 at the end. */
int64_t weft__h2_read(weft_response *response, void *data, size_t len);
bool weft__h2_has_unread(struct weft__conn *conn);
/* As weft__decode. */
int64_t weft__h2_decode(weft_response *response, char *out, size_t out_len);

/* ---- a stream that is the caller's ---- */

/* Before an extended CONNECT: 0 once the server has said that it takes one. */
int weft__tunnel_await(struct weft__light *light, const struct weft__call *call);
/* Has the light from then on; on failure nothing has happened. */
int weft__tunnel_new(struct weft__light *light, weft_stream **ret);
/* Something has changed for its stream. */
void weft__tunnel_event(struct weft__tunnel *tunnel);

/* ---- the body of a request ---- */

/*
 * Sends it.  One that comes by pieces goes on in light->upload if this returns 0 because the head
 * of the response has come.
 */
int weft__h2_send(struct weft__light *light, struct weft__call *call);
/* The call returns the response: its upload goes on without the call.  0 or -ENOMEM. */
int weft__h2_upload_detach(struct weft__light *light, struct weft__call *call);
/* Something has happened to the stream. */
void weft__h2_upload_wake(struct weft__light *light);
/* It has not ended. */
bool weft__h2_upload_runs(const struct weft__light *light);
/* It has ended by an error, see weft__h2_upload_error(). */
bool weft__h2_upload_has_failed(const struct weft__light *light);
/* It is what asks: who does cannot wait for it. */
bool weft__h2_upload_is_own(const struct weft__light *light);
/* It belongs to a call that has not returned. */
bool weft__h2_upload_is_attached(const struct weft__light *light);
/* Why it could not be sent whole, 0: it was not kept from that; sets the message anew. */
int weft__h2_upload_error(const struct weft__light *light);
/* Ends it, whatever it does, and waits for that: nothing of the caller's is touched any more. */
void weft__h2_upload_end(struct weft__light *light);

/* ---- the pool's part ---- */

/* A light, if a connection of the origin has room for one more stream; else NULL. */
int weft__pool_take_stream(struct weft__pool *pool, struct weft__origin *origin,
                           struct weft__conn **ret);
void weft__pool_put_light(struct weft__conn *conn);
/* Room, or the will to go on, may have changed. */
void weft__pool_h2_changed(struct weft__h2_conn *shared);
/* The connection in the slot has ended by itself. */
void weft__pool_h2_lost(struct weft__conn *slot);
/* Has a connection of the origin said that it takes an extended CONNECT? */
bool weft__pool_takes_protocol(const struct weft__pool *pool, const weft_url *url, const char *way);
/* No more streams on the connection of this light. */
void weft__pool_h2_leave(struct weft__conn *conn);
/* Streams for those who wait, as far as there are any. */
void weft__pool_give_streams(struct weft__pool *pool, struct weft__origin *origin);

#endif

/*
 * h2_int.h - inside an HTTP/2 connection.
 *
 * A stream's struct lives until its owner has let go of it and nghttp2 has closed it, whichever
 * is later; then it is kept as a spare.  nghttp2's callbacks only note what has happened: the
 * owner's events are called when nghttp2 has returned (weft__h2_flush()), the interim event
 * aside, whose fields are of the call.
 */
#ifndef WEFT_PROTO_H2_INT_H
#define WEFT_PROTO_H2_INT_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "proto/h2.h"

enum {
    WEFT__H2_TEXT = 192,
    WEFT__H2_FRAME_HEAD = 9,
    /* Frames without a body's bytes that a peer may well answer with, see h2_guard.c. */
    WEFT__H2_EARNED_BY_REQUEST = 8,
    WEFT__H2_EARNED_BY_DATA = 4,
};

struct weft__h2_stream {
    struct weft__list node;  /* in streams or spares of its connection */
    struct weft__list dirty; /* in dirty: its owner is to be told */
    struct weft__h2 *h2;
    void *owner;
    int32_t id;
    /* Where it stands. */
    bool sent;       /* its HEADERS have left */
    bool over;       /* counts no more: closed, failed or reset */
    bool closed;     /* by nghttp2, which knows it no more */
    bool abandoned;  /* by its owner */
    bool ended;      /* the response is whole */
    bool peer_reset; /* RST_STREAM came */
    bool cut_short;  /* it has said that it ends, before its content-length */
    bool unprocessed;
    int error;     /* why it is over before its end, with nothing of the peer; 0: see h2_error.c */
    int fault;     /* of the peer in this stream, as nghttp2 calls it; 0: none */
    uint32_t code; /* of an RST_STREAM, ours or the peer's */
    /* The request. */
    struct weft__buf send;
    bool has_body;
    bool is_head;    /* its response has no body, whatever it declares */
    bool send_ended; /* the owner has written all */
    bool sent_all;   /* and END_STREAM has left */
    bool deferred;   /* nghttp2 asks no more for data until it is told */
    bool wants_room; /* the owner was refused */
    /* The response. */
    int status;        /* of the final head, once that is whole */
    int status_coming; /* of the one that is being read */
    unsigned interims;
    size_t list_len; /* of the head that is being read, as RFC 9113 6.5.2 counts */
    weft_headers headers;
    weft_headers trailers;
    int64_t content_length;
    uint64_t received;
    struct weft__buf recv;
    char *into; /* NULL: everything goes to recv */
    size_t into_size;
    size_t into_len;
    /* See h2_window.c. */
    uint32_t window;
    uint64_t round; /* bytes since the last PING of the tuning */
    uint64_t read;  /* of them by the owner */
};

/* See h2_window.c. */
struct weft__h2_window {
    uint32_t size;     /* of the connection */
    uint32_t proven;   /* the largest that a stream needed */
    uint32_t grown;    /* of all streams together, beyond their first windows */
    bool probing;      /* a PING is under way */
    uint64_t since;    /* bytes since the last one */
    uint64_t round;    /* bytes since this one */
    int64_t started;   /* when it was asked for */
    uint64_t best;     /* the highest bandwidth so far, bytes per second */
    uint32_t patience; /* grows while PINGs tell nothing new */
};

/* See h2_guard.c. */
struct weft__h2_guard {
    int64_t tokens;                    /* thousandths of a frame */
    int64_t faults;                    /* thousandths of a stream */
    int64_t filled;                    /* when */
    uint8_t head[WEFT__H2_FRAME_HEAD]; /* of the frame that comes next */
    unsigned head_len;
    uint32_t left; /* bytes of a payload that are still to come */
    unsigned continuations;
};

struct weft__h2 {
    nghttp2_session *session;
    struct weft__h2_events events;
    struct weft__h2_options options;
    struct weft__list streams;
    struct weft__list spares;
    struct weft__list dirty;
    size_t spares_len;
    size_t active;                   /* streams that are not over */
    size_t buffered;                 /* bytes of bodies that are unread */
    struct weft__h2_stream *current; /* whose head is being read; NULL: nobody's */
    size_t data_left;                /* of the DATA frame that is being read */
    int32_t data_id;                 /* its stream */
    int64_t now;
    struct weft__buf control; /* output that came off before it was asked for */
    struct weft__buf *out;    /* where output goes during a call */
    size_t out_max;
    bool control_only;
    nghttp2_nv *fields; /* of a request that is being opened */
    size_t fields_cap;
    unsigned depth;     /* of calls that flush at their end */
    bool changed;       /* events.changed is due */
    bool told;          /* of output that was not fetched yet */
    size_t streams_max; /* of the peer */
    bool settled;       /* the peer knows our SETTINGS */
    bool greeted;       /* the peer's have come */
    bool left;          /* our GOAWAY */
    bool exhausted;     /* no ids any more */
    bool goaway;        /* the peer's */
    bool closing;       /* nghttp2 has given up; found_text says why */
    uint32_t goaway_code;
    uint64_t pings_answered;
    struct weft__h2_window window;
    struct weft__h2_guard guard;
    int error;                /* of the connection */
    char text[WEFT__H2_TEXT]; /* its message */
    /* A failure that was found inside a callback, and is to be dealt with outside. */
    int found;
    uint32_t found_code;
    char found_text[WEFT__H2_TEXT];
};

/* ---- h2.c ---- */

/* Around what may make output or change a stream; leaving the outermost calls the events. */
void weft__h2_enter(struct weft__h2 *h2);
void weft__h2_leave_call(struct weft__h2 *h2);
void weft__h2_mark(struct weft__h2_stream *stream);
/* Notes the failure of the connection that a callback has found; returns what it returns. */
int weft__h2_found(struct weft__h2 *h2, uint32_t code, int err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* All is over: GOAWAY if code says so, and all streams fail. */
void weft__h2_end(struct weft__h2 *h2, int err, bool goaway, uint32_t code, const char *text);
/* Ends the connection if something was found, or if nghttp2 returned an error. */
void weft__h2_settle(struct weft__h2 *h2, int64_t result);

/* ---- h2_stream.c ---- */

/* It counts no more; error 0: what the peer did tells. */
void weft__h2_stream_over(struct weft__h2_stream *stream, int error);
void weft__h2_stream_recycle(struct weft__h2_stream *stream);
void weft__h2_stream_delete(struct weft__h2_stream *stream);

/* ---- h2_recv.c, h2_send.c ---- */

void weft__h2_recv_callbacks(nghttp2_session_callbacks *callbacks);
void weft__h2_send_callbacks(nghttp2_session_callbacks *callbacks);
ssize_t weft__h2_read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                           uint32_t *flags, nghttp2_data_source *source, void *userdata);
/*
 * What is no body goes into control until that holds max bytes, so that a GOAWAY of nghttp2's is
 * seen at once.
 */
int weft__h2_drain_control(struct weft__h2 *h2, size_t max);

/* ---- h2_guard.c ---- */

void weft__h2_guard_init(struct weft__h2_guard *guard);
void weft__h2_guard_refill(struct weft__h2 *h2);
/* A stream was opened, or a frame of a body was sent: the peer has something to answer. */
void weft__h2_guard_earn(struct weft__h2 *h2, int frames);
/*
 * Looks at the frames in what has come; returns how much of it nghttp2 may see, which is less
 * than all of it if the connection is to end there.
 */
size_t weft__h2_guard_scan(struct weft__h2 *h2, const uint8_t *data, size_t len);
/* 0, or what a callback returns when the connection is to end. */
int weft__h2_guard_empty(struct weft__h2 *h2);
int weft__h2_guard_fault(struct weft__h2 *h2);

/* ---- h2_window.c ---- */

extern const uint8_t weft__h2_probe[8];

int weft__h2_window_init(struct weft__h2 *h2);
/* stream NULL: of one that is over. */
int weft__h2_window_arrived(struct weft__h2 *h2, struct weft__h2_stream *stream, size_t len);
int weft__h2_window_consumed(struct weft__h2_stream *stream, size_t len);
int weft__h2_window_probed(struct weft__h2 *h2);
void weft__h2_window_gone(struct weft__h2_stream *stream);

#endif

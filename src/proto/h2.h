/*
 * h2.h - one HTTP/2 connection without its socket (RFC 9113), over nghttp2: bytes in, bytes out.
 *
 * Whoever has the connection feeds what comes to weft__h2_receive() and sends what
 * weft__h2_output() gives.  A stream is a request and its response; its owner looks at it when
 * events.stream says that something has changed, never waits in here, and lets go of it with
 * weft__h2_stream_free() at any time: an exchange that is not over is reset then, and what still
 * comes for it is credited to the connection.
 *
 * Nothing here calls back but the three events, which may call anything but receive, output and
 * free of the connection.
 */
#ifndef WEFT_PROTO_H2_H
#define WEFT_PROTO_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/header.h"

struct weft__h2;
struct weft__h2_stream;

/* Error codes (RFC 9113 7). */
enum weft__h2_code {
    WEFT__H2_NO_ERROR = 0x0,
    WEFT__H2_PROTOCOL_ERROR = 0x1,
    WEFT__H2_INTERNAL_ERROR = 0x2,
    WEFT__H2_FLOW_CONTROL_ERROR = 0x3,
    WEFT__H2_REFUSED_STREAM = 0x7,
    WEFT__H2_CANCEL = 0x8,
    WEFT__H2_ENHANCE_YOUR_CALM = 0xb,
    WEFT__H2_HTTP_1_1_REQUIRED = 0xd,
};

struct weft__h2_events {
    /* Its head, data, room to write, end or failure: owner as given to weft__h2_open(). */
    void (*stream)(struct weft__h2_stream *stream, void *owner);
    /* An interim response; NULL: dropped.  headers are borrowed for the call. */
    void (*interim)(struct weft__h2_stream *stream, void *owner, int status,
                    const weft_headers *headers);
    /* weft__h2_room() or weft__h2_error() may say something else now, or there is output. */
    void (*changed)(void *userdata);
    void *userdata;
};

struct weft__h2_options {
    uint32_t stream_window;     /* first of each stream, bytes; 0: 256 KiB */
    uint32_t connection_window; /* of all streams together, bytes; 0: 1 MiB */
    uint32_t window_max;        /* to which both grow with what the path carries; 0: 16 MiB */
    uint32_t streams;           /* at most at a time; 0: 100 */
    uint32_t header_list;       /* of one response, bytes; 0: WEFT__LIMIT_H2_HEADER_LIST */
};

/* Of a client: its preface and settings are the first output. */
int weft__h2_new(const struct weft__h2_options *options, const struct weft__h2_events *events,
                 struct weft__h2 **ret);
/* Frees what streams are left too: their owners must not touch them any more.  NULL: nothing. */
void weft__h2_free(struct weft__h2 *h2);

/*
 * Takes bytes of the peer; now: of the loop's clock, ns, for the tuning of windows and the
 * budgets against floods.  An error is the connection's end: each stream has failed and was
 * told, and what output is left (GOAWAY) is to be sent before it is closed.
 */
int weft__h2_receive(struct weft__h2 *h2, const char *data, size_t len, int64_t now);
/* The peer sends nothing more, or the transport has failed with err: all streams fail. */
void weft__h2_disconnect(struct weft__h2 *h2, int err);
/*
 * Appends to out what is to be sent; 0 or -ENOMEM.  Bodies stop when it holds max bytes, and a
 * frame of 16 KiB more; what else there is to say goes out whole.
 */
int weft__h2_output(struct weft__h2 *h2, struct weft__buf *out, size_t max);
/* False after an output that has appended nothing: what was left came to nothing. */
bool weft__h2_has_output(const struct weft__h2 *h2);

/* How many streams may be opened now; 0 also once the connection takes no more for ever. */
size_t weft__h2_room(const struct weft__h2 *h2);
/* How many the peer allows at a time, as far as it is known. */
size_t weft__h2_streams_max(const struct weft__h2 *h2);
/* How many are not over. */
size_t weft__h2_streams(const struct weft__h2 *h2);
/* No stream will ever be opened again: GOAWAY came or went, ids are used up, or it has failed. */
bool weft__h2_is_leaving(const struct weft__h2 *h2);
/* Why the connection has ended, 0 while it has not; its message is set. */
int weft__h2_error(const struct weft__h2 *h2);
/* The peer's SETTINGS have come. */
bool weft__h2_is_greeted(const struct weft__h2 *h2);
/* And they allow an extended CONNECT (RFC 8441 3). */
bool weft__h2_takes_protocol(const struct weft__h2 *h2);
/* The peer's GOAWAY said so: asking again on a new connection at once makes it worse. */
bool weft__h2_is_calmed(const struct weft__h2 *h2);
/* PING; answered counts up when its answer has come. */
int weft__h2_ping(struct weft__h2 *h2);
uint64_t weft__h2_pings_answered(const struct weft__h2 *h2);
/* GOAWAY, NO_ERROR: streams that are under way end in peace. */
int weft__h2_leave(struct weft__h2 *h2);
/* No stream is open and every byte that came is credited; for tests. */
bool weft__h2_is_balanced(const struct weft__h2 *h2);

/* ---- streams ---- */

struct weft__h2_request {
    const char *method;
    const char *protocol;  /* of an extended CONNECT (RFC 8441 4); NULL: it is none */
    const char *scheme;    /* NULL: a CONNECT without :scheme and :path, to authority */
    const char *authority; /* otherwise a Host of headers wins, which is never sent itself */
    const char *path;
    const weft_headers *headers; /* names in any case; those of a connection, and that Connection
                                    names, are left out */
    bool has_body;
    bool sized;                 /* else content-length is not sent */
    uint64_t length;            /* of the body */
    char *const *secret_fields; /* names of more secret fields, ends with NULL; NULL: none */
};

/*
 * -EAGAIN: there is no room.  WEFT_EHEADER_TOO_LARGE: the fields are, for us or for the peer by
 * its settings; nothing is sent.  Secret fields, short or changing ones are never put into the
 * peer's table.
 */
int weft__h2_open(struct weft__h2 *h2, const struct weft__h2_request *request, void *owner,
                  struct weft__h2_stream **ret);
/* Resets it with CANCEL if it is not over.  NULL: nothing. */
void weft__h2_stream_free(struct weft__h2_stream *stream);
void weft__h2_reset(struct weft__h2_stream *stream, enum weft__h2_code code);

/*
 * How many bytes of the body were taken, 0: none before events.stream says so, or the stream's
 * error.  What is taken is bounded by a buffer.  -EPIPE: the peer wants no more of it, and its
 * response is whole (weft__h2_stream_error() is 0 then).
 */
int64_t weft__h2_write(struct weft__h2_stream *stream, const void *data, size_t len);
/* The body is whole. */
int weft__h2_write_end(struct weft__h2_stream *stream);
/* Everything that was written has been given to output. */
bool weft__h2_is_written(const struct weft__h2_stream *stream);
/* Bytes that have not been. */
size_t weft__h2_unwritten(const struct weft__h2_stream *stream);

/* Status of the final response, 0 while its head has not come. */
int weft__h2_status(const struct weft__h2_stream *stream);
/* Its fields, without pseudo fields; to be swapped out by the owner if he likes. */
weft_headers *weft__h2_headers(struct weft__h2_stream *stream);
/* Those behind the body; empty before its end. */
weft_headers *weft__h2_trailers(struct weft__h2_stream *stream);
/* -1: not declared. */
int64_t weft__h2_content_length(const struct weft__h2_stream *stream);
/* What of the body is there and unread: borrowed until the next call for this connection. */
size_t weft__h2_data(const struct weft__h2_stream *stream, const char **ret);
/* So much of it was read: the peer may send more. */
void weft__h2_consume(struct weft__h2_stream *stream, size_t len);
/*
 * While nothing is unread, what comes goes to data instead, as far as it fits.  It counts as
 * unread until weft__h2_take(), which ends this and says how much has come: that is read then.
 */
void weft__h2_put_into(struct weft__h2_stream *stream, void *data, size_t len);
size_t weft__h2_take(struct weft__h2_stream *stream);
size_t weft__h2_unread(const struct weft__h2_stream *stream);
/* So much is unread that the peer may send no more before it is read. */
bool weft__h2_is_full(const struct weft__h2_stream *stream);
/* The response is whole; there may be unread data. */
bool weft__h2_is_ended(const struct weft__h2_stream *stream);
/* It counts no more: whole in both directions, failed or reset. */
bool weft__h2_is_over(const struct weft__h2_stream *stream);
/*
 * Why it ended before that, 0: it did not; the message is set anew by each call.
 * WEFT_EREMOTE_PROTOCOL for a reset by the peer, WEFT_EHEADER_TOO_LARGE, WEFT_ETRUNCATED,
 * WEFT_EDISCONNECTED, or what weft__h2_disconnect() was told.
 */
int weft__h2_stream_error(const struct weft__h2_stream *stream);
/* The peer says that it has done nothing with it (REFUSED_STREAM, GOAWAY), or it never left. */
bool weft__h2_is_unprocessed(const struct weft__h2_stream *stream);
/*
 * The code of the RST_STREAM that came for it; WEFT__H2_NO_ERROR: none, or just that.
 * HTTP_1_1_REQUIRED also where a GOAWAY said so.
 */
uint32_t weft__h2_reset_code(const struct weft__h2_stream *stream);
const char *weft__h2_code_name(uint32_t code);

#endif

/*
 * h1.h - HTTP/1.0 and HTTP/1.1 messages: parsing heads and bodies, writing heads (RFC 9112).
 *
 * Nothing here reads, writes or waits.  Parsers take the bytes that have come so far, in
 * one run, and say "more" until they have enough; they may be fed any way of splitting the
 * message and come to the same verdict, in time linear in its length.
 *
 *   struct weft__h1_head head;
 *   weft__h1_head_init(&head);
 *   for each message:
 *       weft__h1_head_reset(&head, "GET");
 *       while ((n = weft__h1_parse_response(&head, bytes, len, limits)) == 0)
 *           read more behind bytes[len - 1]
 *       n > 0: head.fields and the rest point into bytes; the body begins at bytes + n
 *       weft__h1_body_init(&body, head.body, head.content_length, NULL);
 *       weft__h1_body_next(...) until WEFT__H1_END
 *   weft__h1_head_done(&head);
 */
#ifndef WEFT_PROTO_H1_H
#define WEFT_PROTO_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/http.h>

#include "base/buf.h"

/* Bytes that belong to somebody else, without a NUL. */
struct weft__text {
    const char *data;
    size_t len;
};

/* ---- heads ---- */

struct weft__h1_limits {
    size_t start_line; /* bytes of the request or status line */
    size_t head;       /* bytes of the whole head */
    size_t field;      /* bytes of one field line, all its folded lines together */
    size_t fields;     /* how many */
};

/* The defaults of base/limits.h. */
extern const struct weft__h1_limits weft__h1_response_limits;
extern const struct weft__h1_limits weft__h1_request_limits;
extern const struct weft__h1_limits weft__h1_trailer_limits;

struct weft__h1_field {
    const char *name;
    const char *value; /* no blanks around it */
    uint32_t name_len;
    uint32_t value_len;
};

enum weft__h1_body_kind {
    WEFT__H1_NONE,
    WEFT__H1_LENGTH,
    WEFT__H1_CHUNKED,
    WEFT__H1_UNTIL_EOF /* responses only */
};

/* The four forms of a request target, RFC 9112 3.2. */
enum weft__h1_target_form {
    WEFT__H1_ORIGIN,    /* "/path?query" */
    WEFT__H1_ABSOLUTE,  /* "http://host/path": the Host field does not count then */
    WEFT__H1_AUTHORITY, /* "host:port", CONNECT only */
    WEFT__H1_ASTERISK   /* "*", OPTIONS only */
};

enum { WEFT__H1_INLINE_FIELDS = 32 };

struct weft__h1_head {
    /* The message, valid once a parser has returned more than 0. */
    int minor;                /* HTTP/1.minor: 0 or 1 */
    int status;               /* 100..999; of a request: what to answer if it was refused */
    struct weft__text method; /* requests */
    struct weft__text target; /* requests */
    enum weft__h1_target_form form;
    struct weft__text host;   /* requests: the Host field's value, data NULL if there is none */
    struct weft__text reason; /* responses */
    struct weft__h1_field *fields;
    size_t fields_len;

    /* What the fields say about this message and its connection. */
    enum weft__h1_body_kind body; /* how the body ends, RFC 9112 6.3 */
    int64_t content_length;       /* of the field, whatever the method; -1: none */
    bool keep_alive;              /* another message may follow on this connection */
    bool upgrade;                 /* asks for, or with 101 makes, a change of protocol */
    bool expect_continue;         /* requests: waits for 100 before it sends the body */

    /* The parser's own. */
    const char *reply_to; /* the method that a response answers */
    const char *data;     /* where the head begins; what fields point into */
    size_t line;          /* offset of the line that is not parsed yet */
    size_t scanned;       /* offset up to which it was looked at */
    unsigned line_no;     /* from 1, for messages */
    unsigned stage;
    size_t fields_cap;
    struct weft__h1_field first[WEFT__H1_INLINE_FIELDS];
};

void weft__h1_head_init(struct weft__h1_head *head);
void weft__h1_head_done(struct weft__h1_head *head);
/*
 * Ready for the next message; memory is kept.  reply_to is the method of the request that a
 * response answers (borrowed until the response is parsed), NULL before a request.
 */
void weft__h1_head_reset(struct weft__h1_head *head, const char *reply_to);

/*
 * Return the bytes of the head, 0 if there must be more, or WEFT_EREMOTE_PROTOCOL,
 * WEFT_EHEADER_TOO_LARGE or -ENOMEM with a message that says what and in which line.
 *
 * data[0] is the first byte of the message at every call; when 0 was returned, the same bytes
 * come again with more behind them, at the same place or moved to another.  After an error
 * only reset and done are allowed.
 *
 * A folded field of a response is unfolded in place (RFC 9112 5.2: a user agent must), the
 * only case in which bytes are written; in a request it is refused.
 */
int weft__h1_parse_response(struct weft__h1_head *head, char *data, size_t len,
                            const struct weft__h1_limits *limits);
/* Empty lines before the request line are skipped and counted as part of the head. */
int weft__h1_parse_request(struct weft__h1_head *head, const char *data, size_t len,
                           const struct weft__h1_limits *limits);
/* Fields up to and with the empty line; nothing but fields is set in head. */
int weft__h1_parse_trailers(struct weft__h1_head *head, const char *data, size_t len,
                            const struct weft__h1_limits *limits);

/* The bytes were moved: point the head at their new place. */
void weft__h1_head_rebase(struct weft__h1_head *head, const char *data);
/* First field of that name (lower case or not), NULL if there is none. */
const struct weft__h1_field *weft__h1_head_find(const struct weft__h1_head *head, const char *name);
/* Appends all fields to headers. */
int weft__h1_head_copy(const struct weft__h1_head *head, weft_headers *headers);

/*
 * Next element of a comma-separated list, trimmed; empty ones are skipped (RFC 9110 5.6.1).
 * false at the end.
 */
bool weft__list_next(struct weft__text *rest, struct weft__text *ret);

/* ---- bodies ---- */

/* What the two next functions return when it is not an error. */
enum {
    WEFT__H1_MORE = 0, /* every byte was taken, more must come */
    WEFT__H1_DATA = 1, /* a piece of the body stands in *payload */
    WEFT__H1_END = 2   /* the message is over; what was not taken belongs to the next one */
};

struct weft__chunked {
    uint64_t left;          /* bytes of the present chunk to come */
    uint64_t received;      /* bytes of the body so far */
    uint64_t overhead;      /* bytes of size lines that no size needs */
    weft_headers *trailers; /* where they go; NULL: they are checked and dropped */
    struct weft__buf kept;  /* the trailer section, while it is not whole */
    unsigned state;
    unsigned line_len; /* of the present size line */
    unsigned digits;
    bool padded; /* blanks may stand behind a size, where old servers have them */
};

/* trailers: keeps until done; fields are appended to it when the body is over. NULL: dropped. */
void weft__chunked_init(struct weft__chunked *chunked, weft_headers *trailers);
void weft__chunked_done(struct weft__chunked *chunked);
/*
 * Looks at data[0..len), says in *consumed how much of it is done with, and returns
 * WEFT__H1_MORE, WEFT__H1_DATA or WEFT__H1_END, or WEFT_EREMOTE_PROTOCOL,
 * WEFT_EHEADER_TOO_LARGE or -ENOMEM.  *payload points into data.  The caller goes on with
 * data + *consumed; nothing is ever given twice.
 */
int weft__chunked_next(struct weft__chunked *chunked, const char *data, size_t len,
                       size_t *consumed, const char **payload, size_t *payload_len);

struct weft__h1_body {
    enum weft__h1_body_kind kind;
    bool ended;        /* after this nothing is taken */
    uint64_t length;   /* declared, WEFT__H1_LENGTH only */
    uint64_t received; /* bytes of the body so far */
    struct weft__chunked chunked;
};

/* kind and content_length as the head gives them; trailers as for weft__chunked_init. */
void weft__h1_body_init(struct weft__h1_body *body, enum weft__h1_body_kind kind,
                        int64_t content_length, weft_headers *trailers);
void weft__h1_body_done(struct weft__h1_body *body);
/*
 * As weft__chunked_next, for every kind.  body->ended is already set when the last piece of
 * a body of known length is given, and at once for one of length 0.
 */
int weft__h1_body_next(struct weft__h1_body *body, const char *data, size_t len, size_t *consumed,
                       const char **payload, size_t *payload_len);
/* The peer will send nothing more: 0 if the body is whole, else WEFT_ETRUNCATED. */
int weft__h1_body_eof(struct weft__h1_body *body);

/* ---- writing ---- */

/*
 * Writes a request head.  Host comes first: the one of headers if it is there, else host.
 * Framing fields are the writer's alone: Content-Length and Transfer-Encoding of headers
 * are left out, and body says what is written: nothing, Content-Length: length, or
 * Transfer-Encoding: chunked.  WEFT_ELOCAL_PROTOCOL when method, target or host could break
 * the message; -EMSGSIZE beyond the buffer's maximum; nothing is written then.
 */
int weft__h1_write_request(struct weft__buf *buf, const char *method, const char *target,
                           const char *host, const weft_headers *headers,
                           enum weft__h1_body_kind body, uint64_t length);
/*
 * Writes a response head.  date is an IMF-fixdate, NULL writes none; a Date of headers wins.
 * 1xx and 204 never get a framing field (RFC 9112 6.3); close adds "Connection: close".
 */
int weft__h1_write_response(struct weft__buf *buf, int status, const char *date,
                            const weft_headers *headers, enum weft__h1_body_kind body,
                            uint64_t length, bool close);

enum { WEFT__CHUNK_HEAD_MAX = 18 };
#define WEFT__CHUNK_END "0\r\n\r\n" /* the last chunk, no trailers */

/* Writes "SIZE\r\n" for a chunk of len bytes, len > 0; they and "\r\n" follow. Returns its length. */
size_t weft__chunk_head(uint64_t len, char head[WEFT__CHUNK_HEAD_MAX]);

#endif

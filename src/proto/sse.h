/*
 * sse.h - a stream of server-sent events, cut into events (WHATWG HTML 9.2.6).
 *
 * Bytes may come in any pieces.  What an event lends stays until the next call.
 */
#ifndef WEFT_PROTO_SSE_H
#define WEFT_PROTO_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct weft__sse_event {
    const char *event; /* "message" where none was named */
    const char *data;  /* its lines with "\n" between them, a NUL behind */
    size_t data_len;
    const char *id; /* of the last event that had one, "" before */
};

struct weft__sse {
    struct weft__buf line;
    struct weft__buf data;
    struct weft__buf event;
    struct weft__buf id;     /* with its NUL, once there is one */
    struct weft__buf new_id; /* of the event that is being read: it counts once that is whole */
    int64_t retry;           /* ms that the server wants to pass before a new connection; -1 */
    uint64_t seen;           /* bytes, for the mark at the beginning */
    bool after_cr;
    bool has_new_id;
    bool given; /* an event was; its texts go with the next call */
};

/* max: bytes of one event, its names included. */
void weft__sse_init(struct weft__sse *sse, size_t max);
void weft__sse_done(struct weft__sse *sse);
/* A new connection: half an event is forgotten, the id and the time stay. */
void weft__sse_restart(struct weft__sse *sse);
/*
 * Takes from *data: 1 and an event, or 0 when all is taken.  WEFT_ETOO_LONG, -ENOMEM: the
 * stream cannot go on.
 */
int weft__sse_next(struct weft__sse *sse, const char **data, size_t *len,
                   struct weft__sse_event *ret);

#endif

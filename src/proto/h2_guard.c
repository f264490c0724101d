/*
 * h2_guard.c - what a peer may make us do for nothing.
 *
 * Frames that bring nothing (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty DATA, what
 * is unknown) are paid from a budget that fills with time and with what we ask of the peer; so
 * are the streams that it makes us reset by breaking the protocol.  The connection ends with
 * ENHANCE_YOUR_CALM when it is used up.  Frames with a body's bytes are free: windows bound them.
 */
#include "base/error_int.h"
#include "base/limits.h"
#include "proto/h2_int.h"

enum { PARTS = 1000 };

void weft__h2_guard_init(struct weft__h2_guard *guard)
{
    guard->tokens = (int64_t)WEFT__LIMIT_H2_EMPTY_FRAMES * PARTS;
    guard->faults = (int64_t)WEFT__LIMIT_H2_FAULTS * PARTS;
}

static void fill(int64_t *tokens, int64_t more, int64_t max)
{
    *tokens = more < max - *tokens ? *tokens + more : max;
}

void weft__h2_guard_earn(struct weft__h2 *h2, int frames)
{
    fill(&h2->guard.tokens, (int64_t)frames * PARTS, (int64_t)WEFT__LIMIT_H2_EMPTY_FRAMES * PARTS);
}

void weft__h2_guard_refill(struct weft__h2 *h2)
{
    enum { NS_PER_PART = 1000 * 1000 };
    struct weft__h2_guard *guard = &h2->guard;
    int64_t parts = (h2->now - guard->filled) / NS_PER_PART;
    /* Faults come back at one per second. */
    if (guard->filled == 0 || parts < 0)
        guard->filled = h2->now;
    if (parts <= 0 || guard->filled == h2->now)
        return;
    guard->filled += parts * NS_PER_PART;
    if (parts > (int64_t)WEFT__LIMIT_H2_EMPTY_FRAMES * PARTS)
        parts = (int64_t)WEFT__LIMIT_H2_EMPTY_FRAMES * PARTS;
    fill(&guard->tokens, parts * WEFT__LIMIT_H2_EMPTY_FRAMES_SECOND,
         (int64_t)WEFT__LIMIT_H2_EMPTY_FRAMES * PARTS);
    fill(&guard->faults, parts, (int64_t)WEFT__LIMIT_H2_FAULTS * PARTS);
}

int weft__h2_guard_empty(struct weft__h2 *h2)
{
    h2->guard.tokens -= PARTS;
    if (h2->guard.tokens >= 0)
        return 0;
    return weft__h2_found(h2, WEFT__H2_ENHANCE_YOUR_CALM, WEFT_EREMOTE_PROTOCOL,
                          "HTTP/2: the server sends too many frames that bring nothing");
}

int weft__h2_guard_fault(struct weft__h2 *h2)
{
    h2->guard.faults -= PARTS;
    if (h2->guard.faults >= 0)
        return 0;
    return weft__h2_found(h2, WEFT__H2_ENHANCE_YOUR_CALM, WEFT_EREMOTE_PROTOCOL,
                          "HTTP/2: the server breaks the protocol in too many streams");
}

static int count_continuation(struct weft__h2 *h2)
{
    if (++h2->guard.continuations <= WEFT__LIMIT_H2_CONTINUATIONS)
        return 0;
    return weft__h2_found(h2, WEFT__H2_ENHANCE_YOUR_CALM, WEFT_EREMOTE_PROTOCOL,
                          "HTTP/2: a head has more than %d CONTINUATION frames",
                          WEFT__LIMIT_H2_CONTINUATIONS);
}

static int count_frame(struct weft__h2 *h2, uint32_t len, uint8_t type, uint8_t flags)
{
    switch (type) {
    case NGHTTP2_DATA:
        if (len > 0 || (flags & NGHTTP2_FLAG_END_STREAM) != 0)
            return 0;
        break;
    case NGHTTP2_HEADERS:
        h2->guard.continuations = 0;
        break;
    case NGHTTP2_CONTINUATION:
        return count_continuation(h2);
    case NGHTTP2_PUSH_PROMISE:
        /* The SETTINGS that forbid it went before any request that it could belong to. */
        return weft__h2_found(h2, WEFT__H2_PROTOCOL_ERROR, WEFT_EREMOTE_PROTOCOL,
                              "HTTP/2: the server pushes, which it was told not to");
    default:
        break;
    }
    return weft__h2_guard_empty(h2);
}

/* nghttp2 does not tell of frames that it passes over: unknown ones, those of closed streams. */
size_t weft__h2_guard_scan(struct weft__h2 *h2, const uint8_t *data, size_t len)
{
    struct weft__h2_guard *guard = &h2->guard;
    uint8_t *head = guard->head;
    for (size_t at = 0; at < len;) {
        if (guard->left > 0) {
            size_t n = guard->left < len - at ? guard->left : len - at;
            guard->left -= (uint32_t)n;
            at += n;
            continue;
        }
        head[guard->head_len++] = data[at++];
        if (guard->head_len < WEFT__H2_FRAME_HEAD)
            continue;
        guard->head_len = 0;
        guard->left = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
        /* The head itself may go on: what ends the connection is the frame that it begins. */
        if (count_frame(h2, guard->left, head[3], head[4]) != 0)
            return at > WEFT__H2_FRAME_HEAD ? at - WEFT__H2_FRAME_HEAD : 0;
    }
    return len;
}

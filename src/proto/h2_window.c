/*
 * h2_window.c - how much the peer may send.
 *
 * The connection's window is credited when bytes arrive, so that a stream that nobody reads
 * never stalls another; a stream's when its owner has read them.  What waits unread is bounded
 * by the streams' windows: their first ones, and what they have grown, which is window_max for
 * all of them together.
 *
 * While bodies come, a PING measures what arrives in one round trip.  A window of which two
 * thirds are used in one was too small for the path and is doubled, as long as that makes
 * the connection faster: the bandwidth-delay product is found in a few round trips.  PINGs that tell
 * nothing new become rare.  nghttp2 puts credits together until they are half a window.
 */
#include "proto/h2_int.h"

enum { PATIENCE_MAX = 64, BEST_DECAY = 8 };

const uint8_t weft__h2_probe[8] = {'w', 'e', 'f', 't', '-', 'b', 'd', 'p'};

int weft__h2_window_init(struct weft__h2 *h2)
{
    h2->window.size = h2->options.connection_window;
    h2->window.proven = h2->options.stream_window;
    h2->window.patience = 1;
    return nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)h2->window.size);
}

static struct weft__h2_stream *stream_of(struct weft__list *node)
{
    return WEFT__CONTAINER(node, struct weft__h2_stream, node);
}

static int start_probe(struct weft__h2 *h2)
{
    struct weft__h2_window *window = &h2->window;
    window->probing = true;
    window->round = 0;
    window->started = h2->now;
    for (struct weft__list *node = h2->streams.next; node != &h2->streams; node = node->next) {
        stream_of(node)->round = 0;
        stream_of(node)->read = 0;
    }
    weft__h2_guard_earn(h2, 1);
    return nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, weft__h2_probe);
}

int weft__h2_window_arrived(struct weft__h2 *h2, struct weft__h2_stream *stream, size_t len)
{
    struct weft__h2_window *window = &h2->window;
    int err = nghttp2_session_consume_connection(h2->session, len);
    if (err != 0)
        return err;
    window->since += len;
    if (window->probing) {
        window->round += len;
        if (stream != NULL)
            stream->round += len;
        return 0;
    }
    uint64_t due = (uint64_t)(h2->options.stream_window / 2) * window->patience;
    bool grows = window->size < h2->options.window_max || window->grown < h2->options.window_max;
    /* Until the peer knows the first windows, they are not what they are taken for. */
    return h2->settled && grows && window->since >= due ? start_probe(h2) : 0;
}

static int grow_connection(struct weft__h2 *h2)
{
    uint32_t max = h2->options.window_max;
    uint32_t size = h2->window.size <= max / 2 ? 2 * h2->window.size : max;
    if (size <= h2->window.size)
        return 0;
    h2->window.size = size;
    return nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)size);
}

static int grow_stream(struct weft__h2_stream *stream, uint32_t size)
{
    struct weft__h2 *h2 = stream->h2;
    uint32_t room = h2->options.window_max - h2->window.grown;
    if (size > h2->options.window_max)
        size = h2->options.window_max;
    if (size > room && size - room > stream->window)
        size = stream->window + room;
    if (size <= stream->window)
        return 0;
    if (size - stream->window > room)
        size = stream->window + room;
    h2->window.grown += size - stream->window;
    stream->window = size;
    if (size > h2->window.proven)
        h2->window.proven = size;
    return nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, stream->id,
                                                 (int32_t)size);
}

/* Most of it was used in one round trip, and its owner keeps up. */
static bool is_too_small(const struct weft__h2_stream *stream)
{
    return !stream->over && !stream->ended && stream->round * 3 >= (uint64_t)stream->window * 2 &&
           stream->read >= stream->round / 2;
}

int weft__h2_window_probed(struct weft__h2 *h2)
{
    enum { NS_PER_S = 1000 * 1000 * 1000 };
    struct weft__h2_window *window = &h2->window;
    if (!window->probing)
        return 0;
    window->probing = false;
    window->since = 0;
    uint64_t took = h2->now > window->started ? (uint64_t)(h2->now - window->started) : 1;
    uint64_t bandwidth = window->round * NS_PER_S / took;
    uint32_t grown = window->grown;
    uint32_t size = window->size;
    int err = 0;
    if (bandwidth > window->best) {
        window->best = bandwidth;
        if (window->round * 3 >= (uint64_t)window->size * 2)
            err = grow_connection(h2);
        for (struct weft__list *node = h2->streams.next; node != &h2->streams && err == 0;
             node = node->next)
            if (is_too_small(stream_of(node)))
                err = grow_stream(stream_of(node), 2 * stream_of(node)->window);
    }
    if (window->grown != grown || window->size != size) {
        window->patience = 1;
        return err;
    }
    /* One that was measured too high must not end it for ever. */
    window->best -= window->best / BEST_DECAY;
    if (window->patience < PATIENCE_MAX)
        window->patience *= 2;
    return err;
}

int weft__h2_window_consumed(struct weft__h2_stream *stream, size_t len)
{
    struct weft__h2 *h2 = stream->h2;
    int err = nghttp2_session_consume_stream(h2->session, stream->id, len);
    stream->read += len;
    /* A long one begins where the last long one has come to. */
    if (err == 0 && stream->window < h2->window.proven && stream->received >= stream->window / 2)
        err = grow_stream(stream, h2->window.proven);
    return err;
}

void weft__h2_window_gone(struct weft__h2_stream *stream)
{
    stream->h2->window.grown -= stream->window - stream->h2->options.stream_window;
}

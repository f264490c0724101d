/* HTTP/2 sessions: flow control both ways. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "h2_frames.h"

enum {
    WINDOW = WEFT__LIMIT_H2_STREAM_WINDOW,
    FIRST_WINDOW = 65535, /* of the peer, RFC 9113 6.9.2 */
    PIECE = 16384,
};

/* ---- what comes ---- */

static size_t unread(const struct weft__h2_stream *stream)
{
    const char *data;
    return weft__h2_data(stream, &data);
}

static size_t updates_of(const struct peer *peer, int32_t id)
{
    size_t n = 0;
    for (size_t i = 0; i < peer->frames_len; i++)
        n += peer->frames[i].type == NGHTTP2_WINDOW_UPDATE && peer->frames[i].id == id;
    return n;
}

CONVERSATION(slow_reader_never_stalls_its_siblings)
{
    enum { TOTAL = 2 * 1024 * 1024 };
    struct weft__h2_stream *slow = peer_get(peer, "/slow");
    struct weft__h2_stream *fast = peer_get(peer, "/fast");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_headers(peer, 3, 0, STATUS_200);
    peer_zeros(peer, 1, 0, WINDOW);
    ASSERT_OK(peer_feed(peer));
    for (size_t got = 0; got < TOTAL; got += PIECE) {
        peer_zeros(peer, 3, 0, PIECE);
        ASSERT_OK(peer_feed(peer));
        weft__h2_consume(fast, unread(fast));
    }
    ASSERT_INT_EQ(unread(slow), WINDOW);
    ASSERT_INT_EQ(updates_of(peer, 1), 0);
    ASSERT_INT_GT(updates_of(peer, 3), 2);
    weft__h2_consume(slow, WINDOW);
    peer_fetch(peer);
    ASSERT_INT_EQ(updates_of(peer, 1), 1);
    weft__h2_stream_free(slow);
    weft__h2_stream_free(fast);
    peer_fetch(peer);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

/* What they leave unread is more than the connection's window: that is credited as it comes. */
CONVERSATION(slow_readers_together_never_stall_another)
{
    enum { SLOW = 5, TOTAL = 256 * 1024 };
    struct weft__h2_stream *slow[SLOW];
    ASSERT_INT_GT(SLOW * WINDOW, peer->h2->options.connection_window);
    for (int i = 0; i < SLOW; i++) {
        slow[i] = peer_get(peer, "/slow");
        peer_headers(peer, slow[i]->id, 0, STATUS_200);
        peer_zeros(peer, slow[i]->id, 0, WINDOW);
        ASSERT_OK(peer_feed(peer));
    }
    struct weft__h2_stream *fast = peer_get(peer, "/fast");
    peer_headers(peer, fast->id, 0, STATUS_200);
    for (size_t got = 0; got < TOTAL; got += PIECE) {
        peer_zeros(peer, fast->id, 0, PIECE);
        ASSERT_OK(peer_feed(peer));
        weft__h2_consume(fast, unread(fast));
    }
    ASSERT_INT_EQ(weft__h2_stream_error(fast), 0);
    for (int i = 0; i < SLOW; i++) {
        ASSERT_INT_EQ(unread(slow[i]), WINDOW);
        ASSERT_INT_EQ(updates_of(peer, slow[i]->id), 0);
        weft__h2_stream_free(slow[i]);
    }
    weft__h2_stream_free(fast);
    peer_fetch(peer);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(data_goes_where_its_owner_wants_it_while_nothing_is_unread)
{
    char into[10000];
    const char *rest;
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, 0, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    memset(into, 'x', sizeof into);
    weft__h2_put_into(stream, into, sizeof into);
    peer_zeros(peer, 1, 0, PIECE);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_unread(stream), PIECE);
    ASSERT(!weft__h2_is_balanced(peer->h2));
    ASSERT_INT_EQ(weft__h2_take(stream), sizeof into);
    for (size_t i = 0; i < sizeof into; i++)
        ASSERT(into[i] == 0);
    ASSERT_INT_EQ(weft__h2_data(stream, &rest), PIECE - sizeof into);
    /* What is unread stays before what comes. */
    weft__h2_put_into(stream, into, sizeof into);
    peer_data(peer, 1, 0, "behind");
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_take(stream), 0);
    ASSERT_INT_EQ(weft__h2_data(stream, &rest), PIECE - sizeof into + 6);
    weft__h2_consume(stream, unread(stream));
    weft__h2_put_into(stream, into, sizeof into);
    peer_data(peer, 1, 0, "left behind");
    ASSERT_OK(peer_feed(peer));
    weft__h2_stream_free(stream);
    peer_fetch(peer);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(unread_data_is_bounded_by_its_window)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_zeros(peer, 1, 0, WINDOW);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(unread(stream), WINDOW);
    ASSERT(!weft__h2_is_balanced(peer->h2));
    peer_data(peer, 1, 0, "x");
    ASSERT_OK(peer_feed(peer));
    ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 1)->code, WEFT__H2_FLOW_CONTROL_ERROR);
    weft__h2_stream_free(stream);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(credits_are_sent_by_half_windows)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, 0, STATUS_200);
    for (size_t got = 0; got < WINDOW; got += PIECE / 4) {
        peer_zeros(peer, 1, 0, PIECE / 4);
        ASSERT_OK(peer_feed(peer));
        weft__h2_consume(stream, 1);
        weft__h2_consume(stream, PIECE / 4 - 1);
    }
    peer_fetch(peer);
    ASSERT_INT_EQ(updates_of(peer, 1), 2);
    weft__h2_stream_free(stream);
}

CONVERSATION(credit_is_not_sent_for_a_response_that_is_whole)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_zeros(peer, 1, END_STREAM, WINDOW);
    ASSERT_OK(peer_feed(peer));
    weft__h2_consume(stream, WINDOW);
    peer_fetch(peer);
    ASSERT_INT_EQ(updates_of(peer, 1), 0);
    weft__h2_stream_free(stream);
}

/* Has one of the tuning been sent? */
static bool has_ping(struct peer *peer)
{
    const struct frame *frame = peer_next(peer, NGHTTP2_PING);
    return frame != NULL && (frame->flags & ACK) == 0;
}

static void answer_ping(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_PING, ACK, 0, weft__h2_probe, sizeof weft__h2_probe);
}

/* Each round trip of 100 ms brings as much as the windows allow, up to path bytes. */
static void run_path(struct peer *peer, struct weft__h2_stream **streams, size_t len, size_t path,
                     int rounds, bool read)
{
    for (int round = 0; round < rounds; round++) {
        size_t left = path;
        bool pinged = has_ping(peer);
        for (size_t i = 0; i < len; i++) {
            int32_t id = streams[i]->id;
            int32_t window = nghttp2_session_get_stream_local_window_size(peer->h2->session, id);
            int32_t both = nghttp2_session_get_local_window_size(peer->h2->session);
            size_t n = (size_t)(window < both ? window : both);
            n = n < left / (len - i) ? n : left / (len - i);
            left -= n;
            if (n > 0)
                peer_zeros(peer, id, 0, n);
            peer->now += 100000000 / (int)len;
            ASSERT_OK(peer_feed(peer));
        }
        if (pinged)
            answer_ping(peer);
        ASSERT_OK(peer_feed(peer));
        for (size_t i = 0; i < len && read; i++)
            weft__h2_consume(streams[i], unread(streams[i]));
        peer_fetch(peer);
    }
}

static void open_many(struct peer *peer, struct weft__h2_stream **streams, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        streams[i] = peer_get(peer, "/");
        peer_headers(peer, streams[i]->id, 0, STATUS_200);
    }
    ASSERT_OK(peer_feed(peer));
}

TEST(windows_grow_with_the_path_up_to_their_limit)
{
    struct peer peer = {0};
    struct weft__h2_stream *stream;
    peer_init(&peer, NULL, false);
    open_many(&peer, &stream, 1);
    run_path(&peer, &stream, 1, 5 * 512 * 1024, 30, true);
    /* The path carries two and a half: the limit is not needed. */
    ASSERT_INT_GE(stream->window, 5 * 512 * 1024);
    ASSERT_INT_LT(stream->window, WEFT__LIMIT_H2_WINDOW_MAX);
    ASSERT_INT_GE(peer.h2->window.size, 5 * 512 * 1024);
    run_path(&peer, &stream, 1, SIZE_MAX, 12, true);
    ASSERT_INT_EQ(peer.h2->window.size, WEFT__LIMIT_H2_WINDOW_MAX);
    ASSERT_INT_EQ(stream->window, WEFT__LIMIT_H2_WINDOW_MAX);
    weft__h2_stream_free(stream);
    peer_fetch(&peer);
    ASSERT_INT_EQ(peer.h2->window.grown, 0);
    ASSERT(weft__h2_is_balanced(peer.h2));
    /* The next long one starts there. */
    open_many(&peer, &stream, 1);
    peer.in.len = 0;
    run_path(&peer, &stream, 1, SIZE_MAX, 2, true);
    ASSERT_INT_EQ(stream->window, WEFT__LIMIT_H2_WINDOW_MAX);
    weft__h2_stream_free(stream);
    peer_done(&peer);
}

TEST(windows_that_suffice_stay_as_they_are)
{
    struct peer peer = {0};
    struct weft__h2_stream *stream;
    peer_init(&peer, NULL, false);
    open_many(&peer, &stream, 1);
    run_path(&peer, &stream, 1, WINDOW / 2, 100, true);
    ASSERT_INT_EQ(stream->window, WINDOW);
    ASSERT_INT_EQ(peer.h2->window.size, WEFT__LIMIT_H2_CONNECTION_WINDOW);
    /* And the PINGs that say so become rare. */
    ASSERT_INT_LE(peer_count(&peer, NGHTTP2_PING), 8);
    weft__h2_stream_free(stream);
    peer_done(&peer);
}

TEST(windows_of_all_streams_grow_by_one_limit_together)
{
    enum { STREAMS = 20 };
    struct peer peer = {0};
    struct weft__h2_stream *streams[STREAMS];
    peer_init(&peer, NULL, false);
    open_many(&peer, streams, STREAMS);
    run_path(&peer, streams, STREAMS, SIZE_MAX, 20, true);
    size_t sum = 0;
    for (int i = 0; i < STREAMS; i++)
        sum += streams[i]->window;
    ASSERT_INT_GT(sum, 2 * STREAMS * (size_t)WINDOW);
    ASSERT_INT_LE(sum, STREAMS * (size_t)WINDOW + WEFT__LIMIT_H2_WINDOW_MAX);
    for (int i = 0; i < STREAMS; i++)
        weft__h2_stream_free(streams[i]);
    peer_fetch(&peer);
    ASSERT_INT_EQ(peer.h2->window.grown, 0);
    peer_done(&peer);
}

TEST(reader_that_does_not_keep_up_keeps_its_window)
{
    struct peer peer = {0};
    struct weft__h2_stream *stream;
    peer_init(&peer, NULL, false);
    open_many(&peer, &stream, 1);
    run_path(&peer, &stream, 1, SIZE_MAX, 20, false);
    ASSERT_INT_EQ(stream->window, WINDOW);
    ASSERT_INT_EQ(unread(stream), WINDOW);
    weft__h2_stream_free(stream);
    peer_done(&peer);
}

/* ---- what goes ---- */

static void fill(struct weft__h2_stream *stream)
{
    static const char zeros[PIECE];
    while (weft__h2_write(stream, zeros, sizeof zeros) > 0)
        ;
}

/* Writes until the peer's windows are used. */
static void pump(struct peer *peer, struct weft__h2_stream *stream)
{
    size_t before;
    do {
        before = peer->sent.len;
        fill(stream);
        peer_fetch(peer);
    } while (peer->sent.len > before);
}

CONVERSATION(body_stops_at_the_peers_window_and_goes_on)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    pump(peer, stream);
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW);
    /* What is taken beyond it is bounded. */
    ASSERT_INT_EQ(stream->send.len, WEFT__LIMIT_H2_WRITE);
    ASSERT_INT_EQ(weft__h2_write(stream, "x", 1), 0);
    ASSERT(!weft__h2_has_output(peer->h2));
    int told = peer->told;
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 1, 100000);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW);
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, 50000);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW + 50000);
    ASSERT_INT_GT(peer->told, told);
    ASSERT_INT_GT(weft__h2_write(stream, "x", 1), 0);
    weft__h2_stream_free(stream);
}

CONVERSATION(window_update_wakes_every_writer)
{
    enum { WRITERS = 5 };
    struct weft__h2_stream *streams[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        streams[i] = peer_post(peer, "/");
        fill(streams[i]);
    }
    peer_fetch(peer);
    size_t sent = 0;
    for (int i = 0; i < WRITERS; i++)
        sent += peer_data_sent(peer, streams[i]->id);
    ASSERT_INT_EQ(sent, FIRST_WINDOW);
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, WRITERS * FIRST_WINDOW);
    ASSERT_OK(peer_feed(peer));
    for (int i = 0; i < WRITERS; i++) {
        pump(peer, streams[i]);
        ASSERT_INT_EQ(peer_data_sent(peer, streams[i]->id), FIRST_WINDOW);
        weft__h2_stream_free(streams[i]);
    }
}

CONVERSATION(bodies_take_turns)
{
    struct weft__h2_stream *first = peer_post(peer, "/");
    struct weft__h2_stream *second = peer_post(peer, "/");
    fill(first);
    fill(second);
    peer_fetch(peer);
    ASSERT_INT_GE(peer_data_sent(peer, 1), FIRST_WINDOW / 3);
    ASSERT_INT_GE(peer_data_sent(peer, 3), FIRST_WINDOW / 3);
    weft__h2_stream_free(first);
    weft__h2_stream_free(second);
}

CONVERSATION(window_made_smaller_is_negative_and_opens_again)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, 1000000);
    ASSERT_OK(peer_feed(peer));
    pump(peer, stream);
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW);
    peer_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100);
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 1, FIRST_WINDOW - 100);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW);
    ASSERT(!weft__h2_has_output(peer->h2));
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 1, 7);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW + 7);
    peer_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1100);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_data_sent(peer, 1), FIRST_WINDOW + 7 + 1000);
    weft__h2_stream_free(stream);
}

CONVERSATION(window_of_nothing_lets_heads_go)
{
    peer_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    ASSERT_OK(peer_feed(peer));
    struct weft__h2_stream *blocked = peer_post(peer, "/");
    ASSERT_INT_EQ(weft__h2_write(blocked, "x", 1), 1);
    ASSERT_OK(weft__h2_write_end(blocked));
    peer_fetch(peer);
    ASSERT(!weft__h2_is_written(blocked));
    ASSERT(!weft__h2_has_output(peer->h2));
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 1, 1);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_written(blocked));
    weft__h2_stream_free(blocked);
}

CONVERSATION(output_stops_at_what_was_asked_for)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    struct weft__buf out;
    weft__buf_init(&out, SIZE_MAX);
    fill(stream);
    ASSERT_OK(weft__h2_output(peer->h2, &out, 20000));
    ASSERT_INT_GE(out.len, 20000);
    ASSERT_INT_LE(out.len, 20000 + PIECE + 9);
    ASSERT(weft__h2_has_output(peer->h2));
    weft__buf_done(&out);
    weft__h2_stream_free(stream);
}

/* ---- the whole ---- */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

struct exchange {
    struct weft__h2_stream *stream;
    size_t left;
    bool headed;
};

static void step(struct peer *peer, struct exchange *exchange, unsigned *seed)
{
    enum { KINDS = 10 };
    int32_t id = exchange->stream->id;
    unsigned kind = next_random(seed) % KINDS;
    if (!exchange->headed) {
        exchange->headed = true;
        peer_headers(peer, id, 0, STATUS_200);
    }
    size_t n = next_random(seed) % 9000;
    n = n < exchange->left ? n : exchange->left;
    exchange->left -= n;
    peer_zeros(peer, id, exchange->left == 0 ? END_STREAM : 0,
               n == 0 && exchange->left > 0 ? 1 : n);
    exchange->left -= n == 0 && exchange->left > 0;
    if (kind == 0 && exchange->left > 0)
        peer_reset(peer, id, WEFT__H2_CANCEL);
    if (kind == 1)
        weft__h2_reset(exchange->stream, WEFT__H2_CANCEL);
    ASSERT_OK(peer_feed(peer));
    size_t have = unread(exchange->stream);
    weft__h2_consume(exchange->stream, kind == 2 ? have / 2 : have);
    if (kind == 3 || kind == 0 || kind == 1 || exchange->left == 0) {
        weft__h2_stream_free(exchange->stream);
        exchange->stream = NULL;
        peer_fetch(peer);
    }
}

TEST_WITH(ten_thousand_exchanges_leave_the_connection_as_it_was, .limit_s = 60)
{
    enum { OPEN = 50 };
    int total = test_under_valgrind() ? 500 : 10000;
    struct exchange exchanges[OPEN] = {{0}};
    struct peer peer = {0};
    unsigned seed = 7;
    int started = 0;
    peer_init(&peer, NULL, false);
    for (int left = total; left > 0;) {
        struct exchange *exchange = &exchanges[next_random(&seed) % OPEN];
        if (exchange->stream == NULL && started == total && weft__h2_streams(peer.h2) == 0)
            break;
        if (exchange->stream == NULL && started < total) {
            started++;
            exchange->stream = peer_get(&peer, "/");
            exchange->left = next_random(&seed) % 30000;
            exchange->headed = false;
        } else if (exchange->stream != NULL) {
            peer.now += 1000000;
            if (has_ping(&peer))
                answer_ping(&peer);
            step(&peer, exchange, &seed);
        }
    }
    ASSERT_INT_EQ(started, total);
    ASSERT(weft__h2_is_balanced(peer.h2));
    ASSERT_INT_EQ(weft__h2_room(peer.h2), WEFT__LIMIT_H2_STREAMS);
    ASSERT_INT_EQ(peer.h2->window.grown, 0);
    ASSERT_INT_LE(peer.h2->spares_len, OPEN);
    ASSERT_OK(weft__h2_error(peer.h2));
    peer_done(&peer);
}

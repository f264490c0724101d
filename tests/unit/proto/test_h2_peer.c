/* HTTP/2 sessions: the peer's settings, its leave and ours, and no memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "fault.h"
#include "h2_frames.h"

static const struct weft__h2_request get = {
    .method = "GET", .scheme = "https", .authority = "a", .path = "/"};

/* ---- settings ---- */

TEST(streams_are_opened_before_the_peers_settings_came)
{
    struct peer peer = {0};
    peer_init(&peer, NULL, true);
    ASSERT_INT_EQ(weft__h2_room(peer.h2), WEFT__LIMIT_H2_STREAMS);
    struct weft__h2_stream *stream = peer_get(&peer, "/");
    /* It allows none, and says that it has refused this one. */
    peer_setting(&peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    peer_reset(&peer, 1, WEFT__H2_REFUSED_STREAM);
    ASSERT_OK(peer_feed(&peer));
    ASSERT(weft__h2_is_unprocessed(stream));
    ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "REFUSED_STREAM");
    ASSERT_INT_EQ(weft__h2_reset_code(stream), WEFT__H2_REFUSED_STREAM);
    ASSERT_INT_EQ(weft__h2_room(peer.h2), 0);
    ASSERT(!weft__h2_is_leaving(peer.h2));
    weft__h2_stream_free(stream);
    peer_done(&peer);
}

CONVERSATION(streams_max_is_what_settings_say_at_any_time)
{
    struct weft__h2_stream *streams[4];
    for (int i = 0; i < 3; i++)
        streams[i] = peer_get(peer, "/");
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_room(peer->h2), 0);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 3);
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    peer_headers(peer, 3, END_STREAM, STATUS_200);
    peer_headers(peer, 5, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    for (int i = 0; i < 3; i++) {
        ASSERT(weft__h2_is_ended(streams[i]));
        weft__h2_stream_free(streams[i]);
    }
    ASSERT_ERR(weft__h2_open(peer->h2, &get, peer, &streams[3]), -EAGAIN);
    ASSERT(!weft__h2_is_leaving(peer->h2));
    int changed = peer->changed;
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_GT(peer->changed, changed);
    ASSERT_INT_EQ(weft__h2_room(peer->h2), WEFT__LIMIT_H2_STREAMS);
    ASSERT_INT_EQ(weft__h2_streams_max(peer->h2), 1000);
    weft__h2_stream_free(peer_get(peer, "/"));
}

/* Opened while there was room, and not sent yet when the room went. */
CONVERSATION(stream_that_waits_inside_leaves_when_it_may)
{
    struct weft__h2_stream *first = peer_get(peer, "/");
    peer->quiet = true;
    struct weft__h2_stream *second;
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    size_t sent = peer->frames_len;
    ASSERT_OK(weft__h2_open(peer->h2, &get, peer, &second));
    ASSERT_OK(weft__h2_receive(peer->h2, weft__buf_bytes(&peer->in), peer->in.len, 0));
    weft__buf_clear(&peer->in);
    peer->quiet = false;
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_HEADERS), sent > 0 ? 1 : 0);
    ASSERT(!weft__h2_has_output(peer->h2));
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_HEADERS), 2);
    weft__h2_stream_free(first);
    weft__h2_stream_free(second);
}

/* RFC 9113 6.5.2: by names, values and 32 bytes for each field. */
CONVERSATION(request_larger_than_the_peer_takes_is_not_sent)
{
    struct weft__h2_stream *stream;
    const uint32_t size = 4 * 32 + 7 + 3 + 7 + 5 + 10 + 1 + 5 + 1;
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, size - 1);
    ASSERT_OK(peer_feed(peer));
    size_t frames = peer->frames_len;
    ASSERT_ERR(weft__h2_open(peer->h2, &get, peer, &stream), WEFT_EHEADER_TOO_LARGE);
    char expected[64];
    snprintf(expected, sizeof expected, "%u bytes, the server takes %u at most", size, size - 1);
    ASSERT_STR_HAS(weft_error_message(), expected);
    peer_fetch(peer);
    ASSERT_INT_EQ(peer->frames_len, frames);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, size);
    ASSERT_OK(peer_feed(peer));
    ASSERT_OK(weft__h2_open(peer->h2, &get, peer, &stream));
    peer_fetch(peer);
    peer_expect(peer, NGHTTP2_HEADERS, 1);
    weft__h2_stream_free(stream);
}

CONVERSATION(table_of_the_peer_may_have_any_size)
{
    static const uint32_t sizes[] = {0, 1000000, 100, 4096, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        peer_setting(peer, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[i]);
        ASSERT_INT_EQ(nghttp2_hd_inflate_change_table_size(peer->inflater, sizes[i]), 0);
        ASSERT_OK(peer_feed(peer));
        struct weft__h2_stream *stream = peer_get(peer, "/a");
        ASSERT_STR_HAS(peer->fields, ":path: /a\n");
        ASSERT_INT_LE(nghttp2_hd_inflate_get_dynamic_table_size(peer->inflater), sizes[i]);
        ASSERT_INT_LE(nghttp2_session_get_hd_deflate_dynamic_table_size(peer->h2->session), 4096);
        weft__h2_stream_free(stream);
    }
}

CONVERSATION(frames_are_no_longer_than_anybody_allows)
{
    enum { LARGE = 1 << 20, PIECE = 16384 };
    static const char zeros[PIECE];
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_FRAME_SIZE, LARGE);
    peer_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LARGE);
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, LARGE);
    ASSERT_OK(peer_feed(peer));
    struct weft__h2_stream *stream = peer_post(peer, "/");
    while (weft__h2_write(stream, zeros, sizeof zeros) > 0)
        ;
    peer_fetch(peer);
    for (size_t i = 0; i < peer->frames_len; i++)
        ASSERT_INT_LE(peer->frames[i].len, PIECE);
    weft__h2_stream_free(stream);
}

CONVERSATION(settings_are_acknowledged)
{
    for (int i = 0; i < 5; i++)
        peer_setting(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10);
    ASSERT_OK(peer_feed(peer));
    for (int i = 0; i < 5; i++)
        ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_SETTINGS, 0)->flags, ACK);
}

CONVERSATION(settings_say_whether_a_connect_may_name_a_protocol)
{
    struct weft__h2 *h2 = peer->h2;
    ASSERT(weft__h2_is_greeted(h2));
    ASSERT(!weft__h2_takes_protocol(h2));
    peer_setting(peer, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_takes_protocol(h2));
    /* RFC 8441 3: it cannot be taken back. */
    peer_setting(peer, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 0);
    ASSERT_ERR(peer_feed(peer), WEFT_EREMOTE_PROTOCOL);
}

/* ---- GOAWAY ---- */

CONVERSATION(goaway_in_two_steps_lets_what_came_between_end)
{
    struct weft__h2_stream *first = peer_get(peer, "/1");
    peer_goaway(peer, INT32_MAX, WEFT__H2_NO_ERROR);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_leaving(peer->h2));
    ASSERT_OK(weft__h2_error(peer->h2));
    struct weft__h2_stream *second = NULL;
    ASSERT_ERR(weft__h2_open(peer->h2, &get, peer, &second), -EAGAIN);
    peer_headers(peer, 1, 0, STATUS_200);
    peer_goaway(peer, 1, WEFT__H2_NO_ERROR);
    peer_data(peer, 1, END_STREAM, "whole");
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(first));
    peer_expect_data(first, "whole");
    weft__h2_stream_free(first);
    weft__h2_disconnect(peer->h2, 0);
    ASSERT_ERR(weft__h2_error(peer->h2), WEFT_EDISCONNECTED);
    ASSERT_STR_HAS(weft_error_message(), "NO_ERROR");
}

CONVERSATION(goaway_then_the_end_fails_older_streams_as_processed)
{
    struct weft__h2_stream *older = peer_get(peer, "/1");
    struct weft__h2_stream *newer = peer_get(peer, "/2");
    peer_goaway(peer, 1, WEFT__H2_INTERNAL_ERROR);
    ASSERT_OK(peer_feed(peer));
    weft__h2_disconnect(peer->h2, 0);
    ASSERT_ERR(weft__h2_stream_error(older), WEFT_EDISCONNECTED);
    ASSERT_STR_HAS(weft_error_message(), "INTERNAL_ERROR");
    ASSERT(!weft__h2_is_unprocessed(older));
    ASSERT(weft__h2_is_unprocessed(newer));
    weft__h2_stream_free(older);
    weft__h2_stream_free(newer);
}

CONVERSATION(goaway_that_calms_says_so)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    ASSERT(!weft__h2_is_calmed(peer->h2));
    peer_goaway(peer, 0, WEFT__H2_ENHANCE_YOUR_CALM);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_calmed(peer->h2));
    ASSERT(weft__h2_is_unprocessed(stream));
    ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EDISCONNECTED);
    ASSERT_STR_HAS(weft_error_message(), "ENHANCE_YOUR_CALM");
    weft__h2_stream_free(stream);
}

CONVERSATION(http_1_1_required_is_told_by_its_code)
{
    struct weft__h2_stream *first = peer_get(peer, "/1");
    struct weft__h2_stream *second = peer_get(peer, "/2");
    peer_reset(peer, 1, WEFT__H2_HTTP_1_1_REQUIRED);
    peer_goaway(peer, 1, WEFT__H2_HTTP_1_1_REQUIRED);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_reset_code(first), WEFT__H2_HTTP_1_1_REQUIRED);
    ASSERT_INT_EQ(weft__h2_reset_code(second), WEFT__H2_HTTP_1_1_REQUIRED);
    ASSERT(weft__h2_is_unprocessed(second));
    weft__h2_stream_free(first);
    weft__h2_stream_free(second);
}

TEST(goaway_finds_streams_that_never_left_unprocessed)
{
    struct peer peer = {0};
    peer_init(&peer, NULL, false);
    peer.quiet = true;
    struct weft__h2_stream *stream = peer_get(&peer, "/");
    peer_goaway(&peer, INT32_MAX, WEFT__H2_NO_ERROR);
    ASSERT_OK(peer_feed(&peer));
    peer.quiet = false;
    peer_fetch(&peer);
    ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EDISCONNECTED);
    ASSERT(weft__h2_is_unprocessed(stream));
    ASSERT_INT_EQ(peer_count(&peer, NGHTTP2_HEADERS), 0);
    weft__h2_stream_free(stream);
    peer_done(&peer);
}

CONVERSATION(leave_lets_streams_end)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    ASSERT_OK(weft__h2_leave(peer->h2));
    ASSERT_OK(weft__h2_leave(peer->h2));
    ASSERT(weft__h2_is_leaving(peer->h2));
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_GOAWAY, 0)->code, WEFT__H2_NO_ERROR);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_GOAWAY), 1);
    peer_headers(peer, 1, 0, STATUS_200);
    peer_data(peer, 1, END_STREAM, "whole");
    ASSERT_OK(peer_feed(peer));
    peer_expect_data(stream, "whole");
    ASSERT_OK(weft__h2_error(peer->h2));
    weft__h2_stream_free(stream);
}

CONVERSATION(ids_that_are_used_up_make_the_connection_leave)
{
    ASSERT_INT_EQ(nghttp2_session_set_next_stream_id(peer->h2->session, INT32_MAX), 0);
    ASSERT(!weft__h2_is_leaving(peer->h2));
    struct weft__h2_stream *stream = peer_get(peer, "/");
    ASSERT_INT_EQ(stream->id, INT32_MAX);
    ASSERT(weft__h2_is_leaving(peer->h2));
    struct weft__h2_stream *other;
    ASSERT_ERR(weft__h2_open(peer->h2, &get, peer, &other), -EAGAIN);
    peer_headers(peer, INT32_MAX, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    weft__h2_stream_free(stream);
}

/* ---- ends ---- */

CONVERSATION(disconnect_tells_each_stream_what_it_was_told)
{
    struct weft__h2_stream *first = peer_get(peer, "/");
    int told = peer->told;
    weft__fail(-ECONNRESET, "the wire broke");
    weft__h2_disconnect(peer->h2, -ECONNRESET);
    weft__h2_disconnect(peer->h2, 0);
    ASSERT_INT_GT(peer->told, told);
    weft__fail(-EINVAL, "another");
    ASSERT_ERR(weft__h2_stream_error(first), -ECONNRESET);
    ASSERT_STR_EQ(weft_error_message(), "the wire broke");
    ASSERT_ERR(weft__h2_error(peer->h2), -ECONNRESET);
    ASSERT_ERR(weft__h2_ping(peer->h2), -ECONNRESET);
    ASSERT_ERR(weft__h2_leave(peer->h2), -ECONNRESET);
    ASSERT(!weft__h2_has_output(peer->h2));
    ASSERT_INT_EQ(weft__h2_room(peer->h2), 0);
    weft__h2_reset(first, WEFT__H2_CANCEL);
    weft__h2_stream_free(first);
}

static void free_when_told(struct peer *peer, struct weft__h2_stream *stream)
{
    weft__h2_stream_free(stream);
    if (weft__h2_room(peer->h2) > 0)
        ASSERT_OK(weft__h2_open(peer->h2, &get, peer, &stream));
}

/* Events may let go of streams and open others; connections that end do it to all at once. */
CONVERSATION(events_may_free_and_open_streams)
{
    for (int i = 0; i < 5; i++)
        peer_get(peer, "/");
    peer->on_stream = free_when_told;
    for (int32_t id = 1; id <= 9; id += 2)
        peer_headers(peer, id, id == 5 ? END_STREAM : 0, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 5);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_HEADERS), 10);
    peer_frame(peer, NGHTTP2_PING, 0, 1, "12345678", 8);
    ASSERT_ERR(peer_feed(peer), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
    ASSERT(weft__list_is_empty(&peer->h2->streams));
}

/* ---- no memory ---- */

/* What the peer says is there beforehand. */
static struct peer script;

static int64_t fetch_into(struct weft__h2 *h2, struct weft__buf *out)
{
    weft__buf_clear(out);
    return weft__h2_output(h2, out, SIZE_MAX);
}

/* A body there and back, a ping. */
static int exchange(struct weft__h2 *h2, struct weft__buf *out)
{
    struct weft__h2_request post = get;
    struct weft__h2_stream *stream;
    post.method = "POST";
    post.has_body = true;
    int err = weft__h2_open(h2, &post, NULL, &stream);
    if (err < 0)
        return err;
    int64_t n = weft__h2_write(stream, "body", 4);
    if (n == 4)
        n = weft__h2_write_end(stream);
    if (n >= 0)
        n = fetch_into(h2, out);
    if (n >= 0)
        n = weft__h2_receive(h2, weft__buf_bytes(&script.in), script.in.len, 1000);
    if (n >= 0) {
        const char *data;
        weft__h2_consume(stream, weft__h2_data(stream, &data));
        n = weft__h2_stream_error(stream);
    }
    if (n >= 0)
        n = weft__h2_ping(h2);
    if (n >= 0)
        n = fetch_into(h2, out);
    if (n >= 0)
        n = weft__h2_is_ended(stream) ? 0 : -EIO;
    weft__h2_stream_free(stream);
    if (n >= 0)
        n = fetch_into(h2, out);
    return (int)n;
}

/* One abandoned, one reset by the peer, one too new for its GOAWAY. */
static int partings(struct weft__h2 *h2, struct weft__buf *out)
{
    struct weft__h2_stream *streams[3] = {NULL};
    int64_t n = 0;
    for (int i = 0; i < 3 && n >= 0; i++)
        n = weft__h2_open(h2, &get, NULL, &streams[i]);
    if (n >= 0)
        n = fetch_into(h2, out);
    weft__h2_stream_free(streams[0]);
    if (n >= 0)
        n = weft__h2_receive(h2, weft__buf_bytes(&script.in), script.in.len, 1000);
    if (n >= 0 && weft__h2_reset_code(streams[1]) != WEFT__H2_REFUSED_STREAM)
        n = -EIO;
    if (n >= 0 && !weft__h2_is_unprocessed(streams[2]))
        n = -EIO;
    if (n >= 0)
        n = weft__h2_leave(h2);
    weft__h2_stream_free(streams[1]);
    if (n >= 0)
        n = fetch_into(h2, out);
    return (int)n; /* The last one is left to the connection. */
}

static void ignore_stream(struct weft__h2_stream *stream, void *owner)
{
}

static void ignore_change(void *userdata)
{
}

static int converse_without_memory(void *arg)
{
    int (*const *converse)(struct weft__h2 *, struct weft__buf *) = arg;
    const struct weft__h2_events events = {.stream = ignore_stream, .changed = ignore_change};
    struct weft__h2 *h2;
    struct weft__buf out;
    int err = weft__h2_new(NULL, &events, &h2);
    if (err < 0)
        return err;
    weft__buf_init(&out, SIZE_MAX);
    err = (*converse)(h2, &out);
    weft__h2_free(h2);
    weft__buf_done(&out);
    return err;
}

static void begin_script(void)
{
    weft__buf_init(&script.in, SIZE_MAX);
    peer_frame(&script, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    peer_frame(&script, NGHTTP2_SETTINGS, ACK, 0, NULL, 0);
}

TEST_WITH(session_survives_every_failed_allocation, .limit_s = 60)
{
    int (*converse)(struct weft__h2 *, struct weft__buf *) = exchange;
    begin_script();
    peer_headers(&script, 1, 0, FIELDS({":status", "200"}, {"a", "b"}));
    peer_zeros(&script, 1, 0, 200000);
    peer_frame(&script, NGHTTP2_PING, 0, 0, "12345678", 8);
    peer_headers(&script, 1, END_STREAM, FIELDS({"c", "d"}));
    FAULTS(converse_without_memory, &converse, .plain = true);
    weft__buf_done(&script.in);
}

TEST_WITH(partings_survive_every_failed_allocation, .limit_s = 60)
{
    int (*converse)(struct weft__h2 *, struct weft__buf *) = partings;
    begin_script();
    peer_headers(&script, 1, 0, STATUS_200);
    peer_zeros(&script, 1, END_STREAM, 200000);
    peer_reset(&script, 3, WEFT__H2_REFUSED_STREAM);
    peer_goaway(&script, 3, WEFT__H2_NO_ERROR);
    FAULTS(converse_without_memory, &converse, .plain = true);
    weft__buf_done(&script.in);
}

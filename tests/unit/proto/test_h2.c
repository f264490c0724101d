/* HTTP/2 sessions: what goes well. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "h2_frames.h"

TEST(preface_is_the_first_output)
{
    struct peer peer = {0};
    peer_init(&peer, NULL, true);
    peer_fetch(&peer);
    const struct frame *frame = peer_expect(&peer, -1, 0);
    ASSERT_INT_EQ(frame->type, NGHTTP2_SETTINGS);
    /* ENABLE_PUSH 0, INITIAL_WINDOW_SIZE 256 KiB, MAX_HEADER_LIST_SIZE 256 KiB. */
    ASSERT_MEM_EQ(weft__buf_bytes(&peer.sent) + frame->at,
                  "\0\2\0\0\0\0"
                  "\0\4\0\4\0\0"
                  "\0\6\0\4\0\0",
                  18);
    frame = peer_expect(&peer, NGHTTP2_WINDOW_UPDATE, 0);
    ASSERT_INT_EQ(frame->code, 1024 * 1024 - 65535);
    ASSERT(!weft__h2_has_output(peer.h2));
    peer_done(&peer);
}

CONVERSATION(response_with_a_body_is_whole)
{
    struct weft__h2_stream *stream = peer_get(peer, "/a?b");
    const struct frame *frame = peer_expect(peer, NGHTTP2_HEADERS, 1);
    ASSERT_INT_EQ(frame->flags, END_HEADERS | END_STREAM);
    ASSERT_STR_EQ(peer->fields, ":method: GET\n:scheme: https\n:authority: example.org\n"
                                ":path: /a?b\n");
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 1);
    ASSERT_INT_EQ(weft__h2_room(peer->h2), 99);
    peer_headers(peer, 1, 0, FIELDS({":status", "200"}, {"content-length", "11"}, {"x-a", " b\t"}));
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_GT(peer->told, 0);
    ASSERT_INT_EQ(weft__h2_status(stream), 200);
    ASSERT_INT_EQ(weft__h2_content_length(stream), 11);
    ASSERT_STR_EQ(weft_headers_get(weft__h2_headers(stream), "X-A"), "b");
    ASSERT(!weft__h2_is_ended(stream));
    peer_data(peer, 1, 0, "hello ");
    peer_data(peer, 1, END_STREAM, "world");
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    ASSERT_OK(weft__h2_stream_error(stream));
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
    peer_expect_data(stream, "hello world");
    ASSERT_INT_EQ(weft_headers_count(weft__h2_trailers(stream)), 0);
    ASSERT(weft__h2_is_balanced(peer->h2));
    weft__h2_stream_free(stream);
    ASSERT(!weft__h2_has_output(peer->h2));
}

CONVERSATION(request_body_goes_out_in_frames_and_ends)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_HEADERS, 1)->flags, END_HEADERS);
    ASSERT_INT_EQ(weft__h2_write(stream, "abc", 3), 3);
    ASSERT(!weft__h2_is_written(stream));
    peer_fetch(peer);
    ASSERT(weft__h2_is_written(stream));
    ASSERT_INT_EQ(weft__h2_write(stream, "defg", 4), 4);
    ASSERT_OK(weft__h2_write_end(stream));
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_DATA, 1)->flags, 0);
    const struct frame *frame = peer_expect(peer, NGHTTP2_DATA, 1);
    ASSERT_INT_EQ(frame->flags, END_STREAM);
    ASSERT_MEM_EQ(weft__buf_bytes(&peer->sent) + frame->at, "defg", 4);
    ASSERT(weft__h2_is_written(stream));
    ASSERT_ERR((int)weft__h2_write(stream, "x", 1), -EINVAL);
    peer_headers(peer, 1, END_STREAM, FIELDS({":status", "204"}));
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    weft__h2_stream_free(stream);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(empty_request_body_is_one_frame)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    ASSERT_OK(weft__h2_write_end(stream));
    peer_fetch(peer);
    const struct frame *frame = peer_expect(peer, NGHTTP2_DATA, 1);
    ASSERT_INT_EQ(frame->len, 0);
    ASSERT_INT_EQ(frame->flags, END_STREAM);
    weft__h2_stream_free(stream);
}

CONVERSATION(streams_beyond_the_room_wait)
{
    struct weft__h2_stream *streams[3];
    const struct weft__h2_request request = {
        .method = "GET", .scheme = "http", .authority = "a", .path = "/"};
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_streams_max(peer->h2), 2);
    streams[0] = peer_get(peer, "/0");
    streams[1] = peer_get(peer, "/1");
    ASSERT_ERR(weft__h2_open(peer->h2, &request, peer, &streams[2]), -EAGAIN);
    int changed = peer->changed;
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_GT(peer->changed, changed);
    ASSERT_INT_EQ(weft__h2_room(peer->h2), 1);
    streams[2] = peer_get(peer, "/2");
    ASSERT_INT_EQ(streams[2]->id, 5);
    for (int i = 0; i < 3; i++)
        weft__h2_stream_free(streams[i]);
    peer_fetch(peer);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(abandoned_stream_is_reset_and_its_late_data_is_credited)
{
    enum { ROUNDS = 20, BYTES = 100000 };
    for (int32_t id = 1; id <= 2 * ROUNDS; id += 2) {
        struct weft__h2_stream *stream = peer_get(peer, "/");
        peer_headers(peer, id, 0, STATUS_200);
        peer_data(peer, id, 0, "first");
        ASSERT_OK(peer_feed(peer));
        weft__h2_stream_free(stream);
        peer_zeros(peer, id, END_STREAM, BYTES);
        ASSERT_OK(peer_feed(peer));
        const struct frame *frame = peer_expect(peer, NGHTTP2_RST_STREAM, id);
        ASSERT_INT_EQ(frame->code, WEFT__H2_CANCEL);
        ASSERT(weft__h2_is_balanced(peer->h2));
    }
    ASSERT_INT_GT(peer_count(peer, NGHTTP2_WINDOW_UPDATE), 2);
}

CONVERSATION(goaway_leaves_older_streams_alone)
{
    struct weft__h2_stream *first = peer_get(peer, "/1");
    struct weft__h2_stream *second = peer_get(peer, "/2");
    peer_goaway(peer, 1, WEFT__H2_NO_ERROR);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_leaving(peer->h2));
    ASSERT_INT_EQ(weft__h2_room(peer->h2), 0);
    ASSERT(weft__h2_is_unprocessed(second));
    ASSERT_ERR(weft__h2_stream_error(second), WEFT_EDISCONNECTED);
    ASSERT_OK(weft__h2_stream_error(first));
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(first));
    weft__h2_stream_free(first);
    weft__h2_stream_free(second);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
}

CONVERSATION(reset_by_the_server_is_an_error_of_that_stream)
{
    struct weft__h2_stream *first = peer_get(peer, "/1");
    struct weft__h2_stream *second = peer_get(peer, "/2");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_reset(peer, 1, WEFT__H2_INTERNAL_ERROR);
    peer_headers(peer, 3, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT_ERR(weft__h2_stream_error(first), WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "INTERNAL_ERROR");
    ASSERT_INT_EQ(weft__h2_reset_code(first), WEFT__H2_INTERNAL_ERROR);
    ASSERT(!weft__h2_is_unprocessed(first));
    ASSERT(weft__h2_is_ended(second));
    weft__h2_stream_free(first);
    weft__h2_stream_free(second);
}

CONVERSATION(connection_error_fails_every_stream)
{
    struct weft__h2_stream *first = peer_get(peer, "/1");
    struct weft__h2_stream *second = peer_get(peer, "/2");
    peer_u32(peer, NGHTTP2_PING, 0, 1); /* of four bytes */
    ASSERT_ERR(peer_feed(peer), WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "FRAME_SIZE_ERROR");
    ASSERT_ERR(weft__h2_stream_error(first), WEFT_EREMOTE_PROTOCOL);
    ASSERT_ERR(weft__h2_stream_error(second), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_GOAWAY, 0)->code, 6);
    ASSERT(!weft__h2_has_output(peer->h2));
    ASSERT_ERR(weft__h2_receive(peer->h2, "x", 1, 0), WEFT_EREMOTE_PROTOCOL);
    weft__h2_stream_free(first);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
}

CONVERSATION(end_of_the_connection_fails_what_is_not_whole)
{
    struct weft__h2_stream *before = peer_get(peer, "/1");
    struct weft__h2_stream *within = peer_get(peer, "/2");
    struct weft__h2_stream *whole = peer_get(peer, "/3");
    peer_headers(peer, 3, 0, STATUS_200);
    peer_headers(peer, 5, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    weft__h2_disconnect(peer->h2, 0);
    ASSERT_ERR(weft__h2_stream_error(before), WEFT_EDISCONNECTED);
    ASSERT_ERR(weft__h2_stream_error(within), WEFT_ETRUNCATED);
    ASSERT_OK(weft__h2_stream_error(whole));
    ASSERT_ERR(weft__h2_error(peer->h2), WEFT_EDISCONNECTED);
    ASSERT(!weft__h2_is_unprocessed(before));
    weft__h2_stream_free(before);
    weft__h2_stream_free(whole);
}

CONVERSATION(ping_is_answered_both_ways)
{
    peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    ASSERT_OK(peer_feed(peer));
    const struct frame *frame = peer_expect(peer, NGHTTP2_PING, 0);
    ASSERT_INT_EQ(frame->flags, ACK);
    ASSERT_MEM_EQ(weft__buf_bytes(&peer->sent) + frame->at, "12345678", 8);
    ASSERT_OK(weft__h2_ping(peer->h2));
    peer_fetch(peer);
    frame = peer_expect(peer, NGHTTP2_PING, 0);
    ASSERT_INT_EQ(frame->flags, 0);
    ASSERT_INT_EQ(weft__h2_pings_answered(peer->h2), 0);
    peer_frame(peer, NGHTTP2_PING, ACK, 0, weft__buf_bytes(&peer->sent) + frame->at, 8);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_pings_answered(peer->h2), 1);
}

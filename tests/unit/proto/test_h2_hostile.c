/* HTTP/2 sessions: peers that break the protocol, or keep to it to do harm (RFC 9113 10.5). */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "h2_frames.h"

enum {
    FRAME_SIZE_ERROR = 6,
    STREAM_CLOSED = 5,
    COMPRESSION_ERROR = 9,
    UNKNOWN_TYPE = 0xfa,
};

/* ---- one frame that ends the connection ---- */

static void data_of_the_connection(struct peer *peer)
{
    peer_data(peer, 0, 0, "x");
}

static void data_of_an_idle_stream(struct peer *peer)
{
    peer_data(peer, 99, 0, "x");
}

static void head_of_an_idle_stream(struct peer *peer)
{
    peer_headers(peer, 99, 0, STATUS_200);
}

static void head_of_a_stream_of_its_own(struct peer *peer)
{
    peer_headers(peer, 2, 0, STATUS_200);
}

static void head_of_the_connection(struct peer *peer)
{
    peer_headers(peer, 0, 0, STATUS_200);
}

static void push(struct peer *peer)
{
    struct weft__buf block;
    weft__buf_init(&block, SIZE_MAX);
    ASSERT_OK(weft__buf_append(&block, "\0\0\0\2", 4));
    peer_block(&block, FIELDS({":method", "GET"}, {":scheme", "https"}, {":authority", "a"},
                              {":path", "/pushed"}));
    peer_frame(peer, NGHTTP2_PUSH_PROMISE, END_HEADERS, 1, weft__buf_bytes(&block), block.len);
    weft__buf_done(&block);
}

static void short_settings(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, "12345", 5);
}

static void settings_of_a_stream(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 1, NULL, 0);
}

static void settings_ack_with_settings(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_SETTINGS, ACK, 0, "\0\3\0\0\0\1", 6);
}

static void settings_that_ask_for_pushes(struct peer *peer)
{
    peer_setting(peer, NGHTTP2_SETTINGS_ENABLE_PUSH, 1);
}

static void settings_with_a_huge_window(struct peer *peer)
{
    peer_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000u);
}

static void settings_with_small_frames(struct peer *peer)
{
    peer_setting(peer, NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16383);
}

static void short_ping(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_PING, 0, 0, "1234567", 7);
}

static void ping_of_a_stream(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_PING, 0, 1, "12345678", 8);
}

static void window_update_of_nothing(struct peer *peer)
{
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, 0);
}

static void window_update_beyond_all(struct peer *peer)
{
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, 0x7fffffff);
}

static void short_window_update(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 0, "123", 3);
}

static void window_update_of_an_idle_stream(struct peer *peer)
{
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 99, 1);
}

static void short_goaway(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_GOAWAY, 0, 0, "1234567", 7);
}

static void goaway_of_a_stream(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8);
}

static void goaway_whose_last_stream_rises(struct peer *peer)
{
    peer_goaway(peer, 1, 0);
    peer_goaway(peer, 3, 0);
}

static void reset_of_the_connection(struct peer *peer)
{
    peer_reset(peer, 0, 8);
}

static void reset_of_an_idle_stream(struct peer *peer)
{
    peer_reset(peer, 99, 8);
}

static void short_reset(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_RST_STREAM, 0, 1, "123", 3);
}

static void continuation_of_nothing(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_CONTINUATION, END_HEADERS, 1, NULL, 0);
}

static void continuation_of_another_stream(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_HEADERS, 0, 1, "\x88", 1);
    peer_frame(peer, NGHTTP2_CONTINUATION, END_HEADERS, 3, NULL, 0);
}

static void frame_within_a_head(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_HEADERS, 0, 1, "\x88", 1);
    peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void frame_that_is_too_long(struct peer *peer)
{
    static const char bytes[16385];
    peer_frame(peer, UNKNOWN_TYPE, 0, 1, bytes, sizeof bytes);
}

static void data_with_more_padding_than_bytes(struct peer *peer)
{
    peer_headers(peer, 1, 0, STATUS_200);
    peer_frame(peer, NGHTTP2_DATA, PADDED, 1, "\5abc", 4);
}

static void head_with_more_padding_than_bytes(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_HEADERS, PADDED | END_HEADERS, 1, "\5\x88", 2);
}

static void fields_that_cannot_be_decoded(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff", 6);
}

static void field_of_no_index(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_HEADERS, END_HEADERS, 1, "\x80", 1);
}

static void table_larger_than_allowed(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_HEADERS, END_HEADERS, 1, "\x3f\xe2\x1f\x88", 4); /* 4097 */
}

static void body_before_its_head(struct peer *peer)
{
    peer_data(peer, 1, END_STREAM, "body");
}

static const struct {
    void (*say)(struct peer *peer);
    const char *what;
    uint32_t code;
} deadly[] = {
#define DEADLY(say, code)                                                                          \
    {                                                                                              \
        say, #say, code                                                                            \
    }
    DEADLY(data_of_the_connection, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(data_of_an_idle_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(head_of_an_idle_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(head_of_a_stream_of_its_own, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(head_of_the_connection, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(push, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(short_settings, FRAME_SIZE_ERROR),
    DEADLY(settings_of_a_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(settings_ack_with_settings, FRAME_SIZE_ERROR),
    DEADLY(settings_that_ask_for_pushes, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(settings_with_a_huge_window, WEFT__H2_FLOW_CONTROL_ERROR),
    DEADLY(settings_with_small_frames, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(short_ping, FRAME_SIZE_ERROR),
    DEADLY(ping_of_a_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(window_update_of_nothing, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(window_update_beyond_all, WEFT__H2_FLOW_CONTROL_ERROR),
    DEADLY(short_window_update, FRAME_SIZE_ERROR),
    DEADLY(window_update_of_an_idle_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(short_goaway, FRAME_SIZE_ERROR),
    DEADLY(goaway_of_a_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(goaway_whose_last_stream_rises, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(reset_of_the_connection, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(reset_of_an_idle_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(short_reset, FRAME_SIZE_ERROR),
    DEADLY(continuation_of_nothing, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(continuation_of_another_stream, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(frame_within_a_head, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(frame_that_is_too_long, FRAME_SIZE_ERROR),
    DEADLY(data_with_more_padding_than_bytes, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(head_with_more_padding_than_bytes, WEFT__H2_PROTOCOL_ERROR),
    DEADLY(fields_that_cannot_be_decoded, COMPRESSION_ERROR),
    DEADLY(field_of_no_index, COMPRESSION_ERROR),
    DEADLY(table_larger_than_allowed, COMPRESSION_ERROR),
    DEADLY(body_before_its_head, WEFT__H2_PROTOCOL_ERROR),
};

static void expect_death(struct peer *peer, const char *what, uint32_t code)
{
    int err = peer_feed(peer);
    if (err != WEFT_EREMOTE_PROTOCOL)
        FAIL("%s: %d", what, err);
    const struct frame *frame = peer_next(peer, NGHTTP2_GOAWAY);
    if (frame == NULL || frame->code != code)
        FAIL("%s: GOAWAY %d, expected %u: %s", what, frame == NULL ? -1 : (int)frame->code, code,
             weft_error_message());
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
    ASSERT_INT_EQ(weft__h2_room(peer->h2), 0);
    ASSERT(!weft__h2_has_output(peer->h2));
}

static void each_deadly(struct peer *peer)
{
    int mode = peer->mode;
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        struct peer other = {.mode = mode};
        peer_init(&other, NULL, false);
        struct weft__h2_stream *stream = peer_get(&other, "/");
        deadly[i].say(&other);
        expect_death(&other, deadly[i].what, deadly[i].code);
        ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EREMOTE_PROTOCOL);
        weft__h2_stream_free(stream);
        peer_done(&other);
    }
}

TEST(frame_that_breaks_the_protocol_ends_the_connection)
{
    peer_converse(each_deadly, NULL);
}

TEST(preface_that_is_none_ends_the_connection)
{
    static const char *const rows[] = {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
                                       "\0\0\0\6\0\0\0\0\0", "SSH-2.0-OpenSSH_9.2p1\r\n......"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int mode = 0; mode < 3; mode++) {
            struct peer peer = {.mode = mode};
            peer_init(&peer, NULL, true);
            struct weft__h2_stream *stream = peer_get(&peer, "/");
            ASSERT_OK(weft__buf_append(&peer.in, rows[i], i == 1 ? 9 : strlen(rows[i])));
            ASSERT_ERR(peer_feed(&peer), WEFT_EREMOTE_PROTOCOL);
            ASSERT_INT_EQ(peer_count(&peer, NGHTTP2_GOAWAY), 1);
            ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EREMOTE_PROTOCOL);
            peer_done(&peer);
        }
    }
}

/* ---- what ends a stream, or nothing ---- */

CONVERSATION(window_update_beyond_all_ends_its_stream)
{
    struct weft__h2_stream *first = peer_post(peer, "/");
    struct weft__h2_stream *second = peer_post(peer, "/");
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 1, 0x7fffffff);
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 3, 0x7fff0000);
    ASSERT_OK(peer_feed(peer));
    ASSERT_ERR(weft__h2_stream_error(first), WEFT_EREMOTE_PROTOCOL);
    ASSERT_OK(weft__h2_stream_error(second));
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 1)->code, WEFT__H2_FLOW_CONTROL_ERROR);
    weft__h2_stream_free(first);
    weft__h2_stream_free(second);
}

CONVERSATION(frames_of_a_stream_that_is_over_are_passed_over)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    peer_reset(peer, 1, WEFT__H2_NO_ERROR);
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 1, 10);
    peer_frame(peer, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\0", 5);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    weft__h2_stream_free(stream);
}

CONVERSATION(data_behind_the_end_of_a_response_ends_the_stream_or_the_connection)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    peer_data(peer, 1, 0, "more");
    int err = peer_feed(peer);
    ASSERT(err == 0 || err == WEFT_EREMOTE_PROTOCOL);
    ASSERT(weft__h2_is_ended(stream));
    const char *data;
    ASSERT_INT_EQ(weft__h2_data(stream, &data), 0);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_RST_STREAM) + peer_count(peer, NGHTTP2_GOAWAY), 1);
    weft__h2_stream_free(stream);
}

CONVERSATION(padding_is_credited_and_no_data)
{
    enum { FRAMES = 5000 };
    struct weft__h2_stream *stream = peer_get(peer, "/");
    char frame[256] = "\xff";
    frame[0] = (char)(sizeof frame - 1 - 4);
    memcpy(frame + 1, "data", 4);
    peer_headers(peer, 1, 0, STATUS_200);
    for (int i = 0; i < FRAMES; i++) {
        peer_frame(peer, NGHTTP2_DATA, PADDED, 1, frame, sizeof frame);
        if (i % 100 == 0)
            ASSERT_OK(peer_feed(peer));
    }
    peer_frame(peer, NGHTTP2_DATA, PADDED | END_STREAM, 1, "\0", 1);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    const char *data;
    ASSERT_INT_EQ(weft__h2_data(stream, &data), 4 * FRAMES);
    weft__h2_stream_free(stream);
    ASSERT(weft__h2_is_balanced(peer->h2));
    ASSERT_INT_GT(peer_count(peer, NGHTTP2_WINDOW_UPDATE), 3);
}

CONVERSATION(frames_that_are_unknown_are_passed_over)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_frame(peer, UNKNOWN_TYPE, 0xff, 0, "anything", 8);
    peer_frame(peer, NGHTTP2_ALTSVC, 0, 0, "\0\1ah2=\":1\"", 11);
    peer_frame(peer, NGHTTP2_ORIGIN, 0, 0, "\0\11https://b", 11);
    peer_frame(peer, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\0", 5);
    peer_setting(peer, 0xfafa, 12345);
    peer_frame(peer, UNKNOWN_TYPE, 0, 1, NULL, 0);
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    weft__h2_stream_free(stream);
}

/* ---- floods ---- */

static void one_ping(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void one_ping_ack(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_PING, ACK, 0, "12345678", 8);
}

static void one_settings(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void one_window_update(struct peer *peer)
{
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 0, 1);
}

static void one_window_update_of_a_stream(struct peer *peer)
{
    peer_u32(peer, NGHTTP2_WINDOW_UPDATE, 3, 1);
}

static void one_reset(struct peer *peer)
{
    peer_reset(peer, 1, 8);
}

static void one_priority(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\0\0", 5);
}

static void one_unknown(struct peer *peer)
{
    peer_frame(peer, UNKNOWN_TYPE, 0, 0, NULL, 0);
}

static void one_empty_data(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_DATA, 0, 3, NULL, 0);
}

static void one_padding(struct peer *peer)
{
    peer_frame(peer, NGHTTP2_DATA, PADDED, 3, "\1\0", 2);
}

static void one_head_of_a_closed_stream(struct peer *peer)
{
    peer_headers(peer, 1, 0, STATUS_200);
}

static void one_goaway(struct peer *peer)
{
    peer_goaway(peer, 3, 0);
}

/* Stream 1 is closed, stream 3 is open and has its head. */
static void flood(struct peer *peer, void (*one)(struct peer *peer), const char *what)
{
    struct weft__h2_stream *closed = peer_get(peer, "/");
    struct weft__h2_stream *open = peer_get(peer, "/");
    weft__h2_stream_free(closed);
    peer_headers(peer, 3, 0, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    peer->seen = peer->frames_len;
    for (int i = 0; i < WEFT__LIMIT_H2_EMPTY_FRAMES - 10; i++) {
        one(peer);
        if (i % 100 == 0 && peer_feed(peer) != 0)
            FAIL("%s: too early", what);
    }
    ASSERT_OK(peer_feed(peer));
    ASSERT_OK(weft__h2_stream_error(open));
    for (int i = 0; i < 20 + 2 * WEFT__H2_EARNED_BY_REQUEST; i++)
        one(peer);
    expect_death(peer, what, WEFT__H2_ENHANCE_YOUR_CALM);
    ASSERT_ERR(weft__h2_stream_error(open), WEFT_EREMOTE_PROTOCOL);
    weft__h2_stream_free(open);
}

TEST(flood_of_any_frame_ends_the_connection)
{
    static const struct {
        void (*one)(struct peer *peer);
        const char *what;
    } rows[] = {
#define FLOOD(one) {one, #one}
        FLOOD(one_ping),
        FLOOD(one_ping_ack),
        FLOOD(one_settings),
        FLOOD(one_window_update),
        FLOOD(one_window_update_of_a_stream),
        FLOOD(one_reset),
        FLOOD(one_priority),
        FLOOD(one_unknown),
        FLOOD(one_empty_data),
        FLOOD(one_padding),
        FLOOD(one_head_of_a_closed_stream),
        FLOOD(one_goaway),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i += test_under_valgrind() ? 4 : 1) {
        struct peer peer = {.mode = i % 2 == 0 ? 0 : 2};
        peer_init(&peer, NULL, false);
        flood(&peer, rows[i].one, rows[i].what);
        peer_done(&peer);
    }
}

TEST(frames_that_bring_nothing_are_free_when_they_come_slowly)
{
    enum { SECONDS = 300 };
    struct peer peer = {0};
    peer_init(&peer, NULL, false);
    for (int s = 0; s < SECONDS; s++) {
        peer.now += 1000000000;
        for (int i = 0; i < WEFT__LIMIT_H2_EMPTY_FRAMES_SECOND; i++)
            one_ping(&peer);
        ASSERT_OK(peer_feed(&peer));
    }
    peer_done(&peer);
}

TEST(window_updates_for_what_we_send_are_free)
{
    int frames = test_under_valgrind() ? 2000 : 20000;
    struct peer peer = {0};
    peer_init(&peer, NULL, false);
    struct weft__h2_stream *stream = peer_post(&peer, "/");
    for (int i = 0; i < frames; i++) {
        ASSERT_INT_EQ(weft__h2_write(stream, "x", 1), 1);
        peer_fetch(&peer);
        one_window_update(&peer);
        peer_u32(&peer, NGHTTP2_WINDOW_UPDATE, 1, 1);
        ASSERT_OK(peer_feed(&peer));
    }
    weft__h2_stream_free(stream);
    peer_done(&peer);
}

TEST(answers_to_a_peer_that_does_not_read_are_bounded)
{
    static void (*const ones[])(struct peer * peer) = {one_ping, one_settings};
    enum { ENOUGH = 9000 };
    for (size_t k = 0; k < 2; k++) {
        struct peer peer = {0};
        peer_init(&peer, NULL, false);
        peer.quiet = true;
        int n = 0;
        int err = 0;
        for (; n < ENOUGH && err == 0; n++) {
            ones[k](&peer);
            err = peer_feed(&peer);
            ASSERT_INT_LE(peer.h2->control.len, WEFT__LIMIT_H2_CONTROL + 64 * 1024);
        }
        ASSERT_INT_EQ(err, WEFT_EREMOTE_PROTOCOL);
        ASSERT_INT_LE(n, WEFT__LIMIT_H2_CONTROL / 9 + WEFT__LIMIT_H2_ACKS + 2);
        peer_fetch(&peer);
        const struct frame *last = NULL;
        for (const struct frame *frame; (frame = peer_next(&peer, NGHTTP2_GOAWAY)) != NULL;)
            last = frame;
        ASSERT(last != NULL);
        ASSERT_INT_EQ(last->code, WEFT__H2_ENHANCE_YOUR_CALM);
        peer_done(&peer);
    }
}

CONVERSATION(continuation_frames_beyond_their_limit_end_the_connection)
{
    for (int over = 0; over < 2; over++) {
        struct weft__h2_stream *stream = peer_get(peer, "/");
        peer_frame(peer, NGHTTP2_HEADERS, END_STREAM, stream->id, "\x88", 1);
        for (int i = 1; i < WEFT__LIMIT_H2_CONTINUATIONS + over; i++)
            peer_frame(peer, NGHTTP2_CONTINUATION, 0, stream->id, NULL, 0);
        peer_frame(peer, NGHTTP2_CONTINUATION, END_HEADERS, stream->id, NULL, 0);
        if (over) {
            expect_death(peer, "continuations", WEFT__H2_ENHANCE_YOUR_CALM);
        } else {
            ASSERT_OK(peer_feed(peer));
            ASSERT_INT_EQ(weft__h2_status(stream), 200);
        }
        weft__h2_stream_free(stream);
    }
}

/* One byte for 4,000: an entry of the table, named again and again. */
CONVERSATION(fields_that_grow_in_decoding_end_their_stream)
{
    enum { VALUE = 3900, TIMES = 16000 };
    struct weft__buf block;
    struct weft__h2_stream *stream = peer_get(peer, "/");
    weft__buf_init(&block, SIZE_MAX);
    ASSERT_OK(weft__buf_append(&block, "\x88\x40\1x\x7f", 5)); /* literal, indexed */
    ASSERT_OK(weft__buf_append_char(&block, (char)((VALUE - 127) % 128 + 128)));
    ASSERT_OK(weft__buf_append_char(&block, (VALUE - 127) / 128));
    for (int i = 0; i < VALUE; i++)
        ASSERT_OK(weft__buf_append_char(&block, 'v'));
    peer_frame(peer, NGHTTP2_HEADERS, END_STREAM, 1, weft__buf_bytes(&block), block.len);
    weft__buf_clear(&block);
    for (int i = 0; i < TIMES; i++)
        ASSERT_OK(weft__buf_append_char(&block, (char)(0x80 + 62)));
    for (int i = 0; i < 7; i++)
        peer_frame(peer, NGHTTP2_CONTINUATION, 0, 1, weft__buf_bytes(&block), block.len);
    peer_frame(peer, NGHTTP2_CONTINUATION, END_HEADERS, 1, weft__buf_bytes(&block), block.len);
    weft__buf_done(&block);
    ASSERT_OK(peer_feed(peer));
    ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EHEADER_TOO_LARGE);
    ASSERT_INT_LE(stream->headers.text_cap, 2 * WEFT__LIMIT_H2_HEADER_LIST);
    weft__h2_stream_free(stream);
    /* And the table is right for the next one. */
    stream = peer_get(peer, "/");
    peer_frame(peer, NGHTTP2_HEADERS, END_HEADERS | END_STREAM, 3, "\x88\xbe", 2);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(strlen(weft_headers_get(weft__h2_headers(stream), "x")), VALUE);
    weft__h2_stream_free(stream);
}

static void one_malformed_head(struct peer *peer, int32_t id)
{
    peer_headers(peer, id, 0, FIELDS({"a", "b"}));
}

static void one_long_head(struct peer *peer, int32_t id)
{
    peer_headers(peer, id, 0, FIELDS({":status", "200"}, {"a", "0123456789012345678901234567"}));
}

static void many_interim_heads(struct peer *peer, int32_t id)
{
    for (int i = 0; i <= WEFT__LIMIT_H1_INTERIM; i++)
        peer_headers(peer, id, 0, FIELDS({":status", "100"}));
}

static void count_faults(void (*one)(struct peer *peer, int32_t id))
{
    struct peer peer = {0};
    peer_init(&peer, &(const struct weft__h2_options){.header_list = 100}, false);
    for (int i = 0; i <= WEFT__LIMIT_H2_FAULTS; i++) {
        struct weft__h2_stream *stream = peer_get(&peer, "/");
        one(&peer, stream->id);
        if (i < WEFT__LIMIT_H2_FAULTS)
            ASSERT_OK(peer_feed(&peer));
        else
            expect_death(&peer, "faults", WEFT__H2_ENHANCE_YOUR_CALM);
        ASSERT_INT_LT(weft__h2_stream_error(stream), 0);
        weft__h2_stream_free(stream);
    }
    peer_done(&peer);
}

/* The server breaks each stream so that we reset it: it would have them all for nothing. */
TEST(streams_that_the_peer_makes_us_reset_are_bounded)
{
    count_faults(one_malformed_head);
    count_faults(one_long_head);
    count_faults(many_interim_heads);
}

TEST(streams_that_the_peer_makes_us_reset_slowly_are_free)
{
    struct peer peer = {0};
    peer_init(&peer, NULL, false);
    for (int i = 0; i <= 3 * WEFT__LIMIT_H2_FAULTS; i++) {
        struct weft__h2_stream *stream = peer_get(&peer, "/");
        peer_headers(&peer, stream->id, 0, FIELDS({"a", "b"}));
        peer.now += 1000000000;
        ASSERT_OK(peer_feed(&peer));
        weft__h2_stream_free(stream);
    }
    peer_done(&peer);
}

/*
 * h2_frames.h - the other side of an HTTP/2 session: frames built by hand, what comes read back.
 *
 *     CONVERSATION(response_with_a_body_is_whole)
 *     {
 *         struct weft__h2_stream *stream = peer_get(peer, "/");
 *         peer_headers(peer, 1, 0, FIELDS({":status", "200"}));
 *         peer_data(peer, 1, END_STREAM, "hello");
 *         ASSERT_OK(peer_feed(peer));
 *         ...
 *     }
 *
 * A conversation is held several times: what the peer says is fed whole, byte by byte and in
 * pieces of random lengths.
 */
#ifndef WEFT_H2_FRAMES_H
#define WEFT_H2_FRAMES_H

#include "base/buf.h"
#include "proto/h2.h"
#include "proto/h2_int.h"
#include "test.h"

enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

struct frame {
    uint8_t type;
    uint8_t flags;
    int32_t id;
    uint32_t len;
    uint32_t code; /* of RST_STREAM and GOAWAY; the increment of a WINDOW_UPDATE */
    size_t at;     /* of the payload in sent */
};

struct peer {
    struct weft__h2 *h2;
    int64_t now;
    int mode;              /* 0: whole, 1: byte by byte, 2 and more: the seed of random pieces */
    struct weft__buf in;   /* what the peer says and is not fed yet */
    struct weft__buf sent; /* all that the session has said */
    size_t parsed;
    struct frame *frames; /* of it */
    size_t frames_len;
    size_t frames_cap;
    size_t seen; /* frames that peer_next() has passed */
    nghttp2_hd_inflater *inflater;
    char fields[8192]; /* of the last HEADERS that was read back: "name: value\n" each */
    int told;          /* calls of the events */
    int changed;
    int interims;
    int interim_status;
    char interim_fields[512];
    bool quiet; /* output is not fetched after feeding */
    void (*on_stream)(struct peer *peer, struct weft__h2_stream *stream);
};

struct peer_field {
    const char *name;
    const char *value;
};

#define FIELDS(...) ((const struct peer_field[]){__VA_ARGS__, {NULL, NULL}})
#define STATUS_200  FIELDS({":status", "200"})

/*
 * Makes the session, and feeds it the peer's empty SETTINGS and the
 * answer to its own, unless raw.
 */
void peer_init(struct peer *peer, const struct weft__h2_options *options, bool raw);
void peer_done(struct peer *peer);

/* Frames are put into what is fed next. */
void peer_frame(struct peer *peer, int type, int flags, int32_t id, const void *data, size_t len);
void peer_frame_text(struct peer *peer, int type, int flags, int32_t id, const char *text);
void peer_setting(struct peer *peer, int setting, uint32_t value);
void peer_headers(struct peer *peer, int32_t id, int flags, const struct peer_field *fields);
void peer_data(struct peer *peer, int32_t id, int flags, const char *text);
void peer_zeros(struct peer *peer, int32_t id, int flags, size_t len);
void peer_u32(struct peer *peer, int type, int32_t id, uint32_t value);
void peer_reset(struct peer *peer, int32_t id, uint32_t code);
void peer_goaway(struct peer *peer, int32_t last, uint32_t code);
/* Adds literal fields to a block. */
void peer_block(struct weft__buf *block, const struct peer_field *fields);

/* Feeds what was put, fetches and parses the output; the result of the receiving. */
int peer_feed(struct peer *peer);
void peer_fetch(struct peer *peer);
/* The next frame of that kind that the session has sent (type -1: any); NULL: none. */
const struct frame *peer_next(struct peer *peer, int type);
/* As it, and fails the test if there is none or it is not of that stream. */
const struct frame *peer_expect(struct peer *peer, int type, int32_t id);
/* How many of that kind were sent, ever. */
size_t peer_count(const struct peer *peer, int type);
/* Bytes of DATA that were sent for a stream. */
size_t peer_data_sent(const struct peer *peer, int32_t id);

/* Opened, and its HEADERS fetched. */
struct weft__h2_stream *peer_get(struct peer *peer, const char *path);
struct weft__h2_stream *peer_post(struct peer *peer, const char *path);
/* The unread data is text; it is consumed. */
void peer_expect_data(struct weft__h2_stream *stream, const char *text);

void peer_converse(void (*body)(struct peer *peer), const struct weft__h2_options *options);

#define CONVERSATION_WITH(name_, ...)                                                              \
    static void body_##name_(struct peer *peer);                                                   \
    TEST(name_)                                                                                    \
    {                                                                                              \
        peer_converse(body_##name_, &(const struct weft__h2_options){__VA_ARGS__});                \
    }                                                                                              \
    static void body_##name_(struct peer *peer)
#define CONVERSATION(name_) CONVERSATION_WITH(name_, .streams = 0)

#endif

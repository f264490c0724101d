#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2_frames.h"

enum { FRAME_HEAD = 9, PREFACE = 24, CALM = 1 << 26 };

static void on_stream(struct weft__h2_stream *stream, void *owner)
{
    struct peer *peer = owner;
    peer->told++;
    if (peer->on_stream != NULL)
        peer->on_stream(peer, stream);
}

static void on_interim(struct weft__h2_stream *stream, void *owner, int status,
                       const weft_headers *headers)
{
    struct peer *peer = owner;
    size_t used = 0;
    (void)stream;
    peer->interims++;
    peer->interim_status = status;
    peer->interim_fields[0] = '\0';
    for (size_t i = 0; i < headers->len; i++)
        used += (size_t)snprintf(peer->interim_fields + used, sizeof peer->interim_fields - used,
                                 "%s: %s\n", weft__header_name(headers, i),
                                 weft__header_value(headers, i));
}

static void on_changed(void *userdata)
{
    struct peer *peer = userdata;
    peer->changed++;
}

void peer_init(struct peer *peer, const struct weft__h2_options *options, bool raw)
{
    int mode = peer->mode;
    *peer = (struct peer){.mode = mode, .now = 1000000000};
    weft__buf_init(&peer->in, CALM);
    weft__buf_init(&peer->sent, CALM);
    ASSERT_INT_EQ(nghttp2_hd_inflate_new(&peer->inflater), 0);
    const struct weft__h2_events events = {on_stream, on_interim, on_changed, peer};
    ASSERT_OK(weft__h2_new(options, &events, &peer->h2));
    ASSERT(weft__h2_has_output(peer->h2));
    if (raw)
        return;
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    peer_frame(peer, NGHTTP2_SETTINGS, ACK, 0, NULL, 0);
    ASSERT_OK(peer_feed(peer));
    peer->seen = peer->frames_len;
}

void peer_done(struct peer *peer)
{
    weft__h2_free(peer->h2);
    weft__buf_done(&peer->in);
    weft__buf_done(&peer->sent);
    nghttp2_hd_inflate_del(peer->inflater);
    free(peer->frames);
}

/* ---- what the peer says ---- */

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void peer_frame(struct peer *peer, int type, int flags, int32_t id, const void *data, size_t len)
{
    uint8_t head[FRAME_HEAD];
    put_u32(head, (uint32_t)len << 8 | (uint8_t)type);
    head[4] = (uint8_t)flags;
    put_u32(head + 5, (uint32_t)id);
    ASSERT_OK(weft__buf_append(&peer->in, head, sizeof head));
    ASSERT_OK(weft__buf_append(&peer->in, data, len));
}

void peer_frame_text(struct peer *peer, int type, int flags, int32_t id, const char *text)
{
    peer_frame(peer, type, flags, id, text, strlen(text));
}

void peer_setting(struct peer *peer, int setting, uint32_t value)
{
    uint8_t entry[6] = {(uint8_t)(setting >> 8), (uint8_t)setting};
    put_u32(entry + 2, value);
    peer_frame(peer, NGHTTP2_SETTINGS, 0, 0, entry, sizeof entry);
}

static void put_length(struct weft__buf *block, size_t len)
{
    enum { PREFIX = 127 };
    if (len < PREFIX) {
        ASSERT_OK(weft__buf_append_char(block, (char)len));
        return;
    }
    ASSERT_OK(weft__buf_append_char(block, PREFIX));
    for (len -= PREFIX; len >= 128; len /= 128)
        ASSERT_OK(weft__buf_append_char(block, (char)(len % 128 + 128)));
    ASSERT_OK(weft__buf_append_char(block, (char)len));
}

void peer_block(struct weft__buf *block, const struct peer_field *fields)
{
    for (; fields->name != NULL; fields++) {
        ASSERT_OK(weft__buf_append_char(block, 0)); /* literal, not indexed, a new name */
        put_length(block, strlen(fields->name));
        ASSERT_OK(weft__buf_append_str(block, fields->name));
        put_length(block, strlen(fields->value));
        ASSERT_OK(weft__buf_append_str(block, fields->value));
    }
}

void peer_headers(struct peer *peer, int32_t id, int flags, const struct peer_field *fields)
{
    struct weft__buf block;
    weft__buf_init(&block, CALM);
    peer_block(&block, fields);
    peer_frame(peer, NGHTTP2_HEADERS, flags | END_HEADERS, id, weft__buf_bytes(&block), block.len);
    weft__buf_done(&block);
}

void peer_data(struct peer *peer, int32_t id, int flags, const char *text)
{
    peer_frame_text(peer, NGHTTP2_DATA, flags, id, text);
}

void peer_zeros(struct peer *peer, int32_t id, int flags, size_t len)
{
    enum { PIECE = 16384 };
    static const char zeros[PIECE];
    for (size_t left = len; left > PIECE; left -= PIECE)
        peer_frame(peer, NGHTTP2_DATA, 0, id, zeros, PIECE);
    peer_frame(peer, NGHTTP2_DATA, flags, id, zeros, len == 0 ? 0 : (len - 1) % PIECE + 1);
}

void peer_u32(struct peer *peer, int type, int32_t id, uint32_t value)
{
    uint8_t payload[4];
    put_u32(payload, value);
    peer_frame(peer, type, 0, id, payload, sizeof payload);
}

void peer_reset(struct peer *peer, int32_t id, uint32_t code)
{
    peer_u32(peer, NGHTTP2_RST_STREAM, id, code);
}

void peer_goaway(struct peer *peer, int32_t last, uint32_t code)
{
    uint8_t payload[8];
    put_u32(payload, (uint32_t)last);
    put_u32(payload + 4, code);
    peer_frame(peer, NGHTTP2_GOAWAY, 0, 0, payload, sizeof payload);
}

/* ---- what the session says ---- */

static void inflate(struct peer *peer, const uint8_t *block, size_t len)
{
    size_t used = 0;
    peer->fields[0] = '\0';
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(peer->inflater, &field, &flags, block, len, 1);
        ASSERT_INT_GE(n, 0);
        block += n;
        len -= (size_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            used +=
                (size_t)snprintf(peer->fields + used, sizeof peer->fields - used, "%.*s: %.*s%s\n",
                                 (int)field.namelen, field.name, (int)field.valuelen, field.value,
                                 (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) ? " (never)" : "");
        ASSERT_INT_LT(used, sizeof peer->fields);
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
    }
    nghttp2_hd_inflate_end_headers(peer->inflater);
}

static void add_frame(struct peer *peer, const uint8_t *head)
{
    if (peer->frames_len == peer->frames_cap) {
        peer->frames_cap = 2 * peer->frames_cap + 16;
        peer->frames = realloc(peer->frames, peer->frames_cap * sizeof *peer->frames);
        ASSERT(peer->frames != NULL);
    }
    struct frame *frame = &peer->frames[peer->frames_len++];
    *frame = (struct frame){.len = get_u32(head) >> 8,
                            .type = head[3],
                            .flags = head[4],
                            .id = (int32_t)get_u32(head + 5),
                            .at = peer->parsed + FRAME_HEAD};
    const uint8_t *payload = head + FRAME_HEAD;
    if (frame->type == NGHTTP2_RST_STREAM || frame->type == NGHTTP2_WINDOW_UPDATE)
        frame->code = get_u32(payload);
    if (frame->type == NGHTTP2_GOAWAY)
        frame->code = get_u32(payload + 4);
    if (frame->type == NGHTTP2_HEADERS && (frame->flags & END_HEADERS) != 0)
        inflate(peer, payload, frame->len);
}

static void parse(struct peer *peer)
{
    const uint8_t *bytes = (const uint8_t *)weft__buf_bytes(&peer->sent);
    if (peer->parsed == 0 && peer->sent.len >= PREFACE) {
        ASSERT_MEM_EQ(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PREFACE);
        peer->parsed = PREFACE;
    }
    while (peer->sent.len - peer->parsed >= FRAME_HEAD) {
        const uint8_t *head = bytes + peer->parsed;
        size_t len = get_u32(head) >> 8;
        if (peer->sent.len - peer->parsed < FRAME_HEAD + len)
            break;
        add_frame(peer, head);
        peer->parsed += FRAME_HEAD + len;
    }
}

void peer_fetch(struct peer *peer)
{
    /* By small pieces and at once. */
    size_t step = peer->mode == 1 ? 1 : CALM / 2;
    while (weft__h2_has_output(peer->h2)) {
        size_t before = peer->sent.len;
        ASSERT_OK(weft__h2_output(peer->h2, &peer->sent, before + step));
        ASSERT_INT_GT(peer->sent.len, before);
    }
    parse(peer);
}

static size_t piece(struct peer *peer, unsigned *seed)
{
    if (peer->mode == 0)
        return CALM;
    *seed = *seed * 1103515245u + 12345u;
    /* Of what is long, larger pieces: the time of a test is better spent elsewhere. */
    size_t step = 1 + peer->in.len / 20000;
    return peer->mode == 1 ? step : 1 + (*seed >> 16) % (40 * step);
}

int peer_feed(struct peer *peer)
{
    unsigned seed = (unsigned)peer->mode;
    int err = 0;
    if (!peer->quiet)
        peer_fetch(peer);
    for (size_t at = 0; at < peer->in.len && err == 0;) {
        size_t n = piece(peer, &seed);
        if (n > peer->in.len - at)
            n = peer->in.len - at;
        /* From a block of its own, so that reading beyond it is seen. */
        char *copy = malloc(n);
        ASSERT(copy != NULL);
        memcpy(copy, weft__buf_bytes(&peer->in) + at, n);
        err = weft__h2_receive(peer->h2, copy, n, peer->now);
        free(copy);
        at += n;
    }
    weft__buf_clear(&peer->in);
    if (!peer->quiet)
        peer_fetch(peer);
    return err;
}

const struct frame *peer_next(struct peer *peer, int type)
{
    while (peer->seen < peer->frames_len) {
        const struct frame *frame = &peer->frames[peer->seen++];
        if (type < 0 || frame->type == type)
            return frame;
    }
    return NULL;
}

const struct frame *peer_expect(struct peer *peer, int type, int32_t id)
{
    const struct frame *frame = peer_next(peer, type);
    if (frame == NULL)
        FAIL("no frame of type %d was sent", type);
    ASSERT_INT_EQ(frame->id, id);
    return frame;
}

size_t peer_count(const struct peer *peer, int type)
{
    size_t n = 0;
    for (size_t i = 0; i < peer->frames_len; i++)
        n += peer->frames[i].type == type;
    return n;
}

size_t peer_data_sent(const struct peer *peer, int32_t id)
{
    size_t bytes = 0;
    for (size_t i = 0; i < peer->frames_len; i++)
        if (peer->frames[i].type == NGHTTP2_DATA && peer->frames[i].id == id)
            bytes += peer->frames[i].len;
    return bytes;
}

/* ---- requests ---- */

static struct weft__h2_stream *open_stream(struct peer *peer, const char *method, const char *path)
{
    const struct weft__h2_request request = {.method = method,
                                             .scheme = "https",
                                             .authority = "example.org",
                                             .path = path,
                                             .has_body = strcmp(method, "POST") == 0};
    struct weft__h2_stream *stream = NULL;
    ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
    if (!peer->quiet)
        peer_fetch(peer);
    return stream;
}

struct weft__h2_stream *peer_get(struct peer *peer, const char *path)
{
    return open_stream(peer, "GET", path);
}

struct weft__h2_stream *peer_post(struct peer *peer, const char *path)
{
    return open_stream(peer, "POST", path);
}

void peer_expect_data(struct weft__h2_stream *stream, const char *text)
{
    const char *data;
    size_t len = weft__h2_data(stream, &data);
    ASSERT_INT_EQ(len, strlen(text));
    ASSERT_MEM_EQ(data, text, len);
    weft__h2_consume(stream, len);
}

void peer_converse(void (*body)(struct peer *peer), const struct weft__h2_options *options)
{
    enum { MODES = 6 };
    for (int mode = 0; mode < MODES; mode++) {
        struct peer peer = {.mode = mode};
        peer_init(&peer, options, false);
        body(&peer);
        peer_done(&peer);
    }
}

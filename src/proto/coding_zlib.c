/*
 * coding_zlib.c - gzip (RFC 1952) and deflate (RFC 1950, or bare RFC 1951).
 *
 * A gzip body may have several members, which follow one another (RFC 1952 2.2); zero bytes
 * behind the last one are the padding of tapes and are dropped.  "deflate" is zlib by the
 * standard and bare deflate by some servers: the first two bytes tell them apart.
 */
#include <zlib.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "proto/coding_int.h"

enum phase {
    START,   /* nothing has come */
    PROBING, /* deflate: one byte has come */
    INSIDE,
    BETWEEN, /* a member, or the whole, is over */
    PADDING  /* gzip: zeros follow */
};

struct zlib_state {
    z_stream stream;
    enum phase phase;
    unsigned members;
    unsigned char first; /* deflate: of the two bytes that tell */
    bool made;
};

static void *zlib_alloc(void *opaque, uInt n, uInt size)
{
    size_t bytes;
    (void)opaque;
    return weft__size_mul(n, size, &bytes) < 0 ? NULL : weft__alloc(bytes);
}

static void zlib_free(void *opaque, void *block)
{
    (void)opaque;
    weft__free(block);
}

static int zlib_begin(struct zlib_state *state, int window_bits)
{
    state->stream.zalloc = zlib_alloc;
    state->stream.zfree = zlib_free;
    if (inflateInit2(&state->stream, window_bits) != Z_OK)
        return weft__fail_nomem();
    state->made = true;
    return 0;
}

static int gzip_init(void *opaque)
{
    return zlib_begin(opaque, 15 + 16);
}

/* The window waits for the bytes that tell which form it is. */
static int deflate_init(void *opaque)
{
    (void)opaque;
    return 0;
}

static void zlib_done(void *opaque)
{
    struct zlib_state *state = opaque;
    if (state->made)
        inflateEnd(&state->stream);
}

/* Inflates some of *data: how much came out. At the end of a member the phase changes. */
static int64_t zlib_inflate(struct zlib_state *state, const char *name, const char **data,
                            size_t *len, char *out, size_t out_len)
{
    z_stream *stream = &state->stream;
    uInt in = *len > UINT32_MAX ? UINT32_MAX : (uInt)*len;
    uInt room = out_len > UINT32_MAX ? UINT32_MAX : (uInt)out_len;
    stream->next_in = (z_const Bytef *)*data;
    stream->avail_in = in;
    stream->next_out = (Bytef *)out;
    stream->avail_out = room;
    int result = inflate(stream, Z_NO_FLUSH);
    *data += in - stream->avail_in;
    *len -= in - stream->avail_in;
    if (result == Z_MEM_ERROR)
        return weft__fail_nomem();
    if (result == Z_STREAM_END)
        state->phase = BETWEEN;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return weft__coding_corrupt(name, stream->msg);
    return room - stream->avail_out;
}

/* Behind a member: another one, padding, or what does not belong there. */
static int gzip_next_member(struct zlib_state *state, const char **data, size_t *len)
{
    if (state->phase == BETWEEN && **data != '\0') {
        if (++state->members >= WEFT__LIMIT_CODING_MEMBERS)
            return weft__fail(WEFT_EDECODING, "the gzip body has more than %d members",
                              WEFT__LIMIT_CODING_MEMBERS);
        inflateReset(&state->stream);
        state->phase = INSIDE;
        return 0;
    }
    state->phase = PADDING;
    while (*len > 0 && **data == '\0') {
        ++*data;
        --*len;
    }
    return *len > 0 ? weft__coding_trailing("gzip") : 0;
}

static int64_t gzip_step(void *opaque, const char **data, size_t *len, char *out, size_t out_len)
{
    struct zlib_state *state = opaque;
    for (;;) {
        if (state->phase == INSIDE) {
            /* Output may wait inside although no input is left. */
            int64_t n = zlib_inflate(state, "gzip", data, len, out, out_len);
            if (n != 0 || (state->phase == INSIDE && *len == 0))
                return n;
        }
        if (*len == 0)
            return 0;
        if (state->phase == START) {
            state->phase = INSIDE;
        } else if (state->phase != INSIDE) {
            int err = gzip_next_member(state, data, len);
            if (err < 0)
                return err;
        }
    }
}

/* RFC 1950 2.2: method 8, a window of at most 32 KiB, a multiple of 31, no dictionary. */
static bool is_zlib(unsigned char cmf, unsigned char flg)
{
    return (cmf & 0x0f) == 8 && cmf >> 4 <= 7 && (cmf * 256U + flg) % 31 == 0 && (flg & 0x20) == 0;
}

/* Two bytes have come, or there will be no second one. */
static int64_t deflate_begin(struct zlib_state *state, unsigned char second, char *out,
                             size_t out_len)
{
    char first = (char)state->first;
    const char *data = &first;
    size_t len = 1;
    int err = zlib_begin(state, is_zlib(state->first, second) ? 15 : -15);
    if (err < 0)
        return err;
    state->phase = INSIDE;
    return zlib_inflate(state, "deflate", &data, &len, out, out_len);
}

static int64_t deflate_step(void *opaque, const char **data, size_t *len, char *out, size_t out_len)
{
    struct zlib_state *state = opaque;
    if (state->phase == START && *len > 0) {
        state->first = (unsigned char)**data;
        state->phase = PROBING;
        ++*data;
        --*len;
    }
    if (state->phase == PROBING && *len > 0) {
        int64_t n = deflate_begin(state, (unsigned char)**data, out, out_len);
        if (n != 0)
            return n;
    }
    if (state->phase == INSIDE) {
        int64_t n = zlib_inflate(state, "deflate", data, len, out, out_len);
        if (n != 0)
            return n;
    }
    return state->phase == BETWEEN && *len > 0 ? weft__coding_trailing("deflate") : 0;
}

static bool zlib_whole(const void *opaque)
{
    const struct zlib_state *state = opaque;
    return state->phase == START || state->phase == BETWEEN || state->phase == PADDING;
}

const struct weft__codec weft__codec_gzip = {
    "gzip", sizeof(struct zlib_state), gzip_init, zlib_done, gzip_step, zlib_whole,
};
const struct weft__codec weft__codec_deflate = {
    "deflate", sizeof(struct zlib_state), deflate_init, zlib_done, deflate_step, zlib_whole,
};

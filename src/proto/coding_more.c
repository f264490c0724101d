/* coding_more.c - brotli (RFC 7932) and Zstandard (RFC 8878). */
#include <brotli/decode.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "proto/coding_int.h"

/* ---- brotli ---- */

struct brotli_state {
    BrotliDecoderState *decoder;
    bool started;
    bool no_memory;
};

/* The library reports a failed allocation as one error of many: remember which it was. */
static void *brotli_alloc(void *opaque, size_t size)
{
    struct brotli_state *state = opaque;
    void *block = weft__alloc(size);
    state->no_memory = state->no_memory || block == NULL;
    return block;
}

static void brotli_free(void *opaque, void *block)
{
    (void)opaque;
    weft__free(block);
}

static int brotli_init(void *opaque)
{
    struct brotli_state *state = opaque;
    state->decoder = BrotliDecoderCreateInstance(brotli_alloc, brotli_free, state);
    return state->decoder != NULL ? 0 : weft__fail_nomem();
}

static void brotli_done(void *opaque)
{
    struct brotli_state *state = opaque;
    if (state->decoder != NULL)
        BrotliDecoderDestroyInstance(state->decoder);
}

static int64_t brotli_step(void *opaque, const char **data, size_t *len, char *out, size_t out_len)
{
    struct brotli_state *state = opaque;
    size_t room = out_len;
    uint8_t *next_out = (uint8_t *)out;
    const uint8_t *next_in = (const uint8_t *)*data;
    size_t in = *len;
    state->started = state->started || in > 0;
    if (!state->started)
        return 0;
    if (BrotliDecoderIsFinished(state->decoder))
        return in > 0 ? weft__coding_trailing("br") : 0;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state->decoder, &in, &next_in, &room, &next_out, NULL);
    *data += *len - in;
    *len = in;
    if (result == BROTLI_DECODER_RESULT_ERROR && state->no_memory)
        return weft__fail_nomem();
    if (result == BROTLI_DECODER_RESULT_ERROR)
        return weft__coding_corrupt(
            "br", BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state->decoder)));
    if (result == BROTLI_DECODER_RESULT_SUCCESS && room == out_len && in > 0)
        return weft__coding_trailing("br");
    return (int64_t)(out_len - room);
}

static bool brotli_whole(const void *opaque)
{
    const struct brotli_state *state = opaque;
    return !state->started || BrotliDecoderIsFinished(state->decoder);
}

const struct weft__codec weft__codec_brotli = {
    "br", sizeof(struct brotli_state), brotli_init, brotli_done, brotli_step, brotli_whole,
};

/* ---- Zstandard ---- */

/* RFC 9659: a window of at most 8 MiB in HTTP. */
enum { WINDOW_LOG_MAX = 23 };

struct zstd_state {
    ZSTD_DCtx *context;
    unsigned frames;
    bool inside; /* a frame has begun and is not over, or output waits */
};

static int zstd_init(void *opaque)
{
    struct zstd_state *state = opaque;
    if (weft__alloc_should_fail())
        return weft__fail_nomem();
    state->context = ZSTD_createDCtx();
    if (state->context == NULL)
        return weft__fail_nomem();
    ZSTD_DCtx_setParameter(state->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return 0;
}

static void zstd_done(void *opaque)
{
    struct zstd_state *state = opaque;
    ZSTD_freeDCtx(state->context);
}

static int64_t zstd_step(void *opaque, const char **data, size_t *len, char *out, size_t out_len)
{
    struct zstd_state *state = opaque;
    ZSTD_inBuffer in = {*data, *len, 0};
    ZSTD_outBuffer room = {out, out_len, 0};
    while (room.pos == 0 && (in.pos < in.size || state->inside)) {
        size_t before = in.pos;
        if (!state->inside && ++state->frames > WEFT__LIMIT_CODING_MEMBERS)
            return weft__fail(WEFT_EDECODING, "the zstd body has more than %d frames",
                              WEFT__LIMIT_CODING_MEMBERS);
        size_t result = ZSTD_decompressStream(state->context, &room, &in);
        if (ZSTD_isError(result)) {
            if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
                return weft__fail_nomem();
            return weft__coding_corrupt("zstd", ZSTD_getErrorName(result));
        }
        state->inside = result != 0;
        if (in.pos == before && room.pos == 0)
            break;
    }
    *data += in.pos;
    *len -= in.pos;
    return (int64_t)room.pos;
}

static bool zstd_whole(const void *opaque)
{
    const struct zstd_state *state = opaque;
    return !state->inside;
}

const struct weft__codec weft__codec_zstd = {
    "zstd", sizeof(struct zstd_state), zstd_init, zstd_done, zstd_step, zstd_whole,
};

/* Content codings: every cut, every room, chains, bombs, what does not belong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <weft/testing.h>

#include "base/limits.h"
#include "proto/coding.h"
#include "test.h"

enum { TEXT = 3000, CODED = 8192 };

struct bytes {
    char data[CODED];
    size_t len;
};

static char text[TEXT];

/* Neither all the same nor without any pattern. */
static void make_text(void)
{
    unsigned x = 7;
    for (size_t i = 0; i < TEXT; i++) {
        x = x * 1103515245 + 12345;
        text[i] = (char)('a' + (x >> 16) % (i % 100 < 50 ? 3 : 26));
    }
}

static void zlib_encode(const char *data, size_t len, int window_bits, struct bytes *ret)
{
    z_stream stream = {.next_in = (Bytef *)data,
                       .avail_in = (uInt)len,
                       .next_out = (Bytef *)ret->data,
                       .avail_out = CODED};
    ASSERT_INT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ASSERT_INT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    ret->len = CODED - stream.avail_out;
    deflateEnd(&stream);
}

static void encode(const char *coding, const char *data, size_t len, struct bytes *ret)
{
    ret->len = CODED;
    if (strcmp(coding, "gzip") == 0) {
        zlib_encode(data, len, 15 + 16, ret);
    } else if (strcmp(coding, "deflate") == 0) {
        zlib_encode(data, len, 15, ret);
    } else if (strcmp(coding, "raw") == 0) {
        zlib_encode(data, len, -15, ret);
    } else if (strcmp(coding, "br") == 0) {
        ASSERT(BrotliEncoderCompress(5, 18, BROTLI_MODE_GENERIC, len, (const uint8_t *)data,
                                     &ret->len, (uint8_t *)ret->data));
    } else {
        ret->len = ZSTD_compress(ret->data, CODED, data, len, 3);
        ASSERT(!ZSTD_isError(ret->len));
    }
}

static const char *name_of(const char *coding)
{
    return strcmp(coding, "raw") == 0 ? "deflate" : coding;
}

static const char *const codings[] = {"gzip", "deflate", "raw", "br", "zstd"};
enum { N_CODINGS = sizeof codings / sizeof codings[0] };

/* Everything that a piece gives, room bytes at a time, behind what is there already. */
static int feed(struct weft__decoder *decoder, const char *data, size_t len, bool last, size_t room,
                struct bytes *ret)
{
    for (;;) {
        if (room > CODED - ret->len)
            room = CODED - ret->len;
        int64_t n = weft__decoder_next(decoder, &data, &len, last, ret->data + ret->len, room);
        if (n <= 0) {
            ASSERT(n < 0 || len == 0);
            return (int)n;
        }
        ASSERT(n <= (int64_t)room);
        ret->len += (size_t)n;
    }
}

/* In two pieces. */
static int decode(const char *coding, const char *data, size_t len, size_t cut, size_t room,
                  struct bytes *ret)
{
    struct weft__decoder *decoder;
    ret->len = 0;
    int err = weft__decoder_new(&coding, 1, &decoder);
    if (err < 0)
        return err;
    ASSERT(decoder != NULL);
    err = feed(decoder, data, cut, false, room, ret);
    if (err == 0)
        err = feed(decoder, data + cut, len - cut, true, room, ret);
    weft__decoder_free(decoder);
    return err;
}

static void is_text(const struct bytes *plain)
{
    ASSERT_INT_EQ(plain->len, TEXT);
    ASSERT_MEM_EQ(plain->data, text, TEXT);
}

TEST(coding_is_undone_at_every_cut_and_with_any_room)
{
    static const size_t rooms[] = {1, 7, 4096};
    struct bytes coded;
    struct bytes plain;
    size_t step = test_under_valgrind() ? 97 : 1;
    make_text();
    for (size_t i = 0; i < N_CODINGS; i++) {
        encode(codings[i], text, TEXT, &coded);
        for (size_t r = 0; r < 3; r++) {
            for (size_t cut = 0; cut <= coded.len; cut += r == 2 ? step : 101) {
                ASSERT_OK(
                    decode(name_of(codings[i]), coded.data, coded.len, cut, rooms[r], &plain));
                is_text(&plain);
            }
        }
    }
}

TEST(coding_is_undone_byte_by_byte)
{
    struct bytes coded;
    struct bytes plain;
    make_text();
    for (size_t i = 0; i < N_CODINGS; i++) {
        struct weft__decoder *decoder;
        const char *name = name_of(codings[i]);
        encode(codings[i], text, TEXT, &coded);
        ASSERT_OK(weft__decoder_new(&name, 1, &decoder));
        plain.len = 0;
        for (size_t at = 0; at < coded.len; at++)
            ASSERT_OK(feed(decoder, coded.data + at, 1, at + 1 == coded.len, 4096, &plain));
        is_text(&plain);
        weft__decoder_free(decoder);
    }
}

TEST(coding_cut_short_anywhere_is_an_error)
{
    struct bytes coded;
    struct bytes plain;
    size_t step = test_under_valgrind() ? 61 : 1;
    make_text();
    for (size_t i = 0; i < N_CODINGS; i++) {
        encode(codings[i], text, TEXT, &coded);
        for (size_t len = 1; len < coded.len; len += step) {
            ASSERT_INT_EQ(decode(name_of(codings[i]), coded.data, len, len / 2, 4096, &plain),
                          WEFT_EDECODING);
            ASSERT(strstr(weft_error_message(), "ends too early") != NULL);
        }
    }
}

TEST(coding_of_an_empty_body_is_nothing)
{
    struct bytes plain;
    struct bytes coded;
    for (size_t i = 0; i < N_CODINGS; i++) {
        ASSERT_OK(decode(name_of(codings[i]), "", 0, 0, 4096, &plain));
        ASSERT_INT_EQ(plain.len, 0);
        encode(codings[i], "", 0, &coded);
        ASSERT_OK(decode(name_of(codings[i]), coded.data, coded.len, 0, 4096, &plain));
        ASSERT_INT_EQ(plain.len, 0);
    }
}

TEST(coding_followed_by_other_bytes_is_an_error)
{
    struct bytes coded;
    struct bytes plain;
    make_text();
    for (size_t i = 0; i < N_CODINGS; i++) {
        encode(codings[i], text, TEXT, &coded);
        memcpy(coded.data + coded.len, "junk", 4);
        for (size_t cut = coded.len - 1; cut <= coded.len + 4; cut++)
            ASSERT_INT_EQ(decode(name_of(codings[i]), coded.data, coded.len + 4, cut, 4096, &plain),
                          WEFT_EDECODING);
    }
}

TEST(gzip_members_and_zstd_frames_follow_one_another)
{
    static const char *const several[] = {"gzip", "zstd"};
    struct bytes one;
    struct bytes both;
    struct bytes plain;
    make_text();
    for (size_t i = 0; i < 2; i++) {
        encode(several[i], text, 1000, &both);
        encode(several[i], text + 1000, TEXT - 1000, &one);
        memcpy(both.data + both.len, one.data, one.len);
        both.len += one.len;
        for (size_t cut = 0; cut <= both.len; cut++) {
            ASSERT_OK(decode(several[i], both.data, both.len, cut, 4096, &plain));
            is_text(&plain);
        }
    }
}

TEST(gzip_padding_of_zeros_is_dropped)
{
    struct bytes coded;
    struct bytes plain;
    make_text();
    encode("gzip", text, TEXT, &coded);
    memset(coded.data + coded.len, 0, 20);
    ASSERT_OK(decode("gzip", coded.data, coded.len + 20, coded.len + 3, 4096, &plain));
    is_text(&plain);
    coded.data[coded.len + 20] = 'x';
    ASSERT_INT_EQ(decode("gzip", coded.data, coded.len + 21, coded.len + 3, 4096, &plain),
                  WEFT_EDECODING);
}

/* Empty members cost a peer nothing: their number is bounded. */
TEST(coding_has_a_limit_of_members)
{
    static const char *const several[] = {"gzip", "zstd"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes one;
        struct bytes plain = {.len = 0};
        struct weft__decoder *decoder;
        int err = 0;
        int n = 0;
        encode(several[i], "x", 1, &one);
        ASSERT_OK(weft__decoder_new(&several[i], 1, &decoder));
        while (err == 0 && n < 2 * WEFT__LIMIT_CODING_MEMBERS) {
            err = feed(decoder, one.data, one.len, false, 1, &plain);
            n++;
        }
        ASSERT_INT_EQ(err, WEFT_EDECODING);
        ASSERT_INT_EQ(n, WEFT__LIMIT_CODING_MEMBERS + 1);
        ASSERT(strstr(weft_error_message(), "more than 1024") != NULL);
        weft__decoder_free(decoder);
    }
}

TEST(codings_are_undone_in_reverse_order)
{
    struct bytes a;
    struct bytes b;
    struct bytes plain = {.len = 0};
    struct weft__decoder *decoder;
    const char *values[] = {"GZIP , br", "identity, zstd,deflate , x-gzip"};
    make_text();
    encode("gzip", text, TEXT, &a);
    encode("br", a.data, a.len, &b);
    encode("zstd", b.data, b.len, &a);
    encode("deflate", a.data, a.len, &b);
    encode("gzip", b.data, b.len, &a);
    ASSERT_OK(weft__decoder_new(values, 2, &decoder));
    for (size_t at = 0; at < a.len; at++)
        ASSERT_OK(feed(decoder, a.data + at, 1, false, 100, &plain));
    ASSERT_OK(feed(decoder, "", 0, true, 100, &plain));
    is_text(&plain);
    weft__decoder_free(decoder);
}

/* curl CVE-2022-32206, urllib3 CVE-2025-66418: a long chain multiplies what a few bytes cost. */
TEST(codings_have_a_limit)
{
    struct weft__decoder *decoder = NULL;
    const char *values[] = {"gzip, gzip, gzip", "gzip", "gzip, gzip"};
    ASSERT_INT_EQ(weft__decoder_new(values, 3, &decoder), WEFT_EDECODING);
    ASSERT_STR_EQ(weft_error_message(), "6 content codings, at most 5 are undone");
    ASSERT(decoder == NULL);
}

TEST(coding_that_is_unknown_or_none_is_left)
{
    static const char *const none[] = {"",    "identity", " , ,",      "compress", "gzip2",
                                       "gzi", "gzip;q=1", "gzip, dcb", "exi",      "aws-chunked"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct weft__decoder *decoder;
        ASSERT_OK(weft__decoder_new(&none[i], 1, &decoder));
        ASSERT(decoder == NULL);
    }
}

TEST(coding_corrupt_is_an_error_that_names_it)
{
    struct bytes coded;
    struct bytes plain;
    make_text();
    for (size_t i = 0; i < N_CODINGS; i++) {
        size_t wrong = 0;
        encode(codings[i], text, TEXT, &coded);
        for (size_t at = 0; at < coded.len; at += 5) {
            coded.data[at] ^= 0x55;
            int err = decode(name_of(codings[i]), coded.data, coded.len, at, 4096, &plain);
            coded.data[at] ^= 0x55;
            wrong += err == WEFT_EDECODING;
            ASSERT(err == 0 || err == WEFT_EDECODING);
            ASSERT(err == 0 || strstr(weft_error_message(), name_of(codings[i])) != NULL);
        }
        ASSERT(wrong > 20);
    }
}

/* 100 MiB of zeros in 100 KB: what comes out at once is what there is room for. */
TEST(coding_bomb_gives_no_more_than_was_asked_for)
{
    enum { ROOM = 64 * 1024 };
    static const char *const bombs[] = {"gzip", "br", "zstd"};
    size_t size = test_under_valgrind() ? 4 << 20 : 100 << 20;
    char *zeros = calloc(1, size);
    char *out = malloc(ROOM);
    char *coded = malloc(256 * 1024);
    for (size_t i = 0; i < 3; i++) {
        struct weft__decoder *decoder;
        size_t coded_len = 256 * 1024;
        size_t total = 0;
        int64_t n;
        if (i == 0) {
            z_stream stream = {.next_in = (Bytef *)zeros,
                               .avail_in = (uInt)size,
                               .next_out = (Bytef *)coded,
                               .avail_out = (uInt)coded_len};
            ASSERT_INT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
            ASSERT_INT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
            coded_len -= stream.avail_out;
            deflateEnd(&stream);
        } else if (i == 1) {
            ASSERT(BrotliEncoderCompress(1, 18, BROTLI_MODE_GENERIC, size, (const uint8_t *)zeros,
                                         &coded_len, (uint8_t *)coded));
        } else {
            coded_len = ZSTD_compress(coded, coded_len, zeros, size, 1);
            ASSERT(!ZSTD_isError(coded_len));
        }
        const char *data = coded;
        ASSERT_OK(weft__decoder_new(&bombs[i], 1, &decoder));
        while ((n = weft__decoder_next(decoder, &data, &coded_len, true, out, ROOM)) > 0) {
            ASSERT(n <= ROOM);
            total += (size_t)n;
        }
        ASSERT_INT_EQ(n, 0);
        ASSERT_INT_EQ(total, size);
        weft__decoder_free(decoder);
    }
    free(zeros);
    free(out);
    free(coded);
}

/* RFC 9659: at most 8 MiB, whatever the frame asks for. */
TEST(zstd_window_is_bounded)
{
    struct bytes coded;
    struct bytes plain;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 24);
    ZSTD_inBuffer in = {"abc", 3, 0};
    ZSTD_outBuffer out = {coded.data, CODED, 0};
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    ASSERT_INT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(context);
    ASSERT_INT_EQ(decode("zstd", coded.data, out.pos, 1, 4096, &plain), WEFT_EDECODING);
}

TEST(coding_without_memory_is_enomem)
{
    struct bytes coded;
    struct bytes plain;
    make_text();
    for (size_t i = 0; i < N_CODINGS; i++) {
        encode(codings[i], text, TEXT, &coded);
        uint64_t nth = 0;
        int err = -ENOMEM;
        while (err == -ENOMEM) {
            weft_testing_fail_alloc(++nth, false);
            err = decode(name_of(codings[i]), coded.data, coded.len, 10, 4096, &plain);
            weft_testing_fail_alloc(0, false);
        }
        ASSERT_OK(err);
        ASSERT(nth > 1);
    }
}

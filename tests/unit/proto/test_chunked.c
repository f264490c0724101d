/* The chunked coding at every split, its limits, and the writer of chunk sizes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/testing.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "h1_replay.h"
#include "proto/h1.h"
#include "test.h"

#define CHECK_ALL(rows)                                                                            \
    for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)                                  \
    h1_check(H1_CHUNKED, &(rows)[i])

static const struct h1_case chunked_valid_is_decoded_rows[] = {
    {"0\r\n\r\n", "\"\" end"},
    {"5\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", "\"hello world\" +3"},
    {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "\"01234567890123456789\" end"},
    {"00000005\r\nhello\r\n000\r\n\r\n", "\"hello\" end"},
    {"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "\"hello\" end"},
    {"2\r\n\r\n\r\n0\r\n\r\n", "\"<0d><0a>\" end"},
    {"5;a\r\nhello\r\n0;b=c\r\n\r\n", "\"hello\" end"},
    {"5;a=b;c=d\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5 ; a = b\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5\t;\ta\t=\t\"b\"\t;c\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5;a=\"b;c\\\"d\"\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5;a=\"\"\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5;a =b\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5;a ;b\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"5;a=\"\xc3\xa9\t\"\r\nhello\r\n0\r\n\r\n", "\"hello\" end"},
    {"0\r\nA: b\r\n\r\nrest", "\"\" {A:b} +4"},
    {"1\r\nx\r\n0\r\nA: b\r\nA:\r\nC: d e \r\n\r\n", "\"x\" {A:b} {A:} {C:d e} end"},
    {"0\r\nContent-Length: 5\r\n\r\nhello", "\"\" {Content-Length:5} +5"},
};

TEST(chunked_valid_is_decoded)
{
    CHECK_ALL(chunked_valid_is_decoded_rows);
}

static const struct h1_case chunked_truncated_is_told_rows[] = {
    {"5", "\"\" cut"},
    {"5\r", "\"\" cut"},
    {"5\r\n", "\"\" cut"},
    {"5\r\nhello", "\"hello\" cut"},
    {"5\r\nhello\r", "\"hello\" cut"},
    {"5\r\nhello\r\n", "\"hello\" cut"},
    {"5\r\nhello\r\n0", "\"hello\" cut"},
    {"5\r\nhello\r\n0\r", "\"hello\" cut"},
    {"5\r\nhello\r\n0\r\n", "\"hello\" cut"},
    {"5\r\nhello\r\n0\r\n\r", "\"hello\" cut"},
    {"0\r\nA: b\r\n", "\"\" cut"},
    {"0\r\nA: b\r\n\r", "\"\" cut"},
    {"5;a=\"b", "\"\" cut"},
    {"7fffffffffffffff\r\nx", "\"x\" cut"},
};

TEST(chunked_truncated_is_told)
{
    CHECK_ALL(chunked_truncated_is_told_rows);
}

static const struct h1_case chunked_malformed_is_refused_rows[] = {
    {"\r\n", "\"\" !chunked body: byte 0x0d where a chunk size must stand"},
    {"x\r\n", "\"\" !chunked body: byte 0x78 where a chunk size must stand"},
    {"+5\r\nhello\r\n", "\"\" !chunked body: byte 0x2b where a chunk size must stand"},
    {"-5\r\n", "\"\" !chunked body: byte 0x2d where a chunk size must stand"},
    {"0x5\r\nhello\r\n", "\"\" !chunked body: byte 0x78 in a size line"},
    {" 5\r\nhello\r\n", "\"\" !chunked body: byte 0x20 where a chunk size must stand"},
    {"5 \r\nhello\r\n", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5\t\r\nhello\r\n", "\"\" !chunked body: byte 0x0d in a size line"},
    {"0_5\r\n", "\"\" !chunked body: byte 0x5f in a size line"},
    {"g\r\n", "\"\" !chunked body: byte 0x67 where a chunk size must stand"},
    {"5g\r\n", "\"\" !chunked body: byte 0x67 in a size line"},
    {"5,\r\n", "\"\" !chunked body: byte 0x2c in a size line"},
    {"5\nhello\n", "\"\" !chunked body: byte 0x0a in a size line"},
    {"5\rhello", "\"\" !chunked body: byte 0x68 where the LF of a size line must stand"},
    {"5\r\rhello", "\"\" !chunked body: byte 0x0d where the LF of a size line must stand"},
    {";a\r\n", "\"\" !chunked body: byte 0x3b where a chunk size must stand"},
    {"00000000000000005\r\nhello", "\"\" !chunked body: a size of more than 16 digits"},
    {"10000000000000000\r\n", "\"\" !chunked body: a size of more than 16 digits"},
    {"ffffffffffffffff\r\n", "\"\" !chunked body: a size beyond 2^63"},
    {"8000000000000000\r\n", "\"\" !chunked body: a size beyond 2^63"},
    {"1\r\nx\r\n7fffffffffffffff\r\n", "\"x\" !chunked body: a size beyond 2^63"},
    {"5\r\nhello0\r\n\r\n", "\"hello\" !chunked body: byte 0x30 where a chunk must end"},
    {"5\r\nhello\n0\r\n\r\n", "\"hello\" !chunked body: byte 0x0a where a chunk must end"},
    {"5\r\nhello\rx", "\"hello\" !chunked body: byte 0x78 where a chunk must end"},
    {"5\r\nhello\r\r\n", "\"hello\" !chunked body: byte 0x0d where a chunk must end"},
    {"5\r\nhelloX\r\n", "\"hello\" !chunked body: byte 0x58 where a chunk must end"},
    {"5\r\nhello\r\n\r\n0\r\n\r\n",
     "\"hello\" !chunked body: byte 0x0d where a chunk size must stand"},
    {"5\r\nhelloxx0\r\n\r\n", "\"hello\" !chunked body: byte 0x78 where a chunk must end"},
    {"5;\r\nhello", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5;;a\r\nhello", "\"\" !chunked body: byte 0x3b in a size line"},
    {"5;=a\r\nhello", "\"\" !chunked body: byte 0x3d in a size line"},
    {"5;a=\r\nhello", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5;a \r\nhello", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5;a=b \r\nhello", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5;a b\r\nhello", "\"\" !chunked body: byte 0x62 in a size line"},
    {"5;a=b c\r\nhello", "\"\" !chunked body: byte 0x63 in a size line"},
    {"5;a=\"b\r\nhello", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5;a=\"b\"c\r\nhello", "\"\" !chunked body: byte 0x63 in a size line"},
    {"5;a=\"b\\\r\nhello", "\"\" !chunked body: byte 0x0d in a size line"},
    {"5;a\nhello", "\"\" !chunked body: byte 0x0a in a size line"},
    {"5;a=b\nhello", "\"\" !chunked body: byte 0x0a in a size line"},
    {"5;a=\"b\nc\"\r\nhello", "\"\" !chunked body: byte 0x0a in a size line"},
    {"5;a\x01\r\nhello", "\"\" !chunked body: byte 0x01 in a size line"},
    {"5;a=\"\x01\"\r\n", "\"\" !chunked body: byte 0x01 in a size line"},
    {"5;a(b)\r\n", "\"\" !chunked body: byte 0x28 in a size line"},
    {"5 a\r\n", "\"\" !chunked body: byte 0x61 in a size line"},
    {"5;a=\"b\" x\r\n", "\"\" !chunked body: byte 0x78 in a size line"},
    {"0\n\r\n", "\"\" !chunked body: byte 0x0a in a size line"},
    {"0\r\n\n", "\"\" !chunked body, trailers: message head, line 1: a line ends with LF alone"},
    {"0\r\n\rx", "\"\" !chunked body: byte 0x78 where a chunk must end"},
    {"0\r\nA b\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: byte 0x20 in a field name"},
    {"0\r\nA: b\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: a line ends with LF alone"},
    {"0\r\nA: b\r\n c\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 2: a folded field"},
    {"0\r\n A: b\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: whitespace before the first field"},
    {"0\r\nA : b\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: byte 0x20 in a field name"},
    {"0\r\nA: \x01\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: control character 0x01"},
    {"0\r\nA: b\r\n\rx\r\n", "\"\" !chunked body, trailers: message head, line 2: CR without LF"},
    {"0\r\n: b\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: a field without a name"},
    {"0\r\nA: \0\r\n\r\n",
     "\"\" !chunked body, trailers: message head, line 1: control character 0x00", .len = 11},
    {"5\0\r\n", "\"\" !chunked body: byte 0x00 in a size line", .len = 4},
};

TEST(chunked_malformed_is_refused)
{
    CHECK_ALL(chunked_malformed_is_refused_rows);
}

/* Feeds count pieces of text one after the other; the last result, of which errors end it. */
static int feed(struct weft__chunked *chunked, const char *text, size_t count)
{
    int result = WEFT__H1_MORE;
    for (size_t i = 0; i < count && result >= 0; i++) {
        size_t len = strlen(text);
        size_t at = 0;
        while (at < len && result >= 0 && result != WEFT__H1_END) {
            size_t consumed;
            const char *payload;
            size_t payload_len;
            result =
                weft__chunked_next(chunked, text + at, len - at, &consumed, &payload, &payload_len);
            at += consumed;
        }
    }
    return result;
}

TEST(chunked_size_line_at_its_limit_is_accepted_and_beyond_refused)
{
    struct weft__chunked chunked;
    weft__chunked_init(&chunked, NULL);
    ASSERT_INT_EQ(feed(&chunked, "5;", 1), WEFT__H1_MORE);
    ASSERT_INT_EQ(feed(&chunked, "x", WEFT__LIMIT_H1_CHUNK_LINE - 2), WEFT__H1_MORE);
    ASSERT_INT_EQ(feed(&chunked, "\r\nhello\r\n0\r\n\r\n", 1), WEFT__H1_END);
    weft__chunked_done(&chunked);
    weft__chunked_init(&chunked, NULL);
    ASSERT_INT_EQ(feed(&chunked, "5;", 1), WEFT__H1_MORE);
    ASSERT_ERR(feed(&chunked, "x", WEFT__LIMIT_H1_CHUNK_LINE), WEFT_EHEADER_TOO_LARGE);
    weft__chunked_done(&chunked);
}

/* Go's CVE-2023-39326: extensions of many small chunks. */
TEST(chunked_extensions_in_sum_are_bounded)
{
    struct weft__chunked chunked;
    weft__chunked_init(&chunked, NULL);
    ASSERT_ERR(feed(&chunked, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n", 1000),
               WEFT_EHEADER_TOO_LARGE);
    ASSERT_INT_LE(chunked.overhead, WEFT__LIMIT_H1_CHUNK_OVERHEAD * 2);
    weft__chunked_done(&chunked);
    weft__chunked_init(&chunked, NULL);
    ASSERT_ERR(feed(&chunked, "0000000000000001\r\nx\r\n", 10000), WEFT_EHEADER_TOO_LARGE);
    weft__chunked_done(&chunked);
}

TEST(chunked_many_small_chunks_without_extensions_are_no_overhead)
{
    struct weft__chunked chunked;
    weft__chunked_init(&chunked, NULL);
    ASSERT_INT_EQ(feed(&chunked, "1\r\nx\r\n", 100000), WEFT__H1_MORE);
    ASSERT_INT_EQ(chunked.received, 100000);
    ASSERT_INT_EQ(chunked.overhead, 0);
    weft__chunked_done(&chunked);
}

TEST(chunked_trailers_are_bounded)
{
    struct weft__chunked chunked;
    weft_headers *trailers;
    ASSERT_OK(weft_headers_new(&trailers));
    weft__chunked_init(&chunked, trailers);
    ASSERT_INT_EQ(feed(&chunked, "0\r\n", 1), WEFT__H1_MORE);
    ASSERT_INT_EQ(feed(&chunked, "A: b\r\n", WEFT__LIMIT_H1_TRAILER_FIELDS), WEFT__H1_MORE);
    ASSERT_INT_EQ(feed(&chunked, "\r\n", 1), WEFT__H1_END);
    ASSERT_INT_EQ(weft_headers_count(trailers), WEFT__LIMIT_H1_TRAILER_FIELDS);
    weft__chunked_done(&chunked);
    weft__chunked_init(&chunked, NULL);
    feed(&chunked, "0\r\n", 1);
    ASSERT_ERR(feed(&chunked, "A: b\r\n", WEFT__LIMIT_H1_TRAILER_FIELDS + 1),
               WEFT_EHEADER_TOO_LARGE);
    weft__chunked_done(&chunked);
    weft__chunked_init(&chunked, NULL);
    feed(&chunked, "0\r\nA:", 1);
    ASSERT_ERR(feed(&chunked, "b", WEFT__LIMIT_H1_TRAILERS), WEFT_EHEADER_TOO_LARGE);
    weft__chunked_done(&chunked);
    weft_headers_free(trailers);
}

TEST(chunked_without_memory_for_trailers_says_so)
{
    weft_headers *trailers;
    ASSERT_OK(weft_headers_new(&trailers));
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct weft__chunked chunked;
        weft__chunked_init(&chunked, trailers);
        weft_testing_fail_alloc(nth, true);
        int result = feed(&chunked, "0\r\nA: b\r\n\r\n", 1);
        weft_testing_fail_alloc(0, false);
        ASSERT_INT_EQ(result, -ENOMEM);
        ASSERT_INT_EQ(weft_headers_count(trailers), 0);
        weft__chunked_done(&chunked);
    }
    weft_headers_free(trailers);
}

TEST(chunk_head_is_the_size_in_hexadecimal)
{
    static const struct {
        uint64_t len;
        const char *head;
    } rows[] = {
        {1, "1\r\n"},       {15, "f\r\n"},       {16, "10\r\n"},
        {4096, "1000\r\n"}, {65535, "ffff\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char head[WEFT__CHUNK_HEAD_MAX];
        size_t len = weft__chunk_head(rows[i].len, head);
        ASSERT_INT_EQ(len, strlen(rows[i].head));
        ASSERT_MEM_EQ(head, rows[i].head, len);
    }
}

TEST(body_of_known_length_ends_with_its_last_byte)
{
    struct weft__h1_body body;
    size_t consumed;
    const char *payload;
    size_t len;
    weft__h1_body_init(&body, WEFT__H1_LENGTH, 5, NULL);
    ASSERT_INT_EQ(weft__h1_body_next(&body, "hel", 3, &consumed, &payload, &len), WEFT__H1_DATA);
    ASSERT(!body.ended);
    ASSERT_ERR(weft__h1_body_eof(&body), WEFT_ETRUNCATED);
    ASSERT_STR_EQ(weft_error_message(), "the body ended after 3 of 5 bytes");
    ASSERT_INT_EQ(weft__h1_body_next(&body, "loGET", 5, &consumed, &payload, &len), WEFT__H1_DATA);
    ASSERT_INT_EQ(consumed, 2);
    ASSERT_INT_EQ(len, 2);
    ASSERT(body.ended);
    ASSERT_OK(weft__h1_body_eof(&body));
    ASSERT_INT_EQ(weft__h1_body_next(&body, "GET", 3, &consumed, &payload, &len), WEFT__H1_END);
    ASSERT_INT_EQ(consumed, 0);
    weft__h1_body_done(&body);
}

TEST(body_chunked_and_cut_is_truncated)
{
    struct weft__h1_body body;
    size_t consumed;
    const char *payload;
    size_t len;
    weft__h1_body_init(&body, WEFT__H1_CHUNKED, -1, NULL);
    ASSERT_INT_EQ(weft__h1_body_next(&body, "2\r\nab", 5, &consumed, &payload, &len),
                  WEFT__H1_DATA);
    ASSERT_ERR(weft__h1_body_eof(&body), WEFT_ETRUNCATED);
    ASSERT_STR_EQ(weft_error_message(), "the body ended after 2 bytes, before its last chunk");
    weft__h1_body_done(&body);
}

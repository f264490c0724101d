/* Heads: limits, memory, reuse, and the writers; see test_h1_request.c for the grammar. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/testing.h>

#include "base/limits.h"
#include "proto/h1.h"
#include "proto/header.h"
#include "test.h"

static const struct weft__h1_limits small = {
    .start_line = 20, .head = 100, .field = 30, .fields = 3};

/* The result for text, whole and byte by byte, which must agree. */
static int parse(bool request, const char *text, int *ret_status)
{
    struct weft__h1_head head;
    char copy[512];
    size_t len = strlen(text);
    int whole = 0;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        int n = 0;
        ASSERT_INT_LE(len, sizeof copy);
        memcpy(copy, text, len);
        weft__h1_head_init(&head);
        weft__h1_head_reset(&head, request ? NULL : "GET");
        for (size_t seen = bytewise ? 1 : len; n == 0 && seen <= len; seen++)
            n = request ? weft__h1_parse_request(&head, copy, seen, &small)
                        : weft__h1_parse_response(&head, copy, seen, &small);
        if (bytewise)
            ASSERT_INT_EQ(n, whole);
        whole = n;
        if (ret_status != NULL)
            *ret_status = head.status;
        weft__h1_head_done(&head);
    }
    return whole;
}

TEST(head_limits_are_exact)
{
    static const struct {
        const char *text;
        int result;
        int status;
    } rows[] = {
        {"GET /123456 HTTP/1.0\r\n\r\n", 24, 0},
        {"GET /1234567 HTTP/1.0\r\n\r\n", WEFT_EHEADER_TOO_LARGE, 414},
        {"GET / HTTP/1.0\r\nA: 345678901234567890123456789\r\n\r\n", 50, 0},
        {"GET / HTTP/1.0\r\nA: 3456789012345678901234567890\r\n\r\n", WEFT_EHEADER_TOO_LARGE, 431},
        {"GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n", 30, 0},
        {"GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", WEFT_EHEADER_TOO_LARGE, 431},
        {"GET / HTTP/1.0\r\nA:3456789012345678901234567890\r\nA:3456789012345678901234567890\r\n"
         "A:34567890123456\r\n\r\n",
         100, 0},
        {"GET / HTTP/1.0\r\nA:3456789012345678901234567890\r\nA:3456789012345678901234567890\r\n"
         "A:345678901234567\r\n\r\n",
         WEFT_EHEADER_TOO_LARGE, 431},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = 0;
        int result = parse(true, rows[i].text, &status);
        if (result != rows[i].result || (result < 0 && status != rows[i].status))
            FAIL("row %zu: %d, status %d, %s", i, result, status, weft_error_message());
    }
}

TEST(head_limits_hold_for_responses_and_folds)
{
    ASSERT_INT_EQ(parse(false, "HTTP/1.1 200 1234567\r\n\r\n", NULL), 24);
    ASSERT_INT_EQ(parse(false, "HTTP/1.1 200 12345678\r\n\r\n", NULL), WEFT_EHEADER_TOO_LARGE);
    ASSERT_STR_EQ(weft_error_message(), "message head, line 1: the line is longer than 20 bytes");
    ASSERT_INT_EQ(
        parse(false, "HTTP/1.1 200 OK\r\nA: b\r\n 890123456789012345678901\r\n\r\n", NULL),
        WEFT_EHEADER_TOO_LARGE);
    ASSERT_INT_GT(parse(false, "HTTP/1.1 200 OK\r\nA: b\r\n 89012345678901234567890\r\n\r\n", NULL),
                  0);
}

/* A line without an end must not be taken in for ever. */
TEST(head_without_an_end_is_refused_at_the_limit)
{
    struct weft__h1_head head;
    size_t len = WEFT__LIMIT_H1_START_LINE + 2;
    char *text = malloc(len);
    ASSERT(text != NULL);
    memset(text, 'G', len);
    weft__h1_head_init(&head);
    ASSERT_INT_EQ(weft__h1_parse_request(&head, text, len - 1, &weft__h1_request_limits), 0);
    ASSERT_ERR(weft__h1_parse_request(&head, text, len, &weft__h1_request_limits),
               WEFT_EHEADER_TOO_LARGE);
    ASSERT_INT_EQ(head.status, 414);
    weft__h1_head_done(&head);
    free(text);
}

static size_t many_fields(char *text, size_t size, int fields)
{
    int len = snprintf(text, size, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < fields; i++)
        len += snprintf(text + len, size - (size_t)len, "N%d: v%d\r\n", i, i);
    len += snprintf(text + len, size - (size_t)len, "\r\n");
    return (size_t)len;
}

TEST(head_of_many_fields_grows_once_and_is_reused)
{
    static char text[16384];
    struct weft__h1_head head;
    weft_headers headers;
    weft__headers_init(&headers);
    weft__h1_head_init(&head);
    size_t len = many_fields(text, sizeof text, 512);
    for (int round = 0; round < 3; round++) {
        weft_testing_fail_alloc(0, false);
        weft__h1_head_reset(&head, "GET");
        ASSERT_INT_EQ(weft__h1_parse_response(&head, text, len, &weft__h1_response_limits), len);
        ASSERT_INT_EQ(head.fields_len, 512);
        if (round > 0)
            ASSERT_INT_EQ(weft_testing_alloc_count(), 0);
    }
    ASSERT_MEM_EQ(weft__h1_head_find(&head, "n511")->value, "v511", 4);
    ASSERT(weft__h1_head_find(&head, "n512") == NULL);
    ASSERT_OK(weft__h1_head_copy(&head, &headers));
    ASSERT_STR_EQ(weft_headers_get(&headers, "N300"), "v300");
    len = many_fields(text, sizeof text, 513);
    weft__h1_head_reset(&head, "GET");
    ASSERT_ERR(weft__h1_parse_response(&head, text, len, &weft__h1_response_limits),
               WEFT_EHEADER_TOO_LARGE);
    ASSERT_STR_EQ(weft_error_message(), "message head, line 514: more than 512 fields");
    weft__h1_head_done(&head);
    weft__headers_done(&headers);
}

TEST(head_without_memory_says_so)
{
    static char text[4096];
    struct weft__h1_head head;
    weft_headers headers;
    size_t len = many_fields(text, sizeof text, 100);
    weft__headers_init(&headers);
    weft__h1_head_init(&head);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        weft__h1_head_reset(&head, "GET");
        weft_testing_fail_alloc(nth, true);
        int n = weft__h1_parse_response(&head, text, len, &weft__h1_response_limits);
        weft_testing_fail_alloc(0, false);
        ASSERT_INT_EQ(n, -ENOMEM);
    }
    weft__h1_head_reset(&head, "GET");
    ASSERT_INT_EQ(weft__h1_parse_response(&head, text, len, &weft__h1_response_limits), len);
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft__h1_head_copy(&head, &headers), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    ASSERT_INT_EQ(weft_headers_count(&headers), 0);
    weft__h1_head_done(&head);
}

TEST(head_can_be_pointed_at_moved_bytes)
{
    char text[] = "GET /path HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    char moved[sizeof text];
    struct weft__h1_head head;
    weft__h1_head_init(&head);
    ASSERT_OK(weft__h1_parse_request(&head, text, strlen(text), &weft__h1_request_limits));
    memcpy(moved, text, sizeof text);
    memset(text, 0, sizeof text);
    weft__h1_head_rebase(&head, moved);
    ASSERT_MEM_EQ(head.method.data, "GET", 3);
    ASSERT_MEM_EQ(head.target.data, "/path", 5);
    ASSERT_MEM_EQ(head.host.data, "a", 1);
    ASSERT_MEM_EQ(head.fields[1].value, "y", 1);
    weft__h1_head_done(&head);
}

/* ---- writing ---- */

static weft_headers *make(const weft_pair *pairs)
{
    weft_headers *headers;
    ASSERT_OK(weft_headers_new(&headers));
    for (; pairs->name != NULL; pairs++)
        ASSERT_OK(weft_headers_add(headers, pairs->name, pairs->value));
    return headers;
}

struct request_row {
    const char *method;
    const char *target;
    const char *host;
    weft_pair fields[4];
    enum weft__h1_body_kind body;
    uint64_t length;
    const char *expected; /* NULL: refused */
};

static const struct request_row request_rows[] = {
    {"GET", "/", "a", {{0}}, WEFT__H1_NONE, 0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"POST",
     "/x?y",
     "a:81",
     {{"Accept", "*/*"}, {"X", ""}},
     WEFT__H1_LENGTH,
     0,
     "POST /x?y HTTP/1.1\r\nHost: a:81\r\nAccept: */*\r\nX: \r\nContent-Length: 0\r\n\r\n"},
    {"PUT",
     "/",
     "a",
     {{"A", "1"}},
     WEFT__H1_LENGTH,
     UINT64_MAX,
     "PUT / HTTP/1.1\r\nHost: a\r\nA: 1\r\nContent-Length: 18446744073709551615\r\n\r\n"},
    {"POST",
     "/",
     "[::1]:8080",
     {{0}},
     WEFT__H1_CHUNKED,
     0,
     "POST / HTTP/1.1\r\nHost: [::1]:8080\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"GET",
     "/",
     "a",
     {{"A", "1"}, {"host", "b"}, {"B", "2"}},
     WEFT__H1_NONE,
     0,
     "GET / HTTP/1.1\r\nHost: b\r\nA: 1\r\nB: 2\r\n\r\n"},
    {"POST",
     "/",
     "a",
     {{"content-length", "7"}, {"TRANSFER-ENCODING", "chunked"}, {"Content-Lengths", "1"}},
     WEFT__H1_LENGTH,
     5,
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Lengths: 1\r\nContent-Length: 5\r\n\r\n"},
    {"OPTIONS", "*", "", {{0}}, WEFT__H1_NONE, 0, "OPTIONS * HTTP/1.1\r\nHost: \r\n\r\n"},
    {"CONNECT", "a:1", "a:1", {{0}}, WEFT__H1_NONE, 0, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"},
    {"GET", "/%2F\xc3", "a", {{0}}, WEFT__H1_NONE, 0, "GET /%2F\xc3 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"", "/", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET /x HTTP/1.1\r\nA:", "/", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"G T", "/", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/a b", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/\r\nA: b", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/\n", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/\x7f", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/\t", "a", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/", "a\r\nB: c", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/", "a b", {{0}}, WEFT__H1_NONE, 0, NULL},
    {"GET", "/", "a", {{"Host", "b/c"}}, WEFT__H1_NONE, 0, NULL},
};

TEST(request_head_is_written_byte_for_byte)
{
    for (size_t i = 0; i < sizeof request_rows / sizeof request_rows[0]; i++) {
        const struct request_row *row = &request_rows[i];
        weft_headers *headers = make(row->fields);
        struct weft__buf buf;
        weft__buf_init(&buf, 4096);
        int err = weft__h1_write_request(&buf, row->method, row->target, row->host, headers,
                                         row->body, row->length);
        if (row->expected == NULL) {
            ASSERT_INT_EQ(err, WEFT_ELOCAL_PROTOCOL);
            ASSERT_INT_EQ(buf.len, 0);
        } else {
            ASSERT_OK(err);
            ASSERT_OK(weft__buf_append_char(&buf, '\0'));
            ASSERT_STR_EQ(weft__buf_bytes(&buf), row->expected);
        }
        weft__buf_done(&buf);
        weft_headers_free(headers);
    }
}

TEST(request_head_is_written_whole_or_not_at_all)
{
    weft_headers *headers = make((weft_pair[]){{"A", "b"}, {0}});
    struct weft__buf buf;
    weft__buf_init(&buf, 40);
    ASSERT_ERR(weft__h1_write_request(&buf, "GET", "/", "a", headers, WEFT__H1_NONE, 0), -EMSGSIZE);
    ASSERT_INT_EQ(buf.len, 0);
    buf.max = 4096;
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft__h1_write_request(&buf, "GET", "/", "a", headers, WEFT__H1_NONE, 0), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    weft__buf_done(&buf);
    weft_headers_free(headers);
}

static const struct {
    int status;
    const char *date;
    weft_pair fields[3];
    enum weft__h1_body_kind body;
    bool close;
    const char *expected;
} response_rows[] = {
    {200, NULL, {{0}}, WEFT__H1_LENGTH, false, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
    {200,
     "D",
     {{"A", "b"}},
     WEFT__H1_CHUNKED,
     true,
     "HTTP/1.1 200 OK\r\nDate: D\r\nA: b\r\nTransfer-Encoding: chunked\r\n"
     "Connection: close\r\n\r\n"},
    {200, "D", {{"date", "X"}}, WEFT__H1_NONE, false, "HTTP/1.1 200 OK\r\ndate: X\r\n\r\n"},
    {204, NULL, {{0}}, WEFT__H1_LENGTH, false, "HTTP/1.1 204 No Content\r\n\r\n"},
    {100, NULL, {{0}}, WEFT__H1_CHUNKED, false, "HTTP/1.1 100 Continue\r\n\r\n"},
    {304,
     NULL,
     {{0}},
     WEFT__H1_LENGTH,
     false,
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
    {599, NULL, {{0}}, WEFT__H1_UNTIL_EOF, true, "HTTP/1.1 599 \r\nConnection: close\r\n\r\n"},
    {200,
     NULL,
     {{"Content-Length", "9"}},
     WEFT__H1_LENGTH,
     false,
     "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
};

TEST(response_head_is_written_byte_for_byte)
{
    for (size_t i = 0; i < sizeof response_rows / sizeof response_rows[0]; i++) {
        weft_headers *headers = make(response_rows[i].fields);
        struct weft__buf buf;
        weft__buf_init(&buf, 4096);
        ASSERT_OK(weft__h1_write_response(&buf, response_rows[i].status, response_rows[i].date,
                                          headers, response_rows[i].body, 7,
                                          response_rows[i].close));
        ASSERT_OK(weft__buf_append_char(&buf, '\0'));
        ASSERT_STR_EQ(weft__buf_bytes(&buf), response_rows[i].expected);
        weft__buf_done(&buf);
        weft_headers_free(headers);
    }
}

TEST(response_head_with_an_impossible_status_is_refused)
{
    weft_headers *headers = make((weft_pair[]){{0}});
    struct weft__buf buf;
    weft__buf_init(&buf, 30);
    ASSERT_ERR(weft__h1_write_response(&buf, 99, NULL, headers, WEFT__H1_NONE, 0, false),
               WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft__h1_write_response(&buf, 1000, NULL, headers, WEFT__H1_NONE, 0, false),
               WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft__h1_write_response(&buf, 200, NULL, headers, WEFT__H1_NONE, 0, false),
               -EMSGSIZE);
    weft__buf_done(&buf);
    weft_headers_free(headers);
}

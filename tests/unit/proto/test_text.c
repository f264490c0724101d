/* What bodies and fields say: server-sent events, character encodings, links. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>
#include <weft/testing.h>

#include "proto/charset.h"
#include "proto/link.h"
#include "proto/sse.h"
#include "test.h"

/* ---- server-sent events ---- */

/* "event|id|data;" for each, of a stream cut at two places. */
static int read_events(const char *text, size_t len, size_t a, size_t b, char *ret, size_t size,
                       int64_t *ret_retry)
{
    struct weft__sse sse;
    struct weft__sse_event event;
    size_t cuts[] = {a, b, len};
    size_t at = 0;
    size_t n = 0;
    int result = 0;
    ret[0] = '\0';
    weft__sse_init(&sse, 100);
    for (int i = 0; i < 3 && result >= 0; i++) {
        const char *data = text + at;
        size_t left = cuts[i] - at;
        while ((result = weft__sse_next(&sse, &data, &left, &event)) > 0) {
            ASSERT_INT_EQ(strlen(event.data), event.data_len);
            n +=
                (size_t)snprintf(ret + n, size - n, "%s|%s|%s;", event.event, event.id, event.data);
        }
        ASSERT(result < 0 || left == 0);
        at = cuts[i];
    }
    *ret_retry = sse.retry;
    weft__sse_done(&sse);
    return result;
}

static void check_events(const char *text, const char *expected, int64_t expected_retry)
{
    char events[300];
    int64_t retry;
    size_t len = strlen(text);
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            ASSERT_OK(read_events(text, len, a, b, events, sizeof events, &retry));
            ASSERT_STR_EQ(events, expected);
            ASSERT_INT_EQ(retry, expected_retry);
        }
    }
}

TEST(sse_events_at_every_cut)
{
    static const struct {
        const char *text;
        const char *events;
        int64_t retry;
    } rows[] = {
        {"data: a\n\n", "message||a;", -1},
        {"data:a\r\n\r\ndata: b\r\rdata:  c\n\n", "message||a;message||b;message|| c;", -1},
        {"\xef\xbb\xbf"
         "data: a\n\n",
         "message||a;", -1},
        {"data: a\n\n\xef\xbb\xbf"
         "data: b\n\n",
         "message||a;", -1},
        {"data: YHOO\ndata: +2\ndata: 10\n\n", "message||YHOO\n+2\n10;", -1},
        {": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
         "message|1|first;message||second;message|| third;", -1},
        {"data\n\ndata\ndata\n\ndata:", "message||;message||\n;", -1},
        {"event: add\ndata: 1\n\nevent: x\n\ndata: 2\n\n", "add||1;message||2;", -1},
        {"event: a\nevent: b\ndata\n\n", "b||;", -1},
        {"id: 7\n\ndata: x\n\n", "message|7|x;", -1},
        {"id: 7\ndata: lost", "", -1},
        {"retry: 1500\n\nretry: x\nretry: -1\nretry:\nretry: 99999999999999999999\n", "", 1500},
        {"DATA: a\nunknown: b\n data: c\n\n", "", -1},
        {"", "", -1},
        {"\n\n\r\n\r", "", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_events(rows[i].text, rows[i].events, rows[i].retry);
}

TEST(sse_id_with_a_nul_does_not_count)
{
    static const char text[] = "id: 1\ndata: a\n\nid: 2\0x\ndata: b\n\n";
    char events[100];
    int64_t retry;
    ASSERT_OK(read_events(text, sizeof text - 1, 5, 9, events, sizeof events, &retry));
    ASSERT_STR_EQ(events, "message|1|a;message|1|b;");
}

TEST(sse_event_is_bounded_as_a_whole)
{
    char text[512];
    char events[512];
    int64_t retry;
    memset(text, 'x', sizeof text);
    ASSERT_INT_EQ(read_events(text, 101, 50, 101, events, sizeof events, &retry), WEFT_ETOO_LONG);
    ASSERT_STR_EQ(weft_error_message(), "a server-sent event is longer than 100 bytes");
    text[0] = '\0';
    for (int i = 0; i < 60; i++)
        memcpy(text + i * 5, "data\n", 6);
    ASSERT_OK(read_events(text, 300, 50, 101, events, sizeof events, &retry));
    for (int i = 0; i < 40; i++)
        memcpy(text + i * 7, "data:x\n", 8);
    ASSERT_OK(read_events(text, 280, 50, 101, events, sizeof events, &retry));
    for (int i = 0; i < 50; i++)
        memcpy(text + i * 8, "data:xx\n", 9);
    ASSERT_INT_EQ(read_events(text, 399, 50, 101, events, sizeof events, &retry), WEFT_ETOO_LONG);
}

TEST(sse_restart_keeps_the_id)
{
    struct weft__sse sse;
    struct weft__sse_event event;
    const char *data = "id: 5\nretry: 10\ndata: a\n\ndata: half";
    size_t len = strlen(data);
    weft__sse_init(&sse, 1000);
    ASSERT_INT_EQ(weft__sse_next(&sse, &data, &len, &event), 1);
    ASSERT_INT_EQ(weft__sse_next(&sse, &data, &len, &event), 0);
    weft__sse_restart(&sse);
    data = "\xef\xbb\xbf"
           "data: b\n\n";
    len = strlen(data);
    ASSERT_INT_EQ(weft__sse_next(&sse, &data, &len, &event), 1);
    ASSERT_STR_EQ(event.data, "b");
    ASSERT_STR_EQ(event.id, "5");
    ASSERT_INT_EQ(sse.retry, 10);
    weft__sse_done(&sse);
}

/* ---- character encodings ---- */

static void decode_cut(const char *label, const char *data, size_t len, size_t a, size_t b,
                       struct weft__buf *buf)
{
    struct weft__charset charset;
    ASSERT_OK(weft__charset_init(&charset, label, strlen(label)));
    weft__buf_clear(buf);
    ASSERT_OK(weft__charset_decode(&charset, data, a, false, buf));
    ASSERT_OK(weft__charset_decode(&charset, data + a, b - a, false, buf));
    ASSERT_OK(weft__charset_decode(&charset, data + b, len - b, true, buf));
    ASSERT_OK(weft__buf_append_char(buf, '\0'));
    weft__charset_done(&charset);
}

#define FFFD "\xef\xbf\xbd"

TEST(charset_text_at_every_cut)
{
    static const struct {
        const char *label;
        const char *data;
        size_t len;
        const char *text;
    } rows[] = {
        {"utf-8", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 11, "aé€😀z"},
        {"UTF8",
         "\xef\xbb\xbf"
         "a",
         4, "a"},
        {"utf-8", "a\xef\xbb\xbf", 4, "a\xef\xbb\xbf"},
        {"", "\xc3\xa9", 2, "é"},
        {"nonsense", "\xc3\xa9", 2, "é"},
        /* Unicode's table of maximal subparts. */
        {"utf-8",
         "a\xf1\x80\x80\xe1\x80\xc2"
         "b\x80"
         "c\x80\xbf"
         "d",
         13, "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d"},
        {"utf-8", "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", 9,
         FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
        {"utf-8", "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", 9,
         FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
        {"utf-8", "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", 9,
         FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"},
        {"utf-8", "a\xe2\x82", 3, "a" FFFD},
        {"ISO-8859-1", "\xe9\x80", 2, "é€"},
        {"latin1", "abc", 3, "abc"},
        {"iso-8859-15", "\xa4", 1, "€"},
        {"koi8-r", "\xf0\xd2\xc9", 3, "При"},
        {"shift_jis",
         "\x93\xfa\x96\x7b"
         "a",
         5, "日本a"},
        {"euc-jp", "\xc6\xfc\xcb\xdc", 4, "日本"},
        {"iso-2022-jp", "\x1b$BF|K\\\x1b(B!", 11, "日本!"},
        {"gbk", "\xc4\xe3\xba\xc3", 4, "你好"},
        {"big5", "\xa7\x41\xa6\x6e", 4, "你好"},
        {"euc-kr", "\xb0\xa1", 2, "가"},
        {"utf-16le", "a\0\x3d\xd8\x00\xde", 6, "a😀"},
        {"utf-16",
         "\xff\xfe"
         "a\0",
         4, "a"},
        {"utf-16be", "\xfe\xff\0a\xd8\x3d\xde\x00", 8, "a😀"},
        {"utf-16le",
         "\x00\xd8"
         "a\0",
         4, FFFD "a"},
        {"utf-16le", "a\0b", 3, "a" FFFD},
    };
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t a = 0; a <= rows[i].len; a++) {
            for (size_t b = a; b <= rows[i].len; b++) {
                decode_cut(rows[i].label, rows[i].data, rows[i].len, a, b, &buf);
                ASSERT_STR_EQ(weft__buf_bytes(&buf), rows[i].text);
            }
        }
    }
    weft__buf_done(&buf);
}

TEST(charset_names_are_the_table_s_alone)
{
    static const char *const unknown[] = {"",
                                          " ",
                                          "utf-8 utf8",
                                          "utf",
                                          "//TRANSLIT",
                                          "utf-7",
                                          "utf-8//IGNORE",
                                          "wchar_t",
                                          "../x",
                                          "ebcdic-us",
                                          "0123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        ASSERT(!weft__charset_is_known(unknown[i], strlen(unknown[i])));
    ASSERT(!weft__charset_is_known("utf-8\0", 6));
    ASSERT(weft__charset_is_known("Windows-1252", 12));
    ASSERT(weft__charset_is_known("866", 3));
}

TEST(charset_output_is_bounded)
{
    struct weft__charset charset;
    struct weft__buf buf;
    weft__buf_init(&buf, 10);
    ASSERT_OK(weft__charset_init(&charset, "utf-8", 5));
    ASSERT_OK(weft__charset_decode(&charset, "0123456789", 10, false, &buf));
    ASSERT_INT_EQ(weft__charset_decode(&charset, "x", 1, true, &buf), -EMSGSIZE);
    weft__charset_done(&charset);
    weft__buf_done(&buf);
}

/* ---- links ---- */

TEST(links_are_told_apart)
{
    static const struct {
        const char *value;
        const char *links; /* "target|rel;" for each */
    } rows[] = {
        {"<https://api.example/x?page=2>; rel=\"next\", <https://api.example/x?page=9>; "
         "rel=\"last\"",
         "https://api.example/x?page=2|next;https://api.example/x?page=9|last;"},
        {"</a,b;c>;rel=next", "/a,b;c|next;"},
        {"<>; rel=self", "|self;"},
        {"<a>", "a|;"},
        {"<a>; title=\"x, <b>; rel=no\" ; REL = \"prev up\", <c>", "a|prev up;c|;"},
        {"<a>; rel=one; rel=two", "a|one;"},
        {"<a>; title=\"\\\", <b>\"; rel=x", "a|x;"},
        {"nonsense, <a>;rel=x , ,\t<b>; rel", "a|x;b|;"},
        {"<a", ""},
        {"", ""},
        {"<a>junk; rel=x, <b>; rel=y", "a|;b|y;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[300] = "";
        size_t n = 0;
        struct weft__link link;
        struct weft__text rest = {rows[i].value, strlen(rows[i].value)};
        while (weft__link_next(&rest, &link))
            n += (size_t)snprintf(text + n, sizeof text - n, "%.*s|%.*s;", (int)link.target.len,
                                  link.target.data, (int)link.rel.len,
                                  link.rel.len > 0 ? link.rel.data : "");
        ASSERT_STR_EQ(text, rows[i].links);
    }
}

TEST(link_relations_are_words)
{
    struct weft__link link = {.rel = {"Prev  up\tfirst", 14}};
    ASSERT(weft__link_is(&link, "prev"));
    ASSERT(weft__link_is(&link, "UP"));
    ASSERT(weft__link_is(&link, "first"));
    ASSERT(!weft__link_is(&link, "pre"));
    ASSERT(!weft__link_is(&link, "next"));
    link.rel = (struct weft__text){NULL, 0};
    ASSERT(!weft__link_is(&link, "next"));
}

static int use_all(void)
{
    char events[100];
    int64_t retry;
    struct weft__charset charset;
    struct weft__buf buf;
    int err = read_events("id: 1\nevent: e\ndata: a\n\n", 24, 3, 9, events, sizeof events, &retry);
    if (err < 0)
        return err;
    err = weft__charset_init(&charset, "koi8-r", 6);
    if (err < 0)
        return err;
    weft__buf_init(&buf, SIZE_MAX);
    err = weft__charset_decode(&charset, "\xf0\xd2", 2, true, &buf);
    weft__buf_done(&buf);
    weft__charset_done(&charset);
    return err;
}

TEST(text_without_memory_is_enomem)
{
    uint64_t nth = 0;
    int err = -ENOMEM;
    while (err == -ENOMEM) {
        weft_testing_fail_alloc(++nth, false);
        err = use_all();
        weft_testing_fail_alloc(0, false);
    }
    ASSERT_OK(err);
    ASSERT(nth > 5);
}

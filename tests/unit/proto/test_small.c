/* Dates, forms, status texts, content types, methods, JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/http.h>
#include <weft/json.h>
#include <weft/testing.h>

#include "proto/chars.h"
#include "proto/date.h"
#include "proto/method.h"
#include "proto/mime.h"
#include "test.h"

enum { NOW = 1788256800 }; /* 2026-09-01 */

TEST(date_is_written_as_imf_fixdate)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868799, "Tue, 29 Feb 2000 23:59:59 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[WEFT__DATE_LEN + 1];
        int64_t seconds;
        weft__date_format(rows[i].seconds, text);
        ASSERT_STR_EQ(text, rows[i].text);
        ASSERT_INT_EQ(weft__date_parse(text, strlen(text), NOW, &seconds), 0);
        ASSERT_INT_EQ(seconds, rows[i].seconds);
    }
}

TEST(date_every_day_is_read_back)
{
    char text[WEFT__DATE_LEN + 1];
    int64_t seconds;
    for (int64_t day = 0; day < 366 * 800; day++) {
        weft__date_format(day * 86400 + day % 86400, text);
        ASSERT_INT_EQ(weft__date_parse(text, WEFT__DATE_LEN, NOW, &seconds), 0);
        ASSERT_INT_EQ(seconds, day * 86400 + day % 86400);
    }
}

TEST(date_in_any_of_its_forms_is_read)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } rows[] = {
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 06 08:49:37 1994", 784111777},
        {"Mon Nov 16 08:49:37 2026", 1794818977},
        {"Tuesday, 01-Sep-76 00:00:00 GMT", 3366144000}, /* 50 years ahead */
        {"Wednesday, 01-Sep-77 00:00:00 GMT", 241920000},
        {"Sun, 06 Nov 1994 08:49:60 GMT", 784111800},
        {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"sun, 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 94 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 29 Feb 2023 08:49:37 GMT", -1},
        {"Sun, 29 Feb 2100 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1600 08:49:37 GMT", -1},
        {"Sun, +6 Nov 1994 08:49:37 GMT", -1},
        {"Sun,06 Nov 1994 08:49:37 GMT", -1},
        {"Sun Nov 6 08:49:37 1994", -1},
        {"Sun", -1},
        {"", -1},
        {"0", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t seconds = -1;
        int err = weft__date_parse(rows[i].text, strlen(rows[i].text), NOW, &seconds);
        if (seconds != rows[i].seconds || (err == 0) != (seconds >= 0))
            FAIL("\"%s\" is %jd", rows[i].text, (intmax_t)seconds);
        /* No cut of it is read beyond its end, nor taken for a date. */
        for (size_t len = 0; len < strlen(rows[i].text); len++) {
            char *cut = malloc(len + 1);
            ASSERT(cut != NULL);
            memcpy(cut, rows[i].text, len);
            err = weft__date_parse(cut, len, NOW, &seconds);
            free(cut);
            if (rows[i].seconds >= 0)
                ASSERT_INT_EQ(err, -1);
        }
    }
}

TEST(form_is_encoded)
{
    static const struct {
        weft_pair pairs[3];
        const char *text;
    } rows[] = {
        {{{0}}, ""},
        {{{"a", "b"}}, "a=b"},
        {{{"a", "b"}, {"a", NULL}}, "a=b&a="},
        {{{"a b", "c&d=e+f%"}}, "a+b=c%26d%3De%2Bf%25"},
        {{{"", "\xe2\x82\xac"}}, "=%E2%82%AC"},
        {{{"*-._09azAZ", "~!'()\r\n"}}, "*-._09azAZ=%7E%21%27%28%29%0D%0A"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text;
        size_t len;
        ASSERT_OK(weft_form_encode(rows[i].pairs, &text, &len));
        ASSERT_STR_EQ(text, rows[i].text);
        ASSERT_INT_EQ(len, strlen(text));
        weft_free(text);
    }
    char *none;
    ASSERT_OK(weft_form_encode(NULL, &none, NULL));
    ASSERT_STR_EQ(none, "");
    weft_free(none);
}

TEST(form_is_decoded)
{
    static const struct {
        const char *text;
        weft_pair pairs[4];
    } rows[] = {
        {"", {{0}}},
        {"&&", {{0}}},
        {"a=b", {{"a", "b"}}},
        {"a=b&c=d&&a=", {{"a", "b"}, {"c", "d"}, {"a", ""}}},
        {"a", {{"a", ""}}},
        {"=b&=", {{"", "b"}, {"", ""}}},
        {"a=b=c", {{"a", "b=c"}}},
        {"a+b=%63%2B+%", {{"a b", "c+ %"}}},
        {"%zz=%4&%E2%82%AC", {{"%zz", "%4"}, {"\xe2\x82\xac", ""}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_pair *pairs;
        size_t n = 0;
        ASSERT_OK(weft_form_decode(rows[i].text, strlen(rows[i].text), &pairs));
        for (; rows[i].pairs[n].name != NULL; n++) {
            ASSERT_STR_EQ(pairs[n].name, rows[i].pairs[n].name);
            ASSERT_STR_EQ(pairs[n].value, rows[i].pairs[n].value);
        }
        ASSERT(pairs[n].name == NULL);
        weft_free(pairs);
    }
}

TEST(form_with_a_nul_is_refused)
{
    static const char *const texts[] = {"a=%00", "a%00b=c", "x=y&%00"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        weft_pair *pairs = NULL;
        ASSERT_ERR(weft_form_decode(texts[i], strlen(texts[i]), &pairs), -EINVAL);
        ASSERT(pairs == NULL);
    }
    weft_pair *pairs;
    ASSERT_ERR(weft_form_decode("a\0b", 3, &pairs), -EINVAL);
}

TEST(form_without_memory_says_so)
{
    char *text;
    weft_pair *pairs;
    weft_testing_fail_alloc(1, true);
    ASSERT_ERR(weft_form_encode((weft_pair[]){{"a", "b"}, {0}}, &text, NULL), -ENOMEM);
    ASSERT_ERR(weft_form_decode("a=b", 3, &pairs), -ENOMEM);
    weft_testing_fail_alloc(0, false);
}

TEST(status_has_its_reason)
{
    ASSERT_STR_EQ(weft_status_reason(200), "OK");
    ASSERT_STR_EQ(weft_status_reason(404), "Not Found");
    ASSERT_STR_EQ(weft_status_reason(511), "Network Authentication Required");
    ASSERT_STR_EQ(weft_status_reason(299), "");
    ASSERT_STR_EQ(weft_status_reason(-1), "");
    int known = 0;
    for (int status = 0; status < 1000; status++) {
        const char *reason = weft_status_reason(status);
        known += reason[0] != '\0';
        ASSERT(weft__chars_all(reason, strlen(reason), WEFT__CHAR_TEXT));
    }
    ASSERT_INT_EQ(known, 62);
}

TEST(content_type_follows_the_extension)
{
    static const struct {
        const char *path;
        const char *type;
    } rows[] = {
        {"/a/index.html", "text/html; charset=utf-8"},
        {"A.JPG", "image/jpeg"},
        {"x.tar.gz", "application/gzip"},
        {"a.7z", "application/x-7z-compressed"},
        {"a.zst", "application/zstd"},
        {"a.json", "application/json"},
        {".html", "application/octet-stream"},
        {"/a.html/b", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"a", "application/octet-stream"},
        {"", "application/octet-stream"},
        {"a.averyveryverylongextension", "application/octet-stream"},
        {"a.html2", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ASSERT_STR_EQ(weft__mime_from_path(rows[i].path), rows[i].type);
}

TEST(method_promises_are_known)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"};
    static const char *const neither[] = {"POST", "PATCH", "CONNECT", "get", "", "X"};
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++)
        ASSERT(weft__method_is_safe(safe[i]) && weft__method_is_idempotent(safe[i]));
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++)
        ASSERT(!weft__method_is_safe(neither[i]) && !weft__method_is_idempotent(neither[i]));
    ASSERT(weft__method_is_idempotent("PUT") && !weft__method_is_safe("PUT"));
    ASSERT(weft__method_is_idempotent("DELETE") && !weft__method_is_safe("DELETE"));
}

TEST(json_is_parsed)
{
    static const char *const texts[] = {"{}",
                                        "[1, 2]",
                                        "null",
                                        "\"a\\u0000b\"",
                                        " 1.5 ",
                                        "{\"a\": \"]]]}}}\\\"[[[\"}",
                                        "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *json;
        ASSERT_OK(weft_json_parse(texts[i], strlen(texts[i]), &json));
        json_decref(json);
    }
}

TEST(json_invalid_is_refused_with_its_place)
{
    static const char *const texts[] = {"",    " ",        "{",         "[1,]", "{\"a\"}", "nul",
                                        "1 2", "\"\xff\"", "[\"\\x\"]", "'a'",  "[1}",     "\"abc"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *json = NULL;
        ASSERT_ERR(weft_json_parse(texts[i], strlen(texts[i]), &json), WEFT_EJSON);
        ASSERT_STR_HAS(weft_error_message(), "not valid JSON, line ");
        ASSERT(json == NULL);
    }
    json_t *json;
    ASSERT_ERR(weft_json_parse("[1,\n 2,\n x]", 11, &json), WEFT_EJSON);
    ASSERT_STR_EQ(weft_error_message(), "not valid JSON, line 3 column 2: invalid token near 'x'");
}

TEST(json_nesting_is_bounded)
{
    char text[600];
    json_t *json = NULL;
    memset(text, '[', 128);
    memset(text + 128, ']', 128);
    ASSERT_OK(weft_json_parse(text, 256, &json));
    json_decref(json);
    memset(text, '[', 129);
    memset(text + 129, ']', 129);
    ASSERT_ERR(weft_json_parse(text, 258, &json), WEFT_EJSON);
    ASSERT_STR_EQ(weft_error_message(), "JSON is nested deeper than 128 levels");
    /* Brackets in strings do not count, those behind an escaped quote neither. */
    memset(text, '[', sizeof text);
    text[0] = '"';
    text[1] = '\\';
    text[2] = '"';
    text[sizeof text - 1] = '"';
    ASSERT_OK(weft_json_parse(text, sizeof text, &json));
    json_decref(json);
    memset(text, ']', sizeof text);
    ASSERT_ERR(weft_json_parse(text, sizeof text, &json), WEFT_EJSON);
    ASSERT_ERR(weft_json_parse("\"\\", 2, &json), WEFT_EJSON);
}

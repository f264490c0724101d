/*
 * test_text.c - what reaches a terminal: escapes, sizes, re-indented JSON.
 */
#include "cli/cli.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

/* step 0: all at once. */
static const char *escaped(const char *data, size_t len, size_t step, bool one_line)
{
    static char *text;
    static size_t size;
    free(text);
    FILE *to = open_memstream(&text, &size);
    struct escaper escaper = {.to = to, .one_line = one_line};
    step = step ? step : len;
    for (size_t at = 0; at < len; at += step)
        escape_text(&escaper, data + at, step < len - at ? step : len - at);
    escape_end(&escaper);
    fclose(to);
    return text;
}

static void check(const char *data, const char *expected)
{
    ASSERT_STR_EQ(escaped(data, strlen(data), 0, false), expected);
    ASSERT_STR_EQ(escaped(data, strlen(data), 1, false), expected);
}

TEST(escape_printable_text_stays)
{
    check("plain\n\ttext", "plain\n\ttext");
    check("K\xc3\xa4se \xe2\x82\xac \xf0\x9f\xa7\x80", "K\xc3\xa4se \xe2\x82\xac \xf0\x9f\xa7\x80");
    check("dos\r\nlines\r\n", "dos\nlines\n");
}

TEST(escape_controls_are_shown)
{
    check("\x1b]0;title\x07", "\\x1b]0;title\\x07");
    check("over\rwrite", "over\\rwrite");
    check("end\r", "end\\r");
    check("\r\r\n", "\\r\n");
    check("del\x7f", "del\\x7f");
    check("\xc2\x9b"
          "31m",
          "\\u{9b}31m");
    check("\xe2\x80\xae"
          "gpj",
          "\\u{202e}gpj");
    ASSERT_STR_EQ(escaped("a\0b", 3, 0, false), "a\\x00b");
}

TEST(escape_invalid_utf8_is_shown_by_bytes)
{
    check("\xff", "\\xff");
    check("\x80"
          "a",
          "\\x80a");
    check("\xc3(", "\\xc3(");
    check("\xe2\x82", "\\xe2\\x82");
    check("\xc0\xaf", "\\xc0\\xaf");
    check("\xed\xa0\x80", "\\xed\\xa0\\x80");
    check("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

TEST(escape_one_line_has_no_line_breaks)
{
    ASSERT_STR_EQ(escaped("a\nb\r\nc\td", 8, 0, true), "a\\x0ab\\x0d\\x0ac\\x09d");
}

TEST(text_is_told_from_binary)
{
    ASSERT(looks_like_text("", 0));
    ASSERT(looks_like_text("plain", 5));
    ASSERT(looks_like_text("K\xc3\xa4se", 5));
    ASSERT(looks_like_text("cut \xe2\x82", 6));
    ASSERT(!looks_like_text("\x89PNG", 4));
    ASSERT(!looks_like_text("a\0b", 3));
    ASSERT(!looks_like_text("\xff\xd8\xff", 3));
}

TEST(human_sizes_and_times_are_short)
{
    ASSERT_STR_EQ(human_bytes(0), "0 B");
    ASSERT_STR_EQ(human_bytes(999), "999 B");
    ASSERT_STR_EQ(human_bytes(1234567), "1.2 MB");
    ASSERT_STR_EQ(human_bytes(999999), "1.0 MB");
    ASSERT_STR_EQ(human_bytes(250000000), "250 MB");
    ASSERT_STR_EQ(human_bytes(UINT64_MAX), "18.4 EB");
    ASSERT_STR_EQ(human_time(WEFT_MS(12)), "12 ms");
    ASSERT_STR_EQ(human_time(WEFT_MS(3400)), "3.4 s");
    ASSERT_STR_EQ(human_time(WEFT_SEC(125)), "2 min 05 s");
    ASSERT_STR_EQ(human_time(WEFT_SEC(7500)), "2 h 05 min");
    ASSERT_STR_EQ(human_time(-1), "0 ms");
}

TEST(colours_are_for_terminals_only)
{
    FILE *to = tmpfile();
    ASSERT(to != NULL);
    ASSERT_STR_EQ(colour(to, RED), "");
    ASSERT_STR_EQ(colour_off(to), "");
    fclose(to);
}

static const char *pretty(const char *json, size_t step)
{
    static char *text;
    static size_t size;
    struct json_pretty state;
    free(text);
    FILE *to = open_memstream(&text, &size);
    json_pretty_init(&state, to);
    size_t len = strlen(json);
    for (size_t at = 0; at < len; at += step)
        json_pretty_feed(&state, json + at, step < len - at ? step : len - at);
    json_pretty_end(&state);
    fclose(to);
    return text;
}

static void check_json(const char *json, const char *expected)
{
    ASSERT_STR_EQ(pretty(json, 1), expected);
    ASSERT_STR_EQ(pretty(json, 1000), expected);
}

TEST(json_is_indented_with_order_and_spelling_kept)
{
    check_json("{\"b\":1.50,\"a\":[1,{\"x\":null}],\"e\":{},\"l\":[]}", "{\n"
                                                                        "    \"b\": 1.50,\n"
                                                                        "    \"a\": [\n"
                                                                        "        1,\n"
                                                                        "        {\n"
                                                                        "            \"x\": null\n"
                                                                        "        }\n"
                                                                        "    ],\n"
                                                                        "    \"e\": {},\n"
                                                                        "    \"l\": []\n"
                                                                        "}\n");
    check_json(" [ 12345678901234567890 , -1e400 ] ",
               "[\n    12345678901234567890,\n    -1e400\n]\n");
    check_json("", "");
    check_json("\"text\"", "\"text\"\n");
    check_json("true", "true\n");
}

TEST(json_strings_keep_what_looks_like_syntax)
{
    check_json("[\"a,b:{}[]\",\"q\\\"q\",\"\\\\\"]",
               "[\n    \"a,b:{}[]\",\n    \"q\\\"q\",\n    \"\\\\\"\n]\n");
    check_json("{\"K\xc3\xa4se\":\"\\u00e4\"}", "{\n    \"K\xc3\xa4se\": \"\\u00e4\"\n}\n");
}

TEST(json_values_after_each_other_stand_on_lines_of_their_own)
{
    check_json("{\"a\":1}\n{\"a\":2}\n", "{\n    \"a\": 1\n}\n{\n    \"a\": 2\n}\n");
    check_json("1 2", "1\n2\n");
}

TEST(json_controls_are_escaped)
{
    check_json("[\"\x1b[31m\"]", "[\n    \"\\x1b[31m\"\n]\n");
    check_json("\x1b[31m", "\\x1b\n[\n    31m\n");
}

TEST(json_that_is_none_ends_well)
{
    check_json("]]}", "\n]\n]\n}");
    check_json("{\"open", "{\n    \"open\n");
    char deep[5000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    ASSERT_INT_GT(strlen(pretty(deep, 7)), sizeof deep);
}

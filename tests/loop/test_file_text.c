/* Files that are open as text: UTF-8 that is checked, newlines, other encodings, places. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file_more.h>

#include "file_test.h"

static void put(const char *data, size_t len)
{
    ASSERT_OK(weft_write_file(test_path("t"), data, len));
}

static weft_file *open_text(const char *mode, const weft_file_options *options)
{
    weft_file *file;
    ASSERT_OK(weft_file_open_with(test_path("t"), mode, options, &file));
    return file;
}

/* What reading the whole file as text gives. */
static void expect_text(const weft_file_options *options, const char *text)
{
    char *all;
    weft_file *file = open_text("r", options);
    ASSERT_OK(weft_file_read_all(file, &all, NULL));
    ASSERT_STR_EQ(all, text);
    weft_free(all);
    ASSERT_OK(weft_file_close(file));
}

/* Its lines, with a bar behind each. */
static void expect_lines(const char *newline, const char *text)
{
    char found[256] = "";
    size_t at = 0;
    char *line;
    int64_t n;
    weft_file *file = open_text("r", WEFT_FILE(.text = true, .newline = newline));
    while ((n = weft_file_read_line(file, &line)) > 0)
        at += (size_t)snprintf(found + at, sizeof found - at, "%s|", line);
    ASSERT_INT_EQ(n, 0);
    ASSERT_STR_EQ(found, text);
    ASSERT_OK(weft_file_close(file));
}

static void expect_bytes(const char *data, size_t len)
{
    char *all;
    size_t all_len;
    ASSERT_OK(weft_read_file(test_path("t"), &all, &all_len));
    ASSERT_INT_EQ(all_len, len);
    ASSERT_MEM_EQ(all, data, len);
    weft_free(all);
}

FILE_TEST(newlines_are_read_as_python_reads_them)
{
    put("a\nb\rc\r\nd", 8);
    expect_lines(NULL, "a\n|b\n|c\n|d|");
    expect_lines("", "a\n|b\r|c\r\n|d|");
    expect_lines("\n", "a\n|b\rc\r\n|d|");
    expect_lines("\r", "a\nb\r|c\r|\nd|");
    expect_lines("\r\n", "a\nb\rc\r\n|d|");
    put("\r\r\n\n\r", 5);
    expect_lines(NULL, "\n|\n|\n|\n|");
    expect_lines("", "\r|\r\n|\n|\r|");
}

FILE_TEST(newlines_are_written_as_python_writes_them)
{
    static const struct {
        const char *newline;
        const char *bytes;
    } cases[] = {{NULL, "a\nb\n"},
                 {"", "a\nb\n"},
                 {"\n", "a\nb\n"},
                 {"\r", "a\rb\r"},
                 {"\r\n", "a\r\nb\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weft_file *file = open_text("w", WEFT_FILE(.text = true, .newline = cases[i].newline));
        ASSERT_OK(weft_file_write(file, "a\nb\n", 4));
        ASSERT_OK(weft_file_close(file));
        expect_bytes(cases[i].bytes, strlen(cases[i].bytes));
    }
}

/* A "\r\n" and a character of three bytes at each place around the end of a piece. */
FILE_TEST(text_is_the_same_wherever_pieces_end)
{
    enum { PIECE = 16384, LEN = PIECE + 64 };
    char data[LEN];
    for (size_t at = PIECE - 6; at <= PIECE + 2; at++) {
        char *line;
        memset(data, 'x', LEN);
        memcpy(data + at - 3, "\xE2\x82\xAC\r\n", 5);
        put(data, LEN);
        weft_file *file = open_text("r", WEFT_FILE(.text = true, .buffer = 4096));
        ASSERT_INT_EQ(weft_file_read_line(file, &line), (int64_t)at + 1);
        ASSERT_MEM_EQ(line + at - 3, "\xE2\x82\xAC\n", 4);
        ASSERT_INT_EQ(weft_file_tell(file), (int64_t)at + 2);
        ASSERT_INT_EQ(weft_file_read_line(file, &line), LEN - (int64_t)at - 2);
        ASSERT_OK(weft_file_close(file));
    }
}

FILE_TEST(bytes_that_are_not_utf8_are_named_with_their_offset)
{
    static const char *const bad[] = {"\x80",         "\xC0\x80",         "\xE2\x82",
                                      "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char data[32];
        char *line;
        char text[8];
        int len = snprintf(data, sizeof data, "good\n%s", bad[i]);
        put(data, (size_t)len);
        weft_file *file = open_text("r", WEFT_FILE(.text = true));
        ASSERT_INT_EQ(weft_file_read_line(file, &line), 5);
        ASSERT_ERR((int)weft_file_read_line(file, &line), -EILSEQ);
        ASSERT_STR_HAS(weft_error_message(), "at offset 5 is not UTF-8");
        ASSERT_ERR((int)weft_file_read(file, text, 8), -EILSEQ);
        ASSERT_INT_EQ(weft_file_tell(file), 5);
        ASSERT_OK(weft_file_close(file));
    }
}

FILE_TEST(bytes_that_are_not_utf8_are_replaced_if_asked)
{
    put("a\xFFz\xE2\x82!\xE2\x82", 8);
    expect_text(WEFT_FILE(.text = true, .replace = true),
                "a\xEF\xBF\xBDz\xEF\xBF\xBD!\xEF\xBF\xBD");
}

FILE_TEST(text_that_is_not_utf8_is_not_written)
{
    weft_file *file = open_text("w", WEFT_FILE(.text = true));
    ASSERT_ERR(weft_file_write(file, "ab\xFF", 3), -EILSEQ);
    ASSERT_STR_HAS(weft_error_message(), "0xff at offset 2");
    ASSERT_OK(weft_file_write(file, "ok", 2));
    ASSERT_OK(weft_file_close(file));
    expect_bytes("ok", 2);
}

FILE_TEST(other_encodings_go_both_ways)
{
    const char *text = "gr\xC3\xBC\xC3\x9F\n";
    weft_file *file = open_text("w", WEFT_FILE(.text = true, .encoding = "latin-1"));
    ASSERT_OK(weft_file_write(file, text, strlen(text)));
    ASSERT_ERR(weft_file_write(file, "\xE2\x82\xAC", 3), -EILSEQ);
    ASSERT_STR_HAS(weft_error_message(), "lacks a character");
    ASSERT_OK(weft_file_close(file));
    expect_bytes("gr\xFC\xDF\n", 5);
    expect_text(WEFT_FILE(.text = true, .encoding = "latin-1"), text);
    file = open_text("w", WEFT_FILE(.text = true, .encoding = "latin-1", .replace = true));
    ASSERT_OK(weft_file_write(file, "1\xE2\x82\xAC!", 5));
    ASSERT_OK(weft_file_close(file));
    expect_bytes("1?!", 3);
    put("\x81\x40\x81", 3);
    file = open_text("r", WEFT_FILE(.text = true, .encoding = "SHIFT_JIS"));
    char data[16];
    ASSERT_INT_EQ(weft_file_read(file, data, 16), 3);
    ASSERT_ERR((int)weft_file_read(file, data, 16), -EILSEQ);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(utf16_has_one_mark_and_either_order)
{
    const weft_file_options *options = WEFT_FILE(.text = true, .encoding = "UTF-16");
    char *line;
    weft_file *file = open_text("w", options);
    ASSERT_OK(weft_file_write(file, "a\n", 2));
    ASSERT_OK(weft_file_write(file, "b\n", 2));
    ASSERT_OK(weft_file_close(file));
    expect_bytes("\xFF\xFE"
                 "a\0\n\0b\0\n",
                 10);
    expect_text(options, "a\nb\n");
    file = open_text("a", options);
    ASSERT_OK(weft_file_write(file, "c", 1));
    ASSERT_OK(weft_file_close(file));
    expect_text(options, "a\nb\nc");
    put("\xFE\xFF\0a\0\n\0b", 8);
    file = open_text("r", options);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 2);
    int64_t here = weft_file_tell(file);
    ASSERT_INT_EQ(here, 6);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 1);
    ASSERT_STR_EQ(line, "b");
    ASSERT_INT_EQ(weft_file_seek(file, here, SEEK_SET), here);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 1);
    ASSERT_STR_EQ(line, "b");
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(signature_of_utf8_is_taken_away_and_written)
{
    const weft_file_options *options = WEFT_FILE(.text = true, .encoding = "utf-8-sig");
    weft_file *file = open_text("w", options);
    ASSERT_OK(weft_file_write(file, "a", 1));
    ASSERT_OK(weft_file_write(file, "b", 1));
    ASSERT_OK(weft_file_close(file));
    expect_bytes("\xEF\xBB\xBF"
                 "ab",
                 5);
    expect_text(options, "ab");
    put("x", 1);
    expect_text(options, "x");
}

FILE_TEST(places_of_text_are_found_again)
{
    char lines[64][64];
    int64_t places[64];
    char *line;
    int64_t n;
    int count = 0;
    put("", 0);
    weft_file *file = open_text("w", WEFT_FILE(.text = true, .newline = "\r\n"));
    for (int i = 0; i < 40; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "line %d \xC3\xA4\xE2\x82\xAC\n", i);
        ASSERT_OK(weft_file_write(file, text, (size_t)len));
    }
    ASSERT_OK(weft_file_close(file));
    file = open_text("r", WEFT_FILE(.text = true));
    do {
        places[count] = weft_file_tell(file);
        n = weft_file_read_line(file, &line);
        if (n > 0)
            snprintf(lines[count++], sizeof lines[0], "%s", line);
    } while (n > 0);
    ASSERT_INT_EQ(count, 40);
    while (count-- > 0) {
        ASSERT_INT_EQ(weft_file_seek(file, places[count], SEEK_SET), places[count]);
        ASSERT_INT_GT(weft_file_read_line(file, &line), 0);
        ASSERT_STR_EQ(line, lines[count]);
    }
    ASSERT_ERR((int)weft_file_seek(file, 1, SEEK_CUR), -EINVAL);
    ASSERT_ERR((int)weft_file_seek(file, -1, SEEK_END), -EINVAL);
    ASSERT_INT_GT(weft_file_seek(file, 0, SEEK_END), 0);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 0);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(text_is_written_where_reading_ended)
{
    char *line;
    put("one\r\ntwo\r\nthree\r\n", 17);
    weft_file *file = open_text("r+", WEFT_FILE(.text = true));
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 4);
    ASSERT_OK(weft_file_write(file, "TWO", 3));
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_CUR), 8);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 1);
    ASSERT_OK(weft_file_close(file));
    expect_bytes("one\r\nTWO\r\nthree\r\n", 17);
}

FILE_TEST(long_line_of_text_is_limited)
{
    char *line;
    char data[1000];
    memset(data, 'x', sizeof data);
    put(data, sizeof data);
    weft_file *file = open_text("r", WEFT_FILE(.text = true, .line_max = 100));
    ASSERT_ERR((int)weft_file_read_line(file, &line), WEFT_ETOO_LONG);
    ASSERT_INT_EQ(weft_file_read(file, data, 1000), 1000);
    ASSERT_OK(weft_file_close(file));
}

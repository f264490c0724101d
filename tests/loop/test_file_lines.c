/* Lines: what one is, how long it may be, and that lent ones stay whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file.h>

#include "base/limits.h"
#include "file_test.h"

static weft_file *open_with(const char *data, size_t len)
{
    weft_file *file;
    ASSERT_OK(weft_write_file(test_path("f"), data, len));
    ASSERT_OK(weft_file_open(test_path("f"), "r+", &file));
    return file;
}

static void expect_line(weft_file *file, const char *text, size_t len)
{
    char *line;
    ASSERT_INT_EQ(weft_file_read_line(file, &line), (int64_t)len);
    ASSERT_MEM_EQ(line, text, len);
    ASSERT_INT_EQ(line[len], '\0');
}

static void expect_end(weft_file *file)
{
    char *line = (char *)"untouched";
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 0);
    ASSERT_STR_EQ(line, "untouched");
}

FILE_TEST(lines_keep_their_ends_and_their_bytes)
{
    static const char text[] = "one\r\n\n\rtwo\nnul\0nul\n\xff\xfe\nlast";
    weft_file *file = open_with(text, sizeof text - 1);
    expect_line(file, "one\r\n", 5);
    expect_line(file, "\n", 1);
    expect_line(file, "\rtwo\n", 5);
    expect_line(file, "nul\0nul\n", 8);
    expect_line(file, "\xff\xfe\n", 3);
    expect_line(file, "last", 4);
    expect_end(file);
    expect_end(file);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(lines_of_an_empty_file_are_none)
{
    weft_file *file = open_with("", 0);
    expect_end(file);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(lines_mix_with_reads_seeks_and_writes)
{
    char data[8];
    weft_file *file = open_with("one\ntwo\nthree\nfour\n", 19);
    expect_line(file, "one\n", 4);
    ASSERT_INT_EQ(weft_file_tell(file), 4);
    ASSERT_INT_EQ(weft_file_read(file, data, 2), 2);
    ASSERT_MEM_EQ(data, "tw", 2);
    expect_line(file, "o\n", 2);
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
    expect_line(file, "one\n", 4);
    ASSERT_OK(weft_file_write(file, "TWO", 3));
    expect_line(file, "\n", 1);
    expect_line(file, "three\n", 6);
    ASSERT_INT_EQ(weft_file_seek(file, -4, SEEK_CUR), 10);
    expect_line(file, "ree\n", 4);
    ASSERT_INT_EQ(weft_file_seek(file, 2, SEEK_CUR), 16);
    expect_line(file, "ur\n", 3);
    ASSERT_OK(weft_file_write(file, "end", 3));
    ASSERT_INT_EQ(weft_file_seek(file, 4, SEEK_SET), 4);
    expect_line(file, "TWO\n", 4);
    ASSERT_INT_EQ(weft_file_seek(file, -3, SEEK_END), 19);
    expect_line(file, "end", 3);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(line_after_another_of_the_same_bytes_is_whole)
{
    weft_file *file = open_with("a\nb\n", 4);
    char *line;
    char data[2];
    expect_line(file, "a\n", 2);
    ASSERT_INT_EQ(weft_file_read(file, data, 1), 1);
    ASSERT_INT_EQ(data[0], 'b');
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 1);
    ASSERT_OK(weft_file_close(file));
}

/* Line lengths around every size at which the buffer is filled, moved or grown. */
FILE_TEST(lines_across_the_edges_of_the_buffer_are_whole)
{
    const size_t lengths[] = {1,     2,     4095,   4096,   4097,   16383,  16384,
                              16385, 65536, 262143, 262144, 262145, 270000, 600000};
    const size_t n = sizeof lengths / sizeof lengths[0];
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    char *text = malloc(600001);
    memset(text, 'x', 600001);
    for (size_t i = 0; i < 3 * n; i++) {
        size_t len = lengths[i * 5 % n];
        text[len - 1] = '\n';
        text[0] = len > 1 ? (char)('a' + i % 26) : '\n';
        ASSERT_OK(weft_file_write(file, text, len));
        text[len - 1] = 'x';
    }
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    for (size_t i = 0; i < 3 * n; i++) {
        char *line;
        size_t len = lengths[i * 5 % n];
        ASSERT_INT_EQ(weft_file_read_line(file, &line), (int64_t)len);
        ASSERT_INT_EQ(line[len - 1], '\n');
        ASSERT_INT_EQ(line[len], '\0');
        ASSERT_INT_EQ(line[0], len > 1 ? 'a' + (int)(i % 26) : '\n');
        ASSERT(len < 3 || memchr(line, '\n', len - 1) == NULL);
    }
    expect_end(file);
    ASSERT_OK(weft_file_close(file));
    free(text);
}

static void long_line(size_t len, int64_t expected)
{
    weft_file *file;
    char *line;
    char *text = malloc(len + 5);
    memset(text, 'x', len);
    memcpy(text + len - 1, "\nnext", 6);
    ASSERT_OK(weft_write_file(test_path("f"), text, len + 4));
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    ASSERT_INT_EQ(weft_file_read_line(file, &line), expected);
    if (expected < 0) {
        ASSERT_STR_HAS(weft_error_message(), test_path("f"));
        ASSERT_STR_HAS(weft_error_message(), "16777216 bytes (FILE_LINE)");
        ASSERT_INT_EQ(weft_file_tell(file), 0);
        ASSERT_INT_EQ(weft_file_seek(file, (int64_t)len, SEEK_SET), (int64_t)len);
    }
    expect_line(file, "next", 4);
    ASSERT_OK(weft_file_close(file));
    free(text);
}

TEST(line_at_its_limit_is_read_and_one_byte_more_is_refused)
{
    long_line(WEFT__LIMIT_FILE_LINE, WEFT__LIMIT_FILE_LINE);
    long_line((size_t)WEFT__LIMIT_FILE_LINE + 1, WEFT_ETOO_LONG);
}

FILE_TEST(file_that_is_not_cached_is_read_all_the_same)
{
    enum { LINES = 50000 };
    weft_file *file;
    char text[32];
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    for (int i = 0; i < LINES; i++)
        ASSERT_OK(weft_file_write(file, text, (size_t)snprintf(text, sizeof text, "line %d\n", i)));
    ASSERT_OK(weft_file_sync(file));
    ASSERT_OK(weft_file_close(file));
    int fd = open(test_path("f"), O_RDONLY | O_CLOEXEC);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    for (int i = 0; i < LINES; i++)
        expect_line(file, text, (size_t)snprintf(text, sizeof text, "line %d\n", i));
    expect_end(file);
    ASSERT_OK(weft_file_close(file));
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    char *data;
    size_t len;
    ASSERT_OK(weft_read_file(test_path("f"), &data, &len));
    ASSERT_MEM_EQ(data, "line 0\n", 7);
    ASSERT_INT_EQ(data[len - 1], '\n');
    weft_free(data);
    close(fd);
}

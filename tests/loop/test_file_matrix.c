/*
 * The matrix of aiofiles' own tests: each method by its name there, in each mode, buffered and
 * not, as bytes and as text.  A test's name is that of aiofiles without "test_".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file_more.h>

#include "file_test.h"

#define CONTENT "0123456789\n"

enum { LEN = sizeof CONTENT - 1, TIMES = 10 };

struct way {
    const char *mode;
    const weft_file_options *options;
};

static const weft_file_options buffered = {.size = sizeof buffered};
static const weft_file_options unbuffered = {.size = sizeof unbuffered, .unbuffered = true};
static const weft_file_options text = {.size = sizeof text, .text = true};

static void put(int times)
{
    char data[TIMES * LEN + 1] = "";
    for (int i = 0; i < times; i++)
        memcpy(data + i * LEN, CONTENT, LEN);
    ASSERT_OK(weft_write_file(test_path("f"), data, (size_t)(times * LEN)));
}

/* Calls check for each of some modes, with each kind of buffering, on a file of TIMES lines. */
static void each(const char *const *modes, void (*check)(weft_file *file, const char *mode))
{
    static const weft_file_options *const options[] = {&buffered, &unbuffered, &text};
    for (; *modes != NULL; modes++) {
        for (size_t i = 0; i < 3; i++) {
            weft_file *file;
            if (options[i]->text && strchr(*modes, 'b') != NULL)
                continue;
            put(TIMES);
            ASSERT_OK(weft_file_open_with(test_path("f"), *modes, options[i], &file));
            check(file, *modes);
            ASSERT_OK(weft_file_close(file));
        }
    }
}

static const char *const readers[] = {"r", "rb", "r+", "rb+", "a+", "ab+", NULL};
static const char *const keepers[] = {"r+", "rb+", "a", "ab", "a+", "ab+", NULL};
static const char *const writers[] = {"w", "wb", "w+", "wb+", "r+", "rb+",
                                      "a", "ab", "a+", "ab+", NULL};
static const char *const all_modes[] = {"r",   "rb", "r+", "rb+", "w",   "wb", "w+",
                                        "wb+", "a",  "ab", "a+",  "ab+", NULL};

/* Append mode needs it before reading, as in Python. */
static void rewind_file(weft_file *file)
{
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
}

static void check_iteration(weft_file *file, const char *mode)
{
    char *line;
    int64_t n;
    int count = 0;
    (void)mode;
    rewind_file(file);
    while ((n = weft_file_read_line(file, &line)) > 0) {
        ASSERT_INT_EQ(n, LEN);
        ASSERT_STR_EQ(line, CONTENT);
        count++;
    }
    ASSERT_INT_EQ(n, 0);
    ASSERT_INT_EQ(count, TIMES);
}

FILE_TEST(simple_iteration)
{
    each(readers, check_iteration);
}

static void check_read(weft_file *file, const char *mode)
{
    char data[TIMES * LEN + 10];
    (void)mode;
    rewind_file(file);
    ASSERT_INT_EQ(weft_file_read(file, data, 5), 5);
    ASSERT_MEM_EQ(data, CONTENT, 5);
    ASSERT_INT_EQ(weft_file_read(file, data + 5, sizeof data - 5), TIMES * LEN - 5);
    ASSERT_MEM_EQ(data + LEN * (TIMES - 1), CONTENT, LEN);
    ASSERT_INT_EQ(weft_file_read(file, data, 1), 0);
}

FILE_TEST(simple_read)
{
    each(readers, check_read);
}

static void check_read1(weft_file *file, const char *mode)
{
    char data[TIMES * LEN];
    int64_t n;
    int64_t total = 0;
    (void)mode;
    rewind_file(file);
    while ((n = weft_file_read_some(file, data, sizeof data)) > 0)
        total += n;
    ASSERT_INT_EQ(n, 0);
    ASSERT_INT_EQ(total, TIMES * LEN);
}

FILE_TEST(simple_read1)
{
    each(readers, check_read1);
}

static void check_readall(weft_file *file, const char *mode)
{
    char *data;
    size_t len;
    (void)mode;
    rewind_file(file);
    ASSERT_OK(weft_file_read_all(file, &data, &len));
    ASSERT_INT_EQ(len, TIMES * LEN);
    weft_free(data);
}

FILE_TEST(simple_readall)
{
    each(readers, check_readall);
}

static void check_readinto(weft_file *file, const char *mode)
{
    char data[4];
    (void)mode;
    rewind_file(file);
    ASSERT_OK(weft_file_read_exact(file, data, 4));
    ASSERT_MEM_EQ(data, CONTENT, 4);
}

FILE_TEST(simple_readinto)
{
    each(readers, check_readinto);
}

static void check_peek(weft_file *file, const char *mode)
{
    const char *seen;
    char data[LEN];
    rewind_file(file);
    int64_t n = weft_file_peek(file, 1, &seen);
    if (n == -EINVAL) {
        ASSERT(strchr(mode, 'b') == NULL); /* text */
        return;
    }
    ASSERT_INT_GE(n, 1);
    ASSERT_INT_EQ(seen[0], '0');
    ASSERT_INT_EQ(weft_file_read(file, data, LEN), LEN);
    ASSERT_MEM_EQ(data, CONTENT, LEN);
}

FILE_TEST(simple_peek)
{
    each(readers, check_peek);
}

static void check_write(weft_file *file, const char *mode)
{
    bool appends = mode[0] == 'a';
    int64_t before = weft_file_size(file);
    ASSERT_OK(weft_file_write(file, "abc", 3));
    int64_t after = mode[0] == 'r' ? before : before + 3;
    ASSERT_INT_EQ(weft_file_size(file), after);
    ASSERT_INT_EQ(weft_file_tell(file), appends ? after : 3);
}

FILE_TEST(simple_write)
{
    each(writers, check_write);
}

static void check_writelines(weft_file *file, const char *mode)
{
    const weft_slice lines[] = {{"a\n", 2}, {"b\n", 2}};
    int64_t before = mode[0] == 'r' ? 0 : weft_file_size(file);
    ASSERT_OK(weft_file_writev(file, lines, 2));
    ASSERT_INT_EQ(weft_file_tell(file), before + 4);
}

FILE_TEST(simple_writelines)
{
    each(writers, check_writelines);
}

static void check_flush(weft_file *file, const char *mode)
{
    char *data;
    size_t len;
    (void)mode;
    ASSERT_OK(weft_file_write(file, "xyz", 3));
    ASSERT_OK(weft_file_flush(file));
    ASSERT_OK(weft_read_file(test_path("f"), &data, &len));
    ASSERT_STR_HAS(data, "xyz");
    weft_free(data);
}

FILE_TEST(simple_flush)
{
    each(writers, check_flush);
}

static void check_seek(weft_file *file, const char *mode)
{
    bool empty = mode[0] == 'w';
    ASSERT_INT_EQ(weft_file_seek(file, 4, SEEK_SET), 4);
    ASSERT_INT_EQ(weft_file_tell(file), 4);
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_CUR), 4);
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_END), empty ? 0 : TIMES * LEN);
    ASSERT(weft_file_is_seekable(file));
}

FILE_TEST(simple_seek)
{
    each(all_modes, check_seek);
}

static void check_tell(weft_file *file, const char *mode)
{
    ASSERT_INT_EQ(weft_file_tell(file), mode[0] == 'a' ? TIMES * LEN : 0);
}

FILE_TEST(simple_tell)
{
    each(all_modes, check_tell);
}

static void check_truncate(weft_file *file, const char *mode)
{
    (void)mode;
    ASSERT_OK(weft_file_truncate(file, 5));
    ASSERT_INT_EQ(weft_file_size(file), 5);
}

FILE_TEST(simple_truncate)
{
    each(keepers, check_truncate);
    each(writers, check_truncate);
}

static void check_getters(weft_file *file, const char *mode)
{
    bool plus = strchr(mode, '+') != NULL;
    ASSERT_INT_EQ(weft_file_is_readable(file), mode[0] == 'r' || plus);
    ASSERT_INT_EQ(weft_file_is_writable(file), mode[0] != 'r' || plus);
    ASSERT(!weft_file_is_tty(file));
    ASSERT_STR_EQ(weft_file_mode(file), mode);
    ASSERT_STR_EQ(weft_file_name(file), test_path("f"));
    ASSERT_INT_GE(weft_file_fd(file), 0);
}

FILE_TEST(simple_readable_writable_isatty_name_fileno)
{
    each(all_modes, check_getters);
}

/* test_reader.c - buffered reading: lines, records, their limits. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "fault.h"
#include "stream_suite.h"

struct source {
    weft_stream *in;
    weft_stream *out;
    weft_reader *reader;
};

/* A reader of a text that is all written already, and ended. */
static struct source source_of(const char *text, size_t len, size_t max)
{
    struct source source;
    ASSERT_OK(weft_stream_pair(len + 1, &source.in, &source.out));
    ASSERT_OK(weft_stream_write(source.in, text, len));
    ASSERT_OK(weft_stream_write_eof(source.in));
    ASSERT_OK(weft_reader_new(source.out, max, &source.reader));
    return source;
}

static void end_source(struct source *source)
{
    weft_reader_free(source->reader);
    weft_stream_free(source->in);
    weft_stream_free(source->out);
}

static void expect_record(weft_reader *reader, const char *separator, const char *wanted)
{
    char *record;
    ASSERT_INT_EQ(weft_reader_read_until(reader, separator, &record), strlen(wanted));
    ASSERT_STR_EQ(record, wanted);
}

VIRTUAL_TEST(reader_records_end_with_any_separator)
{
    const char text[] = "a\r\nbc\r\n\r\n--x--y";
    struct source source = source_of(text, sizeof text - 1, 0);
    expect_record(source.reader, "\r\n", "a\r\n");
    expect_record(source.reader, "\r\n\r\n", "bc\r\n\r\n");
    expect_record(source.reader, "--", "--");
    expect_record(source.reader, "--", "x--");
    char *record = NULL;
    ASSERT_ERR((int)weft_reader_read_until(source.reader, "--", &record), WEFT_EEOF);
    ASSERT(record == NULL);
    char c;
    ASSERT_INT_EQ(weft_reader_read(source.reader, &c, 1), 1);
    ASSERT_INT_EQ(c, 'y');
    ASSERT_INT_EQ(weft_reader_read_until(source.reader, "--", &record), 0);
    end_source(&source);
}

VIRTUAL_TEST(reader_empty_separator_is_refused)
{
    char *record;
    struct source source = source_of("a", 1, 0);
    ASSERT_ERR((int)weft_reader_read_until(source.reader, "", &record), -EINVAL);
    end_source(&source);
}

/* The line is lent with a NUL in place of the byte after it, which must come back. */
VIRTUAL_TEST(reader_lent_line_covers_nothing)
{
    char *line;
    char rest[8];
    struct source source = source_of("one\ntwo\nthree", 13, 0);
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), 4);
    ASSERT_STR_EQ(line, "one\n");
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), 4);
    ASSERT_STR_EQ(line, "two\n");
    ASSERT_OK(weft_reader_read_exact(source.reader, rest, 5));
    ASSERT_MEM_EQ(rest, "three", 5);
    ASSERT(weft_reader_at_eof(source.reader) || weft_reader_read(source.reader, rest, 1) == 0);
    ASSERT_ERR(weft_reader_read_exact(source.reader, rest, 5), WEFT_EEOF);
    end_source(&source);
}

VIRTUAL_TEST(reader_line_of_exactly_the_maximum_is_read)
{
    char *line;
    struct source source = source_of("1234567\n12345678\n", 17, 8);
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), 8);
    ASSERT_ERR((int)weft_reader_read_line(source.reader, &line), WEFT_ETOO_LONG);
    ASSERT_STR_HAS(weft_error_message(), "longer than 8 bytes");
    /* Nothing is lost, and asking again says the same. */
    ASSERT_ERR((int)weft_reader_read_line(source.reader, &line), WEFT_ETOO_LONG);
    char data[9];
    ASSERT_OK(weft_reader_read_exact(source.reader, data, 9));
    ASSERT_MEM_EQ(data, "12345678\n", 9);
    end_source(&source);
}

VIRTUAL_TEST(reader_last_line_of_exactly_the_maximum_is_read)
{
    char *line;
    struct source source = source_of("1234567\n12345678", 16, 8);
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), 8);
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), 8);
    ASSERT_STR_EQ(line, "12345678");
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), 0);
    end_source(&source);
    source = source_of("123456789", 9, 8);
    ASSERT_ERR((int)weft_reader_read_line(source.reader, &line), WEFT_ETOO_LONG);
    end_source(&source);
}

VIRTUAL_TEST(reader_default_maximum_is_that_of_the_table)
{
    size_t len = WEFT__LIMIT_STREAM_LINE + 1;
    char *text = weft__alloc(2 * len);
    char *line;
    ASSERT(text != NULL);
    memset(text, 'x', 2 * len);
    text[len - 2] = '\n';
    text[2 * len - 1] = '\n';
    struct source source = source_of(text, 2 * len, 0);
    ASSERT_INT_EQ(weft_reader_read_line(source.reader, &line), len - 1);
    ASSERT_ERR((int)weft_reader_read_line(source.reader, &line), WEFT_ETOO_LONG);
    end_source(&source);
    weft__free(text);
}

static int write_byte_by_byte(void *arg)
{
    const char text[] = "head\r\n\r\nbody";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        ASSERT_OK(weft_stream_write(arg, text + i, 1));
        weft_yield();
    }
    return weft_stream_close(arg);
}

static int read_split(void *arg)
{
    weft_reader *reader;
    ASSERT_OK(weft_reader_new(arg, 0, &reader));
    expect_record(reader, "\r\n\r\n", "head\r\n\r\n");
    char data[8];
    ASSERT_OK(weft_reader_read_exact(reader, data, 4));
    ASSERT_MEM_EQ(data, "body", 4);
    weft_reader_free(reader);
    return 0;
}

VIRTUAL_TEST(reader_separator_split_over_reads_is_found)
{
    weft_stream *a, *b;
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    run_both(write_byte_by_byte, a, read_split, b);
    weft_stream_free(a);
    weft_stream_free(b);
}

VIRTUAL_TEST(reader_large_read_bypasses_the_buffer)
{
    enum { LEN = 100 * 1000 };
    char *text = weft__alloc(LEN);
    char *data = weft__alloc(LEN);
    ASSERT(text != NULL && data != NULL);
    fill_pattern(text, LEN, 1, 0);
    struct source source = source_of(text, LEN, 0);
    ASSERT_OK(weft_reader_read_exact(source.reader, data, 10));
    ASSERT_OK(weft_reader_read_exact(source.reader, data + 10, LEN - 10));
    ASSERT(memcmp(text, data, LEN) == 0);
    ASSERT_INT_EQ(weft_reader_read(source.reader, data, LEN), 0);
    ASSERT(weft_reader_at_eof(source.reader));
    end_source(&source);
    weft__free(text);
    weft__free(data);
}

/* ---- several separators ---- */

VIRTUAL_TEST(reader_of_several_separators_the_first_end_counts)
{
    static const char *const ends[] = {"\r\n", "\n", "--", NULL};
    static const char *const longer_first[] = {"abcd", "bc", NULL};
    char *record;
    struct source source = source_of("a\nb\r\nc--xabcdy", 14, 0);
    ASSERT_INT_EQ(weft_reader_read_until_any(source.reader, ends, &record), 2);
    ASSERT_STR_EQ(record, "a\n");
    ASSERT_INT_EQ(weft_reader_read_until_any(source.reader, ends, &record), 3);
    ASSERT_STR_EQ(record, "b\r\n");
    ASSERT_INT_EQ(weft_reader_read_until_any(source.reader, ends, &record), 3);
    ASSERT_STR_EQ(record, "c--");
    ASSERT_INT_EQ(weft_reader_read_until_any(source.reader, longer_first, &record), 4);
    ASSERT_STR_EQ(record, "xabc");
    ASSERT_ERR((int)weft_reader_read_until_any(source.reader, ends, &record), WEFT_EEOF);
    ASSERT_INT_EQ(weft_reader_buffered(source.reader), 2);
    end_source(&source);
}

VIRTUAL_TEST(reader_without_a_separator_is_refused)
{
    static const char *const none[] = {NULL};
    static const char *const empty[] = {"a", "", NULL};
    char *record;
    struct source source = source_of("a", 1, 0);
    ASSERT_ERR((int)weft_reader_read_until_any(source.reader, none, &record), -EINVAL);
    ASSERT_ERR((int)weft_reader_read_until_any(source.reader, empty, &record), -EINVAL);
    end_source(&source);
}

static int read_split_by_any(void *arg)
{
    static const char *const ends[] = {"body", "\r\n\r\n", NULL};
    weft_reader *reader;
    char *record;
    ASSERT_OK(weft_reader_new(arg, 0, &reader));
    ASSERT_INT_EQ(weft_reader_read_until_any(reader, ends, &record), 8);
    ASSERT_INT_EQ(weft_reader_read_until_any(reader, ends, &record), 4);
    ASSERT_INT_EQ(weft_reader_read_until_any(reader, ends, &record), 0);
    weft_reader_free(reader);
    return 0;
}

VIRTUAL_TEST(reader_any_separator_split_over_reads_is_found)
{
    weft_stream *a, *b;
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    run_both(write_byte_by_byte, a, read_split_by_any, b);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* ---- what was too little or too much ---- */

VIRTUAL_TEST(reader_exact_that_ends_early_gives_the_partial_data)
{
    char data[32] = "";
    struct source source = source_of("partial", 7, 0);
    ASSERT_ERR(weft_reader_read_exact(source.reader, data, 20), WEFT_EEOF);
    ASSERT_STR_HAS(weft_error_message(), "7 of 20 bytes");
    ASSERT_MEM_EQ(data, "partial", 7);
    ASSERT_INT_EQ(weft_reader_buffered(source.reader), 7);
    ASSERT_INT_EQ(weft_reader_read(source.reader, data, sizeof data), 7);
    ASSERT(weft_reader_at_eof(source.reader));
    ASSERT_ERR(weft_reader_read_exact(source.reader, data, 1), WEFT_EEOF);
    end_source(&source);
}

VIRTUAL_TEST(reader_exact_that_is_cancelled_loses_nothing)
{
    enum { LEN = 60 * 1000 };
    weft_stream *a, *b;
    weft_reader *reader;
    weft_scope scope;
    char *data = weft__calloc(2, LEN);
    char *wanted = weft__alloc(LEN);
    ASSERT(data != NULL && wanted != NULL);
    fill_pattern(wanted, LEN, 3, 0);
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    ASSERT_OK(weft_reader_new(b, 0, &reader));
    ASSERT_OK(weft_stream_write(a, wanted, LEN));
    weft_scope_enter(&scope, WEFT_MS(10));
    int err = weft_reader_read_exact(reader, data, (size_t)2 * LEN);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_reader_read_exact(reader, data, LEN));
    ASSERT(memcmp(data, wanted, LEN) == 0);
    weft_reader_free(reader);
    weft_stream_free(a);
    weft_stream_free(b);
    weft__free(data);
    weft__free(wanted);
}

VIRTUAL_TEST(reader_all_is_read_to_the_end)
{
    char *data;
    size_t len = 99;
    struct source source = source_of("line\nand the rest", 17, 0);
    expect_record(source.reader, "\n", "line\n");
    ASSERT_OK(weft_reader_read_all(source.reader, 0, &data, &len));
    ASSERT_INT_EQ(len, 12);
    ASSERT_STR_EQ(data, "and the rest");
    weft_free(data);
    ASSERT_OK(weft_reader_read_all(source.reader, 0, &data, &len));
    ASSERT_INT_EQ(len, 0);
    ASSERT_STR_EQ(data, "");
    weft_free(data);
    end_source(&source);
}

VIRTUAL_TEST(reader_all_beyond_the_limit_loses_nothing)
{
    char *data = NULL;
    size_t len;
    struct source source = source_of("12345678", 8, 0);
    ASSERT_ERR(weft_reader_read_all(source.reader, 7, &data, &len), WEFT_ETOO_LONG);
    ASSERT(data == NULL);
    ASSERT_OK(weft_reader_read_all(source.reader, 8, &data, &len));
    ASSERT_STR_EQ(data, "12345678");
    weft_free(data);
    end_source(&source);
}

static int read_in_all_ways(void *arg)
{
    static char big[40 * 1000];
    weft_stream *a, *b;
    weft_reader *reader = NULL;
    char *data;
    char *line;
    size_t len;
    (void)arg;
    int err = weft_stream_pair(sizeof big, &a, &b);
    if (err < 0)
        return err;
    err = weft_reader_new(b, 0, &reader);
    if (err == 0)
        err = weft_stream_write(a, big, sizeof big);
    if (err == 0)
        err = weft_stream_write_eof(a);
    if (err == 0 && weft_reader_read_exact(reader, big, sizeof big + 1) == -ENOMEM)
        err = -ENOMEM;
    if (err == 0)
        err = weft_reader_read_all(reader, 0, &data, &len);
    if (err == 0) {
        ASSERT_INT_EQ(len, sizeof big);
        weft_free(data);
        err = (int)weft_reader_read_line(reader, &line);
    }
    weft_reader_free(reader);
    weft_stream_free(a);
    weft_stream_free(b);
    return err;
}

TEST(reader_survives_every_fault)
{
    FAULTS(read_in_all_ways, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

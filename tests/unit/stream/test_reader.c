/* test_reader.c - buffered reading: lines, records, their limits. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
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

/* test_pair.c - streams in memory: the suite of all streams, and what only a pair has. */
#include <string.h>

#include "stream_suite.h"

static void make_pair(weft_stream **a, weft_stream **b)
{
    ASSERT_OK(weft_stream_pair(0, a, b));
}

static void make_narrow(weft_stream **a, weft_stream **b)
{
    ASSERT_OK(weft_stream_pair(100, a, b));
}

STREAM_SUITE(pair, make_pair, true, WEFT_BACKEND_VIRTUAL)
STREAM_SUITE(narrow, make_narrow, true, WEFT_BACKEND_VIRTUAL)

static int write_ten(void *arg)
{
    return weft_stream_write(arg, "0123456789", 10);
}

static int read_ten_by_threes(void *arg)
{
    char data[10];
    for (size_t at = 0; at < 10;) {
        int64_t n = weft_stream_read(arg, data + at, 10 - at);
        ASSERT_INT_GT(n, 0);
        ASSERT_INT_LE(n, 3);
        at += (size_t)n;
    }
    ASSERT_MEM_EQ(data, "0123456789", 10);
    return 0;
}

VIRTUAL_TEST(pair_writer_waits_while_it_is_full)
{
    weft_stream *a, *b;
    ASSERT_OK(weft_stream_pair(3, &a, &b));
    run_both(write_ten, a, read_ten_by_threes, b);
    weft_stream_free(a);
    weft_stream_free(b);
}

static int write_ten_to_nobody(void *arg)
{
    ASSERT_ERR(weft_stream_write(arg, "0123456789", 10), -EPIPE);
    return 0;
}

static int close_it(void *arg)
{
    return weft_stream_close(arg);
}

VIRTUAL_TEST(pair_writer_that_waits_is_told_of_the_close)
{
    weft_stream *a, *b;
    ASSERT_OK(weft_stream_pair(3, &a, &b));
    run_both(write_ten_to_nobody, a, close_it, b);
    weft_stream_free(a);
    weft_stream_free(b);
}

VIRTUAL_TEST(pair_timeout_is_exact_on_the_virtual_clock)
{
    weft_stream *a, *b;
    char c;
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    weft_stream_set_timeout(a, WEFT_SEC(5), WEFT_SEC(5));
    int64_t before = weft_now();
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - before, WEFT_SEC(5));
    weft_stream_free(a);
    weft_stream_free(b);
}

static int write_two_pieces(void *arg)
{
    const weft_slice slices[] = {{"1234", 4}, {NULL, 0}, {"5678", 4}};
    ASSERT_ERR(weft_stream_writev(arg, slices, 3), -ECANCELED);
    return -ECANCELED;
}

/* The first piece went whole, and of the second one nothing. */
VIRTUAL_TEST(pair_write_cut_between_its_pieces_tears_the_stream)
{
    weft_stream *a, *b;
    weft_scope scope;
    ASSERT_OK(weft_stream_pair(4, &a, &b));
    weft_scope_enter(&scope, WEFT_MS(5));
    ASSERT_ERR(weft_scope_exit(&scope, write_two_pieces(a)), -ETIMEDOUT);
    ASSERT_ERR(weft_stream_write(a, "x", 1), -EPIPE);
    ASSERT_STR_HAS(weft_error_message(), "cut short");
    ASSERT_ERR(weft_stream_write_eof(a), -EPIPE);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* stream_suite_more.c - checks of stream_suite.h: both ends at once, cutting off, limits. */
#include <string.h>

#include <weft/run.h>

#include "base/alloc.h"
#include "stream_suite.h"

enum { TOO_MUCH = 16 * 1024 * 1024 };

static void write_text(weft_stream *stream, const char *text)
{
    ASSERT_OK(weft_stream_write(stream, text, strlen(text)));
    ASSERT_OK(weft_stream_flush(stream));
}

static int read_one(void *arg)
{
    char c;
    int64_t n = weft_stream_read(arg, &c, 1);
    return n < 0 ? (int)n : 0;
}

static int write_too_much(void *arg)
{
    void *data = weft__calloc(1, TOO_MUCH);
    ASSERT(data != NULL);
    int err = weft_stream_write(arg, data, TOO_MUCH);
    weft__free(data);
    return err;
}

static int close_one(void *arg)
{
    weft_stream_close(arg);
    weft_stream_free(arg);
    return 0;
}

/* A reader and a writer do not disturb each other, and the message names the end. */
void stream_both_directions_have_a_task_each(stream_make make, bool half)
{
    weft_stream *a, *b;
    weft_group group;
    char c;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_one, a));
    ASSERT_OK(weft_group_spawn(&group, write_too_much, a));
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), -EBUSY);
    ASSERT_STR_HAS(weft_error_message(), "reading the");
    ASSERT_ERR(weft_stream_write(a, "x", 1), -EBUSY);
    ASSERT_STR_HAS(weft_error_message(), "writing to the");
    ASSERT_ERR(weft_stream_flush(a), -EBUSY);
    ASSERT_ERR(weft_stream_write_eof(a), -EBUSY);
    write_text(b, "x");
    weft_group_cancel(&group, "enough");
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(a);
    weft_stream_free(b);
}

/* ---- cutting off ---- */

static int read_until_cut_off(void *arg)
{
    char c;
    ASSERT_ERR((int)weft_stream_read(arg, &c, 1), WEFT_ECLOSED);
    return 0;
}

static int write_until_cut_off(void *arg)
{
    ASSERT_ERR(write_too_much(arg), WEFT_ECLOSED);
    return 0;
}

static void abort_under(stream_make make, weft_fn task)
{
    weft_stream *a, *b;
    weft_group group;
    char c;
    make(&a, &b);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, task, a));
    weft_sleep(WEFT_MS(2));
    weft_stream_abort(a);
    weft_stream_abort(a);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), WEFT_ECLOSED);
    ASSERT_ERR(weft_stream_write(a, &c, 1), WEFT_ECLOSED);
    ASSERT_OK(weft_stream_close(a));
    weft_stream_free(a);
    weft_stream_free(b);
}

void stream_abort_ends_the_reader(stream_make make, bool half)
{
    (void)half;
    abort_under(make, read_until_cut_off);
}

void stream_abort_ends_the_writer(stream_make make, bool half)
{
    (void)half;
    abort_under(make, write_until_cut_off);
}

void stream_abort_is_seen_by_the_peer(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    (void)half;
    make(&a, &b);
    weft_stream_abort(a);
    weft_stream_free(a);
    ASSERT_INT_LE(weft_stream_read(b, &c, 1), 0);
    weft_stream_free(b);
}

/* ---- back-pressure ---- */

static int write_in_pieces(void *arg)
{
    char data[100];
    weft_stream_set_write_limits(arg, 256, 64);
    for (uint64_t at = 0; at < 100 * 1000; at += sizeof data) {
        fill_pattern(data, sizeof data, 1, at);
        ASSERT_OK(weft_stream_write(arg, data, sizeof data));
    }
    weft_stream_set_write_limits(arg, 0, 0);
    return weft_stream_flush(arg);
}

static int read_in_pieces(void *arg)
{
    char data[500];
    char wanted[500];
    for (uint64_t at = 0; at < 100 * 1000; at += sizeof data) {
        fill_pattern(wanted, sizeof wanted, 1, at);
        ASSERT_OK(weft_stream_read_exact(arg, data, sizeof data));
        ASSERT_MEM_EQ(data, wanted, sizeof data);
    }
    return 0;
}

void stream_write_limits_let_all_through(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    run_both(write_in_pieces, a, read_in_pieces, b);
    run_both(close_one, a, close_one, b);
}

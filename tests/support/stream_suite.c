/* stream_suite.c - the checks of stream_suite.h. */
#include <string.h>

#include <weft/sync.h>
#include <weft/testing.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "stream/stream_int.h"
#include "stream_suite.h"

enum { LARGE = 1536 * 1024 + 17, TOO_MUCH = 16 * 1024 * 1024 };

void run_both(weft_fn a, void *arg_a, weft_fn b, void *arg_b)
{
    weft_call calls[] = {{a, arg_a, 0}, {b, arg_b, 0}};
    ASSERT_OK(weft_gather(calls, 2, NULL));
}

void fill_pattern(void *data, size_t len, uint64_t seed, uint64_t position)
{
    unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++) {
        uint64_t x = (position + i) / 7 * 0x9e3779b97f4a7c15ULL + seed;
        bytes[i] = (unsigned char)(x >> 40 ^ (position + i));
    }
}

int peers_listen(void *arg)
{
    const struct peers_listen *listen = arg;
    return weft_listen(listen->host, listen->port, NULL, &listen->peers->listener);
}

struct dialling {
    struct peers *peers;
    const char *host;
};

static int dial_peer(void *arg)
{
    const struct dialling *dialling = arg;
    struct peers *peers = dialling->peers;
    return weft_dial(dialling->host, weft_listener_port(peers->listener), NULL, &peers->client);
}

static int accept_peer(void *arg)
{
    struct peers *peers = arg;
    return weft_listener_accept(peers->listener, &peers->server);
}

void peers_connect(struct peers *peers, const char *host)
{
    struct dialling dialling = {peers, host};
    run_both(dial_peer, &dialling, accept_peer, peers);
}

/* Both ends close at once, as peers do; neither may wait for the other for long. */
static int close_one(void *arg)
{
    weft_stream_close(arg);
    weft_stream_free(arg);
    return 0;
}

static void end_both(weft_stream *a, weft_stream *b)
{
    run_both(close_one, a, close_one, b);
}

static void expect_text(weft_stream *stream, const char *text)
{
    char data[256];
    size_t len = strlen(text);
    ASSERT_OK(weft_stream_read_exact(stream, data, len));
    ASSERT_MEM_EQ(data, text, len);
}

static void write_text(weft_stream *stream, const char *text)
{
    ASSERT_OK(weft_stream_write(stream, text, strlen(text)));
    ASSERT_OK(weft_stream_flush(stream));
}

/* ---- bytes ---- */

void stream_bytes_arrive_in_order(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    write_text(a, "one");
    write_text(a, "two");
    write_text(b, "three");
    expect_text(b, "onetwo");
    expect_text(a, "three");
    end_both(a, b);
}

void stream_empty_write_is_nothing(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_stream_write(a, NULL, 0));
    ASSERT_OK(weft_stream_writev(a, NULL, 0));
    write_text(a, "x");
    expect_text(b, "x");
    end_both(a, b);
}

void stream_read_of_nothing_returns_at_once(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    (void)half;
    make(&a, &b);
    ASSERT_INT_EQ(weft_stream_read(a, &c, 0), 0);
    end_both(a, b);
}

void stream_read_takes_what_is_there(stream_make make, bool half)
{
    weft_stream *a, *b;
    char data[100];
    (void)half;
    make(&a, &b);
    write_text(a, "some");
    ASSERT_INT_EQ(weft_stream_read(b, data, sizeof data), 4);
    ASSERT_MEM_EQ(data, "some", 4);
    end_both(a, b);
}

static int write_single_bytes(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        unsigned char c = (unsigned char)i;
        int err = weft_stream_write(arg, &c, 1);
        if (err == 0 && i % 10 == 0)
            err = weft_stream_flush(arg);
        if (err < 0)
            return err;
    }
    return weft_stream_flush(arg);
}

static int read_single_bytes(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        unsigned char c = 0;
        int64_t n = weft_stream_read(arg, &c, 1);
        ASSERT_INT_EQ(n, 1);
        ASSERT_INT_EQ(c, (unsigned char)i);
    }
    return 0;
}

void stream_single_bytes_add_up(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    run_both(write_single_bytes, a, read_single_bytes, b);
    end_both(a, b);
}

void stream_writev_gathers_its_slices(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    const weft_slice slices[] = {{NULL, 0}, {"GET ", 4}, {NULL, 0}, {NULL, 0},
                                 {"/", 1},  {"\n", 1},   {NULL, 0}};
    ASSERT_OK(weft_stream_writev(a, slices, sizeof slices / sizeof slices[0]));
    ASSERT_OK(weft_stream_flush(a));
    expect_text(b, "GET /\n");
    end_both(a, b);
}

void stream_end_comes_after_the_data_and_stays(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    (void)half;
    make(&a, &b);
    write_text(a, "last");
    ASSERT_OK(weft_stream_close(a));
    expect_text(b, "last");
    ASSERT_INT_EQ(weft_stream_read(b, &c, 1), 0);
    ASSERT_INT_EQ(weft_stream_read(b, &c, 1), 0);
    end_both(a, b);
}

void stream_close_delivers_what_was_written(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_stream_write(a, "unflushed", 9));
    ASSERT_OK(weft_stream_close(a));
    weft_stream_free(a);
    expect_text(b, "unflushed");
    weft_stream_close(b);
    weft_stream_free(b);
}

void stream_read_exact_gets_all(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    write_text(a, "ab");
    write_text(a, "cd");
    expect_text(b, "abcd");
    end_both(a, b);
}

void stream_read_exact_names_the_missing_bytes(stream_make make, bool half)
{
    weft_stream *a, *b;
    char data[10];
    (void)half;
    make(&a, &b);
    write_text(a, "four");
    ASSERT_OK(weft_stream_close(a));
    ASSERT_ERR(weft_stream_read_exact(b, data, 10), WEFT_EEOF);
    ASSERT_STR_HAS(weft_error_message(), "4 of 10 bytes");
    end_both(a, b);
}

void stream_flush_with_nothing_written_is_fine(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_stream_flush(a));
    ASSERT_OK(weft_stream_flush(a));
    end_both(a, b);
}

/* ---- both directions ---- */

static int ask(void *arg)
{
    for (int i = 0; i < 200; i++) {
        ASSERT_OK(weft_stream_write(arg, "request", 7));
        expect_text(arg, "reply");
    }
    return 0;
}

static int answer(void *arg)
{
    for (int i = 0; i < 200; i++) {
        expect_text(arg, "request");
        ASSERT_OK(weft_stream_write(arg, "reply", 5));
    }
    return weft_stream_flush(arg);
}

void stream_request_and_reply_alternate(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    run_both(ask, a, answer, b);
    end_both(a, b);
}

struct transfer {
    weft_stream *stream;
    uint64_t seed;
    size_t total;
    bool random;
};

static size_t piece(const struct transfer *transfer, struct weft__rand *rand, size_t left)
{
    if (!transfer->random)
        return left;
    uint64_t bits = weft__rand_below(weft__rand_next(rand), 18);
    size_t len = 1 + weft__rand_below(weft__rand_next(rand), (uint64_t)1 << bits);
    return len < left ? len : left;
}

static int send_pattern(void *arg)
{
    struct transfer *transfer = arg;
    struct weft__rand rand;
    weft__rand_init(&rand, transfer->seed);
    char *data = weft__alloc(transfer->total);
    ASSERT(data != NULL);
    fill_pattern(data, transfer->total, transfer->seed, 0);
    for (size_t at = 0; at < transfer->total;) {
        size_t len = piece(transfer, &rand, transfer->total - at);
        ASSERT_OK(weft_stream_write(transfer->stream, data + at, len));
        at += len;
    }
    ASSERT_OK(weft_stream_flush(transfer->stream));
    weft__free(data);
    return 0;
}

static int receive_pattern(void *arg)
{
    struct transfer *transfer = arg;
    struct weft__rand rand;
    weft__rand_init(&rand, transfer->seed + 1);
    char *data = weft__alloc(transfer->total);
    char *wanted = weft__alloc(transfer->total);
    ASSERT(data != NULL && wanted != NULL);
    fill_pattern(wanted, transfer->total, transfer->seed, 0);
    for (size_t at = 0; at < transfer->total;) {
        size_t len = piece(transfer, &rand, transfer->total - at);
        int64_t n = weft_stream_read(transfer->stream, data + at, len);
        ASSERT_INT_GT(n, 0);
        at += (size_t)n;
    }
    ASSERT(memcmp(data, wanted, transfer->total) == 0);
    weft__free(data);
    weft__free(wanted);
    return 0;
}

static void cross(stream_make make, size_t total, bool random, uint64_t seed)
{
    weft_stream *a, *b;
    make(&a, &b);
    struct transfer there = {a, seed, total, random};
    struct transfer here = {b, seed, total, random};
    struct transfer back = {b, seed + 7, total, random};
    struct transfer home = {a, seed + 7, total, random};
    weft_call calls[] = {{send_pattern, &there, 0},
                         {receive_pattern, &here, 0},
                         {send_pattern, &back, 0},
                         {receive_pattern, &home, 0}};
    ASSERT_OK(weft_gather(calls, 4, NULL));
    end_both(a, b);
}

void stream_large_writes_cross_each_other(stream_make make, bool half)
{
    (void)half;
    cross(make, LARGE, false, 1);
}

void stream_random_sizes_cross_each_other(stream_make make, bool half)
{
    (void)half;
    for (uint64_t seed = 1; seed <= 5; seed++)
        cross(make, LARGE / 2, true, seed * 1000);
}

/* ---- ends ---- */

void stream_half_close_keeps_the_other_direction(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    if (!half)
        SKIP("one direction cannot be ended alone");
    make(&a, &b);
    ASSERT_OK(weft_stream_write(a, "question", 8));
    ASSERT_OK(weft_stream_write_eof(a));
    ASSERT_OK(weft_stream_write_eof(a));
    expect_text(b, "question");
    ASSERT_INT_EQ(weft_stream_read(b, &c, 1), 0);
    write_text(b, "answer");
    expect_text(a, "answer");
    end_both(a, b);
}

void stream_write_after_eof_is_refused(stream_make make, bool half)
{
    weft_stream *a, *b;
    if (!half)
        SKIP("one direction cannot be ended alone");
    make(&a, &b);
    ASSERT_OK(weft_stream_write_eof(a));
    ASSERT_ERR(weft_stream_write(a, "x", 1), WEFT_ECLOSED);
    end_both(a, b);
}

void stream_closed_stream_says_so(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_stream_close(a));
    ASSERT_OK(weft_stream_close(a));
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), WEFT_ECLOSED);
    ASSERT_ERR(weft_stream_write(a, "x", 1), WEFT_ECLOSED);
    ASSERT_ERR(weft_stream_flush(a), WEFT_ECLOSED);
    ASSERT_ERR(weft_stream_write_eof(a), WEFT_ECLOSED);
    weft_stream_set_timeout(a, 1, 1);
    end_both(a, b);
}

/* ---- two tasks at one end ---- */

static int read_one(void *arg)
{
    char c;
    int64_t n = weft_stream_read(arg, &c, 1);
    return n < 0 ? (int)n : 0;
}

void stream_second_reader_is_busy(stream_make make, bool half)
{
    weft_stream *a, *b;
    weft_group group;
    char c;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_one, a));
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), -EBUSY);
    write_text(b, "x");
    ASSERT_OK(weft_group_wait(&group));
    end_both(a, b);
}

static int write_too_much(void *arg)
{
    void *data = weft__calloc(1, TOO_MUCH);
    ASSERT(data != NULL);
    int err = weft_stream_write(arg, data, TOO_MUCH);
    weft__free(data);
    return err;
}

void stream_second_writer_is_busy(stream_make make, bool half)
{
    weft_stream *a, *b;
    weft_group group;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, write_too_much, a));
    ASSERT_ERR(weft_stream_write(a, "x", 1), -EBUSY);
    ASSERT_ERR(weft_stream_close(a), -EBUSY);
    weft_group_cancel(&group, "enough");
    ASSERT_OK(weft_group_wait(&group));
    end_both(a, b);
}

void stream_close_while_read_is_busy(stream_make make, bool half)
{
    weft_stream *a, *b;
    weft_group group;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_one, a));
    ASSERT_ERR(weft_stream_close(a), -EBUSY);
    weft_group_cancel(&group, "enough");
    ASSERT_OK(weft_group_wait(&group));
    end_both(a, b);
}

/* ---- time ---- */

void stream_read_timeout_is_reported_and_not_sticky(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    (void)half;
    make(&a, &b);
    weft_stream_set_timeout(a, WEFT_MS(20), WEFT_FOREVER);
    int64_t before = weft_now();
    ASSERT_ERR((int)weft_stream_read(a, &c, 1), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_GE(weft_now() - before, WEFT_MS(20));
    ASSERT_STR_HAS(weft_error_message(), "0.02 s");
    write_text(b, "later");
    expect_text(a, "later");
    weft_stream_set_timeout(a, 0, 0);
    end_both(a, b);
}

void stream_write_timeout_is_reported(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    weft_stream_set_timeout(a, WEFT_FOREVER, WEFT_MS(30));
    ASSERT_ERR(write_too_much(a), WEFT_EWRITE_TIMEOUT);
    weft_stream_free(a);
    weft_stream_free(b);
}

static int read_slowly(void *arg)
{
    static char data[512 * 1024];
    size_t left = 3 * 1024 * 1024;
    while (left > 0) {
        int64_t n = weft_stream_read(arg, data, sizeof data < left ? sizeof data : left);
        ASSERT_INT_GT(n, 0);
        left -= (size_t)n;
        weft_sleep(WEFT_MS(3));
    }
    return 0;
}

static int write_3_mib(void *arg)
{
    void *data = weft__calloc(3, 1024 * 1024);
    ASSERT(data != NULL);
    int err = weft_stream_write(arg, data, 3 * 1024 * 1024);
    weft__free(data);
    return err < 0 ? err : weft_stream_flush(arg);
}

/* The time-out is for no progress, not for the whole of a write. */
void stream_slow_reader_causes_no_write_timeout(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    weft_stream_set_timeout(a, WEFT_FOREVER, WEFT_MS(500));
    run_both(write_3_mib, a, read_slowly, b);
    end_both(a, b);
}

/* ---- cancellation ---- */

void stream_cancelled_read_loses_nothing(stream_make make, bool half)
{
    weft_stream *a, *b;
    char c;
    (void)half;
    make(&a, &b);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(10));
    int err = (int)weft_stream_read(a, &c, 1);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    write_text(b, "whole");
    expect_text(a, "whole");
    end_both(a, b);
}

void stream_cancelled_write_tears_the_stream(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = write_too_much(a);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_stream_write(a, "x", 1), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_ERR(weft_stream_write(a, "x", 1), -EPIPE);
    ASSERT_STR_HAS(weft_error_message(), "cut short");
    /* The peer must not take what came for all of it. */
    if (weft_stream_can_write_eof(a))
        ASSERT_ERR(weft_stream_write_eof(a), -EPIPE);
    weft_stream_close(a);
    weft_stream_free(a);
    weft_stream_free(b);
}

void stream_write_to_a_closed_peer_fails(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_stream_close(b));
    weft_stream_free(b);
    int err = 0;
    for (int i = 0; i < 100 && err == 0; i++) {
        err = weft_stream_write(a, "x", 1);
        if (err == 0)
            err = weft_stream_flush(a);
        weft_sleep(WEFT_MS(1));
    }
    ASSERT(err == -EPIPE || err == -ECONNRESET);
    weft_stream_close(a);
    weft_stream_free(a);
}

/* ---- idle connections ---- */

void stream_quiet_is_idle_without_data(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    /* TLS: the session tickets of the server come first. */
    write_text(b, "!");
    expect_text(a, "!");
    ASSERT_INT_EQ(weft__stream_is_quiet(a), 1);
    write_text(b, "x");
    weft_sleep(WEFT_MS(5));
    ASSERT_INT_EQ(weft__stream_is_quiet(a), 0);
    expect_text(a, "x");
    ASSERT_INT_EQ(weft__stream_is_quiet(a), 1);
    weft_stream_close(b);
    weft_sleep(WEFT_MS(5));
    ASSERT_INT_EQ(weft__stream_is_quiet(a), 0);
    end_both(a, b);
}

void stream_free_without_close_leaks_nothing(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    ASSERT_OK(weft_stream_write(a, "unread", 6));
    ASSERT_OK(weft_stream_write(b, "unread", 6));
    weft_stream_free(a);
    weft_stream_free(b);
}

void stream_free_with_a_full_pipe_leaks_nothing(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    static const char data[1000] = "";
    weft_stream_set_timeout(a, WEFT_FOREVER, WEFT_MS(20));
    int err = 0;
    while (err == 0)
        err = weft_stream_write(a, data, sizeof data);
    ASSERT_INT_EQ(err, WEFT_EWRITE_TIMEOUT);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* ---- lines ---- */

static int write_lines(void *arg)
{
    write_text(arg, "first li");
    weft_yield();
    write_text(arg, "ne\nsecond line\nthird");
    return weft_stream_close(arg);
}

static int read_lines(void *arg)
{
    weft_reader *reader;
    char *line;
    ASSERT_OK(weft_reader_new(arg, 0, &reader));
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 11);
    ASSERT_STR_EQ(line, "first line\n");
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 12);
    ASSERT_STR_EQ(line, "second line\n");
    ASSERT(!weft_reader_at_eof(reader));
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 5);
    ASSERT_STR_EQ(line, "third");
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 0);
    ASSERT(weft_reader_at_eof(reader));
    weft_reader_free(reader);
    return 0;
}

void stream_lines_are_read_across_writes(stream_make make, bool half)
{
    weft_stream *a, *b;
    (void)half;
    make(&a, &b);
    run_both(write_lines, a, read_lines, b);
    end_both(a, b);
}

/* ---- faults, one after another ---- */

static int echo_some(void *arg)
{
    char data[64];
    for (;;) {
        int64_t n = weft_stream_read(arg, data, sizeof data);
        int err = n <= 0 ? (int)n : weft_stream_write(arg, data, (size_t)n);
        if (n == 0 || err < 0)
            break;
    }
    return 0;
}

static int converse(weft_stream *stream)
{
    char data[64];
    for (int i = 0; i < 3; i++) {
        int err = weft_stream_write(stream, "hello", 5);
        if (err == 0)
            err = weft_stream_read_exact(stream, data, 5);
        if (err < 0)
            return err;
    }
    int err = weft_stream_flush(stream);
    return err < 0 ? err : weft_stream_close(stream);
}

/* One conversation with an echoing peer, during which the caller breaks something. */
static int conversation(stream_make make, uint64_t cancel_at, uint64_t fail_at)
{
    weft_stream *a, *b;
    weft_group group;
    weft_scope scope;
    make(&a, &b);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, echo_some, b));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(fail_at == 0 ? &scope : NULL, cancel_at);
    weft_testing_fail_alloc(fail_at, false);
    int err = converse(a);
    weft_testing_fail_alloc(0, false);
    weft_testing_cancel_at(NULL, 0);
    err = weft_scope_exit(&scope, err);
    weft_stream_free(a);
    weft_group_cancel(&group, "over");
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(b);
    return err;
}

void stream_every_checkpoint_cancelled(stream_make make, bool half)
{
    (void)half;
    conversation(make, UINT64_MAX, 0);
    for (uint64_t nth = 1; nth < 60; nth++)
        conversation(make, nth, 0);
    ASSERT_OK(conversation(make, 0, 0));
}

void stream_every_allocation_failed(stream_make make, bool half)
{
    (void)half;
    for (uint64_t nth = 1; nth < 60; nth++) {
        int err = conversation(make, 0, nth);
        ASSERT(err == 0 || err == -ENOMEM || err == WEFT_EEOF);
    }
    ASSERT_OK(conversation(make, 0, 0));
}

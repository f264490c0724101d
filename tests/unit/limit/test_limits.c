/* All limits of a client together; streams whose bytes are limited. */
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>

#include "fault.h"
#include "limit_test.h"

static weft_limits *make(const weft_limits_options *options)
{
    weft_limits *limits;
    ASSERT_OK(weft_limits_new(options, &limits));
    return limits;
}

static weft_limit_state state_of(weft_limits *limits)
{
    weft_limit_state state;
    weft_limits_get_state(limits, &state);
    return state;
}

/* ---- together ---- */

struct mode {
    weft_limits *limits;
    struct history all;
    struct history keys[3];
    int in_flight;
    int most_in_flight;
};

static int requests(void *arg)
{
    static const char *const names[] = {"a", "b", "c"};
    struct mode *mode = arg;
    struct weft__rand *rand = &mode->all.rand;
    for (int i = 0; i < 6; i++) {
        uint64_t key = draw_below(rand, 3);
        weft_scope scope;
        weft_sleep((int64_t)draw_below(rand, WEFT_SEC(1)));
        weft_scope_enter(&scope, draw_below(rand, 3) == 0 ? (int64_t)draw_below(rand, WEFT_SEC(3))
                                                          : WEFT_FOREVER);
        int err = weft_limits_acquire(mode->limits, names[key]);
        weft_scope_exit(&scope, err);
        if (err < 0)
            continue;
        record(&mode->all, 1);
        record(&mode->keys[key], 1);
        if (++mode->in_flight > mode->most_in_flight)
            mode->most_in_flight = mode->in_flight;
        weft_sleep((int64_t)draw_below(rand, WEFT_SEC(1)));
        mode->in_flight--;
        weft_limits_release(mode->limits, names[key], -1, false);
    }
    return 0;
}

static int one_client(void *arg)
{
    struct mode *mode = calloc(1, sizeof *mode);
    struct weft__rand *rand = &mode->all.rand;
    weft__rand_init(rand, *(uint64_t *)arg);
    uint32_t permits = 1 + (uint32_t)draw_below(rand, 20);
    uint32_t burst = 1 + (uint32_t)draw_below(rand, 5);
    uint32_t window = 1 + (uint32_t)draw_below(rand, 5);
    uint32_t concurrency = 1 + (uint32_t)draw_below(rand, 5);
    mode->limits = make(WEFT_LIMITS(.concurrency = concurrency,
                                    .rate = WEFT_RATE(.permits = permits, .burst = burst),
                                    .per_key = WEFT_RATE(.permits = window, .window = true)));
    weft_call calls[8];
    for (int i = 0; i < 8; i++)
        calls[i] = (weft_call){requests, mode};
    ASSERT_OK(weft_gather(calls, 8, NULL));
    check_rate(&mode->all, permits, WEFT_SEC(1), burst);
    for (int i = 0; i < 3; i++)
        check_window(&mode->keys[i], window, WEFT_SEC(1));
    ASSERT_INT_LE(mode->most_in_flight, concurrency);
    ASSERT_INT_EQ(state_of(mode->limits).in_use, 0);
    ASSERT_INT_EQ(state_of(mode->limits).waiting, 0);
    weft_limits_free(mode->limits);
    free(mode);
    return 0;
}

TEST_WITH(limits_keep_all_their_parts, .limit_s = 60)
{
    for_all_seeds(one_client);
}

struct arrival {
    weft_limits *limits;
    const char *key;
    int64_t start;
    int64_t at;
};

static int arrive(void *arg)
{
    struct arrival *arrival = arg;
    int err = weft_limits_acquire(arrival->limits, arrival->key);
    arrival->at = weft_now() - arrival->start;
    if (err == 0)
        weft_limits_release(arrival->limits, arrival->key, -1, false);
    return err;
}

/* Ten wait for one key, then one for another: it is second at what they share. */
VIRTUAL_TEST(limits_keys_take_turns)
{
    weft_limits *limits = make(WEFT_LIMITS(.rate = WEFT_RATE(.permits = 1)));
    struct arrival arrivals[11];
    weft_call calls[11];
    for (int i = 0; i < 11; i++) {
        arrivals[i] = (struct arrival){limits, i < 10 ? "busy" : "quiet", weft_now(), 0};
        calls[i] = (weft_call){arrive, &arrivals[i]};
    }
    ASSERT_OK(weft_gather(calls, 11, NULL));
    ASSERT_INT_EQ(arrivals[0].at, 0);
    ASSERT_INT_EQ(arrivals[1].at, WEFT_SEC(1));
    ASSERT_INT_EQ(arrivals[10].at, WEFT_SEC(2));
    for (int i = 2; i < 10; i++)
        ASSERT_INT_EQ(arrivals[i].at, WEFT_SEC(i + 1));
    weft_limits_free(limits);
}

/* One that waits for the rate of all when its server says to pause does not go before. */
VIRTUAL_TEST(limits_pause_of_a_key_holds_those_that_wait_for_the_rate)
{
    weft_limits *limits = make(WEFT_LIMITS(.rate = WEFT_RATE(.permits = 1)));
    ASSERT_OK(weft_limits_acquire(limits, "a"));
    struct arrival arrivals[2];
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++) {
        arrivals[i] = (struct arrival){limits, i == 0 ? "a" : "b", weft_now(), 0};
        ASSERT_OK(weft_group_spawn(&group, arrive, &arrivals[i]));
    }
    weft_limits_feed(limits, "a", WEFT_FEEDBACK(.status = 429, .retry_after = "5"));
    weft_limits_release(limits, "a", WEFT_MS(1), true);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(arrivals[0].at, WEFT_SEC(5));
    ASSERT_INT_EQ(arrivals[1].at, WEFT_SEC(1));
    ASSERT_INT_EQ(state_of(limits).refused, 1);
    weft_limits_free(limits);
}

VIRTUAL_TEST(limits_deadline_that_cannot_be_met_gives_all_back)
{
    weft_limits *limits = make(WEFT_LIMITS(.concurrency = 5, .rate = WEFT_RATE(.permits = 1)));
    weft_scope scope;
    ASSERT_OK(weft_limits_acquire(limits, NULL));
    int64_t start = weft_now();
    weft_scope_enter(&scope, WEFT_MS(500));
    int err = weft_limits_acquire(limits, NULL);
    ASSERT_ERR(err, -ETIMEDOUT);
    weft_scope_exit(&scope, err);
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_INT_EQ(state_of(limits).in_use, 1);
    ASSERT_INT_EQ(state_of(limits).rejected, 1);
    weft_limits_release(limits, NULL, -1, false);
    weft_limits_free(limits);
}

VIRTUAL_TEST(limits_without_any_let_everything_pass)
{
    weft_limits *limits = make(NULL);
    for (int i = 0; i < 100; i++)
        ASSERT_OK(weft_limits_acquire(limits, "x"));
    for (int i = 0; i < 100; i++)
        weft_limits_release(limits, "x", 1, false);
    weft_limits_feed(limits, "x", WEFT_FEEDBACK(.status = 429, .retry_after = "5"));
    weft_limits_free(limits);
    limits = make(WEFT_LIMITS(.ignore_server = true));
    int64_t start = weft_now();
    ASSERT_OK(weft_limits_acquire(limits, "x"));
    weft_limits_feed(limits, "x", WEFT_FEEDBACK(.status = 429, .retry_after = "5"));
    ASSERT_OK(weft_limits_acquire(limits, "x"));
    ASSERT_INT_EQ(weft_now(), start);
    weft_limits_release(limits, "x", 1, false);
    weft_limits_release(limits, "x", 1, false);
    weft_limits_free(limits);
}

VIRTUAL_TEST(limits_adaptive_concurrency_learns_from_releases)
{
    weft_limits *limits =
        make(WEFT_LIMITS(.adaptive = WEFT_ADAPTIVE(.initial = 10, .min = 2), .queue = 3));
    ASSERT_INT_EQ(state_of(limits).total, 10);
    ASSERT_OK(weft_limits_acquire(limits, "x"));
    weft_limits_release(limits, "x", WEFT_MS(5), true);
    ASSERT_INT_EQ(state_of(limits).total, 9);
    weft_limits_free(limits);
    ASSERT_ERR(weft_limits_new(WEFT_LIMITS(.adaptive = WEFT_ADAPTIVE(.min = 1), .concurrency = 3),
                               &limits),
               -EINVAL);
    ASSERT_ERR(weft_limits_new(WEFT_LIMITS(.per_key = WEFT_RATE(.permits = 0)), &limits), -EINVAL);
    ASSERT_ERR(weft_limits_new(WEFT_LIMITS(.rate = WEFT_RATE(.permits = 0)), &limits), -EINVAL);
    weft_limits_free(NULL);
}

static int use_limits(void *arg)
{
    (void)arg;
    WEFT_AUTO(weft_limits) *limits = NULL;
    int err = weft_limits_new(
        WEFT_LIMITS(.concurrency = 3, .rate = WEFT_RATE(.permits = 5, .burst = 2),
                    .per_key = WEFT_RATE(.permits = 2, .window = true), .download = 1000),
        &limits);
    if (err < 0)
        return err;
    struct arrival arrivals[8];
    weft_call calls[8];
    for (int i = 0; i < 8; i++) {
        arrivals[i] = (struct arrival){limits, i % 2 ? "a" : "b", 0, 0};
        calls[i] = (weft_call){arrive, &arrivals[i]};
    }
    err = weft_gather(calls, 8, NULL);
    weft_limit_state state = state_of(limits);
    return err == 0 && (state.in_use != 0 || state.waiting != 0) ? -EPROTO : err;
}

TEST_WITH(limits_survive_every_fault, .limit_s = 60)
{
    FAULTS(use_limits, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

/* ---- bytes ---- */

struct transfer {
    weft_stream *stream;
    size_t len;
    size_t piece;
};

static int send_all(void *arg)
{
    struct transfer *transfer = arg;
    char data[4096];
    memset(data, 'x', sizeof data);
    for (size_t sent = 0; sent < transfer->len; sent += transfer->piece) {
        int err = weft_stream_write(transfer->stream, data, transfer->piece);
        if (err < 0)
            return err;
    }
    return weft_stream_write_eof(transfer->stream);
}

static int receive_all(void *arg)
{
    struct transfer *transfer = arg;
    char data[4096];
    int64_t n;
    transfer->len = 0;
    while ((n = weft_stream_read(transfer->stream, data, sizeof data)) > 0)
        transfer->len += (size_t)n;
    return (int)n;
}

static int64_t transfer(weft_stream *from, weft_stream *to, size_t len, size_t piece)
{
    struct transfer out = {from, len, piece};
    struct transfer in = {to, 0, 0};
    int64_t start = weft_now();
    ASSERT_OK(weft_gather((weft_call[]){{send_all, &out}, {receive_all, &in}}, 2, NULL));
    ASSERT_INT_EQ(in.len, len);
    return weft_now() - start;
}

VIRTUAL_TEST(limited_stream_keeps_to_its_rate)
{
    for (int reading = 0; reading < 2; reading++) {
        weft_stream *a;
        weft_stream *b;
        weft_rate_limiter *limiter;
        ASSERT_OK(weft_stream_pair(65536, &a, &b));
        ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = 10000, .burst = 1000), &limiter));
        if (reading)
            ASSERT_OK(weft_stream_limit(b, limiter, NULL, &b));
        else
            ASSERT_OK(weft_stream_limit(a, NULL, limiter, &a));
        int64_t took = transfer(a, b, 40000, 4000);
        /* The burst is free, and so is what was read last. */
        ASSERT_INT_GE(took, WEFT_SEC(4) - WEFT_MS(200));
        ASSERT_INT_LE(took, WEFT_SEC(4));
        ASSERT(weft_stream_below(a) != NULL || weft_stream_below(b) != NULL);
        weft_stream_close(a);
        weft_stream_free(a);
        weft_stream_free(b);
        weft_rate_limiter_free(limiter);
    }
}

VIRTUAL_TEST(limited_stream_cancelled_read_loses_nothing)
{
    weft_stream *a;
    weft_stream *b;
    weft_rate_limiter *limiter;
    char data[100];
    weft_scope scope;
    ASSERT_OK(weft_stream_pair(65536, &a, &b));
    ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = 10, .burst = 10), &limiter));
    ASSERT_OK(weft_stream_limit(b, limiter, NULL, &b));
    ASSERT_OK(weft_stream_write(a, "0123456789abcdefghijABCDEFGHIJ", 30));
    ASSERT_INT_EQ(weft_stream_read(b, data, sizeof data), 10);
    ASSERT_INT_EQ(weft_stream_read(b, data, sizeof data), 10);
    weft_scope_enter(&scope, WEFT_MS(100));
    int64_t n = weft_stream_read(b, data, sizeof data);
    ASSERT_INT_LT(n, 0);
    weft_scope_exit(&scope, (int)n);
    ASSERT_INT_EQ(weft_stream_read(b, data, sizeof data), 10);
    ASSERT_MEM_EQ(data, "ABCDEFGHIJ", 10);
    weft_stream_free(a);
    weft_stream_free(b);
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limits_share_their_bandwidth_among_streams)
{
    weft_limits *limits = make(WEFT_LIMITS(.download = 100000, .upload = 100000));
    weft_stream *streams[4];
    struct transfer transfers[4];
    weft_call calls[4];
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_stream_pair(65536, &streams[2 * i], &streams[2 * i + 1]));
        ASSERT_OK(weft_limits_stream(limits, streams[2 * i], &streams[2 * i]));
        transfers[2 * i] = (struct transfer){streams[2 * i], 200000, 4000};
        transfers[2 * i + 1] = (struct transfer){streams[2 * i + 1], 0, 0};
        calls[2 * i] = (weft_call){send_all, &transfers[2 * i]};
        calls[2 * i + 1] = (weft_call){receive_all, &transfers[2 * i + 1]};
    }
    int64_t start = weft_now();
    ASSERT_OK(weft_gather(calls, 4, NULL));
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(3800));
    ASSERT_INT_LE(weft_now() - start, WEFT_SEC(4));
    for (int i = 0; i < 4; i++)
        weft_stream_free(streams[i]);
    weft_limits_free(limits);
}

VIRTUAL_TEST(limits_without_bandwidth_leave_the_stream_as_it_is)
{
    weft_limits *limits = make(NULL);
    weft_stream *a;
    weft_stream *b;
    weft_stream *same;
    ASSERT_OK(weft_stream_pair(100, &a, &b));
    ASSERT_OK(weft_limits_stream(limits, a, &same));
    ASSERT(same == a);
    weft_stream_free(a);
    weft_stream_free(b);
    weft_limits_free(limits);
}

static int transfer_once(void *arg)
{
    (void)arg;
    WEFT_AUTO(weft_rate_limiter) *limiter = NULL;
    WEFT_AUTO(weft_stream) *a = NULL;
    WEFT_AUTO(weft_stream) *b = NULL;
    weft_stream *limited;
    int err = weft_rate_limiter_new(WEFT_RATE(.permits = 1000, .burst = 100), &limiter);
    if (err == 0)
        err = weft_stream_pair(65536, &a, &b);
    if (err < 0)
        return err;
    err = weft_stream_limit(a, limiter, limiter, &limited);
    a = err == 0 ? limited : NULL;
    if (err < 0)
        return err;
    struct transfer out = {a, 400, 200};
    struct transfer in = {b, 0, 0};
    return weft_gather((weft_call[]){{send_all, &out}, {receive_all, &in}}, 2, NULL);
}

TEST_WITH(limited_stream_survives_every_fault, .limit_s = 60)
{
    FAULTS(transfer_once, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

/*
 * What each limiter promises besides "no more than": that the burst is there at once, to the last
 * permit, and that with tasks waiting all the time the rate is reached to the nanosecond.
 *
 * (That no window sees more is in the test of each limiter.)  1,000 seeds each.
 */
#include "limit_test.h"

enum kind { PLAIN, WINDOW, COMPOSITE, KEYED, KEYED_UNDER_ALL, SHARED, LIMITS };

enum { TASKS = 5, KEYS = 3 };

struct subject {
    enum kind kind;
    weft_rate_limiter *rate;
    weft_keyed_limiter *keyed;
    weft_shared_limiter *shared;
    weft_limits *limits;
    uint32_t permits;
    uint32_t burst; /* of a window: permits */
    int64_t period;
    uint32_t window; /* COMPOSITE: permits of the second rate */
    int64_t window_period;
    int left;
    int n_grants;
    int64_t grants[GRANTS_MAX];
};

static void draw(struct subject *subject, struct weft__rand *rand)
{
    subject->permits = 1 + (uint32_t)draw_below(rand, 200);
    subject->burst = 1 + (uint32_t)draw_below(rand, 20);
    subject->period = 1 + (int64_t)draw_below(rand, WEFT_SEC(50));
    if (subject->kind == WINDOW)
        subject->burst = subject->permits = 1 + subject->permits % 50;
    if (subject->kind == COMPOSITE) {
        subject->window = subject->burst + (uint32_t)draw_below(rand, 30);
        subject->window_period = 1 + (int64_t)draw_below(rand, WEFT_SEC(50));
    }
}

static void make(struct subject *subject)
{
    const weft_rate_limiter_options *rate =
        WEFT_RATE(.permits = subject->permits, .period = subject->period, .burst = subject->burst);
    const weft_rate_limiter_options *window =
        WEFT_RATE(.permits = subject->permits, .period = subject->period, .window = true);
    const weft_rate_limiter_options *both =
        WEFT_RATE(.permits = subject->permits, .period = subject->period, .burst = subject->burst,
                  .also = WEFT_RATE(.permits = subject->window, .period = subject->window_period,
                                    .window = true));
    const weft_rate_limiter_options *plenty = WEFT_RATE(.permits = 1000000, .burst = 1000000);
    switch (subject->kind) {
    case PLAIN:
        ASSERT_OK(weft_rate_limiter_new(rate, &subject->rate));
        break;
    case WINDOW:
        ASSERT_OK(weft_rate_limiter_new(window, &subject->rate));
        break;
    case COMPOSITE:
        ASSERT_OK(weft_rate_limiter_new(both, &subject->rate));
        break;
    case KEYED:
        ASSERT_OK(weft_keyed_limiter_new(WEFT_KEYED(.rate = rate), &subject->keyed));
        break;
    case KEYED_UNDER_ALL:
        ASSERT_OK(weft_keyed_limiter_new(WEFT_KEYED(.rate = plenty, .all = rate), &subject->keyed));
        break;
    case SHARED:
        ASSERT_OK(weft_shared_limiter_new(rate, &subject->shared));
        break;
    default:
        ASSERT_OK(weft_limits_new(WEFT_LIMITS(.concurrency = 100, .rate = rate), &subject->limits));
    }
}

static void free_all(struct subject *subject)
{
    weft_rate_limiter_free(subject->rate);
    weft_keyed_limiter_free(subject->keyed);
    weft_shared_limiter_free(subject->shared);
    weft_limits_free(subject->limits);
}

static const char *key_of(const struct subject *subject, int number)
{
    static const char *const keys[KEYS] = {"a", "b", "c"};
    return keys[subject->kind == KEYED ? 0 : number % KEYS];
}

static int acquire(struct subject *subject, int number)
{
    const char *key = key_of(subject, number);
    if (subject->rate != NULL)
        return weft_rate_limiter_acquire(subject->rate);
    if (subject->keyed != NULL)
        return weft_keyed_limiter_acquire(subject->keyed, key, 1);
    if (subject->shared != NULL)
        return weft_shared_limiter_acquire(subject->shared, 1);
    int err = weft_limits_acquire(subject->limits, key);
    if (err == 0)
        weft_limits_release(subject->limits, key, -1, false);
    return err;
}

static int user(void *arg)
{
    struct subject *subject = arg;
    while (subject->left > 0) {
        int number = subject->left--;
        ASSERT_OK(acquire(subject, number));
        subject->grants[subject->n_grants++] = weft_now();
    }
    return 0;
}

/* ---- when the permits must come, said in another way than the limiters do it ---- */

/* ceil(n * period / permits); the shared limiter's interval is a whole number. */
static int64_t spacing(const struct subject *subject, int n)
{
    if (subject->kind == SHARED)
        return n * ((subject->period + subject->permits - 1) / subject->permits);
    __int128 whole = (__int128)n * subject->period + subject->permits - 1;
    return (int64_t)(whole / subject->permits);
}

/* Of the i-th permit, from 0; of two rates it is the first one's. */
static int64_t expected_at(const struct subject *subject, int i)
{
    if (subject->kind == WINDOW)
        return i / (int)subject->permits * subject->period;
    return i < (int)subject->burst ? 0 : spacing(subject, i - (int)subject->burst + 1);
}

static void check_long_run(const struct subject *subject, int64_t start)
{
    for (int i = 0; i < subject->n_grants; i++)
        ASSERT_INT_EQ(subject->grants[i] - start, expected_at(subject, i));
}

/* Each is due by one of the rates, to the nanosecond, and too early for none. */
static void check_two_rates(const struct subject *subject, int64_t start)
{
    const int64_t *grants = subject->grants;
    int n = (int)subject->window;
    int64_t lost = 0; /* what the first rate had to let pass, at most */
    for (int i = 0; i < subject->n_grants; i++) {
        int64_t by_window = i < n ? start : grants[i - n] + subject->window_period;
        int64_t by_rate = start + expected_at(subject, i);
        ASSERT_INT_GE(grants[i], by_window);
        ASSERT_INT_GE(grants[i], by_rate);
        if (grants[i] == by_window && by_window > by_rate + lost)
            lost = by_window - by_rate;
        ASSERT_INT_LE(grants[i], (by_window > by_rate + lost ? by_window : by_rate + lost) + 1);
    }
}

static int one_subject(struct subject *subject, uint64_t seed)
{
    struct weft__rand rand;
    weft__rand_init(&rand, seed);
    draw(subject, &rand);
    make(subject);
    weft_sleep(
        (int64_t)draw_below(&rand, WEFT_SEC(100))); /* idle: no more than a burst comes of it */
    int64_t start = weft_now();
    subject->left = (int)subject->burst + 120;
    weft_call calls[TASKS];
    for (int i = 0; i < TASKS; i++)
        calls[i] = (weft_call){user, subject};
    ASSERT_OK(weft_gather(calls, TASKS, NULL));
    ASSERT_INT_EQ(subject->n_grants, subject->burst + 120);
    if (subject->kind == COMPOSITE)
        check_two_rates(subject, start);
    else
        check_long_run(subject, start);
    free_all(subject);
    return 0;
}

#define SUBJECT(name, kind_)                                                                       \
    static int name(void *arg)                                                                     \
    {                                                                                              \
        struct subject subject = {.kind = kind_};                                                  \
        return one_subject(&subject, *(uint64_t *)arg);                                            \
    }

SUBJECT(one_plain, PLAIN)
SUBJECT(one_window, WINDOW)
SUBJECT(one_composite, COMPOSITE)
SUBJECT(one_keyed, KEYED)
SUBJECT(one_keyed_under_all, KEYED_UNDER_ALL)
SUBJECT(one_shared, SHARED)
SUBJECT(one_limits, LIMITS)

TEST_WITH(burst_and_rate_of_a_limiter_are_reached, .limit_s = 60)
{
    for_all_seeds(one_plain);
}

TEST_WITH(burst_and_rate_of_a_window_are_reached, .limit_s = 60)
{
    for_all_seeds(one_window);
}

TEST_WITH(burst_and_rate_of_two_rates_are_reached, .limit_s = 60)
{
    for_all_seeds(one_composite);
}

TEST_WITH(burst_and_rate_of_a_key_are_reached, .limit_s = 60)
{
    for_all_seeds(one_keyed);
}

TEST_WITH(burst_and_rate_of_all_keys_together_are_reached, .limit_s = 60)
{
    for_all_seeds(one_keyed_under_all);
}

TEST_WITH(burst_and_rate_of_a_shared_limiter_are_reached, .limit_s = 60)
{
    for_all_seeds(one_shared);
}

TEST_WITH(burst_and_rate_of_a_limits_object_are_reached, .limit_s = 60)
{
    for_all_seeds(one_limits);
}

/* ---- bytes ---- */

struct transfer {
    weft_stream *stream;
    struct history history;
    uint32_t most;
    int left; /* pieces */
};

static int send_pieces(void *arg)
{
    static const char data[64];
    struct transfer *transfer = arg;
    while (transfer->left-- > 0) {
        uint32_t n = 1 + (uint32_t)draw_below(&transfer->history.rand, transfer->most);
        if (draw_below(&transfer->history.rand, 3) == 0)
            weft_sleep((int64_t)draw_below(&transfer->history.rand, WEFT_SEC(3)));
        ASSERT_OK(weft_stream_write(transfer->stream, data, n));
        record(&transfer->history, n);
    }
    return weft_stream_write_eof(transfer->stream);
}

static int take_all(void *arg)
{
    struct transfer *transfer = arg;
    char data[64];
    int64_t n;
    while ((n = weft_stream_read(transfer->stream, data, sizeof data)) > 0)
        record(&transfer->history, (uint32_t)n);
    return (int)n;
}

/* Reads are paid for afterwards: what was read last is free, at most a burst more. */
static int one_transfer(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    struct transfer out = {.left = 40};
    struct transfer in = {0};
    struct weft__rand *rand = &out.history.rand;
    weft_rate_limiter *limiter;
    weft__rand_init(rand, seed);
    uint32_t permits = 1 + (uint32_t)draw_below(rand, 100);
    uint32_t burst = 1 + (uint32_t)draw_below(rand, 60);
    bool reading = draw_below(rand, 2) == 0;
    out.most = burst;
    ASSERT_OK(weft_stream_pair(4096, &out.stream, &in.stream));
    ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = permits, .burst = burst), &limiter));
    if (reading)
        ASSERT_OK(weft_stream_limit(in.stream, limiter, NULL, &in.stream));
    else
        ASSERT_OK(weft_stream_limit(out.stream, NULL, limiter, &out.stream));
    ASSERT_OK(weft_gather((weft_call[]){{send_pieces, &out}, {take_all, &in}}, 2, NULL));
    if (reading)
        check_rate(&in.history, permits, WEFT_SEC(1), 2 * burst);
    else
        check_rate(&out.history, permits, WEFT_SEC(1), burst);
    weft_stream_free(out.stream);
    weft_stream_free(in.stream);
    weft_rate_limiter_free(limiter);
    return 0;
}

TEST_WITH(limited_stream_never_passes_more_than_its_rate, .limit_s = 60)
{
    for_all_seeds(one_transfer);
}

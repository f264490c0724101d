/* The waits of tenacity, number by number. */
#include <weft/retry.h>

#include "base/rand.h"
#include "test.h"

#define S(n) WEFT_SEC(n)

static void check_row(const weft_wait *wait, const int64_t *expected, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t actual = weft_wait_compute(wait, i + 1, 0x123456789abcdefu);
        if (actual != expected[i])
            FAIL("attempt %d: expected %jd ns, actual %jd ns", i + 1, (intmax_t)expected[i],
                 (intmax_t)actual);
    }
}

#define CHECK(wait, ...)                                                                           \
    check_row(&(const weft_wait)wait, (const int64_t[]){__VA_ARGS__},                              \
              sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define W(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

TEST(wait_none_is_zero)
{
    CHECK(W(.kind = WEFT_WAIT_NONE, .min = S(3)), 0, 0, 0);
}

TEST(wait_fixed_is_min)
{
    CHECK(W(.kind = WEFT_WAIT_FIXED, .min = S(1)), S(1), S(1), S(1));
    CHECK(W(.kind = WEFT_WAIT_FIXED, .min = -S(1)), 0);
}

TEST(wait_incrementing_adds_a_step)
{
    CHECK(W(.kind = WEFT_WAIT_INCREMENTING, .min = S(500), .multiplier = S(100)), S(500), S(600),
          S(700));
    CHECK(W(.kind = WEFT_WAIT_INCREMENTING, .min = S(500), .multiplier = S(100), .max = S(650)),
          S(500), S(600), S(650), S(650));
    CHECK(W(.kind = WEFT_WAIT_INCREMENTING, .min = S(50), .multiplier = -S(25)), S(50), S(25), 0,
          0);
    CHECK(W(.kind = WEFT_WAIT_INCREMENTING, .min = S(9), .max = S(5)), S(5), S(5));
    CHECK(W(.kind = WEFT_WAIT_INCREMENTING), 0, S(1), S(2));
}

TEST(wait_incrementing_does_not_overflow)
{
    const weft_wait up = {.kind = WEFT_WAIT_INCREMENTING, .multiplier = INT64_MAX / 2};
    const weft_wait down = {.kind = WEFT_WAIT_INCREMENTING, .multiplier = INT64_MIN / 2};
    ASSERT_INT_EQ(weft_wait_compute(&up, INT32_MAX, 0), WEFT_FOREVER);
    ASSERT_INT_EQ(weft_wait_compute(&down, INT32_MAX, 0), 0);
}

TEST(wait_exponential_doubles)
{
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL), S(1), S(2), S(4), S(8), S(16), S(32), S(64), S(128));
}

TEST(wait_exponential_stays_at_max)
{
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .max = S(40)), S(1), S(2), S(4), S(8), S(16), S(32),
          S(40), S(40), S(40));
}

TEST(wait_exponential_is_at_least_min)
{
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .min = S(4), .max = S(10)), S(4), S(4), S(4), S(8),
          S(10), S(10));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .min = S(20)), S(20), S(20), S(20), S(20), S(20), S(32));
}

TEST(wait_exponential_with_min_above_max_is_min)
{
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .min = S(10), .max = S(5)), S(10), S(10), S(10));
}

TEST(wait_exponential_takes_multiplier_and_base)
{
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .multiplier = S(2)), S(2), S(4), S(8), S(16));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .base = 3), S(1), S(3), S(9), S(27));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .base = 1.5, .multiplier = S(16)), S(16), S(24), S(36),
          S(54));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .multiplier = WEFT_MS(100), .max = S(1)), WEFT_MS(100),
          WEFT_MS(200), WEFT_MS(400), WEFT_MS(800), S(1));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .base = 0.5), S(1), S(1) / 2, S(1) / 4);
}

TEST(wait_exponential_without_sense_takes_defaults)
{
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .base = -2), S(1), S(2), S(4));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .base = __builtin_nan("")), S(1), S(2), S(4));
    CHECK(W(.kind = WEFT_WAIT_EXPONENTIAL, .multiplier = -S(5)), 0, 0, 0);
}

/* tenacity's underflow of 1000 attempts and stamina's overflow: all of them saturate. */
TEST(wait_after_thousands_of_attempts_is_max)
{
    static const weft_wait_kind kinds[] = {WEFT_WAIT_EXPONENTIAL, WEFT_WAIT_EXPONENTIAL_JITTER};
    static const int attempts[] = {64, 65, 1000, 1024, 1025, 5000, INT32_MAX};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
            weft_wait wait = {.kind = kinds[k], .max = S(60)};
            ASSERT_INT_EQ(weft_wait_compute(&wait, attempts[i], 7), S(60));
            wait.max = 0;
            ASSERT_INT_EQ(weft_wait_compute(&wait, attempts[i], 7), WEFT_FOREVER);
            wait.max = S(5);
            wait.min = S(6);
            ASSERT_INT_EQ(weft_wait_compute(&wait, attempts[i], 7), S(6));
        }
    }
}

TEST(wait_attempt_below_one_counts_as_one)
{
    const weft_wait wait = {.kind = WEFT_WAIT_EXPONENTIAL};
    ASSERT_INT_EQ(weft_wait_compute(&wait, 0, 0), S(1));
    ASSERT_INT_EQ(weft_wait_compute(&wait, INT32_MIN, 0), S(1));
}

/* All draws lie in low .. high, and come near both ends. */
static void check_spread(const weft_wait *wait, int attempt, int64_t low, int64_t high)
{
    struct weft__rand rand;
    weft__rand_init(&rand, 42);
    int64_t least = INT64_MAX;
    int64_t most = INT64_MIN;
    double sum = 0;
    for (int i = 0; i < 4000; i++) {
        int64_t value = weft_wait_compute(wait, attempt, weft__rand_next(&rand));
        ASSERT_INT_GE(value, low);
        ASSERT_INT_LE(value, high);
        least = value < least ? value : least;
        most = value > most ? value : most;
        sum += (double)value;
    }
    ASSERT_INT_LE(least, low + (high - low) / 50);
    ASSERT_INT_GE(most, high - (high - low) / 50);
    double mean = sum / 4000;
    double middle = ((double)low + (double)high) / 2;
    ASSERT(mean >= middle - (double)(high - low) / 20 &&
           mean <= middle + (double)(high - low) / 20);
}

TEST(wait_random_is_between_min_and_max)
{
    const weft_wait wait = {.kind = WEFT_WAIT_RANDOM, .min = S(1), .max = S(20)};
    check_spread(&wait, 1, S(1), S(20));
    check_spread(&wait, 77, S(1), S(20));
    const weft_wait defaults = {.kind = WEFT_WAIT_RANDOM};
    check_spread(&defaults, 1, 0, S(1));
    const weft_wait crossed = {.kind = WEFT_WAIT_RANDOM, .min = S(5), .max = S(3)};
    ASSERT_INT_EQ(weft_wait_compute(&crossed, 1, 99), S(5));
}

TEST(wait_random_exponential_is_full_jitter)
{
    const weft_wait wait = {
        .kind = WEFT_WAIT_RANDOM_EXPONENTIAL, .multiplier = S(1) / 2, .max = S(60)};
    check_spread(&wait, 1, 0, S(1) / 2);
    check_spread(&wait, 2, 0, S(1));
    check_spread(&wait, 3, 0, S(2));
    check_spread(&wait, 7, 0, S(32));
    check_spread(&wait, 8, 0, S(60));
    check_spread(&wait, 9000, 0, S(60));
    const weft_wait floored = {.kind = WEFT_WAIT_RANDOM_EXPONENTIAL, .min = S(5), .max = S(10)};
    ASSERT_INT_EQ(weft_wait_compute(&floored, 1, 1234), S(5));
    check_spread(&floored, 4, S(5), S(8));
    check_spread(&floored, 5, S(5), S(10));
}

TEST(wait_random_exponential_without_max_does_not_overflow)
{
    const weft_wait wait = {.kind = WEFT_WAIT_RANDOM_EXPONENTIAL};
    ASSERT_INT_EQ(weft_wait_compute(&wait, 5000, UINT64_MAX), WEFT_FOREVER);
    ASSERT_INT_EQ(weft_wait_compute(&wait, 5000, 0), 0);
}

TEST(wait_exponential_jitter_adds_up_to_jitter)
{
    const weft_wait wait = {.kind = WEFT_WAIT_EXPONENTIAL_JITTER, .max = S(60)};
    check_spread(&wait, 1, S(1), S(2));
    check_spread(&wait, 2, S(2), S(3));
    check_spread(&wait, 6, S(32), S(33));
    const weft_wait wide = {.kind = WEFT_WAIT_EXPONENTIAL_JITTER, .jitter = S(8), .min = S(3)};
    check_spread(&wide, 3, S(4), S(12));
    ASSERT_INT_EQ(weft_wait_compute(&wide, 1, 0), S(3));
}

TEST(wait_exponential_jitter_at_max_has_none_left)
{
    const weft_wait wait = {.kind = WEFT_WAIT_EXPONENTIAL_JITTER, .max = S(60)};
    for (uint64_t random = 0; random < 8; random++)
        ASSERT_INT_EQ(weft_wait_compute(&wait, 7, random << 61), S(60));
}

/* stamina: min(5, 0.1 * 2^(n-1) + U(0, 1)). */
TEST(wait_default_is_exponential_jitter_from_100_ms_to_5_s)
{
    const weft_wait zero = {0};
    for (int attempt = 1; attempt <= 12; attempt++) {
        int64_t low = WEFT_MS(100) << (attempt - 1);
        int64_t high = low + S(1);
        low = low < S(5) ? low : S(5);
        high = high < S(5) ? high : S(5);
        check_spread(&zero, attempt, low, high);
        check_spread(NULL, attempt, low, high);
    }
    ASSERT_INT_EQ(weft_wait_compute(NULL, 100000, UINT64_MAX), S(5));
}

static int64_t after(const weft_wait *wait, int number, int64_t last, uint64_t random)
{
    const weft_attempt attempt = {.size = sizeof attempt, .number = number, .last_wait = last};
    return weft_wait_after(wait, &attempt, random);
}

/* AWS: min(cap, U(base, 3 * last)). */
TEST(wait_decorrelated_is_between_base_and_three_times_the_last)
{
    const weft_wait wait = {
        .kind = WEFT_WAIT_DECORRELATED, .multiplier = WEFT_MS(100), .max = S(10)};
    ASSERT_INT_EQ(after(&wait, 1, 0, 0), WEFT_MS(100));
    ASSERT_INT_EQ(after(&wait, 1, 0, UINT64_MAX), WEFT_MS(300));
    ASSERT_INT_EQ(after(&wait, 2, S(1), 0), WEFT_MS(100));
    ASSERT_INT_EQ(after(&wait, 2, S(1), UINT64_MAX), S(3));
    ASSERT_INT_EQ(after(&wait, 3, S(9), UINT64_MAX), S(10));
    ASSERT_INT_EQ(after(&wait, 4, WEFT_FOREVER, UINT64_MAX), S(10));
    for (uint64_t i = 0; i < 1000; i++) {
        int64_t value = after(&wait, 2, S(2), i * (UINT64_MAX / 1000));
        ASSERT_INT_GE(value, WEFT_MS(100));
        ASSERT_INT_LE(value, S(6));
    }
}

/* tenacity: wait_chain(*[fixed(1)] * 3 + [fixed(2)] * 2 + [fixed(9)]). */
TEST(wait_chain_is_the_nth_then_the_last)
{
    static const weft_wait parts[] = {
        {.kind = WEFT_WAIT_FIXED, .min = S(1)}, {.kind = WEFT_WAIT_FIXED, .min = S(1)},
        {.kind = WEFT_WAIT_FIXED, .min = S(1)}, {.kind = WEFT_WAIT_FIXED, .min = S(2)},
        {.kind = WEFT_WAIT_FIXED, .min = S(2)}, {.kind = WEFT_WAIT_FIXED, .min = S(9)}};
    CHECK(W(.kind = WEFT_WAIT_CHAIN, .parts = parts, .n_parts = 6), S(1), S(1), S(1), S(2), S(2),
          S(9), S(9), S(9));
    CHECK(W(.kind = WEFT_WAIT_CHAIN), 0, 0);
    const weft_wait chain = {.kind = WEFT_WAIT_CHAIN, .parts = parts, .n_parts = 6};
    ASSERT_INT_EQ(weft_wait_compute(&chain, -3, 0), S(1));
}

/* tenacity: wait_fixed(3) + wait_exponential(), wait_combine. */
TEST(wait_sum_adds_its_parts)
{
    static const weft_wait parts[] = {{.kind = WEFT_WAIT_FIXED, .min = S(3)},
                                      {.kind = WEFT_WAIT_EXPONENTIAL}};
    CHECK(W(.kind = WEFT_WAIT_SUM, .parts = parts, .n_parts = 2), S(4), S(5), S(7), S(11), S(19));
    CHECK(W(.kind = WEFT_WAIT_SUM, .parts = parts, .n_parts = 2, .max = S(6)), S(4), S(5), S(6));
    CHECK(W(.kind = WEFT_WAIT_SUM), 0);
    static const weft_wait forever[] = {{.kind = WEFT_WAIT_FIXED, .min = WEFT_FOREVER},
                                        {.kind = WEFT_WAIT_FIXED, .min = S(1)}};
    CHECK(W(.kind = WEFT_WAIT_SUM, .parts = forever, .n_parts = 2), WEFT_FOREVER);
}

TEST(wait_sum_draws_its_parts_apart)
{
    static const weft_wait parts[] = {{.kind = WEFT_WAIT_RANDOM, .max = S(1)},
                                      {.kind = WEFT_WAIT_RANDOM, .max = S(1)}};
    const weft_wait sum = {.kind = WEFT_WAIT_SUM, .parts = parts, .n_parts = 2};
    int same = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t random = i * (UINT64_MAX / 101);
        if (weft_wait_compute(&sum, 1, random) == 2 * weft_wait_compute(&parts[0], 1, random))
            same++;
    }
    ASSERT_INT_EQ(same, 0);
}

static int64_t from_result(const weft_attempt *attempt, void *userdata)
{
    return attempt->result == -EAGAIN ? *(const int64_t *)userdata : -5;
}

/* tenacity: wait_exception(fn). */
TEST(wait_custom_comes_from_the_error)
{
    int64_t seconds = S(7);
    const weft_wait wait = {
        .kind = WEFT_WAIT_CUSTOM, .compute = from_result, .userdata = &seconds, .max = S(9)};
    weft_attempt attempt = {.size = sizeof attempt, .number = 1, .result = -EAGAIN};
    ASSERT_INT_EQ(weft_wait_after(&wait, &attempt, 0), S(7));
    attempt.result = -EIO;
    ASSERT_INT_EQ(weft_wait_after(&wait, &attempt, 0), 0);
    seconds = S(20);
    attempt.result = -EAGAIN;
    ASSERT_INT_EQ(weft_wait_after(&wait, &attempt, 0), S(9));
    const weft_wait nothing = {.kind = WEFT_WAIT_CUSTOM, .min = S(2)};
    ASSERT_INT_EQ(weft_wait_after(&nothing, &attempt, 0), S(2));
}

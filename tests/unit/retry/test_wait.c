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

TEST(wait_default_is_full_jitter_from_100_ms_to_20_s)
{
    const weft_wait zero = {0};
    for (int attempt = 1; attempt <= 12; attempt++) {
        int64_t high = WEFT_MS(100) << (attempt - 1);
        high = high < S(20) ? high : S(20);
        check_spread(&zero, attempt, 0, high);
        check_spread(NULL, attempt, 0, high);
    }
    ASSERT_INT_EQ(weft_wait_compute(NULL, 100000, UINT64_MAX), S(20));
}

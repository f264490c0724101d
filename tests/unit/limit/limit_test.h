/* limit_test.h - random histories of a limiter, and what must hold of each. */
#ifndef LIMIT_TEST_H
#define LIMIT_TEST_H

#include <weft/limit.h>
#include <weft/testing.h>

#include "base/rand.h"
#include "test.h"

enum { GRANTS_MAX = 400 };

struct grant {
    int64_t at;
    uint32_t n;
};

struct history {
    struct weft__rand rand;
    struct grant grants[GRANTS_MAX];
    int n_grants;
};

static inline uint64_t draw_below(struct weft__rand *rand, uint64_t bound)
{
    return weft__rand_below(weft__rand_next(rand), bound);
}

static inline void record(struct history *history, uint32_t n)
{
    ASSERT_INT_LT(history->n_grants, GRANTS_MAX);
    history->grants[history->n_grants++] = (struct grant){weft_now(), n};
}

/* No window ever sees more than burst + rate * length, to the nanosecond. */
static inline void check_rate(const struct history *history, uint32_t permits, int64_t period,
                              uint32_t burst)
{
    for (int i = 0; i < history->n_grants; i++) {
        uint64_t sum = 0;
        for (int j = i; j < history->n_grants; j++) {
            __int128 span = history->grants[j].at - history->grants[i].at;
            __int128 allowed = burst + (span + 1) * permits / period;
            sum += history->grants[j].n;
            if (sum > (uint64_t)allowed)
                FAIL("%ju permits in %jd ns, %jd are allowed", (uintmax_t)sum, (intmax_t)span,
                     (intmax_t)allowed);
        }
    }
}

/* No window as long as the period sees more than permits. */
static inline void check_window(const struct history *history, uint32_t permits, int64_t period)
{
    for (int i = 0; i < history->n_grants; i++) {
        uint64_t sum = 0;
        for (int j = i; j < history->n_grants; j++) {
            if (history->grants[j].at - history->grants[i].at >= period)
                break;
            sum += history->grants[j].n;
        }
        if (sum > permits)
            FAIL("%ju permits in %jd ns, %u are allowed", (uintmax_t)sum, (intmax_t)period,
                 permits);
    }
}

/* Runs fn with each of 1,000 seeds on a virtual clock. */
static inline void for_all_seeds(weft_fn fn)
{
    uint64_t seeds = test_under_valgrind() ? 50 : 1000;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        ASSERT_OK(
            weft_run_with(fn, &seed, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = seed)));
}

#endif

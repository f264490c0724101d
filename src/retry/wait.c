/*
 * wait.c - how long to wait after the nth attempt: tenacity's formulas, in nanoseconds.
 *
 * The exponential is computed in doubles and saturates at max, so that no number of attempts
 * overflows.  A minimum larger than the maximum wins, as it does in tenacity.
 */
#include <weft/retry.h>

#include "base/clock.h"
#include "base/rand.h"

/* A wait with its defaults filled in. */
struct formula {
    int64_t multiplier;
    int64_t min;
    int64_t max;
    int64_t jitter;
    double base;
};

static int64_t or_default(int64_t value, int64_t other)
{
    return value != 0 ? value : other;
}

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
    int64_t floor = min > 0 ? min : 0;
    if (value > max)
        value = max;
    return value > floor ? value : floor;
}

/* Uniform in low .. high, both included. */
static int64_t uniform(uint64_t random, int64_t low, int64_t high)
{
    if (high <= low)
        return low;
    uint64_t span = (uint64_t)high - (uint64_t)low;
    if (span == UINT64_MAX)
        return (int64_t)random;
    return (int64_t)((uint64_t)low + weft__rand_below(random, span + 1));
}

/* multiplier * base^(n-1) + jitter, at most max, at least min. */
static int64_t exponential(const struct formula *f, int n, int64_t jitter)
{
    double value = (double)f->multiplier * __builtin_powi(f->base, n - 1) + (double)jitter;
    if (!(value < (double)f->max))
        return clamp(f->max, f->min, f->max);
    return clamp(value > 0 ? (int64_t)value : 0, f->min, f->max);
}

/* min + multiplier * (n - 1), at most max, at least 0. */
static int64_t incrementing(const struct formula *f, int n)
{
    int64_t value;
    if (__builtin_mul_overflow(f->multiplier, (int64_t)n - 1, &value) ||
        __builtin_add_overflow(value, f->min, &value))
        value = f->multiplier > 0 ? INT64_MAX : 0;
    return clamp(value, 0, f->max);
}

/* The first argument is the last wait: AWS's "decorrelated jitter". */
static int64_t decorrelated(int64_t last, const struct formula *f, uint64_t random)
{
    int64_t high;
    if (last < f->multiplier)
        last = f->multiplier;
    if (__builtin_mul_overflow(last, (int64_t)3, &high))
        high = INT64_MAX;
    return clamp(uniform(random, f->multiplier, high), f->min, f->max);
}

/* Parts draw numbers that have nothing to do with each other. */
static uint64_t random_of_part(uint64_t random, size_t i)
{
    uint64_t z = random + i * 0x9e3779b97f4a7c15u;
    if (i == 0)
        return random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t sum(const weft_wait *wait, const weft_attempt *attempt, uint64_t random)
{
    int64_t value = 0;
    for (size_t i = 0; i < wait->n_parts; i++)
        value = weft__clock_add(
            value, weft_wait_after(&wait->parts[i], attempt, random_of_part(random, i)));
    return value;
}

static int64_t chain(const weft_wait *wait, const weft_attempt *attempt, uint64_t random)
{
    size_t i = attempt->number > 1 ? (size_t)attempt->number - 1 : 0;
    if (wait->n_parts == 0)
        return 0;
    if (i >= wait->n_parts)
        i = wait->n_parts - 1;
    return weft_wait_after(&wait->parts[i], attempt, random);
}

static struct formula formula_of(const weft_wait *wait)
{
    bool is_default = wait->kind == WEFT_WAIT_DEFAULT;
    return (struct formula){
        .multiplier = or_default(wait->multiplier, is_default ? WEFT_MS(100) : WEFT_SEC(1)),
        .min = wait->min,
        .max = or_default(wait->max, is_default ? WEFT_SEC(5) : WEFT_FOREVER),
        .jitter = or_default(wait->jitter, WEFT_SEC(1)),
        .base = wait->base > 0 ? wait->base : 2,
    };
}

int64_t weft_wait_after(const weft_wait *wait, const weft_attempt *attempt, uint64_t random)
{
    static const weft_wait usual = {.kind = WEFT_WAIT_DEFAULT};
    if (wait == NULL)
        wait = &usual;
    struct formula f = formula_of(wait);
    int n = attempt->number > 1 ? attempt->number : 1;
    switch (wait->kind) {
    case WEFT_WAIT_FIXED:
        return clamp(f.min, 0, WEFT_FOREVER);
    case WEFT_WAIT_RANDOM:
        f.min = clamp(f.min, 0, WEFT_FOREVER);
        return uniform(random, f.min, or_default(wait->max, WEFT_SEC(1)));
    case WEFT_WAIT_INCREMENTING:
        return incrementing(&f, n);
    case WEFT_WAIT_EXPONENTIAL:
        return exponential(&f, n, 0);
    case WEFT_WAIT_RANDOM_EXPONENTIAL:
        return uniform(random, clamp(f.min, 0, WEFT_FOREVER), exponential(&f, n, 0));
    case WEFT_WAIT_DEFAULT:
    case WEFT_WAIT_EXPONENTIAL_JITTER:
        return exponential(&f, n, uniform(random, 0, f.jitter));
    case WEFT_WAIT_DECORRELATED:
        return decorrelated(attempt->last_wait, &f, random);
    case WEFT_WAIT_CHAIN:
        return chain(wait, attempt, random);
    case WEFT_WAIT_SUM:
        return clamp(sum(wait, attempt, random), f.min, f.max);
    case WEFT_WAIT_CUSTOM:
        return wait->compute == NULL ? clamp(0, f.min, f.max)
                                     : clamp(wait->compute(attempt, wait->userdata), f.min, f.max);
    case WEFT_WAIT_NONE:
        break;
    }
    return 0;
}

int64_t weft_wait_compute(const weft_wait *wait, int attempt, uint64_t random)
{
    const weft_attempt only_number = {.size = sizeof only_number, .number = attempt};
    return weft_wait_after(wait, &only_number, random);
}

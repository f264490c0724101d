/*
 * adaptive.c - how much at once, found out: Netflix's concurrency-limits.
 *
 * AIMD: one more while half of the limit or more is used, a tenth less for a drop or an answer
 * that took too long.  Gradient (Gradient2 there): the limit follows the ratio of the long-run
 * latency to the last one, plus a small queue.  What was started before the last reduction
 * says nothing about the reduced limit: it does not reduce it again.
 */
#include <errno.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "limit/limit_int.h"

/* The defaults of Netflix's AIMDLimit and Gradient2Limit. */
enum { INITIAL = 20, MIN = 20, MAX = 200, LONG_WINDOW = 600, WARM_UP = 10, QUEUE = 4 };
static const double backoff_ratio = 0.9;
static const double tolerance = 1.5;
static const double smoothing = 0.2;
static const double drift_limit = 2;
static const double drift_decay = 0.95;

struct weft_adaptive {
    weft_capacity *capacity;
    weft_adaptive_algorithm algorithm;
    double limit;
    double min;
    double max;
    int64_t timeout;
    int64_t reduced_at;
    double long_latency; /* moving average */
    uint64_t n_samples;
    uint64_t n_drops;
};

static uint32_t or_default(uint32_t given, uint32_t usual)
{
    return given != 0 ? given : usual;
}

int weft_adaptive_new(const weft_adaptive_options *given, weft_adaptive **ret)
{
    weft_adaptive_options options;
    weft__options_fill(&options, sizeof options, given);
    uint32_t max = or_default(options.max, MAX);
    uint32_t initial = or_default(options.initial, INITIAL < max ? INITIAL : max);
    uint32_t min = or_default(options.min, MIN < initial ? MIN : initial);
    if (min > initial || initial > max)
        return weft__fail(-EINVAL, "an adaptive limit of %u is not between %u and %u", initial, min,
                          max);
    weft_adaptive *adaptive = weft__calloc(1, sizeof *adaptive);
    if (adaptive == NULL)
        return weft__fail_nomem();
    int err = weft_capacity_new(WEFT_CAPACITY(.total = initial, .queue = options.queue),
                                &adaptive->capacity);
    if (err < 0) {
        weft__free(adaptive);
        return err;
    }
    adaptive->algorithm = options.algorithm;
    adaptive->limit = initial;
    adaptive->min = min;
    adaptive->max = max;
    adaptive->timeout = options.timeout > 0 ? options.timeout : WEFT_SEC(5);
    *ret = adaptive;
    return 0;
}

void weft_adaptive_free(weft_adaptive *adaptive)
{
    if (adaptive == NULL)
        return;
    weft_capacity_free(adaptive->capacity);
    weft__free(adaptive);
}

int weft_adaptive_acquire(weft_adaptive *adaptive)
{
    return weft_capacity_acquire(adaptive->capacity, 1);
}

bool weft_adaptive_try_acquire(weft_adaptive *adaptive)
{
    return weft_capacity_try_acquire(adaptive->capacity, 1);
}

static double clamp(double value, double min, double max)
{
    return value < min ? min : value > max ? max : value;
}

static void reduce(weft_adaptive *adaptive, int64_t latency, int64_t now)
{
    if (adaptive->reduced_at != 0 && now - latency < adaptive->reduced_at)
        return;
    adaptive->limit *= backoff_ratio;
    adaptive->reduced_at = now;
}

/* A mean of the first few, then it moves slowly. */
static void average(weft_adaptive *adaptive, double latency)
{
    uint64_t n = ++adaptive->n_samples;
    double weight = n <= WARM_UP ? 1.0 / (double)n : 2.0 / (LONG_WINDOW + 1);
    adaptive->long_latency += (latency - adaptive->long_latency) * weight;
    /* After a slow time it comes back faster than it would by itself. */
    if (adaptive->long_latency > drift_limit * latency)
        adaptive->long_latency *= drift_decay;
}

static void follow_gradient(weft_adaptive *adaptive, double latency, bool used)
{
    average(adaptive, latency);
    if (!used)
        return;
    double gradient = clamp(tolerance * adaptive->long_latency / latency, 0.5, 1);
    double wanted = adaptive->limit * gradient + QUEUE;
    adaptive->limit += (wanted - adaptive->limit) * smoothing;
}

/* in_flight: with this one. */
static void sample(weft_adaptive *adaptive, int64_t latency, bool dropped, uint64_t in_flight)
{
    bool used = (double)in_flight * 2 >= adaptive->limit;
    int64_t now = weft_now();
    if (dropped)
        adaptive->n_drops++;
    if (dropped || (adaptive->algorithm == WEFT_ADAPTIVE_AIMD && latency > adaptive->timeout))
        reduce(adaptive, latency, now);
    else if (adaptive->algorithm == WEFT_ADAPTIVE_GRADIENT)
        follow_gradient(adaptive, latency > 0 ? (double)latency : 1, used);
    else if (used)
        adaptive->limit += 1;
    adaptive->limit = clamp(adaptive->limit, adaptive->min, adaptive->max);
}

void weft_adaptive_release(weft_adaptive *adaptive, int64_t latency, bool dropped)
{
    weft_limit_state state;
    weft_capacity_get_state(adaptive->capacity, &state);
    if (latency >= 0) {
        sample(adaptive, latency, dropped, state.in_use);
        uint32_t total = (uint32_t)adaptive->limit;
        if (total != state.total)
            weft_capacity_set_total(adaptive->capacity, total);
    }
    weft_capacity_release(adaptive->capacity, 1);
}

void weft_adaptive_get_state(const weft_adaptive *adaptive, weft_limit_state *ret)
{
    weft_capacity_get_state(adaptive->capacity, ret);
    ret->refused = adaptive->n_drops;
}

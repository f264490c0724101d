/* What a limit costs a call that it does not hold up, and how exact the rate is in real time. */
#include <weft.h>

#include "bench.h"

static weft_rate_limiter *limiter;
static weft_rate_limiter *window;
static weft_keyed_limiter *keyed;
static weft_shared_limiter *shared;
static weft_capacity *capacity;
static weft_limits *limits;

static void clock_read(long n)
{
    for (long i = 0; i < n; i++)
        weft_now();
}

static void acquire(long n)
{
    for (long i = 0; i < n; i++)
        weft_rate_limiter_acquire(limiter);
}

static void try_acquire(long n)
{
    for (long i = 0; i < n; i++)
        weft_rate_limiter_try_acquire(limiter);
}

static void acquire_window(long n)
{
    for (long i = 0; i < n; i++)
        weft_rate_limiter_acquire(window);
}

static void acquire_keyed(long n)
{
    for (long i = 0; i < n; i++)
        weft_keyed_limiter_acquire(keyed, "api.example.com", 1);
}

static void acquire_shared(long n)
{
    for (long i = 0; i < n; i++)
        weft_shared_limiter_acquire(shared, 1);
}

static void acquire_capacity(long n)
{
    for (long i = 0; i < n; i++) {
        weft_capacity_acquire(capacity, 1);
        weft_capacity_release(capacity, 1);
    }
}

static void acquire_limits(long n)
{
    for (long i = 0; i < n; i++) {
        weft_limits_acquire(limits, "api.example.com");
        weft_limits_release(limits, "api.example.com", -1, false);
    }
}

/* ---- 40,000 at 20,000 a second, by 100 tasks ---- */

enum { FLOOD = 40000, RATE = 20000 };

struct flood {
    weft_rate_limiter *limiter;
    int left;
};

static int flood_worker(void *arg)
{
    struct flood *flood = arg;
    while (flood->left > 0) {
        flood->left--;
        int err = weft_rate_limiter_acquire(flood->limiter);
        if (err < 0)
            return err;
    }
    return 0;
}

static int measure_flood(void)
{
    struct flood flood = {.left = FLOOD};
    weft_call calls[100];
    int err = weft_rate_limiter_new(WEFT_RATE(.permits = RATE), &flood.limiter);
    if (err < 0)
        return err;
    for (int i = 0; i < 100; i++)
        calls[i] = (weft_call){.fn = flood_worker, .arg = &flood};
    int64_t start = weft_now();
    err = weft_gather(calls, 100, NULL);
    double took = (double)(weft_now() - start);
    double ideal = 1e9 * FLOOD / RATE;
    bench_print("40,000 permits at 20,000 a second", took);
    printf("%-44s %+9.3f %%\n", "  off the ideal by", (took / ideal - 1) * 100);
    weft_rate_limiter_free(flood.limiter);
    return err;
}

static int make_all(void)
{
    const weft_rate_limiter_options *plenty =
        WEFT_RATE(.permits = 4000000000u, .burst = 4000000000u);
    const weft_rate_limiter_options *wide =
        WEFT_RATE(.permits = 1000000, .period = WEFT_US(1), .window = true);
    int err = weft_rate_limiter_new(plenty, &limiter);
    if (err == 0)
        err = weft_rate_limiter_new(wide, &window);
    if (err == 0)
        err = weft_keyed_limiter_new(WEFT_KEYED(.rate = plenty), &keyed);
    if (err == 0)
        err =
            weft_shared_limiter_new(WEFT_RATE(.permits = 1000000000, .burst = 1000000000), &shared);
    if (err == 0)
        err = weft_capacity_new(WEFT_CAPACITY(.total = 10), &capacity);
    if (err == 0)
        err = weft_limits_new(WEFT_LIMITS(.concurrency = 10, .rate = plenty, .per_key = plenty),
                              &limits);
    return err;
}

static int run(void *arg)
{
    (void)arg;
    int err = make_all();
    if (err < 0)
        return err;
    bench_loop("weft_now", clock_read, 1000000);
    bench_loop("rate limiter, acquire", acquire, 1000000);
    bench_loop("rate limiter, try_acquire", try_acquire, 1000000);
    bench_loop("exact window, acquire", acquire_window, 1000000);
    bench_loop("keyed limiter, acquire", acquire_keyed, 1000000);
    bench_loop("shared limiter, acquire", acquire_shared, 1000000);
    bench_loop("capacity, acquire and release", acquire_capacity, 1000000);
    bench_loop("limits, acquire and release", acquire_limits, 1000000);
    weft_rate_limiter_free(limiter);
    weft_rate_limiter_free(window);
    weft_keyed_limiter_free(keyed);
    weft_shared_limiter_free(shared);
    weft_capacity_free(capacity);
    weft_limits_free(limits);
    return measure_flood();
}

int main(void)
{
    return weft_run(run, NULL) < 0;
}

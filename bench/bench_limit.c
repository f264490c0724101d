/* What a limit costs a call that it does not hold up, and how exact the rate is in real time. */
#include <weft.h>

#define BENCH_ROUNDS 25 /* short ones: some of them are undisturbed */
#include "bench.h"

enum { KEYS = 1000 };

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

/* Each time another key. */
static void acquire_keys(long n)
{
    static char names[KEYS][24];
    for (int i = 0; names[KEYS - 1][0] == '\0' && i < KEYS; i++)
        snprintf(names[i], sizeof names[i], "api-%d.example.com", i);
    for (long i = 0; i < n; i++)
        weft_keyed_limiter_acquire(keyed, names[i % KEYS], 1);
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

/* ---- 40,000 at 20,000 a second ---- */

enum { FLOOD = 40000, RATE = 20000, WORKERS_MAX = 1000 };

struct flood {
    const char *name;
    int workers;
    weft_rate_limiter *limiter;
    int left;
    int64_t last;
    int64_t longest; /* time without a permit */
};

static int flood_worker(void *arg)
{
    struct flood *flood = arg;
    while (flood->left > 0) {
        flood->left--;
        int err = weft_rate_limiter_acquire(flood->limiter);
        if (err < 0)
            return err;
        int64_t now = weft_now();
        if (now - flood->last > flood->longest)
            flood->longest = now - flood->last;
        flood->last = now;
    }
    return 0;
}

/* The first permit comes at once: the ideal is that of all but one. */
static int measure_flood(void *arg)
{
    static weft_call calls[WORKERS_MAX];
    struct flood *flood = arg;
    flood->left = FLOOD;
    int err = weft_rate_limiter_new(WEFT_RATE(.permits = RATE), &flood->limiter);
    if (err < 0)
        return err;
    for (int i = 0; i < flood->workers; i++)
        calls[i] = (weft_call){.fn = flood_worker, .arg = flood};
    int64_t start = weft_now();
    flood->last = start;
    err = weft_gather(calls, (size_t)flood->workers, NULL);
    double took = (double)(weft_now() - start);
    double ideal = 1e9 * (FLOOD - 1) / RATE;
    bench_print(flood->name, took);
    printf("%-52s %+9.3f %%\n", "  off the ideal by", (took / ideal - 1) * 100);
    printf("%-52s %9.3f ms\n", "  longest time without a permit", (double)flood->longest * 1e-6);
    weft_rate_limiter_free(flood->limiter);
    return err;
}

/* Who waits holds permits that become due: 1,000 tasks 50 ms of them, 100 tasks 5 ms. */
static int measure_floods(void)
{
    static const struct {
        const char *name;
        int workers;
        weft_backend backend;
    } runs[] = {
        {"40,000 at 20,000 a second, 1,000 tasks", 1000, WEFT_BACKEND_DEFAULT},
        {"40,000 at 20,000 a second, 100 tasks", 100, WEFT_BACKEND_DEFAULT},
        {"40,000 at 20,000 a second, 100 tasks, virtual clock", 100, WEFT_BACKEND_VIRTUAL},
    };
    int err = 0;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0] && err >= 0; i++) {
        struct flood flood = {.name = runs[i].name, .workers = runs[i].workers};
        err = weft_run_with(measure_flood, &flood, WEFT_RUN(.backend = runs[i].backend));
    }
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
    bench_loop("weft_now", clock_read, 200000);
    bench_loop("rate limiter, acquire", acquire, 200000);
    bench_loop("rate limiter, try_acquire", try_acquire, 200000);
    bench_loop("exact window, acquire", acquire_window, 200000);
    bench_loop("keyed limiter, acquire, one key", acquire_keyed, 200000);
    bench_loop("keyed limiter, acquire, 1,000 keys in turn", acquire_keys, 200000);
    bench_loop("shared limiter, acquire", acquire_shared, 200000);
    bench_loop("capacity, acquire and release", acquire_capacity, 200000);
    bench_loop("limits, acquire and release", acquire_limits, 200000);
    weft_rate_limiter_free(limiter);
    weft_rate_limiter_free(window);
    weft_keyed_limiter_free(keyed);
    weft_shared_limiter_free(shared);
    weft_capacity_free(capacity);
    weft_limits_free(limits);
    return 0;
}

int main(void)
{
    int err = weft_run(run, NULL);
    if (err == 0 && !bench_counts_cpu())
        err = measure_floods();
    return err < 0;
}

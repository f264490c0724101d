/* What retry and a rate limit cost a call that needs neither. */
#include <weft.h>

#include "bench.h"

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static void retry_success(long n)
{
    for (long i = 0; i < n; i++)
        weft_retry(NULL, succeed, NULL);
}

static void block_success(long n)
{
    for (long i = 0; i < n; i++) {
        WEFT_RETRY_FOREACH(NULL, attempt)
        {
            weft_attempt_done(attempt, succeed(NULL));
        }
    }
}

static void wait_default(long n)
{
    volatile int64_t sum = 0;
    for (long i = 0; i < n; i++)
        sum += weft_wait_compute(NULL, (int)(i & 7) + 1, (uint64_t)i << 40);
}

static weft_rate_limiter *limiter;

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

static void clock_read(long n)
{
    for (long i = 0; i < n; i++)
        weft_now();
}

static int run(void *arg)
{
    (void)arg;
    int err = weft_rate_limiter_new(
        WEFT_RATE(.permits = 4000000000u, .burst = 4000000000u, .period = WEFT_SEC(1)), &limiter);
    if (err < 0)
        return err;
    bench_loop("weft_now", clock_read, 1000000);
    bench_loop("retry, success at the first attempt", retry_success, 1000000);
    bench_loop("retry as a block, success", block_success, 1000000);
    bench_loop("wait_compute, default", wait_default, 1000000);
    bench_loop("rate limiter, acquire uncontended", acquire, 1000000);
    bench_loop("rate limiter, try_acquire", try_acquire, 1000000);
    weft_rate_limiter_free(limiter);
    return 0;
}

int main(void)
{
    return weft_run(run, NULL) < 0;
}

/* What retry costs a call that does not need it. */
#include <weft.h>

#define BENCH_ROUNDS 25 /* short ones: some of them are undisturbed */
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

static void policy_success(long n)
{
    static const weft_retry_policy policy = {.attempts = 4, .total = WEFT_SEC(30)};
    for (long i = 0; i < n; i++)
        weft_retry(&policy, succeed, NULL);
}

static void timed_success(long n)
{
    static const weft_retry_policy policy = {.attempt_timeout = WEFT_SEC(5)};
    for (long i = 0; i < n; i++)
        weft_retry(&policy, succeed, NULL);
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

static int run(void *arg)
{
    (void)arg;
    bench_loop("retry, success at the first attempt", retry_success, 200000);
    bench_loop("retry with a policy, success", policy_success, 200000);
    bench_loop("retry with attempt_timeout, success", timed_success, 200000);
    bench_loop("retry as a block, success", block_success, 200000);
    bench_loop("wait_compute, default", wait_default, 200000);
    return 0;
}

int main(void)
{
    return weft_run(run, NULL) < 0;
}

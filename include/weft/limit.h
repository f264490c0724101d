/*
 * weft/limit.h - how often: rate limits.  How many at once is weft_semaphore.
 *
 *     err = weft_rate_limiter_new(WEFT_RATE(.permits = 100, .period = WEFT_SEC(60)), &limiter);
 *     ...
 *     err = weft_rate_limiter_acquire(limiter);       before each request
 *
 * No window of length w ever sees more than burst + w * permits / period permits.  With the
 * default burst of 1 they are evenly spaced.  A limiter serves the tasks of one loop, first
 * come, first served.
 */
#ifndef WEFT_LIMIT_H
#define WEFT_LIMIT_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_rate_limiter weft_rate_limiter;

typedef struct weft_rate_limiter_options {
    size_t size;
    uint32_t permits; /* so many ... */
    int64_t period;   /* ... in this time, ns; default 1 s */
    uint32_t burst;   /* of them at once after a pause; default 1: evenly spaced */
} weft_rate_limiter_options;
#define WEFT_RATE(...) WEFT_OPTIONS(weft_rate_limiter_options, __VA_ARGS__)

/**
 * weft_rate_limiter_new() - make a rate limiter
 * @options: borrows. permits must be set.
 * @ret:     gives, free with weft_rate_limiter_free().
 *
 * The first burst permits are free at once.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no permits, a negative period, or one that a burst makes longer than 73 years;
 *           -ENOMEM.
 * Source:   aiolimiter.AsyncLimiter; GCRA (ITU-T I.371).
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_new(const weft_rate_limiter_options *options,
                                   weft_rate_limiter **ret);

/**
 * weft_rate_limiter_free() - free a rate limiter
 * @limiter: takes. NULL is allowed. No task may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_rate_limiter_free(weft_rate_limiter *limiter);

/**
 * weft_rate_limiter_acquire() - take a permit, waiting for one if need be
 * @limiter: borrows.
 *
 * Where a scope's deadline comes before the permit would, the call fails at once instead of
 * waiting in vain; the message says both times.
 *
 * Suspends: maybe, where no permit is due.
 * Cancel:   no permit is taken, and those behind in the queue move up; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ETIMEDOUT the wait would outlast a deadline; -ECANCELED; -ENOMEM.
 * Source:   AsyncLimiter.acquire; Go's rate.Limiter.Wait.
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_acquire(weft_rate_limiter *limiter);

/**
 * weft_rate_limiter_try_acquire() - take a permit if one is due now
 * @limiter: borrows.
 *
 * Tasks that wait come first: while there are any, nothing is taken.
 *
 * Suspends: never.
 * Return:   true if a permit was taken.
 * Source:   Go's rate.Limiter.Allow.
 * Since:    0.1
 */
WEFT_API bool weft_rate_limiter_try_acquire(weft_rate_limiter *limiter);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_rate_limiter, weft_rate_limiter_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

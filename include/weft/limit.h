/*
 * weft/limit.h - how often: rate limits.  How many at once is weft_semaphore.
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

WEFT_API int weft_rate_limiter_new(const weft_rate_limiter_options *options,
                                   weft_rate_limiter **ret);
WEFT_API void weft_rate_limiter_free(weft_rate_limiter *limiter);
WEFT_API int weft_rate_limiter_acquire(weft_rate_limiter *limiter);
WEFT_API bool weft_rate_limiter_try_acquire(weft_rate_limiter *limiter);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_rate_limiter, weft_rate_limiter_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

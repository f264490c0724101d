/*
 * weft/retry.h - try again, with waits, for a bounded number of times and a bounded time.
 */
#ifndef WEFT_RETRY_H
#define WEFT_RETRY_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_wait_kind {
    WEFT_WAIT_DEFAULT = 0, /* full jitter: uniform in 0 .. exponential, 100 ms doubling to 20 s */
    WEFT_WAIT_NONE,
    WEFT_WAIT_FIXED,              /* min */
    WEFT_WAIT_RANDOM,             /* uniform in min .. max */
    WEFT_WAIT_INCREMENTING,       /* min + multiplier * (n - 1), at most max */
    WEFT_WAIT_EXPONENTIAL,        /* max(min, min_of(multiplier * base^(n-1), max)) */
    WEFT_WAIT_RANDOM_EXPONENTIAL, /* uniform in min .. exponential: full jitter */
    WEFT_WAIT_EXPONENTIAL_JITTER  /* exponential + uniform in 0 .. jitter, at most max */
} weft_wait_kind;

typedef struct weft_wait {
    weft_wait_kind kind;
    int64_t multiplier; /* ns; default 1 s */
    int64_t min;        /* ns; default 0 */
    int64_t max;        /* ns; default none */
    int64_t jitter;     /* ns; default 1 s */
    double base;        /* default 2 */
} weft_wait;

/* What hooks and predicates see. */
typedef struct weft_attempt {
    size_t size;
    int number;      /* of the attempt that has just ended, 1-based */
    int result;      /* its result */
    int64_t elapsed; /* since the first attempt began, ns */
    int64_t wait;    /* until the next attempt, ns; 0 in the predicate */
} weft_attempt;

typedef struct weft_retry_policy {
    size_t size;           /* may be 0 in a static initialiser: the whole struct then counts */
    int attempts;          /* in all, the first included; default 3; negative: no bound */
    int64_t total;         /* no attempt starts, and no wait ends, later; default none */
    weft_wait wait;
    bool (*retry_if)(const weft_attempt *attempt, void *userdata); /* default weft_error_is_retryable */
    void (*before_sleep)(const weft_attempt *attempt, void *userdata);
    void *userdata;
    const int *statuses;   /* HTTP: status codes to retry, ends with 0; default 408 425 429 500 502 503 504 */
    int64_t retry_after_max; /* HTTP: longest Retry-After that is waited for; default 120 s */
    bool retry_non_idempotent; /* HTTP: also POST and PATCH after bytes of the request left */
} weft_retry_policy;
#define WEFT_RETRY(...) WEFT_OPTIONS(weft_retry_policy, __VA_ARGS__)

WEFT_API int weft_retry(const weft_retry_policy *policy, weft_fn fn, void *arg);
WEFT_API int64_t weft_wait_compute(const weft_wait *wait, int attempt, uint64_t random);

#ifdef __cplusplus
}
#endif
#endif

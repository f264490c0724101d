/*
 * weft/retry.h - try again, with waits, for a bounded number of times and a bounded time.
 *
 *     static const weft_retry_policy patient = {
 *         .attempts = 5,
 *         .wait = {WEFT_WAIT_EXPONENTIAL, .min = WEFT_SEC(2), .max = WEFT_SEC(10)},
 *     };
 *     err = weft_retry(&patient, fetch_report, &report);
 *
 * NULL, and every zero field, means the default: 3 attempts, full jitter from 100 ms doubling
 * to 20 s, and a retry only where weft_error_is_retryable() says that it may help.  The same
 * policy in a request's options gives HTTP's own rules, see weft/client.h.
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
    WEFT_WAIT_RANDOM,             /* uniform in min .. max; max defaults to 1 s */
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
    size_t size;   /* may be 0 in a static initialiser: the whole struct then counts */
    int attempts;  /* in all, the first included; default 3; negative: no bound */
    int64_t total; /* ns; no wait begins that would end at this or later; default none */
    weft_wait wait;
    bool (*retry_if)(const weft_attempt *attempt,
                     void *userdata); /* default weft_error_is_retryable */
    void (*before_sleep)(const weft_attempt *attempt, void *userdata);
    void *userdata;
    const int *
        statuses; /* HTTP: status codes to retry, ends with 0; default 408 425 429 500 502 503 504 */
    int64_t retry_after_max;   /* HTTP: longest Retry-After that is waited for; default 120 s */
    bool retry_non_idempotent; /* HTTP: also POST and PATCH after bytes of the request left */
} weft_retry_policy;
#define WEFT_RETRY(...) WEFT_OPTIONS(weft_retry_policy, __VA_ARGS__)

/**
 * weft_retry() - call a function until it succeeds, is not worth it, or may not be tried again
 * @policy: borrows, NULL for defaults.
 * @fn:     what to attempt: 0 or more is success, negative an error code.
 * @arg:    borrows, handed to fn at each attempt.
 *
 * After each attempt the predicate decides whether another one is worth it; with one of your
 * own, a success can be tried again too.  -ENOMEM, -EINVAL, errors of the family
 * WEFT_FAMILY_USAGE, and -ECANCELED of a cancelled task are final whatever it says.  Then the
 * wait is computed, and if attempts are used up, or the wait would end after the policy's
 * total time or the deadline of a scope around the call, the last result is returned at once.
 * Otherwise before_sleep is called, and the wait begins.
 *
 * Suspends: maybe, between attempts, and where fn does.
 * Cancel:   -ECANCELED, before or during a wait.
 * Return:   the last attempt's result.  The message of an error begins with "after N attempts"
 *           where there was more than one.
 * Errors:   -EINVAL no function; -ECANCELED; -ENOMEM; those of fn.
 * Source:   tenacity.Retrying; reraise is always on.
 * Since:    0.1
 */
WEFT_API int weft_retry(const weft_retry_policy *policy, weft_fn fn, void *arg);

/**
 * weft_wait_compute() - the wait after an attempt
 * @wait:    borrows, NULL for the default.
 * @attempt: number of the attempt that has failed, 1-based; less counts as 1.
 * @random:  any value; the jitter is drawn from it, evenly if its bits are random.
 *
 * A pure function.  The exponential stops growing at max, however many attempts there were;
 * a min above max wins.
 *
 * Suspends: never.
 * Return:   nanoseconds, 0 or more.
 * Source:   tenacity.wait.
 * Since:    0.1
 */
WEFT_API int64_t weft_wait_compute(const weft_wait *wait, int attempt, uint64_t random);

#ifdef __cplusplus
}
#endif
#endif

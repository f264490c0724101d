/*
 * weft/retry.h - try again, with waits, for a bounded number of times and a bounded time.
 *
 *     static const weft_retry_policy patient = {
 *         .attempts = 5,
 *         .wait = {WEFT_WAIT_EXPONENTIAL, .min = WEFT_SEC(2), .max = WEFT_SEC(10)},
 *     };
 *     err = weft_retry(&patient, fetch_report, &report);
 *
 * NULL, and every zero field, means the default: 10 attempts and 45 s in all, between them
 * 100 ms, 200 ms, ... plus up to a second, at most 5 s, and a retry only where
 * weft_error_is_retryable() says that it may help.  The same policy in a request's options gives
 * HTTP's own rules and defaults, see weft/client.h.
 *
 * As a block instead of a function:
 *
 *     WEFT_RETRY_FOREACH(&patient, attempt) {
 *         err = fetch_report(&report);
 *         err = weft_attempt_done(attempt, err);
 *     }
 */
#ifndef WEFT_RETRY_H
#define WEFT_RETRY_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What hooks and predicates see. */
typedef struct weft_attempt {
    size_t size;
    int number;        /* of the attempt that has just ended, 1-based */
    int result;        /* its result */
    int64_t elapsed;   /* since the first attempt began, ns */
    int64_t wait;      /* until the next attempt, ns; 0 where that is not known yet */
    int64_t last_wait; /* before this attempt, ns; 0 at the first */
    int64_t waited;    /* all the waits so far, ns */
    int status;        /* HTTP: the response's status; 0: there is none */
} weft_attempt;

typedef enum weft_wait_kind {
    WEFT_WAIT_DEFAULT = 0, /* exponential + jitter: 100 ms, 200 ms, ... + 0 .. 1 s, at most 5 s */
    WEFT_WAIT_NONE,
    WEFT_WAIT_FIXED,              /* min */
    WEFT_WAIT_RANDOM,             /* uniform in min .. max; max defaults to 1 s */
    WEFT_WAIT_INCREMENTING,       /* min + multiplier * (n - 1), at most max */
    WEFT_WAIT_EXPONENTIAL,        /* max(min, min_of(multiplier * base^(n-1), max)) */
    WEFT_WAIT_RANDOM_EXPONENTIAL, /* uniform in min .. exponential: full jitter */
    WEFT_WAIT_EXPONENTIAL_JITTER, /* exponential + uniform in 0 .. jitter, at most max */
    WEFT_WAIT_DECORRELATED,       /* uniform in multiplier .. 3 * the last wait, in min .. max */
    WEFT_WAIT_CHAIN,              /* the nth of parts, then the last one for ever */
    WEFT_WAIT_SUM,                /* all the parts together, in min .. max */
    WEFT_WAIT_CUSTOM              /* what compute says, in min .. max */
} weft_wait_kind;

typedef struct weft_wait {
    weft_wait_kind kind;
    int64_t multiplier; /* ns; default 1 s */
    int64_t min;        /* ns; default 0 */
    int64_t max;        /* ns; default none */
    int64_t jitter;     /* ns; default 1 s */
    double base;        /* default 2 */
    const struct weft_wait *parts;
    size_t n_parts;
    int64_t (*compute)(const weft_attempt *attempt, void *userdata);
    void *userdata; /* for compute */
} weft_wait;

/* Is a result worth another attempt? */
typedef enum weft_when_kind {
    WEFT_WHEN_DEFAULT = 0, /* weft_error_is_retryable() */
    WEFT_WHEN_ALWAYS,
    WEFT_WHEN_NEVER,
    WEFT_WHEN_ERROR,   /* any error */
    WEFT_WHEN_CODE,    /* one of codes */
    WEFT_WHEN_FAMILY,  /* an error of the family */
    WEFT_WHEN_MESSAGE, /* an error whose weft_error_message() contains text */
    WEFT_WHEN_RESULT,  /* a success in low .. high */
    WEFT_WHEN_CUSTOM,  /* what fn says */
    WEFT_WHEN_ANY,     /* of parts */
    WEFT_WHEN_ALL,     /* of parts */
    WEFT_WHEN_NOT      /* none of parts */
} weft_when_kind;

typedef struct weft_when {
    weft_when_kind kind;
    const int *codes; /* ends with 0 */
    int family;       /* weft_error_family */
    int low;
    int high;
    const char *text;
    bool (*fn)(const weft_attempt *attempt, void *userdata);
    void *userdata; /* for fn */
    const struct weft_when *parts;
    size_t n_parts;
} weft_when;

/* Is it enough?  Asked when the wait is known, before it begins. */
typedef enum weft_stop_kind {
    WEFT_STOP_NEVER = 0,
    WEFT_STOP_ATTEMPTS, /* after so many attempts */
    WEFT_STOP_AFTER,    /* an attempt ended at time or later: the last one may overshoot */
    WEFT_STOP_BEFORE,   /* the wait would end at time or later */
    WEFT_STOP_CUSTOM,   /* what fn says; an event that is set, for one */
    WEFT_STOP_ANY,      /* of parts */
    WEFT_STOP_ALL       /* of parts */
} weft_stop_kind;

typedef struct weft_stop {
    weft_stop_kind kind;
    int attempts;
    int64_t time; /* since the first attempt began, ns */
    bool (*fn)(const weft_attempt *attempt, void *userdata);
    void *userdata; /* for fn */
    const struct weft_stop *parts;
    size_t n_parts;
} weft_stop;

typedef struct weft_retry_policy {
    size_t size;    /* may be 0 in a static initialiser: the whole struct then counts */
    int attempts;   /* in all, the first included; default 10, HTTP 3; negative: no bound */
    int64_t total;  /* ns; no wait begins that would end at this or later; default 45 s, HTTP none;
                      WEFT_FOREVER: no bound */
    weft_wait wait; /* HTTP's default: uniform in 0 .. 100 ms doubling to 20 s */
    bool (*retry_if)(const weft_attempt *attempt, void *userdata); /* instead of when */
    void (*before_sleep)(const weft_attempt *attempt, void *userdata);
    void *userdata; /* for retry_if and all hooks */
    const int *
        statuses; /* HTTP: status codes to retry, ends with 0; default 408 425 429 500 502 503 504 */
    int64_t retry_after_max;   /* HTTP: longest Retry-After that is waited for; default 120 s */
    bool retry_non_idempotent; /* HTTP: also POST and PATCH after bytes of the request left */
    weft_when when;
    weft_stop stop;          /* besides attempts and total */
    int64_t attempt_timeout; /* of each attempt, ns: -ETIMEDOUT, worth another; default none */
    void (*before)(const weft_attempt *attempt, void *userdata); /* each attempt */
    void (*after)(const weft_attempt *attempt, void *userdata);  /* each that is worth another */
    int (*give_up)(const weft_attempt *attempt, void *userdata); /* what to return; not HTTP */
    int (*sleep)(int64_t wait, void *userdata); /* instead of weft_sleep(); an error is final */
    bool retry_refused;  /* HTTP: also POST and PATCH after 429 or 503 that say when to come back */
    int budget_percent;  /* HTTP: retries of an origin, per 100 calls of the last 10 s; default 20;
                             negative: no budget */
    int budget_floor;    /* HTTP: so many in 10 s are free; default 100; negative: none */
    int breaker_percent; /* HTTP: so many failures of 100 attempts in 10 s open the circuit of an
                             origin; default 0: never */
    int breaker_calls;   /* HTTP: from so many attempts in 10 s on; default 20 */
    int64_t breaker_open; /* HTTP: how long nothing is sent then; default 30 s */
    int64_t hedge_after;  /* HTTP: so long without an answer, and an idempotent request is sent a
                             second time beside the first, ns; default never */
    int hedge_percentile; /* HTTP: so long as that percentage of the origin's last 100 answers
                             took at most, 1 to 99, instead of hedge_after, which stands until 20
                             are known; default 0: hedge_after alone */
    const char *attempt_field; /* HTTP: field that tells the server the attempt's number, 1 at
                                  first: "X-Attempt"; one whose name says that it is secret stays
                                  within the origin; default none */
} weft_retry_policy;
#define WEFT_RETRY(...) WEFT_OPTIONS(weft_retry_policy, __VA_ARGS__)

enum { WEFT_RETRY_HISTORY = 16, WEFT_RETRY_PEER = 64 };

/* One attempt as it is remembered. */
typedef struct weft_retry_entry {
    int number;    /* 1-based */
    int result;    /* 0 or more, or the error */
    int status;    /* HTTP: of the response; 0: there was none */
    int64_t began; /* since the first attempt began, ns */
    int64_t took;  /* ns */
    int64_t wait;  /* after it, ns; 0 after the last */
    bool hedge;    /* HTTP: the second request beside a slow one; both have the same number */
    char peer[WEFT_RETRY_PEER]; /* HTTP: whom it was sent to, "192.0.2.1:443"; "": nobody */
} weft_retry_entry;

typedef struct weft_retry_stats {
    size_t size;
    int attempts;
    int64_t elapsed; /* since the first attempt began, ns */
    int64_t waited;  /* all the waits, ns */
    size_t history_len;
    weft_retry_entry history[WEFT_RETRY_HISTORY]; /* the last attempts, in their order */
} weft_retry_stats;

/**
 * weft_retry() - call a function until it succeeds, is not worth it, or may not be tried again
 * @policy: borrows, NULL for defaults.
 * @fn:     what to attempt: 0 or more is success, negative an error code.
 * @arg:    borrows, handed to fn at each attempt.
 *
 * After each attempt the predicate decides whether another one is worth it; with one of your
 * own, a success can be tried again too.  -ENOMEM, -EINVAL and other codes of programming errors,
 * errors of the family WEFT_FAMILY_USAGE, and -ECANCELED of a cancelled task are final whatever it
 * says.  Then the hook after is called and the wait is computed; if attempts are used up, stop says
 * so, or the wait would end after the policy's total time or the deadline of a scope around the
 * call, the last result is returned at once, or what give_up makes of it.  Otherwise before_sleep
 * is called, and the wait begins.
 *
 * Suspends: maybe, between attempts, and where fn does.
 * Cancel:   -ECANCELED, before or during a wait.
 * Return:   the last attempt's result.  The message of an error begins with "after N attempts"
 *           where there was more than one.
 * Errors:   -EINVAL no function; -ECANCELED; -ENOMEM; those of fn; -ETIMEDOUT an attempt's.
 * Source:   tenacity.Retrying; reraise is always on.
 * Since:    0.1
 */
WEFT_API int weft_retry(const weft_retry_policy *policy, weft_fn fn, void *arg);

/**
 * weft_retry_with() - weft_retry(), and what there was to it
 * @policy: borrows, NULL for defaults.
 * @fn:     what to attempt: 0 or more is success, negative an error code.
 * @arg:    borrows, handed to fn at each attempt.
 * @ret:    borrows, to be filled, on failure too; NULL is allowed.
 *
 * Suspends: maybe, as weft_retry().
 * Cancel:   -ECANCELED, before or during a wait.
 * Return:   the last attempt's result.
 * Errors:   those of weft_retry().
 * Source:   tenacity.Retrying.statistics.
 * Since:    0.1
 */
WEFT_API int weft_retry_with(const weft_retry_policy *policy, weft_fn fn, void *arg,
                             weft_retry_stats *ret);

/* The attempts of a block; the content is private. */
typedef struct weft_retrying {
    void *opaque[64];
} weft_retrying;

/**
 * weft_retrying_start() - before the first attempt of a block
 * @retrying: borrows, to be filled.
 * @policy:   borrows, NULL for defaults; what it points to is used until the block's end.
 *
 * WEFT_RETRY_FOREACH() calls it.  attempt_timeout does not apply to blocks: put a scope inside.
 *
 * Suspends: never.
 * Return:   retrying.
 * Since:    0.1
 */
WEFT_API weft_retrying *weft_retrying_start(weft_retrying *retrying,
                                            const weft_retry_policy *policy);

/**
 * weft_retrying_next() - is there another attempt?
 * @retrying: borrows.
 *
 * WEFT_RETRY_FOREACH() calls it.  The hook before is called where there is one.
 *
 * Suspends: never.
 * Return:   true at first, then what the last weft_attempt_done() has decided; false if the block
 *           has not called that.
 * Since:    0.1
 */
WEFT_API bool weft_retrying_next(weft_retrying *retrying);

/**
 * weft_attempt_done() - the attempt of a block has ended
 * @retrying: borrows.
 * @result:   the attempt's: 0 or more is success, negative an error code.
 *
 * Decides as weft_retry() does, and waits if there will be another attempt.
 *
 * Suspends: maybe, for the wait.
 * Cancel:   -ECANCELED, before or during the wait; there is no further attempt.
 * Return:   result; -ECANCELED; after the last attempt what give_up says.
 * Errors:   those that are handed to it, -ECANCELED.
 * Source:   tenacity.AttemptManager.
 * Since:    0.1
 */
WEFT_API int weft_attempt_done(weft_retrying *retrying, int result);

/**
 * weft_attempt_number() - which attempt of a block this is
 * @retrying: borrows.
 *
 * Suspends: never.
 * Return:   1 or more.
 * Source:   tenacity.RetryCallState.attempt_number.
 * Since:    0.1
 */
WEFT_API int weft_attempt_number(const weft_retrying *retrying);

/**
 * weft_retrying_stats() - what there was to the attempts of a block so far
 * @retrying: borrows.
 * @ret:      borrows, to be filled. Its history is empty: a block keeps none.
 *
 * Suspends: never.
 * Source:   tenacity.Retrying.statistics.
 * Since:    0.1
 */
WEFT_API void weft_retrying_stats(const weft_retrying *retrying, weft_retry_stats *ret);

/*
 * A loop over attempts.  The body calls weft_attempt_done(attempt, err) once, with attempt the name
 * that stands here; break leaves it at any time.
 */
#define WEFT_RETRY_FOREACH(policy, attempt)                                                        \
    for (weft_retrying attempt[1], *attempt##_next = weft_retrying_start(attempt, (policy));       \
         weft_retrying_next(attempt##_next);)

/**
 * weft_wait_compute() - the wait after an attempt
 * @wait:    borrows, NULL for the default.
 * @attempt: number of the attempt that has failed, 1-based; less counts as 1.
 * @random:  any value; the jitter is drawn from it, evenly if its bits are random.
 *
 * A pure function.  The exponential stops growing at max, however many attempts there were;
 * a min above max wins.  It knows no last wait and no result: see weft_wait_after().
 *
 * Suspends: never.
 * Return:   nanoseconds, 0 or more.
 * Source:   tenacity.wait.
 * Since:    0.1
 */
WEFT_API int64_t weft_wait_compute(const weft_wait *wait, int attempt, uint64_t random);

/**
 * weft_wait_after() - the wait after an attempt, where it depends on more than its number
 * @wait:    borrows, NULL for the default.
 * @attempt: borrows. number counts, last_wait for the decorrelated wait, all of it for compute.
 * @random:  any value; the jitter is drawn from it, evenly if its bits are random.
 *
 * Suspends: never.
 * Return:   nanoseconds, 0 or more.
 * Source:   tenacity.wait.
 * Since:    0.1
 */
WEFT_API int64_t weft_wait_after(const weft_wait *wait, const weft_attempt *attempt,
                                 uint64_t random);

/**
 * weft_when_matches() - ask a predicate
 * @when:    borrows, NULL for the default.
 * @attempt: borrows.
 *
 * Suspends: never.
 * Return:   is the attempt's result one that the predicate speaks of?
 * Source:   tenacity.retry.
 * Since:    0.1
 */
WEFT_API bool weft_when_matches(const weft_when *when, const weft_attempt *attempt);

/**
 * weft_stop_reached() - ask whether it is enough
 * @stop:    borrows.
 * @attempt: borrows. number, elapsed and wait count.
 *
 * Suspends: never.
 * Return:   true if there is to be no further attempt.
 * Source:   tenacity.stop.
 * Since:    0.1
 */
WEFT_API bool weft_stop_reached(const weft_stop *stop, const weft_attempt *attempt);

#ifdef __cplusplus
}
#endif
#endif

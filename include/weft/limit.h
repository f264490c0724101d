/*
 * weft/limit.h - how often, how much at once, how many bytes: limits.
 *
 *     err = weft_rate_limiter_new(WEFT_RATE(.permits = 100, .period = WEFT_SEC(60)), &limiter);
 *     ...
 *     err = weft_rate_limiter_acquire(limiter);       before each request
 *
 *     weft_rate_limiter       so many in a time: evenly spaced, in bursts, or in an exact window
 *     weft_keyed_limiter      one of these for each key
 *     weft_shared_limiter     one for all threads
 *     weft_capacity           so many at once; weights, owners, a total that changes
 *     weft_adaptive           so many at once as it turns out to bear
 *     weft_stream_limit       so many bytes in a time
 *     weft_limits             all of these for a client
 *
 * All but weft_shared_limiter serve the tasks of one loop, first come, first served, whatever
 * amount each wants.  A plain semaphore is in weft/sync.h.
 */
#ifndef WEFT_LIMIT_H
#define WEFT_LIMIT_H

#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a limiter looks like now; what it does not have is 0. */
typedef struct weft_limit_state {
    uint64_t available; /* permits that could be had now */
    uint64_t in_use;    /* of a capacity; of a keyed limiter: keys */
    uint64_t total;     /* the same */
    uint64_t waiting;   /* tasks and reservations */
    int64_t next;       /* ns until one that came now would have a permit */
    uint64_t granted;   /* permits so far */
    uint64_t rejected;  /* calls: the queue was full, or a deadline could not be met */
    uint64_t refused;   /* answers of the server that said: too much */
    uint64_t evicted;   /* keys that made room for others */
} weft_limit_state;

/* ---- rate ---- */

typedef struct weft_rate_limiter weft_rate_limiter;

/*
 * Smooth, by default: no window of length w ever sees more than burst + w * permits / period
 * permits, and with burst 1 they are evenly spaced.  With .window: no window as long as the
 * period ever sees more than permits; they may come all at once.
 */
typedef struct weft_rate_limiter_options {
    size_t size;
    uint32_t permits; /* so many ... */
    int64_t period;   /* ... in this time, ns; default 1 s */
    uint32_t burst;   /* of them at once after a pause; default 1: evenly spaced */
    bool window;      /* an exact sliding window; at most 1,048,576 permits, 8 bytes each */
    const struct weft_rate_limiter_options
        *also;         /* another rate that must hold as well, at most 8 */
    size_t queue;      /* so many may wait, more get WEFT_EQUEUE_FULL; default no bound */
    int64_t pause_max; /* how long a server's word is believed, ns; default 1 h */
} weft_rate_limiter_options;
#define WEFT_RATE(...) WEFT_OPTIONS(weft_rate_limiter_options, __VA_ARGS__)

/**
 * weft_rate_limiter_new() - make a rate limiter
 * @options: borrows. permits must be set.
 * @ret:     gives, free with weft_rate_limiter_free().
 *
 * The first burst permits are free at once. Of the rates in .also, permits, period, burst and
 * window count: a permit is taken from all rates at one instant, or from none.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no permits, a negative period, or one that a burst makes longer than 73 years,
 *           a window too large or with a burst, too many rates; -ENOMEM.
 * Source:   aiolimiter.AsyncLimiter; GCRA (ITU-T I.371).
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_new(const weft_rate_limiter_options *options,
                                   weft_rate_limiter **ret);

/**
 * weft_rate_limiter_free() - free a rate limiter
 * @limiter: takes. NULL is allowed. No task may wait for it, no reservation be left.
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
 * Errors:   -ETIMEDOUT the wait would outlast a deadline; WEFT_EQUEUE_FULL; -ECANCELED; -ENOMEM.
 * Source:   AsyncLimiter.acquire; Go's rate.Limiter.Wait.
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_acquire(weft_rate_limiter *limiter);

/**
 * weft_rate_limiter_acquire_n() - take several permits at once
 * @limiter: borrows.
 * @n:       at most the burst, or the permits of a window. 0: only a checkpoint.
 *
 * As weft_rate_limiter_acquire(). Smaller requests that come later do not overtake.
 *
 * Suspends: maybe, where they are not due.
 * Cancel:   none is taken, and those behind in the queue move up; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EINVAL more than the limiter ever has at once; and those of
 *           weft_rate_limiter_acquire().
 * Source:   AsyncLimiter.acquire(amount); Go's rate.Limiter.WaitN.
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_acquire_n(weft_rate_limiter *limiter, uint32_t n);

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

/**
 * weft_rate_limiter_try_acquire_n() - take several permits if they are due now
 * @limiter: borrows.
 * @n:       permits. 0 can always be had.
 *
 * Suspends: never.
 * Return:   true if all n were taken; else none was.
 * Source:   Go's rate.Limiter.AllowN.
 * Since:    0.1
 */
WEFT_API bool weft_rate_limiter_try_acquire_n(weft_rate_limiter *limiter, uint32_t n);

/* A place in a rate limiter's queue in which no task waits. */
typedef struct weft_reservation weft_reservation;

/**
 * weft_rate_limiter_reserve() - take permits now that may be used later
 * @limiter: borrows; it must outlive the reservation.
 * @n:       at least 1, at most the burst, or the permits of a window.
 * @ret:     gives, free with weft_reservation_free().
 *
 * For callers that want to decide whether the wait is worth it: ask weft_reservation_delay(),
 * wait as long by other means and act, or free the reservation, and the permits go back.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL none, or more than the limiter ever has at once; WEFT_EQUEUE_FULL; -ENOMEM.
 * Source:   Go's rate.Limiter.ReserveN.
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_reserve(weft_rate_limiter *limiter, uint32_t n,
                                       weft_reservation **ret);

/**
 * weft_reservation_delay() - how long until the reserved permits may be used
 * @reservation: borrows.
 *
 * Never less than it was said to be. It grows where the rate is lowered, the limiter paused, or
 * the weights of those ahead do not fit the gaps of a window: ask again after waiting.
 *
 * Suspends: never.
 * Return:   ns; 0: now.
 * Source:   Go's rate.Reservation.Delay.
 * Since:    0.1
 */
WEFT_API int64_t weft_reservation_delay(const weft_reservation *reservation);

/**
 * weft_reservation_free() - give up a reservation, or be done with it
 * @reservation: takes. NULL is allowed.
 *
 * Before its time all permits go back and those behind in the queue move up; afterwards they
 * count as used.
 *
 * Suspends: never.
 * Source:   Go's rate.Reservation.Cancel.
 * Since:    0.1
 */
WEFT_API void weft_reservation_free(weft_reservation *reservation);

/**
 * weft_rate_limiter_set_rate() - change the rate
 * @limiter: borrows. It must have a single rate and no window.
 * @permits: at least 1.
 * @period:  ns; 0: 1 s.
 * @burst:   0: 1.
 *
 * Holds for those who wait already, too. One who waits for more than the new burst waits for
 * all of it.
 *
 * Suspends: never.
 * Return:   0, or negative: then nothing has changed.
 * Errors:   -EINVAL as in weft_rate_limiter_new(), or the limiter is not of that kind.
 * Source:   Go's rate.Limiter.SetLimit, SetBurst.
 * Since:    0.1
 */
WEFT_API int weft_rate_limiter_set_rate(weft_rate_limiter *limiter, uint32_t permits,
                                        int64_t period, uint32_t burst);

/**
 * weft_rate_limiter_pause() - grant nothing for a while
 * @limiter:  borrows.
 * @duration: ns from now. A pause that ends later than this stays as it is.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_rate_limiter_pause(weft_rate_limiter *limiter, int64_t duration);

/* What a response says about its server's limits. Each field value may be NULL. */
typedef struct weft_feedback {
    size_t size;
    int status;
    const char *retry_after;      /* Retry-After: seconds or a date */
    const char *date;             /* Date: what the other dates are compared with */
    const char *ratelimit;        /* RateLimit */
    const char *ratelimit_policy; /* RateLimit-Policy */
    const char *limit;            /* RateLimit-Limit, X-RateLimit-Limit, X-Rate-Limit-Limit */
    const char *remaining;        /* ...-Remaining */
    const char *reset;            /* ...-Reset: seconds, or a date in seconds or milliseconds */
    bool cached;                  /* it did not come from the server: says nothing */
} weft_feedback;
#define WEFT_FEEDBACK(...) WEFT_OPTIONS(weft_feedback, __VA_ARGS__)

/**
 * weft_rate_limiter_feed() - let a response slow the limiter
 * @limiter:  borrows.
 * @feedback: borrows.
 *
 * Retry-After of a 429 or 503 pauses the limiter for all tasks that share it; a 429 without
 * one does so for 1 s, 2 s, ... 60 s. What remains of a quota is spread over the time until
 * its reset. A server that says neither has its rate learned from when it refused. What is
 * malformed counts as absent. The limiter's own rates hold all the time.
 *
 * Suspends: never.
 * Source:   RFC 6585 4; RFC 9110 10.2.3; draft-ietf-httpapi-ratelimit-headers.
 * Since:    0.1
 */
WEFT_API void weft_rate_limiter_feed(weft_rate_limiter *limiter, const weft_feedback *feedback);

/**
 * weft_rate_limiter_get_state() - look at a rate limiter
 * @limiter: borrows.
 * @ret:     borrows. available, waiting, next, granted, rejected, refused.
 *
 * Suspends: never.
 * Source:   AsyncLimiter.has_capacity; Go's rate.Limiter.Tokens.
 * Since:    0.1
 */
WEFT_API void weft_rate_limiter_get_state(weft_rate_limiter *limiter, weft_limit_state *ret);

/* ---- a rate for each key ---- */

typedef struct weft_keyed_limiter weft_keyed_limiter;

typedef struct weft_keyed_limiter_options {
    size_t size;
    const weft_rate_limiter_options *rate; /* of each key; copied */
    const weft_rate_limiter_options *all;  /* of all keys together; default none */
    size_t max_keys;                       /* so many are remembered; default 10,000 */
} weft_keyed_limiter_options;
#define WEFT_KEYED(...) WEFT_OPTIONS(weft_keyed_limiter_options, __VA_ARGS__)

/**
 * weft_keyed_limiter_new() - make a limiter that keeps a rate for each key
 * @options: borrows. rate must be set.
 * @ret:     gives, free with weft_keyed_limiter_free().
 *
 * A permit of a key is taken together with one of all at one instant. Keys take turns at what
 * they share: one with many waiters does not keep the others away.
 *
 * A new key beyond max_keys takes the place of the least recently used one that nobody waits
 * for; that one begins anew when it comes back.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_rate_limiter_new().
 * Source:   governor's keyed RateLimiter.
 * Since:    0.1
 */
WEFT_API int weft_keyed_limiter_new(const weft_keyed_limiter_options *options,
                                    weft_keyed_limiter **ret);

/**
 * weft_keyed_limiter_free() - free a keyed limiter
 * @keyed: takes. NULL is allowed. No task may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_keyed_limiter_free(weft_keyed_limiter *keyed);

/**
 * weft_keyed_limiter_acquire() - take permits of a key, waiting for them if need be
 * @keyed: borrows.
 * @key:   borrows. NUL-terminated: a host name, an account, a route.
 * @n:     permits, as in weft_rate_limiter_acquire_n().
 *
 * Suspends: maybe, where they are not due.
 * Cancel:   none is taken; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_rate_limiter_acquire_n(); WEFT_EQUEUE_FULL also where all keys are
 *           waited for.
 * Source:   governor's until_key_n_ready.
 * Since:    0.1
 */
WEFT_API int weft_keyed_limiter_acquire(weft_keyed_limiter *keyed, const char *key, uint32_t n);

/**
 * weft_keyed_limiter_try_acquire() - take permits of a key if they are due now
 * @keyed: borrows.
 * @key:   borrows. NUL-terminated.
 * @n:     permits.
 *
 * Suspends: never.
 * Return:   true if all n were taken; false also where a new key found no room or memory.
 * Source:   governor's check_key_n.
 * Since:    0.1
 */
WEFT_API bool weft_keyed_limiter_try_acquire(weft_keyed_limiter *keyed, const char *key,
                                             uint32_t n);

/**
 * weft_keyed_limiter_feed() - let a response slow a key
 * @keyed:    borrows.
 * @key:      borrows. NUL-terminated.
 * @feedback: borrows.
 *
 * As weft_rate_limiter_feed(), for one key. Without memory for a new key it is lost.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_keyed_limiter_feed(weft_keyed_limiter *keyed, const char *key,
                                      const weft_feedback *feedback);

/**
 * weft_keyed_limiter_get_state() - look at a keyed limiter
 * @keyed: borrows.
 * @ret:   borrows. in_use, total, available: keys; rejected, evicted.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_keyed_limiter_get_state(const weft_keyed_limiter *keyed, weft_limit_state *ret);

/* ---- a rate for all threads ---- */

typedef struct weft_shared_limiter weft_shared_limiter;

/**
 * weft_shared_limiter_new() - make a rate limiter that any thread may use
 * @options: borrows. permits, period and burst; no window, also, queue.
 * @ret:     gives, free with weft_shared_limiter_free().
 *
 * One atomic word, no lock. The time between two permits is rounded up to whole nanoseconds.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL as in weft_rate_limiter_new(), or an option it does not have; -ENOMEM.
 * Source:   governor's RateLimiter.
 * Since:    0.1
 */
WEFT_API int weft_shared_limiter_new(const weft_rate_limiter_options *options,
                                     weft_shared_limiter **ret);

/**
 * weft_shared_limiter_free() - free a shared limiter
 * @limiter: takes. NULL is allowed. No thread may use it any more.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_shared_limiter_free(weft_shared_limiter *limiter);

/**
 * weft_shared_limiter_try_acquire() - take permits if they are due now
 * @limiter: borrows. From any thread.
 * @n:       permits.
 *
 * Suspends: never.
 * Return:   true if all n were taken.
 * Source:   governor's check_n.
 * Since:    0.1
 */
WEFT_API bool weft_shared_limiter_try_acquire(weft_shared_limiter *limiter, uint32_t n);

/**
 * weft_shared_limiter_reserve() - take the next slot for permits
 * @limiter:   borrows. From any thread.
 * @n:         permits, at most the burst.
 * @max_delay: ns; a slot later than this is not taken. WEFT_FOREVER: any.
 * @ret_delay: borrows. ns from now until the slot; 0: now.
 *
 * The slot counts as used, whatever becomes of it.
 *
 * Suspends: never.
 * Return:   0, or negative: then nothing was taken.
 * Errors:   -EINVAL more than the burst; -ETIMEDOUT no slot in that time.
 * Source:   Go's rate.Limiter.ReserveN.
 * Since:    0.1
 */
WEFT_API int weft_shared_limiter_reserve(weft_shared_limiter *limiter, uint32_t n,
                                         int64_t max_delay, int64_t *ret_delay);

/**
 * weft_shared_limiter_acquire() - take the next slot for permits and wait for it
 * @limiter: borrows. From tasks of any loop.
 * @n:       permits, at most the burst.
 *
 * Suspends: maybe, until the slot.
 * Cancel:   the slot is given back if it is still the last one, else it is lost; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EINVAL more than the burst; -ETIMEDOUT the wait would outlast a deadline;
 *           -ECANCELED; -ENOMEM.
 * Source:   governor's until_n_ready.
 * Since:    0.1
 */
WEFT_API int weft_shared_limiter_acquire(weft_shared_limiter *limiter, uint32_t n);

/**
 * weft_shared_limiter_get_state() - look at a shared limiter
 * @limiter: borrows. From any thread.
 * @ret:     borrows. available, next, rejected.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_shared_limiter_get_state(weft_shared_limiter *limiter, weft_limit_state *ret);

/* ---- how much at once ---- */

typedef struct weft_capacity weft_capacity;

typedef struct weft_capacity_options {
    size_t size;
    uint32_t total; /* so much at once */
    size_t queue;   /* so many tasks may wait, more get WEFT_EQUEUE_FULL; default no bound */
} weft_capacity_options;
#define WEFT_CAPACITY(...) WEFT_OPTIONS(weft_capacity_options, __VA_ARGS__)

/**
 * weft_capacity_new() - make a semaphore with weights, owners and a total that can change
 * @options: borrows. total must be set.
 * @ret:     gives, free with weft_capacity_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no total; -ENOMEM.
 * Source:   trio.CapacityLimiter; Go's semaphore.Weighted.
 * Since:    0.1
 */
WEFT_API int weft_capacity_new(const weft_capacity_options *options, weft_capacity **ret);

/**
 * weft_capacity_free() - free a capacity
 * @capacity: takes. NULL is allowed. No task may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_capacity_free(weft_capacity *capacity);

/**
 * weft_capacity_acquire() - take n, waiting for them if need be
 * @capacity: borrows.
 * @n:        at most the total. 0: only a checkpoint.
 *
 * Smaller requests that come later do not overtake, so a large one is served in the end.
 *
 * Suspends: maybe, where not enough is free.
 * Cancel:   nothing is taken; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EINVAL more than the total; WEFT_EQUEUE_FULL; -ECANCELED.
 * Source:   Go's semaphore.Weighted.Acquire.
 * Since:    0.1
 */
WEFT_API int weft_capacity_acquire(weft_capacity *capacity, uint32_t n);

/**
 * weft_capacity_try_acquire() - take n if they are free now and nobody waits
 * @capacity: borrows.
 * @n:        how many.
 *
 * Suspends: never.
 * Return:   true if all n were taken.
 * Source:   Go's semaphore.Weighted.TryAcquire.
 * Since:    0.1
 */
WEFT_API bool weft_capacity_try_acquire(weft_capacity *capacity, uint32_t n);

/**
 * weft_capacity_release() - give n back
 * @capacity: borrows.
 * @n:        at most what is in use. Any task may give back.
 *
 * Suspends: never.
 * Source:   Go's semaphore.Weighted.Release.
 * Since:    0.1
 */
WEFT_API void weft_capacity_release(weft_capacity *capacity, uint32_t n);

/**
 * weft_capacity_borrow() - take one for an owner, who may have only one
 * @capacity: borrows.
 * @owner:    keeps the bare pointer until weft_capacity_give_back(). NULL: this task.
 *
 * Suspends: maybe, where none is free.
 * Cancel:   nothing is taken; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EALREADY the owner has one, or waits for one; WEFT_EQUEUE_FULL; -ECANCELED; -ENOMEM.
 * Source:   trio.CapacityLimiter.acquire_on_behalf_of.
 * Since:    0.1
 */
WEFT_API int weft_capacity_borrow(weft_capacity *capacity, const void *owner);

/**
 * weft_capacity_give_back() - give back what an owner borrowed
 * @capacity: borrows.
 * @owner:    borrows. Compared only. NULL: this task.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EPERM the owner has none.
 * Source:   trio.CapacityLimiter.release_on_behalf_of.
 * Since:    0.1
 */
WEFT_API int weft_capacity_give_back(weft_capacity *capacity, const void *owner);

/**
 * weft_capacity_set_total() - change how much there is
 * @capacity: borrows.
 * @total:    at least 1. Less than is in use: nothing is granted until enough is given back.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no total.
 * Source:   trio.CapacityLimiter.total_tokens.
 * Since:    0.1
 */
WEFT_API int weft_capacity_set_total(weft_capacity *capacity, uint32_t total);

/**
 * weft_capacity_get_state() - look at a capacity
 * @capacity: borrows.
 * @ret:      borrows. available, in_use, total, waiting, granted, rejected.
 *
 * Suspends: never.
 * Source:   trio.CapacityLimiter.statistics.
 * Since:    0.1
 */
WEFT_API void weft_capacity_get_state(const weft_capacity *capacity, weft_limit_state *ret);

/* ---- how much at once, found out ---- */

typedef struct weft_adaptive weft_adaptive;

typedef enum weft_adaptive_algorithm {
    WEFT_ADAPTIVE_AIMD = 0, /* follows drops and slow answers: for clients */
    WEFT_ADAPTIVE_GRADIENT  /* follows the latency: for servers */
} weft_adaptive_algorithm;

typedef struct weft_adaptive_options {
    size_t size;
    weft_adaptive_algorithm algorithm;
    uint32_t initial; /* default 20, or max if that is less */
    uint32_t min;     /* default 20, or initial if that is less */
    uint32_t max;     /* default 200 */
    int64_t timeout;  /* AIMD: an answer that takes longer counts as a drop, ns; default 5 s */
    size_t queue;     /* so many tasks may wait, more get WEFT_EQUEUE_FULL; default no bound */
} weft_adaptive_options;
#define WEFT_ADAPTIVE(...) WEFT_OPTIONS(weft_adaptive_options, __VA_ARGS__)

/**
 * weft_adaptive_new() - make a bound on how much is under way that adapts itself
 * @options: borrows. NULL for defaults.
 * @ret:     gives, free with weft_adaptive_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL initial is not between min and max; -ENOMEM.
 * Source:   Netflix concurrency-limits: AIMDLimit, Gradient2Limit.
 * Since:    0.1
 */
WEFT_API int weft_adaptive_new(const weft_adaptive_options *options, weft_adaptive **ret);

/**
 * weft_adaptive_free() - free an adaptive limit
 * @adaptive: takes. NULL is allowed. No task may wait for it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_adaptive_free(weft_adaptive *adaptive);

/**
 * weft_adaptive_acquire() - begin something, waiting for room if need be
 * @adaptive: borrows.
 *
 * Suspends: maybe, where the limit is reached.
 * Cancel:   nothing is taken; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   WEFT_EQUEUE_FULL; -ECANCELED.
 * Since:    0.1
 */
WEFT_API int weft_adaptive_acquire(weft_adaptive *adaptive);

/**
 * weft_adaptive_try_acquire() - begin something if there is room now
 * @adaptive: borrows.
 *
 * Suspends: never.
 * Return:   true if it may begin.
 * Since:    0.1
 */
WEFT_API bool weft_adaptive_try_acquire(weft_adaptive *adaptive);

/**
 * weft_adaptive_release() - end something, and learn from it
 * @adaptive: borrows.
 * @latency:  how long it took, ns; negative: it says nothing.
 * @dropped:  it was refused, or timed out.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_adaptive_release(weft_adaptive *adaptive, int64_t latency, bool dropped);

/**
 * weft_adaptive_get_state() - look at an adaptive limit
 * @adaptive: borrows.
 * @ret:      borrows. available, in_use, total: the limit now; waiting, granted, rejected, refused.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_adaptive_get_state(const weft_adaptive *adaptive, weft_limit_state *ret);

/* ---- bytes ---- */

/**
 * weft_stream_limit() - a stream whose bytes pass rate limiters
 * @stream: takes.
 * @read:   keeps until the stream is freed: a permit for each byte that is read. NULL: no limit.
 * @write:  keeps until the stream is freed: a permit for each byte that is written. NULL: no limit.
 * @ret:    gives, free with weft_stream_free().
 *
 * A read or a piece of a write is at most a burst long, so give the limiter one of some KiB.
 * Several streams may share a limiter. Bytes that were read are paid for by the next read.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   curl --limit-rate.
 * Since:    0.1
 */
WEFT_API int weft_stream_limit(weft_stream *stream, weft_rate_limiter *read,
                               weft_rate_limiter *write, weft_stream **ret);

/* ---- all limits of a client ---- */

typedef struct weft_limits weft_limits;

typedef struct weft_limits_options {
    size_t size;
    uint32_t concurrency;                  /* requests at once; default no bound */
    const weft_adaptive_options *adaptive; /* instead of concurrency */
    size_t queue;                          /* so many may wait for concurrency; default no bound */
    const weft_rate_limiter_options *rate; /* of all requests */
    const weft_rate_limiter_options *per_key; /* of those with the same key */
    size_t max_keys;                          /* default 10,000 */
    uint32_t download;                        /* bytes a second, all streams together */
    uint32_t upload;                          /* the same */
    bool ignore_server;                       /* weft_limits_feed does nothing */
} weft_limits_options;
#define WEFT_LIMITS(...) WEFT_OPTIONS(weft_limits_options, __VA_ARGS__)

/**
 * weft_limits_new() - make an object of all the limits of a client
 * @options: borrows. NULL: only what servers say counts.
 * @ret:     gives, free with weft_limits_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL as of the parts, or both concurrency and adaptive; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_limits_new(const weft_limits_options *options, weft_limits **ret);

/**
 * weft_limits_free() - free limits
 * @limits: takes. NULL is allowed. Everything acquired must have been released.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_limits_free(weft_limits *limits);

/**
 * weft_limits_acquire() - wait until a request may begin
 * @limits: borrows.
 * @key:    borrows. NUL-terminated: what the server counts by, say the host. NULL: "".
 *
 * Suspends: maybe, for each of the limits.
 * Cancel:   nothing stays taken; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ETIMEDOUT a rate would outlast a deadline; WEFT_EQUEUE_FULL; -ECANCELED; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_limits_acquire(weft_limits *limits, const char *key);

/**
 * weft_limits_feed() - let a response slow all requests with the same key
 * @limits:   borrows.
 * @key:      borrows. As it was acquired, and before it is released.
 * @feedback: borrows.
 *
 * As weft_rate_limiter_feed(), and what is under way is known: up to half of a quota may be
 * used as fast as one likes.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_limits_feed(weft_limits *limits, const char *key, const weft_feedback *feedback);

/**
 * weft_limits_release() - a request has ended
 * @limits:  borrows.
 * @key:     borrows. As it was acquired.
 * @latency: how long it took, ns; negative: it says nothing.
 * @dropped: it was refused, or timed out.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_limits_release(weft_limits *limits, const char *key, int64_t latency,
                                  bool dropped);

/**
 * weft_limits_stream() - a stream that keeps to download and upload
 * @limits: keeps until the stream is freed.
 * @stream: takes.
 * @ret:    gives, free with weft_stream_free(). The same stream where bytes are not limited.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_limits_stream(weft_limits *limits, weft_stream *stream, weft_stream **ret);

/**
 * weft_limits_get_state() - look at limits
 * @limits: borrows.
 * @ret:    borrows. Of concurrency: in_use, total; of the rate: next; of all: the rest.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_limits_get_state(weft_limits *limits, weft_limit_state *ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_rate_limiter, weft_rate_limiter_free)
WEFT_DEFINE_AUTO(weft_reservation, weft_reservation_free)
WEFT_DEFINE_AUTO(weft_keyed_limiter, weft_keyed_limiter_free)
WEFT_DEFINE_AUTO(weft_shared_limiter, weft_shared_limiter_free)
WEFT_DEFINE_AUTO(weft_capacity, weft_capacity_free)
WEFT_DEFINE_AUTO(weft_adaptive, weft_adaptive_free)
WEFT_DEFINE_AUTO(weft_limits, weft_limits_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * shared.c - a rate limiter that any thread may use: GCRA in one atomic word.
 *
 * The word is the theoretical arrival time.  Who wants permits moves it on by a compare and
 * swap, and thereby has its slot: it sleeps until then by itself.  There is no queue, the order
 * of the words is the order of service.  The interval is a whole number of nanoseconds,
 * rounded up.  What it grants is not counted: that would be a second word for all threads.
 */
#include <errno.h>
#include <stdatomic.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "limit/limit_int.h"

struct weft_shared_limiter {
    _Atomic int64_t tat;
    int64_t interval;
    int64_t depth; /* burst * interval */
    uint32_t burst;
    _Atomic uint64_t n_rejected;
};

int weft_shared_limiter_new(const weft_rate_limiter_options *given, weft_shared_limiter **ret)
{
    weft_rate_limiter_options options;
    weft__options_fill(&options, sizeof options, given);
    if (options.window || options.also != NULL || options.queue != 0)
        return weft__fail(-EINVAL, "a shared limiter has one rate, no window and no queue");
    if (options.permits == 0 || options.period < 0)
        return weft__fail(-EINVAL, "a rate limiter needs permits, at least 1 per period");
    int64_t period = options.period != 0 ? options.period : WEFT_SEC(1);
    int64_t interval = period / options.permits + (period % options.permits != 0);
    uint32_t burst = options.burst != 0 ? options.burst : 1;
    if (interval > WEFT__SPAN_MAX / burst)
        return weft__fail(-EINVAL, "the period of a rate limiter, or its burst, is too long");
    weft_shared_limiter *limiter = weft__calloc(1, sizeof *limiter);
    if (limiter == NULL)
        return weft__fail_nomem();
    limiter->interval = interval;
    limiter->depth = interval * burst;
    limiter->burst = burst;
    *ret = limiter;
    return 0;
}

void weft_shared_limiter_free(weft_shared_limiter *limiter)
{
    weft__free(limiter);
}

/*
 * Takes the next slot for n if it is due at latest, which now is or comes after.  Returns when
 * it is due; -1 if that is later, and nothing is taken.  *ret_tat: the word afterwards.
 */
static inline int64_t take(weft_shared_limiter *limiter, uint32_t n, int64_t now, int64_t latest,
                           int64_t *ret_tat)
{
    int64_t cost = limiter->interval * n;
    int64_t tat = atomic_load_explicit(&limiter->tat, memory_order_relaxed);
    int64_t due;
    int64_t next;
    do {
        due = tat + cost - limiter->depth;
        if (due > latest || tat > 2 * WEFT__SPAN_MAX)
            return -1;
        next = (tat > now ? tat : now) + cost;
    } while (!atomic_compare_exchange_weak_explicit(&limiter->tat, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    *ret_tat = next;
    return due > now ? due : now;
}

bool weft_shared_limiter_try_acquire(weft_shared_limiter *limiter, uint32_t n)
{
    int64_t now = weft_now();
    int64_t tat;
    return n == 0 || (n <= limiter->burst && take(limiter, n, now, now, &tat) >= 0);
}

static int refuse_impossible(const weft_shared_limiter *limiter, uint32_t n)
{
    return weft__fail(-EINVAL, "%u permits at once are more than the burst of %u", n,
                      limiter->burst);
}

int weft_shared_limiter_reserve(weft_shared_limiter *limiter, uint32_t n, int64_t max_delay,
                                int64_t *ret_delay)
{
    int64_t now = weft_now();
    int64_t tat;
    if (n > limiter->burst)
        return refuse_impossible(limiter, n);
    int64_t latest = max_delay < WEFT__SPAN_MAX ? now + max_delay : 2 * WEFT__SPAN_MAX;
    int64_t due = n == 0 ? now : take(limiter, n, now, latest, &tat);
    if (due < 0) {
        atomic_fetch_add_explicit(&limiter->n_rejected, 1, memory_order_relaxed);
        return weft__fail(-ETIMEDOUT, "the rate limit has no slot in the next %.6g s",
                          (double)max_delay * 1e-9);
    }
    *ret_delay = due - now;
    return 0;
}

/* There is none now: takes the next slot if that comes before the deadline, and sleeps until then. */
static __attribute__((noinline)) int wait_for(weft_shared_limiter *limiter, uint32_t n, int64_t now)
{
    int64_t tat;
    if (n > limiter->burst)
        return refuse_impossible(limiter, n);
    int64_t left = weft_remaining();
    int64_t latest = left < WEFT__SPAN_MAX ? now + left - 1 : 2 * WEFT__SPAN_MAX;
    int64_t due = take(limiter, n, now, latest, &tat);
    if (due < 0) {
        atomic_fetch_add_explicit(&limiter->n_rejected, 1, memory_order_relaxed);
        return weft__fail(-ETIMEDOUT, "the rate limit has no slot before the deadline, in %.6g s",
                          (double)left * 1e-9);
    }
    if (due <= now)
        return 0;
    int err = weft_sleep(due - now);
    /* Given back only while it is the last slot: one behind it would come too early otherwise. */
    if (err < 0)
        atomic_compare_exchange_strong(&limiter->tat, &tat, tat - limiter->interval * n);
    return err;
}

int weft_shared_limiter_acquire(weft_shared_limiter *limiter, uint32_t n)
{
    struct weft_task *self;
    int64_t tat;
    int err = weft__enter(&self);
    if (err < 0 || n == 0)
        return err;
    int64_t now = weft__loop_now(self->loop);
    if (n <= limiter->burst && take(limiter, n, now, now, &tat) >= 0)
        return 0;
    return wait_for(limiter, n, now);
}

void weft_shared_limiter_get_state(weft_shared_limiter *limiter, weft_limit_state *ret)
{
    int64_t now = weft_now();
    int64_t tat = atomic_load_explicit(&limiter->tat, memory_order_relaxed);
    int64_t ahead = tat > now ? tat - now : 0;
    int64_t next = ahead + limiter->interval - limiter->depth;
    *ret = (weft_limit_state){
        .available =
            ahead < limiter->depth ? (uint64_t)((limiter->depth - ahead) / limiter->interval) : 0,
        .next = next > 0 ? next : 0,
        .rejected = atomic_load_explicit(&limiter->n_rejected, memory_order_relaxed),
    };
}

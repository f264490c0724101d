/*
 * gcra.c - a rate limiter: the generic cell rate algorithm with a queue.
 *
 * One number says all: the theoretical arrival time (tat), which each permit moves on by the
 * interval T = period / permits.  A permit may be taken once now >= tat - tau, where
 * tau = T * (burst - 1); taking it sets tat = max(tat, now) + T.  Hence no window of length w
 * sees more than burst + w / T permits.  T need not be a whole number of nanoseconds: times
 * are kept as ns and a fraction in units of 1/permits ns, so that the long-run rate is exact.
 *
 * Who finds no permit waits in a queue, first come, first served, behind one timer for the
 * first in it.  Permits of the queue are counted from when they became due, not from when the
 * timer was served, so lateness does not add up.  A waiter takes nothing until its turn comes:
 * one that is cancelled leaves its place to those behind it.
 */
#include <assert.h>
#include <errno.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "run/run_int.h"

struct instant {
    int64_t ns;
    uint32_t fraction; /* of a nanosecond, in units of 1/permits */
};

struct weft_rate_limiter {
    struct instant tat;
    struct instant interval; /* T */
    struct instant tau;
    uint32_t permits;
    size_t waiting;
    struct weft__list queue;
    struct weft__timer timer; /* for the first of the queue */
};

/* Periods and bursts up to a century: sums of two of them do not overflow. */
#define SPAN_MAX (INT64_MAX / 4)

/* When the next permit is due, rounded up. */
static int64_t next_due(const weft_rate_limiter *limiter)
{
    bool more = limiter->tat.fraction > limiter->tau.fraction;
    return limiter->tat.ns - limiter->tau.ns + more;
}

static void take_next(weft_rate_limiter *limiter)
{
    limiter->tat.ns += limiter->interval.ns;
    uint64_t fraction = (uint64_t)limiter->tat.fraction + limiter->interval.fraction;
    if (fraction >= limiter->permits) {
        fraction -= limiter->permits;
        limiter->tat.ns++;
    }
    limiter->tat.fraction = (uint32_t)fraction;
}

struct place {
    struct weft__waiter waiter;
    weft_rate_limiter *limiter;
};

static struct weft__loop *loop_of_first(const weft_rate_limiter *limiter)
{
    return WEFT__CONTAINER(limiter->queue.next, struct weft__waiter, node)->wait.task->loop;
}

/* The queue's first gets its permit, and whoever else is due by now. */
static void serve(struct weft__timer *timer)
{
    weft_rate_limiter *limiter = WEFT__CONTAINER(timer, weft_rate_limiter, timer);
    struct weft__loop *loop = loop_of_first(limiter);
    int64_t now = weft__loop_now(loop);
    int64_t due;
    while ((due = next_due(limiter)) <= now) {
        weft__waitq_wake_one(&limiter->queue, 0);
        take_next(limiter);
        if (--limiter->waiting == 0)
            return;
    }
    /* The timer has just left the heap: there is room for it. */
    int err = weft__timer_start(&loop->timers, &limiter->timer, due);
    assert(err == 0);
    (void)err;
}

static void leave_queue(struct weft__wait *wait, int code)
{
    struct place *place = WEFT__CONTAINER(wait, struct place, waiter.wait);
    weft_rate_limiter *limiter = place->limiter;
    weft__list_remove(&place->waiter.node);
    if (--limiter->waiting == 0)
        weft__timer_stop(&wait->task->loop->timers, &limiter->timer);
    weft__wake(wait->task, code);
}

/* n * period / permits with the period's own remainder, or -1 beyond SPAN_MAX. */
static int span_of(uint64_t n, int64_t period, uint32_t permits, struct instant *ret)
{
    unsigned __int128 whole = (unsigned __int128)n * (uint64_t)period;
    if (whole / permits > SPAN_MAX)
        return -1;
    ret->ns = (int64_t)(whole / permits);
    ret->fraction = (uint32_t)(whole % permits);
    return 0;
}

int weft_rate_limiter_new(const weft_rate_limiter_options *options, weft_rate_limiter **ret)
{
    uint32_t permits = options != NULL ? options->permits : 0;
    if (permits == 0)
        return weft__fail(-EINVAL, "a rate limiter needs permits, at least 1 per period");
    int64_t period = options->period != 0 ? options->period : WEFT_SEC(1);
    uint32_t burst = options->burst != 0 ? options->burst : 1;
    if (period < 0)
        return weft__fail(-EINVAL, "the period of a rate limiter is negative");
    struct instant interval;
    struct instant tau;
    if (span_of(1, period, permits, &interval) < 0 || span_of(burst - 1, period, permits, &tau) < 0)
        return weft__fail(-EINVAL, "the period of a rate limiter, or its burst, is too long");
    weft_rate_limiter *limiter = weft__calloc(1, sizeof *limiter);
    if (limiter == NULL)
        return weft__fail_nomem();
    limiter->interval = interval;
    limiter->tau = tau;
    limiter->permits = permits;
    limiter->timer.fire = serve;
    weft__list_init(&limiter->queue);
    *ret = limiter;
    return 0;
}

void weft_rate_limiter_free(weft_rate_limiter *limiter)
{
    assert(limiter == NULL || limiter->waiting == 0);
    weft__free(limiter);
}

static bool try_at(weft_rate_limiter *limiter, int64_t now)
{
    if (limiter->waiting > 0 || next_due(limiter) > now)
        return false;
    if (limiter->tat.ns < now)
        limiter->tat = (struct instant){.ns = now};
    take_next(limiter);
    return true;
}

bool weft_rate_limiter_try_acquire(weft_rate_limiter *limiter)
{
    return try_at(limiter, weft_now());
}

/* From now until the permit of one who joins the queue's end. */
static int64_t wait_at_end(const weft_rate_limiter *limiter, int64_t now)
{
    struct instant before;
    int64_t wait = next_due(limiter) - now;
    if (span_of(limiter->waiting, limiter->interval.ns, 1, &before) < 0)
        return WEFT_FOREVER;
    before.ns +=
        (int64_t)((uint64_t)limiter->interval.fraction * limiter->waiting / limiter->permits);
    return wait + before.ns;
}

static int refuse_late(const weft_rate_limiter *limiter, int64_t now)
{
    int64_t left = weft_remaining();
    if (left == WEFT_FOREVER)
        return 0;
    int64_t wait = wait_at_end(limiter, now);
    if (wait < left)
        return 0;
    return weft__fail(-ETIMEDOUT, "the rate limit allows it in %.6g s, the deadline is in %.6g s",
                      (double)wait * 1e-9, (double)left * 1e-9);
}

static int wait_turn(weft_rate_limiter *limiter, struct weft_task *self)
{
    struct place place = {
        .waiter.wait = {.cancel = leave_queue, .what = "rate limiter"},
        .limiter = limiter,
    };
    if (limiter->waiting == 0 &&
        weft__timer_start(&self->loop->timers, &limiter->timer, next_due(limiter)) < 0)
        return weft__fail_nomem();
    weft__list_push_back(&limiter->queue, &place.waiter.node);
    limiter->waiting++;
    int err = (int)weft__park(self, &place.waiter.wait);
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

int weft_rate_limiter_acquire(weft_rate_limiter *limiter)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    int64_t now = weft__loop_now(self->loop);
    if (try_at(limiter, now))
        return 0;
    err = refuse_late(limiter, now);
    return err < 0 ? err : wait_turn(limiter, self);
}

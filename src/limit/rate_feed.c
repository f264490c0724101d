/*
 * rate_feed.c - a rate limiter that follows what the server says, for all tasks that share it.
 *
 * Three things can be known.  A pause: until then nothing is granted.  What remains until a
 * reset: it is spread over that time, and after the reset the quota over a window.  Or nothing
 * but a refusal: then what was granted before it, over the time until the pause ends, is what
 * the server allows, since a server that counts in windows had just that many in one.  Such a
 * learned pace holds for ten of its periods, then it is tried without.
 */
#include "base/clock.h"
#include "limit/limit_int.h"

enum { HOLD_PERIODS = 10 };

/* Waits between refusals of a server that does not say how long. */
#define BACKOFF_FIRST WEFT_SEC(1)
#define BACKOFF_MAX   WEFT_SEC(60)
static void pace_start(struct weft__pace *pace, uint64_t permits, int64_t period, uint64_t burst,
                       int64_t from)
{
    struct weft__gcra old = pace->gcra;
    int64_t tat = pace->on && old.tat.ns > from ? old.tat.ns : from;
    uint32_t rate = (uint32_t)(permits < UINT32_MAX ? permits : UINT32_MAX);
    if (weft__gcra_init(&pace->gcra, rate, period, (uint32_t)(burst < rate ? burst : rate)) < 0) {
        pace->on = false;
        return;
    }
    /* Each answer plans anew; that is no reason to let one go at once. */
    int64_t latest = from + pace->gcra.interval.ns;
    pace->gcra.tat.ns = burst > 1 ? from : tat < latest ? tat : latest;
    pace->on = true;
    pace->learned = false;
    pace->period = period;
    pace->until = from + period;
    pace->next_permits = 0;
}

static int64_t hold(int64_t period)
{
    return period < WEFT__RATE_MEMORY / HOLD_PERIODS ? WEFT__RATE_MEMORY : HOLD_PERIODS * period;
}

void weft__pace_settle(struct weft__pace *pace, int64_t now)
{
    while (pace->on && now >= pace->until) {
        int64_t from = pace->until;
        pace->on = false;
        if (pace->next_permits != 0) {
            pace_start(pace, pace->next_permits, pace->next_period, pace->next_burst, from);
            pace->until = from + hold(pace->period);
        }
    }
}

/* Half of a window's quota may go as fast as it likes; the other half is spread. */
static uint64_t burst_of(uint64_t permits, uint64_t quota, bool in_flight_known)
{
    if (!in_flight_known || quota == 0 || permits <= quota / 2 + 1)
        return 1;
    return permits - quota / 2;
}

static void plan_next(weft_rate_limiter *limiter, const struct weft__advice *advice, bool known)
{
    struct weft__pace *pace = &limiter->pace;
    uint64_t quota = advice->quota < UINT32_MAX ? advice->quota : UINT32_MAX;
    pace->next_period = advice->window > 0 ? advice->window : limiter->window_seen;
    if (quota == 0) {
        quota = 1;
        pace->next_period = WEFT_SEC(1);
    }
    uint64_t burst = burst_of(quota, quota, known);
    pace->next_burst = (uint32_t)burst;
    pace->next_permits = (uint32_t)(burst > 1 ? quota - burst : quota);
    if (pace->next_permits == 0)
        pace->next_permits = 1;
}

/* remaining permits until the reset. */
static void follow(weft_rate_limiter *limiter, const struct weft__advice *advice, size_t in_flight,
                   int64_t now)
{
    bool known = in_flight != SIZE_MAX;
    uint64_t remaining = advice->remaining;
    remaining = known && in_flight < remaining ? remaining - in_flight : known ? 0 : remaining;
    if (advice->reset > limiter->window_seen)
        limiter->window_seen = advice->reset;
    if (advice->reset == 0)
        return;
    if (remaining == 0) {
        pace_start(&limiter->pace, 1, advice->reset, 1, now);
        limiter->pace.gcra.tat.ns = now + advice->reset;
    } else {
        uint64_t burst = burst_of(remaining, advice->quota, known);
        uint64_t rate = burst > 1 && burst < remaining ? remaining - burst : remaining;
        pace_start(&limiter->pace, rate, advice->reset, burst, now);
    }
    plan_next(limiter, advice, known);
}

/* A refusal that says no more than when to come back. */
static void learn(weft_rate_limiter *limiter, bool first, int64_t now)
{
    struct weft__pace *pace = &limiter->pace;
    if (!first) {
        /* One more that was under way, and that the server did not count as allowed. */
        if (pace->learned && pace->gcra.permits > 1) {
            uint32_t permits = pace->gcra.permits - 1;
            int64_t until = pace->until;
            int64_t tat = pace->gcra.tat.ns;
            pace_start(pace, permits, pace->period, 1, limiter->paused_until);
            pace->gcra.tat.ns = tat;
            pace->until = until;
            pace->learned = true;
        }
        return;
    }
    uint64_t granted = limiter->n_granted - limiter->granted_at_mark;
    int64_t period = limiter->paused_until - limiter->mark;
    limiter->mark = limiter->paused_until;
    limiter->granted_at_mark = limiter->n_granted;
    if (granted == 0 || period <= 0 || period > 2 * WEFT__RATE_MEMORY)
        return;
    pace->on = false;
    pace_start(pace, granted > 1 ? granted - 1 : 1, period, 1, limiter->paused_until);
    pace->gcra.tat.ns = limiter->paused_until;
    pace->until = limiter->paused_until + hold(period);
    pace->learned = pace->on;
}

static int64_t backoff(weft_rate_limiter *limiter)
{
    int64_t pause = BACKOFF_FIRST;
    for (int i = 0; i < limiter->backoff && pause < BACKOFF_MAX; i++)
        pause *= 2;
    limiter->backoff++;
    return pause < BACKOFF_MAX ? pause : BACKOFF_MAX;
}

static void apply(weft_rate_limiter *limiter, int status, const struct weft__advice *advice,
                  size_t in_flight, int64_t now)
{
    bool refused = status == 429 || (status == 503 && advice->pause >= 0);
    bool first = now >= limiter->paused_until;
    bool figures = advice->reset >= 0;
    int64_t pause = refused ? advice->pause : -1;
    if (refused)
        limiter->n_refused++;
    else if (status >= 200 && status < 400)
        limiter->backoff = 0;
    if (status == 429 && pause < 0 && figures && advice->remaining == 0)
        pause = advice->reset;
    if (status == 429 && pause <= 0 && first)
        pause = backoff(limiter);
    if (pause > 0 && now + pause > limiter->paused_until)
        limiter->paused_until = now + pause;
    if (figures)
        follow(limiter, advice, in_flight, now);
    else if (status == 429)
        learn(limiter, first, now);
}

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

void weft__rate_feed(weft_rate_limiter *limiter, const weft_feedback *feedback, size_t in_flight)
{
    struct weft__advice advice;
    int64_t now = weft_now();
    if (feedback == NULL || feedback->cached)
        return;
    weft__line_advance(&limiter->line, now);
    weft__advice_read(feedback, weft__clock_wall(), &advice);
    advice.pause = at_most(advice.pause, limiter->pause_max);
    advice.reset = at_most(advice.reset, limiter->pause_max);
    advice.window = at_most(advice.window, limiter->pause_max);
    apply(limiter, feedback->status, &advice, in_flight, now);
    weft__line_advance(&limiter->line, now);
}

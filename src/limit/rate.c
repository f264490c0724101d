/*
 * rate.c - the rate limiter: one or more rates that must all hold, and a queue.
 *
 * A permit is taken from all rates at one instant or from none, so there is nothing to give
 * back.  Permits of the queue are counted by GCRA from when they became due, not from when the
 * timer was served, so lateness does not add up; an exact window counts from when they were
 * really given.
 */
#include <assert.h>
#include <errno.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "limit/limit_int.h"

static weft_rate_limiter *limiter_of(struct weft__line *line)
{
    return WEFT__CONTAINER(line, weft_rate_limiter, line);
}

static inline uint32_t most_of(const struct weft__rate_rule *rule)
{
    return rule->is_window ? rule->window.permits : rule->gcra.burst;
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A limit may have been lowered while somebody waits for more: that one waits for all of it. */
static inline int64_t due_by_rule(const struct weft__rate_rule *rule, uint32_t n)
{
    return rule->is_window ? weft__window_due(&rule->window, least(n, rule->window.permits))
                           : weft__gcra_due(&rule->gcra, least(n, rule->gcra.burst));
}

static inline __attribute__((always_inline)) int64_t due_at(struct weft__line *line, uint32_t n)
{
    const weft_rate_limiter *limiter = limiter_of(line);
    int64_t due = limiter->paused_until;
    for (size_t i = 0; i < limiter->n_rules; i++) {
        int64_t other = due_by_rule(&limiter->rules[i], n);
        if (other > due)
            due = other;
    }
    if (limiter->pace.on) {
        int64_t other = weft__gcra_due(&limiter->pace.gcra, 1);
        if (other > limiter->pace.until)
            other = limiter->pace.until;
        if (other > due)
            due = other;
    }
    return due;
}

static inline __attribute__((always_inline)) void take(struct weft__line *line, uint32_t n,
                                                       int64_t due, int64_t now)
{
    weft_rate_limiter *limiter = limiter_of(line);
    if (now - limiter->mark > WEFT__RATE_MEMORY) {
        limiter->mark = now;
        limiter->granted_at_mark = limiter->n_granted;
    }
    for (size_t i = 0; i < limiter->n_rules; i++) {
        struct weft__rate_rule *rule = &limiter->rules[i];
        if (rule->is_window)
            weft__window_take(&rule->window, least(n, rule->window.permits), now);
        else
            weft__gcra_take(&rule->gcra, least(n, rule->gcra.burst), due);
    }
    limiter->n_granted += n;
    if (limiter->pace.on) {
        weft__pace_settle(&limiter->pace, due);
        if (limiter->pace.on)
            weft__gcra_take(&limiter->pace.gcra, least(n, limiter->pace.gcra.burst), due);
    }
}

static const struct weft__line_ops rate_ops = {"rate limiter", due_at, take};

/* ---- making one ---- */

static void free_rules(weft_rate_limiter *limiter)
{
    for (size_t i = 0; i < limiter->n_rules; i++) {
        if (limiter->rules[i].is_window)
            weft__window_done(&limiter->rules[i].window);
    }
}

static int check_options(const weft_rate_limiter_options *options)
{
    if (options->permits == 0)
        return weft__fail(-EINVAL, "a rate limiter needs permits, at least 1 per period");
    if (options->period < 0)
        return weft__fail(-EINVAL, "the period of a rate limiter is negative");
    if (options->window && options->burst != 0)
        return weft__fail(-EINVAL, "a window has no burst: all its permits may come at once");
    if (options->window && options->permits > WEFT__LIMIT_LIMITER_WINDOW)
        return weft__fail(-EINVAL, "a window of %u permits is larger than %d", options->permits,
                          WEFT__LIMIT_LIMITER_WINDOW);
    return 0;
}

static int rule_init(struct weft__rate_rule *rule, const weft_rate_limiter_options *given)
{
    weft_rate_limiter_options filled;
    const weft_rate_limiter_options *options = &filled;
    weft__options_fill(&filled, sizeof filled, given);
    int err = check_options(options);
    if (err < 0)
        return err;
    int64_t period = options->period != 0 ? options->period : WEFT_SEC(1);
    uint32_t burst = options->burst != 0 ? options->burst : 1;
    rule->is_window = options->window;
    if (!options->window)
        err = weft__gcra_init(&rule->gcra, options->permits, period, burst);
    else if (period <= WEFT__SPAN_MAX)
        err = weft__window_init(&rule->window, options->permits, period);
    else
        err = -1;
    if (err == -ENOMEM)
        return weft__fail_nomem();
    if (err < 0)
        return weft__fail(-EINVAL, "the period of a rate limiter, or its burst, is too long");
    return 0;
}

static const weft_rate_limiter_options *next_of(const weft_rate_limiter_options *options)
{
    weft_rate_limiter_options filled;
    weft__options_fill(&filled, sizeof filled, options);
    return filled.also;
}

static int count_rules(const weft_rate_limiter_options *options, size_t *ret)
{
    size_t n = 0;
    for (; options != NULL; options = next_of(options))
        if (++n > WEFT__LIMIT_LIMITER_RATES)
            return weft__fail(-EINVAL, "a rate limiter has at most %d rates",
                              WEFT__LIMIT_LIMITER_RATES);
    *ret = n;
    return 0;
}

int weft__rate_new(const weft_rate_limiter_options *options, bool may_be_free,
                   weft_rate_limiter **ret)
{
    size_t n = 0;
    int err = count_rules(options, &n);
    if (err == 0 && n == 0 && !may_be_free)
        err = weft__fail(-EINVAL, "a rate limiter needs permits, at least 1 per period");
    if (err < 0)
        return err;
    weft_rate_limiter *limiter =
        weft__calloc(1, sizeof *limiter + n * sizeof(struct weft__rate_rule));
    if (limiter == NULL)
        return weft__fail_nomem();
    for (const weft_rate_limiter_options *rate = options; rate != NULL; rate = next_of(rate)) {
        err = rule_init(&limiter->rules[limiter->n_rules], rate);
        if (err < 0) {
            free_rules(limiter);
            weft__free(limiter);
            return err;
        }
        limiter->n_rules++;
    }
    weft_rate_limiter_options own;
    weft__options_fill(&own, sizeof own, options);
    limiter->pause_max = own.pause_max > 0 ? own.pause_max : WEFT_SEC(WEFT__LIMIT_SERVER_PAUSE);
    weft__line_init(&limiter->line, &rate_ops, own.queue);
    *ret = limiter;
    return 0;
}

int weft_rate_limiter_new(const weft_rate_limiter_options *options, weft_rate_limiter **ret)
{
    return weft__rate_new(options, false, ret);
}

void weft_rate_limiter_free(weft_rate_limiter *limiter)
{
    if (limiter == NULL)
        return;
    assert(limiter->line.n_waiting == 0);
    free_rules(limiter);
    weft__free(limiter);
}

void weft__rate_set_above(weft_rate_limiter *limiter, weft_rate_limiter *above)
{
    limiter->line.above = &above->line;
}

/* ---- changing one ---- */

int weft_rate_limiter_set_rate(weft_rate_limiter *limiter, uint32_t permits, int64_t period,
                               uint32_t burst)
{
    if (limiter->n_rules != 1 || limiter->rules[0].is_window)
        return weft__fail(-EINVAL, "only a single rate without a window can be changed");
    struct weft__rate_rule rule = {0};
    int err = rule_init(&rule, WEFT_RATE(.permits = permits, .period = period, .burst = burst));
    if (err < 0)
        return err;
    const struct weft__instant *tat = &limiter->rules[0].gcra.tat;
    rule.gcra.tat.ns = tat->ns + (tat->fraction != 0);
    limiter->rules[0] = rule;
    weft__line_advance(&limiter->line, weft_now());
    return 0;
}

void weft_rate_limiter_pause(weft_rate_limiter *limiter, int64_t duration)
{
    int64_t now = weft_now();
    int64_t until = now + (duration < WEFT__SPAN_MAX ? duration : WEFT__SPAN_MAX);
    if (until > limiter->paused_until)
        limiter->paused_until = until;
    weft__line_advance(&limiter->line, now);
}

void weft_rate_limiter_feed(weft_rate_limiter *limiter, const weft_feedback *feedback)
{
    weft__rate_feed(limiter, feedback, SIZE_MAX);
}

/* ---- permits ---- */

static inline __attribute__((always_inline)) bool try_at(weft_rate_limiter *limiter, uint32_t n,
                                                         int64_t now)
{
    struct weft__line *line = &limiter->line;
    if (line->n_waiting > 0) {
        weft__line_advance(line, now);
        if (line->n_waiting > 0)
            return false;
    }
    if (due_at(line, n) > now || !weft__line_take_above(line, n, now))
        return false;
    take(line, n, now, now);
    return true;
}

uint32_t weft__rate_most(const weft_rate_limiter *limiter)
{
    uint32_t most = UINT32_MAX;
    for (size_t i = 0; i < limiter->n_rules; i++)
        most = least(most, most_of(&limiter->rules[i]));
    if (limiter->line.above != NULL)
        most = least(most, weft__rate_most(limiter_of(limiter->line.above)));
    return most;
}

static inline bool is_possible(const weft_rate_limiter *limiter, uint32_t n)
{
    return n <= 1 || n <= weft__rate_most(limiter);
}

static int refuse_impossible(const weft_rate_limiter *limiter, uint32_t n)
{
    if (is_possible(limiter, n))
        return 0;
    return weft__fail(-EINVAL, "%u permits at once are more than the rate limiter ever has", n);
}

bool weft__rate_try(weft_rate_limiter *limiter, uint32_t n, int64_t now)
{
    return is_possible(limiter, n) && try_at(limiter, n, now);
}

bool weft_rate_limiter_try_acquire_n(weft_rate_limiter *limiter, uint32_t n)
{
    return n == 0 || (is_possible(limiter, n) && try_at(limiter, n, weft_now()));
}

bool weft_rate_limiter_try_acquire(weft_rate_limiter *limiter)
{
    return try_at(limiter, 1, weft_now());
}

/* When one who joins the queue's end now gets its n permits, if all goes as it looks. */
static int64_t due_at_end(const weft_rate_limiter *limiter, uint32_t n, int64_t now)
{
    int64_t due = limiter->paused_until;
    uint64_t amount = limiter->line.amount + n;
    if (limiter->line.floor > due)
        due = limiter->line.floor;
    for (size_t i = 0; i < limiter->n_rules; i++) {
        const struct weft__rate_rule *rule = &limiter->rules[i];
        int64_t other = rule->is_window ? weft__window_estimate(&rule->window, amount, now)
                                        : weft__gcra_estimate(&rule->gcra, amount, now);
        if (other > due)
            due = other;
    }
    if (limiter->pace.on) {
        int64_t other = weft__gcra_estimate(&limiter->pace.gcra, amount, now);
        if (other > limiter->pace.until)
            other = limiter->pace.until;
        if (other > due)
            due = other;
    }
    return due;
}

static int64_t due_above(const weft_rate_limiter *limiter, uint32_t n, int64_t now)
{
    const struct weft__line *above = limiter->line.above;
    return above != NULL ? due_at_end(WEFT__CONTAINER(above, weft_rate_limiter, line), n, now) : 0;
}

static int refuse_late(weft_rate_limiter *limiter, uint32_t n, int64_t now)
{
    int64_t left = weft_remaining();
    if (left == WEFT_FOREVER)
        return 0;
    int64_t due = due_at_end(limiter, n, now);
    int64_t above = due_above(limiter, n, now);
    int64_t wait = (due > above ? due : above) - now;
    if (wait < left)
        return 0;
    limiter->line.n_rejected++;
    return weft__fail(-ETIMEDOUT, "the rate limit allows it in %.6g s, the deadline is in %.6g s",
                      (double)wait * 1e-9, (double)left * 1e-9);
}

static __attribute__((noinline)) int wait_for(weft_rate_limiter *limiter, struct weft_task *self,
                                              uint32_t n, int64_t now)
{
    int err = refuse_impossible(limiter, n);
    if (err == 0)
        err = refuse_late(limiter, n, now);
    if (err == 0)
        err = weft__line_check_room(&limiter->line);
    return err < 0 ? err : weft__line_wait(&limiter->line, self, n);
}

static inline int acquire(weft_rate_limiter *limiter, uint32_t n)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0 || n == 0)
        return err;
    int64_t now = weft__loop_now(self->loop);
    if (is_possible(limiter, n) && try_at(limiter, n, now))
        return 0;
    return wait_for(limiter, self, n, now);
}

int weft_rate_limiter_acquire(weft_rate_limiter *limiter)
{
    return acquire(limiter, 1);
}

int weft_rate_limiter_acquire_n(weft_rate_limiter *limiter, uint32_t n)
{
    return acquire(limiter, n);
}

/* ---- reservations ---- */

struct weft_reservation {
    struct weft__place place;
    weft_rate_limiter *limiter;
};

int weft_rate_limiter_reserve(weft_rate_limiter *limiter, uint32_t n, weft_reservation **ret)
{
    int64_t now = weft_now();
    if (n == 0)
        return weft__fail(-EINVAL, "a reservation of no permits");
    int err = refuse_impossible(limiter, n);
    if (err == 0)
        err = weft__line_check_room(&limiter->line);
    if (err < 0)
        return err;
    weft_reservation *reservation = weft__alloc(sizeof *reservation);
    if (reservation == NULL)
        return weft__fail_nomem();
    reservation->limiter = limiter;
    weft__line_advance(&limiter->line, now);
    weft__line_reserve(&limiter->line, &reservation->place, n, due_at_end(limiter, n, now), now);
    weft__line_advance(&limiter->line, now);
    *ret = reservation;
    return 0;
}

int64_t weft_reservation_delay(const weft_reservation *reservation)
{
    const struct weft__place *place = &reservation->place;
    int64_t now = weft_now();
    weft__line_advance(&reservation->limiter->line, now);
    if (weft__place_is_served(place))
        return 0;
    if (place->not_before > now)
        return place->not_before - now;
    /* It takes longer than it looked: certainly until the first in line is served. */
    return weft__line_due(&reservation->limiter->line) - now;
}

void weft_reservation_free(weft_reservation *reservation)
{
    if (reservation == NULL)
        return;
    int64_t now = weft_now();
    weft__line_advance(&reservation->limiter->line, now);
    if (!weft__place_is_served(&reservation->place))
        weft__place_leave(&reservation->place, now);
    weft__free(reservation);
}

/* ---- looking at one ---- */

static uint32_t level_of(const weft_rate_limiter *limiter, int64_t now)
{
    uint32_t level = UINT32_MAX;
    if (limiter->paused_until > now || limiter->line.n_waiting > 0)
        return 0;
    for (size_t i = 0; i < limiter->n_rules; i++) {
        const struct weft__rate_rule *rule = &limiter->rules[i];
        level = least(level, rule->is_window ? weft__window_level(&rule->window, now)
                                             : weft__gcra_level(&rule->gcra, now));
    }
    if (limiter->pace.on && limiter->pace.until > now)
        level = least(level, weft__gcra_level(&limiter->pace.gcra, now));
    return level;
}

void weft_rate_limiter_get_state(weft_rate_limiter *limiter, weft_limit_state *ret)
{
    int64_t now = weft_now();
    weft__line_advance(&limiter->line, now);
    int64_t next = due_at_end(limiter, 1, now) - now;
    *ret = (weft_limit_state){
        .available = level_of(limiter, now),
        .waiting = limiter->line.n_waiting,
        .next = next > 0 ? next : 0,
        .granted = limiter->n_granted,
        .rejected = limiter->line.n_rejected,
        .refused = limiter->n_refused,
    };
}

/*
 * timer.h - an indexed 4-ary heap of timers: almost every timer is stopped before it fires, so
 * that starting and stopping are what must be cheap.
 */
#ifndef WEFT_RUN_TIMER_H
#define WEFT_RUN_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__timer {
    void (*fire)(struct weft__timer *timer);
    int64_t when;
    uint32_t index; /* in the heap, 1-based; 0: not started */
};

struct weft__timer_entry {
    int64_t when;
    struct weft__timer *timer;
};

struct weft__timers {
    struct weft__timer_entry *entries;
    uint32_t n;
    uint32_t cap;
};

/* 0, or -ENOMEM: after success the next start cannot fail. */
int weft__timers_reserve(struct weft__timers *timers);
/* 0, or -ENOMEM: then it is not started. timer->fire is set by the caller. */
int weft__timer_start(struct weft__timers *timers, struct weft__timer *timer, int64_t when);
void weft__timer_stop(struct weft__timers *timers, struct weft__timer *timer);
static inline bool weft__timer_is_started(const struct weft__timer *timer)
{
    return timer->index != 0;
}
/* WEFT_FOREVER if there is none. */
int64_t weft__timers_next(const struct weft__timers *timers);
/* Fires what is due at now, in order, at most max; each is stopped before its function runs. */
void weft__timers_fire(struct weft__timers *timers, int64_t now, size_t max);
void weft__timers_done(struct weft__timers *timers);

#endif

/*
 * window.c - an exact sliding window: at most so many permits in any period.
 *
 * The times of the last grants are kept, as many as there are permits: one more may be granted
 * when the oldest of them is a period ago.
 */
#include <errno.h>

#include "base/alloc.h"
#include "limit/limit_int.h"

/* So long ago that a period has passed since. */
#define NEVER (-WEFT__SPAN_MAX)

int weft__window_init(struct weft__window *window, uint32_t permits, int64_t period)
{
    int64_t *times = weft__calloc(permits, sizeof times[0]);
    if (times == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < permits; i++)
        times[i] = NEVER;
    *window = (struct weft__window){.times = times, .permits = permits, .period = period};
    return 0;
}

void weft__window_done(struct weft__window *window)
{
    weft__free(window->times);
}

/* The time of the nth oldest grant. */
static int64_t nth(const struct weft__window *window, uint32_t n)
{
    uint64_t at = (uint64_t)window->oldest + n - 1;
    return window->times[at < window->permits ? at : at - window->permits];
}

int64_t weft__window_due(const struct weft__window *window, uint32_t n)
{
    return nth(window, n) + window->period;
}

void weft__window_take(struct weft__window *window, uint32_t n, int64_t at)
{
    for (uint32_t i = 0; i < n; i++) {
        window->times[window->oldest] = at;
        if (++window->oldest == window->permits)
            window->oldest = 0;
    }
}

int64_t weft__window_estimate(const struct weft__window *window, uint64_t n, int64_t now)
{
    uint64_t rounds = (n - 1) / window->permits;
    int64_t due = weft__window_due(window, (uint32_t)((n - 1) % window->permits) + 1);
    if (rounds == 0)
        return due;
    if (rounds > (uint64_t)(WEFT__SPAN_MAX / window->period))
        return WEFT_FOREVER;
    return (due > now ? due : now) + (int64_t)rounds * window->period;
}

uint32_t weft__window_level(const struct weft__window *window, int64_t now)
{
    uint32_t low = 0;
    uint32_t high = window->permits;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (weft__window_due(window, middle) <= now)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

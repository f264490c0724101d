/*
 * gcra.c - the generic cell rate algorithm (ITU-T I.371), which is the token bucket in one number.
 *
 * The theoretical arrival time (tat) moves on by the interval T = period / permits with each
 * permit.  One may be taken once now >= tat - tau, where tau = T * (burst - 1), and n at once
 * when the last of them may; taking them sets tat = max(tat, now) + n * T.  Hence no window of
 * length w sees more than burst + w / T permits.  T need not be a whole number of nanoseconds:
 * times are kept as ns and a fraction in units of 1/permits ns, so that the long-run rate is
 * exact.
 */
#include "limit/limit_int.h"

/* n * period / permits, or -1 beyond WEFT__SPAN_MAX. */
static int span_of(uint64_t n, int64_t period, uint32_t permits, struct weft__instant *ret)
{
    unsigned __int128 whole = (unsigned __int128)n * (uint64_t)period;
    if (whole / permits > WEFT__SPAN_MAX)
        return -1;
    ret->ns = (int64_t)(whole / permits);
    ret->fraction = (uint32_t)(whole % permits);
    return 0;
}

int weft__gcra_init(struct weft__gcra *gcra, uint32_t permits, int64_t period, uint32_t burst)
{
    struct weft__gcra made = {.permits = permits, .burst = burst};
    if (span_of(1, period, permits, &made.interval) < 0 ||
        span_of(burst - 1, period, permits, &made.tau) < 0)
        return -1;
    *gcra = made;
    return 0;
}

int64_t weft__gcra_estimate(const struct weft__gcra *gcra, uint64_t n, int64_t now)
{
    struct weft__instant tat = gcra->tat;
    if (n <= gcra->burst)
        return weft__gcra_due(gcra, (uint32_t)n);
    if (tat.ns < now)
        tat = (struct weft__instant){.ns = now};
    uint64_t more = n - gcra->burst;
    unsigned __int128 whole = (unsigned __int128)more * (uint64_t)gcra->interval.ns +
                              (unsigned __int128)more * gcra->interval.fraction / gcra->permits;
    if (whole > WEFT__SPAN_MAX)
        return WEFT_FOREVER;
    return tat.ns + (int64_t)whole;
}

uint32_t weft__gcra_level(const struct weft__gcra *gcra, int64_t now)
{
    uint32_t low = 0;
    uint32_t high = gcra->burst;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (weft__gcra_due(gcra, middle) <= now)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

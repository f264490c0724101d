#include <time.h>

#include <weft/base.h>

#include "base/clock.h"

int64_t weft__clock_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static _Thread_local int64_t (*wall_source)(void);

void weft__clock_wall_from(int64_t (*source)(void))
{
    wall_source = source;
}

int64_t weft__clock_wall(void)
{
    if (wall_source != NULL)
        return wall_source();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int64_t weft__clock_add(int64_t when, int64_t duration)
{
    int64_t sum;
    if (duration == WEFT_FOREVER || __builtin_add_overflow(when, duration, &sum))
        return WEFT_FOREVER;
    return sum;
}

const char *weft_version(void)
{
    return WEFT_VERSION;
}

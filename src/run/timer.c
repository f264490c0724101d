#include <errno.h>

#include <weft/base.h>

#include "base/alloc.h"
#include "run/timer.h"

enum { TIMERS_FIRST = 64 };

static void place(struct weft__timers *timers, uint32_t i, struct weft__timer_entry entry)
{
    timers->entries[i] = entry;
    entry.timer->index = i + 1;
}

static void sift_up(struct weft__timers *timers, uint32_t i, struct weft__timer_entry entry)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 4;
        if (timers->entries[parent].when <= entry.when)
            break;
        place(timers, i, timers->entries[parent]);
        i = parent;
    }
    place(timers, i, entry);
}

static void sift_down(struct weft__timers *timers, uint32_t i, struct weft__timer_entry entry)
{
    for (;;) {
        uint32_t first = i * 4 + 1;
        if (first >= timers->n)
            break;
        uint32_t last = first + 4 < timers->n ? first + 4 : timers->n;
        uint32_t least = first;
        for (uint32_t child = first + 1; child < last; child++) {
            if (timers->entries[child].when < timers->entries[least].when)
                least = child;
        }
        if (timers->entries[least].when >= entry.when)
            break;
        place(timers, i, timers->entries[least]);
        i = least;
    }
    place(timers, i, entry);
}

static int grow(struct weft__timers *timers)
{
    uint32_t cap = timers->cap == 0 ? TIMERS_FIRST : timers->cap * 2;
    if (cap <= timers->cap)
        return -ENOMEM;
    struct weft__timer_entry *entries =
        weft__realloc(timers->entries, (size_t)cap * sizeof entries[0]);
    if (entries == NULL)
        return -ENOMEM;
    timers->entries = entries;
    timers->cap = cap;
    return 0;
}

int weft__timers_reserve(struct weft__timers *timers)
{
    return timers->n < timers->cap ? 0 : grow(timers);
}

int weft__timer_start(struct weft__timers *timers, struct weft__timer *timer, int64_t when)
{
    if (timer->index != 0)
        weft__timer_stop(timers, timer);
    if (timers->n == timers->cap && grow(timers) < 0)
        return -ENOMEM;
    timer->when = when;
    sift_up(timers, timers->n++, (struct weft__timer_entry){when, timer});
    return 0;
}

void weft__timer_stop(struct weft__timers *timers, struct weft__timer *timer)
{
    if (timer->index == 0)
        return;
    uint32_t i = timer->index - 1;
    timer->index = 0;
    timers->n--;
    if (i == timers->n)
        return;
    struct weft__timer_entry moved = timers->entries[timers->n];
    if (i > 0 && moved.when < timers->entries[(i - 1) / 4].when)
        sift_up(timers, i, moved);
    else
        sift_down(timers, i, moved);
}

int64_t weft__timers_next(const struct weft__timers *timers)
{
    return timers->n == 0 ? WEFT_FOREVER : timers->entries[0].when;
}

void weft__timers_fire(struct weft__timers *timers, int64_t now, size_t max)
{
    for (; max > 0 && timers->n > 0 && timers->entries[0].when <= now; max--) {
        struct weft__timer *timer = timers->entries[0].timer;
        weft__timer_stop(timers, timer);
        timer->fire(timer);
    }
}

void weft__timers_done(struct weft__timers *timers)
{
    weft__free(timers->entries);
    *timers = (struct weft__timers){0};
}

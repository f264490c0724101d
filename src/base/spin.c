/* spin.c - looking for what another thread does before sleeping. */
#include "base/spin.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"

enum { SKIPS_MAX = 255, LOOKS = 16 };

static atomic_size_t n_processors;

/* Of the process: its loops may be bound to one each. */
void weft__spin_prepare(void)
{
    atomic_store_explicit(&n_processors, weft__cpu_count(getpid()), memory_order_relaxed);
}

static size_t count_processors(void)
{
    if (atomic_load_explicit(&n_processors, memory_order_relaxed) == 0)
        weft__spin_prepare();
    return atomic_load_explicit(&n_processors, memory_order_relaxed);
}

bool weft__spin_is_due(struct weft__spin *spin, size_t n_others)
{
    if (n_others >= count_processors() || spin->skipped++ < spin->skips)
        return false;
    spin->skipped = 0;
    return true;
}

static inline void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

bool weft__spin_until(bool (*came)(const void *arg), const void *arg)
{
    int64_t until = weft__clock_monotonic() + WEFT__SPIN_TIME;
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (came(arg))
                return true;
            relax();
        }
    } while (weft__clock_monotonic() < until);
    return came(arg);
}

void weft__spin_tried(struct weft__spin *spin, bool came)
{
    if (came)
        spin->skips /= 2;
    else if (spin->skips < SKIPS_MAX)
        spin->skips = spin->skips * 2 + 1;
}

/*
 * spin.h - whoever expects something of another thread within moments looks for it before going
 * to sleep, for about as long as sleeping and being woken take.
 *
 * Where that fails more often than not, because what is waited for takes longer or the other
 * thread has no processor, it is tried ever less often.
 */
#ifndef WEFT_BASE_SPIN_H
#define WEFT_BASE_SPIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ns */
#define WEFT__SPIN_TIME 20000

/* All zero at first; of one thread, or under a lock. */
struct weft__spin {
    uint32_t skipped; /* sleeps since it was last tried */
    uint32_t skips;   /* how many before it is tried again: about twice as many after each failure,
                         half as many after each success */
};

/* Counts processors, for which it opens files; else who is the first to sleep does. */
void weft__spin_prepare(void);
/*
 * Whether it is to be tried before this sleep.  Never where the others, who have work, need all
 * processors for it.
 */
bool weft__spin_is_due(struct weft__spin *spin, size_t n_others);
/* Looks until came(arg) or the time is over: whether it came. */
bool weft__spin_until(bool (*came)(const void *arg), const void *arg);
/* What has become of it. */
void weft__spin_tried(struct weft__spin *spin, bool came);

#endif

/*
 * storm.h - a primitive under cancellation, at every checkpoint, in a thousand orders.
 *
 * For each seed the workers run again and again on a shuffled loop, the virtual one or the one
 * that WEFT_BACKEND names; each time one of them, the victim, is cancelled one checkpoint later,
 * until it ends before that.  A worker that
 * waits for ever is a deadlock, and fails the test; all else is for the end function to check.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <weft/run.h>

struct storm_worker {
    void *state;
    int number;
    bool is_victim; /* may return -ECANCELED; the others must succeed */
    int result;     /* for the end function */
};

struct storm {
    int n_workers; /* at most STORM_WORKERS */
    void *state;
    void (*begin)(void *state);
    int (*work)(struct storm_worker *worker);
    void (*end)(void *state, const struct storm_worker *workers);
};

enum { STORM_WORKERS = 8 };

void storm(const struct storm *storm);

#endif

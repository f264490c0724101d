/* limit_int.h - what the limiters share: the queue, the two rate algorithms, the table of keys. */
#ifndef WEFT_LIMIT_LIMIT_INT_H
#define WEFT_LIMIT_LIMIT_INT_H

#include <weft/limit.h>

#include <string.h>

#include "run/run_int.h"

/* A caller's options, with zeroes for what an older caller does not have. */
static inline void weft__options_fill(void *ret, size_t size, const void *options)
{
    size_t given;
    memset(ret, 0, size);
    if (options == NULL)
        return;
    memcpy(&given, options, sizeof given);
    memcpy(ret, options, given != 0 && given < size ? given : size);
}

/* ---- the generic cell rate algorithm ---- */

/* Periods and bursts up to 73 years: sums of two of them do not overflow. */
#define WEFT__SPAN_MAX (INT64_MAX / 4)

struct weft__instant {
    int64_t ns;
    uint32_t fraction; /* of a nanosecond, in units of 1/permits */
};

struct weft__gcra {
    struct weft__instant tat;      /* theoretical arrival time */
    struct weft__instant interval; /* T = period / permits */
    struct weft__instant tau;      /* T * (burst - 1) */
    uint32_t permits;
    uint32_t burst;
};

/* -1: the period, or the burst, is longer than WEFT__SPAN_MAX. */
int weft__gcra_init(struct weft__gcra *gcra, uint32_t permits, int64_t period, uint32_t burst);
/* n * T; n is at most burst or so, which weft__gcra_init has found to be short enough. */
static inline struct weft__instant weft__gcra_times(const struct weft__gcra *gcra, uint32_t n)
{
    if (n == 1)
        return gcra->interval;
    uint64_t fraction = (uint64_t)gcra->interval.fraction * n;
    return (struct weft__instant){
        .ns = gcra->interval.ns * n + (int64_t)(fraction / gcra->permits),
        .fraction = (uint32_t)(fraction % gcra->permits),
    };
}

static inline struct weft__instant weft__gcra_plus(const struct weft__gcra *gcra,
                                                   struct weft__instant a, struct weft__instant b)
{
    struct weft__instant sum = {.ns = a.ns + b.ns};
    uint64_t fraction = (uint64_t)a.fraction + b.fraction;
    if (fraction >= gcra->permits) {
        fraction -= gcra->permits;
        sum.ns++;
    }
    sum.fraction = (uint32_t)fraction;
    return sum;
}

/* From when on n permits, at most burst, can be taken at once. */
static inline int64_t weft__gcra_due(const struct weft__gcra *gcra, uint32_t n)
{
    struct weft__instant tat = gcra->tat;
    if (n > 1)
        tat = weft__gcra_plus(gcra, tat, weft__gcra_times(gcra, n - 1));
    bool more = tat.fraction > gcra->tau.fraction;
    return tat.ns - gcra->tau.ns + more;
}

static inline void weft__gcra_take(struct weft__gcra *gcra, uint32_t n, int64_t at)
{
    /* Rounded up, as due times are: else a fraction would be lost with each permit. */
    if (gcra->tat.ns + (gcra->tat.fraction != 0) < at)
        gcra->tat = (struct weft__instant){.ns = at};
    gcra->tat = weft__gcra_plus(gcra, gcra->tat, weft__gcra_times(gcra, n));
}

/* When the last of n permits could be had if all were waited for from now on. */
int64_t weft__gcra_estimate(const struct weft__gcra *gcra, uint64_t n, int64_t now);
/* How many could be taken now. */
uint32_t weft__gcra_level(const struct weft__gcra *gcra, int64_t now);

/* ---- the exact sliding window ---- */

struct weft__window {
    int64_t *times; /* of the last permits grants, a ring */
    uint32_t permits;
    uint32_t oldest;
    int64_t period;
};

int weft__window_init(struct weft__window *window, uint32_t permits, int64_t period);
void weft__window_done(struct weft__window *window);
int64_t weft__window_due(const struct weft__window *window, uint32_t n);
void weft__window_take(struct weft__window *window, uint32_t n, int64_t at);
int64_t weft__window_estimate(const struct weft__window *window, uint64_t n, int64_t now);
uint32_t weft__window_level(const struct weft__window *window, int64_t now);

/* ---- the queue ---- */

/*
 * Who waits for n of something: first come, first served, whatever n is.  The first in line
 * holds up all behind it until it can be served, so a large request does not starve.  Nobody
 * takes anything before its turn: one that leaves costs those behind it nothing.
 */
struct weft__line;

struct weft__place {
    struct weft__waiter waiter; /* no task: a reservation, or the first of a line below */
    struct weft__line *line;
    struct weft__line *below; /* whose first it stands for */
    int64_t not_before;
    uint32_t n;
};

/*
 * A line may stand below another: then its first, once it is due, waits in the line above, too,
 * and takes from both at one instant.  Each line below has one place there, so that those with
 * many waiters do not keep the others away.
 */
struct weft__line {
    struct weft__list places;
    size_t n_waiting;          /* places */
    size_t n_tasks;            /* those of them in which a task waits, here or below */
    uint64_t amount;           /* that all of them want */
    size_t max;                /* places; 0: no bound */
    uint64_t n_rejected;       /* by the bound, or by a deadline */
    int64_t floor;             /* the latest not_before among the places, while there are any */
    int64_t since;             /* nobody is served as of a time before this */
    struct weft__loop *loop;   /* of the tasks */
    struct weft__timer timer;  /* for the first place; runs only while a task waits */
    struct weft__line *above;  /* or NULL */
    struct weft__place deputy; /* in the line above */
    bool advancing;
    const struct weft__line_ops *ops;
};

struct weft__line_ops {
    const char *what;
    /* When n can be taken; WEFT_FOREVER: not before weft__line_advance is called. */
    int64_t (*due)(struct weft__line *line, uint32_t n);
    /* It was due at due; it is taken at now. */
    void (*take)(struct weft__line *line, uint32_t n, int64_t due, int64_t now);
};

void weft__line_init(struct weft__line *line, const struct weft__line_ops *ops, size_t max);
/* When the first of those who wait can be served. */
int64_t weft__line_due(struct weft__line *line);
/* Serves whoever is due. To be called whenever something has become available. */
void weft__line_advance(struct weft__line *line, int64_t now);
/* Takes n from the lines above if they are due there; true also where there is none. */
bool weft__line_take_above(struct weft__line *line, uint32_t n, int64_t now);
/* WEFT_EQUEUE_FULL where one more may not wait. */
int weft__line_check_room(struct weft__line *line);
/* Waits at the end for n: 0, -ECANCELED, -ENOMEM. The caller has passed a checkpoint. */
int weft__line_wait(struct weft__line *line, struct weft_task *self, uint32_t n);
/* A place without a task: whoever made it looks whether it is still in line. */
void weft__line_reserve(struct weft__line *line, struct weft__place *place, uint32_t n,
                        int64_t not_before, int64_t now);
bool weft__place_is_served(const struct weft__place *place);
void weft__place_leave(struct weft__place *place, int64_t now);

/* ---- keys (table.c) ---- */

struct weft__entry {
    struct weft__entry *next; /* in the same bucket */
    struct weft__list recent; /* in table->recent, the last used one first */
    uint64_t hash;
    size_t len;
    const void *key; /* the owner's, as long as the entry is in the table */
};

struct weft__table {
    struct weft__entry **buckets;
    size_t n_buckets; /* a power of two */
    size_t n;
    uint64_t seed; /* keys may come from a peer */
    struct weft__list recent;
};

int weft__table_init(struct weft__table *table);
/* The entries must be gone. */
void weft__table_done(struct weft__table *table);
struct weft__entry *weft__table_find(const struct weft__table *table, const void *key, size_t len);
/* entry->key and len are set; the key is not in the table. */
void weft__table_add(struct weft__table *table, struct weft__entry *entry);
void weft__table_remove(struct weft__table *table, struct weft__entry *entry);
void weft__table_touch(struct weft__table *table, struct weft__entry *entry);

/* ---- what a server says (feedback.c) ---- */

struct weft__advice {
    int64_t pause;      /* ns until it may be tried again; -1: it does not say */
    int64_t reset;      /* ns until the quota is whole again; -1 */
    uint64_t remaining; /* permits until then; counts where reset is not -1 */
    uint64_t quota;     /* permits of a whole window; 0: it does not say */
    int64_t window;     /* ns; 0 */
};

/* Malformed values are as absent ones. now: seconds since 1970, for dates. */
void weft__advice_read(const weft_feedback *feedback, int64_t now, struct weft__advice *ret);

/* ---- the rate limiter (rate.c, rate_feed.c) ---- */

struct weft__rate_rule {
    bool is_window;
    union {
        struct weft__gcra gcra;
        struct weft__window window;
    };
};

/* What was granted longer ago than this says nothing about a refusal now. */
#define WEFT__RATE_MEMORY WEFT_SEC(60)

/* How fast the server will have it, as far as is known: a rule that ends, maybe for another. */
struct weft__pace {
    bool on;
    bool learned; /* from a refusal without figures */
    struct weft__gcra gcra;
    int64_t until;
    int64_t period;
    uint32_t next_permits; /* after until; 0: the pace is off then */
    uint32_t next_burst;
    int64_t next_period;
};

struct weft_rate_limiter {
    struct weft__line line;
    int64_t paused_until;
    int64_t pause_max;
    uint64_t n_granted;
    uint64_t n_refused;
    int backoff;              /* refusals without a Retry-After, one after the other */
    int64_t mark;             /* where counting for the server's rate began */
    uint64_t granted_at_mark; /* n_granted then */
    int64_t window_seen;      /* the longest time to a reset */
    struct weft__pace pace;
    size_t n_rules;
    struct weft__rate_rule rules[];
};

/* options may be NULL or without permits where a limiter without rules of its own is meant. */
int weft__rate_new(const weft_rate_limiter_options *options, bool may_be_free,
                   weft_rate_limiter **ret);
/* Takes n, more than 0, if they can be had now. */
bool weft__rate_try(weft_rate_limiter *limiter, uint32_t n, int64_t now);
/* The most permits that it ever has at once. */
uint32_t weft__rate_most(const weft_rate_limiter *limiter);
/* Ends what has run out by now, and begins what follows. */
void weft__pace_settle(struct weft__pace *pace, int64_t now);
/* What the limiter grants, the one above it must grant at the same instant. */
void weft__rate_set_above(weft_rate_limiter *limiter, weft_rate_limiter *above);
/* in_flight: permits taken whose answers are not in yet; SIZE_MAX: unknown. */
void weft__rate_feed(weft_rate_limiter *limiter, const weft_feedback *feedback, size_t in_flight);

/* ---- the keyed limiter (keyed.c) ---- */

struct weft__key;

/* options->rate may be NULL: keys without a rate of their own. */
int weft__keyed_new(const weft_keyed_limiter_options *options, bool may_be_free,
                    weft_keyed_limiter **ret);
/* Acquires one permit and holds the key until weft__key_leave. */
int weft__keyed_enter(weft_keyed_limiter *keyed, const char *text, struct weft__key **ret);
/* That of a text which was entered and not left yet; NULL. */
struct weft__key *weft__keyed_held(weft_keyed_limiter *keyed, const char *text);
void weft__key_leave(struct weft__key *key);
/* The limiter of all keys, NULL where there is none. */
weft_rate_limiter *weft__keyed_all(const weft_keyed_limiter *keyed);
void weft__key_feed(struct weft__key *key, const weft_feedback *feedback);
/* Adds what the keys have waiting, rejected and refused. */
void weft__keyed_sum(const weft_keyed_limiter *keyed, weft_limit_state *sum);

#endif

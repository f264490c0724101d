/* pool_int.h - what the two files of the pool share: slots, and who waits for them. */
#ifndef WEFT_CLIENT_POOL_INT_H
#define WEFT_CLIENT_POOL_INT_H

#include "client/client_int.h"

/* An idle connection that is younger is used again without a look at what has come meanwhile. */
#define WEFT__QUIET_AFTER WEFT_MS(1)

/* Who waits for a slot, or for a stream. */
struct weft__claimant {
    struct weft__waiter base;
    struct weft__list of_origin; /* in origin->waiters */
    struct weft__origin *origin;
    struct weft__conn *conn; /* what it was given */
    uint64_t turn;
    bool in_pool; /* waits in the pool's queue, and has a claim */
};

static inline struct weft__claimant *weft__claimant_of(struct weft__list *node)
{
    return (struct weft__claimant *)(void *)WEFT__CONTAINER(node, struct weft__waiter, node);
}

/* Its wait is over: conn is what it gets, or NULL with an error. */
void weft__claimant_wake(struct weft__claimant *claimant, struct weft__conn *conn, int err);
/* A claim on an origin has ended: the first of its own queue goes over to the pool's. */
void weft__pool_promote(struct weft__pool *pool, struct weft__origin *origin);
/* Waits in its place among those who wait for a slot. */
void weft__pool_enqueue(struct weft__pool *pool, struct weft__claimant *claimant);
/* An idle connection, or an empty slot, if the limits leave one. */
int weft__pool_take_slot(struct weft__pool *pool, struct weft__origin *origin,
                         struct weft__conn **ret);
void weft__pool_origin_put(struct weft__pool *pool, struct weft__origin *origin);
/* A connection that carries others' streams begins and ends to be idle. */
void weft__pool_rest(struct weft__conn *slot);
void weft__pool_unrest(struct weft__conn *slot);
/* A closed pool goes with whoever used it last. */
void weft__pool_check_end(struct weft__pool *pool);
/* Lights outlive their loop with the responses that have them. */
void weft__pool_orphan_lights(struct weft__pool *pool);
void weft__pool_free_lights(struct weft__pool *pool);
/* What an origin's first connection will be is known, or it is not made after all. */
void weft__pool_settle(struct weft__pool *pool, struct weft__origin *origin, bool all);

#endif

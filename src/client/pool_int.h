/*
 * pool_int.h - what the files of the pool share: slots, and who waits for them.
 *
 *   pool.c         slots: taken, given back, handed over to whoever waits
 *   pool_origin.c  what they are for
 *   pool_queue.c   who waits for one
 *   pool_idle.c    connections that nobody uses, closed by a timer
 *   pool_h2.c      streams of HTTP/2 connections as places of the pool
 *   pool_turns.c   when nothing moves in the queue
 *   pool_life.c    the pool's beginning and end
 *   pool_list.c    what it holds
 */
#ifndef WEFT_CLIENT_POOL_INT_H
#define WEFT_CLIENT_POOL_INT_H

#include "client/client_int.h"

/* An idle connection that is younger is used again without a look at what has come meanwhile. */
#define WEFT__QUIET_AFTER WEFT_MS(1)

/* Who waits for a slot, or for a stream. */
struct weft__claimant {
    struct weft__waiter base;
    struct weft__list of_origin; /* in origin->waiters */
    struct weft__pool *pool;
    struct weft__origin *origin;
    struct weft__conn *conn; /* what it was given */
    uint64_t turn;
    bool in_pool; /* waits in the pool's queue, and has a claim */
};

static inline struct weft__claimant *weft__claimant_of(struct weft__list *node)
{
    return (struct weft__claimant *)(void *)WEFT__CONTAINER(node, struct weft__waiter, node);
}

/* ---- pool_origin.c ---- */

/* With one more user, who puts it back. */
int weft__pool_origin_get(struct weft__pool *pool, const weft_url *url, const struct weft__way *way,
                          struct weft__origin **ret);
void weft__pool_origin_put(struct weft__pool *pool, struct weft__origin *origin);
void weft__pool_origin_refuses_h2(struct weft__pool *pool, struct weft__origin *origin);

/* ---- pool_queue.c ---- */

/* As weft__pool_acquire, of whom there is nothing for now. */
int weft__pool_wait(struct weft__pool *pool, struct weft__origin *origin, int64_t timeout,
                    struct weft__conn **ret);
/* Its wait is over: conn is what it gets, or NULL with an error. */
void weft__claimant_wake(struct weft__claimant *claimant, struct weft__conn *conn, int err);
/* A claim on an origin has ended: the first of its own queue goes over to the pool's. */
void weft__pool_promote(struct weft__pool *pool, struct weft__origin *origin);
/* Waits in its place among those who wait for a slot. */
void weft__pool_enqueue(struct weft__pool *pool, struct weft__claimant *claimant);
/* Who has waited longest of those that a slot of that origin is good for; NULL: nobody waits. */
struct weft__claimant *weft__pool_next_claimant(struct weft__pool *pool,
                                                const struct weft__origin *origin);
/* Of those whom only the pool's limit holds up; NULL: nobody waits. */
struct weft__claimant *weft__pool_first_claimant(const struct weft__pool *pool);
/* Where nothing is known of an origin yet, for the connection that is being made. */
bool weft__pool_is_undecided(const struct weft__origin *origin);

/* ---- pool.c ---- */

/* An idle connection, or an empty slot, if the limits leave one. */
int weft__pool_take_slot(struct weft__pool *pool, struct weft__origin *origin,
                         struct weft__conn **ret);
/* A slot that nobody has, with its connection. */
void weft__slot_end(struct weft__conn *conn);
/* A connection that carries others' streams begins to be idle. */
void weft__pool_rest(struct weft__conn *slot);

/* ---- pool_idle.c ---- */

/* From now on; it goes if there is no memory to watch it. */
void weft__pool_idle_add(struct weft__conn *conn, int64_t now);
void weft__pool_idle_remove(struct weft__conn *conn);
/* As it, if it is idle. */
void weft__pool_unrest(struct weft__conn *slot);
/* The newest of an origin that is still good; NULL: there is none. */
struct weft__conn *weft__pool_idle_take(struct weft__pool *pool, struct weft__origin *origin);
/* NULL: there is none. */
struct weft__conn *weft__pool_idle_oldest(const struct weft__pool *pool);
void weft__pool_idle_close(struct weft__pool *pool);
/* pool->timer. */
void weft__pool_idle_reap(struct weft__timer *timer);
/* It is not to be used for another call. */
bool weft__pool_is_aged(const struct weft__conn *slot, int64_t now);

/* ---- pool_turns.c ---- */

/* One more is about to wait in the pool's queue. */
void weft__pool_turns_wait(struct weft__pool *pool);
/* Somebody has left it, served or not. */
void weft__pool_turns_left(struct weft__pool *pool, bool served);
void weft__pool_turn_begin(struct weft__h2_conn *shared, int64_t now);
void weft__pool_turn_end(struct weft__h2_conn *shared);
/* pool->turns. */
void weft__pool_turns_look(struct weft__timer *timer);

/* ---- pool_life.c ---- */

/* A closed pool goes with whoever used it last. */
void weft__pool_check_end(struct weft__pool *pool);

/* ---- pool_h2.c ---- */

/* Lights outlive their loop with the responses that have them. */
void weft__pool_orphan_lights(struct weft__pool *pool);
void weft__pool_free_lights(struct weft__pool *pool);
/* The connection takes no more streams. */
void weft__pool_h2_retire(struct weft__h2_conn *shared);
/* What an origin's first connection will be is known, or it is not made after all. */
void weft__pool_settle(struct weft__pool *pool, struct weft__origin *origin, bool all);

#endif

/*
 * pool_turns.c - calls to some origins do not keep those to others waiting for ever.
 *
 * A connection of HTTP/1.1 comes back after each call and goes to whoever has waited longest.  One
 * of HTTP/2 comes back when it has no stream, which under constant load is never.  So when calls
 * wait for the pool and nothing has changed hands for a moment, the connection that has had its
 * turn yields: it takes no more streams, and when the last one has ended its slot is that of who
 * waits; calls to its own origin wait their turn behind them.  A turn is long enough for the cost of
 * connecting not to matter, and one connection yields at a time.
 *
 * What does not end within some time has streams of another kind, events or a long download: it
 * goes on as before, and its next turn is twice as long.
 */
#include "base/clock.h"
#include "client/h2_int.h"
#include "client/pool_int.h"

#define STANDSTILL WEFT_MS(100)
#define TURN       WEFT_SEC(1)
#define TURN_MAX   WEFT_SEC(3600)
#define YIELD_MAX  WEFT_SEC(5)

/* Without memory for the timer nobody yields until the next one comes to wait. */
static void look_again(struct weft__pool *pool, int64_t when)
{
    weft__timer_start(&pool->loop->timers, &pool->turns, when);
}

void weft__pool_turn_begin(struct weft__h2_conn *shared, int64_t now)
{
    shared->turn_began = now;
    shared->turn = TURN;
}

void weft__pool_turns_wait(struct weft__pool *pool)
{
    if (pool->client->http == WEFT__HTTP_1)
        return;
    int64_t now = weft__loop_now(pool->loop);
    if (weft__list_is_empty(&pool->waiting))
        pool->moved = now;
    if (!weft__timer_is_started(&pool->turns))
        look_again(pool, now + STANDSTILL);
}

/* It goes on as if it had not been asked. */
static void resume(struct weft__pool *pool)
{
    struct weft__h2_conn *shared = pool->yielding;
    struct weft__origin *origin = shared->slot->origin;
    pool->yielding = NULL;
    if (weft__h2_is_leaving(shared->h2) || weft__pool_is_aged(shared->slot, pool->loop->now))
        return;
    weft__list_push_front(&origin->shared, &shared->node);
    weft__pool_give_streams(pool, origin);
}

void weft__pool_turns_left(struct weft__pool *pool, bool served)
{
    if (pool->client->http == WEFT__HTTP_1)
        return;
    if (served)
        pool->moved = weft__loop_now(pool->loop);
    if (pool->yielding == NULL || pool->closed)
        return;
    const struct weft__claimant *first = weft__pool_first_claimant(pool);
    if (first != NULL && first->origin != pool->yielding->slot->origin)
        return;
    resume(pool);
    look_again(pool, weft__loop_now(pool->loop) + STANDSTILL);
}

void weft__pool_turn_end(struct weft__h2_conn *shared)
{
    struct weft__pool *pool = shared->pool;
    if (pool->yielding != shared)
        return;
    pool->yielding = NULL;
    look_again(pool, weft__loop_now(pool->loop) + STANDSTILL);
}

/* Whose turn is over first, of those that can be of use to another origin; NULL: there is none. */
static struct weft__h2_conn *next_to_yield(const struct weft__pool *pool,
                                           const struct weft__origin *origin)
{
    struct weft__h2_conn *best = NULL;
    for (struct weft__list *node = pool->shared.next; node != &pool->shared; node = node->next) {
        struct weft__h2_conn *shared = WEFT__CONTAINER(node, struct weft__h2_conn, of_pool);
        if (shared->ended || weft__list_is_empty(&shared->node) || shared->slot->origin == origin)
            continue;
        if (best == NULL || shared->turn_began + shared->turn < best->turn_began + best->turn)
            best = shared;
    }
    return best;
}

/* Returns when to look again. */
static int64_t ask_one(struct weft__pool *pool, int64_t now)
{
    struct weft__h2_conn *shared = next_to_yield(pool, weft__pool_first_claimant(pool)->origin);
    if (shared == NULL)
        return now + TURN;
    if (shared->turn_began + shared->turn > now)
        return shared->turn_began + shared->turn;
    pool->yielding = shared;
    weft__pool_h2_retire(shared);
    return now + YIELD_MAX;
}

void weft__pool_turns_look(struct weft__timer *timer)
{
    struct weft__pool *pool = WEFT__CONTAINER(timer, struct weft__pool, turns);
    int64_t now = weft__loop_now(pool->loop);
    struct weft__h2_conn *shared = pool->yielding;
    if (shared != NULL) {
        shared->turn_began = now;
        shared->turn = shared->turn < TURN_MAX ? 2 * shared->turn : TURN_MAX;
        resume(pool);
    }
    if (pool->closed || weft__pool_first_claimant(pool) == NULL)
        return;
    int64_t when = pool->moved + STANDSTILL;
    look_again(pool, when > now ? when : ask_one(pool, now));
}

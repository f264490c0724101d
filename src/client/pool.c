/*
 * pool.c - the connections of a client on one loop.
 *
 * A slot is a struct weft__conn, with or without a connection in it.  It belongs to the call
 * that acquired it until that call releases or drops it, on whatever path it leaves, so no
 * cancellation can lose one.  There are never more slots than the limits say.
 *
 * Who finds no slot waits: in the pool's queue if only the pool's limit is in the way, in its
 * origin's queue if the origin's own limit is.  A slot that becomes free goes straight to
 * whoever of the two heads came first, and nobody can barge in between: while anybody waits in
 * the pool's queue, all slots are in use.  So that those in the pool's queue cannot together
 * break an origin's limit, each counts as a claim on its origin like a slot does.
 */
#include "base/alloc.h"
#include "client/h2_int.h"
#include "client/pool_int.h"

/* ---- slots ---- */

static struct weft__conn *slot_new(struct weft__pool *pool, struct weft__origin *origin)
{
    struct weft__conn *conn = weft__calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->pool = pool;
    conn->origin = origin;
    weft__list_init(&conn->idle);
    weft__list_init(&conn->age);
    weft__list_push_back(&pool->conns, &conn->node);
    weft__h1_head_init(&conn->head);
    weft__buf_init(&conn->out, WEFT__LIMIT_HEADERS);
    origin->claims++;
    origin->users++;
    pool->n_conns++;
    return conn;
}

/* The slot's memory; it is in no list of its pool any more. */
static void slot_free(struct weft__conn *conn)
{
    weft__conn_shut(conn);
    weft__h1_head_done(&conn->head);
    weft__buf_done(&conn->out);
    weft__free(conn);
}

void weft__slot_end(struct weft__conn *conn)
{
    struct weft__pool *pool = conn->pool;
    struct weft__origin *origin = conn->origin;
    weft__list_remove(&conn->node);
    slot_free(conn);
    origin->claims--;
    pool->n_conns--;
    weft__pool_origin_put(pool, origin);
}

/* ---- handing over ---- */

/* The slot's connection is to be made, and others of its origin may be able to use it too. */
static void begin_opening(struct weft__conn *conn)
{
    if (conn->stream != NULL || conn->opener || conn->origin->http == WEFT__HTTP_1)
        return;
    conn->opener = true;
    conn->origin->opening++;
}

static bool end_opening(struct weft__conn *conn)
{
    bool was = conn->opener;
    conn->opener = false;
    conn->origin->opening -= was;
    return was;
}

/* Ends the connection in a slot and gives the slot to another origin. */
static void retarget(struct weft__conn *conn, struct weft__origin *origin)
{
    struct weft__origin *old = conn->origin;
    weft__conn_shut(conn);
    if (old == origin)
        return;
    conn->origin = origin;
    origin->claims++;
    origin->users++;
    old->claims--;
    weft__pool_promote(conn->pool, old);
    weft__pool_origin_put(conn->pool, old);
}

/* Gives a slot to whoever waits longest for it; false if nobody does. */
static bool hand_over(struct weft__conn *conn, bool reusable)
{
    struct weft__pool *pool = conn->pool;
    struct weft__claimant *waiter = weft__pool_next_claimant(pool, conn->origin);
    if (waiter == NULL)
        return false;
    if (!reusable || waiter->origin != conn->origin)
        retarget(conn, waiter->origin);
    if (waiter->in_pool)
        waiter->origin->claims--;
    begin_opening(conn);
    weft__claimant_wake(waiter, conn, 0);
    return true;
}

/* ---- acquire, release ---- */

/* A slot without a connection, if the limits leave one. */
static int take_empty(struct weft__pool *pool, struct weft__origin *origin, struct weft__conn **ret)
{
    *ret = NULL;
    if (origin->claims >= pool->limits.per_origin)
        return 0;
    if (pool->n_conns < pool->limits.connections) {
        *ret = slot_new(pool, origin);
        return *ret != NULL ? 0 : weft__fail_nomem();
    }
    struct weft__conn *conn = weft__pool_idle_oldest(pool);
    if (conn == NULL)
        return 0;
    weft__pool_idle_remove(conn);
    retarget(conn, origin);
    *ret = conn;
    return 0;
}

int weft__pool_take_slot(struct weft__pool *pool, struct weft__origin *origin,
                         struct weft__conn **ret)
{
    *ret = weft__pool_idle_take(pool, origin);
    int err = *ret == NULL ? take_empty(pool, origin, ret) : 0;
    if (*ret != NULL)
        begin_opening(*ret);
    return err;
}

int weft__pool_acquire(struct weft__pool *pool, const weft_url *url, const struct weft__way *way,
                       int64_t timeout, struct weft__conn **ret)
{
    struct weft__origin *origin = NULL;
    struct weft__conn *conn;
    if (pool->closed)
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    int err = weft__pool_origin_get(pool, url, way, &origin);
    if (err < 0)
        return err;
    if (way->refused_h2)
        weft__pool_origin_refuses_h2(pool, origin);
    err = weft__pool_take_stream(pool, origin, &conn);
    if (err == 0 && conn == NULL && !weft__pool_is_undecided(origin))
        err = weft__pool_take_slot(pool, origin, &conn);
    if (err == 0 && conn == NULL)
        err = weft__pool_wait(pool, origin, timeout, &conn);
    weft__pool_origin_put(pool, origin);
    if (err == 0)
        *ret = conn;
    return err;
}

void weft__pool_rest(struct weft__conn *slot)
{
    struct weft__pool *pool = slot->pool;
    if (pool->closed || pool->limits.idle_timeout <= 0)
        weft__pool_drop(slot);
    else if (!hand_over(slot, false))
        weft__pool_idle_add(slot, weft_now());
}

void weft__pool_release(struct weft__conn *conn, int64_t now)
{
    struct weft__pool *pool = conn->pool;
    weft__limited_end(conn);
    if (conn->light) {
        weft__pool_put_light(conn);
        return;
    }
    if (pool == NULL || pool->closed || pool->limits.idle_timeout <= 0 ||
        weft__pool_is_aged(conn, now)) {
        weft__pool_drop(conn);
        return;
    }
    if (conn->in != NULL) {
        weft__pool_give_buffer(pool, conn->in, conn->in_cap);
        conn->in = NULL;
    }
    if (hand_over(conn, true))
        return;
    weft__list_push_front(&conn->origin->idle, &conn->idle);
    weft__pool_idle_add(conn, now);
}

void weft__pool_drop(struct weft__conn *conn)
{
    struct weft__pool *pool = conn->pool;
    weft__limited_end(conn);
    if (conn->light) {
        weft__pool_put_light(conn);
        return;
    }
    if (pool == NULL) {
        slot_free(conn);
        return;
    }
    weft__conn_shut(conn);
    /* Its turn to connect goes to the next one who waits. */
    if (end_opening(conn))
        weft__pool_settle(pool, conn->origin, false);
    if (!pool->closed && hand_over(conn, false))
        return;
    weft__slot_end(conn);
    weft__pool_check_end(pool);
}

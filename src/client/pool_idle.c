/*
 * pool_idle.c - connections that nobody uses and the one timer that closes them; those that are
 * too old to be used.
 *
 * They are reused newest first and closed oldest first.  More than max_idle of them are kept only
 * for a moment: that workers pause between two calls does not make them surplus.
 */
#include "base/clock.h"
#include "client/pool_int.h"
#include "stream/stream_int.h"

#define SURPLUS_GRACE WEFT_MS(100)

void weft__pool_idle_remove(struct weft__conn *conn)
{
    weft__list_remove(&conn->idle);
    weft__list_remove(&conn->age);
    conn->pool->n_idle--;
}

struct weft__conn *weft__pool_idle_take(struct weft__pool *pool, struct weft__origin *origin)
{
    int64_t now = weft__list_is_empty(&origin->idle) ? 0 : weft__loop_now(pool->loop);
    while (!weft__list_is_empty(&origin->idle)) {
        struct weft__conn *conn = WEFT__CONTAINER(origin->idle.next, struct weft__conn, idle);
        int64_t age = now - conn->idle_since;
        weft__pool_idle_remove(conn);
        if (weft__pool_is_aged(conn, now)) {
            weft__slot_end(conn);
            continue;
        }
        /* Closed meanwhile, or bytes that answer no request: not to be trusted with one. */
        if (age < pool->limits.idle_timeout &&
            (age < WEFT__QUIET_AFTER || weft__stream_is_quiet(conn->stream)))
            return conn;
        weft__slot_end(conn);
    }
    return NULL;
}

/* How long the oldest idle connection may stay. */
static int64_t patience(const struct weft__pool *pool)
{
    int64_t timeout = pool->limits.idle_timeout;
    if (pool->n_idle > pool->limits.idle && timeout > SURPLUS_GRACE)
        timeout = SURPLUS_GRACE;
    return timeout;
}

struct weft__conn *weft__pool_idle_oldest(const struct weft__pool *pool)
{
    if (weft__list_is_empty(&pool->idle))
        return NULL;
    return WEFT__CONTAINER(pool->idle.next, struct weft__conn, age);
}

/* false: there is no memory for the timer. */
static bool arm(struct weft__pool *pool)
{
    const struct weft__conn *oldest = weft__pool_idle_oldest(pool);
    int64_t timeout = patience(pool);
    if (oldest == NULL || timeout == WEFT_FOREVER)
        return true;
    int64_t when = oldest->idle_since + timeout;
    if (weft__timer_is_started(&pool->timer) && pool->timer.when <= when)
        return true;
    return weft__timer_start(&pool->loop->timers, &pool->timer, when) == 0;
}

void weft__pool_idle_close(struct weft__pool *pool)
{
    struct weft__conn *oldest;
    while ((oldest = weft__pool_idle_oldest(pool)) != NULL) {
        weft__pool_idle_remove(oldest);
        weft__slot_end(oldest);
    }
}

void weft__pool_idle_reap(struct weft__timer *timer)
{
    struct weft__pool *pool = WEFT__CONTAINER(timer, struct weft__pool, timer);
    struct weft__conn *oldest;
    while ((oldest = weft__pool_idle_oldest(pool)) != NULL &&
           timer->when - oldest->idle_since >= patience(pool)) {
        weft__pool_idle_remove(oldest);
        weft__slot_end(oldest);
    }
    if (!arm(pool))
        weft__pool_idle_close(pool);
}

void weft__pool_idle_add(struct weft__conn *conn, int64_t now)
{
    struct weft__pool *pool = conn->pool;
    conn->idle_since = now;
    weft__list_push_back(&pool->idle, &conn->age);
    pool->n_idle++;
    if (arm(pool))
        return;
    weft__pool_idle_remove(conn);
    weft__slot_end(conn);
}

void weft__pool_unrest(struct weft__conn *slot)
{
    if (!weft__list_is_empty(&slot->age))
        weft__pool_idle_remove(slot);
}

/* ---- age ---- */

/* In use over HTTP/1.1 it is looked at when it is given back. */
static void age(struct weft__timer *timer)
{
    struct weft__conn *conn = WEFT__CONTAINER(timer, struct weft__conn, ageing);
    if (conn->shared != NULL) {
        weft__pool_h2_retire(conn->shared);
    } else if (!weft__list_is_empty(&conn->age)) {
        weft__pool_idle_remove(conn);
        weft__slot_end(conn);
    }
}

int weft__pool_begin_ageing(struct weft__conn *conn)
{
    struct weft__pool *pool = conn->pool;
    if (pool == NULL || pool->limits.lifetime == WEFT_FOREVER)
        return 0;
    int64_t when = weft__clock_add(conn->opened_at, pool->limits.lifetime);
    conn->ageing.fire = age;
    return weft__timer_start(&pool->loop->timers, &conn->ageing, when) < 0 ? weft__fail_nomem() : 0;
}

/* In plain code no timer runs between two calls. */
bool weft__pool_is_aged(const struct weft__conn *slot, int64_t now)
{
    int64_t lifetime = slot->pool->limits.lifetime;
    return lifetime != WEFT_FOREVER && now - slot->opened_at >= lifetime;
}

/*
 * pool_h2.c - streams of HTTP/2 connections as places of the pool.
 *
 * Whether an origin speaks HTTP/2 is known only once a connection to it is made.  Whoever comes
 * meanwhile waits for that, so that a hundred calls at once make one connection and not a
 * hundred; if it turns out to be HTTP/1.1, or cannot be made, they go on to make theirs at once.
 * After that a call takes a stream where there is one, else it makes another connection if the
 * limits allow, else it waits like all others, and has the first stream that becomes free.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "client/h2_int.h"
#include "client/pool_int.h"

enum { SPARE_LIGHTS_MAX = 128 };

/* ---- lights ---- */

static struct weft__light *light_alloc(struct weft__pool *pool)
{
    struct weft__list *node = weft__list_pop_front(&pool->spare_lights);
    if (node != NULL) {
        pool->n_spare_lights--;
        return WEFT__CONTAINER(node, struct weft__light, node);
    }
    struct weft__light *light = weft__calloc(1, sizeof *light);
    if (light == NULL)
        return NULL;
    weft__list_init(&light->conn.node);
    weft__list_init(&light->conn.idle);
    weft__list_init(&light->conn.age);
    weft__h1_head_init(&light->conn.head);
    weft__buf_init(&light->conn.out, WEFT__LIMIT_HEADERS);
    light->conn.light = true;
    return light;
}

static void light_free(struct weft__pool *pool, struct weft__light *light)
{
    weft__buf_done(&light->aside);
    if (pool != NULL && pool->n_spare_lights < SPARE_LIGHTS_MAX) {
        weft__list_push_front(&pool->spare_lights, &light->node);
        pool->n_spare_lights++;
        return;
    }
    weft__h1_head_done(&light->conn.head);
    weft__buf_done(&light->conn.out);
    weft__free(light);
}

void weft__pool_free_lights(struct weft__pool *pool)
{
    struct weft__list *node;
    while ((node = weft__list_pop_front(&pool->spare_lights)) != NULL)
        light_free(NULL, WEFT__CONTAINER(node, struct weft__light, node));
}

static struct weft__conn *light_begin(struct weft__light *light, struct weft__h2_conn *shared)
{
    struct weft__conn *slot = shared->slot;
    struct weft__conn *conn = &light->conn;
    conn->pool = shared->pool;
    conn->origin = slot->origin;
    conn->stream = slot->stream;
    conn->shared = shared;
    conn->info = slot->info;
    atomic_fetch_add_explicit(&conn->info->refs, 1, memory_order_relaxed);
    conn->opened_at = slot->opened_at;
    conn->permit_of = NULL;
    conn->refused = false;
    light->stream = NULL;
    light->tunnel = NULL;
    light->flushed = false;
    weft__buf_init(&light->aside, WEFT__LIMIT_H2_ASIDE);
    conn->origin->users++;
    conn->pool->n_lights++;
    weft__list_push_back(&shared->lights, &light->node);
    shared->n_lights++;
    shared->n_pending++;
    weft__pool_unrest(slot);
    return conn;
}

static int light_new(struct weft__h2_conn *shared, struct weft__conn **ret)
{
    struct weft__light *light = light_alloc(shared->pool);
    if (light == NULL)
        return weft__fail_nomem();
    *ret = light_begin(light, shared);
    return 0;
}

/* Nobody has a stream of it: it is idle, or has been waiting for that to end. */
static void last_left(struct weft__h2_conn *shared)
{
    if (shared->ended)
        return;
    if (weft__h2_is_leaving(shared->h2) || weft__list_is_empty(&shared->node)) {
        weft__h2c_end(shared, 0);
        return;
    }
    weft__pool_rest(shared->slot);
}

/* In plain code nobody turns the loop now: the server is told at once, as by the end of HTTP/1.1. */
static void tell_now(struct weft__pool *pool)
{
    struct weft__loop *loop = pool->loop;
    struct weft_task *self = weft__self();
    if (self != &loop->native || self->state != TASK_RUNNING || loop->forked)
        return;
    pool->users++;
    weft__yield(self);
    weft__loop_flush(loop);
    loop->backend->poll(loop, 0);
    pool->users--;
}

void weft__pool_put_light(struct weft__conn *conn)
{
    struct weft__light *light = weft__light_of(conn);
    struct weft__h2_conn *shared = conn->shared;
    weft__h2_upload_end(light);
    bool given_up = light->stream != NULL && !weft__h2_is_over(light->stream);
    struct weft__pool *pool = conn->pool;
    struct weft__origin *origin = conn->origin;
    if (light->stream == NULL)
        shared->n_pending--;
    weft__h2_stream_free(light->stream);
    weft__conn_info_unref(conn->info);
    weft__list_remove(&light->node);
    shared->n_lights--;
    light_free(pool, light);
    if (!shared->ended)
        weft__pool_give_streams(pool, origin);
    if (shared->n_lights == 0)
        last_left(shared);
    if (pool != NULL) {
        pool->n_lights--;
        weft__pool_origin_put(pool, origin);
    }
    weft__h2c_check(shared);
    if (pool == NULL)
        return;
    if (given_up)
        tell_now(pool);
    if (pool->closed)
        weft__pool_finish(pool);
    weft__pool_check_end(pool);
}

void weft__pool_orphan_lights(struct weft__pool *pool)
{
    struct weft__list *node;
    while ((node = weft__list_pop_front(&pool->shared)) != NULL) {
        struct weft__h2_conn *shared = WEFT__CONTAINER(node, struct weft__h2_conn, of_pool);
        shared->pool = NULL;
        for (node = shared->lights.next; node != &shared->lights; node = node->next) {
            struct weft__conn *conn = &WEFT__CONTAINER(node, struct weft__light, node)->conn;
            weft__pool_origin_put(pool, conn->origin);
            conn->origin = NULL;
            conn->pool = NULL;
            pool->n_lights--;
        }
    }
}

/* ---- streams ---- */

/* As long as a server has not said how many, it is what it said last time. */
static bool has_room(const struct weft__origin *origin, const struct weft__h2_conn *shared)
{
    if (!shared->greeted && origin->streams > 0 && shared->n_lights >= origin->streams)
        return false;
    return weft__h2_room(shared->h2) > shared->n_pending;
}

/* Where there is room, earlier connections first: so that those too many become idle. */
static struct weft__h2_conn *roomy(const struct weft__pool *pool, const struct weft__origin *origin)
{
    int64_t now = pool->limits.lifetime != WEFT_FOREVER ? weft__loop_now(pool->loop) : 0;
    for (struct weft__list *node = origin->shared.next; node != &origin->shared;
         node = node->next) {
        struct weft__h2_conn *shared = WEFT__CONTAINER(node, struct weft__h2_conn, node);
        if (has_room(origin, shared) && !weft__pool_is_aged(shared->slot, now))
            return shared;
    }
    return NULL;
}

/* In plain code nobody has looked at what has come since the last call. */
static void look_at_idle(struct weft__pool *pool, const struct weft__h2_conn *shared)
{
    struct weft__loop *loop = pool->loop;
    struct weft_task *self = weft__self();
    if (self != &loop->native || shared->n_lights > 0 ||
        weft__loop_now(loop) - shared->slot->idle_since < WEFT__QUIET_AFTER)
        return;
    loop->backend->poll(loop, 0);
    weft__yield(self);
}

int weft__pool_take_stream(struct weft__pool *pool, struct weft__origin *origin,
                           struct weft__conn **ret)
{
    struct weft__h2_conn *shared = roomy(pool, origin);
    *ret = NULL;
    if (shared == NULL)
        return 0;
    look_at_idle(pool, shared);
    if (pool->closed)
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    weft__pool_give_streams(pool, origin);
    shared = roomy(pool, origin);
    return shared != NULL ? light_new(shared, ret) : 0;
}

bool weft__pool_takes_protocol(const struct weft__pool *pool, const weft_url *url, const char *way)
{
    bool secure = strcmp(weft_url_scheme(url), "https") == 0;
    for (struct weft__list *node = pool->shared.next; node != &pool->shared; node = node->next) {
        struct weft__h2_conn *shared = WEFT__CONTAINER(node, struct weft__h2_conn, of_pool);
        if (weft__list_is_empty(&shared->node) || !weft__h2_takes_protocol(shared->h2))
            continue;
        const struct weft__origin *origin = shared->slot->origin;
        if (origin->port == weft_url_port(url) && origin->secure == secure &&
            strcmp(origin->host, weft_url_host(url)) == 0 && strcmp(origin->way, way) == 0)
            return true;
    }
    return false;
}

void weft__pool_give_streams(struct weft__pool *pool, struct weft__origin *origin)
{
    struct weft__h2_conn *shared;
    while (!weft__list_is_empty(&origin->waiters) && (shared = roomy(pool, origin)) != NULL) {
        struct weft__claimant *claimant =
            WEFT__CONTAINER(origin->waiters.next, struct weft__claimant, of_origin);
        struct weft__conn *conn = NULL;
        int err = light_new(shared, &conn);
        bool in_pool = claimant->in_pool;
        if (err == 0 && in_pool)
            origin->claims--;
        weft__claimant_wake(claimant, conn, err);
        if (err == 0 && in_pool)
            weft__pool_promote(pool, origin);
    }
}

void weft__pool_h2_retire(struct weft__h2_conn *shared)
{
    weft__list_remove(&shared->node);
    if (shared->n_lights == 0)
        weft__h2c_end(shared, 0);
}

void weft__pool_h2_changed(struct weft__h2_conn *shared)
{
    if (shared->ended)
        return;
    if (shared->greeted)
        shared->slot->origin->streams = weft__h2_streams_max(shared->h2);
    if (!weft__h2_is_leaving(shared->h2)) {
        weft__pool_give_streams(shared->pool, shared->slot->origin);
        return;
    }
    weft__pool_h2_retire(shared);
}

void weft__pool_h2_leave(struct weft__conn *conn)
{
    weft__list_remove(&conn->shared->node);
}

void weft__pool_h2_lost(struct weft__conn *slot)
{
    weft__pool_unrest(slot);
    weft__pool_drop(slot);
}

/* ---- what a new connection turns out to be ---- */

void weft__pool_settle(struct weft__pool *pool, struct weft__origin *origin, bool all)
{
    while (!weft__list_is_empty(&origin->undecided)) {
        struct weft__claimant *claimant = weft__claimant_of(origin->undecided.next);
        struct weft__conn *conn = NULL;
        if (!all && origin->opening > 0 && origin->http != WEFT__HTTP_1)
            return;
        int err = weft__pool_take_slot(pool, origin, &conn);
        if (err < 0 || conn != NULL) {
            weft__claimant_wake(claimant, conn, err);
            continue;
        }
        weft__list_remove(&claimant->base.node);
        weft__pool_enqueue(pool, claimant);
    }
}

/* The slot is the connection's, and the caller's is a stream of it. */
static int share(struct weft__conn **conn)
{
    struct weft__conn *slot = *conn;
    struct weft__h2_conn *shared;
    struct weft__light *light = light_alloc(slot->pool);
    if (light == NULL)
        return weft__fail_nomem();
    int err = weft__h2c_new(slot, &shared);
    if (err < 0) {
        light_free(slot->pool, light);
        return err;
    }
    *conn = light_begin(light, shared);
    (*conn)->permit_of = slot->permit_of;
    (*conn)->permit_since = slot->permit_since;
    (*conn)->refused = slot->refused;
    slot->permit_of = NULL;
    return weft__h2c_start(shared);
}

int weft__pool_opened(struct weft__conn **conn, int err, bool h2)
{
    struct weft__conn *slot = *conn;
    struct weft__pool *pool = slot->pool;
    struct weft__origin *origin = slot->origin;
    bool was_opener = slot->opener;
    if (was_opener) {
        slot->opener = false;
        origin->opening--;
    }
    if (err == 0 && h2)
        err = share(conn);
    if (err == 0)
        origin->http = h2 ? WEFT__HTTP_2 : WEFT__HTTP_1;
    if (err == 0 && h2)
        weft__pool_give_streams(pool, origin);
    if (was_opener)
        weft__pool_settle(pool, origin, err == 0 ? !h2 : err != -ECANCELED);
    return err;
}

/* ---- the end ---- */

void weft__pool_finish(struct weft__pool *pool)
{
    struct weft_task *self = weft__self();
    if (self != &pool->loop->native || self->state != TASK_RUNNING || pool->loop->forked)
        return;
    pool->users++;
    while (pool->n_ending > 0) {
        struct weft__waiter ender = {.wait = {.what = "end of HTTP/2 connections"}};
        weft__list_push_back(&pool->enders, &ender.node);
        weft__park(self, &ender.wait);
    }
    pool->users--;
}

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
 *
 * Idle connections are reused newest first and closed oldest first, by one timer.  More than
 * max_idle of them are kept only for a moment: that workers pause between two calls does not
 * make them surplus.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "client/h2_int.h"
#include "client/pool_int.h"
#include "stream/stream_int.h"

enum { BUCKETS_FIRST = 16, SPARE_MAX = 32 };

#define SURPLUS_GRACE WEFT_MS(100)

struct weft__spare {
    struct weft__spare *next;
};

/* ---- origins ---- */

/* What a connection is for, and how it gets there: only those that share it are the same. */
struct key {
    const char *host;
    const char *way;
    uint32_t hash;
    uint16_t port;
    bool secure;
};

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static int grow_buckets(struct weft__pool *pool)
{
    size_t n = pool->n_buckets == 0 ? BUCKETS_FIRST : pool->n_buckets * 2;
    struct weft__origin **buckets = weft__calloc(n, sizeof(struct weft__origin *));
    if (buckets == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < pool->n_buckets; i++) {
        while (pool->buckets[i] != NULL) {
            struct weft__origin *origin = pool->buckets[i];
            pool->buckets[i] = origin->next;
            origin->next = buckets[origin->hash & (n - 1)];
            buckets[origin->hash & (n - 1)] = origin;
        }
    }
    weft__free(pool->buckets);
    pool->buckets = buckets;
    pool->n_buckets = n;
    return 0;
}

static struct weft__origin *origin_find(struct weft__pool *pool, const struct key *key)
{
    if (pool->n_buckets == 0)
        return NULL;
    struct weft__origin *origin = pool->buckets[key->hash & (pool->n_buckets - 1)];
    for (; origin != NULL; origin = origin->next) {
        if (origin->hash == key->hash && origin->port == key->port &&
            origin->secure == key->secure && strcmp(origin->host, key->host) == 0 &&
            strcmp(origin->way, key->way) == 0)
            return origin;
    }
    return NULL;
}

/* What can be spoken with it, as long as it has not been asked. */
static enum weft__http http_of(const weft_client *client, const struct weft__way *way, bool secure)
{
    if (client->http != WEFT__HTTP_ANY)
        return client->http;
    if (way->only_h1)
        return WEFT__HTTP_1;
    /* What others make of a URL has no TLS of ours, by which the two sides could agree. */
    return secure && way->transport == NULL && client->dial == NULL ? WEFT__HTTP_ANY : WEFT__HTTP_1;
}

static struct weft__origin *origin_new(const weft_client *client, const struct key *key,
                                       const struct weft__way *way)
{
    const char *proxy = way->proxy != NULL ? way->proxy->shown : "";
    size_t host_size = strlen(key->host) + 1;
    size_t way_size = strlen(key->way) + 1;
    size_t proxy_size = strlen(proxy) + 1;
    struct weft__origin *origin =
        weft__calloc(1, sizeof *origin + host_size + way_size + proxy_size);
    if (origin == NULL)
        return NULL;
    weft__list_init(&origin->idle);
    weft__list_init(&origin->waiting);
    weft__list_init(&origin->undecided);
    weft__list_init(&origin->waiters);
    weft__list_init(&origin->shared);
    origin->http = http_of(client, way, key->secure);
    origin->hash = key->hash;
    origin->port = key->port;
    origin->secure = key->secure;
    memcpy(origin->host, key->host, host_size);
    origin->way = memcpy(origin->host + host_size, key->way, way_size);
    origin->proxy = memcpy(origin->host + host_size + way_size, proxy, proxy_size);
    return origin;
}

/* With one more user. */
static int origin_get(struct weft__pool *pool, const weft_url *url, const struct weft__way *way,
                      struct weft__origin **ret)
{
    struct key key = {
        .host = weft_url_host(url),
        .way = way->key,
        .port = (uint16_t)weft_url_port(url),
        .secure = strcmp(weft_url_scheme(url), "https") == 0,
    };
    key.hash = 2166136261u ^ key.port ^ ((uint32_t)key.secure << 16);
    key.hash = hash_text(hash_text(key.hash, key.host), key.way);
    struct weft__origin *origin = origin_find(pool, &key);
    if (origin == NULL) {
        if (pool->n_origins >= pool->n_buckets && grow_buckets(pool) < 0)
            return -ENOMEM;
        origin = origin_new(pool->client, &key, way);
        if (origin == NULL)
            return weft__fail_nomem();
        origin->next = pool->buckets[key.hash & (pool->n_buckets - 1)];
        pool->buckets[key.hash & (pool->n_buckets - 1)] = origin;
        pool->n_origins++;
    }
    origin->users++;
    *ret = origin;
    return 0;
}

void weft__pool_origin_put(struct weft__pool *pool, struct weft__origin *origin)
{
    if (--origin->users > 0)
        return;
    struct weft__origin **link = &pool->buckets[origin->hash & (pool->n_buckets - 1)];
    while (*link != origin)
        link = &(*link)->next;
    *link = origin->next;
    pool->n_origins--;
    weft__free(origin);
}

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

static void slot_end(struct weft__conn *conn)
{
    struct weft__pool *pool = conn->pool;
    struct weft__origin *origin = conn->origin;
    weft__list_remove(&conn->node);
    slot_free(conn);
    origin->claims--;
    pool->n_conns--;
    weft__pool_origin_put(pool, origin);
}

static void unlink_idle(struct weft__conn *conn)
{
    weft__list_remove(&conn->idle);
    weft__list_remove(&conn->age);
    conn->pool->n_idle--;
}

/* ---- waiting ---- */

static struct weft__claimant *first_of(const struct weft__list *queue)
{
    return weft__list_is_empty(queue) ? NULL : weft__claimant_of(queue->next);
}

void weft__claimant_wake(struct weft__claimant *claimant, struct weft__conn *conn, int err)
{
    weft__list_remove(&claimant->base.node);
    weft__list_remove(&claimant->of_origin);
    claimant->conn = conn;
    weft__wake(claimant->base.wait.task, err);
}

static void claimant_cancel(struct weft__wait *wait, int code)
{
    struct weft__claimant *claimant =
        (struct weft__claimant *)(void *)WEFT__CONTAINER(wait, struct weft__waiter, wait);
    if (!weft__list_is_empty(&claimant->base.node))
        weft__claimant_wake(claimant, NULL, code);
}

static uint64_t turn_of(struct weft__list *node)
{
    return weft__claimant_of(node)->turn;
}

/*
 * Where a turn belongs in a queue.  Whose origin is slow comes in near the front, whose origin
 * has its second round near the back: so it is looked for from both ends at once.
 */
static struct weft__list *place_of(struct weft__list *queue, uint64_t turn)
{
    struct weft__list *front = queue->next;
    struct weft__list *back = queue;
    for (;;) {
        if (front == queue || turn_of(front) > turn)
            return front;
        if (turn_of(back->prev) < turn)
            return back;
        front = front->next;
        back = back->prev;
    }
}

void weft__pool_enqueue(struct weft__pool *pool, struct weft__claimant *claimant)
{
    struct weft__origin *origin = claimant->origin;
    claimant->in_pool = origin->claims < pool->limits.per_origin;
    if (claimant->in_pool)
        origin->claims++;
    struct weft__list *queue = claimant->in_pool ? &pool->waiting : &origin->waiting;
    weft__list_insert_before(place_of(queue, claimant->turn), &claimant->base.node);
}

void weft__pool_promote(struct weft__pool *pool, struct weft__origin *origin)
{
    struct weft__claimant *claimant = first_of(&origin->waiting);
    if (claimant == NULL || origin->claims >= pool->limits.per_origin)
        return;
    weft__list_remove(&claimant->base.node);
    weft__pool_enqueue(pool, claimant);
}

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
    struct weft__claimant *waiter = first_of(&pool->waiting);
    struct weft__claimant *of_origin = first_of(&conn->origin->waiting);
    if (waiter == NULL || (of_origin != NULL && of_origin->turn < waiter->turn))
        waiter = of_origin;
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

/* Where nothing is known of an origin yet, for the connection that is being made. */
static bool is_undecided(const struct weft__origin *origin)
{
    return origin->opening > 0 && origin->http != WEFT__HTTP_1;
}

static int wait_turn(struct weft__pool *pool, struct weft__origin *origin,
                     struct weft__claimant *waiter)
{
    struct weft_task *self = weft__self();
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    *waiter = (struct weft__claimant){.origin = origin, .turn = pool->next_turn++};
    waiter->base.wait.cancel = claimant_cancel;
    waiter->base.wait.what = "connection of the pool";
    weft__list_push_back(&origin->waiters, &waiter->of_origin);
    if (is_undecided(origin))
        weft__list_push_back(&origin->undecided, &waiter->base.node);
    else
        weft__pool_enqueue(pool, waiter);
    pool->n_waiting++;
    err = (int)weft__park(self, &waiter->base.wait);
    pool->n_waiting--;
    if (waiter->conn != NULL)
        return 0;
    if (waiter->in_pool) {
        origin->claims--;
        weft__pool_promote(pool, origin);
    }
    if (err == -ECANCELED)
        return weft__cancel_error(self);
    return err < 0 ? weft__fail_code(err) : err;
}

static int wait_for_slot(struct weft__pool *pool, struct weft__origin *origin, int64_t timeout,
                         struct weft__conn **ret)
{
    struct weft__claimant waiter = {.conn = NULL};
    if (timeout == WEFT_FOREVER) {
        int err = wait_turn(pool, origin, &waiter);
        *ret = waiter.conn;
        return err;
    }
    weft_scope scope;
    weft_scope_enter(&scope, timeout);
    int err = wait_turn(pool, origin, &waiter);
    bool cancelled = err == -ECANCELED;
    err = weft_scope_exit(&scope, err);
    *ret = waiter.conn;
    if (cancelled && err == -ETIMEDOUT)
        return weft__fail(WEFT_EPOOL_TIMEOUT,
                          "timed out after %.6g s while waiting for a connection of the pool: "
                          "%zu are in use, %zu calls wait",
                          (double)timeout * 1e-9, pool->n_conns, pool->n_waiting);
    return err;
}

/* ---- acquire, release ---- */

static struct weft__conn *take_idle(struct weft__pool *pool, struct weft__origin *origin)
{
    int64_t now = weft__list_is_empty(&origin->idle) ? 0 : weft__loop_now(pool->loop);
    while (!weft__list_is_empty(&origin->idle)) {
        struct weft__conn *conn = WEFT__CONTAINER(origin->idle.next, struct weft__conn, idle);
        int64_t age = now - conn->idle_since;
        unlink_idle(conn);
        /* Closed meanwhile, or bytes that answer no request: not to be trusted with one. */
        if (age < pool->limits.idle_timeout &&
            (age < WEFT__QUIET_AFTER || weft__stream_is_quiet(conn->stream)))
            return conn;
        slot_end(conn);
    }
    return NULL;
}

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
    if (weft__list_is_empty(&pool->idle))
        return 0;
    struct weft__conn *conn = WEFT__CONTAINER(pool->idle.next, struct weft__conn, age);
    unlink_idle(conn);
    retarget(conn, origin);
    *ret = conn;
    return 0;
}

int weft__pool_take_slot(struct weft__pool *pool, struct weft__origin *origin,
                         struct weft__conn **ret)
{
    *ret = take_idle(pool, origin);
    int err = *ret == NULL ? take_empty(pool, origin, ret) : 0;
    if (*ret != NULL)
        begin_opening(*ret);
    return err;
}

/* It is remembered as long as the pool is there, of so many origins. */
static void refuse_h2(struct weft__pool *pool, struct weft__origin *origin)
{
    if (origin->refuses_h2)
        return;
    origin->http = WEFT__HTTP_1;
    origin->refuses_h2 = true;
    if (pool->n_refusing == WEFT__LIMIT_H2_REFUSING)
        return;
    pool->n_refusing++;
    origin->users++;
}

int weft__pool_acquire(struct weft__pool *pool, const weft_url *url, const struct weft__way *way,
                       int64_t timeout, struct weft__conn **ret)
{
    struct weft__origin *origin = NULL;
    struct weft__conn *conn;
    if (pool->closed)
        return weft__fail_code(WEFT_ECLIENT_CLOSED);
    int err = origin_get(pool, url, way, &origin);
    if (err < 0)
        return err;
    if (way->refused_h2)
        refuse_h2(pool, origin);
    err = weft__pool_take_stream(pool, origin, &conn);
    if (err == 0 && conn == NULL && !is_undecided(origin))
        err = weft__pool_take_slot(pool, origin, &conn);
    if (err == 0 && conn == NULL)
        err = wait_for_slot(pool, origin, timeout, &conn);
    weft__pool_origin_put(pool, origin);
    if (err == 0)
        *ret = conn;
    return err;
}

/* How long the oldest idle connection may stay. */
static int64_t patience(const struct weft__pool *pool)
{
    int64_t timeout = pool->limits.idle_timeout;
    if (pool->n_idle > pool->limits.idle && timeout > SURPLUS_GRACE)
        timeout = SURPLUS_GRACE;
    return timeout;
}

static struct weft__conn *oldest_idle(const struct weft__pool *pool)
{
    if (weft__list_is_empty(&pool->idle))
        return NULL;
    return WEFT__CONTAINER(pool->idle.next, struct weft__conn, age);
}

/* false: there is no memory for the timer. */
static bool arm(struct weft__pool *pool)
{
    const struct weft__conn *oldest = oldest_idle(pool);
    int64_t timeout = patience(pool);
    if (oldest == NULL || timeout == WEFT_FOREVER)
        return true;
    int64_t when = oldest->idle_since + timeout;
    if (weft__timer_is_started(&pool->timer) && pool->timer.when <= when)
        return true;
    return weft__timer_start(&pool->loop->timers, &pool->timer, when) == 0;
}

static void reap(struct weft__timer *timer)
{
    struct weft__pool *pool = WEFT__CONTAINER(timer, struct weft__pool, timer);
    struct weft__conn *oldest;
    while ((oldest = oldest_idle(pool)) != NULL &&
           timer->when - oldest->idle_since >= patience(pool)) {
        unlink_idle(oldest);
        slot_end(oldest);
    }
    if (!arm(pool)) {
        while ((oldest = oldest_idle(pool)) != NULL) {
            unlink_idle(oldest);
            slot_end(oldest);
        }
    }
}

static void rest(struct weft__conn *conn, int64_t now)
{
    struct weft__pool *pool = conn->pool;
    conn->idle_since = now;
    weft__list_push_back(&pool->idle, &conn->age);
    pool->n_idle++;
    if (arm(pool))
        return;
    unlink_idle(conn);
    slot_end(conn);
}

void weft__pool_rest(struct weft__conn *slot)
{
    struct weft__pool *pool = slot->pool;
    if (pool->closed || pool->limits.idle_timeout <= 0)
        weft__pool_drop(slot);
    else if (!hand_over(slot, false))
        rest(slot, weft_now());
}

void weft__pool_unrest(struct weft__conn *slot)
{
    if (!weft__list_is_empty(&slot->age))
        unlink_idle(slot);
}

void weft__pool_release(struct weft__conn *conn, int64_t now)
{
    struct weft__pool *pool = conn->pool;
    weft__limited_end(conn);
    if (conn->light) {
        weft__pool_put_light(conn);
        return;
    }
    if (pool == NULL || pool->closed || pool->limits.idle_timeout <= 0) {
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
    rest(conn, now);
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
    slot_end(conn);
    weft__pool_check_end(pool);
}

/* ---- input buffers ---- */

char *weft__pool_take_buffer(struct weft__pool *pool)
{
    struct weft__spare *spare = pool != NULL ? pool->spare : NULL;
    if (spare == NULL)
        return weft__pages_alloc(WEFT__IN_FIRST);
    pool->spare = spare->next;
    pool->n_spare--;
    return (char *)spare;
}

void weft__pool_give_buffer(struct weft__pool *pool, char *buffer, size_t size)
{
    struct weft__spare *spare = (struct weft__spare *)(void *)buffer;
    if (pool == NULL || size != WEFT__IN_FIRST || pool->n_spare == SPARE_MAX) {
        weft__pages_free(buffer, size);
        return;
    }
    spare->next = pool->spare;
    pool->spare = spare;
    pool->n_spare++;
}

/* ---- a pool's life ---- */

static void free_struct(struct weft__pool *pool)
{
    while (pool->spare != NULL) {
        struct weft__spare *spare = pool->spare;
        pool->spare = spare->next;
        weft__pages_free(spare, WEFT__IN_FIRST);
    }
    weft__pool_free_lights(pool);
    for (size_t i = 0; i < pool->n_buckets; i++) {
        while (pool->buckets[i] != NULL) {
            struct weft__origin *origin = pool->buckets[i];
            pool->buckets[i] = origin->next;
            weft__free(origin);
        }
    }
    weft__free(pool->buckets);
    weft__inbox_unref(pool->inbox);
    weft__client_unref(pool->client);
    weft__free(pool);
}

/* A closed pool goes with whoever used it last; while a message is on its way, that frees it. */
void weft__pool_check_end(struct weft__pool *pool)
{
    if (pool->closed)
        weft__waitq_wake_all(&pool->drainers, 0);
    if (!pool->closed || pool->remote || pool->users > 0 || pool->n_conns > 0 ||
        pool->n_lights > 0 || pool->n_shared > 0)
        return;
    weft__timer_stop(&pool->loop->timers, &pool->timer);
    weft__list_remove(&pool->at_exit.node);
    weft__client_forget_pool(pool);
    free_struct(pool);
}

/* Calls under way end, wherever they are: at their stream, or still without one. */
static void abort_all(struct weft__pool *pool)
{
    pool->aborted = true;
    struct weft__list *next;
    for (struct weft__list *node = pool->conns.next; node != &pool->conns; node = next) {
        struct weft__conn *conn = WEFT__CONTAINER(node, struct weft__conn, node);
        next = node->next;
        if (conn->opening != NULL)
            weft_scope_cancel(conn->opening, "the client is closed");
        else if (conn->shared != NULL)
            weft__h2c_end(conn->shared, WEFT_ECLIENT_CLOSED);
        else if (conn->stream != NULL)
            weft_stream_abort(conn->stream);
    }
}

int weft__pool_drain(struct weft__pool *pool)
{
    int err = 0;
    while (err == 0 && (pool->n_conns > 0 || pool->n_lights > 0 || pool->users > 1)) {
        struct weft__waiter waiter;
        err = (int)weft__waitq_wait(&pool->drainers, &waiter, "close of a client");
    }
    return err;
}

void weft__pool_close(struct weft__pool *pool)
{
    struct weft__conn *conn;
    pool->closed = true;
    pool->users++;
    while ((conn = oldest_idle(pool)) != NULL) {
        unlink_idle(conn);
        slot_end(conn);
    }
    if (pool->client->aborts)
        abort_all(pool);
    for (size_t i = 0; i < pool->n_buckets; i++) {
        for (struct weft__origin *origin = pool->buckets[i]; origin != NULL; origin = origin->next)
            while (!weft__list_is_empty(&origin->waiters))
                weft__claimant_wake(
                    WEFT__CONTAINER(origin->waiters.next, struct weft__claimant, of_origin), NULL,
                    WEFT_ECLIENT_CLOSED);
    }
    weft__pool_leave(pool);
}

static void close_from_message(struct weft__post *post)
{
    struct weft__pool *pool = WEFT__CONTAINER(post, struct weft__pool, post);
    if (pool->loop_ended) {
        free_struct(pool);
        return;
    }
    pool->remote = false;
    weft__pool_close(pool);
}

void weft__pool_close_remote(struct weft__pool *pool)
{
    pool->remote = true;
    weft__inbox_post(pool->inbox, &pool->post);
}

/* Responses may outlive their loop, with what they have read; their connections do not. */
static void orphan_all(struct weft__pool *pool)
{
    struct weft__conn *conn;
    while ((conn = oldest_idle(pool)) != NULL) {
        unlink_idle(conn);
        slot_end(conn);
    }
    while (!weft__list_is_empty(&pool->conns)) {
        conn = WEFT__CONTAINER(weft__list_pop_front(&pool->conns), struct weft__conn, node);
        weft__conn_shut(conn);
        weft__pool_origin_put(pool, conn->origin);
        conn->origin = NULL;
        conn->pool = NULL;
    }
    weft__pool_orphan_lights(pool);
}

static void loop_ends(struct weft__at_exit *hook)
{
    struct weft__pool *pool = WEFT__CONTAINER(hook, struct weft__pool, at_exit);
    weft_client *client = pool->client;
    weft__client_ref(client);
    orphan_all(pool);
    weft__client_forget_pool(pool);
    weft__timer_stop(&pool->loop->timers, &pool->timer);
    pthread_mutex_lock(&client->lock);
    weft__list_remove(&pool->node);
    bool remote = pool->remote;
    pool->closed = true;
    pool->loop_ended = true;
    pthread_mutex_unlock(&client->lock);
    if (!remote)
        free_struct(pool);
    weft__client_unref(client);
}

int weft__pool_new(weft_client *client, struct weft__loop *loop, struct weft__pool **ret)
{
    struct weft__pool *pool = weft__calloc(1, sizeof *pool);
    if (pool == NULL)
        return weft__fail_nomem();
    pool->client = client;
    pool->loop = loop;
    pool->inbox = loop->inbox;
    pool->limits = client->limits;
    pool->timer.fire = reap;
    pool->at_exit.fn = loop_ends;
    pool->post.fn = close_from_message;
    weft__client_ref(client);
    weft__inbox_ref(pool->inbox);
    weft__list_init(&pool->node);
    weft__list_init(&pool->conns);
    weft__list_init(&pool->idle);
    weft__list_init(&pool->waiting);
    weft__list_init(&pool->drainers);
    weft__list_init(&pool->shared);
    weft__list_init(&pool->enders);
    weft__list_init(&pool->spare_lights);
    weft__list_push_back(&loop->at_exit, &pool->at_exit.node);
    *ret = pool;
    return 0;
}

void weft__pool_enter(struct weft__pool *pool)
{
    pool->users++;
}

void weft__pool_leave(struct weft__pool *pool)
{
    pool->users--;
    weft__pool_check_end(pool);
}

/* pool_life.c - a pool from its loop's first call to its end, and the memory that it keeps. */
#include "base/alloc.h"
#include "client/h2_int.h"
#include "client/pool_int.h"

enum { SPARE_MAX = 32 };

struct weft__spare {
    struct weft__spare *next;
};

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
    weft__timer_stop(&pool->loop->timers, &pool->turns);
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
    pool->closed = true;
    pool->users++;
    weft__pool_idle_close(pool);
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
    weft__pool_idle_close(pool);
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
    weft__timer_stop(&pool->loop->timers, &pool->turns);
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
    pool->timer.fire = weft__pool_idle_reap;
    pool->turns.fire = weft__pool_turns_look;
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

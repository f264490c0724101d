/* pool_queue.c - who waits for a slot, and whose turn it is. */
#include "client/pool_int.h"

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
    if (claimant->in_pool)
        weft__pool_turns_left(claimant->pool, conn != NULL);
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
    if (claimant->in_pool) {
        origin->claims++;
        weft__pool_turns_wait(pool);
    }
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

bool weft__pool_is_undecided(const struct weft__origin *origin)
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
    *waiter = (struct weft__claimant){.pool = pool, .origin = origin, .turn = pool->next_turn++};
    waiter->base.wait.cancel = claimant_cancel;
    waiter->base.wait.what = "connection of the pool";
    weft__list_push_back(&origin->waiters, &waiter->of_origin);
    if (weft__pool_is_undecided(origin))
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

int weft__pool_wait(struct weft__pool *pool, struct weft__origin *origin, int64_t timeout,
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

struct weft__claimant *weft__pool_first_claimant(const struct weft__pool *pool)
{
    return first_of(&pool->waiting);
}

struct weft__claimant *weft__pool_next_claimant(struct weft__pool *pool,
                                                const struct weft__origin *origin)
{
    struct weft__claimant *claimant = first_of(&pool->waiting);
    struct weft__claimant *of_origin = first_of(&origin->waiting);
    if (claimant == NULL || (of_origin != NULL && of_origin->turn < claimant->turn))
        claimant = of_origin;
    return claimant;
}

/*
 * h2_conn.c - one HTTP/2 connection: a task that reads it, a task that writes it, its end.
 *
 * Both are background tasks of the thread's loop, so that an idle connection answers PING and
 * SETTINGS and notices its end.  The session wakes the writer, which gets its turn behind all
 * who are ready: requests that begin in one turn go out in one write.
 */
#include <string.h>

#include "base/alloc.h"
#include "client/h2_int.h"
#include "client/pool_int.h"
#include "stream/stream_int.h"

enum {
    OUT_MAX = 64 * 1024,  /* of one write */
    IN_BUSY = 128 * 1024, /* to which reads grow while they are filled */
    OUT_KEPT = 16 * 1024  /* of the output buffer, while nothing is sent */
};

/* How long the last words to a server may take. */
#define LAST_WORDS WEFT_SEC(1)

/* ---- life ---- */

void weft__h2c_check(struct weft__h2_conn *shared)
{
    if (!shared->ended || shared->n_tasks > 0 || shared->n_lights > 0)
        return;
    weft__list_remove(&shared->of_pool);
    weft__h2_free(shared->h2);
    weft__buf_done(&shared->out);
    weft__free(shared);
}

static void task_ended(struct weft__h2_conn *shared)
{
    struct weft__pool *pool = shared->pool;
    shared->loop->n_services--;
    if (--shared->n_tasks > 0)
        return;
    weft_stream_free(shared->stream);
    shared->stream = NULL;
    if (shared->in != NULL)
        weft__pool_give_buffer(pool, shared->in, shared->in_cap);
    shared->in = NULL;
    pool->n_shared--;
    pool->n_ending--;
    weft__h2c_check(shared);
    weft__waitq_wake_all(&pool->enders, 0);
    weft__pool_check_end(pool);
}

void weft__h2c_kick(struct weft__h2_conn *shared)
{
    if (!shared->writer_parked)
        return;
    shared->writer_parked = false;
    weft__wake(shared->writer.task, 0);
}

int weft__h2c_flush(struct weft__h2_conn *shared, int64_t timeout)
{
    struct weft__waiter waiter;
    weft_scope scope;
    uint64_t made = shared->n_made;
    int err = 0;
    weft_scope_enter(&scope, timeout);
    while (err == 0 && !shared->ended && shared->n_flushed < made) {
        weft__h2c_kick(shared);
        err = (int)weft__waitq_wait(&shared->flushing, &waiter, "HTTP/2 output");
    }
    return weft_scope_exit(&scope, err);
}

void weft__h2c_end(struct weft__h2_conn *shared, int err)
{
    struct weft__conn *slot = shared->slot;
    if (shared->ended)
        return;
    shared->ended = true;
    shared->pool->n_ending++;
    shared->slot = NULL;
    weft__pool_turn_end(shared);
    weft__list_remove(&shared->node);
    weft__timer_stop(&shared->loop->timers, &shared->ping);
    weft__waitq_wake_all(&shared->flushing, 0);
    for (struct weft__list *node = shared->lights.next; node != &shared->lights; node = node->next)
        WEFT__CONTAINER(node, struct weft__light, node)->conn.stream = NULL;
    if (shared->broken || (err != 0 && weft__h2_error(shared->h2) == 0)) {
        shared->broken = true;
        weft__h2_disconnect(shared->h2, err);
    } else if (err == 0) {
        weft__h2_leave(shared->h2);
    }
    /* A writer that is stuck has nothing to say that matters now. */
    if (!shared->writer_parked && shared->writing != NULL)
        weft_scope_cancel(shared->writing, "the connection has ended");
    weft__h2c_kick(shared);
    if (slot == NULL)
        return;
    slot->shared = NULL;
    slot->stream = NULL;
    weft__pool_h2_lost(slot);
}

/* ---- writing ---- */

/* A transport keeps what it was given until the loop waits, which may be after plain code goes on. */
static int flush(struct weft__h2_conn *shared)
{
    if (weft__list_is_empty(&shared->flushing))
        return 0;
    int err = weft_stream_flush(shared->stream);
    if (err == 0)
        shared->n_flushed = shared->n_made;
    weft__waitq_wake_all(&shared->flushing, 0);
    return err;
}

static int write_some(struct weft__h2_conn *shared)
{
    weft__buf_clear(&shared->out);
    shared->n_made++;
    int err = weft__h2_output(shared->h2, &shared->out, OUT_MAX);
    if (err == 0 && shared->out.len > 0)
        err = weft_stream_write(shared->stream, weft__buf_bytes(&shared->out), shared->out.len);
    if (err == 0)
        err = flush(shared);
    return err < 0 && !shared->ended ? weft__conn_write_error(shared->slot, err) : err;
}

static void writer_cancel(struct weft__wait *wait, int code)
{
    struct weft__h2_conn *shared = WEFT__CONTAINER(wait, struct weft__h2_conn, writer);
    if (!shared->writer_parked)
        return;
    shared->writer_parked = false;
    weft__wake(wait->task, code);
}

static int wait_for_output(struct weft__h2_conn *shared)
{
    struct weft_task *self = weft__self();
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    if (shared->out.cap > OUT_KEPT) {
        weft__buf_done(&shared->out);
        weft__buf_init(&shared->out, SIZE_MAX);
    }
    shared->writer.cancel = writer_cancel;
    shared->writer.what = "HTTP/2 output";
    shared->writer_parked = true;
    return (int)weft__park(self, &shared->writer);
}

/* What is left of an orderly end: why, and that we go. */
static void say_goodbye(struct weft__h2_conn *shared)
{
    weft_scope scope;
    int err = 0;
    weft_scope_enter(&scope, LAST_WORDS);
    while (err == 0 && !shared->broken && weft__h2_has_output(shared->h2))
        err = write_some(shared);
    weft_scope_exit(&scope, err);
}

static int write_loop(void *arg)
{
    struct weft__h2_conn *shared = arg;
    weft_scope scope;
    int err = 0;
    weft_scope_enter(&scope, WEFT_FOREVER);
    shared->writing = &scope;
    while (err == 0 && !shared->ended) {
        weft__pool_h2_changed(shared);
        if (shared->ended)
            break;
        bool due = weft__h2_has_output(shared->h2) || !weft__list_is_empty(&shared->flushing);
        err = due ? write_some(shared) : wait_for_output(shared);
    }
    shared->writing = NULL;
    weft_scope_exit(&scope, err);
    if (err < 0) {
        shared->broken = true;
        weft__h2c_end(shared, err == -ECANCELED ? WEFT_EWRITE : err);
    }
    say_goodbye(shared);
    if (shared->reading != NULL)
        weft_scope_cancel(shared->reading, "the connection has ended");
    task_ended(shared);
    return 0;
}

/* ---- reading ---- */

/* Larger reads while they are filled; an idle connection goes back to a small one. */
static void resize(struct weft__h2_conn *shared, size_t filled)
{
    size_t cap = shared->in_cap;
    if (filled == cap && cap < IN_BUSY)
        cap *= 2;
    else if (shared->n_lights == 0)
        cap = WEFT__IN_FIRST;
    if (cap == shared->in_cap)
        return;
    char *in =
        cap == WEFT__IN_FIRST ? weft__pool_take_buffer(shared->pool) : weft__pages_alloc(cap);
    if (in == NULL)
        return;
    weft__pool_give_buffer(shared->pool, shared->in, shared->in_cap);
    shared->in = in;
    shared->in_cap = cap;
}

/* 0: the server has ended it. */
static int read_all(struct weft__h2_conn *shared)
{
    for (;;) {
        int64_t n = weft_stream_read(shared->stream, shared->in, shared->in_cap);
        if (n < 0 && !shared->ended)
            return weft__conn_read_error(shared->slot, (int)n);
        if (n <= 0 || shared->ended)
            return n < 0 ? (int)n : 0;
        shared->heard = weft__loop_now(shared->loop);
        shared->greeted = true;
        int err = weft__h2_receive(shared->h2, shared->in, (size_t)n, shared->heard);
        if (err < 0)
            return err;
        resize(shared, (size_t)n);
    }
}

static int read_loop(void *arg)
{
    struct weft__h2_conn *shared = arg;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    shared->reading = &scope;
    int err = read_all(shared);
    shared->reading = NULL;
    weft_scope_exit(&scope, err);
    /* An error of the session's is told to the server; to one that has gone nothing is said. */
    if (weft__h2_error(shared->h2) == 0)
        shared->broken = true;
    weft__h2c_end(shared, err == -ECANCELED ? WEFT_EREAD : err);
    task_ended(shared);
    return 0;
}

/* ---- is it alive? ---- */

static void watch_ping(struct weft__h2_conn *shared, int64_t when)
{
    if (weft__timer_start(&shared->loop->timers, &shared->ping, when) < 0)
        weft__h2c_end(shared, -ENOMEM);
}

/* Whatever has come since a PING went is as good as its answer. */
static void ping_due(struct weft__timer *timer)
{
    struct weft__h2_conn *shared = WEFT__CONTAINER(timer, struct weft__h2_conn, ping);
    const weft_client *client = shared->pool->client;
    int64_t now = weft__loop_now(shared->loop);
    if (shared->pinged != 0 && shared->heard < shared->pinged) {
        if (weft__h2_was_late(shared->loop, timer, &shared->graced))
            return;
        weft__fail(WEFT_EREAD_TIMEOUT, "no answer to a PING within %.6g s",
                   (double)client->ping_timeout * 1e-9);
        weft__h2c_end(shared, WEFT_EREAD_TIMEOUT);
        return;
    }
    shared->pinged = 0;
    if (now - shared->heard < client->ping_interval) {
        watch_ping(shared, shared->heard + client->ping_interval);
        return;
    }
    shared->pinged = now;
    shared->graced = false;
    int err = weft__h2_ping(shared->h2);
    if (err < 0) {
        weft__h2c_end(shared, err);
        return;
    }
    weft__h2c_kick(shared);
    watch_ping(shared, now + client->ping_timeout);
}

/* ---- making one ---- */

static void on_changed(void *userdata)
{
    struct weft__h2_conn *shared = userdata;
    weft__h2c_kick(shared);
    weft__waitq_wake_all(&shared->asking, 0);
}

static int spawn(struct weft__h2_conn *shared, weft_fn fn, const char *name)
{
    shared->n_tasks++;
    shared->loop->n_services++;
    int err = weft__group_spawn(&shared->loop->own_background, fn, shared, WEFT_SPAWN(.name = name),
                                NULL);
    if (err < 0)
        task_ended(shared);
    return err;
}

/* They have nothing to do with the life of who happens to start them, and inherit nothing. */
int weft__h2c_start(struct weft__h2_conn *shared)
{
    struct weft_task *self = weft__self();
    struct weft__locals *locals = self->locals;
    int64_t interval = shared->pool->client->ping_interval;
    self->locals = NULL;
    shared->loop->n_services++;
    shared->n_tasks = 1; /* so that it does not end between the two */
    int err = spawn(shared, read_loop, "HTTP/2 reader");
    if (err == 0 && !shared->ended)
        err = spawn(shared, write_loop, "HTTP/2 writer");
    if (err == 0 && !shared->ended && interval > 0)
        watch_ping(shared, shared->heard + interval);
    self->locals = locals;
    if (err < 0) {
        shared->broken = true;
        weft__h2c_end(shared, err);
        if (shared->reading != NULL)
            weft_scope_cancel(shared->reading, "there is no memory to write");
    }
    task_ended(shared);
    return err;
}

int weft__h2c_new(struct weft__conn *slot, struct weft__h2_conn **ret)
{
    struct weft__pool *pool = slot->pool;
    struct weft__h2_conn *shared = weft__calloc(1, sizeof *shared);
    if (shared == NULL)
        return weft__fail_nomem();
    const struct weft__h2_events events = {.stream = weft__h2_on_stream,
                                           .interim = weft__h2_on_interim,
                                           .changed = on_changed,
                                           .userdata = shared};
    shared->in = weft__pool_take_buffer(pool);
    int err = shared->in != NULL ? weft__h2_new(NULL, &events, &shared->h2) : weft__fail_nomem();
    if (err < 0) {
        if (shared->in != NULL)
            weft__pool_give_buffer(pool, shared->in, WEFT__IN_FIRST);
        weft__free(shared);
        return err;
    }
    shared->in_cap = WEFT__IN_FIRST;
    shared->pool = pool;
    shared->loop = pool->loop;
    shared->heard = slot->opened_at;
    shared->ping.fire = ping_due;
    weft__list_init(&shared->lights);
    weft__list_init(&shared->asking);
    weft__list_init(&shared->flushing);
    weft__buf_init(&shared->out, SIZE_MAX);
    shared->stream = slot->stream;
    shared->slot = slot;
    slot->shared = shared;
    weft__pool_turn_begin(shared, slot->opened_at);
    weft__list_push_back(&pool->shared, &shared->of_pool);
    weft__list_push_back(&slot->origin->shared, &shared->node);
    pool->n_shared++;
    *ret = shared;
    return 0;
}

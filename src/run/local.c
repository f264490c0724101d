/*
 * local.c - task-local values.
 *
 * A task has a table of its values, and shares it with the tasks that inherit it until one of
 * them sets something: a table that others have is never changed, but copied.  Tables go to
 * worker threads with offloaded jobs, so their counts are atomic.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <weft/local.h>

#include "base/alloc.h"
#include "run/run_int.h"

struct weft_local {
    atomic_uint refs; /* the program's, and one of each value */
    void (*release)(void *value);
};

struct value {
    atomic_uint refs; /* tables */
    weft_local *local;
    void *value;
};

struct weft__locals {
    atomic_uint refs; /* tasks */
    uint32_t n;
    struct value *values[];
};

/* Of a worker thread, which has no loop. */
static _Thread_local struct weft__locals *thread_locals;
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

int weft_local_new(void (*release)(void *value), weft_local **ret)
{
    weft_local *local = weft__alloc(sizeof *local);
    if (local == NULL)
        return weft__fail_nomem();
    atomic_init(&local->refs, 1);
    local->release = release;
    *ret = local;
    return 0;
}

void weft_local_free(weft_local *local)
{
    if (local != NULL && atomic_fetch_sub(&local->refs, 1) == 1)
        weft__free(local);
}

/* ---- tables ---- */

static void value_unref(struct value *value)
{
    if (atomic_fetch_sub(&value->refs, 1) != 1)
        return;
    if (value->local->release != NULL)
        value->local->release(value->value);
    weft_local_free(value->local);
    weft__free(value);
}

void weft__locals_ref(struct weft__locals *locals)
{
    atomic_fetch_add_explicit(&locals->refs, 1, memory_order_relaxed);
}

__attribute__((cold)) void weft__locals_unref(struct weft__locals *locals)
{
    if (locals == NULL || atomic_fetch_sub(&locals->refs, 1) != 1)
        return;
    for (uint32_t i = 0; i < locals->n; i++)
        value_unref(locals->values[i]);
    weft__free(locals);
}

static struct weft__locals **current(void)
{
    if (weft__loop_current != NULL)
        return &weft__self()->locals;
    return &thread_locals;
}

struct weft__locals *weft__locals_capture(void)
{
    return weft__locals_inherit(*current());
}

void weft__locals_restore(struct weft__locals *locals)
{
    struct weft__locals **at = current();
    struct weft__locals *old = *at;
    *at = locals;
    weft__locals_unref(old);
}

struct weft__locals *weft__locals_take_thread(void)
{
    struct weft__locals *locals = thread_locals;
    thread_locals = NULL;
    return locals;
}

static void thread_ended(void *unused)
{
    (void)unused;
    weft__locals_unref(thread_locals);
    thread_locals = NULL;
}

static void make_key(void)
{
    pthread_key_create(&thread_key, thread_ended);
}

void weft__locals_give_thread(struct weft__locals *locals)
{
    thread_locals = locals;
    if (locals == NULL)
        return;
    pthread_once(&thread_once, make_key);
    pthread_setspecific(thread_key, &thread_locals);
}

/* A copy of a table without one key, with room for one more value; the table may be NULL. */
static struct weft__locals *copy_without(const struct weft__locals *locals, const weft_local *local)
{
    uint32_t n = locals != NULL ? locals->n : 0;
    struct weft__locals *copy = weft__alloc(sizeof *copy + (n + 1) * sizeof copy->values[0]);
    if (copy == NULL)
        return NULL;
    atomic_init(&copy->refs, 1);
    copy->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct value *value = locals->values[i];
        if (value->local == local)
            continue;
        atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
        copy->values[copy->n++] = value;
    }
    return copy;
}

static struct value *value_new(weft_local *local, void *data)
{
    struct value *value = weft__alloc(sizeof *value);
    if (value == NULL)
        return NULL;
    atomic_init(&value->refs, 1);
    atomic_fetch_add_explicit(&local->refs, 1, memory_order_relaxed);
    value->local = local;
    value->value = data;
    return value;
}

static int set(struct weft__locals **at, weft_local *local, void *data)
{
    struct weft__locals *copy = copy_without(*at, local);
    if (copy == NULL)
        return weft__fail_nomem();
    if (copy->n >= WEFT__LIMIT_LOCALS) {
        weft__locals_unref(copy);
        return weft__fail(-EOVERFLOW, "more than %d task-local values", WEFT__LIMIT_LOCALS);
    }
    if (data != NULL) {
        struct value *value = value_new(local, data);
        if (value == NULL) {
            weft__locals_unref(copy);
            return weft__fail_nomem();
        }
        copy->values[copy->n++] = value;
    }
    if (copy->n == 0) {
        weft__locals_unref(copy);
        copy = NULL;
    }
    struct weft__locals *old = *at;
    *at = copy;
    weft__locals_unref(old);
    return 0;
}

int weft_local_set(weft_local *local, void *value)
{
    struct weft_task *self = weft__self();
    int err = self != NULL ? set(&self->locals, local, value) : weft__context_get()->error_code;
    if (err < 0 && value != NULL && local->release != NULL)
        local->release(value);
    return err;
}

void *weft_local_get(const weft_local *local)
{
    const struct weft__locals *locals = *current();
    uint32_t n = locals != NULL ? locals->n : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (locals->values[i]->local == local)
            return locals->values[i]->value;
    }
    return NULL;
}

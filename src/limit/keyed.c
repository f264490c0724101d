/*
 * keyed.c - a rate limiter for each key: host, account, route; and one above them for all.
 *
 * At most so many keys are remembered.  For a new one the least recently used makes room that
 * nobody is inside of.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "limit/limit_int.h"

struct weft_keyed_limiter {
    struct weft__table table;
    size_t max_keys;
    weft_rate_limiter_options rates[WEFT__LIMIT_LIMITER_RATES]; /* the caller's chain, copied */
    bool has_rate;
    weft_rate_limiter *all; /* NULL: none */
    uint64_t n_evicted;
    uint64_t n_rejected;
};

struct weft__key {
    struct weft__entry entry;
    weft_rate_limiter *limiter;
    size_t n_inside; /* calls that use it now */
    size_t n_held;   /* those of them that have entered and not left */
    char text[];
};

static void forget(weft_keyed_limiter *keyed, struct weft__key *key)
{
    weft__table_remove(&keyed->table, &key->entry);
    weft_rate_limiter_free(key->limiter);
    weft__free(key);
}

static void copy_rates(weft_keyed_limiter *keyed, const weft_rate_limiter_options *rate)
{
    for (size_t i = 0; rate != NULL; i++) {
        weft_rate_limiter_options *copy = &keyed->rates[i];
        weft__options_fill(copy, sizeof *copy, rate);
        copy->size = sizeof *copy;
        rate = copy->also;
        copy->also = rate != NULL ? copy + 1 : NULL;
    }
}

int weft__keyed_new(const weft_keyed_limiter_options *given, bool may_be_free,
                    weft_keyed_limiter **ret)
{
    weft_keyed_limiter_options options;
    weft_rate_limiter *probe;
    weft__options_fill(&options, sizeof options, given);
    int err = weft__rate_new(options.rate, may_be_free, &probe);
    if (err < 0)
        return err;
    weft_rate_limiter_free(probe);
    weft_keyed_limiter *keyed = weft__calloc(1, sizeof *keyed);
    if (keyed == NULL)
        return weft__fail_nomem();
    if (weft__table_init(&keyed->table) < 0) {
        weft__free(keyed);
        return weft__fail_nomem();
    }
    keyed->max_keys = options.max_keys != 0 ? options.max_keys : WEFT__LIMIT_LIMITER_KEYS;
    if (options.all != NULL && (err = weft_rate_limiter_new(options.all, &keyed->all)) < 0) {
        weft_keyed_limiter_free(keyed);
        return err;
    }
    keyed->has_rate = options.rate != NULL;
    copy_rates(keyed, options.rate);
    *ret = keyed;
    return 0;
}

int weft_keyed_limiter_new(const weft_keyed_limiter_options *options, weft_keyed_limiter **ret)
{
    return weft__keyed_new(options, false, ret);
}

static struct weft__key *key_at(struct weft__list *node)
{
    return WEFT__CONTAINER(WEFT__CONTAINER(node, struct weft__entry, recent), struct weft__key,
                           entry);
}

void weft_keyed_limiter_free(weft_keyed_limiter *keyed)
{
    if (keyed == NULL)
        return;
    while (keyed->table.n > 0) {
        assert(key_at(keyed->table.recent.next)->n_inside == 0);
        forget(keyed, key_at(keyed->table.recent.next));
    }
    weft__table_done(&keyed->table);
    weft_rate_limiter_free(keyed->all);
    weft__free(keyed);
}

static int make_room(weft_keyed_limiter *keyed)
{
    if (keyed->table.n < keyed->max_keys)
        return 0;
    struct weft__list *node = keyed->table.recent.prev;
    for (; node != &keyed->table.recent; node = node->prev) {
        if (key_at(node)->n_inside == 0) {
            forget(keyed, key_at(node));
            keyed->n_evicted++;
            return 0;
        }
    }
    keyed->n_rejected++;
    return weft__fail(WEFT_EQUEUE_FULL, "all %zu keys of the limiter are waited for",
                      keyed->max_keys);
}

static int add(weft_keyed_limiter *keyed, const char *text, size_t len, struct weft__key **ret)
{
    int err = make_room(keyed);
    if (err < 0)
        return err;
    struct weft__key *key = weft__alloc(sizeof *key + len + 1);
    if (key == NULL)
        return weft__fail_nomem();
    *key = (struct weft__key){.entry = {.key = key->text, .len = len}};
    memcpy(key->text, text, len + 1);
    err = weft__rate_new(keyed->has_rate ? &keyed->rates[0] : NULL, true, &key->limiter);
    if (err < 0) {
        weft__free(key);
        return err;
    }
    if (keyed->all != NULL)
        weft__rate_set_above(key->limiter, keyed->all);
    weft__table_add(&keyed->table, &key->entry);
    *ret = key;
    return 0;
}

/* The key of the call before this one: mostly that is it, and there is nothing to look up. */
static inline struct weft__key *last_of(const weft_keyed_limiter *keyed, const char *text)
{
    if (keyed->table.n == 0)
        return NULL;
    struct weft__key *key = key_at(keyed->table.recent.next);
    return strcmp(key->text, text) == 0 ? key : NULL;
}

static int find(weft_keyed_limiter *keyed, const char *text, struct weft__key **ret)
{
    struct weft__key *last = last_of(keyed, text);
    if (last != NULL) {
        *ret = last;
        return 0;
    }
    size_t len = strlen(text);
    struct weft__entry *entry = weft__table_find(&keyed->table, text, len);
    if (entry == NULL)
        return add(keyed, text, len, ret);
    weft__table_touch(&keyed->table, entry);
    *ret = WEFT__CONTAINER(entry, struct weft__key, entry);
    return 0;
}

/* 1: it has to wait. */
static inline int acquire_now(weft_keyed_limiter *keyed, const char *text, uint32_t n,
                              struct weft__key **ret)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err == 0)
        err = find(keyed, text, ret);
    if (err < 0)
        return err;
    return n == 0 || weft__rate_try((*ret)->limiter, n, weft__loop_now(self->loop)) ? 0 : 1;
}

static __attribute__((noinline)) int wait_inside(struct weft__key *key, uint32_t n)
{
    key->n_inside++;
    int err = weft_rate_limiter_acquire_n(key->limiter, n);
    key->n_inside--;
    return err;
}

int weft_keyed_limiter_acquire(weft_keyed_limiter *keyed, const char *text, uint32_t n)
{
    struct weft__key *key = NULL;
    int err = acquire_now(keyed, text, n, &key);
    return err > 0 ? wait_inside(key, n) : err;
}

bool weft_keyed_limiter_try_acquire(weft_keyed_limiter *keyed, const char *text, uint32_t n)
{
    struct weft__key *key;
    return find(keyed, text, &key) == 0 && weft_rate_limiter_try_acquire_n(key->limiter, n);
}

void weft_keyed_limiter_feed(weft_keyed_limiter *keyed, const char *text,
                             const weft_feedback *feedback)
{
    struct weft__key *key;
    if (find(keyed, text, &key) == 0)
        weft_rate_limiter_feed(key->limiter, feedback);
}

void weft_keyed_limiter_get_state(const weft_keyed_limiter *keyed, weft_limit_state *ret)
{
    *ret = (weft_limit_state){
        .in_use = keyed->table.n,
        .total = keyed->max_keys,
        .available = keyed->max_keys - keyed->table.n,
        .rejected = keyed->n_rejected,
        .evicted = keyed->n_evicted,
    };
}

/* ---- for weft_limits ---- */

int weft__keyed_enter(weft_keyed_limiter *keyed, const char *text, struct weft__key **ret)
{
    int err = acquire_now(keyed, text, 1, ret);
    if (err > 0)
        err = wait_inside(*ret, 1);
    if (err < 0)
        return err;
    (*ret)->n_inside++;
    (*ret)->n_held++;
    return 0;
}

struct weft__key *weft__keyed_held(weft_keyed_limiter *keyed, const char *text)
{
    struct weft__key *key = last_of(keyed, text);
    if (key == NULL) {
        struct weft__entry *entry = weft__table_find(&keyed->table, text, strlen(text));
        key = entry != NULL ? WEFT__CONTAINER(entry, struct weft__key, entry) : NULL;
    }
    return key != NULL && key->n_held > 0 ? key : NULL;
}

void weft__key_leave(struct weft__key *key)
{
    key->n_held--;
    key->n_inside--;
}

weft_rate_limiter *weft__keyed_all(const weft_keyed_limiter *keyed)
{
    return keyed->all;
}

/* The answer is that of one of those who hold it. */
void weft__key_feed(struct weft__key *key, const weft_feedback *feedback)
{
    weft__rate_feed(key->limiter, feedback, key->n_held - 1);
}

void weft__keyed_sum(const weft_keyed_limiter *keyed, weft_limit_state *sum)
{
    const struct weft__list *node = keyed->table.recent.next;
    for (; node != &keyed->table.recent; node = node->next) {
        const weft_rate_limiter *limiter = key_at((struct weft__list *)node)->limiter;
        sum->waiting += limiter->line.n_waiting;
        sum->granted += limiter->n_granted;
        sum->rejected += limiter->line.n_rejected;
        sum->refused += limiter->n_refused;
    }
    sum->rejected += keyed->n_rejected;
    sum->evicted = keyed->n_evicted;
}

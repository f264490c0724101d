/*
 * capacity.c - how much at once: a semaphore with weights, owners and a total that can change.
 *
 * A waiter for more than the total, which may have been lowered meanwhile, waits for all of it.
 */
#include <assert.h>
#include <errno.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "limit/limit_int.h"

/* Time does not matter here: whoever is due at all is due now. */
#define ANY_TIME (WEFT_FOREVER - 1)

struct weft_capacity {
    struct weft__line line;
    struct weft__table owners;
    uint32_t total;
    uint64_t in_use;
    uint64_t n_granted;
};

/* Who borrowed one; the key is the pointer itself. */
struct owner {
    struct weft__entry entry;
    const void *who;
};

static weft_capacity *capacity_of(struct weft__line *line)
{
    return WEFT__CONTAINER(line, weft_capacity, line);
}

static inline int64_t due_at(struct weft__line *line, uint32_t n)
{
    const weft_capacity *capacity = capacity_of(line);
    uint64_t wanted = n < capacity->total ? n : capacity->total;
    return capacity->in_use + wanted <= capacity->total ? 0 : WEFT_FOREVER;
}

static inline void take(struct weft__line *line, uint32_t n, int64_t due, int64_t now)
{
    (void)due;
    (void)now;
    capacity_of(line)->in_use += n;
    capacity_of(line)->n_granted += n;
}

static const struct weft__line_ops capacity_ops = {"capacity", due_at, take};

int weft_capacity_new(const weft_capacity_options *given, weft_capacity **ret)
{
    weft_capacity_options options;
    weft__options_fill(&options, sizeof options, given);
    if (options.total == 0)
        return weft__fail(-EINVAL, "a capacity needs a total, at least 1");
    weft_capacity *capacity = weft__calloc(1, sizeof *capacity);
    if (capacity == NULL)
        return weft__fail_nomem();
    if (weft__table_init(&capacity->owners) < 0) {
        weft__free(capacity);
        return weft__fail_nomem();
    }
    weft__line_init(&capacity->line, &capacity_ops, options.queue);
    capacity->total = options.total;
    *ret = capacity;
    return 0;
}

void weft_capacity_free(weft_capacity *capacity)
{
    if (capacity == NULL)
        return;
    assert(capacity->line.n_waiting == 0);
    struct weft__list *node;
    while ((node = capacity->owners.recent.next) != &capacity->owners.recent) {
        struct weft__entry *entry = WEFT__CONTAINER(node, struct weft__entry, recent);
        weft__table_remove(&capacity->owners, entry);
        weft__free(WEFT__CONTAINER(entry, struct owner, entry));
    }
    weft__table_done(&capacity->owners);
    weft__free(capacity);
}

bool weft_capacity_try_acquire(weft_capacity *capacity, uint32_t n)
{
    struct weft__line *line = &capacity->line;
    if (line->n_waiting > 0 || capacity->in_use + n > capacity->total)
        return false;
    take(line, n, 0, 0);
    return true;
}

static int wait_for(weft_capacity *capacity, struct weft_task *self, uint32_t n)
{
    if (n > capacity->total)
        return weft__fail(-EINVAL, "%u are more than the capacity's total of %u", n,
                          capacity->total);
    int err = weft__line_check_room(&capacity->line);
    return err < 0 ? err : weft__line_wait(&capacity->line, self, n);
}

int weft_capacity_acquire(weft_capacity *capacity, uint32_t n)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0 || n == 0 || weft_capacity_try_acquire(capacity, n))
        return err;
    return wait_for(capacity, self, n);
}

void weft_capacity_release(weft_capacity *capacity, uint32_t n)
{
    assert(capacity->in_use >= n);
    capacity->in_use -= n;
    if (capacity->line.n_waiting > 0)
        weft__line_advance(&capacity->line, ANY_TIME);
}

int weft_capacity_set_total(weft_capacity *capacity, uint32_t total)
{
    if (total == 0)
        return weft__fail(-EINVAL, "a capacity needs a total, at least 1");
    capacity->total = total;
    weft__line_advance(&capacity->line, ANY_TIME);
    return 0;
}

/* ---- owners ---- */

static struct owner *owner_of(weft_capacity *capacity, const void *who)
{
    struct weft__entry *entry = weft__table_find(&capacity->owners, &who, sizeof who);
    return entry != NULL ? WEFT__CONTAINER(entry, struct owner, entry) : NULL;
}

static void forget(weft_capacity *capacity, struct owner *owner)
{
    weft__table_remove(&capacity->owners, &owner->entry);
    weft__free(owner);
}

int weft_capacity_borrow(weft_capacity *capacity, const void *who)
{
    if (who == NULL)
        who = weft_task_self();
    if (owner_of(capacity, who) != NULL)
        return weft__fail(-EALREADY, "this owner has borrowed from the capacity already");
    struct owner *owner = weft__alloc(sizeof *owner);
    if (owner == NULL)
        return weft__fail_nomem();
    *owner = (struct owner){.who = who};
    owner->entry.key = &owner->who;
    owner->entry.len = sizeof owner->who;
    /* Known from now on: it must not wait a second time either. */
    weft__table_add(&capacity->owners, &owner->entry);
    int err = weft_capacity_acquire(capacity, 1);
    if (err < 0)
        forget(capacity, owner);
    return err;
}

int weft_capacity_give_back(weft_capacity *capacity, const void *who)
{
    struct owner *owner = owner_of(capacity, who != NULL ? who : weft_task_self());
    if (owner == NULL)
        return weft__fail(-EPERM, "this owner has not borrowed from the capacity");
    forget(capacity, owner);
    weft_capacity_release(capacity, 1);
    return 0;
}

void weft_capacity_get_state(const weft_capacity *capacity, weft_limit_state *ret)
{
    uint64_t in_use = capacity->in_use;
    bool full = in_use >= capacity->total || capacity->line.n_waiting > 0;
    *ret = (weft_limit_state){
        .available = full ? 0 : capacity->total - in_use,
        .in_use = in_use,
        .total = capacity->total,
        .waiting = capacity->line.n_waiting,
        .granted = capacity->n_granted,
        .rejected = capacity->line.n_rejected,
    };
}

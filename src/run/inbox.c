/*
 * inbox.c - messages to a loop from other threads: a lock-free stack that the loop empties and
 * turns round, and an eventfd for when it sleeps.
 */
#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "run/run_int.h"

int weft__inbox_new(struct weft__inbox **ret)
{
    struct weft__inbox *inbox = weft__calloc(1, sizeof *inbox);
    if (inbox == NULL)
        return weft__fail_nomem();
    inbox->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inbox->eventfd < 0) {
        int err = -errno;
        weft__free(inbox);
        return weft__fail_with(err, "eventfd for an event loop");
    }
    atomic_init(&inbox->refs, 1);
    *ret = inbox;
    return 0;
}

void weft__inbox_ref(struct weft__inbox *inbox)
{
    atomic_fetch_add(&inbox->refs, 1);
}

void weft__inbox_unref(struct weft__inbox *inbox)
{
    if (atomic_fetch_sub(&inbox->refs, 1) != 1)
        return;
    close(inbox->eventfd);
    weft__free(inbox);
}

/* In place of the newest message once the loop has ended. */
static struct weft__post closed_mark;

static int post_and_wake(struct weft__inbox *inbox, struct weft__post *post)
{
    /* Acquired: where the loop has ended, what it did before with the message's job is done. */
    struct weft__post *head = atomic_load_explicit(&inbox->head, memory_order_acquire);
    do {
        if (head == &closed_mark)
            return -ECANCELED;
        post->next = head;
    } while (!atomic_compare_exchange_weak(&inbox->head, &head, post));
    if (atomic_exchange(&inbox->sleeping, false)) {
        uint64_t one = 1;
        if (write(inbox->eventfd, &one, sizeof one) < 0)
            return 0; /* full: the loop will wake all the same */
    }
    return 0;
}

int weft__inbox_post(struct weft__inbox *inbox, struct weft__post *post)
{
    /* Once posted, the message and the reference it had to the inbox are the loop's. */
    atomic_fetch_add(&inbox->posting, 1);
    int err = post_and_wake(inbox, post);
    atomic_fetch_sub(&inbox->posting, 1);
    return err;
}

static bool run_all(struct weft__post *newest)
{
    struct weft__post *oldest = NULL;
    while (newest != NULL) {
        struct weft__post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    bool any = oldest != NULL;
    while (oldest != NULL) {
        struct weft__post *next = oldest->next;
        oldest->fn(oldest);
        oldest = next;
    }
    return any;
}

bool weft__inbox_run(struct weft__inbox *inbox)
{
    if (atomic_load_explicit(&inbox->head, memory_order_relaxed) == NULL)
        return false;
    return run_all(atomic_exchange(&inbox->head, NULL));
}

void weft__inbox_close(struct weft__inbox *inbox)
{
    run_all(atomic_exchange(&inbox->head, &closed_mark));
    /* Who has posted may still be about to wake this loop. */
    while (atomic_load(&inbox->posting) > 0)
        sched_yield();
}

/* Threads that were about to post are not here to be waited for. */
void weft__inbox_close_forked(struct weft__inbox *inbox)
{
    atomic_store(&inbox->head, &closed_mark);
}

size_t weft__inbox_others(const struct weft__inbox *inbox)
{
    return (size_t)atomic_load(&inbox->refs) - 1;
}

/* In this order: who posts has it until he has posted. */
bool weft__inbox_is_forsaken(const struct weft__inbox *inbox)
{
    return weft__inbox_others(inbox) == 0 && atomic_load(&inbox->head) == NULL;
}

static bool has_post(const void *arg)
{
    const struct weft__inbox *inbox = arg;
    return atomic_load_explicit(&inbox->head, memory_order_relaxed) != NULL;
}

bool weft__inbox_look(const struct weft__inbox *inbox)
{
    return weft__spin_until(has_post, inbox);
}

bool weft__inbox_sleep(struct weft__inbox *inbox)
{
    atomic_store(&inbox->sleeping, true);
    if (atomic_load(&inbox->head) == NULL)
        return true;
    atomic_store(&inbox->sleeping, false);
    return false;
}

void weft__inbox_woken(struct weft__inbox *inbox)
{
    atomic_store_explicit(&inbox->sleeping, false, memory_order_relaxed);
}

void weft__inbox_drain(struct weft__inbox *inbox)
{
    uint64_t count;
    if (read(inbox->eventfd, &count, sizeof count) < 0)
        return;
}

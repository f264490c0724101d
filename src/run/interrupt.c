/*
 * interrupt.c - Ctrl-C: the first one cancels the run, the second one has its usual effect.
 *
 * Only the main thread's run takes the signal, and only where nobody else has: a program with
 * a handler of its own, or one that ignores SIGINT, keeps it.  The handler does no more than
 * to raise a flag and to wake the loop; SA_RESETHAND gives the signal back at once.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "run/run_int.h"

static atomic_bool pending;
static atomic_int wake_fd;
static atomic_bool armed; /* a run has the signal */

static void on_interrupt(int number)
{
    static const uint64_t one = 1;
    int saved = errno;
    (void)number;
    atomic_store(&pending, true);
    if (write(atomic_load(&wake_fd), &one, sizeof one) < 0)
        errno = saved; /* full: the loop wakes all the same */
    errno = saved;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == on_interrupt;
}

bool weft__interrupt_is_over(const struct sigaction *action)
{
    return is_ours(action) && !atomic_load(&armed);
}

void weft__interrupt_begin(struct weft__loop *loop, struct weft__scope *scope)
{
    struct sigaction action;
    loop->interrupt_scope = NULL;
    loop->interrupted = false;
    if (getpid() != gettid() || sigaction(SIGINT, NULL, &action) < 0 ||
        (action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL)
        return;
    atomic_store(&wake_fd, loop->inbox->eventfd);
    atomic_store(&pending, false);
    action = (struct sigaction){
        .sa_handler = on_interrupt,
        .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK | SA_RESTART),
    };
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, NULL) == 0)
        loop->interrupt_scope = scope;
    atomic_store(&armed, loop->interrupt_scope != NULL);
}

void weft__interrupt_take(struct weft__loop *loop)
{
    if (loop->interrupted || !atomic_load_explicit(&pending, memory_order_relaxed))
        return;
    atomic_store(&pending, false);
    loop->interrupted = true;
    weft__scope_cancel_code(loop->interrupt_scope, 0, "interrupted");
}

void weft__interrupt_end(struct weft__loop *loop)
{
    struct sigaction action;
    if (loop->interrupt_scope == NULL)
        return;
    loop->interrupt_scope = NULL;
    atomic_store(&armed, false);
    if (sigaction(SIGINT, NULL, &action) == 0 && is_ours(&action)) {
        action.sa_handler = SIG_DFL;
        sigaction(SIGINT, &action, NULL);
    }
    /* It came too late for the run, and must not be lost. */
    if (atomic_exchange(&pending, false))
        raise(SIGINT);
}

/*
 * receiver.c - from a handler to a task that waits.
 *
 * A signal goes to whichever thread of the process does not block it: other threads of the
 * program, or those of libraries.  A signalfd would miss it there and the process might die, so
 * signals are taken by a handler.  It looks at a table of fixed size that is never freed, and
 * writes a record to the pipe of each receiver of that signal.
 *
 * A record is written only where none of the same number is unread: the pipe holds at most
 * one for each signal and is never full, whatever comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <weft/signal.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "run/run_int.h"

enum { NUMBERS = 65 }; /* 1 to 64 */

/* What the handler sees of a receiver. */
struct slot {
    _Atomic uint64_t wanted;     /* bit n - 1: signal n */
    atomic_int inside;           /* handlers that may be about to write */
    atomic_bool unread[NUMBERS]; /* a record lies in the pipe */
    int fd;                      /* the pipe's end for writing */
    bool taken;
};

struct weft_signal_receiver {
    struct slot *slot;
    int fd; /* the pipe's end for reading */
    bool waiting;
};

static struct slot slots[WEFT__LIMIT_SIGNAL_RECEIVERS];
/* How each signal was handled before its first receiver, and how many there are. */
static struct sigaction before[NUMBERS];
static int n_receivers[NUMBERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static uint64_t bit(int number)
{
    return (uint64_t)1 << (number - 1);
}

/* ---- the handler ---- */

static void deliver(struct slot *slot, const weft_signal_info *info)
{
    atomic_fetch_add(&slot->inside, 1);
    if ((atomic_load(&slot->wanted) & bit(info->number)) != 0 &&
        !atomic_exchange(&slot->unread[info->number], true)) {
        ssize_t n = write(slot->fd, info, sizeof *info);
        (void)n; /* there is room: see above */
    }
    atomic_fetch_sub(&slot->inside, 1);
}

static void on_signal(int number, siginfo_t *system, void *context)
{
    int saved = errno;
    weft_signal_info info;
    (void)context;
    /* It goes through a pipe whole, gaps between the members included. */
    memset(&info, 0, sizeof info);
    info.number = number;
    info.code = system->si_code;
    /* Other codes keep other things in the same place. */
    if (number == SIGCHLD || system->si_code == SI_USER || system->si_code == SI_QUEUE ||
        system->si_code == SI_TKILL) {
        info.pid = system->si_pid;
        info.uid = system->si_uid;
    }
    if (number == SIGCHLD)
        info.value = system->si_status;
    else if (system->si_code == SI_QUEUE)
        info.value = (int64_t)(intptr_t)system->si_value.sival_ptr;
    for (size_t i = 0; i < WEFT__LIMIT_SIGNAL_RECEIVERS; i++)
        deliver(&slots[i], &info);
    errno = saved;
}

/* The pipes of the child of a fork are its parent's: there a signal does what it always did. */
static void forked_child(void)
{
    for (int number = 1; number < NUMBERS; number++) {
        if (n_receivers[number] > 0)
            sigaction(number, &before[number], NULL);
        n_receivers[number] = 0;
    }
    for (size_t i = 0; i < WEFT__LIMIT_SIGNAL_RECEIVERS; i++) {
        atomic_store(&slots[i].wanted, 0);
        atomic_store(&slots[i].inside, 0);
    }
    pthread_mutex_init(&lock, NULL);
}

static void install_fork(void)
{
    pthread_atfork(NULL, NULL, forked_child);
}

/* Calls with the lock. */
static void begin(int number)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    if (n_receivers[number]++ > 0)
        return;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, &before[number]);
}

/* Whoever has set a handler after us keeps it. */
static void end(int number)
{
    struct sigaction now;
    if (n_receivers[number] == 0 || --n_receivers[number] > 0)
        return;
    if (sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
        now.sa_sigaction == on_signal) {
        if (number == SIGINT && weft__interrupt_is_over(&before[number]))
            before[number] = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(number, &before[number], NULL);
    }
}

/* ---- opening ---- */

static int check_number(int number)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    const char *name = weft_signal_name(number);
    if (name == NULL)
        return weft__fail(-EINVAL, "%d is no signal", number);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (number == refused[i])
            return weft__fail(-EINVAL, "%s cannot be waited for", name);
    }
    return 0;
}

static int collect(const int *numbers, uint64_t *ret)
{
    uint64_t wanted = 0;
    if (numbers == NULL || numbers[0] == 0)
        return weft__fail(-EINVAL, "weft_signal_open without a signal");
    for (; *numbers != 0; numbers++) {
        int err = check_number(*numbers);
        if (err < 0)
            return err;
        if ((wanted & bit(*numbers)) != 0)
            return weft__fail(-EINVAL, "%s is named twice", weft_signal_name(*numbers));
        wanted |= bit(*numbers);
    }
    *ret = wanted;
    return 0;
}

/* Calls with the lock. */
static struct slot *free_slot(void)
{
    for (size_t i = 0; i < WEFT__LIMIT_SIGNAL_RECEIVERS; i++) {
        if (!slots[i].taken)
            return &slots[i];
    }
    return NULL;
}

static int take_slot(int fd, uint64_t wanted, struct slot **ret)
{
    pthread_once(&fork_once, install_fork);
    pthread_mutex_lock(&lock);
    struct slot *slot = free_slot();
    if (slot != NULL) {
        slot->taken = true;
        slot->fd = fd;
        for (int number = 1; number < NUMBERS; number++)
            atomic_store(&slot->unread[number], false);
        atomic_store(&slot->wanted, wanted);
        for (int number = 1; number < NUMBERS; number++) {
            if ((wanted & bit(number)) != 0)
                begin(number);
        }
    }
    pthread_mutex_unlock(&lock);
    if (slot == NULL)
        return weft__fail(-ENOSPC, "%d signal receivers are open already (SIGNAL_RECEIVERS)",
                          (int)WEFT__LIMIT_SIGNAL_RECEIVERS);
    *ret = slot;
    return 0;
}

int weft_signal_open(const int *numbers, weft_signal_receiver **ret)
{
    uint64_t wanted = 0;
    int fds[2];
    int err = collect(numbers, &wanted);
    if (err < 0)
        return err;
    weft_signal_receiver *receiver = weft__calloc(1, sizeof *receiver);
    if (receiver == NULL)
        return weft__fail_nomem();
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        err = -errno;
        weft__free(receiver);
        return weft__fail_with(err, "a pipe for signals");
    }
    err = take_slot(fds[1], wanted, &receiver->slot);
    if (err < 0) {
        close(fds[0]);
        close(fds[1]);
        weft__free(receiver);
        return err;
    }
    receiver->fd = fds[0];
    *ret = receiver;
    return 0;
}

/* ---- waiting ---- */

/* The number, or -EAGAIN. */
static int take(weft_signal_receiver *receiver, weft_signal_info *ret)
{
    weft_signal_info info;
    ssize_t n;
    do
        n = read(receiver->fd, &info, sizeof info);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof info)
        return -EAGAIN;
    /* Before it is given: what comes from here on is another signal. */
    atomic_store(&receiver->slot->unread[info.number], false);
    if (ret != NULL)
        *ret = info;
    return info.number;
}

int weft_signal_try_wait(weft_signal_receiver *receiver, weft_signal_info *ret)
{
    int number = take(receiver, ret);
    return number > 0 ? number : weft__fail(-EAGAIN, "no signal has come");
}

/* Bound to the loop for this wait only: a receiver outlives loops. */
static int wait_readable(const weft_signal_receiver *receiver)
{
    struct weft__fd fd;
    int err = weft__fd_init(&fd, receiver->fd);
    if (err < 0)
        return err;
    struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &fd, .flags = POLLIN};
    int64_t n = weft__op_run(&op, WEFT_FOREVER);
    weft__fd_detach(&fd);
    if (n == -ECANCELED)
        return weft__cancel_error(weft__self());
    return n < 0 ? weft__fail_with((int)n, "wait for a signal") : 0;
}

int weft_signal_wait(weft_signal_receiver *receiver, weft_signal_info *ret)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    int number = -EAGAIN;
    if (err == 0 && receiver->waiting)
        err = weft__fail(-EBUSY, "another task waits for the same signals");
    while (err == 0 && (number = take(receiver, ret)) < 0) {
        receiver->waiting = true;
        err = wait_readable(receiver);
        receiver->waiting = false;
    }
    return err < 0 ? err : number;
}

/* ---- the end ---- */

/* Nobody is told of these any more: they are raised again for what is there next. */
static uint64_t unclaimed(weft_signal_receiver *receiver, uint64_t wanted)
{
    uint64_t left = 0;
    int number;
    while ((number = take(receiver, NULL)) > 0)
        left |= bit(number);
    for (number = 1; number < NUMBERS; number++) {
        if ((wanted & bit(number)) != 0 && n_receivers[number] > 0)
            left &= ~bit(number);
    }
    return left;
}

void weft_signal_close(weft_signal_receiver *receiver)
{
    if (receiver == NULL)
        return;
    struct slot *slot = receiver->slot;
    pthread_mutex_lock(&lock);
    uint64_t wanted = atomic_load(&slot->wanted);
    for (int number = 1; number < NUMBERS; number++) {
        if ((wanted & bit(number)) != 0)
            end(number);
    }
    atomic_store(&slot->wanted, 0);
    while (atomic_load(&slot->inside) > 0)
        sched_yield();
    uint64_t left = unclaimed(receiver, wanted);
    close(slot->fd);
    close(receiver->fd);
    slot->taken = false;
    pthread_mutex_unlock(&lock);
    weft__free(receiver);
    for (int number = 1; number < NUMBERS; number++) {
        if ((left & bit(number)) != 0)
            kill(getpid(), number);
    }
}

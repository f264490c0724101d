/*
 * weft/signal.h - signals as something a task waits for.
 *
 *     weft_signal_receiver *stop;
 *     weft_signal_open(WEFT_SIGNALS(SIGTERM, SIGINT), &stop);
 *     int number = weft_signal_wait(stop, NULL);
 *     weft_signal_close(stop);
 *
 * While a receiver is open, its signals do nothing else: a handler that was there before is
 * put aside, and put back at the close.  It does not matter which thread a signal hits and
 * what masks the threads have; that is why this is a handler that writes to a pipe of the
 * receiver and not a signalfd, which misses whatever a thread that does not block the signal
 * takes.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_signal_receiver weft_signal_receiver;

/* Signal numbers for weft_signal_open(). */
#define WEFT_SIGNALS(...) ((const int[]){__VA_ARGS__, 0})

/* What the system told with a signal. */
typedef struct weft_signal_info {
    int number;
    int code;      /* SI_USER, SI_QUEUE, CLD_EXITED, ... */
    int32_t pid;   /* of the sender; of the child for SIGCHLD; 0 if the kernel sent it */
    uint32_t uid;  /* the sender's */
    int64_t value; /* of sigqueue(); the child's status for SIGCHLD */
} weft_signal_info;

/**
 * weft_signal_open() - receive signals from now on
 * @numbers: borrows. Ends with 0; WEFT_SIGNALS(SIGTERM, SIGINT) makes one.
 * @ret:     gives, close with weft_signal_close().
 *
 * A signal that comes several times before it is waited for is given once, as the system
 * itself merges those that are pending.  Of several receivers of the same signal, each gets
 * it.  Programs that are started meanwhile find the signal as it was before.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no number, an unknown one, one twice, or one that cannot be waited for:
 *           SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE; -ENOSPC 32 receivers are open in
 *           the process; -EMFILE, -ENFILE; -ENOMEM.
 * Source:   loop.add_signal_handler, trio.open_signal_receiver.
 * Since:    0.1
 */
WEFT_API int weft_signal_open(const int *numbers, weft_signal_receiver **ret);

/**
 * weft_signal_wait() - wait for the next signal
 * @receiver: borrows. One task waits at a time.
 * @ret:      gives what was told with it, NULL if that does not matter.
 *
 * Signals with different numbers come in the order in which they arrived.
 *
 * Suspends: maybe, until a signal comes.
 * Cancel:   nothing is lost; the next wait gets what comes.
 * Return:   the signal's number, or negative.
 * Errors:   -EBUSY another task waits; -ECANCELED; -ENOMEM.
 * Source:   trio.open_signal_receiver: async for signum in receiver.
 * Since:    0.1
 */
WEFT_API int weft_signal_wait(weft_signal_receiver *receiver, weft_signal_info *ret);

/**
 * weft_signal_try_wait() - take a signal that has come already
 * @receiver: borrows.
 * @ret:      gives what was told with it, NULL if that does not matter.
 *
 * Suspends: never.
 * Return:   the signal's number, or negative.
 * Errors:   -EAGAIN none has come.
 * Source:   signal.sigpending.
 * Since:    0.1
 */
WEFT_API int weft_signal_try_wait(weft_signal_receiver *receiver, weft_signal_info *ret);

/**
 * weft_signal_close() - stop receiving, and free the receiver
 * @receiver: takes. NULL is allowed. No task may wait on it.
 *
 * What the signals did before they do again, unless somebody has set a handler of his own
 * meanwhile.  A signal that came and was not waited for is raised once more, so that it is not
 * lost: with a SIGTERM that nobody took, the process ends here.
 *
 * Suspends: never.
 * Source:   loop.remove_signal_handler; the end of trio.open_signal_receiver.
 * Since:    0.1
 */
WEFT_API void weft_signal_close(weft_signal_receiver *receiver);

/**
 * weft_signal_name() - "SIGTERM", "SIGRTMIN+3"
 * @number: a signal.
 *
 * Suspends: never.
 * Return:   lends a static string; NULL for no signal.
 * Source:   signal.Signals(number).name.
 * Since:    0.1
 */
WEFT_API const char *weft_signal_name(int number);

/**
 * weft_signal_number() - the number of a name
 * @name: borrows. "SIGTERM", "TERM", "sigterm", "SIGRTMIN+3", "RTMAX", "15".
 *
 * Suspends: never.
 * Return:   the number, or -EINVAL for no signal.
 * Source:   signal.Signals[name].
 * Since:    0.1
 */
WEFT_API int weft_signal_number(const char *name);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_signal_receiver, weft_signal_close)
#endif

#ifdef __cplusplus
}
#endif
#endif

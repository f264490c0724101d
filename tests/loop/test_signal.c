/* Signals: a handler, a pipe, and a task that waits. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/signal.h>
#include <weft/thread.h>

#include "base/limits.h"
#include "fault.h"
#include "test.h"

static weft_signal_receiver *open_one(int number)
{
    weft_signal_receiver *receiver;
    ASSERT_OK(weft_signal_open(WEFT_SIGNALS(number), &receiver));
    return receiver;
}

static void *handler_of(int number)
{
    struct sigaction now;
    ASSERT_INT_EQ(sigaction(number, NULL, &now), 0);
    return (void *)now.sa_sigaction;
}

/* ---- receiving ---- */

TASK_TEST(signal_raised_before_the_wait_is_received_with_its_sender)
{
    weft_signal_receiver *receiver;
    weft_signal_info info;
    ASSERT_OK(weft_signal_open(WEFT_SIGNALS(SIGUSR1, SIGTERM), &receiver));
    kill(getpid(), SIGUSR1);
    ASSERT_INT_EQ(weft_signal_wait(receiver, &info), SIGUSR1);
    ASSERT_INT_EQ(info.number, SIGUSR1);
    ASSERT_INT_EQ(info.code, SI_USER);
    ASSERT_INT_EQ(info.pid, getpid());
    ASSERT_INT_EQ(info.uid, getuid());
    kill(getpid(), SIGTERM);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGTERM);
    weft_signal_close(receiver);
}

static int raise_soon(void *arg)
{
    int err = weft_sleep(WEFT_MS(2));
    kill(getpid(), *(int *)arg);
    return err;
}

TASK_TEST(signal_wakes_a_task_that_waits)
{
    weft_group group;
    weft_signal_receiver *receiver = open_one(SIGUSR2);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, raise_soon, &(int){SIGUSR2}));
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR2);
    ASSERT_OK(weft_group_wait(&group));
    weft_signal_close(receiver);
}

TEST(signal_is_received_outside_weft_run)
{
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    kill(getpid(), SIGUSR1);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR1);
    weft_signal_close(receiver);
}

TASK_TEST(signal_that_comes_often_is_received_once)
{
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    for (int i = 0; i < 100000 / test_slowness(); i++)
        raise(SIGUSR1);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR1);
    ASSERT_ERR(weft_signal_try_wait(receiver, NULL), -EAGAIN);
    raise(SIGUSR1);
    ASSERT_INT_EQ(weft_signal_try_wait(receiver, NULL), SIGUSR1);
    weft_signal_close(receiver);
}

TASK_TEST(signals_of_different_numbers_come_in_their_order)
{
    weft_signal_receiver *receiver;
    ASSERT_OK(weft_signal_open(WEFT_SIGNALS(SIGHUP, SIGUSR1, SIGUSR2), &receiver));
    raise(SIGUSR2);
    raise(SIGHUP);
    raise(SIGUSR1);
    raise(SIGUSR2);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR2);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGHUP);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR1);
    ASSERT_ERR(weft_signal_try_wait(receiver, NULL), -EAGAIN);
    weft_signal_close(receiver);
}

TASK_TEST(signal_with_a_value_carries_it)
{
    weft_signal_info info;
    weft_signal_receiver *receiver = open_one(SIGRTMIN + 1);
    ASSERT_INT_EQ(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_ptr = (void *)42}), 0);
    ASSERT_INT_EQ(weft_signal_wait(receiver, &info), SIGRTMIN + 1);
    ASSERT_INT_EQ(info.code, SI_QUEUE);
    ASSERT_INT_EQ(info.value, 42);
    weft_signal_close(receiver);
}

TASK_TEST(signal_of_a_child_tells_its_pid_and_status)
{
    weft_signal_info info;
    weft_signal_receiver *receiver = open_one(SIGCHLD);
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    ASSERT_INT_EQ(weft_signal_wait(receiver, &info), SIGCHLD);
    ASSERT_INT_EQ(info.pid, pid);
    ASSERT_INT_EQ(info.code, CLD_EXITED);
    ASSERT_INT_EQ(info.value, 7);
    ASSERT_INT_EQ(waitpid(pid, NULL, 0), pid);
    weft_signal_close(receiver);
}

TASK_TEST(signal_received_by_two_is_given_to_each)
{
    weft_signal_receiver *one = open_one(SIGUSR1);
    weft_signal_receiver *two;
    ASSERT_OK(weft_signal_open(WEFT_SIGNALS(SIGUSR1, SIGUSR2), &two));
    raise(SIGUSR1);
    raise(SIGUSR2);
    ASSERT_INT_EQ(weft_signal_wait(one, NULL), SIGUSR1);
    ASSERT_ERR(weft_signal_try_wait(one, NULL), -EAGAIN);
    ASSERT_INT_EQ(weft_signal_wait(two, NULL), SIGUSR1);
    ASSERT_INT_EQ(weft_signal_wait(two, NULL), SIGUSR2);
    weft_signal_close(one);
    raise(SIGUSR1);
    ASSERT_INT_EQ(weft_signal_wait(two, NULL), SIGUSR1);
    weft_signal_close(two);
}

/* trio: a flood of one signal must not keep the others waiting. */
TASK_TEST(signal_flood_does_not_hide_another_signal)
{
    weft_signal_receiver *receiver;
    ASSERT_OK(weft_signal_open(WEFT_SIGNALS(SIGUSR1, SIGUSR2), &receiver));
    bool seen[NSIG] = {false};
    raise(SIGUSR1);
    raise(SIGUSR2);
    for (int i = 0; i < 20; i++) {
        seen[weft_signal_wait(receiver, NULL)] = true;
        raise(SIGUSR1);
    }
    ASSERT(seen[SIGUSR1] && seen[SIGUSR2]);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR1);
    weft_signal_close(receiver);
}

/* ---- threads ---- */

static atomic_bool thread_goes_on;

static void *hold_signals(void *arg)
{
    (void)arg;
    while (atomic_load(&thread_goes_on))
        usleep(100);
    return NULL;
}

TASK_TEST(signal_that_hits_another_thread_is_received)
{
    pthread_t thread;
    weft_signal_info info;
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    atomic_store(&thread_goes_on, true);
    ASSERT_INT_EQ(pthread_create(&thread, NULL, hold_signals, NULL), 0);
    for (int i = 0; i < 20; i++) {
        ASSERT_INT_EQ(pthread_kill(thread, SIGUSR1), 0);
        ASSERT_INT_EQ(weft_signal_wait(receiver, &info), SIGUSR1);
        ASSERT_INT_EQ(info.code, SI_TKILL);
    }
    atomic_store(&thread_goes_on, false);
    pthread_join(thread, NULL);
    weft_signal_close(receiver);
}

static void *receive_there(void *arg)
{
    weft_signal_receiver *receiver = open_one(SIGUSR2);
    atomic_store((atomic_bool *)arg, true);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR2);
    weft_signal_close(receiver);
    return NULL;
}

TEST(signal_is_received_by_a_loop_of_another_thread)
{
    pthread_t thread;
    static atomic_bool ready;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, receive_there, &ready), 0);
    while (!atomic_load(&ready))
        usleep(100);
    kill(getpid(), SIGUSR2);
    pthread_join(thread, NULL);
}

static void *flood(void *arg)
{
    while (atomic_load((atomic_bool *)arg)) {
        raise(SIGUSR1);
        usleep(1);
    }
    return NULL;
}

TASK_TEST(signal_receiver_opened_and_closed_under_a_flood_is_whole)
{
    pthread_t thread;
    static atomic_bool on = true;
    weft_signal_receiver *all_along = open_one(SIGUSR1);
    ASSERT_INT_EQ(pthread_create(&thread, NULL, flood, &on), 0);
    for (int i = 0; i < 2000 / test_slowness(); i++) {
        weft_signal_receiver *receiver = open_one(SIGUSR1);
        if (i % 8 == 0)
            ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR1);
        weft_signal_close(receiver);
    }
    atomic_store(&on, false);
    pthread_join(thread, NULL);
    while (weft_signal_try_wait(all_along, NULL) > 0)
        continue;
    weft_signal_close(all_along);
}

/* ---- opening and closing ---- */

TEST(signal_receiver_that_names_nothing_or_nonsense_is_refused)
{
    weft_signal_receiver *receiver = NULL;
    void *before = handler_of(SIGINT);
    ASSERT_ERR(weft_signal_open(NULL, &receiver), -EINVAL);
    ASSERT_ERR(weft_signal_open((const int[]){0}, &receiver), -EINVAL);
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGINT, 1234), &receiver), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "1234 is no signal");
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGINT, -3), &receiver), -EINVAL);
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGINT, 32), &receiver), -EINVAL);
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGINT, SIGKILL), &receiver), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "SIGKILL cannot be waited for");
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGINT, SIGSEGV), &receiver), -EINVAL);
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGINT, SIGTERM, SIGINT), &receiver), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "SIGINT is named twice");
    ASSERT(handler_of(SIGINT) == before);
    ASSERT(receiver == NULL);
    weft_signal_close(NULL);
}

static volatile sig_atomic_t n_handled;

static void count(int number)
{
    (void)number;
    n_handled = n_handled + 1;
}

static void handle_with(void (*handler)(int), int number)
{
    ASSERT_INT_EQ(sigaction(number, &(struct sigaction){.sa_handler = handler}, NULL), 0);
}

TEST(signal_handler_from_before_is_put_back)
{
    handle_with(count, SIGUSR1);
    weft_signal_receiver *one = open_one(SIGUSR1);
    weft_signal_receiver *two = open_one(SIGUSR1);
    raise(SIGUSR1);
    ASSERT_INT_EQ(n_handled, 0);
    ASSERT_INT_EQ(weft_signal_try_wait(one, NULL), SIGUSR1);
    ASSERT_INT_EQ(weft_signal_try_wait(two, NULL), SIGUSR1);
    weft_signal_close(one);
    raise(SIGUSR1);
    ASSERT_INT_EQ(n_handled, 0);
    ASSERT_INT_EQ(weft_signal_try_wait(two, NULL), SIGUSR1);
    weft_signal_close(two);
    ASSERT(handler_of(SIGUSR1) == (void *)count);
    raise(SIGUSR1);
    ASSERT_INT_EQ(n_handled, 1);
}

TEST(signal_handler_that_the_program_set_meanwhile_stays)
{
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    handle_with(count, SIGUSR1);
    weft_signal_close(receiver);
    ASSERT(handler_of(SIGUSR1) == (void *)count);
}

TEST(signal_that_nobody_took_is_raised_again_at_the_close)
{
    handle_with(count, SIGUSR1);
    handle_with(SIG_IGN, SIGUSR2);
    weft_signal_receiver *receiver;
    ASSERT_OK(weft_signal_open(WEFT_SIGNALS(SIGUSR1, SIGUSR2), &receiver));
    raise(SIGUSR1);
    raise(SIGUSR2);
    weft_signal_close(receiver);
    ASSERT_INT_EQ(n_handled, 1);
}

TEST(signal_that_another_receiver_has_is_not_raised_again)
{
    handle_with(count, SIGUSR1);
    weft_signal_receiver *one = open_one(SIGUSR1);
    weft_signal_receiver *two = open_one(SIGUSR1);
    raise(SIGUSR1);
    weft_signal_close(one);
    ASSERT_INT_EQ(n_handled, 0);
    ASSERT_INT_EQ(weft_signal_try_wait(two, NULL), SIGUSR1);
    weft_signal_close(two);
    ASSERT_INT_EQ(n_handled, 0);
}

static void die_of_an_untaken_signal(void *arg)
{
    (void)arg;
    weft_signal_receiver *receiver = open_one(SIGTERM);
    raise(SIGTERM);
    weft_signal_close(receiver);
}

TEST(signal_sigterm_that_nobody_took_ends_the_process)
{
    char output[256];
    if (test_under_valgrind())
        SKIP("Valgrind finds no room on the stack for a signal that ends the process");
    int status = test_fork(die_of_an_untaken_signal, NULL, output, sizeof output);
    ASSERT(WIFSIGNALED(status));
    ASSERT_INT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(signal_receivers_beyond_the_limit_are_refused)
{
    weft_signal_receiver *receivers[WEFT__LIMIT_SIGNAL_RECEIVERS];
    weft_signal_receiver *more;
    for (int i = 0; i < WEFT__LIMIT_SIGNAL_RECEIVERS; i++)
        receivers[i] = open_one(SIGUSR1);
    ASSERT_ERR(weft_signal_open(WEFT_SIGNALS(SIGUSR1), &more), -ENOSPC);
    ASSERT_STR_HAS(weft_error_message(), "32 signal receivers");
    for (int i = 0; i < WEFT__LIMIT_SIGNAL_RECEIVERS; i++)
        weft_signal_close(receivers[i]);
    ASSERT(handler_of(SIGUSR1) == NULL);
}

/* ---- beside the run's own use of SIGINT ---- */

static int take_sigint(void *arg)
{
    weft_signal_receiver *receiver = open_one(SIGINT);
    raise(SIGINT);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGINT);
    if (arg != NULL)
        *(weft_signal_receiver **)arg = receiver;
    else
        weft_signal_close(receiver);
    return weft_checkpoint();
}

TEST(signal_receiver_of_sigint_takes_the_place_of_the_run)
{
    ASSERT_OK(weft_run(take_sigint, NULL));
    ASSERT(handler_of(SIGINT) == NULL);
}

TEST(signal_receiver_of_sigint_that_outlives_its_run_restores_the_default)
{
    weft_signal_receiver *receiver;
    ASSERT_OK(weft_run(take_sigint, &receiver));
    raise(SIGINT);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGINT);
    weft_signal_close(receiver);
    ASSERT(handler_of(SIGINT) == NULL);
}

/* ---- waiting ---- */

static int wait_for_signal(void *arg)
{
    return weft_signal_wait(arg, NULL);
}

TASK_TEST(signal_receiver_with_a_second_waiter_is_busy)
{
    weft_group group;
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_for_signal, receiver));
    ASSERT_ERR(weft_signal_wait(receiver, NULL), -EBUSY);
    raise(SIGUSR1);
    ASSERT_OK(weft_group_wait(&group));
    weft_signal_close(receiver);
}

TASK_TEST(signal_wait_that_was_cancelled_loses_nothing)
{
    weft_scope scope;
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    weft_scope_enter(&scope, WEFT_MS(2));
    int err = weft_signal_wait(receiver, NULL);
    raise(SIGUSR1);
    ASSERT_ERR(weft_signal_wait(receiver, NULL), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_signal_wait(receiver, NULL), SIGUSR1);
    weft_signal_close(receiver);
}

TEST(signal_receiver_serves_one_loop_after_the_other)
{
    weft_signal_receiver *receiver = open_one(SIGUSR1);
    for (int i = 0; i < 3; i++) {
        raise(SIGUSR1);
        ASSERT_INT_EQ(weft_run(wait_for_signal, receiver), SIGUSR1);
    }
    weft_signal_close(receiver);
}

/* ---- children ---- */

static void exit_by_sigterm(void *arg)
{
    (void)arg;
    kill(getpid(), SIGTERM);
}

TEST(signal_in_the_child_of_a_fork_does_what_it_always_did)
{
    char output[256];
    weft_signal_receiver *receiver = open_one(SIGTERM);
    int status = test_fork(exit_by_sigterm, NULL, output, sizeof output);
    ASSERT(WIFSIGNALED(status));
    ASSERT_INT_EQ(WTERMSIG(status), SIGTERM);
    ASSERT_ERR(weft_signal_try_wait(receiver, NULL), -EAGAIN);
    weft_signal_close(receiver);
}

/* ---- faults ---- */

static int receive_once(void *arg)
{
    weft_signal_receiver *receiver;
    (void)arg;
    int err = weft_signal_open(WEFT_SIGNALS(SIGUSR1), &receiver);
    if (err < 0)
        return err;
    raise(SIGUSR1);
    int number = weft_signal_wait(receiver, NULL);
    while (weft_signal_try_wait(receiver, NULL) > 0)
        continue;
    weft_signal_close(receiver);
    return number;
}

TEST(signal_survives_every_fault)
{
    FAULTS(receive_once, NULL);
    FAULTS(receive_once, NULL, .plain = true);
}

/* ---- names ---- */

TEST(signal_names_and_numbers_are_each_others)
{
    for (int number = 1; number <= SIGRTMAX; number++) {
        const char *name = weft_signal_name(number);
        if (number == 32 || number == 33) {
            ASSERT(name == NULL);
            continue;
        }
        ASSERT_INT_EQ(weft_signal_number(name), number);
        if (number < 32) {
            ASSERT_STR_EQ(name + 3, number == SIGIO ? "IO" : sigabbrev_np(number));
            ASSERT_INT_EQ(weft_signal_number(name + 3), number);
        }
    }
    ASSERT_STR_EQ(weft_signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    ASSERT_STR_EQ(weft_signal_name(SIGRTMAX), "SIGRTMAX");
    ASSERT(weft_signal_name(0) == NULL);
    ASSERT(weft_signal_name(-1) == NULL);
    ASSERT(weft_signal_name(65) == NULL);
}

TEST(signal_numbers_are_known_by_every_usual_name)
{
    ASSERT_INT_EQ(weft_signal_number("sigterm"), SIGTERM);
    ASSERT_INT_EQ(weft_signal_number("Term"), SIGTERM);
    ASSERT_INT_EQ(weft_signal_number("15"), SIGTERM);
    ASSERT_INT_EQ(weft_signal_number("SIGCLD"), SIGCHLD);
    ASSERT_INT_EQ(weft_signal_number("poll"), SIGIO);
    ASSERT_INT_EQ(weft_signal_number("rtmin"), SIGRTMIN);
    ASSERT_INT_EQ(weft_signal_number("RTMAX-2"), SIGRTMAX - 2);
    ASSERT_INT_EQ(weft_signal_number("SIGRTMIN+30"), SIGRTMAX);
    static const char *const wrong[] = {"",       "SIG",      "SIGNAL",  "0",        "65",
                                        "32",     "-9",       "RTMIN-1", "RTMIN+31", "RTMAX+1",
                                        "RTMIN+", "RTMIN+1x", "RT"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ASSERT_ERR(weft_signal_number(wrong[i]), -EINVAL);
}

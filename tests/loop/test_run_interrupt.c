/* SIGINT: the first one cancels the run, the second one ends the program. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "test.h"

static int exit_code(int err)
{
    return err == -EINTR ? 130 : err < 0 ? 1 : 0;
}

/* As a program's own main: its exit status tells how it ended. */
static int run_as_program(void (*program)(void *arg), void *arg)
{
    char output[4000];
    int status = test_fork(program, arg, output, sizeof output);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
        FAIL("%s", output);
    return status;
}

static int wait_long(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    int err = weft_sleep(WEFT_SEC(30));
    if (strcmp(weft_error_message(), "cancelled: interrupted") != 0)
        return -EPROTO;
    return err;
}

static void program_that_waits(void *arg)
{
    const weft_backend *backend = arg;
    int err = weft_run_with(wait_long, NULL, WEFT_RUN(.backend = *backend));
    _exit(exit_code(err));
}

TEST(interrupt_cancels_a_run_that_waits)
{
    weft_backend backends[] = {WEFT_BACKEND_DEFAULT, WEFT_BACKEND_VIRTUAL};
    for (int i = 0; i < 2; i++) {
        int status = run_as_program(program_that_waits, &backends[i]);
        ASSERT(WIFEXITED(status));
        ASSERT_INT_EQ(WEXITSTATUS(status), 130);
    }
}

/* From outside, while the loop is in the kernel. */
static int wait_and_say_so(void *arg)
{
    if (write(*(int *)arg, "r", 1) != 1)
        return -EIO;
    return weft_sleep(WEFT_SEC(30));
}

static int interrupt_from_outside(int (*fn)(void *arg), int signals)
{
    int ready[2];
    char byte;
    int status;
    ASSERT_INT_EQ(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(exit_code(weft_run(fn, &ready[1])));
    for (int i = 0; i < signals; i++) {
        ASSERT_INT_EQ(read(ready[0], &byte, 1), 1);
        usleep(2000);
        kill(child, SIGINT);
    }
    ASSERT_INT_EQ(waitpid(child, &status, 0), child);
    close(ready[0]);
    close(ready[1]);
    return status;
}

TEST(interrupt_from_outside_wakes_the_loop)
{
    int status = interrupt_from_outside(wait_and_say_so, 1);
    ASSERT(WIFEXITED(status));
    ASSERT_INT_EQ(WEXITSTATUS(status), 130);
}

static bool has_default_action(void)
{
    struct sigaction action;
    return sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

/* Never lets the loop look. */
static int keep_busy(void *arg)
{
    int64_t end = weft_now() + WEFT_SEC(15);
    if (write(*(int *)arg, "r", 1) != 1)
        return -EIO;
    while (!has_default_action() && weft_now() < end)
        ;
    if (write(*(int *)arg, "r", 1) != 1)
        return -EIO;
    while (weft_now() < end)
        ;
    return 0;
}

TEST(interrupt_a_second_time_ends_a_busy_program)
{
    int status = interrupt_from_outside(keep_busy, 2);
    ASSERT(WIFSIGNALED(status));
    ASSERT_INT_EQ(WTERMSIG(status), SIGINT);
}

static int yield_until_told(void *arg)
{
    int err;
    if (write(*(int *)arg, "r", 1) != 1)
        return -EIO;
    while ((err = weft_yield()) == 0)
        ;
    return err;
}

TEST(interrupt_reaches_tasks_that_are_always_ready)
{
    int status = interrupt_from_outside(yield_until_told, 1);
    ASSERT(WIFEXITED(status));
    ASSERT_INT_EQ(WEXITSTATUS(status), 130);
}

static int clean_up(void *arg)
{
    weft_scope shield;
    int err = wait_and_say_so(arg);
    weft_scope_enter_shield(&shield, WEFT_SEC(20));
    int cleaned = weft_sleep(WEFT_MS(20));
    weft_scope_exit(&shield, 0);
    return cleaned == 0 ? err : -EPROTO;
}

TEST(interrupt_leaves_time_for_a_shielded_cleanup)
{
    int status = interrupt_from_outside(clean_up, 1);
    ASSERT(WIFEXITED(status));
    ASSERT_INT_EQ(WEXITSTATUS(status), 130);
}

static int clean_up_for_long(void *arg)
{
    weft_scope shield;
    wait_and_say_so(arg);
    weft_scope_enter_shield(&shield, WEFT_SEC(20));
    int err = wait_and_say_so(arg);
    return weft_scope_exit(&shield, err);
}

TEST(interrupt_a_second_time_ends_a_cleanup)
{
    int status = interrupt_from_outside(clean_up_for_long, 2);
    ASSERT(WIFSIGNALED(status));
    ASSERT_INT_EQ(WTERMSIG(status), SIGINT);
}

/* asyncio: a task that has an answer of its own to the cancellation keeps it. */
static int answer(void *arg)
{
    int err = wait_long(arg);
    return err == -ECANCELED ? 5 : err;
}

static int fail_otherwise(void *arg)
{
    int err = wait_long(arg);
    return err == -ECANCELED ? -EPIPE : err;
}

static void program_with_its_own_answer(void *arg)
{
    (void)arg;
    ASSERT_INT_EQ(weft_run(answer, NULL), 5);
    ASSERT_ERR(weft_run(fail_otherwise, NULL), -EPIPE);
    ASSERT_ERR(weft_run(wait_long, NULL), -EINTR);
    ASSERT_STR_EQ(weft_error_message(), "interrupted");
    struct sigaction action;
    sigaction(SIGINT, NULL, &action);
    ASSERT(action.sa_handler == SIG_DFL);
    _exit(0);
}

TEST(interrupt_gives_the_main_task_the_last_word)
{
    ASSERT_INT_EQ(run_as_program(program_with_its_own_answer, NULL), 0);
}

static volatile sig_atomic_t seen;

static void on_signal(int number)
{
    seen = number;
}

static int interrupt_me(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    return weft_sleep(WEFT_MS(1));
}

static void program_with_a_handler(void *arg)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)arg;
    sigaction(SIGINT, &action, NULL);
    ASSERT_OK(weft_run(interrupt_me, NULL));
    ASSERT_INT_EQ(seen, SIGINT);
    sigaction(SIGINT, NULL, &action);
    ASSERT(action.sa_handler == on_signal);
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, NULL);
    ASSERT_OK(weft_run(interrupt_me, NULL));
    _exit(0);
}

TEST(interrupt_that_the_program_handles_is_left_alone)
{
    ASSERT_INT_EQ(run_as_program(program_with_a_handler, NULL), 0);
}

static void program_that_keeps_it(void *arg)
{
    (void)arg;
    weft_run_with(interrupt_me, NULL, WEFT_RUN(.keep_sigint = true));
    _exit(1);
}

static int sleep_a_little(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_MS(1));
}

static void program_outside_a_run(void *arg)
{
    (void)arg;
    ASSERT_OK(weft_run(sleep_a_little, NULL));
    interrupt_me(NULL);
    _exit(1);
}

static int run_in_worker(void *arg)
{
    (void)arg;
    return weft_run(interrupt_me, NULL);
}

static void program_with_a_run_in_a_thread(void *arg)
{
    (void)arg;
    weft_offload(run_in_worker, NULL);
    _exit(1);
}

TEST(interrupt_elsewhere_has_its_usual_effect)
{
    void (*const programs[])(void *) = {program_that_keeps_it, program_outside_a_run,
                                        program_with_a_run_in_a_thread};
    for (int i = 0; i < 3; i++) {
        int status = run_as_program(programs[i], NULL);
        ASSERT(WIFSIGNALED(status));
        ASSERT_INT_EQ(WTERMSIG(status), SIGINT);
    }
}

/* It came when the main task had ended: the program does not go on as if nothing had been. */
static int interrupt_at_the_end(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    return 0;
}

static void program_interrupted_at_the_end(void *arg)
{
    (void)arg;
    weft_run(interrupt_at_the_end, NULL);
    _exit(1);
}

TEST(interrupt_that_comes_too_late_is_not_lost)
{
    int status = run_as_program(program_interrupted_at_the_end, NULL);
    ASSERT(WIFSIGNALED(status));
    ASSERT_INT_EQ(WTERMSIG(status), SIGINT);
}

static void program_with_a_runner(void *arg)
{
    weft_runner *runner;
    (void)arg;
    ASSERT_OK(weft_runner_new(NULL, &runner));
    ASSERT_ERR(weft_runner_run(runner, wait_long, NULL), -EINTR);
    ASSERT_ERR(weft_runner_run(runner, wait_long, NULL), -EINTR);
    weft_runner_free(runner);
    _exit(0);
}

TEST(interrupt_of_a_runner_ends_the_one_run)
{
    ASSERT_INT_EQ(run_as_program(program_with_a_runner, NULL), 0);
}

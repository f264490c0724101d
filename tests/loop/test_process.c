/* Processes: starting, stdio, waiting, signals, the end. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/process.h>

#include "fault.h"
#include "process/process_int.h"
#include "test.h"

static weft_process *start(const char *const *argv, const weft_process_options *options)
{
    weft_process *process;
    ASSERT_OK(weft_process_start(argv, options, &process));
    return process;
}

static int code_of(weft_process *process)
{
    int code = 1000;
    ASSERT_OK(weft_process_wait(process, &code));
    return code;
}

/* What a shell command prints. */
static void expect_output(const char *command, const weft_process_options *options,
                          const char *expected)
{
    weft_process_options all = *options;
    weft_process_result result;
    all.capture = true;
    all.shell = true;
    ASSERT_OK(weft_process_run(WEFT_ARGV(command), &all, &result));
    ASSERT_STR_EQ(result.err, "");
    ASSERT_STR_EQ(result.out, expected);
    ASSERT_INT_EQ(result.returncode, 0);
    weft_process_result_done(&result);
}

/* Every test leaves no child behind. */
static void expect_no_child(void)
{
    siginfo_t info;
    ASSERT_INT_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    ASSERT_INT_EQ(errno, ECHILD);
}

/* ---- starting and waiting ---- */

TASK_TEST(process_exit_code_is_told_to_every_wait)
{
    weft_process *process = start(WEFT_ARGV("sh", "-c", "exit 7"), NULL);
    ASSERT_INT_GT(weft_process_pid(process), 1);
    ASSERT_INT_EQ(code_of(process), 7);
    ASSERT_INT_EQ(code_of(process), 7);
    int code;
    ASSERT_INT_EQ(weft_process_poll(process, &code), 1);
    ASSERT_INT_EQ(code, 7);
    ASSERT(weft_process_stdin(process) == NULL);
    ASSERT(weft_process_stdout(process) == NULL);
    ASSERT(weft_process_stderr(process) == NULL);
    weft_process_free(process);
    weft_process_free(NULL);
    expect_no_child();
}

TEST(process_is_waited_for_outside_weft_run)
{
    weft_process *process = start(WEFT_ARGV("true"), NULL);
    ASSERT_INT_EQ(code_of(process), 0);
    weft_process_free(process);
    expect_no_child();
}

TASK_TEST(process_polled_has_not_ended_and_then_has)
{
    int code = 99;
    weft_process *process = start(WEFT_ARGV("cat"), WEFT_PROCESS(.in = WEFT_STDIO_PIPE));
    ASSERT_INT_EQ(weft_process_poll(process, &code), 0);
    ASSERT_INT_EQ(code, 99);
    ASSERT_OK(weft_stream_write_eof(weft_process_stdin(process)));
    while (weft_process_poll(process, &code) == 0)
        weft_sleep(WEFT_MS(1));
    ASSERT_INT_EQ(code, 0);
    weft_process_free(process);
}

static int wait_for_nine(void *arg)
{
    int code = 0;
    int err = weft_process_wait(arg, &code);
    return err < 0 ? err : code == -9 ? 0 : -EINVAL;
}

TASK_TEST(process_waited_for_by_many_tasks_is_told_to_each)
{
    weft_group group;
    weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(5));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_for_nine, process));
    ASSERT_ERR(weft_scope_exit(&scope, weft_group_wait(&group)), -ETIMEDOUT);

    /* The one that asks the kernel is cancelled: another takes its place. */
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_scope_enter(&scope, WEFT_MS(5));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_for_nine, process));
    ASSERT_ERR(weft_scope_exit(&scope, weft_process_wait(process, NULL)), -ETIMEDOUT);
    ASSERT_OK(weft_process_kill(process));
    ASSERT_OK(weft_group_wait(&group));
    weft_process_free(process);
}

TASK_TEST(process_first_waiter_cancelled_hands_over_to_the_next)
{
    weft_group first;
    weft_group second;
    weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
    ASSERT_OK(weft_group_init(&second, NULL));
    ASSERT_OK(weft_group_init(&first, NULL));
    ASSERT_OK(weft_group_spawn(&first, wait_for_nine, process));
    ASSERT_OK(weft_group_spawn(&second, wait_for_nine, process));
    ASSERT_OK(weft_group_spawn(&second, wait_for_nine, process));
    weft_group_cancel(&first, "enough");
    weft_group_wait(&first);
    ASSERT_OK(weft_process_kill(process));
    ASSERT_OK(weft_group_wait(&second));
    weft_process_free(process);
}

TASK_TEST(process_wait_that_was_cancelled_leaves_the_program_alone)
{
    weft_scope scope;
    weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
    weft_scope_enter(&scope, WEFT_MS(2));
    ASSERT_ERR(weft_scope_exit(&scope, weft_process_wait(process, NULL)), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_process_poll(process, NULL), 0);
    ASSERT_OK(weft_process_terminate(process));
    ASSERT_INT_EQ(code_of(process), -SIGTERM);
    weft_process_free(process);
}

static int start_one(void *arg)
{
    return weft_process_start(WEFT_ARGV("sleep", "100"), WEFT_PROCESS(.out = WEFT_STDIO_PIPE), arg);
}

static int kill_one(void *arg)
{
    ASSERT_OK(weft_process_kill(arg));
    return code_of(arg) == -SIGKILL ? 0 : -EINVAL;
}

TEST(process_outlives_the_loop_it_was_started_in)
{
    weft_process *process;
    ASSERT_OK(weft_run(start_one, &process));
    ASSERT_OK(weft_run(kill_one, process));
    weft_process_free(process);
    expect_no_child();
}

TASK_TEST(process_freed_while_it_runs_is_killed_and_reaped)
{
    for (int i = 0; i < 10; i++)
        weft_process_free(start(
            WEFT_ARGV("sleep", "100"),
            WEFT_PROCESS(.in = WEFT_STDIO_PIPE, .out = WEFT_STDIO_PIPE, .err = WEFT_STDIO_PIPE)));
    expect_no_child();
}

static int start_and_wait(void *arg)
{
    weft_process *process = start(WEFT_ARGV("true"), WEFT_PROCESS(.out = WEFT_STDIO_PIPE));
    (void)arg;
    int code = code_of(process);
    weft_process_free(process);
    return code;
}

TEST_IN_LOOP(process_many_at_once_are_all_waited_for, WEFT_BACKEND_DEFAULT, .limit_s = 60)
{
    static char items[500];
    size_t n = test_under_valgrind() ? 10 : 500 / (size_t)test_slowness();
    ASSERT_OK(weft_map(start_and_wait, items, n, 1, WEFT_MAP(.limit = 100)));
    expect_no_child();
}

/* ---- failures to start ---- */

TEST(process_that_cannot_start_says_why)
{
    weft_process *process = NULL;
    ASSERT_ERR(weft_process_start(WEFT_ARGV("/no/such/program"), NULL, &process), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "'/no/such/program'");
    ASSERT_ERR(weft_process_start(WEFT_ARGV("no-such-program-at-all"), NULL, &process), -ENOENT);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("/etc/passwd"), NULL, &process), -EACCES);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("true"), WEFT_PROCESS(.cwd = "/no/folder"), &process),
               -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "in folder '/no/folder'");
    ASSERT_ERR(weft_process_start(NULL, NULL, &process), -EINVAL);
    ASSERT_ERR(weft_process_start((const char *const[]){NULL}, NULL, &process), -EINVAL);
    ASSERT_ERR(weft_process_start(WEFT_ARGV(""), NULL, &process), -EINVAL);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("true"), WEFT_PROCESS(.in = -9), &process), -EINVAL);
    ASSERT_ERR(
        weft_process_start(WEFT_ARGV("true"), WEFT_PROCESS(.in = WEFT_STDIO_STDOUT), &process),
        -EINVAL);
    ASSERT_ERR(
        weft_process_start(WEFT_ARGV("true"), WEFT_PROCESS(.out = WEFT_STDIO_FD(999)), &process),
        -EBADF);
    ASSERT_STR_HAS(weft_error_message(), "start 'true' with its stdin, stdout or stderr");
    ASSERT_ERR(weft_process_start(WEFT_ARGV("true"),
                                  WEFT_PROCESS(.pass_fds = (const int[]){1}, .n_pass_fds = 1),
                                  &process),
               -EINVAL);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("true"),
                                  WEFT_PROCESS(.pass_fds = (const int[]){999}, .n_pass_fds = 1),
                                  &process),
               -EBADF);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("true"), WEFT_PROCESS(.process_group = 1), &process),
               -EPERM);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("true"),
                                  WEFT_PROCESS(.env = (weft_pair[]){{"A=B", "c"}, {0}}), &process),
               -EINVAL);
    ASSERT(process == NULL);
    expect_no_child();
}

TEST(process_with_pipes_that_cannot_start_leaves_nothing)
{
    weft_process *process = NULL;
    ASSERT_ERR(weft_process_start(WEFT_ARGV("/no/such/program"),
                                  WEFT_PROCESS(.in = WEFT_STDIO_PIPE, .out = WEFT_STDIO_PIPE,
                                               .err = WEFT_STDIO_DEVNULL),
                                  &process),
               -ENOENT);
    expect_no_child();
}

TEST(process_started_without_free_descriptors_leaves_nothing)
{
    struct rlimit old;
    weft_process *process;
    weft_sleep(0);
    ASSERT_INT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    bool started = false;
    for (rlim_t most = 3; most < 64 && !started; most++) {
        struct rlimit few = {.rlim_cur = most, .rlim_max = old.rlim_max};
        ASSERT_INT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
        int err = weft_process_start(
            WEFT_ARGV("true"),
            WEFT_PROCESS(.in = WEFT_STDIO_PIPE, .out = WEFT_STDIO_PIPE, .err = WEFT_STDIO_PIPE),
            &process);
        ASSERT_INT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
        started = err == 0;
        if (started)
            weft_process_free(process);
        else
            ASSERT_INT_EQ(err, -EMFILE);
        expect_no_child();
    }
    ASSERT(started);
}

/* ---- what the program finds ---- */

TASK_TEST(process_environment_is_inherited_replaced_or_changed)
{
    setenv("WEFT_TEST_A", "a", 1);
    setenv("WEFT_TEST_B", "b", 1);
    expect_output("echo $WEFT_TEST_A$WEFT_TEST_B", WEFT_PROCESS(0), "ab\n");
    expect_output("echo $WEFT_TEST_A$WEFT_TEST_B$C",
                  WEFT_PROCESS(.env_add = (weft_pair[]){{"WEFT_TEST_A", NULL}, {"C", "c"}, {0}}),
                  "bc\n");
    expect_output("echo $WEFT_TEST_A$WEFT_TEST_B$C$D",
                  WEFT_PROCESS(.env = (weft_pair[]){{"C", "c"}, {"D", "d"}, {0}},
                               .env_add = (weft_pair[]){{"D", "x"}, {0}}),
                  "cx\n");
}

TASK_TEST(process_is_searched_for_in_the_path_of_its_own_environment)
{
    weft_process *process;
    const char *script = test_path("hello-there");
    int fd = open(script, O_WRONLY | O_CREAT, 0755);
    ASSERT_INT_EQ(write(fd, "#!/bin/sh\nexit 3\n", 17), 17);
    close(fd);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("hello-there"), NULL, &process), -ENOENT);
    char path[512];
    snprintf(path, sizeof path, "/nowhere:%s:/bin", test_tmpdir());
    process = start(WEFT_ARGV("hello-there"),
                    WEFT_PROCESS(.env_add = (weft_pair[]){{"PATH", path}, {0}}));
    ASSERT_INT_EQ(code_of(process), 3);
    weft_process_free(process);
    chmod(script, 0644);
    ASSERT_ERR(weft_process_start(WEFT_ARGV("hello-there"),
                                  WEFT_PROCESS(.env_add = (weft_pair[]){{"PATH", path}, {0}}),
                                  &process),
               -EACCES);
}

TASK_TEST(process_starts_in_the_folder_and_with_the_umask_asked_for)
{
    expect_output("pwd; umask", WEFT_PROCESS(.cwd = "/", .set_umask = true, .umask = 0027),
                  "/\n0027\n");
}

TASK_TEST(process_shell_gets_its_arguments)
{
    weft_process_result result;
    ASSERT_OK(weft_process_run(WEFT_ARGV("echo $0-$1", "a", "b"),
                               WEFT_PROCESS(.shell = true, .capture = true), &result));
    ASSERT_STR_EQ(result.out, "a-b\n");
    weft_process_result_done(&result);
}

/* The folder that ls reads is its own 3. */
static void expect_only_passed(void)
{
    int leak = dup(0); /* not close-on-exec */
    int passed = fcntl(0, F_DUPFD_CLOEXEC, 77);
    expect_output("exec ls /proc/self/fd", WEFT_PROCESS(0), "0\n1\n2\n3\n");
    expect_output("exec ls /proc/self/fd", WEFT_PROCESS(.pass_fds = &passed, .n_pass_fds = 1),
                  "0\n1\n2\n3\n77\n");
    close(leak);
    close(passed);
}

TASK_TEST(process_gets_no_descriptor_but_those_passed)
{
    expect_only_passed();
}

TASK_TEST(process_on_a_kernel_without_close_range_gets_no_more)
{
    struct rlimit limit;
    weft__process_no_close_range = true;
    /* Where a million are allowed, the child would look at each. */
    ASSERT_INT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_cur < 1024 ? limit.rlim_cur : 1024;
    ASSERT_INT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_only_passed();
}

TASK_TEST(process_stdio_is_a_descriptor_devnull_or_stdout)
{
    int out = open(test_path("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    weft_process *process = start(WEFT_ARGV("sh", "-c", "echo to-out; echo to-err >&2; cat"),
                                  WEFT_PROCESS(.in = WEFT_STDIO_DEVNULL, .out = WEFT_STDIO_FD(out),
                                               .err = WEFT_STDIO_STDOUT));
    ASSERT_INT_EQ(code_of(process), 0);
    weft_process_free(process);
    char text[64] = "";
    ASSERT_INT_EQ(pread(out, text, sizeof text, 0), 14);
    ASSERT_STR_EQ(text, "to-out\nto-err\n");
    close(out);
}

TASK_TEST(process_stdout_and_stderr_may_change_places)
{
    int out = open(test_path("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);
    dup2(out, 2);
    weft_process *process = start(WEFT_ARGV("sh", "-c", "echo x"),
                                  WEFT_PROCESS(.out = WEFT_STDIO_FD(2), .err = WEFT_STDIO_FD(1)));
    ASSERT_INT_EQ(code_of(process), 0);
    dup2(saved, 2);
    close(saved);
    weft_process_free(process);
    char text[8] = "";
    ASSERT_INT_EQ(pread(out, text, sizeof text, 0), 2);
    close(out);
}

TASK_TEST(process_session_and_group_are_its_own)
{
    weft_process *process = start(WEFT_ARGV("sleep", "100"), WEFT_PROCESS(.new_session = true));
    int pid = weft_process_pid(process);
    ASSERT_INT_EQ(getsid(pid), pid);
    weft_process_free(process);
    process =
        start(WEFT_ARGV("sleep", "100"), WEFT_PROCESS(.process_group = WEFT_PROCESS_GROUP_NEW));
    pid = weft_process_pid(process);
    ASSERT_INT_EQ(getpgid(pid), pid);
    ASSERT_INT_EQ(getsid(pid), getsid(0));
    weft_process *second = start(WEFT_ARGV("sleep", "100"), WEFT_PROCESS(.process_group = pid));
    ASSERT_INT_EQ(getpgid(weft_process_pid(second)), pid);
    weft_process_free(second);
    weft_process_free(process);
}

TASK_TEST(process_becomes_another_user_without_our_groups)
{
    const uint32_t nobody = 65534;
    weft_process *process;
    if (geteuid() != 0) {
        ASSERT_ERR(weft_process_start(WEFT_ARGV("true"), WEFT_PROCESS(.uid = &nobody), &process),
                   -EPERM);
        return;
    }
    expect_output("echo $(id -u) $(id -g) $(id -G)", WEFT_PROCESS(.uid = &nobody, .gid = &nobody),
                  "65534 65534 65534\n");
}

TASK_TEST(process_finds_its_signals_as_they_are_by_default)
{
    sigset_t mask;
    sigset_t old;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGUSR1);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigprocmask(SIG_BLOCK, &mask, &old);
    weft_process_result result;
    ASSERT_OK(weft_process_run(WEFT_ARGV("grep", "-E", "SigBlk|SigIgn", "/proc/self/status"),
                               WEFT_PROCESS(.capture = true), &result));
    sigprocmask(SIG_SETMASK, &old, NULL);
    /* Blocked: nothing. Ignored: SIGHUP, as with nohup, and no SIGPIPE. */
    ASSERT_STR_HAS(result.out, "SigBlk:\t0000000000000000\n");
    ASSERT_STR_HAS(result.out, "1\n");
    char *ignored = strstr(result.out, "SigIgn:\t");
    ASSERT(ignored != NULL);
    uint64_t bits = strtoull(ignored + 8, NULL, 16);
    ASSERT_INT_EQ(bits & 1U << (SIGPIPE - 1), 0);
    ASSERT(bits & 1U << (SIGHUP - 1));
    weft_process_result_done(&result);
}

/* As the thread of a loop that has a share of the signals only. */
static void *prints_blocked(void *arg)
{
    sigset_t most;
    sigfillset(&most);
    pthread_sigmask(SIG_SETMASK, &most, NULL);
    *(int *)arg =
        weft_process_run(WEFT_ARGV("grep", "-q", "SigBlk:.0000000000000000$", "/proc/self/status"),
                         WEFT_PROCESS(.check = true), NULL);
    return NULL;
}

TEST(process_started_by_a_thread_that_blocks_signals_blocks_none)
{
    pthread_t thread;
    int err = -EIO;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, prints_blocked, &err), 0);
    pthread_join(thread, NULL);
    ASSERT_OK(err);
}

static void *starts_mortal(void *arg)
{
    weft_process **process = arg;
    *process = start(WEFT_ARGV("sleep", "100"), WEFT_PROCESS(.death_signal = SIGUSR2));
    return NULL;
}

TEST(process_with_a_death_signal_ends_with_the_thread_that_started_it)
{
    pthread_t thread;
    weft_process *process = NULL;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, starts_mortal, &process), 0);
    pthread_join(thread, NULL);
    ASSERT_INT_EQ(code_of(process), -SIGUSR2);
    weft_process_free(process);
}

/* ---- signals ---- */

TASK_TEST(process_signals_end_it_and_are_its_code)
{
    static const int numbers[] = {SIGTERM, SIGKILL, SIGINT, SIGUSR1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
        ASSERT_OK(weft_process_send_signal(process, numbers[i]));
        ASSERT_INT_EQ(code_of(process), -numbers[i]);
        ASSERT_ERR(weft_process_send_signal(process, numbers[i]), -ESRCH);
        ASSERT_ERR(weft_process_kill(process), -ESRCH);
        ASSERT_ERR(weft_process_terminate(process), -ESRCH);
        weft_process_free(process);
    }
    weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
    ASSERT_ERR(weft_process_send_signal(process, 9999), -EINVAL);
    weft_process_free(process);
}

TASK_TEST(process_stopped_ends_by_sigterm_or_else_by_sigkill)
{
    int code;
    weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
    ASSERT_OK(weft_process_stop(process, WEFT_SEC(5), &code));
    ASSERT_INT_EQ(code, -SIGTERM);
    ASSERT_OK(weft_process_stop(process, WEFT_SEC(5), &code));
    ASSERT_INT_EQ(code, -SIGTERM);
    weft_process_free(process);

    char byte;
    process = start(WEFT_ARGV("sh", "-c", "trap '' TERM; echo; exec sleep 100"),
                    WEFT_PROCESS(.out = WEFT_STDIO_PIPE));
    ASSERT_INT_EQ(weft_stream_read(weft_process_stdout(process), &byte, 1), 1);
    ASSERT_OK(weft_process_stop(process, WEFT_MS(5), &code));
    ASSERT_INT_EQ(code, -SIGKILL);
    weft_process_free(process);
}

TASK_TEST(process_is_stopped_in_a_cancelled_scope_too)
{
    weft_scope scope;
    int code;
    weft_process *process = start(WEFT_ARGV("sleep", "100"), NULL);
    weft_scope_enter(&scope, 0);
    ASSERT_OK(weft_process_stop(process, WEFT_SEC(5), &code));
    weft_scope_exit(&scope, 0);
    ASSERT_INT_EQ(code, -SIGTERM);
    weft_process_free(process);
}

/* ---- SIGCHLD and other people's waits ---- */

TASK_TEST(process_with_sigchld_ignored_ends_with_a_defined_result)
{
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    weft_process *process = start(WEFT_ARGV("sh", "-c", "exit 5"), NULL);
    int code = 5;
    int err = weft_process_wait(process, &code);
    if (err != -ECHILD)
        ASSERT_OK(err);
    ASSERT_INT_EQ(code, 5);
    ASSERT_INT_EQ(weft_process_wait(process, NULL), err);
    ASSERT_ERR(weft_process_kill(process), -ESRCH);
    weft_process_free(process);
}

static volatile sig_atomic_t n_children;

static void count_child(int number)
{
    (void)number;
    n_children = n_children + 1;
}

TASK_TEST(process_leaves_the_handler_of_sigchld_alone)
{
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count_child}, NULL);
    weft_process *process = start(WEFT_ARGV("true"), NULL);
    ASSERT_INT_EQ(code_of(process), 0);
    ASSERT_INT_EQ(n_children, 1);
    weft_process_free(process);
    struct sigaction now;
    sigaction(SIGCHLD, NULL, &now);
    ASSERT(now.sa_handler == count_child);
}

TASK_TEST(process_reaped_by_somebody_else_is_noticed)
{
    weft__process_no_pidfd = true;
    weft_process *process = start(WEFT_ARGV("true"), NULL);
    ASSERT_INT_EQ(waitpid(weft_process_pid(process), NULL, 0), weft_process_pid(process));
    ASSERT_ERR(weft_process_wait(process, NULL), -ECHILD);
    ASSERT_ERR(weft_process_poll(process, NULL), -ECHILD);
    ASSERT_STR_HAS(weft_error_message(), "taken by somebody else");
    weft_process_free(process);
}

/* ---- without pidfds ---- */

static int kill_soon(void *arg)
{
    int err = weft_sleep(WEFT_MS(3));
    weft_process_kill(arg);
    return err;
}

TASK_TEST(process_on_a_kernel_without_pidfds_is_waited_for_all_the_same)
{
    weft_group group;
    weft__process_no_pidfd = true;
    weft_process *process = start(WEFT_ARGV("sh", "-c", "exit 4"), NULL);
    ASSERT_INT_EQ(code_of(process), 4);
    weft_process_free(process);
    process = start(WEFT_ARGV("sleep", "100"), NULL);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_for_nine, process));
    ASSERT_OK(weft_group_spawn(&group, kill_soon, process));
    ASSERT_INT_EQ(code_of(process), -SIGKILL);
    ASSERT_OK(weft_group_wait(&group));
    weft_process_free(process);
    weft_process_free(start(WEFT_ARGV("sleep", "100"), NULL));
    expect_no_child();
}

/*
 * test_main.c - the runner: every test in a process of its own, results as TAP.
 *
 *     test_x              all tests        test_x -l      their names
 *     test_x NAME...      these, unforked and without a time limit, for a debugger
 *
 * The runner itself starts no thread and keeps its hands off the library, so that a fork is a
 * fresh start.  What a test printed is shown, on stderr, only if it failed.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft/testing.h>

#include "base/error_int.h"
#include "run/run_int.h"
#include "test.h"
#include "test_int.h"

enum { LIMIT_S = 20, FD_MAX = 4096, SHOWN_MAX = 65536 };

extern const struct test_case *const __start_weft_tests[];
extern const struct test_case *const __stop_weft_tests[];

/* The same, in the order of the source: compilers put them into the section as they like. */
static const struct test_case **tests;
static size_t n_tests;

struct test_report *test_report;

struct resources {
    bool open[FD_MAX];
    int64_t blocks;
};

static void count_resources(struct resources *now)
{
    memset(now, 0, sizeof *now);
    now->blocks = weft_testing_alloc_live();
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char *end;
        unsigned long fd = strtoul(entry->d_name, &end, 10);
        if (end != entry->d_name && fd < FD_MAX && fd != (unsigned long)dirfd(dir))
            now->open[fd] = true;
    }
    closedir(dir);
}

static bool check_fds(const struct resources *before, const struct resources *after)
{
    bool good = true;
    for (int fd = 0; fd < FD_MAX; fd++) {
        char path[32];
        char target[256];
        if (before->open[fd] == after->open[fd])
            continue;
        good = false;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, target, sizeof target - 1);
        target[len < 0 ? 0 : len] = '\0';
        fprintf(stderr, "descriptor %d was %s: %s\n", fd, after->open[fd] ? "left open" : "closed",
                target);
    }
    return good;
}

/* Returns if the test passed; every other end of it ends the process. */
static void run_and_check(const struct test_case *test)
{
    static struct resources before;
    static struct resources after;
    count_resources(&before);
    test->run();
    fflush(NULL);
    weft_testing_fail_alloc(0, false);
    size_t n_tasks = weft_task_count();
    /* A thread that blocks outside weft_run has a loop of its own until the thread ends. */
    if (weft__loop_current != NULL && n_tasks == 0)
        weft__loop_free(weft__loop_current);
    weft__error_done(weft__context_get());
    count_resources(&after);
    bool good = check_fds(&before, &after);
    if (after.blocks != before.blocks) {
        fprintf(stderr, "allocated blocks: %lld before the test, %lld after it\n",
                (long long)before.blocks, (long long)after.blocks);
        good = false;
    }
    if (n_tasks != 0) {
        fprintf(stderr, "%zu tasks were left\n", n_tasks);
        good = false;
    }
    if (!good)
        test_fail(test->file, test->line, "%s left something behind", test->name);
}

/* 0: no limit. */
static int time_limit(const struct test_case *test)
{
    const char *slow = getenv("WEFT_TEST_SLOW");
    int factor = slow != NULL ? (int)strtoul(slow, NULL, 10) : 1;
    if (test_is_traced())
        return 0;
    return (test->limit_s > 0 ? test->limit_s : LIMIT_S) * (factor > 0 ? factor : 1) *
           test_slowness();
}

/* False when the time was over before the child changed its state. */
static bool wait_child(pid_t pid, int limit_s, int *ret_status)
{
    sigset_t child_signal;
    struct timespec now;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + limit_s;
    while (waitpid(pid, ret_status, WNOHANG) != pid) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (limit_s > 0 && now.tv_sec >= end)
            return false;
        sigtimedwait(&child_signal, NULL, &(struct timespec){.tv_sec = 1});
    }
    return true;
}

/* The runner asks at the time limit what the test waits for. */
static void on_quit(int number)
{
    (void)number;
    if (weft__loop_current != NULL)
        weft__dump(weft__loop_current, STDERR_FILENO);
    _exit(TEST_EXIT_FAILED);
}

static pid_t start_child(const struct test_case *test, int output)
{
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_UNBLOCK, &child_signal, NULL);
    sigaction(SIGQUIT, &(struct sigaction){.sa_handler = on_quit}, NULL);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    close(output);
    run_and_check(test);
    exit(0);
}

static void show_output(int output)
{
    off_t size = lseek(output, 0, SEEK_END);
    lseek(output, size > SHOWN_MAX ? size - SHOWN_MAX : 0, SEEK_SET);
    FILE *stream = fdopen(output, "r");
    if (stream == NULL)
        return;
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stream) > 0) {
        line[strcspn(line, "\n")] = '\0';
        fprintf(stderr, "    %s\n", line);
    }
    free(line);
    fclose(stream);
}

/* Returns whether the test passed or was skipped. */
static bool run_forked(const struct test_case *test, int number)
{
    int status = 0;
    int limit_s = time_limit(test);
    int output = memfd_create("output", MFD_CLOEXEC);
    test_report->skip_reason[0] = '\0';
    pid_t pid = output < 0 ? -1 : start_child(test, output);
    if (pid < 0) {
        printf("Bail out! cannot start a process: %s\n", strerrordesc_np(errno));
        exit(2);
    }
    bool in_time = wait_child(pid, limit_s, &status);
    if (!in_time) {
        kill(pid, SIGQUIT);
        if (!wait_child(pid, 2, &status)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        }
    }
    kill(-pid, SIGKILL);
    test_remove_tmpdir();

    if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok %d %s\n", number, test->name);
        close(output);
        return true;
    }
    if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == TEST_EXIT_SKIPPED) {
        printf("ok %d %s # SKIP %s\n", number, test->name, test_report->skip_reason);
        close(output);
        return true;
    }
    printf("not ok %d %s\n", number, test->name);
    fprintf(stderr, "%s failed:\n", test->name);
    show_output(output);
    if (!in_time)
        fprintf(stderr, "    stopped after its time limit of %d s\n", limit_s);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "    died of signal %d, %s\n", WTERMSIG(status),
                sigdescr_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != TEST_EXIT_FAILED)
        fprintf(stderr, "    exit status %d\n", WEXITSTATUS(status));
    return false;
}

static int compare_places(const void *a, const void *b)
{
    const struct test_case *first = *(const struct test_case *const *)a;
    const struct test_case *second = *(const struct test_case *const *)b;
    int files = strcmp(first->file, second->file);
    return files != 0 ? files : first->line - second->line;
}

static void collect_tests(void)
{
    n_tests = (size_t)(__stop_weft_tests - __start_weft_tests);
    tests = malloc(n_tests * sizeof tests[0]);
    if (tests == NULL)
        exit(2);
    memcpy(tests, __start_weft_tests, n_tests * sizeof tests[0]);
    qsort(tests, n_tests, sizeof tests[0], compare_places);
}

static int run_named(const char *name)
{
    for (size_t i = 0; i < n_tests; i++) {
        if (strcmp(tests[i]->name, name) != 0)
            continue;
        run_and_check(tests[i]);
        test_remove_tmpdir();
        printf("%s passed\n", name);
        return 0;
    }
    fprintf(stderr, "no test is called %s; -l lists them\n", name);
    return 2;
}

/* The same tests with epoll are in the same suite. */
static bool would_repeat(void)
{
    const char *backend = getenv("WEFT_BACKEND");
    return test_under_valgrind() && backend != NULL && strcmp(backend, "uring") == 0;
}

static bool has_test(const char *name)
{
    for (size_t i = 0; i < n_tests; i++) {
        if (strcmp(tests[i]->name, name) == 0)
            return true;
    }
    return false;
}

static bool run_or_skip(const char *program, const struct test_case *test, int number)
{
    const char *reason = test_is_over_h2() ? test_not_over_h2(program, test->name) : NULL;
    if (reason == NULL)
        return run_forked(test, number);
    printf("ok %d %s # SKIP %s\n", number, test->name, reason);
    return true;
}

/*
 * What LeakSanitizer takes for leaks.  The resolver's memory of a thread is freed by the C library
 * when the thread ends, after LeakSanitizer has taken leave of it: a program that exits in that
 * moment has a leak for it.
 */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:__res_context_send\n";
}

static int run_all(const char *program)
{
    sigset_t child_signal;
    int failed = 0;
    if (would_repeat()) {
        puts("1..0 # SKIP Valgrind runs on epoll only");
        return 0;
    }
    const char *stray = test_is_over_h2() ? test_not_over_h2_stray(program, has_test) : NULL;
    if (stray != NULL) {
        printf("Bail out! over_h2.tsv names %s, which is no test\n", stray);
        return 1;
    }
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, NULL);
    printf("1..%zu\n", n_tests);
    for (size_t i = 0; i < n_tests; i++)
        failed += !run_or_skip(program, tests[i], (int)i + 1);
    return failed > 0;
}

int main(int argc, char **argv)
{
    int err = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    test_report =
        mmap(NULL, sizeof *test_report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (test_report == MAP_FAILED)
        return 2;
    collect_tests();
    if (argc == 1) {
        err = run_all(argv[0]);
    } else if (strcmp(argv[1], "-l") == 0) {
        for (size_t i = 0; i < n_tests; i++)
            puts(tests[i]->name);
    } else {
        for (int i = 1; i < argc && err == 0; i++)
            err = run_named(argv[i]);
    }
    free(tests);
    return err;
}

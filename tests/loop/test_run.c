/* The runtime on the real back ends: time, idleness, fork. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/error_int.h"
#include "fault.h"
#include "run/sanitize.h"
#include "test.h"

TASK_TEST(backend_is_the_one_of_the_environment)
{
    const char *wanted = getenv("WEFT_BACKEND");
    if (wanted == NULL)
        SKIP("WEFT_BACKEND is not set");
    if (strcmp(wanted, "epoll") == 0)
        ASSERT_STR_EQ(weft_backend_name(), "epoll");
    else
        ASSERT_STR_LACKS(weft_backend_name(), "virtual");
}

TASK_TEST(sleep_lasts_at_least_as_long_as_asked)
{
    static const int64_t durations[] = {1, 1000, 100000, 1500000, 10000000, 33333333};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        int64_t start = weft_now();
        ASSERT_OK(weft_sleep(durations[i]));
        ASSERT_INT_GE(weft_now() - start, durations[i]);
    }
}

static int sleep_item(void *arg)
{
    int64_t start = weft_now();
    int err = weft_sleep(*(int64_t *)arg);
    return err < 0 ? err : weft_now() - start >= *(int64_t *)arg ? 0 : -EPROTO;
}

TASK_TEST(sleep_of_many_takes_as_long_as_the_longest)
{
    int64_t durations[500];
    int64_t start = weft_now();
    for (int i = 0; i < 500; i++)
        durations[i] = WEFT_US(i * 40);
    ASSERT_OK(weft_map(sleep_item, durations, 500, sizeof durations[0], NULL));
    ASSERT_INT_GE(weft_now() - start, durations[499]);
}

static int64_t cpu_time(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* Waiting is not spinning: a quarter of a second of sleep is far less of work. */
TASK_TEST(sleep_uses_no_processor)
{
    int64_t start = cpu_time();
    ASSERT_OK(weft_sleep(WEFT_MS(250)));
    ASSERT_INT_LT(cpu_time() - start, WEFT_MS(200));
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

TASK_TEST(timeout_ends_a_sleep_without_end)
{
    weft_call calls[] = {{sleep_for_ever, NULL}, {sleep_for_ever, NULL}};
    int64_t start = weft_now();
    ASSERT_ERR(weft_gather(calls, 2, WEFT_GATHER(.timeout = WEFT_MS(10))), -ETIMEDOUT);
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(10));
}

static int sleep_a_little(void *arg)
{
    return weft_sleep(*(int64_t *)arg);
}

static int gather_some(void *arg)
{
    int64_t durations[] = {0, 1000, 2000, 50000};
    weft_call calls[4];
    (void)arg;
    for (int i = 0; i < 4; i++)
        calls[i] = (weft_call){sleep_a_little, &durations[i]};
    return weft_gather(calls, 4, NULL);
}

TEST_WITH(runtime_survives_every_fault_on_a_real_back_end, .limit_s = 60)
{
    FAULTS(gather_some, NULL);
    FAULTS(gather_some, NULL, .plain = true);
}

/* ---- fork ---- */

/* What each kind of call says in the child of a fork; the parent goes on as before. */
static int calls_in_the_child(void *arg)
{
    weft_call call = {sleep_a_little, arg};
    weft_scope scope;
    weft_scope shield;
    int failures = 0;
    failures += weft_sleep(1000) != WEFT_EFORKED;
    failures += weft_yield() != WEFT_EFORKED;
    failures += weft_checkpoint() != WEFT_EFORKED;
    failures += weft_gather(&call, 1, NULL) != WEFT_EFORKED;
    failures += weft_offload(sleep_a_little, arg) != WEFT_EFORKED;
    weft_scope_enter(&scope, WEFT_SEC(1));
    failures += weft_scope_exit(&scope, weft_sleep(1000)) != WEFT_EFORKED;
    failures += weft_sleep(1000) != WEFT_EFORKED;
    weft_scope_enter_shield(&shield, WEFT_SEC(1));
    failures += weft_scope_exit(&shield, weft_sleep(1000)) != WEFT_EFORKED;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    weft_scope_exit(&scope, 0);
    failures += weft_sleep(1000) != WEFT_EFORKED;
    failures += weft_run(sleep_a_little, arg) != WEFT_EFORKED;
    return failures;
}

static int fork_inside(void *arg)
{
    int64_t duration = 1000;
    (void)arg;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(calls_in_the_child(&duration));
    ASSERT_INT_GT(pid, 0);
    ASSERT_OK(weft_sleep(WEFT_MS(5)));
    int status;
    ASSERT_INT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_INT_EQ(status, 0);
    return weft_sleep(WEFT_MS(1));
}

TEST(fork_child_of_a_task_gets_eforked)
{
    ASSERT_OK(weft_run(fork_inside, NULL));
}

TEST(fork_child_of_a_plain_thread_with_a_loop_gets_eforked)
{
    ASSERT_OK(weft_sleep(1));
    ASSERT_OK(fork_inside(NULL));
}

static int one_millisecond(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_MS(1));
}

static int fork_in_offload(void *arg)
{
    (void)arg;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(weft_run(one_millisecond, NULL) == 0 ? 0 : 1);
    int status = 1;
    waitpid(pid, &status, 0);
    return status;
}

/* A thread that has no loop yet: its child is a new program as far as weft is concerned. */
TEST(fork_child_of_a_thread_without_a_loop_can_use_weft)
{
    ASSERT_INT_EQ(fork_in_offload(NULL), 0);
    /* In the child of a worker, what the other thread's stack held is a leak to Valgrind. */
    if (!test_under_valgrind())
        ASSERT_INT_EQ(weft_offload(fork_in_offload, NULL), 0);
}

/* The child's offloads begin with no worker: those of the parent are not there. */
TEST(fork_child_has_workers_of_its_own)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(weft_offload(one_millisecond, NULL) == 0 ? 0 : 1);
    int status;
    ASSERT_INT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_INT_EQ(status, 0);
}

static int fork_and_return(void *arg)
{
    (void)arg;
    return fork() == 0 ? 0 : weft_sleep(WEFT_MS(20));
}

static void fork_beside_a_sleeper(void *arg)
{
    int64_t duration = WEFT_MS(5);
    weft_call calls[] = {{sleep_a_little, &duration}, {fork_and_return, NULL}};
    (void)arg;
    int err = weft_gather(calls, 2, NULL);
    int status;
    wait(&status);
    _exit(err == 0 && WIFSIGNALED(status) ? 0 : 1);
}

/* It must not run its parent's other tasks, nor touch what both share. */
TEST(fork_child_that_returns_to_the_loop_is_ended)
{
    char output[1024];
    if (WEFT__TSAN)
        SKIP("ThreadSanitizer does not follow fibers into a child");
    int status = test_fork(fork_beside_a_sleeper, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "the child of a fork went back");
    ASSERT_INT_EQ(status, 0);
}

/* ---- running out of descriptors ---- */

TEST(run_without_descriptors_fails_with_the_reason)
{
    struct rlimit old;
    struct rlimit none = {0};
    ASSERT_INT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    none.rlim_cur = 3;
    ASSERT_INT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    int err = weft_run(one_millisecond, NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    ASSERT_ERR(err, -EMFILE);
    ASSERT_STR_HAS(weft_error_message(), "event");
    ASSERT_OK(weft_run(one_millisecond, NULL));
}

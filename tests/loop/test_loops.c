/* weft_loops_run: one function on several loops. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/net.h>
#include <weft/process.h>
#include <weft/stream.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "fault.h"
#include "test.h"

enum { LOOPS = 4 };

struct seen {
    atomic_int n;
    atomic_int asleep;
    atomic_int cancelled;
    pthread_t threads[LOOPS];
    atomic_int failing; /* which one fails */
};

static int note_thread(void *arg, size_t index)
{
    struct seen *seen = arg;
    seen->threads[index] = pthread_self();
    atomic_fetch_add(&seen->n, 1);
    return weft_sleep(WEFT_MS(1));
}

static void check_threads(void)
{
    struct seen seen = {0};
    ASSERT_OK(weft_loops_run(LOOPS, note_thread, &seen, NULL));
    ASSERT_INT_EQ(atomic_load(&seen.n), LOOPS);
    for (int i = 0; i < LOOPS; i++) {
        ASSERT(!pthread_equal(seen.threads[i], pthread_self()));
        for (int k = 0; k < i; k++)
            ASSERT(!pthread_equal(seen.threads[i], seen.threads[k]));
    }
}

TEST(loops_run_one_function_on_a_thread_each)
{
    check_threads();
    check_threads();
}

static int other_work(void *arg)
{
    while (!atomic_load((atomic_bool *)arg))
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    return 0;
}

/* The caller's loop goes on meanwhile. */
TASK_TEST(loops_run_from_a_task_lets_others_run)
{
    atomic_bool done = false;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, other_work, &done));
    check_threads();
    atomic_store(&done, true);
    ASSERT_OK(weft_group_wait(&group));
}

static int count_loop(void *arg, size_t index)
{
    (void)index;
    atomic_fetch_add(&((struct seen *)arg)->n, 1);
    return weft_sleep(WEFT_MS(1));
}

static int run_more_loops(void *arg, size_t index)
{
    (void)index;
    return weft_loops_run(2, count_loop, arg, NULL);
}

TEST(loops_run_within_loops)
{
    struct seen seen = {0};
    ASSERT_OK(weft_loops_run(2, run_more_loops, &seen, NULL));
    ASSERT_INT_EQ(atomic_load(&seen.n), 4);
}

static int sleep_or_fail(void *arg, size_t index)
{
    struct seen *seen = arg;
    if ((int)index == atomic_load(&seen->failing)) {
        while (atomic_load(&seen->asleep) < LOOPS - 1)
            weft_sleep(WEFT_US(100));
        return weft__fail(-EPROTO, "loop %zu is out of order", index);
    }
    atomic_fetch_add(&seen->asleep, 1);
    int err = weft_sleep(WEFT_FOREVER);
    if (err == -ECANCELED)
        atomic_fetch_add(&seen->cancelled, 1);
    return err;
}

TEST(loops_first_error_cancels_the_others)
{
    struct seen seen = {.failing = 2};
    ASSERT_ERR(weft_loops_run(LOOPS, sleep_or_fail, &seen, NULL), -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "loop 2 is out of order");
    ASSERT_INT_EQ(atomic_load(&seen.cancelled), LOOPS - 1);
}

/* Whether or not they have begun when they are told. */
static int fail_at_once(void *arg, size_t index)
{
    (void)arg;
    return index == 0 ? -EPROTO : weft_sleep(WEFT_FOREVER);
}

TEST(loops_error_of_the_first_reaches_those_that_only_start)
{
    for (int i = 0; i < 20; i++)
        ASSERT_INT_EQ(weft_loops_run(LOOPS, fail_at_once, NULL, NULL), -EPROTO);
}

TASK_TEST(loops_are_cancelled_with_the_caller)
{
    struct seen seen = {.failing = -1};
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = weft_loops_run(LOOPS, sleep_or_fail, &seen, NULL);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_EQ(atomic_load(&seen.cancelled), atomic_load(&seen.asleep));
    weft_scope_enter(&scope, 0);
    err = weft_loops_run(LOOPS, sleep_or_fail, &seen, NULL);
    ASSERT_INT_EQ(weft_scope_exit(&scope, err), -ETIMEDOUT);
}

static int end_normally(void *arg, size_t index)
{
    (void)index;
    return (int)weft_sleep(*(int64_t *)arg) == 0 ? 3 : -EPROTO;
}

static int sleeps_until_interrupted(void *arg, size_t index)
{
    struct seen *seen = arg;
    (void)index;
    if (atomic_fetch_add(&seen->asleep, 1) == LOOPS - 1)
        kill(getpid(), SIGINT);
    int err = weft_sleep(WEFT_SEC(30));
    atomic_fetch_add(&seen->cancelled, err == -ECANCELED);
    return err;
}

static void loops_as_a_program(void *arg)
{
    struct seen seen = {0};
    (void)arg;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    int err = weft_loops_run(LOOPS, sleeps_until_interrupted, &seen, NULL);
    _exit(err == -EINTR && atomic_load(&seen.cancelled) == LOOPS ? 130 : 1);
}

TEST(loops_are_all_cancelled_by_sigint)
{
    char output[1024];
    int status = test_fork(loops_as_a_program, NULL, output, sizeof output);
    ASSERT_STR_EQ(output, "");
    ASSERT(WIFEXITED(status));
    ASSERT_INT_EQ(WEXITSTATUS(status), 130);
}

static int prints_its_mask(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return weft_process_run(
        WEFT_ARGV("grep", "-q", "SigBlk:.0000000000000000$", "/proc/self/status"),
        WEFT_PROCESS(.check = true), NULL);
}

TEST(loops_start_programs_that_block_no_signal)
{
    ASSERT_OK(weft_loops_run(2, prints_its_mask, NULL, NULL));
}

TEST(loops_success_is_zero_and_bad_arguments_are_refused)
{
    int64_t nap = 1;
    ASSERT_INT_EQ(weft_loops_run(1, end_normally, &nap, NULL), 0);
    ASSERT_ERR(weft_loops_run(1, NULL, &nap, NULL), -EINVAL);
    ASSERT_ERR(weft_loops_run(WEFT__LIMIT_LOOPS + 1, end_normally, &nap, NULL), -EINVAL);
}

static int note_backend(void *arg, size_t index)
{
    (void)index;
    if (strcmp(weft_backend_name(), "virtual") == 0)
        atomic_fetch_add((atomic_int *)arg, 1);
    return weft_sleep(WEFT_SEC(1000));
}

TEST(loops_take_the_options_of_a_run)
{
    atomic_int n = 0;
    ASSERT_OK(weft_loops_run(
        2, note_backend, &n,
        WEFT_LOOPS(.run = WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .name = "worker"))));
    ASSERT_INT_EQ(atomic_load(&n), 2);
}

static int note_cpu(void *arg, size_t index)
{
    cpu_set_t allowed;
    (void)index;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) == 1)
        atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

TEST(loops_for_each_cpu_may_be_pinned)
{
    atomic_int pinned = 0;
    size_t n = weft_cpu_count();
    ASSERT_INT_GE(n, 1);
    ASSERT_OK(weft_loops_run(0, note_cpu, &pinned, WEFT_LOOPS(.pin = true)));
    ASSERT_INT_EQ(atomic_load(&pinned), n);
}

static int count_own_cpus(void *arg)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return -EIO;
    *(int *)arg = CPU_COUNT(&allowed);
    return 0;
}

static int count_cpus_of_worker(void *arg, size_t index)
{
    int count = 0;
    int err = weft_offload(count_own_cpus, &count);
    ((int *)arg)[index] = count;
    return err;
}

/* They serve all loops: where the first of them is pinned is nothing to them. */
TEST(loops_that_are_pinned_start_workers_that_are_not)
{
    int counts[2] = {0};
    int all = 0;
    ASSERT_OK(count_own_cpus(&all));
    ASSERT_OK(weft_loops_run(2, count_cpus_of_worker, counts, WEFT_LOOPS(.pin = true)));
    ASSERT_INT_EQ(counts[0], all);
    ASSERT_INT_EQ(counts[1], all);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        _exit(3);
}

/* In a view of the file system of its own. */
static void count_in_a_slice(void *arg)
{
    (void)arg;
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) < 0)
        _exit(77);
    mkdir("/sys/fs/cgroup/slice", 0700);
    mkdir("/sys/fs/cgroup/slice/service", 0700);
    write_text("/sys/fs/cgroup/slice/cpu.max", "150000 100000\n");
    write_text("/sys/fs/cgroup/slice/service/cpu.max", "max 100000\n");
    write_text("/sys/fs/cgroup/self", "1:cpu:/\n0::/slice/service\n");
    if (mount("/sys/fs/cgroup/self", "/proc/self/cgroup", "none", MS_BIND, NULL) < 0)
        _exit(77);
    size_t within_slice = weft_cpu_count();
    write_text("/sys/fs/cgroup/slice/cpu.max", "max 100000\n");
    _exit(within_slice == 1 && weft_cpu_count() >= 2 ? 0 : 1);
}

TEST(cpu_count_knows_the_quota_of_the_groups_around)
{
    char output[1000];
    if (weft_cpu_count() == 1)
        SKIP("one processor");
    int status = test_fork(count_in_a_slice, NULL, output, sizeof output);
    ASSERT_STR_EQ(output, "");
    ASSERT(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP("file systems cannot be mounted");
    ASSERT_INT_EQ(WEXITSTATUS(status), 0);
}

static int nap_there(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return weft_sleep(1);
}

static int two_loops(void *arg)
{
    return weft_loops_run(2, nap_there, arg, NULL);
}

TEST_WITH(loops_survive_every_fault, .limit_s = 60)
{
    FAULTS(two_loops, NULL);
    FAULTS(two_loops, NULL, .plain = true);
}

/* ---- one port, a listener on each loop ---- */

enum { CONNECTIONS = 200 };

struct service {
    uint16_t port;
    atomic_int listening;
    atomic_int served[LOOPS];
    atomic_int total;
};

static int echo_on(weft_listener *listener, struct service *service, size_t index)
{
    for (;;) {
        weft_stream *stream;
        char byte;
        int err = weft_listener_accept(listener, &stream);
        if (err < 0)
            return err;
        atomic_fetch_add(&service->served[index], 1);
        if (weft_stream_read(stream, &byte, 1) == 1)
            weft_stream_write(stream, &byte, 1);
        weft_stream_close(stream);
        weft_stream_free(stream);
    }
}

static int serve(void *arg, size_t index)
{
    struct service *service = arg;
    weft_listener *listener;
    ASSERT_OK(weft_listen("127.0.0.1", service->port, WEFT_LISTEN(.reuse_port = true), &listener));
    atomic_fetch_add(&service->listening, 1);
    int err = echo_on(listener, service, index);
    weft_listener_close(listener);
    return err;
}

static int serve_all(void *arg)
{
    return weft_loops_run(LOOPS, serve, arg, NULL);
}

static int connect_often(struct service *service)
{
    while (atomic_load(&service->listening) < LOOPS)
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    for (int i = 0; i < CONNECTIONS; i++) {
        weft_stream *stream;
        char byte = 'x';
        ASSERT_OK(weft_dial("127.0.0.1", service->port, NULL, &stream));
        ASSERT_OK(weft_stream_write(stream, &byte, 1));
        ASSERT_INT_EQ(weft_stream_read(stream, &byte, 1), 1);
        weft_stream_close(stream);
        weft_stream_free(stream);
    }
    return 0;
}

/* The kernel's spread is by chance: of 200 connections none of four loops is left out. */
TASK_TEST(loops_that_share_a_port_all_get_connections)
{
    struct service service = {0};
    weft_listener *first;
    weft_group group;
    /* Holds the port, and is gone before any connection comes. */
    ASSERT_OK(weft_listen("127.0.0.1", 0, WEFT_LISTEN(.reuse_port = true), &first));
    service.port = weft_listener_port(first);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve_all, &service));
    while (atomic_load(&service.listening) < LOOPS)
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    weft_listener_close(first);
    ASSERT_OK(connect_often(&service));
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
    int total = 0;
    for (int i = 0; i < LOOPS; i++) {
        int served = atomic_load(&service.served[i]);
        ASSERT_INT_GE(served, 10);
        total += served;
    }
    ASSERT_INT_EQ(total, CONNECTIONS);
}

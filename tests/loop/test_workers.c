/* Worker threads when the process ends, forks or has no room. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/thread.h>

#include "run/sanitize.h"
#include "test.h"

static weft_offload_stats stats_of(weft_offload_limiter *limiter)
{
    weft_offload_stats stats;
    weft_offload_limiter_stats(limiter, &stats);
    return stats;
}

static int one(void *arg)
{
    (void)arg;
    return 1;
}

static int sleep_for_ever(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
    while (true)
        pause();
    return 0;
}

static atomic_bool hanging;

static void nothing_to_free(void *arg)
{
    (void)arg;
}

static int offload_hanging(void *arg)
{
    return weft_offload_with(sleep_for_ever, arg,
                             WEFT_OFFLOAD(.abandon_on_cancel = true, .free_arg = nothing_to_free));
}

static int hang_and_leave(void *arg)
{
    weft_group group;
    (void)arg;
    weft_group_init(&group, NULL);
    weft_group_spawn(&group, offload_hanging, &hanging);
    while (!atomic_load(&hanging))
        weft_sleep(WEFT_US(100));
    weft_group_cancel(&group, NULL);
    return weft_group_wait(&group);
}

static void exit_with_a_hanging_job(void *arg)
{
    (void)arg;
    int err = weft_run(hang_and_leave, NULL);
    if (weft_offload_shutdown(WEFT_MS(5)) != -ETIMEDOUT)
        err = -EPROTO;
    exit(err == 0 ? 0 : 1);
}

TEST(exit_does_not_wait_for_a_job_that_hangs)
{
    char output[4096];
    int status = test_fork(exit_with_a_hanging_job, NULL, output, sizeof output);
    ASSERT_STR_EQ(output, "");
    ASSERT(WIFEXITED(status));
    ASSERT_INT_EQ(WEXITSTATUS(status), 0);
}

/* No address space for a thread's stack; the memory that there is goes on being used. */
static void offload_without_room(void *arg)
{
    (void)arg;
    struct rlimit none = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY};
    if (weft_sleep(1) < 0 || setrlimit(RLIMIT_AS, &none) < 0)
        exit(2);
    int err = weft_offload(one, NULL);
    none.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_AS, &none);
    if (err == -EAGAIN && weft_offload(one, NULL) == 1)
        exit(0);
    printf("%d: %s\n", err, weft_error_message());
    exit(1);
}

TEST(offload_without_a_thread_is_eagain)
{
    char output[4096];
    if (WEFT__TSAN || WEFT__ASAN || test_under_valgrind())
        SKIP("the checking tool needs address space itself");
    int status = test_fork(offload_without_room, NULL, output, sizeof output);
    ASSERT_STR_EQ(output, "");
    ASSERT_INT_EQ(status, 0);
}

static void *offload_on_a_thread(void *arg)
{
    *(int *)arg = weft_offload(one, NULL);
    return NULL;
}

static void offload_in_the_child(void *arg)
{
    (void)arg;
    /* Not exit: a leak checker would find the parent's threads missing. */
    _exit(weft_offload(one, NULL) == 1 ? 0 : 1);
}

TEST(fork_leaves_the_workers_behind_and_the_child_has_its_own)
{
    char output[4096];
    pthread_t thread;
    int result = 0;
    if (WEFT__TSAN)
        SKIP("ThreadSanitizer starts no threads after a fork");
    ASSERT_INT_EQ(pthread_create(&thread, NULL, offload_on_a_thread, &result), 0);
    pthread_join(thread, NULL);
    ASSERT_INT_EQ(result, 1);
    int status = test_fork(offload_in_the_child, NULL, output, sizeof output);
    ASSERT_STR_EQ(output, "");
    ASSERT_INT_EQ(status, 0);
}

static int shut_down(void *arg)
{
    (void)arg;
    return weft_offload_shutdown(WEFT_FOREVER);
}

TEST(shutdown_by_an_offloaded_function_is_refused)
{
    ASSERT_ERR(weft_offload(shut_down, NULL), -EDEADLK);
    ASSERT_STR_EQ(weft_error_message(), "an offloaded function would wait for its own end");
    ASSERT_OK(weft_offload_shutdown(WEFT_FOREVER));
}

static int offload_again_and_again(void *arg)
{
    while (!atomic_load((atomic_bool *)arg)) {
        if (weft_offload(one, NULL) != 1)
            return -EPROTO;
        weft_sleep(WEFT_US(300));
    }
    return 0;
}

static void *offload_in_a_loop(void *arg)
{
    return weft_run(offload_again_and_again, arg) == 0 ? arg : NULL;
}

/* Its new jobs do not mean that idle threads may stay. */
TEST_WITH(shutdown_ends_idle_threads_though_another_loop_goes_on, .limit_s = 60)
{
    pthread_t thread;
    atomic_bool over = false;
    void *fine;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, offload_in_a_loop, &over), 0);
    for (int i = 0; i < 200 / test_slowness(); i++) {
        /* Sooner than idle threads end by themselves. */
        ASSERT_OK(weft_offload_shutdown(WEFT_SEC(4)));
        usleep(200);
    }
    atomic_store(&over, true);
    pthread_join(thread, &fine);
    ASSERT(fine != NULL);
    ASSERT_OK(weft_offload_shutdown(WEFT_FOREVER));
}

TEST(shutdown_ends_the_threads_and_new_ones_can_be_had)
{
    weft_offload_limiter *limiter = weft_offload_limiter_shared(WEFT_OFFLOAD_USER);
    ASSERT_OK(weft_offload_shutdown(0));
    ASSERT_INT_EQ(weft_offload(one, NULL), 1);
    ASSERT_INT_EQ(stats_of(limiter).threads, 1);
    ASSERT_INT_EQ(stats_of(limiter).threads_idle, 1);
    ASSERT_OK(weft_offload_shutdown(WEFT_FOREVER));
    ASSERT_INT_EQ(stats_of(limiter).threads, 0);
    ASSERT_INT_EQ(weft_offload(one, NULL), 1);
    ASSERT_INT_EQ(stats_of(limiter).total, 2);
}

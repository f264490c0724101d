/* Runners: several runs on one loop. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/local.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/error_int.h"
#include "fault.h"
#include "test.h"

static int add_one(void *arg)
{
    int err = weft_sleep(WEFT_MS(1));
    return err < 0 ? err : ++*(int *)arg;
}

TEST(runner_runs_again_and_again_on_one_loop)
{
    weft_runner *runner;
    int n = 0;
    ASSERT_OK(weft_runner_new(NULL, &runner));
    weft_loop *loop = weft_loop_ref_current();
    for (int i = 1; i < 10; i++) {
        ASSERT_INT_EQ(weft_runner_run(runner, add_one, &n), i);
        weft_loop *again = weft_loop_ref_current();
        ASSERT(again == loop);
        weft_loop_unref(again);
    }
    weft_loop_unref(loop);
    weft_runner_free(runner);
}

static int say(void *arg)
{
    (void)arg;
    return weft__fail(-EPROTO, "a run has failed");
}

TEST(runner_hands_errors_on_and_goes_on)
{
    weft_runner *runner;
    int n = 0;
    ASSERT_OK(weft_runner_new(WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL), &runner));
    ASSERT_ERR(weft_runner_run(runner, say, NULL), -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "a run has failed");
    ASSERT_INT_EQ(weft_runner_run(runner, add_one, &n), 1);
    ASSERT_ERR(weft_runner_run(runner, NULL, NULL), -EINVAL);
    weft_runner_free(runner);
    weft_runner_free(NULL);
}

static int run_inside(void *arg)
{
    ASSERT_ERR(weft_runner_run(arg, add_one, NULL), WEFT_ENESTED);
    ASSERT_ERR(weft_run(add_one, NULL), WEFT_ENESTED);
    weft_runner *other;
    ASSERT_ERR(weft_runner_new(NULL, &other), WEFT_ENESTED);
    return 0;
}

TEST(runner_refuses_to_run_inside_a_run)
{
    WEFT_AUTO(weft_runner) *runner = NULL;
    ASSERT_OK(weft_runner_new(NULL, &runner));
    ASSERT_OK(weft_runner_run(runner, run_inside, runner));
}

static int tick(void *arg)
{
    int *ticks = arg;
    int err;
    while ((err = weft_sleep(WEFT_SEC(1))) == 0)
        ++*ticks;
    *ticks = -*ticks;
    return err;
}

static int start_ticking(void *arg)
{
    return weft_background_spawn(tick, arg, NULL);
}

static int sleep_for(void *arg)
{
    return weft_sleep(*(int64_t *)arg);
}

TEST(runner_keeps_background_tasks_between_runs)
{
    weft_runner *runner;
    int64_t duration = WEFT_MS(2500);
    int ticks = 0;
    ASSERT_OK(weft_runner_new(WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL), &runner));
    ASSERT_OK(weft_runner_run(runner, start_ticking, &ticks));
    ASSERT_OK(weft_runner_run(runner, sleep_for, &duration));
    ASSERT_INT_EQ(ticks, 2);
    ASSERT_OK(weft_runner_run(runner, sleep_for, &duration));
    ASSERT_INT_EQ(ticks, 5);
    weft_runner_free(runner);
    ASSERT_INT_EQ(ticks, -5);
}

static weft_local *request;

static int set_local(void *arg)
{
    return weft_local_set(request, arg);
}

static int see_local(void *arg)
{
    ASSERT(weft_local_get(request) == arg);
    return 0;
}

TEST(runner_keeps_task_locals_between_runs)
{
    static int first;
    static int second;
    weft_runner *runner;
    ASSERT_OK(weft_local_new(NULL, &request));
    ASSERT_OK(weft_local_set(request, &first));
    ASSERT_OK(weft_runner_new(NULL, &runner));
    ASSERT_OK(weft_runner_run(runner, see_local, &first));
    ASSERT_OK(weft_runner_run(runner, set_local, &second));
    ASSERT(weft_local_get(request) == &first);
    ASSERT_OK(weft_runner_run(runner, see_local, &second));
    /* A plain run does not. */
    ASSERT_OK(weft_run(set_local, &second));
    ASSERT(weft_local_get(request) == &first);
    weft_runner_free(runner);
    ASSERT_OK(weft_local_set(request, NULL));
    weft_local_free(request);
}

static void *run_elsewhere(void *arg)
{
    ASSERT_ERR(weft_runner_run(arg, add_one, NULL), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "a runner is used by the thread that made it");
    return NULL;
}

TEST(runner_of_another_thread_is_refused)
{
    weft_runner *runner;
    pthread_t thread;
    ASSERT_OK(weft_runner_new(NULL, &runner));
    ASSERT_INT_EQ(pthread_create(&thread, NULL, run_elsewhere, runner), 0);
    pthread_join(thread, NULL);
    weft_runner_free(runner);
}

static void *make_runner(void *arg)
{
    ASSERT_OK(weft_runner_new(NULL, arg));
    return NULL;
}

TEST(runner_whose_thread_has_ended_is_closed)
{
    weft_runner *runner = NULL;
    pthread_t thread;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, make_runner, &runner), 0);
    pthread_join(thread, NULL);
    ASSERT_ERR(weft_runner_run(runner, add_one, NULL), WEFT_ECLOSED);
    weft_runner_free(runner);
}

TEST(runner_holds_its_loop_against_other_kinds)
{
    weft_runner *runner;
    weft_runner *second;
    int n = 0;
    ASSERT_OK(weft_runner_new(WEFT_RUN(.backend = WEFT_BACKEND_EPOLL), &runner));
    ASSERT_ERR(weft_run_with(add_one, &n, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)), -EBUSY);
    ASSERT_INT_EQ(weft_run(add_one, &n), 1);
    ASSERT_OK(weft_runner_new(NULL, &second));
    weft_runner_free(runner);
    ASSERT_INT_EQ(weft_runner_run(second, add_one, &n), 2);
    weft_runner_free(second);
}

TEST(runner_in_the_child_of_a_fork_says_so)
{
    weft_runner *runner;
    int status;
    ASSERT_OK(weft_runner_new(NULL, &runner));
    pid_t child = fork();
    if (child == 0)
        _exit(weft_runner_run(runner, add_one, NULL) == WEFT_EFORKED ? 7 : 1);
    ASSERT_INT_EQ(waitpid(child, &status, 0), child);
    ASSERT_INT_EQ(WEXITSTATUS(status), 7);
    weft_runner_free(runner);
}

static int wait_for_nobody(void *arg)
{
    return weft_event_wait(arg);
}

static void deadlock(void *arg)
{
    weft_runner *runner;
    weft_event *event;
    int n = 0;
    (void)arg;
    ASSERT_OK(weft_runner_new(NULL, &runner));
    ASSERT_OK(weft_event_new(&event));
    ASSERT_ERR(weft_runner_run(runner, wait_for_nobody, event), -EDEADLK);
    ASSERT_INT_EQ(weft_runner_run(runner, add_one, &n), 1);
    weft_event_free(event);
    weft_runner_free(runner);
}

TEST(runner_goes_on_after_a_deadlock)
{
    char output[4000];
    ASSERT_INT_EQ(test_fork(deadlock, NULL, output, sizeof output), 0);
    ASSERT_STR_HAS(output, "weft: deadlock");
}

static int use_runner(void *arg)
{
    weft_runner *runner;
    int n = 0;
    (void)arg;
    int err = weft_runner_new(NULL, &runner);
    if (err < 0)
        return err;
    err = weft_runner_run(runner, add_one, &n);
    if (err >= 0)
        err = weft_runner_run(runner, start_ticking, &n);
    weft_runner_free(runner);
    return err < 0 ? err : 0;
}

TEST(runner_survives_every_fault)
{
    FAULTS(use_runner, NULL, .plain = true);
}

static int offloaded(void *arg)
{
    if (weft_local_get(request) != arg)
        return -EPROTO;
    /* What the job sets is the job's. */
    return weft_local_set(request, NULL);
}

static int offload_with_local(void *arg)
{
    int err = weft_local_set(request, arg);
    if (err == 0)
        err = weft_offload(offloaded, arg);
    ASSERT(err < 0 || weft_local_get(request) == arg);
    return err;
}

static int offload_without(void *arg)
{
    (void)arg;
    ASSERT(weft_local_get(request) == NULL);
    return weft_offload(offloaded, NULL);
}

TEST(local_goes_into_offloaded_jobs)
{
    static int value;
    ASSERT_OK(weft_local_new(NULL, &request));
    ASSERT_OK(weft_run(offload_with_local, &value));
    ASSERT_OK(weft_run(offload_without, NULL));
    weft_local_free(request);
}

/* weft_offload_with: limiters, abandoning, calls back into the loop. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/channel.h>
#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "fault.h"
#include "test.h"

static weft_offload_stats stats_of(weft_offload_limiter *limiter)
{
    weft_offload_stats stats;
    weft_offload_limiter_stats(limiter, &stats);
    return stats;
}

/* Abandoned functions end a little after the calls. */
static void until_idle(weft_offload_limiter *limiter)
{
    while (stats_of(limiter).running > 0)
        usleep(200);
}

/* ---- limiters ---- */

struct gate {
    weft_offload_limiter *limiter;
    atomic_bool open;
    atomic_int inside;
    atomic_int most;
    atomic_int ran;
};

static int pass(void *arg)
{
    struct gate *gate = arg;
    int inside = atomic_fetch_add(&gate->inside, 1) + 1;
    if (inside > atomic_load(&gate->most))
        atomic_store(&gate->most, inside);
    while (!atomic_load(&gate->open))
        usleep(100);
    atomic_fetch_sub(&gate->inside, 1);
    return atomic_fetch_add(&gate->ran, 1);
}

static int offload_pass(void *arg)
{
    struct gate *gate = arg;
    return weft_offload_with(pass, gate, WEFT_OFFLOAD(.limiter = gate->limiter, .name = "gate"));
}

static void until_inside(struct gate *gate, int n)
{
    while (atomic_load(&gate->inside) < n)
        ASSERT_OK(weft_sleep(WEFT_US(100)));
}

TASK_TEST(limiter_lets_its_number_of_functions_run)
{
    struct gate gate = {0};
    weft_group group;
    ASSERT_OK(weft_offload_limiter_new(2, &gate.limiter));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 6; i++)
        ASSERT_OK(weft_group_spawn(&group, offload_pass, &gate));
    until_inside(&gate, 2);
    weft_offload_stats stats = stats_of(gate.limiter);
    ASSERT_INT_EQ(stats.max, 2);
    ASSERT_INT_EQ(stats.running, 2);
    ASSERT_INT_EQ(stats.waiting, 4);
    ASSERT_INT_EQ(stats.total, 0);
    ASSERT_INT_GE(stats.threads, 2);
    atomic_store(&gate.open, true);
    ASSERT_OK(weft_group_wait(&group));
    stats = stats_of(gate.limiter);
    ASSERT_INT_EQ(atomic_load(&gate.most), 2);
    ASSERT_INT_EQ(stats.total, 6);
    ASSERT_INT_EQ(stats.running + stats.waiting, 0);
    weft_offload_limiter_free(gate.limiter);
}

TASK_TEST(limiter_made_larger_begins_what_waits)
{
    struct gate gate = {0};
    weft_group group;
    ASSERT_OK(weft_offload_limiter_new(1, &gate.limiter));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 5; i++)
        ASSERT_OK(weft_group_spawn(&group, offload_pass, &gate));
    until_inside(&gate, 1);
    ASSERT_OK(weft_offload_limiter_set_max(gate.limiter, 4));
    until_inside(&gate, 4);
    ASSERT_INT_EQ(stats_of(gate.limiter).waiting, 1);
    ASSERT_OK(weft_offload_limiter_set_max(gate.limiter, 1));
    atomic_store(&gate.open, true);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(atomic_load(&gate.most), 4);
    weft_offload_limiter_free(gate.limiter);
}

static int one(void *arg)
{
    (void)arg;
    return 1;
}

/* A class that is stuck keeps no other waiting: names never starve files. */
TASK_TEST(limiter_that_is_full_starves_no_other)
{
    struct gate gate = {.limiter = weft_offload_limiter_shared(WEFT_OFFLOAD_DNS)};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < WEFT__LIMIT_WORKERS_DNS + 4; i++)
        ASSERT_OK(weft_group_spawn(&group, offload_pass, &gate));
    until_inside(&gate, WEFT__LIMIT_WORKERS_DNS);
    ASSERT_INT_EQ(weft_offload(one, NULL), 1);
    ASSERT_INT_EQ(
        weft_offload_with(one, NULL,
                          WEFT_OFFLOAD(.limiter = weft_offload_limiter_shared(WEFT_OFFLOAD_FILES))),
        1);
    atomic_store(&gate.open, true);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(atomic_load(&gate.most), WEFT__LIMIT_WORKERS_DNS);
}

TASK_TEST(limiter_is_first_come_first_served)
{
    enum { N = 20 };
    weft_offload_limiter *limiter;
    ASSERT_OK(weft_offload_limiter_new(1, &limiter));
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    struct gate first = {.limiter = limiter};
    ASSERT_OK(weft_group_spawn(&group, offload_pass, &first));
    int results[N];
    for (int i = 0; i < N; i++) {
        ASSERT_OK(
            weft_group_spawn_with(&group, offload_pass, &first, WEFT_SPAWN(.result = &results[i])));
    }
    atomic_store(&first.open, true);
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < N; i++)
        ASSERT_INT_EQ(results[i], i + 1);
    weft_offload_limiter_free(limiter);
}

TEST(limiter_without_a_thread_or_with_too_many_is_refused)
{
    weft_offload_limiter *limiter = NULL;
    ASSERT_ERR(weft_offload_limiter_new(0, &limiter), -EINVAL);
    ASSERT_ERR(weft_offload_limiter_new(WEFT__LIMIT_WORKERS_MAX + 1, &limiter), -EINVAL);
    ASSERT(limiter == NULL);
    ASSERT_OK(weft_offload_limiter_new(WEFT__LIMIT_WORKERS_MAX, &limiter));
    ASSERT_ERR(weft_offload_limiter_set_max(limiter, 0), -EINVAL);
    weft_offload_limiter_free(limiter);
    weft_offload_limiter_free(NULL);
    ASSERT(weft_offload_limiter_shared((weft_offload_class)17) == NULL);
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft_offload_limiter_new(1, &limiter), -ENOMEM);
    weft_testing_fail_alloc(0, false);
}

/* ---- arguments that belong to the job ---- */

struct sum {
    int a;
    int b;
    int sum;
};

static int add(void *arg)
{
    struct sum *sum = arg;
    sum->sum = sum->a + sum->b;
    return 0;
}

TASK_TEST(offload_copies_an_argument_there_and_back)
{
    struct sum sum = {.a = 2, .b = 3};
    ASSERT_OK(weft_offload_with(add, &sum,
                                WEFT_OFFLOAD(.abandon_on_cancel = true, .arg_size = sizeof sum)));
    ASSERT_INT_EQ(sum.sum, 5);
}

static void count_free(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

TASK_TEST(offload_refuses_what_it_could_not_own)
{
    int value = 0;
    ASSERT_ERR(weft_offload_with(NULL, &value, NULL), -EINVAL);
    ASSERT_ERR(weft_offload_with(one, &value, WEFT_OFFLOAD(.abandon_on_cancel = true)), -EINVAL);
    ASSERT_ERR(weft_offload_with(one, &value, WEFT_OFFLOAD(.arg_size = 4, .free_arg = count_free)),
               -EINVAL);
    ASSERT_ERR(weft_offload_with(one, &value, WEFT_OFFLOAD(.arg_size = WEFT__LIMIT_ITEM + 1)),
               -EINVAL);
    ASSERT_ERR(weft_offload_with(one, NULL, WEFT_OFFLOAD(.arg_size = 4)), -EINVAL);
    ASSERT_INT_EQ(weft_offload_with(one, NULL, WEFT_OFFLOAD(.abandon_on_cancel = true)), 1);
    ASSERT_INT_EQ(weft_offload_with(one, NULL, NULL), 1);
}

/* ---- abandoning ---- */

/* Outlives the call: the last one to go frees it. */
struct slow {
    atomic_int refs;
    atomic_int frees;
    atomic_bool open;
    atomic_bool running;
    atomic_bool was_cancelled;
    weft_offload_limiter *limiter;
    int call_result;
};

static int run_slowly(void *arg)
{
    struct slow *slow = arg;
    atomic_store(&slow->running, true);
    while (!atomic_load(&slow->open))
        usleep(100);
    atomic_store(&slow->was_cancelled, weft_offload_is_cancelled());
    return 7;
}

static void slow_free(void *arg)
{
    atomic_fetch_add(&((struct slow *)arg)->frees, 1);
}

static int offload_slow(void *arg)
{
    struct slow *slow = arg;
    return weft_offload_with(
        run_slowly, slow,
        WEFT_OFFLOAD(.abandon_on_cancel = true, .free_arg = slow_free, .limiter = slow->limiter));
}

/* Cancels what fn waits for once the job runs. */
static int cancelled_when_running(struct slow *slow, weft_fn fn)
{
    int result = 0;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, fn, slow, WEFT_SPAWN(.result = &result)));
    while (!atomic_load(&slow->running))
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    weft_group_cancel(&group, "too slow");
    ASSERT_OK(weft_group_wait(&group));
    return result;
}

TASK_TEST(offload_abandoned_returns_at_once_and_counts_until_it_ends)
{
    struct slow slow = {0};
    ASSERT_OK(weft_offload_limiter_new(1, &slow.limiter));
    ASSERT_INT_EQ(cancelled_when_running(&slow, offload_slow), -ECANCELED);
    ASSERT_INT_EQ(atomic_load(&slow.frees), 0);
    ASSERT_INT_EQ(stats_of(slow.limiter).running, 1);
    atomic_store(&slow.open, true);
    while (atomic_load(&slow.frees) == 0)
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    ASSERT(atomic_load(&slow.was_cancelled));
    until_idle(slow.limiter);
    ASSERT_INT_EQ(stats_of(slow.limiter).total, 1);
    ASSERT_INT_EQ(weft_offload_with(one, NULL, WEFT_OFFLOAD(.limiter = slow.limiter)), 1);
    weft_offload_limiter_free(slow.limiter);
    ASSERT_INT_EQ(atomic_load(&slow.frees), 1);
}

static int abandon_in_a_run(void *arg)
{
    ASSERT_INT_EQ(cancelled_when_running(arg, offload_slow), -ECANCELED);
    weft_offload_limiter_free(((struct slow *)arg)->limiter);
    return 0;
}

/* Its loop and its limiter have gone before it ends: the worker frees all. */
TEST(offload_abandoned_may_outlive_loop_and_limiter)
{
    struct slow slow = {0};
    ASSERT_OK(weft_offload_limiter_new(3, &slow.limiter));
    ASSERT_OK(weft_run(abandon_in_a_run, &slow));
    atomic_store(&slow.open, true);
    while (atomic_load(&slow.frees) == 0)
        usleep(100);
    ASSERT_OK(weft_offload_shutdown(WEFT_SEC(10)));
}

TASK_TEST(offload_that_never_began_frees_its_argument)
{
    struct slow busy = {0};
    struct slow queued = {0};
    weft_group group;
    weft_group waiting;
    ASSERT_OK(weft_offload_limiter_new(1, &busy.limiter));
    queued.limiter = busy.limiter;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, offload_slow, &busy));
    ASSERT_OK(weft_group_init(&waiting, NULL));
    ASSERT_OK(weft_group_spawn(&waiting, offload_slow, &queued));
    ASSERT_INT_EQ(stats_of(busy.limiter).waiting, 1);
    weft_group_cancel(&waiting, NULL);
    ASSERT_OK(weft_group_wait(&waiting));
    ASSERT_INT_EQ(stats_of(busy.limiter).waiting, 0);
    ASSERT_INT_EQ(atomic_load(&queued.frees), 1);
    ASSERT(!atomic_load(&queued.running));
    atomic_store(&busy.open, true);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(atomic_load(&busy.frees), 0);
    weft_scope scope;
    weft_scope_enter(&scope, 0);
    ASSERT_ERR(offload_slow(&queued), -ECANCELED);
    ASSERT_INT_EQ(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_INT_EQ(atomic_load(&queued.frees), 2);
    weft_offload_limiter_free(busy.limiter);
}

static int until_cancelled(void *arg)
{
    struct slow *slow = arg;
    atomic_store(&slow->running, true);
    while (!weft_offload_is_cancelled())
        usleep(100);
    return weft__fail(-ECANCELED, "noticed");
}

static int offload_until_cancelled(void *arg)
{
    int result = weft_offload(until_cancelled, arg);
    ASSERT_STR_EQ(weft_error_message(), "noticed");
    return result;
}

TASK_TEST(offload_function_that_looks_ends_when_cancelled)
{
    struct slow slow = {0};
    ASSERT(!weft_offload_is_cancelled());
    ASSERT_INT_EQ(cancelled_when_running(&slow, offload_until_cancelled), -ECANCELED);
}

/* ---- calling back ---- */

struct talk {
    pthread_t loop_thread;
    pthread_t worker;
    weft_event *event;
    int result;
    int rounds;
};

static int on_the_loop(void *arg)
{
    struct talk *talk = arg;
    ASSERT(pthread_equal(pthread_self(), talk->loop_thread));
    ASSERT(!weft_offload_is_cancelled());
    int err = weft_sleep(WEFT_US(50));
    return err < 0 ? err : ++talk->rounds;
}

static int call_back_often(void *arg)
{
    struct talk *talk = arg;
    ASSERT(!pthread_equal(pthread_self(), talk->loop_thread));
    for (int i = 1; i <= 10; i++)
        ASSERT_INT_EQ(weft_call_from_thread(on_the_loop, talk), i);
    return 11;
}

static void converse(void)
{
    struct talk talk = {.loop_thread = pthread_self()};
    ASSERT_INT_EQ(weft_offload(call_back_often, &talk), 11);
    ASSERT_INT_EQ(talk.rounds, 10);
}

TASK_TEST(call_from_thread_runs_on_the_loop)
{
    converse();
}

TEST(call_from_thread_runs_outside_weft_run)
{
    converse();
}

/* Virtual time passes while the loop works for the thread. */
VIRTUAL_TEST(call_from_thread_may_sleep_on_the_virtual_clock)
{
    converse();
}

static int fail_there(void *arg)
{
    (void)arg;
    return weft__fail(-ENOENT, "no such table: guests");
}

static int call_and_fail(void *arg)
{
    ASSERT_INT_EQ(weft_call_from_thread(fail_there, arg), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no such table: guests");
    ASSERT_ERR(weft_call_from_thread(NULL, arg), -EINVAL);
    return weft_call_from_thread(fail_there, arg);
}

TASK_TEST(call_from_thread_carries_the_message)
{
    ASSERT_INT_EQ(weft_offload(call_and_fail, NULL), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no such table: guests");
    ASSERT_ERR(weft_call_from_thread(one, NULL), -EINVAL);
}

static int offload_once_more(void *arg)
{
    return weft_offload(call_back_often, arg);
}

static int call_that_offloads(void *arg)
{
    return weft_call_from_thread(offload_once_more, arg);
}

TASK_TEST(call_from_thread_may_offload_itself)
{
    struct talk talk = {.loop_thread = pthread_self()};
    ASSERT_INT_EQ(weft_offload(call_that_offloads, &talk), 11);
}

static int wait_for_event(void *arg)
{
    struct slow *slow = arg;
    atomic_store(&slow->running, true);
    return weft_sleep(WEFT_FOREVER);
}

static int call_and_keep_result(void *arg)
{
    struct slow *slow = arg;
    slow->call_result = weft_call_from_thread(wait_for_event, slow);
    ASSERT(weft_offload_is_cancelled() == (slow->call_result == -ECANCELED));
    return slow->call_result;
}

static int offload_call(void *arg)
{
    return weft_offload(call_and_keep_result, arg);
}

TASK_TEST(call_from_thread_is_cancelled_with_the_task)
{
    struct slow slow = {0};
    ASSERT_INT_EQ(cancelled_when_running(&slow, offload_call), -ECANCELED);
    ASSERT_INT_EQ(slow.call_result, -ECANCELED);
}

static int never(void *arg)
{
    (void)arg;
    FAIL("was called though the task is cancelled");
}

static int call_after_cancellation(void *arg)
{
    struct slow *slow = arg;
    atomic_store(&slow->running, true);
    while (!weft_offload_is_cancelled())
        usleep(100);
    usleep(1000); /* the task that is to be abandoned has gone */
    slow->call_result = weft_call_from_thread(never, NULL);
    ASSERT(strlen(weft_error_message()) > 0);
    return 0;
}

static int offload_late_call(void *arg)
{
    return weft_offload(call_after_cancellation, arg);
}

static int abandon_late_call(void *arg)
{
    return weft_offload_with(call_after_cancellation, arg,
                             WEFT_OFFLOAD(.abandon_on_cancel = true, .free_arg = slow_free));
}

TASK_TEST(call_from_thread_of_a_cancelled_task_is_not_made)
{
    struct slow slow = {0};
    ASSERT_INT_EQ(cancelled_when_running(&slow, offload_late_call), 0);
    ASSERT_INT_EQ(slow.call_result, -ECANCELED);
}

TASK_TEST(call_from_thread_of_an_abandoned_job_is_not_made)
{
    struct slow slow = {0};
    ASSERT_INT_EQ(cancelled_when_running(&slow, abandon_late_call), -ECANCELED);
    while (atomic_load(&slow.frees) == 0)
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    ASSERT_INT_EQ(slow.call_result, -ECANCELED);
}

static int abandon_and_end(void *arg)
{
    return cancelled_when_running(arg, abandon_late_call) == -ECANCELED ? 0 : -EPROTO;
}

TEST(call_from_thread_after_the_loop_ended_is_not_made)
{
    struct slow slow = {0};
    ASSERT_OK(weft_run(abandon_and_end, &slow));
    while (atomic_load(&slow.frees) == 0)
        usleep(100);
    ASSERT_INT_EQ(slow.call_result, -ECANCELED);
    ASSERT_OK(weft_offload_shutdown(WEFT_SEC(10)));
}

/* Cancelled while the loop works for the job: it is left behind when that has ended. */
static int abandon_calling(void *arg)
{
    return weft_offload_with(call_and_keep_result, arg,
                             WEFT_OFFLOAD(.abandon_on_cancel = true, .free_arg = slow_free));
}

TASK_TEST(call_from_thread_cancelled_within_abandons_the_job)
{
    struct slow slow = {0};
    ASSERT_INT_EQ(cancelled_when_running(&slow, abandon_calling), -ECANCELED);
    while (atomic_load(&slow.frees) == 0)
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    ASSERT_INT_EQ(slow.call_result, -ECANCELED);
}

/* ---- faults ---- */

struct owned {
    int value;
};

static int yield_there(void *arg)
{
    (void)arg;
    int err = weft_yield();
    return err < 0 ? err : 2;
}

static int call_once(void *arg)
{
    int result = weft_call_from_thread(yield_there, arg);
    return result < 0 ? result : 1;
}

static void owned_free(void *arg)
{
    free(arg);
}

static int abandon_once(void *arg)
{
    struct owned *owned = calloc(1, sizeof *owned);
    struct sum sum = {.a = 1};
    (void)arg;
    int err = weft_offload_with(call_once, owned,
                                WEFT_OFFLOAD(.abandon_on_cancel = true, .free_arg = owned_free));
    if (err != -ECANCELED)
        free(owned);
    if (err < 0)
        return err;
    return weft_offload_with(add, &sum,
                             WEFT_OFFLOAD(.abandon_on_cancel = true, .arg_size = sizeof sum));
}

static int offload_with_a_limiter(void *arg)
{
    weft_offload_limiter *limiter;
    int err = weft_offload_limiter_new(1, &limiter);
    if (err < 0)
        return err;
    err = weft_offload_with(call_once, arg, WEFT_OFFLOAD(.limiter = limiter));
    weft_offload_limiter_free(limiter);
    return err < 0 ? err : 0;
}

TEST_WITH(offload_with_a_limiter_survives_every_fault, .limit_s = 60)
{
    FAULTS(offload_with_a_limiter, NULL);
    FAULTS(offload_with_a_limiter, NULL, .plain = true);
    FAULTS(offload_with_a_limiter, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

/* What an abandoned job holds is freed a little later than the call returns. */
static int abandon_and_wait(void *arg)
{
    int err = abandon_once(arg);
    weft_scope scope;
    weft_scope_enter_shield(&scope, WEFT_SEC(10));
    while (stats_of(weft_offload_limiter_shared(WEFT_OFFLOAD_USER)).running > 0)
        weft_sleep(WEFT_US(100));
    weft_offload_shutdown(WEFT_SEC(10));
    weft_sleep(WEFT_US(100));
    weft_scope_exit(&scope, 0);
    return err < 0 ? err : 0;
}

TEST_WITH(offload_abandoned_survives_every_fault, .limit_s = 60)
{
    FAULTS(abandon_and_wait, NULL, .no_alloc = true);
}

/* ---- all at once ---- */

enum { LOOPS = 4, TASKS = 16 };

struct storm {
    weft_offload_limiter *limiter;
    int id;
    int result;
};

static int storm_job(void *arg)
{
    struct sum *sum = arg;
    int result = 0;
    if (sum->a % 3 == 0)
        result = weft_call_from_thread(yield_there, NULL);
    if (sum->a % 5 == 0)
        usleep(50);
    sum->sum = sum->a + sum->b;
    return result < 0 ? result : 0;
}

static int storm_task(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < 40; i++) {
        struct sum sum = {.a = i + storm->id, .b = 1};
        weft_scope scope;
        weft_scope_enter(&scope, i % 4 == 0 ? WEFT_US(30) : WEFT_FOREVER);
        int err = weft_offload_with(storm_job, &sum,
                                    WEFT_OFFLOAD(.limiter = storm->limiter,
                                                 .abandon_on_cancel = i % 8 == 0,
                                                 .arg_size = sizeof sum));
        err = weft_scope_exit(&scope, err);
        if (err == 0 && sum.sum != sum.a + 1)
            return -EPROTO;
        if (err < 0 && err != -ETIMEDOUT)
            return err;
    }
    return 0;
}

static int storm_loop(void *arg)
{
    weft_call calls[TASKS];
    for (int i = 0; i < TASKS; i++)
        calls[i] = (weft_call){storm_task, arg, 0};
    return weft_gather(calls, TASKS, NULL);
}

static void *storm_thread(void *arg)
{
    struct storm *storm = arg;
    storm->result = weft_run(storm_loop, storm);
    return NULL;
}

TEST_WITH(offload_from_four_loops_with_one_limiter_and_every_ending, .limit_s = 120)
{
    struct storm storms[LOOPS];
    pthread_t threads[LOOPS];
    weft_offload_limiter *limiter;
    ASSERT_OK(weft_offload_limiter_new(3, &limiter));
    for (int i = 0; i < LOOPS; i++) {
        storms[i] = (struct storm){.limiter = limiter, .id = i};
        ASSERT_INT_EQ(pthread_create(&threads[i], NULL, storm_thread, &storms[i]), 0);
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_OK(storms[i].result);
    }
    until_idle(limiter);
    weft_offload_limiter_free(limiter);
    ASSERT_OK(weft_offload_shutdown(WEFT_SEC(10)));
}

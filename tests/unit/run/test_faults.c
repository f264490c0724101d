/* The runtime under every fault, and the harness that makes them. */
#include <stdlib.h>
#include <sys/wait.h>

#include <weft/error.h>
#include <weft/limit.h>
#include <weft/retry.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/alloc.h"
#include "fault.h"
#include "test.h"

/* ---- the harness ---- */

static int leaks_when_cancelled(void *arg)
{
    (void)arg;
    void *block = weft__alloc(1);
    if (block == NULL)
        return -ENOMEM;
    int err = weft_sleep(1);
    if (err < 0)
        return err;
    weft__free(block);
    return 0;
}

static int hides_missing_memory(void *arg)
{
    (void)arg;
    void *block = weft__alloc(1);
    if (block == NULL)
        return -EIO;
    weft__free(block);
    return 0;
}

static int breaks_for_good(void *arg)
{
    bool *broken = arg;
    void *block = weft__alloc(1);
    if (block == NULL)
        *broken = true;
    weft__free(block);
    return *broken ? -ENOMEM : 0;
}

static int loses_a_cancellation(void *arg)
{
    (void)arg;
    return weft_checkpoint() < 0 ? -EPIPE : 0;
}

static int fails_always(void *arg)
{
    (void)arg;
    return -ENOENT;
}

struct expectation {
    weft_fn scenario;
    const char *output;
};

static void under_faults(void *arg)
{
    const struct expectation *expectation = arg;
    bool broken = false;
    fault_run("it", expectation->scenario, &broken, &(const struct fault_options){0});
}

TEST(faults_find_what_a_scenario_does_wrong)
{
    static const struct expectation expectations[] = {
        {leaks_when_cancelled, "blocks of memory that are left: 1"},
        {hides_missing_memory, "it returned -5 EIO"},
        {breaks_for_good, "run again without a fault it returned -12 ENOMEM"},
        {loses_a_cancellation, "cancelled at a checkpoint (number 1): it returned -32 EPIPE"},
        {fails_always, "it should succeed, it returned -2 ENOENT"},
    };
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        char output[4096];
        int status = test_fork(under_faults, (void *)&expectations[i], output, sizeof output);
        ASSERT(WIFEXITED(status) && WEXITSTATUS(status) != 0);
        ASSERT_STR_HAS(output, expectations[i].output);
    }
}

static int with_own_error(void *arg)
{
    (void)arg;
    return weft_sleep(1) < 0 ? -EPIPE : 0;
}

TEST(faults_accept_any_error_where_told_so)
{
    FAULTS(with_own_error, NULL, .any_error = true);
    FAULTS(loses_a_cancellation, NULL, .no_cancel = true);
    FAULTS(hides_missing_memory, NULL, .no_alloc = true);
}

static int count_runs(void *arg)
{
    int *runs = arg;
    ++*runs;
    for (int i = 0; i < 100; i++) {
        int err = weft_checkpoint();
        if (err < 0)
            return err;
    }
    return 0;
}

TEST(faults_of_many_places_are_spread)
{
    int runs = 0;
    FAULTS(count_runs, &runs, .no_alloc = true);
    ASSERT_INT_EQ(runs, 2 + 2 * 101);
    runs = 0;
    FAULTS(count_runs, &runs, .no_alloc = true, .max_cases = 10);
    ASSERT_INT_EQ(runs, 2 + 2 * 11);
}

/* ---- scenarios ---- */

static int sleep_a_little(void *arg)
{
    return weft_sleep((int64_t)(intptr_t)arg);
}

static int gather_sleepers(void *arg)
{
    (void)arg;
    weft_call calls[5];
    for (int i = 0; i < 5; i++)
        calls[i] = (weft_call){sleep_a_little, (void *)(intptr_t)(i * 10)};
    return weft_gather(calls, 5, NULL);
}

static int collect_sleepers(void *arg)
{
    (void)arg;
    weft_call calls[5];
    for (int i = 0; i < 5; i++)
        calls[i] = (weft_call){sleep_a_little, (void *)(intptr_t)(i * 10)};
    int err = weft_gather(calls, 5, WEFT_GATHER(.collect = true));
    for (int i = 0; i < 5 && err == 0; i++)
        err = calls[i].result;
    return err;
}

static int nested_groups(void *arg)
{
    int depth = (int)(intptr_t)arg;
    weft_group group;
    if (depth == 0)
        return weft_sleep(5);
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    for (int i = 0; i < 2 && err == 0; i++)
        err = weft_group_spawn(&group, nested_groups, (void *)(intptr_t)(depth - 1));
    if (err < 0)
        weft_group_cancel(&group, "could not spawn");
    int joined = weft_group_wait(&group);
    return err < 0 ? err : joined;
}

static int sleep_item(void *item)
{
    return weft_sleep(*(int *)item);
}

static int map_items(void *arg)
{
    (void)arg;
    int items[20];
    int results[20];
    for (int i = 0; i < 20; i++)
        items[i] = i * 3;
    int err =
        weft_map(sleep_item, items, 20, sizeof items[0], WEFT_MAP(.limit = 4, .results = results));
    for (int i = 0; i < 20 && err == 0; i++)
        err = results[i];
    return err;
}

/* A timeout that is met, one that is not, a shield in a cancelled scope. */
static int scopes(void *arg)
{
    (void)arg;
    weft_scope outer;
    weft_scope inner;
    weft_scope_enter(&outer, WEFT_SEC(10));
    weft_scope_enter(&inner, WEFT_US(10));
    int err = weft_scope_exit(&inner, weft_sleep(WEFT_SEC(20)));
    if (err == -ETIMEDOUT)
        err = weft_sleep(1);
    weft_scope_cancel(&outer, NULL);
    weft_scope_enter_shield(&inner, WEFT_SEC(10));
    int cleanup = weft_sleep(WEFT_US(30));
    cleanup = weft_scope_exit(&inner, cleanup);
    err = weft_scope_exit(&outer, err);
    return err < 0 ? err : cleanup;
}

struct shared {
    weft_semaphore *semaphore;
    weft_event *event;
    weft_rate_limiter *limiter;
};

static int use_shared(void *arg)
{
    struct shared *shared = arg;
    int err = weft_semaphore_acquire(shared->semaphore);
    if (err < 0)
        return err;
    err = weft_rate_limiter_acquire(shared->limiter);
    weft_semaphore_release(shared->semaphore);
    return err < 0 ? err : weft_event_wait(shared->event);
}

static int set_event(void *arg)
{
    struct shared *shared = arg;
    int err = weft_sleep(WEFT_SEC(1));
    weft_event_set(shared->event);
    return err;
}

static int share(void *arg)
{
    (void)arg;
    WEFT_AUTO(weft_semaphore) *semaphore = NULL;
    WEFT_AUTO(weft_event) *event = NULL;
    WEFT_AUTO(weft_rate_limiter) *limiter = NULL;
    int err = weft_semaphore_new(2, &semaphore);
    if (err == 0)
        err = weft_event_new(&event);
    if (err == 0)
        err = weft_rate_limiter_new(WEFT_RATE(.permits = 10), &limiter);
    if (err < 0)
        return err;
    struct shared shared = {semaphore, event, limiter};
    weft_call calls[] = {
        {use_shared, &shared}, {use_shared, &shared}, {use_shared, &shared}, {set_event, &shared}};
    err = weft_gather(calls, 4, NULL);
    if (err == 0 && weft_semaphore_available(semaphore) != 2)
        return -EPROTO;
    return err;
}

static int fail_twice(void *arg)
{
    int *calls = arg;
    int err = weft_sleep(3);
    return err < 0 ? err : ++*calls % 3 != 0 ? WEFT_EREAD : 0;
}

static int retry_until_it_works(void *arg)
{
    (void)arg;
    int calls = 0;
    return weft_retry(NULL, fail_twice, &calls);
}

static int work(void *arg)
{
    (void)arg;
    return 7;
}

static int offload(void *arg)
{
    int result = weft_offload(work, arg);
    return result == 7 ? 0 : result;
}

static int offload_some(void *arg)
{
    weft_call calls[] = {{offload, arg}, {offload, arg}, {offload, arg}};
    return weft_gather(calls, 3, NULL);
}

TEST_WITH(runtime_survives_every_fault, .limit_s = 60)
{
    const weft_backend backend = WEFT_BACKEND_VIRTUAL;
    FAULTS(gather_sleepers, NULL, .backend = backend);
    FAULTS(collect_sleepers, NULL, .backend = backend);
    FAULTS(nested_groups, (void *)(intptr_t)3, .backend = backend);
    FAULTS(map_items, NULL, .backend = backend);
    FAULTS(scopes, NULL, .backend = backend);
    FAULTS(share, NULL, .backend = backend);
    FAULTS(retry_until_it_works, NULL, .backend = backend);
}

TEST_WITH(runtime_survives_every_fault_outside_weft_run, .limit_s = 60)
{
    FAULTS(gather_sleepers, NULL, .plain = true);
    FAULTS(map_items, NULL, .plain = true);
    FAULTS(scopes, NULL, .plain = true);
    FAULTS(nested_groups, (void *)(intptr_t)2, .plain = true);
}

TEST_WITH(offload_survives_every_fault, .limit_s = 60)
{
    FAULTS(offload_some, NULL);
    FAULTS(offload_some, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

static int run_nothing(void *arg)
{
    (void)arg;
    return weft_sleep(1);
}

/* Making the loop itself fails at each of its allocations. */
TEST(run_without_memory_gives_enomem)
{
    for (uint64_t k = 1;; k++) {
        for (int on = 0; on < 2; on++) {
            weft_testing_fail_alloc(k, on);
            int err = weft_run_with(run_nothing, NULL, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL));
            uint64_t count = weft_testing_alloc_count();
            weft_testing_fail_alloc(0, false);
            if (count < k) {
                ASSERT_OK(err);
                return;
            }
            ASSERT_INT_EQ(err, -ENOMEM);
            ASSERT_STR_HAS(weft_error_message(), weft_error_text(-ENOMEM));
        }
    }
}

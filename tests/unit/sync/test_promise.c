#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <weft/channel.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

VIRTUAL_TEST(promise_is_set_once)
{
    weft_promise *promise;
    int value = 1;
    void *got = NULL;
    ASSERT_OK(weft_promise_new(&promise));
    ASSERT(!weft_promise_is_set(promise));
    ASSERT_OK(weft_promise_set(promise, &value));
    ASSERT(weft_promise_is_set(promise));
    ASSERT_ERR(weft_promise_set(promise, NULL), -EALREADY);
    ASSERT_ERR(weft_promise_set_error(promise, -EIO, "late"), -EALREADY);
    ASSERT_OK(weft_promise_wait(promise, &got));
    ASSERT(got == &value);
    ASSERT_OK(weft_promise_wait(promise, NULL));
    weft_promise_unref(promise);
    weft_promise_unref(NULL);
}

VIRTUAL_TEST(promise_gives_its_error_and_message_to_all)
{
    weft_promise *promise;
    void *got = &promise;
    ASSERT_OK(weft_promise_new(&promise));
    ASSERT_ERR(weft_promise_set_error(promise, 0, "no error"), -EINVAL);
    ASSERT_OK(weft_promise_set_error(promise, WEFT_EREFUSED, "the printer refused"));
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(weft_promise_wait(promise, &got), WEFT_EREFUSED);
        ASSERT_STR_EQ(weft_error_message(), "the printer refused");
    }
    ASSERT(got == &promise);
    weft_promise_unref(promise);
    ASSERT_OK(weft_promise_new(&promise));
    ASSERT_OK(weft_promise_set_error(promise, -EIO, NULL));
    ASSERT_ERR(weft_promise_wait(promise, NULL), -EIO);
    ASSERT_STR_EQ(weft_error_message(), weft_error_text(-EIO));
    weft_promise_unref(promise);
}

VIRTUAL_TEST(promise_message_that_is_too_long_is_cut)
{
    weft_promise *promise;
    char message[2000];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    ASSERT_OK(weft_promise_new(&promise));
    ASSERT_OK(weft_promise_set_error(promise, -EIO, message));
    ASSERT_ERR(weft_promise_wait(promise, NULL), -EIO);
    ASSERT_INT_EQ(strlen(weft_error_message()), 511);
    weft_promise_unref(promise);
}

static int wait_one(void *arg)
{
    void *got = NULL;
    int err = weft_promise_wait(arg, &got);
    if (err == 0)
        ++*(int *)got;
    return err;
}

VIRTUAL_TEST(promise_wakes_everybody_who_waits)
{
    weft_promise *promise;
    weft_group group;
    int woken = 0;
    ASSERT_OK(weft_promise_new(&promise));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 5; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_one, promise));
    weft_sleep(WEFT_SEC(1));
    ASSERT_INT_EQ(woken, 0);
    ASSERT_OK(weft_promise_set(promise, &woken));
    /* Nobody needs it any more but those who wait. */
    weft_promise_unref(promise);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(woken, 5);
}

VIRTUAL_TEST(promise_wait_that_times_out_can_be_repeated)
{
    weft_promise *promise;
    weft_scope scope;
    int value = 0;
    ASSERT_OK(weft_promise_new(&promise));
    for (int i = 0; i < 3; i++) {
        weft_scope_enter(&scope, WEFT_SEC(1));
        ASSERT_ERR(weft_scope_exit(&scope, weft_promise_wait(promise, NULL)), -ETIMEDOUT);
    }
    ASSERT_OK(weft_promise_set(promise, &value));
    ASSERT_OK(wait_one(promise));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    ASSERT_ERR(weft_promise_wait(promise, NULL), -ECANCELED);
    weft_scope_exit(&scope, -ECANCELED);
    weft_promise_unref(promise);
}

VIRTUAL_TEST(promise_set_before_the_cancel_is_kept)
{
    weft_promise *promise;
    weft_group group;
    int woken = 0;
    ASSERT_OK(weft_promise_new(&promise));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_one, promise));
    ASSERT_OK(weft_promise_set(promise, &woken));
    weft_group_cancel(&group, NULL);
    weft_group_wait(&group);
    ASSERT_INT_EQ(woken, 1);
    weft_promise_unref(promise);
}

/* ---- threads ---- */

enum { PROMISES = 300 };

struct shared {
    weft_promise *promises[PROMISES];
    int values[PROMISES];
    atomic_int turn;
    bool with_timeouts;
};

/* Has no loop. */
static void *set_all(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < PROMISES; i++) {
        if ((i & 3) == 3)
            sched_yield();
        int err = i % 10 == 9 ? weft_promise_set_error(shared->promises[i], -EIO, "every tenth")
                              : weft_promise_set(shared->promises[i], &shared->values[i]);
        ASSERT_OK(err);
        weft_promise_unref(shared->promises[i]);
    }
    return NULL;
}

static void check_one(struct shared *shared, int i, int err, const void *got)
{
    ASSERT_INT_EQ(err, i % 10 == 9 ? -EIO : 0);
    if (err == 0)
        ASSERT(got == &shared->values[i]);
    else
        ASSERT_STR_EQ(weft_error_message(), "every tenth");
}

static int wait_all(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < PROMISES; i++) {
        void *got = NULL;
        int err;
        do {
            weft_scope scope;
            weft_scope_enter(&scope, shared->with_timeouts ? WEFT_US(20) : WEFT_FOREVER);
            err = weft_scope_exit(&scope, weft_promise_wait(shared->promises[i], &got));
        } while (err == -ETIMEDOUT);
        check_one(shared, i, err, got);
        weft_promise_unref(shared->promises[i]);
    }
    return 0;
}

static void *wait_in_a_loop(void *arg)
{
    ASSERT_OK(weft_run(wait_all, arg));
    return NULL;
}

/* One thread sets, two loops wait, and one plain thread. */
static void across_threads(bool with_timeouts)
{
    static struct shared shared;
    pthread_t threads[3];
    shared.with_timeouts = with_timeouts;
    for (int i = 0; i < PROMISES; i++) {
        ASSERT_OK(weft_promise_new(&shared.promises[i]));
        for (int n = 0; n < 3; n++)
            ASSERT(weft_promise_ref(shared.promises[i]) == shared.promises[i]);
    }
    ASSERT_INT_EQ(pthread_create(&threads[0], NULL, wait_in_a_loop, &shared), 0);
    ASSERT_INT_EQ(pthread_create(&threads[1], NULL, wait_in_a_loop, &shared), 0);
    ASSERT_INT_EQ(pthread_create(&threads[2], NULL, set_all, &shared), 0);
    wait_all(&shared);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

TEST(promise_is_set_by_one_thread_and_waited_for_by_others)
{
    across_threads(false);
}

TEST(promise_waits_that_time_out_race_with_the_setting_thread)
{
    across_threads(true);
}

/* ---- storms and faults ---- */

struct ground {
    weft_promise *promise;
    int value;
    int unset;
};

static void storm_begin(void *state)
{
    struct ground *ground = state;
    *ground = (struct ground){0};
    ASSERT_OK(weft_promise_new(&ground->promise));
}

/* 0 sets after some turns, cancelled or not; the others wait. */
static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    if (worker->number > 0) {
        int err = wait_one(ground->promise);
        ground->unset += err < 0;
        return err;
    }
    int err = 0;
    for (int i = 0; i < 5 && err == 0; i++)
        err = weft_yield();
    ASSERT_OK(weft_promise_set(ground->promise, &ground->value));
    return err;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    ASSERT_INT_EQ(ground->value + ground->unset, 3);
    weft_promise_unref(ground->promise);
}

TEST_WITH(promise_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    struct ground ground;
    storm(&(const struct storm){
        .n_workers = 4,
        .state = &ground,
        .begin = storm_begin,
        .work = storm_work,
        .end = storm_end,
    });
}

static int set_it(void *arg)
{
    static int value;
    int err = weft_yield();
    return err < 0 ? err : weft_promise_set(arg, &value);
}

static int scenario(void *arg)
{
    weft_promise *promise;
    (void)arg;
    int err = weft_promise_new(&promise);
    if (err < 0)
        return err;
    err = weft_gather((weft_call[]){{wait_one, promise, 0}, {set_it, promise, 0}}, 2, NULL);
    weft_promise_unref(promise);
    return err;
}

TEST(promise_survives_every_fault)
{
    FAULTS(scenario, NULL);
    FAULTS(scenario, NULL, .plain = true);
}

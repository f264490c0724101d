#include <stdio.h>
#include <string.h>
#include <weft/sync.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

struct ground {
    weft_mutex *mutex;
    char order[64];
    int inside;
    int count;
};

static void note(struct ground *ground, char letter)
{
    ground->order[strlen(ground->order)] = letter;
}

struct named {
    struct ground *ground;
    char letter;
};

static int lock_and_note(void *arg)
{
    struct named *named = arg;
    int err = weft_mutex_lock(named->ground->mutex);
    if (err < 0)
        return err;
    note(named->ground, named->letter);
    weft_yield();
    return weft_mutex_unlock(named->ground->mutex);
}

VIRTUAL_TEST(mutex_is_given_first_come_first_served)
{
    struct ground ground = {0};
    struct named named[] = {{&ground, 'a'}, {&ground, 'b'}, {&ground, 'c'}};
    weft_group group;
    ASSERT_OK(weft_mutex_new(&ground.mutex));
    ASSERT(!weft_mutex_is_locked(ground.mutex));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ASSERT(weft_mutex_is_locked(ground.mutex));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&group, lock_and_note, &named[i]));
    ASSERT_STR_EQ(ground.order, "");
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    /* It is the first waiter's already: nobody gets in between. */
    ASSERT(weft_mutex_is_locked(ground.mutex));
    ASSERT(!weft_mutex_try_lock(ground.mutex));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    note(&ground, 'm');
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_STR_EQ(ground.order, "abcm");
    ASSERT(!weft_mutex_is_locked(ground.mutex));
    weft_mutex_free(ground.mutex);
}

VIRTUAL_TEST(mutex_locked_twice_by_one_task_is_refused)
{
    weft_mutex *mutex;
    ASSERT_OK(weft_mutex_new(&mutex));
    ASSERT(weft_mutex_try_lock(mutex));
    ASSERT_ERR(weft_mutex_lock(mutex), -EDEADLK);
    ASSERT_STR_HAS(weft_error_message(), "locked already");
    ASSERT(!weft_mutex_try_lock(mutex));
    ASSERT_OK(weft_mutex_unlock(mutex));
    weft_mutex_free(mutex);
}

static int unlock_others(void *arg)
{
    ASSERT_ERR(weft_mutex_unlock(arg), -EPERM);
    ASSERT_STR_HAS(weft_error_message(), "'other' unlocks a mutex that task 'main'");
    return 0;
}

VIRTUAL_TEST(mutex_unlock_by_another_task_is_refused)
{
    weft_mutex *mutex;
    weft_group group;
    ASSERT_OK(weft_mutex_new(&mutex));
    ASSERT_ERR(weft_mutex_unlock(mutex), -EPERM);
    ASSERT_OK(weft_mutex_lock(mutex));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, unlock_others, mutex, WEFT_SPAWN(.name = "other")));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(weft_mutex_is_locked(mutex));
    ASSERT_OK(weft_mutex_unlock(mutex));
    ASSERT_ERR(weft_mutex_unlock(mutex), -EPERM);
    weft_mutex_free(mutex);
}

VIRTUAL_TEST(mutex_free_is_a_checkpoint_all_the_same)
{
    weft_mutex *mutex;
    weft_scope scope;
    ASSERT_OK(weft_mutex_new(&mutex));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, "enough");
    ASSERT_ERR(weft_mutex_lock(mutex), -ECANCELED);
    ASSERT_STR_HAS(weft_error_message(), "enough");
    ASSERT(!weft_mutex_is_locked(mutex));
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
    weft_mutex_free(mutex);
}

VIRTUAL_TEST(mutex_wait_that_times_out_leaves_the_queue)
{
    struct ground ground = {0};
    struct named named = {&ground, 'a'};
    weft_group group;
    ASSERT_OK(weft_mutex_new(&ground.mutex));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(1))));
    ASSERT_OK(weft_group_spawn(&group, lock_and_note, &named));
    ASSERT_ERR(weft_group_wait(&group), -ETIMEDOUT);
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT(!weft_mutex_is_locked(ground.mutex));
    ASSERT_STR_EQ(ground.order, "");
    weft_mutex_free(ground.mutex);
}

struct race {
    weft_mutex *mutex;
    weft_scope *scope;
    int result;
    bool cancel_first;
};

static int lock_in_scope(void *arg)
{
    struct race *race = arg;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    race->scope = &scope;
    race->result = weft_mutex_lock(race->mutex);
    weft_scope_exit(&scope, race->result);
    if (race->result == 0)
        ASSERT_OK(weft_mutex_unlock(race->mutex));
    return 0;
}

/* Unlocked and cancelled before the waiter runs: what came first counts. */
static int unlock_against_cancel(void *arg)
{
    struct race *race = arg;
    weft_group group;
    ASSERT_OK(weft_mutex_new(&race->mutex));
    ASSERT_OK(weft_mutex_lock(race->mutex));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, lock_in_scope, race));
    if (race->cancel_first)
        weft_scope_cancel(race->scope, NULL);
    ASSERT_OK(weft_mutex_unlock(race->mutex));
    if (!race->cancel_first)
        weft_scope_cancel(race->scope, NULL);
    ASSERT_INT_EQ(weft_mutex_is_locked(race->mutex), !race->cancel_first);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(!weft_mutex_is_locked(race->mutex));
    weft_mutex_free(race->mutex);
    return 0;
}

TEST(mutex_given_before_the_cancel_is_kept)
{
    struct race race = {0};
    ASSERT_OK(
        weft_run_with(unlock_against_cancel, &race, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(race.result, 0);
}

TEST(mutex_cancelled_before_it_is_given_goes_to_nobody)
{
    struct race race = {.cancel_first = true};
    ASSERT_OK(
        weft_run_with(unlock_against_cancel, &race, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(race.result, -ECANCELED);
}

static int lock_only(void *arg)
{
    return weft_mutex_lock(arg);
}

static int end_as_owner(void *arg)
{
    weft_mutex *mutex = arg;
    ASSERT_OK(weft_mutex_lock(mutex));
    weft_yield();
    return 0;
}

static int abandon(void *arg)
{
    weft_mutex *mutex;
    weft_mutex *second;
    weft_group group;
    (void)arg;
    ASSERT_OK(weft_mutex_new(&mutex));
    ASSERT_OK(weft_mutex_new(&second));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn_with(&group, end_as_owner, mutex, WEFT_SPAWN(.name = "careless")));
    int waiter = 0;
    ASSERT_OK(weft_group_spawn_with(&group, lock_only, mutex, WEFT_SPAWN(.result = &waiter)));
    ASSERT_ERR(weft_group_wait(&group), -EOWNERDEAD);
    ASSERT_STR_HAS(weft_error_message(), "ended without unlocking");
    ASSERT_INT_EQ(waiter, -EOWNERDEAD);
    ASSERT_ERR(weft_mutex_lock(mutex), -EOWNERDEAD);
    ASSERT(!weft_mutex_try_lock(mutex));
    ASSERT_ERR(weft_mutex_unlock(mutex), -EPERM);
    weft_mutex_free(mutex);
    /* Freed while it is locked: nothing to report. */
    ASSERT_OK(weft_mutex_lock(second));
    weft_mutex_free(second);
    return 0;
}

static void run_abandon(void *arg)
{
    (void)arg;
    ASSERT_OK(weft_run_with(abandon, NULL, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
}

TEST(mutex_of_a_task_that_ended_is_reported_and_broken)
{
    char output[512];
    ASSERT_INT_EQ(test_fork(run_abandon, NULL, output, sizeof output), 0);
    ASSERT_STR_EQ(output, "weft: task 'careless' ended without unlocking a mutex\n");
}

VIRTUAL_TEST(mutexes_are_unlocked_in_any_order)
{
    weft_mutex *mutexes[3];
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_mutex_new(&mutexes[i]));
        ASSERT_OK(weft_mutex_lock(mutexes[i]));
    }
    ASSERT_OK(weft_mutex_unlock(mutexes[1]));
    ASSERT_OK(weft_mutex_unlock(mutexes[0]));
    ASSERT_OK(weft_mutex_unlock(mutexes[2]));
    for (int i = 0; i < 3; i++)
        weft_mutex_free(mutexes[i]);
    weft_mutex_free(NULL);
}

TEST(mutex_works_outside_a_run)
{
    struct ground ground = {0};
    struct named named[] = {{&ground, 'a'}, {&ground, 'b'}};
    weft_group group;
    ASSERT_OK(weft_mutex_new(&ground.mutex));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(weft_group_spawn(&group, lock_and_note, &named[i]));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    note(&ground, 'm');
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_STR_EQ(ground.order, "abm");
    weft_mutex_free(ground.mutex);
}

TEST(mutex_waited_for_by_its_only_task_is_a_deadlock)
{
    weft_mutex *mutex;
    weft_group group;
    ASSERT_OK(weft_mutex_new(&mutex));
    ASSERT_OK(weft_mutex_lock(mutex));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, lock_only, mutex));
    ASSERT_ERR(weft_group_wait(&group), -EDEADLK);
    weft_mutex_free(mutex);
}

static int spin(void *arg)
{
    struct ground *ground = arg;
    while (ground->count == 0) {
        ASSERT_OK(weft_mutex_lock(ground->mutex));
        ASSERT_OK(weft_mutex_unlock(ground->mutex));
    }
    return 0;
}

static int stop_it(void *arg)
{
    struct ground *ground = arg;
    weft_sleep(WEFT_MS(1));
    ground->count = 1;
    return 0;
}

TASK_TEST(mutex_that_is_always_free_does_not_starve_timers)
{
    struct ground ground = {0};
    ASSERT_OK(weft_mutex_new(&ground.mutex));
    ASSERT_OK(weft_gather((weft_call[]){{stop_it, &ground, 0}, {spin, &ground, 0}}, 2, NULL));
    weft_mutex_free(ground.mutex);
}

/* ---- storms and faults ---- */

static void storm_begin(void *state)
{
    struct ground *ground = state;
    memset(ground, 0, sizeof *ground);
    ASSERT_OK(weft_mutex_new(&ground->mutex));
}

static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    for (int i = 0; i < 3; i++) {
        int err = weft_mutex_lock(ground->mutex);
        if (err < 0)
            return err;
        ASSERT_INT_EQ(ground->inside++, 0);
        err = i == worker->number ? 0 : weft_yield();
        ASSERT_INT_EQ(--ground->inside, 0);
        ground->count++;
        ASSERT_OK(weft_mutex_unlock(ground->mutex));
        if (err < 0)
            return err;
    }
    return 0;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    ASSERT(!weft_mutex_is_locked(ground->mutex));
    ASSERT_INT_GE(ground->count, 9);
    weft_mutex_free(ground->mutex);
}

TEST_WITH(mutex_survives_cancels_in_a_thousand_orders, .limit_s = 60)
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

static int scenario(void *arg)
{
    struct ground ground = {0};
    (void)arg;
    int err = weft_mutex_new(&ground.mutex);
    if (err < 0)
        return err;
    struct named named[] = {{&ground, 'a'}, {&ground, 'b'}};
    err = weft_gather((weft_call[]){{lock_and_note, &named[0], 0}, {lock_and_note, &named[1], 0}},
                      2, NULL);
    weft_mutex_free(ground.mutex);
    return err;
}

TEST(mutex_survives_every_fault)
{
    FAULTS(scenario, NULL);
    FAULTS(scenario, NULL, .plain = true);
}

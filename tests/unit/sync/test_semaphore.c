/* The semaphore on the virtual clock: order, no barging, no permit lost. */
#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "base/rand.h"
#include "storm.h"
#include "test.h"

VIRTUAL_TEST(semaphore_counts)
{
    WEFT_AUTO(weft_semaphore) *semaphore = NULL;
    ASSERT_OK(weft_semaphore_new(2, &semaphore));
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 2);
    ASSERT_OK(weft_semaphore_acquire(semaphore));
    ASSERT(weft_semaphore_try_acquire(semaphore));
    ASSERT(!weft_semaphore_try_acquire(semaphore));
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 0);
    ASSERT_INT_EQ(weft_semaphore_waiting(semaphore), 0);
    weft_semaphore_release(semaphore);
    weft_semaphore_release(semaphore);
    /* As asyncio.Semaphore: a release too many is a permit more. */
    weft_semaphore_release(semaphore);
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 3);
    weft_semaphore_free(NULL);
}

struct shared {
    weft_semaphore *semaphore;
    int order[200];
    int n;
    int inside;
    int most_inside;
    int64_t hold;
};

struct member {
    struct shared *shared;
    int id;
    int result;
};

static int enter_and_leave(void *arg)
{
    struct member *member = arg;
    struct shared *shared = member->shared;
    member->result = weft_semaphore_acquire(shared->semaphore);
    if (member->result < 0)
        return member->result;
    shared->order[shared->n++] = member->id;
    if (++shared->inside > shared->most_inside)
        shared->most_inside = shared->inside;
    int err = weft_sleep(shared->hold);
    shared->inside--;
    weft_semaphore_release(shared->semaphore);
    return err;
}

VIRTUAL_TEST(semaphore_bounds_and_is_first_come_first_served)
{
    struct shared shared = {.hold = WEFT_SEC(1)};
    struct member members[100];
    weft_group group;
    int64_t start = weft_now();
    ASSERT_OK(weft_semaphore_new(5, &shared.semaphore));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 100; i++) {
        members[i] = (struct member){.shared = &shared, .id = i};
        ASSERT_OK(weft_group_spawn(&group, enter_and_leave, &members[i]));
    }
    ASSERT_INT_EQ(weft_semaphore_waiting(shared.semaphore), 95);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(shared.most_inside, 5);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(20));
    for (int i = 0; i < 100; i++)
        ASSERT_INT_EQ(shared.order[i], i);
    ASSERT_INT_EQ(weft_semaphore_available(shared.semaphore), 5);
    weft_semaphore_free(shared.semaphore);
}

/* A released permit belongs to the first in the queue, even before that one runs. */
VIRTUAL_TEST(semaphore_cannot_be_barged_into)
{
    struct shared shared = {.hold = 0};
    struct member member = {.shared = &shared, .id = 1};
    weft_group group;
    ASSERT_OK(weft_semaphore_new(1, &shared.semaphore));
    ASSERT_OK(weft_semaphore_acquire(shared.semaphore));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, enter_and_leave, &member));
    weft_semaphore_release(shared.semaphore);
    ASSERT(!weft_semaphore_try_acquire(shared.semaphore));
    ASSERT_INT_EQ(weft_semaphore_available(shared.semaphore), 0);
    ASSERT_INT_EQ(weft_semaphore_waiting(shared.semaphore), 0);
    /* One who comes now stands behind it. */
    ASSERT_OK(weft_semaphore_acquire(shared.semaphore));
    ASSERT_INT_EQ(shared.n, 1);
    weft_semaphore_release(shared.semaphore);
    ASSERT_OK(weft_group_wait(&group));
    weft_semaphore_free(shared.semaphore);
}

VIRTUAL_TEST(semaphore_wait_that_is_cancelled_takes_no_permit)
{
    struct shared shared = {.hold = 0};
    weft_scope scope;
    ASSERT_OK(weft_semaphore_new(1, &shared.semaphore));
    ASSERT_OK(weft_semaphore_acquire(shared.semaphore));
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_ERR(weft_scope_exit(&scope, weft_semaphore_acquire(shared.semaphore)), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_semaphore_waiting(shared.semaphore), 0);
    weft_semaphore_release(shared.semaphore);
    ASSERT_INT_EQ(weft_semaphore_available(shared.semaphore), 1);
    weft_semaphore_free(shared.semaphore);
}

/* asyncio's gh-90155: the permit is given and its taker cancelled in the same moment. */
VIRTUAL_TEST(semaphore_permit_given_to_a_cancelled_task_is_not_lost)
{
    struct shared shared = {.hold = 0};
    struct member members[] = {{.shared = &shared, .id = 0}, {.shared = &shared, .id = 1}};
    weft_group doomed;
    weft_group group;
    ASSERT_OK(weft_semaphore_new(1, &shared.semaphore));
    ASSERT_OK(weft_semaphore_acquire(shared.semaphore));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_init(&doomed, NULL));
    ASSERT_OK(weft_group_spawn(&doomed, enter_and_leave, &members[0]));
    ASSERT_OK(weft_group_spawn(&group, enter_and_leave, &members[1]));
    weft_semaphore_release(shared.semaphore);
    weft_group_cancel(&doomed, NULL);
    ASSERT_OK(weft_group_wait(&doomed));
    ASSERT_OK(weft_group_wait(&group));
    /* It was given before the cancellation: the call says so, and the task releases it. */
    ASSERT_INT_EQ(members[0].result, 0);
    ASSERT_INT_EQ(members[1].result, 0);
    ASSERT_INT_EQ(weft_semaphore_available(shared.semaphore), 1);
    weft_semaphore_free(shared.semaphore);
}

TEST(semaphore_without_memory_is_enomem)
{
    weft_semaphore *semaphore = NULL;
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft_semaphore_new(1, &semaphore), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    ASSERT(semaphore == NULL);
}

static int release_later(void *arg)
{
    int err = weft_sleep(1000);
    weft_semaphore_release(arg);
    return err;
}

TEST(semaphore_works_outside_weft_run)
{
    WEFT_AUTO(weft_semaphore) *semaphore = NULL;
    weft_group group;
    ASSERT_OK(weft_semaphore_new(0, &semaphore));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, release_later, semaphore));
    ASSERT_OK(weft_semaphore_acquire(semaphore));
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(semaphore_bounded_released_once_too_often_is_refused)
{
    weft_semaphore *semaphore;
    ASSERT_OK(weft_semaphore_new_bounded(2, &semaphore));
    ASSERT_ERR(weft_semaphore_release(semaphore), -EOVERFLOW);
    ASSERT_OK(weft_semaphore_acquire(semaphore));
    ASSERT_OK(weft_semaphore_release(semaphore));
    ASSERT_ERR(weft_semaphore_release(semaphore), -EOVERFLOW);
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 2);
    weft_semaphore_free(semaphore);
    ASSERT_OK(weft_semaphore_new(1, &semaphore));
    ASSERT_OK(weft_semaphore_release(semaphore));
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 2);
    weft_semaphore_free(semaphore);
}

/* ---- storms: every permit comes back ---- */

struct ground {
    weft_semaphore *semaphore;
    int inside;
    int entered;
};

static void storm_begin(void *state)
{
    struct ground *ground = state;
    *ground = (struct ground){0};
    ASSERT_OK(weft_semaphore_new_bounded(2, &ground->semaphore));
}

static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++) {
        err = weft_semaphore_acquire(ground->semaphore);
        if (err < 0)
            return err;
        ASSERT_INT_LE(++ground->inside, 2);
        ground->entered++;
        err = weft_yield();
        ground->inside--;
        ASSERT_OK(weft_semaphore_release(ground->semaphore));
    }
    return err;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    ASSERT_INT_EQ(ground->inside, 0);
    ASSERT_INT_GE(ground->entered, 12);
    ASSERT_INT_EQ(weft_semaphore_available(ground->semaphore), 2);
    ASSERT_INT_EQ(weft_semaphore_waiting(ground->semaphore), 0);
    weft_semaphore_free(ground->semaphore);
}

TEST_WITH(semaphore_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    struct ground ground;
    storm(&(const struct storm){
        .n_workers = 5,
        .state = &ground,
        .begin = storm_begin,
        .work = storm_work,
        .end = storm_end,
    });
}

/* ---- histories: any order, cancelled anywhere ---- */

enum { MEMBERS = 12, ROUNDS = 4 };

struct history {
    weft_semaphore *semaphore;
    struct weft__rand rand;
    int permits;
    int inside;
};

static int random_member(void *arg)
{
    struct history *history = arg;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t draw = weft__rand_next(&history->rand);
        weft_scope scope;
        weft_scope_enter(&scope, (draw & 3) == 0 ? (int64_t)(draw >> 8) % 40 : WEFT_FOREVER);
        int err = weft_semaphore_acquire(history->semaphore);
        if (err == 0) {
            ASSERT_INT_LE(++history->inside, history->permits);
            err = weft_sleep((int64_t)(draw >> 16) % 20);
            history->inside--;
            weft_semaphore_release(history->semaphore);
        }
        err = weft_scope_exit(&scope, err);
        if (err == -ECANCELED)
            return err;
    }
    return 0;
}

static int one_history(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    struct history history = {0};
    weft__rand_init(&history.rand, seed);
    history.permits = 1 + (int)(seed % 4);
    ASSERT_OK(weft_semaphore_new((size_t)history.permits, &history.semaphore));
    weft_call calls[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        calls[i] = (weft_call){random_member, &history};
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    /* Where in the history everything is cancelled; beyond its end: not at all. */
    weft_testing_cancel_at(&scope, 1 + seed % 300);
    int err = weft_gather(calls, MEMBERS, NULL);
    weft_testing_cancel_at(NULL, 0);
    ASSERT_OK(weft_scope_exit(&scope, err));
    ASSERT_INT_EQ(history.inside, 0);
    ASSERT_INT_EQ(weft_semaphore_available(history.semaphore), history.permits);
    ASSERT_INT_EQ(weft_semaphore_waiting(history.semaphore), 0);
    weft_semaphore_free(history.semaphore);
    return 0;
}

TEST_WITH(semaphore_loses_no_permit_whatever_is_cancelled, .limit_s = 60)
{
    for (uint64_t seed = 1; seed <= 1000; seed++)
        ASSERT_OK(weft_run_with(one_history, &seed,
                                WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = seed)));
}

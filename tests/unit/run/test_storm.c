/* Tasks, groups and scopes in a thousand orders, cancelled at every checkpoint. */
#include <stdlib.h>

#include <weft/error.h>
#include <weft/testing.h>

#include "../sync/storm.h"
#include "fault.h"
#include "test.h"

struct world {
    int alive; /* tasks of the workers */
    int in_background;
};

static struct world world;

static int sleep_some(void *arg)
{
    world.alive++;
    int err = weft_yield();
    if (err == 0)
        err = weft_sleep((intptr_t)arg);
    world.alive--;
    return err < 0 ? err : (int)(intptr_t)arg;
}

static void *ns(intptr_t n)
{
    return (void *)n;
}

/* ---- next ---- */

static int take_all(void *arg)
{
    weft_group group;
    weft_outcome outcome;
    int n;
    int taken = 0;
    (void)arg;
    int err = weft_group_init(&group, WEFT_GROUP(.outcomes = true));
    if (err < 0)
        return err;
    for (intptr_t i = 0; i < 3 && err == 0; i++)
        err = weft_group_spawn(&group, sleep_some, ns(3 - i));
    while (err == 0 && (n = weft_group_next(&group, &outcome)) != 0) {
        if (n < 0)
            err = n;
        else
            taken += outcome.result;
    }
    int joined = weft_group_wait(&group);
    if (err == 0 && joined == 0 && taken != 6)
        return -EPROTO;
    return joined < 0 ? joined : err;
}

/* ---- start ---- */

static int serve(void *arg)
{
    world.alive++;
    int err = weft_yield();
    if (err == 0)
        err = weft_task_started(arg);
    if (err == 0)
        err = weft_sleep(2);
    world.alive--;
    return err;
}

static int start_two(void *arg)
{
    weft_group group;
    void *value = NULL;
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    for (int i = 0; i < 2 && err == 0; i++) {
        err = weft_group_start(&group, serve, arg, NULL, &value);
        if (err == 0 && value != arg)
            err = -EPROTO;
    }
    int joined = weft_group_wait(&group);
    return joined < 0 ? joined : err;
}

/* ---- race ---- */

static int race_three(void *arg)
{
    weft_call calls[] = {{sleep_some, ns(3), 0}, {sleep_some, ns(1), 0}, {sleep_some, ns(2), 0}};
    size_t winner = 3;
    (void)arg;
    int err = weft_race(calls, 3, WEFT_RACE(.stagger = 1), &winner);
    if (err == 0 && (winner > 2 || calls[winner].result < 1))
        return -EPROTO;
    return err;
}

/* ---- background ---- */

static int serve_in_background(void *arg)
{
    struct world *at = arg;
    at->in_background++;
    int err = weft_sleep(1);
    at->in_background--;
    return err;
}

static int spawn_background(void *arg)
{
    (void)arg;
    int err = weft_background_spawn(serve_in_background, &world, NULL);
    return err < 0 ? err : weft_sleep(1);
}

/* ---- gather and map ---- */

static int gather_three(void *arg)
{
    weft_call calls[] = {{sleep_some, ns(3), 0}, {sleep_some, ns(1), 0}, {sleep_some, ns(2), 0}};
    (void)arg;
    int err = weft_gather(calls, 3, NULL);
    if (err == 0 && (calls[0].result != 3 || calls[1].result != 1 || calls[2].result != 2))
        return -EPROTO;
    return err;
}

static int sleep_item(void *arg)
{
    return sleep_some(ns(*(intptr_t *)arg));
}

static int map_five(void *arg)
{
    intptr_t items[] = {2, 1, 3, 1, 2};
    int results[5] = {0};
    (void)arg;
    int err =
        weft_map(sleep_item, items, 5, sizeof items[0], WEFT_MAP(.limit = 2, .results = results));
    for (int i = 0; i < 5 && err == 0; i++)
        err = results[i] == items[i] ? 0 : -EPROTO;
    return err;
}

/* ---- scopes ---- */

/* One that fires, within a shield that holds, within one that does not. */
static int scopes(void *arg)
{
    weft_scope outer;
    weft_scope shield;
    weft_scope inner;
    (void)arg;
    weft_scope_enter(&outer, WEFT_SEC(9));
    weft_scope_enter_shield(&shield, WEFT_SEC(5));
    weft_scope_enter(&inner, 2);
    int err = sleep_some(ns(WEFT_SEC(3)));
    err = weft_scope_exit(&inner, err < 0 ? err : 0);
    if (err == 0)
        err = -EPROTO;
    else if (err == -ETIMEDOUT)
        err = weft_yield();
    err = weft_scope_exit(&shield, err);
    if (err == 0)
        err = weft_sleep(1);
    return weft_scope_exit(&outer, err);
}

/* ---- the storms ---- */

static int (*const scenarios[])(void *arg) = {take_all,     start_two, race_three, spawn_background,
                                              gather_three, map_five,  scopes};

static void begin(void *state)
{
    (void)state;
    world.alive = 0;
}

static int work(struct storm_worker *worker)
{
    int (*const *scenario)(void *) = worker->state;
    return (*scenario)(worker->state);
}

static void end(void *state, const struct storm_worker *workers)
{
    (void)state;
    (void)workers;
    ASSERT_INT_EQ(world.alive, 0);
}

static void storm_of(int scenario)
{
    storm(&(struct storm){.n_workers = 2,
                          .state = (void *)&scenarios[scenario],
                          .begin = begin,
                          .work = work,
                          .end = end});
}

TEST_WITH(next_in_a_storm_loses_nothing, .limit_s = 60)
{
    storm_of(0);
}

TEST_WITH(start_in_a_storm_leaves_nobody_behind, .limit_s = 60)
{
    storm_of(1);
}

TEST_WITH(race_in_a_storm_has_one_winner, .limit_s = 60)
{
    storm_of(2);
}

TEST_WITH(background_in_a_storm_ends_with_the_run, .limit_s = 60)
{
    storm_of(3);
    ASSERT_INT_EQ(world.in_background, 0);
}

TEST_WITH(gather_in_a_storm_leaves_nobody_behind, .limit_s = 60)
{
    storm_of(4);
}

TEST_WITH(map_in_a_storm_leaves_nobody_behind, .limit_s = 60)
{
    storm_of(5);
}

TEST_WITH(scopes_in_a_storm_end_in_their_order, .limit_s = 60)
{
    storm_of(6);
}

/* ---- a runner ---- */

struct turn {
    uint64_t nth;
    bool whole; /* its checkpoint never came */
};

static int cancelled_turn(void *arg)
{
    struct turn *turn = arg;
    weft_scope scope;
    world.alive = 0;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, turn->nth);
    int err = scenarios[turn->nth % 7](&world);
    turn->whole = weft_testing_checkpoint_count() < turn->nth;
    weft_testing_cancel_at(NULL, 0);
    err = weft_scope_exit(&scope, err);
    ASSERT_INT_EQ(world.alive, 0);
    return err == -ECANCELED ? 0 : err;
}

TEST_WITH(runner_in_a_storm_runs_again, .limit_s = 60)
{
    bool is_real = getenv("WEFT_BACKEND") != NULL;
    for (uint64_t seed = 1; seed <= 1000 / (uint64_t)test_slowness(); seed++) {
        weft_runner *runner;
        ASSERT_OK(weft_runner_new(
            WEFT_RUN(.backend = is_real ? WEFT_BACKEND_DEFAULT : WEFT_BACKEND_VIRTUAL,
                     .seed = seed),
            &runner));
        struct turn turn = {0};
        for (int i = 0; i < 30; i++) {
            turn.nth++;
            ASSERT_OK(weft_runner_run(runner, cancelled_turn, &turn));
        }
        ASSERT(turn.whole);
        weft_runner_free(runner);
        ASSERT_INT_EQ(world.in_background, 0);
    }
}

TEST_WITH(tasks_survive_every_fault, .limit_s = 60)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        FAULTS(scenarios[i], NULL, .backend = WEFT_BACKEND_VIRTUAL);
        FAULTS(scenarios[i], NULL, .plain = true);
    }
}

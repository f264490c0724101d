#include <string.h>
#include <weft/sync.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

static int wait_once(void *arg)
{
    return weft_barrier_wait(arg);
}

static void spawn_waiters(weft_group *group, weft_barrier *barrier, int *results, int n)
{
    ASSERT_OK(weft_group_init(group, WEFT_GROUP(.collect = true)));
    for (int i = 0; i < n; i++)
        ASSERT_OK(
            weft_group_spawn_with(group, wait_once, barrier, WEFT_SPAWN(.result = &results[i])));
}

VIRTUAL_TEST(barrier_lets_all_go_with_their_numbers)
{
    weft_barrier *barrier;
    weft_group group;
    int results[2] = {-1, -1};
    ASSERT_OK(weft_barrier_new(3, &barrier));
    ASSERT_INT_EQ(weft_barrier_parties(barrier), 3);
    for (int round = 0; round < 3; round++) {
        spawn_waiters(&group, barrier, results, 2);
        ASSERT_INT_EQ(weft_barrier_waiting(barrier), 2);
        ASSERT_INT_EQ(weft_barrier_wait(barrier), 2);
        ASSERT_INT_EQ(weft_barrier_waiting(barrier), 0);
        ASSERT_OK(weft_group_wait(&group));
        ASSERT_INT_EQ(results[0], 0);
        ASSERT_INT_EQ(results[1], 1);
    }
    weft_barrier_free(barrier);
    weft_barrier_free(NULL);
}

VIRTUAL_TEST(barrier_of_one_lets_go_at_once)
{
    weft_barrier *barrier;
    ASSERT_OK(weft_barrier_new(1, &barrier));
    ASSERT_INT_EQ(weft_barrier_wait(barrier), 0);
    ASSERT_INT_EQ(weft_barrier_wait(barrier), 0);
    weft_barrier_free(barrier);
}

TEST(barrier_of_none_is_refused)
{
    weft_barrier *barrier = NULL;
    ASSERT_ERR(weft_barrier_new(0, &barrier), -EINVAL);
    ASSERT_ERR(weft_barrier_new(SIZE_MAX, &barrier), -EINVAL);
    ASSERT(barrier == NULL);
}

/* Five come one after the other to a barrier of two: rounds do not mix. */
VIRTUAL_TEST(barrier_next_round_begins_before_the_woken_ran)
{
    weft_barrier *barrier;
    weft_group group;
    int results[5] = {-1, -1, -1, -1, -1};
    ASSERT_OK(weft_barrier_new(2, &barrier));
    spawn_waiters(&group, barrier, results, 5);
    ASSERT_INT_EQ(weft_barrier_waiting(barrier), 1);
    ASSERT_INT_EQ(weft_barrier_wait(barrier), 1);
    ASSERT_OK(weft_group_wait(&group));
    const int expected[] = {0, 1, 0, 1, 0};
    ASSERT_MEM_EQ(results, expected, sizeof expected);
    weft_barrier_free(barrier);
}

VIRTUAL_TEST(barrier_cancelled_task_has_not_come)
{
    weft_barrier *barrier;
    weft_group group;
    weft_scope scope;
    int results[2] = {-1, -1};
    ASSERT_OK(weft_barrier_new(3, &barrier));
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_ERR(weft_barrier_wait(barrier), -ECANCELED);
    ASSERT_INT_EQ(weft_barrier_waiting(barrier), 0);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    spawn_waiters(&group, barrier, results, 2);
    ASSERT(!weft_barrier_is_broken(barrier));
    ASSERT_INT_EQ(weft_barrier_wait(barrier), 2);
    ASSERT_OK(weft_group_wait(&group));
    weft_barrier_free(barrier);
}

VIRTUAL_TEST(barrier_reset_breaks_those_who_wait_only)
{
    weft_barrier *barrier;
    weft_group group;
    int results[2] = {0, 0};
    ASSERT_OK(weft_barrier_new(3, &barrier));
    spawn_waiters(&group, barrier, results, 2);
    weft_barrier_reset(barrier);
    ASSERT_INT_EQ(weft_barrier_waiting(barrier), 0);
    ASSERT_ERR(weft_group_wait(&group), WEFT_EBROKEN);
    ASSERT_STR_HAS(weft_error_message(), "aborted or reset");
    ASSERT_INT_EQ(results[0], WEFT_EBROKEN);
    ASSERT_INT_EQ(results[1], WEFT_EBROKEN);
    spawn_waiters(&group, barrier, results, 2);
    ASSERT_INT_EQ(weft_barrier_wait(barrier), 2);
    ASSERT_OK(weft_group_wait(&group));
    weft_barrier_free(barrier);
}

VIRTUAL_TEST(barrier_aborted_stays_so_until_reset)
{
    weft_barrier *barrier;
    weft_group group;
    int results[1] = {0};
    ASSERT_OK(weft_barrier_new(2, &barrier));
    spawn_waiters(&group, barrier, results, 1);
    weft_barrier_abort(barrier);
    ASSERT(weft_barrier_is_broken(barrier));
    ASSERT_ERR(weft_barrier_wait(barrier), WEFT_EBROKEN);
    ASSERT_ERR(weft_group_wait(&group), WEFT_EBROKEN);
    weft_barrier_reset(barrier);
    ASSERT(!weft_barrier_is_broken(barrier));
    spawn_waiters(&group, barrier, results, 1);
    ASSERT_INT_EQ(weft_barrier_wait(barrier), 1);
    ASSERT_OK(weft_group_wait(&group));
    weft_barrier_free(barrier);
}

/* ---- storms and faults: a victim that is cancelled aborts, as a good party does ---- */

enum { PARTIES = 4, ROUNDS = 3 };

struct ground {
    weft_barrier *barrier;
    bool seen[ROUNDS][PARTIES];
    bool aborted;
};

static void storm_begin(void *state)
{
    struct ground *ground = state;
    memset(ground, 0, sizeof *ground);
    ASSERT_OK(weft_barrier_new(PARTIES, &ground->barrier));
}

static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    for (int round = 0; round < ROUNDS; round++) {
        int index = weft_barrier_wait(ground->barrier);
        if (index == -ECANCELED) {
            ASSERT_INT_LT(weft_barrier_waiting(ground->barrier), PARTIES);
            ground->aborted = true;
            weft_barrier_abort(ground->barrier);
            return index;
        }
        if (index == WEFT_EBROKEN && ground->aborted)
            return 0;
        ASSERT_OK(index);
        ASSERT_INT_LT(index, PARTIES);
        ASSERT(!ground->seen[round][index]);
        ground->seen[round][index] = true;
    }
    return 0;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    ASSERT_INT_EQ(weft_barrier_waiting(ground->barrier), 0);
    /* Whoever was let go was let go together with all others. */
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 1; i < PARTIES; i++)
            ASSERT(ground->seen[round][i] == ground->seen[round][0]);
        ASSERT(ground->aborted || ground->seen[round][0]);
    }
    weft_barrier_free(ground->barrier);
}

TEST_WITH(barrier_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    struct ground ground;
    storm(&(const struct storm){
        .n_workers = PARTIES,
        .state = &ground,
        .begin = storm_begin,
        .work = storm_work,
        .end = storm_end,
    });
}

static int scenario(void *arg)
{
    weft_barrier *barrier;
    (void)arg;
    int err = weft_barrier_new(3, &barrier);
    if (err < 0)
        return err;
    err = weft_gather(
        (weft_call[]){{wait_once, barrier, 0}, {wait_once, barrier, 0}, {wait_once, barrier, 0}}, 3,
        NULL);
    weft_barrier_free(barrier);
    return err;
}

TEST(barrier_survives_every_fault)
{
    FAULTS(scenario, NULL);
    FAULTS(scenario, NULL, .plain = true);
}

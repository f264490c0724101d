/* The event. */
#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "storm.h"
#include "test.h"

static int n_woken;

static int wait_for(void *arg)
{
    int err = weft_event_wait(arg);
    n_woken += err == 0;
    return err;
}

VIRTUAL_TEST(event_set_wakes_all_who_wait)
{
    WEFT_AUTO(weft_event) *event = NULL;
    weft_group group;
    ASSERT_OK(weft_event_new(&event));
    ASSERT(!weft_event_is_set(event));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_for, event));
    ASSERT_OK(weft_sleep(5));
    ASSERT_INT_EQ(n_woken, 0);
    weft_event_set(event);
    weft_event_set(event);
    ASSERT(weft_event_is_set(event));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(n_woken, 10);
    ASSERT_OK(weft_event_wait(event));
    weft_event_free(NULL);
}

/* As in asyncio: who was woken stays woken, though the flag is down again before it runs. */
VIRTUAL_TEST(event_cleared_at_once_has_woken_all_the_same)
{
    WEFT_AUTO(weft_event) *event = NULL;
    weft_group group;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_for, event));
    weft_event_set(event);
    weft_event_clear(event);
    ASSERT(!weft_event_is_set(event));
    ASSERT_OK(weft_group_spawn(&group, wait_for, event));
    ASSERT_OK(weft_sleep(1));
    ASSERT_INT_EQ(n_woken, 1);
    weft_event_set(event);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(n_woken, 2);
}

VIRTUAL_TEST(event_wait_is_cancelled)
{
    WEFT_AUTO(weft_event) *event = NULL;
    weft_group group;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(1))));
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_for, event));
    ASSERT_INT_EQ(weft_group_wait(&group), -ETIMEDOUT);
    ASSERT_INT_EQ(n_woken, 0);
    weft_event_set(event);
}

TEST(event_without_memory_is_enomem)
{
    weft_event *event = NULL;
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft_event_new(&event), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    ASSERT(event == NULL);
}

/* ---- storms: whoever waits when it is set goes on ---- */

struct ground {
    weft_event *event;
    int waiting;
    int woken;
};

static void storm_begin(void *state)
{
    struct ground *ground = state;
    *ground = (struct ground){0};
    ASSERT_OK(weft_event_new(&ground->event));
}

/* 0 sets and clears until nobody waits, and leaves it set; the others wait twice each. */
static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    int err = 0;
    if (worker->number > 0) {
        ground->waiting++;
        for (int i = 0; i < 2 && err == 0; i++) {
            err = weft_event_wait(ground->event);
            ground->woken += err == 0;
        }
        ground->waiting--;
        return err;
    }
    for (int turn = 0; err == 0 && (turn < 3 || ground->waiting > 0); turn++) {
        err = weft_yield();
        weft_event_set(ground->event);
        weft_event_clear(ground->event);
    }
    weft_event_set(ground->event);
    return err;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    int lost = 0;
    for (int i = 1; i < 4; i++)
        lost += workers[i].result < 0;
    ASSERT_INT_EQ(ground->waiting, 0);
    ASSERT_INT_LE(lost, 1);
    ASSERT_INT_GE(ground->woken, 2 * (3 - lost));
    weft_event_free(ground->event);
}

TEST_WITH(event_survives_cancels_in_a_thousand_orders, .limit_s = 60)
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

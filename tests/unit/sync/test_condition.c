#include <string.h>
#include <weft/sync.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

struct ground {
    weft_mutex *mutex;
    weft_condition *condition;
    weft_scope *scope; /* of the waiter that is cancelled */
    char order[32];
    int items;
    int consumed;
    int result;
};

static int make(struct ground *ground)
{
    memset(ground, 0, sizeof *ground);
    int err = weft_mutex_new(&ground->mutex);
    if (err < 0)
        return err;
    err = weft_condition_new(ground->mutex, &ground->condition);
    if (err < 0)
        weft_mutex_free(ground->mutex);
    return err;
}

static void done(struct ground *ground)
{
    weft_condition_free(ground->condition);
    weft_mutex_free(ground->mutex);
}

struct named {
    struct ground *ground;
    char letter;
};

static int wait_and_note(void *arg)
{
    struct named *named = arg;
    struct ground *ground = named->ground;
    ASSERT_OK(weft_mutex_lock(ground->mutex));
    int err = weft_condition_wait(ground->condition);
    ASSERT(!weft_mutex_try_lock(ground->mutex));
    ground->order[strlen(ground->order)] = named->letter;
    ASSERT_OK(weft_mutex_unlock(ground->mutex));
    return err;
}

VIRTUAL_TEST(condition_wakes_as_many_as_told_in_their_order)
{
    struct ground ground;
    ASSERT_OK(make(&ground));
    struct named named[] = {{&ground, 'a'}, {&ground, 'b'}, {&ground, 'c'}, {&ground, 'd'}};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 4; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_and_note, &named[i]));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ASSERT_OK(weft_condition_notify(ground.condition, 2));
    weft_sleep(WEFT_SEC(1));
    ASSERT_STR_EQ(ground.order, "");
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    weft_sleep(WEFT_SEC(1));
    ASSERT_STR_EQ(ground.order, "ab");
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ASSERT_OK(weft_condition_notify_all(ground.condition));
    ASSERT_OK(weft_condition_notify_all(ground.condition));
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_STR_EQ(ground.order, "abcd");
    done(&ground);
    weft_condition_free(NULL);
}

VIRTUAL_TEST(condition_without_its_mutex_is_refused)
{
    struct ground ground;
    ASSERT_OK(make(&ground));
    ASSERT_ERR(weft_condition_wait(ground.condition), -EPERM);
    ASSERT_ERR(weft_condition_notify(ground.condition, 1), -EPERM);
    ASSERT_ERR(weft_condition_notify_all(ground.condition), -EPERM);
    ASSERT_STR_HAS(weft_error_message(), "'main' has not locked");
    done(&ground);
}

VIRTUAL_TEST(condition_wait_in_a_cancelled_scope_keeps_the_mutex)
{
    struct ground ground;
    weft_scope scope;
    ASSERT_OK(make(&ground));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_ERR(weft_condition_wait(ground.condition), -ECANCELED);
    ASSERT(weft_mutex_is_locked(ground.mutex));
    ASSERT_ERR(weft_condition_wait(ground.condition), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    done(&ground);
}

static int wait_in_scope(void *arg)
{
    struct ground *ground = arg;
    weft_scope scope;
    ASSERT_OK(weft_mutex_lock(ground->mutex));
    weft_scope_enter(&scope, WEFT_FOREVER);
    ground->scope = &scope;
    ground->result = weft_condition_wait(ground->condition);
    weft_scope_exit(&scope, ground->result);
    ASSERT_OK(weft_mutex_unlock(ground->mutex));
    return 0;
}

/* Cancelled while another task has the mutex: it returns with it, when it can have it. */
VIRTUAL_TEST(condition_cancelled_while_contested_locks_again)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_in_scope, &ground));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ground.result = 1;
    weft_scope_cancel(ground.scope, NULL);
    weft_sleep(WEFT_SEC(1));
    ASSERT_INT_EQ(ground.result, 1);
    ASSERT_OK(weft_condition_notify_all(ground.condition));
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(ground.result, -ECANCELED);
    ASSERT(!weft_mutex_is_locked(ground.mutex));
    done(&ground);
}

VIRTUAL_TEST(condition_cancelled_after_the_notification_is_notified)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_in_scope, &ground));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ASSERT_OK(weft_condition_notify(ground.condition, 1));
    weft_scope_cancel(ground.scope, NULL);
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ground.result = 1;
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(ground.result, 0);
    done(&ground);
}

/* A cancelled waiter uses up no notification: it goes to the next one. */
VIRTUAL_TEST(condition_notification_passes_by_the_cancelled)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground));
    struct named named = {&ground, 'n'};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_in_scope, &ground));
    ASSERT_OK(weft_group_spawn(&group, wait_and_note, &named));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    weft_scope_cancel(ground.scope, NULL);
    ASSERT_OK(weft_condition_notify(ground.condition, 1));
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_STR_EQ(ground.order, "n");
    done(&ground);
}

static int wait_for_dead(void *arg)
{
    struct ground *ground = arg;
    ASSERT_OK(weft_mutex_lock(ground->mutex));
    ground->result = weft_condition_wait(ground->condition);
    ASSERT_ERR(weft_mutex_unlock(ground->mutex), -EPERM);
    return 0;
}

static int notify_and_end(void *arg)
{
    struct ground *ground = arg;
    ASSERT_OK(weft_mutex_lock(ground->mutex));
    ASSERT_OK(weft_condition_notify(ground->condition, 1));
    return 0;
}

VIRTUAL_TEST(condition_whose_mutex_died_tells_the_waiter)
{
    struct ground ground;
    ASSERT_OK(make(&ground));
    ASSERT_OK(weft_gather((weft_call[]){{wait_for_dead, &ground, 0}, {notify_and_end, &ground, 0}},
                          2, NULL));
    ASSERT_INT_EQ(ground.result, -EOWNERDEAD);
    done(&ground);
}

TEST(condition_works_outside_a_run)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground));
    struct named named = {&ground, 'a'};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_and_note, &named));
    ASSERT_OK(weft_mutex_lock(ground.mutex));
    ASSERT_OK(weft_condition_notify(ground.condition, 1));
    ASSERT_OK(weft_mutex_unlock(ground.mutex));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_STR_EQ(ground.order, "a");
    done(&ground);
}

/* ---- storms and faults: items, each announced by one notification ---- */

enum { ITEMS = 4 };

static void storm_begin(void *state)
{
    ASSERT_OK(make(state));
}

static int consume(struct ground *ground)
{
    int err = weft_mutex_lock(ground->mutex);
    if (err < 0)
        return err;
    while (ground->items == 0 && err == 0)
        err = weft_condition_wait(ground->condition);
    if (err == 0) {
        ground->items--;
        ground->consumed++;
    }
    ASSERT_OK(weft_mutex_unlock(ground->mutex));
    return err;
}

static int produce(struct ground *ground)
{
    int err = weft_mutex_lock(ground->mutex);
    if (err < 0)
        return err;
    ground->items++;
    ASSERT_OK(weft_condition_notify(ground->condition, 1));
    ASSERT_OK(weft_mutex_unlock(ground->mutex));
    return 0;
}

/* 0 to 3 consume one each; 4 produces for all, and is never the victim. */
static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    if (worker->number < ITEMS)
        return consume(ground);
    for (int i = 0; i < ITEMS; i++) {
        int err = produce(ground);
        /* A producer that is cancelled must not leave the others without their items. */
        while (err < 0) {
            weft_scope shield;
            weft_scope_enter_shield(&shield, WEFT_SEC(9));
            err = weft_scope_exit(&shield, produce(ground));
        }
        weft_yield();
    }
    return 0;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    int consumed = 0;
    for (int i = 0; i < ITEMS; i++)
        consumed += workers[i].result == 0;
    ASSERT_INT_EQ(ground->consumed, consumed);
    ASSERT_INT_EQ(ground->items, ITEMS - consumed);
    ASSERT(!weft_mutex_is_locked(ground->mutex));
    done(ground);
}

TEST_WITH(condition_survives_cancels_in_a_thousand_orders, .limit_s = 60)
{
    struct ground ground;
    storm(&(const struct storm){
        .n_workers = ITEMS + 1,
        .state = &ground,
        .begin = storm_begin,
        .work = storm_work,
        .end = storm_end,
    });
}

static int consume_one(void *arg)
{
    return consume(arg);
}

static int produce_one(void *arg)
{
    return produce(arg);
}

static int scenario(void *arg)
{
    struct ground ground;
    (void)arg;
    int err = make(&ground);
    if (err < 0)
        return err;
    err = weft_gather((weft_call[]){{consume_one, &ground, 0}, {produce_one, &ground, 0}}, 2, NULL);
    done(&ground);
    return err;
}

TEST(condition_survives_every_fault)
{
    FAULTS(scenario, NULL);
    FAULTS(scenario, NULL, .plain = true);
}

/* Task-local values: who sees which, and when they are released. */
#include <pthread.h>
#include <stdlib.h>

#include <weft/error.h>
#include <weft/local.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "base/limits.h"
#include "fault.h"
#include "test.h"

static weft_local *name;
static int released;

static void count_release(void *value)
{
    *(int *)value = -1;
    released++;
}

VIRTUAL_TEST(local_without_a_value_is_null)
{
    weft_local *key;
    ASSERT_OK(weft_local_new(NULL, &key));
    ASSERT(weft_local_get(key) == NULL);
    ASSERT_OK(weft_local_set(key, NULL));
    ASSERT(weft_local_get(key) == NULL);
    weft_local_free(key);
    weft_local_free(NULL);
}

VIRTUAL_TEST(local_values_are_released_when_they_are_replaced)
{
    int values[2] = {1, 2};
    ASSERT_OK(weft_local_new(count_release, &name));
    ASSERT_OK(weft_local_set(name, &values[0]));
    ASSERT(weft_local_get(name) == &values[0]);
    ASSERT_OK(weft_local_set(name, &values[1]));
    ASSERT_INT_EQ(released, 1);
    ASSERT(weft_local_get(name) == &values[1]);
    ASSERT_OK(weft_local_set(name, NULL));
    ASSERT_INT_EQ(released, 2);
    weft_local_free(name);
}

struct family {
    int values[3];
    weft_event *go;
};

static int child(void *arg)
{
    struct family *family = arg;
    ASSERT(weft_local_get(name) == &family->values[0]);
    int err = weft_event_wait(family->go);
    /* The parent has another one by now. */
    ASSERT(weft_local_get(name) == &family->values[0]);
    ASSERT_OK(weft_local_set(name, &family->values[2]));
    ASSERT(weft_local_get(name) == &family->values[2]);
    return err;
}

VIRTUAL_TEST(local_is_inherited_at_spawn_and_changes_go_neither_way)
{
    struct family family = {.values = {0, 1, 2}};
    weft_group group;
    ASSERT_OK(weft_event_new(&family.go));
    ASSERT_OK(weft_local_new(count_release, &name));
    ASSERT_OK(weft_local_set(name, &family.values[0]));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, child, &family));
    ASSERT_OK(weft_group_spawn_with(&group, child, &family, WEFT_SPAWN(.name = "second")));
    ASSERT_OK(weft_local_set(name, &family.values[1]));
    ASSERT_INT_EQ(released, 0);
    weft_event_set(family.go);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(weft_local_get(name) == &family.values[1]);
    ASSERT_OK(weft_local_set(name, NULL));
    ASSERT_INT_EQ(family.values[0], -1);
    ASSERT_INT_EQ(family.values[1], -1);
    ASSERT_INT_EQ(family.values[2], -1);
    weft_event_free(family.go);
    weft_local_free(name);
}

static int set_and_leave(void *arg)
{
    return weft_local_set(name, arg);
}

VIRTUAL_TEST(local_of_a_task_is_released_when_it_ends)
{
    int value = 1;
    weft_group group;
    ASSERT_OK(weft_local_new(count_release, &name));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, set_and_leave, &value));
    ASSERT_INT_EQ(released, 1);
    ASSERT_INT_EQ(value, -1);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(weft_local_get(name) == NULL);
    weft_local_free(name);
}

VIRTUAL_TEST(local_values_outlive_their_key)
{
    static int value = 1;
    weft_local *other;
    ASSERT_OK(weft_local_new(count_release, &name));
    ASSERT_OK(weft_local_new(NULL, &other));
    ASSERT_OK(weft_local_set(name, &value));
    weft_local_free(name);
    ASSERT_INT_EQ(released, 0);
    ASSERT_OK(weft_local_set(other, &value));
    ASSERT(weft_local_get(other) == &value);
    weft_local_free(other);
}

VIRTUAL_TEST(local_values_of_one_task_are_limited)
{
    static weft_local *keys[WEFT__LIMIT_LOCALS + 1];
    static int value = 1;
    for (int i = 0; i <= WEFT__LIMIT_LOCALS; i++)
        ASSERT_OK(weft_local_new(count_release, &keys[i]));
    for (int i = 0; i < WEFT__LIMIT_LOCALS; i++)
        ASSERT_OK(weft_local_set(keys[i], &value));
    ASSERT_ERR(weft_local_set(keys[WEFT__LIMIT_LOCALS], &value), -EOVERFLOW);
    ASSERT_INT_EQ(released, 1);
    ASSERT_OK(weft_local_set(keys[7], &value));
    for (int i = 0; i <= WEFT__LIMIT_LOCALS; i++)
        weft_local_free(keys[i]);
}

static int start_and_see(void *arg)
{
    ASSERT(weft_local_get(name) == arg);
    return weft_task_started(weft_local_get(name));
}

static int see(void *arg)
{
    ASSERT(weft_local_get(name) == arg);
    return 0;
}

VIRTUAL_TEST(local_is_inherited_whichever_way_a_task_is_started)
{
    int value = 1;
    void *seen;
    weft_group group;
    ASSERT_OK(weft_local_new(NULL, &name));
    ASSERT_OK(weft_local_set(name, &value));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    ASSERT_OK(weft_group_start(&group, start_and_see, &value, NULL, &seen));
    ASSERT(seen == &value);
    ASSERT_OK(weft_background_spawn(see, &value, NULL));
    ASSERT_OK(weft_gather((weft_call[]){{see, &value, 0}}, 1, NULL));
    ASSERT_OK(weft_race((weft_call[]){{see, &value, 0}}, 1, NULL, NULL));
    ASSERT_OK(weft_group_wait(&group));
    weft_local_free(name);
}

static int main_sees(void *arg)
{
    ASSERT(weft_local_get(name) == arg);
    return weft_local_set(name, NULL);
}

static void *plain_thread(void *arg)
{
    ASSERT(weft_local_get(name) == NULL);
    ASSERT_OK(weft_local_set(name, arg));
    ASSERT(weft_local_get(name) == arg);
    ASSERT_OK(weft_run(main_sees, arg));
    ASSERT(weft_local_get(name) == arg);
    /* Another kind of loop takes the place of the first. */
    ASSERT_OK(weft_run_with(main_sees, arg, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT(weft_local_get(name) == arg);
    return NULL;
}

TEST(local_of_a_plain_thread_goes_into_its_runs_and_ends_with_it)
{
    int value = 1;
    pthread_t thread;
    ASSERT_OK(weft_local_new(count_release, &name));
    ASSERT_INT_EQ(pthread_create(&thread, NULL, plain_thread, &value), 0);
    pthread_join(thread, NULL);
    ASSERT_INT_EQ(released, 1);
    weft_local_free(name);
}

static int use_locals(void *arg)
{
    static int value;
    weft_local *key;
    int err = weft_local_new(NULL, &key);
    if (err < 0)
        return err;
    err = weft_local_set(key, &value);
    if (err == 0)
        err = weft_sleep(1);
    if (err == 0)
        err = weft_local_set(key, arg);
    weft_local_set(key, NULL);
    weft_local_free(key);
    return err;
}

TEST(local_survives_every_fault)
{
    FAULTS(use_locals, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

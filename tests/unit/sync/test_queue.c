#include <string.h>
#include <weft/channel.h>

#include "fault.h"
#include "storm.h"
#include "test.h"

struct ground {
    weft_queue *queue;
    int put;
    int got;
    int dropped;
    int dones;
};

static void drop_int(void *item, void *userdata)
{
    struct ground *ground = userdata;
    ground->dropped += *(int *)item;
}

static int by_tens(const void *a, const void *b, void *userdata)
{
    (void)userdata;
    return *(const int *)a / 10 - *(const int *)b / 10;
}

static int make(struct ground *ground, size_t capacity, weft_queue_order order)
{
    *ground = (struct ground){0};
    return weft_queue_new(sizeof(int),
                          WEFT_QUEUE(.capacity = capacity, .order = order,
                                     .compare = order == WEFT_QUEUE_PRIORITY ? by_tens : NULL,
                                     .drop = drop_int, .userdata = ground),
                          &ground->queue);
}

static void put_all(weft_queue *queue, const int *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ASSERT_OK(weft_queue_put(queue, &items[i]));
    ASSERT_INT_EQ(weft_queue_count(queue), n);
}

static void get_all(weft_queue *queue, const int *expected, size_t n)
{
    int item;
    for (size_t i = 0; i < n; i++) {
        ASSERT_OK(weft_queue_get(queue, &item));
        ASSERT_INT_EQ(item, expected[i]);
    }
    ASSERT_ERR(weft_queue_try_get(queue, &item), -EAGAIN);
}

VIRTUAL_TEST(queue_gives_in_its_order)
{
    const int items[] = {31, 12, 11, 25, 13, 10, 40, 21, 5, 30, 14};
    const int lifo[] = {14, 30, 5, 21, 40, 10, 13, 25, 11, 12, 31};
    const int priority[] = {5, 12, 11, 13, 10, 14, 25, 21, 31, 30, 40};
    const int *const expected[] = {items, lifo, priority};
    for (int order = WEFT_QUEUE_FIFO; order <= WEFT_QUEUE_PRIORITY; order++) {
        struct ground ground;
        ASSERT_OK(make(&ground, 0, (weft_queue_order)order));
        for (int round = 0; round < 3; round++) {
            put_all(ground.queue, items, 11);
            get_all(ground.queue, expected[order], 11);
        }
        weft_queue_free(ground.queue);
    }
}

/* Against the plainest of all implementations: take the least, of equals the first. */
VIRTUAL_TEST(queue_by_priority_is_right_for_many_items)
{
    struct ground ground;
    int kept[256];
    int n = 0;
    uint32_t random = 1;
    ASSERT_OK(make(&ground, 0, WEFT_QUEUE_PRIORITY));
    for (int i = 0; i < 5000; i++) {
        random = random * 1664525 + 1013904223;
        if ((random >> 30) != 0 && n < 256) {
            kept[n] = (int)(random >> 8) % 300;
            ASSERT_OK(weft_queue_put(ground.queue, &kept[n]));
            n++;
        } else if (n > 0) {
            int least = 0;
            int item;
            for (int k = 1; k < n; k++)
                least = by_tens(&kept[k], &kept[least], NULL) < 0 ? k : least;
            ASSERT_OK(weft_queue_get(ground.queue, &item));
            ASSERT_INT_EQ(item, kept[least]);
            memmove(&kept[least], &kept[least + 1], (size_t)(--n - least) * sizeof kept[0]);
        }
    }
    weft_queue_free(ground.queue);
    weft_queue_free(NULL);
}

TEST(queue_with_wrong_options_is_refused)
{
    weft_queue *queue;
    ASSERT_ERR(weft_queue_new(0, NULL, &queue), -EINVAL);
    ASSERT_ERR(weft_queue_new(1024 * 1024 + 1, NULL, &queue), -EINVAL);
    ASSERT_ERR(weft_queue_new(4, WEFT_QUEUE(.order = WEFT_QUEUE_PRIORITY), &queue), -EINVAL);
    ASSERT_ERR(weft_queue_new(4, WEFT_QUEUE(.compare = by_tens), &queue), -EINVAL);
    ASSERT_ERR(weft_queue_new(4, WEFT_QUEUE(.order = (weft_queue_order)3), &queue), -EINVAL);
    ASSERT_OK(weft_queue_new(1024 * 1024, NULL, &queue));
    weft_queue_free(queue);
}

static int put_one(void *arg)
{
    struct ground *ground = arg;
    int item = ++ground->put;
    return weft_queue_put(ground->queue, &item);
}

static int get_one(void *arg)
{
    struct ground *ground = arg;
    int item = 0;
    int err = weft_queue_get(ground->queue, &item);
    ground->got += item;
    return err;
}

VIRTUAL_TEST(queue_full_keeps_putters_waiting_in_order)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 2, WEFT_QUEUE_FIFO));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 5; i++)
        ASSERT_OK(weft_group_spawn(&group, put_one, &ground));
    ASSERT_INT_EQ(weft_queue_count(ground.queue), 2);
    for (int i = 1; i <= 5; i++) {
        int item;
        ASSERT_OK(weft_queue_try_get(ground.queue, &item));
        ASSERT_INT_EQ(item, i);
        /* The place is the first putter's already: nobody gets in between. */
        if (i <= 3)
            ASSERT_ERR(weft_queue_try_put(ground.queue, &item), -EAGAIN);
    }
    ASSERT_OK(weft_group_wait(&group));
    weft_queue_free(ground.queue);
}

VIRTUAL_TEST(queue_cancelled_getter_takes_nothing)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 0, WEFT_QUEUE_FIFO));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(1))));
    ASSERT_OK(weft_group_spawn(&group, get_one, &ground));
    ASSERT_ERR(weft_group_wait(&group), -ETIMEDOUT);
    ASSERT_OK(put_one(&ground));
    ASSERT_INT_EQ(weft_queue_count(ground.queue), 1);
    ASSERT_INT_EQ(ground.got, 0);
    weft_queue_free(ground.queue);
    ASSERT_INT_EQ(ground.dropped, 1);
}

VIRTUAL_TEST(queue_getter_cancelled_after_its_item_came_has_it)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 0, WEFT_QUEUE_FIFO));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, get_one, &ground));
    ASSERT_OK(weft_queue_try_put(ground.queue, &(int){9}));
    weft_group_cancel(&group, NULL);
    weft_group_wait(&group);
    ASSERT_INT_EQ(ground.got, 9);
    weft_queue_free(ground.queue);
}

static int work(void *arg)
{
    struct ground *ground = arg;
    int item;
    int err;
    while ((err = weft_queue_get(ground->queue, &item)) == 0) {
        weft_sleep(WEFT_MS(10));
        ground->dones++;
        ASSERT_OK(weft_queue_task_done(ground->queue));
    }
    return err == WEFT_ECLOSED ? 0 : err;
}

VIRTUAL_TEST(queue_join_waits_for_the_work_to_be_done)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 0, WEFT_QUEUE_FIFO));
    ASSERT_OK(weft_queue_join(ground.queue));
    ASSERT_ERR(weft_queue_task_done(ground.queue), -EINVAL);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&group, work, &ground));
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_queue_put(ground.queue, &i));
    ASSERT_OK(weft_queue_join(ground.queue));
    ASSERT_INT_EQ(ground.dones, 10);
    weft_queue_shutdown(ground.queue, false);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_queue_task_done(ground.queue), -EINVAL);
    weft_queue_free(ground.queue);
}

VIRTUAL_TEST(queue_shut_down_gives_what_is_in_it)
{
    struct ground ground;
    weft_group group;
    int result = 0;
    int item;
    ASSERT_OK(make(&ground, 2, WEFT_QUEUE_LIFO));
    put_all(ground.queue, (const int[]){1, 2}, 2);
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn_with(&group, put_one, &ground, WEFT_SPAWN(.result = &result)));
    weft_queue_shutdown(ground.queue, false);
    ASSERT_ERR(weft_group_wait(&group), WEFT_ECLOSED);
    ASSERT_INT_EQ(result, WEFT_ECLOSED);
    ASSERT_ERR(weft_queue_put(ground.queue, &item), WEFT_ECLOSED);
    ASSERT_ERR(weft_queue_try_put(ground.queue, &item), WEFT_ECLOSED);
    ASSERT_STR_HAS(weft_error_message(), "shut down");
    ASSERT_OK(weft_queue_get(ground.queue, &item));
    ASSERT_OK(weft_queue_try_get(ground.queue, &item));
    ASSERT_INT_EQ(item, 1);
    ASSERT_ERR(weft_queue_get(ground.queue, &item), WEFT_ECLOSED);
    ASSERT_ERR(weft_queue_try_get(ground.queue, &item), WEFT_ECLOSED);
    weft_queue_free(ground.queue);
    ASSERT_INT_EQ(ground.dropped, 0);
}

static int join(void *arg)
{
    struct ground *ground = arg;
    return weft_queue_join(ground->queue);
}

VIRTUAL_TEST(queue_shut_down_at_once_drops_and_ends_joins)
{
    struct ground ground;
    weft_group group;
    int item;
    ASSERT_OK(make(&ground, 0, WEFT_QUEUE_FIFO));
    put_all(ground.queue, (const int[]){1, 2, 4}, 3);
    ASSERT_OK(weft_queue_get(ground.queue, &item));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, join, &ground));
    weft_queue_shutdown(ground.queue, true);
    ASSERT_INT_EQ(ground.dropped, 6);
    ASSERT_INT_EQ(weft_task_count(), 2);
    ASSERT_OK(weft_queue_task_done(ground.queue));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_queue_get(ground.queue, &item), WEFT_ECLOSED);
    weft_queue_free(ground.queue);
}

VIRTUAL_TEST(queue_shut_down_wakes_getters)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 0, WEFT_QUEUE_FIFO));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(weft_group_spawn(&group, get_one, &ground));
    weft_queue_shutdown(ground.queue, true);
    ASSERT_ERR(weft_group_wait(&group), WEFT_ECLOSED);
    ASSERT_INT_EQ(weft_group_error_count(&group), 2);
    weft_queue_free(ground.queue);
}

TEST(queue_works_outside_a_run)
{
    struct ground ground;
    weft_group group;
    ASSERT_OK(make(&ground, 1, WEFT_QUEUE_FIFO));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&group, put_one, &ground));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(get_one(&ground));
    ASSERT_INT_EQ(ground.got, 6);
    ASSERT_OK(weft_group_wait(&group));
    weft_queue_free(ground.queue);
}

/* ---- storms and faults ---- */

static void storm_begin(void *state)
{
    ASSERT_OK(make(state, 2, WEFT_QUEUE_FIFO));
}

/* 0 and 1 put, 2 and 3 get until the queue is shut down, 4 shuts it down when all is done. */
static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    int err = 0;
    if (worker->number < 2) {
        for (int i = 1; i <= 4 && err == 0; i++) {
            int item = 1 << (4 * worker->number + i);
            err = weft_queue_put(ground->queue, &item);
            ground->put += err == 0 ? item : 0;
        }
        ground->dones++;
        return err == WEFT_ECLOSED ? 0 : err;
    }
    if (worker->number == 4) {
        while (err == 0 && (ground->dones < 2 || weft_queue_count(ground->queue) > 0))
            err = weft_yield();
        err = err < 0 ? err : weft_queue_join(ground->queue);
        weft_queue_shutdown(ground->queue, false);
        return err;
    }
    while (err == 0) {
        int item = 0;
        err = weft_queue_get(ground->queue, &item);
        ground->got += item;
        ASSERT_INT_EQ(item != 0, err == 0);
        if (err == 0)
            ASSERT_OK(weft_queue_task_done(ground->queue));
    }
    return err == WEFT_ECLOSED ? 0 : err;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    weft_queue_free(ground->queue);
    ASSERT_INT_EQ(ground->got + ground->dropped, ground->put);
}

TEST_WITH(queue_survives_cancels_in_a_thousand_orders, .limit_s = 60)
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

static int put_twenty(void *arg)
{
    struct ground *ground = arg;
    int err = 0;
    for (int i = 0; i < 20 && err == 0; i++)
        err = weft_queue_put(ground->queue, &i);
    weft_queue_shutdown(ground->queue, false);
    return err;
}

static int get_to_the_end(void *arg)
{
    struct ground *ground = arg;
    int err;
    while ((err = weft_queue_get(ground->queue, &(int){0})) == 0)
        weft_queue_task_done(ground->queue);
    return err == WEFT_ECLOSED ? weft_queue_join(ground->queue) : err;
}

static int scenario(void *arg)
{
    struct ground ground;
    int err = make(&ground, 0, *(weft_queue_order *)arg);
    if (err < 0)
        return err;
    err =
        weft_gather((weft_call[]){{put_twenty, &ground, 0}, {get_to_the_end, &ground, 0}}, 2, NULL);
    weft_queue_free(ground.queue);
    return err;
}

TEST(queue_survives_every_fault)
{
    FAULTS(scenario, &(weft_queue_order){WEFT_QUEUE_FIFO});
    FAULTS(scenario, &(weft_queue_order){WEFT_QUEUE_PRIORITY}, .plain = true);
}

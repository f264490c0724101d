/* Groups on the virtual clock: joining, failing fast, cancelling, spawning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "test.h"

/* A child that sleeps and then returns, and says what it saw. */
struct child {
    int64_t duration;
    int result; /* to return */
    int saw;    /* what its sleep returned; 1: it has not run */
    int64_t ended;
    const char *message;
};

static int child_run(void *arg)
{
    struct child *child = arg;
    child->saw = weft_sleep(child->duration);
    child->ended = weft_now();
    if (child->saw < 0)
        return child->saw;
    if (child->message != NULL)
        return weft__fail(child->result, "%s", child->message);
    return child->result;
}

static void spawn(weft_group *group, struct child *child)
{
    child->saw = 1;
    ASSERT_OK(weft_group_spawn(group, child_run, child));
}

/* ---- joining ---- */

VIRTUAL_TEST(group_wait_joins_all_children)
{
    struct child children[] = {{.duration = WEFT_SEC(3)}, {.duration = WEFT_SEC(1)}, {0}};
    weft_group group;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        spawn(&group, &children[i]);
    ASSERT_INT_EQ(weft_task_count(), 4);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_task_count(), 1);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(3));
    for (int i = 0; i < 3; i++)
        ASSERT_INT_EQ(children[i].ended - start, children[i].duration);
}

VIRTUAL_TEST(group_without_children_is_no_wait)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(1))));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
}

VIRTUAL_TEST(group_child_runs_at_once_up_to_its_first_wait)
{
    struct child child = {.duration = WEFT_SEC(1)};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    struct child instant = {.saw = 1};
    spawn(&group, &child);
    ASSERT_INT_EQ(child.ended, 0);
    ASSERT_INT_EQ(weft_group_error_count(&group), 0);
    spawn(&group, &instant);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(child.saw, 0);
}

VIRTUAL_TEST(group_results_are_kept_where_asked)
{
    struct child children[4];
    int results[4] = {0, 0, 0, 0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    for (int i = 0; i < 4; i++) {
        children[i] = (struct child){.duration = 4 - i, .result = i == 2 ? -EIO : i * 10};
        ASSERT_OK(weft_group_spawn_with(&group, child_run, &children[i],
                                        WEFT_SPAWN(.result = &results[i])));
    }
    ASSERT_INT_EQ(weft_group_wait(&group), -EIO);
    ASSERT_INT_EQ(results[0], 0);
    ASSERT_INT_EQ(results[1], 10);
    ASSERT_INT_EQ(results[2], -EIO);
    ASSERT_INT_EQ(results[3], 30);
}

/* ---- failing ---- */

VIRTUAL_TEST(group_first_error_cancels_and_joins_the_others)
{
    struct child children[] = {
        {.duration = WEFT_SEC(5)},
        {.duration = WEFT_SEC(1), .result = -EPIPE, .message = "the second child's pipe"},
        {.duration = WEFT_FOREVER},
    };
    weft_group group;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        spawn(&group, &children[i]);
    ASSERT_INT_EQ(weft_group_wait(&group), -EPIPE);
    ASSERT_STR_EQ(weft_error_message(), "the second child's pipe");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    ASSERT_INT_EQ(children[0].saw, -ECANCELED);
    ASSERT_INT_EQ(children[2].saw, -ECANCELED);
    ASSERT_INT_EQ(weft_group_error_count(&group), 1);
    ASSERT_OK(weft_checkpoint());
}

VIRTUAL_TEST(group_error_of_a_bare_code_has_the_codes_message)
{
    struct child child = {.result = -ENOENT};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &child);
    ASSERT_INT_EQ(weft_group_wait(&group), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "No such file or directory");
}

/* The owner is inside the group's scope: its own calls fail too. */
VIRTUAL_TEST(group_error_cancels_its_owner_inside_the_group)
{
    struct child child = {.duration = WEFT_SEC(1), .result = -EPIPE};
    weft_group group;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &child);
    ASSERT_INT_EQ(weft_sleep(WEFT_SEC(60)), -ECANCELED);
    ASSERT_STR_HAS(weft_error_message(), "a task of the group failed");
    ASSERT_INT_EQ(weft_group_wait(&group), -EPIPE);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    ASSERT_OK(weft_checkpoint());
}

/* A sibling that fails while it is being cancelled: the first error is the one returned. */
static int fail_in_cleanup(void *arg)
{
    int err = weft_sleep(WEFT_FOREVER);
    return err == -ECANCELED ? *(int *)arg : 0;
}

VIRTUAL_TEST(group_first_error_wins_over_later_ones)
{
    int later = -EBADF;
    struct child child = {.duration = 1, .result = -EPIPE};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, fail_in_cleanup, &later));
    spawn(&group, &child);
    ASSERT_INT_EQ(weft_group_wait(&group), -EPIPE);
    ASSERT_INT_EQ(weft_group_error_count(&group), 2);
}

VIRTUAL_TEST(group_that_collects_runs_all_to_their_end)
{
    struct child children[] = {
        {.duration = 3}, {.duration = 1, .result = -EPIPE}, {.duration = 2, .result = -EIO}};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    for (int i = 0; i < 3; i++)
        spawn(&group, &children[i]);
    ASSERT_INT_EQ(weft_group_wait(&group), -EPIPE);
    ASSERT_INT_EQ(weft_group_error_count(&group), 2);
    ASSERT_INT_EQ(children[0].saw, 0);
    ASSERT_INT_EQ(children[2].saw, 0);
}

/* A child that stops because it was told to has not failed; one that was not told has. */
VIRTUAL_TEST(group_child_that_returns_ecanceled_uncalled_for_has_failed)
{
    struct child child = {.result = -ECANCELED};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &child);
    ASSERT_INT_EQ(weft_group_wait(&group), -ECANCELED);
    ASSERT_INT_EQ(weft_group_error_count(&group), 1);
    ASSERT_OK(weft_checkpoint());
}

/* ---- cancelling ---- */

VIRTUAL_TEST(group_cancel_is_no_error)
{
    struct child children[] = {{.duration = WEFT_FOREVER}, {.duration = WEFT_SEC(9)}};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &children[0]);
    spawn(&group, &children[1]);
    weft_group_cancel(&group, "done with them");
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: done with them");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(children[0].saw, -ECANCELED);
    ASSERT_INT_EQ(children[1].saw, -ECANCELED);
    ASSERT_OK(weft_checkpoint());
    weft_group_cancel(&group, "too late");
    ASSERT_OK(weft_checkpoint());
}

VIRTUAL_TEST(group_timeout_is_etimedout)
{
    struct child child = {.duration = WEFT_FOREVER};
    weft_group group;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_MS(2500))));
    spawn(&group, &child);
    ASSERT_INT_EQ(weft_group_wait(&group), -ETIMEDOUT);
    ASSERT_STR_EQ(weft_error_message(), "timed out after 2.5 s");
    ASSERT_INT_EQ(child.saw, -ECANCELED);
    ASSERT_INT_EQ(weft_now() - start, WEFT_MS(2500));
}

VIRTUAL_TEST(group_in_a_cancelled_scope_is_ecanceled)
{
    struct child child = {.duration = WEFT_FOREVER};
    weft_scope scope;
    weft_group group;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &child);
    ASSERT_INT_EQ(weft_group_wait(&group), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
}

/* As in asyncio's TaskGroup tests: what a child failed with is not hidden by the cancellation. */
VIRTUAL_TEST(group_error_of_a_child_wins_over_a_cancellation_outside)
{
    int error = -EBADMSG;
    weft_scope scope;
    weft_group group;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, fail_in_cleanup, &error));
    ASSERT_INT_EQ(weft_group_wait(&group), -EBADMSG);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -EBADMSG), -EBADMSG);
    ASSERT_OK(weft_checkpoint());
}

/* ---- spawning ---- */

VIRTUAL_TEST(group_spawn_into_a_cancelled_group_runs_to_the_first_checkpoint)
{
    struct child child = {.duration = 0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_group_cancel(&group, NULL);
    spawn(&group, &child);
    ASSERT_INT_EQ(child.saw, -ECANCELED);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(group_spawn_after_the_wait_is_refused)
{
    struct child child = {0};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_group_spawn(&group, child_run, &child), -EINVAL);
    ASSERT_ERR(weft_group_wait(&group), -EINVAL);
}

VIRTUAL_TEST(group_spawn_without_a_function_is_refused)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_ERR(weft_group_spawn(&group, NULL, NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "function");
    ASSERT_OK(weft_group_wait(&group));
}

struct breeder {
    weft_group *group;
    int left;
    int total;
};

static int breed(void *arg)
{
    struct breeder *breeder = arg;
    breeder->total++;
    if (breeder->left-- > 0) {
        int err = weft_group_spawn(breeder->group, breed, breeder);
        if (err < 0)
            return err;
        return weft_sleep(1);
    }
    return 0;
}

VIRTUAL_TEST(group_child_spawns_into_its_own_group)
{
    weft_group group;
    struct breeder breeder = {.group = &group, .left = 50};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, breed, &breeder));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(breeder.total, 51);
}

static int wait_for_group(void *arg)
{
    return weft_group_wait(arg);
}

VIRTUAL_TEST(group_is_waited_for_by_its_owner_only)
{
    weft_group group;
    weft_group other;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_init(&other, NULL));
    ASSERT_OK(weft_group_spawn(&other, wait_for_group, &group));
    ASSERT_INT_EQ(weft_group_wait(&other), WEFT_EMISNESTED);
    ASSERT_OK(weft_group_wait(&group));
}

/*
 * The owner has been woken because the last child ended, and before it runs another task
 * spawns a child that ends at once: the owner must not be woken a second time.
 */
struct late {
    weft_group *target;
    weft_event *event;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_late(void *arg)
{
    struct late *late = arg;
    int err = weft_event_wait(late->event);
    return err < 0 ? err : weft_group_spawn(late->target, nothing, NULL);
}

/* The event's waiters become ready before the owner of the group, which the end wakes. */
static int set_and_end(void *arg)
{
    int err = weft_sleep(1);
    weft_event_set(arg);
    return err;
}

VIRTUAL_TEST(group_spawned_into_between_wake_up_and_run_is_joined_once)
{
    WEFT_AUTO(weft_event) *event = NULL;
    ASSERT_OK(weft_event_new(&event));
    weft_group others;
    weft_group group;
    struct late late = {.target = &group, .event = event};
    ASSERT_OK(weft_group_init(&others, NULL));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_group_spawn(&others, spawn_late, &late));
    ASSERT_OK(weft_group_spawn(&group, set_and_end, event));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_group_wait(&others));
}

VIRTUAL_TEST(group_of_a_hundred_thousand_children)
{
    int n = 100000 / (test_slowness() > 1 ? 20 : 1);
    weft_group group;
    struct child *children = calloc((size_t)n, sizeof *children);
    ASSERT(children != NULL);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < n; i++) {
        children[i] = (struct child){.duration = 1 + i % 1000, .saw = 1};
        ASSERT_OK(weft_group_spawn_with(&group, child_run, &children[i],
                                        WEFT_SPAWN(.stack_size = 16384)));
    }
    ASSERT_INT_EQ(weft_task_count(), n + 1);
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < n; i++)
        ASSERT_INT_EQ(children[i].saw, 0);
    free(children);
}

VIRTUAL_TEST(group_of_many_children_is_cancelled_in_one_go)
{
    enum { N = 2000 };
    static struct child children[N];
    weft_group group;
    int64_t start = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < N; i++) {
        children[i] = (struct child){.duration = WEFT_FOREVER};
        spawn(&group, &children[i]);
    }
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < N; i++)
        ASSERT_INT_EQ(children[i].saw, -ECANCELED);
    ASSERT_INT_EQ(weft_now(), start);
}

/* ---- groups in groups ---- */

static int subtree(void *arg)
{
    int depth = *(int *)arg - 1;
    weft_group group;
    if (depth < 0)
        return weft_sleep(WEFT_FOREVER);
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    for (int i = 0; i < 3 && err == 0; i++)
        err = weft_group_spawn(&group, subtree, &depth);
    int joined = weft_group_wait(&group);
    return err < 0 ? err : joined;
}

VIRTUAL_TEST(groups_in_groups_are_cancelled_to_the_leaves)
{
    int depth = 5;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(1))));
    ASSERT_OK(weft_group_spawn(&group, subtree, &depth));
    ASSERT_OK(weft_sleep(1));
    /* 3 + 9 + 27 + 81 + 243 below the one below main. */
    ASSERT_INT_EQ(weft_task_count(), 2 + 3 + 9 + 27 + 81 + 243);
    ASSERT_INT_EQ(weft_group_wait(&group), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_task_count(), 1);
}

static int group_with_failure(void *arg)
{
    struct child children[] = {{.duration = WEFT_FOREVER},
                               {.duration = WEFT_SEC(1), .result = -EDOM, .message = "deep down"}};
    weft_group group;
    (void)arg;
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    spawn(&group, &children[0]);
    spawn(&group, &children[1]);
    err = weft_group_wait(&group);
    return err;
}

VIRTUAL_TEST(groups_in_groups_hand_errors_up)
{
    struct child bystander = {.duration = WEFT_FOREVER};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &bystander);
    ASSERT_OK(weft_group_spawn(&group, group_with_failure, NULL));
    ASSERT_INT_EQ(weft_group_wait(&group), -EDOM);
    ASSERT_STR_EQ(weft_error_message(), "deep down");
    ASSERT_INT_EQ(bystander.saw, -ECANCELED);
}

VIRTUAL_TEST(groups_of_one_task_waited_for_in_the_wrong_order_are_misnested)
{
    struct child child = {.duration = WEFT_FOREVER};
    weft_group outer;
    weft_group inner;
    ASSERT_OK(weft_group_init(&outer, NULL));
    ASSERT_OK(weft_group_init(&inner, NULL));
    spawn(&inner, &child);
    ASSERT_ERR(weft_group_wait(&outer), WEFT_EMISNESTED);
    ASSERT_INT_EQ(child.saw, -ECANCELED);
    ASSERT_INT_EQ(weft_task_count(), 1);
    ASSERT_ERR(weft_group_wait(&inner), -EINVAL);
    ASSERT_OK(weft_checkpoint());
}

/* ---- names, stacks ---- */

static int copy_name(void *arg)
{
    snprintf(arg, 64, "%s", weft_task_name(weft_task_self()));
    return 0;
}

VIRTUAL_TEST(task_name_is_what_was_given)
{
    char name[64];
    char given[] = "worker-7";
    weft_group group;
    ASSERT_STR_EQ(weft_task_name(weft_task_self()), "main");
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, copy_name, name, WEFT_SPAWN(.name = given)));
    ASSERT_STR_EQ(name, "worker-7");
    ASSERT_OK(weft_group_spawn(&group, copy_name, name));
    ASSERT_STR_EQ(name, "task");
    ASSERT_OK(
        weft_group_spawn_with(&group, copy_name, name,
                              WEFT_SPAWN(.name = "a-name-that-is-longer-than-thirty-one-bytes")));
    ASSERT_INT_EQ(strlen(name), WEFT__LIMIT_TASK_NAME);
    ASSERT_STR_EQ(name, "a-name-that-is-longer-than-thir");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_STR_EQ(weft_task_name(NULL), "task");
}

/* Touches most of a stack of the size that arg tells. */
static __attribute__((noinline)) int use_stack(void *arg)
{
    enum { STEP = 1024 };
    volatile char block[STEP];
    size_t left = *(size_t *)arg;
    block[0] = 1;
    block[STEP - 1] = 1;
    if (left <= STEP + 256)
        return block[0];
    left -= STEP + 256;
    return use_stack(&left) + block[STEP - 1] - 1;
}

VIRTUAL_TEST(stack_sizes_from_the_smallest_to_the_largest_can_be_used)
{
    static const size_t sizes[] = {
        1,       WEFT__LIMIT_STACK_MIN, 16385, 65536, 100000, 262144, 1u << 20,
        5000000, WEFT__LIMIT_STACK_MAX};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t usable = sizes[i] < 16384 ? 16384 : sizes[i];
        usable = test_slowness() > 1 ? usable / 8 : usable - usable / 4 - 4096;
        ASSERT_OK(
            weft_group_spawn_with(&group, use_stack, &usable, WEFT_SPAWN(.stack_size = sizes[i])));
    }
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(stack_that_is_too_large_is_refused)
{
    weft_group group;
    size_t usable = 0;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_ERR(weft_group_spawn_with(&group, use_stack, &usable,
                                     WEFT_SPAWN(.stack_size = WEFT__LIMIT_STACK_MAX + 1)),
               -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "67108865 bytes");
    ASSERT_ERR(
        weft_group_spawn_with(&group, use_stack, &usable, WEFT_SPAWN(.stack_size = SIZE_MAX)),
        -EINVAL);
    ASSERT_OK(weft_group_wait(&group));
}

TEST(stack_of_the_main_task_is_as_asked)
{
    size_t usable = 4000000 / (size_t)test_slowness();
    ASSERT_OK(weft_run_with(use_stack, &usable,
                            WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .stack_size = 8000000)));
    ASSERT_ERR(weft_run_with(use_stack, &usable, WEFT_RUN(.stack_size = SIZE_MAX / 2)), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "bytes for a task");
}

/* ---- outside weft_run ---- */

TEST(group_in_a_plain_thread_is_driven_by_the_wait)
{
    struct child children[] = {{.duration = WEFT_MS(200)}, {.duration = WEFT_MS(1)}};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &children[0]);
    spawn(&group, &children[1]);
    ASSERT_INT_EQ(weft_task_count(), 2);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(children[0].saw, 0);
    ASSERT_INT_GE(children[0].ended, children[1].ended);
    ASSERT_INT_EQ(weft_task_count(), 0);
}

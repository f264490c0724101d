/* How children ended: one after the other, all failures, and tasks that say when they are ready. */
#include <stdio.h>
#include <string.h>

#include <weft/error.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "test.h"

struct child {
    int64_t duration;
    int result;
};

static int child_run(void *arg)
{
    const struct child *child = arg;
    int err = weft_sleep(child->duration);
    if (err < 0)
        return err;
    return child->result < 0 ? weft__fail(child->result, "child of %d s failed",
                                          (int)(child->duration / WEFT_SEC(1)))
                             : child->result;
}

static void spawn(weft_group *group, const struct child *child, const char *name)
{
    ASSERT_OK(weft_group_spawn_with(group, child_run, (void *)child, WEFT_SPAWN(.name = name)));
}

/* ---- next ---- */

VIRTUAL_TEST(next_gives_children_in_the_order_of_their_ends)
{
    static const struct child children[] = {
        {WEFT_SEC(3), 30}, {WEFT_SEC(1), 10}, {0, 0}, {WEFT_SEC(2), 20}};
    static const int order[] = {2, 1, 3, 0};
    weft_group group;
    weft_outcome outcome;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    for (int i = 0; i < 4; i++)
        spawn(&group, &children[i], i == 3 ? "fourth" : NULL);
    int64_t start = weft_now();
    for (int i = 0; i < 4; i++) {
        const struct child *child = &children[order[i]];
        ASSERT_INT_EQ(weft_group_next(&group, &outcome), 1);
        ASSERT(outcome.arg == child);
        ASSERT(outcome.fn == child_run);
        ASSERT_INT_EQ(outcome.result, child->result);
        ASSERT_STR_EQ(outcome.message, "");
        ASSERT_STR_EQ(outcome.name, order[i] == 3 ? "fourth" : "");
        ASSERT_INT_EQ(weft_now() - start, child->duration);
    }
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 0);
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 0);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(next_keeps_those_that_ended_before_it_is_asked)
{
    static const struct child child = {WEFT_SEC(1), 5};
    weft_group group;
    weft_outcome outcome;
    uint64_t ids = 0;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    for (int i = 0; i < 300; i++)
        spawn(&group, &child, NULL);
    ASSERT_OK(weft_sleep(WEFT_SEC(2)));
    for (int i = 0; i < 300; i++) {
        ASSERT_INT_EQ(weft_group_next(&group, &outcome), 1);
        ids += outcome.id;
    }
    ASSERT_INT_EQ(ids, 300 * (2 + 301) / 2);
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 0);
    spawn(&group, &child, NULL);
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 1);
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(next_that_nobody_takes_is_freed_by_the_wait)
{
    static const struct child children[] = {{0, -EIO}, {0, 3}, {WEFT_SEC(1), -EPROTO}};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true, .collect = true)));
    for (int i = 0; i < 3; i++)
        spawn(&group, &children[i], NULL);
    ASSERT_ERR(weft_group_wait(&group), -EIO);
    ASSERT_STR_EQ(weft_error_message(), "child of 0 s failed");
}

VIRTUAL_TEST(next_gives_failures_with_their_messages)
{
    static const struct child children[] = {{WEFT_SEC(1), -EIO}, {WEFT_SEC(2), -EPROTO}};
    weft_group group;
    weft_outcome outcome;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true, .collect = true)));
    spawn(&group, &children[0], "reader");
    spawn(&group, &children[1], "writer");
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 1);
    ASSERT_STR_EQ(outcome.name, "reader");
    ASSERT_INT_EQ(outcome.result, -EIO);
    ASSERT_STR_EQ(outcome.message, "child of 1 s failed");
    ASSERT_INT_EQ(weft_group_next(&group, &outcome), 1);
    ASSERT_STR_EQ(outcome.name, "writer");
    ASSERT_STR_EQ(outcome.message, "child of 2 s failed");
    ASSERT_ERR(weft_group_wait(&group), -EIO);
}

VIRTUAL_TEST(next_in_a_group_that_fails_fast_is_cancelled_by_the_failure)
{
    static const struct child children[] = {{WEFT_SEC(1), -EIO}, {WEFT_SEC(2), 0}};
    weft_group group;
    weft_outcome outcome = {.result = 99};
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    spawn(&group, &children[1], NULL);
    spawn(&group, &children[0], "bad");
    int err = weft_group_next(&group, &outcome);
    /* What ended before the cancellation came is given. */
    ASSERT_INT_EQ(err, 1);
    ASSERT_INT_EQ(outcome.result, -EIO);
    ASSERT_ERR(weft_group_next(&group, &outcome), -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: a task of the group failed (task 'bad')");
    ASSERT_ERR(weft_group_wait(&group), -EIO);
}

VIRTUAL_TEST(next_that_times_out_loses_nothing)
{
    static const struct child children[] = {{WEFT_SEC(1), 1}, {WEFT_SEC(3), 3}};
    weft_group group;
    weft_outcome outcome;
    int got = 0;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    spawn(&group, &children[0], NULL);
    spawn(&group, &children[1], NULL);
    for (int i = 0; i < 8; i++) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_MS(500));
        int n = weft_group_next(&group, &outcome);
        n = weft_scope_exit(&scope, n);
        ASSERT(n >= 0 || n == -ETIMEDOUT);
        if (n > 0)
            got += outcome.result;
    }
    ASSERT_INT_EQ(got, 4);
    ASSERT_OK(weft_group_wait(&group));
}

static int ask_for_next(void *arg)
{
    weft_outcome outcome;
    ASSERT_ERR(weft_group_next(arg, &outcome), WEFT_EMISNESTED);
    return 0;
}

VIRTUAL_TEST(next_is_refused_where_it_makes_no_sense)
{
    static const struct child child = {0};
    weft_group group;
    weft_group never = {{0}};
    weft_outcome outcome;
    ASSERT_ERR(weft_group_next(&never, &outcome), -EINVAL);
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.name = "plain")));
    ASSERT_ERR(weft_group_next(&group, &outcome), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "the group 'plain' was made without .outcomes");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_ERR(weft_group_next(&group, &outcome), -EINVAL);
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    spawn(&group, &child, NULL);
    ASSERT_OK(weft_group_spawn(&group, ask_for_next, &group));
    ASSERT_OK(weft_group_wait(&group));
}

VIRTUAL_TEST(next_takes_without_keeping_others_from_their_turn)
{
    static const struct child child = {0, 1};
    weft_group group;
    weft_outcome outcome;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.outcomes = true)));
    for (int i = 0; i < 1000; i++)
        spawn(&group, &child, NULL);
    int n = 0;
    while (weft_group_next(&group, &outcome) > 0)
        n++;
    ASSERT_INT_EQ(n, 1000);
    ASSERT_OK(weft_group_wait(&group));
}

/* ---- all failures ---- */

VIRTUAL_TEST(failures_are_kept_in_their_order_and_counted_beyond)
{
    static const struct child children[] = {
        {WEFT_SEC(2), -EPROTO}, {WEFT_SEC(1), -EIO}, {WEFT_SEC(3), WEFT_EEOF}, {WEFT_SEC(1), 7}};
    static const char *const names[] = {"a", "b", "c", "d"};
    weft_outcome failures[2];
    weft_group group;
    ASSERT_OK(weft_group_init(
        &group, WEFT_GROUP(.collect = true, .failures = failures, .max_failures = 2)));
    for (int i = 0; i < 4; i++)
        spawn(&group, &children[i], names[i]);
    ASSERT_ERR(weft_group_wait(&group), -EIO);
    ASSERT_INT_EQ(weft_group_error_count(&group), 3);
    ASSERT_STR_EQ(failures[0].name, "b");
    ASSERT_STR_EQ(failures[0].message, "child of 1 s failed");
    ASSERT_INT_EQ(failures[0].result, -EIO);
    ASSERT_STR_EQ(failures[1].name, "a");
    ASSERT(failures[1].arg == &children[0]);
    ASSERT_STR_EQ(weft_error_message(), "child of 1 s failed");
}

static int fail_when_cancelled(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER) < 0 ? -EIO : 0;
}

VIRTUAL_TEST(failures_of_a_group_that_fails_fast_hold_those_of_the_cancelled_too)
{
    static const struct child first = {WEFT_SEC(1), -EPROTO};
    weft_outcome failures[4];
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.failures = failures, .max_failures = 4)));
    ASSERT_OK(weft_group_spawn(&group, fail_when_cancelled, NULL));
    spawn(&group, &first, NULL);
    ASSERT_ERR(weft_group_wait(&group), -EPROTO);
    ASSERT_INT_EQ(weft_group_error_count(&group), 2);
    ASSERT_INT_EQ(failures[0].result, -EPROTO);
    ASSERT_INT_EQ(failures[1].result, -EIO);
    ASSERT_STR_EQ(failures[1].message, "cancelled: a task of the group failed");
}

VIRTUAL_TEST(failures_of_gather_come_with_their_calls)
{
    static const struct child children[] = {{WEFT_SEC(2), -EPROTO}, {0, 1}, {WEFT_SEC(1), -EIO}};
    weft_outcome failures[3];
    weft_call calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = (weft_call){child_run, (void *)&children[i], 0};
    ASSERT_OK(weft_gather(calls, 3,
                          WEFT_GATHER(.collect = true, .failures = failures, .max_failures = 3)));
    ASSERT_INT_EQ(calls[0].result, -EPROTO);
    ASSERT_INT_EQ(calls[1].result, 1);
    ASSERT(failures[0].arg == &children[2]);
    ASSERT_STR_EQ(failures[1].message, "child of 2 s failed");
}

VIRTUAL_TEST(failures_of_map_come_with_their_items)
{
    struct child items[] = {{WEFT_SEC(2), -EPROTO}, {0, 1}, {WEFT_SEC(1), -EIO}, {0, -EIO}};
    static const int first[] = {0, 2, 3, 3}; /* with so many at once */
    for (size_t limit = 1; limit <= 4; limit++) {
        weft_outcome failures[3] = {{0}};
        ASSERT_OK(weft_map(
            child_run, items, 4, sizeof items[0],
            WEFT_MAP(.limit = limit, .collect = true, .failures = failures, .max_failures = 3)));
        for (size_t i = 0; i < 3; i++) {
            const struct child *item = failures[i].arg;
            ASSERT(failures[i].fn == child_run);
            ASSERT_INT_EQ(failures[i].result, item->result);
            ASSERT_STR_HAS(failures[i].message, item->result == -EIO ? "child" : "child of 2 s");
        }
        ASSERT(failures[0].arg == &items[first[limit - 1]]);
    }
}

static int fail_silently(void *arg)
{
    return *(int *)arg == 0 ? weft__fail(-EIO, "the first has a message") : -EPROTO;
}

VIRTUAL_TEST(failures_of_map_do_not_inherit_messages_and_stop_at_the_first)
{
    int items[] = {0, 1};
    weft_outcome failures[2] = {{0}};
    ASSERT_OK(
        weft_map(fail_silently, items, 2, sizeof items[0],
                 WEFT_MAP(.limit = 1, .collect = true, .failures = failures, .max_failures = 2)));
    ASSERT_STR_EQ(failures[0].message, "the first has a message");
    ASSERT_STR_EQ(failures[1].message, weft_error_text(-EPROTO));
    failures[1].result = 0;
    ASSERT_ERR(weft_map(fail_silently, items, 2, sizeof items[0],
                        WEFT_MAP(.failures = failures, .max_failures = 2)),
               -EIO);
    ASSERT_STR_EQ(weft_error_message(), "the first has a message");
    ASSERT(failures[0].arg == &items[0]);
    ASSERT_INT_EQ(failures[1].result, 0);
}

static int fail_at_length(void *arg)
{
    (void)arg;
    char text[400];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    return weft__fail(-EIO, "%s", text);
}

VIRTUAL_TEST(failures_with_a_long_message_are_cut)
{
    weft_outcome failure;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.failures = &failure, .max_failures = 1)));
    ASSERT_OK(weft_group_spawn(&group, fail_at_length, NULL));
    ASSERT_ERR(weft_group_wait(&group), -EIO);
    ASSERT_INT_EQ(strlen(failure.message), sizeof failure.message - 1);
    ASSERT_INT_EQ(strlen(weft_error_message()), 399);
}

/* ---- the end of a block ---- */

static int leave_early(int64_t *remaining, int *saw)
{
    static const struct child child = {WEFT_SEC(50), 0};
    WEFT_AUTO_SCOPE(scope);
    WEFT_AUTO_GROUP(group);
    WEFT_AUTO_GROUP(unused);
    WEFT_AUTO_SCOPE(unused_scope);
    weft_scope_enter(&scope, WEFT_SEC(5));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, child_run, (void *)&child, WEFT_SPAWN(.result = saw)));
    *remaining = weft_remaining();
    return weft__fail(-EIO, "left in the middle");
}

VIRTUAL_TEST(auto_group_and_scope_end_with_their_block)
{
    int64_t remaining = 0;
    int saw = 0;
    int64_t start = weft_now();
    ASSERT_ERR(leave_early(&remaining, &saw), -EIO);
    ASSERT_STR_EQ(weft_error_message(), "left in the middle");
    ASSERT_INT_EQ(remaining, WEFT_SEC(5));
    ASSERT_INT_EQ(saw, -ECANCELED);
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
    ASSERT_INT_EQ(weft_task_count(), 1);
}

VIRTUAL_TEST(auto_group_and_scope_that_were_ended_are_left_alone)
{
    static const struct child child = {WEFT_SEC(1), 0};
    WEFT_AUTO_SCOPE(scope);
    weft_scope_enter(&scope, WEFT_SEC(5));
    WEFT_AUTO_GROUP(group);
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &child, NULL);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_scope_exit(&scope, 0));
}

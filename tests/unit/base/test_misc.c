/* Clock, list, random numbers, limits. */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/rand.h"
#include "test.h"

TEST(clock_never_goes_back)
{
    int64_t last = weft__clock_monotonic();
    for (int i = 0; i < 1000; i++) {
        int64_t now = weft__clock_monotonic();
        ASSERT_INT_GE(now, last);
        last = now;
    }
    ASSERT_INT_GT(weft__clock_wall(), 1700000000);
}

TEST(clock_add_stops_at_forever)
{
    ASSERT_INT_EQ(weft__clock_add(5, 7), 12);
    ASSERT_INT_EQ(weft__clock_add(5, WEFT_FOREVER), WEFT_FOREVER);
    ASSERT_INT_EQ(weft__clock_add(INT64_MAX - 1, 2), WEFT_FOREVER);
    ASSERT_INT_EQ(weft__clock_add(5, -7), -2);
}

TEST(version_is_that_of_the_header)
{
    ASSERT_STR_EQ(weft_version(), WEFT_VERSION);
}

TEST(time_macros_give_nanoseconds)
{
    ASSERT_INT_EQ(WEFT_NS(1), 1);
    ASSERT_INT_EQ(WEFT_US(1), 1000);
    ASSERT_INT_EQ(WEFT_MS(1), 1000000);
    ASSERT_INT_EQ(WEFT_SEC(1), 1000000000);
    ASSERT_INT_EQ(WEFT_SEC(3600 * 24 * 365), 31536000000000000);
}

struct item {
    int number;
    struct weft__list node;
};

static int pop(struct weft__list *head)
{
    struct weft__list *node = weft__list_pop_front(head);
    return node == NULL ? -1 : WEFT__CONTAINER(node, struct item, node)->number;
}

TEST(list_gives_back_in_order)
{
    struct weft__list head;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    weft__list_init(&head);
    ASSERT(weft__list_is_empty(&head));
    ASSERT_INT_EQ(pop(&head), -1);
    weft__list_push_back(&head, &items[1].node);
    weft__list_push_back(&head, &items[3].node);
    weft__list_push_front(&head, &items[0].node);
    weft__list_insert_before(&items[3].node, &items[2].node);
    ASSERT(!weft__list_is_empty(&head));
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(pop(&head), i);
    ASSERT(weft__list_is_empty(&head));
}

TEST(list_remove_twice_does_no_harm)
{
    struct weft__list head;
    struct item items[2] = {{.number = 0}, {.number = 1}};
    weft__list_init(&head);
    weft__list_push_back(&head, &items[0].node);
    weft__list_push_back(&head, &items[1].node);
    weft__list_remove(&items[0].node);
    weft__list_remove(&items[0].node);
    ASSERT_INT_EQ(pop(&head), 1);
    ASSERT_INT_EQ(pop(&head), -1);
}

TEST(list_move_all_appends_and_empties)
{
    struct weft__list from;
    struct weft__list to;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    weft__list_init(&from);
    weft__list_init(&to);
    weft__list_move_all(&to, &from);
    ASSERT(weft__list_is_empty(&to));
    weft__list_push_back(&to, &items[0].node);
    weft__list_push_back(&from, &items[1].node);
    weft__list_push_back(&from, &items[2].node);
    weft__list_move_all(&to, &from);
    ASSERT(weft__list_is_empty(&from));
    for (int i = 0; i < 3; i++)
        ASSERT_INT_EQ(pop(&to), i);
}

TEST(rand_with_a_seed_repeats_itself)
{
    struct weft__rand a;
    struct weft__rand b;
    struct weft__rand other;
    weft__rand_init(&a, 42);
    weft__rand_init(&b, 42);
    weft__rand_init(&other, 43);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t number = weft__rand_next(&a);
        ASSERT(number == weft__rand_next(&b));
        differs = differs || number != weft__rand_next(&other);
    }
    ASSERT(differs);
}

TEST(rand_without_a_seed_differs)
{
    struct weft__rand a;
    struct weft__rand b;
    weft__rand_init(&a, 0);
    weft__rand_init(&b, 0);
    ASSERT(weft__rand_next(&a) != weft__rand_next(&b));
    ASSERT(weft__rand_thread() != weft__rand_thread());
}

TEST(rand_below_stays_below_and_reaches_everything)
{
    struct weft__rand rand;
    int seen[10] = {0};
    weft__rand_init(&rand, 7);
    for (int i = 0; i < 10000; i++)
        seen[weft__rand_below(weft__rand_next(&rand), 10)]++;
    for (int i = 0; i < 10; i++)
        ASSERT_INT_GT(seen[i], 700);
    ASSERT_INT_EQ(weft__rand_below(UINT64_MAX, 10), 9);
    ASSERT_INT_EQ(weft__rand_below(0, 10), 0);
    ASSERT_INT_EQ(weft__rand_below(UINT64_MAX, 1), 0);
}

TEST(limits_are_positive_and_described)
{
#define CHECK(name, value, what)                                                                   \
    ASSERT_INT_GT(WEFT__LIMIT_##name, 0);                                                          \
    ASSERT(strlen(what) > 5);
    WEFT__LIMITS(CHECK)
#undef CHECK
}

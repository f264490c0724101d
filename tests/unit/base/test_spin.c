/* test_spin.c - looking for what another thread does before sleeping. */
#include <stdatomic.h>

#include <weft.h>

#include "base/clock.h"
#include "base/spin.h"
#include "test.h"

static bool is_set(const void *arg)
{
    return atomic_load((const atomic_bool *)arg);
}

static bool is_set_when_looked_at_often(const void *arg)
{
    atomic_int *looks = *(atomic_int *const *)arg;
    return atomic_fetch_add(looks, 1) == 100;
}

static int sleeps_until_due(struct weft__spin *spin)
{
    int sleeps = 0;
    while (!weft__spin_is_due(spin, 1))
        sleeps++;
    return sleeps;
}

/* As far as there is a second processor. */
static bool pays(void)
{
    struct weft__spin spin = {0};
    return weft__spin_is_due(&spin, 1);
}

TEST(spin_is_tried_ever_less_often_where_it_fails)
{
    struct weft__spin spin = {0};
    if (!pays())
        SKIP("one processor");
    ASSERT_INT_EQ(sleeps_until_due(&spin), 0);
    for (int skips = 1; skips < 256; skips = 2 * skips + 1) {
        weft__spin_tried(&spin, false);
        ASSERT_INT_EQ(sleeps_until_due(&spin), skips);
    }
    for (int i = 0; i < 3; i++) {
        weft__spin_tried(&spin, false);
        ASSERT_INT_EQ(sleeps_until_due(&spin), 255);
    }
}

TEST(spin_is_tried_more_often_where_it_pays)
{
    struct weft__spin spin = {0};
    if (!pays())
        SKIP("one processor");
    for (int i = 0; i < 20; i++)
        weft__spin_tried(&spin, false);
    for (int skips = 127; skips > 0; skips /= 2) {
        weft__spin_tried(&spin, true);
        ASSERT_INT_EQ(sleeps_until_due(&spin), skips);
    }
    for (int i = 0; i < 3; i++) {
        weft__spin_tried(&spin, true);
        ASSERT_INT_EQ(sleeps_until_due(&spin), 0);
    }
}

TEST(spin_takes_no_processor_from_those_who_have_work)
{
    struct weft__spin spin = {0};
    for (int i = 0; i < 3; i++)
        ASSERT(!weft__spin_is_due(&spin, weft_cpu_count()));
    ASSERT(weft__spin_is_due(&spin, weft_cpu_count() - 1));
}

TEST(spin_ends_when_it_came_or_its_time_is_over)
{
    atomic_bool came = true;
    ASSERT(weft__spin_until(is_set, &came));
    atomic_store(&came, false);
    int64_t began = weft__clock_monotonic();
    ASSERT(!weft__spin_until(is_set, &came));
    ASSERT_INT_GE(weft__clock_monotonic() - began, WEFT__SPIN_TIME);
    atomic_int looks = 0;
    atomic_int *at = &looks;
    while (atomic_load(&looks) <= 100 && !weft__spin_until(is_set_when_looked_at_often, &at))
        ;
    ASSERT_INT_EQ(atomic_load(&looks), 101);
}

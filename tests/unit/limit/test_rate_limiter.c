/* The rate limiter on the virtual clock: its theorems, its queue. */
#include <stdlib.h>

#include <weft/error.h>
#include <weft/limit.h>
#include <weft/testing.h>

#include "base/rand.h"
#include "test.h"

static weft_rate_limiter *make(uint32_t permits, int64_t period, uint32_t burst)
{
    weft_rate_limiter *limiter;
    ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = permits, .period = period, .burst = burst),
                                    &limiter));
    return limiter;
}

/* ---- one task ---- */

VIRTUAL_TEST(limiter_spaces_permits_evenly)
{
    weft_rate_limiter *limiter = make(5, 0, 0);
    int64_t start = weft_now();
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
        ASSERT_INT_EQ(weft_now() - start, WEFT_MS(200) * i);
    }
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_burst_is_free_at_once)
{
    weft_rate_limiter *limiter = make(2, WEFT_SEC(1), 4);
    int64_t start = weft_now();
    static const int64_t at[] = {0, 0, 0, 0, 500, 1000, 1500};
    for (int i = 0; i < 7; i++) {
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
        ASSERT_INT_EQ(weft_now() - start, WEFT_MS(at[i]));
    }
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_pause_refills_up_to_the_burst)
{
    weft_rate_limiter *limiter = make(10, WEFT_SEC(1), 3);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            ASSERT(weft_rate_limiter_try_acquire(limiter));
        ASSERT(!weft_rate_limiter_try_acquire(limiter));
        ASSERT_OK(weft_sleep(WEFT_SEC(100)));
    }
    for (int i = 0; i < 3; i++)
        ASSERT(weft_rate_limiter_try_acquire(limiter));
    ASSERT_OK(weft_sleep(WEFT_MS(200)));
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    ASSERT(!weft_rate_limiter_try_acquire(limiter));
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_try_acquire_is_exact_to_the_nanosecond)
{
    weft_rate_limiter *limiter = make(1, WEFT_SEC(1), 1);
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    ASSERT_OK(weft_sleep(WEFT_SEC(1) - 1));
    ASSERT(!weft_rate_limiter_try_acquire(limiter));
    ASSERT_OK(weft_sleep(1));
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    weft_rate_limiter_free(limiter);
}

/* A third of a second is not a whole number of nanoseconds; it must not add up to an error. */
VIRTUAL_TEST(limiter_rate_that_does_not_divide_is_exact_in_the_long_run)
{
    weft_rate_limiter *limiter = make(3, WEFT_SEC(1), 1);
    int64_t start = weft_now();
    for (int i = 0; i <= 3000; i++)
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1000));
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_more_permits_than_nanoseconds)
{
    weft_rate_limiter *limiter = make(4000000000u, WEFT_SEC(1), 1);
    int64_t start = weft_now();
    for (int i = 0; i <= 4000; i++)
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_GE(weft_now() - start, 1000);
    ASSERT_INT_LE(weft_now() - start, 4000);
    weft_rate_limiter_free(limiter);
}

TEST(limiter_options_without_sense_are_refused)
{
    weft_rate_limiter *limiter = NULL;
    ASSERT_ERR(weft_rate_limiter_new(NULL, &limiter), -EINVAL);
    ASSERT_ERR(weft_rate_limiter_new(WEFT_RATE(.permits = 0), &limiter), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "permits");
    ASSERT_ERR(weft_rate_limiter_new(WEFT_RATE(.permits = 1, .period = -1), &limiter), -EINVAL);
    ASSERT_ERR(weft_rate_limiter_new(WEFT_RATE(.permits = 1, .period = INT64_MAX), &limiter),
               -EINVAL);
    ASSERT_ERR(
        weft_rate_limiter_new(
            WEFT_RATE(.permits = 1, .period = WEFT_SEC(3600), .burst = UINT32_MAX), &limiter),
        -EINVAL);
    ASSERT(limiter == NULL);
    weft_rate_limiter_free(NULL);
}

TEST(limiter_works_outside_any_loop)
{
    weft_rate_limiter *limiter = make(1000, WEFT_SEC(1), 1);
    int64_t start = weft_now();
    for (int i = 0; i < 4; i++)
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(3));
    weft_rate_limiter_free(limiter);
}

/* ---- deadlines ---- */

VIRTUAL_TEST(limiter_that_cannot_meet_a_deadline_fails_at_once)
{
    weft_rate_limiter *limiter = make(1, WEFT_SEC(10), 1);
    weft_scope scope;
    int64_t start = weft_now();
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    weft_scope_enter(&scope, WEFT_SEC(4));
    ASSERT_ERR(weft_rate_limiter_acquire(limiter), -ETIMEDOUT);
    ASSERT_STR_HAS(weft_error_message(), "10 s");
    ASSERT_STR_HAS(weft_error_message(), "4 s");
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_ERR(weft_scope_exit(&scope, -ETIMEDOUT), -ETIMEDOUT);
    /* The refused one has taken nothing. */
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(10));
    weft_scope_enter(&scope, WEFT_SEC(10) + 1);
    ASSERT_OK(weft_scope_exit(&scope, weft_rate_limiter_acquire(limiter)));
    weft_rate_limiter_free(limiter);
}

struct queue_test {
    weft_rate_limiter *limiter;
    weft_scope *scope;
    int order[64];
    int64_t at[64];
    int n;
    int64_t start;
    int done;
};

struct member {
    struct queue_test *test;
    int id;
    int result;
    int64_t timeout;
};

static int member_run(void *arg)
{
    struct member *member = arg;
    struct queue_test *test = member->test;
    weft_scope scope;
    weft_scope_enter(&scope, member->timeout != 0 ? member->timeout : WEFT_FOREVER);
    int err = weft_rate_limiter_acquire(test->limiter);
    if (err == 0) {
        test->order[test->n] = member->id;
        test->at[test->n++] = weft_now() - test->start;
    }
    member->result = err;
    weft_scope_exit(&scope, err);
    return 0;
}

/* Three wait ahead: a fourth must be told the time of its own permit, not of the next one. */
VIRTUAL_TEST(limiter_deadline_counts_those_ahead_in_the_queue)
{
    struct queue_test test = {.limiter = make(1, WEFT_SEC(1), 1), .start = weft_now()};
    struct member members[6];
    weft_group group;
    ASSERT_OK(weft_rate_limiter_acquire(test.limiter));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 6; i++) {
        members[i] = (struct member){.test = &test, .id = i};
        if (i == 3)
            members[i].timeout = WEFT_SEC(4);
        if (i == 4)
            members[i].timeout = WEFT_SEC(4) + 1;
        ASSERT_OK(weft_group_spawn(&group, member_run, &members[i]));
    }
    ASSERT_INT_EQ(members[3].result, -ETIMEDOUT);
    ASSERT_OK(weft_group_wait(&group));
    static const int order[] = {0, 1, 2, 4, 5};
    ASSERT_INT_EQ(test.n, 5);
    for (int i = 0; i < 5; i++) {
        ASSERT_INT_EQ(test.order[i], order[i]);
        ASSERT_INT_EQ(test.at[i], WEFT_SEC(i + 1));
    }
    weft_rate_limiter_free(test.limiter);
}

/* ---- the queue ---- */

VIRTUAL_TEST(limiter_is_first_come_first_served)
{
    struct queue_test test = {.limiter = make(4, WEFT_SEC(1), 2), .start = weft_now()};
    struct member members[50];
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 50; i++) {
        members[i] = (struct member){.test = &test, .id = i};
        ASSERT_OK(weft_group_spawn(&group, member_run, &members[i]));
    }
    /* Nobody barges in while others wait, even in the moment when a permit is due. */
    for (int i = 0; i < 20; i++) {
        ASSERT(!weft_rate_limiter_try_acquire(test.limiter));
        ASSERT_OK(weft_sleep(WEFT_MS(250)));
    }
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(test.n, 50);
    for (int i = 0; i < 50; i++) {
        ASSERT_INT_EQ(test.order[i], i);
        ASSERT_INT_EQ(test.at[i], i < 2 ? 0 : WEFT_MS(250) * (i - 1));
    }
    weft_rate_limiter_free(test.limiter);
}

static int cancel_scope_later(void *arg)
{
    int err = weft_sleep(WEFT_MS(1500));
    weft_scope_cancel(arg, "not wanted any more");
    return err;
}

VIRTUAL_TEST(limiter_cancelled_waiter_leaves_its_place_to_those_behind)
{
    struct queue_test test = {.limiter = make(1, WEFT_SEC(1), 1), .start = weft_now()};
    struct member members[8];
    weft_group group;
    weft_group doomed;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++) {
        members[i] = (struct member){.test = &test, .id = i};
        ASSERT_OK(weft_group_spawn(&group, member_run, &members[i]));
    }
    ASSERT_OK(weft_group_init(&doomed, NULL));
    for (int i = 3; i < 6; i++) {
        members[i] = (struct member){.test = &test, .id = i};
        ASSERT_OK(weft_group_spawn(&doomed, member_run, &members[i]));
    }
    for (int i = 6; i < 8; i++) {
        members[i] = (struct member){.test = &test, .id = i};
        ASSERT_OK(weft_group_spawn(&group, member_run, &members[i]));
    }
    ASSERT_OK(weft_group_spawn(&group, cancel_scope_later, &doomed));
    ASSERT_OK(weft_group_wait(&doomed));
    ASSERT_OK(weft_group_wait(&group));
    static const int order[] = {0, 1, 2, 6, 7};
    ASSERT_INT_EQ(test.n, 5);
    for (int i = 0; i < 5; i++) {
        ASSERT_INT_EQ(test.order[i], order[i]);
        ASSERT_INT_EQ(test.at[i], WEFT_SEC(i));
    }
    for (int i = 3; i < 6; i++)
        ASSERT_INT_EQ(members[i].result, -ECANCELED);
    weft_rate_limiter_free(test.limiter);
}

VIRTUAL_TEST(limiter_whose_only_waiter_was_cancelled_is_as_before)
{
    weft_rate_limiter *limiter = make(1, WEFT_SEC(1), 1);
    weft_scope scope;
    int64_t start = weft_now();
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    for (int i = 0; i < 5; i++) {
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, 2);
        int err = weft_rate_limiter_acquire(limiter);
        weft_testing_cancel_at(NULL, 0);
        ASSERT_INT_EQ(err, -ECANCELED);
        ASSERT_STR_HAS(weft_error_message(), "cancelled by the test");
        ASSERT_OK(weft_scope_exit(&scope, err));
    }
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_in_a_cancelled_scope_takes_nothing)
{
    weft_rate_limiter *limiter = make(1, WEFT_SEC(1), 1);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, NULL);
    ASSERT_ERR(weft_rate_limiter_acquire(limiter), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    weft_rate_limiter_free(limiter);
}

/* ---- the theorems, over random histories ---- */

enum { GRANTS_MAX = 400 };

struct history {
    weft_rate_limiter *limiter;
    struct weft__rand rand;
    int64_t grants[GRANTS_MAX];
    int n;
    int64_t pause; /* longest pause of a caller */
    int next_ticket;
    int next_served;
};

/* Comes after a random pause, waits with a random timeout, or only tries. */
static int caller(void *arg)
{
    struct history *history = arg;
    for (int i = 0; i < 8; i++) {
        uint64_t draw = weft__rand_next(&history->rand);
        int64_t pause = (int64_t)weft__rand_below(draw, (uint64_t)history->pause);
        if ((draw & 3) != 0)
            weft_sleep(pause);
        bool got;
        if ((draw & 12) == 0) {
            got = weft_rate_limiter_try_acquire(history->limiter);
        } else {
            weft_scope scope;
            bool hurried = (draw & 48) == 0;
            weft_scope_enter(&scope, WEFT_FOREVER);
            if (hurried)
                weft_testing_cancel_at(&scope, 1 + (draw >> 40) % 8);
            int err = weft_rate_limiter_acquire(history->limiter);
            got = err == 0;
            if (hurried)
                weft_testing_cancel_at(NULL, 0);
            weft_scope_exit(&scope, err);
        }
        if (got)
            history->grants[history->n++] = weft_now();
    }
    return 0;
}

/*
 * Any window that begins and ends with a grant sees at most burst + rate * length of them, to
 * the nanosecond that the clock can tell.
 */
static void check_windows(const struct history *history, uint32_t permits, int64_t period,
                          uint32_t burst)
{
    for (int i = 0; i < history->n; i++) {
        for (int j = i; j < history->n; j++) {
            __int128 span = history->grants[j] - history->grants[i];
            __int128 allowed = burst + (span + 1) * permits / period;
            if (j - i + 1 > allowed)
                FAIL("%d permits in %jd ns, %jd are allowed", j - i + 1, (intmax_t)span,
                     (intmax_t)allowed);
        }
    }
}

static int one_history(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    struct history history = {0};
    weft__rand_init(&history.rand, seed);
    uint32_t permits = 1 + (uint32_t)weft__rand_below(weft__rand_next(&history.rand), 20);
    int64_t period = 1 + (int64_t)weft__rand_below(weft__rand_next(&history.rand), WEFT_SEC(3));
    uint32_t burst = 1 + (uint32_t)weft__rand_below(weft__rand_next(&history.rand), 6);
    history.limiter = make(permits, period, burst);
    history.pause = 1 + period * 8 / permits;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 6; i++)
        ASSERT_OK(weft_group_spawn(&group, caller, &history));
    ASSERT_OK(weft_group_wait(&group));
    check_windows(&history, permits, period, burst);
    weft_rate_limiter_free(history.limiter);
    return 0;
}

TEST_WITH(limiter_window_never_sees_more_than_burst_and_rate, .limit_s = 60)
{
    for (uint64_t seed = 1; seed <= 1000; seed++)
        ASSERT_OK(weft_run_with(one_history, &seed,
                                WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = seed)));
}

struct flood {
    weft_rate_limiter *limiter;
    int n;
};

static int flood_worker(void *arg)
{
    struct flood *flood = arg;
    while (flood->n-- > 0) {
        int err = weft_rate_limiter_acquire(flood->limiter);
        if (err < 0)
            return err;
    }
    return 0;
}

/* With waiters all the time, n permits beyond the burst take just n intervals. */
static int one_flood(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    struct weft__rand rand;
    weft__rand_init(&rand, seed);
    uint32_t permits = 1 + (uint32_t)weft__rand_below(weft__rand_next(&rand), 1000);
    uint32_t burst = 1 + (uint32_t)weft__rand_below(weft__rand_next(&rand), 20);
    int64_t period = 1 + (int64_t)weft__rand_below(weft__rand_next(&rand), WEFT_SEC(100));
    int n = 200;
    struct flood flood = {.limiter = make(permits, period, burst), .n = n + (int)burst};
    int64_t start = weft_now();
    weft_call calls[5];
    for (int i = 0; i < 5; i++)
        calls[i] = (weft_call){flood_worker, &flood};
    ASSERT_OK(weft_gather(calls, 5, NULL));
    __int128 ideal = ((__int128)n * period + permits - 1) / permits;
    ASSERT_INT_EQ(weft_now() - start, (int64_t)ideal);
    weft_rate_limiter_free(flood.limiter);
    return 0;
}

TEST_WITH(limiter_long_run_rate_is_reached, .limit_s = 60)
{
    for (uint64_t seed = 1; seed <= 1000; seed++)
        ASSERT_OK(weft_run_with(one_flood, &seed,
                                WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = seed)));
}

/* On a real clock timers are late; lateness must not add up. */
TASK_TEST(limiter_lateness_does_not_lower_the_rate)
{
    weft_rate_limiter *limiter = make(20000, WEFT_SEC(1), 1);
    struct flood flood = {.limiter = limiter, .n = 2001};
    weft_call calls[100];
    for (int i = 0; i < 100; i++)
        calls[i] = (weft_call){flood_worker, &flood};
    int64_t start = weft_now();
    ASSERT_OK(weft_gather(calls, 100, NULL));
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(100));
    weft_rate_limiter_free(limiter);
}

/* ---- faults ---- */

VIRTUAL_TEST(limiter_without_memory_fails_and_takes_nothing)
{
    weft_rate_limiter *limiter = NULL;
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft_rate_limiter_new(WEFT_RATE(.permits = 1), &limiter), -ENOMEM);
    ASSERT(limiter == NULL);
    limiter = make(1, WEFT_SEC(1), 1);
    int64_t start = weft_now();
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    weft_testing_fail_alloc(1, true);
    int err = weft_rate_limiter_acquire(limiter);
    weft_testing_fail_alloc(0, false);
    ASSERT(err == 0 || err == -ENOMEM);
    while (weft_now() < start + WEFT_SEC(1))
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_EQ(weft_now(), start + WEFT_SEC(1));
    weft_rate_limiter_free(limiter);
}

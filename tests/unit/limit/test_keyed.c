/* A rate for each key, and one for all threads. */
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "fault.h"
#include "limit_test.h"

static weft_keyed_limiter *make(const weft_rate_limiter_options *rate, size_t max_keys)
{
    weft_keyed_limiter *keyed;
    ASSERT_OK(weft_keyed_limiter_new(WEFT_KEYED(.rate = rate, .max_keys = max_keys), &keyed));
    return keyed;
}

static weft_limit_state state_of(const weft_keyed_limiter *keyed)
{
    weft_limit_state state;
    weft_keyed_limiter_get_state(keyed, &state);
    return state;
}

static const char *name(int i)
{
    static char names[8][32];
    static int next;
    char *text = names[next++ % 8];
    snprintf(text, sizeof names[0], "host-%d.example.com", i);
    return text;
}

/* ---- keys ---- */

VIRTUAL_TEST(keyed_limiter_keeps_each_key_apart)
{
    weft_keyed_limiter *keyed = make(WEFT_RATE(.permits = 1), 0);
    int64_t start = weft_now();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            ASSERT_OK(weft_keyed_limiter_acquire(keyed, name(i), 1));
            ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(round));
        }
    }
    ASSERT_INT_EQ(state_of(keyed).in_use, 500);
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, name(7), 1));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, "another", 1));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, "", 1));
    ASSERT_ERR(weft_keyed_limiter_acquire(keyed, "", 2), -EINVAL);
    weft_keyed_limiter_free(keyed);
    weft_keyed_limiter_free(NULL);
}

VIRTUAL_TEST(keyed_limiter_forgets_the_least_recently_used)
{
    weft_keyed_limiter *keyed = make(WEFT_RATE(.permits = 1, .period = WEFT_SEC(1000)), 3);
    for (int i = 0; i < 3; i++)
        ASSERT(weft_keyed_limiter_try_acquire(keyed, name(i), 1));
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, name(0), 1));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, name(3), 1)); /* instead of 1 */
    ASSERT_INT_EQ(state_of(keyed).in_use, 3);
    ASSERT_INT_EQ(state_of(keyed).evicted, 1);
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, name(0), 1));
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, name(2), 1));
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, name(3), 1));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, name(1), 1));
    weft_keyed_limiter_free(keyed);
}

struct waiter {
    weft_keyed_limiter *keyed;
    const char *key;
};

static int wait_for_key(void *arg)
{
    struct waiter *waiter = arg;
    return weft_keyed_limiter_acquire(waiter->keyed, waiter->key, 1);
}

VIRTUAL_TEST(keyed_limiter_does_not_forget_a_key_that_is_waited_for)
{
    weft_keyed_limiter *keyed = make(WEFT_RATE(.permits = 1), 2);
    weft_group group;
    struct waiter waiters[] = {{keyed, "a"}, {keyed, "b"}};
    ASSERT(weft_keyed_limiter_try_acquire(keyed, "a", 1));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, "b", 1));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(weft_group_spawn(&group, wait_for_key, &waiters[i]));
    ASSERT_ERR(weft_keyed_limiter_acquire(keyed, "c", 1), WEFT_EQUEUE_FULL);
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, "c", 1));
    ASSERT_INT_EQ(state_of(keyed).rejected, 2);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, "c", 1));
    weft_keyed_limiter_free(keyed);
}

VIRTUAL_TEST(keyed_limiter_copies_a_chain_of_rates)
{
    weft_keyed_limiter *keyed;
    {
        weft_rate_limiter_options day = {
            .size = sizeof day, .permits = 3, .period = WEFT_SEC(86400), .window = true};
        weft_rate_limiter_options second = {.size = sizeof second, .permits = 1, .also = &day};
        keyed = make(&second, 0);
        memset(&day, 0xff, sizeof day);
        memset(&second, 0xff, sizeof second);
    }
    int64_t start = weft_now();
    for (int i = 0; i < 4; i++)
        ASSERT_OK(weft_keyed_limiter_acquire(keyed, "k", 1));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(86400));
    weft_keyed_limiter_free(keyed);
    ASSERT_ERR(weft_keyed_limiter_new(NULL, &keyed), -EINVAL);
    ASSERT_ERR(weft_keyed_limiter_new(WEFT_KEYED(.max_keys = 1), &keyed), -EINVAL);
}

VIRTUAL_TEST(keyed_limiter_feedback_is_for_one_key)
{
    weft_keyed_limiter *keyed = make(WEFT_RATE(.permits = 10), 0);
    weft_keyed_limiter_feed(keyed, "a", WEFT_FEEDBACK(.status = 429, .retry_after = "5"));
    ASSERT(!weft_keyed_limiter_try_acquire(keyed, "a", 1));
    ASSERT(weft_keyed_limiter_try_acquire(keyed, "b", 1));
    int64_t start = weft_now();
    ASSERT_OK(weft_keyed_limiter_acquire(keyed, "a", 1));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(5));
    weft_keyed_limiter_free(keyed);
}

/* ---- keys that share a rate ---- */

struct key_mode {
    weft_keyed_limiter *keyed;
    struct history all;
    struct history keys[3];
    int64_t pause;
};

static int key_caller(void *arg)
{
    static const char *const names[] = {"a", "b", "c"};
    struct key_mode *mode = arg;
    struct weft__rand *rand = &mode->all.rand;
    for (int i = 0; i < 8; i++) {
        uint64_t key = draw_below(rand, 3);
        uint32_t n = 1 + (uint32_t)draw_below(rand, 3);
        uint64_t way = draw_below(rand, 4);
        weft_sleep((int64_t)draw_below(rand, (uint64_t)mode->pause));
        if (draw_below(rand, 10) == 0)
            weft_keyed_limiter_feed(mode->keyed, names[key],
                                    WEFT_FEEDBACK(.status = 429, .retry_after = "1"));
        int err = 0;
        if (way == 0) {
            err = weft_keyed_limiter_try_acquire(mode->keyed, names[key], n) ? 0 : -EAGAIN;
        } else {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_FOREVER);
            if (way == 1)
                weft_testing_cancel_at(&scope, 1 + draw_below(rand, 8));
            err = weft_keyed_limiter_acquire(mode->keyed, names[key], n);
            weft_testing_cancel_at(NULL, 0);
            weft_scope_exit(&scope, err);
        }
        if (err < 0)
            continue;
        record(&mode->all, n);
        record(&mode->keys[key], n);
    }
    return 0;
}

static int one_shared_rate(void *arg)
{
    static struct key_mode mode;
    mode = (struct key_mode){0};
    struct weft__rand *rand = &mode.all.rand;
    weft__rand_init(rand, *(uint64_t *)arg);
    uint32_t permits = 3 + (uint32_t)draw_below(rand, 20);
    uint32_t burst = 3 + (uint32_t)draw_below(rand, 5);
    uint32_t window = 3 + (uint32_t)draw_below(rand, 5);
    int64_t period = 1 + (int64_t)draw_below(rand, WEFT_SEC(2));
    mode.keyed = NULL;
    mode.pause = 1 + (int64_t)draw_below(rand, WEFT_SEC(2));
    ASSERT_OK(weft_keyed_limiter_new(
        WEFT_KEYED(.rate = WEFT_RATE(.permits = window, .period = period, .window = true),
                   .all = WEFT_RATE(.permits = permits, .burst = burst)),
        &mode.keyed));
    weft_call calls[8];
    for (int i = 0; i < 8; i++)
        calls[i] = (weft_call){key_caller, &mode};
    ASSERT_OK(weft_gather(calls, 8, NULL));
    check_rate(&mode.all, permits, WEFT_SEC(1), burst);
    for (int i = 0; i < 3; i++)
        check_window(&mode.keys[i], window, period);
    weft_keyed_limiter_free(mode.keyed);
    return 0;
}

TEST_WITH(keyed_limiter_keeps_each_rate_and_that_of_all, .limit_s = 60)
{
    for_all_seeds(one_shared_rate);
}

static int use_keys(void *arg)
{
    (void)arg;
    WEFT_AUTO(weft_keyed_limiter) *keyed = NULL;
    int err = weft_keyed_limiter_new(
        WEFT_KEYED(.rate = WEFT_RATE(.permits = 5, .window = true), .max_keys = 20), &keyed);
    for (int i = 0; i < 60 && err == 0; i++)
        err = weft_keyed_limiter_acquire(keyed, name(i % 30), 1 + (uint32_t)i % 5);
    struct waiter waiters[] = {{keyed, "a"}, {keyed, "a"}, {keyed, "b"}, {keyed, "a"}};
    weft_call calls[4];
    for (int i = 0; i < 4; i++)
        calls[i] = (weft_call){wait_for_key, &waiters[i]};
    return err < 0 ? err : weft_gather(calls, 4, NULL);
}

TEST_WITH(keyed_limiter_survives_every_fault, .limit_s = 60)
{
    FAULTS(use_keys, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

/* ---- for all threads, as one task sees it ---- */

static weft_shared_limiter *shared_of(uint32_t permits, int64_t period, uint32_t burst)
{
    weft_shared_limiter *limiter;
    ASSERT_OK(weft_shared_limiter_new(
        WEFT_RATE(.permits = permits, .period = period, .burst = burst), &limiter));
    return limiter;
}

struct shared_mode {
    weft_shared_limiter *limiter;
    struct history history;
    uint32_t burst;
    int64_t pause;
};

static int shared_caller(void *arg)
{
    struct shared_mode *mode = arg;
    struct weft__rand *rand = &mode->history.rand;
    for (int i = 0; i < 8; i++) {
        uint32_t n = 1 + (uint32_t)draw_below(rand, mode->burst);
        int64_t delay;
        weft_sleep((int64_t)draw_below(rand, (uint64_t)mode->pause));
        uint64_t way = draw_below(rand, 4);
        if (way == 0 && weft_shared_limiter_try_acquire(mode->limiter, n)) {
            record(&mode->history, n);
        } else if (way == 1 &&
                   weft_shared_limiter_reserve(mode->limiter, n, mode->pause, &delay) == 0) {
            ASSERT_INT_LE(delay, mode->pause);
            weft_sleep(delay);
            record(&mode->history, n);
        } else if (way == 2) {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_FOREVER);
            weft_testing_cancel_at(&scope, 1 + draw_below(rand, 6));
            int err = weft_shared_limiter_acquire(mode->limiter, n);
            weft_testing_cancel_at(NULL, 0);
            weft_scope_exit(&scope, err);
            if (err == 0)
                record(&mode->history, n);
        } else if (way == 3) {
            ASSERT_OK(weft_shared_limiter_acquire(mode->limiter, n));
            record(&mode->history, n);
        }
    }
    return 0;
}

static int one_shared(void *arg)
{
    struct shared_mode mode = {0};
    struct weft__rand *rand = &mode.history.rand;
    weft__rand_init(rand, *(uint64_t *)arg);
    uint32_t permits = 1 + (uint32_t)draw_below(rand, 20);
    int64_t period = 1 + (int64_t)draw_below(rand, WEFT_SEC(3));
    mode.burst = 1 + (uint32_t)draw_below(rand, 6);
    mode.limiter = shared_of(permits, period, mode.burst);
    mode.pause = 1 + period * 8 / permits;
    weft_call calls[6];
    for (int i = 0; i < 6; i++)
        calls[i] = (weft_call){shared_caller, &mode};
    ASSERT_OK(weft_gather(calls, 6, NULL));
    check_rate(&mode.history, permits, period, mode.burst);
    weft_shared_limiter_free(mode.limiter);
    return 0;
}

TEST_WITH(shared_limiter_keeps_burst_and_rate, .limit_s = 60)
{
    for_all_seeds(one_shared);
}

VIRTUAL_TEST(shared_limiter_slots_follow_each_other)
{
    weft_shared_limiter *limiter = shared_of(10, 0, 3);
    weft_limit_state state;
    int64_t delay;
    weft_shared_limiter_get_state(limiter, &state);
    ASSERT_INT_EQ(state.available, 3);
    ASSERT(weft_shared_limiter_try_acquire(limiter, 3));
    ASSERT(!weft_shared_limiter_try_acquire(limiter, 1));
    ASSERT(!weft_shared_limiter_try_acquire(limiter, 4));
    ASSERT(weft_shared_limiter_try_acquire(limiter, 0));
    ASSERT_OK(weft_shared_limiter_reserve(limiter, 1, WEFT_FOREVER, &delay));
    ASSERT_INT_EQ(delay, WEFT_MS(100));
    ASSERT_ERR(weft_shared_limiter_reserve(limiter, 1, WEFT_MS(199), &delay), -ETIMEDOUT);
    ASSERT_OK(weft_shared_limiter_reserve(limiter, 1, WEFT_MS(200), &delay));
    ASSERT_INT_EQ(delay, WEFT_MS(200));
    ASSERT_ERR(weft_shared_limiter_reserve(limiter, 4, WEFT_FOREVER, &delay), -EINVAL);
    ASSERT_ERR(weft_shared_limiter_acquire(limiter, 4), -EINVAL);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(300));
    int err = weft_shared_limiter_acquire(limiter, 1);
    ASSERT_ERR(err, -ETIMEDOUT);
    weft_scope_exit(&scope, err);
    int64_t start = weft_now();
    ASSERT_OK(weft_shared_limiter_acquire(limiter, 1));
    ASSERT_INT_EQ(weft_now() - start, WEFT_MS(300));
    weft_shared_limiter_get_state(limiter, &state);
    ASSERT_INT_EQ(state.available, 0);
    ASSERT_INT_EQ(state.next, WEFT_MS(100));
    ASSERT_INT_EQ(state.rejected, 2);
    weft_shared_limiter_free(limiter);
}

VIRTUAL_TEST(shared_limiter_cancelled_last_slot_is_given_back)
{
    weft_shared_limiter *limiter = shared_of(1, 0, 1);
    weft_scope scope;
    int64_t start = weft_now();
    ASSERT_OK(weft_shared_limiter_acquire(limiter, 1));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, 3);
    int err = weft_shared_limiter_acquire(limiter, 1);
    weft_testing_cancel_at(NULL, 0);
    ASSERT_ERR(err, -ECANCELED);
    weft_scope_exit(&scope, err);
    ASSERT_OK(weft_shared_limiter_acquire(limiter, 1));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    weft_shared_limiter_free(limiter);
}

TEST(shared_limiter_options_are_checked)
{
    weft_shared_limiter *limiter = NULL;
    ASSERT_ERR(weft_shared_limiter_new(NULL, &limiter), -EINVAL);
    ASSERT_ERR(weft_shared_limiter_new(WEFT_RATE(.permits = 1, .window = true), &limiter), -EINVAL);
    ASSERT_ERR(weft_shared_limiter_new(WEFT_RATE(.permits = 1, .queue = 1), &limiter), -EINVAL);
    ASSERT_ERR(weft_shared_limiter_new(WEFT_RATE(.permits = 1, .period = -1), &limiter), -EINVAL);
    ASSERT_ERR(
        weft_shared_limiter_new(
            WEFT_RATE(.permits = 1, .period = WEFT_SEC(3600), .burst = UINT32_MAX), &limiter),
        -EINVAL);
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft_shared_limiter_new(WEFT_RATE(.permits = 1), &limiter), -ENOMEM);
    weft_shared_limiter_free(NULL);
}

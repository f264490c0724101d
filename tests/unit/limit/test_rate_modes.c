/* Weights, exact windows, several rates at once, reservations, bounds, changes while waited for. */
#include <weft/error.h>

#include "fault.h"
#include "limit_test.h"

static weft_rate_limiter *make(const weft_rate_limiter_options *options)
{
    weft_rate_limiter *limiter;
    ASSERT_OK(weft_rate_limiter_new(options, &limiter));
    return limiter;
}

static weft_limit_state state_of(weft_rate_limiter *limiter)
{
    weft_limit_state state;
    weft_rate_limiter_get_state(limiter, &state);
    return state;
}

/* ---- the theorems ---- */

struct mode {
    weft_rate_limiter *limiter;
    struct history history;
    uint32_t most;
    int64_t pause;
};

static bool reserve_one(struct mode *mode, uint32_t n)
{
    weft_reservation *reservation;
    ASSERT_OK(weft_rate_limiter_reserve(mode->limiter, n, &reservation));
    bool use = draw_below(&mode->history.rand, 2) == 0;
    int64_t delay;
    while (use && (delay = weft_reservation_delay(reservation)) > 0)
        ASSERT_OK(weft_sleep(delay));
    if (use)
        record(&mode->history, n);
    weft_reservation_free(reservation);
    return use;
}

/* Comes after a random pause and tries, reserves, or waits, with or without a deadline. */
static int caller(void *arg)
{
    struct mode *mode = arg;
    struct weft__rand *rand = &mode->history.rand;
    for (int i = 0; i < 8; i++) {
        uint32_t n = 1 + (uint32_t)draw_below(rand, mode->most);
        if (draw_below(rand, 4) != 0)
            weft_sleep((int64_t)draw_below(rand, (uint64_t)mode->pause));
        weft_scope scope;
        int err = 0;
        switch (draw_below(rand, 5)) {
        case 0:
            if (weft_rate_limiter_try_acquire_n(mode->limiter, n))
                record(&mode->history, n);
            break;
        case 1:
            reserve_one(mode, n);
            break;
        case 2:
            weft_scope_enter(&scope, (int64_t)draw_below(rand, (uint64_t)mode->pause));
            err = weft_rate_limiter_acquire_n(mode->limiter, n);
            if (err == 0)
                record(&mode->history, n);
            err = weft_scope_exit(&scope, err);
            ASSERT(err == 0 || err == -ETIMEDOUT);
            break;
        default:
            ASSERT_OK(weft_rate_limiter_acquire_n(mode->limiter, n));
            record(&mode->history, n);
        }
    }
    return 0;
}

static void run_callers(struct mode *mode)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 6; i++)
        ASSERT_OK(weft_group_spawn(&group, caller, mode));
    ASSERT_OK(weft_group_wait(&group));
    weft_rate_limiter_free(mode->limiter);
}

static int one_weighted(void *arg)
{
    struct mode mode = {0};
    struct weft__rand *rand = &mode.history.rand;
    weft__rand_init(rand, *(uint64_t *)arg);
    uint32_t permits = 1 + (uint32_t)draw_below(rand, 20);
    int64_t period = 1 + (int64_t)draw_below(rand, WEFT_SEC(3));
    uint32_t burst = 1 + (uint32_t)draw_below(rand, 12);
    mode.limiter = make(WEFT_RATE(.permits = permits, .period = period, .burst = burst));
    mode.most = burst;
    mode.pause = 1 + period * 8 / permits;
    run_callers(&mode);
    check_rate(&mode.history, permits, period, burst);
    return 0;
}

TEST_WITH(limiter_with_weights_keeps_burst_and_rate, .limit_s = 60)
{
    for_all_seeds(one_weighted);
}

static int one_window(void *arg)
{
    struct mode mode = {0};
    struct weft__rand *rand = &mode.history.rand;
    weft__rand_init(rand, *(uint64_t *)arg);
    uint32_t permits = 1 + (uint32_t)draw_below(rand, 12);
    int64_t period = 1 + (int64_t)draw_below(rand, WEFT_SEC(3));
    mode.limiter = make(WEFT_RATE(.permits = permits, .period = period, .window = true));
    mode.most = permits;
    mode.pause = 1 + period * 8 / permits;
    run_callers(&mode);
    check_window(&mode.history, permits, period);
    return 0;
}

TEST_WITH(limiter_window_is_exact, .limit_s = 60)
{
    for_all_seeds(one_window);
}

static int one_composite(void *arg)
{
    struct mode mode = {0};
    struct weft__rand *rand = &mode.history.rand;
    weft__rand_init(rand, *(uint64_t *)arg);
    uint32_t permits = 1 + (uint32_t)draw_below(rand, 20);
    int64_t period = 1 + (int64_t)draw_below(rand, WEFT_SEC(3));
    uint32_t burst = 1 + (uint32_t)draw_below(rand, 6);
    uint32_t window = burst + (uint32_t)draw_below(rand, 20);
    int64_t long_period = 1 + (int64_t)draw_below(rand, WEFT_SEC(30));
    mode.limiter = make(
        WEFT_RATE(.permits = permits, .period = period, .burst = burst,
                  .also = WEFT_RATE(.permits = window, .period = long_period, .window = true)));
    mode.most = burst;
    mode.pause = 1 + period * 8 / permits;
    run_callers(&mode);
    check_rate(&mode.history, permits, period, burst);
    check_window(&mode.history, window, long_period);
    return 0;
}

TEST_WITH(limiter_of_two_rates_keeps_both, .limit_s = 60)
{
    for_all_seeds(one_composite);
}

/* With somebody waiting all the time a window gives all it has, as soon as it may. */
VIRTUAL_TEST(limiter_window_is_used_up_to_its_edge)
{
    weft_rate_limiter *limiter =
        make(WEFT_RATE(.permits = 4, .period = WEFT_SEC(8), .window = true));
    int64_t start = weft_now();
    for (int i = 0; i < 40; i++) {
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
        ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(8) * (i / 4));
    }
    weft_rate_limiter_free(limiter);
}

/* ---- weights ---- */

VIRTUAL_TEST(limiter_more_than_the_burst_can_never_be_had)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 10, .burst = 3));
    weft_reservation *reservation;
    ASSERT_ERR(weft_rate_limiter_acquire_n(limiter, 4), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "4 permits");
    ASSERT_ERR(weft_rate_limiter_reserve(limiter, 4, &reservation), -EINVAL);
    ASSERT_ERR(weft_rate_limiter_reserve(limiter, 0, &reservation), -EINVAL);
    ASSERT(!weft_rate_limiter_try_acquire_n(limiter, 4));
    ASSERT(weft_rate_limiter_try_acquire_n(limiter, 0));
    ASSERT_OK(weft_rate_limiter_acquire_n(limiter, 0));
    ASSERT(weft_rate_limiter_try_acquire_n(limiter, 3));
    ASSERT(!weft_rate_limiter_try_acquire(limiter));
    weft_rate_limiter_free(limiter);
}

struct arrival {
    weft_rate_limiter *limiter;
    uint32_t n;
    int64_t start;
    int64_t at; /* when it was served, ns after start; -1 */
    int result;
};

static int arrive(void *arg)
{
    struct arrival *arrival = arg;
    arrival->at = -1;
    arrival->result = weft_rate_limiter_acquire_n(arrival->limiter, arrival->n);
    if (arrival->result == 0)
        arrival->at = weft_now() - arrival->start;
    return 0;
}

static void spawn_arrivals(weft_group *group, struct arrival *arrivals, const uint32_t *n,
                           int count, weft_rate_limiter *limiter)
{
    ASSERT_OK(weft_group_init(group, NULL));
    for (int i = 0; i < count; i++) {
        arrivals[i] = (struct arrival){.limiter = limiter, .n = n[i], .start = weft_now()};
        ASSERT_OK(weft_group_spawn(group, arrive, &arrivals[i]));
    }
}

/* aiolimiter serves small requests first, and large ones never. */
VIRTUAL_TEST(limiter_heavy_request_is_not_overtaken)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1, .burst = 5));
    static const uint32_t n[] = {5, 5, 1, 1, 4, 1};
    static const int64_t at[] = {0, 5, 6, 7, 11, 12};
    struct arrival arrivals[6];
    weft_group group;
    spawn_arrivals(&group, arrivals, n, 6, limiter);
    ASSERT_INT_EQ(state_of(limiter).waiting, 5);
    ASSERT_INT_EQ(state_of(limiter).next, WEFT_SEC(13));
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < 6; i++)
        ASSERT_INT_EQ(arrivals[i].at, WEFT_SEC(at[i]));
    ASSERT_INT_EQ(state_of(limiter).granted, 17);
    weft_rate_limiter_free(limiter);
}

static int cancel_after_a_second(void *arg)
{
    int err = weft_sleep(WEFT_SEC(1));
    weft_group_cancel(arg, "enough");
    return err;
}

/* A heavy first leaves: the light ones behind it are due at once. */
VIRTUAL_TEST(limiter_cancelled_heavy_request_lets_light_ones_go)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1, .burst = 10));
    weft_group heavy;
    weft_group light;
    weft_group canceller;
    struct arrival arrivals[3];
    static const uint32_t ten = 10;
    ASSERT(weft_rate_limiter_try_acquire_n(limiter, 10));
    ASSERT_OK(weft_group_init(&canceller, NULL));
    ASSERT_OK(weft_group_init(&light, NULL));
    spawn_arrivals(&heavy, arrivals, &ten, 1, limiter);
    for (int i = 1; i < 3; i++) {
        arrivals[i] = (struct arrival){.limiter = limiter, .n = 1, .start = weft_now()};
        ASSERT_OK(weft_group_spawn(&light, arrive, &arrivals[i]));
    }
    ASSERT_OK(weft_group_spawn(&canceller, cancel_after_a_second, &heavy));
    weft_group_wait(&heavy);
    ASSERT_OK(weft_group_wait(&light));
    ASSERT_OK(weft_group_wait(&canceller));
    ASSERT_INT_EQ(arrivals[0].result, -ECANCELED);
    ASSERT_INT_EQ(arrivals[1].at, WEFT_SEC(1));
    ASSERT_INT_EQ(arrivals[2].at, WEFT_SEC(2));
    weft_rate_limiter_free(limiter);
}

/* ---- reservations ---- */

VIRTUAL_TEST(reservation_says_its_time_and_holds_its_place)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1));
    weft_reservation *first;
    weft_reservation *second;
    ASSERT_OK(weft_rate_limiter_reserve(limiter, 1, &first));
    ASSERT_INT_EQ(weft_reservation_delay(first), 0);
    ASSERT_OK(weft_rate_limiter_reserve(limiter, 1, &second));
    ASSERT_INT_EQ(weft_reservation_delay(second), WEFT_SEC(1));
    ASSERT(!weft_rate_limiter_try_acquire(limiter));
    int64_t start = weft_now();
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_INT_EQ(weft_reservation_delay(second), 0);
    weft_reservation_free(first);
    weft_reservation_free(second);
    weft_reservation_free(NULL);
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(reservation_given_up_before_its_time_costs_nothing)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1, .burst = 4));
    weft_reservation *reservation;
    int64_t start = weft_now();
    ASSERT(weft_rate_limiter_try_acquire_n(limiter, 4));
    ASSERT_OK(weft_rate_limiter_reserve(limiter, 4, &reservation));
    ASSERT_INT_EQ(weft_reservation_delay(reservation), WEFT_SEC(4));
    static const uint32_t one = 1;
    struct arrival arrival;
    weft_group group;
    spawn_arrivals(&group, &arrival, &one, 1, limiter);
    ASSERT_OK(weft_sleep(WEFT_MS(500)));
    weft_reservation_free(reservation);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    weft_rate_limiter_free(limiter);
}

/* Those ahead leave; the holder was told its time and does not come before it. */
VIRTUAL_TEST(reservation_is_not_moved_up_and_never_later)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1));
    weft_reservation *reservations[4];
    for (int i = 0; i < 4; i++) {
        ASSERT_OK(weft_rate_limiter_reserve(limiter, 1, &reservations[i]));
        ASSERT_INT_EQ(weft_reservation_delay(reservations[i]), WEFT_SEC(i));
    }
    weft_reservation_free(reservations[1]);
    weft_reservation_free(reservations[2]);
    ASSERT_INT_EQ(weft_reservation_delay(reservations[3]), WEFT_SEC(3));
    int64_t start = weft_now();
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(4));
    weft_reservation_free(reservations[0]);
    weft_reservation_free(reservations[3]);
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(reservation_is_put_off_by_a_pause)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1));
    weft_reservation *reservation;
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    ASSERT_OK(weft_rate_limiter_reserve(limiter, 1, &reservation));
    weft_rate_limiter_pause(limiter, WEFT_SEC(5));
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(weft_reservation_delay(reservation), WEFT_SEC(4));
    ASSERT_OK(weft_sleep(WEFT_SEC(4)));
    ASSERT_INT_EQ(weft_reservation_delay(reservation), 0);
    weft_reservation_free(reservation);
    weft_rate_limiter_free(limiter);
}

/* A reservation may outlive the loop that it was made in. */
static weft_reservation *left_over;

static int make_reservation(void *arg)
{
    ASSERT(weft_rate_limiter_try_acquire(arg));
    return weft_rate_limiter_reserve(arg, 1, &left_over);
}

TEST(reservation_needs_no_loop)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1));
    ASSERT_OK(weft_run(make_reservation, limiter));
    weft_reservation_free(left_over);
    weft_rate_limiter_free(limiter);
}

/* ---- bounds, deadlines, changes ---- */

VIRTUAL_TEST(limiter_queue_at_its_bound_rejects)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1, .queue = 2));
    static const uint32_t ones[] = {1, 1, 1, 1};
    struct arrival arrivals[4];
    weft_reservation *reservation;
    weft_group group;
    spawn_arrivals(&group, arrivals, ones, 4, limiter);
    ASSERT_INT_EQ(arrivals[3].result, WEFT_EQUEUE_FULL);
    ASSERT_ERR(weft_rate_limiter_reserve(limiter, 1, &reservation), WEFT_EQUEUE_FULL);
    ASSERT_STR_HAS(weft_error_message(), "2 already wait for the rate limiter");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(arrivals[2].at, WEFT_SEC(2));
    ASSERT_INT_EQ(state_of(limiter).rejected, 2);
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_deadline_counts_the_weights_ahead)
{
    const weft_rate_limiter_options *kinds[] = {
        WEFT_RATE(.permits = 1, .burst = 4),
        WEFT_RATE(.permits = 4, .period = WEFT_SEC(4), .window = true),
    };
    for (int kind = 0; kind < 2; kind++) {
        weft_rate_limiter *limiter = make(kinds[kind]);
        static const uint32_t n[] = {4, 4, 4};
        struct arrival arrivals[3];
        weft_group group;
        weft_scope scope;
        spawn_arrivals(&group, arrivals, n, 3, limiter);
        weft_scope_enter(&scope, WEFT_SEC(12));
        int err = weft_rate_limiter_acquire_n(limiter, 4);
        ASSERT_ERR(err, -ETIMEDOUT);
        ASSERT_STR_HAS(weft_error_message(), "12 s");
        weft_scope_exit(&scope, err);
        weft_scope_enter(&scope, WEFT_SEC(12) + 1);
        ASSERT_OK(weft_rate_limiter_acquire_n(limiter, 4));
        ASSERT_OK(weft_scope_exit(&scope, 0));
        ASSERT_OK(weft_group_wait(&group));
        weft_rate_limiter_free(limiter);
    }
}

VIRTUAL_TEST(limiter_new_rate_holds_for_those_who_wait)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 1, .period = WEFT_SEC(100), .burst = 4));
    static const uint32_t n[] = {4, 4, 1, 1};
    struct arrival arrivals[4];
    weft_group group;
    spawn_arrivals(&group, arrivals, n, 4, limiter);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    /* The second waits for more than the new burst: for all of it, and it counts as that. */
    ASSERT_OK(weft_rate_limiter_set_rate(limiter, 1, WEFT_SEC(10), 2));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(arrivals[1].at, WEFT_SEC(400));
    ASSERT_INT_EQ(arrivals[2].at, WEFT_SEC(410));
    ASSERT_INT_EQ(arrivals[3].at, WEFT_SEC(420));
    ASSERT_ERR(weft_rate_limiter_set_rate(limiter, 0, 0, 0), -EINVAL);
    weft_rate_limiter_free(limiter);
    limiter = make(WEFT_RATE(.permits = 1, .window = true));
    ASSERT_ERR(weft_rate_limiter_set_rate(limiter, 1, 0, 0), -EINVAL);
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_pause_keeps_all_waiting)
{
    weft_rate_limiter *limiter = make(WEFT_RATE(.permits = 10));
    int64_t start = weft_now();
    weft_rate_limiter_pause(limiter, WEFT_SEC(3));
    weft_rate_limiter_pause(limiter, WEFT_SEC(1));
    ASSERT(!weft_rate_limiter_try_acquire(limiter));
    ASSERT_INT_EQ(state_of(limiter).available, 0);
    ASSERT_INT_EQ(state_of(limiter).next, WEFT_SEC(3));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
        ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(3) + WEFT_MS(100) * i);
    }
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_state_counts_what_is_there)
{
    weft_rate_limiter *limiter =
        make(WEFT_RATE(.permits = 10, .burst = 5, .also = WEFT_RATE(.permits = 8, .window = true)));
    ASSERT_INT_EQ(state_of(limiter).available, 5);
    ASSERT(weft_rate_limiter_try_acquire_n(limiter, 5));
    ASSERT_INT_EQ(state_of(limiter).available, 0);
    ASSERT_INT_EQ(state_of(limiter).next, WEFT_MS(100));
    ASSERT_OK(weft_sleep(WEFT_MS(500)));
    ASSERT_INT_EQ(state_of(limiter).available, 3);
    ASSERT_INT_EQ(state_of(limiter).granted, 5);
    weft_rate_limiter_free(limiter);
}

TEST(limiter_options_of_windows_and_chains_are_checked)
{
    weft_rate_limiter *limiter = NULL;
    ASSERT_ERR(weft_rate_limiter_new(WEFT_RATE(.permits = 3, .burst = 2, .window = true), &limiter),
               -EINVAL);
    ASSERT_ERR(weft_rate_limiter_new(WEFT_RATE(.permits = 1048577, .window = true), &limiter),
               -EINVAL);
    ASSERT_ERR(weft_rate_limiter_new(WEFT_RATE(.permits = 1, .period = INT64_MAX, .window = true),
                                     &limiter),
               -EINVAL);
    ASSERT_ERR(
        weft_rate_limiter_new(
            WEFT_RATE(.permits = 1, .window = true, .also = WEFT_RATE(.permits = 0)), &limiter),
        -EINVAL);
    weft_rate_limiter_options chain[9];
    for (int i = 0; i < 9; i++) {
        chain[i] = (weft_rate_limiter_options){.size = sizeof chain[i], .permits = 5};
        chain[i].also = i < 8 ? &chain[i + 1] : NULL;
    }
    ASSERT_ERR(weft_rate_limiter_new(chain, &limiter), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "8");
    ASSERT_OK(weft_rate_limiter_new(chain + 1, &limiter));
    weft_rate_limiter_free(limiter);
    ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = 1048576, .window = true), &limiter));
    weft_rate_limiter_free(limiter);
}

/* ---- 40,000 at 20,000 a second, and faults ---- */

struct flood {
    weft_rate_limiter *limiter;
    int left;
};

static int flood_worker(void *arg)
{
    struct flood *flood = arg;
    while (flood->left > 0) {
        flood->left--;
        int err = weft_rate_limiter_acquire(flood->limiter);
        if (err < 0)
            return err;
    }
    return 0;
}

VIRTUAL_TEST(limiter_40000_at_20000_a_second_take_two_seconds)
{
    struct flood flood = {make(WEFT_RATE(.permits = 20000)), 40000};
    weft_call calls[100];
    for (int i = 0; i < 100; i++)
        calls[i] = (weft_call){flood_worker, &flood};
    int64_t start = weft_now();
    ASSERT_OK(weft_gather(calls, 100, NULL));
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2) - WEFT_US(50));
    weft_rate_limiter_free(flood.limiter);
}

static int everything(void *arg)
{
    (void)arg;
    WEFT_AUTO(weft_rate_limiter) *limiter = NULL;
    WEFT_AUTO(weft_reservation) *reservation = NULL;
    int err = weft_rate_limiter_new(
        WEFT_RATE(.permits = 5, .burst = 3, .also = WEFT_RATE(.permits = 50, .window = true)),
        &limiter);
    if (err < 0)
        return err;
    struct flood flood = {limiter, 20};
    weft_call calls[4] = {{flood_worker, &flood},
                          {flood_worker, &flood},
                          {flood_worker, &flood},
                          {flood_worker, &flood}};
    err = weft_gather(calls, 4, NULL);
    if (err == 0)
        err = weft_rate_limiter_reserve(limiter, 3, &reservation);
    if (err == 0)
        err = weft_rate_limiter_acquire_n(limiter, 2);
    return err;
}

TEST_WITH(limiter_survives_every_fault, .limit_s = 60)
{
    FAULTS(everything, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

/* How much at once: weights, owners, a total that changes; found out by AIMD and gradient. */
#include <weft/error.h>

#include "fault.h"
#include "../sync/storm.h"
#include "limit_test.h"

static weft_capacity *make(uint32_t total, size_t queue)
{
    weft_capacity *capacity;
    ASSERT_OK(weft_capacity_new(WEFT_CAPACITY(.total = total, .queue = queue), &capacity));
    return capacity;
}

static weft_limit_state state_of(const weft_capacity *capacity)
{
    weft_limit_state state;
    weft_capacity_get_state(capacity, &state);
    return state;
}

/* ---- the theorem ---- */

struct mode {
    weft_capacity *capacity;
    struct weft__rand rand;
    uint32_t most; /* the highest total there ever was */
    uint32_t held;
    int next_ticket;
    int turn; /* the ticket of the last one served */
};

static void hold(struct mode *mode, uint32_t n)
{
    mode->held += n;
    weft_limit_state state = state_of(mode->capacity);
    ASSERT_INT_LE(mode->held, state.in_use);
    ASSERT_INT_LE(state.in_use, mode->most);
    weft_sleep((int64_t)draw_below(&mode->rand, 1000));
    mode->held -= n;
    weft_capacity_release(mode->capacity, n);
}

static int user(void *arg)
{
    struct mode *mode = arg;
    for (int i = 0; i < 10; i++) {
        uint32_t n = 1 + (uint32_t)draw_below(&mode->rand, 4);
        weft_sleep((int64_t)draw_below(&mode->rand, 1000));
        if (draw_below(&mode->rand, 4) == 0) {
            if (weft_capacity_try_acquire(mode->capacity, n))
                hold(mode, n);
            continue;
        }
        weft_scope scope;
        weft_scope_enter(&scope, 1 + (int64_t)draw_below(&mode->rand, 3000));
        int err = weft_capacity_acquire(mode->capacity, n);
        weft_scope_exit(&scope, err);
        if (err == 0)
            hold(mode, n);
        else
            ASSERT(err == -ECANCELED || err == -ETIMEDOUT);
    }
    return 0;
}

static int one_capacity(void *arg)
{
    struct mode mode = {0};
    weft__rand_init(&mode.rand, *(uint64_t *)arg);
    uint32_t total = 4 + (uint32_t)draw_below(&mode.rand, 8);
    mode.capacity = make(total, 0);
    mode.most = total;
    weft_call calls[8];
    for (int i = 0; i < 8; i++)
        calls[i] = (weft_call){user, &mode};
    ASSERT_OK(weft_gather(calls, 8, NULL));
    ASSERT_INT_EQ(state_of(mode.capacity).in_use, 0);
    ASSERT_INT_EQ(state_of(mode.capacity).waiting, 0);
    ASSERT_INT_EQ(state_of(mode.capacity).available, total);
    weft_capacity_free(mode.capacity);
    return 0;
}

TEST_WITH(capacity_is_never_exceeded_nor_lost, .limit_s = 60)
{
    for_all_seeds(one_capacity);
}

/* ---- storms: light ones, heavy ones and an owner ---- */

struct ground {
    weft_capacity *capacity;
    int inside;
};

static void storm_begin(void *state)
{
    struct ground *ground = state;
    *ground = (struct ground){.capacity = make(3, 0)};
}

static int storm_work(struct storm_worker *worker)
{
    struct ground *ground = worker->state;
    uint32_t n = 1 + (uint32_t)worker->number % 3;
    int err = 0;
    for (int i = 0; i < 2 && err == 0; i++) {
        if (worker->number == 3)
            err = weft_capacity_borrow(ground->capacity, ground);
        else
            err = weft_capacity_acquire(ground->capacity, n);
        if (err < 0)
            return err;
        ground->inside += (int)n;
        ASSERT_INT_LE(ground->inside, 3);
        err = weft_yield();
        ground->inside -= (int)n;
        if (worker->number == 3)
            ASSERT_OK(weft_capacity_give_back(ground->capacity, ground));
        else
            weft_capacity_release(ground->capacity, n);
    }
    return err;
}

static void storm_end(void *state, const struct storm_worker *workers)
{
    struct ground *ground = state;
    (void)workers;
    ASSERT_INT_EQ(state_of(ground->capacity).in_use, 0);
    ASSERT_INT_EQ(state_of(ground->capacity).waiting, 0);
    weft_capacity_free(ground->capacity);
}

TEST_WITH(capacity_survives_cancels_in_a_thousand_orders, .limit_s = 60)
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

/* ---- the queue ---- */

struct arrival {
    weft_capacity *capacity;
    uint32_t n;
    int64_t start;
    int64_t at;
    int result;
};

static int arrive(void *arg)
{
    struct arrival *arrival = arg;
    arrival->at = -1;
    arrival->result = weft_capacity_acquire(arrival->capacity, arrival->n);
    if (arrival->result < 0)
        return 0;
    arrival->at = weft_now() - arrival->start;
    weft_sleep(WEFT_SEC(1));
    weft_capacity_release(arrival->capacity, arrival->n);
    return 0;
}

static void spawn(weft_group *group, struct arrival *arrival, weft_capacity *capacity, uint32_t n)
{
    *arrival = (struct arrival){.capacity = capacity, .n = n, .start = weft_now()};
    ASSERT_OK(weft_group_spawn(group, arrive, arrival));
}

VIRTUAL_TEST(capacity_heavy_request_is_not_overtaken)
{
    weft_capacity *capacity = make(4, 0);
    static const uint32_t n[] = {3, 4, 1, 1, 2, 1};
    static const int64_t at[] = {0, 1, 2, 2, 2, 3};
    struct arrival arrivals[6];
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 6; i++)
        spawn(&group, &arrivals[i], capacity, n[i]);
    ASSERT(!weft_capacity_try_acquire(capacity, 1));
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < 6; i++)
        ASSERT_INT_EQ(arrivals[i].at, WEFT_SEC(at[i]));
    weft_capacity_free(capacity);
}

VIRTUAL_TEST(capacity_waiter_that_gives_up_lets_others_pass)
{
    weft_capacity *capacity = make(4, 0);
    struct arrival light;
    weft_group group;
    weft_scope scope;
    ASSERT(weft_capacity_try_acquire(capacity, 3));
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_scope_enter(&scope, WEFT_SEC(5));
    struct arrival heavy;
    weft_group waiting;
    ASSERT_OK(weft_group_init(&waiting, WEFT_GROUP(.timeout = WEFT_SEC(2))));
    spawn(&waiting, &heavy, capacity, 4);
    spawn(&group, &light, capacity, 1);
    ASSERT_ERR(weft_group_wait(&waiting), -ETIMEDOUT);
    ASSERT_INT_EQ(heavy.result, -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, 0));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(light.at, WEFT_SEC(2));
    weft_capacity_release(capacity, 3);
    weft_capacity_free(capacity);
}

VIRTUAL_TEST(capacity_total_grows_and_shrinks_while_waited_for)
{
    weft_capacity *capacity = make(2, 0);
    struct arrival arrivals[3];
    weft_group group;
    ASSERT(weft_capacity_try_acquire(capacity, 2));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++)
        spawn(&group, &arrivals[i], capacity, 2);
    ASSERT_OK(weft_sleep(WEFT_SEC(5)));
    ASSERT_OK(weft_capacity_set_total(capacity, 4));
    ASSERT_INT_EQ(state_of(capacity).in_use, 4);
    /* Less than any of them wants: one at a time then. */
    ASSERT_OK(weft_capacity_set_total(capacity, 1));
    ASSERT_INT_EQ(state_of(capacity).available, 0);
    weft_capacity_release(capacity, 2);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(arrivals[0].at, WEFT_SEC(5));
    ASSERT_INT_EQ(arrivals[1].at, WEFT_SEC(6));
    ASSERT_INT_EQ(arrivals[2].at, WEFT_SEC(7));
    ASSERT_ERR(weft_capacity_set_total(capacity, 0), -EINVAL);
    weft_capacity_free(capacity);
}

VIRTUAL_TEST(capacity_refuses_what_cannot_be)
{
    weft_capacity *capacity = NULL;
    ASSERT_ERR(weft_capacity_new(NULL, &capacity), -EINVAL);
    ASSERT_ERR(weft_capacity_new(WEFT_CAPACITY(.total = 0), &capacity), -EINVAL);
    capacity = make(2, 1);
    struct arrival arrivals[2];
    weft_group group;
    ASSERT_ERR(weft_capacity_acquire(capacity, 3), -EINVAL);
    ASSERT(!weft_capacity_try_acquire(capacity, 3));
    ASSERT_OK(weft_capacity_acquire(capacity, 2));
    ASSERT_OK(weft_group_init(&group, NULL));
    spawn(&group, &arrivals[0], capacity, 1);
    spawn(&group, &arrivals[1], capacity, 1);
    ASSERT_INT_EQ(arrivals[1].result, WEFT_EQUEUE_FULL);
    ASSERT_INT_EQ(state_of(capacity).rejected, 1);
    weft_capacity_release(capacity, 2);
    ASSERT_OK(weft_group_wait(&group));
    weft_capacity_free(capacity);
    weft_capacity_free(NULL);
}

/* ---- owners ---- */

VIRTUAL_TEST(capacity_owner_cannot_borrow_twice)
{
    weft_capacity *capacity = make(3, 0);
    int owners[3];
    ASSERT_OK(weft_capacity_borrow(capacity, NULL));
    ASSERT_ERR(weft_capacity_borrow(capacity, NULL), -EALREADY);
    ASSERT_OK(weft_capacity_borrow(capacity, &owners[0]));
    ASSERT_ERR(weft_capacity_borrow(capacity, &owners[0]), -EALREADY);
    ASSERT_ERR(weft_capacity_give_back(capacity, &owners[1]), -EPERM);
    ASSERT_INT_EQ(state_of(capacity).in_use, 2);
    ASSERT_OK(weft_capacity_give_back(capacity, &owners[0]));
    ASSERT_ERR(weft_capacity_give_back(capacity, &owners[0]), -EPERM);
    ASSERT_OK(weft_capacity_borrow(capacity, &owners[0]));
    ASSERT_OK(weft_capacity_give_back(capacity, NULL));
    ASSERT_INT_EQ(state_of(capacity).in_use, 1);
    weft_capacity_free(capacity);
}

VIRTUAL_TEST(capacity_owner_that_waited_in_vain_has_nothing)
{
    weft_capacity *capacity = make(1, 0);
    weft_scope scope;
    ASSERT(weft_capacity_try_acquire(capacity, 1));
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = weft_capacity_borrow(capacity, NULL);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_ERR(weft_capacity_give_back(capacity, NULL), -EPERM);
    weft_capacity_release(capacity, 1);
    ASSERT_OK(weft_capacity_borrow(capacity, NULL));
    ASSERT_OK(weft_capacity_give_back(capacity, NULL));
    weft_capacity_free(capacity);
}

VIRTUAL_TEST(capacity_has_many_owners)
{
    static char owners[1000];
    weft_capacity *capacity = make(1000, 0);
    for (int i = 0; i < 1000; i++)
        ASSERT_OK(weft_capacity_borrow(capacity, &owners[i]));
    ASSERT_INT_EQ(state_of(capacity).available, 0);
    for (int i = 0; i < 500; i++)
        ASSERT_OK(weft_capacity_give_back(capacity, &owners[i * 2]));
    for (int i = 0; i < 1000; i++)
        ASSERT_ERR(weft_capacity_borrow(capacity, &owners[i | 1]), -EALREADY);
    weft_capacity_free(capacity);
}

static int borrow_and_wait(void *arg)
{
    int err = weft_capacity_borrow(arg, NULL);
    if (err < 0)
        return err;
    err = weft_sleep(10);
    int back = weft_capacity_give_back(arg, NULL);
    return err < 0 ? err : back;
}

static int share_capacity(void *arg)
{
    (void)arg;
    WEFT_AUTO(weft_capacity) *capacity = NULL;
    int err = weft_capacity_new(WEFT_CAPACITY(.total = 2), &capacity);
    if (err < 0)
        return err;
    weft_call calls[6];
    for (int i = 0; i < 6; i++)
        calls[i] = (weft_call){borrow_and_wait, capacity};
    err = weft_gather(calls, 6, NULL);
    return err == 0 && state_of(capacity).in_use != 0 ? -EPROTO : err;
}

TEST_WITH(capacity_survives_every_fault, .limit_s = 60)
{
    FAULTS(share_capacity, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

/* ---- found out ---- */

static weft_adaptive *adaptive_of(const weft_adaptive_options *options)
{
    weft_adaptive *adaptive;
    ASSERT_OK(weft_adaptive_new(options, &adaptive));
    return adaptive;
}

static uint64_t limit_of(const weft_adaptive *adaptive)
{
    weft_limit_state state;
    weft_adaptive_get_state(adaptive, &state);
    return state.total;
}

/* n at once, each of which takes latency. */
static void volley(weft_adaptive *adaptive, int n, int64_t latency, bool dropped)
{
    for (int i = 0; i < n; i++)
        ASSERT_OK(weft_adaptive_acquire(adaptive));
    ASSERT_OK(weft_sleep(latency));
    for (int i = 0; i < n; i++)
        weft_adaptive_release(adaptive, latency, dropped);
}

VIRTUAL_TEST(aimd_adds_one_while_it_is_used_and_takes_a_tenth)
{
    weft_adaptive *adaptive = adaptive_of(NULL);
    ASSERT_INT_EQ(limit_of(adaptive), 20);
    volley(adaptive, 9, WEFT_MS(10), false); /* less than half: says nothing */
    ASSERT_INT_EQ(limit_of(adaptive), 20);
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_adaptive_acquire(adaptive));
    weft_adaptive_release(adaptive, WEFT_MS(10), false);
    ASSERT_INT_EQ(limit_of(adaptive), 21);
    for (int i = 0; i < 9; i++)
        weft_adaptive_release(adaptive, -1, false);
    for (int i = 0; i < 2000; i++)
        volley(adaptive, (int)limit_of(adaptive), WEFT_MS(10), false);
    ASSERT_INT_EQ(limit_of(adaptive), 200);
    /* One volley of drops is one reason. */
    volley(adaptive, 200, WEFT_MS(10), true);
    ASSERT_INT_EQ(limit_of(adaptive), 180);
    volley(adaptive, 1, WEFT_SEC(6), false);
    ASSERT_INT_EQ(limit_of(adaptive), 162);
    for (int i = 0; i < 100; i++)
        volley(adaptive, 1, WEFT_MS(10), true);
    ASSERT_INT_EQ(limit_of(adaptive), 20);
    weft_adaptive_free(adaptive);
}

VIRTUAL_TEST(gradient_follows_the_latency)
{
    weft_adaptive *adaptive =
        adaptive_of(WEFT_ADAPTIVE(.algorithm = WEFT_ADAPTIVE_GRADIENT, .initial = 20, .min = 1));
    for (int i = 0; i < 20; i++)
        volley(adaptive, (int)limit_of(adaptive), WEFT_MS(10), false);
    uint64_t quiet = limit_of(adaptive);
    ASSERT_INT_GT(quiet, 30);
    volley(adaptive, (int)quiet, WEFT_MS(100), false);
    ASSERT_INT_LT(limit_of(adaptive), quiet / 2);
    for (int i = 0; i < 200; i++)
        volley(adaptive, (int)limit_of(adaptive), WEFT_MS(10), false);
    ASSERT_INT_GE(limit_of(adaptive), quiet);
    weft_adaptive_free(adaptive);
}

VIRTUAL_TEST(adaptive_options_are_checked)
{
    weft_adaptive *adaptive = NULL;
    ASSERT_ERR(weft_adaptive_new(WEFT_ADAPTIVE(.initial = 300), &adaptive), -EINVAL);
    ASSERT_ERR(weft_adaptive_new(WEFT_ADAPTIVE(.min = 30), &adaptive), -EINVAL);
    adaptive = adaptive_of(WEFT_ADAPTIVE(.max = 5, .queue = 1));
    ASSERT_INT_EQ(limit_of(adaptive), 5);
    for (int i = 0; i < 5; i++)
        ASSERT(weft_adaptive_try_acquire(adaptive));
    ASSERT(!weft_adaptive_try_acquire(adaptive));
    for (int i = 0; i < 5; i++)
        weft_adaptive_release(adaptive, -1, false);
    weft_adaptive_free(adaptive);
    weft_adaptive_free(NULL);
    weft_testing_fail_alloc(2, false);
    ASSERT_ERR(weft_adaptive_new(NULL, &adaptive), -ENOMEM);
}

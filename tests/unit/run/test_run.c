/* weft_run, the scheduler's order, the virtual clock, deadlocks, timers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "base/rand.h"
#include "run/run_int.h"
#include "test.h"

#define VIRTUAL WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)

/* ---- weft_run ---- */

static int return_arg(void *arg)
{
    return *(int *)arg;
}

TEST(run_hands_the_result_of_the_main_task_on)
{
    static const int results[] = {0, 1, 42, INT32_MAX, -ENOENT, -ECANCELED, WEFT_EREAD};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        int result = results[i];
        ASSERT_INT_EQ(weft_run_with(return_arg, &result, VIRTUAL), results[i]);
        ASSERT_INT_EQ(weft_run(return_arg, &result), results[i]);
    }
}

static int fail_with_a_message(void *arg)
{
    (void)arg;
    return weft__fail(-ENOENT, "no file 'x'");
}

TEST(run_hands_the_message_of_the_main_task_on)
{
    ASSERT_INT_EQ(weft_run_with(fail_with_a_message, NULL, VIRTUAL), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no file 'x'");
    ASSERT_INT_EQ(weft_run(fail_with_a_message, NULL), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no file 'x'");
}

TEST(run_without_a_function_is_refused)
{
    ASSERT_ERR(weft_run(NULL, NULL), -EINVAL);
}

static int run_again(void *arg)
{
    return weft_run(return_arg, arg);
}

TEST(run_inside_a_task_is_nested)
{
    int result = 3;
    ASSERT_ERR(weft_run_with(run_again, &result, VIRTUAL), WEFT_ENESTED);
    weft_call call = {run_again, &result};
    ASSERT_ERR(weft_gather(&call, 1, NULL), WEFT_ENESTED);
}

static int sleep_a_bit(void *arg)
{
    (void)arg;
    return weft_sleep(1000);
}

TEST(run_many_times_in_a_row)
{
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(weft_run(sleep_a_bit, NULL));
        ASSERT_OK(weft_run_with(sleep_a_bit, NULL, VIRTUAL));
        ASSERT_INT_EQ(weft_task_count(), 0);
    }
}

static int name_backend(void *arg)
{
    *(const char **)arg = weft_backend_name();
    return 0;
}

TEST(run_uses_the_back_end_that_was_asked_for)
{
    const char *name;
    ASSERT_OK(weft_run_with(name_backend, &name, VIRTUAL));
    ASSERT_STR_EQ(name, "virtual");
    ASSERT_OK(weft_run_with(name_backend, &name, WEFT_RUN(.backend = WEFT_BACKEND_EPOLL)));
    ASSERT_STR_EQ(name, "epoll");
    ASSERT_OK(weft_run_with(name_backend, &name, WEFT_RUN(.backend = WEFT_BACKEND_URING)));
    ASSERT(strcmp(name, "io_uring") == 0 || strcmp(name, "uring") == 0 ||
           strcmp(name, "epoll") == 0);
}

TEST(run_replaces_the_loop_of_plain_calls_where_another_kind_is_asked_for)
{
    const char *name;
    ASSERT_OK(weft_sleep(1));
    ASSERT_OK(weft_run_with(name_backend, &name, VIRTUAL));
    ASSERT_STR_EQ(name, "virtual");
    ASSERT_OK(weft_sleep(1));
    ASSERT_STR_LACKS(weft_backend_name(), "virtual");
}

TEST(run_refuses_to_replace_a_loop_that_is_in_use)
{
    const char *name;
    weft_group group;
    weft_scope scope;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, sleep_a_bit, NULL));
    ASSERT_ERR(weft_run_with(name_backend, &name, VIRTUAL), -EBUSY);
    ASSERT_OK(weft_group_wait(&group));
    weft_scope_enter(&scope, WEFT_SEC(10));
    ASSERT_ERR(weft_run_with(name_backend, &name, VIRTUAL), -EBUSY);
    ASSERT_OK(weft_scope_exit(&scope, 0));
    ASSERT_OK(weft_run_with(name_backend, &name, VIRTUAL));
}

TEST(run_with_an_unknown_back_end_in_the_environment_says_so)
{
    setenv("WEFT_BACKEND", "kqueue", 1);
    ASSERT_ERR(weft_run(sleep_a_bit, NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "'kqueue'");
    ASSERT_ERR(weft_sleep(1), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "'kqueue'");
    /* Asked for in so many words, the environment does not matter. */
    ASSERT_OK(weft_run_with(sleep_a_bit, NULL, VIRTUAL));
    setenv("WEFT_BACKEND", "", 1);
    ASSERT_OK(weft_run(sleep_a_bit, NULL));
}

/* Where no loop can be made every call says why. */
TEST(calls_without_a_loop_hand_its_error_on)
{
    weft_call call = {sleep_a_bit, NULL};
    weft_group group;
    weft_semaphore *semaphore;
    weft_event *event;
    weft_scope scope;
    setenv("WEFT_BACKEND", "nonsense", 1);
    ASSERT_ERR(weft_sleep(1), -EINVAL);
    ASSERT_ERR(weft_yield(), -EINVAL);
    ASSERT_ERR(weft_checkpoint(), -EINVAL);
    ASSERT_ERR(weft_gather(&call, 1, NULL), -EINVAL);
    ASSERT_ERR(weft_map(sleep_a_bit, &call, 1, sizeof call, NULL), -EINVAL);
    ASSERT_ERR(weft_group_init(&group, NULL), -EINVAL);
    ASSERT_ERR(weft_group_spawn(&group, sleep_a_bit, NULL), -EINVAL);
    ASSERT_ERR(weft_group_wait(&group), -EINVAL);
    weft_group_cancel(&group, NULL);
    weft_scope_enter(&scope, WEFT_SEC(1));
    weft_scope_set_timeout(&scope, 5);
    weft_scope_cancel(&scope, NULL);
    ASSERT(!weft_scope_is_cancelled(&scope));
    ASSERT_INT_EQ(weft_scope_exit(&scope, 7), 7);
    ASSERT_INT_EQ(weft_remaining(), WEFT_FOREVER);
    ASSERT_OK(weft_semaphore_new(1, &semaphore));
    ASSERT_ERR(weft_semaphore_acquire(semaphore), -EINVAL);
    weft_semaphore_free(semaphore);
    ASSERT_OK(weft_event_new(&event));
    ASSERT_ERR(weft_event_wait(event), -EINVAL);
    weft_event_free(event);
    ASSERT_STR_EQ(weft_backend_name(), "none");
    ASSERT(weft_task_self() == NULL);
    ASSERT_INT_EQ(weft_task_count(), 0);
}

/* ---- order ---- */

struct order {
    int seen[200];
    int n;
};

struct runner {
    struct order *order;
    int id;
    int rounds;
};

static int take_turns(void *arg)
{
    struct runner *runner = arg;
    for (int i = 0; i < runner->rounds; i++) {
        runner->order->seen[runner->order->n++] = runner->id;
        int err = weft_yield();
        if (err < 0)
            return err;
    }
    return 0;
}

static int ten_take_turns(void *arg)
{
    struct runner runners[10];
    weft_call calls[10];
    for (int i = 0; i < 10; i++) {
        runners[i] = (struct runner){.order = arg, .id = i, .rounds = 20};
        calls[i] = (weft_call){take_turns, &runners[i]};
    }
    return weft_gather(calls, 10, NULL);
}

TEST(yield_goes_round_in_turn)
{
    struct order order = {.n = 0};
    ASSERT_OK(weft_run_with(ten_take_turns, &order, VIRTUAL));
    ASSERT_INT_EQ(order.n, 200);
    /* The first round is the spawning; from then on every ten are a whole round. */
    for (int i = 20; i < 180; i++)
        ASSERT_INT_EQ(order.seen[i], order.seen[i - 10]);
}

TEST(seed_shuffles_and_the_same_seed_gives_the_same_order)
{
    struct order plain = {.n = 0};
    int different = 0;
    ASSERT_OK(weft_run_with(ten_take_turns, &plain, VIRTUAL));
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct order first = {.n = 0};
        struct order second = {.n = 0};
        const weft_run_options options = {
            .size = sizeof options, .backend = WEFT_BACKEND_VIRTUAL, .seed = seed};
        ASSERT_OK(weft_run_with(ten_take_turns, &first, &options));
        ASSERT_OK(weft_run_with(ten_take_turns, &second, &options));
        ASSERT_INT_EQ(first.n, 200);
        ASSERT_MEM_EQ(first.seen, second.seen, sizeof first.seen);
        different += memcmp(first.seen, plain.seen, sizeof first.seen) != 0;
    }
    ASSERT_INT_GE(different, 49);
}

static int spin(void *arg)
{
    bool *stop = arg;
    while (!*stop) {
        int err = weft_yield();
        if (err < 0)
            return err;
    }
    return 0;
}

static int stop_after_a_while(void *arg)
{
    int err = weft_sleep(WEFT_MS(2));
    *(bool *)arg = true;
    return err;
}

/* Tasks that are always ready do not keep timers from their turn. */
TEST(yield_without_end_lets_timers_fire)
{
    bool stop = false;
    weft_call calls[] = {{spin, &stop}, {spin, &stop}, {stop_after_a_while, &stop}};
    ASSERT_OK(weft_gather(calls, 3, NULL));
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

/* Every other one has a child: the budget must run out at any point. */
static int two_generations(void *arg)
{
    static int n;
    weft_call call = {end_at_once, arg};
    return n++ % 3 == 0 ? 0 : weft_gather(&call, 1, NULL);
}

static int spawn_without_end(void *arg)
{
    bool *stop = arg;
    weft_group group;
    int err = weft_group_init(&group, NULL);
    while (err == 0 && !*stop)
        err = weft_group_spawn(&group, two_generations, NULL);
    int joined = weft_group_wait(&group);
    return err < 0 ? err : joined;
}

TEST(spawning_without_end_lets_timers_fire)
{
    bool stop = false;
    weft_call calls[] = {{stop_after_a_while, &stop}, {spawn_without_end, &stop}};
    ASSERT_OK(weft_gather(calls, 2, NULL));
}

static int keep_errno(void *arg)
{
    for (int i = 0; i < 20; i++) {
        errno = *(int *)arg;
        int err = weft_yield();
        if (err < 0)
            return err;
        if (errno != *(int *)arg)
            return -EPROTO;
    }
    return 0;
}

VIRTUAL_TEST(errno_belongs_to_the_task)
{
    int numbers[] = {EPERM, ENOENT, EINTR};
    weft_call calls[] = {
        {keep_errno, &numbers[0]}, {keep_errno, &numbers[1]}, {keep_errno, &numbers[2]}};
    ASSERT_OK(weft_gather(calls, 3, NULL));
}

static int keep_message(void *arg)
{
    char text[32];
    snprintf(text, sizeof text, "failure %d", *(int *)arg);
    weft__fail(-EIO, "%s", text);
    for (int i = 0; i < 20; i++) {
        int err = weft_yield();
        if (err < 0)
            return err;
        ASSERT_STR_EQ(weft_error_message(), text);
    }
    return 0;
}

VIRTUAL_TEST(error_message_belongs_to_the_task)
{
    int numbers[] = {1, 2, 3};
    weft_call calls[] = {
        {keep_message, &numbers[0]}, {keep_message, &numbers[1]}, {keep_message, &numbers[2]}};
    weft__fail(-ENOENT, "of the parent");
    ASSERT_OK(weft_gather(calls, 3, NULL));
    ASSERT_STR_EQ(weft_error_message(), "of the parent");
}

/* ---- deadlock ---- */

static int wait_for_ever(void *arg)
{
    weft_event *event;
    (void)arg;
    int err = weft_event_new(&event);
    if (err < 0)
        return err;
    err = weft_event_wait(event);
    weft_event_free(event);
    return err;
}

static int two_wait_for_ever(void *arg)
{
    weft_call calls[] = {{wait_for_ever, arg}, {wait_for_ever, arg}};
    return weft_gather(calls, 2, NULL);
}

struct deadlock {
    weft_fn fn;
    weft_backend backend;
};

static void run_deadlock(void *arg)
{
    const struct deadlock *deadlock = arg;
    int err = weft_run_with(deadlock->fn, NULL, WEFT_RUN(.backend = deadlock->backend));
    dprintf(STDERR_FILENO, "%s: %s\n", weft_error_name(err), weft_error_message());
    _exit(err == -EDEADLK ? 0 : 1);
}

TEST(deadlock_ends_the_run_and_shows_the_tasks)
{
    static const weft_backend backends[] = {WEFT_BACKEND_VIRTUAL, WEFT_BACKEND_EPOLL,
                                            WEFT_BACKEND_URING};
    for (size_t i = 0; i < 3; i++) {
        char output[2048];
        struct deadlock deadlock = {two_wait_for_ever, backends[i]};
        int status = test_fork(run_deadlock, &deadlock, output, sizeof output);
        ASSERT_STR_HAS(output, "weft: deadlock");
        ASSERT_STR_HAS(output, "main #1: waits for children");
        ASSERT_STR_HAS(output, "waits for event");
        ASSERT_STR_HAS(output, "EDEADLK: deadlock: every task waited for another");
        ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void deadlock_in_plain_code(void *arg)
{
    (void)arg;
    int err = wait_for_ever(NULL);
    dprintf(STDERR_FILENO, "%s: %s\n", weft_error_name(err), weft_error_message());
    _exit(err == -EDEADLK ? 0 : 1);
}

TEST(deadlock_of_a_plain_thread_is_an_error_too)
{
    char output[2048];
    int status = test_fork(deadlock_in_plain_code, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "thread #0: waits for event");
    ASSERT_STR_HAS(output, weft_error_text(-EDEADLK));
    ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int wait_and_ignore(void *arg)
{
    wait_for_ever(arg);
    return 5;
}

static void run_stubborn(void *arg)
{
    (void)arg;
    int err = weft_run_with(wait_and_ignore, NULL, VIRTUAL);
    _exit(err == -EDEADLK ? 0 : 1);
}

TEST(deadlock_is_an_error_even_if_the_task_hides_it)
{
    char output[2048];
    ASSERT_INT_EQ(test_fork(run_stubborn, NULL, output, sizeof output), 0);
}

/* ---- the virtual clock ---- */

VIRTUAL_TEST(virtual_clock_stands_still_while_tasks_run)
{
    int64_t start = weft_now();
    for (int i = 0; i < 1000; i++)
        ASSERT_OK(weft_yield());
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_OK(weft_sleep(1));
    ASSERT_INT_EQ(weft_now(), start + 1);
    ASSERT_OK(weft_sleep(WEFT_SEC(86400) * 365 * 100));
    ASSERT_INT_EQ(weft_now(), start + 1 + WEFT_SEC(86400) * 365 * 100);
}

struct sleeper {
    int64_t duration;
    int64_t woke;
    struct sleeper **order;
    int *n;
};

static int sleep_and_note(void *arg)
{
    struct sleeper *sleeper = arg;
    int err = weft_sleep(sleeper->duration);
    sleeper->woke = weft_now();
    sleeper->order[(*sleeper->n)++] = sleeper;
    return err;
}

VIRTUAL_TEST(sleepers_wake_in_the_order_of_their_times)
{
    int n = 10000 / (test_slowness() > 1 ? 10 : 1);
    int woken = 0;
    struct sleeper *sleepers = calloc((size_t)n, sizeof *sleepers);
    struct sleeper **order = calloc((size_t)n, sizeof *order);
    struct weft__rand rand;
    weft__rand_init(&rand, 7);
    for (int i = 0; i < n; i++)
        sleepers[i] = (struct sleeper){
            .duration = (int64_t)weft__rand_below(weft__rand_next(&rand), WEFT_SEC(1000)),
            .order = order,
            .n = &woken,
        };
    int64_t start = weft_now();
    ASSERT_OK(weft_map(sleep_and_note, sleepers, (size_t)n, sizeof *sleepers, NULL));
    ASSERT_INT_EQ(woken, n);
    for (int i = 0; i < n; i++) {
        ASSERT_INT_EQ(order[i]->woke - start, order[i]->duration);
        ASSERT(i == 0 || order[i]->duration >= order[i - 1]->duration);
    }
    free(sleepers);
    free(order);
}

/* ---- timers against a plain model ---- */

enum { MODEL_TIMERS = 200 };

struct model_timer {
    struct weft__timer timer;
    int64_t when; /* -1: not started */
    bool fired;
};

static void note_fired(struct weft__timer *timer)
{
    WEFT__CONTAINER(timer, struct model_timer, timer)->fired = true;
}

static int64_t model_next(const struct model_timer *model)
{
    int64_t next = WEFT_FOREVER;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        if (model[i].when >= 0 && model[i].when < next)
            next = model[i].when;
    }
    return next;
}

static void check_fire(struct weft__timers *timers, struct model_timer *model, int64_t now)
{
    weft__timers_fire(timers, now, SIZE_MAX);
    for (int i = 0; i < MODEL_TIMERS; i++) {
        bool due = model[i].when >= 0 && model[i].when <= now;
        ASSERT(model[i].fired == due);
        ASSERT(weft__timer_is_started(&model[i].timer) == (model[i].when >= 0 && !due));
        if (due)
            model[i].when = -1;
        model[i].fired = false;
    }
}

TEST(timers_behave_as_a_plain_list_of_them_would)
{
    static struct model_timer model[MODEL_TIMERS];
    struct weft__timers timers = {0};
    struct weft__rand rand;
    weft__rand_init(&rand, 99);
    for (int i = 0; i < MODEL_TIMERS; i++)
        model[i] = (struct model_timer){.timer.fire = note_fired, .when = -1};
    int64_t now = 0;
    for (int step = 0; step < 20000; step++) {
        uint64_t draw = weft__rand_next(&rand);
        struct model_timer *one = &model[(draw >> 8) % MODEL_TIMERS];
        if (draw % 100 < 60) {
            one->when = now + (int64_t)((draw >> 20) % 500);
            ASSERT_OK(weft__timer_start(&timers, &one->timer, one->when));
        } else if (draw % 100 < 90) {
            weft__timer_stop(&timers, &one->timer);
            one->when = -1;
        } else {
            now += (int64_t)((draw >> 20) % 60);
            check_fire(&timers, model, now);
        }
        ASSERT_INT_EQ(weft__timers_next(&timers), model_next(model));
    }
    weft__timers_done(&timers);
}

static void restart(struct weft__timer *timer);

struct restarting {
    struct weft__timers *timers;
    struct weft__timer timer;
    struct weft__timer *victim;
    int n;
};

static void restart(struct weft__timer *timer)
{
    struct restarting *restarting = WEFT__CONTAINER(timer, struct restarting, timer);
    restarting->n++;
    weft__timer_stop(restarting->timers, restarting->victim);
    if (restarting->n < 5)
        ASSERT_OK(weft__timer_start(restarting->timers, timer, 10 + restarting->n));
}

/* A timer's function may start its own again and stop others. */
TEST(timers_can_be_changed_while_they_fire)
{
    struct weft__timers timers = {0};
    struct model_timer victim = {.timer.fire = note_fired};
    struct restarting restarting = {
        .timers = &timers, .timer.fire = restart, .victim = &victim.timer};
    ASSERT_OK(weft__timer_start(&timers, &restarting.timer, 10));
    ASSERT_OK(weft__timer_start(&timers, &victim.timer, 11));
    weft__timers_fire(&timers, 12, 1);
    ASSERT_INT_EQ(restarting.n, 1);
    weft__timers_fire(&timers, 12, SIZE_MAX);
    ASSERT_INT_EQ(restarting.n, 3);
    ASSERT(!victim.fired);
    weft__timers_fire(&timers, 100, SIZE_MAX);
    ASSERT_INT_EQ(restarting.n, 5);
    ASSERT_INT_EQ(weft__timers_next(&timers), WEFT_FOREVER);
    weft__timers_done(&timers);
}

TEST(timer_without_memory_is_not_started)
{
    struct weft__timers timers = {0};
    struct weft__timer timer = {0};
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft__timer_start(&timers, &timer, 1), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    ASSERT(!weft__timer_is_started(&timer));
    weft__timers_done(&timers);
}

/* ---- the test hooks ---- */

VIRTUAL_TEST(testing_cancel_at_counts_checkpoints_and_waits)
{
    weft_testing_cancel_at(NULL, 0);
    ASSERT_INT_EQ(weft_testing_checkpoint_count(), 0);
    ASSERT_OK(weft_checkpoint());
    ASSERT_INT_EQ(weft_testing_checkpoint_count(), 1);
    ASSERT_OK(weft_sleep(1));
    ASSERT_INT_EQ(weft_testing_checkpoint_count(), 3);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, 2);
    ASSERT_OK(weft_checkpoint());
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, -ECANCELED));
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(run_on_a_back_end_that_there_is_not_is_refused)
{
    ASSERT_ERR(weft_run_with(do_nothing, NULL, WEFT_RUN(.backend = (weft_backend)77)), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "there is no back end 77");
}

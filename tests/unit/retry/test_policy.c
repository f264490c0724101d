/* What a policy is made of: predicates, stops, hooks, time limits, blocks, statistics. */
#include <stdio.h>
#include <string.h>

#include <weft/error.h>
#include <weft/retry.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "test.h"

#define PART(...)                                                                                  \
    (const weft_when[])                                                                            \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static bool matches(weft_when when, int result)
{
    const weft_attempt attempt = {.size = sizeof attempt, .number = 1, .result = result};
    return weft_when_matches(&when, &attempt);
}

/* ---- predicates ---- */

TEST(when_kinds_say_what_they_mean)
{
    static const int codes[] = {-EAGAIN, WEFT_EREAD, 0};
    const weft_when code = {WEFT_WHEN_CODE, .codes = codes};
    const weft_when family = {WEFT_WHEN_FAMILY, .family = WEFT_FAMILY_TIMEOUT};
    const weft_when result = {WEFT_WHEN_RESULT, .low = 1, .high = 3};
    ASSERT(matches((weft_when){0}, WEFT_EREAD));
    ASSERT(!matches((weft_when){0}, -ENOENT));
    ASSERT(!matches((weft_when){0}, 0));
    ASSERT(matches((weft_when){WEFT_WHEN_ALWAYS}, 0));
    ASSERT(!matches((weft_when){WEFT_WHEN_NEVER}, WEFT_EREAD));
    ASSERT(matches((weft_when){WEFT_WHEN_ERROR}, -ENOENT));
    ASSERT(!matches((weft_when){WEFT_WHEN_ERROR}, 1));
    ASSERT(matches(code, -EAGAIN));
    ASSERT(matches(code, WEFT_EREAD));
    ASSERT(!matches(code, -EIO));
    ASSERT(!matches((weft_when){WEFT_WHEN_CODE}, -EIO));
    ASSERT(matches(family, WEFT_EREAD_TIMEOUT));
    ASSERT(!matches(family, WEFT_EREAD));
    ASSERT(!matches(result, 0));
    ASSERT(matches(result, 1));
    ASSERT(matches(result, 3));
    ASSERT(!matches(result, 4));
    ASSERT(!matches(result, -1));
    ASSERT(weft_when_matches(NULL, &(const weft_attempt){.result = WEFT_EREAD}));
}

TEST(when_message_looks_into_it)
{
    const weft_when when = {WEFT_WHEN_MESSAGE, .text = "deadlock"};
    weft__fail(-EIO, "deadlock detected");
    ASSERT(matches(when, -EIO));
    ASSERT(!matches(when, 0));
    weft__fail(-EIO, "no such table");
    ASSERT(!matches(when, -EIO));
    ASSERT(!matches((weft_when){WEFT_WHEN_MESSAGE}, -EIO));
}

static bool is_odd(const weft_attempt *attempt, void *userdata)
{
    ++*(int *)userdata;
    return attempt->result % 2 != 0;
}

TEST(when_any_all_not_combine)
{
    int asked = 0;
    const weft_when odd = {WEFT_WHEN_CUSTOM, .fn = is_odd, .userdata = &asked};
    const weft_when small = {WEFT_WHEN_RESULT, .low = 0, .high = 9};
    const weft_when any = {WEFT_WHEN_ANY, .parts = PART(small, odd), .n_parts = 2};
    const weft_when all = {WEFT_WHEN_ALL, .parts = PART(small, odd), .n_parts = 2};
    const weft_when not_any = {WEFT_WHEN_NOT, .parts = PART(small, odd), .n_parts = 2};
    static const bool expected[][4] = {
        /* result 4, 5, 14, 15: any, all, not */
        {true, true, false, true},
        {false, true, false, false},
        {false, false, true, false},
    };
    static const int results[] = {4, 5, 14, 15};
    for (int i = 0; i < 4; i++) {
        ASSERT_INT_EQ(matches(any, results[i]), expected[0][i]);
        ASSERT_INT_EQ(matches(all, results[i]), expected[1][i]);
        ASSERT_INT_EQ(matches(not_any, results[i]), expected[2][i]);
    }
    asked = 0;
    ASSERT(matches(any, 4));
    ASSERT_INT_EQ(asked, 0);
    ASSERT(!matches((weft_when){WEFT_WHEN_ANY}, 1));
    ASSERT(matches((weft_when){WEFT_WHEN_ALL}, 1));
    const weft_when deep = {WEFT_WHEN_NOT, .parts = PART(all), .n_parts = 1};
    ASSERT(matches(deep, 4));
    ASSERT(!matches((weft_when){WEFT_WHEN_CUSTOM}, 1));
}

struct run {
    int calls;
    int result;
    int64_t takes;
};

static int attempt_one(void *arg)
{
    struct run *run = arg;
    run->calls++;
    int err = run->takes > 0 ? weft_sleep(run->takes) : 0;
    return err < 0 ? err : run->result;
}

/* Whatever is asked for, these end it. */
VIRTUAL_TEST(retry_never_repeats_final_errors)
{
    static const int final[] = {-ENOMEM,
                                -EINVAL,
                                -EFAULT,
                                -EBADF,
                                -EDEADLK,
                                WEFT_EINVALID_URL,
                                WEFT_ECLIENT_CLOSED,
                                WEFT_ENOT_REPLAYABLE};
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        struct run run = {.result = final[i]};
        ASSERT_ERR(weft_retry(WEFT_RETRY(.when = {WEFT_WHEN_ALWAYS}), attempt_one, &run), final[i]);
        ASSERT_INT_EQ(run.calls, 1);
    }
}

VIRTUAL_TEST(retry_asks_the_tree_of_predicates)
{
    static const int codes[] = {-ENOENT, 0};
    struct run run = {.result = -ENOENT};
    const weft_retry_policy policy = {
        .attempts = 4, .wait = {WEFT_WAIT_NONE}, .when = {WEFT_WHEN_CODE, .codes = codes}};
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), -ENOENT);
    ASSERT_INT_EQ(run.calls, 4);
    run = (struct run){.result = WEFT_EREAD};
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), WEFT_EREAD);
    ASSERT_INT_EQ(run.calls, 1);
}

/* ---- stops ---- */

static bool reached(weft_stop stop, int number, int64_t elapsed, int64_t wait)
{
    const weft_attempt attempt = {
        .size = sizeof attempt, .number = number, .elapsed = elapsed, .wait = wait};
    return weft_stop_reached(&stop, &attempt);
}

static bool flag_is_set(const weft_attempt *attempt, void *userdata)
{
    (void)attempt;
    return *(const bool *)userdata;
}

TEST(stop_kinds_are_tenacitys)
{
    bool flag = false;
    const weft_stop custom = {WEFT_STOP_CUSTOM, .fn = flag_is_set, .userdata = &flag};
    const weft_stop three = {WEFT_STOP_ATTEMPTS, .attempts = 3};
    const weft_stop after = {WEFT_STOP_AFTER, .time = 10};
    const weft_stop before = {WEFT_STOP_BEFORE, .time = 10};
    ASSERT(!reached((weft_stop){0}, 1000000, WEFT_FOREVER, WEFT_FOREVER));
    ASSERT(!reached(three, 2, 0, 0));
    ASSERT(reached(three, 3, 0, 0));
    ASSERT(reached(three, 4, 0, 0));
    ASSERT(!reached(after, 1, 9, 100));
    ASSERT(reached(after, 1, 10, 0));
    ASSERT(!reached(before, 1, 4, 5));
    ASSERT(reached(before, 1, 4, 6));
    ASSERT(reached(before, 1, 0, WEFT_FOREVER));
    ASSERT(!reached(custom, 1, 0, 0));
    flag = true;
    ASSERT(reached(custom, 1, 0, 0));
    ASSERT(!reached((weft_stop){WEFT_STOP_CUSTOM}, 1, 0, 0));
}

TEST(stop_any_all_combine)
{
    const weft_stop parts[] = {{WEFT_STOP_ATTEMPTS, .attempts = 3}, {WEFT_STOP_AFTER, .time = 10}};
    const weft_stop any = {WEFT_STOP_ANY, .parts = parts, .n_parts = 2};
    const weft_stop all = {WEFT_STOP_ALL, .parts = parts, .n_parts = 2};
    ASSERT(!reached(any, 2, 9, 0));
    ASSERT(reached(any, 3, 9, 0));
    ASSERT(reached(any, 2, 10, 0));
    ASSERT(!reached(all, 3, 9, 0));
    ASSERT(!reached(all, 2, 10, 0));
    ASSERT(reached(all, 3, 10, 0));
    ASSERT(!reached((weft_stop){WEFT_STOP_ANY}, 9, 9, 9));
    ASSERT(!reached((weft_stop){WEFT_STOP_ALL}, 9, 9, 9));
}

/* stop_after_delay overshoots by the last wait and call, stop_before_delay does not. */
VIRTUAL_TEST(retry_stop_after_may_overshoot_and_before_may_not)
{
    weft_retry_policy policy = {.attempts = -1,
                                .total = WEFT_FOREVER,
                                .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(4)},
                                .stop = {WEFT_STOP_AFTER, .time = WEFT_SEC(10)}};
    struct run run = {.result = WEFT_EREAD};
    int64_t start = weft_now();
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), WEFT_EREAD);
    ASSERT_INT_EQ(run.calls, 4);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(12));
    policy.stop.kind = WEFT_STOP_BEFORE;
    run.calls = 0;
    start = weft_now();
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), WEFT_EREAD);
    ASSERT_INT_EQ(run.calls, 3);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(8));
}

/* ---- hooks ---- */

struct trace {
    char text[256];
    int give;
};

static void note(struct trace *trace, const char *what, const weft_attempt *attempt)
{
    size_t n = strlen(trace->text);
    snprintf(trace->text + n, sizeof trace->text - n, "%s%d ", what, attempt->number);
}

static void on_before(const weft_attempt *attempt, void *userdata)
{
    note(userdata, "before", attempt);
}

static void on_after(const weft_attempt *attempt, void *userdata)
{
    ASSERT_INT_EQ(attempt->wait, 0);
    note(userdata, "after", attempt);
}

static void on_sleep(const weft_attempt *attempt, void *userdata)
{
    ASSERT_INT_EQ(attempt->wait, WEFT_SEC(1));
    ASSERT_INT_EQ(attempt->waited, WEFT_SEC(attempt->number - 1));
    ASSERT_INT_EQ(attempt->last_wait, attempt->number > 1 ? WEFT_SEC(1) : 0);
    note(userdata, "sleep", attempt);
}

static int on_give_up(const weft_attempt *attempt, void *userdata)
{
    struct trace *trace = userdata;
    ASSERT_INT_EQ(attempt->result, WEFT_EREAD);
    note(trace, "up", attempt);
    return trace->give;
}

static const weft_retry_policy traced = {
    .attempts = 3,
    .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(1)},
    .before = on_before,
    .after = on_after,
    .before_sleep = on_sleep,
    .give_up = on_give_up,
};

VIRTUAL_TEST(retry_hooks_run_in_tenacitys_order)
{
    struct trace trace = {.give = 42};
    struct run run = {.result = WEFT_EREAD};
    weft_retry_policy policy = traced;
    policy.userdata = &trace;
    ASSERT_INT_EQ(weft_retry(&policy, attempt_one, &run), 42);
    ASSERT_STR_EQ(trace.text, "before1 after1 sleep1 before2 after2 sleep2 before3 after3 up3 ");
    trace = (struct trace){.give = WEFT_EJSON};
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), WEFT_EJSON);
    trace = (struct trace){.give = 0};
    run.result = 5;
    ASSERT_INT_EQ(weft_retry(&policy, attempt_one, &run), 5);
    ASSERT_STR_EQ(trace.text, "before1 ");
    trace = (struct trace){.give = 0};
    run.result = -ENOENT; /* not worth it: nothing was given up */
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), -ENOENT);
    ASSERT_STR_EQ(trace.text, "before1 ");
}

static int sleep_instead(int64_t wait, void *userdata)
{
    int64_t *left = userdata;
    *left -= wait;
    return *left < 0 ? -EINTR : 0;
}

VIRTUAL_TEST(retry_sleep_can_be_replaced_and_fail)
{
    int64_t left = WEFT_SEC(3);
    int64_t start = weft_now();
    struct run run = {.result = WEFT_EREAD};
    const weft_retry_policy policy = {.attempts = 9,
                                      .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(2)},
                                      .sleep = sleep_instead,
                                      .userdata = &left};
    ASSERT_INT_EQ(weft_retry(&policy, attempt_one, &run), -EINTR);
    ASSERT_INT_EQ(run.calls, 2);
    ASSERT_INT_EQ(weft_now(), start);
}

/* ---- time limits ---- */

VIRTUAL_TEST(retry_attempt_timeout_bounds_each_attempt)
{
    struct run run = {.takes = WEFT_SEC(10)};
    int64_t start = weft_now();
    const weft_retry_policy policy = {
        .attempts = 3, .wait = {WEFT_WAIT_NONE}, .attempt_timeout = WEFT_SEC(2)};
    ASSERT_ERR(weft_retry(&policy, attempt_one, &run), -ETIMEDOUT);
    ASSERT_INT_EQ(run.calls, 3);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(6));
    run = (struct run){.takes = WEFT_SEC(1), .result = 7};
    ASSERT_INT_EQ(weft_retry(&policy, attempt_one, &run), 7);
}

/* ---- statistics ---- */

VIRTUAL_TEST(retry_stats_tell_every_attempt)
{
    weft_retry_stats stats;
    struct run run = {.result = WEFT_EREAD, .takes = WEFT_SEC(2)};
    const weft_retry_policy policy = {.attempts = 3,
                                      .wait = {WEFT_WAIT_INCREMENTING, .min = WEFT_SEC(1)}};
    ASSERT_ERR(weft_retry_with(&policy, attempt_one, &run, &stats), WEFT_EREAD);
    ASSERT_INT_EQ(stats.size, sizeof stats);
    ASSERT_INT_EQ(stats.attempts, 3);
    ASSERT_INT_EQ(stats.elapsed, WEFT_SEC(9));
    ASSERT_INT_EQ(stats.waited, WEFT_SEC(3));
    ASSERT_INT_EQ(stats.history_len, 3);
    static const int64_t began[] = {0, 3, 7};
    static const int64_t wait[] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        ASSERT_INT_EQ(stats.history[i].number, i + 1);
        ASSERT_INT_EQ(stats.history[i].result, WEFT_EREAD);
        ASSERT_INT_EQ(stats.history[i].began, WEFT_SEC(began[i]));
        ASSERT_INT_EQ(stats.history[i].took, WEFT_SEC(2));
        ASSERT_INT_EQ(stats.history[i].wait, WEFT_SEC(wait[i]));
    }
    run = (struct run){.result = 3};
    ASSERT_INT_EQ(weft_retry_with(NULL, attempt_one, &run, &stats), 3);
    ASSERT_INT_EQ(stats.attempts, 1);
    ASSERT_INT_EQ(stats.history[0].result, 3);
    ASSERT_INT_EQ(weft_retry_with(NULL, NULL, NULL, &stats), -EINVAL);
    ASSERT_INT_EQ(stats.attempts, 0);
}

VIRTUAL_TEST(retry_history_keeps_the_last_attempts)
{
    weft_retry_stats stats;
    struct run run = {.result = WEFT_EREAD};
    const weft_retry_policy policy = {.attempts = 40, .wait = {WEFT_WAIT_NONE}};
    ASSERT_ERR(weft_retry_with(&policy, attempt_one, &run, &stats), WEFT_EREAD);
    ASSERT_INT_EQ(stats.attempts, 40);
    ASSERT_INT_EQ(stats.history_len, WEFT_RETRY_HISTORY);
    ASSERT_INT_EQ(stats.history[0].number, 25);
    ASSERT_INT_EQ(stats.history[15].number, 40);
}

/* ---- blocks ---- */

VIRTUAL_TEST(foreach_runs_until_an_attempt_succeeds)
{
    struct run run = {.result = WEFT_EREAD};
    int64_t start = weft_now();
    int err = 0;
    int numbers = 0;
    WEFT_RETRY_FOREACH(WEFT_RETRY(.wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(3)}), attempt)
    {
        numbers = numbers * 10 + weft_attempt_number(attempt);
        run.result = weft_attempt_number(attempt) < 3 ? WEFT_EREAD : 8;
        err = weft_attempt_done(attempt, attempt_one(&run));
    }
    ASSERT_INT_EQ(err, 8);
    ASSERT_INT_EQ(numbers, 123);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(6));
}

VIRTUAL_TEST(foreach_gives_up_as_the_function_does)
{
    struct trace trace = {.give = 42};
    struct run run = {.result = WEFT_EREAD};
    weft_retry_policy policy = traced;
    weft_retry_stats stats;
    int err = 0;
    policy.userdata = &trace;
    WEFT_RETRY_FOREACH(&policy, attempt)
    {
        err = weft_attempt_done(attempt, attempt_one(&run));
        weft_retrying_stats(attempt, &stats);
    }
    ASSERT_INT_EQ(err, 42);
    ASSERT_STR_EQ(trace.text, "before1 after1 sleep1 before2 after2 sleep2 before3 after3 up3 ");
    ASSERT_INT_EQ(stats.attempts, 3);
    ASSERT_INT_EQ(stats.waited, WEFT_SEC(2));
    ASSERT_INT_EQ(stats.elapsed, WEFT_SEC(2));
    ASSERT_INT_EQ(stats.history_len, 0);
    WEFT_RETRY_FOREACH(NULL, attempt)
    err = weft_attempt_done(attempt, weft__fail(-ENOENT, "no file"));
    ASSERT_INT_EQ(err, -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no file");
}

VIRTUAL_TEST(foreach_without_done_ends_and_break_leaves)
{
    int rounds = 0;
    WEFT_RETRY_FOREACH(NULL, attempt)
    rounds++;
    ASSERT_INT_EQ(rounds, 1);
    WEFT_RETRY_FOREACH(NULL, attempt)
    {
        weft_attempt_done(attempt, WEFT_EREAD);
        if (weft_attempt_number(attempt) == 3)
            break;
        rounds++;
    }
    ASSERT_INT_EQ(rounds, 2);
}

VIRTUAL_TEST(foreach_is_cancelled_while_it_waits)
{
    weft_scope scope;
    int err = 0;
    int rounds = 0;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, 3);
    WEFT_RETRY_FOREACH(WEFT_RETRY(.wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(3)}), attempt)
    {
        rounds++;
        err = weft_attempt_done(attempt, WEFT_EREAD);
    }
    weft_testing_cancel_at(NULL, 0);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_INT_EQ(rounds, 1);
    ASSERT_OK(weft_scope_exit(&scope, err));
}

/* ---- the test mode ---- */

VIRTUAL_TEST(testing_mode_has_no_waits_and_few_attempts)
{
    struct trace trace = {.give = 1};
    struct run run = {.result = WEFT_EREAD};
    int64_t start = weft_now();
    weft_retry_policy policy = traced;
    policy.userdata = &trace;
    policy.attempts = -1;
    policy.total = WEFT_SEC(1);
    weft_testing_retry_attempts(2);
    ASSERT_INT_EQ(weft_retry(&policy, attempt_one, &run), 1);
    ASSERT_INT_EQ(run.calls, 2);
    ASSERT_INT_EQ(weft_now(), start);
    ASSERT_STR_EQ(trace.text, "before1 after1 sleep1 before2 after2 up2 ");
    weft_testing_retry_attempts(5);
    run.calls = 0;
    ASSERT_ERR(weft_retry(WEFT_RETRY(.attempts = 3), attempt_one, &run), WEFT_EREAD);
    ASSERT_INT_EQ(run.calls, 3);
    weft_testing_retry_attempts(0);
    run.calls = 0;
    ASSERT_ERR(weft_retry(WEFT_RETRY(.attempts = 6), attempt_one, &run), WEFT_EREAD);
    ASSERT_INT_EQ(run.calls, 6);
    ASSERT_INT_GT(weft_now(), start);
}

VIRTUAL_TEST(testing_mode_can_still_be_cancelled)
{
    weft_scope scope;
    struct run run = {.result = WEFT_EREAD};
    weft_testing_retry_attempts(9);
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, 2);
    int err = weft_retry(NULL, attempt_one, &run);
    weft_testing_cancel_at(NULL, 0);
    weft_testing_retry_attempts(0);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_OK(weft_scope_exit(&scope, err));
}

/* weft_retry on the virtual clock. */
#include <string.h>

#include <weft/error.h>
#include <weft/retry.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "retry/retry_int.h"
#include "test.h"

enum { CALLS_MAX = 64 };

/* A function that follows a script: one result per attempt, the last one for ever. */
struct script {
    const int *results;
    int n;
    int calls;
    int64_t duration; /* of an attempt */
    int64_t began[CALLS_MAX];
    int64_t start;
    const char *message;
};

static int play(void *arg)
{
    struct script *script = arg;
    int i = script->calls < script->n ? script->calls : script->n - 1;
    if (script->calls < CALLS_MAX)
        script->began[script->calls] = weft_now() - script->start;
    script->calls++;
    if (script->duration > 0) {
        int err = weft_sleep(script->duration);
        if (err < 0)
            return err;
    }
    int result = script->results[i];
    if (result < 0 && script->message != NULL)
        return weft__fail(result, "%s", script->message);
    return result;
}

#define SCRIPT(...)                                                                                \
    {                                                                                              \
        .results = (const int[]){__VA_ARGS__},                                                     \
        .n = sizeof((const int[]){__VA_ARGS__}) / sizeof(int), .start = weft_now()                 \
    }

VIRTUAL_TEST(retry_success_at_once_is_one_call)
{
    struct script script = SCRIPT(7);
    ASSERT_INT_EQ(weft_retry(NULL, play, &script), 7);
    ASSERT_INT_EQ(script.calls, 1);
    ASSERT_INT_EQ(weft_now(), script.start);
}

/* stamina's: 10 attempts, 45 s, 100 ms doubling + 0 .. 1 s, at most 5 s. */
VIRTUAL_TEST(retry_by_default_makes_ten_attempts_within_45_s)
{
    struct script script = SCRIPT(WEFT_EREAD_TIMEOUT);
    ASSERT_ERR(weft_retry(NULL, play, &script), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(script.calls, 10);
    for (int i = 1; i < 10; i++) {
        int64_t wait = script.began[i] - script.began[i - 1];
        int64_t least = WEFT_MS(100) << (i - 1);
        ASSERT_INT_GE(wait, least < WEFT_SEC(5) ? least : WEFT_SEC(5));
        ASSERT_INT_LE(wait, least + WEFT_SEC(1) < WEFT_SEC(5) ? least + WEFT_SEC(1) : WEFT_SEC(5));
    }
    ASSERT_INT_LT(weft_now() - script.start, WEFT_SEC(45));
    script.calls = 0;
    script.duration = WEFT_SEC(20);
    ASSERT_ERR(weft_retry(NULL, play, &script), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(script.calls, 3);
}

VIRTUAL_TEST(retry_succeeds_when_an_attempt_does)
{
    struct script script = SCRIPT(WEFT_EREAD, WEFT_EREFUSED, 5);
    ASSERT_INT_EQ(weft_retry(NULL, play, &script), 5);
    ASSERT_INT_EQ(script.calls, 3);
}

VIRTUAL_TEST(retry_waits_are_those_of_the_policy)
{
    struct script script = SCRIPT(WEFT_EREAD);
    const weft_retry_policy policy = {
        .attempts = 7,
        .wait = {WEFT_WAIT_EXPONENTIAL, .min = WEFT_SEC(4), .max = WEFT_SEC(10)},
    };
    static const int64_t began[] = {0, 4, 8, 12, 20, 30, 40};
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 7);
    for (int i = 0; i < 7; i++)
        ASSERT_INT_EQ(script.began[i], WEFT_SEC(began[i]));
    /* There is no wait after the last attempt. */
    ASSERT_INT_EQ(weft_now() - script.start, WEFT_SEC(40));
}

VIRTUAL_TEST(retry_counts_waits_from_the_end_of_an_attempt)
{
    struct script script = SCRIPT(WEFT_EREAD);
    script.duration = WEFT_SEC(3);
    const weft_retry_policy policy = {.attempts = 3, .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(2)}};
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EREAD);
    ASSERT_INT_EQ(script.began[1], WEFT_SEC(5));
    ASSERT_INT_EQ(script.began[2], WEFT_SEC(10));
    ASSERT_INT_EQ(weft_now() - script.start, WEFT_SEC(13));
}

VIRTUAL_TEST(retry_one_attempt_is_a_plain_call)
{
    struct script script = SCRIPT(WEFT_EREAD);
    script.message = "the line is down";
    ASSERT_ERR(weft_retry(WEFT_RETRY(.attempts = 1), play, &script), WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 1);
    ASSERT_STR_EQ(weft_error_message(), "the line is down");
}

VIRTUAL_TEST(retry_negative_attempts_have_no_bound)
{
    static int results[501];
    for (int i = 0; i < 500; i++)
        results[i] = WEFT_EREAD;
    results[500] = 1;
    struct script script = {.results = results, .n = 501, .start = weft_now()};
    ASSERT_INT_EQ(weft_retry(WEFT_RETRY(.attempts = -1, .total = WEFT_FOREVER), play, &script), 1);
    ASSERT_INT_EQ(script.calls, 501);
}

/* ---- the message ---- */

VIRTUAL_TEST(retry_message_counts_the_attempts)
{
    struct script script = SCRIPT(WEFT_EREAD);
    script.message = "reading from example.com: connection reset";
    ASSERT_ERR(weft_retry(WEFT_RETRY(.attempts = 3), play, &script), WEFT_EREAD);
    ASSERT_STR_EQ(weft_error_message(),
                  "after 3 attempts: reading from example.com: connection reset");
}

VIRTUAL_TEST(retry_message_of_a_bare_code_is_its_text)
{
    struct script script = SCRIPT(WEFT_EREAD, WEFT_EREAD, -ECONNRESET);
    weft__fail(-EIO, "something older");
    ASSERT_ERR(weft_retry(WEFT_RETRY(.attempts = 3), play, &script), -ECONNRESET);
    ASSERT_STR_EQ(weft_error_message(), "after 3 attempts: Connection reset by peer");
}

VIRTUAL_TEST(retry_final_error_after_some_attempts_counts_them_too)
{
    struct script script = SCRIPT(WEFT_EREAD, WEFT_ETLS_VERIFY);
    script.message = "no";
    ASSERT_ERR(weft_retry(NULL, play, &script), WEFT_ETLS_VERIFY);
    ASSERT_STR_EQ(weft_error_message(), "after 2 attempts: no");
}

/* ---- the predicate ---- */

TEST(retry_by_default_only_what_is_retryable)
{
    static const int final[] = {
        -ENOENT,           -ENOMEM,    -EINVAL,  -ECANCELED, WEFT_ETLS_VERIFY,
        WEFT_EINVALID_URL, WEFT_EJSON, -EDEADLK, -EACCES,    -EPERM};
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        struct script script = {.results = &final[i], .n = 1};
        ASSERT_ERR(weft_retry(NULL, play, &script), final[i]);
        ASSERT_INT_EQ(script.calls, 1);
    }
}

struct seen {
    int n;
    weft_attempt last;
    bool answer;
};

static bool note_and_answer(const weft_attempt *attempt, void *userdata)
{
    struct seen *seen = userdata;
    seen->n++;
    seen->last = *attempt;
    return seen->answer;
}

VIRTUAL_TEST(retry_predicate_can_refuse)
{
    struct script script = SCRIPT(WEFT_EREAD);
    struct seen seen = {.answer = false};
    ASSERT_ERR(
        weft_retry(WEFT_RETRY(.retry_if = note_and_answer, .userdata = &seen), play, &script),
        WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 1);
    ASSERT_INT_EQ(seen.n, 1);
    ASSERT_INT_EQ(seen.last.result, WEFT_EREAD);
    ASSERT_INT_EQ(seen.last.number, 1);
    ASSERT_INT_EQ(seen.last.wait, 0);
    ASSERT_INT_EQ(seen.last.size, sizeof(weft_attempt));
}

VIRTUAL_TEST(retry_predicate_can_want_what_is_not_retryable)
{
    struct script script = SCRIPT(-ENOENT, -ENOENT, 0);
    struct seen seen = {.answer = true};
    ASSERT_ERR(weft_retry(WEFT_RETRY(.attempts = 2, .retry_if = note_and_answer, .userdata = &seen),
                          play, &script),
               -ENOENT);
    ASSERT_INT_EQ(script.calls, 2);
}

static bool while_below_three(const weft_attempt *attempt, void *userdata)
{
    (void)userdata;
    return attempt->result >= 0 && attempt->result < 3;
}

VIRTUAL_TEST(retry_predicate_can_want_another_success)
{
    struct script script = SCRIPT(0, 1, 2, 3, 4);
    ASSERT_INT_EQ(
        weft_retry(WEFT_RETRY(.attempts = 9, .retry_if = while_below_three), play, &script), 3);
    script.calls = 0;
    /* Attempts used up: the last result, without an error. */
    ASSERT_INT_EQ(
        weft_retry(WEFT_RETRY(.attempts = 2, .retry_if = while_below_three), play, &script), 1);
}

VIRTUAL_TEST(retry_predicate_is_not_asked_about_final_errors)
{
    static const int final[] = {-ENOMEM,
                                -EINVAL,
                                WEFT_EINVALID_URL,
                                WEFT_EUNSUPPORTED_PROTOCOL,
                                WEFT_ELOCAL_PROTOCOL,
                                WEFT_ECLIENT_CLOSED,
                                WEFT_ENOT_REPLAYABLE};
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        struct script script = {.results = &final[i], .n = 1};
        struct seen seen = {.answer = true};
        ASSERT_ERR(
            weft_retry(WEFT_RETRY(.retry_if = note_and_answer, .userdata = &seen), play, &script),
            final[i]);
        ASSERT_INT_EQ(script.calls, 1);
        ASSERT_INT_EQ(seen.n, 0);
    }
}

/* ---- the hook ---- */

struct log {
    int n;
    weft_attempt entries[CALLS_MAX];
};

static void log_attempt(const weft_attempt *attempt, void *userdata)
{
    struct log *log = userdata;
    log->entries[log->n++] = *attempt;
}

VIRTUAL_TEST(retry_hook_runs_before_each_wait_and_not_after_the_last_attempt)
{
    struct script script = SCRIPT(WEFT_EREAD, WEFT_EREFUSED, WEFT_EWRITE);
    struct log log = {0};
    const weft_retry_policy policy = {
        .attempts = 3,
        .wait = {WEFT_WAIT_INCREMENTING, .min = WEFT_SEC(1), .multiplier = WEFT_SEC(2)},
        .before_sleep = log_attempt,
        .userdata = &log,
    };
    script.duration = WEFT_SEC(10);
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EWRITE);
    ASSERT_INT_EQ(log.n, 2);
    ASSERT_INT_EQ(log.entries[0].number, 1);
    ASSERT_INT_EQ(log.entries[0].result, WEFT_EREAD);
    ASSERT_INT_EQ(log.entries[0].elapsed, WEFT_SEC(10));
    ASSERT_INT_EQ(log.entries[0].wait, WEFT_SEC(1));
    ASSERT_INT_EQ(log.entries[1].number, 2);
    ASSERT_INT_EQ(log.entries[1].result, WEFT_EREFUSED);
    ASSERT_INT_EQ(log.entries[1].elapsed, WEFT_SEC(21));
    ASSERT_INT_EQ(log.entries[1].wait, WEFT_SEC(3));
}

/* ---- time ---- */

VIRTUAL_TEST(retry_never_sleeps_past_its_total_time)
{
    struct script script = SCRIPT(WEFT_EREAD);
    struct log log = {0};
    const weft_retry_policy policy = {
        .attempts = -1,
        .total = WEFT_SEC(10),
        .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(4)},
        .before_sleep = log_attempt,
        .userdata = &log,
    };
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EREAD);
    /* At 8 s the next wait would end at 12: it fails there and then. */
    ASSERT_INT_EQ(script.calls, 3);
    ASSERT_INT_EQ(log.n, 2);
    ASSERT_INT_EQ(weft_now() - script.start, WEFT_SEC(8));
    ASSERT_STR_HAS(weft_error_message(), "after 3 attempts");
}

/* As tenacity's stop_before_delay: a wait that would end just at the total time is not begun. */
VIRTUAL_TEST(retry_wait_up_to_the_total_time_is_too_long)
{
    struct script script = SCRIPT(WEFT_EREAD);
    weft_retry_policy policy = {
        .attempts = -1, .total = WEFT_SEC(8), .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(4)}};
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 2);
    policy.total++;
    script.calls = 0;
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 3);
}

VIRTUAL_TEST(retry_total_time_counts_the_attempts_too)
{
    struct script script = SCRIPT(WEFT_EREAD);
    script.duration = WEFT_SEC(6);
    const weft_retry_policy policy = {
        .attempts = -1, .total = WEFT_SEC(10), .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(1)}};
    ASSERT_ERR(weft_retry(&policy, play, &script), WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 2);
}

VIRTUAL_TEST(retry_that_cannot_meet_a_scope_deadline_fails_at_once)
{
    struct script script = SCRIPT(WEFT_EREAD);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(5));
    int err = weft_retry(WEFT_RETRY(.wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(6)}), play, &script);
    ASSERT_ERR(weft_scope_exit(&scope, err), WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 1);
    ASSERT_INT_EQ(weft_now(), script.start);
}

VIRTUAL_TEST(retry_attempt_that_meets_a_scope_deadline_is_cancelled)
{
    struct script script = SCRIPT(WEFT_EREAD);
    weft_scope scope;
    script.duration = WEFT_SEC(3);
    weft_scope_enter(&scope, WEFT_SEC(5));
    int err = weft_retry(WEFT_RETRY(.wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(1)}), play, &script);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_EQ(script.calls, 2);
    ASSERT_INT_EQ(weft_now() - script.start, WEFT_SEC(5));
}

/* Each attempt in a scope of its own: its timeout is retryable. */
static int with_timeout(void *arg)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    return weft_scope_exit(&scope, play(arg));
}

VIRTUAL_TEST(retry_attempt_that_timed_out_is_tried_again)
{
    struct script script = SCRIPT(0);
    script.duration = WEFT_SEC(2);
    ASSERT_ERR(
        weft_retry(WEFT_RETRY(.attempts = 3, .wait = {WEFT_WAIT_NONE}), with_timeout, &script),
        -ETIMEDOUT);
    ASSERT_INT_EQ(script.calls, 3);
    ASSERT_INT_EQ(weft_now() - script.start, WEFT_SEC(3));
    ASSERT_STR_EQ(weft_error_message(), "after 3 attempts: timed out after 1 s");
}

/* ---- cancellation ---- */

VIRTUAL_TEST(retry_wait_is_cancelled)
{
    struct script script = SCRIPT(WEFT_EREAD);
    const weft_retry_policy policy = {.wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(4)}};
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    /* 1: before the wait; 2: the wait's own; 3: in it. */
    for (uint64_t k = 1; k <= 3; k++) {
        weft_scope inner;
        script.calls = 0;
        weft_scope_enter(&inner, WEFT_FOREVER);
        weft_testing_cancel_at(&inner, k);
        int err = weft_retry(&policy, play, &script);
        weft_testing_cancel_at(NULL, 0);
        ASSERT_INT_EQ(err, -ECANCELED);
        ASSERT_STR_HAS(weft_error_message(), "cancelled by the test");
        ASSERT_OK(weft_scope_exit(&inner, err));
        ASSERT_INT_EQ(script.calls, 1);
    }
    ASSERT_OK(weft_scope_exit(&scope, 0));
    ASSERT_INT_EQ(weft_now(), script.start);
}

static int cancel_and_fail(void *arg)
{
    weft_scope_cancel(arg, "enough");
    return WEFT_EREAD;
}

VIRTUAL_TEST(retry_in_a_cancelled_task_is_cancelled)
{
    weft_scope scope;
    struct log log = {0};
    weft_scope_enter(&scope, WEFT_FOREVER);
    int err = weft_retry(WEFT_RETRY(.before_sleep = log_attempt, .userdata = &log), cancel_and_fail,
                         &scope);
    ASSERT_INT_EQ(err, -ECANCELED);
    ASSERT_STR_EQ(weft_error_message(), "cancelled: enough");
    ASSERT_INT_EQ(log.n, 0);
    ASSERT_OK(weft_scope_exit(&scope, err));
}

/* -ECANCELED of something else than this task is like any other error to a predicate. */
VIRTUAL_TEST(retry_foreign_ecanceled_is_up_to_the_predicate)
{
    struct script script = SCRIPT(-ECANCELED, 4);
    struct seen seen = {.answer = true};
    ASSERT_INT_EQ(
        weft_retry(WEFT_RETRY(.retry_if = note_and_answer, .userdata = &seen, .attempts = 1), play,
                   &script),
        -ECANCELED);
    ASSERT_INT_EQ(seen.n, 1);
}

/* ---- where and how it is called ---- */

TEST(retry_works_outside_any_loop)
{
    struct script script = SCRIPT(WEFT_EREAD, WEFT_EREAD, 9);
    const weft_retry_policy policy = {.wait = {WEFT_WAIT_FIXED, .min = WEFT_MS(1)}};
    ASSERT_INT_EQ(weft_retry(&policy, play, &script), 9);
    ASSERT_INT_GE(weft_now() - script.start, WEFT_MS(2));
}

TEST(retry_without_a_function_is_refused)
{
    ASSERT_ERR(weft_retry(NULL, NULL, NULL), -EINVAL);
}

static int inner_retry(void *arg)
{
    return weft_retry(WEFT_RETRY(.attempts = 2, .wait = {WEFT_WAIT_NONE}), play, arg);
}

VIRTUAL_TEST(retry_nests)
{
    struct script script = SCRIPT(WEFT_EREAD);
    ASSERT_ERR(
        weft_retry(WEFT_RETRY(.attempts = 3, .wait = {WEFT_WAIT_NONE}), inner_retry, &script),
        WEFT_EREAD);
    ASSERT_INT_EQ(script.calls, 6);
    ASSERT_STR_HAS(weft_error_message(), "after 3 attempts: after 2 attempts: ");
}

TEST(retry_policy_of_an_older_caller_has_defaults_for_the_rest)
{
    weft_retry_policy policy;
    weft_retry_policy filled;
    memset(&policy, 0xff, sizeof policy);
    policy.size = offsetof(weft_retry_policy, total);
    policy.attempts = 5;
    weft__retry_policy_fill_http(&policy, &filled);
    ASSERT_INT_EQ(filled.attempts, 5);
    ASSERT_INT_EQ(filled.total, WEFT_FOREVER);
    ASSERT(filled.retry_if == NULL);
    ASSERT_INT_EQ(filled.wait.kind, WEFT_WAIT_RANDOM_EXPONENTIAL);
    ASSERT_INT_EQ(filled.retry_after_max, WEFT_SEC(120));
    ASSERT_INT_EQ(filled.statuses[0], 408);
    ASSERT(!filled.retry_non_idempotent);
}

TEST(retry_policy_without_a_size_counts_whole)
{
    static const int teapot[] = {418, 0};
    const weft_retry_policy policy = {.statuses = teapot, .retry_non_idempotent = true};
    weft_retry_policy filled;
    weft__retry_policy_fill(&policy, &filled);
    ASSERT_INT_EQ(filled.attempts, 10);
    ASSERT_INT_EQ(filled.statuses[0], 418);
    ASSERT(filled.retry_non_idempotent);
    weft__retry_policy_fill(NULL, &filled);
    ASSERT_INT_EQ(filled.attempts, 10);
    ASSERT_INT_EQ(filled.total, WEFT_SEC(45));
    weft__retry_policy_fill_http(NULL, &filled);
    ASSERT_INT_EQ(filled.attempts, 3);
    ASSERT_INT_EQ(filled.total, WEFT_FOREVER);
    ASSERT_INT_EQ(filled.statuses[0], 408);
    ASSERT_INT_EQ(filled.wait.kind, WEFT_WAIT_RANDOM_EXPONENTIAL);
    ASSERT_INT_EQ(filled.wait.multiplier, WEFT_MS(100));
    ASSERT_INT_EQ(filled.wait.max, WEFT_SEC(20));
}

/* ---- the decisions, as the HTTP client asks for them ---- */

VIRTUAL_TEST(retry_next_waits_at_least_the_minimum)
{
    weft_retry_policy policy;
    struct weft__retry_state state;
    weft__retry_policy_fill(WEFT_RETRY(.attempts = 3, .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(2)},
                                       .total = WEFT_SEC(60)),
                            &policy);
    weft__retry_begin(&state, NULL);
    ASSERT_INT_EQ(weft__retry_next(&policy, &state, WEFT_EHTTP_STATUS, WEFT_SEC(1)), WEFT_SEC(2));
    ASSERT_INT_EQ(state.number, 2);
    ASSERT_INT_EQ(weft__retry_next(&policy, &state, WEFT_EHTTP_STATUS, WEFT_SEC(9)), WEFT_SEC(9));
    ASSERT_INT_EQ(state.number, 3);
    ASSERT_INT_EQ(weft__retry_next(&policy, &state, WEFT_EHTTP_STATUS, 0), -1);
    ASSERT_INT_EQ(state.number, 3);
    state.number = 1;
    ASSERT_INT_EQ(weft__retry_next(&policy, &state, WEFT_EHTTP_STATUS, WEFT_SEC(60)), -1);
}

VIRTUAL_TEST(retry_wanted_follows_the_callers_default)
{
    weft_retry_policy policy;
    struct weft__retry_state state;
    weft__retry_policy_fill(NULL, &policy);
    weft__retry_begin(&state, NULL);
    ASSERT(weft__retry_wanted(&policy, &state, WEFT_EHTTP_STATUS, true));
    ASSERT(weft__retry_wanted(&policy, &state, 0, true));
    ASSERT(!weft__retry_wanted(&policy, &state, WEFT_EREAD, false));
    ASSERT(!weft__retry_wanted(&policy, &state, -ENOMEM, true));
    ASSERT(!weft__retry_wanted(&policy, &state, WEFT_ECLIENT_CLOSED, true));
}

/* ---- faults ---- */

VIRTUAL_TEST(retry_without_memory_fails_or_succeeds_but_leaks_nothing)
{
    for (uint64_t k = 1; k <= 8; k++) {
        struct script script = SCRIPT(WEFT_EREAD, WEFT_EREAD, 3);
        script.message = "no luck";
        weft_testing_fail_alloc(k, true);
        int result = weft_retry(WEFT_RETRY(.wait = {WEFT_WAIT_FIXED, .min = 1}), play, &script);
        weft_testing_fail_alloc(0, false);
        ASSERT(result == 3 || result == -ENOMEM);
    }
}

/*
 * retry.c - the loop of attempts.
 *
 * Per attempt, in tenacity's order: before, the call, the predicate, after, the wait, the stop,
 * before_sleep, the sleep.  The wait comes before the stop, so that no sleep begins that would
 * end after the policy's total time or after the deadline of the scope around it.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>
#include <weft/retry.h>
#include <weft/testing.h>

#include "base/clock.h"
#include "base/rand.h"
#include "retry/retry_int.h"
#include "run/run_int.h"

enum {
    ATTEMPTS_DEFAULT = 10,
    TOTAL_SECONDS = 45,
    HTTP_ATTEMPTS_DEFAULT = 3,
    RETRY_AFTER_SECONDS = 120,
};

/* Most attempts, without waits between them; 0: as the policies say. */
static _Thread_local int testing_attempts;

void weft_testing_retry_attempts(int attempts)
{
    testing_attempts = attempts > 0 ? attempts : 0;
}

bool weft__retry_is_tested(void)
{
    return testing_attempts > 0;
}

/* ---- the policy ---- */

static void copy_policy(const weft_retry_policy *policy, weft_retry_policy *ret)
{
    size_t size = sizeof *ret;
    if (policy != NULL && (policy->size == 0 || policy->size >= size)) {
        *ret = *policy;
    } else {
        memset(ret, 0, size);
        if (policy != NULL)
            memcpy(ret, policy, policy->size);
    }
    ret->size = size;
}

void weft__retry_policy_fill(const weft_retry_policy *policy, weft_retry_policy *ret)
{
    copy_policy(policy, ret);
    if (ret->attempts == 0)
        ret->attempts = ATTEMPTS_DEFAULT;
    if (ret->total <= 0)
        ret->total = WEFT_SEC(TOTAL_SECONDS);
}

void weft__retry_policy_fill_http(const weft_retry_policy *policy, weft_retry_policy *ret)
{
    static const int statuses[] = {408, 425, 429, 500, 502, 503, 504, 0};
    copy_policy(policy, ret);
    if (ret->attempts == 0)
        ret->attempts = HTTP_ATTEMPTS_DEFAULT;
    if (ret->total <= 0)
        ret->total = WEFT_FOREVER;
    if (ret->statuses == NULL)
        ret->statuses = statuses;
    if (ret->retry_after_max <= 0)
        ret->retry_after_max = WEFT_SEC(RETRY_AFTER_SECONDS);
    if (ret->wait.kind == WEFT_WAIT_DEFAULT) {
        ret->wait.kind = WEFT_WAIT_RANDOM_EXPONENTIAL;
        if (ret->wait.multiplier == 0)
            ret->wait.multiplier = WEFT_MS(100);
        if (ret->wait.max == 0)
            ret->wait.max = WEFT_SEC(20);
    }
}

/* ---- the state ---- */

void weft__retry_stats_clear(weft_retry_stats *stats)
{
    stats->size = sizeof *stats;
    stats->attempts = 0;
    stats->elapsed = 0;
    stats->waited = 0;
    stats->history_len = 0;
}

void weft__retry_begin(struct weft__retry_state *state, weft_retry_stats *stats)
{
    *state = (struct weft__retry_state){.number = 1, .started = weft_now(), .stats = stats};
    if (stats != NULL)
        weft__retry_stats_clear(stats);
}

static weft_attempt attempt_of(const struct weft__retry_state *state, int result)
{
    return (weft_attempt){
        .size = sizeof(weft_attempt),
        .number = state->number,
        .result = result,
        .elapsed = weft_now() - state->started,
        .last_wait = state->last_wait,
        .waited = state->waited,
        .status = state->status,
    };
}

void weft__retry_before(const weft_retry_policy *policy, struct weft__retry_state *state)
{
    if (policy->before != NULL) {
        weft_attempt attempt = attempt_of(state, 0);
        policy->before(&attempt, policy->userdata);
    }
}

void weft__retry_note(struct weft__retry_state *state, const weft_retry_entry *entry)
{
    weft_retry_stats *stats = state->stats;
    if (stats->history_len == WEFT_RETRY_HISTORY) {
        memmove(stats->history, stats->history + 1,
                (WEFT_RETRY_HISTORY - 1) * sizeof stats->history[0]);
        stats->history_len--;
    }
    stats->history[stats->history_len++] = *entry;
    stats->attempts = entry->number;
    stats->elapsed = entry->began + entry->took;
}

void weft__retry_ended(struct weft__retry_state *state, int result, int status)
{
    state->status = status;
    if (state->stats == NULL)
        return;
    const weft_retry_entry entry = {
        .number = state->number,
        .result = result,
        .status = status,
        .began = state->began,
        .took = weft_now() - state->started - state->began,
    };
    weft__retry_note(state, &entry);
}

/* ---- decisions ---- */

/* What no predicate can make worth a retry. */
static bool is_final(int result)
{
    switch (result) {
    case -ECANCELED: {
        const struct weft_task *self = weft__self();
        return self == NULL || self->cancelled;
    }
    case -ENOMEM:
    case -EINVAL:
    case -EFAULT:
    case -EBADF:
    case -EDEADLK:
        return true;
    default:
        return weft_error_get_family(result) == WEFT_FAMILY_USAGE;
    }
}

bool weft__retry_has_predicate(const weft_retry_policy *policy)
{
    return policy->retry_if != NULL || policy->when.kind != WEFT_WHEN_DEFAULT;
}

bool weft__retry_wanted(const weft_retry_policy *policy, const struct weft__retry_state *state,
                        int result, bool by_default)
{
    bool asks = weft__retry_has_predicate(policy);
    if (!asks && !by_default)
        return false;
    if (is_final(result))
        return false;
    if (!asks)
        return true;
    weft_attempt attempt = attempt_of(state, result);
    if (policy->retry_if != NULL)
        return policy->retry_if(&attempt, policy->userdata);
    return weft_when_matches(&policy->when, &attempt);
}

static bool is_too_late(int64_t limit, int64_t end)
{
    return limit != WEFT_FOREVER && end >= limit;
}

static bool is_enough(const weft_retry_policy *policy, const weft_attempt *attempt)
{
    if (policy->attempts > 0 && attempt->number >= policy->attempts)
        return true;
    if (policy->stop.kind != WEFT_STOP_NEVER && weft_stop_reached(&policy->stop, attempt))
        return true;
    if (testing_attempts > 0)
        return attempt->number >= testing_attempts;
    return is_too_late(policy->total, weft__clock_add(attempt->elapsed, attempt->wait)) ||
           is_too_late(weft_remaining(), attempt->wait);
}

int64_t weft__retry_next(const weft_retry_policy *policy, struct weft__retry_state *state,
                         int result, int64_t minimum_wait)
{
    weft_attempt attempt = attempt_of(state, result);
    if (policy->after != NULL)
        policy->after(&attempt, policy->userdata);
    attempt.wait = weft_wait_after(&policy->wait, &attempt, weft__rand_thread());
    if (attempt.wait < minimum_wait)
        attempt.wait = minimum_wait;
    if (is_enough(policy, &attempt))
        return -1;
    if (policy->before_sleep != NULL)
        policy->before_sleep(&attempt, policy->userdata);
    if (state->number < INT32_MAX)
        state->number++;
    state->last_wait = attempt.wait;
    state->waited = weft__clock_add(state->waited, attempt.wait);
    if (state->stats != NULL && state->stats->history_len > 0) {
        state->stats->history[state->stats->history_len - 1].wait = attempt.wait;
        state->stats->waited = state->waited;
    }
    return attempt.wait;
}

int weft__retry_sleep(const weft_retry_policy *policy, int64_t wait)
{
    if (testing_attempts > 0)
        return weft_checkpoint();
    if (policy->sleep != NULL)
        return policy->sleep(wait, policy->userdata);
    return weft_sleep(wait);
}

int weft__retry_failed(const struct weft__retry_state *state, int result)
{
    if (result >= 0 || state->number < 2)
        return result;
    /* A function that returns a code without a message of its own leaves an older one. */
    if (weft__context_get()->error_code != result)
        weft__fail_code(result);
    return weft__fail_prefix(result, "after %d attempts", state->number);
}

int weft__retry_give_up(const weft_retry_policy *policy, const struct weft__retry_state *state,
                        int result)
{
    weft__retry_failed(state, result);
    if (policy->give_up == NULL)
        return result;
    weft_attempt attempt = attempt_of(state, result);
    return policy->give_up(&attempt, policy->userdata);
}

/* ---- the function ---- */

static int call_once(const weft_retry_policy *policy, weft_fn fn, void *arg)
{
    if (policy->attempt_timeout <= 0)
        return fn(arg);
    weft_scope scope;
    weft_scope_enter(&scope, policy->attempt_timeout);
    return weft_scope_exit(&scope, fn(arg));
}

/* 1: another attempt is due; otherwise *result is what the whole returns. */
static int after_attempt(const weft_retry_policy *policy, struct weft__retry_state *state,
                         int *result)
{
    weft__retry_ended(state, *result, 0);
    if (!weft__retry_wanted(policy, state, *result, weft_error_is_retryable(*result))) {
        weft__retry_failed(state, *result);
        return 0;
    }
    int err = weft_checkpoint();
    int64_t wait = -1;
    if (err == 0) {
        wait = weft__retry_next(policy, state, *result, 0);
        if (wait < 0) {
            *result = weft__retry_give_up(policy, state, *result);
            return 0;
        }
        err = weft__retry_sleep(policy, wait);
    }
    if (err < 0) {
        *result = err;
        return 0;
    }
    return 1;
}

void weft__retry_again(const weft_retry_policy *policy, struct weft__retry_state *state)
{
    if (state->stats != NULL)
        state->began = weft_now() - state->started;
    weft__retry_before(policy, state);
}

/* From the second attempt on; result is the first one's. */
static __attribute__((noinline)) int go_on(const weft_retry_policy *policy,
                                           struct weft__retry_state *state, weft_fn fn, void *arg,
                                           int result)
{
    while (after_attempt(policy, state, &result) != 0) {
        weft__retry_again(policy, state);
        result = call_once(policy, fn, arg);
    }
    return result;
}

/* Nothing of the policy counts where the first attempt succeeds. */
static inline bool is_plain(const weft_retry_policy *policy)
{
    if (policy == NULL)
        return true;
    return (policy->size == 0 || policy->size >= sizeof *policy) && policy->before == NULL &&
           policy->attempt_timeout <= 0 && !weft__retry_has_predicate(policy);
}

static int retry(const weft_retry_policy *policy, weft_fn fn, void *arg, weft_retry_stats *ret)
{
    weft_retry_policy filled;
    struct weft__retry_state state;
    weft__retry_begin(&state, ret);
    weft__retry_policy_fill(policy, &filled);
    weft__retry_before(&filled, &state);
    return go_on(&filled, &state, fn, arg, call_once(&filled, fn, arg));
}

static __attribute__((noinline)) int go_on_plain(const weft_retry_policy *policy, int64_t started,
                                                 weft_fn fn, void *arg, int result)
{
    weft_retry_policy filled;
    struct weft__retry_state state = {.number = 1, .started = started};
    weft__retry_policy_fill(policy, &filled);
    return go_on(&filled, &state, fn, arg, result);
}

int weft_retry_with(const weft_retry_policy *policy, weft_fn fn, void *arg, weft_retry_stats *ret)
{
    if (fn == NULL) {
        if (ret != NULL)
            weft__retry_stats_clear(ret);
        return weft__fail(-EINVAL, "weft_retry without a function");
    }
    if (ret != NULL || !is_plain(policy))
        return retry(policy, fn, arg, ret);
    int64_t started = weft_now();
    int result = fn(arg);
    return result >= 0 ? result : go_on_plain(policy, started, fn, arg, result);
}

int weft_retry(const weft_retry_policy *policy, weft_fn fn, void *arg)
{
    return weft_retry_with(policy, fn, arg, NULL);
}

/* ---- the block ---- */

struct block {
    weft_retry_policy policy;
    struct weft__retry_state state;
    bool again;
};

_Static_assert(sizeof(struct block) <= sizeof(weft_retrying), "a weft_retrying holds a block");

static struct block *block_of(weft_retrying *retrying)
{
    return (struct block *)(void *)retrying;
}

weft_retrying *weft_retrying_start(weft_retrying *retrying, const weft_retry_policy *policy)
{
    struct block *block = block_of(retrying);
    weft__retry_policy_fill(policy, &block->policy);
    weft__retry_begin(&block->state, NULL);
    block->again = true;
    return retrying;
}

bool weft_retrying_next(weft_retrying *retrying)
{
    struct block *block = block_of(retrying);
    bool again = block->again;
    block->again = false;
    if (again)
        weft__retry_before(&block->policy, &block->state);
    return again;
}

int weft_attempt_done(weft_retrying *retrying, int result)
{
    struct block *block = block_of(retrying);
    block->again = after_attempt(&block->policy, &block->state, &result) > 0;
    return result;
}

int weft_attempt_number(const weft_retrying *retrying)
{
    return ((const struct block *)(const void *)retrying)->state.number;
}

void weft_retrying_stats(const weft_retrying *retrying, weft_retry_stats *ret)
{
    const struct weft__retry_state *state = &((const struct block *)(const void *)retrying)->state;
    ret->size = sizeof *ret;
    ret->attempts = state->number;
    ret->elapsed = weft_now() - state->started;
    ret->waited = state->waited;
    ret->history_len = 0;
}

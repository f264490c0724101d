/*
 * retry.c - the loop of attempts.
 *
 * Per attempt, in tenacity's order: the call, the predicate, the wait, the stop, the hook
 * before_sleep, the sleep.  The wait comes before the stop, so that no sleep begins that would
 * end after the policy's total time or after the deadline of the scope around it.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>
#include <weft/retry.h>

#include "base/clock.h"
#include "base/rand.h"
#include "retry/retry_int.h"
#include "run/run_int.h"

enum { ATTEMPTS_DEFAULT = 3, RETRY_AFTER_SECONDS = 120 };

void weft__retry_policy_fill(const weft_retry_policy *policy, weft_retry_policy *ret)
{
    static const int statuses[] = {408, 425, 429, 500, 502, 503, 504, 0};
    size_t size = sizeof *ret;
    if (policy != NULL && policy->size != 0 && policy->size < size)
        size = policy->size;
    *ret = (weft_retry_policy){0};
    if (policy != NULL)
        memcpy(ret, policy, size);
    ret->size = sizeof *ret;
    if (ret->attempts == 0)
        ret->attempts = ATTEMPTS_DEFAULT;
    if (ret->total <= 0)
        ret->total = WEFT_FOREVER;
    if (ret->statuses == NULL)
        ret->statuses = statuses;
    if (ret->retry_after_max <= 0)
        ret->retry_after_max = WEFT_SEC(RETRY_AFTER_SECONDS);
}

void weft__retry_begin(struct weft__retry_state *state)
{
    state->number = 1;
    state->started = weft_now();
}

static weft_attempt attempt_of(const struct weft__retry_state *state, int result)
{
    return (weft_attempt){
        .size = sizeof(weft_attempt),
        .number = state->number,
        .result = result,
        .elapsed = weft_now() - state->started,
    };
}

/* What no predicate can make worth a retry. */
static bool is_final(int result)
{
    if (result == -ECANCELED) {
        const struct weft_task *self = weft__self();
        return self == NULL || self->cancelled;
    }
    return result == -ENOMEM || result == -EINVAL ||
           weft_error_get_family(result) == WEFT_FAMILY_USAGE;
}

bool weft__retry_wanted(const weft_retry_policy *policy, const struct weft__retry_state *state,
                        int result, bool by_default)
{
    if (policy->retry_if == NULL && !by_default)
        return false;
    if (is_final(result))
        return false;
    if (policy->retry_if == NULL)
        return true;
    weft_attempt attempt = attempt_of(state, result);
    return policy->retry_if(&attempt, policy->userdata);
}

static bool is_too_late(int64_t limit, int64_t end)
{
    return limit != WEFT_FOREVER && end >= limit;
}

int64_t weft__retry_next(const weft_retry_policy *policy, struct weft__retry_state *state,
                         int result, int64_t minimum_wait)
{
    weft_attempt attempt = attempt_of(state, result);
    attempt.wait = weft_wait_compute(&policy->wait, state->number, weft__rand_thread());
    if (attempt.wait < minimum_wait)
        attempt.wait = minimum_wait;
    if (policy->attempts > 0 && state->number >= policy->attempts)
        return -1;
    if (is_too_late(policy->total, weft__clock_add(attempt.elapsed, attempt.wait)) ||
        is_too_late(weft_remaining(), attempt.wait))
        return -1;
    if (policy->before_sleep != NULL)
        policy->before_sleep(&attempt, policy->userdata);
    if (state->number < INT32_MAX)
        state->number++;
    return attempt.wait;
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

int weft_retry(const weft_retry_policy *policy, weft_fn fn, void *arg)
{
    weft_retry_policy filled;
    struct weft__retry_state state;
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_retry without a function");
    weft__retry_policy_fill(policy, &filled);
    weft__retry_begin(&state);
    for (;;) {
        int result = fn(arg);
        if (!weft__retry_wanted(&filled, &state, result, weft_error_is_retryable(result)))
            return weft__retry_failed(&state, result);
        int err = weft_checkpoint();
        if (err < 0)
            return err;
        int64_t wait = weft__retry_next(&filled, &state, result, 0);
        if (wait < 0)
            return weft__retry_failed(&state, result);
        err = weft_sleep(wait);
        if (err < 0)
            return err;
    }
}

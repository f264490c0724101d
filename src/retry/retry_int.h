/* retry_int.h - the decisions of a retry, for weft_retry and for the HTTP client. */
#ifndef WEFT_RETRY_RETRY_INT_H
#define WEFT_RETRY_RETRY_INT_H

#include <weft/retry.h>

struct weft__retry_state {
    int number;      /* of the attempt that runs or has just ended, 1-based */
    int64_t started; /* when the first one began */
};

/* Defaults in place of NULL, of zero fields, and of fields that an older caller does not have. */
void weft__retry_policy_fill(const weft_retry_policy *policy, weft_retry_policy *ret);

void weft__retry_begin(struct weft__retry_state *state);

/*
 * Is this result worth another attempt?  The policy's predicate is asked; where it has none,
 * by_default stands.  Some results never are: see weft_retry().
 */
bool weft__retry_wanted(const weft_retry_policy *policy, const struct weft__retry_state *state,
                        int result, bool by_default);

/*
 * For a result that is worth it: how long to wait, at least minimum_wait ns, before the next
 * attempt, which the state then counts; or -1 where attempts or time are used up.  The policy
 * is a filled one; its before_sleep is called.
 */
int64_t weft__retry_next(const weft_retry_policy *policy, struct weft__retry_state *state,
                         int result, int64_t minimum_wait);

/* Puts "after N attempts" before the message, where there was more than one; returns result. */
int weft__retry_failed(const struct weft__retry_state *state, int result);

#endif

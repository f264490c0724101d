/* retry_int.h - the decisions of a retry, for weft_retry and for the HTTP client. */
#ifndef WEFT_RETRY_RETRY_INT_H
#define WEFT_RETRY_RETRY_INT_H

#include <weft/retry.h>

struct weft__retry_state {
    int number;              /* of the attempt that runs or has just ended, 1-based */
    int status;              /* HTTP: what the attempt that has just ended was answered */
    int64_t started;         /* when the first one began */
    int64_t began;           /* when this one did, since started */
    int64_t last_wait;       /* before this one */
    int64_t waited;          /* in all */
    weft_retry_stats *stats; /* NULL: nobody asked */
};

/* Defaults in place of NULL, of zero fields, and of fields that an older caller does not have. */
void weft__retry_policy_fill(const weft_retry_policy *policy, weft_retry_policy *ret);
/* The same with HTTP's defaults. */
void weft__retry_policy_fill_http(const weft_retry_policy *policy, weft_retry_policy *ret);

void weft__retry_stats_clear(weft_retry_stats *stats);
/* stats: NULL, or where attempts are remembered. */
void weft__retry_begin(struct weft__retry_state *state, weft_retry_stats *stats);
/* The hook before. */
void weft__retry_before(const weft_retry_policy *policy, struct weft__retry_state *state);

/*
 * Is this result worth another attempt?  The policy's predicate is asked; where it has none,
 * by_default stands.  Some results never are: see weft_retry().
 */
bool weft__retry_wanted(const weft_retry_policy *policy, const struct weft__retry_state *state,
                        int result, bool by_default);
bool weft__retry_has_predicate(const weft_retry_policy *policy);

/* Notes how the attempt ended; status is that of a response, or 0. */
void weft__retry_ended(struct weft__retry_state *state, int result, int status);

/* Remembers one attempt, or a request beside it. */
void weft__retry_note(struct weft__retry_state *state, const weft_retry_entry *entry);

/*
 * For a result that is worth it: how long to wait, at least minimum_wait ns, before the next
 * attempt, which the state then counts; or -1 where attempts or time are used up.  The policy
 * is a filled one; its hooks after and before_sleep are called.
 */
int64_t weft__retry_next(const weft_retry_policy *policy, struct weft__retry_state *state,
                         int result, int64_t minimum_wait);
/* The wait is over: the next attempt begins, the hook before is called. */
void weft__retry_again(const weft_retry_policy *policy, struct weft__retry_state *state);
/* weft_testing_retry_attempts() is in force: nobody waits. */
bool weft__retry_is_tested(void);
int weft__retry_sleep(const weft_retry_policy *policy, int64_t wait);

/* What is returned where no attempt follows one that was worth it. */
int weft__retry_give_up(const weft_retry_policy *policy, const struct weft__retry_state *state,
                        int result);
/* Puts "after N attempts" before the message, where there was more than one; returns result. */
int weft__retry_failed(const struct weft__retry_state *state, int result);

#endif

/*
 * retry.c - HTTP's rules for another attempt (RFC 9110 9.2.2, 10.2.3).
 *
 * A request is repeated only if that cannot do its work twice: its method is idempotent, it has
 * an idempotency key, nothing of it was sent, or the answer says that nothing was done.  What a
 * server says about when to come back is the least that is waited, by every call to its origin;
 * if that is longer than the policy allows, the answer is the caller's to see.
 */
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/client_int.h"
#include "limit/limit_int.h"
#include "proto/date.h"
#include "proto/method.h"

/* So that those who were told the same time do not come back all at once. */
enum { SPREAD_SHARE = 10 };

int64_t weft__retry_spread(int64_t duration)
{
    if (duration <= 0)
        return 0;
    return (int64_t)weft__rand_below(weft__rand_thread(), (uint64_t)duration / SPREAD_SHARE + 1);
}

void weft__retrying_init(struct weft__retrying *retrying, const struct weft__call *call)
{
    retrying->least = -1;
    retrying->moved = false;
    retrying->broke = false;
    weft__retry_begin(&retrying->state, &retrying->stats);
    weft__retry_policy_fill_http(call->settings.retry, &retrying->policy);
    if (call->settings.retry == NULL)
        retrying->policy.attempts = 1;
}

/* ---- when to come back ---- */

/* Thousandths of a second, perhaps with a fraction; -1: not a number. */
static int64_t read_milliseconds(const char *text)
{
    uint64_t ms;
    size_t len = strspn(text, "0123456789");
    if (text[len] != '\0' &&
        (text[len] != '.' || text[len + 1 + strspn(text + len + 1, "0123456789")] != '\0'))
        return -1;
    if (weft__parse_u64(text, len, &ms) < 0)
        return -1;
    return ms < INT64_MAX / 1000000 ? WEFT_MS((int64_t)ms) : INT64_MAX - 1;
}

/* Nanoseconds from now; -1: no field, or none that can be read. */
static int64_t read_retry_after(const weft_response *response)
{
    const char *text = weft_headers_get(&response->headers, "retry-after");
    const char *date = weft_headers_get(&response->headers, "date");
    uint64_t seconds;
    int64_t when;
    int64_t now = weft__clock_wall();
    if (text == NULL)
        return -1;
    if (weft__parse_u64(text, strlen(text), &seconds) == 0)
        return seconds < INT64_MAX / 1000000000 ? WEFT_SEC((int64_t)seconds) : INT64_MAX - 1;
    if (weft__date_parse(text, strlen(text), now, &when) < 0)
        return -1;
    /* The server's clock may differ from ours: its own Date is what the time counts from. */
    int64_t server_now;
    if (date != NULL && weft__date_parse(date, strlen(date), now, &server_now) == 0)
        now = server_now;
    if (when <= now)
        return 0;
    return when - now < INT64_MAX / 1000000000 ? WEFT_SEC(when - now) : INT64_MAX - 1;
}

/* The reset of a quota that is used up. */
static int64_t read_quota(const weft_response *response)
{
    struct weft__advice advice;
    const weft_feedback feedback = {
        .size = sizeof feedback,
        .status = response->status,
        .date = weft_headers_get(&response->headers, "date"),
        .ratelimit = weft_headers_get(&response->headers, "ratelimit"),
    };
    if (feedback.ratelimit == NULL)
        return -1;
    weft__advice_read(&feedback, weft__clock_wall(), &advice);
    return advice.reset >= 0 && advice.remaining == 0 ? advice.reset : -1;
}

int64_t weft_response_retry_after(const weft_response *response)
{
    const char *ms = weft_headers_get(&response->headers, "retry-after-ms");
    int64_t after = ms != NULL ? read_milliseconds(ms) : -1;
    if (after < 0)
        after = read_retry_after(response);
    if (after < 0 && (response->status == 429 || response->status == 503))
        after = read_quota(response);
    return after;
}

/* ---- whether ---- */

static bool is_listed(const int *statuses, int status)
{
    for (; *statuses != 0; statuses++) {
        if (*statuses == status)
            return true;
    }
    return false;
}

/* Statuses by which a server says that it did nothing. */
static bool did_nothing(const weft_retry_policy *policy, int status, int64_t after)
{
    if (status == 421 || status == 425) /* RFC 9110 15.5.20, RFC 8470 5.2 */
        return true;
    return policy->retry_refused && (status == 429 || status == 503) && after >= 0;
}

static bool may_repeat(const weft_retry_policy *policy, const struct weft__call *call, int status,
                       int64_t after)
{
    return !call->sent || policy->retry_non_idempotent || call->has_key ||
           weft__method_is_idempotent(call->method) || did_nothing(policy, status, after);
}

/* Is the status one that may change?  What no list and no predicate can overrule comes first. */
static bool is_transient(const struct weft__retrying *retrying, const struct weft__call *call,
                         int status, bool *ret_never)
{
    *ret_never = status == 501 || status == 505 || (status == 413 && retrying->least < 0) ||
                 (status == 421 && retrying->moved);
    if (status == 413 || status == 421)
        return true;
    if (status == 409 && call->has_key) /* the first request with this key still runs */
        return true;
    return is_listed(retrying->policy.statuses, status);
}

/* All calls to the origin wait, not only this one. */
static void pause_origin(const struct weft__retrying *retrying, const struct weft__call *call,
                         int status)
{
    if ((status == 429 || status == 503) && retrying->least > 0 &&
        retrying->least <= retrying->policy.retry_after_max)
        weft__health_pause(call->client, call->url, retrying->least);
}

static bool wants_response(struct weft__retrying *retrying, const struct weft__call *call,
                           const weft_response *response)
{
    const weft_retry_policy *policy = &retrying->policy;
    bool never;
    int status = response->status;
    retrying->state.status = status;
    retrying->least = weft_response_retry_after(response);
    pause_origin(retrying, call, status);
    bool transient = is_transient(retrying, call, status, &never);
    if (never || (status < 400 && !transient) || retrying->least > policy->retry_after_max)
        return false;
    return may_repeat(policy, call, status, retrying->least) &&
           weft__retry_wanted(policy, &retrying->state, WEFT_EHTTP_STATUS, transient);
}

bool weft__retrying_wants(struct weft__retrying *retrying, const struct weft__call *call, int err,
                          const weft_response *response)
{
    const weft_retry_policy *policy = &retrying->policy;
    if (call->settings.retry == NULL || call->body_failed)
        return false;
    if (response != NULL)
        return wants_response(retrying, call, response);
    retrying->least = -1;
    retrying->state.status = 0;
    return may_repeat(policy, call, 0, -1) &&
           weft__retry_wanted(policy, &retrying->state, err, weft_error_is_retryable(err));
}

/* ---- and when ---- */

/* A connection that failed, or that the server does not want, is not used again. */
static bool needs_new_connection(const weft_response *response, int err)
{
    if (response != NULL)
        return response->status == 421;
    switch (weft_error_get_family(err)) {
    case WEFT_FAMILY_CONNECT:
    case WEFT_FAMILY_NETWORK:
    case WEFT_FAMILY_TLS:
    case WEFT_FAMILY_TIMEOUT:
    case WEFT_FAMILY_SYSTEM:
        return true;
    default:
        return false;
    }
}

bool weft__retrying_plan(struct weft__retrying *retrying, struct weft__call *call, int err,
                         const weft_response *response, int64_t *ret_wait)
{
    const weft_retry_policy *policy = &retrying->policy;
    int result = response != NULL ? WEFT_EHTTP_STATUS : err;
    if (!weft__health_may_retry(call->client, call->url, policy)) {
        retrying->broke = true;
        return false;
    }
    int64_t least = retrying->least;
    if (least > 0)
        least += weft__retry_spread(least);
    int64_t wait = weft__retry_next(policy, &retrying->state, result, least > 0 ? least : 0);
    if (wait < 0)
        return false;
    weft__health_spend(call->client, call->url);
    if (response != NULL && response->status == 429)
        weft__health_pause(call->client, call->url, wait);
    call->fresh = needs_new_connection(response, err);
    retrying->moved = retrying->moved || (response != NULL && response->status == 421);
    *ret_wait = wait;
    return true;
}

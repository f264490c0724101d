/*
 * retry.c - HTTP's rules for another attempt (RFC 9110 9.2.2, 10.2.3).
 *
 * A request is repeated only if that cannot do its work twice: its method is idempotent, or
 * nothing of it was sent.  A server's Retry-After is the least that is waited; if it is longer
 * than the policy allows, the answer is the caller's to see.
 */
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/client_int.h"
#include "proto/date.h"
#include "proto/method.h"

/* So that those who were told the same time do not come back all at once. */
enum { SPREAD_SHARE = 10 };

void weft__retrying_init(struct weft__retrying *retrying, const struct weft__call *call)
{
    weft__retry_begin(&retrying->state, NULL);
    if (call->settings.retry != NULL)
        weft__retry_policy_fill_http(call->settings.retry, &retrying->policy);
}

static bool may_repeat(const weft_retry_policy *policy, const struct weft__call *call)
{
    return !call->sent || policy->retry_non_idempotent || weft__method_is_idempotent(call->method);
}

static bool is_listed(const int *statuses, int status)
{
    for (; *statuses != 0; statuses++) {
        if (*statuses == status)
            return true;
    }
    return false;
}

/* Nanoseconds from now; -1: no field, or none that can be read. */
static int64_t retry_after(const weft_response *response)
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

bool weft__retrying_next(struct weft__retrying *retrying, const struct weft__call *call, int err,
                         const weft_response *response, int64_t *ret_wait)
{
    const weft_retry_policy *policy = &retrying->policy;
    int64_t least = 0;
    if (call->settings.retry == NULL)
        return false;
    if (response != NULL) {
        bool listed = is_listed(policy->statuses, response->status);
        if (response->status < 400 && !listed)
            return false;
        if (!may_repeat(policy, call) ||
            !weft__retry_wanted(policy, &retrying->state, WEFT_EHTTP_STATUS, listed))
            return false;
        least = retry_after(response);
        if (least > policy->retry_after_max)
            return false;
        if (least > 0)
            least +=
                (int64_t)weft__rand_below(weft__rand_thread(), (uint64_t)least / SPREAD_SHARE + 1);
        err = WEFT_EHTTP_STATUS;
    } else if (!may_repeat(policy, call) ||
               !weft__retry_wanted(policy, &retrying->state, err, weft_error_is_retryable(err))) {
        return false;
    }
    int64_t wait = weft__retry_next(policy, &retrying->state, err, least > 0 ? least : 0);
    if (wait < 0)
        return false;
    *ret_wait = wait;
    return true;
}

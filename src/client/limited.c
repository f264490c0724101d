/*
 * limited.c - the limits object that a client was given.
 *
 * An attempt has its permit before it asks the pool for a connection, so that nobody waits for
 * a rate with a connection in hand.  From then on the permit belongs to the connection's slot,
 * and goes back with it, on whatever path that is.
 */
#include <weft/limit.h>

#include "client/client_int.h"

int weft__limited_enter(const struct weft__call *call)
{
    weft_limits *limits = call->client->user_limits;
    return limits != NULL ? weft_limits_acquire(limits, weft_url_host(call->url)) : 0;
}

void weft__limited_leave(const struct weft__call *call)
{
    weft_limits *limits = call->client->user_limits;
    if (limits != NULL)
        weft_limits_release(limits, weft_url_host(call->url), -1, false);
}

void weft__limited_hold(const struct weft__call *call, struct weft__conn *conn)
{
    conn->permit_of = call->client->user_limits;
    if (conn->permit_of != NULL)
        conn->permit_since = weft_now();
    conn->refused = true; /* until an answer says otherwise */
}

void weft__limited_feed(struct weft__conn *conn, const weft_response *response)
{
    const weft_headers *headers = &response->headers;
    if (conn->permit_of == NULL)
        return;
    conn->refused = response->status == 429 || response->status == 503;
    const char *limit = weft_headers_get(headers, "ratelimit-limit");
    const char *remaining = weft_headers_get(headers, "ratelimit-remaining");
    const char *reset = weft_headers_get(headers, "ratelimit-reset");
    weft_limits_feed(
        conn->permit_of, conn->origin->host,
        WEFT_FEEDBACK(
                .status = response->status, .retry_after = weft_headers_get(headers, "retry-after"),
                .date = weft_headers_get(headers, "date"),
                .ratelimit = weft_headers_get(headers, "ratelimit"),
                .ratelimit_policy = weft_headers_get(headers, "ratelimit-policy"),
                .limit = limit != NULL ? limit : weft_headers_get(headers, "x-ratelimit-limit"),
                .remaining = remaining != NULL ? remaining
                                               : weft_headers_get(headers, "x-ratelimit-remaining"),
                .reset = reset != NULL ? reset : weft_headers_get(headers, "x-ratelimit-reset"),
                .cached = weft_headers_get(headers, "age") != NULL));
}

void weft__limited_end(struct weft__conn *conn)
{
    weft_limits *limits = conn->permit_of;
    conn->permit_of = NULL;
    /* Once its loop has ended, nobody is there who could wait for the permit. */
    if (limits == NULL || conn->pool == NULL)
        return;
    weft_limits_release(limits, conn->origin->host, weft_now() - conn->permit_since, conn->refused);
}

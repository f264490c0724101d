/*
 * call.c - one call of the user: hops, attempts, the total time.
 *
 * A hop is a request that a redirect may lead to; each hop is attempted until it succeeds or
 * the retry policy gives up, so a POST that was answered by a redirect is never sent again.
 * Whatever slot of the pool an attempt holds is given back before it ends, or passes to its
 * response.
 */
#include <string.h>

#include "client/client_int.h"
#include "proto/method.h"
#include "proto/url.h"

/* ---- one attempt ---- */

/*
 * RFC 9112 9.3.1: a server may close an idle connection while a request is on its way.  Then
 * the request is sent once more, on a new connection, if that cannot do it twice.
 */
static bool is_stale(const struct weft__call *call, int err, bool answered)
{
    if (answered || (call->sent && !weft__method_is_idempotent(call->method)))
        return false;
    return err == WEFT_EDISCONNECTED || err == WEFT_EREAD || err == WEFT_EWRITE;
}

static int attempt(struct weft__call *call, weft_response **ret)
{
    struct weft__conn *conn;
    bool answered = false;
    bool reusable = false;
    call->sent = false;
    int err = weft__pool_acquire(call->pool, call->url, call->settings.pool, &conn);
    if (err < 0)
        return err;
    bool reused = conn->stream != NULL;
    if (!reused)
        err = weft__conn_open(conn, call->client, call->url, &call->settings);
    if (err == 0)
        err = weft__h1_exchange(conn, call, &answered, &reusable);
    if (err < 0 && reused && is_stale(call, err, answered)) {
        weft__conn_shut(conn);
        err = weft__conn_open(conn, call->client, call->url, &call->settings);
        if (err == 0)
            err = weft__h1_exchange(conn, call, &answered, &reusable);
    }
    if (err < 0) {
        weft__pool_drop(conn);
        return err;
    }
    return weft__response_new(conn, call, reusable, ret);
}

/* ---- one hop ---- */

/* An attempt up to the end of what the caller will look at, or up to a response to retry. */
static int whole_attempt(struct weft__call *call, struct weft__retrying *retrying,
                         weft_response **ret, int64_t *ret_wait)
{
    weft_response *response;
    int err = attempt(call, &response);
    if (err == 0) {
        *ret = response;
        if (weft__retrying_next(retrying, call, 0, response, ret_wait))
            return 1;
        if (call->stream || weft__redirect_wanted(call, response))
            return 0;
        err = weft__response_load(response);
        if (err == 0)
            return 0;
        weft_response_free(response);
        *ret = NULL;
    }
    if (weft__retrying_next(retrying, call, err, NULL, ret_wait))
        return 1;
    return err;
}

static int hop(struct weft__call *call, struct weft__retrying *retrying, weft_response **ret)
{
    for (;;) {
        weft_response *response = NULL;
        int64_t wait = 0;
        int err = whole_attempt(call, retrying, &response, &wait);
        if (err <= 0) {
            *ret = response;
            return err;
        }
        if (response != NULL) {
            weft__response_discard(response);
            weft_response_free(response);
        }
        err = weft_sleep(wait);
        if (err < 0)
            return err;
    }
}

static int all_hops(struct weft__call *call, struct weft__retrying *retrying, weft_response **ret)
{
    for (;;) {
        weft_response *response = NULL;
        int err = hop(call, retrying, &response);
        if (err < 0)
            return err;
        if (!weft__redirect_wanted(call, response)) {
            *ret = response;
            return 0;
        }
        err = weft__redirect_follow(call, response);
        if (err == 0)
            weft__response_discard(response);
        weft_response_free(response);
        if (err < 0)
            return err;
    }
}

/* ---- the call ---- */

/* The URL goes over to the response; what is said of the call is said by whoever has it. */
static int finish(struct weft__call *call, const struct weft__retry_state *state, int err,
                  weft_response *response, weft_response **ret)
{
    if (err == 0) {
        response->attempts = state->number;
        response->redirects = call->redirects;
        response->url = call->url;
        call->url = NULL;
        if (call->settings.raise_for_status)
            err = weft_response_raise_for_status(response);
        if (err == 0) {
            *ret = response;
            return 0;
        }
        weft_response_free(response);
        return weft__retry_failed(state, err);
    }
    weft_response_free(response);
    weft__retry_failed(state, err);
    return weft__fail_prefix(err, "%s %s", call->method, weft_url_redacted(call->url));
}

static int run(struct weft__call *call, weft_response **ret)
{
    struct weft__retrying retrying;
    weft_response *response = NULL;
    weft_scope scope;
    int64_t total = call->settings.total;
    weft__retrying_init(&retrying, call);
    call->started = retrying.state.started;
    if (total != WEFT_FOREVER)
        weft_scope_enter(&scope, total);
    int err = all_hops(call, &retrying, &response);
    if (total != WEFT_FOREVER) {
        bool cancelled = err == -ECANCELED;
        err = weft_scope_exit(&scope, err);
        if (cancelled && err == -ETIMEDOUT)
            err = weft__fail(WEFT_ETOTAL_TIMEOUT, "the request's total time of %.6g s is over",
                             (double)total * 1e-9);
    }
    return finish(call, &retrying.state, err, response, ret);
}

int weft__call_run(weft_client *client, const char *method, const char *url,
                   const weft_request_options *options, bool stream, weft_response **ret)
{
    weft_request_options all = {0};
    if (client == NULL || ret == NULL)
        return weft__fail(-EINVAL, "a request without a client, or without a place for its result");
    if (options != NULL)
        memcpy(&all, options,
               options->size > 0 && options->size < sizeof all ? options->size : sizeof all);
    struct weft__call call = {
        .client = client,
        .options = &all,
        .method = method,
        .settings = client->settings,
        .stream = stream,
    };
    int err = weft__request_init(&call, url);
    if (err < 0) {
        char shown[WEFT__URL_SHOWN];
        weft__url_show(url != NULL ? url : "", shown);
        weft__request_done(&call);
        return weft__fail_prefix(err, "%s", shown);
    }
    err = weft__client_pool(client, &call.pool);
    if (err == 0) {
        weft__client_ref(client);
        weft__pool_enter(call.pool);
        err = run(&call, ret);
        weft__pool_leave(call.pool);
        weft__client_unref(client);
    }
    weft__request_done(&call);
    return err;
}

/*
 * call.c - one call of the user: hops, attempts, the total time.
 *
 * A hop is a request that a redirect may lead to; each hop is attempted until it succeeds or
 * the retry policy gives up, so a POST that was answered by a redirect is never sent again.
 * Whatever slot of the pool an attempt holds is given back before it ends, or passes to its
 * response.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "client/h2_int.h"
#include "proto/method.h"
#include "proto/url.h"

/* ---- one attempt ---- */

/* Of one request on a connection. */
struct outcome {
    bool reused;   /* the connection had been there before */
    bool answered; /* something of a response has come */
    bool reusable;
};

/*
 * RFC 9112 9.3.1: a server may close an idle connection while a request is on its way.  Then
 * the request is sent once more, on a new connection, if that cannot do it twice.
 */
static bool is_stale(const struct weft__call *call, int err, bool answered)
{
    if (answered || (call->sent && !weft__method_is_idempotent(call->method)) ||
        !weft__body_can_repeat(call))
        return false;
    return err == WEFT_EDISCONNECTED || err == WEFT_EREAD || err == WEFT_EWRITE;
}

static int pause(const struct weft__call *call, int64_t left)
{
    if (weft_remaining() <= left)
        return weft__fail(WEFT_ETOTAL_TIMEOUT,
                          "%s wants no requests for another %.6g s, longer than this one has",
                          weft_url_authority(call->url), (double)left * 1e-9);
    return weft_sleep(left + weft__retry_spread(left));
}

static int64_t paused_for(const struct weft__call *call)
{
    if (call->settings.retry == NULL || weft__retry_is_tested())
        return 0;
    return weft__health_paused_for(call->client, call->url);
}

/* A permit of the user's limits, then a slot that holds it. */
static int permitted(struct weft__call *call, struct weft__conn **ret)
{
    int err = weft__limited_enter(call);
    if (err < 0)
        return err;
    err = weft__pool_acquire(call->pool, call->url, &call->way, call->settings.pool, ret);
    if (err < 0)
        weft__limited_leave(call);
    else
        weft__limited_hold(call, *ret);
    return err;
}

/* A connection, at a time when the origin wants requests: nobody waits for that with one. */
static int acquire(struct weft__call *call, struct weft__conn **ret)
{
    struct weft__conn *conn;
    for (;;) {
        int64_t left = paused_for(call);
        int err = left > 0 ? pause(call, left) : 0;
        if (err == 0)
            err = permitted(call, &conn);
        if (err < 0)
            return err;
        if (call->fresh && conn->light) {
            weft__pool_h2_leave(conn);
            weft__pool_drop(conn);
            continue;
        }
        if (call->fresh && conn->stream != NULL)
            weft__conn_shut(conn);
        if (paused_for(call) == 0)
            break;
        if (conn->stream != NULL)
            weft__pool_release(conn, weft_now());
        else
            weft__pool_drop(conn);
    }
    *ret = conn;
    return 0;
}

/* One request on a connection; whom it went to is asked before anything can fail. */
static int exchange_on(struct weft__call *call, struct weft__conn *conn, bool *ret_answered,
                       bool *ret_reusable)
{
    if (call->settings.retry != NULL || call->options->stats != NULL)
        call->peer = conn->info->peer;
    conn->low_limit = call->settings.low_speed_limit;
    conn->low_time = call->settings.low_speed_time;
    conn->low_bytes = 0;
    conn->low_waited = 0;
    int err = conn->light ? weft__h2_exchange(conn, call, ret_answered, ret_reusable)
                          : weft__h1_exchange(conn, call, ret_answered, ret_reusable);
    if (err < 0)
        call->avoid = call->peer;
    return err;
}

/* In an empty slot, which may become that of a connection that others use too. */
static int open_connection(struct weft__conn **conn, struct weft__call *call)
{
    bool h2 = false;
    call->moments.reused = false;
    call->moments.connection = 0;
    call->moments.ready = weft_now();
    weft__hooks_trace(call, WEFT_TRACE_CONNECTING, 0);
    int err = weft__conn_open(*conn, call, &h2);
    if (err == 0) {
        call->moments.opened = (*conn)->opened_at;
        call->moments.connection = (*conn)->info->id;
        weft__hooks_trace(call, WEFT_TRACE_CONNECTED, 0);
    }
    return weft__pool_opened(conn, err, h2);
}

/* Once more, on a new connection. */
static int exchange_anew(struct weft__call *call, struct weft__conn **conn, bool *ret_answered,
                         bool *ret_reusable)
{
    weft__conn_shut(*conn);
    call->moments.begun = weft__call_moment(call);
    int err = weft__body_prepare(call);
    if (err == 0)
        err = open_connection(conn, call);
    return err < 0 ? err : exchange_on(call, *conn, ret_answered, ret_reusable);
}

/* RFC 9110 10.1.1: whoever knows nothing of expectations is asked without. */
static bool is_unexpected(const struct weft__call *call, const struct weft__conn *conn)
{
    return call->expects && conn->head.status == 417 && weft__body_can_repeat(call);
}

/* A connection, and one request on it; *conn is NULL where there was none. */
static int exchange_first(struct weft__call *call, struct weft__conn **conn, struct outcome *ret)
{
    *conn = NULL;
    *ret = (struct outcome){.answered = false};
    call->moments = (struct weft__moments){.begun = weft__call_moment(call), .dns = -1, .tls = -1};
    int err = weft__body_prepare(call);
    if (err == 0)
        err = acquire(call, conn);
    if (err < 0)
        return err;
    call->moments.ready = call->moments.opened = weft__call_moment(call);
    call->moments.reused = true;
    call->fresh = false;
    /* A light is none that could be filled, even if its connection has ended meanwhile. */
    ret->reused = (*conn)->light || (*conn)->stream != NULL;
    if (ret->reused) {
        call->moments.connection = (*conn)->info->id;
        weft__hooks_trace(call, WEFT_TRACE_REUSED, 0);
    } else {
        err = open_connection(conn, call);
    }
    return err < 0 ? err : exchange_on(call, *conn, &ret->answered, &ret->reusable);
}

/* On HTTP/1.1 a second request needs a connection of its own, in the same slot. */
static int exchange_h1(struct weft__call *call, struct weft__conn **conn, int err,
                       struct outcome *outcome)
{
    if (err < 0 && outcome->reused && is_stale(call, err, outcome->answered))
        err = exchange_anew(call, conn, &outcome->answered, &outcome->reusable);
    if (err == 0 && is_unexpected(call, *conn)) {
        weft__request_drop_expectation(call);
        err = exchange_anew(call, conn, &outcome->answered, &outcome->reusable);
    }
    return err;
}

/* May the request be sent again at once, on whatever connection there is then? */
static bool is_worth_another(struct weft__call *call, struct weft__conn *conn, int err,
                             const struct outcome *outcome)
{
    if (err == 0 && is_unexpected(call, conn)) {
        weft__request_drop_expectation(call);
        return true;
    }
    if (err == 0 || call->body_failed || !weft__body_can_repeat(call))
        return false;
    return weft__h2_may_repeat(call, conn, err) ||
           (outcome->reused && is_stale(call, err, outcome->answered));
}

static int exchange_once(struct weft__call *call, weft_response **ret)
{
    struct weft__conn *conn;
    struct outcome outcome;
    call->sent = false;
    call->peer.len = 0;
    int err = exchange_first(call, &conn, &outcome);
    for (int n = 0; conn != NULL && conn->light; n++) {
        if (n == WEFT__LIMIT_H2_REPEATS || !is_worth_another(call, conn, err, &outcome))
            break;
        weft__pool_drop(conn);
        err = exchange_first(call, &conn, &outcome);
    }
    if (conn == NULL)
        return err;
    if (!conn->light)
        err = exchange_h1(call, &conn, err, &outcome);
    if (err < 0) {
        weft__hooks_trace(call, WEFT_TRACE_FAILED, err);
        weft__pool_drop(conn);
        return err;
    }
    weft__hooks_trace(call, WEFT_TRACE_ANSWERED, conn->head.status);
    weft_response *response;
    err = weft__response_new(conn, call, outcome.reusable, &response);
    if (err < 0)
        return err;
    err = weft__call_receive_cookies(call, response);
    if (err < 0) {
        weft_response_free(response);
        return err;
    }
    *ret = response;
    return 0;
}

/* By the way that its URL goes; a proxy that wants other credentials is asked again. */
static int exchange(struct weft__call *call, weft_response **ret)
{
    weft_response *response = NULL;
    int err = weft__way_enter(call);
    if (err < 0)
        return err;
    err = exchange_once(call, &response);
    int again = err == 0 ? weft__way_again(call, response) : 0;
    if (again != 0) {
        weft__response_discard(response);
        weft_response_free(response);
        response = NULL;
        err = again < 0 ? again : exchange_once(call, &response);
    }
    weft__way_leave(call);
    if (err == 0)
        err = weft__response_keep_request(response, call);
    if (err < 0) {
        weft_response_free(response);
        return err;
    }
    *ret = response;
    return 0;
}

static enum weft__outcome outcome_of(int err, const weft_response *response)
{
    if (err == 0)
        return response->status >= 500 ? WEFT__OUTCOME_BAD : WEFT__OUTCOME_GOOD;
    return weft_error_is_retryable(err) && err != WEFT_EPOOL_TIMEOUT ? WEFT__OUTCOME_BAD
                                                                     : WEFT__OUTCOME_UNKNOWN;
}

int weft__attempt(struct weft__call *call, weft_response **ret)
{
    const weft_retry_policy *policy = call->settings.retry;
    if (policy == NULL || policy->breaker_percent <= 0)
        return exchange(call, ret);
    call->sent = false;
    bool probe;
    int err = weft__health_admit(call->client, call->url, policy, &probe);
    if (err < 0)
        return err;
    err = exchange(call, ret);
    weft__health_report(call->client, call->url, policy, probe,
                        outcome_of(err, err == 0 ? *ret : NULL));
    return err;
}

/* ---- one hop ---- */

enum { WORTH_ANOTHER = 1 };

static bool is_for_the_caller(const struct weft__call *call, const weft_response *response)
{
    return call->stream || weft__redirect_wanted(call, response);
}

static int load_now(struct weft__call *call, weft_response **response)
{
    if (is_for_the_caller(call, *response) || (*response)->in_memory)
        return 0;
    int err = weft__response_load(*response);
    if (err < 0) {
        weft_response_free(*response);
        *response = NULL;
    }
    return err;
}

static int load(struct weft__call *call, weft_response **response)
{
    return weft__auth_holds(call, *response) ? 0 : load_now(call, response);
}

static int hook(const struct weft__call *call, weft_response *response)
{
    int err = weft__hooks_response(call, response);
    if (err < 0)
        weft_response_free(response);
    return err;
}

/* An attempt up to the end of what the caller will look at, or up to a response to retry. */
static int fetch(struct weft__call *call, struct weft__retrying *retrying, weft_response **ret)
{
    weft_response *response;
    int err = weft__hedge_wanted(call, &retrying->policy)
                  ? weft__hedge_attempt(call, retrying, &response)
                  : weft__attempt(call, &response);
    if (err == 0)
        err = hook(call, response);
    if (err < 0)
        return err;
    *ret = response;
    retrying->state.status = response->status;
    if (weft__retrying_wants(retrying, call, 0, response))
        return WORTH_ANOTHER;
    return load(call, ret);
}

static int timed_fetch(struct weft__call *call, struct weft__retrying *retrying,
                       weft_response **ret)
{
    weft_scope scope;
    if (retrying->policy.attempt_timeout <= 0)
        return fetch(call, retrying, ret);
    weft_scope_enter(&scope, retrying->policy.attempt_timeout);
    int result = fetch(call, retrying, ret);
    int err = weft_scope_exit(&scope, result < 0 ? result : 0);
    return err < 0 ? err : result;
}

void weft__call_peer(const struct weft__call *call, char ret[WEFT_RETRY_PEER])
{
    char text[WEFT_ADDRESS_TEXT_MAX] = "";
    if (call->peer.len > 0)
        weft_address_format(&call->peer, text, sizeof text);
    snprintf(ret, WEFT_RETRY_PEER, "%.*s", WEFT_RETRY_PEER - 1, text);
}

/* The requests of an attempt, as they are remembered. */
static void note(const struct weft__call *call, struct weft__retrying *retrying, int result,
                 int status)
{
    struct weft__retry_state *state = &retrying->state;
    if (retrying->n_notes == 0) {
        retrying->notes[0] = (weft_retry_entry){.began = state->began};
        if (result < 0 || status >= 400 || state->number > 1 || call->options->stats != NULL)
            weft__call_peer(call, retrying->notes[0].peer);
        retrying->winner = 0;
        retrying->n_notes = 1;
    }
    weft_retry_entry *winner = &retrying->notes[retrying->winner];
    winner->result = result;
    winner->status = status;
    winner->took = weft_now() - state->started - winner->began;
    state->status = status;
    for (int i = 0; i < retrying->n_notes; i++) {
        retrying->notes[i].number = state->number;
        weft__retry_note(state, &retrying->notes[i]);
    }
}

/* What an answer before this request has changed counts already. */
static int set_fields(struct weft__call *call, const struct weft__retrying *retrying)
{
    int err = call->again ? weft__request_set_headers(call) : 0;
    call->again = true;
    if (err == 0)
        err = weft__call_set_cookies(call);
    if (err == 0)
        err = weft__auth_before(call);
    if (err == 0)
        err = weft__request_set_number(call, retrying->policy.attempt_field);
    return err < 0 ? err : weft__hooks_request(call);
}

/* 1: another one is due, after a wait. */
static int whole_attempt(struct weft__call *call, struct weft__retrying *retrying,
                         weft_response **ret, int64_t *ret_wait)
{
    retrying->n_notes = 0;
    call->number = retrying->state.number;
    int result = set_fields(call, retrying);
    if (result < 0)
        return result;
    int64_t began = call->client->hooks.log != NULL ? weft_now() : 0;
    result = timed_fetch(call, retrying, ret);
    int status = *ret != NULL ? (*ret)->status : 0;
    note(call, retrying, result < 0 ? result : 0, status);
    weft__hooks_log(call, result, status, began);
    if (result == WORTH_ANOTHER) {
        if (weft__body_can_repeat(call) && weft__retrying_plan(retrying, call, 0, *ret, ret_wait))
            return 1;
        return load(call, ret);
    }
    if (result >= 0 || !weft__retrying_wants(retrying, call, result, NULL))
        return result;
    if (!weft__body_can_repeat(call))
        return weft__fail_prefix(WEFT_ENOT_REPLAYABLE,
                                 "the request body cannot be sent a second time without "
                                 "body_rewind, and the first");
    return weft__retrying_plan(retrying, call, result, NULL, ret_wait) ? 1 : result;
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
        err = weft__retry_sleep(&retrying->policy, wait);
        if (err < 0)
            return err;
        weft__retry_again(&retrying->policy, &retrying->state);
    }
}

/* A hop, and what whoever speaks for the call makes of the answer. */
static int whole_hop(struct weft__call *call, struct weft__retrying *retrying, weft_response **ret)
{
    for (;;) {
        weft_response *response = NULL;
        int result = hop(call, retrying, &response);
        if (result < 0)
            return result;
        response->url = call->url; /* to be asked for; it stays the call's */
        result = weft__auth_after(call, response);
        response->url = NULL;
        if (result == 0) {
            *ret = response;
            return load_now(call, ret);
        }
        if (result > 0)
            result = weft_url_parse(weft_url_href(call->url), NULL, &response->url);
        if (result < 0) {
            weft_response_free(response);
            return result;
        }
        weft__response_discard(response);
        weft__call_remember(call, response);
    }
}

static int all_hops(struct weft__call *call, struct weft__retrying *retrying, weft_response **ret)
{
    for (;;) {
        weft_response *response = NULL;
        int err = 0;
        if (call->settings.retry != NULL)
            err = weft__health_call(call->client, call->url);
        if (err == 0)
            err = whole_hop(call, retrying, &response);
        if (err < 0)
            return err;
        if (!weft__redirect_wanted(call, response)) {
            *ret = response;
            return 0;
        }
        err = weft__redirect_follow(call, response);
        if (err < 0) {
            weft_response_free(response);
            return err;
        }
        weft__response_discard(response);
        weft__call_remember(call, response);
    }
}

/* ---- the call ---- */

static int keep_history(weft_response *response, const weft_retry_stats *stats)
{
    if (stats->history_len < 2)
        return 0;
    response->history = weft__alloc(stats->history_len * sizeof stats->history[0]);
    if (response->history == NULL)
        return weft__fail_nomem();
    memcpy(response->history, stats->history, stats->history_len * sizeof stats->history[0]);
    response->n_history = stats->history_len;
    return 0;
}

/* What of the call goes on with the response: a body that is still on its way. */
static int let_go(struct weft__call *call, const weft_response *response)
{
    const struct weft__conn *conn = response->conn;
    return conn != NULL && conn->light
               ? weft__h2_upload_detach(weft__light_of(response->conn), call)
               : 0;
}

/* The URL goes over to the response; what is said of the call is said by whoever has it. */
static int finish(struct weft__call *call, const struct weft__retrying *retrying, int err,
                  weft_response *response, weft_response **ret)
{
    const struct weft__retry_state *state = &retrying->state;
    if (call->options->stats != NULL)
        *call->options->stats = retrying->stats;
    if (err == 0)
        err = keep_history(response, &retrying->stats);
    if (err == 0) {
        response->attempts = state->number;
        response->redirects = call->redirects;
        response->previous = call->history;
        call->history = NULL;
        response->url = call->url;
        call->url = NULL;
        if (call->settings.raise_for_status)
            err = weft_response_raise_for_status(response);
        if (err == 0)
            err = let_go(call, response);
        if (err == 0) {
            *ret = response;
            return 0;
        }
        weft_response_free(response);
        return weft__retry_failed(state, err);
    }
    weft_response_free(response);
    if (retrying->broke)
        weft__fail_prefix(err, "the budget of retries is used up");
    weft__retry_failed(state, err);
    return weft__fail_prefix(err, "%s %s", call->method,
                             weft__shown(call->client, call->url, (char[WEFT__SHOWN]){""}));
}

static int run(struct weft__call *call, weft_response **ret)
{
    struct weft__retrying retrying;
    weft_response *response = NULL;
    weft_scope scope;
    int64_t total = call->settings.total;
    weft__retrying_init(&retrying, call);
    call->started = retrying.state.started;
    if (call->settings.retry != NULL) {
        call->settings.retry = &retrying.policy;
        weft__retry_before(&retrying.policy, &retrying.state);
    }
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
    return finish(call, &retrying, err, response, ret);
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
    if (all.stats != NULL)
        weft__retry_stats_clear(all.stats);
    struct weft__call call = {
        .client = client,
        .options = &all,
        .method = method,
        .settings = client->settings,
        .stream = stream,
    };
    weft__headers_init(&call.auth_fields);
    int err = weft__request_init(&call, url);
    if (err == 0)
        err = weft__redirect_check(&call);
    if (err < 0) {
        char shown[WEFT__URL_SHOWN];
        weft__url_show(url != NULL ? url : "", shown);
        weft__request_done(&call);
        return weft__fail_prefix(err, "%s", shown);
    }
    call.was_secure = strcmp(weft_url_scheme(call.url), "https") == 0;
    err = weft__client_pool(client, &call.pool);
    /* One that is closed is there as long as its connections are. */
    if (err == 0 && call.pool->closed)
        err = weft__fail_code(WEFT_ECLIENT_CLOSED);
    if (err < 0) {
        weft__fail_prefix(err, "%s %s", method,
                          weft__shown(client, call.url, (char[WEFT__SHOWN]){""}));
    } else {
        weft__client_ref(client);
        weft__pool_enter(call.pool);
        err = run(&call, ret);
        weft__pool_leave(call.pool);
        weft__client_unref(client);
    }
    weft_response_free(call.history);
    weft__headers_done(&call.auth_fields);
    weft__request_done(&call);
    return err;
}

/*
 * hooks.c - the functions that see what a client does; nothing where there are none.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"

/* What a function of the caller's returned, which may have no message of its own. */
static int fail(int err, const char *what)
{
    if (weft__context_get()->error_code != err)
        weft__fail_code(err);
    return err == -ECANCELED ? err : weft__fail_prefix(err, "%s", what);
}

/* ---- requests and responses ---- */

int weft__hooks_request(struct weft__call *call)
{
    static const char *const framing[] = {"content-length", "transfer-encoding"};
    const weft_hooks *hooks = &call->client->hooks;
    if (hooks->on_request == NULL)
        return 0;
    int err = weft__request_own(call);
    if (err < 0)
        return err;
    const weft_request_event event = {
        .size = sizeof event,
        .method = call->method,
        .url = weft_url_href(call->url),
        .headers = &call->own,
        .attempt = call->number,
        .redirects = call->redirects,
    };
    err = hooks->on_request(hooks->userdata, &event);
    if (err < 0)
        return fail(err, "on_request");
    for (int i = 0; i < 2; i++) {
        if (weft_headers_get(&call->own, framing[i]) != NULL)
            return weft__fail(WEFT_ELOCAL_PROTOCOL, "%s is set by the library alone", framing[i]);
    }
    return weft__request_check_headers(&call->own, &call->close);
}

int weft__hooks_response(const struct weft__call *call, weft_response *response)
{
    const weft_hooks *hooks = &call->client->hooks;
    if (hooks->on_response == NULL)
        return 0;
    response->url = call->url; /* to be asked for; it stays the call's */
    int err = hooks->on_response(hooks->userdata, response);
    response->url = NULL;
    return err < 0 ? fail(err, "on_response") : 0;
}

int weft__hooks_interim(const struct weft__call *call, int status, const weft_headers *headers)
{
    const weft_hooks *hooks = &call->client->hooks;
    if (hooks->on_informational == NULL)
        return 0;
    const weft_informational_event event = {
        .size = sizeof event,
        .method = call->method,
        .url = weft_url_href(call->url),
        .status = status,
        .headers = headers,
        .attempt = call->number,
        .redirects = call->redirects,
    };
    int err = hooks->on_informational(hooks->userdata, &event);
    return err < 0 ? fail(err, "on_informational") : 0;
}

int weft__hooks_informational(const struct weft__call *call, const struct weft__h1_head *head)
{
    weft_headers headers;
    if (call->client->hooks.on_informational == NULL)
        return 0;
    weft__headers_init(&headers);
    int err = weft__h1_head_copy(head, &headers);
    if (err == 0)
        err = weft__hooks_interim(call, head->status, &headers);
    weft__headers_done(&headers);
    return err;
}

/* ---- the log ---- */

static int make_line(struct weft__buf *line, const struct weft__call *call, int result, int status,
                     int64_t took)
{
    int err = weft__buf_printf(line, "%s ", call->method);
    if (err == 0)
        err = weft__shown_append(line, call->client, call->url);
    if (err == 0 && result < 0)
        err = weft__buf_printf(line, " -> %s", weft_error_name(result));
    else if (err == 0)
        err = weft__buf_printf(line, " -> %d", status);
    if (err == 0)
        err = weft__buf_printf(line, " (%.1f ms)", (double)took * 1e-6);
    return err < 0 ? err : weft__buf_append_char(line, '\0');
}

void weft__hooks_log(const struct weft__call *call, int result, int status, int64_t began)
{
    const weft_hooks *hooks = &call->client->hooks;
    struct weft__buf line;
    if (hooks->log == NULL)
        return;
    weft__buf_init(&line, SIZE_MAX);
    if (make_line(&line, call, result, status, weft_now() - began) == 0)
        hooks->log(hooks->userdata, weft__buf_bytes(&line));
    weft__buf_done(&line);
}

/* ---- connections ---- */

static bool has_status(weft_trace_kind kind)
{
    return kind == WEFT_TRACE_ANSWERED;
}

void weft__hooks_trace_address(const struct weft__call *call, weft_trace_kind kind,
                               const weft_address *address, int result)
{
    const weft_hooks *hooks = &call->client->hooks;
    if (hooks->trace == NULL)
        return;
    const weft_trace_event event = {
        .size = sizeof event,
        .kind = kind,
        .authority = weft_url_authority(call->url),
        .secure = strcmp(weft_url_scheme(call->url), "https") == 0,
        .time = weft_now(),
        .attempt = call->number,
        .status = has_status(kind) ? result : 0,
        .error = has_status(kind) ? 0 : result,
        .connection = call->moments.connection,
        .address = address,
    };
    hooks->trace(hooks->userdata, &event);
}

void weft__hooks_trace(const struct weft__call *call, weft_trace_kind kind, int result)
{
    weft__hooks_trace_address(call, kind, NULL, result);
}

/*
 * Responses and idle connections may outlive the user's handle, and with it what the function
 * needs: from then on it is left alone.
 */
void weft__hooks_trace_conn(const struct weft__conn *conn, weft_trace_kind kind, int result)
{
    char authority[WEFT__LIMIT_HOST_NAME + 16];
    if (conn->pool == NULL || conn->info == NULL)
        return;
    const weft_client *client = conn->pool->client;
    const struct weft__origin *origin = conn->origin;
    if (client->hooks.trace == NULL || client->closed)
        return;
    bool usual = origin->port == (origin->secure ? 443 : 80);
    int len = snprintf(authority, sizeof authority, "%.*s", WEFT__LIMIT_HOST_NAME, origin->host);
    if (!usual)
        snprintf(authority + len, sizeof authority - (size_t)len, ":%u", origin->port);
    const weft_trace_event event = {
        .size = sizeof event,
        .kind = kind,
        .authority = authority,
        .secure = origin->secure,
        .time = weft_now(),
        .error = result,
        .connection = conn->info->id,
    };
    client->hooks.trace(client->hooks.userdata, &event);
}

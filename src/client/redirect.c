/*
 * redirect.c - where a redirect leads, and with which method (RFC 9110 15.4).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"

/* An empty Location leads nowhere. */
static bool leads_elsewhere(const weft_response *response)
{
    return weft_response_has_redirect_location(response) &&
           weft_headers_get(&response->headers, "location")[0] != '\0';
}

bool weft__redirect_wanted(const struct weft__call *call, const weft_response *response)
{
    return call->settings.follow_redirects && leads_elsewhere(response);
}

/*
 * What browsers do, and RFC 9110 allows: 301 and 302 turn POST into GET, 303 turns everything
 * but HEAD into GET, 307 and 308 change nothing.
 */
static bool becomes_get(const char *method, int status)
{
    if (status == 303)
        return strcmp(method, "HEAD") != 0 && strcmp(method, "GET") != 0;
    return (status == 301 || status == 302) && strcmp(method, "POST") == 0;
}

/* RFC 9110 10.2.2: a fragment goes along. */
static int add_fragment(weft_url **url, const char *fragment)
{
    weft_url *with;
    char *reference = weft__asprintf("#%s", fragment);
    if (reference == NULL)
        return weft__fail_nomem();
    int err = weft_url_join(*url, reference, &with);
    weft__free(reference);
    if (err < 0)
        return err;
    weft_url_free(*url);
    *url = with;
    return 0;
}

static int check_scheme(const weft_client *client, const weft_url *url)
{
    if (client->https_only && strcmp(weft_url_scheme(url), "https") != 0)
        return weft__fail(WEFT_EUNSUPPORTED_PROTOCOL, "a URL that is not https");
    return weft__request_check_url(url);
}

int weft__redirect_check(const struct weft__call *call)
{
    return check_scheme(call->client, call->url);
}

/* A second Location that says the same is harmless; one that differs is somebody's attack. */
static int check_repeated(const weft_headers *headers)
{
    const char *first = weft_headers_get(headers, "location");
    const char *other;
    for (size_t i = 1; (other = weft_headers_get_nth(headers, "location", i)) != NULL; i++) {
        if (strcmp(first, other) != 0)
            return weft__fail(WEFT_EREMOTE_PROTOCOL, "a redirect to several URLs at once");
    }
    return 0;
}

static int target(const weft_url *from, const weft_response *response, weft_url **ret)
{
    weft_url *url = NULL;
    int err = check_repeated(&response->headers);
    if (err < 0)
        return err;
    err = weft_url_join(from, weft_headers_get(&response->headers, "location"), &url);
    if (err == -ENOMEM)
        return err;
    if (err < 0)
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "a redirect to an invalid URL: %s",
                          weft_error_message());
    if (weft_url_fragment(from) != NULL && weft_url_fragment(url) == NULL)
        err = add_fragment(&url, weft_url_fragment(from));
    if (err < 0) {
        weft_url_free(url);
        return err;
    }
    *ret = url;
    return 0;
}

int weft__redirect_follow(struct weft__call *call, weft_response *response)
{
    weft_url *url = NULL;
    if (call->redirects >= call->settings.max_redirects)
        return weft__fail(WEFT_ETOO_MANY_REDIRECTS, "more than %d redirects",
                          call->settings.max_redirects);
    int err = target(call->url, response, &url);
    if (err == 0)
        err = check_scheme(call->client, url);
    if (err < 0) {
        weft_url_free(url);
        return err;
    }
    if (!weft_url_same_origin(call->url, url))
        call->foreign = true;
    response->url = call->url;
    call->url = url;
    call->redirects++;
    call->avoid.len = 0;
    if (becomes_get(call->method, response->status)) {
        call->method = "GET";
        call->has_body = false;
        call->reads_body = false;
        call->body_len = 0;
        call->content_type = NULL;
        call->became_get = true;
    }
    call->again = true;
    weft__auth_leave(call);
    return 0;
}

/* ---- without following ---- */

int weft_response_next_url(const weft_response *response, char **ret)
{
    weft_url *url;
    if (!leads_elsewhere(response))
        return weft__fail(-ENOENT, "the response is no redirect");
    int err = target(response->url, response, &url);
    if (err < 0)
        return err;
    char *text = weft__strdup(weft_url_href(url));
    weft_url_free(url);
    if (text == NULL)
        return weft__fail_nomem();
    *ret = text;
    return 0;
}

const char *weft_response_next_method(const weft_response *response)
{
    if (!leads_elsewhere(response))
        return NULL;
    return becomes_get(response->method, response->status) ? "GET" : response->method;
}

/* ---- what was before ---- */

void weft__call_remember(struct weft__call *call, weft_response *response)
{
    if (!response->in_memory)
        response->error = WEFT_ESTREAM_CONSUMED; /* the body was dropped */
    response->previous = call->history;
    call->history = response;
}

const weft_response *weft_response_history(const weft_response *response, size_t index)
{
    size_t n = 0;
    for (const weft_response *one = response->previous; one != NULL; one = one->previous)
        n++;
    if (index >= n)
        return NULL;
    for (; n > index; n--)
        response = response->previous;
    return response;
}

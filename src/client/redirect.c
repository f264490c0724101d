/*
 * redirect.c - where a redirect leads, and with which method (RFC 9110 15.4).
 */
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"

bool weft__redirect_wanted(const struct weft__call *call, const weft_response *response)
{
    if (!call->settings.follow_redirects)
        return false;
    switch (response->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return weft_headers_get(&response->headers, "location") != NULL;
    default:
        return false;
    }
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

static int join(const struct weft__call *call, const char *location, weft_url **ret)
{
    weft_url *url = NULL;
    int err = weft_url_join(call->url, location, &url);
    if (err == -ENOMEM)
        return err;
    if (err < 0)
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "a redirect to an invalid URL: %s",
                          weft_error_message());
    if (weft_url_fragment(call->url) != NULL && weft_url_fragment(url) == NULL)
        err = add_fragment(&url, weft_url_fragment(call->url));
    if (err == 0)
        err = weft__request_check_url(url);
    if (err < 0) {
        weft_url_free(url);
        return err;
    }
    *ret = url;
    return 0;
}

int weft__redirect_follow(struct weft__call *call, const weft_response *response)
{
    weft_url *url = NULL;
    if (call->redirects >= call->settings.max_redirects)
        return weft__fail(WEFT_ETOO_MANY_REDIRECTS, "more than %d redirects",
                          call->settings.max_redirects);
    int err = join(call, weft_headers_get(&response->headers, "location"), &url);
    if (err < 0)
        return err;
    if (!weft_url_same_origin(call->url, url))
        call->foreign = true;
    weft_url_free(call->url);
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

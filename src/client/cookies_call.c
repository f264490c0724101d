/*
 * cookies_call.c - the cookies of a call: which go with each of its requests, and what the
 * responses set.
 *
 * The Cookie field is made anew for every request.  What the caller wrote himself stands first and
 * goes to the origin of the first hop only; of the jar come those that the caller did not name.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"
#include "client/cookies_int.h"
#include "proto/cookie.h"

weft_cookies *weft_client_cookies(weft_client *client)
{
    return client->cookies;
}

/* ---- from responses ---- */

int weft__call_receive_cookies(const struct weft__call *call, const weft_response *response)
{
    weft_cookies *jar = call->client->cookies;
    const weft_headers *headers = &response->headers;
    for (size_t i = 0; jar != NULL && i < headers->len; i++) {
        const struct weft__header *entry = &headers->entries[i];
        if (!weft__ieq_n(weft__header_name(headers, i), entry->name_len, "set-cookie", 10))
            continue;
        int result =
            weft__cookies_receive(jar, call->url, weft__header_value(headers, i), entry->value_len);
        if (result < 0)
            return weft__fail_nomem();
    }
    return 0;
}

/* ---- to requests ---- */

static int append(struct weft__buf *value, const char *text, size_t len)
{
    int err = value->len > 0 ? weft__buf_append(value, "; ", 2) : 0;
    return err < 0 ? err : weft__buf_append(value, text, len);
}

static int append_pair(struct weft__buf *value, const weft_pair *pair)
{
    const weft_cookie cookie = {
        .name = pair->name, .value = pair->value, .domain = "-", .path = "/"};
    if (pair->value == NULL)
        return 0;
    const char *wrong = weft__cookie_wrong(&cookie);
    if (wrong != NULL)
        return weft__fail(-EINVAL, "a cookie of the request cannot be sent: %s", wrong);
    int err = append(value, pair->name, strlen(pair->name));
    if (err == 0)
        err = weft__buf_append_char(value, '=');
    return err < 0 ? err : weft__buf_append_str(value, pair->value);
}

/* The first of text, up to a semicolon; text moves behind it. */
static struct weft__text next_cookie(struct weft__text *text)
{
    const char *end = memchr(text->data, ';', text->len);
    size_t len = end != NULL ? (size_t)(end - text->data) : text->len;
    size_t used = end != NULL ? len + 1 : len;
    struct weft__text one = {text->data, len};
    one.data = weft__trim(one.data, &one.len);
    text->data += used;
    text->len -= used;
    return one;
}

static size_t name_len(struct weft__text cookie)
{
    const char *equals = memchr(cookie.data, '=', cookie.len);
    return equals != NULL ? (size_t)(equals - cookie.data) : 0;
}

static bool same_name(struct weft__text cookie, const char *name, size_t len)
{
    return name_len(cookie) == len && memcmp(cookie.data, name, len) == 0;
}

/* Did the caller say what is to become of the cookie of this name? */
static bool is_named(struct weft__text cookie, struct weft__text given, const weft_pair *pairs)
{
    size_t len = name_len(cookie);
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (same_name(cookie, pairs->name, strlen(pairs->name)))
            return true;
    }
    while (given.len > 0) {
        if (same_name(next_cookie(&given), cookie.data, len))
            return true;
    }
    return false;
}

static int append_given(struct weft__buf *value, const struct weft__call *call,
                        const weft_pair *pairs)
{
    const char *own;
    int err = 0;
    for (size_t i = 0; err == 0 && (own = weft_headers_get_nth(call->headers, "cookie", i)) != NULL;
         i++)
        err = append(value, own, strlen(own));
    for (; err == 0 && pairs != NULL && pairs->name != NULL; pairs++)
        err = append_pair(value, pairs);
    return err;
}

static int append_jar(struct weft__buf *value, struct weft__text stored, const weft_pair *pairs)
{
    size_t given_len = value->len;
    int err = 0;
    while (err == 0 && stored.len > 0) {
        struct weft__text cookie = next_cookie(&stored);
        struct weft__text given = {weft__buf_bytes(value), given_len};
        if (!is_named(cookie, given, pairs))
            err = append(value, cookie.data, cookie.len);
    }
    return err;
}

static int make_value(const struct weft__call *call, const weft_pair *pairs,
                      struct weft__buf *stored, struct weft__buf *value)
{
    weft_cookies *jar = call->client->cookies;
    int err = append_given(value, call, pairs);
    if (err == 0 && jar != NULL)
        err = weft__cookies_header(jar, call->url, stored);
    if (err < 0 || stored->len == 0)
        return err;
    return append_jar(value, (struct weft__text){weft__buf_bytes(stored), stored->len}, pairs);
}

int weft__call_set_cookies(struct weft__call *call)
{
    weft_cookies *jar = call->client->cookies;
    const weft_pair *pairs = call->foreign ? NULL : call->options->cookies;
    struct weft__buf stored;
    struct weft__buf value;
    if (pairs == NULL && (jar == NULL || weft__cookies_is_empty(jar)))
        return 0;
    weft__buf_init(&stored, SIZE_MAX);
    weft__buf_init(&value, WEFT__LIMIT_HEADERS);
    int err = make_value(call, pairs, &stored, &value);
    if (err == 0 && value.len > 0)
        err = weft__request_own(call);
    if (err == 0 && value.len > 0) {
        weft_headers_remove(&call->own, "cookie");
        err = weft__headers_append_raw(&call->own, "Cookie", 6, weft__buf_bytes(&value), value.len);
    }
    weft__buf_done(&stored);
    weft__buf_done(&value);
    return err == -ENOMEM ? weft__fail_nomem() : err;
}

/* url.c - the URL object: its texts, and the operations that make a new one. */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/url_int.h"

/* ---- writing a URL, section 4.5 of the standard ---- */

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static int append_userinfo(struct weft__buf *to, const struct weft_url *parts, bool secret)
{
    const char *password = or_empty(parts->password);
    if (or_empty(parts->username)[0] == '\0' && password[0] == '\0')
        return 0;
    int err = weft__buf_append_str(to, or_empty(parts->username));
    if (err == 0 && password[0] != '\0') {
        err = weft__buf_append_char(to, ':');
        if (err == 0)
            err = weft__buf_append_str(to, secret ? "[secure]" : password);
    }
    return err < 0 ? err : weft__buf_append_char(to, '@');
}

static int append_authority(struct weft__buf *to, const struct weft_url *parts)
{
    int err = weft__buf_append_str(to, or_empty(parts->host));
    if (err < 0 || parts->port < 0)
        return err;
    err = weft__buf_append_char(to, ':');
    return err < 0 ? err : weft__buf_append_u64(to, (uint64_t)parts->port);
}

static int append_optional(struct weft__buf *to, char mark, const char *text)
{
    if (text == NULL)
        return 0;
    int err = weft__buf_append_char(to, mark);
    return err < 0 ? err : weft__buf_append_str(to, text);
}

static int append_href(struct weft__buf *to, const struct weft_url *parts, bool secret,
                       size_t *ret_path_end)
{
    size_t start = to->len;
    int err = weft__buf_append_str(to, parts->scheme);
    if (err == 0)
        err = weft__buf_append_char(to, ':');
    if (parts->host != NULL) {
        if (err == 0)
            err = weft__buf_append_str(to, "//");
        if (err == 0)
            err = append_userinfo(to, parts, secret);
        if (err == 0)
            err = append_authority(to, parts);
    } else if (err == 0 && !parts->opaque && strncmp(parts->path, "//", 2) == 0) {
        /* Without this the path would be read as a host. */
        err = weft__buf_append_str(to, "/.");
    }
    if (err == 0)
        err = weft__buf_append_str(to, parts->path);
    *ret_path_end = to->len - start;
    if (err == 0)
        err = append_optional(to, '?', parts->query);
    return err < 0 ? err : append_optional(to, '#', parts->fragment);
}

static int append_target(struct weft__buf *to, const struct weft_url *parts)
{
    int err = weft__buf_append_str(to, parts->path[0] != '\0' ? parts->path : "/");
    return err < 0 ? err : append_optional(to, '?', parts->query);
}

/* ---- one block: the struct, then every text ---- */

enum { TEXTS = 11 };

/* The texts that parts has, then those that are made of them. */
static int append_texts(struct weft__buf *to, const struct weft_url *parts, size_t at[TEXTS],
                        size_t *ret_path_end)
{
    const char *const texts[] = {parts->scheme,
                                 or_empty(parts->username),
                                 or_empty(parts->password),
                                 parts->host,
                                 parts->path,
                                 parts->query,
                                 parts->fragment};
    enum { GIVEN = sizeof texts / sizeof texts[0] };
    size_t ignored;
    int err = 0;
    for (size_t i = 0; i < TEXTS && err == 0; i++) {
        at[i] = to->len;
        /* Without a password there is nothing to hide: the href serves. */
        if (i == GIVEN + 1 && or_empty(parts->password)[0] == '\0') {
            at[i] = at[GIVEN];
            continue;
        }
        if (i < GIVEN)
            err = weft__buf_append_str(to, or_empty(texts[i]));
        else if (i == GIVEN)
            err = append_href(to, parts, false, ret_path_end);
        else if (i == GIVEN + 1)
            err = append_href(to, parts, true, &ignored);
        else
            err = i == GIVEN + 2 ? append_target(to, parts) : append_authority(to, parts);
        if (err == 0 && i == GIVEN && to->len - at[i] > WEFT__LIMIT_URL)
            err = -EMSGSIZE;
        if (err == 0)
            err = weft__buf_append_char(to, '\0');
    }
    return err;
}

/* About what the texts take, so that the block is allocated once. */
static size_t text_size(const struct weft_url *parts)
{
    const char *const texts[] = {parts->scheme, parts->username, parts->password, parts->host,
                                 parts->path,   parts->query,    parts->fragment};
    size_t len = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        len += strlen(or_empty(texts[i]));
    return 3 * len + 64;
}

int weft__url_build(const struct weft_url *parts, weft_url **ret)
{
    struct weft__buf buf;
    size_t at[TEXTS];
    size_t path_end;
    weft__buf_init(&buf, sizeof(struct weft_url) + 8 * (size_t)WEFT__LIMIT_URL);
    int err = weft__buf_reserve(&buf, sizeof *parts + text_size(parts));
    if (err == 0)
        err = weft__buf_append(&buf, parts, sizeof *parts);
    if (err == 0)
        err = append_texts(&buf, parts, at, &path_end);
    char *block = NULL;
    if (err == 0)
        err = weft__buf_take(&buf, &block, NULL);
    weft__buf_done(&buf);
    if (err < 0)
        return err;
    struct weft_url *url = (struct weft_url *)(void *)block;
    const char **const texts[] = {&url->scheme,   &url->username, &url->password, &url->host,
                                  &url->path,     &url->query,    &url->fragment, &url->href,
                                  &url->redacted, &url->target,   &url->authority};
    for (size_t i = 0; i < TEXTS; i++)
        *texts[i] = block + at[i];
    if (parts->host == NULL)
        url->host = NULL;
    if (parts->query == NULL)
        url->query = NULL;
    if (parts->fragment == NULL)
        url->fragment = NULL;
    url->path_end = path_end;
    *ret = url;
    return 0;
}

void weft_url_free(weft_url *url)
{
    weft__free(url);
}

/* ---- reading it ---- */

const char *weft_url_href(const weft_url *url)
{
    return url->href;
}

const char *weft_url_redacted(const weft_url *url)
{
    return url->redacted;
}

const char *weft_url_scheme(const weft_url *url)
{
    return url->scheme;
}

const char *weft_url_username(const weft_url *url)
{
    return url->username;
}

const char *weft_url_password(const weft_url *url)
{
    return url->password;
}

const char *weft_url_host(const weft_url *url)
{
    return or_empty(url->host);
}

int weft_url_port(const weft_url *url)
{
    int port = url->port >= 0 ? url->port : weft__url_special_port(url->scheme);
    return port > 0 ? port : 0;
}

bool weft_url_has_port(const weft_url *url)
{
    return url->port >= 0;
}

const char *weft_url_path(const weft_url *url)
{
    return url->path;
}

const char *weft_url_query(const weft_url *url)
{
    return url->query;
}

const char *weft_url_fragment(const weft_url *url)
{
    return url->fragment;
}

const char *weft_url_target(const weft_url *url)
{
    return url->target;
}

const char *weft_url_authority(const weft_url *url)
{
    return url->authority;
}

bool weft_url_same_origin(const weft_url *a, const weft_url *b)
{
    const char *host = weft_url_host(a);
    return host[0] != '\0' && strcmp(host, weft_url_host(b)) == 0 &&
           strcmp(a->scheme, b->scheme) == 0 && weft_url_port(a) == weft_url_port(b);
}

/* ---- making another ---- */

int weft_url_join(const weft_url *base, const char *reference, weft_url **ret)
{
    return weft_url_parse(reference, base, ret);
}

static int parse_buf(struct weft__buf *buf, int err, weft_url **ret)
{
    if (err == 0)
        err = weft__buf_append_char(buf, '\0');
    if (err == 0)
        err = weft_url_parse(weft__buf_bytes(buf), NULL, ret);
    else if (err == -EMSGSIZE)
        err = weft__fail(WEFT_EINVALID_URL, "the URL is longer than %d bytes", WEFT__LIMIT_URL);
    else
        err = weft__fail_nomem();
    weft__buf_done(buf);
    return err;
}

int weft__url_write(const struct weft_url *parts, weft_url **ret)
{
    struct weft__buf buf;
    size_t path_end;
    weft__buf_init(&buf, WEFT__LIMIT_URL + 1);
    int err = append_href(&buf, parts, false, &path_end);
    return parse_buf(&buf, err, ret);
}

static int append_param(struct weft__buf *to, const weft_pair *param, char before)
{
    int err = weft__buf_append_char(to, before);
    if (err == 0)
        err = weft__url_encode(to, param->name, strlen(param->name), WEFT__URL_FORM);
    if (err == 0)
        err = weft__buf_append_char(to, '=');
    if (err < 0)
        return err;
    return weft__url_encode(to, or_empty(param->value), strlen(or_empty(param->value)),
                            WEFT__URL_FORM);
}

int weft_url_append_params(const weft_url *url, const weft_pair *params, weft_url **ret)
{
    struct weft__buf buf;
    weft__buf_init(&buf, WEFT__LIMIT_URL + 1);
    int err = weft__buf_append(&buf, url->href, url->path_end);
    if (err == 0)
        err = append_optional(&buf, '?', url->query);
    char before = url->query == NULL ? '?' : '&';
    if (url->query != NULL && url->query[0] == '\0')
        before = '\0';
    for (; err == 0 && params != NULL && params->name != NULL; params++) {
        if (before == '\0')
            buf.len--; /* an empty query: its "?" is written again */
        err = append_param(&buf, params, before == '\0' ? '?' : before);
        before = '&';
    }
    if (err == 0)
        err = append_optional(&buf, '#', url->fragment);
    return parse_buf(&buf, err, ret);
}

/* A scheme and two slashes, or one of the schemes that need none. */
bool weft__url_is_absolute(const char *text)
{
    size_t len = strcspn(text, ":/?#");
    char scheme[8];
    if (text[len] != ':')
        return false;
    if (strncmp(text + len, "://", 3) == 0)
        return true;
    if (len >= sizeof scheme)
        return false;
    for (size_t i = 0; i < len; i++)
        scheme[i] = weft__ascii_lower(text[i]);
    scheme[len] = '\0';
    return weft__url_special_port(scheme) >= 0;
}

int weft__url_append_path(const weft_url *base, const char *relative, weft_url **ret)
{
    while (*relative != '\0' && (unsigned char)*relative <= ' ')
        relative++;
    if (weft__url_is_absolute(relative))
        return weft_url_parse(relative, NULL, ret);
    if (base->opaque)
        return weft__fail(WEFT_EINVALID_URL, "the base URL \"%s\" has no path to append to",
                          base->redacted);
    struct weft__buf buf;
    weft__buf_init(&buf, WEFT__LIMIT_URL + 1);
    size_t path_len = strcspn(relative, "?#");
    const char *query = relative + path_len;
    size_t query_len = *query == '?' ? strcspn(query + 1, "#") : 0;
    const char *fragment = *query == '?' ? query + 1 + query_len : query;
    int err = weft__buf_append(&buf, base->href, base->path_end);
    if (err == 0 && path_len > 0 && buf.data[buf.len - 1] != '/')
        err = weft__buf_append_char(&buf, '/');
    size_t slash = relative[0] == '/';
    if (err == 0)
        err = weft__buf_append(&buf, relative + slash, path_len - slash);
    if (err == 0)
        err = append_optional(&buf, '?', base->query);
    if (err == 0 && *query == '?')
        err = weft__buf_append_char(&buf, base->query != NULL ? '&' : '?');
    if (err == 0 && query_len > 0)
        err = weft__buf_append(&buf, query + 1, query_len);
    if (err == 0)
        err = weft__buf_append_str(&buf, fragment);
    return parse_buf(&buf, err, ret);
}

/* Everything before the last "@" may be a password, so none of it is shown. */
void weft__url_show(const char *text, char shown[WEFT__URL_SHOWN])
{
    static const char mask[] = "[secure]";
    const char *at = strrchr(text, '@');
    size_t to = 0;
    if (at != NULL) {
        const char *slashes = strstr(text, "//");
        size_t scheme_len = slashes != NULL && slashes < at ? (size_t)(slashes + 2 - text) : 0;
        if (scheme_len > WEFT__URL_SHOWN / 4)
            scheme_len = 0;
        memcpy(shown, text, scheme_len);
        memcpy(shown + scheme_len, mask, sizeof mask - 1);
        to = scheme_len + sizeof mask - 1;
        text = at;
    }
    while (*text != '\0' && to < WEFT__URL_SHOWN - 1)
        shown[to++] = *text++;
    for (size_t i = 0; i < to; i++) {
        if ((unsigned char)shown[i] < 0x20 || (unsigned char)shown[i] >= 0x7f)
            shown[i] = '?';
    }
    shown[to] = '\0';
}

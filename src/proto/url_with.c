/*
 * url_with.c - a URL with some components replaced, as the setters of section 6.1 of the standard
 * do it, but for this: what cannot be is an error, not ignored.
 *
 * Components are encoded, the whole is written and parsed again, so that nothing can come out
 * that the parser would not have made.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/url_int.h"

struct editing {
    struct weft_url parts;
    struct weft__buf text[7]; /* what is encoded anew */
    size_t used;
};

static int refuse(const char *why)
{
    return weft__fail(WEFT_EINVALID_URL, "%s", why);
}

/* *part becomes text, encoded. */
static int encode(struct editing *editing, const char **part, const char *text, unsigned set)
{
    struct weft__buf *buf = &editing->text[editing->used++];
    int err = weft__url_encode(buf, text, strlen(text), set);
    if (err == 0)
        err = weft__buf_append_char(buf, '\0');
    if (err == -EMSGSIZE)
        return weft__fail(WEFT_EINVALID_URL, "the URL is longer than %d bytes", WEFT__LIMIT_URL);
    if (err < 0)
        return weft__fail_nomem();
    *part = weft__buf_bytes(buf);
    return 0;
}

static int set_scheme(struct editing *editing, const char *scheme)
{
    struct weft_url *parts = &editing->parts;
    if (scheme == NULL)
        return 0;
    size_t len = strlen(scheme);
    struct weft__buf *buf = &editing->text[editing->used++];
    for (size_t i = 0; i < len; i++) {
        char c = weft__ascii_lower(scheme[i]);
        bool letter = c >= 'a' && c <= 'z';
        bool other = weft__is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!letter && !(other && i > 0))
            return refuse("the scheme has a character that no scheme may have");
        if (weft__buf_append_char(buf, c) < 0)
            return weft__fail_nomem();
    }
    if (len == 0)
        return refuse("the scheme is empty");
    if (weft__buf_append_char(buf, '\0') < 0)
        return weft__fail_nomem();
    const char *lower = weft__buf_bytes(buf);
    int was = weft__url_special_port(parts->scheme);
    int is = weft__url_special_port(lower);
    /* 0 is file, which has no port and no user. */
    if ((was < 0) != (is < 0) || (was == 0 && is != 0 && weft_url_host(parts)[0] == '\0') ||
        (is == 0 && (parts->port >= 0 || parts->username[0] != '\0' || parts->password[0] != '\0')))
        return refuse("the URL cannot have this scheme");
    parts->scheme = lower;
    return 0;
}

static int set_userinfo(struct editing *editing, const weft_url_parts *with)
{
    struct weft_url *parts = &editing->parts;
    int err = 0;
    if (with->username == NULL && with->password == NULL)
        return 0;
    if (weft_url_host(parts)[0] == '\0' || weft__url_special_port(parts->scheme) == 0)
        return refuse("a URL without a host has no user");
    if (with->username != NULL)
        err = encode(editing, &parts->username, with->username, WEFT__URL_USERINFO);
    if (err == 0 && with->password != NULL)
        err = encode(editing, &parts->password, with->password, WEFT__URL_USERINFO);
    return err;
}

static int set_host(struct editing *editing, const char *host)
{
    struct weft_url *parts = &editing->parts;
    const char *why;
    if (host == NULL)
        return 0;
    bool special = weft__url_special_port(parts->scheme) >= 0;
    bool file = weft__url_special_port(parts->scheme) == 0;
    if (parts->opaque)
        return refuse("a URL like \"mailto:\" has no host");
    if (host[0] == '\0' && ((special && !file) || parts->port >= 0 || parts->username[0] != '\0' ||
                            parts->password[0] != '\0'))
        return refuse("no host");
    if (host[0] != '[' && strpbrk(host, ":/?#@\\") != NULL)
        return refuse("the host has a character that no host may have");
    struct weft__buf *buf = &editing->text[editing->used++];
    int err = 0;
    if (host[0] != '\0')
        err = weft__url_parse_host(buf, (struct weft__url_span){host, strlen(host)}, special, &why);
    if (err == WEFT_EINVALID_URL)
        return refuse(why);
    if (err < 0 || weft__buf_append_char(buf, '\0') < 0)
        return weft__fail_nomem();
    parts->host = weft__buf_bytes(buf);
    if (file && strcmp(parts->host, "localhost") == 0)
        parts->host = "";
    return 0;
}

static int set_port(struct editing *editing, int port)
{
    struct weft_url *parts = &editing->parts;
    if (port == 0)
        return 0;
    if (weft_url_host(parts)[0] == '\0' || weft__url_special_port(parts->scheme) == 0)
        return refuse("a URL without a host has no port");
    if (port > UINT16_MAX)
        return refuse("the port is above 65535");
    parts->port = port < 0 ? -1 : port;
    return 0;
}

static int set_path(struct editing *editing, const char *path)
{
    struct weft_url *parts = &editing->parts;
    bool special = weft__url_special_port(parts->scheme) >= 0;
    if (path == NULL)
        return 0;
    if (parts->opaque)
        return refuse("a URL like \"mailto:\" has no path of segments");
    struct weft__buf *buf = &editing->text[editing->used];
    bool rooted = path[0] == '/' || (path[0] == '\\' && special);
    if (!rooted && (path[0] != '\0' || parts->host == NULL) && weft__buf_append_char(buf, '/') < 0)
        return weft__fail_nomem();
    return encode(editing, &parts->path, path, WEFT__URL_PATH);
}

/* "": none; a mark before it is not part of it. */
static int set_behind(struct editing *editing, const char **part, const char *text, char mark,
                      unsigned set)
{
    if (text == NULL)
        return 0;
    *part = NULL;
    if (text[0] == '\0')
        return 0;
    return encode(editing, part, text[0] == mark ? text + 1 : text, set);
}

static int edit(struct editing *editing, const weft_url_parts *with)
{
    struct weft_url *parts = &editing->parts;
    int err = set_scheme(editing, with->scheme);
    if (err == 0)
        err = set_host(editing, with->host);
    if (err == 0)
        err = set_userinfo(editing, with);
    if (err == 0)
        err = set_port(editing, with->port);
    if (err == 0)
        err = set_path(editing, with->path);
    if (err == 0)
        err = set_behind(editing, &parts->query, with->query, '?', WEFT__URL_QUERY);
    if (err == 0)
        err = set_behind(editing, &parts->fragment, with->fragment, '#', WEFT__URL_FRAGMENT);
    return err;
}

int weft_url_with(const weft_url *url, const weft_url_parts *given, weft_url **ret)
{
    struct editing editing = {.parts = *url};
    struct weft__buf text;
    weft_url_parts with = {0};
    enum { TEXTS = sizeof editing.text / sizeof editing.text[0] };
    if (given != NULL)
        memcpy(&with, given,
               given->size > 0 && given->size < sizeof with ? given->size : sizeof with);
    weft__buf_init(&text, WEFT__LIMIT_URL + 1);
    for (size_t i = 0; i < TEXTS; i++)
        weft__buf_init(&editing.text[i], WEFT__LIMIT_URL + 1);
    int err = edit(&editing, &with);
    if (err == 0)
        err = weft__url_write(&editing.parts, ret);
    for (size_t i = 0; i < TEXTS; i++)
        weft__buf_done(&editing.text[i]);
    return err;
}

/* ---- text of components ---- */

bool weft_url_is_absolute(const char *text)
{
    return weft__url_is_absolute(text);
}

int weft_url_host_unicode(const weft_url *url, char **ret)
{
    const char *host = weft_url_host(url);
    return weft__idna_to_unicode(host, ret) < 0 ? weft__fail_nomem() : 0;
}

int weft_url_encode(const char *text, size_t len, char **ret)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size;
    if (weft__size_mul(len, 3, &size) < 0 || weft__size_add(size, 1, &size) < 0)
        return weft__fail_nomem();
    char *to = weft__alloc(size);
    if (to == NULL)
        return weft__fail_nomem();
    *ret = to;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char lower = weft__ascii_lower(text[i]);
        if ((lower >= 'a' && lower <= 'z') || weft__is_digit(lower) ||
            (c != '\0' && strchr("-._~", c) != NULL)) {
            *to++ = text[i];
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    *to = '\0';
    return 0;
}

int weft_url_decode(const char *text, size_t len, char **ret, size_t *ret_len)
{
    char *to = weft__alloc(len + 1);
    size_t n = 0;
    if (to == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < len; i++) {
        int high = text[i] == '%' && len - i > 2 ? weft__hex_value(text[i + 1]) : -1;
        int low = high >= 0 ? weft__hex_value(text[i + 2]) : -1;
        to[n++] = low >= 0 ? (char)(high * 16 + low) : text[i];
        i += low >= 0 ? 2 : 0;
    }
    to[n] = '\0';
    *ret = to;
    if (ret_len != NULL)
        *ret_len = n;
    return 0;
}

/*
 * cookie_file.c - cookies as lines of a file: seven fields with tabs between them.
 *
 *   domain  TRUE if hosts below too  path  TRUE if https only  expiry or 0  name  value
 *
 * "#HttpOnly_" before the domain marks what scripts must not see; other lines that begin with
 * "#" are comments.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/cookie.h"

#define HTTP_ONLY "#HttpOnly_"

enum { FIELDS = 7, HTTP_ONLY_LEN = sizeof HTTP_ONLY - 1 };

static const char heading[] = "# Netscape HTTP Cookie File\n"
                              "# Written by weft: domain, hosts below, path, https only, expiry, "
                              "name, value.\n\n";

static int print_cookie(const weft_cookie *cookie, struct weft__buf *buf)
{
    return weft__buf_printf(
        buf, "%s%s%s\t%s\t%s\t%s\t%lld\t%s\t%s\n", cookie->http_only ? HTTP_ONLY : "",
        cookie->below ? "." : "", cookie->domain, cookie->below ? "TRUE" : "FALSE", cookie->path,
        cookie->secure ? "TRUE" : "FALSE", (long long)cookie->expires, cookie->name, cookie->value);
}

int weft__jar_print(const struct weft__jar *jar, int64_t now, struct weft__buf *buf)
{
    struct weft__cookie **list;
    size_t n;
    int err = weft__jar_list(jar, now, &list, &n);
    if (err < 0)
        return err;
    err = weft__buf_append_str(buf, heading);
    for (size_t i = 0; i < n && err == 0; i++)
        err = print_cookie(&list[i]->public, buf);
    weft__free(list);
    return err == -ENOMEM ? weft__fail_nomem() : err;
}

/* Cuts a line, in place, at its first six tabs; false: there are fewer. */
static bool cut(char *line, char *fields[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = line;
        if (i < FIELDS - 1) {
            line = strchr(line, '\t');
            if (line == NULL)
                /* Some write no tab before an empty value. */
                return i == FIELDS - 2 && (fields[FIELDS - 1] = strchr(fields[i], '\0')) != NULL;
            *line++ = '\0';
        }
    }
    return true;
}

/* 1, or 0: it is no cookie; -ENOMEM. */
static int parse_line(struct weft__jar *jar, char *line, int64_t now)
{
    char *fields[FIELDS];
    uint64_t expires;
    weft_cookie cookie = {.size = sizeof cookie};
    if (strncmp(line, HTTP_ONLY, HTTP_ONLY_LEN) == 0) {
        cookie.http_only = true;
        line += HTTP_ONLY_LEN;
    }
    if (line[0] == '#' || !cut(line, fields) ||
        weft__parse_u64(fields[4], strlen(fields[4]), &expires) < 0)
        return 0;
    cookie.below = weft__ieq(fields[1], "TRUE");
    cookie.secure = weft__ieq(fields[3], "TRUE");
    cookie.expires = expires > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)expires;
    cookie.domain = fields[0] + (fields[0][0] == '.');
    cookie.path = fields[2];
    cookie.name = fields[5];
    cookie.value = fields[6];
    for (char *p = fields[0]; *p != '\0'; p++)
        *p = weft__ascii_lower(*p);
    if (weft__cookie_wrong(&cookie) != NULL || !weft__cookie_prefix_holds(&cookie) ||
        (cookie.below && weft__cookie_is_public_suffix(cookie.domain)))
        return 0;
    int err = weft__jar_put(jar, &cookie, now);
    return err < 0 ? err : 1;
}

int weft__jar_parse(struct weft__jar *jar, const char *text, size_t len, int64_t now,
                    size_t *ret_skipped)
{
    size_t skipped = 0;
    const char *end = text + len;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((newline != NULL ? newline : end) - text);
        size_t kept = size > 0 && text[size - 1] == '\r' ? size - 1 : size;
        char *line = weft__strndup(text, kept);
        if (line == NULL)
            return weft__fail_nomem();
        bool says_nothing =
            line[0] == '\0' || (line[0] == '#' && strncmp(line, HTTP_ONLY, HTTP_ONLY_LEN) != 0);
        /* A NUL inside would hide what follows it. */
        int result = strlen(line) == kept ? parse_line(jar, line, now) : 0;
        weft__free(line);
        if (result < 0)
            return result;
        skipped += result == 0 && !says_nothing;
        text += size + (newline != NULL);
    }
    *ret_skipped = skipped;
    return 0;
}

/* link.c - links: "<target>; rel=next; title=...", commas between them. */
#include "proto/link.h"

#include <string.h>

#include "base/str.h"

static void skip(struct weft__text *rest, size_t n)
{
    rest->data += n;
    rest->len -= n;
}

static void skip_blanks(struct weft__text *rest)
{
    while (rest->len > 0 && (*rest->data == ' ' || *rest->data == '\t'))
        skip(rest, 1);
}

/* Up to one of the stops, quoted strings taken whole. */
static struct weft__text take_until(struct weft__text *rest, const char *stops)
{
    struct weft__text taken = {rest->data, 0};
    bool quoted = false;
    while (rest->len > 0 && (quoted || strchr(stops, *rest->data) == NULL)) {
        if (*rest->data == '"')
            quoted = !quoted;
        size_t n = quoted && *rest->data == '\\' && rest->len > 1 ? 2 : 1;
        taken.len += n;
        skip(rest, n);
    }
    taken.data = weft__trim(taken.data, &taken.len);
    return taken;
}

static struct weft__text unquote(struct weft__text value)
{
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        return (struct weft__text){value.data + 1, value.len - 2};
    return value;
}

/* The parameters of one link; the first rel counts (RFC 8288 3.3). */
static void take_params(struct weft__text *rest, struct weft__link *link)
{
    bool found = false;
    skip_blanks(rest);
    link->params.data = rest->data;
    while (rest->len > 0 && *rest->data == ';') {
        skip(rest, 1);
        struct weft__text name = take_until(rest, "=;,");
        struct weft__text value = {NULL, 0};
        if (rest->len > 0 && *rest->data == '=') {
            skip(rest, 1);
            value = unquote(take_until(rest, ";,"));
        }
        if (!found && weft__ieq_n(name.data, name.len, "rel", 3)) {
            link->rel = value;
            found = true;
        }
        if (weft__ieq_n(name.data, name.len, "anchor", 6))
            link->anchored = true;
    }
    link->params.len = (size_t)(rest->data - link->params.data);
}

bool weft__link_next(struct weft__text *rest, struct weft__link *ret)
{
    for (;;) {
        while (rest->len > 0 && strchr(" \t,", *rest->data) != NULL)
            skip(rest, 1);
        if (rest->len == 0)
            return false;
        const char *end = *rest->data == '<' ? memchr(rest->data, '>', rest->len) : NULL;
        if (end == NULL) {
            take_until(rest, ",");
            continue;
        }
        *ret = (struct weft__link){.target = {rest->data + 1, (size_t)(end - rest->data) - 1}};
        skip(rest, ret->target.len + 2);
        take_params(rest, ret);
        take_until(rest, ",");
        return true;
    }
}

bool weft__link_is(const struct weft__link *link, const char *rel)
{
    const char *at = link->rel.data;
    const char *end = at + link->rel.len;
    while (at < end) {
        size_t n = 0;
        while (at + n < end && at[n] != ' ' && at[n] != '\t')
            n++;
        if (weft__ieq_n(at, n, rel, strlen(rel)))
            return true;
        at += n + 1;
    }
    return false;
}

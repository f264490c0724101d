/*
 * cookie_jar.c - the store of RFC 6265bis 5.7 and 5.8.
 *
 * A cookie lies in the bucket of its domain's last two labels: whatever host it may go to ends
 * in the same two, or is a name of one label itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/cookie.h"

/* 5.5: no cookie lives longer without being set again. */
#define LIFETIME_MAX (400 * (int64_t)86400)

static size_t bucket_of(const char *host)
{
    const char *from = host + strlen(host);
    uint32_t hash = 2166136261U;
    for (int dots = 0; from > host; from--) {
        if (from[-1] == '.' && ++dots == 2)
            break;
        hash = (hash ^ (unsigned char)from[-1]) * 16777619U;
    }
    return hash % WEFT__COOKIE_BUCKETS;
}

void weft__jar_init(struct weft__jar *jar)
{
    memset(jar, 0, sizeof *jar);
}

void weft__jar_done(struct weft__jar *jar)
{
    weft__jar_remove(jar, NULL, NULL, NULL);
}

static bool has_expired(const struct weft__cookie *cookie, int64_t now)
{
    return cookie->public.expires != 0 && cookie->public.expires <= now;
}

static void take_out(struct weft__jar *jar, struct weft__cookie **at)
{
    struct weft__cookie *cookie = *at;
    *at = cookie->next;
    weft__free(cookie);
    jar->n--;
}

static bool matches(const char *wanted, const char *is)
{
    return wanted == NULL || strcmp(wanted, is) == 0;
}

size_t weft__jar_remove(struct weft__jar *jar, const char *name, const char *domain,
                        const char *path)
{
    size_t n = jar->n;
    for (size_t i = 0; i < WEFT__COOKIE_BUCKETS; i++) {
        for (struct weft__cookie **at = &jar->buckets[i]; *at != NULL;) {
            const weft_cookie *cookie = &(*at)->public;
            if (matches(name, cookie->name) && matches(domain, cookie->domain) &&
                matches(path, cookie->path))
                take_out(jar, at);
            else
                at = &(*at)->next;
        }
    }
    return n - jar->n;
}

void weft__jar_expire(struct weft__jar *jar, int64_t now)
{
    for (size_t i = 0; i < WEFT__COOKIE_BUCKETS; i++) {
        for (struct weft__cookie **at = &jar->buckets[i]; *at != NULL;) {
            if (has_expired(*at, now))
                take_out(jar, at);
            else
                at = &(*at)->next;
        }
    }
}

/* ---- room ---- */

/* Of the domain, or of all: the one that was used least lately. */
static struct weft__cookie **least_used(struct weft__jar *jar, const char *domain, size_t *ret_n)
{
    struct weft__cookie **least = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < WEFT__COOKIE_BUCKETS; i++) {
        for (struct weft__cookie **at = &jar->buckets[i]; *at != NULL; at = &(*at)->next) {
            if (!matches(domain, (*at)->public.domain))
                continue;
            ++*ret_n;
            if (least == NULL || (*at)->used < (*least)->used)
                least = at;
        }
    }
    return least;
}

/* 5.7: expired ones go first, then those of a domain that has too many, then any. */
static void make_room(struct weft__jar *jar, const char *domain, int64_t now)
{
    size_t n;
    if (jar->n < WEFT__LIMIT_COOKIES_DOMAIN)
        return;
    weft__jar_expire(jar, now);
    struct weft__cookie **least = least_used(jar, domain, &n);
    if (n >= WEFT__LIMIT_COOKIES_DOMAIN)
        take_out(jar, least);
    least = least_used(jar, NULL, &n);
    if (n >= WEFT__LIMIT_COOKIES)
        take_out(jar, least);
}

/* ---- storing ---- */

static const char *put_text(char **to, const char *text)
{
    size_t size = strlen(text) + 1;
    char *begin = *to;
    memcpy(begin, text, size);
    *to += size;
    return begin;
}

static struct weft__cookie *copy(const weft_cookie *from)
{
    size_t size =
        strlen(from->name) + strlen(from->value) + strlen(from->domain) + strlen(from->path) + 4;
    struct weft__cookie *cookie = weft__alloc(sizeof *cookie + size);
    if (cookie == NULL)
        return NULL;
    char *to = (char *)(cookie + 1);
    cookie->public = *from;
    cookie->public.name = put_text(&to, from->name);
    cookie->public.value = put_text(&to, from->value);
    cookie->public.domain = put_text(&to, from->domain);
    cookie->public.path = put_text(&to, from->path);
    return cookie;
}

/* The one that a new one stands for: the same name, domain, path and reach. */
static struct weft__cookie **find_same(struct weft__jar *jar, const weft_cookie *cookie)
{
    struct weft__cookie **at = &jar->buckets[bucket_of(cookie->domain)];
    for (; *at != NULL; at = &(*at)->next) {
        const weft_cookie *old = &(*at)->public;
        if (strcmp(old->name, cookie->name) == 0 && strcmp(old->domain, cookie->domain) == 0 &&
            strcmp(old->path, cookie->path) == 0 && old->below == cookie->below)
            return at;
    }
    return NULL;
}

int weft__jar_put(struct weft__jar *jar, const weft_cookie *cookie, int64_t now)
{
    struct weft__cookie *added = copy(cookie);
    if (added == NULL)
        return weft__fail_nomem();
    if (cookie->expires != 0 && cookie->expires > now + LIFETIME_MAX)
        added->public.expires = now + LIFETIME_MAX;
    added->created = added->used = ++jar->clock;
    struct weft__cookie **same = find_same(jar, cookie);
    if (same != NULL) {
        added->created = (*same)->created;
        take_out(jar, same);
    }
    if (has_expired(added, now)) {
        weft__free(added);
        return 0;
    }
    make_room(jar, cookie->domain, now);
    size_t bucket = bucket_of(cookie->domain);
    added->next = jar->buckets[bucket];
    jar->buckets[bucket] = added;
    jar->n++;
    return 0;
}

/* ---- Set-Cookie ---- */

/* What a Set-Cookie field says; the texts are ranges of it. */
struct line {
    const char *name, *value, *domain, *path;
    size_t name_len, value_len, domain_len, path_len;
    int64_t expires; /* of Expires; Max-Age wins over it */
    int64_t max_age;
    bool has_expires, has_max_age, secure, http_only;
    weft_same_site same_site;
};

static void set_max_age(struct line *line, const char *value, size_t len)
{
    bool negative = len > 0 && value[0] == '-';
    uint64_t seconds = 0;
    for (size_t i = negative; i < len; i++) {
        if (!weft__is_digit(value[i]))
            return;
        seconds = seconds > LIFETIME_MAX ? seconds : seconds * 10 + (uint64_t)(value[i] - '0');
    }
    if (len == negative)
        return;
    line->has_max_age = true;
    line->max_age = negative ? 0 : (int64_t)seconds;
}

static void set_attribute(struct line *line, const char *name, size_t name_len, const char *value,
                          size_t len)
{
    if (len > WEFT__LIMIT_COOKIE_ATTRIBUTE)
        return;
    if (weft__ieq_n(name, name_len, "expires", 7)) {
        if (weft__cookie_date(value, len, &line->expires) == 0)
            line->has_expires = true;
    } else if (weft__ieq_n(name, name_len, "max-age", 7)) {
        set_max_age(line, value, len);
    } else if (weft__ieq_n(name, name_len, "domain", 6)) {
        line->domain = value;
        line->domain_len = len;
    } else if (weft__ieq_n(name, name_len, "path", 4)) {
        line->path = value;
        line->path_len = len;
    } else if (weft__ieq_n(name, name_len, "secure", 6)) {
        line->secure = true;
    } else if (weft__ieq_n(name, name_len, "httponly", 8)) {
        line->http_only = true;
    } else if (weft__ieq_n(name, name_len, "samesite", 8)) {
        line->same_site = weft__ieq_n(value, len, "strict", 6) ? WEFT_SAME_SITE_STRICT
                          : weft__ieq_n(value, len, "lax", 3)  ? WEFT_SAME_SITE_LAX
                          : weft__ieq_n(value, len, "none", 4) ? WEFT_SAME_SITE_NONE
                                                               : WEFT_SAME_SITE_UNSET;
    }
}

/* "name = value" of text[0..len), both trimmed; false: there is no "=". */
static bool split_pair(const char *text, size_t len, const char **name, size_t *name_len,
                       const char **value, size_t *value_len)
{
    const char *equals = memchr(text, '=', len);
    *name_len = equals != NULL ? (size_t)(equals - text) : len;
    *name = weft__trim(text, name_len);
    *value = equals != NULL ? equals + 1 : text + len;
    *value_len = (size_t)(text + len - *value);
    *value = weft__trim(*value, value_len);
    return equals != NULL;
}

/*
 * 5.6.  A cookie without a name is ignored, as RFC 6265 said and every client but browsers does;
 * its successor keeps it for the sake of those.
 */
static bool parse_line(struct line *line, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return false;
    }
    const char *end = text + len;
    const char *semicolon = memchr(text, ';', len);
    size_t pair = semicolon != NULL ? (size_t)(semicolon - text) : len;
    if (!split_pair(text, pair, &line->name, &line->name_len, &line->value, &line->value_len) ||
        line->name_len == 0 || line->name_len + line->value_len > WEFT__LIMIT_COOKIE)
        return false;
    for (text += pair; text < end; text += pair) {
        const char *name;
        const char *value;
        size_t name_len;
        size_t value_len;
        text++;
        semicolon = memchr(text, ';', (size_t)(end - text));
        pair = (size_t)((semicolon != NULL ? semicolon : end) - text);
        split_pair(text, pair, &name, &name_len, &value, &value_len);
        set_attribute(line, name, name_len, value, value_len);
    }
    return true;
}

/* 5.1.4: up to the last "/" of the path, without it. */
static void default_path(const char *path, char *ret, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL && path[0] == '/' ? (size_t)(slash - path) : 0;
    if (len == 0 || len >= size) {
        memcpy(ret, "/", 2);
        return;
    }
    memcpy(ret, path, len);
    ret[len] = '\0';
}

/* 5.7, the steps about Domain: false, the cookie is not for its sender to set. */
static bool set_domain(const struct line *line, const struct weft__cookie_place *place,
                       char domain[WEFT__LIMIT_HOST_NAME + 2], weft_cookie *cookie)
{
    const char *text = line->domain;
    size_t len = line->domain_len;
    if (len > 0 && text[0] == '.') {
        text++;
        len--;
    }
    if (len > WEFT__LIMIT_HOST_NAME + 1)
        return false;
    for (size_t i = 0; i < len; i++)
        domain[i] = weft__ascii_lower(text[i]);
    domain[len] = '\0';
    cookie->domain = place->host;
    if (len == 0)
        return true;
    if (!weft__cookie_domain_matches(place->host, domain))
        return false;
    if (weft__cookie_is_public_suffix(domain))
        return strcmp(domain, place->host) == 0;
    cookie->domain = domain;
    cookie->below = true;
    return true;
}

/* 5.7: what came over http does not replace or hide a secure cookie. */
static bool would_hide_secure(const struct weft__jar *jar, const weft_cookie *cookie)
{
    const struct weft__cookie *old = jar->buckets[bucket_of(cookie->domain)];
    for (; old != NULL; old = old->next) {
        if (old->public.secure && strcmp(old->public.name, cookie->name) == 0 &&
            (weft__cookie_domain_matches(old->public.domain, cookie->domain) ||
             weft__cookie_domain_matches(cookie->domain, old->public.domain)) &&
            weft__cookie_path_matches(cookie->path, old->public.path))
            return true;
    }
    return false;
}

/* Texts of their own for what the line only has as ranges. */
struct texts {
    char domain[WEFT__LIMIT_HOST_NAME + 2];
    char path[WEFT__LIMIT_COOKIE_ATTRIBUTE + 1];
    char pair[WEFT__LIMIT_COOKIE + 2];
};

static bool fill_cookie(const struct line *line, const struct weft__cookie_place *place,
                        int64_t now, struct texts *texts, weft_cookie *cookie)
{
    char *value = texts->pair + line->name_len + 1;
    memcpy(texts->pair, line->name, line->name_len);
    texts->pair[line->name_len] = '\0';
    memcpy(value, line->value, line->value_len);
    value[line->value_len] = '\0';
    *cookie = (weft_cookie){.size = sizeof *cookie,
                            .name = texts->pair,
                            .value = value,
                            .path = texts->path,
                            .secure = line->secure,
                            .http_only = line->http_only,
                            .same_site = line->same_site};
    if (line->path_len > 0 && line->path[0] == '/') {
        memcpy(texts->path, line->path, line->path_len);
        texts->path[line->path_len] = '\0';
    } else {
        default_path(place->path, texts->path, sizeof texts->path);
    }
    if (line->has_max_age)
        cookie->expires = line->max_age > 0 ? now + line->max_age : 1;
    else if (line->has_expires)
        cookie->expires = line->expires > 0 ? line->expires : 1;
    return set_domain(line, place, texts->domain, cookie);
}

int weft__jar_receive(struct weft__jar *jar, const struct weft__cookie_place *place,
                      const char *text, size_t len, int64_t now)
{
    struct line line = {0};
    weft_cookie cookie;
    if (!parse_line(&line, text, len))
        return 0;
    struct texts *texts = weft__alloc(sizeof *texts);
    if (texts == NULL)
        return weft__fail_nomem();
    int result = 0;
    if (fill_cookie(&line, place, now, texts, &cookie) && weft__cookie_wrong(&cookie) == NULL &&
        weft__cookie_prefix_holds(&cookie) && (place->secure || !cookie.secure) &&
        (place->secure || !would_hide_secure(jar, &cookie))) {
        int err = weft__jar_put(jar, &cookie, now);
        result = err < 0 ? err : 1;
    }
    weft__free(texts);
    return result;
}

/* ---- Cookie ---- */

static bool goes_to(const weft_cookie *cookie, const struct weft__cookie_place *place)
{
    if (cookie->below ? !weft__cookie_domain_matches(place->host, cookie->domain)
                      : strcmp(place->host, cookie->domain) != 0)
        return false;
    return weft__cookie_path_matches(place->path, cookie->path) &&
           (place->secure || !cookie->secure);
}

static int compare_created(const void *a, const void *b)
{
    const struct weft__cookie *x = *(struct weft__cookie *const *)a;
    const struct weft__cookie *y = *(struct weft__cookie *const *)b;
    return x->created < y->created ? -1 : x->created > y->created;
}

int weft__jar_list(const struct weft__jar *jar, int64_t now, struct weft__cookie ***ret,
                   size_t *ret_n)
{
    size_t n = 0;
    struct weft__cookie **list = weft__calloc(jar->n + 1, sizeof(struct weft__cookie *));
    if (list == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < WEFT__COOKIE_BUCKETS; i++) {
        struct weft__cookie *cookie = jar->buckets[i];
        for (; cookie != NULL; cookie = cookie->next) {
            if (!has_expired(cookie, now))
                list[n++] = cookie;
        }
    }
    qsort(list, n, sizeof(struct weft__cookie *), compare_created);
    *ret = list;
    *ret_n = n;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct weft__cookie *x = *(struct weft__cookie *const *)a;
    const struct weft__cookie *y = *(struct weft__cookie *const *)b;
    size_t x_len = strlen(x->public.path);
    size_t y_len = strlen(y->public.path);
    if (x_len != y_len)
        return x_len > y_len ? -1 : 1;
    return compare_created(a, b);
}

/* Those that go to a place, in their order; NULL where none does. */
static struct weft__cookie **sort_going(const struct weft__jar *jar,
                                        const struct weft__cookie_place *place, int64_t now,
                                        size_t *ret_n)
{
    struct weft__cookie *const first = jar->buckets[bucket_of(place->host)];
    struct weft__cookie **going = NULL;
    size_t n = 0;
    for (struct weft__cookie *cookie = first; cookie != NULL; cookie = cookie->next)
        n += !has_expired(cookie, now) && goes_to(&cookie->public, place);
    *ret_n = n;
    if (n == 0 || (going = weft__calloc(n, sizeof(struct weft__cookie *))) == NULL)
        return NULL;
    n = 0;
    for (struct weft__cookie *cookie = first; cookie != NULL; cookie = cookie->next) {
        if (!has_expired(cookie, now) && goes_to(&cookie->public, place))
            going[n++] = cookie;
    }
    qsort(going, n, sizeof(struct weft__cookie *), compare);
    return going;
}

int weft__jar_header(struct weft__jar *jar, const struct weft__cookie_place *place, int64_t now,
                     struct weft__buf *buf)
{
    size_t n;
    int err = 0;
    size_t begin = buf->len;
    struct weft__cookie **going = sort_going(jar, place, now, &n);
    if (going == NULL)
        return n == 0 ? 0 : weft__fail_nomem();
    for (size_t i = 0; i < n && err == 0; i++) {
        const weft_cookie *public = &going[i]->public;
        size_t size = strlen(public->name) + strlen(public->value) + 3;
        if (buf->len - begin + size > WEFT__LIMIT_COOKIE_FIELD)
            break;
        err = weft__buf_printf(buf, "%s%s=%s", i > 0 ? "; " : "", public->name, public->value);
        going[i]->used = ++jar->clock;
    }
    weft__free(going);
    return err == -ENOMEM ? weft__fail_nomem() : err;
}

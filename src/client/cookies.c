/*
 * cookies.c - the jar that users have: the store of proto/cookie.h behind a lock, its file.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <weft/error.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fs_temp.h>
#include <weft/http.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cookies_int.h"
#include "proto/cookie.h"

struct weft_cookies {
    atomic_int refs;
    pthread_mutex_t lock;
    struct weft__jar jar; /* under lock */
    atomic_size_t n;      /* cookies in it, to be looked at without the lock */
};

int weft_cookies_new(weft_cookies **ret)
{
    weft_cookies *cookies = weft__calloc(1, sizeof *cookies);
    if (cookies == NULL)
        return weft__fail_nomem();
    atomic_init(&cookies->refs, 1);
    atomic_init(&cookies->n, 0);
    pthread_mutex_init(&cookies->lock, NULL);
    weft__jar_init(&cookies->jar);
    *ret = cookies;
    return 0;
}

weft_cookies *weft__cookies_ref(weft_cookies *cookies)
{
    atomic_fetch_add_explicit(&cookies->refs, 1, memory_order_relaxed);
    return cookies;
}

void weft_cookies_free(weft_cookies *cookies)
{
    if (cookies == NULL || atomic_fetch_sub_explicit(&cookies->refs, 1, memory_order_acq_rel) > 1)
        return;
    weft__jar_done(&cookies->jar);
    pthread_mutex_destroy(&cookies->lock);
    weft__free(cookies);
}

bool weft__cookies_is_empty(const weft_cookies *cookies)
{
    return atomic_load_explicit(&cookies->n, memory_order_relaxed) == 0;
}

static struct weft__jar *lock(weft_cookies *cookies)
{
    pthread_mutex_lock(&cookies->lock);
    return &cookies->jar;
}

static void unlock(weft_cookies *cookies)
{
    atomic_store_explicit(&cookies->n, cookies->jar.n, memory_order_relaxed);
    pthread_mutex_unlock(&cookies->lock);
}

/* ---- by hand ---- */

int weft_cookies_set(weft_cookies *cookies, const char *name, const char *value, const char *domain,
                     const char *path)
{
    return weft_cookies_set_cookie(
        cookies, WEFT_COOKIE(.name = name, .value = value, .domain = domain, .path = path));
}

int weft_cookies_set_cookie(weft_cookies *cookies, const weft_cookie *cookie)
{
    weft_cookie full = {.size = sizeof full};
    memcpy(&full, cookie, cookie->size < sizeof full ? cookie->size : sizeof full);
    full.size = sizeof full;
    if (full.name == NULL || full.value == NULL)
        return weft__fail(-EINVAL, "a cookie without a name or a value");
    if (full.path == NULL)
        full.path = "/";
    if (full.domain == NULL)
        full.domain = "";
    full.domain += full.domain[0] == '.';
    const char *wrong = weft__cookie_wrong(&full);
    if (wrong == NULL && full.below && weft__cookie_is_public_suffix(full.domain))
        wrong = "its domain is a public suffix";
    if (wrong == NULL && !weft__cookie_prefix_holds(&full))
        wrong = "it does not keep what the prefix of its name promises";
    if (wrong != NULL)
        return weft__fail(-EINVAL, "the cookie cannot be set: %s", wrong);
    char *domain = weft__strdup(full.domain);
    if (domain == NULL)
        return weft__fail_nomem();
    for (char *p = domain; *p != '\0'; p++)
        *p = weft__ascii_lower(*p);
    full.domain = domain;
    int err = weft__jar_put(lock(cookies), &full, weft__clock_wall());
    unlock(cookies);
    weft__free(domain);
    return err;
}

size_t weft_cookies_remove(weft_cookies *cookies, const char *name, const char *domain,
                           const char *path)
{
    size_t n = weft__jar_remove(lock(cookies), name, domain, path);
    unlock(cookies);
    return n;
}

static bool matches(const char *wanted, const char *is)
{
    return wanted == NULL || strcmp(wanted, is) == 0;
}

static int get(struct weft__jar *jar, const char *name, const char *domain, const char *path,
               char **ret)
{
    struct weft__cookie **list;
    const weft_cookie *found = NULL;
    size_t n;
    int err = weft__jar_list(jar, weft__clock_wall(), &list, &n);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n && err == 0; i++) {
        const weft_cookie *cookie = &list[i]->public;
        if (strcmp(cookie->name, name) != 0 || !matches(domain, cookie->domain) ||
            !matches(path, cookie->path))
            continue;
        if (found != NULL)
            err = weft__fail(-EEXIST, "several cookies \"%s\" match: say which domain and path",
                             name);
        found = cookie;
    }
    weft__free(list);
    if (err < 0)
        return err;
    if (found == NULL)
        return weft__fail(-ENOENT, "there is no cookie \"%s\"", name);
    char *value = weft__strdup(found->value);
    if (value == NULL)
        return weft__fail_nomem();
    *ret = value;
    return 0;
}

int weft_cookies_get(weft_cookies *cookies, const char *name, const char *domain, const char *path,
                     char **ret)
{
    int err = get(lock(cookies), name, domain, path, ret);
    unlock(cookies);
    return err;
}

static char *put_text(char *to, const char **text)
{
    size_t size = strlen(*text) + 1;
    memcpy(to, *text, size);
    *text = to;
    return to + size;
}

static int list(struct weft__jar *jar, weft_cookie **ret, size_t *ret_n)
{
    struct weft__cookie **found;
    size_t n;
    int err = weft__jar_list(jar, weft__clock_wall(), &found, &n);
    if (err < 0)
        return err;
    size_t size = (n + 1) * sizeof(weft_cookie);
    for (size_t i = 0; i < n; i++) {
        const weft_cookie *cookie = &found[i]->public;
        size += strlen(cookie->name) + strlen(cookie->value) + strlen(cookie->domain) +
                strlen(cookie->path) + 4;
    }
    weft_cookie *cookies = weft__alloc(size);
    if (cookies != NULL) {
        char *to = (char *)(cookies + n + 1);
        for (size_t i = 0; i < n; i++) {
            cookies[i] = found[i]->public;
            to = put_text(to, &cookies[i].name);
            to = put_text(to, &cookies[i].value);
            to = put_text(to, &cookies[i].domain);
            to = put_text(to, &cookies[i].path);
        }
        *ret = cookies;
        *ret_n = n;
    }
    weft__free(found);
    return cookies != NULL ? 0 : weft__fail_nomem();
}

int weft_cookies_list(weft_cookies *cookies, weft_cookie **ret, size_t *ret_n)
{
    int err = list(lock(cookies), ret, ret_n);
    unlock(cookies);
    return err;
}

/* ---- between requests and responses ---- */

static struct weft__cookie_place place_of(const weft_url *url)
{
    const char *scheme = weft_url_scheme(url);
    return (struct weft__cookie_place){
        .host = weft_url_host(url),
        .path = weft_url_path(url),
        .secure = strcmp(scheme, "https") == 0 || strcmp(scheme, "wss") == 0,
    };
}

int weft__cookies_receive(weft_cookies *cookies, const weft_url *url, const char *text, size_t len)
{
    struct weft__cookie_place place = place_of(url);
    int result = weft__jar_receive(lock(cookies), &place, text, len, weft__clock_wall());
    unlock(cookies);
    return result;
}

int weft__cookies_header(weft_cookies *cookies, const weft_url *url, struct weft__buf *buf)
{
    struct weft__cookie_place place = place_of(url);
    int err = weft__jar_header(lock(cookies), &place, weft__clock_wall(), buf);
    unlock(cookies);
    return err;
}

int weft_cookies_receive(weft_cookies *cookies, const char *url, const char *text)
{
    weft_url *parsed;
    int result = weft_url_parse(url, NULL, &parsed);
    if (result < 0)
        return result;
    result = weft__cookies_receive(cookies, parsed, text, strlen(text));
    weft_url_free(parsed);
    return result;
}

int weft_cookies_header(weft_cookies *cookies, const char *url, char **ret)
{
    struct weft__buf buf;
    weft_url *parsed;
    int err = weft_url_parse(url, NULL, &parsed);
    if (err < 0)
        return err;
    weft__buf_init(&buf, SIZE_MAX);
    err = weft__cookies_header(cookies, parsed, &buf);
    weft_url_free(parsed);
    char *text = NULL;
    if (err == 0 && buf.len > 0 && weft__buf_take(&buf, &text, NULL) < 0)
        err = weft__fail_nomem();
    weft__buf_done(&buf);
    if (err == 0)
        *ret = text;
    return err;
}

/* ---- the file ---- */

int weft_cookies_save(weft_cookies *cookies, const char *path)
{
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    int err = weft__jar_print(lock(cookies), weft__clock_wall(), &buf);
    unlock(cookies);
    if (err == 0)
        err = weft_write_atomic(path, weft__buf_bytes(&buf), buf.len, WEFT_ATOMIC(.mode = 0600));
    weft__buf_done(&buf);
    return err;
}

int weft_cookies_load(weft_cookies *cookies, const char *path)
{
    char *text;
    size_t len;
    size_t skipped;
    weft_stat_result info;
    int err = weft_stat(path, &info);
    if (err < 0)
        return err;
    if (info.size > WEFT__LIMIT_COOKIE_FILE)
        return weft__fail(-EFBIG, "%s: %llu bytes, a file of cookies may have %d", path,
                          (unsigned long long)info.size, WEFT__LIMIT_COOKIE_FILE);
    err = weft_read_file(path, &text, &len);
    if (err < 0)
        return err;
    err = weft__jar_parse(lock(cookies), text, len, weft__clock_wall(), &skipped);
    unlock(cookies);
    weft_free(text);
    return err;
}

/*
 * weft/cookie.h - cookies and a jar of them, by RFC 6265bis.
 *
 *     weft_cookies *jar;
 *     weft_cookies_new(&jar);
 *     weft_cookies_load(jar, "cookies.txt");
 *     weft_client_new(WEFT_CLIENT(.cookies = jar), &client);
 *
 * A jar may be used by any number of threads and clients at once.
 */
#ifndef WEFT_COOKIE_H
#define WEFT_COOKIE_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_cookies weft_cookies;

/* Kept and told; a client that is no browser sends cookies whatever it says. */
typedef enum weft_same_site {
    WEFT_SAME_SITE_UNSET = 0,
    WEFT_SAME_SITE_NONE,
    WEFT_SAME_SITE_LAX,
    WEFT_SAME_SITE_STRICT
} weft_same_site;

typedef struct weft_cookie {
    size_t size;
    const char *name;
    const char *value;
    const char *domain; /* lower case, without a dot in front */
    const char *path;   /* default "/" */
    int64_t expires;    /* Unix time in seconds; 0: it ends with the session */
    bool below;         /* goes to hosts below the domain as well (not host-only) */
    bool secure;        /* https only */
    bool http_only;
    weft_same_site same_site;
} weft_cookie;
#define WEFT_COOKIE(...) WEFT_OPTIONS(weft_cookie, __VA_ARGS__)

/**
 * weft_cookies_new() - make an empty jar
 * @ret: gives, free with weft_cookies_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   httpx.Cookies.
 * Since:    0.1
 */
WEFT_API int weft_cookies_new(weft_cookies **ret);
/**
 * weft_cookies_free() - release a jar
 * @cookies: takes. NULL is allowed. Clients that use it keep it for as long as they live.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_cookies_free(weft_cookies *cookies);
/**
 * weft_cookies_set() - put a cookie into a jar
 * @cookies: borrows.
 * @name:    copies.
 * @value:   copies. As it is to be sent.
 * @domain:  copies. The host that it is for, and no other.
 * @path:    copies, NULL for "/".
 *
 * Replaces the one of the same name, domain and path.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no domain, or a character that no cookie may have; -ENOMEM.
 * Source:   httpx.Cookies.set; without a domain, which would send it to every host.
 * Since:    0.1
 */
WEFT_API int weft_cookies_set(weft_cookies *cookies, const char *name, const char *value,
                              const char *domain, const char *path);
/**
 * weft_cookies_set_cookie() - put a cookie with all its attributes into a jar
 * @cookies: borrows.
 * @cookie:  copies.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL what weft_cookies_set() refuses, a public suffix with .below, or a name with
 *           the prefix __Secure- or __Host- that does not keep its promise; -ENOMEM.
 * Source:   http.cookiejar.CookieJar.set_cookie.
 * Since:    0.1
 */
WEFT_API int weft_cookies_set_cookie(weft_cookies *cookies, const weft_cookie *cookie);
/**
 * weft_cookies_get() - the value of a cookie
 * @cookies: borrows.
 * @name:    borrows.
 * @domain:  borrows, NULL for any.
 * @path:    borrows, NULL for any.
 * @ret:     gives, free with weft_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT there is none; -EEXIST several match, of different domains or paths; -ENOMEM.
 * Source:   httpx.Cookies.get, CookieConflict.
 * Since:    0.1
 */
WEFT_API int weft_cookies_get(weft_cookies *cookies, const char *name, const char *domain,
                              const char *path, char **ret);
/**
 * weft_cookies_list() - all cookies that have not expired
 * @cookies: borrows.
 * @ret:     gives one block with the texts in it, free with weft_free(); in order of creation.
 * @ret_n:   gives their number.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   iterating httpx.Cookies.jar.
 * Since:    0.1
 */
WEFT_API int weft_cookies_list(weft_cookies *cookies, weft_cookie **ret, size_t *ret_n);
/**
 * weft_cookies_remove() - take cookies out of a jar
 * @cookies: borrows.
 * @name:    borrows, NULL for all names.
 * @domain:  borrows, NULL for all domains.
 * @path:    borrows, NULL for all paths.
 *
 * Suspends: never.
 * Return:   how many there were.
 * Source:   httpx.Cookies.delete, clear.
 * Since:    0.1
 */
WEFT_API size_t weft_cookies_remove(weft_cookies *cookies, const char *name, const char *domain,
                                    const char *path);
/**
 * weft_cookies_receive() - take in a Set-Cookie field
 * @cookies: borrows.
 * @url:     borrows. Where the response came from.
 * @text:    borrows. The field's value.
 *
 * For responses that did not come through a client, which does this by itself.
 *
 * A cookie without a name ("token", "=token") is ignored, as by RFC 6265, its working group's tests,
 * curl and Go.  RFC 6265bis keeps it for the sake of browsers, which cannot do otherwise any more.
 *
 * Suspends: never.
 * Return:   1 taken, 0 ignored as RFC 6265bis demands, or negative.
 * Errors:   WEFT_EINVALID_URL; -ENOMEM.
 * Source:   RFC 6265bis 5.6, 5.7; http.cookiejar.CookieJar.extract_cookies.
 * Since:    0.1
 */
WEFT_API int weft_cookies_receive(weft_cookies *cookies, const char *url, const char *text);
/**
 * weft_cookies_header() - the Cookie field for a request
 * @cookies: borrows.
 * @url:     borrows. Where the request goes.
 * @ret:     gives, free with weft_free(); NULL where no cookie goes there.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EINVALID_URL; -ENOMEM.
 * Source:   RFC 6265bis 5.8; http.cookiejar.CookieJar.add_cookie_header.
 * Since:    0.1
 */
WEFT_API int weft_cookies_header(weft_cookies *cookies, const char *url, char **ret);
/**
 * weft_cookies_save() - write a jar to a file
 * @cookies: borrows.
 * @path:    borrows.
 *
 * In the form that Netscape's browser had, and curl, wget and Python read.  It has no place for
 * SameSite.  The file is replaced as a whole, and only its owner may read it (mode 0600).
 *
 * Suspends: yes.
 * Cancel:   the file is the old one or the new one; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_write_atomic(); -ENOMEM.
 * Source:   http.cookiejar.MozillaCookieJar.save.
 * Since:    0.1
 */
WEFT_API int weft_cookies_save(weft_cookies *cookies, const char *path);
/**
 * weft_cookies_load() - add the cookies of a file to a jar
 * @cookies: borrows.
 * @path:    borrows. At most 16 MiB.
 *
 * Lines that are no cookies are skipped.
 *
 * Suspends: yes.
 * Cancel:   nothing is added; -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_read_file(); -EFBIG; -ENOMEM.
 * Source:   http.cookiejar.MozillaCookieJar.load.
 * Since:    0.1
 */
WEFT_API int weft_cookies_load(weft_cookies *cookies, const char *path);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_cookies, weft_cookies_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/url.h - URLs and their params: pure functions over bytes.
 */
#ifndef WEFT_URL_H
#define WEFT_URL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ---- URL: parsed once, never changed (WHATWG URL standard) ----
 *
 * What the functions below lend stays valid until the URL is freed.  A URL may be used by any
 * number of threads.
 */

typedef struct weft_url weft_url;

/**
 * weft_url_parse() - parse a URL as browsers do
 * @text: borrows. UTF-8, at most 64 KiB; blanks around it are dropped.
 * @base: borrows, NULL for none. What a relative text is resolved against.
 * @ret:  gives, free with weft_url_free().
 *
 * The scheme and the host become lower case, a host in another script its ASCII form, an
 * IPv4 address written in any way four decimal numbers; "." and ".." are resolved; what
 * may not stand in a URL is percent-encoded, what is already encoded stays as it is.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EINVALID_URL with a message that never shows user name or password; -ENOMEM.
 * Source:   https://url.spec.whatwg.org/#url-parsing; httpx.URL.
 * Since:    0.1
 */
WEFT_API int weft_url_parse(const char *text, const weft_url *base, weft_url **ret);

/**
 * weft_url_free() - release a URL
 * @url: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_url_free(weft_url *url);

/**
 * weft_url_href() - the whole URL, with the password
 * @url: borrows.
 *
 * For machines; weft_url_redacted() is for people.
 *
 * Suspends: never.
 * Return:   lends; parsing it again gives the same URL.
 * Source:   str(httpx.URL).
 * Since:    0.1
 */
WEFT_API const char *weft_url_href(const weft_url *url);

/**
 * weft_url_redacted() - the whole URL with "[secure]" in place of the password
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends.
 * Source:   repr(httpx.URL).
 * Since:    0.1
 */
WEFT_API const char *weft_url_redacted(const weft_url *url);

/**
 * weft_url_scheme() - "https"
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; lower case, no colon.
 * Source:   httpx.URL.scheme.
 * Since:    0.1
 */
WEFT_API const char *weft_url_scheme(const weft_url *url);

/**
 * weft_url_username() - the user name, percent-encoded
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; "" if there is none.
 * Source:   httpx.URL.username.
 * Since:    0.1
 */
WEFT_API const char *weft_url_username(const weft_url *url);

/**
 * weft_url_password() - the password, percent-encoded
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; "" if there is none.
 * Source:   httpx.URL.password.
 * Since:    0.1
 */
WEFT_API const char *weft_url_password(const weft_url *url);

/**
 * weft_url_host() - the host, as it goes into Host and DNS
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; ASCII, an IPv6 address in brackets; "" if there is none.
 * Source:   httpx.URL.raw_host.
 * Since:    0.1
 */
WEFT_API const char *weft_url_host(const weft_url *url);

/**
 * weft_url_port() - the port to connect to
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   the written port, else the default of http, https, ws, wss and ftp, else 0.
 * Source:   httpx.URL.port.
 * Since:    0.1
 */
WEFT_API int weft_url_port(const weft_url *url);

/**
 * weft_url_has_port() - is a port written that is not the scheme's default?
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   true if authority and href show a port.
 * Since:    0.1
 */
WEFT_API bool weft_url_has_port(const weft_url *url);

/**
 * weft_url_path() - the path, percent-encoded, as it goes on the wire
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; at least "/" for http, https, ws, wss, ftp and file.
 * Source:   httpx.URL.raw_path.
 * Since:    0.1
 */
WEFT_API const char *weft_url_path(const weft_url *url);

/**
 * weft_url_query() - the query without its "?", percent-encoded
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; NULL if there is no "?", "" if nothing follows it.
 * Source:   httpx.URL.query.
 * Since:    0.1
 */
WEFT_API const char *weft_url_query(const weft_url *url);

/**
 * weft_url_fragment() - the fragment without its "#", percent-encoded
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; NULL if there is no "#", "" if nothing follows it.
 * Source:   httpx.URL.fragment.
 * Since:    0.1
 */
WEFT_API const char *weft_url_fragment(const weft_url *url);

/**
 * weft_url_target() - path and query: the target of a request
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; never empty, never with the fragment.
 * Source:   RFC 9112 3.2.1; httpx.URL.raw_path.
 * Since:    0.1
 */
WEFT_API const char *weft_url_target(const weft_url *url);

/**
 * weft_url_authority() - host, and port unless it is the scheme's default: the Host field
 * @url: borrows.
 *
 * Suspends: never.
 * Return:   lends; "" if there is no host.
 * Source:   RFC 9110 7.2; httpx.URL.netloc.
 * Since:    0.1
 */
WEFT_API const char *weft_url_authority(const weft_url *url);

/**
 * weft_url_same_origin() - same scheme, host and effective port?
 * @a: borrows.
 * @b: borrows.
 *
 * Suspends: never.
 * Return:   false also for URLs that have no host.
 * Source:   RFC 6454 5.
 * Since:    0.1
 */
WEFT_API bool weft_url_same_origin(const weft_url *a, const weft_url *b);

/**
 * weft_url_join() - resolve a reference, as a browser resolves a link
 * @base:      borrows.
 * @reference: borrows. Relative or absolute, at most 64 KiB.
 * @ret:       gives, free with weft_url_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EINVALID_URL; -ENOMEM.
 * Source:   RFC 3986 5.2; httpx.URL.join, urllib.parse.urljoin.
 * Since:    0.1
 */
WEFT_API int weft_url_join(const weft_url *base, const char *reference, weft_url **ret);

/**
 * weft_url_append_params() - a URL with more in its query
 * @url:    borrows.
 * @params: borrows. UTF-8, ends with {0}; a NULL value is "". NULL is no params.
 * @ret:    gives, free with weft_url_free().
 *
 * They are encoded as a form and stand behind what the query has already.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EINVALID_URL if it gets longer than 64 KiB; -ENOMEM.
 * Source:   httpx.URL.copy_merge_params, but repeated names are kept.
 * Since:    0.1
 */
WEFT_API int weft_url_append_params(const weft_url *url, const weft_pair *params, weft_url **ret);

/* What weft_url_with() replaces: NULL and 0 leave a component as it is. */
typedef struct weft_url_parts {
    size_t size;
    const char *scheme;
    const char *username; /* "": none */
    const char *password; /* "": none */
    const char *host;     /* a name in any script or an address, IPv6 in brackets */
    int port;             /* -1: none */
    const char *path;     /* "?" and "#" in it are encoded */
    const char *query;    /* "": none; a "?" before it is not part of it */
    const char *fragment; /* "": none; a "#" before it is not part of it */
} weft_url_parts;
#define WEFT_URL(...) WEFT_OPTIONS(weft_url_parts, __VA_ARGS__)

/**
 * weft_url_with() - a URL with some components replaced
 * @url:   borrows.
 * @parts: borrows, NULL for none. What may not stand in a component is percent-encoded; what is
 *         encoded already stays as it is.
 * @ret:   gives, free with weft_url_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EINVALID_URL a component that this URL cannot have; -ENOMEM.
 * Source:   https://url.spec.whatwg.org/#api; httpx.URL.copy_with.
 * Since:    0.1
 */
WEFT_API int weft_url_with(const weft_url *url, const weft_url_parts *parts, weft_url **ret);

/**
 * weft_url_is_absolute() - does a text say where it leads without a base?
 * @text: borrows.
 *
 * Suspends: never.
 * Return:   true for "http://a/b" and "mailto:a@b", false for "/b", "//a/b", "b?c" and "".
 * Source:   httpx.URL.is_absolute_url, is_relative_url.
 * Since:    0.1
 */
WEFT_API bool weft_url_is_absolute(const char *text);

/**
 * weft_url_host_unicode() - the host as people read it
 * @url: borrows.
 * @ret: gives, free with weft_free(). "xn--" labels in their own script; UTF-8.
 *
 * For display: names in different scripts can look alike.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   httpx.URL.host.
 * Since:    0.1
 */
WEFT_API int weft_url_host_unicode(const weft_url *url, char **ret);

/**
 * weft_url_encode() - percent-encode a text for any place in a URL
 * @text: borrows. Need not end with a NUL.
 * @len:  bytes.
 * @ret:  gives, free with weft_free().
 *
 * All but letters, digits and "-._~" is encoded, "/" too: the text is one segment of a path, or
 * one value.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   RFC 3986 2.3; urllib.parse.quote(text, safe="").
 * Since:    0.1
 */
WEFT_API int weft_url_encode(const char *text, size_t len, char **ret);

/**
 * weft_url_decode() - undo percent-encoding
 * @text:    borrows. Need not end with a NUL. A "%" without two hex digits stays, "+" too.
 * @len:     bytes.
 * @ret:     gives, free with weft_free(). Ends with a NUL, and may have others.
 * @ret_len: gives the bytes without the NUL; may be NULL.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   https://url.spec.whatwg.org/#percent-decode; urllib.parse.unquote; httpx.URL.path.
 * Since:    0.1
 */
WEFT_API int weft_url_decode(const char *text, size_t len, char **ret, size_t *ret_len);

/*
 * ---- params: the pairs of a query, ordered, repeatable, case-sensitive ----
 *
 * What the functions below lend stays valid until the params are next changed or freed.  Values
 * are text: true is "true", nothing is "".
 */

typedef struct weft_params weft_params;

/**
 * weft_params_new() - no params
 * @ret: gives, free with weft_params_free().
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   httpx.QueryParams.
 * Since:    0.1
 */
WEFT_API int weft_params_new(weft_params **ret);

/**
 * weft_params_parse() - the params of a query
 * @text: borrows. As in a URL, without the "?"; need not end with a NUL.
 * @len:  bytes.
 * @ret:  gives, free with weft_params_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL for a NUL in a name or value, "%00" too; -ENOMEM.
 * Source:   httpx.QueryParams(text), urllib.parse.parse_qsl.
 * Since:    0.1
 */
WEFT_API int weft_params_parse(const char *text, size_t len, weft_params **ret);

/**
 * weft_url_params() - the params of a URL
 * @url: borrows.
 * @ret: gives, free with weft_params_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_params_parse().
 * Source:   httpx.URL.params.
 * Since:    0.1
 */
WEFT_API int weft_url_params(const weft_url *url, weft_params **ret);

/**
 * weft_params_free() - release params
 * @params: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_params_free(weft_params *params);

/**
 * weft_params_add() - add a param behind the others
 * @params: borrows.
 * @name:   copies.
 * @value:  copies. NULL is "".
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no name; -ENOMEM.
 * Source:   httpx.QueryParams.add.
 * Since:    0.1
 */
WEFT_API int weft_params_add(weft_params *params, const char *name, const char *value);

/**
 * weft_params_set() - replace all params of a name by one
 * @params: borrows.
 * @name:   copies.
 * @value:  copies. NULL is "".
 *
 * It takes the place of the first one of that name, or the last place.
 *
 * Suspends: never.
 * Return:   0, or negative; the params are unchanged then.
 * Errors:   -EINVAL no name; -ENOMEM.
 * Source:   httpx.QueryParams.set.
 * Since:    0.1
 */
WEFT_API int weft_params_set(weft_params *params, const char *name, const char *value);

/**
 * weft_params_merge() - replace the params of some names
 * @params: borrows.
 * @pairs:  copies. Ends with {0}; NULL is none. A name that stands in it twice is set twice.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   httpx.QueryParams.merge.
 * Since:    0.1
 */
WEFT_API int weft_params_merge(weft_params *params, const weft_pair *pairs);

/**
 * weft_params_remove() - remove all params of a name
 * @params: borrows.
 * @name:   borrows.
 *
 * Suspends: never.
 * Return:   how many there were.
 * Source:   httpx.QueryParams.remove.
 * Since:    0.1
 */
WEFT_API size_t weft_params_remove(weft_params *params, const char *name);

/**
 * weft_params_get() - the first value of a name
 * @params: borrows.
 * @name:   borrows.
 *
 * Suspends: never.
 * Return:   lends; NULL if there is none.
 * Source:   httpx.QueryParams.get.
 * Since:    0.1
 */
WEFT_API const char *weft_params_get(const weft_params *params, const char *name);

/**
 * weft_params_get_nth() - one of several values of a name
 * @params: borrows.
 * @name:   borrows.
 * @nth:    0 is the first.
 *
 * Suspends: never.
 * Return:   lends; NULL if there are not so many.
 * Source:   httpx.QueryParams.get_list.
 * Since:    0.1
 */
WEFT_API const char *weft_params_get_nth(const weft_params *params, const char *name, size_t nth);

/**
 * weft_params_count() - how many params there are
 * @params: borrows.
 *
 * Suspends: never.
 * Return:   repeated names counted each.
 * Source:   len(httpx.QueryParams.multi_items()).
 * Since:    0.1
 */
WEFT_API size_t weft_params_count(const weft_params *params);

/**
 * weft_params_at() - a param by its place
 * @params: borrows.
 * @index:  from 0, below weft_params_count().
 *
 * Suspends: never.
 * Return:   lends name and value; {0} beyond the last.
 * Source:   httpx.QueryParams.multi_items.
 * Since:    0.1
 */
WEFT_API weft_pair weft_params_at(const weft_params *params, size_t index);

/**
 * weft_params_encode() - the params as they stand in a query
 * @params: borrows.
 * @ret:    gives, free with weft_free(). "a=1&b=x+y".
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   str(httpx.QueryParams).
 * Since:    0.1
 */
WEFT_API int weft_params_encode(const weft_params *params, char **ret);

/**
 * weft_url_set_params() - a URL with params of some names replaced
 * @url:   borrows.
 * @pairs: borrows. As for weft_params_merge().
 * @ret:   gives, free with weft_url_free().
 *
 * The whole query is written anew; weft_url_append_params() leaves what it has untouched.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL, WEFT_EINVALID_URL; -ENOMEM.
 * Source:   httpx.URL.copy_set_param, copy_merge_params.
 * Since:    0.1
 */
WEFT_API int weft_url_set_params(const weft_url *url, const weft_pair *pairs, weft_url **ret);

/**
 * weft_url_remove_param() - a URL without the params of a name
 * @url:  borrows.
 * @name: borrows.
 * @ret:  gives, free with weft_url_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL; -ENOMEM.
 * Source:   httpx.URL.copy_remove_param.
 * Since:    0.1
 */
WEFT_API int weft_url_remove_param(const weft_url *url, const char *name, weft_url **ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_url, weft_url_free)
WEFT_DEFINE_AUTO(weft_params, weft_params_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

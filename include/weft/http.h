/*
 * weft/http.h - URLs, header fields, form encoding, status texts: pure functions over bytes.
 */
#ifndef WEFT_HTTP_H
#define WEFT_HTTP_H

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

/*
 * ---- header fields: ordered, case-insensitive, repeatable ----
 *
 * What the functions below lend stays valid until the headers are next changed or freed.
 */

typedef struct weft_headers weft_headers;

/**
 * weft_headers_new() - an empty set of header fields
 * @ret: gives, free with weft_headers_free().
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   httpx.Headers.
 * Since:    0.1
 */
WEFT_API int weft_headers_new(weft_headers **ret);

/**
 * weft_headers_free() - release header fields
 * @headers: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_headers_free(weft_headers *headers);

/**
 * weft_headers_add() - add a field behind the others
 * @headers: borrows.
 * @name:    copies. A token; its case is kept.
 * @value:   copies. Any bytes but control characters, tab aside; blanks around it are dropped.
 *
 * What could break a message (CR, LF, a colon in a name) is refused here, so that nothing of
 * it is ever sent.
 *
 * Suspends: never.
 * Return:   0, or negative; the fields are unchanged then.
 * Errors:   WEFT_ELOCAL_PROTOCOL with a message that names the field and never its value; -EINVAL
 *           for a NULL value; WEFT_EHEADER_TOO_LARGE beyond 16 MiB; -ENOMEM.
 * Source:   RFC 9110 5.1, 5.5.
 * Since:    0.1
 */
WEFT_API int weft_headers_add(weft_headers *headers, const char *name, const char *value);

/**
 * weft_headers_set() - replace all fields of a name by one
 * @headers: borrows.
 * @name:    copies. As for weft_headers_add().
 * @value:   copies. As for weft_headers_add().
 *
 * It takes the place of the first one of that name, or the last place.
 *
 * Suspends: never.
 * Return:   0, or negative; the fields are unchanged then.
 * Errors:   as weft_headers_add().
 * Source:   httpx.Headers.__setitem__.
 * Since:    0.1
 */
WEFT_API int weft_headers_set(weft_headers *headers, const char *name, const char *value);

/**
 * weft_headers_remove() - remove all fields of a name
 * @headers: borrows.
 * @name:    borrows. In any case.
 *
 * Suspends: never.
 * Return:   how many there were.
 * Since:    0.1
 */
WEFT_API size_t weft_headers_remove(weft_headers *headers, const char *name);

/**
 * weft_headers_get() - the first value of a name
 * @headers: borrows.
 * @name:    borrows. In any case.
 *
 * Suspends: never.
 * Return:   lends; NULL if there is none. Bytes beyond ASCII are as the peer sent them.
 * Source:   httpx.Headers.get, but values are never joined.
 * Since:    0.1
 */
WEFT_API const char *weft_headers_get(const weft_headers *headers, const char *name);

/**
 * weft_headers_get_nth() - one of several values of a name
 * @headers: borrows.
 * @name:    borrows. In any case.
 * @nth:     0 is the first.
 *
 * Suspends: never.
 * Return:   lends; NULL if there are not so many.
 * Source:   httpx.Headers.get_list.
 * Since:    0.1
 */
WEFT_API const char *weft_headers_get_nth(const weft_headers *headers, const char *name,
                                          size_t nth);

/**
 * weft_headers_count() - how many fields there are
 * @headers: borrows.
 *
 * Suspends: never.
 * Return:   repeated names counted each.
 * Since:    0.1
 */
WEFT_API size_t weft_headers_count(const weft_headers *headers);

/**
 * weft_headers_at() - a field by its place
 * @headers: borrows.
 * @index:   from 0, below weft_headers_count().
 *
 * Suspends: never.
 * Return:   lends name and value; {0} beyond the last.
 * Source:   httpx.Headers.multi_items.
 * Since:    0.1
 */
WEFT_API weft_pair weft_headers_at(const weft_headers *headers, size_t index);

/* ---- small things ---- */

/**
 * weft_status_reason() - "Not Found" for 404
 * @status: any number.
 *
 * Suspends: never.
 * Return:   lends a static string, "" for a status that is not registered.
 * Source:   RFC 9110 15; http.HTTPStatus.phrase.
 * Since:    0.1
 */
WEFT_API const char *weft_status_reason(int status);

/**
 * weft_form_encode() - application/x-www-form-urlencoded
 * @pairs:   borrows. UTF-8, ends with {0}; a NULL value is "". NULL is no pairs.
 * @ret:     gives, free with weft_free(). Ends with a NUL.
 * @ret_len: gives the bytes without the NUL; may be NULL.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   https://url.spec.whatwg.org/#urlencoded-serializing; urllib.parse.urlencode.
 * Since:    0.1
 */
WEFT_API int weft_form_encode(const weft_pair *pairs, char **ret, size_t *ret_len);

/**
 * weft_form_decode() - the pairs of a form or a query
 * @text: borrows. Need not end with a NUL.
 * @len:  bytes.
 * @ret:  gives, one block with the texts in it, free with weft_free(). Ends with {0}.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL for a NUL in a name or value, "%00" too; -ENOMEM.
 * Source:   https://url.spec.whatwg.org/#urlencoded-parsing; urllib.parse.parse_qsl.
 * Since:    0.1
 */
WEFT_API int weft_form_decode(const char *text, size_t len, weft_pair **ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_url, weft_url_free)
WEFT_DEFINE_AUTO(weft_headers, weft_headers_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

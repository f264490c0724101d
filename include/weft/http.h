/*
 * weft/http.h - URLs, header fields, form encoding, status texts: pure functions over bytes.
 */
#ifndef WEFT_HTTP_H
#define WEFT_HTTP_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- URL: parsed once, never changed (WHATWG URL standard) ---- */

typedef struct weft_url weft_url;

WEFT_API int weft_url_parse(const char *text, const weft_url *base, weft_url **ret);
WEFT_API void weft_url_free(weft_url *url);
WEFT_API const char *weft_url_href(const weft_url *url);     /* with the password */
WEFT_API const char *weft_url_redacted(const weft_url *url); /* for people: "[secure]" for a password */
WEFT_API const char *weft_url_scheme(const weft_url *url);   /* "https", no colon */
WEFT_API const char *weft_url_username(const weft_url *url); /* percent-encoded, "" if none */
WEFT_API const char *weft_url_password(const weft_url *url); /* percent-encoded, "" if none */
WEFT_API const char *weft_url_host(const weft_url *url);     /* ASCII; IPv6 in brackets; "" if none */
WEFT_API int weft_url_port(const weft_url *url);             /* default of the scheme if none; 0 unknown */
WEFT_API bool weft_url_has_port(const weft_url *url);        /* one other than the default is written */
WEFT_API const char *weft_url_path(const weft_url *url);     /* as it goes on the wire */
WEFT_API const char *weft_url_query(const weft_url *url);    /* without "?", NULL if there is none */
WEFT_API const char *weft_url_fragment(const weft_url *url); /* without "#", NULL if there is none */
WEFT_API const char *weft_url_target(const weft_url *url);   /* path and query: the request target */
WEFT_API const char *weft_url_authority(const weft_url *url); /* host[:port]: the Host header */
WEFT_API bool weft_url_same_origin(const weft_url *a, const weft_url *b);
WEFT_API int weft_url_join(const weft_url *base, const char *reference, weft_url **ret);
WEFT_API int weft_url_append_params(const weft_url *url, const weft_pair *params, weft_url **ret);

/* ---- header fields: ordered, case-insensitive, repeatable ---- */

typedef struct weft_headers weft_headers;

WEFT_API int weft_headers_new(weft_headers **ret);
WEFT_API void weft_headers_free(weft_headers *headers);
WEFT_API int weft_headers_add(weft_headers *headers, const char *name, const char *value);
WEFT_API int weft_headers_set(weft_headers *headers, const char *name, const char *value);
WEFT_API size_t weft_headers_remove(weft_headers *headers, const char *name);
WEFT_API const char *weft_headers_get(const weft_headers *headers, const char *name);
WEFT_API const char *weft_headers_get_nth(const weft_headers *headers, const char *name, size_t nth);
WEFT_API size_t weft_headers_count(const weft_headers *headers);
WEFT_API weft_pair weft_headers_at(const weft_headers *headers, size_t index);

/* ---- small things ---- */

WEFT_API const char *weft_status_reason(int status); /* "Not Found", "" if unknown */
WEFT_API int weft_form_encode(const weft_pair *pairs, char **ret, size_t *ret_len);
WEFT_API int weft_form_decode(const char *text, size_t len, weft_pair **ret); /* one block: weft_free() */

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_url, weft_url_free)
WEFT_DEFINE_AUTO(weft_headers, weft_headers_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

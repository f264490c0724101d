/*
 * weft/http.h - header fields, form encoding, status texts: pure functions over bytes.
 */
#ifndef WEFT_HTTP_H
#define WEFT_HTTP_H

#include <weft/base.h>
#include <weft/url.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/**
 * weft_headers_copy() - the same fields again
 * @headers: borrows.
 * @ret:     gives, free with weft_headers_free().
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   httpx.Headers.copy.
 * Since:    0.1
 */
WEFT_API int weft_headers_copy(const weft_headers *headers, weft_headers **ret);

/**
 * weft_headers_get_joined() - all values of a name in one text, ", " between them
 * @headers: borrows.
 * @name:    borrows. In any case.
 * @ret:     gives, free with weft_free(). Untouched on failure.
 *
 * Not for Set-Cookie, whose values have commas of their own.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT there is none; -ENOMEM.
 * Source:   RFC 9110 5.3; httpx.Headers.get.
 * Since:    0.1
 */
WEFT_API int weft_headers_get_joined(const weft_headers *headers, const char *name, char **ret);

/**
 * weft_headers_get_list() - all values of a name
 * @headers: borrows.
 * @name:    borrows. In any case.
 * @split:   true: each value at its commas too, those in quoted strings aside.
 * @ret:     gives, one block with the texts in it, free with weft_free(). Ends with NULL.
 * @ret_n:   gives how many there are; may be NULL.
 *
 * Suspends: never.
 * Return:   0, also if there is none; or -ENOMEM.
 * Source:   httpx.Headers.get_list.
 * Since:    0.1
 */
WEFT_API int weft_headers_get_list(const weft_headers *headers, const char *name, bool split,
                                   char ***ret, size_t *ret_n);

/**
 * weft_headers_set_default() - add a field unless its name is there
 * @headers: borrows.
 * @name:    copies. As for weft_headers_add().
 * @value:   copies. As for weft_headers_add().
 *
 * Suspends: never.
 * Return:   1 if it was added, 0 if the name was there, or negative.
 * Errors:   as weft_headers_add().
 * Source:   httpx.Headers.setdefault.
 * Since:    0.1
 */
WEFT_API int weft_headers_set_default(weft_headers *headers, const char *name, const char *value);

/**
 * weft_headers_update() - replace the fields of some names
 * @headers: borrows.
 * @pairs:   copies. Ends with {0}; NULL is none. A name that stands in it twice is set twice.
 *
 * Suspends: never.
 * Return:   0, or negative; the fields are unchanged then.
 * Errors:   as weft_headers_add().
 * Source:   httpx.Headers.update.
 * Since:    0.1
 */
WEFT_API int weft_headers_update(weft_headers *headers, const weft_pair *pairs);

/**
 * weft_headers_update_from() - replace the fields whose names others have
 * @headers: borrows.
 * @from:    copies.
 *
 * Suspends: never.
 * Return:   0, or negative; the fields are unchanged then.
 * Errors:   WEFT_EHEADER_TOO_LARGE; -ENOMEM.
 * Source:   httpx.Headers.update.
 * Since:    0.1
 */
WEFT_API int weft_headers_update_from(weft_headers *headers, const weft_headers *from);

/**
 * weft_headers_equal() - the same fields, in whatever order?
 * @a: borrows.
 * @b: borrows.
 *
 * Suspends: never.
 * Return:   true if each name, in any case, has the same values in both, as often.
 * Source:   httpx.Headers.__eq__.
 * Since:    0.1
 */
WEFT_API bool weft_headers_equal(const weft_headers *a, const weft_headers *b);

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
WEFT_DEFINE_AUTO(weft_headers, weft_headers_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

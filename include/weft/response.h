/*
 * weft/response.h - what a call of the HTTP client brings back.
 *
 *   weft_response *response;
 *   int err = weft_client_get(client, url, NULL, &response);
 *   if (err == 0 && weft_response_is_success(response))
 *       puts(weft_response_text(response, NULL));
 *   weft_response_free(response);
 *
 * A response belongs to one task at a time.  What it lends is its own until it is freed.
 */
#ifndef WEFT_RESPONSE_H
#define WEFT_RESPONSE_H

#include <weft/base.h>
#include <weft/http.h>
#include <weft/retry.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_response weft_response;

/**
 * weft_response_free() - release a response
 * @response: takes. NULL is allowed. A body that was not read to its end closes its connection.
 *
 * Suspends: maybe, where the body of the request is still on its way, over HTTP/2: until the
 *           function that it comes from, which is cancelled, has returned.
 * Cancel:   it waits for that in a cancelled task too.
 * Source:   httpx.Response.close.
 * Since:    0.1
 */
WEFT_API void weft_response_free(weft_response *response);

/**
 * weft_response_status() - the status code
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   200, 404, ...
 * Source:   httpx.Response.status_code.
 * Since:    0.1
 */
WEFT_API int weft_response_status(const weft_response *response);

/**
 * weft_response_is_informational() - is the status one of 1xx?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 100 to 199.
 * Source:   httpx.Response.is_informational.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_informational(const weft_response *response);

/**
 * weft_response_is_success() - is the status one of 2xx?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 200 to 299.
 * Source:   httpx.Response.is_success.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_success(const weft_response *response);

/**
 * weft_response_is_redirect() - is the status one of 3xx?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 300 to 399.
 * Source:   httpx.Response.is_redirect.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_redirect(const weft_response *response);

/**
 * weft_response_is_client_error() - is the status one of 4xx?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 400 to 499.
 * Source:   httpx.Response.is_client_error.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_client_error(const weft_response *response);

/**
 * weft_response_is_server_error() - is the status one of 5xx?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 500 to 599.
 * Source:   httpx.Response.is_server_error.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_server_error(const weft_response *response);

/**
 * weft_response_is_error() - is the status one of 4xx or 5xx?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 400 to 599.
 * Source:   httpx.Response.is_error.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_error(const weft_response *response);

/**
 * weft_response_has_redirect_location() - does the response say where to go on?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for 301, 302, 303, 307 or 308 with a Location field.
 * Source:   httpx.Response.has_redirect_location.
 * Since:    0.1
 */
WEFT_API bool weft_response_has_redirect_location(const weft_response *response);

/**
 * weft_response_reason() - the text beside the status
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; "" if there was none.
 * Source:   httpx.Response.reason_phrase.
 * Since:    0.1
 */
WEFT_API const char *weft_response_reason(const weft_response *response);

/**
 * weft_response_http_version() - the version the server spoke
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends a static string: "HTTP/1.0", "HTTP/1.1" or "HTTP/2".
 * Source:   httpx.Response.http_version.
 * Since:    0.1
 */
WEFT_API const char *weft_response_http_version(const weft_response *response);

/**
 * weft_response_headers() - all header fields
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends until the response is freed.
 * Source:   httpx.Response.headers.
 * Since:    0.1
 */
WEFT_API const weft_headers *weft_response_headers(const weft_response *response);

/**
 * weft_response_header() - the first field of a name
 * @response: borrows.
 * @name:     borrows. Upper and lower case are the same.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; NULL if there is none.
 * Source:   httpx.Response.headers.get.
 * Since:    0.1
 */
WEFT_API const char *weft_response_header(const weft_response *response, const char *name);

/**
 * weft_response_trailers() - the fields behind a chunked body
 * @response: borrows.
 *
 * They are not merged with the header fields, and nothing is done by what they say.  At most 64
 * of them and 16 KiB (H1_TRAILER_FIELDS, H1_TRAILERS): more are WEFT_EHEADER_TOO_LARGE.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; without fields until the body was read to its end.
 * Source:   RFC 9110 6.5; Go http.Response.Trailer.
 * Since:    0.1
 */
WEFT_API const weft_headers *weft_response_trailers(const weft_response *response);

/**
 * weft_response_url() - the URL of the last hop, with its password
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends until the response is freed.
 * Source:   httpx.Response.url.
 * Since:    0.1
 */
WEFT_API const char *weft_response_url(const weft_response *response);

/**
 * weft_response_text() - the body as text in UTF-8, with a NUL behind it
 * @response: borrows.
 * @ret_len:  borrows, to be filled with its bytes; may be NULL.
 *
 * Its encoding is that of weft_response_encoding(); what is no text of it becomes U+FFFD, and a
 * byte order mark at the beginning is left out.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; NULL with the message of WEFT_ERESPONSE_NOT_READ for
 *           a response that is still a stream, or of -ENOMEM.
 * Source:   httpx.Response.text.
 * Since:    0.1
 */
WEFT_API const char *weft_response_text(weft_response *response, size_t *ret_len);

/**
 * weft_response_encoding() - the encoding by which the body becomes text
 * @response: borrows.
 *
 * What weft_response_set_encoding() has set, else the charset of Content-Type if it is known, else
 * default_encoding, else "utf-8".  Names are those of WHATWG's Encoding standard.
 *
 * Suspends: never.
 * Return:   lends until the next call with this response.
 * Source:   httpx.Response.encoding.
 * Since:    0.1
 */
WEFT_API const char *weft_response_encoding(weft_response *response);

/**
 * weft_response_charset_encoding() - the charset of Content-Type
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends until the next call with this response, at most 40 bytes, known or not; NULL if
 *           there is none.
 * Source:   httpx.Response.charset_encoding.
 * Since:    0.1
 */
WEFT_API const char *weft_response_charset_encoding(weft_response *response);

/**
 * weft_response_set_encoding() - say how the body becomes text
 * @response: borrows.
 * @label:    copies. "latin-1", "shift_jis", ...
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL a label that nobody knows; WEFT_ESTREAM_CONSUMED text was read already.
 * Source:   httpx.Response.encoding.
 * Since:    0.1
 */
WEFT_API int weft_response_set_encoding(weft_response *response, const char *label);

/**
 * weft_response_content() - the body as bytes
 * @response: borrows.
 * @ret_len:  borrows, to be filled with its bytes; may be NULL.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; never NULL for a response in memory. NULL with the
 *           message of WEFT_ERESPONSE_NOT_READ for one that is still a stream.
 * Source:   httpx.Response.content.
 * Since:    0.1
 */
WEFT_API const void *weft_response_content(const weft_response *response, size_t *ret_len);

/**
 * weft_response_read() - the next bytes of the body
 * @response: borrows.
 * @data:     borrows, to be filled.
 * @len:      bytes of room.
 *
 * Content codings are undone, at most len bytes at a time whatever they would become, unless decode
 * is WEFT_OFF.  A body in memory is given out too.  After an error but -ECANCELED and -ENOMEM the
 * connection is closed, and every later call fails too.
 *
 * Suspends: yes, until at least one byte has come.
 * Cancel:   -ECANCELED, nothing is lost: the body can be read on.
 * Return:   bytes, at most len; 0 at the end of a whole body; or negative.
 * Errors:   WEFT_ETRUNCATED the body ended too early; WEFT_EREAD_TIMEOUT, WEFT_ETOTAL_TIMEOUT;
 *           WEFT_EREAD; WEFT_EREMOTE_PROTOCOL; WEFT_EDECODING a coding is corrupt or cut short;
 *           WEFT_ESTREAM_CONSUMED it was begun as raw bytes or as text; -ENOMEM; over HTTP/2
 *           those of a request body that is still on its way, see weft_client_stream().
 * Source:   httpx.Response.iter_bytes.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_read(weft_response *response, void *data, size_t len);

/**
 * weft_response_read_raw() - the next bytes of the body as they were sent
 * @response: borrows.
 * @data:     borrows, to be filled.
 * @len:      bytes of room.
 *
 * As weft_response_read(), but content codings stay.
 *
 * Suspends: yes, until at least one byte has come.
 * Cancel:   -ECANCELED, nothing is lost: the body can be read on.
 * Return:   bytes, at most len; 0 at the end of a whole body; or negative.
 * Errors:   WEFT_ESTREAM_CONSUMED it was begun in another way, or is in memory, decoded; those of
 *           weft_response_read().
 * Source:   httpx.Response.iter_raw.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_read_raw(weft_response *response, void *data, size_t len);

/**
 * weft_response_read_chunk() - the next bytes of the body, exactly so many
 * @response: borrows.
 * @len:      bytes, 1 or more; so many are held in memory.
 * @ret:      lends until the next call that reads this response.
 *
 * Suspends: yes, until they have come, or the body is over.
 * Cancel:   -ECANCELED, nothing is lost.
 * Return:   len, less only for the last ones; 0 at the end of a whole body; or negative.
 * Errors:   -EINVAL; those of weft_response_read().
 * Source:   httpx.Response.iter_bytes(chunk_size).
 * Since:    0.1
 */
WEFT_API int64_t weft_response_read_chunk(weft_response *response, size_t len, const void **ret);

/**
 * weft_response_read_text() - the next piece of the body as UTF-8
 * @response: borrows.
 * @points:   characters, exactly so many but for the last ones; 0: what has come.
 * @ret:      lends until the next call that reads this response. Whole characters, no NUL behind.
 *
 * Suspends: yes, until there are so many.
 * Cancel:   -ECANCELED, nothing is lost.
 * Return:   bytes; 0 at the end of a whole body; or negative.
 * Errors:   WEFT_ESTREAM_CONSUMED it was begun as bytes; those of weft_response_read().
 * Source:   httpx.Response.iter_text.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_read_text(weft_response *response, size_t points, const char **ret);

/**
 * weft_response_read_line() - the next line of the body as UTF-8
 * @response: borrows.
 * @ret:      lends until the next call that reads this response. A NUL stands behind it.
 * @ret_len:  borrows, to be filled with its bytes, the end of the line not counted.
 *
 * Lines end with LF, CR or CR LF and nothing else; one that ends with CR is given at once.  The
 * last one may lack its end.  After WEFT_ETOO_LONG, nothing has been taken.
 *
 * Suspends: yes, until a line has come.
 * Cancel:   -ECANCELED, nothing is lost.
 * Return:   1, 0 at the end of a whole body, or negative.
 * Errors:   WEFT_ETOO_LONG more than line_max, by default 1 MiB (RESPONSE_LINE);
 *           WEFT_ESTREAM_CONSUMED it was begun as bytes; those of weft_response_read().
 * Source:   httpx.Response.iter_lines.
 * Since:    0.1
 */
WEFT_API int weft_response_read_line(weft_response *response, const char **ret, size_t *ret_len);

/**
 * weft_response_close() - give the connection up, keep the response
 * @response: borrows.
 *
 * A body that was not read to its end closes its connection; what is in memory stays.
 *
 * Suspends: maybe, as weft_response_free().
 * Cancel:   it waits in a cancelled task too.
 * Source:   httpx.Response.close.
 * Since:    0.1
 */
WEFT_API void weft_response_close(weft_response *response);

/**
 * weft_response_is_closed() - has the connection been given up?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true at the end of the body, after a failure, and after weft_response_close().
 * Source:   httpx.Response.is_closed.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_closed(const weft_response *response);

/**
 * weft_response_is_stream_consumed() - has somebody begun to read the body?
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   true for a response in memory too.
 * Source:   httpx.Response.is_stream_consumed.
 * Since:    0.1
 */
WEFT_API bool weft_response_is_stream_consumed(const weft_response *response);

/**
 * weft_response_read_all() - read a streamed body into memory
 * @response: borrows. Afterwards weft_response_text() and its sisters work.
 *
 * Suspends: yes, until the end of the body.
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, also if it is in memory already; or negative.
 * Errors:   WEFT_ESTREAM_CONSUMED a part of it was read already; WEFT_EBODY_TOO_LARGE; those of
 *           weft_response_read().
 * Source:   httpx.Response.read.
 * Since:    0.1
 */
WEFT_API int weft_response_read_all(weft_response *response);

/**
 * weft_response_raise_for_status() - make an error of a 4xx or 5xx
 * @response: borrows.
 *
 * So it does of one beyond 599, which counts as 5xx (RFC 9110 15).
 *
 * Suspends: never.
 * Return:   0, or WEFT_EHTTP_STATUS with a message like "404 Not Found for url http://...".
 * Source:   httpx.Response.raise_for_status.
 * Since:    0.1
 */
WEFT_API int weft_response_raise_for_status(weft_response *response);

/**
 * weft_response_elapsed() - how long the call took
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   nanoseconds to the end of the body, attempts and redirects included; 0 before it.
 * Source:   httpx.Response.elapsed.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_elapsed(const weft_response *response);

/**
 * weft_response_tls_version() - how the connection was encrypted
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends a static string, "TLSv1.3"; NULL for http.
 * Source:   httpx: extensions["network_stream"], SSLSocket.version.
 * Since:    0.1
 */
WEFT_API const char *weft_response_tls_version(const weft_response *response);

/**
 * weft_response_attempts() - how many attempts there were
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   1 or more.
 * Source:   tenacity statistics attempt_number.
 * Since:    0.1
 */
WEFT_API int weft_response_attempts(const weft_response *response);

/**
 * weft_response_attempt() - how an attempt of the call went
 * @response: borrows.
 * @index:    0: the first that is remembered; the last 16 are.
 * @ret:      borrows, to be filled.
 *
 * Where the call fails there is no response: see stats in weft_request_options.
 *
 * Suspends: never.
 * Return:   0, or -ENOENT: there is no such attempt.
 * Errors:   -ENOENT.
 * Source:   urllib3.Retry.history.
 * Since:    0.1
 */
WEFT_API int weft_response_attempt(const weft_response *response, size_t index,
                                   weft_retry_entry *ret);

/**
 * weft_response_retry_after() - when the server wants to be asked again
 * @response: borrows.
 *
 * retry-after-ms, Retry-After in seconds or as a date, which counts from the response's own Date;
 * of a 429 or 503 also the reset in RateLimit.
 *
 * Suspends: never.
 * Return:   nanoseconds from when the response came, 0 or more; -1: it does not say.
 * Source:   RFC 9110 10.2.3; draft-ietf-httpapi-ratelimit-headers.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_retry_after(const weft_response *response);

/**
 * weft_response_num_bytes_downloaded() - how much of the body has come
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   bytes as they were sent, before codings were undone.
 * Source:   httpx.Response.num_bytes_downloaded.
 * Since:    0.1
 */
WEFT_API uint64_t weft_response_num_bytes_downloaded(const weft_response *response);

/**
 * weft_response_redirects() - how many redirects were followed
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   0 or more.
 * Source:   len(httpx.Response.history).
 * Since:    0.1
 */
WEFT_API int weft_response_redirects(const weft_response *response);

/**
 * weft_response_content_length() - what the Content-Length field says
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   bytes, -1 if there is none.
 * Source:   RFC 9110 8.6.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_content_length(const weft_response *response);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_response, weft_response_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/json.h - JSON through jansson, for the client and the server.
 *
 * Text from a peer may nest 128 levels deep: jansson recurses, and a task's stack is bounded.
 */
#ifndef WEFT_JSON_H
#define WEFT_JSON_H

#include <jansson.h>
#include <weft/client.h>
#include <weft/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * weft_json_parse() - JSON text from a peer
 * @text: borrows. UTF-8, need not end with a NUL.
 * @len:  bytes of it.
 * @ret:  gives, release with json_decref(). Any JSON value.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON with line and column, also for more than 128 levels of nesting; -ENOMEM.
 * Source:   RFC 8259; json.loads.
 * Since:    0.1
 */
WEFT_API int weft_json_parse(const char *text, size_t len, json_t **ret);

/**
 * weft_get_json() - one GET without a client, parsed
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults. A status of 400 or more is an error unless
 *           raise_for_status is WEFT_OFF.
 * @ret:     gives, release with json_decref(). NULL where the response has no body. May be NULL:
 *           then the body is not looked at. Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; WEFT_EHTTP_STATUS; those of weft_client_request().
 * Source:   httpx.get(url).raise_for_status().json().
 * Since:    0.1
 */
WEFT_API int weft_get_json(const char *url, const weft_request_options *options, json_t **ret);

/**
 * weft_client_get_json() - GET, status check, parse
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults. A status of 400 or more is an error unless
 *           raise_for_status is WEFT_OFF.
 * @ret:     gives, release with json_decref(). NULL where the response has no body. May be NULL:
 *           then the body is not looked at. Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; WEFT_EHTTP_STATUS; those of weft_client_request().
 * Source:   httpx.Client.get(...).raise_for_status().json().
 * Since:    0.1
 */
WEFT_API int weft_client_get_json(weft_client *client, const char *url,
                                  const weft_request_options *options, json_t **ret);

/**
 * weft_client_post_json() - POST, status check, parse
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @body:    takes, on failure too. Sent as compact JSON; NULL is -EINVAL, for json_pack() gives it
 *           when it fails.
 * @options: borrows, NULL for defaults. A status of 400 or more is an error unless
 *           raise_for_status is WEFT_OFF. Without content and form.
 * @ret:     gives, release with json_decref(). NULL where the response has no body. May be NULL:
 *           then the body is not looked at. Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; WEFT_EHTTP_STATUS; those of weft_client_request().
 * Source:   httpx.Client.post(...).raise_for_status().json().
 * Since:    0.1
 */
WEFT_API int weft_client_post_json(weft_client *client, const char *url, json_t *body,
                                   const weft_request_options *options, json_t **ret);

/**
 * weft_client_put_json() - PUT, status check, parse
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @body:    takes, on failure too. Sent as compact JSON; NULL is -EINVAL, for json_pack() gives it
 *           when it fails.
 * @options: borrows, NULL for defaults. A status of 400 or more is an error unless
 *           raise_for_status is WEFT_OFF. Without content and form.
 * @ret:     gives, release with json_decref(). NULL where the response has no body. May be NULL:
 *           then the body is not looked at. Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; WEFT_EHTTP_STATUS; those of weft_client_request().
 * Source:   httpx.Client.put(...).raise_for_status().json().
 * Since:    0.1
 */
WEFT_API int weft_client_put_json(weft_client *client, const char *url, json_t *body,
                                  const weft_request_options *options, json_t **ret);

/**
 * weft_client_patch_json() - PATCH, status check, parse
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @body:    takes, on failure too. Sent as compact JSON; NULL is -EINVAL, for json_pack() gives it
 *           when it fails.
 * @options: borrows, NULL for defaults. A status of 400 or more is an error unless
 *           raise_for_status is WEFT_OFF. Without content and form.
 * @ret:     gives, release with json_decref(). NULL where the response has no body. May be NULL:
 *           then the body is not looked at. Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; WEFT_EHTTP_STATUS; those of weft_client_request().
 * Source:   httpx.Client.patch(...).raise_for_status().json().
 * Since:    0.1
 */
WEFT_API int weft_client_patch_json(weft_client *client, const char *url, json_t *body,
                                    const weft_request_options *options, json_t **ret);

/**
 * weft_client_request_json() - any method, a JSON body or none, status check, parse
 * @client:  borrows.
 * @method:  borrows. A token, sent as it is.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @body:    takes, on failure too. Sent as compact JSON; NULL: no JSON body.
 * @options: borrows, NULL for defaults. A status of 400 or more is an error unless
 *           raise_for_status is WEFT_OFF. With a body, without content and form.
 * @ret:     gives, release with json_decref(). NULL where the response has no body. May be NULL:
 *           then the body is not looked at. Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; WEFT_EHTTP_STATUS; those of weft_client_request().
 * Source:   httpx.Client.request(json=...).
 * Since:    0.1
 */
WEFT_API int weft_client_request_json(weft_client *client, const char *method, const char *url,
                                      json_t *body, const weft_request_options *options,
                                      json_t **ret);

/**
 * weft_response_json() - parse a response's body, whatever its status and type
 * @response: borrows. Its body is in memory.
 * @ret:      gives, release with json_decref(). Untouched on failure.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON with position, status and content type; WEFT_ERESPONSE_NOT_READ; -ENOMEM.
 * Source:   httpx.Response.json.
 * Since:    0.1
 */
WEFT_API int weft_response_json(const weft_response *response, json_t **ret);

/**
 * weft_response_read_json() - the next of a body's JSON values, one a line
 * @response: borrows. Read as text, by weft_response_read_line(): its rules and limits hold.
 * @ret:      gives, release with json_decref(). Untouched at the end and on failure.
 *
 * Empty lines are passed over.  After a line that is no JSON the next can be read.
 *
 * Suspends: yes, until a line has come.
 * Cancel:   -ECANCELED, nothing is lost.
 * Return:   1, 0 at the end of the body, or negative.
 * Errors:   WEFT_EJSON with the number of the line, also for more than 128 levels of nesting; those
 *           of weft_response_read_line().
 * Source:   JSON lines, NDJSON; httpx.Response.iter_lines with json.loads.
 * Since:    0.1
 */
WEFT_API int weft_response_read_json(weft_response *response, json_t **ret);

/**
 * weft_reply_json() - answer a request with JSON
 * @reply:  borrows.
 * @status: of the response.
 * @body:   takes, on failure too. Sent as compact JSON.
 *
 * Suspends: maybe, as the server's other replies do.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EINVAL body is NULL; WEFT_EJSON it cannot be written; those of weft_reply_bytes().
 * Source:   aiohttp.web.json_response.
 * Since:    0.1
 */
WEFT_API int weft_reply_json(weft_reply *reply, int status, json_t *body);

/**
 * weft_server_request_json() - the body of a request, parsed
 * @request: borrows.
 * @ret:     gives, release with json_decref(). Untouched on failure.
 *
 * Suspends: maybe, until the body has come.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   WEFT_EJSON not JSON; those of reading the body.
 * Source:   aiohttp.web.Request.json.
 * Since:    0.1
 */
WEFT_API int weft_server_request_json(weft_server_request *request, json_t **ret);

#ifdef __cplusplus
}
#endif
#endif

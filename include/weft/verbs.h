/*
 * weft/verbs.h - requests by method, through a client or without one.
 */
#ifndef WEFT_VERBS_H
#define WEFT_VERBS_H

#include <weft/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one-off calls ---- */

/**
 * weft_get() - one GET without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.get.
 * Since:    0.1
 */
WEFT_API int weft_get(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_head() - one HEAD without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.head.
 * Since:    0.1
 */
WEFT_API int weft_head(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_post() - one POST without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.post.
 * Since:    0.1
 */
WEFT_API int weft_post(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_put() - one PUT without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.put.
 * Since:    0.1
 */
WEFT_API int weft_put(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_patch() - one PATCH without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.patch.
 * Since:    0.1
 */
WEFT_API int weft_patch(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_delete() - one DELETE without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.delete.
 * Since:    0.1
 */
WEFT_API int weft_delete(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_query() - one QUERY without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx2.query; draft-ietf-httpbis-safe-method-w-body.
 * Since:    0.1
 */
WEFT_API int weft_query(const char *url, const weft_request_options *options, weft_response **ret);

/**
 * weft_options() - one OPTIONS without a client, the response in memory
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.options.
 * Since:    0.1
 */
WEFT_API int weft_options(const char *url, const weft_request_options *options,
                          weft_response **ret);

/**
 * weft_request() - one request without a client, the response in memory
 * @method:  borrows. A token, sent as it is: methods are case-sensitive.
 * @url:     borrows. Absolute, http or https.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * A client of its own does the call, and keeps no connection: for more than a few calls, make a
 * client.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.request.
 * Since:    0.1
 */
WEFT_API int weft_request(const char *method, const char *url, const weft_request_options *options,
                          weft_response **ret);

/* ---- calls through a client ---- */

/**
 * weft_client_get() - GET, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.get.
 * Since:    0.1
 */
WEFT_API int weft_client_get(weft_client *client, const char *url,
                             const weft_request_options *options, weft_response **ret);

/**
 * weft_client_head() - HEAD, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.head.
 * Since:    0.1
 */
WEFT_API int weft_client_head(weft_client *client, const char *url,
                              const weft_request_options *options, weft_response **ret);

/**
 * weft_client_post() - POST, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.post.
 * Since:    0.1
 */
WEFT_API int weft_client_post(weft_client *client, const char *url,
                              const weft_request_options *options, weft_response **ret);

/**
 * weft_client_put() - PUT, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.put.
 * Since:    0.1
 */
WEFT_API int weft_client_put(weft_client *client, const char *url,
                             const weft_request_options *options, weft_response **ret);

/**
 * weft_client_patch() - PATCH, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.patch.
 * Since:    0.1
 */
WEFT_API int weft_client_patch(weft_client *client, const char *url,
                               const weft_request_options *options, weft_response **ret);

/**
 * weft_client_delete() - DELETE, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx.Client.delete.
 * Since:    0.1
 */
WEFT_API int weft_client_delete(weft_client *client, const char *url,
                                const weft_request_options *options, weft_response **ret);

/**
 * weft_client_query() - QUERY, the response in memory
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(). Untouched on failure.
 *
 * QUERY is a GET whose question is in its body: safe, and repeated like a GET.
 *
 * Suspends: yes, like weft_client_request().
 * Cancel:   -ECANCELED, the connection is closed.
 * Return:   0, or negative: see weft_client_request().
 * Source:   httpx2.Client.query; draft-ietf-httpbis-safe-method-w-body.
 * Since:    0.1
 */
WEFT_API int weft_client_query(weft_client *client, const char *url,
                               const weft_request_options *options, weft_response **ret);

#ifdef __cplusplus
}
#endif
#endif

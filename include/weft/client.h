/*
 * weft/client.h - the HTTP client, inside tasks and outside.
 */
#ifndef WEFT_CLIENT_H
#define WEFT_CLIENT_H

#include <weft/base.h>
#include <weft/http.h>
#include <weft/retry.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_client weft_client;
typedef struct weft_response weft_response;

/* A field that may be left to the default, or be set both ways. */
enum { WEFT_OFF = -1, WEFT_ON = 1 };

typedef struct weft_client_options {
    size_t size;
    const char *base_url;     /* relative URLs are appended to it */
    const char *bearer;       /* Authorization: Bearer ...; only ever sent to base_url's origin */
    const char *username;     /* Basic; with base_url only ever sent to its origin */
    const char *password;
    const weft_pair *headers; /* sent with every request; ends with {0} */
    const weft_pair *params;  /* appended to every URL's query; ends with {0} */
    const char *user_agent;   /* default "weft/VERSION" */
    int64_t timeout;          /* total time of one call, retries and redirects included; default none */
    int64_t connect_timeout;  /* DNS, TCP and TLS together; default 5 s */
    int64_t read_timeout;     /* without a byte; default 5 s */
    int64_t write_timeout;    /* without a byte; default 5 s */
    int64_t pool_timeout;     /* for a free connection; default none */
    size_t max_connections;   /* per loop; default 100 */
    size_t max_per_origin;    /* default none */
    size_t max_idle;          /* kept for reuse; default 20 */
    int64_t idle_timeout;     /* default 5 s */
    uint64_t body_max;        /* of a response read into memory; default 1 GiB */
    bool http2;               /* reserved for HTTP/2 by ALPN */
    bool insecure_no_verify;  /* accept any certificate: for tests only */
    const char *ca_file;      /* PEM, instead of the system's store */
    const char *ca_dir;
    int follow_redirects;     /* default off */
    int max_redirects;        /* default 20 */
    int raise_for_status;     /* default off: a 4xx or 5xx is a response, not an error */
    const weft_retry_policy *retry; /* copies; default none */
} weft_client_options;
#define WEFT_CLIENT(...) WEFT_OPTIONS(weft_client_options, __VA_ARGS__)

typedef struct weft_request_options {
    size_t size;
    const weft_pair *headers; /* replace the client's of the same name; ends with {0} */
    const weft_pair *params;  /* appended to the query after the client's; ends with {0} */
    const void *content;      /* the body's bytes */
    size_t content_len;
    const char *content_type;
    const weft_pair *form;    /* body as application/x-www-form-urlencoded; ends with {0} */
    int64_t timeout;          /* total; WEFT_FOREVER switches the client's off */
    int64_t connect_timeout;
    int64_t read_timeout;
    int64_t write_timeout;
    int64_t pool_timeout;
    uint64_t body_max;
    int follow_redirects;
    int raise_for_status;
    const weft_retry_policy *retry;
} weft_request_options;
#define WEFT_REQUEST(...) WEFT_OPTIONS(weft_request_options, __VA_ARGS__)

WEFT_API int weft_client_new(const weft_client_options *options, weft_client **ret);
WEFT_API void weft_client_free(weft_client *client);

/* One-off calls: a client of their own each time, no pooling. */
WEFT_API int weft_get(const char *url, const weft_request_options *options, weft_response **ret);
WEFT_API int weft_head(const char *url, const weft_request_options *options, weft_response **ret);
WEFT_API int weft_post(const char *url, const weft_request_options *options, weft_response **ret);
WEFT_API int weft_put(const char *url, const weft_request_options *options, weft_response **ret);
WEFT_API int weft_patch(const char *url, const weft_request_options *options, weft_response **ret);
WEFT_API int weft_delete(const char *url, const weft_request_options *options, weft_response **ret);
WEFT_API int weft_request(const char *method, const char *url, const weft_request_options *options,
                          weft_response **ret);

/* The same through a client; the response's body is in memory. */
WEFT_API int weft_client_get(weft_client *client, const char *url,
                             const weft_request_options *options, weft_response **ret);
WEFT_API int weft_client_head(weft_client *client, const char *url,
                              const weft_request_options *options, weft_response **ret);
WEFT_API int weft_client_post(weft_client *client, const char *url,
                              const weft_request_options *options, weft_response **ret);
WEFT_API int weft_client_put(weft_client *client, const char *url,
                             const weft_request_options *options, weft_response **ret);
WEFT_API int weft_client_patch(weft_client *client, const char *url,
                               const weft_request_options *options, weft_response **ret);
WEFT_API int weft_client_delete(weft_client *client, const char *url,
                                const weft_request_options *options, weft_response **ret);
WEFT_API int weft_client_request(weft_client *client, const char *method, const char *url,
                                 const weft_request_options *options, weft_response **ret);

/* Returns when the head has come; the body is read with weft_response_read. */
WEFT_API int weft_client_stream(weft_client *client, const char *method, const char *url,
                                const weft_request_options *options, weft_response **ret);

/* ---- responses ---- */

WEFT_API void weft_response_free(weft_response *response);
WEFT_API int weft_response_status(const weft_response *response);
WEFT_API const char *weft_response_reason(const weft_response *response);
WEFT_API const char *weft_response_http_version(const weft_response *response); /* "HTTP/1.1" */
WEFT_API const weft_headers *weft_response_headers(const weft_response *response);
WEFT_API const char *weft_response_header(const weft_response *response, const char *name);
WEFT_API const char *weft_response_url(const weft_response *response); /* of the last hop */
WEFT_API const char *weft_response_text(const weft_response *response, size_t *ret_len);
WEFT_API const void *weft_response_content(const weft_response *response, size_t *ret_len);
WEFT_API int64_t weft_response_read(weft_response *response, void *data, size_t len);
WEFT_API int weft_response_read_all(weft_response *response);
WEFT_API int weft_response_raise_for_status(weft_response *response);
WEFT_API int64_t weft_response_elapsed(const weft_response *response);
WEFT_API int weft_response_attempts(const weft_response *response);
WEFT_API int weft_response_redirects(const weft_response *response);
WEFT_API int64_t weft_response_content_length(const weft_response *response); /* -1 unknown */

/* What the pool of the calling thread's loop holds. */
typedef struct weft_pool_stats {
    size_t size;
    size_t active;
    size_t idle;
    size_t waiting;
    uint64_t opened; /* since the client was made */
} weft_pool_stats;

WEFT_API void weft_client_pool_stats(weft_client *client, weft_pool_stats *ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_client, weft_client_free)
WEFT_DEFINE_AUTO(weft_response, weft_response_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/sse.h - server-sent events: a response that does not end, and is asked for again if it does.
 *
 *     weft_sse *sse;
 *     weft_sse_event event;
 *     int n = weft_sse_open(client, "/updates", NULL, &sse);
 *     while (n >= 0 && (n = weft_sse_next(sse, &event)) > 0)
 *         puts(event.data);
 *     weft_sse_close(sse);
 */
#ifndef WEFT_SSE_H
#define WEFT_SSE_H

#include <weft/auth.h>
#include <weft/base.h>
#include <weft/client.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_sse weft_sse;

typedef struct weft_sse_event {
    const char *event; /* "message" where the server named none */
    const char *data;  /* its lines with "\n" between them, a NUL behind */
    size_t data_len;   /* bytes of data */
    const char *id;    /* of the last event that had one; "" */
} weft_sse_event;

typedef struct weft_sse_options {
    size_t size;
    const weft_pair *headers; /* as of a request */
    const weft_pair *params;
    const char *method; /* default GET */
    const void *content;
    size_t content_len;
    const char *content_type;
    weft_auth *auth;
    const char *last_event_id; /* where to go on */
    size_t max_event_size;     /* bytes; default 1 MiB */
    int64_t heartbeat; /* a connection without a byte for so long is broken; default never */
    int reconnect;     /* default on for GET, off for other methods */
    int max_failures;  /* connections in a row without an event; default no limit */
    int64_t min_wait;  /* before a new connection, where the server says nothing; default 1 s */
    int64_t max_wait;  /* doubled up to this after each failure; default 30 s */
} weft_sse_options;
#define WEFT_SSE(...) WEFT_OPTIONS(weft_sse_options, __VA_ARGS__)

/**
 * weft_sse_open() - connect to a source of events
 * @client:  keeps until weft_sse_close().
 * @url:     copies.
 * @options: copies, NULL for defaults.
 * @ret:     gives, free with weft_sse_close(). Untouched on failure.
 *
 * Everything is as in a call of the client, but for the total and the read time-out: the first does
 * not count, the second is heartbeat.  Redirects are followed.
 *
 * Suspends: yes, until the head of the response has come.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_client_stream(); WEFT_EHTTP_STATUS another status than 200 and 204;
 *           WEFT_EREMOTE_PROTOCOL a response that is not text/event-stream; -EINVAL; -ENOMEM.
 * Source:   httpx2.Client.sse; EventSource.
 * Since:    0.1
 */
WEFT_API int weft_sse_open(weft_client *client, const char *url, const weft_sse_options *options,
                           weft_sse **ret);

/**
 * weft_sse_next() - wait for the next event
 * @sse: borrows. One task at a time.
 * @ret: borrows, to be filled; its texts are lent until the next call.
 *
 * When the connection breaks or ends, or the server says 408, 429 or 5xx, it connects again after
 * the time that the server asked for, with Last-Event-ID.  Each failure doubles that time, and up
 * to a quarter is added by chance.
 *
 * Suspends: yes, until an event has come.
 * Cancel:   -ECANCELED, no event is lost: the next call goes on.
 * Return:   1 an event; 0 there will be no more: status 204, or an end without a reconnect; or
 *           negative.
 * Errors:   WEFT_ETOO_LONG an event is larger than max_event_size; WEFT_EHTTP_STATUS,
 *           WEFT_EREMOTE_PROTOCOL what answered the reconnect is no source of events; those of
 *           weft_client_stream() and weft_response_read(), without a reconnect or after
 *           max_failures.
 * Source:   EventSource; WHATWG HTML 9.2.
 * Since:    0.1
 */
WEFT_API int weft_sse_next(weft_sse *sse, weft_sse_event *ret);

/**
 * weft_sse_response() - the response that the events come from
 * @sse: borrows.
 *
 * Suspends: never.
 * Return:   lends until the next weft_sse_next(); NULL between two connections.
 * Since:    0.1
 */
WEFT_API const weft_response *weft_sse_response(const weft_sse *sse);

/**
 * weft_sse_close() - close the connection and release the source
 * @sse: takes. NULL is allowed.
 *
 * Suspends: never.
 * Source:   EventSource.close.
 * Since:    0.1
 */
WEFT_API void weft_sse_close(weft_sse *sse);

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/exchange.h - how a response came: the times of its phases, its connection, its request.
 *
 *     weft_timings times;
 *     weft_response_timings(response, &times);
 *     printf("first byte %.1f ms after the request\n", (double)times.first_byte * 1e-6);
 *
 * All of it stays until the response is freed, whatever becomes of the connection.
 */
#ifndef WEFT_EXCHANGE_H
#define WEFT_EXCHANGE_H

#include <weft/certificate.h>
#include <weft/net.h>
#include <weft/response.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Nanoseconds, phase by phase; -1: there was none.  What is not -1 adds up to the total.
 */
typedef struct weft_timings {
    size_t size;
    int64_t before;     /* redirects, attempts that failed, and waits between them */
    int64_t queue;      /* until there was a place in the pool, and a permit of .limits */
    int64_t dns;        /* -1: the connection is an old one, or no name was asked for */
    int64_t connect;    /* TCP, and what a proxy wants; -1: the connection is an old one */
    int64_t tls;        /* handshakes; -1: none */
    int64_t send;       /* the request, as far as the kernel has not taken it at once */
    int64_t first_byte; /* from then on to the first byte of an answer, 1xx included */
    int64_t receive;    /* to the end of the body; -1: it is not over */
    int64_t total;      /* of the call, as weft_response_elapsed(); -1: it is not over */
} weft_timings;

/**
 * weft_response_timings() - how long each phase took
 * @response: borrows.
 * @ret:      borrows, to be filled.
 *
 * They are by the clock of the loop, which is read once a turn: a phase may be wrong by as much as
 * one turn takes, their sum is not.
 *
 * Suspends: never.
 * Source:   curl_easy_getinfo CURLINFO_*_TIME_T; aiohttp TraceConfig.
 * Since:    0.1
 */
WEFT_API void weft_response_timings(const weft_response *response, weft_timings *ret);

/* Of a connection; texts and the certificate are lent until the response is freed. */
typedef struct weft_connection_info {
    size_t size;
    uint64_t id;             /* of no other connection of the process */
    bool reused;             /* it had carried a request before */
    const char *protocol;    /* "HTTP/1.1", "HTTP/2" */
    weft_address peer;       /* of a proxy, where there is one; len 0: none, in memory */
    weft_address local;      /* len 0: none */
    const char *tls_version; /* "TLSv1.3"; NULL: none, as of the next three */
    const char *cipher;      /* "TLS_AES_256_GCM_SHA384" */
    const char *alpn;        /* what was agreed upon; NULL: nothing was */
    const weft_certificate *certificate; /* the server's: see weft/certificate.h */
    const char *proxy;                   /* without its password; NULL: none */
} weft_connection_info;

/**
 * weft_response_connection() - what is known of the connection
 * @response: borrows.
 * @ret:      borrows, to be filled.
 *
 * It is what was found when the connection was made, and can be asked for at any time.
 *
 * Suspends: never.
 * Source:   httpx.Response.extensions["network_stream"].get_extra_info; CURLINFO_PRIMARY_IP and
 *           CURLINFO_CERTINFO.
 * Since:    0.1
 */
WEFT_API void weft_response_connection(const weft_response *response, weft_connection_info *ret);

/**
 * weft_response_request_method() - the method of the request that was answered
 * @response: borrows.
 *
 * Suspends: never.
 * Return:   lends until the response is freed. After a redirect that of the last hop.
 * Source:   httpx.Response.request.method.
 * Since:    0.1
 */
WEFT_API const char *weft_response_request_method(const weft_response *response);

/**
 * weft_response_request_headers() - the header fields of the request that was answered
 * @response: borrows. Its history has those of the requests before.
 *
 * As they were sent, Host, framing, cookies and credentials included, but for those that only a
 * proxy sees.  Printing them prints the secrets among them.
 *
 * Suspends: never.
 * Return:   lends until the response is freed; NULL: -ENOMEM.
 * Source:   httpx.Response.request.headers.
 * Since:    0.1
 */
WEFT_API const weft_headers *weft_response_request_headers(weft_response *response);

/**
 * weft_response_link() - where a link of the response leads
 * @response: borrows.
 * @rel:      borrows. "next", "prev", "last"; case does not matter.
 * @ret:      gives, free with weft_free(). Absolute: relative to the URL of the last hop.
 *
 * The first one of that relation in the Link fields; links of something else than the response,
 * with an anchor, do not count.  It may lead to another origin: with a bearer or cookies of the
 * client that is safe, as those stay where they belong.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT there is none; WEFT_EREMOTE_PROTOCOL it is no URL; -ENOMEM.
 * Source:   httpx.Response.links; RFC 8288.
 * Since:    0.1
 */
WEFT_API int weft_response_link(const weft_response *response, const char *rel, char **ret);

/**
 * weft_response_take_stream() - go on by another protocol over the response's connection
 * @response: borrows. Of status 101, which .upgrade asked for, or of 2xx to CONNECT; over HTTP/2 of
 *            2xx to either.
 * @ret:      gives, free with weft_stream_free().
 *
 * Bytes that came behind the head are read first.  The stream has no time-outs and does not belong
 * to the client any more: its place in the pool is free.  With .limits of the client, which may
 * bound its bandwidth, it must not outlive those.  Where it is not taken, the connection ends with
 * the response.
 *
 * Over HTTP/2 it is one stream of a connection that goes on, and in use until it is freed, for
 * which WEFT_CLOSE_DRAIN waits; WEFT_CLOSE_ABORT fails it with WEFT_ECLIENT_CLOSED.  Its end is
 * that of one direction.  To be closed or freed while the other one is open resets it (CANCEL); a
 * reset by the server is WEFT_EREMOTE_PROTOCOL, whose message names the code.
 *
 *     err = weft_client_request(client, "CONNECT", "http://proxy:3128/",
 *                               WEFT_REQUEST(.target = "example.org:22"), &response);
 *
 * Suspends: never.
 * Return:   0, or negative; the response is as it was.
 * Errors:   -EINVAL it is no such response; WEFT_ECLOSED it was closed, or taken already; -ENOMEM.
 * Source:   httpx.Response.extensions["network_stream"]; RFC 9110 7.8, 9.3.6.
 * Since:    0.1
 */
WEFT_API int weft_response_take_stream(weft_response *response, weft_stream **ret);

#ifdef __cplusplus
}
#endif
#endif

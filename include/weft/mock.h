/*
 * weft/mock.h - a server that is a function, in memory: for tests, and for handlers in the process.
 *
 *     static int answer(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
 *     {
 *         if (strcmp(weft_mock_request_method(request), "GET") != 0)
 *             return weft_mock_reply_text(reply, 405, "no");
 *         return weft_mock_reply_text(reply, 200, weft_mock_request_url(request));
 *     }
 *
 *     err = weft_mock_new(answer, NULL, &mock);
 *     err = weft_client_new(WEFT_CLIENT(.transport = mock), &client);
 *
 * The client does all that it does elsewhere, down to the bytes of HTTP/1.1; there is no socket.
 */
#ifndef WEFT_MOCK_H
#define WEFT_MOCK_H

#include <weft/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_mock_request weft_mock_request;
typedef struct weft_mock_reply weft_mock_reply;

/*
 * Called when a request with its body has come, in the task that made it: it may suspend, and
 * is cancelled with the request.  0: the reply stands, an empty one of status 200 where nothing
 * was said.  Negative: the connection breaks with that error.  Both objects are lent until it
 * returns.
 */
typedef int (*weft_mock_handler)(const weft_mock_request *request, weft_mock_reply *reply,
                                 void *userdata);

/**
 * weft_mock_new() - a transport that is answered by a function
 * @handler:  keeps until the transport is freed.
 * @userdata: keeps until the transport is freed; given to handler.
 * @ret:      gives, free with weft_transport_free().
 *
 * A client that several threads use calls handler on each of them.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL without handler; -ENOMEM.
 * Source:   httpx.MockTransport, httpx.ASGITransport.
 * Since:    0.1
 */
WEFT_API int weft_mock_new(weft_mock_handler handler, void *userdata, weft_transport **ret);

/**
 * weft_mock_request_method() - "GET"
 * @request: borrows.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Source:   httpx.Request.method.
 * Since:    0.1
 */
WEFT_API const char *weft_mock_request_method(const weft_mock_request *request);

/**
 * weft_mock_request_url() - the URL that was asked for, without userinfo and fragment
 * @request: borrows.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Source:   httpx.Request.url.
 * Since:    0.1
 */
WEFT_API const char *weft_mock_request_url(const weft_mock_request *request);

/**
 * weft_mock_request_headers() - the header fields as they were sent
 * @request: borrows.
 *
 * Suspends: never.
 * Return:   lends until the handler returns.
 * Source:   httpx.Request.headers.
 * Since:    0.1
 */
WEFT_API const weft_headers *weft_mock_request_headers(const weft_mock_request *request);

/**
 * weft_mock_request_header() - the first field of a name
 * @request: borrows.
 * @name:    borrows. Case does not matter.
 *
 * Suspends: never.
 * Return:   lends until the handler returns; NULL if there is none.
 * Source:   httpx.Request.headers.get.
 * Since:    0.1
 */
WEFT_API const char *weft_mock_request_header(const weft_mock_request *request, const char *name);

/**
 * weft_mock_request_body() - the body, decoded from its framing
 * @request: borrows.
 * @ret_len: borrows, gets its bytes; NULL is allowed.
 *
 * Suspends: never.
 * Return:   lends until the handler returns; a NUL stands behind it. Never NULL.
 * Source:   httpx.Request.content.
 * Since:    0.1
 */
WEFT_API const char *weft_mock_request_body(const weft_mock_request *request, size_t *ret_len);

/**
 * weft_mock_reply_status() - say the status
 * @reply:  borrows.
 * @status: 200 to 999.
 *
 * Suspends: never.
 * Return:   0, or -EINVAL.
 * Source:   httpx.Response(status_code).
 * Since:    0.1
 */
WEFT_API int weft_mock_reply_status(weft_mock_reply *reply, int status);

/**
 * weft_mock_reply_header() - add a header field
 * @reply: borrows.
 * @name:  copies.
 * @value: copies.
 *
 * Content-Length and Transfer-Encoding are made from the body.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_ELOCAL_PROTOCOL it would break the reply; -ENOMEM.
 * Source:   httpx.Response(headers=).
 * Since:    0.1
 */
WEFT_API int weft_mock_reply_header(weft_mock_reply *reply, const char *name, const char *value);

/**
 * weft_mock_reply_write() - add to the body
 * @reply: borrows.
 * @data:  copies.
 * @len:   bytes.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL the body is a function already; WEFT_EBODY_TOO_LARGE more than 1 GiB; -ENOMEM.
 * Source:   httpx.Response(content=).
 * Since:    0.1
 */
WEFT_API int weft_mock_reply_write(weft_mock_reply *reply, const void *data, size_t len);

/**
 * weft_mock_reply_text() - a whole reply of text
 * @reply:  borrows.
 * @status: 200 to 999.
 * @text:   copies. UTF-8.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of weft_mock_reply_status() and weft_mock_reply_write().
 * Source:   httpx.Response(text=).
 * Since:    0.1
 */
WEFT_API int weft_mock_reply_text(weft_mock_reply *reply, int status, const char *text);

/**
 * weft_mock_reply_stream() - let a function make the body, piece by piece
 * @reply:    borrows.
 * @read:     keeps until the body is over. Fills data with at most len bytes and returns how
 *            many, 0 at the end, or an error, at which the connection breaks. It runs in the task
 *            that reads the response, and may suspend.
 * @userdata: keeps until the body is over, or its connection has ended; given to read.
 *
 * Suspends: never.
 * Return:   0, or -EINVAL: without read, or where the body has begun.
 * Source:   httpx.Response(stream=).
 * Since:    0.1
 */
WEFT_API int weft_mock_reply_stream(weft_mock_reply *reply,
                                    int64_t (*read)(void *userdata, void *data, size_t len),
                                    void *userdata);

#ifdef __cplusplus
}
#endif
#endif

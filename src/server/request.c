/*
 * request.c - what a handler asks of a request.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "server/server_int.h"

enum {
    BODY_PIECE = 16 * 1024,
    BODY_KEEP = 64 * 1024, /* a larger block is given back after the request */
};

void weft__server_request_init(weft_server_request *request, struct weft__server_conn *conn)
{
    request->conn = conn;
    weft__headers_init(&request->headers);
    weft__buf_init(&request->body, SIZE_MAX);
    weft__server_request_reset(request);
}

void weft__server_request_reset(weft_server_request *request)
{
    request->method = "";
    request->target = "";
    request->path = "";
    request->raw_path = (struct weft__text){"", 0};
    request->raw_query = (struct weft__text){NULL, 0};
    request->route = NULL;
    request->content_length = -1;
    request->fault = 0;
    request->fault_status = 0;
    request->body_touched = false;
    request->body_whole = false;
    weft__headers_reset(&request->headers);
    weft__buf_clear(&request->body);
    if (request->body.cap > BODY_KEEP)
        weft__buf_done(&request->body);
    if (request->query != NULL) {
        weft__free(request->query);
        request->query = NULL;
    }
}

void weft__server_request_done(weft_server_request *request)
{
    weft__headers_done(&request->headers);
    weft__buf_done(&request->body);
    weft__free(request->query);
}

int weft__server_request_fault(weft_server_request *request, int status, int code)
{
    request->fault = code;
    request->fault_status = status;
    return code;
}

const char *weft_server_request_method(const weft_server_request *request)
{
    return request->method;
}

const char *weft_server_request_path(const weft_server_request *request)
{
    return request->path;
}

const char *weft_server_request_target(const weft_server_request *request)
{
    return request->target;
}

const char *weft_server_request_param(const weft_server_request *request, const char *name)
{
    const struct weft__route *route = request->route;
    for (size_t i = 0; route != NULL && i < route->n_params; i++) {
        if (strcmp(route->params[i], name) == 0)
            return request->params[i];
    }
    return NULL;
}

const char *weft_server_request_query(const weft_server_request *request, const char *name)
{
    if (request->raw_query.data == NULL)
        return NULL;
    if (request->query == NULL) {
        /* What is worked out late does not change the request. */
        weft_server_request *writable = (weft_server_request *)(uintptr_t)request;
        if (weft_form_decode(request->raw_query.data, request->raw_query.len, &writable->query) < 0)
            return NULL;
    }
    for (const weft_pair *pair = request->query; pair->name != NULL; pair++) {
        if (strcmp(pair->name, name) == 0)
            return pair->value;
    }
    return NULL;
}

const weft_headers *weft_server_request_headers(const weft_server_request *request)
{
    return &request->headers;
}

const char *weft_server_request_header(const weft_server_request *request, const char *name)
{
    return weft_headers_get(&request->headers, name);
}

int weft_server_request_peer(const weft_server_request *request, weft_address *ret)
{
    return weft_stream_peer_address(request->conn->stream, ret);
}

int64_t weft_server_request_read(weft_server_request *request, void *data, size_t len)
{
    if (data == NULL || len == 0)
        return weft__fail(-EINVAL, "reading a request's body into no buffer");
    request->body_touched = true;
    return weft__server_h1_read_body(request, data, len);
}

static int read_whole(weft_server_request *request)
{
    struct weft__buf *body = &request->body;
    for (;;) {
        int err = weft__buf_reserve(body, BODY_PIECE);
        if (err < 0)
            return weft__fail_with(err, "the body of a request");
        size_t room;
        char *space = weft__buf_space(body, &room);
        int64_t n = weft__server_h1_read_body(request, space, room);
        if (n < 0)
            return (int)n;
        if (n == 0) {
            *space = '\0';
            return 0;
        }
        weft__buf_commit(body, (size_t)n);
    }
}

int weft_server_request_body(weft_server_request *request, const char **ret, size_t *ret_len)
{
    if (!request->body_whole && request->body_touched)
        return weft__fail(WEFT_ESTREAM_CONSUMED, "the request's body was already read in pieces");
    if (!request->body_whole) {
        request->body_touched = true;
        int err = read_whole(request);
        if (err < 0)
            return err;
        request->body_whole = true;
    }
    *ret = weft__buf_bytes(&request->body);
    if (ret_len != NULL)
        *ret_len = request->body.len;
    return 0;
}

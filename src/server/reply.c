/*
 * reply.c - what a handler says: a whole reply, or a head and a body in pieces.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "base/error_int.h"
#include "base/str.h"
#include "server/server_int.h"

void weft__reply_init(weft_reply *reply, struct weft__server_conn *conn)
{
    reply->conn = conn;
    weft__headers_init(&reply->headers);
    weft__reply_reset(reply);
}

void weft__reply_reset(weft_reply *reply)
{
    weft__headers_reset(&reply->headers);
    reply->length = -1;
    reply->written = 0;
    reply->status = 0;
    reply->failed = 0;
    reply->started = false;
    reply->chunked = false;
    reply->no_body = false;
    reply->close = false;
}

void weft__reply_done(weft_reply *reply)
{
    weft__headers_done(&reply->headers);
}

/* ---- fields ---- */

/* Framing and the connection are the server's: 1 if the field is dealt with, 0, or negative. */
static int reserved_field(weft_reply *reply, const char *name, const char *value)
{
    if (reply->started)
        return weft__fail(-EALREADY, "header field \"%.64s\": the reply's head is already sent",
                          name);
    if (weft__ieq(name, "content-length") || weft__ieq(name, "transfer-encoding"))
        return weft__fail(WEFT_ELOCAL_PROTOCOL,
                          "header field \"%.64s\" is set from the length given to weft_reply_start",
                          name);
    if (!weft__ieq(name, "connection"))
        return 0;
    if (value == NULL || !weft__ieq(value, "close"))
        return weft__fail(WEFT_ELOCAL_PROTOCOL,
                          "the only value of header field \"Connection\" that a handler may set "
                          "is \"close\"");
    reply->close = true;
    return 1;
}

int weft_reply_set_header(weft_reply *reply, const char *name, const char *value)
{
    if (name == NULL)
        return weft__fail(-EINVAL, "a header field has no name");
    int special = reserved_field(reply, name, value);
    if (special != 0)
        return special < 0 ? special : 0;
    return weft_headers_set(&reply->headers, name, value);
}

int weft_reply_add_header(weft_reply *reply, const char *name, const char *value)
{
    if (name == NULL)
        return weft__fail(-EINVAL, "a header field has no name");
    int special = reserved_field(reply, name, value);
    if (special != 0)
        return special < 0 ? special : 0;
    return weft_headers_add(&reply->headers, name, value);
}

/* ---- in pieces ---- */

bool weft_reply_is_started(const weft_reply *reply)
{
    return reply->started;
}

int weft_reply_start(weft_reply *reply, int status, int64_t length)
{
    if (reply->started)
        return weft__fail(-EALREADY, "the reply was already started");
    if (status < 200 || status > 999)
        return weft__fail(-EINVAL, "%d is not the status of a final reply", status);
    if (length < -1)
        return weft__fail(-EINVAL, "the length of a reply is negative");
    reply->status = status;
    reply->length = length;
    reply->no_body =
        status == 204 || status == 304 || strcmp(reply->conn->request.method, "HEAD") == 0;
    int err = weft__server_h1_send_head(reply);
    if (err >= 0)
        reply->started = true;
    return err;
}

int weft_reply_write(weft_reply *reply, const void *data, size_t len)
{
    if (!reply->started)
        return weft__fail(-EINVAL, "weft_reply_write before weft_reply_start");
    if (reply->failed < 0)
        return weft__fail(reply->failed, "the reply was cut off by an earlier error");
    if (reply->length >= 0 && !reply->no_body && len > (uint64_t)reply->length - reply->written)
        return reply->failed =
                   weft__fail(WEFT_ELOCAL_PROTOCOL,
                              "the handler writes more than the %lld bytes that it announced",
                              (long long)reply->length);
    if (reply->no_body || len == 0)
        return 0;
    int err = weft__server_h1_send_body(reply, data, len);
    if (err < 0)
        return reply->failed = err;
    reply->written += len;
    return 0;
}

int weft_reply_flush(weft_reply *reply)
{
    if (!reply->started)
        return weft__fail(-EINVAL, "weft_reply_flush before weft_reply_start");
    if (reply->failed < 0)
        return weft__fail(reply->failed, "the reply was cut off by an earlier error");
    int err = weft__server_h1_send_body(reply, NULL, 0);
    if (err >= 0)
        err = weft_stream_flush(reply->conn->stream);
    if (err < 0)
        reply->failed = err;
    return err;
}

int weft__reply_finish(weft_reply *reply)
{
    if (reply->failed < 0)
        return reply->failed;
    if (reply->length >= 0 && !reply->no_body && reply->written < (uint64_t)reply->length)
        return weft__fail(WEFT_ELOCAL_PROTOCOL,
                          "the handler wrote %llu of the %lld bytes that it announced",
                          (unsigned long long)reply->written, (long long)reply->length);
    return weft__server_h1_send_end(reply);
}

/* ---- whole ---- */

int weft_reply_bytes(weft_reply *reply, int status, const char *content_type, const void *data,
                     size_t len)
{
    if (content_type != NULL) {
        int err = weft_reply_set_header(reply, "Content-Type", content_type);
        if (err < 0)
            return err;
    }
    int err = weft_reply_start(reply, status, (int64_t)len);
    return err < 0 ? err : weft_reply_write(reply, data, len);
}

int weft_reply_text(weft_reply *reply, int status, const char *text)
{
    if (text == NULL)
        return weft__fail(-EINVAL, "weft_reply_text without a text");
    const char *type = weft_headers_get(&reply->headers, "Content-Type") != NULL
                           ? NULL
                           : "text/plain; charset=utf-8";
    return weft_reply_bytes(reply, status, type, text, strlen(text));
}

int weft__reply_error(weft_reply *reply, int status, const char *detail)
{
    char text[160];
    int len = snprintf(text, sizeof text, "%d %s%s%s\n", status, weft_status_reason(status),
                       detail != NULL ? ": " : "", detail != NULL ? detail : "");
    return weft_reply_bytes(reply, status, "text/plain; charset=utf-8", text, (size_t)len);
}

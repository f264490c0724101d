/* json.c - JSON in requests and replies. */
#include <errno.h>

#include <weft/error.h>
#include <weft/json.h>

#include "base/error_int.h"
#include "proto/json.h"
#include "server/server_int.h"

int weft_reply_json(weft_reply *reply, int status, json_t *body)
{
    struct weft__buf text;
    if (body == NULL)
        return weft__fail(-EINVAL, "weft_reply_json without a value");
    weft__buf_init(&text, WEFT__LIMIT_BODY_MAX);
    int err = weft__json_write(body, &text);
    json_decref(body);
    bool typed = weft_headers_get(&reply->headers, "Content-Type") != NULL;
    if (err >= 0)
        err = weft_reply_bytes(reply, status, typed ? NULL : "application/json",
                               weft__buf_bytes(&text), text.len);
    weft__buf_done(&text);
    return err;
}

int weft_server_request_json(weft_server_request *request, json_t **ret)
{
    const char *text;
    size_t len;
    int err = weft_server_request_body(request, &text, &len);
    if (err < 0)
        return err;
    err = weft_json_parse(text, len, ret);
    if (err == WEFT_EJSON)
        return weft__server_request_fault(request, 400, err);
    return err;
}

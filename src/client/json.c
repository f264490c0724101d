/*
 * json.c - calls whose request and response are JSON.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <weft/json.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "proto/json.h"

int weft_response_json(const weft_response *response, json_t **ret)
{
    size_t len;
    struct weft__buf buf;
    const char *text = weft_response_content(response, &len);
    const char *type = weft_response_header(response, "content-type");
    if (text == NULL)
        return WEFT_ERESPONSE_NOT_READ;
    weft__buf_init(&buf, SIZE_MAX);
    int err = weft__json_text(text, len, &buf, &text, &len);
    if (err == 0)
        err = weft_json_parse(text, len, ret);
    weft__buf_done(&buf);
    if (err != WEFT_EJSON)
        return err;
    return weft__fail_prefix(err, "%d %s from %s", response->status,
                             type != NULL ? type : "without a content type",
                             WEFT__SHOW(response->url));
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t')
            return false;
    }
    return true;
}

int weft_response_read_json(weft_response *response, json_t **ret)
{
    const char *line;
    size_t len;
    int result;
    do
        result = weft_response_read_line(response, &line, &len);
    while (result > 0 && is_blank(line, len));
    if (result <= 0)
        return result;
    int err = weft_json_parse(line, len, ret);
    if (err == 0)
        return 1;
    return weft__fail_prefix(err, "line %llu from %s",
                             (unsigned long long)weft__response_lines(response),
                             WEFT__SHOW(response->url));
}

/* An answer without a body is NULL, not an error. */
static int take_json(weft_response *response, json_t **ret)
{
    size_t len;
    json_t *json = NULL;
    weft_response_content(response, &len);
    if (ret == NULL)
        return 0;
    if (len > 0 && response->status != 204) {
        int err = weft_response_json(response, &json);
        if (err < 0)
            return err;
    }
    *ret = json;
    return 0;
}

/* The caller's options, but for what a JSON call settles itself. */
static weft_request_options with_json(const weft_request_options *options,
                                      const struct weft__buf *text)
{
    weft_request_options all = {0};
    if (options != NULL)
        memcpy(&all, options,
               options->size > 0 && options->size < sizeof all ? options->size : sizeof all);
    all.size = sizeof all;
    if (all.raise_for_status == 0)
        all.raise_for_status = WEFT_ON;
    if (text->len > 0) {
        all.content = weft__buf_bytes(text);
        all.content_len = text->len;
        if (all.content_type == NULL)
            all.content_type = "application/json";
    }
    return all;
}

/* jansson says only that writing failed: the buffer's error is kept aside. */
struct writing {
    struct weft__buf *text;
    int err;
};

static int request_json(weft_client *client, const char *method, const char *url,
                        const struct weft__buf *text, const weft_request_options *options,
                        json_t **ret)
{
    weft_response *response;
    weft_request_options all = with_json(options, text);
    int err = weft_client_request(client, method, url, &all, &response);
    if (err < 0)
        return err;
    err = take_json(response, ret);
    weft_response_free(response);
    return err;
}

int weft_client_request_json(weft_client *client, const char *method, const char *url, json_t *body,
                             const weft_request_options *options, json_t **ret)
{
    struct weft__buf text;
    int err = 0;
    weft__buf_init(&text, SIZE_MAX);
    if (body != NULL && options != NULL && options->content != NULL)
        err = weft__fail(-EINVAL, "a request with a JSON body has no other");
    else if (body != NULL)
        err = weft__json_write(body, &text);
    json_decref(body);
    if (err == 0)
        err = request_json(client, method, url, &text, options, ret);
    weft__buf_done(&text);
    return err;
}

/* json_pack says with NULL that it failed: nothing is sent then. */
static int send_json(weft_client *client, const char *method, const char *url, json_t *body,
                     const weft_request_options *options, json_t **ret)
{
    if (body == NULL)
        return weft__fail(-EINVAL, "%s without a JSON body", method);
    return weft_client_request_json(client, method, url, body, options, ret);
}

int weft_client_get_json(weft_client *client, const char *url, const weft_request_options *options,
                         json_t **ret)
{
    return weft_client_request_json(client, "GET", url, NULL, options, ret);
}

int weft_client_post_json(weft_client *client, const char *url, json_t *body,
                          const weft_request_options *options, json_t **ret)
{
    return send_json(client, "POST", url, body, options, ret);
}

int weft_client_put_json(weft_client *client, const char *url, json_t *body,
                         const weft_request_options *options, json_t **ret)
{
    return send_json(client, "PUT", url, body, options, ret);
}

int weft_client_patch_json(weft_client *client, const char *url, json_t *body,
                           const weft_request_options *options, json_t **ret)
{
    return send_json(client, "PATCH", url, body, options, ret);
}

int weft_get_json(const char *url, const weft_request_options *options, json_t **ret)
{
    weft_client *client;
    int err = weft_client_new(NULL, &client);
    if (err < 0)
        return err;
    err = weft_client_get_json(client, url, options, ret);
    weft_client_free(client);
    return err;
}

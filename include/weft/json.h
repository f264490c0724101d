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

WEFT_API int weft_json_parse(const char *text, size_t len, json_t **ret);

WEFT_API int weft_get_json(const char *url, const weft_request_options *options, json_t **ret);
WEFT_API int weft_client_get_json(weft_client *client, const char *url,
                                  const weft_request_options *options, json_t **ret);
WEFT_API int weft_client_post_json(weft_client *client, const char *url, json_t *body,
                                   const weft_request_options *options, json_t **ret);
WEFT_API int weft_client_put_json(weft_client *client, const char *url, json_t *body,
                                  const weft_request_options *options, json_t **ret);
WEFT_API int weft_client_patch_json(weft_client *client, const char *url, json_t *body,
                                    const weft_request_options *options, json_t **ret);
WEFT_API int weft_client_request_json(weft_client *client, const char *method, const char *url,
                                      json_t *body, const weft_request_options *options,
                                      json_t **ret);
WEFT_API int weft_response_json(const weft_response *response, json_t **ret);

WEFT_API int weft_reply_json(weft_reply *reply, int status, json_t *body);
WEFT_API int weft_server_request_json(weft_server_request *request, json_t **ret);

#ifdef __cplusplus
}
#endif
#endif

/*
 * request_driver.c - makes the requests of a JSON file, in order, with one client, and says how
 * each ended: "200 /landed" or "error EINVALID_URL".
 *
 * Each is an object: method, url, and if there are any headers, params, form (arrays of pairs),
 * content, json, username, password, follow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

#include "json_pairs.h"

struct request {
    weft_pair headers[PAIRS];
    weft_pair params[PAIRS];
    weft_pair form[PAIRS];
    weft_request_options options;
};

static void fill(const json_t *object, struct request *request)
{
    const json_t *content = json_object_get(object, "content");
    memset(request, 0, sizeof *request);
    request->options = (weft_request_options){
        .size = sizeof request->options,
        .headers = pairs_of(object, "headers", request->headers),
        .params = pairs_of(object, "params", request->params),
        .form = pairs_of(object, "form", request->form),
        .content = json_string_value(content),
        .content_len = json_string_length(content),
        .content_type = json_string_value(json_object_get(object, "content_type")),
        .follow_redirects = json_is_true(json_object_get(object, "follow")) ? WEFT_ON : WEFT_OFF,
    };
}

static int make(weft_client *client, const json_t *object)
{
    struct request request;
    weft_response *response;
    const char *method = json_string_value(json_object_get(object, "method"));
    const char *url = json_string_value(json_object_get(object, "url"));
    json_t *json = json_object_get(object, "json");
    char *text = NULL;
    fill(object, &request);
    if (json != NULL) {
        text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
        request.options.content = text;
        request.options.content_len = strlen(text);
        request.options.content_type = "application/json";
    }
    int err = weft_client_request(client, method, url, &request.options, &response);
    free(text);
    if (err < 0) {
        printf("error %s\n", weft_error_name(err));
        return 0;
    }
    printf("%d %s\n", weft_response_status(response), weft_response_url(response));
    weft_response_free(response);
    return 0;
}

int main(int argc, char **argv)
{
    json_error_t error;
    weft_client *client;
    json_t *rows = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
    if (rows == NULL) {
        fprintf(stderr, "usage: request_driver FILE\n");
        return 2;
    }
    const json_t *first = json_array_get(rows, 0);
    int err = weft_client_new(
        WEFT_CLIENT(.username = json_string_value(json_object_get(first, "username")),
                    .password = json_string_value(json_object_get(first, "password"))),
        &client);
    for (size_t i = 0; err == 0 && i < json_array_size(rows); i++)
        err = make(client, json_array_get(rows, i));
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    else
        weft_client_free(client);
    json_decref(rows);
    return err < 0;
}

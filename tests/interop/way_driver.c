/*
 * way_driver.c - one client and its calls, as a JSON file says; a JSON object a line for each
 * call: version, status, url, headers, length, opened (connections so far), or error and message.  The
 * body of call N goes into the file body.N.  With "plain" it all happens outside tasks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

#include "json_pairs.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t wait_of(const json_t *object, const char *key, int64_t usual)
{
    json_int_t ms = json_integer_value(json_object_get(object, key));
    return ms > 0 ? WEFT_MS(ms) : usual;
}

static int make_client(const json_t *object, weft_auth **auth, weft_client **ret)
{
    weft_pair proxy_headers[PAIRS];
    weft_pair resolve[PAIRS];
    weft_pair connect_to[PAIRS];
    int err = 0;
    *auth = NULL;
    if (json_is_true(json_object_get(object, "digest")))
        err = weft_auth_digest(text_of(object, "username"), text_of(object, "password"), auth);
    if (err < 0)
        return err;
    return weft_client_new(
        WEFT_CLIENT(.proxy = text_of(object, "proxy"),
                    .proxy_headers = pairs_of(object, "proxy_headers", proxy_headers),
                    .resolve = pairs_of(object, "resolve", resolve),
                    .connect_to = pairs_of(object, "connect_to", connect_to),
                    .unix_socket = text_of(object, "unix_socket"),
                    .ca_file = text_of(object, "ca_file"), .auth = *auth,
                    .username = *auth == NULL ? text_of(object, "username") : NULL,
                    .password = *auth == NULL ? text_of(object, "password") : NULL,
                    .follow_redirects =
                        json_is_true(json_object_get(object, "follow")) ? WEFT_ON : WEFT_OFF,
                    .http2 = json_is_true(json_object_get(object, "http2")),
                    .timeout = wait_of(object, "timeout_ms", WEFT_SEC(30)),
                    .tls = WEFT_TLS(.cert_file = text_of(object, "cert_file"))),
        ret);
}

static void save(int number, weft_response *response)
{
    char name[32];
    size_t len;
    const char *body = weft_response_content(response, &len);
    snprintf(name, sizeof name, "body.%d", number);
    FILE *file = fopen(name, "wb");
    if (file == NULL || fwrite(body, 1, len, file) != len)
        perror(name);
    if (file != NULL)
        fclose(file);
}

static json_t *outcome(int number, weft_response *response)
{
    size_t len;
    json_t *fields = json_array();
    const weft_headers *headers = weft_response_headers(response);
    for (size_t i = 0; i < weft_headers_count(headers); i++) {
        weft_pair field = weft_headers_at(headers, i);
        json_array_append_new(fields, json_pack("[s,s]", field.name, field.value));
    }
    save(number, response);
    weft_response_content(response, &len);
    return json_pack("{s:s,s:i,s:s,s:o,s:I}", "version", weft_response_http_version(response),
                     "status", weft_response_status(response), "url", weft_response_url(response),
                     "headers", fields, "length", (json_int_t)len);
}

static void call(weft_client *client, int number, const json_t *object)
{
    weft_pair headers[PAIRS];
    weft_pair form[PAIRS];
    weft_response *response;
    weft_pool_stats stats;
    const char *method = text_of(object, "method");
    const char *content = text_of(object, "content");
    weft_sleep(wait_of(object, "pause_ms", 0));
    int err = weft_client_request(
        client, method != NULL ? method : "GET", text_of(object, "url"),
        WEFT_REQUEST(.headers = pairs_of(object, "headers", headers),
                     .form = pairs_of(object, "form", form), .content = content,
                     .content_len = content != NULL ? strlen(content) : 0,
                     .proxy = text_of(object, "proxy"), .server_name = text_of(object, "sni"),
                     .expect_continue = json_is_true(json_object_get(object, "expect"))),
        &response);
    json_t *row = err < 0 ? json_pack("{s:s,s:s}", "error", weft_error_name(err), "message",
                                      weft_error_message())
                          : outcome(number, response);
    if (err == 0)
        weft_response_free(response);
    weft_client_pool_stats(client, &stats);
    json_object_set_new(row, "opened", json_integer((json_int_t)stats.opened));
    json_dumpf(row, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(row);
}

static int run(void *arg)
{
    json_t *all = arg;
    weft_client *client;
    weft_auth *auth;
    const json_t *calls = json_object_get(all, "calls");
    int err = make_client(json_object_get(all, "client"), &auth, &client);
    if (err < 0) {
        weft_auth_free(auth);
        return err;
    }
    for (size_t i = 0; i < json_array_size(calls); i++)
        call(client, (int)i, json_array_get(calls, i));
    weft_client_free(client);
    weft_auth_free(auth);
    return 0;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *all = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
    if (all == NULL) {
        fprintf(stderr, "usage: way_driver FILE\n");
        return 2;
    }
    bool plain = json_is_true(json_object_get(all, "plain"));
    int err = plain ? run(all) : weft_run(run, all);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    json_decref(all);
    return err < 0;
}

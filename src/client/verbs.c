/*
 * verbs.c - the calls by method, through a client or on their own.
 */
#include "client/client_int.h"

int weft_client_request(weft_client *client, const char *method, const char *url,
                        const weft_request_options *options, weft_response **ret)
{
    return weft__call_run(client, method, url, options, false, ret);
}

int weft_client_stream(weft_client *client, const char *method, const char *url,
                       const weft_request_options *options, weft_response **ret)
{
    return weft__call_run(client, method, url, options, true, ret);
}

int weft_client_get(weft_client *client, const char *url, const weft_request_options *options,
                    weft_response **ret)
{
    return weft_client_request(client, "GET", url, options, ret);
}

int weft_client_head(weft_client *client, const char *url, const weft_request_options *options,
                     weft_response **ret)
{
    return weft_client_request(client, "HEAD", url, options, ret);
}

int weft_client_post(weft_client *client, const char *url, const weft_request_options *options,
                     weft_response **ret)
{
    return weft_client_request(client, "POST", url, options, ret);
}

int weft_client_put(weft_client *client, const char *url, const weft_request_options *options,
                    weft_response **ret)
{
    return weft_client_request(client, "PUT", url, options, ret);
}

int weft_client_patch(weft_client *client, const char *url, const weft_request_options *options,
                      weft_response **ret)
{
    return weft_client_request(client, "PATCH", url, options, ret);
}

int weft_client_delete(weft_client *client, const char *url, const weft_request_options *options,
                       weft_response **ret)
{
    return weft_client_request(client, "DELETE", url, options, ret);
}

int weft_client_query(weft_client *client, const char *url, const weft_request_options *options,
                      weft_response **ret)
{
    return weft_client_request(client, "QUERY", url, options, ret);
}

int weft_request(const char *method, const char *url, const weft_request_options *options,
                 weft_response **ret)
{
    weft_client *client;
    int err = weft_client_new(NULL, &client);
    if (err < 0)
        return err;
    err = weft_client_request(client, method, url, options, ret);
    weft_client_free(client);
    return err;
}

int weft_get(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("GET", url, options, ret);
}

int weft_head(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("HEAD", url, options, ret);
}

int weft_post(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("POST", url, options, ret);
}

int weft_put(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("PUT", url, options, ret);
}

int weft_patch(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("PATCH", url, options, ret);
}

int weft_delete(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("DELETE", url, options, ret);
}

int weft_query(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("QUERY", url, options, ret);
}

int weft_options(const char *url, const weft_request_options *options, weft_response **ret)
{
    return weft_request("OPTIONS", url, options, ret);
}

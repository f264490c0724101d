/* one_call.h - a call of which only the status matters. */
#ifndef WEFT_TEST_ONE_CALL_H
#define WEFT_TEST_ONE_CALL_H

#include <weft.h>

/* Of a call that had this result: its status, or its error.  The response is freed. */
static inline int status_of(int err, weft_response *response)
{
    if (err < 0)
        return err;
    int status = weft_response_status(response);
    weft_response_free(response);
    return status;
}

static inline int get_by(weft_client *client, const char *url, const weft_request_options *request)
{
    weft_response *response = NULL;
    int err = weft_client_get(client, url, request, &response);
    return status_of(err, response);
}

/* By a client of its own. */
static inline int get_once(const weft_client_options *options, const char *url,
                           const weft_request_options *request)
{
    weft_client *client;
    int err = weft_client_new(options, &client);
    if (err < 0)
        return err;
    err = get_by(client, url, request);
    weft_client_free(client);
    return err;
}

#endif

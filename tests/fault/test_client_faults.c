/*
 * Everything that can go wrong in the library below a GET goes wrong once: the call says so,
 * nothing leaks, and the client works afterwards.
 */
#include <stdio.h>

#include <weft.h>

#include "fault.h"
#include "http_peer.h"
#include "test.h"

static int get_with(weft_client *client)
{
    weft_response *response;
    int err = weft_client_get(client, "/chunks/200",
                              WEFT_REQUEST(.params = (weft_pair[]){{"a", "b"}, {0}},
                                           .headers = (weft_pair[]){{"X-A", "b"}, {0}},
                                           .timeout = WEFT_SEC(60)),
                              &response);
    if (err < 0)
        return err;
    ASSERT_INT_EQ(weft_response_status(response), 200);
    size_t len;
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 20000);
    weft_response_free(response);
    return 0;
}

static int get_twice(void *arg)
{
    const struct http_peer *peer = arg;
    weft_client *client;
    int err = weft_client_new(WEFT_CLIENT(.base_url = peer->base, .ca_file = peer->ca), &client);
    if (err < 0)
        return err;
    err = get_with(client);
    if (err == 0)
        err = get_with(client);
    weft_pool_stats stats;
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.waiting, 0);
    weft_client_free(client);
    return err;
}

static int upload(void *arg)
{
    static const char body[300000];
    const struct http_peer *peer = arg;
    char url[128];
    weft_response *response;
    snprintf(url, sizeof url, "%s/up", peer->base);
    int err = weft_post(url, WEFT_REQUEST(.content = body, .content_len = sizeof body), &response);
    if (err == 0)
        weft_response_free(response);
    return err;
}

static int stream_with_retry_and_redirect(void *arg)
{
    const struct http_peer *peer = arg;
    weft_client *client;
    weft_response *response;
    char bytes[10];
    int64_t n;
    int err = weft_client_new(WEFT_CLIENT(.base_url = peer->base, .ca_file = peer->ca,
                                          .follow_redirects = WEFT_ON, .bearer = "x",
                                          .retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE})),
                              &client);
    if (err < 0)
        return err;
    err = weft_client_get(client, "/status/503", NULL, &response);
    if (err == 0) {
        weft_response_free(response);
        err = weft_client_stream(client, "GET", "/redirect", NULL, &response);
    }
    if (err == 0) {
        while ((n = weft_response_read(response, bytes, sizeof bytes)) > 0)
            continue;
        err = (int)n;
        weft_response_free(response);
    }
    weft_client_free(client);
    return err;
}

TEST_WITH(get_survives_every_fault, .limit_s = 60)
{
    struct http_peer peer;
    http_peer_start(&peer);
    FAULTS(get_twice, &peer);
    http_peer_stop(&peer);
}

TEST_WITH(get_in_plain_code_survives_every_fault, .limit_s = 60)
{
    struct http_peer peer;
    http_peer_start(&peer);
    FAULTS(get_twice, &peer, .plain = true);
    http_peer_stop(&peer);
}

TEST_WITH(upload_survives_every_fault, .limit_s = 60)
{
    struct http_peer peer;
    http_peer_start(&peer);
    FAULTS(upload, &peer);
    http_peer_stop(&peer);
}

TEST_WITH(stream_with_retry_and_redirect_survives_every_fault, .limit_s = 60)
{
    struct http_peer peer;
    http_peer_start(&peer);
    FAULTS(stream_with_retry_and_redirect, &peer);
    http_peer_stop(&peer);
}

TEST_WITH(get_over_tls_survives_every_fault, .limit_s = 120)
{
    struct http_peer peer;
    http_peer_start_tls(&peer);
    FAULTS(get_twice, &peer);
    http_peer_stop(&peer);
}

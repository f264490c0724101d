/*
 * The client over sockets: in tasks, in plain code, from several threads, with TLS.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/json.h>
#include <weft/testing.h>

#include "http_peer.h"
#include "run/run_int.h"
#include "test.h"

struct body {
    void (*fn)(void *arg);
    void *arg;
};

static int call_body(void *arg)
{
    struct body *body = arg;
    body->fn(body->arg);
    return 0;
}

static int run(void (*fn)(void *), void *arg, bool in_task)
{
    struct body body = {fn, arg};
    return in_task ? weft_run(call_body, &body) : call_body(&body);
}

/* ---- the same in tasks and in plain code ---- */

static void use_everything(void *arg)
{
    const struct http_peer *peer = arg;
    weft_client *client;
    weft_response *response;
    weft_pool_stats stats;
    size_t len;
    char byte;
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = peer->base, .ca_file = peer->ca, .follow_redirects = WEFT_ON),
        &client));
    ASSERT_OK(weft_client_get(client, "/a", NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "GET /a");
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/1.1");
    ASSERT_INT_GT(weft_response_elapsed(response), 0);
    weft_response_free(response);
    ASSERT_OK(weft_client_head(client, "/a", NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, &len), "");
    weft_response_free(response);
    ASSERT_OK(weft_client_post(client, "/b", WEFT_REQUEST(.content = "xyz", .content_len = 3),
                               &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "POST /bxyz");
    weft_response_free(response);
    ASSERT_OK(weft_client_put(client, "/b", NULL, &response));
    weft_response_free(response);
    ASSERT_OK(weft_client_patch(client, "/b", NULL, &response));
    weft_response_free(response);
    ASSERT_OK(weft_client_delete(client, "/b", NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "DELETE /b");
    weft_response_free(response);
    ASSERT_OK(weft_client_get(client, "/redirect", NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "GET /there");
    weft_response_free(response);
    ASSERT_OK(weft_client_get(client, "/bytes/3000000", NULL, &response));
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 3000000);
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(client, "GET", "/chunks/50", NULL, &response));
    int64_t total = 0;
    while (weft_response_read(response, &byte, 1) == 1)
        total++;
    ASSERT_INT_EQ(total, 5000);
    weft_response_free(response);
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.opened, 1);
    ASSERT_INT_EQ(stats.idle, 1);
    ASSERT_OK(weft_client_get(client, "/close", NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "GET /close");
    weft_response_free(response);
    ASSERT_ERR(
        weft_client_get(client, "/delay/10000", WEFT_REQUEST(.timeout = WEFT_MS(30)), &response),
        WEFT_ETOTAL_TIMEOUT);
    ASSERT_ERR(weft_client_get(client, "/delay/10000", WEFT_REQUEST(.read_timeout = WEFT_MS(30)),
                               &response),
               WEFT_EREAD_TIMEOUT);
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.size, 0);
    weft_client_free(client);
}

TEST(client_in_a_task_does_everything)
{
    struct http_peer peer;
    http_peer_start(&peer);
    ASSERT_OK(run(use_everything, &peer, true));
    http_peer_stop(&peer);
}

TEST(client_in_plain_code_does_everything)
{
    struct http_peer peer;
    http_peer_start(&peer);
    ASSERT_OK(run(use_everything, &peer, false));
    http_peer_stop(&peer);
}

static void look_at_the_connection(void *arg)
{
    const struct http_peer *peer = arg;
    weft_client *client;
    weft_response *response;
    weft_connection_info info;
    weft_timings times;
    char pin[WEFT_CERTIFICATE_PIN];
    char *text;
    void *der;
    size_t len;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = peer->base, .ca_file = peer->ca), &client));
    ASSERT_OK(weft_client_get(client, "/close", NULL, &response));
    weft_client_free(client);
    weft_response_timings(response, &times);
    ASSERT_INT_GT(times.tls, 0);
    ASSERT_INT_GE(times.connect, 0);
    ASSERT_INT_GE(times.total, times.tls + times.connect);
    weft_response_connection(response, &info);
    ASSERT_STR_EQ(info.tls_version, weft_response_tls_version(response));
    ASSERT(info.cipher != NULL && info.certificate != NULL && info.peer.len > 0);
    WEFT_AUTO(weft_certificate) *kept = weft_certificate_ref(info.certificate);
    weft_response_free(response);
    ASSERT_OK(weft_certificate_subject(kept, &text));
    ASSERT_STR_EQ(text, "CN=weft test");
    weft_free(text);
    ASSERT_OK(weft_certificate_issuer(kept, &text));
    ASSERT_STR_HAS(text, "CN=");
    weft_free(text);
    ASSERT_OK(weft_certificate_name(kept, 0, &text));
    ASSERT_STR_EQ(text, "localhost");
    weft_free(text);
    ASSERT_OK(weft_certificate_name(kept, 2, &text));
    ASSERT_STR_EQ(text, "::1");
    weft_free(text);
    ASSERT_ERR(weft_certificate_name(kept, 3, &text), -ENOENT);
    ASSERT_INT_GT(weft_certificate_not_after(kept), weft_certificate_not_before(kept) + 86400);
    ASSERT_OK(weft_certificate_pem(kept, &text));
    ASSERT_STR_HAS(text, "-----BEGIN CERTIFICATE-----");
    weft_free(text);
    ASSERT_OK(weft_certificate_der(kept, &der, &len));
    ASSERT_INT_EQ(*(unsigned char *)der, 0x30);
    weft_free(der);
    /* What is printed is what can be pinned. */
    ASSERT_OK(weft_certificate_pin(kept, pin));
    const char *const pins[] = {pin, NULL};
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = peer->base, .ca_file = peer->ca, .tls = WEFT_TLS(.pins = pins)),
        &client));
    ASSERT_OK(weft_client_get(client, "/", NULL, &response));
    weft_response_free(response);
    weft_client_free(client);
}

struct steps {
    char kinds[32]; /* a letter for each event */
    int error;      /* of the handshake */
};

static void note_step(void *userdata, const weft_trace_event *event)
{
    struct steps *steps = userdata;
    size_t len = strlen(steps->kinds);
    ASSERT_INT_LT(len, sizeof steps->kinds - 1);
    steps->kinds[len] = (char)('a' + (int)event->kind);
    if (event->kind == WEFT_TRACE_TLS_ENDED)
        steps->error = event->error;
}

static void trace_handshakes(void *arg)
{
    const struct http_peer *peer = arg;
    for (int trusted = 1; trusted >= 0; trusted--) {
        struct steps steps = {.error = 1};
        weft_client *client;
        weft_response *response = NULL;
        ASSERT_OK(weft_client_new(
            WEFT_CLIENT(.base_url = peer->base, .ca_file = trusted ? peer->ca : NULL,
                        .hooks = WEFT_HOOKS(.trace = note_step, .userdata = &steps)),
            &client));
        int err = weft_client_get(client, "/a", NULL, &response);
        ASSERT_INT_EQ(err, trusted ? 0 : WEFT_ETLS_VERIFY);
        ASSERT_INT_EQ(steps.error, err);
        /* connecting, resolving, resolved, address (twice), TLS (twice), then ... */
        if (trusted)
            ASSERT_STR_EQ(steps.kinds, "bghijlmcnoep");
        else
            ASSERT_STR_EQ(steps.kinds, "bghijlmf");
        weft_response_free(response);
        weft_client_free(client);
    }
}

TEST(trace_over_tls_tells_of_handshakes)
{
    struct http_peer peer;
    http_peer_start_tls(&peer);
    run(trace_handshakes, &peer, true);
    run(trace_handshakes, &peer, false);
    http_peer_stop(&peer);
}

TEST(connection_over_tls_shows_its_certificate)
{
    struct http_peer peer;
    http_peer_start_tls(&peer);
    run(look_at_the_connection, &peer, true);
    run(look_at_the_connection, &peer, false);
    http_peer_stop(&peer);
}

TEST(client_over_tls_does_everything)
{
    struct http_peer peer;
    http_peer_start_tls(&peer);
    ASSERT_OK(run(use_everything, &peer, true));
    ASSERT_OK(run(use_everything, &peer, false));
    http_peer_stop(&peer);
}

static void get_unverified(void *arg)
{
    const struct http_peer *peer = arg;
    weft_client *client;
    weft_response *response;
    /* The system's store is read meanwhile: that takes its time under Valgrind. */
    const weft_request_options *patient = WEFT_REQUEST(.connect_timeout = WEFT_SEC(100));
    ASSERT_ERR(weft_get(peer->base, patient, &response), WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(weft_error_message(), "GET https://127.0.0.1:");
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.insecure_no_verify = true, .connect_timeout = WEFT_SEC(100)), &client));
    ASSERT_OK(weft_client_get(client, peer->base, NULL, &response));
    weft_response_free(response);
    weft_client_free(client);
}

TEST(unknown_certificate_is_refused_unless_asked_not_to)
{
    struct http_peer peer;
    http_peer_start_tls(&peer);
    ASSERT_OK(run(get_unverified, &peer, true));
    http_peer_stop(&peer);
}

static void get_once(void *arg)
{
    const struct http_peer *peer = arg;
    weft_response *response;
    char url[128];
    snprintf(url, sizeof url, "%s/x?y=1", peer->base);
    ASSERT_OK(weft_get(url, NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "GET /x?y=1");
    ASSERT_STR_EQ(weft_response_url(response), url);
    weft_response_free(response);
    ASSERT_OK(weft_request("POST", url, WEFT_REQUEST(.content = "a", .content_len = 1), &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "POST /x?y=1a");
    weft_response_free(response);
}

TEST(one_off_calls_work_in_both)
{
    struct http_peer peer;
    http_peer_start(&peer);
    ASSERT_OK(run(get_once, &peer, true));
    ASSERT_OK(run(get_once, &peer, false));
    http_peer_stop(&peer);
}

TASK_TEST(refused_connection_names_the_peer)
{
    weft_response *response;
    ASSERT_ERR(weft_get("http://127.0.0.1:1/x", NULL, &response), WEFT_EREFUSED);
    ASSERT_STR_HAS(weft_error_message(), "GET http://127.0.0.1:1/x: ");
    ASSERT_ERR(weft_get("http://[::1]:1/x", NULL, &response), WEFT_EREFUSED);
}

/* ---- JSON ---- */

static void use_json(void *arg)
{
    const struct http_peer *peer = arg;
    weft_client *client;
    json_t *json = NULL;
    char url[128];
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = peer->base), &client));
    ASSERT_OK(weft_client_post_json(client, "/json", json_pack("{s:i}", "a", 1), NULL, &json));
    ASSERT_INT_EQ(json_integer_value(json_object_get(json, "a")), 1);
    json_decref(json);
    ASSERT_OK(weft_client_put_json(client, "/json", json_pack("[i]", 2), NULL, &json));
    ASSERT_INT_EQ(json_array_size(json), 1);
    json_decref(json);
    ASSERT_OK(weft_client_patch_json(client, "/x", json_pack("[i]", 2), NULL, NULL));
    /* No body is NULL, and no error. */
    json = json_null();
    ASSERT_OK(weft_client_get_json(client, "/json", NULL, &json));
    ASSERT(json == NULL);
    ASSERT_ERR(weft_client_get_json(client, "/x", NULL, &json), WEFT_EJSON);
    ASSERT_STR_HAS(weft_error_message(), "/x");
    ASSERT_ERR(weft_client_get_json(client, "/status/404", NULL, &json), WEFT_EHTTP_STATUS);
    ASSERT_ERR(weft_client_post_json(client, "/json", NULL, NULL, &json), -EINVAL);
    ASSERT_ERR(weft_client_post_json(client, "/json", json_pack("[i]", 2),
                                     WEFT_REQUEST(.content = "a", .content_len = 1), &json),
               -EINVAL);
    snprintf(url, sizeof url, "%s/json", peer->base);
    ASSERT_OK(weft_get_json(url, NULL, &json));
    weft_client_free(client);
}

TEST(json_goes_both_ways)
{
    struct http_peer peer;
    http_peer_start(&peer);
    ASSERT_OK(run(use_json, &peer, true));
    ASSERT_OK(run(use_json, &peer, false));
    http_peer_stop(&peer);
}

/* ---- what outlives what ---- */

struct kept {
    const struct http_peer *peer;
    weft_client *client;
    weft_response *response;
};

static void stream_and_leave(void *arg)
{
    struct kept *kept = arg;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = kept->peer->base), &kept->client));
    ASSERT_OK(weft_client_stream(kept->client, "GET", "/bytes/3000000", NULL, &kept->response));
}

TEST(response_may_outlive_its_loop)
{
    struct http_peer peer;
    struct kept kept = {.peer = &peer};
    char bytes[100];
    http_peer_start(&peer);
    ASSERT_OK(run(stream_and_leave, &kept, true));
    ASSERT_INT_LT(weft_response_read(kept.response, bytes, sizeof bytes), 101);
    ASSERT_INT_EQ(weft_response_read_all(kept.response) < 0, true);
    ASSERT_INT_EQ(weft_response_status(kept.response), 200);
    weft_response_free(kept.response);
    /* The client goes on on another loop. */
    weft_response *response;
    ASSERT_OK(weft_client_get(kept.client, "/a", NULL, &response));
    weft_response_free(response);
    weft_client_free(kept.client);
    http_peer_stop(&peer);
}

/* ---- threads ---- */

struct user {
    weft_client *client;
    pthread_t thread;
    pthread_barrier_t *barrier;
    int index;
    bool in_task;
};

static void use(void *arg)
{
    struct user *user = arg;
    for (int i = 0; i < 50; i++) {
        weft_response *response;
        char path[32];
        char wanted[64];
        snprintf(path, sizeof path, "/%d/%d", user->index, i);
        snprintf(wanted, sizeof wanted, "GET %s", path);
        ASSERT_OK(weft_client_get(user->client, path, NULL, &response));
        ASSERT_STR_EQ(weft_response_text(response, NULL), wanted);
        weft_response_free(response);
    }
}

static void *user_thread(void *arg)
{
    struct user *user = arg;
    ASSERT_OK(run(use, user, user->in_task));
    weft_pool_stats stats;
    weft_client_pool_stats(user->client, &stats);
    ASSERT_INT_EQ(stats.idle, user->in_task ? 0 : 1);
    if (user->barrier != NULL) {
        pthread_barrier_wait(user->barrier);
        pthread_barrier_wait(user->barrier);
    }
    return NULL;
}

TEST(threads_share_one_client)
{
    struct http_peer peer;
    struct user users[4];
    weft_client *client;
    http_peer_start(&peer);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = peer.base), &client));
    for (int i = 0; i < 4; i++) {
        users[i] = (struct user){.client = client, .index = i, .in_task = i % 2 == 0};
        ASSERT_INT_EQ(pthread_create(&users[i].thread, NULL, user_thread, &users[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(users[i].thread, NULL);
    use(&users[0]);
    weft_client_free(client);
    http_peer_stop(&peer);
}

/* Their connections go when the threads end; nothing is touched from here. */
TEST(client_is_freed_while_other_threads_have_pools)
{
    struct http_peer peer;
    struct user users[3];
    pthread_barrier_t barrier;
    weft_client *client;
    http_peer_start(&peer);
    pthread_barrier_init(&barrier, NULL, 4);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = peer.base), &client));
    for (int i = 0; i < 3; i++) {
        users[i] = (struct user){.client = client, .index = i, .barrier = &barrier};
        ASSERT_INT_EQ(pthread_create(&users[i].thread, NULL, user_thread, &users[i]), 0);
    }
    pthread_barrier_wait(&barrier);
    weft_client_free(client);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++)
        pthread_join(users[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
    http_peer_stop(&peer);
}

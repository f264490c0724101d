/* What a client knows of an origin is shared by the loops of all threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <weft.h>

#include "http_peer.h"
#include "test.h"

enum { THREADS = 4, CALLS = 100, FLOOR = 10 };

struct world {
    struct http_peer peer;
    weft_client *client;
    atomic_int attempts;
};

static int call_often(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < CALLS; i++) {
        weft_response *response;
        ASSERT_OK(weft_client_get(world->client, "/status/503", NULL, &response));
        world->attempts += weft_response_attempts(response);
        weft_response_free(response);
    }
    return 0;
}

static void *thread(void *arg)
{
    ASSERT_OK(weft_run(call_often, arg));
    return NULL;
}

TEST(budget_of_retries_is_shared_by_threads)
{
    struct world world = {0};
    pthread_t threads[THREADS];
    const weft_retry_policy policy = {
        .attempts = 5, .wait = {WEFT_WAIT_NONE}, .budget_floor = FLOOR, .breaker_percent = 101};
    http_peer_start(&world.peer);
    ASSERT_OK(
        weft_client_new(WEFT_CLIENT(.base_url = world.peer.base, .retry = &policy), &world.client));
    for (int i = 0; i < THREADS; i++)
        ASSERT(pthread_create(&threads[i], NULL, thread, &world) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* Each thread asks and then spends: the others may do so in between. */
    ASSERT_INT_LE(world.attempts, THREADS * CALLS * 12 / 10 + FLOOR + THREADS);
    ASSERT_INT_GT(world.attempts, THREADS * CALLS);
    weft_client_free(world.client);
    http_peer_stop(&world.peer);
}

/* ---- another address ---- */

/* Takes a request and closes: a connection that could be made, and was no good. */
static int hang_up(void *arg)
{
    weft_stream *stream;
    char head[1024];
    while (weft_listener_accept(arg, &stream) == 0) {
        weft_stream_read(stream, head, sizeof head);
        weft_stream_free(stream);
    }
    return 0;
}

static int answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    return weft_reply_text(reply, 200, "hello");
}

static int serve(void *arg)
{
    return weft_server_serve(arg);
}

/* "localhost" is 127.0.0.1 and ::1: the first of them breaks every connection. */
TASK_TEST(retry_after_a_broken_connection_goes_to_the_next_address)
{
    weft_server *server;
    weft_listener *broken;
    weft_client *client;
    weft_response *response;
    weft_retry_entry entries[2];
    weft_group group;
    char url[64];
    char peers[2][WEFT_RETRY_PEER];
    ASSERT_OK(weft_server_new(WEFT_SERVER(.host = "::1"), &server));
    ASSERT_OK(weft_server_route(server, "GET", "/", answer, NULL));
    if (weft_server_listen(server) < 0) {
        weft_server_free(server);
        SKIP("no IPv6 here: %s", weft_error_message());
    }
    unsigned port = weft_server_port(server);
    ASSERT_OK(weft_listen("127.0.0.1", (uint16_t)port, NULL, &broken));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn(&group, serve, server));
    ASSERT_OK(weft_group_spawn(&group, hang_up, broken));
    snprintf(url, sizeof url, "http://localhost:%u/", port);
    snprintf(peers[0], sizeof peers[0], "127.0.0.1:%u", port);
    snprintf(peers[1], sizeof peers[1], "[::1]:%u", port);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE})), &client));
    ASSERT_OK(weft_client_get(client, url, NULL, &response));
    ASSERT_INT_EQ(weft_response_attempts(response), 2);
    for (size_t i = 0; i < 2; i++) {
        ASSERT_OK(weft_response_attempt(response, i, &entries[i]));
        ASSERT_STR_EQ(entries[i].peer, peers[i]);
    }
    ASSERT_INT_EQ(entries[0].result, WEFT_EDISCONNECTED);
    ASSERT_INT_EQ(entries[1].status, 200);
    weft_response_free(response);
    weft_client_free(client);
    weft_group_cancel(&group, "the test is over");
    weft_group_wait(&group);
    weft_listener_close(broken);
    weft_server_free(server);
}

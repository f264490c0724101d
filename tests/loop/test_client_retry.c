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

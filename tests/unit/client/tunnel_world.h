/* tunnel_world.h - a client, a server in memory, and what was taken from a response. */
#ifndef WEFT_TEST_TUNNEL_WORLD_H
#define WEFT_TEST_TUNNEL_WORLD_H

#include <string.h>

#include "client/h2_int.h"
#include "h2_fake.h"
#include "test.h"

struct world {
    struct h2_fake fake;
    weft_client *client;
    weft_stream *stream;
};

#define WORLD(acts_, ...)                                                                          \
    struct world world = {.stream = NULL};                                                         \
    h2_fake_start(&world.fake, acts_, sizeof(acts_) / sizeof(acts_)[0]);                           \
    ASSERT_OK(weft_client_new(                                                                     \
        WEFT_CLIENT(.base_url = "http://proxy.test/", .http1 = WEFT_OFF, __VA_ARGS__),             \
        &world.client));                                                                           \
    h2_fake_serve(&world.fake, world.client)

static inline void end(struct world *world)
{
    weft_stream_free(world->stream);
    weft_client_free(world->client);
    ASSERT_OK(weft_sleep(WEFT_SEC(200)));
    ASSERT_INT_EQ(world->fake.open, 0);
    h2_fake_stop(&world->fake);
}

static inline void settle(void)
{
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
}

static inline void say(struct world *world, const char *text)
{
    ASSERT_OK(weft_stream_write(world->stream, text, strlen(text)));
}

static inline void hear(struct world *world, const char *text)
{
    char data[64];
    ASSERT_OK(weft_stream_read_exact(world->stream, data, strlen(text)));
    ASSERT_MEM_EQ(data, text, strlen(text));
}

static inline size_t lights(struct world *world)
{
    struct weft__pool *pool;
    ASSERT_OK(weft__client_pool(world->client, &pool));
    return pool->n_lights;
}

#endif

#include "duplex.h"

#include <string.h>

void world_end(struct world *world)
{
    weft_client_free(world->client);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world->fake.open, 0);
    h2_fake_stop(&world->fake);
}

void expect_get(struct world *world, int status)
{
    weft_response *response;
    ASSERT_OK(weft_client_get(world->client, "/", NULL, &response));
    ASSERT_INT_EQ(weft_response_status(response), status);
    weft_response_free(response);
}

static char byte_at(uint64_t offset)
{
    return (char)(offset * 31 + (offset >> 8));
}

void fill(char *data, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = byte_at(offset + i);
}

int64_t give(void *userdata, void *data, size_t len)
{
    struct source *source = userdata;
    uint64_t left = source->size - source->given;
    ASSERT(!source->gone);
    ASSERT(!source->inside);
    source->calls++;
    source->inside = true;
    int err = source->takes > 0 ? weft_sleep(source->takes) : 0;
    source->inside = false;
    if (err < 0)
        return err;
    if (source->code < 0 && source->given >= source->fails_at)
        return source->code;
    if (len > left)
        len = (size_t)left;
    fill(data, source->given, len);
    source->given += len;
    return (int64_t)len;
}

int again(void *userdata)
{
    struct source *source = userdata;
    ASSERT(!source->gone);
    ASSERT(!source->inside);
    source->given = 0;
    source->rewound++;
    return 0;
}

int world_stream(struct world *world, struct source *source, weft_response **ret)
{
    return weft_client_stream(world->client, "POST", "/",
                              WEFT_REQUEST(.body_reader = give, .body_userdata = source), ret);
}

int64_t take(weft_response *response, uint64_t *offset, size_t len)
{
    static char data[64 * 1024];
    static char expected[64 * 1024];
    int64_t n = weft_response_read(response, data, len < sizeof data ? len : sizeof data);
    if (n > 0) {
        fill(expected, *offset, (size_t)n);
        ASSERT_MEM_EQ(data, expected, (size_t)n);
        *offset += (uint64_t)n;
    }
    return n;
}

static const struct weft__h2_conn *connection_of(const struct world *world)
{
    struct weft__pool *pool;
    ASSERT_OK(weft__client_pool(world->client, &pool));
    return WEFT__CONTAINER(pool->shared.next, struct weft__h2_conn, of_pool);
}

void expect_balance(const struct world *world)
{
    const struct weft__h2_conn *shared = connection_of(world);
    ASSERT_INT_EQ(world->fake.dials, 1);
    ASSERT_INT_EQ(shared->n_lights, 0);
    ASSERT_INT_EQ(shared->n_pending, 0);
    ASSERT(weft__h2_is_balanced(shared->h2));
}

/* test_h2_lost.c - connections of HTTP/2 that are lost: what calls make of it. */
#include <errno.h>
#include <stdlib.h>

#include "client/client_int.h"
#include "h2_fake.h"
#include "one_call.h"
#include "test.h"

struct world {
    struct h2_fake fake;
    weft_client *client;
    int (*dial)(void *userdata, const weft_url *url, weft_stream **ret); /* of the fake */
};

/* ---- a transport whose end is a reset ---- */

static int64_t reset_read(void *self, void *data, size_t len)
{
    int64_t n = weft_stream_read(self, data, len);
    return n == 0 ? weft__fail(-ECONNRESET, "reset") : n;
}

static int reset_writev(void *self, const weft_slice *slices, size_t n)
{
    (void)weft_stream_writev(self, slices, n); /* it is taken, and lost on its way */
    return 0;
}

static int reset_close(void *self)
{
    return weft_stream_close(self);
}

static void reset_free(void *self)
{
    weft_stream_free(self);
}

static const weft_stream_ops reset_ops = {
    .size = sizeof reset_ops,
    .name = "reset",
    .read = reset_read,
    .writev = reset_writev,
    .close = reset_close,
    .free = reset_free,
};

static int dial_reset(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct world *world = userdata;
    weft_stream *below;
    int err = world->dial(&world->fake, url, &below);
    if (err == 0)
        err = weft_stream_new(&reset_ops, below, ret);
    return err;
}

static void begin(struct world *world, const struct h2_act *acts, size_t n, bool resets)
{
    h2_fake_start(&world->fake, acts, n);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF, .max_per_origin = 1),
        &world->client));
    h2_fake_serve(&world->fake, world->client);
    if (!resets)
        return;
    world->dial = world->client->dial;
    world->client->dial = dial_reset;
    world->client->dial_userdata = world;
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world->fake.open, 0);
    h2_fake_stop(&world->fake);
}

static int get(struct world *world, const char *path)
{
    return get_by(world->client, path, NULL);
}

VIRTUAL_TEST(h2_stale_connection_that_was_reset_is_replaced)
{
    static const struct h2_act acts[] = {{.body = 1}, {H2_CLOSE}, {.body = 1}};
    struct world world;
    begin(&world, acts, 3, true);
    ASSERT_INT_EQ(get(&world, "/"), 200);
    ASSERT_INT_EQ(get(&world, "/"), 200);
    ASSERT_INT_EQ(world.fake.dials, 2);
    end(&world);
}

VIRTUAL_TEST(h2_reset_of_a_connection_is_told_as_over_http1)
{
    static const struct h2_act acts[] = {{H2_CLOSE}};
    struct world world;
    begin(&world, acts, 1, true);
    ASSERT_ERR(get(&world, "/"), WEFT_EREAD);
    ASSERT_STR_HAS(weft_error_message(), "GET http://h/: ");
    ASSERT_STR_HAS(weft_error_message(), "Connection reset by peer (h:80)");
    ASSERT_INT_EQ(world.fake.dials, 1);
    end(&world);
}

/* A mock speaks HTTP/1.1. */
static int answer(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    (void)userdata;
    return weft_mock_reply_text(reply, 200, "x");
}

VIRTUAL_TEST(h2_sentence_of_a_transport_that_fails_is_kept)
{
    weft_transport *mock;
    ASSERT_OK(weft_mock_new(answer, NULL, &mock));
    ASSERT_INT_LT(get_once(WEFT_CLIENT(.transport = mock, .http1 = WEFT_OFF), "http://h/", NULL),
                  0);
    ASSERT_STR_HAS(weft_error_message(), "GET http://h/: ");
    ASSERT_STR_HAS(weft_error_message(), "HTTP version 2.0 is not supported");
    weft_transport_free(mock);
}

static int count_request(void *userdata, const weft_request_event *event)
{
    (void)event;
    ++*(int *)userdata;
    return 0;
}

VIRTUAL_TEST(h2_closed_client_refuses_before_any_hook_while_connections_end)
{
    static const struct h2_act acts[] = {{.body = 1}};
    int requests = 0;
    const weft_hooks hooks = {
        .size = sizeof hooks, .on_request = count_request, .userdata = &requests};
    struct world world;
    h2_fake_start(&world.fake, acts, 1);
    ASSERT_OK(weft_client_new(
        WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF, .hooks = &hooks), &world.client));
    h2_fake_serve(&world.fake, world.client);
    ASSERT_INT_EQ(get(&world, "/"), 200);
    ASSERT_OK(weft_client_close(world.client, WEFT_CLOSE_DRAIN));
    ASSERT_ERR(get(&world, "/"), WEFT_ECLIENT_CLOSED);
    ASSERT_STR_EQ(weft_error_message(), "GET http://h/: the client is closed");
    ASSERT_INT_EQ(requests, 1);
    end(&world);
}

/* ---- a stream is given, and its connection ends before the call has its turn ---- */

struct job {
    struct world *world;
    int64_t after;
    int result;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    weft_sleep(job->after);
    job->result = get(job->world, "/");
    return 0;
}

struct cut {
    struct world *world;
    int yields;
};

static int give_and_cut(void *arg)
{
    const struct cut *cut = arg;
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    h2_fake_settings(&cut->world->fake, 2);
    for (int i = 0; i < cut->yields; i++)
        weft_yield();
    weft_stream_abort(cut->world->fake.last);
    return 0;
}

VIRTUAL_TEST(h2_stream_whose_connection_ended_before_its_turn_is_tried_elsewhere)
{
    static const struct h2_act acts[] = {{H2_NEVER}, {.body = 1}};
    for (int yields = 0; yields < 10; yields++) {
        struct world world;
        begin(&world, acts, 2, false);
        world.fake.max_streams = 1;
        struct job jobs[2] = {{.world = &world}, {.world = &world, .after = WEFT_MS(10)}};
        struct cut cut = {&world, yields};
        ASSERT_OK(weft_gather(
            (weft_call[]){{run_job, &jobs[0]}, {run_job, &jobs[1]}, {give_and_cut, &cut}}, 3,
            NULL));
        ASSERT_INT_LT(jobs[0].result, 0);
        ASSERT_INT_EQ(jobs[1].result, 200);
        end(&world);
    }
}

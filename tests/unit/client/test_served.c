/* A server in the process as a client's transport: no socket, a task for each connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "fault.h"
#include "test.h"

static int hello(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[128];
    (void)arg;
    snprintf(text, sizeof text, "hello %s", weft_server_request_param(request, "name"));
    return weft_reply_text(reply, 200, text);
}

static int echo(weft_server_request *request, weft_reply *reply, void *arg)
{
    const char *body;
    size_t len;
    (void)arg;
    int err = weft_server_request_body(request, &body, &len);
    return err < 0 ? err : weft_reply_bytes(reply, 200, "text/plain", body, len);
}

/* As long as somebody reads it. */
static int endless(weft_server_request *request, weft_reply *reply, void *arg)
{
    int *pieces = arg;
    char piece[4096] = {0};
    (void)request;
    int err = weft_reply_start(reply, 200, -1);
    while (err >= 0) {
        err = weft_reply_write(reply, piece, sizeof piece);
        ++*pieces;
    }
    return err;
}

struct world {
    weft_group group;
    weft_server *server;
    weft_transport *transport;
    weft_client *client;
    int pieces;
};

static int begin(struct world *world)
{
    memset(world, 0, sizeof *world);
    int err = weft_group_init(&world->group, WEFT_GROUP(.name = "server"));
    if (err < 0)
        return err;
    err = weft_server_new(NULL, &world->server);
    if (err == 0)
        err = weft_server_route(world->server, "GET", "/hello/{name}", hello, NULL);
    if (err == 0)
        err = weft_server_route(world->server, "POST", "/echo", echo, NULL);
    if (err == 0)
        err = weft_server_route(world->server, "GET", "/endless", endless, &world->pieces);
    if (err == 0)
        err = weft_transport_serve(&world->group, weft_server_serve_stream, world->server,
                                   &world->transport);
    if (err == 0)
        err = weft_client_new(
            WEFT_CLIENT(.base_url = "https://api.test", .transport = world->transport),
            &world->client);
    return err;
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    weft_transport_free(world->transport);
    weft_group_cancel(&world->group, "over");
    weft_group_wait(&world->group);
    weft_server_free(world->server);
}

VIRTUAL_TEST(server_answers_a_client_without_a_socket)
{
    struct world world;
    weft_response *response;
    weft_connection_info info;
    ASSERT_OK(begin(&world));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_client_get(world.client, "/hello/kim", NULL, &response));
        ASSERT_STR_EQ(weft_response_text(response, NULL), "hello kim");
        weft_response_connection(response, &info);
        ASSERT_INT_EQ(info.reused, i > 0);
        ASSERT_INT_EQ(info.peer.len, 0);
        weft_response_free(response);
    }
    ASSERT_OK(weft_client_get(world.client, "/nothing", NULL, &response));
    ASSERT_INT_EQ(weft_response_status(response), 404);
    weft_response_free(response);
    ASSERT_INT_EQ(weft_server_connections(world.server), 1);
    end(&world);
}

VIRTUAL_TEST(server_without_a_socket_streams_both_ways)
{
    static char large[300000];
    struct world world;
    weft_response *response;
    char data[4096];
    memset(large, 'x', sizeof large);
    ASSERT_OK(begin(&world));
    ASSERT_OK(weft_client_post(world.client, "/echo",
                               WEFT_REQUEST(.content = large, .content_len = sizeof large),
                               &response));
    ASSERT_INT_EQ(weft_response_num_bytes_downloaded(response), sizeof large);
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(world.client, "GET", "/endless", NULL, &response));
    for (int i = 0; i < 10; i++)
        ASSERT_INT_GT(weft_response_read(response, data, sizeof data), 0);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    /* It waits for its reader. */
    ASSERT_INT_LT(world.pieces, 100);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(weft_server_connections(world.server), 0);
    end(&world);
}

VIRTUAL_TEST(server_connections_end_with_their_client)
{
    struct world world;
    weft_response *response;
    ASSERT_OK(begin(&world));
    ASSERT_OK(weft_client_get(world.client, "/hello/kim", NULL, &response));
    weft_response_free(response);
    weft_client_free(world.client);
    world.client = NULL;
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(weft_server_connections(world.server), 0);
    ASSERT_OK(weft_group_wait(&world.group));
    weft_transport_free(world.transport);
    weft_server_free(world.server);
}

static int fail(weft_stream *stream, void *arg)
{
    (void)stream;
    ++*(int *)arg;
    return -EACCES;
}

VIRTUAL_TEST(server_function_that_fails_ends_its_connection_alone)
{
    struct world world = {.pieces = 0};
    weft_response *response;
    ASSERT_OK(weft_group_init(&world.group, NULL));
    ASSERT_ERR(weft_transport_serve(&world.group, NULL, NULL, &world.transport), -EINVAL);
    ASSERT_ERR(weft_transport_serve(NULL, fail, NULL, &world.transport), -EINVAL);
    ASSERT_OK(weft_transport_serve(&world.group, fail, &world.pieces, &world.transport));
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.transport = world.transport), &world.client));
    for (int i = 0; i < 2; i++)
        ASSERT_INT_LT(weft_client_get(world.client, "http://a.test/", NULL, &response), 0);
    ASSERT_INT_EQ(world.pieces, 2);
    end(&world);
}

static int ask_once(void *arg)
{
    struct world world;
    weft_response *response;
    (void)arg;
    int err = begin(&world);
    if (err == 0) {
        err = weft_client_get(world.client, "/hello/kim", NULL, &response);
        if (err == 0)
            weft_response_free(response);
    }
    end(&world);
    return err;
}

TEST(served_transport_survives_every_fault)
{
    FAULTS(ask_once, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

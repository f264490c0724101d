#include <stdio.h>
#include <string.h>

#include <weft.h>

#include "test.h"

/* A server that answers every request with its request line. */
struct server {
    weft_listener *listener;
    char base[64];
    weft_group group;
    int connections;
};

static int serve_one(void *arg)
{
    weft_stream *stream = arg;
    weft_reader *reader;
    char *line;
    ASSERT_OK(weft_reader_new(stream, 8192, &reader));
    for (;;) {
        char first[256];
        char reply[512];
        int64_t n = weft_reader_read_line(reader, &line);
        if (n <= 0)
            break;
        snprintf(first, sizeof first, "%s", line);
        first[strcspn(first, "\r\n")] = '\0';
        while ((n = weft_reader_read_line(reader, &line)) > 0 && strcspn(line, "\r\n") > 0)
            continue;
        snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(first), first);
        if (weft_stream_write(stream, reply, strlen(reply)) < 0)
            break;
    }
    weft_reader_free(reader);
    weft_stream_free(stream);
    return 0;
}

static int serve(void *arg)
{
    struct server *server = arg;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    for (;;) {
        weft_stream *stream;
        if (weft_listener_accept(server->listener, &stream) < 0)
            break;
        server->connections++;
        ASSERT_OK(weft_group_spawn(&group, serve_one, stream));
    }
    weft_group_cancel(&group, "the test is over");
    weft_group_wait(&group);
    return 0;
}

static void server_start(struct server *server)
{
    memset(server, 0, sizeof *server);
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &server->listener));
    snprintf(server->base, sizeof server->base, "http://127.0.0.1:%u",
             weft_listener_port(server->listener));
    ASSERT_OK(weft_group_init(&server->group, NULL));
    ASSERT_OK(weft_group_spawn(&server->group, serve, server));
}

static void server_stop(struct server *server)
{
    weft_group_cancel(&server->group, "the test is over");
    weft_group_wait(&server->group);
    weft_listener_close(server->listener);
}

static void get_twice(void)
{
    struct server server;
    weft_client *client;
    weft_response *response;
    weft_pool_stats stats;
    server_start(&server);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = server.base), &client));
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_get(client, "/a", NULL, &response));
        ASSERT_INT_EQ(weft_response_status(response), 200);
        ASSERT_STR_EQ(weft_response_text(response, NULL), "GET /a HTTP/1.1");
        weft_response_free(response);
    }
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.opened, 1);
    ASSERT_INT_EQ(stats.idle, 1);
    ASSERT_INT_EQ(server.connections, 1);
    weft_client_free(client);
    server_stop(&server);
}

TASK_TEST(get_in_a_task_reuses_its_connection)
{
    get_twice();
}

TEST(get_in_plain_code_reuses_its_connection)
{
    get_twice();
}

TASK_TEST(one_off_get_returns_the_response)
{
    struct server server;
    weft_response *response;
    char url[128];
    server_start(&server);
    snprintf(url, sizeof url, "%s/x?y=1", server.base);
    ASSERT_OK(weft_get(url, NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "GET /x?y=1 HTTP/1.1");
    weft_response_free(response);
    server_stop(&server);
}

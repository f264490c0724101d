/* test_server_cases.c - the conversations of server_cases.c in memory, whole and in pieces. */
#include <stdio.h>
#include <string.h>

#include "server/server_int.h"
#include "server_harness.h"
#include "test.h"

static weft_server *server;

static int serve_end(void *arg)
{
    return weft__server_serve_stream(server, arg);
}

/* The server may be gone before all is said. */
static void say(weft_stream *stream, const char *text, size_t len)
{
    if (weft_stream_write(stream, text, len) >= 0)
        weft_yield();
}

/* The request in pieces that end at split and then at every step bytes. */
static void converse(const struct server_case *one, size_t split, size_t step)
{
    static char reply[65536];
    static char expected[65536];
    weft_group group;
    weft_stream *client;
    weft_stream *end;
    size_t len = harness_request_len(one);
    ASSERT_OK(weft_stream_pair(0, &client, &end));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve_end, end));
    for (size_t at = 0; at < len;) {
        size_t next = at < split ? split : at + step;
        if (next > len)
            next = len;
        say(client, one->request + at, next - at);
        at = next;
    }
    weft_stream_write_eof(client);
    harness_read_all(client, reply, sizeof reply);
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(client);
    harness_normalise(reply);
    harness_expected(one, expected, sizeof expected);
    if (strcmp(reply, expected) != 0)
        printf("case %s, split %zu, step %zu\n", one->name, split, step);
    ASSERT_STR_EQ(reply, expected);
}

static void start_server(void)
{
    server = harness_server(WEFT_SERVER(.body_max = 100, .head_max = 2048, .fields_max = 20));
}

VIRTUAL_TEST(server_cases_whole_have_their_replies)
{
    start_server();
    for (size_t i = 0; i < n_server_cases; i++)
        converse(&server_cases[i], 0, SIZE_MAX / 2);
    weft_server_free(server);
}

VIRTUAL_TEST(server_cases_byte_by_byte_have_their_replies)
{
    start_server();
    for (size_t i = 0; i < n_server_cases; i++)
        converse(&server_cases[i], 0, 1);
    weft_server_free(server);
}

VIRTUAL_TEST(server_cases_split_anywhere_have_their_replies)
{
    start_server();
    for (size_t i = 0; i < n_server_cases; i++) {
        size_t len = harness_request_len(&server_cases[i]);
        for (size_t split = 1; split < len && !server_cases[i].long_one; split++)
            converse(&server_cases[i], split, len);
    }
    weft_server_free(server);
}

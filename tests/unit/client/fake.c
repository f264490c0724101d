#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_int.h"
#include "gate.h"
#include "test.h"

struct connection {
    struct fake *fake;
    weft_stream *stream;
};

static int answer(struct connection *connection, const char *path)
{
    struct fake *fake = connection->fake;
    char reply[512];
    size_t n = strlen(fake->order);
    if (n + 1 < sizeof fake->order)
        fake->order[n] = path[strlen(path) - 1];
    int err = 0;
    if (strncmp(path, "/delay/", 7) == 0)
        err = weft_sleep(WEFT_MS(strtol(path + 7, NULL, 10)));
    if (err < 0)
        return err;
    fake->requests++;
    snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(path),
             path);
    return weft_stream_write(connection->stream, reply, strlen(reply));
}

static void serve(struct connection *connection, weft_reader *reader)
{
    char *line;
    for (int served = 0;; served++) {
        char path[256] = "";
        if (served > 0 && served == connection->fake->per_connection)
            return;
        if (weft_reader_read_line(reader, &line) <= 0)
            return;
        sscanf(line, "%*s %255s", path);
        int64_t n;
        while ((n = weft_reader_read_line(reader, &line)) > 0 && strcspn(line, "\r\n") > 0)
            continue;
        if (n <= 0 || answer(connection, path) < 0)
            return;
    }
}

static int serve_connection(void *arg)
{
    struct connection *connection = arg;
    weft_reader *reader;
    ASSERT_OK(weft_reader_new(connection->stream, 4096, &reader));
    serve(connection, reader);
    weft_reader_free(reader);
    weft_stream_free(connection->stream);
    connection->fake->open--;
    free(connection);
    return 0;
}

static int fake_dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct fake *fake = userdata;
    (void)url;
    int err = weft_sleep(fake->dial_takes);
    if (err < 0)
        return err;
    if (fake->dial_fails)
        return weft__fail(WEFT_EREFUSED, "connection refused");
    struct connection *connection = malloc(sizeof *connection);
    connection->fake = fake;
    ASSERT_OK(gate_pair(&fake->group, 4096, ret, &connection->stream));
    fake->opened++;
    if (++fake->open > fake->most)
        fake->most = fake->open;
    ASSERT_OK(weft_group_spawn(&fake->group, serve_connection, connection));
    return 0;
}

void fake_start(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    ASSERT_OK(weft_group_init(&fake->group, WEFT_GROUP(.name = "fake server")));
}

void fake_stop(struct fake *fake)
{
    weft_group_cancel(&fake->group, "the test is over");
    weft_group_wait(&fake->group);
}

void fake_serve(struct fake *fake, weft_client *client)
{
    gate_dial(client, fake_dial, fake);
}

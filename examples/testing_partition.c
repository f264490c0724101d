/* A download that goes on where it broke off, tested with a network that falls apart. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

enum { SIZE = 1000000 };

struct world {
    weft_testing_network *net;
    weft_server *server;
    int requests;
};

/* What the program under test would do: five seconds of silence, and it asks for the rest. */
static int download(weft_client *client, size_t *ret_len)
{
    char data[16384];
    char range[64];
    weft_response *response;
    size_t len = 0;
    int64_t n = 0;
    while (len < SIZE) {
        snprintf(range, sizeof range, "bytes=%zu-", len);
        int err = weft_client_stream(client, "GET", "/file",
                                     WEFT_REQUEST(.headers = (weft_pair[]){{"Range", range}, {0}}),
                                     &response);
        if (err < 0)
            return err;
        while ((n = weft_response_read(response, data, sizeof data)) > 0)
            len += (size_t)n;
        weft_response_free(response);
        if (n < 0 && n != WEFT_EREAD_TIMEOUT)
            return (int)n;
    }
    *ret_len = len;
    return 0;
}

static int file(weft_server_request *request, weft_reply *reply, void *arg)
{
    static char data[SIZE];
    struct world *world = arg;
    size_t from = (size_t)strtoul(weft_server_request_header(request, "Range") + 6, NULL, 10);
    world->requests++;
    return weft_reply_bytes(reply, 206, "application/octet-stream", data, SIZE - from);
}

static int serve(void *arg)
{
    return weft_server_serve(((struct world *)arg)->server);
}

static int on_server(void *arg)
{
    return weft_testing_host_run(((struct world *)arg)->net, "files.test", serve, arg);
}

/* After 4 s nothing gets through any more, after 12 s it does again. */
static int fall_apart(void *arg)
{
    struct world *world = arg;
    int err = weft_sleep(WEFT_SEC(4));
    if (err == 0)
        err = weft_testing_partition(world->net, "files.test", NULL, true);
    if (err == 0)
        err = weft_sleep(WEFT_SEC(8));
    return err < 0 ? err : weft_testing_heal(world->net, "files.test", NULL);
}

static int main_task(void *arg)
{
    struct world world = {0};
    weft_group group;
    size_t len = 0;
    WEFT_AUTO(weft_client) *client = NULL;
    int64_t begun = weft_now();
    (void)arg;
    weft_testing_network_new(WEFT_TESTING_NETWORK(.link = WEFT_TESTING_LINK(.latency = WEFT_MS(20),
                                                                            .bandwidth = 100000)),
                             &world.net);
    weft_testing_host_add(world.net, "files.test", NULL);
    weft_server_new(WEFT_SERVER(.host = "files.test", .port = 80), &world.server);
    weft_server_route(world.server, "GET", "/file", file, &world);
    weft_client_new(WEFT_CLIENT(.base_url = "http://files.test", .connect_timeout = WEFT_SEC(60)),
                    &client);
    weft_group_init(&group, NULL);
    weft_group_spawn(&group, on_server, &world);
    weft_group_spawn(&group, fall_apart, &world);
    int err = download(client, &len);
    printf("%zu bytes, %d requests, %.0f s\n", len, world.requests,
           (double)(weft_now() - begun) * 1e-9);
    weft_server_stop(world.server, 0);
    int joined = weft_group_wait(&group);
    weft_server_free(world.server);
    weft_client_free(client);
    client = NULL;
    weft_testing_network_free(world.net);
    return err < 0 ? err : joined;
}

int main(void)
{
    int err = weft_run_with(main_task, NULL, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL));
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}

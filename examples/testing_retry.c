/* A client that retries, tested without a server and in no time: on a network in memory. */
#include <stdio.h>
#include <weft.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

struct world {
    weft_testing_network *net;
    weft_server *server;
    int requests;
    int64_t waited;
};

static void count_wait(const weft_attempt *attempt, void *world)
{
    ((struct world *)world)->waited += attempt->wait;
}

/* What the program under test would do. */
static int fetch_report(struct world *world, weft_response **ret)
{
    WEFT_AUTO(weft_client) *client = NULL;
    int err = weft_client_new(
        WEFT_CLIENT(.base_url = "http://api.test",
                    .retry =
                        WEFT_RETRY(.attempts = 6, .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(2)},
                                   .before_sleep = count_wait, .userdata = world)),
        &client);
    return err < 0 ? err : weft_client_get(client, "/report", NULL, ret);
}

/* Fails twice, breaks off in the middle, wants to be left alone for 7 s, and then answers. */
static int report(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct world *world = arg;
    (void)request;
    switch (++world->requests) {
    case 1:
    case 2:
        return weft_reply_text(reply, 503, "not now");
    case 3:
        weft_reply_start(reply, 200, 1000000);
        weft_reply_write(reply, "the beginning", 13);
        weft_reply_flush(reply);
        weft_sleep(WEFT_MS(50)); /* it gets there */
        return weft_testing_reset(world->net, "api.test", NULL);
    case 4:
        weft_reply_set_header(reply, "Retry-After", "7");
        return weft_reply_text(reply, 429, "slow down");
    default:
        return weft_reply_text(reply, 200, "all is well");
    }
}

static int serve(void *arg)
{
    return weft_server_serve(((struct world *)arg)->server);
}

static int on_server(void *arg)
{
    return weft_testing_host_run(((struct world *)arg)->net, "api.test", serve, arg);
}

static int test_report(void *unused)
{
    (void)unused;
    struct world world = {0};
    weft_group group;
    weft_response *response = NULL;
    int64_t begun = weft_now();
    weft_testing_network_new(
        WEFT_TESTING_NETWORK(.link = WEFT_TESTING_LINK(.latency = WEFT_MS(10))), &world.net);
    weft_testing_host_add(world.net, "api.test", NULL);
    weft_server_new(WEFT_SERVER(.host = "api.test", .port = 80), &world.server);
    weft_server_route(world.server, "GET", "/report", report, &world);
    weft_group_init(&group, NULL);
    weft_group_spawn(&group, on_server, &world);

    int err = fetch_report(&world, &response);
    /* 2 + 2 + 2 + 7 s and the client's spread; three connections, five exchanges, 50 ms to break. */
    int64_t on_network = weft_now() - begun - world.waited;
    if (err == 0 && (weft_response_status(response) != 200 || world.requests != 5 ||
                     world.waited < WEFT_SEC(13) || on_network != WEFT_MS(200)))
        err = -EPROTO;
    weft_response_free(response);
    weft_server_stop(world.server, 0);
    int joined = weft_group_wait(&group);
    weft_server_free(world.server);
    weft_testing_network_free(world.net);
    return err < 0 ? err : joined;
}

int main(void)
{
    int err = weft_testing_each_seed(1000, test_report, NULL, NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    else
        puts("5 attempts with waits of 13 s, 1000 times");
    return err < 0;
}

/*
 * Servers, names and proxies that keep a call busy without an end: the total time-out ends it at
 * its time, whatever they do, and each other time-out says which it was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing_net.h>

#include "test.h"

enum { PORT = 80 };

/* What a server says on every connection. */
struct script {
    const char *first;   /* once the request has come; NULL: nothing, not even reading */
    const char *again;   /* after that, each time */
    int64_t every;       /* so often */
    bool once;           /* per connection: again is not said, the connection stays open */
    bool reads_requests; /* each one has an answer */
};

struct world {
    weft_testing_network *net;
    weft_group group;
    weft_client *client;
    const struct script *script;
    int connections;
};

static const char *const server_addresses[] = {"10.0.0.2", NULL};

static int talk(const struct script *script, weft_stream *stream)
{
    char request[4096];
    int err = 0;
    do {
        if (weft_stream_read(stream, request, sizeof request) <= 0)
            return 0;
        err = weft_stream_write(stream, script->first, strlen(script->first));
        if (err == 0)
            err = weft_stream_flush(stream);
        if (err == 0 && script->reads_requests)
            err = weft_sleep(script->every);
    } while (err == 0 && script->reads_requests);
    while (err == 0 && !script->once) {
        err = weft_sleep(script->every);
        if (err == 0)
            err = weft_stream_write(stream, script->again, strlen(script->again));
        if (err == 0)
            err = weft_stream_flush(stream);
    }
    return err == 0 ? weft_sleep(WEFT_SEC(100000)) : 0;
}

struct visit {
    struct world *world;
    weft_stream *stream;
};

static int serve_one(void *arg)
{
    struct visit visit = *(struct visit *)arg;
    const struct script *script = visit.world->script;
    if (script->first == NULL)
        weft_sleep(WEFT_SEC(100000));
    else
        talk(script, visit.stream);
    weft_stream_free(visit.stream);
    return 0;
}

static int serve(void *arg)
{
    struct world *world = arg;
    weft_listener *listener;
    ASSERT_OK(weft_listen("10.0.0.2", PORT, NULL, &listener));
    for (;;) {
        struct visit visit = {.world = world};
        if (weft_listener_accept(listener, &visit.stream) < 0)
            break;
        world->connections++;
        if (weft_group_spawn(&world->group, serve_one, &visit) < 0)
            weft_stream_free(visit.stream);
    }
    weft_listener_close(listener);
    return 0;
}

static int serve_there(void *arg)
{
    struct world *world = arg;
    return weft_testing_host_run(world->net, "server.test", serve, world);
}

static void begin(struct world *world, const struct script *script,
                  const weft_client_options *options)
{
    *world = (struct world){.script = script};
    ASSERT_OK(weft_testing_network_new(NULL, &world->net));
    ASSERT_OK(weft_testing_host_add(world->net, "server.test",
                                    WEFT_TESTING_NAME(.addresses = server_addresses)));
    ASSERT_OK(weft_group_init(&world->group, NULL));
    ASSERT_OK(weft_group_spawn(&world->group, serve_there, world));
    ASSERT_OK(weft_client_new(options, &world->client));
}

static void end(struct world *world)
{
    weft_pool_stats stats;
    weft_client_pool_stats(world->client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.waiting, 0);
    weft_client_free(world->client);
    weft_group_cancel(&world->group, "the test is over");
    weft_group_wait(&world->group);
    weft_testing_network_free(world->net);
}

#define HEAD    "HTTP/1.1 200 OK\r\n"
#define URL     "http://server.test/"
#define FOREVER .connect_timeout = WEFT_FOREVER, .read_timeout = WEFT_FOREVER

/* The call ends with error after exactly this time. */
static void check(const struct script *script, const weft_client_options *options, int error,
                  int64_t after)
{
    struct world world;
    weft_response *response;
    begin(&world, script, options);
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_get(world.client, URL, NULL, &response), error);
    ASSERT_INT_EQ(weft_now() - began, after);
    ASSERT_STR_HAS(weft_error_message(), "GET " URL);
    end(&world);
}

static const struct script silent = {.first = NULL};
#define HINT "HTTP/1.1 103 Early Hints\r\n\r\n"
static const struct script hints = {.first = HINT, .again = HINT, .every = WEFT_MS(300)};
static const struct script flood = {.first = HINT, .again = HINT, .every = WEFT_MS(1)};
static const struct script slow_head = {.first = HEAD, .again = "X", .every = WEFT_MS(700)};
static const struct script slow_body = {
    .first = HEAD "Content-Length: 1000\r\n\r\n", .again = "x", .every = WEFT_MS(700)};
static const struct script slow_chunks = {.first = HEAD "Transfer-Encoding: chunked\r\n\r\n",
                                          .again = "1\r\nx\r\n",
                                          .every = WEFT_MS(700)};
static const struct script slow_end = {.first = HEAD "\r\n", .again = "x", .every = WEFT_MS(700)};
static const struct script no_trailers = {.first = HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n",
                                          .once = true};
static const struct script round_and_round = {
    .first = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    .every = WEFT_MS(10),
    .reads_requests = true};
static const struct script never_ready = {
    .first = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    .every = WEFT_MS(10),
    .reads_requests = true};

VIRTUAL_TEST(total_timeout_ends_whatever_a_server_does)
{
    static const struct script *const scripts[] = {&silent,      &hints,          &slow_head,
                                                   &slow_body,   &slow_chunks,    &slow_end,
                                                   &no_trailers, &round_and_round};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        check(scripts[i],
              WEFT_CLIENT(.timeout = WEFT_MS(3333), .max_redirects = 1000000,
                          .follow_redirects = WEFT_ON,
                          .read_timeout = scripts[i]->once || scripts[i]->first == NULL
                                              ? WEFT_FOREVER
                                              : WEFT_SEC(1)),
              WEFT_ETOTAL_TIMEOUT, WEFT_MS(3333));
}

/* What is not worth waiting for is not waited for: the last answer is returned. */
VIRTUAL_TEST(total_timeout_bounds_retries)
{
    struct world world;
    weft_response *response;
    begin(&world, &never_ready,
          WEFT_CLIENT(.timeout = WEFT_MS(3333), .retry = WEFT_RETRY(.attempts = 1000)));
    int64_t began = weft_now();
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_status(response), 503);
    ASSERT_INT_LE(weft_now() - began, WEFT_MS(3333));
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(total_timeout_ends_waiting_for_a_name)
{
    struct world world;
    weft_response *response;
    begin(&world, &silent, WEFT_CLIENT(.timeout = WEFT_SEC(7), FOREVER));
    ASSERT_OK(weft_testing_name_set(
        world.net, "server.test",
        WEFT_TESTING_NAME(.addresses = server_addresses, .delay = WEFT_SEC(3600))));
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_get(world.client, URL, NULL, &response), WEFT_ETOTAL_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(7));
    ASSERT_ERR(
        weft_client_get(world.client, URL, WEFT_REQUEST(.connect_timeout = WEFT_SEC(2)), &response),
        WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(9));
    ASSERT_STR_HAS(weft_error_message(), "timed out while connecting after 2 s (server.test)");
    end(&world);
}

/* Packets to an address that no host has are never answered. */
VIRTUAL_TEST(connect_timeout_bounds_all_addresses_together)
{
    static const char *const black[] = {"10.9.9.1", "10.9.9.2", "10.9.9.3", "10.9.9.4", NULL};
    struct world world;
    weft_response *response;
    begin(&world, &silent, WEFT_CLIENT(.connect_timeout = WEFT_SEC(3)));
    ASSERT_OK(weft_testing_name_set(world.net, "server.test",
                                    WEFT_TESTING_NAME(.addresses = black, .delay = WEFT_SEC(1))));
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_get(world.client, URL, NULL, &response), WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(3));
    end(&world);
}

VIRTUAL_TEST(connect_timeout_counts_the_handshake_of_a_proxy_and_of_tls)
{
    struct world world;
    weft_response *response;
    static const char *const proxies[] = {"http://server.test:80", "socks5h://server.test:80",
                                          "socks4a://server.test:80"};
    for (size_t i = 0; i < 3; i++) {
        begin(&world, &silent,
              WEFT_CLIENT(.proxy = proxies[i], .connect_timeout = WEFT_SEC(2),
                          .read_timeout = WEFT_SEC(60)));
        int64_t began = weft_now();
        ASSERT_ERR(weft_client_get(world.client, "https://away.test/", NULL, &response),
                   WEFT_ECONNECT_TIMEOUT);
        ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(2));
        end(&world);
    }
    begin(&world, &silent, WEFT_CLIENT(.connect_timeout = WEFT_SEC(2)));
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_get(world.client, "https://server.test:80/", NULL, &response),
               WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(2));
    end(&world);
}

/* A drip renews it, which is what the other two are for. */
VIRTUAL_TEST(read_timeout_is_that_between_two_bytes)
{
    check(&silent, WEFT_CLIENT(.read_timeout = WEFT_SEC(2)), WEFT_EREAD_TIMEOUT, WEFT_SEC(2));
    check(&no_trailers, WEFT_CLIENT(.read_timeout = WEFT_SEC(2)), WEFT_EREAD_TIMEOUT, WEFT_SEC(2));
    check(&slow_body, WEFT_CLIENT(.read_timeout = WEFT_MS(600)), WEFT_EREAD_TIMEOUT, WEFT_MS(600));
    check(&slow_body,
          WEFT_CLIENT(.read_timeout = WEFT_SEC(1), .low_speed_limit = 100,
                      .low_speed_time = WEFT_SEC(20)),
          WEFT_EREAD_TIMEOUT, WEFT_SEC(20));
    check(&slow_head,
          WEFT_CLIENT(.read_timeout = WEFT_SEC(1), .low_speed_limit = 100,
                      .low_speed_time = WEFT_SEC(20)),
          WEFT_EREAD_TIMEOUT, WEFT_SEC(20));
}

VIRTUAL_TEST(write_timeout_is_that_without_progress)
{
    static char body[1 << 20];
    struct world world;
    weft_response *response;
    begin(&world, &silent, WEFT_CLIENT(.write_timeout = WEFT_SEC(2), FOREVER));
    int64_t began = weft_now();
    ASSERT_ERR(weft_client_put(world.client, URL,
                               WEFT_REQUEST(.content = body, .content_len = sizeof body),
                               &response),
               WEFT_EWRITE_TIMEOUT);
    /* The first bytes have moved; that is looked at four times in 2 s. */
    ASSERT_INT_EQ(weft_now() - began, WEFT_MS(2500));
    ASSERT_STR_HAS(weft_error_message(), "timed out while writing after 2 s (10.0.0.2:80)");
    end(&world);
}

VIRTUAL_TEST(total_timeout_bounds_the_reading_of_a_stream)
{
    struct world world;
    weft_response *response;
    char byte;
    int64_t n;
    begin(&world, &slow_body, WEFT_CLIENT(.timeout = WEFT_MS(3333)));
    int64_t began = weft_now();
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    while ((n = weft_response_read(response, &byte, 1)) > 0)
        continue;
    ASSERT_ERR((int)n, WEFT_ETOTAL_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - began, WEFT_MS(3333));
    weft_response_free(response);
    end(&world);
}

/* The number of interim answers is bounded as well. */
VIRTUAL_TEST(flood_of_interim_answers_ends_without_a_timeout)
{
    struct world world;
    weft_response *response;
    begin(&world, &flood, NULL);
    ASSERT_ERR(weft_client_get(world.client, URL, NULL, &response), WEFT_EREMOTE_PROTOCOL);
    end(&world);
}

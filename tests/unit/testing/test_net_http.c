/* test_net_http.c - TLS and HTTP over the simulated network, and all that may break them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

#include "certs.h"
#include "fault.h"
#include "stream_suite.h"

/* ---- two ends ---- */

struct world {
    weft_testing_network *net;
    weft_listener *listener;
    weft_stream *client;
    weft_stream *server;
};

static int listen_here(void *arg)
{
    struct world *world = arg;
    return weft_listen(NULL, 80, NULL, &world->listener);
}

static void new_world(struct world *world, const weft_testing_link *link)
{
    *world = (struct world){.net = NULL};
    ASSERT_OK(weft_testing_network_new(WEFT_TESTING_NETWORK(.seed = 5, .link = link), &world->net));
    ASSERT_OK(weft_testing_host_add(world->net, "server.test", NULL));
    ASSERT_OK(weft_testing_host_run(world->net, "server.test", listen_here, world));
}

static void free_world(struct world *world)
{
    weft_stream_free(world->client);
    weft_stream_free(world->server);
    weft_listener_close(world->listener);
    weft_testing_network_free(world->net);
}

static void connect_world(struct world *world)
{
    ASSERT_OK(weft_dial("server.test", 80, NULL, &world->client));
    ASSERT_OK(weft_listener_accept(world->listener, &world->server));
}

/* ---- by chance ---- */

VIRTUAL_TEST(net_connections_are_refused_by_chance)
{
    struct world world;
    weft_testing_link_stats stats;
    int refused = 0;
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(1), .refuse = 0.3));
    for (int i = 0; i < 200; i++) {
        int err = weft_dial("server.test", 80, NULL, &world.client);
        refused += err == WEFT_EREFUSED;
        if (err < 0)
            ASSERT_ERR(err, WEFT_EREFUSED);
        else
            ASSERT_OK(weft_listener_accept(world.listener, &world.server));
        weft_stream_free(world.client);
        weft_stream_free(world.server);
        world.client = NULL;
        world.server = NULL;
    }
    ASSERT_INT_GT(refused, 20);
    ASSERT_INT_LT(refused, 120);
    ASSERT_OK(weft_testing_link_stats_get(world.net, "localhost", "server.test", &stats));
    ASSERT_INT_EQ(stats.refused, refused);
    ASSERT_INT_EQ(stats.connections, 200 - refused);
    free_world(&world);
}

VIRTUAL_TEST(net_connections_are_reset_by_chance_and_both_ends_know)
{
    struct world world;
    weft_testing_link_stats stats;
    char byte;
    int resets = 0;
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(1), .reset = 0.05));
    for (int i = 0; i < 100; i++) {
        connect_world(&world);
        int err = 0;
        for (int k = 0; k < 5 && err == 0; k++) {
            ASSERT_OK(weft_stream_write(world.client, "x", 1));
            ASSERT_OK(weft_stream_flush(world.client));
            err = (int)weft_stream_read_exact(world.server, &byte, 1);
        }
        if (err < 0) {
            ASSERT_ERR(err, -ECONNRESET);
            ASSERT_ERR((int)weft_stream_read(world.client, &byte, 1), -ECONNRESET);
            resets++;
        }
        weft_stream_free(world.client);
        weft_stream_free(world.server);
        world.client = NULL;
        world.server = NULL;
    }
    ASSERT_INT_GT(resets, 5);
    ASSERT_INT_LT(resets, 50);
    ASSERT_OK(weft_testing_link_stats_get(world.net, "localhost", "server.test", &stats));
    ASSERT_INT_EQ(stats.resets, resets);
    free_world(&world);
}

/* ---- partitions without an end ---- */

VIRTUAL_TEST(net_written_during_a_long_partition_times_out)
{
    struct world world;
    char byte;
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    connect_world(&world);
    ASSERT_OK(weft_testing_partition(world.net, "localhost", "server.test", true));
    int64_t begun = weft_now();
    ASSERT_OK(weft_stream_write(world.client, "x", 1));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_ERR((int)weft_stream_read(world.client, &byte, 1), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(924600));
    /* The server learns of it when it says something: its answer is a reset. */
    ASSERT_OK(weft_testing_heal(world.net, NULL, NULL));
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(10));
    int err = (int)weft_stream_read(world.server, &byte, 1);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_stream_write(world.server, "y", 1));
    ASSERT_OK(weft_stream_flush(world.server));
    ASSERT_ERR((int)weft_stream_read(world.server, &byte, 1), -ECONNRESET);
    free_world(&world);
}

VIRTUAL_TEST(net_confirmations_that_do_not_come_back_time_out_too)
{
    struct world world;
    char text[4];
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    connect_world(&world);
    ASSERT_OK(weft_testing_partition(world.net, "server.test", "localhost", false));
    int64_t begun = weft_now();
    ASSERT_OK(weft_stream_write(world.client, "abc", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK((int)weft_stream_read_exact(world.server, text, 3));
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(10));
    ASSERT_ERR((int)weft_stream_read(world.client, text, 1), -ETIMEDOUT);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(924600));
    free_world(&world);
}

VIRTUAL_TEST(net_partition_that_heals_in_time_costs_no_connection)
{
    struct world world;
    char text[4];
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    connect_world(&world);
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_testing_partition(world.net, NULL, "server.test", true));
        ASSERT_OK(weft_stream_write(world.client, "abc", 3));
        ASSERT_OK(weft_stream_flush(world.client));
        ASSERT_OK(weft_sleep(WEFT_SEC(900)));
        ASSERT_OK(weft_testing_heal(world.net, NULL, "server.test"));
        ASSERT_OK((int)weft_stream_read_exact(world.server, text, 3));
        ASSERT_MEM_EQ(text, "abc", 3);
    }
    /* Nothing unconfirmed: an idle connection lives through anything. */
    ASSERT_OK(weft_testing_partition(world.net, NULL, "server.test", true));
    ASSERT_OK(weft_sleep(WEFT_SEC(5000)));
    ASSERT_OK(weft_testing_heal(world.net, NULL, "server.test"));
    ASSERT_OK(weft_stream_write(world.client, "end", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK((int)weft_stream_read_exact(world.server, text, 3));
    free_world(&world);
}

VIRTUAL_TEST(net_writer_that_waits_is_told_of_the_time_out)
{
    static char data[200000];
    struct world world;
    new_world(&world, NULL);
    connect_world(&world);
    ASSERT_OK(weft_testing_partition(world.net, NULL, "server.test", true));
    ASSERT_ERR(weft_stream_write(world.client, data, sizeof data), -ETIMEDOUT);
    free_world(&world);
}

/* ---- TLS ---- */

struct secure {
    struct world world;
    weft_tls *tls;
};

static int accept_secure(void *arg)
{
    struct secure *secure = arg;
    weft_stream *below;
    int err = weft_listener_accept(secure->world.listener, &below);
    return err < 0 ? err : weft_tls_accept(secure->tls, below, &secure->world.server);
}

/* The certificate is one of localhost. */
static int dial_secure(weft_tls *tls, struct secure *secure)
{
    weft_stream *below;
    int err = weft_dial("server.test", 80, NULL, &below);
    return err < 0 ? err : weft_tls_connect(tls, below, "localhost", &secure->world.client);
}

VIRTUAL_TEST(net_carries_tls_in_two_round_trips)
{
    struct secure secure;
    weft_group group;
    weft_tls *client;
    char text[8];
    new_world(&secure.world, NULL);
    ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = certs_good()), &secure.tls));
    ASSERT_OK(weft_tls_new_client(WEFT_TLS(.ca_file = certs_ca()), &client));
    ASSERT_OK(weft_testing_link_set(secure.world.net, NULL, NULL,
                                    WEFT_TESTING_LINK(.latency = WEFT_MS(50))));
    int64_t begun = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, accept_secure, &secure));
    ASSERT_OK(dial_secure(client, &secure));
    /* A round trip for TCP, one for TLS 1.3. */
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(200));
    ASSERT_OK(weft_stream_write(secure.world.client, "secret", 6));
    ASSERT_OK(weft_stream_flush(secure.world.client));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK((int)weft_stream_read_exact(secure.world.server, text, 6));
    ASSERT_MEM_EQ(text, "secret", 6);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(250));
    weft_testing_reset(secure.world.net, NULL, NULL);
    ASSERT_ERR((int)weft_stream_read(secure.world.server, text, 1), -ECONNRESET);
    free_world(&secure.world);
    weft_tls_free(secure.tls);
    weft_tls_free(client);
}

/* ---- HTTP ---- */

struct site {
    weft_testing_network *net;
    weft_server *server;
};

static int hello(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    return weft_reply_text(reply, 200, "hello");
}

static int serve(void *arg)
{
    struct site *site = arg;
    return weft_server_serve(site->server);
}

static int serve_there(void *arg)
{
    struct site *site = arg;
    return weft_testing_host_run(site->net, "api.test", serve, site);
}

static int check_answer(weft_response *response)
{
    return weft_response_status(response) == 200 &&
                   strcmp(weft_response_text(response, NULL), "hello") == 0
               ? 0
               : -EPROTO;
}

static int get_from(struct site *site, weft_group *group)
{
    weft_client *client = NULL;
    weft_response *response;
    int err = weft_group_spawn(group, serve_there, site);
    if (err == 0)
        err = weft_client_new(WEFT_CLIENT(.base_url = "http://api.test", .timeout = WEFT_SEC(60)),
                              &client);
    for (int i = 0; i < 2 && err == 0; i++) {
        err = weft_client_get(client, "/", NULL, &response);
        if (err < 0)
            break;
        err = check_answer(response);
        weft_response_free(response);
    }
    weft_client_free(client);
    return err;
}

/* Two requests and their answers, from nothing to nothing. */
static int exchange(void *arg)
{
    struct site site = {.net = NULL};
    weft_group group;
    (void)arg;
    int err = weft_testing_network_new(
        WEFT_TESTING_NETWORK(.link = WEFT_TESTING_LINK(.latency = WEFT_MS(10), .jitter = 1000)),
        &site.net);
    if (err == 0)
        err = weft_testing_host_add(site.net, "api.test", NULL);
    if (err == 0)
        err = weft_server_new(WEFT_SERVER(.host = "api.test", .port = 80), &site.server);
    if (err == 0)
        err = weft_server_route(site.server, "GET", "/", hello, NULL);
    if (err == 0 && (err = weft_group_init(&group, NULL)) == 0) {
        err = get_from(&site, &group);
        weft_server_stop(site.server, 0);
        if (err < 0)
            weft_group_cancel(&group, "it failed");
        int joined = weft_group_wait(&group);
        err = err < 0 ? err : joined;
    }
    weft_server_free(site.server);
    weft_testing_network_free(site.net);
    return err;
}

TEST(net_http_survives_each_error_of_each_operation)
{
    static const int errors[] = {-ECONNRESET, -ETIMEDOUT, -ENETUNREACH, -EINTR, -EMFILE};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        ASSERT_OK(weft_testing_each_op(exchange, NULL, WEFT_TESTING_FAULT(.error = errors[i]),
                                       WEFT_TESTING_EACH(.backend = WEFT_BACKEND_VIRTUAL)));
}

TEST(net_http_does_not_notice_short_or_late_operations)
{
    ASSERT_OK(weft_testing_each_op(exchange, NULL, WEFT_TESTING_FAULT(.limit = 1),
                                   WEFT_TESTING_EACH(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_OK(weft_testing_each_op(exchange, NULL, WEFT_TESTING_FAULT(.delay = WEFT_MS(30)),
                                   WEFT_TESTING_EACH(.backend = WEFT_BACKEND_VIRTUAL)));
}

TEST(net_http_survives_every_fault)
{
    FAULTS(exchange, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

/* In every order of the seed, cancelled at each checkpoint; afterwards it works again. */
static int exchange_cancelled_everywhere(void *arg)
{
    uint64_t count;
    uint64_t nth = 1;
    do {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, nth);
        int err = exchange(arg);
        count = weft_testing_checkpoint_count();
        weft_testing_cancel_at(NULL, 0);
        err = weft_scope_exit(&scope, err);
        if (err < 0 && err != -ECANCELED)
            return err;
        nth++;
    } while (nth <= count);
    return exchange(arg);
}

TEST(net_http_cancelled_at_each_checkpoint_under_many_seeds)
{
    uint64_t n = 40 / (uint64_t)test_slowness();
    ASSERT_OK(weft_testing_each_seed(n > 2 ? n : 2, exchange_cancelled_everywhere, NULL, NULL));
}

/* test_net.c - the simulated network: exact times, and everything that may go wrong on it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/net.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

#include "fault.h"
#include "stream_suite.h"

struct world {
    weft_testing_network *net;
    weft_listener *listener;
    weft_stream *client;
    weft_stream *server;
    int64_t accepted_at;
    int64_t connected_at;
};

static int listen_here(void *arg)
{
    struct world *world = arg;
    return weft_listen(NULL, 80, NULL, &world->listener);
}

static void new_world(struct world *world, uint64_t seed, const weft_testing_link *link)
{
    *world = (struct world){.net = NULL};
    ASSERT_OK(
        weft_testing_network_new(WEFT_TESTING_NETWORK(.seed = seed, .link = link), &world->net));
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

static int accept_it(void *arg)
{
    struct world *world = arg;
    int err = weft_listener_accept(world->listener, &world->server);
    world->accepted_at = weft_now();
    return err;
}

static int dial_it(void *arg)
{
    struct world *world = arg;
    int err = weft_dial("server.test", 80, NULL, &world->client);
    world->connected_at = weft_now();
    return err;
}

static void connect_world(struct world *world)
{
    run_both(dial_it, world, accept_it, world);
}

/* ---- time ---- */

VIRTUAL_TEST(net_connecting_takes_a_round_trip)
{
    struct world world;
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(30)));
    int64_t begun = weft_now();
    connect_world(&world);
    ASSERT_INT_EQ(world.connected_at - begun, WEFT_MS(60));
    ASSERT_INT_EQ(world.accepted_at - begun, WEFT_MS(90));
    free_world(&world);
}

static int write_million(void *arg)
{
    struct world *world = arg;
    static char data[1000000];
    int err = weft_stream_write(world->client, data, sizeof data);
    return err < 0 ? err : weft_stream_close(world->client);
}

static int read_million(void *arg)
{
    struct world *world = arg;
    char data[4096];
    int64_t n;
    size_t all = 0;
    while ((n = weft_stream_read(world->server, data, sizeof data)) > 0)
        all += (size_t)n;
    ASSERT_INT_EQ(n, 0);
    ASSERT_INT_EQ(all, 1000000);
    return 0;
}

VIRTUAL_TEST(net_data_takes_latency_and_bytes_by_bandwidth)
{
    struct world world;
    weft_testing_link_stats stats;
    new_world(&world, 1,
              WEFT_TESTING_LINK(.latency = WEFT_MS(10), .bandwidth = 1000000, .buffer = 1 << 20));
    connect_world(&world);
    int64_t begun = weft_now();
    run_both(write_million, &world, read_million, &world);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(1010));
    ASSERT_OK(weft_testing_link_stats_get(world.net, "localhost", "server.test", &stats));
    ASSERT_INT_EQ(stats.bytes, 1000000);
    ASSERT_INT_EQ(stats.connections, 1);
    free_world(&world);
}

VIRTUAL_TEST(net_writer_waits_while_the_buffer_is_full)
{
    static char data[200000];
    struct world world;
    weft_scope scope;
    new_world(&world, 1, WEFT_TESTING_LINK(.buffer = 1000));
    connect_world(&world);
    weft_scope_enter(&scope, WEFT_SEC(5));
    int err = weft_stream_write(world.client, data, sizeof data);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    free_world(&world);
}

struct watered {
    struct world *world;
    int written;
};

static int write_in_pieces(void *arg)
{
    static const char piece[500];
    struct watered *watered = arg;
    weft_stream_set_write_limits(watered->world->client, 4000, 1000);
    for (;;) {
        int err = weft_stream_write(watered->world->client, piece, sizeof piece);
        if (err < 0)
            return err;
        watered->written++;
    }
}

VIRTUAL_TEST(net_writer_waits_from_the_high_water_to_the_low)
{
    struct world world;
    struct watered watered = {.world = &world};
    weft_group group;
    char data[3000];
    new_world(&world, 1, WEFT_TESTING_LINK(.buffer = 1000));
    connect_world(&world);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, write_in_pieces, &watered));
    ASSERT_OK(weft_testing_wait_all_blocked(1));
    ASSERT_INT_EQ(watered.written, 8);
    /* What flies is unsent until all of it is gone: 1,000 bytes of 4,000 are on the network. */
    ASSERT_OK(weft_stream_read_exact(world.server, data, 2999));
    ASSERT_OK(weft_testing_wait_all_blocked(1));
    ASSERT_INT_EQ(watered.written, 8);
    ASSERT_OK(weft_stream_read_exact(world.server, data, 1));
    ASSERT_OK(weft_testing_wait_all_blocked(1));
    ASSERT_INT_EQ(watered.written, 16);
    weft_group_cancel(&group, NULL);
    weft_group_wait(&group);
    free_world(&world);
}

/* ---- connecting ---- */

VIRTUAL_TEST(net_nobody_listening_refuses_after_a_round_trip)
{
    struct world world;
    weft_stream *stream;
    weft_testing_link_stats stats;
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(5)));
    int64_t begun = weft_now();
    ASSERT_ERR(weft_dial("server.test", 81, NULL, &stream), WEFT_EREFUSED);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(10));
    ASSERT_STR_HAS(weft_error_message(), "10.0.0.2");
    ASSERT_OK(weft_testing_link_set(world.net, NULL, NULL, WEFT_TESTING_LINK(.refuse = 1)));
    ASSERT_ERR(weft_dial("server.test", 80, NULL, &stream), WEFT_EREFUSED);
    ASSERT_OK(weft_testing_link_stats_get(world.net, NULL, NULL, &stats));
    ASSERT_INT_EQ(stats.refused, 2);
    free_world(&world);
}

VIRTUAL_TEST(net_unanswered_requests_are_repeated_and_given_up)
{
    struct world world;
    weft_stream *stream;
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(5)));
    ASSERT_OK(weft_testing_partition(world.net, NULL, "server.test", false));
    int64_t begun = weft_now();
    ASSERT_ERR(weft_dial("server.test", 80, NULL, &stream), WEFT_ECONNECT_TIMEOUT);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_SEC(127));
    free_world(&world);
}

static int heal_later(void *arg)
{
    struct world *world = arg;
    int err = weft_sleep(WEFT_MS(1500));
    return err < 0 ? err : weft_testing_heal(world->net, "server.test", NULL);
}

VIRTUAL_TEST(net_request_after_the_healing_gets_through)
{
    struct world world;
    weft_group group;
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(5)));
    ASSERT_OK(weft_testing_partition(world.net, "server.test", NULL, true));
    int64_t begun = weft_now();
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, heal_later, &world));
    connect_world(&world);
    ASSERT_OK(weft_group_wait(&group));
    /* The third request, after three seconds. */
    ASSERT_INT_EQ(world.connected_at - begun, WEFT_MS(3010));
    free_world(&world);
}

static int listen_narrow(void *arg)
{
    struct world *world = arg;
    return weft_listen(NULL, 81, WEFT_LISTEN(.backlog = 1), &world->listener);
}

VIRTUAL_TEST(net_full_queue_of_a_listener_lets_clients_wait)
{
    struct world world;
    weft_stream *streams[3];
    new_world(&world, 1, NULL);
    weft_listener *first = world.listener;
    ASSERT_OK(weft_testing_host_run(world.net, "server.test", listen_narrow, &world));
    ASSERT_OK(weft_dial("server.test", 81, NULL, &streams[0]));
    ASSERT_OK(weft_dial("server.test", 81, NULL, &streams[1]));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_ERR(weft_dial("server.test", 81, WEFT_DIAL(.timeout = WEFT_SEC(2)), &streams[2]),
               WEFT_ECONNECT_TIMEOUT);
    ASSERT_OK(weft_listener_accept(world.listener, &world.server));
    int64_t begun = weft_now();
    ASSERT_OK(weft_dial("server.test", 81, NULL, &streams[2]));
    ASSERT_INT_EQ(weft_now(), begun);
    for (int i = 0; i < 3; i++)
        weft_stream_free(streams[i]);
    weft_listener_close(first);
    free_world(&world);
}

VIRTUAL_TEST(net_listening_twice_or_elsewhere_is_refused)
{
    struct world world;
    weft_listener *other;
    new_world(&world, 1, NULL);
    ASSERT_ERR(weft_testing_host_run(world.net, "server.test", listen_here, &world), -EADDRINUSE);
    ASSERT_ERR(weft_listen("10.0.0.2", 82, NULL, &other), -EADDRNOTAVAIL);
    /* Another host has ports of its own. */
    ASSERT_OK(weft_listen(NULL, 80, NULL, &other));
    ASSERT_INT_EQ(weft_listener_port(other), 80);
    weft_listener_close(other);
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &other));
    ASSERT_INT_EQ(weft_listener_port(other), 49152);
    weft_listener_close(other);
    free_world(&world);
}

VIRTUAL_TEST(net_addresses_look_as_real_ones)
{
    struct world world;
    weft_address address;
    char text[WEFT_ADDRESS_TEXT_MAX];
    new_world(&world, 1, NULL);
    connect_world(&world);
    ASSERT_OK(weft_stream_peer_address(world.client, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    ASSERT_STR_EQ(text, "10.0.0.2:80");
    ASSERT_OK(weft_stream_local_address(world.client, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    ASSERT_STR_EQ(text, "10.0.0.1:49152");
    /* The listener is one of both families. */
    ASSERT_OK(weft_stream_peer_address(world.server, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    ASSERT_STR_EQ(text, "[::ffff:10.0.0.1]:49152");
    free_world(&world);
}

/* ---- names ---- */

VIRTUAL_TEST(net_names_have_addresses_errors_and_delays)
{
    struct world world;
    weft_stream *stream;
    new_world(&world, 1, NULL);
    const char *dead_and_alive[] = {"2001:db8::1", "10.0.0.2", NULL};
    ASSERT_OK(weft_testing_name_set(world.net, "broken.test",
                                    WEFT_TESTING_NAME(.error = WEFT_EDNS, .delay = WEFT_SEC(2))));
    ASSERT_OK(weft_testing_name_set(world.net, "both.test",
                                    WEFT_TESTING_NAME(.addresses = dead_and_alive)));
    ASSERT_ERR(weft_dial("nowhere.test", 80, NULL, &stream), WEFT_EDNS_NOT_FOUND);
    int64_t begun = weft_now();
    ASSERT_ERR(weft_dial("broken.test", 80, NULL, &stream), WEFT_EDNS);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_SEC(2));
    begun = weft_now();
    /* No address of that family here: the other one at once. */
    ASSERT_OK(weft_dial("BOTH.test.", 80, NULL, &stream));
    ASSERT_INT_EQ(weft_now(), begun);
    weft_stream_free(stream);
    ASSERT_ERR(weft_testing_name_set(world.net, "x.test", NULL), -EINVAL);
    const char *none[] = {"here", NULL};
    ASSERT_ERR(weft_testing_name_set(world.net, "x.test", WEFT_TESTING_NAME(.addresses = none)),
               -EINVAL);
    free_world(&world);
}

VIRTUAL_TEST(net_dead_address_costs_the_head_start_of_the_next)
{
    struct world world;
    weft_stream *stream;
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    const char *dead_and_alive[] = {"192.0.2.1", "10.0.0.2", NULL};
    ASSERT_OK(weft_testing_name_set(world.net, "both.test",
                                    WEFT_TESTING_NAME(.addresses = dead_and_alive)));
    int64_t begun = weft_now();
    ASSERT_OK(weft_dial("both.test", 80, NULL, &stream));
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(270));
    weft_stream_free(stream);
    free_world(&world);
}

/* ---- breaking ---- */

VIRTUAL_TEST(net_reset_reaches_both_ends_after_what_arrived)
{
    struct world world;
    char text[8];
    new_world(&world, 1, NULL);
    connect_world(&world);
    ASSERT_OK(weft_stream_write(world.client, "abc", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(weft_testing_reset(world.net, "server.test", NULL), 1);
    ASSERT_INT_EQ(weft_testing_reset(world.net, "server.test", NULL), 0);
    ASSERT_INT_EQ(weft_stream_read(world.server, text, sizeof text), 3);
    ASSERT_ERR((int)weft_stream_read(world.server, text, sizeof text), -ECONNRESET);
    ASSERT_ERR((int)weft_stream_read(world.client, text, sizeof text), -ECONNRESET);
    free_world(&world);
}

VIRTUAL_TEST(net_reset_after_so_many_bytes)
{
    struct world world;
    char data[2000] = {0};
    new_world(&world, 1, NULL);
    ASSERT_OK(weft_testing_link_set(world.net, "localhost", "server.test",
                                    WEFT_TESTING_LINK(.reset_after = 1500)));
    connect_world(&world);
    ASSERT_OK(weft_stream_write(world.client, data, 1400));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK((int)weft_stream_read_exact(world.server, data, 1400));
    ASSERT_OK(weft_stream_write(world.client, data, 200));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK((int)weft_stream_read_exact(world.server, data, 100));
    ASSERT_ERR((int)weft_stream_read(world.server, data, 1), -ECONNRESET);
    ASSERT_ERR((int)weft_stream_read(world.client, data, 1), -ECONNRESET);
    free_world(&world);
}

VIRTUAL_TEST(net_close_with_unread_data_resets)
{
    struct world world;
    char text[8];
    new_world(&world, 1, NULL);
    connect_world(&world);
    ASSERT_OK(weft_stream_write(world.client, "abc", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_OK(weft_stream_close(world.server));
    ASSERT_ERR((int)weft_stream_read(world.client, text, 1), -ECONNRESET);
    free_world(&world);
}

VIRTUAL_TEST(net_partition_holds_data_back_until_it_heals)
{
    struct world world;
    weft_group group;
    char text[8];
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    connect_world(&world);
    ASSERT_OK(weft_stream_write(world.client, "abc", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    int64_t begun = weft_now();
    ASSERT_OK(weft_testing_partition(world.net, "localhost", "server.test", false));
    ASSERT_OK(weft_stream_write(world.client, "def", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    /* The other direction works. */
    ASSERT_OK(weft_stream_write(world.server, "x", 1));
    ASSERT_OK(weft_stream_flush(world.server));
    ASSERT_INT_EQ(weft_stream_read(world.client, text, 1), 1);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(10));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, heal_later, &world));
    ASSERT_OK((int)weft_stream_read_exact(world.server, text, 6));
    ASSERT_MEM_EQ(text, "abcdef", 6);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(1520));
    ASSERT_OK(weft_group_wait(&group));
    free_world(&world);
}

VIRTUAL_TEST(net_wrong_settings_are_refused)
{
    struct world world;
    weft_testing_network *second;
    new_world(&world, 1, NULL);
    ASSERT_ERR(weft_testing_network_new(NULL, &second), -EBUSY);
    ASSERT_ERR(weft_testing_host_add(world.net, "server.test", NULL), -EEXIST);
    const char *taken[] = {"10.0.0.2", NULL};
    ASSERT_ERR(weft_testing_host_add(world.net, "a.test", WEFT_TESTING_NAME(.addresses = taken)),
               -EEXIST);
    ASSERT_ERR(weft_testing_host_add(world.net, "", NULL), -EINVAL);
    ASSERT_ERR(weft_testing_link_set(world.net, "b.test", NULL, NULL), -ENOENT);
    ASSERT_ERR(weft_testing_partition(world.net, NULL, "b.test", true), -ENOENT);
    ASSERT_ERR(weft_testing_heal(world.net, "b.test", NULL), -ENOENT);
    ASSERT_ERR(weft_testing_reset(world.net, "b.test", NULL), -ENOENT);
    ASSERT_ERR(weft_testing_host_run(world.net, "b.test", listen_here, &world), -ENOENT);
    ASSERT_ERR(weft_testing_link_set(world.net, NULL, NULL, WEFT_TESTING_LINK(.loss = 2)), -EINVAL);
    ASSERT_ERR(weft_testing_link_set(world.net, NULL, NULL, WEFT_TESTING_LINK(.latency = -1)),
               -EINVAL);
    free_world(&world);
}

VIRTUAL_TEST(net_freed_under_open_sockets_fails_them)
{
    struct world world;
    char text[8];
    new_world(&world, 1, NULL);
    connect_world(&world);
    weft_testing_network_free(world.net);
    world.net = NULL;
    ASSERT_INT_LT(weft_stream_read(world.client, text, 1), 0);
    free_world(&world);
}

static int read_for_ever(void *arg)
{
    struct world *world = arg;
    char byte;
    return (int)weft_stream_read(world->client, &byte, 1);
}

/* Nobody can ever wake the reader: that is a deadlock, not a wait without end. */
static void all_wait(void *arg)
{
    (void)arg;
    struct world world;
    new_world(&world, 1, NULL);
    connect_world(&world);
    int err = read_for_ever(&world);
    free_world(&world);
    printf("%s\n", weft_error_name(err));
    fflush(stdout);
    _Exit(0);
}

static void run_all_wait(void *arg)
{
    (void)arg;
    const struct test_case body = {.run = NULL};
    (void)body;
    weft_run_with((weft_fn)(void (*)(void))all_wait, NULL,
                  WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL));
}

TEST(net_all_waiting_for_one_another_is_a_deadlock)
{
    char output[4096];
    test_fork(run_all_wait, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "deadlock");
}

/* ---- determinism ---- */

struct course {
    uint64_t seed;
    uint64_t hash;
    int64_t took;
    int n_lines;
};

static void count_line(const char *line, void *userdata)
{
    struct course *course = userdata;
    ASSERT(line[0] != '\0');
    course->n_lines++;
}

static int run_course(void *arg)
{
    struct course *course = arg;
    struct world world = {.net = NULL};
    int64_t begun = weft_now();
    ASSERT_OK(weft_testing_network_new(
        WEFT_TESTING_NETWORK(.seed = course->seed, .trace = count_line, .userdata = course,
                             .link = WEFT_TESTING_LINK(.latency = WEFT_MS(5), .jitter = WEFT_MS(5),
                                                       .bandwidth = 10000000, .loss = 0.05)),
        &world.net));
    ASSERT_OK(weft_testing_host_add(world.net, "server.test", NULL));
    ASSERT_OK(weft_testing_host_run(world.net, "server.test", listen_here, &world));
    connect_world(&world);
    run_both(write_million, &world, read_million, &world);
    course->hash = weft_testing_network_hash(world.net);
    course->took = weft_now() - begun;
    free_world(&world);
    return 0;
}

TEST(net_same_seed_gives_the_same_course_and_another_seed_another)
{
    struct course courses[3] = {{.seed = 7}, {.seed = 7}, {.seed = 8}};
    for (int i = 0; i < 3; i++)
        ASSERT_OK(
            weft_run_with(run_course, &courses[i], WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT(courses[0].hash == courses[1].hash);
    ASSERT_INT_EQ(courses[0].took, courses[1].took);
    ASSERT_INT_EQ(courses[0].n_lines, courses[1].n_lines);
    ASSERT(courses[0].hash != courses[2].hash);
    ASSERT_INT_NE(courses[0].took, courses[2].took);
}

/* ---- faults ---- */

static int whole_life(void *arg)
{
    struct world world = {.net = NULL};
    weft_group group;
    char text[3];
    (void)arg;
    int err = weft_testing_network_new(NULL, &world.net);
    if (err == 0)
        err = weft_testing_host_add(world.net, "server.test", NULL);
    if (err == 0)
        err = weft_testing_host_run(world.net, "server.test", listen_here, &world);
    if (err == 0 && (err = weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(1)))) == 0) {
        err = weft_group_spawn(&group, accept_it, &world);
        if (err == 0)
            err = dial_it(&world);
        if (err < 0)
            weft_group_cancel(&group, NULL);
        int joined = weft_group_wait(&group);
        err = err < 0 ? err : joined;
    }
    if (err == 0)
        err = weft_stream_write(world.client, "abc", 3);
    if (err == 0)
        err = weft_stream_close(world.client);
    if (err == 0)
        err = (int)weft_stream_read_exact(world.server, text, 3);
    free_world(&world);
    return err;
}

TEST_WITH(net_survives_every_fault, .limit_s = 60)
{
    FAULTS(whole_life, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

/* On the real back ends too, in real time. */
TASK_TEST(net_works_on_a_real_clock)
{
    struct world world;
    char text[3];
    new_world(&world, 1, WEFT_TESTING_LINK(.latency = WEFT_MS(2)));
    int64_t begun = weft_now();
    connect_world(&world);
    ASSERT_INT_GE(weft_now() - begun, WEFT_MS(6));
    ASSERT_OK(weft_stream_write(world.client, "abc", 3));
    ASSERT_OK(weft_stream_flush(world.client));
    ASSERT_OK((int)weft_stream_read_exact(world.server, text, 3));
    free_world(&world);
}

TASK_TEST(net_stream_that_outlives_its_network_fails)
{
    weft_stream *client;
    weft_stream *server;
    char c;
    struct world world;
    new_world(&world, 1, NULL);
    connect_world(&world);
    client = world.client;
    server = world.server;
    world.client = NULL;
    world.server = NULL;
    free_world(&world);
    ASSERT_ERR((int)weft_stream_read(client, &c, 1), -ENETDOWN);
    ASSERT_STR_HAS(weft_error_message(), "read from 10.0.0.2:80");
    ASSERT_ERR((int)weft_stream_read(server, &c, 1), -ENETDOWN);
    weft_stream_free(client);
    weft_stream_free(server);
}

VIRTUAL_TEST(net_virtual_stream_that_outlives_its_network_fails)
{
    struct world world;
    char c;
    new_world(&world, 1, NULL);
    connect_world(&world);
    weft_testing_network_free(world.net);
    world.net = NULL;
    ASSERT_ERR((int)weft_stream_read(world.client, &c, 1), -ENETDOWN);
    ASSERT_OK(weft_stream_write(world.server, "x", 1));
    ASSERT_ERR(weft_stream_flush(world.server), -ENETDOWN);
    free_world(&world);
}

/* test_net_udp.c - the simulated network: datagrams, Unix sockets, families, sockets on one port. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/testing.h>
#include <weft/testing_net.h>
#include <weft/udp.h>

#include "fault.h"
#include "stream_suite.h"

enum { PORT = 53, MANY = 2000 };

struct world {
    weft_testing_network *net;
    weft_udp *server;
    weft_udp *client;
};

static int open_server(void *arg)
{
    struct world *world = arg;
    return weft_udp_open(NULL, PORT, NULL, &world->server);
}

static void new_world(struct world *world, const weft_testing_link *link)
{
    *world = (struct world){.net = NULL};
    ASSERT_OK(weft_testing_network_new(WEFT_TESTING_NETWORK(.seed = 3, .link = link), &world->net));
    ASSERT_OK(weft_testing_host_add(world->net, "server.test", NULL));
    ASSERT_OK(weft_testing_host_run(world->net, "server.test", open_server, world));
    ASSERT_OK(weft_udp_connect("server.test", PORT, NULL, &world->client));
}

static void free_world(struct world *world)
{
    weft_udp_close(world->client);
    weft_udp_close(world->server);
    weft_testing_network_free(world->net);
}

static weft_testing_link_stats stats_of(const struct world *world)
{
    weft_testing_link_stats stats;
    ASSERT_OK(weft_testing_link_stats_get(world->net, "localhost", "server.test", &stats));
    return stats;
}

/* ---- datagrams ---- */

VIRTUAL_TEST(net_datagram_arrives_with_its_sender_and_is_answered)
{
    struct world world;
    weft_address from;
    char data[16];
    char text[WEFT_ADDRESS_TEXT_MAX];
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    int64_t begun = weft_now();
    ASSERT_OK(weft_udp_send(world.client, "ping", 4));
    ASSERT_INT_EQ(weft_udp_receive_from(world.server, data, sizeof data, &from), 4);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(10));
    ASSERT_OK(weft_address_format(&from, text, sizeof text));
    ASSERT_STR_EQ(text, "10.0.0.1:49152");
    ASSERT_OK(weft_udp_send_to(world.server, &from, "longer answer", 13));
    ASSERT_INT_EQ(weft_udp_receive(world.client, data, 4), 13);
    ASSERT_MEM_EQ(data, "long", 4);
    ASSERT_INT_EQ(weft_now() - begun, WEFT_MS(20));
    free_world(&world);
}

/* Numbered datagrams; which ones of them have come, and whether in order. */
static int64_t exchange(struct world *world, unsigned *seen, bool *ret_in_order)
{
    uint32_t data[MANY];
    weft_datagram items[64];
    int64_t all = 0;
    uint32_t last = 0;
    *ret_in_order = true;
    for (uint32_t i = 0; i < MANY; i++) {
        ASSERT_OK(weft_udp_send(world->client, &i, sizeof i));
        ASSERT_OK(weft_sleep(WEFT_MS(1) / 10));
    }
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    for (;;) {
        weft_scope scope;
        for (size_t i = 0; i < 64; i++)
            items[i] = (weft_datagram){.data = &data[i], .size = sizeof data[i]};
        weft_scope_enter(&scope, WEFT_SEC(1));
        int64_t n = weft_udp_receive_many(world->server, items, 64);
        if (weft_scope_exit(&scope, (int)n) == -ETIMEDOUT)
            return all;
        ASSERT_INT_GE(n, 1);
        for (int64_t i = 0; i < n; i++) {
            seen[data[i]]++;
            *ret_in_order = *ret_in_order && data[i] >= last;
            last = data[i];
        }
        all += n;
    }
}

VIRTUAL_TEST(net_datagrams_without_faults_come_once_and_in_order)
{
    static unsigned seen[MANY];
    struct world world;
    bool in_order;
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(5)));
    ASSERT_INT_EQ(exchange(&world, seen, &in_order), MANY);
    ASSERT(in_order);
    for (int i = 0; i < MANY; i++)
        ASSERT_INT_EQ(seen[i], 1);
    free_world(&world);
}

VIRTUAL_TEST(net_datagrams_are_lost_by_chance)
{
    static unsigned seen[MANY];
    struct world world;
    bool in_order;
    new_world(&world, WEFT_TESTING_LINK(.loss = 0.2));
    int64_t n = exchange(&world, seen, &in_order);
    ASSERT_INT_EQ(stats_of(&world).lost, MANY - n);
    ASSERT_INT_GT(n, MANY / 2);
    ASSERT_INT_LT(n, MANY * 9 / 10);
    ASSERT(in_order);
    free_world(&world);
}

VIRTUAL_TEST(net_datagrams_come_twice_by_chance)
{
    static unsigned seen[MANY];
    struct world world;
    bool in_order;
    int64_t twice = 0;
    new_world(&world, WEFT_TESTING_LINK(.duplicate = 0.2));
    int64_t n = exchange(&world, seen, &in_order);
    for (int i = 0; i < MANY; i++) {
        ASSERT_INT_GE(seen[i], 1);
        ASSERT_INT_LE(seen[i], 2);
        twice += seen[i] == 2;
    }
    ASSERT_INT_EQ(n, MANY + twice);
    ASSERT_INT_EQ(stats_of(&world).duplicated, twice);
    ASSERT_INT_GT(twice, MANY / 10);
    free_world(&world);
}

VIRTUAL_TEST(net_datagrams_overtake_each_other_by_chance)
{
    static unsigned seen[MANY];
    struct world world;
    bool in_order;
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(1), .reorder = 0.1));
    ASSERT_INT_EQ(exchange(&world, seen, &in_order), MANY);
    ASSERT(!in_order);
    ASSERT_INT_GT(stats_of(&world).reordered, MANY / 20);
    free_world(&world);
}

VIRTUAL_TEST(net_datagram_to_nobody_is_refused_after_its_way)
{
    struct world world;
    char data[4];
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(10)));
    weft_udp_close(world.server);
    world.server = NULL;
    ASSERT_OK(weft_udp_send(world.client, "ping", 4));
    ASSERT_ERR((int)weft_udp_receive(world.client, data, sizeof data), -ECONNREFUSED);
    /* Told once; a partition tells nobody. */
    ASSERT_OK(weft_testing_partition(world.net, "server.test", NULL, true));
    ASSERT_OK(weft_udp_send(world.client, "ping", 4));
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(9));
    int err = (int)weft_udp_receive(world.client, data, sizeof data);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    free_world(&world);
}

VIRTUAL_TEST(net_many_datagrams_are_sent_and_taken_at_once)
{
    struct world world;
    weft_datagram items[40];
    char data[40][8];
    new_world(&world, NULL);
    for (int i = 0; i < 40; i++) {
        data[i][0] = (char)i;
        items[i] = (weft_datagram){.data = data[i], .len = 8};
    }
    ASSERT_INT_EQ(weft_udp_send_many(world.client, items, 40), 40);
    ASSERT_OK(weft_sleep(1));
    memset(data, 0, sizeof data);
    for (int i = 0; i < 40; i++)
        items[i] = (weft_datagram){.data = data[i], .size = 8};
    ASSERT_INT_EQ(weft_udp_receive_many(world.server, items, 40), 40);
    for (int i = 0; i < 40; i++) {
        char text[WEFT_ADDRESS_TEXT_MAX];
        ASSERT_INT_EQ(data[i][0], i);
        /* Not the mapped address that the socket sees. */
        ASSERT_OK(weft_address_format(&items[i].address, text, sizeof text));
        ASSERT_STR_EQ(text, "10.0.0.1:49152");
    }
    free_world(&world);
}

VIRTUAL_TEST(net_datagrams_beyond_the_buffer_are_lost)
{
    struct world world;
    static char data[1000];
    int n = 0;
    new_world(&world, WEFT_TESTING_LINK(.buffer = 5000));
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_udp_send(world.client, data, sizeof data));
    ASSERT_OK(weft_sleep(1));
    for (int err = 0; err >= 0; n += err >= 0) {
        weft_scope scope;
        weft_scope_enter(&scope, 1);
        err = (int)weft_udp_receive(world.server, data, sizeof data);
        err = weft_scope_exit(&scope, err);
    }
    ASSERT_INT_EQ(n, 5);
    ASSERT_INT_EQ(stats_of(&world).lost, 5);
    free_world(&world);
}

static int receive_until_closed(void *arg)
{
    struct world *world = arg;
    char data[4];
    ASSERT_ERR((int)weft_udp_receive(world->client, data, sizeof data), WEFT_ECLOSED);
    return 0;
}

VIRTUAL_TEST(net_udp_socket_closed_under_a_receiver_says_so)
{
    struct world world;
    weft_group group;
    new_world(&world, NULL);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, receive_until_closed, &world));
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    weft_udp_close(world.client);
    ASSERT_OK(weft_group_wait(&group));
    world.client = NULL;
    free_world(&world);
}

/* ---- groups ---- */

static const char group_text[] = "239.1.2.3";

struct member {
    weft_udp *udp;
    char heard[8];
};

static int join_group(void *arg)
{
    struct member *member = arg;
    weft_address group;
    int err = weft_udp_open(NULL, 5353, WEFT_UDP(.reuse_address = true), &member->udp);
    if (err == 0)
        err = weft_address_parse(group_text, 0, &group);
    return err == 0 ? weft_udp_join(member->udp, &group, NULL) : err;
}

static int hear(void *arg)
{
    struct member *member = arg;
    int64_t n = weft_udp_receive(member->udp, member->heard, sizeof member->heard);
    return n < 0 ? (int)n : 0;
}

VIRTUAL_TEST(net_group_members_on_all_hosts_hear_what_is_sent_to_it)
{
    struct world world;
    struct member members[3] = {{.udp = NULL}};
    weft_address group;
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_MS(3)));
    ASSERT_OK(weft_testing_host_add(world.net, "third.test", NULL));
    ASSERT_OK(weft_testing_host_run(world.net, "server.test", join_group, &members[0]));
    ASSERT_OK(weft_testing_host_run(world.net, "server.test", join_group, &members[1]));
    ASSERT_OK(weft_testing_host_run(world.net, "third.test", join_group, &members[2]));
    ASSERT_OK(weft_address_parse(group_text, 5353, &group));
    ASSERT_ERR(weft_udp_join(members[0].udp, &group, NULL), -EADDRINUSE);
    weft_udp *sender;
    ASSERT_OK(weft_udp_open(NULL, 0, NULL, &sender));
    ASSERT_OK(weft_udp_send_to(sender, &group, "all", 3));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(hear(&members[i]));
        ASSERT_MEM_EQ(members[i].heard, "all", 3);
    }
    ASSERT_OK(weft_udp_leave(members[1].udp, &group, NULL));
    ASSERT_ERR(weft_udp_leave(members[1].udp, &group, NULL), -EADDRNOTAVAIL);
    weft_address none;
    ASSERT_OK(weft_address_parse("10.0.0.9", 0, &none));
    ASSERT_ERR(weft_udp_join(members[1].udp, &none, NULL), -EINVAL);
    ASSERT_OK(weft_udp_send_to(sender, &group, "two", 3));
    ASSERT_OK(hear(&members[0]));
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_ERR(weft_scope_exit(&scope, hear(&members[1])), -ETIMEDOUT);
    weft_udp_close(sender);
    for (int i = 0; i < 3; i++)
        weft_udp_close(members[i].udp);
    free_world(&world);
}

/* ---- families, and several sockets on one port ---- */

VIRTUAL_TEST(net_only_ipv6_leaves_the_other_family_free)
{
    struct world world;
    const char *both[] = {"10.0.0.7", "fd00::7", NULL};
    new_world(&world, NULL);
    ASSERT_OK(weft_testing_host_add(world.net, "both.test", WEFT_TESTING_NAME(.addresses = both)));
    weft_listener *six;
    weft_listener *four;
    weft_stream *stream;
    ASSERT_OK(weft_listen(NULL, 80, WEFT_LISTEN(.only_ipv6 = true), &six));
    ASSERT_ERR(weft_dial("127.0.0.1", 80, NULL, &stream), WEFT_EREFUSED);
    ASSERT_OK(weft_listen("0.0.0.0", 80, NULL, &four));
    ASSERT_OK(weft_dial("127.0.0.1", 80, NULL, &stream));
    weft_stream_free(stream);
    ASSERT_OK(weft_dial("::1", 80, NULL, &stream));
    weft_stream_free(stream);
    weft_listener_close(four);
    weft_listener_close(six);
    free_world(&world);
}

static int listen_six(void *arg)
{
    return weft_listen("six.test", 80, NULL, arg);
}

static int dial_six(void *arg)
{
    return weft_dial("six.test", 80, NULL, arg);
}

VIRTUAL_TEST(net_host_of_ipv6_alone_is_reached_by_those_who_have_it)
{
    struct world world;
    const char *six[] = {"fd00::6", NULL};
    const char *both[] = {"10.0.0.7", "fd00::7", NULL};
    weft_listener *listener;
    weft_stream *stream;
    new_world(&world, NULL);
    ASSERT_OK(weft_testing_host_add(world.net, "six.test", WEFT_TESTING_NAME(.addresses = six)));
    ASSERT_OK(weft_testing_host_add(world.net, "both.test", WEFT_TESTING_NAME(.addresses = both)));
    ASSERT_OK(weft_testing_host_run(world.net, "six.test", listen_six, &listener));
    /* localhost has an address of IPv4 only. */
    ASSERT_ERR(weft_dial("six.test", 80, NULL, &stream), WEFT_EUNREACHABLE);
    ASSERT_OK(weft_testing_host_run(world.net, "both.test", dial_six, &stream));
    weft_address address;
    char text[WEFT_ADDRESS_TEXT_MAX];
    ASSERT_OK(weft_stream_local_address(stream, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    ASSERT_STR_EQ(text, "[fd00::7]:49152");
    weft_stream_free(stream);
    weft_listener_close(listener);
    free_world(&world);
}

VIRTUAL_TEST(net_listeners_on_one_port_share_the_clients)
{
    struct world world;
    weft_listener *listeners[2];
    weft_stream *client;
    weft_stream *server;
    int accepted[2] = {0, 0};
    new_world(&world, NULL);
    ASSERT_OK(weft_listen(NULL, 80, WEFT_LISTEN(.reuse_port = true), &listeners[0]));
    ASSERT_OK(weft_listen(NULL, 80, WEFT_LISTEN(.reuse_port = true), &listeners[1]));
    weft_listener *third;
    ASSERT_ERR(weft_listen(NULL, 80, NULL, &third), -EADDRINUSE);
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(weft_dial("127.0.0.1", 80, NULL, &client));
        for (int k = 0; k < 2; k++) {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_MS(1));
            int err = weft_scope_exit(&scope, weft_listener_accept(listeners[k], &server));
            if (err == -ETIMEDOUT)
                continue;
            ASSERT_OK(err);
            accepted[k]++;
            weft_stream_free(server);
        }
        weft_stream_free(client);
    }
    ASSERT_INT_EQ(accepted[0] + accepted[1], 20);
    ASSERT_INT_GT(accepted[0], 0);
    ASSERT_INT_GT(accepted[1], 0);
    weft_listener_close(listeners[0]);
    weft_listener_close(listeners[1]);
    free_world(&world);
}

/* ---- Unix sockets ---- */

static int listen_unix(void *arg)
{
    return weft_listen_unix("/run/test.sock", NULL, arg);
}

VIRTUAL_TEST(net_unix_sockets_are_those_of_the_host)
{
    struct world world;
    weft_listener *here;
    weft_listener *there;
    weft_listener *abstract;
    weft_stream *client;
    weft_stream *server;
    char data[8];
    new_world(&world, WEFT_TESTING_LINK(.latency = WEFT_SEC(1)));
    ASSERT_ERR(weft_dial_unix("/run/test.sock", &client), WEFT_EREFUSED);
    ASSERT_OK(weft_testing_host_run(world.net, "server.test", listen_unix, &there));
    ASSERT_ERR(weft_dial_unix("/run/test.sock", &client), WEFT_EREFUSED);
    ASSERT_OK(listen_unix(&here));
    weft_listener *second;
    ASSERT_ERR(listen_unix(&second), -EADDRINUSE);
    ASSERT_OK(weft_listen_unix("@test", NULL, &abstract));
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_dial_unix(i == 0 ? "/run/test.sock" : "@test", &client));
        ASSERT_OK(weft_listener_accept(i == 0 ? here : abstract, &server));
        ASSERT_OK(weft_stream_write(client, "ping", 4));
        ASSERT_OK(weft_stream_close(client));
        ASSERT_OK((int)weft_stream_read_exact(server, data, 4));
        ASSERT_INT_EQ(weft_stream_read(server, data, 1), 0);
        weft_stream_free(client);
        weft_stream_free(server);
    }
    weft_listener_close(here);
    weft_listener_close(there);
    weft_listener_close(abstract);
    /* The name is free again. */
    ASSERT_OK(listen_unix(&here));
    weft_listener_close(here);
    free_world(&world);
}

/* ---- where tasks stand ---- */

/* Sends something to the third host. */
static int show_place(void *arg)
{
    weft_udp *udp;
    weft_address address;
    (void)arg;
    int err = weft_udp_open(NULL, 0, NULL, &udp);
    if (err < 0)
        return err;
    ASSERT_OK(weft_address_parse("10.0.0.3", 9, &address));
    err = weft_udp_send_to(udp, &address, "", 0);
    weft_udp_close(udp);
    return err;
}

static int spawn_show_place(void *arg)
{
    return weft_group_spawn(arg, show_place, NULL);
}

VIRTUAL_TEST(net_task_stands_where_it_was_started)
{
    struct world world;
    weft_group group;
    weft_testing_link_stats stats;
    new_world(&world, NULL);
    ASSERT_OK(weft_testing_host_add(world.net, "third.test", NULL));
    ASSERT_OK(weft_group_init(&group, NULL));
    /* The group is that of a task on another host. */
    ASSERT_OK(weft_testing_host_run(world.net, "server.test", spawn_show_place, &group));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_testing_link_stats_get(world.net, "server.test", "third.test", &stats));
    ASSERT_INT_EQ(stats.datagrams, 1);
    ASSERT_OK(show_place(NULL));
    ASSERT_OK(weft_testing_link_stats_get(world.net, "localhost", "third.test", &stats));
    ASSERT_INT_EQ(stats.datagrams, 1);
    free_world(&world);
}

/* ---- faults ---- */

static int whole_life(void *arg)
{
    struct world world = {.net = NULL};
    struct member member = {.udp = NULL};
    weft_address group;
    char data[4];
    (void)arg;
    int err = weft_testing_network_new(NULL, &world.net);
    if (err == 0)
        err = weft_testing_host_add(world.net, "server.test", NULL);
    if (err == 0)
        err = weft_testing_host_run(world.net, "server.test", open_server, &world);
    if (err == 0)
        err = weft_udp_connect("server.test", PORT, NULL, &world.client);
    if (err == 0)
        err = weft_udp_send(world.client, "ping", 4);
    if (err == 0)
        err = (int)weft_udp_receive(world.server, data, sizeof data);
    if (err >= 0)
        err = weft_testing_host_run(world.net, "server.test", join_group, &member);
    if (err == 0)
        err = weft_address_parse(group_text, 5353, &group);
    if (err == 0)
        err = weft_udp_send_to(world.server, &group, "all", 3);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_SEC(1));
    if (err == 0)
        err = hear(&member);
    err = weft_scope_exit(&scope, err);
    weft_udp_close(member.udp);
    free_world(&world);
    return err;
}

TEST(net_datagrams_survive_every_fault)
{
    FAULTS(whole_life, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}

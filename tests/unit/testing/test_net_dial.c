/* test_net_dial.c - RFC 8305, "happy eyeballs", to the nanosecond on the simulated network. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/net.h>
#include <weft/testing_net.h>

#include "test.h"

enum { WAYS_MAX = 8 };

/* An address of the name: when it answers, and how. */
struct way {
    const char *ip;
    int64_t answers; /* 0: never */
    bool refuses;
};

struct dialling {
    struct way ways[WAYS_MAX];
    const char *own[3]; /* addresses of the client; default one of each family */
    int64_t delay;      /* the head start; 0: default */
    int64_t timeout;
    /* what should come of it */
    int err;
    const char *winner;
    int64_t took;
    int tried; /* addresses that a request went to; 0: not looked at */
};

struct world {
    const struct dialling *dialling;
    weft_testing_network *net;
    weft_listener *listeners[WAYS_MAX];
    int n;
    weft_stream *stream;
    int err;
    int64_t took;
    int connects;
};

static void count_connects(const char *line, void *userdata)
{
    struct world *world = userdata;
    world->connects += strstr(line, " connect ") != NULL;
}

static int listen_there(void *arg)
{
    struct world *world = arg;
    return weft_listen(world->dialling->ways[world->n].ip, 80, NULL, &world->listeners[world->n]);
}

static void add_way(struct world *world, const struct way *way)
{
    char name[16];
    const char *addresses[] = {way->ip, NULL};
    if (way->answers > 0) {
        snprintf(name, sizeof name, "way%d.test", world->n);
        ASSERT_OK(
            weft_testing_host_add(world->net, name, WEFT_TESTING_NAME(.addresses = addresses)));
        ASSERT_OK(weft_testing_link_set(world->net, "client.test", name,
                                        WEFT_TESTING_LINK(.latency = way->answers)));
        if (!way->refuses)
            ASSERT_OK(weft_testing_host_run(world->net, name, listen_there, world));
    }
    world->n++;
}

static int dial_it(void *arg)
{
    struct world *world = arg;
    const struct dialling *dialling = world->dialling;
    int64_t begun = weft_now();
    weft_scope scope;
    weft_scope_enter(&scope, dialling->timeout > 0 ? dialling->timeout : WEFT_FOREVER);
    int err = weft_dial("many.test", 80, WEFT_DIAL(.happy_eyeballs_delay = dialling->delay),
                        &world->stream);
    world->err = weft_scope_exit(&scope, err);
    world->took = weft_now() - begun;
    return 0;
}

static void check(struct world *world)
{
    const struct dialling *dialling = world->dialling;
    weft_address address;
    char text[WEFT_ADDRESS_TEXT_MAX];
    char expected[WEFT_ADDRESS_TEXT_MAX];
    ASSERT_INT_EQ(world->err, dialling->err);
    ASSERT_INT_EQ(world->took, dialling->took);
    if (dialling->tried > 0)
        ASSERT_INT_EQ(world->connects, dialling->tried);
    if (dialling->err < 0)
        return;
    ASSERT_OK(weft_stream_peer_address(world->stream, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    snprintf(expected, sizeof expected, strchr(dialling->winner, ':') ? "[%s]:80" : "%s:80",
             dialling->winner);
    ASSERT_STR_EQ(text, expected);
}

/* Whoever came second was closed: at most one connection is alive. */
static void count_alive(const struct world *world)
{
    int alive = 0;
    for (int i = 0; i < world->n; i++) {
        weft_stream *stream;
        char byte;
        for (int err = 0; world->listeners[i] != NULL && err == 0;) {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_SEC(200));
            err = weft_listener_accept(world->listeners[i], &stream);
            if (err == 0) {
                err = (int)weft_stream_read(stream, &byte, 1);
                alive += err == -ECANCELED;
                weft_stream_free(stream);
                err = 0;
            }
            err = weft_scope_exit(&scope, err);
        }
    }
    ASSERT_INT_EQ(alive, world->err == 0);
}

static void run(const struct dialling *dialling)
{
    struct world world = {.dialling = dialling};
    const char *own[] = {"10.1.0.1", "fd00:1::1", NULL};
    const char *addresses[WAYS_MAX + 1] = {NULL};
    ASSERT_OK(weft_testing_network_new(
        WEFT_TESTING_NETWORK(.trace = count_connects, .userdata = &world), &world.net));
    ASSERT_OK(weft_testing_host_add(
        world.net, "client.test",
        WEFT_TESTING_NAME(.addresses = dialling->own[0] != NULL ? dialling->own : own)));
    while (world.n < WAYS_MAX && dialling->ways[world.n].ip != NULL) {
        addresses[world.n] = dialling->ways[world.n].ip;
        add_way(&world, &dialling->ways[world.n]);
    }
    ASSERT_OK(
        weft_testing_name_set(world.net, "many.test", WEFT_TESTING_NAME(.addresses = addresses)));
    ASSERT_OK(weft_testing_host_run(world.net, "client.test", dial_it, &world));
    check(&world);
    count_alive(&world);
    weft_stream_free(world.stream);
    for (int i = 0; i < world.n; i++)
        weft_listener_close(world.listeners[i]);
    weft_testing_network_free(world.net);
}

#define DIALLING(...) run(&(const struct dialling){__VA_ARGS__})
#define YES(ip_, ms)                                                                               \
    {                                                                                              \
        .ip = (ip_), .answers = WEFT_MS(ms)                                                        \
    }
#define NO(ip_, ms)                                                                                \
    {                                                                                              \
        .ip = (ip_), .answers = WEFT_MS(ms), .refuses = true                                       \
    }
#define DEAD(ip_)                                                                                  \
    {                                                                                              \
        .ip = (ip_)                                                                                \
    }

VIRTUAL_TEST(eyeballs_one_address_takes_its_time)
{
    DIALLING(.ways = {YES("1.1.1.1", 123)}, .winner = "1.1.1.1", .took = WEFT_MS(123));
    DIALLING(.ways = {YES("1.1.1.1", 81000)}, .winner = "1.1.1.1", .took = WEFT_SEC(81));
    DIALLING(.ways = {NO("1.1.1.1", 82)}, .err = WEFT_EREFUSED, .took = WEFT_MS(82), .tried = 1);
    DIALLING(.ways = {NO("1.1.1.1", 100000)}, .err = WEFT_EREFUSED, .took = WEFT_SEC(100));
}

VIRTUAL_TEST(eyeballs_slow_addresses_cost_a_head_start_each)
{
    DIALLING(.ways = {YES("1.1.1.1", 1000), YES("2.2.2.2", 1000), YES("3.3.3.3", 200)},
             .winner = "3.3.3.3", .took = WEFT_MS(700), .tried = 3);
    /* The second one is there before a third is asked. */
    DIALLING(.ways = {YES("1.1.1.1", 1000), YES("2.2.2.2", 100), YES("3.3.3.3", 200)},
             .winner = "2.2.2.2", .took = WEFT_MS(350), .tried = 2);
    DIALLING(.ways = {DEAD("1.1.1.1"), DEAD("2.2.2.2"), YES("3.3.3.3", 10)}, .winner = "3.3.3.3",
             .took = WEFT_MS(510));
}

VIRTUAL_TEST(eyeballs_head_start_can_be_chosen)
{
    DIALLING(.ways = {YES("1.1.1.1", 1000), YES("2.2.2.2", 1000), YES("3.3.3.3", 200)},
             .delay = WEFT_MS(450), .winner = "1.1.1.1", .took = WEFT_SEC(1));
    DIALLING(.ways = {YES("1.1.1.1", 1000), YES("2.2.2.2", 1000), YES("3.3.3.3", 200)},
             .delay = WEFT_MS(300), .winner = "3.3.3.3", .took = WEFT_MS(800));
}

VIRTUAL_TEST(eyeballs_failure_starts_the_next_at_once)
{
    /* 0, 200, 300 and, a head start later, 550 ms. */
    DIALLING(.ways = {NO("1.1.1.1", 200), NO("2.2.2.2", 100), YES("3.3.3.3", 10000),
                      YES("4.4.4.4", 250)},
             .winner = "4.4.4.4", .took = WEFT_MS(800), .tried = 4);
}

VIRTUAL_TEST(eyeballs_all_failed_waits_for_the_last)
{
    DIALLING(.ways = {NO("1.1.1.1", 100), NO("2.2.2.2", 200), NO("3.3.3.3", 5000),
                      NO("4.4.4.4", 200)},
             .err = WEFT_EREFUSED, .took = WEFT_MS(5300), .tried = 4);
    DIALLING(.ways = {NO("1.1.1.1", 100), DEAD("2.2.2.2")}, .err = WEFT_ECONNECT_TIMEOUT,
             .took = WEFT_MS(127100));
}

VIRTUAL_TEST(eyeballs_second_connection_is_closed)
{
    /* Two are made at the same moment. */
    DIALLING(.ways = {YES("1.1.1.1", 500), YES("2.2.2.2", 250), YES("3.3.3.3", 10000)},
             .winner = "1.1.1.1", .took = WEFT_MS(500));
    DIALLING(.ways = {YES("1.1.1.1", 10000), NO("2.2.2.2", 30), YES("3.3.3.3", 500),
                      YES("4.4.4.4", 240), YES("5.5.5.5", 230)},
             .winner = "4.4.4.4", .took = WEFT_MS(770));
}

VIRTUAL_TEST(eyeballs_families_alternate)
{
    /* In the order of 1.1.1.1, ::3, 2.2.2.2, ::4. */
    DIALLING(.ways = {YES("1.1.1.1", 10000), YES("2.2.2.2", 10000), YES("::3", 20), YES("::4", 10)},
             .winner = "::3", .took = WEFT_MS(270), .tried = 2);
}

VIRTUAL_TEST(eyeballs_family_that_this_host_lacks_costs_nothing)
{
    DIALLING(.ways = {YES("::1:1", 10), YES("2.2.2.2", 100), YES("::3", 10), YES("4.4.4.4", 100)},
             .own = {"10.1.0.1"}, .winner = "2.2.2.2", .took = WEFT_MS(100), .tried = 1);
    DIALLING(.ways = {YES("1.1.1.1", 10), YES("::2", 100)}, .own = {"fd00:1::1"}, .winner = "::2",
             .took = WEFT_MS(100));
    DIALLING(.ways = {YES("::1:1", 10), YES("::2", 100)}, .own = {"10.1.0.1"},
             .err = WEFT_EUNREACHABLE);
}

VIRTUAL_TEST(eyeballs_cancelled_leaves_no_attempt)
{
    DIALLING(.ways = {YES("1.1.1.1", 1000), YES("2.2.2.2", 1000), NO("3.3.3.3", 100),
                      YES("4.4.4.4", 1000)},
             .timeout = WEFT_MS(990), .err = -ETIMEDOUT, .took = WEFT_MS(990), .tried = 4);
}

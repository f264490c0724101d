/* test_net_stream.c - the suite of all streams over the simulated network. */
#include <weft/net.h>
#include <weft/testing_net.h>

#include "base/alloc.h"
#include "run/run_int.h"
#include "stream_suite.h"

/* Freed where the loop of the test ends: after all that its streams do. */
struct at_exit {
    struct weft__at_exit hook;
    weft_testing_network *net;
};

static void free_network(struct weft__at_exit *hook)
{
    struct at_exit *at_exit = WEFT__CONTAINER(hook, struct at_exit, hook);
    weft_testing_network_free(at_exit->net);
    weft__free(at_exit);
}

static struct weft_testing_network *network(const weft_testing_link *link)
{
    static weft_testing_network *net;
    static struct weft__loop *of;
    if (of == weft__loop_current && net != NULL)
        return net;
    struct at_exit *at_exit = weft__alloc(sizeof *at_exit);
    ASSERT(at_exit != NULL);
    ASSERT_OK(weft_testing_network_new(WEFT_TESTING_NETWORK(.link = link), &net));
    ASSERT_OK(weft_testing_host_add(net, "server.test", NULL));
    at_exit->net = net;
    at_exit->hook.fn = free_network;
    weft__list_push_back(&weft__loop_current->at_exit, &at_exit->hook.node);
    of = weft__loop_current;
    return net;
}

static void make(const weft_testing_link *link, weft_stream **a, weft_stream **b)
{
    struct peers peers;
    struct peers_listen listen = {&peers, "server.test", 80};
    ASSERT_OK(weft_testing_host_run(network(link), "server.test", peers_listen, &listen));
    peers_connect(&peers, "server.test");
    weft_listener_close(peers.listener);
    *a = peers.client;
    *b = peers.server;
}

static void make_sim(weft_stream **a, weft_stream **b)
{
    make(NULL, a, b);
}

/* Slow, narrow, and never the same. */
static void make_bad(weft_stream **a, weft_stream **b)
{
    make(WEFT_TESTING_LINK(.latency = WEFT_MS(1), .jitter = WEFT_MS(1), .bandwidth = 100000000,
                           .buffer = 5000, .loss = 0.01),
         a, b);
}

STREAM_SUITE(sim, make_sim, true, WEFT_BACKEND_VIRTUAL)
STREAM_SUITE(bad, make_bad, true, WEFT_BACKEND_VIRTUAL)

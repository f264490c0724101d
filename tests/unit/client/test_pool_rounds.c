/*
 * Rounds of ten calls on five slots, over DNS, connecting, TLS, uploads and answers, cancelled at
 * every suspension point: afterwards all slots are free and the next call works.
 */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/server.h>
#include <weft/testing.h>
#include <weft/testing_net.h>

#include "certs.h"
#include "test.h"

enum { CALLS = 10, SLOTS = 5, BODY = 150000 };

struct world {
    weft_testing_network *net;
    weft_group group;
    weft_server *server;
    weft_tls *tls;
    weft_client *client;
    const char *url;
    const char *cert;
    const char *ca;
};

struct job {
    struct world *world;
    weft_scope scope;
    int index;
    int result;
};

static int answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    const char *body;
    size_t len;
    (void)arg;
    int err = weft_server_request_body(request, &body, &len);
    if (err == 0)
        err = weft_sleep(WEFT_MS(3));
    return err < 0 ? err : weft_reply_bytes(reply, 200, "text/plain", body, len);
}

static int serve(void *arg)
{
    struct world *world = arg;
    return weft_server_serve(world->server);
}

static int serve_there(void *arg)
{
    struct world *world = arg;
    return weft_testing_host_run(world->net, "server.test", serve, world);
}

static void new_client(struct world *world)
{
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.max_connections = SLOTS, .ca_file = world->ca),
                              &world->client));
}

static void begin(struct world *world, bool secure)
{
    *world = (struct world){.url = secure ? "https://server.test/" : "http://server.test/"};
    if (secure) {
        world->ca = certs_ca();
        world->cert = certs_make(CERT(.file = "server.pem", .san = "DNS:server.test"));
    }
    ASSERT_OK(weft_testing_network_new(
        WEFT_TESTING_NETWORK(.link = WEFT_TESTING_LINK(.latency = WEFT_MS(1))), &world->net));
    static const char *const addresses[] = {"10.0.0.2", NULL};
    ASSERT_OK(weft_testing_host_add(
        world->net, "server.test", WEFT_TESTING_NAME(.addresses = addresses, .delay = WEFT_MS(2))));
    if (secure)
        ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = world->cert), &world->tls));
    ASSERT_OK(weft_server_new(WEFT_SERVER(.host = "0.0.0.0", .port = secure ? 443 : 80,
                                          .tls = world->tls, .idle_timeout = WEFT_SEC(3600)),
                              &world->server));
    ASSERT_OK(weft_server_route(world->server, NULL, "/", answer, world));
    ASSERT_OK(weft_group_init(&world->group, NULL));
    ASSERT_OK(weft_group_spawn(&world->group, serve_there, world));
    new_client(world);
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    weft_server_stop(world->server, WEFT_SEC(60));
    ASSERT_OK(weft_group_wait(&world->group));
    weft_server_free(world->server);
    weft_tls_free(world->tls);
    weft_testing_network_free(world->net);
}

static int call(void *arg)
{
    static char body[BODY];
    struct job *job = arg;
    weft_response *response = NULL;
    size_t len;
    weft_scope_enter(&job->scope, WEFT_FOREVER);
    int err = weft_client_post(
        job->world->client, job->world->url,
        WEFT_REQUEST(.content = body, .content_len = job->index % 2 == 0 ? BODY : 3), &response);
    if (err == 0) {
        weft_response_content(response, &len);
        ASSERT_INT_EQ(len, job->index % 2 == 0 ? BODY : 3);
        weft_response_free(response);
    }
    job->result = err;
    weft_scope_exit(&job->scope, err);
    return 0;
}

static void check_pool(struct world *world)
{
    weft_pool_stats stats;
    weft_client_pool_stats(world->client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.waiting, 0);
    ASSERT_INT_LE(stats.size, SLOTS);
}

/* at 0: nothing is cancelled.  one: a single call, else all of them.  How many points there were. */
static uint64_t run_round(struct world *world, uint64_t at, bool one)
{
    struct job jobs[CALLS];
    weft_group group;
    weft_scope scope;
    int chosen = (int)(at % CALLS);
    for (int i = 0; i < CALLS; i++)
        jobs[i] = (struct job){.world = world, .index = i, .result = -ECANCELED};
    weft_scope_enter(&scope, WEFT_FOREVER);
    ASSERT_OK(weft_group_init(&group, NULL));
    weft_testing_cancel_at(one || at == 0 ? NULL : &scope, at);
    for (int i = 0; i < CALLS; i++) {
        if (weft_group_spawn(&group, call, &jobs[i]) < 0)
            break;
        if (one && i == chosen)
            weft_testing_cancel_at(&jobs[i].scope, at);
    }
    int err = weft_group_wait(&group);
    uint64_t points = weft_testing_checkpoint_count();
    weft_testing_cancel_at(NULL, 0);
    weft_scope_exit(&scope, err);
    for (int i = 0; i < CALLS; i++) {
        bool may_be_cancelled = at > 0 && (!one || i == chosen);
        if (jobs[i].result != 0 && !(may_be_cancelled && jobs[i].result == -ECANCELED))
            test_fail(__FILE__, __LINE__, "call %d of a round cancelled at %d: %s", i, (int)at,
                      weft_error_name(jobs[i].result));
    }
    check_pool(world);
    return points;
}

/* Every step-th point, of all calls and of one, on old connections and on new ones. */
static void run_rounds(bool secure, uint64_t step)
{
    struct world world;
    begin(&world, secure);
    uint64_t points = run_round(&world, 0, false);
    ASSERT_INT_GT(points, 150);
    for (uint64_t at = 1; at <= points; at += step) {
        run_round(&world, at, true);
        if (at / step % 2 == 0) {
            weft_client_free(world.client);
            new_client(&world);
        }
        run_round(&world, at, false);
    }
    run_round(&world, 0, false);
    end(&world);
}

VIRTUAL_TEST(rounds_cancelled_at_every_point_leave_all_slots_free)
{
    run_rounds(false, test_under_valgrind() ? 40 : 1);
}

VIRTUAL_TEST(rounds_over_tls_cancelled_at_every_point_leave_all_slots_free)
{
    run_rounds(true, test_under_valgrind() ? 200 : 4);
}

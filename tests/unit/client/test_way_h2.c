/* test_way_h2.c - HTTP/2 through proxies: tunnels of one connection that many calls share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>

#include "certs.h"
#include "h2_fake.h"
#include "one_call.h"
#include "test.h"
#include "tls_world.h"

#define ORIGIN    (&world.parties[PARTY_ORIGIN])
#define OTHER     (&world.parties[PARTY_OTHER])
#define PROXY     (&world.parties[PARTY_PROXY])
#define TO_ORIGIN "https://origin.example/x"
#define TO_OTHER  "https://other.example/x"
#define TUNNEL    "http://kim:secret@proxy:3128"

enum { CALLS = 10 };

static const struct way {
    const char *proxy;
    bool tls;
    bool socks;
} ways[] = {
    {TUNNEL, false, false},
    {"https://kim:secret@proxy:3128", true, false},
    {"socks5h://proxy:3128", false, true},
};

static void begin(struct tls_world *world, const struct way *way, bool h2)
{
    struct party *proxy = &world->parties[PARTY_PROXY];
    tls_world_make(world);
    world->parties[PARTY_ORIGIN].h2 = h2;
    world->parties[PARTY_OTHER].h2 = h2;
    proxy->socks = way->socks;
    proxy->cert = way->tls ? tls_world_cert("proxy.pem", "DNS:proxy") : NULL;
    tls_world_start(world);
}

static weft_client *client_by(const char *proxy)
{
    weft_client *client;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.proxy = proxy, .ca_file = certs_ca(), .http2 = true),
                              &client));
    return client;
}

struct job {
    weft_client *client;
    const char *url;
    const char *version;
    int result;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    weft_response *response = NULL;
    job->result = weft_client_get(job->client, job->url, NULL, &response);
    if (job->result < 0) {
        ASSERT_STR_HAS(weft_error_message(), "GET https://origin.example/x: ");
        ASSERT_STR_HAS(weft_error_message(), "403");
        ASSERT_STR_LACKS(weft_error_message(), "secret");
        return 0;
    }
    ASSERT_STR_EQ(weft_response_http_version(response), job->version);
    ASSERT_STR_EQ(weft_response_text(response, NULL), "ok");
    job->result = status_of(0, response);
    return 0;
}

/* All at once. */
static void call_all(weft_client *client, const char *url, const char *version, int result)
{
    struct job jobs[CALLS];
    for (int i = 0; i < CALLS; i++)
        jobs[i] = (struct job){.client = client, .url = url, .version = version};
    ASSERT_OK(weft_map(run_job, jobs, CALLS, sizeof jobs[0], NULL));
    for (int i = 0; i < CALLS; i++)
        ASSERT_INT_EQ(jobs[i].result, result);
}

static size_t opened_by(weft_client *client)
{
    weft_pool_stats stats;
    weft_client_pool_stats(client, &stats);
    return stats.opened;
}

/* ---- one tunnel for all ---- */

VIRTUAL_TEST(h2_goes_through_one_tunnel_of_every_kind)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct tls_world world;
        begin(&world, &ways[i], true);
        ORIGIN->takes = WEFT_MS(10);
        weft_client *client = client_by(ways[i].proxy);
        int64_t start = weft_now();
        for (int round = 0; round < 2; round++)
            call_all(client, TO_ORIGIN, "HTTP/2", 200);
        ASSERT_INT_LT(weft_now() - start, WEFT_MS(10 * CALLS)); /* side by side */
        ASSERT_INT_EQ(opened_by(client), 1);
        ASSERT_INT_EQ(PROXY->connections, 1);
        ASSERT_INT_EQ(ORIGIN->by_h2, 1);
        ASSERT_STR_EQ(ORIGIN->sni, "origin.example");
        ASSERT_STR_LACKS(ORIGIN->log, "Proxy-");
        if (!ways[i].socks)
            ASSERT_STR_EQ(PROXY->log,
                          "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n"
                          "Proxy-Authorization: Basic a2ltOnNlY3JldA==\r\n\r\n");
        weft_client_free(client);
        tls_world_end(&world);
    }
}

VIRTUAL_TEST(h2_tunnels_of_two_origins_are_two)
{
    struct tls_world world;
    begin(&world, &ways[0], true);
    weft_client *client = client_by(TUNNEL);
    for (int round = 0; round < 2; round++) {
        call_all(client, TO_ORIGIN, "HTTP/2", 200);
        call_all(client, TO_OTHER, "HTTP/2", 200);
    }
    ASSERT_INT_EQ(opened_by(client), 2);
    ASSERT_INT_EQ(ORIGIN->by_h2, 1);
    ASSERT_INT_EQ(OTHER->by_h2, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(h2_without_a_proxy_and_by_each_proxy_are_connections_of_their_own)
{
    static const char *const proxies[] = {"", TUNNEL, "http://tim:other@proxy:3128"};
    struct tls_world world;
    weft_connection_info info = {.size = sizeof info};
    uint64_t ids[3] = {0};
    begin(&world, &ways[0], true);
    weft_client *client = client_by(NULL);
    for (int i = 0; i < 9; i++) {
        weft_response *response;
        ASSERT_OK(
            weft_client_get(client, TO_ORIGIN, WEFT_REQUEST(.proxy = proxies[i % 3]), &response));
        weft_response_connection(response, &info);
        ASSERT_STR_EQ(info.protocol, "HTTP/2");
        ASSERT_STR_EQ(info.alpn, "h2");
        ASSERT((info.proxy != NULL) == (i % 3 != 0));
        ASSERT(i < 3 || info.id == ids[i % 3]);
        ids[i % 3] = info.id;
        weft_response_free(response);
    }
    ASSERT_INT_EQ(opened_by(client), 3);
    ASSERT_INT_EQ(PROXY->connections, 2);
    ASSERT_INT_EQ(ORIGIN->by_h2, 3);
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- where it is not HTTP/2 ---- */

VIRTUAL_TEST(h2_in_a_tunnel_to_a_server_without_it_is_http1)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct tls_world world;
        begin(&world, &ways[i], false);
        weft_client *client = client_by(ways[i].proxy);
        call_all(client, TO_ORIGIN, "HTTP/1.1", 200);
        ASSERT_INT_EQ(ORIGIN->by_h2, 0);
        ASSERT_INT_EQ(ORIGIN->connections, opened_by(client));
        weft_client_free(client);
        tls_world_end(&world);
    }
}

VIRTUAL_TEST(h2_in_a_tunnel_falls_back_where_the_server_wants_http1)
{
    static const struct h2_act acts[] = {{H2_RESET, .code = 13}};
    struct tls_world world;
    struct h2_fake fake;
    begin(&world, &ways[0], true);
    h2_fake_start(&fake, acts, 1);
    ORIGIN->fake = &fake;
    weft_client *client = client_by(TUNNEL);
    for (int round = 0; round < 2; round++)
        call_all(client, TO_ORIGIN, "HTTP/1.1", 200);
    ASSERT_INT_EQ(ORIGIN->by_h2, 1);
    weft_client_free(client);
    tls_world_end(&world);
    h2_fake_stop(&fake);
}

VIRTUAL_TEST(h2_is_not_spoken_with_a_proxy_that_forwards)
{
    struct tls_world world;
    begin(&world, &ways[1], true);
    PROXY->h2 = true;
    weft_client *client = client_by(ways[1].proxy);
    call_all(client, "http://origin.example/x", "HTTP/1.1", 200);
    ASSERT_INT_EQ(PROXY->by_h2, 0);
    weft_client_free(client);
    tls_world_end(&world);
}

/* ---- proxies that refuse ---- */

VIRTUAL_TEST(h2_tunnel_that_wants_a_digest_is_asked_for_again)
{
    struct tls_world world;
    begin(&world, &ways[0], true);
    PROXY->asks = true;
    weft_client *client = client_by(TUNNEL);
    call_all(client, TO_ORIGIN, "HTTP/2", 200);
    ASSERT_STR_HAS(PROXY->log, "Proxy-Authorization: Digest username=\"kim\"");
    ASSERT_INT_EQ(opened_by(client), 1);
    ASSERT_INT_EQ(ORIGIN->by_h2, 1);
    ASSERT_INT_LE(PROXY->connections, 2);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(h2_tunnel_that_is_refused_fails_all_who_wait_for_it)
{
    struct tls_world world;
    begin(&world, &ways[0], true);
    PROXY->answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    weft_client *client = client_by(TUNNEL);
    call_all(client, TO_ORIGIN, "HTTP/2", WEFT_EPROXY);
    ASSERT_INT_EQ(ORIGIN->connections, 0);
    PROXY->answer = NULL;
    call_all(client, TO_ORIGIN, "HTTP/2", 200);
    ASSERT_INT_EQ(ORIGIN->by_h2, 1);
    weft_client_free(client);
    tls_world_end(&world);
}

VIRTUAL_TEST(h2_tunnel_that_breaks_is_replaced)
{
    static const struct h2_act acts[] = {{.body = 2}, {H2_CLOSE}, {.body = 2}};
    struct tls_world world;
    struct h2_fake fake;
    begin(&world, &ways[0], true);
    h2_fake_start(&fake, acts, 3);
    ORIGIN->fake = &fake;
    weft_client *client = client_by(TUNNEL);
    for (int i = 0; i < 3; i++)
        ASSERT_INT_EQ(get_by(client, TO_ORIGIN, NULL), 200);
    ASSERT_INT_EQ(ORIGIN->by_h2, 2);
    ASSERT_INT_EQ(PROXY->connections, 2);
    weft_client_free(client);
    tls_world_end(&world);
    h2_fake_stop(&fake);
}

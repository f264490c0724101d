/* call_world.h - a client with an auth, and a scripted server for it. */
#ifndef WEFT_TEST_CALL_WORLD_H
#define WEFT_TEST_CALL_WORLD_H

#include <weft.h>

#include "test.h"
#include "wire.h"

#define URL    "http://example.org/x?q=1"
#define EMPTY  "Content-Length: 0\r\n\r\n"
#define GOOD   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define DENIED "HTTP/1.1 401 Unauthorized\r\n"
#define AWAY   "HTTP/1.1 302 Found\r\nLocation: http://other.org/y\r\n" EMPTY
#define BACK   "HTTP/1.1 302 Found\r\nLocation: http://example.org/z\r\n" EMPTY
#define ASKS   DENIED "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\r\n" EMPTY
#define ASKS2  DENIED "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\"\r\n" EMPTY
#define STALE                                                                                      \
    DENIED "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", "                    \
           "stale=true\r\n" EMPTY

struct world {
    struct wire wire;
    weft_client *client;
    weft_auth *auth;
};

static inline void begin(struct world *world, const struct wire_answer *answers, size_t n,
                         weft_auth *auth, const weft_client_options *options)
{
    weft_client_options all = *options;
    all.auth = auth;
    wire_start(&world->wire, answers, n);
    ASSERT_OK(weft_client_new(&all, &world->client));
    wire_serve(&world->wire, world->client);
    world->auth = auth;
}

static inline void end(struct world *world)
{
    weft_client_free(world->client);
    wire_stop(&world->wire);
    weft_auth_free(world->auth);
}

static inline int request(struct world *world, const char *method, const char *url,
                          const weft_request_options *options)
{
    weft_response *response;
    int status = weft_client_request(world->client, method, url, options, &response);
    if (status < 0)
        return status;
    status = weft_response_status(response);
    weft_response_free(response);
    return status;
}

#define BEGIN(auth, ...)                                                                           \
    struct world world;                                                                            \
    begin(&world, answers, sizeof answers / sizeof answers[0], (auth), WEFT_CLIENT(__VA_ARGS__))
#define GET(...)        request(&world, "GET", URL, WEFT_REQUEST(__VA_ARGS__))
#define SENT(n, text)   ASSERT_STR_HAS(world.wire.requests[n], text)
#define UNSENT(n, text) ASSERT_STR_LACKS(world.wire.requests[n], text)
#define NOBODY(n)       UNSENT(n, "Authorization")
#define PAIRS(...)      ((const weft_pair[]){__VA_ARGS__, {0}})

#endif

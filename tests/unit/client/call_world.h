/* call_world.h - a client, and a scripted server for it. */
#ifndef WEFT_TEST_CALL_WORLD_H
#define WEFT_TEST_CALL_WORLD_H

#include <weft.h>

#include "calls.h"
#include "test.h"
#include "wire.h"

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
    weft_auth *auth; /* the client's, freed at the end */
};

/* For FAULTS: fails where making the client does. */
static inline int try_begin(struct world *world, const struct wire_answer *answers, size_t n,
                            const weft_client_options *options)
{
    wire_start(&world->wire, answers, n);
    world->auth = options != NULL ? options->auth : NULL;
    world->client = NULL;
    int err = weft_client_new(options, &world->client);
    if (err == 0)
        wire_serve(&world->wire, world->client);
    return err;
}

static inline void begin(struct world *world, const struct wire_answer *answers, size_t n,
                         const weft_client_options *options)
{
    ASSERT_OK(try_begin(world, answers, n, options));
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
    return call(world->client, method, url, options);
}

static inline const char *body_of(const struct wire *wire, size_t index)
{
    const char *head_end = strstr(wire->requests[index], "\r\n\r\n");
    ASSERT(head_end != NULL);
    return head_end + 4;
}

/* Over HTTP/2 names of fields have no case. */
static inline void assert_sent(const char *file, int line, const char *request, const char *part,
                               bool wanted)
{
    if (test_is_over_h2() && (strcasestr(request, part) != NULL) == wanted)
        return;
    test_str_has(file, line, "the request", request, part, wanted);
}

/* Connections that are there when a response was given up: over HTTP/2 that ends a stream. */
#define KEPT (test_is_over_h2() ? 1 : 0)

#define BEGIN(...)                                                                                 \
    struct world world;                                                                            \
    begin(&world, answers, sizeof answers / sizeof answers[0], WEFT_CLIENT(__VA_ARGS__))
#define TRY_BEGIN(...)                                                                             \
    try_begin(&world, answers, sizeof answers / sizeof answers[0], WEFT_CLIENT(__VA_ARGS__))
#define GET(...)        request(&world, "GET", URL, WEFT_REQUEST(__VA_ARGS__))
#define SENT(n, text)   assert_sent(__FILE__, __LINE__, world.wire.requests[n], text, true)
#define UNSENT(n, text) assert_sent(__FILE__, __LINE__, world.wire.requests[n], text, false)
#define NOBODY(n)       UNSENT(n, "Authorization")

#endif

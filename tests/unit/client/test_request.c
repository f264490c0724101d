/* What is checked before anything is sent, and what goes on the wire as it was given. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>

#include "client/client_int.h"
#include "test.h"

#define URL "http://example.org/x?y"
#include "call_world.h"

static const struct wire_answer good[] = {{GOOD}};

static void check_refused(const char *method, const weft_request_options *options, int error)
{
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_ERR(request(&world, method, URL, options), error);
    ASSERT_STR_LACKS(weft_error_message(), "evil");
    ASSERT_INT_EQ(world.wire.dials, 0);
    end(&world);
}

VIRTUAL_TEST(request_verbs_send_their_method)
{
    typedef int verb(weft_client *, const char *, const weft_request_options *, weft_response **);
    static const struct {
        verb *verb;
        const char *line;
    } verbs[] = {
        {weft_client_get, "GET /x?y HTTP/1.1\r\n"},
        {weft_client_post, "POST /x?y HTTP/1.1\r\n"},
        {weft_client_put, "PUT /x?y HTTP/1.1\r\n"},
        {weft_client_patch, "PATCH /x?y HTTP/1.1\r\n"},
        {weft_client_delete, "DELETE /x?y HTTP/1.1\r\n"},
        {weft_client_query, "QUERY /x?y HTTP/1.1\r\n"},
    };
    struct world world;
    begin(&world, good, 1, NULL);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        weft_response *response = NULL;
        int err = verbs[i].verb(world.client, URL, NULL, &response);
        ASSERT_INT_EQ(status_of(err, response), 200);
        ASSERT_STR_HAS(world.wire.requests[i], verbs[i].line);
    }
    ASSERT_INT_EQ(request(&world, "x-Odd.Method", URL, NULL), 200);
    ASSERT_STR_HAS(world.wire.requests[6], "x-Odd.Method /x?y HTTP/1.1\r\n");
    end(&world);
}

VIRTUAL_TEST(request_target_is_sent_as_it_is)
{
    static const char *const targets[] = {"*", "http://other.org/a b", "//a/../%2f?x=%zz",
                                          "/?q=\xc3\xa4"};
    struct world world;
    char line[128];
    begin(&world, good, 1, NULL);
    for (size_t i = 0; i < 4; i += i == 0 ? 2 : 1) {
        ASSERT_INT_EQ(request(&world, "OPTIONS", URL, WEFT_REQUEST(.target = targets[i])), 200);
        snprintf(line, sizeof line, "OPTIONS %s HTTP/1.1\r\nHost: example.org\r\n", targets[i]);
        ASSERT_STR_HAS(world.wire.requests[world.wire.n_requests - 1], line);
    }
    end(&world);
}

VIRTUAL_TEST(request_target_is_that_of_the_first_hop)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 307 Temporary Redirect\r\nLocation: z\r\nContent-Length: 0\r\n\r\n"}, {GOOD}};
    struct world world;
    begin(&world, answers, 2, WEFT_CLIENT(.follow_redirects = WEFT_ON));
    ASSERT_INT_EQ(request(&world, "GET", URL, WEFT_REQUEST(.target = "/%41")), 200);
    ASSERT_STR_HAS(world.wire.requests[0], "GET /%41 HTTP/1.1\r\n");
    ASSERT_STR_HAS(world.wire.requests[1], "GET /z HTTP/1.1\r\n");
    end(&world);
}

VIRTUAL_TEST(request_with_line_ends_anywhere_is_refused)
{
    static const char *const bad[] = {"a\r\nX-evil: 1", "a\nevil", "a\revil",
                                      "a\x01"
                                      "evil"};
    for (size_t i = 0; i < 4; i++) {
        const weft_pair name[] = {{bad[i], "v"}, {0}};
        const weft_pair value[] = {{"X-A", bad[i]}, {0}};
        const weft_pair host[] = {{"Host", bad[i]}, {0}};
        check_refused(bad[i], NULL, WEFT_ELOCAL_PROTOCOL);
        check_refused("GET", WEFT_REQUEST(.target = bad[i]), WEFT_ELOCAL_PROTOCOL);
        check_refused("GET", WEFT_REQUEST(.headers = name), WEFT_ELOCAL_PROTOCOL);
        check_refused("GET", WEFT_REQUEST(.headers = value), WEFT_ELOCAL_PROTOCOL);
        check_refused("GET", WEFT_REQUEST(.headers = host), WEFT_ELOCAL_PROTOCOL);
        check_refused("PUT", WEFT_REQUEST(.content_type = bad[i], .text = "x"),
                      WEFT_ELOCAL_PROTOCOL);
        check_refused("PUT", WEFT_REQUEST(.idempotency_key = bad[i]), WEFT_ELOCAL_PROTOCOL);
        weft_client *client;
        ASSERT_ERR(weft_client_new(WEFT_CLIENT(.bearer = bad[i]), &client), WEFT_ELOCAL_PROTOCOL);
        ASSERT_ERR(weft_client_new(WEFT_CLIENT(.user_agent = bad[i]), &client),
                   WEFT_ELOCAL_PROTOCOL);
        ASSERT_ERR(weft_client_new(WEFT_CLIENT(.headers = value), &client), WEFT_ELOCAL_PROTOCOL);
    }
    check_refused("GET", WEFT_REQUEST(.target = ""), -EINVAL);
    check_refused("GET", WEFT_REQUEST(.target = "/a b"), WEFT_ELOCAL_PROTOCOL);
    check_refused("", NULL, -EINVAL);
    check_refused("CONNECT", NULL, WEFT_ELOCAL_PROTOCOL);
}

VIRTUAL_TEST(request_fields_keep_their_order_and_case)
{
    static const weft_pair fields[] = {
        {"x-LOWER", "1"}, {"X-Twice", "a"}, {"ACCEPT", "b/c"}, {"x-twice", "b"}, {0}};
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_INT_EQ(request(&world, "GET", URL, WEFT_REQUEST(.headers = fields)), 200);
    static const char sent[] =
        "GET /x?y HTTP/1.1\r\nHost: example.org\r\nACCEPT: b/c\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\nUser-Agent: weft/" WEFT_VERSION
        "\r\nx-LOWER: 1\r\nX-Twice: a\r\nx-twice: b\r\n\r\n";
    if (!test_is_over_h2())
        ASSERT_STR_EQ(world.wire.requests[0], sent);
    ASSERT_INT_EQ(strcasecmp(world.wire.requests[0], sent), 0);
    end(&world);
}

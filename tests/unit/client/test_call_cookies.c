/* Cookies of calls: what responses set, and what goes where. */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "fault.h"
#include "test.h"
#include "wire.h"

#define URL   "http://example.org/x"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define GOOD  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SETS  "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/x\r\n" EMPTY

struct world {
    struct wire wire;
    weft_client *client;
};

static void begin(struct world *world, const struct wire_answer *answers, size_t n,
                  const weft_client_options *options)
{
    wire_start(&world->wire, answers, n);
    ASSERT_OK(weft_client_new(options, &world->client));
    wire_serve(&world->wire, world->client);
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    wire_stop(&world->wire);
}

static int get(struct world *world, const char *url, const weft_request_options *options)
{
    weft_response *response;
    int status = weft_client_get(world->client, url, options, &response);
    if (status < 0)
        return status;
    status = weft_response_status(response);
    weft_response_free(response);
    return status;
}

#define BEGIN(...)                                                                                 \
    struct world world;                                                                            \
    begin(&world, answers, sizeof answers / sizeof answers[0], WEFT_CLIENT(__VA_ARGS__))
#define GET(...)        ASSERT_INT_EQ(get(&world, URL, WEFT_REQUEST(__VA_ARGS__)), 200)
#define SENT(n, text)   ASSERT_STR_HAS(world.wire.requests[n], "\r\n" text "\r\n")
#define UNSENT(n, text) ASSERT_STR_LACKS(world.wire.requests[n], text)
#define PAIRS(...)      ((const weft_pair[]){__VA_ARGS__, {0}})

VIRTUAL_TEST(cookies_set_by_a_response_go_with_the_next_request)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    BEGIN();
    GET();
    UNSENT(0, "Cookie");
    GET();
    SENT(1, "Cookie: b=2; a=1");
    ASSERT_INT_EQ(get(&world, "http://example.org/y", NULL), 200);
    SENT(2, "Cookie: a=1");
    ASSERT_INT_EQ(get(&world, "http://example.net/x", NULL), 200);
    UNSENT(3, "Cookie");
    end(&world);
}

VIRTUAL_TEST(cookies_are_off_where_no_cookies_says_so)
{
    static const struct wire_answer answers[] = {{SETS}};
    BEGIN(.no_cookies = true);
    GET();
    GET();
    UNSENT(1, "Cookie");
    ASSERT(weft_client_cookies(world.client) == NULL);
    GET(.cookies = PAIRS({"c", "3"}));
    SENT(2, "Cookie: c=3");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_jar_are_shared_by_clients)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    weft_cookies *jar;
    weft_client *other;
    ASSERT_OK(weft_cookies_new(&jar));
    ASSERT_OK(weft_cookies_set(jar, "own", "0", "example.org", NULL));
    BEGIN(.cookies = jar);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.cookies = jar), &other));
    wire_serve(&world.wire, other);
    ASSERT(weft_client_cookies(other) == jar);
    weft_cookies_free(jar); /* the clients keep it */
    GET();
    SENT(0, "Cookie: own=0");
    weft_client_free(world.client);
    world.client = other;
    GET();
    SENT(1, "Cookie: b=2; own=0; a=1");
    end(&world);
}

VIRTUAL_TEST(cookies_both_shared_and_off_are_refused)
{
    weft_client *client;
    weft_cookies *jar;
    ASSERT_OK(weft_cookies_new(&jar));
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.cookies = jar, .no_cookies = true), &client), -EINVAL);
    weft_cookies_free(jar);
}

VIRTUAL_TEST(cookies_can_be_put_into_the_jar_of_a_client)
{
    static const struct wire_answer answers[] = {{GOOD}};
    BEGIN();
    weft_cookies *jar = weft_client_cookies(world.client);
    ASSERT_OK(weft_cookies_set(jar, "a", "1", "example.org", NULL));
    GET();
    SENT(0, "Cookie: a=1");
    weft_cookies_remove(jar, NULL, NULL, NULL);
    GET();
    UNSENT(1, "Cookie");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_request_come_before_those_of_the_jar)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    BEGIN();
    GET();
    GET(.cookies = PAIRS({"c", "3"}, {"a", "9"}));
    SENT(1, "Cookie: c=3; a=9; b=2");
    GET(.cookies = PAIRS({"b", NULL}));
    SENT(2, "Cookie: a=1");
    GET(.cookies = PAIRS({"a", NULL}, {"b", NULL}));
    UNSENT(3, "Cookie");
    GET(.headers = PAIRS({"cookie", "x=y; a=8"}), .cookies = PAIRS({"c", "3"}));
    SENT(4, "Cookie: x=y; a=8; c=3; b=2");
    GET();
    SENT(5, "Cookie: b=2; a=1");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_request_that_would_break_it_are_refused)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const weft_pair bad[] = {{"", "1"}, {"a=b", "1"}, {"a", "1; b"}, {"a", "1\r\nX: 1"}};
    BEGIN();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ASSERT_ERR(get(&world, URL, WEFT_REQUEST(.cookies = PAIRS(bad[i]))), -EINVAL);
    ASSERT_INT_EQ(world.wire.dials, 0);
    end(&world);
}

VIRTUAL_TEST(cookies_set_by_a_redirect_go_to_where_it_leads)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /in\r\nSet-Cookie: session=1; Path=/\r\n" EMPTY}, {GOOD}};
    BEGIN(.follow_redirects = WEFT_ON);
    GET(.cookies = PAIRS({"mine", "0"}));
    SENT(0, "Cookie: mine=0");
    SENT(1, "Cookie: mine=0; session=1");
    end(&world);
}

VIRTUAL_TEST(cookies_are_chosen_for_each_hop_of_a_redirect)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: http://other.org/\r\nSet-Cookie: a=1\r\n" EMPTY},
        {"HTTP/1.1 302 Found\r\nLocation: " URL "\r\nSet-Cookie: o=2\r\n" EMPTY},
        {GOOD}};
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_OK(
        weft_cookies_set(weft_client_cookies(world.client), "theirs", "0", "other.org", NULL));
    GET(.cookies = PAIRS({"mine", "0"}), .headers = PAIRS({"Cookie", "too=0"}));
    SENT(0, "Cookie: too=0; mine=0");
    SENT(1, "Cookie: theirs=0");
    /* Back home there are the jar's, but not the caller's any more. */
    SENT(2, "Cookie: a=1");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_failed_attempt_go_with_the_next)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 503 Busy\r\nSet-Cookie: node=2\r\n" EMPTY}, {GOOD}};
    BEGIN(.retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE}));
    GET();
    UNSENT(0, "Cookie");
    SENT(1, "Cookie: node=2");
    end(&world);
}

VIRTUAL_TEST(cookies_that_are_secure_do_not_go_over_http)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nSet-Cookie: s=1; Secure\r\nSet-Cookie: p=2\r\n" EMPTY}, {GOOD}};
    BEGIN();
    ASSERT_INT_EQ(get(&world, "https://example.org/", NULL), 200);
    GET();
    SENT(1, "Cookie: p=2");
    ASSERT_INT_EQ(get(&world, "https://example.org/", NULL), 200);
    SENT(2, "Cookie: s=1; p=2");
    end(&world);
}

/* ---- faults ---- */

static int two_calls(void *arg)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    struct world world;
    (void)arg;
    memset(&world, 0, sizeof world);
    wire_start(&world.wire, answers, 2);
    int err = weft_client_new(NULL, &world.client);
    if (err == 0) {
        wire_serve(&world.wire, world.client);
        err = get(&world, URL, NULL);
        if (err >= 0)
            err = get(&world, URL, WEFT_REQUEST(.cookies = PAIRS({"c", "3"})));
        weft_client_free(world.client);
    }
    wire_stop(&world.wire);
    return err < 0 ? err : 0;
}

TEST_WITH(cookies_of_calls_survive_every_fault, .limit_s = 60)
{
    FAULTS(two_calls, NULL, .any_error = true);
}

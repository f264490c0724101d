/* Cookies of calls: what responses set, and what goes where. */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "call_world.h"
#include "client/client_int.h"
#include "fault.h"
#include "test.h"

#define SETS "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/x\r\n" EMPTY

#define FETCH(...)       ASSERT_INT_EQ(request(&world, "GET", URL, WEFT_REQUEST(__VA_ARGS__)), 200)
#define COOKIES(n, text) SENT(n, "\r\nCookie: " text "\r\n")

VIRTUAL_TEST(cookies_set_by_a_response_go_with_the_next_request)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    BEGIN();
    FETCH();
    UNSENT(0, "Cookie");
    FETCH();
    COOKIES(1, "b=2; a=1");
    ASSERT_INT_EQ(request(&world, "GET", "http://example.org/y", NULL), 200);
    COOKIES(2, "a=1");
    ASSERT_INT_EQ(request(&world, "GET", "http://example.net/x", NULL), 200);
    UNSENT(3, "Cookie");
    end(&world);
}

VIRTUAL_TEST(cookies_are_off_where_no_cookies_says_so)
{
    static const struct wire_answer answers[] = {{SETS}};
    BEGIN(.no_cookies = true);
    FETCH();
    FETCH();
    UNSENT(1, "Cookie");
    ASSERT(weft_client_cookies(world.client) == NULL);
    FETCH(.cookies = PAIRS({"c", "3"}));
    COOKIES(2, "c=3");
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
    FETCH();
    COOKIES(0, "own=0");
    weft_client_free(world.client);
    world.client = other;
    FETCH();
    COOKIES(1, "b=2; own=0; a=1");
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
    FETCH();
    COOKIES(0, "a=1");
    weft_cookies_remove(jar, NULL, NULL, NULL);
    FETCH();
    UNSENT(1, "Cookie");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_request_come_before_those_of_the_jar)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    BEGIN();
    FETCH();
    FETCH(.cookies = PAIRS({"c", "3"}, {"a", "9"}));
    COOKIES(1, "c=3; a=9; b=2");
    FETCH(.cookies = PAIRS({"b", NULL}));
    COOKIES(2, "a=1");
    FETCH(.cookies = PAIRS({"a", NULL}, {"b", NULL}));
    UNSENT(3, "Cookie");
    FETCH(.headers = PAIRS({"cookie", "x=y; a=8"}), .cookies = PAIRS({"c", "3"}));
    COOKIES(4, "x=y; a=8; c=3; b=2");
    FETCH();
    COOKIES(5, "b=2; a=1");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_request_that_would_break_it_are_refused)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const weft_pair bad[] = {{"", "1"}, {"a=b", "1"}, {"a", "1; b"}, {"a", "1\r\nX: 1"}};
    BEGIN();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ASSERT_ERR(request(&world, "GET", URL, WEFT_REQUEST(.cookies = PAIRS(bad[i]))), -EINVAL);
    ASSERT_INT_EQ(world.wire.dials, 0);
    end(&world);
}

VIRTUAL_TEST(cookies_set_by_a_redirect_go_to_where_it_leads)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /in\r\nSet-Cookie: session=1; Path=/\r\n" EMPTY}, {GOOD}};
    BEGIN(.follow_redirects = WEFT_ON);
    FETCH(.cookies = PAIRS({"mine", "0"}));
    COOKIES(0, "mine=0");
    COOKIES(1, "mine=0; session=1");
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
    FETCH(.cookies = PAIRS({"mine", "0"}), .headers = PAIRS({"Cookie", "too=0"}));
    COOKIES(0, "too=0; mine=0");
    COOKIES(1, "theirs=0");
    /* Back home there are the jar's, but not the caller's any more. */
    COOKIES(2, "a=1");
    end(&world);
}

VIRTUAL_TEST(cookies_of_a_failed_attempt_go_with_the_next)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 503 Busy\r\nSet-Cookie: node=2\r\n" EMPTY}, {GOOD}};
    BEGIN(.retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE}));
    FETCH();
    UNSENT(0, "Cookie");
    COOKIES(1, "node=2");
    end(&world);
}

VIRTUAL_TEST(cookies_that_are_secure_do_not_go_over_http)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nSet-Cookie: s=1; Secure\r\nSet-Cookie: p=2\r\n" EMPTY}, {GOOD}};
    BEGIN();
    ASSERT_INT_EQ(request(&world, "GET", "https://example.org/", NULL), 200);
    FETCH();
    COOKIES(1, "p=2");
    ASSERT_INT_EQ(request(&world, "GET", "https://example.org/", NULL), 200);
    COOKIES(2, "s=1; p=2");
    end(&world);
}

/* ---- faults ---- */

static int two_calls(void *arg)
{
    static const struct wire_answer answers[] = {{SETS}, {GOOD}};
    struct world world;
    (void)arg;
    int err = TRY_BEGIN();
    if (err == 0)
        err = request(&world, "GET", URL, NULL);
    if (err >= 0)
        err = request(&world, "GET", URL, WEFT_REQUEST(.cookies = PAIRS({"c", "3"})));
    end(&world);
    return err < 0 ? err : 0;
}

TEST_WITH(cookies_of_calls_survive_every_fault, .limit_s = 60)
{
    FAULTS(two_calls, NULL, .any_error = true);
}

/* Who speaks for a call: fixed credentials, Digest, netrc, flows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "fault.h"
#include "test.h"

#define URL "http://example.org/x?q=1"
#include "call_world.h"

static weft_auth *digest(void)
{
    weft_auth *auth;
    ASSERT_OK(weft_auth_digest("kim", "se\"cret", &auth));
    return auth;
}

/* ---- the same for all requests ---- */

VIRTUAL_TEST(auth_basic_goes_with_every_request_to_its_origin)
{
    static const struct wire_answer answers[] = {{GOOD}, {AWAY}, {BACK}, {GOOD}};
    weft_auth *auth;
    ASSERT_OK(weft_auth_basic("kim", "pass", &auth));
    BEGIN(.auth = auth, .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(), 200);
    SENT(0, "\r\nAuthorization: Basic a2ltOnBhc3M=\r\n");
    ASSERT_INT_EQ(GET(), 200);
    SENT(1, "\r\nAuthorization: Basic a2ltOnBhc3M=\r\n");
    NOBODY(2);
    NOBODY(3); /* home again, but not trusted any more */
    end(&world);
}

VIRTUAL_TEST(auth_of_a_request_is_instead_of_the_clients)
{
    static const struct wire_answer answers[] = {{GOOD}, {GOOD}, {GOOD}, {AWAY}, {GOOD}};
    weft_auth *auth;
    weft_auth *other;
    ASSERT_OK(weft_auth_bearer("one", &auth));
    ASSERT_OK(weft_auth_bearer("two", &other));
    BEGIN(.auth = auth, .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(.auth = other), 200);
    SENT(0, "\r\nAuthorization: Bearer two\r\n");
    UNSENT(0, "one");
    ASSERT_INT_EQ(GET(.auth = WEFT_AUTH_NONE), 200);
    NOBODY(1);
    ASSERT_INT_EQ(GET(.headers = PAIRS({"authorization", "Mine"})), 200);
    SENT(2, "\r\nauthorization: Mine\r\n");
    ASSERT_INT_EQ(GET(.auth = other), 200);
    SENT(3, "Bearer two");
    NOBODY(4);
    weft_auth_free(other);
    end(&world);
}

VIRTUAL_TEST(auth_none_leaves_out_the_shorthands_and_the_urls_too)
{
    static const struct wire_answer answers[] = {{GOOD}};
    BEGIN(.bearer = "one");
    ASSERT_INT_EQ(GET(.auth = WEFT_AUTH_NONE), 200);
    NOBODY(0);
    ASSERT_INT_EQ(
        request(&world, "GET", "http://u:p@example.org/", WEFT_REQUEST(.auth = WEFT_AUTH_NONE)),
        200);
    NOBODY(1);
    ASSERT_INT_EQ(GET(.auth = WEFT_AUTH_NONE, .headers = PAIRS({"Authorization", "Mine"})), 200);
    SENT(2, "\r\nAuthorization: Mine\r\n");
    end(&world);
}

VIRTUAL_TEST(auth_of_a_client_with_a_base_url_goes_there_only)
{
    static const struct wire_answer answers[] = {{GOOD}};
    BEGIN(.auth = digest(), .base_url = "http://home.org/");
    static const struct wire_answer asks[] = {{ASKS}};
    world.wire.answers = asks;
    ASSERT_INT_EQ(GET(), 401);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    ASSERT_INT_EQ(request(&world, "GET", "/", NULL), 401);
    ASSERT_INT_EQ(world.wire.n_requests, 3);
    SENT(2, "Authorization: Digest ");
    end(&world);
}

VIRTUAL_TEST(auth_of_the_url_is_used_for_the_first_hop_only)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: http://a:b@example.org/w\r\n" EMPTY},
        {"HTTP/1.1 302 Found\r\nLocation: http://c:d@other.org/w\r\n" EMPTY},
        {GOOD}};
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(request(&world, "GET", "http://us%20er:p%3Aw@example.org/", NULL), 200);
    SENT(0, "\r\nAuthorization: Basic dXMgZXI6cDp3\r\n");
    SENT(1, "\r\nAuthorization: Basic dXMgZXI6cDp3\r\n");
    UNSENT(1, "YTpi");
    NOBODY(2);
    end(&world);
}

VIRTUAL_TEST(auth_of_two_kinds_at_once_is_refused)
{
    weft_auth *auth = digest();
    weft_client *client;
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.auth = auth, .bearer = "x"), &client), -EINVAL);
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.auth = auth, .username = "x"), &client), -EINVAL);
    weft_auth_free(auth);
}

TEST(auth_that_cannot_be_sent_is_refused)
{
    weft_auth *auth = NULL;
    weft_client *client;
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.username = "a:b", .password = "c"), &client), -EINVAL);
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.password = "c"), &client), -EINVAL);
    ASSERT_ERR(weft_auth_basic("a:b", "c", &auth), -EINVAL);
    ASSERT_ERR(weft_auth_basic("a", NULL, &auth), -EINVAL);
    ASSERT_ERR(weft_auth_bearer("", &auth), -EINVAL);
    ASSERT_ERR(weft_auth_bearer("a\r\nX: y", &auth), WEFT_ELOCAL_PROTOCOL);
    ASSERT_STR_LACKS(weft_error_message(), "X: y");
    ASSERT_ERR(weft_auth_digest("a\n", "b", &auth), -EINVAL);
    ASSERT_ERR(weft_auth_digest(NULL, "b", &auth), -EINVAL);
    ASSERT_ERR(weft_auth_custom(NULL, &auth), -EINVAL);
    ASSERT_ERR(weft_auth_token(NULL, &auth), -EINVAL);
    ASSERT(auth == NULL);
    weft_auth_free(NULL);
    weft_auth_free(WEFT_AUTH_NONE);
    ASSERT(weft_auth_ref(WEFT_AUTH_NONE) == WEFT_AUTH_NONE);
}

/* ---- Digest ---- */

VIRTUAL_TEST(digest_answers_a_challenge_and_counts_on)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 200);
    NOBODY(0);
    SENT(1, "\r\nAuthorization: Digest username=\"kim\", realm=\"r\", nonce=\"n1\", "
            "uri=\"/x?q=1\", ");
    SENT(1, "nc=00000001, qop=auth, response=\"");
    ASSERT_INT_EQ(GET(), 200); /* in advance */
    ASSERT_INT_EQ(world.wire.n_requests, 3);
    SENT(2, "nonce=\"n1\"");
    SENT(2, "nc=00000002");
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

VIRTUAL_TEST(digest_that_is_wrong_stops_after_one_answer)
{
    static const struct wire_answer answers[] = {{ASKS}, {ASKS2}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 401);
    ASSERT_INT_EQ(world.wire.n_requests, 2);
    ASSERT_INT_EQ(GET(), 401); /* nothing is remembered of what was refused */
    ASSERT_INT_EQ(world.wire.n_requests, 4);
    NOBODY(2);
    end(&world);
}

VIRTUAL_TEST(digest_with_a_stale_nonce_is_answered_again)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}, {STALE}, {GOOD}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(GET(), 200);
    SENT(2, "nonce=\"n1\"");
    SENT(3, "nonce=\"n2\"");
    SENT(3, "nc=00000001");
    end(&world);
}

VIRTUAL_TEST(digest_with_stale_nonces_for_ever_stops)
{
    static const struct wire_answer answers[] = {{STALE}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 401);
    ASSERT_INT_EQ(world.wire.n_requests, 3);
    end(&world);
}

VIRTUAL_TEST(digest_takes_the_strongest_of_all_fields)
{
    static const struct wire_answer answers[] = {
        {DENIED "WWW-Authenticate: Basic realm=\"b\", Digest realm=\"r\", nonce=\"m\", "
                "qop=\"auth\"\r\n"
                "WWW-Authenticate: Digest realm=\"\", nonce=\"s\", qop=\"auth-int, auth\", "
                "algorithm=SHA-256\r\n"
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"x\", qop=\"auth\", "
                "algorithm=MD5-sess\r\n" EMPTY},
        {GOOD}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 200);
    SENT(1, "realm=\"\", nonce=\"s\"");
    SENT(1, "algorithm=SHA-256");
    end(&world);
}

VIRTUAL_TEST(digest_that_it_cannot_answer_is_the_callers)
{
    static const char *const fields[] = {
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"\r\n",
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1\r\n",
        "WWW-Authenticate: Digest nonce=\"n\"\r\n",
        "WWW-Authenticate: Basic realm=\"r\"\r\n",
        "WWW-Authenticate: \r\n",
        "",
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, DENIED "%sContent-Length: 2\r\n\r\nno", fields[i]);
        const struct wire_answer answers[] = {{text}};
        weft_response *response;
        BEGIN(.auth = digest());
        ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
        ASSERT_INT_EQ(weft_response_status(response), 401);
        ASSERT_STR_EQ(weft_response_text(response, NULL), "no");
        weft_response_free(response);
        ASSERT_INT_EQ(world.wire.n_requests, 1);
        end(&world);
    }
}

VIRTUAL_TEST(digest_never_answers_another_origin)
{
    static const struct wire_answer answers[] = {{AWAY}, {ASKS}};
    BEGIN(.auth = digest(), .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(), 401);
    ASSERT_INT_EQ(world.wire.n_requests, 2);
    NOBODY(1);
    end(&world);
}

VIRTUAL_TEST(digest_keeps_a_challenge_for_each_origin)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}, {ASKS2}, {GOOD}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(request(&world, "GET", "http://example.org:81/x", NULL), 200);
    NOBODY(2); /* another port is another origin */
    ASSERT_INT_EQ(GET(), 200);
    SENT(4, "nonce=\"n1\"");
    ASSERT_INT_EQ(request(&world, "GET", "http://example.org:81/x", NULL), 200);
    SENT(5, "nonce=\"n2\"");
    end(&world);
}

VIRTUAL_TEST(digest_remembers_a_bounded_number_of_origins)
{
    static const struct wire_answer asks[] = {{ASKS}, {GOOD}};
    weft_auth *auth = digest();
    struct wire wire;
    weft_client *client;
    char url[64];
    for (int i = 0; i < WEFT__LIMIT_DIGEST_ORIGINS + 2; i++) {
        weft_response *response;
        wire_start(&wire, asks, 2);
        ASSERT_OK(weft_client_new(WEFT_CLIENT(.auth = auth), &client));
        wire_serve(&wire, client);
        /* The first two again at the end: only the one that was not used long is forgotten. */
        snprintf(url, sizeof url, "http://h%d.org/", i % WEFT__LIMIT_DIGEST_ORIGINS + (i < 2));
        ASSERT_OK(weft_client_get(client, url, NULL, &response));
        weft_response_free(response);
        weft_client_free(client);
        wire_stop(&wire);
    }
    weft_auth_free(auth);
}

VIRTUAL_TEST(digest_sends_a_body_again)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(request(&world, "POST", URL, WEFT_REQUEST(.content = "body", .content_len = 4)),
                  200);
    SENT(0, "\r\n\r\nbody");
    SENT(1, "\r\n\r\nbody");
    SENT(1, "Content-Length: 4\r\n");
    end(&world);
}

static int64_t read_once(void *userdata, void *data, size_t len)
{
    int *calls = userdata;
    (void)len;
    if ((*calls)++ % 2 != 0)
        return 0;
    memcpy(data, "body", 4);
    return 4;
}

static int rewind_it(void *userdata)
{
    (void)userdata;
    return 0;
}

VIRTUAL_TEST(digest_of_a_body_that_cannot_be_rewound_is_not_replayable)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}};
    int calls = 0;
    BEGIN(.auth = digest());
    ASSERT_ERR(request(&world, "POST", URL,
                       WEFT_REQUEST(.body_reader = read_once, .body_userdata = &calls)),
               WEFT_ENOT_REPLAYABLE);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    calls = 0;
    ASSERT_INT_EQ(request(&world, "POST", URL,
                          WEFT_REQUEST(.body_reader = read_once, .body_userdata = &calls,
                                       .body_rewind = rewind_it)),
                  200); /* in advance, so nothing had to be rewound */
    end(&world);
}

VIRTUAL_TEST(digest_takes_the_cookies_of_the_challenge_along)
{
    static const struct wire_answer answers[] = {
        {DENIED "Set-Cookie: s=1\r\n"
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"\r\n" EMPTY},
        {GOOD}};
    BEGIN(.auth = digest());
    ASSERT_INT_EQ(GET(), 200);
    SENT(1, "\r\nCookie: s=1\r\n");
    UNSENT(1, "qop"); /* the form of RFC 2069 */
    end(&world);
}

VIRTUAL_TEST(digest_does_not_read_the_body_of_a_challenge_into_memory)
{
    static const struct wire_answer answers[] = {
        {DENIED "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"\r\n"
                "Content-Length: 99999999\r\n\r\nmuch"},
        {GOOD}};
    BEGIN(.auth = digest(), .body_max = 16);
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(world.wire.dials, 2);
    end(&world);
}

VIRTUAL_TEST(digest_of_a_streamed_response_is_answered_too)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}};
    weft_response *response;
    char data[8];
    BEGIN(.auth = digest());
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_status(response), 200);
    ASSERT_INT_EQ(weft_response_read(response, data, sizeof data), 2);
    weft_response_free(response);
    end(&world);
}

/* ---- netrc ---- */

static const char netrc[] = "machine example.org login kim password \"p w\"\n"
                            "machine other.org login lee password two\n"
                            "machine 2001:db8::1 login six password 6\n"
                            "default login any password secret\n";

static weft_auth *from_netrc(const char *text)
{
    char path[] = "/tmp/weft-netrc-XXXXXX";
    weft_auth *auth;
    int fd = mkstemp(path);
    ASSERT(fd >= 0);
    ASSERT(write(fd, text, strlen(text)) == (long)strlen(text));
    close(fd);
    int err = weft_auth_netrc(path, &auth);
    unlink(path);
    ASSERT_OK(err);
    return auth;
}

#define KIM "\r\nAuthorization: Basic a2ltOnAgdw==\r\n"
#define LEE "\r\nAuthorization: Basic bGVlOnR3bw==\r\n"
#define ANY "\r\nAuthorization: Basic YW55OnNlY3JldA==\r\n"

TASK_TEST(netrc_is_asked_for_the_host_and_nothing_else)
{
    static const struct wire_answer answers[] = {{GOOD}};
    BEGIN(.auth = from_netrc(netrc));
    ASSERT_INT_EQ(GET(), 200);
    SENT(0, KIM);
    /* What stands before "@", or the port, is not the host. */
    ASSERT_INT_EQ(request(&world, "GET", "http://example.org:1@evil.net:81/", NULL), 200);
    SENT(1, ANY);
    ASSERT_INT_EQ(request(&world, "GET", "http://OTHER.org:8080/", NULL), 200);
    SENT(2, LEE);
    ASSERT_INT_EQ(request(&world, "GET", "http://[2001:db8:0::1]/", NULL), 200);
    SENT(3, "\r\nAuthorization: Basic c2l4OjY=\r\n");
    end(&world);
}

TASK_TEST(netrc_of_another_host_is_used_after_a_redirect_only_if_it_is_named)
{
    static const struct wire_answer answers[] = {
        {AWAY}, {"HTTP/1.1 302 Found\r\nLocation: http://third.org/\r\n" EMPTY}, {GOOD}};
    BEGIN(.auth = from_netrc(netrc), .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(GET(), 200);
    SENT(0, KIM);
    SENT(1, LEE);
    NOBODY(2); /* "default" is for who asked for it */
    end(&world);
}

TASK_TEST(netrc_is_silent_after_a_redirect_from_https_to_http)
{
    static const struct wire_answer answers[] = {{AWAY}, {GOOD}};
    BEGIN(.auth = from_netrc(netrc), .follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(request(&world, "GET", "https://example.org/", NULL), 200);
    SENT(0, KIM);
    NOBODY(1);
    end(&world);
}

TASK_TEST(netrc_without_an_entry_says_nothing)
{
    static const struct wire_answer answers[] = {{GOOD}};
    BEGIN(.auth = from_netrc("machine a login b password c\n"));
    ASSERT_INT_EQ(GET(), 200);
    NOBODY(0);
    end(&world);
}

TASK_TEST(netrc_that_is_none_or_not_there_is_an_error)
{
    char path[] = "/tmp/weft-netrc-XXXXXX";
    weft_auth *auth = NULL;
    int fd = mkstemp(path);
    ASSERT(fd >= 0);
    ASSERT(write(fd, "password \"", 10) == 10);
    close(fd);
    setenv("NETRC", path, 1);
    int err = weft_auth_netrc(NULL, &auth);
    unlink(path);
    ASSERT_INT_EQ(err, -EINVAL);
    ASSERT_ERR(weft_auth_netrc(NULL, &auth), -ENOENT);
    unsetenv("NETRC");
    unsetenv("HOME");
    ASSERT_ERR(weft_auth_netrc(NULL, &auth), -ENOENT);
    ASSERT(auth == NULL);
}

/* ---- flows ---- */

struct flow {
    int steps;
    int turns; /* requests that it wants */
    int fails; /* at this step, from 1 */
    int drops;
    char seen[256]; /* statuses and bodies */
};

static int step(void *userdata, const weft_auth_step *step)
{
    struct flow *flow = userdata;
    char value[32];
    ASSERT_STR_EQ(step->target, "/x?q=1");
    ASSERT_STR_EQ(step->url, URL);
    ASSERT_INT_EQ(step->turn, flow->steps);
    if (++flow->steps == flow->fails)
        return -EACCES;
    if (step->response != NULL) {
        size_t len = strlen(flow->seen);
        const char *text = weft_response_text(step->response, NULL);
        ASSERT_STR_EQ(weft_response_url(step->response), URL);
        snprintf(flow->seen + len, sizeof flow->seen - len, "%d %s;",
                 weft_response_status(step->response), text != NULL ? text : "-");
    }
    snprintf(value, sizeof value, "Step %d", flow->steps);
    ASSERT_OK(weft_headers_set(step->fields, "X-Step", value));
    return flow->steps < flow->turns;
}

static void drop(void *userdata)
{
    struct flow *flow = userdata;
    flow->drops++;
}

static weft_auth *custom(struct flow *flow, bool body)
{
    weft_auth *auth;
    ASSERT_OK(weft_auth_custom(
        WEFT_AUTH_FLOW(.step = step, .userdata = flow, .drop = drop, .response_body = body),
        &auth));
    return auth;
}

VIRTUAL_TEST(flow_sees_each_reply_and_says_what_is_sent)
{
    static const struct wire_answer answers[] = {
        {DENIED "Content-Length: 3\r\n\r\none"}, {DENIED EMPTY}, {GOOD}};
    struct flow flow = {.turns = 4};
    BEGIN(.auth = custom(&flow, true));
    ASSERT_INT_EQ(GET(.headers = PAIRS({"x-step", "none"})), 200);
    SENT(0, "\r\nX-Step: Step 1\r\n");
    UNSENT(0, "none");
    SENT(1, "\r\nX-Step: Step 2\r\n");
    SENT(2, "\r\nX-Step: Step 3\r\n");
    ASSERT_STR_EQ(flow.seen, "401 one;401 ;200 ok;");
    ASSERT_INT_EQ(flow.steps, 4);
    end(&world);
    ASSERT_INT_EQ(flow.drops, 1);
}

VIRTUAL_TEST(flow_without_bodies_leaves_the_last_one_to_the_caller)
{
    static const struct wire_answer answers[] = {{DENIED "Content-Length: 3\r\n\r\none"}};
    struct flow flow = {.turns = 1};
    weft_response *response;
    BEGIN(.auth = custom(&flow, false));
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "one");
    ASSERT_STR_EQ(flow.seen, "401 -;");
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(flow_that_fails_ends_the_call)
{
    static const struct wire_answer answers[] = {{DENIED EMPTY}};
    for (int i = 1; i < 3; i++) {
        struct flow flow = {.turns = 9, .fails = i};
        BEGIN(.auth = custom(&flow, i == 1));
        ASSERT_ERR(GET(), -EACCES);
        ASSERT_INT_EQ(world.wire.n_requests, i - 1);
        end(&world);
    }
}

VIRTUAL_TEST(flow_without_an_end_is_ended)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct flow flow = {.turns = 99};
    BEGIN(.auth = custom(&flow, false));
    ASSERT_INT_EQ(GET(), 200);
    ASSERT_INT_EQ(world.wire.n_requests, WEFT__LIMIT_AUTH_TURNS);
    end(&world);
}

/* ---- faults ---- */

static int use_digest(void *arg)
{
    static const struct wire_answer answers[] = {{ASKS}, {GOOD}};
    struct world world;
    weft_auth *auth;
    (void)arg;
    int err = weft_auth_digest("kim", "pass", &auth);
    if (err < 0)
        return err;
    err = TRY_BEGIN(.auth = auth);
    if (err == 0)
        err = GET();
    end(&world);
    return err < 0 ? err : 0;
}

TEST_WITH(digest_survives_every_fault, .limit_s = 60)
{
    FAULTS(use_digest, NULL, .any_error = true);
}

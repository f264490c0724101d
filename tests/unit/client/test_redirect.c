/* Redirects: what becomes of the request, where they lead, what goes along. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "fault.h"
#include "test.h"

#define URL "http://example.org/d/x?q=1"
#include "call_world.h"

/* ---- what becomes of the request ---- */

enum kind { NOTHING, BYTES, FORM, READER, READER_ONCE, KINDS };

static int64_t read_body(void *userdata, void *data, size_t len)
{
    bool *read = userdata;
    (void)len;
    if (*read)
        return 0;
    *read = true;
    memcpy(data, "a=b", 3);
    return 3;
}

static int rewind_body(void *userdata)
{
    bool *read = userdata;
    *read = false;
    return 0;
}

static weft_request_options options_of(enum kind kind, bool *read)
{
    static const weft_pair form[] = {{"a", "b"}, {0}};
    static const weft_pair fields[] = {
        {"Content-Language", "en"}, {"content-encoding", "identity"}, {"X-Kept", "1"}, {0}};
    weft_request_options options = {.size = sizeof options, .headers = fields};
    if (kind == BYTES) {
        options.content = "a=b";
        options.content_len = 3;
        options.content_type = "text/plain";
    }
    if (kind == FORM)
        options.form = form;
    if (kind >= READER) {
        options.body_reader = read_body;
        options.body_userdata = read;
    }
    if (kind == READER)
        options.body_rewind = rewind_body;
    return options;
}

static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                      "PATCH", "DELETE", "OPTIONS", "QUERY"};
/* Which of them become GET. */
static const struct {
    int status;
    const char *rewritten;
} rules[] = {
    {301, "POST"}, {302, "POST"}, {303, "POST PUT PATCH DELETE OPTIONS QUERY"},
    {307, ""},     {308, ""},
};

static void check_one(int status, const char *method, enum kind kind, bool becomes_get)
{
    char first[128];
    char line[64];
    bool read = false;
    snprintf(first, sizeof first, "HTTP/1.1 %d X\r\nLocation: /y\r\n" EMPTY, status);
    const struct wire_answer answers[] = {
        {first},
        {strcmp(method, "HEAD") == 0 && !becomes_get ? "HTTP/1.1 200 OK\r\n" EMPTY : GOOD},
    };
    const weft_request_options options = options_of(kind, &read);
    BEGIN(.follow_redirects = WEFT_ON, .max_redirects = 1);
    int result = request(&world, method, URL, &options);
    if (kind == READER_ONCE && !becomes_get) {
        ASSERT_INT_EQ(result, WEFT_ENOT_REPLAYABLE);
        ASSERT_INT_EQ(world.wire.n_requests, 1);
        end(&world);
        return;
    }
    ASSERT_INT_EQ(result, 200);
    snprintf(line, sizeof line, "%s /y HTTP/1.1\r\n", becomes_get ? "GET" : method);
    ASSERT_MEM_EQ(world.wire.requests[1], line, strlen(line));
    SENT(1, "\r\nX-Kept: 1\r\n");
    if (becomes_get) {
        UNSENT(1, "ontent-");
        UNSENT(1, "Transfer-Encoding");
        UNSENT(1, "a=b");
    } else {
        SENT(1, "\r\nContent-Language: en\r\ncontent-encoding: identity\r\n");
        if (kind != NOTHING)
            SENT(1, "a=b");
        if (kind == BYTES)
            SENT(1, "\r\nContent-Type: text/plain\r\n");
        if (kind == FORM)
            SENT(1, "\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    }
    end(&world);
}

VIRTUAL_TEST(redirect_rewrites_by_status_method_and_body)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        for (size_t j = 0; j < sizeof methods / sizeof methods[0]; j++) {
            for (enum kind kind = NOTHING; kind < KINDS; kind++)
                check_one(rules[i].status, methods[j], kind,
                          strstr(rules[i].rewritten, methods[j]) != NULL);
        }
    }
}

VIRTUAL_TEST(redirect_of_another_kind_is_an_answer)
{
    static const int statuses[] = {200, 201, 300, 304, 305, 306, 399, 404};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nLocation: /y\r\n" EMPTY, statuses[i]);
        const struct wire_answer answers[] = {{text}};
        BEGIN(.follow_redirects = WEFT_ON);
        ASSERT_INT_EQ(GET(), statuses[i]);
        ASSERT_INT_EQ(world.wire.n_requests, 1);
        end(&world);
    }
}

/* ---- where they lead ---- */

static const struct {
    const char *field; /* one or more */
    const char *url;   /* NULL: refused */
} locations[] = {
    {"Location: y", "http://example.org/d/y#f"},
    {"Location: /y", "http://example.org/y#f"},
    {"Location: ?z", "http://example.org/d/x?z#f"},
    {"Location: //other.org/y", "http://other.org/y#f"},
    {"Location: https://other.org", "https://other.org/#f"},
    {"Location: HTTP://EXAMPLE.ORG:80/%7e", "http://example.org/%7e#f"},
    {"Location: y#g", "http://example.org/d/y#g"},
    {"Location: #g", "http://example.org/d/x?q=1#g"},
    {"Location: ../../y", "http://example.org/y#f"},
    {"Location: a b\tc", "http://example.org/d/a%20bc#f"},
    {"Location: /\xc3\xa9?\xc3\xa9", "http://example.org/%C3%A9?%C3%A9#f"},
    {"Location: http:///y/z", "http://y/z#f"}, /* as browsers read it */
    {"Location:   /y  ", "http://example.org/y#f"},
    {"Location: /y\r\nlocation: /y", "http://example.org/y#f"},
    {"Location: /y\r\nLocation: /z", NULL},
    {"Location: http://", NULL},
    {"Location: http://[::1/", NULL},
    {"Location: http://exa mple.org/", NULL},
    {"Location: http://example.org:99999/", NULL},
};

VIRTUAL_TEST(redirect_location_is_read_in_all_its_forms)
{
    for (size_t i = 0; i < sizeof locations / sizeof locations[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\n%s\r\n" EMPTY, locations[i].field);
        const struct wire_answer answers[] = {{text}, {GOOD}};
        weft_response *response;
        char *next = NULL;
        BEGIN(.follow_redirects = WEFT_ON);
        /* Not followed, the response is always returned. */
        ASSERT_OK(weft_client_get(world.client, URL "#f",
                                  WEFT_REQUEST(.follow_redirects = WEFT_OFF), &response));
        ASSERT_INT_EQ(weft_response_status(response), 302);
        ASSERT_STR_EQ(weft_response_next_method(response), "GET");
        int err = weft_response_next_url(response, &next);
        weft_response_free(response);
        ASSERT_INT_EQ(err, locations[i].url != NULL ? 0 : WEFT_EREMOTE_PROTOCOL);
        if (locations[i].url != NULL)
            ASSERT_STR_EQ(next, locations[i].url);
        weft_free(next);
        world.wire.n_requests = 0;
        err = weft_client_get(world.client, URL "#f", NULL, &response);
        ASSERT_INT_EQ(err, locations[i].url != NULL ? 0 : WEFT_EREMOTE_PROTOCOL);
        if (locations[i].url != NULL) {
            ASSERT_STR_EQ(weft_response_url(response), locations[i].url);
            weft_response_free(response);
        }
        end(&world);
    }
}

VIRTUAL_TEST(redirect_without_a_location_is_an_answer)
{
    static const char *const fields[] = {"", "Location: \r\n", "Location:\r\nLocation:\r\n"};
    for (size_t i = 0; i < 3; i++) {
        char text[128];
        snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\n%s" EMPTY, fields[i]);
        const struct wire_answer answers[] = {{text}};
        weft_response *response;
        char *next = NULL;
        BEGIN(.follow_redirects = WEFT_ON);
        ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
        ASSERT_INT_EQ(weft_response_status(response), 302);
        ASSERT(weft_response_next_method(response) == NULL);
        ASSERT_ERR(weft_response_next_url(response, &next), -ENOENT);
        weft_response_free(response);
        end(&world);
    }
}

VIRTUAL_TEST(redirect_to_another_scheme_is_refused)
{
    static const char *const to[] = {"ftp://example.org/", "file:///etc/passwd", "javascript:x",
                                     "data:,x", "mailto:kim@example.org"};
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\nLocation: %s\r\n" EMPTY, to[i]);
        const struct wire_answer answers[] = {{text}};
        BEGIN(.follow_redirects = WEFT_ON);
        ASSERT_ERR(GET(), WEFT_EUNSUPPORTED_PROTOCOL);
        ASSERT_INT_EQ(world.wire.n_requests, 1);
        end(&world);
    }
}

VIRTUAL_TEST(redirect_with_a_location_of_64_kib_is_an_error_of_its_own)
{
    static char text[70000];
    int n = snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\nLocation: /");
    memset(text + n, 'a', 66000);
    snprintf(text + n + 66000, 100, "\r\n" EMPTY);
    const struct wire_answer answers[] = {{text}};
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_ERR(GET(), WEFT_EHEADER_TOO_LARGE);
    end(&world);
}

VIRTUAL_TEST(redirect_to_http_is_refused_where_only_https_is_allowed)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: " URL "\r\n" EMPTY}};
    BEGIN(.follow_redirects = WEFT_ON, .https_only = true);
    ASSERT_ERR(request(&world, "GET", "https://example.org/", NULL), WEFT_EUNSUPPORTED_PROTOCOL);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    ASSERT_ERR(GET(), WEFT_EUNSUPPORTED_PROTOCOL);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

/* ---- how many ---- */

#define ROUND "HTTP/1.1 302 Found\r\nLocation: /round\r\n" EMPTY

VIRTUAL_TEST(redirect_limit_is_exact_for_clients_and_requests)
{
    static const struct {
        int client;
        int request;
        int most;
    } limits[] = {{0, 0, 20}, {3, 0, 3}, {3, 5, 5}, {-1, 0, 0}, {3, -1, 0}, {-1, 1, 1}};
    static const struct wire_answer answers[] = {{ROUND}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        BEGIN(.follow_redirects = WEFT_ON, .max_redirects = limits[i].client);
        ASSERT_ERR(GET(.max_redirects = limits[i].request), WEFT_ETOO_MANY_REDIRECTS);
        ASSERT_INT_EQ(world.wire.n_requests, limits[i].most + 1);
        end(&world);
        struct wire_answer enough[22];
        for (int j = 0; j < limits[i].most; j++)
            enough[j] = (struct wire_answer){ROUND};
        enough[limits[i].most] = (struct wire_answer){GOOD};
        begin(&world, enough, (size_t)limits[i].most + 1,
              WEFT_CLIENT(.follow_redirects = WEFT_ON, .max_redirects = limits[i].client));
        ASSERT_INT_EQ(GET(.max_redirects = limits[i].request), 200);
        end(&world);
    }
}

/* ---- what goes along ---- */

VIRTUAL_TEST(redirect_leaves_all_secrets_behind_for_good)
{
    static const char *const names[] = {"Authorization",   "Proxy-Authorization", "Cookie",
                                        "X-Api-Key",       "X-Auth-Token",        "X-Session-Id",
                                        "X-Client-Secret", "Www-Authenticate",    "X-Mine"};
    static const char *const to[] = {"http://other.org/", "http://example.org:81/",
                                     "https://example.org/", "http://sub.example.org/",
                                     "http://example.org.evil/"};
    static const char *const mine[] = {"x-mine", NULL};
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        char away[128];
        snprintf(away, sizeof away, "HTTP/1.1 307 X\r\nLocation: %s\r\n" EMPTY, to[i]);
        const struct wire_answer answers[] = {
            {away}, {"HTTP/1.1 307 X\r\nLocation: " URL "\r\n" EMPTY}, {GOOD}};
        weft_pair pairs[10] = {{0}};
        for (size_t j = 0; j < 9; j++)
            pairs[j] = (weft_pair){names[j], "xyzzy"};
        for (int client = 0; client < 2; client++) {
            BEGIN(.follow_redirects = WEFT_ON, .headers = client ? pairs : NULL,
                  .secret_fields = mine);
            ASSERT_INT_EQ(GET(.headers = client ? NULL : pairs), 200);
            for (size_t j = 0; j < 9; j++)
                SENT(0, names[j]);
            UNSENT(1, "xyzzy");
            UNSENT(2, "xyzzy");
            end(&world);
        }
    }
}

VIRTUAL_TEST(redirect_tells_nobody_where_it_came_from)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: http://other.org/\r\n" EMPTY}, {GOOD}};
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_INT_EQ(request(&world, "GET", "http://kim:hunter2@example.org/", NULL), 200);
    UNSENT(1, "Referer");
    UNSENT(1, "hunter2");
    UNSENT(1, "example.org");
    end(&world);
}

VIRTUAL_TEST(redirect_errors_do_not_show_the_password)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: ftp://kim:hunter2@example.org/\r\n" EMPTY}};
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_ERR(request(&world, "GET", "http://lee:sesame@example.org/", NULL),
               WEFT_EUNSUPPORTED_PROTOCOL);
    ASSERT_STR_LACKS(weft_error_message(), "hunter2");
    ASSERT_STR_LACKS(weft_error_message(), "sesame");
    end(&world);
}

/* ---- the history ---- */

VIRTUAL_TEST(redirect_history_has_every_response)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /one\r\nX-N: 0\r\nContent-Length: 4\r\n\r\nbody"},
        {"HTTP/1.1 307 X\r\nLocation: /two\r\nX-N: 1\r\n" EMPTY},
        {GOOD}};
    weft_response *response;
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_redirects(response), 2);
    const weft_response *first = weft_response_history(response, 0);
    const weft_response *second = weft_response_history(response, 1);
    ASSERT_INT_EQ(weft_response_status(first), 302);
    ASSERT_STR_EQ(weft_response_url(first), URL);
    ASSERT_STR_EQ(weft_response_header(first, "x-n"), "0");
    ASSERT(weft_response_content(first, NULL) == NULL);
    ASSERT_INT_EQ(weft_response_status(second), 307);
    ASSERT_STR_EQ(weft_response_url(second), "http://example.org/one");
    ASSERT(weft_response_history(response, 2) == NULL);
    ASSERT(weft_response_history(second, 1) == NULL);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(redirect_history_has_the_replies_that_auth_answered)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /one\r\n" EMPTY},
        {"HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n" EMPTY},
        {GOOD}};
    weft_auth *auth;
    weft_response *response;
    BEGIN(.follow_redirects = WEFT_ON);
    ASSERT_OK(weft_auth_digest("kim", "pass", &auth));
    ASSERT_OK(weft_client_get(world.client, URL, WEFT_REQUEST(.auth = auth), &response));
    weft_auth_free(auth);
    ASSERT_INT_EQ(weft_response_status(weft_response_history(response, 0)), 302);
    ASSERT_INT_EQ(weft_response_status(weft_response_history(response, 1)), 401);
    ASSERT_STR_EQ(weft_response_url(weft_response_history(response, 1)), "http://example.org/one");
    ASSERT(weft_response_history(response, 2) == NULL);
    weft_response_free(response);
    end(&world);
}

static int go_round(void *arg)
{
    static const struct wire_answer answers[] = {{ROUND}, {ROUND}, {GOOD}};
    struct world world;
    (void)arg;
    int err = TRY_BEGIN(.follow_redirects = WEFT_ON);
    if (err == 0)
        err = request(&world, "GET", "http://kim:pass@example.org/#f", NULL);
    end(&world);
    return err < 0 ? err : 0;
}

TEST_WITH(redirect_survives_every_fault, .limit_s = 60)
{
    FAULTS(go_round, NULL, .any_error = true);
}

/*
 * Everything that can go wrong in one part of the client after another goes wrong once: auth,
 * cookies, hooks, events, lines of JSON, codings, a proxy.  The server is in another process.
 */
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/json.h>
#include <weft/sse.h>

#include "fault.h"
#include "test.h"
#include "web.h"

static int get(weft_client *client, const char *path, const weft_request_options *options,
               int expected)
{
    weft_response *response;
    int err = weft_client_get(client, path, options, &response);
    if (err < 0)
        return err;
    ASSERT_INT_EQ(weft_response_status(response), expected);
    weft_response_free(response);
    return 0;
}

/* All slots of a pool are free, whatever happened. */
static int finish(weft_client *client, int err)
{
    weft_pool_stats stats;
    weft_client_pool_stats(client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.waiting, 0);
    weft_client_free(client);
    return err;
}

static int get_with(const struct web *web, weft_auth *auth, const char *path, int expected)
{
    weft_client *client;
    int err = weft_client_new(WEFT_CLIENT(.base_url = web->base, .auth = auth), &client);
    weft_auth_free(auth);
    if (err < 0)
        return err;
    err = get(client, path, NULL, expected);
    if (err == 0)
        err = get(client, path, NULL, expected);
    return finish(client, err);
}

/* ---- who speaks for a call ---- */

static int use_netrc(void *arg)
{
    weft_auth *auth;
    int err = weft_auth_netrc(test_path("netrc"), &auth);
    return err < 0 ? err : get_with(arg, auth, "/echo", 200);
}

static int use_digest(void *arg)
{
    weft_auth *auth;
    int err = weft_auth_digest("kim", "pass", &auth);
    return err < 0 ? err : get_with(arg, auth, "/digest/any", 200);
}

static int fetch(void *userdata, weft_token *token)
{
    (void)userdata;
    int err = weft_sleep(1);
    return err < 0 ? err : weft_token_set(token, "t1", WEFT_FOREVER);
}

static int use_token(void *arg)
{
    weft_auth *auth;
    int err = weft_auth_token(WEFT_AUTH_TOKEN(.fetch = fetch), &auth);
    return err < 0 ? err : get_with(arg, auth, "/token", 200);
}

static int step(void *userdata, const weft_auth_step *one)
{
    (void)userdata;
    if (one->turn == 2)
        return 0;
    int err = weft_headers_set(one->fields, "X-Turn", one->turn == 0 ? "first" : "second");
    return err < 0 ? err : 1;
}

static int use_custom(void *arg)
{
    weft_auth *auth;
    int err = weft_auth_custom(WEFT_AUTH_FLOW(.step = step, .response_body = true), &auth);
    return err < 0 ? err : get_with(arg, auth, "/status/401", 401);
}

/* ---- cookies, hooks ---- */

static int use_cookies(void *arg)
{
    const struct web *web = arg;
    weft_client *client;
    int err =
        weft_client_new(WEFT_CLIENT(.base_url = web->base, .follow_redirects = WEFT_ON), &client);
    if (err < 0)
        return err;
    err = get(client, "/set/a/1", NULL, 200);
    if (err == 0)
        err = get(client, "/redirect/2", WEFT_REQUEST(.cookies = (weft_pair[]){{"mine", "2"}, {0}}),
                  200);
    return finish(client, err);
}

static int on_request(void *userdata, const weft_request_event *event)
{
    (void)userdata;
    return weft_headers_set(event->headers, "X-Hook", "1");
}

static int on_response(void *userdata, weft_response *response)
{
    (void)userdata;
    return weft_response_read_all(response);
}

static void note(void *userdata, const char *line)
{
    (void)userdata;
    ASSERT_STR_HAS(line, "GET ");
}

static void trace(void *userdata, const weft_trace_event *event)
{
    (void)userdata;
    ASSERT(event->authority != NULL);
}

static int use_hooks(void *arg)
{
    const struct web *web = arg;
    const weft_hooks hooks = {.size = sizeof hooks,
                              .on_request = on_request,
                              .on_response = on_response,
                              .log = note,
                              .trace = trace};
    weft_client *client;
    int err = weft_client_new(
        WEFT_CLIENT(.base_url = web->base, .hooks = &hooks, .follow_redirects = WEFT_ON), &client);
    return err < 0 ? err : finish(client, get(client, "/redirect/1?key=secret", NULL, 200));
}

/* ---- bodies that come ---- */

static int use_events(void *arg)
{
    const struct web *web = arg;
    weft_client *client;
    weft_sse *sse;
    weft_sse_event event;
    int err = weft_client_new(WEFT_CLIENT(.base_url = web->base), &client);
    if (err < 0)
        return err;
    err = weft_sse_open(client, "/events",
                        WEFT_SSE(.headers = (weft_pair[]){{"X-A", "b"}, {0}}, .min_wait = 1), &sse);
    if (err == 0) {
        /* The fourth comes from a second connection. */
        for (int i = 1; i < 5 && err >= 0; i++) {
            char id[8];
            snprintf(id, sizeof id, "%d", i);
            err = weft_sse_next(sse, &event);
            if (err == 1)
                ASSERT_STR_EQ(event.id, id);
        }
        weft_sse_close(sse);
    }
    return finish(client, err < 0 ? err : 0);
}

static int read_json(weft_response *response)
{
    json_t *json;
    int result;
    int n = 0;
    while ((result = weft_response_read_json(response, &json)) > 0) {
        ASSERT_INT_EQ(json_integer_value(json_object_get(json, "n")), n++);
        json_decref(json);
    }
    if (result == 0)
        ASSERT_INT_EQ(n, 3);
    return result;
}

static int read_lines(weft_response *response)
{
    const char *line;
    size_t len;
    int result;
    while ((result = weft_response_read_line(response, &line, &len)) > 0)
        ASSERT_INT_EQ(len, 7);
    return result;
}

static int use_stream(const struct web *web, const char *path, int (*read)(weft_response *))
{
    weft_client *client;
    weft_response *response;
    int err = weft_client_new(WEFT_CLIENT(.base_url = web->base), &client);
    if (err < 0)
        return err;
    err = weft_client_stream(client, "GET", path, NULL, &response);
    if (err == 0) {
        err = read(response);
        weft_response_free(response);
    }
    return finish(client, err);
}

static int use_json_lines(void *arg)
{
    return use_stream(arg, "/lines", read_json);
}

static int use_lines(void *arg)
{
    return use_stream(arg, "/lines", read_lines);
}

static int read_text(weft_response *response)
{
    int err = weft_response_read_all(response);
    if (err < 0)
        return err;
    /* NULL under a fault: that is all it can say. */
    const char *text = weft_response_text(response, NULL);
    if (text == NULL)
        return -ENOMEM;
    ASSERT(strcmp(text, "hello") == 0 || strcmp(text, "caf\xc3\xa9") == 0);
    return 0;
}

static int use_gzip(void *arg)
{
    return use_stream(arg, "/gzip", read_text);
}

static int use_charset(void *arg)
{
    return use_stream(arg, "/latin1", read_text);
}

/* ---- by another way ---- */

static int use_proxy(void *arg)
{
    const struct web *web = arg;
    weft_client *client;
    int err = weft_client_new(WEFT_CLIENT(.base_url = "http://name.example/", .proxy = web->base,
                                          .proxy_headers = (weft_pair[]){{"X-Proxy", "1"}, {0}}),
                              &client);
    return err < 0 ? err : finish(client, get(client, "/echo", NULL, 200));
}

#define SURVIVES(name, scenario)                                                                   \
    TEST_WITH(name##_survives_every_fault, .limit_s = 60)                                          \
    {                                                                                              \
        struct web web;                                                                            \
        web_start_apart(&web);                                                                     \
        FAULTS(scenario, &web);                                                                    \
        FAULTS(scenario, &web, .plain = true);                                                     \
        web_stop(&web);                                                                            \
    }

SURVIVES(call_with_digest, use_digest)
SURVIVES(call_with_token, use_token)
SURVIVES(call_with_custom_auth, use_custom)
SURVIVES(call_with_cookies, use_cookies)
SURVIVES(call_with_hooks, use_hooks)
SURVIVES(call_by_proxy, use_proxy)
SURVIVES(source_of_events, use_events)
SURVIVES(lines_of_json, use_json_lines)
SURVIVES(lines_of_text, use_lines)
SURVIVES(gzip, use_gzip)
SURVIVES(charset, use_charset)

static int write_netrc(void *arg)
{
    static const char text[] = "machine 127.0.0.1 login kim password pass\n";
    return weft_write_file(arg, text, sizeof text - 1);
}

TEST_WITH(call_with_netrc_survives_every_fault, .limit_s = 60)
{
    struct web web;
    ASSERT_OK(weft_run(write_netrc, (void *)test_path("netrc")));
    web_start_apart(&web);
    FAULTS(use_netrc, &web);
    FAULTS(use_netrc, &web, .plain = true);
    web_stop(&web);
}

/*
 * The same list of calls in a task, in plain code, in a task of another thread and in plain code of
 * another thread: what the caller sees is the same to the letter.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/json.h>
#include <weft/sse.h>

#include "test.h"
#include "web.h"

#define PAIRS(...) ((const weft_pair[]){__VA_ARGS__, {0}})

enum { SCENES = 8 };

struct scene {
    struct web web;
    bool over_h2;
    weft_client *client;
    char text[64 * 1024];
    size_t len;
    int hooked;
};

static void add(struct scene *scene, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(scene->text + scene->len, sizeof scene->text - scene->len, format, args);
    va_end(args);
    ASSERT_INT_LT(n, sizeof scene->text - scene->len);
    scene->len += (size_t)n;
}

/* Without the server's port, which is another each time. */
static void add_text(struct scene *scene, const char *text)
{
    const char *host = scene->web.base + strlen("http://");
    const char *at;
    while ((at = strstr(text, host)) != NULL) {
        add(scene, "%.*sHOST", (int)(at - text), text);
        text = at + strlen(host);
    }
    add(scene, "%s", text);
}

static void add_result(struct scene *scene, const char *what, int err, weft_response *response)
{
    add(scene, "%s: ", what);
    if (err < 0) {
        add(scene, "%s: ", weft_error_name(err));
        add_text(scene, weft_error_message());
        add(scene, "\n");
        return;
    }
    add(scene, "%d %s redirects %d attempts %d ", weft_response_status(response),
        weft_response_http_version(response), weft_response_redirects(response),
        weft_response_attempts(response));
    add_text(scene, weft_response_url(response));
    size_t len;
    const char *text = weft_response_text(response, &len);
    add(scene, " %zu \"%.200s\"\n", text != NULL ? len : 0, text != NULL ? text : "");
    weft_response_free(response);
}

static void call(struct scene *scene, const char *what, const char *method, const char *url,
                 const weft_request_options *options)
{
    weft_response *response = NULL;
    int err = weft_client_request(scene->client, method, url, options, &response);
    add_result(scene, what, err, response);
}

/* Over HTTP/2 without TLS: both sides know. */
#define CLIENT(...) WEFT_CLIENT(.http1 = scene->over_h2 ? WEFT_OFF : 0, __VA_ARGS__)

#define CALL(what, method, url, ...) call(scene, what, method, url, WEFT_REQUEST(__VA_ARGS__))

/* ---- what is called ---- */

static int64_t read_body(void *userdata, void *data, size_t len)
{
    int *left = userdata;
    (void)len;
    if (*left == 0)
        return 0;
    --*left;
    memcpy(data, "piece", 5);
    return 5;
}

static void bodies(struct scene *scene)
{
    const char *path = test_path("up.txt");
    int left = 3;
    weft_stream *stream;
    weft_stream *writer;
    json_t *object = json_pack("{s:i}", "a", 1);
    ASSERT_OK(weft_write_file(path, "file", 4));
    CALL("content", "POST", "/echo", .content = "abc", .content_len = 3);
    CALL("form", "POST", "/echo", .form = PAIRS({"a", "1"}, {"b", "x y"}));
    CALL("text", "PUT", "/echo", .text = "h\xc3\xa4llo");
    CALL("json", "PUT", "/echo", .json = object);
    CALL("file", "PUT", "/echo", .file = path);
    CALL("reader", "PUT", "/echo", .body_reader = read_body, .body_userdata = &left);
    CALL("multipart", "POST", "/echo", .content_type = "multipart/form-data; boundary=b",
         .multipart = (const weft_form_part[]){
             {.name = "f", .path = path}, {.name = "v", .value = "1"}, {0}});
    ASSERT_OK(weft_stream_pair(64, &stream, &writer));
    ASSERT_OK(weft_stream_write(writer, "stream", 6));
    ASSERT_OK(weft_stream_close(writer));
    CALL("stream", "PUT", "/echo", .body_stream = stream);
    weft_stream_free(stream);
    weft_stream_free(writer);
    CALL("expect", "PUT", "/echo", .text = "x", .expect_continue = true);
    CALL("no such file", "PUT", "/echo", .file = "/nowhere");
    CALL("query", "QUERY", "/echo", .text = "q");
    CALL("head", "HEAD", "/echo");
    CALL("options", "OPTIONS", "/echo");
    json_decref(object);
}

static void fields(struct scene *scene)
{
    CALL("params", "GET", "/echo?a=1", .params = PAIRS({"b", "2 3"}));
    CALL("cookies", "GET", "/echo", .cookies = PAIRS({"mine", "1"}));
    CALL("set", "GET", "/set/theirs/2");
    CALL("kept", "GET", "/echo", .cookies = PAIRS({"mine", "1"}));
    CALL("target", "GET", "/echo", .target = "/echo?%zz");
    CALL("bad field", "GET", "/echo", .headers = PAIRS({"a\nb", "c"}));
    CALL("bad method", "G T", "/echo");
    CALL("bad URL", "GET", "http://[::1/");
    CALL("bad scheme", "GET", "gopher://x.example/");
}

static int fetch_token(void *userdata, weft_token *token)
{
    struct web *web = userdata;
    char text[16];
    snprintf(text, sizeof text, "t%d", atomic_load(&web->token));
    return weft_token_set(token, text, WEFT_FOREVER);
}

static int step(void *userdata, const weft_auth_step *one)
{
    (void)userdata;
    if (one->response != NULL)
        return 0;
    int err = weft_headers_set(one->fields, "Authorization", "Own x");
    return err < 0 ? err : 1;
}

static void auths(struct scene *scene)
{
    weft_auth *auth;
    const char *path = test_path("netrc");
    ASSERT_OK(weft_auth_basic("kim", "pass", &auth));
    CALL("basic", "GET", "/echo", .auth = auth);
    weft_auth_free(auth);
    ASSERT_OK(weft_auth_bearer("tok", &auth));
    CALL("bearer", "GET", "/echo", .auth = auth);
    weft_auth_free(auth);
    ASSERT_OK(weft_auth_digest("kim", "pass", &auth));
    CALL("digest", "GET", "/digest", .auth = auth);
    CALL("digest again", "GET", "/digest", .auth = auth);
    weft_auth_free(auth);
    ASSERT_OK(weft_write_file(path, "default login kim password pass", 31));
    ASSERT_OK(weft_auth_netrc(path, &auth));
    CALL("netrc", "GET", "/echo", .auth = auth);
    weft_auth_free(auth);
    ASSERT_OK(
        weft_auth_token(WEFT_AUTH_TOKEN(.fetch = fetch_token, .userdata = &scene->web), &auth));
    CALL("token", "GET", "/token", .auth = auth);
    web_revoke(&scene->web);
    CALL("token renewed", "GET", "/token", .auth = auth);
    weft_auth_free(auth);
    ASSERT_OK(weft_auth_custom(WEFT_AUTH_FLOW(.step = step), &auth));
    CALL("custom", "GET", "/echo", .auth = auth);
    weft_auth_free(auth);
    CALL("nobody", "GET", "/token", .auth = WEFT_AUTH_NONE);
}

static void policies(struct scene *scene)
{
    weft_retry_stats stats;
    const weft_retry_policy once = {.attempts = 3, .wait = {WEFT_WAIT_NONE}};
    CALL("redirects", "GET", "/redirect/3", .follow_redirects = WEFT_ON);
    CALL("not followed", "GET", "/redirect/3");
    CALL("too many", "GET", "/redirect/3", .follow_redirects = WEFT_ON, .max_redirects = 2);
    CALL("retry", "GET", "/flaky/one", .retry = &once, .stats = &stats);
    add(scene, "attempts %d, %zu noted\n", stats.attempts, stats.history_len);
    CALL("raise", "GET", "/status/404", .raise_for_status = WEFT_ON);
    CALL("total", "GET", "/delay/20000", .timeout = WEFT_MS(20));
    CALL("read", "GET", "/delay/20000", .read_timeout = WEFT_MS(20));
    CALL("too large", "GET", "/bytes/5000", .body_max = 4999);
    CALL("fits", "GET", "/bytes/5000", .body_max = 5000);
}

static void readings(struct scene *scene)
{
    weft_response *response;
    const char *line;
    size_t len;
    char data[100];
    json_t *json;
    CALL("gzip", "GET", "/gzip");
    CALL("as it came", "HEAD", "/gzip", .decode = WEFT_OFF);
    CALL("latin1", "GET", "/latin1");
    ASSERT_OK(weft_client_stream(scene->client, "GET", "/lines", NULL, &response));
    while (weft_response_read_line(response, &line, &len) > 0)
        add(scene, "line \"%s\"\n", line);
    add(scene, "closed %d\n", weft_response_is_closed(response));
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(scene->client, "GET", "/lines", NULL, &response));
    while (weft_response_read_json(response, &json) > 0) {
        add(scene, "json %d\n", (int)json_integer_value(json_object_get(json, "n")));
        json_decref(json);
    }
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(scene->client, "GET", "/bytes/250", NULL, &response));
    add(scene, "read %d\n", (int)weft_response_read(response, data, 100));
    int err = weft_response_read_all(response);
    add(scene, "then all: %s\n", weft_error_name(err));
    weft_response_free(response);
    ASSERT_OK(weft_client_post_json(scene->client, "/json", json_pack("[i]", 7), NULL, &json));
    add(scene, "json %d\n", (int)json_integer_value(json_array_get(json, 0)));
    json_decref(json);
}

static void event_source(struct scene *scene)
{
    weft_sse *sse;
    weft_sse_event event;
    ASSERT_OK(weft_sse_open(scene->client, "/events", WEFT_SSE(.min_wait = WEFT_MS(1)), &sse));
    for (int i = 0; i < 7; i++) {
        ASSERT_INT_EQ(weft_sse_next(sse, &event), 1);
        add(scene, "event %s %s %s\n", event.event, event.id, event.data);
    }
    weft_sse_close(sse);
}

static int on_request(void *userdata, const weft_request_event *event)
{
    struct scene *scene = userdata;
    add(scene, "> %s", event->method);
    add_text(scene, event->url);
    return ++scene->hooked == 3 ? -EACCES : weft_headers_set(event->headers, "Cookie", "hook=1");
}

static int on_response(void *userdata, weft_response *response)
{
    struct scene *scene = userdata;
    add(scene, " < %d\n", weft_response_status(response));
    return weft_response_read_all(response);
}

static void trace(void *userdata, const weft_trace_event *event)
{
    add(userdata, " [%d]", (int)event->kind);
}

static int answer(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)userdata;
    return weft_mock_reply_text(reply, 200, weft_mock_request_url(request));
}

/* Clients of their own settings. */
static void use_client(struct scene *scene, const char *what, const char *url,
                       const weft_client_options *options)
{
    weft_client *shared = scene->client;
    ASSERT_OK(weft_client_new(options, &scene->client));
    call(scene, what, "GET", url, NULL);
    ASSERT_OK(weft_client_close(scene->client, WEFT_CLOSE_DRAIN));
    call(scene, "closed", "GET", url, NULL);
    weft_client_free(scene->client);
    scene->client = shared;
}

static bool refuse(void *userdata, const char *host, const weft_address *address)
{
    (void)userdata;
    (void)host;
    (void)address;
    return false;
}

static void settings(struct scene *scene)
{
    char url[64];
    char to[64];
    weft_transport *mock;
    weft_hooks hooks = {.size = sizeof hooks,
                        .on_request = on_request,
                        .on_response = on_response,
                        .trace = trace,
                        .userdata = scene};
    scene->hooked = 0;
    use_client(scene, "hooks", "/redirect/1",
               CLIENT(.base_url = scene->web.base, .hooks = &hooks, .follow_redirects = WEFT_ON));
    use_client(scene, "hook fails", "/echo", CLIENT(.base_url = scene->web.base, .hooks = &hooks));
    snprintf(to, sizeof to, "127.0.0.1:%u", scene->web.port);
    use_client(scene, "connect_to", "http://name.example/echo",
               CLIENT(.connect_to = PAIRS({"name.example:80", to})));
    snprintf(url, sizeof url, "http://name.example:%u/", scene->web.port);
    weft_client *shared = scene->client;
    ASSERT_OK(weft_client_new(CLIENT(.base_url = url, .resolve = PAIRS({"*", "127.0.0.1"})),
                              &scene->client));
    weft_response *response;
    ASSERT_OK(weft_client_get(scene->client, "/echo", NULL, &response));
    add(scene, "resolve: %d\n", weft_response_status(response));
    weft_response_free(response);
    weft_client_free(scene->client);
    scene->client = shared;
    use_client(scene, "filter", "http://127.0.0.1:9/", CLIENT(.allow_address = refuse));
    use_client(scene, "refused", "http://127.0.0.1:1/", CLIENT(.http2 = false));
    ASSERT_OK(weft_mock_new(answer, NULL, &mock));
    use_client(scene, "mock", "https://x.example/a?b", WEFT_CLIENT(.transport = mock));
    weft_transport_free(mock);
    use_client(scene, "https only", "/echo",
               CLIENT(.base_url = scene->web.base, .https_only = true));
}

static int use_all(void *arg)
{
    struct scene *scene = arg;
    weft_pool_stats stats;
    if (scene->over_h2)
        web_start_h2(&scene->web, NULL);
    else
        web_start(&scene->web);
    ASSERT_OK(weft_client_new(CLIENT(.base_url = scene->web.base), &scene->client));
    bodies(scene);
    fields(scene);
    auths(scene);
    policies(scene);
    readings(scene);
    event_source(scene);
    settings(scene);
    CALL("at the end", "GET", "/echo");
    weft_client_pool_stats(scene->client, &stats);
    add(scene, "pool %zu %zu %zu\n", stats.active, stats.idle, stats.waiting);
    weft_client_free(scene->client);
    web_stop(&scene->web);
    return 0;
}

/* ---- where it is called from ---- */

static void *in_task(void *arg)
{
    ASSERT_OK(weft_run(use_all, arg));
    return NULL;
}

static void *in_plain_code(void *arg)
{
    use_all(arg);
    return NULL;
}

static struct scene *run_scene(void *(*how)(void *), bool on_thread, bool over_h2)
{
    struct scene *scene = calloc(1, sizeof *scene);
    pthread_t thread;
    scene->over_h2 = over_h2;
    if (!on_thread) {
        how(scene);
        return scene;
    }
    ASSERT_INT_EQ(pthread_create(&thread, NULL, how, scene), 0);
    pthread_join(thread, NULL);
    return scene;
}

/* Line by line, for the sake of the message. */
static void compare(char *text, const char *with)
{
    char *left = strdup(with);
    char *rest = left;
    char *line;
    char *other;
    while ((other = strsep(&rest, "\n")) != NULL) {
        line = strsep(&text, "\n");
        ASSERT_STR_EQ(line, other);
    }
    ASSERT(text == NULL);
    free(left);
}

/* It is the only thing that differs. */
static void hide_version(char *text)
{
    static const char version[] = "HTTP/2 ";
    static const char other[] = "HTTP/1.1 ";
    char *from = strdup(text);
    char *rest = from;
    char *at;
    while ((at = strstr(rest, version)) != NULL) {
        text += sprintf(text, "%.*s%s", (int)(at - rest), rest, other);
        rest = at + strlen(version);
    }
    strcpy(text, rest);
    free(from);
}

static const char *const excerpts[] = {
    "content: 200 HTTP/1.1 redirects 0 attempts 1 http://HOST/echo",
    "POST /echo cookie - auth - type application/x-www-form-urlencoded body 9 a=1&b=x+y",
    "body 15 piecepiecepiece",
    "no such file: ENOENT: /echo: stat /nowhere",
    "cookie mine=1; theirs=2",
    "auth Bearer tok",
    "digest again: 200",
    "token renewed: 200",
    "redirects: 200 HTTP/1.1 redirects 3",
    "too many: WEFT_ETOO_MANY_REDIRECTS",
    "attempts 2, 2 noted",
    "raise: WEFT_EHTTP_STATUS: 404 Not Found for url http://HOST/status/404",
    "total: WEFT_ETOTAL_TIMEOUT: GET http://HOST/delay/20000: ",
    "gzip: 200 HTTP/1.1 redirects 0 attempts 1 http://HOST/gzip 5 \"hello\"",
    "caf\xc3\xa9",
    "line \"{\"n\":2}\"\nclosed 1",
    "event message 7 e7",
    "hook fails: EACCES",
    "closed: WEFT_ECLIENT_CLOSED: GET http://HOST/redirect/1: ",
    "filter: WEFT_EADDRESS_REFUSED",
    "\"https://x.example/a?b\"",
};

TEST_WITH(client_does_the_same_wherever_it_is_called_from, .limit_s = 60)
{
    struct scene *scenes[SCENES];
    for (int i = 0; i < SCENES; i++)
        scenes[i] =
            run_scene(i % 2 == 0 ? in_task : in_plain_code, i / 2 % 2 == 1, i >= SCENES / 2);
    for (size_t i = 0; i < sizeof excerpts / sizeof excerpts[0]; i++)
        ASSERT_STR_HAS(scenes[0]->text, excerpts[i]);
    for (int i = 1; i < SCENES; i++) {
        if (i >= SCENES / 2)
            hide_version(scenes[i]->text);
        compare(scenes[i]->text, scenes[0]->text);
    }
    for (int i = 0; i < SCENES; i++)
        free(scenes[i]);
}

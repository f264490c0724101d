/*
 * echo.c - the server behind weft serve --echo: predictable answers for clients under test.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS_MAX = 100000, DELAY_MAX_S = 3600, BYTES_CHUNK = 16384 };

static const char index_text[] =
    "weft serve --echo\n"
    "\n"
    "/json        /json/7 or /json?n=7   an object, the same one for the same number\n"
    "/status/503                         that status\n"
    "/delay/1.5                          answers after so many seconds\n"
    "/retry/2     /retry/2/KEY           fails with 503 twice for each KEY, then answers\n"
    "/bytes/1000                         so many bytes, always the same ones\n"
    "/redirect/3                         three redirects, then /json\n"
    "/headers                            the header fields of the request\n"
    "/echo        /anything              the whole request\n"
    "/users       /users/7   /report     a small API; POST /users too\n"
    "/stats                              requests so far, and how many ran at once at most\n"
    "\n"
    "?delay=50ms makes any of them answer later.\n";

/* ---- what a request says ---- */

static bool number_param(weft_server_request *request, const char *name, int64_t max, int64_t *ret)
{
    const char *text = weft_server_request_param(request, name);
    return text && parse_count(text, 0, max, ret);
}

static int refuse(weft_reply *reply, const char *what)
{
    return weft_reply_json(reply, 400, json_pack("{s:s}", "error", what));
}

/* Fields of the same name are joined, as RFC 9110 section 5.3 allows. */
static json_t *headers_object(const weft_headers *headers)
{
    json_t *object = json_object();
    for (size_t i = 0; i < weft_headers_count(headers); i++) {
        weft_pair field = weft_headers_at(headers, i);
        const char *before = json_string_value(json_object_get(object, field.name));
        json_t *value =
            before ? json_sprintf("%s, %s", before, field.value) : json_string(field.value);
        if (!value)
            value = json_string("(not UTF-8)");
        json_object_set_new(object, field.name, value);
    }
    return object;
}

/* ---- the answers ---- */

static int index_page(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    return weft_reply_text(reply, 200, index_text);
}

static json_t *user(int64_t id)
{
    json_t *name = json_sprintf("User %lld", (long long)id);
    json_t *mail = json_sprintf("user%lld@example.com", (long long)id);
    return json_pack("{s:I,s:o,s:o,s:b,s:[s,s]}", "id", (json_int_t)id, "name", name, "email", mail,
                     "active", (int)(id % 2), "tags", "echo", "weft");
}

static int json_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    int64_t id = 1;
    const char *n = weft_server_request_query(request, "n");
    (void)arg;
    if (n ? !parse_count(n, 0, INT64_MAX, &id)
          : weft_server_request_param(request, "id") &&
                !number_param(request, "id", INT64_MAX, &id))
        return refuse(reply, "the id is a number");
    return weft_reply_json(reply, 200, user(id));
}

/* Three to a page. */
static int users_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    int64_t page = 1;
    const char *text = weft_server_request_query(request, "page");
    (void)arg;
    if (text && !parse_count(text, 1, 1000000, &page))
        return refuse(reply, "the page is a number");
    json_t *list = json_array();
    for (int64_t id = 3 * page - 2; id <= 3 * page; id++)
        json_array_append_new(list, user(id));
    return weft_reply_json(reply, 200, list);
}

static int create_user(weft_server_request *request, weft_reply *reply, void *arg)
{
    json_t *body;
    (void)arg;
    int err = weft_server_request_json(request, &body);
    if (err < 0)
        return err;
    if (!json_is_object(body)) {
        json_decref(body);
        return refuse(reply, "a user is an object");
    }
    json_object_set_new(body, "id", json_integer(1));
    return weft_reply_json(reply, 201, body);
}

static int report_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    return weft_reply_text(reply, 200, "all is well\n");
}

static int status_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    int64_t status;
    (void)arg;
    if (!number_param(request, "status", 599, &status) || status < 200)
        return refuse(reply, "the status is a number from 200 to 599");
    const char *reason = weft_status_reason((int)status);
    if (status == 204 || status == 205 || status == 304)
        return weft_reply_start(reply, (int)status, 0);
    return weft_reply_json(reply, (int)status,
                           json_pack("{s:i,s:s}", "status", (int)status, "reason", reason));
}

static int delay_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    int64_t delay = 0;
    const char *text = weft_server_request_param(request, "time");
    (void)arg;
    if (strcmp(text, "0") != 0 && (!parse_duration(text, &delay) || delay > WEFT_SEC(DELAY_MAX_S)))
        return refuse(reply, "the delay is in seconds, at most 3600");
    int err = weft_sleep(delay);
    if (err < 0)
        return err;
    return weft_reply_json(reply, 200, json_pack("{s:f}", "delay", (double)delay / 1e9));
}

static int retry_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct echo *echo = arg;
    int64_t fails;
    const char *path = weft_server_request_path(request);
    const char *key = weft_server_request_param(request, "key");
    if (!number_param(request, "n", 1000000, &fails))
        return refuse(reply, "/retry/N/KEY: N is a number");
    if (json_object_size(echo->attempts) >= ATTEMPTS_MAX)
        json_object_clear(echo->attempts);
    int64_t attempt = json_integer_value(json_object_get(echo->attempts, path)) + 1;
    json_object_set_new(echo->attempts, path, json_integer(attempt));
    json_t *body = json_pack("{s:s,s:I,s:I}", "key", key ? key : "", "attempts",
                             (json_int_t)attempt, "fails", (json_int_t)fails);
    return weft_reply_json(reply, attempt <= fails ? 503 : 200, body);
}

static int bytes_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    char chunk[BYTES_CHUNK];
    int64_t left;
    (void)arg;
    if (!number_param(request, "n", INT64_MAX, &left))
        return refuse(reply, "/bytes/N: N is a number");
    for (size_t i = 0; i < sizeof chunk; i++)
        chunk[i] = (char)(i * 131 >> 3);
    weft_reply_set_header(reply, "Content-Type", "application/octet-stream");
    int err = weft_reply_start(reply, 200, left);
    while (err >= 0 && left > 0) {
        size_t len = left < BYTES_CHUNK ? (size_t)left : sizeof chunk;
        err = weft_reply_write(reply, chunk, len);
        left -= (int64_t)len;
    }
    return err;
}

static int redirect_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    char target[32] = "/json";
    int64_t left;
    (void)arg;
    if (!number_param(request, "n", 1000000, &left))
        return refuse(reply, "/redirect/N: N is a number");
    if (left > 1)
        snprintf(target, sizeof target, "/redirect/%lld", (long long)left - 1);
    int err = weft_reply_set_header(reply, "Location", target);
    return err < 0 ? err : weft_reply_text(reply, 302, "");
}

static int headers_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)arg;
    return weft_reply_json(
        reply, 200,
        json_pack("{s:o}", "headers", headers_object(weft_server_request_headers(request))));
}

static int echo_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    const char *text;
    size_t len;
    json_t *parsed;
    (void)arg;
    int err = weft_server_request_body(request, &text, &len);
    if (err < 0)
        return err;
    json_t *data = json_stringn(text, len);
    if (!data)
        data = json_sprintf("<%zu bytes>", len);
    if (weft_json_parse(text, len, &parsed) < 0)
        parsed = json_null();
    json_t *body = json_pack("{s:s,s:s,s:o,s:o,s:o}", "method", weft_server_request_method(request),
                             "target", weft_server_request_target(request), "headers",
                             headers_object(weft_server_request_headers(request)), "data", data,
                             "json", parsed);
    return weft_reply_json(reply, 200, body);
}

static int stats_answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    const struct echo *echo = arg;
    (void)request;
    return weft_reply_json(reply, 200,
                           json_pack("{s:I,s:I,s:I}", "requests", (json_int_t)echo->requests,
                                     "current", (json_int_t)echo->current, "highest",
                                     (json_int_t)echo->highest));
}

/* ---- routes ---- */

struct endpoint {
    const char *method; /* NULL: any */
    const char *pattern;
    weft_handler handler;
    bool counted; /* in /stats */
};

static const struct endpoint endpoints[] = {
    {"GET", "/", index_page, false},
    {"GET", "/users", users_answer, true},
    {"POST", "/users", create_user, true},
    {"GET", "/users/{id}", json_answer, true},
    {"GET", "/report", report_answer, true},
    {"GET", "/json", json_answer, true},
    {"GET", "/json/{id}", json_answer, true},
    {NULL, "/status/{status}", status_answer, true},
    {NULL, "/delay/{time}", delay_answer, true},
    {NULL, "/retry/{n}", retry_answer, true},
    {NULL, "/retry/{n}/{key}", retry_answer, true},
    {"GET", "/bytes/{n}", bytes_answer, true},
    {NULL, "/redirect/{n}", redirect_answer, true},
    {NULL, "/headers", headers_answer, true},
    {NULL, "/echo", echo_answer, true},
    {NULL, "/anything", echo_answer, true},
    {NULL, "/anything/{rest*}", echo_answer, true},
    {"GET", "/stats", stats_answer, false},
};

enum { N_ENDPOINTS = sizeof endpoints / sizeof endpoints[0] };

/* What a route's argument points to. */
static struct counted {
    struct echo *echo;
    weft_handler handler;
} counted[N_ENDPOINTS];

/* ?delay=TIME, for any of them: without it most answers take no time, and never run at once. */
static int wait_as_asked(weft_server_request *request)
{
    int64_t delay;
    const char *text = weft_server_request_query(request, "delay");
    if (!text || !parse_duration(text, &delay))
        return 0;
    return weft_sleep(delay < WEFT_SEC(DELAY_MAX_S) ? delay : WEFT_SEC(DELAY_MAX_S));
}

static int count(weft_server_request *request, weft_reply *reply, void *arg)
{
    const struct counted *route = arg;
    struct echo *echo = route->echo;
    echo->requests++;
    if (++echo->current > echo->highest)
        echo->highest = echo->current;
    int err = wait_as_asked(request);
    if (err >= 0)
        err = route->handler(request, reply, echo);
    echo->current--;
    return err;
}

int echo_init(struct echo *echo, weft_server *server)
{
    echo->attempts = json_object();
    if (!echo->attempts)
        return -ENOMEM;
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        const struct endpoint *endpoint = &endpoints[i];
        counted[i] = (struct counted){echo, endpoint->handler};
        int err = endpoint->counted ? weft_server_route(server, endpoint->method, endpoint->pattern,
                                                        count, &counted[i])
                                    : weft_server_route(server, endpoint->method, endpoint->pattern,
                                                        endpoint->handler, echo);
        if (err < 0)
            return err;
    }
    return 0;
}

void echo_done(struct echo *echo)
{
    json_decref(echo->attempts);
}

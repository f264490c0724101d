#include <stdio.h>
#include <string.h>

#include <weft/json.h>

#include "server_harness.h"
#include "test.h"

static int on_hi(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    return weft_reply_text(reply, 200, arg);
}

static int on_echo(weft_server_request *request, weft_reply *reply, void *arg)
{
    const char *body;
    size_t len;
    (void)arg;
    int err = weft_server_request_body(request, &body, &len);
    return err < 0 ? err : weft_reply_bytes(reply, 200, "text/x", body, len);
}

static int on_stream_echo(weft_server_request *request, weft_reply *reply, void *arg)
{
    char piece[7];
    int64_t n;
    (void)arg;
    char all[256];
    size_t len = 0;
    while ((n = weft_server_request_read(request, piece, sizeof piece)) > 0) {
        memcpy(all + len, piece, (size_t)n);
        len += (size_t)n;
    }
    if (n < 0)
        return (int)n;
    int err = weft_reply_start(reply, 200, -1);
    return err < 0 ? err : weft_reply_write(reply, all, len);
}

static int on_user(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[128];
    (void)arg;
    snprintf(text, sizeof text, "user %s", weft_server_request_param(request, "id"));
    return weft_reply_text(reply, 200, text);
}

static int on_rest(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[128];
    (void)arg;
    snprintf(text, sizeof text, "rest %s", weft_server_request_param(request, "path"));
    return weft_reply_text(reply, 200, text);
}

static int on_query(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[128];
    const char *x = weft_server_request_query(request, "x");
    const char *y = weft_server_request_query(request, "y");
    (void)arg;
    snprintf(text, sizeof text, "%s x=%s y=%s %s", weft_server_request_path(request),
             x != NULL ? x : "-", y != NULL ? y : "-", weft_server_request_target(request));
    return weft_reply_text(reply, 200, text);
}

static int on_stream(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    int err = weft_reply_start(reply, 200, -1);
    if (err >= 0)
        err = weft_reply_write(reply, "ab", 2);
    if (err >= 0)
        err = weft_reply_write(reply, "", 0);
    if (err >= 0)
        err = weft_reply_flush(reply);
    return err < 0 ? err : weft_reply_write(reply, "0123456789abcdef", 16);
}

static int on_status(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    return weft_reply_text(reply, *(const int *)arg, "dropped");
}

static int on_error(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    weft_reply_set_header(reply, "X-Lost", "yes");
    (void)arg;
    return -ENOENT;
}

static int on_late_error(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    weft_reply_start(reply, 200, -1);
    weft_reply_write(reply, "ab", 2);
    return -EIO;
}

static int on_nothing(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)reply;
    (void)arg;
    return 0;
}

static int on_too_short(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    weft_reply_start(reply, 200, 10);
    return weft_reply_write(reply, "ab", 2);
}

static int on_too_long(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    weft_reply_start(reply, 200, 3);
    weft_reply_write(reply, "ab", 2);
    ASSERT_ERR(weft_reply_write(reply, "cd", 2), WEFT_ELOCAL_PROTOCOL);
    return 0;
}

static int on_close(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    ASSERT_OK(weft_reply_set_header(reply, "Connection", "Close"));
    return weft_reply_text(reply, 200, "bye");
}

/* Everything that could break the reply's head is refused, and nothing of it is sent. */
static int on_split(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    ASSERT_ERR(weft_reply_set_header(reply, "X", "a\r\nSet-Cookie: b"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_add_header(reply, "X", "a\nb"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_add_header(reply, "X: a\r\nY", "b"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_add_header(reply, "", "b"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_set_header(reply, "Content-Length", "3"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_set_header(reply, "transfer-encoding", "x"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_set_header(reply, "Connection", "upgrade"), WEFT_ELOCAL_PROTOCOL);
    ASSERT_ERR(weft_reply_start(reply, 100, 0), -EINVAL);
    ASSERT_ERR(weft_reply_start(reply, 1000, 0), -EINVAL);
    ASSERT_ERR(weft_reply_write(reply, "x", 1), -EINVAL);
    ASSERT_ERR(weft_reply_flush(reply), -EINVAL);
    ASSERT(!weft_reply_is_started(reply));
    ASSERT_OK(weft_reply_add_header(reply, "X", "1"));
    ASSERT_OK(weft_reply_add_header(reply, "X", "2"));
    ASSERT_OK(weft_reply_text(reply, 200, "safe"));
    ASSERT(weft_reply_is_started(reply));
    ASSERT_ERR(weft_reply_set_header(reply, "Y", "1"), -EALREADY);
    ASSERT_ERR(weft_reply_text(reply, 200, "twice"), -EALREADY);
    return 0;
}

static int on_own_fields(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    weft_reply_set_header(reply, "Server", "mine");
    weft_reply_set_header(reply, "Date", "Thu, 01 Jan 1970 00:00:00 GMT");
    weft_reply_set_header(reply, "Content-Type", "text/html");
    return weft_reply_text(reply, 200, "x");
}

static int on_json(weft_server_request *request, weft_reply *reply, void *arg)
{
    json_t *value;
    (void)arg;
    int err = weft_server_request_json(request, &value);
    return err < 0 ? err : weft_reply_json(reply, 200, value);
}

static int on_problem(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    ASSERT_ERR(weft_reply_json(reply, 200, NULL), -EINVAL);
    weft_reply_set_header(reply, "Content-Type", "application/problem+json");
    return weft_reply_json(reply, 422, json_pack("{s:i}", "status", 422));
}

static int on_header(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[128];
    (void)arg;
    const weft_headers *headers = weft_server_request_headers(request);
    snprintf(text, sizeof text, "%s %zu", weft_server_request_header(request, "x-a"),
             weft_headers_count(headers));
    return weft_reply_text(reply, 200, text);
}

static int no_content = 204;
static int not_modified = 304;

weft_server *harness_server(const weft_server_options *options)
{
    static char hi[] = "hi";
    static char me[] = "me";
    static char posted[] = "posted";
    weft_server *server;
    ASSERT_OK(weft_server_new(options, &server));
    const struct {
        const char *method;
        const char *pattern;
        weft_handler handler;
        void *arg;
    } routes[] = {
        {"GET", "/", on_hi, hi},
        {"GET", "/hi", on_hi, hi},
        {"POST", "/hi", on_hi, posted},
        {"POST", "/echo", on_echo, NULL},
        {"POST", "/stream-echo", on_stream_echo, NULL},
        {"POST", "/json", on_json, NULL},
        {"GET", "/users/me", on_hi, me},
        {"GET", "/users/{id}", on_user, NULL},
        {"GET", "/files/{path*}", on_rest, NULL},
        {"GET", "/q", on_query, NULL},
        {"GET", "/stream", on_stream, NULL},
        {"GET", "/204", on_status, &no_content},
        {"GET", "/304", on_status, &not_modified},
        {"GET", "/error", on_error, NULL},
        {"GET", "/late-error", on_late_error, NULL},
        {"GET", "/nothing", on_nothing, NULL},
        {"GET", "/too-short", on_too_short, NULL},
        {"GET", "/too-long", on_too_long, NULL},
        {"GET", "/close", on_close, NULL},
        {"GET", "/split", on_split, NULL},
        {"GET", "/own-fields", on_own_fields, NULL},
        {"GET", "/header", on_header, NULL},
        {"GET", "/problem", on_problem, NULL},
        {"*", "/any", on_hi, hi},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        ASSERT_OK(weft_server_route(server, routes[i].method, routes[i].pattern, routes[i].handler,
                                    routes[i].arg));
    return server;
}

size_t harness_read_all(weft_stream *stream, char *reply, size_t size)
{
    size_t len = 0;
    int64_t n;
    while ((n = weft_stream_read(stream, reply + len, size - 1 - len)) > 0)
        len += (size_t)n;
    reply[len] = '\0';
    return len;
}

static void cut(char *from, const char *to)
{
    memmove(from, to, strlen(to) + 1);
}

void harness_normalise(char *reply)
{
    char *at = reply;
    while ((at = strstr(at, "\r\nDate: ")) != NULL) {
        if (strncmp(at, "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 39) == 0) {
            at += 2;
            continue;
        }
        ASSERT(strlen(at) > 39);
        ASSERT_MEM_EQ(at + 33, " GMT\r\n", 6);
        cut(at, at + 37);
    }
    while ((at = strstr(reply, "\r\nServer: weft/" WEFT_VERSION "\r\n")) != NULL)
        cut(at, at + sizeof "\r\nServer: weft/" WEFT_VERSION - 1);
}

static const char *reason_of(int status)
{
    return weft_status_reason(status);
}

void harness_expected(const struct server_case *one, char *text, size_t size)
{
    char body[128];
    size_t len = 0;
    if (one->reply != NULL)
        len = (size_t)snprintf(text, size, "%s", one->reply);
    if (one->refusal == 0) {
        text[len] = '\0';
        return;
    }
    snprintf(body, sizeof body, "%d %s\n", one->refusal, reason_of(one->refusal));
    snprintf(text + len, size - len,
             "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s",
             one->refusal, reason_of(one->refusal), strlen(body), body);
}

size_t harness_request_len(const struct server_case *one)
{
    return one->request_len != 0 ? one->request_len : strlen(one->request);
}

/* test_server_faults.c - every allocation and every checkpoint fails once while requests are served. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <weft/json.h>
#include <weft/net.h>

#include "base/error_int.h"
#include "fault.h"
#include "server/server_int.h"
#include "test.h"

static const char requests[] =
    "GET /text?x=1&y=%41 HTTP/1.1\r\nHost: a\r\nX-1: a\r\nX-2: b\r\n\r\n"
    "POST /json HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\n[1,2,\r\n4\r\n3,4]\r\n0\r\nT: x\r\n\r\n"
    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
    "PUT /text HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /s/file HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

static int on_text(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)arg;
    weft_server_request_query(request, "y");
    int err = weft_reply_set_header(reply, "X-Own", "value");
    return err < 0 ? err : weft_reply_text(reply, 200, "text");
}

static int on_json(weft_server_request *request, weft_reply *reply, void *arg)
{
    json_t *value;
    (void)arg;
    int err = weft_server_request_json(request, &value);
    return err < 0 ? err : weft_reply_json(reply, 200, value);
}

static int on_stream(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    int err = weft_reply_start(reply, 200, -1);
    if (err >= 0)
        err = weft_reply_write(reply, "abc", 3);
    if (err >= 0)
        err = weft_sleep(1);
    return err < 0 ? err : weft_reply_write(reply, "def", 3);
}

static int server_with_routes(weft_server **ret)
{
    weft_server *server;
    int err = weft_server_new(NULL, &server);
    if (err < 0)
        return err;
    err = weft_server_route(server, "GET", "/text", on_text, NULL);
    if (err >= 0)
        err = weft_server_route(server, "POST", "/json", on_json, NULL);
    if (err >= 0)
        err = weft_server_route(server, "GET", "/stream", on_stream, NULL);
    if (err >= 0)
        err = weft_server_static(server, "/s", test_tmpdir());
    if (err < 0)
        weft_server_free(server);
    else
        *ret = server;
    return err;
}

/* Says all, hears all: 0 if every reply is there. */
static int converse(weft_stream *client)
{
    char reply[4096];
    size_t len = 0;
    int64_t n = weft_stream_write(client, requests, sizeof requests - 1);
    if (n < 0)
        return (int)n;
    while ((n = weft_stream_read(client, reply + len, sizeof reply - 1 - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        return (int)n;
    reply[len] = '\0';
    static const char *const parts[] = {"\r\n\r\ntext",
                                        "[1,2,3,4]",
                                        "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
                                        "405 Method Not Allowed\n",
                                        "content",
                                        "Connection: close"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(reply, parts[i]) == NULL)
            return weft__fail(-EIO, "no \"%s\" in the reply", parts[i]);
    }
    return 0;
}

static weft_server *served;

static int serve_end(void *arg)
{
    return weft__server_serve_stream(served, arg);
}

static int in_memory(void *arg)
{
    weft_group group;
    weft_stream *client;
    weft_stream *end;
    (void)arg;
    int err = server_with_routes(&served);
    if (err < 0)
        return err;
    err = weft_stream_pair(0, &client, &end);
    if (err >= 0) {
        err = weft_group_init(&group, NULL);
        if (err < 0) {
            weft_stream_free(end);
        } else {
            err = weft_group_spawn(&group, serve_end, end);
            if (err < 0)
                weft_stream_free(end);
            else
                err = converse(client);
            weft_stream_close(client);
            int joined = weft_group_wait(&group);
            err = err < 0 ? err : joined;
        }
        weft_stream_free(client);
    }
    weft_server_free(served);
    return err;
}

static int serve(void *arg)
{
    return weft_server_serve(arg);
}

static int over_tcp(void *arg)
{
    weft_group group;
    weft_server *server;
    weft_stream *client;
    (void)arg;
    int err = server_with_routes(&server);
    if (err < 0)
        return err;
    err = weft_server_listen(server);
    if (err >= 0)
        err = weft_group_init(&group, NULL);
    if (err >= 0) {
        err = weft_group_spawn(&group, serve, server);
        if (err >= 0)
            err = weft_dial("127.0.0.1", weft_server_port(server), NULL, &client);
        if (err >= 0) {
            err = converse(client);
            weft_stream_free(client);
        }
        weft_server_stop(server, WEFT_SEC(5));
        int joined = weft_group_wait(&group);
        err = err < 0 ? err : joined;
    }
    weft_server_free(server);
    return err;
}

static void make_file(void)
{
    FILE *file = fopen(test_path("file"), "wb");
    ASSERT(file != NULL);
    fputs("content", file);
    fclose(file);
}

TEST_WITH(server_in_memory_survives_every_fault, .limit_s = 100)
{
    make_file();
    FAULTS(in_memory, NULL, .any_error = true);
}

TEST_WITH(server_over_tcp_survives_every_fault, .limit_s = 200)
{
    make_file();
    FAULTS(over_tcp, NULL, .any_error = true);
}

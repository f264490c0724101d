#include "http_peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft.h>

#include "certs.h"
#include "test.h"

enum { BODY_MAX = 4 * 1024 * 1024 };

struct served {
    weft_stream *stream;
    weft_tls *tls;
};

struct request {
    char method[32];
    char path[256];
    size_t length;
    char *body;
};

static int read_request(weft_reader *reader, struct request *request)
{
    char *line;
    if (weft_reader_read_line(reader, &line) <= 0 ||
        sscanf(line, "%31s %255s", request->method, request->path) != 2)
        return -1;
    request->length = 0;
    for (;;) {
        int64_t n = weft_reader_read_line(reader, &line);
        if (n <= 0)
            return -1;
        if (strcspn(line, "\r\n") == 0)
            break;
        sscanf(line, "Content-Length: %zu", &request->length);
    }
    if (request->length > BODY_MAX)
        return -1;
    return weft_reader_read_exact(reader, request->body, request->length);
}

static int send_chunks(weft_stream *stream, long n)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[128];
    int len = snprintf(chunk, sizeof chunk, "64\r\n%0100d\r\n", 7);
    int err = weft_stream_write(stream, head, sizeof head - 1);
    while (err == 0 && n-- > 0)
        err = weft_stream_write(stream, chunk, (size_t)len);
    return err == 0 ? weft_stream_write(stream, "0\r\n\r\n", 5) : err;
}

static int send_answer(weft_stream *stream, const struct request *request)
{
    static const char filling[BODY_MAX];
    char head[256];
    char line[300];
    const char *number = strrchr(request->path, '/');
    long n = strtol(number + 1, NULL, 10);
    int status = 200;
    const char *location = "";
    int len = snprintf(line, sizeof line, "%s %s", request->method, request->path);
    weft_slice body[] = {{head, 0}, {line, (size_t)len}, {request->body, request->length}};
    if (strncmp(request->path, "/chunks/", 8) == 0)
        return send_chunks(stream, n);
    if (strncmp(request->path, "/bytes/", 7) == 0)
        body[1] = (weft_slice){filling, (size_t)n};
    else if (strncmp(request->path, "/delay/", 7) == 0)
        weft_sleep(WEFT_MS(n));
    else if (strncmp(request->path, "/status/", 8) == 0)
        status = (int)n;
    else if (strcmp(request->path, "/json") == 0)
        body[1].len = 0;
    else if (strcmp(request->path, "/redirect") == 0)
        location = "Location: /there\r\n", status = 302;
    bool close = strcmp(request->path, "/close") == 0;
    if (close)
        len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n\r\n");
    else
        len = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                       weft_status_reason(status), location, body[1].len + body[2].len);
    body[0].len = (size_t)len;
    int err = weft_stream_writev(stream, body, strcmp(request->method, "HEAD") == 0 ? 1 : 3);
    return err == 0 && close ? -1 : err;
}

static int serve(void *arg)
{
    struct served *served = arg;
    weft_stream *stream = served->stream;
    struct request request;
    weft_reader *reader = NULL;
    int err = 0;
    if (served->tls != NULL)
        err = weft_tls_accept(served->tls, served->stream, &stream);
    free(served);
    if (err < 0)
        return 0;
    request.body = malloc(BODY_MAX);
    if (weft_reader_new(stream, 16384, &reader) == 0) {
        while (read_request(reader, &request) == 0 && send_answer(stream, &request) == 0)
            continue;
    }
    weft_stream_close(stream);
    weft_reader_free(reader);
    weft_stream_free(stream);
    free(request.body);
    return 0;
}

struct setup {
    const char *cert;
    int port_fd;
};

static int serve_all(void *arg)
{
    struct setup *setup = arg;
    weft_listener *listener;
    weft_group group;
    weft_tls *tls = NULL;
    if (setup->cert != NULL)
        ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = setup->cert), &tls));
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_OK(weft_group_init(&group, NULL));
    uint16_t port = weft_listener_port(listener);
    ASSERT_INT_EQ(write(setup->port_fd, &port, sizeof port), sizeof port);
    for (;;) {
        weft_stream *stream;
        if (weft_listener_accept(listener, &stream) < 0)
            continue;
        struct served *served = malloc(sizeof *served);
        *served = (struct served){stream, tls};
        weft_group_spawn(&group, serve, served);
    }
}

static void start(struct http_peer *peer, const char *cert)
{
    int fds[2];
    uint16_t port;
    ASSERT_INT_EQ(pipe(fds), 0);
    peer->pid = fork();
    ASSERT_INT_GE(peer->pid, 0);
    if (peer->pid == 0) {
        struct setup setup = {cert, fds[1]};
        close(fds[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        weft_run(serve_all, &setup);
        _exit(1);
    }
    close(fds[1]);
    ASSERT_INT_EQ(read(fds[0], &port, sizeof port), sizeof port);
    close(fds[0]);
    snprintf(peer->base, sizeof peer->base, "%s://127.0.0.1:%u", cert != NULL ? "https" : "http",
             port);
}

void http_peer_start(struct http_peer *peer)
{
    peer->ca = NULL;
    start(peer, NULL);
}

void http_peer_start_tls(struct http_peer *peer)
{
    static char ca[256];
    snprintf(ca, sizeof ca, "%s", certs_ca());
    peer->ca = ca;
    start(peer, certs_good());
}

void http_peer_stop(struct http_peer *peer)
{
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
}

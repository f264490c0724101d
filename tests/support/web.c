#include "web.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate.h"
#include "test.h"

static long number(const weft_server_request *request, const char *name)
{
    return strtol(weft_server_request_param(request, name), NULL, 10);
}

static const char *field(const weft_server_request *request, const char *name)
{
    const char *value = weft_server_request_header(request, name);
    return value != NULL ? value : "-";
}

static int echo(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct web *web = arg;
    char text[4096];
    const char *body;
    size_t len;
    web->served++;
    int err = weft_server_request_body(request, &body, &len);
    if (err < 0)
        return err;
    snprintf(text, sizeof text, "%s %s cookie %s auth %s type %s body %zu %.*s",
             weft_server_request_method(request), weft_server_request_target(request),
             field(request, "Cookie"), field(request, "Authorization"),
             field(request, "Content-Type"), len, len < 1000 ? (int)len : 1000, body);
    return weft_reply_text(reply, 200, text);
}

static int set_cookie(weft_server_request *request, weft_reply *reply, void *arg)
{
    char text[256];
    (void)arg;
    snprintf(text, sizeof text, "%s=%s; Path=/", weft_server_request_param(request, "name"),
             weft_server_request_param(request, "value"));
    int err = weft_reply_add_header(reply, "Set-Cookie", text);
    return err < 0 ? err : weft_reply_text(reply, 200, "set");
}

static int redirect(weft_server_request *request, weft_reply *reply, void *arg)
{
    char to[64] = "/echo";
    long n = number(request, "n");
    (void)arg;
    if (n > 1)
        snprintf(to, sizeof to, "/redirect/%ld", n - 1);
    int err = weft_reply_set_header(reply, "Location", to);
    return err < 0 ? err : weft_reply_text(reply, 302, "on");
}

static int flaky(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct web *web = arg;
    const char *name = weft_server_request_param(request, "name");
    for (int i = 0; i < web->n_flaky; i++) {
        if (strcmp(web->flaky[i], name) == 0)
            return weft_reply_text(reply, 200, "at last");
    }
    ASSERT_INT_LT(web->n_flaky, 64);
    snprintf(web->flaky[web->n_flaky++], sizeof web->flaky[0], "%s", name);
    return weft_reply_text(reply, 503, "not yet");
}

static int delay(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)arg;
    int err = weft_sleep(WEFT_MS(number(request, "ms")));
    return err < 0 ? err : weft_reply_text(reply, 200, "late");
}

static int digest(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct web *web = arg;
    const char *count = strstr(field(request, "Authorization"), "nc=");
    if (count == NULL) {
        int err = weft_reply_set_header(reply, "WWW-Authenticate",
                                        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
        return err < 0 ? err : weft_reply_text(reply, 401, "who");
    }
    unsigned long n = strtoul(count + 3, NULL, 16);
    if (strcmp(weft_server_request_path(request), "/digest/any") == 0)
        return weft_reply_text(reply, 200, "kim");
    if (n == 0 || n >= WEB_COUNTS || web->counted[n])
        return weft_reply_text(reply, 400, "that count came before");
    web->counted[n] = true;
    return weft_reply_text(reply, 200, "kim");
}

static int token(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct web *web = arg;
    char wanted[32];
    snprintf(wanted, sizeof wanted, "Bearer t%d", atomic_load(&web->token));
    if (strcmp(field(request, "Authorization"), wanted) == 0)
        return weft_reply_text(reply, 200, "in");
    web->refused++;
    return weft_reply_text(reply, 401, "out");
}

static int gzip(weft_server_request *request, weft_reply *reply, void *arg)
{
    static const unsigned char hello[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
                                          0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
                                          0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00};
    (void)request;
    (void)arg;
    int err = weft_reply_set_header(reply, "Content-Encoding", "gzip");
    return err < 0 ? err : weft_reply_bytes(reply, 200, "text/plain", hello, sizeof hello);
}

static int lines(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    int err = weft_reply_set_header(reply, "Link", "</two>; rel=\"next\"");
    if (err == 0)
        err = weft_reply_start(reply, 200, -1);
    for (int i = 0; i < 3 && err == 0; i++) {
        char line[32];
        err = weft_reply_write(reply, line, (size_t)snprintf(line, sizeof line, "{\"n\":%d}\n", i));
        if (err == 0)
            err = weft_reply_flush(reply);
    }
    return err;
}

static int latin1(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)request;
    (void)arg;
    return weft_reply_bytes(reply, 200, "text/plain; charset=iso-8859-1", "caf\xe9", 4);
}

static int json(weft_server_request *request, weft_reply *reply, void *arg)
{
    const char *body;
    size_t len;
    (void)arg;
    int err = weft_server_request_body(request, &body, &len);
    if (err < 0)
        return err;
    return weft_reply_bytes(reply, 200, "application/json", len > 0 ? body : "{}",
                            len > 0 ? len : 2);
}

static int status(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)arg;
    return weft_reply_text(reply, (int)number(request, "n"), "so");
}

static int bytes(weft_server_request *request, weft_reply *reply, void *arg)
{
    static const char piece[16384];
    long left = number(request, "n");
    (void)arg;
    int err = weft_reply_start(reply, 200, left);
    while (err == 0 && left > 0) {
        size_t n = left < (long)sizeof piece ? (size_t)left : sizeof piece;
        err = weft_reply_write(reply, piece, n);
        left -= (long)n;
    }
    return err;
}

static int sink(weft_server_request *request, weft_reply *reply, void *arg)
{
    char piece[16384];
    char text[32];
    uint64_t total = 0;
    int64_t n;
    (void)arg;
    while ((n = weft_server_request_read(request, piece, sizeof piece)) > 0)
        total += (uint64_t)n;
    snprintf(text, sizeof text, "%ju", (uintmax_t)total);
    return n < 0 ? (int)n : weft_reply_text(reply, 200, text);
}

static int events(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct web *web = arg;
    const char *last = weft_server_request_header(request, "Last-Event-ID");
    web->last_id = last != NULL ? (int)strtol(last, NULL, 10) : 0;
    int err = weft_reply_set_header(reply, "Content-Type", "text/event-stream");
    web->connections++;
    if (err == 0)
        err = weft_reply_start(reply, 200, -1);
    for (int id = web->last_id + 1; id <= web->last_id + 3 && err == 0; id++) {
        char event[64];
        int len = snprintf(event, sizeof event, "retry: 1\nid: %d\ndata: e%d\n\n", id, id);
        err = weft_reply_write(reply, event, (size_t)len);
        if (err == 0)
            err = weft_reply_flush(reply);
    }
    return err;
}

static const struct {
    const char *pattern;
    weft_handler handler;
} routes[] = {
    {"/echo", echo},
    {"/set/{name}/{value}", set_cookie},
    {"/redirect/{n}", redirect},
    {"/flaky/{name}", flaky},
    {"/delay/{ms}", delay},
    {"/digest", digest},
    {"/digest/any", digest},
    {"/token", token},
    {"/gzip", gzip},
    {"/lines", lines},
    {"/latin1", latin1},
    {"/json", json},
    {"/status/{n}", status},
    {"/bytes/{n}", bytes},
    {"/events", events},
    {"/sink", sink},
};

/* ---- over HTTP/2 ---- */

struct guest {
    struct web *web;
    weft_stream *stream;
};

static int receive(void *arg)
{
    struct guest guest = *(struct guest *)arg;
    struct web *web = guest.web;
    weft_stream *stream = guest.stream;
    free(arg);
    if (web->tls != NULL && weft_tls_accept(web->tls, guest.stream, &stream) < 0)
        return 0;
    return gate_serve(&web->guests, stream, weft_server_serve_stream, web->server);
}

static int listen_on(void *arg)
{
    struct web *web = arg;
    weft_stream *stream;
    int err;
    while ((err = weft_listener_accept(web->listener, &stream)) == 0) {
        struct guest *guest = malloc(sizeof *guest);
        *guest = (struct guest){web, stream};
        ASSERT_OK(weft_group_spawn(&web->guests, receive, guest));
    }
    return err;
}

static void begin_h2(struct web *web)
{
    ASSERT_OK(weft_group_init(&web->guests, NULL));
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &web->listener));
    web->port = weft_listener_port(web->listener);
    ASSERT_OK(weft_group_spawn(&web->guests, listen_on, web));
}

static void end_h2(struct web *web)
{
    weft_group_cancel(&web->guests, "the test is over");
    weft_group_wait(&web->guests);
    weft_listener_close(web->listener);
    weft_tls_free(web->tls);
}

static int serve(void *arg)
{
    struct web *web = arg;
    ASSERT_OK(weft_server_new(WEFT_SERVER(.body_max = UINT64_C(1) << 32), &web->server));
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        ASSERT_OK(weft_server_route(web->server, NULL, routes[i].pattern, routes[i].handler, web));
    ASSERT_OK(weft_server_listen(web->server));
    web->port = weft_server_port(web->server);
    if (web->over_h2)
        begin_h2(web);
    if (web->port_fd > 0) {
        ASSERT_INT_EQ(write(web->port_fd, &web->port, sizeof web->port), sizeof web->port);
    } else {
        web->loop = weft_loop_ref_current();
        pthread_barrier_wait(&web->ready);
    }
    int err = weft_server_serve(web->server);
    if (web->over_h2)
        end_h2(web);
    weft_server_free(web->server);
    return err;
}

static void *thread(void *arg)
{
    ASSERT_OK(weft_run(serve, arg));
    return NULL;
}

static void name(struct web *web)
{
    snprintf(web->base, sizeof web->base, "http%s://127.0.0.1:%u", web->tls != NULL ? "s" : "",
             web->port);
}

static void start(struct web *web)
{
    web->token = 1;
    pthread_barrier_init(&web->ready, NULL, 2);
    ASSERT_INT_EQ(pthread_create(&web->thread, NULL, thread, web), 0);
    pthread_barrier_wait(&web->ready);
    name(web);
}

void web_start(struct web *web)
{
    memset(web, 0, sizeof *web);
    start(web);
}

void web_start_h2(struct web *web, const char *cert_file)
{
    static const char *const alpn[] = {"h2", NULL};
    memset(web, 0, sizeof *web);
    web->over_h2 = true;
    if (cert_file != NULL)
        ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = cert_file, .alpn = alpn), &web->tls));
    start(web);
}

void web_start_apart(struct web *web)
{
    int fds[2];
    memset(web, 0, sizeof *web);
    web->token = 1;
    ASSERT_INT_EQ(pipe(fds), 0);
    web->pid = fork();
    ASSERT_INT_GE(web->pid, 0);
    if (web->pid == 0) {
        close(fds[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        web->port_fd = fds[1];
        weft_run(serve, web);
        _exit(1);
    }
    close(fds[1]);
    ASSERT_INT_EQ(read(fds[0], &web->port, sizeof web->port), sizeof web->port);
    close(fds[0]);
    name(web);
}

static void stop(void *arg)
{
    struct web *web = arg;
    weft_server_stop(web->server, 0);
}

void web_stop(struct web *web)
{
    if (web->pid > 0) {
        kill(web->pid, SIGKILL);
        waitpid(web->pid, NULL, 0);
        return;
    }
    ASSERT_OK(weft_loop_post(web->loop, stop, web));
    pthread_join(web->thread, NULL);
    weft_loop_unref(web->loop);
    pthread_barrier_destroy(&web->ready);
}

int web_revoke(struct web *web)
{
    return ++web->token;
}

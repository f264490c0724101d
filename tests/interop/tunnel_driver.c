/*
 * tunnel_driver.c - tunnels over one HTTP/2 connection to a server that echoes, all at once, while
 * requests go by the same connection.
 *
 *     tunnel_driver BASE connect HOST:PORT N SIZE
 *     tunnel_driver BASE upgrade PROTOCOL N SIZE [any]
 *     tunnel_driver BASE through URL N
 *
 * Each of N tunnels sends SIZE bytes and reads them back at the same time, and then ends its
 * direction.  Upgrades are of the path /tunnel.  any: HTTP/1.1 would do too.  Prints what came of
 * it, and on stderr the status and the body of a tunnel that was refused.
 *
 * through: BASE is a proxy, by which another client makes N requests for URL, of https and HTTP/2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

static weft_client *client;
static const char *protocol; /* NULL: CONNECT */
static const char *target;
static size_t size;
static long wrong;
static long ended;
static long refused;
static long others;
static weft_pool_stats stats;

struct half {
    weft_stream *stream;
    int number;
    int err;
};

static int failed(const char *what, int err)
{
    fprintf(stderr, "%s: %s: %s\n", what, weft_error_name(err), weft_error_message());
    wrong++;
    return 0;
}

static char byte_at(int number, size_t at)
{
    return (char)((at + (size_t)number) % 251);
}

static int send_all(void *arg)
{
    struct half *half = arg;
    char data[5000];
    for (size_t at = 0; at < size && half->err == 0; at += sizeof data) {
        size_t n = size - at < sizeof data ? size - at : sizeof data;
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(half->number, at + i);
        half->err = weft_stream_write(half->stream, data, n);
    }
    return half->err < 0 ? failed("write", half->err) : 0;
}

static int receive_all(weft_stream *stream, int number)
{
    static const size_t sizes[] = {1, 100, 4096, 20000};
    char data[20000];
    size_t got = 0;
    while (got < size) {
        size_t most = sizes[got % 4] < size - got ? sizes[got % 4] : size - got;
        int64_t n = weft_stream_read(stream, data, most);
        if (n <= 0)
            return n < 0 ? (int)n : WEFT_EEOF;
        for (int64_t i = 0; i < n; i++)
            if (data[i] != byte_at(number, got + (size_t)i))
                return -EBADMSG;
        got += (size_t)n;
    }
    return 0;
}

static int converse(weft_stream *stream, int number)
{
    struct half half = {.stream = stream, .number = number};
    weft_group group;
    char byte;
    int err = weft_group_init(&group, NULL);
    if (err == 0)
        err = weft_group_spawn(&group, send_all, &half);
    if (err == 0)
        err = receive_all(stream, number);
    int wait = weft_group_wait(&group);
    if (err < 0 || wait < 0)
        return failed("read", err < 0 ? err : wait);
    err = weft_stream_write_eof(stream);
    if (err < 0)
        return failed("write_eof", err);
    int64_t n = weft_stream_read(stream, &byte, 1);
    if (n == 0)
        ended++;
    return n == 0 ? 0 : failed("end", (int)n);
}

static int tunnel(void *arg)
{
    int number = *(int *)arg;
    weft_response *response;
    weft_stream *stream;
    int err = protocol != NULL
                  ? weft_client_get(client, "/tunnel", WEFT_REQUEST(.upgrade = protocol), &response)
                  : weft_client_request(client, "CONNECT", "/", WEFT_REQUEST(.target = target),
                                        &response);
    if (err < 0)
        return failed("tunnel", err);
    err = weft_response_take_stream(response, &stream);
    if (err < 0) {
        refused++;
        fprintf(stderr, "%s %d %s\n", weft_response_http_version(response),
                weft_response_status(response), weft_response_text(response, NULL));
    } else {
        converse(stream, number);
        weft_stream_free(stream);
    }
    weft_response_free(response);
    return 0;
}

static int ask(void *arg)
{
    weft_response *response;
    int err = weft_client_get(client, "/", NULL, &response);
    (void)arg;
    if (err < 0)
        return failed("GET", err);
    others += strcmp(weft_response_http_version(response), "HTTP/2") == 0;
    weft_response_free(response);
    return 0;
}

static int run(void *arg)
{
    int n = *(int *)arg;
    int *numbers = calloc((size_t)n, sizeof *numbers);
    weft_group group;
    if (numbers == NULL)
        return -ENOMEM;
    for (int i = 0; i < n; i++)
        numbers[i] = i;
    ask(NULL);
    int err = weft_group_init(&group, NULL);
    for (int i = 0; i < n && err == 0; i++) {
        err = weft_group_spawn(&group, tunnel, &numbers[i]);
        if (err == 0)
            err = weft_group_spawn(&group, ask, NULL);
    }
    int wait = weft_group_wait(&group);
    weft_client_pool_stats(client, &stats);
    free(numbers);
    return err < 0 ? err : wait;
}

/* ---- another client's connections in tunnels ---- */

static weft_tls *tls;

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    char place[300];
    weft_response *response;
    weft_stream *stream = NULL;
    (void)userdata;
    snprintf(place, sizeof place, "%s:%d", weft_url_host(url), weft_url_port(url));
    int err = weft_client_request(client, "CONNECT", "/", WEFT_REQUEST(.target = place), &response);
    if (err < 0)
        return err;
    err = weft_response_take_stream(response, &stream);
    weft_response_free(response);
    return err < 0 ? err : weft_tls_connect(tls, stream, weft_url_host(url), ret);
}

static int go_through(void *arg)
{
    char *const *argv = arg;
    long n = strtol(argv[4], NULL, 10);
    long good = 0;
    weft_transport *transport = NULL;
    weft_client *inner = NULL;
    weft_response *response;
    const char *const h2[] = {"h2", NULL};
    int err = weft_tls_new_client(WEFT_TLS(.insecure_no_verify = true, .alpn = h2), &tls);
    if (err == 0)
        err = weft_transport_new(dial, NULL, &transport);
    if (err == 0)
        err = weft_client_new(WEFT_CLIENT(.transport = transport, .http1 = WEFT_OFF), &inner);
    for (long i = 0; i < n && err == 0; i++) {
        err = weft_client_get(inner, argv[3], NULL, &response);
        if (err < 0)
            break;
        good += strcmp(weft_response_text(response, NULL), "hi") == 0;
        weft_response_free(response);
        weft_sleep(WEFT_MS(5)); /* then an idle connection is looked at */
    }
    if (err == 0) {
        weft_client_pool_stats(inner, &stats);
        printf("good %ld opened %llu\n", good, (unsigned long long)stats.opened);
    }
    weft_client_free(inner);
    weft_transport_free(transport);
    weft_tls_free(tls);
    return err;
}

int main(int argc, char **argv)
{
    bool through = argc == 5 && strcmp(argv[2], "through") == 0;
    if (argc < 6 && !through)
        return 2;
    int n = (int)strtol(argv[4], NULL, 10);
    size = through ? 0 : (size_t)strtoul(argv[5], NULL, 10);
    protocol = strcmp(argv[2], "upgrade") == 0 ? argv[3] : NULL;
    target = argv[3];
    int err = weft_client_new(WEFT_CLIENT(.base_url = argv[1], .http2 = true,
                                          .http1 = argc <= 6 ? WEFT_OFF : WEFT_ON,
                                          .insecure_no_verify = true, .idle_timeout = WEFT_SEC(60)),
                              &client);
    if (err == 0)
        err = through ? weft_run(go_through, argv) : weft_run(run, &n);
    if (err < 0) {
        fprintf(stderr, "%s\n", weft_error_message());
        return 1;
    }
    if (through) {
        weft_client_free(client);
        return 0;
    }
    printf("wrong %ld ended %ld refused %ld others %ld opened %llu active %zu\n", wrong, ended,
           refused, others, (unsigned long long)stats.opened, stats.active);
    weft_client_free(client);
    return 0;
}

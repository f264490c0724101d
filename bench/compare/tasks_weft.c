/*
 * tasks_weft.c - weft's rows of compare/runtime.py.
 *
 *     tasks_weft ROUNDS      "key value" lines, each the best of the rounds
 *     tasks_weft serve       an echo server; the first line of its output is its port
 */
#include <weft.h>

#include <weft/channel.h>
#include <weft/net.h>
#include <weft/stream.h>
#include <weft/thread.h>

#include "../tasks.h"

enum { PIECE = 64, CONNECTIONS = 50 };

static int rounds;
static double took; /* where a row measures a part of what it does */

static void row(const char *key, void (*fn)(long n), long n, double unit)
{
    double best = 0;
    for (int i = 0; i < rounds; i++) {
        took = 0;
        double start = bench_clock();
        fn(n);
        if (took == 0)
            took = bench_clock() - start;
        if (i == 0 || took < best)
            best = took;
    }
    printf("%s %.1f\n", key, best / (double)n / unit);
    fflush(stdout);
}

static void spawns(long n)
{
    for (long left = n; left > 0; left -= 1000) {
        weft_group group;
        weft_group_init(&group, NULL);
        for (int i = 0; i < 1000; i++)
            weft_group_spawn(&group, nothing, NULL);
        weft_group_wait(&group);
    }
}

struct line {
    weft_sender *sender;
    weft_receiver *receiver;
    long n;
};

static int send_all(void *arg)
{
    struct line *line = arg;
    for (long i = 0; i < line->n; i++)
        weft_sender_send(line->sender, &i);
    return 0;
}

static int receive_all(void *arg)
{
    struct line *line = arg;
    long number;
    for (long i = 0; i < line->n; i++)
        weft_receiver_receive(line->receiver, &number);
    return 0;
}

static void messages_through(long n, size_t capacity)
{
    struct line line = {.n = n};
    weft_channel_new(sizeof n, WEFT_CHANNEL(.capacity = capacity), &line.sender, &line.receiver);
    weft_gather((weft_call[]){{send_all, &line, 0}, {receive_all, &line, 0}}, 2, NULL);
    weft_sender_free(line.sender);
    weft_receiver_free(line.receiver);
}

static void messages(long n)
{
    messages_through(n, 64);
}

static void rendezvous(long n)
{
    messages_through(n, 0);
}

/* ---- echo ---- */

static int echo(void *arg)
{
    weft_stream *stream = arg;
    char data[4096];
    int64_t n;
    while ((n = weft_stream_read(stream, data, sizeof data)) > 0)
        if (weft_stream_write(stream, data, (size_t)n) < 0)
            break;
    weft_stream_free(stream);
    return 0;
}

static int serve(void *arg)
{
    weft_listener *listener = arg;
    weft_group group;
    weft_stream *stream;
    weft_group_init(&group, NULL);
    while (weft_listener_accept(listener, &stream) >= 0)
        if (weft_group_spawn(&group, echo, stream) < 0)
            weft_stream_free(stream);
    return weft_group_wait(&group);
}

static long per_connection;
static uint16_t port;

static int ask(void *arg)
{
    weft_stream *stream;
    char data[PIECE] = "";
    (void)arg;
    if (weft_dial("127.0.0.1", port, NULL, &stream) < 0)
        return -1;
    for (long i = 0; i < per_connection; i++) {
        weft_stream_write(stream, data, sizeof data);
        weft_stream_read_exact(stream, data, sizeof data);
    }
    weft_stream_free(stream);
    return 0;
}

static void echoes(long n)
{
    weft_listener *listener;
    weft_group server;
    weft_call calls[CONNECTIONS];
    per_connection = n / CONNECTIONS;
    if (weft_listen("127.0.0.1", 0, NULL, &listener) < 0)
        exit(1);
    port = weft_listener_port(listener);
    weft_group_init(&server, NULL);
    weft_group_spawn(&server, serve, listener);
    for (int i = 0; i < CONNECTIONS; i++)
        calls[i] = (weft_call){ask, NULL, 0};
    double start = bench_clock();
    weft_gather(calls, CONNECTIONS, NULL);
    took = bench_clock() - start;
    weft_group_cancel(&server, NULL);
    weft_group_wait(&server);
    weft_listener_close(listener);
}

static int run_all(void *arg)
{
    (void)arg;
    row("yield_ns", yields, 4000000, 1);
    row("spawn_ns", spawns, 2000000, 1);
    row("message_ns", messages, 4000000, 1);
    row("rendezvous_ns", rendezvous, 4000000, 1);
    row("scope_ns", scopes, 4000000, 1);
    row("skynet_ns", skynet_tree, 1000000, 1);
    row("offload_us", offloads, 10000, 1e3);
    row("echo_us", echoes, 100000, 1e3);
    struct sleepers each = sleepers(200000);
    printf("sleeper_us %.2f\nsleeper_bytes %.0f\n", each.start_us, each.bytes);
    return 0;
}

static int serve_until_killed(void *arg)
{
    weft_listener *listener;
    (void)arg;
    if (weft_listen("127.0.0.1", 0, NULL, &listener) < 0)
        return -1;
    printf("%d\n", weft_listener_port(listener));
    fflush(stdout);
    return serve(listener);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return weft_run(serve_until_killed, NULL) != 0;
    rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
    return weft_run(run_all, NULL) != 0;
}

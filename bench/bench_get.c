/*
 * bench_get.c - a GET loop: the client against the embedded server on a thread of its own.
 *
 * Both ends are in this process, so that the time of a request is that of client and server
 * together, over loopback.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <weft.h>

#include "bench.h"

static weft_server *server;
static weft_loop *server_loop;
static atomic_int server_port;
static weft_client *client;
static char url[64];
static long remaining;

static int answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    static char body[1024];
    (void)request;
    (void)arg;
    return weft_reply_bytes(reply, 200, "application/octet-stream", body, sizeof body);
}

static int serve(void *arg)
{
    (void)arg;
    int err = weft_server_new(NULL, &server);
    if (err == 0)
        err = weft_server_route(server, "GET", "/1k", answer, NULL);
    if (err == 0)
        err = weft_server_listen(server);
    if (err < 0) {
        atomic_store(&server_port, -1);
        return err;
    }
    server_loop = weft_loop_ref_current();
    atomic_store(&server_port, weft_server_port(server));
    err = weft_server_serve(server);
    weft_server_free(server);
    return err;
}

static void *server_thread(void *arg)
{
    if (weft_run(serve, arg) < 0)
        fprintf(stderr, "server: %s\n", weft_error_message());
    return NULL;
}

static void stop(void *arg)
{
    (void)arg;
    weft_server_stop(server, 0);
}

static int get_worker(void *arg)
{
    (void)arg;
    while (remaining-- > 0) {
        weft_response *response;
        int err = weft_client_get(client, url, NULL, &response);
        if (err < 0)
            return err;
        weft_response_free(response);
    }
    return 0;
}

static void get_many(long n, size_t concurrency)
{
    char items[64];
    remaining = n;
    if (weft_map(get_worker, items, concurrency, 1, NULL) < 0) {
        fprintf(stderr, "client: %s\n", weft_error_message());
        exit(1);
    }
}

static void one_at_a_time(long n)
{
    get_many(n, 1);
}

static void sixty_four_at_a_time(long n)
{
    get_many(n, 64);
}

static int run(void *arg)
{
    (void)arg;
    int err = weft_client_new(WEFT_CLIENT(.max_idle = 64), &client);
    if (err < 0)
        return err;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/1k", atomic_load(&server_port));
    printf("back end %s, 1 KiB each, server on another thread\n", weft_backend_name());
    bench_loop("GET in a task, one at a time", one_at_a_time, 10000);
    bench_loop("GET in tasks, 64 at a time", sixty_four_at_a_time, 50000);
    weft_client_free(client);
    return 0;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, server_thread, NULL) != 0)
        return 1;
    while (atomic_load(&server_port) == 0)
        weft_sleep(WEFT_MS(1));
    if (atomic_load(&server_port) < 0)
        return 1;
    int err = weft_run(run, NULL);
    weft_loop_post(server_loop, stop, NULL);
    weft_loop_unref(server_loop);
    pthread_join(thread, NULL);
    return err != 0;
}

/* test_tcp.c - streams over TCP: the suite of all streams, and what only sockets have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net.h>
#include <weft/testing.h>

#include "net/net_int.h"
#include "stream/stream_int.h"
#include "stream_suite.h"

struct dialled {
    const char *host;
    uint16_t port;
    weft_stream *stream;
};

static int dial_it(void *arg)
{
    struct dialled *dialled = arg;
    return weft_dial(dialled->host, dialled->port, NULL, &dialled->stream);
}

struct accepted {
    weft_listener *listener;
    weft_stream *stream;
};

static int accept_it(void *arg)
{
    struct accepted *accepted = arg;
    return weft_listener_accept(accepted->listener, &accepted->stream);
}

static void make_tcp(weft_stream **a, weft_stream **b)
{
    weft_listener *listener;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    struct dialled dialled = {.host = "127.0.0.1", .port = weft_listener_port(listener)};
    struct accepted accepted = {.listener = listener};
    run_both(dial_it, &dialled, accept_it, &accepted);
    weft_listener_close(listener);
    *a = dialled.stream;
    *b = accepted.stream;
}

STREAM_SUITE(tcp, make_tcp, true, WEFT_BACKEND_DEFAULT)

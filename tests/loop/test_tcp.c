/* test_tcp.c - streams over TCP: the suite of all streams, and what only sockets have. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The system tells a socket's error once: here to the send that goes out with the read. */
TASK_TEST(tcp_reset_found_by_a_write_is_no_end_for_the_reader)
{
    weft_stream *a;
    weft_stream *b;
    char byte;
    make_tcp(&a, &b);
    ASSERT_OK(weft_stream_write(b, "x", 1));
    ASSERT_OK(weft_stream_flush(b));
    ASSERT_OK((int)weft_stream_read_exact(a, &byte, 1));
    weft_stream_abort(b);
    ASSERT_OK(weft_sleep(WEFT_MS(5)));
    ASSERT_OK(weft_stream_write(a, "request", 7));
    ASSERT_ERR((int)weft_stream_read(a, &byte, 1), -ECONNRESET);
    ASSERT_ERR((int)weft_stream_read(a, &byte, 1), -ECONNRESET);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* A blocking peer, whose bytes are the only events of the loop: answers once two have come. */
static void *answer_two(void *arg)
{
    char byte;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(intptr_t)arg),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        for (int i = 0; i < 2; i++)
            recv(fd, &byte, 1, 0);
        send(fd, "!", 1, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static int read_answer(void *arg)
{
    char byte;
    return weft_stream_read_exact(arg, &byte, 1);
}

/* What a task writes while another one's read has just sent off what was there goes out too. */
TASK_TEST(tcp_write_behind_the_send_of_another_tasks_read_is_not_held_up)
{
    weft_listener *listener;
    weft_stream *stream;
    weft_group group;
    pthread_t thread;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_INT_EQ(
        pthread_create(&thread, NULL, answer_two, (void *)(intptr_t)weft_listener_port(listener)),
        0);
    ASSERT_OK(weft_listener_accept(listener, &stream));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(5))));
    ASSERT_OK(weft_stream_write(stream, "a", 1));
    ASSERT_OK(weft_group_spawn(&group, read_answer, stream));
    ASSERT_OK(weft_stream_write(stream, "b", 1));
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(stream);
    weft_listener_close(listener);
    pthread_join(thread, NULL);
}

/* ---- what the kernel tells in its own way ---- */

/* A read stops at the mark of urgent data: what lies behind it comes with no event of its own. */
TASK_TEST(tcp_data_behind_urgent_data_is_read)
{
    weft_stream *a;
    weft_stream *b;
    char text[64];
    make_tcp(&a, &b);
    ASSERT_OK(weft_stream_write(b, "1", 1));
    ASSERT_OK(weft_stream_read_exact(a, text, 1));
    /* From here on the loop hears of what comes by events. */
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(1));
    ASSERT_ERR(weft_scope_exit(&scope, (int)weft_stream_read(a, text, 1)), -ETIMEDOUT);
    ASSERT_INT_EQ(send(weft_stream_fd(b), "ab!", 3, MSG_OOB), 3);
    ASSERT_INT_EQ(send(weft_stream_fd(b), "cd", 2, 0), 2);
    weft_scope_enter(&scope, WEFT_SEC(20));
    ASSERT_OK(weft_scope_exit(&scope, weft_stream_read_exact(a, text, 4)));
    ASSERT_INT_EQ(memcmp(text, "abcd", 4), 0);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* Its address is had with the connection: the kernel no longer knows it afterwards. */
TASK_TEST(tcp_peer_that_was_gone_when_it_was_accepted_has_an_address)
{
    weft_listener *listener;
    weft_stream *stream;
    weft_address address;
    char text[WEFT_ADDRESS_TEXT_MAX];
    char c;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    struct dialled dialled = {.host = "127.0.0.1", .port = weft_listener_port(listener)};
    ASSERT_OK(dial_it(&dialled));
    ASSERT_OK(weft_stream_local_address(dialled.stream, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    weft_stream_abort(dialled.stream);
    weft_stream_free(dialled.stream);
    ASSERT_OK(weft_listener_accept(listener, &stream));
    ASSERT_ERR((int)weft_stream_read(stream, &c, 1), -ECONNRESET);
    ASSERT_STR_HAS(weft_error_message(), text);
    ASSERT_OK(weft_stream_peer_address(stream, &address));
    ASSERT_INT_EQ(weft_address_port(&address), strtoul(strrchr(text, ':') + 1, NULL, 10));
    weft_stream_free(stream);
    weft_listener_close(listener);
}

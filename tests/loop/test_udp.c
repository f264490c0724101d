/* test_udp.c - datagrams, socket options, waiting for descriptors of others. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/udp.h>

#include "fault.h"
#include "test.h"

static weft_udp *open_here(void)
{
    weft_udp *udp;
    ASSERT_OK(weft_udp_open("127.0.0.1", 0, NULL, &udp));
    return udp;
}

static weft_address address_of(weft_udp *udp)
{
    weft_address address;
    ASSERT_OK(weft_udp_local_address(udp, &address));
    return address;
}

static void expect_datagram(weft_udp *udp, const char *text)
{
    char data[100];
    ASSERT_INT_EQ(weft_udp_receive(udp, data, sizeof data), strlen(text));
    ASSERT_MEM_EQ(data, text, strlen(text));
}

static void expect_address(const weft_address *address, const char *text)
{
    char here[WEFT_ADDRESS_TEXT_MAX];
    ASSERT_OK(weft_address_format(address, here, sizeof here));
    ASSERT_STR_HAS(here, text);
}

/* ---- datagrams ---- */

TASK_TEST(udp_datagram_arrives_with_its_sender)
{
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_address to = address_of(b), here = address_of(a), from;
    char data[100];
    ASSERT_OK(weft_udp_send_to(a, &to, "ping", 4));
    ASSERT_INT_EQ(weft_udp_receive_from(b, data, sizeof data, &from), 4);
    ASSERT_MEM_EQ(data, "ping", 4);
    ASSERT_INT_EQ(weft_address_port(&from), weft_address_port(&here));
    expect_address(&from, "127.0.0.1:");
    ASSERT_OK(weft_udp_send_to(b, &from, "pong", 4));
    expect_datagram(a, "pong");
    weft_udp_close(a);
    weft_udp_close(b);
}

TASK_TEST(udp_empty_datagram_is_one)
{
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_address to = address_of(b);
    char data[10];
    ASSERT_OK(weft_udp_send_to(a, &to, NULL, 0));
    ASSERT_INT_EQ(weft_udp_receive(b, data, sizeof data), 0);
    weft_udp_close(a);
    weft_udp_close(b);
}

TASK_TEST(udp_datagram_that_does_not_fit_tells_its_length)
{
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_address to = address_of(b);
    char data[4];
    weft_datagram item = {.data = data, .size = sizeof data};
    ASSERT_OK(weft_udp_send_to(a, &to, "0123456789", 10));
    ASSERT_OK(weft_udp_send_to(a, &to, "0123456789", 10));
    ASSERT_INT_EQ(weft_udp_receive(b, data, sizeof data), 10);
    ASSERT_MEM_EQ(data, "0123", 4);
    ASSERT_INT_EQ(weft_udp_receive_many(b, &item, 1), 1);
    ASSERT_INT_EQ(item.len, 10);
    weft_udp_close(a);
    weft_udp_close(b);
}

TASK_TEST(udp_largest_datagram_goes_and_a_larger_one_is_refused)
{
    static char data[70000], got[70000];
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_address to = address_of(b);
    memset(data, 'x', sizeof data);
    ASSERT_OK(weft_udp_send_to(a, &to, data, 65507));
    ASSERT_INT_EQ(weft_udp_receive(b, got, sizeof got), 65507);
    ASSERT_ERR(weft_udp_send_to(a, &to, data, 65508), -EMSGSIZE);
    ASSERT_STR_HAS(weft_error_message(), "send a datagram of 65508 bytes to 127.0.0.1:");
    weft_udp_close(a);
    weft_udp_close(b);
}

static int connect_to(weft_udp *peer, weft_udp **ret)
{
    weft_address to = address_of(peer);
    return weft_udp_connect("127.0.0.1", weft_address_port(&to), NULL, ret);
}

TASK_TEST(udp_connected_hears_its_peer_only)
{
    weft_udp *server = open_here();
    weft_udp *stranger = open_here();
    weft_udp *client;
    weft_address from, here, peer;
    char data[10];
    ASSERT_OK(connect_to(server, &client));
    here = address_of(client);
    ASSERT_OK(weft_udp_peer_address(client, &peer));
    ASSERT_OK(weft_udp_send(client, "hello", 5));
    ASSERT_INT_EQ(weft_udp_receive_from(server, data, sizeof data, &from), 5);
    ASSERT_OK(weft_udp_send_to(stranger, &here, "evil", 4));
    ASSERT_OK(weft_udp_send_to(server, &from, "good", 4));
    expect_datagram(client, "good");
    ASSERT_ERR(weft_udp_send(stranger, "x", 1), -EDESTADDRREQ);
    ASSERT_ERR(weft_udp_peer_address(stranger, &peer), -ENOTCONN);
    weft_udp_close(client);
    weft_udp_close(stranger);
    weft_udp_close(server);
}

TASK_TEST(udp_refusal_is_reported_and_the_socket_lives_on)
{
    weft_udp *server = open_here();
    weft_udp *client;
    char c;
    weft_address to = address_of(server);
    ASSERT_OK(connect_to(server, &client));
    weft_udp_close(server);
    ASSERT_OK(weft_udp_send(client, "x", 1));
    ASSERT_ERR((int)weft_udp_receive(client, &c, 1), -ECONNREFUSED);
    ASSERT_STR_HAS(weft_error_message(), "receive a datagram from 127.0.0.1:");
    ASSERT_OK(weft_udp_open("127.0.0.1", weft_address_port(&to), NULL, &server));
    ASSERT_OK(weft_udp_send(client, "again", 5));
    expect_datagram(server, "again");
    weft_udp_close(server);
    weft_udp_close(client);
}

TASK_TEST(udp_on_all_addresses_speaks_both_families)
{
    weft_udp *any, *v6;
    weft_udp *v4 = open_here();
    weft_address from, to4, to6;
    char data[10];
    if (weft_udp_open("::1", 0, NULL, &v6) < 0)
        SKIP("no IPv6 here");
    ASSERT_OK(weft_udp_open(NULL, 0, NULL, &any));
    weft_address here = address_of(any);
    ASSERT_OK(weft_address_parse("127.0.0.1", weft_address_port(&here), &to4));
    ASSERT_OK(weft_address_parse("::1", weft_address_port(&here), &to6));
    ASSERT_OK(weft_udp_send_to(v4, &to4, "four", 4));
    ASSERT_INT_EQ(weft_udp_receive_from(any, data, sizeof data, &from), 4);
    expect_address(&from, "127.0.0.1:");
    ASSERT_OK(weft_udp_send_to(any, &from, "back", 4));
    expect_datagram(v4, "back");
    ASSERT_OK(weft_udp_send_to(v6, &to6, "six", 3));
    weft_datagram item = {.data = data, .size = sizeof data};
    ASSERT_INT_EQ(weft_udp_receive_many(any, &item, 1), 1);
    expect_address(&item.address, "[::1]:");
    ASSERT_ERR(weft_udp_send_to(v4, &to6, "x", 1), -EAFNOSUPPORT);
    weft_udp_close(v4);
    weft_udp_close(v6);
    weft_udp_close(any);
}

TASK_TEST(udp_only_ipv6_leaves_the_other_family_free)
{
    weft_udp *six, *four;
    if (weft_udp_open("::", 0, WEFT_UDP(.only_ipv6 = true), &six) < 0)
        SKIP("no IPv6 here");
    weft_address here = address_of(six);
    ASSERT_OK(weft_udp_open("0.0.0.0", weft_address_port(&here), NULL, &four));
    weft_udp_close(six);
    weft_udp_close(four);
}

/* ---- many at once ---- */

TASK_TEST(udp_many_are_sent_and_taken_in_batches)
{
    enum { N = 75 };
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_datagram out[N], in[N + 5];
    static char sent[N][8], got[N + 5][8];
    for (int i = 0; i < N; i++) {
        snprintf(sent[i], sizeof sent[i], "%d", i);
        out[i] = (weft_datagram){.data = sent[i], .len = strlen(sent[i]), .address = address_of(b)};
    }
    for (int i = 0; i < N + 5; i++)
        in[i] = (weft_datagram){.data = got[i], .size = sizeof got[i]};
    ASSERT_INT_EQ(weft_udp_send_many(a, out, N), N);
    int64_t n = 0;
    while (n < N) {
        int64_t more = weft_udp_receive_many(b, in + n, (size_t)(N + 5 - n));
        ASSERT_INT_GT(more, 0);
        n += more;
    }
    ASSERT_INT_EQ(n, N);
    for (int i = 0; i < N; i++) {
        ASSERT_INT_EQ(in[i].len, out[i].len);
        ASSERT_MEM_EQ(got[i], sent[i], out[i].len);
    }
    ASSERT_INT_EQ(weft_udp_send_many(a, out, 0), 0);
    ASSERT_ERR((int)weft_udp_receive_many(b, in, 0), -EINVAL);
    weft_udp_close(a);
    weft_udp_close(b);
}

TASK_TEST(udp_many_up_to_the_first_failure_are_counted)
{
    static char large[70000];
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_datagram out[] = {
        {.data = large, .len = 1, .address = address_of(b)},
        {.data = large, .len = 2, .address = address_of(b)},
        {.data = large, .len = sizeof large, .address = address_of(b)},
        {.data = large, .len = 3, .address = address_of(b)},
    };
    ASSERT_INT_EQ(weft_udp_send_many(a, out, 4), 2);
    ASSERT_ERR((int)weft_udp_send_many(a, out + 2, 2), -EMSGSIZE);
    weft_udp_close(a);
    weft_udp_close(b);
}

/* ---- two tasks, closing, cancelling ---- */

static int receive_one(void *arg)
{
    char c;
    int64_t n = weft_udp_receive(arg, &c, 1);
    return n < 0 ? (int)n : 0;
}

TASK_TEST(udp_second_receiver_is_busy)
{
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_address to = address_of(a);
    weft_group group;
    char c;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, receive_one, a));
    ASSERT_ERR((int)weft_udp_receive(a, &c, 1), -EBUSY);
    ASSERT_STR_HAS(weft_error_message(), "receive");
    ASSERT_OK(weft_udp_send_to(a, &to, "x", 1));
    ASSERT_OK(weft_group_wait(&group));
    weft_udp_close(a);
    weft_udp_close(b);
}

static int receive_closed(void *arg)
{
    char c;
    ASSERT_ERR((int)weft_udp_receive(arg, &c, 1), WEFT_ECLOSED);
    return 0;
}

TASK_TEST(udp_closed_under_a_receiver_says_so)
{
    weft_udp *udp = open_here();
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, receive_closed, udp));
    weft_yield();
    weft_udp_close(udp);
    ASSERT_OK(weft_group_wait(&group));
    weft_udp_close(NULL);
}

TASK_TEST(udp_cancelled_receive_loses_nothing)
{
    weft_udp *a = open_here();
    weft_udp *b = open_here();
    weft_address to = address_of(a);
    for (int i = 0; i < 20; i++) {
        weft_scope scope;
        char c;
        weft_scope_enter(&scope, WEFT_US(50) * i);
        weft_udp_send_to(b, &to, "x", 1);
        int err = (int)weft_udp_receive(a, &c, 1);
        if (err == 1)
            err = (int)weft_udp_receive(a, &c, 1);
        ASSERT_INT_EQ(err, -ECANCELED);
        ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    }
    ASSERT_OK(weft_udp_send_to(b, &to, "last", 4));
    char data[8];
    int64_t n;
    do
        n = weft_udp_receive(a, data, sizeof data);
    while (n == 1);
    ASSERT_INT_EQ(n, 4);
    weft_udp_close(a);
    weft_udp_close(b);
}

static weft_udp *outlived;

static int open_and_leave(void *arg)
{
    (void)arg;
    outlived = open_here();
    return 0;
}

TEST(udp_closed_after_its_loop_leaks_nothing)
{
    char c;
    ASSERT_OK(weft_run(open_and_leave, NULL));
    ASSERT_ERR((int)weft_udp_receive(outlived, &c, 1), WEFT_ECLOSED);
    weft_udp_close(outlived);
}

/* ---- opening ---- */

TASK_TEST(udp_used_port_is_refused_unless_shared)
{
    weft_udp *first, *second;
    ASSERT_OK(weft_udp_open("127.0.0.1", 0, WEFT_UDP(.reuse_port = true), &first));
    weft_address here = address_of(first);
    uint16_t port = weft_address_port(&here);
    ASSERT_ERR(weft_udp_open("127.0.0.1", port, NULL, &second), -EADDRINUSE);
    ASSERT_STR_HAS(weft_error_message(), "open UDP 127.0.0.1:");
    ASSERT_OK(weft_udp_open("127.0.0.1", port, WEFT_UDP(.reuse_port = true), &second));
    weft_udp_close(first);
    weft_udp_close(second);
}

TASK_TEST(udp_local_address_and_port_are_used)
{
    weft_udp *server = open_here();
    weft_udp *client, *other = open_here();
    weft_address free_one = address_of(other), to = address_of(server), from;
    uint16_t port = weft_address_port(&free_one);
    char c;
    weft_udp_close(other);
    ASSERT_OK(weft_udp_connect("127.0.0.1", weft_address_port(&to),
                               WEFT_UDP(.local_host = "127.0.0.2", .local_port = port), &client));
    ASSERT_OK(weft_udp_send(client, "x", 1));
    ASSERT_INT_EQ(weft_udp_receive_from(server, &c, 1, &from), 1);
    expect_address(&from, "127.0.0.2:");
    ASSERT_INT_EQ(weft_address_port(&from), port);
    weft_udp_close(client);
    ASSERT_ERR(weft_udp_connect("127.0.0.1", 1, WEFT_UDP(.local_host = "name"), &client), -EINVAL);
    ASSERT_ERR(weft_udp_connect("127.0.0.1", 1, WEFT_UDP(.local_host = "::1"), &client),
               -EAFNOSUPPORT);
    weft_udp_close(server);
}

TASK_TEST(udp_at_a_missing_interface_or_address_fails)
{
    weft_udp *udp;
    ASSERT_ERR(weft_udp_open("192.0.2.1", 0, NULL, &udp), -EADDRNOTAVAIL);
    int err = weft_udp_open("127.0.0.1", 0, WEFT_UDP(.interface = "nothing0"), &udp);
    ASSERT(err == -ENODEV || err == -EPERM);
    ASSERT_OK(weft_udp_open("127.0.0.1", 0, WEFT_UDP(.interface = "lo"), &udp));
    weft_udp_close(udp);
}

TASK_TEST(udp_without_descriptors_says_so)
{
    weft_udp *udp;
    struct rlimit old, none;
    ASSERT(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 3;
    ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
    ASSERT_ERR(weft_udp_open("127.0.0.1", 0, NULL, &udp), -EMFILE);
    ASSERT_ERR(weft_udp_connect("127.0.0.1", 1, NULL, &udp), -EMFILE);
    ASSERT(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

TASK_TEST(udp_broadcast_needs_its_option)
{
    weft_udp *udp;
    weft_address to;
    int64_t value;
    ASSERT_OK(weft_address_parse("127.255.255.255", 9, &to));
    ASSERT_OK(weft_udp_open("127.0.0.1", 0, NULL, &udp));
    ASSERT_ERR(weft_udp_send_to(udp, &to, "x", 1), -EACCES);
    ASSERT_OK(weft_udp_set_option(udp, WEFT_SOCKET_BROADCAST, 1));
    ASSERT_OK(weft_udp_get_option(udp, WEFT_SOCKET_BROADCAST, &value));
    ASSERT_INT_EQ(value, 1);
    ASSERT_OK(weft_udp_send_to(udp, &to, "x", 1));
    weft_udp_close(udp);
    ASSERT_OK(weft_udp_open("127.0.0.1", 0, WEFT_UDP(.broadcast = true), &udp));
    ASSERT_OK(weft_udp_send_to(udp, &to, "x", 1));
    weft_udp_close(udp);
}

TASK_TEST(udp_group_members_hear_what_is_sent_to_it)
{
    weft_udp *a, *b;
    weft_address group, here;
    ASSERT_OK(weft_udp_open("0.0.0.0", 0, WEFT_UDP(.reuse_address = true), &a));
    here = address_of(a);
    ASSERT_OK(weft_address_parse("239.255.77.7", weft_address_port(&here), &group));
    ASSERT_OK(weft_udp_join(a, &group, "lo"));
    ASSERT_ERR(weft_udp_join(a, &group, "lo"), -EADDRINUSE);
    ASSERT_ERR(weft_udp_join(a, &group, "nothing0"), -ENODEV);
    ASSERT_OK(weft_udp_open("127.0.0.1", 0, NULL, &b));
    ASSERT_OK(weft_udp_set_option(b, WEFT_SOCKET_MULTICAST_INTERFACE, 1));
    ASSERT_OK(weft_udp_set_option(b, WEFT_SOCKET_MULTICAST_TTL, 0));
    ASSERT_OK(weft_udp_send_to(b, &group, "all", 3));
    expect_datagram(a, "all");
    ASSERT_OK(weft_udp_leave(a, &group, "lo"));
    ASSERT_ERR(weft_udp_leave(a, &group, "lo"), -EADDRNOTAVAIL);
    weft_udp_close(a);
    weft_udp_close(b);
}

static int ping_pong(void *arg)
{
    weft_udp *a = NULL, *b = NULL;
    weft_address to;
    char data[8];
    (void)arg;
    int err = weft_udp_open(NULL, 0, NULL, &a);
    if (err == 0)
        err = weft_udp_local_address(a, &to);
    if (err == 0)
        err = weft_udp_connect("localhost", weft_address_port(&to), NULL, &b);
    if (err == 0)
        err = weft_udp_send(b, "ping", 4);
    if (err == 0)
        err = (int)weft_udp_receive_from(a, data, sizeof data, &to);
    if (err >= 0)
        err = weft_udp_send_to(a, &to, data, 4);
    if (err == 0)
        err = (int)weft_udp_receive(b, data, sizeof data);
    weft_udp_close(a);
    weft_udp_close(b);
    return err < 0 ? err : 0;
}

TEST(udp_survives_every_fault)
{
    FAULTS(ping_pong, NULL);
    FAULTS(ping_pong, NULL, .plain = true);
}

/* ---- options of streams ---- */

TASK_TEST(stream_options_are_set_and_read_back)
{
    static const struct {
        weft_socket_option option;
        int64_t value;
    } cases[] = {
        {WEFT_SOCKET_NODELAY, 0},
        {WEFT_SOCKET_NODELAY, 1},
        {WEFT_SOCKET_KEEPALIVE, 1},
        {WEFT_SOCKET_KEEPALIVE_IDLE, WEFT_SEC(30)},
        {WEFT_SOCKET_KEEPALIVE_INTERVAL, WEFT_SEC(5)},
        {WEFT_SOCKET_KEEPALIVE_COUNT, 3},
        {WEFT_SOCKET_USER_TIMEOUT, WEFT_MS(1500)},
        {WEFT_SOCKET_LINGER, WEFT_SEC(7)},
        {WEFT_SOCKET_LINGER, -1},
        {WEFT_SOCKET_LINGER, 0},
        {WEFT_SOCKET_PRIORITY, 5},
        {WEFT_SOCKET_TOS, 0x10},
        {WEFT_SOCKET_TTL, 17},
    };
    weft_listener *listener;
    weft_stream *stream;
    int64_t value;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &stream));
    ASSERT_OK(weft_stream_get_option(stream, WEFT_SOCKET_NODELAY, &value));
    ASSERT_INT_EQ(value, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ASSERT_OK(weft_stream_set_option(stream, cases[i].option, cases[i].value));
        ASSERT_OK(weft_stream_get_option(stream, cases[i].option, &value));
        ASSERT_INT_EQ(value, cases[i].value);
    }
    ASSERT_OK(weft_stream_set_option(stream, WEFT_SOCKET_RECEIVE_BUFFER, 20000));
    ASSERT_OK(weft_stream_get_option(stream, WEFT_SOCKET_RECEIVE_BUFFER, &value));
    ASSERT_INT_GE(value, 20000);
    /* Rounded up: a time is never none. */
    ASSERT_OK(weft_stream_set_option(stream, WEFT_SOCKET_KEEPALIVE_IDLE, WEFT_MS(1)));
    ASSERT_OK(weft_stream_get_option(stream, WEFT_SOCKET_KEEPALIVE_IDLE, &value));
    ASSERT_INT_EQ(value, WEFT_SEC(1));
    ASSERT_INT_GE(weft_stream_fd(stream), 0);
    weft_stream_free(stream);
    weft_listener_close(listener);
}

TASK_TEST(stream_options_that_are_wrong_are_refused)
{
    weft_stream *a, *b;
    int64_t value;
    ASSERT_OK(weft_socketpair(&a, &b));
    ASSERT_ERR(weft_stream_set_option(a, (weft_socket_option)0, 1), -EINVAL);
    ASSERT_ERR(weft_stream_get_option(a, (weft_socket_option)99, &value), -EINVAL);
    ASSERT_ERR(weft_stream_set_option(a, WEFT_SOCKET_PRIORITY, INT64_MAX), -EINVAL);
    ASSERT_ERR(weft_stream_set_option(a, WEFT_SOCKET_NODELAY, 1), -EOPNOTSUPP);
    ASSERT_STR_HAS(weft_error_message(), "nodelay");
    ASSERT_OK(weft_stream_close(a));
    ASSERT_ERR(weft_stream_fd(a), -ENOTSOCK);
    weft_stream_free(a);
    weft_stream_free(b);
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    ASSERT_ERR(weft_stream_set_option(a, WEFT_SOCKET_LINGER, 0), -ENOTSOCK);
    ASSERT_ERR(weft_stream_get_option(a, WEFT_SOCKET_LINGER, &value), -ENOTSOCK);
    weft_stream_free(a);
    weft_stream_free(b);
}

/* ---- descriptors of others ---- */

struct pipe_ends {
    int reader;
    int writer;
};

static struct pipe_ends make_pipe(void)
{
    int fds[2];
    ASSERT(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    return (struct pipe_ends){fds[0], fds[1]};
}

static int wait_readable(void *arg)
{
    return weft_fd_wait(*(int *)arg, WEFT_READABLE);
}

TASK_TEST(fd_wait_returns_when_there_is_something)
{
    struct pipe_ends ends = make_pipe();
    weft_group group;
    ASSERT_INT_EQ(weft_fd_wait(ends.writer, WEFT_WRITABLE), WEFT_WRITABLE);
    ASSERT_INT_EQ(weft_fd_wait(ends.writer, WEFT_WRITABLE | WEFT_READABLE), WEFT_WRITABLE);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_readable, &ends.reader));
    weft_sleep(WEFT_MS(1));
    ASSERT_INT_EQ(write(ends.writer, "x", 1), 1);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_fd_wait(ends.reader, WEFT_READABLE), WEFT_READABLE);
    close(ends.writer);
    ASSERT_INT_EQ(weft_fd_wait(ends.reader, WEFT_READABLE), WEFT_READABLE);
    close(ends.reader);
}

/* Each direction may have its waiter; both at once are one wait. */
TASK_TEST(fd_wait_of_two_in_one_direction_is_busy)
{
    int fds[2];
    weft_group group;
    static char full[4096];
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    while (write(fds[0], full, sizeof full) > 0)
        continue;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn(&group, wait_readable, &fds[0]));
    ASSERT_ERR(weft_fd_wait(fds[0], WEFT_READABLE), -EBUSY);
    ASSERT_ERR(weft_fd_wait(fds[0], WEFT_READABLE | WEFT_WRITABLE), -EBUSY);
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(5));
    int err = weft_fd_wait(fds[0], WEFT_WRITABLE);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_EQ(write(fds[1], "x", 1), 1);
    ASSERT_OK(weft_group_wait(&group));
    close(fds[0]);
    close(fds[1]);
}

static int wait_for_both(void *arg)
{
    return weft_fd_wait(*(int *)arg, WEFT_READABLE | WEFT_WRITABLE);
}

TASK_TEST(fd_wait_for_both_is_woken_by_either)
{
    int fds[2];
    weft_group group;
    static char full[65536];
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    for (int round = 0; round < 2; round++) {
        while (write(fds[0], full, sizeof full) > 0)
            continue;
        ASSERT_OK(weft_group_init(&group, NULL));
        ASSERT_OK(weft_group_spawn(&group, wait_for_both, &fds[0]));
        weft_sleep(WEFT_MS(1));
        if (round == 0) {
            while (read(fds[1], full, sizeof full) > 0)
                continue;
        } else {
            ASSERT_INT_EQ(write(fds[1], "x", 1), 1);
        }
        ASSERT_OK(weft_group_wait(&group));
    }
    close(fds[0]);
    close(fds[1]);
}

static int wait_closed(void *arg)
{
    ASSERT_ERR(weft_fd_wait(*(int *)arg, WEFT_READABLE), WEFT_ECLOSED);
    return 0;
}

TASK_TEST(fd_closing_wakes_those_who_wait)
{
    struct pipe_ends ends = make_pipe();
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_closed, &ends.reader));
    weft_yield();
    weft_fd_closing(ends.writer);
    weft_fd_closing(ends.reader);
    close(ends.reader);
    close(ends.writer);
    ASSERT_OK(weft_group_wait(&group));
}

TASK_TEST(fd_wait_for_a_file_returns_at_once)
{
    int fd = open(test_path("file"), O_RDWR | O_CREAT, 0600);
    ASSERT(fd >= 0);
    ASSERT_INT_EQ(weft_fd_wait(fd, WEFT_READABLE), WEFT_READABLE);
    ASSERT_INT_EQ(weft_fd_wait(fd, WEFT_READABLE | WEFT_WRITABLE), 3);
    close(fd);
}

TASK_TEST(fd_wait_for_nothing_or_nobody_is_refused)
{
    struct pipe_ends ends = make_pipe();
    ASSERT_ERR(weft_fd_wait(ends.reader, 0), -EINVAL);
    ASSERT_ERR(weft_fd_wait(ends.reader, 4), -EINVAL);
    ASSERT_ERR(weft_fd_wait(-1, WEFT_READABLE), -EBADF);
    close(ends.reader);
    ASSERT_ERR(weft_fd_wait(ends.reader, WEFT_READABLE), -EBADF);
    close(ends.writer);
}

/* A descriptor that a stream owns can be waited for beside it. */
TASK_TEST(fd_wait_beside_a_stream_disturbs_it_not)
{
    weft_stream *a, *b;
    weft_group group;
    char c;
    ASSERT_OK(weft_socketpair(&a, &b));
    int fd = weft_stream_fd(a);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, wait_readable, &fd));
    weft_sleep(WEFT_MS(1));
    ASSERT_OK(weft_stream_write(b, "x", 1));
    ASSERT_OK(weft_stream_flush(b));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(weft_stream_read(a, &c, 1), 1);
    weft_stream_free(a);
    weft_stream_free(b);
}

static int wait_and_read(void *arg)
{
    struct pipe_ends ends = make_pipe();
    weft_scope scope;
    (void)arg;
    weft_scope_enter(&scope, WEFT_MS(1));
    int err = weft_scope_exit(&scope, weft_fd_wait(ends.reader, WEFT_READABLE));
    close(ends.reader);
    close(ends.writer);
    return err == -ETIMEDOUT ? 0 : err;
}

TEST(fd_wait_survives_every_fault)
{
    FAULTS(wait_and_read, NULL);
}

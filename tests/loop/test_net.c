/* test_net.c - options of dialling, listening and resolving; sockets that are handed over. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <weft/net.h>

#include "base/limits.h"
#include "fault.h"
#include "test.h"

static weft_stream *dial_to(weft_listener *listener, const weft_dial_options *options)
{
    weft_stream *stream;
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(listener), options, &stream));
    return stream;
}

static int64_t option_of(weft_stream *stream, weft_socket_option option)
{
    int64_t value;
    ASSERT_OK(weft_stream_get_option(stream, option, &value));
    return value;
}

static void expect_address(const weft_address *address, const char *text)
{
    char here[WEFT_ADDRESS_TEXT_MAX];
    ASSERT_OK(weft_address_format(address, here, sizeof here));
    ASSERT_STR_HAS(here, text);
}

/* ---- dialling ---- */

TASK_TEST(dial_from_a_local_address_and_port)
{
    weft_listener *listener, *other;
    weft_address address;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_OK(weft_listen("127.0.0.2", 0, NULL, &other));
    uint16_t port = weft_listener_port(other);
    weft_listener_close(other);
    weft_stream *stream =
        dial_to(listener, WEFT_DIAL(.local_host = "127.0.0.2", .local_port = port));
    ASSERT_OK(weft_stream_local_address(stream, &address));
    expect_address(&address, "127.0.0.2:");
    ASSERT_INT_EQ(weft_address_port(&address), port);
    weft_stream_free(stream);
    ASSERT_ERR(weft_dial("127.0.0.1", weft_listener_port(listener),
                         WEFT_DIAL(.local_host = "192.0.2.1"), &stream),
               WEFT_EUNREACHABLE);
    ASSERT_ERR(weft_dial("127.0.0.1", weft_listener_port(listener), WEFT_DIAL(.local_host = "::1"),
                         &stream),
               WEFT_EUNREACHABLE);
    weft_listener_close(listener);
}

TASK_TEST(dial_options_of_the_socket_are_set)
{
    weft_listener *listener;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    weft_stream *plain = dial_to(listener, NULL);
    weft_stream *stream =
        dial_to(listener, WEFT_DIAL(.keepalive = WEFT_SEC(40), .interface = "lo",
                                    .receive_buffer = 30000, .send_buffer = 30000));
    ASSERT_INT_EQ(option_of(plain, WEFT_SOCKET_KEEPALIVE), 0);
    ASSERT_INT_EQ(option_of(stream, WEFT_SOCKET_KEEPALIVE), 1);
    ASSERT_INT_EQ(option_of(stream, WEFT_SOCKET_KEEPALIVE_IDLE), WEFT_SEC(40));
    ASSERT_INT_EQ(option_of(stream, WEFT_SOCKET_RECEIVE_BUFFER), 60000);
    ASSERT_INT_EQ(option_of(stream, WEFT_SOCKET_SEND_BUFFER), 60000);
    ASSERT_INT_EQ(option_of(stream, WEFT_SOCKET_NODELAY), 1);
    weft_stream_free(plain);
    weft_stream_free(stream);
    int err = weft_dial("127.0.0.1", weft_listener_port(listener),
                        WEFT_DIAL(.interface = "nothing0"), &stream);
    ASSERT(err == WEFT_ECONNECT || err == WEFT_EUNREACHABLE);
    weft_listener_close(listener);
}

TASK_TEST(dial_of_one_family_tries_no_other)
{
    weft_stream *stream;
    weft_listener *listener;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    uint16_t port = weft_listener_port(listener);
    weft_stream *four;
    ASSERT_OK(weft_dial("localhost", port, WEFT_DIAL(.family = WEFT_IP_V4), &four));
    weft_stream_free(four);
    int err = weft_dial("localhost", port, WEFT_DIAL(.family = WEFT_IP_V6), &stream);
    ASSERT(err == WEFT_EREFUSED || err == WEFT_EUNREACHABLE);
    ASSERT_STR_LACKS(weft_error_message(), "127.0.0.1");
    ASSERT_ERR(weft_dial("127.0.0.1", port, WEFT_DIAL(.family = WEFT_IP_V6), &stream),
               WEFT_EDNS_NOT_FOUND);
    ASSERT_STR_HAS(weft_error_message(), "no IPv6 address");
    weft_listener_close(listener);
}

/* The kernel takes less than no bytes for the most that there can be, and no time for its own. */
TASK_TEST(option_of_less_than_nothing_is_refused)
{
    static const weft_socket_option amounts[] = {
        WEFT_SOCKET_RECEIVE_BUFFER,
        WEFT_SOCKET_SEND_BUFFER,
        WEFT_SOCKET_USER_TIMEOUT,
        WEFT_SOCKET_KEEPALIVE_IDLE,
    };
    weft_listener *listener;
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    weft_stream *stream = dial_to(listener, NULL);
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        int64_t before = option_of(stream, amounts[i]);
        ASSERT_ERR(weft_stream_set_option(stream, amounts[i], -1), -EINVAL);
        ASSERT_STR_HAS(weft_error_message(), "to -1: out of range");
        ASSERT_INT_EQ(option_of(stream, amounts[i]), before);
    }
    weft_stream_free(stream);
    weft_listener_close(listener);
}

/* ---- listening ---- */

TASK_TEST(listen_options_reach_the_connections)
{
    weft_listener *listener;
    weft_stream *accepted;
    weft_address address;
    ASSERT_OK(weft_listen(
        "127.0.0.1", 0,
        WEFT_LISTEN(.keepalive = WEFT_SEC(50), .receive_buffer = 30000, .interface = "lo"),
        &listener));
    weft_listener_address(listener, &address);
    expect_address(&address, "127.0.0.1:");
    weft_stream *stream = dial_to(listener, NULL);
    ASSERT_OK(weft_listener_accept(listener, &accepted));
    ASSERT_INT_EQ(option_of(accepted, WEFT_SOCKET_KEEPALIVE), 1);
    ASSERT_INT_EQ(option_of(accepted, WEFT_SOCKET_KEEPALIVE_IDLE), WEFT_SEC(50));
    ASSERT_INT_EQ(option_of(accepted, WEFT_SOCKET_RECEIVE_BUFFER), 60000);
    ASSERT_INT_EQ(option_of(accepted, WEFT_SOCKET_NODELAY), 1);
    weft_stream_free(accepted);
    weft_stream_free(stream);
    weft_listener_close(listener);
    int err = weft_listen("127.0.0.1", 0, WEFT_LISTEN(.interface = "nothing0"), &listener);
    ASSERT(err == -ENODEV || err == -EPERM);
}

TASK_TEST(listen_on_ipv6_alone_leaves_ipv4_free)
{
    weft_listener *six, *four;
    if (weft_listen("::", 0, WEFT_LISTEN(.only_ipv6 = true), &six) < 0)
        SKIP("no IPv6 here");
    ASSERT_OK(weft_listen("0.0.0.0", weft_listener_port(six), NULL, &four));
    weft_listener_close(six);
    weft_listener_close(four);
    ASSERT_OK(weft_listen(NULL, 0, WEFT_LISTEN(.only_ipv6 = true), &six));
    weft_stream *stream;
    ASSERT_ERR(weft_dial("127.0.0.1", weft_listener_port(six), NULL, &stream), WEFT_EREFUSED);
    weft_listener_close(six);
}

TASK_TEST(listen_unix_sets_the_mode_and_may_keep_the_file)
{
    const char *path = test_path("socket");
    weft_listener *listener;
    struct stat st;
    ASSERT_OK(weft_listen_unix(path, WEFT_LISTEN(.mode = 0600, .keep_file = true), &listener));
    ASSERT(lstat(path, &st) == 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0600);
    weft_listener_close(listener);
    ASSERT(lstat(path, &st) == 0);
    ASSERT_OK(weft_listen_unix(path, WEFT_LISTEN(.mode = 0666), &listener));
    ASSERT(lstat(path, &st) == 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0666);
    weft_listener_close(listener);
    ASSERT(lstat(path, &st) < 0);
    ASSERT_OK(weft_listen_unix("@weft-test-mode", WEFT_LISTEN(.mode = 0600), &listener));
    weft_listener_close(listener);
}

static int listening_socket(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0);
    return fd;
}

TASK_TEST(listen_at_a_socket_that_was_handed_over)
{
    weft_listener *listener;
    weft_stream *accepted;
    int fd = listening_socket();
    ASSERT(listen(fd, 5) == 0);
    ASSERT_OK(weft_listen_fd(fd, &listener));
    ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
    weft_stream *stream = dial_to(listener, NULL);
    ASSERT_OK(weft_listener_accept(listener, &accepted));
    weft_stream_free(accepted);
    weft_stream_free(stream);
    weft_listener_close(listener);
}

TASK_TEST(listen_at_what_does_not_listen_is_refused)
{
    weft_listener *listener;
    int idle = listening_socket();
    int file = open("/dev/null", O_RDONLY);
    ASSERT_ERR(weft_listen_fd(idle, &listener), -EINVAL);
    ASSERT_ERR(weft_listen_fd(file, &listener), -ENOTSOCK);
    ASSERT_ERR(weft_listen_fd(-1, &listener), -EBADF);
    ASSERT_INT_EQ(fcntl(idle, F_GETFD), -1);
    ASSERT_INT_EQ(fcntl(file, F_GETFD), -1);
}

static int listen_and_dial(void *arg)
{
    weft_listener *listener = NULL;
    weft_stream *stream = NULL, *accepted = NULL;
    (void)arg;
    int fd = listening_socket();
    ASSERT(listen(fd, 5) == 0);
    int err = weft_listen_fd(fd, &listener);
    if (err == 0)
        err = weft_dial("127.0.0.1", weft_listener_port(listener),
                        WEFT_DIAL(.local_host = "127.0.0.1", .keepalive = WEFT_SEC(1)), &stream);
    if (err == 0)
        err = weft_listener_accept(listener, &accepted);
    weft_stream_free(accepted);
    weft_stream_free(stream);
    weft_listener_close(listener);
    return err;
}

TEST(listen_and_dial_survive_every_fault)
{
    FAULTS(listen_and_dial, NULL);
}

/* ---- names ---- */

TASK_TEST(resolve_with_a_family_gives_only_that)
{
    weft_address *list;
    size_t n;
    ASSERT_OK(weft_resolve_with("localhost", 7, WEFT_RESOLVE(.family = WEFT_IP_V6), &list, &n));
    ASSERT_INT_EQ(n, 1);
    expect_address(&list[0], "[::1]:7");
    weft_free(list);
    ASSERT_ERR(weft_resolve_with("::1", 7, WEFT_RESOLVE(.family = WEFT_IP_V4), &list, &n),
               WEFT_EDNS_NOT_FOUND);
}

TASK_TEST(resolve_with_a_service_sets_its_port)
{
    weft_address *list;
    size_t n;
    ASSERT_OK(weft_resolve_with("127.0.0.1", 0, WEFT_RESOLVE(.service = "8080"), &list, &n));
    ASSERT_INT_EQ(n, 1);
    expect_address(&list[0], "127.0.0.1:8080");
    weft_free(list);
    ASSERT_ERR(
        weft_resolve_with("127.0.0.1", 0, WEFT_RESOLVE(.service = "no-such-service"), &list, &n),
        WEFT_EDNS);
    ASSERT_ERR(weft_resolve_with("127.0.0.1", 0,
                                 WEFT_RESOLVE(.service = "a-service-name-of-more-than-31-bytes"),
                                 &list, &n),
               -EINVAL);
    if (weft_resolve_with("127.0.0.1", 0, WEFT_RESOLVE(.service = "https"), &list, &n) < 0)
        SKIP("/etc/services does not know https");
    expect_address(&list[0], ":443");
    weft_free(list);
}

TASK_TEST(resolve_numeric_asks_nobody)
{
    weft_address *list;
    size_t n;
    ASSERT_ERR(weft_resolve_with("example.com", 1, WEFT_RESOLVE(.numeric = true), &list, &n),
               -EINVAL);
    ASSERT_OK(weft_resolve_with("192.0.2.1", 1, WEFT_RESOLVE(.numeric = true), &list, &n));
    weft_free(list);
}

TASK_TEST(resolve_name_in_digits_asks_nobody)
{
    weft_address address;
    char *host, *service;
    ASSERT_OK(weft_address_parse("2001:db8::1", 443, &address));
    ASSERT_OK(weft_resolve_name(&address, WEFT_RESOLVE_NAME(.numeric = true), &host, &service));
    ASSERT_STR_EQ(host, "2001:db8::1");
    ASSERT_STR_EQ(service, "443");
    weft_free(host);
    weft_free(service);
    ASSERT_OK(weft_resolve_name(&address, WEFT_RESOLVE_NAME(.numeric = true), &host, NULL));
    weft_free(host);
    ASSERT_ERR(weft_resolve_name(&(weft_address){0}, NULL, &host, NULL), -EAFNOSUPPORT);
}

TASK_TEST(resolve_name_of_this_machine)
{
    weft_address address;
    char *host;
    ASSERT_OK(weft_address_parse("127.0.0.1", 0, &address));
    ASSERT_OK(weft_resolve_name(&address, NULL, &host, NULL));
    ASSERT(strlen(host) > 0);
    weft_free(host);
}

static int name_and_resolve(void *arg)
{
    weft_address address;
    weft_address *list;
    size_t n;
    char *host, *service;
    (void)arg;
    ASSERT_OK(weft_address_parse("127.0.0.1", 80, &address));
    int err = weft_resolve_name(&address, WEFT_RESOLVE_NAME(.numeric = true), &host, &service);
    if (err < 0)
        return err;
    weft_free(host);
    weft_free(service);
    err = weft_resolve_with("localhost", 1, WEFT_RESOLVE(.timeout = WEFT_SEC(9)), &list, &n);
    if (err == 0)
        weft_free(list);
    return err;
}

TEST(resolve_survives_every_fault)
{
    FAULTS(name_and_resolve, NULL);
    FAULTS(name_and_resolve, NULL, .plain = true);
}

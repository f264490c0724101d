/* test_unix.c - streams over Unix sockets, and the file that such a socket is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <weft/net.h>

#include "stream_suite.h"

struct ends {
    const char *path;
    weft_listener *listener;
    weft_stream *a;
    weft_stream *b;
};

static int dial_it(void *arg)
{
    struct ends *ends = arg;
    return weft_dial_unix(ends->path, &ends->a);
}

static int accept_it(void *arg)
{
    struct ends *ends = arg;
    return weft_listener_accept(ends->listener, &ends->b);
}

static void make_at(const char *path, weft_stream **a, weft_stream **b)
{
    struct ends ends = {.path = path};
    ASSERT_OK(weft_listen_unix(path, NULL, &ends.listener));
    run_both(dial_it, &ends, accept_it, &ends);
    weft_listener_close(ends.listener);
    *a = ends.a;
    *b = ends.b;
}

static void make_unix(weft_stream **a, weft_stream **b)
{
    make_at(test_path("socket"), a, b);
}

STREAM_SUITE(unix, make_unix, true, WEFT_BACKEND_DEFAULT)

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

TASK_TEST(unix_path_goes_with_its_listener)
{
    weft_listener *listener;
    const char *path = test_path("socket");
    ASSERT_OK(weft_listen_unix(path, NULL, &listener));
    ASSERT(exists(path));
    ASSERT_INT_EQ(weft_listener_port(listener), 0);
    weft_listener_close(listener);
    ASSERT(!exists(path));
}

/* A socket file whose listener died without removing it. */
static void leave_stale(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT(fd >= 0);
    ASSERT(bind(fd, (struct sockaddr *)&un, sizeof un) == 0);
    close(fd);
    ASSERT(exists(path));
}

TASK_TEST(unix_stale_socket_is_replaced)
{
    weft_stream *a, *b;
    const char *path = test_path("socket");
    leave_stale(path);
    make_at(path, &a, &b);
    weft_stream_free(a);
    weft_stream_free(b);
}

TASK_TEST(unix_live_socket_is_not_replaced)
{
    weft_listener *first, *second;
    const char *path = test_path("socket");
    ASSERT_OK(weft_listen_unix(path, NULL, &first));
    ASSERT_ERR(weft_listen_unix(path, NULL, &second), -EADDRINUSE);
    ASSERT_STR_HAS(weft_error_message(), path);
    ASSERT(exists(path));
    weft_listener_close(first);
}

TASK_TEST(unix_other_file_is_not_replaced)
{
    weft_listener *listener;
    const char *path = test_path("file");
    FILE *file = fopen(path, "w");
    ASSERT(file != NULL);
    fclose(file);
    ASSERT_ERR(weft_listen_unix(path, NULL, &listener), -EADDRINUSE);
    ASSERT(exists(path));
}

TASK_TEST(unix_path_of_another_listener_is_left_alone)
{
    weft_listener *first, *second;
    const char *path = test_path("socket");
    ASSERT_OK(weft_listen_unix(path, NULL, &first));
    ASSERT(unlink(path) == 0);
    ASSERT_OK(weft_listen_unix(path, NULL, &second));
    weft_listener_close(first);
    ASSERT(exists(path));
    weft_listener_close(second);
    ASSERT(!exists(path));
}

TASK_TEST(unix_abstract_name_has_no_file)
{
    weft_stream *a, *b;
    char name[64];
    char text[WEFT_ADDRESS_TEXT_MAX];
    weft_address address;
    snprintf(name, sizeof name, "@weft-test-%d", (int)getpid());
    make_at(name, &a, &b);
    ASSERT_OK(weft_stream_peer_address(a, &address));
    ASSERT_OK(weft_address_format(&address, text, sizeof text));
    ASSERT_STR_HAS(text, "unix:@weft-test-");
    weft_stream_free(a);
    weft_stream_free(b);
}

TASK_TEST(unix_path_longer_than_fits_is_refused)
{
    weft_listener *listener;
    weft_stream *stream;
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ASSERT_ERR(weft_listen_unix(path, NULL, &listener), -ENAMETOOLONG);
    ASSERT_ERR(weft_dial_unix(path, &stream), -ENAMETOOLONG);
    path[108] = '\0';
    ASSERT_ERR(weft_dial_unix(path, &stream), -ENAMETOOLONG);
    path[107] = '\0';
    ASSERT_ERR(weft_dial_unix(path, &stream), WEFT_EREFUSED);
    ASSERT_ERR(weft_dial_unix("", &stream), -EINVAL);
}

TASK_TEST(unix_missing_or_dead_socket_is_refused)
{
    weft_stream *stream;
    const char *path = test_path("nothing");
    ASSERT_ERR(weft_dial_unix(path, &stream), WEFT_EREFUSED);
    ASSERT_STR_HAS(weft_error_message(), path);
    ASSERT_STR_HAS(weft_error_message(), "No such file");
    leave_stale(path);
    ASSERT_ERR(weft_dial_unix(path, &stream), WEFT_EREFUSED);
}

/* A full queue of connections makes connect say EAGAIN; the dial waits for its turn. */
static int dial_and_wait(void *arg)
{
    weft_stream *stream;
    char c;
    ASSERT_OK(weft_dial_unix(arg, &stream));
    ASSERT_INT_EQ(weft_stream_read(stream, &c, 1), 1);
    weft_stream_free(stream);
    return 0;
}

TASK_TEST(unix_full_backlog_is_waited_for)
{
    weft_listener *listener;
    weft_group group;
    const char *path = test_path("socket");
    ASSERT_OK(weft_listen_unix(path, WEFT_LISTEN(.backlog = 1), &listener));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 8; i++)
        ASSERT_OK(weft_group_spawn(&group, dial_and_wait, (void *)(uintptr_t)path));
    weft_sleep(WEFT_MS(20));
    for (int i = 0; i < 8; i++) {
        weft_stream *stream;
        ASSERT_OK(weft_listener_accept(listener, &stream));
        ASSERT_OK(weft_stream_write(stream, "x", 1));
        ASSERT_OK(weft_stream_close(stream));
        weft_stream_free(stream);
    }
    ASSERT_OK(weft_group_wait(&group));
    weft_listener_close(listener);
}

/* ---- descriptors in messages ---- */

static void send_with_descriptor(int fd, char byte)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int passed = STDERR_FILENO;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    ASSERT_INT_EQ(sendmsg(fd, &message, 0), 1);
}

/* A read stops behind each such message: the next one comes with no event of its own. */
TASK_TEST(unix_data_behind_a_passed_descriptor_is_read)
{
    weft_stream *a, *b;
    char text[16];
    weft_scope scope;
    ASSERT_OK(weft_socketpair(&a, &b));
    weft_scope_enter(&scope, WEFT_MS(1));
    ASSERT_ERR(weft_scope_exit(&scope, (int)weft_stream_read(a, text, 1)), -ETIMEDOUT);
    send_with_descriptor(weft_stream_fd(b), '1');
    send_with_descriptor(weft_stream_fd(b), '2');
    ASSERT_INT_EQ(send(weft_stream_fd(b), "3", 1, 0), 1);
    weft_scope_enter(&scope, WEFT_SEC(20));
    for (int64_t got = 0; got < 3;) {
        int64_t n = weft_stream_read(a, text + got, sizeof text - (size_t)got);
        ASSERT_OK((int)n);
        got += n;
    }
    ASSERT_OK(weft_scope_exit(&scope, 0));
    ASSERT_INT_EQ(memcmp(text, "123", 3), 0);
    weft_stream_free(a);
    weft_stream_free(b);
}

/*
 * fd.c - descriptors that come from elsewhere: an inherited socket, a pair for a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/net_int.h"
#include "stream/stream_int.h"

/* 1 for a stream socket, 0 for no socket at all. */
static int check_socket(int fd)
{
    int type;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return errno == ENOTSOCK ? 0 : weft__fail_with(-errno, "a stream of descriptor %d", fd);
    if (type != SOCK_STREAM)
        return weft__fail(-EINVAL, "descriptor %d is a socket without a stream", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return weft__fail_with(-errno, "a stream of descriptor %d", fd);
    return 1;
}

int weft_stream_from_fd(int fd, weft_stream **ret)
{
    int is_socket = check_socket(fd);
    if (is_socket > 0)
        return weft__sock_new(fd, NULL, ret);
    if (is_socket == 0)
        return weft__pipe_stream(fd, ret);
    if (fd >= 0)
        close(fd);
    return is_socket;
}

int weft_socketpair(weft_stream **ret_a, weft_stream **ret_b)
{
    int fds[2];
    weft_stream *a;
    weft_stream *b;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return weft__fail_with(-errno, "make a pair of sockets");
    int err = weft__sock_new(fds[0], NULL, &a);
    if (err < 0) {
        close(fds[1]);
        return err;
    }
    err = weft__sock_new(fds[1], NULL, &b);
    if (err < 0) {
        weft_stream_free(a);
        return err;
    }
    *ret_a = a;
    *ret_b = b;
    return 0;
}

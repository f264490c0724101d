/*
 * fd.c - descriptors that come from elsewhere: an inherited socket, a pair for a child, and
 * those of other libraries, which are only waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* ---- waiting ---- */

struct fd_wait {
    struct weft__list node;
    struct weft__fd fd;
    struct weft__op op;
    int descriptor; /* the caller's */
    int events;
    bool closing;
};

static _Thread_local struct weft__list waits; /* of this thread's loop */

static struct weft__list *all_waits(void)
{
    if (waits.next == NULL)
        weft__list_init(&waits);
    return &waits;
}

static bool is_waited_for(int fd, int events)
{
    struct weft__list *all = all_waits();
    for (struct weft__list *node = all->next; node != all; node = node->next) {
        const struct fd_wait *wait = WEFT__CONTAINER(node, struct fd_wait, node);
        if (wait->descriptor == fd && (wait->events & events) != 0)
            return true;
    }
    return false;
}

static int events_of(int events, int revents)
{
    int ready = 0;
    if (revents & (POLLIN | POLLHUP | POLLERR | POLLRDHUP))
        ready |= WEFT_READABLE;
    if (revents & (POLLOUT | POLLHUP | POLLERR))
        ready |= WEFT_WRITABLE;
    ready &= events;
    return ready != 0 ? ready : events;
}

static short poll_events(int events)
{
    return (short)((events & WEFT_READABLE ? POLLIN | POLLRDHUP : 0) |
                   (events & WEFT_WRITABLE ? POLLOUT : 0));
}

/* An epoll instance knows a descriptor once: the caller's may be in it already. */
static int bind_fd(struct fd_wait *wait)
{
    int err = weft__fd_init(&wait->fd, wait->descriptor);
    if (err < 0 || wait->fd.loop->backend->forget == NULL)
        return err;
    int copy = fcntl(wait->descriptor, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return weft__fail_with(-errno, "wait for descriptor %d", wait->descriptor);
    wait->fd.fd = copy;
    return 0;
}

static int wait_in_loop(struct fd_wait *wait)
{
    int err = bind_fd(wait);
    if (err < 0)
        return err;
    wait->op.kind = WEFT__OP_POLL;
    wait->op.fd = &wait->fd;
    wait->op.flags = (uint32_t)poll_events(wait->events);
    weft__list_push_back(all_waits(), &wait->node);
    int64_t n = weft__op_run(&wait->op, WEFT_FOREVER);
    weft__list_remove(&wait->node);
    if (wait->fd.fd != wait->descriptor)
        weft__fd_close(&wait->fd);
    if (n >= 0)
        return events_of(wait->events, (int)n);
    if (wait->closing)
        return weft__fail(WEFT_ECLOSED, "descriptor %d is being closed", wait->descriptor);
    if (n == -ECANCELED)
        return weft__cancel_error(weft__self());
    return weft__fail_with((int)n, "wait for descriptor %d", wait->descriptor);
}

int weft_fd_wait(int fd, int events)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    if (events == 0 || (events & ~(WEFT_READABLE | WEFT_WRITABLE)) != 0)
        return weft__fail(-EINVAL, "weft_fd_wait for events %d", events);
    if (is_waited_for(fd, events))
        return weft__fail(-EBUSY, "another task waits for descriptor %d", fd);
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    struct pollfd pollfd = {.fd = fd, .events = poll_events(events)};
    if (fd < 0 || (poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLNVAL) != 0))
        return weft__fail(-EBADF, "descriptor %d is not open", fd);
    if (pollfd.revents != 0) {
        /* What is always ready must not keep the others waiting. */
        if (--self->loop->budget <= 0)
            weft__yield(self);
        return events_of(events, pollfd.revents);
    }
    struct fd_wait wait = {.descriptor = fd, .events = events};
    return wait_in_loop(&wait);
}

void weft_fd_closing(int fd)
{
    struct weft__list *all = all_waits();
    for (struct weft__list *node = all->next, *next; node != all; node = next) {
        struct fd_wait *wait = WEFT__CONTAINER(node, struct fd_wait, node);
        next = node->next;
        if (wait->descriptor != fd)
            continue;
        wait->closing = true;
        weft__op_cancel(&wait->op);
    }
}

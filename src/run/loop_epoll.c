/*
 * loop_epoll.c - operations over epoll.
 *
 * A descriptor is registered once, edge-triggered for both directions, and never changed.  An
 * operation first tries its system call unless the descriptor is known to be exhausted: it
 * has said EAGAIN, or a read came back short, and no event has come since.  A short read tells
 * that only of TCP, and there not beside urgent data: a read stops at the mark, and at a Unix
 * socket behind each message that carries descriptors.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "run/run_int.h"

enum { EVENTS_MAX = 256 };

struct epoll_state {
    int fd;
    bool milliseconds; /* no epoll_pwait2 */
    struct epoll_event events[EVENTS_MAX];
};

static int epoll_init(struct weft__loop *loop)
{
    struct epoll_state *data = weft__alloc(sizeof *data);
    if (data == NULL)
        return weft__fail_nomem();
    data->milliseconds = RUNNING_ON_VALGRIND; /* which does not know the newer call */
    data->fd = epoll_create1(EPOLL_CLOEXEC);
    if (data->fd < 0) {
        int err = -errno;
        weft__free(data);
        return weft__fail_with(err, "epoll_create1");
    }
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    if (epoll_ctl(data->fd, EPOLL_CTL_ADD, loop->inbox->eventfd, &event) < 0) {
        int err = -errno;
        close(data->fd);
        weft__free(data);
        return weft__fail_with(err, "epoll_ctl");
    }
    loop->backend_data = data;
    return 0;
}

static void epoll_done(struct weft__loop *loop)
{
    struct epoll_state *data = loop->backend_data;
    close(data->fd);
    weft__free(data);
}

/* ---- trying an operation; true when it has ended ---- */

static bool ended(struct weft__op *op, int64_t result)
{
    op->result = result;
    return true;
}

static bool try_recv(struct weft__op *op)
{
    struct weft__fd *fd = op->fd;
    for (;;) {
        ssize_t n = recv(fd->fd, op->data, op->len, 0);
        if (n < 0 && errno == ENOTSOCK)
            n = read(fd->fd, op->data, op->len);
        if (n >= 0) {
            /* Short: nothing is left, and the next arrival is a new event. */
            fd->maybe_readable = n == 0 || (size_t)n == op->len || fd->unsure;
            return ended(op, n);
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return ended(op, -errno);
        fd->maybe_readable = false;
        return false;
    }
}

static bool try_send(struct weft__op *op)
{
    struct weft__fd *fd = op->fd;
    while (op->progress < op->len) {
        const char *from = (const char *)op->data + op->progress;
        size_t len = weft__op_send_len(op);
        ssize_t n = send(fd->fd, from, len, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK)
            n = write(fd->fd, from, len);
        if (n >= 0) {
            op->progress += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return ended(op, -errno);
        fd->maybe_writable = false;
        return false;
    }
    return ended(op, (int64_t)op->len);
}

static bool try_accept(struct weft__op *op)
{
    struct weft__fd *fd = op->fd;
    struct weft__accepted *from = op->data;
    for (;;) {
        from->len = sizeof from->address;
        int accepted = accept4(fd->fd, (struct sockaddr *)&from->address, &from->len,
                               SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted >= 0)
            return ended(op, accepted);
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN)
            return ended(op, -errno);
        fd->maybe_readable = false;
        return false;
    }
}

/* A first call begins connecting; after the writable event the socket says how it went. */
static bool try_connect(struct weft__op *op)
{
    struct weft__fd *fd = op->fd;
    if (op->progress == 0) {
        op->progress = 1;
        if (connect(fd->fd, op->data, (socklen_t)op->len) == 0)
            return ended(op, 0);
        if (errno != EINPROGRESS && errno != EINTR)
            return ended(op, -errno);
        fd->maybe_writable = false;
        return false;
    }
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    return ended(op, -error);
}

static bool try_poll(struct weft__op *op)
{
    struct pollfd pollfd = {.fd = op->fd->fd, .events = (short)op->flags};
    if (poll(&pollfd, 1, 0) > 0)
        return ended(op, pollfd.revents);
    if (op->flags & POLLIN)
        op->fd->maybe_readable = false;
    if (op->flags & POLLOUT)
        op->fd->maybe_writable = false;
    return false;
}

static bool is_reader(const struct weft__op *op)
{
    return op->kind == WEFT__OP_RECV || op->kind == WEFT__OP_ACCEPT ||
           (op->kind == WEFT__OP_POLL && (op->flags & POLLIN));
}

static bool is_writer(const struct weft__op *op)
{
    return op->kind == WEFT__OP_POLL ? (op->flags & POLLOUT) != 0 : !is_reader(op);
}

static bool try_op(struct weft__op *op)
{
    switch (op->kind) {
    case WEFT__OP_RECV:
        return try_recv(op);
    case WEFT__OP_SEND:
        return try_send(op);
    case WEFT__OP_ACCEPT:
        return try_accept(op);
    case WEFT__OP_CONNECT:
        return try_connect(op);
    case WEFT__OP_POLL:
        return try_poll(op);
    default:
        return ended(op, -EOPNOTSUPP);
    }
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t len = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
}

static bool register_fd(struct weft__loop *loop, struct weft__op *op)
{
    struct epoll_state *data = loop->backend_data;
    struct weft__fd *fd = op->fd;
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data = {.ptr = fd},
    };
    if (epoll_ctl(data->fd, EPOLL_CTL_ADD, fd->fd, &event) == 0) {
        fd->registered = true;
        fd->unsure = !is_tcp(fd->fd);
        return false;
    }
    /* Regular files are always ready and cannot be registered. */
    return ended(op, -errno);
}

static bool epoll_start(struct weft__loop *loop, struct weft__op *op)
{
    if (op->kind == WEFT__OP_RING)
        return ended(op, -EOPNOTSUPP);
    struct weft__fd *fd = op->fd;
    bool reader = is_reader(op);
    bool writer = is_writer(op);
    if ((reader && fd->reader != NULL) || (writer && fd->writer != NULL))
        return ended(op, -EBUSY);
    bool maybe = (reader && fd->maybe_readable) || (writer && fd->maybe_writable);
    /* Before its registration a descriptor has no events that could tell otherwise. */
    if ((maybe || !fd->registered) && try_op(op))
        return true;
    if (!fd->registered && register_fd(loop, op))
        return true;
    if (reader)
        fd->reader = op;
    if (writer)
        fd->writer = op;
    return false;
}

static void detach(struct weft__op *op)
{
    if (op->fd->reader == op)
        op->fd->reader = NULL;
    if (op->fd->writer == op)
        op->fd->writer = NULL;
}

static void epoll_cancel(struct weft__loop *loop, struct weft__op *op)
{
    (void)loop;
    detach(op);
    weft__op_finish(op, -ECANCELED);
}

static void advance(struct weft__op *op)
{
    if (op == NULL || !try_op(op))
        return;
    detach(op);
    weft__op_finish(op, op->result);
}

static void handle(struct weft__fd *fd, uint32_t events)
{
    /* The end is told once, perhaps together with the last bytes. */
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        fd->unsure = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        fd->maybe_readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        fd->maybe_writable = true;
    if (fd->maybe_writable)
        advance(fd->writer);
    if (fd->maybe_readable)
        advance(fd->reader);
}

/* Kernels before 5.11 count in milliseconds: rounded up, a timer is late rather than early. */
static int wait_milliseconds(struct epoll_state *data, int64_t timeout)
{
    int ms = -1;
    if (timeout != WEFT_FOREVER)
        ms = timeout >= WEFT_SEC(1000000) ? 1000000000 : (int)((timeout + 999999) / 1000000);
    return epoll_wait(data->fd, data->events, EVENTS_MAX, ms);
}

static int wait_events(struct epoll_state *data, int64_t timeout)
{
    struct timespec wait = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    if (data->milliseconds)
        return wait_milliseconds(data, timeout);
    int n = epoll_pwait2(data->fd, data->events, EVENTS_MAX, timeout == WEFT_FOREVER ? NULL : &wait,
                         NULL);
    if (n >= 0 || errno != ENOSYS)
        return n;
    data->milliseconds = true;
    return wait_milliseconds(data, timeout);
}

static void epoll_poll(struct weft__loop *loop, int64_t timeout)
{
    struct epoll_state *data = loop->backend_data;
    if (timeout != 0 && !weft__inbox_sleep(loop->inbox))
        timeout = 0;
    int n = wait_events(data, timeout);
    weft__inbox_woken(loop->inbox);
    loop->now = weft__loop_now(loop);
    for (int i = 0; i < n; i++) {
        if (data->events[i].data.ptr == NULL)
            weft__inbox_drain(loop->inbox);
        else
            handle(data->events[i].data.ptr, data->events[i].events);
    }
}

/* Events of a closed descriptor that were already taken from the kernel must not be handled:
 * descriptors are closed by tasks, which run only after all events of a turn. */
static void epoll_forget(struct weft__loop *loop, struct weft__fd *fd)
{
    struct epoll_state *data = loop->backend_data;
    /* Closing alone does not do it where a child process holds a copy. */
    if (fd->registered)
        epoll_ctl(data->fd, EPOLL_CTL_DEL, fd->fd, NULL);
    fd->registered = false;
}

const struct weft__backend weft__backend_epoll = {
    .name = "epoll",
    .kind = WEFT_BACKEND_EPOLL,
    .init = epoll_init,
    .done = epoll_done,
    .start = epoll_start,
    .cancel = epoll_cancel,
    .poll = epoll_poll,
    .forget = epoll_forget,
};

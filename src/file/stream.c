/*
 * stream.c - pipes, terminals and other descriptors that can be polled: they never occupy a
 * worker thread, and waiting for them can be cancelled.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file/file_int.h"
#include "stream/stream_int.h"

enum {
    STREAM_IO_MAX = 0x7ffff000,
    PIECE_SURE = 256 /* bytes that a terminal takes without waiting when it polls as writable */
};

static int64_t wait_ready(struct weft__handle *handle, uint32_t events)
{
    if (handle->fd.loop == NULL) {
        int err = weft__fd_init(&handle->fd, handle->fd.fd);
        if (err < 0)
            return err;
    }
    struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &handle->fd, .flags = events};
    return weft__op_run(&op, WEFT_FOREVER);
}

/* The end of a FIFO is an end only after a writer has been there. */
static int64_t await_writer(struct weft__handle *handle)
{
    int64_t n = wait_ready(handle, POLLIN);
    if (n >= 0)
        handle->await_writer = false;
    return n;
}

/*
 * O_NONBLOCK belongs to all who hold the description, which a descriptor that was handed to us
 * shares with a shell or a parent: it is left alone, and the kernel asked each time.
 */
static bool lacks_nowait(int err)
{
    return err == EOPNOTSUPP || err == ENOSYS || err == EINVAL || err == ESPIPE;
}

static bool is_ready(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return poll(&poll_fd, 1, 0) > 0;
}

static ssize_t read_now(const struct weft__handle *handle, void *data, size_t len)
{
    struct iovec part = {.iov_base = data, .iov_len = len};
    int fd = handle->fd.fd;
    if (!handle->blocking)
        return read(fd, data, len);
    ssize_t n = preadv2(fd, &part, 1, -1, RWF_NOWAIT);
    if (n >= 0 || !lacks_nowait(errno))
        return n;
    if (is_ready(fd, POLLIN))
        return read(fd, data, len);
    errno = EAGAIN;
    return -1;
}

static ssize_t write_now(const struct weft__handle *handle, const void *data, size_t len)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    int fd = handle->fd.fd;
    if (!handle->blocking)
        return write(fd, data, len);
    ssize_t n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
    if (n >= 0 || !lacks_nowait(errno))
        return n;
    if (is_ready(fd, POLLOUT))
        return write(fd, data, len < PIECE_SURE ? len : PIECE_SURE);
    errno = EAGAIN;
    return -1;
}

int64_t weft__stream_read(struct weft__handle *handle, void *data, size_t len)
{
    int64_t n = handle->await_writer ? await_writer(handle) : 0;
    while (n >= 0) {
        n = weft__fault_io("read", &len);
        if (n == -EINTR) {
            n = 0;
            continue;
        }
        if (n < 0)
            break;
        n = read_now(handle, data, len < STREAM_IO_MAX ? len : STREAM_IO_MAX);
        if (n >= 0)
            return n;
        if (errno == EAGAIN)
            n = wait_ready(handle, POLLIN);
        else
            n = errno == EINTR ? 0 : -errno;
    }
    return n;
}

static int64_t write_without_signal(const struct weft__handle *handle, const void *data, size_t len)
{
    struct weft__pipe_guard guard;
    weft__pipe_guard_begin(&guard);
    int64_t n = write_now(handle, data, len);
    if (n < 0)
        n = -errno;
    weft__pipe_guard_end(&guard, n == -EPIPE);
    return n;
}

int64_t weft__stream_write(struct weft__handle *handle, const void *data, size_t len)
{
    int64_t n = 0;
    while (n >= 0) {
        n = weft__fault_io("write", &len);
        if (n == 0)
            n = write_without_signal(handle, data, len < STREAM_IO_MAX ? len : STREAM_IO_MAX);
        if (n >= 0)
            return n;
        if (n == -EAGAIN)
            n = wait_ready(handle, POLLOUT);
        else if (n == -EINTR)
            n = 0;
    }
    return n;
}

int weft__stream_open_fifo(const char *path, int flags)
{
    struct stat st;
    int64_t pause = WEFT_MS(1);
    int fd = -ENXIO;
    while (fd == -ENXIO && stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
        int err = weft_sleep(pause);
        if (err < 0)
            return err;
        pause = pause < WEFT_MS(20) ? pause * 2 : pause;
        fd = open(path, flags & ~(O_CREAT | O_TRUNC | O_EXCL));
        if (fd < 0)
            fd = errno == EINTR ? -ENXIO : -errno;
    }
    return fd;
}

/*
 * stream.c - pipes, terminals and other descriptors that can be polled: they never occupy a
 * worker thread, and waiting for them can be cancelled.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file/file_int.h"

enum { STREAM_IO_MAX = 0x7ffff000 };

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

int64_t weft__stream_read(struct weft__handle *handle, void *data, size_t len)
{
    int64_t n = weft__file_fault_hit(WEFT__FILE_CALL_READ, &len);
    if (n == 0 && handle->await_writer)
        n = await_writer(handle);
    while (n >= 0) {
        n = read(handle->fd.fd, data, len < STREAM_IO_MAX ? len : STREAM_IO_MAX);
        if (n >= 0)
            return n;
        if (errno == EAGAIN)
            n = wait_ready(handle, POLLIN);
        else
            n = errno == EINTR ? 0 : -errno;
    }
    return n;
}

/* write(2), but where nobody reads any more the error is enough: no SIGPIPE. */
static int64_t write_without_signal(int fd, const void *data, size_t len)
{
    sigset_t pipe_only;
    sigset_t pending;
    sigset_t old;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
    int64_t n = write(fd, data, len);
    if (n < 0)
        n = -errno;
    if (n == -EPIPE && !sigismember(&pending, SIGPIPE)) {
        const struct timespec at_once = {0};
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return n;
}

int64_t weft__stream_write(struct weft__handle *handle, const void *data, size_t len)
{
    int64_t n = weft__file_fault_hit(WEFT__FILE_CALL_WRITE, &len);
    while (n >= 0) {
        n = write_without_signal(handle->fd.fd, data, len < STREAM_IO_MAX ? len : STREAM_IO_MAX);
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

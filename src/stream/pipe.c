/*
 * pipe.c - streams over descriptors that are no sockets: pipes, FIFOs, terminals.
 *
 * Each call tries its system call first and waits in the loop only when the kernel has nothing
 * or takes nothing.  What is written is not buffered here: a pipe is a buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "run/run_int.h"
#include "stream/stream_int.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 /* Linux 6.18 */
#endif

enum { IO_MAX = 0x7ffff000, SLICES_MAX = 64 };

struct pipe {
    struct weft__fd fd;
    struct weft__at_exit at_exit;
    int64_t read_timeout;
    int64_t write_timeout;
    struct weft__op *reading; /* a task waits in it */
    struct weft__op *writing;
    bool torn;    /* a write was cut short: what followed would not fit */
    bool aborted; /* closed by the last task that leaves */
    bool guarded; /* the kernel cannot be asked not to raise SIGPIPE */
};

/* ---- SIGPIPE ---- */

void weft__pipe_guard_begin(struct weft__pipe_guard *guard)
{
    sigset_t pipe_only;
    sigset_t pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &guard->old);
}

void weft__pipe_guard_end(struct weft__pipe_guard *guard, bool raised)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (raised && !guard->was_pending) {
        const struct timespec at_once = {0};
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
}

static int64_t write_guarded(const struct pipe *pipe, const struct iovec *parts, int n_parts)
{
    struct weft__pipe_guard guard;
    weft__pipe_guard_begin(&guard);
    int64_t n = writev(pipe->fd.fd, parts, n_parts);
    if (n < 0)
        n = -errno;
    weft__pipe_guard_end(&guard, n == -EPIPE);
    return n;
}

static int64_t write_now(struct pipe *pipe, const struct iovec *parts, int n_parts)
{
    if (pipe->guarded)
        return write_guarded(pipe, parts, n_parts);
    int64_t n = pwritev2(pipe->fd.fd, parts, n_parts, -1, RWF_NOSIGNAL);
    if (n >= 0)
        return n;
    if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)
        return -errno;
    pipe->guarded = true;
    return write_guarded(pipe, parts, n_parts);
}

/* ---- waiting ---- */

static int begin(const struct pipe *pipe, const char *what)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    if (pipe->fd.fd < 0)
        return weft__fail(WEFT_ECLOSED, "%s: the pipe is closed", what);
    if (pipe->fd.loop == NULL)
        return weft__fail(WEFT_ECLOSED, "%s: the loop of this pipe has ended", what);
    if (pipe->fd.loop != weft__loop_current)
        return weft__fail(-EINVAL, "%s: the pipe belongs to another thread", what);
    return weft__checkpoint(self);
}

/* A pipe that is always ready must not keep the others waiting. */
static void pace(const struct pipe *pipe)
{
    if (--pipe->fd.loop->budget <= 0)
        weft__yield(weft__self());
}

static int pipe_close(void *self);

static int wait_for(struct pipe *pipe, uint32_t events)
{
    bool reading = events == POLLIN;
    int64_t timeout = reading ? pipe->read_timeout : pipe->write_timeout;
    const char *what = reading ? "read from" : "write to";
    struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &pipe->fd, .flags = events};
    struct weft__op **place = reading ? &pipe->reading : &pipe->writing;
    *place = &op;
    int64_t n = weft__op_run(&op, timeout);
    *place = NULL;
    if (pipe->aborted && pipe->reading == NULL && pipe->writing == NULL)
        pipe_close(pipe);
    if (n >= 0 && !pipe->aborted)
        return 0;
    if (n >= 0)
        n = -ECANCELED;
    if (n == -ECANCELED && pipe->aborted)
        return weft__fail(WEFT_ECLOSED, "%s a pipe: it was cut off", what);
    if (n == -ECANCELED)
        return weft__cancel_error(weft__self());
    if (n == -ETIMEDOUT)
        return weft__fail(reading ? WEFT_EREAD_TIMEOUT : WEFT_EWRITE_TIMEOUT,
                          "%s a pipe: nothing moved for %.6g s", what, (double)timeout * 1e-9);
    return weft__fail_with((int)n, "%s a pipe", what);
}

/* ---- the operations ---- */

static int64_t pipe_read(void *self, void *data, size_t len)
{
    struct pipe *pipe = self;
    int err = begin(pipe, "read");
    while (err == 0) {
        int64_t n = read(pipe->fd.fd, data, len < IO_MAX ? len : IO_MAX);
        if (n >= 0) {
            pace(pipe);
            return n;
        }
        if (errno == EAGAIN)
            err = wait_for(pipe, POLLIN);
        else if (errno != EINTR)
            err = weft__fail_with(-errno, "read from a pipe");
    }
    return err;
}

/* Some of the slices, from the byte *at of the first on; the count of bytes, or an error. */
static int64_t write_some(struct pipe *pipe, const weft_slice *slices, size_t n, size_t at)
{
    struct iovec parts[SLICES_MAX];
    size_t n_parts = n < SLICES_MAX ? n : SLICES_MAX;
    for (size_t i = 0; i < n_parts; i++)
        parts[i] = (struct iovec){(void *)(uintptr_t)slices[i].data, slices[i].len};
    parts[0].iov_base = (char *)parts[0].iov_base + at;
    parts[0].iov_len -= at;
    for (;;) {
        int64_t written = write_now(pipe, parts, (int)n_parts);
        if (written >= 0) {
            pace(pipe);
            return written;
        }
        int err = 0;
        if (written == -EAGAIN)
            err = wait_for(pipe, POLLOUT);
        else if (written != -EINTR)
            err = weft__fail_with((int)written, "write to a pipe");
        if (err < 0)
            return err;
    }
}

static int fail_torn(void)
{
    return weft__fail(-EPIPE, "write to a pipe: an earlier write was cut short");
}

static int pipe_writev(void *self, const weft_slice *slices, size_t n)
{
    struct pipe *pipe = self;
    bool begun = false;
    size_t at = 0;
    int err = begin(pipe, "write");
    if (err < 0)
        return err;
    if (pipe->torn)
        return fail_torn();
    while (n > 0) {
        int64_t written = write_some(pipe, slices, n, at);
        if (written < 0) {
            pipe->torn = begun;
            return (int)written;
        }
        begun = true;
        at += (size_t)written;
        while (n > 0 && at >= slices->len) {
            at -= slices->len;
            slices++;
            n--;
        }
    }
    return 0;
}

static void pipe_set_timeout(void *self, int64_t read, int64_t write)
{
    struct pipe *pipe = self;
    pipe->read_timeout = read;
    pipe->write_timeout = write;
}

static int pipe_close(void *self)
{
    struct pipe *pipe = self;
    if (pipe->fd.fd < 0)
        return 0;
    weft__list_remove(&pipe->at_exit.node);
    if (pipe->fd.loop != NULL)
        weft__fd_close(&pipe->fd);
    else
        close(pipe->fd.fd);
    pipe->fd.fd = -1;
    return 0;
}

static void pipe_free(void *self)
{
    pipe_close(self);
    weft__free(self);
}

static void pipe_abort(void *self)
{
    struct pipe *pipe = self;
    pipe->aborted = true;
    if (pipe->reading != NULL)
        weft__op_cancel(pipe->reading);
    if (pipe->writing != NULL)
        weft__op_cancel(pipe->writing);
    if (pipe->reading == NULL && pipe->writing == NULL)
        pipe_close(pipe);
}

static int pipe_is_quiet(void *self)
{
    const struct pipe *pipe = self;
    struct pollfd pollfd = {.fd = pipe->fd.fd, .events = POLLIN};
    return pipe->fd.fd >= 0 && poll(&pollfd, 1, 0) == 0;
}

/* The end of what is written is that the descriptor is closed. */
static int pipe_write_eof(void *self)
{
    const struct pipe *pipe = self;
    return pipe->torn ? fail_torn() : pipe_close(self);
}

static const weft_stream_ops pipe_ops = {
    .size = sizeof pipe_ops,
    .name = "pipe",
    .read = pipe_read,
    .writev = pipe_writev,
    .set_timeout = pipe_set_timeout,
    .close = pipe_close,
    .free = pipe_free,
    .is_quiet = pipe_is_quiet,
    .abort = pipe_abort,
};

static const weft_stream_ops write_ops = {
    .size = sizeof write_ops,
    .name = "pipe",
    .read = pipe_read,
    .writev = pipe_writev,
    .write_eof = pipe_write_eof,
    .set_timeout = pipe_set_timeout,
    .close = pipe_close,
    .free = pipe_free,
    .is_quiet = pipe_is_quiet,
    .abort = pipe_abort,
};

/* ---- making one ---- */

static void loop_ends(struct weft__at_exit *hook)
{
    WEFT__CONTAINER(hook, struct pipe, at_exit)->fd.loop = NULL;
}

/* The kind of descriptor that is meant here, or why not; its access mode. */
static int check(int descriptor)
{
    struct stat st;
    if (fstat(descriptor, &st) < 0)
        return weft__fail_with(-errno, "a stream of descriptor %d", descriptor);
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
        return weft__fail(-EINVAL, "descriptor %d is a file on a disk, no stream", descriptor);
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0)
        return weft__fail_with(-errno, "a stream of descriptor %d", descriptor);
    return flags & O_ACCMODE;
}

int weft__pipe_stream(int descriptor, weft_stream **ret)
{
    struct pipe *pipe = NULL;
    int mode = check(descriptor);
    int err = mode < 0 ? mode : 0;
    if (err == 0) {
        pipe = weft__calloc(1, sizeof *pipe);
        err = pipe != NULL ? weft__fd_init(&pipe->fd, descriptor) : weft__fail_nomem();
    }
    if (err < 0) {
        weft__free(pipe);
        if (descriptor >= 0)
            close(descriptor);
        return err;
    }
    pipe->at_exit.fn = loop_ends;
    weft__list_push_back(&pipe->fd.loop->at_exit, &pipe->at_exit.node);
    pipe->read_timeout = WEFT_FOREVER;
    pipe->write_timeout = WEFT_FOREVER;
    return weft_stream_new(mode == O_WRONLY ? &write_ops : &pipe_ops, pipe, ret);
}

int weft__pipe_fd(weft_stream *stream)
{
    const struct pipe *pipe = weft_stream_get_self(stream, &pipe_ops);
    if (pipe == NULL)
        pipe = weft_stream_get_self(stream, &write_ops);
    return pipe != NULL ? pipe->fd.fd : -1;
}

int weft_pipe(weft_stream **ret_read, weft_stream **ret_write)
{
    int fds[2];
    weft_stream *reader;
    weft_stream *writer;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return weft__fail_with(-errno, "make a pipe");
    int err = weft__pipe_stream(fds[0], &reader);
    if (err < 0) {
        close(fds[1]);
        return err;
    }
    err = weft__pipe_stream(fds[1], &writer);
    if (err < 0) {
        weft_stream_free(reader);
        return err;
    }
    *ret_read = reader;
    *ret_write = writer;
    return 0;
}

/*
 * transfer.c - files as streams, and bytes that the kernel moves between files and sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/file_int.h"
#include "stream/stream_int.h"

enum { PIECE = 64 * 1024, SEND_PIECE = 256 * 1024, RESERVE_LEAST = 1024 * 1024, NO_WAY = 1 };

/* ---- a file as a stream ---- */

struct file_stream {
    weft_file *file; /* NULL once it is closed */
};

static int64_t stream_read(void *self, void *data, size_t len)
{
    const struct file_stream *stream = self;
    return weft_file_read_some(stream->file, data, len);
}

static int stream_writev(void *self, const weft_slice *slices, size_t n)
{
    const struct file_stream *stream = self;
    return weft_file_writev(stream->file, slices, n);
}

static int stream_flush(void *self)
{
    const struct file_stream *stream = self;
    return weft_file_flush(stream->file);
}

static int stream_close(void *self)
{
    struct file_stream *stream = self;
    weft_file *file = stream->file;
    stream->file = NULL;
    return weft_file_close(file);
}

static void stream_free(void *self)
{
    struct file_stream *stream = self;
    weft_file_close(stream->file);
    weft__free(stream);
}

static const weft_stream_ops file_stream_ops = {
    .size = sizeof file_stream_ops,
    .name = "file",
    .read = stream_read,
    .writev = stream_writev,
    .flush = stream_flush,
    .close = stream_close,
    .free = stream_free,
};

int weft_file_stream(weft_file *file, weft_stream **ret)
{
    if (file == NULL || ret == NULL) {
        weft_file_close(file);
        return weft__fail(-EINVAL, "weft_file_stream without a file or a place for the stream");
    }
    struct file_stream *self = weft__alloc(sizeof *self);
    if (self == NULL) {
        weft_file_close(file);
        return weft__fail_nomem();
    }
    self->file = file;
    return weft_stream_new(&file_stream_ops, self, ret);
}

/* ---- the socket under a stream ---- */

/* A descriptor of our own for the same socket, so that waiting for it disturbs nobody. */
struct direct {
    struct weft__fd fd;
    int64_t timeout;
};

static int direct_open(weft_stream *stream, bool writing, struct direct *direct)
{
    weft_stream_direct of = {.fd = -1};
    if (stream->ops.direct == NULL || stream->closed || stream->ops.direct(stream->self, &of) < 0)
        return NO_WAY;
    int fd = fcntl(of.fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return NO_WAY;
    int err = weft__fd_init(&direct->fd, fd);
    if (err < 0) {
        close(fd);
        return err;
    }
    direct->timeout = writing ? of.write_timeout : of.read_timeout;
    return 0;
}

static int direct_wait(struct direct *direct, uint32_t events)
{
    struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &direct->fd, .flags = events};
    int64_t n = weft__op_run(&op, direct->timeout);
    if (n == -ETIMEDOUT)
        return events == POLLIN ? WEFT_EREAD_TIMEOUT : WEFT_EWRITE_TIMEOUT;
    return n < 0 ? (int)n : 0;
}

/* ---- through a buffer, where the kernel cannot do it ---- */

/* A piece from the file, and into the stream: its bytes, 0 at the end. */
static int64_t send_by_hand(struct weft_file *file, int64_t offset, char *data, size_t len,
                            weft_stream *stream)
{
    int64_t n = weft_file_read_at(file, data, len, offset);
    int err = n > 0 ? weft_stream_write(stream, data, (size_t)n) : 0;
    return err < 0 ? err : n;
}

/* A piece from the stream, and into the file: it was taken, so it is written whatever happens. */
static int64_t receive_by_hand(struct weft_file *file, int64_t offset, char *data, size_t len,
                               weft_stream *stream)
{
    weft_scope scope;
    int64_t n = weft_stream_read(stream, data, len);
    if (n <= 0)
        return n;
    weft_scope_enter_shield(&scope, WEFT_FOREVER);
    int err = weft_scope_exit(&scope, weft_file_write_at(file, data, (size_t)n, offset));
    return err < 0 ? err : n;
}

static int64_t by_hand(int64_t (*piece)(struct weft_file *, int64_t, char *, size_t, weft_stream *),
                       struct weft_file *file, int64_t offset, int64_t left, weft_stream *stream)
{
    int64_t moved = 0;
    int64_t n = 1;
    char *data = weft__pages_alloc(PIECE);
    if (data == NULL)
        return weft__fail_nomem();
    while (moved < left && n > 0) {
        size_t len = left - moved < PIECE ? (size_t)(left - moved) : PIECE;
        n = piece(file, offset + moved, data, len, stream);
        moved += n > 0 ? n : 0;
    }
    weft__pages_free(data, PIECE);
    return n < 0 ? n : moved;
}

static int64_t send_copied(struct weft_file *file, int64_t offset, int64_t left,
                           weft_stream *stream)
{
    int64_t sent = by_hand(send_by_hand, file, offset, left, stream);
    int err = sent < 0 ? 0 : weft_stream_flush(stream);
    return err < 0 ? err : sent;
}

/* ---- inside the kernel ---- */

/* What is under way from a file into a socket, or back through a pipe. */
struct moving {
    struct weft_file *file;
    struct weft_task *self;
    enum weft__file_way way;
    int64_t offset;
    int64_t left;
    int socket;
    int64_t result; /* of what a job did */
    int pipe[2];
    size_t piped; /* in the pipe: taken from the socket, and not yet in the file */
};

typedef int64_t move_piece(struct moving *moving, struct direct *direct);

/* The number of bytes; or NO_WAY in *ret_err if the kernel cannot do it. */
static int64_t move_direct(struct moving *moving, struct direct *direct, move_piece *piece,
                           int *ret_err)
{
    int64_t moved = 0;
    *ret_err = 0;
    while (moving->left > 0 && *ret_err == 0) {
        int64_t n = piece(moving, direct);
        bool no_way = n == -EINVAL || n == -ENOSYS || n == -EOPNOTSUPP;
        if (no_way && moved == 0 && moving->piped == 0)
            *ret_err = NO_WAY;
        else if (n < 0)
            *ret_err = (int)n;
        if (n <= 0)
            break;
        moved += n;
        moving->left -= n;
        *ret_err = weft__file_pace(moving->self);
    }
    return moved;
}

/* ---- sending ---- */

static int run_sendfile(void *arg)
{
    struct moving *moving = arg;
    struct weft__pipe_guard guard;
    size_t len = moving->left < SEND_PIECE ? (size_t)moving->left : SEND_PIECE;
    int64_t n = weft__fault_io("sendfile", &len);
    if (n == 0) {
        off_t offset = moving->offset;
        weft__pipe_guard_begin(&guard);
        n = sendfile(moving->socket, moving->file->handle.fd.fd, &offset, len);
        if (n < 0)
            n = -errno;
        weft__pipe_guard_end(&guard, n == -EPIPE);
        moving->offset = offset;
    }
    moving->result = n;
    return 0;
}

/* Does the page cache have the piece, as far as its first and last byte tell? */
static bool is_cached(const struct moving *moving)
{
    char byte;
    struct weft__handle *handle = &moving->file->handle;
    int64_t len = moving->left < SEND_PIECE ? moving->left : SEND_PIECE;
    return weft__file_step_read(WEFT__FILE_NOWAIT, handle, &byte, 1, moving->offset) >= 0 &&
           weft__file_step_read(WEFT__FILE_NOWAIT, handle, &byte, 1, moving->offset + len - 1) >= 0;
}

static int64_t send_piece(struct moving *moving, struct direct *direct)
{
    for (;;) {
        bool here = moving->way == WEFT__FILE_PLAIN ||
                    (moving->way == WEFT__FILE_NOWAIT && is_cached(moving));
        int err =
            weft__file_offload(here ? WEFT__FILE_PLAIN : WEFT__FILE_POOL, run_sendfile, moving);
        if (err < 0)
            return err;
        if (moving->result == -EAGAIN)
            err = direct_wait(direct, POLLOUT);
        else if (moving->result != -EINTR)
            return moving->result;
        if (err < 0)
            return err;
    }
}

int64_t weft_file_send(weft_file *file, int64_t offset, int64_t len, weft_stream *stream)
{
    struct moving moving = {.file = file, .offset = offset};
    struct direct direct;
    if (stream == NULL)
        return weft__fail(-EINVAL, "weft_file_send without a stream");
    bool allowed = file != NULL && file->readable;
    int way = weft__file_begin_at(file, "send", allowed, offset, &moving.self);
    int err = way < 0 ? way : weft_stream_flush(stream);
    if (err < 0)
        return err;
    moving.way = (enum weft__file_way)way;
    moving.left = len < 0 ? INT64_MAX - offset : len;
    err = direct_open(stream, true, &direct);
    if (err < 0)
        return err;
    if (err == NO_WAY)
        return send_copied(file, offset, moving.left, stream);
    moving.socket = direct.fd.fd;
    stream->writing = true;
    int64_t sent = move_direct(&moving, &direct, send_piece, &err);
    stream->writing = false;
    weft__fd_close(&direct.fd);
    if (err == NO_WAY)
        return send_copied(file, offset, moving.left, stream);
    return err < 0 ? weft__file_fail(err, "send", file->path) : sent;
}

/* ---- receiving ---- */

/* What the pipe holds goes into the file, whatever happens to the task: it was taken. */
static int run_drain(void *arg)
{
    struct moving *moving = arg;
    while (moving->piped > 0) {
        size_t len = moving->piped;
        off_t offset = moving->offset;
        int64_t n = WEFT__FILE_CALL(
            "splice", &len,
            splice(moving->pipe[0], NULL, moving->file->handle.fd.fd, &offset, len, SPLICE_F_MOVE));
        if (n < 0)
            return (int)n;
        moving->offset += n;
        moving->piped -= (size_t)n;
    }
    return 0;
}

/* Bytes that came and are in the file, 0 at the end of the stream, or an error. */
static int64_t receive_piece(struct moving *moving, struct direct *direct)
{
    size_t len = moving->left < PIECE ? (size_t)moving->left : PIECE;
    ssize_t n;
    for (;;) {
        n = splice(direct->fd.fd, NULL, moving->pipe[1], NULL, len,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n >= 0)
            break;
        int err = errno == EAGAIN ? direct_wait(direct, POLLIN) : errno == EINTR ? 0 : -errno;
        if (err < 0)
            return err;
    }
    moving->piped = (size_t)n;
    bool away = moving->way == WEFT__FILE_POOL ||
                (moving->way == WEFT__FILE_NOWAIT && weft__file_writes_wait());
    int err = away ? weft__file_offload(WEFT__FILE_POOL, run_drain, moving) : 0;
    /* A job that never began because the task was cancelled is done here. */
    if (moving->piped > 0 && (err == 0 || err == -ECANCELED))
        err = run_drain(moving);
    return err < 0 ? err : n;
}

/* Space for all of it, so that it lies together; the size stays what it is. */
static int run_reserve(void *arg)
{
    const struct moving *moving = arg;
    int fd = moving->file->handle.fd.fd;
    if (weft__mount_in_memory(fd))
        return -EOPNOTSUPP;
    return WEFT__FILE_CALL("fallocate", NULL,
                           fallocate(fd, FALLOC_FL_KEEP_SIZE, moving->offset, moving->left));
}

/* What lies behind the end is given back. */
static int run_release(void *arg)
{
    const struct moving *moving = arg;
    int64_t size = weft__handle_size(&moving->file->handle);
    int fd = moving->file->handle.fd.fd;
    return size < 0 ? (int)size : WEFT__FILE_CALL("truncate", NULL, ftruncate(fd, size));
}

/* Where it cannot be reserved the writes say what is wrong, if anything is. */
static bool reserve(struct moving *moving)
{
    if (moving->left < RESERVE_LEAST || moving->left > INT64_MAX - moving->offset)
        return false;
    bool plain = moving->way == WEFT__FILE_PLAIN;
    return weft__file_offload(plain ? WEFT__FILE_PLAIN : WEFT__FILE_POOL, run_reserve, moving) == 0;
}

static void release(struct moving *moving)
{
    weft_scope scope;
    bool plain = moving->way == WEFT__FILE_PLAIN;
    weft_scope_enter_shield(&scope, WEFT_FOREVER);
    weft__file_offload(plain ? WEFT__FILE_PLAIN : WEFT__FILE_POOL, run_release, moving);
    weft_scope_exit(&scope, 0);
}

static int64_t receive_all(struct moving *moving, weft_stream *stream)
{
    struct direct direct;
    struct weft_file *file = moving->file;
    const int64_t offset = moving->offset;
    int err = stream->reading ? NO_WAY : direct_open(stream, false, &direct);
    if (err == 0 && pipe2(moving->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        weft__fd_close(&direct.fd);
        err = NO_WAY;
    }
    if (err < 0)
        return err;
    int64_t came = 0;
    if (err == 0) {
        stream->reading = true;
        came = move_direct(moving, &direct, receive_piece, &err);
        stream->reading = false;
        close(moving->pipe[0]);
        close(moving->pipe[1]);
        weft__fd_close(&direct.fd);
        weft__file_changed(file);
    }
    if (err == NO_WAY)
        return by_hand(receive_by_hand, file, offset, moving->left, stream);
    return err < 0 ? weft__file_fail(err, "receive", file->path) : came;
}

int64_t weft_file_receive(weft_file *file, int64_t offset, int64_t len, weft_stream *stream)
{
    struct moving moving = {.file = file, .offset = offset};
    if (stream == NULL)
        return weft__fail(-EINVAL, "weft_file_receive without a stream");
    bool allowed = file != NULL && file->writable && !file->handle.append;
    int way = weft__file_begin_at(file, "receive", allowed, offset, &moving.self);
    if (way < 0)
        return way;
    moving.way = (enum weft__file_way)way;
    moving.left = len < 0 ? INT64_MAX - offset : len;
    bool reserved = len >= 0 && reserve(&moving);
    int64_t came = receive_all(&moving, stream);
    if (reserved && came < len)
        release(&moving);
    return came;
}

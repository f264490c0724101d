/*
 * whole.c - whole files at once.
 *
 * The same function makes the system calls of a whole operation in every way: plainly, without
 * waiting, through the ring, or in one job of a worker thread.  Where going on would mean to
 * wait it stops with -EAGAIN, and is called again with another way: it goes on where it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "thread/thread_int.h"

enum { FIRST_READ = 4096, IS_STREAM = 1 };

struct whole {
    struct weft_task *self; /* NULL in a worker thread */
    struct weft__handle handle;
    const char *path;
    const char *verb; /* of the call that failed */
    const char *from; /* what is written */
    char *data;       /* what is read */
    size_t len;       /* read or written so far */
    size_t cap;
    int64_t size; /* of the file, when it was opened */
    int flags;
};

/* 0 when the file is open, -EAGAIN, IS_STREAM, or an error. */
static int whole_open(struct whole *whole, enum weft__file_way way)
{
    if (whole->handle.open)
        return whole->handle.stream ? IS_STREAM : 0;
    whole->verb = "open";
    int fd = weft__file_step_open(way, whole->path, whole->flags, 0666);
    if (fd < 0)
        return fd;
    if (whole->from != NULL) {
        /* The first pwrite tells by ESPIPE what fstat would tell. */
        whole->handle = (struct weft__handle){.fd = {.fd = fd}, .open = true, .nonblocking = true};
        return 0;
    }
    int err = weft__handle_init(&whole->handle, fd, whole->flags, &whole->size);
    if (err < 0)
        return err;
    return whole->handle.stream ? IS_STREAM : 0;
}

/* Room for one byte more than expected tells the end without another call; and for a NUL. */
static int whole_room(struct whole *whole)
{
    if (whole->len < whole->cap)
        return 0;
    size_t cap = whole->cap > SIZE_MAX / 2 ? SIZE_MAX - 1 : whole->cap * 2;
    if (whole->cap == 0)
        cap = whole->size > 0 ? (size_t)whole->size + 1 : FIRST_READ;
    if (whole->handle.stream && cap > WEFT__LIMIT_FILE_STREAM)
        cap = WEFT__LIMIT_FILE_STREAM + 1;
    char *data = weft__realloc(whole->data, cap + 1);
    if (data == NULL)
        return -ENOMEM;
    whole->data = data;
    whole->cap = cap;
    return 0;
}

static int whole_read(struct whole *whole, enum weft__file_way way)
{
    int err = whole_open(whole, way);
    if (err != 0)
        return err;
    whole->verb = "read";
    for (;;) {
        err = whole_room(whole);
        if (err < 0)
            return err;
        size_t want = whole->cap - whole->len;
        if (way != WEFT__FILE_PLAIN && want > WEFT__FILE_INLINE_READ)
            want = WEFT__FILE_INLINE_READ;
        int64_t n = weft__file_step_read(way, &whole->handle, whole->data + whole->len, want,
                                         (int64_t)whole->len);
        if (n < 0)
            return (int)n;
        whole->len += (size_t)n;
        /* Files of proc and sys say nothing about their size, or too much. */
        if (n == 0 || ((size_t)n < want && whole->len == (size_t)whole->size))
            return 0;
        err = way == WEFT__FILE_NOWAIT ? weft__file_pace(whole->self) : 0;
        if (err < 0)
            return err;
    }
}

static int whole_write(struct whole *whole, enum weft__file_way way)
{
    int err = whole_open(whole, way);
    if (err != 0)
        return err;
    whole->verb = "write";
    while (whole->len < whole->cap) {
        int64_t n = weft__file_step_write(way, &whole->handle, whole->from + whole->len,
                                          whole->cap - whole->len, (int64_t)whole->len);
        if (n == -ESPIPE)
            return IS_STREAM;
        if (n < 0)
            return (int)n;
        whole->len += (size_t)n;
    }
    return 0;
}

/* ---- streams: the loop is what waits ---- */

static int stream_read_whole(struct whole *whole)
{
    int64_t n = 1;
    whole->verb = "read";
    while (n > 0) {
        int err = whole_room(whole);
        if (err < 0)
            return err;
        n = weft__stream_read(&whole->handle, whole->data + whole->len, whole->cap - whole->len);
        if (n > 0)
            whole->len += (size_t)n;
        if (whole->len > WEFT__LIMIT_FILE_STREAM)
            return WEFT_ETOO_LONG;
        err = n > 0 ? weft__file_pace(whole->self) : 0;
        if (err < 0)
            return err;
    }
    return (int)n;
}

static int stream_write_whole(struct whole *whole)
{
    whole->verb = "write";
    while (whole->len < whole->cap) {
        int64_t n =
            weft__stream_write(&whole->handle, whole->from + whole->len, whole->cap - whole->len);
        if (n < 0)
            return (int)n;
        whole->len += (size_t)n;
    }
    return 0;
}

/* ---- ways ---- */

static int run(struct whole *whole, enum weft__file_way way)
{
    return whole->from != NULL ? whole_write(whole, way) : whole_read(whole, way);
}

/* The close is part of the job: ext4 writes there what replaces a file's content. */
static int run_job(void *arg)
{
    struct whole *whole = arg;
    int err = run(whole, WEFT__FILE_PLAIN);
    if (whole->from == NULL || err == IS_STREAM)
        return err;
    int closed = weft__handle_close(&whole->handle);
    if (err < 0 || closed >= 0)
        return err;
    whole->verb = "close";
    return closed;
}

/* All creating, where a folder on a disk must change, is for the pool: one job for the whole. */
static enum weft__file_way writing_way(const struct whole *whole, enum weft__file_way way)
{
    if (way != WEFT__FILE_NOWAIT)
        return way;
    way = weft__file_way_creating(whole->self, whole->path);
    if (way == WEFT__FILE_PLAIN && whole->cap <= WEFT__FILE_INLINE_WRITE)
        return WEFT__FILE_PLAIN;
    return WEFT__FILE_POOL;
}

static int whole_run(struct whole *whole)
{
    int way = weft__file_begin(&whole->self);
    if (way < 0)
        return way;
    if (whole->from != NULL)
        way = (int)writing_way(whole, (enum weft__file_way)way);
    int err = -EAGAIN;
    if (way == WEFT__FILE_NOWAIT && whole->from == NULL &&
        weft__crowd_pays(whole->self, whole->path))
        err = weft__crowd_read(whole->path, whole->flags, &whole->data, &whole->len);
    if (err == -EAGAIN && way == WEFT__FILE_NOWAIT) {
        err = run(whole, WEFT__FILE_NOWAIT);
        way = WEFT__FILE_RING;
    }
    if (err == -EAGAIN && way == WEFT__FILE_RING)
        way = (int)weft__file_way_waiting(whole->self, IORING_OP_OPENAT);
    if (err == -EAGAIN && way == WEFT__FILE_POOL)
        err = weft__file_offload(WEFT__FILE_POOL, run_job, whole);
    else if (err == -EAGAIN)
        err = run(whole, (enum weft__file_way)way);
    if (err == -ENXIO && !whole->handle.open) {
        int fd = weft__stream_open_fifo(whole->path, whole->flags);
        err = fd < 0 ? fd : weft__handle_init(&whole->handle, fd, whole->flags, &whole->size);
        err = err < 0 ? err : IS_STREAM;
    }
    if (err == IS_STREAM)
        err = whole->from != NULL ? stream_write_whole(whole) : stream_read_whole(whole);
    return err;
}

static int whole_end(struct whole *whole, int err)
{
    int closed = weft__handle_close(&whole->handle);
    if (err >= 0 && closed < 0) {
        whole->verb = "close";
        err = closed;
    }
    if (err >= 0)
        return 0;
    weft__free(whole->data);
    if (err == WEFT_ETOO_LONG)
        return weft__fail(err, "read %s: more than %d bytes in a file without a size (FILE_STREAM)",
                          whole->path, (int)WEFT__LIMIT_FILE_STREAM);
    return weft__file_fail(err, whole->verb, whole->path);
}

static int plain_end(struct whole *whole, int err)
{
    int closed = weft__handle_close(&whole->handle);
    err = err < 0 ? err : closed;
    if (err < 0)
        weft__free(whole->data);
    return err;
}

int weft__whole_read_plain(const char *path, char **ret, size_t *ret_len)
{
    struct whole whole = {.path = path, .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY};
    int err = whole_read(&whole, WEFT__FILE_PLAIN);
    err = plain_end(&whole, err == IS_STREAM ? -EAGAIN : err);
    if (err < 0)
        return err;
    whole.data[whole.len] = '\0';
    *ret = whole.data;
    *ret_len = whole.len;
    return 0;
}

int weft__whole_write_plain(const char *path, const void *data, size_t len)
{
    struct whole whole = {
        .path = path,
        .from = data != NULL ? data : "",
        .cap = len,
        .flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    };
    int err = whole_write(&whole, WEFT__FILE_PLAIN);
    return plain_end(&whole, err == IS_STREAM || err == -ENXIO ? -EAGAIN : err);
}

int weft_read_file(const char *path, char **ret, size_t *ret_len)
{
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_read_file without a path or a place for the bytes");
    struct whole whole = {
        .path = path,
        .verb = "open",
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    };
    int err = whole_end(&whole, whole_run(&whole));
    if (err < 0)
        return err;
    whole.data[whole.len] = '\0';
    *ret = whole.data;
    if (ret_len != NULL)
        *ret_len = whole.len;
    return 0;
}

static int write_whole(const char *path, const void *data, size_t len, int flags)
{
    if (path == NULL || (data == NULL && len > 0))
        return weft__fail(-EINVAL, "writing a file without a path or without data");
    struct whole whole = {
        .path = path,
        .verb = "open",
        .from = data != NULL ? data : "",
        .cap = len,
        .flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags,
    };
    return whole_end(&whole, whole_run(&whole));
}

int weft_write_file(const char *path, const void *data, size_t len)
{
    return write_whole(path, data, len, O_TRUNC);
}

int weft_append_file(const char *path, const void *data, size_t len)
{
    return write_whole(path, data, len, O_APPEND);
}

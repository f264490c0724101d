/*
 * file.c - open files: operations by position, sizes, places, closing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/file_int.h"

/* ---- by position ---- */

int weft__file_begin_at(struct weft_file *file, const char *verb, bool allowed, int64_t offset,
                        struct weft_task **ret_self)
{
    if (file == NULL)
        return weft__fail(-EINVAL, "%s without a file", verb);
    if (!allowed)
        return weft__fail(-EBADF, "%s %s: the file is not open for that", verb, file->path);
    if (file->handle.stream)
        return weft__fail_with(-ESPIPE, "%s %s", verb, file->path);
    if (offset < 0)
        return weft__fail(-EINVAL, "%s %s: the offset is negative", verb, file->path);
    int way = weft__file_begin(ret_self);
    /* What was written through the cursor before this call is in the file. */
    if (way >= 0 && file->pending > 0 && !file->busy) {
        file->busy = true;
        int err = weft__cursor_flush(file, *ret_self, (enum weft__file_way)way);
        weft__cursor_leave(file, 0);
        if (err < 0)
            return weft__file_fail(err, "write", file->path);
    }
    return way;
}

void weft__file_changed(struct weft_file *file)
{
    if (file->busy)
        file->stale = true;
    else
        weft__cursor_drop(file);
}

int64_t weft_file_read_at(weft_file *file, void *data, size_t len, int64_t offset)
{
    struct weft_task *self;
    int way = weft__file_begin_at(file, "read", file != NULL && file->readable, offset, &self);
    if (way < 0)
        return way;
    size_t done = 0;
    while (done < len) {
        int64_t n = weft__file_do_read(self, (enum weft__file_way)way, &file->handle,
                                       (char *)data + done, len - done, offset + (int64_t)done);
        if (n < 0 && done == 0)
            return weft__file_fail(n, "read", file->path);
        if (n <= 0)
            break;
        done += (size_t)n;
        if (done < len && weft__file_pace(self) < 0)
            break;
    }
    return (int64_t)done;
}

int weft_file_write_at(weft_file *file, const void *data, size_t len, int64_t offset)
{
    struct weft_task *self;
    /* Linux appends, wherever the caller wants the bytes: refused rather than done wrong. */
    bool allowed = file != NULL && file->writable && !file->handle.append;
    int way = weft__file_begin_at(file, "write", allowed, offset, &self);
    if (way < 0)
        return way;
    int64_t n = 0;
    for (size_t done = 0; done < len && n >= 0; done += (size_t)(n > 0 ? n : 0))
        n = weft__file_do_write(self, (enum weft__file_way)way, &file->handle,
                                (const char *)data + done, len - done, offset + (int64_t)done);
    weft__file_changed(file);
    return n < 0 ? weft__file_fail(n, "write", file->path) : 0;
}

int64_t weft_file_size(weft_file *file)
{
    struct weft_task *self;
    int way = weft__file_begin_at(file, "size", true, 0, &self);
    if (way < 0)
        return way;
    int64_t size = weft__handle_size(&file->handle);
    return size < 0 ? weft__file_fail(size, "size", file->path) : size;
}

int weft_file_truncate(weft_file *file, int64_t size)
{
    struct weft_task *self;
    int way = weft__file_begin_at(file, "truncate", file != NULL && file->writable, size, &self);
    if (way < 0)
        return way;
    int err = weft__file_do_truncate(self, (enum weft__file_way)way, &file->handle, size);
    weft__file_changed(file);
    return err < 0 ? weft__file_fail(err, "truncate", file->path) : 0;
}

static int sync_file(weft_file *file, bool data_only)
{
    struct weft_task *self;
    int way = weft__file_begin_at(file, "sync", true, 0, &self);
    if (way < 0)
        return way;
    int err = weft__file_do_sync(self, (enum weft__file_way)way, &file->handle, data_only);
    return err < 0 ? weft__file_fail(err, "sync", file->path) : 0;
}

int weft_file_sync(weft_file *file)
{
    return sync_file(file, false);
}

int weft_file_datasync(weft_file *file)
{
    return sync_file(file, true);
}

/* ---- the cursor's place ---- */

static int64_t tell_text(weft_file *file)
{
    struct weft_task *self;
    int way = weft__cursor_enter(file, "tell", 0, &self);
    if (way < 0)
        return way;
    int64_t here = weft__cursor_settle(file);
    if (here == 0)
        here = weft__text_tell(file, self, (enum weft__file_way)way);
    weft__cursor_leave(file, 0);
    return here < 0 ? weft__file_fail(here, "tell", file->path) : here;
}

int64_t weft_file_tell(weft_file *file)
{
    if (file == NULL)
        return weft__fail(-EINVAL, "tell without a file");
    if (file->handle.stream)
        return weft__fail_with(-ESPIPE, "tell %s", file->path);
    if (file->busy)
        return weft__fail(-EBUSY, "tell %s: another task is using the same position", file->path);
    if (file->text != NULL)
        return tell_text(file);
    int err = weft__cursor_settle(file);
    return err < 0 ? weft__file_fail(err, "tell", file->path) : weft__cursor_tell(file);
}

struct extent {
    int fd;
    int whence;
    int64_t offset;
    int64_t result;
};

/* SEEK_DATA and SEEK_HOLE, which the kernel knows; its own position is left where it was. */
static int run_seek_extent(void *arg)
{
    struct extent *extent = arg;
    off_t here = lseek(extent->fd, 0, SEEK_CUR);
    off_t found = lseek(extent->fd, extent->offset, extent->whence);
    extent->result = found < 0 ? -errno : found;
    lseek(extent->fd, here, SEEK_SET);
    return 0;
}

/* The disk may have to be asked where the extents are. */
static int64_t seek_extent(struct weft_file *file, enum weft__file_way way, int64_t offset,
                           int whence)
{
    struct extent extent = {.fd = file->handle.fd.fd, .whence = whence, .offset = offset};
    int err = weft__file_offload(way == WEFT__FILE_PLAIN ? way : WEFT__FILE_POOL, run_seek_extent,
                                 &extent);
    return err < 0 ? err : extent.result;
}

/* Where whence and offset lead, or an error. */
static int64_t seek_target(struct weft_file *file, enum weft__file_way way, int64_t offset,
                           int whence)
{
    int64_t from = 0;
    int64_t target;
    if (whence == SEEK_CUR) {
        int err = weft__cursor_settle(file);
        from = err < 0 ? err : weft__cursor_tell(file);
    } else if (whence == SEEK_END) {
        from = weft__handle_size(&file->handle);
    } else if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        return seek_extent(file, way, offset, whence);
    } else if (whence != SEEK_SET) {
        return -EINVAL;
    }
    if (from < 0)
        return from;
    if (__builtin_add_overflow(from, offset, &target) || target < 0)
        return -EINVAL;
    return target;
}

int64_t weft__cursor_seek(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                          int64_t offset, int whence)
{
    if (file->handle.stream)
        return -ESPIPE;
    int err = weft__cursor_flush(file, self, way);
    if (err < 0)
        return err;
    int64_t target = seek_target(file, way, offset, whence);
    if (target < 0)
        return target;
    int64_t here = weft__cursor_tell(file);
    if (!file->at_end && target >= here && target <= file->offset) {
        file->rpos += (size_t)(target - here);
        return target;
    }
    weft__cursor_drop(file);
    if (file->handle.shared && lseek(file->handle.fd.fd, target, SEEK_SET) < 0)
        return -errno;
    file->offset = target;
    file->at_end = false;
    file->ahead = 0;
    return target;
}

int64_t weft_file_seek(weft_file *file, int64_t offset, int whence)
{
    struct weft_task *self;
    int way = weft__cursor_enter(file, "seek", 0, &self);
    if (way < 0)
        return way;
    int64_t target = file->text != NULL
                         ? weft__text_seek(file, self, (enum weft__file_way)way, offset, whence)
                         : weft__cursor_seek(file, self, (enum weft__file_way)way, offset, whence);
    weft__cursor_leave(file, 0);
    return target < 0 ? weft__file_fail(target, "seek", file->path) : target;
}

/* ---- closing ---- */

enum { CLOSE_SECONDS = 10 };

static int flush_once(struct weft_file *file)
{
    struct weft_task *self;
    int way = weft__file_begin(&self);
    return way < 0 ? way : weft__cursor_flush(file, self, (enum weft__file_way)way);
}

/* Written bytes are not lost because the writer was cancelled: the kernel takes them soon. */
static int flush_last(struct weft_file *file)
{
    weft_scope scope;
    int err = file->pending > 0 ? flush_once(file) : 0;
    if (err != -ECANCELED)
        return err;
    weft_scope_enter_shield(&scope, WEFT_SEC(CLOSE_SECONDS));
    return weft_scope_exit(&scope, flush_once(file));
}

struct closing {
    struct weft__handle *handle;
    int result;
};

static int run_close(void *arg)
{
    struct closing *closing = arg;
    closing->result = weft__handle_close(closing->handle);
    return 0;
}

/*
 * The kernel may write at the close: ext4 what replaces a file's content, others everything.
 * A worker closes, unless there is none for a task that is cancelled or out of memory.
 */
static int close_handle(struct weft_file *file)
{
    struct weft__handle *handle = &file->handle;
    struct closing closing = {.handle = handle};
    struct weft_task *self;
    if (file->writable && !handle->stream && !weft__mount_in_memory(handle->fd.fd)) {
        int way = weft__file_begin(&self);
        if (way > WEFT__FILE_PLAIN)
            weft__file_offload(WEFT__FILE_POOL, run_close, &closing);
    }
    if (handle->open)
        run_close(&closing);
    return closing.result;
}

int weft_file_close(weft_file *file)
{
    if (file == NULL)
        return 0;
    if (file->busy)
        return weft__fail(-EBUSY, "close %s: another task is using the file", file->path);
    file->busy = true;
    int err = flush_last(file);
    if (err < 0)
        weft__file_fail(err, "write", file->path);
    /* Who reads on from the same position begins where this one ended. */
    if (file->handle.shared)
        weft__cursor_drop(file);
    int closed = close_handle(file);
    if (err >= 0 && closed < 0)
        err = weft__file_fail(closed, "close", file->path);
    weft__cursor_free(file);
    weft__text_free(file->text);
    weft__free(file);
    return err < 0 ? err : 0;
}

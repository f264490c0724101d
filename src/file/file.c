/*
 * file.c - open files: modes, operations by position, sizes, closing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "file/file_int.h"

/* ---- modes ---- */

/* Exactly one of r w a x, and at most one + and one of b t, in any order, as in Python. */
static int parse_mode(const char *mode, int *ret_flags)
{
    int flags = 0;
    int n_base = 0;
    int n_plus = 0;
    int n_kind = 0;
    for (const char *c = mode; *c != '\0'; c++) {
        n_base += strchr("rwax", *c) != NULL;
        n_plus += *c == '+';
        n_kind += *c == 'b' || *c == 't';
        if (strchr("rwax+bt", *c) == NULL)
            return -EINVAL;
        if (*c == 'w')
            flags = O_CREAT | O_TRUNC;
        else if (*c == 'a')
            flags = O_CREAT | O_APPEND;
        else if (*c == 'x')
            flags = O_CREAT | O_EXCL;
    }
    if (n_base != 1 || n_plus > 1 || n_kind > 1)
        return -EINVAL;
    if (n_plus == 1)
        flags |= O_RDWR;
    else
        flags |= (flags & O_CREAT) != 0 ? O_WRONLY : O_RDONLY;
    *ret_flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    return 0;
}

static weft_file *file_new(const char *path, int flags)
{
    size_t len = strlen(path);
    weft_file *file = weft__calloc(1, sizeof *file + len + 1);
    if (file == NULL)
        return NULL;
    memcpy(file->path, path, len);
    file->readable = (flags & O_ACCMODE) != O_WRONLY;
    file->writable = (flags & O_ACCMODE) != O_RDONLY;
    file->at_end = (flags & O_APPEND) != 0;
    return file;
}

int weft_file_open(const char *path, const char *mode, weft_file **ret)
{
    struct weft_task *self;
    int64_t size;
    int flags;
    if (path == NULL || mode == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_file_open without a path, a mode or a place for the file");
    if (parse_mode(mode, &flags) < 0)
        return weft__fail(-EINVAL, "open %s: '%.16s' is no mode; r, w, a or x with + and b", path,
                          mode);
    weft_file *file = file_new(path, flags);
    if (file == NULL)
        return weft__fail_nomem();
    int err = weft__file_begin(&self);
    if (err >= 0)
        err = weft__file_do_open(self, (enum weft__file_way)err, path, flags, 0666);
    if (err >= 0)
        err = weft__handle_init(&file->handle, err, flags, &size);
    if (err < 0) {
        weft__free(file);
        return weft__file_fail(err, "open", path);
    }
    if (file->handle.stream)
        file->at_end = false;
    *ret = file;
    return 0;
}

/* ---- by position ---- */

/* Before an operation that does not use the cursor; the way, or an error with its message. */
static int begin_at(struct weft_file *file, const char *verb, bool allowed, int64_t offset,
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

/* The file has changed behind the cursor's back. */
static void changed(struct weft_file *file)
{
    if (file->busy)
        file->stale = true;
    else
        weft__cursor_drop(file);
}

int64_t weft_file_read_at(weft_file *file, void *data, size_t len, int64_t offset)
{
    struct weft_task *self;
    int way = begin_at(file, "read", file != NULL && file->readable, offset, &self);
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
    int way = begin_at(file, "write", allowed, offset, &self);
    if (way < 0)
        return way;
    int64_t n = 0;
    for (size_t done = 0; done < len && n >= 0; done += (size_t)(n > 0 ? n : 0))
        n = weft__file_do_write(self, (enum weft__file_way)way, &file->handle,
                                (const char *)data + done, len - done, offset + (int64_t)done);
    changed(file);
    return n < 0 ? weft__file_fail(n, "write", file->path) : 0;
}

int64_t weft_file_size(weft_file *file)
{
    struct weft_task *self;
    int way = begin_at(file, "size", true, 0, &self);
    if (way < 0)
        return way;
    int64_t size = weft__handle_size(&file->handle);
    return size < 0 ? weft__file_fail(size, "size", file->path) : size;
}

int weft_file_truncate(weft_file *file, int64_t size)
{
    struct weft_task *self;
    int way = begin_at(file, "truncate", file != NULL && file->writable, size, &self);
    if (way < 0)
        return way;
    int err = weft__file_do_truncate(self, (enum weft__file_way)way, &file->handle, size);
    changed(file);
    return err < 0 ? weft__file_fail(err, "truncate", file->path) : 0;
}

int weft_file_sync(weft_file *file)
{
    struct weft_task *self;
    int way = begin_at(file, "sync", true, 0, &self);
    if (way < 0)
        return way;
    int err = weft__file_do_sync(self, (enum weft__file_way)way, &file->handle);
    return err < 0 ? weft__file_fail(err, "sync", file->path) : 0;
}

/* ---- the cursor's place ---- */

int64_t weft_file_tell(weft_file *file)
{
    if (file == NULL)
        return weft__fail(-EINVAL, "tell without a file");
    if (file->handle.stream)
        return weft__fail_with(-ESPIPE, "tell %s", file->path);
    if (file->busy)
        return weft__fail(-EBUSY, "tell %s: another task is using the same position", file->path);
    int err = weft__cursor_settle(file);
    return err < 0 ? weft__file_fail(err, "tell", file->path) : weft__cursor_tell(file);
}

/* Where whence and offset lead, or an error. */
static int64_t seek_target(struct weft_file *file, int64_t offset, int whence)
{
    int64_t from = 0;
    int64_t target;
    if (whence == SEEK_CUR) {
        int err = weft__cursor_settle(file);
        from = err < 0 ? err : weft__cursor_tell(file);
    } else if (whence == SEEK_END) {
        from = weft__handle_size(&file->handle);
    } else if (whence != SEEK_SET) {
        return -EINVAL;
    }
    if (from < 0)
        return from;
    if (__builtin_add_overflow(from, offset, &target) || target < 0)
        return -EINVAL;
    return target;
}

static int64_t seek(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                    int64_t offset, int whence)
{
    if (file->handle.stream)
        return -ESPIPE;
    int err = weft__cursor_flush(file, self, way);
    if (err < 0)
        return err;
    int64_t target = seek_target(file, offset, whence);
    if (target < 0)
        return target;
    int64_t here = weft__cursor_tell(file);
    if (!file->at_end && target >= here && target <= file->offset) {
        file->rpos += (size_t)(target - here);
        return target;
    }
    weft__cursor_drop(file);
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
    int64_t target = seek(file, self, (enum weft__file_way)way, offset, whence);
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
    int closed = weft__handle_close(&file->handle);
    if (err >= 0 && closed < 0)
        err = weft__file_fail(closed, "close", file->path);
    weft__cursor_free(file);
    weft__free(file);
    return err < 0 ? err : 0;
}

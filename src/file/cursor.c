/*
 * cursor.c - reading, writing and lines at a position that moves along, through a buffer.
 *
 * Reading ahead starts with 16 KiB and doubles while reads fill it.  The memory is mapped once,
 * in full, and costs only the pages that are used.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "run/switch.h"

enum {
    AHEAD_MIN = 16 * 1024, /* as far as nothing else was asked for */
    AHEAD_MAX = 256 * 1024,
    /* One page more, in which the rest of a line stands before what is read next. */
    CAP_FIRST = AHEAD_MAX + WEFT__FILE_PAGE,
    READ_PAST = 32 * 1024 /* reads this large go past the buffer: copying twice costs more */
};

/* ---- the buffer ---- */

static size_t bytes_mapped(size_t cap)
{
    return cap + WEFT__FILE_PAGE;
}

static int make_buffer(struct weft_file *file)
{
    if (file->bytes != NULL)
        return 0;
    file->bytes = weft__pages_alloc(bytes_mapped(CAP_FIRST));
    if (file->bytes == NULL)
        return -ENOMEM;
    file->cap = CAP_FIRST;
    return 0;
}

void weft__cursor_free(struct weft_file *file)
{
    weft__pages_free(file->bytes, bytes_mapped(file->cap));
    file->bytes = NULL;
}

/* For a line that is longer than the buffer. */
static int grow_buffer(struct weft_file *file)
{
    size_t cap = file->cap * 2;
    char *bytes = weft__pages_alloc(bytes_mapped(cap));
    if (bytes == NULL)
        return -ENOMEM;
    memcpy(bytes + file->rpos, file->bytes + file->rpos, file->rend - file->rpos);
    weft__cursor_free(file);
    file->bytes = bytes;
    file->cap = cap;
    return 0;
}

static void uncut(struct weft_file *file)
{
    if (file->has_cut)
        file->bytes[file->rpos] = file->cut;
    file->has_cut = false;
}

void weft__cursor_drop(struct weft_file *file)
{
    size_t unread = file->rend - file->rpos;
    file->has_cut = false; /* a line that is lent keeps its NUL: nobody reads on from there */
    file->offset -= (int64_t)unread;
    if (file->handle.shared && unread > 0)
        lseek(file->handle.fd.fd, -(off_t)unread, SEEK_CUR);
    file->rpos = 0;
    file->rend = 0;
}

int weft__cursor_settle(struct weft_file *file)
{
    if (!file->at_end)
        return 0;
    int64_t size = weft__handle_size(&file->handle);
    if (size < 0)
        return (int)size;
    file->offset = size;
    file->at_end = false;
    return 0;
}

/* ---- entering and leaving ---- */

int weft__cursor_enter(struct weft_file *file, const char *verb, unsigned need,
                       struct weft_task **ret_self)
{
    if (file == NULL)
        return weft__fail(-EINVAL, "%s without a file", verb);
    if (file->busy)
        return weft__fail(-EBUSY, "%s %s: another task is using the same position", verb,
                          file->path);
    if ((need & WEFT__FILE_TO_READ) != 0 && !file->readable)
        return weft__fail(-EBADF, "%s %s: not open for reading", verb, file->path);
    if ((need & WEFT__FILE_TO_WRITE) != 0 && !file->writable)
        return weft__fail(-EBADF, "%s %s: not open for writing", verb, file->path);
    file->busy = true;
    int way = weft__file_begin(ret_self);
    if (way < 0) {
        file->busy = false;
        return way;
    }
    uncut(file);
    if (file->fresh && !file->handle.stream)
        weft__cursor_drop(file);
    return way;
}

int64_t weft__cursor_leave(struct weft_file *file, int64_t result)
{
    file->busy = false;
    if (__builtin_expect(file->stale, 0)) {
        file->stale = false;
        weft__cursor_drop(file);
    }
    return result;
}

/* -1: where the kernel's own position is, which others may move. */
static int64_t kernel_offset(const struct weft_file *file)
{
    return file->handle.shared ? -1 : file->offset;
}

/* ---- writing ---- */

/* All of it, at the cursor, which moves along even where it ends early. */
static int write_all(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                     const char *data, size_t len, size_t *ret_written)
{
    *ret_written = 0;
    while (*ret_written < len) {
        int64_t n = weft__file_do_write(self, way, &file->handle, data + *ret_written,
                                        len - *ret_written, kernel_offset(file));
        if (n < 0)
            return (int)n;
        *ret_written += (size_t)n;
        file->offset += n;
        file->at_end = file->handle.append;
        if (file->handle.shared)
            file->offset = lseek(file->handle.fd.fd, 0, SEEK_CUR);
    }
    return 0;
}

int weft__cursor_flush(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    size_t written;
    if (file->pending == 0)
        return 0;
    int err = write_all(file, self, way, file->bytes, file->pending, &written);
    file->pending -= written;
    if (file->pending > 0 && written > 0)
        memmove(file->bytes, file->bytes + written, file->pending);
    return err;
}

int weft__cursor_write(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                       const char *data, size_t len)
{
    size_t written;
    int err = 0;
    weft__cursor_drop(file);
    if (file->handle.append)
        file->at_end = true;
    if (file->pending + len > file->behind)
        err = weft__cursor_flush(file, self, way);
    if (err < 0)
        return err;
    if (file->handle.stream || len >= file->behind)
        return write_all(file, self, way, data, len, &written);
    err = make_buffer(file);
    if (err < 0)
        return err;
    memcpy(file->bytes + file->pending, data, len);
    file->pending += len;
    return 0;
}

int weft_file_write(weft_file *file, const void *data, size_t len)
{
    struct weft_task *self;
    int way = weft__cursor_enter(file, "write", WEFT__FILE_TO_WRITE, &self);
    if (way < 0)
        return way;
    int err = 0;
    if (len > 0 && file->text != NULL) {
        err = weft__text_write(file, self, (enum weft__file_way)way, data, len);
        return (int)weft__cursor_leave(file, err);
    }
    if (len > 0)
        err = weft__cursor_write(file, self, (enum weft__file_way)way, data, len);
    weft__cursor_leave(file, 0);
    return err < 0 ? weft__file_fail(err, "write", file->path) : 0;
}

int weft_file_flush(weft_file *file)
{
    struct weft_task *self;
    int way = weft__cursor_enter(file, "flush", 0, &self);
    if (way < 0)
        return way;
    int err = weft__cursor_flush(file, self, (enum weft__file_way)way);
    weft__cursor_leave(file, 0);
    return err < 0 ? weft__file_fail(err, "write", file->path) : 0;
}

/* ---- reading ---- */

/* Before the kernel is asked for bytes. */
static int prepare_reading(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    int err = weft__cursor_flush(file, self, way);
    return err < 0 ? err : weft__cursor_settle(file);
}

/*
 * Brings more bytes behind those that are there, which may move: the number of new ones, 0 at
 * the end.  What is read next starts on a page, for copies to there are the fastest.
 */
int64_t weft__cursor_fill(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    size_t unread = file->rend - file->rpos;
    int err = prepare_reading(file, self, way);
    if (err == 0)
        err = make_buffer(file);
    size_t start = (unread + WEFT__FILE_PAGE - 1) / WEFT__FILE_PAGE * WEFT__FILE_PAGE;
    if (err == 0 && start + AHEAD_MIN > file->cap)
        err = grow_buffer(file);
    if (err < 0)
        return err;
    if (unread > 0)
        memmove(file->bytes + start - unread, file->bytes + file->rpos, unread);
    file->rpos = start - unread;
    file->rend = start;
    if (file->ahead == 0)
        file->ahead = file->first;
    size_t want = file->cap - start < file->ahead ? file->cap - start : file->ahead;
    int64_t n = weft__file_do_read(self, way, &file->handle, file->bytes + start, want,
                                   kernel_offset(file));
    if (n <= 0)
        return n;
    file->rend += (size_t)n;
    file->offset += n;
    if ((size_t)n == want && file->ahead < AHEAD_MAX)
        file->ahead *= 2;
    return n;
}

static size_t take(struct weft_file *file, char *data, size_t len)
{
    size_t n = file->rend - file->rpos;
    n = n < len ? n : len;
    memcpy(data, file->bytes + file->rpos, n);
    file->rpos += n;
    return n;
}

static int64_t read_more(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                         char *data, size_t len)
{
    if (len < READ_PAST && !(file->fresh && !file->handle.stream)) {
        int64_t n = weft__cursor_fill(file, self, way);
        return n <= 0 ? n : (int64_t)take(file, data, len);
    }
    int err = prepare_reading(file, self, way);
    if (err < 0)
        return err;
    int64_t n = weft__file_do_read(self, way, &file->handle, data, len, kernel_offset(file));
    file->offset += n > 0 ? n : 0;
    return n;
}

int64_t weft__cursor_read_some(struct weft_file *file, struct weft_task *self,
                               enum weft__file_way way, char *data, size_t len)
{
    if (file->rend > file->rpos)
        return (int64_t)take(file, data, len);
    return len == 0 ? 0 : read_more(file, self, way, data, len);
}

int64_t weft__cursor_read_full(struct weft_file *file, struct weft_task *self,
                               enum weft__file_way way, char *data, size_t len)
{
    size_t done = file->rend > file->rpos ? take(file, data, len) : 0;
    while (done < len && !(file->handle.stream && done > 0)) {
        int64_t n = read_more(file, self, way, data + done, len - done);
        /* What was read is returned; the error comes back at the next call. */
        if (n < 0 && done == 0)
            return n;
        if (n <= 0)
            break;
        done += (size_t)n;
        if (done < len && weft__file_pace(self) < 0)
            break;
    }
    return (int64_t)done;
}

int64_t weft_file_read(weft_file *file, void *data, size_t len)
{
    struct weft_task *self;
    int way = weft__cursor_enter(file, "read", WEFT__FILE_TO_READ, &self);
    if (way < 0)
        return way;
    int64_t n = file->text != NULL
                    ? weft__text_read(file, self, (enum weft__file_way)way, data, len, true)
                    : weft__cursor_read_full(file, self, (enum weft__file_way)way, data, len);
    weft__cursor_leave(file, 0);
    return n < 0 && file->text == NULL ? weft__file_fail(n, "read", file->path) : n;
}

/* ---- lines ---- */

/* The length of the line at rpos, its newline included; 0 at the end of the file. */
static int64_t find_line(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    size_t seen = 0;
    for (;;) {
        size_t unread = file->rend - file->rpos;
        const char *line = file->bytes + file->rpos;
        const char *end = unread > seen ? memchr(line + seen, '\n', unread - seen) : NULL;
        size_t len = end != NULL ? (size_t)(end - line) + 1 : unread;
        if (len > file->line_max)
            return WEFT_ETOO_LONG;
        if (end != NULL)
            return (int64_t)len;
        seen = unread;
        int64_t n = weft__cursor_fill(file, self, way);
        if (n < 0)
            return n;
        if (n == 0)
            return (int64_t)unread;
    }
}

/* The line at rpos gets a NUL, and is lent. */
static int64_t lend_line(struct weft_file *file, int64_t len, char **ret)
{
    *ret = file->bytes + file->rpos;
    file->rpos += (size_t)len;
    /* There is always a byte behind: the buffer has a page more than it fills. */
    file->cut = file->bytes[file->rpos];
    file->bytes[file->rpos] = '\0';
    file->has_cut = true;
    return len;
}

/* A line that is in the buffer, where nothing else is to be looked at; 0: the long way. */
static inline int64_t buffered_line(struct weft_file *file, char **ret)
{
    if (file == NULL || file->busy || file->fresh || file->rpos == file->rend ||
        file->text != NULL || weft__self_undisturbed() == NULL)
        return 0;
    uncut(file);
    const char *line = file->bytes + file->rpos;
    const char *end = memchr(line, '\n', file->rend - file->rpos);
    if (end == NULL || (size_t)(end - line) >= file->line_max)
        return 0;
    return lend_line(file, end - line + 1, ret);
}

int64_t weft_file_read_line(weft_file *file, char **ret)
{
    struct weft_task *self;
    int64_t len = buffered_line(file, ret);
    if (__builtin_expect(len > 0, 1))
        return len;
    int way = weft__cursor_enter(file, "read", WEFT__FILE_TO_READ, &self);
    if (way < 0)
        return way;
    if (__builtin_expect(file->text != NULL, 0)) {
        int64_t n = weft__text_read_line(file, self, (enum weft__file_way)way, ret);
        return weft__cursor_leave(file, n);
    }
    len = find_line(file, self, (enum weft__file_way)way);
    if (len > 0)
        lend_line(file, len, ret);
    weft__cursor_leave(file, 0);
    if (len == WEFT_ETOO_LONG)
        return weft__fail(WEFT_ETOO_LONG, "read %s: a line longer than %zu bytes (FILE_LINE)",
                          file->path, file->line_max);
    return len < 0 ? weft__file_fail(len, "read", file->path) : len;
}

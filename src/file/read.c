/*
 * read.c - more ways to read and write at the position: some, exactly, all, in several parts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"

enum { ROOM_FIRST = 16 * 1024, PEEK_MOST = 128 * 1024 };

int64_t weft_file_read_some(weft_file *file, void *data, size_t len)
{
    struct weft_task *self;
    int way = weft__cursor_enter(file, "read", WEFT__FILE_TO_READ, &self);
    if (way < 0)
        return way;
    if (file->text != NULL) {
        int64_t n = weft__text_read(file, self, (enum weft__file_way)way, data, len, false);
        return weft__cursor_leave(file, n);
    }
    int64_t n = weft__cursor_read_some(file, self, (enum weft__file_way)way, data, len);
    weft__cursor_leave(file, 0);
    return n < 0 ? weft__file_fail(n, "read", file->path) : n;
}

int weft_file_read_exact(weft_file *file, void *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        int64_t n = weft_file_read(file, (char *)data + done, len - done);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return weft__fail(WEFT_EEOF, "read %s: its end came after %zu of %zu bytes", file->path,
                              done, len);
        done += (size_t)n;
    }
    return 0;
}

/* ---- to the end ---- */

struct room {
    char *data;
    size_t len;
    size_t cap;
};

static int room_grow(const weft_file *file, struct room *room)
{
    if (file->handle.stream && room->len > WEFT__LIMIT_FILE_STREAM)
        return weft__fail(WEFT_ETOO_LONG,
                          "read %s: more than %d bytes in a file without a size (FILE_STREAM)",
                          file->path, (int)WEFT__LIMIT_FILE_STREAM);
    size_t cap = room->cap > SIZE_MAX / 2 - 1 ? SIZE_MAX - 1 : room->cap * 2;
    char *data = weft__realloc(room->data, cap + 1);
    if (data == NULL)
        return weft__fail_nomem();
    room->data = data;
    room->cap = cap;
    return 0;
}

static size_t first_room(const weft_file *file)
{
    if (file->handle.stream || file->text != NULL)
        return ROOM_FIRST;
    struct weft__handle handle = file->handle;
    int64_t left = weft__handle_size(&handle) - weft__cursor_tell(file);
    return left < ROOM_FIRST ? (size_t)ROOM_FIRST : (size_t)left + 1;
}

int weft_file_read_all(weft_file *file, char **ret, size_t *ret_len)
{
    if (file == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_file_read_all without a file or a place for the bytes");
    int64_t n = weft_file_is_readable(file) ? weft_file_flush(file) : 0;
    if (n < 0)
        return (int)n;
    struct room room = {.cap = first_room(file)};
    room.data = weft__alloc(room.cap + 1);
    if (room.data == NULL)
        return weft__fail_nomem();
    do {
        n = room.len == room.cap ? room_grow(file, &room) : 0;
        if (n == 0)
            n = weft_file_read(file, room.data + room.len, room.cap - room.len);
        if (n > 0)
            room.len += (size_t)n;
    } while (n > 0);
    if (n < 0) {
        weft__free(room.data);
        return (int)n;
    }
    room.data[room.len] = '\0';
    *ret = room.data;
    if (ret_len != NULL)
        *ret_len = room.len;
    return 0;
}

/* ---- looking ahead ---- */

int64_t weft_file_peek(weft_file *file, size_t want, const char **ret)
{
    struct weft_task *self;
    if (file != NULL && file->text != NULL)
        return weft__fail(-EINVAL, "peek %s: it is open as text", file->path);
    if (want > PEEK_MOST)
        return weft__fail(-EINVAL, "peek: %zu bytes, more than %d", want, PEEK_MOST);
    int way = weft__cursor_enter(file, "read", WEFT__FILE_TO_READ, &self);
    if (way < 0)
        return way;
    int64_t n = 1;
    while (n > 0 && file->rend - file->rpos < (want > 0 ? want : 1))
        n = weft__cursor_fill(file, self, (enum weft__file_way)way);
    size_t have = file->rend - file->rpos;
    weft__cursor_leave(file, 0);
    if (n < 0 && have == 0)
        return weft__file_fail(n, "read", file->path);
    if (have > 0)
        *ret = file->bytes + file->rpos;
    return (int64_t)have;
}

/* ---- several parts ---- */

enum { AT_CURSOR = -1 };

/* One after the other, up to the end; an error that comes after some bytes is met again. */
static int64_t read_parts(weft_file *file, const weft_part *parts, size_t n, int64_t offset)
{
    int64_t done = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t got = offset == AT_CURSOR
                          ? weft_file_read(file, parts[i].data, parts[i].len)
                          : weft_file_read_at(file, parts[i].data, parts[i].len, offset + done);
        if (got < 0)
            return done > 0 ? done : got;
        done += got;
        if ((size_t)got < parts[i].len)
            break;
    }
    return done;
}

int64_t weft_file_readv(weft_file *file, const weft_part *parts, size_t n)
{
    return read_parts(file, parts, n, AT_CURSOR);
}

/* In one piece where a buffer or a single system call can take it, so that lines do not mix. */
int weft_file_writev(weft_file *file, const weft_slice *slices, size_t n)
{
    size_t total = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (weft__size_add(total, slices[i].len, &total) < 0)
            return weft__fail(-EINVAL, "weft_file_writev of more bytes than there can be");
    }
    if (total > PEEK_MOST) {
        int err = 0;
        for (size_t i = 0; i < n && err == 0; i++)
            err = weft_file_write(file, slices[i].data, slices[i].len);
        return err;
    }
    char *data = weft__alloc(total + 1);
    if (data == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < n; i++) {
        if (slices[i].len > 0)
            memcpy(data + at, slices[i].data, slices[i].len);
        at += slices[i].len;
    }
    int err = weft_file_write(file, data, total);
    weft__free(data);
    return err;
}

/* ---- several parts at any place ---- */

int64_t weft_file_readv_at(weft_file *file, const weft_part *parts, size_t n, int64_t offset)
{
    if (offset < 0)
        return weft_file_read_at(file, NULL, 0, offset); /* says what is wrong with it */
    return read_parts(file, parts, n, offset);
}

/* Small pieces in one: each write of the system costs more than copying them. */
int weft_file_writev_at(weft_file *file, const weft_slice *slices, size_t n, int64_t offset)
{
    char joined[4096];
    size_t held = 0;
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        if (slices[i].len > sizeof joined - held) {
            err = held > 0 ? weft_file_write_at(file, joined, held, offset) : 0;
            offset += (int64_t)held;
            held = 0;
        }
        if (err == 0 && slices[i].len > sizeof joined) {
            err = weft_file_write_at(file, slices[i].data, slices[i].len, offset);
            offset += (int64_t)slices[i].len;
        } else if (err == 0 && slices[i].len > 0) {
            memcpy(joined + held, slices[i].data, slices[i].len);
            held += slices[i].len;
        }
    }
    return err < 0 || held == 0 ? err : weft_file_write_at(file, joined, held, offset);
}

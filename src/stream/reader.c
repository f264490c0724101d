/*
 * reader.c - buffered reading: lines and records out of a stream.
 *
 * The buffer begins at 16 KiB and doubles, up to the longest record, only while a record does
 * not fit.  What is lent to the caller is NUL-terminated in place; the byte that the NUL
 * covers is put back at the next call.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "stream/stream_int.h"

enum { FIRST_CAP = 16 * 1024, PAGE = 4096 };

struct weft_reader {
    weft_stream *stream;
    char *data; /* whole pages */
    size_t cap;
    size_t start;
    size_t len;
    size_t max;     /* of a record */
    size_t covered; /* where the NUL stands */
    char cover;     /* what it covers */
    bool lent;
    bool eof;
};

int weft_reader_new(weft_stream *stream, size_t max, weft_reader **ret)
{
    weft_reader *reader = weft__calloc(1, sizeof *reader);
    if (reader == NULL)
        return weft__fail_nomem();
    reader->stream = stream;
    reader->max = max != 0 ? max : WEFT__LIMIT_STREAM_LINE;
    *ret = reader;
    return 0;
}

void weft_reader_free(weft_reader *reader)
{
    if (reader == NULL)
        return;
    weft__pages_free(reader->data, reader->cap);
    weft__free(reader);
}

static void take_back(weft_reader *reader)
{
    if (reader->lent)
        reader->data[reader->covered] = reader->cover;
    reader->lent = false;
}

/* Room for at least one byte more, and one for a NUL. */
static int make_room(weft_reader *reader)
{
    if (reader->len == 0)
        reader->start = 0;
    if (reader->start + reader->len + 1 < reader->cap)
        return 0;
    if (reader->start > 0) {
        memmove(reader->data, reader->data + reader->start, reader->len);
        reader->start = 0;
        return 0;
    }
    size_t cap = reader->cap == 0 ? FIRST_CAP : reader->cap * 2;
    char *data = weft__pages_alloc(cap);
    if (data == NULL)
        return weft__fail_nomem();
    if (reader->len > 0)
        memcpy(data, reader->data, reader->len);
    weft__pages_free(reader->data, reader->cap);
    reader->data = data;
    reader->cap = cap;
    return 0;
}

/* 1 when bytes came, 0 at the end. */
static int fill(weft_reader *reader)
{
    if (reader->eof)
        return 0;
    int err = make_room(reader);
    if (err < 0)
        return err;
    size_t end = reader->start + reader->len;
    int64_t n = weft_stream_read(reader->stream, reader->data + end, reader->cap - end - 1);
    if (n < 0)
        return (int)n;
    reader->eof = n == 0;
    reader->len += (size_t)n;
    return n > 0;
}

static size_t take(weft_reader *reader, void *data, size_t len)
{
    if (len > reader->len)
        len = reader->len;
    memcpy(data, reader->data + reader->start, len);
    reader->start += len;
    reader->len -= len;
    return len;
}

int64_t weft_reader_read(weft_reader *reader, void *data, size_t len)
{
    take_back(reader);
    if (len == 0)
        return 0;
    if (reader->len == 0) {
        if (reader->eof)
            return 0;
        if (len >= FIRST_CAP) {
            int64_t n = weft_stream_read(reader->stream, data, len);
            reader->eof = n == 0;
            return n;
        }
        int err = fill(reader);
        if (err <= 0)
            return err;
    }
    return (int64_t)take(reader, data, len);
}

int weft_reader_read_exact(weft_reader *reader, void *data, size_t len)
{
    size_t got = 0;
    while (got < len) {
        int64_t n = weft_reader_read(reader, (char *)data + got, len - got);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return weft__fail(WEFT_EEOF, "%s stream: its end came after %zu of %zu bytes",
                              reader->stream->ops.name, got, len);
        got += (size_t)n;
    }
    return 0;
}

static int64_t lend(weft_reader *reader, size_t len, char **ret)
{
    char *line = reader->data + reader->start;
    reader->start += len;
    reader->len -= len;
    reader->covered = reader->start;
    reader->cover = reader->data[reader->covered];
    reader->data[reader->covered] = '\0';
    reader->lent = true;
    *ret = line;
    return (int64_t)len;
}

/* The length of the record up to and with the separator; 0 at the end without one. */
static int64_t find(weft_reader *reader, const char *separator, size_t separator_len)
{
    size_t looked = 0;
    for (;;) {
        if (reader->len - looked >= separator_len) {
            const char *from = reader->data + reader->start;
            const char *at = memmem(from + looked, reader->len - looked, separator, separator_len);
            if (at != NULL && (size_t)(at - from) + separator_len <= reader->max)
                return at - from + (int64_t)separator_len;
            looked = reader->len - separator_len + 1;
        }
        if (looked + separator_len > reader->max)
            return weft__fail(WEFT_ETOO_LONG,
                              "a line or record of the %s stream is longer than %zu bytes",
                              reader->stream->ops.name, reader->max);
        int err = fill(reader);
        if (err <= 0)
            return err;
    }
}

int64_t weft_reader_read_until(weft_reader *reader, const char *separator, char **ret)
{
    size_t separator_len = strlen(separator);
    if (separator_len == 0)
        return weft__fail(-EINVAL, "weft_reader_read_until with an empty separator");
    take_back(reader);
    int64_t len = find(reader, separator, separator_len);
    if (len < 0)
        return len;
    if (len > 0)
        return lend(reader, (size_t)len, ret);
    if (reader->len == 0)
        return 0;
    return weft__fail(WEFT_EEOF, "%s stream: its end came inside a record of %zu bytes so far",
                      reader->stream->ops.name, reader->len);
}

int64_t weft_reader_read_line(weft_reader *reader, char **ret)
{
    take_back(reader);
    int64_t len = find(reader, "\n", 1);
    if (len == 0)
        len = (int64_t)reader->len;
    return len > 0 ? lend(reader, (size_t)len, ret) : len;
}

bool weft_reader_at_eof(const weft_reader *reader)
{
    return reader->eof && reader->len == 0;
}

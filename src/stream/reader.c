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
    if (len > 0)
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

/* Puts back what was taken since the buffer was empty: it is read again. */
static int put_back(weft_reader *reader, const void *data, size_t len)
{
    reader->start = 0;
    size_t cap = reader->cap > 0 ? reader->cap : FIRST_CAP;
    while (cap <= len)
        cap *= 2;
    if (cap > reader->cap) {
        char *bigger = weft__pages_alloc(cap);
        if (bigger == NULL)
            return weft__fail_nomem();
        weft__pages_free(reader->data, reader->cap);
        reader->data = bigger;
        reader->cap = cap;
    }
    memcpy(reader->data, data, len);
    reader->len = len;
    return 0;
}

int weft_reader_read_exact(weft_reader *reader, void *data, size_t len)
{
    size_t got = 0;
    int err = 0;
    while (got < len && err == 0) {
        int64_t n = weft_reader_read(reader, (char *)data + got, len - got);
        if (n > 0)
            got += (size_t)n;
        else if (n < 0)
            err = (int)n;
        else
            err = weft__fail(WEFT_EEOF, "%s stream: its end came after %zu of %zu bytes",
                             reader->stream->ops.name, got, len);
    }
    if (err == 0 || got == 0)
        return err;
    struct weft__context failure = {0};
    weft__error_move(&failure, weft__context_get());
    int back = put_back(reader, data, got);
    if (back == 0)
        weft__error_move(weft__context_get(), &failure);
    weft__error_done(&failure);
    return back < 0 ? back : err;
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

/* The end of the match that ends first, looking at what came since looked; 0: there is none. */
static size_t first_end(const weft_reader *reader, const char *const *separators, size_t looked)
{
    const char *from = reader->data + reader->start;
    size_t end = 0;
    for (; *separators != NULL; separators++) {
        size_t len = strlen(*separators);
        size_t at = looked >= len ? looked - len + 1 : 0;
        size_t until = end != 0 ? end : reader->len;
        if (until < at + len)
            continue;
        const char *match = memmem(from + at, until - at, *separators, len);
        if (match != NULL)
            end = (size_t)(match - from) + len;
    }
    return end;
}

/*
 * The length of the record up to and with the separator; 0 at the end without one.  may_lack: what
 * the end leaves is a record too, so that one as long as it may be is looked behind.
 */
static int64_t find(weft_reader *reader, const char *const *separators, bool may_lack)
{
    size_t looked = 0;
    for (;;) {
        size_t end = reader->len > looked ? first_end(reader, separators, looked) : 0;
        if (end != 0 && end <= reader->max)
            return (int64_t)end;
        looked = reader->len;
        if (looked > reader->max || (looked == reader->max && !may_lack))
            return weft__fail(WEFT_ETOO_LONG,
                              "a line or record of the %s stream is longer than %zu bytes",
                              reader->stream->ops.name, reader->max);
        int err = fill(reader);
        if (err <= 0)
            return err;
    }
}

int64_t weft_reader_read_until_any(weft_reader *reader, const char *const *separators, char **ret)
{
    bool empty = separators[0] == NULL;
    for (size_t i = 0; separators[i] != NULL; i++)
        empty = empty || separators[i][0] == '\0';
    if (empty)
        return weft__fail(-EINVAL, "weft_reader_read_until with an empty separator");
    take_back(reader);
    int64_t len = find(reader, separators, false);
    if (len < 0)
        return len;
    if (len > 0)
        return lend(reader, (size_t)len, ret);
    if (reader->len == 0)
        return 0;
    return weft__fail(WEFT_EEOF, "%s stream: its end came inside a record of %zu bytes so far",
                      reader->stream->ops.name, reader->len);
}

int64_t weft_reader_read_until(weft_reader *reader, const char *separator, char **ret)
{
    const char *const separators[] = {separator, NULL};
    return weft_reader_read_until_any(reader, separators, ret);
}

int weft_reader_read_all(weft_reader *reader, size_t max, char **ret, size_t *ret_len)
{
    int err;
    if (max == 0)
        max = WEFT__LIMIT_STREAM_ALL;
    take_back(reader);
    do {
        if (reader->len > max)
            return weft__fail(WEFT_ETOO_LONG, "the %s stream is longer than %zu bytes",
                              reader->stream->ops.name, max);
        err = fill(reader);
    } while (err > 0);
    if (err < 0)
        return err;
    size_t len = reader->len;
    char *data = weft__alloc(len + 1);
    if (data == NULL)
        return weft__fail_nomem();
    take(reader, data, len);
    data[len] = '\0';
    *ret = data;
    *ret_len = len;
    return 0;
}

int64_t weft_reader_read_line(weft_reader *reader, char **ret)
{
    take_back(reader);
    static const char *const newline[] = {"\n", NULL};
    int64_t len = find(reader, newline, true);
    if (len == 0)
        len = (int64_t)reader->len;
    return len > 0 ? lend(reader, (size_t)len, ret) : len;
}

bool weft_reader_at_eof(const weft_reader *reader)
{
    return reader->eof && reader->len == 0;
}

size_t weft_reader_buffered(const weft_reader *reader)
{
    return reader->len;
}

void weft__reader_rebind(weft_reader *reader, weft_stream *stream)
{
    reader->stream = stream;
}

/*
 * stream.c - what is the same for all streams: checks, loops over short reads, life time.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "stream/stream_int.h"

int weft_stream_new(const weft_stream_ops *ops, void *self, weft_stream **ret)
{
    weft_stream_ops all = {0};
    memcpy(&all, ops, ops->size < sizeof all ? ops->size : sizeof all);
    if (all.read == NULL || all.writev == NULL || all.free == NULL) {
        if (all.free != NULL)
            all.free(self);
        return weft__fail(-EINVAL, "a stream needs at least read, writev and free");
    }
    weft_stream *stream = weft__calloc(1, sizeof *stream);
    if (stream == NULL) {
        all.free(self);
        return weft__fail_nomem();
    }
    if (all.name == NULL)
        all.name = "stream";
    stream->ops = all;
    stream->key = ops;
    stream->self = self;
    *ret = stream;
    return 0;
}

void *weft_stream_get_self(weft_stream *stream, const weft_stream_ops *ops)
{
    return stream != NULL && stream->key == ops ? stream->self : NULL;
}

weft_stream *weft_stream_below(weft_stream *stream)
{
    return stream->ops.below != NULL ? stream->ops.below(stream->self) : NULL;
}

int weft__stream_is_quiet(weft_stream *stream)
{
    if (stream->closed || stream->reading || stream->ops.is_quiet == NULL)
        return 0;
    return stream->ops.is_quiet(stream->self);
}

static int fail_closed(const weft_stream *stream)
{
    return weft__fail(WEFT_ECLOSED, "the %s stream is closed", stream->ops.name);
}

static int fail_busy(const weft_stream *stream, const char *what)
{
    return weft__fail(-EBUSY, "another task is %s the %s stream", what, stream->ops.name);
}

/* ---- reading ---- */

int64_t weft_stream_read(weft_stream *stream, void *data, size_t len)
{
    if (stream->closed)
        return fail_closed(stream);
    if (stream->reading)
        return fail_busy(stream, "reading");
    if (len == 0)
        return 0;
    stream->reading = true;
    int64_t n = stream->ops.read(stream->self, data, len);
    stream->reading = false;
    assert(n <= 0 || (uint64_t)n <= len);
    return n <= 0 && stream->aborted ? fail_closed(stream) : n;
}

int weft_stream_read_exact(weft_stream *stream, void *data, size_t len)
{
    size_t got = 0;
    while (got < len) {
        int64_t n = weft_stream_read(stream, (char *)data + got, len - got);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return weft__fail(WEFT_EEOF, "%s stream: its end came after %zu of %zu bytes",
                              stream->ops.name, got, len);
        got += (size_t)n;
    }
    return 0;
}

/* ---- writing ---- */

static int begin_write(weft_stream *stream)
{
    if (stream->closed)
        return fail_closed(stream);
    if (stream->writing)
        return fail_busy(stream, "writing to");
    stream->writing = true;
    return 0;
}

/* The end of a call that began; err is what it returns unless the stream was cut off meanwhile. */
static int end_write(weft_stream *stream, int err)
{
    stream->writing = false;
    return err < 0 && stream->aborted ? fail_closed(stream) : err;
}

static int begin_data(weft_stream *stream)
{
    int err = begin_write(stream);
    if (err < 0 || !(stream->write_ended || stream->torn))
        return err;
    stream->writing = false;
    if (stream->torn)
        return weft__fail(-EPIPE, "write to a %s stream: an earlier write was cut short",
                          stream->ops.name);
    return weft__fail(WEFT_ECLOSED, "write to a %s stream after its end was written",
                      stream->ops.name);
}

int weft_stream_write(weft_stream *stream, const void *data, size_t len)
{
    const weft_slice slice = {data, len};
    return weft_stream_writev(stream, &slice, 1);
}

/* Slices without bytes are for the caller's convenience; transports do not see them. */
static int write_some(weft_stream *stream, const weft_slice *slices, size_t n)
{
    bool begun = false;
    while (n > 0) {
        size_t run = 0;
        while (run < n && slices[run].len > 0)
            run++;
        if (run > 0) {
            int err = stream->ops.writev(stream->self, slices, run);
            if (err < 0) {
                stream->torn = begun;
                return err;
            }
            begun = true;
        }
        size_t skip = run < n ? run + 1 : run;
        slices += skip;
        n -= skip;
    }
    return 0;
}

int weft_stream_writev(weft_stream *stream, const weft_slice *slices, size_t n)
{
    int err = begin_data(stream);
    if (err < 0)
        return err;
    return end_write(stream, write_some(stream, slices, n));
}

int weft_stream_flush(weft_stream *stream)
{
    int err = begin_write(stream);
    if (err < 0)
        return err;
    if (stream->ops.flush != NULL)
        err = stream->ops.flush(stream->self);
    return end_write(stream, err);
}

int weft_stream_write_eof(weft_stream *stream)
{
    if (!stream->closed && stream->write_ended)
        return 0;
    int err = begin_data(stream);
    if (err < 0)
        return err;
    if (stream->ops.write_eof == NULL)
        err = weft__fail(-EOPNOTSUPP, "a %s stream cannot end one direction", stream->ops.name);
    else
        err = stream->ops.write_eof(stream->self);
    stream->write_ended = err == 0;
    return end_write(stream, err);
}

bool weft_stream_can_write_eof(const weft_stream *stream)
{
    return stream->ops.write_eof != NULL;
}

void weft_stream_set_timeout(weft_stream *stream, int64_t read, int64_t write)
{
    if (stream->closed || stream->ops.set_timeout == NULL)
        return;
    stream->ops.set_timeout(stream->self, read > 0 ? read : WEFT_FOREVER,
                            write > 0 ? write : WEFT_FOREVER);
}

void weft_stream_set_write_limits(weft_stream *stream, size_t high, size_t low)
{
    if (stream->closed)
        return;
    if (stream->ops.set_write_limits == NULL) {
        weft_stream *below = weft_stream_below(stream);
        if (below != NULL)
            weft_stream_set_write_limits(below, high, low);
        return;
    }
    if (high == 0 || high > WEFT__LIMIT_STREAM_WRITE_HIGH)
        high = WEFT__LIMIT_STREAM_WRITE_HIGH;
    stream->ops.set_write_limits(stream->self, high, low < high ? low : high);
}

const char *weft_stream_get_name(const weft_stream *stream)
{
    return stream->ops.name;
}

/* ---- the end ---- */

void weft_stream_abort(weft_stream *stream)
{
    if (stream == NULL || stream->aborted)
        return;
    stream->closed = true;
    stream->aborted = true;
    if (stream->ops.abort != NULL)
        stream->ops.abort(stream->self);
    else
        weft_stream_abort(weft_stream_below(stream));
}

int weft_stream_close(weft_stream *stream)
{
    if (stream == NULL || stream->closed)
        return 0;
    if (stream->reading)
        return fail_busy(stream, "reading");
    int err = begin_write(stream);
    if (err < 0)
        return err;
    stream->closed = true;
    if (stream->ops.close != NULL)
        err = stream->ops.close(stream->self);
    stream->writing = false;
    return err;
}

void weft_stream_free(weft_stream *stream)
{
    if (stream == NULL)
        return;
    assert(!stream->reading && !stream->writing);
    stream->ops.free(stream->self);
    weft__free(stream);
}

/*
 * staple.c - one stream out of two: what one gives is read, what is written goes to the other.
 */
#include <errno.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "stream/stream_int.h"

struct staple {
    weft_stream *reader;
    weft_stream *writer;
};

static int64_t staple_read(void *self, void *data, size_t len)
{
    const struct staple *staple = self;
    return weft_stream_read(staple->reader, data, len);
}

static int staple_writev(void *self, const weft_slice *slices, size_t n)
{
    const struct staple *staple = self;
    return weft_stream_writev(staple->writer, slices, n);
}

static int staple_flush(void *self)
{
    const struct staple *staple = self;
    return weft_stream_flush(staple->writer);
}

static int staple_write_eof(void *self)
{
    const struct staple *staple = self;
    if (weft_stream_can_write_eof(staple->writer))
        return weft_stream_write_eof(staple->writer);
    return weft_stream_close(staple->writer);
}

static void staple_set_timeout(void *self, int64_t read, int64_t write)
{
    const struct staple *staple = self;
    weft_stream_set_timeout(staple->reader, read, WEFT_FOREVER);
    weft_stream_set_timeout(staple->writer, WEFT_FOREVER, write);
}

/* Both, whatever becomes of the first; its error is the one that is told. */
static int staple_close(void *self)
{
    const struct staple *staple = self;
    int err = weft_stream_close(staple->writer);
    if (err == 0)
        return weft_stream_close(staple->reader);
    struct weft__context failure = {0};
    weft__error_move(&failure, weft__context_get());
    weft_stream_close(staple->reader);
    weft__error_move(weft__context_get(), &failure);
    return err;
}

static void staple_free(void *self)
{
    struct staple *staple = self;
    weft_stream_free(staple->writer);
    weft_stream_free(staple->reader);
    weft__free(staple);
}

static int staple_is_quiet(void *self)
{
    const struct staple *staple = self;
    return weft__stream_is_quiet(staple->reader);
}

static void staple_set_write_limits(void *self, size_t high, size_t low)
{
    const struct staple *staple = self;
    weft_stream_set_write_limits(staple->writer, high, low);
}

static void staple_abort(void *self)
{
    const struct staple *staple = self;
    weft_stream_abort(staple->writer);
    weft_stream_abort(staple->reader);
}

static const weft_stream_ops staple_ops = {
    .size = sizeof staple_ops,
    .name = "stapled",
    .read = staple_read,
    .writev = staple_writev,
    .flush = staple_flush,
    .write_eof = staple_write_eof,
    .set_timeout = staple_set_timeout,
    .close = staple_close,
    .free = staple_free,
    .is_quiet = staple_is_quiet,
    .set_write_limits = staple_set_write_limits,
    .abort = staple_abort,
};

static int staple_new(weft_stream *reader, weft_stream *writer, struct staple **ret)
{
    if (reader == NULL || writer == NULL || reader == writer)
        return weft__fail(-EINVAL, "weft_stream_staple needs two streams");
    struct staple *staple = weft__alloc(sizeof *staple);
    if (staple == NULL)
        return weft__fail_nomem();
    *staple = (struct staple){reader, writer};
    *ret = staple;
    return 0;
}

int weft_stream_staple(weft_stream *reader, weft_stream *writer, weft_stream **ret)
{
    struct staple *staple = NULL;
    int err = staple_new(reader, writer, &staple);
    if (err == 0)
        return weft_stream_new(&staple_ops, staple, ret);
    weft_stream_free(reader);
    if (writer != reader)
        weft_stream_free(writer);
    return err;
}

/*
 * bandwidth.c - a stream whose bytes pass rate limiters.
 *
 * What is written is paid for before it is sent, in pieces of at most a burst.  What is read
 * cannot be: nobody knows how much comes.  It is paid for before the next read, so that a
 * cancelled wait loses no data.
 */
#include <weft/limit.h>

#include "base/alloc.h"
#include "limit/limit_int.h"
#include "stream/stream_int.h"

struct limited {
    weft_stream *below;
    weft_rate_limiter *read_limiter; /* NULL: as fast as it comes */
    weft_rate_limiter *write_limiter;
    uint32_t read_most;
    uint32_t write_most;
    uint32_t debt; /* read, not paid for */
};

static int64_t limited_read(void *self, void *data, size_t len)
{
    struct limited *limited = self;
    if (limited->read_limiter == NULL)
        return weft_stream_read(limited->below, data, len);
    int err = weft_rate_limiter_acquire_n(limited->read_limiter, limited->debt);
    if (err < 0)
        return err;
    limited->debt = 0;
    int64_t n =
        weft_stream_read(limited->below, data, len < limited->read_most ? len : limited->read_most);
    if (n > 0)
        limited->debt = (uint32_t)n;
    return n;
}

static int write_slice(struct limited *limited, const char *data, size_t len)
{
    while (len > 0) {
        uint32_t n = len < limited->write_most ? (uint32_t)len : limited->write_most;
        int err = weft_rate_limiter_acquire_n(limited->write_limiter, n);
        if (err == 0)
            err = weft_stream_write(limited->below, data, n);
        /* What waits for more must not wait in a buffer. */
        if (err == 0 && n < len)
            err = weft_stream_flush(limited->below);
        if (err < 0)
            return err;
        data += n;
        len -= n;
    }
    return 0;
}

static int limited_writev(void *self, const weft_slice *slices, size_t n)
{
    struct limited *limited = self;
    if (limited->write_limiter == NULL)
        return weft_stream_writev(limited->below, slices, n);
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++)
        err = write_slice(limited, slices[i].data, slices[i].len);
    return err;
}

static int limited_flush(void *self)
{
    return weft_stream_flush(((struct limited *)self)->below);
}

static int limited_write_eof(void *self)
{
    return weft_stream_write_eof(((struct limited *)self)->below);
}

static void limited_set_timeout(void *self, int64_t read, int64_t write)
{
    weft_stream_set_timeout(((struct limited *)self)->below, read, write);
}

static int limited_close(void *self)
{
    return weft_stream_close(((struct limited *)self)->below);
}

static void limited_free(void *self)
{
    struct limited *limited = self;
    weft_stream_free(limited->below);
    weft__free(limited);
}

static int limited_is_quiet(void *self)
{
    return weft__stream_is_quiet(((struct limited *)self)->below);
}

static weft_stream *limited_below(void *self)
{
    return ((struct limited *)self)->below;
}

static const weft_stream_ops limited_ops = {
    .size = sizeof limited_ops,
    .name = "limited",
    .read = limited_read,
    .writev = limited_writev,
    .flush = limited_flush,
    .write_eof = limited_write_eof,
    .set_timeout = limited_set_timeout,
    .close = limited_close,
    .free = limited_free,
    .is_quiet = limited_is_quiet,
    .below = limited_below,
};

int weft_stream_limit(weft_stream *stream, weft_rate_limiter *read, weft_rate_limiter *write,
                      weft_stream **ret)
{
    struct limited *limited = weft__alloc(sizeof *limited);
    if (limited == NULL) {
        weft_stream_free(stream);
        return weft__fail_nomem();
    }
    *limited = (struct limited){
        .below = stream,
        .read_limiter = read,
        .write_limiter = write,
        .read_most = read != NULL ? weft__rate_most(read) : 0,
        .write_most = write != NULL ? weft__rate_most(write) : 0,
    };
    return weft_stream_new(&limited_ops, limited, ret);
}

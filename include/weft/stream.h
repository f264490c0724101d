/*
 * weft/stream.h - byte streams: TCP, Unix, TLS, pipes in memory, and your own.
 *
 * A stream has one reader and one writer at a time; a second task on the same end gets -EBUSY.
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_stream weft_stream;

/* Some bytes of a gathered write. */
typedef struct weft_slice {
    const void *data;
    size_t len;
} weft_slice;

WEFT_API int64_t weft_stream_read(weft_stream *stream, void *data, size_t len);
WEFT_API int weft_stream_read_exact(weft_stream *stream, void *data, size_t len);
WEFT_API int weft_stream_write(weft_stream *stream, const void *data, size_t len);
WEFT_API int weft_stream_writev(weft_stream *stream, const weft_slice *slices, size_t n);
WEFT_API int weft_stream_flush(weft_stream *stream);
WEFT_API int weft_stream_write_eof(weft_stream *stream);
WEFT_API void weft_stream_set_timeout(weft_stream *stream, int64_t read, int64_t write);
WEFT_API int weft_stream_close(weft_stream *stream);
WEFT_API void weft_stream_free(weft_stream *stream);

/* ---- buffered reading ---- */

typedef struct weft_reader weft_reader;

WEFT_API int weft_reader_new(weft_stream *stream, size_t max, weft_reader **ret);
WEFT_API void weft_reader_free(weft_reader *reader);
WEFT_API int64_t weft_reader_read(weft_reader *reader, void *data, size_t len);
WEFT_API int weft_reader_read_exact(weft_reader *reader, void *data, size_t len);
WEFT_API int64_t weft_reader_read_until(weft_reader *reader, const char *separator, char **ret);
WEFT_API int64_t weft_reader_read_line(weft_reader *reader, char **ret);
WEFT_API bool weft_reader_at_eof(const weft_reader *reader);

/* ---- in memory ---- */

WEFT_API int weft_stream_pair(size_t capacity, weft_stream **ret_a, weft_stream **ret_b);

/* ---- streams of your own ---- */

/*
 * What a transport implements.  data and len are never NULL or 0 here; the checks for busy ends
 * and closed streams are done before these are called.
 */
typedef struct weft_stream_ops {
    size_t size;
    const char *name; /* "tcp", "tls", ...: for messages and dumps */
    /* At least 1 byte, 0 at end of stream, or negative. */
    int64_t (*read)(void *self, void *data, size_t len);
    /* Takes all bytes, into a buffer or to the peer. */
    int (*writev)(void *self, const weft_slice *slices, size_t n);
    /* Returns when all bytes taken so far are with the peer's kernel. NULL: nothing is buffered. */
    int (*flush)(void *self);
    /* Ends our direction; reading goes on. NULL: -EOPNOTSUPP. */
    int (*write_eof)(void *self);
    /* Nanoseconds without progress, WEFT_FOREVER for none. NULL: no time-outs. */
    void (*set_timeout)(void *self, int64_t read, int64_t write);
    /* Orderly end; may suspend for a bounded time. NULL: nothing to say. */
    int (*close)(void *self);
    /* Never suspends; releases everything, also after close failed or was cancelled. */
    void (*free)(void *self);
    /* 1: an idle connection with nothing to read; 0: readable, ended or broken. Never suspends. */
    int (*is_quiet)(void *self);
    /* The stream below (TLS to TCP), NULL at the bottom. Lends. */
    weft_stream *(*below)(void *self);
} weft_stream_ops;

WEFT_API int weft_stream_new(const weft_stream_ops *ops, void *self, weft_stream **ret);
WEFT_API void *weft_stream_get_self(weft_stream *stream, const weft_stream_ops *ops);
WEFT_API weft_stream *weft_stream_below(weft_stream *stream);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_stream, weft_stream_free)
WEFT_DEFINE_AUTO(weft_reader, weft_reader_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

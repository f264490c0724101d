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

/**
 * weft_stream_read() - read what is there, at least one byte
 * @stream: borrows. One task reads at a time.
 * @data:   borrows, at least len bytes.
 * @len:    bytes; 0 returns 0 at once.
 *
 * Returns as soon as there is something; it does not wait for data to be full.
 *
 * Suspends: maybe, until the peer sends something.
 * Cancel:   nothing is lost; the next read goes on where this one would have begun.
 * Return:   bytes read, 0 at the end of the stream, or negative.
 * Errors:   WEFT_EREAD_TIMEOUT; WEFT_ECLOSED; -EBUSY another task reads; -ECONNRESET and others
 *           of the system; WEFT_ETLS; WEFT_ETRUNCATED TLS ended without close_notify.
 * Source:   asyncio.StreamReader.read, trio receive_some.
 * Since:    0.1
 */
WEFT_API int64_t weft_stream_read(weft_stream *stream, void *data, size_t len);

/**
 * weft_stream_read_exact() - read exactly so many bytes
 * @stream: borrows.
 * @data:   borrows, at least len bytes; holds what came, also on failure.
 * @len:    bytes.
 *
 * Suspends: maybe.
 * Cancel:   what was read so far is in data, but how much is not told: the stream is of no use.
 * Return:   0, or negative.
 * Errors:   WEFT_EEOF the stream ended before; those of weft_stream_read.
 * Source:   asyncio.StreamReader.readexactly.
 * Since:    0.1
 */
WEFT_API int weft_stream_read_exact(weft_stream *stream, void *data, size_t len);

/**
 * weft_stream_write() - write all bytes
 * @stream: borrows. One task writes at a time.
 * @data:   borrows, len bytes. NULL if len is 0.
 * @len:    bytes.
 *
 * A small write is copied and returns at once.  It goes out together with the next read of the
 * same stream, and at the latest when this loop has nothing else to do; weft_stream_flush sends
 * it now.  A writer waits while 64 KiB are unsent, and for the end of a larger write.
 *
 * Suspends: maybe, while the peer takes less than is written.
 * Cancel:   if part of it has gone, every later write fails with -EPIPE.
 * Return:   0, or negative; a failure may be that of an earlier write.
 * Errors:   WEFT_EWRITE_TIMEOUT; WEFT_ECLOSED; -EBUSY another task writes; -EPIPE and -ECONNRESET
 *           the peer is gone; -ENOMEM.
 * Source:   asyncio StreamWriter.write with drain, trio send_all.
 * Since:    0.1
 */
WEFT_API int weft_stream_write(weft_stream *stream, const void *data, size_t len);

/**
 * weft_stream_writev() - write several pieces as if they were one
 * @stream: borrows.
 * @slices: borrows, n of them; pieces of no bytes are skipped.
 * @n:      number of pieces.
 *
 * Over TLS small pieces share a record.
 *
 * Suspends: maybe, as weft_stream_write.
 * Cancel:   as weft_stream_write.
 * Return:   0, or negative.
 * Errors:   those of weft_stream_write.
 * Source:   asyncio StreamWriter.writelines.
 * Since:    0.1
 */
WEFT_API int weft_stream_writev(weft_stream *stream, const weft_slice *slices, size_t n);

/**
 * weft_stream_flush() - wait until everything written is with the kernel
 * @stream: borrows.
 *
 * Suspends: maybe.
 * Cancel:   the rest is sent later.
 * Return:   0, or negative.
 * Errors:   those of weft_stream_write.
 * Source:   asyncio StreamWriter.drain.
 * Since:    0.1
 */
WEFT_API int weft_stream_flush(weft_stream *stream);

/**
 * weft_stream_write_eof() - end our direction; reading goes on
 * @stream: borrows.
 *
 * Suspends: maybe, as weft_stream_flush.
 * Cancel:   the end is not written.
 * Return:   0, or negative. A second call does nothing.
 * Errors:   -EOPNOTSUPP the transport has no half close; those of weft_stream_write.
 * Source:   asyncio StreamWriter.write_eof, trio send_eof.
 * Since:    0.1
 */
WEFT_API int weft_stream_write_eof(weft_stream *stream);

/**
 * weft_stream_can_write_eof() - can weft_stream_write_eof end one direction alone?
 * @stream: borrows.
 *
 * Suspends: never.
 * Return:   false for a transport without half close, as a terminal.
 * Source:   asyncio StreamWriter.can_write_eof.
 * Since:    0.1
 */
WEFT_API bool weft_stream_can_write_eof(const weft_stream *stream);

/**
 * weft_stream_set_timeout() - limit how long nothing may move
 * @stream: borrows.
 * @read:   nanoseconds a read waits for its first byte; 0 or WEFT_FOREVER: no limit.
 * @write:  nanoseconds a write waits without progress; 0 or WEFT_FOREVER: no limit.
 *
 * For the time of a whole conversation put a scope around it.
 *
 * Suspends: never.
 * Source:   socket.settimeout, httpx.Timeout.
 * Since:    0.1
 */
WEFT_API void weft_stream_set_timeout(weft_stream *stream, int64_t read, int64_t write);

/**
 * weft_stream_set_write_limits() - how much may be unsent before a writer waits
 * @stream: borrows.
 * @high:   bytes; a write that would exceed them waits. 0, or more than 64 KiB: 64 KiB.
 * @low:    bytes; it waits until no more than these are unsent. At most high.
 *
 * Small ones keep what is stale by the time it is sent short.  A write into an empty buffer never
 * waits.  Pipes and large writes have no buffer, and streams in memory one of fixed size.
 *
 * Suspends: never.
 * Source:   asyncio WriteTransport.set_write_buffer_limits.
 * Since:    0.1
 */
WEFT_API void weft_stream_set_write_limits(weft_stream *stream, size_t high, size_t low);

/**
 * weft_stream_abort() - cut a connection off, also under the tasks that use it
 * @stream: borrows. NULL is allowed; weft_stream_free is still needed, when no task is in a call.
 *
 * What is unsent is dropped, and the peer of a TCP connection sees a reset.  Tasks that read or
 * write get WEFT_ECLOSED.
 *
 * Suspends: never.
 * Source:   asyncio WriteTransport.abort.
 * Since:    0.1
 */
WEFT_API void weft_stream_abort(weft_stream *stream);

/**
 * weft_stream_get_name() - what kind of stream this is
 * @stream: borrows.
 *
 * Suspends: never.
 * Return:   lends until the stream is freed: "socket", "TLS", "pipe", "memory", "stapled", or
 *           what its maker called it.
 * Since:    0.1
 */
WEFT_API const char *weft_stream_get_name(const weft_stream *stream);

/**
 * weft_stream_close() - end a stream in order
 * @stream: borrows. NULL is allowed; weft_stream_free is still needed.
 *
 * Sends what is buffered, says goodbye where the transport does (TLS close_notify), and releases
 * the descriptor, whatever happens.  A peer's goodbye is not waited for.
 *
 * Suspends: maybe, for at most the write time-out, or 60 s.
 * Cancel:   the descriptor is released all the same; unsent data is dropped.
 * Return:   0, or negative if data was lost. A second call does nothing.
 * Errors:   those of weft_stream_write; -EBUSY another task is in a call on this stream.
 * Source:   asyncio StreamWriter.close with wait_closed.
 * Since:    0.1
 */
WEFT_API int weft_stream_close(weft_stream *stream);

/**
 * weft_stream_free() - release a stream
 * @stream: takes. NULL is allowed. No task may be in a call on it.
 *
 * Without weft_stream_close before it the connection is dropped: of what is buffered only what
 * fits into the kernel at once still goes.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_stream_free(weft_stream *stream);

/* ---- buffered reading ---- */

typedef struct weft_reader weft_reader;

/**
 * weft_reader_new() - make a buffered reader of a stream
 * @stream: keeps until weft_reader_free; meanwhile only the reader reads from it.
 * @max:    bytes of the longest line or record, the separator included; 0: 64 KiB.
 * @ret:    gives, free with weft_reader_free.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   asyncio.StreamReader(limit=).
 * Since:    0.1
 */
WEFT_API int weft_reader_new(weft_stream *stream, size_t max, weft_reader **ret);

/**
 * weft_reader_free() - release a reader, not its stream
 * @reader: takes. NULL is allowed. What it has buffered is lost.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_reader_free(weft_reader *reader);

/**
 * weft_reader_read() - read what is there, at least one byte
 * @reader: borrows.
 * @data:   borrows, at least len bytes.
 * @len:    bytes; 0 returns 0 at once.
 *
 * Suspends: maybe.
 * Cancel:   nothing is lost.
 * Return:   bytes read, 0 at the end of the stream, or negative.
 * Errors:   those of weft_stream_read; -ENOMEM.
 * Source:   asyncio.StreamReader.read.
 * Since:    0.1
 */
WEFT_API int64_t weft_reader_read(weft_reader *reader, void *data, size_t len);

/**
 * weft_reader_read_exact() - read exactly so many bytes
 * @reader: borrows.
 * @data:   borrows, at least len bytes.
 * @len:    bytes.
 *
 * Suspends: maybe.
 * Cancel:   nothing is lost: the next read begins where this one did.
 * Return:   0, or negative.
 * Errors:   WEFT_EEOF the stream ended before: what came is in data, and still to be read; those
 *           of weft_reader_read; -ENOMEM what came is in data only.
 * Source:   asyncio.StreamReader.readexactly, IncompleteReadError.partial.
 * Since:    0.1
 */
WEFT_API int weft_reader_read_exact(weft_reader *reader, void *data, size_t len);

/**
 * weft_reader_read_until() - read a record that ends with a separator
 * @reader:    borrows.
 * @separator: borrows. NUL-terminated, not empty.
 * @ret:       lends until the next call on this reader: the record with its separator, and a NUL
 *             behind it.
 *
 * Suspends: maybe.
 * Cancel:   nothing is lost.
 * Return:   the length, 0 at the end of the stream, or negative.
 * Errors:   WEFT_EEOF the stream ended inside a record, which can still be read by
 *           weft_reader_read; WEFT_ETOO_LONG no separator within the maximum, nothing is lost;
 *           those of weft_reader_read.
 * Source:   asyncio.StreamReader.readuntil.
 * Since:    0.1
 */
WEFT_API int64_t weft_reader_read_until(weft_reader *reader, const char *separator, char **ret);

/**
 * weft_reader_read_until_any() - read a record that ends with one of several separators
 * @reader:     borrows.
 * @separators: borrows. None empty; ends with NULL: {"\r\n", "\n", NULL}. Of several matches
 *              the one that ends first counts.
 * @ret:        lends until the next call on this reader: the record with its separator, and a
 *              NUL behind it.
 *
 * Suspends: maybe.
 * Cancel:   nothing is lost.
 * Return:   the length, 0 at the end of the stream, or negative.
 * Errors:   those of weft_reader_read_until.
 * Source:   asyncio.StreamReader.readuntil with a tuple.
 * Since:    0.1
 */
WEFT_API int64_t weft_reader_read_until_any(weft_reader *reader, const char *const *separators,
                                            char **ret);

/**
 * weft_reader_read_all() - read to the end of the stream
 * @reader:  borrows.
 * @max:     bytes; 0: 64 MiB.
 * @ret:     gives, free with weft_free: all that was left, and a NUL behind it.
 * @ret_len: borrows, gets the length without the NUL; 0 where nothing was left.
 *
 * Suspends: maybe.
 * Cancel:   nothing is lost.
 * Return:   0, or negative.
 * Errors:   WEFT_ETOO_LONG it is longer than max, nothing is lost; those of weft_reader_read.
 * Source:   asyncio.StreamReader.read(-1).
 * Since:    0.1
 */
WEFT_API int weft_reader_read_all(weft_reader *reader, size_t max, char **ret, size_t *ret_len);

/**
 * weft_reader_read_line() - read a line, "\n" included
 * @reader: borrows.
 * @ret:    lends until the next call on this reader: the line, and a NUL behind it.
 *
 * The last line may lack its newline.
 *
 * Suspends: maybe.
 * Cancel:   nothing is lost.
 * Return:   the length, 0 at the end of the stream, or negative.
 * Errors:   WEFT_ETOO_LONG; those of weft_reader_read.
 * Source:   asyncio.StreamReader.readline.
 * Since:    0.1
 */
WEFT_API int64_t weft_reader_read_line(weft_reader *reader, char **ret);

/**
 * weft_reader_at_eof() - has the end of the stream been read?
 * @reader: borrows.
 *
 * Suspends: never.
 * Return:   true if the end was seen and nothing is buffered.
 * Source:   asyncio.StreamReader.at_eof.
 * Since:    0.1
 */
WEFT_API bool weft_reader_at_eof(const weft_reader *reader);

/**
 * weft_reader_buffered() - bytes that are read ahead
 * @reader: borrows.
 *
 * Before a stream is handed on, to TLS above all, it must be 0: what is read ahead would be
 * taken for something that came later, under the new protection.
 *
 * Suspends: never.
 * Return:   bytes that the next read gives without asking the stream.
 * Since:    0.1
 */
WEFT_API size_t weft_reader_buffered(const weft_reader *reader);

/* ---- in memory ---- */

/**
 * weft_stream_pair() - make two streams in memory, each the peer of the other
 * @capacity: bytes that may be under way in each direction; 0: 64 KiB.
 * @ret_a:    gives, free with weft_stream_free.
 * @ret_b:    gives, free with weft_stream_free.
 *
 * Both belong to the loop of the calling thread.  They need no socket, and work on the virtual
 * back end.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   socket.socketpair, trio memory_stream_pair.
 * Since:    0.1
 */
WEFT_API int weft_stream_pair(size_t capacity, weft_stream **ret_a, weft_stream **ret_b);

/* ---- pipes, and two streams as one ---- */

/**
 * weft_pipe() - make a pipe of the system
 * @ret_read:  gives, free with weft_stream_free.
 * @ret_write: gives, free with weft_stream_free. Its end is written by weft_stream_write_eof or
 *             weft_stream_close.
 *
 * A write to a pipe that nobody reads from any more is -EPIPE; no signal is raised.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EMFILE, -ENFILE no descriptor is left; -ENOMEM.
 * Source:   os.pipe with loop.connect_read_pipe and connect_write_pipe.
 * Since:    0.1
 */
WEFT_API int weft_pipe(weft_stream **ret_read, weft_stream **ret_write);

/**
 * weft_stream_staple() - one stream out of two
 * @reader: takes, on failure too: what it gives is read.
 * @writer: takes, on failure too: what is written goes to it.
 * @ret:    gives, free with weft_stream_free.
 *
 * As of the two pipes of a process one conversation is made.  The end of writing is the end of
 * writer, or where that has no such thing its close.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL NULL, or twice the same stream; -ENOMEM.
 * Source:   trio.StapledStream.
 * Since:    0.1
 */
WEFT_API int weft_stream_staple(weft_stream *reader, weft_stream *writer, weft_stream **ret);

/* ---- streams of your own ---- */

/* The socket itself, where its bytes are those of the stream. */
typedef struct weft_stream_direct {
    int fd;               /* lent, non-blocking */
    int64_t read_timeout; /* nanoseconds without progress, or WEFT_FOREVER */
    int64_t write_timeout;
} weft_stream_direct;

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
    /* For sendfile and splice; after a flush. Negative, or NULL: they cannot be used. */
    int (*direct)(void *self, weft_stream_direct *ret);
    /* At most high bytes unsent, low before a writer that waited goes on. NULL: asks below. */
    void (*set_write_limits)(void *self, size_t high, size_t low);
    /*
     * Cuts off without suspending; calls under way must return soon, with whatever error.  free
     * follows.  NULL: the stream below is cut off.
     */
    void (*abort)(void *self);
} weft_stream_ops;

/**
 * weft_stream_new() - make a stream of one's own
 * @ops:  borrows while it is copied; its address is what weft_stream_get_self compares.
 * @self: takes: ops->free is called for it, on failure too.
 * @ret:  gives, free with weft_stream_free.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL read, writev or free is missing; -ENOMEM.
 * Source:   asyncio transports, trio.abc.Stream.
 * Since:    0.1
 */
WEFT_API int weft_stream_new(const weft_stream_ops *ops, void *self, weft_stream **ret);

/**
 * weft_stream_get_self() - the object behind a stream
 * @stream: borrows.
 * @ops:    borrows: the pointer that weft_stream_new got.
 *
 * Suspends: never.
 * Return:   lends self until the stream is freed; NULL for a stream of another kind.
 * Since:    0.1
 */
WEFT_API void *weft_stream_get_self(weft_stream *stream, const weft_stream_ops *ops);

/**
 * weft_stream_below() - the stream that carries this one
 * @stream: borrows.
 *
 * Suspends: never.
 * Return:   lends until stream is freed; NULL at the bottom.
 * Source:   asyncio get_extra_info, httpcore extensions network_stream.
 * Since:    0.1
 */
WEFT_API weft_stream *weft_stream_below(weft_stream *stream);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_stream, weft_stream_free)
WEFT_DEFINE_AUTO(weft_reader, weft_reader_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

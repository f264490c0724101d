/*
 * weft/file_more.h - files beyond reading and writing: standard descriptors, locks, space,
 * streams and sockets, many small files at once.
 */
#ifndef WEFT_FILE_MORE_H
#define WEFT_FILE_MORE_H

#include <weft/base.h>
#include <weft/file.h>
#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- standard descriptors ---- */

/**
 * weft_file_stdin() - the standard input as a file
 * @ret: gives, free with weft_file_close(), which leaves descriptor 0 open.
 *
 * A pipe or terminal waits in the loop and occupies no thread; a read can be cancelled.  The
 * descriptor is not made non-blocking, for the shell has it too.  Text, or another buffer:
 * weft_file_from_fd() with keep_open.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_file_from_fd().
 * Source:   sys.stdin, aiofiles.stdin, aiofiles.stdin_bytes.
 * Since:    0.1
 */
WEFT_API int weft_file_stdin(weft_file **ret);

/**
 * weft_file_stdout() - the standard output as a file
 * @ret: gives, free with weft_file_close(), which leaves descriptor 1 open.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_file_from_fd().
 * Source:   sys.stdout, aiofiles.stdout, aiofiles.stdout_bytes.
 * Since:    0.1
 */
WEFT_API int weft_file_stdout(weft_file **ret);

/**
 * weft_file_stderr() - the standard error output as a file
 * @ret: gives, free with weft_file_close(), which leaves descriptor 2 open.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_file_from_fd().
 * Source:   sys.stderr, aiofiles.stderr, aiofiles.stderr_bytes.
 * Since:    0.1
 */
WEFT_API int weft_file_stderr(weft_file **ret);

/* ---- what an open file is ---- */

/**
 * weft_file_dup() - a second file object for the same open file
 * @file: borrows. What it has written is flushed.
 * @ret:  gives, free with weft_file_close().
 *
 * It has a position of its own, which begins where that of @file is.
 *
 * Suspends: maybe, if something was written before.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EMFILE; -ENOMEM; as weft_file_flush().
 * Source:   os.dup, tokio File::try_clone.
 * Since:    0.1
 */
WEFT_API int weft_file_dup(weft_file *file, weft_file **ret);

/**
 * weft_file_name() - the path it was opened by
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   lends until the file is closed.
 * Source:   file.name.
 * Since:    0.1
 */
WEFT_API const char *weft_file_name(const weft_file *file);

/**
 * weft_file_mode() - the mode it was opened with
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   lends until the file is closed.
 * Source:   file.mode.
 * Since:    0.1
 */
WEFT_API const char *weft_file_mode(const weft_file *file);

/**
 * weft_file_fd() - its descriptor
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   lends until the file is closed; of a file made with keep_open it is a duplicate.
 * Source:   file.fileno.
 * Since:    0.1
 */
WEFT_API int weft_file_fd(const weft_file *file);

/**
 * weft_file_is_readable() - was it opened for reading?
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   true if it can be read.
 * Source:   file.readable.
 * Since:    0.1
 */
WEFT_API bool weft_file_is_readable(const weft_file *file);

/**
 * weft_file_is_writable() - was it opened for writing?
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   true if it can be written.
 * Source:   file.writable.
 * Since:    0.1
 */
WEFT_API bool weft_file_is_writable(const weft_file *file);

/**
 * weft_file_is_seekable() - does it have positions?
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   false for a pipe, terminal or socket.
 * Source:   file.seekable.
 * Since:    0.1
 */
WEFT_API bool weft_file_is_seekable(const weft_file *file);

/**
 * weft_file_is_tty() - is it a terminal?
 * @file: borrows.
 *
 * Suspends: never.
 * Return:   true for a terminal.
 * Source:   file.isatty.
 * Since:    0.1
 */
WEFT_API bool weft_file_is_tty(const weft_file *file);

/**
 * weft_file_backend() - by which ways operations on files reach the kernel
 *
 * "inline, ring, pool" with io_uring and "inline, pool" without it, in the order in which they
 * are tried; or what WEFT_FILE_BACKEND forces.
 *
 * Suspends: never.
 * Return:   lends a static string.
 * Since:    0.1
 */
WEFT_API const char *weft_file_backend(void);

/* ---- space ---- */

typedef enum weft_allocate {
    WEFT_ALLOCATE_GROW,  /* the file is at least that long afterwards */
    WEFT_ALLOCATE_KEEP,  /* its size stays */
    WEFT_ALLOCATE_PUNCH, /* the range becomes a hole, which reads as zeros */
    WEFT_ALLOCATE_ZERO   /* the range reads as zeros and keeps its blocks */
} weft_allocate;

/**
 * weft_file_allocate() - reserve blocks for a range, or give them back
 * @file:   borrows. Open for writing.
 * @offset: bytes from the start of the file.
 * @len:    bytes, more than 0.
 * @how:    what happens to the range.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EBADF not open for writing; -EINVAL; -ENOSPC, -EFBIG; -EOPNOTSUPP the file system
 *           cannot; -ESPIPE.
 * Source:   os.posix_fallocate; fallocate(2).
 * Since:    0.1
 */
WEFT_API int weft_file_allocate(weft_file *file, int64_t offset, int64_t len, weft_allocate how);

typedef enum weft_advice {
    WEFT_ADVICE_NORMAL,
    WEFT_ADVICE_SEQUENTIAL,
    WEFT_ADVICE_RANDOM,
    WEFT_ADVICE_WILL_NEED, /* it is read ahead now */
    WEFT_ADVICE_DONT_NEED  /* it leaves the page cache, if it is written */
} weft_advice;

/**
 * weft_file_advise() - say how a range will be used
 * @file:   borrows.
 * @offset: bytes from the start of the file.
 * @len:    bytes; 0: to the end.
 * @advice: what is to come.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EINVAL; -ESPIPE a pipe.
 * Source:   os.posix_fadvise.
 * Since:    0.1
 */
WEFT_API int weft_file_advise(weft_file *file, int64_t offset, int64_t len, weft_advice advice);

/* ---- locks ---- */

/* What is locked; a zero field is the default. */
typedef struct weft_lock_options {
    size_t size;
    bool shared;    /* others may hold it shared, too; else it is exclusive */
    bool flock;     /* flock(2), of the whole file; else a lock of the open file (F_OFD_SETLK) */
    int64_t offset; /* bytes from the start */
    int64_t len;    /* bytes; 0: to the end, however far it moves */
} weft_lock_options;

#define WEFT_LOCK(...) WEFT_OPTIONS(weft_lock_options, __VA_ARGS__)

/**
 * weft_file_lock() - lock a file, or a range, against other programs and other opened files
 * @file:    borrows. Open for writing, or with shared for reading; with flock any.
 * @options: borrows; NULL: exclusive, all of it.
 *
 * It belongs to this opening of the file and ends with weft_file_unlock() or when the file is
 * closed.  Waiting occupies no thread: it asks again, after 1 ms at first, after 50 ms at last,
 * so that waiters are not served in their order.
 *
 * Suspends: maybe, while another one has it.
 * Cancel:   -ECANCELED, it is not locked.
 * Return:   0, or negative.
 * Errors:   -EBADF not open for that; -EINVAL; -ENOLCK.
 * Source:   fcntl.lockf, fcntl.flock; fcntl(2) F_OFD_SETLK.
 * Since:    0.1
 */
WEFT_API int weft_file_lock(weft_file *file, const weft_lock_options *options);

/**
 * weft_file_try_lock() - lock a file if nobody else has it
 * @file:    borrows. As weft_file_lock().
 * @options: borrows; NULL: exclusive, all of it.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EAGAIN another one has it; as weft_file_lock().
 * Source:   fcntl.flock(LOCK_NB).
 * Since:    0.1
 */
WEFT_API int weft_file_try_lock(weft_file *file, const weft_lock_options *options);

/**
 * weft_file_unlock() - give a lock back
 * @file:    borrows. What it has written is flushed first.
 * @options: borrows; NULL: all of it. shared does not matter.
 *
 * Suspends: maybe, if something was written before.
 * Cancel:   the lock is given back; what was written is kept for a later flush.
 * Return:   0, or negative. It is unlocked all the same if a write failed.
 * Errors:   -EINVAL; as weft_file_flush().
 * Source:   fcntl.flock(LOCK_UN).
 * Since:    0.1
 */
WEFT_API int weft_file_unlock(weft_file *file, const weft_lock_options *options);

/* ---- streams and sockets ---- */

/**
 * weft_file_stream() - a file as a byte stream
 * @file: takes, on failure too. weft_stream_close() closes it and says what was not written.
 * @ret:  gives, free with weft_stream_free().
 *
 * Reading and writing go by the file's position, one at a time.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   anyio FileReadStream, FileWriteStream.
 * Since:    0.1
 */
WEFT_API int weft_file_stream(weft_file *file, weft_stream **ret);

/**
 * weft_file_send() - send a range of a file to a stream
 * @file:   borrows. Open for reading; the position does not move.
 * @offset: bytes from the start of the file.
 * @len:    bytes; negative: to the end.
 * @stream: borrows. Nobody else writes to it meanwhile.
 *
 * To a plain socket the kernel copies by itself (sendfile); to other streams through a buffer.
 *
 * Suspends: maybe.
 * Cancel:   as weft_stream_write(): a part may have gone.
 * Return:   the number of bytes, fewer than @len only where the file ends; or negative.
 * Errors:   -EBADF not open for reading; -ESPIPE a pipe or terminal; those of weft_file_read_at()
 *           and weft_stream_write().
 * Source:   aiofiles.os.sendfile, loop.sendfile.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_send(weft_file *file, int64_t offset, int64_t len, weft_stream *stream);

/**
 * weft_file_receive() - write what comes from a stream into a range of a file
 * @file:   borrows. Open for writing, not with "a"; the position does not move.
 * @offset: bytes from the start of the file.
 * @len:    bytes; negative: to the end of the stream.
 * @stream: borrows. Nobody else reads from it meanwhile.
 *
 * From a plain socket the bytes do not pass through this program's memory (splice). Space for a
 * @len of a MiB and more is reserved first, and what is not needed given back: nobody else makes
 * the file longer meanwhile.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; what was taken from the stream is in the file.
 * Return:   the number of bytes, fewer than @len only where the stream ends; or negative.
 * Errors:   -EBADF not open for writing, or to append; -ESPIPE a pipe or terminal; -ENOSPC; those
 *           of weft_stream_read() and weft_file_write_at().
 * Source:   shutil.copyfileobj(socket, file).
 * Since:    0.1
 */
WEFT_API int64_t weft_file_receive(weft_file *file, int64_t offset, int64_t len,
                                   weft_stream *stream);

/* ---- many small files ---- */

/* One file of many. */
typedef struct weft_file_item {
    const char *path;
    char *data; /* read: given, free with weft_free(), a NUL behind it; write: borrowed */
    size_t len; /* bytes of data */
    int error;  /* 0, or what went wrong; -ECANCELED: it was not tried */
} weft_file_item;

/* How many files are read or written; a zero field is the default. */
typedef struct weft_many_options {
    size_t size;
    size_t limit; /* files at once; 64, at most 256 */
    bool collect; /* go on after an error: each item has its own */
    bool ordered; /* done is called in the order of the items */
    /* Called for each file as it comes, in this task; it must not wait.  Negative ends it all. */
    int (*done)(weft_file_item *item, void *arg);
    void *arg;
} weft_many_options;

#define WEFT_MANY(...) WEFT_OPTIONS(weft_many_options, __VA_ARGS__)

/**
 * weft_read_many() - read many small files whole, many at once
 * @items:   borrows. @n of them; path is used, the rest is filled in.
 * @n:       number of files.
 * @options: borrows; NULL: all defaults.
 *
 * With io_uring opening, reading and closing many files costs a few system calls.  A done
 * function may free item->data and set it to NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; all data is freed.
 * Return:   0, or the first error: then all data is freed. With collect 0, or the number of
 *           items whose error is set.
 * Errors:   as weft_read_file(); what done returned.
 * Source:   asyncio.gather over aiofiles.open(...).read().
 * Since:    0.1
 */
WEFT_API int weft_read_many(weft_file_item *items, size_t n, const weft_many_options *options);

/**
 * weft_write_many() - create or replace many small files, many at once
 * @items:   borrows. @n of them; path, data and len are used, error is filled in.
 * @n:       number of files.
 * @options: borrows; NULL: all defaults.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; files that were begun are written to the end.
 * Return:   0, or the first error. With collect 0, or the number of items whose error is set.
 * Errors:   as weft_write_file(); what done returned.
 * Source:   asyncio.gather over aiofiles.open(..., "w").write().
 * Since:    0.1
 */
WEFT_API int weft_write_many(weft_file_item *items, size_t n, const weft_many_options *options);

#ifdef __cplusplus
}
#endif
#endif

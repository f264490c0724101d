/*
 * weft/file.h - files, whole, by position and as a sequence of lines.
 *
 *     char *text;
 *     size_t len;
 *     err = weft_read_file("config.json", &text, &len);      gives, free with weft_free
 *
 *     weft_file *file;
 *     char *line;
 *     int64_t n;
 *     err = weft_file_open("list.txt", "r", &file);
 *     while ((n = weft_file_read_line(file, &line)) > 0)
 *         printf("%s", line);
 *     err = weft_file_close(file);
 *
 * All calls work inside tasks, where other tasks run while a disk is waited for, and outside,
 * where they are plain system calls.  What lies in the page cache is read at once, without a
 * thread or another task in between.  Pipes and terminals wait in the loop: a read of one can be
 * cancelled and never occupies a thread.
 *
 * A weft_file has one position, which read, read_line, write and seek move: one task at a time,
 * another one gets -EBUSY.  weft_file_read_at and weft_file_write_at leave it alone and may be
 * called by any number of tasks at once.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <weft/base.h>
#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_file weft_file;

/* ---- whole files ---- */

/**
 * weft_read_file() - read a whole file into memory
 * @path:    borrows. NUL-terminated.
 * @ret:     gives, free with weft_free(). A NUL that is not counted stands behind the bytes.
 * @ret_len: gives the number of bytes; may be NULL.
 *
 * Of a pipe or device, which has no size, at most 1 GiB (FILE_STREAM) is read.
 *
 * Suspends: maybe, if the file is not in the page cache or something else could run meanwhile.
 * Cancel:   -ECANCELED, nothing is left open.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EACCES, -EISDIR and what else open and read say; WEFT_ETOO_LONG; -ENOMEM.
 * Source:   open(path, "rb").read(), pathlib.Path.read_bytes.
 * Since:    0.1
 */
WEFT_API int weft_read_file(const char *path, char **ret, size_t *ret_len);

/**
 * weft_write_file() - create a file, or replace the bytes of one
 * @path: borrows. NUL-terminated.
 * @data: borrows. @len bytes; may be NULL if @len is 0.
 * @len:  bytes.
 *
 * The file is emptied first and then written, like Python's mode "w": after an error or a
 * cancellation it may hold a part.  A new file has the permissions 0666 without the umask.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if writing has not begun, else it is done to the end.
 * Return:   0 if all was written and closed without an error, or negative.
 * Errors:   -ENOENT, -EACCES, -EISDIR, -ENOSPC and what else open, write and close say; -ENOMEM.
 * Source:   open(path, "wb").write(data), pathlib.Path.write_bytes.
 * Since:    0.1
 */
WEFT_API int weft_write_file(const char *path, const void *data, size_t len);

/**
 * weft_append_file() - add bytes at the end of a file, which is created if need be
 * @path: borrows. NUL-terminated.
 * @data: borrows. @len bytes; may be NULL if @len is 0.
 * @len:  bytes.
 *
 * The bytes are given to the kernel in one write where it takes them so: lines that several
 * writers append do not mix.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if writing has not begun, else it is done to the end.
 * Return:   0 if all was written and closed without an error, or negative.
 * Errors:   as weft_write_file().
 * Source:   open(path, "ab").write(data).
 * Since:    0.1
 */
WEFT_API int weft_append_file(const char *path, const void *data, size_t len);

/* ---- opening and closing ---- */

/**
 * weft_file_open() - open a file
 * @path: borrows. NUL-terminated.
 * @mode: borrows. One of "r" (read, must exist), "w" (write, emptied or created), "a" (write at
 *        the end, created if need be), "x" (write, must not exist); with "+" for reading and
 *        writing. "b" and "t" are accepted and change nothing: bytes are translated only where text
 *        is asked for.
 * @ret:  gives, free with weft_file_close().
 *
 * A FIFO is opened without waiting for the other side; the first read waits for a writer.
 * Opening one only for writing waits for a reader.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; the descriptor does not leak.
 * Return:   0, or negative.
 * Errors:   -EINVAL no such mode; -EISDIR a folder; -EEXIST mode "x"; -EMFILE and what else open
 *           says; -ENOMEM.
 * Source:   open, aiofiles.open.
 * Since:    0.1
 */
WEFT_API int weft_file_open(const char *path, const char *mode, weft_file **ret);

/* How a file is opened; a zero field is the default. */
typedef struct weft_file_options {
    size_t size;
    size_t buffer;   /* bytes read ahead at first, and collected before they are written: 16 KiB
                         growing to 256 KiB, and 64 KiB; at most 256 KiB */
    bool unbuffered; /* each call is a system call: buffering=0. Not with text */
    unsigned mode;   /* permissions of a new file before the umask; 0666 */
    int flags;       /* more flags of open: O_SYNC, O_NOFOLLOW, O_DIRECT, ...; O_DIRECT ends with
                         the first transfer that is not aligned to 4 KiB */
    size_t line_max; /* bytes of a line; 16 MiB (FILE_LINE), at most 1 GiB */
    bool text;       /* the file is text: what is read and written here is UTF-8, and checked */
    const char *encoding; /* copied. Of the file; UTF-8. "utf-8-sig", "latin-1", what iconv knows */
    const char *newline;  /* copied. As Python's: NULL reads "\n", "\r" and "\r\n" as "\n"; ""
                             leaves them; "\n"; "\r" and "\r\n" end lines and are written */
    bool replace;         /* what cannot be decoded becomes U+FFFD, what cannot be encoded '?' */
    bool keep_open;       /* of weft_file_from_fd: a duplicate is used; closefd=False */
    const char *name;     /* copied. Of weft_file_from_fd, for messages */
} weft_file_options;

#define WEFT_FILE(...) WEFT_OPTIONS(weft_file_options, __VA_ARGS__)

/**
 * weft_file_open_with() - open a file with options
 * @path:    borrows. NUL-terminated.
 * @mode:    borrows. As weft_file_open().
 * @options: borrows; NULL: as weft_file_open().
 * @ret:     gives, free with weft_file_close().
 *
 * Text of another encoding is read and written as UTF-8 here.  Positions of text are places in
 * the file, as weft_file_tell() says them; those of a stateful encoding are not to be sought.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; the descriptor does not leak.
 * Return:   0, or negative.
 * Errors:   -EINVAL options that contradict each other or the mode, no such encoding; as
 *           weft_file_open().
 * Source:   open(buffering=, encoding=, errors=, newline=, opener=), aiofiles.open.
 * Since:    0.1
 */
WEFT_API int weft_file_open_with(const char *path, const char *mode,
                                 const weft_file_options *options, weft_file **ret);

/**
 * weft_file_from_fd() - make a file of an open descriptor
 * @fd:      takes, on failure too; with keep_open borrows.
 * @mode:    borrows. As weft_file_open(); it must fit, and nothing is emptied or created.
 * @options: borrows; NULL: all defaults. mode and flags do not matter.
 * @ret:     gives, free with weft_file_close().
 *
 * The position is the descriptor's own, which others may share: writing begins where it is, and
 * weft_file_close() leaves it where reading ended.  O_NONBLOCK is left as it is.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EBADF no such descriptor; -EINVAL it is not open for that; -EISDIR a folder;
 *           -EMFILE; -ENOMEM.
 * Source:   open(fd, closefd=), os.fdopen.
 * Since:    0.1
 */
WEFT_API int weft_file_from_fd(int fd, const char *mode, const weft_file_options *options,
                               weft_file **ret);

/**
 * weft_file_close() - write what is still buffered and close the file
 * @file: takes. NULL is allowed.
 *
 * The file is released in any case but -EBUSY.  A cancelled task's bytes are written too,
 * shielded, for at most 10 s.
 *
 * Suspends: maybe.
 * Cancel:   not: it closes.
 * Return:   0, or negative if bytes that were written before did not reach the file.
 * Errors:   -EBUSY another task is inside a call with this file; -ENOSPC, -EIO, -EDQUOT and what
 *           else write and close say.
 * Source:   file.close.
 * Since:    0.1
 */
WEFT_API int weft_file_close(weft_file *file);

/* ---- at the position ---- */

/**
 * weft_file_read() - read bytes at the position
 * @file: borrows. Open for reading.
 * @data: borrows. Room for @len bytes.
 * @len:  bytes.
 *
 * Fewer bytes than asked for mean the end of the file, or that an error or cancellation came
 * after them, which the next call returns.  Of a pipe or terminal what is there is returned.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, the position has not moved.
 * Return:   the number of bytes, 0 at the end, or negative.
 * Errors:   -EBADF not open for reading; -EBUSY another task uses the position; -EIO and what
 *           else read says; -ENOMEM.
 * Source:   file.read(n).
 * Since:    0.1
 */
WEFT_API int64_t weft_file_read(weft_file *file, void *data, size_t len);

/**
 * weft_file_read_some() - read what is there, at least one byte
 * @file: borrows. Open for reading.
 * @data: borrows. Room for @len bytes.
 * @len:  bytes.
 *
 * At most one read of the system.
 *
 * Suspends: maybe, if nothing is in the buffer.
 * Cancel:   -ECANCELED, the position has not moved.
 * Return:   the number of bytes, 0 at the end, or negative.
 * Errors:   as weft_file_read().
 * Source:   file.read1, file.readinto1.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_read_some(weft_file *file, void *data, size_t len);

/**
 * weft_file_read_exact() - read exactly so many bytes
 * @file: borrows. Open for reading.
 * @data: borrows. Room for @len bytes.
 * @len:  bytes.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; how much was read is what weft_file_tell() says.
 * Return:   0, or negative.
 * Errors:   WEFT_EEOF the file ends before; as weft_file_read().
 * Source:   io.RawIOBase.readinto in a loop, asyncio.StreamReader.readexactly.
 * Since:    0.1
 */
WEFT_API int weft_file_read_exact(weft_file *file, void *data, size_t len);

/**
 * weft_file_read_all() - read from the position to the end
 * @file:    borrows. Open for reading.
 * @ret:     gives, free with weft_free(). A NUL that is not counted stands behind the bytes.
 * @ret_len: gives the number of bytes; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; what was read until then is lost.
 * Return:   0, or negative.
 * Errors:   WEFT_ETOO_LONG more than 1 GiB (FILE_STREAM) of a pipe; as weft_file_read().
 * Source:   file.read(), file.readall().
 * Since:    0.1
 */
WEFT_API int weft_file_read_all(weft_file *file, char **ret, size_t *ret_len);

/**
 * weft_file_peek() - look at the next bytes and leave the position where it is
 * @file: borrows. Open for reading, not as text.
 * @want: bytes, at most 128 KiB; fewer are lent only before the end. 0: whatever is there.
 * @ret:  lends until the next call with this file.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED.
 * Return:   the number of bytes, which may be more than @want; 0 at the end; or negative.
 * Errors:   -EINVAL text, or too many; as weft_file_read().
 * Source:   io.BufferedReader.peek.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_peek(weft_file *file, size_t want, const char **ret);

/* A place for some bytes of a scattered read. */
typedef struct weft_part {
    void *data;
    size_t len;
} weft_part;

/**
 * weft_file_readv() - read into several places, one after the other
 * @file:  borrows. Open for reading.
 * @parts: borrows, @n of them.
 * @n:     number of places.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if nothing was read.
 * Return:   the number of bytes, fewer than there is room for only at the end; or negative.
 * Errors:   as weft_file_read().
 * Source:   os.readv.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_readv(weft_file *file, const weft_part *parts, size_t n);

/**
 * weft_file_writev() - write several pieces as if they were one
 * @file:   borrows. Open for writing.
 * @slices: borrows, @n of them.
 * @n:      number of pieces.
 *
 * Suspends: maybe.
 * Cancel:   as weft_file_write().
 * Return:   0, or negative.
 * Errors:   as weft_file_write().
 * Source:   file.writelines, os.writev.
 * Since:    0.1
 */
WEFT_API int weft_file_writev(weft_file *file, const weft_slice *slices, size_t n);

/**
 * weft_file_read_line() - read up to and including the next newline
 * @file: borrows. Open for reading.
 * @ret:  lends until the next call with this file. A NUL stands behind the line.
 *
 * The newline is part of the line, as is a carriage return before it; the last line may lack it.
 * NUL bytes are data, which is why the length is returned.  A line has at most 16 MiB
 * (FILE_LINE); after WEFT_ETOO_LONG the position has not moved.
 *
 * Suspends: maybe, if the line is not in the buffer.
 * Cancel:   -ECANCELED, the position has not moved.
 * Return:   the number of bytes, 0 at the end of the file, or negative.
 * Errors:   WEFT_ETOO_LONG; as weft_file_read().
 * Source:   file.readline, for line in file.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_read_line(weft_file *file, char **ret);

/**
 * weft_file_write() - write bytes at the position, or with mode "a" at the end
 * @file: borrows. Open for writing.
 * @data: copies. @len bytes.
 * @len:  bytes.
 *
 * Small writes are collected, up to 64 KiB; weft_file_flush(), weft_file_close(), a seek or a
 * read gives them to the kernel.  What a pipe or terminal gets is not collected.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; of more than 64 KiB a part may have been written, and the position
 *           stands behind it.
 * Return:   0, or negative.
 * Errors:   -EBADF not open for writing; -EBUSY another task uses the position; -ENOSPC, -EPIPE
 *           and what else write says, maybe about bytes of an earlier call; -ENOMEM.
 * Source:   file.write.
 * Since:    0.1
 */
WEFT_API int weft_file_write(weft_file *file, const void *data, size_t len);

/**
 * weft_file_flush() - give the kernel what was written
 * @file: borrows.
 *
 * After an error the bytes that were not written are kept: a later flush or the close tries
 * again.  That they survive a power failure is what weft_file_sync() is for.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, the bytes are kept.
 * Return:   0, or negative.
 * Errors:   as weft_file_write().
 * Source:   file.flush.
 * Since:    0.1
 */
WEFT_API int weft_file_flush(weft_file *file);

/**
 * weft_file_seek() - move the position
 * @file:   borrows. Not a pipe or terminal.
 * @offset: bytes from what @whence says.
 * @whence: SEEK_SET, SEEK_CUR or SEEK_END of <stdio.h>; SEEK_DATA or SEEK_HOLE, as lseek.
 *
 * Behind the end is allowed; a write there leaves a hole.
 *
 * Suspends: maybe, if something was written before.
 * Cancel:   -ECANCELED, the position has not moved.
 * Return:   the new position from the start of the file, or negative.
 * Errors:   -EINVAL before the start, no such whence, or text and another place than @offset from
 *           the start, the position itself or the end; -ENXIO no data follows; -ESPIPE a pipe or terminal; -EBUSY; as
 *           weft_file_write() about what was written before.
 * Source:   file.seek.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_seek(weft_file *file, int64_t offset, int whence);

/**
 * weft_file_tell() - the position
 * @file: borrows. Not a pipe or terminal.
 *
 * Suspends: never; of a text file maybe.
 * Return:   bytes from the start of the file, or negative.
 * Errors:   -ESPIPE a pipe or terminal; -EBUSY another task uses the position.
 * Source:   file.tell.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_tell(weft_file *file);

/* ---- at any place ---- */

/**
 * weft_file_read_at() - read bytes at an offset, whatever the position
 * @file:   borrows. Open for reading; any number of tasks at once.
 * @data:   borrows. Room for @len bytes.
 * @len:    bytes.
 * @offset: bytes from the start of the file.
 *
 * Fewer bytes than asked for mean the end of the file, or that an error or cancellation came
 * after them.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if nothing was read.
 * Return:   the number of bytes, 0 at the end, or negative.
 * Errors:   -EBADF not open for reading; -ESPIPE a pipe or terminal; -EINVAL a negative offset;
 *           -EIO and what else pread says.
 * Source:   os.pread.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_read_at(weft_file *file, void *data, size_t len, int64_t offset);

/**
 * weft_file_write_at() - write bytes at an offset, whatever the position
 * @file:   borrows. Open for writing, not with "a"; any number of tasks at once.
 * @data:   borrows. @len bytes.
 * @len:    bytes.
 * @offset: bytes from the start of the file.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, a part may have been written.
 * Return:   0 if all was written, or negative.
 * Errors:   -EBADF not open for writing, or to append; -ESPIPE a pipe or terminal; -EINVAL a
 *           negative offset; -ENOSPC and what else pwrite says.
 * Source:   os.pwrite.
 * Since:    0.1
 */
WEFT_API int weft_file_write_at(weft_file *file, const void *data, size_t len, int64_t offset);

/**
 * weft_file_readv_at() - read into several places from an offset on, whatever the position
 * @file:   borrows. Open for reading; any number of tasks at once.
 * @parts:  borrows, @n of them.
 * @n:      number of places.
 * @offset: bytes from the start of the file.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if nothing was read.
 * Return:   the number of bytes, fewer than there is room for only at the end, or before an error
 *           or cancellation; or negative.
 * Errors:   as weft_file_read_at().
 * Source:   os.preadv.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_readv_at(weft_file *file, const weft_part *parts, size_t n,
                                    int64_t offset);

/**
 * weft_file_writev_at() - write several pieces one after the other from an offset on
 * @file:   borrows. Open for writing, not with "a"; any number of tasks at once.
 * @slices: borrows, @n of them.
 * @n:      number of pieces.
 * @offset: bytes from the start of the file.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, a part may have been written.
 * Return:   0 if all was written, or negative.
 * Errors:   as weft_file_write_at().
 * Source:   os.pwritev.
 * Since:    0.1
 */
WEFT_API int weft_file_writev_at(weft_file *file, const weft_slice *slices, size_t n,
                                 int64_t offset);

/* ---- the file itself ---- */

/**
 * weft_file_size() - how many bytes the file has
 * @file: borrows. Not a pipe or terminal.
 *
 * What was written and is still buffered counts.
 *
 * Suspends: maybe, if something was written before.
 * Cancel:   -ECANCELED.
 * Return:   bytes, or negative.
 * Errors:   -ESPIPE a pipe or terminal; as weft_file_write() about what was written before.
 * Source:   os.fstat(fd).st_size.
 * Since:    0.1
 */
WEFT_API int64_t weft_file_size(weft_file *file);

/**
 * weft_file_truncate() - make the file shorter, or longer with zeros
 * @file: borrows. Open for writing.
 * @size: bytes.
 *
 * The position stays where it is, behind the end if need be.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EBADF not open for writing; -ESPIPE a pipe or terminal; -EINVAL a negative size;
 *           -EFBIG and what else ftruncate says.
 * Source:   file.truncate(size).
 * Since:    0.1
 */
WEFT_API int weft_file_truncate(weft_file *file, int64_t size);

/**
 * weft_file_sync() - wait until the file's bytes are on the disk
 * @file: borrows. Not a pipe or terminal.
 *
 * Suspends: yes, inside a loop with other tasks.
 * Cancel:   -ECANCELED; what was on its way to the disk may arrive.
 * Return:   0, or negative.
 * Errors:   -EIO, -ENOSPC and what else fsync says; as weft_file_write() about what was written
 *           before; -ESPIPE a pipe or terminal.
 * Source:   file.flush and os.fsync.
 * Since:    0.1
 */
WEFT_API int weft_file_sync(weft_file *file);

/**
 * weft_file_datasync() - wait until what is needed to read the bytes again is on the disk
 * @file: borrows. Not a pipe or terminal.
 *
 * As weft_file_sync(), without times and the like.
 *
 * Suspends: yes, inside a loop with other tasks.
 * Cancel:   -ECANCELED; what was on its way to the disk may arrive.
 * Return:   0, or negative.
 * Errors:   as weft_file_sync().
 * Source:   os.fdatasync.
 * Since:    0.1
 */
WEFT_API int weft_file_datasync(weft_file *file);

/* ---- names ---- */

/**
 * weft_mkdir() - create a folder
 * @path:    borrows. NUL-terminated.
 * @mode:    permissions before the umask; 0: 0777.
 * @parents: create the folders above it too, with 0777, and accept one that exists already.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EEXIST, -ENOENT, -ENOTDIR, -EACCES and what else mkdir says; -ENOMEM.
 * Source:   os.mkdir, os.makedirs(exist_ok=True).
 * Since:    0.1
 */
WEFT_API int weft_mkdir(const char *path, unsigned mode, bool parents);

/**
 * weft_rename() - give a file or folder another name; a file of that name is replaced
 * @from: borrows. NUL-terminated.
 * @to:   borrows. NUL-terminated, on the same file system.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EXDEV and what else rename says; -ENOMEM.
 * Source:   os.replace.
 * Since:    0.1
 */
WEFT_API int weft_rename(const char *from, const char *to);

/**
 * weft_remove() - remove a file or an empty folder
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -ENOTEMPTY, -EACCES and what else unlink and rmdir say; -ENOMEM.
 * Source:   os.remove, os.rmdir.
 * Since:    0.1
 */
WEFT_API int weft_remove(const char *path);

#ifdef __cplusplus
}
#endif
#endif

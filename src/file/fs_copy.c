/*
 * fs_copy.c - copying one file.
 *
 * First the file system is asked to share the blocks (FICLONE).  If it cannot, what lies between
 * the holes is copied inside the kernel (copy_file_range), and if that cannot be, through a
 * buffer.  Holes stay holes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum { BUFFER = 256 * 1024, LIST_BYTES = 65536 };

/* ---- bytes ---- */

struct bytes {
    struct weft__fs_job *job;
    int in;
    int out;
    char *buffer;
    bool no_range; /* the kernel cannot copy between these two */
};

static int write_all(int fd, const char *data, size_t len, int64_t offset)
{
    while (len > 0) {
        size_t now = len;
        ssize_t n = WEFT__FS_MOVE("write", &now, pwrite(fd, data, now, offset));
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

/* A piece through the buffer: how much, 0 at the end. */
static int64_t piece_by_hand(struct bytes *bytes, int64_t offset, size_t len)
{
    if (bytes->buffer == NULL) {
        bytes->buffer = weft__pages_alloc(BUFFER);
        if (bytes->buffer == NULL)
            return -ENOMEM;
    }
    len = len < BUFFER ? len : BUFFER;
    ssize_t n = WEFT__FS_MOVE("read", &len, pread(bytes->in, bytes->buffer, len, offset));
    if (n <= 0)
        return n < 0 ? -errno : 0;
    int err = write_all(bytes->out, bytes->buffer, (size_t)n, offset);
    return err < 0 ? err : n;
}

static int64_t piece(struct bytes *bytes, int64_t offset, size_t len)
{
    int64_t in_at = offset;
    int64_t out_at = offset;
    if (bytes->no_range || weft__fs_fault.no_range)
        return piece_by_hand(bytes, offset, len);
    size_t now = len < WEFT__FS_PIECE ? len : WEFT__FS_PIECE;
    ssize_t n = WEFT__FS_MOVE("copy_file_range", &now,
                              copy_file_range(bytes->in, &in_at, bytes->out, &out_at, now, 0));
    if (n > 0)
        return n;
    if (n < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS &&
        errno != EPERM)
        return -errno;
    bytes->no_range = true;
    return piece_by_hand(bytes, offset, len);
}

/* From one offset to another; where the file ends early, that is *ret_end. */
static int copy_span(struct bytes *bytes, int64_t from, int64_t to, int64_t *ret_end)
{
    while (from < to) {
        int64_t n = piece(bytes, from, (size_t)(to - from));
        if (n == 0)
            break;
        int err = n < 0 ? (int)n : weft__fs_tick(bytes->job);
        if (err < 0)
            return err;
        from += n;
    }
    *ret_end = from;
    return 0;
}

static int copy_spans(struct bytes *bytes, int64_t size)
{
    int64_t end = 0;
    for (int64_t at = 0; at < size;) {
        int64_t data = lseek(bytes->in, at, SEEK_DATA);
        int64_t hole = size;
        if (data < 0 && errno == ENXIO)
            break; /* a hole to the end */
        if (data < 0)
            data = at;
        else
            hole = lseek(bytes->in, data, SEEK_HOLE);
        if (hole < 0 || hole > size)
            hole = size;
        int err = copy_span(bytes, data, hole, &end);
        if (err < 0)
            return err;
        if (end < hole)
            return ftruncate(bytes->out, end) < 0 ? -errno : 0;
        at = hole;
    }
    return end < size && ftruncate(bytes->out, size) < 0 ? -errno : 0;
}

int weft__fs_copy_bytes(struct weft__fs_job *job, int in, int out, int64_t size)
{
    struct bytes bytes = {.job = job, .in = in, .out = out};
    int64_t end;
    if (size > 0 && !weft__fs_fault.no_clone && ioctl(out, FICLONE, in) == 0)
        return 0;
    /* The files of /proc have no size and no end but that of reading. */
    int err =
        size > 0 ? copy_spans(&bytes, size) : copy_span(&bytes, 0, WEFT__LIMIT_FILE_STREAM, &end);
    if (bytes.buffer != NULL)
        weft__pages_free(bytes.buffer, BUFFER);
    return err;
}

/* ---- what belongs to a file besides its bytes ---- */

static void copy_xattrs(int in, int out)
{
    char *names = weft__alloc(2 * LIST_BYTES);
    if (names == NULL)
        return;
    char *value = names + LIST_BYTES;
    ssize_t len = flistxattr(in, names, LIST_BYTES);
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
        if (strncmp(names + at, "user.", 5) != 0)
            continue;
        ssize_t n = fgetxattr(in, names + at, value, LIST_BYTES);
        if (n >= 0)
            fsetxattr(out, names + at, value, (size_t)n, 0);
    }
    weft__free(names);
}

int weft__fs_preserve(int in, int out, const struct stat *st)
{
    const struct timespec times[] = {st->st_atim, st->st_mtim};
    if (in >= 0)
        copy_xattrs(in, out);
    if (WEFT__FS_SYS("fchmod", fchmod(out, st->st_mode & 07777)) < 0 ||
        WEFT__FS_SYS("utime", futimens(out, times)) < 0)
        return -errno;
    return 0;
}

/* ---- one file ---- */

/* Opens the target; -EINVAL and *ret_same if it is the source. */
static int open_target(const struct weft__fs_copy *copy, const struct stat *in, bool *ret_created)
{
    struct stat st;
    int err = 0;
    int fd =
        WEFT__FS_SYS("open", openat(copy->to_folder, copy->to,
                                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, in->st_mode & 0777));
    *ret_created = fd >= 0;
    if (fd >= 0 || errno != EEXIST || copy->exclusive)
        return fd >= 0 ? fd : -errno;
    fd = WEFT__FS_SYS("open", openat(copy->to_folder, copy->to,
                                     O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                                         (copy->stay ? O_NOFOLLOW : 0)));
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (st.st_ino == in->st_ino && st.st_dev == in->st_dev)
        err = WEFT__FS_SAME;
    else if (!S_ISREG(st.st_mode))
        err = WEFT__FS_SPECIAL;
    else if (WEFT__FS_SYS("truncate", ftruncate(fd, 0)) < 0)
        err = -errno;
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

static int copy_link(const struct weft__fs_copy *copy)
{
    char target[WEFT__FS_PATH];
    ssize_t n = WEFT__FS_TRY("readlink",
                             readlinkat(copy->from_folder, copy->from, target, sizeof target - 1));
    if (n < 0)
        return (int)n;
    target[n] = '\0';
    return symlinkat(target, copy->to_folder, copy->to) < 0 ? -errno : 0;
}

static int copy_opened(const struct weft__fs_copy *copy, int in)
{
    struct stat st;
    bool created;
    if (fstat(in, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return WEFT__FS_SPECIAL;
    int out = open_target(copy, &st, &created);
    if (out < 0)
        return out;
    int err = weft__fs_copy_bytes(copy->job, in, out, st.st_size);
    if (err == 0 && copy->preserve)
        err = weft__fs_preserve(in, out, &st);
    int close_err = weft__fs_step("close");
    close_err = close_err == -EINTR ? 0 : close_err;
    if (close(out) < 0 && errno != EINTR && close_err == 0)
        close_err = -errno;
    err = err < 0 ? err : close_err;
    if (err < 0 && created)
        unlinkat(copy->to_folder, copy->to, 0);
    return err;
}

int weft__fs_copy_one(const struct weft__fs_copy *copy)
{
    int in = WEFT__FS_SYS("open", openat(copy->from_folder, copy->from,
                                         O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                                             (copy->keep_links ? O_NOFOLLOW : 0)));
    if (in < 0 && errno == ELOOP && copy->keep_links)
        return copy_link(copy);
    if (in < 0)
        return errno == ENXIO ? WEFT__FS_SPECIAL : -errno;
    int err = copy_opened(copy, in);
    close(in);
    return err;
}

int weft__fs_copy_fail(int err, const char *verb, const char *from, const char *to)
{
    if (err == WEFT__FS_SAME)
        return weft__fail(-EINVAL, "%s %s to %s: they are the same file", verb, from, to);
    if (err == WEFT__FS_SPECIAL)
        return weft__fail(-EINVAL, "%s %s to %s: only regular files have bytes to copy", verb, from,
                          to);
    return weft__fs_fail(err, "%s %s to %s", verb, from, to);
}

struct copy_call {
    struct weft__fs_job job;
    const char *from;
    const char *to;
    weft_copy_options options;
};

static int run_copy(void *arg)
{
    struct copy_call *call = arg;
    int err = weft__fs_copy_one(&(struct weft__fs_copy){
        .job = &call->job,
        .from_folder = AT_FDCWD,
        .from = call->from,
        .to_folder = AT_FDCWD,
        .to = call->to,
        .preserve = call->options.preserve,
        .exclusive = call->options.exclusive,
        .keep_links = call->options.keep_symlinks,
    });
    return err < 0 ? weft__fs_copy_fail(err, "copy", call->from, call->to) : 0;
}

int weft_copy(const char *from, const char *to, const weft_copy_options *options)
{
    struct copy_call call = {.from = from, .to = to};
    if (from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_copy without two paths");
    weft__fs_options(&call.options, sizeof call.options, options);
    return weft__fs_run_long(run_copy, &call.job);
}

/* fs_stat.c - what is known about a name: stat and the questions that it answers. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file/file_int.h"
#include "file/fs_int.h"

weft_kind weft__fs_kind_of_mode(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return WEFT_KIND_FILE;
    case S_IFDIR:
        return WEFT_KIND_DIR;
    case S_IFLNK:
        return WEFT_KIND_SYMLINK;
    case S_IFIFO:
        return WEFT_KIND_FIFO;
    case S_IFSOCK:
        return WEFT_KIND_SOCKET;
    case S_IFCHR:
        return WEFT_KIND_CHAR_DEVICE;
    case S_IFBLK:
        return WEFT_KIND_BLOCK_DEVICE;
    default:
        return WEFT_KIND_UNKNOWN;
    }
}

static int64_t nanoseconds(const struct statx_timestamp *time)
{
    return time->tv_sec * WEFT_SEC(1) + time->tv_nsec;
}

void weft__fs_stat_fill(const struct statx *from, weft_stat_result *ret)
{
    *ret = (weft_stat_result){
        .size = (int64_t)from->stx_size,
        .allocated = (int64_t)from->stx_blocks * 512,
        .atime = nanoseconds(&from->stx_atime),
        .mtime = nanoseconds(&from->stx_mtime),
        .ctime = nanoseconds(&from->stx_ctime),
        .btime = (from->stx_mask & STATX_BTIME) != 0 ? nanoseconds(&from->stx_btime) : 0,
        .ino = from->stx_ino,
        .dev = makedev(from->stx_dev_major, from->stx_dev_minor),
        .rdev = makedev(from->stx_rdev_major, from->stx_rdev_minor),
        .nlink = from->stx_nlink,
        .mode = from->stx_mode,
        .uid = from->stx_uid,
        .gid = from->stx_gid,
        .block_size = from->stx_blksize,
        .kind = weft__fs_kind_of_mode(from->stx_mode),
    };
}

int weft__fs_statx(int fd, const char *path, int flags, weft_stat_result *ret)
{
    struct statx found;
    int err = WEFT__FS_TRY("stat", statx(fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, &found));
    if (err < 0)
        return err;
    weft__fs_stat_fill(&found, ret);
    return 0;
}

/* ---- stat without waiting ---- */

struct query {
    const char *path;
    int flags;
    const char *verb;
    weft_stat_result *ret;
    bool quiet; /* an error is the caller's affair */
};

/* What the file system's cache says is all there is to say where its disk is our own. */
static bool is_local(int fd, const struct statx *found)
{
    uint64_t device = makedev(found->stx_dev_major, found->stx_dev_minor);
    if (found->stx_dev_major != 0)
        return true;
    enum weft__file_fs fs = weft__mount_find(device);
    if (fs == WEFT__FILE_FS_UNKNOWN)
        fs = weft__mount_in_memory(fd) ? WEFT__FILE_FS_MEMORY : WEFT__FILE_FS_WAITS;
    return fs == WEFT__FILE_FS_MEMORY;
}

/* -EAGAIN if the answer might have to be waited for, or if there was an error. */
static int stat_cached(const struct query *query)
{
    struct statx found;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    if ((query->flags & AT_SYMLINK_NOFOLLOW) != 0)
        how.flags |= O_NOFOLLOW;
    long fd = syscall(SYS_openat2, AT_FDCWD, query->path, &how, sizeof how);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : -EAGAIN;
    int err = statx((int)fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
                    STATX_BASIC_STATS | STATX_BTIME, &found);
    if (err < 0 || !is_local((int)fd, &found))
        err = -EAGAIN;
    close((int)fd);
    if (err == 0)
        weft__fs_stat_fill(&found, query->ret);
    return err;
}

static int run_stat(void *arg)
{
    const struct query *query = arg;
    int err = weft__fs_statx(AT_FDCWD, query->path, query->flags, query->ret);
    if (err == 0 || query->quiet)
        return err;
    return weft__fs_fail(err, "%s %s", query->verb, query->path);
}

static int do_stat(struct query *query)
{
    weft_stat_result found;
    weft_stat_result *ret = query->ret;
    struct weft_task *self;
    if (query->path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_%s without a path or a place for the result", query->verb);
    query->ret = &found;
    int err = weft__file_begin(&self);
    if (err < 0)
        return err;
    err = err == WEFT__FILE_NOWAIT && !weft__fs_fault.on ? stat_cached(query) : -EAGAIN;
    if (err == -ENOENT && !query->quiet)
        err = weft__fs_fail(err, "%s %s", query->verb, query->path);
    else if (err == -EAGAIN)
        err = weft__fs_run(run_stat, query);
    else
        weft__fs_let_others(self);
    if (err == 0)
        *ret = found;
    return err;
}

int weft_stat(const char *path, weft_stat_result *ret)
{
    return do_stat(&(struct query){.path = path, .verb = "stat", .ret = ret});
}

int weft_lstat(const char *path, weft_stat_result *ret)
{
    return do_stat(
        &(struct query){.path = path, .verb = "lstat", .flags = AT_SYMLINK_NOFOLLOW, .ret = ret});
}

int weft_fstat(weft_file *file, weft_stat_result *ret)
{
    if (file == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_fstat without a file or a place for the result");
    if (!file->handle.stream) {
        /* What is still in the buffer counts. */
        int64_t size = weft_file_size(file);
        if (size < 0)
            return (int)size;
    }
    int err = weft__fs_statx(file->handle.fd.fd, "", AT_EMPTY_PATH, ret);
    return err < 0 ? weft__fs_fail(err, "fstat %s", file->path) : 0;
}

/* ---- questions ---- */

/* 1, 0 for what is not there, or an error; -ECANCELED has its message already. */
static int look(const char *path, const char *verb, bool follow, weft_stat_result *ret)
{
    if (path == NULL)
        return weft__fail(-EINVAL, "weft_%s without a path", verb);
    int err = do_stat(&(struct query){.path = path,
                                      .verb = verb,
                                      .flags = follow ? 0 : AT_SYMLINK_NOFOLLOW,
                                      .ret = ret,
                                      .quiet = true});
    if (err == 0)
        return 1;
    if (err == -ENOENT || err == -ENOTDIR || err == -ELOOP)
        return 0;
    return err == -ECANCELED ? err : weft__fs_fail(err, "%s %s", verb, path);
}

static int is_kind(const char *path, const char *verb, bool follow, weft_kind kind)
{
    weft_stat_result found;
    int there = look(path, verb, follow, &found);
    return there > 0 ? found.kind == kind : there;
}

int weft_exists(const char *path)
{
    weft_stat_result found;
    return look(path, "exists", true, &found);
}

int weft_lexists(const char *path)
{
    weft_stat_result found;
    return look(path, "lexists", false, &found);
}

int weft_is_file(const char *path)
{
    return is_kind(path, "is_file", true, WEFT_KIND_FILE);
}

int weft_is_dir(const char *path)
{
    return is_kind(path, "is_dir", true, WEFT_KIND_DIR);
}

int weft_is_symlink(const char *path)
{
    return is_kind(path, "is_symlink", false, WEFT_KIND_SYMLINK);
}

int weft_is_fifo(const char *path)
{
    return is_kind(path, "is_fifo", true, WEFT_KIND_FIFO);
}

int weft_is_socket(const char *path)
{
    return is_kind(path, "is_socket", true, WEFT_KIND_SOCKET);
}

int weft_is_char_device(const char *path)
{
    return is_kind(path, "is_char_device", true, WEFT_KIND_CHAR_DEVICE);
}

int weft_is_block_device(const char *path)
{
    return is_kind(path, "is_block_device", true, WEFT_KIND_BLOCK_DEVICE);
}

/* ---- mount points, the same file ---- */

struct pair {
    const char *a;
    const char *b;
    int same;
};

static int run_mount(void *arg)
{
    struct pair *pair = arg;
    struct statx found;
    if (statx(AT_FDCWD, pair->a, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &found) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return weft__fs_fail(-errno, "is_mount %s", pair->a);
    }
    pair->same = (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    return 0;
}

int weft_is_mount(const char *path)
{
    struct pair pair = {.a = path};
    if (path == NULL)
        return weft__fail(-EINVAL, "weft_is_mount without a path");
    int err = weft__fs_run(run_mount, &pair);
    return err < 0 ? err : pair.same;
}

static int run_same(void *arg)
{
    struct pair *pair = arg;
    weft_stat_result a;
    weft_stat_result b;
    int err = weft__fs_statx(AT_FDCWD, pair->a, 0, &a);
    if (err < 0)
        return weft__fs_fail(err, "stat %s", pair->a);
    err = weft__fs_statx(AT_FDCWD, pair->b, 0, &b);
    if (err < 0)
        return weft__fs_fail(err, "stat %s", pair->b);
    pair->same = a.dev == b.dev && a.ino == b.ino;
    return 0;
}

int weft_same_file(const char *a, const char *b)
{
    struct pair pair = {.a = a, .b = b};
    if (a == NULL || b == NULL)
        return weft__fail(-EINVAL, "weft_same_file without two paths");
    int err = weft__fs_run(run_same, &pair);
    return err < 0 ? err : pair.same;
}

/* ---- file systems ---- */

struct space {
    const weft_root *root;
    const char *path;
    weft_statvfs_result found;
};

static int statvfs_below(const struct space *space, struct statvfs *ret)
{
    int fd = weft__fs_beneath(weft__fs_root_fd(space->root), space->path, O_PATH, 0);
    if (fd < 0)
        return fd;
    int err = WEFT__FS_TRY("statvfs", fstatvfs(fd, ret));
    close(fd);
    return err;
}

static int run_statvfs(void *arg)
{
    struct space *space = arg;
    struct statvfs vfs;
    int err = space->root != NULL ? statvfs_below(space, &vfs)
                                  : WEFT__FS_TRY("statvfs", statvfs(space->path, &vfs));
    if (err < 0 && space->root != NULL)
        return weft__fs_root_fail(space->root, err, "statvfs", space->path);
    if (err < 0)
        return weft__fs_fail(err, "statvfs %s", space->path);
    space->found = (weft_statvfs_result){
        .total = (int64_t)vfs.f_blocks * (int64_t)vfs.f_frsize,
        .free = (int64_t)vfs.f_bfree * (int64_t)vfs.f_frsize,
        .available = (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize,
        .files = (int64_t)vfs.f_files,
        .files_free = (int64_t)vfs.f_ffree,
        .block_size = (int64_t)vfs.f_frsize,
        .name_max = (int64_t)vfs.f_namemax,
        .read_only = (vfs.f_flag & ST_RDONLY) != 0,
    };
    return 0;
}

int weft_statvfs(const char *path, weft_statvfs_result *ret)
{
    struct space space = {.path = path};
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_statvfs without a path or a place for the result");
    int err = weft__fs_run(run_statvfs, &space);
    if (err == 0)
        *ret = space.found;
    return err;
}

int weft_root_statvfs(weft_root *root, const char *path, weft_statvfs_result *ret)
{
    struct space space = {.root = root, .path = path};
    if (root == NULL || path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_root_statvfs without a root, a path or a place for it");
    int err = weft__fs_run(run_statvfs, &space);
    if (err == 0)
        *ret = space.found;
    return err;
}

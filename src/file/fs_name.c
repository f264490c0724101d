/* fs_name.c - names: moved, linked, removed; owners, permissions and times. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/file_int.h"
#include "file/fs_int.h"

struct name {
    const char *path;
    const char *to; /* or what a link says */
    char *copy;
    char *result;
    int64_t times[2];
    int64_t size;
    unsigned mode;
    unsigned uid;
    unsigned gid;
    unsigned flags;
};

static int at_flags(unsigned flags)
{
    return (flags & WEFT_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
}

static int no_path(const char *verb)
{
    return weft__fail(-EINVAL, "weft_%s without a path", verb);
}

/* ---- removing ---- */

static int run_unlink(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("unlink", unlink(name->path));
    return err < 0 ? weft__fs_fail(err, "unlink %s", name->path) : 0;
}

int weft_unlink(const char *path)
{
    return path == NULL ? no_path("unlink")
                        : weft__fs_run(run_unlink, &(struct name){.path = path});
}

static int run_rmdir(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("rmdir", rmdir(name->path));
    return err < 0 ? weft__fs_fail(err, "rmdir %s", name->path) : 0;
}

int weft_rmdir(const char *path)
{
    return path == NULL ? no_path("rmdir") : weft__fs_run(run_rmdir, &(struct name){.path = path});
}

/* The folders above, as long as they are empty. */
static void remove_above(char *path)
{
    size_t len;
    while ((len = weft__fs_dir_len(path)) > 1) {
        while (len > 1 && path[len - 1] == '/')
            len--;
        path[len] = '\0';
        if (rmdir(path) < 0)
            break;
    }
}

static int run_removedirs(void *arg)
{
    struct name *name = arg;
    int err = run_rmdir(name);
    if (err == 0)
        remove_above(name->copy);
    return err;
}

int weft_removedirs(const char *path)
{
    if (path == NULL)
        return no_path("removedirs");
    char *copy = weft__strdup(path);
    if (copy == NULL)
        return weft__fail_nomem();
    int err = weft__fs_run(run_removedirs, &(struct name){.path = path, .copy = copy});
    weft__free(copy);
    return err;
}

/* ---- moving and linking ---- */

static int run_rename(void *arg)
{
    const struct name *name = arg;
    unsigned flags = 0;
    if ((name->flags & WEFT_RENAME_NOREPLACE) != 0)
        flags |= RENAME_NOREPLACE;
    if ((name->flags & WEFT_RENAME_EXCHANGE) != 0)
        flags |= RENAME_EXCHANGE;
    int err = WEFT__FS_TRY("rename", renameat2(AT_FDCWD, name->path, AT_FDCWD, name->to, flags));
    if (err == 0)
        return 0;
    if (err == -EINVAL && flags != 0)
        return weft__fs_fail(err, "rename %s to %s: inside itself, or the file system cannot %s",
                             name->path, name->to,
                             flags == RENAME_EXCHANGE ? "exchange names" : "refuse to replace");
    return weft__fs_fail(err, "rename %s to %s", name->path, name->to);
}

int weft_rename_with(const char *from, const char *to, unsigned flags)
{
    if (from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_rename_with without two paths");
    if (flags > WEFT_RENAME_EXCHANGE || flags == (WEFT_RENAME_NOREPLACE | WEFT_RENAME_EXCHANGE))
        return weft__fail(-EINVAL, "rename %s to %s: no such flags", from, to);
    return weft__fs_run(run_rename, &(struct name){.path = from, .to = to, .flags = flags});
}

static int run_renames(void *arg)
{
    struct name *name = arg;
    char folder[WEFT__FS_PATH];
    size_t len = weft__fs_dir_len(name->to);
    if (len >= sizeof folder)
        return weft__fs_fail(-ENAMETOOLONG, "rename %s to %s", name->path, name->to);
    memcpy(folder, name->to, len);
    folder[len] = '\0';
    for (char *slash = strchr(folder + (*folder == '/'), '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int err = WEFT__FS_TRY("mkdir", mkdir(folder, 0777));
        if (err < 0 && err != -EEXIST && access(folder, F_OK) < 0)
            return weft__fs_fail(err, "mkdir %s", folder);
        *slash = '/';
    }
    int err = run_rename(name);
    if (err == 0)
        remove_above(name->copy);
    return err;
}

int weft_renames(const char *from, const char *to)
{
    if (from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_renames without two paths");
    char *copy = weft__strdup(from);
    if (copy == NULL)
        return weft__fail_nomem();
    int err = weft__fs_run(run_renames, &(struct name){.path = from, .to = to, .copy = copy});
    weft__free(copy);
    return err;
}

static int run_link(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("link", linkat(AT_FDCWD, name->to, AT_FDCWD, name->path, 0));
    return err < 0 ? weft__fs_fail(err, "link %s to %s", name->path, name->to) : 0;
}

int weft_link(const char *target, const char *path)
{
    if (target == NULL || path == NULL)
        return weft__fail(-EINVAL, "weft_link without two paths");
    return weft__fs_run(run_link, &(struct name){.path = path, .to = target});
}

static int run_symlink(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("symlink", symlink(name->to, name->path));
    return err < 0 ? weft__fs_fail(err, "symlink %s to %s", name->path, name->to) : 0;
}

int weft_symlink(const char *target, const char *path)
{
    if (target == NULL || path == NULL)
        return weft__fail(-EINVAL, "weft_symlink without two paths");
    return weft__fs_run(run_symlink, &(struct name){.path = path, .to = target});
}

/* ---- paths as results ---- */

static int give(struct name *name, weft_fn fn, char **ret)
{
    int err = weft__fs_run(fn, name);
    if (err < 0)
        return err;
    char *copy = weft__strdup(name->result);
    if (copy == NULL)
        return weft__fail_nomem();
    *ret = copy;
    return 0;
}

static int run_readlink(void *arg)
{
    struct name *name = arg;
    ssize_t n = WEFT__FS_SYS("readlink", readlink(name->path, name->result, WEFT__FS_PATH - 1));
    if (n < 0)
        return weft__fs_fail(-errno, "readlink %s", name->path);
    name->result[n] = '\0';
    return 0;
}

int weft_readlink(const char *path, char **ret)
{
    char result[WEFT__FS_PATH];
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_readlink without a path or a place for the result");
    return give(&(struct name){.path = path, .result = result}, run_readlink, ret);
}

static int run_realpath(void *arg)
{
    struct name *name = arg;
    int err = WEFT__FS_TRY("realpath", realpath(name->path, name->result) == NULL ? -1 : 0);
    return err < 0 ? weft__fs_fail(err, "realpath %s", name->path) : 0;
}

int weft_realpath(const char *path, char **ret)
{
    char result[PATH_MAX];
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_realpath without a path or a place for the result");
    return give(&(struct name){.path = path, .result = result}, run_realpath, ret);
}

int weft_getcwd(char **ret)
{
    char result[WEFT__FS_PATH];
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_getcwd without a place for the result");
    if (getcwd(result, sizeof result) == NULL)
        return weft__fs_fail(-errno, "getcwd");
    char *copy = weft__strdup(result);
    if (copy == NULL)
        return weft__fail_nomem();
    *ret = copy;
    return 0;
}

/* Takes ".", ".." and doubled slashes out of an absolute path, in place. */
static void normalise(char *path)
{
    char *out = path;
    const char *in = path;
    while (*in != '\0') {
        while (*in == '/')
            in++;
        size_t len = strcspn(in, "/");
        if (len == 2 && in[0] == '.' && in[1] == '.') {
            while (out > path && *--out != '/')
                continue;
        } else if (len > 0 && (len != 1 || in[0] != '.')) {
            *out++ = '/';
            memmove(out, in, len);
            out += len;
        }
        in += len;
    }
    if (out == path)
        *out++ = '/';
    *out = '\0';
}

int weft_abspath(const char *path, char **ret)
{
    char *folder;
    char *full;
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_abspath without a path or a place for the result");
    if (*path == '/') {
        full = weft__strdup(path);
    } else {
        int err = weft_getcwd(&folder);
        if (err < 0)
            return err;
        full = weft__asprintf("%s/%s", folder, path);
        weft__free(folder);
    }
    if (full == NULL)
        return weft__fail_nomem();
    normalise(full);
    *ret = full;
    return 0;
}

/* ---- permissions, owners, times ---- */

static int run_chmod(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("chmod", chmod(name->path, name->mode));
    return err < 0 ? weft__fs_fail(err, "chmod %s", name->path) : 0;
}

int weft_chmod(const char *path, unsigned mode)
{
    if (path == NULL)
        return no_path("chmod");
    return weft__fs_run(run_chmod, &(struct name){.path = path, .mode = mode & 07777});
}

static int run_chown(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY(
        "chown", fchownat(AT_FDCWD, name->path, name->uid, name->gid, at_flags(name->flags)));
    return err < 0 ? weft__fs_fail(err, "chown %s", name->path) : 0;
}

int weft_chown(const char *path, unsigned uid, unsigned gid, unsigned flags)
{
    if (path == NULL)
        return no_path("chown");
    return weft__fs_run(run_chown,
                        &(struct name){.path = path, .uid = uid, .gid = gid, .flags = flags});
}

struct timespec weft__fs_timespec(int64_t time)
{
    if (time == WEFT_TIME_NOW)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    if (time == WEFT_TIME_OMIT)
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    int64_t rest = time % WEFT_SEC(1);
    int64_t seconds = time / WEFT_SEC(1);
    if (rest < 0) {
        rest += WEFT_SEC(1);
        seconds--;
    }
    return (struct timespec){.tv_sec = seconds, .tv_nsec = (int)rest};
}

static int run_utime(void *arg)
{
    const struct name *name = arg;
    const struct timespec times[] = {weft__fs_timespec(name->times[0]),
                                     weft__fs_timespec(name->times[1])};
    int err = WEFT__FS_TRY("utime", utimensat(AT_FDCWD, name->path, times, at_flags(name->flags)));
    return err < 0 ? weft__fs_fail(err, "utime %s", name->path) : 0;
}

int weft_utime(const char *path, int64_t atime, int64_t mtime, unsigned flags)
{
    if (path == NULL)
        return no_path("utime");
    return weft__fs_run(run_utime,
                        &(struct name){.path = path, .times = {atime, mtime}, .flags = flags});
}

static int run_access(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("access", faccessat(AT_FDCWD, name->path, (int)name->mode, AT_EACCESS));
    return err < 0 ? weft__fs_fail(err, "access %s", name->path) : 0;
}

int weft_access(const char *path, unsigned mode)
{
    if (path == NULL)
        return no_path("access");
    if (mode > (WEFT_ACCESS_READ | WEFT_ACCESS_WRITE | WEFT_ACCESS_EXECUTE))
        return weft__fail(-EINVAL, "access %s: no such mode", path);
    return weft__fs_run(run_access, &(struct name){.path = path, .mode = mode});
}

/* ---- size and touch ---- */

static int run_truncate(void *arg)
{
    const struct name *name = arg;
    int err = WEFT__FS_TRY("truncate", truncate(name->path, name->size));
    return err < 0 ? weft__fs_fail(err, "truncate %s", name->path) : 0;
}

int weft_truncate(const char *path, int64_t size)
{
    if (path == NULL)
        return no_path("truncate");
    if (size < 0)
        return weft__fail(-EINVAL, "truncate %s: the size is negative", path);
    return weft__fs_run(run_truncate, &(struct name){.path = path, .size = size});
}

static int run_touch(void *arg)
{
    const struct name *name = arg;
    const bool exclusive = (name->flags & WEFT_EXCLUSIVE) != 0;
    int err = 0;
    if (!exclusive && WEFT__FS_SYS("utime", utimensat(AT_FDCWD, name->path, NULL, 0)) == 0)
        return 0;
    if (!exclusive && errno != ENOENT)
        err = -errno;
    if (err == 0) {
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
        int fd =
            WEFT__FS_TRY("open", open(name->path, flags | (exclusive ? O_EXCL : 0), name->mode));
        err = fd;
        if (fd >= 0)
            close(fd);
    }
    return err < 0 ? weft__fs_fail(err, "touch %s", name->path) : 0;
}

int weft_touch(const char *path, unsigned mode, unsigned flags)
{
    if (path == NULL)
        return no_path("touch");
    return weft__fs_run(run_touch, &(struct name){
                                       .path = path,
                                       .mode = mode != 0 ? mode & 07777 : 0666,
                                       .flags = flags,
                                   });
}

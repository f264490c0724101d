/*
 * fs_root.c - a folder that no path leaves.
 *
 * The kernel resolves the path (openat2 with RESOLVE_BENEATH): no "..", absolute path or symbolic
 * link leads out, whatever is renamed meanwhile.  What is done to a name is done in the folder
 * that was found so, by its last part, which is not followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum { TRIES = 64, FOUND = WEFT__FS_FOUND };

struct weft_root {
    int fd;
    char path[];
};

struct below {
    struct weft__fs_job job;
    const weft_root *root;
    const char *path;
    const char *to;
    int (*work)(struct below *below);
    const char *verb;
    char **names;
    size_t n_names;
    weft_stat_result found;
    weft_slice bytes;
    const void *options;
    int64_t size;
    int64_t times[2];
    unsigned uid;
    unsigned gid;
    int flags;
    int result;
    unsigned mode;
    bool parents;
    char text[WEFT__FS_PATH];
};

/* While something is renamed the kernel says -EAGAIN. */
int weft__fs_beneath(int folder, const char *path, int flags, unsigned mode)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .mode = (flags & O_CREAT) != 0 ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int i = 0; i < TRIES; i++) {
        long fd = WEFT__FS_SYS("open", syscall(SYS_openat2, folder, path, &how, sizeof how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN)
            break;
    }
    return -errno;
}

static int beneath(const weft_root *root, const char *path, int flags, unsigned mode)
{
    return weft__fs_beneath(root->fd, path, flags, mode);
}

int weft__fs_root_fd(const weft_root *root)
{
    return root->fd;
}

const char *weft__fs_root_path(const weft_root *root)
{
    return root->path;
}

/* The folder in which path stands, opened with flags; base gets its last part. */
static int parent_as(const weft_root *root, const char *path, int flags, char base[WEFT__FS_NAME])
{
    char folder[WEFT__FS_PATH];
    size_t at = weft__fs_dir_len(path);
    size_t len = strcspn(path + at, "/");
    if (at >= sizeof folder || len >= WEFT__FS_NAME)
        return -ENAMETOOLONG;
    memcpy(base, path + at, len);
    base[len] = '\0';
    if (len == 0 || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return -EINVAL;
    memcpy(folder, at > 0 ? path : ".", at > 0 ? at : 1);
    folder[at > 0 ? at : 1] = '\0';
    return beneath(root, folder, flags | O_DIRECTORY, 0);
}

int weft__fs_root_parent(const weft_root *root, const char *path, char base[WEFT__FS_NAME])
{
    return parent_as(root, path, O_PATH, base);
}

/* A descriptor for what is there, and a name by which other calls reach just that. */
int weft__fs_root_find(const weft_root *root, const char *path, int flags, char name[FOUND])
{
    int fd = beneath(root, path, O_PATH | flags, 0);
    if (fd >= 0)
        snprintf(name, FOUND, "/proc/self/fd/%d", fd);
    return fd;
}

int weft__fs_root_fail(const weft_root *root, int err, const char *verb, const char *path)
{
    if (err == -EXDEV)
        return weft__fail(-EXDEV, "%s %s: leads out of %s", verb, path, root->path);
    return weft__fs_fail(err, "%s %s in %s", verb, path, root->path);
}

static int fail(const struct below *below, int err)
{
    if (below->to != NULL)
        return weft__fs_fail(err, "%s %s to %s in %s", below->verb, below->path, below->to,
                             below->root->path);
    return weft__fs_root_fail(below->root, err, below->verb, below->path);
}

static int run_below(void *arg)
{
    struct below *below = arg;
    int err = below->work(below);
    return err < 0 ? fail(below, err) : 0;
}

static int run(struct below *below)
{
    if (below->root == NULL || below->path == NULL)
        return weft__fail(-EINVAL, "weft_root_%s without a root or a path", below->verb);
    return weft__fs_run_long(run_below, &below->job);
}

/* ---- opening the root ---- */

static int work_root(struct below *below)
{
    weft_root *root = (weft_root *)(uintptr_t)below->root;
    root->fd = WEFT__FS_SYS("open", open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (root->fd < 0)
        return -errno;
    int probe = beneath(root, ".", O_PATH | O_DIRECTORY, 0);
    if (probe < 0)
        return probe;
    close(probe);
    return 0;
}

int weft_root_open(const char *path, weft_root **ret)
{
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_root_open without a path or a place for the root");
    size_t len = strlen(path);
    weft_root *root = weft__calloc(1, sizeof *root + len + 1);
    if (root == NULL)
        return weft__fail_nomem();
    memcpy(root->path, path, len);
    root->fd = -1;
    struct below below = {.root = root, .path = ".", .verb = "open", .work = work_root};
    int err = run(&below);
    if (err == -ENOSYS || err == -EPERM)
        err = weft__fail(
            -ENOSYS, "root %s: the kernel, or a filter, has no openat2 to stay inside with", path);
    if (err < 0)
        weft_root_close(root);
    else
        *ret = root;
    return err;
}

void weft_root_close(weft_root *root)
{
    if (root == NULL)
        return;
    if (root->fd >= 0)
        close(root->fd);
    weft__free(root);
}

/* ---- files ---- */

static int flags_of_mode(const char *mode, int *ret)
{
    const bool plus = strchr(mode, '+') != NULL;
    int flags = 0;
    switch (mode[0]) {
    case 'r':
        break;
    case 'w':
        flags = O_CREAT | O_TRUNC;
        break;
    case 'a':
        flags = O_CREAT | O_APPEND;
        break;
    case 'x':
        flags = O_CREAT | O_EXCL;
        break;
    default:
        return -EINVAL;
    }
    if (strspn(mode + 1, "+b") != strlen(mode + 1) || strlen(mode) > 3)
        return -EINVAL;
    flags |= plus ? O_RDWR : flags != 0 ? O_WRONLY : O_RDONLY;
    *ret = flags | O_NONBLOCK | O_NOCTTY;
    return 0;
}

static int work_open(struct below *below)
{
    below->result = beneath(below->root, below->path, below->flags, below->mode);
    return below->result;
}

int weft_root_file_open(weft_root *root, const char *path, const char *mode, weft_file **ret)
{
    struct below below = {.root = root, .path = path, .verb = "open", .work = work_open};
    if (mode == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_root_file_open without a mode or a place for the file");
    if (flags_of_mode(mode, &below.flags) < 0)
        return weft__fail(-EINVAL, "open %s: '%.16s' is no mode", path != NULL ? path : "", mode);
    below.mode = 0666;
    int err = run(&below);
    return err < 0 ? err : weft_file_from_fd(below.result, mode, WEFT_FILE(.name = path), ret);
}

/* ---- what is there ---- */

static int work_stat(struct below *below)
{
    int fd = beneath(below->root, below->path, O_PATH | below->flags, 0);
    if (fd < 0)
        return fd;
    int err = weft__fs_statx(fd, "", AT_EMPTY_PATH, &below->found);
    close(fd);
    return err;
}

int weft_root_stat(weft_root *root, const char *path, unsigned flags, weft_stat_result *ret)
{
    struct below below = {.root = root, .path = path, .verb = "stat", .work = work_stat};
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_root_stat without a place for the result");
    below.flags = (flags & WEFT_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    int err = run(&below);
    if (err == 0)
        *ret = below.found;
    return err;
}

/* 1, 0, or why it cannot be said. */
static int look(weft_root *root, const char *path, unsigned flags, weft_kind *ret)
{
    weft_stat_result found;
    int err = weft_root_stat(root, path, flags, &found);
    if (err == -ENOENT || err == -ENOTDIR || err == -ELOOP)
        return 0;
    *ret = err == 0 ? found.kind : WEFT_KIND_UNKNOWN;
    return err < 0 ? err : 1;
}

int weft_root_exists(weft_root *root, const char *path)
{
    weft_kind kind;
    return look(root, path, 0, &kind);
}

int weft_root_lexists(weft_root *root, const char *path)
{
    weft_kind kind;
    return look(root, path, WEFT_NOFOLLOW, &kind);
}

int weft_root_is_file(weft_root *root, const char *path)
{
    weft_kind kind;
    int there = look(root, path, 0, &kind);
    return there > 0 ? kind == WEFT_KIND_FILE : there;
}

int weft_root_is_dir(weft_root *root, const char *path)
{
    weft_kind kind;
    int there = look(root, path, 0, &kind);
    return there > 0 ? kind == WEFT_KIND_DIR : there;
}

int weft_root_is_symlink(weft_root *root, const char *path)
{
    weft_kind kind;
    int there = look(root, path, WEFT_NOFOLLOW, &kind);
    return there > 0 ? kind == WEFT_KIND_SYMLINK : there;
}

static int read_names(struct below *below, int fd, struct weft__buf *names)
{
    struct weft__fs_scan scan = {0};
    struct weft__fs_entry entry;
    size_t n = 0;
    int err;
    while ((err = weft__fs_scan_next(&scan, fd, &entry)) > 0) {
        err = weft__buf_append(names, entry.name, strlen(entry.name) + 1);
        if (err == 0)
            err = weft__fs_tick(&below->job);
        if (err < 0)
            break;
        n++;
    }
    weft__free(scan.bytes);
    if (err == -EMSGSIZE)
        return WEFT_ETOO_LONG;
    return err < 0 ? err : weft__fs_strings(names, n, true, &below->names, &below->n_names);
}

static int work_listdir(struct below *below)
{
    struct weft__buf names;
    int fd = beneath(below->root, below->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    weft__buf_init(&names, WEFT__LIMIT_FS_NAMES);
    int err = read_names(below, fd, &names);
    weft__buf_done(&names);
    close(fd);
    return err;
}

int weft_root_listdir(weft_root *root, const char *path, char ***ret, size_t *ret_n)
{
    struct below below = {.root = root, .path = path, .verb = "list", .work = work_listdir};
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_root_listdir without a place for the names");
    int err = run(&below);
    if (err < 0)
        return err;
    *ret = below.names;
    if (ret_n != NULL)
        *ret_n = below.n_names;
    return 0;
}

static int work_readlink(struct below *below)
{
    char base[WEFT__FS_NAME];
    int fd = weft__fs_root_parent(below->root, below->path, base);
    if (fd < 0)
        return fd;
    ssize_t n = readlinkat(fd, base, below->text, sizeof below->text - 1);
    int err = n < 0 ? -errno : 0;
    below->text[n < 0 ? 0 : n] = '\0';
    close(fd);
    return err;
}

int weft_root_readlink(weft_root *root, const char *path, char **ret)
{
    struct below below = {.root = root, .path = path, .verb = "readlink", .work = work_readlink};
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_root_readlink without a place for the result");
    int err = run(&below);
    if (err < 0)
        return err;
    char *copy = weft__strdup(below.text);
    if (copy == NULL)
        return weft__fail_nomem();
    *ret = copy;
    return 0;
}

/* ---- changing ---- */

/* A call on the last part of a path, in the folder where it stands. */
static int in_parent(struct below *below, int (*change)(struct below *, int, const char *))
{
    char base[WEFT__FS_NAME];
    int fd = weft__fs_root_parent(below->root, below->path, base);
    if (fd < 0)
        return fd;
    int err;
    do {
        err = weft__fs_step("change");
        err = err < 0 ? err : change(below, fd, base);
    } while (err == -EINTR);
    close(fd);
    return err;
}

static int make(struct below *below, int folder, const char *name)
{
    return mkdirat(folder, name, below->mode) < 0 ? -errno : 0;
}

/* Those above first; one that exists is right if it is a folder below the root. */
static int work_mkdir(struct below *below)
{
    const char *full = below->path;
    size_t len = strlen(full);
    if (!below->parents)
        return in_parent(below, make);
    if (len >= sizeof below->text)
        return -ENAMETOOLONG;
    memcpy(below->text, full, len + 1);
    int err = 0;
    for (size_t at = 1; at <= len && err == 0; at++) {
        if ((full[at] != '/' && full[at] != '\0') || full[at - 1] == '/')
            continue;
        below->text[at] = '\0';
        below->path = below->text;
        int fd = beneath(below->root, below->text, O_PATH | O_DIRECTORY, 0);
        if (fd >= 0)
            close(fd);
        else if (fd == -ENOENT)
            err = in_parent(below, make);
        else
            err = fd == -ENOTDIR && at == len ? -EEXIST : fd;
        below->text[at] = full[at];
    }
    below->path = full;
    return err;
}

int weft_root_mkdir(weft_root *root, const char *path, unsigned mode, bool parents)
{
    struct below below = {.root = root, .path = path, .verb = "mkdir", .work = work_mkdir};
    below.mode = mode != 0 ? mode : 0777;
    below.parents = parents;
    return run(&below);
}

static int remove_one(struct below *below, int folder, const char *name)
{
    (void)below;
    if (unlinkat(folder, name, 0) == 0)
        return 0;
    if (errno != EISDIR)
        return -errno;
    return unlinkat(folder, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int work_remove(struct below *below)
{
    return in_parent(below, remove_one);
}

int weft_root_remove(weft_root *root, const char *path)
{
    struct below below = {.root = root, .path = path, .verb = "remove", .work = work_remove};
    return run(&below);
}

static int run_remove_tree(void *arg)
{
    struct below *below = arg;
    char base[WEFT__FS_NAME];
    int fd = weft__fs_root_parent(below->root, below->path, base);
    if (fd < 0)
        return fail(below, fd);
    char *shown = weft__asprintf("%s/%s", below->root->path, below->path);
    int err =
        shown == NULL ? weft__fail_nomem() : weft__fs_remove_tree(&below->job, fd, base, shown);
    weft__free(shown);
    close(fd);
    return err;
}

int weft_root_remove_tree(weft_root *root, const char *path)
{
    struct below below = {.root = root, .path = path, .verb = "remove"};
    if (root == NULL || path == NULL)
        return weft__fail(-EINVAL, "weft_root_remove_tree without a root or a path");
    return weft__fs_run_long(run_remove_tree, &below.job);
}

static int rename_from(struct below *below, int folder, const char *name)
{
    char base[WEFT__FS_NAME];
    int to = weft__fs_root_parent(below->root, below->to, base);
    if (to < 0)
        return to;
    int err = renameat2(folder, name, to, base, below->mode) < 0 ? -errno : 0;
    close(to);
    return err;
}

static int work_rename(struct below *below)
{
    return in_parent(below, rename_from);
}

int weft_root_rename(weft_root *root, const char *from, const char *to, unsigned flags)
{
    struct below below = {.root = root, .path = from, .verb = "rename", .work = work_rename};
    if (to == NULL || flags > WEFT_RENAME_EXCHANGE)
        return weft__fail(-EINVAL, "weft_root_rename without a new name, or no such flags");
    below.to = to;
    below.mode = flags; /* they are those of renameat2 */
    return run(&below);
}

static int link_here(struct below *below, int folder, const char *name)
{
    return symlinkat(below->to, folder, name) < 0 ? -errno : 0;
}

static int work_symlink(struct below *below)
{
    return in_parent(below, link_here);
}

int weft_root_symlink(weft_root *root, const char *target, const char *path)
{
    struct below below = {.root = root, .path = path, .verb = "symlink", .work = work_symlink};
    if (target == NULL)
        return weft__fail(-EINVAL, "weft_root_symlink without a target");
    below.to = target;
    return run(&below);
}

static int link_from(struct below *below, int folder, const char *name)
{
    char base[WEFT__FS_NAME];
    int to = weft__fs_root_parent(below->root, below->to, base);
    if (to < 0)
        return to;
    int err = linkat(folder, name, to, base, 0) < 0 ? -errno : 0;
    close(to);
    return err;
}

static int work_link(struct below *below)
{
    return in_parent(below, link_from);
}

int weft_root_link(weft_root *root, const char *target, const char *path)
{
    struct below below = {.root = root, .path = target, .verb = "link", .work = work_link};
    if (path == NULL)
        return weft__fail(-EINVAL, "weft_root_link without a new name");
    below.to = path;
    return run(&below);
}

/* ---- what a file is besides its bytes ---- */

/* A call on what the path leads to. */
static int on_found(struct below *below, int (*change)(struct below *, int, const char *))
{
    char name[FOUND];
    int fd = weft__fs_root_find(below->root, below->path, below->flags, name);
    if (fd < 0)
        return fd;
    int err;
    do {
        err = weft__fs_step("change");
        err = err < 0 ? err : change(below, fd, name);
    } while (err == -EINTR);
    close(fd);
    return err;
}

static int change_mode(struct below *below, int fd, const char *name)
{
    (void)fd;
    return chmod(name, below->mode) < 0 ? -errno : 0;
}

static int work_chmod(struct below *below)
{
    return on_found(below, change_mode);
}

int weft_root_chmod(weft_root *root, const char *path, unsigned mode)
{
    struct below below = {.root = root, .path = path, .verb = "chmod", .work = work_chmod};
    below.mode = mode & 07777;
    return run(&below);
}

static int change_owner(struct below *below, int fd, const char *name)
{
    (void)name;
    return fchownat(fd, "", below->uid, below->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int work_chown(struct below *below)
{
    return on_found(below, change_owner);
}

int weft_root_chown(weft_root *root, const char *path, unsigned uid, unsigned gid, unsigned flags)
{
    struct below below = {.root = root, .path = path, .verb = "chown", .work = work_chown};
    below.uid = uid;
    below.gid = gid;
    below.flags = (flags & WEFT_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    return run(&below);
}

static int change_times(struct below *below, int fd, const char *name)
{
    const struct timespec times[] = {weft__fs_timespec(below->times[0]),
                                     weft__fs_timespec(below->times[1])};
    (void)fd;
    return utimensat(AT_FDCWD, name, times, 0) < 0 ? -errno : 0;
}

static int work_utime(struct below *below)
{
    return on_found(below, change_times);
}

int weft_root_utime(weft_root *root, const char *path, int64_t atime, int64_t mtime, unsigned flags)
{
    struct below below = {.root = root, .path = path, .verb = "utime", .work = work_utime};
    below.times[0] = atime;
    below.times[1] = mtime;
    below.flags = (flags & WEFT_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    return run(&below);
}

static int look_at_access(struct below *below, int fd, const char *name)
{
    (void)fd;
    return faccessat(AT_FDCWD, name, (int)below->mode, AT_EACCESS) < 0 ? -errno : 0;
}

static int work_access(struct below *below)
{
    return on_found(below, look_at_access);
}

int weft_root_access(weft_root *root, const char *path, unsigned mode)
{
    struct below below = {.root = root, .path = path, .verb = "access", .work = work_access};
    if (mode > (WEFT_ACCESS_READ | WEFT_ACCESS_WRITE | WEFT_ACCESS_EXECUTE))
        return weft__fail(-EINVAL, "weft_root_access: no such mode");
    below.mode = mode;
    return run(&below);
}

/* ---- bytes ---- */

static int work_truncate(struct below *below)
{
    int fd = beneath(below->root, below->path, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return fd;
    int err = WEFT__FS_TRY("truncate", ftruncate(fd, below->size));
    close(fd);
    return err;
}

int weft_root_truncate(weft_root *root, const char *path, int64_t size)
{
    struct below below = {.root = root, .path = path, .verb = "truncate", .work = work_truncate};
    if (size < 0)
        return weft__fail(-EINVAL, "weft_root_truncate: the size is negative");
    below.size = size;
    return run(&below);
}

/* Between the folders that were found: a link at the end of to is not followed. */
static int copy_below(struct below *below)
{
    const weft_copy_options *options = below->options;
    char from[WEFT__FS_NAME];
    char to[WEFT__FS_NAME];
    int in = options->keep_symlinks ? weft__fs_root_parent(below->root, below->path, from)
                                    : weft__fs_root_find(below->root, below->path, 0, from);
    if (in < 0)
        return in;
    int out = weft__fs_root_parent(below->root, below->to, to);
    int err = out;
    if (out >= 0)
        err = weft__fs_copy_one(&(struct weft__fs_copy){
            .job = &below->job,
            .from_folder = options->keep_symlinks ? in : AT_FDCWD,
            .from = from,
            .to_folder = out,
            .to = to,
            .preserve = options->preserve,
            .exclusive = options->exclusive,
            .keep_links = options->keep_symlinks,
            .stay = true,
        });
    if (out >= 0)
        close(out);
    close(in);
    return err;
}

static int run_copy(void *arg)
{
    struct below *below = arg;
    int err = copy_below(below);
    if (err == WEFT__FS_SAME || err == WEFT__FS_SPECIAL)
        return weft__fs_copy_fail(err, "copy", below->path, below->to);
    return err < 0 ? fail(below, err) : 0;
}

int weft_root_copy(weft_root *root, const char *from, const char *to,
                   const weft_copy_options *options)
{
    weft_copy_options all = {0};
    struct below below = {.root = root, .path = from, .to = to, .verb = "copy", .options = &all};
    if (root == NULL || from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_root_copy without a root or two paths");
    weft__fs_options(&all, sizeof all, options);
    return weft__fs_run_long(run_copy, &below.job);
}

/* As opening does: a link that stays inside is followed. */
static int work_touch(struct below *below)
{
    const int flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY;
    int err = (below->flags & O_EXCL) != 0 ? -ENOENT : work_utime(below);
    if (err != -ENOENT)
        return err;
    int fd = beneath(below->root, below->path, flags | below->flags, below->mode);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

int weft_root_touch(weft_root *root, const char *path, unsigned mode, unsigned flags)
{
    struct below below = {.root = root, .path = path, .verb = "touch", .work = work_touch};
    below.mode = mode != 0 ? mode & 07777 : 0666;
    below.flags = (flags & WEFT_EXCLUSIVE) != 0 ? O_EXCL : 0;
    below.times[0] = WEFT_TIME_NOW;
    below.times[1] = WEFT_TIME_NOW;
    return run(&below);
}

static int work_atomic(struct below *below)
{
    char name[WEFT__FS_NAME];
    const weft_atomic_options *options = below->options;
    const bool full = options->durability == WEFT_DURABILITY_FULL;
    int folder = parent_as(below->root, below->path, full ? O_RDONLY : O_PATH, name);
    if (folder < 0)
        return folder;
    return weft__fs_write_atomic(&below->job, folder, name, &below->bytes, options);
}

int weft_root_write_atomic(weft_root *root, const char *path, const void *data, size_t len,
                           const weft_atomic_options *options)
{
    weft_atomic_options all = {0};
    struct below below = {.root = root, .path = path, .verb = "write_atomic", .work = work_atomic};
    if (data == NULL && len > 0)
        return weft__fail(-EINVAL, "weft_root_write_atomic without bytes");
    weft__fs_options(&all, sizeof all, options);
    below.options = &all;
    below.bytes = (weft_slice){data, len};
    return run(&below);
}

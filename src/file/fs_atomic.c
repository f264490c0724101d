/*
 * fs_atomic.c - a file's content replaced in one step.
 *
 *   1. A file without a name is made in the folder of the target (O_TMPFILE); where the file
 *      system has none, one called ".weft-XXXXXXXXXXXX.tmp".
 *   2. It gets the bytes, and the old file's permissions and owner.
 *   3. fdatasync, so that after a power failure the name never leads to less than all of it.
 *   4. It gets such a name, and by rename then the target's.
 *   5. With WEFT_DURABILITY_FULL the folder is synced, so that the new content stays the new one.
 *
 * Killed between two steps it leaves the old content or the new one.  Killed within 4 (or from 1
 * on without O_TMPFILE) it leaves a ".weft-*.tmp" beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/file_int.h"
#include "file/fs_int.h"

/* As many as the kernel follows. */
enum { LINKS_MAX = 40 };

struct atomic {
    struct weft__fs_job job;
    struct weft__fs_job *caller; /* job, or that of whoever has found the folder */
    const char *path;
    const char *data;
    size_t len;
    weft_atomic_options options;
    const char *name;
    int folder;
    int fd;
    bool named; /* temp is there */
    char temp[WEFT__FS_TEMP_NAME];
};

static int make_temp(struct atomic *a, unsigned mode)
{
    if (!weft__fs_fault.no_tmpfile)
        a->fd = WEFT__FS_SYS("open", openat(a->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
    if (a->fd >= 0)
        return 0;
    if (!weft__fs_fault.no_tmpfile && !weft__fs_has_no_tmpfile(errno))
        return -errno;
    a->fd = weft__fs_temp_create(a->folder, a->temp, mode);
    a->named = a->fd >= 0;
    return a->fd < 0 ? a->fd : 0;
}

static int write_bytes(struct atomic *a)
{
    for (size_t done = 0; done < a->len;) {
        size_t rest = a->len - done;
        int err = weft__fs_tick(a->caller);
        if (err < 0)
            return err;
        size_t len = rest < WEFT__FS_PIECE ? rest : WEFT__FS_PIECE;
        ssize_t n = WEFT__FS_MOVE("write", &len, write(a->fd, a->data + done, len));
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

/* The new file looks like the old one; whose it is only root can decide. */
static int dress(struct atomic *a, const struct stat *old)
{
    struct stat st;
    if (old == NULL)
        return 0;
    if (fstat(a->fd, &st) < 0)
        return -errno;
    if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) &&
        fchown(a->fd, old->st_uid, old->st_gid) < 0 && errno != EPERM)
        return -errno;
    return WEFT__FS_TRY("fchmod", fchmod(a->fd, old->st_mode & 07777));
}

static int sync_bytes(struct atomic *a)
{
    if (a->options.durability == WEFT_DURABILITY_NONE)
        return 0;
    return WEFT__FS_TRY("fdatasync", fdatasync(a->fd));
}

/* A name for the file that has none. */
static int link_as(struct atomic *a, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", a->fd);
    return WEFT__FS_TRY("link", linkat(AT_FDCWD, self, a->folder, name, AT_SYMLINK_FOLLOW));
}

static int give_temp_name(struct atomic *a)
{
    int err = -EEXIST;
    for (int attempt = 0; err == -EEXIST && attempt < 100; attempt++) {
        weft__fs_temp_name(a->temp);
        err = link_as(a, a->temp);
    }
    a->named = err == 0;
    return err;
}

/* The last step; what is closed with an error never gets the name. */
static int publish(struct atomic *a)
{
    int err = 0;
    if (a->options.exclusive && !a->named)
        return link_as(a, a->name);
    if (!a->named)
        err = give_temp_name(a);
    if (err == 0)
        err = weft__fs_step("close");
    if (err == -EINTR)
        err = 0;
    if (err == 0) {
        err = close(a->fd) < 0 && errno != EINTR ? -errno : 0;
        a->fd = -1;
    }
    if (err < 0)
        return err;
    if (a->options.exclusive)
        return WEFT__FS_TRY("link", linkat(a->folder, a->temp, a->folder, a->name, 0));
    err = WEFT__FS_TRY("rename", renameat(a->folder, a->temp, a->folder, a->name));
    a->named = err < 0;
    return err;
}

static int replace(struct atomic *a)
{
    struct stat st;
    const bool there = fstatat(a->folder, a->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && a->options.exclusive)
        return -EEXIST;
    if (there && S_ISDIR(st.st_mode))
        return -EISDIR;
    /* A device or FIFO has no content to be replaced, and its name is its own. */
    if (there && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return WEFT__FS_SPECIAL;
    int err = make_temp(a, a->options.mode != 0 ? a->options.mode & 07777 : 0666);
    if (err == 0)
        err = write_bytes(a);
    if (err == 0)
        err = dress(a, there && S_ISREG(st.st_mode) && a->options.mode == 0 ? &st : NULL);
    if (err == 0)
        err = sync_bytes(a);
    if (err == 0)
        err = weft__fs_tick(a->caller);
    return err < 0 ? err : publish(a);
}

/* In a->folder, which is closed, by a->name; err: what has gone wrong already. */
static int run_in_folder(struct atomic *a, int err)
{
    const bool full = a->options.durability == WEFT_DURABILITY_FULL;
    a->fd = -1;
    /* A folder that may not be read cannot be synced either: not found out when all is done. */
    if (err == 0 && full && (fcntl(a->folder, F_GETFL) & O_PATH) != 0)
        err = -EACCES;
    if (err == 0)
        err = replace(a);
    if (a->fd >= 0)
        close(a->fd);
    if (a->named)
        unlinkat(a->folder, a->temp, 0);
    if (err == 0 && full)
        err = WEFT__FS_TRY("fsync", fsync(a->folder));
    if (a->folder >= 0)
        close(a->folder);
    return err;
}

/*
 * Puts what a path leads to in its place, through links at its end, also those that lead to what
 * is yet to be made.
 */
static int follow_links(char path[PATH_MAX])
{
    char target[PATH_MAX];
    for (int n = 0; n < LINKS_MAX; n++) {
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len < 0)
            return 0;
        size_t at = *target == '/' ? 0 : weft__fs_dir_len(path);
        if (at + (size_t)len >= PATH_MAX)
            return -ENAMETOOLONG;
        memcpy(path + at, target, (size_t)len);
        path[at + (size_t)len] = '\0';
    }
    return -ELOOP;
}

static int open_folder(struct atomic *a, char path[PATH_MAX])
{
    size_t len = strlen(a->path);
    if (len >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(path, a->path, len + 1);
    int err = a->options.exclusive ? 0 : follow_links(path);
    if (err < 0)
        return err;
    return weft__fs_open_parent(path, &a->name);
}

static int run_atomic(void *arg)
{
    struct atomic *a = arg;
    char path[PATH_MAX];
    a->caller = &a->job;
    a->folder = open_folder(a, path);
    int err = a->folder < 0 ? a->folder : strchr(a->name, '/') != NULL ? -EISDIR : 0;
    err = run_in_folder(a, err);
    return err < 0 ? weft__fs_fail(err, "write %s", a->path) : 0;
}

int weft__fs_write_atomic(struct weft__fs_job *job, int folder, const char *name,
                          const weft_slice *bytes, const weft_atomic_options *options)
{
    struct atomic a = {.caller = job,
                       .folder = folder,
                       .name = name,
                       .data = bytes->data,
                       .len = bytes->len,
                       .options = *options};
    return run_in_folder(&a, 0);
}

int weft_write_atomic(const char *path, const void *data, size_t len,
                      const weft_atomic_options *options)
{
    struct atomic a = {.path = path, .data = data, .len = len};
    if (path == NULL || *path == '\0' || (data == NULL && len > 0))
        return weft__fail(-EINVAL, "weft_write_atomic without a path or bytes");
    weft__fs_options(&a.options, sizeof a.options, options);
    return weft__fs_run_long(run_atomic, &a.job);
}

/* ---- for those who write the temporary file themselves ---- */

static int run_sync_parent(void *arg)
{
    const char *path = arg;
    const char *name;
    int folder = weft__fs_open_parent(path, &name);
    int err = folder < 0 ? folder : WEFT__FS_TRY("fsync", fsync(folder));
    if (folder >= 0)
        close(folder);
    return err < 0 ? weft__fs_fail(err, "sync the folder of %s", path) : 0;
}

int weft__fs_sync_parent(const char *path)
{
    return weft__fs_run(run_sync_parent, (void *)(uintptr_t)path);
}

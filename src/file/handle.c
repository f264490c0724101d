/*
 * handle.c - descriptors of files: what they are, on which kind of file system they lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "file/file_int.h"

enum { MOUNTS = 32 };

/* ---- mounts ---- */

/* File systems without RWF_NOWAIT, by device number: asked once, then remembered. */
static struct mount {
    uint64_t device;
    enum weft__file_fs fs;
} mounts[MOUNTS];
static atomic_size_t n_mounts;
static pthread_mutex_t mounts_lock = PTHREAD_MUTEX_INITIALIZER;

enum weft__file_fs weft__mount_find(uint64_t device)
{
    enum weft__file_fs fs = WEFT__FILE_FS_UNKNOWN;
    /* They all have devices that are not real ones. */
    if (major(device) != 0 || atomic_load_explicit(&n_mounts, memory_order_relaxed) == 0)
        return fs;
    pthread_mutex_lock(&mounts_lock);
    for (size_t i = 0; i < n_mounts && i < MOUNTS; i++) {
        if (mounts[i].device == device)
            fs = mounts[i].fs;
    }
    pthread_mutex_unlock(&mounts_lock);
    return fs;
}

bool weft__mount_in_memory(int fd)
{
    struct statfs info;
    return fstatfs(fd, &info) == 0 &&
           (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC ||
            info.f_type == PROC_SUPER_MAGIC || info.f_type == SYSFS_MAGIC ||
            info.f_type == CGROUP2_SUPER_MAGIC);
}

bool weft__mount_on_disk(int fd)
{
    struct statfs info;
    return fstatfs(fd, &info) == 0 &&
           (info.f_type == EXT4_SUPER_MAGIC || info.f_type == XFS_SUPER_MAGIC ||
            info.f_type == BTRFS_SUPER_MAGIC || info.f_type == F2FS_SUPER_MAGIC);
}

enum weft__file_fs weft__mount_learn(int fd, uint64_t device)
{
    enum weft__file_fs fs = weft__mount_in_memory(fd) ? WEFT__FILE_FS_MEMORY : WEFT__FILE_FS_WAITS;
    pthread_mutex_lock(&mounts_lock);
    mounts[n_mounts % MOUNTS] = (struct mount){device, fs};
    n_mounts++;
    pthread_mutex_unlock(&mounts_lock);
    return fs;
}

/* ---- handles ---- */

static int handle_learn(struct weft__handle *handle, int fd, int flags, int64_t *ret_size)
{
    struct stat st;
    int err = WEFT__FILE_CALL("stat", NULL, fstat(fd, &st));
    *handle = (struct weft__handle){.fd = {.fd = fd}};
    if (err == 0 && S_ISDIR(st.st_mode))
        err = -EISDIR;
    if (err < 0)
        return err;
    handle->open = true;
    handle->stream = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
    handle->await_writer = S_ISFIFO(st.st_mode) && (flags & O_ACCMODE) == O_RDONLY;
    handle->append = (flags & O_APPEND) != 0;
    handle->nonblocking = (flags & O_NONBLOCK) != 0;
    handle->direct = (flags & O_DIRECT) != 0;
    handle->device = st.st_dev;
    handle->fs = weft__mount_find(st.st_dev);
    *ret_size = st.st_size;
    return 0;
}

int weft__handle_init(struct weft__handle *handle, int fd, int flags, int64_t *ret_size)
{
    int err = handle_learn(handle, fd, flags, ret_size);
    if (err < 0)
        close(fd);
    return err;
}

int weft__handle_adopt(struct weft__handle *handle, int fd, int64_t *ret_size)
{
    int flags = fcntl(fd, F_GETFL);
    int err = flags < 0 ? -errno : handle_learn(handle, fd, flags, ret_size);
    if (err < 0)
        return err;
    handle->await_writer = false;
    handle->blocking = handle->stream && (flags & O_NONBLOCK) == 0;
    handle->shared = !handle->stream;
    return 0;
}

int weft__handle_close(struct weft__handle *handle)
{
    if (!handle->open)
        return 0;
    /* An interrupted close has closed. */
    int err = weft__fault_syscall("close");
    err = err == -EINTR ? 0 : err;
    handle->open = false;
    if (handle->fd.loop != NULL)
        weft__fd_close(&handle->fd);
    else if (close(handle->fd.fd) < 0 && errno != EINTR && err == 0)
        err = -errno;
    return err;
}

int64_t weft__handle_size(struct weft__handle *handle)
{
    struct stat st;
    int err = WEFT__FILE_CALL("stat", NULL, fstat(handle->fd.fd, &st));
    return err < 0 ? err : st.st_size;
}

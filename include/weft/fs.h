/*
 * weft/fs.h - names of files: what they stand for, moved, linked, removed; owners and times.
 *
 *     weft_stat_result info;
 *     err = weft_stat("config.json", &info);                 info.size, info.mtime, info.kind
 *
 * As the calls of weft/file.h, all of these work inside tasks, where other tasks run meanwhile,
 * and outside, where they are plain system calls.  Inside, a call is one job of a worker thread,
 * however many system calls it makes, unless the answer lies in the kernel's cache.  Relative
 * paths count from the current folder.  An error's message names the path.
 *
 * Trees and copies: weft/fs_tree.h; temporary files, replacing in one step, folders that no path
 * leaves: weft/fs_temp.h; watching: weft/fs_watch.h.
 */
#ifndef WEFT_FS_H
#define WEFT_FS_H

#include <weft/base.h>
#include <weft/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a name stands for ---- */

typedef enum {
    WEFT_KIND_UNKNOWN,
    WEFT_KIND_FILE,
    WEFT_KIND_DIR,
    WEFT_KIND_SYMLINK,
    WEFT_KIND_FIFO,
    WEFT_KIND_SOCKET,
    WEFT_KIND_CHAR_DEVICE,
    WEFT_KIND_BLOCK_DEVICE
} weft_kind;

/* Times are nanoseconds since 1970, UTC. */
typedef struct weft_stat_result {
    int64_t size;      /* bytes */
    int64_t allocated; /* bytes on the disk: less than size where there are holes */
    int64_t atime;     /* last read */
    int64_t mtime;     /* content last changed */
    int64_t ctime;     /* anything last changed */
    int64_t btime;     /* made; 0 where the file system does not say */
    uint64_t ino;
    uint64_t dev;  /* of the file system */
    uint64_t rdev; /* that a device file stands for */
    uint32_t nlink;
    uint32_t mode; /* permissions, and the kind as st_mode has it */
    uint32_t uid;
    uint32_t gid;
    uint32_t block_size; /* good for reading and writing */
    weft_kind kind;
} weft_stat_result;

/* Flags of the calls below; each says which it knows. */
#define WEFT_NOFOLLOW  1u /* of a symbolic link at the end of the path the link itself */
#define WEFT_EXCLUSIVE 2u /* -EEXIST if the name exists */

/**
 * weft_stat() - size, times, kind and owner of what a path leads to
 * @path: borrows. NUL-terminated.
 * @ret:  gives by value.
 *
 * Suspends: maybe, if the answer is not in the kernel's cache.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EACCES, -ENOTDIR, -ELOOP and what else stat says.
 * Source:   os.stat, anyio.Path.stat.
 * Since:    0.1
 */
WEFT_API int weft_stat(const char *path, weft_stat_result *ret);

/**
 * weft_lstat() - the same of a symbolic link itself
 * @path: borrows. NUL-terminated.
 * @ret:  gives by value.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   as weft_stat().
 * Source:   os.lstat.
 * Since:    0.1
 */
WEFT_API int weft_lstat(const char *path, weft_stat_result *ret);

/**
 * weft_fstat() - the same of an open file
 * @file: borrows.
 * @ret:  gives by value.
 *
 * What was written and is still buffered counts.
 *
 * Suspends: maybe, if something was written before.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   as weft_file_size().
 * Source:   os.fstat.
 * Since:    0.1
 */
WEFT_API int weft_fstat(weft_file *file, weft_stat_result *ret);

/**
 * weft_exists() - does the path lead to anything?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   os.path.exists, anyio.Path.exists.
 * Since:    0.1
 */
WEFT_API int weft_exists(const char *path);

/**
 * weft_lexists() - does the name exist, be it a link that leads nowhere?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   os.path.lexists.
 * Since:    0.1
 */
WEFT_API int weft_lexists(const char *path);

/**
 * weft_is_file() - does the path lead to a regular file?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   os.path.isfile.
 * Since:    0.1
 */
WEFT_API int weft_is_file(const char *path);

/**
 * weft_is_dir() - does the path lead to a folder?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   os.path.isdir.
 * Since:    0.1
 */
WEFT_API int weft_is_dir(const char *path);

/**
 * weft_is_symlink() - is it a symbolic link?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   os.path.islink.
 * Since:    0.1
 */
WEFT_API int weft_is_symlink(const char *path);

/**
 * weft_is_fifo() - does the path lead to a FIFO?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   pathlib.Path.is_fifo.
 * Since:    0.1
 */
WEFT_API int weft_is_fifo(const char *path);

/**
 * weft_is_socket() - does the path lead to a socket?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   pathlib.Path.is_socket.
 * Since:    0.1
 */
WEFT_API int weft_is_socket(const char *path);

/**
 * weft_is_char_device() - does the path lead to a character device?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   pathlib.Path.is_char_device.
 * Since:    0.1
 */
WEFT_API int weft_is_char_device(const char *path);

/**
 * weft_is_block_device() - does the path lead to a block device?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe, as weft_stat().
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   pathlib.Path.is_block_device.
 * Since:    0.1
 */
WEFT_API int weft_is_block_device(const char *path);

/**
 * weft_is_mount() - is another file system mounted there?
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EACCES, -EIO and what else stat says, but -ENOENT, -ENOTDIR and -ELOOP, which are a
 *           no.
 * Source:   os.path.ismount.
 * Since:    0.1
 */
WEFT_API int weft_is_mount(const char *path);

/**
 * weft_same_file() - do two paths lead to the same file?
 * @a: borrows. NUL-terminated.
 * @b: borrows. NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative.
 * Errors:   as weft_stat(), -ENOENT too.
 * Source:   os.path.samefile.
 * Since:    0.1
 */
WEFT_API int weft_same_file(const char *a, const char *b);

/* Bytes, unless it says otherwise. */
typedef struct weft_statvfs_result {
    int64_t total;
    int64_t free;
    int64_t available; /* free for those who are not root */
    int64_t files;     /* how many there may be */
    int64_t files_free;
    int64_t block_size;
    int64_t name_max; /* bytes of one name */
    bool read_only;
} weft_statvfs_result;

/**
 * weft_statvfs() - how much room a file system has
 * @path: borrows. NUL-terminated.
 * @ret:  gives by value.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EACCES and what else statvfs says.
 * Source:   os.statvfs, shutil.disk_usage.
 * Since:    0.1
 */
WEFT_API int weft_statvfs(const char *path, weft_statvfs_result *ret);

/* ---- names ---- */

#define WEFT_RENAME_NOREPLACE 1u /* -EEXIST if the new name exists */
#define WEFT_RENAME_EXCHANGE  2u /* each gets the other's name; both must exist */

/**
 * weft_rename_with() - rename without replacing, or exchange two names
 * @from:  borrows. NUL-terminated.
 * @to:    borrows. NUL-terminated, on the same file system.
 * @flags: 0, WEFT_RENAME_NOREPLACE or WEFT_RENAME_EXCHANGE.
 *
 * In one step: nobody ever sees neither or both.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EEXIST; -ENOENT; -EXDEV; -EINVAL the file system cannot do it; and what else renameat2
 *           says.
 * Source:   os.rename; renameat2(2).
 * Since:    0.1
 */
WEFT_API int weft_rename_with(const char *from, const char *to, unsigned flags);

/**
 * weft_renames() - rename, making the folders above the new name and removing empty ones above the old
 * @from: borrows. NUL-terminated.
 * @to:   borrows. NUL-terminated, on the same file system.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   as weft_rename(); -ENOMEM.
 * Source:   os.renames.
 * Since:    0.1
 */
WEFT_API int weft_renames(const char *from, const char *to);

/**
 * weft_unlink() - remove a name that is no folder
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EISDIR, -EACCES and what else unlink says.
 * Source:   os.unlink, anyio.Path.unlink.
 * Since:    0.1
 */
WEFT_API int weft_unlink(const char *path);

/**
 * weft_rmdir() - remove an empty folder
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -ENOTEMPTY, -ENOTDIR, -EACCES and what else rmdir says.
 * Source:   os.rmdir.
 * Since:    0.1
 */
WEFT_API int weft_rmdir(const char *path);

/**
 * weft_removedirs() - remove an empty folder, and those above it that are empty then
 * @path: borrows. NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   as weft_rmdir(), about the first; -ENOMEM.
 * Source:   os.removedirs.
 * Since:    0.1
 */
WEFT_API int weft_removedirs(const char *path);

/**
 * weft_link() - give a file one more name
 * @target: borrows. NUL-terminated: the name it has. A symbolic link is not followed.
 * @path:   borrows. NUL-terminated: the new name.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EEXIST, -EXDEV, -EMLINK, -EPERM and what else link says.
 * Source:   os.link, anyio.Path.hardlink_to.
 * Since:    0.1
 */
WEFT_API int weft_link(const char *target, const char *path);

/**
 * weft_symlink() - make a symbolic link
 * @target: borrows. NUL-terminated: what it says, counted from the folder of @path.
 * @path:   borrows. NUL-terminated: the link.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EEXIST, -ENOENT and what else symlink says.
 * Source:   os.symlink, anyio.Path.symlink_to.
 * Since:    0.1
 */
WEFT_API int weft_symlink(const char *target, const char *path);

/**
 * weft_readlink() - what a symbolic link says
 * @path: borrows. NUL-terminated.
 * @ret:  gives, free with weft_free(). NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EINVAL no symbolic link; -ENOENT and what else readlink says; -ENOMEM.
 * Source:   os.readlink.
 * Since:    0.1
 */
WEFT_API int weft_readlink(const char *path, char **ret);

/**
 * weft_realpath() - the absolute path without symbolic links, "." and ".."
 * @path: borrows. NUL-terminated; must exist.
 * @ret:  gives, free with weft_free(). NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -ELOOP, -EACCES, -ENAMETOOLONG; -ENOMEM.
 * Source:   os.path.realpath(strict=True), anyio.Path.resolve.
 * Since:    0.1
 */
WEFT_API int weft_realpath(const char *path, char **ret);

/**
 * weft_abspath() - the absolute path, without looking whether it exists
 * @path: borrows. NUL-terminated.
 * @ret:  gives, free with weft_free(). NUL-terminated.
 *
 * ".." takes away the name before it, even where that is a symbolic link.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT the current folder is gone; -ENOMEM.
 * Source:   os.path.abspath.
 * Since:    0.1
 */
WEFT_API int weft_abspath(const char *path, char **ret);

/**
 * weft_getcwd() - the current folder
 * @ret: gives, free with weft_free(). NUL-terminated.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT it is gone; -ENOMEM.
 * Source:   os.getcwd.
 * Since:    0.1
 */
WEFT_API int weft_getcwd(char **ret);

/* ---- permissions, owners, times ---- */

/**
 * weft_chmod() - set permissions
 * @path: borrows. NUL-terminated.
 * @mode: 0 to 07777.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EPERM, -EROFS and what else chmod says.
 * Source:   os.chmod.
 * Since:    0.1
 */
WEFT_API int weft_chmod(const char *path, unsigned mode);

#define WEFT_ID_KEEP 0xffffffffu /* the owner or group stays */

/**
 * weft_chown() - set owner and group
 * @path:  borrows. NUL-terminated.
 * @uid:   or WEFT_ID_KEEP.
 * @gid:   or WEFT_ID_KEEP.
 * @flags: 0 or WEFT_NOFOLLOW.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EPERM, -EROFS and what else chown says.
 * Source:   os.chown.
 * Since:    0.1
 */
WEFT_API int weft_chown(const char *path, unsigned uid, unsigned gid, unsigned flags);

#define WEFT_TIME_NOW  INT64_MAX /* the present time */
#define WEFT_TIME_OMIT INT64_MIN /* the time stays */

/**
 * weft_utime() - set the times of reading and changing
 * @path:  borrows. NUL-terminated.
 * @atime: nanoseconds since 1970, WEFT_TIME_NOW or WEFT_TIME_OMIT.
 * @mtime: the same.
 * @flags: 0 or WEFT_NOFOLLOW.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EPERM, -EROFS and what else utimensat says.
 * Source:   os.utime(ns=...).
 * Since:    0.1
 */
WEFT_API int weft_utime(const char *path, int64_t atime, int64_t mtime, unsigned flags);

#define WEFT_ACCESS_EXISTS  0u
#define WEFT_ACCESS_EXECUTE 1u
#define WEFT_ACCESS_WRITE   2u
#define WEFT_ACCESS_READ    4u

/**
 * weft_access() - may this process read, write or execute it?
 * @path: borrows. NUL-terminated.
 * @mode: any of WEFT_ACCESS_READ, WEFT_ACCESS_WRITE and WEFT_ACCESS_EXECUTE, or WEFT_ACCESS_EXISTS.
 *
 * With the identity that opening would use. What is true now may be false at the next call.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0 if so, or negative.
 * Errors:   -EACCES no; -ENOENT; -EROFS; -EINVAL no such mode.
 * Source:   os.access(effective_ids=True).
 * Since:    0.1
 */
WEFT_API int weft_access(const char *path, unsigned mode);

/**
 * weft_truncate() - make a file shorter, or longer with zeros
 * @path: borrows. NUL-terminated.
 * @size: bytes.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EISDIR, -EFBIG, -EINVAL a negative size, and what else truncate says.
 * Source:   os.truncate.
 * Since:    0.1
 */
WEFT_API int weft_truncate(const char *path, int64_t size);

/**
 * weft_touch() - make an empty file, or give one the present time
 * @path:  borrows. NUL-terminated.
 * @mode:  permissions of a new one, before the umask; 0: 0666.
 * @flags: 0, or WEFT_EXCLUSIVE.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EEXIST; -ENOENT, -EACCES and what else open and utimensat say.
 * Source:   pathlib.Path.touch.
 * Since:    0.1
 */
WEFT_API int weft_touch(const char *path, unsigned mode, unsigned flags);

/* ---- extended attributes ---- */

#define WEFT_XATTR_CREATE  4u /* -EEXIST if there is one of that name */
#define WEFT_XATTR_REPLACE 8u /* -ENODATA if there is none */

/**
 * weft_getxattr() - the value of an attribute
 * @path:    borrows. NUL-terminated.
 * @name:    borrows. NUL-terminated, as "user.comment".
 * @flags:   0 or WEFT_NOFOLLOW.
 * @ret:     gives, free with weft_free(). A NUL that is not counted stands behind it.
 * @ret_len: gives the number of bytes, at most 64 KiB; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENODATA there is none; -EOPNOTSUPP; -ENOENT and what else getxattr says; -ENOMEM.
 * Source:   os.getxattr.
 * Since:    0.1
 */
WEFT_API int weft_getxattr(const char *path, const char *name, unsigned flags, char **ret,
                           size_t *ret_len);

/**
 * weft_listxattr() - the names of all attributes
 * @path:  borrows. NUL-terminated.
 * @flags: 0 or WEFT_NOFOLLOW.
 * @ret:   gives, free with weft_free(): names, with a NULL behind the last; one block.
 * @ret_n: gives how many; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EOPNOTSUPP, -ENOENT and what else listxattr says; -ENOMEM.
 * Source:   os.listxattr.
 * Since:    0.1
 */
WEFT_API int weft_listxattr(const char *path, unsigned flags, char ***ret, size_t *ret_n);

/**
 * weft_setxattr() - set an attribute
 * @path:  borrows. NUL-terminated.
 * @name:  borrows. NUL-terminated, as "user.comment".
 * @data:  borrows. @len bytes; may be NULL if @len is 0.
 * @len:   bytes.
 * @flags: WEFT_NOFOLLOW, WEFT_XATTR_CREATE, WEFT_XATTR_REPLACE.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EEXIST, -ENODATA, -EOPNOTSUPP, -ENOSPC, -ENOENT and what else setxattr says.
 * Source:   os.setxattr.
 * Since:    0.1
 */
WEFT_API int weft_setxattr(const char *path, const char *name, const void *data, size_t len,
                           unsigned flags);

/**
 * weft_removexattr() - remove an attribute
 * @path:  borrows. NUL-terminated.
 * @name:  borrows. NUL-terminated, as "user.comment".
 * @flags: 0 or WEFT_NOFOLLOW.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENODATA, -EOPNOTSUPP, -ENOENT and what else removexattr says.
 * Source:   os.removexattr.
 * Since:    0.1
 */
WEFT_API int weft_removexattr(const char *path, const char *name, unsigned flags);

#ifdef __cplusplus
}
#endif
#endif

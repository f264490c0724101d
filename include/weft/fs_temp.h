/*
 * weft/fs_temp.h - files that nobody sees half: replaced in one step, temporary, below a root.
 *
 *     err = weft_write_atomic("state.json", text, len, NULL);   the old content or the new one
 *
 *     weft_root *root;
 *     err = weft_root_open("/srv/files", &root);
 *     err = weft_root_file_open(root, name_from_a_peer, "r", &file);   -EXDEV if it leads out
 */
#ifndef WEFT_FS_TEMP_H
#define WEFT_FS_TEMP_H

#include <weft/base.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fs_tree.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- replacing a file in one step ---- */

typedef enum {
    WEFT_DURABILITY_DATA, /* after a power failure: the old content or the new one, whole */
    WEFT_DURABILITY_NONE, /* only other processes see it in one step */
    WEFT_DURABILITY_FULL  /* when the call returns, the new content survives a power failure */
} weft_durability;

typedef struct weft_atomic_options {
    size_t size;
    weft_durability durability;
    unsigned mode;  /* permissions; default those of the old file, of a new one 0666 and umask */
    bool exclusive; /* -EEXIST if the file exists */
} weft_atomic_options;
#define WEFT_ATOMIC(...) WEFT_OPTIONS(weft_atomic_options, __VA_ARGS__)

/**
 * weft_write_atomic() - replace the bytes of a file in one step, or create it
 * @path:    borrows. NUL-terminated. What a symbolic link leads to is replaced or created, not the
 *           link; unless @options say exclusive.
 * @data:    borrows. @len bytes; may be NULL if @len is 0.
 * @len:     bytes.
 * @options: borrows, NULL for defaults.
 *
 * Nobody sees, and no crash leaves, a mixture or a part. Permissions and, where allowed, the owner
 * are kept; other names of the old file (hard links) keep the old content.
 *
 * A process that is killed in the middle may leave a file ".weft-*.tmp" beside it, which may be
 * removed.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, the old content is there and nothing else is left.
 * Return:   0, or negative.
 * Errors:   -EEXIST; -EISDIR; -EINVAL a device or FIFO stands there; -ELOOP; -ENOSPC, -EACCES, -EIO
 *           and what else open, write, fdatasync and rename say. With WEFT_DURABILITY_FULL an error
 *           of the folder's sync comes when the new content is in place.
 * Source:   the recipe of os.replace and os.fsync.
 * Since:    0.1
 */
WEFT_API int weft_write_atomic(const char *path, const void *data, size_t len,
                               const weft_atomic_options *options);

/* ---- temporary files and folders ---- */

/* Texts are borrowed. */
typedef struct weft_temp_options {
    size_t size;
    const char *dir;    /* default: weft_gettempdir() */
    const char *prefix; /* default "weft-" */
    const char *suffix; /* default "" */
} weft_temp_options;
#define WEFT_TEMP(...) WEFT_OPTIONS(weft_temp_options, __VA_ARGS__)

/**
 * weft_gettempdir() - the folder for temporary files
 * @ret: gives, free with weft_free(). NUL-terminated.
 *
 * The first that can be written to of TMPDIR, TEMP, TMP, /tmp, /var/tmp, /usr/tmp and the current
 * folder.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   tempfile.gettempdir.
 * Since:    0.1
 */
WEFT_API int weft_gettempdir(char **ret);

/**
 * weft_temp_file() - a file without a name, open for reading and writing
 * @options: borrows, NULL for defaults.
 * @ret:     gives, close with weft_file_close(): then it is gone.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing is left.
 * Return:   0, or negative.
 * Errors:   -EINVAL a slash in prefix or suffix; -ENOENT, -EACCES, -ENOSPC, -EMFILE and what else
 *           open says; -ENOMEM.
 * Source:   tempfile.TemporaryFile, aiofiles.tempfile.TemporaryFile.
 * Since:    0.1
 */
WEFT_API int weft_temp_file(const weft_temp_options *options, weft_file **ret);

/**
 * weft_mkstemp() - make a file of a new name that only its owner may read
 * @options:  borrows, NULL for defaults.
 * @ret:      gives, close with weft_file_close().
 * @ret_path: gives, free with weft_free(). The file stays until it is removed.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing is left.
 * Return:   0, or negative.
 * Errors:   -EINVAL a slash in prefix or suffix; -ENOENT, -EACCES, -ENOSPC, -EMFILE and what else
 *           open says; -ENOMEM.
 * Source:   tempfile.mkstemp, anyio.mkstemp.
 * Since:    0.1
 */
WEFT_API int weft_mkstemp(const weft_temp_options *options, weft_file **ret, char **ret_path);

/**
 * weft_mkdtemp() - make a folder of a new name that only its owner may enter
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_free(). The folder stays until it is removed.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing is left.
 * Return:   0, or negative.
 * Errors:   -EINVAL a slash in prefix or suffix; -ENOENT, -EACCES, -ENOSPC, -EMFILE and what else
 *           open says; -ENOMEM.
 * Source:   tempfile.mkdtemp, anyio.mkdtemp.
 * Since:    0.1
 */
WEFT_API int weft_mkdtemp(const weft_temp_options *options, char **ret);

typedef struct weft_named_temp weft_named_temp;

/**
 * weft_named_temp_open() - a file with a name that goes away when it is closed
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_named_temp_close().
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing is left.
 * Return:   0, or negative.
 * Errors:   -EINVAL a slash in prefix or suffix; -ENOENT, -EACCES, -ENOSPC, -EMFILE and what else
 *           open says; -ENOMEM.
 * Source:   tempfile.NamedTemporaryFile.
 * Since:    0.1
 */
WEFT_API int weft_named_temp_open(const weft_temp_options *options, weft_named_temp **ret);

/**
 * weft_named_temp_file() - the open file
 * @temp: borrows.
 *
 * Suspends: never.
 * Return:   lends until the close; not to be closed by itself.
 * Since:    0.1
 */
WEFT_API weft_file *weft_named_temp_file(weft_named_temp *temp);

/**
 * weft_named_temp_path() - its name
 * @temp: borrows.
 *
 * Suspends: never.
 * Return:   lends until the close.
 * Source:   NamedTemporaryFile().name.
 * Since:    0.1
 */
WEFT_API const char *weft_named_temp_path(const weft_named_temp *temp);

/**
 * weft_named_temp_close() - close the file and remove its name
 * @temp: takes. NULL is allowed.
 *
 * A name that is gone already is fine.
 *
 * Suspends: maybe.
 * Cancel:   not: it closes and removes.
 * Return:   0, or negative.
 * Errors:   as weft_file_close() and weft_unlink(); after -EBUSY it still belongs to the caller.
 * Source:   NamedTemporaryFile().close.
 * Since:    0.1
 */
WEFT_API int weft_named_temp_close(weft_named_temp *temp);

typedef struct weft_temp_dir weft_temp_dir;

/**
 * weft_temp_dir_open() - a folder that goes away with all that is in it
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_temp_dir_close().
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing is left.
 * Return:   0, or negative.
 * Errors:   -EINVAL a slash in prefix or suffix; -ENOENT, -EACCES, -ENOSPC, -EMFILE and what else
 *           open says; -ENOMEM.
 * Source:   tempfile.TemporaryDirectory.
 * Since:    0.1
 */
WEFT_API int weft_temp_dir_open(const weft_temp_options *options, weft_temp_dir **ret);

/**
 * weft_temp_dir_path() - its name
 * @temp: borrows.
 *
 * Suspends: never.
 * Return:   lends until the close.
 * Source:   TemporaryDirectory().name.
 * Since:    0.1
 */
WEFT_API const char *weft_temp_dir_path(const weft_temp_dir *temp);

/**
 * weft_temp_dir_close() - remove the folder and its content
 * @temp: takes. NULL is allowed.
 *
 * Suspends: maybe.
 * Cancel:   not: it removes, for at most 10 s.
 * Return:   0, or negative.
 * Errors:   as weft_remove_tree(); one that is gone already is fine.
 * Source:   TemporaryDirectory().cleanup.
 * Since:    0.1
 */
WEFT_API int weft_temp_dir_close(weft_temp_dir *temp);

typedef struct weft_spool weft_spool;

/**
 * weft_spool_open() - bytes in memory that become a temporary file when they are many
 * @max:     bytes in memory; 0: 1 MiB (FS_SPOOL).
 * @options: borrows, NULL for defaults; its dir is copied, the rest means nothing here.
 * @ret:     gives, free with weft_spool_close().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOMEM.
 * Source:   tempfile.SpooledTemporaryFile.
 * Since:    0.1
 */
WEFT_API int weft_spool_open(size_t max, const weft_temp_options *options, weft_spool **ret);

/**
 * weft_spool_write() - write at the position
 * @spool: borrows. One task at a time.
 * @data:  copies. @len bytes.
 * @len:   bytes.
 *
 * Suspends: maybe, if it is a file or becomes one.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   as weft_file_write() and weft_temp_file().
 * Source:   SpooledTemporaryFile().write.
 * Since:    0.1
 */
WEFT_API int weft_spool_write(weft_spool *spool, const void *data, size_t len);

/**
 * weft_spool_read() - read at the position
 * @spool: borrows. One task at a time.
 * @data:  borrows. Room for @len bytes.
 * @len:   bytes.
 *
 * Suspends: maybe, if it is a file or becomes one.
 * Cancel:   -ECANCELED.
 * Return:   the number of bytes, 0 at the end, or negative.
 * Errors:   as weft_file_read().
 * Source:   SpooledTemporaryFile().read.
 * Since:    0.1
 */
WEFT_API int64_t weft_spool_read(weft_spool *spool, void *data, size_t len);

/**
 * weft_spool_seek() - move the position
 * @spool:  borrows. One task at a time.
 * @offset: bytes from what @whence says.
 * @whence: SEEK_SET, SEEK_CUR or SEEK_END of <stdio.h>.
 *
 * Suspends: maybe, if it is a file or becomes one.
 * Cancel:   -ECANCELED.
 * Return:   the new position, or negative.
 * Errors:   as weft_file_seek().
 * Source:   SpooledTemporaryFile().seek.
 * Since:    0.1
 */
WEFT_API int64_t weft_spool_seek(weft_spool *spool, int64_t offset, int whence);

/**
 * weft_spool_rollover() - make it a file now
 * @spool: borrows. One task at a time.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, it stays in memory.
 * Return:   0, or negative.
 * Errors:   as weft_temp_file() and weft_file_write().
 * Source:   SpooledTemporaryFile().rollover.
 * Since:    0.1
 */
WEFT_API int weft_spool_rollover(weft_spool *spool);

/**
 * weft_spool_is_rolled() - is it a file?
 * @spool: borrows.
 *
 * Suspends: never.
 * Return:   whether it is.
 * Since:    0.1
 */
WEFT_API bool weft_spool_is_rolled(const weft_spool *spool);

/**
 * weft_spool_close() - forget the bytes
 * @spool: takes. NULL is allowed.
 *
 * Suspends: maybe.
 * Cancel:   not: it closes.
 * Return:   0, or negative.
 * Errors:   as weft_file_close().
 * Source:   SpooledTemporaryFile().close.
 * Since:    0.1
 */
WEFT_API int weft_spool_close(weft_spool *spool);

/* ---- a folder that no path leaves ---- */

/* For paths from a peer or a user; any number of tasks at once. */
typedef struct weft_root weft_root;

/**
 * weft_root_open() - open a folder as a root
 * @path: borrows. NUL-terminated.
 * @ret:  gives, free with weft_root_close().
 *
 * No path given to the calls below leaves it: not by "..", a leading slash, a symbolic link (also
 * none of /proc), or by what is renamed meanwhile. Links that stay inside are followed, but not at
 * the end of a path that is changed.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOSYS the kernel is older than 5.6, or a filter forbids openat2; -ENOENT, -ENOTDIR,
 *           -EACCES; -ENOMEM.
 * Source:   openat2(2), RESOLVE_BENEATH.
 * Since:    0.1
 */
WEFT_API int weft_root_open(const char *path, weft_root **ret);

/**
 * weft_root_close() - close a root
 * @root: takes. NULL is allowed; no task may be inside a call with it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_root_close(weft_root *root);

/**
 * weft_root_file_open() - open a file below the root
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 * @mode: borrows. As for weft_file_open(): r, w, a or x, then + and b.
 * @ret:  gives, free with weft_file_close().
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; the descriptor does not leak.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_file_open().
 * Source:   open.
 * Since:    0.1
 */
WEFT_API int weft_root_file_open(weft_root *root, const char *path, const char *mode,
                                 weft_file **ret);

/**
 * weft_root_stat() - what a path below the root leads to
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root.
 * @flags: 0 or WEFT_NOFOLLOW.
 * @ret:   gives by value.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_stat().
 * Source:   os.stat.
 * Since:    0.1
 */
WEFT_API int weft_root_stat(weft_root *root, const char *path, unsigned flags,
                            weft_stat_result *ret);

/**
 * weft_root_listdir() - all names in a folder below the root
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root; "." is the root.
 * @ret:   gives, free with weft_free(): sorted, with a NULL behind the last; one block.
 * @ret_n: gives how many; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_listdir().
 * Source:   os.listdir.
 * Since:    0.1
 */
WEFT_API int weft_root_listdir(weft_root *root, const char *path, char ***ret, size_t *ret_n);

/**
 * weft_root_readlink() - what a symbolic link below the root says
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 * @ret:  gives, free with weft_free(). NUL-terminated.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_readlink().
 * Source:   os.readlink.
 * Since:    0.1
 */
WEFT_API int weft_root_readlink(weft_root *root, const char *path, char **ret);

/**
 * weft_root_mkdir() - create a folder below the root
 * @root:    borrows.
 * @path:    borrows. NUL-terminated, relative to the root.
 * @mode:    permissions before the umask; 0: 0777.
 * @parents: create the folders above it too, and accept one that exists already.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_mkdir().
 * Source:   os.mkdir, os.makedirs.
 * Since:    0.1
 */
WEFT_API int weft_root_mkdir(weft_root *root, const char *path, unsigned mode, bool parents);

/**
 * weft_root_remove() - remove a file or an empty folder below the root
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; -EINVAL a path that ends in "." or ".."; as
 *           weft_remove().
 * Source:   os.remove.
 * Since:    0.1
 */
WEFT_API int weft_root_remove(weft_root *root, const char *path);

/**
 * weft_root_remove_tree() - remove a folder below the root with all that is in it
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, a part may have been removed.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_remove_tree().
 * Source:   shutil.rmtree.
 * Since:    0.1
 */
WEFT_API int weft_root_remove_tree(weft_root *root, const char *path);

/**
 * weft_root_rename() - rename below the root
 * @root:  borrows.
 * @from:  borrows. NUL-terminated, relative to the root.
 * @to:    borrows. The same.
 * @flags: 0, WEFT_RENAME_NOREPLACE or WEFT_RENAME_EXCHANGE.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_rename_with().
 * Source:   os.replace.
 * Since:    0.1
 */
WEFT_API int weft_root_rename(weft_root *root, const char *from, const char *to, unsigned flags);

/**
 * weft_root_symlink() - make a symbolic link below the root
 * @root:   borrows.
 * @target: borrows. NUL-terminated: what it says. One that leads out can be made, but not followed
 *          from here.
 * @path:   borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_symlink().
 * Source:   os.symlink.
 * Since:    0.1
 */
WEFT_API int weft_root_symlink(weft_root *root, const char *target, const char *path);

/**
 * weft_root_link() - give a file below the root one more name
 * @root:   borrows.
 * @target: borrows. NUL-terminated, relative to the root; a link at its end is not followed.
 * @path:   borrows. The same: the new name.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV one of the paths leads out of the root; as weft_link().
 * Source:   os.link.
 * Since:    0.1
 */
WEFT_API int weft_root_link(weft_root *root, const char *target, const char *path);

/**
 * weft_root_chmod() - set the permissions of what is below the root
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root; a link that stays inside is followed.
 * @mode: the new ones.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_chmod(); -ENOENT there is no /proc.
 * Source:   os.chmod.
 * Since:    0.1
 */
WEFT_API int weft_root_chmod(weft_root *root, const char *path, unsigned mode);

/**
 * weft_root_chown() - set owner and group of what is below the root
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root.
 * @uid:   the owner, or WEFT_ID_KEEP.
 * @gid:   the group, or WEFT_ID_KEEP.
 * @flags: 0 or WEFT_NOFOLLOW.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_chown().
 * Source:   os.chown.
 * Since:    0.1
 */
WEFT_API int weft_root_chown(weft_root *root, const char *path, unsigned uid, unsigned gid,
                             unsigned flags);

/**
 * weft_root_utime() - set the times of what is below the root
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root.
 * @atime: nanoseconds since 1970 of reading, WEFT_TIME_NOW or WEFT_TIME_OMIT.
 * @mtime: the same of changing.
 * @flags: 0 or WEFT_NOFOLLOW.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_utime(); -ENOENT there is no /proc.
 * Source:   os.utime.
 * Since:    0.1
 */
WEFT_API int weft_root_utime(weft_root *root, const char *path, int64_t atime, int64_t mtime,
                             unsigned flags);

/**
 * weft_root_access() - may this process read, write or execute what is below the root?
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root; a link that stays inside is followed.
 * @mode: as for weft_access().
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_access(); -ENOENT there is no /proc.
 * Source:   os.access.
 * Since:    0.1
 */
WEFT_API int weft_root_access(weft_root *root, const char *path, unsigned mode);

/**
 * weft_root_truncate() - set the size of a file below the root
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root; a link that stays inside is followed.
 * @size: bytes.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_truncate().
 * Source:   os.truncate.
 * Since:    0.1
 */
WEFT_API int weft_root_truncate(weft_root *root, const char *path, int64_t size);

/**
 * weft_root_copy() - copy a file below the root
 * @root:    borrows.
 * @from:    borrows. NUL-terminated, relative to the root; a link that stays inside is followed,
 *           unless the options keep links.
 * @to:      borrows. The same; a link that stands there is refused.
 * @options: borrows, NULL for defaults: as for weft_copy().
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; a copy that was begun is removed, unless a file was there before.
 * Return:   0, or negative.
 * Errors:   -EXDEV one of the paths leads out of the root; -ELOOP a link stands at @to; as
 *           weft_copy(); -ENOENT there is no /proc.
 * Source:   shutil.copy.
 * Since:    0.1
 */
WEFT_API int weft_root_copy(weft_root *root, const char *from, const char *to,
                            const weft_copy_options *options);

/**
 * weft_root_write_atomic() - replace a file below the root as a whole
 * @root:    borrows.
 * @path:    borrows. NUL-terminated, relative to the root; a link that stands there is replaced.
 * @data:    borrows.
 * @len:     bytes.
 * @options: borrows, NULL for defaults: as for weft_write_atomic().
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, the old content stands.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_write_atomic().
 * Source:   none in Python.
 * Since:    0.1
 */
WEFT_API int weft_root_write_atomic(weft_root *root, const char *path, const void *data, size_t len,
                                    const weft_atomic_options *options);

#ifdef __cplusplus
}
#endif
#endif

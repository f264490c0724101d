/*
 * weft/fs_root.h - more of what is done below a root: trees, patterns, questions, attributes.
 *
 *     err = weft_root_walk_open(root, ".", NULL, &walk);
 *     err = weft_root_glob(root, "photos-*", NULL, &names, &n);   paths for the root again
 *
 * The root itself, files, names and permissions: weft/fs_temp.h. What has no form here, and why:
 *
 *     realpath, abspath, getcwd     speak of absolute paths, which a root takes none of
 *     unlink, rmdir                 weft_root_remove() does both
 *     renames, removedirs           walk up the path to where it ends, which is the root's affair
 *     read_file and the like        weft_root_file_open() and weft_file_read_all()
 *     is_fifo, is_socket, same_file and the like
 *                                   weft_root_stat() says the kind, device and number
 *     move                          weft_root_rename(); to another file system below the root
 *                                   weft_root_copy_tree() or weft_root_copy(), then removing
 *     is_mount                      where a file system begins is nothing that a path asks for
 *     temporary files               weft_root_write_atomic(), or mode "x" with a name of your own
 *     watch, follow                 go by a name again and again, which others may lead elsewhere
 */
#ifndef WEFT_FS_ROOT_H
#define WEFT_FS_ROOT_H

#include <weft/base.h>
#include <weft/fs.h>
#include <weft/fs_temp.h>
#include <weft/fs_tree.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- trees and patterns ---- */

/**
 * weft_root_dir_open() - begin to read a folder below the root
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root; "." is the root.
 * @ret:  gives, free with weft_dir_close(); the root may be closed before.
 *
 * Goes on with weft_dir_next(). weft_dir_stat() takes no name, and follows no link, that leads out
 * of this folder: -EXDEV.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_dir_open().
 * Source:   os.scandir.
 * Since:    0.1
 */
WEFT_API int weft_root_dir_open(weft_root *root, const char *path, weft_dir **ret);

/**
 * weft_root_walk_open() - begin to go through a tree below the root
 * @root:    borrows.
 * @path:    borrows. NUL-terminated, relative to the root. "." is the root.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_walk_close(); the root may be closed before.
 *
 * Goes on with weft_walk_next(). The entries' paths begin with @path, so the calls with this root take
 * them. With .follow_symlinks a link that leads out of the root is not entered: it is an entry like
 * any other.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing stays open.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_walk_open().
 * Source:   os.walk, os.fwalk.
 * Since:    0.1
 */
WEFT_API int weft_root_walk_open(weft_root *root, const char *path,
                                 const weft_walk_options *options, weft_walk **ret);

/**
 * weft_root_glob() - names below the root that match a pattern
 * @root:    borrows.
 * @pattern: borrows. As for weft_glob(), without a slash in front and without "..".
 * @options: borrows, NULL for defaults; its root is a folder below @root, which no name
 *           leaves.
 * @ret:     gives, free with weft_free(): sorted, with a NULL behind the last; one block.
 * @ret_n:   gives how many; may be NULL.
 *
 * Nothing is found through a link that leads out; the link itself may match.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -EXDEV the pattern, or the folder of the options, leads out of the root; as weft_glob().
 * Source:   glob.glob(root_dir=..., recursive=True).
 * Since:    0.1
 */
WEFT_API int weft_root_glob(weft_root *root, const char *pattern, const weft_glob_options *options,
                            char ***ret, size_t *ret_n);

/**
 * weft_root_copy_tree() - copy a folder below the root with all that is in it
 * @root:    borrows.
 * @from:    borrows. NUL-terminated, relative to the root.
 * @to:      borrows. The same: the new name, not the folder for it.
 * @options: borrows, NULL for defaults: as for weft_copy_tree().
 *
 * Symbolic links are copied as they are, also those that lead out. With .follow_symlinks one that
 * leads out is an error.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, a part may have been copied.
 * Return:   0, or negative.
 * Errors:   -EXDEV one of the paths, or a link that is followed, leads out of the root; -ENOTDIR a
 *           link stands at @to; as weft_copy_tree(); -ENOENT there is no /proc.
 * Source:   shutil.copytree.
 * Since:    0.1
 */
WEFT_API int weft_root_copy_tree(weft_root *root, const char *from, const char *to,
                                 const weft_copy_tree_options *options);

/* ---- questions ---- */

/**
 * weft_root_exists() - does the path lead to anything below the root?
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EXDEV the path leads out of the root; as weft_exists().
 * Source:   os.path.exists.
 * Since:    0.1
 */
WEFT_API int weft_root_exists(weft_root *root, const char *path);

/**
 * weft_root_lexists() - does the name exist below the root, be it a link that leads nowhere?
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EXDEV the path leads out of the root; as weft_lexists().
 * Source:   os.path.lexists.
 * Since:    0.1
 */
WEFT_API int weft_root_lexists(weft_root *root, const char *path);

/**
 * weft_root_is_file() - does the path lead to a regular file below the root?
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EXDEV the path leads out of the root; as weft_is_file().
 * Source:   os.path.isfile.
 * Since:    0.1
 */
WEFT_API int weft_root_is_file(weft_root *root, const char *path);

/**
 * weft_root_is_dir() - does the path lead to a folder below the root?
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EXDEV the path leads out of the root; as weft_is_dir().
 * Source:   os.path.isdir.
 * Since:    0.1
 */
WEFT_API int weft_root_is_dir(weft_root *root, const char *path);

/**
 * weft_root_is_symlink() - is the name a symbolic link below the root?
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   1, 0, or negative if it cannot be said.
 * Errors:   -EXDEV the path leads out of the root; as weft_is_symlink().
 * Source:   os.path.islink.
 * Since:    0.1
 */
WEFT_API int weft_root_is_symlink(weft_root *root, const char *path);

/**
 * weft_root_statvfs() - how much room the file system of a path has
 * @root: borrows.
 * @path: borrows. NUL-terminated, relative to the root.
 * @ret:  gives by value.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_statvfs().
 * Source:   os.statvfs.
 * Since:    0.1
 */
WEFT_API int weft_root_statvfs(weft_root *root, const char *path, weft_statvfs_result *ret);

/* ---- touch and extended attributes ---- */

/**
 * weft_root_touch() - make an empty file below the root, or give one the present time
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root; a link that stays inside is followed.
 * @mode:  permissions of a new one, before the umask; 0: 0666.
 * @flags: 0, or WEFT_EXCLUSIVE.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_touch(); -ENOENT there is no /proc.
 * Source:   pathlib.Path.touch.
 * Since:    0.1
 */
WEFT_API int weft_root_touch(weft_root *root, const char *path, unsigned mode, unsigned flags);

/**
 * weft_root_getxattr() - the value of an attribute of what is below the root
 * @root:    borrows.
 * @path:    borrows. NUL-terminated, relative to the root.
 * @name:    borrows. NUL-terminated, as "user.comment".
 * @flags:   0 or WEFT_NOFOLLOW.
 * @ret:     gives, free with weft_free(). A NUL that is not counted stands behind it.
 * @ret_len: gives the number of bytes, at most 64 KiB; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_getxattr(); -ENOENT there is no
 *           /proc.
 * Source:   os.getxattr.
 * Since:    0.1
 */
WEFT_API int weft_root_getxattr(weft_root *root, const char *path, const char *name, unsigned flags,
                                char **ret, size_t *ret_len);

/**
 * weft_root_listxattr() - the names of all attributes of what is below the root
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root.
 * @flags: 0 or WEFT_NOFOLLOW.
 * @ret:   gives, free with weft_free(): names, with a NULL behind the last; one block.
 * @ret_n: gives how many; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_listxattr(); -ENOENT there is no
 *           /proc.
 * Source:   os.listxattr.
 * Since:    0.1
 */
WEFT_API int weft_root_listxattr(weft_root *root, const char *path, unsigned flags, char ***ret,
                                 size_t *ret_n);

/**
 * weft_root_setxattr() - set an attribute of what is below the root
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root.
 * @name:  borrows. NUL-terminated, as "user.comment".
 * @data:  borrows. @len bytes; may be NULL if @len is 0.
 * @len:   bytes.
 * @flags: WEFT_NOFOLLOW, WEFT_XATTR_CREATE, WEFT_XATTR_REPLACE.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_setxattr(); -ENOENT there is no
 *           /proc.
 * Source:   os.setxattr.
 * Since:    0.1
 */
WEFT_API int weft_root_setxattr(weft_root *root, const char *path, const char *name,
                                const void *data, size_t len, unsigned flags);

/**
 * weft_root_removexattr() - remove an attribute of what is below the root
 * @root:  borrows.
 * @path:  borrows. NUL-terminated, relative to the root.
 * @name:  borrows. NUL-terminated, as "user.comment".
 * @flags: 0 or WEFT_NOFOLLOW.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -EXDEV the path leads out of the root; as weft_removexattr(); -ENOENT there is
 *           no /proc.
 * Source:   os.removexattr.
 * Since:    0.1
 */
WEFT_API int weft_root_removexattr(weft_root *root, const char *path, const char *name,
                                   unsigned flags);

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/fs_tree.h - folders and trees: read, walked, matched, removed, copied and moved.
 *
 *     weft_walk *walk;
 *     weft_walk_entry entry;
 *     err = weft_walk_open("src", NULL, &walk);
 *     while ((got = weft_walk_next(walk, &entry)) > 0)
 *         puts(entry.path);
 *     weft_walk_close(walk);
 *
 *     err = weft_copy_tree("site", "backup", WEFT_COPY_TREE(.preserve = true));
 *
 * An error's message names the path below the root that failed.
 */
#ifndef WEFT_FS_TREE_H
#define WEFT_FS_TREE_H

#include <weft/base.h>
#include <weft/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- folders ---- */

typedef struct weft_dir weft_dir;

typedef struct weft_dir_entry {
    const char *name; /* lends until the next call with this folder */
    uint64_t ino;
    weft_kind kind; /* of the entry itself: a symbolic link is WEFT_KIND_SYMLINK */
} weft_dir_entry;

/**
 * weft_dir_open() - begin to read a folder
 * @path: borrows. NUL-terminated.
 * @ret:  gives, free with weft_dir_close().
 *
 * Entries come in the file system's order, without "." and "..", some hundred of them with each
 * system call.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -ENOTDIR, -EACCES, -EMFILE and what else open says; -ENOMEM.
 * Source:   os.scandir.
 * Since:    0.1
 */
WEFT_API int weft_dir_open(const char *path, weft_dir **ret);

/**
 * weft_dir_next() - the next entry
 * @dir: borrows. One task at a time.
 * @ret: gives by value; its name is lent.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, no entry is lost.
 * Return:   1 with an entry, 0 at the end, or negative.
 * Errors:   -EBUSY another task is inside a call with this folder; -EIO and what else getdents
 *           says.
 * Source:   os.DirEntry.
 * Since:    0.1
 */
WEFT_API int weft_dir_next(weft_dir *dir, weft_dir_entry *ret);

/**
 * weft_dir_stat() - size, times and owner of an entry
 * @dir:   borrows.
 * @name:  borrows. NUL-terminated, of an entry.
 * @flags: 0 or WEFT_NOFOLLOW.
 * @ret:   gives by value.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED if it has not begun.
 * Return:   0, or negative.
 * Errors:   as weft_stat().
 * Source:   os.DirEntry.stat.
 * Since:    0.1
 */
WEFT_API int weft_dir_stat(weft_dir *dir, const char *name, unsigned flags, weft_stat_result *ret);

/**
 * weft_dir_close() - end reading
 * @dir: takes. NULL is allowed; no task may be inside a call with it.
 *
 * Suspends: never.
 * Source:   os.scandir().close.
 * Since:    0.1
 */
WEFT_API void weft_dir_close(weft_dir *dir);

/**
 * weft_listdir() - all names in a folder
 * @path:  borrows. NUL-terminated.
 * @ret:   gives, free with weft_free(): sorted, with a NULL behind the last; one block.
 * @ret_n: gives how many; may be NULL.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   as weft_dir_open(); WEFT_ETOO_LONG more than 256 MiB of names (FS_NAMES); -ENOMEM.
 * Source:   os.listdir.
 * Since:    0.1
 */
WEFT_API int weft_listdir(const char *path, char ***ret, size_t *ret_n);

/* ---- trees ---- */

typedef struct weft_walk weft_walk;

typedef struct weft_walk_options {
    size_t size;
    bool bottom_up;       /* a folder comes after its content */
    bool follow_symlinks; /* into folders; one that leads back to a folder above is an error */
    unsigned max_depth;   /* of entries: 1 is the folder's own; default 0: all */
} weft_walk_options;
#define WEFT_WALK(...) WEFT_OPTIONS(weft_walk_options, __VA_ARGS__)

/* Both texts are lent until the next call with this walk. */
typedef struct weft_walk_entry {
    const char *path; /* begins with the path that the walk was opened with */
    const char *name; /* the last part of it */
    uint64_t ino;
    weft_kind kind;
    unsigned depth; /* 0 for what lies in the first folder */
    int error;      /* a folder that could not be read: -EACCES, -ELOOP; the walk goes on */
} weft_walk_entry;

/**
 * weft_walk_open() - begin to go through a tree
 * @path:    borrows. NUL-terminated.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_walk_close().
 *
 * Memory and descriptors do not grow with the size of the tree; at most 16 folders are open. A
 * folder is entered when the call after its entry is made. One that is swapped for a symbolic link
 * meanwhile is not left through it.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing stays open.
 * Return:   0, or negative.
 * Errors:   as weft_dir_open().
 * Source:   os.walk, os.fwalk, anyio.Path.walk.
 * Since:    0.1
 */
WEFT_API int weft_walk_open(const char *path, const weft_walk_options *options, weft_walk **ret);

/**
 * weft_walk_next() - the next entry
 * @walk: borrows. One task at a time.
 * @ret:  gives by value; its texts are lent.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED; entries may be lost, so close the walk.
 * Return:   1 with an entry, 0 at the end, or negative.
 * Errors:   -EBUSY another task is inside a call with this walk; -ESTALE a folder was moved out of
 *           the tree meanwhile; -ENAMETOOLONG a path of more than 1 MiB (FS_PATH); -ENOMEM.
 * Source:   os.walk.
 * Since:    0.1
 */
WEFT_API int weft_walk_next(weft_walk *walk, weft_walk_entry *ret);

/**
 * weft_walk_skip() - do not enter the folder that came last
 * @walk: borrows.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL it was no folder, or the walk goes from the bottom up.
 * Source:   os.walk, removing from dirnames.
 * Since:    0.1
 */
WEFT_API int weft_walk_skip(weft_walk *walk);

/**
 * weft_walk_close() - end a walk
 * @walk: takes. NULL is allowed; no task may be inside a call with it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_walk_close(weft_walk *walk);

/**
 * weft_remove_tree() - remove a folder with all that is in it
 * @path: borrows. NUL-terminated. A folder, not a symbolic link to one.
 *
 * Symbolic links are removed, never followed, also where a folder is swapped for one meanwhile. Any
 * depth is removed with 16 descriptors.
 *
 * The first error ends it.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, a part may have been removed.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -ENOTDIR no folder, -EACCES, -EBUSY and what else unlink says, with the path
 *           of what could not be removed; -ENOMEM.
 * Source:   shutil.rmtree.
 * Since:    0.1
 */
WEFT_API int weft_remove_tree(const char *path);

typedef struct weft_glob_options {
    size_t size;
    const char *root;    /* borrows: names count from this folder; default the current one */
    bool include_hidden; /* "*", "?", "[...]" and "**" match a leading dot too */
} weft_glob_options;
#define WEFT_GLOB(...) WEFT_OPTIONS(weft_glob_options, __VA_ARGS__)

/**
 * weft_glob() - names that match a pattern
 * @pattern: borrows. NUL-terminated, less than 4 KiB.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_free(): sorted, with a NULL behind the last; one block.
 * @ret_n:   gives how many; may be NULL.
 *
 * "*" stands for any characters but a slash, "?" for one, "[a-z]" and "[!a-z]" for one of some;
 * "**" as a whole part stands for any number of folders, without symbolic links. "[*]" is a star. A
 * pattern that ends in a slash matches folders only. No match is an empty list. Folders that may
 * not be read are passed over.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   WEFT_ETOO_LONG more than 256 MiB of names (FS_NAMES); -ENAMETOOLONG; -ENOENT no such
 *           root; -EMFILE, -EIO; -ENOMEM.
 * Source:   glob.glob(recursive=True), anyio.Path.glob.
 * Since:    0.1
 */
WEFT_API int weft_glob(const char *pattern, const weft_glob_options *options, char ***ret,
                       size_t *ret_n);

/**
 * weft_fnmatch() - does a name match a pattern?
 * @pattern: borrows. As for weft_glob(), where "**" and a slash are nothing special.
 * @name:    borrows. NUL-terminated UTF-8.
 *
 * Suspends: never.
 * Return:   whether it does.
 * Source:   fnmatch.fnmatchcase.
 * Since:    0.1
 */
WEFT_API bool weft_fnmatch(const char *pattern, const char *name);

/* ---- copying and moving ---- */

typedef struct weft_copy_options {
    size_t size;
    bool preserve;      /* permissions, times and user attributes too */
    bool exclusive;     /* -EEXIST if the target exists */
    bool keep_symlinks; /* a symbolic link is copied as one */
} weft_copy_options;
#define WEFT_COPY(...) WEFT_OPTIONS(weft_copy_options, __VA_ARGS__)

/**
 * weft_copy() - copy a file
 * @from:    borrows. NUL-terminated.
 * @to:      borrows. NUL-terminated: the new name, not the folder for it.
 * @options: borrows, NULL for defaults.
 *
 * Blocks are shared where the file system can (reflink); else bytes are copied inside the kernel.
 * Holes stay holes. A file that exists is overwritten; a new one has the permissions of the old one
 * without the umask. After an error or a cancellation a new file is gone again, one that existed
 * may hold a part.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EISDIR, -EEXIST, -ENOSPC; -EINVAL both are the same file, or one is no
 *           regular file; and what else open, read and write say; -ENOMEM.
 * Source:   shutil.copyfile, shutil.copy2 with .preserve, anyio.Path.copy.
 * Since:    0.1
 */
WEFT_API int weft_copy(const char *from, const char *to, const weft_copy_options *options);

typedef struct weft_copy_tree_options {
    size_t size;
    bool preserve;        /* permissions, times and user attributes too */
    bool exist_ok;        /* the target may exist: what is in both is overwritten */
    bool follow_symlinks; /* what they lead to is copied instead of them */
} weft_copy_tree_options;
#define WEFT_COPY_TREE(...) WEFT_OPTIONS(weft_copy_tree_options, __VA_ARGS__)

/**
 * weft_copy_tree() - copy a folder with all that is in it
 * @from:    borrows. NUL-terminated.
 * @to:      borrows. NUL-terminated: the new name, not the folder for it.
 * @options: borrows, NULL for defaults.
 *
 * Symbolic links are copied as links. A target inside the source is not copied into itself. Below
 * @to no symbolic link is followed: one that stands where a file or folder shall be is an error,
 * and what is swapped for a link meanwhile leads nowhere else. The first error ends it; what was
 * copied before stays.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, a part may have been copied.
 * Return:   0, or negative.
 * Errors:   as weft_copy(), with the path of what could not be copied; -ENOTDIR; -EEXIST; -ELOOP a
 *           link stands in the way.
 * Source:   shutil.copytree(symlinks=True).
 * Since:    0.1
 */
WEFT_API int weft_copy_tree(const char *from, const char *to,
                            const weft_copy_tree_options *options);

/**
 * weft_move() - rename, also to another file system
 * @from: borrows. NUL-terminated.
 * @to:   borrows. NUL-terminated: the new name, not the folder for it.
 *
 * Where a rename cannot do it, a file is copied beside the target and renamed there, and a folder
 * is copied whole, each with permissions, times and user attributes; then the source is removed.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, the source is whole; once it is being removed, that is done to the end.
 * Return:   0, or negative.
 * Errors:   as weft_rename(), weft_copy_tree() and weft_remove_tree().
 * Source:   shutil.move.
 * Since:    0.1
 */
WEFT_API int weft_move(const char *from, const char *to);

#ifdef __cplusplus
}
#endif
#endif

/*
 * fs_tree.c - going through a tree, and removing one.
 *
 * There is no recursion: a list of levels holds, for each folder on the way, its identity and
 * the place up to which it was read.  The innermost OPEN of them are open, each with its batch
 * of entries.  A folder further up is opened again from the one below it by "..", and must be
 * the one that it was: otherwise somebody has moved a part of the tree, and going on would lead
 * elsewhere.  Folders are entered by openat with O_NOFOLLOW, so that one which is swapped for a
 * symbolic link meanwhile is not left through it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum { OPEN = WEFT__FS_OPEN };

static struct weft__fs_level *top(const struct weft__fs_tree *tree)
{
    return &tree->levels[tree->n_levels - 1];
}

static struct weft__fs_scan *scan_of(struct weft__fs_tree *tree)
{
    return &tree->scans[(tree->n_levels - 1) % OPEN];
}

int weft__fs_tree_fd(const struct weft__fs_tree *tree)
{
    return top(tree)->fd;
}

/* The path becomes that of name in the folder whose own path has len bytes. */
static int set_name(struct weft__fs_tree *tree, size_t len, const char *name)
{
    struct weft__buf *path = &tree->path;
    path->len = len;
    size_t name_len = strlen(name);
    int err = weft__buf_reserve(path, name_len + 2);
    if (err < 0)
        return err == -EMSGSIZE ? -ENAMETOOLONG : err;
    char *bytes = weft__buf_bytes(path);
    if (len > 0 && bytes[len - 1] != '/')
        bytes[path->len++] = '/';
    tree->name_at = path->len;
    memcpy(bytes + path->len, name, name_len + 1);
    path->len += name_len;
    return 0;
}

/* Only the OPEN innermost stay open; their batches are used again by those further in. */
static void evict(struct weft__fs_tree *tree)
{
    if (tree->n_levels <= OPEN)
        return;
    struct weft__fs_level *old = &tree->levels[tree->n_levels - 1 - OPEN];
    if (old->fd >= 0)
        close(old->fd);
    old->fd = -1;
}

/* Takes fd, also on failure. */
static int push(struct weft__fs_tree *tree, int fd, bool through_link)
{
    struct stat st;
    int err = fstat(fd, &st) < 0 ? -errno : 0;
    if (err == 0 && tree->n_levels >= WEFT__LIMIT_FS_DEPTH)
        err = -ENAMETOOLONG;
    for (size_t i = 0; tree->follow && err == 0 && i < tree->n_levels; i++) {
        if (tree->levels[i].ino == st.st_ino && tree->levels[i].dev == st.st_dev)
            err = -ELOOP;
    }
    if (err == 0 && tree->n_levels == tree->cap_levels) {
        size_t cap = tree->cap_levels == 0 ? 16 : tree->cap_levels * 2;
        void *bigger = weft__realloc(tree->levels, cap * sizeof *tree->levels);
        if (bigger == NULL)
            err = -ENOMEM;
        else
            tree->levels = bigger;
        tree->cap_levels = err == 0 ? cap : tree->cap_levels;
    }
    if (err < 0) {
        close(fd);
        return err;
    }
    tree->levels[tree->n_levels++] = (struct weft__fs_level){.ino = st.st_ino,
                                                             .dev = st.st_dev,
                                                             .path_len = tree->path.len,
                                                             .name_at = tree->name_at,
                                                             .fd = fd,
                                                             .through_link = through_link};
    evict(tree);
    scan_of(tree)->pos = 0;
    scan_of(tree)->end = 0;
    return 0;
}

int weft__fs_tree_open(struct weft__fs_tree *tree, int fd, const char *path, bool follow)
{
    *tree = (struct weft__fs_tree){.follow = follow, .root = -1};
    weft__buf_init(&tree->path, WEFT__LIMIT_FS_PATH);
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    int err = weft__buf_append(&tree->path, path, len);
    if (err == 0)
        err = weft__buf_append_char(&tree->path, '\0');
    if (err < 0) {
        close(fd);
        return err == -EMSGSIZE ? -ENAMETOOLONG : err;
    }
    tree->path.len--;
    return push(tree, fd, false);
}

void weft__fs_tree_close(struct weft__fs_tree *tree)
{
    for (size_t i = 0; i < tree->n_levels; i++) {
        if (tree->levels[i].fd >= 0)
            close(tree->levels[i].fd);
    }
    for (int i = 0; i < OPEN; i++)
        weft__free(tree->scans[i].bytes);
    weft__free(tree->levels);
    weft__buf_done(&tree->path);
}

/* ---- up ---- */

/* Opens the folder above child again: it must be the one that it was. */
static int reopen(struct weft__fs_tree *tree, struct weft__fs_level *parent,
                  const struct weft__fs_level *child)
{
    struct stat st;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    if (child->through_link) {
        char *path = weft__buf_bytes(&tree->path);
        char kept = path[parent->path_len];
        path[parent->path_len] = '\0';
        parent->fd = tree->root >= 0 ? weft__fs_beneath(tree->root, path, flags, 0)
                                     : WEFT__FS_TRY("open", open(path, flags));
        path[parent->path_len] = kept;
    } else {
        parent->fd = WEFT__FS_TRY("open", openat(child->fd, "..", flags));
    }
    if (parent->fd < 0)
        return parent->fd;
    if (fstat(parent->fd, &st) < 0)
        return -errno;
    if (st.st_ino != parent->ino || st.st_dev != parent->dev)
        return -ESTALE;
    return lseek(parent->fd, parent->next, SEEK_SET) < 0 ? -errno : 0;
}

static int leave(struct weft__fs_tree *tree)
{
    struct weft__fs_level child = *top(tree);
    char *path = weft__buf_bytes(&tree->path);
    int err = 0;
    tree->n_levels--;
    tree->path.len = child.path_len;
    path[child.path_len] = '\0';
    tree->name_at = child.name_at;
    tree->kind = WEFT_KIND_DIR;
    tree->ino = child.ino;
    if (tree->n_levels > 0 && top(tree)->fd < 0) {
        err = reopen(tree, top(tree), &child);
        scan_of(tree)->pos = 0;
        scan_of(tree)->end = 0;
    }
    close(child.fd);
    if (err < 0)
        return err;
    return tree->n_levels > 0 ? WEFT__FS_LEAVE : WEFT__FS_END;
}

/* ---- down ---- */

static int report(struct weft__fs_tree *tree, int error)
{
    tree->error = error;
    return WEFT__FS_ERROR;
}

static int open_entry(const struct weft__fs_tree *tree, bool is_link)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
    if (is_link && tree->root >= 0)
        return weft__fs_beneath(tree->root, weft__fs_tree_path(tree), flags, 0);
    return WEFT__FS_TRY("open", openat(top(tree)->fd, weft__fs_tree_name(tree),
                                       is_link ? flags : flags | O_NOFOLLOW));
}

/* Enters what set_name has named; 0 if it is gone meanwhile. */
static int enter(struct weft__fs_tree *tree, bool is_link)
{
    int fd = open_entry(tree, is_link);
    if (fd == -ENOENT && !is_link)
        return 0;
    if (fd == -ENOTDIR || fd == -ELOOP || fd == -ENOENT || fd == -EXDEV) {
        tree->kind = is_link ? WEFT_KIND_SYMLINK : WEFT_KIND_UNKNOWN;
        return WEFT__FS_LEAF;
    }
    if (fd < 0)
        return report(tree, fd);
    tree->kind = WEFT_KIND_DIR;
    int err = push(tree, fd, is_link);
    if (err == -ENOMEM)
        return err;
    return err < 0 ? report(tree, err) : WEFT__FS_ENTER;
}

int weft__fs_tree_again(struct weft__fs_tree *tree)
{
    int step = enter(tree, false);
    return step == WEFT__FS_ENTER ? 0 : step < 0 ? step : -ENOTEMPTY;
}

static weft_kind kind_now(const struct weft__fs_tree *tree, unsigned char type)
{
    struct stat st;
    if (type != DT_UNKNOWN)
        return weft__fs_kind_of_mode(DTTOIF(type));
    if (fstatat(top(tree)->fd, weft__fs_tree_name(tree), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return WEFT_KIND_UNKNOWN;
    return weft__fs_kind_of_mode(st.st_mode);
}

int weft__fs_tree_next(struct weft__fs_tree *tree)
{
    struct weft__fs_entry entry;
    while (tree->n_levels > 0) {
        struct weft__fs_level *level = top(tree);
        if (tree->skip || level->failed) {
            tree->skip = false;
            return leave(tree);
        }
        int got = weft__fs_scan_next(scan_of(tree), level->fd, &entry);
        if (got == -ENOMEM)
            return got;
        if (got < 0) {
            level->failed = true;
            tree->path.len = level->path_len;
            weft__buf_bytes(&tree->path)[level->path_len] = '\0';
            tree->name_at = level->name_at;
            return report(tree, got);
        }
        if (got == 0)
            return leave(tree);
        level->next = entry.next;
        tree->ino = entry.ino;
        got = set_name(tree, level->path_len, entry.name);
        if (got < 0)
            return got;
        tree->kind = kind_now(tree, entry.type);
        bool is_link = tree->kind == WEFT_KIND_SYMLINK;
        if (tree->kind != WEFT_KIND_DIR && !(is_link && tree->follow))
            return WEFT__FS_LEAF;
        int step = enter(tree, is_link);
        if (step != 0)
            return step;
    }
    return WEFT__FS_END;
}

/* ---- removing ---- */

struct removal {
    struct weft__fs_job *job;
    struct weft__fs_tree tree;
    size_t n_removed;
    size_t n_before; /* when a folder was found not to be empty after all */
};

static int unlink_here(struct removal *removal, int flags)
{
    struct weft__fs_tree *tree = &removal->tree;
    int err =
        WEFT__FS_TRY("unlink", unlinkat(weft__fs_tree_fd(tree), weft__fs_tree_name(tree), flags));
    if (err == 0)
        removal->n_removed++;
    return err == -ENOENT ? 0 : err;
}

/*
 * Not empty after it was read to its end: the file system lost its place while names were
 * removed, or somebody adds names.  As long as there is progress it is read once more.
 */
static int remove_left(struct removal *removal)
{
    int err = unlink_here(removal, AT_REMOVEDIR);
    if ((err != -ENOTEMPTY && err != -EEXIST) || removal->n_removed == removal->n_before)
        return err;
    removal->n_before = removal->n_removed;
    return weft__fs_tree_again(&removal->tree);
}

static int remove_step(struct removal *removal, int step)
{
    switch (step) {
    case WEFT__FS_LEAF:
        return unlink_here(removal, 0);
    case WEFT__FS_LEAVE:
        return remove_left(removal);
    case WEFT__FS_ERROR:
        return removal->tree.error;
    default:
        return 0;
    }
}

static int empty(struct removal *removal)
{
    for (;;) {
        int step = weft__fs_tree_next(&removal->tree);
        if (step == WEFT__FS_END)
            return 0;
        int err = step < 0 ? step : remove_step(removal, step);
        if (err == 0)
            err = weft__fs_tick(removal->job);
        if (err < 0)
            return weft__fs_fail(err, "remove %s", weft__fs_tree_path(&removal->tree));
    }
}

int weft__fs_remove_tree(struct weft__fs_job *job, int folder, const char *name, const char *shown)
{
    int err = -ENOTEMPTY;
    for (size_t before = SIZE_MAX, removed = 0; err == -ENOTEMPTY && removed != before;) {
        struct removal removal = {.job = job};
        before = removed;
        int fd = WEFT__FS_TRY(
            "open",
            openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        err = fd < 0 ? fd : 0;
        if (err < 0)
            break;
        err = weft__fs_tree_open(&removal.tree, fd, shown, false);
        if (err < 0)
            weft__fs_fail(err, "remove %s", shown);
        else
            err = empty(&removal);
        weft__fs_tree_close(&removal.tree);
        if (err < 0)
            return err;
        removed += removal.n_removed;
        err = WEFT__FS_TRY("rmdir", unlinkat(folder, name, AT_REMOVEDIR));
    }
    return err < 0 ? weft__fs_fail(err, "remove %s", shown) : 0;
}

struct remove_call {
    struct weft__fs_job job;
    const char *path;
};

/* "folder/" as "folder": the name must not resolve a link at its end. */
static int run_remove_tree(void *arg)
{
    struct remove_call *call = arg;
    char base[WEFT__FS_NAME];
    const char *name;
    int folder = weft__fs_open_parent(call->path, &name);
    if (folder < 0)
        return weft__fs_fail(folder, "remove %s", call->path);
    size_t len = strcspn(name, "/");
    int err = len < sizeof base ? 0 : -ENAMETOOLONG;
    if (err == 0) {
        memcpy(base, name, len);
        base[len] = '\0';
        if (strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
            err = -EINVAL;
    }
    if (err < 0)
        weft__fs_fail(err, "remove %s", call->path);
    else
        err = weft__fs_remove_tree(&call->job, folder, base, call->path);
    close(folder);
    return err;
}

int weft_remove_tree(const char *path)
{
    struct remove_call call = {.path = path};
    if (path == NULL || *path == '\0')
        return weft__fail(-EINVAL, "weft_remove_tree without a path");
    return weft__fs_run_long(run_remove_tree, &call.job);
}

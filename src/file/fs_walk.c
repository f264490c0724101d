/* fs_walk.c - a tree as a sequence of entries, a batch of which is one job. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum { BATCH = 256, BATCH_BYTES = 64 * 1024 };

struct found {
    size_t path_at;
    size_t name_at;
    uint64_t ino;
    unsigned depth;
    int error;
    weft_kind kind;
};

struct weft_walk {
    struct weft__fs_job job;
    struct weft__fs_tree tree;
    struct weft__buf text;
    weft_walk_options options;
    const weft_root *below; /* while it is being opened */
    int root_fd;            /* -1: none */
    size_t next;
    size_t n;
    bool ended;
    bool busy;
    bool entered; /* the entry given last is the folder that the tree has entered last */
    struct found batch[BATCH];
    char root[];
};

static int keep(struct weft_walk *walk, int step, unsigned depth)
{
    const struct weft__fs_tree *tree = &walk->tree;
    const char *path = weft__fs_tree_path(tree);
    walk->batch[walk->n++] = (struct found){
        .path_at = walk->text.len,
        .name_at = tree->name_at,
        .ino = tree->ino,
        .depth = depth,
        .error = step == WEFT__FS_ERROR ? tree->error : 0,
        .kind = tree->kind,
    };
    return weft__buf_append(&walk->text, path, strlen(path) + 1);
}

/* One step; 1 if the batch must end, for what comes next depends on what the caller says. */
static int advance(struct weft_walk *walk)
{
    struct weft__fs_tree *tree = &walk->tree;
    const bool bottom_up = walk->options.bottom_up;
    int step = weft__fs_tree_next(tree);
    const unsigned depth = (unsigned)tree->n_levels;
    int err = step < 0 ? step : 0;
    switch (step) {
    case WEFT__FS_END:
        walk->ended = true;
        return 1;
    case WEFT__FS_ENTER:
        if (walk->options.max_depth != 0 && depth > walk->options.max_depth)
            tree->skip = true;
        if (!bottom_up)
            err = keep(walk, step, depth - 1);
        return err < 0 ? err : !bottom_up && !tree->skip;
    case WEFT__FS_LEAVE:
        return bottom_up ? keep(walk, step, depth) : 0;
    case WEFT__FS_LEAF:
    case WEFT__FS_ERROR:
        return keep(walk, step, depth);
    default:
        return err;
    }
}

static int run_batch(void *arg)
{
    struct weft_walk *walk = arg;
    int err = 0;
    walk->next = 0;
    walk->n = 0;
    weft__buf_clear(&walk->text);
    while (err == 0 && walk->n < BATCH && walk->text.len < BATCH_BYTES) {
        err = advance(walk);
        if (err == 0)
            err = weft__fs_tick(&walk->job);
    }
    if (err >= 0)
        return 0;
    return weft__fs_fail(err, "walk %s", weft__fs_tree_path(&walk->tree));
}

static int run_open(void *arg)
{
    struct weft_walk *walk = arg;
    int fd = WEFT__FS_TRY("open", open(walk->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int err = fd < 0 ? fd : 0;
    if (err == 0)
        err = weft__fs_tree_open(&walk->tree, fd, walk->root, walk->options.follow_symlinks);
    return err < 0 ? weft__fs_fail(err, "walk %s", walk->root) : run_batch(walk);
}

/* With a descriptor of its own, by which links are followed: the root may be closed before. */
static int run_root_open(void *arg)
{
    struct weft_walk *walk = arg;
    const int root = weft__fs_root_fd(walk->below);
    int err = 0;
    int fd = weft__fs_beneath(root, walk->root, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return weft__fs_root_fail(walk->below, fd, "walk", walk->root);
    if (walk->options.follow_symlinks) {
        walk->root_fd = WEFT__FS_TRY("open", fcntl(root, F_DUPFD_CLOEXEC, 0));
        err = walk->root_fd < 0 ? walk->root_fd : 0;
    }
    if (err < 0)
        close(fd);
    else
        err = weft__fs_tree_open(&walk->tree, fd, walk->root, walk->options.follow_symlinks);
    walk->tree.root = walk->root_fd;
    return err < 0 ? weft__fs_root_fail(walk->below, err, "walk", walk->root) : run_batch(walk);
}

static int open_walk(const weft_root *root, const char *path, const weft_walk_options *options,
                     weft_walk **ret)
{
    size_t len = strlen(path);
    struct weft_walk *walk = weft__calloc(1, sizeof *walk + len + 1);
    if (walk == NULL)
        return weft__fail_nomem();
    memcpy(walk->root, path, len);
    walk->below = root;
    walk->root_fd = -1;
    weft__fs_options(&walk->options, sizeof walk->options, options);
    weft__buf_init(&walk->text, WEFT__LIMIT_FS_PATH + BATCH_BYTES);
    int err = weft__fs_run_long(root != NULL ? run_root_open : run_open, &walk->job);
    if (err < 0)
        weft_walk_close(walk);
    else
        *ret = walk;
    return err;
}

int weft_walk_open(const char *path, const weft_walk_options *options, weft_walk **ret)
{
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_walk_open without a path or a place for the walk");
    return open_walk(NULL, path, options, ret);
}

int weft_root_walk_open(weft_root *root, const char *path, const weft_walk_options *options,
                        weft_walk **ret)
{
    if (root == NULL || path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_root_walk_open without a root, a path or a place for it");
    return open_walk(root, path, options, ret);
}

void weft_walk_close(weft_walk *walk)
{
    if (walk == NULL)
        return;
    weft__fs_tree_close(&walk->tree);
    if (walk->root_fd >= 0)
        close(walk->root_fd);
    weft__buf_done(&walk->text);
    weft__free(walk);
}

int weft_walk_next(weft_walk *walk, weft_walk_entry *ret)
{
    if (walk == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_walk_next without a walk or a place for the entry");
    if (walk->busy)
        return weft__fail(-EBUSY, "walk %s: another task does", walk->root);
    walk->entered = false;
    while (walk->next == walk->n) {
        if (walk->ended)
            return 0;
        walk->busy = true;
        int err = weft__fs_run_long(run_batch, &walk->job);
        walk->busy = false;
        if (err < 0)
            return err;
    }
    const struct found *found = &walk->batch[walk->next++];
    const char *path = weft__buf_bytes(&walk->text) + found->path_at;
    walk->entered = walk->next == walk->n && found->kind == WEFT_KIND_DIR && found->error == 0 &&
                    !walk->options.bottom_up && !walk->tree.skip;
    *ret = (weft_walk_entry){.path = path,
                             .name = path + found->name_at,
                             .ino = found->ino,
                             .kind = found->kind,
                             .depth = found->depth > 0 ? found->depth - 1 : 0,
                             .error = found->error};
    return 1;
}

int weft_walk_skip(weft_walk *walk)
{
    if (walk == NULL)
        return weft__fail(-EINVAL, "weft_walk_skip without a walk");
    if (!walk->entered)
        return weft__fail(-EINVAL,
                          "walk %s: only a folder that came last, from the top down, "
                          "can be skipped",
                          walk->root);
    walk->entered = false;
    walk->tree.skip = true;
    return 0;
}

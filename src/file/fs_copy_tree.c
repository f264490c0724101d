/*
 * fs_copy_tree.c - copying trees, and moving what a rename cannot move.
 *
 * The folder that is being filled is open, and each further one is opened from it by its bare
 * name, never through a symbolic link: what others put into the target meanwhile, or what was
 * there before, cannot lead the copy out of it.
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
#include "file/file_int.h"
#include "file/fs_int.h"

struct tree_copy {
    struct weft__fs_job *job;
    const weft_root *root; /* which both paths stay below; NULL: none */
    const char *from;
    const char *to;
    weft_copy_tree_options options;
    struct weft__fs_tree tree;
    size_t root_len;
    struct stat target; /* of the new tree's root: not to be copied into itself */
    int out;            /* the new tree's root */
    int here;           /* the folder in it that is being filled; may be out */
    bool into_itself;
};

/* The present entry as seen from both roots. */
static const char *relative(const struct tree_copy *copy)
{
    const char *path = weft__fs_tree_path(&copy->tree) + copy->root_len;
    return path + strspn(path, "/");
}

static int fail_copy(const struct tree_copy *copy, int err, const char *from, const char *to)
{
    if (copy->root == NULL || err == WEFT__FS_SAME || err == WEFT__FS_SPECIAL)
        return weft__fs_copy_fail(err, "copy", from, to);
    return weft__fs_fail(err, "copy %s to %s in %s", from, to, weft__fs_root_path(copy->root));
}

static int fail_here(const struct tree_copy *copy, int err)
{
    char to[WEFT__ERROR_TEXT_MAX];
    const char *name = relative(copy);
    snprintf(to, sizeof to, "%s%s%s", copy->to, *name != '\0' ? "/" : "", name);
    return fail_copy(copy, err, weft__fs_tree_path(&copy->tree), to);
}

static void set_here(struct tree_copy *copy, int fd)
{
    if (copy->here >= 0 && copy->here != copy->out)
        close(copy->here);
    copy->here = fd;
}

static int open_folder(int folder, const char *name)
{
    return WEFT__FS_TRY("open",
                        openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

/* Where the kernel, or a filter, has no openat2: from the root, part by part. */
static int walk_up(struct tree_copy *copy, const char *at, const char *end)
{
    char name[WEFT__FS_NAME];
    set_here(copy, copy->out);
    while (at < end) {
        size_t len = strcspn(at, "/");
        if (len >= sizeof name)
            return -ENAMETOOLONG;
        memcpy(name, at, len);
        name[len] = '\0';
        int fd = open_folder(copy->here, name);
        if (fd < 0)
            return fd;
        set_here(copy, fd);
        at += len;
        at += strspn(at, "/");
    }
    return 0;
}

/* The folder in which the present entry stands is found again from the root. */
static int go_up(struct tree_copy *copy)
{
    static const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    char path[WEFT__FS_PATH];
    const char *at = relative(copy);
    size_t len = (size_t)(weft__fs_tree_name(&copy->tree) - at);
    if (len == 0) {
        set_here(copy, copy->out);
        return 0;
    }
    if (len >= sizeof path)
        return walk_up(copy, at, at + len);
    memcpy(path, at, len);
    path[len] = '\0';
    long fd = WEFT__FS_SYS("open", syscall(SYS_openat2, copy->out, path, &how, sizeof how));
    if (fd < 0)
        return walk_up(copy, at, at + len);
    set_here(copy, (int)fd);
    return 0;
}

/* The folder is there, and is no link. */
static int make_folder(const struct tree_copy *copy, unsigned mode)
{
    const char *name = weft__fs_tree_name(&copy->tree);
    struct stat st;
    if (WEFT__FS_SYS("mkdir", mkdirat(copy->here, name, mode)) == 0)
        return 0;
    int err = -errno;
    if (err == -EEXIST && copy->options.exist_ok &&
        fstatat(copy->here, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return err;
}

static int enter_folder(struct tree_copy *copy)
{
    struct stat st;
    if (WEFT__FS_SYS("stat", fstat(weft__fs_tree_fd(&copy->tree), &st)) < 0)
        return -errno;
    if (st.st_ino == copy->target.st_ino && st.st_dev == copy->target.st_dev) {
        copy->into_itself = true;
        copy->tree.skip = true;
        return 0;
    }
    int err = make_folder(copy, (st.st_mode & 0777) | 0700);
    int fd = err < 0 ? err : open_folder(copy->here, weft__fs_tree_name(&copy->tree));
    if (fd < 0)
        return fd;
    set_here(copy, fd);
    return 0;
}

/* What the folder that was left is now; below a root no link leads out. */
static int stat_left(const struct tree_copy *copy, struct stat *ret)
{
    const char *name = weft__fs_tree_name(&copy->tree);
    if (copy->root == NULL || !copy->options.follow_symlinks)
        return fstatat(weft__fs_tree_fd(&copy->tree), name, ret,
                       copy->root != NULL ? AT_SYMLINK_NOFOLLOW : 0) < 0
                   ? -errno
                   : 0;
    int fd =
        weft__fs_beneath(weft__fs_root_fd(copy->root), weft__fs_tree_path(&copy->tree), O_PATH, 0);
    if (fd < 0)
        return fd;
    int err = fstat(fd, ret) < 0 ? -errno : 0;
    close(fd);
    return err;
}

/* Times are set when nothing is put into the folder any more. */
static int leave_folder(struct tree_copy *copy)
{
    struct stat st;
    int err = stat_left(copy, &st);
    if (err < 0)
        return err;
    if (st.st_ino == copy->target.st_ino && st.st_dev == copy->target.st_dev)
        return 0;
    err = copy->options.preserve ? weft__fs_preserve(-1, copy->here, &st) : 0;
    return err < 0 ? err : go_up(copy);
}

static int copy_leaf(struct tree_copy *copy)
{
    char found[WEFT__FS_FOUND];
    const bool below = copy->root != NULL && copy->options.follow_symlinks;
    int fd = below ? weft__fs_root_find(copy->root, weft__fs_tree_path(&copy->tree), 0, found) : 0;
    if (fd < 0)
        return fd;
    int err = weft__fs_copy_one(&(struct weft__fs_copy){
        .job = copy->job,
        .from_folder = below ? AT_FDCWD : weft__fs_tree_fd(&copy->tree),
        .from = below ? found : weft__fs_tree_name(&copy->tree),
        .to_folder = copy->here,
        .to = weft__fs_tree_name(&copy->tree),
        .preserve = copy->options.preserve,
        .stay = true,
        .keep_links = !copy->options.follow_symlinks,
    });
    if (below)
        close(fd);
    return err;
}

static int one_step(struct tree_copy *copy, int step)
{
    switch (step) {
    case WEFT__FS_ENTER:
        return enter_folder(copy);
    case WEFT__FS_LEAVE:
        return leave_folder(copy);
    case WEFT__FS_ERROR:
        return copy->tree.error;
    default:
        return copy_leaf(copy);
    }
}

static int copy_content(struct tree_copy *copy)
{
    for (;;) {
        int step = weft__fs_tree_next(&copy->tree);
        if (step == WEFT__FS_END)
            return 0;
        int err = step < 0 ? step : one_step(copy, step);
        if (err == 0)
            err = weft__fs_tick(copy->job);
        if (err < 0)
            return fail_here(copy, err);
    }
}

static int open_source(const struct tree_copy *copy)
{
    const int flags = O_RDONLY | O_DIRECTORY;
    if (copy->root != NULL)
        return weft__fs_beneath(weft__fs_root_fd(copy->root), copy->from, flags, 0);
    return WEFT__FS_TRY("open", open(copy->from, flags | O_CLOEXEC));
}

/* A link at the end of the path is followed only where there is no root to stay below. */
static int make_target(const struct tree_copy *copy, unsigned mode)
{
    char base[WEFT__FS_NAME];
    const char *name = copy->root != NULL ? base : copy->to;
    int folder = copy->root != NULL ? weft__fs_root_parent(copy->root, copy->to, base) : AT_FDCWD;
    if (folder < 0 && copy->root != NULL)
        return folder;
    int err = WEFT__FS_TRY("mkdir", mkdirat(folder, name, mode));
    if (err == -EEXIST && copy->options.exist_ok)
        err = 0;
    if (err == 0 && copy->root != NULL)
        err = open_folder(folder, name);
    else if (err == 0)
        err = WEFT__FS_TRY("open", open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (copy->root != NULL)
        close(folder);
    return err;
}

/* Makes the new tree's root and opens it. */
static int open_target(struct tree_copy *copy, const struct stat *from)
{
    int fd = make_target(copy, (from->st_mode & 0777) | 0700);
    if (fd < 0)
        return fd;
    copy->out = fd;
    copy->here = copy->out;
    if (fstat(copy->out, &copy->target) < 0)
        return -errno;
    return copy->target.st_ino == from->st_ino && copy->target.st_dev == from->st_dev
               ? WEFT__FS_SAME
               : 0;
}

static int copy_tree(struct tree_copy *copy)
{
    struct stat st;
    copy->out = -1;
    copy->here = -1;
    int fd = open_source(copy);
    int err = fd < 0 ? fd : 0;
    if (err < 0)
        return fail_copy(copy, err, copy->from, copy->to);
    if (fstat(fd, &st) < 0)
        err = -errno;
    if (err == 0)
        err = open_target(copy, &st);
    if (err == 0) {
        err = weft__fs_tree_open(&copy->tree, fd, copy->from, copy->options.follow_symlinks);
        copy->root_len = copy->tree.path.len;
        copy->tree.root = copy->root != NULL ? weft__fs_root_fd(copy->root) : -1;
        if (err == 0)
            err = copy_content(copy);
        else
            fail_copy(copy, err, copy->from, copy->to);
        weft__fs_tree_close(&copy->tree);
    } else {
        close(fd);
        err = fail_copy(copy, err, copy->from, copy->to);
    }
    if (err == 0 && copy->options.preserve) {
        err = weft__fs_preserve(-1, copy->out, &st);
        if (err < 0)
            fail_copy(copy, err, copy->from, copy->to);
    }
    set_here(copy, -1);
    if (copy->out >= 0)
        close(copy->out);
    return err;
}

struct call {
    struct weft__fs_job job;
    const weft_root *root;
    const char *from;
    const char *to;
    weft_copy_tree_options options;
};

static int run_copy_tree(void *arg)
{
    struct call *call = arg;
    struct tree_copy copy = {.job = &call->job,
                             .root = call->root,
                             .from = call->from,
                             .to = call->to,
                             .options = call->options};
    return copy_tree(&copy);
}

int weft_copy_tree(const char *from, const char *to, const weft_copy_tree_options *options)
{
    struct call call = {.from = from, .to = to};
    if (from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_copy_tree without two paths");
    weft__fs_options(&call.options, sizeof call.options, options);
    return weft__fs_run_long(run_copy_tree, &call.job);
}

int weft_root_copy_tree(weft_root *root, const char *from, const char *to,
                        const weft_copy_tree_options *options)
{
    struct call call = {.root = root, .from = from, .to = to};
    if (root == NULL || from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_root_copy_tree without a root or two paths");
    weft__fs_options(&call.options, sizeof call.options, options);
    return weft__fs_run_long(run_copy_tree, &call.job);
}

/* ---- moving ---- */

/* Removing goes on although the move was cancelled: else there were two halves. */
static int remove_fully(const char *path)
{
    struct weft__fs_job job = {0};
    char name[WEFT__FS_NAME];
    const char *base;
    int folder = weft__fs_open_parent(path, &base);
    if (folder < 0)
        return weft__fs_fail(folder, "remove %s", path);
    size_t len = strcspn(base, "/");
    int err = len < sizeof name ? 0 : weft__fs_fail(-ENAMETOOLONG, "remove %s", path);
    if (err == 0) {
        memcpy(name, base, len);
        name[len] = '\0';
        err = weft__fs_remove_tree(&job, folder, name, path);
    }
    close(folder);
    return err;
}

static int move_folder(struct call *call)
{
    struct tree_copy copy = {
        .job = &call->job, .from = call->from, .to = call->to, .options = {.preserve = true}};
    /* As rename does: an empty folder is replaced. */
    if (rmdir(call->to) < 0 && errno != ENOENT)
        return weft__fs_fail(-errno, "move %s to %s", call->from, call->to);
    int err = copy_tree(&copy);
    if (err == 0 && copy.into_itself)
        err = weft__fail(-EINVAL, "move %s to %s: that is inside it", call->from, call->to);
    if (err < 0) {
        struct weft__context kept = {0};
        weft__error_move(&kept, weft__context_get());
        if (copy.out >= 0)
            remove_fully(call->to);
        weft__error_move(weft__context_get(), &kept);
        weft__error_done(&kept);
        return err;
    }
    return remove_fully(call->from);
}

/* The new name shows the whole file or what was there before. */
static int move_file(struct call *call)
{
    char temp[WEFT__FS_TEMP_NAME];
    const char *name;
    int folder = weft__fs_open_parent(call->to, &name);
    if (folder < 0)
        return folder;
    weft__fs_temp_name(temp);
    int err = weft__fs_copy_one(&(struct weft__fs_copy){
        .job = &call->job,
        .from_folder = AT_FDCWD,
        .from = call->from,
        .to_folder = folder,
        .to = temp,
        .preserve = true,
        .exclusive = true,
        .keep_links = true,
    });
    if (err == 0) {
        err = WEFT__FS_TRY("rename", renameat(folder, temp, folder, name));
        if (err < 0)
            unlinkat(folder, temp, 0);
    }
    close(folder);
    return err < 0 ? err : WEFT__FS_TRY("unlink", unlink(call->from));
}

static int run_move(void *arg)
{
    struct call *call = arg;
    struct stat st;
    int err =
        weft__fs_fault.other_device ? -EXDEV : WEFT__FS_TRY("rename", rename(call->from, call->to));
    if (err != -EXDEV)
        return err < 0 ? weft__fs_fail(err, "move %s to %s", call->from, call->to) : 0;
    if (lstat(call->from, &st) < 0)
        return weft__fs_fail(-errno, "move %s to %s", call->from, call->to);
    if (S_ISDIR(st.st_mode))
        return move_folder(call);
    err = move_file(call);
    return err < 0 ? weft__fs_copy_fail(err, "move", call->from, call->to) : 0;
}

int weft_move(const char *from, const char *to)
{
    struct call call = {.from = from, .to = to};
    if (from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_move without two paths");
    return weft__fs_run_long(run_move, &call.job);
}

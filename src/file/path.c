/*
 * path.c - folders and names: each call is one job.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/file_int.h"
#include "thread/thread_int.h"

struct change {
    const char *path;
    const char *to;
    char *copy; /* of path, cut at each slash in turn */
    unsigned mode;
};

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Of a folder that is there, a file system may say first that none can be made. */
static int make_one(const char *path, unsigned mode, bool may_exist)
{
    int err = WEFT__FILE_CALL("mkdir", NULL, mkdir(path, mode));
    const bool refused = err == -EEXIST || err == -EROFS || err == -EACCES;
    return refused && may_exist && is_folder(path) ? 0 : err;
}

static int run_mkdir(void *arg)
{
    struct change *change = arg;
    char *copy = change->copy;
    if (copy == NULL)
        return make_one(change->path, change->mode, false);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        if (slash[1] == '\0' || slash[1] == '/')
            continue;
        *slash = '\0';
        int err = make_one(copy, 0777, true);
        *slash = '/';
        if (err < 0)
            return err == -EEXIST ? -ENOTDIR : err;
    }
    return make_one(copy, change->mode, true);
}

static int run_rename(void *arg)
{
    const struct change *change = arg;
    return WEFT__FILE_CALL("rename", NULL, rename(change->path, change->to));
}

static int run_remove(void *arg)
{
    const struct change *change = arg;
    int err = WEFT__FILE_CALL("unlink", NULL, unlink(change->path));
    return err == -EISDIR ? WEFT__FILE_CALL("rmdir", NULL, rmdir(change->path)) : err;
}

static int run(weft_fn fn, struct change *change)
{
    struct weft_task *self;
    int way = weft__file_begin(&self);
    if (way < 0)
        return way;
    if (way == WEFT__FILE_PLAIN)
        return fn(change);
    return weft__file_offload(WEFT__FILE_POOL, fn, change);
}

int weft_mkdir(const char *path, unsigned mode, bool parents)
{
    if (path == NULL || *path == '\0')
        return weft__fail(-EINVAL, "weft_mkdir without a path");
    struct change change = {.path = path, .mode = mode != 0 ? mode : 0777};
    if (parents) {
        change.copy = weft__strdup(path);
        if (change.copy == NULL)
            return weft__fail_nomem();
    }
    int err = run(run_mkdir, &change);
    weft__free(change.copy);
    return err < 0 ? weft__file_fail(err, "mkdir", path) : 0;
}

int weft_rename(const char *from, const char *to)
{
    if (from == NULL || to == NULL)
        return weft__fail(-EINVAL, "weft_rename without two paths");
    int err = run(run_rename, &(struct change){.path = from, .to = to});
    if (err == -ENOMEM || err == -ECANCELED)
        return weft__file_fail(err, "rename", from);
    return err < 0 ? weft__fail_with(err, "rename %s to %s", from, to) : 0;
}

int weft_remove(const char *path)
{
    if (path == NULL)
        return weft__fail(-EINVAL, "weft_remove without a path");
    int err = run(run_remove, &(struct change){.path = path});
    return err < 0 ? weft__file_fail(err, "remove", path) : 0;
}

/*
 * fs_watch.c - what happens to the names in a folder, or in a tree, by inotify.
 *
 * The kernel watches single folders.  For a tree each folder has a watch; one that appears is
 * watched as soon as it is heard of, and what is in it by then is reported as created.  The two
 * halves of a rename come one after the other and become one event.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum {
    BATCH = 64 * 1024,
    MASK = IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
           IN_MOVE_SELF | IN_ATTRIB | IN_CLOSE_WRITE
};

struct folder {
    int wd;
    char *path;
};

struct weft_watch {
    struct weft__fs_job job;
    struct weft__fd fd;
    struct folder *folders;
    size_t n_folders;
    size_t cap_folders;
    weft_watch_options options;
    struct weft__buf found; /* what a new folder held already: kind, path, NUL */
    size_t found_at;
    char *batch;
    size_t pos;
    size_t end;
    char *path; /* of the event given last */
    char *from;
    char *moved; /* the first half of a rename */
    uint32_t cookie;
    int root_wd;
    bool moved_dir;
    bool busy;
    bool ended;
    bool lost;          /* an overflow is to be reported */
    const char *adding; /* a folder still to be watched, with all below it; the path or root */
    char root[];
};

static struct folder *folder_of(struct weft_watch *watch, int wd)
{
    for (size_t i = 0; i < watch->n_folders; i++) {
        if (watch->folders[i].wd == wd)
            return &watch->folders[i];
    }
    return NULL;
}

static int remember(struct weft_watch *watch, int wd, const char *path)
{
    char *copy = weft__strdup(path);
    struct folder *known = folder_of(watch, wd);
    if (copy == NULL)
        return -ENOMEM;
    if (known != NULL) {
        weft__free(known->path);
        known->path = copy;
        return 0;
    }
    if (watch->n_folders == watch->cap_folders) {
        size_t cap = watch->cap_folders == 0 ? 16 : watch->cap_folders * 2;
        void *bigger = cap > WEFT__LIMIT_WATCH_FOLDERS
                           ? NULL
                           : weft__realloc(watch->folders, cap * sizeof *watch->folders);
        if (bigger == NULL) {
            weft__free(copy);
            return cap > WEFT__LIMIT_WATCH_FOLDERS ? -ENOSPC : -ENOMEM;
        }
        watch->folders = bigger;
        watch->cap_folders = cap;
    }
    watch->folders[watch->n_folders++] = (struct folder){wd, copy};
    return 0;
}

static int add(struct weft_watch *watch, const char *path, uint32_t more)
{
    int wd = WEFT__FS_TRY("inotify_add_watch", inotify_add_watch(watch->fd.fd, path, MASK | more));
    if (wd < 0)
        return wd;
    int err = remember(watch, wd, path);
    return err < 0 ? err : wd;
}

/* Whatever lies at path or below is not watched any more. */
static void forget(struct weft_watch *watch, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = watch->n_folders; i-- > 0;) {
        struct folder *folder = &watch->folders[i];
        if (strncmp(folder->path, path, len) != 0 ||
            (folder->path[len] != '/' && folder->path[len] != '\0'))
            continue;
        inotify_rm_watch(watch->fd.fd, folder->wd);
        weft__free(folder->path);
        *folder = watch->folders[--watch->n_folders];
    }
}

static int renamed(struct weft_watch *watch, const char *from, const char *to)
{
    size_t len = strlen(from);
    for (size_t i = 0; i < watch->n_folders; i++) {
        struct folder *folder = &watch->folders[i];
        if (strncmp(folder->path, from, len) != 0 ||
            (folder->path[len] != '/' && folder->path[len] != '\0'))
            continue;
        char *path = weft__asprintf("%s%s", to, folder->path + len);
        if (path == NULL)
            return -ENOMEM;
        weft__free(folder->path);
        folder->path = path;
    }
    return 0;
}

/* ---- trees, as jobs ---- */

static int note_found(struct weft_watch *watch, const struct weft__fs_tree *tree)
{
    int err = weft__buf_append_char(&watch->found, tree->kind == WEFT_KIND_DIR ? 'd' : 'f');
    const char *path = weft__fs_tree_path(tree);
    if (err == 0)
        err = weft__buf_append(&watch->found, path, strlen(path) + 1);
    if (err == -EMSGSIZE)
        watch->lost = true;
    return err == -EMSGSIZE ? 0 : err;
}

static int add_below(struct weft_watch *watch, struct weft__fs_tree *tree, bool report)
{
    for (;;) {
        int step = weft__fs_tree_next(tree);
        if (step <= 0)
            return step;
        int err = weft__fs_tick(&watch->job);
        if (err == 0 && step == WEFT__FS_ENTER)
            err = add(watch, weft__fs_tree_path(tree), IN_ONLYDIR | IN_DONT_FOLLOW);
        if (err == 0 && step == WEFT__FS_ERROR)
            err = tree->error;
        /* Gone again already, or not to be read: there is nothing to hear from it. */
        if (err == -ENOENT || err == -EACCES || err == -ENOTDIR)
            err = 0;
        if (err >= 0 && report && step != WEFT__FS_LEAVE && step != WEFT__FS_ERROR)
            err = note_found(watch, tree);
        if (err < 0)
            return err;
    }
}

static int add_tree(struct weft_watch *watch, const char *path, bool report)
{
    struct weft__fs_tree tree;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (report ? O_NOFOLLOW : 0));
    if (fd < 0)
        return report ? 0 : -errno;
    int err = weft__fs_tree_open(&tree, fd, path, false);
    if (err == 0)
        err = add_below(watch, &tree, report);
    weft__fs_tree_close(&tree);
    return err;
}

static int watch_fail(const struct weft_watch *watch, int err)
{
    if (err == -ENOSPC)
        return weft__fail(-ENOSPC, "watch %s: more folders than fs.inotify.max_user_watches or %d",
                          watch->root, WEFT__LIMIT_WATCH_FOLDERS);
    return weft__fs_fail(err, "watch %s", watch->root);
}

/* After an overflow what is in the tree by now is watched, and not reported: the event says so. */
static int run_add(void *arg)
{
    struct weft_watch *watch = arg;
    const bool report = watch->adding != watch->root;
    weft__buf_clear(&watch->found);
    int err = report ? add(watch, watch->adding, IN_ONLYDIR | IN_DONT_FOLLOW) : 0;
    if (err >= 0)
        err = add_tree(watch, watch->adding, report);
    if (err == -ENOENT || err == -EACCES || err == -ENOTDIR)
        return 0;
    return err < 0 ? watch_fail(watch, err) : 0;
}

static int add_rest(struct weft_watch *watch)
{
    int err = weft__fs_run_long(run_add, &watch->job);
    if (err == 0)
        watch->adding = NULL;
    return err;
}

static int run_open(void *arg)
{
    struct weft_watch *watch = arg;
    struct stat st;
    watch->fd.fd = WEFT__FS_SYS("inotify_init", inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    int err = watch->fd.fd < 0 ? -errno : add(watch, watch->root, 0);
    if (err >= 0) {
        watch->root_wd = err;
        err = 0;
        if (watch->options.recursive && stat(watch->root, &st) == 0 && S_ISDIR(st.st_mode))
            err = add_tree(watch, watch->root, false);
    }
    return err < 0 ? watch_fail(watch, err) : 0;
}

/* ---- the calls ---- */

int weft_watch_open(const char *path, const weft_watch_options *options, weft_watch **ret)
{
    if (path == NULL || *path == '\0' || ret == NULL)
        return weft__fail(-EINVAL, "weft_watch_open without a path or a place for the watch");
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    struct weft_watch *watch = weft__calloc(1, sizeof *watch + len + 1);
    if (watch == NULL)
        return weft__fail_nomem();
    memcpy(watch->root, path, len);
    watch->fd.fd = -1;
    weft__fs_options(&watch->options, sizeof watch->options, options);
    weft__buf_init(&watch->found, WEFT__LIMIT_FS_PATH);
    watch->batch = weft__alloc(BATCH);
    int err = watch->batch == NULL ? weft__fail_nomem() : weft__fs_run_long(run_open, &watch->job);
    if (err < 0)
        weft_watch_close(watch);
    else
        *ret = watch;
    return err;
}

void weft_watch_close(weft_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->fd.loop != NULL)
        weft__fd_close(&watch->fd);
    else if (watch->fd.fd >= 0)
        close(watch->fd.fd);
    for (size_t i = 0; i < watch->n_folders; i++)
        weft__free(watch->folders[i].path);
    weft__free(watch->folders);
    weft__buf_done(&watch->found);
    weft__free(watch->batch);
    weft__free(watch->path);
    weft__free(watch->from);
    weft__free(watch->moved);
    weft__free(watch);
}

/* Takes path and from. */
static int give(struct weft_watch *watch, weft_watch_event *ret, weft_watch_kind kind, char *path,
                char *from, bool is_dir)
{
    weft__free(watch->path);
    weft__free(watch->from);
    watch->path = path;
    watch->from = from;
    if (path == NULL)
        return -ENOMEM;
    *ret = (weft_watch_event){.kind = kind, .path = path, .from = from, .is_dir = is_dir};
    return 1;
}

/* A first half whose second one never came: it was moved to where nobody looks. */
static int give_moved_away(struct weft_watch *watch, weft_watch_event *ret)
{
    char *path = watch->moved;
    watch->moved = NULL;
    if (watch->moved_dir)
        forget(watch, path);
    return give(watch, ret, WEFT_WATCH_DELETED, path, NULL, watch->moved_dir);
}

/* 1 with an event, 0 if it is none that is reported. Takes path. */
static int named_event(struct weft_watch *watch, const struct inotify_event *event, char *path,
                       weft_watch_event *ret)
{
    const bool is_dir = (event->mask & IN_ISDIR) != 0;
    weft_watch_kind kind;
    if ((event->mask & IN_MOVED_FROM) != 0) {
        watch->moved = path;
        watch->moved_dir = is_dir;
        watch->cookie = event->cookie;
        return 0;
    }
    if ((event->mask & IN_MOVED_TO) != 0 && watch->moved != NULL) {
        char *from = watch->moved;
        watch->moved = NULL;
        int err = is_dir ? renamed(watch, from, path) : 0;
        int given = give(watch, ret, WEFT_WATCH_MOVED, path, from, is_dir);
        return err < 0 ? err : given;
    }
    if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0)
        kind = WEFT_WATCH_CREATED;
    else if ((event->mask & IN_DELETE) != 0)
        kind = WEFT_WATCH_DELETED;
    else if ((event->mask & IN_MODIFY) != 0)
        kind = WEFT_WATCH_MODIFIED;
    else if ((event->mask & IN_CLOSE_WRITE) != 0 && watch->options.closed)
        kind = WEFT_WATCH_CLOSED;
    else if ((event->mask & IN_ATTRIB) != 0 && watch->options.attributes)
        kind = WEFT_WATCH_ATTRIBUTES;
    else {
        weft__free(path);
        return 0;
    }
    return give(watch, ret, kind, path, NULL, is_dir);
}

static int one_event(struct weft_watch *watch, const struct inotify_event *event,
                     weft_watch_event *ret)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        watch->lost = true;
        return 0;
    }
    struct folder *folder = folder_of(watch, event->wd);
    if (folder == NULL)
        return 0;
    if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0) {
        if (event->wd != watch->root_wd || watch->ended)
            return 0;
        watch->ended = true;
        return give(watch, ret, WEFT_WATCH_DELETED, weft__strdup(watch->root), NULL, false);
    }
    const char *slash = event->len > 0 ? "/" : "";
    char *path = weft__asprintf("%s%s%s", folder->path, slash, event->len > 0 ? event->name : "");
    return path == NULL ? -ENOMEM : named_event(watch, event, path, ret);
}

/* 1 with an event, 0 when the batch is used up. */
static int from_batch(struct weft_watch *watch, weft_watch_event *ret)
{
    while (watch->pos < watch->end && !watch->ended) {
        const struct inotify_event *event = (const void *)(watch->batch + watch->pos);
        if (watch->moved != NULL &&
            ((event->mask & IN_MOVED_TO) == 0 || event->cookie != watch->cookie))
            return give_moved_away(watch, ret);
        watch->pos += sizeof *event + event->len;
        int got = one_event(watch, event, ret);
        if (got != 0)
            return got;
    }
    return 0;
}

static int from_found(struct weft_watch *watch, weft_watch_event *ret)
{
    const char *record = weft__buf_bytes(&watch->found);
    if (watch->found.len == 0)
        return 0;
    const bool is_dir = record[0] == 'd';
    char *path = weft__strdup(record + 1);
    weft__buf_consume(&watch->found, strlen(record) + 1);
    return give(watch, ret, WEFT_WATCH_CREATED, path, NULL, is_dir);
}

/* 1 if there is more to look at, 0 if nothing came yet but a half rename, or negative. */
static int64_t more(struct weft_watch *watch)
{
    for (;;) {
        int64_t n = WEFT__FS_TRY("read", read(watch->fd.fd, watch->batch, BATCH));
        if (n > 0) {
            watch->pos = 0;
            watch->end = (size_t)n;
            return 1;
        }
        if (n == -EAGAIN && watch->moved != NULL)
            return 0;
        if (n != -EAGAIN)
            return n;
        struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &watch->fd, .flags = POLLIN};
        n = watch->fd.loop == NULL ? weft__fd_init(&watch->fd, watch->fd.fd) : 0;
        if (n == 0)
            n = weft__op_run(&op, WEFT_FOREVER);
        if (n < 0)
            return n;
    }
}

static int64_t next_event(struct weft_watch *watch, weft_watch_event *ret)
{
    for (;;) {
        int64_t got = from_found(watch, ret);
        if (got == 0)
            got = from_batch(watch, ret);
        /* The event is gone. */
        if (got == -ENOMEM)
            watch->lost = true;
        if (got != 0 || watch->ended)
            return got;
        if (watch->lost) {
            watch->lost = false;
            return give(watch, ret, WEFT_WATCH_OVERFLOW, weft__strdup(watch->root), NULL, false);
        }
        got = more(watch);
        if (got < 0)
            return got;
        if (got == 0)
            return give_moved_away(watch, ret);
    }
}

/* An event is given even where its folder cannot be watched: the next call tries again. */
static int64_t next_watched(struct weft_watch *watch, weft_watch_event *ret)
{
    weft_watch_event event;
    int err = watch->adding != NULL ? add_rest(watch) : 0;
    if (err < 0 && err != -ECANCELED)
        watch->adding = NULL;
    if (err < 0)
        return err;
    int64_t got = next_event(watch, &event);
    if (got < 0)
        return weft__file_fail(got, "watch", watch->root);
    if (got > 0 && watch->options.recursive) {
        if (event.kind == WEFT_WATCH_OVERFLOW)
            watch->adding = watch->root;
        else if (event.is_dir && event.kind == WEFT_WATCH_CREATED && watch->found.len == 0)
            watch->adding = event.path;
    }
    if (watch->adding != NULL)
        add_rest(watch);
    if (got > 0)
        *ret = event;
    return got;
}

int weft_watch_next(weft_watch *watch, weft_watch_event *ret)
{
    struct weft_task *self;
    if (watch == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_watch_next without a watch or a place for the event");
    if (watch->busy)
        return weft__fail(-EBUSY, "watch %s: another task does", watch->root);
    int err = weft__file_begin(&self);
    if (err < 0)
        return err;
    watch->busy = true;
    int64_t got = next_watched(watch, ret);
    watch->busy = false;
    return (int)got;
}

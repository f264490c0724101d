/* fs_dir.c - reading folders: in batches, with the kind of each entry, stat only on demand. */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum { BATCH = 32 * 1024 };

struct record {
    uint64_t ino;
    int64_t next;
    unsigned short len;
    unsigned char type;
    char name[];
};

/* ---- batches ---- */

static int fill(struct weft__fs_scan *scan, int fd)
{
    if (scan->bytes == NULL) {
        scan->bytes = weft__alloc(BATCH);
        if (scan->bytes == NULL)
            return -ENOMEM;
        scan->cap = BATCH;
    }
    long n = WEFT__FS_SYS("getdents", syscall(SYS_getdents64, fd, scan->bytes, scan->cap));
    scan->pos = 0;
    scan->end = n > 0 ? (size_t)n : 0;
    return n < 0 ? -errno : n > 0;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* The next entry of the batch, or NULL. */
static struct record *take(struct weft__fs_scan *scan)
{
    while (scan->pos < scan->end) {
        struct record *record = (struct record *)(void *)(scan->bytes + scan->pos);
        scan->pos += record->len;
        if (!is_dots(record->name))
            return record;
    }
    return NULL;
}

int weft__fs_scan_next(struct weft__fs_scan *scan, int fd, struct weft__fs_entry *ret)
{
    struct record *record;
    while ((record = take(scan)) == NULL) {
        int got = fill(scan, fd);
        /* A folder that was removed while it is read has come to its end. */
        if (got <= 0)
            return got == -ENOENT ? 0 : got;
    }
    *ret = (struct weft__fs_entry){
        .name = record->name, .ino = record->ino, .next = record->next, .type = record->type};
    return 1;
}

static weft_kind kind_of_type(unsigned char type)
{
    return weft__fs_kind_of_mode(DTTOIF(type));
}

/* Some file systems do not tell the kind: it is asked for now, while waiting is allowed. */
static void complete_types(struct weft__fs_scan *scan, int fd)
{
    struct stat st;
    for (size_t pos = 0; pos < scan->end;) {
        struct record *record = (struct record *)(void *)(scan->bytes + pos);
        pos += record->len;
        if (record->type == DT_UNKNOWN && fstatat(fd, record->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            record->type = (unsigned char)IFTODT(st.st_mode);
    }
}

/* ---- the iterator ---- */

struct weft_dir {
    struct weft__fs_scan scan;
    const weft_root *root; /* while it is being opened */
    int fd;
    bool below; /* nothing is followed out of it */
    bool busy;  /* a task is inside a call */
    bool ended;
    size_t at; /* where it goes on below the root */
    char path[];
};

static int refill(struct weft_dir *dir)
{
    int got = fill(&dir->scan, dir->fd);
    if (got < 0 && got != -ENOENT)
        return weft__fs_fail(got, "read folder %s", dir->path);
    if (got <= 0)
        dir->ended = true;
    else
        complete_types(&dir->scan, dir->fd);
    return 0;
}

static int run_refill(void *arg)
{
    return refill(arg);
}

static int run_open(void *arg)
{
    struct weft_dir *dir = arg;
    dir->fd = WEFT__FS_SYS("open", open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int err = dir->fd < 0 ? -errno : 0;
    return err < 0 ? weft__fs_fail(err, "open folder %s", dir->path) : refill(dir);
}

static int run_root_open(void *arg)
{
    struct weft_dir *dir = arg;
    dir->below = true;
    dir->fd = weft__fs_beneath(weft__fs_root_fd(dir->root), dir->path + dir->at,
                               O_RDONLY | O_DIRECTORY, 0);
    return dir->fd < 0 ? weft__fs_root_fail(dir->root, dir->fd, "open folder", dir->path + dir->at)
                       : refill(dir);
}

/* The path of a root stands before the path below it, for messages. */
static int open_dir(const weft_root *root, const char *path, weft_dir **ret)
{
    const char *above = root != NULL ? weft__fs_root_path(root) : "";
    const size_t at = root != NULL ? strlen(above) + 1 : 0;
    const size_t len = strlen(path);
    struct weft_dir *dir = weft__calloc(1, sizeof *dir + at + len + 1);
    if (dir == NULL)
        return weft__fail_nomem();
    if (at > 0) {
        memcpy(dir->path, above, at - 1);
        dir->path[at - 1] = '/';
    }
    memcpy(dir->path + at, path, len);
    dir->at = at;
    dir->fd = -1;
    dir->root = root;
    int err = weft__fs_run(root != NULL ? run_root_open : run_open, dir);
    if (err < 0)
        weft_dir_close(dir);
    else
        *ret = dir;
    return err;
}

int weft_dir_open(const char *path, weft_dir **ret)
{
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_dir_open without a path or a place for the folder");
    return open_dir(NULL, path, ret);
}

int weft_root_dir_open(weft_root *root, const char *path, weft_dir **ret)
{
    if (root == NULL || path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_root_dir_open without a root, a path or a place for it");
    return open_dir(root, path, ret);
}

void weft_dir_close(weft_dir *dir)
{
    if (dir == NULL)
        return;
    if (dir->fd >= 0)
        close(dir->fd);
    weft__free(dir->scan.bytes);
    weft__free(dir);
}

int weft_dir_next(weft_dir *dir, weft_dir_entry *ret)
{
    struct record *record;
    if (dir == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_dir_next without a folder or a place for the entry");
    if (dir->busy)
        return weft__fail(-EBUSY, "read folder %s: another task does", dir->path);
    while ((record = take(&dir->scan)) == NULL) {
        if (dir->ended)
            return 0;
        dir->busy = true;
        int err = weft__fs_run(run_refill, dir);
        dir->busy = false;
        if (err < 0)
            return err;
    }
    *ret = (weft_dir_entry){
        .name = record->name, .ino = record->ino, .kind = kind_of_type(record->type)};
    return 1;
}

struct entry_stat {
    const weft_dir *dir;
    const char *name;
    int flags;
    weft_stat_result found;
};

static int stat_below(const struct entry_stat *query, weft_stat_result *ret)
{
    int flags = O_PATH | (query->flags != 0 ? O_NOFOLLOW : 0);
    int fd = weft__fs_beneath(query->dir->fd, query->name, flags, 0);
    if (fd < 0)
        return fd;
    int err = weft__fs_statx(fd, "", AT_EMPTY_PATH, ret);
    close(fd);
    return err;
}

static int run_entry_stat(void *arg)
{
    struct entry_stat *query = arg;
    int err = query->dir->below
                  ? stat_below(query, &query->found)
                  : weft__fs_statx(query->dir->fd, query->name, query->flags, &query->found);
    return err < 0 ? weft__fs_fail(err, "stat %s/%s", query->dir->path, query->name) : 0;
}

int weft_dir_stat(weft_dir *dir, const char *name, unsigned flags, weft_stat_result *ret)
{
    if (dir == NULL || name == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_dir_stat without a folder, a name or a place for it");
    struct entry_stat query = {
        .dir = dir, .name = name, .flags = (flags & WEFT_NOFOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0};
    int err = weft__fs_run(run_entry_stat, &query);
    if (err == 0)
        *ret = query.found;
    return err;
}

/* ---- all names at once ---- */

struct listing {
    struct weft__fs_job job;
    const char *path;
    struct weft__fs_scan scan;
    struct weft__buf names;
    size_t n;
    int fd;
};

static int collect(struct listing *list)
{
    struct weft__fs_entry entry;
    int got;
    while ((got = weft__fs_scan_next(&list->scan, list->fd, &entry)) > 0) {
        int err = weft__buf_append(&list->names, entry.name, strlen(entry.name) + 1);
        if (err == 0)
            err = weft__fs_tick(&list->job);
        if (err == -EMSGSIZE)
            return weft__fail(WEFT_ETOO_LONG, "folder %s has more than %d MiB of names", list->path,
                              WEFT__LIMIT_FS_NAMES / (1024 * 1024));
        if (err < 0)
            return weft__fs_fail(err, "read folder %s", list->path);
        list->n++;
    }
    return got < 0 ? weft__fs_fail(got, "read folder %s", list->path) : 0;
}

static int run_listdir(void *arg)
{
    struct listing *list = arg;
    list->fd = WEFT__FS_SYS("open", open(list->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int err = list->fd < 0 ? -errno : 0;
    if (err < 0)
        return weft__fs_fail(err, "open folder %s", list->path);
    err = collect(list);
    close(list->fd);
    return err;
}

int weft_listdir(const char *path, char ***ret, size_t *ret_n)
{
    struct listing list = {.path = path};
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_listdir without a path or a place for the names");
    weft__buf_init(&list.names, WEFT__LIMIT_FS_NAMES);
    int err = weft__fs_run_long(run_listdir, &list.job);
    weft__free(list.scan.bytes);
    if (err == 0)
        err = weft__fs_strings(&list.names, list.n, true, ret, ret_n);
    weft__buf_done(&list.names);
    return err;
}

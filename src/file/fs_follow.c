/*
 * fs_follow.c - what is added to a file, as a stream that does not end (tail -F).
 *
 * inotify says when to look again; where it does not (files of other machines), a look each
 * second does.  When the file is shorter than it was, reading begins at its start; when the name
 * leads to another file, the old one is read to its end first.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/file_int.h"
#include "file/fs_int.h"

#define LOOK_AGAIN WEFT_SEC(1)

struct follow {
    struct weft__fd notes;
    struct weft__handle file; /* open: there is one */
    int64_t offset;
    int64_t timeout;
    uint64_t ino;
    int folder_wd;
    int file_wd;
    bool from_start;
    bool first;
    char path[];
};

/* ---- jobs ---- */

static void watch_file(struct follow *follow)
{
    if (follow->notes.fd < 0)
        return;
    if (follow->file_wd >= 0)
        inotify_rm_watch(follow->notes.fd, follow->file_wd);
    follow->file_wd = inotify_add_watch(follow->notes.fd, follow->path,
                                        IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
}

/* Opens the file that has the name now; that there is none is no error. */
static int run_open(void *arg)
{
    struct follow *follow = arg;
    struct stat st;
    int64_t size;
    int fd = WEFT__FS_SYS("open", open(follow->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    int err = fd < 0 && errno != ENOENT ? -errno : 0;
    if (err < 0)
        return weft__fs_fail(err, "follow %s", follow->path);
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return weft__fail(-EINVAL, "follow %s: that is no regular file", follow->path);
    }
    err = weft__handle_init(&follow->file, fd, O_RDONLY | O_NONBLOCK, &size);
    if (err < 0)
        return weft__fs_fail(err, "follow %s", follow->path);
    follow->ino = st.st_ino;
    follow->offset = follow->first && !follow->from_start ? size : 0;
    watch_file(follow);
    return 0;
}

static int run_begin(void *arg)
{
    struct follow *follow = arg;
    char folder[WEFT__FS_PATH];
    size_t len = weft__fs_dir_len(follow->path);
    if (len >= sizeof folder)
        return weft__fail(-ENAMETOOLONG, "follow: the path is too long");
    memcpy(folder, len > 0 ? follow->path : ".", len > 0 ? len : 1);
    folder[len > 0 ? len : 1] = '\0';
    /* Without inotify looking each second is enough. */
    follow->notes.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (follow->notes.fd >= 0)
        follow->folder_wd = inotify_add_watch(follow->notes.fd, folder, IN_CREATE | IN_MOVED_TO);
    return run_open(follow);
}

struct look {
    struct follow *follow;
    bool shorter;
    bool other;
};

static int run_look(void *arg)
{
    struct look *look = arg;
    struct follow *follow = look->follow;
    struct stat st;
    int64_t size = follow->file.open ? weft__handle_size(&follow->file) : 0;
    if (size < 0)
        return weft__fs_fail((int)size, "follow %s", follow->path);
    look->shorter = follow->file.open && size < follow->offset;
    if (stat(follow->path, &st) == 0)
        look->other =
            !follow->file.open || (size == follow->offset &&
                                   (st.st_ino != follow->ino || st.st_dev != follow->file.device));
    return 0;
}

/* ---- the stream ---- */

static void drain(const struct follow *follow)
{
    char notes[4096];
    while (read(follow->notes.fd, notes, sizeof notes) > 0)
        continue;
}

/* 0 when it may be worth to look again. */
static int64_t wait_for_more(struct follow *follow, int64_t *waited)
{
    int64_t pause = LOOK_AGAIN;
    if (follow->timeout != WEFT_FOREVER && follow->timeout - *waited < pause)
        pause = follow->timeout - *waited;
    if (pause <= 0)
        return WEFT_EREAD_TIMEOUT;
    const int64_t start = weft_now();
    int64_t n;
    if (follow->notes.fd < 0) {
        n = weft_sleep(pause);
    } else {
        n = follow->notes.loop == NULL ? weft__fd_init(&follow->notes, follow->notes.fd) : 0;
        struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &follow->notes, .flags = POLLIN};
        if (n == 0)
            n = weft__op_run(&op, pause);
        drain(follow);
    }
    *waited += weft_now() - start;
    return n == -ETIMEDOUT || n > 0 ? 0 : n;
}

static int64_t read_more(struct follow *follow, void *data, size_t len)
{
    struct weft_task *self;
    if (!follow->file.open)
        return 0;
    int way = weft__file_begin(&self);
    if (way < 0)
        return way;
    return weft__file_do_read(self, (enum weft__file_way)way, &follow->file, data, len,
                              follow->offset);
}

static int64_t follow_read(void *arg, void *data, size_t len)
{
    struct follow *follow = arg;
    int64_t waited = 0;
    for (;;) {
        int64_t n = read_more(follow, data, len);
        if (n > 0)
            follow->offset += n;
        if (n > 0)
            return n;
        struct look look = {.follow = follow};
        if (n == 0)
            n = weft__fs_run(run_look, &look);
        if (n == 0 && look.shorter) {
            follow->offset = 0;
            continue;
        }
        if (n == 0 && look.other) {
            follow->first = false;
            weft__handle_close(&follow->file);
            n = weft__fs_run(run_open, follow);
            if (n == 0 && follow->file.open)
                continue;
        }
        if (n == 0)
            n = wait_for_more(follow, &waited);
        if (n == WEFT_EREAD_TIMEOUT)
            return weft__fail((int)n, "follow %s: nothing was added", follow->path);
        if (n < 0)
            return weft__file_fail(n, "follow", follow->path);
    }
}

static int follow_writev(void *arg, const weft_slice *slices, size_t n)
{
    const struct follow *follow = arg;
    (void)slices;
    (void)n;
    return weft__fail(-EBADF, "follow %s: it is only read", follow->path);
}

static void follow_set_timeout(void *arg, int64_t read, int64_t write)
{
    struct follow *follow = arg;
    (void)write;
    follow->timeout = read;
}

static void follow_free(void *arg)
{
    struct follow *follow = arg;
    weft__handle_close(&follow->file);
    if (follow->notes.loop != NULL)
        weft__fd_close(&follow->notes);
    else if (follow->notes.fd >= 0)
        close(follow->notes.fd);
    weft__free(follow);
}

static const weft_stream_ops follow_ops = {
    .size = sizeof follow_ops,
    .name = "follow",
    .read = follow_read,
    .writev = follow_writev,
    .set_timeout = follow_set_timeout,
    .free = follow_free,
};

int weft_follow(const char *path, const weft_follow_options *options, weft_stream **ret)
{
    weft_follow_options all = {0};
    if (path == NULL || *path == '\0' || ret == NULL)
        return weft__fail(-EINVAL, "weft_follow without a path or a place for the stream");
    weft__fs_options(&all, sizeof all, options);
    size_t len = strlen(path);
    struct follow *follow = weft__calloc(1, sizeof *follow + len + 1);
    if (follow == NULL)
        return weft__fail_nomem();
    memcpy(follow->path, path, len);
    follow->notes.fd = -1;
    follow->file_wd = -1;
    follow->timeout = WEFT_FOREVER;
    follow->from_start = all.from_start;
    follow->first = true;
    int err = weft__fs_run(run_begin, follow);
    if (err < 0) {
        follow_free(follow);
        return err;
    }
    /* What appears later is all new. */
    follow->first = false;
    return weft_stream_new(&follow_ops, follow, ret);
}

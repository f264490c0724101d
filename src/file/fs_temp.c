/* fs_temp.c - temporary files and folders. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rand.h"
#include "file/file_int.h"
#include "file/fs_int.h"

enum kind { ANONYMOUS, NAMED, FOLDER };

enum { LETTERS = 12 };

struct temp {
    weft_temp_options options;
    enum kind kind;
    char *path;
    char *letters; /* where in path */
    weft_file *file;
};

/* ---- where ---- */

static bool is_usable(const char *path)
{
    struct stat st;
    return path != NULL && *path != '\0' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
}

static const char *default_folder(void)
{
    const char *const candidates[] = {getenv("TMPDIR"), getenv("TEMP"), getenv("TMP"),
                                      "/tmp",           "/var/tmp",     "/usr/tmp"};
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (is_usable(candidates[i]))
            return candidates[i];
    }
    return ".";
}

int weft_gettempdir(char **ret)
{
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_gettempdir without a place for the result");
    char *copy = weft__strdup(default_folder());
    if (copy == NULL)
        return weft__fail_nomem();
    *ret = copy;
    return 0;
}

/* ---- making ---- */

static void draw_letters(char *letters)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint64_t random = weft__rand_thread();
    for (int i = 0; i < LETTERS; i++) {
        letters[i] = alphabet[random % 36];
        random /= 36;
    }
}

static int make_one(struct temp *temp)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    if (temp->kind == FOLDER)
        return WEFT__FS_TRY("mkdir", mkdir(temp->path, 0700));
    return WEFT__FS_TRY("open", open(temp->path, flags, 0600));
}

static int make_named(struct temp *temp)
{
    int result = -EEXIST;
    for (int attempt = 0; result == -EEXIST && attempt < 100; attempt++) {
        draw_letters(temp->letters);
        result = make_one(temp);
    }
    if (result < 0)
        return weft__fs_fail(result, "temporary %s %s", temp->kind == FOLDER ? "folder" : "file",
                             temp->path);
    if (temp->kind == FOLDER)
        return 0;
    if (temp->kind == ANONYMOUS)
        unlink(temp->path);
    int err = weft_file_from_fd(result, "r+", WEFT_FILE(.name = temp->path), &temp->file);
    if (err < 0 && temp->kind == NAMED)
        unlink(temp->path);
    return err;
}

static int run_make(void *arg)
{
    struct temp *temp = arg;
    const char *folder = temp->options.dir;
    const int flags = O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC;
    if (temp->kind == ANONYMOUS && !weft__fs_fault.no_tmpfile) {
        int fd = WEFT__FS_SYS("open", open(folder, flags, 0600));
        if (fd >= 0)
            return weft_file_from_fd(fd, "r+", WEFT_FILE(.name = folder), &temp->file);
        if (!weft__fs_has_no_tmpfile(errno))
            return weft__fs_fail(-errno, "temporary file in %s", folder);
    }
    return make_named(temp);
}

static int make(struct temp *temp, const weft_temp_options *options)
{
    weft__fs_options(&temp->options, sizeof temp->options, options);
    weft_temp_options *all = &temp->options;
    if (all->dir == NULL)
        all->dir = default_folder();
    if (all->prefix == NULL)
        all->prefix = "weft-";
    if (all->suffix == NULL)
        all->suffix = "";
    if (strchr(all->prefix, '/') != NULL || strchr(all->suffix, '/') != NULL)
        return weft__fail(-EINVAL, "a temporary name has no slash: '%.64s', '%.64s'", all->prefix,
                          all->suffix);
    temp->path = weft__asprintf("%s/%sXXXXXXXXXXXX%s", all->dir, all->prefix, all->suffix);
    if (temp->path == NULL)
        return weft__fail_nomem();
    temp->letters = temp->path + strlen(all->dir) + 1 + strlen(all->prefix);
    int err = weft__fs_run(run_make, temp);
    if (err < 0)
        weft__free(temp->path);
    return err;
}

int weft_temp_file(const weft_temp_options *options, weft_file **ret)
{
    struct temp temp = {.kind = ANONYMOUS};
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_temp_file without a place for the file");
    int err = make(&temp, options);
    if (err < 0)
        return err;
    weft__free(temp.path);
    *ret = temp.file;
    return 0;
}

int weft_mkstemp(const weft_temp_options *options, weft_file **ret, char **ret_path)
{
    struct temp temp = {.kind = NAMED};
    if (ret == NULL || ret_path == NULL)
        return weft__fail(-EINVAL, "weft_mkstemp without places for the file and its path");
    int err = make(&temp, options);
    if (err < 0)
        return err;
    *ret = temp.file;
    *ret_path = temp.path;
    return 0;
}

int weft_mkdtemp(const weft_temp_options *options, char **ret)
{
    struct temp temp = {.kind = FOLDER};
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_mkdtemp without a place for the path");
    int err = make(&temp, options);
    if (err == 0)
        *ret = temp.path;
    return err;
}

/* ---- removed at the end ---- */

struct weft_named_temp {
    weft_file *file;
    char *path;
};

int weft_named_temp_open(const weft_temp_options *options, weft_named_temp **ret)
{
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_named_temp_open without a place for the file");
    weft_named_temp *temp = weft__calloc(1, sizeof *temp);
    if (temp == NULL)
        return weft__fail_nomem();
    int err = weft_mkstemp(options, &temp->file, &temp->path);
    if (err < 0)
        weft__free(temp);
    else
        *ret = temp;
    return err;
}

weft_file *weft_named_temp_file(weft_named_temp *temp)
{
    return temp->file;
}

const char *weft_named_temp_path(const weft_named_temp *temp)
{
    return temp->path;
}

/* What must be cleaned up is, also when the task is cancelled. */
static int shielded(int (*remove)(const char *path), const char *path)
{
    weft_scope scope;
    weft_scope_enter_shield(&scope, WEFT_SEC(10));
    return weft_scope_exit(&scope, remove(path));
}

int weft_named_temp_close(weft_named_temp *temp)
{
    if (temp == NULL)
        return 0;
    int err = weft_file_close(temp->file);
    if (err == -EBUSY)
        return err;
    int removed = shielded(weft_unlink, temp->path);
    if (removed < 0 && removed != -ENOENT && err == 0)
        err = removed;
    weft__free(temp->path);
    weft__free(temp);
    return err;
}

struct weft_temp_dir {
    char *path;
};

int weft_temp_dir_open(const weft_temp_options *options, weft_temp_dir **ret)
{
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_temp_dir_open without a place for the folder");
    weft_temp_dir *temp = weft__calloc(1, sizeof *temp);
    if (temp == NULL)
        return weft__fail_nomem();
    int err = weft_mkdtemp(options, &temp->path);
    if (err < 0)
        weft__free(temp);
    else
        *ret = temp;
    return err;
}

const char *weft_temp_dir_path(const weft_temp_dir *temp)
{
    return temp->path;
}

int weft_temp_dir_close(weft_temp_dir *temp)
{
    if (temp == NULL)
        return 0;
    int err = shielded(weft_remove_tree, temp->path);
    weft__free(temp->path);
    weft__free(temp);
    return err == -ENOENT ? 0 : err;
}

/* ---- in memory until it is large ---- */

struct weft_spool {
    weft_file *file; /* NULL: the bytes are in memory */
    char *dir;
    struct weft__buf bytes;
    size_t pos;
    size_t max;
};

int weft_spool_open(size_t max, const weft_temp_options *options, weft_spool **ret)
{
    weft_temp_options all = {0};
    if (ret == NULL)
        return weft__fail(-EINVAL, "weft_spool_open without a place for the file");
    weft__fs_options(&all, sizeof all, options);
    weft_spool *spool = weft__calloc(1, sizeof *spool);
    if (spool == NULL)
        return weft__fail_nomem();
    spool->max = max != 0 ? max : WEFT__LIMIT_FS_SPOOL;
    weft__buf_init(&spool->bytes, spool->max);
    if (all.dir != NULL) {
        spool->dir = weft__strdup(all.dir);
        if (spool->dir == NULL) {
            weft__free(spool);
            return weft__fail_nomem();
        }
    }
    *ret = spool;
    return 0;
}

int weft_spool_rollover(weft_spool *spool)
{
    weft_file *file;
    if (spool->file != NULL)
        return 0;
    int err = weft_temp_file(WEFT_TEMP(.dir = spool->dir), &file);
    if (err < 0)
        return err;
    err = weft_file_write(file, weft__buf_bytes(&spool->bytes), spool->bytes.len);
    if (err == 0) {
        int64_t at = weft_file_seek(file, (int64_t)spool->pos, SEEK_SET);
        err = at < 0 ? (int)at : 0;
    }
    if (err < 0) {
        weft_file_close(file);
        return err;
    }
    weft__buf_done(&spool->bytes);
    spool->file = file;
    return 0;
}

bool weft_spool_is_rolled(const weft_spool *spool)
{
    return spool->file != NULL;
}

int weft_spool_write(weft_spool *spool, const void *data, size_t len)
{
    static const char zeros[256];
    struct weft__buf *bytes = &spool->bytes;
    if (spool->file == NULL && (len > spool->max || spool->pos > spool->max - len)) {
        int err = weft_spool_rollover(spool);
        if (err < 0)
            return err;
    }
    if (spool->file != NULL)
        return weft_file_write(spool->file, data, len);
    while (bytes->len < spool->pos + len) {
        size_t more = spool->pos + len - bytes->len;
        if (weft__buf_append(bytes, zeros, more < sizeof zeros ? more : sizeof zeros) < 0)
            return weft__fail_nomem();
    }
    if (len > 0)
        memcpy(weft__buf_bytes(bytes) + spool->pos, data, len);
    spool->pos += len;
    return 0;
}

int64_t weft_spool_read(weft_spool *spool, void *data, size_t len)
{
    if (spool->file != NULL)
        return weft_file_read(spool->file, data, len);
    size_t there = spool->pos < spool->bytes.len ? spool->bytes.len - spool->pos : 0;
    len = len < there ? len : there;
    if (len > 0)
        memcpy(data, weft__buf_bytes(&spool->bytes) + spool->pos, len);
    spool->pos += len;
    return (int64_t)len;
}

int64_t weft_spool_seek(weft_spool *spool, int64_t offset, int whence)
{
    if (spool->file != NULL)
        return weft_file_seek(spool->file, offset, whence);
    int64_t base = whence == SEEK_CUR   ? (int64_t)spool->pos
                   : whence == SEEK_END ? (int64_t)spool->bytes.len
                                        : 0;
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
        return weft__fail(-EINVAL, "seek in a spooled file: no such whence");
    if (offset > INT64_MAX - base || base + offset < 0)
        return weft__fail(-EINVAL, "seek in a spooled file: before its start, or too far");
    spool->pos = (size_t)(base + offset);
    return base + offset;
}

int weft_spool_close(weft_spool *spool)
{
    if (spool == NULL)
        return 0;
    int err = weft_file_close(spool->file);
    if (err == -EBUSY)
        return err;
    weft__buf_done(&spool->bytes);
    weft__free(spool->dir);
    weft__free(spool);
    return err;
}

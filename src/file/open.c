/*
 * open.c - how a file comes to be open: modes, options, descriptors of the caller's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"

enum {
    BUFFER_AHEAD = 16 * 1024,
    BUFFER_BEHIND = 64 * 1024,
    BUFFER_MAX = 256 * 1024,
    LINE_MOST = 1024 * 1024 * 1024
};

/* ---- modes ---- */

/* Exactly one of r w a x, and at most one + and one of b t, in any order, as in Python. */
static int parse_mode(const char *mode, int *ret_flags)
{
    int flags = 0;
    int n_base = 0;
    int n_plus = 0;
    int n_kind = 0;
    for (const char *c = mode; *c != '\0'; c++) {
        n_base += strchr("rwax", *c) != NULL;
        n_plus += *c == '+';
        n_kind += *c == 'b' || *c == 't';
        if (strchr("rwax+bt", *c) == NULL)
            return -EINVAL;
        if (*c == 'w')
            flags = O_CREAT | O_TRUNC;
        else if (*c == 'a')
            flags = O_CREAT | O_APPEND;
        else if (*c == 'x')
            flags = O_CREAT | O_EXCL;
    }
    if (n_base != 1 || n_plus > 1 || n_kind > 1)
        return -EINVAL;
    if (n_plus == 1)
        flags |= O_RDWR;
    else
        flags |= (flags & O_CREAT) != 0 ? O_WRONLY : O_RDONLY;
    *ret_flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    return 0;
}

/* ---- options ---- */

static void take_options(weft_file_options *all, const weft_file_options *options)
{
    *all = (weft_file_options){.size = sizeof *all};
    if (options == NULL)
        return;
    size_t size = options->size < sizeof *all ? options->size : sizeof *all;
    memcpy(all, options, size);
}

static int check_options(const char *path, const char *mode, const weft_file_options *options)
{
    if ((options->flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | O_EXCL | O_DIRECTORY)) != 0)
        return weft__fail(-EINVAL, "open %s: what the mode says cannot be in the flags", path);
    if ((options->flags & O_PATH) != 0)
        return weft__fail(-EINVAL, "open %s: with O_PATH it could not be read or written", path);
    if (options->text && strchr(mode, 'b') != NULL)
        return weft__fail(-EINVAL, "open %s: mode '%.8s' means bytes, and text was asked for", path,
                          mode);
    if (options->text && options->unbuffered)
        return weft__fail(-EINVAL, "open %s: text needs a buffer", path);
    bool of_text = options->encoding != NULL || options->newline != NULL || options->replace;
    if (of_text && !options->text)
        return weft__fail(-EINVAL, "open %s: an encoding or newline is for text only", path);
    if (options->line_max > LINE_MOST)
        return weft__fail(-EINVAL, "open %s: lines of at most %d bytes", path, LINE_MOST);
    return 0;
}

static size_t clamp(size_t value, size_t least, size_t most)
{
    if (value < least)
        return least;
    return value < most ? value : most;
}

static int file_new(const char *path, const char *mode, int flags, const weft_file_options *options,
                    weft_file **ret)
{
    size_t len = strlen(path);
    weft_file *file = weft__calloc(1, sizeof *file + len + 1);
    if (file == NULL)
        return weft__fail_nomem();
    memcpy(file->path, path, len);
    snprintf(file->mode, sizeof file->mode, "%s", mode);
    file->readable = (flags & O_ACCMODE) != O_WRONLY;
    file->writable = (flags & O_ACCMODE) != O_RDONLY;
    file->at_end = (flags & O_APPEND) != 0;
    file->fresh = options->unbuffered;
    file->first = options->buffer == 0 ? (size_t)BUFFER_AHEAD
                                       : clamp(options->buffer, WEFT__FILE_PAGE, BUFFER_MAX);
    file->behind =
        options->buffer == 0 ? (size_t)BUFFER_BEHIND : clamp(options->buffer, 1, BUFFER_MAX);
    if (options->unbuffered)
        file->behind = 0;
    file->line_max = options->line_max == 0 ? (size_t)WEFT__LIMIT_FILE_LINE : options->line_max;
    int err = 0;
    if (options->text)
        err = weft__text_new(options->encoding, options->newline, options->replace, &file->text);
    if (err < 0) {
        weft__free(file);
        return err == -ENOMEM ? weft__fail_nomem() : err;
    }
    *ret = file;
    return 0;
}

static void file_drop(weft_file *file)
{
    weft__text_free(file->text);
    weft__free(file);
}

/* Mode and options make sense together: the file, not open yet. */
static int file_prepare(const char *path, const char *mode, const weft_file_options *options,
                        int *ret_flags, weft_file **ret)
{
    if (parse_mode(mode, ret_flags) < 0)
        return weft__fail(-EINVAL, "open %s: '%.16s' is no mode; r, w, a or x with + and b", path,
                          mode);
    int err = check_options(path, mode, options);
    *ret_flags |= options->flags;
    return err < 0 ? err : file_new(path, mode, *ret_flags, options, ret);
}

/* ---- by name ---- */

int weft_file_open(const char *path, const char *mode, weft_file **ret)
{
    return weft_file_open_with(path, mode, NULL, ret);
}

int weft_file_open_with(const char *path, const char *mode, const weft_file_options *options,
                        weft_file **ret)
{
    struct weft_task *self;
    weft_file_options all;
    weft_file *file;
    int64_t size;
    int flags;
    if (path == NULL || mode == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_file_open without a path, a mode or a place for the file");
    take_options(&all, options);
    int err = file_prepare(path, mode, &all, &flags, &file);
    if (err < 0)
        return err;
    err = weft__file_begin(&self);
    if (err >= 0)
        err = weft__file_do_open(self, (enum weft__file_way)err, path, flags,
                                 all.mode != 0 ? all.mode : 0666);
    if (err >= 0)
        err = weft__handle_init(&file->handle, err, flags, &size);
    if (err < 0) {
        file_drop(file);
        return weft__file_fail(err, "open", path);
    }
    if (file->handle.stream)
        file->at_end = false;
    *ret = file;
    return 0;
}

/* ---- descriptors of the caller's ---- */

/* What the descriptor was opened for must cover what the mode wants. */
static int check_access(int fd, int flags, const char *path)
{
    int have = fcntl(fd, F_GETFL);
    if (have < 0)
        return weft__fail_with(-errno, "open %s", path);
    int access = have & O_ACCMODE;
    if (access != O_RDWR && access != (flags & O_ACCMODE))
        return weft__fail(-EINVAL, "open %s: the descriptor is not open for that", path);
    return 0;
}

static int adopt(weft_file *file, int fd)
{
    int64_t size;
    int err = weft__handle_adopt(&file->handle, fd, &size);
    if (err < 0)
        return weft__file_fail(err, "open", file->path);
    if (file->handle.shared) {
        off_t here = lseek(fd, 0, SEEK_CUR);
        file->offset = here < 0 ? 0 : here;
    }
    file->at_end = file->handle.append && !file->handle.stream;
    return 0;
}

/* "a" writes at the end, whether the descriptor was opened like that or not. */
static int make_appending(int fd, const char *path)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_APPEND) == 0 && fcntl(fd, F_SETFL, flags | O_APPEND) < 0))
        return weft__fail_with(-errno, "open %s", path);
    return 0;
}

int weft_file_from_fd(int fd, const char *mode, const weft_file_options *options, weft_file **ret)
{
    weft_file_options all;
    weft_file *file = NULL;
    char name[32];
    int flags;
    if (fd < 0 || mode == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_file_from_fd without a descriptor, a mode or a place");
    snprintf(name, sizeof name, "descriptor %d", fd);
    take_options(&all, options);
    const char *path = all.name != NULL ? all.name : name;
    int err = file_prepare(path, mode, &all, &flags, &file);
    if (err == 0)
        err = check_access(fd, flags, path);
    int own = fd;
    if (err == 0 && all.keep_open) {
        own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        err = own < 0 ? weft__fail_with(-errno, "open %s", path) : 0;
    }
    if (err == 0)
        err = (flags & O_APPEND) != 0 ? make_appending(own, path) : 0;
    if (err == 0)
        err = adopt(file, own);
    if (err < 0) {
        if (all.keep_open ? own != fd && own >= 0 : true)
            close(own);
        if (file != NULL)
            file_drop(file);
        return err;
    }
    *ret = file;
    return 0;
}

static int standard(int fd, const char *mode, const char *name, weft_file **ret)
{
    return weft_file_from_fd(fd, mode, WEFT_FILE(.keep_open = true, .name = name), ret);
}

int weft_file_stdin(weft_file **ret)
{
    return standard(STDIN_FILENO, "r", "<stdin>", ret);
}

int weft_file_stdout(weft_file **ret)
{
    return standard(STDOUT_FILENO, "w", "<stdout>", ret);
}

int weft_file_stderr(weft_file **ret)
{
    return standard(STDERR_FILENO, "w", "<stderr>", ret);
}

int weft_file_dup(weft_file *file, weft_file **ret)
{
    if (file == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_file_dup without a file or a place for the copy");
    int err = weft_file_flush(file);
    if (err < 0)
        return err;
    size_t len = strlen(file->path);
    weft_file *copy = weft__calloc(1, sizeof *copy + len + 1);
    if (copy == NULL)
        return weft__fail_nomem();
    memcpy(copy, file, sizeof *copy);
    memcpy(copy->path, file->path, len);
    copy->bytes = NULL;
    copy->text = NULL;
    copy->cap = copy->rpos = copy->rend = copy->pending = 0;
    copy->has_cut = copy->busy = copy->stale = false;
    copy->offset = weft__cursor_tell(file);
    copy->handle.fd = (struct weft__fd){.fd = fcntl(file->handle.fd.fd, F_DUPFD_CLOEXEC, 3)};
    err = copy->handle.fd.fd < 0 ? weft__fail_with(-errno, "copy %s", file->path) : 0;
    if (err == 0 && file->text != NULL)
        err = weft__text_copy(file->text, &copy->text);
    if (err < 0) {
        if (copy->handle.fd.fd >= 0)
            close(copy->handle.fd.fd);
        file_drop(copy);
        return err == -ENOMEM ? weft__fail_nomem() : err;
    }
    *ret = copy;
    return 0;
}

/* ---- what it is ---- */

const char *weft_file_name(const weft_file *file)
{
    return file->path;
}

const char *weft_file_mode(const weft_file *file)
{
    return file->mode;
}

int weft_file_fd(const weft_file *file)
{
    return file->handle.fd.fd;
}

bool weft_file_is_readable(const weft_file *file)
{
    return file->readable;
}

bool weft_file_is_writable(const weft_file *file)
{
    return file->writable;
}

bool weft_file_is_seekable(const weft_file *file)
{
    return !file->handle.stream;
}

bool weft_file_is_tty(const weft_file *file)
{
    return isatty(file->handle.fd.fd) == 1;
}

const char *weft_file_backend(void)
{
    struct weft_task *self = weft__self();
    const char *forced = weft__file_backend();
    if (forced[0] != 'a' || self == NULL)
        return forced;
    return weft__file_has_ring(self) ? "inline, ring, pool" : "inline, pool";
}

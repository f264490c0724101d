/*
 * lock.c - locks of open files, space and advice.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "file/file_int.h"

/* ---- locks ---- */

enum { LOCK_PAUSE_FIRST_MS = 1, LOCK_PAUSE_LAST_MS = 50 };

static void take_options(weft_lock_options *all, const weft_lock_options *options)
{
    *all = (weft_lock_options){.size = sizeof *all};
    if (options != NULL)
        memcpy(all, options, options->size < sizeof *all ? options->size : sizeof *all);
}

/* One attempt: 0, -EAGAIN if another one has it, or an error. */
static int lock_once(const struct weft_file *file, const weft_lock_options *options, bool unlock)
{
    int fd = file->handle.fd.fd;
    const int kind = options->shared ? LOCK_SH : LOCK_EX;
    struct flock lock = {
        .l_type = (short)(options->shared ? F_RDLCK : F_WRLCK),
        .l_whence = SEEK_SET,
        .l_start = options->offset,
        .l_len = options->len,
    };
    if (unlock)
        lock.l_type = F_UNLCK;
    int err = WEFT__FILE_CALL("lock", NULL,
                              options->flock ? flock(fd, unlock ? LOCK_UN : kind | LOCK_NB)
                                             : fcntl(fd, F_OFD_SETLK, &lock));
    return err == -EACCES ? -EAGAIN : err;
}

static int check(const weft_file *file, const weft_lock_options *options)
{
    if (file == NULL)
        return weft__fail(-EINVAL, "lock without a file");
    if (options->offset < 0 || options->len < 0)
        return weft__fail(-EINVAL, "lock %s: a negative offset or length", file->path);
    if (options->flock && (options->offset != 0 || options->len != 0))
        return weft__fail(-EINVAL, "lock %s: flock knows no ranges", file->path);
    return 0;
}

int weft_file_lock(weft_file *file, const weft_lock_options *options)
{
    struct weft_task *self;
    weft_lock_options all;
    take_options(&all, options);
    int err = check(file, &all);
    if (err == 0)
        err = weft__file_begin(&self);
    if (err < 0)
        return err;
    int64_t pause = WEFT_MS(LOCK_PAUSE_FIRST_MS);
    while ((err = lock_once(file, &all, false)) == -EAGAIN) {
        err = weft_sleep(pause);
        if (err < 0)
            return err;
        pause = pause < WEFT_MS(LOCK_PAUSE_LAST_MS) / 2 ? pause * 2 : WEFT_MS(LOCK_PAUSE_LAST_MS);
    }
    return err < 0 ? weft__file_fail(err, "lock", file->path) : 0;
}

int weft_file_try_lock(weft_file *file, const weft_lock_options *options)
{
    weft_lock_options all;
    take_options(&all, options);
    int err = check(file, &all);
    if (err < 0)
        return err;
    err = lock_once(file, &all, false);
    return err < 0 ? weft__file_fail(err, "lock", file->path) : 0;
}

int weft_file_unlock(weft_file *file, const weft_lock_options *options)
{
    weft_lock_options all;
    take_options(&all, options);
    int err = check(file, &all);
    if (err < 0)
        return err;
    int flushed = file->pending > 0 ? weft_file_flush(file) : 0;
    err = lock_once(file, &all, true);
    if (err < 0)
        return weft__file_fail(err, "unlock", file->path);
    return flushed;
}

/* ---- space and advice ---- */

struct range {
    const struct weft_file *file;
    int64_t offset;
    int64_t len;
    int flags;
    int advice;
};

static int run_allocate(void *arg)
{
    const struct range *range = arg;
    return WEFT__FILE_CALL(
        "fallocate", NULL,
        fallocate(range->file->handle.fd.fd, range->flags, range->offset, range->len));
}

static int run_advise(void *arg)
{
    const struct range *range = arg;
    return -posix_fadvise(range->file->handle.fd.fd, range->offset, range->len, range->advice);
}

/* All but the plain way is a worker's: the kernel may have to wait for the disk. */
static int run_range(weft_fn fn, struct range *range, enum weft__file_way way)
{
    return weft__file_offload(way == WEFT__FILE_PLAIN ? way : WEFT__FILE_POOL, fn, range);
}

int weft_file_allocate(weft_file *file, int64_t offset, int64_t len, weft_allocate how)
{
    static const int flags[] = {
        [WEFT_ALLOCATE_GROW] = 0,
        [WEFT_ALLOCATE_KEEP] = FALLOC_FL_KEEP_SIZE,
        [WEFT_ALLOCATE_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        [WEFT_ALLOCATE_ZERO] = FALLOC_FL_ZERO_RANGE,
    };
    struct weft_task *self;
    if ((unsigned)how > WEFT_ALLOCATE_ZERO || len <= 0)
        return weft__fail(-EINVAL, "allocate: no such way, or a length that is not positive");
    bool allowed = file != NULL && file->writable;
    int way = weft__file_begin_at(file, "allocate", allowed, offset, &self);
    if (way < 0)
        return way;
    struct range range = {.file = file, .offset = offset, .len = len, .flags = flags[how]};
    int err = run_range(run_allocate, &range, (enum weft__file_way)way);
    weft__file_changed(file);
    return err < 0 ? weft__file_fail(err, "allocate", file->path) : 0;
}

int weft_file_advise(weft_file *file, int64_t offset, int64_t len, weft_advice advice)
{
    static const int advices[] = {
        [WEFT_ADVICE_NORMAL] = POSIX_FADV_NORMAL,
        [WEFT_ADVICE_SEQUENTIAL] = POSIX_FADV_SEQUENTIAL,
        [WEFT_ADVICE_RANDOM] = POSIX_FADV_RANDOM,
        [WEFT_ADVICE_WILL_NEED] = POSIX_FADV_WILLNEED,
        [WEFT_ADVICE_DONT_NEED] = POSIX_FADV_DONTNEED,
    };
    struct weft_task *self;
    if ((unsigned)advice > WEFT_ADVICE_DONT_NEED || len < 0)
        return weft__fail(-EINVAL, "advise: no such advice, or a negative length");
    int way = weft__file_begin_at(file, "advise", true, offset, &self);
    if (way < 0)
        return way;
    struct range range = {.file = file, .offset = offset, .len = len, .advice = advices[advice]};
    bool quick = advice <= WEFT_ADVICE_RANDOM;
    int err = quick ? run_advise(&range) : run_range(run_advise, &range, (enum weft__file_way)way);
    return err < 0 ? weft__file_fail(err, "advise", file->path) : 0;
}

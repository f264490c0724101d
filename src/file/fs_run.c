/* fs_run.c - how operations on names are run: at once, or each as one job. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "file/file_int.h"
#include "file/fs_int.h"
#include "thread/thread_int.h"

enum { FAIR_CALLS = 64, FAIR_TICKS = 64 };

/* ---- a seam for tests ---- */

struct weft__fs_fault weft__fs_fault;

int weft__fs_step(const char *call)
{
    struct weft__fs_fault *fault = &weft__fs_fault;
    if (__builtin_expect(!fault->on, 1))
        return weft__fault_syscall(call);
    fault->count++;
    if (fault->hook != NULL)
        fault->hook(fault->count);
    if (fault->nth == 0 || --fault->nth > 0)
        return 0;
    if (fault->kill)
        kill(getpid(), SIGKILL);
    return -fault->error;
}

/* ---- running ---- */

static _Thread_local unsigned n_inline;

/* Names that are all in the kernel's cache must not keep other tasks waiting. */
void weft__fs_let_others(struct weft_task *self)
{
    if (++n_inline % FAIR_CALLS != 0 || self->loop->n_tasks == 0)
        return;
    weft__loop_spend(self->loop, self->loop->budget);
    weft__yield(self);
}

static int finish(struct weft_task *self, int err)
{
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

int weft__fs_run(weft_fn fn, void *arg)
{
    struct weft_task *self;
    int way = weft__file_begin(&self);
    if (way < 0)
        return way;
    if (way != WEFT__FILE_PLAIN)
        return weft__file_offload(WEFT__FILE_POOL, fn, arg);
    weft__fs_let_others(self);
    return fn(arg);
}

int weft__fs_run_long(weft_fn fn, struct weft__fs_job *job)
{
    struct weft_task *self;
    int way = weft__file_begin(&self);
    if (way < 0)
        return way;
    job->ticks = 0;
    atomic_init(&job->stop, false);
    job->self = way == WEFT__FILE_PLAIN ? self : NULL;
    if (job->self != NULL)
        return finish(self, fn(job));
    return finish(self, weft__offload_stoppable(WEFT__OFFLOAD_FILES, fn, job, &job->stop));
}

int weft__fs_tick(struct weft__fs_job *job)
{
    if (job->self == NULL)
        return atomic_load_explicit(&job->stop, memory_order_relaxed) ? -ECANCELED : 0;
    if (++job->ticks % FAIR_TICKS == 0) {
        weft__loop_spend(job->self->loop, job->self->loop->budget);
        weft__yield(job->self);
    }
    return weft__checkpoint(job->self);
}

int weft__fs_fail(int err, const char *format, ...)
{
    char text[WEFT__ERROR_TEXT_MAX];
    va_list args;
    if (err == -ENOMEM)
        return weft__fail_nomem();
    if (err == -ECANCELED)
        return err;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (err == WEFT__FS_SPECIAL)
        return weft__fail(-EINVAL, "%s: no regular file", text);
    return weft__fail_with(err, "%s", text);
}

/* ---- paths ---- */

size_t weft__fs_dir_len(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    return len;
}

int weft__fs_open_parent(const char *path, const char **ret_name)
{
    char folder[WEFT__FS_PATH];
    size_t len = weft__fs_dir_len(path);
    if (len >= sizeof folder)
        return -ENAMETOOLONG;
    if (path[len] == '\0')
        return -EISDIR;
    memcpy(folder, len > 0 ? path : ".", len > 0 ? len : 1);
    folder[len > 0 ? len : 1] = '\0';
    int fd = WEFT__FS_SYS("open", open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 && errno == EACCES)
        fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_name = path + len;
    return fd;
}

void weft__fs_temp_name(char *name)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint64_t random = weft__rand_thread();
    char tail[13];
    for (int i = 0; i < 12; i++) {
        tail[i] = letters[random % 36];
        random /= 36;
    }
    tail[12] = '\0';
    snprintf(name, WEFT__FS_TEMP_NAME, ".weft-%s.tmp", tail);
}

int weft__fs_temp_create(int folder, char *name, unsigned mode)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        weft__fs_temp_name(name);
        int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
        int fd = WEFT__FS_TRY("open", openat(folder, name, flags, mode));
        if (fd != -EEXIST)
            return fd;
    }
    return -EEXIST;
}

/* ---- strings ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int weft__fs_strings(struct weft__buf *bytes, size_t n, bool sorted, char ***ret, size_t *ret_n)
{
    size_t table;
    size_t total;
    if (weft__size_mul(n + 1, sizeof(char *), &table) < 0 ||
        weft__size_add(table, bytes->len, &total) < 0)
        return weft__fail_nomem();
    char **list = weft__alloc(total);
    if (list == NULL)
        return weft__fail_nomem();
    char *text = (char *)list + table;
    if (bytes->len > 0)
        memcpy(text, weft__buf_bytes(bytes), bytes->len);
    for (size_t i = 0; i < n; i++) {
        list[i] = text;
        text += strlen(text) + 1;
    }
    if (sorted && n > 1)
        qsort(list, n, sizeof *list, compare);
    size_t kept = n;
    if (sorted && n > 1) {
        kept = 1;
        for (size_t i = 1; i < n; i++) {
            if (strcmp(list[i], list[kept - 1]) != 0)
                list[kept++] = list[i];
        }
    }
    list[kept] = NULL;
    weft__buf_clear(bytes);
    *ret = list;
    if (ret_n != NULL)
        *ret_n = kept;
    return 0;
}

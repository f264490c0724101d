/*
 * exec.c - the ladder: how an operation on a file reaches the kernel.
 *
 *   1. What the user-space buffer holds needs no system call (cursor.c).
 *   2. A system call on the loop's own thread, if it cannot wait for a disk: preadv2 with
 *      RWF_NOWAIT, openat2 with RESOLVE_CACHED, writes of at most 64 KiB into the page cache.
 *      When nothing else could run meanwhile, every call is made like that, plainly.
 *   3. The ring, where the loop has one that knows the operation.
 *   4. A worker thread.
 *
 * "Everything through the ring" would be slower than a plain loop: the kernel hands operations
 * on tmpfs and overlayfs, and all that create, to its own workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "thread/thread_int.h"

enum {
    FAIR_TURN = 2,          /* units of inline work before others get a turn */
    FAIR_POLL = 64,         /* and, of all tasks together, before I/O and timers get theirs */
    FAIR_BYTES = 16 * 1024, /* of copying count as one more unit */
    FAIR_HOP = 6,           /* units that handing something to a worker counts */
    IO_MAX = 0x7ffff000     /* what one system call transfers at most */
};

/* How long writes stay away from the loop's thread once one has waited there. */
#define FIRST_PAUSE   WEFT_SEC(4)
#define LONGEST_PAUSE WEFT_SEC(64)

/* ---- choosing a way ---- */

static const char *const backend_names[] = {"auto", "inline", "ring", "pool"};
enum forced { FORCED_NONE, FORCED_INLINE, FORCED_RING, FORCED_POOL };

static enum forced forced_way;
static pthread_once_t forced_once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
    const char *name = getenv("WEFT_FILE_BACKEND");
    for (int i = FORCED_INLINE; name != NULL && i <= FORCED_POOL; i++) {
        if (strcmp(name, backend_names[i]) == 0)
            forced_way = (enum forced)i;
    }
}

static enum forced forced(void)
{
    pthread_once(&forced_once, read_environment);
    return forced_way;
}

const char *weft__file_backend(void)
{
    return backend_names[forced()];
}

/* Nothing else could run while this task waits, no time is up, nobody could send it a message. */
static bool is_alone(const struct weft_task *self)
{
    const struct weft__loop *loop = self->loop;
    if (loop->backend->kind == WEFT_BACKEND_VIRTUAL)
        return true;
    return loop->n_tasks == (self != &loop->native) && loop->n_pending == 0 &&
           loop->ready_first == NULL && loop->timers.n == 0 &&
           atomic_load_explicit(&loop->inbox->refs, memory_order_relaxed) == 1;
}

enum weft__file_way weft__file_way_waiting(const struct weft_task *self, uint8_t opcode)
{
    bool has_ring = weft__loop_has_opcode(self->loop, opcode);
    switch (forced()) {
    case FORCED_INLINE:
        return WEFT__FILE_PLAIN;
    case FORCED_POOL:
        return WEFT__FILE_POOL;
    default:
        return has_ring ? WEFT__FILE_RING : WEFT__FILE_POOL;
    }
}

static enum weft__file_way first_way(const struct weft_task *self)
{
    switch (forced()) {
    case FORCED_NONE:
        return is_alone(self) ? WEFT__FILE_PLAIN : WEFT__FILE_NOWAIT;
    case FORCED_INLINE:
        return WEFT__FILE_PLAIN;
    case FORCED_RING:
        return WEFT__FILE_RING;
    default:
        return WEFT__FILE_POOL;
    }
}

/* ---- fairness ---- */

static _Thread_local size_t inline_units;

static void count_inline(int64_t bytes)
{
    inline_units += 1 + (bytes > 0 ? (size_t)bytes / FAIR_BYTES : 0);
}

/*
 * Ready tasks, timers and I/O get a turn, even where each operation ends at once.  A turn is short,
 * for a task that has waited for its time comes after all that are ready: they may be many.
 */
int weft__file_pace(struct weft_task *self)
{
    if (inline_units >= FAIR_TURN) {
        size_t units = inline_units < FAIR_POLL ? inline_units : FAIR_POLL;
        inline_units = 0;
        if (!is_alone(self)) {
            weft__loop_spend(self->loop, (int)units * (WEFT__LIMIT_READY_BUDGET / FAIR_POLL));
            weft__yield(self);
        }
    }
    return weft__checkpoint(self);
}

int weft__file_begin(struct weft_task **ret_self)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = weft__file_pace(self);
    if (err < 0)
        return err;
    *ret_self = self;
    return (int)first_way(self);
}

int weft__file_fail(int64_t err, const char *verb, const char *path)
{
    if (err == -ENOMEM)
        return weft__fail_nomem();
    if (err == -ECANCELED)
        return weft__cancel_error(weft__self());
    return weft__fail_with((int)err, "%s %s", verb, path);
}

/* ---- steps: open ---- */

static int open_plain(const char *path, int flags, unsigned mode)
{
    return WEFT__FILE_CALL("open", NULL, open(path, flags, mode));
}

/* There is no openat2: said once by the kernel, or by what stands between. */
static atomic_bool openat2_missing;

/* -EAGAIN if the name is not in the kernel's cache, or if the kernel cannot tell. */
static int open_cached(const char *path, int flags)
{
    if (atomic_load_explicit(&openat2_missing, memory_order_relaxed))
        return -EAGAIN;
    struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_CACHED};
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (fd >= 0)
        return (int)fd;
    if (errno == ENOSYS)
        atomic_store_explicit(&openat2_missing, true, memory_order_relaxed);
    /* Before 5.12, or behind a seccomp filter that does not know the call. */
    if (errno == ENOSYS || errno == EINVAL || errno == EPERM || errno == EINTR)
        return -EAGAIN;
    return -errno;
}

int64_t weft__file_ring(const char *call, size_t *len, const struct weft__sqe *sqe)
{
    struct weft__op op = {.kind = WEFT__OP_RING, .sqe = *sqe};
    int64_t n;
    do {
        n = weft__fault_io(call, len);
    } while (n == -EINTR);
    if (n < 0)
        return n;
    if (len != NULL)
        op.sqe.len = (uint32_t)*len;
    return weft__op_run(&op, WEFT_FOREVER);
}

int weft__file_step_open(enum weft__file_way way, const char *path, int flags, unsigned mode)
{
    count_inline(0);
    if (way == WEFT__FILE_NOWAIT) {
        int err = weft__fault_syscall("open");
        return err == -EINTR ? -EAGAIN : err < 0 ? err : open_cached(path, flags);
    }
    if (way != WEFT__FILE_RING)
        return open_plain(path, flags, mode);
    return (int)weft__file_ring("open", NULL,
                                &(struct weft__sqe){
                                    .opcode = IORING_OP_OPENAT,
                                    .fd = AT_FDCWD,
                                    .addr = (uintptr_t)path,
                                    .len = mode,
                                    .op_flags = (uint32_t)flags,
                                });
}

/*
 * The folder that was asked about last, and where it lies.  Where something else is mounted
 * there meanwhile, the answer costs time and nothing else.
 */
static _Thread_local char last_folder[256];
static _Thread_local bool last_in_memory;
static _Thread_local bool last_on_disk;

/* Asks where the folder lies in which path stands, or would stand. */
static bool ask_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (len == 0) {
        path = "./";
        len = 2;
    }
    if (len >= sizeof last_folder)
        return false;
    if (strncmp(last_folder, path, len) == 0 && last_folder[len] == '\0')
        return true;
    memcpy(last_folder, path, len);
    last_folder[len] = '\0';
    int fd = open_cached(last_folder, O_PATH | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) {
        last_folder[0] = '\0';
        return false;
    }
    last_in_memory = weft__mount_in_memory(fd);
    last_on_disk = weft__mount_on_disk(fd);
    close(fd);
    return true;
}

static bool is_in_memory(const char *path)
{
    return ask_folder(path) && last_in_memory;
}

bool weft__file_is_on_disk(const char *path)
{
    return ask_folder(path) && last_on_disk;
}

enum weft__file_way weft__file_way_creating(const struct weft_task *self, const char *path)
{
    return is_in_memory(path) ? WEFT__FILE_PLAIN : weft__file_way_waiting(self, IORING_OP_OPENAT);
}

/* ---- steps: read and write ---- */

static int64_t read_plain(const struct weft__handle *handle, void *data, size_t len, int64_t offset)
{
    return WEFT__FILE_CALL("read", &len,
                           offset < 0 ? read(handle->fd.fd, data, len)
                                      : pread(handle->fd.fd, data, len, offset));
}

static int64_t read_nowait(struct weft__handle *handle, void *data, size_t len, int64_t offset)
{
    if (handle->fs == WEFT__FILE_FS_UNKNOWN) {
        int err = weft__fault_io("read", &len);
        if (err < 0)
            return err == -EINTR ? -EAGAIN : err;
        struct iovec part = {.iov_base = data, .iov_len = len};
        ssize_t n = preadv2(handle->fd.fd, &part, 1, offset, RWF_NOWAIT);
        if (n >= 0)
            return n;
        if (errno != EOPNOTSUPP && errno != ENOSYS)
            return errno == EINTR ? -EAGAIN : -errno;
        handle->fs = weft__mount_learn(handle->fd.fd, handle->device);
    }
    if (handle->fs == WEFT__FILE_FS_MEMORY)
        return read_plain(handle, data, len, offset);
    return -EAGAIN;
}

/* io_uring takes O_NONBLOCK as a wish to fail rather than to wait for the disk. */
static void make_blocking(struct weft__handle *handle)
{
    if (!handle->nonblocking)
        return;
    int flags = fcntl(handle->fd.fd, F_GETFL);
    if (flags >= 0)
        fcntl(handle->fd.fd, F_SETFL, flags & ~O_NONBLOCK);
    handle->nonblocking = false;
}

static int64_t transfer_ring(struct weft__handle *handle, uint8_t opcode, uintptr_t data,
                             size_t len, int64_t offset)
{
    make_blocking(handle);
    return weft__file_ring(opcode == IORING_OP_READ ? "read" : "write", &len,
                           &(struct weft__sqe){
                               .opcode = opcode,
                               .fd = handle->fd.fd,
                               .off = (uint64_t)offset,
                               .addr = data,
                           });
}

int64_t weft__file_step_read(enum weft__file_way way, struct weft__handle *handle, void *data,
                             size_t len, int64_t offset)
{
    size_t max =
        way == WEFT__FILE_NOWAIT || way == WEFT__FILE_RING ? WEFT__FILE_INLINE_READ : IO_MAX;
    len = len < max ? len : max;
    if (way == WEFT__FILE_RING)
        return transfer_ring(handle, IORING_OP_READ, (uintptr_t)data, len, offset);
    int64_t n = way == WEFT__FILE_NOWAIT ? read_nowait(handle, data, len, offset)
                                         : read_plain(handle, data, len, offset);
    count_inline(n);
    return n;
}

static int64_t write_plain(const struct weft__handle *handle, const void *data, size_t len,
                           int64_t offset)
{
    return WEFT__FILE_CALL("write", &len,
                           offset < 0 ? write(handle->fd.fd, data, len)
                                      : pwrite(handle->fd.fd, data, len, offset));
}

/*
 * A write into the page cache seldom waits, but it does where the disk is behind with its journal
 * or with dirty pages.  Those after it then leave the loop's thread for a while, for longer each
 * time that one is tried in vain.  A write that took long may as well have lost the processor to
 * another thread: after the first, the kernel is asked for each whether it went to sleep.
 */
static _Thread_local struct {
    int64_t until;
    int64_t pause;
    int64_t watched; /* until when */
} writes_away;

/* How often this thread has waited for something other than a processor. */
static long sleeps(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

static void keep_writes_away(int64_t now)
{
    if (writes_away.pause == 0 || now - writes_away.until > LONGEST_PAUSE)
        writes_away.pause = FIRST_PAUSE;
    else if (writes_away.pause < LONGEST_PAUSE)
        writes_away.pause *= 2;
    writes_away.until = now + writes_away.pause;
}

bool weft__file_writes_wait(void)
{
    return weft__clock_monotonic() < writes_away.until;
}

static int64_t write_nowait(const struct weft__handle *handle, const void *data, size_t len,
                            int64_t offset)
{
    int64_t before = weft__clock_monotonic();
    if (len > WEFT__FILE_INLINE_WRITE || before < writes_away.until)
        return -EAGAIN;
    bool watched = before < writes_away.watched;
    long slept = watched ? sleeps() : 0;
    int64_t n = write_plain(handle, data, len, offset);
    int64_t after = weft__clock_monotonic();
    if (after - before > WEFT_MS(1)) {
        if (watched && sleeps() > slept)
            keep_writes_away(after);
        writes_away.watched = after + LONGEST_PAUSE;
    }
    return n;
}

int64_t weft__file_step_write(enum weft__file_way way, struct weft__handle *handle,
                              const void *data, size_t len, int64_t offset)
{
    len = len < IO_MAX ? len : IO_MAX;
    if (way == WEFT__FILE_RING)
        return transfer_ring(handle, IORING_OP_WRITE, (uintptr_t)data, len, offset);
    int64_t n = way == WEFT__FILE_NOWAIT ? write_nowait(handle, data, len, offset)
                                         : write_plain(handle, data, len, offset);
    count_inline(n);
    return n;
}

static int step_sync(enum weft__file_way way, struct weft__handle *handle, bool data_only)
{
    if (way == WEFT__FILE_RING)
        return (int)weft__file_ring("fsync", NULL,
                                    &(struct weft__sqe){
                                        .opcode = IORING_OP_FSYNC,
                                        .fd = handle->fd.fd,
                                        .op_flags = data_only ? IORING_FSYNC_DATASYNC : 0,
                                    });
    return WEFT__FILE_CALL("fsync", NULL,
                           data_only ? fdatasync(handle->fd.fd) : fsync(handle->fd.fd));
}

static int step_truncate(struct weft__handle *handle, int64_t size)
{
    return WEFT__FILE_CALL("truncate", NULL, ftruncate(handle->fd.fd, size));
}

/* ---- one step as a job of its own ---- */

enum step_call { STEP_OPEN, STEP_READ, STEP_WRITE, STEP_SYNC, STEP_TRUNCATE };

struct step {
    struct weft__handle *handle;
    const char *path;
    void *data;
    size_t len;
    int64_t offset;
    int64_t result;
    enum step_call call;
    int flags;
    unsigned mode;
};

static int run_step(void *arg)
{
    struct step *step = arg;
    switch (step->call) {
    case STEP_OPEN:
        step->result = weft__file_step_open(WEFT__FILE_PLAIN, step->path, step->flags, step->mode);
        break;
    case STEP_READ:
        step->result = weft__file_step_read(WEFT__FILE_PLAIN, step->handle, step->data, step->len,
                                            step->offset);
        break;
    case STEP_WRITE:
        step->result = weft__file_step_write(WEFT__FILE_PLAIN, step->handle, step->data, step->len,
                                             step->offset);
        break;
    case STEP_SYNC:
        step->result = step_sync(WEFT__FILE_PLAIN, step->handle, step->flags != 0);
        break;
    default:
        step->result = step_truncate(step->handle, step->offset);
        break;
    }
    return 0;
}

static int64_t offload_step(struct step *step)
{
    int err = weft__file_offload(WEFT__FILE_POOL, run_step, step);
    return err < 0 ? err : step->result;
}

bool weft__file_has_ring(const struct weft_task *self)
{
    return weft__file_way_waiting(self, IORING_OP_READ) == WEFT__FILE_RING;
}

int weft__file_offload(enum weft__file_way way, weft_fn fn, void *arg)
{
    if (way == WEFT__FILE_PLAIN)
        return fn(arg);
    inline_units += FAIR_HOP;
    return weft__offload(WEFT__OFFLOAD_FILES, fn, arg);
}

/* ---- ladders ---- */

/* O_DIRECT wants whole blocks.  As dd does: for a transfer of another shape it is turned off. */
static void keep_aligned(struct weft__handle *handle, const void *data, size_t len, int64_t offset)
{
    if ((((uintptr_t)data | len | (uint64_t)offset) & (WEFT__FILE_PAGE - 1)) == 0)
        return;
    int flags = fcntl(handle->fd.fd, F_GETFL);
    if (flags >= 0)
        fcntl(handle->fd.fd, F_SETFL, flags & ~O_DIRECT);
    handle->direct = false;
}

int weft__file_do_open(struct weft_task *self, enum weft__file_way way, const char *path, int flags,
                       unsigned mode)
{
    int fd = -EAGAIN;
    if (way == WEFT__FILE_NOWAIT && (flags & (O_CREAT | O_TRUNC)) != 0)
        way = weft__file_way_creating(self, path);
    if (way == WEFT__FILE_NOWAIT) {
        fd = weft__file_step_open(way, path, flags, mode);
        if (fd == -EAGAIN)
            way = WEFT__FILE_RING;
    }
    if (way == WEFT__FILE_RING)
        way = weft__file_way_waiting(self, IORING_OP_OPENAT);
    if (way == WEFT__FILE_POOL)
        fd = (int)offload_step(
            &(struct step){.call = STEP_OPEN, .path = path, .flags = flags, .mode = mode});
    else if (way != WEFT__FILE_NOWAIT)
        fd = weft__file_step_open(way, path, flags, mode);
    return fd == -ENXIO ? weft__stream_open_fifo(path, flags) : fd;
}

int64_t weft__file_do_read(struct weft_task *self, enum weft__file_way way,
                           struct weft__handle *handle, void *data, size_t len, int64_t offset)
{
    if (handle->stream)
        return weft__stream_read(handle, data, len);
    if (handle->direct)
        keep_aligned(handle, data, len, offset);
    if (way == WEFT__FILE_NOWAIT) {
        int64_t n = weft__file_step_read(way, handle, data, len, offset);
        if (n != -EAGAIN)
            return n;
        way = WEFT__FILE_RING;
    }
    if (way == WEFT__FILE_RING)
        way = weft__file_way_waiting(self, IORING_OP_READ);
    if (way != WEFT__FILE_POOL)
        return weft__file_step_read(way, handle, data, len, offset);
    return offload_step(&(struct step){
        .call = STEP_READ, .handle = handle, .data = data, .len = len, .offset = offset});
}

int64_t weft__file_do_write(struct weft_task *self, enum weft__file_way way,
                            struct weft__handle *handle, const void *data, size_t len,
                            int64_t offset)
{
    if (handle->stream)
        return weft__stream_write(handle, data, len);
    if (handle->direct)
        keep_aligned(handle, data, len, offset);
    if (way == WEFT__FILE_NOWAIT) {
        int64_t n = weft__file_step_write(way, handle, data, len, offset);
        if (n != -EAGAIN)
            return n;
        way = WEFT__FILE_RING;
    }
    if (way == WEFT__FILE_RING)
        way = weft__file_way_waiting(self, IORING_OP_WRITE);
    if (way != WEFT__FILE_POOL)
        return weft__file_step_write(way, handle, data, len, offset);
    return offload_step(&(struct step){.call = STEP_WRITE,
                                       .handle = handle,
                                       .data = (void *)(uintptr_t)data,
                                       .len = len,
                                       .offset = offset});
}

int weft__file_do_sync(struct weft_task *self, enum weft__file_way way, struct weft__handle *handle,
                       bool data_only)
{
    if (way != WEFT__FILE_PLAIN)
        way = weft__file_way_waiting(self, IORING_OP_FSYNC);
    if (way != WEFT__FILE_POOL)
        return step_sync(way, handle, data_only);
    return (int)offload_step(
        &(struct step){.call = STEP_SYNC, .handle = handle, .flags = data_only});
}

int weft__file_do_truncate(struct weft_task *self, enum weft__file_way way,
                           struct weft__handle *handle, int64_t size)
{
    (void)self;
    if (way == WEFT__FILE_PLAIN)
        return step_truncate(handle, size);
    return (int)offload_step(
        &(struct step){.call = STEP_TRUNCATE, .handle = handle, .offset = size});
}

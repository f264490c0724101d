/*
 * crowd.c - one file read whole while many tasks do the same.
 *
 * What is cached is read fastest by plain system calls, if one task reads one file after the
 * other.  Where many tasks read at once, what opens their files shares the system call that submits
 * it, and what is not cached is read together.  Whether there are many cannot be seen from one of
 * them: now and then a read goes through the ring, and the others that come while it is under way
 * follow it.  They go on like that as long as they are enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "file/file_int.h"

enum {
    SMALL = 64 * 1024, /* bytes that are copied by a call of their own */
    ENOUGH = 8,        /* reads at once that pay */
    FIRST_GAP = 64,    /* reads by plain calls between two trials */
    LONGEST_GAP = 2048 /* after trials that found nobody */
};

static _Thread_local struct {
    unsigned active; /* reads in the ring */
    unsigned most;   /* of them at once, since there were none */
    unsigned alone;  /* reads by plain calls since the last trial */
    unsigned gap;
    bool pays;
} crowd;

bool weft__crowd_pays(const struct weft_task *self, const char *path)
{
    if (crowd.active == 0 && !crowd.pays) {
        if (++crowd.alone < (crowd.gap != 0 ? crowd.gap : FIRST_GAP))
            return false;
        crowd.alone = 0;
    }
    return self->loop->backend->kind != WEFT_BACKEND_VIRTUAL && weft__file_backend()[0] == 'a' &&
           weft__file_has_ring(self) && weft__file_is_on_disk(path);
}

static void enter(void)
{
    crowd.active++;
    if (crowd.active > crowd.most)
        crowd.most = crowd.active;
}

static void leave(void)
{
    if (--crowd.active > 0)
        return;
    crowd.pays = crowd.most >= ENOUGH;
    crowd.most = 0;
    if (crowd.pays)
        crowd.gap = FIRST_GAP;
    else if (crowd.gap < LONGEST_GAP)
        crowd.gap = crowd.gap == 0 ? 2 * FIRST_GAP : 2 * crowd.gap;
}

/*
 * What is cached is copied by a call of its own, and at once to where it stays: through the ring a
 * hundred buffers would be under way, more than the processor's cache holds.  It does not count as
 * inline work: the next file makes the task wait.
 */
static int64_t read_piece(int fd, char *data, size_t len, size_t offset)
{
    if (len <= SMALL) {
        struct iovec part = {.iov_base = data, .iov_len = len};
        int64_t n = WEFT__FILE_CALL("read", &part.iov_len,
                                    preadv2(fd, &part, 1, (off_t)offset, RWF_NOWAIT));
        if (n != -EAGAIN && n != -EOPNOTSUPP)
            return n;
    }
    len = len < WEFT__FILE_INLINE_READ ? len : WEFT__FILE_INLINE_READ;
    return weft__file_ring("read", &len,
                           &(struct weft__sqe){
                               .opcode = IORING_OP_READ,
                               .fd = fd,
                               .addr = (uintptr_t)data,
                               .off = offset,
                           });
}

/* As many bytes as there were, fewer if the file has become shorter. */
static int64_t read_all(int fd, char *data, size_t size)
{
    size_t done = 0;
    int64_t n = 1;
    while (n > 0 && done < size) {
        n = read_piece(fd, data + done, size - done, done);
        done += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? n : (int64_t)done;
}

/* -EAGAIN: not a file to be read like that. */
static int read_opened(int fd, char **ret, size_t *ret_len)
{
    int err = weft__fault_syscall("stat");
    if (err < 0)
        return err == -EINTR ? -EAGAIN : err;
    /* Pipes and terminals have no end to seek, files of /proc none or 0,
     * folders one far away. */
    int64_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size > WEFT__LIMIT_FILE_STREAM)
        return -EAGAIN;
    char *data = weft__alloc((size_t)size + 1);
    if (data == NULL)
        return -ENOMEM;
    int64_t n = read_all(fd, data, (size_t)size);
    if (n < 0) {
        weft__free(data);
        return (int)n;
    }
    *ret = data;
    *ret_len = (size_t)n;
    return 0;
}

int weft__crowd_read(const char *path, int flags, char **ret, size_t *ret_len)
{
    enter();
    int64_t fd = weft__file_ring("open", NULL,
                                 &(struct weft__sqe){
                                     .opcode = IORING_OP_OPENAT,
                                     .fd = AT_FDCWD,
                                     .addr = (uintptr_t)path,
                                     .op_flags = (uint32_t)(flags | O_NOFOLLOW),
                                 });
    int err = fd < 0 ? (int)fd : read_opened((int)fd, ret, ret_len);
    if (fd >= 0)
        close((int)fd);
    leave();
    return err == -ELOOP ? -EAGAIN : err;
}

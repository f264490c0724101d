/*
 * file_int.h - open files from inside, and the ladder by which an operation reaches the kernel.
 *
 * A descriptor that can be polled (pipe, terminal) is a stream: it is non-blocking and waits in
 * the loop.  Everything else is a regular file, whose operations the kernel may make wait for a
 * disk, and climbs the ladder of exec.c.
 */
#ifndef WEFT_FILE_FILE_INT_H
#define WEFT_FILE_FILE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/file.h>
#include <weft/file_more.h>

#include "base/fault.h"
#include "run/run_int.h"

enum {
    WEFT__FILE_PAGE = 4096,
    WEFT__FILE_INLINE_READ = 256 * 1024, /* bytes read at a time on the loop's own thread */
    WEFT__FILE_INLINE_WRITE = 64 * 1024  /* larger writes leave the loop's thread */
};

/* What is known about reading from the page cache of the file system a file lies on. */
enum weft__file_fs {
    WEFT__FILE_FS_UNKNOWN, /* RWF_NOWAIT has worked so far */
    WEFT__FILE_FS_MEMORY,  /* tmpfs, proc: no RWF_NOWAIT, but nothing to wait for either */
    WEFT__FILE_FS_WAITS    /* overlay, network: no RWF_NOWAIT, a plain read may wait */
};

struct weft__handle {
    struct weft__fd fd; /* bound to a loop only when a stream first waits */
    enum weft__file_fs fs;
    uint64_t device;
    bool open;
    bool stream;
    bool append;
    bool nonblocking;  /* O_NONBLOCK is still set: a ring read would fail instead of waiting */
    bool blocking;     /* a stream without O_NONBLOCK, which others may hold too: leave it so */
    bool shared;       /* others may move the kernel's position: the cursor is that position */
    bool direct;       /* O_DIRECT, until a transfer is not aligned */
    bool await_writer; /* a FIFO whose first writer has not come: its end is not the end */
};

/*
 * A system call that moves up to *len_ bytes, by its name for weft_testing_fail_op: its result or
 * the negative errno.  It is made again where a signal interrupts it.
 */
#define WEFT__FILE_CALL(call_, len_, ...)                                                          \
    ({                                                                                             \
        __typeof__(__VA_ARGS__) result_;                                                           \
        do {                                                                                       \
            result_ = weft__fault_io(call_, len_);                                                 \
            if (result_ == 0) {                                                                    \
                result_ = (__VA_ARGS__);                                                           \
                if (result_ < 0)                                                                   \
                    result_ = -errno;                                                              \
            }                                                                                      \
        } while (result_ == -EINTR);                                                               \
        result_;                                                                                   \
    })

/* How a system call is made. */
enum weft__file_way {
    WEFT__FILE_PLAIN,  /* at once; whoever waits has nothing better to do */
    WEFT__FILE_NOWAIT, /* at once if it need not wait, else -EAGAIN */
    WEFT__FILE_RING,   /* submitted; the task parks */
    WEFT__FILE_POOL    /* plain, in a worker thread, as part of one job */
};

/*
 * Begins a public call: gives way to other tasks if this thread did much file work without a
 * break, and checks for cancellation.  Returns the way to begin with, or an error with its
 * message set.
 */
int weft__file_begin(struct weft_task **ret_self);
/* The same inside a long operation; 0 or -ECANCELED. */
int weft__file_pace(struct weft_task *self);
/* The way for what waits: ring where the loop has the opcode, else pool. */
enum weft__file_way weft__file_way_waiting(const struct weft_task *self, uint8_t opcode);
/* The way to create or truncate path: at once where its folder lies in memory. */
enum weft__file_way weft__file_way_creating(const struct weft_task *self, const char *path);

/* Do files beside path lie on a disk whose cached pages are read without waiting? */
bool weft__file_is_on_disk(const char *path);

/* Single system calls: a count, a descriptor, or a negative errno; no message. */
int weft__file_step_open(enum weft__file_way way, const char *path, int flags, unsigned mode);
int64_t weft__file_step_read(enum weft__file_way way, struct weft__handle *handle, void *data,
                             size_t len, int64_t offset);
int64_t weft__file_step_write(enum weft__file_way way, struct weft__handle *handle,
                              const void *data, size_t len, int64_t offset);

/*
 * Whole ladders: one operation, whatever it takes.  Counts may be short; no message, but
 * weft__file_fail knows what to make of the code.
 */
int weft__file_do_open(struct weft_task *self, enum weft__file_way way, const char *path, int flags,
                       unsigned mode);
int64_t weft__file_do_read(struct weft_task *self, enum weft__file_way way,
                           struct weft__handle *handle, void *data, size_t len, int64_t offset);
int64_t weft__file_do_write(struct weft_task *self, enum weft__file_way way,
                            struct weft__handle *handle, const void *data, size_t len,
                            int64_t offset);
int weft__file_do_sync(struct weft_task *self, enum weft__file_way way, struct weft__handle *handle,
                       bool data_only);
int weft__file_do_truncate(struct weft_task *self, enum weft__file_way way,
                           struct weft__handle *handle, int64_t size);

/* Takes the descriptor and learns what it is; -EISDIR for a folder: then it is closed. */
int weft__handle_init(struct weft__handle *handle, int fd, int flags, int64_t *ret_size);
/* The same for a descriptor of the caller's, which stays open where it fails. */
int weft__handle_adopt(struct weft__handle *handle, int fd, int64_t *ret_size);
/* Closes; the error is one of delayed writing. */
int weft__handle_close(struct weft__handle *handle);
int64_t weft__handle_size(struct weft__handle *handle);

/* Streams: as the calls above; they wait for readiness, and SIGPIPE is an error instead. */
int64_t weft__stream_read(struct weft__handle *handle, void *data, size_t len);
int64_t weft__stream_write(struct weft__handle *handle, const void *data, size_t len);
/* A FIFO without a reader cannot be opened for writing: tries until one is there. */
int weft__stream_open_fifo(const char *path, int flags);

/* What is remembered of a device, or of asking it now. */
enum weft__file_fs weft__mount_find(uint64_t device);
enum weft__file_fs weft__mount_learn(int fd, uint64_t device);
bool weft__mount_in_memory(int fd);
bool weft__mount_on_disk(int fd);

/* A whole file by plain system calls, on any thread; -EAGAIN: it is no regular file. */
int weft__whole_read_plain(const char *path, char **ret, size_t *ret_len);
int weft__whole_write_plain(const char *path, const void *data, size_t len);

/* Do so many tasks of this thread read files just now that the ring pays for what is cached? */
bool weft__crowd_pays(const struct weft_task *self, const char *path);
/* An operation of the ring, by its name as in WEFT__FILE_CALL; *len is its length. */
int64_t weft__file_ring(const char *call, size_t *len, const struct weft__sqe *sqe);
/* A whole file through the ring, for path on a disk; -EAGAIN: it is to be read otherwise. */
int weft__crowd_read(const char *path, int flags, char **ret, size_t *ret_len);

/* Sets "verb path: text" and returns err; a cancellation and missing memory keep their own. */
int weft__file_fail(int64_t err, const char *verb, const char *path);

/* WEFT_FILE_BACKEND: "inline", "ring" or "pool"; "auto" if nothing is forced. */
const char *weft__file_backend(void);
/* True if the way for a waiting read is the ring. */
bool weft__file_has_ring(const struct weft_task *self);
/* Writes on the loop's own thread have waited for the disk lately. */
bool weft__file_writes_wait(void);
/* fn(arg) in a worker thread, or here in the plain way. */
int weft__file_offload(enum weft__file_way way, weft_fn fn, void *arg);

/* ---- the cursor ---- */

/*
 * One buffer serves reading and writing, for only one of them is under way:
 *
 *     reading: bytes[rpos .. rend) are the bytes of the file before offset
 *     writing: bytes[0 .. pending) belong at offset
 *
 * so that the cursor is always at offset - (rend - rpos) + pending.
 */
struct weft_file {
    struct weft__handle handle;
    char *bytes;
    size_t cap;    /* of bytes, without the page behind it for a NUL */
    size_t ahead;  /* how much is read at a time; 0: the least, after a seek */
    size_t first;  /* what ahead begins with */
    size_t behind; /* bytes collected before they are written; 0: none */
    size_t line_max;
    struct weft__text *text; /* NULL: bytes as they are */
    size_t rpos;
    size_t rend;
    size_t pending;
    int64_t offset;
    char cut;     /* what stood where a lent line has its NUL */
    bool has_cut; /* it stands at rpos */
    bool readable;
    bool writable;
    bool at_end; /* append: offset is wherever the end is now */
    bool busy;   /* a task is inside a call that uses the cursor */
    bool stale;  /* the file was changed by position meanwhile: forget what was read ahead */
    bool fresh;  /* unbuffered: nothing that was read ahead is kept between calls */
    char mode[8];
    char path[];
};

/* Before an operation that does not use the cursor; the way, or an error with its message. */
int weft__file_begin_at(struct weft_file *file, const char *verb, bool allowed, int64_t offset,
                        struct weft_task **ret_self);
/* The file has changed behind the cursor's back. */
void weft__file_changed(struct weft_file *file);

enum weft__file_need { WEFT__FILE_TO_READ = 1, WEFT__FILE_TO_WRITE = 2 };

/* A call that uses the cursor: one task at a time. Returns the way, or an error. */
int weft__cursor_enter(struct weft_file *file, const char *verb, unsigned need,
                       struct weft_task **ret_self);
/* Ends it; returns result. */
int64_t weft__cursor_leave(struct weft_file *file, int64_t result);
/* What was written and not yet given to the kernel is given to it. No message. */
int weft__cursor_flush(struct weft_file *file, struct weft_task *self, enum weft__file_way way);
/* Forgets what was read ahead; the cursor stays where it is. */
void weft__cursor_drop(struct weft_file *file);
void weft__cursor_free(struct weft_file *file);
/* Brings more bytes behind those that are there: how many, 0 at the end. */
int64_t weft__cursor_fill(struct weft_file *file, struct weft_task *self, enum weft__file_way way);
/* What is there, at least a byte; 0 at the end. */
int64_t weft__cursor_read_some(struct weft_file *file, struct weft_task *self,
                               enum weft__file_way way, char *data, size_t len);
/* All of len, unless the end, or an error that the next call meets again, comes before. */
int64_t weft__cursor_read_full(struct weft_file *file, struct weft_task *self,
                               enum weft__file_way way, char *data, size_t len);
int weft__cursor_write(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                       const char *data, size_t len);
/* A new place, after a flush; no message. */
int64_t weft__cursor_seek(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                          int64_t offset, int whence);
/* Learns where the end is, if that is where the cursor is. */
int weft__cursor_settle(struct weft_file *file);
static inline int64_t weft__cursor_tell(const struct weft_file *file)
{
    return file->offset - (int64_t)(file->rend - file->rpos) + (int64_t)file->pending;
}

/* ---- text (text.c) ---- */

/* For a file that is open as text; -ENOMEM, or -EINVAL for an encoding that iconv lacks. */
int weft__text_new(const char *encoding, const char *newline, bool replace,
                   struct weft__text **ret);
void weft__text_free(struct weft__text *text);
/* Inside a call that uses the cursor; these set the message. full: as much as len. */
int64_t weft__text_read(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                        char *data, size_t len, bool full);
int64_t weft__text_read_line(struct weft_file *file, struct weft_task *self,
                             enum weft__file_way way, char **ret);
int weft__text_write(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                     const char *data, size_t len);
/* A place in the file; without a message. */
int64_t weft__text_tell(struct weft_file *file, struct weft_task *self, enum weft__file_way way);
int64_t weft__text_seek(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                        int64_t offset, int whence);
int weft__text_copy(const struct weft__text *text, struct weft__text **ret);

#endif

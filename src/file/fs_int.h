/*
 * fs_int.h - operations on names and trees from inside.
 *
 * Each public call is one function that makes all its system calls and sets its own message.  It
 * runs at once where nothing else could run meanwhile, else as one job of a worker thread.
 */
#ifndef WEFT_FILE_FS_INT_H
#define WEFT_FILE_FS_INT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fs_root.h>
#include <weft/fs_temp.h>
#include <weft/fs_tree.h>
#include <weft/fs_watch.h>

#include "base/buf.h"
#include "base/fault.h"
#include "run/run_int.h"

enum {
    WEFT__FS_OPEN = 16,              /* folders of a tree that are open at once */
    WEFT__FS_NAME = 256,             /* bytes of a name, with its NUL */
    WEFT__FS_PATH = 4096,            /* bytes of a path that the kernel takes, with its NUL */
    WEFT__FS_FOUND = 32,             /* bytes of "/proc/self/fd/N", with its NUL */
    WEFT__FS_TEMP_NAME = 32,         /* bytes of ".weft-XXXXXXXXXXXX.tmp" and its NUL */
    WEFT__FS_PIECE = 4 * 1024 * 1024 /* bytes copied between two looks at a cancellation */
};

/* Of copying, beside the negative errno: the target is the source; one is no regular file. */
enum { WEFT__FS_SAME = -100001, WEFT__FS_SPECIAL = -100002 };

/* The caller's options, as many as it knows; NULL: none. */
static inline void weft__fs_options(void *to, size_t size, const void *from)
{
    if (from == NULL)
        return;
    size_t known = *(const size_t *)from;
    memcpy(to, from, known < size ? known : size);
}

/* ---- running ---- */

/* What a call that may take long has for being told to stop: the first member of its argument. */
struct weft__fs_job {
    struct weft_task *self; /* it runs on the task's own stack; NULL: in a worker */
    atomic_bool stop;
    unsigned ticks;
};

/* Counts a call that was made at once; now and then others get a turn. */
void weft__fs_let_others(struct weft_task *self);
/* Runs fn(arg), whose message stands, at once or as a job. */
int weft__fs_run(weft_fn fn, void *arg);
/* The same for what may take long; arg begins with a struct weft__fs_job. */
int weft__fs_run_long(weft_fn fn, struct weft__fs_job *job);
/* To be called for each entry or piece: 0, or -ECANCELED. Others get a turn now and then. */
int weft__fs_tick(struct weft__fs_job *job);

/* Sets "format: text of err" and returns err, for functions that run as jobs. */
int weft__fs_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- paths and folders ---- */

/* How much of path is the folder, its slash included; 0: none. Slashes at the end count as name. */
size_t weft__fs_dir_len(const char *path);
/* A descriptor for the folder in which path stands; *ret_name points into path. */
int weft__fs_open_parent(const char *path, const char **ret_name);
/* So that the name lives through a power failure; with a message. */
int weft__fs_sync_parent(const char *path);
void weft__fs_stat_fill(const struct statx *from, weft_stat_result *ret);
weft_kind weft__fs_kind_of_mode(unsigned mode);
/* statx without a message. */
int weft__fs_statx(int fd, const char *path, int flags, weft_stat_result *ret);
/* ".weft-", random letters and ".tmp". */
void weft__fs_temp_name(char *name);
/* O_TMPFILE ended with this: the file system, or the kernel, has none. */
static inline bool weft__fs_has_no_tmpfile(int error)
{
    return error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT;
}
/* weft__fs_temp_name in a folder, with O_CREAT and O_EXCL: a descriptor. No message. */
int weft__fs_temp_create(int folder, char *name, unsigned mode);

/* Reads entries of an open folder. */
struct weft__fs_entry {
    const char *name; /* in the buffer */
    uint64_t ino;
    int64_t next; /* where the folder goes on behind it */
    unsigned char type;
};
struct weft__fs_scan {
    char *bytes;
    size_t cap;
    size_t pos;
    size_t end;
};
/* 1 with an entry that is not . or .., 0 at the end, or a negative errno. */
int weft__fs_scan_next(struct weft__fs_scan *scan, int fd, struct weft__fs_entry *ret);

/* ---- below a root ---- */

/* Opens what the path leads to if that lies below the folder, else -EXDEV. No message. */
int weft__fs_beneath(int folder, const char *path, int flags, unsigned mode);
int weft__fs_root_fd(const weft_root *root);
const char *weft__fs_root_path(const weft_root *root);
/* A descriptor for what is there, and a name by which other calls reach just that. No message. */
int weft__fs_root_find(const weft_root *root, const char *path, int flags,
                       char name[WEFT__FS_FOUND]);
/* The folder in which path stands, by O_PATH; base gets its last part. No message. */
int weft__fs_root_parent(const weft_root *root, const char *path, char base[WEFT__FS_NAME]);
/* Sets "verb path in root: text of err" and returns err. */
int weft__fs_root_fail(const weft_root *root, int err, const char *verb, const char *path);

/* ---- trees ---- */

enum weft__fs_step_kind {
    WEFT__FS_END,
    WEFT__FS_LEAF,  /* anything but a folder, or a folder that is not entered */
    WEFT__FS_ENTER, /* a folder before its content */
    WEFT__FS_LEAVE, /* a folder after its content */
    WEFT__FS_ERROR  /* a folder that could not be read: error */
};

struct weft__fs_level {
    uint64_t ino;
    uint64_t dev;
    int64_t next;    /* where to go on reading */
    size_t path_len; /* of its own path */
    size_t name_at;  /* where its name begins there */
    int fd;          /* -1: closed, to be opened again */
    bool through_link;
    bool failed; /* it could not be read to its end */
};

/*
 * Goes through a tree without recursion, never through a symbolic link unless told to.  At most
 * WEFT__FS_OPEN folders are open at once; those further up are found again by "..", and checked.
 */
struct weft__fs_tree {
    struct weft__fs_level *levels;
    size_t n_levels;
    size_t cap_levels;
    struct weft__buf path; /* of the present entry, from the root given, with a NUL behind */
    struct weft__fs_scan scans[WEFT__FS_OPEN];
    size_t name_at; /* where the present entry's name begins in path */
    uint64_t ino;
    weft_kind kind;
    int error;
    int root; /* borrowed: links are followed below it only, from where path counts; -1: none */
    bool follow;
    bool skip; /* the folder that was entered last is left again at once */
};

/* Takes the root's descriptor, also on failure, which needs weft__fs_tree_close too. */
int weft__fs_tree_open(struct weft__fs_tree *tree, int fd, const char *path, bool follow);
void weft__fs_tree_close(struct weft__fs_tree *tree);
/* The next step, or a negative errno that ends it. */
int weft__fs_tree_next(struct weft__fs_tree *tree);
/* Enters the folder that was left just now once more. */
int weft__fs_tree_again(struct weft__fs_tree *tree);
/* The folder in which the present entry stands. */
int weft__fs_tree_fd(const struct weft__fs_tree *tree);
static inline const char *weft__fs_tree_path(const struct weft__fs_tree *tree)
{
    return weft__buf_bytes(&tree->path);
}
static inline const char *weft__fs_tree_name(const struct weft__fs_tree *tree)
{
    return weft__fs_tree_path(tree) + tree->name_at;
}

/* Removes what a name stands for, below an open folder; with messages. */
int weft__fs_remove_tree(struct weft__fs_job *job, int folder, const char *name, const char *shown);

/* ---- lists of names in one block ---- */

/* NUL-ended strings in bytes become {pointers, NULL, strings}; the buffer is emptied. */
int weft__fs_strings(struct weft__buf *bytes, size_t n, bool sorted, char ***ret, size_t *ret_n);

/* ---- copying ---- */

struct weft__fs_copy {
    struct weft__fs_job *job;
    const char *from;
    const char *to;
    int from_folder;
    int to_folder;
    bool preserve;
    bool exclusive;
    bool keep_links;
    bool stay; /* a link that stands where the copy shall be is refused, with -ELOOP */
};
/* One file; what it has made is removed on failure. No message, but see below. */
int weft__fs_copy_one(const struct weft__fs_copy *copy);
/* The message of what weft__fs_copy_one returned, and its code. */
int weft__fs_copy_fail(int err, const char *verb, const char *from, const char *to);
/* All bytes of one descriptor into another, an empty file; holes stay holes. No message. */
int weft__fs_copy_bytes(struct weft__fs_job *job, int in, int out, int64_t size);
/* Permissions and times; user attributes too, unless in is -1. No message. */
int weft__fs_preserve(int in, int out, const struct stat *st);

/* ---- a file's content at once ---- */

/* weft_write_atomic to a name in a folder, which is closed. No message. */
int weft__fs_write_atomic(struct weft__fs_job *job, int folder, const char *name,
                          const weft_slice *bytes, const weft_atomic_options *options);
/* Nanoseconds, WEFT_TIME_NOW or WEFT_TIME_OMIT as utimensat takes them. */
struct timespec weft__fs_timespec(int64_t time);

/* ---- a seam for tests ---- */

/* Before each system call that changes or opens something. */
struct weft__fs_fault {
    bool on;
    unsigned nth; /* counted down; 0: none */
    int error;
    bool kill;     /* the process, by SIGKILL */
    bool no_clone; /* FICLONE is not tried */
    bool no_range; /* nor copy_file_range */
    bool no_tmpfile;
    bool other_device;           /* a move's rename says -EXDEV */
    unsigned count;              /* of all steps, for a test to know where to stop */
    void (*hook)(unsigned step); /* called at each step */
};
extern struct weft__fs_fault weft__fs_fault;
/* 0, or the error that the test wants; call is its name for weft_testing_fail_op. */
int weft__fs_step(const char *call);
/* A system call that moves up to *len bytes, as weft__fault_io has cut them. */
static inline int weft__fs_step_io(const char *call, size_t *len)
{
    int err = weft__fs_fault.on ? weft__fs_step(call) : 0;
    return err < 0 || weft__fs_fault.on ? err : weft__fault_io(call, len);
}

/* System calls by their names, again where a signal interrupts them: -1 and errno ... */
#define WEFT__FS_MOVE(call_, len_, ...)                                                            \
    ({                                                                                             \
        __typeof__(__VA_ARGS__) result_;                                                           \
        do {                                                                                       \
            int wanted_ = weft__fs_step_io(call_, len_);                                           \
            if (wanted_ < 0) {                                                                     \
                result_ = -1;                                                                      \
                errno = -wanted_;                                                                  \
            } else {                                                                               \
                result_ = (__VA_ARGS__);                                                           \
            }                                                                                      \
        } while (result_ < 0 && errno == EINTR);                                                   \
        result_;                                                                                   \
    })
#define WEFT__FS_SYS(call_, ...) WEFT__FS_MOVE(call_, NULL, __VA_ARGS__)
/* ... or the negative errno. */
#define WEFT__FS_TRY(call_, ...)                                                                   \
    ({                                                                                             \
        __typeof__(__VA_ARGS__) tried_ = WEFT__FS_SYS(call_, __VA_ARGS__);                         \
        tried_ < 0 ? -errno : tried_;                                                              \
    })

#endif

/*
 * weft/fs_watch.h - what happens to files: changes of a folder, and lines added to a log.
 *
 *     weft_watch *watch;
 *     weft_watch_event event;
 *     err = weft_watch_open("src", WEFT_WATCH(.recursive = true), &watch);
 *     while ((got = weft_watch_next(watch, &event)) > 0)
 *         printf("%d %s\n", event.kind, event.path);
 *     weft_watch_close(watch);
 *
 *     weft_stream *log;
 *     err = weft_follow("/var/log/messages", NULL, &log);      then weft_reader_read_line and so on
 */
#ifndef WEFT_FS_WATCH_H
#define WEFT_FS_WATCH_H

#include <weft/base.h>
#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- changes of a folder or a tree ---- */

typedef struct weft_watch weft_watch;

typedef enum {
    WEFT_WATCH_CREATED,    /* made, or moved here from where nobody looks */
    WEFT_WATCH_MODIFIED,   /* bytes were written, or cut off */
    WEFT_WATCH_DELETED,    /* removed, or moved away; of the path watched: the watch ends */
    WEFT_WATCH_MOVED,      /* from one watched name to another */
    WEFT_WATCH_CLOSED,     /* by somebody who had it open for writing; with .closed */
    WEFT_WATCH_ATTRIBUTES, /* permissions, owner, times, links; with .attributes */
    WEFT_WATCH_OVERFLOW    /* events were lost: look at everything anew */
} weft_watch_kind;

/* Both texts are lent until the next call with this watch. */
typedef struct weft_watch_event {
    weft_watch_kind kind;
    const char *path; /* begins with the path that is watched */
    const char *from; /* WEFT_WATCH_MOVED: the old name; else NULL */
    bool is_dir;
} weft_watch_event;

typedef struct weft_watch_options {
    size_t size;
    bool recursive;  /* folders below too, and those that appear */
    bool closed;     /* report WEFT_WATCH_CLOSED */
    bool attributes; /* report WEFT_WATCH_ATTRIBUTES */
} weft_watch_options;
#define WEFT_WATCH(...) WEFT_OPTIONS(weft_watch_options, __VA_ARGS__)

/**
 * weft_watch_open() - begin to watch a file, a folder or a tree
 * @path:    borrows. NUL-terminated.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_watch_close().
 *
 * What happens after this call has returned is reported. At most 65,536 folders (WATCH_FOLDERS).
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing stays open.
 * Return:   0, or negative.
 * Errors:   -ENOENT, -EACCES; -ENOSPC more folders than fs.inotify.max_user_watches; -EMFILE more
 *           watches than fs.inotify.max_user_instances; -ENOMEM.
 * Source:   inotify(7), watchfiles.awatch.
 * Since:    0.1
 */
WEFT_API int weft_watch_open(const char *path, const weft_watch_options *options, weft_watch **ret);

/**
 * weft_watch_next() - wait for the next event
 * @watch: borrows. One task at a time, of one loop.
 * @ret:   gives by value; its texts are lent.
 *
 * What a new folder holds when its watch begins is reported as created; now and then that is told
 * twice.  A new folder that cannot be watched is reported all the same: the next call tries again,
 * and says why if it cannot.  After WEFT_WATCH_OVERFLOW all folders that are there are watched.
 *
 * Suspends: yes, until something happens.
 * Cancel:   -ECANCELED, no event is lost.
 * Return:   1 with an event, 0 when the path watched is gone, or negative.
 * Errors:   -EBUSY another task is inside a call with this watch; -ENOSPC as weft_watch_open();
 *           -ENOMEM.
 * Source:   async for changes in watchfiles.awatch().
 * Since:    0.1
 */
WEFT_API int weft_watch_next(weft_watch *watch, weft_watch_event *ret);

/**
 * weft_watch_close() - end watching
 * @watch: takes. NULL is allowed; no task may be inside a call with it.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_watch_close(weft_watch *watch);

/* ---- what is added to a file ---- */

typedef struct weft_follow_options {
    size_t size;
    bool from_start; /* what is there already comes first; default: only what is added */
} weft_follow_options;
#define WEFT_FOLLOW(...) WEFT_OPTIONS(weft_follow_options, __VA_ARGS__)

/**
 * weft_follow() - a stream of what is added to a file, for ever
 * @path:    borrows. NUL-terminated. A regular file; it may appear later.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_stream_free(). It is only read.
 *
 * When the file is cut off, reading goes on at its start. When the name leads to another file (a
 * log that was rotated), the old one is read to its end and then the new one from its start.
 * weft_stream_set_timeout() bounds how long nothing may come.
 *
 * Suspends: maybe.
 * Cancel:   -ECANCELED, nothing stays open.
 * Return:   0, or negative.
 * Errors:   -EINVAL no regular file; -EACCES and what else open says; -ENOMEM.
 * Source:   tail -F.
 * Since:    0.1
 */
WEFT_API int weft_follow(const char *path, const weft_follow_options *options, weft_stream **ret);

#ifdef __cplusplus
}
#endif
#endif

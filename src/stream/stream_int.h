/* stream_int.h - a stream from inside, for the modules that build or drive one. */
#ifndef WEFT_STREAM_STREAM_INT_H
#define WEFT_STREAM_STREAM_INT_H

#include <signal.h>

#include <weft/stream.h>

struct weft_stream {
    weft_stream_ops ops;        /* a copy, NULL where the caller's were shorter */
    const weft_stream_ops *key; /* the caller's: says whose self this is */
    void *self;
    bool reading; /* a task is inside read */
    bool writing; /* a task is inside writev, flush, write_eof or close */
    bool write_ended;
    bool closed;
    bool torn;    /* a gathered write failed between two of its pieces */
    bool aborted; /* cut off, maybe under tasks that are in calls */
};

/* 1: an idle connection on which nothing came; 0: data, its end or an error, or nobody knows. */
int weft__stream_is_quiet(weft_stream *stream);

/* From now on the reader, which has nothing read ahead, reads from another stream. */
void weft__reader_rebind(weft_reader *reader, weft_stream *stream);

/* Takes the descriptor of a pipe, FIFO or terminal, on failure too; makes it non-blocking. */
int weft__pipe_stream(int descriptor, weft_stream **ret);
/* -1 for a stream that is none of these, or closed. */
int weft__pipe_fd(weft_stream *stream);

/* Around a system call that may raise SIGPIPE: the error is enough. */
struct weft__pipe_guard {
    sigset_t old;
    bool was_pending;
};
void weft__pipe_guard_begin(struct weft__pipe_guard *guard);
void weft__pipe_guard_end(struct weft__pipe_guard *guard, bool raised);

#endif

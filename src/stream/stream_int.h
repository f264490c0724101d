/* stream_int.h - a stream from inside, for the modules that build or drive one. */
#ifndef WEFT_STREAM_STREAM_INT_H
#define WEFT_STREAM_STREAM_INT_H

#include <weft/stream.h>

struct weft_stream {
    weft_stream_ops ops;        /* a copy, NULL where the caller's were shorter */
    const weft_stream_ops *key; /* the caller's: says whose self this is */
    void *self;
    bool reading; /* a task is inside read */
    bool writing; /* a task is inside writev, flush, write_eof or close */
    bool write_ended;
    bool closed;
};

/* 1: an idle connection on which nothing came; 0: data, its end or an error, or nobody knows. */
int weft__stream_is_quiet(weft_stream *stream);

#endif

/*
 * pair.c - two streams joined in memory: what one writes the other reads.
 *
 * Each direction is a ring of fixed capacity; a writer waits while it is full.  Both ends
 * belong to one loop.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "run/run_int.h"
#include "stream/stream_int.h"

struct pipe {
    char *data;
    size_t start;
    size_t len;
    struct weft__list readers; /* at most one */
    struct weft__list writers;
    bool ended;   /* nothing more is written */
    bool refused; /* nothing more is read */
    bool torn;    /* a write was cut short: what followed would not fit */
};

struct pair {
    struct pipe pipes[2]; /* [i]: written by end i */
    size_t capacity;
    int refs;
};

struct end {
    struct pair *pair;
    struct pipe *in;
    struct pipe *out;
    int64_t read_timeout;
    int64_t write_timeout;
};

/* Waits in a queue, at most timeout; code stands for a time that ran out. */
static int wait_in(struct weft__list *queue, int64_t timeout, const char *what, int code)
{
    struct weft__waiter waiter;
    if (timeout == WEFT_FOREVER)
        return (int)weft__waitq_wait(queue, &waiter, what);
    weft_scope scope;
    weft_scope_enter(&scope, timeout);
    int err = weft_scope_exit(&scope, (int)weft__waitq_wait(queue, &waiter, what));
    if (err == -ETIMEDOUT)
        return weft__fail(code, "%s of a memory stream: nothing moved for %.6g s", what,
                          (double)timeout * 1e-9);
    return err;
}

static int checkpoint(void)
{
    struct weft_task *self = weft__self();
    return self != NULL ? weft__checkpoint(self) : weft__context_get()->error_code;
}

static int64_t pair_read(void *self, void *data, size_t len)
{
    struct end *end = self;
    struct pipe *pipe = end->in;
    int err = checkpoint();
    while (err == 0 && pipe->len == 0) {
        if (pipe->ended)
            return 0;
        err = wait_in(&pipe->readers, end->read_timeout, "read", WEFT_EREAD_TIMEOUT);
    }
    if (err < 0)
        return err;
    size_t capacity = end->pair->capacity;
    size_t n = len < pipe->len ? len : pipe->len;
    size_t first = n < capacity - pipe->start ? n : capacity - pipe->start;
    memcpy(data, pipe->data + pipe->start, first);
    memcpy((char *)data + first, pipe->data, n - first);
    pipe->start = (pipe->start + n) % capacity;
    pipe->len -= n;
    weft__waitq_wake_one(&pipe->writers, 0);
    return (int64_t)n;
}

static size_t put(struct pipe *pipe, size_t capacity, const char *data, size_t len)
{
    size_t n = len < capacity - pipe->len ? len : capacity - pipe->len;
    size_t at = (pipe->start + pipe->len) % capacity;
    size_t first = n < capacity - at ? n : capacity - at;
    memcpy(pipe->data + at, data, first);
    memcpy(pipe->data, data + first, n - first);
    pipe->len += n;
    return n;
}

static int write_one(struct end *end, const char *data, size_t len, bool *begun)
{
    struct pipe *pipe = end->out;
    while (len > 0) {
        if (pipe->refused)
            return weft__fail(-EPIPE, "write to a memory stream: the other end is closed");
        size_t n = put(pipe, end->pair->capacity, data, len);
        data += n;
        len -= n;
        if (n > 0) {
            *begun = true;
            weft__waitq_wake_one(&pipe->readers, 0);
        }
        if (len == 0)
            return 0;
        int err = wait_in(&pipe->writers, end->write_timeout, "write", WEFT_EWRITE_TIMEOUT);
        if (err < 0)
            return err;
    }
    return 0;
}

static int fail_torn(void)
{
    return weft__fail(-EPIPE, "write to a memory stream: an earlier write was cut short");
}

static int pair_writev(void *self, const weft_slice *slices, size_t n)
{
    struct end *end = self;
    int err = checkpoint();
    if (err < 0)
        return err;
    if (end->out->torn)
        return fail_torn();
    bool begun = false;
    for (size_t i = 0; i < n && err == 0; i++)
        err = write_one(end, slices[i].data, slices[i].len, &begun);
    end->out->torn = err < 0 && begun;
    return err;
}

static void end_writing(struct pipe *pipe)
{
    pipe->ended = true;
    weft__waitq_wake_all(&pipe->readers, 0);
}

static int pair_write_eof(void *self)
{
    struct end *end = self;
    if (end->out->torn)
        return fail_torn();
    end_writing(end->out);
    return 0;
}

static void pair_set_timeout(void *self, int64_t read, int64_t write)
{
    struct end *end = self;
    end->read_timeout = read;
    end->write_timeout = write;
}

static int pair_close(void *self)
{
    struct end *end = self;
    end_writing(end->out);
    end->in->refused = true;
    end->in->len = 0;
    weft__waitq_wake_all(&end->in->writers, 0);
    return 0;
}

static void pair_abort(void *self)
{
    struct end *end = self;
    pair_close(end);
    end_writing(end->in);
    end->out->refused = true;
    end->out->len = 0;
    weft__waitq_wake_all(&end->out->writers, 0);
}

static void pair_unref(struct pair *pair)
{
    if (--pair->refs > 0)
        return;
    weft__free(pair->pipes[0].data);
    weft__free(pair->pipes[1].data);
    weft__free(pair);
}

static void pair_free(void *self)
{
    struct end *end = self;
    pair_close(end);
    pair_unref(end->pair);
    weft__free(end);
}

static int pair_is_quiet(void *self)
{
    struct end *end = self;
    return end->in->len == 0 && !end->in->ended && !end->out->refused;
}

static const weft_stream_ops pair_ops = {
    .size = sizeof pair_ops,
    .name = "memory",
    .read = pair_read,
    .writev = pair_writev,
    .write_eof = pair_write_eof,
    .set_timeout = pair_set_timeout,
    .close = pair_close,
    .free = pair_free,
    .is_quiet = pair_is_quiet,
    .abort = pair_abort,
};

static int end_new(struct pair *pair, int i, weft_stream **ret)
{
    struct end *end = weft__alloc(sizeof *end);
    if (end == NULL)
        return weft__fail_nomem();
    *end = (struct end){
        .pair = pair,
        .in = &pair->pipes[1 - i],
        .out = &pair->pipes[i],
        .read_timeout = WEFT_FOREVER,
        .write_timeout = WEFT_FOREVER,
    };
    pair->refs++;
    return weft_stream_new(&pair_ops, end, ret);
}

int weft_stream_pair(size_t capacity, weft_stream **ret_a, weft_stream **ret_b)
{
    weft_stream *a = NULL;
    weft_stream *b = NULL;
    struct pair *pair = weft__calloc(1, sizeof *pair);
    if (pair == NULL)
        return weft__fail_nomem();
    pair->refs = 1;
    pair->capacity = capacity != 0 ? capacity : WEFT__LIMIT_STREAM_WRITE_HIGH;
    int err = 0;
    for (int i = 0; i < 2; i++) {
        weft__list_init(&pair->pipes[i].readers);
        weft__list_init(&pair->pipes[i].writers);
        pair->pipes[i].data = weft__alloc(pair->capacity);
        if (pair->pipes[i].data == NULL)
            err = weft__fail_nomem();
    }
    if (err == 0)
        err = end_new(pair, 0, &a);
    if (err == 0)
        err = end_new(pair, 1, &b);
    pair_unref(pair);
    if (err < 0) {
        weft_stream_free(a);
        return err;
    }
    *ret_a = a;
    *ret_b = b;
    return 0;
}

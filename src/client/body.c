/*
 * body.c - a request body that comes piece by piece, from a function or a stream.
 *
 * Its bytes are not kept: to send it again it has to be rewound by the caller.  Where that cannot
 * be, and something of it has been asked for, there is no second request.
 */
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"

enum { PIECE = WEFT__LIMIT_STREAM_WRITE_HIGH };

bool weft__body_can_repeat(const struct weft__call *call)
{
    return !call->reads_body || !call->body_used || call->options->body_rewind != NULL;
}

/* What the caller's function returned, which may have no message of its own. */
static int fail(struct weft__call *call, int err, const char *what)
{
    call->body_failed = err != -ECANCELED;
    if (weft__context_get()->error_code != err)
        weft__fail_code(err);
    return err == -ECANCELED ? err : weft__fail_prefix(err, "%s", what);
}

int weft__body_prepare(struct weft__call *call)
{
    const weft_request_options *options = call->options;
    if (!call->reads_body || !call->body_used)
        return 0;
    if (options->body_rewind == NULL)
        return weft__fail(WEFT_ENOT_REPLAYABLE,
                          "the request body cannot be sent a second time without body_rewind");
    int err = options->body_rewind(options->body_userdata);
    if (err < 0)
        return fail(call, err, "the request body could not be rewound");
    call->body_used = false;
    return 0;
}

/* As weft_stream_read. */
static int64_t next_piece(struct weft__call *call, char *data, size_t len)
{
    const weft_request_options *options = call->options;
    call->body_used = true;
    int64_t n = options->body_stream != NULL
                    ? weft_stream_read(options->body_stream, data, len)
                    : options->body_reader(options->body_userdata, data, len);
    if (n < 0)
        return fail(call, (int)n, "the request body could not be read");
    if ((uint64_t)n > len) {
        call->body_failed = true;
        return weft__fail(-EINVAL, "body_reader returned %jd, more than the %zu it was asked for",
                          (intmax_t)n, len);
    }
    return n;
}

static int send_piece(weft_stream *stream, const char *data, size_t len, bool chunked)
{
    char size[WEFT__CHUNK_HEAD_MAX];
    if (!chunked)
        return weft_stream_write(stream, data, len);
    const weft_slice slices[] = {{size, weft__chunk_head(len, size)}, {data, len}, {"\r\n", 2}};
    return weft_stream_writev(stream, slices, 3);
}

static int send_pieces(weft_stream *stream, struct weft__call *call, char *buffer)
{
    uint64_t size = call->options->body_size;
    bool chunked = size == 0;
    uint64_t left = chunked ? UINT64_MAX : size;
    while (left > 0) {
        int64_t n = next_piece(call, buffer, left < PIECE ? (size_t)left : PIECE);
        if (n < 0)
            return (int)n;
        if (n == 0 && chunked)
            return weft_stream_write(stream, WEFT__CHUNK_END, sizeof WEFT__CHUNK_END - 1);
        if (n == 0) {
            call->body_failed = true;
            return weft__fail(WEFT_ELOCAL_PROTOCOL, "the request body ended after %ju of %ju bytes",
                              (uintmax_t)(size - left), (uintmax_t)size);
        }
        int err = send_piece(stream, buffer, (size_t)n, chunked);
        if (err < 0)
            return err;
        left -= chunked ? 0 : (uint64_t)n;
    }
    return 0;
}

int weft__body_send(weft_stream *stream, struct weft__call *call)
{
    char *buffer = weft__alloc(PIECE);
    if (buffer == NULL)
        return weft__fail_nomem();
    int err = send_pieces(stream, call, buffer);
    weft__free(buffer);
    return err == 0 ? weft_stream_flush(stream) : err;
}

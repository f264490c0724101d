/*
 * body.c - a request's body: where it comes from, how it is sent.
 *
 * A body in memory is sent as it is.  One that comes piece by piece, from a function, a stream or
 * files, goes through 64 KiB and is not kept: to send it again it has to be rewound.  Where that
 * cannot be, and something of it has been asked for, there is no second request.
 */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"
#include "proto/json.h"
#include "proto/mime.h"

enum {
    PIECE = WEFT__LIMIT_STREAM_WRITE_HIGH,
    SMALL = PIECE / 2, /* goes into the stream's buffer */
    TYPE_SIZE = 128,
};

/* ---- where it comes from ---- */

static int check_options(const weft_request_options *options)
{
    bool pieces = options->body_reader != NULL || options->body_stream != NULL;
    int sources = (options->content != NULL) + (options->form != NULL) +
                  (options->body_reader != NULL) + (options->body_stream != NULL) +
                  (options->multipart != NULL) + (options->file != NULL) + (options->text != NULL) +
                  (options->json != NULL);
    if (sources > 1)
        return weft__fail(-EINVAL, "a request has one of content, text, json, form, multipart, "
                                   "file, body_reader, body_stream");
    if (options->content == NULL && options->content_len > 0)
        return weft__fail(-EINVAL, "content_len without content");
    if (!pieces && (options->body_size > 0 || options->body_rewind != NULL))
        return weft__fail(-EINVAL, "body_size or body_rewind without body_reader or body_stream");
    return 0;
}

static void set_bytes(struct weft__call *call, const void *data, size_t len, const char *type)
{
    call->body = data;
    call->body_len = len;
    call->has_body = true;
    call->content_type = type;
}

static int set_form(struct weft__call *call)
{
    size_t len;
    int err = weft_form_encode(call->options->form, &call->form, &len);
    if (err == 0)
        set_bytes(call, call->form, len, "application/x-www-form-urlencoded");
    return err;
}

static int set_json(struct weft__call *call)
{
    struct weft__buf text;
    size_t len = 0;
    weft__buf_init(&text, SIZE_MAX);
    int err = weft__json_write(call->options->json, &text);
    if (err == 0 && weft__buf_take(&text, &call->form, &len) < 0)
        err = weft__fail_nomem();
    weft__buf_done(&text);
    if (err == 0)
        set_bytes(call, call->form, len, "application/json");
    return err;
}

static void set_pieces(struct weft__call *call)
{
    const weft_request_options *options = call->options;
    call->source = (struct weft__source){.stream = options->body_stream,
                                         .read = options->body_reader,
                                         .rewind = options->body_rewind,
                                         .userdata = options->body_userdata,
                                         .size = options->body_size,
                                         .sized = options->body_size > 0};
    call->reads_body = true;
    call->has_body = true;
}

static int set_file(struct weft__call *call)
{
    const char *path = call->options->file;
    int err = weft__segments_new(&call->segments);
    if (err == 0)
        err = weft__segments_add_file(call->segments, path);
    if (err == 0)
        err = weft__segments_finish(call->segments, &call->source);
    if (err < 0)
        return err;
    call->own_type = weft__alloc(TYPE_SIZE);
    if (call->own_type == NULL)
        return weft__fail_nomem();
    weft__mime_bare_from_path(path, call->own_type, TYPE_SIZE);
    call->content_type = call->own_type;
    call->reads_body = true;
    call->has_body = true;
    return 0;
}

/* The content type that the call asks for, in its own field or among the others; NULL: none. */
static const char *wanted_type(const struct weft__call *call)
{
    const weft_pair *pair = call->options->headers;
    for (; pair != NULL && pair->name != NULL; pair++) {
        if (pair->value != NULL && weft__ieq(pair->name, "content-type"))
            return pair->value;
    }
    return call->options->content_type;
}

static int set_multipart(struct weft__call *call)
{
    struct weft__multipart multipart;
    int err = weft__multipart_build(call->options->multipart, wanted_type(call), &multipart);
    if (err < 0)
        return err;
    call->segments = multipart.segments;
    call->own_type = multipart.content_type;
    err = weft__segments_finish(call->segments, &call->source);
    if (err < 0)
        return err;
    if (weft__segments_is_text(call->segments)) {
        const struct weft__buf *text = weft__segments_text(call->segments);
        set_bytes(call, weft__buf_bytes(text), text->len, NULL);
    } else {
        call->reads_body = true;
        call->has_body = true;
    }
    call->content_type = call->own_type;
    return 0;
}

static int set_source(struct weft__call *call)
{
    const weft_request_options *options = call->options;
    if (options->form != NULL)
        return set_form(call);
    if (options->multipart != NULL)
        return set_multipart(call);
    if (options->file != NULL)
        return set_file(call);
    if (options->json != NULL)
        return set_json(call);
    if (options->text != NULL) {
        set_bytes(call, options->text, strlen(options->text), "text/plain; charset=utf-8");
    } else if (options->content != NULL) {
        set_bytes(call, options->content, options->content_len, NULL);
    } else if (options->body_reader != NULL || options->body_stream != NULL) {
        set_pieces(call);
    } else {
        /* RFC 9110 8.6: where a body is usual, its absence is said. */
        call->has_body = strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
                         strcmp(call->method, "PATCH") == 0;
    }
    return 0;
}

/* What the caller says of Content-Length and Transfer-Encoding; NULL: nothing. */
static int find_framing(const weft_pair *pair, const char **ret_length, const char **ret_coding)
{
    *ret_length = NULL;
    *ret_coding = NULL;
    for (; pair != NULL && pair->name != NULL; pair++) {
        bool length = weft__ieq(pair->name, "content-length");
        const char **ret = length ? ret_length : ret_coding;
        if (pair->value == NULL || (!length && !weft__ieq(pair->name, "transfer-encoding")))
            continue;
        if (*ret_length != NULL || *ret_coding != NULL)
            return weft__fail(WEFT_ELOCAL_PROTOCOL,
                              "a request has one Content-Length or one Transfer-Encoding");
        *ret = pair->value;
    }
    return 0;
}

static int apply_length(struct weft__call *call, const char *text)
{
    uint64_t length;
    if (weft__parse_u64(text, strlen(text), &length) < 0 || length > INT64_MAX)
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "Content-Length is not a number of bytes");
    if (call->reads_body && !call->source.sized) {
        call->source.size = length;
        call->source.sized = true;
    }
    uint64_t size = call->reads_body ? call->source.size : call->body_len;
    if (length != size)
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "Content-Length says %ju, the body has %ju bytes",
                          (uintmax_t)length, (uintmax_t)size);
    call->has_body = true;
    return 0;
}

static int apply_coding(struct weft__call *call, const char *text)
{
    int err = 0;
    if (!weft__ieq(text, "chunked"))
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "Transfer-Encoding can be chunked, nothing else");
    if (!call->reads_body) {
        /* A form that fits into one text is a source already. */
        if (call->segments == NULL) {
            err = weft__segments_new(&call->segments);
            if (err == 0 && call->body_len > 0)
                err = weft__segments_add_bytes(call->segments, call->body, call->body_len);
            if (err == 0)
                err = weft__segments_finish(call->segments, &call->source);
        }
    }
    call->source.sized = false;
    call->reads_body = true;
    call->has_body = true;
    return err;
}

/* Framing that the caller has chosen agrees with the body, and is written once. */
static int apply_framing(struct weft__call *call)
{
    const char *length;
    const char *coding;
    int err = find_framing(call->options->headers, &length, &coding);
    if (err == 0 && length != NULL)
        err = apply_length(call, length);
    if (err == 0 && coding != NULL)
        err = apply_coding(call, coding);
    return err;
}

int weft__body_init(struct weft__call *call)
{
    int err = check_options(call->options);
    if (err == 0)
        err = set_source(call);
    if (err == 0)
        err = apply_framing(call);
    if (err == 0 && call->options->content_type != NULL && call->options->multipart == NULL)
        call->content_type = call->options->content_type;
    return err;
}

void weft__body_done(struct weft__call *call)
{
    weft__segments_free(call->segments);
    weft__free(call->form);
    weft__free(call->own_type);
}

/* ---- again ---- */

bool weft__body_can_repeat(const struct weft__call *call)
{
    return !call->reads_body || !call->body_used || call->source.rewind != NULL;
}

/* What the caller's function returned, which may have no message of its own. */
static int fail(bool *failed, int err, const char *what)
{
    *failed = err != -ECANCELED;
    if (weft__context_get()->error_code != err)
        weft__fail_code(err);
    return err == -ECANCELED ? err : weft__fail_prefix(err, "%s", what);
}

int weft__body_prepare(struct weft__call *call)
{
    const struct weft__source *source = &call->source;
    if (!call->reads_body || !call->body_used)
        return 0;
    if (source->rewind == NULL)
        return weft__fail(WEFT_ENOT_REPLAYABLE,
                          "the request body cannot be sent a second time without body_rewind");
    int err = source->rewind(source->userdata);
    if (err < 0)
        return fail(&call->body_failed, err, "the request body could not be rewound");
    call->body_used = false;
    return 0;
}

/* ---- sending it ---- */

/* As weft_stream_read. */
static int64_t next_piece(struct weft__sending *sending, char *data, size_t len)
{
    const struct weft__source *source = &sending->source;
    sending->used = true;
    int64_t n = source->stream != NULL ? weft_stream_read(source->stream, data, len)
                                       : source->read(source->userdata, data, len);
    if (n < 0)
        return fail(&sending->failed, (int)n, "the request body could not be read");
    if ((uint64_t)n > len) {
        sending->failed = true;
        return weft__fail(-EINVAL, "body_reader returned %jd, more than the %zu it was asked for",
                          (intmax_t)n, len);
    }
    return n;
}

static int tell(struct weft__sending *sending, size_t n)
{
    uint64_t size = sending->reads ? sending->source.size : sending->body_len;
    if (sending->on_upload == NULL)
        return 0;
    sending->sent += n;
    int err = sending->on_upload(sending->upload_userdata, sending->sent, size);
    return err < 0 ? fail(&sending->failed, err, "the upload was given up") : 0;
}

static int send_piece(weft_stream *stream, const char *data, size_t len, bool chunked)
{
    char size[WEFT__CHUNK_HEAD_MAX];
    if (!chunked)
        return weft_stream_write(stream, data, len);
    const weft_slice slices[] = {{size, weft__chunk_head(len, size)}, {data, len}, {"\r\n", 2}};
    return weft_stream_writev(stream, slices, 3);
}

static int send_pieces(weft_stream *stream, struct weft__sending *sending, char *buffer)
{
    uint64_t size = sending->source.size;
    bool chunked = !sending->source.sized;
    bool framed = chunked && sending->framed;
    uint64_t left = chunked ? UINT64_MAX : size;
    while (left > 0) {
        int64_t n = next_piece(sending, buffer, left < PIECE ? (size_t)left : PIECE);
        if (n < 0)
            return (int)n;
        if (n == 0 && chunked && !framed)
            return 0;
        if (n == 0 && chunked)
            return weft_stream_write(stream, WEFT__CHUNK_END, sizeof WEFT__CHUNK_END - 1);
        if (n == 0) {
            sending->failed = true;
            return weft__fail(WEFT_ELOCAL_PROTOCOL, "the request body ended after %ju of %ju bytes",
                              (uintmax_t)(size - left), (uintmax_t)size);
        }
        int err = send_piece(stream, buffer, (size_t)n, framed);
        if (err == 0)
            err = tell(sending, (size_t)n);
        if (err < 0)
            return err;
        left -= chunked ? 0 : (uint64_t)n;
    }
    return 0;
}

/* Bytes in memory, in pieces for whoever wants to be told of each. */
static int send_told(weft_stream *stream, struct weft__sending *sending)
{
    const char *data = sending->body;
    int err = 0;
    for (size_t at = 0; err == 0 && at < sending->body_len; at += PIECE) {
        size_t left = sending->body_len - at;
        size_t n = left < PIECE ? left : PIECE;
        err = weft_stream_write(stream, data + at, n);
        if (err == 0)
            err = tell(sending, n);
    }
    return err;
}

static int send_bytes(weft_stream *stream, struct weft__sending *sending,
                      const struct weft__buf *head)
{
    const weft_slice slices[] = {{weft__buf_bytes(head), head->len},
                                 {sending->body, sending->body_len}};
    if (sending->on_upload == NULL && head->len > 0)
        return weft_stream_writev(stream, slices, sending->body_len > 0 ? 2 : 1);
    int err = head->len > 0 ? weft_stream_writev(stream, slices, 1) : 0;
    return err < 0 ? err : send_told(stream, sending);
}

static int send_read(weft_stream *stream, struct weft__sending *sending,
                     const struct weft__buf *head)
{
    char *buffer = weft__alloc(PIECE);
    if (buffer == NULL)
        return weft__fail_nomem();
    int err = head->len > 0 ? weft_stream_write(stream, weft__buf_bytes(head), head->len) : 0;
    if (err == 0)
        err = send_pieces(stream, sending, buffer);
    weft__free(buffer);
    return err;
}

void weft__sending_init(struct weft__sending *sending, const struct weft__call *call)
{
    *sending = (struct weft__sending){
        .source = call->source,
        .body = call->body,
        .body_len = call->body_len,
        .on_upload = call->options->on_upload,
        .upload_userdata = call->options->upload_userdata,
        .reads = call->reads_body,
        .framed = call->framed,
    };
}

static bool is_large(const struct weft__sending *sending)
{
    return sending->reads || sending->body_len > SMALL;
}

int weft__sending_run(struct weft__sending *sending, weft_stream *stream,
                      const struct weft__buf *head)
{
    int err = sending->reads ? send_read(stream, sending, head) : send_bytes(stream, sending, head);
    return err == 0 && is_large(sending) ? weft_stream_flush(stream) : err;
}

bool weft__body_is_large(const struct weft__call *call)
{
    return call->reads_body || call->body_len > SMALL;
}

int weft__body_send(weft_stream *stream, struct weft__call *call, const struct weft__buf *head)
{
    struct weft__sending sending;
    weft__sending_init(&sending, call);
    int err = weft__sending_run(&sending, stream, head);
    call->body_used = call->body_used || sending.used;
    call->body_failed = call->body_failed || sending.failed;
    return err;
}

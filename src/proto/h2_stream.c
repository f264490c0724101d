/* h2_stream.c - streams as their owners see them: opened, written, read, let go of. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/h1.h"
#include "proto/h2_int.h"

enum {
    PSEUDO_FIELDS = 5,
    FIELD_OVERHEAD = 32,      /* RFC 9113 6.5.2 */
    SPARE_BUFFER = 16 * 1024, /* larger ones are not kept */
};

/* ---- memory ---- */

void weft__h2_stream_delete(struct weft__h2_stream *stream)
{
    weft__headers_done(&stream->headers);
    weft__headers_done(&stream->trailers);
    weft__buf_done(&stream->send);
    weft__buf_done(&stream->recv);
    weft__free(stream);
}

static void empty_buffer(struct weft__buf *buf)
{
    weft__buf_clear(buf);
    if (buf->cap > SPARE_BUFFER)
        weft__buf_done(buf);
}

static void empty_headers(weft_headers *headers)
{
    weft__headers_reset(headers);
    if (headers->text_cap > SPARE_BUFFER)
        weft__headers_done(headers);
}

void weft__h2_stream_recycle(struct weft__h2_stream *stream)
{
    struct weft__h2 *h2 = stream->h2;
    weft__list_remove(&stream->node);
    weft__list_remove(&stream->dirty);
    weft__h2_window_gone(stream);
    if (h2->spares_len >= WEFT__LIMIT_H2_STREAMS) {
        weft__h2_stream_delete(stream);
        return;
    }
    empty_buffer(&stream->send);
    empty_buffer(&stream->recv);
    empty_headers(&stream->headers);
    empty_headers(&stream->trailers);
    weft__list_push_front(&h2->spares, &stream->node);
    h2->spares_len++;
}

static struct weft__h2_stream *take_stream(struct weft__h2 *h2)
{
    struct weft__list *node = weft__list_pop_front(&h2->spares);
    struct weft__h2_stream *stream;
    if (node != NULL) {
        stream = WEFT__CONTAINER(node, struct weft__h2_stream, node);
        h2->spares_len--;
        struct weft__buf send = stream->send;
        struct weft__buf recv = stream->recv;
        /* Headers are large and empty already; what stands before and behind them is cleared. */
        memset(stream, 0, offsetof(struct weft__h2_stream, headers));
        memset(&stream->content_length, 0,
               sizeof *stream - offsetof(struct weft__h2_stream, content_length));
        stream->send = send;
        stream->recv = recv;
    } else {
        stream = weft__calloc(1, sizeof *stream);
        if (stream == NULL)
            return NULL;
        weft__headers_init(&stream->headers);
        weft__headers_init(&stream->trailers);
        weft__buf_init(&stream->send, WEFT__LIMIT_H2_WRITE);
        /* Bounded by the stream's window, which grows. */
        weft__buf_init(&stream->recv, INT32_MAX);
    }
    weft__list_init(&stream->node);
    weft__list_init(&stream->dirty);
    stream->h2 = h2;
    stream->content_length = -1;
    stream->window = h2->options.stream_window;
    return stream;
}

/* ---- opened ---- */

static bool is_name(const char *name, size_t len, const char *expected)
{
    return weft__ieq_n(name, len, expected, strlen(expected));
}

/* Of the connection, or said in another way (RFC 9113 8.2.2). */
static bool is_left_out(const char *name, size_t len, const char *value, size_t value_len)
{
    switch (weft__ascii_lower(name[0])) {
    case 'c':
        return is_name(name, len, "connection") || is_name(name, len, "content-length");
    case 'h':
        return is_name(name, len, "host") || is_name(name, len, "http2-settings");
    case 'k':
        return is_name(name, len, "keep-alive");
    case 'p':
        return is_name(name, len, "proxy-connection");
    case 't':
        return is_name(name, len, "transfer-encoding") ||
               (is_name(name, len, "te") && !is_name(value, value_len, "trailers"));
    case 'u':
        return is_name(name, len, "upgrade");
    default:
        return false;
    }
}

/*
 * Of the connection because its own field Connection says so (RFC 9110 7.6.1); TE belongs there
 * over HTTP/1.1, and has a rule of its own here.
 */
static bool is_nominated(const weft_headers *headers, const char *name, size_t len)
{
    struct weft__text one;
    for (size_t i = 0; i < headers->len; i++) {
        const struct weft__header *entry = &headers->entries[i];
        if (!is_name(weft__header_name(headers, i), entry->name_len, "connection"))
            continue;
        struct weft__text rest = {weft__header_value(headers, i), entry->value_len};
        while (weft__list_next(&rest, &one))
            if (weft__ieq_n(name, len, one.data, one.len))
                return !is_name(name, len, "te");
    }
    return false;
}

static bool has_connection(const weft_headers *headers)
{
    for (size_t i = 0; i < headers->len; i++)
        if (is_name(weft__header_name(headers, i), headers->entries[i].name_len, "connection"))
            return true;
    return false;
}

/* Another one with each request: in the table it would push out what comes again. */
static bool is_changing(const char *name, size_t len)
{
    switch (weft__ascii_lower(name[0])) {
    case 'd':
        return is_name(name, len, "date");
    case 'i':
        return is_name(name, len, "idempotency-key") || is_name(name, len, "if-range");
    case 'r':
        return is_name(name, len, "range");
    case 't':
        return is_name(name, len, "traceparent") || is_name(name, len, "tracestate");
    case 'x':
        return is_name(name, len, "x-request-id");
    default:
        return false;
    }
}

static bool is_unindexed(const struct weft__h2_request *request, const char *name, size_t len)
{
    if (weft__header_is_secret(name, len) || is_changing(name, len))
        return true;
    for (char *const *at = request->secret_fields; at != NULL && *at != NULL; at++)
        if (is_name(name, len, *at))
            return true;
    return false;
}

struct field_list {
    nghttp2_nv *fields;
    size_t len;
    size_t bytes;
};

static void add(struct field_list *list, const char *name, size_t name_len, const char *value,
                size_t value_len, bool unindexed)
{
    list->fields[list->len++] = (nghttp2_nv){
        .name = (uint8_t *)name,
        .value = (uint8_t *)value,
        .namelen = name_len,
        .valuelen = value_len,
        .flags = unindexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
    };
    list->bytes += name_len + value_len + FIELD_OVERHEAD;
}

static void add_pseudo(struct field_list *list, const char *name, const char *value)
{
    if (value != NULL)
        add(list, name, strlen(name), value, strlen(value), false);
}

static const char *find_authority(const struct weft__h2_request *request)
{
    const weft_headers *headers = request->headers;
    if (request->scheme == NULL)
        return request->authority;
    for (size_t i = 0; headers != NULL && i < headers->len; i++)
        if (is_name(weft__header_name(headers, i), headers->entries[i].name_len, "host"))
            return weft__header_value(headers, i);
    return request->authority;
}

static int reserve_fields(struct weft__h2 *h2, size_t len)
{
    if (len <= h2->fields_cap)
        return 0;
    nghttp2_nv *fields = weft__realloc(h2->fields, 2 * len * sizeof *fields);
    if (fields == NULL)
        return weft__fail_nomem();
    h2->fields = fields;
    h2->fields_cap = 2 * len;
    return 0;
}

/* By our own limit, and by what the peer says of its own (RFC 9113 6.5.2). */
static int check_size(const struct weft__h2 *h2, size_t bytes)
{
    uint32_t theirs =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
    if (bytes > theirs)
        return weft__fail(WEFT_EHEADER_TOO_LARGE,
                          "HTTP/2: the request's header fields have %zu bytes, the server takes "
                          "%lu at most",
                          bytes, (unsigned long)theirs);
    if (bytes > WEFT__LIMIT_H2_HEADER_LIST)
        return weft__fail(WEFT_EHEADER_TOO_LARGE,
                          "HTTP/2: the request's header fields are larger than %d bytes",
                          WEFT__LIMIT_H2_HEADER_LIST);
    return 0;
}

/* Names are not lower-cased here: nghttp2 does so where it copies them. */
static int list_fields(struct weft__h2 *h2, const struct weft__h2_request *request, char *digits,
                       struct field_list *list)
{
    const weft_headers *headers = request->headers;
    size_t len = headers != NULL ? headers->len : 0;
    int err = reserve_fields(h2, len + PSEUDO_FIELDS + 1);
    if (err < 0)
        return err;
    bool nominates = len > 0 && has_connection(headers);
    *list = (struct field_list){.fields = h2->fields};
    add_pseudo(list, ":method", request->method);
    add_pseudo(list, ":protocol", request->protocol);
    add_pseudo(list, ":scheme", request->scheme);
    add_pseudo(list, ":authority", find_authority(request));
    if (request->scheme != NULL)
        add_pseudo(list, ":path", request->path);
    for (size_t i = 0; i < len; i++) {
        const struct weft__header *entry = &headers->entries[i];
        const char *name = weft__header_name(headers, i);
        const char *value = weft__header_value(headers, i);
        if (!is_left_out(name, entry->name_len, value, entry->value_len) &&
            !(nominates && is_nominated(headers, name, entry->name_len)))
            add(list, name, entry->name_len, value, entry->value_len,
                is_unindexed(request, name, entry->name_len));
    }
    if (request->sized)
        add(list, "content-length", 14, digits, weft__format_u64(request->length, digits), false);
    return check_size(h2, list->bytes);
}

static int submit(struct weft__h2 *h2, struct weft__h2_stream *stream,
                  const struct field_list *list)
{
    const nghttp2_data_provider body = {.source = {.ptr = stream},
                                        .read_callback = weft__h2_read_body};
    int32_t id = nghttp2_submit_request(h2->session, NULL, list->fields, list->len,
                                        stream->has_body ? &body : NULL, stream);
    if (nghttp2_session_get_next_stream_id(h2->session) > (uint32_t)INT32_MAX)
        h2->exhausted = true;
    if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
        h2->changed = true;
        return weft__fail(-EAGAIN, "HTTP/2: the connection has no stream left");
    }
    if (id == NGHTTP2_ERR_NOMEM)
        return weft__fail_nomem();
    if (id < 0)
        return weft__fail(-EINVAL, "HTTP/2: %s", nghttp2_strerror(id));
    stream->id = id;
    return 0;
}

int weft__h2_open(struct weft__h2 *h2, const struct weft__h2_request *request, void *owner,
                  struct weft__h2_stream **ret)
{
    char digits[WEFT__U64_DIGITS];
    struct field_list list;
    if (weft__h2_room(h2) == 0)
        return weft__fail(-EAGAIN, "HTTP/2: the connection has no stream left");
    int err = list_fields(h2, request, digits, &list);
    if (err < 0)
        return err;
    struct weft__h2_stream *stream = take_stream(h2);
    if (stream == NULL)
        return weft__fail_nomem();
    weft__h2_enter(h2);
    stream->owner = owner;
    /* An empty body ends with the head: nghttp2 would wait for a window to end it. */
    stream->has_body = request->has_body && !(request->sized && request->length == 0);
    stream->send_ended = !stream->has_body;
    stream->is_head = strcmp(request->method, "HEAD") == 0;
    weft__list_push_back(&h2->streams, &stream->node);
    err = submit(h2, stream, &list);
    if (err < 0) {
        weft__h2_stream_recycle(stream);
    } else {
        h2->active++;
        weft__h2_guard_earn(h2, WEFT__H2_EARNED_BY_REQUEST);
        *ret = stream;
    }
    weft__h2_leave_call(h2);
    return err;
}

/* ---- ended ---- */

void weft__h2_stream_over(struct weft__h2_stream *stream, int error)
{
    if (stream->over)
        return;
    stream->over = true;
    stream->h2->active--;
    stream->h2->changed = true;
    if (!stream->ended)
        stream->error = error;
    if (!stream->sent)
        stream->unprocessed = true;
    weft__h2_mark(stream);
}

void weft__h2_reset(struct weft__h2_stream *stream, enum weft__h2_code code)
{
    struct weft__h2 *h2 = stream->h2;
    if (stream->over)
        return;
    weft__h2_enter(h2);
    int result =
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, (uint32_t)code);
    weft__h2_stream_over(stream, -ECANCELED);
    weft__h2_settle(h2, result);
    weft__h2_leave_call(h2);
}

void weft__h2_stream_free(struct weft__h2_stream *stream)
{
    if (stream == NULL)
        return;
    struct weft__h2 *h2 = stream->h2;
    weft__h2_enter(h2);
    /* Before the reset, which must not tell its owner any more. */
    stream->abandoned = true;
    weft__list_remove(&stream->dirty);
    h2->buffered -= weft__h2_unread(stream);
    stream->into = NULL;
    stream->into_len = 0;
    weft__buf_clear(&stream->recv);
    if (stream->over && (stream->closed || h2->error != 0))
        weft__h2_stream_recycle(stream);
    else
        weft__h2_reset(stream, WEFT__H2_CANCEL);
    weft__h2_leave_call(h2);
}

/* ---- written ---- */

/* nghttp2 asks for data again. */
static int resume(struct weft__h2_stream *stream)
{
    struct weft__h2 *h2 = stream->h2;
    if (!stream->deferred)
        return 0;
    stream->deferred = false;
    weft__h2_enter(h2);
    int result = nghttp2_session_resume_data(h2->session, stream->id);
    weft__h2_settle(h2, result == NGHTTP2_ERR_NOMEM ? result : 0);
    weft__h2_leave_call(h2);
    return result == NGHTTP2_ERR_NOMEM ? weft__fail_nomem() : 0;
}

static int check_writable(const struct weft__h2_stream *stream)
{
    if (stream->over && !stream->ended)
        return weft__h2_stream_error(stream);
    if (stream->over)
        return weft__fail(-EPIPE, "HTTP/2: the server has answered and wants no more of the body");
    return 0;
}

int64_t weft__h2_write(struct weft__h2_stream *stream, const void *data, size_t len)
{
    int err = check_writable(stream);
    if (err < 0)
        return err;
    if (stream->send_ended)
        return weft__fail(-EINVAL, "HTTP/2: the body is whole already");
    size_t room = WEFT__LIMIT_H2_WRITE - stream->send.len;
    size_t n = len < room ? len : room;
    stream->wants_room = n < len;
    if (n == 0)
        return 0;
    err = weft__buf_append(&stream->send, data, n);
    if (err == 0)
        err = resume(stream);
    return err < 0 ? err : (int64_t)n;
}

int weft__h2_write_end(struct weft__h2_stream *stream)
{
    int err = check_writable(stream);
    if (err < 0)
        return err;
    stream->send_ended = true;
    return resume(stream);
}

bool weft__h2_is_written(const struct weft__h2_stream *stream)
{
    return stream->send.len == 0 && (!stream->send_ended || stream->sent_all);
}

size_t weft__h2_unwritten(const struct weft__h2_stream *stream)
{
    return stream->send.len;
}

/* ---- read ---- */

int weft__h2_status(const struct weft__h2_stream *stream)
{
    return stream->status;
}

weft_headers *weft__h2_headers(struct weft__h2_stream *stream)
{
    return &stream->headers;
}

weft_headers *weft__h2_trailers(struct weft__h2_stream *stream)
{
    return &stream->trailers;
}

int64_t weft__h2_content_length(const struct weft__h2_stream *stream)
{
    return stream->content_length;
}

size_t weft__h2_data(const struct weft__h2_stream *stream, const char **ret)
{
    *ret = stream->recv.data != NULL ? weft__buf_bytes(&stream->recv) : "";
    return stream->recv.len;
}

static void credit(struct weft__h2_stream *stream, size_t len)
{
    struct weft__h2 *h2 = stream->h2;
    h2->buffered -= len;
    if (len == 0 || stream->over || stream->ended)
        return;
    weft__h2_enter(h2);
    weft__h2_settle(h2, weft__h2_window_consumed(stream, len));
    weft__h2_leave_call(h2);
}

void weft__h2_consume(struct weft__h2_stream *stream, size_t len)
{
    weft__buf_consume(&stream->recv, len);
    credit(stream, len);
}

void weft__h2_put_into(struct weft__h2_stream *stream, void *data, size_t len)
{
    stream->into = data;
    stream->into_size = len;
    stream->into_len = 0;
}

size_t weft__h2_take(struct weft__h2_stream *stream)
{
    size_t len = stream->into_len;
    stream->into = NULL;
    stream->into_len = 0;
    credit(stream, len);
    return len;
}

size_t weft__h2_unread(const struct weft__h2_stream *stream)
{
    return stream->recv.len + stream->into_len;
}

/* nghttp2 keeps less than half of a window back. */
bool weft__h2_is_full(const struct weft__h2_stream *stream)
{
    return weft__h2_unread(stream) >= stream->window / 2;
}

bool weft__h2_is_ended(const struct weft__h2_stream *stream)
{
    return stream->ended;
}

bool weft__h2_is_over(const struct weft__h2_stream *stream)
{
    return stream->over;
}

bool weft__h2_is_unprocessed(const struct weft__h2_stream *stream)
{
    return stream->unprocessed && !stream->ended;
}

uint32_t weft__h2_reset_code(const struct weft__h2_stream *stream)
{
    const struct weft__h2 *h2 = stream->h2;
    if (stream->peer_reset)
        return stream->code;
    bool refused = stream->unprocessed && h2->goaway;
    return refused && h2->goaway_code == WEFT__H2_HTTP_1_1_REQUIRED ? WEFT__H2_HTTP_1_1_REQUIRED
                                                                    : WEFT__H2_NO_ERROR;
}

/*
 * h2_send.c - what nghttp2 asks and tells while it makes output.
 *
 * A body's bytes go from the stream's buffer straight into the caller's: nghttp2 makes the frame's
 * head only (NGHTTP2_DATA_FLAG_NO_COPY).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "proto/h2_int.h"

ssize_t weft__h2_read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                           uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    struct weft__h2_stream *stream = source->ptr;
    size_t n = stream->send.len < length ? stream->send.len : length;
    if (n == 0 && !stream->send_ended) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (h2->control_only || h2->out->len >= h2->out_max)
        return NGHTTP2_ERR_PAUSE;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == stream->send.len && stream->send_ended)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    struct weft__h2_stream *stream = source->ptr;
    if (weft__buf_reserve(h2->out, WEFT__H2_FRAME_HEAD + length) < 0)
        return weft__h2_found(h2, 0, -ENOMEM, "no memory");
    weft__buf_append(h2->out, head, WEFT__H2_FRAME_HEAD);
    if (length > 0) {
        weft__buf_append(h2->out, weft__buf_bytes(&stream->send), length);
        weft__buf_consume(&stream->send, length);
    }
    bool half_empty = stream->send.len <= WEFT__LIMIT_H2_WRITE / 2;
    if (stream->send.len == 0 || (stream->wants_room && half_empty)) {
        stream->wants_room = false;
        weft__h2_mark(stream);
    }
    return 0;
}

static struct weft__h2_stream *find(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static void note_sent(nghttp2_session *session, const nghttp2_frame_hd *hd)
{
    struct weft__h2_stream *stream = find(session, hd->stream_id);
    if (stream == NULL)
        return;
    stream->sent = true;
    if ((hd->flags & NGHTTP2_FLAG_END_STREAM) != 0)
        stream->sent_all = true;
}

/* nghttp2 has given up: of a GOAWAY of our own the reason is known already. */
static void note_goaway(struct weft__h2 *h2, const nghttp2_goaway *goaway)
{
    if (goaway->error_code == NGHTTP2_NO_ERROR || h2->found != 0)
        return;
    h2->closing = true;
    /* It says so when it has no memory, and of nothing that a peer does. */
    if (goaway->error_code == NGHTTP2_INTERNAL_ERROR) {
        weft__h2_found(h2, goaway->error_code, -ENOMEM, "no memory");
        return;
    }
    snprintf(h2->found_text, sizeof h2->found_text,
             "HTTP/2: the server broke the protocol: %s%s%.*s",
             weft__h2_code_name(goaway->error_code), goaway->opaque_data_len > 0 ? ", " : "",
             (int)goaway->opaque_data_len, (const char *)goaway->opaque_data);
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    struct weft__h2_stream *stream;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        weft__h2_guard_earn(h2, WEFT__H2_EARNED_BY_DATA);
        note_sent(session, &frame->hd);
        return 0;
    case NGHTTP2_HEADERS:
        note_sent(session, &frame->hd);
        return 0;
    case NGHTTP2_RST_STREAM:
        /* Of a stream that nobody here has ended: the peer has made nghttp2 do it. */
        stream = find(session, frame->hd.stream_id);
        return stream != NULL && !stream->over ? weft__h2_guard_fault(h2) : 0;
    case NGHTTP2_GOAWAY:
        note_goaway(h2, &frame->goaway);
        return 0;
    default:
        return 0;
    }
}

int weft__h2_drain_control(struct weft__h2 *h2, size_t max)
{
    ssize_t n = 0;
    h2->control_only = true;
    h2->out = &h2->control;
    while (h2->control.len < max && nghttp2_session_want_write(h2->session) != 0) {
        const uint8_t *data = NULL;
        n = nghttp2_session_mem_send(h2->session, &data);
        if (n <= 0)
            break;
        if (weft__buf_append(&h2->control, data, (size_t)n) < 0) {
            n = NGHTTP2_ERR_NOMEM;
            break;
        }
    }
    h2->control_only = false;
    h2->out = NULL;
    return n < 0 ? (int)n : 0;
}

void weft__h2_send_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
}

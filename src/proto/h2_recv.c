/*
 * h2_recv.c - what nghttp2 tells of what comes.
 *
 * It refuses what RFC 9113 8 calls malformed by itself: upper-case names, fields of a connection,
 * a missing or second :status, DATA that contradicts content-length.  Fields that it would only
 * pass over are refused here too.
 */
#include <errno.h>
#include <string.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/h2_int.h"

enum { FIELD_OVERHEAD = 32, STATUS_MIN = 100, STATUS_FINAL = 200 };

static struct weft__h2_stream *find(nghttp2_session *session, int32_t id)
{
    struct weft__h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    return stream != NULL && !stream->over ? stream : NULL;
}

/* The stream's end for a reason that is found here. */
static void refuse(struct weft__h2_stream *stream, int error, uint32_t code)
{
    nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, code);
    weft__h2_stream_over(stream, error);
    if (error != -ENOMEM)
        weft__h2_guard_fault(stream->h2); /* What it has found is seen to after the input. */
}

/* Bytes of a body that nghttp2 has refused are counted too, to tell too many from too few. */
static void count_refused(struct weft__h2 *h2)
{
    if (h2->data_left == 0)
        return;
    struct weft__h2_stream *stream = find(h2->session, h2->data_id);
    if (stream != NULL)
        stream->received += h2->data_left;
    h2->data_left = 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    count_refused(h2);
    if (hd->type == NGHTTP2_DATA) {
        h2->data_left = hd->length;
        h2->data_id = hd->stream_id;
    }
    return 0;
}

/* ---- heads ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    h2->current = find(session, frame->hd.stream_id);
    if (h2->current != NULL) {
        h2->current->list_len = 0;
        h2->current->status_coming = 0;
    }
    return 0;
}

static int add_field(struct weft__h2_stream *stream, const char *name, size_t name_len,
                     const char *value, size_t value_len)
{
    bool trailer = stream->status != 0;
    if (name[0] == ':') {
        /* nghttp2 has seen three digits and no other name. */
        uint64_t status = 0;
        weft__parse_u64(value, value_len, &status);
        stream->status_coming = (int)status;
        return status < STATUS_MIN ? -EPROTO : 0;
    }
    value = weft__trim(value, &value_len);
    if (!trailer && name_len == 14 && memcmp(name, "content-length", 14) == 0) {
        uint64_t length;
        if (weft__parse_u64(value, value_len, &length) == 0 && length <= INT64_MAX)
            stream->content_length = (int64_t)length;
    }
    return weft__headers_append_raw(trailer ? &stream->trailers : &stream->headers, name, name_len,
                                    value, value_len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *userdata)
{
    struct weft__h2 *h2 = userdata;
    struct weft__h2_stream *stream = h2->current;
    if (stream == NULL || stream->over)
        return 0;
    stream->list_len += name_len + value_len + FIELD_OVERHEAD;
    int err = WEFT_EHEADER_TOO_LARGE;
    if (stream->list_len <= h2->options.header_list)
        err = add_field(stream, (const char *)name, name_len, (const char *)value, value_len);
    if (err == 0)
        return 0;
    if (err == -EPROTO) {
        stream->fault = NGHTTP2_ERR_HTTP_HEADER;
        refuse(stream, 0, WEFT__H2_PROTOCOL_ERROR);
    } else {
        refuse(stream, err, err == -ENOMEM ? WEFT__H2_INTERNAL_ERROR : WEFT__H2_ENHANCE_YOUR_CALM);
    }
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 would go on without the field; RFC 9113 8.2.1 calls the message malformed. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *userdata)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void end_interim(struct weft__h2_stream *stream)
{
    struct weft__h2 *h2 = stream->h2;
    if (++stream->interims > WEFT__LIMIT_H1_INTERIM) {
        stream->fault = NGHTTP2_ERR_HTTP_MESSAGING;
        refuse(stream, 0, WEFT__H2_ENHANCE_YOUR_CALM);
        return;
    }
    if (h2->events.interim != NULL)
        h2->events.interim(stream, stream->owner, stream->status_coming, &stream->headers);
    weft__headers_reset(&stream->headers);
    stream->content_length = -1;
}

static void end_head(struct weft__h2_stream *stream)
{
    stream->h2->current = NULL;
    if (stream->status != 0)
        return;
    if (stream->status_coming < STATUS_FINAL) {
        end_interim(stream);
        return;
    }
    stream->status = stream->status_coming;
    weft__h2_mark(stream);
}

static void end_response(struct weft__h2_stream *stream)
{
    stream->ended = true;
    weft__h2_mark(stream);
}

/* ---- frames ---- */

/* Where the owner wants it: how much of it was put there. */
static size_t put(struct weft__h2_stream *stream, const uint8_t *data, size_t len)
{
    if (stream->into == NULL || stream->recv.len > 0)
        return 0;
    size_t room = stream->into_size - stream->into_len;
    size_t n = len < room ? len : room;
    if (n > 0)
        memcpy(stream->into + stream->into_len, data, n);
    stream->into_len += n;
    return n;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    struct weft__h2_stream *stream = find(session, id);
    h2->data_left -= len;
    if (weft__h2_window_arrived(h2, stream, len) != 0)
        return weft__h2_found(h2, 0, -ENOMEM, "no memory");
    if (stream == NULL)
        return 0;
    stream->received += len;
    size_t direct = put(stream, data, len);
    h2->buffered += direct;
    if (weft__buf_append(&stream->recv, data + direct, len - direct) < 0) {
        refuse(stream, -ENOMEM, WEFT__H2_INTERNAL_ERROR);
        return 0;
    }
    h2->buffered += len - direct;
    weft__h2_mark(stream);
    return 0;
}

static void on_settings(struct weft__h2 *h2)
{
    size_t max =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (max != h2->streams_max || !h2->greeted)
        h2->changed = true;
    h2->streams_max = max;
    h2->greeted = true;
}

static int on_ping(struct weft__h2 *h2, const nghttp2_ping *ping)
{
    if ((ping->hd.flags & NGHTTP2_FLAG_ACK) == 0)
        return 0;
    if (memcmp(ping->opaque_data, weft__h2_probe, sizeof weft__h2_probe) == 0)
        return weft__h2_window_probed(h2);
    h2->pings_answered++;
    h2->changed = true;
    return 0;
}

static void on_goaway(struct weft__h2 *h2, const nghttp2_goaway *goaway)
{
    h2->goaway = true;
    h2->goaway_code = goaway->error_code;
    h2->changed = true;
}

static void on_reset(struct weft__h2_stream *stream, uint32_t code)
{
    stream->peer_reset = true;
    stream->code = code;
    stream->unprocessed = code == WEFT__H2_REFUSED_STREAM;
}

/* A frame of a stream that is there. */
static int on_stream_frame(struct weft__h2_stream *stream, const nghttp2_frame *frame)
{
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        stream->h2->data_left = 0;
        if (!end && frame->hd.length == frame->data.padlen && frame->hd.length > 0)
            return weft__h2_guard_empty(stream->h2);
        break;
    case NGHTTP2_HEADERS:
        end_head(stream);
        break;
    case NGHTTP2_RST_STREAM:
        on_reset(stream, frame->rst_stream.error_code);
        return 0;
    default:
        return 0;
    }
    if (end && !stream->over)
        end_response(stream);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    if (frame->hd.stream_id != 0) {
        struct weft__h2_stream *stream = find(session, frame->hd.stream_id);
        return stream != NULL ? on_stream_frame(stream, frame) : 0;
    }
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
            h2->settled = true;
        else
            on_settings(h2);
        return 0;
    case NGHTTP2_PING:
        return on_ping(h2, &frame->ping) == 0 ? 0 : weft__h2_found(h2, 0, -ENOMEM, "no memory");
    case NGHTTP2_GOAWAY:
        on_goaway(h2, &frame->goaway);
        return 0;
    default:
        return 0;
    }
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *userdata)
{
    struct weft__h2_stream *stream = find(session, frame->hd.stream_id);
    if (stream != NULL)
        stream->fault = error;
    return 0;
}

/* ---- the end ---- */

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *userdata)
{
    struct weft__h2 *h2 = userdata;
    struct weft__h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL)
        return 0;
    if (h2->current == stream)
        h2->current = NULL;
    stream->closed = true;
    count_refused(h2);
    if (stream->content_length >= 0 && stream->status != 0 && !stream->is_head)
        stream->cut_short = stream->received < (uint64_t)stream->content_length;
    /* nghttp2 says so of what stands above the last id of a GOAWAY. */
    if (!stream->over && !stream->peer_reset && h2->goaway && code == NGHTTP2_REFUSED_STREAM)
        stream->unprocessed = true;
    weft__h2_stream_over(stream, 0);
    if (stream->abandoned)
        weft__h2_stream_recycle(stream);
    return 0;
}

void weft__h2_recv_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/*
 * h2.c - an HTTP/2 connection as a whole: made, fed, emptied, ended; its streams' events.
 *
 * Before the peer's SETTINGS have come, it is taken to allow what the options say, 100 streams:
 * less is not recommended (RFC 9113 6.5.2), a request that waits for a round trip is slow every
 * time, and one that was too many comes back as REFUSED_STREAM, which is safe to repeat.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "proto/h2_int.h"

/* More than one frame and the GOAWAY behind the limit of what waits. */
enum { CONTROL_MAX = 16 * WEFT__LIMIT_H2_CONTROL };

static void *mem_alloc(size_t size, void *userdata)
{
    (void)userdata;
    return weft__alloc(size);
}

static void mem_free(void *block, void *userdata)
{
    (void)userdata;
    weft__free(block);
}

static void *mem_calloc(size_t n, size_t size, void *userdata)
{
    (void)userdata;
    return weft__calloc(n, size);
}

static void *mem_realloc(void *block, size_t size, void *userdata)
{
    (void)userdata;
    return weft__realloc(block, size);
}

static nghttp2_mem memory = {
    .malloc = mem_alloc, .free = mem_free, .calloc = mem_calloc, .realloc = mem_realloc};

/* ---- made ---- */

static uint32_t or_default(uint32_t value, uint32_t standard, uint32_t max)
{
    if (value == 0)
        value = standard;
    return value < max ? value : max;
}

static struct weft__h2_options resolve_options(const struct weft__h2_options *options)
{
    static const struct weft__h2_options none;
    const struct weft__h2_options *from = options != NULL ? options : &none;
    struct weft__h2_options all;
    all.window_max = or_default(from->window_max, WEFT__LIMIT_H2_WINDOW_MAX, INT32_MAX);
    all.stream_window = or_default(from->stream_window, WEFT__LIMIT_H2_STREAM_WINDOW, INT32_MAX);
    all.connection_window =
        or_default(from->connection_window, WEFT__LIMIT_H2_CONNECTION_WINDOW, INT32_MAX);
    /* A connection's window cannot be made smaller than the protocol's first one. */
    if (all.connection_window < NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)
        all.connection_window = NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE;
    all.streams = or_default(from->streams, WEFT__LIMIT_H2_STREAMS, INT32_MAX);
    all.header_list = or_default(from->header_list, WEFT__LIMIT_H2_HEADER_LIST, INT32_MAX);
    return all;
}

static void set_options(nghttp2_option *option, const struct weft__h2_options *options)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, options->streams);
    nghttp2_option_set_max_send_header_block_length(option, WEFT__LIMIT_H2_HEADER_LIST);
    nghttp2_option_set_max_outbound_ack(option, WEFT__LIMIT_H2_ACKS);
    /* A blank at the end of a value is cut off here, as it is in HTTP/1.1. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
#if WEFT_HAVE_NGHTTP2_CONTINUATIONS
    /* It counts each piece in which a frame's head comes; h2_guard.c counts frames. */
    nghttp2_option_set_max_continuations(option,
                                         WEFT__H2_FRAME_HEAD * (WEFT__LIMIT_H2_CONTINUATIONS + 1));
#endif
}

static int open_session(struct weft__h2 *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int err = nghttp2_session_callbacks_new(&callbacks);
    if (err == 0)
        err = nghttp2_option_new(&option);
    if (err == 0) {
        set_options(option, &h2->options);
        weft__h2_recv_callbacks(callbacks);
        weft__h2_send_callbacks(callbacks);
        err = nghttp2_session_client_new3(&h2->session, callbacks, h2, option, &memory);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return err;
}

static int submit_preface(struct weft__h2 *h2)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2->options.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->options.header_list},
    };
    int err = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                      sizeof settings / sizeof settings[0]);
    return err == 0 ? weft__h2_window_init(h2) : err;
}

int weft__h2_new(const struct weft__h2_options *options, const struct weft__h2_events *events,
                 struct weft__h2 **ret)
{
    struct weft__h2 *h2 = weft__calloc(1, sizeof *h2);
    if (h2 == NULL)
        return weft__fail_nomem();
    h2->events = *events;
    h2->options = resolve_options(options);
    h2->streams_max = h2->options.streams;
    weft__list_init(&h2->streams);
    weft__list_init(&h2->spares);
    weft__list_init(&h2->dirty);
    weft__buf_init(&h2->control, CONTROL_MAX);
    weft__h2_guard_init(&h2->guard);
    h2->told = true; /* of its preface */
    if (open_session(h2) != 0 || submit_preface(h2) != 0) {
        weft__h2_free(h2);
        return weft__fail_nomem();
    }
    *ret = h2;
    return 0;
}

static void delete_all(struct weft__list *list)
{
    for (struct weft__list *node; (node = weft__list_pop_front(list)) != NULL;)
        weft__h2_stream_delete(WEFT__CONTAINER(node, struct weft__h2_stream, node));
}

void weft__h2_free(struct weft__h2 *h2)
{
    if (h2 == NULL)
        return;
    nghttp2_session_del(h2->session);
    delete_all(&h2->streams);
    delete_all(&h2->spares);
    weft__buf_done(&h2->control);
    weft__free(h2->fields);
    weft__free(h2);
}

/* ---- events ---- */

void weft__h2_enter(struct weft__h2 *h2)
{
    h2->depth++;
}

void weft__h2_mark(struct weft__h2_stream *stream)
{
    if (!stream->abandoned && weft__list_is_empty(&stream->dirty))
        weft__list_push_back(&stream->h2->dirty, &stream->dirty);
}

void weft__h2_leave_call(struct weft__h2 *h2)
{
    if (h2->depth > 1) {
        h2->depth--;
        return;
    }
    for (struct weft__list *node; (node = weft__list_pop_front(&h2->dirty)) != NULL;) {
        struct weft__h2_stream *stream = WEFT__CONTAINER(node, struct weft__h2_stream, dirty);
        h2->events.stream(stream, stream->owner);
    }
    bool news = !h2->told && weft__h2_has_output(h2);
    h2->told = h2->told || news;
    if (news || h2->changed) {
        h2->changed = false;
        h2->events.changed(h2->events.userdata);
    }
    h2->depth--;
}

/* ---- ended ---- */

int weft__h2_found(struct weft__h2 *h2, uint32_t code, int err, const char *format, ...)
{
    if (h2->found == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(h2->found_text, sizeof h2->found_text, format, args);
        va_end(args);
        h2->found = err;
        h2->found_code = code;
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void fail_streams(struct weft__h2 *h2, int err)
{
    for (struct weft__list *node = h2->streams.next; node != &h2->streams;) {
        struct weft__h2_stream *stream = WEFT__CONTAINER(node, struct weft__h2_stream, node);
        node = node->next;
        int why = err;
        if (err == 0)
            why =
                stream->status == 0 && stream->interims == 0 ? WEFT_EDISCONNECTED : WEFT_ETRUNCATED;
        weft__h2_stream_over(stream, why);
        if (stream->abandoned)
            weft__h2_stream_recycle(stream);
    }
    h2->changed = true;
}

void weft__h2_end(struct weft__h2 *h2, int err, bool goaway, uint32_t code, const char *text)
{
    if (h2->error != 0)
        return;
    snprintf(h2->text, sizeof h2->text, "%s", text);
    if (goaway && nghttp2_session_terminate_session(h2->session, code) == 0)
        weft__h2_drain_control(h2, SIZE_MAX);
    h2->error = err;
    fail_streams(h2, err);
}

void weft__h2_settle(struct weft__h2 *h2, int64_t result)
{
    if (h2->error != 0)
        return;
    if (h2->found != 0)
        weft__h2_end(h2, h2->found, h2->found != -ENOMEM, h2->found_code, h2->found_text);
    else if (result == NGHTTP2_ERR_NOMEM)
        weft__h2_end(h2, -ENOMEM, false, 0, "no memory");
    else if (result == NGHTTP2_ERR_FLOODED)
        weft__h2_end(h2, WEFT_EREMOTE_PROTOCOL, true, WEFT__H2_ENHANCE_YOUR_CALM,
                     "HTTP/2: the server asks for answers and does not read them");
    else if (result < 0)
        weft__h2_end(h2, WEFT_EREMOTE_PROTOCOL, true, WEFT__H2_ENHANCE_YOUR_CALM,
                     nghttp2_strerror((int)result));
    else if (h2->closing)
        weft__h2_end(h2, WEFT_EREMOTE_PROTOCOL, false, 0, h2->found_text);
}

void weft__h2_disconnect(struct weft__h2 *h2, int err)
{
    if (h2->error != 0)
        return;
    weft__h2_enter(h2);
    if (err < 0)
        snprintf(h2->text, sizeof h2->text, "%s", weft_error_message());
    else if (h2->goaway)
        snprintf(h2->text, sizeof h2->text, "HTTP/2: the server has left (%s)",
                 weft__h2_code_name(h2->goaway_code));
    else
        snprintf(h2->text, sizeof h2->text, "server disconnected");
    h2->error = err < 0 ? err : WEFT_EDISCONNECTED;
    weft__buf_clear(&h2->control);
    fail_streams(h2, err < 0 ? err : 0);
    weft__h2_leave_call(h2);
}

/* ---- fed, emptied ---- */

int weft__h2_receive(struct weft__h2 *h2, const char *data, size_t len, int64_t now)
{
    if (h2->error != 0)
        return weft__h2_error(h2);
    h2->now = now;
    weft__h2_guard_refill(h2);
    weft__h2_enter(h2);
    const uint8_t *bytes = (const uint8_t *)data;
    int64_t result =
        nghttp2_session_mem_recv(h2->session, bytes, weft__h2_guard_scan(h2, bytes, len));
    if (result >= 0 && h2->found == 0)
        result = weft__h2_drain_control(h2, WEFT__LIMIT_H2_CONTROL);
    weft__h2_settle(h2, result);
    weft__h2_leave_call(h2);
    return weft__h2_error(h2);
}

bool weft__h2_has_output(const struct weft__h2 *h2)
{
    return h2->control.len > 0 || (h2->error == 0 && nghttp2_session_want_write(h2->session) != 0);
}

static int move_control(struct weft__h2 *h2, struct weft__buf *out)
{
    if (h2->control.len == 0)
        return 0;
    int err = weft__buf_append(out, weft__buf_bytes(&h2->control), h2->control.len);
    if (err == 0)
        weft__buf_clear(&h2->control);
    return err;
}

/* Only bodies stop at max, in weft__h2_read_body(): nghttp2 has sent a frame when asked for the next. */
static int64_t fetch(struct weft__h2 *h2, struct weft__buf *out, size_t max)
{
    const uint8_t *data = NULL;
    h2->out = out;
    h2->out_max = max;
    int64_t n;
    while ((n = nghttp2_session_mem_send(h2->session, &data)) > 0) {
        if (weft__buf_append(out, data, (size_t)n) < 0) {
            n = NGHTTP2_ERR_NOMEM;
            break;
        }
    }
    h2->out = NULL;
    return n;
}

int weft__h2_output(struct weft__h2 *h2, struct weft__buf *out, size_t max)
{
    weft__h2_enter(h2);
    int err = move_control(h2, out);
    if (err == 0 && h2->error == 0) {
        weft__h2_settle(h2, fetch(h2, out, max));
        if (h2->error != 0)
            err = h2->error == -ENOMEM ? -ENOMEM : move_control(h2, out);
    }
    h2->told = weft__h2_has_output(h2);
    weft__h2_leave_call(h2);
    return err < 0 ? weft__fail_nomem() : 0;
}

/* ---- asked ---- */

bool weft__h2_is_leaving(const struct weft__h2 *h2)
{
    return h2->error != 0 || h2->goaway || h2->left || h2->exhausted;
}

size_t weft__h2_streams_max(const struct weft__h2 *h2)
{
    return h2->streams_max;
}

bool weft__h2_is_greeted(const struct weft__h2 *h2)
{
    return h2->greeted;
}

bool weft__h2_takes_protocol(const struct weft__h2 *h2)
{
    return nghttp2_session_get_remote_settings(h2->session,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

size_t weft__h2_streams(const struct weft__h2 *h2)
{
    return h2->active;
}

size_t weft__h2_room(const struct weft__h2 *h2)
{
    size_t max = h2->streams_max < h2->options.streams ? h2->streams_max : h2->options.streams;
    return weft__h2_is_leaving(h2) || h2->active >= max ? 0 : max - h2->active;
}

int weft__h2_error(const struct weft__h2 *h2)
{
    return h2->error == 0 ? 0 : weft__fail(h2->error, "%s", h2->text);
}

bool weft__h2_is_calmed(const struct weft__h2 *h2)
{
    return h2->goaway && h2->goaway_code == WEFT__H2_ENHANCE_YOUR_CALM;
}

uint64_t weft__h2_pings_answered(const struct weft__h2 *h2)
{
    return h2->pings_answered;
}

bool weft__h2_is_balanced(const struct weft__h2 *h2)
{
    for (const struct weft__list *node = h2->streams.next; node != &h2->streams;
         node = node->next) {
        const struct weft__h2_stream *stream = WEFT__CONTAINER(node, struct weft__h2_stream, node);
        /* Given up before it left, it stays in nghttp2's queue until the peer allows a stream. */
        bool queued = stream->over && !stream->sent;
        if (!stream->closed && !queued)
            return false;
    }
    /* What is credited is told to the peer once it is half a window. */
    int32_t owed = nghttp2_session_get_effective_recv_data_length(h2->session);
    return h2->active == 0 && h2->buffered == 0 && (uint32_t)owed <= h2->window.size / 2;
}

/* ---- said ---- */

static int say(struct weft__h2 *h2, int result)
{
    weft__h2_settle(h2, result);
    weft__h2_leave_call(h2);
    return weft__h2_error(h2);
}

int weft__h2_ping(struct weft__h2 *h2)
{
    if (h2->error != 0)
        return weft__h2_error(h2);
    weft__h2_enter(h2);
    weft__h2_guard_earn(h2, 1);
    return say(h2, nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL));
}

int weft__h2_leave(struct weft__h2 *h2)
{
    if (h2->error != 0)
        return weft__h2_error(h2);
    if (h2->left)
        return 0;
    weft__h2_enter(h2);
    h2->left = true;
    h2->changed = true;
    return say(h2,
               nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0));
}

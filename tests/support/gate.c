#include "gate.h"

#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "client/client_int.h"
#include "proto/h1.h"
#include "test.h"

enum { BODY_HIGH = 32 * 1024, HEAD_MAX = 1024 * 1024, FIELDS_MAX = 1024, TEXT = 2048 };
enum { STREAMS = 100 }; /* of a gate before a server that takes many connections */

/* A stream, and the connection to the server that it goes over; when it is over, the next one. */
struct lane {
    struct gate *gate;
    struct lane *next;
    weft_stream *server; /* HTTP/1.1; NULL: not yet */
    weft_event *changed;
    weft_scope *scopes[2]; /* of its tasks */
    int32_t id;            /* of the stream; 0: none */
    char method[TEXT];
    char path[TEXT];
    char authority[TEXT];
    char scheme[TEXT];
    struct bytes fields;
    bool sized;
    bool chunked;
    bool request_over;
    bool response_over; /* has come; it may not have been sent */
    bool given_up;      /* by the client */
    bool last;          /* the server takes no further one */
    bool writing;       /* of the request, to the server */
    size_t uncredited;
    struct bytes request;  /* to be written to the server */
    struct bytes response; /* read from it, not looked at */
    struct bytes body;     /* of the response, to be sent */
    weft_headers trailers;
};

struct gate {
    weft_stream *client; /* HTTP/2 */
    nghttp2_session *session;
    weft_scope *scope; /* of the task that reads it */
    struct lane *lanes;
    weft_group *group;
    weft_serve_fn serve; /* NULL: there is one lane */
    void *arg;
    int users;
    bool over;
    bool flushing;
    bool leaving; /* no further request */
    nghttp2_nv fields[FIELDS_MAX];
};

static const struct weft__h1_limits no_limits = {HEAD_MAX, HEAD_MAX, HEAD_MAX, FIELDS_MAX};

/* ---- the end ---- */

static void lane_free(struct lane *lane)
{
    weft_stream_free(lane->server);
    weft_event_free(lane->changed);
    weft__headers_done(&lane->trailers);
    free(lane->fields.data);
    free(lane->request.data);
    free(lane->response.data);
    free(lane->body.data);
    free(lane);
}

static void gate_unref(struct gate *gate)
{
    if (--gate->users > 0)
        return;
    while (gate->lanes != NULL) {
        struct lane *lane = gate->lanes;
        gate->lanes = lane->next;
        lane_free(lane);
    }
    weft_stream_free(gate->client);
    nghttp2_session_del(gate->session);
    free(gate);
}

static void cancel(weft_scope *scope)
{
    if (scope != NULL)
        weft_scope_cancel(scope, "the gate is closed");
}

static void end(struct gate *gate)
{
    gate->over = true;
    cancel(gate->scope);
    for (struct lane *lane = gate->lanes; lane != NULL; lane = lane->next) {
        cancel(lane->scopes[0]);
        cancel(lane->scopes[1]);
    }
}

/* Sends what the session has to say; whoever is at it already does so for all. */
static int flush(struct gate *gate)
{
    const uint8_t *data;
    ssize_t n = 0;
    int err = 0;
    if (gate->flushing)
        return 0;
    gate->flushing = true;
    while (err == 0 && (n = nghttp2_session_mem_send(gate->session, &data)) > 0) {
        err = weft_stream_write(gate->client, data, (size_t)n);
        if (err == 0 && nghttp2_session_want_write(gate->session) == 0)
            err = weft_stream_flush(gate->client);
    }
    gate->flushing = false;
    return n < 0 ? -EPROTO : err;
}

static int wait_change(struct lane *lane)
{
    weft_event_clear(lane->changed);
    return weft_event_wait(lane->changed);
}

static void has_changed(struct lane *lane)
{
    if (lane->changed != NULL)
        weft_event_set(lane->changed);
}

/* No further request: those that come nevertheless go elsewhere. */
static void leave(struct gate *gate)
{
    if (gate->leaving)
        return;
    gate->leaving = true;
    nghttp2_submit_goaway(gate->session, 0, nghttp2_session_get_last_proc_stream_id(gate->session),
                          0, NULL, 0);
}

/* ---- frames of the client ---- */

static struct lane *lane_new(struct gate *gate)
{
    struct lane *lane = calloc(1, sizeof *lane);
    ASSERT(lane != NULL);
    weft__headers_init(&lane->trailers);
    lane->gate = gate;
    lane->next = gate->lanes;
    gate->lanes = lane;
    return lane;
}

/* One whose last exchange is over, or another. */
static struct lane *free_lane(struct gate *gate)
{
    for (struct lane *lane = gate->lanes; lane != NULL; lane = lane->next) {
        if (lane->id == 0 && !lane->last && !lane->given_up)
            return lane;
    }
    return gate->serve != NULL ? lane_new(gate) : NULL;
}

static struct lane *find(nghttp2_session *session, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(session, id) : NULL;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct gate *gate = userdata;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct lane *lane = gate->leaving ? NULL : free_lane(gate);
    if (lane == NULL)
        return nghttp2_submit_rst_stream(session, 0, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, lane);
    lane->id = frame->hd.stream_id;
    lane->sized = false;
    lane->fields.len = 0;
    lane->request_over = false;
    lane->response_over = false;
    return 0;
}

/* Last-Event-ID is written so since there are such events. */
static void add_name(struct bytes *bytes, const uint8_t *name, size_t len)
{
    bool first = true;
    if (strcmp((const char *)name, "last-event-id") == 0) {
        bytes_add_text(bytes, "Last-Event-ID");
        return;
    }
    for (size_t i = 0; i < len; i++) {
        char c = first ? (char)toupper(name[i]) : (char)name[i];
        bytes_add(bytes, &c, 1);
        first = c == '-';
    }
}

static char *pseudo_of(struct lane *lane, const char *name)
{
    if (strcmp(name, ":method") == 0)
        return lane->method;
    if (strcmp(name, ":path") == 0)
        return lane->path;
    return strcmp(name, ":authority") == 0 ? lane->authority : lane->scheme;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *userdata)
{
    struct lane *lane = find(session, frame->hd.stream_id);
    (void)flags;
    (void)userdata;
    if (lane == NULL)
        return 0;
    if (name[0] == ':') {
        ASSERT_INT_LT(value_len, TEXT);
        memcpy(pseudo_of(lane, (const char *)name), value, value_len + 1);
        return 0;
    }
    lane->sized = lane->sized || strcmp((const char *)name, "content-length") == 0;
    add_name(&lane->fields, name, name_len);
    bytes_add_text(&lane->fields, ": ");
    bytes_add(&lane->fields, value, value_len);
    bytes_add_text(&lane->fields, "\r\n");
    return 0;
}

static void add_head(struct lane *lane, bool has_body)
{
    struct bytes *to = &lane->request;
    lane->chunked = has_body && !lane->sized;
    bytes_add_text(to, lane->method);
    bytes_add_text(to, " ");
    bytes_add_text(to, lane->path);
    bytes_add_text(to, " HTTP/1.1\r\nHost: ");
    bytes_add_text(to, lane->authority);
    bytes_add_text(to, "\r\n");
    bytes_add(to, lane->fields.data, lane->fields.len);
    if (lane->chunked)
        bytes_add_text(to, "Transfer-Encoding: chunked\r\n");
    bytes_add_text(to, "\r\n");
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct lane *lane = find(session, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    (void)userdata;
    if (lane == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        add_head(lane, !ends);
    else if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (ends && lane->chunked)
        bytes_add_text(&lane->request, "0\r\n\r\n");
    lane->request_over = ends;
    has_changed(lane);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *userdata)
{
    struct lane *lane = find(session, id);
    char size[32];
    (void)flags;
    (void)userdata;
    if (lane == NULL)
        return nghttp2_session_consume_connection(session, len);
    if (lane->chunked)
        bytes_add(&lane->request, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", len));
    bytes_add(&lane->request, data, len);
    if (lane->chunked)
        bytes_add_text(&lane->request, "\r\n");
    lane->uncredited += len;
    has_changed(lane);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *userdata)
{
    struct gate *gate = userdata;
    struct lane *lane = find(session, id);
    (void)code;
    if (lane == NULL)
        return 0;
    lane->given_up = !lane->request_over || !lane->response_over;
    lane->id = 0;
    if (lane->given_up) {
        nghttp2_session_consume_connection(session, lane->uncredited);
        lane->uncredited = 0;
        if (gate->serve == NULL)
            leave(gate);
    }
    has_changed(lane);
    return 0;
}

/* ---- the server's answer, as frames ---- */

static bool is_of_connection(const struct weft__h1_field *field)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (field->name_len == strlen(names[i]) &&
            strncasecmp(field->name, names[i], field->name_len) == 0)
            return true;
    }
    return false;
}

static nghttp2_nv field_of(const char *name, size_t name_len, const char *value, size_t value_len)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_len, value_len, 0};
}

static size_t list_fields(const struct weft__h1_head *head, const char *status, nghttp2_nv *ret)
{
    size_t n = 0;
    ret[n++] = field_of(":status", 7, status, 3);
    for (size_t i = 0; i < head->fields_len; i++) {
        const struct weft__h1_field *field = &head->fields[i];
        if (!is_of_connection(field))
            ret[n++] = field_of(field->name, field->name_len, field->value, field->value_len);
    }
    return n;
}

static void submit_trailers(struct lane *lane)
{
    nghttp2_nv *fields = lane->gate->fields;
    size_t n = 0;
    for (size_t i = 0; i < lane->trailers.len; i++) {
        const char *name = weft__header_name(&lane->trailers, i);
        const char *value = weft__header_value(&lane->trailers, i);
        fields[n++] = field_of(name, strlen(name), value, strlen(value));
    }
    nghttp2_submit_trailer(lane->gate->session, lane->id, fields, n);
}

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    struct lane *lane = source->ptr;
    size_t n = lane->body.len < len ? lane->body.len : len;
    (void)session;
    (void)id;
    (void)userdata;
    if (n > 0)
        memcpy(to, lane->body.data, n);
    bytes_drop(&lane->body, n);
    weft_event_set(lane->changed);
    if (n == 0 && !lane->response_over)
        return NGHTTP2_ERR_DEFERRED;
    if (lane->body.len > 0 || !lane->response_over)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (lane->trailers.len > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(lane);
    }
    return (ssize_t)n;
}

static void submit(struct lane *lane, const struct weft__h1_head *head, bool has_body)
{
    struct gate *gate = lane->gate;
    const nghttp2_data_provider body = {.source = {.ptr = lane}, .read_callback = give_body};
    char status[8];
    snprintf(status, sizeof status, "%d", head->status);
    size_t n = list_fields(head, status, gate->fields);
    if (head->status < 200)
        nghttp2_submit_headers(gate->session, 0, lane->id, NULL, gate->fields, n, NULL);
    else
        nghttp2_submit_response(gate->session, lane->id, gate->fields, n, has_body ? &body : NULL);
}

/* More of it; 0: the server has ended. */
static int64_t read_more(struct lane *lane)
{
    char data[16384];
    int64_t n = weft_stream_read(lane->server, data, sizeof data);
    if (n > 0)
        bytes_add(&lane->response, data, (size_t)n);
    return n;
}

/* Bytes of the head, 1xx ones sent on; 0: the server has ended. */
static int64_t read_head(struct lane *lane, struct weft__h1_head *head)
{
    for (;;) {
        int n = 0;
        weft__h1_head_reset(head, lane->method);
        while (lane->response.len == 0 ||
               (n = weft__h1_parse_response(head, lane->response.data, lane->response.len,
                                            &no_limits)) == 0) {
            int64_t more = read_more(lane);
            if (more <= 0)
                return more;
        }
        if (n < 0)
            return n;
        if (lane->id == 0)
            return WEFT_EREMOTE_PROTOCOL;
        if (head->status >= 200 || head->status == 101)
            return n;
        submit(lane, head, false);
        bytes_drop(&lane->response, (size_t)n);
        int err = flush(lane->gate);
        if (err < 0)
            return err;
    }
}

/* The next piece of the body: kind as weft__h1_body_next() says. */
static int take_piece(struct lane *lane, struct weft__h1_body *body)
{
    const char *payload;
    size_t len;
    size_t taken;
    int kind =
        weft__h1_body_next(body, lane->response.data, lane->response.len, &taken, &payload, &len);
    if (kind < 0)
        return kind;
    if (kind == WEFT__H1_DATA)
        bytes_add(&lane->body, payload, len);
    bytes_drop(&lane->response, taken);
    if (kind != WEFT__H1_MORE)
        return kind;
    int64_t n = read_more(lane);
    int err = n < 0 ? (int)n : n == 0 ? weft__h1_body_eof(body) : 0;
    return err < 0 || n > 0 ? err : WEFT__H1_END;
}

static int pass_body(struct lane *lane, struct weft__h1_body *body)
{
    int kind = body->kind == WEFT__H1_NONE ? WEFT__H1_END : WEFT__H1_MORE;
    while (kind != WEFT__H1_END && lane->id != 0) {
        kind = take_piece(lane, body);
        if (kind < 0)
            return kind;
        lane->response_over = kind == WEFT__H1_END;
        if (lane->id != 0)
            nghttp2_session_resume_data(lane->gate->session, lane->id);
        int err = flush(lane->gate);
        while (err == 0 && lane->body.len > BODY_HIGH && lane->id != 0)
            err = wait_change(lane);
        if (err < 0)
            return err;
    }
    return 0;
}

/* 1: another one may come; 0: this was the last. */
static int pass_response(struct lane *lane, struct weft__h1_head *head)
{
    struct weft__h1_body body;
    int64_t n = read_head(lane, head);
    if (n <= 0)
        return (int)n;
    bool has_body = head->body != WEFT__H1_NONE &&
                    !(head->body == WEFT__H1_LENGTH && head->content_length == 0);
    lane->last = !head->keep_alive || head->body == WEFT__H1_UNTIL_EOF;
    lane->body.len = 0;
    lane->response_over = !has_body;
    submit(lane, head, has_body);
    bytes_drop(&lane->response, (size_t)n);
    weft__h1_body_init(&body, has_body ? head->body : WEFT__H1_NONE, head->content_length,
                       &lane->trailers);
    int err = flush(lane->gate);
    if (err == 0)
        err = pass_body(lane, &body);
    weft__h1_body_done(&body);
    while (err == 0 && lane->id != 0)
        err = wait_change(lane);
    weft__headers_done(&lane->trailers);
    weft__headers_init(&lane->trailers);
    return err < 0 ? err : !lane->last && !lane->given_up;
}

/* ---- the tasks ---- */

/* The server has ended, or must; between two requests in peace. */
static int server_ended(struct lane *lane, int why)
{
    struct gate *gate = lane->gate;
    bool broken = why == WEFT_EREMOTE_PROTOCOL || why == WEFT_EHEADER_TOO_LARGE;
    lane->last = true;
    if (gate->serve == NULL && lane->id != 0 && !broken)
        return why < 0 && why != WEFT_ETRUNCATED ? why : weft_stream_write_eof(gate->client);
    if (lane->id != 0)
        nghttp2_submit_rst_stream(gate->session, 0, lane->id, NGHTTP2_PROTOCOL_ERROR);
    if (gate->serve == NULL)
        leave(gate);
    weft_stream_close(lane->server);
    return flush(gate);
}

static int from_server(struct lane *lane)
{
    struct weft__h1_head head;
    int more;
    weft__h1_head_init(&head);
    do {
        more = pass_response(lane, &head);
    } while (more == 1 && lane->response.len == 0);
    weft__h1_head_done(&head);
    return more == -ECANCELED ? more : server_ended(lane, more);
}

static int to_server(struct lane *lane)
{
    struct gate *gate = lane->gate;
    int err = 0;
    while (err == 0) {
        if (lane->given_up) {
            weft_stream_close(lane->server);
            return 0;
        }
        if (lane->request.len == 0) {
            err = wait_change(lane);
            continue;
        }
        size_t credit = lane->uncredited;
        struct bytes now = lane->request;
        lane->request = (struct bytes){0};
        lane->uncredited = 0;
        lane->writing = true;
        err = weft_stream_write(lane->server, now.data, now.len);
        free(now.data);
        if (err == 0)
            err = weft_stream_flush(lane->server);
        lane->writing = false;
        if (err < 0) /* it has closed; its answer may be there all the same */
            return 0;
        nghttp2_session_consume_connection(gate->session, credit);
        if (lane->id != 0)
            nghttp2_session_consume_stream(gate->session, lane->id, credit);
        err = flush(gate);
    }
    return err;
}

static int run_lane(struct lane *lane, int index, int (*fn)(struct lane *lane))
{
    struct gate *gate = lane->gate;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    lane->scopes[index] = &scope;
    int err = gate->over ? -ECANCELED : fn(lane);
    lane->scopes[index] = NULL;
    weft_scope_exit(&scope, err);
    if (err < 0 && !gate->over)
        end(gate);
    gate_unref(gate);
    return 0;
}

static int run_to_server(void *arg)
{
    return run_lane(arg, 0, to_server);
}

static int run_from_server(void *arg)
{
    return run_lane(arg, 1, from_server);
}

/* Its other end is far's; on an error what has begun ends with the gate. */
static int connect_lane(struct lane *lane, size_t capacity, weft_stream **far)
{
    static const weft_fn tasks[2] = {run_to_server, run_from_server};
    struct gate *gate = lane->gate;
    int err = weft_event_new(&lane->changed);
    if (err == 0)
        err = weft_stream_pair(capacity, &lane->server, far);
    for (int i = 0; i < 2 && err == 0; i++) {
        gate->users++;
        err = weft_group_spawn(gate->group, tasks[i], lane);
        if (err < 0) {
            gate->users--;
            weft_stream_free(*far);
        }
    }
    return err;
}

/* It ends with the lane, whose gate may be gone then. */
struct guest {
    weft_serve_fn serve;
    void *arg;
    weft_stream *stream;
};

static int run_serve(void *arg)
{
    struct guest guest = *(struct guest *)arg;
    free(arg);
    if (guest.serve(guest.stream, guest.arg) >= 0)
        weft_stream_close(guest.stream);
    weft_stream_free(guest.stream);
    return 0;
}

static int connect_lanes(struct gate *gate)
{
    for (struct lane *lane = gate->lanes; lane != NULL; lane = lane->next) {
        if (lane->server != NULL)
            continue;
        struct guest *guest = malloc(sizeof *guest);
        ASSERT(guest != NULL);
        *guest = (struct guest){.serve = gate->serve, .arg = gate->arg};
        int err = connect_lane(lane, 64 * 1024, &guest->stream);
        if (err == 0) {
            err = weft_group_spawn(gate->group, run_serve, guest);
            if (err < 0)
                weft_stream_free(guest->stream);
        }
        if (err < 0) {
            free(guest);
            return err;
        }
    }
    return 0;
}

static bool is_passing(const struct gate *gate)
{
    for (const struct lane *lane = gate->lanes; lane != NULL; lane = lane->next) {
        if (lane->request_over && !lane->given_up && (lane->writing || lane->request.len > 0))
            return true;
    }
    return false;
}

/* What a client that goes has sent whole still comes to the server, as by a socket. */
static int pass_requests(struct gate *gate)
{
    weft_scope scope;
    int err = 0;
    weft_scope_enter(&scope, WEFT_SEC(1));
    while (err == 0 && is_passing(gate))
        err = weft_sleep(WEFT_US(100));
    err = weft_scope_exit(&scope, err);
    return err == 0 || err == -ETIMEDOUT ? -EPIPE : err;
}

static int from_client(struct gate *gate)
{
    uint8_t data[16384];
    int err = flush(gate);
    while (err == 0) {
        int64_t n = weft_stream_read(gate->client, data, sizeof data);
        if (n <= 0)
            return n < 0 ? (int)n : pass_requests(gate);
        if (nghttp2_session_mem_recv(gate->session, data, (size_t)n) < 0)
            return -EPROTO;
        err = connect_lanes(gate);
        if (err == 0)
            err = flush(gate);
    }
    return err;
}

static int run_from_client(void *arg)
{
    struct gate *gate = arg;
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    gate->scope = &scope;
    int err = gate->over ? -ECANCELED : from_client(gate);
    gate->scope = NULL;
    weft_scope_exit(&scope, err);
    end(gate);
    gate_unref(gate);
    return 0;
}

/* ---- beginning ---- */

static void make_session(struct gate *gate)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    const nghttp2_settings_entry streams = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                            gate->serve != NULL ? STREAMS : 1};
    ASSERT_INT_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
    ASSERT_INT_EQ(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, 2 * HEAD_MAX);
    ASSERT_INT_EQ(nghttp2_session_server_new2(&gate->session, callbacks, gate, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(gate->session, 0, &streams, 1);
}

static struct gate *gate_new(weft_group *group, weft_stream *client, weft_serve_fn serve, void *arg)
{
    struct gate *gate = calloc(1, sizeof *gate);
    ASSERT(gate != NULL);
    gate->users = 1;
    gate->group = group;
    gate->client = client;
    gate->serve = serve;
    gate->arg = arg;
    make_session(gate);
    return gate;
}

static int gate_start(struct gate *gate)
{
    gate->users++;
    int err = weft_group_spawn(gate->group, run_from_client, gate);
    if (err < 0) {
        gate->users--;
        end(gate);
    }
    return err;
}

int gate_open(weft_group *group, weft_stream *client, size_t capacity, weft_stream **ret)
{
    weft_stream *far;
    struct gate *gate = gate_new(group, client, NULL, NULL);
    int err = connect_lane(lane_new(gate), capacity, &far);
    if (err < 0) {
        end(gate);
    } else {
        err = gate_start(gate);
        if (err < 0)
            weft_stream_free(far);
    }
    gate_unref(gate);
    if (err == 0)
        *ret = far;
    return err;
}

int gate_serve(weft_group *group, weft_stream *client, weft_serve_fn serve, void *arg)
{
    struct gate *gate = gate_new(group, client, serve, arg);
    int err = gate_start(gate);
    gate_unref(gate);
    return err;
}

void gate_dial(weft_client *client,
               int (*dial)(void *userdata, const weft_url *url, weft_stream **ret), void *userdata)
{
    client->dial = dial;
    client->dial_userdata = userdata;
    if (test_is_over_h2())
        client->http = WEFT__HTTP_2;
}

int gate_pair(weft_group *group, size_t capacity, weft_stream **near, weft_stream **far)
{
    weft_stream *client;
    weft_stream *server;
    int err = weft_stream_pair(capacity, &client, &server);
    if (err == 0 && test_is_over_h2()) {
        err = gate_open(group, server, capacity, &server);
        if (err < 0)
            weft_stream_free(client);
    }
    if (err == 0) {
        *near = client;
        *far = server;
    }
    return err;
}

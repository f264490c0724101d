/*
 * mock.c - a transport that is a function in memory.
 *
 * A connection to it is one stream without a task behind it: what is written is parsed as a
 * request, and the read that finds a whole one calls the handler.  So the handler runs in the
 * task of the client, is cancelled with it, and works outside tasks just as well.
 */
#include <errno.h>
#include <string.h>

#include <weft/mock.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "client/way.h"
#include "proto/h1.h"
#include "run/run_int.h"

enum { PIECE = 16 * 1024 };

struct mock {
    weft_transport base; /* first: freed as it */
    weft_mock_handler handler;
    void *userdata;
};

struct weft_mock_request {
    char *method;
    char *url;
    weft_headers headers;
    struct weft__buf body;
};

struct weft_mock_reply {
    int status;
    weft_headers headers;
    struct weft__buf body;
    int64_t (*read)(void *userdata, void *data, size_t len); /* instead of body */
    void *userdata;
};

/* One connection. */
struct line {
    const struct mock *mock;
    weft_transport *held;
    char *origin;         /* "https://host:port" */
    struct weft__buf in;  /* of requests, not parsed yet */
    struct weft__buf out; /* of replies, not read yet */
    struct weft__list readers;
    struct weft__h1_head head;
    struct weft__h1_body framing;
    bool has_head; /* of a request whose body is coming */
    bool pending;  /* a whole request that is not answered: the read was cancelled */
    bool closed;
    bool aborted;
    weft_scope *reading;
    int64_t read_timeout;
    weft_mock_request request;
    weft_mock_reply reply; /* read: not over yet */
};

static const struct weft__h1_limits limits = {
    .start_line = WEFT__LIMIT_URL + 64,
    .head = WEFT__LIMIT_HEADERS,
    .field = WEFT__LIMIT_HEADERS,
    .fields = 65536,
};

/* ---- the request ---- */

static int append(struct weft__buf *buf, const void *data, size_t len)
{
    int err = weft__buf_append(buf, data, len);
    if (err == -EMSGSIZE)
        return weft__fail(WEFT_EBODY_TOO_LARGE, "more than %zu bytes for a mock", buf->max);
    return err < 0 ? weft__fail_nomem() : 0;
}

static void forget_request(weft_mock_request *request)
{
    weft__free(request->method);
    weft__free(request->url);
    request->method = NULL;
    request->url = NULL;
    weft__headers_reset(&request->headers);
    weft__buf_clear(&request->body);
}

static int take_head(struct line *line)
{
    const struct weft__h1_head *head = &line->head;
    weft_mock_request *request = &line->request;
    const char *origin = head->form == WEFT__H1_ABSOLUTE ? "" : line->origin;
    forget_request(request);
    request->method = weft__strndup(head->method.data, head->method.len);
    request->url = weft__asprintf("%s%.*s", origin, (int)head->target.len, head->target.data);
    if (request->method == NULL || request->url == NULL)
        return weft__fail_nomem();
    int err = weft__h1_head_copy(head, &request->headers);
    if (err < 0)
        return err;
    weft__h1_body_init(&line->framing, head->body, head->content_length, NULL);
    line->has_head = true;
    return head->expect_continue ? append(&line->out, "HTTP/1.1 100 Continue\r\n\r\n", 25) : 0;
}

/* What has come of the body: 1 at its end. */
static int take_body(struct line *line)
{
    for (;;) {
        size_t taken;
        const char *data;
        size_t len;
        int n = weft__h1_body_next(&line->framing, weft__buf_bytes(&line->in), line->in.len, &taken,
                                   &data, &len);
        int err = n == WEFT__H1_DATA ? append(&line->request.body, data, len) : 0;
        if (n < 0 || err < 0)
            return n < 0 ? n : err;
        weft__buf_consume(&line->in, taken);
        if (n == WEFT__H1_MORE && !line->framing.ended)
            return 0;
        if (n == WEFT__H1_DATA && !line->framing.ended)
            continue;
        weft__h1_body_done(&line->framing);
        line->has_head = false;
        return 1;
    }
}

/* 1: a request is whole; 0: more must be written. */
static int take_request(struct line *line)
{
    if (line->in.len == 0 && !line->has_head)
        return 0;
    if (!line->has_head) {
        int n =
            weft__h1_parse_request(&line->head, weft__buf_bytes(&line->in), line->in.len, &limits);
        if (n <= 0)
            return n;
        int err = take_head(line);
        weft__buf_consume(&line->in, (size_t)n);
        weft__h1_head_reset(&line->head, NULL);
        if (err < 0)
            return err;
    }
    return take_body(line);
}

/* ---- the reply ---- */

static bool has_no_body(const struct line *line)
{
    int status = line->reply.status;
    return strcmp(line->request.method, "HEAD") == 0 || status == 204 || status == 304;
}

static int write_reply(struct line *line)
{
    weft_mock_reply *reply = &line->reply;
    bool streams = reply->read != NULL;
    enum weft__h1_body_kind kind = streams ? WEFT__H1_CHUNKED : WEFT__H1_LENGTH;
    bool bare = has_no_body(line);
    if (bare && reply->body.len == 0 && reply->status != 200)
        kind = WEFT__H1_NONE;
    int err = weft__h1_write_response(&line->out, reply->status, NULL, &reply->headers, kind,
                                      reply->body.len, false);
    if (bare)
        reply->read = NULL;
    else if (err == 0 && !streams)
        err = append(&line->out, weft__buf_bytes(&reply->body), reply->body.len);
    weft__buf_clear(&reply->body);
    weft__headers_reset(&reply->headers);
    return err;
}

static int answer(struct line *line)
{
    struct weft__buf *body = &line->request.body;
    if (weft__buf_append_char(body, '\0') < 0)
        return weft__fail_nomem();
    body->len--;
    line->reply.status = 200;
    int err = line->mock->handler(&line->request, &line->reply, line->mock->userdata);
    line->pending = err == -ECANCELED;
    if (line->pending) {
        weft__buf_clear(&line->reply.body);
        weft__headers_reset(&line->reply.headers);
        line->reply.read = NULL;
        return err;
    }
    if (err < 0) {
        if (weft__context_get()->error_code != err)
            weft__fail_code(err);
        line->closed = true;
        return err;
    }
    return write_reply(line);
}

/* The next piece of a body that is a function. */
static int pull(struct line *line)
{
    weft_mock_reply *reply = &line->reply;
    char head[WEFT__CHUNK_HEAD_MAX];
    char data[PIECE];
    int64_t n = reply->read(reply->userdata, data, sizeof data);
    if (n == -ECANCELED)
        return (int)n;
    if (n <= 0)
        reply->read = NULL;
    if (n < 0) {
        line->closed = true;
        return weft__context_get()->error_code == n ? (int)n : weft__fail_code((int)n);
    }
    if (n == 0)
        return append(&line->out, WEFT__CHUNK_END, strlen(WEFT__CHUNK_END));
    if ((size_t)n > sizeof data)
        return weft__fail(-EINVAL, "the body of a mock gave more than it was asked for");
    size_t len = weft__chunk_head((uint64_t)n, head);
    int err = append(&line->out, head, len);
    if (err == 0)
        err = append(&line->out, data, (size_t)n);
    return err < 0 ? err : append(&line->out, "\r\n", 2);
}

/* ---- the stream ---- */

static int make_output(struct line *line)
{
    while (line->out.len == 0 && !line->closed) {
        int err = 1;
        if (line->reply.read != NULL)
            err = pull(line);
        else if (!line->pending)
            err = take_request(line);
        if (err == 1 && line->reply.read == NULL)
            err = answer(line);
        if (err < 0)
            return err;
        if (line->out.len > 0 || line->reply.read != NULL)
            continue;
        struct weft__waiter waiter;
        err = (int)weft__waitq_wait(&line->readers, &waiter, "read");
        if (err < 0)
            return err;
    }
    return 0;
}

static int64_t line_read(void *self, void *data, size_t len)
{
    struct line *line = self;
    struct weft_task *task = weft__self();
    int err = task != NULL ? weft__checkpoint(task) : weft__context_get()->error_code;
    if (err < 0)
        return err;
    if (line->out.len == 0) {
        weft_scope scope;
        weft_scope_enter(&scope, line->read_timeout);
        line->reading = &scope;
        err = make_output(line);
        line->reading = NULL;
        err = weft_scope_exit(&scope, err);
        if (line->aborted)
            return weft__fail_code(WEFT_ECLOSED);
        if (err == -ETIMEDOUT)
            return weft__fail(WEFT_EREAD_TIMEOUT, "a mock gave nothing for %.6g s",
                              (double)line->read_timeout * 1e-9);
    }
    if (err < 0)
        return err;
    size_t n = len < line->out.len ? len : line->out.len;
    if (n > 0)
        memcpy(data, weft__buf_bytes(&line->out), n);
    weft__buf_consume(&line->out, n);
    return (int64_t)n;
}

static int line_writev(void *self, const weft_slice *slices, size_t n)
{
    struct line *line = self;
    struct weft_task *task = weft__self();
    int err = task != NULL ? weft__checkpoint(task) : weft__context_get()->error_code;
    if (err == 0 && line->closed)
        err = weft__fail(-EPIPE, "write to a mock that has ended the connection");
    for (size_t i = 0; err == 0 && i < n; i++)
        err = append(&line->in, slices[i].data, slices[i].len);
    weft__waitq_wake_all(&line->readers, 0);
    return err;
}

static void line_set_timeout(void *self, int64_t read, int64_t write)
{
    struct line *line = self;
    (void)write;
    line->read_timeout = read > 0 ? read : WEFT_FOREVER;
}

static int line_close(void *self)
{
    struct line *line = self;
    line->closed = true;
    weft__waitq_wake_all(&line->readers, 0);
    return 0;
}

static void line_abort(void *self)
{
    struct line *line = self;
    line->aborted = true;
    line_close(line);
    if (line->reading != NULL)
        weft_scope_cancel(line->reading, "the connection is aborted");
}

static int line_is_quiet(void *self)
{
    const struct line *line = self;
    return line->out.len == 0 && line->in.len == 0 && line->reply.read == NULL && !line->closed;
}

static void line_free(void *self)
{
    struct line *line = self;
    forget_request(&line->request);
    weft__headers_done(&line->request.headers);
    weft__buf_done(&line->request.body);
    weft__headers_done(&line->reply.headers);
    weft__buf_done(&line->reply.body);
    if (line->has_head)
        weft__h1_body_done(&line->framing);
    weft__h1_head_done(&line->head);
    weft__buf_done(&line->in);
    weft__buf_done(&line->out);
    weft__free(line->origin);
    weft_transport_free(line->held);
    weft__free(line);
}

static const weft_stream_ops line_ops = {
    .size = sizeof line_ops,
    .name = "mock",
    .read = line_read,
    .writev = line_writev,
    .set_timeout = line_set_timeout,
    .close = line_close,
    .free = line_free,
    .is_quiet = line_is_quiet,
    .abort = line_abort,
};

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct mock *mock = userdata;
    struct line *line = weft__calloc(1, sizeof *line);
    if (line == NULL)
        return weft__fail_nomem();
    line->mock = mock;
    line->held = weft__transport_ref(&mock->base);
    line->read_timeout = WEFT_FOREVER;
    weft__list_init(&line->readers);
    weft__buf_init(&line->in, WEFT__LIMIT_BODY_MAX);
    weft__buf_init(&line->out, SIZE_MAX);
    weft__buf_init(&line->request.body, WEFT__LIMIT_BODY_MAX + 1UL);
    weft__buf_init(&line->reply.body, WEFT__LIMIT_BODY_MAX);
    weft__headers_init(&line->request.headers);
    weft__headers_init(&line->reply.headers);
    weft__h1_head_init(&line->head);
    weft__h1_head_reset(&line->head, NULL);
    line->origin = weft__asprintf("%s://%s", weft_url_scheme(url), weft_url_authority(url));
    if (line->origin == NULL) {
        line_free(line);
        return weft__fail_nomem();
    }
    return weft_stream_new(&line_ops, line, ret);
}

int weft_mock_new(weft_mock_handler handler, void *userdata, weft_transport **ret)
{
    if (handler == NULL)
        return weft__fail(-EINVAL, "a mock without a handler");
    struct mock *mock = weft__calloc(1, sizeof *mock);
    if (mock == NULL)
        return weft__fail_nomem();
    atomic_init(&mock->base.refs, 1);
    mock->base.dial = dial;
    mock->base.userdata = mock;
    mock->handler = handler;
    mock->userdata = userdata;
    *ret = &mock->base;
    return 0;
}

/* ---- what handlers ask and say ---- */

const char *weft_mock_request_method(const weft_mock_request *request)
{
    return request->method;
}

const char *weft_mock_request_url(const weft_mock_request *request)
{
    return request->url;
}

const weft_headers *weft_mock_request_headers(const weft_mock_request *request)
{
    return &request->headers;
}

const char *weft_mock_request_header(const weft_mock_request *request, const char *name)
{
    return weft_headers_get(&request->headers, name);
}

const char *weft_mock_request_body(const weft_mock_request *request, size_t *ret_len)
{
    if (ret_len != NULL)
        *ret_len = request->body.len;
    return weft__buf_bytes(&request->body);
}

int weft_mock_reply_status(weft_mock_reply *reply, int status)
{
    if (status < 200 || status > 999)
        return weft__fail(-EINVAL, "%d is not a status of a reply", status);
    reply->status = status;
    return 0;
}

int weft_mock_reply_header(weft_mock_reply *reply, const char *name, const char *value)
{
    return weft_headers_add(&reply->headers, name, value);
}

int weft_mock_reply_write(weft_mock_reply *reply, const void *data, size_t len)
{
    if (reply->read != NULL)
        return weft__fail(-EINVAL, "the body of the reply is a function already");
    return append(&reply->body, data, len);
}

int weft_mock_reply_text(weft_mock_reply *reply, int status, const char *text)
{
    int err = weft_mock_reply_status(reply, status);
    if (err == 0 && weft_headers_get(&reply->headers, "content-type") == NULL)
        err = weft_mock_reply_header(reply, "Content-Type", "text/plain; charset=utf-8");
    return err < 0 ? err : weft_mock_reply_write(reply, text, strlen(text));
}

int weft_mock_reply_stream(weft_mock_reply *reply,
                           int64_t (*read)(void *userdata, void *data, size_t len), void *userdata)
{
    if (read == NULL || reply->body.len > 0)
        return weft__fail(-EINVAL, read == NULL ? "a body without a function"
                                                : "the body of the reply has begun");
    reply->read = read;
    reply->userdata = userdata;
    return 0;
}

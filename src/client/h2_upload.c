/*
 * h2_upload.c - the body of a request over HTTP/2 (RFC 9113 8.1).
 *
 * A body in memory whose response is left to the caller, or a small one, is sent by the call's
 * own task: it is the caller's again when the call returns.  What comes of the response meanwhile
 * is set aside when that would stand still otherwise: a server that answers while it reads may
 * read no further before its answer is taken.
 *
 * One that comes by pieces, and a large one, is sent by a task of its own, beside whoever waits
 * for the response and reads it.  As long as its call has not returned it is attached: it looks
 * into the call and is ended with it.  Where a call returns a response while the body still goes,
 * the upload takes with it what it needs, and goes on until the response is let go of; that waits
 * for its end.  So the caller's function is in use for as long as the response is, and not a
 * moment longer.
 *
 * An answer that is no success, or the end of the stream, ends either: the body has no business
 * any more.  What was not sent is given up when the stream is freed.  A success that is whole
 * ends neither: a server that wants no more of the body says so by RST_STREAM(NO_ERROR).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "client/h2_int.h"

struct weft__h2_upload {
    struct weft__light *light;   /* NULL: let go of by its own function */
    struct weft__call *call;     /* while it is attached */
    struct weft__segments *kept; /* the call's, once it is not */
    struct weft__sending sending;
    struct weft__h2_waiter room;
    struct weft__wait *ender; /* who waits for its end */
    const struct weft_task *task;
    int64_t deadline;
    int64_t total; /* as given, for the message */
    int err;       /* why it has failed */
    bool given_up;
    bool over;
    char message[WEFT__ERROR_TEXT_MAX];
};

/* ---- the body as a stream that it is written to ---- */

static int set_aside(struct weft__light *light)
{
    const char *data;
    size_t len = weft__h2_data(light->stream, &data);
    size_t room = light->aside.max - light->aside.len;
    if (len > room)
        len = room;
    if (len == 0)
        return 0;
    int err = weft__buf_append(&light->aside, data, len);
    if (err == 0)
        weft__h2_consume(light->stream, len);
    return err == -ENOMEM ? weft__fail_nomem() : err;
}

static int wait_room_in_call(struct weft__light *light)
{
    int err = set_aside(light);
    return err < 0 ? err
                   : weft__h2_wait(&light->reader, light->conn.write_timeout, "HTTP/2 window");
}

/*
 * A server that cannot write before it is read, and reads no further meanwhile, is no reason to
 * give up: the time counts from when the caller has last taken something.
 */
static int wait_room_beside(struct weft__light *light)
{
    int err;
    do {
        light->taken = false;
        err = weft__h2_wait(&light->upload->room, light->conn.write_timeout, "HTTP/2 window");
    } while (err == -ETIMEDOUT && (light->taken || weft__h2_is_full(light->stream)));
    return err;
}

static int wait_room(struct weft__light *light)
{
    int err = light->upload != NULL ? wait_room_beside(light) : wait_room_in_call(light);
    if (err != -ETIMEDOUT)
        return err;
    return weft__h2_timed_out(&light->conn, WEFT_EWRITE_TIMEOUT, light->conn.write_timeout);
}

static int write_slice(struct weft__light *light, const char *data, size_t len)
{
    while (len > 0) {
        int64_t n = weft__h2_write(light->stream, data, len);
        if (n < 0)
            return (int)n;
        int err = n == 0 ? wait_room(light) : 0;
        if (err < 0)
            return err;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Once it is cancelled, there may be no light any more. */
static int body_writev(void *self, const weft_slice *slices, size_t n)
{
    int err = weft_checkpoint();
    for (size_t i = 0; i < n && err == 0; i++)
        err = write_slice(self, slices[i].data, slices[i].len);
    return err;
}

static int64_t body_read(void *self, void *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
    return 0;
}

static void body_free(void *self)
{
    (void)self;
}

static const weft_stream_ops body_ops = {
    .size = sizeof body_ops,
    .name = "HTTP/2 request",
    .read = body_read,
    .writev = body_writev,
    .free = body_free,
};

static int send_all(struct weft__light *light, struct weft__sending *sending)
{
    const struct weft__buf none = {0};
    weft_stream *stream;
    int err = weft_stream_new(&body_ops, light, &stream);
    if (err < 0)
        return err;
    err = weft__sending_run(sending, stream, &none);
    weft_stream_free(stream);
    if (err == 0)
        err = weft_checkpoint();
    return err < 0 ? err : weft__h2_write_end(light->stream);
}

/* A server that is stuck, but has said all, has not failed. */
static void look_at_error(struct weft__light *light, const struct weft__sending *sending, int err)
{
    if (err == WEFT_EWRITE_TIMEOUT && !sending->failed && weft__h2_is_ended(light->stream))
        light->early = true;
}

/* ---- in the call's task ---- */

static int send_in_call(struct weft__light *light, struct weft__call *call)
{
    struct weft__sending sending;
    weft_scope scope;
    weft__sending_init(&sending, call);
    weft_scope_enter(&scope, WEFT_FOREVER);
    light->uploading = &scope;
    int err = send_all(light, &sending);
    light->uploading = NULL;
    look_at_error(light, &sending, err);
    call->body_failed = call->body_failed || sending.failed;
    return weft_scope_exit(&scope, err);
}

/* ---- in a task of its own ---- */

static void upload_free(struct weft__h2_upload *upload)
{
    weft__segments_free(upload->kept);
    weft__free(upload);
}

/* Of a response that somebody has already, nothing more is to come. */
static void fail(struct weft__h2_upload *upload, int err)
{
    struct weft__light *light = upload->light;
    const char *message = weft_error_message();
    size_t len = strnlen(message, sizeof upload->message - 1);
    memcpy(upload->message, message, len);
    upload->message[len] = '\0';
    upload->err = err;
    if (upload->call != NULL)
        upload->call->body_failed = upload->sending.failed;
    if (weft__h2_status(light->stream) != 0)
        weft__h2_reset(light->stream, WEFT__H2_CANCEL);
}

static void ended(struct weft__h2_upload *upload, int err)
{
    struct weft__light *light = upload->light;
    upload->over = true;
    if (light == NULL) {
        upload_free(upload);
        return;
    }
    light->uploading = NULL;
    look_at_error(light, &upload->sending, err);
    if (err < 0 && !upload->given_up && !light->early)
        fail(upload, err);
    if (upload->ender != NULL)
        weft__wake(upload->ender->task, 0);
    else
        weft__h2_wake(&light->reader, 0);
}

static int run(void *arg)
{
    struct weft__h2_upload *upload = arg;
    struct weft__light *light = upload->light;
    weft_scope scope;
    upload->task = weft__self();
    weft_scope_enter_at(&scope, upload->deadline);
    light->uploading = &scope;
    if (upload->given_up)
        weft_scope_cancel(&scope, "nobody waits for the answer any more");
    else
        weft__h2_on_stream(light->stream, light); /* it may have happened before this task began */
    int err = send_all(light, &upload->sending);
    bool cancelled = err == -ECANCELED;
    err = weft_scope_exit(&scope, err);
    if (cancelled && err == -ETIMEDOUT)
        err = weft__fail(WEFT_ETOTAL_TIMEOUT, "the request's total time of %.6g s is over",
                         (double)upload->total * 1e-9);
    ended(upload, err);
    return 0;
}

/*
 * It runs the caller's function, and belongs where his background tasks do; when these are being
 * ended, one of them may still have something to say.
 */
static int begin(struct weft__light *light, struct weft__call *call)
{
    struct weft__loop *loop = weft__self()->loop;
    struct weft__group *group = loop->background;
    struct weft__h2_upload *upload = weft__calloc(1, sizeof *upload);
    if (upload == NULL)
        return weft__fail_nomem();
    upload->light = light;
    upload->call = call;
    upload->total = call->settings.total;
    upload->deadline = WEFT_FOREVER;
    if (upload->total != WEFT_FOREVER)
        upload->deadline = call->started + upload->total;
    weft__sending_init(&upload->sending, call);
    light->upload = upload;
    if (group->scope.cancelled)
        group = &loop->own_background;
    int err = weft__group_spawn(group, run, upload, WEFT_SPAWN(.name = "HTTP/2 upload"), NULL);
    if (err < 0) {
        light->upload = NULL;
        weft__free(upload);
        return err;
    }
    call->body_used = true;
    return 0;
}

/* Until the body is sent, or there is the head of an answer: whatever comes first. */
static int send_beside(struct weft__light *light, struct weft__call *call)
{
    int err = begin(light, call);
    while (err == 0 && weft__h2_upload_runs(light) && !light->early &&
           weft__h2_status(light->stream) == 0) {
        err = weft__h2_failure(light);
        if (err == 0)
            err = weft__h2_wait(&light->reader, WEFT_FOREVER, "HTTP/2 response");
    }
    if (err == 0)
        err = weft__h2_upload_error(light);
    if (err < 0 || light->early || !weft__h2_upload_runs(light))
        weft__h2_upload_end(light);
    return err;
}

/* What is read whole need not be set aside; what the caller has in memory stands until then. */
static bool goes_beside(const struct weft__call *call)
{
    return call->reads_body || (!call->stream && call->body_len > WEFT__LIMIT_H2_WRITE);
}

int weft__h2_send(struct weft__light *light, struct weft__call *call)
{
    return goes_beside(call) ? send_beside(light, call) : send_in_call(light, call);
}

/* ---- what others want of it ---- */

/* Of the child of a fork nothing can be waited for; a function that does this cannot wait either. */
static bool can_wait_for(const struct weft__h2_upload *upload)
{
    const struct weft_task *self = weft__self();
    return upload->task != self && !self->loop->forked;
}

void weft__h2_upload_wake(struct weft__light *light)
{
    if (light->upload != NULL)
        weft__h2_wake(&light->upload->room, 0);
}

bool weft__h2_upload_runs(const struct weft__light *light)
{
    return light->upload != NULL && !light->upload->over;
}

bool weft__h2_upload_has_failed(const struct weft__light *light)
{
    return light->upload != NULL && light->upload->err < 0;
}

bool weft__h2_upload_is_own(const struct weft__light *light)
{
    return weft__h2_upload_runs(light) && !can_wait_for(light->upload);
}

bool weft__h2_upload_is_attached(const struct weft__light *light)
{
    return light->upload != NULL && light->upload->call != NULL;
}

int weft__h2_upload_error(const struct weft__light *light)
{
    const struct weft__h2_upload *upload = light->upload;
    return weft__h2_upload_has_failed(light) ? weft__fail(upload->err, "%s", upload->message) : 0;
}

int weft__h2_upload_detach(struct weft__light *light, struct weft__call *call)
{
    struct weft__h2_upload *upload = light->upload;
    if (upload == NULL)
        return 0;
    int err = call->segments != NULL ? weft__segments_keep(call->segments) : 0;
    if (err < 0)
        return err;
    upload->kept = call->segments;
    call->segments = NULL;
    upload->call = NULL;
    return 0;
}

static void wait_for_end(struct weft__h2_upload *upload)
{
    struct weft_task *self = weft__self();
    struct weft__wait wait = {.what = "end of an HTTP/2 upload"};
    upload->ender = &wait;
    while (!upload->over)
        weft__park(self, &wait);
}

void weft__h2_upload_end(struct weft__light *light)
{
    struct weft__h2_upload *upload = light->upload;
    if (upload == NULL)
        return;
    upload->given_up = true;
    if (light->uploading != NULL)
        weft_scope_cancel(light->uploading, "nobody waits for the answer any more");
    if (!upload->over && !can_wait_for(upload)) {
        upload->light = NULL;
        light->upload = NULL;
        light->uploading = NULL;
        return;
    }
    if (!upload->over)
        wait_for_end(upload);
    light->upload = NULL;
    upload_free(upload);
}

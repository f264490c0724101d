/*
 * loop_call.c - a function run as a task of another loop, whose result the caller waits for.
 *
 * Three messages: begin and cancel to the other loop, done to the caller's.  The last party to
 * be through with the call frees it: the caller, the task, or a cancel that came too late.
 */
#include <errno.h>

#include "base/alloc.h"
#include "thread/thread_int.h"

struct loop_call {
    atomic_int refs;
    struct weft__post begin;
    struct weft__post cancel;
    struct weft__post done;
    struct weft__wait wait;    /* of the caller */
    struct weft__inbox *there; /* the loop that is called */
    struct weft__inbox *here;
    bool told; /* cancel is under way; on the caller's thread */
    weft_fn fn;
    void *arg;
    struct weft__context error;
    int result;
    bool cancelled; /* this and the next two on the other loop's thread */
    bool inside;
    weft_scope scope;
};

static void call_unref(struct loop_call *call)
{
    if (atomic_fetch_sub(&call->refs, 1) != 1)
        return;
    weft__error_done(&call->error);
    weft__free(call);
}

/* ---- on the loop that is called ---- */

static void call_end(struct loop_call *call, int result)
{
    call->result = result;
    if (result < 0)
        weft__error_move(&call->error, weft__context_get());
    weft__inbox_post(call->here, &call->done);
    call_unref(call);
}

/* Its error is the caller's business, not the loop's. */
static int call_task(void *arg)
{
    struct loop_call *call = arg;
    weft_scope_enter(&call->scope, WEFT_FOREVER);
    call->inside = true;
    if (call->cancelled)
        weft_scope_cancel(&call->scope, "the call from another loop was cancelled");
    int result = weft_checkpoint();
    if (result == 0)
        result = call->fn(call->arg);
    call->inside = false;
    int left = weft_scope_exit(&call->scope, result);
    call_end(call, left < 0 ? left : result);
    return 0;
}

static void call_begins(struct weft__post *post)
{
    struct loop_call *call = WEFT__CONTAINER(post, struct loop_call, begin);
    struct weft__loop *loop = weft__loop_current;
    /* The spawn shall look: no task runs while messages are handled. */
    loop->special = 1;
    int err = weft_background_spawn(call_task, call, WEFT_SPAWN(.name = "call from a thread"));
    weft__loop_set_special(loop);
    if (err == -EINVAL)
        err = weft__fail(WEFT_ECLOSED, "the loop that the call is for has ended");
    if (err < 0)
        call_end(call, err);
}

static void call_is_cancelled(struct weft__post *post)
{
    struct loop_call *call = WEFT__CONTAINER(post, struct loop_call, cancel);
    call->cancelled = true;
    if (call->inside)
        weft_scope_cancel(&call->scope, "the call from another loop was cancelled");
    call_unref(call);
}

/* ---- on the caller's ---- */

static void call_done(struct weft__post *post)
{
    weft__wake(WEFT__CONTAINER(post, struct loop_call, done)->wait.task, 0);
}

static void caller_cancelled(struct weft__wait *wait, int code)
{
    struct loop_call *call = WEFT__CONTAINER(wait, struct loop_call, wait);
    (void)code;
    if (call->told)
        return;
    call->told = true;
    atomic_fetch_add(&call->refs, 1);
    if (weft__inbox_post(call->there, &call->cancel) < 0)
        call_unref(call);
}

int weft_loop_call(weft_loop *loop, weft_fn fn, void *arg)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    if (fn == NULL)
        return weft__fail(-EINVAL, "weft_loop_call without a function");
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    struct loop_call *call = weft__calloc(1, sizeof *call);
    if (call == NULL)
        return weft__fail_nomem();
    atomic_init(&call->refs, 2);
    call->begin.fn = call_begins;
    call->cancel.fn = call_is_cancelled;
    call->done.fn = call_done;
    call->there = weft__inbox_of(loop);
    call->here = self->loop->inbox;
    call->fn = fn;
    call->arg = arg;
    call->wait = (struct weft__wait){.cancel = caller_cancelled, .task = self, .what = "loop call"};
    if (weft__inbox_post(call->there, &call->begin) < 0) {
        weft__free(call);
        return weft__fail(WEFT_ECLOSED, "the loop that the call is for has ended");
    }
    /* Of another loop's progress this one knows nothing; the own one has it in its tasks. */
    size_t pending = call->there != call->here;
    self->loop->n_pending += pending;
    weft__park(self, &call->wait);
    self->loop->n_pending -= pending;
    err = call->result;
    if (err < 0)
        weft__error_move(&self->context, &call->error);
    call_unref(call);
    return err;
}

/*
 * op.c - operations: what is common to all back ends.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "run/debug_int.h"
#include "run/run_int.h"

int weft__fd_init(struct weft__fd *fd, int descriptor)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return weft__context_get()->error_code;
    *fd = (struct weft__fd){
        .loop = loop,
        .fd = descriptor,
        .maybe_readable = true,
        .maybe_writable = true,
    };
    return 0;
}

void weft__fd_detach(struct weft__fd *fd)
{
    assert(fd->reader == NULL && fd->writer == NULL);
    /* An epoll instance is shared with the child of a fork: it must not touch it. */
    if (fd->loop->backend->forget != NULL && !fd->loop->forked)
        fd->loop->backend->forget(fd->loop, fd);
}

void weft__fd_close(struct weft__fd *fd)
{
    if (fd->fd < 0)
        return;
    weft__fd_detach(fd);
    if (fd->fd < WEFT__SIM_FD)
        close(fd->fd);
    fd->fd = -1;
}

bool weft__loop_has_opcode(const struct weft__loop *loop, uint8_t opcode)
{
    return loop->backend->has_opcode != NULL && loop->backend->has_opcode(loop, opcode);
}

void weft__op_cancel(struct weft__op *op)
{
    if (!op->in_flight || op->cancelling)
        return;
    op->cancelling = true;
    if (weft__timer_is_started(&op->later)) {
        weft__timer_stop(&op->loop->timers, &op->later);
        op->loop->n_pending++;
        weft__op_finish(op, -ECANCELED);
        return;
    }
    op->loop->backend->cancel(op->loop, op);
}

static void op_wait_cancelled(struct weft__wait *wait, int code)
{
    (void)code;
    weft__op_cancel(WEFT__CONTAINER(wait, struct weft__op, wait));
}

const struct weft__op *weft__op_of_wait(const struct weft__wait *wait)
{
    return wait->cancel == op_wait_cancelled ? WEFT__CONTAINER(wait, const struct weft__op, wait)
                                             : NULL;
}

static void op_timed_out(struct weft__timer *timer)
{
    struct weft__op *op = WEFT__CONTAINER(timer, struct weft__op, timer);
    op->timed_out = true;
    weft__op_cancel(op);
}

void weft__op_finish(struct weft__op *op, int64_t result)
{
    assert(op->in_flight);
    op->in_flight = false;
    op->loop->n_pending--;
    op->result = result;
    if (op->done != NULL)
        op->done(op);
    else
        weft__wake(op->wait.task, 0);
}

static const char *what_of(const struct weft__op *op)
{
    static const char *const names[] = {
        [WEFT__OP_RECV] = "read",       [WEFT__OP_SEND] = "write", [WEFT__OP_ACCEPT] = "accept",
        [WEFT__OP_CONNECT] = "connect", [WEFT__OP_POLL] = "poll",  [WEFT__OP_RING] = "file",
    };
    return names[op->kind];
}

static void begin(struct weft__op *op, struct weft__loop *loop)
{
    op->loop = loop;
    op->cancelling = false;
    op->timed_out = false;
    op->progress = 0;
    op->limit = 0;
    op->later.index = 0;
    op->in_flight = true;
    loop->n_pending++;
}

/* True if the operation has ended already: then op->result is set. */
static bool start(struct weft__loop *loop, struct weft__op *op)
{
    bool ended;
    if (weft__faults_any() && weft__op_fault(loop, op, &ended))
        return ended;
    return loop->backend->start(loop, op);
}

int64_t weft__op_run(struct weft__op *op, int64_t timeout)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    struct weft__loop *loop = self->loop;
    /* Before the start: an operation that has begun may already have taken data. */
    if (timeout != WEFT_FOREVER && weft__timers_reserve(&loop->timers) < 0)
        return -ENOMEM;
    op->done = NULL;
    op->wait.cancel = op_wait_cancelled;
    op->wait.what = what_of(op);
    begin(op, loop);
    if (start(loop, op)) {
        op->in_flight = false;
        loop->n_pending--;
        /* A descriptor that is always ready must not keep the others waiting. */
        weft__loop_spend(loop, 1);
        if (loop->budget <= 0)
            weft__yield(self);
        return op->result;
    }
    op->timer.fire = op_timed_out;
    op->timer.index = 0;
    if (timeout != WEFT_FOREVER) {
        int64_t when = weft__clock_add(weft__loop_now(loop), timeout);
        weft__timer_start(&loop->timers, &op->timer, when);
    }
    weft__park(self, &op->wait);
    weft__timer_stop(&loop->timers, &op->timer);
    if (op->result == -ECANCELED && op->timed_out && !self->cancelled)
        return -ETIMEDOUT;
    return op->result;
}

void weft__op_start(struct weft__op *op)
{
    struct weft__loop *loop = op->fd != NULL ? op->fd->loop : weft__loop_current;
    assert(op->done != NULL);
    begin(op, loop);
    if (start(loop, op))
        weft__op_finish(op, op->result);
}

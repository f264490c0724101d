/* testing_op.c - back-end operations that fail, come short or begin late: weft_testing_fail_op. */
#include <errno.h>

#include "base/clock.h"
#include "base/fault.h"
#include "run/run_int.h"

static const char *name_of(const struct weft__op *op)
{
    switch (op->kind) {
    case WEFT__OP_RECV:
        return "recv";
    case WEFT__OP_SEND:
        return "send";
    case WEFT__OP_ACCEPT:
        return "accept";
    case WEFT__OP_CONNECT:
        return "connect";
    case WEFT__OP_POLL:
        return "poll";
    default:
        return NULL; /* a file's, which the file module has counted */
    }
}

static void begin_late(struct weft__timer *timer)
{
    struct weft__op *op = WEFT__CONTAINER(timer, struct weft__op, later);
    op->loop->n_pending++;
    op->loop->hurry = op->done != NULL;
    if (op->loop->backend->start(op->loop, op))
        weft__op_finish(op, op->result);
}

static bool put_off(struct weft__loop *loop, struct weft__op *op, int64_t delay)
{
    op->later.fire = begin_late;
    int64_t when = weft__clock_add(weft__loop_now(loop), delay);
    if (weft__timer_start(&loop->timers, &op->later, when) < 0) {
        op->result = -ENOMEM;
        return true;
    }
    /* Nothing is under way that the back end knows of: a virtual clock may jump. */
    loop->n_pending--;
    return false;
}

bool weft__op_fault(struct weft__loop *loop, struct weft__op *op, bool *ret_ended)
{
    struct weft__fault fault;
    const char *name = name_of(op);
    do {
        if (name == NULL || !weft__fault_find(name, &fault))
            return false;
    } while (fault.error == -EINTR);
    if (fault.error < 0) {
        op->result = fault.error;
        *ret_ended = true;
        return true;
    }
    if (fault.limit != 0 && op->kind == WEFT__OP_RECV && op->len > fault.limit)
        op->len = fault.limit;
    op->limit = fault.limit;
    if (fault.delay <= 0)
        return false;
    *ret_ended = put_off(loop, op, fault.delay);
    return true;
}

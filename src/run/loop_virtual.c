/*
 * loop_virtual.c - for tests: a clock that stands still while tasks run and jumps to the next
 * timer when all are blocked.  No sockets; offloaded jobs run on real threads, and time does
 * not jump while one is under way.
 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "run/run_int.h"

static int virtual_init(struct weft__loop *loop)
{
    loop->now = WEFT_SEC(1000);
    loop->backend_data = NULL;
    return 0;
}

static void virtual_done(struct weft__loop *loop)
{
    (void)loop;
}

static bool virtual_start(struct weft__loop *loop, struct weft__op *op)
{
    (void)loop;
    op->result = -EOPNOTSUPP;
    return true;
}

static void virtual_cancel(struct weft__loop *loop, struct weft__op *op)
{
    (void)loop;
    (void)op;
}

static void virtual_poll(struct weft__loop *loop, int64_t timeout)
{
    bool jobs = loop->n_pending > 0 || timeout == WEFT_FOREVER;
    if (timeout != 0 && jobs && weft__inbox_sleep(loop->inbox)) {
        struct pollfd pollfd = {.fd = loop->inbox->eventfd, .events = POLLIN};
        poll(&pollfd, 1, -1);
        weft__inbox_woken(loop->inbox);
        weft__inbox_drain(loop->inbox);
        return;
    }
    if (timeout != 0 && !jobs)
        loop->now = weft__clock_add(loop->now, timeout);
}

const struct weft__backend weft__backend_virtual = {
    .name = "virtual",
    .kind = WEFT_BACKEND_VIRTUAL,
    .init = virtual_init,
    .done = virtual_done,
    .start = virtual_start,
    .cancel = virtual_cancel,
    .poll = virtual_poll,
};

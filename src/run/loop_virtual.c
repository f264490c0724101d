/*
 * loop_virtual.c - for tests: a clock that stands still while tasks run and jumps to the next
 * timer when all are blocked.  Sockets are those of the simulated network; offloaded jobs run on
 * real threads, and time does not jump while one is under way.
 */
#include <errno.h>
#include <poll.h>

#include <weft/testing.h>

#include "base/clock.h"
#include "base/rand.h"
#include "run/run_int.h"

/* 2000-01-01: what happens must not hang on the day of the test. */
static const int64_t first_wall = 946684800;
static const int64_t first_now = WEFT_SEC(1000);

/* Of this thread's virtual loop. */
static _Thread_local int64_t wall_begun; /* seconds since 1970 when now was 0 */
static _Thread_local int64_t jump_after; /* ns of real time */

static int64_t virtual_wall(void)
{
    return wall_begun + weft_now() / WEFT_SEC(1);
}

static int virtual_init(struct weft__loop *loop)
{
    loop->now = first_now;
    loop->backend_data = NULL;
    wall_begun = first_wall - first_now / WEFT_SEC(1);
    jump_after = 0;
    weft__clock_wall_from(virtual_wall);
    weft__rand_thread_seed(1);
    return 0;
}

static void virtual_done(struct weft__loop *loop)
{
    (void)loop;
    weft__clock_wall_from(NULL);
    weft__rand_thread_seed(0);
}

static bool virtual_start(struct weft__loop *loop, struct weft__op *op)
{
    (void)loop;
    /* Of a simulated network that was freed, or a real descriptor. */
    bool is_gone = op->fd != NULL && op->fd->fd >= WEFT__SIM_FD;
    op->result = is_gone ? -ENETDOWN : -EOPNOTSUPP;
    return true;
}

static void virtual_cancel(struct weft__loop *loop, struct weft__op *op)
{
    (void)loop;
    (void)op;
}

/* True if a message came; false when the real time is over. */
static bool wait_message(struct weft__loop *loop, int64_t real)
{
    struct pollfd pollfd = {.fd = loop->inbox->eventfd, .events = POLLIN};
    int64_t ms = real == WEFT_FOREVER ? -1 : (real + 999999) / 1000000;
    if (!weft__inbox_sleep(loop->inbox))
        return true;
    int n = poll(&pollfd, 1, ms < 1000000000 ? (int)ms : 1000000000);
    weft__inbox_woken(loop->inbox);
    if (n > 0)
        weft__inbox_drain(loop->inbox);
    return n != 0;
}

static void virtual_poll(struct weft__loop *loop, int64_t timeout)
{
    if (timeout == 0)
        return;
    bool jobs = loop->n_pending > 0 || timeout == WEFT_FOREVER;
    int64_t real = jobs ? WEFT_FOREVER : jump_after;
    if (real != 0 && wait_message(loop, real))
        return;
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

/* ---- for tests ---- */

static int find_virtual(struct weft__loop **ret)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return weft__context_get()->error_code;
    if (loop->backend->kind != WEFT_BACKEND_VIRTUAL)
        return weft__fail(-EOPNOTSUPP, "the clock of this loop is a real one");
    *ret = loop;
    return 0;
}

int weft_testing_advance(int64_t duration)
{
    struct weft__loop *loop = NULL;
    int err = find_virtual(&loop);
    if (err == 0 && duration < 0)
        err = weft__fail(-EINVAL, "the clock does not go back");
    if (err == 0)
        loop->now = weft__clock_add(loop->now, duration);
    return err;
}

int weft_testing_set_autojump(int64_t idle)
{
    struct weft__loop *loop = NULL;
    int err = find_virtual(&loop);
    if (err == 0)
        jump_after = idle > 0 ? idle : 0;
    return err;
}

int weft_testing_set_wall(int64_t seconds)
{
    struct weft__loop *loop = NULL;
    int err = find_virtual(&loop);
    if (err == 0)
        wall_begun = seconds - loop->now / WEFT_SEC(1);
    return err;
}

/* line.c - the queue that every limiter has. */
#include <assert.h>
#include <errno.h>

#include "limit/limit_int.h"

static void fire(struct weft__timer *timer)
{
    struct weft__line *line = WEFT__CONTAINER(timer, struct weft__line, timer);
    weft__line_advance(line, weft__loop_now(line->loop));
}

void weft__line_init(struct weft__line *line, const struct weft__line_ops *ops, size_t max)
{
    *line = (struct weft__line){.max = max, .timer.fire = fire, .ops = ops};
    line->deputy.below = line;
    weft__list_init(&line->deputy.waiter.node);
    weft__list_init(&line->places);
}

static struct weft__place *first_of(const struct weft__line *line)
{
    return WEFT__CONTAINER(line->places.next, struct weft__place, waiter.node);
}

int64_t weft__line_due(struct weft__line *line)
{
    const struct weft__place *place = first_of(line);
    int64_t due = line->ops->due(line, place->n);
    if (due < line->since)
        due = line->since;
    return due > place->not_before ? due : place->not_before;
}

static void push(struct weft__line *line, struct weft__place *place, int64_t now)
{
    if (line->n_waiting == 0)
        line->since = now;
    weft__list_push_back(&line->places, &place->waiter.node);
    line->n_waiting++;
    line->amount += place->n;
    if (place->not_before > line->floor)
        line->floor = place->not_before;
    if (place->waiter.wait.task != NULL || place->below != NULL)
        line->n_tasks++;
}

static void remove_place(struct weft__line *line, struct weft__place *place)
{
    weft__list_remove(&place->waiter.node);
    line->n_waiting--;
    line->amount -= place->n;
    if (place->waiter.wait.task != NULL || place->below != NULL)
        line->n_tasks--;
    if (line->n_waiting == 0)
        line->floor = 0;
}

/* Without a timer nobody would ever be woken: all who wait are told so. */
static void give_up(struct weft__line *line)
{
    struct weft__list *next;
    for (struct weft__list *node = line->places.next; node != &line->places; node = next) {
        struct weft__place *place = WEFT__CONTAINER(node, struct weft__place, waiter.node);
        next = node->next;
        if (place->waiter.wait.task == NULL && place->below == NULL)
            continue;
        remove_place(line, place);
        if (place->below != NULL)
            give_up(place->below);
        else
            weft__wake(place->waiter.wait.task, -ENOMEM);
    }
}

static void arm(struct weft__line *line, int64_t when)
{
    if (line->loop == NULL)
        return;
    if (line->n_tasks == 0 || when == WEFT_FOREVER)
        weft__timer_stop(&line->loop->timers, &line->timer);
    else if (weft__timer_is_started(&line->timer) && line->timer.when == when)
        return;
    else if (weft__timer_start(&line->loop->timers, &line->timer, when) < 0)
        give_up(line);
    if (line->n_tasks == 0)
        line->loop = NULL;
}

bool weft__line_take_above(struct weft__line *line, uint32_t n, int64_t now)
{
    struct weft__line *above = line->above;
    if (above == NULL)
        return true;
    if (above->n_waiting > 0 || above->ops->due(above, n) > now)
        return false;
    above->ops->take(above, n, now, now);
    return true;
}

static void serve_first(struct weft__line *line, int64_t due, int64_t now)
{
    struct weft__place *place = first_of(line);
    struct weft_task *task = place->waiter.wait.task;
    remove_place(line, place);
    /* Who holds a reservation acts at its time, whenever this is found out. */
    line->ops->take(line, place->n, due, task != NULL ? now : due);
    if (task != NULL)
        weft__wake(task, 0);
}

/* The first, a deputy, is due: so must be the one that it stands for, who may have left. */
static void serve_below(struct weft__line *line, int64_t due, int64_t now)
{
    struct weft__place *deputy = first_of(line);
    struct weft__line *below = deputy->below;
    remove_place(line, deputy);
    if (below->n_waiting > 0 && weft__line_due(below) <= now) {
        line->ops->take(line, deputy->n, due, now);
        serve_first(below, now, now);
    }
    weft__line_advance(below, now);
}

/* The first is due here; it takes from above, too, or waits there. */
static bool pass_above(struct weft__line *line, int64_t now)
{
    struct weft__line *above = line->above;
    struct weft__place *deputy = &line->deputy;
    uint32_t n = first_of(line)->n;
    if (!weft__place_is_served(deputy)) {
        above->amount += n - (uint64_t)deputy->n;
        deputy->n = n;
        return false;
    }
    if (weft__line_take_above(line, n, now))
        return true;
    deputy->line = above;
    deputy->n = n;
    push(above, deputy, now);
    above->loop = line->loop;
    weft__line_advance(above, now);
    return false;
}

/* Serves the first if that can be. */
static bool advance_one(struct weft__line *line, int64_t now)
{
    if (line->n_waiting == 0) {
        arm(line, WEFT_FOREVER);
        return false;
    }
    int64_t due = weft__line_due(line);
    if (due > now) {
        arm(line, due);
        return false;
    }
    if (first_of(line)->below != NULL) {
        serve_below(line, due, now);
        return true;
    }
    if (line->above != NULL && !pass_above(line, now)) {
        /* It may have been served from above meanwhile. */
        if (weft__place_is_served(&line->deputy))
            return true;
        arm(line, WEFT_FOREVER);
        return false;
    }
    serve_first(line, due, now);
    return true;
}

void weft__line_advance(struct weft__line *line, int64_t now)
{
    if (line->advancing)
        return;
    line->advancing = true;
    while (advance_one(line, now))
        continue;
    line->advancing = false;
}

void weft__place_leave(struct weft__place *place, int64_t now)
{
    struct weft__line *line = place->line;
    remove_place(line, place);
    line->since = now;
    if (line->n_tasks == 0 && !weft__place_is_served(&line->deputy))
        weft__place_leave(&line->deputy, now);
    weft__line_advance(line, now);
}

static void leave(struct weft__wait *wait, int code)
{
    struct weft__place *place = WEFT__CONTAINER(wait, struct weft__place, waiter.wait);
    struct weft_task *task = wait->task;
    weft__place_leave(place, weft__loop_now(task->loop));
    weft__wake(task, code);
}

int weft__line_check_room(struct weft__line *line)
{
    if (line->max == 0 || line->n_waiting < line->max)
        return 0;
    line->n_rejected++;
    return weft__fail(WEFT_EQUEUE_FULL, "%zu already wait for the %s, no more may", line->n_waiting,
                      line->ops->what);
}

/*
 * The first task joins, and is not parked yet: without memory for a timer it must be told
 * here.  Nothing is due, or there would be no need to wait.
 */
static int start(struct weft__line *line, struct weft__loop *loop)
{
    struct weft__line *above = line->above;
    int64_t due = weft__line_due(line);
    if (due == WEFT_FOREVER)
        return 0;
    if (above == NULL || due > weft__loop_now(loop))
        return weft__timer_start(&loop->timers, &line->timer, due);
    line->deputy.line = above;
    line->deputy.n = first_of(line)->n;
    push(above, &line->deputy, weft__loop_now(loop));
    above->loop = loop;
    if (above->n_tasks > 1 || start(above, loop) == 0)
        return 0;
    remove_place(above, &line->deputy);
    return -ENOMEM;
}

int weft__line_wait(struct weft__line *line, struct weft_task *self, uint32_t n)
{
    struct weft__place place = {
        .waiter.wait = {.cancel = leave, .task = self, .what = line->ops->what},
        .line = line,
        .n = n,
    };
    push(line, &place, weft__loop_now(self->loop));
    line->loop = self->loop;
    if (line->n_tasks == 1 && start(line, self->loop) < 0) {
        remove_place(line, &place);
        return weft__fail_nomem();
    }
    int err = (int)weft__park(self, &place.waiter.wait);
    if (err == -ENOMEM)
        return weft__fail_nomem();
    return err == -ECANCELED ? weft__cancel_error(self) : err;
}

void weft__line_reserve(struct weft__line *line, struct weft__place *place, uint32_t n,
                        int64_t not_before, int64_t now)
{
    *place = (struct weft__place){.line = line, .n = n, .not_before = not_before};
    push(line, place, now);
}

bool weft__place_is_served(const struct weft__place *place)
{
    return weft__list_is_empty(&place->waiter.node);
}

/* event.c - a flag that tasks wait for. */
#include "base/alloc.h"
#include "sync/sync_int.h"

struct weft_event {
    bool set;
    struct weft__list queue;
};

int weft_event_new(weft_event **ret)
{
    weft_event *event = weft__alloc(sizeof *event);
    if (event == NULL)
        return weft__fail_nomem();
    event->set = false;
    weft__list_init(&event->queue);
    *ret = event;
    return 0;
}

void weft_event_free(weft_event *event)
{
    weft__free(event);
}

int weft_event_wait(weft_event *event)
{
    struct weft_task *self;
    struct weft__waiter waiter;
    int err = weft__enter(&self);
    if (err < 0)
        return err;
    if (event->set) {
        weft__sync_turn(self);
        return 0;
    }
    return (int)weft__waitq_park(self, &event->queue, &waiter, "event");
}

void weft_event_set(weft_event *event)
{
    event->set = true;
    weft__waitq_wake_all(&event->queue, 0);
}

void weft_event_clear(weft_event *event)
{
    event->set = false;
}

bool weft_event_is_set(const weft_event *event)
{
    return event->set;
}

/*
 * sim_event.c - what happens when in the simulated network, and the record of it.
 *
 * Events of one time happen in the order in which they were arranged: the course of things must
 * not hang on where memory lies.
 */
#include <stdio.h>
#include <string.h>

#include "net/sim.h"

int64_t weft__sim_now(const weft_testing_network *net)
{
    return weft__loop_now(net->loop);
}

static void rearm(weft_testing_network *net)
{
    int64_t when = WEFT_FOREVER;
    if (!weft__list_is_empty(&net->events))
        when = WEFT__CONTAINER(net->events.next, struct sim_event, node)->when;
    /* Whoever stops a timer can start it again: its place in the heap is still there. */
    if (!weft__timer_is_started(&net->timer) || net->timer.when != when)
        weft__timer_start(&net->loop->timers, &net->timer, when);
}

static void fire(struct weft__timer *timer)
{
    weft_testing_network *net = WEFT__CONTAINER(timer, weft_testing_network, timer);
    int64_t now = weft__sim_now(net);
    rearm(net);
    while (!weft__list_is_empty(&net->events)) {
        struct sim_event *event = WEFT__CONTAINER(net->events.next, struct sim_event, node);
        if (event->when > now)
            break;
        weft__list_remove(&event->node);
        event->fire(event);
    }
    rearm(net);
}

int weft__sim_events_start(weft_testing_network *net)
{
    weft__list_init(&net->events);
    net->timer.fire = fire;
    return weft__timer_start(&net->loop->timers, &net->timer, WEFT_FOREVER);
}

void weft__sim_events_stop(weft_testing_network *net)
{
    weft__timer_stop(&net->loop->timers, &net->timer);
}

void weft__sim_at(weft_testing_network *net, struct sim_event *event, int64_t when)
{
    struct weft__list *after = net->events.prev;
    weft__list_remove(&event->node);
    while (after != &net->events && WEFT__CONTAINER(after, struct sim_event, node)->when > when)
        after = after->prev;
    event->when = when;
    weft__list_insert_before(after->next, &event->node);
    if (net->loop != NULL)
        rearm(net);
}

void weft__sim_cancel(weft_testing_network *net, struct sim_event *event)
{
    weft__list_remove(&event->node);
    if (net->loop != NULL)
        rearm(net);
}

int64_t weft__sim_draw(weft_testing_network *net, int64_t bound)
{
    return bound > 0 ? (int64_t)weft__rand_below(weft__rand_next(&net->rand), (uint64_t)bound) : 0;
}

bool weft__sim_chance(weft_testing_network *net, double chance)
{
    /* No draw where there is no chance: a link's settings do not shift the others' luck. */
    return chance > 0 && (double)(weft__rand_next(&net->rand) >> 11) * 0x1p-53 < chance;
}

/* ---- the record ---- */

static void mix(uint64_t *hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        *hash = (*hash ^ bytes[i]) * 0x100000001b3u;
}

void weft__sim_record(weft_testing_network *net, const char *what, const weft_address *from,
                      const weft_address *to, uint64_t n)
{
    char source[WEFT_ADDRESS_TEXT_MAX] = "-";
    char target[WEFT_ADDRESS_TEXT_MAX] = "-";
    char line[2 * WEFT_ADDRESS_TEXT_MAX + 64];
    int64_t when = weft__sim_now(net) - net->started;
    mix(&net->hash, &when, sizeof when);
    mix(&net->hash, what, strlen(what));
    mix(&net->hash, from->opaque, from->len);
    mix(&net->hash, to->opaque, to->len);
    mix(&net->hash, &n, sizeof n);
    if (net->trace == NULL)
        return;
    weft_address_format(from, source, sizeof source);
    weft_address_format(to, target, sizeof target);
    snprintf(line, sizeof line, "%lld.%09lld %s > %s %s %llu", (long long)(when / WEFT_SEC(1)),
             (long long)(when % WEFT_SEC(1)), source, target, what, (unsigned long long)n);
    net->trace(line, net->userdata);
}

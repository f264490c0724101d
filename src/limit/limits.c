/*
 * limits.c - all limits of a client in one object.
 *
 * A request first gets one of the places that bound how many there are at once, then a permit of
 * its key and one of the rate for all at the same instant.
 */
#include <errno.h>

#include <weft/limit.h>

#include "base/alloc.h"
#include "limit/limit_int.h"

struct weft_limits {
    weft_keyed_limiter *keys; /* with the rate of all */
    weft_capacity *places;    /* from here on NULL where there is no such limit */
    weft_adaptive *adaptive;
    weft_rate_limiter *download;
    weft_rate_limiter *upload;
    bool ignore_server;
};

/* An eighth of a second at once, so that there are not too many small reads and writes. */
static int bandwidth_new(uint32_t bytes, weft_rate_limiter **ret)
{
    if (bytes == 0)
        return 0;
    uint32_t burst = bytes / 8 > 4096 ? bytes / 8 : 4096;
    return weft_rate_limiter_new(WEFT_RATE(.permits = bytes, .burst = burst), ret);
}

static int make_parts(weft_limits *limits, const weft_limits_options *options)
{
    int err = 0;
    if (options->adaptive != NULL)
        err = weft_adaptive_new(options->adaptive, &limits->adaptive);
    else if (options->concurrency != 0)
        err = weft_capacity_new(
            WEFT_CAPACITY(.total = options->concurrency, .queue = options->queue), &limits->places);
    if (err == 0)
        err = weft__keyed_new(WEFT_KEYED(.rate = options->per_key, .all = options->rate,
                                         .max_keys = options->max_keys),
                              true, &limits->keys);
    if (err == 0)
        err = bandwidth_new(options->download, &limits->download);
    if (err == 0)
        err = bandwidth_new(options->upload, &limits->upload);
    return err;
}

int weft_limits_new(const weft_limits_options *given, weft_limits **ret)
{
    weft_limits_options options;
    weft__options_fill(&options, sizeof options, given);
    if (options.adaptive != NULL && options.concurrency != 0)
        return weft__fail(-EINVAL, "limits have a fixed concurrency or an adaptive one, not both");
    weft_limits *limits = weft__calloc(1, sizeof *limits);
    if (limits == NULL)
        return weft__fail_nomem();
    limits->ignore_server = options.ignore_server;
    int err = make_parts(limits, &options);
    if (err < 0) {
        weft_limits_free(limits);
        return err;
    }
    *ret = limits;
    return 0;
}

void weft_limits_free(weft_limits *limits)
{
    if (limits == NULL)
        return;
    weft_capacity_free(limits->places);
    weft_adaptive_free(limits->adaptive);
    weft_keyed_limiter_free(limits->keys);
    weft_rate_limiter_free(limits->download);
    weft_rate_limiter_free(limits->upload);
    weft__free(limits);
}

static int take_place(weft_limits *limits)
{
    if (limits->adaptive != NULL)
        return weft_adaptive_acquire(limits->adaptive);
    return limits->places != NULL ? weft_capacity_acquire(limits->places, 1) : weft_checkpoint();
}

static void leave_place(weft_limits *limits, int64_t latency, bool dropped)
{
    if (limits->adaptive != NULL)
        weft_adaptive_release(limits->adaptive, latency, dropped);
    else if (limits->places != NULL)
        weft_capacity_release(limits->places, 1);
}

static const char *text_of(const char *key)
{
    return key != NULL ? key : "";
}

int weft_limits_acquire(weft_limits *limits, const char *key)
{
    struct weft__key *held;
    int err = take_place(limits);
    if (err < 0)
        return err;
    err = weft__keyed_enter(limits->keys, text_of(key), &held);
    if (err < 0)
        leave_place(limits, -1, false);
    return err;
}

void weft_limits_release(weft_limits *limits, const char *key, int64_t latency, bool dropped)
{
    struct weft__key *held = weft__keyed_held(limits->keys, text_of(key));
    if (held != NULL)
        weft__key_leave(held);
    leave_place(limits, latency, dropped);
}

void weft_limits_feed(weft_limits *limits, const char *key, const weft_feedback *feedback)
{
    struct weft__key *held = weft__keyed_held(limits->keys, text_of(key));
    if (held != NULL && !limits->ignore_server)
        weft__key_feed(held, feedback);
}

int weft_limits_stream(weft_limits *limits, weft_stream *stream, weft_stream **ret)
{
    if (limits->download == NULL && limits->upload == NULL) {
        *ret = stream;
        return 0;
    }
    return weft_stream_limit(stream, limits->download, limits->upload, ret);
}

void weft_limits_get_state(weft_limits *limits, weft_limit_state *ret)
{
    weft_limit_state places = {0};
    weft_limit_state rate = {.available = UINT64_MAX};
    weft_rate_limiter *all = weft__keyed_all(limits->keys);
    if (limits->adaptive != NULL)
        weft_adaptive_get_state(limits->adaptive, &places);
    else if (limits->places != NULL)
        weft_capacity_get_state(limits->places, &places);
    if (all != NULL)
        weft_rate_limiter_get_state(all, &rate);
    if (places.total == 0 || rate.available < places.available)
        places.available = rate.available;
    places.next = rate.next;
    places.granted = 0;
    places.rejected += rate.rejected;
    /* Those who wait for the rate of all wait as keys, too. */
    weft__keyed_sum(limits->keys, &places);
    *ret = places;
}

/*
 * gather.c - gather, map, race: groups whose children a table of calls describes.
 */
#include <errno.h>
#include <string.h>

#include "run/run_int.h"

/* None has begun; an error if one has no function. */
static int prepare_calls(weft_call *calls, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        calls[i].result = -ECANCELED;
    for (size_t i = 0; i < n; i++) {
        if (calls[i].fn == NULL)
            return weft__fail(-EINVAL, "call %zu of a %s has no function", i, what);
    }
    return 0;
}

/* ---- gather ---- */

int weft_gather(weft_call *calls, size_t n, const weft_gather_options *options)
{
    weft_group group;
    bool collect = options != NULL && options->collect;
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    int err = prepare_calls(calls, n, "gather");
    int cancelled = weft__checkpoint(self);
    if (cancelled < 0 || err < 0)
        return cancelled < 0 ? cancelled : err;
    err = weft_group_init(&group, WEFT_GROUP(.name = "gather", .collect = collect,
                                             .timeout = options != NULL ? options->timeout : 0));
    if (err < 0)
        return err;
    if (options != NULL && options->size >= sizeof *options) {
        weft__group_of(&group)->failures = options->failures;
        weft__group_of(&group)->max_failures = options->max_failures;
    }
    weft__group_of(&group)->ignore_errors = collect;
    for (size_t i = 0; i < n && !weft__group_of(&group)->scope.cancelled; i++) {
        err = weft_group_spawn_with(&group, calls[i].fn, calls[i].arg,
                                    WEFT_SPAWN(.result = &calls[i].result));
        if (err < 0)
            break;
    }
    return err < 0 ? weft__group_give_up(&group, err) : weft_group_wait(&group);
}

/* ---- map ---- */

struct map_state {
    weft_fn fn;
    char *items;
    size_t n;
    size_t item_size;
    size_t next;
    const weft_map_options *options;
    size_t n_failures;
};

/* Told of the item, not of the worker. */
static void note_failure(struct map_state *state, const struct weft_task *self, void *item,
                         int result)
{
    const weft_map_options *options = state->options;
    if (state->n_failures >= options->max_failures || (result == -ECANCELED && self->cancelled))
        return;
    weft_outcome *failure = &options->failures[state->n_failures++];
    weft__outcome_fill(failure, self, result);
    failure->fn = state->fn;
    failure->arg = item;
}

/* One of limit workers: takes the next item until there is none. */
static int map_worker(void *arg)
{
    struct map_state *state = arg;
    const weft_map_options *options = state->options;
    struct weft_task *self = weft__self();
    while (state->next < state->n && !self->cancelled) {
        size_t i = state->next++;
        void *item = state->items + i * state->item_size;
        int result = state->fn(item);
        if (options->results != NULL)
            options->results[i] = result;
        if (result >= 0)
            continue;
        note_failure(state, self, item, result);
        if (!options->collect)
            return result;
        /* Its message is not that of the next item. */
        weft__error_done(&self->context);
    }
    return self->cancelled ? -ECANCELED : 0;
}

int weft_map(weft_fn fn, void *items, size_t n, size_t item_size, const weft_map_options *options)
{
    weft_map_options all = {0};
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    struct map_state state = {
        .fn = fn,
        .items = items,
        .n = n,
        .item_size = item_size,
        .options = &all,
    };
    size_t limit = all.limit > 0 && all.limit < n ? all.limit : n;
    for (size_t i = 0; all.results != NULL && i < n; i++)
        all.results[i] = -ECANCELED;
    int err = weft__checkpoint(self);
    if (err < 0)
        return err;
    if (fn == NULL && n > 0)
        return weft__fail(-EINVAL, "weft_map without a function");
    weft_group group;
    err = weft_group_init(&group, WEFT_GROUP(.name = "map", .timeout = all.timeout));
    if (err < 0)
        return err;
    for (size_t i = 0; i < limit && !weft__group_of(&group)->scope.cancelled; i++) {
        err = weft_group_spawn(&group, map_worker, &state);
        if (err < 0)
            break;
    }
    /* Fewer workers than asked for still do the work; none at all cannot. */
    if (err < 0 && weft__group_of(&group)->n_children == 0 && state.next < n)
        return weft__group_give_up(&group, err);
    return weft_group_wait(&group);
}

/* ---- race ---- */

enum { NO_WINNER = -1 };

struct race {
    weft_group group;
    weft_scope lead; /* of the one started last over the next */
    weft_call *calls;
    ptrdiff_t winner;
    size_t next; /* to begin */
    size_t ended;
    bool leading;
};

static int run_racer(void *arg)
{
    struct race *race = arg;
    size_t index = race->next++;
    weft_call *call = &race->calls[index];
    call->result = call->fn(call->arg);
    race->ended++;
    if (call->result >= 0 && race->winner == NO_WINNER) {
        race->winner = (ptrdiff_t)index;
        weft_group_cancel(&race->group, "another call was first");
    }
    if (race->leading)
        weft_scope_cancel(&race->lead, "a call has failed");
    return call->result;
}

static int start_racers(struct race *race, size_t n, int64_t stagger)
{
    struct weft_task *self = weft__self();
    for (size_t i = 0; i < n && !weft__group_of(&race->group)->scope.cancelled; i++) {
        size_t ended = race->ended;
        int err = weft_group_spawn(&race->group, run_racer, race);
        if (err < 0)
            return err;
        if (stagger <= 0 || i + 1 == n || race->ended > ended || self->cancelled)
            continue;
        weft_scope_enter(&race->lead, stagger);
        race->leading = true;
        weft_sleep(WEFT_FOREVER);
        race->leading = false;
        weft_scope_exit(&race->lead, 0);
    }
    return 0;
}

/* Where not all could fail, because time was over, that is the error. */
static int finish_race(struct race *race)
{
    struct weft__group *group = weft__group_of(&race->group);
    int err = weft__group_join(group);
    bool cut = group->scope.cancelled || group->scope.task->cancelled;
    return weft__group_leave(group, cut ? 0 : err);
}

int weft_race(weft_call *calls, size_t n, const weft_race_options *options, size_t *ret)
{
    weft_race_options all = {0};
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = n > 0 ? prepare_calls(calls, n, "race") : weft__fail(-EINVAL, "a race of nobody");
    if (err == 0)
        err = weft__checkpoint(self);
    if (err < 0)
        return err;
    struct race race = {.calls = calls, .winner = NO_WINNER};
    err = weft_group_init(&race.group,
                          WEFT_GROUP(.name = "race", .collect = true, .timeout = all.timeout,
                                     .failures = all.failures, .max_failures = all.max_failures));
    if (err < 0)
        return err;
    err = start_racers(&race, n, all.stagger);
    err = err < 0 ? weft__group_give_up(&race.group, err) : finish_race(&race);
    if (race.winner == NO_WINNER)
        return err;
    if (ret != NULL)
        *ret = (size_t)race.winner;
    return 0;
}

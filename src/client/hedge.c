/*
 * hedge.c - a second request beside one that takes long; the first good answer wins.
 *
 * Only for idempotent methods, and charged to the budget like a retry.  The loser is cancelled,
 * which closes its connection.
 */
#include <errno.h>
#include <string.h>

#include "client/client_int.h"
#include "proto/method.h"

struct runner {
    struct race *race;
    struct weft__call call; /* shares everything with the user's, but for what an attempt notes */
    weft_response *response;
    int err;
    int64_t began;
    int64_t took;
    bool started;
    char message[WEFT__ERROR_TEXT_MAX];
};

struct race {
    const weft_retry_policy *policy;
    int64_t after;
    struct runner runners[2];
    weft_group group;
};

bool weft__hedge_wanted(const struct weft__call *call, const weft_retry_policy *policy)
{
    return !call->reads_body && (policy->hedge_after > 0 || policy->hedge_percentile > 0) &&
           (weft__method_is_idempotent(call->method) || call->has_key);
}

static bool is_good(const weft_response *response)
{
    return response->status < 500 && response->status != 429 && response->status != 408;
}

/*
 * The time of the one that lost is at least what it has had until now: without it, only the
 * quick answers would count.
 */
static void learn(const struct race *race, const struct runner *runner, const struct runner *other)
{
    bool good = runner->err == 0 && is_good(runner->response);
    bool lost = runner->err == -ECANCELED && other->started && other->err == 0;
    if (race->policy->hedge_percentile > 0 && (good || lost))
        weft__health_answered(runner->call.client, runner->call.url, runner->took);
}

static void run(struct race *race, struct runner *runner)
{
    const struct runner *other = &race->runners[runner == race->runners];
    runner->started = true;
    runner->began = weft_now();
    runner->err = weft__attempt(&runner->call, &runner->response);
    runner->took = weft_now() - runner->began;
    learn(race, runner, other);
    if (runner->err < 0) {
        const char *message = weft_error_message();
        size_t len = strnlen(message, sizeof runner->message - 1);
        memcpy(runner->message, message, len);
        runner->message[len] = '\0';
    }
    /* One that failed before the other has begun is a matter for the retry policy. */
    if ((runner->err == 0 && is_good(runner->response)) || !other->started)
        weft_group_cancel(&race->group, "the other request has been answered");
}

static int run_first(void *arg)
{
    struct race *race = arg;
    run(race, &race->runners[0]);
    return 0;
}

static int run_second(void *arg)
{
    struct race *race = arg;
    struct runner *runner = &race->runners[1];
    const struct weft__call *call = &runner->call;
    if (race->after < 0 || weft_sleep(race->after) < 0 ||
        !weft__health_may_retry(call->client, call->url, race->policy))
        return 0;
    weft__health_spend(call->client, call->url);
    run(race, runner);
    return 0;
}

/* Whose outcome is that of the attempt: a good answer, any answer, the first one's error. */
static struct runner *winner(struct race *race)
{
    struct runner *first = &race->runners[0];
    struct runner *second = &race->runners[1];
    if (second->response == NULL)
        return first;
    if (first->response == NULL)
        return second;
    return is_good(first->response) || !is_good(second->response) ? first : second;
}

static int64_t hedge_after(const struct weft__call *call, const weft_retry_policy *policy)
{
    int64_t after = -1;
    if (policy->hedge_percentile > 0)
        after = weft__health_percentile(call->client, call->url, policy->hedge_percentile);
    if (after < 0 && policy->hedge_after > 0)
        after = policy->hedge_after;
    return after;
}

static void keep_notes(const struct race *race, const struct runner *winner,
                       struct weft__retrying *retrying)
{
    for (int i = 0; i < 2; i++) {
        const struct runner *runner = &race->runners[i];
        if (!runner->started)
            continue;
        weft_retry_entry *note = &retrying->notes[retrying->n_notes];
        *note = (weft_retry_entry){
            .result = runner->err,
            .status = runner->response != NULL ? runner->response->status : 0,
            .began = runner->began - retrying->state.started,
            .took = runner->took,
            .hedge = i == 1,
        };
        weft__call_peer(&runner->call, note->peer);
        if (runner == winner)
            retrying->winner = retrying->n_notes;
        retrying->n_notes++;
    }
}

int weft__hedge_attempt(struct weft__call *call, struct weft__retrying *retrying,
                        weft_response **ret)
{
    struct race race = {
        .policy = &retrying->policy,
        .after = hedge_after(call, &retrying->policy),
    };
    for (int i = 0; i < 2; i++) {
        race.runners[i].call = *call;
        race.runners[i].err = -ECANCELED;
    }
    int err = weft_group_init(&race.group, WEFT_GROUP(.name = "hedge", .collect = true));
    if (err < 0)
        return err;
    err = weft_group_spawn_with(&race.group, run_first, &race, WEFT_SPAWN(.name = "request"));
    if (err == 0)
        err = weft_group_spawn_with(&race.group, run_second, &race, WEFT_SPAWN(.name = "hedge"));
    if (err < 0)
        weft_group_cancel(&race.group, "the hedge could not start");
    int joined = weft_group_wait(&race.group);
    struct runner *best = winner(&race);
    struct runner *other = &race.runners[best == race.runners];
    call->sent = best->call.sent || other->call.sent;
    call->avoid = best->call.avoid;
    keep_notes(&race, best, retrying);
    weft_response_free(other->response);
    if (err == 0 && joined < 0)
        err = joined;
    if (err == 0)
        err = weft_checkpoint();
    if (err < 0) {
        weft_response_free(best->response);
        return err;
    }
    if (best->err < 0)
        return weft__fail(best->err, "%s", best->message);
    *ret = best->response;
    return 0;
}

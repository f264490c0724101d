/*
 * health.c - what a client knows of an origin's health: the budget of retries, a pause that the
 * server has asked for, the circuit breaker.
 *
 * All loops of a client share it, under the client's lock; nobody keeps a pointer into it, so
 * that the record unused for longest can go when there are too many.  Only calls with a retry
 * policy come here.
 *
 * Counts are kept by the second, for the last ten.  The budget is Finagle's: in such a window at
 * most so many retries as a share of the calls, and a floor without which a quiet client could
 * not retry at all.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "client/client_int.h"

enum {
    WINDOW = 10, /* seconds, and slots */
    BUDGET_PERCENT = 20,
    BUDGET_FLOOR = 100,
    BREAKER_CALLS = 20,
    LATENCIES = 100,
    LATENCIES_LEAST = 20,
    LATENCIES_FRESH = 10, /* after so many more a percentile is worked out again */
};

#define BREAKER_OPEN WEFT_SEC(30)

struct slot {
    int64_t second;
    uint32_t calls;
    uint32_t retries;
    uint32_t attempts; /* that ended */
    uint32_t failures;
};

struct health {
    struct weft__list node; /* in client->health, last used first */
    struct slot slots[WINDOW];
    int64_t paused_until;
    int64_t open_until;     /* 0: the circuit is closed */
    uint64_t answers;       /* in all; the times of the last ones are kept */
    uint64_t percentile_at; /* answers when it was worked out; 0: never */
    int64_t percentile;
    int percent;
    uint32_t latencies[LATENCIES]; /* us */
    bool probing;
    bool secure;
    uint16_t port;
    char host[];
};

/* ---- the table ---- */

static bool is_of(const struct health *health, const weft_url *url)
{
    return health->port == (uint16_t)weft_url_port(url) &&
           health->secure == (strcmp(weft_url_scheme(url), "https") == 0) &&
           strcmp(health->host, weft_url_host(url)) == 0;
}

static struct health *find(weft_client *client, const weft_url *url)
{
    struct weft__list *node = client->health.next;
    for (; node != &client->health; node = node->next) {
        struct health *health = WEFT__CONTAINER(node, struct health, node);
        if (!is_of(health, url))
            continue;
        weft__list_remove(&health->node);
        weft__list_push_front(&client->health, &health->node);
        return health;
    }
    return NULL;
}

static struct health *add(weft_client *client, const weft_url *url)
{
    const char *host = weft_url_host(url);
    size_t len = strlen(host);
    struct health *health = weft__calloc(1, sizeof *health + len + 1);
    if (health == NULL)
        return NULL;
    memcpy(health->host, host, len + 1);
    health->port = (uint16_t)weft_url_port(url);
    health->secure = strcmp(weft_url_scheme(url), "https") == 0;
    weft__list_push_front(&client->health, &health->node);
    if (client->n_health < WEFT__LIMIT_CLIENT_ORIGINS) {
        client->n_health++;
        return health;
    }
    struct health *oldest = WEFT__CONTAINER(client->health.prev, struct health, node);
    weft__list_remove(&oldest->node);
    weft__free(oldest);
    return health;
}

void weft__health_done(weft_client *client)
{
    struct weft__list *node;
    while ((node = weft__list_pop_front(&client->health)) != NULL)
        weft__free(WEFT__CONTAINER(node, struct health, node));
}

/* ---- the window ---- */

static struct slot *slot_now(struct health *health, int64_t now)
{
    int64_t second = now / WEFT_SEC(1);
    struct slot *slot = &health->slots[second % WINDOW];
    if (slot->second != second)
        *slot = (struct slot){.second = second};
    return slot;
}

static struct slot window(const struct health *health, int64_t now)
{
    struct slot sum = {0};
    int64_t first = now / WEFT_SEC(1) - WINDOW + 1;
    for (int i = 0; i < WINDOW; i++) {
        const struct slot *slot = &health->slots[i];
        if (slot->second < first)
            continue;
        sum.calls += slot->calls;
        sum.retries += slot->retries;
        sum.attempts += slot->attempts;
        sum.failures += slot->failures;
    }
    return sum;
}

/* ---- the budget ---- */

int weft__health_call(weft_client *client, const weft_url *url)
{
    int64_t now = weft_now();
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    if (health == NULL)
        health = add(client, url);
    if (health != NULL)
        slot_now(health, now)->calls++;
    pthread_mutex_unlock(&client->lock);
    return health != NULL ? 0 : weft__fail_nomem();
}

static bool has_budget(const struct health *health, const weft_retry_policy *policy, int64_t now)
{
    uint64_t percent =
        policy->budget_percent > 0 ? (uint64_t)policy->budget_percent : BUDGET_PERCENT;
    uint64_t floor = policy->budget_floor > 0 ? (uint64_t)policy->budget_floor : BUDGET_FLOOR;
    struct slot sum = window(health, now);
    if (policy->budget_floor < 0)
        floor = 0;
    return policy->budget_percent < 0 || sum.retries < floor + sum.calls * percent / 100;
}

bool weft__health_may_retry(weft_client *client, const weft_url *url,
                            const weft_retry_policy *policy)
{
    int64_t now = weft_now();
    pthread_mutex_lock(&client->lock);
    const struct health *health = find(client, url);
    bool may = health == NULL || has_budget(health, policy, now);
    pthread_mutex_unlock(&client->lock);
    return may;
}

void weft__health_spend(weft_client *client, const weft_url *url)
{
    int64_t now = weft_now();
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    if (health != NULL)
        slot_now(health, now)->retries++;
    pthread_mutex_unlock(&client->lock);
}

/* ---- the pause ---- */

void weft__health_pause(weft_client *client, const weft_url *url, int64_t duration)
{
    int64_t until = weft__clock_add(weft_now(), duration);
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    if (health != NULL && health->paused_until < until)
        health->paused_until = until;
    pthread_mutex_unlock(&client->lock);
}

int64_t weft__health_paused_for(weft_client *client, const weft_url *url)
{
    int64_t now = weft_now();
    pthread_mutex_lock(&client->lock);
    const struct health *health = find(client, url);
    int64_t left = health != NULL ? health->paused_until - now : 0;
    pthread_mutex_unlock(&client->lock);
    return left > 0 ? left : 0;
}

/* ---- how long answers take ---- */

void weft__health_answered(weft_client *client, const weft_url *url, int64_t took)
{
    int64_t us = took / WEFT_US(1);
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    if (health != NULL)
        health->latencies[health->answers++ % LATENCIES] =
            us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    pthread_mutex_unlock(&client->lock);
}

static int compare(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

static int64_t percentile_of(const struct health *health, int percent)
{
    uint32_t sorted[LATENCIES];
    size_t n = health->answers < LATENCIES ? (size_t)health->answers : LATENCIES;
    memcpy(sorted, health->latencies, n * sizeof sorted[0]);
    qsort(sorted, n, sizeof sorted[0], compare);
    /* The nearest rank; a microsecond more, as the times are rounded down. */
    return WEFT_US((int64_t)sorted[(n * (size_t)percent + 99) / 100 - 1] + 1);
}

int64_t weft__health_percentile(weft_client *client, const weft_url *url, int percent)
{
    int64_t result = -1;
    percent = percent < 100 ? percent : 99;
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    if (health != NULL && health->answers >= LATENCIES_LEAST) {
        if (health->percent != percent || health->percentile_at == 0 ||
            health->answers - health->percentile_at >= LATENCIES_FRESH) {
            health->percentile = percentile_of(health, percent);
            health->percentile_at = health->answers;
            health->percent = percent;
        }
        result = health->percentile;
    }
    pthread_mutex_unlock(&client->lock);
    return result;
}

/* ---- the breaker ---- */

/* While it is open nothing goes out; then one attempt at a time, until one succeeds. */
static bool admit(struct health *health, int64_t now, bool *ret_probe)
{
    if (health->open_until == 0)
        return true;
    if (now < health->open_until || health->probing)
        return false;
    health->probing = true;
    *ret_probe = true;
    return true;
}

int weft__health_admit(weft_client *client, const weft_url *url, const weft_retry_policy *policy,
                       bool *ret_probe)
{
    int64_t now = weft_now();
    *ret_probe = false;
    if (policy->breaker_percent <= 0)
        return 0;
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    bool admitted = health == NULL || admit(health, now, ret_probe);
    pthread_mutex_unlock(&client->lock);
    if (admitted)
        return 0;
    return weft__fail(WEFT_ECIRCUIT_OPEN, "too many requests to %s failed: none is sent now",
                      weft_url_authority(url));
}

static bool too_many_failed(const struct health *health, const weft_retry_policy *policy,
                            int64_t now)
{
    uint32_t least = policy->breaker_calls > 0 ? (uint32_t)policy->breaker_calls : BREAKER_CALLS;
    struct slot sum = window(health, now);
    return sum.attempts >= least && (uint64_t)sum.failures * 100 >=
                                        (uint64_t)sum.attempts * (unsigned)policy->breaker_percent;
}

static void note(struct health *health, const weft_retry_policy *policy, bool probe, bool failed)
{
    int64_t now = weft_now();
    int64_t open = policy->breaker_open > 0 ? policy->breaker_open : BREAKER_OPEN;
    struct slot *slot = slot_now(health, now);
    slot->attempts++;
    slot->failures += failed;
    if (probe && !failed) {
        health->open_until = 0;
        for (int i = 0; i < WINDOW; i++)
            health->slots[i].attempts = health->slots[i].failures = 0;
    } else if (probe || (health->open_until == 0 && too_many_failed(health, policy, now))) {
        health->open_until = weft__clock_add(now, open);
    }
}

void weft__health_report(weft_client *client, const weft_url *url, const weft_retry_policy *policy,
                         bool probe, enum weft__outcome outcome)
{
    pthread_mutex_lock(&client->lock);
    struct health *health = find(client, url);
    if (health != NULL && outcome != WEFT__OUTCOME_UNKNOWN)
        note(health, policy, probe, outcome == WEFT__OUTCOME_BAD);
    if (health != NULL && probe)
        health->probing = false;
    pthread_mutex_unlock(&client->lock);
}

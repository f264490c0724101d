/*
 * dial.c - connecting: RFC 8305, "happy eyeballs".
 *
 * Each address gets a task of its own in one group.  The next one starts when the one before
 * has failed, or has not succeeded within the delay; the first connection made ends the group,
 * and what connects after it is closed by its own task.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/net_int.h"

enum { WHERE_MAX = WEFT__LIMIT_HOST_NAME + 160 };

struct race {
    weft_stream *winner;
    struct weft__list waiters; /* the dialling task */
    size_t n_ended;
};

struct attempt {
    struct race *race;
    const weft_address *address;
    const weft_dial_options *options;
    int err;
};

static void tell(const weft_dial_options *options, weft_dial_step step, const weft_address *address,
                 int err)
{
    if (options->on_step != NULL)
        options->on_step(options->step_userdata, step, address, err);
}

static int try_address(const weft_address *address, const weft_dial_options *options,
                       weft_stream **ret)
{
    tell(options, WEFT_DIAL_CONNECTING, address, 0);
    int err = weft__sock_connect(address, options, ret);
    tell(options, err < 0 ? WEFT_DIAL_FAILED : WEFT_DIAL_CONNECTED, address, err);
    return err;
}

static int run_attempt(void *arg)
{
    struct attempt *attempt = arg;
    struct race *race = attempt->race;
    weft_stream *stream = NULL;
    attempt->err = try_address(attempt->address, attempt->options, &stream);
    race->n_ended++;
    if (attempt->err == 0) {
        if (race->winner == NULL)
            race->winner = stream;
        else
            weft_stream_free(stream);
    }
    weft__waitq_wake_all(&race->waiters, 0);
    return 0;
}

/* ---- what to say when all have failed ---- */

static bool is_unreachable(int err)
{
    return err == -ENETUNREACH || err == -EHOSTUNREACH || err == -ENETDOWN || err == -EHOSTDOWN ||
           err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT || err == -EACCES || err == -EPERM;
}

/* A lack in this process, which no other address cures and the caller may. */
static bool is_local(int err)
{
    return err == -ENOMEM || err == -EMFILE || err == -ENFILE || err == -ENOBUFS;
}

static int code_of(const struct attempt *attempts, size_t n)
{
    size_t refused = 0;
    size_t unreachable = 0;
    size_t timed_out = 0;
    for (size_t i = 0; i < n; i++) {
        int err = attempts[i].err;
        if (is_local(err) || err == -ECANCELED)
            return err;
        refused += err == -ECONNREFUSED || err == -ENOENT;
        unreachable += is_unreachable(err);
        timed_out += err == -ETIMEDOUT;
    }
    if (unreachable == n)
        return WEFT_EUNREACHABLE;
    if (refused > 0 && refused + unreachable == n)
        return WEFT_EREFUSED;
    return timed_out > 0 ? WEFT_ECONNECT_TIMEOUT : WEFT_ECONNECT;
}

static void add_text(char *text, size_t size, const char *more)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s", more);
}

static int fail_attempts(const char *where, const char *host, const struct attempt *attempts,
                         size_t n)
{
    char text[WEFT__ERROR_TEXT_MAX] = "";
    int code = code_of(attempts, n);
    if (code == -ECANCELED)
        return weft__cancel_error(weft__self());
    for (size_t i = 0; i < n; i++) {
        char address[WEFT_ADDRESS_TEXT_MAX] = "";
        weft__address_format_host(attempts[i].address, address, sizeof address);
        if (i > 0)
            add_text(text, sizeof text, "; ");
        if (n > 1 || strcmp(address, host) != 0) {
            add_text(text, sizeof text, address);
            add_text(text, sizeof text, ": ");
        }
        add_text(text, sizeof text, weft_error_text(attempts[i].err));
    }
    return weft__fail(code, "connect to %s failed: %s", where, text);
}

/* ---- the race ---- */

/* Until an attempt ends, or for the time of a head start. */
static int wait_for_news(struct race *race, int64_t timeout)
{
    struct weft__waiter waiter;
    weft_scope scope;
    weft_scope_enter(&scope, timeout);
    int err = (int)weft__waitq_wait(&race->waiters, &waiter, "connect");
    err = weft_scope_exit(&scope, err);
    return err == -ETIMEDOUT ? 0 : err;
}

static int run_race(weft_group *group, struct race *race, struct attempt *attempts, size_t n,
                    int64_t delay)
{
    int err = 0;
    for (size_t i = 0; i < n && race->winner == NULL && err == 0; i++) {
        size_t ended = race->n_ended;
        err =
            weft_group_spawn_with(group, run_attempt, &attempts[i], WEFT_SPAWN(.name = "connect"));
        if (err < 0)
            return err;
        bool last = i + 1 == n;
        while (err == 0 && race->winner == NULL &&
               (last ? race->n_ended < n : race->n_ended == ended)) {
            err = wait_for_news(race, last ? WEFT_FOREVER : delay);
            if (!last)
                break;
        }
    }
    return err;
}

static int dial_several(const char *where, const char *host, const weft_address *addresses,
                        size_t n, const weft_dial_options *options, weft_stream **ret)
{
    int64_t delay = options->happy_eyeballs_delay;
    struct attempt attempts[WEFT__LIMIT_RESOLVED_ADDRESSES];
    struct race race = {.winner = NULL};
    weft_group group;
    weft__list_init(&race.waiters);
    for (size_t i = 0; i < n; i++)
        attempts[i] = (struct attempt){.race = &race, .address = &addresses[i], .options = options};
    int err = weft_group_init(&group, WEFT_GROUP(.name = "connect"));
    if (err < 0)
        return err;
    err = run_race(&group, &race, attempts, n, delay > 0 ? delay : WEFT_MS(250));
    weft_group_cancel(&group, "another address was connected first");
    int joined = weft_group_wait(&group);
    /* Connected and cancelled at once: connected. */
    if (race.winner != NULL) {
        *ret = race.winner;
        return 0;
    }
    if (err == 0)
        err = joined;
    if (err == -ECANCELED)
        return weft__cancel_error(weft__self());
    return err < 0 ? err : fail_attempts(where, host, attempts, n);
}

/* To where, and from where if that was asked for. */
static void describe(const char *host, uint16_t port, const weft_dial_options *options,
                     char text[WHERE_MAX])
{
    bool v6 = strchr(host, ':') != NULL && host[0] != '[';
    const char *from = options->local_host;
    const char *by = options->interface;
    snprintf(text, WHERE_MAX, "%s%s%s:%u%s%.64s%s%.64s", v6 ? "[" : "", host, v6 ? "]" : "", port,
             from != NULL ? " from " : "", from != NULL ? from : "", by != NULL ? " by " : "",
             by != NULL ? by : "");
}

int weft__dial_addresses(const char *host, uint16_t port, const weft_address *addresses, size_t n,
                         const weft_dial_options *options, weft_stream **ret)
{
    char where[WHERE_MAX];
    assert(n > 0 && n <= WEFT__LIMIT_RESOLVED_ADDRESSES);
    describe(host, port, options, where);
    if (n > 1)
        return dial_several(where, host, addresses, n, options, ret);
    struct attempt attempt = {.address = addresses};
    attempt.err = try_address(addresses, options, ret);
    return attempt.err < 0 ? fail_attempts(where, host, &attempt, 1) : 0;
}

/* ---- public ---- */

static bool is_same_host(const weft_address *a, const weft_address *b)
{
    char texts[2][WEFT_ADDRESS_TEXT_MAX];
    return weft__address_format_host(a, texts[0], sizeof texts[0]) == 0 &&
           weft__address_format_host(b, texts[1], sizeof texts[1]) == 0 &&
           strcmp(texts[0], texts[1]) == 0;
}

/* Where a connection to one address was made and then broke, the others go first. */
static void move_to_end(weft_address *addresses, size_t n, const weft_address *avoid)
{
    size_t i = 0;
    while (i < n && !is_same_host(&addresses[i], avoid))
        i++;
    if (i == n)
        return;
    weft_address moved = addresses[i];
    memmove(addresses + i, addresses + i + 1, (n - i - 1) * sizeof *addresses);
    addresses[n - 1] = moved;
}

int weft__dial_allowed(const char *host, weft_address *addresses, size_t *n,
                       const weft_dial_options *options)
{
    size_t left = 0;
    char text[WEFT_ADDRESS_TEXT_MAX] = "";
    if (options->allow == NULL)
        return 0;
    for (size_t i = 0; i < *n; i++) {
        if (options->allow(options->allow_userdata, host, &addresses[i]))
            addresses[left++] = addresses[i];
        else if (text[0] == '\0')
            weft__address_format_host(&addresses[i], text, sizeof text);
    }
    if (left == 0)
        return weft__fail(WEFT_EADDRESS_REFUSED,
                          "no address of %.253s may be connected to: %s%s refused", host, text,
                          *n > 1 ? " and others are" : " is");
    *n = left;
    return 0;
}

static int resolve_and_dial(const char *host, uint16_t port, const weft_dial_options *options,
                            weft_stream **ret)
{
    weft_address *addresses;
    size_t n;
    tell(options, WEFT_DIAL_RESOLVING, NULL, 0);
    int err =
        weft_resolve_with(host, port, WEFT_RESOLVE(.family = options->family), &addresses, &n);
    tell(options, WEFT_DIAL_RESOLVED, NULL, err);
    if (err < 0)
        return err;
    err = weft__dial_allowed(host, addresses, &n, options);
    if (err == 0 && options->avoid != NULL)
        move_to_end(addresses, n, options->avoid);
    if (err == 0)
        err = weft__dial_addresses(host, port, addresses, n, options, ret);
    weft__free(addresses);
    return err;
}

int weft_dial(const char *host, uint16_t port, const weft_dial_options *options, weft_stream **ret)
{
    weft_dial_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    if (all.timeout <= 0 || all.timeout == WEFT_FOREVER)
        return resolve_and_dial(host, port, &all, ret);
    weft_scope scope;
    weft_scope_enter(&scope, all.timeout);
    int err = resolve_and_dial(host, port, &all, ret);
    err = weft_scope_exit(&scope, err);
    if (err == -ETIMEDOUT)
        return weft__fail(WEFT_ECONNECT_TIMEOUT, "connect to %.253s:%u timed out after %.6g s",
                          host, port, (double)all.timeout * 1e-9);
    return err;
}

int weft_dial_address(const weft_address *address, weft_stream **ret)
{
    char host[WEFT_ADDRESS_TEXT_MAX];
    int err = weft__address_format_host(address, host, sizeof host);
    if (err < 0)
        return err;
    if (weft__address_family(address) != AF_UNIX)
        return weft__dial_addresses(host, weft_address_port(address), address, 1, WEFT_DIAL(0),
                                    ret);
    struct attempt attempt = {.address = address};
    attempt.err = weft__sock_connect(address, WEFT_DIAL(0), ret);
    return attempt.err < 0 ? fail_attempts(host, host, &attempt, 1) : 0;
}

int weft_dial_unix(const char *path, weft_stream **ret)
{
    weft_address address;
    int err = weft__address_unix(path, &address);
    return err < 0 ? err : weft_dial_address(&address, ret);
}

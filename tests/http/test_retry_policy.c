/*
 * The decision table of HTTP's retry policy, row by row against the embedded server.
 *
 * Every reply closes its connection, so that each attempt dials: that is where an attempt's fate
 * is decided, if it is not a status.  The clock is virtual: waits are exact and cost nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

#include "gate.h"
#include "base/error_int.h"
#include "client/client_int.h"
#include "server/server_int.h"
#include "test.h"

enum { COLUMNS = 7, ROWS_LEAST = 120 };

struct row {
    char *column[COLUMNS]; /* name, method, flags, replies, attempts, outcome, wait */
};

struct world {
    weft_server *server;
    weft_group group;
    const char *replies; /* what is left of the script: one for each attempt */
    char reply[256];     /* of the present attempt; empty: 200 */
    int attempts;
    bool asked;   /* a request has come */
    char key[64]; /* its idempotency key */
};

/* ---- the server ---- */

static int send_headers(weft_reply *reply, char *fields)
{
    while (*fields != '\0') {
        bool quota = strncmp(fields, "RateLimit=", 10) == 0;
        size_t len = quota ? strlen(fields) : strcspn(fields, ";");
        char *next = fields + len + (fields[len] != '\0');
        fields[len] = '\0';
        char *value = strchr(fields, '=');
        *value = '\0';
        int err = weft_reply_set_header(reply, fields, value + 1);
        if (err < 0)
            return err;
        fields = next;
    }
    return 0;
}

static void check_key(struct world *world, const weft_server_request *request)
{
    const char *key = weft_server_request_header(request, "idempotency-key");
    if (key == NULL)
        key = "";
    if (!world->asked)
        snprintf(world->key, sizeof world->key, "%s", key);
    else
        ASSERT_STR_EQ(key, world->key);
    world->asked = true;
}

static int answer(weft_server_request *request, weft_reply *reply, void *arg)
{
    struct world *world = arg;
    check_key(world, request);
    ASSERT_OK(weft_reply_set_header(reply, "Connection", "close"));
    if (strcmp(world->reply, "cut") == 0) {
        weft_reply_start(reply, 200, 10);
        weft_reply_write(reply, "abc", 3);
        return -EIO;
    }
    if (strcmp(world->reply, "slow") == 0)
        return weft_sleep(WEFT_SEC(60));
    int status = world->reply[0] != '\0' ? (int)strtol(world->reply, NULL, 10) : 200;
    char *fields = strchr(world->reply, ' ');
    int err = fields != NULL ? send_headers(reply, fields + 1) : 0;
    if (err < 0)
        return err;
    if (status == 204 || status == 205 || status == 304)
        return weft_reply_start(reply, status, 0);
    return weft_reply_text(reply, status, "text");
}

struct end {
    struct world *world;
    weft_stream *stream;
};

static int serve(void *arg)
{
    struct end end = *(struct end *)arg;
    free(arg);
    return weft__server_serve_stream(end.world->server, end.stream) == -ECANCELED ? -ECANCELED : 0;
}

/* Takes the request and says nothing. */
static int lose(void *arg)
{
    struct end end = *(struct end *)arg;
    char piece[4096];
    free(arg);
    weft_stream_read(end.stream, piece, sizeof piece);
    weft_stream_free(end.stream);
    return 0;
}

static int fail_to_dial(const char *how)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {
        {"refused", WEFT_EREFUSED},
        {"dns", WEFT_EDNS},
        {"unknown", WEFT_EDNS_NOT_FOUND},
        {"verify", WEFT_ETLS_VERIFY},
        {"connect_timeout", WEFT_ECONNECT_TIMEOUT},
        {"nomem", -ENOMEM},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(how, codes[i].name) == 0)
            return weft__fail_code(codes[i].code);
    }
    return 0;
}

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct world *world = userdata;
    size_t len = strcspn(world->replies, "|");
    (void)url;
    memcpy(world->reply, world->replies, len);
    world->reply[len] = '\0';
    world->replies += len + (world->replies[len] != '\0');
    world->attempts++;
    int err = fail_to_dial(world->reply);
    if (err < 0)
        return err;
    struct end *end = malloc(sizeof *end);
    end->world = world;
    ASSERT_OK(gate_pair(&world->group, 0, ret, &end->stream));
    ASSERT_OK(
        weft_group_spawn(&world->group, strcmp(world->reply, "lost") == 0 ? lose : serve, end));
    return 0;
}

/* ---- a row ---- */

static bool has_flag(const char *flags, const char *name, long *ret)
{
    size_t len = strlen(name);
    for (; *flags != '\0'; flags += strcspn(flags, ","), flags += *flags != '\0') {
        if (strncmp(flags, name, len) != 0 || strchr(",=", flags[len]) == NULL)
            continue;
        if (ret != NULL)
            *ret = flags[len] == '=' ? strtol(flags + len + 1, NULL, 10) : 1;
        return true;
    }
    return false;
}

struct settings {
    weft_retry_policy policy;
    int list[2];
    const char *key;
    bool reads; /* a body from a function */
    bool rewinds;
};

/* A body of three bytes, and where it is. */
static int64_t read_body(void *userdata, void *data, size_t len)
{
    int *at = userdata;
    if (*at == 3 || len == 0)
        return 0;
    *(char *)data = "abc"[(*at)++];
    return 1;
}

static int rewind_body(void *userdata)
{
    *(int *)userdata = 0;
    return 0;
}

static void read_flags(const char *flags, struct settings *ret)
{
    weft_retry_policy *policy = &ret->policy;
    long value;
    *ret = (struct settings){.policy = {.wait = {WEFT_WAIT_NONE}}};
    policy->retry_non_idempotent = has_flag(flags, "non_idempotent", NULL);
    policy->retry_refused = has_flag(flags, "refused", NULL);
    if (has_flag(flags, "list", &value)) {
        ret->list[0] = (int)value;
        policy->statuses = ret->list;
    }
    if (has_flag(flags, "always", NULL))
        policy->when.kind = WEFT_WHEN_ALWAYS;
    if (has_flag(flags, "never", NULL))
        policy->when.kind = WEFT_WHEN_NEVER;
    if (has_flag(flags, "cap", &value))
        policy->retry_after_max = WEFT_SEC(value);
    if (has_flag(flags, "attempts", &value))
        policy->attempts = (int)value;
    if (has_flag(flags, "total", &value))
        policy->total = WEFT_SEC(value);
    if (has_flag(flags, "floor", &value))
        policy->budget_floor = (int)value;
    if (has_flag(flags, "budget", &value))
        policy->budget_percent = (int)value;
    if (has_flag(flags, "try", &value))
        policy->attempt_timeout = WEFT_SEC(value);
    ret->rewinds = has_flag(flags, "rewind", NULL);
    ret->reads = ret->rewinds || has_flag(flags, "body", NULL);
    if (has_flag(flags, "key", NULL))
        ret->key = "order-17";
    if (has_flag(flags, "auto", NULL))
        ret->key = WEFT_IDEMPOTENCY_AUTO;
}

static void check_stats(const struct row *row, const weft_retry_stats *stats)
{
    int attempts = (int)strtol(row->column[4], NULL, 10);
    int64_t wait = WEFT_MS(strtol(row->column[6], NULL, 10));
    ASSERT_INT_EQ(stats->attempts, attempts);
    ASSERT_INT_EQ(stats->history_len, attempts);
    ASSERT_INT_EQ(stats->history[attempts - 1].wait, 0);
    if (attempts == 1)
        return;
    ASSERT_INT_GE(stats->history[attempts - 2].wait, wait);
    ASSERT_INT_LE(stats->history[attempts - 2].wait, wait + wait / 10);
    ASSERT_INT_GE(stats->history[attempts - 1].began, wait);
}

static void check_response(const struct row *row, const weft_response *response,
                           const weft_retry_stats *stats)
{
    char status[16];
    weft_retry_entry entry;
    snprintf(status, sizeof status, "%d", weft_response_status(response));
    ASSERT_STR_EQ(status, row->column[5]);
    ASSERT_INT_EQ(weft_response_attempts(response), stats->attempts);
    for (int i = 0; i < stats->attempts; i++) {
        ASSERT_OK(weft_response_attempt(response, (size_t)i, &entry));
        ASSERT_INT_EQ(entry.number, i + 1);
        ASSERT_INT_EQ(entry.status, stats->history[i].status);
        ASSERT_INT_EQ(entry.result, stats->history[i].result);
        ASSERT_INT_EQ(entry.wait, stats->history[i].wait);
        ASSERT(entry.status != 0 || entry.result < 0);
    }
    ASSERT_ERR(weft_response_attempt(response, (size_t)stats->attempts, &entry), -ENOENT);
}

static void play(struct world *world, const struct row *row)
{
    weft_client *client;
    weft_response *response = NULL;
    weft_retry_stats stats;
    struct settings settings;
    int at = 0;
    read_flags(row->column[2], &settings);
    world->replies = row->column[3];
    world->attempts = 0;
    world->asked = false;
    ASSERT_OK(weft_group_init(&world->group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_client_new(NULL, &client));
    gate_dial(client, dial, world);
    int err = weft_client_request(
        client, row->column[1], "http://example.org/",
        WEFT_REQUEST(.retry = &settings.policy, .stats = &stats, .idempotency_key = settings.key,
                     .body_reader = settings.reads ? read_body : NULL, .body_userdata = &at,
                     .body_rewind = settings.rewinds ? rewind_body : NULL),
        &response);
    if (err < 0)
        ASSERT_STR_EQ(weft_error_name(err), row->column[5]);
    else
        check_response(row, response, &stats);
    check_stats(row, &stats);
    ASSERT_INT_EQ(world->attempts, stats.attempts);
    if (settings.key != NULL)
        ASSERT_INT_EQ(strlen(world->key), settings.key[0] != '\0' ? 8 : 36);
    weft_response_free(response);
    weft_client_free(client);
    weft_group_cancel(&world->group, "the row is done");
    weft_group_wait(&world->group);
}

static bool read_row(FILE *file, char *line, size_t size, struct row *ret)
{
    while (fgets(line, (int)size, file) != NULL) {
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < COLUMNS; i++) {
            ret->column[i] = line;
            line += strcspn(line, "\t");
            ASSERT(*line == '\t' || i == COLUMNS - 1);
            if (*line != '\0')
                *line++ = '\0';
        }
        return true;
    }
    return false;
}

VIRTUAL_TEST(retry_decision_table_holds)
{
    struct world world = {0};
    struct row row;
    char path[512];
    char line[1024];
    int rows = 0;
    snprintf(path, sizeof path, "%s/tests/http/retry_policy.tsv", test_source_root());
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    ASSERT_OK(weft_server_new(NULL, &world.server));
    ASSERT_OK(weft_server_route(world.server, NULL, "/", answer, &world));
    for (; read_row(file, line, sizeof line, &row); rows++) {
        printf("# %s\n", row.column[0]);
        play(&world, &row);
    }
    fclose(file);
    weft_server_free(world.server);
    ASSERT_INT_GE(rows, ROWS_LEAST);
}

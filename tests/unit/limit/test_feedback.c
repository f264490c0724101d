/* What responses say about limits: read, and followed by all tasks that share a limiter. */
#include <stdio.h>
#include <stdlib.h>

#include <weft/error.h>

#include "limit/limit_int.h"
#include "limit_test.h"

/* ---- reading ---- */

static const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

struct reading {
    weft_feedback feedback;
    int64_t pause; /* seconds; -1 */
    int64_t reset;
    uint64_t remaining;
    uint64_t quota;
    int64_t window;
};

#define NONE .pause = -1, .reset = -1

static const struct reading readings[] = {
    {{.status = 200}, NONE},
    /* Retry-After */
    {{.retry_after = "120"}, .pause = 120, .reset = -1},
    {{.retry_after = " 0 "}, .pause = 0, .reset = -1},
    {{.retry_after = "1.5"}, .pause = 1, .reset = -1},
    {{.retry_after = "-1"}, NONE},
    {{.retry_after = ""}, NONE},
    {{.retry_after = "soon"}, NONE},
    {{.retry_after = "12 s"}, NONE},
    {{.retry_after = "99999999999999999999"}, NONE},
    {{.retry_after = "Sun, 06 Nov 1994 08:50:07 GMT"}, .pause = 30, .reset = -1},
    {{.retry_after = "Sun, 06 Nov 1994 08:49:37 GMT"}, .pause = 0, .reset = -1},
    {{.retry_after = "Sat, 05 Nov 1994 08:49:37 GMT"}, .pause = 0, .reset = -1},
    {{.retry_after = "Tue, 29 Feb 2000 00:00:00 GMT"}, .pause = 951782400 - now, .reset = -1},
    {{.retry_after = "Sun, 06 Nov 1994 08:49:37 UTC"}, NONE},
    {{.retry_after = "Sun, 06 Abc 1994 08:49:37 GMT"}, NONE},
    {{.retry_after = "Sun, 36 Nov 1994 08:49:37 GMT"}, NONE},
    {{.retry_after = "Sun, 06 Nov 1994 28:49:37 GMT"}, NONE},
    {{.retry_after = "Sun, 0x Nov 1994 08:49:37 GMT"}, NONE},
    /* Dates count from the server's own clock. */
    {{.retry_after = "Fri, 31 Dec 1999 23:59:59 GMT", .date = "Fri, 31 Dec 1999 23:59:50 GMT"},
     .pause = 9,
     .reset = -1},
    {{.retry_after = "Sun, 06 Nov 1994 08:50:07 GMT", .date = "now"}, .pause = 30, .reset = -1},
    /* The draft */
    {{.ratelimit = "\"default\";r=50;t=30"}, .pause = -1, .remaining = 50, .reset = 30},
    {{.ratelimit = "default; t=30; r=50"}, .pause = -1, .remaining = 50, .reset = 30},
    {{.ratelimit = "\"a;b,c\";r=5;t=7", .ratelimit_policy = "\"x\";q=1;w=2,\"a;b,c\";q=10;w=60"},
     .pause = -1,
     .remaining = 5,
     .reset = 7,
     .quota = 10,
     .window = 60},
    {{.ratelimit = "\"burst\";r=90;t=10, \"daily\";r=10;t=3600",
      .ratelimit_policy = "\"burst\";q=100;w=60,\"daily\";q=1000;w=86400"},
     .pause = -1,
     .remaining = 10,
     .reset = 3600,
     .quota = 1000,
     .window = 86400},
    {{.ratelimit = "\"a\";r=0;t=5,\"b\";r=0;t=50,\"c\";r=1;t=500"},
     .pause = -1,
     .remaining = 0,
     .reset = 50},
    {{.ratelimit = "\"default\";r=50"}, NONE},
    {{.ratelimit = "\"default\";r=x;t=30"}, NONE},
    {{.ratelimit = "\"default\";r=-5;t=30"}, NONE},
    {{.ratelimit = "\"open;r=5;t=3"}, NONE},
    {{.ratelimit = ",;=,;;\"\",="}, NONE},
    /* Older drafts */
    {{.ratelimit = "limit=100, remaining=50, reset=30", .ratelimit_policy = "100;w=60"},
     .pause = -1,
     .remaining = 50,
     .reset = 30,
     .quota = 100,
     .window = 60},
    {{.ratelimit = "limit=100, remaining=50"}, NONE},
    /* The wild */
    {{.limit = "60", .remaining = "59", .reset = "30"},
     .pause = -1,
     .remaining = 59,
     .reset = 30,
     .quota = 60},
    {{.limit = "60, 60;w=3600", .remaining = "59", .reset = "30"},
     .pause = -1,
     .remaining = 59,
     .reset = 30,
     .quota = 60,
     .window = 3600},
    {{.remaining = "0", .reset = "1700000030", .date = "Tue, 14 Nov 2023 22:13:20 GMT"},
     .pause = -1,
     .remaining = 0,
     .reset = 30},
    {{.remaining = "0", .reset = "1700000030000", .date = "Tue, 14 Nov 2023 22:13:20 GMT"},
     .pause = -1,
     .remaining = 0,
     .reset = 30},
    {{.remaining = "0", .reset = "1600000000", .date = "Tue, 14 Nov 2023 22:13:20 GMT"},
     .pause = -1,
     .remaining = 0,
     .reset = 0},
    {{.remaining = "7", .reset = "12.75"}, .pause = -1, .remaining = 7, .reset = 12},
    {{.remaining = "7", .reset = "12.x"}, .pause = -1, .remaining = 7, .reset = -1},
    {{.remaining = "many", .reset = "12"}, NONE},
    {{.remaining = "7"}, .pause = -1, .remaining = 7, .reset = -1},
    {{.remaining = "7", .reset = "18446744073709551616"}, .pause = -1, .remaining = 7, .reset = -1},
};

static int64_t in_seconds(int64_t ns)
{
    return ns < 0 ? -1 : ns / WEFT_SEC(1);
}

TEST(feedback_is_read_in_all_its_forms)
{
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        const struct reading *reading = &readings[i];
        struct weft__advice advice;
        weft__advice_read(&reading->feedback, now, &advice);
        if (in_seconds(advice.pause) != reading->pause ||
            in_seconds(advice.reset) != reading->reset || advice.quota != reading->quota ||
            advice.window != WEFT_SEC(reading->window) ||
            (reading->reset >= 0 && advice.remaining != reading->remaining))
            FAIL("row %zu: pause %jd, reset %jd, remaining %ju, quota %ju, window %jd", i,
                 (intmax_t)advice.pause, (intmax_t)advice.reset, (uintmax_t)advice.remaining,
                 (uintmax_t)advice.quota, (intmax_t)advice.window);
    }
}

/* Numbers beyond all bounds neither overflow nor wrap. */
TEST(feedback_absurd_values_are_harmless)
{
    static const char *const absurd[] = {"18446744073709551615", "9223372036854775808", "999999999",
                                         "1e9", "0x10"};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        struct weft__advice advice;
        weft__advice_read(WEFT_FEEDBACK(.retry_after = absurd[i], .limit = absurd[i],
                                        .remaining = absurd[i], .reset = absurd[i]),
                          now, &advice);
        ASSERT_INT_LE(advice.pause, WEFT__SPAN_MAX);
        ASSERT_INT_LE(advice.reset, WEFT__SPAN_MAX);
    }
}

/* Whatever a server sends is read within its bounds; heap copies let sanitizers see that. */
TEST(feedback_of_random_bytes_is_harmless)
{
    static const char alphabet[] = "0123456789;;,,==\"\"rtqw .GMT:JanSun\t-";
    struct weft__rand rand;
    weft__rand_init(&rand, 7);
    for (int i = 0; i < 20000; i++) {
        char *values[7];
        for (int v = 0; v < 7; v++) {
            size_t len = draw_below(&rand, 40);
            values[v] = malloc(len + 1);
            for (size_t at = 0; at < len; at++)
                values[v][at] = alphabet[draw_below(&rand, sizeof alphabet - 1)];
            values[v][len] = '\0';
        }
        struct weft__advice advice;
        weft__advice_read(WEFT_FEEDBACK(.retry_after = values[0], .date = values[1],
                                        .ratelimit = values[2], .ratelimit_policy = values[3],
                                        .limit = values[4], .remaining = values[5],
                                        .reset = values[6]),
                          now, &advice);
        ASSERT_INT_GE(advice.pause, -1);
        ASSERT_INT_LE(advice.pause, WEFT__SPAN_MAX);
        ASSERT_INT_GE(advice.reset, -1);
        ASSERT_INT_LE(advice.reset, WEFT__SPAN_MAX);
        ASSERT_INT_GE(advice.window, 0);
        for (int v = 0; v < 7; v++)
            free(values[v]);
    }
}

/* ---- following ---- */

static weft_rate_limiter *make(uint32_t permits)
{
    weft_rate_limiter *limiter;
    ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = permits, .burst = permits), &limiter));
    return limiter;
}

/* When the next n permits come, each in seconds from now. */
static void expect_at(weft_rate_limiter *limiter, const int64_t *at, int n)
{
    int64_t start = weft_now();
    for (int i = 0; i < n; i++) {
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
        ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(at[i]));
    }
}

VIRTUAL_TEST(limiter_fed_a_refusal_pauses)
{
    weft_rate_limiter *limiter = make(1000);
    weft_limit_state state;
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 503, .retry_after = "7"));
    expect_at(limiter, (int64_t[]){7, 7, 7}, 3);
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 503));
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 200, .retry_after = "7"));
    weft_rate_limiter_feed(limiter,
                           WEFT_FEEDBACK(.status = 429, .retry_after = "7", .cached = true));
    weft_rate_limiter_feed(limiter, NULL);
    expect_at(limiter, (int64_t[]){0, 0}, 2);
    weft_rate_limiter_get_state(limiter, &state);
    ASSERT_INT_EQ(state.refused, 1);
    weft_rate_limiter_free(limiter);
}

VIRTUAL_TEST(limiter_fed_an_absurd_pause_believes_an_hour)
{
    weft_rate_limiter *limiter = make(1000);
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 429, .retry_after = "1000000"));
    expect_at(limiter, (int64_t[]){3600}, 1);
    weft_rate_limiter_free(limiter);
    ASSERT_OK(weft_rate_limiter_new(WEFT_RATE(.permits = 10, .pause_max = WEFT_SEC(60)), &limiter));
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 200, .remaining = "0", .reset = "999"));
    expect_at(limiter, (int64_t[]){60}, 1);
    weft_rate_limiter_free(limiter);
}

/* 1 s, 2 s, 4 s, ... 60 s, and from the start again after a success. */
VIRTUAL_TEST(limiter_fed_bare_refusals_backs_off)
{
    weft_rate_limiter *limiter = make(1000);
    static const int64_t pauses[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (int i = 0; i < 8; i++) {
        int64_t start = weft_now();
        weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 429));
        weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 429));
        ASSERT_OK(weft_rate_limiter_acquire(limiter));
        ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(pauses[i]));
    }
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 200));
    int64_t start = weft_now();
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 429));
    ASSERT_OK(weft_rate_limiter_acquire(limiter));
    ASSERT_INT_LE(weft_now() - start, WEFT_SEC(62));
    weft_rate_limiter_free(limiter);
}

/* 5 remain for 10 s: one every 2 s, and then 20 a window of 10 s. */
VIRTUAL_TEST(limiter_fed_a_quota_spreads_what_remains)
{
    weft_rate_limiter *limiter = make(1000);
    ASSERT(weft_rate_limiter_try_acquire(limiter));
    weft_rate_limiter_feed(limiter, WEFT_FEEDBACK(.status = 200, .ratelimit = "\"d\";r=5;t=10",
                                                  .ratelimit_policy = "\"d\";q=20;w=20"));
    expect_at(limiter, (int64_t[]){0, 2, 4, 6, 8, 10, 11, 12, 13}, 9);
    weft_rate_limiter_free(limiter);
}

/* ---- against a server ---- */

/* Counts in fixed windows; a client that comes in the time of its Retry-After is refused too. */
struct server {
    int quota;
    int64_t window;
    int64_t latency;
    bool says_figures;
    int64_t window_start;
    int used;
    int served;
    int refusals;
    int64_t first_refusal;
};

struct answer {
    int status;
    char retry_after[24];
    char remaining[24];
    char reset[24];
    char limit[24];
};

static void request(struct server *server, struct answer *answer)
{
    weft_sleep(server->latency);
    int64_t at = weft_now();
    if (at - server->window_start >= server->window) {
        server->window_start += (at - server->window_start) / server->window * server->window;
        server->used = 0;
    }
    int64_t left = server->window_start + server->window - at;
    int64_t left_s = (left + WEFT_SEC(1) - 1) / WEFT_SEC(1);
    *answer = (struct answer){.status = 200};
    if (server->used < server->quota) {
        server->used++;
        server->served++;
    } else {
        answer->status = 429;
        if (server->refusals++ == 0)
            server->first_refusal = at;
    }
    snprintf(answer->retry_after, sizeof answer->retry_after, "%jd", (intmax_t)left_s);
    snprintf(answer->reset, sizeof answer->reset, "%jd", (intmax_t)left_s);
    snprintf(answer->limit, sizeof answer->limit, "%d", server->quota);
    snprintf(answer->remaining, sizeof answer->remaining, "%d", server->quota - server->used);
}

struct task {
    struct server *server;
    weft_limits *limits;
};

/* What the client does: again and again until it is served. */
static int get(void *arg)
{
    struct task *task = arg;
    struct answer answer;
    do {
        int err = weft_limits_acquire(task->limits, "host");
        if (err < 0)
            return err;
        int64_t start = weft_now();
        request(task->server, &answer);
        bool figures = task->server->says_figures;
        bool refused = answer.status == 429;
        weft_limits_feed(task->limits, "host",
                         WEFT_FEEDBACK(.status = answer.status,
                                       .retry_after = refused ? answer.retry_after : NULL,
                                       .limit = figures ? answer.limit : NULL,
                                       .remaining = figures ? answer.remaining : NULL,
                                       .reset = figures ? answer.reset : NULL));
        weft_limits_release(task->limits, "host", weft_now() - start, refused);
    } while (answer.status == 429);
    return 0;
}

static void run_tasks(struct server *server, const weft_limits_options *options)
{
    struct task task = {.server = server};
    weft_call calls[100];
    ASSERT_OK(weft_limits_new(options, &task.limits));
    server->window_start = weft_now();
    for (int i = 0; i < 100; i++)
        calls[i] = (weft_call){get, &task};
    ASSERT_OK(weft_gather(calls, 100, NULL));
    ASSERT_INT_EQ(server->served, 100);
    weft_limits_free(task.limits);
}

/* A server that says nothing but no: 100 tasks meet one 429, and no second one. */
VIRTUAL_TEST(hundred_tasks_that_meet_one_429_cause_no_second)
{
    struct server server = {.quota = 20, .window = WEFT_SEC(10), .latency = WEFT_MS(1)};
    run_tasks(&server, WEFT_LIMITS(.concurrency = 1));
    ASSERT_INT_EQ(server.refusals, 1);
    /* What was under way when the first came could not know. */
    server = (struct server){.quota = 20, .window = WEFT_SEC(10), .latency = WEFT_MS(1)};
    run_tasks(&server, WEFT_LIMITS(.concurrency = 5));
    ASSERT_INT_LE(server.refusals, 5);
    server = (struct server){.quota = 20, .window = WEFT_SEC(10), .latency = WEFT_MS(40)};
    run_tasks(&server, WEFT_LIMITS(.rate = WEFT_RATE(.permits = 20)));
    ASSERT_INT_EQ(server.refusals, 1);
}

/* A server that says what remains refuses nobody. */
VIRTUAL_TEST(hundred_tasks_that_are_told_the_quota_meet_no_429)
{
    for (uint32_t concurrency = 1; concurrency <= 20; concurrency++) {
        struct server server = {
            .quota = 20, .window = WEFT_SEC(10), .latency = WEFT_MS(10), .says_figures = true};
        int64_t start = weft_now();
        run_tasks(&server, WEFT_LIMITS(.concurrency = concurrency));
        ASSERT_INT_EQ(server.refusals, 0);
        /* And no slower than a window or two more than it must. */
        ASSERT_INT_LE(weft_now() - start, WEFT_SEC(70));
    }
}

/* Whatever the quota, the window, the latency: one refusal, for the ten periods that it is remembered. */
static int one_server(void *arg)
{
    struct weft__rand rand;
    weft__rand_init(&rand, *(uint64_t *)arg);
    struct server server = {
        .quota = 10 + (int)draw_below(&rand, 50),
        .window = WEFT_SEC(1 + (int64_t)draw_below(&rand, 20)),
        .latency = (int64_t)draw_below(&rand, WEFT_MS(20)),
    };
    run_tasks(&server, WEFT_LIMITS(.concurrency = 1));
    ASSERT_INT_LE(server.refusals, 1);
    return 0;
}

TEST_WITH(one_refusal_slows_all_tasks, .limit_s = 60)
{
    for_all_seeds(one_server);
}

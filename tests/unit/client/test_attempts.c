/* What a server and a caller learn of the attempts: their number, history, hedges. */
#include <errno.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "calls.h"
#include "client/client_int.h"
#include "test.h"
#include "wire.h"

#define TEMPORARILY "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://example.net/y\r\n" EMPTY

static weft_client *make_client(struct wire *wire, const weft_client_options *options)
{
    weft_client *client;
    ASSERT_OK(weft_client_new(options, &client));
    wire_serve(wire, client);
    return client;
}

/* ---- the field with the attempt's number ---- */

VIRTUAL_TEST(attempt_field_counts_the_attempts)
{
    static const struct wire_answer answers[] = {{BUSY}, {BUSY}, {GOOD}};
    char field[] = "X-Attempt";
    struct wire wire;
    wire_start(&wire, answers, 3);
    weft_client *client = make_client(
        &wire, WEFT_CLIENT(.retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE}, .attempt_field = field)));
    field[0] = 'Y'; /* the client has a copy */
    ASSERT_INT_EQ(call(client, "GET", URL, NULL), 200);
    ASSERT_STR_HAS(wire.requests[0], "\r\nX-Attempt: 1\r\n");
    ASSERT_STR_HAS(wire.requests[1], "\r\nX-Attempt: 2\r\n");
    ASSERT_STR_HAS(wire.requests[2], "\r\nX-Attempt: 3\r\n");
    ASSERT_STR_HAS(wire.requests[2], "\r\nUser-Agent: weft/");
    weft_client_free(client);
    wire_stop(&wire);
}

VIRTUAL_TEST(attempt_field_is_off_by_default)
{
    static const struct wire_answer answers[] = {{BUSY}, {GOOD}};
    struct wire wire;
    wire_start(&wire, answers, 2);
    weft_client *client =
        make_client(&wire, WEFT_CLIENT(.retry = WEFT_RETRY(.wait = {WEFT_WAIT_NONE})));
    ASSERT_INT_EQ(call(client, "GET", URL, NULL), 200);
    ASSERT_MEM_EQ(wire.requests[1], wire.requests[0], wire.lens[0] + 1);
    weft_client_free(client);
    wire_stop(&wire);
}

VIRTUAL_TEST(attempt_field_of_a_secret_name_stays_within_the_origin)
{
    static const struct wire_answer answers[] = {{BUSY}, {TEMPORARILY}, {GOOD}};
    static const weft_retry_policy open = {.wait = {WEFT_WAIT_NONE}, .attempt_field = "X-Attempt"};
    static const weft_retry_policy secret = {.wait = {WEFT_WAIT_NONE},
                                             .attempt_field = "X-Session-Attempt"};
    for (int i = 0; i < 2; i++) {
        struct wire wire;
        wire_start(&wire, answers, 3);
        weft_client *client = make_client(&wire, WEFT_CLIENT(.follow_redirects = WEFT_ON));
        ASSERT_INT_EQ(call(client, "GET", URL, WEFT_REQUEST(.retry = i == 0 ? &open : &secret)),
                      200);
        ASSERT_STR_HAS(wire.requests[1], "Attempt: 2\r\n");
        ASSERT_STR_HAS(wire.requests[2], "GET /y HTTP/1.1\r\nHost: example.net\r\n");
        if (i == 0)
            ASSERT_STR_HAS(wire.requests[2], "\r\nX-Attempt: 2\r\n");
        else
            ASSERT_STR_LACKS(wire.requests[2], "Attempt");
        weft_client_free(client);
        wire_stop(&wire);
    }
}

VIRTUAL_TEST(attempt_field_that_is_no_name_is_refused)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct wire wire;
    wire_start(&wire, answers, 1);
    weft_client *client =
        make_client(&wire, WEFT_CLIENT(.retry = WEFT_RETRY(.attempt_field = "X\r\nInjected")));
    ASSERT_INT_LT(call(client, "GET", URL, NULL), 0);
    ASSERT_INT_EQ(wire.dials, 0);
    weft_client_free(client);
    wire_stop(&wire);
}

/* ---- hedges ---- */

VIRTUAL_TEST(hedge_that_wins_is_in_the_history)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_SEC(9)}, {GOOD}};
    static const weft_retry_policy policy = {.hedge_after = WEFT_SEC(1)};
    struct wire wire;
    weft_response *response;
    weft_retry_entry entry;
    wire_start(&wire, answers, 2);
    weft_client *client = make_client(&wire, WEFT_CLIENT(.retry = &policy));
    ASSERT_OK(weft_client_get(client, URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_attempts(response), 1);
    ASSERT_OK(weft_response_attempt(response, 0, &entry));
    ASSERT(!entry.hedge);
    ASSERT_INT_EQ(entry.number, 1);
    ASSERT_INT_EQ(entry.result, -ECANCELED);
    ASSERT_INT_EQ(entry.status, 0);
    ASSERT_INT_EQ(entry.took, WEFT_SEC(1));
    ASSERT_OK(weft_response_attempt(response, 1, &entry));
    ASSERT(entry.hedge);
    ASSERT_INT_EQ(entry.number, 1);
    ASSERT_INT_EQ(entry.result, 0);
    ASSERT_INT_EQ(entry.status, 200);
    ASSERT_INT_EQ(entry.began, WEFT_SEC(1));
    ASSERT_ERR(weft_response_attempt(response, 2, &entry), -ENOENT);
    weft_response_free(response);
    weft_client_free(client);
    wire_stop(&wire);
}

VIRTUAL_TEST(hedges_of_a_call_that_fails_are_in_its_statistics)
{
    static const struct wire_answer answers[] = {{.takes = WEFT_SEC(3)}};
    static const weft_retry_policy policy = {
        .attempts = 2, .wait = {WEFT_WAIT_FIXED, .min = WEFT_SEC(5)}, .hedge_after = WEFT_SEC(1)};
    static const int64_t began[] = {0, 1, 9, 10};
    struct wire wire;
    weft_retry_stats stats;
    wire_start(&wire, answers, 1);
    weft_client *client = make_client(&wire, WEFT_CLIENT(.retry = &policy));
    ASSERT_ERR(call(client, "GET", URL, WEFT_REQUEST(.stats = &stats)), WEFT_EDISCONNECTED);
    ASSERT_INT_EQ(stats.attempts, 2);
    ASSERT_INT_EQ(stats.history_len, 4);
    for (int i = 0; i < 4; i++) {
        ASSERT_INT_EQ(stats.history[i].number, i / 2 + 1);
        ASSERT_INT_EQ(stats.history[i].hedge, i % 2);
        ASSERT_INT_EQ(stats.history[i].result, WEFT_EDISCONNECTED);
        ASSERT_INT_EQ(stats.history[i].began, WEFT_SEC(began[i]));
    }
    ASSERT_INT_EQ(stats.elapsed, WEFT_SEC(13));
    weft_client_free(client);
    wire_stop(&wire);
}

static int64_t time_get(weft_client *client)
{
    int64_t start = weft_now();
    ASSERT_INT_EQ(call(client, "GET", URL, NULL), 200);
    return weft_now() - start;
}

/* 20 answers of 1 to 20 ms: their 95th percentile is 19 ms. */
VIRTUAL_TEST(hedge_waits_for_the_percentile_of_what_was_seen)
{
    static const weft_retry_policy policy = {.hedge_percentile = 95};
    struct wire_answer answers[23] = {{0}};
    struct wire wire;
    for (int i = 0; i < 20; i++)
        answers[i] = (struct wire_answer){GOOD, .takes = WEFT_MS(20 - i)};
    answers[20] = (struct wire_answer){GOOD, .takes = WEFT_SEC(9)};
    answers[21] = (struct wire_answer){GOOD, .takes = WEFT_MS(1)};
    wire_start(&wire, answers, 22);
    weft_client *client = make_client(&wire, WEFT_CLIENT(.retry = &policy));
    for (int i = 0; i < 20; i++)
        ASSERT_INT_EQ(time_get(client), WEFT_MS(20 - i));
    ASSERT_INT_EQ(wire.n_requests, 20);
    ASSERT_INT_EQ(time_get(client), WEFT_MS(20) + WEFT_US(1));
    ASSERT_INT_EQ(wire.n_requests, 22);
    weft_client_free(client);
    wire_stop(&wire);
}

VIRTUAL_TEST(hedge_waits_for_the_fixed_time_until_enough_is_known)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_SEC(9)}, {GOOD}};
    static const weft_retry_policy both = {.hedge_after = WEFT_SEC(2), .hedge_percentile = 250};
    static const weft_retry_policy alone = {.hedge_percentile = 50};
    struct wire wire;
    wire_start(&wire, answers, 2);
    weft_client *client = make_client(&wire, WEFT_CLIENT(.retry = &both));
    ASSERT_INT_EQ(time_get(client), WEFT_SEC(2));
    weft_client_free(client);
    wire_stop(&wire);
    wire_start(&wire, answers, 2);
    client = make_client(&wire, WEFT_CLIENT(.retry = &alone, .read_timeout = WEFT_SEC(60)));
    ASSERT_INT_EQ(time_get(client), WEFT_SEC(9));
    weft_client_free(client);
    wire_stop(&wire);
}

/* Ten slow ones in twenty: who only ever counts the winners would hedge ever earlier. */
VIRTUAL_TEST(hedge_percentile_counts_those_that_lost)
{
    static const weft_retry_policy policy = {
        .hedge_after = WEFT_SEC(1), .hedge_percentile = 60, .attempts = 1};
    struct wire_answer answers[32];
    struct wire wire;
    for (int i = 0; i < 20; i++)
        answers[i] = (struct wire_answer){GOOD, .takes = i % 2 == 0 ? WEFT_SEC(4) : WEFT_MS(1)};
    answers[20] = (struct wire_answer){GOOD, .takes = WEFT_SEC(3)};
    answers[21] = (struct wire_answer){GOOD};
    wire_start(&wire, answers, 22);
    weft_client *client = make_client(&wire, WEFT_CLIENT(.retry = &policy));
    for (int i = 0; i < 10; i++)
        ASSERT_INT_EQ(time_get(client), WEFT_MS(1001));
    ASSERT_INT_GE(time_get(client), WEFT_SEC(1)); /* of 10 at 1 ms and 10 at 1001 ms or more */
    weft_client_free(client);
    wire_stop(&wire);
}

/* ---- what is no attempt, and what never gets another ---- */

/* RFC 9112 9.3.1: the server has closed a kept connection. No attempt, and nothing of the budget. */
VIRTUAL_TEST(transparent_retry_is_not_counted)
{
    static const struct wire_answer answers[] = {{GOOD}, {NULL}, {GOOD}, {NULL}, {GOOD}};
    static const weft_retry_policy policy = {.budget_percent = 1, .budget_floor = -1};
    struct wire wire;
    weft_response *response;
    weft_retry_entry entry;
    wire_start(&wire, answers, 5);
    weft_client *client = make_client(&wire, WEFT_CLIENT(.retry = &policy));
    ASSERT_INT_EQ(call(client, "GET", URL, NULL), 200);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(weft_client_get(client, URL, NULL, &response));
        ASSERT_INT_EQ(weft_response_status(response), 200);
        ASSERT_INT_EQ(weft_response_attempts(response), 1);
        ASSERT_OK(weft_response_attempt(response, 0, &entry));
        ASSERT_ERR(weft_response_attempt(response, 1, &entry), -ENOENT);
        weft_response_free(response);
    }
    ASSERT_INT_EQ(wire.n_requests, 5);
    weft_client_free(client);
    wire_stop(&wire);
}

static bool always(const weft_attempt *attempt, void *userdata)
{
    (void)attempt;
    (void)userdata;
    return true;
}

static const weft_retry_policy stubborn = {
    .attempts = 9, .wait = {WEFT_WAIT_NONE}, .retry_if = always, .retry_non_idempotent = true};

VIRTUAL_TEST(cancelled_call_is_not_retried_whatever_the_predicate_says)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_SEC(3)}};
    for (uint64_t k = 1; k < 12; k++) {
        struct wire wire;
        weft_scope scope;
        wire_start(&wire, answers, 1);
        weft_client *client = make_client(&wire, NULL);
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, k);
        int err = call(client, "GET", URL, WEFT_REQUEST(.retry = &stubborn));
        weft_testing_cancel_at(NULL, 0);
        ASSERT(err == 200 || err == -ECANCELED);
        if (err < 0)
            ASSERT_INT_LE(wire.n_requests, 1);
        ASSERT_OK(weft_scope_exit(&scope, err < 0 ? err : 0));
        weft_client_free(client);
        wire_stop(&wire);
    }
}

VIRTUAL_TEST(callers_deadline_is_not_retried_whatever_the_predicate_says)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_SEC(3)}};
    struct wire wire;
    weft_scope scope;
    wire_start(&wire, answers, 1);
    weft_client *client = make_client(&wire, NULL);
    ASSERT_ERR(call(client, "GET", URL, WEFT_REQUEST(.retry = &stubborn, .timeout = WEFT_SEC(1))),
               WEFT_ETOTAL_TIMEOUT);
    ASSERT_INT_EQ(wire.n_requests, 1);
    weft_scope_enter(&scope, WEFT_SEC(1));
    int err = call(client, "GET", URL, WEFT_REQUEST(.retry = &stubborn));
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_INT_EQ(wire.n_requests, 2);
    weft_client_free(client);
    wire_stop(&wire);
}

/* A mistake in the call, not in the network. */
VIRTUAL_TEST(programming_error_is_not_retried_whatever_the_predicate_says)
{
    static const struct wire_answer answers[] = {{BUSY}};
    static const weft_pair broken[] = {{"X-Field", "a\r\nb"}, {0}};
    struct wire wire;
    wire_start(&wire, answers, 1);
    weft_client *client = make_client(&wire, NULL);
    ASSERT_INT_LT(call(client, "GET", URL, WEFT_REQUEST(.retry = &stubborn, .headers = broken)), 0);
    ASSERT_INT_EQ(wire.dials, 0);
    weft_client_free(client);
    wire_stop(&wire);
}

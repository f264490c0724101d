/* gather and map on the virtual clock. */
#include <string.h>

#include <weft/error.h>
#include <weft/testing.h>

#include "base/error_int.h"
#include "test.h"

struct job {
    int64_t duration;
    int result;
    int saw; /* what its sleep returned; 1: it has not run */
    const char *message;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    job->saw = weft_sleep(job->duration);
    if (job->saw < 0)
        return job->saw;
    return job->message != NULL ? weft__fail(job->result, "%s", job->message) : job->result;
}

static void prepare(weft_call *calls, struct job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        jobs[i].saw = 1;
        calls[i] = (weft_call){run_job, &jobs[i]};
    }
}

/* ---- gather ---- */

VIRTUAL_TEST(gather_of_three_one_second_calls_takes_one_second)
{
    struct job jobs[] = {{.duration = WEFT_SEC(1), .result = 1},
                         {.duration = WEFT_SEC(1), .result = 2},
                         {.duration = WEFT_SEC(1), .result = 3}};
    weft_call calls[3];
    int64_t start = weft_now();
    prepare(calls, jobs, 3);
    ASSERT_INT_EQ(weft_gather(calls, 3, NULL), 0);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
    for (int i = 0; i < 3; i++)
        ASSERT_INT_EQ(calls[i].result, i + 1);
}

VIRTUAL_TEST(gather_of_nothing_is_success)
{
    ASSERT_INT_EQ(weft_gather(NULL, 0, NULL), 0);
    ASSERT_INT_EQ(weft_gather(NULL, 0, WEFT_GATHER(.collect = true, .timeout = 1)), 0);
    ASSERT_OK(weft_sleep(1));
}

VIRTUAL_TEST(gather_fails_fast_and_joins_the_rest)
{
    struct job jobs[] = {
        {.duration = WEFT_SEC(1), .result = 7},
        {.duration = WEFT_SEC(2), .result = -EBADMSG, .message = "user 2 could not be read"},
        {.duration = WEFT_SEC(3)},
        {.duration = WEFT_FOREVER},
    };
    weft_call calls[4];
    int64_t start = weft_now();
    prepare(calls, jobs, 4);
    ASSERT_INT_EQ(weft_gather(calls, 4, NULL), -EBADMSG);
    ASSERT_STR_EQ(weft_error_message(), "user 2 could not be read");
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_INT_EQ(calls[0].result, 7);
    ASSERT_INT_EQ(calls[1].result, -EBADMSG);
    ASSERT_INT_EQ(calls[2].result, -ECANCELED);
    ASSERT_INT_EQ(calls[3].result, -ECANCELED);
    ASSERT_INT_EQ(weft_task_count(), 1);
    ASSERT_OK(weft_checkpoint());
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return -EBADMSG;
}

/* One that fails before the next is started: those are never started. */
VIRTUAL_TEST(gather_does_not_start_what_follows_a_failure)
{
    struct job jobs[] = {{.duration = WEFT_SEC(1)}, {.duration = WEFT_SEC(1)}};
    weft_call calls[3] = {{run_job, &jobs[0]}, {fail_at_once, NULL}, {run_job, &jobs[1]}};
    jobs[1].saw = 1;
    ASSERT_ERR(weft_gather(calls, 3, NULL), -EBADMSG);
    ASSERT_INT_EQ(calls[0].result, -ECANCELED);
    ASSERT_INT_EQ(calls[2].result, -ECANCELED);
    ASSERT_INT_EQ(jobs[1].saw, 1);
    ASSERT_INT_EQ(weft_task_count(), 1);
}

VIRTUAL_TEST(gather_that_collects_runs_all_and_succeeds)
{
    struct job jobs[] = {{.duration = 3, .result = 1},
                         {.duration = 1, .result = -EIO},
                         {.duration = 2, .result = -ECANCELED},
                         {.duration = 4, .result = 4}};
    static const int results[] = {1, -EIO, -ECANCELED, 4};
    weft_call calls[4];
    prepare(calls, jobs, 4);
    ASSERT_INT_EQ(weft_gather(calls, 4, WEFT_GATHER(.collect = true)), 0);
    for (int i = 0; i < 4; i++)
        ASSERT_INT_EQ(calls[i].result, results[i]);
}

VIRTUAL_TEST(gather_timeout_cancels_all)
{
    struct job jobs[] = {{.duration = WEFT_SEC(1), .result = 1}, {.duration = WEFT_SEC(3)}};
    weft_call calls[2];
    int64_t start = weft_now();
    for (int collect = 0; collect < 2; collect++) {
        prepare(calls, jobs, 2);
        ASSERT_ERR(weft_gather(calls, 2, WEFT_GATHER(.timeout = WEFT_SEC(2), .collect = collect)),
                   -ETIMEDOUT);
        ASSERT_STR_EQ(weft_error_message(), "timed out after 2 s");
        ASSERT_INT_EQ(calls[0].result, 1);
        ASSERT_INT_EQ(calls[1].result, -ECANCELED);
    }
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(4));
    /* Met: no trace of it. */
    prepare(calls, jobs, 2);
    ASSERT_OK(weft_gather(calls, 2, WEFT_GATHER(.timeout = WEFT_SEC(4))));
    ASSERT_OK(weft_sleep(WEFT_SEC(10)));
}

VIRTUAL_TEST(gather_in_a_cancelled_scope_cancels_all)
{
    struct job jobs[] = {{.duration = WEFT_FOREVER}, {.duration = WEFT_FOREVER}};
    weft_call calls[2];
    weft_scope scope;
    prepare(calls, jobs, 2);
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_INT_EQ(weft_gather(calls, 2, NULL), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_INT_EQ(jobs[0].saw, -ECANCELED);
    ASSERT_INT_EQ(jobs[1].saw, -ECANCELED);
}

VIRTUAL_TEST(gather_that_is_cancelled_while_it_collects_is_ecanceled)
{
    struct job jobs[] = {{.duration = 1, .result = -EIO}, {.duration = WEFT_FOREVER}};
    weft_call calls[2];
    weft_scope scope;
    prepare(calls, jobs, 2);
    weft_scope_enter(&scope, WEFT_SEC(1));
    ASSERT_INT_EQ(weft_gather(calls, 2, WEFT_GATHER(.collect = true)), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_INT_EQ(calls[0].result, -EIO);
    ASSERT_INT_EQ(calls[1].result, -ECANCELED);
}

static int gather_two(void *arg)
{
    struct job *jobs = arg;
    weft_call calls[2];
    prepare(calls, jobs, 2);
    return weft_gather(calls, 2, NULL);
}

VIRTUAL_TEST(gather_in_gather_hands_errors_up)
{
    struct job jobs[4] = {{.duration = 5},
                          {.duration = 9},
                          {.duration = 2},
                          {.duration = 3, .result = -EDOM, .message = "in the second pair"}};
    weft_call calls[] = {{gather_two, &jobs[0]}, {gather_two, &jobs[2]}};
    ASSERT_INT_EQ(weft_gather(calls, 2, NULL), -EDOM);
    ASSERT_STR_EQ(weft_error_message(), "in the second pair");
    ASSERT_INT_EQ(jobs[0].saw, -ECANCELED);
    ASSERT_INT_EQ(jobs[2].saw, 0);
}

TEST(gather_works_outside_any_loop)
{
    struct job jobs[] = {{.duration = WEFT_MS(3), .result = 1}, {.duration = WEFT_MS(1)}};
    weft_call calls[2];
    prepare(calls, jobs, 2);
    int64_t start = weft_now();
    ASSERT_OK(weft_gather(calls, 2, NULL));
    ASSERT_INT_GE(weft_now() - start, WEFT_MS(3));
    ASSERT_INT_EQ(calls[0].result, 1);
}

/* ---- map ---- */

enum { ITEMS = 100 };

static int in_flight;
static int most_in_flight;
static int order[ITEMS];
static int n_started;

struct item {
    int id;
    int result;
    int64_t duration;
};

static int visit(void *arg)
{
    struct item *item = arg;
    order[n_started++] = item->id;
    in_flight++;
    if (in_flight > most_in_flight)
        most_in_flight = in_flight;
    int err = weft_sleep(item->duration);
    in_flight--;
    return err < 0 ? err : item->result;
}

static void fill(struct item *items)
{
    for (int i = 0; i < ITEMS; i++)
        items[i] = (struct item){.id = i, .result = i * 2, .duration = WEFT_SEC(1)};
    in_flight = most_in_flight = n_started = 0;
}

VIRTUAL_TEST(map_never_has_more_than_limit_in_flight)
{
    static const int limits[] = {1, 2, 5, 7, 99, 100, 1000};
    struct item items[ITEMS];
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        int limit = limits[k];
        int results[ITEMS];
        int64_t start = weft_now();
        fill(items);
        ASSERT_OK(weft_map(visit, items, ITEMS, sizeof items[0],
                           WEFT_MAP(.limit = limit, .results = results)));
        int expected = limit < ITEMS ? limit : ITEMS;
        ASSERT_INT_EQ(most_in_flight, expected);
        ASSERT_INT_EQ(weft_now() - start, WEFT_SEC((ITEMS + expected - 1) / expected));
        for (int i = 0; i < ITEMS; i++) {
            ASSERT_INT_EQ(order[i], i);
            ASSERT_INT_EQ(results[i], i * 2);
        }
    }
}

VIRTUAL_TEST(map_without_options_runs_all_at_once)
{
    struct item items[ITEMS];
    int64_t start = weft_now();
    fill(items);
    ASSERT_OK(weft_map(visit, items, ITEMS, sizeof items[0], NULL));
    ASSERT_INT_EQ(most_in_flight, ITEMS);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(1));
}

VIRTUAL_TEST(map_results_stand_in_the_order_of_the_items)
{
    struct item items[ITEMS];
    int results[ITEMS];
    fill(items);
    for (int i = 0; i < ITEMS; i++)
        items[i].duration = (i * 37) % 100;
    ASSERT_OK(
        weft_map(visit, items, ITEMS, sizeof items[0], WEFT_MAP(.limit = 9, .results = results)));
    for (int i = 0; i < ITEMS; i++)
        ASSERT_INT_EQ(results[i], i * 2);
}

VIRTUAL_TEST(map_of_nothing_is_success)
{
    ASSERT_OK(weft_map(visit, NULL, 0, 8, NULL));
    ASSERT_OK(weft_map(NULL, NULL, 0, 0, WEFT_MAP(.limit = 5)));
}

VIRTUAL_TEST(map_without_a_function_is_refused)
{
    struct item items[ITEMS];
    ASSERT_ERR(weft_map(NULL, items, ITEMS, sizeof items[0], NULL), -EINVAL);
}

VIRTUAL_TEST(map_stops_at_the_first_error)
{
    struct item items[ITEMS];
    int results[ITEMS];
    fill(items);
    items[7].result = -EBADMSG;
    int64_t start = weft_now();
    ASSERT_INT_EQ(
        weft_map(visit, items, ITEMS, sizeof items[0], WEFT_MAP(.limit = 5, .results = results)),
        -EBADMSG);
    /* The second five have begun; of the third, those whose worker came before the error. */
    ASSERT_INT_LE(n_started, 14);
    ASSERT_INT_EQ(in_flight, 0);
    ASSERT_INT_EQ(weft_now() - start, WEFT_SEC(2));
    ASSERT_INT_EQ(results[4], 8);
    ASSERT_INT_EQ(results[7], -EBADMSG);
    for (int i = 14; i < ITEMS; i++)
        ASSERT_INT_EQ(results[i], -ECANCELED);
}

VIRTUAL_TEST(map_that_collects_visits_every_item)
{
    struct item items[ITEMS];
    int results[ITEMS];
    fill(items);
    for (int i = 0; i < ITEMS; i += 3)
        items[i].result = -EIO;
    ASSERT_OK(weft_map(visit, items, ITEMS, sizeof items[0],
                       WEFT_MAP(.limit = 8, .results = results, .collect = true)));
    ASSERT_INT_EQ(n_started, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        ASSERT_INT_EQ(results[i], i % 3 == 0 ? -EIO : i * 2);
}

VIRTUAL_TEST(map_timeout_leaves_the_rest_unstarted)
{
    struct item items[ITEMS];
    int results[ITEMS];
    for (int collect = 0; collect < 2; collect++) {
        fill(items);
        ASSERT_ERR(weft_map(visit, items, ITEMS, sizeof items[0],
                            WEFT_MAP(.limit = 10, .results = results, .collect = collect,
                                     .timeout = WEFT_MS(2500))),
                   -ETIMEDOUT);
        ASSERT_INT_EQ(n_started, 30);
        ASSERT_INT_EQ(in_flight, 0);
        ASSERT_INT_EQ(results[19], 38);
        for (int i = 20; i < ITEMS; i++)
            ASSERT_INT_EQ(results[i], -ECANCELED);
    }
}

VIRTUAL_TEST(map_in_a_cancelled_scope_ends)
{
    struct item items[ITEMS];
    weft_scope scope;
    fill(items);
    weft_scope_enter(&scope, WEFT_MS(1500));
    ASSERT_INT_EQ(weft_map(visit, items, ITEMS, sizeof items[0], WEFT_MAP(.limit = 4)), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_INT_EQ(n_started, 8);
    ASSERT_INT_EQ(in_flight, 0);
}

/* Only one worker can be had: the work is done all the same. */
VIRTUAL_TEST(map_with_too_little_memory_for_all_workers_uses_fewer)
{
    struct item items[ITEMS];
    int results[ITEMS];
    fill(items);
    for (uint64_t k = 1; k <= 6; k++) {
        fill(items);
        for (int i = 0; i < ITEMS; i++)
            items[i].duration = 0;
        weft_testing_fail_alloc(k, true);
        int err = weft_map(visit, items, ITEMS, sizeof items[0],
                           WEFT_MAP(.limit = 50, .results = results));
        weft_testing_fail_alloc(0, false);
        ASSERT(err == 0 || err == -ENOMEM);
        for (int i = 0; i < ITEMS && err == 0; i++)
            ASSERT_INT_EQ(results[i], i * 2);
    }
}

VIRTUAL_TEST(gather_with_a_missing_function_begins_nothing_and_says_which)
{
    struct job job = {.saw = 1};
    weft_call calls[3] = {{run_job, &job}, {run_job, &job}, {.fn = NULL}};
    ASSERT_ERR(weft_gather(calls, 3, NULL), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "call 2 of a gather has no function");
    ASSERT_INT_EQ(job.saw, 1);
    ASSERT_INT_EQ(calls[0].result, -ECANCELED);
}

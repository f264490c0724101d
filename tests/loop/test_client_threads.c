/* One client, several threads at once, tasks and plain code among them: what they share is whole. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>

#include "certs.h"
#include "test.h"
#include "web.h"

enum { THREADS = 4, TASKS = 3, ROUNDS = 8 };

struct many {
    struct web web;
    bool over_h2;
    weft_client *client;
    pthread_barrier_t barrier;
    atomic_int fetches;
    atomic_int requests; /* seen by hooks */
    atomic_int responses;
    atomic_int lines;
    atomic_int calls; /* that have ended well */
    atomic_int closed;
    weft_client_closing how;
    int (*use)(struct many *many, int index);
};

struct worker {
    struct many *many;
    pthread_t thread;
    int index;
};

static int get(struct many *many, const char *path, const weft_request_options *options)
{
    weft_response *response = NULL;
    int err = weft_client_get(many->client, path, options, &response);
    if (err < 0)
        return err;
    int status = weft_response_status(response);
    ASSERT_STR_EQ(weft_response_http_version(response), many->over_h2 ? "HTTP/2" : "HTTP/1.1");
    weft_response_free(response);
    return status;
}

static int work(void *arg)
{
    struct worker *worker = arg;
    return worker->many->use(worker->many, worker->index);
}

static int work_in_tasks(void *arg)
{
    weft_call calls[TASKS];
    for (int i = 0; i < TASKS; i++)
        calls[i] = (weft_call){work, arg};
    return weft_gather(calls, TASKS, NULL);
}

static void *run_thread(void *arg)
{
    struct worker *worker = arg;
    pthread_barrier_wait(&worker->many->barrier);
    if (worker->index % 2 == 0)
        ASSERT_OK(weft_run(work_in_tasks, worker));
    else
        ASSERT_OK(work(worker));
    return NULL;
}

/* Over HTTP/2 with TLS, or over HTTP/1.1 without. */
static void start(struct many *many, bool over_h2)
{
    memset(many, 0, sizeof *many);
    many->over_h2 = over_h2;
    if (over_h2)
        web_start_h2(&many->web, certs_good());
    else
        web_start(&many->web);
    pthread_barrier_init(&many->barrier, NULL, THREADS + 1);
}

static void end(struct many *many)
{
    weft_client_free(many->client);
    web_stop(&many->web);
    pthread_barrier_destroy(&many->barrier);
}

static void run_all(struct many *many, int (*use)(struct many *many, int index))
{
    struct worker workers[THREADS];
    many->use = use;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.many = many, .index = i};
        ASSERT_INT_EQ(pthread_create(&workers[i].thread, NULL, run_thread, &workers[i]), 0);
    }
    pthread_barrier_wait(&many->barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
}

#define CLIENT(...)                                                                                \
    WEFT_CLIENT(.base_url = many.web.base, .http2 = many.over_h2,                                  \
                .ca_file = many.over_h2 ? certs_ca() : NULL, __VA_ARGS__)

/* How many run use(): two threads have tasks, two have none. */
enum { USERS = THREADS / 2 * (TASKS + 1) };

/* ---- the jar ---- */

static int use_cookies(struct many *many, int index)
{
    for (int i = 0; i < ROUNDS; i++) {
        char path[64];
        snprintf(path, sizeof path, "/set/n%d/%d", index, i);
        ASSERT_INT_EQ(get(many, path, NULL), 200);
        ASSERT_INT_EQ(get(many, "/echo", WEFT_REQUEST(.cookies = (weft_pair[]){{"a", "b"}, {0}})),
                      200);
        weft_cookies *jar = weft_client_cookies(many->client);
        ASSERT_OK(weft_cookies_set(jar, "mine", path, "127.0.0.1", NULL));
    }
    return 0;
}

static void share_the_jar(bool over_h2)
{
    struct many many;
    weft_cookie *list;
    size_t n;
    start(&many, over_h2);
    ASSERT_OK(weft_client_new(CLIENT(.cookies = NULL), &many.client));
    run_all(&many, use_cookies);
    ASSERT_OK(weft_cookies_list(weft_client_cookies(many.client), &list, &n));
    weft_free(list);
    ASSERT_INT_EQ(n, THREADS + 1);
    end(&many);
}

TEST(threads_share_the_jar_of_a_client)
{
    share_the_jar(false);
}

TEST(threads_share_the_jar_of_a_client_over_h2)
{
    share_the_jar(true);
}

/* ---- credentials ---- */

static int use_digest(struct many *many, int index)
{
    (void)index;
    for (int i = 0; i < ROUNDS; i++)
        ASSERT_INT_EQ(get(many, "/digest", NULL), 200);
    return 0;
}

static void use_counts_once(bool over_h2)
{
    struct many many;
    weft_auth *auth;
    start(&many, over_h2);
    ASSERT_OK(weft_auth_digest("kim", "pass", &auth));
    ASSERT_OK(weft_client_new(CLIENT(.auth = auth), &many.client));
    weft_auth_free(auth);
    run_all(&many, use_digest);
    end(&many);
}

/* The server refuses a count that came before. */
TEST(threads_never_use_a_count_of_a_digest_twice)
{
    use_counts_once(false);
}

TEST(threads_never_use_a_count_of_a_digest_twice_over_h2)
{
    use_counts_once(true);
}

static int fetch(void *userdata, weft_token *token)
{
    struct many *many = userdata;
    char text[16];
    many->fetches++;
    int err = weft_sleep(WEFT_MS(5));
    if (err < 0)
        return err;
    snprintf(text, sizeof text, "t%d", atomic_load(&many->web.token));
    return weft_token_set(token, text, WEFT_FOREVER);
}

static int use_token(struct many *many, int index)
{
    (void)index;
    for (int i = 0; i < ROUNDS; i++)
        ASSERT_INT_EQ(get(many, "/token", NULL), 200);
    return 0;
}

static void fetch_once(bool over_h2)
{
    struct many many;
    weft_auth *auth;
    start(&many, over_h2);
    ASSERT_OK(weft_auth_token(WEFT_AUTH_TOKEN(.fetch = fetch, .userdata = &many), &auth));
    ASSERT_OK(weft_client_new(CLIENT(.auth = auth), &many.client));
    weft_auth_free(auth);
    for (int round = 1; round < 4; round++) {
        run_all(&many, use_token);
        ASSERT_INT_EQ(many.fetches, round);
        web_revoke(&many.web);
    }
    end(&many);
}

TEST(threads_fetch_a_token_once_for_all)
{
    fetch_once(false);
}

TEST(threads_fetch_a_token_once_for_all_over_h2)
{
    fetch_once(true);
}

/* ---- redirects, retries, limits of the pool, hooks ---- */

static int count_request(void *userdata, const weft_request_event *event)
{
    struct many *many = userdata;
    many->requests++;
    return weft_headers_set(event->headers, "X-Hook", "1");
}

static int count_response(void *userdata, weft_response *response)
{
    struct many *many = userdata;
    (void)response;
    many->responses++;
    return 0;
}

static void count_line(void *userdata, const char *line)
{
    struct many *many = userdata;
    (void)line;
    many->lines++;
}

static int use_all(struct many *many, int index)
{
    const weft_retry_policy patient = {.attempts = 3, .wait = {WEFT_WAIT_NONE}};
    char path[32];
    snprintf(path, sizeof path, "/flaky/%d", index);
    for (int i = 0; i < ROUNDS; i++) {
        ASSERT_INT_EQ(get(many, "/redirect/2", WEFT_REQUEST(.follow_redirects = WEFT_ON)), 200);
        ASSERT_INT_EQ(get(many, path, WEFT_REQUEST(.retry = &patient)), 200);
        ASSERT_INT_EQ(get(many, "/gzip", NULL), 200);
        ASSERT_INT_EQ(get(many, "/delay/20000", WEFT_REQUEST(.timeout = WEFT_MS(1))),
                      WEFT_ETOTAL_TIMEOUT);
    }
    weft_pool_stats stats;
    weft_client_pool_stats(many->client, &stats);
    ASSERT_INT_LT(stats.size, 3);
    return 0;
}

static void share_policies(bool over_h2)
{
    struct many many;
    start(&many, over_h2);
    const weft_hooks hooks = {.size = sizeof hooks,
                              .on_request = count_request,
                              .on_response = count_response,
                              .log = count_line,
                              .userdata = &many};
    ASSERT_OK(weft_client_new(CLIENT(.max_connections = 2, .hooks = &hooks), &many.client));
    run_all(&many, use_all);
    /* Three of a redirect, one of the rest, and each thread's first 503. */
    int responses = USERS * ROUNDS * 5 + THREADS;
    ASSERT_INT_EQ(many.responses, responses);
    ASSERT_INT_EQ(many.requests, responses + USERS * ROUNDS);
    ASSERT_INT_EQ(many.lines, many.requests);
    end(&many);
}

TEST(threads_share_redirects_retries_limits_and_hooks)
{
    share_policies(false);
}

TEST(threads_share_redirects_retries_limits_and_hooks_over_h2)
{
    share_policies(true);
}

/* ---- closing ---- */

static int use_until_closed(struct many *many, int index)
{
    char path[32];
    int result;
    snprintf(path, sizeof path, "/delay/%d", index);
    while ((result = get(many, path, NULL)) == 200)
        many->calls++;
    ASSERT_INT_EQ(result, WEFT_ECLIENT_CLOSED);
    many->closed++;
    return 0;
}

static void *close_client(void *arg)
{
    struct many *many = arg;
    while (many->calls < USERS)
        weft_sleep(WEFT_MS(1));
    ASSERT_OK(weft_client_close(many->client, many->how));
    return NULL;
}

static void close_while_all_call(weft_client_closing how, bool over_h2)
{
    struct many many;
    pthread_t thread;
    start(&many, over_h2);
    many.how = how;
    ASSERT_OK(weft_client_new(CLIENT(.cookies = NULL), &many.client));
    ASSERT_INT_EQ(pthread_create(&thread, NULL, close_client, &many), 0);
    run_all(&many, use_until_closed);
    pthread_join(thread, NULL);
    ASSERT_INT_EQ(many.closed, USERS);
    end(&many);
}

TEST(threads_hear_that_another_has_closed_the_client)
{
    close_while_all_call(WEFT_CLOSE_DRAIN, false);
    close_while_all_call(WEFT_CLOSE_ABORT, false);
}

TEST(threads_hear_that_another_has_closed_the_client_over_h2)
{
    close_while_all_call(WEFT_CLOSE_DRAIN, true);
    close_while_all_call(WEFT_CLOSE_ABORT, true);
}

/*
 * Ten thousand calls in the pool's queue: each that comes, goes or gives up costs the same,
 * however many there are.
 *
 * No clock shows that reliably, so memory does: a call that waits has its place in the queue on its
 * own stack.  Some of those places cannot be touched while calls come and go around them, and
 * whoever walks along the queue dies.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <weft.h>

#include "client/client_int.h"
#include "test.h"

enum { SLOTS = 10, PAGE = 4096, TOUCHABLE = 200 };

static int n_calls(void)
{
    return test_under_valgrind() ? 2000 : 10000;
}

struct job {
    weft_client *client;
    weft_scope scope;
    int result;
    int n_host;
};

struct crowd {
    weft_client *client;
    weft_group group;
    struct job *jobs;
    int n;
    int n_hosts;
    void *pages[3]; /* that cannot be touched */
};

static int answer(const weft_mock_request *request, weft_mock_reply *reply, void *userdata)
{
    (void)request;
    (void)userdata;
    int err = weft_sleep(WEFT_SEC(1));
    return err < 0 ? err : weft_mock_reply_text(reply, 200, "done");
}

/* What lies above on the stack is the task's own, and may be touched: room is left between. */
static int call(void *arg)
{
    struct job *job = arg;
    volatile char room[2 * PAGE];
    weft_response *response = NULL;
    char url[64];
    room[0] = 0;
    room[2 * PAGE - 1] = 0;
    snprintf(url, sizeof url, "http://x%d.example/", job->n_host);
    weft_scope_enter(&job->scope, WEFT_FOREVER);
    int err = weft_client_get(job->client, url, NULL, &response);
    weft_response_free(response);
    job->result = err;
    weft_scope_exit(&job->scope, err);
    return room[0] + room[2 * PAGE - 1];
}

static void add_call(struct crowd *crowd)
{
    struct job *job = &crowd->jobs[crowd->n];
    *job = (struct job){.client = crowd->client, .result = 1, .n_host = crowd->n % crowd->n_hosts};
    crowd->n++;
    ASSERT_OK(weft_group_spawn(&crowd->group, call, job));
}

static size_t waiting(const struct crowd *crowd)
{
    weft_pool_stats stats;
    weft_client_pool_stats(crowd->client, &stats);
    return stats.waiting;
}

static void gather_crowd(struct crowd *crowd, int n_hosts, const weft_client_options *options)
{
    weft_client_options all = *options;
    *crowd = (struct crowd){.jobs = calloc(2 * (size_t)n_calls(), sizeof(struct job)),
                            .n_hosts = n_hosts};
    all.max_connections = SLOTS;
    ASSERT_OK(weft_mock_new(answer, NULL, &all.transport));
    ASSERT_OK(weft_client_new(&all, &crowd->client));
    weft_transport_free(all.transport);
    ASSERT_OK(weft_group_init(&crowd->group, NULL));
    for (int i = 0; i < n_calls() + SLOTS; i++)
        add_call(crowd);
}

/* Of the queue of all, or of the first connection's origin. */
static struct weft__list *queue_of(const struct crowd *crowd)
{
    struct weft__pool *pool = WEFT__CONTAINER(crowd->client->pools.next, struct weft__pool, node);
    struct weft__conn *conn = WEFT__CONTAINER(pool->conns.next, struct weft__conn, node);
    return weft__list_is_empty(&pool->waiting) ? &conn->origin->waiting : &pool->waiting;
}

static void forbid(struct crowd *crowd, size_t len)
{
    const size_t places[] = {TOUCHABLE, len / 2, len - TOUCHABLE};
    const struct weft__list *queue = queue_of(crowd);
    size_t i = 0;
    for (struct weft__list *node = queue->next; node != queue; node = node->next, i++) {
        for (int j = 0; j < 3; j++) {
            if (places[j] == i)
                crowd->pages[j] = (void *)((uintptr_t)node & ~(uintptr_t)(PAGE - 1));
        }
    }
    ASSERT_INT_EQ(i, len);
    for (int j = 0; j < 3; j++)
        ASSERT_INT_EQ(mprotect(crowd->pages[j], PAGE, PROT_NONE), 0);
}

static void allow(struct crowd *crowd)
{
    for (int j = 0; j < 3; j++)
        ASSERT_INT_EQ(mprotect(crowd->pages[j], PAGE, PROT_READ | PROT_WRITE), 0);
}

static void let_come_and_go(struct crowd *crowd)
{
    size_t before = waiting(crowd);
    ASSERT_OK(weft_sleep(WEFT_MS(10500))); /* ten rounds of answers */
    ASSERT_INT_EQ(waiting(crowd), before - 10 * SLOTS);
    for (int i = 0; i < 50; i++)
        add_call(crowd);
    for (int i = 0; i < 20; i++) {
        /* None is beside one of those that cannot be touched. */
        int index = SLOTS + 10 * SLOTS + TOUCHABLE + n_calls() / 40 * i + 57;
        weft_scope_cancel(&crowd->jobs[index].scope, "not wanted");
    }
    weft_yield();
    ASSERT_INT_EQ(waiting(crowd), before - 10 * SLOTS + 50 - 20);
}

static void disperse(struct crowd *crowd)
{
    int done = 0;
    int cancelled = 0;
    ASSERT_OK(weft_group_wait(&crowd->group));
    for (int i = 0; i < crowd->n; i++) {
        done += crowd->jobs[i].result == 0;
        cancelled += crowd->jobs[i].result == -ECANCELED;
    }
    ASSERT_INT_EQ(cancelled, 20);
    ASSERT_INT_EQ(done, crowd->n - 20);
    weft_client_free(crowd->client);
    free(crowd->jobs);
}

VIRTUAL_TEST(calls_in_the_queue_of_the_pool_cost_the_same_however_many_wait)
{
    struct crowd crowd;
    gather_crowd(&crowd, 1, WEFT_CLIENT(.timeout = WEFT_FOREVER));
    forbid(&crowd, (size_t)n_calls());
    let_come_and_go(&crowd);
    allow(&crowd);
    disperse(&crowd);
}

VIRTUAL_TEST(calls_in_the_queue_of_an_origin_cost_the_same_however_many_wait)
{
    struct crowd crowd;
    gather_crowd(&crowd, 1, WEFT_CLIENT(.max_per_origin = SLOTS));
    forbid(&crowd, (size_t)n_calls());
    let_come_and_go(&crowd);
    allow(&crowd);
    disperse(&crowd);
}

/* Those that come from their origin's queue have a place in the pool's by their turn. */
VIRTUAL_TEST(calls_of_many_origins_with_limits_cost_the_same_however_many_wait)
{
    struct crowd crowd;
    gather_crowd(&crowd, n_calls() / 2, WEFT_CLIENT(.max_per_origin = 1));
    forbid(&crowd, (size_t)n_calls() / 2 - SLOTS);
    let_come_and_go(&crowd);
    allow(&crowd);
    disperse(&crowd);
}

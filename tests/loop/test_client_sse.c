/* Server-sent events of the library's own server: no event is lost or comes twice. */
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>
#include <weft/sse.h>
#include <weft/testing.h>

#include "test.h"
#include "web.h"

enum { EVENTS = 20 };

struct source {
    struct web web;
    weft_client *client;
    weft_sse *sse;
    int next; /* the id that is due */
};

static void start(struct source *source)
{
    web_start(&source->web);
    source->next = 1;
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = source->web.base), &source->client));
    ASSERT_OK(weft_sse_open(source->client, "/events", WEFT_SSE(.min_wait = 1), &source->sse));
}

static void end(struct source *source)
{
    weft_pool_stats stats;
    weft_sse_close(source->sse);
    weft_client_pool_stats(source->client, &stats);
    ASSERT_INT_EQ(stats.active, 0);
    ASSERT_INT_EQ(stats.waiting, 0);
    weft_client_free(source->client);
    web_stop(&source->web);
}

static int next(struct source *source)
{
    weft_sse_event event;
    int result = weft_sse_next(source->sse, &event);
    if (result == 1) {
        char data[16];
        snprintf(data, sizeof data, "e%d", source->next);
        ASSERT_STR_EQ(event.data, data);
        ASSERT_INT_EQ(strtol(event.id, NULL, 10), source->next);
        source->next++;
    }
    return result;
}

static int read_all(void *arg)
{
    struct source source;
    (void)arg;
    start(&source);
    while (source.next <= EVENTS)
        ASSERT_INT_EQ(next(&source), 1);
    /* Three a connection, the last of them just begun. */
    ASSERT_INT_EQ(source.web.connections, (EVENTS + 2) / 3);
    end(&source);
    return 0;
}

TEST(events_go_on_behind_the_last_in_a_task_and_in_plain_code)
{
    ASSERT_OK(weft_run(read_all, NULL));
    ASSERT_OK(read_all(NULL));
}

/* Of the k-th checkpoint of each wait for an event, k from 1 up to where there are no more. */
TASK_TEST(events_go_on_behind_the_last_wherever_a_call_is_cancelled)
{
    struct source source;
    int cancelled = 0;
    start(&source);
    for (uint64_t k = 1; k < 12; k++) {
        for (int i = 0; i < 7; i++) {
            weft_scope scope;
            weft_scope_enter(&scope, WEFT_FOREVER);
            weft_testing_cancel_at(&scope, k);
            int result = next(&source);
            weft_testing_cancel_at(NULL, 0);
            ASSERT(result == 1 || result == -ECANCELED);
            cancelled += result == -ECANCELED;
            weft_scope_exit(&scope, result < 0 ? result : 0);
            while (result != 1)
                result = next(&source);
        }
    }
    ASSERT_INT_EQ(source.next, 11 * 7 + 1);
    ASSERT_INT_GT(cancelled, 7);
    end(&source);
}

TASK_TEST(source_of_events_can_be_closed_between_connections)
{
    struct source source;
    weft_scope scope;
    start(&source);
    for (int i = 0; i < 3; i++)
        ASSERT_INT_EQ(next(&source), 1);
    weft_scope_enter(&scope, 1);
    int result = next(&source);
    weft_scope_exit(&scope, result < 0 ? result : 0);
    end(&source);
    start(&source);
    end(&source);
}

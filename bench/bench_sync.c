/* bench_sync.c - what handing over costs: mutex, queue, channels, select, promise. */
#include <weft.h>

#include "bench.h"

static weft_mutex *mutex;

static void mutex_free_to_lock(long n)
{
    while (n-- > 0) {
        weft_mutex_lock(mutex);
        weft_mutex_unlock(mutex);
    }
}

static int lock_many(void *arg)
{
    for (long n = *(long *)arg; n > 0; n--) {
        weft_mutex_lock(mutex);
        weft_yield();
        weft_mutex_unlock(mutex);
    }
    return 0;
}

static void mutex_contended(long n)
{
    long half = n / 2;
    weft_gather((weft_call[]){{lock_many, &half, 0}, {lock_many, &half, 0}}, 2, NULL);
}

struct flow {
    weft_sender *sender;
    weft_receiver *receiver;
    weft_queue *queue;
    long n;
};

static int send_many(void *arg)
{
    struct flow *flow = arg;
    for (long i = 0; i < flow->n; i++)
        weft_sender_send(flow->sender, &i);
    return 0;
}

static int receive_many(void *arg)
{
    struct flow *flow = arg;
    long item;
    long sum = 0;
    for (long i = 0; i < flow->n; i++) {
        weft_receiver_receive(flow->receiver, &item);
        sum += item;
    }
    return sum == flow->n / 2 * (flow->n - 1) ? 0 : -EINVAL;
}

static void through_channel(long n, size_t capacity)
{
    struct flow flow = {.n = n};
    weft_channel_new(sizeof(long), WEFT_CHANNEL(.capacity = capacity), &flow.sender,
                     &flow.receiver);
    if (weft_gather((weft_call[]){{send_many, &flow, 0}, {receive_many, &flow, 0}}, 2, NULL) < 0)
        exit(1);
    weft_sender_free(flow.sender);
    weft_receiver_free(flow.receiver);
}

static void channel_rendezvous(long n)
{
    through_channel(n, 0);
}

static void channel_of_1(long n)
{
    through_channel(n, 1);
}

static void channel_of_64(long n)
{
    through_channel(n, 64);
}

static int put_many(void *arg)
{
    struct flow *flow = arg;
    for (long i = 0; i < flow->n; i++)
        weft_queue_put(flow->queue, &i);
    return 0;
}

static int get_many(void *arg)
{
    struct flow *flow = arg;
    long item;
    for (long i = 0; i < flow->n; i++)
        weft_queue_get(flow->queue, &item);
    return 0;
}

static void queue_of_1(long n)
{
    struct flow flow = {.n = n};
    weft_queue_new(sizeof(long), WEFT_QUEUE(.capacity = 1), &flow.queue);
    weft_gather((weft_call[]){{put_many, &flow, 0}, {get_many, &flow, 0}}, 2, NULL);
    weft_queue_free(flow.queue);
}

static int select_many(void *arg)
{
    struct flow *flow = arg;
    weft_sender *silent_end;
    weft_receiver *silent;
    long item;
    weft_channel_new(sizeof item, NULL, &silent_end, &silent);
    weft_select_case cases[] = {{.receiver = silent, .into = &item},
                                {.receiver = flow->receiver, .into = &item}};
    for (long i = 0; i < flow->n; i++)
        weft_select(cases, 2);
    weft_sender_free(silent_end);
    weft_receiver_free(silent);
    return 0;
}

static void select_of_two(long n)
{
    struct flow flow = {.n = n};
    weft_channel_new(sizeof(long), NULL, &flow.sender, &flow.receiver);
    weft_gather((weft_call[]){{send_many, &flow, 0}, {select_many, &flow, 0}}, 2, NULL);
    weft_sender_free(flow.sender);
    weft_receiver_free(flow.receiver);
}

static void promise_set_and_got(long n)
{
    while (n-- > 0) {
        weft_promise *promise;
        weft_promise_new(&promise);
        weft_promise_set(promise, NULL);
        weft_promise_wait(promise, NULL);
        weft_promise_unref(promise);
    }
}

static int run_all(void *arg)
{
    (void)arg;
    if (weft_mutex_new(&mutex) < 0)
        return -ENOMEM;
    bench_loop("mutex, free: lock and unlock", mutex_free_to_lock, 10000000);
    bench_loop("mutex, two tasks", mutex_contended, 1000000);
    weft_mutex_free(mutex);
    bench_loop("channel message, rendezvous", channel_rendezvous, 4000000);
    bench_loop("channel message, capacity 1", channel_of_1, 4000000);
    bench_loop("channel message, capacity 64", channel_of_64, 4000000);
    bench_loop("queue item, capacity 1", queue_of_1, 4000000);
    bench_loop("select of two, rendezvous", select_of_two, 2000000);
    bench_loop("promise: new, set, wait, unref", promise_set_and_got, 2000000);
    return 0;
}

int main(void)
{
    return weft_run(run_all, NULL) != 0;
}

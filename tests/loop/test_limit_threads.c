/* The shared limiter from several threads with a loop each; the 20,000 a second of real time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <weft/limit.h>
#include <weft/run.h>

#include "test.h"

enum { THREADS = 4, EACH = 500, PERMITS = 100000, BURST = 8 };

struct worker {
    pthread_t thread;
    weft_shared_limiter *limiter;
    int64_t at[EACH];
};

/* Each in its own way: wait for it, reserve a slot, try until it works. */
static int use(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < EACH; i++) {
        int64_t delay;
        if (i % 3 == 0) {
            ASSERT_OK(weft_shared_limiter_acquire(worker->limiter, 1));
            worker->at[i] = weft_now();
        } else if (i % 3 == 1) {
            ASSERT_OK(weft_shared_limiter_reserve(worker->limiter, 1, WEFT_FOREVER, &delay));
            worker->at[i] = weft_now() + delay;
            ASSERT_OK(weft_sleep(delay));
        } else {
            while (!weft_shared_limiter_try_acquire(worker->limiter, 1))
                ASSERT_OK(weft_sleep(WEFT_US(10)));
            worker->at[i] = weft_now();
        }
    }
    return 0;
}

static void *run_worker(void *arg)
{
    ASSERT_OK(weft_run(use, arg));
    return NULL;
}

TEST(shared_limiter_is_one_for_all_threads)
{
    static struct worker workers[THREADS];
    weft_shared_limiter *limiter;
    weft_limit_state state;
    ASSERT_OK(weft_shared_limiter_new(WEFT_RATE(.permits = PERMITS, .burst = BURST), &limiter));
    int64_t start = weft_now();
    for (int i = 0; i < THREADS; i++) {
        workers[i].limiter = limiter;
        ASSERT(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    weft_shared_limiter_get_state(limiter, &state);
    ASSERT_INT_EQ(state.rejected, 0);
    ASSERT_INT_GE(weft_now() - start, (int64_t)(THREADS * EACH - BURST) * (WEFT_SEC(1) / PERMITS));
    weft_shared_limiter_free(limiter);
}

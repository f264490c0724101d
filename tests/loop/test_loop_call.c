/* weft_loop_call: a function as a task of another loop. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/thread.h>

#include "base/error_int.h"
#include "fault.h"
#include "test.h"

/* A loop on a thread of its own, that serves until it is told to stop. */
struct service {
    pthread_t thread;
    pthread_t self;
    weft_loop *loop;
    weft_event *stop;
    atomic_bool ready;
    atomic_bool inside;
    int calls;
    int result;
};

static int serve(void *arg)
{
    struct service *service = arg;
    ASSERT_OK(weft_event_new(&service->stop));
    service->loop = weft_loop_ref_current();
    service->self = pthread_self();
    atomic_store(&service->ready, true);
    int err = weft_event_wait(service->stop);
    weft_event_free(service->stop);
    return err;
}

static void *service_thread(void *arg)
{
    struct service *service = arg;
    service->result = weft_run(serve, service);
    return NULL;
}

static void service_start(struct service *service)
{
    *service = (struct service){.calls = 0};
    ASSERT_INT_EQ(pthread_create(&service->thread, NULL, service_thread, service), 0);
    while (!atomic_load(&service->ready))
        ASSERT_OK(weft_sleep(WEFT_US(100)));
}

static void set_stop(void *arg)
{
    weft_event_set(((struct service *)arg)->stop);
}

static void service_end(struct service *service)
{
    ASSERT_OK(weft_loop_post(service->loop, set_stop, service));
    pthread_join(service->thread, NULL);
    ASSERT_OK(service->result);
    weft_loop_unref(service->loop);
}

static int count_there(void *arg)
{
    struct service *service = arg;
    ASSERT(pthread_equal(pthread_self(), service->self));
    int err = weft_sleep(WEFT_US(50));
    return err < 0 ? err : ++service->calls;
}

static int fail_there(void *arg)
{
    (void)arg;
    return weft__fail(-ENOENT, "no such guest");
}

static int call_ten_times(void *arg)
{
    struct service *service = arg;
    for (int i = 1; i <= 10; i++)
        ASSERT_INT_EQ(weft_loop_call(service->loop, count_there, service), i);
    ASSERT_INT_EQ(weft_loop_call(service->loop, fail_there, NULL), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no such guest");
    ASSERT_ERR(weft_loop_call(service->loop, NULL, NULL), -EINVAL);
    return 0;
}

TEST(loop_call_from_a_plain_thread_and_from_a_task)
{
    struct service service;
    service_start(&service);
    ASSERT_OK(call_ten_times(&service));
    service.calls = 0;
    ASSERT_OK(weft_run(call_ten_times, &service));
    service_end(&service);
}

TASK_TEST(loop_call_of_the_own_loop)
{
    struct service service = {.loop = weft_loop_ref_current(), .self = pthread_self()};
    ASSERT_OK(call_ten_times(&service));
    weft_loop_unref(service.loop);
}

static int call_count(void *arg)
{
    struct service *service = arg;
    int result = weft_loop_call(service->loop, count_there, service);
    return result < 0 ? result : 0;
}

static int call_own(void *arg)
{
    struct service service = {.loop = weft_loop_ref_current(), .self = pthread_self()};
    (void)arg;
    if (service.loop == NULL)
        return -ENOMEM;
    int err = call_count(&service);
    weft_loop_unref(service.loop);
    return err;
}

TEST_WITH(loop_call_survives_every_fault, .limit_s = 60)
{
    FAULTS(call_own, NULL);
    FAULTS(call_own, NULL, .backend = WEFT_BACKEND_VIRTUAL);
}

static int until_cancelled(void *arg)
{
    struct service *service = arg;
    atomic_store(&service->inside, true);
    int err = weft_sleep(WEFT_FOREVER);
    service->calls = err;
    return err;
}

static int call_until_cancelled(void *arg)
{
    return weft_loop_call(((struct service *)arg)->loop, until_cancelled, arg);
}

/* The task there ends before the call returns. */
TASK_TEST(loop_call_cancelled_cancels_the_task_there)
{
    struct service service;
    weft_group group;
    int result = 0;
    service_start(&service);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, call_until_cancelled, &service,
                                    WEFT_SPAWN(.result = &result)));
    while (!atomic_load(&service.inside))
        ASSERT_OK(weft_sleep(WEFT_US(100)));
    weft_group_cancel(&group, NULL);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(result, -ECANCELED);
    ASSERT_INT_EQ(service.calls, -ECANCELED);
    service_end(&service);
}

/* Cancelled anywhere on the way there and back. */
TASK_TEST(loop_call_races_with_its_cancellation)
{
    struct service service;
    service_start(&service);
    for (int i = 0; i < 200 / test_slowness() + 10; i++) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_US(i));
        int err = weft_scope_exit(&scope, call_count(&service));
        ASSERT(err == 0 || err == -ETIMEDOUT);
    }
    service_end(&service);
}

static void *stop_when_inside(void *arg)
{
    struct service *service = arg;
    while (!atomic_load(&service->inside))
        weft_sleep(WEFT_US(100));
    ASSERT_OK(weft_loop_post(service->loop, set_stop, service));
    return NULL;
}

/* A run that ends cancels what others have it do. */
TASK_TEST(loop_call_to_a_run_that_ends_is_cancelled_then_closed)
{
    struct service service;
    pthread_t stopper;
    service_start(&service);
    ASSERT_INT_EQ(pthread_create(&stopper, NULL, stop_when_inside, &service), 0);
    ASSERT_INT_EQ(call_until_cancelled(&service), -ECANCELED);
    ASSERT(strlen(weft_error_message()) > 0);
    pthread_join(stopper, NULL);
    pthread_join(service.thread, NULL);
    ASSERT_ERR(call_count(&service), WEFT_ECLOSED);
    weft_loop_unref(service.loop);
}

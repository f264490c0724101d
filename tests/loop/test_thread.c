/* offload and post on the real back ends; loops of several threads side by side. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "test.h"

enum { THREADS = 4 };

/* ---- offload ---- */

struct job {
    int n;
    pthread_t thread;
    const char *message;
    int result;
};

static int work(void *arg)
{
    struct job *job = arg;
    job->thread = pthread_self();
    if (job->message != NULL)
        return weft__fail(job->result, "%s", job->message);
    return job->n * 2;
}

TASK_TEST(offload_runs_on_another_thread_and_returns_the_result)
{
    struct job job = {.n = 21};
    ASSERT_INT_EQ(weft_offload(work, &job), 42);
    ASSERT(!pthread_equal(job.thread, pthread_self()));
}

TEST(offload_works_outside_weft_run)
{
    struct job job = {.n = 21};
    ASSERT_INT_EQ(weft_offload(work, &job), 42);
    ASSERT(!pthread_equal(job.thread, pthread_self()));
    ASSERT_ERR(weft_offload(NULL, &job), -EINVAL);
}

TASK_TEST(offload_brings_the_error_message_along)
{
    struct job job = {.result = -ENOENT, .message = "no such user: kim"};
    ASSERT_INT_EQ(weft_offload(work, &job), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "no such user: kim");
}

static int fail_and_recover(void *arg)
{
    (void)arg;
    weft__fail(-EIO, "a failure that was dealt with");
    return 0;
}

static int return_a_code(void *arg)
{
    return *(int *)arg;
}

/* Workers are reused: what an earlier job left behind is not the next one's message. */
TASK_TEST(offload_error_without_a_message_has_the_codes)
{
    int code = -ENOTDIR;
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(weft_offload(fail_and_recover, NULL));
        weft__fail(-EPERM, "of the task");
        ASSERT_INT_EQ(weft_offload(return_a_code, &code), -ENOTDIR);
        ASSERT_STR_EQ(weft_error_message(), weft_error_text(-ENOTDIR));
    }
}

static int sleep_there(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_MS(1));
}

/* A worker is a plain thread: weft's calls work in it too. */
TASK_TEST(offload_function_may_call_weft_itself)
{
    ASSERT_OK(weft_offload(sleep_there, NULL));
}

struct gate {
    atomic_int open;
    atomic_int running;
    atomic_int ran;
};

static int pass_the_gate(void *arg)
{
    struct gate *gate = arg;
    atomic_fetch_add(&gate->running, 1);
    while (!atomic_load(&gate->open))
        usleep(200);
    return atomic_fetch_add(&gate->ran, 1);
}

static int offload_pass(void *arg)
{
    return weft_offload(pass_the_gate, arg);
}

static int open_when_all_run(void *arg)
{
    struct gate *gate = arg;
    while (atomic_load(&gate->running) < WEFT__LIMIT_WORKERS_USER) {
        int err = weft_sleep(WEFT_US(200));
        if (err < 0)
            return err;
    }
    return 0;
}

/* The workers are busy; whoever waits behind them and is cancelled never runs. */
TASK_TEST(offload_cancelled_in_the_queue_is_dropped)
{
    struct gate gate = {0};
    weft_group busy;
    weft_group queued;
    ASSERT_OK(weft_group_init(&busy, NULL));
    for (int i = 0; i < WEFT__LIMIT_WORKERS_USER; i++)
        ASSERT_OK(weft_group_spawn(&busy, offload_pass, &gate));
    ASSERT_OK(open_when_all_run(&gate));
    ASSERT_OK(weft_group_init(&queued, NULL));
    for (int i = 0; i < 10; i++)
        ASSERT_OK(weft_group_spawn(&queued, offload_pass, &gate));
    ASSERT_OK(weft_group_spawn_with(&queued, offload_pass, &gate, NULL));
    weft_group_cancel(&queued, "not needed");
    ASSERT_OK(weft_group_wait(&queued));
    ASSERT_INT_EQ(atomic_load(&gate.ran), 0);
    atomic_store(&gate.open, 1);
    ASSERT_OK(weft_group_wait(&busy));
    ASSERT_INT_EQ(atomic_load(&gate.ran), WEFT__LIMIT_WORKERS_USER);
    ASSERT_INT_EQ(atomic_load(&gate.running), WEFT__LIMIT_WORKERS_USER);
}

struct cancelled_job {
    struct gate gate;
    weft_scope scope;
};

static int cancel_then_open(void *arg)
{
    struct cancelled_job *job = arg;
    while (atomic_load(&job->gate.running) == 0)
        ASSERT_OK(weft_sleep(WEFT_US(200)));
    weft_scope_cancel(&job->scope, NULL);
    ASSERT_OK(weft_sleep(WEFT_MS(2)));
    atomic_store(&job->gate.open, 1);
    return 0;
}

/* What has begun cannot be stopped: the call waits for it and returns its result. */
TASK_TEST(offload_cancelled_while_it_runs_returns_its_result)
{
    struct cancelled_job job = {.gate = {0}};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, cancel_then_open, &job));
    weft_scope_enter(&job.scope, WEFT_FOREVER);
    ASSERT_INT_EQ(weft_offload(pass_the_gate, &job.gate), 0);
    ASSERT_INT_EQ(weft_checkpoint(), -ECANCELED);
    ASSERT_INT_EQ(atomic_load(&job.gate.ran), 1);
    ASSERT_OK(weft_scope_exit(&job.scope, -ECANCELED));
    ASSERT_OK(weft_group_wait(&group));
}

TASK_TEST(offload_in_a_cancelled_scope_does_not_run)
{
    struct gate gate = {.open = 1};
    weft_scope scope;
    weft_scope_enter(&scope, 0);
    ASSERT_INT_EQ(weft_offload(pass_the_gate, &gate), -ECANCELED);
    ASSERT_ERR(weft_scope_exit(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_INT_EQ(atomic_load(&gate.ran), 0);
}

static int offload_item(void *arg)
{
    struct job *job = arg;
    int result = weft_offload(work, job);
    return result == job->n * 2 ? 0 : -EPROTO;
}

static int thousand_jobs(void *arg)
{
    static const int n = 1000;
    struct job *jobs = calloc((size_t)n, sizeof *jobs);
    (void)arg;
    for (int i = 0; i < n; i++)
        jobs[i].n = i;
    int err = weft_map(offload_item, jobs, (size_t)n, sizeof jobs[0], WEFT_MAP(.limit = 100));
    free(jobs);
    return err;
}

static void *run_thousand_jobs(void *arg)
{
    *(int *)arg = weft_run(thousand_jobs, NULL);
    return NULL;
}

static void on_threads(void *(*fn)(void *), int *results)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ASSERT_INT_EQ(pthread_create(&threads[i], NULL, fn, &results[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_OK(results[i]);
    }
}

TEST_WITH(offload_of_a_thousand_jobs_from_each_of_four_loops, .limit_s = 60)
{
    int results[THREADS];
    on_threads(run_thousand_jobs, results);
}

/* Cancelled anywhere between queue, worker and return. */
static int offload_nap(void *arg)
{
    struct gate *gate = arg;
    return weft_offload(pass_the_gate, gate);
}

static int race_with_cancellation(void *arg)
{
    struct gate gate = {.open = 1};
    (void)arg;
    for (int i = 0; i < 300; i++) {
        weft_group group;
        ASSERT_OK(weft_group_init(&group, NULL));
        for (int k = 0; k < 8; k++)
            ASSERT_OK(weft_group_spawn(&group, offload_nap, &gate));
        int err = weft_sleep(i % 50 * 1000);
        ASSERT_OK(err);
        weft_group_cancel(&group, NULL);
        ASSERT_OK(weft_group_wait(&group));
    }
    ASSERT_INT_EQ(atomic_load(&gate.ran), atomic_load(&gate.running));
    return 0;
}

TEST_WITH(offload_races_with_its_cancellation, .limit_s = 60)
{
    ASSERT_OK(weft_run(race_with_cancellation, NULL));
}

/* ---- threads of one's own ---- */

static int sleep_and_gather(void *arg)
{
    weft_call calls[20];
    for (int i = 0; i < 20; i++)
        calls[i] = (weft_call){sleep_there, arg};
    return weft_gather(calls, 20, NULL);
}

static void *run_twice(void *arg)
{
    int err = weft_run(sleep_and_gather, NULL);
    if (err == 0)
        err = sleep_and_gather(NULL);
    if (err == 0)
        err = weft_run(sleep_and_gather, NULL);
    *(int *)arg = err;
    return NULL;
}

TEST(loops_of_several_threads_run_side_by_side)
{
    int results[THREADS];
    on_threads(run_twice, results);
}

static void *fail_and_end(void *arg)
{
    int results[] = {weft__fail(-EIO, "outside any loop"), weft_sleep(1),
                     weft__fail(-EIO, "on the thread's own loop"), weft_run(NULL, NULL)};
    *(int *)arg = results[0] == -EIO && results[1] == 0 && results[3] == -EINVAL ? 0 : -EPROTO;
    return NULL;
}

/* A thread that ends takes its loop and its last message with it. */
TEST(thread_that_ends_leaves_nothing_behind)
{
    int results[THREADS];
    int64_t live = weft_testing_alloc_live();
    on_threads(fail_and_end, results);
    ASSERT_INT_EQ(weft_testing_alloc_live(), live);
}

struct foreign {
    weft_group *group;
    int err;
};

static void *spawn_from_elsewhere(void *arg)
{
    struct foreign *foreign = arg;
    foreign->err = weft_group_spawn(foreign->group, sleep_there, NULL);
    return NULL;
}

TASK_TEST(group_of_another_thread_cannot_be_spawned_into)
{
    weft_group group;
    pthread_t thread;
    struct foreign foreign = {.group = &group};
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_INT_EQ(pthread_create(&thread, NULL, spawn_from_elsewhere, &foreign), 0);
    pthread_join(thread, NULL);
    ASSERT_INT_EQ(foreign.err, -EINVAL);
    ASSERT_OK(weft_group_wait(&group));
}

/* ---- post ---- */

struct mailbox {
    weft_loop *loop;
    weft_event *all_here;
    long n;
    long expected;
    long last[THREADS];
};

struct letter {
    struct mailbox *mailbox;
    int sender;
    long number;
};

struct sender {
    struct mailbox *mailbox;
    struct letter *letters;
    int id;
    long n;
    int err;
};

static void receive(void *arg)
{
    struct letter *letter = arg;
    struct mailbox *mailbox = letter->mailbox;
    /* In order from each sender. */
    ASSERT_INT_EQ(letter->number, mailbox->last[letter->sender] + 1);
    mailbox->last[letter->sender] = letter->number;
    if (++mailbox->n == mailbox->expected)
        weft_event_set(mailbox->all_here);
}

static void *send_letters(void *arg)
{
    struct sender *sender = arg;
    for (long i = 0; i < sender->n && sender->err == 0; i++) {
        struct letter *letter = &sender->letters[i];
        *letter = (struct letter){sender->mailbox, sender->id, i + 1};
        sender->err = weft_loop_post(sender->mailbox->loop, receive, letter);
        if (i % 1000 == 0)
            usleep(50);
    }
    return NULL;
}

static int receive_all(void *arg)
{
    struct mailbox mailbox = {.loop = weft_loop_ref_current()};
    struct sender senders[THREADS];
    pthread_t threads[THREADS];
    long each = 25000 / test_slowness();
    (void)arg;
    mailbox.expected = each * THREADS;
    ASSERT_OK(weft_event_new(&mailbox.all_here));
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.mailbox = &mailbox, .id = i, .n = each};
        senders[i].letters = calloc((size_t)each, sizeof(struct letter));
        ASSERT_INT_EQ(pthread_create(&threads[i], NULL, send_letters, &senders[i]), 0);
    }
    ASSERT_OK(weft_event_wait(mailbox.all_here));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_OK(senders[i].err);
        free(senders[i].letters);
    }
    ASSERT_INT_EQ(mailbox.n, each * THREADS);
    weft_event_free(mailbox.all_here);
    weft_loop_unref(mailbox.loop);
    return 0;
}

TEST_WITH(post_of_a_hundred_thousand_messages_loses_none, .limit_s = 60)
{
    ASSERT_OK(weft_run(receive_all, NULL));
}

TEST_WITH(post_to_a_virtual_loop_works_too, .limit_s = 60)
{
    ASSERT_OK(weft_run_with(receive_all, NULL, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
}

static void set_event(void *arg)
{
    weft_event_set(arg);
}

TASK_TEST(post_to_the_own_loop_is_run_later)
{
    WEFT_AUTO(weft_event) *event = NULL;
    weft_loop *loop = weft_loop_ref_current();
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_loop_post(loop, set_event, event));
    ASSERT(!weft_event_is_set(event));
    ASSERT_OK(weft_event_wait(event));
    weft_loop_unref(loop);
    weft_loop_unref(NULL);
}

static int give_loop(void *arg)
{
    *(weft_loop **)arg = weft_loop_ref_current();
    return 0;
}

static void never(void *arg)
{
    (void)arg;
    FAIL("a message to a loop that has ended was delivered");
}

TEST(post_to_a_loop_that_has_ended_is_refused)
{
    weft_loop *loop = NULL;
    ASSERT_OK(weft_run(give_loop, &loop));
    ASSERT_ERR(weft_loop_post(loop, never, NULL), WEFT_ECLOSED);
    weft_loop_unref(loop);
}

static int post_and_leave(void *arg)
{
    weft_loop *loop = weft_loop_ref_current();
    int err = weft_loop_post(loop, set_event, arg);
    weft_loop_unref(loop);
    return err;
}

/* What was accepted is delivered, though the loop ends right away. */
TEST(post_before_the_end_of_the_loop_is_delivered)
{
    WEFT_AUTO(weft_event) *event = NULL;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_run(post_and_leave, event));
    ASSERT(weft_event_is_set(event));
}

TASK_TEST(post_without_memory_is_enomem)
{
    weft_loop *loop = weft_loop_ref_current();
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft_loop_post(loop, never, NULL), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    weft_loop_unref(loop);
}

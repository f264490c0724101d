/* What happens just when another thread does something: posts, forks, ends. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/channel.h>
#include <weft/debug.h>
#include <weft/error.h>
#include <weft/sync.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "run/run_int.h"
#include "run/sanitize.h"
#include "test.h"

/* ---- a loop that others know looks for their posts before it sleeps ---- */

struct look {
    bool wanted; /* the next one is to be disturbed */
    bool seen;
    int64_t timeout; /* of the sleep that follows it */
};

static void interrupt_the_look(int64_t timeout, void *userdata)
{
    struct look *look = userdata;
    if (timeout != 0 || !look->wanted)
        return;
    look->wanted = false;
    look->seen = true;
    raise(SIGINT);
}

/* By the third sleep the loop looks again, and what wakes it is armed. */
static int sleep_thrice(struct look *look, int64_t duration)
{
    weft_loop *loop = weft_loop_ref_current();
    int err = weft_sleep(1000000);
    if (err == 0)
        err = weft_sleep(1000000);
    look->wanted = true;
    if (err == 0)
        err = weft_sleep(duration);
    weft_loop_unref(loop);
    return err;
}

static int sleep_interrupted(void *arg)
{
    weft_trace trace = {
        .size = sizeof trace, .userdata = arg, .before_io_wait = interrupt_the_look};
    weft_trace_set(&trace);
    int err = sleep_thrice(arg, WEFT_SEC(3));
    weft_trace_set(NULL);
    return err;
}

static void program_interrupted(void *arg)
{
    struct look look = {0};
    (void)arg;
    int err = weft_run(sleep_interrupted, &look);
    _exit(!look.seen ? 77 : err == -EINTR ? 0 : 1);
}

TEST(interrupt_while_a_loop_looks_for_posts_is_not_lost)
{
    char output[4096];
    int status = test_fork(program_interrupted, NULL, output, sizeof output);
    ASSERT_STR_EQ(output, "");
    ASSERT(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP("one processor: the loop does not look");
    ASSERT_INT_EQ(WEXITSTATUS(status), 0);
}

static void note_sleep(int64_t timeout, void *userdata)
{
    struct look *look = userdata;
    if (look->seen && timeout > 0 && look->timeout == 0)
        look->timeout = timeout;
}

static void take_long(int64_t timeout, void *userdata)
{
    struct look *look = userdata;
    if (timeout != 0 || !look->wanted)
        return;
    look->wanted = false;
    look->seen = true;
    usleep(20000);
}

TASK_TEST(sleep_after_a_look_is_for_the_time_that_is_left)
{
    struct look look = {0};
    weft_trace trace = {.size = sizeof trace,
                        .userdata = &look,
                        .before_io_wait = note_sleep,
                        .after_io_wait = take_long};
    ASSERT_OK(weft_trace_set(&trace));
    ASSERT_OK(sleep_thrice(&look, WEFT_MS(50)));
    ASSERT_OK(weft_trace_set(NULL));
    if (!look.seen)
        SKIP("one processor: the loop does not look");
    /* 0: by then there was nothing left to sleep. */
    ASSERT_INT_LE(look.timeout, WEFT_MS(30));
}

/* ---- the last one who knows a loop posts to it and lets go ---- */

struct waker {
    atomic_int state; /* 1: post; 2: end */
    weft_loop *loop;
    weft_event *event;
};

static void set_event(void *arg)
{
    weft_event_set(arg);
}

static void *post_and_let_go(void *arg)
{
    struct waker *waker = arg;
    for (unsigned n = 0;; n++) {
        int state;
        while ((state = atomic_load(&waker->state)) == 0)
            sched_yield();
        if (state == 2)
            return NULL;
        weft_loop *loop = waker->loop;
        weft_event *event = waker->event;
        for (volatile unsigned i = n % 64; i > 0; i--)
            ;
        atomic_store(&waker->state, 0);
        weft_loop_post(loop, set_event, event);
        weft_loop_unref(loop);
    }
}

TASK_TEST(post_of_the_last_who_knows_the_loop_is_no_deadlock)
{
    struct waker waker = {0};
    pthread_t thread;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, post_and_let_go, &waker), 0);
    for (int i = 0; i < 5000 / test_slowness(); i++) {
        WEFT_AUTO(weft_event) *event = NULL;
        ASSERT_OK(weft_event_new(&event));
        waker.event = event;
        waker.loop = weft_loop_ref_current();
        atomic_store(&waker.state, 1);
        ASSERT_OK(weft_event_wait(event));
    }
    atomic_store(&waker.state, 2);
    pthread_join(thread, NULL);
}

static void nothing(struct weft__post *post)
{
    (void)post;
}

TASK_TEST(loop_with_a_message_is_not_forsaken_though_nobody_knows_it)
{
    struct weft__inbox *inbox = weft__loop_current->inbox;
    struct weft__post post = {.fn = nothing};
    ASSERT(weft__inbox_is_forsaken(inbox));
    ASSERT_OK(weft__inbox_post(inbox, &post));
    ASSERT(!weft__inbox_is_forsaken(inbox));
    ASSERT_OK(weft_yield());
    ASSERT_OK(weft_sleep(1));
    ASSERT(weft__inbox_is_forsaken(inbox));
}

/* ---- fork while other threads are in the middle of something ---- */

enum { FORKS = 60 };

struct crowd {
    atomic_bool over;
    weft_sender *sender;
};

/* One that hangs is ended, and seen here, by a signal. */
static void expect_success(pid_t child)
{
    int status;
    ASSERT_INT_EQ(waitpid(child, &status, 0), child);
    ASSERT_INT_EQ(status, 0);
}

static int ref_loop(void *arg)
{
    *(weft_loop **)arg = weft_loop_ref_current();
    return 0;
}

static int n_counted;

static void count(struct weft__post *post)
{
    (void)post;
    n_counted++;
}

static void never(void *arg)
{
    (void)arg;
}

TEST(fork_child_ends_its_loop_though_others_were_posting)
{
    struct weft__post post = {.fn = count};
    weft_loop *loop;
    weft_runner *runner;
    if (WEFT__TSAN)
        SKIP("ThreadSanitizer does not follow fibers into a child");
    ASSERT_OK(weft_runner_new(NULL, &runner));
    ASSERT_OK(weft_runner_run(runner, ref_loop, &loop));
    ASSERT_OK(weft__inbox_post(weft__loop_current->inbox, &post));
    /* As a thread that is inside a post, and is not in the child. */
    atomic_int *posting = &weft__loop_current->inbox->posting;
    atomic_fetch_add(posting, 1);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        weft_runner_free(runner);
        /* The message is the parent's, and nobody hears another one. */
        _exit(n_counted == 0 && weft_loop_post(loop, never, NULL) == WEFT_ECLOSED ? 0 : 1);
    }
    expect_success(child);
    atomic_fetch_sub(posting, 1);
    weft_runner_free(runner);
    weft_loop_unref(loop);
    ASSERT_INT_EQ(n_counted, 1);
}

static void *clone_always(void *arg)
{
    struct crowd *crowd = arg;
    while (!atomic_load(&crowd->over)) {
        weft_sender *clone;
        if (weft_sender_clone(crowd->sender, &clone) == 0)
            weft_sender_free(clone);
    }
    return NULL;
}

TEST(fork_child_frees_its_end_of_a_shared_channel_that_others_use)
{
    struct crowd crowd = {0};
    weft_receiver *receiver;
    pthread_t thread;
    if (test_under_valgrind())
        SKIP("in the child, what the other thread's stack held is a leak to Valgrind");
    ASSERT_OK(weft_channel_new(sizeof(int), WEFT_CHANNEL(.capacity = 1, .shared = true),
                               &crowd.sender, &receiver));
    ASSERT_INT_EQ(pthread_create(&thread, NULL, clone_always, &crowd), 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            weft_sender_free(crowd.sender);
            weft_receiver_free(receiver);
            _exit(0);
        }
        expect_success(child);
    }
    atomic_store(&crowd.over, true);
    pthread_join(thread, NULL);
    weft_sender_free(crowd.sender);
    weft_receiver_free(receiver);
}

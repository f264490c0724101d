/* What is armed for the day when something hangs: the signal, the watchdog, WEFT_TRACE. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft/debug.h>
#include <weft/net.h>
#include <weft/thread.h>

#include "base/clock.h"
#include "run/sanitize.h"
#include "test.h"

#define CALL __attribute__((noinline, noclone))
static volatile int after_call;

/* For as long as it takes until *until is set, without a wait of the loop's. */
static CALL int keeps_busy(const atomic_int *until)
{
    while (atomic_load(until) == 0)
        after_call++;
    after_call++;
    return 0;
}

/* Sets *arg after a while, whatever the loop does. */
static void *sets_later(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 400 * 1000 * 1000}, NULL);
    atomic_store((atomic_int *)arg, 1);
    return NULL;
}

static void skip_where_signals_are_late(void)
{
    if (WEFT__TSAN)
        SKIP("ThreadSanitizer delivers signals when the thread makes a system call");
    if (test_under_valgrind())
        SKIP("Valgrind runs one thread at a time");
}

/* ---- the signal ---- */

static int sleeper(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_SEC(100));
}

static int raises(void *arg)
{
    (void)arg;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.name = "held")));
    ASSERT_OK(weft_group_spawn_with(&group, sleeper, NULL, WEFT_SPAWN(.name = "waiting")));
    kill(getpid(), SIGQUIT);
    weft_sleep(WEFT_MS(300));
    weft_group_cancel(&group, NULL);
    return weft_group_wait(&group);
}

static void *runs_sleeper(void *arg)
{
    weft_run_with(raises == arg ? raises : sleeper, NULL, WEFT_RUN(.name = "other"));
    return NULL;
}

static int with_another_loop(void *arg)
{
    pthread_t thread;
    (void)arg;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, runs_sleeper, NULL), 0);
    pthread_detach(thread);
    weft_sleep(WEFT_MS(100));
    return raises(NULL);
}

static void quits_with_two_loops(void *arg)
{
    (void)arg;
    ASSERT_OK(weft_debug_arm(WEFT_DEBUG(.watchdog = -1)));
    _exit(weft_run(with_another_loop, NULL) == 0 ? 0 : 1);
}

TEST(signal_prints_the_tasks_of_all_loops)
{
    char output[16384];
    int status = test_fork(quits_with_two_loops, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "waiting #2: waits for sleep until +");
    ASSERT_STR_HAS(output, "sleeper+0x");
    ASSERT_STR_HAS(output, "held: 1 task");
    ASSERT_STR_HAS(output, "other #1: waits for sleep until +");
    ASSERT_INT_EQ(status, 0);
}

static atomic_int go_on;

static int busy_after_signal(void *arg)
{
    pthread_t thread;
    (void)arg;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, sets_later, &go_on), 0);
    kill(getpid(), SIGUSR1);
    keeps_busy(&go_on);
    pthread_join(thread, NULL);
    return weft_sleep(WEFT_MS(50));
}

static void quits_while_busy(void *arg)
{
    (void)arg;
    ASSERT_OK(weft_debug_arm(WEFT_DEBUG(.dump_signal = SIGUSR1, .watchdog = -1)));
    _exit(weft_run_with(busy_after_signal, NULL, WEFT_RUN(.name = "hog")) == 0 ? 0 : 1);
}

TEST(signal_prints_the_stack_of_a_task_that_keeps_its_loop_busy)
{
    char output[16384];
    skip_where_signals_are_late();
    int status = test_fork(quits_while_busy, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "does not come to its loop, task 'hog' #1 runs:\n    keeps_busy+0x");
    ASSERT_STR_HAS(output, "busy_after_signal+0x");
    /* And all tasks when it has given way. */
    ASSERT_STR_HAS(output, "hog #1: waits for sleep");
    ASSERT_INT_EQ(status, 0);
}

/* ---- what is waited for ---- */

static int reads_one(void *stream)
{
    char byte;
    return (int)weft_stream_read(stream, &byte, 1);
}

static int accepts(void *listener)
{
    weft_stream *stream;
    int err = weft_listener_accept(listener, &stream);
    if (err == 0)
        weft_stream_free(stream);
    return err;
}

static int reads_pipe(void *arg)
{
    char byte;
    return (int)read(*(int *)arg, &byte, 1);
}

static int offloads(void *arg)
{
    return weft_offload_with(reads_pipe, arg, WEFT_OFFLOAD(.name = "hashing of passwords"));
}

static const char *dump_text(void)
{
    static char text[16384];
    int fd = open(test_path("dump"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    weft_dump_tasks(fd);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

TASK_TEST(dump_names_sockets_with_their_peers_and_jobs)
{
    weft_listener *listener;
    weft_stream *client;
    weft_stream *server;
    weft_group group;
    int gate[2];
    char expected[128];
    ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &listener));
    ASSERT_OK(weft_dial("127.0.0.1", weft_listener_port(listener), NULL, &client));
    ASSERT_OK(weft_listener_accept(listener, &server));
    ASSERT_INT_EQ(pipe2(gate, O_CLOEXEC), 0);
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn_with(&group, reads_one, client, WEFT_SPAWN(.name = "reader")));
    ASSERT_OK(weft_group_spawn_with(&group, accepts, listener, WEFT_SPAWN(.name = "acceptor")));
    ASSERT_OK(weft_group_spawn_with(&group, offloads, &gate[0], WEFT_SPAWN(.name = "caller")));
    weft_sleep(WEFT_MS(1));
    const char *text = dump_text();
    snprintf(expected, sizeof expected, "reader #2: waits for read on tcp 127.0.0.1:%d (fd %d)",
             weft_listener_port(listener), weft_stream_fd(client));
    ASSERT_STR_HAS(text, expected);
    snprintf(expected, sizeof expected, "acceptor #3: waits for accept on tcp local 127.0.0.1:%d",
             weft_listener_port(listener));
    ASSERT_STR_HAS(text, expected);
    ASSERT_STR_HAS(text, "caller #4: waits for hashing of passwords");
    ASSERT_INT_EQ(write(gate[1], "g", 1), 1);
    weft_group_cancel(&group, NULL);
    weft_group_wait(&group);
    weft_stream_free(client);
    weft_stream_free(server);
    weft_listener_close(listener);
    close(gate[0]);
    close(gate[1]);
}

/* ---- the watchdog ---- */

static int hogs(void *arg)
{
    pthread_t thread;
    ASSERT_INT_EQ(pthread_create(&thread, NULL, sets_later, arg), 0);
    keeps_busy(arg);
    pthread_join(thread, NULL);
    return weft_sleep(WEFT_MS(100));
}

static int behaves(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        int err = weft_sleep(WEFT_MS(5));
        if (err < 0)
            return err;
    }
    return 0;
}

static int hog_and_others(void *arg)
{
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, behaves, NULL, WEFT_SPAWN(.name = "polite")));
    ASSERT_OK(weft_group_spawn_with(&group, hogs, arg, WEFT_SPAWN(.name = "h\x1bg")));
    return weft_group_wait(&group);
}

static void watched(void *arg)
{
    (void)arg;
    setenv("WEFT_WATCHDOG", "50ms", 1);
    _exit(weft_run(hog_and_others, &go_on) == 0 ? 0 : 1);
}

TEST(watchdog_names_the_task_that_holds_the_loop_and_no_other)
{
    char output[16384];
    skip_where_signals_are_late();
    int status = test_fork(watched, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "weft: task 'h\\x1bg' #3 has held the loop of thread ");
    ASSERT_STR_HAS(output, "keeps_busy+0x");
    ASSERT_STR_HAS(output, "hogs+0x");
    ASSERT_STR_HAS(output, "weft: task 'h\\x1bg' #3 gave way after ");
    ASSERT_STR_LACKS(output, "polite");
    ASSERT_STR_LACKS(output, "main");
    const char *first = strstr(output, "has held");
    ASSERT(strstr(first + 1, "has held") == NULL);
    ASSERT_INT_EQ(status, 0);
}

static struct {
    atomic_int begun;
    atomic_int over;
    int64_t held;
    int n_frames;
    uint64_t id;
} stalls;

static void on_stall(const weft_stall *stall, void *userdata)
{
    ASSERT(userdata == &stalls);
    if (!stall->over) {
        stalls.id = stall->id;
        stalls.n_frames = stall->n_frames;
        atomic_fetch_add(&stalls.begun, 1);
    } else {
        ASSERT_STR_EQ(stall->task, "h\x1bg");
        stalls.held = stall->held;
        atomic_fetch_add(&stalls.over, 1);
    }
}

TEST(watchdog_tells_a_function_of_the_programs)
{
    skip_where_signals_are_late();
    ASSERT_OK(weft_debug_arm(WEFT_DEBUG(.dump_signal = -1, .watchdog = WEFT_MS(50),
                                        .on_stall = on_stall, .userdata = &stalls)));
    ASSERT_OK(weft_run(hog_and_others, &go_on));
    ASSERT_INT_EQ(atomic_load(&stalls.begun), 1);
    ASSERT_INT_EQ(atomic_load(&stalls.over), 1);
    ASSERT_INT_EQ(stalls.id, 3);
    ASSERT(stalls.n_frames > 2);
    ASSERT(stalls.held >= WEFT_MS(200));
    ASSERT_OK(weft_debug_arm(WEFT_DEBUG(.dump_signal = -1, .watchdog = -1)));
}

static atomic_int n_slept;

static void sleep_in_the_watchdog(const weft_stall *stall, void *userdata)
{
    (void)stall;
    (void)userdata;
    if (weft_sleep(1) == 0)
        atomic_fetch_add(&n_slept, 1);
}

/* It makes a loop of that thread, which takes a lock that the watchdog has, too. */
TEST(watchdog_tells_a_function_that_uses_weft_itself)
{
    skip_where_signals_are_late();
    ASSERT_OK(weft_debug_arm(
        WEFT_DEBUG(.dump_signal = -1, .watchdog = WEFT_MS(50), .on_stall = sleep_in_the_watchdog)));
    ASSERT_OK(weft_run(hog_and_others, &go_on));
    ASSERT_INT_GE(atomic_load(&n_slept), 1);
    ASSERT_OK(weft_debug_arm(WEFT_DEBUG(.dump_signal = -1, .watchdog = -1)));
}

TEST(debug_arm_of_a_signal_that_cannot_be_caught_is_refused)
{
    ASSERT_ERR(weft_debug_arm(WEFT_DEBUG(.dump_signal = SIGKILL)), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "signal 9 cannot be caught");
}

static void misnamed(void *arg)
{
    (void)arg;
    setenv("WEFT_WATCHDOG", "soon", 1);
    setenv("WEFT_DUMP_SIGNAL", "SIGNONE", 1);
    _exit(weft_sleep(1) == 0 ? 0 : 1);
}

TEST(debug_variables_with_a_wrong_value_are_told_and_change_nothing)
{
    char output[2048];
    ASSERT_INT_EQ(test_fork(misnamed, NULL, output, sizeof output), 0);
    ASSERT_STR_HAS(output, "weft: WEFT_WATCHDOG is 'soon'; it can be ");
    ASSERT_STR_HAS(output, "weft: WEFT_DUMP_SIGNAL is 'SIGNONE'; it can be ");
}

/* ---- WEFT_TRACE ---- */

static int two_naps(void *arg)
{
    (void)arg;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn_with(&group, behaves, NULL, WEFT_SPAWN(.name = "\"nap\"\\\n")));
    ASSERT_OK(weft_group_spawn(&group, behaves, NULL));
    return weft_group_wait(&group);
}

static void traces(void *arg)
{
    setenv("WEFT_TRACE", arg, 1);
    int err = weft_run(two_naps, NULL);
    if (err == 0)
        err = weft_run(two_naps, NULL);
    exit(err == 0 ? 0 : 1);
}

/* A parser of JSON has a look at it in interop/trace. */
TEST(trace_file_has_steps_and_lives_of_tasks)
{
    static char text[256 * 1024];
    char output[2048];
    const char *path = test_path("trace.json");
    ASSERT_INT_EQ(test_fork(traces, (void *)(uintptr_t)path, output, sizeof output), 0);
    FILE *file = fopen(path, "re");
    ASSERT(file != NULL);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    ASSERT(strncmp(text, "[\n{\"pid\":", 9) == 0);
    ASSERT(len > 3 && strcmp(text + len - 3, "\n]\n") == 0);
    ASSERT(strstr(text, "\"name\":\"\\u0022nap\\u0022\\u005c\\u000a\"") != NULL);
    int begins = 0;
    int ends = 0;
    for (const char *at = text; (at = strstr(at, "\"ph\":\"")) != NULL; at++) {
        begins += at[6] == 'b';
        ends += at[6] == 'e';
    }
    ASSERT_INT_EQ(begins, 6);
    ASSERT_INT_EQ(ends, 6);
}

static void traces_to_nowhere(void *arg)
{
    (void)arg;
    setenv("WEFT_TRACE", "/nonexistent/trace", 1);
    exit(weft_sleep(1) == 0 ? 0 : 1);
}

TEST(trace_file_that_cannot_be_opened_is_told)
{
    char output[2048];
    ASSERT_INT_EQ(test_fork(traces_to_nowhere, NULL, output, sizeof output), 0);
    ASSERT_STR_HAS(output, "WEFT_TRACE: /nonexistent/trace: No such file or directory");
}

/* weft_trace_set, weft_run_stats. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/debug.h>
#include <weft/sync.h>

#include "test.h"

/* ---- tracing ---- */

struct log {
    char text[2048];
    bool io;
};

static void add(void *userdata, const char *what, const weft_task *task)
{
    struct log *log = userdata;
    size_t len = strlen(log->text);
    snprintf(log->text + len, sizeof log->text - len, "%s%s%s; ", what, task != NULL ? " " : "",
             task != NULL ? weft_task_name(task) : "");
}

static void before_run(void *userdata)
{
    add(userdata, "run", NULL);
}

static void after_run(void *userdata)
{
    add(userdata, "end of run", NULL);
}

static void task_spawned(const weft_task *task, const weft_task *parent, void *userdata)
{
    char text[64];
    snprintf(text, sizeof text, "%s spawns", weft_task_name(parent));
    add(userdata, text, task);
}

static void task_scheduled(const weft_task *task, void *userdata)
{
    add(userdata, "ready", task);
}

static void before_task_step(const weft_task *task, void *userdata)
{
    add(userdata, ">", task);
}

static void after_task_step(const weft_task *task, void *userdata)
{
    add(userdata, "<", task);
}

static void task_exited(const weft_task *task, int result, void *userdata)
{
    char text[32];
    snprintf(text, sizeof text, "exit %d", result);
    add(userdata, text, task);
}

static void before_io_wait(int64_t timeout, void *userdata)
{
    struct log *log = userdata;
    char text[32];
    snprintf(text, sizeof text, "wait %lld", (long long)timeout);
    if (log->io)
        add(userdata, text, NULL);
}

static void after_io_wait(int64_t timeout, void *userdata)
{
    struct log *log = userdata;
    (void)timeout;
    if (log->io)
        add(userdata, "waited", NULL);
}

static weft_trace trace_to(struct log *log)
{
    return (weft_trace){
        .size = sizeof(weft_trace),
        .userdata = log,
        .before_run = before_run,
        .after_run = after_run,
        .task_spawned = task_spawned,
        .task_scheduled = task_scheduled,
        .before_task_step = before_task_step,
        .after_task_step = after_task_step,
        .task_exited = task_exited,
        .before_io_wait = before_io_wait,
        .after_io_wait = after_io_wait,
    };
}

static int waits(void *event)
{
    return weft_event_wait(event);
}

static int fails(void *arg)
{
    (void)arg;
    return -EIO;
}

static int family(void *arg)
{
    weft_event *event;
    weft_group group;
    (void)arg;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.collect = true)));
    ASSERT_OK(weft_group_spawn_with(&group, waits, event, WEFT_SPAWN(.name = "a")));
    ASSERT_OK(weft_group_spawn_with(&group, fails, NULL, WEFT_SPAWN(.name = "b")));
    weft_event_set(event);
    ASSERT_ERR(weft_group_wait(&group), -EIO);
    weft_event_free(event);
    return 0;
}

static int sleeps(void *arg)
{
    (void)arg;
    return weft_sleep(7);
}

static const weft_run_options on_virtual = {.size = sizeof on_virtual,
                                            .backend = WEFT_BACKEND_VIRTUAL};

static int naps(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_MS(100));
}

static int traced_family(void *log)
{
    weft_trace trace = trace_to(log);
    ASSERT_OK(weft_trace_set(&trace));
    return family(NULL);
}

TEST(trace_tells_everything_in_its_order)
{
    struct log log = {.text = ""};
    ASSERT_OK(weft_run_with(traced_family, &log, &on_virtual));
    ASSERT_STR_EQ(log.text, "main spawns a; > a; < a; > main; main spawns b; < main; > b; "
                            "exit -5 b; < b; > main; ready a; < main; > a; exit 0 a; ready main; "
                            "< a; > main; exit 0 main; < main; end of run; ");
}

TEST(trace_of_waits_has_their_times)
{
    struct log log = {.text = "", .io = true};
    weft_trace trace = trace_to(&log);
    trace.task_scheduled = NULL;
    ASSERT_OK(weft_trace_set(&trace));
    ASSERT_OK(weft_run(naps, NULL));
    ASSERT_STR_HAS(log.text, "run; thread spawns main; > main; < main; wait ");
    ASSERT_STR_HAS(log.text, "waited; > main; exit 0 main; < main; end of run; ");
    ASSERT_OK(weft_trace_set(NULL));
    log.text[0] = '\0';
    ASSERT_OK(weft_run(naps, NULL));
    ASSERT_STR_EQ(log.text, "");
}

static int ends_its_trace(void *arg)
{
    (void)arg;
    return weft_trace_set(NULL);
}

TEST(trace_that_ends_in_a_task_ends_its_step)
{
    struct log log = {.text = ""};
    weft_trace trace = trace_to(&log);
    ASSERT_OK(weft_trace_set(&trace));
    ASSERT_OK(weft_run(ends_its_trace, NULL));
    ASSERT_STR_HAS(log.text, "> main; < main; ");
    ASSERT_STR_LACKS(log.text, "exit");
}

/* Under a seed tasks begin later, and in another order; steps are matched all the same. */
TEST(trace_under_a_seed_has_matching_steps)
{
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct log log = {.text = ""};
        ASSERT_OK(weft_run_with(traced_family, &log,
                                WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL, .seed = seed)));
        int begun = 0;
        for (const char *at = log.text; (at = strpbrk(at, "<>")) != NULL; at++) {
            begun += *at == '>' ? 1 : -1;
            /* The first end is that of the step in which tracing began: it is not told. */
            ASSERT(begun == 0 || begun == 1);
        }
        ASSERT_INT_EQ(begun, 0);
    }
}

/* ---- statistics ---- */

static int checks(void *arg)
{
    weft_run_statistics stats;
    weft_run_statistics later;
    weft_event *event;
    weft_group group;
    (void)arg;
    ASSERT_OK(weft_event_new(&event));
    ASSERT_OK(weft_run_stats(&stats));
    ASSERT_INT_EQ(stats.tasks, 1);
    ASSERT_INT_EQ(stats.ready, 0);
    ASSERT_INT_EQ(stats.parked, 0);
    ASSERT_INT_EQ(stats.spawned, 1);
    ASSERT_INT_EQ(stats.switches, 1);
    ASSERT_INT_EQ(stats.polls, 0);
    ASSERT_INT_EQ(stats.timers, 0);
    ASSERT_INT_EQ(stats.pending, 0);
    ASSERT_INT_EQ(stats.stacks, 1);
    ASSERT_INT_EQ(stats.next_deadline, WEFT_FOREVER);
    ASSERT_STR_EQ(stats.backend, "virtual");
    ASSERT(stats.stack_bytes > 0);

    ASSERT_OK(weft_group_init(&group, WEFT_GROUP(.timeout = WEFT_SEC(9))));
    for (int i = 0; i < 5; i++)
        ASSERT_OK(weft_group_spawn(&group, i < 3 ? waits : sleeps, event));
    ASSERT_OK(weft_run_stats(&later));
    ASSERT_INT_EQ(later.tasks, 6);
    ASSERT_INT_EQ(later.parked, 5);
    ASSERT_INT_EQ(later.spawned, 6);
    ASSERT_INT_EQ(later.timers, 3);
    ASSERT_INT_EQ(later.next_deadline, 7);
    ASSERT_INT_EQ(later.stacks, 6);
    ASSERT_INT_EQ(later.switches - stats.switches, 10); /* to each child, and back */

    weft_event_set(event);
    ASSERT_OK(weft_run_stats(&later));
    ASSERT_INT_EQ(later.ready, 3);
    ASSERT_INT_EQ(later.parked, 2);
    ASSERT_OK(weft_group_wait(&group));

    ASSERT_OK(weft_run_stats(&stats));
    ASSERT_INT_EQ(stats.tasks, 1);
    ASSERT_INT_EQ(stats.timers, 0);
    ASSERT_INT_EQ(stats.stacks, 1);
    ASSERT_INT_EQ(stats.stacks_cached, 5);
    ASSERT(stats.polls > 0);
    weft_event_free(event);
    return 0;
}

TEST(stats_on_the_virtual_clock_are_exact)
{
    ASSERT_OK(weft_run_with(checks, NULL, &on_virtual));
}

/* What ends without a wait is no switch. */
VIRTUAL_TEST(stats_do_not_count_calls_that_did_not_wait)
{
    weft_run_statistics before;
    weft_run_statistics after;
    weft_semaphore *semaphore;
    ASSERT_OK(weft_semaphore_new(1, &semaphore));
    ASSERT_OK(weft_run_stats(&before));
    for (int i = 0; i < 50; i++) {
        ASSERT_OK(weft_semaphore_acquire(semaphore));
        weft_semaphore_release(semaphore);
    }
    ASSERT_OK(weft_run_stats(&after));
    ASSERT_INT_EQ(after.switches, before.switches);
    weft_semaphore_free(semaphore);
}

TEST(stats_outside_a_run_are_those_of_the_thread)
{
    weft_run_statistics stats;
    ASSERT_OK(weft_run_stats(&stats));
    ASSERT_INT_EQ(stats.tasks, 0);
    ASSERT_INT_EQ(stats.parked, 0);
}

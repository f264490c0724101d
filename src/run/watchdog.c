/*
 * watchdog.c - what is armed for the day when something hangs: a signal that prints the tasks of
 * all loops, and a look, a few times in a while, at whether every loop still gives its tasks
 * their turns.
 *
 * Both are done by one thread.  A loop prints its tasks by itself, asked by a message; one that
 * does not answer, or whose task holds it for too long, gets a signal, in whose handler the call
 * stack of its thread is taken.  The loops do nothing for it but count the turns they give.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "run/debug_int.h"

enum { ANSWER_MS = 100, SIGNAL_STACK = SIGURG };

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* The loops of the process, and all below; a loop does not end while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct weft__list weft__loops = {&weft__loops, &weft__loops};
static bool thread_runs;
static int dump_signal;
static int64_t watchdog; /* 0: none */
static void (*on_stall)(const weft_stall *stall, void *userdata);
static void *userdata;
static struct sigaction old_stack_signal;

static sem_t kicks; /* dumps that are asked for, and changes of the options */
static atomic_int dumps_wanted;

/* Loops that have printed their tasks. */
static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answers;

static struct timespec after_ms(int64_t ms)
{
    int64_t at = weft__clock_monotonic() + WEFT_MS(ms);
    return (struct timespec){.tv_sec = at / WEFT_SEC(1), .tv_nsec = at % WEFT_SEC(1)};
}

/*
 * What changes whenever another task gets its turn.  The loop writes it as it likes: a look from
 * another thread that comes at a bad moment sees another number, and that is as good.
 */
__attribute__((no_sanitize("thread"))) static uint64_t turns_of(const struct weft__loop *loop)
{
    const volatile uint64_t *turns = &loop->n_turns;
    const volatile int *budget = &loop->budget;
    return *turns - (uint64_t)*budget;
}

/* ---- the stack of another thread ---- */

enum look_state { LOOK_NONE, LOOK_WANTED, LOOK_BUSY, LOOK_DONE };

/* One at a time, of the thread that asks. */
static struct {
    atomic_int state;
    struct weft__loop *loop;
    sem_t done;
    struct weft__frames frames;
    uint64_t turns;
    uint64_t id;
    bool is_task;
    char name[WEFT__LIMIT_TASK_NAME + 1];
} look;

/* Without the handler's own frames: the interrupted one is that of the saved program counter. */
static void drop_handler(struct weft__frames *frames, const ucontext_t *context)
{
#if defined(__x86_64__)
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    uintptr_t pc = (uintptr_t)context->uc_mcontext.pc;
#else
    uintptr_t pc = 0;
    (void)context;
#endif
    for (int i = 0; i < frames->n; i++) {
        if ((uintptr_t)frames->pc[i] != pc)
            continue;
        frames->n -= i;
        memmove(frames->pc, frames->pc + i, (size_t)frames->n * sizeof frames->pc[0]);
        return;
    }
}

/* In the thread that is looked at. */
static void on_look(int number, siginfo_t *info, void *context)
{
    struct weft__loop *loop = weft__loop_current;
    int wanted = LOOK_WANTED;
    int saved = errno;
    if (loop == NULL || loop != look.loop ||
        !atomic_compare_exchange_strong(&look.state, &wanted, LOOK_BUSY)) {
        /* Not ours: whoever was there before has it. */
        if ((old_stack_signal.sa_flags & SA_SIGINFO) != 0)
            old_stack_signal.sa_sigaction(number, info, context);
        else if (old_stack_signal.sa_handler != SIG_DFL && old_stack_signal.sa_handler != SIG_IGN)
            old_stack_signal.sa_handler(number);
        return;
    }
    const struct weft_task *task = (const struct weft_task *)weft__context;
    look.is_task = task != &loop->native;
    look.id = task->id;
    look.turns = turns_of(loop);
    memcpy(look.name, weft_task_name(task), strnlen(weft_task_name(task), sizeof look.name - 1));
    weft__backtrace_here(&look.frames);
    drop_handler(&look.frames, context);
    atomic_store(&look.state, LOOK_DONE);
    sem_post(&look.done);
    errno = saved;
}

/* True if the thread has answered: look is filled in. */
static bool look_at(struct weft__loop *loop)
{
    struct timespec until = after_ms(ANSWER_MS);
    int wanted = LOOK_WANTED;
    look.loop = loop;
    look.frames.n = 0;
    memset(look.name, 0, sizeof look.name);
    atomic_store(&look.state, LOOK_WANTED);
    if (syscall(SYS_tgkill, getpid(), loop->debug.thread, SIGNAL_STACK) < 0) {
        atomic_store(&look.state, LOOK_NONE);
        return false;
    }
    while (sem_clockwait(&look.done, CLOCK_MONOTONIC, &until) < 0) {
        if (errno == EINTR)
            continue;
        /* Too late, unless it is just doing it. */
        if (atomic_compare_exchange_strong(&look.state, &wanted, LOOK_NONE))
            return false;
        until = after_ms(ANSWER_MS);
        wanted = LOOK_WANTED;
    }
    return true;
}

/* ---- dumps of all loops ---- */

static void loop_answers(struct weft__post *post)
{
    struct weft__debug *debug = WEFT__CONTAINER(post, struct weft__debug, post);
    struct weft__loop *loop = WEFT__CONTAINER(debug, struct weft__loop, debug);
    atomic_store(&debug->posted, false);
    if (!atomic_exchange(&debug->wanted, false))
        return;
    weft__dump(loop, STDERR_FILENO);
    pthread_mutex_lock(&answer_lock);
    pthread_cond_broadcast(&answers);
    pthread_mutex_unlock(&answer_lock);
}

static void dump_busy(struct weft__loop *loop)
{
    struct weft__report report;
    bool seen = look_at(loop);
    if (!weft__report_lock())
        return;
    weft__report_begin(&report, STDERR_FILENO);
    weft__report_put(&report, "thread %ld does not come to its loop", loop->debug.thread);
    if (seen && look.is_task) {
        weft__report_put(&report, ", task '");
        weft__report_name(&report, look.name);
        weft__report_put(&report, "' #%llu runs", (unsigned long long)look.id);
    }
    weft__report_put(&report, seen ? ":\n" : "; its call stack cannot be had\n");
    if (seen)
        weft__report_frames(&report, &look.frames, 4);
    weft__report_end(&report);
    weft__report_unlock();
}

static void dump_all(void)
{
    struct timespec until = after_ms(ANSWER_MS);
    struct weft__list *node;
    for (node = weft__loops.next; node != &weft__loops; node = node->next) {
        struct weft__debug *debug = WEFT__CONTAINER(node, struct weft__debug, node);
        struct weft__loop *loop = WEFT__CONTAINER(debug, struct weft__loop, debug);
        atomic_store(&debug->wanted, true);
        if (!atomic_exchange(&debug->posted, true))
            weft__inbox_post(loop->inbox, &debug->post);
    }
    for (node = weft__loops.next; node != &weft__loops; node = node->next) {
        struct weft__debug *debug = WEFT__CONTAINER(node, struct weft__debug, node);
        struct weft__loop *loop = WEFT__CONTAINER(debug, struct weft__loop, debug);
        int err = 0;
        pthread_mutex_lock(&answer_lock);
        while (atomic_load(&debug->wanted) && err != ETIMEDOUT)
            err = pthread_cond_timedwait(&answers, &answer_lock, &until);
        pthread_mutex_unlock(&answer_lock);
        if (!atomic_load(&debug->wanted))
            continue;
        dump_busy(loop);
        /* Its tasks follow when it has time, unless nothing runs them for now. */
        if (!atomic_load(&loop->in_run))
            atomic_store(&debug->wanted, false);
    }
}

static void on_dump_signal(int number)
{
    int saved = errno;
    (void)number;
    atomic_fetch_add(&dumps_wanted, 1);
    sem_post(&kicks);
    errno = saved;
}

/* ---- the watchdog ---- */

static void print_stall(const weft_stall *stall)
{
    struct weft__report report;
    if (!weft__report_lock())
        return;
    weft__report_begin(&report, STDERR_FILENO);
    weft__report_put(&report, "weft: task '");
    weft__report_name(&report, stall->task);
    weft__report_put(&report, "' #%llu ", (unsigned long long)stall->id);
    weft__report_put(&report, stall->over ? "gave way after " : "has held the loop of thread ");
    if (!stall->over)
        weft__report_put(&report, "%d for ", stall->thread);
    weft__report_time(&report, stall->held);
    weft__report_put(&report, stall->over ? "\n" : ":\n");
    if (!stall->over)
        weft__report_frames(&report, &look.frames, 4);
    weft__report_end(&report);
    weft__report_unlock();
}

/* With the lock, which it gives back meanwhile: the program may do anything, and the loop end. */
static void tell_stall(const struct weft__debug *debug, int64_t held, bool over)
{
    void (*tell)(const weft_stall *stall, void *userdata) = on_stall;
    void *its_userdata = userdata;
    char name[sizeof debug->stalled];
    memcpy(name, debug->stalled, sizeof name);
    weft_stall stall = {
        .task = name,
        .id = debug->stalled_id,
        .thread = (int)debug->thread,
        .held = held,
        .over = over,
        .frames = look.frames.pc,
        .n_frames = over ? 0 : look.frames.n,
    };
    pthread_mutex_unlock(&lock);
    if (tell != NULL)
        tell(&stall, its_userdata);
    else
        print_stall(&stall);
    /* This thread never ends. */
    weft__loop_free(weft__loop_current);
    pthread_mutex_lock(&lock);
}

/* True if it has given the lock back, and the list of loops may be another one. */
static bool watch(struct weft__loop *loop, int64_t now)
{
    struct weft__debug *debug = &loop->debug;
    uint64_t turns = turns_of(loop);
    bool waits = !atomic_load(&loop->in_run) || atomic_load(&loop->inbox->sleeping);
    if (turns != debug->seen_turns || waits) {
        bool over = debug->stall_told;
        int64_t held = now - debug->seen_since;
        debug->seen_turns = turns;
        debug->seen_since = now;
        debug->stall_told = false;
        debug->looked = false;
        if (over)
            tell_stall(debug, held, true);
        return over;
    }
    if (debug->looked || now - debug->seen_since < watchdog)
        return false;
    debug->looked = true;
    if (!look_at(loop) || !look.is_task || look.turns != turns)
        return false;
    memcpy(debug->stalled, look.name, sizeof look.name);
    debug->stalled_id = look.id;
    debug->stall_told = true;
    tell_stall(debug, weft__clock_monotonic() - debug->seen_since, false);
    return true;
}

static void watch_all(void)
{
    int64_t now = weft__clock_monotonic();
    struct weft__list *node = weft__loops.next;
    while (node != &weft__loops) {
        struct weft__debug *debug = WEFT__CONTAINER(node, struct weft__debug, node);
        bool told = watch(WEFT__CONTAINER(debug, struct weft__loop, debug), now);
        node = told ? weft__loops.next : node->next;
    }
}

/* Four looks in the time that a task may take. */
static int64_t period_ms(void)
{
    int64_t ms = watchdog / WEFT_MS(4);
    return ms < 1 ? 1 : ms > 1000 ? 1000 : ms;
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        struct timespec until = after_ms(period_ms());
        bool watching = watchdog > 0;
        pthread_mutex_unlock(&lock);
        if (watching)
            sem_clockwait(&kicks, CLOCK_MONOTONIC, &until);
        else
            sem_wait(&kicks);
        pthread_mutex_lock(&lock);
        if (atomic_exchange(&dumps_wanted, 0) > 0)
            dump_all();
        if (watchdog > 0)
            watch_all();
    }
    return NULL;
}

/* ---- arming ---- */

static int start_thread(void)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, &attr, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (err == 0)
        thread_runs = true;
    return -err;
}

/* With the lock. */
static int arm(int number, int64_t limit)
{
    struct sigaction on_dump = {.sa_handler = on_dump_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    struct sigaction look_action = {.sa_sigaction = on_look,
                                    .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction present;
    sigemptyset(&on_dump.sa_mask);
    sigfillset(&look_action.sa_mask);
    weft__backtrace_prepare();
    if (number > 0 && sigaction(number, &on_dump, NULL) < 0)
        return weft__fail(-EINVAL, "signal %d cannot be caught", number);
    if (dump_signal > 0 && dump_signal != number)
        sigaction(dump_signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    dump_signal = number;
    if (sigaction(SIGNAL_STACK, NULL, &present) == 0 && present.sa_sigaction != on_look) {
        old_stack_signal = present;
        sigaction(SIGNAL_STACK, &look_action, NULL);
    }
    watchdog = limit;
    if (!thread_runs) {
        int err = start_thread();
        if (err < 0)
            return weft__fail_with(err, "a thread for the watchdog");
    }
    sem_post(&kicks);
    return 0;
}

/* The names of the signals that make sense, without SIG. */
static int signal_of(const char *name)
{
    for (int number = 1; number < NSIG; number++) {
        const char *abbreviation = sigabbrev_np(number);
        if (abbreviation != NULL && strcmp(abbreviation, name) == 0)
            return number;
    }
    return -1;
}

/* "100ms": ns, or -1. */
static int64_t duration_of(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    uint64_t number;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || weft__parse_u64(text, digits, &number) < 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].unit) == 0)
            return (int64_t)number * units[i].ns;
    }
    return -1;
}

static void complain(const char *name, const char *value, const char *allowed)
{
    struct weft__report report;
    weft__report_begin(&report, STDERR_FILENO);
    weft__report_put(&report, "weft: %s is '", name);
    weft__report_name(&report, value);
    weft__report_put(&report, "'; it can be %s\n", allowed);
    weft__report_end(&report);
}

static void arm_from_environment(void)
{
    const char *name = getenv("WEFT_DUMP_SIGNAL");
    const char *limit = getenv("WEFT_WATCHDOG");
    int number = name != NULL && name[0] != '\0' ? signal_of(name) : 0;
    int64_t ns = limit != NULL && limit[0] != '\0' ? duration_of(limit) : 0;
    if (number < 0)
        complain("WEFT_DUMP_SIGNAL", name, "QUIT, USR1, USR2, ...");
    if (ns < 0)
        complain("WEFT_WATCHDOG", limit, "a time as 100ms, 500us or 2s");
    if ((number > 0 || ns > 0) && arm(number, ns > 0 ? ns : 0) < 0)
        complain("WEFT_DUMP_SIGNAL", name != NULL ? name : "", "a signal that can be caught");
}

int weft_debug_arm(const weft_debug_options *options)
{
    weft_debug_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    if (weft__loop_get() == NULL)
        return weft__context_get()->error_code;
    int number = all.dump_signal == 0 ? SIGQUIT : all.dump_signal < 0 ? 0 : all.dump_signal;
    int64_t limit = all.watchdog == 0 ? WEFT_MS(100) : all.watchdog < 0 ? 0 : all.watchdog;
    pthread_mutex_lock(&lock);
    on_stall = all.on_stall;
    userdata = all.userdata;
    int err = arm(number, limit);
    pthread_mutex_unlock(&lock);
    return err;
}

/* ---- loops ---- */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void parent_forked(void)
{
    pthread_mutex_unlock(&lock);
}

/* The child has no loop but the one it must not use, and neither watchdog nor trace. */
static void child_forked(void)
{
    while (!weft__list_is_empty(&weft__loops))
        weft__list_pop_front(&weft__loops);
    thread_runs = false;
    weft__trace_file_forked();
    weft__report_forked();
    pthread_mutex_unlock(&lock);
}

static void prepare(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&answers, &attr);
    pthread_condattr_destroy(&attr);
    sem_init(&kicks, 0, 0);
    sem_init(&look.done, 0, 0);
    pthread_atfork(before_fork, parent_forked, child_forked);
    pthread_mutex_lock(&lock);
    arm_from_environment();
    pthread_mutex_unlock(&lock);
}

void weft__debug_attach(struct weft__loop *loop)
{
    loop->debug.thread = syscall(SYS_gettid);
    loop->debug.post.fn = loop_answers;
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    weft__list_push_back(&weft__loops, &loop->debug.node);
    pthread_mutex_unlock(&lock);
    weft__trace_file_attach(loop);
}

void weft__debug_detach(struct weft__loop *loop)
{
    weft__trace_file_detach(loop);
    pthread_mutex_lock(&lock);
    weft__list_remove(&loop->debug.node);
    atomic_store(&loop->debug.wanted, false);
    pthread_mutex_unlock(&lock);
}

/* process.c - starting a program, its end, signals to it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "process/process_int.h"

enum {
    KILL_WAIT_MS = 1000, /* that weft_process_free() waits for the end of what it killed */
    GRACE_SECONDS = 5,
    KILL_SECONDS = 10,
    ID_PIDFD = 3 /* P_PIDFD, which older headers lack */
};

/* Those that were killed, but could not die at once; reaped by later calls. */
static struct weft_process *undead;
static pthread_mutex_t undead_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the end ---- */

/* linux/pidfd.h, since 6.13; the exit code since 6.15. */
struct pidfd_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};

/* The kernel may still know the code of a child that it reaped itself. */
static bool code_from_pidfd(const struct weft_process *process, int *ret)
{
    const uint64_t want_exit = 1 << 3;
    struct pidfd_info info = {.mask = want_exit};
    if (process->pidfd < 0 || ioctl(process->pidfd, _IOWR(0xFF, 11, struct pidfd_info), &info) < 0)
        return false;
    if ((info.mask & want_exit) == 0)
        return false;
    *ret = WIFSIGNALED(info.exit_code) ? -WTERMSIG(info.exit_code) : WEXITSTATUS(info.exit_code);
    return true;
}

static int wait_id(const struct weft_process *process, siginfo_t *info)
{
    int err = -EINVAL;
    if (process->pidfd >= 0)
        err = waitid((idtype_t)ID_PIDFD, (id_t)process->pidfd, info, WEXITED | WNOHANG) < 0 ? -errno
                                                                                            : 0;
    /* P_PIDFD came a year after pidfds. */
    if (err == -EINVAL)
        err = waitid(P_PID, (id_t)process->pid, info, WEXITED | WNOHANG) < 0 ? -errno : 0;
    return err;
}

/* Reaps it if it has ended. */
static bool has_ended(struct weft_process *process)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (process->ended)
        return true;
    int err = wait_id(process, &info);
    if (err == 0 && info.si_pid == 0)
        return false;
    if (err == 0)
        process->returncode = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    else if (err != -ECHILD)
        return false;
    else
        process->lost = !code_from_pidfd(process, &process->returncode);
    process->ended = true;
    return true;
}

static int result_of(const struct weft_process *process, int *ret)
{
    if (process->lost)
        return weft__fail(-ECHILD, "the exit code of '%s' (pid %d) was taken by somebody else",
                          process->name, (int)process->pid);
    if (ret != NULL)
        *ret = process->returncode;
    return 0;
}

int weft_process_poll(weft_process *process, int *ret)
{
    if (!has_ended(process))
        return 0;
    int err = result_of(process, ret);
    return err < 0 ? err : 1;
}

/* Bound to the loop for this wait only, so that the process may outlive it. */
static int64_t wait_pidfd(const struct weft_process *process)
{
    struct weft__fd fd;
    int err = weft__fd_init(&fd, process->pidfd);
    if (err < 0)
        return err;
    struct weft__op op = {.kind = WEFT__OP_POLL, .fd = &fd, .flags = POLLIN};
    int64_t n = weft__op_run(&op, WEFT_FOREVER);
    weft__fd_detach(&fd);
    return n;
}

/*
 * Without a pidfd the task looks every now and then.  A thread that waits would serve one
 * process; the twenty-first would wait for a thread.
 */
static int64_t wait_by_looking(struct weft_process *process)
{
    int err = 0;
    for (int64_t pause = WEFT_MS(1); err == 0 && !has_ended(process);) {
        err = weft_sleep(pause);
        pause = pause < WEFT_MS(16) ? pause * 2 : pause;
    }
    return err;
}

/* One task waits for the kernel; when it goes, the next one does. */
static int wait_first(struct weft_process *process)
{
    process->asked = true;
    int64_t n = process->pidfd >= 0 ? wait_pidfd(process) : wait_by_looking(process);
    process->asked = false;
    if (n >= 0 && has_ended(process))
        weft__waitq_wake_all(&process->waiters, 0);
    else
        weft__waitq_wake_one(&process->waiters, 0);
    if (n == -ECANCELED)
        return weft__cancel_error(weft__self());
    return n < 0 ? weft__fail_with((int)n, "wait for '%s'", process->name) : 0;
}

int weft_process_wait(weft_process *process, int *ret)
{
    struct weft_task *self;
    int err = weft__enter(&self);
    while (err == 0 && !has_ended(process)) {
        struct weft__waiter waiter;
        bool others = process->asked || !weft__list_is_empty(&process->waiters);
        if (others && process->loop != self->loop)
            return weft__fail(-EINVAL, "another thread waits for '%s'", process->name);
        process->loop = self->loop;
        if (process->asked)
            err = (int)weft__waitq_wait(&process->waiters, &waiter, "process");
        else
            err = wait_first(process);
    }
    return err < 0 ? err : result_of(process, ret);
}

/* ---- signals ---- */

/* Not reaped, so the number is still its own. */
static int raise_in(const struct weft_process *process, int number)
{
    if (process->pidfd >= 0) {
        if (syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL, 0) == 0)
            return 0;
        if (errno != ENOSYS)
            return -errno;
    }
    return kill(process->pid, number) < 0 ? -errno : 0;
}

int weft_process_send_signal(weft_process *process, int number)
{
    int err = has_ended(process) ? -ESRCH : raise_in(process, number);
    if (err == -ESRCH)
        return weft__fail(err, "signal %d to '%s': it has ended", number, process->name);
    return err < 0 ? weft__fail_with(err, "signal %d to '%s'", number, process->name) : 0;
}

int weft_process_terminate(weft_process *process)
{
    return weft_process_send_signal(process, SIGTERM);
}

int weft_process_kill(weft_process *process)
{
    return weft_process_send_signal(process, SIGKILL);
}

static int signal_and_wait(weft_process *process, int number, int64_t timeout)
{
    weft_scope scope;
    int err = weft_process_send_signal(process, number);
    if (err < 0)
        return err == -ESRCH ? 0 : err;
    weft_scope_enter_shield(&scope, timeout);
    return weft_scope_exit(&scope, weft_process_wait(process, NULL));
}

int weft_process_stop(weft_process *process, int64_t grace, int *ret)
{
    const int64_t most = WEFT_SEC(60);
    int err = -ETIMEDOUT;
    if (grace > 0)
        err = signal_and_wait(process, SIGTERM, grace < most ? grace : most);
    if (err == -ETIMEDOUT || err == -ENOMEM)
        err = signal_and_wait(process, SIGKILL, WEFT_SEC(KILL_SECONDS));
    return err < 0 ? err : result_of(process, ret);
}

/* ---- beginning ---- */

static int fail_start(const struct weft__launch *launch, int err,
                      const struct weft__child_failure *failure)
{
    const char *name = launch->argv[launch->options.shell ? 2 : 0];
    switch (err == -failure->error ? failure->step : STEP_EXEC) {
    case STEP_STDIO:
        return weft__fail_with(err, "start '%.64s' with its stdin, stdout or stderr", name);
    case STEP_CWD:
        return weft__fail_with(err, "start '%.64s' in folder '%.256s'", name, launch->options.cwd);
    case STEP_GROUP:
        return weft__fail_with(err, "start '%.64s' in its session or process group", name);
    case STEP_IDS:
        return weft__fail_with(err, "start '%.64s' as another user or group", name);
    case STEP_PASS:
        return weft__fail_with(err, "start '%.64s' with the descriptors to pass", name);
    default:
        return weft__fail_with(err, "start '%.256s'", name);
    }
}

/* Those that have died meanwhile. */
static void reap_undead(void)
{
    pthread_mutex_lock(&undead_lock);
    for (struct weft_process **at = &undead; *at != NULL;) {
        struct weft_process *process = *at;
        if (!has_ended(process)) {
            at = &process->next;
            continue;
        }
        *at = process->next;
        if (process->pidfd >= 0)
            close(process->pidfd);
        weft__free(process);
    }
    pthread_mutex_unlock(&undead_lock);
}

static void adopt(struct weft_process *process, struct weft__launch *launch)
{
    const weft_process_options *options = &launch->options;
    const char *name = launch->argv[options->shell ? 2 : 0];
    weft__list_init(&process->waiters);
    memcpy(process->pipes, launch->pipes, sizeof process->pipes);
    memset(launch->pipes, 0, sizeof launch->pipes);
    process->grace = options->grace != 0 ? options->grace : WEFT_SEC(GRACE_SECONDS);
    process->pipe_grace = options->pipe_grace != 0 ? options->pipe_grace : WEFT_MS(500);
    process->output_max =
        options->output_max != 0 ? options->output_max : WEFT__LIMIT_PROCESS_OUTPUT;
    memcpy(process->name, name, strnlen(name, sizeof process->name - 1));
}

int weft_process_start(const char *const *argv, const weft_process_options *options,
                       weft_process **ret)
{
    struct weft__launch launch;
    struct weft__child_failure failure = {0};
    reap_undead();
    int err = weft__launch_init(&launch, argv, options);
    if (err < 0)
        return err;
    struct weft_process *process = weft__calloc(1, sizeof *process);
    err = process == NULL ? weft__fail_nomem() : 0;
    if (err == 0) {
        err = weft__child_start(&launch.child, &process->pid, &process->pidfd, &failure);
        if (err < 0)
            fail_start(&launch, err, &failure);
        else
            adopt(process, &launch);
    }
    weft__launch_done(&launch);
    if (err < 0) {
        weft__free(process);
        return err;
    }
    *ret = process;
    return 0;
}

/* ---- release ---- */

/* What SIGKILL has hit ends as soon as it runs, unless it waits for a disk. */
static bool kill_and_reap(struct weft_process *process)
{
    if (has_ended(process))
        return true;
    raise_in(process, SIGKILL);
    for (int i = 0; i < KILL_WAIT_MS && !has_ended(process); i++) {
        struct pollfd pollfd = {.fd = process->pidfd, .events = POLLIN};
        poll(&pollfd, 1, 1);
    }
    return process->ended;
}

void weft_process_free(weft_process *process)
{
    if (process == NULL)
        return;
    for (int i = 0; i < 3; i++)
        weft_stream_free(process->pipes[i]);
    if (!kill_and_reap(process)) {
        pthread_mutex_lock(&undead_lock);
        process->next = undead;
        undead = process;
        pthread_mutex_unlock(&undead_lock);
        return;
    }
    if (process->pidfd >= 0)
        close(process->pidfd);
    weft__free(process);
}

/* ---- asking ---- */

int weft_process_pid(const weft_process *process)
{
    return process->pid;
}

weft_stream *weft_process_stdin(const weft_process *process)
{
    return process->pipes[0];
}

weft_stream *weft_process_stdout(const weft_process *process)
{
    return process->pipes[1];
}

weft_stream *weft_process_stderr(const weft_process *process)
{
    return process->pipes[2];
}

/*
 * child.c - from one process to another program.
 *
 * As with vfork, the child shares memory with us until it executes the program, and the calling
 * thread stands still meanwhile: its cost does not depend on how large we are.  Other threads
 * run on, so the child takes no lock and calls nothing but the kernel.  It has a stack of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "process/process_int.h"
#include "run/sanitize.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum { CHILD_STACK = 64 * 1024, KERNEL_SIGNALS = 64, KERNEL_SET = 8 };

/* Sanitizers would take the child's steps for ours: there it gets a copy of the memory. */
#if WEFT__ASAN || WEFT__TSAN
#define IN_CHILD    __attribute__((no_sanitize("address", "thread", "undefined")))
#define SHARED_FLAG 0
#else
#define IN_CHILD
#define SHARED_FLAG CLONE_VM
#endif

bool weft__process_no_pidfd;
bool weft__process_no_close_range;

/* ---- in the child ---- */

IN_CHILD static _Noreturn void fail(const struct weft__child *child, int step)
{
    struct weft__child_failure failure = {step, errno};
    syscall(SYS_write, child->report, &failure, sizeof failure);
    for (;;)
        syscall(SYS_exit_group, 127);
}

/* A handler of ours must not run here; what is ignored stays so, but for what Python resets. */
IN_CHILD static void reset_signals(void)
{
    uint64_t action[8];
    static const uint64_t none[8];
    for (int number = 1; number <= KERNEL_SIGNALS; number++) {
        if (syscall(SYS_rt_sigaction, number, NULL, action, KERNEL_SET) < 0)
            continue;
        bool ignored = action[0] == (uint64_t)(uintptr_t)SIG_IGN;
        if (action[0] == 0 || (ignored && number != SIGPIPE && number != SIGXFSZ))
            continue;
        syscall(SYS_rt_sigaction, number, none, NULL, KERNEL_SET);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, KERNEL_SET);
}

/* First out of the way of 0 to 2, then to its place. */
IN_CHILD static void place_stdio(struct weft__child *child)
{
    for (int i = 0; i < 3; i++) {
        int fd = child->stdio[i];
        if (fd < 0 || fd > 2 || fd == i)
            continue;
        child->stdio[i] = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
        if (child->stdio[i] < 0)
            fail(child, STEP_STDIO);
    }
    for (int i = 0; i < 3; i++) {
        int fd = child->stdio[i];
        if (fd == i)
            syscall(SYS_fcntl, fd, F_SETFD, 0);
        else if (fd >= 0 && syscall(SYS_dup3, fd, i, 0) < 0)
            fail(child, STEP_STDIO);
    }
}

IN_CHILD static void close_others(struct weft__child *child)
{
    const weft_process_options *options = child->options;
    if (weft__process_no_close_range ||
        syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
        uint64_t most[2] = {0, 0};
        syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, most);
        for (int fd = 3; fd < (int)(most[0] < 1048576 ? most[0] : 1048576); fd++)
            syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    }
    for (size_t i = 0; i < options->n_pass_fds; i++) {
        if (syscall(SYS_fcntl, options->pass_fds[i], F_SETFD, 0) < 0)
            fail(child, STEP_PASS);
    }
}

IN_CHILD static void join_group(const struct weft__child *child)
{
    const weft_process_options *options = child->options;
    int group = options->process_group;
    if (options->new_session && syscall(SYS_setsid) < 0)
        fail(child, STEP_GROUP);
    if (group != 0 && !options->new_session &&
        syscall(SYS_setpgid, 0, group == WEFT_PROCESS_GROUP_NEW ? 0 : group) < 0)
        fail(child, STEP_GROUP);
}

IN_CHILD static void become(const struct weft__child *child)
{
    const weft_process_options *options = child->options;
    if (options->uid == NULL && options->gid == NULL)
        return;
    if (syscall(SYS_setgroups, 0, NULL) < 0 ||
        (options->gid != NULL && syscall(SYS_setgid, *options->gid) < 0) ||
        (options->uid != NULL && syscall(SYS_setuid, *options->uid) < 0))
        fail(child, STEP_IDS);
}

/* As execvp: the most telling of the errors is the one that is no absence. */
IN_CHILD static void execute(const struct weft__child *child)
{
    int error = ENOENT;
    for (char *const *file = child->files; *file != NULL; file++) {
        syscall(SYS_execve, *file, child->argv, child->env);
        if (errno != ENOENT && errno != ENOTDIR)
            error = errno;
    }
    errno = error;
}

IN_CHILD static int child_main(void *arg)
{
    struct weft__child *child = arg;
    const weft_process_options *options = child->options;
    place_stdio(child);
    close_others(child);
    join_group(child);
    if (options->set_umask)
        syscall(SYS_umask, options->umask);
    if (options->cwd != NULL && syscall(SYS_chdir, options->cwd) < 0)
        fail(child, STEP_CWD);
    become(child);
    if (options->death_signal != 0) {
        syscall(SYS_prctl, PR_SET_PDEATHSIG, options->death_signal, 0, 0, 0);
        if (syscall(SYS_getppid) != child->parent)
            syscall(SYS_exit_group, 127);
    }
    reset_signals();
    execute(child);
    fail(child, STEP_EXEC);
}

/* ---- in the parent ---- */

static int clone_child(struct weft__child *child, char *stack, pid_t *ret_pid, int *ret_pidfd)
{
    sigset_t all;
    sigset_t old;
    int pidfd = -1;
    int flags = SHARED_FLAG | CLONE_VFORK | SIGCHLD;
    /* Valgrind knows the flags of vfork alone, and no pidfds. */
    bool wanted = !weft__process_no_pidfd && !RUNNING_ON_VALGRIND;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = clone(child_main, stack + CHILD_STACK, flags | (wanted ? CLONE_PIDFD : 0), child,
                      &pidfd, NULL, NULL);
    int err = pid < 0 ? -errno : 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err < 0)
        return err;
    if (pidfd < 0 && wanted)
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

static void reap_failed(pid_t pid, int pidfd)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        continue;
    if (pidfd >= 0)
        close(pidfd);
}

/*
 * The child has executed the program or ended when clone returns, so that whatever it has to
 * report is there: another thread's fork may hold the pipe open, and is not waited for.
 */
static int report_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC | (RUNNING_ON_VALGRIND ? 0 : O_NONBLOCK)) < 0)
        return -errno;
    if (fds[1] > 2)
        return 0;
    /* 0 to 2 will be something else in the child. */
    int above = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
    int err = above < 0 ? -errno : 0;
    close(fds[1]);
    fds[1] = above;
    if (err < 0)
        close(fds[0]);
    return err;
}

int weft__child_start(struct weft__child *child, pid_t *ret_pid, int *ret_pidfd,
                      struct weft__child_failure *ret)
{
    int fds[2];
    pid_t pid = 0;
    int pidfd = -1;
    char *stack = weft__pages_alloc(CHILD_STACK);
    if (stack == NULL)
        return -ENOMEM;
    int err = report_pipe(fds);
    if (err == 0) {
        child->report = fds[1];
        child->parent = getpid();
        err = clone_child(child, stack, &pid, &pidfd);
        close(fds[1]);
        ssize_t n = 0;
        if (err == 0)
            n = read(fds[0], ret, sizeof *ret);
        if (n == (ssize_t)sizeof *ret) {
            reap_failed(pid, pidfd);
            err = -ret->error;
        }
        close(fds[0]);
    }
    weft__pages_free(stack, CHILD_STACK);
    if (err < 0)
        return err;
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

/*
 * weft/process.h - other programs: started, talked to, waited for.
 *
 *     weft_process_result result;
 *     err = weft_process_run(WEFT_ARGV("git", "status"), WEFT_PROCESS(.capture = true), &result);
 *
 * A process belongs to the thread that started it.  It is never left as a zombie and its number
 * is never used for a signal once it may belong to another one.  SIGCHLD is not touched: the
 * program may handle or ignore it as it likes.
 */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include <weft/base.h>
#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_process weft_process;

/* An argument list: WEFT_ARGV("ls", "-l"). */
#define WEFT_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What the program's stdin, stdout or stderr is; WEFT_STDIO_FD(fd): a descriptor of the caller's. */
enum {
    WEFT_STDIO_INHERIT = 0,
    WEFT_STDIO_PIPE = -1,
    WEFT_STDIO_STDOUT = -2, /* only for stderr: where stdout goes */
    WEFT_STDIO_DEVNULL = -3
};
#define WEFT_STDIO_FD(fd) ((fd) + 1)

enum { WEFT_PROCESS_GROUP_NEW = -1 };

typedef struct weft_process_options {
    size_t size;
    int in;               /* its stdin: WEFT_STDIO_...; default inherits */
    int out;              /* its stdout */
    int err;              /* its stderr */
    bool shell;           /* argv[0] is a command line for /bin/sh; the rest are its $0, $1, ... */
    const char *cwd;      /* folder to start in */
    const weft_pair *env; /* the whole environment; default inherits */
    const weft_pair *env_add; /* set on top of it; a NULL value removes */
    bool new_session;         /* setsid */
    int process_group;        /* WEFT_PROCESS_GROUP_NEW or one to join; default inherits */
    const int *pass_fds;      /* n_pass_fds descriptors, 3 or more, that stay open as they are */
    size_t n_pass_fds;
    int death_signal; /* sent to it when the thread that started it ends; default none */
    bool set_umask;   /* .umask is meant */
    uint32_t umask;
    const uint32_t *uid; /* user to become; supplementary groups are dropped */
    const uint32_t *gid; /* group to become; supplementary groups are dropped */
    int64_t grace;       /* ns between SIGTERM and SIGKILL when a call is cancelled; default 5 s,
                               negative: none */
    int64_t pipe_grace;  /* ns that output is read after the program's end while others hold the
                               pipe; default 0.5 s, negative: none */
    size_t output_max;   /* bytes of captured stdout, and of stderr; default 64 MiB */
    /* for weft_process_run */
    const void *input; /* borrows: what stdin is to contain */
    size_t input_len;
    bool capture; /* stdout and stderr are pipes and end up in the result */
    bool check;   /* an exit code other than 0 is WEFT_EPROCESS */
} weft_process_options;
#define WEFT_PROCESS(...) WEFT_OPTIONS(weft_process_options, __VA_ARGS__)

/* What became of a program; weft_process_result_done() frees the texts. */
typedef struct weft_process_result {
    int returncode; /* 0 to 255: exit code; negative: minus the signal that ended it */
    bool cut;       /* something else still holds its pipes: what it may write is not here */
    char *out;      /* with a NUL behind it; NULL if stdout was no pipe */
    size_t out_len;
    char *err;
    size_t err_len;
} weft_process_result;

/**
 * weft_process_start() - start a program
 * @argv:    borrows. The program and its arguments, ended by NULL. Without a "/" in it the
 *           program is looked for in PATH, of .env where that is given.
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_process_free().
 *
 * The program gets no descriptor but its stdio and .pass_fds, blocks no signal, and has SIGPIPE
 * and SIGXFSZ as they are by default; what else was ignored stays so.  The calling thread
 * stands still until the program's file is loaded, and is not a checkpoint.
 *
 * Suspends: never.
 * Return:   0, or negative: then nothing was started.
 * Errors:   -ENOENT, -EACCES, -ENOEXEC, ... of the program or of .cwd, which the message names;
 *           -EINVAL; -EPERM .uid, .gid or .process_group; -EMFILE; -EAGAIN too many processes;
 *           -ENOMEM.
 * Source:   asyncio.create_subprocess_exec, trio.lowlevel.open_process.
 * Since:    0.1
 */
WEFT_API int weft_process_start(const char *const *argv, const weft_process_options *options,
                                weft_process **ret);

/**
 * weft_process_free() - release a process
 * @process: takes. NULL is allowed. No task may be in a call on it.
 *
 * One that still runs is killed and reaped.
 *
 * Suspends: never; the thread waits a moment for the end of what it killed.
 * Since:    0.1
 */
WEFT_API void weft_process_free(weft_process *process);

/**
 * weft_process_wait() - wait for the program's end
 * @process: borrows. Any number of tasks, any number of times.
 * @ret:     gives 0 to 255, the exit code, or minus the signal that ended it; NULL is allowed.
 *
 * Does not wait for whoever else has its pipes.  A program whose pipes nobody reads may never
 * end: see weft_process_communicate().
 *
 * Suspends: maybe.
 * Cancel:   the program runs on.
 * Return:   0, or negative.
 * Errors:   -ECHILD somebody else has taken the exit code, by ignoring SIGCHLD on a kernel before
 *           6.15 or by waiting for all children; -EINVAL another thread waits; -ECANCELED;
 *           -ENOMEM.
 * Source:   asyncio Process.wait.
 * Since:    0.1
 */
WEFT_API int weft_process_wait(weft_process *process, int *ret);

/**
 * weft_process_poll() - has the program ended?
 * @process: borrows.
 * @ret:     gives the code as weft_process_wait(), if it has; NULL is allowed.
 *
 * Suspends: never.
 * Return:   1 if it has ended, 0 if not, or negative.
 * Errors:   -ECHILD as weft_process_wait().
 * Source:   subprocess.Popen.poll, Process.returncode.
 * Since:    0.1
 */
WEFT_API int weft_process_poll(weft_process *process, int *ret);

/**
 * weft_process_stop() - SIGTERM, some time, SIGKILL, and the end
 * @process: borrows.
 * @grace:   ns from SIGTERM to SIGKILL, at most 60 s; 0 or less: SIGKILL at once.
 * @ret:     gives the code as weft_process_wait(); NULL is allowed.
 *
 * Made for cleanup: it works in a cancelled scope too.
 *
 * Suspends: maybe, for grace and up to 10 s for the kill.
 * Cancel:   it goes on to its end.
 * Return:   0, or negative.
 * Errors:   -ETIMEDOUT it did not end; -EPERM it may not be killed; -ECHILD.
 * Source:   trio.run_process deliver_cancel.
 * Since:    0.1
 */
WEFT_API int weft_process_stop(weft_process *process, int64_t grace, int *ret);

/**
 * weft_process_send_signal() - send a signal to the program
 * @process: borrows.
 * @number:  the signal.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ESRCH it has ended; -EPERM; -EINVAL no signal.
 * Source:   asyncio Process.send_signal.
 * Since:    0.1
 */
WEFT_API int weft_process_send_signal(weft_process *process, int number);
/**
 * weft_process_terminate() - SIGTERM
 * @process: borrows.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of weft_process_send_signal().
 * Source:   asyncio Process.terminate.
 * Since:    0.1
 */
WEFT_API int weft_process_terminate(weft_process *process);
/**
 * weft_process_kill() - SIGKILL
 * @process: borrows.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of weft_process_send_signal().
 * Source:   asyncio Process.kill.
 * Since:    0.1
 */
WEFT_API int weft_process_kill(weft_process *process);

/**
 * weft_process_pid() - the program's process number
 * @process: borrows.
 *
 * Suspends: never.
 * Return:   the number; after its end it may belong to another one.
 * Source:   asyncio Process.pid.
 * Since:    0.1
 */
WEFT_API int weft_process_pid(const weft_process *process);
/**
 * weft_process_stdin() - what is written here the program reads
 * @process: borrows.
 *
 * weft_stream_write_eof() ends it.
 *
 * Suspends: never.
 * Return:   lends until weft_process_free(); NULL if it is no pipe.
 * Source:   asyncio Process.stdin.
 * Since:    0.1
 */
WEFT_API weft_stream *weft_process_stdin(const weft_process *process);
/**
 * weft_process_stdout() - what the program writes
 * @process: borrows.
 *
 * Suspends: never.
 * Return:   lends until weft_process_free(); NULL if it is no pipe.
 * Source:   asyncio Process.stdout.
 * Since:    0.1
 */
WEFT_API weft_stream *weft_process_stdout(const weft_process *process);
/**
 * weft_process_stderr() - what the program writes to stderr
 * @process: borrows.
 *
 * Suspends: never.
 * Return:   lends until weft_process_free(); NULL if it is no pipe.
 * Source:   asyncio Process.stderr.
 * Since:    0.1
 */
WEFT_API weft_stream *weft_process_stderr(const weft_process *process);

/**
 * weft_process_communicate() - feed stdin, read stdout and stderr, wait for the end
 * @process: borrows. Its pipes are used by nobody else.
 * @input:   borrows, len bytes for stdin, whose end is written after them.
 * @len:     bytes; more than 0 needs a pipe as stdin.
 * @ret:     gives, release with weft_process_result_done().
 *
 * All of it at once, so that no full pipe stops the program.  A program that does not read its
 * stdin to the end is no error.  What else holds its pipes after its end is waited for
 * .pipe_grace long; .cut says that it was not the end.
 *
 * Suspends: yes.
 * Cancel:   the program is stopped with .grace and reaped; its output is dropped.
 * Return:   0 whatever the exit code is, or negative: then the program has been stopped.
 * Errors:   WEFT_ETOO_LONG more output than .output_max; -EINVAL input without a pipe; those of
 *           weft_process_wait() and of the streams; -ECANCELED; -ENOMEM.
 * Source:   asyncio Process.communicate.
 * Since:    0.1
 */
WEFT_API int weft_process_communicate(weft_process *process, const void *input, size_t len,
                                      weft_process_result *ret);

/**
 * weft_process_run() - run a program to its end
 * @argv:    borrows, as weft_process_start().
 * @options: borrows, NULL for defaults. .input makes stdin a pipe.
 * @ret:     gives, release with weft_process_result_done(); NULL is allowed. Filled in also
 *           where the error is WEFT_EPROCESS.
 *
 * A scope around it is the time limit.
 *
 * Suspends: yes.
 * Cancel:   the program is stopped with .grace and reaped.
 * Return:   0, or negative.
 * Errors:   WEFT_EPROCESS with .check, if its exit code is not 0: the message has the program,
 *           the code and the first line of a captured stderr; those of weft_process_start() and
 *           weft_process_communicate().
 * Source:   subprocess.run, trio.run_process.
 * Since:    0.1
 */
WEFT_API int weft_process_run(const char *const *argv, const weft_process_options *options,
                              weft_process_result *ret);

/**
 * weft_process_result_done() - free what a result holds
 * @result: borrows; empty afterwards.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_process_result_done(weft_process_result *result);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_process, weft_process_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

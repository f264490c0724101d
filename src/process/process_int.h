/* process_int.h - processes from inside. */
#ifndef WEFT_PROCESS_PROCESS_INT_H
#define WEFT_PROCESS_PROCESS_INT_H

#include <sys/types.h>

#include <weft/process.h>

#include "base/limits.h"
#include "run/run_int.h"

struct weft_process {
    pid_t pid;
    int pidfd; /* -1 where the kernel has none: the end is asked for now and then */
    int returncode;
    bool ended;
    bool lost;               /* somebody else has taken the exit code */
    bool asked;              /* a task waits for the end; the others wait for that one */
    struct weft__loop *loop; /* of those that wait */
    struct weft__list waiters;
    struct weft_process *next; /* in the list of those that could not be reaped yet */
    weft_stream *pipes[3];
    int64_t grace;
    int64_t pipe_grace;
    size_t output_max;
    char name[64]; /* for messages */
};

/* What a child does, prepared so that it only makes system calls. */
struct weft__child {
    char *const *argv;
    char *const *env;
    char *const *files; /* to try, one after the other; ended by NULL */
    const weft_process_options *options;
    int stdio[3]; /* becomes 0, 1, 2; -1: stays as it is */
    int report;   /* where a failure is written to */
    pid_t parent;
};

/* What the child was about to do when it failed. */
enum weft__child_step { STEP_STDIO, STEP_GROUP, STEP_CWD, STEP_IDS, STEP_PASS, STEP_EXEC };

struct weft__child_failure {
    int step;
    int error;
};

/* 0, or why there is no process; a failure of the child's, which is reaped then. */
int weft__child_start(struct weft__child *child, pid_t *ret_pid, int *ret_pidfd,
                      struct weft__child_failure *ret);

struct weft__launch {
    struct weft__child child;
    weft_process_options options;
    const char **argv;
    char **env; /* the first n_env_own were made for it */
    char **files;
    size_t n_env_own;
    size_t n_files;
    bool own[3];           /* child.stdio[i] is to be closed */
    weft_stream *pipes[3]; /* our ends */
};

/* On failure nothing is left to be released. */
int weft__launch_init(struct weft__launch *launch, const char *const *argv,
                      const weft_process_options *options);
void weft__launch_done(struct weft__launch *launch);

/* For tests: as on a kernel without pidfds, without close_range. */
extern bool weft__process_no_pidfd;
extern bool weft__process_no_close_range;

#endif

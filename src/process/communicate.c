/* communicate.c - all pipes of a program at once, and programs from start to end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "process/process_int.h"

enum { PIECE = 65536, LINE_MAX = 200 };

struct talk {
    weft_process *process;
    const void *input;
    size_t len;
    struct weft__buf texts[2]; /* stdout, stderr */
    int returncode;
    bool cut;
};

/* ---- the tasks ---- */

/* A program need not read what it is told. */
static int feed(void *arg)
{
    struct talk *talk = arg;
    weft_stream *stream = talk->process->pipes[0];
    int err = weft_stream_write(stream, talk->input, talk->len);
    if (err == 0)
        err = weft_stream_write_eof(stream);
    return err == -EPIPE ? 0 : err;
}

static int drain(struct talk *talk, int which)
{
    struct weft__buf *text = &talk->texts[which];
    weft_process *process = talk->process;
    for (;;) {
        size_t room;
        int err = weft__buf_reserve(text, text->len < PIECE ? 4096 : PIECE);
        if (err == -EMSGSIZE)
            err = weft__buf_reserve(text, 1);
        if (err < 0)
            return weft__fail_nomem();
        char *space = weft__buf_space(text, &room);
        int64_t n = weft_stream_read(process->pipes[which + 1], space, room);
        if (n <= 0)
            return (int)n;
        weft__buf_commit(text, (size_t)n);
        if (text->len > process->output_max)
            return weft__fail(WEFT_ETOO_LONG,
                              "%s of '%s' is longer than %zu bytes (PROCESS_OUTPUT)",
                              which == 0 ? "stdout" : "stderr", process->name, process->output_max);
    }
}

static int drain_out(void *arg)
{
    return drain(arg, 0);
}

static int drain_err(void *arg)
{
    return drain(arg, 1);
}

/* ---- all at once ---- */

static int spawn_all(struct talk *talk, weft_group *group)
{
    static const weft_fn fns[] = {feed, drain_out, drain_err};
    static const char *const names[] = {"feed stdin", "read stdout", "read stderr"};
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++) {
        if (talk->process->pipes[i] != NULL)
            err = weft_group_spawn_with(group, fns[i], talk, WEFT_SPAWN(.name = names[i]));
    }
    return err;
}

static int join_all(struct talk *talk, weft_scope *scope)
{
    weft_group group;
    int err = weft_group_init(&group, WEFT_GROUP(.name = "communicate"));
    if (err < 0)
        return err;
    err = spawn_all(talk, &group);
    if (err < 0)
        weft_group_cancel(&group, "no task could be started");
    else
        err = weft_process_wait(talk->process, &talk->returncode);
    /* What it has written is in the pipes; others that hold them are not waited for. */
    if (err == 0)
        weft_scope_set_timeout(scope, talk->process->pipe_grace);
    else
        weft_group_cancel(&group, "the program cannot be waited for");
    struct weft__context saved = {0};
    weft__error_move(&saved, weft__context_get());
    int joined = weft_group_wait(&group);
    if (err < 0 && err != -ECANCELED)
        weft__error_move(weft__context_get(), &saved);
    weft__error_done(&saved);
    return err < 0 && err != -ECANCELED ? err : joined < 0 ? joined : err;
}

static int converse(struct talk *talk)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    int err = weft_scope_exit(&scope, join_all(talk, &scope));
    if (err != -ETIMEDOUT)
        return err;
    talk->cut = true;
    return 0;
}

/* The failure is what is reported, not what comes of the cleanup. */
static void give_up(weft_process *process)
{
    struct weft__context saved = {0};
    weft__error_move(&saved, weft__context_get());
    weft_process_stop(process, process->grace, NULL);
    weft__error_move(weft__context_get(), &saved);
    weft__error_done(&saved);
}

static int take_text(struct talk *talk, int which, char **ret, size_t *ret_len)
{
    if (talk->process->pipes[which + 1] == NULL)
        return 0;
    return weft__buf_take(&talk->texts[which], ret, ret_len) < 0 ? weft__fail_nomem() : 0;
}

int weft_process_communicate(weft_process *process, const void *input, size_t len,
                             weft_process_result *ret)
{
    struct talk talk = {.process = process, .input = input, .len = len};
    weft_process_result result = {0};
    if (len > 0 && process->pipes[0] == NULL)
        return weft__fail(-EINVAL, "input for '%s', whose stdin is no pipe", process->name);
    /* One byte more shows that it is too much. */
    size_t most = process->output_max < SIZE_MAX ? process->output_max + 1 : SIZE_MAX;
    for (int i = 0; i < 2; i++)
        weft__buf_init(&talk.texts[i], most);
    int err = converse(&talk);
    if (err == 0)
        err = take_text(&talk, 0, &result.out, &result.out_len);
    if (err == 0)
        err = take_text(&talk, 1, &result.err, &result.err_len);
    if (err < 0)
        give_up(process);
    for (int i = 0; i < 2; i++)
        weft__buf_done(&talk.texts[i]);
    if (err < 0) {
        weft_process_result_done(&result);
        return err;
    }
    result.returncode = talk.returncode;
    result.cut = talk.cut;
    *ret = result;
    return 0;
}

/* ---- from start to end ---- */

static int check_code(const weft_process *process, const weft_process_result *result)
{
    char how[48];
    if (result->returncode == 0)
        return 0;
    if (result->returncode < 0)
        snprintf(how, sizeof how, "was ended by signal %d", -result->returncode);
    else
        snprintf(how, sizeof how, "ended with exit code %d", result->returncode);
    const char *text = result->err != NULL ? result->err : "";
    size_t line = strcspn(text, "\r\n");
    return weft__fail(WEFT_EPROCESS, "'%s' %s%s%.*s", process->name, how, line > 0 ? ": " : "",
                      (int)(line < LINE_MAX ? line : LINE_MAX), text);
}

static int complete_options(weft_process_options *all)
{
    if (all->input != NULL && all->in != WEFT_STDIO_INHERIT)
        return weft__fail(-EINVAL, "a process with both .input and .in");
    if (all->input != NULL)
        all->in = WEFT_STDIO_PIPE;
    if (all->capture && all->out == WEFT_STDIO_INHERIT)
        all->out = WEFT_STDIO_PIPE;
    if (all->capture && all->err == WEFT_STDIO_INHERIT)
        all->err = WEFT_STDIO_PIPE;
    all->size = sizeof *all;
    return 0;
}

int weft_process_run(const char *const *argv, const weft_process_options *options,
                     weft_process_result *ret)
{
    weft_process_options all = {0};
    weft_process_result result;
    weft_process *process;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = complete_options(&all);
    if (err == 0)
        err = weft_process_start(argv, &all, &process);
    if (err < 0)
        return err;
    err = weft_process_communicate(process, all.input, all.input_len, &result);
    if (err == 0 && all.check)
        err = check_code(process, &result);
    weft_process_free(process);
    if (err < 0 && err != WEFT_EPROCESS)
        return err;
    if (ret != NULL)
        *ret = result;
    else
        weft_process_result_done(&result);
    return err;
}

void weft_process_result_done(weft_process_result *result)
{
    weft__free(result->out);
    weft__free(result->err);
    *result = (weft_process_result){0};
}

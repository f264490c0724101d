/*
 * prepare.c - everything about a start that allocates or may fail: arguments, environment,
 * the files to try, stdio.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "process/process_int.h"
#include "stream/stream_int.h"

static const char default_path[] = "/bin:/usr/bin";

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; texts != NULL && i < n; i++)
        weft__free(texts[i]);
    weft__free(texts);
}

void weft__launch_done(struct weft__launch *launch)
{
    for (int i = 0; i < 3; i++) {
        if (launch->own[i])
            close(launch->child.stdio[i]);
        weft_stream_free(launch->pipes[i]);
    }
    weft__free(launch->argv);
    free_texts(launch->env, launch->n_env_own);
    free_texts(launch->files, launch->n_files);
}

/* ---- arguments ---- */

static size_t count(char *const *texts)
{
    size_t n = 0;
    while (texts[n] != NULL)
        n++;
    return n;
}

static int prepare_argv(struct weft__launch *launch, const char *const *argv)
{
    static const char *const shell[] = {"/bin/sh", "-c"};
    size_t before = launch->options.shell ? 2 : 0;
    size_t n = 0;
    while (argv[n] != NULL)
        n++;
    launch->argv = weft__calloc(n + before + 1, sizeof launch->argv[0]);
    if (launch->argv == NULL)
        return weft__fail_nomem();
    if (before > 0)
        memcpy(launch->argv, shell, sizeof shell);
    memcpy(launch->argv + before, argv, n * sizeof argv[0]);
    return 0;
}

/* ---- environment ---- */

/* Does text, "NAME=value" or "NAME", begin with this name? */
static bool has_name(const char *text, const char *name)
{
    size_t len = strlen(name);
    return strncmp(text, name, len) == 0 && (text[len] == '=' || text[len] == '\0');
}

static bool is_listed(const weft_pair *pairs, const char *text)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (has_name(text, pairs->name))
            return true;
    }
    return false;
}

static size_t count_pairs(const weft_pair *pairs)
{
    size_t n = 0;
    while (pairs != NULL && pairs[n].name != NULL)
        n++;
    return n;
}

static int add_pairs(struct weft__launch *launch, const weft_pair *pairs, const weft_pair *over)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (pairs->name[0] == '\0' || strchr(pairs->name, '=') != NULL)
            return weft__fail(-EINVAL, "'%.64s' is no name of an environment variable",
                              pairs->name);
        if (pairs->value == NULL || is_listed(over, pairs->name))
            continue;
        char *text = weft__asprintf("%s=%s", pairs->name, pairs->value);
        if (text == NULL)
            return weft__fail_nomem();
        launch->env[launch->n_env_own++] = text;
    }
    return 0;
}

static int prepare_env(struct weft__launch *launch)
{
    const weft_pair *all = launch->options.env;
    const weft_pair *over = launch->options.env_add;
    size_t n_inherited = all == NULL && environ != NULL ? count(environ) : 0;
    size_t n = count_pairs(all) + count_pairs(over) + n_inherited;
    launch->env = weft__calloc(n + 1, sizeof launch->env[0]);
    if (launch->env == NULL)
        return weft__fail_nomem();
    int err = add_pairs(launch, over, NULL);
    if (err == 0)
        err = add_pairs(launch, all, over);
    size_t at = launch->n_env_own;
    for (size_t i = 0; err == 0 && i < n_inherited; i++) {
        if (!is_listed(over, environ[i]))
            launch->env[at++] = environ[i];
    }
    return err;
}

/* ---- files ---- */

static const char *search_path(const struct weft__launch *launch)
{
    for (char *const *text = launch->env; *text != NULL; text++) {
        if (has_name(*text, "PATH") && (*text)[4] == '=')
            return *text + 5;
    }
    return default_path;
}

static int add_file(struct weft__launch *launch, const char *folder, size_t len, const char *name)
{
    char *file = len > 0 ? weft__asprintf("%.*s/%s", (int)len, folder, name) : weft__strdup(name);
    if (file == NULL)
        return weft__fail_nomem();
    launch->files[launch->n_files++] = file;
    return 0;
}

static int prepare_files(struct weft__launch *launch)
{
    const char *name = launch->argv[0];
    const char *path = strchr(name, '/') == NULL ? search_path(launch) : "";
    size_t n = 2;
    for (const char *at = path; *at != '\0'; at++)
        n += *at == ':';
    launch->files = weft__calloc(n + 1, sizeof launch->files[0]);
    if (launch->files == NULL)
        return weft__fail_nomem();
    for (;;) {
        size_t len = strcspn(path, ":");
        int err = add_file(launch, path, len, name);
        if (err < 0 || path[len] == '\0')
            return err;
        path += len + 1;
    }
}

/* ---- stdio ---- */

static int make_pipe(struct weft__launch *launch, int which)
{
    int fds[2];
    int ours = which == 0 ? 1 : 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return weft__fail_with(-errno, "a pipe to '%.64s'", launch->argv[0]);
    launch->child.stdio[which] = fds[1 - ours];
    launch->own[which] = true;
    return weft__pipe_stream(fds[ours], &launch->pipes[which]);
}

static int prepare_one(struct weft__launch *launch, int which, int wanted)
{
    int *fd = &launch->child.stdio[which];
    if (wanted == WEFT_STDIO_INHERIT) {
        *fd = -1;
    } else if (wanted == WEFT_STDIO_PIPE) {
        return make_pipe(launch, which);
    } else if (wanted == WEFT_STDIO_STDOUT && which == 2) {
        *fd = launch->child.stdio[1] >= 0 ? launch->child.stdio[1] : 1;
    } else if (wanted == WEFT_STDIO_DEVNULL) {
        *fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (*fd < 0)
            return weft__fail_with(-errno, "open /dev/null");
        launch->own[which] = true;
    } else if (wanted > 0) {
        *fd = wanted - 1;
    } else {
        return weft__fail(-EINVAL, "%d is nothing that %s can be", wanted,
                          (const char *[]){"stdin", "stdout", "stderr"}[which]);
    }
    return 0;
}

static int prepare_stdio(struct weft__launch *launch)
{
    int err = prepare_one(launch, 0, launch->options.in);
    if (err == 0)
        err = prepare_one(launch, 1, launch->options.out);
    if (err == 0)
        err = prepare_one(launch, 2, launch->options.err);
    for (size_t i = 0; err == 0 && i < launch->options.n_pass_fds; i++) {
        if (launch->options.pass_fds[i] < 3)
            err = weft__fail(-EINVAL, "descriptor %d cannot be passed on: 0 to 2 are stdio",
                             launch->options.pass_fds[i]);
    }
    return err;
}

int weft__launch_init(struct weft__launch *launch, const char *const *argv,
                      const weft_process_options *options)
{
    *launch = (struct weft__launch){0};
    if (argv == NULL || argv[0] == NULL || argv[0][0] == '\0')
        return weft__fail(-EINVAL, "a process without a program");
    if (options != NULL)
        memcpy(&launch->options, options,
               options->size < sizeof launch->options ? options->size : sizeof launch->options);
    int err = prepare_argv(launch, argv);
    if (err == 0)
        err = prepare_env(launch);
    if (err == 0)
        err = prepare_files(launch);
    if (err == 0)
        err = prepare_stdio(launch);
    if (err < 0) {
        weft__launch_done(launch);
        return err;
    }
    launch->child.argv = (char *const *)(uintptr_t)launch->argv;
    launch->child.env = launch->env;
    launch->child.files = launch->files;
    launch->child.options = &launch->options;
    return 0;
}

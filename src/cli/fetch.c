/*
 * fetch.c - weft fetch: many URLs, so many at a time.
 *
 * As many workers as may run at once take URLs from the feed until it is empty; beside them a
 * ticker paints the progress and looks for Ctrl-C.
 */
#include "cli/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_CONCURRENCY = 32 };

static size_t concurrency(const struct args *args)
{
    return args->concurrency ? (size_t)args->concurrency : DEFAULT_CONCURRENCY;
}

static int work(struct fetch *fetch, char *buffer)
{
    for (;;) {
        struct entry entry;
        int err = feed_next(&fetch->feed, &entry);
        if (err < 0 && err != -ECANCELED)
            fetch->fatal = EXIT_LOCAL;
        if (err <= 0)
            return err;
        struct job job = {.fetch = fetch, .entry = &entry, .buffer = buffer};
        err = job_run(&job);
        job_done(&job);
        entry_done(&entry);
        if (err < 0)
            return err;
    }
}

static int worker(void *arg)
{
    struct fetch *fetch = arg;
    char *buffer = malloc(BUFFER_SIZE);
    int err = buffer ? work(fetch, buffer) : -ENOMEM;
    free(buffer);
    if (--fetch->workers == 0)
        weft_event_set(fetch->finished);
    return err;
}

static int ticker(void *arg)
{
    struct fetch *fetch = arg;
    while (!weft_event_is_set(fetch->finished)) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_MS(100));
        int err = weft_scope_exit(&scope, weft_event_wait(fetch->finished));
        if (err == -ECANCELED)
            return err;
        if (interrupt_seen()) {
            weft_group_cancel(&fetch->group, "interrupted");
            return 0;
        }
        progress_tick(&fetch->progress);
    }
    return 0;
}

static int run_workers(void *arg)
{
    struct fetch *fetch = arg;
    int64_t total = feed_count(fetch->args);
    size_t wanted = concurrency(fetch->args);
    if (total >= 0 && (uint64_t)total < wanted)
        wanted = (size_t)total;
    progress_begin(&fetch->progress, fetch->args, total);
    int err = weft_group_init(&fetch->group, NULL);
    if (err < 0)
        return err;
    /* Counted before they start: the first may be through before the last exists. */
    fetch->workers = wanted;
    if (wanted)
        err = weft_group_spawn_with(&fetch->group, ticker, fetch, WEFT_SPAWN(.name = "ticker"));
    for (size_t i = 0; i < wanted && err >= 0; i++)
        err = weft_group_spawn_with(&fetch->group, worker, fetch, WEFT_SPAWN(.name = "worker"));
    if (err < 0)
        weft_group_cancel(&fetch->group, "no memory for all workers");
    int ended = weft_group_wait(&fetch->group);
    return err < 0 ? err : ended;
}

/* ---- before and after ---- */

static enum exit_code open_folder(const char *folder)
{
    int err = weft_mkdir(folder, 0777, true);
    if (err >= 0 && access(folder, W_OK | X_OK) < 0)
        err = -errno;
    if (err >= 0)
        return EXIT_OK;
    complain("%s: %s", folder, err == -EEXIST ? "is not a folder" : weft_error_text(err));
    return EXIT_LOCAL;
}

static enum exit_code open_results(struct fetch *fetch)
{
    const char *path = fetch->args->results;
    fetch->results = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (fetch->results)
        return EXIT_OK;
    complain("%s: %s", path, weft_error_text(-errno));
    return EXIT_LOCAL;
}

static enum exit_code open_client(struct fetch *fetch)
{
    const struct args *args = fetch->args;
    weft_client_options *options = &fetch->setup.options;
    options->timeout = 0; /* it is per URL, waits between attempts included: see job.c */
    options->max_connections = concurrency(args);
    options->max_idle = concurrency(args);
    int err = weft_client_new(options, &fetch->client);
    if (err >= 0 && args->rate.permits)
        err = weft_rate_limiter_new(
            WEFT_RATE(.permits = args->rate.permits, .period = args->rate.period), &fetch->limiter);
    if (err >= 0)
        err = weft_event_new(&fetch->finished);
    if (err >= 0)
        return EXIT_OK;
    complain("%s", weft_error_message());
    return exit_code_of_error(err);
}

static enum exit_code open_all(struct fetch *fetch)
{
    enum exit_code code = feed_open(&fetch->feed, fetch->args);
    if (code == EXIT_OK)
        code = setup_init(&fetch->setup, fetch->args);
    if (code == EXIT_OK && fetch->args->folder)
        code = open_folder(fetch->args->folder);
    if (code == EXIT_OK && fetch->args->results)
        code = open_results(fetch);
    return code == EXIT_OK ? open_client(fetch) : code;
}

static void close_all(struct fetch *fetch)
{
    weft_client_free(fetch->client);
    weft_rate_limiter_free(fetch->limiter);
    weft_event_free(fetch->finished);
    feed_close(&fetch->feed);
    names_done(&fetch->names);
    progress_done(&fetch->progress);
    setup_done(&fetch->setup);
    if (fetch->results && fetch->results != stdout)
        fclose(fetch->results);
}

static enum exit_code fetch_all(struct fetch *fetch)
{
    int err = run_workers(fetch);
    bool interrupted = interrupt_seen();
    progress_end(&fetch->progress, interrupted);
    if (interrupted)
        return EXIT_INTERRUPTED;
    if (fetch->fatal)
        return fetch->fatal;
    if (err < 0) {
        complain("%s", weft_error_message());
        return exit_code_of_error(err);
    }
    return fetch->progress.failed ? EXIT_SOME_FAILED : EXIT_OK;
}

/* The main task: everything that belongs to a loop is made and freed in it. */
static int main_task(void *arg)
{
    struct fetch *fetch = arg;
    enum exit_code code = open_all(fetch);
    if (code == EXIT_OK)
        code = fetch_all(fetch);
    close_all(fetch);
    return (int)code;
}

enum exit_code run_fetch(const struct args *args)
{
    struct fetch fetch = {.args = args};
    interrupt_catch();
    int code = weft_run(main_task, &fetch);
    if (code >= 0)
        return (enum exit_code)code;
    complain("%s", weft_error_message());
    return exit_code_of_error(code);
}

/*
 * job.c - one URL of a fetch: attempts, reply, body, file.
 *
 * The client's retry policy covers everything up to the reply's head.  A body that breaks off is
 * tried again here, with the attempts that are left, into a new part file.
 */
#include "cli/fetch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int because(struct job *job, int err, const char *format, ...) WEFT_PRINTF(3, 4);

/* Notes why the job failed. Returns err. */
static int because(struct job *job, int err, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(job->why, sizeof job->why, format, list);
    va_end(list);
    return err;
}

static int because_of_error(struct job *job, int err)
{
    return because(job, err, "%s", failure_reason(job->url ? job->url : job->entry->url, err));
}

/* A repeated request is a request: it waits for its turn, too.  Where that is cancelled the
 * sleep that follows is as well. */
static void begin_again(struct job *job)
{
    job->fetch->progress.retries++;
    if (job->fetch->limiter)
        weft_rate_limiter_acquire(job->fetch->limiter);
}

static void before_sleep(const weft_attempt *attempt, void *userdata)
{
    struct job *job = userdata;
    (void)attempt;
    job->attempts++;
    begin_again(job);
}

/* ---- the body ---- */

static int keep_json(struct job *job, const char *data, size_t len)
{
    if (job->json_len + len > JSON_BODY_MAX)
        return because(job, WEFT_EBODY_TOO_LARGE, "JSON of more than %s",
                       human_bytes(JSON_BODY_MAX));
    char *json = realloc(job->json, job->json_len + len + 1);
    if (!json)
        return because(job, -ENOMEM, "out of memory");
    memcpy(json + job->json_len, data, len);
    job->json = json;
    job->json_len += len;
    return 0;
}

static int check_json(struct job *job)
{
    json_t *value;
    int err = weft_json_parse(job->json ? job->json : "", job->json_len, &value);
    if (err < 0)
        return because(job, err, "not JSON: %s", weft_error_message());
    json_decref(value);
    return 0;
}

/* What goes wrong with the folder will go wrong with the next URL as well. */
static int folder_failed(struct job *job, int err)
{
    if (err == -ECANCELED || err == -ETIMEDOUT)
        return err;
    complain("%s/%s: %s", job->fetch->args->folder, job->name, weft_error_text(err));
    job->fetch->fatal = EXIT_LOCAL;
    return because(job, err, "%s", weft_error_text(err));
}

static int open_file(struct job *job)
{
    const char *folder = job->fetch->args->folder;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, job->name);
    int err = n < (int)sizeof path ? save_open(&job->save, path, false) : -ENAMETOOLONG;
    return err < 0 ? folder_failed(job, err) : 0;
}

static int take_chunk(struct job *job, const char *data, size_t len)
{
    int err = 0;
    job->bytes += len;
    job->fetch->progress.bytes += len;
    if (job->fetch->args->expect_json)
        err = keep_json(job, data, len);
    if (err >= 0 && job->save.file) {
        err = save_write(&job->save, data, len);
        err = err < 0 ? folder_failed(job, err) : 0;
    }
    return err;
}

static int receive(struct job *job, weft_response *response)
{
    int64_t n;
    job->bytes = 0;
    job->json_len = 0;
    if (job->fetch->args->folder) {
        int err = open_file(job);
        if (err < 0)
            return err;
    }
    while ((n = weft_response_read(response, job->buffer, BUFFER_SIZE)) > 0) {
        int err = take_chunk(job, job->buffer, (size_t)n);
        if (err < 0)
            return err;
    }
    if (n < 0)
        return because_of_error(job, (int)n);
    if (job->fetch->args->expect_json) {
        int err = check_json(job);
        if (err < 0)
            return err;
    }
    if (!job->save.file)
        return 0;
    int err = save_commit(&job->save);
    return err < 0 ? folder_failed(job, err) : 0;
}

/* ---- attempts ---- */

static int refuse_status(struct job *job, const weft_response *response)
{
    const char *location = weft_response_header(response, "location");
    if (job->status >= 300 && job->status < 400 && location)
        return because(job, WEFT_EHTTP_STATUS, "%d to %s (-L follows it)", job->status, location);
    return because(job, WEFT_EHTTP_STATUS, "%d %s", job->status, weft_response_reason(response));
}

static int exchange(struct job *job, const weft_retry_policy *policy, bool *ret_broken)
{
    weft_response *response;
    struct fetch *fetch = job->fetch;
    job->attempts++;
    int err = weft_client_stream(fetch->client, "GET", job->url, WEFT_REQUEST(.retry = policy),
                                 &response);
    if (err < 0)
        return because_of_error(job, err);
    job->status = weft_response_status(response);
    if (job->status < 200 || job->status > 299) {
        err = refuse_status(job, response);
    } else {
        err = receive(job, response);
        *ret_broken = err < 0 && weft_error_is_retryable(err) && !fetch->fatal;
    }
    weft_response_free(response);
    save_abort(&job->save);
    return err;
}

static int attempts(struct job *job)
{
    struct fetch *fetch = job->fetch;
    weft_retry_policy policy = fetch->setup.retry;
    int most = fetch->args->retry < 0 ? 3 : (int)fetch->args->retry + 1;
    int err = fetch->limiter ? weft_rate_limiter_acquire(fetch->limiter) : 0;
    policy.before_sleep = before_sleep;
    policy.userdata = job;
    while (err >= 0) {
        uint64_t random = 0;
        bool broken = false;
        policy.attempts = most - job->attempts;
        err = exchange(job, &policy, &broken);
        if (!broken || job->attempts >= most)
            break;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
            random = (uint64_t)weft_now();
        begin_again(job);
        err = weft_sleep(weft_wait_compute(&policy.wait, job->attempts, random));
    }
    return err;
}

static int prepare(struct job *job)
{
    const struct entry *entry = job->entry;
    char name[FILE_NAME_MAX];
    weft_url *url;
    if (entry->problem)
        return because(job, WEFT_EINVALID_URL, "%s", entry->problem);
    if (complete_url(entry->url, &job->url) < 0)
        return because(job, -ENOMEM, "out of memory");
    int err = weft_url_parse(job->url, NULL, &url);
    if (err < 0)
        return because_of_error(job, err);
    free(job->shown);
    job->shown = strdup(weft_url_redacted(url));
    file_name_of_url(weft_url_path(url), name);
    weft_url_free(url);
    if (!job->fetch->args->folder)
        return 0;
    return names_take(&job->fetch->names, entry->out ? entry->out : name, entry->number, job->name);
}

static int run_within_time(struct job *job)
{
    weft_scope scope;
    int64_t timeout = job->fetch->args->timeout;
    job->why[0] = '\0';
    weft_scope_enter(&scope, timeout ? timeout : WEFT_FOREVER);
    int err = weft_scope_exit(&scope, attempts(job));
    if (err >= 0)
        job->why[0] = '\0';
    else if (err == -ETIMEDOUT || !job->why[0])
        because_of_error(job, err);
    return err;
}

static void count(struct job *job)
{
    if (job->why[0])
        progress_failed(&job->fetch->progress, job->shown ? job->shown : job->entry->url, job->why);
    else
        job->fetch->progress.ok++;
}

int job_run(struct job *job)
{
    int64_t started = weft_now();
    job->shown = strdup(job->entry->url);
    int err = prepare(job);
    if (err >= 0)
        err = run_within_time(job);
    if (err == -ECANCELED)
        return err;
    job->elapsed = weft_now() - started;
    count(job);
    if (job->fetch->results && results_write(job->fetch->results, job) < 0) {
        complain("%s: cannot be written", job->fetch->args->results);
        job->fetch->fatal = EXIT_LOCAL;
    }
    return job->fetch->fatal ? -EIO : 0;
}

void job_done(struct job *job)
{
    free(job->url);
    free(job->shown);
    free(job->json);
}

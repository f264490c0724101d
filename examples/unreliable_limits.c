/* Calling an unreliable API, last step: policy, budget and limits together. */
#include <stdio.h>
#include <weft.h>

enum { CALLS = 30 };

static const weft_retry_policy policy = {.attempts = 4, .hedge_after = WEFT_SEC(2)};

struct job {
    weft_client *client;
    weft_limits *limits;
    char url[32];
    int status;
};

static int fetch(void *arg)
{
    struct job *job = arg;
    weft_response *r;
    int err = weft_limits_acquire(job->limits, "api");
    if (err < 0)
        return err;
    err = weft_client_get(job->client, job->url, NULL, &r);
    if (err == 0) {
        job->status = weft_response_status(r);
        weft_limits_feed(job->limits, "api",
                         WEFT_FEEDBACK(.status = job->status,
                                       .retry_after = weft_response_header(r, "retry-after"),
                                       .ratelimit = weft_response_header(r, "ratelimit")));
        weft_response_free(r);
    }
    weft_limits_release(job->limits, "api", -1, err < 0 || job->status == 429);
    return err;
}

static int main_task(void *base)
{
    static struct job jobs[CALLS];
    WEFT_AUTO(weft_client) *client = NULL;
    weft_limits *limits;
    int ok = 0;
    int err = weft_client_new(WEFT_CLIENT(.base_url = base ? base : "http://localhost:8000",
                                          .retry = &policy, .timeout = WEFT_SEC(30)),
                              &client);
    if (err == 0)
        err = weft_limits_new(
            WEFT_LIMITS(.concurrency = 5,
                        .rate = WEFT_RATE(.permits = 200, .period = WEFT_SEC(1), .burst = 5)),
            &limits);
    if (err < 0)
        return err;
    for (int i = 0; i < CALLS; i++) {
        jobs[i] = (struct job){.client = client, .limits = limits};
        snprintf(jobs[i].url, sizeof jobs[i].url, "/retry/%d/limits-%d", i % 10 == 0, i);
    }
    err = weft_map(fetch, jobs, CALLS, sizeof jobs[0], NULL);
    for (int i = 0; i < CALLS; i++)
        ok += jobs[i].status == 200;
    weft_limits_free(limits);
    printf("%d of %d\n", ok, CALLS);
    return err;
}

int main(int argc, char **argv)
{
    int err = weft_run(main_task, argc > 1 ? argv[1] : NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}

/* Calling an unreliable API, last step: policy, budget and limits together. */
#include <stdio.h>
#include <weft.h>

enum { CALLS = 30 };

static const weft_retry_policy policy = {.attempts = 4, .hedge_after = WEFT_SEC(2)};

struct job {
    weft_client *client;
    char url[32];
    int status;
};

static int fetch(void *arg)
{
    struct job *job = arg;
    weft_response *r;
    int err = weft_client_get(job->client, job->url, NULL, &r);
    if (err < 0)
        return err;
    job->status = weft_response_status(r);
    weft_response_free(r);
    return 0;
}

static int main_task(void *base)
{
    static struct job jobs[CALLS];
    WEFT_AUTO(weft_limits) *limits = NULL; /* outlives the client */
    WEFT_AUTO(weft_client) *client = NULL;
    int ok = 0;
    int err = weft_limits_new(
        WEFT_LIMITS(.concurrency = 5,
                    .rate = WEFT_RATE(.permits = 200, .period = WEFT_SEC(1), .burst = 5)),
        &limits);
    if (err == 0)
        err = weft_client_new(WEFT_CLIENT(.base_url = base ? base : "http://localhost:8000",
                                          .retry = &policy, .limits = limits,
                                          .timeout = WEFT_SEC(30)),
                              &client);
    if (err < 0)
        return err;
    for (int i = 0; i < CALLS; i++) {
        jobs[i] = (struct job){.client = client};
        snprintf(jobs[i].url, sizeof jobs[i].url, "/retry/%d/limits-%d", i % 10 == 0, i);
    }
    err = weft_map(fetch, jobs, CALLS, sizeof jobs[0], NULL);
    for (int i = 0; i < CALLS; i++)
        ok += jobs[i].status == 200;
    printf("%d of %d\n", ok, CALLS);
    return err;
}

int main(int argc, char **argv)
{
    (void)argc;
    int err = weft_run(main_task, argv[1]);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}

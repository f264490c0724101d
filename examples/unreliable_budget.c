/* Calling an unreliable API, third step: a server that is down is not hit harder. */
#include <stdio.h>
#include <weft.h>

enum { CALLS = 400 };

static const weft_retry_policy policy = {
    .attempts = 3,
    .wait = {WEFT_WAIT_FIXED, .min = WEFT_MS(1)},
    .budget_percent = 20,
    .budget_floor = 10,
    .breaker_percent = 50,
    .breaker_calls = 200,
    .hedge_after = WEFT_SEC(2),
};

struct job {
    weft_client *client;
    const char *url;
    int attempts;
    int status;
};

static int fetch(void *arg)
{
    struct job *job = arg;
    weft_response *r;
    int err = weft_client_get(job->client, job->url, NULL, &r);
    if (err < 0)
        return err;
    job->attempts = weft_response_attempts(r);
    job->status = weft_response_status(r);
    weft_response_free(r);
    return 0;
}

static int main_task(void *url)
{
    static struct job jobs[CALLS];
    weft_client *client;
    int attempts = 0;
    int spared = 0;
    int err = weft_client_new(WEFT_CLIENT(.retry = &policy), &client);
    if (err < 0)
        return err;
    for (int i = 0; i < CALLS; i++)
        jobs[i] = (struct job){client, url ? url : "http://localhost:8000/status/503", 0, 0};
    weft_map(fetch, jobs, CALLS, sizeof jobs[0], WEFT_MAP(.limit = 10, .collect = true));
    for (int i = 0; i < CALLS; i++) {
        attempts += jobs[i].attempts;
        spared += jobs[i].attempts == 0;
    }
    weft_client_free(client);
    printf("%d calls, retries within the budget: %s, spared by the breaker: %s\n", CALLS,
           attempts <= CALLS * 12 / 10 + 10 ? "yes" : "no", spared > 0 ? "some" : "none");
    return 0;
}

int main(int argc, char **argv)
{
    return weft_run(main_task, argc > 1 ? argv[1] : NULL) < 0;
}

/* Calling an unreliable API, second step: a policy instead of a loop. */
#include <stdio.h>
#include <weft.h>

static void say(const weft_attempt *attempt, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "attempt %d: %d, again in %.3f s\n", attempt->number, attempt->status,
            (double)attempt->wait * 1e-9);
}

static const weft_retry_policy policy = {
    .attempts = 4,
    .attempt_timeout = WEFT_SEC(5),
    .before_sleep = say,
};

static int create_report(weft_client *client, const char *url)
{
    weft_response *r;
    weft_retry_stats stats;
    int err = weft_client_post(
        client, url,
        WEFT_REQUEST(.content = "{}", .content_len = 2, .content_type = "application/json",
                     .idempotency_key = WEFT_IDEMPOTENCY_AUTO, .stats = &stats),
        &r);
    for (size_t i = 0; i < stats.history_len; i++)
        printf("attempt %d: %d\n", stats.history[i].number, stats.history[i].status);
    if (err < 0)
        return err;
    weft_response_free(r);
    return 0;
}

int main(int argc, char **argv)
{
    weft_client *client;
    int err = weft_client_new(
        WEFT_CLIENT(.retry = &policy, .timeout = WEFT_SEC(30), .raise_for_status = WEFT_ON),
        &client);
    if (err < 0)
        return 1;
    err = create_report(client, argc > 1 ? argv[1] : "http://localhost:8000/retry/2/policy");
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    weft_client_free(client);
    return err < 0;
}

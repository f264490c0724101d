/* Try again: any function, and HTTP requests by the rules of HTTP. In Python: tenacity. */
#include <stdio.h>
#include <weft.h>

static const weft_retry_policy patient = {
    .attempts = 3,
    .wait = {WEFT_WAIT_EXPONENTIAL, .multiplier = WEFT_MS(100), .min = WEFT_MS(200),
             .max = WEFT_SEC(10)},
};

static int any_call(void *arg)
{
    int *calls = arg;
    ++*calls;
    printf("call %d\n", *calls);
    return *calls < 3 ? -EAGAIN : 0;
}

static int main_task(void *url)
{
    weft_client *c;
    weft_response *r;
    int calls = 0;

    int err = weft_retry(&patient, any_call, &calls);
    if (err < 0)
        return err;

    err = weft_client_new(NULL, &c);
    if (err < 0)
        return err;
    err = weft_client_get(c, url ? url : "http://localhost:8000/retry/2",
                          WEFT_REQUEST(.retry = &patient, .raise_for_status = true), &r);
    if (err >= 0) {
        printf("%d after %d attempts\n", weft_response_status(r), weft_response_attempts(r));
        weft_response_free(r);
    }
    weft_client_free(c);
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

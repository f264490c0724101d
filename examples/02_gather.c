/* Three calls of one second each: one after the other, then at once. In Python: asyncio.gather. */
#include <stdio.h>
#include <weft.h>

struct job {
    int n;
    char data[16];
};

static int fetch_data(void *arg)
{
    struct job *job = arg;
    int err = weft_sleep(WEFT_SEC(1));
    if (err < 0)
        return err;
    snprintf(job->data, sizeof job->data, "Data %d", job->n);
    return 0;
}

static int main_task(void *arg)
{
    struct job jobs[] = {{.n = 1}, {.n = 2}, {.n = 3}};
    (void)arg;

    int64_t started = weft_now();
    fetch_data(&jobs[0]);
    fetch_data(&jobs[1]);
    printf("one after the other: %.0f s\n", (double)(weft_now() - started) / 1e9);

    started = weft_now();
    int err = weft_gather(
        (weft_call[]){{fetch_data, &jobs[0]}, {fetch_data, &jobs[1]}, {fetch_data, &jobs[2]}}, 3,
        NULL);
    printf("at once: %.0f s\n", (double)(weft_now() - started) / 1e9);
    printf("%s, %s, %s\n", jobs[0].data, jobs[1].data, jobs[2].data);
    return err;
}

int main(void)
{
    return weft_run(main_task, NULL) != 0;
}

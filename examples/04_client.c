/* A client, and many requests at once. In Python: httpx.AsyncClient and asyncio.gather. */
#include <stdio.h>
#include <weft.h>

struct user_job {
    weft_client *client;
    int id;
    json_t *user;
};

static int fetch_user(void *arg)
{
    struct user_job *job = arg;
    char path[32];
    snprintf(path, sizeof path, "/users/%d", job->id);
    return weft_client_get_json(job->client, path, NULL, &job->user); /* GET, status check, parse */
}

static int main_task(void *base_url)
{
    struct user_job jobs[10];
    weft_client *client;
    int err = weft_client_new(
        WEFT_CLIENT(.base_url = base_url ? base_url : "https://api.example.com"), &client);
    if (err < 0)
        return err;
    for (int i = 0; i < 10; i++)
        jobs[i] = (struct user_job){client, i + 1, NULL};

    err = weft_map(fetch_user, jobs, 10, sizeof jobs[0], NULL);
    for (int i = 0; i < 10; i++) {
        if (jobs[i].user)
            puts(json_string_value(json_object_get(jobs[i].user, "name")));
        json_decref(jobs[i].user);
    }
    weft_client_free(client);
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

/* All of it: 100 URLs, five at a time, at most 50 a second, with retry, parsed and saved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

struct item {
    weft_client *client;
    weft_rate_limiter *limiter;
    int id;
    int attempts;
};

static int save(const struct item *item, const json_t *json)
{
    char path[64];
    char *text = json_dumps(json, JSON_INDENT(2));
    if (!text)
        return -ENOMEM;
    snprintf(path, sizeof path, "users/%d.json", item->id);
    int err = weft_write_file(path, text, strlen(text));
    free(text);
    return err;
}

static int fetch(void *arg)
{
    struct item *item = arg;
    WEFT_AUTO(weft_response) *response = NULL;
    json_t *json;
    char path[64];

    /* Every tenth one fails twice before it answers. */
    snprintf(path, sizeof path, item->id % 10 ? "/users/%d" : "/retry/2/user-%d", item->id);
    int err = weft_rate_limiter_acquire(item->limiter);
    if (err >= 0)
        err = weft_client_get(item->client, path, NULL, &response);
    if (err >= 0)
        err = weft_response_json(response, &json);
    if (err < 0)
        return err;
    item->attempts = weft_response_attempts(response);
    err = save(item, json);
    json_decref(json);
    return err;
}

static int main_task(void *base_url)
{
    struct item items[100];
    WEFT_AUTO(weft_client) *client = NULL;
    WEFT_AUTO(weft_rate_limiter) *limiter = NULL;
    int err = weft_client_new(WEFT_CLIENT(.base_url = base_url ? base_url : "http://localhost:8000",
                                          .raise_for_status = WEFT_ON,
                                          .retry = WEFT_RETRY(.attempts = 4)),
                              &client);
    if (err >= 0)
        err = weft_rate_limiter_new(WEFT_RATE(.permits = 50), &limiter);
    if (err >= 0)
        err = weft_mkdir("users", 0777, true);
    if (err < 0)
        return err;
    for (int i = 0; i < 100; i++)
        items[i] = (struct item){client, limiter, i + 1, 0};
    err = weft_map(fetch, items, 100, sizeof items[0], WEFT_MAP(.limit = 5));
    int attempts = 0;
    for (int i = 0; i < 100; i++)
        attempts += items[i].attempts;
    printf("100 URLs, %d attempts\n", attempts);
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

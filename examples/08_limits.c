/* 100 URLs, never more than 5 in flight. In Python: asyncio.Semaphore and gather. */
#include <stdio.h>
#include <weft.h>

struct item {
    weft_semaphore *semaphore;
    weft_client *client;
    char url[32];
    json_t *json;
};

static int limited_fetch(void *arg)
{
    struct item *item = arg;
    int err = weft_semaphore_acquire(item->semaphore);
    if (err < 0)
        return err;
    err = weft_client_get_json(item->client, item->url, NULL, &item->json);
    weft_semaphore_release(item->semaphore);
    return err;
}

/* The same without a semaphore of one's own. */
static int fetch_item(void *arg)
{
    struct item *item = arg;
    return weft_client_get_json(item->client, item->url, NULL, &item->json);
}

static void count(const char *how, struct item *items)
{
    int n = 0;
    for (int i = 0; i < 100; i++) {
        n += json_is_object(items[i].json);
        json_decref(items[i].json);
        items[i].json = NULL;
    }
    printf("%s: %d of 100\n", how, n);
}

static int main_task(void *base_url)
{
    static struct item items[100];
    WEFT_AUTO(weft_semaphore) *semaphore = NULL;
    WEFT_AUTO(weft_client) *client = NULL;
    int err = weft_semaphore_new(5, &semaphore);
    if (err >= 0)
        err = weft_client_new(
            WEFT_CLIENT(.base_url = base_url ? base_url : "http://localhost:8000"), &client);
    if (err < 0)
        return err;
    for (int i = 0; i < 100; i++) {
        items[i] = (struct item){.semaphore = semaphore, .client = client};
        snprintf(items[i].url, sizeof items[i].url, "/json/%d?delay=5ms", i + 1);
    }

    err = weft_map(limited_fetch, items, 100, sizeof items[0], NULL);
    count("with a semaphore", items);
    if (err >= 0)
        err = weft_map(fetch_item, items, 100, sizeof items[0], WEFT_MAP(.limit = 5));
    count("with a limit", items);
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

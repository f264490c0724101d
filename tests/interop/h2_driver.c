/*
 * h2_driver.c - a storm over one HTTP/2 connection: requests of random kinds and sizes, some of
 * them cancelled, some left in the middle, and every byte of the others accounted for.
 *
 *     h2_driver BASE N SEED
 *
 * The server has a file "SIZE.bin" for each of the sizes, whose byte at i is i % 251, and gives back
 * what is posted to it.  Prints what came of it, and how the pool stands: one connection, idle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

enum { WORKERS = 50, LARGEST = 300000 };

static const size_t sizes[] = {0, 1, 1000, 16384, 65536, LARGEST};
static weft_client *client;
static long left;
static long whole;
static long cut;
static long cancelled;
static long wrong;
static uint64_t state;
static char pattern[LARGEST];
static weft_pool_stats stats;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static void count(const char *what, int err, size_t len, size_t expected, const void *data)
{
    if (err == -ETIMEDOUT || err == WEFT_ETOTAL_TIMEOUT) {
        cancelled++;
    } else if (err < 0) {
        wrong++;
        fprintf(stderr, "%s: %s\n", what, weft_error_message());
    } else if (len != expected || memcmp(data, pattern, len) != 0) {
        wrong++;
        fprintf(stderr, "%s: %zu bytes instead of %zu, or others\n", what, len, expected);
    } else {
        whole++;
    }
}

static void whole_response(size_t size, int64_t timeout, bool upload)
{
    char path[32];
    size_t len = 0;
    weft_response *response;
    const void *content = NULL;
    snprintf(path, sizeof path, "/%zu.bin", size);
    int err = upload ? weft_client_post(client, "/echo",
                                        WEFT_REQUEST(.content = pattern, .content_len = size,
                                                     .timeout = timeout),
                                        &response)
                     : weft_client_get(client, path, WEFT_REQUEST(.timeout = timeout), &response);
    if (err == 0)
        content = weft_response_content(response, &len);
    count(path, err, len, size, content);
    if (err == 0)
        weft_response_free(response);
}

/* The head, perhaps some of the body, and no more. */
static void part_of_response(size_t size)
{
    char path[32];
    char bytes[5000];
    weft_response *response;
    snprintf(path, sizeof path, "/%zu.bin", size);
    if (weft_client_stream(client, "GET", path, NULL, &response) < 0) {
        count(path, -1, 0, 0, NULL);
        return;
    }
    if (draw(2) == 0)
        weft_response_read(response, bytes, 1 + draw(sizeof bytes));
    if (draw(4) == 0)
        weft_sleep(WEFT_MS(draw(5)));
    weft_response_free(response);
    cut++;
}

static int work(void *arg)
{
    (void)arg;
    while (left-- > 0) {
        size_t size = sizes[draw(sizeof sizes / sizeof sizes[0])];
        /* Not more resets than a server takes from one connection without calling it an attack. */
        switch (draw(60)) {
        case 0:
            part_of_response(size);
            break;
        case 1:
            whole_response(size, WEFT_US(draw(3000)) + 1, draw(2) == 0);
            break;
        case 2 ... 14:
            whole_response(size, WEFT_FOREVER, true);
            break;
        default:
            whole_response(size, WEFT_FOREVER, false);
            break;
        }
    }
    return 0;
}

static int storm(void *arg)
{
    char items[WORKERS];
    (void)arg;
    int err = weft_map(work, items, WORKERS, 1, NULL);
    /* What is on its way for streams that are gone comes, and is credited. */
    for (int i = 0; err == 0 && i < 20; i++)
        whole_response(LARGEST, WEFT_FOREVER, false);
    weft_client_pool_stats(client, &stats);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    left = strtol(argv[2], NULL, 10);
    state = (uint64_t)strtoull(argv[3], NULL, 10);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % 251);
    int err = weft_client_new(WEFT_CLIENT(.base_url = argv[1], .http1 = WEFT_OFF,
                                          .insecure_no_verify = true, .max_connections = 1,
                                          .idle_timeout = WEFT_SEC(60)),
                              &client);
    if (err == 0)
        err = weft_run(storm, NULL);
    if (err < 0) {
        fprintf(stderr, "%s\n", weft_error_message());
        return 1;
    }
    printf("wrong %ld opened %llu size %zu active %zu\n", wrong, (unsigned long long)stats.opened,
           stats.size, stats.active);
    fprintf(stderr, "whole %ld cut %ld cancelled %ld\n", whole, cut, cancelled);
    weft_client_free(client);
    return wrong > 0;
}

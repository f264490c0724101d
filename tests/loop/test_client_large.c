/* A body of 1 GiB, in and out, through memory that does not grow with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <weft.h>

#include "test.h"
#include "web.h"

enum {
    PIECE = 64 * 1024,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GROWTH_KIB = 4096,
#else
    GROWTH_KIB = 512,
#endif
};

/* Without a checking tool 1 GiB, else as much as that takes in its time. */
static uint64_t size_of_body(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 32 << 20;
#else
    return test_under_valgrind() ? 8 << 20 : 1 << 30;
#endif
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void check_growth(long before)
{
    /* 64 KiB of the caller's, 64 KiB of the connection's, and the code that runs first now. */
    if (!test_under_valgrind())
        ASSERT_INT_LT(peak_kib() - before, GROWTH_KIB);
}

static int download(void *arg)
{
    static char piece[PIECE];
    const struct web *web = arg;
    weft_client *client;
    weft_response *response;
    char path[64];
    int64_t n;
    uint64_t total = 0;
    snprintf(path, sizeof path, "/bytes/%ju", (uintmax_t)size_of_body());
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = web->base), &client));
    long before = peak_kib();
    ASSERT_OK(weft_client_stream(client, "GET", path, NULL, &response));
    while ((n = weft_response_read(response, piece, sizeof piece)) > 0)
        total += (uint64_t)n;
    ASSERT_OK((int)n);
    ASSERT_INT_EQ(total, size_of_body());
    weft_response_free(response);
    check_growth(before);
    weft_client_free(client);
    return 0;
}

static int64_t read_body(void *userdata, void *data, size_t len)
{
    uint64_t *left = userdata;
    size_t n = *left < len ? (size_t)*left : len;
    memset(data, 'x', n);
    *left -= n;
    return (int64_t)n;
}

static int upload(void *arg)
{
    const struct web *web = arg;
    weft_client *client;
    weft_response *response;
    uint64_t left = size_of_body();
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = web->base), &client));
    long before = peak_kib();
    ASSERT_OK(weft_client_put(
        client, "/sink",
        WEFT_REQUEST(.body_reader = read_body, .body_userdata = &left, .body_size = size_of_body()),
        &response));
    ASSERT_INT_EQ(strtoull(weft_response_text(response, NULL), NULL, 10), size_of_body());
    weft_response_free(response);
    check_growth(before);
    weft_client_free(client);
    return 0;
}

TEST_WITH(gibibyte_comes_in_through_64_kib, .limit_s = 60)
{
    struct web web;
    web_start_apart(&web);
    ASSERT_OK(weft_run(download, &web));
    web_stop(&web);
}

TEST_WITH(gibibyte_goes_out_through_64_kib, .limit_s = 60)
{
    struct web web;
    web_start_apart(&web);
    ASSERT_OK(weft_run(upload, &web));
    web_stop(&web);
}

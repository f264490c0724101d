/* A body of 1 GiB, in and out, through memory that does not grow with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct growth {
    long before; /* KiB */
    long most;
    uint64_t next; /* bytes of the body when it is looked at again */
};

/*
 * What this process has of its own.  The kernel's cheaper figures, of which it keeps the peak, are
 * wrong by some hundred KiB for each processor.
 */
static long own_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL)
        SKIP("no /proc/self/smaps_rollup");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Anonymous:", 10) == 0)
            kib = strtol(line + 10, NULL, 10);
    }
    fclose(file);
    ASSERT_INT_GT(kib, 0);
    return kib;
}

static void look(struct growth *growth, uint64_t at)
{
    if (at < growth->next || test_under_valgrind())
        return;
    long now = own_kib();
    growth->next = at + size_of_body() / 64;
    if (growth->before == 0)
        growth->before = now;
    if (growth->most < now)
        growth->most = now;
}

static void check(const struct growth *growth)
{
    /* 64 KiB of the caller's, 64 KiB of the connection's, and the stacks. */
    ASSERT_INT_LT(growth->most - growth->before, GROWTH_KIB);
    ASSERT(test_under_valgrind() || growth->next > size_of_body());
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
    struct growth growth = {0};
    snprintf(path, sizeof path, "/bytes/%ju", (uintmax_t)size_of_body());
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = web->base), &client));
    look(&growth, 0);
    ASSERT_OK(weft_client_stream(client, "GET", path, NULL, &response));
    while ((n = weft_response_read(response, piece, sizeof piece)) > 0) {
        total += (uint64_t)n;
        look(&growth, total);
    }
    ASSERT_OK((int)n);
    ASSERT_INT_EQ(total, size_of_body());
    weft_response_free(response);
    check(&growth);
    weft_client_free(client);
    return 0;
}

struct upload {
    uint64_t left;
    struct growth growth;
};

static int64_t read_body(void *userdata, void *data, size_t len)
{
    struct upload *upload = userdata;
    size_t n = upload->left < len ? (size_t)upload->left : len;
    memset(data, 'x', n);
    upload->left -= n;
    look(&upload->growth, size_of_body() - upload->left);
    return (int64_t)n;
}

static int send_all(void *arg)
{
    const struct web *web = arg;
    weft_client *client;
    weft_response *response;
    struct upload upload = {.left = size_of_body()};
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.base_url = web->base), &client));
    look(&upload.growth, 0);
    ASSERT_OK(weft_client_put(client, "/sink",
                              WEFT_REQUEST(.body_reader = read_body, .body_userdata = &upload,
                                           .body_size = size_of_body()),
                              &response));
    ASSERT_INT_EQ(strtoull(weft_response_text(response, NULL), NULL, 10), size_of_body());
    weft_response_free(response);
    check(&upload.growth);
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
    ASSERT_OK(weft_run(send_all, &web));
    web_stop(&web);
}

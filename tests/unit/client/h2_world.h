/* h2_world.h - a client and its HTTP/2 server in memory; calls as tasks. */
#ifndef WEFT_TEST_H2_WORLD_H
#define WEFT_TEST_H2_WORLD_H

#include "h2_fake.h"
#include "test.h"

struct world {
    struct h2_fake fake;
    weft_client *client;
};

#define WORLD(acts_, ...)                                                                          \
    struct world world;                                                                            \
    h2_fake_start(&world.fake, acts_, sizeof(acts_) / sizeof(acts_)[0]);                           \
    ASSERT_OK(weft_client_new(                                                                     \
        WEFT_CLIENT(.base_url = "http://h/", .http1 = WEFT_OFF, __VA_ARGS__), &world.client));     \
    h2_fake_serve(&world.fake, world.client)

static inline void end(struct world *world)
{
    weft_client_free(world->client);
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world->fake.open, 0);
    h2_fake_stop(&world->fake);
}

struct job {
    weft_client *client;
    const char *method; /* NULL: GET */
    const char *url;    /* NULL: "/" */
    int64_t read_timeout;
    int64_t pool_timeout;
    int64_t after;
    int err;
    int status;
    size_t len;
    int64_t ended;
};

static inline int run_job(void *arg)
{
    struct job *job = arg;
    weft_response *response;
    if (job->after > 0)
        weft_sleep(job->after);
    job->err = weft_client_request(
        job->client, job->method != NULL ? job->method : "GET", job->url != NULL ? job->url : "/",
        WEFT_REQUEST(.read_timeout = job->read_timeout, .pool_timeout = job->pool_timeout),
        &response);
    job->ended = weft_now();
    if (job->err < 0)
        return 0;
    job->status = weft_response_status(response);
    weft_response_content(response, &job->len);
    ASSERT_STR_EQ(weft_response_http_version(response), "HTTP/2");
    weft_response_free(response);
    return 0;
}

static inline int get(struct world *world)
{
    struct job job = {.client = world->client};
    run_job(&job);
    return job.err < 0 ? job.err : job.status;
}

static inline int post(struct world *world)
{
    struct job job = {.client = world->client, .method = "POST"};
    run_job(&job);
    return job.err < 0 ? job.err : job.status;
}

#endif

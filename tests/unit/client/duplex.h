/*
 * duplex.h - a client, a server in memory, and a body whose bytes tell where they stand.
 */
#ifndef WEFT_TEST_DUPLEX_H
#define WEFT_TEST_DUPLEX_H

#include "client/h2_int.h"
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

/* The client goes, and the server sees it go. */
void world_end(struct world *world);
void expect_get(struct world *world, int status);

struct source {
    uint64_t size;
    uint64_t given;
    int64_t takes; /* for each piece */
    uint64_t fails_at;
    int code;
    int calls;
    int rewound;
    bool inside; /* the function is running */
    bool gone;   /* nobody may call it any more */
    int seen;    /* what its task-local value was */
    weft_response **frees;
};

void fill(char *data, uint64_t offset, size_t len);
/* A body_reader, and its body_rewind. */
int64_t give(void *userdata, void *data, size_t len);
int again(void *userdata);
/* A streamed POST of it. */
int world_stream(struct world *world, struct source *source, weft_response **ret);
/* Reads up to len bytes, which are those behind *offset. */
int64_t take(weft_response *response, uint64_t *offset, size_t len);
/* One connection carried all, and nothing of it is left. */
void expect_balance(const struct world *world);

#endif

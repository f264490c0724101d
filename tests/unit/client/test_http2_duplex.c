/* test_http2_duplex.c - HTTP/2 bodies both ways at once, with a server in memory. */
#include <errno.h>
#include <string.h>

#include "duplex.h"

/* ---- both ways at once ---- */

/* What is on its way is bounded by buffers and windows, whatever passes through. */
VIRTUAL_TEST(h2_duplex_echo_of_a_large_body_holds_little)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    enum { ON_ITS_WAY = 2 * 1024 * 1024 };
    struct source source = {.size = (test_under_valgrind() ? 4 : 100) * UINT64_C(1048576)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_INT_EQ(weft_response_status(response), 200);
    ASSERT_INT_LT(source.given, source.size);
    while (take(response, &got, SIZE_MAX) > 0)
        ASSERT_INT_LE(source.given - got, ON_ITS_WAY);
    ASSERT_INT_EQ(got, source.size);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.resets, 0);
    expect_balance(&world);
    world_end(&world);
}

/* The call reads the response while the body goes: it needs no place to put it. */
VIRTUAL_TEST(h2_duplex_whole_response_is_read_while_the_body_goes)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = 5000000, .takes = WEFT_SEC(7)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(weft_client_post(
        world.client, "/", WEFT_REQUEST(.body_reader = give, .body_userdata = &source), &response));
    size_t len;
    static char expected[5000000];
    const void *content = weft_response_content(response, &len);
    fill(expected, 0, sizeof expected);
    ASSERT_INT_EQ(len, sizeof expected);
    ASSERT_MEM_EQ(content, expected, len);
    weft_response_free(response);
    world_end(&world);
}

/* As much as anybody likes: nothing of it has to be put anywhere before the body is sent. */
VIRTUAL_TEST(h2_duplex_whole_response_to_a_body_in_memory_is_read_while_it_goes)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    static char bytes[40000000];
    size_t size = test_under_valgrind() ? 18000000 : sizeof bytes;
    WORLD(acts, .http2 = true);
    weft_response *response;
    size_t len;
    fill(bytes, 0, size);
    ASSERT_OK(weft_client_post(world.client, "/",
                               WEFT_REQUEST(.content = bytes, .content_len = size), &response));
    const void *content = weft_response_content(response, &len);
    ASSERT_INT_EQ(len, size);
    ASSERT_MEM_EQ(content, bytes, len);
    weft_response_free(response);
    expect_balance(&world);
    world_end(&world);
}

struct talk {
    weft_event *heard; /* the server's last message is whole */
    uint64_t sent;
    int rounds;
    int round;
};

static size_t size_of(int round)
{
    return (size_t)(round * 7919 % 3000 + 1);
}

/* The next message, once the last one has come back. */
static int64_t speak(void *userdata, void *data, size_t len)
{
    struct talk *talk = userdata;
    int err = talk->round > 0 ? weft_event_wait(talk->heard) : 0;
    if (err < 0)
        return err;
    weft_event_clear(talk->heard);
    if (talk->round == talk->rounds)
        return 0;
    size_t n = size_of(talk->round++);
    ASSERT_INT_LE(n, len);
    fill(data, talk->sent, n);
    talk->sent += n;
    return (int64_t)n;
}

static void converse(weft_client *client, int rounds)
{
    struct talk talk = {.rounds = rounds};
    weft_response *response;
    uint64_t got = 0;
    ASSERT_OK(weft_event_new(&talk.heard));
    ASSERT_OK(weft_client_stream(client, "POST", "/",
                                 WEFT_REQUEST(.body_reader = speak, .body_userdata = &talk),
                                 &response));
    for (int round = 0; round < rounds; round++) {
        uint64_t until = got + size_of(round);
        while (got < until)
            ASSERT_INT_GT(take(response, &got, (size_t)(until - got)), 0);
        ASSERT_INT_EQ(talk.round, round + 1);
        weft_event_set(talk.heard);
    }
    ASSERT_INT_EQ(take(response, &got, 1), 0);
    weft_response_free(response);
    weft_event_free(talk.heard);
}

VIRTUAL_TEST(h2_duplex_conversation_goes_message_by_message)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    WORLD(acts, .http2 = true);
    converse(world.client, 1000);
    ASSERT_INT_EQ(world.fake.dials, 1);
    world_end(&world);
}

/* Whenever the calling code waits, the body goes on. */
TEST(h2_duplex_conversation_in_plain_code)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    ASSERT_OK(weft_yield());
    WORLD(acts, .http2 = true);
    converse(world.client, 50);
    weft_client_free(world.client);
    h2_fake_stop(&world.fake);
    ASSERT_INT_EQ(weft_task_count(), 0);
}

/* A reader that takes longer than any time-out is no fault of the server's. */
VIRTUAL_TEST(h2_duplex_slow_reader_holds_up_nobody_else)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}, {.body = 100000}};
    struct source source = {.size = 3000000};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    ASSERT_OK(world_stream(&world, &source, &response));
    for (int i = 0; i < 5; i++) {
        ASSERT_OK(weft_sleep(WEFT_SEC(20)));
        ASSERT_INT_LT(source.given, source.size);
        expect_get(&world, 200);
        ASSERT_INT_GT(take(response, &got, 60000), 0);
    }
    while (take(response, &got, SIZE_MAX) > 0)
        ;
    ASSERT_INT_EQ(got, source.size);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.resets, 0);
    expect_balance(&world);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_slow_source_leaves_the_response_alone)
{
    static const struct h2_act acts[] = {{.early = true, .body = 230000, .unended = true},
                                         {.kind = H2_ANSWER}};
    struct source source = {.size = 1000, .takes = WEFT_SEC(1000)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    static char data[230000];
    size_t got = 0;
    int64_t n;
    ASSERT_OK(world_stream(&world, &source, &response));
    while (got < sizeof data && (n = weft_response_read(response, data, sizeof data)) > 0)
        got += (size_t)n;
    ASSERT_INT_EQ(got, sizeof data);
    ASSERT_INT_EQ(source.given, 0);
    weft_response_free(response);
    source.gone = true;
    expect_get(&world, 200);
    world_end(&world);
}

/* ---- the end of one of them ---- */

VIRTUAL_TEST(h2_duplex_response_that_is_freed_ends_the_body)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}, {.kind = H2_ANSWER}};
    for (int64_t takes = 0; takes < 2; takes++) {
        struct source source = {.size = UINT64_MAX, .takes = takes * WEFT_SEC(1)};
        WORLD(acts, .http2 = true);
        weft_response *response;
        ASSERT_OK(world_stream(&world, &source, &response));
        ASSERT_OK(weft_sleep(WEFT_MS(10)));
        weft_response_free(response);
        source.gone = true;
        ASSERT(!source.inside);
        ASSERT_OK(weft_sleep(WEFT_SEC(3)));
        ASSERT_INT_EQ(world.fake.resets, 1);
        ASSERT_INT_EQ(world.fake.reset_code, 8);
        expect_get(&world, 200);
        ASSERT_INT_EQ(world.fake.dials, 1);
        world_end(&world);
    }
}

VIRTUAL_TEST(h2_duplex_response_that_is_closed_ends_the_body)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = UINT64_MAX};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(world_stream(&world, &source, &response));
    weft_response_close(response);
    source.gone = true;
    ASSERT_INT_EQ(weft_response_status(response), 200);
    weft_response_free(response);
    world_end(&world);
}

static int64_t stubborn(void *userdata, void *data, size_t len)
{
    struct source *source = userdata;
    weft_scope scope;
    (void)data;
    (void)len;
    source->inside = true;
    weft_scope_enter_shield(&scope, WEFT_SEC(3));
    weft_sleep(WEFT_FOREVER);
    weft_scope_exit(&scope, 0);
    source->inside = false;
    return -EIO;
}

/* It waits for a function that takes its time to end, and for one that knows no end. */
VIRTUAL_TEST(h2_duplex_function_has_ended_when_the_response_is_freed)
{
    static const struct h2_act acts[] = {{.early = true, .unended = true, .body = 1}};
    struct source source = {.size = 1};
    WORLD(acts, .http2 = true);
    weft_response *response;
    int64_t began = weft_now();
    ASSERT_OK(weft_client_stream(world.client, "POST", "/",
                                 WEFT_REQUEST(.body_reader = stubborn, .body_userdata = &source),
                                 &response));
    ASSERT(source.inside);
    weft_response_free(response);
    ASSERT(!source.inside);
    ASSERT_INT_EQ(weft_now() - began, WEFT_SEC(3));
    world_end(&world);
}

static int64_t free_it(void *userdata, void *data, size_t len)
{
    struct source *source = userdata;
    if (source->calls++ == 0)
        return give(userdata, data, len < 10 ? len : 10);
    weft_response_free(*source->frees);
    *source->frees = NULL;
    int err = weft_sleep(WEFT_SEC(1));
    ASSERT_INT_EQ(err, -ECANCELED);
    return give(userdata, data, len);
}

/* Not what it is for; but nothing breaks. */
VIRTUAL_TEST(h2_duplex_function_may_free_the_response)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}, {.kind = H2_ANSWER}};
    weft_response *response = NULL;
    struct source source = {.size = 100, .frees = &response};
    WORLD(acts, .http2 = true);
    source.takes = WEFT_MS(1);
    ASSERT_OK(weft_client_stream(world.client, "POST", "/",
                                 WEFT_REQUEST(.body_reader = free_it, .body_userdata = &source),
                                 &response));
    ASSERT_OK(weft_sleep(WEFT_SEC(3)));
    ASSERT(response == NULL);
    expect_get(&world, 200);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_function_that_fails_late_fails_the_response)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}, {.kind = H2_ANSWER}};
    struct source source = {.size = 9000000, .fails_at = 1000000, .code = -EIO};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    int64_t n;
    ASSERT_OK(world_stream(&world, &source, &response));
    while ((n = take(response, &got, SIZE_MAX)) > 0)
        ;
    ASSERT_INT_EQ(n, -EIO);
    ASSERT_STR_HAS(weft_error_message(), "the request body could not be read");
    source.gone = true;
    ASSERT_ERR((int)take(response, &got, 1), -EIO);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.resets, 1);
    ASSERT_INT_EQ(world.fake.reset_code, 8);
    expect_get(&world, 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    world_end(&world);
}

/* The server learns of it though nobody reads. */
VIRTUAL_TEST(h2_duplex_function_that_fails_late_resets_the_stream_at_once)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = 9000000, .fails_at = 1, .code = -EIO, .takes = WEFT_MS(1)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(world.fake.resets, 1);
    weft_response_free(response);
    world_end(&world);
}

/* A retry is none of its business: what failed is the caller's. */
VIRTUAL_TEST(h2_duplex_function_that_fails_is_not_retried)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}, {.kind = H2_NEVER}};
    WORLD(acts, .retry = WEFT_RETRY(.attempts = 5, .retry_non_idempotent = true));
    for (int i = 0; i < 2; i++) {
        struct source source = {
            .size = 9000000, .fails_at = 1000000, .code = WEFT_EREAD, .takes = WEFT_MS(1)};
        weft_response *response;
        ASSERT_ERR(weft_client_post(world.client, "/",
                                    WEFT_REQUEST(.body_reader = give, .body_rewind = again,
                                                 .body_userdata = &source),
                                    &response),
                   WEFT_EREAD);
        ASSERT_INT_EQ(source.rewound, 0);
        ASSERT_INT_EQ(world.fake.requests, i + 1);
    }
    world_end(&world);
}

static int count(void *userdata, uint64_t sent, uint64_t size)
{
    uint64_t *limit = userdata;
    ASSERT_INT_EQ(size, 9000000);
    return sent > *limit ? -EFBIG : 0;
}

VIRTUAL_TEST(h2_duplex_progress_is_told_and_may_end_it)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = 9000000};
    uint64_t limit = 700000;
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    int64_t n;
    ASSERT_OK(weft_client_stream(world.client, "POST", "/",
                                 WEFT_REQUEST(.body_reader = give, .body_userdata = &source,
                                              .body_size = source.size, .on_upload = count,
                                              .upload_userdata = &limit),
                                 &response));
    while ((n = take(response, &got, SIZE_MAX)) > 0)
        ;
    ASSERT_INT_EQ(n, -EFBIG);
    ASSERT_STR_HAS(weft_error_message(), "the upload was given up");
    weft_response_free(response);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_whole_answer_that_wants_no_more_ends_the_body)
{
    static const struct h2_act acts[] = {{.early = true, .body = 70000, .stops = true}};
    struct source source = {.size = UINT64_MAX, .takes = WEFT_MS(1)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_OK(weft_response_read_all(response));
    source.gone = true;
    size_t len;
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, 70000);
    weft_response_free(response);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world.fake.dials, 1);
    world_end(&world);
}

/* So much of a response; of n bodies so far so much each, and its end. */
static void expect_whole(struct world *world, weft_response *response, size_t body, int n,
                         size_t size)
{
    size_t len;
    weft_response_content(response, &len);
    ASSERT_INT_EQ(len, body);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    ASSERT_INT_EQ(world->fake.ends, n);
    ASSERT_INT_EQ(world->fake.uploaded, (size_t)n * size);
    ASSERT_INT_EQ(world->fake.resets, 0);
    weft_response_free(response);
}

/* A success is no refusal: as over HTTP/1.1, what the server does not send back is sent whole. */
VIRTUAL_TEST(h2_duplex_whole_answer_leaves_the_body)
{
    static const struct h2_act acts[] = {{.early = true, .body = 70000},
                                         {.early = true, .status = 204},
                                         {.early = true, .body = 1, .trailer = true}};
    enum { SIZE = 3000000 };
    WORLD(acts, .http2 = true, .read_timeout = WEFT_MS(3));
    for (int i = 0; i < 3; i++) {
        struct source source = {.size = SIZE, .takes = WEFT_MS(5)};
        weft_response *response;
        ASSERT_OK(world_stream(&world, &source, &response));
        ASSERT_INT_LT(source.given, SIZE);
        ASSERT_OK(weft_response_read_all(response));
        expect_whole(&world, response, acts[i].body, i + 1, SIZE);
    }
    expect_balance(&world);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_whole_answer_leaves_the_body_of_a_call)
{
    static const struct h2_act acts[] = {{.early = true, .body = 70000}};
    enum { SIZE = 3000000 };
    static char text[SIZE];
    WORLD(acts, .http2 = true);
    for (int i = 0; i < 2; i++) {
        struct source source = {.size = SIZE, .takes = WEFT_MS(5)};
        weft_request_options options = *WEFT_REQUEST(.content = text, .content_len = SIZE);
        if (i == 0)
            options = *WEFT_REQUEST(.body_reader = give, .body_userdata = &source);
        weft_response *response;
        ASSERT_OK(weft_client_post(world.client, "/", &options, &response));
        expect_whole(&world, response, 70000, i + 1, SIZE);
    }
    expect_balance(&world);
    world_end(&world);
}

/* What was sent has left the program when the call returns: it may end now. */
VIRTUAL_TEST(h2_duplex_body_is_out_when_the_call_returns)
{
    static const struct h2_act acts[] = {{.early = true, .body = 1000}};
    static char text[3000000];
    for (size_t size = sizeof text - 300000; size <= sizeof text; size += 10007) {
        WORLD(acts, .http2 = true);
        world.fake.holds = 4096;
        weft_response *response;
        ASSERT_OK(weft_client_post(world.client, "/",
                                   WEFT_REQUEST(.content = text, .content_len = size), &response));
        weft_response_free(response);
        weft_client_free(world.client);
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
        ASSERT_INT_EQ(world.fake.uploaded, size);
        ASSERT_INT_EQ(world.fake.ends, 1);
        h2_fake_stop(&world.fake);
    }
}

/* The answer is whole, and the server takes no more: it counts, once the write time-out is over. */
VIRTUAL_TEST(h2_duplex_whole_answer_of_a_server_that_is_stuck_counts)
{
    static const struct h2_act acts[] = {{.early = true, .body = 1000, .deaf = true}};
    static char text[3000000];
    WORLD(acts, .http2 = true);
    for (int i = 0; i < 3; i++) {
        struct source source = {.size = 3000000};
        weft_request_options options = *WEFT_REQUEST(.content = text, .content_len = sizeof text);
        if (i > 0)
            options = *WEFT_REQUEST(.body_reader = give, .body_userdata = &source);
        weft_response *response;
        int64_t began = weft_now();
        if (i < 2)
            ASSERT_OK(weft_client_post(world.client, "/", &options, &response));
        else
            ASSERT_OK(weft_client_stream(world.client, "POST", "/", &options, &response));
        ASSERT_OK(weft_response_read_all(response));
        ASSERT_INT_EQ(weft_response_status(response), 200);
        ASSERT_INT_GE(weft_now() - began, WEFT_SEC(5));
        weft_response_free(response);
        ASSERT_OK(weft_sleep(WEFT_MS(1)));
        ASSERT_INT_EQ(world.fake.resets, i + 1);
    }
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_function_that_fails_after_the_whole_answer_fails_the_response)
{
    static const struct h2_act acts[] = {{.early = true, .body = 1000}};
    WORLD(acts, .http2 = true);
    for (int i = 0; i < 2; i++) {
        struct source source = {
            .size = 3000000, .takes = WEFT_MS(1), .fails_at = 500000, .code = -EFBIG};
        weft_request_options options = *WEFT_REQUEST(.body_reader = give, .body_userdata = &source);
        weft_response *response = NULL;
        uint64_t got = 0;
        char piece[300];
        int64_t n;
        if (i == 0) {
            ASSERT_INT_EQ(weft_client_post(world.client, "/", &options, &response), -EFBIG);
            continue;
        }
        ASSERT_OK(weft_client_stream(world.client, "POST", "/", &options, &response));
        while ((n = weft_response_read(response, piece, sizeof piece)) > 0)
            got += (uint64_t)n;
        ASSERT_INT_EQ(got, 1000);
        ASSERT_INT_EQ(n, -EFBIG);
        weft_response_free(response);
    }
    world_end(&world);
}

static int64_t read_to_the_end(void *userdata, void *data, size_t len)
{
    weft_response **response = userdata;
    char piece[100];
    int64_t n;
    memset(data, 'x', len);
    if (*response == NULL)
        return weft_sleep(WEFT_MS(1)) == 0 ? (int64_t)len : -ECANCELED;
    while ((n = weft_response_read(*response, piece, sizeof piece)) > 0)
        ;
    return n;
}

VIRTUAL_TEST(h2_duplex_function_may_read_the_response_to_its_end)
{
    static const struct h2_act acts[] = {{.early = true, .body = 1000}};
    WORLD(acts, .http2 = true);
    weft_response *response = NULL;
    ASSERT_OK(weft_client_stream(
        world.client, "POST", "/",
        WEFT_REQUEST(.body_reader = read_to_the_end, .body_userdata = &response), &response));
    ASSERT_OK(weft_sleep(WEFT_SEC(1)));
    ASSERT_INT_EQ(weft_response_read(response, (char[1]){""}, 1), 0);
    weft_response_free(response);
    world_end(&world);
}

/* The server, or the connection, goes in the middle of both. */
VIRTUAL_TEST(h2_duplex_connection_that_breaks_ends_both)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}};
    struct source source = {.size = UINT64_MAX};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    int64_t n;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_INT_GT(take(response, &got, 1000), 0);
    weft_stream_abort(world.fake.last);
    while ((n = take(response, &got, SIZE_MAX)) > 0)
        ;
    ASSERT_INT_LT(n, 0);
    source.gone = true;
    weft_response_free(response);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_server_that_resets_late_ends_both)
{
    static const struct h2_act acts[] = {{.kind = H2_MIRROR}, {.kind = H2_ANSWER}};
    struct source source = {.size = UINT64_MAX};
    WORLD(acts, .http2 = true);
    weft_response *response;
    uint64_t got = 0;
    int64_t n;
    ASSERT_OK(world_stream(&world, &source, &response));
    ASSERT_INT_GT(take(response, &got, 1000), 0);
    h2_fake_reset(&world.fake, 1, 2);
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
    source.gone = true;
    while ((n = take(response, &got, SIZE_MAX)) > 0)
        ;
    ASSERT_INT_EQ(n, WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "INTERNAL_ERROR");
    weft_response_free(response);
    expect_get(&world, 200);
    ASSERT_INT_EQ(world.fake.dials, 1);
    world_end(&world);
}

VIRTUAL_TEST(h2_duplex_early_refusal_ends_the_body)
{
    static const struct h2_act acts[] = {{.status = 413, .early = true, .takes = WEFT_MS(5)}};
    struct source source = {.size = UINT64_MAX, .takes = WEFT_MS(2)};
    WORLD(acts, .http2 = true);
    weft_response *response;
    ASSERT_OK(world_stream(&world, &source, &response));
    source.gone = true;
    ASSERT_INT_EQ(weft_response_status(response), 413);
    weft_response_free(response);
    world_end(&world);
}

/* ---- again ---- */

/* The function is not running when it is rewound, whatever it was doing. */
static void expect_again(const struct h2_act *acts_, weft_auth *auth,
                         const weft_retry_policy *policy)
{
    struct h2_act acts[2] = {acts_[0], acts_[1]};
    for (int64_t takes = 0; takes < 3; takes++) {
        struct source source = {.size = 1000000, .takes = takes * WEFT_MS(2)};
        WORLD(acts, .follow_redirects = WEFT_ON, .retry = policy);
        weft_response *response;
        uint64_t got = 0;
        ASSERT_OK(weft_client_stream(world.client, "PUT", "/",
                                     WEFT_REQUEST(.body_reader = give, .body_rewind = again,
                                                  .body_userdata = &source, .auth = auth),
                                     &response));
        ASSERT_INT_EQ(source.rewound, 1);
        ASSERT_INT_EQ(weft_response_status(response), 200);
        while (take(response, &got, SIZE_MAX) > 0)
            ;
        ASSERT_INT_EQ(got, source.size);
        weft_response_free(response);
        world_end(&world);
    }
}

VIRTUAL_TEST(h2_duplex_body_goes_again_after_a_redirect)
{
    static const struct h2_act acts[] = {
        {.status = 307, .early = true, .takes = WEFT_MS(3), .name = "location", .value = "/b"},
        {.kind = H2_MIRROR}};
    expect_again(acts, NULL, NULL);
}

VIRTUAL_TEST(h2_duplex_body_goes_again_after_a_challenge)
{
    static const struct h2_act acts[] = {{.status = 401,
                                          .early = true,
                                          .takes = WEFT_MS(3),
                                          .name = "www-authenticate",
                                          .value = "Digest realm=\"r\", nonce=\"n\""},
                                         {.kind = H2_MIRROR}};
    weft_auth *auth;
    ASSERT_OK(weft_auth_digest("kim", "secret", &auth));
    expect_again(acts, auth, NULL);
    weft_auth_free(auth);
}

VIRTUAL_TEST(h2_duplex_body_goes_again_after_a_failure)
{
    static const struct h2_act late[] = {{.status = 503, .early = true, .takes = WEFT_MS(3)},
                                         {.kind = H2_MIRROR}};
    static const struct h2_act refused[] = {{.kind = H2_RESET, .code = 7, .early = true},
                                            {.kind = H2_MIRROR}};
    static const weft_retry_policy policy = {.attempts = 2};
    expect_again(late, NULL, &policy);
    expect_again(refused, NULL, NULL);
}

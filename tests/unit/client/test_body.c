/* Request bodies that come piece by piece: framing, replay, failures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "call_world.h"
#include "client/client_int.h"
#include "test.h"

#define TOO_MUCH "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n" EMPTY

static const weft_retry_policy at_once = {.wait = {WEFT_WAIT_NONE}};

struct source {
    const char *const *pieces; /* ends with NULL */
    size_t next;
    size_t most; /* that was asked for at once */
    int rewinds;
    int fails_at; /* piece, from 1; 0: never */
    int error;
};

static int64_t read_source(void *userdata, void *data, size_t len)
{
    struct source *source = userdata;
    const char *piece = source->pieces[source->next];
    if (source->next + 1 == (size_t)source->fails_at)
        return source->error;
    if (len > source->most)
        source->most = len;
    if (piece == NULL)
        return 0;
    source->next++;
    size_t n = strlen(piece) < len ? strlen(piece) : len;
    memcpy(data, piece, n);
    return (int64_t)n;
}

static int rewind_source(void *userdata)
{
    struct source *source = userdata;
    source->rewinds++;
    source->next = 0;
    return 0;
}

static const char *const hello[] = {"hello", " ", "world", NULL};
#define CHUNKS "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n"
/* Over HTTP/2 what is there together goes in one frame. */
#define JOINED (test_is_over_h2() ? "b\r\nhello world\r\n0\r\n\r\n" : CHUNKS)

static struct source source;

static void start(struct world *world, const struct wire_answer *answers, size_t n,
                  const weft_client_options *options)
{
    source = (struct source){.pieces = hello};
    begin(world, answers, n, options);
}

static int put(struct world *world, const weft_request_options *options)
{
    return request(world, "PUT", URL, options);
}

#define READER   .body_reader = read_source, .body_userdata = &source
#define REWINDER READER, .body_rewind = rewind_source

/* ---- on the wire ---- */

VIRTUAL_TEST(body_of_unknown_size_is_chunked)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct world world;
    start(&world, answers, 1, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(READER, .content_type = "text/plain")), 200);
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nTransfer-Encoding: chunked\r\n");
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nContent-Type: text/plain\r\n");
    ASSERT_STR_LACKS(world.wire.requests[0], "Content-Length");
    ASSERT_STR_EQ(body_of(&world.wire, 0), JOINED);
    ASSERT_INT_EQ(source.most, 65536);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(READER)), 200); /* nothing is left: an empty one */
    ASSERT_STR_EQ(body_of(&world.wire, 1), "0\r\n\r\n");
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

VIRTUAL_TEST(body_of_known_size_is_sent_as_it_is)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct world world;
    start(&world, answers, 1, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(READER, .body_size = 11)), 200);
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nContent-Length: 11\r\n");
    ASSERT_STR_LACKS(world.wire.requests[0], "chunked");
    ASSERT_STR_EQ(body_of(&world.wire, 0), "hello world");
    ASSERT_INT_EQ(source.most, 11);
    end(&world);
}

static int feed(void *arg)
{
    weft_stream *stream = arg;
    for (int i = 0; i < 3; i++) {
        weft_sleep(WEFT_SEC(60)); /* slow, which is no time-out of a write or a read */
        ASSERT_OK(weft_stream_write(stream, hello[i], strlen(hello[i])));
        ASSERT_OK(weft_stream_flush(stream));
    }
    weft_stream_free(stream);
    return 0;
}

VIRTUAL_TEST(body_comes_from_a_stream_in_its_own_time)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const char *const bodies[] = {CHUNKS, "hello w"};
    for (int i = 0; i < 2; i++) {
        struct world world;
        weft_group group;
        weft_stream *near;
        weft_stream *far;
        start(&world, answers, 1, NULL);
        ASSERT_OK(weft_group_init(&group, NULL));
        ASSERT_OK(weft_stream_pair(0, &near, &far));
        ASSERT_OK(weft_group_spawn(&group, feed, far));
        ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.body_stream = near, .body_size = i == 0 ? 0 : 7)),
                      200);
        ASSERT_STR_EQ(body_of(&world.wire, 0), bodies[i]);
        ASSERT_OK(weft_group_wait(&group));
        weft_stream_free(near);
        end(&world);
    }
}

struct flood {
    uint64_t left;
    uint64_t most;
};

static int64_t read_flood(void *userdata, void *data, size_t len)
{
    struct flood *flood = userdata;
    size_t n = len < flood->left ? len : (size_t)flood->left;
    memset(data, 'x', n);
    flood->left -= n;
    if (n > flood->most)
        flood->most = n;
    return (int64_t)n;
}

VIRTUAL_TEST(body_larger_than_any_buffer_goes_through_64_kib)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct world world;
    struct flood flood = {.left = 200000};
    start(&world, answers, 1, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.body_reader = read_flood, .body_userdata = &flood,
                                           .body_size = 200000)),
                  200);
    ASSERT_INT_EQ(flood.most, 65536);
    ASSERT_INT_EQ(strspn(body_of(&world.wire, 0), "x"), 200000);
    end(&world);
}

VIRTUAL_TEST(body_without_end_stops_at_an_early_answer)
{
    static const struct wire_answer answers[] = {{TOO_MUCH, .early = true}};
    struct world world;
    struct flood flood = {.left = UINT64_MAX};
    start(&world, answers, 1, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.body_reader = read_flood, .body_userdata = &flood)),
                  413);
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

/* ---- again ---- */

VIRTUAL_TEST(retry_sends_a_rewound_body_again)
{
    static const struct wire_answer answers[] = {{BUSY}, {NULL}, {GOOD}};
    struct world world;
    start(&world, answers, 3, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(REWINDER)), 200);
    ASSERT_INT_EQ(source.rewinds, 2);
    for (size_t i = 0; i < 3; i++)
        ASSERT_STR_EQ(body_of(&world.wire, i), JOINED);
    end(&world);
}

VIRTUAL_TEST(retry_of_a_status_without_rewind_gives_the_response)
{
    static const struct wire_answer answers[] = {{BUSY}, {GOOD}};
    struct world world;
    start(&world, answers, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(READER)), 503);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

VIRTUAL_TEST(retry_of_a_failure_without_rewind_is_refused)
{
    static const struct wire_answer answers[] = {{NULL}, {GOOD}};
    struct world world;
    start(&world, answers, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_ERR(put(&world, WEFT_REQUEST(READER)), WEFT_ENOT_REPLAYABLE);
    ASSERT_STR_EQ(weft_error_message(),
                  "PUT http://example.org/x: the request body cannot be sent a second time without "
                  "body_rewind, and the first: server disconnected without sending a response "
                  "(example.org:80)");
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

VIRTUAL_TEST(retry_before_the_body_was_touched_needs_no_rewind)
{
    static const struct wire_answer answers[] = {{.failed = true}, {.failed = true}, {GOOD}};
    struct world world;
    start(&world, answers, 3, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(READER)), 200);
    ASSERT_STR_EQ(body_of(&world.wire, 2), JOINED);
    end(&world);
}

VIRTUAL_TEST(redirect_sends_a_rewound_body_again)
{
    static const struct wire_answer answers[] = {{MOVED}, {GOOD}};
    struct world world;
    start(&world, answers, 2, WEFT_CLIENT(.follow_redirects = WEFT_ON));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(REWINDER, .body_size = 11)), 200);
    ASSERT_STR_HAS(world.wire.requests[1], "PUT /y HTTP/1.1\r\n");
    ASSERT_STR_EQ(body_of(&world.wire, 1), "hello world");
    end(&world);
}

VIRTUAL_TEST(redirect_without_rewind_is_refused)
{
    static const struct wire_answer answers[] = {{MOVED}, {GOOD}};
    struct world world;
    start(&world, answers, 2, WEFT_CLIENT(.follow_redirects = WEFT_ON, .retry = &at_once));
    ASSERT_ERR(put(&world, WEFT_REQUEST(READER)), WEFT_ENOT_REPLAYABLE);
    ASSERT_STR_EQ(weft_error_message(), "PUT http://example.org/y: the request body cannot be sent "
                                        "a second time without body_rewind");
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

VIRTUAL_TEST(redirect_to_a_get_needs_no_body)
{
    static const struct wire_answer answers[] = {{OTHER}, {GOOD}};
    struct world world;
    start(&world, answers, 2, WEFT_CLIENT(.follow_redirects = WEFT_ON));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(READER)), 200);
    ASSERT_STR_HAS(world.wire.requests[1], "GET /y HTTP/1.1\r\n");
    ASSERT_STR_LACKS(world.wire.requests[1], "chunked");
    end(&world);
}

/* A connection that was used before breaks: it is replaced without a policy, as for any body. */
VIRTUAL_TEST(stale_connection_is_replaced_if_the_body_can_be_rewound)
{
    static const struct wire_answer answers[] = {{GOOD}, {NULL}, {GOOD}, {NULL}, {GOOD}};
    struct world world;
    start(&world, answers, 5, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(REWINDER)), 200);
    rewind_source(&source);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(REWINDER)), 200);
    ASSERT_STR_EQ(body_of(&world.wire, 2), JOINED);
    ASSERT_ERR(put(&world, WEFT_REQUEST(READER)), WEFT_EDISCONNECTED);
    ASSERT_INT_EQ(world.wire.n_requests, 4);
    end(&world);
}

VIRTUAL_TEST(hedge_is_not_for_bodies_that_come_piece_by_piece)
{
    static const struct wire_answer answers[] = {{GOOD, .takes = WEFT_SEC(3)}};
    struct world world;
    start(&world, answers, 1, WEFT_CLIENT(.retry = WEFT_RETRY(.hedge_after = WEFT_SEC(1))));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(REWINDER)), 200);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

/* ---- progress ---- */

VIRTUAL_TEST(upload_progress_of_a_large_body_comes_in_pieces_and_can_end_it)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const char large[200000];
    struct world world;
    struct progress progress = {0};
    const weft_request_options *options =
        WEFT_REQUEST(.content = large, .content_len = sizeof large, .on_upload = note_progress,
                     .upload_userdata = &progress);
    start(&world, answers, 1, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(put(&world, options), 200);
    ASSERT_INT_EQ(progress.calls, 4);
    ASSERT_INT_EQ(progress.sent, 200000);
    ASSERT_INT_EQ(progress.size, 200000);
    progress.fails_at = 65536;
    ASSERT_ERR(put(&world, options), -EPERM);
    ASSERT_STR_HAS(weft_error_message(), "the upload was given up: ");
    ASSERT_INT_EQ(progress.calls, 5);
    end(&world);
}

/* ---- failures ---- */

VIRTUAL_TEST(reader_that_fails_ends_the_call)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const weft_retry_policy all = {.wait = {WEFT_WAIT_NONE}, .when = {WEFT_WHEN_ALWAYS}};
    static const int errors[] = {-EIO, WEFT_EREAD, -ENOMEM};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        start(&world, answers, 1, WEFT_CLIENT(.retry = &all));
        source.fails_at = 2;
        source.error = errors[i];
        ASSERT_ERR(put(&world, WEFT_REQUEST(REWINDER)), errors[i]);
        ASSERT_STR_HAS(weft_error_message(),
                       "PUT http://example.org/x: the request body could not be read: ");
        ASSERT_STR_HAS(weft_error_message(), weft_error_text(errors[i]));
        ASSERT_INT_EQ(world.wire.dials, 1);
        ASSERT_INT_EQ(source.rewinds, 0);
        end(&world);
    }
}

static int64_t read_too_much(void *userdata, void *data, size_t len)
{
    (void)userdata;
    (void)data;
    return (int64_t)len + 1;
}

VIRTUAL_TEST(reader_that_claims_too_much_is_found_out)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct world world;
    start(&world, answers, 1, NULL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(.body_reader = read_too_much)), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "body_reader returned 65537, more than the 65536");
    end(&world);
}

VIRTUAL_TEST(body_shorter_than_its_size_is_an_error)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct world world;
    start(&world, answers, 1, WEFT_CLIENT(.retry = &at_once));
    ASSERT_ERR(put(&world, WEFT_REQUEST(REWINDER, .body_size = 12)), WEFT_ELOCAL_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "the request body ended after 11 of 12 bytes");
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

static int fail_rewind(void *userdata)
{
    (void)userdata;
    return -ESPIPE;
}

VIRTUAL_TEST(rewind_that_fails_ends_the_call)
{
    static const struct wire_answer answers[] = {{BUSY}, {GOOD}};
    struct world world;
    start(&world, answers, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_ERR(put(&world, WEFT_REQUEST(READER, .body_rewind = fail_rewind)), -ESPIPE);
    ASSERT_STR_HAS(weft_error_message(), "the request body could not be rewound");
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

VIRTUAL_TEST(body_options_that_contradict_are_refused)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const weft_pair form[] = {{"a", "b"}, {0}};
    struct world world;
    start(&world, answers, 1, NULL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(READER, .content = "x", .content_len = 1)), -EINVAL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(READER, .form = form)), -EINVAL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(.form = form, .content = "x")), -EINVAL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(.body_size = 1)), -EINVAL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(.body_rewind = rewind_source)), -EINVAL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(.content_len = 1)), -EINVAL);
    ASSERT_INT_EQ(world.wire.dials, 0);
    end(&world);
}

VIRTUAL_TEST(body_from_a_reader_is_cancelled_anywhere)
{
    static const struct wire_answer answers[] = {{BUSY}, {GOOD}};
    for (uint64_t k = 1; k < 30; k++) {
        struct world world;
        weft_scope scope;
        start(&world, answers, 2, WEFT_CLIENT(.retry = &at_once));
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, k);
        int err = put(&world, WEFT_REQUEST(REWINDER));
        weft_testing_cancel_at(NULL, 0);
        ASSERT(err == 200 || err == -ECANCELED);
        ASSERT_OK(weft_scope_exit(&scope, err < 0 ? err : 0));
        end(&world);
    }
}

VIRTUAL_TEST(body_from_a_reader_survives_every_failed_allocation)
{
    static const struct wire_answer answers[] = {{BUSY}, {GOOD}};
    bool succeeded = false;
    for (uint64_t k = 1; k < 120; k++) {
        struct world world;
        start(&world, answers, 2, WEFT_CLIENT(.retry = &at_once));
        weft_testing_fail_alloc(k, false);
        int err = put(&world, WEFT_REQUEST(REWINDER));
        weft_testing_fail_alloc(0, false);
        succeeded = succeeded || err == 200;
        end(&world);
    }
    ASSERT(succeeded);
}

/* Expect: 100-continue, framing that the caller chooses, progress of an upload. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "gate.h"
#include "calls.h"
#include "client/client_int.h"
#include "test.h"

#define GO "HTTP/1.1 100 Continue\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* What one connection after another sees and says. */
struct step {
    const char *text; /* read exactly this much, and it must be this; NULL: nothing */
    const char *say;
    int64_t before; /* it is said */
};

struct peer {
    weft_group group;
    const struct step *steps; /* ends with {0}; {.say = ""} begins a new connection */
    weft_stream *streams[8];
    size_t n;
    int64_t body_came; /* when the last text was read */
    bool may_end;      /* the client may close at any time */
};

static int play(void *arg)
{
    struct peer *peer = arg;
    char got[4096];
    size_t connection = 0;
    for (const struct step *step = peer->steps; step->text != NULL || step->say != NULL; step++) {
        if (step->text == NULL && step->say[0] == '\0') {
            connection++;
            while (peer->n <= connection && weft_sleep(WEFT_MS(1)) == 0)
                continue;
            if (peer->n <= connection)
                return 0;
            continue;
        }
        weft_stream *stream = peer->streams[connection];
        size_t len = step->text != NULL ? strlen(step->text) : 0;
        for (size_t n = 0; n < len;) {
            int64_t more = weft_stream_read(stream, got + n, len - n);
            if (more <= 0 && peer->may_end)
                return 0;
            if (more <= 0)
                FAIL("\"%.*s\" came instead of \"%s\"", (int)n, got, step->text);
            n += (size_t)more;
            got[n] = '\0';
            peer->body_came = weft_now();
        }
        if (step->text != NULL && !(test_is_over_h2() && strcasecmp(got, step->text) == 0))
            ASSERT_STR_EQ(got, step->text);
        if (weft_sleep(step->before) < 0)
            return 0;
        if (step->say != NULL && weft_stream_write(stream, step->say, strlen(step->say)) == 0)
            weft_stream_flush(stream);
    }
    return 0;
}

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct peer *peer = userdata;
    (void)url;
    ASSERT_INT_LT(peer->n, 8);
    int err = gate_pair(&peer->group, 4096, ret, &peer->streams[peer->n]);
    if (err == 0 && ++peer->n == 1)
        ASSERT_OK(weft_group_spawn(&peer->group, play, peer));
    return err;
}

struct world {
    struct peer peer;
    weft_client *client;
};

static void begin(struct world *world, const struct step *steps, const weft_client_options *options)
{
    memset(world, 0, sizeof *world);
    world->peer.steps = steps;
    ASSERT_OK(weft_group_init(&world->peer.group, NULL));
    ASSERT_OK(weft_client_new(options, &world->client));
    gate_dial(world->client, dial, &world->peer);
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    weft_group_cancel(&world->peer.group, "the test is over");
    weft_group_wait(&world->peer.group);
    for (size_t i = 0; i < world->peer.n; i++)
        weft_stream_free(world->peer.streams[i]);
}

static int put(struct world *world, const weft_request_options *options)
{
    return call(world->client, "PUT", URL, options);
}

#define HEAD(fields)                                                                               \
    "PUT /x HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n"                                      \
    "Accept-Encoding: gzip, deflate, br, zstd\r\nUser-Agent: weft/" WEFT_VERSION "\r\n" fields     \
    "\r\n"
#define EXPECTS "Expect: 100-continue\r\nContent-Length: 5\r\n"
#define BODY    .content = "hello", .content_len = 5

VIRTUAL_TEST(expect_body_is_sent_when_the_server_wants_it)
{
    static const struct step steps[] = {
        {HEAD(EXPECTS), GO, WEFT_MS(300)},
        {"hello", OK, 0},
        {HEAD(EXPECTS), "HTTP/1.1 103 Early Hints\r\n\r\n" GO, 0},
        {"hello", OK, 0},
        {0},
    };
    struct world world;
    begin(&world, steps, NULL);
    int64_t start = weft_now();
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .expect_continue = true)), 200);
    ASSERT_INT_EQ(world.peer.body_came - start, WEFT_MS(300));
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .expect_continue = true)), 200);
    ASSERT_INT_EQ(world.peer.n, 1); /* the connection was kept */
    end(&world);
}

VIRTUAL_TEST(expect_body_is_sent_to_a_silent_server_after_a_while)
{
    static const struct step steps[] = {
        {HEAD(EXPECTS), NULL, 0}, {"hello", OK, 0}, {HEAD(EXPECTS), NULL, 0}, {"hello", OK, 0}, {0},
    };
    struct world world;
    begin(&world, steps, NULL);
    int64_t start = weft_now();
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .expect_continue = true)), 200);
    ASSERT_INT_EQ(world.peer.body_came - start, WEFT_SEC(1));
    start = weft_now();
    ASSERT_INT_EQ(
        put(&world, WEFT_REQUEST(BODY, .expect_continue = true, .continue_timeout = WEFT_MS(20))),
        200);
    ASSERT_INT_EQ(world.peer.body_came - start, WEFT_MS(20));
    end(&world);
}

static int64_t read_never(void *userdata, void *data, size_t len)
{
    (void)userdata;
    (void)data;
    (void)len;
    FAIL("the body was asked for");
}

VIRTUAL_TEST(expect_final_answer_stands_for_the_body)
{
    static const struct step steps[] = {
        {HEAD("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"),
         "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 0},
        {.say = ""},
        {HEAD(EXPECTS), OK, 0},
        {.say = ""},
        {HEAD(EXPECTS), OK, 0},
        {0},
    };
    struct world world;
    weft_pool_stats stats = {.size = sizeof stats};
    begin(&world, steps, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.body_reader = read_never, .expect_continue = true)),
                  401);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .expect_continue = true)), 200);
    /* What the server waits for never came: the connection cannot be used again. */
    weft_client_pool_stats(world.client, &stats);
    ASSERT_INT_EQ(stats.idle, test_is_over_h2());
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .expect_continue = true)), 200);
    end(&world);
}

VIRTUAL_TEST(expect_refused_with_417_is_asked_again_without)
{
    static const struct step steps[] = {
        {HEAD(EXPECTS), "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", 0},
        {.say = ""},
        {HEAD("Content-Length: 5\r\n") "hello", OK, 0},
        {0},
    };
    struct world world;
    begin(&world, steps, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .expect_continue = true)), 200);
    ASSERT_INT_EQ(world.peer.n, 2);
    end(&world);
}

VIRTUAL_TEST(expect_is_not_for_requests_without_a_body)
{
    static const struct step steps[] = {{HEAD("Content-Length: 0\r\n"), OK, 0}, {0}};
    struct world world;
    begin(&world, steps, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.expect_continue = true)), 200);
    end(&world);
}

VIRTUAL_TEST(expect_among_the_fields_counts_too)
{
    static const weft_pair fields[] = {{"expect", "100-Continue"}, {0}};
    static const struct step steps[] = {
        {HEAD("expect: 100-Continue\r\nContent-Length: 5\r\n"), GO, WEFT_MS(10)},
        {"hello", OK, 0},
        {0},
    };
    struct world world;
    begin(&world, steps, NULL);
    int64_t start = weft_now();
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .headers = fields)), 200);
    ASSERT_INT_EQ(world.peer.body_came - start, WEFT_MS(10));
    end(&world);
}

VIRTUAL_TEST(expect_wait_is_bounded_by_the_total_time)
{
    static const struct step steps[] = {{HEAD(EXPECTS), "HTTP/1.1 2", 0}, {0}};
    struct world world;
    begin(&world, steps, NULL);
    ASSERT_ERR(put(&world, WEFT_REQUEST(BODY, .expect_continue = true, .timeout = WEFT_MS(500))),
               WEFT_ETOTAL_TIMEOUT);
    end(&world);
}

VIRTUAL_TEST(expect_wait_is_cancelled_anywhere)
{
    static const struct step steps[] = {
        {HEAD(EXPECTS), GO, WEFT_MS(10)}, {"hello", OK, 0}, {.say = ""}, {0}};
    for (uint64_t k = 1; k < 20; k++) {
        struct world world;
        weft_scope scope;
        begin(&world, steps, NULL);
        world.peer.may_end = true;
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, k);
        int err = put(&world, WEFT_REQUEST(BODY, .expect_continue = true));
        weft_testing_cancel_at(NULL, 0);
        ASSERT(err == 200 || err == -ECANCELED);
        ASSERT_OK(weft_scope_exit(&scope, err < 0 ? err : 0));
        end(&world);
    }
}

/* ---- framing of the caller's choice ---- */

VIRTUAL_TEST(framing_by_the_caller_is_honoured_once)
{
    static const weft_pair length[] = {{"content-length", "5"}, {0}};
    static const weft_pair none[] = {{"Content-Length", "0"}, {0}};
    static const weft_pair chunked[] = {{"Transfer-Encoding", "Chunked"}, {0}};
    static const struct step steps[] = {
        {HEAD("Content-Length: 5\r\n") "hello", OK, 0},
        {HEAD("Content-Length: 5\r\n") "hello", OK, 0},
        {HEAD("Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n", OK, 0},
        {HEAD("Content-Length: 0\r\n"), OK, 0},
        {HEAD("Transfer-Encoding: chunked\r\n") "0\r\n\r\n", OK, 0},
        {0},
    };
    struct world world;
    struct text text = {"hello world"};
    begin(&world, steps, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .headers = length)), 200);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.body_reader = read_text, .body_userdata = &text,
                                           .headers = length)),
                  200);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, .headers = chunked)), 200);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.headers = none)), 200);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.headers = chunked)), 200);
    end(&world);
}

VIRTUAL_TEST(framing_that_contradicts_the_body_is_refused)
{
    static const weft_pair bad[][3] = {
        {{"Content-Length", "4"}, {0}},
        {{"Content-Length", "+5"}, {0}},
        {{"Content-Length", "5,5"}, {0}},
        {{"Content-Length", "99999999999999999999"}, {0}},
        {{"Content-Length", "5"}, {"content-length", "5"}, {0}},
        {{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}, {0}},
        {{"Transfer-Encoding", "gzip, chunked"}, {0}},
        {{"Transfer-Encoding", "identity"}, {0}},
    };
    static const struct step steps[] = {{0}};
    struct world world;
    weft_client *client;
    begin(&world, steps, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_ERR(put(&world, WEFT_REQUEST(BODY, .headers = bad[i])), WEFT_ELOCAL_PROTOCOL);
        ASSERT_ERR(weft_client_new(WEFT_CLIENT(.headers = bad[i]), &client), WEFT_ELOCAL_PROTOCOL);
    }
    ASSERT_INT_EQ(world.peer.n, 0);
    end(&world);
}

/* ---- progress ---- */

VIRTUAL_TEST(upload_progress_is_told_piece_by_piece)
{
    struct progress progress = {0};
    struct text text = {"hello"};
    struct world world;
    static const struct step steps[] = {
        {HEAD("Content-Length: 5\r\n") "hello", OK, 0},
        {HEAD("Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n", OK, 0},
        {0},
    };
    begin(&world, steps, NULL);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(BODY, TOLD)), 200);
    ASSERT_INT_EQ(progress.calls, 1);
    ASSERT_INT_EQ(progress.sent, 5);
    ASSERT_INT_EQ(progress.size, 5);
    ASSERT_INT_EQ(put(&world, WEFT_REQUEST(.body_reader = read_text, .body_userdata = &text, TOLD)),
                  200);
    ASSERT_INT_EQ(progress.calls, 2);
    ASSERT_INT_EQ(progress.sent, 5);
    ASSERT_INT_EQ(progress.size, 0);
    end(&world);
}

/* A body as text: encodings, pieces, lines, JSON lines; what may be read after what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>
#include <weft/testing.h>

#include "gate.h"
#include "client/client_int.h"
#include "test.h"

#define URL "http://example.org/x"

/* One answer on each connection, in pieces with a pause before each. */
struct world {
    weft_group group;
    weft_client *client;
    const char *head;
    const char *body;
    size_t len;
    size_t piece;
};

struct peer {
    struct world *world;
    weft_stream *stream;
};

static int serve(void *arg)
{
    struct peer *peer = arg;
    struct world *world = peer->world;
    char request[1024];
    int64_t n = weft_stream_read(peer->stream, request, sizeof request);
    if (n > 0 && weft_stream_write(peer->stream, world->head, strlen(world->head)) == 0) {
        for (size_t at = 0; at < world->len; at += world->piece) {
            size_t left = world->len - at;
            if (weft_sleep(WEFT_MS(1)) < 0 ||
                weft_stream_write(peer->stream, world->body + at,
                                  left < world->piece ? left : world->piece) < 0)
                break;
        }
    }
    weft_stream_close(peer->stream);
    weft_stream_free(peer->stream);
    free(peer);
    return 0;
}

static int dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct peer *peer = malloc(sizeof *peer);
    weft_stream *near;
    (void)url;
    peer->world = userdata;
    int err = gate_pair(&peer->world->group, 4096, &near, &peer->stream);
    if (err < 0) {
        free(peer);
        return err;
    }
    weft_stream *far = peer->stream;
    err = weft_group_spawn(&peer->world->group, serve, peer);
    if (err < 0) {
        free(peer);
        weft_stream_free(far);
        weft_stream_free(near);
        return err;
    }
    *ret = near;
    return 0;
}

static void begin(struct world *world, const char *type, const char *body, size_t len)
{
    static char head[300];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s%s%s\r\n",
             type != NULL ? "Content-Type: " : "", type != NULL ? type : "",
             type != NULL ? "\r\n" : "");
    *world = (struct world){.head = head, .body = body, .len = len, .piece = 1};
    ASSERT_OK(weft_group_init(&world->group, WEFT_GROUP(.name = "server")));
    ASSERT_OK(weft_client_new(NULL, &world->client));
    gate_dial(world->client, dial, world);
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    weft_group_cancel(&world->group, "the test is over");
    weft_group_wait(&world->group);
}

static weft_response *get(struct world *world)
{
    weft_response *response;
    ASSERT_OK(weft_client_get(world->client, URL, NULL, &response));
    return response;
}

static weft_response *stream(struct world *world, const weft_request_options *options)
{
    weft_response *response;
    ASSERT_OK(weft_client_stream(world->client, "GET", URL, options, &response));
    return response;
}

/* ---- encodings ---- */

static const struct {
    const char *type;
    const char *body;
    size_t len;
    const char *charset;
    const char *encoding;
    const char *text;
} encodings[] = {
    {NULL, "h\xc3\xa9", 3, NULL, "utf-8", "h\xc3\xa9"},
    {"text/plain", "plain ascii, long enough", 24, NULL, "utf-8", "plain ascii, long enough"},
    {"text/plain; charset=iso-8859-1", "h\xe9", 2, "iso-8859-1", "iso-8859-1", "h\xc3\xa9"},
    {"text/plain;charset=\"latin-1\"; x=y", "h\xe9", 2, "latin-1", "latin-1", "h\xc3\xa9"},
    {"text/plain; x=\"; charset=utf-16\"; Charset=LATIN1", "\xe9", 1, "LATIN1", "LATIN1",
     "\xc3\xa9"},
    {"text/plain; charset=klingon", "h\xc3\xa9", 3, "klingon", "utf-8", "h\xc3\xa9"},
    {"text/plain; charset=", "x", 1, NULL, "utf-8", "x"},
    {"text/plain; charset", "x", 1, NULL, "utf-8", "x"},
    {"; charset=latin-1", "\xe9", 1, "latin-1", "latin-1", "\xc3\xa9"},
    {"text/plain; charset=utf-16le", "h\0i\0", 4, "utf-16le", "utf-16le", "hi"},
    {"text/plain; charset=utf-16", "\xff\xfeh\0", 4, "utf-16", "utf-16", "h"},
    {"text/plain; charset=shift_jis", "\x82\xa0", 2, "shift_jis", "shift_jis", "\xe3\x81\x82"},
    {"text/plain; charset=utf-8", "\xef\xbb\xbfx", 4, "utf-8", "utf-8", "x"},
    {NULL,
     "a\xff"
     "b",
     3, NULL, "utf-8",
     "a\xef\xbf\xbd"
     "b"},
    {NULL, "12345678\xc3", 9, NULL, "utf-8", "12345678\xef\xbf\xbd"},
    {NULL, "\xed\xa0\x80", 3, NULL, "utf-8", NULL}, /* half of a pair */
    {NULL, "\xf0\x9f\x98\x80", 4, NULL, "utf-8", "\xf0\x9f\x98\x80"},
    {NULL, "\xc0\x80", 2, NULL, "utf-8", NULL},
    {NULL, "\xf4\x90\x80\x80", 4, NULL, "utf-8", NULL},
    {NULL, "", 0, NULL, "utf-8", ""},
};

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

VIRTUAL_TEST(text_has_the_encoding_that_the_answer_says)
{
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        struct world world;
        char pieces[100] = "";
        const char *piece;
        size_t len;
        int64_t n;
        begin(&world, encodings[i].type, encodings[i].body, encodings[i].len);
        weft_response *response = get(&world);
        ASSERT(same(weft_response_charset_encoding(response), encodings[i].charset));
        ASSERT_STR_EQ(weft_response_encoding(response), encodings[i].encoding);
        const char *text = weft_response_text(response, &len);
        ASSERT_INT_EQ(text[len], '\0');
        ASSERT_INT_EQ(strlen(text), len);
        if (encodings[i].text != NULL)
            ASSERT_STR_EQ(text, encodings[i].text);
        else
            ASSERT_STR_HAS(text, "\xef\xbf\xbd");
        ASSERT(weft_response_text(response, NULL) == text);
        weft_response_content(response, &len);
        ASSERT_INT_EQ(len, encodings[i].len);
        weft_response *streamed = stream(&world, NULL);
        while ((n = weft_response_read_text(streamed, 0, &piece)) > 0)
            strncat(pieces, piece, (size_t)n);
        ASSERT_INT_EQ(n, 0);
        ASSERT_STR_EQ(pieces, text);
        weft_response_free(streamed);
        weft_response_free(response);
        end(&world);
    }
}

VIRTUAL_TEST(encoding_can_be_set_until_text_is_read)
{
    struct world world;
    begin(&world, "text/plain; charset=utf-8", "h\xe9", 2);
    weft_response *response = get(&world);
    ASSERT_ERR(weft_response_set_encoding(response, "klingon"), -EINVAL);
    ASSERT_ERR(weft_response_set_encoding(response, NULL), -EINVAL);
    ASSERT_OK(weft_response_set_encoding(response, "latin-1"));
    ASSERT_STR_EQ(weft_response_encoding(response), "latin-1");
    ASSERT_STR_EQ(weft_response_text(response, NULL), "h\xc3\xa9");
    ASSERT_ERR(weft_response_set_encoding(response, "utf-8"), WEFT_ESTREAM_CONSUMED);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(encoding_of_the_client_and_of_the_call_is_for_those_who_do_not_say)
{
    struct world world;
    weft_response *response;
    weft_client *client;
    begin(&world, NULL, "h\xe9", 2);
    ASSERT_ERR(weft_client_new(WEFT_CLIENT(.default_encoding = "klingon"), &client), -EINVAL);
    ASSERT_ERR(
        weft_client_get(world.client, URL, WEFT_REQUEST(.default_encoding = "klingon"), &response),
        -EINVAL);
    ASSERT_OK(
        weft_client_get(world.client, URL, WEFT_REQUEST(.default_encoding = "latin-1"), &response));
    ASSERT_STR_EQ(weft_response_text(response, NULL), "h\xc3\xa9");
    weft_response_free(response);
    ASSERT_OK(weft_client_new(WEFT_CLIENT(.default_encoding = "windows-1252"), &client));
    gate_dial(client, dial, &world);
    ASSERT_OK(weft_client_get(client, URL, NULL, &response));
    ASSERT_STR_EQ(weft_response_encoding(response), "windows-1252");
    ASSERT_STR_EQ(weft_response_text(response, NULL), "h\xc3\xa9");
    weft_response_free(response);
    weft_client_free(client);
    end(&world);
}

VIRTUAL_TEST(json_is_read_in_each_unicode_encoding)
{
    static const struct {
        const char *body;
        size_t len;
    } bodies[] = {
        {"{\"a\":1}", 7},
        {"\xef\xbb\xbf{\"a\":1}", 10},
        {"{\0\"\0a\0\"\0:\0001\0}\0", 14},
        {"\xff\xfe{\0\"\0a\0\"\0:\0001\0}\0", 16},
        {"\0{\0\"\0a\0\"\0:\0001\0}", 14},
        {"\xfe\xff\0{\0\"\0a\0\"\0:\0001\0}", 16},
        {"{\0\0\0\"\0\0\0a\0\0\0\"\0\0\0:\0\0\0001\0\0\0}\0\0\0", 28},
        {"\xff\xfe\0\0{\0\0\0\"\0\0\0a\0\0\0\"\0\0\0:\0\0\0001\0\0\0}\0\0\0", 32},
        {"\0\0\0{\0\0\0\"\0\0\0a\0\0\0\"\0\0\0:\0\0\0001\0\0\0}", 28},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct world world;
        json_t *json;
        begin(&world, "application/json; charset=latin-1", bodies[i].body, bodies[i].len);
        weft_response *response = get(&world);
        ASSERT_OK(weft_response_json(response, &json));
        ASSERT_INT_EQ(json_integer_value(json_object_get(json, "a")), 1);
        json_decref(json);
        weft_response_free(response);
        end(&world);
    }
}

/* ---- pieces ---- */

#define POEM "one\ntwo\r\nthree\rfour\r\r\n\n\v\f\x1c\xc2\x85\xe2\x80\xa8 five"

static const char *const poem[] = {
    "one", "two", "three", "four", "", "", "\v\f\x1c\xc2\x85\xe2\x80\xa8 five"};
enum { POEM_LINES = 7 };

static void is_poem(weft_response *response)
{
    const char *line = "untouched";
    size_t len = 99;
    for (int i = 0; i < POEM_LINES; i++) {
        ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 1);
        ASSERT_STR_EQ(line, poem[i]);
        ASSERT_INT_EQ(len, strlen(poem[i]));
    }
    line = "untouched";
    ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 0);
    ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 0);
    ASSERT_STR_EQ(line, "untouched");
}

VIRTUAL_TEST(lines_end_with_lf_cr_or_both_at_any_split)
{
    for (size_t piece = 1; piece <= sizeof POEM; piece++) {
        struct world world;
        begin(&world, NULL, POEM, sizeof POEM - 1);
        world.piece = piece;
        weft_response *response = stream(&world, NULL);
        is_poem(response);
        ASSERT(weft_response_is_closed(response));
        weft_response_free(response);
        response = get(&world);
        is_poem(response);
        weft_response_free(response);
        end(&world);
    }
}

VIRTUAL_TEST(line_that_ends_with_cr_is_not_kept_waiting)
{
    struct world world;
    const char *line;
    size_t len;
    begin(&world, NULL, "a\r\nb\n", 5);
    weft_response *response = stream(&world, NULL);
    int64_t began = weft_now();
    ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 1);
    ASSERT_INT_EQ(weft_now() - began, WEFT_MS(2));
    ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 1);
    ASSERT_STR_EQ(line, "b");
    ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 0);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(line_longer_than_its_limit_is_an_error_and_takes_nothing)
{
    struct world world;
    const char *line;
    size_t len;
    begin(&world, NULL, "12345\n123456\n", 13);
    weft_response *response = stream(&world, WEFT_REQUEST(.line_max = 5));
    ASSERT_INT_EQ(weft_response_read_line(response, &line, &len), 1);
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(weft_response_read_line(response, &line, &len), WEFT_ETOO_LONG);
        ASSERT_STR_EQ(weft_error_message(),
                      "GET " URL ": a line of the body is longer than 5 bytes");
    }
    ASSERT(weft_response_read_text(response, 0, &line) > 0);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(json_lines_come_one_by_one)
{
    static const char body[] = "{\"n\":1}\n\n  \r\n{\"n\":2}\nnonsense\n[[[\n{\"n\":3}";
    struct world world;
    json_t *json;
    begin(&world, NULL, body, sizeof body - 1);
    weft_response *response = stream(&world, NULL);
    for (int i = 1; i <= 3; i++) {
        ASSERT_INT_EQ(weft_response_read_json(response, &json), 1);
        ASSERT_INT_EQ(json_integer_value(json_object_get(json, "n")), i);
        json_decref(json);
        if (i != 2)
            continue;
        ASSERT_ERR(weft_response_read_json(response, &json), WEFT_EJSON);
        ASSERT_STR_HAS(weft_error_message(), "line 5 from " URL);
        ASSERT_ERR(weft_response_read_json(response, &json), WEFT_EJSON);
    }
    ASSERT_INT_EQ(weft_response_read_json(response, &json), 0);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(json_line_that_nests_too_deep_is_refused)
{
    char body[2000];
    struct world world;
    json_t *json;
    memset(body, '[', sizeof body);
    begin(&world, NULL, body, sizeof body);
    world.piece = sizeof body;
    weft_response *response = stream(&world, NULL);
    ASSERT_ERR(weft_response_read_json(response, &json), WEFT_EJSON);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(chunks_have_exactly_the_size_that_was_asked_for)
{
    static const char *const chunks[] = {"abcd", "efgh", "ij"};
    struct world world;
    const void *chunk;
    char rest[10];
    begin(&world, NULL, "abcdefghij", 10);
    for (size_t piece = 1; piece < 12; piece++) {
        world.piece = piece;
        weft_response *response = stream(&world, NULL);
        ASSERT_INT_EQ(weft_response_read_chunk(response, 0, &chunk), -EINVAL);
        for (int i = 0; i < 3; i++) {
            ASSERT_INT_EQ(weft_response_read_chunk(response, 4, &chunk), i < 2 ? 4 : 2);
            ASSERT_MEM_EQ(chunk, chunks[i], i < 2 ? 4 : 2);
        }
        ASSERT_INT_EQ(weft_response_read_chunk(response, 4, &chunk), 0);
        ASSERT_INT_EQ(weft_response_read(response, rest, sizeof rest), 0);
        weft_response_free(response);
    }
    end(&world);
}

VIRTUAL_TEST(text_comes_in_so_many_characters)
{
    static const char text[] = "a\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80z";
    static const char *const pieces[] = {"a\xc3\xa9", "\xe3\x81\x82\xf0\x9f\x98\x80", "z"};
    struct world world;
    const char *piece;
    begin(&world, NULL, text, sizeof text - 1);
    for (size_t size = 1; size < 12; size++) {
        world.piece = size;
        weft_response *response = stream(&world, NULL);
        for (int i = 0; i < 3; i++) {
            int64_t len = (int64_t)strlen(pieces[i]);
            ASSERT_INT_EQ(weft_response_read_text(response, 2, &piece), len);
            ASSERT_MEM_EQ(piece, pieces[i], (size_t)len);
        }
        ASSERT_INT_EQ(weft_response_read_text(response, 2, &piece), 0);
        weft_response_free(response);
    }
    end(&world);
}

/* ---- what may follow what ---- */

VIRTUAL_TEST(body_begun_one_way_cannot_be_read_another)
{
    struct world world;
    const char *text;
    const void *chunk;
    size_t len;
    char data[4];
    begin(&world, NULL, "abc\ndef\n", 8);
    weft_response *response = stream(&world, NULL);
    ASSERT(!weft_response_is_stream_consumed(response));
    ASSERT(weft_response_text(response, &len) == NULL);
    ASSERT_STR_EQ(weft_error_message(), "the body was not read yet");
    ASSERT(weft_response_content(response, &len) == NULL);
    ASSERT_INT_EQ(weft_response_read_line(response, &text, &len), 1);
    ASSERT(weft_response_is_stream_consumed(response));
    ASSERT_INT_EQ(weft_response_read(response, data, 4), WEFT_ESTREAM_CONSUMED);
    ASSERT_STR_EQ(weft_error_message(), "the body is already being read as text");
    ASSERT_INT_EQ(weft_response_read_raw(response, data, 4), WEFT_ESTREAM_CONSUMED);
    ASSERT_INT_EQ(weft_response_read_chunk(response, 4, &chunk), WEFT_ESTREAM_CONSUMED);
    ASSERT_ERR(weft_response_read_all(response), WEFT_ESTREAM_CONSUMED);
    ASSERT_ERR(weft_response_set_encoding(response, "latin-1"), WEFT_ESTREAM_CONSUMED);
    ASSERT_INT_EQ(weft_response_read_line(response, &text, &len), 1);
    ASSERT_STR_EQ(text, "def");
    weft_response_free(response);
    response = stream(&world, NULL);
    ASSERT_INT_EQ(weft_response_read(response, data, 1), 1);
    ASSERT_ERR(weft_response_read_line(response, &text, &len), WEFT_ESTREAM_CONSUMED);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(closed_response_cannot_be_read)
{
    struct world world;
    char data[4];
    begin(&world, NULL, "abc\ndef\n", 8);
    weft_response *response = stream(&world, NULL);
    ASSERT(!weft_response_is_closed(response));
    weft_response_close(response);
    weft_response_close(response);
    ASSERT(weft_response_is_closed(response));
    ASSERT_INT_EQ(weft_response_read(response, data, 4), WEFT_ECLOSED);
    ASSERT_STR_EQ(weft_error_message(), "GET " URL ": the response was closed before its end");
    ASSERT_ERR(weft_response_read_all(response), WEFT_ECLOSED);
    ASSERT_INT_EQ(weft_response_status(response), 200);
    weft_response_free(response);
    response = get(&world);
    weft_response_close(response);
    ASSERT_STR_EQ(weft_response_text(response, NULL), "abc\ndef\n");
    ASSERT_OK(weft_response_read_all(response));
    weft_response_free(response);
    end(&world);
}

/* ---- faults ---- */

VIRTUAL_TEST(pieces_lose_nothing_when_they_are_cancelled)
{
    for (int kind = 0; kind < 3; kind++) {
        struct world world;
        char got[100] = "";
        begin(&world, NULL, POEM, sizeof POEM - 1);
        weft_response *response = stream(&world, NULL);
        int64_t n = 1;
        int cancelled = 0;
        while (n != 0) {
            weft_scope scope;
            const char *piece;
            const void *chunk;
            size_t len;
            weft_scope_enter(&scope, WEFT_MS(1) * 3 / 2);
            if (kind == 0)
                n = weft_response_read_chunk(response, 5, &chunk);
            else if (kind == 1)
                n = weft_response_read_text(response, 5, &piece);
            else
                n = weft_response_read_line(response, &piece, &len);
            cancelled += n == -ECANCELED;
            ASSERT(n >= 0 || n == -ECANCELED);
            if (n > 0 && kind == 0)
                strncat(got, chunk, (size_t)n);
            else if (n > 0)
                strncat(got, piece, kind == 1 ? (size_t)n : len);
            int err = weft_scope_exit(&scope, n < 0 ? (int)n : 0);
            ASSERT(err == 0 || err == -ETIMEDOUT);
        }
        ASSERT(cancelled > 3);
        ASSERT_STR_EQ(got, kind < 2 ? POEM : "onetwothreefour\v\f\x1c\xc2\x85\xe2\x80\xa8 five");
        weft_response_free(response);
        end(&world);
    }
}

static int read_in_every_way(struct world *world)
{
    weft_response *response;
    const char *line;
    const void *chunk;
    size_t len;
    int64_t n;
    int err = weft_client_get(world->client, URL, NULL, &response);
    if (err < 0)
        return err;
    err = weft_response_text(response, NULL) != NULL ? 0 : -ENOMEM;
    weft_response_free(response);
    if (err == 0)
        err = weft_client_stream(world->client, "GET", URL, NULL, &response);
    if (err < 0)
        return err;
    while ((n = weft_response_read_line(response, &line, &len)) > 0)
        continue;
    weft_response_free(response);
    if (n == 0)
        n = weft_client_stream(world->client, "GET", URL, NULL, &response);
    if (n < 0)
        return (int)n;
    while ((n = weft_response_read_chunk(response, 3, &chunk)) > 0)
        continue;
    weft_response_free(response);
    return (int)n;
}

VIRTUAL_TEST(pieces_survive_every_failed_allocation)
{
    bool succeeded = false;
    for (uint64_t k = 1; k < 300 && !succeeded; k++) {
        struct world world;
        begin(&world, "text/plain; charset=latin-1", POEM, sizeof POEM - 1);
        world.piece = 20;
        weft_testing_fail_alloc(k, false);
        succeeded = read_in_every_way(&world) == 0 && weft_testing_alloc_count() < k;
        weft_testing_fail_alloc(0, false);
        end(&world);
    }
    ASSERT(succeeded);
}

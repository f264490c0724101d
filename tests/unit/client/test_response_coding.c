/* Content codings undone: what the case files cannot write down. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/encode.h>
#include <zlib.h>

#include <weft.h>
#include <weft/testing.h>

#include "client/client_int.h"
#include "test.h"
#include "wire.h"

#define URL "http://example.org/x"
enum { BIG = 4 * 1024 * 1024, KIB = 1024 };

/* An answer made of a head and a body with any bytes. */
static struct wire_answer answer(const char *fields, const void *body, size_t len)
{
    static char text[BIG + 512];
    int head = snprintf(text, 512, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", fields, len);
    ASSERT(len <= BIG);
    memcpy(text + head, body, len);
    return (struct wire_answer){.text = text, .len = (size_t)head + len};
}

static size_t deflated(const void *data, size_t len, int window_bits, unsigned char *to,
                       size_t room)
{
    z_stream stream = {.next_in = (unsigned char *)data,
                       .avail_in = (unsigned)len,
                       .next_out = to,
                       .avail_out = (unsigned)room};
    ASSERT_INT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    ASSERT_INT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t n = room - stream.avail_out;
    deflateEnd(&stream);
    return n;
}

struct world {
    struct wire wire;
    struct wire_answer answer;
    weft_client *client;
};

static void begin(struct world *world, const char *fields, const void *body, size_t len)
{
    world->answer = answer(fields, body, len);
    wire_start(&world->wire, &world->answer, 1);
    ASSERT_OK(weft_client_new(NULL, &world->client));
    wire_serve(&world->wire, world->client);
}

static void end(struct world *world)
{
    weft_client_free(world->client);
    wire_stop(&world->wire);
}

VIRTUAL_TEST(body_in_brotli_is_decoded)
{
    static char text[100000];
    static uint8_t coded[100000];
    struct world world;
    weft_response *response;
    size_t len = sizeof coded;
    size_t n;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "brotli, "[i * 7 % 8];
    ASSERT(BrotliEncoderCompress(5, 18, BROTLI_MODE_GENERIC, sizeof text, (uint8_t *)text, &len,
                                 coded));
    begin(&world, "Content-Encoding: br\r\n", coded, len);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    const char *content = weft_response_content(response, &n);
    ASSERT_INT_EQ(n, sizeof text);
    ASSERT_MEM_EQ(content, text, n);
    ASSERT_INT_EQ(weft_response_num_bytes_downloaded(response), len);
    weft_response_free(response);
    end(&world);
}

/* 10 GiB of zeros in deflate, deflated once more: a megabyte of it often over. */
static size_t make_bomb(unsigned char *to, size_t room)
{
    enum { TIMES = 10 * 1024, UNIT = 1024 * 1024 };
    static unsigned char zeros[UNIT];
    static unsigned char unit[8 * KIB];
    z_stream inner = {
        .next_in = zeros, .avail_in = UNIT, .next_out = unit, .avail_out = sizeof unit};
    z_stream outer = {.next_out = to, .avail_out = (unsigned)room};
    ASSERT_INT_EQ(deflateInit2(&inner, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ASSERT_INT_EQ(deflate(&inner, Z_FULL_FLUSH), Z_OK);
    size_t len = sizeof unit - inner.avail_out;
    deflateEnd(&inner);
    ASSERT_INT_EQ(deflateInit2(&outer, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < TIMES; i++) {
        outer.next_in = unit;
        outer.avail_in = (unsigned)len;
        ASSERT_INT_EQ(deflate(&outer, i == TIMES - 1 ? Z_FULL_FLUSH : Z_NO_FLUSH), Z_OK);
        ASSERT_INT_EQ(outer.avail_in, 0);
    }
    deflateEnd(&outer);
    return room - outer.avail_out;
}

VIRTUAL_TEST(bomb_of_ten_gib_stops_at_the_limit)
{
    static unsigned char bomb[BIG];
    struct world world;
    weft_response *response;
    size_t len = make_bomb(bomb, sizeof bomb);
    ASSERT(len < 200 * KIB);
    begin(&world, "Content-Encoding: deflate, gzip\r\n", bomb, len);
    ASSERT_ERR(weft_client_get(world.client, URL, WEFT_REQUEST(.body_max = 64 * KIB), &response),
               WEFT_EBODY_TOO_LARGE);
    ASSERT_STR_EQ(weft_error_message(),
                  "GET http://example.org/x: the body is larger than 65536 bytes");
    end(&world);
}

VIRTUAL_TEST(bomb_that_is_streamed_costs_what_is_asked_for)
{
    static unsigned char bomb[BIG];
    static char piece[64 * KIB];
    struct world world;
    weft_response *response;
    size_t len = make_bomb(bomb, sizeof bomb);
    begin(&world, "Content-Encoding: deflate, gzip\r\n", bomb, len);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    for (int i = 0; i < 100; i++) {
        int64_t n = weft_response_read(response, piece, i % 2 ? sizeof piece : 1);
        ASSERT(n > 0 && n <= (int64_t)sizeof piece);
        ASSERT(response->conn->in_cap <= 64 * KIB);
    }
    weft_response_free(response);
    end(&world);
}

/* Empty blocks: much comes, and becomes nothing. */
VIRTUAL_TEST(coding_of_nothing_without_end_stops_at_the_limit)
{
    static char blocks[1000 * 1000];
    struct world world;
    weft_response *response;
    for (size_t i = 0; i < sizeof blocks; i += 5)
        memcpy(blocks + i, "\0\0\0\377\377", 5);
    begin(&world, "Content-Encoding: deflate\r\n", blocks, sizeof blocks);
    ASSERT_ERR(weft_client_get(world.client, URL, WEFT_REQUEST(.body_max = 64 * KIB), &response),
               WEFT_EBODY_TOO_LARGE);
    ASSERT_STR_HAS(weft_error_message(), "the coded body is larger than 196608 bytes");
    end(&world);
}

VIRTUAL_TEST(raw_bytes_are_there_for_those_who_ask)
{
    static const char text[] = "hello hello hello";
    static const char *const fields[] = {"Content-Encoding: gzip\r\n", ""};
    unsigned char coded[200];
    char got[200];
    struct world world;
    weft_response *response;
    size_t len = deflated(text, sizeof text, 15 + 16, coded, sizeof coded);
    begin(&world, fields[0], coded, len);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_read_raw(response, got, 10), 10);
    ASSERT_INT_EQ(weft_response_read_raw(response, got + 10, sizeof got - 10), (int64_t)len - 10);
    ASSERT_MEM_EQ(got, coded, len);
    ASSERT_INT_EQ(weft_response_read_raw(response, got, 10), 0);
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_read(response, got, 5), 5);
    ASSERT_ERR((int)weft_response_read_raw(response, got, 10), WEFT_ESTREAM_CONSUMED);
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_read_raw(response, got, 5), 5);
    ASSERT_ERR((int)weft_response_read(response, got, 10), WEFT_ESTREAM_CONSUMED);
    weft_response_free(response);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_ERR((int)weft_response_read_raw(response, got, 10), WEFT_ESTREAM_CONSUMED);
    weft_response_free(response);
    end(&world);
}

/* As a stream and at once: what came, or an error. */
static int get_coded(struct world *world)
{
    weft_response *response;
    char piece[7];
    int64_t n;
    int err = weft_client_stream(world->client, "GET", URL, NULL, &response);
    if (err < 0)
        return err;
    do
        n = weft_response_read(response, piece, sizeof piece);
    while (n > 0);
    weft_response_free(response);
    if (n < 0)
        return (int)n;
    err = weft_client_get(world->client, URL, NULL, &response);
    if (err == 0)
        weft_response_free(response);
    return err;
}

static void begin_coded(struct world *world)
{
    static char text[3000];
    unsigned char coded[4000];
    memset(text, 'x', sizeof text);
    size_t len = deflated(text, sizeof text, 15 + 16, coded, sizeof coded);
    begin(world, "Content-Encoding: gzip\r\n", coded, len);
}

VIRTUAL_TEST(coded_body_is_cancelled_anywhere)
{
    bool succeeded = false;
    for (uint64_t k = 1; k < 120 && !succeeded; k++) {
        struct world world;
        weft_scope scope;
        begin_coded(&world);
        weft_scope_enter(&scope, WEFT_FOREVER);
        weft_testing_cancel_at(&scope, k);
        int err = get_coded(&world);
        weft_testing_cancel_at(NULL, 0);
        ASSERT(err == 0 || err == -ECANCELED);
        succeeded = succeeded || err == 0;
        ASSERT_OK(weft_scope_exit(&scope, err));
        end(&world);
    }
    ASSERT(succeeded);
}

VIRTUAL_TEST(coded_body_survives_every_failed_allocation)
{
    bool succeeded = false;
    for (uint64_t k = 1; k < 120; k++) {
        struct world world;
        begin_coded(&world);
        weft_testing_fail_alloc(k, false);
        int err = get_coded(&world);
        weft_testing_fail_alloc(0, false);
        succeeded = succeeded || err == 0;
        end(&world);
    }
    ASSERT(succeeded);
}

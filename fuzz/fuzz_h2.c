/*
 * fuzz_h2.c - an HTTP/2 client session: whatever a server sends, and whatever the owner of a
 * stream does meanwhile.
 *
 * The input is a list of steps.  A step is a byte that says what is done, for which of eight
 * streams, and where it takes bytes, one or two for how many.  What the server says is fed
 * in pieces.  At the end everything is let go of; memory and the counts must be as at first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>

#include "base/limits.h"
#include "proto/h2_int.h"

enum { STREAMS = 8, OUTPUT_MAX = 1 << 20, UNREAD_MAX = 64 << 20 };

struct fuzz {
    struct weft__h2 *h2;
    struct weft__h2_stream *streams[STREAMS];
    struct weft__buf out;
    const uint8_t *data;
    size_t len;
    int64_t now;
    bool freeing; /* the event lets go of its stream */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_hold(bool condition, const char *text, int line)
{
    if (condition)
        return;
    fprintf(stderr, "line %d: it does not hold that %s\n", line, text);
    abort();
}

#define must(condition) must_hold((condition), #condition, __LINE__)

static uint8_t next(struct fuzz *fuzz)
{
    if (fuzz->len == 0)
        return 0;
    fuzz->len--;
    return *fuzz->data++;
}

/* ---- events ---- */

static void on_stream(struct weft__h2_stream *stream, void *owner)
{
    struct fuzz *fuzz = owner;
    const char *data;
    must(weft__h2_data(stream, &data) <= UNREAD_MAX);
    if (weft__h2_is_ended(stream))
        must(weft__h2_stream_error(stream) == 0 && weft__h2_status(stream) >= 200);
    for (int i = 0; i < STREAMS && fuzz->freeing; i++) {
        if (fuzz->streams[i] == stream) {
            fuzz->streams[i] = NULL;
            weft__h2_stream_free(stream);
            return;
        }
    }
}

static void on_interim(struct weft__h2_stream *stream, void *owner, int status,
                       const weft_headers *headers)
{
    must(status >= 100 && status < 200);
    must(headers->live <= 2 * WEFT__LIMIT_H2_HEADER_LIST);
    if (status == 103)
        weft__h2_reset(stream, WEFT__H2_CANCEL);
}

static void on_changed(void *userdata)
{
}

/* ---- steps ---- */

static void open_stream(struct fuzz *fuzz, size_t slot, uint8_t kind)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT"};
    const struct weft__h2_request request = {
        .method = methods[kind % 4],
        .scheme = kind % 4 == 3 ? NULL : "https",
        .authority = "a",
        .path = "/",
        .has_body = kind % 4 >= 2,
        .sized = kind % 8 == 2,
        .length = 10,
    };
    if (fuzz->streams[slot] == NULL)
        weft__h2_open(fuzz->h2, &request, fuzz, &fuzz->streams[slot]);
}

static void fetch(struct fuzz *fuzz, size_t max)
{
    weft__buf_clear(&fuzz->out);
    must(weft__h2_output(fuzz->h2, &fuzz->out, max) == 0);
    /* Whoever waits to send must not turn in circles. */
    must(fuzz->out.len > 0 || !weft__h2_has_output(fuzz->h2));
    must(fuzz->out.len <= OUTPUT_MAX);
}

static void receive(struct fuzz *fuzz, size_t len)
{
    if (len > fuzz->len)
        len = fuzz->len;
    char *copy = malloc(len + 1);
    must(copy != NULL);
    memcpy(copy, fuzz->data, len);
    fuzz->data += len;
    fuzz->len -= len;
    weft__h2_receive(fuzz->h2, copy, len, fuzz->now);
    free(copy);
}

static void use(struct fuzz *fuzz, size_t slot, uint8_t what)
{
    static const char zeros[20000];
    struct weft__h2_stream *stream = fuzz->streams[slot];
    const char *data;
    if (stream == NULL)
        return;
    switch (what % 6) {
    case 0:
        weft__h2_consume(stream, weft__h2_data(stream, &data));
        break;
    case 1:
        weft__h2_consume(stream, weft__h2_data(stream, &data) / 2);
        break;
    case 2:
        weft__h2_write(stream, zeros, sizeof zeros);
        break;
    case 3:
        weft__h2_write_end(stream);
        break;
    case 4:
        weft__h2_reset(stream, WEFT__H2_CANCEL);
        break;
    default:
        fuzz->streams[slot] = NULL;
        weft__h2_stream_free(stream);
        break;
    }
}

static void step(struct fuzz *fuzz)
{
    uint8_t what = next(fuzz);
    size_t slot = what % STREAMS;
    switch (what / STREAMS) {
    case 0:
        open_stream(fuzz, slot, next(fuzz));
        break;
    case 1:
        use(fuzz, slot, next(fuzz));
        break;
    case 2:
        fetch(fuzz, (size_t)next(fuzz) * 256 + 1);
        break;
    case 3:
        weft__h2_ping(fuzz->h2);
        break;
    case 4:
        if (slot == 0)
            weft__h2_leave(fuzz->h2);
        fuzz->freeing = slot == 1;
        break;
    case 5:
        if (slot == 0)
            weft__h2_disconnect(fuzz->h2, next(fuzz) % 2 == 0 ? 0 : WEFT_EREAD);
        fuzz->now += 100000000;
        break;
    case 6:
        receive(fuzz, (size_t)next(fuzz) * 256 + next(fuzz));
        break;
    default:
        receive(fuzz, (size_t)next(fuzz) + 1);
        break;
    }
    must(fuzz->h2->control.len <= WEFT__LIMIT_H2_CONTROL + (1 << 17));
    must(weft__h2_streams(fuzz->h2) <= WEFT__LIMIT_H2_STREAMS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weft__h2_events events = {on_stream, on_interim, on_changed, NULL};
    struct fuzz fuzz = {.data = data, .len = size, .now = 1};
    uint8_t kind = next(&fuzz);
    const struct weft__h2_options options = {.stream_window = kind % 2 == 0 ? 0 : 1000,
                                             .connection_window = kind % 4 < 2 ? 0 : 70000,
                                             .window_max = kind % 4 < 2 ? 0 : 100000,
                                             .header_list = kind % 8 < 4 ? 0 : 500};
    must(weft__h2_new(&options, &events, &fuzz.h2) == 0);
    weft__buf_init(&fuzz.out, 8 * OUTPUT_MAX);
    while (fuzz.len > 0)
        step(&fuzz);
    fetch(&fuzz, OUTPUT_MAX / 2);
    fuzz.freeing = false;
    /* Some are left to the connection. */
    for (size_t i = 0; i < STREAMS; i++)
        if (fuzz.streams[i] != NULL && (kind & 128) == 0)
            weft__h2_stream_free(fuzz.streams[i]);
    if ((kind & 128) == 0) {
        fetch(&fuzz, OUTPUT_MAX / 2);
        must(weft__h2_streams(fuzz.h2) == 0 && fuzz.h2->buffered == 0);
        must(fuzz.h2->error != 0 || weft__h2_is_balanced(fuzz.h2));
        /* What was given up unsent may stay with nghttp2, see weft__h2_is_balanced(). */
        must(fuzz.h2->error == 0 || weft__list_is_empty(&fuzz.h2->streams));
        must(fuzz.h2->window.grown == 0);
    }
    weft__h2_free(fuzz.h2);
    weft__buf_done(&fuzz.out);
    return 0;
}

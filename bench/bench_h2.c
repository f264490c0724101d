/*
 * bench_h2.c - an HTTP/2 session alone: 100 requests at a time on one connection, answered from
 * memory with 1 KiB each in records of 16 KiB; one large body; one large upload.
 */
#include <nghttp2/nghttp2.h>

#include <weft/http.h>

#include "proto/h2.h"

#include "bench.h"

enum { STREAMS = 100, BODY = 1024, FRAME_HEAD = 9, RECORD = 16384 };

struct peer {
    struct weft__h2 *h2;
    struct weft__buf out;
    struct weft__buf in;
    nghttp2_hd_deflater *deflater;
    weft_headers *headers;
    int64_t now;
};

static void on_stream(struct weft__h2_stream *stream, void *owner)
{
    if (owner != NULL)
        ++*(int *)owner;
}

static void on_changed(void *userdata)
{
}

static void must(bool good)
{
    if (!good)
        exit(1);
}

static void put_head(struct weft__buf *in, size_t len, int type, int flags, int32_t id)
{
    const uint8_t head[FRAME_HEAD] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
        (uint8_t)type,        (uint8_t)flags,      (uint8_t)(id >> 24),
        (uint8_t)(id >> 16),  (uint8_t)(id >> 8),  (uint8_t)id};
    must(weft__buf_append(in, head, sizeof head) == 0);
}

#define NV(name, value)                                                                            \
    {                                                                                              \
        (uint8_t *)name, (uint8_t *)value, sizeof name - 1, sizeof value - 1, 0                    \
    }

/* What nginx says; the first time the fields go into the table. */
static void put_response(struct peer *peer, int32_t id)
{
    static const nghttp2_nv fields[] = {
        NV(":status", "200"),
        NV("server", "nginx/1.22.1"),
        NV("date", "Mon, 23 Nov 2026 08:00:00 GMT"),
        NV("content-type", "application/octet-stream"),
        NV("content-length", "1024"),
        NV("last-modified", "Sun, 22 Nov 2026 08:00:00 GMT"),
        NV("etag", "\"6561a1b0-400\""),
        NV("accept-ranges", "bytes"),
    };
    static const char body[BODY];
    uint8_t block[512];
    ssize_t n = nghttp2_hd_deflate_hd(peer->deflater, block, sizeof block, fields,
                                      sizeof fields / sizeof fields[0]);
    must(n > 0);
    put_head(&peer->in, (size_t)n, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id);
    must(weft__buf_append(&peer->in, block, (size_t)n) == 0);
    put_head(&peer->in, BODY, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id);
    must(weft__buf_append(&peer->in, body, BODY) == 0);
}

static void feed(struct peer *peer)
{
    const char *data = weft__buf_bytes(&peer->in);
    for (size_t at = 0; at < peer->in.len; at += RECORD) {
        size_t n = peer->in.len - at < RECORD ? peer->in.len - at : RECORD;
        must(weft__h2_receive(peer->h2, data + at, n, peer->now += 1000) == 0);
    }
    weft__buf_clear(&peer->in);
}

static void send(struct peer *peer)
{
    must(weft__h2_output(peer->h2, &peer->out, 1 << 18) == 0);
    weft__buf_clear(&peer->out);
}

static void init(struct peer *peer)
{
    const struct weft__h2_events events = {.stream = on_stream, .changed = on_changed};
    *peer = (struct peer){.now = 1};
    must(weft__h2_new(NULL, &events, &peer->h2) == 0);
    weft__buf_init(&peer->in, SIZE_MAX);
    weft__buf_init(&peer->out, SIZE_MAX);
    must(nghttp2_hd_deflate_new(&peer->deflater, 4096) == 0);
    must(weft_headers_new(&peer->headers) == 0);
    must(weft_headers_add(peer->headers, "Accept", "*/*") == 0);
    must(weft_headers_add(peer->headers, "Accept-Encoding", "gzip, deflate, br, zstd") == 0);
    must(weft_headers_add(peer->headers, "User-Agent", "weft/0.1.0") == 0);
    put_head(&peer->in, 0, NGHTTP2_SETTINGS, 0, 0);
    put_head(&peer->in, 0, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0);
    feed(peer);
    send(peer);
}

static void done(struct peer *peer)
{
    weft__h2_free(peer->h2);
    weft__buf_done(&peer->in);
    weft__buf_done(&peer->out);
    nghttp2_hd_deflate_del(peer->deflater);
    weft_headers_free(peer->headers);
}

static struct weft__h2_stream *open_stream(struct peer *peer, bool has_body, int *told)
{
    const struct weft__h2_request request = {.method = has_body ? "POST" : "GET",
                                             .scheme = "https",
                                             .authority = "localhost:8443",
                                             .path = "/1k",
                                             .headers = peer->headers,
                                             .has_body = has_body};
    struct weft__h2_stream *stream = NULL;
    must(weft__h2_open(peer->h2, &request, told, &stream) == 0);
    return stream;
}

static size_t read_all(struct weft__h2_stream *stream)
{
    const char *data;
    size_t n = weft__h2_data(stream, &data);
    weft__h2_consume(stream, n);
    return n;
}

static void small_requests(long n)
{
    struct weft__h2_stream *streams[STREAMS];
    struct peer peer;
    int32_t id = 1;
    init(&peer);
    for (long done_n = 0; done_n < n; done_n += STREAMS) {
        int told = 0;
        for (int i = 0; i < STREAMS; i++)
            streams[i] = open_stream(&peer, false, &told);
        send(&peer);
        for (int i = 0; i < STREAMS; i++, id += 2)
            put_response(&peer, id);
        feed(&peer);
        must(told >= STREAMS);
        for (int i = 0; i < STREAMS; i++) {
            must(weft__h2_is_ended(streams[i]) && read_all(streams[i]) == BODY);
            weft__h2_stream_free(streams[i]);
        }
    }
    done(&peer);
}

/* The same without the session: what the answers cost to make. */
static void small_answers(long n)
{
    struct peer peer;
    init(&peer);
    for (long i = 0; i < n; i++) {
        put_response(&peer, (int32_t)(2 * i + 1));
        if (i % STREAMS == STREAMS - 1)
            weft__buf_clear(&peer.in);
    }
    done(&peer);
}

static void download_mib(long n)
{
    static const char zeros[RECORD];
    enum { FRAMES = 64 };
    struct peer peer;
    init(&peer);
    struct weft__h2_stream *stream = open_stream(&peer, false, NULL);
    send(&peer);
    put_head(&peer.in, 1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1);
    must(weft__buf_append_char(&peer.in, (char)0x88) == 0);
    for (long i = 0; i < n * FRAMES; i++) {
        put_head(&peer.in, RECORD, NGHTTP2_DATA, 0, 1);
        must(weft__buf_append(&peer.in, zeros, RECORD) == 0);
        feed(&peer);
        read_all(stream);
        if (weft__h2_has_output(peer.h2))
            send(&peer);
    }
    done(&peer);
}

static void upload_mib(long n)
{
    static const char zeros[RECORD];
    enum { FRAMES = 64, WINDOW = 1 << 30 };
    struct peer peer;
    init(&peer);
    struct weft__h2_stream *stream = open_stream(&peer, true, NULL);
    send(&peer);
    for (long i = 0; i < n; i++) {
        const uint8_t update[] = {0, 0x10, 0, 0};
        for (int32_t id = 0; id < 2; id++) {
            put_head(&peer.in, sizeof update, NGHTTP2_WINDOW_UPDATE, 0, id);
            must(weft__buf_append(&peer.in, update, sizeof update) == 0);
        }
        feed(&peer);
        for (int k = 0; k < FRAMES; k++) {
            must(weft__h2_write(stream, zeros, RECORD) == RECORD);
            send(&peer);
        }
    }
    done(&peer);
}

int main(void)
{
    bench_loop("a request, 100 at a time, 1 KiB each", small_requests, 100000);
    bench_loop("of that the answers, which are the bench's", small_answers, 100000);
    bench_loop("1 MiB of a response", download_mib, 1000);
    bench_loop("1 MiB of a request", upload_mib, 1000);
    return 0;
}

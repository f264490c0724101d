/* script_server.c - the server's side of a case. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

#include "base/str.h"
#include "gate.h"
#include "script_int.h"
#include "test.h"

/* ---- text ---- */

size_t script_unescape(const char *text, char *to, size_t size)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c == '\\') {
            text++;
            c = *text == 'r' ? '\r' : *text == 'n' ? '\n' : *text == 't' ? '\t' : *text;
            if (*text == '0')
                c = '\0';
            if (*text == 'x') {
                char hex[3] = {text[1], text[2], '\0'};
                c = (char)strtoul(hex, NULL, 16);
                text += 2;
            }
        }
        if (n == size)
            test_fail(__FILE__, __LINE__, "the text is too long for the test");
        to[n++] = c;
    }
    return n;
}

void script_show(const char *data, size_t len, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 5 < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= ' ' && c < 0x7f)
            to[n++] = (char)c;
        else
            n += (size_t)snprintf(to + n, size - n,
                                  c == '\n'   ? "\\n"
                                  : c == '\r' ? "\\r"
                                              : "\\x%02x",
                                  c);
    }
    to[n] = '\0';
}

int64_t script_ms(const char *value)
{
    return WEFT_MS(strtol(value, NULL, 10));
}

/* ---- connections ---- */

static weft_stream *take_from_memory(struct script *script)
{
    while (script->dials == script->taken) {
        if (script->calls_done)
            return NULL;
        weft_event_clear(script->dialled);
        ASSERT_OK(weft_event_wait(script->dialled));
    }
    return script->pending[script->taken % 8];
}

static weft_stream *take_from_socket(struct script *script)
{
    weft_stream *stream = NULL;
    while (stream == NULL) {
        bool last = script->calls_done && script->dials == script->taken;
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_MS(50));
        int err = weft_listener_accept(script->listener, &stream);
        err = weft_scope_exit(&scope, err);
        if (err != -ETIMEDOUT)
            ASSERT_OK(err);
        else if (last)
            return NULL;
    }
    if (script->over == SCRIPT_TLS) {
        weft_stream *plain = stream;
        ASSERT_OK(weft_tls_accept(script_server_tls, plain, &stream));
    }
    return stream;
}

static void take_connection(struct script *script, const struct line *line, const char *authority,
                            weft_stream **stream)
{
    char of[sizeof script->authority[0]];
    weft_stream_free(*stream);
    *stream = script->over == SCRIPT_MEMORY ? take_from_memory(script) : take_from_socket(script);
    if (*stream != NULL && script->over_h2)
        ASSERT_OK(gate_open(&script->gates, *stream, 64 * 1024, stream));
    if (*stream == NULL)
        script_fail(script, line, "no further connection came");
    pthread_mutex_lock(&script->lock);
    memcpy(of, script->authority[script->taken++], sizeof of);
    pthread_mutex_unlock(&script->lock);
    if (authority != NULL && strcmp(authority, of) != 0)
        script_fail(script, line, "the connection is for %s", of);
}

static uint64_t next_random(struct script *script)
{
    script->seed = script->seed * 6364136223846793005u + 1442695040888963407u;
    return script->seed >> 33;
}

/* A client that has closed is not an error here: what it makes of this is what counts. */
static void server_write(struct script *script, weft_stream *stream, const char *data, size_t len)
{
    while (len > 0) {
        size_t n = len;
        if (script->split == SCRIPT_BYTES && len < 4096)
            n = 1;
        if (script->split == SCRIPT_RANDOM)
            n = 1 + next_random(script) % (len < 48 ? len : 32 + len / 8);
        if (weft_stream_write(stream, data, n) < 0 || weft_stream_flush(stream) < 0)
            return;
        data += n;
        len -= n;
        weft_yield();
    }
}

/* Over HTTP/2 names of fields have no case. */
static bool is_same(const struct script *script, char a, char b)
{
    return script->over_h2 ? weft__ascii_lower(a) == weft__ascii_lower(b) : a == b;
}

static void server_expect(const struct script *script, const struct line *line, weft_stream *stream,
                          const char *expected, size_t len)
{
    static _Thread_local char got[EXPECT_MAX];
    char shown[512];
    char wanted[512];
    size_t n = 0;
    while (n < len) {
        int64_t more = weft_stream_read(stream, got + n, len - n);
        if (more <= 0) {
            script_show(got, n, shown, sizeof shown);
            script_show(expected, len, wanted, sizeof wanted);
            script_fail(script, line, "expected \"%s\", the client sent \"%s\" and %s", wanted,
                        shown, more == 0 ? "closed" : weft_error_message());
        }
        for (int64_t i = 0; i < more; i++) {
            if (is_same(script, got[n + (size_t)i], expected[n + (size_t)i]))
                continue;
            script_show(got, n + (size_t)more, shown, sizeof shown);
            script_show(expected, len, wanted, sizeof wanted);
            script_fail(script, line, "expected \"%s\", the client sent \"%s\"", wanted, shown);
        }
        n += (size_t)more;
    }
}

static void server_closed(const struct script *script, const struct line *line, weft_stream *stream)
{
    char byte;
    int64_t n = weft_stream_read(stream, &byte, 1);
    if (n > 0)
        script_fail(script, line, "the client sent a byte 0x%02x", (unsigned char)byte);
    if (n == WEFT_EREAD_TIMEOUT)
        script_fail(script, line, "the client keeps the connection open");
}

static void server_silent(const struct script *script, const struct line *line, weft_stream *stream)
{
    char byte;
    weft_stream_set_timeout(stream, WEFT_MS(20), WEFT_FOREVER);
    int64_t n = weft_stream_read(stream, &byte, 1);
    weft_stream_set_timeout(stream, WEFT_SEC(30), WEFT_FOREVER);
    if (n >= 0)
        script_fail(script, line,
                    n == 0 ? "the client closed the connection" : "the client sent more");
}

static void repeat(struct script *script, weft_stream *stream, const char *text)
{
    static _Thread_local char big[1024 * 1024];
    char piece[1024];
    char *rest;
    size_t times = strtoul(text, &rest, 10);
    size_t len = script_unescape(rest + (*rest == ' '), piece, sizeof piece);
    size_t at = 0;
    while (times-- > 0) {
        if (at + len > sizeof big) {
            server_write(script, stream, big, at);
            at = 0;
        }
        memcpy(big + at, piece, len);
        at += len;
    }
    server_write(script, stream, big, at);
}

static void drip(weft_stream *stream, const char *text)
{
    char *rest;
    int64_t between = script_ms(text);
    strtol(text, &rest, 10);
    for (long n = strtol(rest, NULL, 10); n > 0; n--) {
        if (weft_stream_write(stream, "x", 1) < 0 || weft_stream_flush(stream) < 0)
            return;
        weft_sleep(between);
    }
}

static void upload(const struct script *script, const struct line *line, weft_stream *stream)
{
    char bytes[4096];
    size_t left = strtoul(line->text + 7, NULL, 10);
    while (left > 0) {
        int64_t n = weft_stream_read(stream, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n <= 0)
            script_fail(script, line, "%zu bytes are missing", left);
        left -= (size_t)n;
    }
}

static void expect_request(const struct script *script, const struct line *line,
                           weft_stream *stream)
{
    char method[32];
    char target[256];
    char authority[128] = "example.org";
    char head[1024];
    ASSERT(sscanf(line->text, "request %31s %255s %127s", method, target, authority) >= 2);
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
                       "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                       "User-Agent: weft/" WEFT_VERSION "\r\n\r\n",
                       method, target, authority);
    server_expect(script, line, stream, head, (size_t)len);
}

/* The beginning of a request of a call, or of a source of events. */
static void expect_head(const struct script *script, const struct line *line, weft_stream *stream,
                        bool of_events)
{
    char method[32];
    char target[256];
    char authority[128] = "example.org";
    char head[1024];
    const char *text = line->text + (of_events ? strlen("source ") : strlen("head "));
    ASSERT(sscanf(text, "%31s %255s %127s", method, target, authority) >= 2);
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n"
                       "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                       "User-Agent: weft/" WEFT_VERSION "\r\n%s",
                       method, target, authority, of_events ? "text/event-stream" : "*/*",
                       of_events ? "Cache-Control: no-store\r\n" : "");
    server_expect(script, line, stream, head, (size_t)len);
}

/* * stands for any text. */
static bool is_like(const char *text, const char *pattern)
{
    const char *star = NULL;
    const char *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static void expect_like(const struct script *script, const struct line *line, weft_stream *stream,
                        const char *pattern)
{
    char got[1024];
    size_t n = 0;
    while (n < 2 || memcmp(got + n - 2, "\r\n", 2) != 0) {
        if (n == sizeof got || weft_stream_read(stream, got + n, 1) != 1)
            script_fail(script, line, "the client sent no line: %.*s", (int)n, got);
        n++;
    }
    got[n - 2] = '\0';
    if (!is_like(got, pattern))
        script_fail(script, line, "the client sent \"%s\"", got);
}

static void reply(struct script *script, const struct line *line, weft_stream *stream)
{
    static _Thread_local char bytes[EXPECT_MAX];
    static _Thread_local char body[EXPECT_MAX];
    char *rest;
    long status = strtol(line->text + 6, &rest, 10);
    size_t n = script_unescape(rest + (*rest == ' '), body, sizeof body);
    int len = snprintf(bytes, sizeof bytes, "HTTP/1.1 %ld %s\r\nContent-Length: %zu\r\n\r\n",
                       status, weft_status_reason((int)status), n);
    memcpy(bytes + len, body, n);
    server_write(script, stream, bytes, (size_t)len + n);
}

static void go_on_by_tls(const struct script *script, const struct line *line, weft_stream **stream)
{
    weft_stream *plain = *stream;
    *stream = NULL;
    if (weft_tls_accept(script_server_tls, plain, stream) < 0)
        script_fail(script, line, "%s", weft_error_message());
}

static void server_line(struct script *script, const struct line *line, weft_stream **stream)
{
    static _Thread_local char bytes[EXPECT_MAX];
    const char *text = line->text;
    size_t len;
    if (strncmp(text, "accept", 6) == 0) {
        take_connection(script, line, text[6] == ' ' ? text + 7 : NULL, stream);
        weft_stream_set_timeout(*stream, WEFT_SEC(30), WEFT_FOREVER);
    } else if (text[0] == '>' && text[1] == '|') {
        len = script_unescape(text + 2 + (text[2] == ' '), bytes, sizeof bytes);
        server_expect(script, line, *stream, bytes, len);
    } else if (text[0] == '>' && text[1] == '~') {
        expect_like(script, line, *stream, text + 3);
    } else if (text[0] == '>') {
        len = (size_t)snprintf(bytes, sizeof bytes, "%s\r\n", text + 1 + (text[1] == ' '));
        server_expect(script, line, *stream, bytes, len);
    } else if (text[0] == '<' && text[1] == '|') {
        len = script_unescape(text + 2 + (text[2] == ' '), bytes, sizeof bytes);
        server_write(script, *stream, bytes, len);
    } else if (text[0] == '<' && text[1] == '*') {
        repeat(script, *stream, text + 2);
    } else if (text[0] == '<') {
        len = (size_t)snprintf(bytes, sizeof bytes, "%s\r\n", text + 1 + (text[1] == ' '));
        server_write(script, *stream, bytes, len);
    } else if (strncmp(text, "request ", 8) == 0) {
        expect_request(script, line, *stream);
    } else if (strncmp(text, "head ", 5) == 0 || strncmp(text, "source ", 7) == 0) {
        expect_head(script, line, *stream, text[0] == 's');
    } else if (strncmp(text, "reply ", 6) == 0) {
        reply(script, line, *stream);
    } else if (strncmp(text, "pause ", 6) == 0) {
        weft_sleep(script_ms(text + 6));
    } else if (strncmp(text, "drip ", 5) == 0) {
        drip(*stream, text + 5);
    } else if (strncmp(text, "upload ", 7) == 0) {
        upload(script, line, *stream);
    } else if (strcmp(text, "tls") == 0) {
        go_on_by_tls(script, line, stream);
    } else if (strcmp(text, "silent") == 0) {
        server_silent(script, line, *stream);
    } else if (strcmp(text, "closed") == 0) {
        server_closed(script, line, *stream);
    } else if (strcmp(text, "skip") == 0) {
        while (weft_stream_read(*stream, bytes, sizeof bytes) > 0)
            continue;
    } else if (strcmp(text, "close") == 0) {
        weft_stream_close(*stream);
    } else if (strcmp(text, "reset") == 0) {
        weft_stream_free(*stream);
        *stream = NULL;
    } else {
        script_fail(script, line, "unknown line: %s", text);
    }
}

static bool is_clients(const char *text)
{
    return strncmp(text, "call ", 5) == 0 || strncmp(text, "expect ", 7) == 0 ||
           strncmp(text, "client", 6) == 0 || strncmp(text, "wait ", 5) == 0 ||
           strncmp(text, "events ", 7) == 0;
}

int script_server(void *arg)
{
    struct script *script = arg;
    weft_stream *stream = NULL;
    ASSERT_OK(weft_group_init(&script->gates, NULL));
    for (int i = 0; i < script->of->n; i++) {
        if (!is_clients(script->of->lines[i].text))
            server_line(script, &script->of->lines[i], &stream);
    }
    weft_stream_free(stream);
    return weft_group_wait(&script->gates);
}

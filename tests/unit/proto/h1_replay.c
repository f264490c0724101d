#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "h1_replay.h"
#include "proto/h1.h"
#include "proto/header.h"
#include "test.h"

enum { ARENA = 1024 * 1024 };

struct feed {
    const char *bytes;
    const size_t *ends;
    size_t ends_len;
    size_t next;  /* index in ends */
    size_t given; /* bytes that came so far */
    char *text;
    size_t size;
    size_t used;
};

static char *guard;

/* The byte behind the last one that can be read. */
static char *guard_end(void)
{
    if (guard == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *map =
            mmap(NULL, ARENA + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT(map != MAP_FAILED);
        ASSERT(mprotect(map + ARENA, page, PROT_NONE) == 0);
        guard = map + ARENA;
    }
    return guard;
}

__attribute__((format(printf, 2, 3))) static void say(struct feed *feed, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(feed->text + feed->used, feed->size - feed->used, format, args);
    va_end(args);
    ASSERT(len >= 0);
    feed->used += (size_t)len;
    if (feed->used >= feed->size)
        feed->used = feed->size - 1;
}

static void say_bytes(struct feed *feed, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        say(feed, c < 0x20 || c >= 0x7f ? "<%02x>" : "%c", c);
    }
}

static void say_error(struct feed *feed, int err)
{
    const char *mark = err == WEFT_EREMOTE_PROTOCOL    ? "!"
                       : err == WEFT_EHEADER_TOO_LARGE ? ">"
                                                       : "?";
    say(feed, "%s%s", mark, weft_error_message());
}

static void say_field(struct feed *feed, const char *name, size_t name_len, const char *value,
                      size_t value_len)
{
    say(feed, "{");
    say_bytes(feed, name, name_len);
    say(feed, ":");
    say_bytes(feed, value, value_len);
    say(feed, "} ");
}

static void say_head(struct feed *feed, enum h1_kind kind, const struct weft__h1_head *head)
{
    static const char *const bodies[] = {"none", "len", "chunked", "eof"};
    say(feed, "1.%d ", head->minor);
    if (kind == H1_REQUEST) {
        say_bytes(feed, head->method.data, head->method.len);
        say(feed, " ");
        say_bytes(feed, head->target.data, head->target.len);
        say(feed, " ");
    } else {
        say(feed, "%d [", head->status);
        say_bytes(feed, head->reason.data, head->reason.len);
        say(feed, "] ");
    }
    say(feed, "%s %s%s%s ", head->keep_alive ? "keep" : "close", head->upgrade ? "upgrade " : "",
        head->expect_continue ? "expect " : "", bodies[head->body]);
    for (size_t i = 0; i < head->fields_len; i++) {
        const struct weft__h1_field *field = &head->fields[i];
        say_field(feed, field->name, field->name_len, field->value, field->value_len);
    }
}

/* Puts what came so far and the next piece at the guard; NULL when there is nothing more. */
static char *next_prefix(struct feed *feed)
{
    if (feed->next == feed->ends_len)
        return NULL;
    size_t end = feed->ends[feed->next++];
    char *to = guard_end() - end;
    memmove(to, guard_end() - feed->given, feed->given);
    memcpy(to + feed->given, feed->bytes + feed->given, end - feed->given);
    feed->given = end;
    return to;
}

/* Returns the length of the head, or 0 when that was all. */
static size_t replay_head(struct feed *feed, enum h1_kind kind, struct weft__h1_head *head)
{
    int n = 0;
    char *data = NULL;
    while (n == 0 && (data = next_prefix(feed)) != NULL) {
        n = kind == H1_REQUEST
                ? weft__h1_parse_request(head, data, feed->given, &weft__h1_request_limits)
                : weft__h1_parse_response(head, data, feed->given, &weft__h1_response_limits);
    }
    if (n > 0) {
        ASSERT((size_t)n <= feed->given);
        say_head(feed, kind, head);
        return (size_t)n;
    }
    if (n == 0)
        say(feed, "more");
    else
        say_error(feed, n);
    return 0;
}

static void replay_body(struct feed *feed, struct weft__h1_body *body, size_t at,
                        const weft_headers *trailers)
{
    int result = WEFT__H1_MORE;
    say(feed, "\"");
    while (result >= 0 && result != WEFT__H1_END) {
        const char *payload = NULL;
        size_t payload_len = 0;
        size_t consumed;
        char *to = guard_end() - (feed->given - at);
        memcpy(to, feed->bytes + at, feed->given - at);
        result = weft__h1_body_next(body, to, feed->given - at, &consumed, &payload, &payload_len);
        at += result < 0 ? 0 : consumed;
        if (result == WEFT__H1_DATA) {
            ASSERT(payload_len > 0);
            say_bytes(feed, payload, payload_len);
        } else if (result == WEFT__H1_MORE) {
            ASSERT_INT_EQ(at, feed->given);
            if (feed->next == feed->ends_len)
                break;
            feed->given = feed->ends[feed->next++];
        }
    }
    say(feed, "\" ");
    for (size_t i = 0; i < trailers->len; i++)
        say_field(feed, weft__header_name(trailers, i), strlen(weft__header_name(trailers, i)),
                  weft__header_value(trailers, i), strlen(weft__header_value(trailers, i)));
    size_t left = feed->ends[feed->ends_len - 1] - at;
    if (result < 0)
        say_error(feed, result);
    else if (weft__h1_body_eof(body) < 0)
        say(feed, "cut");
    else if (left > 0)
        say(feed, "+%zu", left);
    else
        say(feed, "end");
}

void h1_replay(enum h1_kind kind, const char *bytes, size_t len, const char *method,
               const size_t *ends, size_t ends_len, char *text, size_t size)
{
    struct feed feed = {bytes, ends, ends_len, .text = text, .size = size};
    struct weft__h1_head head;
    struct weft__h1_body body;
    weft_headers trailers;
    size_t at = 0;
    ASSERT(len <= ARENA);
    text[0] = '\0';
    weft__h1_head_init(&head);
    weft__h1_head_reset(&head, kind == H1_REQUEST ? NULL : method);
    weft__headers_init(&trailers);
    head.body = WEFT__H1_CHUNKED;
    if (kind != H1_CHUNKED)
        at = replay_head(&feed, kind, &head);
    if (kind == H1_CHUNKED || at > 0) {
        weft__h1_body_init(&body, head.body, head.content_length, &trailers);
        replay_body(&feed, &body, at, &trailers);
        weft__h1_body_done(&body);
    }
    weft__headers_done(&trailers);
    weft__h1_head_done(&head);
}

static void compare(const struct h1_case *row, const char *how, size_t cut, const char *text)
{
    if (strcmp(text, row->expected) != 0)
        FAIL("input    %s\n  split    %s %zu\n  expected %s\n  actual   %s", row->input, how, cut,
             row->expected, text);
}

void h1_check(enum h1_kind kind, const struct h1_case *row)
{
    static char text[8192];
    static size_t each[65536];
    size_t len = row->len > 0 ? row->len : strlen(row->input);
    const char *method = row->method != NULL ? row->method : "GET";
    ASSERT(len > 0 && len <= sizeof each / sizeof each[0]);
    h1_replay(kind, row->input, len, method, &len, 1, text, sizeof text);
    compare(row, "whole", len, text);
    for (size_t i = 0; i < len; i++)
        each[i] = i + 1;
    h1_replay(kind, row->input, len, method, each, len, text, sizeof text);
    compare(row, "bytes", 1, text);
    for (size_t cut = 1; cut < len; cut++) {
        size_t ends[] = {cut, len};
        h1_replay(kind, row->input, len, method, ends, 2, text, sizeof text);
        compare(row, "cut at", cut, text);
    }
}

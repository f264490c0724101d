/* sse.c - server-sent events: lines, fields, events. */
#include "proto/sse.h"

#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/error_int.h"
#include "base/str.h"

void weft__sse_init(struct weft__sse *sse, size_t max)
{
    memset(sse, 0, sizeof *sse);
    weft__buf_init(&sse->line, max);
    weft__buf_init(&sse->data, max + 1);
    weft__buf_init(&sse->event, max + 1);
    weft__buf_init(&sse->id, max + 1);
    weft__buf_init(&sse->new_id, max + 1);
    sse->retry = -1;
}

void weft__sse_done(struct weft__sse *sse)
{
    weft__buf_done(&sse->line);
    weft__buf_done(&sse->data);
    weft__buf_done(&sse->event);
    weft__buf_done(&sse->id);
    weft__buf_done(&sse->new_id);
}

static void forget_event(struct weft__sse *sse)
{
    weft__buf_clear(&sse->data);
    weft__buf_clear(&sse->event);
    sse->given = false;
}

void weft__sse_restart(struct weft__sse *sse)
{
    weft__buf_clear(&sse->line);
    forget_event(sse);
    sse->has_new_id = false;
    sse->seen = 0;
    sse->after_cr = false;
}

static int put(const struct weft__sse *sse, struct weft__buf *buf, const char *data, size_t len)
{
    /* The maximum is that of an event, not of each of its parts. */
    size_t held = sse->data.len + sse->event.len + (buf == &sse->line ? buf->len : 0);
    if (held + len > sse->line.max)
        return weft__fail(WEFT_ETOO_LONG, "a server-sent event is longer than %zu bytes",
                          sse->line.max);
    return weft__buf_append(buf, data, len) < 0 ? weft__fail_nomem() : 0;
}

static int set_text(const struct weft__sse *sse, struct weft__buf *buf, const char *value,
                    size_t len)
{
    weft__buf_clear(buf);
    return put(sse, buf, value, len);
}

static void set_retry(struct weft__sse *sse, const char *value, size_t len)
{
    uint64_t ms;
    if (weft__parse_u64(value, len, &ms) == 0 && ms <= INT64_MAX / 1000000)
        sse->retry = (int64_t)ms;
}

static int take_field(struct weft__sse *sse, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - line) : len;
    const char *value = colon != NULL ? colon + 1 : line + len;
    size_t value_len = (size_t)(line + len - value);
    if (value_len > 0 && *value == ' ') {
        value++;
        value_len--;
    }
    if (name_len == 4 && memcmp(line, "data", 4) == 0) {
        int err = put(sse, &sse->data, value, value_len);
        return err < 0 ? err : put(sse, &sse->data, "\n", 1);
    }
    if (name_len == 5 && memcmp(line, "event", 5) == 0)
        return set_text(sse, &sse->event, value, value_len);
    if (name_len == 2 && memcmp(line, "id", 2) == 0 && memchr(value, '\0', value_len) == NULL) {
        sse->has_new_id = true;
        return set_text(sse, &sse->new_id, value, value_len);
    }
    if (name_len == 5 && memcmp(line, "retry", 5) == 0)
        set_retry(sse, value, value_len);
    return 0;
}

static int end_text(struct weft__buf *buf)
{
    return weft__buf_append_char(buf, '\0') < 0 ? weft__fail_nomem() : 0;
}

/* An empty line: 1 if there is an event to give. */
static int dispatch(struct weft__sse *sse, struct weft__sse_event *ret)
{
    int err = 0;
    if (sse->has_new_id) {
        weft__buf_clear(&sse->id);
        if (sse->new_id.len > 0 &&
            weft__buf_append(&sse->id, weft__buf_bytes(&sse->new_id), sse->new_id.len) < 0)
            return weft__fail_nomem();
        err = end_text(&sse->id);
        sse->has_new_id = false;
    }
    if (err == 0 && sse->data.len == 0) {
        weft__buf_clear(&sse->event);
        return 0;
    }
    if (err == 0)
        err = end_text(&sse->event);
    if (err < 0)
        return err;
    *ret = (struct weft__sse_event){
        .event = sse->event.len > 1 ? weft__buf_bytes(&sse->event) : "message",
        .data = weft__buf_bytes(&sse->data),
        .data_len = sse->data.len - 1,
        .id = sse->id.len > 0 ? weft__buf_bytes(&sse->id) : "",
    };
    /* The last line's end becomes the text's. */
    weft__buf_bytes(&sse->data)[sse->data.len - 1] = '\0';
    sse->given = true;
    return 1;
}

static int take_line(struct weft__sse *sse, struct weft__sse_event *ret)
{
    size_t len = sse->line.len;
    int result = len == 0 ? dispatch(sse, ret) : take_field(sse, weft__buf_bytes(&sse->line), len);
    weft__buf_clear(&sse->line);
    return result;
}

/* A mark of byte order at the beginning is not part of the first line. */
static void skip_mark(struct weft__sse *sse)
{
    if (sse->seen == sse->line.len && sse->line.len >= 3 &&
        memcmp(weft__buf_bytes(&sse->line), "\xef\xbb\xbf", 3) == 0)
        weft__buf_consume(&sse->line, 3);
}

int weft__sse_next(struct weft__sse *sse, const char **data, size_t *len,
                   struct weft__sse_event *ret)
{
    if (sse->given)
        forget_event(sse);
    while (*len > 0) {
        const char *text = *data;
        if (sse->after_cr && text[0] == '\n') {
            sse->after_cr = false;
            sse->seen++;
            ++*data;
            --*len;
            continue;
        }
        size_t n = 0;
        while (n < *len && text[n] != '\n' && text[n] != '\r')
            n++;
        int err = put(sse, &sse->line, text, n);
        if (err < 0)
            return err;
        sse->seen += n;
        bool ended = n < *len;
        *data += n + ended;
        *len -= n + ended;
        sse->after_cr = ended && text[n] == '\r';
        if (!ended)
            return 0;
        skip_mark(sse);
        sse->seen++;
        int result = take_line(sse, ret);
        if (result != 0)
            return result;
    }
    return 0;
}

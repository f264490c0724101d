/*
 * response_iter.c - a body in pieces of the caller's choice: bytes, text, lines.
 *
 * What has come and was not given out is held, and what was given last is dropped at the next
 * call.  A read that fails or is cancelled takes nothing: the next call goes on where it was.
 */
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "proto/charset.h"

enum { STEP = 8 * 1024, WIDEST = 3 }; /* a byte becomes at most so many of UTF-8 */

struct weft__iter {
    struct weft__buf held;
    struct weft__charset charset;
    size_t lent; /* bytes of held that the caller has until the next call, end of line included */
    size_t scanned; /* bytes of held without an end of line, or counted */
    size_t points;  /* characters in them */
    uint64_t lines; /* that were given out */
    bool has_charset;
    bool skip_lf; /* the last line ended with a carriage return */
    bool ended;
    char bytes[STEP];
};

static int begin(weft_response *response, enum weft__taking how, struct weft__iter **ret)
{
    struct weft__iter *iter = response->iter;
    int err = weft__response_take(response, how);
    if (err < 0)
        return err;
    if (iter == NULL) {
        iter = weft__calloc(1, sizeof *iter);
        if (iter == NULL)
            return weft__fail_nomem();
        weft__buf_init(&iter->held, SIZE_MAX);
        response->iter = iter;
    }
    if (how == WEFT__TAKES_TEXT && !iter->has_charset) {
        const char *label = weft_response_encoding(response);
        err = weft__charset_init(&iter->charset, label, strlen(label));
        if (err < 0)
            return err;
        iter->has_charset = true;
    }
    weft__buf_consume(&iter->held, iter->lent);
    if (iter->lent > 0) {
        iter->scanned = 0;
        iter->points = 0;
    }
    iter->lent = 0;
    *ret = iter;
    return 0;
}

void weft__iter_free(struct weft__iter *iter)
{
    if (iter == NULL)
        return;
    if (iter->has_charset)
        weft__charset_done(&iter->charset);
    weft__buf_done(&iter->held);
    weft__free(iter);
}

static int reserve(struct weft__iter *iter, size_t want)
{
    return weft__buf_reserve(&iter->held, want) < 0 ? weft__fail_nomem() : 0;
}

/* ---- bytes ---- */

size_t weft__iter_rest(struct weft__iter *iter, void *data, size_t len)
{
    size_t left = iter->held.len - iter->lent;
    if (len > left)
        len = left;
    memcpy(data, weft__buf_bytes(&iter->held) + iter->lent, len);
    weft__buf_consume(&iter->held, iter->lent + len);
    iter->lent = 0;
    return len;
}

int64_t weft_response_read_chunk(weft_response *response, size_t len, const void **ret)
{
    struct weft__iter *iter;
    if (len == 0)
        return weft__fail(-EINVAL, "chunks of no bytes");
    int err = begin(response, WEFT__TAKES_BYTES, &iter);
    if (err < 0)
        return err;
    while (iter->held.len < len) {
        size_t room;
        size_t want = len - iter->held.len;
        err = reserve(iter, want < WEFT__IN_MAX ? want : WEFT__IN_MAX);
        if (err < 0)
            return err;
        char *space = weft__buf_space(&iter->held, &room);
        int64_t n = weft__response_read(response, space, room < want ? room : want);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        weft__buf_commit(&iter->held, (size_t)n);
    }
    iter->lent = iter->held.len < len ? iter->held.len : len;
    *ret = weft__buf_bytes(&iter->held);
    return (int64_t)iter->lent;
}

/* ---- text ---- */

/* A line feed behind the carriage return that has ended a line belongs to it. */
static void skip_line_feed(struct weft__iter *iter)
{
    if (!iter->skip_lf || iter->held.len == 0)
        return;
    iter->skip_lf = false;
    if (*weft__buf_bytes(&iter->held) == '\n')
        weft__buf_consume(&iter->held, 1);
}

/* Room for what it becomes is there before anything is read: nothing can be lost. */
static int fill(weft_response *response, struct weft__iter *iter)
{
    int err = reserve(iter, WIDEST * (STEP + WEFT__CHARSET_PENDING));
    if (err < 0)
        return err;
    int64_t n = weft__response_read(response, iter->bytes, STEP);
    if (n < 0)
        return (int)n;
    iter->ended = n == 0;
    err = weft__charset_decode(&iter->charset, iter->bytes, (size_t)n, iter->ended, &iter->held);
    if (err < 0)
        return weft__fail_nomem();
    skip_line_feed(iter);
    return 0;
}

/* Counts on to so many characters; the bytes of them. */
static size_t count(struct weft__iter *iter, size_t points)
{
    const char *text = weft__buf_bytes(&iter->held);
    size_t i = iter->scanned;
    for (; i < iter->held.len; i++) {
        bool begins = (text[i] & 0xc0) != 0x80;
        if (begins && iter->points == points)
            break;
        iter->points += begins;
    }
    iter->scanned = i;
    return i;
}

int64_t weft_response_read_text(weft_response *response, size_t points, const char **ret)
{
    struct weft__iter *iter;
    int err = begin(response, WEFT__TAKES_TEXT, &iter);
    if (err < 0)
        return err;
    skip_line_feed(iter);
    if (iter->points == 0 || iter->points > points) {
        iter->scanned = 0;
        iter->points = 0;
    }
    for (;;) {
        size_t len = points > 0 ? count(iter, points) : iter->held.len;
        if (iter->ended || (points > 0 ? iter->points == points : len > 0)) {
            iter->lent = len;
            *ret = weft__buf_bytes(&iter->held);
            return (int64_t)len;
        }
        err = fill(response, iter);
        if (err < 0)
            return err;
    }
}

/* ---- lines ---- */

static size_t find_end(const struct weft__iter *iter)
{
    const char *text = weft__buf_bytes(&iter->held);
    size_t i = iter->scanned;
    while (i < iter->held.len && text[i] != '\n' && text[i] != '\r')
        i++;
    return i;
}

static int lend_line(struct weft__iter *iter, size_t len, const char **ret, size_t *ret_len)
{
    char *text = weft__buf_bytes(&iter->held);
    if (len < iter->held.len)
        iter->skip_lf = text[len] == '\r';
    iter->lent = len < iter->held.len ? len + 1 : len;
    iter->lines++;
    text[len] = '\0';
    *ret = text;
    *ret_len = len;
    return 1;
}

static int too_long(const weft_response *response)
{
    return weft__fail(WEFT_ETOO_LONG, "%s %s: a line of the body is longer than %zu bytes",
                      response->method, WEFT__SHOW(response->url), response->line_max);
}

int weft_response_read_line(weft_response *response, const char **ret, size_t *ret_len)
{
    struct weft__iter *iter;
    int err = begin(response, WEFT__TAKES_TEXT, &iter);
    if (err < 0)
        return err;
    skip_line_feed(iter);
    if (iter->points > 0) {
        iter->scanned = 0;
        iter->points = 0;
    }
    for (;;) {
        size_t end = find_end(iter);
        iter->scanned = end;
        if (end > response->line_max)
            return too_long(response);
        if (end < iter->held.len)
            return lend_line(iter, end, ret, ret_len);
        if (iter->ended) {
            if (end == 0)
                return 0;
            err = reserve(iter, 1);
            return err < 0 ? err : lend_line(iter, end, ret, ret_len);
        }
        err = fill(response, iter);
        if (err < 0)
            return err;
    }
}

uint64_t weft__response_lines(const weft_response *response)
{
    return response->iter != NULL ? response->iter->lines : 0;
}

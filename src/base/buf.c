#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

enum { BUF_FIRST = 256 };

void weft__buf_init(struct weft__buf *buf, size_t max)
{
    *buf = (struct weft__buf){.max = max};
}

void weft__buf_done(struct weft__buf *buf)
{
    weft__free(buf->data);
    *buf = (struct weft__buf){.max = buf->max};
}

int weft__buf_reserve(struct weft__buf *buf, size_t want)
{
    size_t need;
    if (weft__size_add(buf->len, want, &need) < 0 || need > buf->max)
        return -EMSGSIZE;
    if (buf->start + need <= buf->cap)
        return 0;
    /* Moving the rest to the front pays only where it is at most half of the block. */
    if (need <= buf->cap && buf->len <= buf->cap / 2) {
        memmove(buf->data, buf->data + buf->start, buf->len);
        buf->start = 0;
        return 0;
    }
    size_t cap = buf->cap < BUF_FIRST ? BUF_FIRST : buf->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *data = weft__alloc(cap);
    if (data == NULL)
        return -ENOMEM;
    if (buf->len > 0)
        memcpy(data, buf->data + buf->start, buf->len);
    weft__free(buf->data);
    buf->data = data;
    buf->start = 0;
    buf->cap = cap;
    return 0;
}

char *weft__buf_space(const struct weft__buf *buf, size_t *ret_len)
{
    size_t end = buf->start + buf->len;
    size_t room = buf->cap - end;
    size_t allowed = buf->max - buf->len;
    *ret_len = room < allowed ? room : allowed;
    return buf->data + end;
}

void weft__buf_commit(struct weft__buf *buf, size_t len)
{
    buf->len += len;
}

int weft__buf_append(struct weft__buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    bool fits = len <= buf->cap - buf->start - buf->len && len <= buf->max - buf->len;
    int err = fits ? 0 : weft__buf_reserve(buf, len);
    if (err < 0)
        return err;
    memcpy(buf->data + buf->start + buf->len, data, len);
    buf->len += len;
    return 0;
}

int weft__buf_append_str(struct weft__buf *buf, const char *text)
{
    return weft__buf_append(buf, text, strlen(text));
}

int weft__buf_append_u64(struct weft__buf *buf, uint64_t number)
{
    char digits[WEFT__U64_DIGITS];
    return weft__buf_append(buf, digits, weft__format_u64(number, digits));
}

int weft__buf_printf(struct weft__buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return -EINVAL;
    /* One byte more for the NUL that vsnprintf writes and nobody counts. */
    size_t max = buf->max;
    buf->max = max == SIZE_MAX ? max : max + 1;
    int err = weft__buf_reserve(buf, (size_t)len + 1);
    buf->max = max;
    if (err < 0)
        return err;
    va_start(args, format);
    vsnprintf(buf->data + buf->start + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
    return 0;
}

void weft__buf_consume(struct weft__buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->start = 0;
        buf->len = 0;
        return;
    }
    buf->start += len;
    buf->len -= len;
}

void weft__buf_clear(struct weft__buf *buf)
{
    buf->start = 0;
    buf->len = 0;
}

int weft__buf_take(struct weft__buf *buf, char **ret, size_t *ret_len)
{
    size_t max = buf->max;
    buf->max = max == SIZE_MAX ? max : max + 1;
    int err = weft__buf_reserve(buf, 1);
    buf->max = max;
    if (err < 0)
        return err;
    if (buf->start > 0)
        memmove(buf->data, buf->data + buf->start, buf->len);
    buf->data[buf->len] = '\0';
    *ret = buf->data;
    if (ret_len != NULL)
        *ret_len = buf->len;
    *buf = (struct weft__buf){.max = max};
    return 0;
}

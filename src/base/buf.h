/*
 * buf.h - a growable run of bytes with a maximum that its owner must name.
 *
 * Bytes are added at the end and taken from the front: data[start .. start + len).
 */
#ifndef WEFT_BASE_BUF_H
#define WEFT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct weft__buf {
    char *data;
    size_t start; /* of the bytes not taken yet */
    size_t len;   /* of them */
    size_t cap;   /* allocated */
    size_t max;   /* len never exceeds it */
};

void weft__buf_init(struct weft__buf *buf, size_t max);
void weft__buf_done(struct weft__buf *buf);

static inline char *weft__buf_bytes(const struct weft__buf *buf)
{
    return buf->data + buf->start;
}

/* Room for want more bytes behind the last one; -ENOMEM, or -EMSGSIZE beyond the maximum. */
int weft__buf_reserve(struct weft__buf *buf, size_t want);
/* Where reserved bytes go, and how many fit. */
char *weft__buf_space(const struct weft__buf *buf, size_t *ret_len);
void weft__buf_commit(struct weft__buf *buf, size_t len);
int weft__buf_append(struct weft__buf *buf, const void *data, size_t len);
int weft__buf_append_str(struct weft__buf *buf, const char *text);
static inline int weft__buf_append_char(struct weft__buf *buf, char c)
{
    if (buf->start + buf->len == buf->cap || buf->len == buf->max)
        return weft__buf_append(buf, &c, 1);
    buf->data[buf->start + buf->len++] = c;
    return 0;
}
int weft__buf_append_u64(struct weft__buf *buf, uint64_t number);
int weft__buf_printf(struct weft__buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void weft__buf_consume(struct weft__buf *buf, size_t len);
void weft__buf_clear(struct weft__buf *buf);
/* Adds a NUL behind the bytes (not counted) and gives the block away; the buffer is empty then. */
int weft__buf_take(struct weft__buf *buf, char **ret, size_t *ret_len);

#endif

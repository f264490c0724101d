/* bytes.h - bytes that grow, outside the library's memory, in which tests make faults. */
#ifndef WEFT_TEST_BYTES_H
#define WEFT_TEST_BYTES_H

#include <stdlib.h>
#include <string.h>

#include "test.h"

struct bytes {
    char *data;
    size_t len;
    size_t cap;
};

static inline void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
    if (bytes->len + len > bytes->cap) {
        bytes->cap = 2 * (bytes->len + len);
        bytes->data = realloc(bytes->data, bytes->cap);
        ASSERT(bytes->data != NULL);
    }
    if (len > 0)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

static inline void bytes_add_text(struct bytes *bytes, const char *text)
{
    bytes_add(bytes, text, strlen(text));
}

static inline void bytes_drop(struct bytes *bytes, size_t len)
{
    bytes->len -= len;
    if (bytes->len > 0)
        memmove(bytes->data, bytes->data + len, bytes->len);
}

#endif

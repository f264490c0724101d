/* chars.h - classes of bytes in HTTP and URI grammar, without the locale. */
#ifndef WEFT_PROTO_CHARS_H
#define WEFT_PROTO_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEFT__CHAR_TOKEN = 1,    /* tchar, RFC 9110 5.6.2 */
    WEFT__CHAR_TEXT = 2,     /* HTAB, SP, VCHAR, obs-text: what a field value may hold */
    WEFT__CHAR_TARGET = 4,   /* printable ASCII that may stand in a request target */
    WEFT__CHAR_REG_NAME = 8, /* unreserved and sub-delims, RFC 3986 3.2.2; "%" aside */
};

extern const uint8_t weft__chars[256];

static inline bool weft__char_is(char c, unsigned classes)
{
    return (weft__chars[(unsigned char)c] & classes) != 0;
}

/* Every byte is of one of the classes; true for no bytes. */
bool weft__chars_all(const char *text, size_t len, unsigned classes);

#endif

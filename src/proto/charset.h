/*
 * charset.h - text of a body in whatever character encoding, as UTF-8.
 *
 * The names are those of WHATWG's Encoding standard, as browsers know them; no other name
 * reaches iconv.  What is no text of the encoding becomes U+FFFD.
 */
#ifndef WEFT_PROTO_CHARSET_H
#define WEFT_PROTO_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include <iconv.h>

#include "base/buf.h"

enum { WEFT__CHARSET_PENDING = 16 };

struct weft__charset {
    const char *name;                    /* iconv's; NULL: UTF-8 */
    iconv_t iconv;                       /* where name is not NULL */
    size_t unit;                         /* bytes to pass over where there is no text */
    char pending[WEFT__CHARSET_PENDING]; /* the beginning of a character */
    size_t n_pending;
    bool begun; /* the place of a byte order mark is behind us */
};

/* Is there such a name? "" and len 0: no. */
bool weft__charset_is_known(const char *label, size_t len);
/* An unknown label is UTF-8; -ENOMEM. */
int weft__charset_init(struct weft__charset *charset, const char *label, size_t len);
void weft__charset_done(struct weft__charset *charset);
/*
 * Appends what data is as UTF-8; a byte order mark at the beginning is left out.  last: a
 * character that has begun will not end.  -ENOMEM, -EMSGSIZE: beyond the buffer's maximum.
 */
int weft__charset_decode(struct weft__charset *charset, const char *data, size_t len, bool last,
                         struct weft__buf *buf);

#endif

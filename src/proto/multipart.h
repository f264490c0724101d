/* multipart.h - multipart/form-data (RFC 7578, RFC 2046 5.1): boundaries and heads of parts. */
#ifndef WEFT_PROTO_MULTIPART_H
#define WEFT_PROTO_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/http.h>

#include "base/buf.h"

enum { WEFT__BOUNDARY_MAX = 70, WEFT__BOUNDARY_SIZE = WEFT__BOUNDARY_MAX + 1 };

/* 32 hex digits. */
void weft__boundary_make(const uint64_t random[2], char ret[WEFT__BOUNDARY_SIZE]);
/* RFC 2046 5.1.1: 1 to 70 of some characters, no blank at the end. */
bool weft__boundary_is_valid(const char *boundary, size_t len);
/*
 * The boundary in a content type, quoted or not; "" where it has none.  -EINVAL for a type that is
 * not multipart, and for a boundary that no message may have.
 */
int weft__boundary_from_type(const char *type, char ret[WEFT__BOUNDARY_SIZE]);
/* Would a part of these bytes end where nobody meant it to? */
bool weft__boundary_occurs(const char *boundary, const void *data, size_t len);

struct weft__part_head {
    const char *name;
    const char *filename;     /* NULL: none */
    const char *content_type; /* NULL: none; one in headers counts instead */
    const weft_pair *headers; /* ends with {0}; NULL: none */
};

/*
 * Appends what stands before the bytes of a part; first: no line ends before it.  The name and
 * the filename are escaped as browsers do it, control characters and "\" too, so that nobody who
 * reads them takes their end for another place.  WEFT_ELOCAL_PROTOCOL, -EINVAL, -ENOMEM.
 */
int weft__multipart_head(struct weft__buf *to, const char *boundary, bool first,
                         const struct weft__part_head *part);
/* Appends what stands behind the last part; none: there was no part. */
int weft__multipart_end(struct weft__buf *to, const char *boundary, bool none);

#endif

/* filename.h - names for files that a server proposes, made safe (RFC 6266, RFC 8187). */
#ifndef WEFT_PROTO_FILENAME_H
#define WEFT_PROTO_FILENAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

enum { WEFT__FILENAME_SIZE = WEFT__LIMIT_FILENAME + 1 };

/*
 * The name in a Content-Disposition field; false: there is none of which anything is left.
 * What comes out is UTF-8, one component of a path that is not hidden, and a name on Windows too.
 */
bool weft__filename_of_disposition(const char *value, size_t len, char ret[WEFT__FILENAME_SIZE]);
/* The last segment of a URL's path, percent-decoded; as above. */
bool weft__filename_of_path(const char *path, char ret[WEFT__FILENAME_SIZE]);

#endif

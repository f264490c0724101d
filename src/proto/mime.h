/* mime.h - content types of files. */
#ifndef WEFT_PROTO_MIME_H
#define WEFT_PROTO_MIME_H

#include <stddef.h>

/* By the extension, whatever its case; "application/octet-stream" for an unknown one. Static. */
const char *weft__mime_from_path(const char *path);
/* The same without a charset, of which a name says nothing; cut to what fits. */
void weft__mime_bare_from_path(const char *path, char *ret, size_t size);

#endif

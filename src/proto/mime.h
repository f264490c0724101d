/* mime.h - content types of files. */
#ifndef WEFT_PROTO_MIME_H
#define WEFT_PROTO_MIME_H

/* By the extension, whatever its case; "application/octet-stream" for an unknown one. Static. */
const char *weft__mime_from_path(const char *path);

#endif

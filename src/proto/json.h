/* json.h - writing JSON into a buffer; reading is weft_json_parse. */
#ifndef WEFT_PROTO_JSON_H
#define WEFT_PROTO_JSON_H

#include <jansson.h>

#include "base/buf.h"

/*
 * Appends a value, compact.  -ENOMEM, -EMSGSIZE beyond the buffer's maximum, or -EINVAL where
 * the value cannot be written (a real that is not finite, text that is not UTF-8).
 */
int weft__json_write(const json_t *value, struct weft__buf *text);

#endif

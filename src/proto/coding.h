/*
 * coding.h - content codings of a body undone: gzip, deflate, br, zstd (RFC 9110 8.4.1).
 *
 *   weft__decoder_new(values, n, &decoder);              NULL: there is nothing to undo
 *   while bytes come, and once more with last = true:
 *       do  n = weft__decoder_next(decoder, &data, &len, last, out, sizeof out);  while (n > 0)
 *
 * However little comes in and however much it would become, one call gives at most the room
 * it was given: a bomb costs its reader what the reader asked for.
 */
#ifndef WEFT_PROTO_CODING_H
#define WEFT_PROTO_CODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__decoder;

/* What a request may say it accepts. */
#define WEFT__ACCEPT_ENCODING "gzip, deflate, br, zstd"

/*
 * values: of the Content-Encoding fields, in order; lists in them count as more of them.  *ret
 * is NULL where nothing is to be undone: no coding, identity, or one that is not known (the
 * body is then given as it came).  WEFT_EDECODING beyond the limit of codings; -ENOMEM.
 */
int weft__decoder_new(const char *const *values, size_t n, struct weft__decoder **ret);
void weft__decoder_free(struct weft__decoder *decoder);
/*
 * Takes from *data what it can, and returns how many bytes it put into out; 0: all of *data is
 * taken, and with last the body is whole.  WEFT_EDECODING: not that coding, cut short, or
 * followed by something else; -ENOMEM.  last stays true once it was.
 */
int64_t weft__decoder_next(struct weft__decoder *decoder, const char **data, size_t *len, bool last,
                           char *out, size_t out_len);

#endif

/*
 * decode.c - the content codings of a response's body undone, as the caller takes it.
 *
 * What the decoder has not taken stays in the connection's buffer, which is filled again only
 * once it has: however much the body would become, nothing is held but what one step was asked
 * for.  A body that nobody reads is never decoded.
 */
#include "client/client_int.h"
#include "client/h2_int.h"
#include "proto/coding.h"

int weft__decode_begin(weft_response *response)
{
    const char *values[WEFT__LIMIT_CODINGS];
    size_t n = 0;
    const char *value;
    if (response->begun)
        return 0;
    response->begun = true;
    if (!response->decode)
        return 0;
    while ((value = weft_headers_get_nth(&response->headers, "content-encoding", n)) != NULL) {
        if (n == WEFT__LIMIT_CODINGS)
            return weft__fail(WEFT_EDECODING, "more than %d Content-Encoding fields",
                              WEFT__LIMIT_CODINGS);
        values[n++] = value;
    }
    return n > 0 ? weft__decoder_new(values, n, &response->decoder) : 0;
}

/* The next piece of the coded body, or its end. */
static int take_piece(weft_response *response)
{
    const char *piece;
    size_t len;
    int result = weft__response_piece(response, SIZE_MAX, &piece, &len);
    if (result < 0)
        return result;
    response->coded_end = result == 0;
    if (result == 0)
        return 0;
    if (response->body.received > response->coded_max)
        return weft__fail(WEFT_EBODY_TOO_LARGE, "the coded body is larger than %llu bytes",
                          (unsigned long long)response->coded_max);
    response->coded_start = (size_t)(piece - response->conn->in);
    response->coded_len = len;
    return 0;
}

int64_t weft__decode(weft_response *response, char *out, size_t out_len)
{
    if (response->conn->light)
        return weft__h2_decode(response, out, out_len);
    for (;;) {
        const char *in = response->conn->in;
        size_t len = in != NULL ? response->coded_len : 0;
        const char *data = len > 0 ? in + response->coded_start : NULL;
        size_t had = len;
        int64_t n =
            weft__decoder_next(response->decoder, &data, &len, response->coded_end, out, out_len);
        response->coded_start += had - len;
        response->coded_len = len;
        if (n != 0 || response->coded_end)
            return n;
        int err = take_piece(response);
        if (err < 0)
            return err;
    }
}

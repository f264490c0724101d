/*
 * fuzz_coding.c - content codings: no more comes out than there is room for, all that goes in is
 * taken, and the verdict does not depend on how the bytes were cut.
 *
 * The first byte says which codings, the second where to cut.
 */
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>

#include "proto/coding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1000, TOTAL = 1 << 20 };

static int run(const char *coding, const char *data, size_t len, size_t cut, size_t *total)
{
    char out[ROOM];
    struct weft__decoder *decoder;
    size_t left = cut;
    bool last = false;
    *total = 0;
    if (weft__decoder_new(&coding, 1, &decoder) < 0 || decoder == NULL)
        return 1;
    for (;;) {
        int64_t n = weft__decoder_next(decoder, &data, &left, last, out, sizeof out);
        if (n > ROOM || (n == 0 && left > 0))
            abort();
        if (n > 0)
            *total += (size_t)n;
        if (n < 0 || (n == 0 && last) || *total > TOTAL) {
            weft__decoder_free(decoder);
            return n < 0 ? (int)n : 0;
        }
        if (n == 0) {
            last = true;
            left = len - cut;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "deflate",  "br",
                                          "zstd", "gzip, br", "zstd, deflate, gzip"};
    if (size < 2)
        return 0;
    const char *coding = codings[data[0] % (sizeof codings / sizeof codings[0])];
    const char *bytes = (const char *)data + 2;
    size_t len = size - 2;
    size_t whole;
    size_t pieces;
    int a = run(coding, bytes, len, len, &whole);
    int b = run(coding, bytes, len, len > 0 ? data[1] % (len + 1) : 0, &pieces);
    /* The zstd library takes a shorter way for a frame that is whole, and finds less wrong. */
    if (a != b && strstr(coding, "zstd") != NULL)
        return 0;
    if (whole <= TOTAL && pieces <= TOTAL && (a != b || (a == 0 && whole != pieces)))
        abort();
    return 0;
}

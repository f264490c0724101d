/*
 * fuzz_h1.c - HTTP/1 heads and chunked bodies: whatever comes, the verdict is the same whether it
 * comes whole or in pieces.
 *
 * The first byte says what the rest is, the second how long the pieces are.
 */
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>

#include "proto/h1.h"

enum { KINDS = 3 };

struct verdict {
    int code;     /* 1: whole, 0: more must come, negative: an error */
    size_t used;  /* bytes of a whole message */
    uint64_t sum; /* of what was found in it */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mix(uint64_t sum, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)data[i]) * 0x100000001b3u;
    return sum;
}

static struct verdict parse_head(bool request, const char *data, size_t len, size_t step)
{
    struct verdict verdict = {0};
    struct weft__h1_head head;
    char *copy = malloc(len + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, data, len);
    weft__h1_head_init(&head);
    weft__h1_head_reset(&head, request ? NULL : "GET");
    for (size_t seen = step < len ? step : len;; seen = len - seen < step ? len : seen + step) {
        int n = request ? weft__h1_parse_request(&head, copy, seen, &weft__h1_request_limits)
                        : weft__h1_parse_response(&head, copy, seen, &weft__h1_response_limits);
        verdict.code = n > 0 ? 1 : n;
        verdict.used = n > 0 ? (size_t)n : 0;
        if (n != 0 || seen == len)
            break;
    }
    if (verdict.code > 0) {
        for (size_t i = 0; i < head.fields_len; i++) {
            const struct weft__h1_field *field = &head.fields[i];
            verdict.sum = mix(verdict.sum, field->name, field->name_len);
            verdict.sum = mix(verdict.sum, field->value, field->value_len);
        }
        verdict.sum += (uint64_t)head.body + head.keep_alive * 8u + (uint64_t)head.content_length;
    }
    weft__h1_head_done(&head);
    free(copy);
    return verdict;
}

static struct verdict decode_chunked(const char *data, size_t len, size_t step)
{
    struct verdict verdict = {0};
    struct weft__chunked chunked;
    size_t taken = 0;
    size_t seen = 0;
    weft__chunked_init(&chunked, NULL);
    while (verdict.code == 0 && seen < len) {
        seen = len - seen < step ? len : seen + step;
        do {
            const char *payload = NULL;
            size_t payload_len = 0;
            size_t consumed = 0;
            verdict.code = weft__chunked_next(&chunked, data + taken, seen - taken, &consumed,
                                              &payload, &payload_len);
            taken += consumed;
            if (verdict.code == WEFT__H1_DATA)
                verdict.sum = mix(verdict.sum, payload, payload_len);
        } while (verdict.code == WEFT__H1_DATA);
    }
    verdict.used = verdict.code == WEFT__H1_END ? taken : 0;
    weft__chunked_done(&chunked);
    return verdict;
}

static struct verdict look(unsigned kind, const char *data, size_t len, size_t step)
{
    return kind == 2 ? decode_chunked(data, len, step) : parse_head(kind == 1, data, len, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    unsigned kind = data[0] % KINDS;
    size_t step = (size_t)data[1] % 32 + 1;
    const char *text = (const char *)data + 2;
    struct verdict whole = look(kind, text, size - 2, size);
    struct verdict split = look(kind, text, size - 2, step);
    /* A trailer section is looked at when a piece ends, so that an error in an unfinished one
     * may be found by one way of cutting and not yet by the other. */
    if (kind == 2 && whole.code <= 0 && split.code <= 0)
        return 0;
    if (whole.code != split.code || whole.used != split.used)
        abort();
    if (whole.code > 0 && whole.sum != split.sum)
        abort();
    return 0;
}

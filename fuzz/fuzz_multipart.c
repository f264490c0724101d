/*
 * Boundaries from content types, heads of parts: whatever the names, a head has as many lines as
 * it has fields, and the boundary that was found is one that a message may have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "proto/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next text of the input, up to a NUL. */
static const char *next_text(const char **at, const char *end)
{
    const char *text = *at;
    *at += strlen(text);
    if (*at < end)
        (*at)++;
    return text;
}

static void check_lines(const struct weft__buf *buf, size_t fields)
{
    const char *text = weft__buf_bytes(buf);
    size_t lines = 0;
    for (size_t i = 0; i < buf->len; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
            abort();
        if (text[i] == '\r' && (i + 1 == buf->len || text[i + 1] != '\n'))
            abort();
        lines += text[i] == '\n';
    }
    /* The boundary, Content-Disposition, the fields, the empty line. */
    if (lines != fields + 3 || memcmp(text + buf->len - 4, "\r\n\r\n", 4) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *input = malloc(size + 1);
    char boundary[WEFT__BOUNDARY_SIZE];
    struct weft__buf buf;
    if (input == NULL)
        return 0;
    memcpy(input, data, size);
    input[size] = '\0';
    const char *at = input;
    const char *end = input + size;
    const weft_pair headers[] = {{next_text(&at, end), next_text(&at, end)}, {0}};
    struct weft__part_head part = {.name = next_text(&at, end),
                                   .filename = next_text(&at, end),
                                   .content_type = next_text(&at, end),
                                   .headers = headers};
    weft__buf_init(&buf, SIZE_MAX);
    if (weft__multipart_head(&buf, "b", true, &part) == 0) {
        bool typed = strcasecmp(headers[0].name, "content-type") == 0;
        check_lines(&buf, typed ? 1 : 2);
    }
    if (weft__boundary_from_type(part.content_type, boundary) == 0 && boundary[0] != '\0' &&
        !weft__boundary_is_valid(boundary, strlen(boundary)))
        abort();
    weft__boundary_occurs("b", input, size);
    weft__buf_done(&buf);
    free(input);
    return 0;
}

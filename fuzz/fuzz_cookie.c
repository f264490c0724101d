/*
 * fuzz_cookie.c - Set-Cookie lines and files of cookies: whatever they say, what is sent and
 * written has no line end in it, and a jar that is written is read back as the same.
 *
 * The bytes are lines; the first byte says which host received them.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1790000000 };

static void check_header(struct weft__jar *jar, const struct weft__cookie_place *place)
{
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    if (weft__jar_header(jar, place, NOW, &buf) < 0)
        abort();
    for (size_t i = 0; i < buf.len; i++) {
        unsigned char c = (unsigned char)weft__buf_bytes(&buf)[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            abort();
    }
    weft__buf_done(&buf);
}

static void check_file(struct weft__jar *jar)
{
    struct weft__jar again;
    struct weft__buf one;
    struct weft__buf two;
    size_t skipped;
    weft__jar_init(&again);
    weft__buf_init(&one, SIZE_MAX);
    weft__buf_init(&two, SIZE_MAX);
    if (weft__jar_print(jar, NOW, &one) < 0 ||
        weft__jar_parse(&again, weft__buf_bytes(&one), one.len, NOW, &skipped) < 0 || skipped > 0 ||
        weft__jar_print(&again, NOW, &two) < 0)
        abort();
    if (one.len != two.len || memcmp(weft__buf_bytes(&one), weft__buf_bytes(&two), one.len) != 0)
        abort();
    weft__buf_done(&one);
    weft__buf_done(&two);
    weft__jar_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weft__cookie_place places[] = {
        {"www.example.com", "/a/b", true},
        {"example.co.uk", "/", false},
        {"127.0.0.1", "/x/", false},
        {"github.io", "/", true},
    };
    struct weft__jar jar;
    size_t skipped;
    if (size < 1)
        return 0;
    const struct weft__cookie_place *place = &places[data[0] % 4];
    const char *text = (const char *)data + 1;
    const char *end = (const char *)data + size;
    weft__jar_init(&jar);
    if (weft__jar_parse(&jar, text, size - 1, NOW, &skipped) < 0)
        abort();
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((newline != NULL ? newline : end) - text);
        weft__jar_receive(&jar, place, text, len, NOW);
        text += len + (newline != NULL);
    }
    for (size_t i = 0; i < 4; i++)
        check_header(&jar, &places[i]);
    check_file(&jar);
    weft__jar_done(&jar);
    return 0;
}

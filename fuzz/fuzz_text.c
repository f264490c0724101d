/*
 * fuzz_text.c - server-sent events, encodings, links: the same comes out however the bytes were
 * cut, and it is UTF-8.
 *
 * The first byte says which, the second where to cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "proto/charset.h"
#include "proto/link.h"
#include "proto/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int events(const char *text, size_t len, size_t cut, struct weft__buf *out)
{
    struct weft__sse sse;
    struct weft__sse_event event;
    size_t left = cut;
    int result = 0;
    weft__sse_init(&sse, 1000);
    for (int i = 0; i < 2 && result >= 0; i++, left = len - cut) {
        while ((result = weft__sse_next(&sse, &text, &left, &event)) > 0) {
            weft__buf_append_str(out, event.event);
            weft__buf_append_str(out, event.id);
            weft__buf_append(out, event.data, event.data_len);
        }
        if (result == 0 && left > 0)
            abort();
    }
    weft__sse_done(&sse);
    return result;
}

static int decode(const char *label, const char *text, size_t len, size_t cut,
                  struct weft__buf *out)
{
    struct weft__charset charset;
    if (weft__charset_init(&charset, label, strlen(label)) < 0 ||
        weft__charset_decode(&charset, text, cut, false, out) < 0 ||
        weft__charset_decode(&charset, text + cut, len - cut, true, out) < 0)
        abort();
    weft__charset_done(&charset);
    return 0;
}

static void links(const char *text, size_t len)
{
    struct weft__text rest = {text, len};
    struct weft__link link;
    while (weft__link_next(&rest, &link)) {
        if (link.target.data < text || link.target.data + link.target.len > text + len)
            abort();
        weft__link_is(&link, "next");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = {"utf-8",       "utf-16le",  "gb18030",
                                         "iso-2022-jp", "shift_jis", "windows-1252"};
    struct weft__buf one;
    struct weft__buf two;
    if (size < 2)
        return 0;
    const char *text = (const char *)data + 2;
    size_t len = size - 2;
    size_t cut = data[1] % (len + 1);
    unsigned kind = data[0] % 8;
    weft__buf_init(&one, SIZE_MAX);
    weft__buf_init(&two, SIZE_MAX);
    int a = 0;
    int b = 0;
    if (kind == 7) {
        links(text, len);
    } else if (kind == 6) {
        a = events(text, len, len, &one);
        b = events(text, len, cut, &two);
    } else {
        a = decode(labels[kind], text, len, len, &one);
        b = decode(labels[kind], text, len, cut, &two);
    }
    if (a != b || one.len != two.len ||
        (one.len > 0 && memcmp(weft__buf_bytes(&one), weft__buf_bytes(&two), one.len) != 0))
        abort();
    weft__buf_done(&one);
    weft__buf_done(&two);
    return 0;
}

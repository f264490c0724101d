/* form.c - application/x-www-form-urlencoded, section 5 of the URL standard. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/str.h"
#include "proto/url_int.h"

static int encode(struct weft__buf *buf, const weft_pair *pairs)
{
    int err = 0;
    for (const weft_pair *pair = pairs; err == 0 && pair != NULL && pair->name != NULL; pair++) {
        const char *value = pair->value != NULL ? pair->value : "";
        if (pair != pairs)
            err = weft__buf_append_char(buf, '&');
        if (err == 0)
            err = weft__url_encode(buf, pair->name, strlen(pair->name), WEFT__URL_FORM);
        if (err == 0)
            err = weft__buf_append_char(buf, '=');
        if (err == 0)
            err = weft__url_encode(buf, value, strlen(value), WEFT__URL_FORM);
    }
    return err;
}

int weft_form_encode(const weft_pair *pairs, char **ret, size_t *ret_len)
{
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    int err = encode(&buf, pairs);
    if (err == 0)
        err = weft__buf_take(&buf, ret, ret_len);
    weft__buf_done(&buf);
    return err < 0 ? weft__fail_nomem() : 0;
}

/* Decodes text[0..len) to *to with a NUL behind it and moves *to on; -1 for a NUL inside. */
static int decode(const char *text, size_t len, char **to)
{
    char *p = *to;
    for (size_t i = 0; i < len; i++) {
        char c = text[i] == '+' ? ' ' : text[i];
        if (c == '%' && len - i > 2 && weft__hex_value(text[i + 1]) >= 0 &&
            weft__hex_value(text[i + 2]) >= 0) {
            c = (char)(weft__hex_value(text[i + 1]) * 16 + weft__hex_value(text[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return -1;
        *p++ = c;
    }
    *p++ = '\0';
    *to = p;
    return 0;
}

/* The next part between "&"s that is not empty; false at the end. */
static bool next_part(const char **text, size_t *len, struct weft__url_span *ret)
{
    while (*len > 0) {
        const char *amp = memchr(*text, '&', *len);
        *ret = (struct weft__url_span){*text, amp != NULL ? (size_t)(amp - *text) : *len};
        size_t taken = ret->len + (amp != NULL);
        *text += taken;
        *len -= taken;
        if (ret->len > 0)
            return true;
    }
    return false;
}

int weft_form_decode(const char *text, size_t len, weft_pair **ret)
{
    struct weft__url_span part;
    const char *p = text;
    size_t rest = len;
    size_t count = 1;
    while (next_part(&p, &rest, &part))
        count++;
    /* Each part is decoded to at most its own length and two NULs, one in place of its "&". */
    size_t bytes;
    if (weft__size_mul(count, sizeof(weft_pair) + 2, &bytes) < 0 ||
        weft__size_add(bytes, len, &bytes) < 0)
        return weft__fail_nomem();
    weft_pair *pairs = weft__alloc(bytes);
    if (pairs == NULL)
        return weft__fail_nomem();
    char *to = (char *)(pairs + count);
    weft_pair *pair = pairs;
    for (p = text, rest = len; next_part(&p, &rest, &part); pair++) {
        const char *equals = memchr(part.data, '=', part.len);
        size_t name_len = equals != NULL ? (size_t)(equals - part.data) : part.len;
        size_t value_at = equals != NULL ? name_len + 1 : name_len;
        pair->name = to;
        if (decode(part.data, name_len, &to) < 0)
            break;
        pair->value = to;
        if (decode(part.data + value_at, part.len - value_at, &to) < 0)
            break;
    }
    if (pair != pairs + count - 1) {
        weft__free(pairs);
        return weft__fail(-EINVAL, "form data: a name or value has a NUL in it");
    }
    *pair = (weft_pair){0};
    *ret = pairs;
    return 0;
}

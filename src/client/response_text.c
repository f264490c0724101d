/*
 * response_text.c - what the bytes of a body are as text.
 *
 * The encoding is the one that the caller has set, else the charset of Content-Type, else the
 * default of the call, else UTF-8; a label that nobody knows does not count.  Nothing is guessed
 * from the bytes, but of JSON, which says by its first bytes what it is (RFC 4627 section 3).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"
#include "proto/charset.h"

#define MARK "\xef\xbb\xbf"

/* ---- labels ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The value of a parameter, which stands behind its "=": a token, or a quoted string. */
static size_t parameter_value(const char *text, const char **ret, const char **ret_end)
{
    size_t len;
    if (*text == '"') {
        *ret = text + 1;
        len = strcspn(text + 1, "\"");
        *ret_end = text + 1 + len + (text[1 + len] == '"');
        return len;
    }
    *ret = text;
    len = strcspn(text, ";");
    *ret_end = text + len;
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    return len;
}

/* charset of a Content-Type (RFC 9110 8.3.1): the first one counts; 0: there is none. */
static size_t find_charset(const char *type, const char **ret)
{
    const char *at = type + strcspn(type, ";");
    while (*at == ';') {
        const char *value;
        at++;
        while (is_blank(*at))
            at++;
        size_t name_len = strcspn(at, "=;");
        if (at[name_len] != '=') {
            at += name_len;
            continue;
        }
        size_t len = parameter_value(at + name_len + 1, &value, &type);
        if (weft__ieq_n(at, name_len, "charset", 7)) {
            *ret = value;
            return len;
        }
        at = type + strcspn(type, ";");
    }
    return 0;
}

static void keep_label(char to[WEFT__CHARSET_LABEL + 1], const char *label, size_t len)
{
    if (len > WEFT__CHARSET_LABEL)
        len = WEFT__CHARSET_LABEL;
    memcpy(to, label, len);
    to[len] = '\0';
}

const char *weft_response_charset_encoding(weft_response *response)
{
    const char *type = weft_headers_get(&response->headers, "content-type");
    const char *label;
    size_t len = type != NULL ? find_charset(type, &label) : 0;
    if (len == 0)
        return NULL;
    keep_label(response->charset, label, len);
    return response->charset;
}

const char *weft_response_encoding(weft_response *response)
{
    const char *charset;
    if (response->encoding_set)
        return response->encoding;
    charset = weft_response_charset_encoding(response);
    if (charset != NULL && weft__charset_is_known(charset, strlen(charset)))
        return charset;
    return response->encoding[0] != '\0' ? response->encoding : "utf-8";
}

int weft__encoding_check(const char *label)
{
    if (label == NULL || !weft__charset_is_known(label, strlen(label)))
        return weft__fail(-EINVAL, "\"%.40s\" is no character encoding that is known",
                          label != NULL ? label : "");
    return 0;
}

int weft_response_set_encoding(weft_response *response, const char *label)
{
    int err = weft__encoding_check(label);
    if (err < 0)
        return err;
    if (response->text_made || response->taking == WEFT__TAKES_TEXT)
        return weft__fail(WEFT_ESTREAM_CONSUMED, "the text was already read");
    keep_label(response->encoding, label, strlen(label));
    response->encoding_set = true;
    return 0;
}

/* ---- the whole text ---- */

static bool continues(const unsigned char *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

/* Bytes of the character at at, of which left are there; 0: none that UTF-8 knows. */
static size_t character(const unsigned char *at, size_t left)
{
    unsigned char c = *at;
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || left < n || !continues(at + 1, n - 1))
        return 0;
    if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) || (c == 0xf0 && at[1] < 0x90) ||
        (c == 0xf4 && at[1] > 0x8f))
        return 0;
    return n;
}

/* Most bodies are, and then nothing is copied. */
static bool is_utf8(const char *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data;
    const unsigned char *end = at + len;
    uint64_t eight;
    if (len >= 3 && memcmp(data, MARK, 3) == 0)
        return false;
    while (at < end) {
        if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
            continue;
        }
        size_t n = character(at, (size_t)(end - at));
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

static bool means_utf8(const char *label)
{
    return weft__ieq(label, "utf-8") || weft__ieq(label, "utf8");
}

/* With a NUL behind it. */
static int convert(const char *label, const char *data, size_t len, struct weft__buf *buf)
{
    struct weft__charset charset;
    int err = weft__charset_init(&charset, label, strlen(label));
    if (err < 0)
        return err;
    err = weft__charset_decode(&charset, data, len, true, buf);
    if (err == 0)
        err = weft__buf_append_char(buf, '\0');
    weft__charset_done(&charset);
    return err < 0 ? weft__fail_nomem() : 0;
}

static int make_text(weft_response *response)
{
    const struct weft__buf *content = &response->content;
    const char *label = weft_response_encoding(response);
    const char *data = weft__buf_bytes(content);
    if (!means_utf8(label) || !is_utf8(data, content->len)) {
        int err = convert(label, data, content->len, &response->text);
        if (err < 0) {
            weft__buf_clear(&response->text);
            return err;
        }
    }
    response->text_made = true;
    return 0;
}

const char *weft_response_text(weft_response *response, size_t *ret_len)
{
    size_t len = response->content.len;
    if (ret_len != NULL)
        *ret_len = 0;
    if (!response->in_memory) {
        weft__fail_code(WEFT_ERESPONSE_NOT_READ);
        return NULL;
    }
    if (!response->text_made && make_text(response) < 0)
        return NULL;
    const char *text = weft__buf_bytes(&response->content);
    if (response->text.len > 0) {
        text = weft__buf_bytes(&response->text);
        len = response->text.len - 1;
    }
    if (ret_len != NULL)
        *ret_len = len;
    return text;
}

/* ---- JSON ---- */

/* RFC 4627 section 3: the first two characters are ASCII, so NULs tell how wide they are. */
static const char *json_encoding(const unsigned char *d, size_t len)
{
    if (len >= 4 && d[0] == 0 && d[1] == 0 && (d[2] == 0 || (d[2] == 0xfe && d[3] == 0xff)))
        return "utf-32be";
    if (len >= 4 && d[2] == 0 && d[3] == 0 && (d[1] == 0 || (d[0] == 0xff && d[1] == 0xfe)))
        return "utf-32le";
    if (len >= 2 && (d[0] == 0 || (d[0] == 0xfe && d[1] == 0xff)))
        return "utf-16be";
    if (len >= 2 && (d[1] == 0 || (d[0] == 0xff && d[1] == 0xfe)))
        return "utf-16le";
    return "utf-8";
}

int weft__json_text(const char *data, size_t len, struct weft__buf *buf, const char **ret,
                    size_t *ret_len)
{
    const char *label = json_encoding((const unsigned char *)data, len);
    *ret = data;
    *ret_len = len;
    if (means_utf8(label)) {
        if (len >= 3 && memcmp(data, MARK, 3) == 0) {
            *ret += 3;
            *ret_len -= 3;
        }
        return 0;
    }
    int err = convert(label, data, len, buf);
    if (err < 0)
        return err;
    *ret = weft__buf_bytes(buf);
    *ret_len = buf->len - 1;
    return 0;
}

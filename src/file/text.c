/*
 * text.c - the codec of text files: UTF-8 that is checked, other encodings by iconv, newlines.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "file/text_int.h"

static const char replacement[] = "\xEF\xBF\xBD";

/* ---- UTF-8 ---- */

/* The length of the sequence that a byte begins, and the least second byte; 0: it begins none. */
static size_t sequence(unsigned char lead, unsigned char *ret_least, unsigned char *ret_most)
{
    *ret_least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *ret_most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/* How many bytes from p on belong together; *ret_need: how many there should be, 0: none such. */
static size_t one_char(const unsigned char *p, size_t len, size_t *ret_need)
{
    unsigned char least;
    unsigned char most;
    size_t n = 1;
    *ret_need = sequence(p[0], &least, &most);
    while (n < *ret_need && n < len && p[n] >= least && p[n] <= most) {
        least = 0x80;
        most = 0xBF;
        n++;
    }
    return n;
}

static size_t ascii_span(const char *data, size_t len)
{
    const uint64_t high = 0x8080808080808080U;
    size_t n = 0;
    uint64_t word;
    while (len - n >= sizeof word) {
        memcpy(&word, data + n, sizeof word);
        if ((word & high) != 0)
            break;
        n += sizeof word;
    }
    while (n < len && (data[n] & 0x80) == 0)
        n++;
    return n;
}

size_t weft__utf8_span(const char *data, size_t len, enum weft__utf8 *ret_then)
{
    size_t n = 0;
    for (;;) {
        size_t need;
        n += ascii_span(data + n, len - n);
        if (n == len) {
            *ret_then = WEFT__UTF8_VALID;
            return n;
        }
        size_t have = one_char((const unsigned char *)data + n, len - n, &need);
        if (need == 0 || have < need) {
            *ret_then = need != 0 && n + have == len ? WEFT__UTF8_CUT : WEFT__UTF8_BAD;
            return n;
        }
        n += need;
    }
}

/* ---- making one ---- */

static int parse_newline(const char *text, enum weft__newline *ret)
{
    static const char *const known[] = {"", "\n", "\r", "\r\n"};
    *ret = WEFT__NEWLINE_TRANSLATE;
    if (text == NULL)
        return 0;
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, known[i]) == 0) {
            *ret = (enum weft__newline)(WEFT__NEWLINE_ANY + i);
            return 0;
        }
    }
    return weft__fail(-EINVAL, "newline is NULL, \"\", \"\\n\", \"\\r\" or \"\\r\\n\"");
}

/* Python's names for what iconv calls otherwise. */
static const char *iconv_name(const char *name)
{
    static const char *const names[][2] = {
        {"latin-1", "LATIN1"}, {"latin_1", "LATIN1"}, {"utf_16", "UTF-16"}, {"utf_32", "UTF-32"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i][0]) == 0)
            return names[i][1];
    }
    return name;
}

static bool is_utf8(const char *name)
{
    return strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "utf8") == 0 ||
           strcasecmp(name, "utf_8") == 0;
}

/* Descriptors of iconv are from its own allocator. */
static int open_codec(struct weft__text *text, const char *name)
{
    if (weft__alloc_should_fail())
        return -ENOMEM;
    iconv_t in = iconv_open("UTF-8", name);
    iconv_t out = in == (iconv_t)-1 ? in : iconv_open(name, "UTF-8");
    if (out == (iconv_t)-1) {
        int err = -errno;
        if (in != (iconv_t)-1)
            iconv_close(in);
        return err == -ENOMEM ? err : weft__fail(-EINVAL, "no such encoding: '%.31s'", name);
    }
    text->in = in;
    text->out = out;
    text->order_unknown = strcasecmp(name, "UTF-16") == 0 || strcasecmp(name, "UTF-32") == 0;
    return 0;
}

int weft__text_new(const char *encoding, const char *newline, bool replace, struct weft__text **ret)
{
    enum weft__newline kind;
    int err = parse_newline(newline, &kind);
    if (err < 0)
        return err;
    if (encoding != NULL && (encoding[0] == '\0' || strlen(encoding) > 31))
        return weft__fail(-EINVAL, "no such encoding: '%.31s'", encoding);
    struct weft__text *text = weft__calloc(1, sizeof *text);
    if (text == NULL)
        return -ENOMEM;
    text->newline = kind;
    text->replace = replace;
    text->signature = encoding != NULL && strcasecmp(encoding, "utf-8-sig") == 0;
    const char *name = encoding == NULL || text->signature ? "UTF-8" : iconv_name(encoding);
    snprintf(text->encoding, sizeof text->encoding, "%s", name);
    if (!is_utf8(name))
        err = open_codec(text, name);
    if (err < 0) {
        weft__free(text);
        return err;
    }
    *ret = text;
    return 0;
}

void weft__text_free(struct weft__text *text)
{
    if (text == NULL)
        return;
    if (text->in != NULL) {
        iconv_close(text->in);
        iconv_close(text->out);
    }
    weft__free(text->chars);
    weft__free(text);
}

int weft__text_copy(const struct weft__text *text, struct weft__text **ret)
{
    static const char *const newlines[] = {NULL, "", "\n", "\r", "\r\n"};
    struct weft__text *copy;
    int err = weft__text_new(text->signature ? "utf-8-sig" : text->encoding,
                             newlines[text->newline], text->replace, &copy);
    if (err == 0 && text->order != '\0')
        err = weft__text_set_order(copy, text->order == 'B');
    if (err == 0)
        *ret = copy;
    return err;
}

int weft__text_set_order(struct weft__text *text, bool big)
{
    char name[40];
    snprintf(name, sizeof name, "%s%s", text->encoding, big ? "BE" : "LE");
    iconv_t in = iconv_open("UTF-8", name);
    if (in == (iconv_t)-1)
        return -errno;
    iconv_close(text->in);
    text->in = in;
    text->order_unknown = false;
    text->order = big ? 'B' : 'L';
    return 0;
}

void weft__text_reset(struct weft__text *text, int64_t raw)
{
    text->pos = 0;
    text->end = 0;
    text->has_cut = false;
    text->skip_lf = false;
    text->base = (struct weft__text_mark){.raw = raw};
    text->last = text->base;
    if (text->in != NULL)
        iconv(text->in, NULL, NULL, NULL, NULL);
}

/* ---- decoding ---- */

/* Room for what len bytes become at most, and for a NUL. */
static int make_room(struct weft__text *text, size_t len)
{
    size_t need = text->end + len * 3 + 16;
    if (need <= text->cap)
        return 0;
    size_t cap = need > text->cap * 2 ? need : text->cap * 2;
    char *chars = weft__realloc(text->chars, cap);
    if (chars == NULL)
        return -ENOMEM;
    text->chars = chars;
    text->cap = cap;
    return 0;
}

static void append(struct weft__text *text, const char *data, size_t len)
{
    memcpy(text->chars + text->end, data, len);
    text->end += len;
}

/* "\r\n" and "\r" become "\n", from an index on. */
static void translate(struct weft__text *text, size_t from)
{
    char *to = text->chars + from;
    const char *end = text->chars + text->end;
    if (!text->skip_lf && memchr(to, '\r', (size_t)(end - to)) == NULL)
        return;
    for (const char *c = to; c < end; c++) {
        bool skip = text->skip_lf && *c == '\n';
        text->skip_lf = *c == '\r';
        if (!skip)
            *to++ = *c == '\r' ? '\n' : *c;
    }
    text->end = (size_t)(to - text->chars);
}

static int decode_utf8(struct weft__text *text, const char *data, size_t len, bool final,
                       size_t *ret_used)
{
    size_t used = 0;
    int err = 0;
    while (used < len) {
        enum weft__utf8 then;
        size_t need;
        size_t n = weft__utf8_span(data + used, len - used, &then);
        append(text, data + used, n);
        used += n;
        if (then == WEFT__UTF8_VALID || (then == WEFT__UTF8_CUT && !final))
            break;
        text->bad = (unsigned char)data[used];
        err = text->replace ? 0 : -EILSEQ;
        if (err < 0)
            break;
        used += one_char((const unsigned char *)data + used, len - used, &need);
        append(text, replacement, 3);
    }
    *ret_used = used;
    return err;
}

static int decode_iconv(struct weft__text *text, const char *data, size_t len, bool final,
                        size_t *ret_used)
{
    char *in = (char *)(uintptr_t)data;
    size_t in_left = len;
    int err = 0;
    while (in_left > 0) {
        char *out = text->chars + text->end;
        size_t out_left = text->cap - text->end - 16;
        size_t n = iconv(text->in, &in, &in_left, &out, &out_left);
        text->end = (size_t)(out - text->chars);
        if (n != (size_t)-1 || errno == E2BIG || (errno == EINVAL && !final))
            break;
        text->bad = (unsigned char)*in;
        err = text->replace ? 0 : -EILSEQ;
        if (err < 0)
            break;
        append(text, replacement, 3);
        in++;
        in_left--;
    }
    *ret_used = len - in_left;
    return err;
}

int weft__text_decode(struct weft__text *text, const char *data, size_t len, bool final,
                      size_t *ret_used)
{
    *ret_used = 0;
    int err = make_room(text, len);
    if (err < 0)
        return err;
    size_t from = text->end;
    err = text->in == NULL ? decode_utf8(text, data, len, final, ret_used)
                           : decode_iconv(text, data, len, final, ret_used);
    if (text->newline == WEFT__NEWLINE_TRANSLATE)
        translate(text, from);
    return err;
}

/* ---- encoding ---- */

/* With "\r" or "\r\n" for "\n", if that is asked for. */
static int spread_newlines(const struct weft__text *text, const char *data, size_t len, char **ret,
                           size_t *ret_len)
{
    bool pair = text->newline == WEFT__NEWLINE_CRLF;
    bool single = text->newline == WEFT__NEWLINE_CR;
    char *out = weft__alloc(len * (pair ? 2 : 1) + 1);
    if (out == NULL)
        return -ENOMEM;
    char *to = out;
    for (size_t i = 0; i < len; i++) {
        bool end = data[i] == '\n';
        if (end && pair)
            *to++ = '\r';
        *to++ = end && single ? '\r' : data[i];
    }
    *ret = out;
    *ret_len = (size_t)(to - out);
    return 0;
}

/* The mark that stands at the start of a file is not written again further on. */
static void begin_encoding(struct weft__text *text, bool at_start)
{
    char mark[16];
    char *out = mark;
    size_t left = sizeof mark;
    char *in = (char[]){' '};
    size_t in_left = 1;
    iconv(text->out, NULL, NULL, NULL, NULL);
    if (!at_start)
        iconv(text->out, &in, &in_left, &out, &left);
}

static int encode_iconv(struct weft__text *text, char *data, size_t len, bool at_start, char **ret,
                        size_t *ret_len, size_t *ret_bad)
{
    size_t cap = len * 4 + 32;
    char *bytes = weft__alloc(cap);
    if (bytes == NULL)
        return -ENOMEM;
    char *in = data;
    size_t in_left = len;
    char *out = bytes;
    size_t out_left = cap;
    begin_encoding(text, at_start);
    while (in_left > 0) {
        if (iconv(text->out, &in, &in_left, &out, &out_left) != (size_t)-1)
            break;
        size_t need;
        char *mark = (char[]){'?'};
        size_t one = 1;
        if (!text->replace || errno != EILSEQ) {
            *ret_bad = len - in_left;
            weft__free(bytes);
            return -EILSEQ;
        }
        size_t n = one_char((unsigned char *)in, in_left, &need);
        in += n;
        in_left -= n;
        iconv(text->out, &mark, &one, &out, &out_left);
    }
    iconv(text->out, NULL, NULL, &out, &out_left);
    *ret = bytes;
    *ret_len = (size_t)(out - bytes);
    return 0;
}

int weft__text_encode(struct weft__text *text, const char *data, size_t len, bool at_start,
                      char **ret, size_t *ret_len, size_t *ret_bad)
{
    enum weft__utf8 then;
    char *spread;
    size_t spread_len;
    *ret_bad = weft__utf8_span(data, len, &then);
    if (then != WEFT__UTF8_VALID)
        return -EILSEQ;
    int err = spread_newlines(text, data, len, &spread, &spread_len);
    if (err < 0)
        return err;
    if (text->in == NULL) {
        *ret = spread;
        *ret_len = spread_len;
        return 0;
    }
    err = encode_iconv(text, spread, spread_len, at_start, ret, ret_len, ret_bad);
    weft__free(spread);
    return err;
}

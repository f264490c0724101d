/* charset.c - character encodings: UTF-8 here, the others by iconv. */
#include "proto/charset.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/str.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define MARK        "\xef\xbb\xbf"

/* Labels with spaces between them, and iconv's name of what they mean. */
static const struct {
    const char *labels;
    const char *name;
} known[] = {
    {" utf-8 utf8 unicode-1-1-utf-8 ", NULL},
    {" windows-1252 cp1252 iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 l1 us-ascii ascii ",
     "CP1252"},
    {" iso-8859-2 iso8859-2 latin2 l2 ", "ISO-8859-2"},
    {" iso-8859-3 iso8859-3 latin3 l3 ", "ISO-8859-3"},
    {" iso-8859-4 iso8859-4 latin4 l4 ", "ISO-8859-4"},
    {" iso-8859-5 iso8859-5 cyrillic ", "ISO-8859-5"},
    {" iso-8859-6 iso8859-6 arabic ", "ISO-8859-6"},
    {" iso-8859-7 iso8859-7 greek ", "ISO-8859-7"},
    {" iso-8859-8 iso8859-8 iso-8859-8-i hebrew ", "ISO-8859-8"},
    {" windows-1254 cp1254 iso-8859-9 iso8859-9 latin5 l5 ", "CP1254"},
    {" iso-8859-10 iso8859-10 latin6 l6 ", "ISO-8859-10"},
    {" windows-874 iso-8859-11 tis-620 ", "CP874"},
    {" iso-8859-13 iso8859-13 ", "ISO-8859-13"},
    {" iso-8859-14 iso8859-14 ", "ISO-8859-14"},
    {" iso-8859-15 iso8859-15 latin9 l9 ", "ISO-8859-15"},
    {" iso-8859-16 iso8859-16 ", "ISO-8859-16"},
    {" windows-1250 cp1250 ", "CP1250"},
    {" windows-1251 cp1251 ", "CP1251"},
    {" windows-1253 cp1253 ", "CP1253"},
    {" windows-1255 cp1255 ", "CP1255"},
    {" windows-1256 cp1256 ", "CP1256"},
    {" windows-1257 cp1257 ", "CP1257"},
    {" windows-1258 cp1258 ", "CP1258"},
    {" koi8-r koi8 koi ", "KOI8-R"},
    {" koi8-u koi8-ru ", "KOI8-U"},
    {" ibm866 cp866 866 ", "CP866"},
    {" macintosh mac x-mac-roman ", "MACINTOSH"},
    {" gb18030 gbk gb2312 gb_2312-80 x-gbk chinese ", "GB18030"},
    {" big5 big5-hkscs cn-big5 x-x-big5 ", "BIG5-HKSCS"},
    {" euc-jp x-euc-jp ", "EUC-JP"},
    {" shift_jis shift-jis sjis ms_kanji windows-31j x-sjis cp932 ", "CP932"},
    {" iso-2022-jp ", "ISO-2022-JP"},
    {" euc-kr ks_c_5601-1987 ksc5601 korean windows-949 cp949 ", "UHC"},
    {" utf-16le utf-16 ucs-2 unicode ", "UTF-16LE"},
    {" utf-16be ", "UTF-16BE"},
    {" utf-32le utf-32 ", "UTF-32LE"},
    {" utf-32be ", "UTF-32BE"},
};

enum { LABEL_MAX = 40, UTF8 = 0, UNKNOWN = -1 };

static int find(const char *label, size_t len)
{
    char padded[LABEL_MAX + 3];
    if (len == 0 || len > LABEL_MAX || memchr(label, ' ', len) != NULL ||
        memchr(label, '\0', len) != NULL)
        return UNKNOWN;
    padded[0] = ' ';
    for (size_t i = 0; i < len; i++)
        padded[i + 1] = weft__ascii_lower(label[i]);
    padded[len + 1] = ' ';
    padded[len + 2] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(known[i].labels, padded) != NULL)
            return (int)i;
    }
    return UNKNOWN;
}

bool weft__charset_is_known(const char *label, size_t len)
{
    return find(label, len) != UNKNOWN;
}

int weft__charset_init(struct weft__charset *charset, const char *label, size_t len)
{
    int index = find(label, len);
    memset(charset, 0, sizeof *charset);
    charset->name = known[index == UNKNOWN ? UTF8 : index].name;
    charset->unit = 1;
    if (charset->name == NULL)
        return 0;
    if (strncmp(charset->name, "UTF-16", 6) == 0)
        charset->unit = 2;
    if (strncmp(charset->name, "UTF-32", 6) == 0)
        charset->unit = 4;
    if (weft__alloc_should_fail())
        return weft__fail_nomem();
    charset->iconv = iconv_open("UTF-8", charset->name);
    if (charset->iconv != (iconv_t)-1)
        return 0;
    charset->name = NULL;
    /* A system without this encoding: its bytes cannot be read, but what is ASCII of them can. */
    return errno == ENOMEM ? weft__fail_nomem() : 0;
}

void weft__charset_done(struct weft__charset *charset)
{
    if (charset->name != NULL)
        iconv_close(charset->iconv);
    charset->name = NULL;
}

/* ---- UTF-8: what is wrong is replaced as far as it could have been the beginning of a character ---- */

/*
 * The character at data: its length; 0: it may go on behind len; negative: so many bytes are
 * no character (Unicode 15, table 3-7 and "maximal subpart").
 */
static int utf8_at(const unsigned char *data, size_t len)
{
    unsigned char c = data[0];
    int size = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (size == 0)
        return -1;
    for (int i = 1; i < size; i++) {
        if ((size_t)i == len)
            return 0;
        if (data[i] < low || data[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

/* How much of data[0..len) was taken; the rest may be the beginning of a character. */
static int64_t decode_utf8(const char *data, size_t len, bool last, struct weft__buf *buf)
{
    size_t at = 0;
    size_t good = 0; /* from here to at */
    int err = 0;
    while (at < len && err == 0) {
        int n = utf8_at((const unsigned char *)data + at, len - at);
        if (n > 0) {
            at += (size_t)n;
            continue;
        }
        if (n == 0 && !last)
            break;
        err = weft__buf_append(buf, data + good, at - good);
        if (err == 0)
            err = weft__buf_append_str(buf, REPLACEMENT);
        at += n == 0 ? len - at : (size_t)-n;
        good = at;
    }
    if (err == 0)
        err = weft__buf_append(buf, data + good, at - good);
    return err < 0 ? err : (int64_t)at;
}

/* ---- the others ---- */

/* As decode_utf8. */
static int64_t decode_iconv(struct weft__charset *charset, const char *data, size_t len, bool last,
                            struct weft__buf *buf)
{
    enum { ROOM = 4096 };
    char *in = (char *)(uintptr_t)data;
    size_t left = len;
    while (left > 0) {
        size_t room;
        int err = weft__buf_reserve(buf, left < ROOM ? left * 4 + 16 : ROOM);
        if (err < 0)
            return err;
        char *out = weft__buf_space(buf, &room);
        char *begin = out;
        size_t result = iconv(charset->iconv, &in, &left, &out, &room);
        int error = result == (size_t)-1 ? errno : 0;
        weft__buf_commit(buf, (size_t)(out - begin));
        if (error == 0 || error == E2BIG)
            continue;
        if (error == EINVAL && !last)
            break;
        err = weft__buf_append_str(buf, REPLACEMENT);
        if (err < 0)
            return err;
        size_t skip = error == EINVAL || charset->unit > left ? left : charset->unit;
        in += skip;
        left -= skip;
    }
    return (int64_t)(len - left);
}

static int64_t decode(struct weft__charset *charset, const char *data, size_t len, bool last,
                      struct weft__buf *buf)
{
    if (charset->name != NULL)
        return decode_iconv(charset, data, len, last, buf);
    return decode_utf8(data, len, last, buf);
}

/* A character that was cut: one byte more at a time until it is whole. */
static int finish_pending(struct weft__charset *charset, const char **data, size_t *len, bool last,
                          struct weft__buf *buf)
{
    while (charset->n_pending > 0) {
        if (*len > 0 && charset->n_pending < WEFT__CHARSET_PENDING) {
            charset->pending[charset->n_pending++] = *(*data)++;
            --*len;
        } else if (!last) {
            return 0;
        }
        bool end = (last && *len == 0) || charset->n_pending == WEFT__CHARSET_PENDING;
        int64_t taken = decode(charset, charset->pending, charset->n_pending, end, buf);
        if (taken < 0)
            return (int)taken;
        charset->n_pending -= (size_t)taken;
        memmove(charset->pending, charset->pending + taken, charset->n_pending);
    }
    return 0;
}

/* The first character, if it is the mark that only says how the others are written. */
static void drop_mark(struct weft__charset *charset, struct weft__buf *buf, size_t before)
{
    size_t n = buf->len - before;
    char *text = n > 0 ? weft__buf_bytes(buf) + before : NULL;
    if (charset->begun || n == 0)
        return;
    charset->begun = true;
    if (n >= 3 && memcmp(text, MARK, 3) == 0) {
        memmove(text, text + 3, n - 3);
        buf->len -= 3;
    }
}

int weft__charset_decode(struct weft__charset *charset, const char *data, size_t len, bool last,
                         struct weft__buf *buf)
{
    size_t before = buf->len;
    int err = finish_pending(charset, &data, &len, last, buf);
    int64_t taken = err;
    if (err == 0 && len > 0)
        taken = decode(charset, data, len, last, buf);
    if (taken == -ENOMEM)
        return weft__fail_nomem();
    if (taken < 0)
        return (int)taken;
    if (len > (size_t)taken && charset->n_pending == 0) {
        charset->n_pending = len - (size_t)taken;
        memcpy(charset->pending, data + taken, charset->n_pending);
    }
    drop_mark(charset, buf, before);
    return 0;
}

/*
 * filename.c - names for files that a server proposes, made safe.
 *
 *   1. filename* counts before filename (RFC 6266 4.3); its charset is UTF-8 or ISO-8859-1.
 *   2. What is not UTF-8 is taken for ISO-8859-1.
 *   3. What stands behind the last "/" or "\" is the name, so that it leads nowhere.
 *   4. Controls, signs that Windows forbids and marks that turn the direction of text become "_".
 *   5. Dots and blanks at the beginning go: nothing hidden; at the end: Windows drops them.
 *   6. Names of devices (CON, LPT1.txt) get a "_" before them.
 *   7. A long name is cut before its extension, between characters.
 */
#include "proto/filename.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "proto/h1.h"

/* Decoded bytes; twice: ISO-8859-1 becomes UTF-8.  What is longer loses its beginning. */
enum { RAW_MAX = 4096, TEXT_MAX = 2 * RAW_MAX, EXTENSION_MAX = 16 };

struct raw {
    unsigned char bytes[RAW_MAX];
    size_t len;
    bool latin1; /* said to be */
};

static void put(struct raw *raw, unsigned char c)
{
    if (c == '/' || c == '\\')
        raw->len = 0;
    else if (raw->len < RAW_MAX)
        raw->bytes[raw->len++] = c;
}

/* ---- characters ---- */

/* The length of the character at the beginning, 0 if there is none: RFC 3629, shortest form only. */
static size_t take_char(const unsigned char *data, size_t len, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = data[0] < 0x80   ? 1
               : data[0] < 0xc2 ? 0
               : data[0] < 0xe0 ? 2
               : data[0] < 0xf0 ? 3
                                : 4;
    if (n == 0 || n > len || data[0] > 0xf4)
        return 0;
    uint32_t c = n == 1 ? data[0] : data[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((data[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (data[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

static bool is_utf8(const struct raw *raw)
{
    uint32_t c;
    for (size_t i = 0; i < raw->len;) {
        size_t n = take_char(raw->bytes + i, raw->len - i, &c);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool is_forbidden(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return true;
    if (c < 0x80)
        return strchr("<>:\"|?*", (int)c) != NULL;
    /* Line and paragraph ends; what makes "exe.jpg" of "gpj.exe"; a byte order mark. */
    return (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x061c || c == 0xfeff;
}

static size_t put_utf8(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    to[0] = (char)(0xc0 | c >> 6);
    to[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

/* Steps 2 and 4. */
static size_t to_text(const struct raw *raw, char text[TEXT_MAX])
{
    bool latin1 = raw->latin1 || !is_utf8(raw);
    size_t len = 0;
    for (size_t i = 0; i < raw->len;) {
        uint32_t c = raw->bytes[i];
        size_t n = latin1 ? 1 : take_char(raw->bytes + i, raw->len - i, &c);
        if (is_forbidden(c)) {
            text[len++] = '_';
        } else if (latin1) {
            len += put_utf8(c, text + len);
        } else {
            memcpy(text + len, raw->bytes + i, n);
            len += n;
        }
        i += n;
    }
    return len;
}

/* ---- names ---- */

static bool is_edge(char c)
{
    return c == '.' || c == ' ';
}

static bool is_device(const char *name, size_t len)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
    size_t stem = 0;
    while (stem < len && name[stem] != '.')
        stem++;
    while (stem > 0 && name[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (weft__ieq_n(name, stem, devices[i], strlen(devices[i])))
            return true;
    }
    bool numbered = weft__ieq_n(name, stem < 3 ? stem : 3, "com", 3) ||
                    weft__ieq_n(name, stem < 3 ? stem : 3, "lpt", 3);
    /* COM1 and LPT1, and with the raised 1, 2, 3 of ISO-8859-1 too. */
    return numbered &&
           ((stem == 4 && weft__is_digit(name[3])) ||
            (stem == 5 && name[3] == '\xc2' && strchr("\xb9\xb2\xb3", name[4]) != NULL));
}

/* The dot of an extension that is kept when the name is cut. */
static size_t extension_at(const char *name, size_t len)
{
    for (size_t i = len; i > 0 && len - i <= EXTENSION_MAX; i--) {
        if (name[i - 1] == '.')
            return i - 1;
    }
    return len;
}

static size_t char_begin(const char *name, size_t at)
{
    while (at > 0 && ((unsigned char)name[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static bool make_name(const struct raw *raw, char ret[WEFT__FILENAME_SIZE])
{
    char text[TEXT_MAX];
    size_t len = to_text(raw, text);
    const char *name = text;
    while (len > 0 && is_edge(*name)) {
        name++;
        len--;
    }
    while (len > 0 && is_edge(name[len - 1]))
        len--;
    if (len == 0)
        return false;
    size_t prefix = is_device(name, len) ? 1 : 0;
    size_t room = WEFT__LIMIT_FILENAME - prefix;
    ret[0] = '_';
    if (len <= room) {
        memcpy(ret + prefix, name, len);
    } else {
        size_t from = extension_at(name, len);
        size_t stem = char_begin(name, room - (len - from));
        memcpy(ret + prefix, name, stem);
        memcpy(ret + prefix + stem, name + from, len - from);
        len = stem + len - from;
        while (len > 0 && is_edge(ret[prefix + len - 1]))
            len--;
    }
    ret[prefix + len] = '\0';
    return true;
}

/* ---- where they come from ---- */

static void put_decoded(struct raw *raw, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = text[i] == '%' && i + 2 < len ? weft__hex_value(text[i + 1]) : -1;
        int low = high >= 0 ? weft__hex_value(text[i + 2]) : -1;
        put(raw, low >= 0 ? (unsigned char)(high * 16 + low) : (unsigned char)text[i]);
        i += low >= 0 ? 2 : 0;
    }
}

/* RFC 8187 3.2: charset'language'value. */
static bool take_extended(const char *value, size_t len, struct raw *raw)
{
    const char *first = memchr(value, '\'', len);
    size_t charset = first != NULL ? (size_t)(first - value) : 0;
    const char *second = first != NULL ? memchr(first + 1, '\'', len - charset - 1) : NULL;
    if (second == NULL)
        return false;
    raw->latin1 = weft__ieq_n(value, charset, "iso-8859-1", 10);
    if (!raw->latin1 && !weft__ieq_n(value, charset, "utf-8", 5))
        return false;
    second++;
    put_decoded(raw, second, len - (size_t)(second - value));
    return raw->latin1 || is_utf8(raw);
}

/*
 * A token or a quoted string.  Only a quote is escaped by a backslash here: names of paths of
 * Windows come with theirs bare, and those lead elsewhere just as well.
 */
static void take_plain(const char *value, size_t len, struct raw *raw)
{
    bool quoted = len >= 2 && value[0] == '"' && value[len - 1] == '"';
    size_t end = quoted ? len - 1 : len;
    for (size_t i = quoted ? 1 : 0; i < end; i++) {
        if (quoted && value[i] == '\\' && i + 1 < end && value[i + 1] == '"')
            i++;
        put(raw, (unsigned char)value[i]);
    }
}

/* The next ";name=value" of a field; false at the end. */
static bool next_param(const char **at, const char *end, struct weft__text *name,
                       struct weft__text *value)
{
    const char *from = *at;
    bool quoted = false;
    const char *equals = NULL;
    if (from >= end)
        return false;
    const char *to = from;
    while (to < end && (quoted || *to != ';')) {
        if (quoted && *to == '\\' && to + 1 < end && to[1] == '"')
            to++;
        else if (*to == '"')
            quoted = !quoted;
        else if (*to == '=' && equals == NULL)
            equals = to;
        to++;
    }
    if (equals == NULL)
        equals = to;
    name->len = (size_t)(equals - from);
    name->data = weft__trim(from, &name->len);
    value->len = equals < to ? (size_t)(to - equals) - 1 : 0;
    value->data = equals < to ? weft__trim(equals + 1, &value->len) : to;
    *at = to < end ? to + 1 : end;
    return true;
}

bool weft__filename_of_disposition(const char *value, size_t len, char ret[WEFT__FILENAME_SIZE])
{
    const char *end = value + len;
    struct weft__text name;
    struct weft__text text;
    struct raw raw = {.len = 0};
    bool plain = false;
    while (next_param(&value, end, &name, &text)) {
        if (weft__ieq_n(name.data, name.len, "filename*", 9)) {
            struct raw extended = {.len = 0};
            if (take_extended(text.data, text.len, &extended) && make_name(&extended, ret))
                return true;
        } else if (!plain && weft__ieq_n(name.data, name.len, "filename", 8)) {
            take_plain(text.data, text.len, &raw);
            plain = true;
        }
    }
    return plain && make_name(&raw, ret);
}

bool weft__filename_of_path(const char *path, char ret[WEFT__FILENAME_SIZE])
{
    struct raw raw = {.len = 0};
    put_decoded(&raw, path, strlen(path));
    return make_name(&raw, ret);
}

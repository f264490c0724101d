/* idna.c - internationalised domain names to ASCII, by libidn2 (UTS 46, non-transitional). */
#include <errno.h>
#include <idn2.h>
#include <stdbool.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/url_int.h"

/*
 * What the library's tables have otherwise than Unicode 16: mappings that were mended, characters
 * that are ignored, and the capital sharp s, which is a sharp s.
 */
static const struct {
    const char *from;
    const char *to;
} changes[] = {
    {"\u1e9e", "\u00df"},     {"\u04c0", "\u04cf"},     {"\u2132", "\u214e"},
    {"\u2183", "\u2184"},     {"\u180e", ""},           {"\u206a", ""},
    {"\u206b", ""},           {"\u206c", ""},           {"\u206d", ""},
    {"\u206e", ""},           {"\u206f", ""},           {"\U0002f868", "\u36fc"},
    {"\U0002f874", "\u5f53"}, {"\U0002f91f", "\u43ab"}, {"\U0002f95f", "\u7aee"},
    {"\U0002f9bf", "\u4d57"},
};

/* In place: nothing gets longer. */
static void apply_changes(char *text)
{
    char *to = text;
    while (*text != '\0') {
        size_t from_len = 0;
        for (size_t i = 0; i < sizeof changes / sizeof changes[0] && from_len == 0; i++) {
            size_t len = strlen(changes[i].from);
            if (strncmp(text, changes[i].from, len) != 0)
                continue;
            from_len = len;
            memcpy(to, changes[i].to, strlen(changes[i].to));
            to += strlen(changes[i].to);
        }
        if (from_len == 0)
            *to++ = *text++;
        else
            text += from_len;
    }
    *to = '\0';
}

/* Characters that transitional processing would change: sharp s, final sigma, joiners. */
static bool has_deviation(const char *domain)
{
    static const char *const deviations[] = {"\u00df", "\u1e9e", "\u03c2", "\u200c", "\u200d"};
    for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++) {
        if (strstr(domain, deviations[i]) != NULL)
            return true;
    }
    return strstr(domain, "xn--") != NULL;
}

/* Scripts from right to left, U+0590 to U+08FF, U+FB1D to U+FDFF, U+FE70 to U+FEFE. */
static bool has_right_to_left(const char *domain)
{
    for (const unsigned char *p = (const unsigned char *)domain; *p != '\0'; p++) {
        bool two = (p[0] == 0xd6 && p[1] >= 0x90) || (p[0] >= 0xd7 && p[0] <= 0xdf);
        bool three = (p[0] == 0xe0 && p[1] >= 0xa0 && p[1] <= 0xa3) ||
                     (p[0] == 0xef && p[1] >= 0xac && p[1] <= 0xb7) ||
                     (p[0] == 0xef && p[1] >= 0xb9 && p[1] <= 0xbb);
        if (two || three)
            return true;
    }
    return false;
}

/* *ret: idn2_free. */
static int convert(const char *domain, char **ret)
{
    int result = idn2_to_ascii_8z(domain, ret, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    /*
     * The library adds IDNA 2008's own rules to UTS 46 (no symbols, no hyphens in third and
     * fourth place), which the URL standard does not have, and leaves them out in transitional
     * mode only; there it does not look at directions.
     */
    if ((result == IDN2_DISALLOWED || result == IDN2_2HYPHEN) && !has_deviation(domain) &&
        !has_right_to_left(domain))
        result = idn2_to_ascii_8z(domain, ret, IDN2_TRANSITIONAL | IDN2_NFC_INPUT);
    return result;
}

/* The next dot in any script, its bytes to *ret_len; NULL without one. */
static char *find_dot(char *text, size_t *ret_len)
{
    static const char *const dots[] = {".", "\u3002", "\uff0e", "\uff61"};
    char *first = NULL;
    for (size_t i = 0; i < sizeof dots / sizeof dots[0]; i++) {
        char *dot = strstr(text, dots[i]);
        if (dot == NULL || (first != NULL && dot > first))
            continue;
        first = dot;
        *ret_len = strlen(dots[i]);
    }
    return first;
}

static bool is_plain_ascii(const char *label)
{
    for (size_t i = 0; label[i] != '\0'; i++) {
        if ((unsigned char)label[i] >= 128)
            return false;
    }
    return !weft__ieq_n(label, strnlen(label, 4), "xn--", 4);
}

static int append_label(struct weft__buf *to, const char *label)
{
    if (is_plain_ascii(label)) {
        int err = 0;
        for (size_t i = 0; err == 0 && label[i] != '\0'; i++)
            err = weft__buf_append_char(to, weft__ascii_lower(label[i]));
        return err;
    }
    char *ascii = NULL;
    int result = convert(label, &ascii);
    if (result == IDN2_MALLOC)
        return -ENOMEM;
    if (result != IDN2_OK)
        return WEFT_EINVALID_URL;
    int err = weft__buf_append_str(to, ascii);
    idn2_free(ascii);
    return err;
}

/* Hyphens and lengths of ASCII labels are no business of the URL standard's: each on its own. */
static int convert_labels(char *domain, char **ret)
{
    struct weft__buf buf;
    weft__buf_init(&buf, WEFT__LIMIT_URL);
    int err = 0;
    for (char *label = domain; err == 0 && label != NULL;) {
        size_t dot_len = 0;
        char *dot = find_dot(label, &dot_len);
        if (dot != NULL)
            *dot = '\0';
        err = append_label(&buf, label);
        if (err == 0 && dot != NULL)
            err = weft__buf_append_char(&buf, '.');
        label = dot != NULL ? dot + dot_len : NULL;
    }
    if (err == 0)
        err = weft__buf_take(&buf, ret, NULL);
    weft__buf_done(&buf);
    return err == -EMSGSIZE ? WEFT_EINVALID_URL : err;
}

static int convert_domain(char *domain, char **ret)
{
    char *ascii = NULL;
    int result = convert(domain, &ascii);
    switch (result) {
    case IDN2_OK:
        *ret = weft__strdup(ascii);
        idn2_free(ascii);
        return *ret != NULL ? 0 : -ENOMEM;
    case IDN2_MALLOC:
        return -ENOMEM;
    case IDN2_2HYPHEN:
    case IDN2_HYPHEN_STARTEND:
    case IDN2_TOO_BIG_LABEL:
    case IDN2_TOO_BIG_DOMAIN:
        return convert_labels(domain, ret);
    default:
        return WEFT_EINVALID_URL;
    }
}

int weft__idna_to_ascii(const char *domain, char **ret)
{
    char *text = weft__strdup(domain);
    if (text == NULL)
        return -ENOMEM;
    apply_changes(text);
    int err = convert_domain(text, ret);
    weft__free(text);
    return err;
}

int weft__idna_to_unicode(const char *domain, char **ret)
{
    char *text = NULL;
    int result = idn2_to_unicode_8z8z(domain, &text, 0);
    if (result == IDN2_MALLOC)
        return -ENOMEM;
    *ret = weft__strdup(result == IDN2_OK ? text : domain);
    idn2_free(text);
    return *ret != NULL ? 0 : -ENOMEM;
}

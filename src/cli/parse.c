/*
 * parse.c - the small languages of the command line and of lists.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alpha(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

/* Digits at *text into *ret; *text moves behind them. */
static bool scan_digits(const char **text, int64_t max, int64_t *ret)
{
    const char *at = *text;
    int64_t value = 0;
    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++) {
        int digit = *at - '0';
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *text = at;
    *ret = value;
    return true;
}

bool parse_count(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    int64_t value;
    if (!scan_digits(&text, max, &value) || *text || value < min)
        return false;
    *ret = value;
    return true;
}

static bool unit_of_time(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"", WEFT_SEC(1)},    {"s", WEFT_SEC(1)},  {"ms", WEFT_MS(1)},
                 {"us", WEFT_US(1)},   {"m", WEFT_SEC(60)}, {"min", WEFT_SEC(60)},
                 {"h", WEFT_SEC(3600)}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!strcmp(text, units[i].name)) {
            *ret = units[i].ns;
            return true;
        }
    }
    return false;
}

bool parse_duration(const char *text, int64_t *ret)
{
    int64_t whole = 0;
    int64_t billionths = 0;
    int64_t unit;
    bool digits = is_digit(*text);
    if (digits && !scan_digits(&text, 1000000, &whole))
        return false;
    if (*text == '.') {
        int64_t place = 100000000;
        digits |= is_digit(text[1]);
        for (text++; is_digit(*text); text++, place /= 10)
            billionths += (*text - '0') * place;
    }
    if (!digits || !unit_of_time(text, &unit))
        return false;
    int64_t ns = whole * unit + (int64_t)((double)billionths * ((double)unit / 1e9) + 0.5);
    if (ns <= 0)
        return false;
    *ret = ns;
    return true;
}

bool parse_rate(const char *text, struct rate *ret)
{
    int64_t permits;
    int64_t period = WEFT_SEC(1);
    if (!scan_digits(&text, 1000000000, &permits) || permits == 0)
        return false;
    if (*text &&
        (*text != '/' || is_digit(text[1]) || !unit_of_time(text + 1, &period) || !text[1]))
        return false;
    *ret = (struct rate){(uint32_t)permits, period};
    return true;
}

int parse_pair(const char *text, char separator, weft_pair *ret)
{
    const char *at = strchr(text, separator);
    if (!at || at == text)
        return -EINVAL;
    char *block = strdup(text);
    if (!block)
        return -ENOMEM;
    char *value = block + (at - text);
    *value++ = '\0';
    if (separator == ':')
        value += strspn(value, " \t");
    *ret = (weft_pair){block, value};
    return 0;
}

/* Whatever stands before "://" is meant as a scheme: a wrong one is an error, and no host. */
static bool has_scheme(const char *text)
{
    size_t n = strcspn(text, ":/?#@[");
    return n > 0 && !strncmp(text + n, "://", 3);
}

/* "http:/host", as it comes out of a cleaned path: the slash is told apart by the library. */
static bool lacks_a_slash(const char *text)
{
    return !strncasecmp(text, "http:/", 6) || !strncasecmp(text, "https:/", 7);
}

static bool is_loopback(const char *text)
{
    size_t end = strcspn(text, "/?#");
    for (size_t i = end; i > 0; i--) {
        if (text[i - 1] == '@') {
            text += i;
            end -= i;
            break;
        }
    }
    if (end >= 5 && !strncmp(text, "[::1]", 5))
        return true;
    size_t host = strcspn(text, ":/?#");
    return (host == 9 && !strncasecmp(text, "localhost", 9)) ||
           (host >= 4 && !strncmp(text, "127.", 4) && strspn(text, "0123456789.") == host);
}

int complete_url(const char *text, char **ret)
{
    const char *before = "https://";
    if (!strncmp(text, "://", 3))
        text += 3;
    if (has_scheme(text) || lacks_a_slash(text)) {
        before = "";
    } else if (text[0] == ':' && text[1] != ':') {
        before = "http://localhost";
        text += text[1] == '/'; /* ":/path" is the default port */
    } else if (is_loopback(text)) {
        before = "http://";
    }
    size_t size = strlen(before) + strlen(text) + 1;
    char *url = malloc(size);
    if (!url)
        return -ENOMEM;
    snprintf(url, size, "%s%s", before, text);
    *ret = url;
    return 0;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

void parse_list_line(char *line, struct list_line *ret)
{
    *ret = (struct list_line){0};
    line = trim(line);
    if (!*line || *line == '#')
        return;
    ret->url = line;
    char *next = strchr(line, '\t');
    while (next) {
        char *field = next + 1;
        *next = '\0';
        next = strchr(field, '\t');
        if (next)
            *next = '\0';
        field = trim(field);
        if (!strncmp(field, "out=", 4))
            ret->out = field + 4;
        else if (*field)
            ret->problem = "after the URL only out=NAME may stand";
    }
    trim(line);
    if (strchr(line, ' '))
        ret->problem = "a URL has no blanks (out=NAME stands after a tab)";
    else if (ret->out && !is_plain_file_name(ret->out))
        ret->problem = "out= wants a plain file name";
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void file_name_of_url(const char *path, char name[FILE_NAME_MAX])
{
    size_t end = strcspn(path, "?#");
    size_t n = 0;
    while (end && path[end - 1] == '/')
        end--;
    size_t at = end;
    while (at && path[at - 1] != '/')
        at--;
    while (at < end && n < FILE_NAME_MAX - 1) {
        unsigned char c = (unsigned char)path[at++];
        if (c == '%' && end - at >= 2 && hex_digit(path[at]) >= 0 && hex_digit(path[at + 1]) >= 0) {
            c = (unsigned char)(hex_digit(path[at]) * 16 + hex_digit(path[at + 1]));
            at += 2;
        }
        bool harmless = is_digit((char)c) || is_alpha((char)c) || strchr("-_.,+=@~()", c);
        name[n++] = c && harmless ? (char)c : '_';
    }
    name[n] = '\0';
    if (!n)
        snprintf(name, FILE_NAME_MAX, "index");
    else if (name[0] == '.' || name[0] == '-')
        name[0] = '_';
}

bool is_plain_file_name(const char *name)
{
    size_t len = strlen(name);
    if (!len || len >= FILE_NAME_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7f || c == '/')
            return false;
    }
    return true;
}

void file_name_numbered(const char *name, uint64_t number, char ret[FILE_NAME_MAX + 32])
{
    const char *dot = strrchr(name, '.');
    int stem = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    snprintf(ret, FILE_NAME_MAX + 32, "%.*s-%llu%s", stem, name, (unsigned long long)number,
             name + stem);
}

/*
 * text.c - what goes to a terminal: escapes, colours, sizes and times for people.
 *
 * A terminal obeys control characters, so that a peer's bytes never reach one as they are:
 * C0 and C1 controls, DEL, invalid UTF-8 and the characters that turn the direction of writing
 * are shown as escapes.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The length of the sequence that a byte begins; 0: it begins none. */
static size_t utf8_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The code point of a whole sequence; -1: invalid. */
static int32_t utf8_decode(const unsigned char *bytes, size_t len)
{
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return -1;
    return code;
}

static bool is_printable(int32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        return false;
    return !(code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
             (code >= 0x2066 && code <= 0x2069) || code == 0x61c || code == 0xfeff);
}

static void show_byte(FILE *to, unsigned char byte)
{
    fprintf(to, "\\x%02x", byte);
}

static void flush_cr(struct escaper *escaper)
{
    if (escaper->cr)
        fputs("\\r", escaper->to);
    escaper->cr = false;
}

static void show_code(struct escaper *escaper, int32_t code)
{
    if (!escaper->one_line && code == '\n') {
        escaper->cr = false;
        putc('\n', escaper->to);
        return;
    }
    flush_cr(escaper);
    if (!escaper->one_line && code == '\t')
        putc('\t', escaper->to);
    else if (!escaper->one_line && code == '\r')
        escaper->cr = true;
    else if (is_printable(code))
        fwrite(escaper->pending, 1, escaper->n_pending, escaper->to);
    else if (code < 0x80)
        show_byte(escaper->to, (unsigned char)code);
    else
        fprintf(escaper->to, "\\u{%x}", (unsigned)code);
}

static void show_pending(struct escaper *escaper)
{
    flush_cr(escaper);
    for (size_t i = 0; i < escaper->n_pending; i++)
        show_byte(escaper->to, escaper->pending[i]);
    escaper->n_pending = 0;
}

static void escape_byte(struct escaper *escaper, unsigned char byte)
{
    if (escaper->n_pending && (byte & 0xc0) != 0x80)
        show_pending(escaper);
    escaper->pending[escaper->n_pending++] = byte;
    size_t wanted = utf8_length(escaper->pending[0]);
    if (wanted > escaper->n_pending)
        return;
    int32_t code = wanted ? utf8_decode(escaper->pending, wanted) : -1;
    if (code < 0) {
        show_pending(escaper);
    } else {
        show_code(escaper, code);
        escaper->n_pending = 0;
    }
}

void escape_text(struct escaper *escaper, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        escape_byte(escaper, (unsigned char)data[i]);
}

void escape_end(struct escaper *escaper)
{
    show_pending(escaper);
}

void escape_line(const char *text, FILE *to)
{
    struct escaper escaper = {.to = to, .one_line = true};
    escape_text(&escaper, text, strlen(text));
    escape_end(&escaper);
}

bool looks_like_text(const char *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data;
    const unsigned char *end = at + len;
    while (at < end) {
        size_t n = utf8_length(*at);
        if (!n || !*at)
            return false;
        if (n > (size_t)(end - at))
            return true; /* cut by the end of the chunk */
        if (utf8_decode(at, n) < 0)
            return false;
        at += n;
    }
    return true;
}

bool is_terminal(FILE *to)
{
    return isatty(fileno(to));
}

static bool has_colours(FILE *to)
{
    static FILE *asked;
    static bool answer;
    if (to != asked) {
        const char *off = getenv("NO_COLOR");
        const char *term = getenv("TERM");
        answer = is_terminal(to) && !(off && *off) && term && strcmp(term, "dumb") != 0;
        asked = to;
    }
    return answer;
}

const char *colour(FILE *to, enum colour which)
{
    static const char *const sequences[] = {"",         "\033[32m", "\033[33m", "\033[31m",
                                            "\033[36m", "\033[35m", "\033[2m",  "\033[1m"};
    return has_colours(to) ? sequences[which] : "";
}

const char *colour_off(FILE *to)
{
    return has_colours(to) ? "\033[0m" : "";
}

/* A few buffers in turn, so that several results fit into one printf. */
static char *next_buffer(void)
{
    static char buffers[4][32];
    static unsigned next;
    return buffers[next++ % 4];
}

const char *human_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    char *text = next_buffer();
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit < 6) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 32, unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

const char *human_time(int64_t ns)
{
    char *text = next_buffer();
    double seconds = (double)(ns < 0 ? 0 : ns) / 1e9;
    long long whole = (long long)(seconds + 0.5);
    if (seconds < 0.9995)
        snprintf(text, 32, "%.0f ms", seconds * 1000);
    else if (whole < 60)
        snprintf(text, 32, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(text, 32, "%lld min %02lld s", whole / 60, whole % 60);
    else
        snprintf(text, 32, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
    return text;
}

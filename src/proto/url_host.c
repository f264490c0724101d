/*
 * url_host.c - hosts of URLs: domains, IPv4 in all its number forms, IPv6, opaque hosts.
 * Section 3 of the URL standard; the functions follow its steps.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/str.h"
#include "proto/url_int.h"

enum { IPV4_PARTS = 4, IPV6_PIECES = 8 };

/* The forbidden host code points of the standard, and what domains may not have besides. */
static bool is_forbidden_host(char c)
{
    switch (c) {
    case '\0':
    case '\t':
    case '\n':
    case '\r':
    case ' ':
    case '#':
    case '/':
    case ':':
    case '<':
    case '>':
    case '?':
    case '@':
    case '[':
    case '\\':
    case ']':
    case '^':
    case '|':
        return true;
    default:
        return false;
    }
}

static bool is_forbidden_domain(char c)
{
    return (unsigned char)c < 0x20 || c == '%' || c == 0x7f || is_forbidden_host(c);
}

/* Percent-decodes in place; returns the new length. */
static size_t percent_decode(char *text, size_t len)
{
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && len - i > 2 && weft__hex_value(text[i + 1]) >= 0 &&
            weft__hex_value(text[i + 2]) >= 0) {
            text[to++] = (char)(weft__hex_value(text[i + 1]) * 16 + weft__hex_value(text[i + 2]));
            i += 2;
        } else {
            text[to++] = text[i];
        }
    }
    return to;
}

/* Decimal, octal with "0", hexadecimal with "0x"; -1 if it is none of them. */
static int parse_ipv4_number(const char *text, size_t len, uint64_t *ret)
{
    unsigned base = 10;
    uint64_t number = 0;
    if (len == 0)
        return -1;
    if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        len -= 2;
    } else if (len >= 2 && text[0] == '0') {
        base = 8;
        text++;
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        int digit = weft__hex_value(text[i]);
        if (digit < 0 || (unsigned)digit >= base)
            return -1;
        /* Beyond 32 bits it is out of range however it goes on. */
        if (number <= UINT32_MAX)
            number = number * base + (unsigned)digit;
    }
    *ret = number;
    return 0;
}

/* The part behind the last dot, one dot at the very end aside, is a number. */
static bool ends_in_number(const char *host, size_t len)
{
    if (len > 0 && host[len - 1] == '.')
        len--;
    size_t start = len;
    bool digits = true;
    while (start > 0 && host[start - 1] != '.') {
        start--;
        digits = digits && weft__is_digit(host[start]);
    }
    uint64_t number;
    return start < len && (digits || parse_ipv4_number(host + start, len - start, &number) == 0);
}

static int parse_ipv4(const char *host, size_t len, uint32_t *ret)
{
    uint64_t numbers[IPV4_PARTS];
    size_t count = 0;
    if (len > 0 && host[len - 1] == '.')
        len--;
    for (size_t start = 0; start <= len;) {
        const char *dot = memchr(host + start, '.', len - start);
        size_t end = dot != NULL ? (size_t)(dot - host) : len;
        if (count == IPV4_PARTS ||
            parse_ipv4_number(host + start, end - start, &numbers[count++]) < 0)
            return -1;
        start = end + 1;
    }
    uint64_t address = numbers[count - 1];
    if (address >> (8 * (5 - count)) != 0)
        return -1;
    for (size_t i = 0; i + 1 < count; i++) {
        if (numbers[i] > 255)
            return -1;
        address |= numbers[i] << (8 * (3 - i));
    }
    *ret = (uint32_t)address;
    return 0;
}

/* The dotted end of an IPv6 address into two pieces: four decimal numbers, nothing else. */
static int parse_ipv6_dotted(const char *p, const char *end, uint16_t pieces[2])
{
    for (int i = 0; i < IPV4_PARTS; i++) {
        unsigned number = 0;
        const char *start = p;
        if (i > 0 && (p == end || *p++ != '.'))
            return -1;
        start = p;
        while (p < end && weft__is_digit(*p)) {
            if (p > start && number == 0)
                return -1;
            number = number * 10 + (unsigned)(*p++ - '0');
            if (number > 255)
                return -1;
        }
        if (p == start)
            return -1;
        pieces[i / 2] = (uint16_t)(pieces[i / 2] << 8 | number);
    }
    return p == end ? 0 : -1;
}

/* Puts the pieces behind "::" at the end. */
static int expand_ipv6(uint16_t pieces[IPV6_PIECES], int count, int compress)
{
    if (compress < 0)
        return count == IPV6_PIECES ? 0 : -1;
    int tail = count - compress;
    memmove(pieces + IPV6_PIECES - tail, pieces + compress, (size_t)tail * sizeof pieces[0]);
    memset(pieces + compress, 0, (size_t)(IPV6_PIECES - count) * sizeof pieces[0]);
    return 0;
}

int weft__url_parse_ipv6(const char *p, const char *end, uint16_t pieces[8])
{
    int count = 0;
    int compress = -1;
    memset(pieces, 0, IPV6_PIECES * sizeof pieces[0]);
    if (p < end && *p == ':') {
        if (end - p < 2 || p[1] != ':')
            return -1;
        p += 2;
        compress = 0;
    }
    while (p < end) {
        const char *start = p;
        unsigned value = 0;
        /* "::" stands for one piece at least. */
        int used = count + (compress >= 0);
        if (used == IPV6_PIECES)
            return -1;
        if (*p == ':') {
            if (compress >= 0)
                return -1;
            p++;
            compress = count;
            continue;
        }
        while (p < end && p - start < 4 && weft__hex_value(*p) >= 0)
            value = value * 16 + (unsigned)weft__hex_value(*p++);
        if (p < end && *p == '.') {
            if (p == start || used > IPV6_PIECES - 2 ||
                parse_ipv6_dotted(start, end, pieces + count) < 0)
                return -1;
            count += 2;
            break;
        }
        if (p == start)
            return -1;
        if (p < end && (*p++ != ':' || p == end))
            return -1;
        pieces[count++] = (uint16_t)value;
    }
    return expand_ipv6(pieces, count, compress);
}

/* Where the longest run of more than one zero piece begins; -1 without one. */
static int find_zeros(const uint16_t pieces[IPV6_PIECES], int *ret_len)
{
    int best = -1;
    *ret_len = 1;
    for (int i = 0; i < IPV6_PIECES; i++) {
        int end = i;
        while (end < IPV6_PIECES && pieces[end] == 0)
            end++;
        if (end - i > *ret_len) {
            best = i;
            *ret_len = end - i;
        }
        i = end;
    }
    return best;
}

static int append_ipv6(struct weft__buf *to, const uint16_t pieces[IPV6_PIECES])
{
    int zeros_len;
    int zeros = find_zeros(pieces, &zeros_len);
    int err = weft__buf_append_char(to, '[');
    for (int i = 0; i < IPV6_PIECES && err == 0; i++) {
        if (i == zeros) {
            err = weft__buf_append_str(to, i == 0 ? "::" : ":");
            i += zeros_len - 1;
            continue;
        }
        err = weft__buf_printf(to, i < IPV6_PIECES - 1 ? "%x:" : "%x", pieces[i]);
    }
    return err < 0 ? err : weft__buf_append_char(to, ']');
}

static int append_ipv4(struct weft__buf *to, uint32_t address)
{
    int err = 0;
    for (int shift = 24; shift >= 0 && err == 0; shift -= 8) {
        err = weft__buf_append_u64(to, address >> shift & 255);
        if (err == 0 && shift > 0)
            err = weft__buf_append_char(to, '.');
    }
    return err;
}

static int parse_opaque(struct weft__buf *to, struct weft__url_span host, const char **ret_why)
{
    for (size_t i = 0; i < host.len; i++) {
        if (is_forbidden_host(host.data[i])) {
            *ret_why = "the host has a character that no host may have";
            return WEFT_EINVALID_URL;
        }
    }
    return weft__url_encode(to, host.data, host.len, WEFT__URL_C0);
}

/* ASCII is taken as it is, in lower case, even a label that is no valid punycode. */
static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 128)
            return false;
    }
    return true;
}

/* Of what is in a domain's canonical form: it, or the address that it says. */
static int append_domain(struct weft__buf *to, const char *domain, size_t len, const char **ret_why)
{
    uint32_t address;
    if (!ends_in_number(domain, len))
        return weft__buf_append(to, domain, len);
    *ret_why = "the host is not a valid IPv4 address";
    if (parse_ipv4(domain, len, &address) < 0)
        return WEFT_EINVALID_URL;
    return append_ipv4(to, address);
}

/* Lower case, percent escapes undone, Unicode as punycode; *domain is weft__free()'s. */
static int canonical_domain(char **domain, size_t len, const char **ret_why)
{
    len = percent_decode(*domain, len);
    (*domain)[len] = '\0';
    *ret_why = "the host is not a valid domain name";
    if (memchr(*domain, '\0', len) != NULL)
        return WEFT_EINVALID_URL;
    if (is_ascii(*domain, len)) {
        for (size_t i = 0; i < len; i++)
            (*domain)[i] = weft__ascii_lower((*domain)[i]);
    } else {
        char *ascii = NULL;
        int err = weft__idna_to_ascii(*domain, &ascii);
        if (err < 0)
            return err;
        weft__free(*domain);
        *domain = ascii;
    }
    if (**domain == '\0') {
        *ret_why = "the host is empty";
        return WEFT_EINVALID_URL;
    }
    *ret_why = "the host has a character that no domain may have";
    for (const char *c = *domain; *c != '\0'; c++) {
        if (is_forbidden_domain(*c))
            return WEFT_EINVALID_URL;
    }
    return 0;
}

/* Nearly all are: nothing is to be done to them. */
static bool is_canonical(const struct weft__url_span *host)
{
    for (size_t i = 0; i < host->len; i++) {
        char c = host->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '-' && c <= '9' && c != '/')))
            return false;
    }
    return host->len > 0;
}

static int parse_domain(struct weft__buf *to, struct weft__url_span host, const char **ret_why)
{
    if (is_canonical(&host))
        return append_domain(to, host.data, host.len, ret_why);
    char *domain = weft__strndup(host.data, host.len);
    if (domain == NULL)
        return -ENOMEM;
    int err = canonical_domain(&domain, host.len, ret_why);
    if (err == 0)
        err = append_domain(to, domain, strlen(domain), ret_why);
    weft__free(domain);
    return err;
}

int weft__url_parse_host(struct weft__buf *to, struct weft__url_span host, bool special,
                         const char **ret_why)
{
    if (host.len > 0 && host.data[0] == '[') {
        uint16_t pieces[IPV6_PIECES];
        *ret_why = "the host is not a valid IPv6 address";
        if (host.data[host.len - 1] != ']' ||
            weft__url_parse_ipv6(host.data + 1, host.data + host.len - 1, pieces) < 0)
            return WEFT_EINVALID_URL;
        return append_ipv6(to, pieces);
    }
    return special ? parse_domain(to, host, ret_why) : parse_opaque(to, host, ret_why);
}

/*
 * cookie_parse.c - cookie dates, and which hosts and paths a cookie is for (RFC 6265bis 5.1).
 */
#include <string.h>

#include <libpsl.h>

#include "base/limits.h"
#include "base/str.h"
#include "proto/cookie.h"
#include "proto/date.h"

/* ---- dates, 5.1.1: any order of parts, whatever stands between them ---- */

enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, PARTS };

/* -1: not found yet. */
struct found {
    int part[PARTS];
};

static bool is_delimiter(unsigned char c)
{
    return c == 0x09 || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) ||
           (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
}

/* min to max digits, then no digit more: how many there were, 0 if it is not so. */
static size_t digits(const char *text, size_t len, size_t min, size_t max, int *ret)
{
    size_t n = 0;
    int value = 0;
    while (n < len && n <= max && weft__is_digit(text[n]))
        value = value * 10 + (text[n++] - '0');
    if (n < min || n > max)
        return 0;
    *ret = value;
    return n;
}

static bool find_time(const char *token, size_t len, struct found *found)
{
    int part[3];
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        size_t n = digits(token + at, len - at, 1, 2, &part[i]);
        if (n == 0)
            return false;
        at += n;
        if (i < 2 && (at == len || token[at++] != ':'))
            return false;
    }
    memcpy(&found->part[HOUR], part, sizeof part);
    return true;
}

static bool find_month(const char *token, size_t len, struct found *found)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; len >= 3 && i < 12; i++) {
        if (weft__ieq_n(token, 3, names + i * 3, 3)) {
            found->part[MONTH] = i + 1;
            return true;
        }
    }
    return false;
}

static void find_part(const char *token, size_t len, struct found *found)
{
    if (found->part[HOUR] < 0 && find_time(token, len, found))
        return;
    if (found->part[DAY] < 0 && digits(token, len, 1, 2, &found->part[DAY]) > 0)
        return;
    if (found->part[MONTH] < 0 && find_month(token, len, found))
        return;
    if (found->part[YEAR] < 0)
        digits(token, len, 2, 4, &found->part[YEAR]);
}

int weft__cookie_date(const char *text, size_t len, int64_t *ret)
{
    struct found found = {{-1, -1, -1, -1, -1, -1}};
    for (size_t at = 0; at < len;) {
        size_t begin = at;
        while (at < len && !is_delimiter((unsigned char)text[at]))
            at++;
        if (at > begin)
            find_part(text + begin, at - begin, &found);
        else
            at++;
    }
    for (int i = 0; i < PARTS; i++) {
        if (found.part[i] < 0)
            return -1;
    }
    if (found.part[YEAR] >= 70 && found.part[YEAR] <= 99)
        found.part[YEAR] += 1900;
    else if (found.part[YEAR] <= 69)
        found.part[YEAR] += 2000;
    return found.part[SECOND] > 59 ? -1 : weft__date_seconds(found.part, ret);
}

/* ---- domains and paths, 5.1.3, 5.1.4 ---- */

static bool is_address(const char *host)
{
    size_t len = strlen(host);
    if (host[0] == '[' || strchr(host, ':') != NULL)
        return true;
    /* URLs write IPv4 addresses as four decimal numbers; no name ends in a digit's label. */
    size_t digit_from = len;
    while (digit_from > 0 && weft__is_digit(host[digit_from - 1]))
        digit_from--;
    return digit_from < len && (digit_from == 0 || host[digit_from - 1] == '.');
}

bool weft__cookie_domain_matches(const char *host, const char *domain)
{
    size_t host_len = strlen(host);
    size_t domain_len = strlen(domain);
    if (domain_len == 0 || host_len < domain_len ||
        memcmp(host + host_len - domain_len, domain, domain_len) != 0)
        return false;
    return host_len == domain_len || (host[host_len - domain_len - 1] == '.' && !is_address(host));
}

bool weft__cookie_path_matches(const char *path, const char *cookie_path)
{
    size_t len = strlen(cookie_path);
    if (len == 0 || strncmp(path, cookie_path, len) != 0)
        return false;
    return path[len] == '\0' || path[len] == '/' || cookie_path[len - 1] == '/';
}

bool weft__cookie_is_public_suffix(const char *domain)
{
    char plain[WEFT__LIMIT_HOST_NAME + 2];
    const psl_ctx_t *list = psl_builtin();
    size_t len = strlen(domain);
    /* A name may be written with the root's dot; the list does not know it. */
    if (len > 0 && domain[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof plain)
        return true;
    if (is_address(domain))
        return false;
    memcpy(plain, domain, len);
    plain[len] = '\0';
    if (list == NULL)
        return strchr(plain, '.') == NULL;
    return psl_is_public_suffix(list, plain) == 1;
}

bool weft__cookie_prefix_holds(const weft_cookie *cookie)
{
    const char *name = cookie->name;
    if (weft__ieq_n(name, strnlen(name, 9), "__Secure-", 9))
        return cookie->secure;
    if (weft__ieq_n(name, strnlen(name, 7), "__Host-", 7))
        return cookie->secure && !cookie->below && strcmp(cookie->path, "/") == 0;
    return true;
}

const char *weft__cookie_wrong(const weft_cookie *cookie)
{
    const char *texts[] = {cookie->name, cookie->value, cookie->domain, cookie->path};
    if (cookie->name[0] == '\0')
        return "it has no name";
    if (cookie->domain[0] == '\0')
        return "it has no domain";
    if (cookie->path[0] != '/')
        return "its path does not begin with \"/\"";
    if (strlen(cookie->name) + strlen(cookie->value) > WEFT__LIMIT_COOKIE)
        return "its name and value are longer than 4096 bytes";
    if (strlen(cookie->path) > WEFT__LIMIT_COOKIE_ATTRIBUTE ||
        strlen(cookie->domain) > WEFT__LIMIT_HOST_NAME + 1)
        return "its path or domain is too long";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (const char *p = texts[i]; *p != '\0'; p++) {
            /* A tab would be another field of a file; only the last one may have it. */
            if (((unsigned char)*p < 0x20 && (*p != '\t' || i != 1)) || *p == 0x7f || *p == ';')
                return "a control character or semicolon is in it";
        }
    }
    if (strchr(cookie->name, '=') != NULL)
        return "\"=\" is in its name";
    if (cookie->domain[0] == '.' || strpbrk(cookie->domain, " ,/#") != NULL)
        return "its domain is no host";
    return NULL;
}

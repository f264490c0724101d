/*
 * proxy_env.c - which URLs a NO_PROXY entry or a mount's pattern is for.
 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "proto/proxy_env.h"
#include "proto/url_int.h"

/* ---- addresses ---- */

static int parse_v4(const char *text, size_t len, uint8_t ip[16])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        unsigned number = 0;
        size_t start = at;
        for (; at < len && at - start < 3 && weft__is_digit(text[at]); at++)
            number = number * 10 + (unsigned)(text[at] - '0');
        if (at == start || number > 255 || (i < 3 && (at == len || text[at++] != '.')))
            return 0;
        ip[i] = (uint8_t)number;
    }
    return at == len ? 4 : 0;
}

int weft__ip_parse(const char *text, size_t len, uint8_t ip[16])
{
    uint16_t pieces[8];
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (memchr(text, ':', len) == NULL)
        return parse_v4(text, len, ip);
    if (weft__url_parse_ipv6(text, text + len, pieces) < 0)
        return 0;
    for (int i = 0; i < 8; i++) {
        ip[2 * i] = (uint8_t)(pieces[i] >> 8);
        ip[2 * i + 1] = (uint8_t)pieces[i];
    }
    return 16;
}

static bool in_network(const uint8_t *ip, const uint8_t *network, uint64_t bits)
{
    size_t whole = (size_t)bits / 8;
    unsigned rest = (unsigned)bits % 8;
    if (memcmp(ip, network, whole) != 0)
        return false;
    return rest == 0 || (ip[whole] ^ network[whole]) >> (8 - rest) == 0;
}

/* ---- NO_PROXY ---- */

struct target {
    const char *scheme;
    const char *host;
    size_t host_len; /* without a dot at its end */
    int port;
    uint8_t ip[16];
    int ip_len; /* 0: a name */
};

static size_t without_dot(const char *text, size_t len)
{
    return len > 1 && text[len - 1] == '.' ? len - 1 : len;
}

static bool is_below(const char *host, size_t len, const char *domain, size_t domain_len)
{
    return len > domain_len && host[len - domain_len - 1] == '.' &&
           weft__ieq_n(host + len - domain_len, domain_len, domain, domain_len);
}

static bool matches_network(const struct target *target, const char *entry, size_t len,
                            const char *slash)
{
    uint8_t network[16];
    uint64_t bits;
    size_t head = (size_t)(slash - entry);
    int ip_len = weft__ip_parse(entry, head, network);
    if (ip_len == 0 || ip_len != target->ip_len)
        return false;
    if (weft__parse_u64(slash + 1, len - head - 1, &bits) < 0 || bits > 8U * (unsigned)ip_len)
        return false;
    return in_network(target->ip, network, bits);
}

int weft__cut_port(const char *entry, size_t *len)
{
    uint64_t port;
    const char *colon = memrchr(entry, ':', *len);
    if (colon == NULL || (entry[0] != '[' && memchr(entry, ':', *len) != colon))
        return -1;
    if (weft__parse_u64(colon + 1, *len - (size_t)(colon - entry) - 1, &port) < 0 || port > 65535)
        return -1;
    *len = (size_t)(colon - entry);
    return (int)port;
}

static bool matches_host(const struct target *target, const char *entry, size_t len)
{
    uint8_t ip[16];
    bool only_below = false;
    if (len == 1 && entry[0] == '*')
        return true;
    int ip_len = weft__ip_parse(entry, len, ip);
    if (ip_len > 0 || target->ip_len > 0)
        return ip_len == target->ip_len && memcmp(ip, target->ip, (size_t)ip_len) == 0;
    if (len > 1 && entry[0] == '*' && entry[1] == '.') {
        entry++;
        len--;
    }
    if (len > 0 && entry[0] == '.') {
        entry++;
        len--;
        only_below = true;
    }
    len = without_dot(entry, len);
    if (len == 0)
        return false;
    if (!only_below && weft__ieq_n(target->host, target->host_len, entry, len))
        return true;
    return is_below(target->host, target->host_len, entry, len);
}

static bool matches_entry(const struct target *target, const char *entry, size_t len)
{
    const char *colon = memmem(entry, len, "://", 3);
    if (colon != NULL) {
        size_t scheme_len = (size_t)(colon - entry);
        if (!weft__ieq_n(entry, scheme_len, target->scheme, strlen(target->scheme)) &&
            !weft__ieq_n(entry, scheme_len, "all", 3))
            return false;
        entry += scheme_len + 3;
        len -= scheme_len + 3;
    }
    const char *slash = memchr(entry, '/', len);
    if (slash != NULL)
        return matches_network(target, entry, len, slash);
    int port = weft__cut_port(entry, &len);
    if (port >= 0 && port != target->port)
        return false;
    return matches_host(target, entry, len);
}

bool weft__no_proxy_matches(const char *list, const char *scheme, const char *host, int port)
{
    static const char between[] = ", \t\r\n";
    struct target target = {.scheme = scheme, .host = host, .port = port};
    target.host_len = without_dot(host, strlen(host));
    target.ip_len = weft__ip_parse(host, strlen(host), target.ip);
    for (;;) {
        list += strspn(list, between);
        size_t len = strcspn(list, between);
        if (len == 0)
            return false;
        if (matches_entry(&target, list, len))
            return true;
        list += len;
    }
}

/* ---- patterns ---- */

int weft__pattern_parse(const char *text, struct weft__pattern *ret)
{
    const char *colon = strstr(text, "://");
    struct weft__pattern pattern = {.port = -1};
    if (colon == NULL || colon == text)
        return -EINVAL;
    pattern.scheme = text;
    pattern.scheme_len = (size_t)(colon - text);
    if (weft__ieq_n(text, pattern.scheme_len, "all", 3))
        pattern.scheme_len = 0;
    pattern.host = colon + 3;
    pattern.host_len = strlen(pattern.host);
    if (pattern.host_len > 0 && pattern.host[pattern.host_len - 1] == '/')
        pattern.host_len--;
    if (memchr(pattern.host, '/', pattern.host_len) != NULL ||
        memchr(pattern.host, '@', pattern.host_len) != NULL)
        return -EINVAL;
    pattern.port = weft__cut_port(pattern.host, &pattern.host_len);
    if (pattern.host_len > 0 && pattern.host[0] == '*') {
        pattern.host++;
        pattern.host_len--;
        pattern.below = pattern.host_len > 0 && pattern.host[0] == '.';
        pattern.with_below = pattern.host_len > 0 && !pattern.below;
        pattern.host += pattern.below;
        pattern.host_len -= pattern.below;
    }
    if (memchr(pattern.host, '*', pattern.host_len) != NULL ||
        (pattern.host_len > 0 && pattern.host[0] != '[' &&
         memchr(pattern.host, ':', pattern.host_len) != NULL))
        return -EINVAL;
    pattern.host_len = without_dot(pattern.host, pattern.host_len);
    *ret = pattern;
    return 0;
}

bool weft__pattern_matches(const struct weft__pattern *pattern, const char *scheme,
                           const char *host, int port)
{
    size_t len = without_dot(host, strlen(host));
    if (pattern->scheme_len > 0 &&
        !weft__ieq_n(pattern->scheme, pattern->scheme_len, scheme, strlen(scheme)))
        return false;
    if (pattern->port >= 0 && pattern->port != port)
        return false;
    if (pattern->host_len == 0)
        return true;
    if (!pattern->below && weft__ieq_n(host, len, pattern->host, pattern->host_len))
        return true;
    return (pattern->below || pattern->with_below) &&
           is_below(host, len, pattern->host, pattern->host_len);
}

int weft__pattern_compare(const struct weft__pattern *a, const struct weft__pattern *b)
{
    if ((a->port >= 0) != (b->port >= 0))
        return a->port >= 0 ? -1 : 1;
    if (a->host_len != b->host_len)
        return a->host_len > b->host_len ? -1 : 1;
    if ((a->below || a->with_below) != (b->below || b->with_below))
        return a->below || a->with_below ? 1 : -1;
    if (a->scheme_len != b->scheme_len)
        return a->scheme_len > b->scheme_len ? -1 : 1;
    return 0;
}

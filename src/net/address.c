/*
 * address.c - socket addresses: numeric text in both directions, Unix paths.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/limits.h"
#include "base/str.h"
#include "net/net_int.h"

static_assert(sizeof(struct sockaddr_storage) <= sizeof((weft_address *)0)->opaque,
              "weft_address is too small");

void weft__address_set(weft_address *address, const void *sockaddr, size_t len)
{
    *address = (weft_address){.len = (uint32_t)len};
    memcpy(address->opaque, sockaddr, len);
}

int weft__address_from_ip(const void *ip, size_t len, weft_address *ret)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (len == sizeof in.sin_addr) {
        memcpy(&in.sin_addr, ip, len);
        weft__address_set(ret, &in, sizeof in);
    } else if (len == sizeof in6.sin6_addr) {
        memcpy(&in6.sin6_addr, ip, len);
        weft__address_set(ret, &in6, sizeof in6);
    } else {
        return -EINVAL;
    }
    return 0;
}

int weft__address_family(const weft_address *address)
{
    sa_family_t family = AF_UNSPEC;
    if (address->len >= sizeof family)
        memcpy(&family, address->opaque, sizeof family);
    return family;
}

int weft__address_unix(const char *path, weft_address *ret)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0)
        return weft__fail(-EINVAL, "the path of a Unix socket is empty");
    if (len >= sizeof un.sun_path)
        return weft__fail(-ENAMETOOLONG, "the path of a Unix socket is %zu bytes long; %zu fit",
                          len, sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, len);
    size_t total = offsetof(struct sockaddr_un, sun_path) + len;
    if (path[0] == '@')
        un.sun_path[0] = '\0';
    else
        total++;
    weft__address_set(ret, &un, total);
    return 0;
}

/* The zone of "fe80::1%eth0": the name or the number of an interface. */
static int parse_zone(const char *zone, uint32_t *ret)
{
    uint64_t number;
    if (weft__parse_u64(zone, strlen(zone), &number) == 0 && number > 0 && number <= UINT32_MAX) {
        *ret = (uint32_t)number;
        return 0;
    }
    *ret = if_nametoindex(zone);
    return *ret != 0 ? 0 : -1;
}

static int parse_ipv6(const char *text, size_t len, struct sockaddr_in6 *ret)
{
    char copy[INET6_ADDRSTRLEN + IF_NAMESIZE];
    if (len >= sizeof copy)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *zone = memchr(copy, '%', len);
    if (zone != NULL)
        *zone++ = '\0';
    if (inet_pton(AF_INET6, copy, &ret->sin6_addr) != 1)
        return -1;
    return zone != NULL ? parse_zone(zone, &ret->sin6_scope_id) : 0;
}

int weft__address_parse(const char *text, uint16_t port, weft_address *ret)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    size_t len = strlen(text);
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        weft__address_set(ret, &in, sizeof in);
        return 0;
    }
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (parse_ipv6(text, len, &in6) < 0)
        return -EINVAL;
    weft__address_set(ret, &in6, sizeof in6);
    return 0;
}

int weft_address_parse(const char *text, uint16_t port, weft_address *ret)
{
    if (weft__address_parse(text, port, ret) < 0)
        return weft__fail(-EINVAL, "'%.100s' is no IP address", text);
    return 0;
}

/* ---- text ---- */

static void ipv6_text(const weft_address *address, char *text, size_t size)
{
    struct sockaddr_in6 in6;
    memcpy(&in6, address->opaque, sizeof in6);
    inet_ntop(AF_INET6, &in6.sin6_addr, text, (socklen_t)size);
    size_t len = strlen(text);
    if (in6.sin6_scope_id != 0)
        snprintf(text + len, size - len, "%%%u", in6.sin6_scope_id);
}

static void unix_text(const weft_address *address, char *text, size_t size)
{
    struct sockaddr_un un = {0};
    size_t at = offsetof(struct sockaddr_un, sun_path);
    memcpy(&un, address->opaque, address->len);
    size_t len = address->len > at ? address->len - at : 0;
    if (len > 0 && un.sun_path[0] == '\0')
        snprintf(text, size, "unix:@%.*s", (int)(len - 1), un.sun_path + 1);
    else
        snprintf(text, size, "unix:%.*s", (int)len, un.sun_path);
}

static int copy_text(const char *from, char *text, size_t size)
{
    size_t len = strlen(from);
    if (len >= size)
        return weft__fail(-ENOSPC, "an address of %zu bytes does not fit into %zu", len, size);
    memcpy(text, from, len + 1);
    return 0;
}

int weft__address_format_host(const weft_address *address, char *text, size_t size)
{
    char host[WEFT_ADDRESS_TEXT_MAX] = "";
    if (weft__address_family(address) == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address->opaque, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    } else if (weft__address_family(address) == AF_INET6) {
        ipv6_text(address, host, sizeof host);
    } else if (weft__address_family(address) == AF_UNIX) {
        unix_text(address, host, sizeof host);
    } else {
        return weft__fail(-EAFNOSUPPORT, "an address without a family");
    }
    return copy_text(host, text, size);
}

int weft_address_format(const weft_address *address, char *text, size_t size)
{
    char host[WEFT_ADDRESS_TEXT_MAX];
    char whole[WEFT_ADDRESS_TEXT_MAX + 16];
    int err = weft__address_format_host(address, host, sizeof host);
    if (err < 0)
        return err;
    int family = weft__address_family(address);
    if (family == AF_INET)
        snprintf(whole, sizeof whole, "%s:%u", host, weft_address_port(address));
    else if (family == AF_INET6)
        snprintf(whole, sizeof whole, "[%s]:%u", host, weft_address_port(address));
    else
        snprintf(whole, sizeof whole, "%s", host);
    return copy_text(whole, text, size);
}

uint16_t weft_address_port(const weft_address *address)
{
    /* At the same place in both families. */
    struct sockaddr_in in;
    int family = weft__address_family(address);
    if (family != AF_INET && family != AF_INET6)
        return 0;
    memcpy(&in, address->opaque, sizeof in);
    return ntohs(in.sin_port);
}

/* ---- lists ---- */

void weft__addresses_interleave(weft_address *addresses, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int last = weft__address_family(&addresses[i - 1]);
        size_t other = i;
        while (other < n && weft__address_family(&addresses[other]) == last)
            other++;
        if (other == n)
            return;
        weft_address moved = addresses[other];
        memmove(&addresses[i + 1], &addresses[i], (other - i) * sizeof moved);
        addresses[i] = moved;
    }
}

/*
 * resolve.c - names to addresses.
 *
 * Numeric addresses and localhost need no thread.  Everything else is getaddrinfo on a
 * resolver thread; a cancelled call leaves it behind, and its result is freed there.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "net/net_int.h"
#include "net/sys.h"
#include "thread/thread_int.h"

struct lookup {
    char host[WEFT__LIMIT_HOST_NAME + 2];
    uint16_t port;
    weft_address *addresses;
    size_t n;
};

static int fail_gai(const char *host, int gai)
{
    if (gai == EAI_MEMORY)
        return weft__fail_nomem();
    if (gai == EAI_SYSTEM)
        return weft__fail(WEFT_EDNS, "resolving %s: %s", host, weft_error_text(-errno));
    if (gai == EAI_NONAME || gai == EAI_NODATA)
        return weft__fail(WEFT_EDNS_NOT_FOUND, "resolving %s: %s", host, gai_strerror(gai));
    return weft__fail(WEFT_EDNS, "resolving %s: %s", host, gai_strerror(gai));
}

static int copy_list(struct lookup *lookup, const struct addrinfo *list)
{
    size_t n = 0;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next)
        n++;
    if (n > WEFT__LIMIT_RESOLVED_ADDRESSES)
        n = WEFT__LIMIT_RESOLVED_ADDRESSES;
    if (n == 0)
        return fail_gai(lookup->host, EAI_NODATA);
    lookup->addresses = weft__alloc(n * sizeof *lookup->addresses);
    if (lookup->addresses == NULL)
        return weft__fail_nomem();
    for (; lookup->n < n; list = list->ai_next)
        weft__address_set(&lookup->addresses[lookup->n++], list->ai_addr, list->ai_addrlen);
    weft__addresses_interleave(lookup->addresses, n);
    return 0;
}

/* On a resolver thread. */
static int look_up(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV,
    };
    struct addrinfo *list = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", lookup->port);
    int gai = getaddrinfo(lookup->host, port, &hints, &list);
    if (gai != 0)
        return fail_gai(lookup->host, gai);
    int err = copy_list(lookup, list);
    freeaddrinfo(list);
    return err;
}

static void lookup_free(void *arg)
{
    struct lookup *lookup = arg;
    weft__free(lookup->addresses);
    weft__free(lookup);
}

static int resolve_name(const char *host, uint16_t port, weft_address **ret, size_t *ret_n)
{
    bool abandoned;
    struct lookup *lookup = weft__calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return weft__fail_nomem();
    memcpy(lookup->host, host, strlen(host));
    lookup->port = port;
    int err = weft__offload_abandon(WEFT__OFFLOAD_DNS, look_up, lookup, lookup_free, &abandoned);
    if (abandoned)
        return err;
    if (err == 0) {
        *ret = lookup->addresses;
        *ret_n = lookup->n;
        lookup->addresses = NULL;
    }
    lookup_free(lookup);
    return err;
}

/* RFC 6761, section 6.3: never asked of the DNS. */
static bool is_localhost(const char *host, size_t len)
{
    static const char name[] = "localhost";
    size_t name_len = sizeof name - 1;
    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len < name_len || !weft__ieq_n(host + len - name_len, name_len, name, name_len))
        return false;
    return len == name_len || host[len - name_len - 1] == '.';
}

/*
 * The resolver takes "127.1", "0x7f.1" and "2130706433" for addresses (inet_aton); a filter
 * that looked at the text did not.  As in URLs, a name that ends in a number is an address.
 */
static bool ends_in_number(const char *host, size_t len)
{
    if (len > 0 && host[len - 1] == '.')
        len--;
    size_t at = len;
    while (at > 0 && host[at - 1] != '.')
        at--;
    if (at == len || !weft__is_digit(host[at]))
        return false;
    if (host[at] == '0' && at + 1 < len && (host[at + 1] | 0x20) == 'x')
        at += 2;
    else
        return strspn(host + at, "0123456789") >= len - at;
    while (at < len && weft__hex_value(host[at]) >= 0)
        at++;
    return at == len;
}

static int check_host(const char *host, size_t len)
{
    if (len == 0)
        return weft__fail(-EINVAL, "the host name is empty");
    size_t without_dot = host[len - 1] == '.' ? len - 1 : len;
    if (without_dot > WEFT__LIMIT_HOST_NAME)
        return weft__fail(-EINVAL, "the host name is %zu bytes long, more than %d", without_dot,
                          WEFT__LIMIT_HOST_NAME);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f)
            return weft__fail(-EINVAL, "the host name has a space or control character in it");
    }
    if (ends_in_number(host, len))
        return weft__fail(-EINVAL, "'%.100s' is no valid IPv4 address", host);
    return 0;
}

static int give_numeric(const weft_address *addresses, size_t n, weft_address **ret, size_t *ret_n)
{
    weft_address *list = weft__alloc(n * sizeof *list);
    if (list == NULL)
        return weft__fail_nomem();
    memcpy(list, addresses, n * sizeof *list);
    *ret = list;
    *ret_n = n;
    return 0;
}

int weft_resolve(const char *host, uint16_t port, weft_address **ret, size_t *ret_n)
{
    weft_address both[2];
    struct weft_task *self = weft__self();
    int err = self != NULL ? weft__checkpoint(self) : weft__context_get()->error_code;
    if (err < 0)
        return err;
    size_t len = strlen(host);
    if (weft__address_parse(host, port, &both[0]) == 0)
        return give_numeric(both, 1, ret, ret_n);
    err = check_host(host, len);
    if (err < 0)
        return err;
    if (is_localhost(host, len)) {
        weft__address_parse("127.0.0.1", port, &both[0]);
        weft__address_parse("::1", port, &both[1]);
        return give_numeric(both, 2, ret, ret_n);
    }
    if (weft__sim_is_on())
        return weft__sim_resolve(host, port, ret, ret_n);
    return resolve_name(host, port, ret, ret_n);
}

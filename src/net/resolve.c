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
    char service[WEFT__LIMIT_SERVICE_NAME + 1];
    uint16_t port;
    struct addrinfo hints;
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
    struct addrinfo *list = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", lookup->port);
    const char *service = lookup->service[0] != '\0' ? lookup->service : port;
    int gai = getaddrinfo(lookup->host, service, &lookup->hints, &list);
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

static int family_of(weft_ip family)
{
    return family == WEFT_IP_V4 ? AF_INET : family == WEFT_IP_V6 ? AF_INET6 : AF_UNSPEC;
}

static int resolve_name(const char *host, uint16_t port, const weft_resolve_options *options,
                        weft_address **ret, size_t *ret_n)
{
    bool abandoned;
    struct lookup *lookup = weft__calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return weft__fail_nomem();
    memcpy(lookup->host, host, strlen(host));
    lookup->port = port;
    if (options->service != NULL)
        memcpy(lookup->service, options->service, strlen(options->service));
    lookup->hints.ai_family = family_of(options->family);
    lookup->hints.ai_socktype = options->datagram ? SOCK_DGRAM : SOCK_STREAM;
    lookup->hints.ai_flags = (options->all_families ? 0 : AI_ADDRCONFIG) |
                             (options->numeric ? AI_NUMERICHOST : 0) |
                             (options->service == NULL ? AI_NUMERICSERV : 0);
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

/* Those of the family that was asked for; -ENOENT: none. */
static int keep_family(weft_ip family, weft_address *addresses, size_t *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (family == WEFT_IP_ANY || weft__address_family(&addresses[i]) == family_of(family))
            addresses[kept++] = addresses[i];
    }
    *n = kept;
    return kept > 0 ? 0 : -ENOENT;
}

static int fail_family(const char *host, weft_ip family)
{
    return weft__fail(WEFT_EDNS_NOT_FOUND, "resolving %.253s: no IPv%d address", host, (int)family);
}

/* What needs no resolver: 1 if host is such. */
static int without_resolver(const char *host, uint16_t port, weft_ip family, weft_address **ret,
                            size_t *ret_n)
{
    weft_address both[2];
    size_t n = 2;
    if (weft__address_parse(host, port, &both[0]) == 0) {
        n = 1;
    } else if (is_localhost(host, strlen(host))) {
        weft__address_parse("127.0.0.1", port, &both[0]);
        weft__address_parse("::1", port, &both[1]);
    } else {
        return 0;
    }
    if (keep_family(family, both, &n) < 0)
        return fail_family(host, family);
    int err = give_numeric(both, n, ret, ret_n);
    return err < 0 ? err : 1;
}

static int resolve(const char *host, uint16_t port, const weft_resolve_options *options,
                   weft_address **ret, size_t *ret_n)
{
    weft_address numeric;
    bool is_numeric = weft__address_parse(host, port, &numeric) == 0;
    int err = is_numeric ? 0 : check_host(host, strlen(host));
    if (err < 0)
        return err;
    if (options->service == NULL) {
        err = without_resolver(host, port, options->family, ret, ret_n);
        if (err != 0)
            return err < 0 ? err : 0;
    }
    if (options->numeric && !is_numeric)
        return weft__fail(-EINVAL, "'%.100s' is no IP address", host);
    if (!weft__sim_is_on())
        return resolve_name(host, port, options, ret, ret_n);
    err = weft__sim_resolve(host, port, ret, ret_n);
    if (err == 0 && keep_family(options->family, *ret, ret_n) < 0) {
        weft__free(*ret);
        return fail_family(host, options->family);
    }
    return err;
}

static int checkpoint(void)
{
    struct weft_task *self;
    return weft__enter(&self);
}

int weft_resolve_with(const char *host, uint16_t port, const weft_resolve_options *options,
                      weft_address **ret, size_t *ret_n)
{
    weft_resolve_options all = {0};
    weft_address *list;
    size_t n;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = checkpoint();
    if (err < 0)
        return err;
    if (all.service != NULL && strlen(all.service) > WEFT__LIMIT_SERVICE_NAME)
        return weft__fail(-EINVAL, "a service name is longer than %d bytes",
                          WEFT__LIMIT_SERVICE_NAME);
    weft_scope scope;
    weft_scope_enter(&scope, all.timeout > 0 ? all.timeout : WEFT_FOREVER);
    err = weft_scope_exit(&scope, resolve(host, port, &all, &list, &n));
    if (err == -ETIMEDOUT)
        return weft__fail(WEFT_EDNS, "resolving %.253s timed out after %.6g s", host,
                          (double)all.timeout * 1e-9);
    if (err < 0)
        return err;
    *ret = list;
    *ret_n = n;
    return 0;
}

int weft_resolve(const char *host, uint16_t port, weft_address **ret, size_t *ret_n)
{
    return weft_resolve_with(host, port, NULL, ret, ret_n);
}

/* ---- the other way ---- */

struct naming {
    weft_address address;
    int flags;
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
};

static int look_up_name(void *arg)
{
    struct naming *naming = arg;
    char text[WEFT_ADDRESS_TEXT_MAX] = "";
    int gai =
        getnameinfo(weft__address_sockaddr(&naming->address), naming->address.len, naming->host,
                    sizeof naming->host, naming->service, sizeof naming->service, naming->flags);
    if (gai == 0)
        return 0;
    weft__address_format_host(&naming->address, text, sizeof text);
    return fail_gai(text, gai);
}

static int give_names(const struct naming *naming, char **ret_host, char **ret_service)
{
    char *host = weft__strdup(naming->host);
    char *service = weft__strdup(naming->service);
    if (host == NULL || service == NULL) {
        weft__free(host);
        weft__free(service);
        return weft__fail_nomem();
    }
    *ret_host = host;
    if (ret_service != NULL)
        *ret_service = service;
    else
        weft__free(service);
    return 0;
}

int weft_resolve_name(const weft_address *address, const weft_resolve_name_options *options,
                      char **ret_host, char **ret_service)
{
    weft_resolve_name_options all = {0};
    bool abandoned = false;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = checkpoint();
    if (err < 0)
        return err;
    int family = weft__address_family(address);
    if (family != AF_INET && family != AF_INET6)
        return weft__fail(-EAFNOSUPPORT, "only IP addresses have names");
    struct naming *naming = weft__calloc(1, sizeof *naming);
    if (naming == NULL)
        return weft__fail_nomem();
    naming->address = *address;
    naming->flags = (all.numeric ? NI_NUMERICHOST | NI_NUMERICSERV : 0) |
                    (all.name_required ? NI_NAMEREQD : 0) | (all.datagram ? NI_DGRAM : 0);
    if (all.numeric)
        err = look_up_name(naming);
    else
        err =
            weft__offload_abandon(WEFT__OFFLOAD_DNS, look_up_name, naming, weft__free, &abandoned);
    if (abandoned)
        return err;
    if (err == 0)
        err = give_names(naming, ret_host, ret_service);
    weft__free(naming);
    return err;
}

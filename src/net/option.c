/*
 * option.c - settings of a socket by name, in the units of this library.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <string.h>

#include "net/net_int.h"
#include "net/sys.h"
#include "stream/stream_int.h"

enum unit { INTEGER, BYTES, SWITCH, SECONDS, MILLISECONDS, LINGER, INTERFACE };

struct option {
    const char *name;
    enum unit unit;
    int level;
    int number;
    int number6; /* of level IPPROTO_IPV6, where the family decides */
};

static const struct option options[] = {
    [WEFT_SOCKET_NODELAY] = {"nodelay", SWITCH, IPPROTO_TCP, TCP_NODELAY, 0},
    [WEFT_SOCKET_CORK] = {"cork", SWITCH, IPPROTO_TCP, TCP_CORK, 0},
    [WEFT_SOCKET_QUICKACK] = {"quickack", SWITCH, IPPROTO_TCP, TCP_QUICKACK, 0},
    [WEFT_SOCKET_KEEPALIVE] = {"keepalive", SWITCH, SOL_SOCKET, SO_KEEPALIVE, 0},
    [WEFT_SOCKET_KEEPALIVE_IDLE] = {"keepalive idle", SECONDS, IPPROTO_TCP, TCP_KEEPIDLE, 0},
    [WEFT_SOCKET_KEEPALIVE_INTERVAL] = {"keepalive interval", SECONDS, IPPROTO_TCP, TCP_KEEPINTVL,
                                        0},
    [WEFT_SOCKET_KEEPALIVE_COUNT] = {"keepalive count", INTEGER, IPPROTO_TCP, TCP_KEEPCNT, 0},
    [WEFT_SOCKET_USER_TIMEOUT] = {"user timeout", MILLISECONDS, IPPROTO_TCP, TCP_USER_TIMEOUT, 0},
    [WEFT_SOCKET_LINGER] = {"linger", LINGER, SOL_SOCKET, SO_LINGER, 0},
    [WEFT_SOCKET_RECEIVE_BUFFER] = {"receive buffer", BYTES, SOL_SOCKET, SO_RCVBUF, 0},
    [WEFT_SOCKET_SEND_BUFFER] = {"send buffer", BYTES, SOL_SOCKET, SO_SNDBUF, 0},
    [WEFT_SOCKET_PRIORITY] = {"priority", INTEGER, SOL_SOCKET, SO_PRIORITY, 0},
    [WEFT_SOCKET_TOS] = {"tos", INTEGER, IPPROTO_IP, IP_TOS, IPV6_TCLASS},
    [WEFT_SOCKET_TTL] = {"ttl", INTEGER, IPPROTO_IP, IP_TTL, IPV6_UNICAST_HOPS},
    [WEFT_SOCKET_BROADCAST] = {"broadcast", SWITCH, SOL_SOCKET, SO_BROADCAST, 0},
    [WEFT_SOCKET_MULTICAST_TTL] = {"multicast ttl", INTEGER, IPPROTO_IP, IP_MULTICAST_TTL,
                                   IPV6_MULTICAST_HOPS},
    [WEFT_SOCKET_MULTICAST_LOOP] = {"multicast loop", SWITCH, IPPROTO_IP, IP_MULTICAST_LOOP,
                                    IPV6_MULTICAST_LOOP},
    [WEFT_SOCKET_MULTICAST_INTERFACE] = {"multicast interface", INTERFACE, IPPROTO_IP,
                                         IP_MULTICAST_IF, IPV6_MULTICAST_IF},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

static const struct option *find(weft_socket_option option)
{
    if ((int)option > 0 && (int)option < N_OPTIONS)
        return &options[option];
    weft__fail(-EINVAL, "there is no socket option %d", (int)option);
    return NULL;
}

static int domain_of(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t len = sizeof domain;
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    return domain;
}

/* Where less than nothing makes no sense, and the kernel takes it for something else. */
static bool is_amount(enum unit unit)
{
    return unit == BYTES || unit == SECONDS || unit == MILLISECONDS;
}

/* What the kernel counts in whole units is rounded up: no time becomes none. */
static int64_t to_kernel(enum unit unit, int64_t value)
{
    int64_t one = unit == SECONDS ? WEFT_SEC(1) : unit == MILLISECONDS ? WEFT_MS(1) : 1;
    if (unit == SWITCH)
        return value != 0;
    return value / one + (value % one > 0);
}

static int set_linger(int fd, int64_t value)
{
    struct linger linger = {.l_onoff = value >= 0};
    if (value >= 0)
        linger.l_linger = (int)to_kernel(SECONDS, value);
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static int set_one(int fd, const struct option *option, int64_t value)
{
    int number = (int)to_kernel(option->unit, value);
    if (option->unit == LINGER)
        return set_linger(fd, value);
    bool is_v6 = option->number6 != 0 && domain_of(fd) == AF_INET6;
    if (is_v6 && setsockopt(fd, IPPROTO_IPV6, option->number6, &number, sizeof number) < 0)
        return -1;
    int result;
    if (option->unit == INTERFACE) {
        struct ip_mreqn request = {.imr_ifindex = number};
        result = setsockopt(fd, option->level, option->number, &request, sizeof request);
    } else {
        result = setsockopt(fd, option->level, option->number, &number, sizeof number);
    }
    /* A socket of both families takes both; one of IPv6 alone need not. */
    return is_v6 ? 0 : result;
}

int weft__socket_set(int fd, weft_socket_option option, int64_t value)
{
    const struct option *found = find(option);
    if (found == NULL)
        return -EINVAL;
    int64_t number = to_kernel(found->unit == LINGER ? SECONDS : found->unit, value);
    if (number > INT32_MAX || number < INT32_MIN || (value < 0 && is_amount(found->unit)))
        return weft__fail(-EINVAL, "set %s of a socket to %lld: out of range", found->name,
                          (long long)value);
    /* On a simulated network they make no difference. */
    if (fd < WEFT__SIM_FD && set_one(fd, found, value) < 0)
        return weft__fail_with(-errno, "set %s of a socket to %lld", found->name, (long long)value);
    return 0;
}

static int get_one(int fd, const struct option *option, int64_t *ret)
{
    struct linger linger;
    int number = 0;
    socklen_t len = sizeof number;
    socklen_t linger_len = sizeof linger;
    if (option->unit == LINGER) {
        if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &linger_len) < 0)
            return -1;
        *ret = linger.l_onoff ? WEFT_SEC(linger.l_linger) : -1;
        return 0;
    }
    bool is_v6 = option->number6 != 0 && domain_of(fd) == AF_INET6;
    if (getsockopt(fd, is_v6 ? IPPROTO_IPV6 : option->level,
                   is_v6 ? option->number6 : option->number, &number, &len) < 0)
        return -1;
    *ret = option->unit == SECONDS        ? WEFT_SEC(number)
           : option->unit == MILLISECONDS ? WEFT_MS(number)
                                          : number;
    return 0;
}

int weft__socket_get(int fd, weft_socket_option option, int64_t *ret)
{
    const struct option *found = find(option);
    if (found == NULL)
        return -EINVAL;
    if (get_one(fd, found, ret) < 0)
        return weft__fail_with(-errno, "get %s of a socket", found->name);
    return 0;
}

int weft__socket_prepare(int fd, const char *interface, int receive_buffer, int send_buffer)
{
    if (receive_buffer > 0 &&
        weft__sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(int)) < 0)
        return -errno;
    if (send_buffer > 0 &&
        weft__sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(int)) < 0)
        return -errno;
    if (interface != NULL && weft__sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                                                  (socklen_t)strlen(interface)) < 0)
        return -errno;
    return 0;
}

int weft__socket_keepalive(int fd, int64_t idle)
{
    int one = 1;
    int seconds = (int)to_kernel(SECONDS, idle < WEFT_SEC(32767) ? idle : WEFT_SEC(32767));
    if (idle <= 0)
        return 0;
    if (weft__sys_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0 ||
        weft__sys_setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) < 0)
        return -errno;
    return 0;
}

/* ---- streams ---- */

int weft_stream_fd(weft_stream *stream)
{
    for (weft_stream *below; (below = weft_stream_below(stream)) != NULL;)
        stream = below;
    int fd = weft__sock_fd(stream);
    if (fd < 0)
        fd = weft__pipe_fd(stream);
    if (fd < 0)
        return weft__fail(-ENOTSOCK, "the %s stream has no descriptor", stream->ops.name);
    return fd;
}

int weft_stream_set_option(weft_stream *stream, weft_socket_option option, int64_t value)
{
    int fd = weft_stream_fd(stream);
    return fd < 0 ? fd : weft__socket_set(fd, option, value);
}

int weft_stream_get_option(weft_stream *stream, weft_socket_option option, int64_t *ret)
{
    int fd = weft_stream_fd(stream);
    return fd < 0 ? fd : weft__socket_get(fd, option, ret);
}

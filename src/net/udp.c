/*
 * udp.c - datagrams.
 *
 * Each call tries its system call first and waits for readiness only where there is nothing, so
 * that a cancelled wait has taken no datagram.  A socket of both families speaks IPv4 by mapped
 * addresses (RFC 4291, section 2.5.5.2); the caller sees them as what they are.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include <weft/udp.h>

#include "base/alloc.h"
#include "net/net_int.h"
#include "net/sys.h"

enum { BATCH = 32 };

struct weft_udp {
    struct weft__endpoint endpoint;
    struct weft__op receiving; /* of the task that waits for a datagram */
    struct weft__op sending;
    int family;
    bool in_receive; /* a task is in a call: it frees the socket that is closed meanwhile */
    bool in_send;
    bool closed;
};

/* ---- addresses ---- */

static void unmap(weft_address *address)
{
    struct sockaddr_in6 in6;
    if (weft__address_family(address) != AF_INET6)
        return;
    memcpy(&in6, address->opaque, sizeof in6);
    if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6.sin6_port};
    memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
    weft__address_set(address, &in, sizeof in);
}

static int map(const weft_udp *udp, const weft_address *address, weft_address *ret)
{
    int family = weft__address_family(address);
    if (family == udp->family || address->len == 0) {
        *ret = *address;
        return 0;
    }
    if (family != AF_INET || udp->family != AF_INET6)
        return weft__fail(-EAFNOSUPPORT, "send a datagram: the socket and the address are of "
                                         "different families");
    struct sockaddr_in in;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    memcpy(&in, address->opaque, sizeof in);
    in6.sin6_port = in.sin_port;
    in6.sin6_addr.s6_addr[10] = 0xff;
    in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&in6.sin6_addr.s6_addr[12], &in.sin_addr, sizeof in.sin_addr);
    weft__address_set(ret, &in6, sizeof in6);
    return 0;
}

/* ---- making one ---- */

static void loop_ends(struct weft__endpoint *endpoint)
{
    (void)endpoint;
}

static int set_options(int fd, int family, const weft_udp_options *options)
{
    int one = 1;
    int v6only = options->only_ipv6;
    if (family == AF_INET6 &&
        weft__sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0)
        return -errno;
    if (options->reuse_address &&
        weft__sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
        return -errno;
    if (options->reuse_port &&
        weft__sys_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0)
        return -errno;
    if (options->broadcast &&
        weft__sys_setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one) < 0)
        return -errno;
    return weft__socket_prepare(fd, options->interface, options->receive_buffer,
                                options->send_buffer);
}

static int connect_fd(int fd, const struct sockaddr *address, socklen_t len)
{
    return fd >= WEFT__SIM_FD ? weft__sim_connect(fd, address, len) : connect(fd, address, len);
}

/* Binds to local and connects to peer, where they are not NULL. */
static int open_socket(int family, const weft_address *local, const weft_address *peer,
                       const weft_udp_options *options)
{
    int fd = weft__sys_socket(family, SOCK_DGRAM);
    if (fd < 0)
        return -errno;
    int err = set_options(fd, family, options);
    if (err == 0 && local != NULL &&
        weft__sys_bind(fd, weft__address_sockaddr(local), local->len) < 0)
        err = -errno;
    if (err == 0 && peer != NULL && connect_fd(fd, weft__address_sockaddr(peer), peer->len) < 0)
        err = -errno;
    if (err == 0)
        return fd;
    weft__sys_close(fd);
    return err;
}

static int udp_new(int fd, int family, weft_udp **ret)
{
    weft_udp *udp = weft__calloc(1, sizeof *udp);
    if (udp == NULL) {
        weft__sys_close(fd);
        return weft__fail_nomem();
    }
    int err = weft__endpoint_init(&udp->endpoint, fd, loop_ends);
    if (err < 0) {
        weft__free(udp);
        return err;
    }
    udp->family = family;
    *ret = udp;
    return 0;
}

static weft_udp_options take_options(const weft_udp_options *options)
{
    weft_udp_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    return all;
}

static bool is_wrong_family(int err)
{
    return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL;
}

static int fail_open(const char *what, const weft_address *address, int err)
{
    char text[WEFT_ADDRESS_TEXT_MAX] = "";
    weft_address_format(address, text, sizeof text);
    return weft__fail_with(err, "%s %s", what, text);
}

static int open_any(uint16_t port, const weft_udp_options *options, weft_udp **ret)
{
    weft_address address;
    weft__address_parse("::", port, &address);
    int fd = open_socket(AF_INET6, &address, NULL, options);
    if (fd >= 0)
        return udp_new(fd, AF_INET6, ret);
    if (is_wrong_family(fd) && !options->only_ipv6) {
        weft__address_parse("0.0.0.0", port, &address);
        fd = open_socket(AF_INET, &address, NULL, options);
    }
    return fd >= 0 ? udp_new(fd, AF_INET, ret) : fail_open("open UDP", &address, fd);
}

int weft_udp_open(const char *host, uint16_t port, const weft_udp_options *options, weft_udp **ret)
{
    weft_udp_options all = take_options(options);
    weft_address *list;
    size_t n;
    if (host == NULL || host[0] == '\0')
        return open_any(port, &all, ret);
    int err = weft_resolve(host, port, &list, &n);
    if (err < 0)
        return err;
    int fd = -EADDRNOTAVAIL;
    size_t i = 0;
    for (; i < n && is_wrong_family(fd); i++)
        fd = open_socket(weft__address_family(&list[i]), &list[i], NULL, &all);
    if (fd >= 0)
        err = udp_new(fd, weft__address_family(&list[i - 1]), ret);
    else
        err = fail_open("open UDP", &list[i - 1], fd);
    weft__free(list);
    return err;
}

static int take_local(const weft_udp_options *options, int family, weft_address *ret)
{
    const char *host = options->local_host;
    if (host == NULL)
        host = family == AF_INET6 ? "::" : "0.0.0.0";
    if (weft__address_parse(host, options->local_port, ret) < 0)
        return weft__fail(-EINVAL, "the local address '%.100s' is no IP address", host);
    return weft__address_family(ret) == family ? 0 : -EAFNOSUPPORT;
}

static int connect_one(const weft_address *peer, const weft_udp_options *options)
{
    int family = weft__address_family(peer);
    weft_address local;
    if (options->local_host == NULL && options->local_port == 0)
        return open_socket(family, NULL, peer, options);
    int err = take_local(options, family, &local);
    return err < 0 ? err : open_socket(family, &local, peer, options);
}

int weft_udp_connect(const char *host, uint16_t port, const weft_udp_options *options,
                     weft_udp **ret)
{
    weft_udp_options all = take_options(options);
    weft_address *list;
    size_t n;
    int err = weft_resolve(host, port, &list, &n);
    if (err < 0)
        return err;
    int fd = -ENETUNREACH;
    size_t i = 0;
    for (; i < n && fd < 0 && fd != -EINVAL && fd != -EMFILE && fd != -ENFILE; i++)
        fd = connect_one(&list[i], &all);
    if (fd >= 0)
        err = udp_new(fd, weft__address_family(&list[i - 1]), ret);
    else if (fd == -EINVAL)
        err = fd;
    else
        err = fail_open("connect UDP to", &list[i - 1], fd);
    weft__free(list);
    return err;
}

static void release(weft_udp *udp)
{
    if (udp->in_receive || udp->in_send)
        return;
    weft__endpoint_close(&udp->endpoint);
    weft__free(udp);
}

void weft_udp_close(weft_udp *udp)
{
    if (udp == NULL || udp->closed)
        return;
    udp->closed = true;
    /* An operation of a task that is in a call but does not wait is not in flight. */
    if (udp->in_receive)
        weft__op_cancel(&udp->receiving);
    if (udp->in_send)
        weft__op_cancel(&udp->sending);
    release(udp);
}

/* ---- calls ---- */

static int begin(weft_udp *udp, bool *in_call, const char *what)
{
    int err = weft__endpoint_check(&udp->endpoint, what);
    if (err == 0)
        err = weft__checkpoint(weft__self());
    if (err < 0)
        return err;
    if (*in_call)
        return weft__fail(-EBUSY, "%s: another task does that on this socket", what);
    *in_call = true;
    return 0;
}

/* The result of a call, which the socket may not have survived. */
static int64_t end(weft_udp *udp, bool *in_call, int64_t result)
{
    *in_call = false;
    if (udp->closed) {
        release(udp);
        return result >= 0 ? result : weft__fail(WEFT_ECLOSED, "the UDP socket was closed");
    }
    /* A socket that is always ready must not keep the others waiting. */
    if (result >= 0 && --udp->endpoint.fd.loop->budget <= 0)
        weft__yield(weft__self());
    return result;
}

/* item: what was to be sent; NULL: something was to be received. */
static int fail_call(const weft_udp *udp, const weft_datagram *item, int err)
{
    char peer[WEFT_ADDRESS_TEXT_MAX] = "";
    weft_address address = {.len = 0};
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (item != NULL)
        address = item->address;
    if (address.len == 0 &&
        weft__sys_getpeername(udp->endpoint.fd.fd, (struct sockaddr *)&storage, &len) == 0) {
        weft__address_set(&address, &storage, len);
        unmap(&address);
    }
    if (address.len > 0)
        weft_address_format(&address, peer, sizeof peer);
    if (item != NULL)
        return weft__fail_with(err, "send a datagram of %zu bytes%s%s", item->len,
                               peer[0] != '\0' ? " to " : "", peer);
    return weft__fail_with(err, "receive a datagram%s%s", peer[0] != '\0' ? " from " : "", peer);
}

/* After a system call that failed with err: 0 to try again, or what the call returns. */
static int after(weft_udp *udp, struct weft__op *op, uint32_t events, int err,
                 const weft_datagram *item)
{
    if (udp->closed)
        return WEFT_ECLOSED;
    if (err == -EINTR)
        return 0;
    if (err != -EAGAIN)
        return fail_call(udp, item, err);
    op->kind = WEFT__OP_POLL;
    op->fd = &udp->endpoint.fd;
    op->flags = events;
    int64_t n = weft__op_run(op, WEFT_FOREVER);
    if (n == -ECANCELED)
        return udp->closed ? WEFT_ECLOSED : weft__cancel_error(weft__self());
    return n < 0 ? fail_call(udp, item, (int)n) : 0;
}

/* ---- receiving ---- */

static int64_t receive_simulated(const weft_udp *udp, weft_datagram *items, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        socklen_t len = sizeof items[i].address.opaque;
        ssize_t got = weft__sys_recvfrom(udp->endpoint.fd.fd, items[i].data, items[i].size,
                                         weft__address_sockaddr(&items[i].address), &len);
        if (got < 0)
            return i > 0 ? (int64_t)i : -errno;
        items[i].len = (size_t)got;
        items[i].address.len = len;
        unmap(&items[i].address);
    }
    return n;
}

static int64_t receive_batch(weft_udp *udp, weft_datagram *items, size_t n)
{
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    unsigned count = n < BATCH ? (unsigned)n : BATCH;
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){items[i].data, items[i].size};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = items[i].address.opaque,
            .msg_namelen = sizeof items[i].address.opaque,
            .msg_iov = &parts[i],
            .msg_iovlen = 1,
        };
    }
    if (udp->endpoint.fd.fd >= WEFT__SIM_FD)
        return receive_simulated(udp, items, count);
    int got = recvmmsg(udp->endpoint.fd.fd, messages, count, MSG_TRUNC | MSG_DONTWAIT, NULL);
    if (got < 0)
        return -errno;
    for (int i = 0; i < got; i++) {
        items[i].len = messages[i].msg_len;
        items[i].address.len = messages[i].msg_hdr.msg_namelen;
        unmap(&items[i].address);
    }
    return got;
}

/* What came in one call; more calls only while they fill their batches. */
static int64_t receive_all(weft_udp *udp, weft_datagram *items, size_t n)
{
    size_t done = 0;
    while (done < n) {
        int64_t got = receive_batch(udp, items + done, n - done);
        if (got < 0)
            return done > 0 ? (int64_t)done : got;
        done += (size_t)got;
        if (got < BATCH)
            break;
    }
    return (int64_t)done;
}

int64_t weft_udp_receive_many(weft_udp *udp, weft_datagram *items, size_t n)
{
    static const char what[] = "receive datagrams";
    if (n == 0)
        return weft__fail(-EINVAL, "%s: no place for any", what);
    int64_t result = begin(udp, &udp->in_receive, what);
    if (result < 0)
        return result;
    while ((result = receive_all(udp, items, n)) < 0) {
        result = after(udp, &udp->receiving, POLLIN, (int)result, NULL);
        if (result < 0)
            break;
    }
    return end(udp, &udp->in_receive, result);
}

static int64_t receive(weft_udp *udp, void *data, size_t size, weft_address *ret)
{
    static const char what[] = "receive a datagram";
    int64_t result = begin(udp, &udp->in_receive, what);
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    while (result == 0) {
        ssize_t n =
            weft__sys_recvfrom(udp->endpoint.fd.fd, data, size, (struct sockaddr *)&from, &len);
        if (n >= 0) {
            if (ret != NULL) {
                weft__address_set(ret, &from, len);
                unmap(ret);
            }
            return end(udp, &udp->in_receive, n);
        }
        len = sizeof from;
        result = after(udp, &udp->receiving, POLLIN, -errno, NULL);
        if (result < 0)
            return end(udp, &udp->in_receive, result);
    }
    return result;
}

int64_t weft_udp_receive(weft_udp *udp, void *data, size_t size)
{
    return receive(udp, data, size, NULL);
}

int64_t weft_udp_receive_from(weft_udp *udp, void *data, size_t size, weft_address *ret)
{
    return receive(udp, data, size, ret);
}

/* ---- sending ---- */

static int64_t send_batch(weft_udp *udp, const weft_datagram *items, size_t n)
{
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    weft_address addresses[BATCH];
    unsigned count = n < BATCH ? (unsigned)n : BATCH;
    for (unsigned i = 0; i < count; i++) {
        int err = map(udp, &items[i].address, &addresses[i]);
        if (err < 0 && i == 0)
            return err;
        if (err < 0) {
            count = i;
            break;
        }
        parts[i] = (struct iovec){items[i].data, items[i].len};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = addresses[i].len > 0 ? addresses[i].opaque : NULL,
            .msg_namelen = addresses[i].len,
            .msg_iov = &parts[i],
            .msg_iovlen = 1,
        };
    }
    if (udp->endpoint.fd.fd >= WEFT__SIM_FD)
        return weft__sys_sendto(udp->endpoint.fd.fd, items[0].data, items[0].len,
                                messages[0].msg_hdr.msg_name, messages[0].msg_hdr.msg_namelen) < 0
                   ? -errno
                   : 1;
    int sent = sendmmsg(udp->endpoint.fd.fd, messages, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? sent : -errno;
}

int64_t weft_udp_send_many(weft_udp *udp, const weft_datagram *items, size_t n)
{
    static const char what[] = "send a datagram";
    size_t done = 0;
    int64_t result = begin(udp, &udp->in_send, what);
    if (result < 0)
        return result;
    while (done < n) {
        result = send_batch(udp, items + done, n - done);
        if (result >= 0) {
            done += (size_t)result;
            continue;
        }
        result = after(udp, &udp->sending, POLLOUT, (int)result, &items[done]);
        if (result < 0)
            break;
    }
    return end(udp, &udp->in_send, done > 0 || result >= 0 ? (int64_t)done : result);
}

int weft_udp_send_to(weft_udp *udp, const weft_address *address, const void *data, size_t len)
{
    weft_datagram item = {.data = (void *)(uintptr_t)data, .len = len, .address = *address};
    int64_t n = weft_udp_send_many(udp, &item, 1);
    return n < 0 ? (int)n : 0;
}

int weft_udp_send(weft_udp *udp, const void *data, size_t len)
{
    const weft_address nobody = {.len = 0};
    return weft_udp_send_to(udp, &nobody, data, len);
}

/* ---- groups ---- */

static int interface_index(const char *name, unsigned *ret)
{
    *ret = name != NULL ? if_nametoindex(name) : 0;
    if (name != NULL && *ret == 0)
        return weft__fail(-ENODEV, "there is no network interface '%.50s'", name);
    return 0;
}

static int change_group(weft_udp *udp, const weft_address *group, const char *interface, bool join)
{
    unsigned index = 0;
    int result;
    bool is_simulated = udp->endpoint.fd.fd >= WEFT__SIM_FD;
    int err = weft__endpoint_check(&udp->endpoint, "multicast");
    if (err == 0 && !is_simulated)
        err = interface_index(interface, &index);
    if (err < 0)
        return err;
    if (is_simulated) {
        result = weft__sim_change_group(udp->endpoint.fd.fd, group, join);
    } else if (weft__address_family(group) == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, group->opaque, sizeof in);
        struct ip_mreqn request = {.imr_multiaddr = in.sin_addr, .imr_ifindex = (int)index};
        result =
            setsockopt(udp->endpoint.fd.fd, IPPROTO_IP,
                       join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request, sizeof request);
    } else {
        struct sockaddr_in6 in6 = {0};
        memcpy(&in6, group->opaque, group->len < sizeof in6 ? group->len : sizeof in6);
        struct ipv6_mreq request = {.ipv6mr_multiaddr = in6.sin6_addr, .ipv6mr_interface = index};
        result = setsockopt(udp->endpoint.fd.fd, IPPROTO_IPV6,
                            join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request, sizeof request);
    }
    if (result < 0)
        return fail_open(join ? "join multicast group" : "leave multicast group", group, -errno);
    return 0;
}

int weft_udp_join(weft_udp *udp, const weft_address *group, const char *interface)
{
    return change_group(udp, group, interface, true);
}

int weft_udp_leave(weft_udp *udp, const weft_address *group, const char *interface)
{
    return change_group(udp, group, interface, false);
}

/* ---- the rest ---- */

int weft_udp_local_address(weft_udp *udp, weft_address *ret)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (weft__sys_getsockname(udp->endpoint.fd.fd, (struct sockaddr *)&storage, &len) < 0)
        return weft__fail_with(-errno, "the local address of a UDP socket");
    weft__address_set(ret, &storage, len);
    unmap(ret);
    return 0;
}

int weft_udp_peer_address(weft_udp *udp, weft_address *ret)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (weft__sys_getpeername(udp->endpoint.fd.fd, (struct sockaddr *)&storage, &len) < 0)
        return weft__fail_with(-errno, "the peer of a UDP socket");
    weft__address_set(ret, &storage, len);
    unmap(ret);
    return 0;
}

int weft_udp_set_option(weft_udp *udp, weft_socket_option option, int64_t value)
{
    return weft__socket_set(udp->endpoint.fd.fd, option, value);
}

int weft_udp_get_option(weft_udp *udp, weft_socket_option option, int64_t *ret)
{
    return weft__socket_get(udp->endpoint.fd.fd, option, ret);
}

int weft_udp_fd(const weft_udp *udp)
{
    return udp->endpoint.fd.fd;
}

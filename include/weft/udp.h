/*
 * weft/udp.h - datagrams by UDP.
 *
 * One task may receive while another one sends; a second one at the same end gets -EBUSY.
 */
#ifndef WEFT_UDP_H
#define WEFT_UDP_H

#include <weft/net.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_udp weft_udp;

typedef struct weft_udp_options {
    size_t size;
    const char *local_host; /* weft_udp_connect: an address of this machine to send from */
    uint16_t local_port;    /* weft_udp_connect: the port to send from; 0: a free one */
    bool reuse_address;     /* several sockets on one port, as multicast receivers need */
    bool reuse_port;        /* SO_REUSEPORT: the kernel shares datagrams out among them */
    bool only_ipv6;         /* no IPv4 at the address "::" */
    bool broadcast;         /* allow sending to broadcast addresses */
    const char *interface;  /* name: only by this one, SO_BINDTODEVICE */
    int receive_buffer;     /* bytes; default the system's */
    int send_buffer;
} weft_udp_options;
#define WEFT_UDP(...) WEFT_OPTIONS(weft_udp_options, __VA_ARGS__)

/* Of weft_udp_receive_many and weft_udp_send_many. */
typedef struct weft_datagram {
    void *data;           /* borrowed */
    size_t size;          /* receiving: bytes that fit into data */
    size_t len;           /* bytes; after receiving more than size if the rest was cut off */
    weft_address address; /* the peer's; empty: the connected one */
} weft_datagram;

/**
 * weft_udp_open() - make a socket for datagrams
 * @host:    borrows. An address or name of this machine; NULL or "": all of them, both families.
 * @port:    0: a free one, see weft_udp_local_address.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_udp_close.
 *
 * Suspends: maybe, where host is a name.
 * Cancel:   nothing is left open.
 * Return:   0, or negative.
 * Errors:   -EADDRINUSE; -EADDRNOTAVAIL; -EACCES; -ENODEV no such interface; those of weft_resolve.
 * Source:   loop.create_datagram_endpoint(local_addr=), anyio.create_udp_socket.
 * Since:    0.1
 */
WEFT_API int weft_udp_open(const char *host, uint16_t port, const weft_udp_options *options,
                           weft_udp **ret);

/**
 * weft_udp_connect() - make a socket for datagrams of one peer
 * @host:    borrows. As for weft_resolve; the first address to which there is a route is taken.
 * @port:    the peer's.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_udp_close.
 *
 * Nothing is sent yet.  Only this peer's datagrams are received, and it is told when nobody
 * listens there.
 *
 * Suspends: maybe, where host is a name.
 * Cancel:   nothing is left open.
 * Return:   0, or negative.
 * Errors:   -ENETUNREACH; those of weft_udp_open and of weft_resolve.
 * Source:   loop.create_datagram_endpoint(remote_addr=), anyio.create_connected_udp_socket.
 * Since:    0.1
 */
WEFT_API int weft_udp_connect(const char *host, uint16_t port, const weft_udp_options *options,
                              weft_udp **ret);

/**
 * weft_udp_close() - release a socket
 * @udp: takes. NULL is allowed.
 *
 * Tasks that receive or send get WEFT_ECLOSED.
 *
 * Suspends: never.
 * Source:   DatagramTransport.close.
 * Since:    0.1
 */
WEFT_API void weft_udp_close(weft_udp *udp);

/**
 * weft_udp_receive() - wait for a datagram
 * @udp:  borrows. One task receives at a time.
 * @data: borrows, size bytes.
 * @size: bytes; 65,535 hold any datagram.
 *
 * Suspends: maybe.
 * Cancel:   no datagram is lost.
 * Return:   the datagram's length, which may be 0, and is more than size if the rest was cut off
 *           and lost; or negative.
 * Errors:   -ECONNREFUSED nobody listens at the connected peer; WEFT_ECLOSED; -EBUSY; others that
 *           the network reported. The socket remains usable.
 * Source:   socket.recv, DatagramProtocol.datagram_received and error_received.
 * Since:    0.1
 */
WEFT_API int64_t weft_udp_receive(weft_udp *udp, void *data, size_t size);

/**
 * weft_udp_receive_from() - wait for a datagram and learn who sent it
 * @udp:  borrows.
 * @data: borrows, size bytes.
 * @size: bytes.
 * @ret:  borrows, is filled with the sender's address.
 *
 * Suspends: maybe.
 * Cancel:   no datagram is lost.
 * Return:   as weft_udp_receive.
 * Errors:   those of weft_udp_receive.
 * Source:   loop.sock_recvfrom.
 * Since:    0.1
 */
WEFT_API int64_t weft_udp_receive_from(weft_udp *udp, void *data, size_t size, weft_address *ret);

/**
 * weft_udp_receive_many() - wait for a datagram and take all that have come
 * @udp:   borrows.
 * @items: borrows, n of them with data and size set; len and address are filled in.
 * @n:     number of items.
 *
 * Up to 32 cost one system call.
 *
 * Suspends: maybe, until the first one comes.
 * Cancel:   no datagram is lost.
 * Return:   the number of datagrams, at least 1, or negative.
 * Errors:   those of weft_udp_receive; -EINVAL n is 0.
 * Source:   recvmmsg(2).
 * Since:    0.1
 */
WEFT_API int64_t weft_udp_receive_many(weft_udp *udp, weft_datagram *items, size_t n);

/**
 * weft_udp_send() - send a datagram to the connected peer
 * @udp:  borrows. One task sends at a time.
 * @data: borrows, len bytes. NULL if len is 0.
 * @len:  bytes, at most 65,507 by IPv4.
 *
 * Suspends: maybe, while the buffer of the socket is full.
 * Cancel:   it is not sent.
 * Return:   0, or negative.
 * Errors:   -EDESTADDRREQ it is not connected; -EMSGSIZE too long; -ECONNREFUSED an earlier one
 *           found nobody, this one was not sent; WEFT_ECLOSED; -EBUSY; others of the system.
 * Source:   DatagramTransport.sendto.
 * Since:    0.1
 */
WEFT_API int weft_udp_send(weft_udp *udp, const void *data, size_t len);

/**
 * weft_udp_send_to() - send a datagram
 * @udp:     borrows.
 * @address: borrows.
 * @data:    borrows, len bytes.
 * @len:     bytes.
 *
 * Suspends: maybe, while the buffer of the socket is full.
 * Cancel:   it is not sent.
 * Return:   0, or negative.
 * Errors:   those of weft_udp_send; -EAFNOSUPPORT an IPv6 address at a socket of IPv4; -EACCES a
 *           broadcast address without the option.
 * Source:   loop.sock_sendto.
 * Since:    0.1
 */
WEFT_API int weft_udp_send_to(weft_udp *udp, const weft_address *address, const void *data,
                              size_t len);

/**
 * weft_udp_send_many() - send several datagrams
 * @udp:   borrows.
 * @items: borrows, n of them with data, len and address; an empty address is the connected peer.
 * @n:     number of items.
 *
 * Up to 32 cost one system call.
 *
 * Suspends: maybe, while the buffer of the socket is full.
 * Cancel:   after the first datagrams their number is returned, and the next call is cancelled.
 * Return:   the number of datagrams sent, less than n only where the next one failed or the call
 *           was cancelled; or negative if none was.
 * Errors:   those of weft_udp_send_to.
 * Source:   sendmmsg(2).
 * Since:    0.1
 */
WEFT_API int64_t weft_udp_send_many(weft_udp *udp, const weft_datagram *items, size_t n);

/**
 * weft_udp_join() - receive the datagrams of a multicast group
 * @udp:       borrows. Its port is the group's; reuse_address lets others on the machine join too.
 * @group:     borrows. Its port does not matter.
 * @interface: borrows. The name of the interface to listen on; NULL: the system chooses.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no multicast address; -ENODEV no such interface; -EADDRINUSE joined already.
 * Source:   IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP; RFC 3678.
 * Since:    0.1
 */
WEFT_API int weft_udp_join(weft_udp *udp, const weft_address *group, const char *interface);

/**
 * weft_udp_leave() - receive them no more
 * @udp:       borrows.
 * @group:     borrows.
 * @interface: borrows. As in weft_udp_join.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EADDRNOTAVAIL not joined; those of weft_udp_join.
 * Source:   IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP.
 * Since:    0.1
 */
WEFT_API int weft_udp_leave(weft_udp *udp, const weft_address *group, const char *interface);

/**
 * weft_udp_local_address() - the address that a socket got
 * @udp: borrows.
 * @ret: borrows, is filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   those of getsockname(2).
 * Source:   get_extra_info("sockname").
 * Since:    0.1
 */
WEFT_API int weft_udp_local_address(weft_udp *udp, weft_address *ret);

/**
 * weft_udp_peer_address() - the peer that a socket is connected to
 * @udp: borrows.
 * @ret: borrows, is filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOTCONN it is not connected.
 * Source:   get_extra_info("peername").
 * Since:    0.1
 */
WEFT_API int weft_udp_peer_address(weft_udp *udp, weft_address *ret);

/**
 * weft_udp_set_option() - change a setting of the socket
 * @udp:    borrows.
 * @option: which.
 * @value:  as for weft_stream_set_option.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_stream_set_option.
 * Source:   socket.setsockopt.
 * Since:    0.1
 */
WEFT_API int weft_udp_set_option(weft_udp *udp, weft_socket_option option, int64_t value);

/**
 * weft_udp_get_option() - read a setting of the socket
 * @udp:    borrows.
 * @option: which.
 * @ret:    borrows, gets the value.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_stream_set_option.
 * Source:   socket.getsockopt.
 * Since:    0.1
 */
WEFT_API int weft_udp_get_option(weft_udp *udp, weft_socket_option option, int64_t *ret);

/**
 * weft_udp_fd() - the descriptor of the socket
 * @udp: borrows.
 *
 * Suspends: never.
 * Return:   lends until weft_udp_close.
 * Source:   socket.fileno.
 * Since:    0.1
 */
WEFT_API int weft_udp_fd(const weft_udp *udp);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_udp, weft_udp_close)
#endif

#ifdef __cplusplus
}
#endif
#endif

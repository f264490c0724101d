/*
 * weft/net.h - addresses, name resolution, dialling, listening.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A socket address of any family; the content is private. */
typedef struct weft_address {
    uint32_t len;
    uint32_t reserved;
    uint64_t opaque[16];
} weft_address;

#define WEFT_ADDRESS_TEXT_MAX 128

/**
 * weft_address_parse() - a socket address from numeric text
 * @text: borrows. "192.0.2.1", "2001:db8::1", "[2001:db8::1]" or "fe80::1%eth0"; no name, no port.
 * @port: 0 to 65535, in host order.
 * @ret:  borrows, is filled.
 *
 * Only dotted quads are IPv4 addresses: "127.1" and "0x7f.0.0.1" are not.
 *
 * Suspends: never.
 * Return:   0, or -EINVAL.
 * Source:   ipaddress.ip_address; RFC 4291, RFC 6874.
 * Since:    0.1
 */
WEFT_API int weft_address_parse(const char *text, uint16_t port, weft_address *ret);

/**
 * weft_address_format() - the text of a socket address
 * @address: borrows.
 * @text:    borrows, size bytes: "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/x", "unix:@name".
 * @size:    bytes, at most WEFT_ADDRESS_TEXT_MAX are needed.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOSPC text is too small and untouched; -EAFNOSUPPORT the address is empty.
 * Source:   RFC 5952.
 * Since:    0.1
 */
WEFT_API int weft_address_format(const weft_address *address, char *text, size_t size);

/**
 * weft_address_port() - the port of an address
 * @address: borrows.
 *
 * Suspends: never.
 * Return:   in host order; 0 for a Unix socket.
 * Since:    0.1
 */
WEFT_API uint16_t weft_address_port(const weft_address *address);

/**
 * weft_resolve() - addresses of a host name
 * @host:  borrows. A name, at most 253 bytes, international ones as A-labels; or a numeric address.
 * @port:  what the addresses get.
 * @ret:   gives, free with weft_free: at least one address, at most 64.
 * @ret_n: borrows, gets their number.
 *
 * The order is that of RFC 8305: families alternate, the system's choice first.  Numeric
 * addresses and localhost are answered without the resolver.
 *
 * Suspends: maybe, while a resolver thread asks.
 * Cancel:   returns at once; the lookup is left behind and its result dropped.
 * Return:   0, or negative.
 * Errors:   WEFT_EDNS_NOT_FOUND; WEFT_EDNS the resolver failed, trying again may help; -EINVAL no
 *           valid name; -ENOMEM.
 * Source:   loop.getaddrinfo; RFC 6761 section 6.3, RFC 8305 section 4.
 * Since:    0.1
 */
WEFT_API int weft_resolve(const char *host, uint16_t port, weft_address **ret, size_t *ret_n);

/* Families of addresses. */
typedef enum weft_ip { WEFT_IP_ANY = 0, WEFT_IP_V4 = 4, WEFT_IP_V6 = 6 } weft_ip;

typedef struct weft_resolve_options {
    size_t size;
    weft_ip family;      /* only addresses of this one */
    const char *service; /* a name as "https", or digits, instead of the port */
    bool datagram;       /* the service by UDP */
    bool numeric;        /* host must be an address: the resolver is not asked */
    bool all_families;   /* also those that this machine has no address of */
    int64_t timeout;     /* default none (use a scope) */
} weft_resolve_options;
#define WEFT_RESOLVE(...) WEFT_OPTIONS(weft_resolve_options, __VA_ARGS__)

/**
 * weft_resolve_with() - addresses of a host name, with a say in which
 * @host:    borrows. As for weft_resolve.
 * @port:    what the addresses get, unless options name a service.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_free: at least one address, at most 64.
 * @ret_n:   borrows, gets their number.
 *
 * Suspends: maybe, while a resolver thread asks.
 * Cancel:   returns at once; the lookup is left behind and its result dropped.
 * Return:   0, or negative.
 * Errors:   those of weft_resolve; WEFT_EDNS_NOT_FOUND no address of the family, or no such
 *           service; WEFT_EDNS also when the time-out is over.
 * Source:   loop.getaddrinfo(family=, type=, flags=); RFC 3493.
 * Since:    0.1
 */
WEFT_API int weft_resolve_with(const char *host, uint16_t port, const weft_resolve_options *options,
                               weft_address **ret, size_t *ret_n);

typedef struct weft_resolve_name_options {
    size_t size;
    bool numeric;       /* digits for host and service: nobody is asked */
    bool name_required; /* a host without a name is an error instead of digits */
    bool datagram;      /* the name of a service by UDP */
} weft_resolve_name_options;
#define WEFT_RESOLVE_NAME(...) WEFT_OPTIONS(weft_resolve_name_options, __VA_ARGS__)

/**
 * weft_resolve_name() - the names of an address and its port
 * @address:     borrows. Of IPv4 or IPv6.
 * @options:     borrows. NULL: all defaults.
 * @ret_host:    gives, free with weft_free: the name, or digits where it has none.
 * @ret_service: gives, free with weft_free: "https", or digits. NULL is allowed.
 *
 * The name is what the owner of the address says: do not trust it.
 *
 * Suspends: maybe, while a resolver thread asks.
 * Cancel:   returns at once; the lookup is left behind.
 * Return:   0, or negative.
 * Errors:   WEFT_EDNS_NOT_FOUND with name_required; WEFT_EDNS; -EAFNOSUPPORT; -ENOMEM.
 * Source:   loop.getnameinfo; RFC 3493 section 6.2.
 * Since:    0.1
 */
WEFT_API int weft_resolve_name(const weft_address *address,
                               const weft_resolve_name_options *options, char **ret_host,
                               char **ret_service);

/* What is being done to connect. */
typedef enum weft_dial_step {
    WEFT_DIAL_RESOLVING = 1, /* numeric addresses too */
    WEFT_DIAL_RESOLVED,      /* or not: see err */
    WEFT_DIAL_CONNECTING,    /* to an address; several may be under way at once */
    WEFT_DIAL_CONNECTED,     /* to it */
    WEFT_DIAL_FAILED         /* at it; -ECANCELED: another one was faster, or the call has ended */
} weft_dial_step;

typedef struct weft_dial_options {
    size_t size;
    int64_t timeout;              /* for all of it, DNS included; default none (use a scope) */
    int64_t happy_eyeballs_delay; /* RFC 8305; default 250 ms; WEFT_FOREVER: one after another */
    const weft_address *avoid;    /* borrows; it has just failed: is tried after all others */
    weft_ip family;               /* only addresses of this one */
    const char *local_host;       /* an address of this machine to connect from */
    uint16_t local_port;          /* default a free one */
    const char *interface;        /* name: only by this one, SO_BINDTODEVICE */
    int64_t keepalive;            /* idle time after which the peer is probed; default never */
    int receive_buffer;           /* bytes; default the system's, which grows */
    int send_buffer;
    /* Asked of each address; false: it is not connected to. WEFT_EADDRESS_REFUSED if none is left */
    bool (*allow)(void *userdata, const char *host, const weft_address *address);
    void *allow_userdata;
    /* Told of each step, perhaps in a task of the call's own; it must not suspend.  address is
       lent, NULL for the first two; err is 0 or an error. */
    void (*on_step)(void *userdata, weft_dial_step step, const weft_address *address, int err);
    void *step_userdata;
} weft_dial_options;
#define WEFT_DIAL(...) WEFT_OPTIONS(weft_dial_options, __VA_ARGS__)

/**
 * weft_dial() - connect to a host by TCP
 * @host:    borrows. As for weft_resolve.
 * @port:    the peer's.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_stream_free.
 *
 * All addresses are tried, each 250 ms after the one before or as soon as that has failed; the
 * first connection wins, the others are closed.
 *
 * Suspends: yes.
 * Cancel:   nothing is left open.
 * Return:   0, or negative; the message lists every address with its failure.
 * Errors:   WEFT_EREFUSED; WEFT_EUNREACHABLE; WEFT_ECONNECT_TIMEOUT; WEFT_ECONNECT; those of
 *           weft_resolve; -EMFILE, -ENFILE no descriptor is left; -ENOMEM.
 * Source:   asyncio.open_connection(happy_eyeballs_delay=); RFC 8305.
 * Since:    0.1
 */
WEFT_API int weft_dial(const char *host, uint16_t port, const weft_dial_options *options,
                       weft_stream **ret);

/**
 * weft_dial_address() - connect to one address
 * @address: borrows.
 * @ret:     gives, free with weft_stream_free.
 *
 * Suspends: yes.
 * Cancel:   nothing is left open.
 * Return:   0, or negative.
 * Errors:   as weft_dial, without those of names.
 * Source:   loop.sock_connect.
 * Since:    0.1
 */
WEFT_API int weft_dial_address(const weft_address *address, weft_stream **ret);

/**
 * weft_dial_unix() - connect to a Unix socket
 * @path: borrows. At most 107 bytes; "@name" is in the abstract name space.
 * @ret:  gives, free with weft_stream_free.
 *
 * Suspends: yes; also while the listener's queue is full.
 * Cancel:   nothing is left open.
 * Return:   0, or negative.
 * Errors:   WEFT_EREFUSED nobody listens there; WEFT_EUNREACHABLE not permitted; -ENAMETOOLONG;
 *           -EINVAL the path is empty.
 * Source:   asyncio.open_unix_connection; unix(7).
 * Since:    0.1
 */
WEFT_API int weft_dial_unix(const char *path, weft_stream **ret);

/**
 * weft_stream_from_fd() - make a stream of a descriptor
 * @fd:  takes, on failure too: a connected stream socket, or an end of a pipe, FIFO or terminal.
 *       It becomes non-blocking and close-on-exec.
 * @ret: gives, free with weft_stream_free.
 *
 * Non-blocking is a property that all holders of the open description share: what stays in use
 * elsewhere, as a terminal of the shell, is better opened by weft_file_stdin and its kin.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EBADF; -EINVAL a file on a disk, or a socket that carries no stream; -ENOMEM.
 * Source:   asyncio.open_connection(sock=), loop.connect_read_pipe, socket.fromfd.
 * Since:    0.1
 */
WEFT_API int weft_stream_from_fd(int fd, weft_stream **ret);

/**
 * weft_socketpair() - make two connected Unix sockets
 * @ret_a: gives, free with weft_stream_free.
 * @ret_b: gives, free with weft_stream_free.
 *
 * Within one loop weft_stream_pair is faster; these have descriptors, as another process needs.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EMFILE, -ENFILE no descriptor is left; -ENOMEM.
 * Source:   socket.socketpair.
 * Since:    0.1
 */
WEFT_API int weft_socketpair(weft_stream **ret_a, weft_stream **ret_b);

typedef struct weft_listener weft_listener;

typedef struct weft_listen_options {
    size_t size;
    int backlog;           /* default 511 */
    bool reuse_port;       /* SO_REUSEPORT: several loops on one port */
    bool only_ipv6;        /* no IPv4 at the address "::" */
    bool keep_file;        /* weft_listen_unix: the socket file stays when it is closed */
    unsigned mode;         /* weft_listen_unix: permissions of the file; default by the umask */
    const char *interface; /* name: only by this one, SO_BINDTODEVICE */
    int64_t keepalive;     /* of connections: idle time before the peer is probed; default never */
    int receive_buffer;    /* of connections, bytes; default the system's, which grows */
    int send_buffer;
} weft_listen_options;
#define WEFT_LISTEN(...) WEFT_OPTIONS(weft_listen_options, __VA_ARGS__)

/**
 * weft_listen() - accept connections by TCP
 * @host:    borrows. An address or name of this machine; NULL or "": all of them, both families.
 * @port:    0: a free one, see weft_listener_port.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_listener_close.
 *
 * Of a name with several addresses the first one that this machine has is taken; for more of them
 * give weft_acceptor_add a listener each.
 *
 * Suspends: maybe, where host is a name.
 * Cancel:   nothing is left open.
 * Return:   0, or negative.
 * Errors:   -EADDRINUSE; -EADDRNOTAVAIL; -EACCES; -ENODEV no such interface; those of
 *           weft_resolve.
 * Source:   asyncio.start_server.
 * Since:    0.1
 */
WEFT_API int weft_listen(const char *host, uint16_t port, const weft_listen_options *options,
                         weft_listener **ret);

/**
 * weft_listen_unix() - accept connections at a Unix socket
 * @path:    borrows. At most 107 bytes; "@name" is in the abstract name space.
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_listener_close, which removes the file.
 *
 * A socket file that nobody listens at any more is replaced.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EADDRINUSE; -ENAMETOOLONG; -EACCES; -ENOENT no such folder.
 * Source:   asyncio.start_unix_server(cleanup_socket=True).
 * Since:    0.1
 */
WEFT_API int weft_listen_unix(const char *path, const weft_listen_options *options,
                              weft_listener **ret);

/**
 * weft_listen_fd() - accept connections at a socket that listens already
 * @fd:  takes, on failure too. Becomes non-blocking and close-on-exec.
 * @ret: gives, free with weft_listener_close, which leaves the file of a Unix socket alone.
 *
 * For sockets that a parent or a service manager hands over: with systemd those from descriptor
 * 3 on, LISTEN_FDS of them, if LISTEN_PID is this process.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EBADF; -ENOTSOCK; -EINVAL it does not listen, or not for streams; -ENOMEM.
 * Source:   asyncio.start_server(sock=), sd_listen_fds(3).
 * Since:    0.1
 */
WEFT_API int weft_listen_fd(int fd, weft_listener **ret);

/**
 * weft_listener_accept() - wait for a connection
 * @listener: borrows. One task accepts at a time.
 * @ret:      gives, free with weft_stream_free.
 *
 * Where descriptors or memory are short it waits and tries again, 0.1 s at first and at most
 * 1 s each time; the connections stay in the kernel's queue.
 *
 * Suspends: maybe.
 * Cancel:   no connection is lost.
 * Return:   0, or negative.
 * Errors:   WEFT_ECLOSED the listener was closed meanwhile; -EBUSY another task accepts.
 * Source:   loop.sock_accept, trio SocketListener.accept.
 * Since:    0.1
 */
WEFT_API int weft_listener_accept(weft_listener *listener, weft_stream **ret);

/**
 * weft_listener_port() - the port that a listener got
 * @listener: borrows.
 *
 * Suspends: never.
 * Return:   in host order; 0 for a Unix socket.
 * Since:    0.1
 */
WEFT_API uint16_t weft_listener_port(const weft_listener *listener);

/**
 * weft_listener_address() - the address that a listener got
 * @listener: borrows.
 * @ret:      borrows, is filled.
 *
 * Suspends: never.
 * Source:   asyncio.Server.sockets.
 * Since:    0.1
 */
WEFT_API void weft_listener_address(const weft_listener *listener, weft_address *ret);

/**
 * weft_listener_close() - stop listening
 * @listener: takes. NULL is allowed.
 *
 * A task in weft_listener_accept gets WEFT_ECLOSED.  Connections that were accepted live on.
 *
 * Suspends: never.
 * Source:   asyncio.Server.close.
 * Since:    0.1
 */
WEFT_API void weft_listener_close(weft_listener *listener);

/* Settings of a socket; times are nanoseconds, as everywhere. */
typedef enum weft_socket_option {
    WEFT_SOCKET_NODELAY = 1,        /* small segments go at once; on by default */
    WEFT_SOCKET_CORK = 2,           /* only full segments go */
    WEFT_SOCKET_QUICKACK = 3,       /* for a while no delayed acknowledgements */
    WEFT_SOCKET_KEEPALIVE = 4,      /* probe an idle peer */
    WEFT_SOCKET_KEEPALIVE_IDLE = 5, /* time before the first probe, in whole seconds */
    WEFT_SOCKET_KEEPALIVE_INTERVAL = 6,
    WEFT_SOCKET_KEEPALIVE_COUNT = 7,
    WEFT_SOCKET_USER_TIMEOUT = 8,    /* how long sent data may stay unacknowledged; 0: default */
    WEFT_SOCKET_LINGER = 9,          /* time; 0: closing sends a reset; -1: off */
    WEFT_SOCKET_RECEIVE_BUFFER = 10, /* bytes; the kernel doubles them, and says so */
    WEFT_SOCKET_SEND_BUFFER = 11,
    WEFT_SOCKET_PRIORITY = 12,  /* 0 to 6 */
    WEFT_SOCKET_TOS = 13,       /* DSCP and ECN, or the traffic class of IPv6 */
    WEFT_SOCKET_TTL = 14,       /* or the hop limit of IPv6 */
    WEFT_SOCKET_BROADCAST = 15, /* datagrams: broadcast addresses are allowed */
    WEFT_SOCKET_MULTICAST_TTL = 16,
    WEFT_SOCKET_MULTICAST_LOOP = 17,     /* own datagrams come back; on by default */
    WEFT_SOCKET_MULTICAST_INTERFACE = 18 /* number of the interface that sends them */
} weft_socket_option;

/**
 * weft_stream_set_option() - change a setting of the socket below a stream
 * @stream: borrows. Any stream with a socket at its bottom.
 * @option: which.
 * @value:  a number, 0 or 1, bytes, or nanoseconds, as the option says.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOTSOCK no socket below, or it is closed; -EINVAL no such option or value;
 *           -EOPNOTSUPP, -ENOPROTOOPT not of this kind of socket; -EPERM.
 * Source:   socket.setsockopt; socket(7), tcp(7), ip(7), ipv6(7).
 * Since:    0.1
 */
WEFT_API int weft_stream_set_option(weft_stream *stream, weft_socket_option option, int64_t value);

/**
 * weft_stream_get_option() - read a setting of the socket below a stream
 * @stream: borrows.
 * @option: which.
 * @ret:    borrows, gets the value.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   as weft_stream_set_option.
 * Source:   socket.getsockopt.
 * Since:    0.1
 */
WEFT_API int weft_stream_get_option(weft_stream *stream, weft_socket_option option, int64_t *ret);

/**
 * weft_stream_fd() - the descriptor at the bottom of a stream
 * @stream: borrows. A socket or pipe, or a stream above one.
 *
 * For what has no call here: other socket options, passing it to another process.  Nobody but
 * the stream may read, write, close or change its flags.
 *
 * Suspends: never.
 * Return:   lends until the stream is closed; or -ENOTSOCK: there is none.
 * Source:   asyncio get_extra_info("socket"), socket.fileno.
 * Since:    0.1
 */
WEFT_API int weft_stream_fd(weft_stream *stream);

/* ---- waiting for descriptors of others ---- */

#define WEFT_READABLE 1
#define WEFT_WRITABLE 2

/**
 * weft_fd_wait() - wait until a descriptor is ready
 * @fd:     borrows. A descriptor of another library, or of one's own making.
 * @events: WEFT_READABLE, WEFT_WRITABLE, or both.
 *
 * Descriptors that the system cannot wait for, as files on a disk, are always ready.  An error
 * or the peer's end makes all that was asked for ready.
 *
 * Suspends: maybe.
 * Cancel:   nothing happens to the descriptor.
 * Return:   those of events that are ready, at least one, or negative.
 * Errors:   -EBUSY another task waits for one of them; WEFT_ECLOSED weft_fd_closing was called;
 *           -EBADF; -EINVAL events.
 * Source:   loop.add_reader, loop.add_writer, trio.lowlevel.wait_readable, wait_writable.
 * Since:    0.1
 */
WEFT_API int weft_fd_wait(int fd, int events);

/**
 * weft_fd_closing() - tell the tasks that wait for a descriptor that it will be closed
 * @fd: borrows.
 *
 * Call it before close(2), which wakes nobody.
 *
 * Suspends: never.
 * Source:   loop.remove_reader, trio.lowlevel.notify_closing.
 * Since:    0.1
 */
WEFT_API void weft_fd_closing(int fd);

/**
 * weft_stream_peer_address() - the other end's address
 * @stream: borrows. Any stream with a socket at its bottom.
 * @ret:    borrows, is filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOTSOCK no socket below; -ENOTCONN the peer is gone and was never asked for.
 * Source:   asyncio get_extra_info("peername").
 * Since:    0.1
 */
WEFT_API int weft_stream_peer_address(weft_stream *stream, weft_address *ret);

/**
 * weft_stream_local_address() - our end's address
 * @stream: borrows. Any stream with a socket at its bottom.
 * @ret:    borrows, is filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOTSOCK no socket below; -EBADF the stream is closed.
 * Source:   asyncio get_extra_info("sockname").
 * Since:    0.1
 */
WEFT_API int weft_stream_local_address(weft_stream *stream, weft_address *ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_listener, weft_listener_close)
#endif

#ifdef __cplusplus
}
#endif
#endif

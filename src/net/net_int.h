/* net_int.h - sockets from inside: addresses, what a loop keeps for them, socket streams. */
#ifndef WEFT_NET_NET_INT_H
#define WEFT_NET_NET_INT_H

#include <stdbool.h>
#include <sys/socket.h>

#include <weft/net.h>

#include "base/limits.h"
#include "base/list.h"
#include "run/run_int.h"

/* ---- addresses ---- */

static inline struct sockaddr *weft__address_sockaddr(const weft_address *address)
{
    return (struct sockaddr *)(uintptr_t)address->opaque;
}

/* weft_address_parse without a message. */
int weft__address_parse(const char *text, uint16_t port, weft_address *ret);
/* 4 or 16 bytes as on the wire. */
int weft__address_from_ip(const void *ip, size_t len, weft_address *ret);
void weft__address_set(weft_address *address, const void *sockaddr, size_t len);
int weft__address_family(const weft_address *address);
/* -EINVAL for an empty path or one that does not fit; "@name" is an abstract one. */
int weft__address_unix(const char *path, weft_address *ret);
/* The text without the port: "127.0.0.1", "::1". */
int weft__address_format_host(const weft_address *address, char *text, size_t size);

/* Families alternate, beginning with that of the first (RFC 8305, section 4). */
void weft__addresses_interleave(weft_address *addresses, size_t n);

/* ---- what belongs to a loop ---- */

/* A descriptor with its loop; fd.loop is NULL once that has ended. */
struct weft__endpoint {
    struct weft__fd fd;
    struct weft__list node;
    void (*stop)(struct weft__endpoint *endpoint); /* the loop ends: cancel what is in flight */
};

/* Takes the descriptor, on failure too. */
int weft__endpoint_init(struct weft__endpoint *endpoint, int descriptor,
                        void (*stop)(struct weft__endpoint *endpoint));
void weft__endpoint_close(struct weft__endpoint *endpoint);
/* 0, or an error where its loop has ended or is another thread's. */
int weft__endpoint_check(const struct weft__endpoint *endpoint, const char *what);

/* Buffers of WEFT__IOBUF_SIZE bytes, page-aligned, reused by all of a loop. NULL: no memory. */
enum { WEFT__IOBUF_SIZE = WEFT__LIMIT_STREAM_WRITE_HIGH };
char *weft__iobuf_take(void);
void weft__iobuf_give(char *buffer);
/* Sends that go on without a task; a loop that ends waits for them. */
void weft__sending_add(int n);

/* ---- socket streams ---- */

/* Takes the descriptor, on failure too. peer may be NULL: asked of the kernel when needed. */
int weft__sock_new(int descriptor, const weft_address *peer, weft_stream **ret);
/* One attempt. Returns what the system said; the message is the caller's to set. */
int weft__sock_connect(const weft_address *address, const weft_dial_options *options,
                       weft_stream **ret);
/* Non-blocking, close-on-exec. */
int weft__sock_open(int family);
/* -1 for a stream that is no socket, or closed. */
int weft__sock_fd(weft_stream *stream);

/* fn is told when accepting waits for want of descriptors or memory; it must not suspend. */
void weft__listener_on_shortage(weft_listener *listener, void (*fn)(void *arg, int err), void *arg);

/* ---- options ---- */

int weft__socket_set(int fd, weft_socket_option option, int64_t value);
int weft__socket_get(int fd, weft_socket_option option, int64_t *ret);
/* NULL and 0 leave the system's choice. Sets no message. */
int weft__socket_prepare(int fd, const char *interface, int receive_buffer, int send_buffer);
/* Probes begin after idle nanoseconds; 0: none are sent. Sets no message. */
int weft__socket_keepalive(int fd, int64_t idle);

/* Leaves out the addresses that the options do not allow. */
int weft__dial_allowed(const char *host, weft_address *addresses, size_t *n,
                       const weft_dial_options *options);
/*
 * RFC 8305: the first attempt that succeeds wins.  host and port are for messages; the options
 * are whole.
 */
int weft__dial_addresses(const char *host, uint16_t port, const weft_address *addresses, size_t n,
                         const weft_dial_options *options, weft_stream **ret);

#endif

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

WEFT_API int weft_address_parse(const char *text, uint16_t port, weft_address *ret);
WEFT_API int weft_address_format(const weft_address *address, char *text, size_t size);
WEFT_API uint16_t weft_address_port(const weft_address *address);

WEFT_API int weft_resolve(const char *host, uint16_t port, weft_address **ret, size_t *ret_n);

typedef struct weft_dial_options {
    size_t size;
    int64_t timeout;              /* for all of it, DNS included; default none (use a scope) */
    int64_t happy_eyeballs_delay; /* RFC 8305; default 250 ms */
} weft_dial_options;
#define WEFT_DIAL(...) WEFT_OPTIONS(weft_dial_options, __VA_ARGS__)

WEFT_API int weft_dial(const char *host, uint16_t port, const weft_dial_options *options,
                       weft_stream **ret);
WEFT_API int weft_dial_address(const weft_address *address, weft_stream **ret);
WEFT_API int weft_dial_unix(const char *path, weft_stream **ret);

typedef struct weft_listener weft_listener;

typedef struct weft_listen_options {
    size_t size;
    int backlog;     /* default 511 */
    bool reuse_port; /* SO_REUSEPORT: several loops on one port */
} weft_listen_options;
#define WEFT_LISTEN(...) WEFT_OPTIONS(weft_listen_options, __VA_ARGS__)

WEFT_API int weft_listen(const char *host, uint16_t port, const weft_listen_options *options,
                         weft_listener **ret);
WEFT_API int weft_listen_unix(const char *path, const weft_listen_options *options,
                              weft_listener **ret);
WEFT_API int weft_listener_accept(weft_listener *listener, weft_stream **ret);
WEFT_API uint16_t weft_listener_port(const weft_listener *listener);
WEFT_API void weft_listener_close(weft_listener *listener);

WEFT_API int weft_stream_peer_address(weft_stream *stream, weft_address *ret);
WEFT_API int weft_stream_local_address(weft_stream *stream, weft_address *ret);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_listener, weft_listener_close)
#endif

#ifdef __cplusplus
}
#endif
#endif

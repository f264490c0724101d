/* socks.h - the messages of SOCKS 4, 4a and 5 (RFC 1928, RFC 1929). */
#ifndef WEFT_PROTO_SOCKS_H
#define WEFT_PROTO_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEFT__SOCKS_MAX = 1024, /* bytes of any message */
    WEFT__SOCKS_TEXT_MAX = 255,
    WEFT__SOCKS4_REPLY = 8,
    WEFT__SOCKS5_REPLY_HEAD = 5, /* up to the length of a name */
    WEFT__SOCKS5_NO_AUTH = 0,
    WEFT__SOCKS5_PASSWORD = 2,
    WEFT__SOCKS5_NONE = 0xff
};

/*
 * Each writes into out and returns its length; -EINVAL for what does not fit the protocol, with
 * a message that does not quote it.  host: a name, or a numeric address with or without brackets.
 */
int weft__socks4_request(const char *host, uint16_t port, const char *user,
                         uint8_t out[WEFT__SOCKS_MAX]);
int weft__socks5_greeting(bool with_password, uint8_t out[WEFT__SOCKS_MAX]);
int weft__socks5_password(const char *user, const char *password, uint8_t out[WEFT__SOCKS_MAX]);
int weft__socks5_request(const char *host, uint16_t port, uint8_t out[WEFT__SOCKS_MAX]);

/* Bytes that follow the head of a reply, -1: it is none. */
int weft__socks5_reply_rest(const uint8_t head[WEFT__SOCKS5_REPLY_HEAD]);
/* What a code of a reply means. */
const char *weft__socks4_text(uint8_t code);
const char *weft__socks5_text(uint8_t code);

#endif

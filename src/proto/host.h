/* host.h - the syntax of hosts and ports as they stand in Host and in request targets. */
#ifndef WEFT_PROTO_HOST_H
#define WEFT_PROTO_HOST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * uri-host [ ":" port ] of RFC 9110 4.2: a reg-name, which may be empty, an IPv4 or a bracketed
 * IPv6 address; the port at most 65535 or nothing.  *ret_port: -1 without digits.
 */
bool weft__host_port_is_valid(const char *text, size_t len, size_t *ret_host_len, int *ret_port);
/* Every "%" is followed by two hexadecimal digits. */
bool weft__percent_is_valid(const char *text, size_t len);

#endif

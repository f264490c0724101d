/*
 * socks.c - the messages of SOCKS 4, 4a and 5.
 */
#include <errno.h>
#include <string.h>

#include "base/error_int.h"
#include "proto/proxy_env.h"
#include "proto/socks.h"

static size_t put_port(uint8_t *out, uint16_t port)
{
    out[0] = (uint8_t)(port >> 8);
    out[1] = (uint8_t)port;
    return 2;
}

static int too_long(const char *what)
{
    return weft__fail(-EINVAL, "SOCKS: %s of more than %d bytes", what, WEFT__SOCKS_TEXT_MAX);
}

/* A name goes as SOCKS 4a: the address 0.0.0.1, and the name behind the user. */
int weft__socks4_request(const char *host, uint16_t port, const char *user,
                         uint8_t out[WEFT__SOCKS_MAX])
{
    uint8_t ip[16];
    size_t host_len = strlen(host);
    size_t user_len = user != NULL ? strlen(user) : 0;
    int ip_len = weft__ip_parse(host, host_len, ip);
    if (user_len > WEFT__SOCKS_TEXT_MAX)
        return too_long("a user name");
    if (ip_len == 0 && host_len > WEFT__SOCKS_TEXT_MAX)
        return too_long("a host name");
    if (ip_len == 16)
        return weft__fail(-EINVAL, "SOCKS 4 knows no IPv6 addresses");
    size_t len = 0;
    out[len++] = 4;
    out[len++] = 1;
    len += put_port(out + len, port);
    memcpy(out + len, ip_len == 4 ? ip : (const uint8_t[]){0, 0, 0, 1}, 4);
    len += 4;
    if (user_len > 0)
        memcpy(out + len, user, user_len);
    len += user_len;
    out[len++] = 0;
    if (ip_len == 0) {
        memcpy(out + len, host, host_len + 1);
        len += host_len + 1;
    }
    return (int)len;
}

int weft__socks5_greeting(bool with_password, uint8_t out[WEFT__SOCKS_MAX])
{
    out[0] = 5;
    out[1] = with_password ? 2 : 1;
    out[2] = WEFT__SOCKS5_NO_AUTH;
    out[3] = WEFT__SOCKS5_PASSWORD;
    return with_password ? 4 : 3;
}

int weft__socks5_password(const char *user, const char *password, uint8_t out[WEFT__SOCKS_MAX])
{
    size_t user_len = strlen(user);
    size_t password_len = strlen(password);
    if (user_len > WEFT__SOCKS_TEXT_MAX)
        return too_long("a user name");
    if (password_len > WEFT__SOCKS_TEXT_MAX)
        return too_long("a password");
    out[0] = 1;
    out[1] = (uint8_t)user_len;
    memcpy(out + 2, user, user_len);
    out[2 + user_len] = (uint8_t)password_len;
    memcpy(out + 3 + user_len, password, password_len);
    return (int)(3 + user_len + password_len);
}

int weft__socks5_request(const char *host, uint16_t port, uint8_t out[WEFT__SOCKS_MAX])
{
    uint8_t ip[16];
    size_t host_len = strlen(host);
    int ip_len = weft__ip_parse(host, host_len, ip);
    if (ip_len == 0 && host_len > WEFT__SOCKS_TEXT_MAX)
        return too_long("a host name");
    size_t len = 0;
    out[len++] = 5;
    out[len++] = 1;
    out[len++] = 0;
    if (ip_len > 0) {
        out[len++] = ip_len == 4 ? 1 : 4;
        memcpy(out + len, ip, (size_t)ip_len);
        len += (size_t)ip_len;
    } else {
        out[len++] = 3;
        out[len++] = (uint8_t)host_len;
        memcpy(out + len, host, host_len);
        len += host_len;
    }
    len += put_port(out + len, port);
    return (int)len;
}

int weft__socks5_reply_rest(const uint8_t head[WEFT__SOCKS5_REPLY_HEAD])
{
    if (head[0] != 5 || head[2] != 0)
        return -1;
    switch (head[3]) {
    case 1:
        return 3 + 2;
    case 3:
        return head[4] + 2;
    case 4:
        return 15 + 2;
    default:
        return -1;
    }
}

const char *weft__socks4_text(uint8_t code)
{
    switch (code) {
    case 91:
        return "request rejected or failed";
    case 92:
        return "it could not ask who we are";
    case 93:
        return "user name refused";
    default:
        return "unknown reply";
    }
}

const char *weft__socks5_text(uint8_t code)
{
    static const char *const texts[] = {
        "succeeded",           "general failure",       "not allowed by its rules",
        "network unreachable", "host unreachable",      "connection refused",
        "TTL expired",         "command not supported", "address type not supported",
    };
    return code < sizeof texts / sizeof texts[0] ? texts[code] : "unknown reply";
}

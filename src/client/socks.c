/*
 * socks.c - a connection through a SOCKS proxy.
 */
#include <errno.h>
#include <string.h>

#include "client/client_int.h"
#include "proto/socks.h"

/* Of that address: another one of the host may do better. */
enum { UNREACHED = 1 };

static int receive(weft_stream *stream, void *data, size_t len)
{
    int err = weft_stream_read_exact(stream, data, len);
    if (err == WEFT_EEOF)
        return weft__fail(WEFT_EPROXY, "SOCKS: it closed the connection instead of an answer");
    return err;
}

static int connect4(const struct weft__proxy *proxy, weft_stream *stream, const char *host,
                    uint16_t port)
{
    uint8_t message[WEFT__SOCKS_MAX];
    uint8_t reply[WEFT__SOCKS4_REPLY];
    int len = weft__socks4_request(host, port, proxy->username, message);
    int err = len < 0 ? len : weft_stream_write(stream, message, (size_t)len);
    if (err == 0)
        err = receive(stream, reply, sizeof reply);
    if (err < 0)
        return err;
    if (reply[0] != 0)
        return weft__fail(WEFT_EPROXY, "SOCKS: it does not speak version 4");
    if (reply[1] == 90)
        return 0;
    err = weft__fail(WEFT_EPROXY, "SOCKS 4: %s (%d)", weft__socks4_text(reply[1]), reply[1]);
    return reply[1] == 91 ? UNREACHED : err;
}

static int log_in(const struct weft__proxy *proxy, weft_stream *stream)
{
    uint8_t message[WEFT__SOCKS_MAX];
    uint8_t reply[2];
    int len = weft__socks5_password(proxy->username, proxy->password, message);
    int err = len < 0 ? len : weft_stream_write(stream, message, (size_t)len);
    if (err == 0)
        err = receive(stream, reply, sizeof reply);
    if (err < 0)
        return err;
    if (reply[0] != 1 || reply[1] != 0)
        return weft__fail(WEFT_EPROXY, "SOCKS 5: user name or password refused");
    return 0;
}

static int greet(const struct weft__proxy *proxy, weft_stream *stream)
{
    uint8_t message[WEFT__SOCKS_MAX];
    uint8_t reply[2];
    bool with_password = proxy->username != NULL;
    int len = weft__socks5_greeting(with_password, message);
    int err = weft_stream_write(stream, message, (size_t)len);
    if (err == 0)
        err = receive(stream, reply, sizeof reply);
    if (err < 0)
        return err;
    if (reply[0] != 5)
        return weft__fail(WEFT_EPROXY, "SOCKS: it does not speak version 5");
    if (reply[1] == WEFT__SOCKS5_NO_AUTH)
        return 0;
    if (reply[1] == WEFT__SOCKS5_PASSWORD && with_password)
        return log_in(proxy, stream);
    if (reply[1] == WEFT__SOCKS5_NONE)
        return weft__fail(WEFT_EPROXY, "SOCKS 5: %s",
                          with_password ? "no way to log in that both know"
                                        : "it wants a user name and a password");
    return weft__fail(WEFT_EPROXY, "SOCKS 5: it chose method %d, which was not offered", reply[1]);
}

static int connect5(const struct weft__proxy *proxy, weft_stream *stream, const char *host,
                    uint16_t port)
{
    uint8_t message[WEFT__SOCKS_MAX];
    uint8_t reply[WEFT__SOCKS5_REPLY_HEAD];
    int len = weft__socks5_request(host, port, message);
    int err = len < 0 ? len : greet(proxy, stream);
    if (err == 0)
        err = weft_stream_write(stream, message, (size_t)len);
    if (err == 0)
        err = receive(stream, reply, sizeof reply);
    if (err < 0)
        return err;
    int rest = weft__socks5_reply_rest(reply);
    if (rest < 0)
        return weft__fail(WEFT_EPROXY, "SOCKS 5: an answer that is none");
    if (reply[1] != 0) {
        err = weft__fail(WEFT_EPROXY, "SOCKS 5: %s (%d)", weft__socks5_text(reply[1]), reply[1]);
        return reply[1] < 9 && reply[1] != 2 && reply[1] != 7 ? UNREACHED : err;
    }
    return receive(stream, message, (size_t)rest);
}

int weft__socks_connect(const struct weft__proxy *proxy, weft_stream *stream, const char *host,
                        uint16_t port)
{
    bool four = proxy->kind == WEFT__PROXY_SOCKS4 || proxy->kind == WEFT__PROXY_SOCKS4A;
    return four ? connect4(proxy, stream, host, port) : connect5(proxy, stream, host, port);
}

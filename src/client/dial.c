/*
 * dial.c - a new connection: names and addresses, sockets, proxies, TLS.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"
#include "net/net_int.h"

struct place {
    char host[WEFT__LIMIT_HOST_NAME + 1]; /* as the resolver wants it: without brackets */
    uint16_t port;
};

static int set_place(struct place *place, const char *text, size_t len, int port)
{
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len > WEFT__LIMIT_HOST_NAME)
        return weft__fail(WEFT_EINVALID_URL, "the host name is empty or longer than %d bytes",
                          WEFT__LIMIT_HOST_NAME);
    memcpy(place->host, text, len);
    place->host[len] = '\0';
    place->port = (uint16_t)port;
    return 0;
}

/* ---- overrides ---- */

/* The value for "host:port", "host" or "*". */
static const char *find_override(const weft_pair *pairs, const struct place *place)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        const char *name = pairs->name;
        size_t len = strlen(name);
        int port = weft__cut_port(name, &len);
        if (len > 2 && name[0] == '[' && name[len - 1] == ']') {
            name++;
            len -= 2;
        }
        if (port >= 0 && port != place->port)
            continue;
        if ((len == 1 && name[0] == '*') ||
            weft__ieq_n(name, len, place->host, strlen(place->host)))
            return pairs->value;
    }
    return NULL;
}

static int redirect_place(const struct weft__ways *ways, struct place *place)
{
    const char *to = find_override(ways->connect_to, place);
    if (to == NULL)
        return 0;
    size_t len = strlen(to);
    int port = weft__cut_port(to, &len);
    int err = set_place(place, to, len, port >= 0 ? port : place->port);
    return err < 0 ? weft__fail_prefix(err, "connect_to") : 0;
}

/* "192.0.2.1, 2001:db8::1": as if the resolver had said so. */
static int parse_addresses(const char *list, uint16_t port, weft_address *addresses, size_t *ret_n)
{
    size_t n = 0;
    while (n < WEFT__LIMIT_RESOLVED_ADDRESSES) {
        char text[WEFT_ADDRESS_TEXT_MAX];
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if (len == 0)
            break;
        if (len >= sizeof text)
            return weft__fail(-EINVAL, "resolve: an address of %zu bytes", len);
        memcpy(text, list, len);
        text[len] = '\0';
        if (weft__address_parse(text, port, &addresses[n]) < 0)
            return weft__fail(-EINVAL, "resolve: \"%.100s\" is not an address", text);
        n++;
        list += len;
    }
    *ret_n = n;
    return n > 0 ? 0 : weft__fail(-EINVAL, "resolve: no address");
}

bool weft__way_is_elsewhere(const struct weft__ways *ways, const weft_url *url)
{
    struct place place;
    const char *host = weft_url_host(url);
    return ways->connect_to != NULL &&
           set_place(&place, host, strlen(host), weft_url_port(url)) == 0 &&
           find_override(ways->connect_to, &place) != NULL;
}

/* ---- what is noted of it ---- */

static void on_step(void *userdata, weft_dial_step step, const weft_address *address, int err)
{
    static const weft_trace_kind kinds[] = {
        [WEFT_DIAL_RESOLVING] = WEFT_TRACE_RESOLVING,
        [WEFT_DIAL_RESOLVED] = WEFT_TRACE_RESOLVED,
        [WEFT_DIAL_CONNECTING] = WEFT_TRACE_ADDRESS_CONNECTING,
        [WEFT_DIAL_CONNECTED] = WEFT_TRACE_ADDRESS_CONNECTED,
        [WEFT_DIAL_FAILED] = WEFT_TRACE_ADDRESS_FAILED,
    };
    struct weft__call *call = userdata;
    struct weft__moments *moments = &call->moments;
    if (step == WEFT_DIAL_RESOLVING)
        moments->resolving = weft_now();
    else if (step == WEFT_DIAL_RESOLVED)
        moments->dns = (moments->dns > 0 ? moments->dns : 0) + weft_now() - moments->resolving;
    weft__hooks_trace_address(call, kinds[step], address, err);
}

/* A handshake of the origin or of a proxy. */
static int encrypt(struct weft__call *call, weft_tls *tls, weft_stream *plain, const char *host,
                   weft_stream **ret)
{
    struct weft__moments *moments = &call->moments;
    int64_t began = weft_now();
    weft__hooks_trace(call, WEFT_TRACE_TLS_STARTING, 0);
    int err = weft_tls_connect(tls, plain, host, ret);
    moments->tls = (moments->tls > 0 ? moments->tls : 0) + weft_now() - began;
    /* Which is seen first, a peer's end or the reset behind it, is chance: one error for both. */
    if (err < 0 && err != -ECANCELED && err != -ENOMEM &&
        weft_error_get_family(err) == WEFT_FAMILY_SYSTEM)
        err = weft__fail_prefix(WEFT_ETLS, "the connection broke");
    weft__hooks_trace(call, WEFT_TRACE_TLS_ENDED, err);
    return err;
}

/* ---- sockets ---- */

static int dial_listed(const char *list, const struct place *place, weft_dial_options *options,
                       weft_stream **ret)
{
    weft_address addresses[WEFT__LIMIT_RESOLVED_ADDRESSES];
    size_t n;
    int err = parse_addresses(list, place->port, addresses, &n);
    if (err == 0)
        err = weft__dial_allowed(place->host, addresses, &n, options);
    return err < 0 ? err
                   : weft__dial_addresses(place->host, place->port, addresses, n, options, ret);
}

/* trusted: the filter is not asked. */
static int reach(struct weft__call *call, const struct place *place, bool trusted,
                 weft_stream **ret)
{
    const weft_client *client = call->client;
    const struct weft__ways *ways = &client->ways;
    weft_dial_options options = {
        .size = sizeof options,
        .local_host = ways->local_address,
        .interface = ways->interface,
        .allow = trusted ? NULL : ways->allow,
        .allow_userdata = ways->allow_userdata,
        .on_step = on_step,
        .step_userdata = call,
    };
    if (client->dial != NULL)
        return client->dial(client->dial_userdata, call->url, ret);
    if (!trusted && call->avoid.len > 0)
        options.avoid = &call->avoid;
    const char *list = find_override(ways->resolve, place);
    if (list != NULL)
        return dial_listed(list, place, &options, ret);
    return weft_dial(place->host, place->port, &options, ret);
}

/* ---- through a proxy ---- */

/* What a proxy resolves is not known here, but an address may stand in the URL. */
static int check_literal(const struct weft__ways *ways, const struct place *place)
{
    weft_address address;
    size_t n = 1;
    if (ways->allow == NULL || weft__address_parse(place->host, place->port, &address) < 0)
        return 0;
    return weft__dial_allowed(
        place->host, &address, &n,
        WEFT_DIAL(.allow = ways->allow, .allow_userdata = ways->allow_userdata));
}

/* SOCKS 4 knows no others. */
static int only_v4(weft_address *addresses, size_t *n)
{
    size_t left = 0;
    for (size_t i = 0; i < *n; i++) {
        char text[WEFT_ADDRESS_TEXT_MAX];
        if (weft__address_format_host(&addresses[i], text, sizeof text) == 0 &&
            strchr(text, ':') == NULL)
            addresses[left++] = addresses[i];
    }
    *n = left;
    return left > 0 ? 0 : weft__fail(-EINVAL, "resolve: no IPv4 address for SOCKS 4");
}

/* What a proxy that resolves no names is told: addresses that the filter has seen. */
static int addresses_for(struct weft__call *call, const struct place *place, weft_ip family,
                         weft_address *addresses, size_t *ret_n)
{
    const struct weft__ways *ways = &call->client->ways;
    const char *list = find_override(ways->resolve, place);
    size_t n = 0;
    int err;
    if (list != NULL) {
        err = parse_addresses(list, place->port, addresses, &n);
        if (err == 0 && family == WEFT_IP_V4)
            err = only_v4(addresses, &n);
    } else {
        weft_address *found;
        on_step(call, WEFT_DIAL_RESOLVING, NULL, 0);
        err = weft_resolve_with(place->host, place->port,
                                WEFT_RESOLVE(.family = family, .all_families = true), &found, &n);
        on_step(call, WEFT_DIAL_RESOLVED, NULL, err);
        if (err == 0) {
            memcpy(addresses, found, n * sizeof *found);
            weft__free(found);
        }
    }
    if (err == 0)
        err = weft__dial_allowed(
            place->host, addresses, &n,
            WEFT_DIAL(.allow = ways->allow, .allow_userdata = ways->allow_userdata));
    *ret_n = n;
    return err;
}

static int through_http(struct weft__call *call, const struct place *place, weft_stream *stream)
{
    char target[WEFT__LIMIT_HOST_NAME + 16];
    bool v6 = strchr(place->host, ':') != NULL;
    snprintf(target, sizeof target, v6 ? "[%s]:%u" : "%s:%u", place->host, place->port);
    call->way.phase = "while waiting for an answer to CONNECT";
    return weft__proxy_connect(call->way.proxy, stream, target);
}

static int encrypt_to_proxy(struct weft__call *call, weft_stream **stream)
{
    weft_tls *tls;
    weft_stream *plain = *stream;
    *stream = NULL;
    int err = weft__client_tls(call->client, WEFT__TLS_PROXY, &tls);
    if (err < 0) {
        weft_stream_free(plain);
        return err;
    }
    call->way.phase = "in the TLS handshake with the proxy";
    return encrypt(call, tls, plain, call->way.proxy->host, stream);
}

/* A reset is a refusal as much as an end is: which of them is seen is chance. */
static bool is_broken(int err)
{
    return err == -ECONNRESET || err == -EPIPE || err == -ETIMEDOUT || err == WEFT_ETRUNCATED;
}

/* To what the call needs there; 1: another connection to the proxy may do better. */
static int ask_proxy(struct weft__call *call, const struct place *place, weft_stream *stream)
{
    struct weft__way *way = &call->way;
    int err = 0;
    if (!weft__proxy_is_http(way->proxy)) {
        way->phase = "in the SOCKS handshake";
        err = weft__socks_connect(way->proxy, stream, place->host, place->port);
    } else if (way->target == NULL) {
        err = through_http(call, place, stream);
    }
    if (is_broken(err))
        return weft__fail_prefix(WEFT_EPROXY, "the connection broke");
    return err;
}

/* The same. */
static int through_proxy(struct weft__call *call, const struct place *place, weft_stream **ret)
{
    struct weft__proxy *proxy = call->way.proxy;
    weft_stream *stream = NULL;
    struct place at;
    call->way.phase = "while connecting";
    int err = set_place(&at, proxy->host, strlen(proxy->host), proxy->port);
    if (err == 0)
        err = reach(call, &at, true, &stream);
    if (err == 0 && proxy->kind == WEFT__PROXY_HTTPS)
        err = encrypt_to_proxy(call, &stream);
    if (err == 0)
        err = ask_proxy(call, place, stream);
    if (err != 0) {
        weft_stream_free(stream);
        if (err == -ECANCELED || err == -ENOMEM)
            return err;
        weft__fail_prefix(err < 0 ? err : WEFT_EPROXY, "proxy %s", proxy->shown);
        return err;
    }
    *ret = stream;
    return 0;
}

/* By a proxy that is told addresses: one after the other, until it gets to one. */
static int through_proxy_resolved(struct weft__call *call, const struct place *place,
                                  weft_stream **ret)
{
    weft_address addresses[WEFT__LIMIT_RESOLVED_ADDRESSES];
    weft_ip family = call->way.proxy->kind == WEFT__PROXY_SOCKS4 ? WEFT_IP_V4 : WEFT_IP_ANY;
    size_t n;
    call->way.phase = "while resolving";
    int err = addresses_for(call, place, family, addresses, &n);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++) {
        struct place there = {.port = place->port};
        err = weft__address_format_host(&addresses[i], there.host, sizeof there.host);
        if (err == 0)
            err = through_proxy(call, &there, ret);
        if (err != 1)
            return err;
    }
    return WEFT_EPROXY;
}

static int by_proxy(struct weft__call *call, const struct place *place, weft_stream **ret)
{
    enum weft__proxy_kind kind = call->way.proxy->kind;
    if (kind == WEFT__PROXY_SOCKS4 || kind == WEFT__PROXY_SOCKS5)
        return through_proxy_resolved(call, place, ret);
    int err = check_literal(&call->client->ways, place);
    if (err == 0)
        err = through_proxy(call, place, ret);
    if (err == 1 && weft__proxy_is_http(call->way.proxy))
        err = through_proxy(call, place, ret);
    return err == 1 ? WEFT_EPROXY : err;
}

/* ---- all of it ---- */

/* A handshake that fails may succeed at another address of the host. */
static int secure_stream(struct weft__call *call, weft_tls *tls, weft_stream *stream,
                         const char *host, weft_stream **ret)
{
    weft_address peer = {0};
    weft_stream_peer_address(stream, &peer);
    call->way.phase = "in the TLS handshake";
    int err = encrypt(call, tls, stream, host, ret);
    if (err < 0 && call->way.proxy == NULL)
        call->avoid = peer;
    return err;
}

static enum weft__tls_kind tls_kind(const struct weft__way *way)
{
    if (way->only_h1)
        return way->guest ? WEFT__TLS_GUEST_H1 : WEFT__TLS_HOME_H1;
    return way->guest ? WEFT__TLS_GUEST : WEFT__TLS_HOME;
}

static int plain_stream(struct weft__call *call, const struct place *place, weft_stream **ret)
{
    const char *unix_socket = call->client->ways.unix_socket;
    if (call->way.proxy != NULL)
        return by_proxy(call, place, ret);
    return unix_socket != NULL ? weft_dial_unix(unix_socket, ret) : reach(call, place, false, ret);
}

int weft__way_dial(struct weft__call *call, weft_stream **ret)
{
    weft_client *client = call->client;
    const weft_url *url = call->url;
    struct weft__way *way = &call->way;
    bool secure = strcmp(weft_url_scheme(url), "https") == 0;
    weft_tls *tls = NULL;
    weft_stream *stream;
    struct place place;
    way->phase = "while connecting";
    if (client->dial != NULL && way->proxy == NULL)
        return client->dial(client->dial_userdata, url, ret);
    if (way->transport != NULL)
        return way->transport->dial(way->transport->userdata, url, ret);
    const char *host = weft_url_host(url);
    int err = set_place(&place, host, strlen(host), weft_url_port(url));
    char name[WEFT__LIMIT_HOST_NAME + 1];
    if (err == 0)
        memcpy(name, place.host, strlen(place.host) + 1);
    if (err == 0)
        err = redirect_place(&client->ways, &place);
    if (err == 0 && secure)
        err = weft__client_tls(client, tls_kind(way), &tls);
    if (err == 0)
        err = plain_stream(call, &place, &stream);
    if (err == 0 && client->user_limits != NULL)
        err = weft_limits_stream(client->user_limits, stream, &stream);
    if (err < 0)
        return err;
    if (!secure) {
        *ret = stream;
        return 0;
    }
    return secure_stream(call, tls, stream, way->server_name != NULL ? way->server_name : name,
                         ret);
}

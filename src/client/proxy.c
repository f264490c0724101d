/*
 * proxy.c - a proxy: its URL, its credentials, CONNECT (RFC 9110 9.3.6, RFC 7616).
 *
 * What a proxy is told stays with it: its fields go into CONNECT, or into requests that it
 * forwards, and never through a tunnel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "client/client_int.h"

#include "base/alloc.h"

/* ---- from a URL ---- */

static const struct {
    const char *scheme;
    enum weft__proxy_kind kind;
    uint16_t port;
} kinds[] = {
    {"http", WEFT__PROXY_HTTP, 80},       {"https", WEFT__PROXY_HTTPS, 443},
    {"socks4", WEFT__PROXY_SOCKS4, 1080}, {"socks4a", WEFT__PROXY_SOCKS4A, 1080},
    {"socks5", WEFT__PROXY_SOCKS5, 1080}, {"socks5h", WEFT__PROXY_SOCKS5H, 1080},
};

static int set_kind(struct weft__proxy *proxy, const char *what, const weft_url *url)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(weft_url_scheme(url), kinds[i].scheme) != 0)
            continue;
        proxy->kind = kinds[i].kind;
        proxy->port = weft_url_port(url) > 0 ? (uint16_t)weft_url_port(url) : kinds[i].port;
        return 0;
    }
    return weft__fail(WEFT_EUNSUPPORTED_PROTOCOL,
                      "%s: \"%.32s\" is not a kind of proxy: http, https, socks4, socks4a, "
                      "socks5, socks5h",
                      what, weft_url_scheme(url));
}

static int set_host(struct weft__proxy *proxy, const char *what, const weft_url *url)
{
    const char *host = weft_url_host(url);
    size_t len = host != NULL ? strlen(host) : 0;
    if (len > 2 && host[0] == '[') {
        host++;
        len -= 2;
    }
    if (len == 0 || len > WEFT__LIMIT_HOST_NAME)
        return weft__fail(WEFT_EINVALID_URL, "%s: a proxy's URL without a host, or a long one",
                          what);
    proxy->host = weft__strndup(host, len);
    return proxy->host != NULL ? 0 : weft__fail_nomem();
}

static int set_user(struct weft__proxy *proxy, const char *what, const weft_url *url)
{
    const char *username = weft_url_username(url);
    const char *password = weft_url_password(url);
    if (username[0] == '\0' && password[0] == '\0')
        return 0;
    if (strstr(username, "%00") != NULL || strstr(password, "%00") != NULL)
        return weft__fail(WEFT_EINVALID_URL, "%s: a NUL in the user name or password", what);
    proxy->username = weft__percent_decoded(username);
    proxy->password = weft__percent_decoded(password);
    if (proxy->username == NULL || proxy->password == NULL)
        return weft__fail_nomem();
    if (!weft__proxy_is_http(proxy))
        return 0;
    return weft__basic_value(proxy->username, strlen(proxy->username), proxy->password,
                             strlen(proxy->password), &proxy->basic);
}

/* Everything that a connection through it may depend on. */
static int set_key(struct weft__proxy *proxy, const weft_url *url)
{
    struct weft__buf key;
    size_t len;
    weft__buf_init(&key, WEFT__LIMIT_HEADERS);
    int err = weft__buf_append_str(&key, weft_url_href(url));
    for (size_t i = 0; err == 0 && i < weft_headers_count(&proxy->headers); i++) {
        weft_pair field = weft_headers_at(&proxy->headers, i);
        err = weft__buf_printf(&key, "\n%s: %s", field.name, field.value);
    }
    if (err == 0)
        err = weft__buf_take(&key, &proxy->key, &len);
    weft__buf_done(&key);
    if (err < 0)
        return weft__fail_with(err, "proxy");
    proxy->shown = weft__asprintf("%s://%s", weft_url_scheme(url), weft_url_authority(url));
    return proxy->shown != NULL ? 0 : weft__fail_nomem();
}

static int fill(struct weft__proxy *proxy, const char *what, const weft_url *url,
                const weft_pair *headers)
{
    bool close;
    int err = set_kind(proxy, what, url);
    if (err == 0)
        err = set_host(proxy, what, url);
    if (err == 0)
        err = set_user(proxy, what, url);
    if (err == 0)
        err = weft__request_merge(&proxy->headers, headers, NULL);
    if (err == 0)
        err = weft__request_check_headers(&proxy->headers, &close);
    return err == 0 ? set_key(proxy, url) : err;
}

int weft__proxy_new(const char *what, const char *text, const weft_pair *headers,
                    struct weft__proxy **ret)
{
    weft_url *url = NULL;
    struct weft__proxy *proxy = weft__calloc(1, sizeof *proxy);
    char *whole = weft__asprintf("%s%s", strstr(text, "://") != NULL ? "" : "http://", text);
    if (proxy == NULL || whole == NULL) {
        weft__free(proxy);
        weft__free(whole);
        return weft__fail_nomem();
    }
    atomic_init(&proxy->refs, 1);
    pthread_mutex_init(&proxy->lock, NULL);
    weft__headers_init(&proxy->headers);
    int err = weft__copy_text(text, &proxy->given);
    if (err == 0)
        err = weft_url_parse(whole, NULL, &url);
    if (err < 0 && err != -ENOMEM)
        err = weft__fail(WEFT_EINVALID_URL, "%s is not the URL of a proxy", what);
    if (err == 0)
        err = fill(proxy, what, url, headers);
    weft_url_free(url);
    weft__free(whole);
    if (err < 0) {
        weft__proxy_unref(proxy);
        return err;
    }
    *ret = proxy;
    return 0;
}

struct weft__proxy *weft__proxy_ref(struct weft__proxy *proxy)
{
    if (proxy != NULL)
        atomic_fetch_add_explicit(&proxy->refs, 1, memory_order_relaxed);
    return proxy;
}

void weft__proxy_unref(struct weft__proxy *proxy)
{
    if (proxy == NULL || atomic_fetch_sub_explicit(&proxy->refs, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&proxy->lock);
    if (proxy->has_digest)
        weft__digest_done(&proxy->digest);
    weft__headers_done(&proxy->headers);
    weft__free(proxy->host);
    weft__free(proxy->username);
    weft__free(proxy->password);
    weft__free(proxy->basic);
    weft__free(proxy->key);
    weft__free(proxy->shown);
    weft__free(proxy->given);
    weft__free(proxy);
}

/* ---- credentials ---- */

static int answer_digest(struct weft__proxy *proxy, const char *method, const char *target,
                         char **ret)
{
    char cnonce[33];
    snprintf(cnonce, sizeof cnonce, "%016llx%016llx", (unsigned long long)weft__rand_thread(),
             (unsigned long long)weft__rand_thread());
    const struct weft__digest_request request = {
        .method = method,
        .target = target,
        .username = proxy->username,
        .password = proxy->password,
        .cnonce = cnonce,
    };
    int err = weft__digest_answer(&proxy->digest, &request, ret);
    return err < 0 ? weft__fail_with(err, "credentials for the proxy") : 0;
}

int weft__proxy_authorization(struct weft__proxy *proxy, const char *method, const char *target,
                              char **ret)
{
    int err = 0;
    *ret = NULL;
    if (proxy->basic == NULL)
        return 0;
    pthread_mutex_lock(&proxy->lock);
    bool digest = proxy->has_digest;
    if (digest)
        err = answer_digest(proxy, method, target, ret);
    pthread_mutex_unlock(&proxy->lock);
    if (digest)
        return err;
    *ret = weft__strdup(proxy->basic);
    return *ret != NULL ? 0 : weft__fail_nomem();
}

int weft__proxy_challenged(struct weft__proxy *proxy, const weft_headers *headers)
{
    struct weft__digest best;
    bool found = false;
    const char *value;
    if (proxy->basic == NULL)
        return 0;
    for (size_t i = 0; (value = weft_headers_get_nth(headers, "proxy-authenticate", i)) != NULL;
         i++) {
        struct weft__digest one;
        int n = weft__digest_from_challenge(value, strlen(value), &one);
        if (n < 0) {
            if (found)
                weft__digest_done(&best);
            return weft__fail_nomem();
        }
        if (n == 0)
            continue;
        bool better = !found || weft__digest_is_stronger(&one, &best);
        if (found)
            weft__digest_done(better ? &best : &one);
        if (better)
            best = one;
        found = true;
    }
    if (!found)
        return 0;
    pthread_mutex_lock(&proxy->lock);
    /* The count of a nonce that is in use goes on: connections may share it. */
    bool known = proxy->has_digest && strcmp(proxy->digest.nonce, best.nonce) == 0;
    if (proxy->has_digest)
        weft__digest_done(known ? &best : &proxy->digest);
    if (!known)
        proxy->digest = best;
    proxy->has_digest = true;
    pthread_mutex_unlock(&proxy->lock);
    return 1;
}

/* ---- CONNECT ---- */

static int send_connect(struct weft__proxy *proxy, weft_stream *stream, const char *target)
{
    weft_headers headers;
    struct weft__buf head;
    char *authorization = NULL;
    weft__headers_init(&headers);
    weft__buf_init(&head, WEFT__LIMIT_HEADERS);
    int err = weft__headers_append_all(&headers, &proxy->headers);
    if (err == 0)
        err = weft__proxy_authorization(proxy, "CONNECT", target, &authorization);
    if (err == 0 && authorization != NULL)
        err = weft_headers_set(&headers, "Proxy-Authorization", authorization);
    if (err == 0)
        err = weft__h1_write_request(&head, "CONNECT", target, target, &headers, WEFT__H1_NONE, 0);
    if (err == 0)
        err = weft_stream_write(stream, weft__buf_bytes(&head), head.len);
    weft__free(authorization);
    weft__headers_done(&headers);
    weft__buf_done(&head);
    return err;
}

/* The head of its final answer; nothing may follow it before we have spoken. */
static int read_answer(weft_stream *stream, struct weft__h1_head *head, struct weft__buf *in)
{
    for (unsigned interim = 0;;) {
        int n = in->len == 0 ? 0
                             : weft__h1_parse_response(head, weft__buf_bytes(in), in->len,
                                                       &weft__h1_response_limits);
        if (n < 0)
            return n;
        if (n == 0) {
            size_t room;
            if (weft__buf_reserve(in, 4096) < 0)
                return weft__fail(WEFT_EHEADER_TOO_LARGE, "an answer larger than %d bytes",
                                  WEFT__LIMIT_PROXY_ANSWER);
            char *space = weft__buf_space(in, &room);
            int64_t got = weft_stream_read(stream, space, room);
            if (got == 0)
                return weft__fail(WEFT_EPROXY, "it closed the connection instead of an answer");
            if (got < 0)
                return (int)got;
            weft__buf_commit(in, (size_t)got);
            continue;
        }
        if (head->status >= 200) {
            bool early = head->status < 300 && in->len > (size_t)n;
            return early ? weft__fail(WEFT_EPROXY, "bytes came before the tunnel was used") : 0;
        }
        if (++interim > WEFT__LIMIT_H1_INTERIM)
            return weft__fail(WEFT_EPROXY, "more than %d interim responses",
                              WEFT__LIMIT_H1_INTERIM);
        weft__buf_consume(in, (size_t)n);
        weft__h1_head_reset(head, "CONNECT");
    }
}

static int refused(struct weft__proxy *proxy, const struct weft__h1_head *head)
{
    if (head->status == 407) {
        weft_headers fields;
        weft__headers_init(&fields);
        int again = weft__h1_head_copy(head, &fields);
        if (again == 0)
            again = weft__proxy_challenged(proxy, &fields);
        weft__headers_done(&fields);
        if (again < 0)
            return again;
        char text[64];
        snprintf(text, sizeof text, "%s", weft_status_reason(head->status));
        weft__fail(WEFT_EPROXY, "%d %s", head->status, text);
        return again == 1 ? 1 : WEFT_EPROXY;
    }
    return weft__fail(WEFT_EPROXY, "%d %s", head->status, weft_status_reason(head->status));
}

int weft__proxy_connect(struct weft__proxy *proxy, weft_stream *stream, const char *target)
{
    struct weft__h1_head head;
    struct weft__buf in;
    weft__h1_head_init(&head);
    weft__h1_head_reset(&head, "CONNECT");
    weft__buf_init(&in, WEFT__LIMIT_PROXY_ANSWER);
    int err = send_connect(proxy, stream, target);
    if (err == 0)
        err = read_answer(stream, &head, &in);
    if (err == 0 && (head.status < 200 || head.status >= 300))
        err = refused(proxy, &head);
    weft__h1_head_done(&head);
    weft__buf_done(&in);
    return err;
}

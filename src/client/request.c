/*
 * request.c - what goes on the wire: the client's settings and the call's, merged.
 *
 * Which fields an origin may see is decided here and nowhere else.  Fields of the client that
 * carry secrets go to its base URL's origin only, or without a base URL to the origin of the
 * first hop; secret fields of the call go to the first hop's origin.  Once a redirect has left
 * that origin they are gone for good, wherever later redirects lead.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/client_int.h"
#include "proto/chars.h"
#include "proto/host.h"
#include "proto/url.h"

/* ---- settings ---- */

static int pick_time(const char *name, int64_t given, int64_t *setting)
{
    if (given < 0)
        return weft__fail(-EINVAL, "%s is negative", name);
    if (given > 0)
        *setting = given;
    return 0;
}

static int merge_settings(struct weft__settings *settings, const weft_request_options *options)
{
    int err = pick_time("timeout", options->timeout, &settings->total);
    if (err == 0)
        err = pick_time("connect_timeout", options->connect_timeout, &settings->connect);
    if (err == 0)
        err = pick_time("read_timeout", options->read_timeout, &settings->read);
    if (err == 0)
        err = pick_time("write_timeout", options->write_timeout, &settings->write);
    if (err == 0)
        err = pick_time("pool_timeout", options->pool_timeout, &settings->pool);
    if (err == 0)
        err = pick_time("low_speed_time", options->low_speed_time, &settings->low_speed_time);
    if (options->low_speed_limit > 0)
        settings->low_speed_limit = options->low_speed_limit;
    if (settings->low_speed_time == WEFT_FOREVER)
        settings->low_speed_limit = 0;
    if (options->body_max > 0)
        settings->body_max = options->body_max;
    if (options->follow_redirects != 0)
        settings->follow_redirects = options->follow_redirects > 0;
    if (options->max_redirects != 0)
        settings->max_redirects = options->max_redirects > 0 ? options->max_redirects : 0;
    if (options->raise_for_status != 0)
        settings->raise_for_status = options->raise_for_status > 0;
    if (options->decode != 0)
        settings->decode = options->decode > 0;
    if (options->line_max > 0)
        settings->line_max = options->line_max;
    if (err == 0 && options->default_encoding != NULL) {
        err = weft__encoding_check(options->default_encoding);
        settings->encoding = options->default_encoding;
    }
    if (options->retry != NULL)
        settings->retry = options->retry;
    return err;
}

/* ---- URL ---- */

/* Replaces *url by next, a failed step leaves it. */
static int replace_url(weft_url **url, int err, weft_url *next)
{
    if (err < 0)
        return err;
    weft_url_free(*url);
    *url = next;
    return 0;
}

static int append_params(weft_url **url, const weft_pair *params)
{
    weft_url *next = NULL;
    if (params == NULL || params[0].name == NULL)
        return 0;
    int err = weft_url_append_params(*url, params, &next);
    return replace_url(url, err, next);
}

int weft__request_check_url(const weft_url *url)
{
    const char *scheme = weft_url_scheme(url);
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return weft__fail(WEFT_EUNSUPPORTED_PROTOCOL,
                          "\"%.32s\" is not a scheme the client speaks: http, https", scheme);
    if (weft_url_host(url)[0] == '\0')
        return weft__fail(WEFT_EINVALID_URL, "the URL has no host");
    return 0;
}

static int set_url(struct weft__call *call, const char *text)
{
    const weft_client *client = call->client;
    int err;
    if (client->base != NULL)
        err = weft__url_append_path(client->base, text, &call->url);
    else
        err = weft_url_parse(text, NULL, &call->url);
    if (err == 0)
        err = weft__request_check_url(call->url);
    if (err == 0)
        err = append_params(&call->url, client->params);
    if (err == 0)
        err = append_params(&call->url, call->options->params);
    return err;
}

/* ---- fields ---- */

/* A field may be given several times, but for Host (RFC 9110 section 5.3, 9112 section 3.2). */
static bool is_repeated(const weft_pair *first, const weft_pair *pair)
{
    for (; first < pair; first++) {
        if (weft__ieq(first->name, pair->name))
            return !weft__ieq(pair->name, "host");
    }
    return false;
}

static bool is_framing(const char *name)
{
    return weft__ieq(name, "content-length") || weft__ieq(name, "transfer-encoding");
}

/* Sets fields in place of those of the same name; a NULL value removes them. */
static int merge_fields(weft_headers *headers, const weft_pair *pairs, const weft_client *away)
{
    const weft_pair *first = pairs;
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        int err = 0;
        if (is_framing(pairs->name))
            continue;
        if (away != NULL && weft__client_is_secret(away, pairs->name, strlen(pairs->name)))
            continue;
        if (pairs->value == NULL)
            weft_headers_remove(headers, pairs->name);
        else if (is_repeated(first, pairs))
            err = weft_headers_add(headers, pairs->name, pairs->value);
        else
            err = weft_headers_set(headers, pairs->name, pairs->value);
        if (err < 0)
            return err;
    }
    return 0;
}

int weft__request_merge(weft_headers *headers, const weft_pair *pairs, const weft_client *away)
{
    for (const weft_pair *pair = pairs; pair != NULL && pair->name != NULL; pair++) {
        if (is_framing(pair->name))
            return weft__fail(WEFT_ELOCAL_PROTOCOL, "%s belongs to one request, not to all",
                              pair->name);
    }
    return merge_fields(headers, pairs, away);
}

static size_t percent_decode(const char *text, char *to)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        int high = -1;
        int low = -1;
        if (text[0] == '%' && (high = weft__hex_value(text[1])) >= 0)
            low = weft__hex_value(text[2]);
        if (low < 0) {
            to[len++] = *text;
            continue;
        }
        to[len++] = (char)(high * 16 + low);
        text += 2;
    }
    return len;
}

char *weft__percent_decoded(const char *text)
{
    char *plain = weft__alloc(strlen(text) + 1);
    if (plain != NULL)
        plain[percent_decode(text, plain)] = '\0';
    return plain;
}

int weft__basic_value(const char *username, size_t username_len, const char *password,
                      size_t password_len, char **ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = username_len + 1 + password_len;
    char *value = weft__alloc(sizeof "Basic " + len + (len + 2) / 3 * 4);
    if (value == NULL)
        return weft__fail_nomem();
    /* The plain text stands behind the place where its encoding ends. */
    unsigned char *plain = (unsigned char *)value + sizeof "Basic " + (len + 2) / 3 * 4;
    memcpy(plain, username, username_len);
    plain[username_len] = ':';
    memcpy(plain + username_len + 1, password, password_len);
    memcpy(value, "Basic ", 6);
    char *to = value + 6;
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)plain[i] << 16;
        bits |= i + 1 < len ? (unsigned)plain[i + 1] << 8 : 0;
        bits |= i + 2 < len ? plain[i + 2] : 0;
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < len ? digits[bits & 63] : '=';
    }
    *to = '\0';
    *ret = value;
    return 0;
}

/* Userinfo of the URL as a field's value; that of a Location counts for nothing. */
static int take_userinfo(struct weft__call *call)
{
    const char *username = weft_url_username(call->url);
    const char *password = weft_url_password(call->url);
    char *plain = weft__alloc(strlen(username) + strlen(password) + 1);
    if (plain == NULL)
        return weft__fail_nomem();
    size_t username_len = percent_decode(username, plain);
    size_t password_len = percent_decode(password, plain + username_len);
    int err =
        weft__basic_value(plain, username_len, plain + username_len, password_len, &call->userinfo);
    weft__free(plain);
    return err;
}

static bool has_userinfo(const weft_url *url)
{
    return weft_url_username(url)[0] != '\0' || weft_url_password(url)[0] != '\0';
}

int weft__request_check_headers(const weft_headers *headers, bool *ret_close)
{
    const char *host = weft_headers_get(headers, "host");
    const char *connection = weft_headers_get(headers, "connection");
    struct weft__text rest = {connection, connection != NULL ? strlen(connection) : 0};
    struct weft__text one;
    size_t host_len;
    int port;
    if (host != NULL && !weft__host_port_is_valid(host, strlen(host), &host_len, &port))
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "Host is not a host name or address");
    *ret_close = false;
    while (connection != NULL && weft__list_next(&rest, &one)) {
        if (weft__ieq_n(one.data, one.len, "close", 5))
            *ret_close = true;
    }
    return 0;
}

/* A request that has become a GET has no body to describe. */
static void drop_content_fields(weft_headers *headers)
{
    size_t i = 0;
    while (i < headers->len) {
        const char *name = weft__header_name(headers, i);
        if (weft__ieq_n(name, strnlen(name, 8), "content-", 8))
            weft_headers_remove(headers, name);
        else
            i++;
    }
}

static bool names(const weft_pair *pairs, const char *name)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (weft__ieq(pairs->name, name))
            return true;
    }
    return false;
}

/* A part of a coded body cannot be decoded: who asks for a range gets the body as it is. */
static int set_range_coding(struct weft__call *call)
{
    const weft_pair *headers = call->options->headers;
    if (!names(headers, "range") || names(headers, "accept-encoding") ||
        weft_headers_get(&call->own, "accept-encoding") == NULL)
        return 0;
    return weft_headers_set(&call->own, "Accept-Encoding", "identity");
}

bool weft__request_is_home(const struct weft__call *call)
{
    const weft_client *client = call->client;
    if (call->foreign)
        return false;
    return client->base == NULL || weft_url_same_origin(client->base, call->url);
}

/* A random UUID (RFC 9562 5.4); it has to be unique, not secret. */
static void make_key(char key[WEFT__KEY_SIZE])
{
    uint64_t high = (weft__rand_thread() & ~0xf000ull) | 0x4000;
    uint64_t low = (weft__rand_thread() & ~(3ull << 62)) | 1ull << 63;
    snprintf(key, WEFT__KEY_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
             (unsigned long long)(low & 0xffffffffffff));
}

/* Made once for a call, and the same at each of its attempts. */
static int set_idempotency_key(struct weft__call *call)
{
    const char *key = call->options->idempotency_key;
    if (key == NULL || call->became_get)
        return 0;
    if (key[0] == '\0') {
        if (call->key[0] == '\0')
            make_key(call->key);
        key = call->key;
    }
    return weft_headers_set(&call->own, "Idempotency-Key", key);
}

static bool has_content(const struct weft__call *call)
{
    return call->reads_body || call->body_len > 0;
}

/* RFC 9110 10.1.1: nothing is expected without a body that could wait for it. */
static int set_expectation(struct weft__call *call)
{
    const char *value = weft_headers_get(&call->own, "expect");
    if (!has_content(call) || call->unexpected) {
        weft_headers_remove(&call->own, "expect");
        return 0;
    }
    call->expects =
        value != NULL ? weft__ieq(value, "100-continue") : call->options->expect_continue;
    return value == NULL && call->expects ? weft_headers_set(&call->own, "Expect", "100-continue")
                                          : 0;
}

int weft__request_set_headers(struct weft__call *call)
{
    const weft_client *client = call->client;
    const weft_request_options *options = call->options;
    bool home = weft__request_is_home(call);
    const weft_headers *common = home ? &client->headers : &client->open_headers;
    bool userinfo = !call->foreign && call->userinfo != NULL;
    call->headers = common;
    call->close = client->close;
    call->expects = false;
    if (options->headers == NULL && call->content_type == NULL && !userinfo &&
        options->idempotency_key == NULL && !weft__upgrade_wanted(call) && !has_content(call))
        return 0;
    weft__headers_reset(&call->own);
    int err = weft__headers_append_all(&call->own, common);
    if (err == 0 && call->content_type != NULL)
        err = weft_headers_set(&call->own, "Content-Type", call->content_type);
    if (err == 0)
        err = merge_fields(&call->own, options->headers, call->foreign ? client : NULL);
    /* Its boundary is that of the body. */
    if (err == 0 && call->own_type != NULL && call->options->multipart != NULL && !call->became_get)
        err = weft_headers_set(&call->own, "Content-Type", call->own_type);
    if (err == 0)
        err = set_range_coding(call);
    if (err == 0)
        err = set_idempotency_key(call);
    if (err == 0)
        err = set_expectation(call);
    if (err == 0)
        err = weft__upgrade_set_fields(call);
    if (err == 0 && userinfo && weft_headers_get(&call->own, "authorization") == NULL)
        err = weft_headers_set(&call->own, "Authorization", call->userinfo);
    if (err == 0 && call->redirects > 0)
        weft_headers_remove(&call->own, "host");
    if (err == 0 && call->became_get)
        drop_content_fields(&call->own);
    if (err == 0)
        err = weft__request_check_headers(&call->own, &call->close);
    call->headers = &call->own;
    call->has_key = err == 0 && weft_headers_get(&call->own, "idempotency-key") != NULL;
    return err;
}

int weft__request_own(struct weft__call *call)
{
    if (call->headers == &call->own)
        return 0;
    weft__headers_reset(&call->own);
    int err = weft__headers_append_all(&call->own, call->headers);
    if (err == 0)
        call->headers = &call->own;
    return err;
}

void weft__request_drop_expectation(struct weft__call *call)
{
    call->unexpected = true;
    call->expects = false;
    weft_headers_remove(&call->own, "expect");
}

int weft__request_set_number(struct weft__call *call, const char *field)
{
    char number[16];
    if (field == NULL || call->settings.retry == NULL ||
        (call->foreign && weft__client_is_secret(call->client, field, strlen(field))))
        return 0;
    snprintf(number, sizeof number, "%d", call->number);
    int err = weft__request_own(call);
    return err < 0 ? err : weft_headers_set(&call->own, field, number);
}

/* ---- the whole ---- */

static int check_method(const struct weft__call *call)
{
    if (call->method == NULL || call->method[0] == '\0')
        return weft__fail(-EINVAL, "a request without a method");
    size_t len = strlen(call->method);
    if (len > WEFT__METHOD_MAX)
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "the method is longer than %d bytes",
                          WEFT__METHOD_MAX);
    if (!weft__chars_all(call->method, len, WEFT__CHAR_TOKEN))
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "the method is not a token");
    return 0;
}

static int check_target(const char *target)
{
    if (target == NULL)
        return 0;
    if (target[0] == '\0')
        return weft__fail(-EINVAL, "an empty request target");
    for (const char *at = target; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return weft__fail(WEFT_ELOCAL_PROTOCOL,
                              "the request target has byte 0x%02x, which would break the request "
                              "line",
                              (unsigned char)*at);
    }
    return 0;
}

const char *weft__request_target(const struct weft__call *call)
{
    const char *target = call->options->target;
    return target != NULL && call->redirects == 0 ? target : weft_url_target(call->url);
}

int weft__request_init(struct weft__call *call, const char *url)
{
    weft__headers_init(&call->own);
    int err = check_method(call);
    if (err == 0)
        err = merge_settings(&call->settings, call->options);
    if (err == 0)
        err = check_target(call->options->target);
    if (err == 0 && url == NULL)
        err = weft__fail(-EINVAL, "a request without a URL");
    if (err == 0)
        err = set_url(call, url);
    if (err == 0)
        err = weft__body_init(call);
    if (err == 0)
        err = weft__upgrade_check(call);
    if (err == 0 && has_userinfo(call->url))
        err = take_userinfo(call);
    if (err == 0)
        err = weft__request_set_headers(call);
    return err;
}

void weft__request_done(struct weft__call *call)
{
    weft_url_free(call->url);
    weft__headers_done(&call->own);
    weft__body_done(call);
    weft__free(call->userinfo);
}

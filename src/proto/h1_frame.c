/*
 * h1_frame.c - what the fields of a head say about its body and its connection.
 *
 * Where RFC 9112 6 leaves a choice, the message is refused:
 *   Content-Length with Transfer-Encoding; any transfer coding but a single "chunked"; a
 *   Content-Length that is not digits below 2^63, or a list, or given twice (twice with the same
 *   value is accepted in a response, where servers do it and no smuggling follows).
 * A 2xx answer to CONNECT has no framing fields that count, whatever they hold (RFC 9110 9.3.6).
 */
#include <string.h>

#include <weft/error.h>

#include "base/str.h"
#include "proto/chars.h"
#include "proto/h1_int.h"
#include "proto/host.h"

/* What the loop over the fields gathers. */
struct facts {
    int64_t length;     /* -1: none */
    unsigned lengths;   /* Content-Length fields */
    unsigned codings;   /* elements of Transfer-Encoding */
    unsigned encodings; /* Transfer-Encoding fields */
    unsigned hosts;     /* Host fields */
    bool close, keep_alive, upgrade_token, upgrade_field, expect_continue;
};

bool weft__list_next(struct weft__text *rest, struct weft__text *ret)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->data, ',', rest->len);
        size_t len = comma != NULL ? (size_t)(comma - rest->data) : rest->len;
        size_t taken = comma != NULL ? len + 1 : len;
        const char *item = weft__trim(rest->data, &len);
        rest->data += taken;
        rest->len -= taken;
        if (len > 0) {
            *ret = (struct weft__text){item, len};
            return true;
        }
    }
    return false;
}

static bool is(struct weft__text text, const char *lower)
{
    return weft__ieq_n(text.data, text.len, lower, strlen(lower));
}

static int refuse(struct weft__h1_head *head, int status, const char *what)
{
    return weft__h1_refuse(head, status, WEFT_EREMOTE_PROTOCOL, "%s", what);
}

static int on_content_length(struct weft__h1_head *head, struct facts *facts,
                             struct weft__text value)
{
    uint64_t length;
    if (weft__parse_u64(value.data, value.len, &length) < 0 || length > INT64_MAX)
        return refuse(head, 400, "Content-Length is not a number");
    if (facts->lengths++ > 0 && (head->method.data != NULL || facts->length != (int64_t)length))
        return refuse(head, 400, "more than one Content-Length");
    facts->length = (int64_t)length;
    return 0;
}

static int on_transfer_encoding(struct weft__h1_head *head, struct facts *facts,
                                struct weft__text value)
{
    struct weft__text coding;
    facts->encodings++;
    while (weft__list_next(&value, &coding)) {
        if (!is(coding, "chunked"))
            return refuse(head, 501, "a transfer coding other than chunked");
        if (++facts->codings > 1)
            return refuse(head, 400, "chunked twice in Transfer-Encoding");
    }
    return 0;
}

static int on_host(struct weft__h1_head *head, struct facts *facts, struct weft__text value)
{
    size_t host_len;
    int port;
    if (head->method.data == NULL)
        return 0;
    if (++facts->hosts > 1)
        return refuse(head, 400, "more than one Host");
    if (!weft__host_port_is_valid(value.data, value.len, &host_len, &port))
        return refuse(head, 400, "Host is not a host name or address");
    head->host = value;
    return 0;
}

static void on_connection(struct facts *facts, struct weft__text value)
{
    struct weft__text option;
    while (weft__list_next(&value, &option)) {
        facts->close |= is(option, "close");
        facts->keep_alive |= is(option, "keep-alive");
        facts->upgrade_token |= is(option, "upgrade");
    }
}

/* Framing is left out of an answer that cannot have a body of its own. */
static int on_field(struct weft__h1_head *head, struct facts *facts,
                    const struct weft__h1_field *field, bool framed)
{
    struct weft__text name = {field->name, field->name_len};
    struct weft__text value = {field->value, field->value_len};
    switch (field->name_len) {
    case 4:
        return is(name, "host") ? on_host(head, facts, value) : 0;
    case 6:
        facts->expect_continue |= is(name, "expect") && is(value, "100-continue");
        return 0;
    case 7:
        facts->upgrade_field |= is(name, "upgrade");
        return 0;
    case 10:
        if (is(name, "connection"))
            on_connection(facts, value);
        return 0;
    case 14:
        if (framed && is(name, "content-length"))
            return on_content_length(head, facts, value);
        return 0;
    case 17:
        if (framed && is(name, "transfer-encoding"))
            return on_transfer_encoding(head, facts, value);
        return 0;
    default:
        return 0;
    }
}

static int gather(struct weft__h1_head *head, struct facts *facts, bool framed)
{
    for (size_t i = 0; i < head->fields_len; i++) {
        int err = on_field(head, facts, &head->fields[i], framed);
        if (err < 0)
            return err;
    }
    if (facts->encodings > 0) {
        if (facts->codings == 0)
            return refuse(head, 400, "an empty Transfer-Encoding");
        if (facts->lengths > 0)
            return refuse(head, 400, "Content-Length together with Transfer-Encoding");
        if (head->minor == 0)
            return refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
    }
    head->content_length = facts->length;
    head->keep_alive = !facts->close && (head->minor == 1 || facts->keep_alive);
    head->upgrade = facts->upgrade_token && facts->upgrade_field && head->minor == 1;
    return 0;
}

static void set_body(struct weft__h1_head *head, const struct facts *facts,
                     enum weft__h1_body_kind otherwise)
{
    if (facts->codings > 0)
        head->body = WEFT__H1_CHUNKED;
    else if (facts->length >= 0)
        head->body = WEFT__H1_LENGTH;
    else
        head->body = otherwise;
}

int weft__h1_frame_request(struct weft__h1_head *head)
{
    struct facts facts = {.length = -1};
    int err = gather(head, &facts, true);
    if (err < 0)
        return err;
    if (facts.hosts == 0 && head->minor == 1)
        return refuse(head, 400, "no Host");
    set_body(head, &facts, WEFT__H1_NONE);
    /* RFC 9110 10.1.1: an expectation of HTTP/1.0 is ignored. */
    head->expect_continue = facts.expect_continue && head->minor == 1;
    return 0;
}

/* RFC 9112 6.3, in its order. */
int weft__h1_frame_response(struct weft__h1_head *head)
{
    const char *method = head->reply_to != NULL ? head->reply_to : "";
    bool tunnel = strcmp(method, "CONNECT") == 0 && head->status / 100 == 2;
    struct facts facts = {.length = -1};
    int err = gather(head, &facts, !tunnel);
    if (err < 0)
        return err;
    if (tunnel || strcmp(method, "HEAD") == 0 || head->status / 100 == 1 || head->status == 204 ||
        head->status == 304)
        head->body = WEFT__H1_NONE;
    else
        set_body(head, &facts, WEFT__H1_UNTIL_EOF);
    if (tunnel || head->status == 101 || head->body == WEFT__H1_UNTIL_EOF)
        head->keep_alive = false;
    return 0;
}

static bool is_scheme(const char *text, size_t len)
{
    if (len == 0 || (weft__ascii_lower(text[0]) < 'a' || weft__ascii_lower(text[0]) > 'z'))
        return false;
    for (size_t i = 1; i < len; i++) {
        char c = weft__ascii_lower(text[i]);
        if (!(c >= 'a' && c <= 'z') && !weft__is_digit(c) && c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

/* A "%" in the path must begin an escape; browsers send bare ones in queries. */
static bool path_is_valid(const char *path, size_t len)
{
    const char *query = memchr(path, '?', len);
    return weft__percent_is_valid(path, query != NULL ? (size_t)(query - path) : len);
}

/* scheme "://" authority path [ "?" query ], without userinfo. */
static bool absolute_is_valid(struct weft__text target)
{
    const char *colon = memchr(target.data, ':', target.len);
    if (colon == NULL || !is_scheme(target.data, (size_t)(colon - target.data)))
        return false;
    const char *end = target.data + target.len;
    if (end - colon < 4 || colon[1] != '/' || colon[2] != '/')
        return false;
    const char *authority = colon + 3;
    const char *path = authority;
    while (path < end && *path != '/' && *path != '?')
        path++;
    size_t host_len;
    int port;
    return weft__host_port_is_valid(authority, (size_t)(path - authority), &host_len, &port) &&
           host_len > 0 && path_is_valid(path, (size_t)(end - path));
}

int weft__h1_check_target(struct weft__h1_head *head)
{
    struct weft__text target = head->target;
    struct weft__text method = head->method;
    if (method.len == 7 && memcmp(method.data, "CONNECT", 7) == 0) {
        size_t host_len;
        int port;
        if (!weft__host_port_is_valid(target.data, target.len, &host_len, &port) || host_len == 0 ||
            port <= 0)
            return refuse(head, 400, "the target of CONNECT is not host:port");
        head->form = WEFT__H1_AUTHORITY;
        return 0;
    }
    if (target.len == 1 && target.data[0] == '*') {
        if (method.len != 7 || memcmp(method.data, "OPTIONS", 7) != 0)
            return refuse(head, 400, "the target \"*\" is for OPTIONS only");
        head->form = WEFT__H1_ASTERISK;
        return 0;
    }
    if (target.data[0] == '/') {
        if (!path_is_valid(target.data, target.len))
            return refuse(head, 400, "a bad percent escape in the request target");
        head->form = WEFT__H1_ORIGIN;
        return 0;
    }
    if (!absolute_is_valid(target))
        return refuse(head, 400, "the request target is neither a path nor a URL");
    head->form = WEFT__H1_ABSOLUTE;
    return 0;
}

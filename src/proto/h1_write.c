/*
 * h1_write.c - heads of requests and responses.
 *
 * Field names and values were checked when they entered weft_headers; what comes from
 * elsewhere (method, target, host) is checked here, before the first byte is written.  The
 * size is worked out first, so that a head is written whole or not at all.
 */
#include <string.h>

#include <weft/error.h>

#include "base/error_int.h"
#include "base/str.h"
#include "proto/chars.h"
#include "proto/h1.h"
#include "proto/header.h"
#include "proto/host.h"

enum { FRAMING_MAX = 64 }; /* the longest framing field and "Connection: close" */

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static bool is(const weft_headers *headers, size_t index, const char *name, size_t name_len)
{
    return weft__ieq_n(weft__header_name(headers, index), headers->entries[index].name_len, name,
                       name_len);
}

/* Fields that only the writer sets. */
static bool is_framing(const weft_headers *headers, size_t index)
{
    size_t len = headers->entries[index].name_len;
    return (len == 14 && is(headers, index, "content-length", 14)) ||
           (len == 17 && is(headers, index, "transfer-encoding", 17));
}

static size_t find(const weft_headers *headers, const char *name, size_t name_len)
{
    size_t index = 0;
    while (index < headers->len && !is(headers, index, name, name_len))
        index++;
    return index;
}

/* All fields but those of framing and the one at skip. */
static char *put_fields(char *to, const weft_headers *headers, size_t skip)
{
    for (size_t i = 0; i < headers->len; i++) {
        const struct weft__header *entry = &headers->entries[i];
        if (i == skip || is_framing(headers, i))
            continue;
        to = put(to, headers->text + entry->name, entry->name_len);
        to = PUT(to, ": ");
        to = put(to, headers->text + entry->value, entry->value_len);
        to = PUT(to, "\r\n");
    }
    return to;
}

static char *put_framing(char *to, enum weft__h1_body_kind body, uint64_t length)
{
    if (body == WEFT__H1_CHUNKED)
        return PUT(to, "Transfer-Encoding: chunked\r\n");
    if (body != WEFT__H1_LENGTH)
        return to;
    to = PUT(to, "Content-Length: ");
    to += weft__format_u64(length, to);
    return PUT(to, "\r\n");
}

static size_t fields_size(const weft_headers *headers)
{
    /* live counts two NULs for each field; ": " and CR LF are four bytes. */
    return headers->live + 2 * headers->len;
}

static int check_request(const char *method, const char *target, const char *host)
{
    size_t host_len;
    int port;
    if (method[0] == '\0' || !weft__chars_all(method, strlen(method), WEFT__CHAR_TOKEN))
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "the method is not a token");
    size_t len = 0;
    while ((unsigned char)target[len] > ' ' && target[len] != 0x7f)
        len++;
    if (target[len] != '\0')
        return weft__fail(WEFT_ELOCAL_PROTOCOL,
                          "the request target has byte 0x%02x, which would break the request line",
                          (unsigned char)target[len]);
    if (len == 0)
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "the request target is empty");
    if (!weft__host_port_is_valid(host, strlen(host), &host_len, &port))
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "Host is not a host name or address");
    return 0;
}

int weft__h1_write_request(struct weft__buf *buf, const char *method, const char *target,
                           const char *host, const weft_headers *headers,
                           enum weft__h1_body_kind body, uint64_t length)
{
    size_t host_at = find(headers, "host", 4);
    if (host_at < headers->len)
        host = weft__header_value(headers, host_at);
    int err = check_request(method, target, host);
    if (err < 0)
        return err;
    size_t method_len = strlen(method);
    size_t target_len = strlen(target);
    size_t host_len = strlen(host);
    err = weft__buf_reserve(buf, method_len + target_len + host_len + fields_size(headers) +
                                     FRAMING_MAX + sizeof "  HTTP/1.1\r\nHost: \r\n\r\n");
    if (err < 0)
        return weft__fail_with(err, "message head");
    size_t room;
    char *start = weft__buf_space(buf, &room);
    char *to = put(start, method, method_len);
    *to++ = ' ';
    to = put(to, target, target_len);
    to = PUT(to, " HTTP/1.1\r\nHost: ");
    to = put(to, host, host_len);
    to = PUT(to, "\r\n");
    to = put_fields(to, headers, host_at);
    to = put_framing(to, body, length);
    to = PUT(to, "\r\n");
    weft__buf_commit(buf, (size_t)(to - start));
    return 0;
}

int weft__h1_write_response(struct weft__buf *buf, int status, const char *date,
                            const weft_headers *headers, enum weft__h1_body_kind body,
                            uint64_t length, bool close)
{
    if (status < 100 || status > 999)
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "%d is not a status", status);
    const char *reason = weft_status_reason(status);
    if (date == NULL || find(headers, "date", 4) < headers->len)
        date = "";
    size_t reason_len = strlen(reason);
    size_t date_len = strlen(date);
    int err = weft__buf_reserve(buf, reason_len + date_len + fields_size(headers) + FRAMING_MAX +
                                         sizeof "HTTP/1.1 200 \r\nDate: \r\n\r\n");
    if (err < 0)
        return weft__fail_with(err, "message head");
    size_t room;
    char *start = weft__buf_space(buf, &room);
    char *to = PUT(start, "HTTP/1.1 ");
    to += weft__format_u64((uint64_t)status, to);
    *to++ = ' ';
    to = put(to, reason, reason_len);
    to = PUT(to, "\r\n");
    if (date_len > 0) {
        to = PUT(to, "Date: ");
        to = put(to, date, date_len);
        to = PUT(to, "\r\n");
    }
    to = put_fields(to, headers, headers->len);
    if (status >= 200 && status != 204)
        to = put_framing(to, body, length);
    if (close)
        to = PUT(to, "Connection: close\r\n");
    to = PUT(to, "\r\n");
    weft__buf_commit(buf, (size_t)(to - start));
    return 0;
}

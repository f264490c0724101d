/*
 * shown.c - URLs in sentences and logs: nothing secret, and never so long that what went wrong does
 * not fit behind them.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"

enum { NAME_MAX_LOOKED_AT = 64 };

/* Without signs, decoded, in lower case: "api%5fKey" is "apikey". */
static void plain_name(const char *name, size_t len, char to[NAME_MAX_LOOKED_AT])
{
    size_t n = 0;
    for (size_t i = 0; i < len && n < NAME_MAX_LOOKED_AT - 1; i++) {
        char c = name[i];
        if (c == '%' && i + 2 < len && weft__hex_value(name[i + 1]) >= 0 &&
            weft__hex_value(name[i + 2]) >= 0) {
            c = (char)(weft__hex_value(name[i + 1]) * 16 + weft__hex_value(name[i + 2]));
            i += 2;
        }
        c = weft__ascii_lower(c);
        if (weft__is_digit(c) || (c >= 'a' && c <= 'z'))
            to[n++] = c;
    }
    to[n] = '\0';
}

/* Of a query: names that fields have for such things, and those of signed URLs. */
static bool is_secret(const weft_client *client, const char *name, size_t len)
{
    static const char *const names[] = {"key", "sig", "code", "auth", "pass", "pwd", "jwt", "sid"};
    static const char *const parts[] = {"token",     "secret",     "apikey",    "password",
                                        "passwd",    "passphrase", "signature", "credential",
                                        "accesskey", "session"};
    char plain[NAME_MAX_LOOKED_AT];
    plain_name(name, len, plain);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(plain, names[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(plain, parts[i]) != NULL)
            return true;
    }
    return client != NULL ? weft__client_is_secret(client, name, len)
                          : weft__header_is_secret(name, len);
}

static int append_query(struct weft__buf *buf, const weft_client *client, const char *query)
{
    int err = 0;
    while (err == 0 && *query != '\0') {
        size_t len = strcspn(query, "&");
        size_t name_len = strcspn(query, "&=");
        if (name_len < len && is_secret(client, query, name_len)) {
            err = weft__buf_append(buf, query, name_len);
            if (err == 0)
                err = weft__buf_append_str(buf, "=***");
        } else {
            err = weft__buf_append(buf, query, len);
        }
        query += len;
        if (err == 0 && *query == '&')
            err = weft__buf_append_char(buf, *query++);
    }
    return err;
}

int weft__shown_append(struct weft__buf *buf, const weft_client *client, const weft_url *url)
{
    const char *query = weft_url_query(url);
    int err = weft__buf_printf(buf, "%s://%s%s", weft_url_scheme(url), weft_url_authority(url),
                               weft_url_path(url));
    if (err == 0 && query != NULL)
        err = weft__buf_append_char(buf, '?');
    return err == 0 && query != NULL ? append_query(buf, client, query) : err;
}

const char *weft__shown(const weft_client *client, const weft_url *url, char shown[WEFT__SHOWN])
{
    struct weft__buf buf;
    const char *query = weft_url_query(url);
    const char *text = weft_url_redacted(url);
    weft__buf_init(&buf, SIZE_MAX);
    int err = weft__buf_append(&buf, text, strcspn(text, "?#"));
    if (err == 0 && query != NULL)
        err = weft__buf_append_char(&buf, '?');
    if (err == 0 && query != NULL)
        err = append_query(&buf, client, query);
    /* Without memory for all of it, what there is of it. */
    bool cut = err < 0 || buf.len >= WEFT__SHOWN;
    size_t len = buf.len;
    if (cut && len > WEFT__SHOWN - sizeof "...")
        len = WEFT__SHOWN - sizeof "...";
    if (len > 0)
        memcpy(shown, weft__buf_bytes(&buf), len);
    memcpy(shown + len, "...", cut ? sizeof "..." : 0);
    shown[cut ? len + 3 : len] = '\0';
    weft__buf_done(&buf);
    return shown;
}

/* url_int.h - between the files of the URL parser. */
#ifndef WEFT_PROTO_URL_INT_H
#define WEFT_PROTO_URL_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/http.h>

#include "base/buf.h"
#include "proto/url.h"

/* A run of the input. */
struct weft__url_span {
    const char *data;
    size_t len;
};

/*
 * A URL, parsed once.  The texts stand behind the struct in the same block; host, query and
 * fragment are NULL where the standard says "null".
 */
struct weft_url {
    const char *href;
    const char *redacted;
    const char *scheme;
    const char *username;
    const char *password;
    const char *host;
    const char *path;
    const char *query;
    const char *fragment;
    const char *target;
    const char *authority;
    size_t path_end; /* length of href up to and with the path */
    int port;        /* -1: none, or the default of the scheme */
    bool opaque;     /* the path is not a list of segments: "mailto:a@b" */
};

/*
 * The percent-encode sets of the standard, as bits: a byte is encoded if its entry has the
 * set's bit. Bytes beyond ASCII always are.
 */
enum {
    WEFT__URL_C0 = 1,
    WEFT__URL_FRAGMENT = 2,
    WEFT__URL_QUERY = 4,
    WEFT__URL_SPECIAL_QUERY = 8,
    WEFT__URL_PATH = 16,
    WEFT__URL_USERINFO = 32,
    WEFT__URL_FORM = 64,
};

/*
 * Makes a URL of what a parser found: the texts up to fragment, port and opaque are read.
 * 0, -ENOMEM, or -EMSGSIZE when href is longer than a URL may be; sets no message.
 */
int weft__url_build(const struct weft_url *parts, weft_url **ret);
/* Writes what parts say, and parses it. */
int weft__url_write(const struct weft_url *parts, weft_url **ret);
bool weft__url_is_absolute(const char *text);
/* Appends text, encoded by the set; -ENOMEM or -EMSGSIZE. */
int weft__url_encode(struct weft__buf *to, const char *text, size_t len, unsigned set);
/* -1 for a scheme that is not special, 0 for file; else the default port. */
int weft__url_special_port(const char *scheme);

/*
 * Host parsing, section 3.5 of the standard: appends the host as it is written in a URL.
 * WEFT_EINVALID_URL with *ret_why, or -ENOMEM.
 */
int weft__url_parse_host(struct weft__buf *to, struct weft__url_span host, bool special,
                         const char **ret_why);
/* The text of an IPv6 address, without brackets: 0, or -1. */
int weft__url_parse_ipv6(const char *p, const char *end, uint16_t pieces[8]);
/* A domain to its ASCII form by UTS 46. 0, WEFT_EINVALID_URL or -ENOMEM; *ret: weft__free. */
int weft__idna_to_ascii(const char *domain, char **ret);
/* As people read it; unchanged where it cannot be. 0 or -ENOMEM; *ret: weft__free. */
int weft__idna_to_unicode(const char *domain, char **ret);

#endif

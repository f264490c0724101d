/*
 * cookie.h - cookies by RFC 6265bis: what a Set-Cookie field says, where a cookie may go, and a
 * store of them.  The time, in Unix seconds, is an argument; nothing here locks.
 */
#ifndef WEFT_PROTO_COOKIE_H
#define WEFT_PROTO_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/cookie.h>

#include "base/buf.h"

enum { WEFT__COOKIE_BUCKETS = 64 };

/* A stored cookie; its texts stand behind it in the same block. */
struct weft__cookie {
    struct weft__cookie *next;
    weft_cookie public;
    uint64_t created; /* order, not time: kept when the cookie is replaced */
    uint64_t used;    /* order of the last request it went with */
};

struct weft__jar {
    size_t n;
    uint64_t clock; /* counts what happens, for the two orders */
    struct weft__cookie *buckets[WEFT__COOKIE_BUCKETS];
};

/* Where a request goes, or a response comes from. */
struct weft__cookie_place {
    const char *host; /* as weft_url_host() gives it */
    const char *path; /* as weft_url_path() gives it */
    bool secure;      /* https or wss */
};

void weft__jar_init(struct weft__jar *jar);
void weft__jar_done(struct weft__jar *jar);
/*
 * Takes in one Set-Cookie value: 1, or 0 if it is to be ignored (RFC 6265bis 5.6, 5.7); -ENOMEM.
 * A cookie that has expired removes the one it stands for, and counts as taken in.
 */
int weft__jar_receive(struct weft__jar *jar, const struct weft__cookie_place *place,
                      const char *text, size_t len, int64_t now);
/* Stores a copy in place of the one of the same name, domain and path. All fields are set. */
int weft__jar_put(struct weft__jar *jar, const weft_cookie *cookie, int64_t now);
/*
 * Appends the value of the Cookie field, nothing if no cookie goes there: longest path first,
 * then the older ones (RFC 6265bis 5.8.3).
 */
int weft__jar_header(struct weft__jar *jar, const struct weft__cookie_place *place, int64_t now,
                     struct weft__buf *buf);
/* Takes out those that match; NULL matches all. How many. */
size_t weft__jar_remove(struct weft__jar *jar, const char *name, const char *domain,
                        const char *path);
void weft__jar_expire(struct weft__jar *jar, int64_t now);
/* Those that have not expired, in order of creation: weft__free() the array. */
int weft__jar_list(const struct weft__jar *jar, int64_t now, struct weft__cookie ***ret,
                   size_t *ret_n);

/* ---- parts, for tests ---- */

/* RFC 6265bis 5.1.1: 0, or -1 if it is no date. */
int weft__cookie_date(const char *text, size_t len, int64_t *ret);
/* Is host the domain, or below it?  Addresses only match themselves. */
bool weft__cookie_domain_matches(const char *host, const char *domain);
bool weft__cookie_path_matches(const char *path, const char *cookie_path);
/* A domain that belongs to nobody in particular, as "com" or "co.uk". */
bool weft__cookie_is_public_suffix(const char *domain);
/* Names that promise something of their cookie keep it: "__Secure-", "__Host-" (5.4). */
bool weft__cookie_prefix_holds(const weft_cookie *cookie);
/* No control characters, name and value within their limits; NULL, or what is wrong. */
const char *weft__cookie_wrong(const weft_cookie *cookie);

/* ---- the file of Netscape's days, which curl, wget and browsers' tools read ---- */

int weft__jar_print(const struct weft__jar *jar, int64_t now, struct weft__buf *buf);
/* *ret_skipped: lines that are no cookies. */
int weft__jar_parse(struct weft__jar *jar, const char *text, size_t len, int64_t now,
                    size_t *ret_skipped);

#endif

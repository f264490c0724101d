/* cookies_int.h - what the client asks of a jar. */
#ifndef WEFT_CLIENT_COOKIES_INT_H
#define WEFT_CLIENT_COOKIES_INT_H

#include <stdbool.h>

#include <weft/cookie.h>
#include <weft/http.h>

#include "base/buf.h"

/* Another owner of the jar: weft_cookies_free() for each. */
weft_cookies *weft__cookies_ref(weft_cookies *cookies);
/* No lock is taken for that. */
bool weft__cookies_is_empty(const weft_cookies *cookies);
/* A Set-Cookie field from there: 1 taken, 0 ignored, -ENOMEM. */
int weft__cookies_receive(weft_cookies *cookies, const weft_url *url, const char *text, size_t len);
/* Appends the Cookie field for a request there; nothing if there is none. */
int weft__cookies_header(weft_cookies *cookies, const weft_url *url, struct weft__buf *buf);

#endif

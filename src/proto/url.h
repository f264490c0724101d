/* url.h - what the rest of the library needs of URLs beside the public functions. */
#ifndef WEFT_PROTO_URL_H
#define WEFT_PROTO_URL_H

#include <weft/http.h>

/*
 * A client's base URL and what the caller gave: an absolute URL replaces the base; anything
 * else is appended to the base's path, "/" between them written once, and its query to the
 * base's query (httpx's base_url, but for the query).  gives *ret.
 */
int weft__url_append_path(const weft_url *base, const char *relative, weft_url **ret);

/* How a URL that could not be parsed is shown to people: no userinfo, printable ASCII only. */
enum { WEFT__URL_SHOWN = 128 };
void weft__url_show(const char *text, char shown[WEFT__URL_SHOWN]);

#endif

/* links.c - where the Link fields of a response lead (RFC 8288). */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "client/client_int.h"
#include "proto/link.h"

static int resolve(const weft_response *response, struct weft__text target, char **ret)
{
    weft_url *url;
    char *text = weft__strndup(target.data, target.len);
    if (text == NULL)
        return weft__fail_nomem();
    int err = weft_url_join(response->url, text, &url);
    weft__free(text);
    if (err < 0)
        return err == -ENOMEM ? err : weft__fail_with(WEFT_EREMOTE_PROTOCOL, "a Link to no URL");
    text = weft__strdup(weft_url_href(url));
    weft_url_free(url);
    if (text == NULL)
        return weft__fail_nomem();
    *ret = text;
    return 0;
}

int weft_response_link(const weft_response *response, const char *rel, char **ret)
{
    const char *value;
    struct weft__link link;
    for (size_t i = 0; (value = weft_headers_get_nth(&response->headers, "link", i)) != NULL; i++) {
        struct weft__text rest = {value, strlen(value)};
        while (weft__link_next(&rest, &link)) {
            /* One with an anchor is of another resource (RFC 8288 3.2). */
            if (!link.anchored && weft__link_is(&link, rel))
                return resolve(response, link.target, ret);
        }
    }
    return weft__fail(-ENOENT, "the response has no link \"%.100s\"", rel);
}

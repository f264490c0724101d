/* link.h - the Link field (RFC 8288), as pages of lists point to one another. */
#ifndef WEFT_PROTO_LINK_H
#define WEFT_PROTO_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/h1.h"

struct weft__link {
    struct weft__text target; /* a reference, to be resolved against the response's URL */
    struct weft__text rel;    /* relation types with spaces between them; nothing: none */
    struct weft__text params; /* all parameters as they stand */
    bool anchored;            /* it is a link of something else than the response */
};

/* The next link of a field value; what is no link is passed over. */
bool weft__link_next(struct weft__text *rest, struct weft__link *ret);
/* Is it one of the link's relation types? */
bool weft__link_is(const struct weft__link *link, const char *rel);

#endif

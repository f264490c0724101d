/* auth_int.h - what an auth object does for a call. */
#ifndef WEFT_CLIENT_AUTH_INT_H
#define WEFT_CLIENT_AUTH_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include <weft/auth.h>

#include "client/client_int.h"

struct weft__auth_kind {
    /* Puts fields for the next request into call->auth_fields. */
    int (*before)(weft_auth *auth, struct weft__call *call);
    /* 1: the request is to be sent again; 0: the response is the caller's; NULL: always 0. */
    int (*after)(weft_auth *auth, struct weft__call *call, weft_response *response);
    void (*done)(weft_auth *auth);
    bool every_status; /* after wants to see more than 401 */
    bool other_hosts;  /* has something to say after a redirect to another origin, too */
};

/* The first member of each kind. */
struct weft_auth {
    const struct weft__auth_kind *kind;
    atomic_int refs;
};

void weft__auth_init(weft_auth *auth, const struct weft__auth_kind *kind);
/* The field's value, where it is the same for all requests; NULL. */
const char *weft__auth_fixed_value(const weft_auth *auth);
/* Authorization in call->auth_fields. */
int weft__auth_set(struct weft__call *call, const char *value);

#endif

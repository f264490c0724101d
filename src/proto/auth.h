/*
 * auth.h - HTTP authentication: challenges (RFC 9110 11.6.1), Digest (RFC 7616, RFC 2069), and
 * what a netrc file says of a host.
 */
#ifndef WEFT_PROTO_AUTH_H
#define WEFT_PROTO_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/h1.h"

/* ---- challenges ---- */

struct weft__challenge {
    struct weft__text scheme;
    struct weft__text params; /* all of them, or a token68 */
};

/*
 * The next challenge of a WWW-Authenticate or Proxy-Authenticate value, of which there may be
 * several with commas between them, as there are between the parameters of each.
 */
bool weft__challenge_next(struct weft__text *rest, struct weft__challenge *ret);
/*
 * A parameter's value, unquoted, appended to buf: 1, 0: there is none; -ENOMEM.  The first one
 * of a name counts.
 */
int weft__challenge_param(const struct weft__challenge *challenge, const char *name,
                          struct weft__buf *buf);

/* ---- Digest ---- */

enum weft__digest_algorithm { WEFT__DIGEST_MD5, WEFT__DIGEST_SHA_256, WEFT__DIGEST_SHA_512_256 };

/* What a server asked for; answered again and again, with nc counting. */
struct weft__digest {
    char *realm;
    char *nonce;
    char *opaque;    /* NULL: none was given */
    char *algorithm; /* as it was written; NULL: none was given */
    enum weft__digest_algorithm kind;
    uint32_t nc; /* of the last answer */
    bool session;
    bool qop; /* "auth"; false: the form of RFC 2069 */
    bool user_hash;
    bool stale; /* the answer before was right but for its nonce */
};

/*
 * The strongest Digest challenge of a field that can be answered: 1, and *ret is to be released
 * with done; 0: there is none, as when only auth-int is offered; -ENOMEM.
 */
int weft__digest_from_challenge(const char *value, size_t len, struct weft__digest *ret);
void weft__digest_done(struct weft__digest *digest);
/* Of two challenges, is a the one to answer? */
bool weft__digest_is_stronger(const struct weft__digest *a, const struct weft__digest *b);

struct weft__digest_request {
    const char *method;
    const char *target; /* as it goes on the wire */
    const char *username;
    const char *password;
    const char *cnonce; /* hexadecimal digits, new for each answer */
};

/*
 * The value of Authorization, counted: weft__free().  -EINVAL: user name with a control
 * character or, where it is not hashed, a colon; -ENOMEM.
 */
int weft__digest_answer(struct weft__digest *digest, const struct weft__digest_request *request,
                        char **ret);

/* ---- netrc ---- */

/*
 * The entry of a host in the text of a netrc file: 1, and the two texts, which may be empty, are
 * weft__free()d; 0: none; -EINVAL: it is not such a file; -ENOMEM.  The first entry of a host
 * counts, and with or_default that of "default" for hosts without one.
 */
int weft__netrc_find(const char *text, size_t len, const char *host, bool or_default,
                     char **ret_login, char **ret_password);

#endif

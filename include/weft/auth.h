/*
 * weft/auth.h - how a client says who it is.
 *
 *     weft_auth *auth;
 *     weft_auth_digest("kim", password, &auth);
 *     weft_client_new(WEFT_CLIENT(.auth = auth), &client);
 *     weft_auth_free(auth);
 *
 * The auth of a client goes to the origin of its base_url, or without one to that of the URL that a
 * call names; the auth of a request to that of its URL.  A redirect to another origin ends it for
 * good.  One object may be used by any number of clients, requests and threads at once.
 */
#ifndef WEFT_AUTH_H
#define WEFT_AUTH_H

#include <weft/base.h>
#include <weft/http.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_auth weft_auth;
struct weft_response;

/**
 * weft_auth_basic() - user name and password, with every request
 * @username: copies.
 * @password: copies.
 * @ret:      gives, free with weft_auth_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL a colon in the user name; -ENOMEM.
 * Source:   httpx.BasicAuth; RFC 7617.
 * Since:    0.1
 */
WEFT_API int weft_auth_basic(const char *username, const char *password, weft_auth **ret);

/**
 * weft_auth_bearer() - a token, with every request
 * @token: copies.
 * @ret:   gives, free with weft_auth_free().
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   WEFT_ELOCAL_PROTOCOL a character that no field may have; -ENOMEM.
 * Source:   RFC 6750.
 * Since:    0.1
 */
WEFT_API int weft_auth_bearer(const char *token, weft_auth **ret);

/**
 * weft_auth_digest() - user name and password, of which only hashes are sent
 * @username: copies.
 * @password: copies.
 * @ret:      gives, free with weft_auth_free().
 *
 * Of the challenges of a 401 the strongest is answered: SHA-512-256, SHA-256, MD5, each also as
 * -sess.  Later requests to the origin are answered in advance.  A request is sent again once, a
 * second time where the server says that its nonce was stale; then the 401 is the caller's, as it
 * is when the server offers nothing but qop=auth-int.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL a control character in the user name; -ENOMEM.
 * Source:   httpx.DigestAuth; RFC 7616.
 * Since:    0.1
 */
WEFT_API int weft_auth_digest(const char *username, const char *password, weft_auth **ret);

/**
 * weft_auth_netrc() - user names and passwords of a netrc file, as Basic
 * @path: borrows, NULL for $NETRC or, without it, ~/.netrc. At most 1 MiB.
 * @ret:  gives, free with weft_auth_free().
 *
 * The file is read once, here.  A request has what the entry of its host says, whatever else stands
 * in the URL.  A redirect to another host has what the entry of that host says, never that of
 * another or of "default", and nothing where it leads from https to http.
 *
 * Suspends: yes, while the file is read.
 * Cancel:   -ECANCELED.
 * Return:   0, or negative.
 * Errors:   those of weft_read_file(); -EFBIG; -EINVAL it is no netrc file; -ENOMEM.
 * Source:   httpx.NetRCAuth.
 * Since:    0.1
 */
WEFT_API int weft_auth_netrc(const char *path, weft_auth **ret);

/* ---- a flow of one's own ---- */

typedef struct weft_auth_step {
    size_t size;
    const char *method;             /* lends, as all of these until the function returns */
    const char *url;                /* with its password, if it has one */
    const char *target;             /* as it goes on the wire: "/path?query" */
    const void *body;               /* NULL: none, or one that comes piece by piece */
    size_t body_len;                /* bytes of body */
    struct weft_response *response; /* to the request before; NULL: there was none yet */
    int turn;                       /* requests before this one */
    weft_headers *fields;           /* to be filled: fields that the next request has instead of its
                                       own of the same names */
} weft_auth_step;

typedef struct weft_auth_flow {
    size_t size;
    /* Called before the first request, and then for every response to one.  1: send the request,
       again; 0: it is done, the response is the caller's (before the first: go); negative: an
       error, which ends the call.  It may suspend, and may be called on several threads. */
    int (*step)(void *userdata, const weft_auth_step *step);
    void *userdata;
    void (*drop)(void *userdata); /* when the object is no longer used */
    bool response_body;           /* step wants to see the bodies of responses, not only heads */
} weft_auth_flow;
#define WEFT_AUTH_FLOW(...) WEFT_OPTIONS(weft_auth_flow, __VA_ARGS__)

/**
 * weft_auth_custom() - a function that sees each reply and says what is sent next
 * @flow: copies.
 * @ret:  gives, free with weft_auth_free(). On failure drop is not called.
 *
 * At most 8 requests are sent for one response.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no function; -ENOMEM.
 * Source:   httpx.Auth.auth_flow.
 * Since:    0.1
 */
WEFT_API int weft_auth_custom(const weft_auth_flow *flow, weft_auth **ret);

/* ---- tokens that end ---- */

typedef struct weft_token weft_token;

/**
 * weft_token_set() - what a function that fetches a token got
 * @token:    borrows.
 * @text:     copies.
 * @lifetime: nanoseconds from now; WEFT_FOREVER where it is not known.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no text, or an unfit lifetime; WEFT_ELOCAL_PROTOCOL; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_token_set(weft_token *token, const char *text, int64_t lifetime);

typedef struct weft_auth_token_options {
    size_t size;
    int (*fetch)(void *userdata, weft_token *token); /* calls weft_token_set(); 0, or an error,
                                                        which ends the call; may suspend */
    void *userdata;
    void (*drop)(void *userdata); /* when the object is no longer used */
    int64_t early; /* a token is renewed so long before it ends; default 10 s, at most half of its
                      lifetime */
} weft_auth_token_options;
#define WEFT_AUTH_TOKEN(...) WEFT_OPTIONS(weft_auth_token_options, __VA_ARGS__)

/**
 * weft_auth_token() - a Bearer token that is fetched, and renewed when it ends
 * @options: copies.
 * @ret:     gives, free with weft_auth_free(). On failure drop is not called.
 *
 * However many requests need the token, on whatever thread, one of them fetches it and the others
 * wait; an error is told to all of them.  A 401 makes the token old: it is fetched anew, and the
 * request is sent once more.  The function must not make a request that waits for this object.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL no function, or a negative time; -ENOMEM.
 * Source:   a custom httpx.Auth with a lock.
 * Since:    0.1
 */
WEFT_API int weft_auth_token(const weft_auth_token_options *options, weft_auth **ret);

/* ---- all of them ---- */

/**
 * weft_auth_none() - nobody, where a client would be somebody
 *
 * For a request: neither the client's auth nor what stands in the URL is sent.
 *
 * Suspends: never.
 * Return:   lends a static object.
 * Source:   httpx: auth=None.
 * Since:    0.1
 */
WEFT_API weft_auth *weft_auth_none(void);
#define WEFT_AUTH_NONE weft_auth_none()

/**
 * weft_auth_ref() - another owner
 * @auth: borrows.
 *
 * Suspends: never.
 * Return:   auth, free with weft_auth_free().
 * Since:    0.1
 */
WEFT_API weft_auth *weft_auth_ref(weft_auth *auth);

/**
 * weft_auth_free() - release an auth
 * @auth: takes. NULL is allowed. Clients that use it keep it for as long as they live.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_auth_free(weft_auth *auth);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_auth, weft_auth_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

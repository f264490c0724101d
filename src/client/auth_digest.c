/*
 * auth_digest.c - Digest for calls: what each origin asked for last, and answers to it.
 *
 * A challenge is kept by origin, so that later requests are answered in advance with nc counting on,
 * and never an answer made for one origin goes to another.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/auth_int.h"
#include "proto/auth.h"

struct known {
    struct known *next; /* used before this one */
    struct weft__digest digest;
    bool secure;
    int port;
    char host[];
};

struct digest {
    weft_auth auth;
    pthread_mutex_t lock;
    struct known *known; /* under lock, used last first */
    size_t n_known;
    char *username;
    char *password;
};

static bool is_secure(const weft_url *url)
{
    return strcmp(weft_url_scheme(url), "https") == 0;
}

/* ---- what is known of origins: under the lock ---- */

static void known_free(struct known *known)
{
    if (known == NULL)
        return;
    weft__digest_done(&known->digest);
    weft__free(known);
}

static struct known *take(struct digest *digest, const weft_url *url)
{
    for (struct known **at = &digest->known; *at != NULL; at = &(*at)->next) {
        struct known *known = *at;
        if (known->port == weft_url_port(url) && known->secure == is_secure(url) &&
            strcmp(known->host, weft_url_host(url)) == 0) {
            *at = known->next;
            digest->n_known--;
            return known;
        }
    }
    return NULL;
}

static void put(struct digest *digest, struct known *known)
{
    known->next = digest->known;
    digest->known = known;
    if (++digest->n_known <= WEFT__LIMIT_DIGEST_ORIGINS)
        return;
    struct known **at = &digest->known;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    known_free(*at);
    *at = NULL;
    digest->n_known--;
}

/* Takes challenge, unless it is the one that is known already, whose count goes on. */
static int learn(struct digest *digest, const weft_url *url, struct weft__digest *challenge)
{
    const char *host = weft_url_host(url);
    size_t size = strlen(host) + 1;
    struct known *known = take(digest, url);
    if (known == NULL) {
        known = weft__calloc(1, sizeof *known + size);
        if (known == NULL)
            return weft__fail_nomem();
        memcpy(known->host, host, size);
        known->port = weft_url_port(url);
        known->secure = is_secure(url);
    }
    if (known->digest.nonce == NULL || strcmp(known->digest.nonce, challenge->nonce) != 0) {
        weft__digest_done(&known->digest);
        known->digest = *challenge;
        memset(challenge, 0, sizeof *challenge);
    }
    put(digest, known);
    return 0;
}

/* ---- requests ---- */

static int make_cnonce(char cnonce[33])
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (long)sizeof random)
        return weft__fail_with(-errno, "random numbers for a Digest answer");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(cnonce + 2 * i, 3, "%02x", random[i]);
    return 0;
}

static int digest_before(weft_auth *auth, struct weft__call *call)
{
    struct digest *digest = (struct digest *)auth;
    char cnonce[33];
    char *value = NULL;
    weft__headers_reset(&call->auth_fields);
    pthread_mutex_lock(&digest->lock);
    struct known *known = take(digest, call->url);
    int err = known != NULL ? make_cnonce(cnonce) : 0;
    if (known != NULL && err == 0) {
        const struct weft__digest_request request = {
            .method = call->method,
            .target = weft__request_target(call),
            .username = digest->username,
            .password = digest->password,
            .cnonce = cnonce,
        };
        err = weft__digest_answer(&known->digest, &request, &value);
    }
    if (known != NULL)
        put(digest, known);
    pthread_mutex_unlock(&digest->lock);
    if (value != NULL)
        err = weft__auth_set(call, value);
    weft__free(value);
    return err;
}

/* ---- responses ---- */

/* The strongest challenge of all fields: 1, or 0. */
static int find_challenge(const weft_response *response, struct weft__digest *ret)
{
    const char *field;
    bool found = false;
    for (size_t i = 0;
         (field = weft_headers_get_nth(&response->headers, "www-authenticate", i)) != NULL; i++) {
        struct weft__digest challenge;
        int result = weft__digest_from_challenge(field, strlen(field), &challenge);
        if (result < 0) {
            if (found)
                weft__digest_done(ret);
            return result;
        }
        if (result > 0 && (!found || weft__digest_is_stronger(&challenge, ret))) {
            if (found)
                weft__digest_done(ret);
            *ret = challenge;
            found = true;
        } else if (result > 0) {
            weft__digest_done(&challenge);
        }
    }
    return found;
}

static void forget(struct digest *digest, const weft_url *url)
{
    pthread_mutex_lock(&digest->lock);
    known_free(take(digest, url));
    pthread_mutex_unlock(&digest->lock);
}

static int digest_after(weft_auth *auth, struct weft__call *call, weft_response *response)
{
    struct digest *digest = (struct digest *)auth;
    struct weft__digest challenge;
    int result = find_challenge(response, &challenge);
    if (result < 0)
        return result;
    bool last = call->auth_turn > 0 &&
                (result == 0 || !challenge.stale || call->auth_turn >= WEFT__LIMIT_DIGEST_ANSWERS);
    if (result == 0 || last) {
        if (result > 0)
            weft__digest_done(&challenge);
        forget(digest, call->url);
        return 0;
    }
    pthread_mutex_lock(&digest->lock);
    int err = learn(digest, call->url, &challenge);
    pthread_mutex_unlock(&digest->lock);
    weft__digest_done(&challenge);
    return err < 0 ? err : 1;
}

/* ---- life ---- */

static void digest_done(weft_auth *auth)
{
    struct digest *digest = (struct digest *)auth;
    while (digest->known != NULL) {
        struct known *next = digest->known->next;
        known_free(digest->known);
        digest->known = next;
    }
    weft__free(digest->username);
    weft__free(digest->password);
    pthread_mutex_destroy(&digest->lock);
}

static const struct weft__auth_kind digest_kind = {
    .before = digest_before,
    .after = digest_after,
    .done = digest_done,
};

int weft_auth_digest(const char *username, const char *password, weft_auth **ret)
{
    if (username == NULL || password == NULL)
        return weft__fail(-EINVAL, "a user name or password is missing");
    for (const char *p = username; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return weft__fail(-EINVAL, "a control character is in the user name");
    }
    struct digest *digest = weft__calloc(1, sizeof *digest);
    if (digest == NULL)
        return weft__fail_nomem();
    weft__auth_init(&digest->auth, &digest_kind);
    pthread_mutex_init(&digest->lock, NULL);
    digest->username = weft__strdup(username);
    digest->password = weft__strdup(password);
    if (digest->username == NULL || digest->password == NULL) {
        weft_auth_free(&digest->auth);
        return weft__fail_nomem();
    }
    *ret = &digest->auth;
    return 0;
}

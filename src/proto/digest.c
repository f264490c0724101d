/* digest.c - Digest authentication (RFC 7616), and its first form (RFC 2069). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/auth.h"

static const char scheme[] = "Digest ";

enum { HASH_MAX = 32, HEX_MAX = 2 * HASH_MAX + 1 };

static const struct {
    const char *name;
    enum weft__digest_algorithm kind;
    bool session;
} algorithms[] = {
    {"MD5", WEFT__DIGEST_MD5, false},
    {"MD5-sess", WEFT__DIGEST_MD5, true},
    {"SHA-256", WEFT__DIGEST_SHA_256, false},
    {"SHA-256-sess", WEFT__DIGEST_SHA_256, true},
    {"SHA-512-256", WEFT__DIGEST_SHA_512_256, false},
    {"SHA-512-256-sess", WEFT__DIGEST_SHA_512_256, true},
};

/* ---- the challenge ---- */

void weft__digest_done(struct weft__digest *digest)
{
    weft__free(digest->realm);
    weft__free(digest->nonce);
    weft__free(digest->opaque);
    weft__free(digest->algorithm);
    memset(digest, 0, sizeof *digest);
}

/* 1: *ret is its text; 0: there is none, or it is one that cannot be answered; -ENOMEM. */
static int take_param(const struct weft__challenge *challenge, const char *name, char **ret)
{
    struct weft__buf buf;
    weft__buf_init(&buf, WEFT__LIMIT_CHALLENGE);
    int result = weft__challenge_param(challenge, name, &buf);
    if (result > 0 && weft__buf_take(&buf, ret, NULL) < 0)
        result = -ENOMEM;
    weft__buf_done(&buf);
    if (result == -ENOMEM)
        return weft__fail_nomem();
    return result > 0;
}

static bool set_algorithm(struct weft__digest *digest)
{
    const char *name = digest->algorithm != NULL ? digest->algorithm : "MD5";
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (weft__ieq(name, algorithms[i].name)) {
            digest->kind = algorithms[i].kind;
            digest->session = algorithms[i].session;
            return true;
        }
    }
    return false;
}

/* Is "auth" one of the list? */
static bool offers_auth(const char *list)
{
    struct weft__text rest = {list, strlen(list)};
    struct weft__text item;
    while (weft__list_next(&rest, &item)) {
        if (weft__ieq_n(item.data, item.len, "auth", 4))
            return true;
    }
    return false;
}

/* What goes back inside quotes must be able to stand there. */
static bool is_plain(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    }
    return true;
}

static int read_flags(const struct weft__challenge *challenge, struct weft__digest *digest)
{
    static const char *const names[] = {"qop", "stale", "userhash"};
    for (int i = 0; i < 3; i++) {
        char *value = NULL;
        int result = take_param(challenge, names[i], &value);
        if (result < 0)
            return result;
        if (i == 0)
            digest->qop = result > 0;
        else if (i == 1)
            digest->stale = result > 0 && weft__ieq(value, "true");
        else
            digest->user_hash = result > 0 && weft__ieq(value, "true");
        bool unknown = i == 0 && result > 0 && !offers_auth(value);
        weft__free(value);
        if (unknown)
            return 0;
    }
    return 1;
}

static int read_challenge(const struct weft__challenge *challenge, struct weft__digest *digest)
{
    struct {
        const char *name;
        char **at;
        bool needed;
    } params[] = {
        {"realm", &digest->realm, true},
        {"nonce", &digest->nonce, true},
        {"opaque", &digest->opaque, false},
        {"algorithm", &digest->algorithm, false},
    };
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        int result = take_param(challenge, params[i].name, params[i].at);
        if (result < 0 || (result == 0 && params[i].needed))
            return result;
        if (!is_plain(*params[i].at))
            return 0;
    }
    return set_algorithm(digest) ? read_flags(challenge, digest) : 0;
}

bool weft__digest_is_stronger(const struct weft__digest *a, const struct weft__digest *b)
{
    if (a->kind != b->kind)
        return a->kind > b->kind;
    return a->qop && !b->qop;
}

int weft__digest_from_challenge(const char *value, size_t len, struct weft__digest *ret)
{
    struct weft__text rest = {value, len};
    struct weft__challenge challenge;
    struct weft__digest best = {0};
    bool found = false;
    while (weft__challenge_next(&rest, &challenge)) {
        struct weft__digest digest = {0};
        if (!weft__ieq_n(challenge.scheme.data, challenge.scheme.len, "digest", 6))
            continue;
        int result = read_challenge(&challenge, &digest);
        if (result > 0 && (!found || weft__digest_is_stronger(&digest, &best))) {
            weft__digest_done(&best);
            best = digest;
            found = true;
            continue;
        }
        weft__digest_done(&digest);
        if (result < 0) {
            weft__digest_done(&best);
            return result;
        }
    }
    if (found)
        *ret = best;
    return found;
}

/* ---- the answer ---- */

/* The hash of texts with colons between them, in hexadecimal; NULL ends the list. */
static int hash(enum weft__digest_algorithm kind, char hex[HEX_MAX], const char *const *texts)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const EVP_MD *md = kind == WEFT__DIGEST_MD5       ? EVP_md5()
                       : kind == WEFT__DIGEST_SHA_256 ? EVP_sha256()
                                                      : EVP_sha512_256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, md, NULL) == 1;
    for (size_t i = 0; ok && texts[i] != NULL; i++)
        ok = (i == 0 || EVP_DigestUpdate(context, ":", 1) == 1) &&
             EVP_DigestUpdate(context, texts[i], strlen(texts[i])) == 1;
    ok = ok && EVP_DigestFinal_ex(context, bytes, &len) == 1 && len <= HASH_MAX;
    EVP_MD_CTX_free(context);
    if (!ok)
        return weft__fail(-EIO, "the hash of a Digest answer could not be computed");
    for (unsigned i = 0; i < len; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * len] = '\0';
    return 0;
}

#define HASH(kind, hex, ...) hash((kind), (hex), (const char *const[]){__VA_ARGS__, NULL})

static int make_response(const struct weft__digest *digest,
                         const struct weft__digest_request *request, const char *nc,
                         char response[HEX_MAX])
{
    char a1[HEX_MAX];
    char a2[HEX_MAX];
    char first[HEX_MAX];
    int err = HASH(digest->kind, a1, request->username, digest->realm, request->password);
    if (err == 0 && digest->session) {
        memcpy(first, a1, sizeof first);
        err = HASH(digest->kind, a1, first, digest->nonce, request->cnonce);
    }
    if (err == 0)
        err = HASH(digest->kind, a2, request->method, request->target);
    if (err < 0)
        return err;
    if (!digest->qop)
        return HASH(digest->kind, response, a1, digest->nonce, a2);
    return HASH(digest->kind, response, a1, digest->nonce, nc, request->cnonce, "auth", a2);
}

static int append_quoted(struct weft__buf *buf, const char *name, const char *value)
{
    int err = weft__buf_printf(buf, "%s%s=\"", buf->len > sizeof scheme ? ", " : "", name);
    for (; err == 0 && *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            err = weft__buf_append_char(buf, '\\');
        if (err == 0)
            err = weft__buf_append_char(buf, *value);
    }
    return err < 0 ? err : weft__buf_append_char(buf, '"');
}

static int append_username(struct weft__buf *buf, const struct weft__digest *digest,
                           const struct weft__digest_request *request)
{
    char hashed[HEX_MAX];
    if (!digest->user_hash)
        return append_quoted(buf, "username", request->username);
    int err = HASH(digest->kind, hashed, request->username, digest->realm);
    return err < 0 ? err : append_quoted(buf, "username", hashed);
}

static int append_answer(struct weft__buf *buf, const struct weft__digest *digest,
                         const struct weft__digest_request *request, const char *nc,
                         const char *response)
{
    int err = weft__buf_append_str(buf, scheme);
    if (err == 0)
        err = append_username(buf, digest, request);
    if (err == 0)
        err = append_quoted(buf, "realm", digest->realm);
    if (err == 0)
        err = append_quoted(buf, "nonce", digest->nonce);
    if (err == 0)
        err = append_quoted(buf, "uri", request->target);
    if (err == 0 && digest->algorithm != NULL)
        err = weft__buf_printf(buf, ", algorithm=%s", digest->algorithm);
    if (err == 0 && (digest->qop || digest->session))
        err = append_quoted(buf, "cnonce", request->cnonce);
    if (err == 0 && digest->qop)
        err = weft__buf_printf(buf, ", nc=%s, qop=auth", nc);
    if (err == 0)
        err = append_quoted(buf, "response", response);
    if (err == 0 && digest->opaque != NULL)
        err = append_quoted(buf, "opaque", digest->opaque);
    if (err == 0 && digest->user_hash)
        err = weft__buf_append_str(buf, ", userhash=true");
    return err;
}

int weft__digest_answer(struct weft__digest *digest, const struct weft__digest_request *request,
                        char **ret)
{
    char nc[9];
    char response[HEX_MAX];
    struct weft__buf buf;
    if (!is_plain(request->username))
        return weft__fail(-EINVAL, "a control character is in the user name");
    if (!digest->user_hash && strchr(request->username, ':') != NULL)
        return weft__fail(-EINVAL, "a user name for Digest cannot have a colon");
    snprintf(nc, sizeof nc, "%08x", ++digest->nc);
    int err = make_response(digest, request, nc, response);
    if (err < 0)
        return err;
    weft__buf_init(&buf, SIZE_MAX);
    err = append_answer(&buf, digest, request, nc, response);
    if (err == 0 && weft__buf_take(&buf, ret, NULL) < 0)
        err = -ENOMEM;
    weft__buf_done(&buf);
    return err == -ENOMEM ? weft__fail_nomem() : err;
}

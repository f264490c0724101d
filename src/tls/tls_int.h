/* tls_int.h - TLS from inside: settings with their sessions, and one connection. */
#ifndef WEFT_TLS_TLS_INT_H
#define WEFT_TLS_TLS_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <openssl/ssl.h>

#include <weft/tls.h>

#include "base/list.h"

enum {
    WEFT__TLS_RECORD = 16 * 1024, /* bytes of plain text in a record, RFC 8446 section 5.1 */
    WEFT__TLS_TEXT_MAX = 256,     /* of a reason */
    WEFT__TLS_ALPN_MAX = 64,
    WEFT__TLS_PIN = 32 /* bytes of SHA-256 */
};

/* A session that was given for a server name, to be resumed. */
struct weft__tls_session {
    char *name;
    SSL_SESSION *session;
};

/* Shared by threads: ctx is immutable once made, the sessions are under the lock. */
struct weft_tls {
    atomic_int refs;
    SSL_CTX *ctx;
    bool server;
    bool verify;
    unsigned char *alpn; /* as on the wire: each with its length before it */
    size_t alpn_len;
    CRYPTO_RWLOCK *lock;
    struct weft__tls_session *sessions; /* oldest first */
    size_t n_sessions;
    unsigned char (*pins)[WEFT__TLS_PIN]; /* of which one must be the peer's */
    size_t n_pins;
    bool ocsp;
    BIO *keylog; /* NULL: none */
};

struct weft__tls_conn {
    SSL *ssl;
    weft_tls *tls;
    weft_stream *below;
    char *name; /* the server's, without a dot at its end; NULL on the server */
    char *in;   /* encrypted, from below; NULL while there is none */
    size_t in_start;
    size_t in_len;
    char *out; /* encrypted, for below */
    size_t out_len;
    struct weft__list drainers; /* tasks that wait for the one that writes to below */
    int error;                  /* what broke the connection; every later call returns it */
    int write_error;            /* what broke its writing half */
    bool torn;                  /* by a write that was cut short */
    bool established;
    bool begun; /* something of the present write is encrypted */
    bool in_ended;
    bool draining;
    bool no_memory;                  /* inside an SSL call */
    char reason[WEFT__TLS_TEXT_MAX]; /* of error */
    char verify[WEFT__TLS_TEXT_MAX]; /* why the peer's certificate was refused; empty: was not */
    char alpn[WEFT__TLS_ALPN_MAX];
};

/* ---- sessions ---- */

/* Takes session. */
void weft__tls_session_put(weft_tls *tls, const char *name, SSL_SESSION *session);
/* One to be resumed, which the caller frees, or NULL. */
SSL_SESSION *weft__tls_session_take(weft_tls *tls, const char *name);
void weft__tls_sessions_free(weft_tls *tls);

weft_tls *weft__tls_ref(weft_tls *tls);

/* ---- settings and checks ---- */

/* A whole copy, for weft__tls_options_free(). */
int weft__tls_options_copy(const weft_tls_options *options, weft_tls_options **ret);
void weft__tls_options_free(weft_tls_options *options);

int weft__tls_set_pins(weft_tls *tls, const char *const *pins);
int weft__tls_set_crl(weft_tls *tls, const char *path);
int weft__tls_set_keylog(weft_tls *tls, const weft_tls_options *options);
/* SHA-256 of the SubjectPublicKeyInfo, which pins are made of. */
int weft__tls_key_digest(X509 *certificate, unsigned char ret[WEFT__TLS_PIN]);
/* Of a TLS stream, or one above it; NULL: there is none. */
SSL *weft__tls_ssl(weft_stream *stream);
void weft__tls_checks_done(weft_tls *tls);
/* What is checked of a peer once the handshake is over: 0, or WEFT_ETLS_VERIFY. */
int weft__tls_check_peer(struct weft__tls_conn *conn);

/* ---- reasons ---- */

/* The verify callback: notes in the connection why a certificate is refused. */
int weft__tls_verify(int ok, X509_STORE_CTX *store);
/* Sets error and reason of a connection from OpenSSL's queue, and the message; returns the code. */
int weft__tls_fail(struct weft__tls_conn *conn, const char *what, int ssl_error);
/* Of a file or setting: "what: reason". */
int weft__tls_fail_setup(const char *what, const char *name);

#endif

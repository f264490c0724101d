/*
 * context.c - settings of TLS: versions, trust, certificates, ALPN.  Built once, kept for life.
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "tls/tls_int.h"

static int add_ca_file(SSL_CTX *ctx, const char *path)
{
    if (SSL_CTX_load_verify_file(ctx, path) == 1)
        return 0;
    return weft__tls_fail_setup("CA file", path);
}

static int add_ca_dir(SSL_CTX *ctx, const char *path)
{
    if (SSL_CTX_load_verify_dir(ctx, path) == 1)
        return 0;
    return weft__tls_fail_setup("CA folder", path);
}

/* ---- the system's store ---- */

/* Certificates by the hash of their name, as c_rehash leaves them: "5ed36f99.0". */
static bool is_hashed(const char *path)
{
    DIR *dir = opendir(path);
    bool found = false;
    const struct dirent *entry;
    if (dir == NULL)
        return false;
    while (!found && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        found = len == 10 && strcmp(entry->d_name + 8, ".0") == 0;
    }
    closedir(dir);
    return found;
}

/* Set and not empty; in a set-user-id program the environment is a stranger's. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/*
 * A hashed folder is asked for one certificate when it is needed (4 us); the bundle is parsed
 * whole (20 ms), so it is the last resort.  Without any, no certificate verifies.
 */
static int add_system_store(SSL_CTX *ctx, bool ignore_env)
{
    const char *file = ignore_env ? NULL : environment(X509_get_default_cert_file_env());
    const char *dir = ignore_env ? NULL : environment(X509_get_default_cert_dir_env());
    const char *dirs[] = {X509_get_default_cert_dir(), "/etc/ssl/certs"};
    const char *files[] = {X509_get_default_cert_file(), "/etc/ssl/certs/ca-certificates.crt",
                           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                           "/etc/ssl/cert.pem"};
    int err = file != NULL ? add_ca_file(ctx, file) : 0;
    if (err == 0 && dir != NULL)
        err = add_ca_dir(ctx, dir);
    if (err < 0 || file != NULL || dir != NULL)
        return err;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        if (is_hashed(dirs[i]))
            return add_ca_dir(ctx, dirs[i]);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (access(files[i], R_OK) == 0)
            return add_ca_file(ctx, files[i]);
    }
    return 0;
}

static int set_trust(weft_tls *tls, const weft_tls_options *options)
{
    int err = 0;
    bool given = options->ca_file != NULL || options->ca_dir != NULL;
    /* A server asks for certificates only where it was told whose. */
    tls->verify = tls->server ? given : !options->insecure_no_verify;
    if (!tls->verify)
        return 0;
    if (options->ca_file != NULL)
        err = add_ca_file(tls->ctx, options->ca_file);
    if (err == 0 && options->ca_dir != NULL)
        err = add_ca_dir(tls->ctx, options->ca_dir);
    if (err == 0 && !given)
        err = add_system_store(tls->ctx, options->ignore_env);
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       weft__tls_verify);
    return err;
}

/* ---- certificate, ALPN, sessions ---- */

/* Nobody is asked at a terminal. */
static int give_password(char *buf, int size, int writing, void *userdata)
{
    const char *password = userdata;
    (void)writing;
    if (password == NULL)
        return -1;
    size_t len = strlen(password);
    if (len > (size_t)size)
        return -1;
    memcpy(buf, password, len);
    return (int)len;
}

static int set_certificate(weft_tls *tls, const weft_tls_options *options)
{
    const char *cert = options->cert_file;
    const char *key = options->key_file != NULL ? options->key_file : cert;
    if (cert == NULL)
        return tls->server ? weft__fail(-EINVAL, "a TLS server needs a cert_file") : 0;
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, cert) != 1)
        return weft__tls_fail_setup("certificate file", cert);
    SSL_CTX_set_default_passwd_cb(tls->ctx, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(tls->ctx, (void *)(uintptr_t)options->key_password);
    int good = SSL_CTX_use_PrivateKey_file(tls->ctx, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(tls->ctx, NULL);
    return good == 1 ? 0 : weft__tls_fail_setup("key file", key);
}

/* The server's preference counts; without a common protocol there is no connection (RFC 7301). */
static int select_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                       const unsigned char *offered, unsigned offered_len, void *userdata)
{
    const weft_tls *tls = userdata;
    (void)ssl;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)ret, ret_len, tls->alpn,
                              (unsigned)tls->alpn_len, offered,
                              offered_len) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_alpn(weft_tls *tls, const char *const *names)
{
    size_t total = 0;
    if (names == NULL || names[0] == NULL)
        return 0;
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t len = strlen(names[i]);
        if (len == 0 || len >= WEFT__TLS_ALPN_MAX)
            return weft__fail(-EINVAL, "an ALPN name has %zu bytes; 1 to %d are allowed", len,
                              WEFT__TLS_ALPN_MAX - 1);
        total += len + 1;
    }
    tls->alpn = weft__alloc(total);
    if (tls->alpn == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t len = strlen(names[i]);
        tls->alpn[tls->alpn_len++] = (unsigned char)len;
        memcpy(tls->alpn + tls->alpn_len, names[i], len);
        tls->alpn_len += len;
    }
    if (tls->server)
        SSL_CTX_set_alpn_select_cb(tls->ctx, select_alpn, tls);
    else if (SSL_CTX_set_alpn_protos(tls->ctx, tls->alpn, (unsigned)tls->alpn_len) != 0)
        return weft__tls_fail_setup("ALPN", NULL);
    return 0;
}

static int new_session(SSL *ssl, SSL_SESSION *session)
{
    const struct weft__tls_conn *conn = SSL_get_app_data(ssl);
    if (conn->name == NULL)
        return 0;
    weft__tls_session_put(conn->tls, conn->name, session);
    return 1;
}

static void set_sessions(weft_tls *tls, bool no_resume)
{
    if (no_resume) {
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(tls->ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(tls->ctx, 0);
    } else if (tls->server) {
        /* Tickets hold the sessions; the id only keeps them apart from other programs'. */
        SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_session_id_context(tls->ctx, (const unsigned char *)"weft", 4);
    } else {
        SSL_CTX_set_session_cache_mode(tls->ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(tls->ctx, new_session);
    }
}

/* ---- making one ---- */

static int set_up(weft_tls *tls, const weft_tls_options *options)
{
    ERR_clear_error();
    tls->lock = CRYPTO_THREAD_lock_new();
    tls->ctx = SSL_CTX_new(tls->server ? TLS_server_method() : TLS_client_method());
    if (tls->lock == NULL || tls->ctx == NULL)
        return weft__tls_fail_setup("SSL_CTX_new", NULL);
    int minimum = options->minimum == WEFT_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (options->minimum != 0 && options->minimum != WEFT_TLS_1_2 &&
        options->minimum != WEFT_TLS_1_3)
        return weft__fail(-EINVAL, "TLS: %d is not a lowest version", (int)options->minimum);
    tls->ocsp = options->ocsp && !tls->server;
    if (SSL_CTX_set_min_proto_version(tls->ctx, minimum) != 1)
        return weft__tls_fail_setup("lowest version", NULL);
    if (SSL_CTX_get_security_level(tls->ctx) < 2)
        SSL_CTX_set_security_level(tls->ctx, 2);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS);
    /* A server may ask for a certificate once it has seen the request (RFC 8446, section 4.6.2). */
    SSL_CTX_set_post_handshake_auth(tls->ctx, !tls->server);
    set_sessions(tls, options->no_resume);
    int err = set_trust(tls, options);
    if (err == 0)
        err = weft__tls_set_crl(tls, options->crl_file);
    if (err == 0)
        err = weft__tls_set_pins(tls, options->pins);
    if (err == 0)
        err = weft__tls_set_keylog(tls, options);
    if (err == 0)
        err = set_certificate(tls, options);
    return err < 0 ? err : set_alpn(tls, options->alpn);
}

static int tls_new(bool server, const weft_tls_options *options, weft_tls **ret)
{
    weft_tls_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    weft_tls *tls = weft__calloc(1, sizeof *tls);
    if (tls == NULL)
        return weft__fail_nomem();
    atomic_init(&tls->refs, 1);
    tls->server = server;
    int err = set_up(tls, &all);
    if (err < 0) {
        weft_tls_free(tls);
        return err;
    }
    *ret = tls;
    return 0;
}

int weft_tls_new_client(const weft_tls_options *options, weft_tls **ret)
{
    return tls_new(false, options, ret);
}

int weft_tls_new_server(const weft_tls_options *options, weft_tls **ret)
{
    return tls_new(true, options, ret);
}

weft_tls *weft__tls_ref(weft_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void weft_tls_free(weft_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) > 1)
        return;
    weft__tls_sessions_free(tls);
    weft__tls_checks_done(tls);
    SSL_CTX_free(tls->ctx);
    CRYPTO_THREAD_lock_free(tls->lock);
    weft__free(tls->alpn);
    weft__free(tls);
}

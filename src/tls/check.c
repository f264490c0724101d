/*
 * check.c - what is checked of a peer beside its chain: pinned keys, a stapled OCSP response,
 * revocation lists; and the file of secrets for those who look into their own traffic.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "tls/tls_int.h"

enum { PIN_TEXT = 44, CLOCK_SKEW = 300 };

/* ---- pins ---- */

/* "sha256/" before it, as HTTP public key pinning wrote it, is allowed; "sha256//" is curl's. */
static const char *pin_text(const char *pin)
{
    if (strncmp(pin, "sha256/", 7) == 0)
        pin += 7 + (pin[7] == '/');
    return pin;
}

static int parse_pin(const char *pin, unsigned char ret[WEFT__TLS_PIN])
{
    unsigned char bytes[PIN_TEXT];
    const char *text = pin_text(pin);
    size_t len = strlen(text);
    if (len != PIN_TEXT || text[PIN_TEXT - 1] != '=' ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text, PIN_TEXT) != WEFT__TLS_PIN + 1)
        return weft__fail(-EINVAL, "TLS: \"%.64s\" is not the base64 of a SHA-256", pin);
    memcpy(ret, bytes, WEFT__TLS_PIN);
    return 0;
}

int weft__tls_set_pins(weft_tls *tls, const char *const *pins)
{
    size_t n = 0;
    while (pins != NULL && pins[n] != NULL)
        n++;
    if (n == 0)
        return 0;
    tls->pins = weft__calloc(n, sizeof tls->pins[0]);
    if (tls->pins == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < n; i++) {
        int err = parse_pin(pins[i], tls->pins[i]);
        if (err < 0)
            return err;
    }
    tls->n_pins = n;
    return 0;
}

static int fail(struct weft__tls_conn *conn, const char *why)
{
    const char *name = conn->name != NULL ? conn->name : "the peer";
    snprintf(conn->reason, sizeof conn->reason, "TLS handshake with %s: %s", name, why);
    conn->error = WEFT_ETLS_VERIFY;
    return weft__fail(WEFT_ETLS_VERIFY, "%s", conn->reason);
}

int weft__tls_key_digest(X509 *certificate, unsigned char ret[WEFT__TLS_PIN])
{
    unsigned len = 0;
    unsigned char *der = NULL;
    int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool good = der_len > 0 &&
                EVP_Digest(der, (size_t)der_len, ret, &len, EVP_sha256(), NULL) == 1 &&
                len == WEFT__TLS_PIN;
    OPENSSL_free(der);
    return good ? 0 : -ENOMEM;
}

static int check_pins(struct weft__tls_conn *conn)
{
    unsigned char digest[WEFT__TLS_PIN];
    const weft_tls *tls = conn->tls;
    if (tls->n_pins == 0)
        return 0;
    X509 *cert = SSL_get0_peer_certificate(conn->ssl);
    bool good = cert != NULL && weft__tls_key_digest(cert, digest) == 0;
    for (size_t i = 0; good && i < tls->n_pins; i++) {
        if (memcmp(digest, tls->pins[i], WEFT__TLS_PIN) == 0)
            return 0;
    }
    return fail(conn, "its public key is not one of those that are pinned");
}

/* ---- a stapled OCSP response ---- */

/* The response is of the issuer, or of whom the issuer lets sign them (RFC 6960 4.2.2.2). */
static const char *judge_basic(struct weft__tls_conn *conn, OCSP_BASICRESP *basic)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(conn->ssl);
    X509_STORE *store = SSL_CTX_get_cert_store(conn->tls->ctx);
    if (sk_X509_num(chain) < 2)
        return "there is no issuer whose OCSP response could be checked";
    X509 *cert = sk_X509_value(chain, 0);
    X509 *issuer = sk_X509_value(chain, 1);
    int status = -1;
    ASN1_GENERALIZEDTIME *from = NULL;
    ASN1_GENERALIZEDTIME *until = NULL;
    if (OCSP_basic_verify(basic, chain, store, 0) != 1)
        return "the signature of its OCSP response is not good";
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, issuer);
    int found =
        id != NULL ? OCSP_resp_find_status(basic, id, &status, NULL, NULL, &from, &until) : 0;
    OCSP_CERTID_free(id);
    if (found != 1)
        return "its OCSP response is for another certificate";
    if (OCSP_check_validity(from, until, CLOCK_SKEW, -1) != 1)
        return "its OCSP response is not of today";
    if (status == V_OCSP_CERTSTATUS_REVOKED)
        return "its certificate is revoked, says its OCSP response";
    return status == V_OCSP_CERTSTATUS_GOOD ? NULL : "its OCSP response does not know it";
}

static const char *judge_response(struct weft__tls_conn *conn, const unsigned char *der, long len)
{
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, len);
    const char *why = "its OCSP response is none";
    if (response == NULL)
        return why;
    OCSP_BASICRESP *basic = NULL;
    if (OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(response);
    if (basic != NULL)
        why = judge_basic(conn, basic);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return why;
}

/* A resumed session was checked when it began. */
static int check_ocsp(struct weft__tls_conn *conn)
{
    const unsigned char *der = NULL;
    if (!conn->tls->ocsp || SSL_session_reused(conn->ssl))
        return 0;
    long len = SSL_get_tlsext_status_ocsp_resp(conn->ssl, &der);
    if (der == NULL || len <= 0)
        return fail(conn, "it sent no OCSP response");
    const char *why = judge_response(conn, der, len);
    ERR_clear_error();
    return why != NULL ? fail(conn, why) : 0;
}

int weft__tls_check_peer(struct weft__tls_conn *conn)
{
    int err = check_pins(conn);
    return err == 0 ? check_ocsp(conn) : err;
}

/* ---- revocation lists ---- */

int weft__tls_set_crl(weft_tls *tls, const char *path)
{
    if (path == NULL)
        return 0;
    X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
        return weft__tls_fail_setup("CRL file", path);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

/* ---- the file of secrets ---- */

static void log_key(const SSL *ssl, const char *line)
{
    const weft_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    char text[512];
    int len = snprintf(text, sizeof text, "%s\n", line);
    /* One write, so that lines of several processes do not mix; what is lost is a debug line. */
    if (len > 0 && (size_t)len < sizeof text && BIO_write(tls->keylog, text, len) <= 0)
        return;
}

int weft__tls_set_keylog(weft_tls *tls, const weft_tls_options *options)
{
    const char *path = options->keylog_file;
    if (path == NULL && !options->ignore_env && !tls->server)
        path = secure_getenv("SSLKEYLOGFILE");
    if (path == NULL || path[0] == '\0')
        return 0;
    tls->keylog = BIO_new(BIO_s_fd());
    if (tls->keylog == NULL)
        return weft__fail_nomem();
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return weft__fail_with(-errno, "TLS: key log %s", path);
    BIO_set_fd(tls->keylog, fd, BIO_CLOSE);
    SSL_CTX_set_app_data(tls->ctx, tls);
    SSL_CTX_set_keylog_callback(tls->ctx, log_key);
    return 0;
}

void weft__tls_checks_done(weft_tls *tls)
{
    BIO_free(tls->keylog);
    weft__free(tls->pins);
}

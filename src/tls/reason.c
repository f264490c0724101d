/*
 * reason.c - why TLS failed, in words.
 *
 * Names in a certificate are a stranger's: only what is printable ASCII gets into a message.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/error_int.h"
#include "net/net_int.h"
#include "tls/tls_int.h"

enum { NAMES_SHOWN = 5 };

/* ---- certificates ---- */

static void add(char *text, const char *part)
{
    size_t len = strlen(text);
    snprintf(text + len, WEFT__TLS_TEXT_MAX - len, "%s", part);
}

static void add_name(char *text, const unsigned char *name, int len)
{
    char part[80];
    int n = 0;
    for (; n < len && n < (int)sizeof part - 1; n++)
        part[n] = name[n] > ' ' && name[n] < 0x7f ? (char)name[n] : '?';
    part[n] = '\0';
    add(text, part);
}

static void add_ip(char *text, const unsigned char *ip, int len)
{
    weft_address address = {0};
    char host[WEFT_ADDRESS_TEXT_MAX];
    if (weft__address_from_ip(ip, (size_t)len, &address) == 0 &&
        weft__address_format_host(&address, host, sizeof host) == 0)
        add(text, host);
    else
        add(text, "an IP address of odd length");
}

/* "a.example, b.example, 192.0.2.1": whom a certificate is for. */
static void add_subjects(char *text, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int shown = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        if (shown++ > 0)
            add(text, ", ");
        if (shown > NAMES_SHOWN) {
            add(text, "...");
            break;
        }
        const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
        if (name->type == GEN_DNS)
            add_name(text, ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
        else
            add_ip(text, ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
    }
    if (shown == 0)
        add(text, "no name at all");
    GENERAL_NAMES_free(names);
}

static void add_time(char *text, const ASN1_TIME *time)
{
    struct tm tm;
    char part[40];
    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return;
    snprintf(part, sizeof part, " on %04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    add(text, part);
}

/* Whose certificate: the peer's own, or one above it. */
static void add_owner(char *text, const struct weft__tls_conn *conn, int depth)
{
    char part[64];
    if (depth > 0) {
        snprintf(part, sizeof part, "an issuer's certificate (depth %d) for ", depth);
        add(text, part);
    } else {
        add(text, "certificate of ");
    }
    add(text, conn->name != NULL ? conn->name : "the peer");
}

int weft__tls_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct weft__tls_conn *conn = SSL_get_app_data(ssl);
    if (ok || conn->verify[0] != '\0')
        return ok;
    int err = X509_STORE_CTX_get_error(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    char *text = conn->verify;
    switch (err) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        add(text, err == X509_V_ERR_HOSTNAME_MISMATCH ? "hostname" : "IP address");
        add(text, " mismatch: wanted ");
        add(text, conn->name);
        add(text, ", certificate is for ");
        add_subjects(text, cert);
        return 0;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        add_owner(text, conn, depth);
        add(text, " has expired");
        add_time(text, X509_get0_notAfter(cert));
        return 0;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        add_owner(text, conn, depth);
        add(text, " is not yet valid: begins");
        add_time(text, X509_get0_notBefore(cert));
        return 0;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        add_owner(text, conn, depth);
        add(text, " is self-signed");
        return 0;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        add_owner(text, conn, 0);
        add(text, " has an unknown issuer");
        return 0;
    default:
        add_owner(text, conn, depth);
        add(text, ": ");
        add(text, X509_verify_cert_error_string(err));
        return 0;
    }
}

/* ---- OpenSSL's queue ---- */

static const char *plain_words(unsigned long code)
{
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return NULL;
    switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "the peer does not speak TLS (plain HTTP on this port?)";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "no TLS version in common (1.2 or newer is needed)";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "the peer ended the handshake (nothing in common, or a client certificate is "
               "needed)";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "the peer does not know the issuer of our certificate, or we not of its";
    default:
        return NULL;
    }
}

static bool is_eof(unsigned long code, int ssl_error)
{
    if (ssl_error == SSL_ERROR_SYSCALL && code == 0)
        return true;
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

int weft__tls_fail(struct weft__tls_conn *conn, const char *what, int ssl_error)
{
    unsigned long code = ERR_peek_error();
    const char *words = plain_words(code);
    if (words == NULL)
        words = ERR_reason_error_string(code);
    conn->error = WEFT_ETLS;
    if (conn->no_memory || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        conn->error = -ENOMEM;
        words = "out of memory";
    } else if (conn->verify[0] != '\0') {
        conn->error = WEFT_ETLS_VERIFY;
        words = conn->verify;
    } else if (is_eof(code, ssl_error)) {
        conn->error = WEFT_ETRUNCATED;
        words = "the connection ended without close_notify";
        if (!conn->established) {
            conn->error = WEFT_ETLS;
            words = "the peer closed the connection";
        }
    }
    ERR_clear_error();
    snprintf(conn->reason, sizeof conn->reason, "%s%s: %s", what,
             conn->name != NULL ? conn->name : "the peer", words != NULL ? words : "unknown error");
    if (conn->error == -ENOMEM)
        return weft__fail_nomem();
    return weft__fail(conn->error, "%s", conn->reason);
}

int weft__tls_fail_setup(const char *what, const char *name)
{
    unsigned long code = ERR_peek_error();
    const char *words = ERR_reason_error_string(code);
    int err = WEFT_ETLS;
    if (ERR_SYSTEM_ERROR(code)) {
        err = -(int)ERR_GET_REASON(code);
        words = weft_error_text(err);
    } else if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        err = -ENOMEM;
    }
    ERR_clear_error();
    return weft__fail(err, "TLS: %s%s%s: %s", what, name != NULL ? " " : "",
                      name != NULL ? name : "", words != NULL ? words : "unknown error");
}

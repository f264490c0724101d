/*
 * certificate.c - what a peer's certificate says.
 *
 * A weft_certificate is OpenSSL's, which counts its references: nothing is copied.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include <weft/certificate.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "net/net_int.h"
#include "tls/tls_int.h"

static X509 *x509(const weft_certificate *certificate)
{
    return (X509 *)(uintptr_t)certificate;
}

weft_certificate *weft_tls_certificate(weft_stream *stream)
{
    SSL *ssl = weft__tls_ssl(stream);
    return ssl != NULL ? (weft_certificate *)SSL_get1_peer_certificate(ssl) : NULL;
}

weft_certificate *weft_certificate_ref(const weft_certificate *certificate)
{
    X509_up_ref(x509(certificate));
    return (weft_certificate *)x509(certificate);
}

void weft_certificate_unref(weft_certificate *certificate)
{
    X509_free(x509(certificate));
}

/* What OpenSSL has written, as a text of ours. */
static int take_bio(BIO *bio, bool written, char **ret)
{
    char *data = NULL;
    int err = 0;
    long len = written ? BIO_get_mem_data(bio, &data) : -1;
    if (len < 0) {
        ERR_clear_error();
        err = weft__fail_nomem();
    } else {
        char *text = weft__alloc((size_t)len + 1);
        if (text == NULL) {
            err = weft__fail_nomem();
        } else {
            memcpy(text, data, (size_t)len);
            text[len] = '\0';
            *ret = text;
        }
    }
    BIO_free(bio);
    return err;
}

/* RFC 4514, but for what is not ASCII, which stays UTF-8; controls are escaped. */
static int print_name(const X509_NAME *name, char **ret)
{
    unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    BIO *bio = BIO_new(BIO_s_mem());
    return take_bio(bio, bio != NULL && X509_NAME_print_ex(bio, name, 0, flags) >= 0, ret);
}

int weft_certificate_subject(const weft_certificate *certificate, char **ret)
{
    return print_name(X509_get_subject_name(x509(certificate)), ret);
}

int weft_certificate_issuer(const weft_certificate *certificate, char **ret)
{
    return print_name(X509_get_issuer_name(x509(certificate)), ret);
}

/* ---- names ---- */

static int print_ip(const ASN1_OCTET_STRING *ip, char **ret)
{
    weft_address address;
    char text[WEFT_ADDRESS_TEXT_MAX];
    int len = ASN1_STRING_length(ip);
    if ((len != 4 && len != 16) ||
        weft__address_from_ip(ASN1_STRING_get0_data(ip), (size_t)len, &address) < 0 ||
        weft__address_format_host(&address, text, sizeof text) < 0)
        return weft__fail(-EBADMSG, "an address of %d bytes in a certificate", len);
    *ret = weft__strdup(text);
    return *ret != NULL ? 0 : weft__fail_nomem();
}

static int print_dns(const ASN1_IA5STRING *name, char **ret)
{
    const char *data = (const char *)ASN1_STRING_get0_data(name);
    size_t len = (size_t)ASN1_STRING_length(name);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)data[i] <= ' ' || (unsigned char)data[i] >= 0x7f)
            return weft__fail(-EBADMSG, "a name with control characters in a certificate");
    }
    *ret = weft__strndup(data, len);
    return *ret != NULL ? 0 : weft__fail_nomem();
}

int weft_certificate_name(const weft_certificate *certificate, size_t index, char **ret)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509(certificate), NID_subject_alt_name, NULL, NULL);
    int err = -ENOENT;
    size_t seen = 0;
    for (int i = 0; err == -ENOENT && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if ((name->type != GEN_DNS && name->type != GEN_IPADD) || seen++ != index)
            continue;
        err = name->type == GEN_DNS ? print_dns(name->d.dNSName, ret)
                                    : print_ip(name->d.iPAddress, ret);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return err == -ENOENT ? weft__fail(err, "the certificate has no name %zu", index) : err;
}

/* ---- times ---- */

static int64_t seconds(const ASN1_TIME *time)
{
    int days;
    int rest;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool good = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    return good ? (int64_t)days * 86400 + rest : -1;
}

int64_t weft_certificate_not_before(const weft_certificate *certificate)
{
    return seconds(X509_get0_notBefore(x509(certificate)));
}

int64_t weft_certificate_not_after(const weft_certificate *certificate)
{
    return seconds(X509_get0_notAfter(x509(certificate)));
}

/* ---- all of it ---- */

int weft_certificate_der(const weft_certificate *certificate, void **ret, size_t *ret_len)
{
    int len = i2d_X509(x509(certificate), NULL);
    unsigned char *der = len > 0 ? weft__alloc((size_t)len) : NULL;
    if (der == NULL)
        return weft__fail_nomem();
    unsigned char *to = der;
    *ret_len = (size_t)i2d_X509(x509(certificate), &to);
    *ret = der;
    return 0;
}

int weft_certificate_pem(const weft_certificate *certificate, char **ret)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return take_bio(bio, bio != NULL && PEM_write_bio_X509(bio, x509(certificate)) == 1, ret);
}

int weft_certificate_pin(const weft_certificate *certificate, char ret[WEFT_CERTIFICATE_PIN])
{
    unsigned char digest[WEFT__TLS_PIN];
    if (weft__tls_key_digest(x509(certificate), digest) < 0)
        return weft__fail_nomem();
    EVP_EncodeBlock((unsigned char *)ret, digest, sizeof digest);
    return 0;
}

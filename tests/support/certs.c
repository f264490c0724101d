/* certs.c - keys and certificates for tests of TLS. */
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "test.h"

struct authority {
    X509 *cert;
    EVP_PKEY *key;
};

static struct authority known;
static struct authority unknown;
static long serial = 1;

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ASSERT(extension != NULL);
    ASSERT(X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *new_cert(EVP_PKEY *key, const char *cn, int begin_days, int end_days)
{
    X509 *cert = X509_new();
    ASSERT(cert != NULL);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), begin_days * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(cert), end_days * 86400L);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    return cert;
}

static struct authority *authority(struct authority *one, const char *name)
{
    if (one->cert != NULL)
        return one;
    one->key = EVP_EC_gen("P-256");
    ASSERT(one->key != NULL);
    one->cert = new_cert(one->key, name, -10, 10);
    X509_set_issuer_name(one->cert, X509_get_subject_name(one->cert));
    add_extension(one->cert, one->cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(one->cert, one->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(one->cert, one->cert, NID_subject_key_identifier, "hash");
    ASSERT(X509_sign(one->cert, one->key, EVP_sha256()) > 0);
    return one;
}

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    ASSERT(file != NULL);
    ASSERT(PEM_write_X509(file, cert) == 1);
    if (key != NULL)
        ASSERT(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    ASSERT(fclose(file) == 0);
}

const char *certs_ca(void)
{
    static char path[PATH_MAX];
    if (path[0] == '\0') {
        snprintf(path, sizeof path, "%s/ca.pem", test_tmpdir());
        write_pem(path, authority(&known, "weft test authority")->cert, NULL);
    }
    return path;
}

const char *certs_ca_dir(void)
{
    char name[64];
    mkdir(test_path("cas"), 0700);
    X509 *cert = authority(&known, "weft test authority")->cert;
    snprintf(name, sizeof name, "cas/%08lx.0", X509_subject_name_hash(cert));
    write_pem(test_path(name), cert, NULL);
    return test_path("cas");
}

const char *certs_make(const struct cert_spec *spec)
{
    struct authority *issuer = spec->unknown_ca ? authority(&unknown, "nobody's authority")
                                                : authority(&known, "weft test authority");
    EVP_PKEY *key = spec->rsa_1024 ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256");
    ASSERT(key != NULL);
    X509 *cert = new_cert(key, spec->cn != NULL ? spec->cn : "weft test",
                          spec->begin_days != 0 ? spec->begin_days : -1,
                          spec->end_days != 0 ? spec->end_days : 1);
    X509 *parent = spec->self_signed ? cert : issuer->cert;
    X509_set_issuer_name(cert, X509_get_subject_name(parent));
    add_extension(cert, parent, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(cert, parent, NID_ext_key_usage,
                  spec->usage != NULL ? spec->usage : "serverAuth");
    if (spec->san != NULL)
        add_extension(cert, parent, NID_subject_alt_name, spec->san);
    ASSERT(X509_sign(cert, spec->self_signed ? key : issuer->key, EVP_sha256()) > 0);
    const char *path = test_path(spec->file);
    write_pem(path, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    return path;
}

const char *certs_good(void)
{
    return certs_make(CERT(.file = "good.pem", .san = "DNS:localhost,IP:127.0.0.1,IP:::1"));
}

const char *certs_crl(const char *file, long revoked)
{
    struct authority *issuer = authority(&known, "weft test authority");
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    ASSERT(crl != NULL && time != NULL);
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(time, -3600));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(time, 86400));
    if (revoked != 0) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *number = ASN1_INTEGER_new();
        ASN1_INTEGER_set(number, revoked);
        X509_REVOKED_set_serialNumber(entry, number);
        X509_REVOKED_set_revocationDate(entry, X509_gmtime_adj(time, -1800));
        ASSERT(X509_CRL_add0_revoked(crl, entry) == 1);
        ASN1_INTEGER_free(number);
    }
    ASSERT(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    const char *path = test_path(file);
    FILE *out = fopen(path, "w");
    ASSERT(out != NULL && PEM_write_X509_CRL(out, crl) == 1);
    fclose(out);
    ASN1_TIME_free(time);
    X509_CRL_free(crl);
    return path;
}

int certs_ocsp(void *cert, int status, int begin_days, unsigned char **ret)
{
    struct authority *issuer = authority(&known, "weft test authority");
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, issuer->cert);
    ASN1_TIME *from = X509_gmtime_adj(NULL, begin_days * 86400L - 60);
    ASN1_TIME *until = X509_gmtime_adj(NULL, begin_days * 86400L + 86400);
    ASN1_TIME *revoked = X509_gmtime_adj(NULL, -3600);
    ASSERT(OCSP_basic_add1_status(basic, id, status, 0,
                                  status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL, from,
                                  until) != NULL);
    ASSERT(OCSP_basic_sign(basic, issuer->cert, issuer->key, EVP_sha256(), NULL, 0) == 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    *ret = NULL;
    int len = i2d_OCSP_RESPONSE(response, ret);
    ASSERT(len > 0);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    return len;
}

/* What certificates say. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <weft.h>

#include "certs.h"
#include "fault.h"
#include "test.h"

static X509 *load(const char *path)
{
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ASSERT(cert != NULL);
    return cert;
}

static const weft_certificate *of(X509 *cert)
{
    return (const weft_certificate *)cert;
}

static void check_name(X509 *cert, size_t index, const char *expected)
{
    char *text;
    ASSERT_OK(weft_certificate_name(of(cert), index, &text));
    ASSERT_STR_EQ(text, expected);
    weft_free(text);
}

TEST(certificate_names_its_hosts)
{
    char *text;
    X509 *cert = load(certs_make(
        CERT(.file = "names", .san = "DNS:*.example.org,email:a@b.c,IP:192.0.2.1,IP:2001:db8::1")));
    check_name(cert, 0, "*.example.org");
    check_name(cert, 1, "192.0.2.1");
    check_name(cert, 2, "2001:db8::1");
    ASSERT_ERR(weft_certificate_name(of(cert), 3, &text), -ENOENT);
    X509_free(cert);
    cert = load(certs_make(CERT(.file = "none")));
    ASSERT_ERR(weft_certificate_name(of(cert), 0, &text), -ENOENT);
    X509_free(cert);
}

/* A NUL within a name has passed for its end. */
TEST(certificate_with_a_name_that_is_none_says_so)
{
    static const char bad[] = "example.org\0.evil.test";
    char *text;
    X509 *cert = load(certs_make(CERT(.file = "bad")));
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();
    ASSERT(ASN1_STRING_set(string, bad, sizeof bad - 1) == 1);
    GENERAL_NAME_set0_value(name, GEN_DNS, string);
    sk_GENERAL_NAME_push(names, name);
    name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
    ASSERT(ASN1_OCTET_STRING_set(bytes, (const unsigned char *)"abcde", 5) == 1);
    GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
    sk_GENERAL_NAME_push(names, name);
    ASSERT(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
    ASSERT_ERR(weft_certificate_name(of(cert), 0, &text), -EBADMSG);
    ASSERT_ERR(weft_certificate_name(of(cert), 1, &text), -EBADMSG);
    GENERAL_NAMES_free(names);
    X509_free(cert);
}

TEST(certificate_says_whose_it_is_and_how_long)
{
    char *text;
    int64_t now = (int64_t)time(NULL);
    X509 *cert =
        load(certs_make(CERT(.file = "whose", .cn = "a,b\x1b", .begin_days = -2, .end_days = 3)));
    ASSERT_OK(weft_certificate_subject(of(cert), &text));
    ASSERT_STR_EQ(text, "CN=a\\,b\\1B");
    weft_free(text);
    ASSERT_OK(weft_certificate_issuer(of(cert), &text));
    ASSERT_STR_HAS(text, "CN=");
    weft_free(text);
    ASSERT_INT_GE(weft_certificate_not_before(of(cert)), now - 2 * 86400 - 60);
    ASSERT_INT_LE(weft_certificate_not_before(of(cert)), now - 2 * 86400 + 60);
    ASSERT_INT_EQ(weft_certificate_not_after(of(cert)),
                  weft_certificate_not_before(of(cert)) + 5 * 86400);
    X509_free(cert);
}

static int ask_all(void *arg)
{
    X509 *cert = arg;
    char *text = NULL;
    void *der = NULL;
    size_t len;
    char pin[WEFT_CERTIFICATE_PIN];
    int err = weft_certificate_pin(of(cert), pin);
    int (*const asks[])(const weft_certificate *, char **) = {
        weft_certificate_subject, weft_certificate_issuer, weft_certificate_pem};
    for (size_t i = 0; i < 3 && err == 0; i++) {
        err = asks[i](of(cert), &text);
        weft_free(text);
        text = NULL;
    }
    for (size_t i = 0; i < 2 && err == 0; i++) {
        err = weft_certificate_name(of(cert), i, &text);
        weft_free(text);
        text = NULL;
    }
    if (err == 0)
        err = weft_certificate_der(of(cert), &der, &len);
    weft_free(der);
    return err;
}

TEST(certificate_survives_every_fault)
{
    X509 *cert = load(certs_good());
    FAULTS(ask_all, cert, .backend = WEFT_BACKEND_VIRTUAL);
    X509_free(cert);
}

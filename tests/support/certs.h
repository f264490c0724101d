/*
 * certs.h - keys and certificates for tests of TLS, made when they are needed.
 *
 * Everything lies in test_tmpdir().  certs_ca() is the file of the authority that has signed
 * what certs_make() gives, unless the spec says otherwise.
 */
#ifndef WEFT_CERTS_H
#define WEFT_CERTS_H

#include <stdbool.h>

struct cert_spec {
    const char *file;  /* its name in test_tmpdir(): certificate and key in one */
    const char *san;   /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const char *cn;    /* default "weft test" */
    const char *usage; /* extended key usage, default "serverAuth" */
    int begin_days;    /* from now; default -1 */
    int end_days;      /* from now; default 1 */
    bool self_signed;
    bool unknown_ca; /* of an authority that is not certs_ca() */
    bool rsa_1024;
};
#define CERT(...) (&(const struct cert_spec){__VA_ARGS__})

/* The PEM file of the test's authority. */
const char *certs_ca(void);
/* Makes a certificate; its path is valid until the next but seven call of test_path. */
const char *certs_make(const struct cert_spec *spec);
/* A certificate for localhost, 127.0.0.1 and ::1. */
const char *certs_good(void);
/* A folder with the authority under its hash, as c_rehash leaves it. */
const char *certs_ca_dir(void);

/* A revocation list of the authority with one serial number; 0: an empty one. */
const char *certs_crl(const char *file, long revoked);
/* An OCSP response about an X509, from some day on for one; its length; OPENSSL_free(*ret). */
int certs_ocsp(void *cert, int status, int begin_days, unsigned char **ret);

#endif

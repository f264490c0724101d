/* What TLS checks beside the chain: pins, versions, passwords, revocation, staples, key logs. */
#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft.h>
#include <weft/testing.h>

#include "certs.h"
#include "test.h"
#include "tls/tls_int.h"

/* ---- both sides, in memory ---- */

struct side {
    weft_tls *tls;
    weft_stream *below;
    weft_stream *stream;
    int err;
    char message[256];
};

static int run_side(void *arg)
{
    struct side *side = arg;
    side->err = side->tls->server
                    ? weft_tls_accept(side->tls, side->below, &side->stream)
                    : weft_tls_connect(side->tls, side->below, "localhost", &side->stream);
    snprintf(side->message, sizeof side->message, "%s", side->err < 0 ? weft_error_message() : "");
    return 0;
}

static int shake(weft_tls *client, weft_tls *server, char message[256])
{
    struct side a = {.tls = client};
    struct side b = {.tls = server};
    ASSERT_OK(weft_stream_pair(0, &a.below, &b.below));
    ASSERT_OK(weft_gather((weft_call[]){{run_side, &a}, {run_side, &b}}, 2, NULL));
    char byte = 'x';
    if (a.err == 0 && b.err == 0) {
        /* The tickets of TLS 1.3 come with the first bytes. */
        ASSERT_OK(weft_stream_write(b.stream, &byte, 1));
        ASSERT_INT_EQ(weft_stream_read(a.stream, &byte, 1), 1);
    }
    weft_stream_free(a.stream);
    weft_stream_free(b.stream);
    if (message != NULL)
        memcpy(message, a.message, sizeof a.message);
    return a.err != 0 ? a.err : b.err;
}

static weft_tls *server_of(const char *cert)
{
    weft_tls *tls;
    ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = cert), &tls));
    return tls;
}

static int shake_with(const weft_tls_options *options, weft_tls *server, char message[256])
{
    weft_tls *client;
    int err = weft_tls_new_client(options, &client);
    if (err < 0)
        return err;
    err = shake(client, server, message);
    weft_tls_free(client);
    return err;
}

static X509 *read_cert(const char *path)
{
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    ASSERT(cert != NULL);
    return cert;
}

/* ---- pins ---- */

static void pin_of(const char *path, char pin[64])
{
    unsigned char digest[32];
    unsigned char *der = NULL;
    X509 *cert = read_cert(path);
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    ASSERT(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1);
    EVP_EncodeBlock((unsigned char *)pin, digest, 32);
    OPENSSL_free(der);
    X509_free(cert);
}

static const char other_pin[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

TASK_TEST(pinned_key_is_accepted_and_another_refused)
{
    char pin[64];
    char message[256];
    weft_tls *server = server_of(certs_good());
    pin_of(certs_good(), pin);
    weft_tls_free(server);
    server = server_of(certs_good());
    ASSERT_ERR(
        shake_with(WEFT_TLS(.ca_file = certs_ca(), .pins = (const char *const[]){other_pin, NULL}),
                   server, message),
        WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(message, "pinned");
    ASSERT_ERR(shake_with(WEFT_TLS(.insecure_no_verify = true,
                                   .pins = (const char *const[]){other_pin, NULL}),
                          server, NULL),
               WEFT_ETLS_VERIFY);
    weft_tls_free(server);
    const char *path = certs_good();
    server = server_of(path);
    pin_of(path, pin);
    ASSERT_OK(shake_with(
        WEFT_TLS(.ca_file = certs_ca(), .pins = (const char *const[]){other_pin, pin, NULL}),
        server, NULL));
    weft_tls_free(server);
}

TEST(settings_that_are_none_are_refused)
{
    weft_tls *tls;
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.pins = (const char *const[]){"abc", NULL}), &tls),
               -EINVAL);
    ASSERT_ERR(
        weft_tls_new_client(
            WEFT_TLS(.pins = (const char *const[]){"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*A=",
                                                   NULL}),
            &tls),
        -EINVAL);
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.minimum = 7), &tls), -EINVAL);
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.crl_file = "/nowhere/x"), &tls), -ENOENT);
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.keylog_file = "/nowhere/x"), &tls), -ENOENT);
    ASSERT_ERR(weft_tls_new_client(WEFT_TLS(.crl_file = certs_ca()), &tls), WEFT_ETLS);
}

/* ---- versions, passwords ---- */

TASK_TEST(lowest_version_is_kept_to)
{
    weft_tls *server = server_of(certs_good());
    ASSERT_OK(shake_with(WEFT_TLS(.ca_file = certs_ca(), .minimum = WEFT_TLS_1_3), server, NULL));
    SSL_CTX_set_max_proto_version(server->ctx, TLS1_2_VERSION);
    ASSERT_OK(shake_with(WEFT_TLS(.ca_file = certs_ca()), server, NULL));
    ASSERT_ERR(shake_with(WEFT_TLS(.ca_file = certs_ca(), .minimum = WEFT_TLS_1_3), server, NULL),
               WEFT_ETLS);
    weft_tls_free(server);
}

static void write_encrypted(const char *from, const char *to, const char *password)
{
    FILE *file = fopen(from, "r");
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    ASSERT(key != NULL);
    file = fopen(to, "w");
    ASSERT(PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), password, (int)strlen(password),
                                     NULL, NULL) == 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

TEST(encrypted_key_needs_its_password)
{
    weft_tls *tls;
    char cert[256];
    snprintf(cert, sizeof cert, "%s", certs_good());
    const char *key = test_path("secret.pem");
    write_encrypted(cert, key, "open sesame");
    ASSERT_OK(weft_tls_new_server(
        WEFT_TLS(.cert_file = cert, .key_file = key, .key_password = "open sesame"), &tls));
    weft_tls_free(tls);
    ASSERT(weft_tls_new_server(WEFT_TLS(.cert_file = cert, .key_file = key), &tls) < 0);
    ASSERT_STR_HAS(weft_error_message(), "secret.pem");
    ASSERT(weft_tls_new_server(
               WEFT_TLS(.cert_file = cert, .key_file = key, .key_password = "wrong"), &tls) < 0);
    ASSERT_STR_LACKS(weft_error_message(), "wrong password is");
}

/* ---- sessions ---- */

static int count_resumed(bool no_resume)
{
    weft_tls *server = server_of(certs_good());
    weft_tls *client;
    ASSERT_OK(
        weft_tls_new_client(WEFT_TLS(.ca_file = certs_ca(), .no_resume = no_resume), &client));
    for (int i = 0; i < 2; i++)
        ASSERT_OK(shake(client, server, NULL));
    int kept = (int)client->n_sessions;
    weft_tls_free(client);
    weft_tls_free(server);
    return kept;
}

TASK_TEST(sessions_are_kept_unless_asked_not_to)
{
    ASSERT_INT_GT(count_resumed(false), 0);
    ASSERT_INT_EQ(count_resumed(true), 0);
}

/* ---- the key log ---- */

static bool has_secrets(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    return n > 20 && (strstr(text, "SECRET ") != NULL || strstr(text, "CLIENT_RANDOM ") != NULL);
}

TASK_TEST(key_log_is_written_only_where_it_was_asked_for)
{
    struct stat status;
    const char *path = test_path("keys.log");
    weft_tls *server = server_of(certs_good());
    setenv("SSLKEYLOGFILE", path, 1);
    ASSERT_OK(shake_with(WEFT_TLS(.ca_file = certs_ca(), .ignore_env = true), server, NULL));
    ASSERT(!has_secrets(path));
    ASSERT_OK(shake_with(WEFT_TLS(.ca_file = certs_ca()), server, NULL));
    ASSERT(has_secrets(path));
    ASSERT(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    unsetenv("SSLKEYLOGFILE");
    path = test_path("more.log");
    ASSERT_OK(shake_with(WEFT_TLS(.ca_file = certs_ca(), .keylog_file = path), server, NULL));
    ASSERT(has_secrets(path));
    weft_tls_free(server);
}

/* ---- revocation ---- */

TASK_TEST(revocation_list_counts)
{
    char message[256];
    weft_tls *server = server_of(certs_good());
    X509 *cert = SSL_CTX_get0_certificate(server->ctx);
    const char *clean = certs_crl("clean.crl", 0);
    ASSERT_OK(shake_with(WEFT_TLS(.ca_file = certs_ca(), .crl_file = clean), server, NULL));
    const char *revoked = certs_crl("revoked.crl", ASN1_INTEGER_get(X509_get0_serialNumber(cert)));
    ASSERT_ERR(shake_with(WEFT_TLS(.ca_file = certs_ca(), .crl_file = revoked), server, message),
               WEFT_ETLS_VERIFY);
    ASSERT_STR_HAS(message, "revoked");
    weft_tls_free(server);
}

struct staple {
    unsigned char *der;
    int len;
};

static int give_staple(SSL *ssl, void *arg)
{
    const struct staple *staple = arg;
    if (staple->len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(staple->der, (size_t)staple->len);
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->len);
    return SSL_TLSEXT_ERR_OK;
}

static int shake_stapled(int status, int begin_days, const char *says)
{
    char message[256];
    weft_tls *server = server_of(certs_good());
    X509 *cert = SSL_CTX_get0_certificate(server->ctx);
    struct staple staple = {0};
    if (status >= 0)
        staple.len = certs_ocsp(cert, status, begin_days, &staple.der);
    SSL_CTX_set_tlsext_status_cb(server->ctx, give_staple);
    SSL_CTX_set_tlsext_status_arg(server->ctx, &staple);
    int err = shake_with(WEFT_TLS(.ca_file = certs_ca(), .ocsp = true), server, message);
    if (says != NULL)
        ASSERT_STR_HAS(message, says);
    OPENSSL_free(staple.der);
    weft_tls_free(server);
    return err;
}

TASK_TEST(stapled_response_must_be_there_and_good)
{
    ASSERT_OK(shake_stapled(V_OCSP_CERTSTATUS_GOOD, 0, NULL));
    ASSERT_ERR(shake_stapled(V_OCSP_CERTSTATUS_REVOKED, 0, "revoked"), WEFT_ETLS_VERIFY);
    ASSERT_ERR(shake_stapled(V_OCSP_CERTSTATUS_UNKNOWN, 0, "does not know"), WEFT_ETLS_VERIFY);
    ASSERT_ERR(shake_stapled(V_OCSP_CERTSTATUS_GOOD, -9, "not of today"), WEFT_ETLS_VERIFY);
    ASSERT_ERR(shake_stapled(-1, 0, "no OCSP response"), WEFT_ETLS_VERIFY);
}

TEST(options_survive_being_copied_and_every_failed_allocation)
{
    const weft_tls_options *given = WEFT_TLS(.ca_file = "a", .cert_file = "b", .key_password = "c",
                                             .pins = (const char *const[]){"d", "e", NULL},
                                             .alpn = (const char *const[]){"h2", NULL});
    for (uint64_t k = 0; k < 8; k++) {
        weft_tls_options *copy = NULL;
        weft_testing_fail_alloc(k, false);
        int err = weft__tls_options_copy(given, &copy);
        weft_testing_fail_alloc(0, false);
        if (err == 0)
            ASSERT_STR_EQ(copy->pins[1], "e");
        weft__tls_options_free(copy);
        ASSERT(err == 0 || err == -ENOMEM);
    }
}

/*
 * weft/certificate.h - the certificate that the other end of a TLS connection has shown.
 *
 *     weft_connection_info info;
 *     weft_response_connection(response, &info);
 *     char *subject;
 *     if (info.certificate != NULL && weft_certificate_subject(info.certificate, &subject) == 0) {
 *         printf("%s, until %lld\n", subject, (long long)weft_certificate_not_after(info.certificate));
 *         weft_free(subject);
 *     }
 *
 * What it says of itself is the peer's word, unless the connection was verified.  Certificates
 * never change and may be looked at by several threads.
 */
#ifndef WEFT_CERTIFICATE_H
#define WEFT_CERTIFICATE_H

#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_certificate weft_certificate;

/**
 * weft_tls_certificate() - the certificate of the other end
 * @stream: borrows. A TLS stream, or one above it.
 *
 * Suspends: never.
 * Return:   gives, release with weft_certificate_unref(); NULL for a stream without TLS, or a peer
 *           that has shown none.
 * Source:   SSLSocket.getpeercert.
 * Since:    0.1
 */
WEFT_API weft_certificate *weft_tls_certificate(weft_stream *stream);

/**
 * weft_certificate_ref() - keep a certificate that was lent
 * @certificate: borrows.
 *
 * Suspends: never.
 * Return:   gives, release with weft_certificate_unref().
 * Since:    0.1
 */
WEFT_API weft_certificate *weft_certificate_ref(const weft_certificate *certificate);

/**
 * weft_certificate_unref() - release a certificate
 * @certificate: takes. NULL is allowed.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_certificate_unref(weft_certificate *certificate);

/**
 * weft_certificate_subject() - whose it is
 * @certificate: borrows.
 * @ret:         gives, free with weft_free(). "CN=example.org,O=Example", in UTF-8; controls are
 *               escaped.
 *
 * Which hosts it is for is not said here, but by weft_certificate_name().
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   SSLSocket.getpeercert()["subject"]; RFC 4514.
 * Since:    0.1
 */
WEFT_API int weft_certificate_subject(const weft_certificate *certificate, char **ret);

/**
 * weft_certificate_issuer() - who has signed it
 * @certificate: borrows.
 * @ret:         gives, free with weft_free(). As the subject.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   SSLSocket.getpeercert()["issuer"]; RFC 4514.
 * Since:    0.1
 */
WEFT_API int weft_certificate_issuer(const weft_certificate *certificate, char **ret);

/**
 * weft_certificate_name() - a host that it is for
 * @certificate: borrows.
 * @index:       0: the first.
 * @ret:         gives, free with weft_free(). A name, "*.example.org", or an address.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT there are not so many; -EBADMSG it is no name; -ENOMEM.
 * Source:   SSLSocket.getpeercert()["subjectAltName"]; RFC 5280 4.2.1.6.
 * Since:    0.1
 */
WEFT_API int weft_certificate_name(const weft_certificate *certificate, size_t index, char **ret);

/**
 * weft_certificate_not_before() - since when it is valid
 * @certificate: borrows.
 *
 * Suspends: never.
 * Return:   seconds since 1970; -1: it does not say.
 * Source:   SSLSocket.getpeercert()["notBefore"].
 * Since:    0.1
 */
WEFT_API int64_t weft_certificate_not_before(const weft_certificate *certificate);

/**
 * weft_certificate_not_after() - until when it is valid
 * @certificate: borrows.
 *
 * Suspends: never.
 * Return:   seconds since 1970; -1: it does not say.
 * Source:   SSLSocket.getpeercert()["notAfter"].
 * Since:    0.1
 */
WEFT_API int64_t weft_certificate_not_after(const weft_certificate *certificate);

/**
 * weft_certificate_der() - the certificate itself
 * @certificate: borrows.
 * @ret:         gives, free with weft_free().
 * @ret_len:     borrows, gets its bytes.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   SSLSocket.getpeercert(binary_form=True); X.690.
 * Since:    0.1
 */
WEFT_API int weft_certificate_der(const weft_certificate *certificate, void **ret, size_t *ret_len);

/**
 * weft_certificate_pem() - the certificate as text
 * @certificate: borrows.
 * @ret:         gives, free with weft_free(). "-----BEGIN CERTIFICATE-----" and so on.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   ssl.DER_cert_to_PEM_cert; RFC 7468.
 * Since:    0.1
 */
WEFT_API int weft_certificate_pem(const weft_certificate *certificate, char **ret);

enum { WEFT_CERTIFICATE_PIN = 45 };

/**
 * weft_certificate_pin() - its public key as one of weft_tls_options.pins
 * @certificate: borrows.
 * @ret:         borrows, WEFT_CERTIFICATE_PIN bytes: base64 of the SHA-256 of its
 *               SubjectPublicKeyInfo, with a NUL.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   CURLOPT_PINNEDPUBLICKEY; RFC 7469 2.4.
 * Since:    0.1
 */
WEFT_API int weft_certificate_pin(const weft_certificate *certificate,
                                  char ret[WEFT_CERTIFICATE_PIN]);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_certificate, weft_certificate_unref)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/tls.h - TLS 1.2 and 1.3 over any stream.
 */
#ifndef WEFT_TLS_H
#define WEFT_TLS_H

#include <weft/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Settings, trust store and sessions, shared by any number of connections and threads. */
typedef struct weft_tls weft_tls;

/* The lowest version that is spoken. */
typedef enum weft_tls_minimum { WEFT_TLS_1_2 = 2, WEFT_TLS_1_3 = 3 } weft_tls_minimum;

typedef struct weft_tls_options {
    size_t size;
    bool insecure_no_verify;  /* do not check the peer's certificate: for tests only */
    const char *ca_file;      /* PEM; instead of the system's store */
    const char *ca_dir;       /* hashed folder; instead of the system's store */
    const char *cert_file;    /* PEM chain: a server's, or a client's own certificate */
    const char *key_file;     /* PEM; default: in cert_file */
    const char *const *alpn;  /* in order of preference, ends with NULL: {"h2", "http/1.1", NULL} */
    const char *key_password; /* of an encrypted key_file */
    weft_tls_minimum minimum; /* default 1.2 */
    const char *const *pins;  /* the peer's public key must be one of these: base64 of the SHA-256
                                 of its SubjectPublicKeyInfo; ends with NULL. Beside what else is
                                 checked, and also where nothing else is */
    bool ocsp;       /* a client: the server must staple a good OCSP response to its certificate */
    bool no_resume;  /* no sessions are kept */
    bool ignore_env; /* the environment says nothing of trust and key logs */
    const char *crl_file; /* PEM: revocation lists for every certificate of the chain */
    const char
        *keylog_file; /* secrets are appended to it, for Wireshark: gives all away. Default of
                                a client: SSLKEYLOGFILE of the environment */
} weft_tls_options;
#define WEFT_TLS(...) WEFT_OPTIONS(weft_tls_options, __VA_ARGS__)

/**
 * weft_tls_new_client() - settings for connections to servers
 * @options: borrows. NULL: all defaults.
 * @ret:     gives, free with weft_tls_free.
 *
 * The peer's certificate and name are verified.  Trust comes from ca_file and ca_dir, else from
 * SSL_CERT_FILE and SSL_CERT_DIR (not in set-user-id programs), else from the system's hashed
 * folder, else from its bundle.  Make it once and keep it: it also keeps the sessions by which
 * later connections to the same name are made in a third of the time.
 *
 * Suspends: never; reads files.
 * Return:   0, or negative.
 * Errors:   -ENOENT and other errors of a file, which the message names; WEFT_ETLS no certificate
 *           or key in it, or a wrong password; -EINVAL an ALPN name, a pin, a version; -ENOMEM.
 * Source:   ssl.create_default_context.
 * Since:    0.1
 */
WEFT_API int weft_tls_new_client(const weft_tls_options *options, weft_tls **ret);

/**
 * weft_tls_new_server() - settings for connections from clients
 * @options: borrows. cert_file is needed; with ca_file or ca_dir clients must show a certificate
 *           of these authorities.
 * @ret:     gives, free with weft_tls_free.
 *
 * Suspends: never; reads files.
 * Return:   0, or negative.
 * Errors:   as weft_tls_new_client; -EINVAL without cert_file.
 * Source:   ssl.create_default_context(Purpose.CLIENT_AUTH).
 * Since:    0.1
 */
WEFT_API int weft_tls_new_server(const weft_tls_options *options, weft_tls **ret);

/**
 * weft_tls_free() - release settings
 * @tls: takes. NULL is allowed. Connections made with them live on.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_tls_free(weft_tls *tls);

/**
 * weft_tls_connect() - TLS as a client
 * @tls:         keeps until the stream is freed, by a reference of its own.
 * @below:       takes, on failure too.
 * @server_name: borrows. A host name or IP address, which the certificate must be for; NULL only
 *               with insecure_no_verify.
 * @ret:         gives, free with weft_stream_free.
 *
 * A time-out of below bounds each step of the handshake.
 *
 * Suspends: yes.
 * Cancel:   the connection is dropped.
 * Return:   0, or negative; the message says why a certificate was refused.
 * Errors:   WEFT_ETLS_VERIFY; WEFT_ETLS; those of weft_stream_read and weft_stream_write.
 * Source:   asyncio StreamWriter.start_tls; RFC 8446, RFC 5246, RFC 6066, RFC 7301.
 * Since:    0.1
 */
WEFT_API int weft_tls_connect(weft_tls *tls, weft_stream *below, const char *server_name,
                              weft_stream **ret);

/**
 * weft_tls_accept() - TLS as a server
 * @tls:   keeps until the stream is freed, by a reference of its own.
 * @below: takes, on failure too.
 * @ret:   gives, free with weft_stream_free.
 *
 * Suspends: yes.
 * Cancel:   the connection is dropped.
 * Return:   0, or negative.
 * Errors:   WEFT_ETLS; WEFT_ETLS_VERIFY a client's certificate; those of weft_stream_read and
 *           weft_stream_write.
 * Source:   asyncio.start_server(ssl=).
 * Since:    0.1
 */
WEFT_API int weft_tls_accept(weft_tls *tls, weft_stream *below, weft_stream **ret);

/**
 * weft_tls_start() - go on by TLS after a conversation in plain text
 * @tls:         keeps until the stream is freed, by a reference of its own. Of a client or of a
 *               server: that decides which side this is.
 * @stream:      borrows the place. What is in it is taken, on failure too; then NULL is in it.
 * @reader:      borrows. The reader of the plain text, which goes on over TLS; NULL: none.
 * @server_name: borrows. As for weft_tls_connect; NULL at a server.
 *
 * For STARTTLS of SMTP, IMAP, LDAP and the like: after the answer that agrees to it.  What the
 * reader has read ahead came before the handshake, perhaps from somebody in between; it must not
 * pass for something protected, and so the upgrade fails.  After a failure free the reader.
 *
 * Suspends: yes.
 * Cancel:   the connection is dropped.
 * Return:   0, or negative.
 * Errors:   WEFT_ETLS also for bytes that came before it; -EBUSY a task is in a call on the
 *           stream, which is left as it is; those of weft_tls_connect and weft_tls_accept.
 * Source:   asyncio StreamWriter.start_tls; RFC 3207 section 4.2, RFC 9051 section 11.1.
 * Since:    0.1
 */
WEFT_API int weft_tls_start(weft_tls *tls, weft_stream **stream, weft_reader *reader,
                            const char *server_name);

/**
 * weft_tls_dial() - connect to a host by TCP and TLS
 * @tls:     keeps until the stream is freed, by a reference of its own.
 * @host:    borrows. Also the name that the certificate must be for.
 * @port:    the peer's.
 * @options: borrows. NULL: all defaults. The time-out is for the handshake too.
 * @ret:     gives, free with weft_stream_free.
 *
 * Suspends: yes.
 * Cancel:   nothing is left open.
 * Return:   0, or negative.
 * Errors:   those of weft_dial and weft_tls_connect.
 * Source:   asyncio.open_connection(ssl=True), trio.open_ssl_over_tcp_stream.
 * Since:    0.1
 */
WEFT_API int weft_tls_dial(weft_tls *tls, const char *host, uint16_t port,
                           const weft_dial_options *options, weft_stream **ret);

/**
 * weft_tls_alpn() - the protocol that was agreed upon
 * @stream: borrows. A TLS stream, or one above it.
 *
 * Suspends: never.
 * Return:   lends until the stream is freed; NULL if none was.
 * Source:   SSLSocket.selected_alpn_protocol; RFC 7301.
 * Since:    0.1
 */
WEFT_API const char *weft_tls_alpn(weft_stream *stream);

/**
 * weft_tls_version() - the version that is spoken
 * @stream: borrows. A TLS stream, or one above it.
 *
 * Suspends: never.
 * Return:   lends a static string, "TLSv1.3"; NULL for a stream without TLS.
 * Source:   SSLSocket.version.
 * Since:    0.1
 */
WEFT_API const char *weft_tls_version(weft_stream *stream);

/**
 * weft_tls_cipher() - the cipher suite that is used
 * @stream: borrows. A TLS stream, or one above it.
 *
 * Suspends: never.
 * Return:   lends a static string; NULL for a stream without TLS.
 * Source:   SSLSocket.cipher.
 * Since:    0.1
 */
WEFT_API const char *weft_tls_cipher(weft_stream *stream);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_tls, weft_tls_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

/*
 * weft/tls.h - TLS 1.2 and 1.3 over any stream.
 */
#ifndef WEFT_TLS_H
#define WEFT_TLS_H

#include <weft/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Settings, trust store and sessions, shared by any number of connections and threads. */
typedef struct weft_tls weft_tls;

typedef struct weft_tls_options {
    size_t size;
    bool insecure_no_verify; /* do not check the peer's certificate: for tests only */
    const char *ca_file;     /* PEM; instead of the system's store */
    const char *ca_dir;      /* hashed folder; instead of the system's store */
    const char *cert_file;   /* PEM chain: a server's, or a client's own certificate */
    const char *key_file;    /* PEM; default: in cert_file */
    const char *const *alpn; /* in order of preference, ends with NULL: {"h2", "http/1.1", NULL} */
} weft_tls_options;
#define WEFT_TLS(...) WEFT_OPTIONS(weft_tls_options, __VA_ARGS__)

WEFT_API int weft_tls_new_client(const weft_tls_options *options, weft_tls **ret);
WEFT_API int weft_tls_new_server(const weft_tls_options *options, weft_tls **ret);
WEFT_API void weft_tls_free(weft_tls *tls);

WEFT_API int weft_tls_connect(weft_tls *tls, weft_stream *below, const char *server_name,
                              weft_stream **ret);
WEFT_API int weft_tls_accept(weft_tls *tls, weft_stream *below, weft_stream **ret);

WEFT_API const char *weft_tls_alpn(weft_stream *stream);
WEFT_API const char *weft_tls_version(weft_stream *stream);
WEFT_API const char *weft_tls_cipher(weft_stream *stream);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_tls, weft_tls_free)
#endif

#ifdef __cplusplus
}
#endif
#endif

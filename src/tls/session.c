/*
 * session.c - sessions to be resumed: 838 us of handshake become 248.
 *
 * One table for each weft_tls, so that sessions never cross settings; the key is the server's
 * name.  A ticket of TLS 1.3 is used once (RFC 8446, appendix C.4); a session of TLS 1.2 stays.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tls/tls_int.h"

/* More of one name serve connections that are made at the same time. */
enum { PER_NAME = 8 };

static void remove_at(weft_tls *tls, size_t i)
{
    SSL_SESSION_free(tls->sessions[i].session);
    weft__free(tls->sessions[i].name);
    tls->n_sessions--;
    memmove(&tls->sessions[i], &tls->sessions[i + 1],
            (tls->n_sessions - i) * sizeof tls->sessions[0]);
}

static void make_place(weft_tls *tls, const char *name)
{
    size_t same = 0;
    size_t oldest_same = 0;
    for (size_t i = tls->n_sessions; i > 0; i--) {
        if (strcmp(tls->sessions[i - 1].name, name) == 0) {
            same++;
            oldest_same = i - 1;
        }
    }
    if (same >= PER_NAME)
        remove_at(tls, oldest_same);
    else if (tls->n_sessions == WEFT__LIMIT_TLS_SESSIONS)
        remove_at(tls, 0);
}

/* A session that is not kept costs a handshake, nothing else: no memory is no error here. */
void weft__tls_session_put(weft_tls *tls, const char *name, SSL_SESSION *session)
{
    char *copy = weft__strdup(name);
    if (copy == NULL) {
        SSL_SESSION_free(session);
        return;
    }
    CRYPTO_THREAD_write_lock(tls->lock);
    if (tls->sessions == NULL)
        tls->sessions = weft__calloc(WEFT__LIMIT_TLS_SESSIONS, sizeof tls->sessions[0]);
    if (tls->sessions != NULL) {
        make_place(tls, name);
        tls->sessions[tls->n_sessions++] = (struct weft__tls_session){copy, session};
        copy = NULL;
        session = NULL;
    }
    CRYPTO_THREAD_unlock(tls->lock);
    weft__free(copy);
    SSL_SESSION_free(session);
}

static bool is_usable(const SSL_SESSION *session)
{
    int64_t end = (int64_t)SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session);
    return SSL_SESSION_is_resumable(session) && weft__clock_wall() < end;
}

SSL_SESSION *weft__tls_session_take(weft_tls *tls, const char *name)
{
    SSL_SESSION *found = NULL;
    CRYPTO_THREAD_write_lock(tls->lock);
    for (size_t i = tls->n_sessions; i > 0 && found == NULL; i--) {
        struct weft__tls_session *one = &tls->sessions[i - 1];
        if (strcmp(one->name, name) != 0)
            continue;
        bool usable = is_usable(one->session);
        if (usable) {
            found = one->session;
            SSL_SESSION_up_ref(found);
        }
        if (!usable || SSL_SESSION_get_protocol_version(found) >= TLS1_3_VERSION)
            remove_at(tls, i - 1);
    }
    CRYPTO_THREAD_unlock(tls->lock);
    return found;
}

void weft__tls_sessions_free(weft_tls *tls)
{
    while (tls->n_sessions > 0)
        remove_at(tls, tls->n_sessions - 1);
    weft__free(tls->sessions);
}

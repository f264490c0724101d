/*
 * weft/error.h - error codes, their names, texts and families.
 *
 * A call returns 0 or more on success and a negative code on failure: -errno for what the
 * system said, or one of the codes below.  errno itself is never an output.  The sentence
 * about the last failure of this task (outside tasks: of this thread) is
 * weft_error_message().
 */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <errno.h>
#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_error_family {
    WEFT_FAMILY_NONE = 0, /* not an error code */
    WEFT_FAMILY_SYSTEM,   /* -errno */
    WEFT_FAMILY_RUNTIME,  /* tasks, scopes, streams */
    WEFT_FAMILY_USAGE,    /* the caller's arguments: never worth a retry */
    WEFT_FAMILY_DNS,      /* name resolution */
    WEFT_FAMILY_CONNECT,  /* no connection */
    WEFT_FAMILY_TLS,      /* handshake, verification */
    WEFT_FAMILY_TIMEOUT,  /* httpx.TimeoutException */
    WEFT_FAMILY_NETWORK,  /* httpx.NetworkError: a connection broke */
    WEFT_FAMILY_PROTOCOL, /* httpx.ProtocolError: somebody broke HTTP's rules */
    WEFT_FAMILY_PROXY,    /* httpx.ProxyError */
    WEFT_FAMILY_RESPONSE, /* a whole response that is not what was asked for */
    WEFT_FAMILY_LIMIT     /* a limit of the limits table was reached */
} weft_error_family;

/*
 * X(name, number, family, retryable, text)
 *
 * retryable: trying the same idempotent operation again may succeed.  The HTTP retry policy
 * looks further (what was sent, the method); see weft/retry.h.
 */
#define WEFT_ERRORS(X)                                                                             \
    /* runtime */                                                                                  \
    X(EEOF, 10001, RUNTIME, 0, "end of stream before the expected data")                           \
    X(ECLOSED, 10002, RUNTIME, 0, "the object is closed")                                          \
    X(ENESTED, 10003, RUNTIME, 0, "weft_run inside a running task")                                \
    X(EFORKED, 10004, RUNTIME, 0, "the runtime was used after fork in the child")                  \
    X(EMISNESTED, 10005, RUNTIME, 0, "scopes or groups left in the wrong order")                   \
    X(EBACKEND, 10006, RUNTIME, 0, "no event loop back end could be started")                      \
    X(ETOO_LONG, 10007, LIMIT, 0, "a line or record is longer than its limit")                     \
    X(EQUEUE_FULL, 10008, LIMIT, 1, "a bounded queue is full")                                     \
    X(EBROKEN, 10009, RUNTIME, 0, "the barrier is broken")                                         \
    X(ENOT_STARTED, 10010, RUNTIME, 0, "the task ended before it was ready")                       \
    X(EPROCESS, 10011, RUNTIME, 0, "a program ended with a failure")                               \
    /* usage */                                                                                    \
    X(EINVALID_URL, 10101, USAGE, 0, "invalid URL")                                                \
    X(EUNSUPPORTED_PROTOCOL, 10102, USAGE, 0, "unsupported URL scheme")                            \
    X(ELOCAL_PROTOCOL, 10103, USAGE, 0, "the request would break the protocol")                    \
    X(ECLIENT_CLOSED, 10104, USAGE, 0, "the client is closed")                                     \
    X(ESTREAM_CONSUMED, 10105, USAGE, 0, "the body was already read")                              \
    X(ERESPONSE_NOT_READ, 10106, USAGE, 0, "the body was not read yet")                            \
    X(ENOT_REPLAYABLE, 10107, USAGE, 0, "the request body cannot be sent a second time")           \
    /* names and connecting */                                                                     \
    X(EDNS, 10201, DNS, 1, "name resolution failed")                                               \
    X(EDNS_NOT_FOUND, 10202, DNS, 0, "host name not found")                                        \
    X(ECONNECT, 10301, CONNECT, 1, "connection failed")                                            \
    X(EREFUSED, 10302, CONNECT, 1, "connection refused")                                           \
    X(EUNREACHABLE, 10303, CONNECT, 1, "host or network unreachable")                              \
    X(ECIRCUIT_OPEN, 10304, CONNECT, 0, "the origin failed too often to be asked now")             \
    X(EADDRESS_REFUSED, 10305, CONNECT, 0, "the address is not one that may be connected to")      \
    X(ETLS, 10401, TLS, 1, "TLS failure")                                                          \
    X(ETLS_VERIFY, 10402, TLS, 0, "TLS certificate verification failed")                           \
    X(EPROXY, 10501, PROXY, 0, "proxy failure")                                                    \
    /* time-outs */                                                                                \
    X(ECONNECT_TIMEOUT, 10601, TIMEOUT, 1, "timed out while connecting")                           \
    X(EREAD_TIMEOUT, 10602, TIMEOUT, 1, "timed out while reading")                                 \
    X(EWRITE_TIMEOUT, 10603, TIMEOUT, 1, "timed out while writing")                                \
    X(EPOOL_TIMEOUT, 10604, TIMEOUT, 1, "timed out while waiting for a connection of the pool")    \
    X(ETOTAL_TIMEOUT, 10605, TIMEOUT, 0, "the request's total time is over")                       \
    /* broken connections */                                                                       \
    X(EREAD, 10701, NETWORK, 1, "the connection broke while reading")                              \
    X(EWRITE, 10702, NETWORK, 1, "the connection broke while writing")                             \
    X(EDISCONNECTED, 10703, NETWORK, 1, "server disconnected without sending a response")          \
    X(ETRUNCATED, 10704, NETWORK, 1, "the body ended before its declared end")                     \
    /* protocol */                                                                                 \
    X(EREMOTE_PROTOCOL, 10801, PROTOCOL, 0, "the peer broke the protocol")                         \
    X(EDECODING, 10802, PROTOCOL, 0, "the body's content coding is corrupt")                       \
    X(EHEADER_TOO_LARGE, 10803, LIMIT, 0, "a message head is larger than its limit")               \
    X(EBODY_TOO_LARGE, 10804, LIMIT, 0, "a body is larger than its limit")                         \
    /* responses */                                                                                \
    X(EHTTP_STATUS, 10901, RESPONSE, 0, "the response's status is an error")                       \
    X(ETOO_MANY_REDIRECTS, 10902, RESPONSE, 0, "too many redirects")                               \
    X(EJSON, 10903, RESPONSE, 0, "not valid JSON")

enum {
#define WEFT_ERROR_ENUM(name, number, family, retryable, text) WEFT_##name = -(number),
    WEFT_ERRORS(WEFT_ERROR_ENUM)
#undef WEFT_ERROR_ENUM
};

/**
 * weft_error_message() - the sentence about the last failure of this task
 *
 * Who, which phase, which peer, which attempt: one line without a newline, never with a
 * password in it.  When a child's error is returned by gather, map or a group, its message
 * comes along.
 *
 * Suspends: never.
 * Return:   lends until the next failing call of this task; never NULL.
 * Source:   str(exception).
 * Since:    0.1
 */
WEFT_API const char *weft_error_message(void);

/**
 * weft_error_set() - fail with a sentence of one's own
 * @code:   negative: an errno, a code of this header, or one of the program's own.
 * @format: borrows. As for printf(), with what it names behind it. A sentence without a newline,
 *          at most 511 bytes of it are kept.
 *
 * It becomes weft_error_message() of the calling task, and goes with the code to whoever joins the
 * task, waits for the offloaded function, or runs the loop.
 *
 *     if (!json_is_string(name))
 *         return weft_error_set(-EPROTO, "user %d has no name", id);
 *
 * Suspends: never.
 * Return:   code.
 * Source:   raise ValueError("user 7 has no name").
 * Since:    0.1
 */
WEFT_API int weft_error_set(int code, const char *format, ...) WEFT_PRINTF(2, 3);

/**
 * weft_error_name() - "WEFT_EREAD_TIMEOUT" or "ENOENT"
 * @code: a negative code; the sign may be missing.
 *
 * Suspends: never.
 * Return:   lends a static string, "unknown" for no known code.
 * Since:    0.1
 */
WEFT_API const char *weft_error_name(int code);

/**
 * weft_error_text() - what a code means, without circumstances
 * @code: a negative code; the sign may be missing.
 *
 * Suspends: never.
 * Return:   lends a static string.
 * Source:   os.strerror.
 * Since:    0.1
 */
WEFT_API const char *weft_error_text(int code);

/**
 * weft_error_get_family() - the class of errors a code belongs to
 * @code: a negative code.
 *
 * Suspends: never.
 * Return:   WEFT_FAMILY_NONE for 0 or more, WEFT_FAMILY_SYSTEM for an errno.
 * Since:    0.1
 */
WEFT_API weft_error_family weft_error_get_family(int code);

/**
 * weft_error_is_retryable() - may the same idempotent operation succeed later?
 * @code: a negative code.
 *
 * Cancellation, missing memory and wrong arguments are never retryable.
 *
 * Suspends: never.
 * Return:   false for 0 or more.
 * Since:    0.1
 */
WEFT_API bool weft_error_is_retryable(int code);

#ifdef __cplusplus
}
#endif
#endif

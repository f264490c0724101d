/*
 * weft/hooks.h - functions that see what a client does: requests, responses, a log.
 */
#ifndef WEFT_HOOKS_H
#define WEFT_HOOKS_H

#include <weft/base.h>
#include <weft/http.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_response;

typedef struct weft_request_event {
    size_t size;
    const char *method;    /* lends, as all of these until the function returns */
    const char *url;       /* with its password, if it has one */
    weft_headers *headers; /* may be changed; as they will be sent, but for Host and the framing */
    int attempt;           /* of this hop, from 1 */
    int redirects;         /* followed before it */
} weft_request_event;

/* A response before the final one: 103 Early Hints, 102, 100. */
typedef struct weft_informational_event {
    size_t size;
    const char *method; /* lends, as all of these until the function returns */
    const char *url;    /* with its password, if it has one */
    int status;
    const weft_headers *headers;
    int attempt;
    int redirects;
} weft_informational_event;

/* What happened to a connection of the client. */
typedef enum weft_trace_kind {
    WEFT_TRACE_CONNECTING = 1,     /* no idle connection was there: DNS, TCP, TLS begin */
    WEFT_TRACE_CONNECTED,          /* they are done */
    WEFT_TRACE_REUSED,             /* an idle connection is used */
    WEFT_TRACE_ANSWERED,           /* the head of the final response has come */
    WEFT_TRACE_FAILED,             /* the attempt has failed, see error */
    WEFT_TRACE_RESOLVING,          /* a name, or the text of an address */
    WEFT_TRACE_RESOLVED,           /* or not, see error */
    WEFT_TRACE_ADDRESS_CONNECTING, /* see address; several may be under way at once */
    WEFT_TRACE_ADDRESS_CONNECTED,
    WEFT_TRACE_ADDRESS_FAILED, /* -ECANCELED: another address was faster */
    WEFT_TRACE_TLS_STARTING,
    WEFT_TRACE_TLS_ENDED, /* see error */
    WEFT_TRACE_SENT,      /* the request has been handed over whole, or the answer has come first */
    WEFT_TRACE_FIRST_BYTE, /* of an answer, 1xx included */
    WEFT_TRACE_BODY_ENDED, /* it was read to its end; see error where it was not */
    WEFT_TRACE_CLOSED      /* the connection; never told after weft_client_free() */
} weft_trace_kind;

typedef struct weft_trace_event {
    size_t size;
    weft_trace_kind kind;
    const char *authority;              /* lends until the function returns: "example.org:8080" */
    bool secure;                        /* https */
    int64_t time;                       /* weft_now() */
    int attempt;                        /* from 1; 0: of no attempt in particular */
    int status;                         /* of ANSWERED */
    int error;                          /* of FAILED and the others where it says so */
    uint64_t connection;                /* as in weft_connection_info; 0: there is none yet */
    const struct weft_address *address; /* lends until the function returns; NULL: see kind */
} weft_trace_event;

/*
 * Called in the task that makes the call, on its thread; threads that share the client call them at
 * the same time.
 */
typedef struct weft_hooks {
    size_t size;
    /* Before each request that is sent, those after redirects, challenges and failures too; its
       fields are complete, cookies and auth included.  0, or an error, which ends the call. */
    int (*on_request)(void *userdata, const weft_request_event *event);
    /* After the head of each response, before its body.  0, or an error, which closes the response
       and ends the call.  It may read the body with weft_response_read_all(). */
    int (*on_response)(void *userdata, struct weft_response *response);
    /* Connections; it must not suspend.  It may be called in a task of the call's own, and for
       CLOSED in none at all. */
    void (*trace)(void *userdata, const weft_trace_event *event);
    /* A line for each request, without its end: "GET https://host/path?query -> 200 (12.3 ms)", or
       the name of the error instead of the status.  The time is that to the end of the body, of a
       streamed one to the end of the head.  User and password of the URL, its fragment, and values
       of its query whose names look like those of secrets are not shown.  It must not suspend. */
    void (*log)(void *userdata, const char *line);
    void *userdata; /* keeps until the client is freed; of all of them */
    /* At each 1xx but 101, before the final response, while a large body may still be going out.
       0, or an error, which ends the call.  It must not suspend. */
    int (*on_informational)(void *userdata, const weft_informational_event *event);
} weft_hooks;
#define WEFT_HOOKS(...) WEFT_OPTIONS(weft_hooks, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif

/*
 * web.h - the library's own server with a little of everything, on a thread or in a process of its
 * own: there faults of the test do not reach it, and its memory is not counted.
 *
 *   /echo           "METHOD TARGET", Cookie and Authorization, the body
 *   /set/NAME/VALUE sets a cookie
 *   /redirect/N     N redirects to /echo
 *   /flaky/NAME     503 at the first time, then 200
 *   /delay/MS
 *   /digest         wants Digest; a nonce-count that came before is 400, but for /digest/any
 *   /token          wants "Bearer tN" of the present N, see web_revoke()
 *   /gzip, /lines, /latin1, /json, /status/N
 *   /bytes/N        N bytes
 *   /sink           how many bytes the request's body had
 *   /events         server-sent events, three a connection; their ids go on after Last-Event-ID
 */
#ifndef WEFT_TEST_WEB_H
#define WEFT_TEST_WEB_H

#include <pthread.h>
#include <stdatomic.h>

#include <weft.h>
#include <weft/server.h>

enum { WEB_COUNTS = 1024 };

struct web {
    weft_server *server;
    weft_loop *loop;
    pthread_t thread;
    int pid;     /* 0: a thread */
    int port_fd; /* in that process: for the port */
    pthread_barrier_t ready;
    weft_group guests; /* over HTTP/2 */
    weft_listener *listener;
    weft_tls *tls;
    bool over_h2;
    char base[64]; /* "http://127.0.0.1:12345" */
    uint16_t port;
    atomic_int token;       /* the N that counts */
    atomic_int refused;     /* by /token */
    atomic_int served;      /* requests */
    atomic_int connections; /* of event streams */
    /* Of the server's thread alone. */
    bool counted[WEB_COUNTS]; /* nonce-counts that came */
    char flaky[64][16];
    int n_flaky;
    int last_id;
};

void web_start(struct web *web);
/* Over HTTP/2: by TLS with that certificate, or NULL: without. */
void web_start_h2(struct web *web, const char *cert_file);
/* In a process, before any loop exists: of web only base and port are of use. */
void web_start_apart(struct web *web);
void web_stop(struct web *web);
/* Tokens so far are refused from now on; returns the number of the next. */
int web_revoke(struct web *web);

#endif

/*
 * http_peer.h - a small HTTP server in a process of its own, so that faults of the test do not
 * reach it and its memory is not counted.
 *
 * It answers "METHOD PATH" and the body of the request; /bytes/N: N bytes; /chunks/N: N chunks
 * of 100 bytes; /delay/MS; /status/N; /redirect: to /there; /json: only the request's body;
 * /close: a body up to the end.
 */
#ifndef WEFT_TEST_HTTP_PEER_H
#define WEFT_TEST_HTTP_PEER_H

struct http_peer {
    int pid;
    const char *ca; /* of its certificate; NULL: http */
    char base[64];  /* "http://127.0.0.1:12345" */
};

/* Before any loop exists. */
void http_peer_start(struct http_peer *peer);
void http_peer_start_tls(struct http_peer *peer);
void http_peer_stop(struct http_peer *peer);

#endif

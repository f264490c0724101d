/*
 * tls_world.h - a simulated network with an origin by TLS, another one, and a proxy that opens
 * tunnels.
 *
 * "origin.example" and "other.example" listen on port 443, "proxy" on port 3128.  They answer
 * every request by 200 "ok", or what answer says, and note what they see.  With WEFT_TEST_HTTP=2
 * they speak HTTP/2.
 */
#ifndef WEFT_TEST_TLS_WORLD_H
#define WEFT_TEST_TLS_WORLD_H

#include <weft.h>
#include <weft/testing_net.h>

enum { PARTY_ORIGIN, PARTY_OTHER, PARTY_PROXY, PARTIES };

struct party {
    struct tls_world *world;
    const char *host;
    const char *cert; /* NULL: without TLS */
    weft_tls *tls;
    const char *answer;   /* NULL: 200 "ok" */
    bool h2;              /* speaks HTTP/2 with who wants it */
    struct h2_fake *fake; /* ... by the list of that one; NULL: through a gate, see gate.h */
    int64_t takes;        /* before an answer */
    bool asks;            /* a proxy that wants a digest before it opens a tunnel */
    bool silent;          /* says nothing at all */
    bool socks;           /* speaks SOCKS 5 and opens tunnels */
    uint16_t port;
    int connections;
    int by_h2;     /* of them */
    int shaken;    /* handshakes that have succeeded */
    int resumed;   /* of them */
    int with_cert; /* of them, with a certificate of the client */
    char sni[256]; /* of the last one; "": none */
    char log[8192];
    size_t log_len;
};

struct tls_world {
    weft_testing_network *net;
    weft_group group;
    struct party parties[PARTIES];
};

/* More than one name: "origin.example" is resolved as 10.0.0.2, "other.example" as 10.0.0.3,
   "proxy" as 10.0.0.9; settings of TLS by default: the certificate for the host's name. */
void tls_world_make(struct tls_world *world);
void tls_world_start(struct tls_world *world);
void tls_world_end(struct tls_world *world);

/* A certificate and its key for "DNS:name" and the like. */
const char *tls_world_cert(const char *file, const char *san);

#endif

/*
 * wire.h - a server in memory that keeps what it was sent, byte by byte, and answers by a list.
 */
#ifndef WEFT_TEST_WIRE_H
#define WEFT_TEST_WIRE_H

#include <weft.h>

enum { WIRE_MAX = 40, WIRE_TEXT = 256 * 1024 };

struct wire_answer {
    const char *text; /* NULL: the connection is closed */
    int64_t takes;
    bool early;  /* after the head, whatever the body */
    bool failed; /* it cannot even be connected to */
    size_t len;  /* of a text with NULs in it; 0: up to its NUL */
};

struct wire {
    weft_group group;
    const struct wire_answer *answers; /* the last one repeats */
    size_t n_answers;
    size_t n_requests;
    int dials;
    char *requests[WIRE_MAX]; /* as they came, NUL behind */
    size_t lens[WIRE_MAX];
};

void wire_start(struct wire *wire, const struct wire_answer *answers, size_t n);
void wire_stop(struct wire *wire);
/* Lets a client connect to it, whatever the URL. */
void wire_serve(struct wire *wire, weft_client *client);

#endif

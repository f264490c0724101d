/*
 * server_harness.h - a server with handlers of every kind, and byte-exact conversations with it.
 *
 * A conversation is a request stream and what must come back.  Before the comparison the
 * reply's Date and Server lines are taken out, after a look at their form.
 */
#ifndef SERVER_HARNESS_H
#define SERVER_HARNESS_H

#include <stddef.h>

#include <weft/server.h>

struct server_case {
    const char *name;
    const char *request;
    size_t request_len; /* 0: strlen */
    const char *reply;  /* NULL: nothing */
    int refusal;        /* then this status, as an error of the server that ends the connection */
    bool long_one;      /* not at every split */
};

extern const struct server_case server_cases[];
extern const size_t n_server_cases;

/* With routes, small limits and short times; options may be NULL. */
weft_server *harness_server(const weft_server_options *options);
/* Appends what the peer says until its end to reply; returns the length. */
size_t harness_read_all(weft_stream *stream, char *reply, size_t size);
/* Checks and takes out Date and Server. */
void harness_normalise(char *reply);
/* The whole expected text of a case. */
void harness_expected(const struct server_case *one, char *text, size_t size);
size_t harness_request_len(const struct server_case *one);

#endif

/*
 * h1_replay.h - feeds one message to the HTTP/1 codec in every way and writes down what it saw.
 *
 * The bytes stand at the end of a page that is followed by one that cannot be read, at
 * another address each time more of them come.
 */
#ifndef H1_REPLAY_H
#define H1_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

struct h1_case {
    const char *input; /* NUL-terminated unless len is set */
    const char *expected;
    const char *method; /* of the request that a response answers; default GET */
    size_t len;
};

enum h1_kind { H1_REQUEST, H1_RESPONSE, H1_CHUNKED };

/*
 * Compares with the expected text at each split: whole, byte by byte, and cut in two at every
 * place.  The text:
 *
 *   1.1 200 [OK] keep len {Name:value}... "body" {Trailer:value}... end
 *   1.1 GET / keep none {Host:a} "" end
 *
 * "keep" or "close", then "upgrade", "expect"; none, len, chunked or eof.  In place of "end":
 * "+N" is N bytes left over, "cut" a truncated body, "more" an incomplete head,
 * "!MESSAGE" an error (">MESSAGE" where a limit was reached).
 */
void h1_check(enum h1_kind kind, const struct h1_case *row);
/* The text for the bytes cut at the given ends, the last of which is len. */
void h1_replay(enum h1_kind kind, const char *bytes, size_t len, const char *method,
               const size_t *ends, size_t ends_len, char *text, size_t size);

#endif

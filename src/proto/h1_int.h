/* h1_int.h - between the files that parse heads: lines are cut in h1_parse.c, judged in h1_frame.c. */
#ifndef WEFT_PROTO_H1_INT_H
#define WEFT_PROTO_H1_INT_H

#include "proto/h1.h"

/* Sets the message, with the line's number unless that is 0, and head->status; returns code. */
int weft__h1_refuse(struct weft__h1_head *head, int status, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The target has a form that its method may have, RFC 9112 3.2. */
int weft__h1_check_target(struct weft__h1_head *head);
/* From the fields: how the body ends, what happens to the connection, which host is meant. */
int weft__h1_frame_request(struct weft__h1_head *head);
int weft__h1_frame_response(struct weft__h1_head *head);

#endif

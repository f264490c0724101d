/*
 * error_int.h - setting the message of the last failure.
 *
 * The message belongs to the running task.  The scheduler points weft__context at the task
 * that runs; outside tasks it points at a context of the thread.
 */
#ifndef WEFT_BASE_ERROR_INT_H
#define WEFT_BASE_ERROR_INT_H

#include <weft/error.h>

enum { WEFT__ERROR_TEXT_MAX = 512 };

/* The first member of every task. */
struct weft__context {
    char *error_text; /* WEFT__ERROR_TEXT_MAX bytes, NULL until the first failure */
    int error_code;   /* of the last failure that was set; its text stands in for a missing one */
};

extern _Thread_local struct weft__context *weft__context;
/* The one of the thread where no task runs yet. */
struct weft__context *weft__context_get(void);

/* Sets "format" as the message and returns code. */
int weft__fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets "format: text of the code" as the message and returns code. */
int weft__fail_with(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "format: " before the present message and returns code, which stays the message's. */
int weft__fail_prefix(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The code's own text becomes the message. */
int weft__fail_code(int code);
/* -ENOMEM with its message. */
int weft__fail_nomem(void);

/* The message moves from one context to another (a child's to the task that joined it). */
void weft__error_move(struct weft__context *to, struct weft__context *from);
void weft__error_done(struct weft__context *context);

#endif

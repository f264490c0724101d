/* script_int.h - what one conversation is while it is played. */
#ifndef WEFT_HTTP_SCRIPT_INT_H
#define WEFT_HTTP_SCRIPT_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include <weft.h>
#include <weft/sse.h>

#include "script.h"

struct line {
    char *text;
    int number;
};

struct one_case {
    char file[512];
    char name[128];
    struct line *lines;
    int n;
};

/* A case that is played.  Over sockets client and server have a thread each. */
struct script {
    const struct one_case *of;
    enum script_split split;
    enum script_over over;
    bool in_tasks;
    bool over_h2;
    weft_group gates;
    uint64_t seed;
    weft_listener *listener;
    uint16_t port;
    weft_client *client;
    weft_sse *events;
    weft_event *dialled;     /* in memory */
    weft_stream *pending[8]; /* server ends that the script has not accepted yet, in memory */
    pthread_mutex_t lock;    /* of authority */
    char authority[16][128]; /* in the order of dialling */
    atomic_int dials;
    int taken;
    atomic_bool calls_done;
};

extern char script_filling[24 * 1000 * 1000]; /* of x */
extern weft_tls *script_client_tls;
extern weft_tls *script_server_tls; /* for example.org */

enum { EXPECT_MAX = 64 * 1024 };

/* Resolves escapes; how many bytes it became. */
size_t script_unescape(const char *text, char *to, size_t size);
void script_show(const char *data, size_t len, char *to, size_t size);
int64_t script_ms(const char *number);
/* Both sides of a case, as tasks or as plain functions. */
int script_calls(void *script);
int script_server(void *script);
_Noreturn void script_fail(const struct script *script, const struct line *line, const char *format,
                           ...);

#endif

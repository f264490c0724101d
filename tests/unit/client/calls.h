/* calls.h - what tests of calls share: a URL, answers, bodies by functions, their progress. */
#ifndef WEFT_TEST_CALLS_H
#define WEFT_TEST_CALLS_H

#include <errno.h>
#include <string.h>

#include <weft.h>

#include "one_call.h"
#include "test.h"

#ifndef URL
#define URL "http://example.org/x"
#endif
#define EMPTY      "Content-Length: 0\r\n\r\n"
#define GOOD       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY       "HTTP/1.1 503 Service Unavailable\r\n" EMPTY
#define MOVED      "HTTP/1.1 307 Temporary Redirect\r\nLocation: /y\r\n" EMPTY
#define OTHER      "HTTP/1.1 303 See Other\r\nLocation: /y\r\n" EMPTY
#define PAIRS(...) ((const weft_pair[]){__VA_ARGS__, {0}})

static inline int call(weft_client *client, const char *method, const char *url,
                       const weft_request_options *options)
{
    weft_response *response = NULL;
    int err = weft_client_request(client, method, url, options, &response);
    return status_of(err, response);
}

/* ---- a body by a function ---- */

struct text {
    const char *text;
    size_t at;
    int rewinds;
};

static inline int64_t read_text(void *userdata, void *data, size_t len)
{
    struct text *text = userdata;
    size_t left = strlen(text->text) - text->at;
    size_t n = left < len ? left : len;
    memcpy(data, text->text + text->at, n);
    text->at += n;
    return (int64_t)n;
}

static inline int rewind_text(void *userdata)
{
    struct text *text = userdata;
    text->at = 0;
    text->rewinds++;
    return 0;
}

/* ---- the progress of an upload ---- */

struct progress {
    uint64_t calls;
    uint64_t sent;
    uint64_t size;
    uint64_t fails_at;
};

static inline int note_progress(void *userdata, uint64_t sent, uint64_t size)
{
    struct progress *progress = userdata;
    progress->calls++;
    progress->sent = sent;
    progress->size = size;
    return sent == progress->fails_at ? -EPERM : 0;
}

#define TOLD .on_upload = note_progress, .upload_userdata = &progress

#endif

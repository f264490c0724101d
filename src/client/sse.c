/*
 * sse.c - server-sent events over one connection after another (WHATWG HTML 9.2).
 *
 * What was read stands in the buffer or in the parser, so a cancelled call has lost nothing: the
 * next one goes on with the bytes, the wait or the connection that is due.
 */
#include <errno.h>
#include <string.h>

#include <weft/sse.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/client_int.h"
#include "proto/mime.h"
#include "proto/sse.h"

#define MIN_WAIT WEFT_SEC(1)
#define MAX_WAIT WEFT_SEC(30)

enum { BUFFER = 16 * 1024, OWN_PAIRS = 3, DOUBLINGS = 16 };

struct weft_sse {
    weft_client *client;
    weft_sse_options options; /* its texts stand behind it or in what follows */
    char *url;
    char *method;
    char *content;
    char *content_type;
    weft_pair *headers;
    weft_pair *params;
    weft_pair *all;          /* room for headers and ours */
    weft_response *response; /* NULL: not connected */
    struct weft__sse parser;
    const char *at; /* bytes in buffer that the parser has not had yet */
    size_t left;
    int64_t due; /* when to connect again */
    unsigned failures;
    int error; /* nothing more comes after it */
    bool reconnect;
    bool ended;
    char buffer[BUFFER];
};

/* ---- connecting ---- */

static bool is_named(const weft_pair *pairs, const char *name)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (weft__ieq(pairs->name, name))
            return true;
    }
    return false;
}

/* One that a field cannot hold is not sent: the server begins where it likes. */
static const char *last_id(const struct weft_sse *sse)
{
    const char *id = sse->parser.id.len > 0 ? weft__buf_bytes(&sse->parser.id) : "";
    for (const char *p = id; *p != '\0'; p++) {
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f || p - id > WEFT__LIMIT_SSE_ID)
            return "";
    }
    return id;
}

static const weft_pair *make_headers(struct weft_sse *sse)
{
    const weft_pair ours[OWN_PAIRS] = {{"Accept", "text/event-stream"},
                                       {"Cache-Control", "no-store"},
                                       {"Last-Event-ID", last_id(sse)}};
    size_t n = 0;
    for (const weft_pair *pair = sse->headers; pair != NULL && pair->name != NULL; pair++) {
        if (!weft__ieq(pair->name, "last-event-id") || ours[2].value[0] == '\0')
            sse->all[n++] = *pair;
    }
    for (size_t i = 0; i < OWN_PAIRS; i++) {
        if (ours[i].value[0] != '\0' && (i == 2 || !is_named(sse->headers, ours[i].name)))
            sse->all[n++] = ours[i];
    }
    sse->all[n] = (weft_pair){0};
    return sse->all;
}

static bool is_event_stream(const weft_response *response)
{
    const char *type = weft_headers_get(&response->headers, "content-type");
    if (type == NULL)
        return false;
    size_t len = strcspn(type, ";");
    type = weft__trim(type, &len);
    return weft__ieq_n(type, len, "text/event-stream", 17);
}

static int check(struct weft_sse *sse, const weft_response *response)
{
    const char *type = weft_headers_get(&response->headers, "content-type");
    if (response->status == 204) {
        sse->ended = true;
        return 0;
    }
    if (response->status != 200)
        return weft__fail(WEFT_EHTTP_STATUS, "%d %s for the events of %s", response->status,
                          response->reason, WEFT__SHOW(response->url));
    if (!is_event_stream(response))
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "%s answered with \"%.64s\" instead of events",
                          WEFT__SHOW(response->url), type != NULL ? type : "");
    return 0;
}

/* *ret_least: how long the server wants to be left alone; -1: that is no matter of time. */
static int begin(struct weft_sse *sse, int64_t *ret_least)
{
    const weft_sse_options *options = &sse->options;
    weft_response *response;
    *ret_least = 0;
    int err = weft_client_stream(
        sse->client, sse->method, sse->url,
        WEFT_REQUEST(.headers = make_headers(sse), .params = sse->params, .content = sse->content,
                     .content_len = options->content_len, .content_type = sse->content_type,
                     .auth = options->auth, .timeout = WEFT_FOREVER,
                     .read_timeout = options->heartbeat > 0 ? options->heartbeat : WEFT_FOREVER,
                     .follow_redirects = WEFT_ON, .raise_for_status = WEFT_OFF),
        &response);
    if (err < 0) {
        if (!weft_error_is_retryable(err))
            *ret_least = -1;
        return err;
    }
    err = check(sse, response);
    if (err == 0 && !sse->ended) {
        sse->response = response;
        return 0;
    }
    int status = response->status;
    *ret_least = -1;
    if (status == 408 || status == 429 || status >= 500) {
        *ret_least = weft_response_retry_after(response);
        if (*ret_least < 0)
            *ret_least = 0;
    }
    weft_response_free(response);
    return err;
}

/* ---- again ---- */

static void plan(struct weft_sse *sse, int64_t least)
{
    int64_t wait = sse->options.min_wait;
    int64_t most = sse->options.max_wait;
    if (sse->parser.retry >= 0)
        wait = sse->parser.retry < 1000 * (int64_t)WEFT__LIMIT_SSE_RETRY
                   ? WEFT_MS(sse->parser.retry)
                   : WEFT_SEC(WEFT__LIMIT_SSE_RETRY);
    for (unsigned i = 1; i < sse->failures && i < DOUBLINGS && wait < most; i++)
        wait = wait < most / 2 ? 2 * wait : most;
    if (least > WEFT_SEC(WEFT__LIMIT_SSE_RETRY))
        least = WEFT_SEC(WEFT__LIMIT_SSE_RETRY);
    if (wait < least)
        wait = least;
    wait += (int64_t)weft__rand_below(weft__rand_thread(), (uint64_t)wait / 4 + 1);
    sse->due = weft_now() + wait;
}

static int give_up(struct weft_sse *sse, int err)
{
    sse->error = err;
    return err;
}

/* A connection that came to nothing: 0: there will be another, or the error that ends it all. */
static int failed(struct weft_sse *sse, int err, int64_t least)
{
    sse->failures++;
    if (!sse->reconnect || least < 0 ||
        (sse->options.max_failures > 0 && sse->failures >= (unsigned)sse->options.max_failures))
        return give_up(sse, err);
    plan(sse, least);
    return 0;
}

static int connect_again(struct weft_sse *sse)
{
    int64_t least;
    int64_t now = weft_now();
    int err = sse->due > now ? weft_sleep(sse->due - now) : 0;
    if (err < 0)
        return err;
    err = begin(sse, &least);
    if (err == -ECANCELED || err == -ENOMEM)
        return err;
    return err < 0 ? failed(sse, err, least) : 0;
}

/* ---- events ---- */

/* The connection has ended, well or not. */
static int disconnected(struct weft_sse *sse, int err)
{
    weft_response_free(sse->response);
    sse->response = NULL;
    weft__sse_restart(&sse->parser);
    if (err == 0 && !sse->reconnect) {
        sse->ended = true;
        return 0;
    }
    if (err == 0)
        err = weft__fail(WEFT_EDISCONNECTED, "%s: the server ended its events", sse->method);
    return failed(sse, err, 0);
}

static int read_more(struct weft_sse *sse)
{
    int64_t n = weft_response_read(sse->response, sse->buffer, sizeof sse->buffer);
    if (n == -ECANCELED || n == -ENOMEM)
        return (int)n;
    if (n <= 0)
        return disconnected(sse, (int)n);
    sse->at = sse->buffer;
    sse->left = (size_t)n;
    return 0;
}

static int parse(struct weft_sse *sse, weft_sse_event *ret)
{
    struct weft__sse_event event;
    int result = weft__sse_next(&sse->parser, &sse->at, &sse->left, &event);
    if (result == WEFT_ETOO_LONG)
        result = weft__fail(WEFT_ETOO_LONG, "an event of %s is larger than %zu bytes",
                            WEFT__SHOW(sse->response->url), sse->options.max_event_size);
    if (result < 0) {
        weft_response_free(sse->response);
        sse->response = NULL;
        return give_up(sse, result);
    }
    if (result > 0) {
        sse->failures = 0;
        *ret = (weft_sse_event){event.event, event.data, event.data_len, event.id};
    }
    return result;
}

int weft_sse_next(weft_sse *sse, weft_sse_event *ret)
{
    int result = 0;
    while (result == 0) {
        if (sse->error < 0)
            return weft__fail_with(sse->error, "there will be no more events");
        if (sse->ended)
            return 0;
        if (sse->left > 0)
            result = parse(sse, ret);
        else if (sse->response != NULL)
            result = read_more(sse);
        else
            result = connect_again(sse);
    }
    return result;
}

const weft_response *weft_sse_response(const weft_sse *sse)
{
    return sse->response;
}

/* ---- life ---- */

static int copy_options(struct weft_sse *sse)
{
    weft_sse_options *options = &sse->options;
    size_t n = 0;
    while (options->headers != NULL && options->headers[n].name != NULL)
        n++;
    int err = weft__copy_pairs(options->headers, &sse->headers);
    if (err == 0)
        err = weft__copy_pairs(options->params, &sse->params);
    if (err < 0)
        return err;
    sse->all = weft__calloc(n + OWN_PAIRS + 1, sizeof *sse->all);
    sse->method = weft__strdup(options->method != NULL ? options->method : "GET");
    if (options->content_type != NULL)
        sse->content_type = weft__strdup(options->content_type);
    if (options->content != NULL)
        sse->content = weft__alloc(options->content_len + 1);
    if (sse->all == NULL || sse->method == NULL ||
        (options->content_type != NULL && sse->content_type == NULL) ||
        (options->content != NULL && sse->content == NULL))
        return weft__fail_nomem();
    if (options->content != NULL)
        memcpy(sse->content, options->content, options->content_len);
    if (options->last_event_id != NULL && weft__buf_append(&sse->parser.id, options->last_event_id,
                                                           strlen(options->last_event_id) + 1) < 0)
        return weft__fail_nomem();
    sse->reconnect =
        options->reconnect > 0 || (options->reconnect == 0 && strcmp(sse->method, "GET") == 0);
    return 0;
}

static int check_options(weft_sse_options *options)
{
    if (options->heartbeat < 0 || options->min_wait < 0 || options->max_wait < 0 ||
        options->max_failures < 0)
        return weft__fail(-EINVAL, "a time or number is negative");
    if (options->max_event_size == 0)
        options->max_event_size = WEFT__LIMIT_SSE_EVENT;
    if (options->min_wait == 0)
        options->min_wait = MIN_WAIT;
    if (options->max_wait == 0)
        options->max_wait = MAX_WAIT;
    return 0;
}

void weft_sse_close(weft_sse *sse)
{
    if (sse == NULL)
        return;
    weft_response_free(sse->response);
    weft__sse_done(&sse->parser);
    weft_auth_free(sse->options.auth);
    weft__free(sse->url);
    weft__free(sse->method);
    weft__free(sse->content);
    weft__free(sse->content_type);
    weft__free(sse->headers);
    weft__free(sse->params);
    weft__free(sse->all);
    weft__free(sse);
}

int weft_sse_open(weft_client *client, const char *url, const weft_sse_options *options,
                  weft_sse **ret)
{
    weft_sse_options all = {0};
    int64_t least;
    if (client == NULL || url == NULL)
        return weft__fail(-EINVAL, "a source of events without a client or a URL");
    if (options != NULL)
        memcpy(&all, options,
               options->size > 0 && options->size < sizeof all ? options->size : sizeof all);
    int err = check_options(&all);
    if (err < 0)
        return err;
    struct weft_sse *sse = weft__calloc(1, sizeof *sse);
    if (sse == NULL)
        return weft__fail_nomem();
    sse->client = client;
    sse->options = all;
    if (all.auth != NULL)
        weft_auth_ref(all.auth);
    weft__sse_init(&sse->parser, all.max_event_size);
    sse->url = weft__strdup(url);
    err = sse->url != NULL ? copy_options(sse) : weft__fail_nomem();
    if (err == 0)
        err = begin(sse, &least);
    if (err < 0) {
        weft_sse_close(sse);
        return err;
    }
    *ret = sse;
    return 0;
}

/* script.c - the client's side of a case. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <weft.h>
#include <weft/sse.h>

#include "certs.h"
#include "client/client_int.h"
#include "script_int.h"
#include "test.h"

enum { PAIRS_MAX = 16, PARTS_MAX = 8 };

char script_filling[24 * 1000 * 1000];
weft_tls *script_client_tls;
weft_tls *script_server_tls;

_Noreturn void script_fail(const struct script *script, const struct line *line, const char *format,
                           ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    test_fail(script->of->file, line->number, "%s: %s", script->of->name, text);
}

/* ---- options ---- */

struct options {
    char text[1024];
    char *next;
    weft_pair headers[PAIRS_MAX];
    weft_pair params[PAIRS_MAX];
    weft_pair form[PAIRS_MAX];
    weft_pair proxy_headers[PAIRS_MAX];
    weft_pair resolve[PAIRS_MAX];
    weft_pair cookies[PAIRS_MAX];
    weft_form_part parts[PARTS_MAX];
    weft_auth *auth;
    int statuses[PAIRS_MAX];
    weft_retry_policy retry;
    bool has_retry;
    char body[EXPECT_MAX];
};

static void add_pair(weft_pair *pairs, char *value)
{
    size_t n = 0;
    while (pairs[n].name != NULL)
        n++;
    char *colon = strchr(value, ':');
    if (colon != NULL)
        *colon = '\0';
    pairs[n].name = value;
    pairs[n].value = colon != NULL ? colon + 1 : NULL;
}

/* "_" is a blank, and escapes are resolved in place. */
static void decode(char *value)
{
    for (char *p = value; *p != '\0'; p++) {
        if (*p == '_')
            *p = ' ';
    }
    size_t len = script_unescape(value, value, strlen(value) + 1);
    value[len] = '\0';
}

static char *cut_at_colon(char *value)
{
    char *colon = strchr(value, ':');
    ASSERT(colon != NULL);
    *colon = '\0';
    return colon + 1;
}

/* "name:value", with a file "name:filename:bytes". */
static void add_part(struct options *options, char *value, bool of_file)
{
    weft_form_part *part = options->parts;
    while (part->name != NULL)
        part++;
    ASSERT_INT_LT(part - options->parts, PARTS_MAX - 1);
    char *rest = cut_at_colon(value);
    *part = (weft_form_part){.name = value, .value = rest};
    if (of_file) {
        part->filename = rest;
        part->value = cut_at_colon(rest);
    }
}

/* "basic:USER:PASSWORD", "digest:...", "bearer:TOKEN", "none" */
static weft_auth *make_auth(char *value)
{
    weft_auth *auth = NULL;
    if (strcmp(value, "none") == 0)
        return weft_auth_ref(WEFT_AUTH_NONE);
    char *rest = cut_at_colon(value);
    if (strcmp(value, "bearer") == 0) {
        ASSERT_OK(weft_auth_bearer(rest, &auth));
        return auth;
    }
    char *password = cut_at_colon(rest);
    ASSERT_OK(strcmp(value, "digest") == 0 ? weft_auth_digest(rest, password, &auth)
                                           : weft_auth_basic(rest, password, &auth));
    return auth;
}

static bool body_option(const char *key, char *value, struct options *options,
                        weft_request_options *request)
{
    if (strcmp(key, "cookie") == 0)
        add_pair(options->cookies, value);
    else if (strcmp(key, "auth") == 0)
        options->auth = make_auth(value);
    else if (strcmp(key, "part") == 0 || strcmp(key, "fpart") == 0)
        add_part(options, value, key[0] == 'f');
    else if (strcmp(key, "content") == 0) {
        request->content = value;
        request->content_len = strlen(value);
    } else if (strcmp(key, "fill") == 0) {
        request->content_len = strtoul(value, NULL, 10);
        ASSERT(request->content_len <= sizeof script_filling);
        request->content = script_filling;
    } else if (strcmp(key, "type") == 0)
        request->content_type = value;
    else if (strcmp(key, "target") == 0)
        request->target = value;
    else if (strcmp(key, "upgrade") == 0)
        request->upgrade = value;
    else
        return false;
    return true;
}

static bool common_option(const char *key, char *value, struct options *options,
                          weft_request_options *request)
{
    if (strcmp(key, "header") == 0)
        add_pair(options->headers, value);
    else if (strcmp(key, "param") == 0)
        add_pair(options->params, value);
    else if (strcmp(key, "form") == 0)
        add_pair(options->form, value);
    else if (strcmp(key, "timeout") == 0)
        request->timeout = value[0] == '-' ? WEFT_FOREVER : script_ms(value);
    else if (strcmp(key, "proxy") == 0)
        request->proxy = value;
    else if (strcmp(key, "connect") == 0)
        request->connect_timeout = script_ms(value);
    else if (strcmp(key, "read") == 0)
        request->read_timeout = script_ms(value);
    else if (strcmp(key, "write") == 0)
        request->write_timeout = script_ms(value);
    else if (strcmp(key, "body_max") == 0)
        request->body_max = strtoul(value, NULL, 10);
    else if (strcmp(key, "follow") == 0)
        request->follow_redirects = atoi(value) > 0 ? WEFT_ON : WEFT_OFF;
    else if (strcmp(key, "decode") == 0)
        request->decode = atoi(value) > 0 ? WEFT_ON : WEFT_OFF;
    else if (strcmp(key, "raise") == 0)
        request->raise_for_status = WEFT_ON;
    else if (strcmp(key, "attempts") == 0) {
        options->has_retry = true;
        options->retry.attempts = atoi(value);
        options->retry.wait.kind = WEFT_WAIT_NONE;
    } else if (strcmp(key, "retry_after_max") == 0)
        options->retry.retry_after_max = script_ms(value);
    else if (strcmp(key, "non_idempotent") == 0)
        options->retry.retry_non_idempotent = true;
    else
        return false;
    return true;
}

static bool next_option(struct options *options, char **key, char **value)
{
    char *at = options->next;
    while (*at == ' ')
        at++;
    if (*at == '\0')
        return false;
    char *end = at + strcspn(at, " ");
    options->next = *end == '\0' ? end : end + 1;
    *end = '\0';
    *key = at;
    *value = strchr(at, '=');
    if (*value == NULL)
        *value = end;
    else
        *(*value)++ = '\0';
    decode(*value);
    return true;
}

static void begin_options(struct options *options, const char *text)
{
    memset(options, 0, sizeof *options);
    snprintf(options->text, sizeof options->text, "%s", text);
    options->next = options->text;
}

static bool client_way(const char *key, char *value, struct options *options,
                       weft_client_options *client)
{
    if (strcmp(key, "pheader") == 0)
        add_pair(options->proxy_headers, value);
    else if (strcmp(key, "resolve") == 0)
        add_pair(options->resolve, value);
    else if (strcmp(key, "ca") == 0)
        client->ca_file = certs_ca();
    else
        return false;
    client->proxy_headers = options->proxy_headers;
    client->resolve = options->resolve;
    return true;
}

static void make_client(struct script *script, const struct line *line)
{
    static _Thread_local struct options options;
    weft_client_options client = {.size = sizeof client};
    weft_request_options common = {.size = sizeof common};
    char *key;
    char *value;
    begin_options(&options, line != NULL ? line->text + strlen("client") : "");
    while (next_option(&options, &key, &value)) {
        if (strcmp(key, "base") == 0)
            client.base_url = value;
        else if (strcmp(key, "bearer") == 0)
            client.bearer = value;
        else if (strcmp(key, "username") == 0)
            client.username = value;
        else if (strcmp(key, "password") == 0)
            client.password = value;
        else if (strcmp(key, "agent") == 0)
            client.user_agent = value;
        else if (strcmp(key, "accept_encoding") == 0)
            client.accept_encoding = value;
        else if (strcmp(key, "auth") == 0)
            client.auth = options.auth = make_auth(value);
        else if (strcmp(key, "no_cookies") == 0)
            client.no_cookies = true;
        else if (strcmp(key, "max_redirects") == 0)
            client.max_redirects = atoi(value);
        else if (strcmp(key, "max_idle_ms") == 0)
            client.idle_timeout = script_ms(value);
        else if (!client_way(key, value, &options, &client) &&
                 !common_option(key, value, &options, &common))
            script_fail(script, line, "unknown option %s", key);
    }
    client.proxy = common.proxy;
    /* Where many cases share few processors, nothing but a case's own times may end it. */
    client.connect_timeout = common.connect_timeout > 0 ? common.connect_timeout : WEFT_SEC(30);
    client.headers = options.headers;
    client.params = options.params;
    client.timeout = common.timeout;
    client.read_timeout = common.read_timeout > 0 ? common.read_timeout : WEFT_SEC(30);
    client.write_timeout = common.write_timeout;
    client.body_max = common.body_max;
    client.follow_redirects = common.follow_redirects;
    client.decode = common.decode;
    client.raise_for_status = common.raise_for_status;
    client.retry = options.has_retry ? &options.retry : NULL;
    ASSERT_OK(weft_client_new(&client, &script->client));
    weft_auth_free(options.auth);
}

/* ---- connections ---- */

static void note_authority(struct script *script, const weft_url *url)
{
    pthread_mutex_lock(&script->lock);
    int n = script->dials++;
    ASSERT_INT_LT(n, 16);
    snprintf(script->authority[n], sizeof script->authority[n], "%s", weft_url_authority(url));
    pthread_mutex_unlock(&script->lock);
}

static int dial_in_memory(struct script *script, const weft_url *url, weft_stream **ret)
{
    weft_stream *server;
    int err = weft_stream_pair(64 * 1024, ret, &server);
    if (err < 0)
        return err;
    ASSERT_INT_LT(script->dials - script->taken, 8);
    script->pending[script->dials % 8] = server;
    note_authority(script, url);
    weft_event_set(script->dialled);
    return 0;
}

static int script_dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct script *script = userdata;
    weft_stream *stream;
    if (script->over == SCRIPT_MEMORY)
        return dial_in_memory(script, url, ret);
    note_authority(script, url);
    int err = weft_dial("127.0.0.1", script->port, NULL, &stream);
    if (err == 0 && script->over == SCRIPT_TLS)
        return weft_tls_connect(script_client_tls, stream, "example.org", ret);
    if (err == 0)
        *ret = stream;
    return err;
}

/* ---- calls ---- */

static int do_call(struct script *script, const struct line *line, weft_response **ret)
{
    static _Thread_local struct options options;
    weft_request_options request = {.size = sizeof request};
    char method[64];
    char url[512];
    char *key;
    char *value;
    bool stream = false;
    begin_options(&options, line->text + 5);
    ASSERT(next_option(&options, &key, &value));
    snprintf(method, sizeof method, "%s", key);
    char *at = options.next;
    size_t len = strcspn(at, " ");
    snprintf(url, sizeof url, "%.*s", (int)len, at);
    options.next = at + len;
    while (next_option(&options, &key, &value)) {
        if (strcmp(key, "stream") == 0) {
            stream = true;
        } else if (!body_option(key, value, &options, &request) &&
                   !common_option(key, value, &options, &request)) {
            script_fail(script, line, "unknown option %s", key);
        }
    }
    request.headers = options.headers;
    request.cookies = options.cookies[0].name != NULL ? options.cookies : NULL;
    request.multipart = options.parts[0].name != NULL ? options.parts : NULL;
    request.auth = options.auth;
    request.params = options.params;
    request.form = options.form[0].name != NULL ? options.form : NULL;
    request.retry = options.has_retry ? &options.retry : NULL;
    int err = stream ? weft_client_stream(script->client, method, url, &request, ret)
                     : weft_client_request(script->client, method, url, &request, ret);
    if (err == 0 && stream) {
        err = weft_response_read_all(*ret);
        if (err < 0)
            weft_response_free(*ret);
    }
    weft_auth_free(options.auth);
    return err;
}

/* ---- events ---- */

static int open_events(struct script *script, const struct line *line)
{
    static _Thread_local struct options options;
    weft_sse_options events = {.size = sizeof events};
    char *key;
    char *value;
    begin_options(&options, line->text + strlen("events "));
    char *url = options.next;
    size_t len = strcspn(url, " ");
    options.next = url + len + (url[len] == ' ');
    url[len] = '\0';
    while (next_option(&options, &key, &value)) {
        if (strcmp(key, "reconnect") == 0)
            events.reconnect = atoi(value) > 0 ? WEFT_ON : WEFT_OFF;
        else if (strcmp(key, "last") == 0)
            events.last_event_id = value;
        else if (strcmp(key, "max") == 0)
            events.max_event_size = strtoul(value, NULL, 10);
        else if (strcmp(key, "wait") == 0)
            events.min_wait = script_ms(value);
        else
            script_fail(script, line, "unknown option %s", key);
    }
    weft_sse_close(script->events);
    script->events = NULL;
    return weft_sse_open(script->client, url, &events, &script->events);
}

/* "TYPE ID DATA", - for no id */
static void expect_event(struct script *script, const struct line *line, const char *text)
{
    char type[64];
    char id[64];
    char data[512];
    int at = 0;
    weft_sse_event event;
    ASSERT_INT_EQ(sscanf(text, "%63s %63s %n", type, id, &at), 2);
    size_t len = script_unescape(text + at, data, sizeof data);
    int result = weft_sse_next(script->events, &event);
    if (result < 1)
        script_fail(script, line, "%s", result < 0 ? weft_error_message() : "there is no event");
    if (strcmp(event.event, type) != 0 || strcmp(event.id, id[0] == '-' ? "" : id) != 0 ||
        event.data_len != len || memcmp(event.data, data, len) != 0)
        script_fail(script, line, "the event is %s %s \"%s\"", event.event, event.id, event.data);
}

static bool expect_of_events(struct script *script, const struct line *line, const char *text)
{
    weft_sse_event event;
    if (strncmp(text, "event ", 6) == 0) {
        expect_event(script, line, text + 6);
        return true;
    }
    bool ends = strcmp(text, "end") == 0;
    if (!ends && strncmp(text, "event_error ", 12) != 0)
        return false;
    int result = weft_sse_next(script->events, &event);
    const char *wanted = ends ? weft_error_name(0) : text + 12;
    if (result > 0 || strcmp(weft_error_name(result), wanted) != 0)
        script_fail(script, line, "it is %s: %s", weft_error_name(result), weft_error_message());
    return true;
}

/* ---- what is expected ---- */

static void expect_error(const struct script *script, const struct line *line, const char *text,
                         int err)
{
    const char *blank = strchr(text, ' ');
    size_t len = blank != NULL ? (size_t)(blank - text) : strlen(text);
    if (err == 0)
        script_fail(script, line, "the call succeeded");
    bool any = len == 1 && text[0] == '*';
    if (!any &&
        (strlen(weft_error_name(err)) != len || strncmp(weft_error_name(err), text, len) != 0))
        script_fail(script, line, "the error is %s: %s", weft_error_name(err),
                    weft_error_message());
    if (blank != NULL && strstr(weft_error_message(), blank + 1) == NULL)
        script_fail(script, line, "the message is \"%s\"", weft_error_message());
}

static void expect_response(const struct script *script, const struct line *line, const char *text,
                            weft_response *response)
{
    static _Thread_local char wanted[EXPECT_MAX];
    char shown[512];
    char *rest;
    long status = strtol(text, &rest, 10);
    size_t len;
    const char *body = weft_response_content(response, &len);
    if (weft_response_status(response) != status)
        script_fail(script, line, "the status is %d", weft_response_status(response));
    if (*rest != ' ')
        return;
    size_t n = script_unescape(rest + 1, wanted, sizeof wanted);
    script_show(body, len, shown, sizeof shown);
    if (n != len || memcmp(body, wanted, n) != 0)
        script_fail(script, line, "the body is \"%s\" (%zu bytes)", shown, len);
}

/* The connection is the caller's: what comes behind the head, and an answer to it. */
static void expect_tunnel(const struct script *script, const struct line *line, const char *text,
                          weft_response *response)
{
    static _Thread_local char wanted[EXPECT_MAX];
    static _Thread_local char come[EXPECT_MAX];
    weft_stream *stream;
    size_t len = strcspn(text, " ");
    char first[512];
    snprintf(first, sizeof first, "%.*s", (int)len, text);
    size_t n = script_unescape(first, wanted, sizeof wanted);
    if (weft_response_take_stream(response, &stream) < 0)
        script_fail(script, line, "no tunnel: %s", weft_error_message());
    int err = weft_stream_read_exact(stream, come, n);
    if (err < 0 || memcmp(come, wanted, n) != 0)
        script_fail(script, line, "something else came: %s", err < 0 ? weft_error_message() : "");
    if (text[len] == ' ') {
        n = script_unescape(text + len + 1, wanted, sizeof wanted);
        if (weft_stream_write(stream, wanted, n) < 0 || weft_stream_flush(stream) < 0)
            script_fail(script, line, "writing failed: %s", weft_error_message());
    }
    weft_stream_free(stream);
}

static void expect_field(const struct script *script, const struct line *line, const char *text,
                         const weft_headers *headers)
{
    char name[64];
    size_t len = strcspn(text, " ");
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    const char *value = weft_headers_get(headers, name);
    if (value == NULL || strcmp(value, text + len + 1) != 0)
        script_fail(script, line, "the field is %s", value != NULL ? value : "not there");
}

static void expect_number(const struct script *script, const struct line *line, const char *what,
                          int64_t actual)
{
    const char *number = strchr(line->text + 7, ' ');
    if (number == NULL || actual != strtol(number, NULL, 10))
        script_fail(script, line, "%s is %lld", what, (long long)actual);
}

static void expect_line(struct script *script, const struct line *line, int err,
                        weft_response *response)
{
    const char *text = line->text + 7;
    weft_pool_stats stats;
    weft_client_pool_stats(script->client, &stats);
    if (strncmp(text, "error ", 6) == 0) {
        expect_error(script, line, text + 6, err);
        return;
    }
    if (strncmp(text, "opened ", 7) == 0) {
        expect_number(script, line, "opened", (int64_t)stats.opened);
        return;
    }
    if (strncmp(text, "idle ", 5) == 0) {
        /* Over HTTP/2 a response that is given up leaves its connection to others. */
        if (!script->over_h2)
            expect_number(script, line, "idle", (int64_t)stats.idle);
        return;
    }
    if (script->events != NULL && expect_of_events(script, line, text))
        return;
    if (err < 0)
        script_fail(script, line, "the call failed: %s: %s", weft_error_name(err),
                    weft_error_message());
    if (strncmp(text, "elapsed ", 8) == 0) {
        if (weft_response_elapsed(response) < script_ms(text + 8))
            script_fail(script, line, "it took only %lld ns",
                        (long long)weft_response_elapsed(response));
    } else if (strncmp(text, "attempts ", 9) == 0) {
        expect_number(script, line, "attempts", weft_response_attempts(response));
    } else if (strncmp(text, "redirects ", 10) == 0) {
        expect_number(script, line, "redirects", weft_response_redirects(response));
    } else if (strncmp(text, "url ", 4) == 0) {
        if (strcmp(text + 4, weft_response_url(response)) != 0)
            script_fail(script, line, "the URL is %s", weft_response_url(response));
    } else if (strncmp(text, "reason ", 7) == 0) {
        if (!script->over_h2 && strcmp(text + 7, weft_response_reason(response)) != 0)
            script_fail(script, line, "the reason is %s", weft_response_reason(response));
    } else if (strncmp(text, "header ", 7) == 0) {
        expect_field(script, line, text + 7, weft_response_headers(response));
    } else if (strncmp(text, "trailer ", 8) == 0) {
        expect_field(script, line, text + 8, weft_response_trailers(response));
    } else if (strncmp(text, "tunnel ", 7) == 0) {
        expect_tunnel(script, line, text + 7, response);
    } else {
        expect_response(script, line, text, response);
    }
}

static void need_client(struct script *script)
{
    if (script->client == NULL)
        make_client(script, NULL);
    script->client->dial = script_dial;
    script->client->dial_userdata = script;
    if (script->over_h2)
        script->client->http = WEFT__HTTP_2;
}

int script_calls(void *arg)
{
    struct script *script = arg;
    weft_response *response = NULL;
    int err = 0;
    for (int i = 0; i < script->of->n; i++) {
        const struct line *line = &script->of->lines[i];
        if (strncmp(line->text, "client", 6) == 0) {
            make_client(script, line);
        } else if (strncmp(line->text, "events ", 7) == 0) {
            need_client(script);
            err = open_events(script, line);
        } else if (strncmp(line->text, "call ", 5) == 0) {
            need_client(script);
            weft_response_free(response);
            response = NULL;
            err = do_call(script, line, &response);
            if (err < 0)
                response = NULL;
        } else if (strncmp(line->text, "wait ", 5) == 0) {
            weft_sleep(script_ms(line->text + 5));
        } else if (strncmp(line->text, "expect ", 7) == 0) {
            expect_line(script, line, err, response);
        }
    }
    weft_response_free(response);
    weft_sse_close(script->events);
    weft_client_free(script->client);
    script->calls_done = true;
    if (script->dialled != NULL)
        weft_event_set(script->dialled);
    return 0;
}

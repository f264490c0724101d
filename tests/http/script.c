#include "script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <weft.h>

#include "certs.h"
#include "client/client_int.h"
#include "test.h"

enum { LINES_MAX = 400, PAIRS_MAX = 16, EXPECT_MAX = 64 * 1024 };

struct line {
    char *text;
    int number;
};

struct script {
    const char *file;
    const char *name;
    struct line lines[LINES_MAX];
    int n;
    enum script_split split;
    bool memory;
    uint64_t seed;
    weft_listener *listener;
    weft_client *client;
    weft_event *dialled;
    weft_stream *pending[8]; /* server ends that the script has not accepted yet */
    char authority[8][128];
    int n_pending;
    bool calls_done;
};

#define FAIL_AT(script, line, ...) fail_at(script, line, __VA_ARGS__)

static _Noreturn void fail_at(const struct script *script, const struct line *line,
                              const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    test_fail(script->file, line->number, "%s: %s", script->name, text);
}

/* ---- text ---- */

static size_t unescape(const char *text, char *to, size_t size)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c == '\\') {
            text++;
            c = *text == 'r' ? '\r' : *text == 'n' ? '\n' : *text == 't' ? '\t' : *text;
            if (*text == '0')
                c = '\0';
            if (*text == 'x') {
                char hex[3] = {text[1], text[2], '\0'};
                c = (char)strtoul(hex, NULL, 16);
                text += 2;
            }
        }
        if (n == size)
            test_fail(__FILE__, __LINE__, "the text is too long for the test");
        to[n++] = c;
    }
    return n;
}

static void show(const char *data, size_t len, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 5 < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= ' ' && c < 0x7f)
            to[n++] = (char)c;
        else
            n += (size_t)snprintf(to + n, size - n,
                                  c == '\n'   ? "\\n"
                                  : c == '\r' ? "\\r"
                                              : "\\x%02x",
                                  c);
    }
    to[n] = '\0';
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

static int64_t ms(const char *value)
{
    return WEFT_MS(strtol(value, NULL, 10));
}

/* "_" is a blank, and escapes are resolved in place. */
static void decode(char *value)
{
    for (char *p = value; *p != '\0'; p++) {
        if (*p == '_')
            *p = ' ';
    }
    size_t len = unescape(value, value, strlen(value) + 1);
    value[len] = '\0';
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
        request->timeout = value[0] == '-' ? WEFT_FOREVER : ms(value);
    else if (strcmp(key, "proxy") == 0)
        request->proxy = value;
    else if (strcmp(key, "connect") == 0)
        request->connect_timeout = ms(value);
    else if (strcmp(key, "read") == 0)
        request->read_timeout = ms(value);
    else if (strcmp(key, "write") == 0)
        request->write_timeout = ms(value);
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
        options->retry.retry_after_max = ms(value);
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
    static struct options options;
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
        else if (strcmp(key, "max_redirects") == 0)
            client.max_redirects = atoi(value);
        else if (strcmp(key, "max_idle_ms") == 0)
            client.idle_timeout = ms(value);
        else if (!client_way(key, value, &options, &client) &&
                 !common_option(key, value, &options, &common))
            FAIL_AT(script, line, "unknown option %s", key);
    }
    client.proxy = common.proxy;
    client.connect_timeout = common.connect_timeout;
    client.headers = options.headers;
    client.params = options.params;
    client.timeout = common.timeout;
    client.read_timeout = common.read_timeout;
    client.write_timeout = common.write_timeout;
    client.body_max = common.body_max;
    client.follow_redirects = common.follow_redirects;
    client.decode = common.decode;
    client.raise_for_status = common.raise_for_status;
    client.retry = options.has_retry ? &options.retry : NULL;
    ASSERT_OK(weft_client_new(&client, &script->client));
}

/* ---- connections ---- */

static int script_dial(void *userdata, const weft_url *url, weft_stream **ret)
{
    struct script *script = userdata;
    weft_stream *client;
    weft_stream *server = NULL;
    int err;
    ASSERT(script->n_pending < 8);
    if (script->memory)
        err = weft_stream_pair(64 * 1024, &client, &server);
    else
        err = weft_dial("127.0.0.1", weft_listener_port(script->listener), NULL, &client);
    if (err < 0)
        return err;
    if (!script->memory)
        ASSERT_OK(weft_listener_accept(script->listener, &server));
    int n = script->n_pending++;
    script->pending[n] = server;
    snprintf(script->authority[n], sizeof script->authority[n], "%s", weft_url_authority(url));
    weft_event_set(script->dialled);
    *ret = client;
    return 0;
}

static void take_connection(struct script *script, const struct line *line, const char *authority,
                            weft_stream **stream)
{
    if (*stream != NULL)
        weft_stream_free(*stream);
    *stream = NULL;
    while (script->n_pending == 0) {
        if (script->calls_done)
            FAIL_AT(script, line, "no further connection came");
        weft_event_clear(script->dialled);
        ASSERT_OK(weft_event_wait(script->dialled));
    }
    if (authority != NULL && strcmp(authority, script->authority[0]) != 0)
        FAIL_AT(script, line, "the connection is for %s", script->authority[0]);
    *stream = script->pending[0];
    script->n_pending--;
    memmove(script->pending, script->pending + 1, sizeof script->pending[0] * 7);
    memmove(script->authority, script->authority + 1, sizeof script->authority[0] * 7);
}

static uint64_t next_random(struct script *script)
{
    script->seed = script->seed * 6364136223846793005u + 1442695040888963407u;
    return script->seed >> 33;
}

/* A client that has closed is not an error here: what it makes of this is what counts. */
static void server_write(struct script *script, weft_stream *stream, const char *data, size_t len)
{
    while (len > 0) {
        size_t n = len;
        if (script->split == SCRIPT_BYTES && len < 4096)
            n = 1;
        if (script->split == SCRIPT_RANDOM)
            n = 1 + next_random(script) % (len < 48 ? len : 32 + len / 8);
        if (weft_stream_write(stream, data, n) < 0 || weft_stream_flush(stream) < 0)
            return;
        data += n;
        len -= n;
        weft_yield();
    }
}

static void server_expect(const struct script *script, const struct line *line, weft_stream *stream,
                          const char *expected, size_t len)
{
    static char got[EXPECT_MAX];
    char shown[512];
    char wanted[512];
    size_t n = 0;
    while (n < len) {
        int64_t more = weft_stream_read(stream, got + n, len - n);
        if (more <= 0) {
            show(got, n, shown, sizeof shown);
            show(expected, len, wanted, sizeof wanted);
            FAIL_AT(script, line, "expected \"%s\", the client sent \"%s\" and %s", wanted, shown,
                    more == 0 ? "closed" : weft_error_message());
        }
        for (int64_t i = 0; i < more; i++) {
            if (got[n + (size_t)i] == expected[n + (size_t)i])
                continue;
            show(got, n + (size_t)more, shown, sizeof shown);
            show(expected, len, wanted, sizeof wanted);
            FAIL_AT(script, line, "expected \"%s\", the client sent \"%s\"", wanted, shown);
        }
        n += (size_t)more;
    }
}

static void server_closed(const struct script *script, const struct line *line, weft_stream *stream)
{
    char byte;
    int64_t n = weft_stream_read(stream, &byte, 1);
    if (n > 0)
        FAIL_AT(script, line, "the client sent a byte 0x%02x", (unsigned char)byte);
    if (n == WEFT_EREAD_TIMEOUT)
        FAIL_AT(script, line, "the client keeps the connection open");
}

static void server_silent(const struct script *script, const struct line *line, weft_stream *stream)
{
    char byte;
    weft_stream_set_timeout(stream, WEFT_MS(20), WEFT_FOREVER);
    int64_t n = weft_stream_read(stream, &byte, 1);
    weft_stream_set_timeout(stream, WEFT_SEC(10), WEFT_FOREVER);
    if (n >= 0)
        FAIL_AT(script, line, n == 0 ? "the client closed the connection" : "the client sent more");
}

static void repeat(struct script *script, weft_stream *stream, const char *text)
{
    static char big[1024 * 1024];
    char piece[1024];
    char *rest;
    size_t times = strtoul(text, &rest, 10);
    size_t len = unescape(rest + (*rest == ' '), piece, sizeof piece);
    size_t at = 0;
    while (times-- > 0) {
        if (at + len > sizeof big) {
            server_write(script, stream, big, at);
            at = 0;
        }
        memcpy(big + at, piece, len);
        at += len;
    }
    server_write(script, stream, big, at);
}

static void drip(weft_stream *stream, const char *text)
{
    char *rest;
    int64_t between = ms(text);
    strtol(text, &rest, 10);
    for (long n = strtol(rest, NULL, 10); n > 0; n--) {
        if (weft_stream_write(stream, "x", 1) < 0 || weft_stream_flush(stream) < 0)
            return;
        weft_sleep(between);
    }
}

static void upload(const struct script *script, const struct line *line, weft_stream *stream)
{
    char bytes[4096];
    size_t left = strtoul(line->text + 7, NULL, 10);
    while (left > 0) {
        int64_t n = weft_stream_read(stream, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n <= 0)
            FAIL_AT(script, line, "%zu bytes are missing", left);
        left -= (size_t)n;
    }
}

static void expect_request(const struct script *script, const struct line *line,
                           weft_stream *stream)
{
    char method[32];
    char target[256];
    char authority[128] = "example.org";
    char head[1024];
    ASSERT(sscanf(line->text, "request %31s %255s %127s", method, target, authority) >= 2);
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n"
                       "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                       "User-Agent: weft/" WEFT_VERSION "\r\n\r\n",
                       method, target, authority);
    server_expect(script, line, stream, head, (size_t)len);
}

static void reply(struct script *script, const struct line *line, weft_stream *stream)
{
    static char bytes[EXPECT_MAX];
    static char body[EXPECT_MAX];
    char *rest;
    long status = strtol(line->text + 6, &rest, 10);
    size_t n = unescape(rest + (*rest == ' '), body, sizeof body);
    int len = snprintf(bytes, sizeof bytes, "HTTP/1.1 %ld %s\r\nContent-Length: %zu\r\n\r\n",
                       status, weft_status_reason((int)status), n);
    memcpy(bytes + len, body, n);
    server_write(script, stream, bytes, (size_t)len + n);
}

static void server_tls(const struct script *script, const struct line *line, weft_stream **stream)
{
    weft_tls *tls;
    const char *cert = certs_make(CERT(.file = "example.pem", .san = "DNS:example.org"));
    weft_stream *plain = *stream;
    *stream = NULL;
    ASSERT_OK(weft_tls_new_server(WEFT_TLS(.cert_file = cert), &tls));
    if (weft_tls_accept(tls, plain, stream) < 0)
        FAIL_AT(script, line, "%s", weft_error_message());
    weft_tls_free(tls);
}

static void server_line(struct script *script, const struct line *line, weft_stream **stream)
{
    static char bytes[EXPECT_MAX];
    const char *text = line->text;
    size_t len;
    if (strncmp(text, "accept", 6) == 0) {
        take_connection(script, line, text[6] == ' ' ? text + 7 : NULL, stream);
        weft_stream_set_timeout(*stream, WEFT_SEC(10), WEFT_FOREVER);
    } else if (text[0] == '>' && text[1] == '|') {
        len = unescape(text + 2 + (text[2] == ' '), bytes, sizeof bytes);
        server_expect(script, line, *stream, bytes, len);
    } else if (text[0] == '>') {
        len = (size_t)snprintf(bytes, sizeof bytes, "%s\r\n", text + 1 + (text[1] == ' '));
        server_expect(script, line, *stream, bytes, len);
    } else if (text[0] == '<' && text[1] == '|') {
        len = unescape(text + 2 + (text[2] == ' '), bytes, sizeof bytes);
        server_write(script, *stream, bytes, len);
    } else if (text[0] == '<' && text[1] == '*') {
        repeat(script, *stream, text + 2);
    } else if (text[0] == '<') {
        len = (size_t)snprintf(bytes, sizeof bytes, "%s\r\n", text + 1 + (text[1] == ' '));
        server_write(script, *stream, bytes, len);
    } else if (strncmp(text, "request ", 8) == 0) {
        expect_request(script, line, *stream);
    } else if (strncmp(text, "reply ", 6) == 0) {
        reply(script, line, *stream);
    } else if (strncmp(text, "pause ", 6) == 0) {
        weft_sleep(ms(text + 6));
    } else if (strncmp(text, "drip ", 5) == 0) {
        drip(*stream, text + 5);
    } else if (strncmp(text, "upload ", 7) == 0) {
        upload(script, line, *stream);
    } else if (strcmp(text, "tls") == 0) {
        server_tls(script, line, stream);
    } else if (strcmp(text, "silent") == 0) {
        server_silent(script, line, *stream);
    } else if (strcmp(text, "closed") == 0) {
        server_closed(script, line, *stream);
    } else if (strcmp(text, "skip") == 0) {
        while (weft_stream_read(*stream, bytes, sizeof bytes) > 0)
            continue;
    } else if (strcmp(text, "close") == 0) {
        weft_stream_close(*stream);
    } else if (strcmp(text, "reset") == 0) {
        weft_stream_free(*stream);
        *stream = NULL;
    } else {
        FAIL_AT(script, line, "unknown line: %s", text);
    }
}

static bool is_clients(const char *text)
{
    return strncmp(text, "call ", 5) == 0 || strncmp(text, "expect ", 7) == 0 ||
           strncmp(text, "client", 6) == 0 || strncmp(text, "wait ", 5) == 0;
}

static int run_server(void *arg)
{
    struct script *script = arg;
    weft_stream *stream = NULL;
    for (int i = 0; i < script->n; i++) {
        if (!is_clients(script->lines[i].text))
            server_line(script, &script->lines[i], &stream);
    }
    weft_stream_free(stream);
    return 0;
}

/* ---- calls ---- */

static int do_call(struct script *script, const struct line *line, weft_response **ret)
{
    static struct options options;
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
        if (strcmp(key, "content") == 0) {
            request.content = value;
            request.content_len = strlen(value);
        } else if (strcmp(key, "fill") == 0) {
            static char big[24 * 1000 * 1000];
            request.content_len = strtoul(value, NULL, 10);
            ASSERT(request.content_len <= sizeof big);
            memset(big, 'x', request.content_len);
            request.content = big;
        } else if (strcmp(key, "type") == 0) {
            request.content_type = value;
        } else if (strcmp(key, "target") == 0) {
            request.target = value;
        } else if (strcmp(key, "stream") == 0) {
            stream = true;
        } else if (!common_option(key, value, &options, &request)) {
            FAIL_AT(script, line, "unknown option %s", key);
        }
    }
    request.headers = options.headers;
    request.params = options.params;
    request.form = options.form[0].name != NULL ? options.form : NULL;
    request.retry = options.has_retry ? &options.retry : NULL;
    if (!stream)
        return weft_client_request(script->client, method, url, &request, ret);
    int err = weft_client_stream(script->client, method, url, &request, ret);
    if (err == 0) {
        err = weft_response_read_all(*ret);
        if (err < 0)
            weft_response_free(*ret);
    }
    return err;
}

static void expect_error(const struct script *script, const struct line *line, const char *text,
                         int err)
{
    const char *blank = strchr(text, ' ');
    size_t len = blank != NULL ? (size_t)(blank - text) : strlen(text);
    if (err == 0)
        FAIL_AT(script, line, "the call succeeded");
    if (strcmp(text, "*") == 0)
        return;
    if (strlen(weft_error_name(err)) != len || strncmp(weft_error_name(err), text, len) != 0)
        FAIL_AT(script, line, "the error is %s: %s", weft_error_name(err), weft_error_message());
    if (blank != NULL && strstr(weft_error_message(), blank + 1) == NULL)
        FAIL_AT(script, line, "the message is \"%s\"", weft_error_message());
}

static void expect_response(const struct script *script, const struct line *line, const char *text,
                            weft_response *response)
{
    static char wanted[EXPECT_MAX];
    char shown[512];
    char *rest;
    long status = strtol(text, &rest, 10);
    size_t len;
    const char *body = weft_response_content(response, &len);
    if (weft_response_status(response) != status)
        FAIL_AT(script, line, "the status is %d", weft_response_status(response));
    if (*rest != ' ')
        return;
    size_t n = unescape(rest + 1, wanted, sizeof wanted);
    show(body, len, shown, sizeof shown);
    if (n != len || memcmp(body, wanted, n) != 0)
        FAIL_AT(script, line, "the body is \"%s\" (%zu bytes)", shown, len);
}

static void expect_number(const struct script *script, const struct line *line, const char *what,
                          int64_t actual)
{
    const char *number = strchr(line->text + 7, ' ');
    if (number == NULL || actual != strtol(number, NULL, 10))
        FAIL_AT(script, line, "%s is %lld", what, (long long)actual);
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
        expect_number(script, line, "idle", (int64_t)stats.idle);
        return;
    }
    if (err < 0)
        FAIL_AT(script, line, "the call failed: %s: %s", weft_error_name(err),
                weft_error_message());
    if (strncmp(text, "elapsed ", 8) == 0) {
        if (weft_response_elapsed(response) < ms(text + 8))
            FAIL_AT(script, line, "it took only %lld ns",
                    (long long)weft_response_elapsed(response));
    } else if (strncmp(text, "attempts ", 9) == 0) {
        expect_number(script, line, "attempts", weft_response_attempts(response));
    } else if (strncmp(text, "redirects ", 10) == 0) {
        expect_number(script, line, "redirects", weft_response_redirects(response));
    } else if (strncmp(text, "url ", 4) == 0) {
        if (strcmp(text + 4, weft_response_url(response)) != 0)
            FAIL_AT(script, line, "the URL is %s", weft_response_url(response));
    } else if (strncmp(text, "reason ", 7) == 0) {
        if (strcmp(text + 7, weft_response_reason(response)) != 0)
            FAIL_AT(script, line, "the reason is %s", weft_response_reason(response));
    } else if (strncmp(text, "header ", 7) == 0) {
        char name[64];
        size_t len = strcspn(text + 7, " ");
        snprintf(name, sizeof name, "%.*s", (int)len, text + 7);
        const char *value = weft_response_header(response, name);
        if (value == NULL || strcmp(value, text + 7 + len + 1) != 0)
            FAIL_AT(script, line, "the field is %s", value != NULL ? value : "not there");
    } else {
        expect_response(script, line, text, response);
    }
}

static int run_calls(void *arg)
{
    struct script *script = arg;
    weft_response *response = NULL;
    int err = 0;
    for (int i = 0; i < script->n; i++) {
        const struct line *line = &script->lines[i];
        if (strncmp(line->text, "client", 6) == 0) {
            make_client(script, line);
        } else if (strncmp(line->text, "call ", 5) == 0) {
            if (script->client == NULL)
                make_client(script, NULL);
            script->client->dial = script_dial;
            script->client->dial_userdata = script;
            weft_response_free(response);
            response = NULL;
            err = do_call(script, line, &response);
            if (err < 0)
                response = NULL;
        } else if (strncmp(line->text, "wait ", 5) == 0) {
            weft_sleep(ms(line->text + 5));
        } else if (strncmp(line->text, "expect ", 7) == 0) {
            expect_line(script, line, err, response);
        }
    }
    weft_response_free(response);
    weft_client_free(script->client);
    script->calls_done = true;
    weft_event_set(script->dialled);
    return 0;
}

static int run_case(void *arg)
{
    struct script *script = arg;
    if (!script->memory)
        ASSERT_OK(weft_listen("127.0.0.1", 0, NULL, &script->listener));
    ASSERT_OK(weft_event_new(&script->dialled));
    ASSERT_OK(weft_gather((weft_call[]){{run_calls, script}, {run_server, script}}, 2, NULL));
    if (script->n_pending > 0)
        FAIL_AT(script, &script->lines[script->n - 1], "a connection for %s was not expected",
                script->authority[0]);
    weft_event_free(script->dialled);
    weft_listener_close(script->listener);
    return 0;
}

/* ---- files ---- */

static void run_one(struct script *script)
{
    if (script->n == 0)
        return;
    script->client = NULL;
    script->n_pending = 0;
    script->calls_done = false;
    script->seed = 20230707;
    weft_backend backend = script->memory ? WEFT_BACKEND_VIRTUAL : WEFT_BACKEND_DEFAULT;
    ASSERT_OK(weft_run_with(run_case, script, WEFT_RUN(.backend = backend)));
    script->n = 0;
}

void script_run(const char *name, enum script_split split, bool memory)
{
    static struct script script;
    static char text[256 * 1024];
    static char path[512];
    char case_name[128] = "";
    int number = 0;
    snprintf(path, sizeof path, "%s/tests/http/cases/%s.case", test_source_root(), name);
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    script.file = path;
    script.name = case_name;
    script.split = split;
    script.memory = memory;
    for (char *line = text; *line != '\0';) {
        char *end = strchrnul(line, '\n');
        char *next = *end == '\0' ? end : end + 1;
        *end = '\0';
        number++;
        if (strncmp(line, "=== ", 4) == 0) {
            run_one(&script);
            snprintf(case_name, sizeof case_name, "%s", line + 4);
        } else if (line[0] != '\0' && line[0] != '#') {
            ASSERT(script.n < LINES_MAX);
            script.lines[script.n++] = (struct line){line, number};
        }
        line = next;
    }
    run_one(&script);
}

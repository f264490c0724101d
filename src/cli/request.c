/*
 * request.c - weft [METHOD] URL: one request, outside any loop.
 *
 * The body streams: memory does not grow with it, and a broken one is told even though its
 * beginning has been printed by then.
 */
#include "cli/cli.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
    const struct args *args;
    const char *method;
    char *url;        /* complete, with password */
    weft_url *parsed; /* the same with the parameters of -q */
    char *body;
    size_t body_len;
    struct setup setup;
    weft_client *client;
    weft_response *response;
    bool in_memory; /* the body has been read, and is JSON */
    bool taken;     /* from memory */
};

/* ---- what is asked for ---- */

static bool is_method(const char *word)
{
    return *word && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == strlen(word);
}

/* Alone, such a word is no host. */
static bool is_known_method(const char *word)
{
    static const char *const known[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", "QUERY"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!strcmp(word, known[i]))
            return true;
    }
    return false;
}

static enum exit_code take_words(struct request *request)
{
    const struct texts *words = &request->args->words;
    size_t n = words->n;
    if (!n) {
        complain("no URL given (see weft --help)");
        return EXIT_USAGE;
    }
    if (n == 1 && is_known_method(words->items[0])) {
        complain("no URL given after the method %s", words->items[0]);
        return EXIT_USAGE;
    }
    request->method = request->args->method;
    if (n >= 2 && is_method(words->items[0])) {
        if (request->method) {
            complain("two methods given: %s and -X %s", words->items[0], request->method);
            return EXIT_USAGE;
        }
        request->method = words->items[0];
    }
    size_t used = n >= 2 && request->method == words->items[0] ? 2 : 1;
    if (n > used) {
        bool lower = n == 2 && !strpbrk(words->items[0], ".:/");
        complain("'%s' is one word too many%s", words->items[used],
                 lower ? " (a method is written in capitals)" : "");
        return EXIT_USAGE;
    }
    if (complete_url(words->items[used - 1], &request->url) < 0) {
        complain("out of memory");
        return EXIT_LOCAL;
    }
    return EXIT_OK;
}

static enum exit_code check_url(struct request *request)
{
    const char *typed = request->args->words.items[request->args->words.n - 1];
    int err = weft_url_parse(request->url, NULL, &request->parsed);
    if (err < 0) {
        complain("%s", describe_failure(typed, err));
        return EXIT_USAGE;
    }
    const char *scheme = weft_url_scheme(request->parsed);
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        complain("%s: a URL begins with http:// or https://, not %s:", typed, scheme);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* The URL with the parameters of -q, as it will be asked for. */
static enum exit_code add_params(struct request *request)
{
    weft_url *longer;
    int err = weft_url_append_params(request->parsed, request->setup.params, &longer);
    if (err < 0) {
        complain("%s", describe_failure(request->url, err));
        return exit_code_of_error(err);
    }
    weft_url_free(request->parsed);
    request->parsed = longer;
    return EXIT_OK;
}

/* ---- its body ---- */

static int grow(struct request *request, const char *data, size_t len)
{
    char *body = realloc(request->body, request->body_len + len + 1);
    if (!body)
        return -ENOMEM;
    memcpy(body + request->body_len, data, len);
    body[request->body_len + len] = '\0';
    request->body = body;
    request->body_len += len;
    return 0;
}

static int grow_from_stdin(struct request *request)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n == 0)
            return grow(request, "", 0);
        if (n < 0 && errno == EINTR)
            continue;
        int err = n < 0 ? -errno : grow(request, chunk, (size_t)n);
        if (err < 0)
            return err;
    }
}

static int grow_from_file(struct request *request, const char *path)
{
    char *text;
    size_t len;
    int err = weft_read_file(path, &text, &len);
    if (err < 0)
        return err;
    err = grow(request, text, len);
    weft_free(text);
    return err;
}

/* TEXT, @FILE or @-. */
static enum exit_code add_body(struct request *request, const char *text)
{
    int err;
    if (!strcmp(text, "@-"))
        err = grow_from_stdin(request);
    else if (text[0] == '@')
        err = grow_from_file(request, text + 1);
    else
        err = grow(request, text, strlen(text));
    if (err >= 0)
        return EXIT_OK;
    complain("%s: %s", text[0] == '@' ? text + 1 : "the body", weft_error_text(err));
    return EXIT_LOCAL;
}

static bool has_header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->setup.n_headers; i++) {
        if (!strcasecmp(request->setup.headers[i].name, name))
            return true;
    }
    return false;
}

/* Fields of ours go into the spare room, unless the user has said something else. */
static void add_header(struct request *request, const char *name, const char *value)
{
    size_t at = request->setup.n_headers;
    if (has_header(request, name))
        return;
    while (request->setup.headers[at].name)
        at++;
    request->setup.headers[at] = (weft_pair){name, value};
}

static enum exit_code load_body(struct request *request)
{
    const struct args *args = request->args;
    enum exit_code code = EXIT_OK;
    if (args->json && args->data.n) {
        complain("--json and -d exclude each other");
        return EXIT_USAGE;
    }
    if (args->json) {
        add_header(request, "Content-Type", "application/json");
        add_header(request, "Accept", "application/json, */*;q=0.5");
        code = add_body(request, args->json);
    }
    for (size_t i = 0; i < args->data.n && code == EXIT_OK; i++) {
        if (i && grow(request, "&", 1) < 0)
            return EXIT_LOCAL;
        code = add_body(request, args->data.items[i]);
    }
    if (args->data.n)
        add_header(request, "Content-Type", "application/x-www-form-urlencoded");
    if (!request->method)
        request->method = request->body ? "POST" : "GET";
    return code;
}

/* ---- the reply ---- */

static enum exit_code failed(const struct request *request, int err)
{
    complain("%s", describe_failure(weft_url_href(request->parsed), err));
    return exit_code_of_error(err);
}

/* Of our own output, not of the transfer. */
static enum exit_code output_failed(const char *name, int err)
{
    if (err == -EPIPE)
        return EXIT_PIPE;
    complain("%s: %s", name, weft_error_text(err));
    return EXIT_LOCAL;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return -errno;
        } else if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

enum { CHUNK = 65536 };

/* One buffer for the program: it does one request. */
static char chunk[CHUNK];

/* The body's next bytes; 0 at its end. */
static int64_t next_chunk(struct request *request, const char **ret)
{
    size_t len;
    if (!request->in_memory) {
        *ret = chunk;
        return weft_response_read(request->response, chunk, sizeof chunk);
    }
    *ret = request->taken ? NULL : weft_response_content(request->response, &len);
    if (request->taken)
        return 0;
    request->taken = true;
    return (int64_t)len;
}

/* Nothing is written of a body that is not JSON. */
static enum exit_code check_json(struct request *request)
{
    json_t *value;
    int err = weft_response_read_all(request->response);
    if (err >= 0)
        err = weft_response_json(request->response, &value);
    if (err < 0)
        return failed(request, err);
    json_decref(value);
    request->in_memory = true;
    return EXIT_OK;
}

static enum exit_code body_to_pipe(struct request *request)
{
    for (;;) {
        const char *data;
        int64_t n = next_chunk(request, &data);
        if (n < 0)
            return failed(request, (int)n);
        if (n == 0)
            return EXIT_OK;
        int err = write_all(STDOUT_FILENO, data, (size_t)n);
        if (err < 0)
            return output_failed("standard output", err);
    }
}

static enum exit_code body_to_terminal(struct request *request)
{
    struct body_view view;
    const char *data;
    int64_t n;
    show_body_begin(&view, request->response, stdout);
    while ((n = next_chunk(request, &data)) > 0)
        show_body(&view, data, (size_t)n);
    show_body_end(&view);
    return n < 0 ? failed(request, (int)n) : EXIT_OK;
}

static void show_download(const struct request *request, uint64_t bytes, int64_t *painted)
{
    int64_t now = weft_now();
    int64_t length = weft_response_content_length(request->response);
    if (request->args->silent || !is_terminal(stderr) || now - *painted < WEFT_MS(100))
        return;
    *painted = now;
    if (length > 0)
        fprintf(stderr, "\r%s of %s, %d%%\033[K", human_bytes(bytes), human_bytes((uint64_t)length),
                (int)(bytes * 100 / (uint64_t)length));
    else
        fprintf(stderr, "\r%s\033[K", human_bytes(bytes));
}

static enum exit_code copy_to_file(struct request *request, struct save *save)
{
    const char *path = request->args->output;
    int64_t painted = weft_now();
    uint64_t bytes = 0;
    const char *data;
    int64_t n;
    while ((n = next_chunk(request, &data)) > 0) {
        int err = save_write(save, data, (size_t)n);
        if (err < 0)
            return output_failed(path, err);
        bytes += (uint64_t)n;
        show_download(request, bytes, &painted);
    }
    if (n < 0)
        return failed(request, (int)n);
    int err = save_commit(save);
    if (err < 0)
        return output_failed(path, err);
    if (!request->args->silent && is_terminal(stderr))
        fprintf(stderr, "\r%s: %s in %s\033[K\n", path, human_bytes(bytes),
                human_time(weft_response_elapsed(request->response)));
    return EXIT_OK;
}

static enum exit_code body_to_file(struct request *request)
{
    struct save save;
    int err = save_open(&save, request->args->output, true);
    if (err < 0)
        return output_failed(request->args->output, err);
    enum exit_code code = copy_to_file(request, &save);
    save_abort(&save);
    return code;
}

/* What a person should know about a status that is no success. */
static void tell_status(const struct request *request, bool to_file)
{
    int status = weft_response_status(request->response);
    const char *location = weft_response_header(request->response, "location");
    bool shown = is_terminal(stdout) && !to_file;
    const char *url = weft_url_redacted(request->parsed);
    if (status >= 300 && status < 400 && location)
        complain("%s: %d to %s (-L follows it)", url, status, location);
    else if (status >= 300 && !shown)
        complain("%s: %d %s%s", url, status, weft_response_reason(request->response),
                 to_file ? " (nothing saved)" : "");
}

static enum exit_code take_reply(struct request *request)
{
    const struct args *args = request->args;
    int status = weft_response_status(request->response);
    bool to_file = args->output && strcmp(args->output, "-") != 0;
    bool to_terminal = !args->output && is_terminal(stdout);
    enum exit_code code = EXIT_OK;
    if (to_terminal && !args->verbose)
        show_response_head(request->response, "", stdout);
    if (status >= 300 && !args->silent)
        tell_status(request, to_file);
    if (args->expect_json && status < 300)
        code = check_json(request);
    if (code != EXIT_OK)
        return code;
    if (to_file && status < 300)
        code = body_to_file(request);
    else if (to_terminal)
        code = body_to_terminal(request);
    else if (!to_file)
        code = body_to_pipe(request);
    return code == EXIT_OK ? exit_code_of_status(status) : code;
}

/* Each hop and each attempt; where a redirect makes GET of it, the body stays behind. */
static int show_request(void *userdata, const weft_request_event *event)
{
    const struct request *request = userdata;
    bool has_body = request->body && strcmp(event->method, request->method) == 0;
    show_request_head(event, request->args, has_body ? (int64_t)request->body_len : -1);
    return 0;
}

static int show_response(void *userdata, weft_response *response)
{
    const char *tls = weft_response_tls_version(response);
    (void)userdata;
    if (tls)
        fprintf(stderr, "* %s\n", tls);
    show_response_head(response, "< ", stderr);
    return 0;
}

static void tell_retry(const weft_attempt *attempt, void *userdata)
{
    const struct request *request = userdata;
    fprintf(stderr, "* attempt %d of %lld failed%s%s, the next one follows in %s\n",
            attempt->number, (long long)request->args->retry + 1, attempt->result < 0 ? ": " : "",
            attempt->result < 0 ? weft_error_text(attempt->result) : "", human_time(attempt->wait));
}

static enum exit_code send_request(struct request *request)
{
    const struct args *args = request->args;
    struct setup *setup = &request->setup;
    const weft_hooks *hooks =
        WEFT_HOOKS(.on_request = show_request, .on_response = show_response, .userdata = request);
    if (args->verbose)
        setup->options.hooks = hooks;
    if (args->retry > 0) {
        setup->retry.attempts = (int)args->retry + 1;
        setup->retry.before_sleep = args->verbose ? tell_retry : NULL;
        setup->retry.userdata = request;
        setup->options.retry = &setup->retry;
    }
    int err = weft_client_new(&setup->options, &request->client);
    if (err < 0)
        return failed(request, err);
    const weft_request_options *options =
        WEFT_REQUEST(.content = request->body, .content_len = request->body_len);
    err = weft_client_stream(request->client, request->method, weft_url_href(request->parsed),
                             options, &request->response);
    return err < 0 ? failed(request, err) : take_reply(request);
}

static enum exit_code prepare(struct request *request)
{
    enum exit_code code = take_words(request);
    if (code == EXIT_OK)
        code = check_url(request);
    if (code == EXIT_OK)
        code = setup_init(&request->setup, request->args);
    if (code == EXIT_OK)
        code = add_params(request);
    if (code == EXIT_OK)
        code = load_body(request);
    return code;
}

enum exit_code run_request(const struct args *args)
{
    struct request request = {.args = args};
    interrupt_exits();
    enum exit_code code = prepare(&request);
    if (code == EXIT_OK)
        code = send_request(&request);
    weft_response_free(request.response);
    weft_client_free(request.client);
    setup_done(&request.setup);
    free(request.body);
    free(request.url);
    weft_url_free(request.parsed);
    return code;
}

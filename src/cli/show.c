/*
 * show.c - heads and bodies as a person reads them on a terminal.
 */
#include "cli/cli.h"

#include <string.h>
#include <strings.h>

/* Part of a name that marks its value as a secret. */
static bool is_secret(const char *name)
{
    static const char *const parts[] = {"authorization", "cookie", "token",   "secret",
                                        "api-key",       "apikey", "password"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcasestr(name, parts[i]))
            return true;
    }
    return false;
}

static void show_field(FILE *to, const char *mark, const char *name, const char *value)
{
    fputs(mark, to);
    fputs(colour(to, CYAN), to);
    escape_line(name, to);
    fprintf(to, "%s: ", colour_off(to));
    if (is_secret(name) && *mark) {
        /* The scheme of "Bearer x" is none. */
        const char *blank = strcasestr(name, "authorization") ? strchr(value, ' ') : NULL;
        for (const char *at = value; blank && at <= blank; at++)
            putc(*at, to);
        value = "****";
    }
    escape_line(value, to);
    putc('\n', to);
}

/* "" where only the server's answer tells. */
static const char *version_of(const struct args *args, const weft_url *url)
{
    if (args->http2_only)
        return " HTTP/2";
    return args->http2 && strcmp(weft_url_scheme(url), "https") == 0 ? "" : " HTTP/1.1";
}

/* The whole head, as it goes on the wire: the event lacks Host and the framing. */
void show_request_head(const weft_request_event *event, const struct args *args, int64_t body_len)
{
    char length[24];
    FILE *to = stderr;
    weft_url *url;
    if (weft_url_parse(event->url, NULL, &url) < 0)
        return;
    fputs("> ", to);
    escape_line(event->method, to);
    fprintf(to, " %s%s\n", weft_url_target(url), version_of(args, url));
    if (!weft_headers_get(event->headers, "host"))
        show_field(to, "> ", "Host", weft_url_authority(url));
    for (size_t i = 0; i < weft_headers_count(event->headers); i++) {
        weft_pair field = weft_headers_at(event->headers, i);
        show_field(to, "> ", field.name, field.value);
    }
    snprintf(length, sizeof length, "%lld", (long long)body_len);
    if (body_len >= 0)
        show_field(to, "> ", "Content-Length", length);
    fputs(">\n", to);
    weft_url_free(url);
}

void show_response_head(const weft_response *response, const char *mark, FILE *to)
{
    int status = weft_response_status(response);
    const weft_headers *headers = weft_response_headers(response);
    enum colour paint = status < 300 ? GREEN : status < 400 ? YELLOW : RED;
    fprintf(to, "%s%s %s%d ", mark, weft_response_http_version(response), colour(to, paint),
            status);
    escape_line(weft_response_reason(response), to);
    fprintf(to, "%s\n", colour_off(to));
    for (size_t i = 0; i < weft_headers_count(headers); i++) {
        weft_pair field = weft_headers_at(headers, i);
        show_field(to, mark, field.name, field.value);
    }
    fprintf(to, "%.1s\n", mark);
}

static bool is_type(const char *type, const char *wanted)
{
    size_t len = strlen(wanted);
    return !strncasecmp(type, wanted, len) && (!type[len] || strchr("; \t", type[len]));
}

static bool is_json(const char *type)
{
    const char *suffix = strcasestr(type, "+json");
    return is_type(type, "application/json") || (suffix && is_type(suffix, "+json"));
}

void show_body_begin(struct body_view *view, const weft_response *response, FILE *to)
{
    *view = (struct body_view){.type = weft_response_header(response, "content-type"),
                               .escaper = {.to = to}};
    json_pretty_init(&view->json, to);
}

/* Decided by the first chunk: what servers say about types is often wrong. */
static enum view choose_view(const char *type, const char *data, size_t len)
{
    if (type && !strncasecmp(type, "text/", 5))
        return VIEW_TEXT;
    if (!looks_like_text(data, len))
        return VIEW_BINARY;
    return type && is_json(type) ? VIEW_JSON : VIEW_TEXT;
}

void show_body(struct body_view *view, const char *data, size_t len)
{
    FILE *to = view->escaper.to;
    if (!len)
        return;
    if (view->view == VIEW_UNKNOWN)
        view->view = choose_view(view->type, data, len);
    view->bytes += len;
    view->line_open = data[len - 1] != '\n';
    if (view->view == VIEW_JSON)
        json_pretty_feed(&view->json, data, len);
    else if (view->view == VIEW_TEXT)
        escape_text(&view->escaper, data, len);
    fflush(to);
}

void show_body_end(struct body_view *view)
{
    FILE *to = view->escaper.to;
    if (view->view == VIEW_JSON) {
        json_pretty_end(&view->json);
    } else if (view->view == VIEW_TEXT) {
        escape_end(&view->escaper);
        if (view->line_open)
            putc('\n', to);
    } else if (view->view == VIEW_BINARY) {
        fprintf(to, "%s<%llu bytes of ", colour(to, DIM), (unsigned long long)view->bytes);
        escape_line(view->type ? view->type : "binary data", to);
        fprintf(to, ">%s\n", colour_off(to));
    }
    fflush(to);
}

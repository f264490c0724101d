/*
 * report.c - errors: one line each on stderr, and the exit code that goes with it.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void complain(const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fflush(stdout);
    flockfile(stderr);
    fputs("weft: ", stderr);
    escape_line(text, stderr);
    putc('\n', stderr);
    funlockfile(stderr);
}

static const char *hint(int err)
{
    switch (err) {
    case WEFT_ETLS_VERIFY:
        return " (use -k to accept it anyway)";
    case WEFT_ETOO_MANY_REDIRECTS:
        return " (--max-redirects allows more)";
    default:
        return "";
    }
}

/* What follows the URL and a colon; NULL where the text does not name it so. */
static const char *after_url(const char *text, const char *url)
{
    size_t len = strlen(url);
    const char *at = strstr(text, url);
    if (!at && len && url[len - 1] == '/') {
        /* Before it was parsed the URL had no slash at its end. */
        len--;
        at = strncmp(text, url, len) == 0 ? text : NULL;
    }
    return at && strncmp(at + len, ": ", 2) == 0 ? at + len + 2 : NULL;
}

/* The same where the library has masked what is in the query, or cut a long URL. */
static const char *after_masked_url(const char *text, const char *url)
{
    const char *end = strstr(text, ": ");
    const char *begin = end;
    size_t same = strcspn(url, "?#");
    while (begin && begin > text && begin[-1] != ' ')
        begin--;
    if (!begin || begin == end)
        return NULL;
    size_t len = (size_t)(end - begin);
    bool is_cut = len > 3 && !strncmp(end - 3, "...", 3);
    if (is_cut && len - 3 < same)
        same = len - 3;
    return len >= same && !strncmp(begin, url, same) ? end + 2 : NULL;
}

/* The library's sentences name the request first, "GET http://h/: ...": we do that ourselves. */
const char *failure_reason(const char *url, int err)
{
    static char text[1200];
    static const char invalid[] = "invalid URL \"";
    const char *message = weft_error_message();
    char *name = redacted(url);
    const char *rest = name ? after_url(message, name) : NULL;
    if (!rest && name)
        rest = after_masked_url(message, name);
    if (!rest && !strncmp(message, invalid, strlen(invalid)) && strstr(message, "\": "))
        snprintf(text, sizeof text, "invalid URL: %s", strstr(message, "\": ") + 3);
    else
        snprintf(text, sizeof text, "%s%s",
                 rest       ? rest
                 : *message ? message
                            : weft_error_text(err),
                 hint(err));
    free(name);
    return text;
}

const char *describe_failure(const char *url, int err)
{
    enum { SHOWN = 400 }; /* what went wrong has to fit behind it */
    static char text[SHOWN + 1300];
    char *name = redacted(url);
    const char *dots = name && strlen(name) > SHOWN ? "..." : "";
    snprintf(text, sizeof text, "%.*s%s: %s", SHOWN, name ? name : "the URL", dots,
             failure_reason(url, err));
    free(name);
    return text;
}

enum exit_code exit_code_of_error(int err)
{
    switch (weft_error_get_family(err)) {
    case WEFT_FAMILY_NONE:
        return EXIT_OK;
    case WEFT_FAMILY_USAGE:
        return EXIT_USAGE;
    case WEFT_FAMILY_DNS:
    case WEFT_FAMILY_CONNECT:
    case WEFT_FAMILY_PROXY:
        return EXIT_CONNECT;
    case WEFT_FAMILY_TLS:
        return EXIT_TLS;
    case WEFT_FAMILY_TIMEOUT:
        return EXIT_TIMEOUT;
    case WEFT_FAMILY_NETWORK:
    case WEFT_FAMILY_PROTOCOL:
    case WEFT_FAMILY_LIMIT:
        return EXIT_PROTOCOL;
    case WEFT_FAMILY_RESPONSE:
        return err == WEFT_EJSON ? EXIT_NOT_JSON : EXIT_PROTOCOL;
    case WEFT_FAMILY_SYSTEM:
        if (err == -EINVAL)
            return EXIT_USAGE;
        return err == -ETIMEDOUT ? EXIT_TIMEOUT : EXIT_LOCAL;
    case WEFT_FAMILY_RUNTIME:
        break;
    }
    return EXIT_LOCAL;
}

enum exit_code exit_code_of_status(int status)
{
    if (status >= 500)
        return EXIT_SERVER_ERROR;
    return status >= 400 ? EXIT_CLIENT_ERROR : EXIT_OK;
}

/* Where a URL cannot be parsed, all before an @ may be a password. */
static char *redacted_roughly(const char *url)
{
    const char *at = strrchr(url, '@');
    const char *slashes = strstr(url, "://");
    if (!at || !slashes || at < slashes)
        return strdup(url);
    size_t size = strlen(url) + sizeof "[secure]";
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%.*s[secure]%s", (int)(slashes + 3 - url), url, at);
    return text;
}

char *redacted(const char *url)
{
    weft_url *parsed;
    if (weft_url_parse(url, NULL, &parsed) < 0)
        return redacted_roughly(url);
    char *text = strdup(weft_url_redacted(parsed));
    weft_url_free(parsed);
    return text;
}

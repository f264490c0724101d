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

const char *describe_failure(const char *url, int err)
{
    static char text[1600];
    const char *message = weft_error_message();
    if (!*message)
        message = weft_error_text(err);
    char *name = redacted(url);
    if (name && strncmp(message, name, strlen(name)) != 0)
        snprintf(text, sizeof text, "%s: %s%s", name, message, hint(err));
    else
        snprintf(text, sizeof text, "%s%s", message, hint(err));
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

char *redacted(const char *url)
{
    weft_url *parsed;
    if (weft_url_parse(url, NULL, &parsed) < 0)
        return strdup(url);
    char *text = strdup(weft_url_redacted(parsed));
    weft_url_free(parsed);
    return text;
}
